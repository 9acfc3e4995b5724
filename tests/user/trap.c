/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "trap.h"

#include "harness.h"

#include <setjmp.h>
#include <string.h>
#include <ucontext.h>

/* Shared with the signal handler. */
static struct {
	struct trap trap;
	sigjmp_buf back;
	uint16_t fs, gs;
	uint8_t stack[65536];
} caught;

static void on_trap(int sig, siginfo_t *info, void *context)
{
	const ucontext_t *uc = context;

	/* A signal keeps %fs and %gs, and glibc needs its %gs. */
	__asm__ volatile("movw %0, %%fs\n\tmovw %1, %%gs" : : "m"(caught.fs), "m"(caught.gs));
	caught.trap = (struct trap){
		.sig = sig,
		.code = info->si_code,
		.addr = (uint32_t)(uintptr_t)info->si_addr,
		.trapno = (uint32_t)uc->uc_mcontext.gregs[REG_TRAPNO],
		.err = (uint32_t)uc->uc_mcontext.gregs[REG_ERR],
	};
	memcpy(caught.trap.gregs, uc->uc_mcontext.gregs, sizeof(caught.trap.gregs));
	siglongjmp(caught.back, 1);
}

static void catch_all(void)
{
	static const int signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP };
	const stack_t stack = { .ss_sp = caught.stack, .ss_size = sizeof(caught.stack) };
	struct sigaction sa = { .sa_sigaction = on_trap, .sa_flags = SA_SIGINFO | SA_ONSTACK };

	SYS(sigaltstack(&stack, NULL));
	for (unsigned i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		SYS(sigaction(signals[i], &sa, NULL));
}

struct trap snippet_run(const char *code, uint32_t arg)
{
	__asm__ volatile("movw %%fs, %0\n\tmovw %%gs, %1" : "=m"(caught.fs), "=m"(caught.gs));
	memset(&caught.trap, 0, sizeof(caught.trap));
	catch_all();
	if (sigsetjmp(caught.back, 1) == 0) {
		__asm__ volatile("pushal\n\tpushl %%ds\n\tpushl %%es\n\tcall *%%edx\n\t"
				 "popl %%es\n\tpopl %%ds\n\tpopal"
				 : : "d"(code), "a"(arg) : "memory", "cc");
		__asm__ volatile("movw %0, %%fs\n\tmovw %1, %%gs"
				 : : "m"(caught.fs), "m"(caught.gs));
	}
	return caught.trap;
}
