/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Direct execution of guest kernel code.  Every exit is a signal on the signal
 * stack; its handler copies the registers out of the signal frame and leaves
 * through the stack of host_enter(), without rt_sigreturn (a third cheaper).
 * Signals that find the monitor running only set the kick flag.
 */
#define _GNU_SOURCE
#include "hostos/hostos.h"

#include "hostos/console.h"
#include "hostos/linux/ldt.h"
#include "hostos/linux/offsets.h"
#include "layout.h"

#include <asm/prctl.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#define AT(field, off) _Static_assert(offsetof(struct host_cpu, field) == (off), #field)
AT(gpr, HC_GPR); AT(eip, HC_EIP); AT(eflags, HC_EFLAGS); AT(sel, HC_SEL);
AT(has_bases, HC_HAS_BASES); AT(fsbase, HC_FSBASE); AT(gsbase, HC_GSBASE);
AT(host_rsp, HC_HOST_RSP); AT(host_fsbase, HC_HOST_FSBASE); AT(kick, HC_KICK); AT(fpu, HC_FPU);
_Static_assert(HOST_EXIT_GATE == HC_EXIT_GATE && HOST_EXIT_KICK == 0, "exits of entry.S");

/* The signal stack block; entry.S finds it by masking rsp. */
struct sigblock {
	struct host_cpu cpu;
	pid_t pid, tid;
	timer_t timer;
	uint64_t armed;
};

static const int sync_signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP };
/* Kicks the VM's thread, and (delivered to a child) stops its user code. */
#define SIG_KICK SIGUSR1

int host_enter_raw(struct host_cpu *hc);
extern const char host_enter_begin[], host_enter_end[];
extern const char gate_start[], gate_end[];
void host_signal_entry(int sig, siginfo_t *info, void *uc);
int host_signal(int sig, siginfo_t *info, ucontext_t *uc, struct host_cpu *hc);

static struct sigblock *block(struct host_cpu *hc)
{
	return (struct sigblock *)hc;
}

static void save_registers(struct host_cpu *hc, const greg_t *g)
{
	hc->gpr[R_EAX] = g[REG_RAX];
	hc->gpr[R_ECX] = g[REG_RCX];
	hc->gpr[R_EDX] = g[REG_RDX];
	hc->gpr[R_EBX] = g[REG_RBX];
	hc->gpr[R_ESP] = g[REG_RSP];
	hc->gpr[R_EBP] = g[REG_RBP];
	hc->gpr[R_ESI] = g[REG_RSI];
	hc->gpr[R_EDI] = g[REG_RDI];
	hc->eip = g[REG_RIP];
	hc->eflags = g[REG_EFL];
	hc->trapno = g[REG_TRAPNO];
	hc->error = g[REG_ERR];
	hc->cr2 = g[REG_CR2];
}

/* Keeps x87 and SSE; the AVX part goes back to its initial state. */
static void save_fpu(struct host_cpu *hc, const void *fpregs)
{
	memcpy(hc->fpu.bytes, fpregs, sizeof hc->fpu.bytes);
	*(uint64_t *)(hc->fpu.bytes + 512) &= 3;
	memset(hc->fpu.bytes + 520, 0, sizeof hc->fpu.bytes - 520);
}

static __attribute__((noreturn)) void die(int sig, const ucontext_t *uc)
{
	const greg_t *g = uc->uc_mcontext.gregs;
	char msg[256];
	int n;

	host_console_restore_terminal();
	n = snprintf(msg, sizeof msg,
		     "lilyvm: internal error: signal %d at rip %#llx (error %#llx, address %#llx); "
		     "please report this\n",
		     sig, (long long)g[REG_RIP], (long long)g[REG_ERR], (long long)g[REG_CR2]);
	if (write(2, msg, n) < 0)
		_exit(ST_HOST);
	if (getenv("LILYVM_CORE"))
		abort();
	_exit(ST_HOST);
}

/* Called by host_signal_entry: -1 resumes what was interrupted, otherwise the
 * result of host_enter(). */
int host_signal(int sig, siginfo_t *info, ucontext_t *uc, struct host_cpu *hc)
{
	const greg_t *g = uc->uc_mcontext.gregs;
	const char *rip = (const char *)g[REG_RIP];
	bool async = sig == SIG_KICK;
	bool entering = rip >= host_enter_begin && rip < host_enter_end;
	bool leaving = (uintptr_t)rip - hc->gate_start < hc->gate_end - hc->gate_start;

	(void)info;
	if (async) {
		hc->kick = 1;
		if (hc->child)
			syscall(SYS_tgkill, hc->child, hc->child, SIG_KICK);
	}
	if ((uint16_t)g[REG_CSGSFS] == HOST_CS64 && ((uint64_t)rip >= LOW_END || leaving)) {
		if (entering)
			return async ? HOST_EXIT_KICK : HOST_EXIT_BADSEG;
		if (!async)
			die(sig, uc);
		return -1;
	}
	save_registers(hc, g);
	save_fpu(hc, uc->uc_mcontext.fpregs);
	return async ? HOST_EXIT_KICK : HOST_EXIT_TRAP;
}

bool host_gate_install(struct host_cpu *hc, uint32_t va, uint8_t *to)
{
	/* It loads the monitor's FS base by itself. */
	if (!hc->has_bases)
		return false;
	memcpy(to, gate_start, gate_end - gate_start);
	hc->gate_start = va;
	hc->gate_end = va + (gate_end - gate_start);
	return true;
}

/* The setting is the thread's: the monitor itself needs its clock. */
int host_enter(struct host_cpu *hc)
{
	int why;

	if (!hc->tsc_traps)
		return host_enter_raw(hc);
	prctl(PR_SET_TSC, PR_TSC_SIGSEGV);
	why = host_enter_raw(hc);
	prctl(PR_SET_TSC, PR_TSC_ENABLE);
	return why;
}

void host_kick(struct host_cpu *hc)
{
	hc->kick = 1;
	syscall(SYS_tgkill, block(hc)->pid, block(hc)->tid, SIG_KICK);
}

static bool has_fsgsbase(void)
{
	return getauxval(AT_HWCAP2) & 2;
}

static void fpu_initial(struct fpu_image *img)
{
	memset(img, 0, sizeof *img);
	*(uint16_t *)(img->bytes + 0) = 0x37f;		/* FCW after fninit */
	*(uint32_t *)(img->bytes + 24) = 0x1f80;	/* MXCSR */
}

static int install_handlers(struct error *e)
{
	struct sigaction sa = { .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER | SA_RESTART };
	size_t i;

	sa.sa_sigaction = host_signal_entry;
	sigemptyset(&sa.sa_mask);
	for (i = 0; i < sizeof sync_signals / sizeof *sync_signals; i++)
		if (sigaction(sync_signals[i], &sa, NULL))
			return fail(e, ST_HOST, "sigaction(%d): %s", sync_signals[i],
				    strerror(errno));
	/* A kick has to end waits. */
	sa.sa_flags &= ~SA_RESTART;
	if (sigaction(SIG_KICK, &sa, NULL))
		return fail(e, ST_HOST, "sigaction(%d): %s", SIG_KICK, strerror(errno));
	return 0;
}

int host_cpu_create(struct host_cpu **out, struct error *e)
{
	struct sigevent ev = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIG_KICK };
	stack_t ss = { .ss_size = SIGSTACK_SIZE - 4096 };
	struct sigblock *b;
	sigset_t none;

	b = aligned_alloc(SIGSTACK_SIZE, SIGSTACK_SIZE);
	if (!b)
		return fail(e, ST_HOST, "signal stack: out of memory");
	memset(b, 0, sizeof *b);
	_Static_assert(sizeof *b <= 4096, "the signal stack starts behind the block");
	ss.ss_sp = (char *)b + 4096;
	if (sigaltstack(&ss, NULL)) {
		free(b);
		return fail(e, ST_HOST, "sigaltstack: %s", strerror(errno));
	}
	b->pid = getpid();
	b->tid = gettid();
	b->cpu.has_bases = has_fsgsbase();
	syscall(SYS_arch_prctl, ARCH_GET_FS, &b->cpu.host_fsbase);
	/* Children run with cpuid faulting.  The host changes that setting by a
	 * machine register at each switch between tasks that differ in it, which
	 * costs 10 us where the host is virtual itself: so we run with it too. */
	syscall(SYS_arch_prctl, ARCH_SET_CPUID, 0);
	fpu_initial(&b->cpu.fpu);
	ev._sigev_un._tid = b->tid;
	if (timer_create(CLOCK_MONOTONIC, &ev, &b->timer)) {
		free(b);
		return fail(e, ST_HOST,
			    "timer_create: %s; raise the limit of pending signals (ulimit -i)",
			    strerror(errno));
	}
	*out = &b->cpu;
	sigemptyset(&none);
	sigaddset(&none, SIG_KICK);
	pthread_sigmask(SIG_UNBLOCK, &none, NULL);
	return install_handlers(e);
}

void host_cpu_destroy(struct host_cpu *hc)
{
	stack_t off = { .ss_flags = SS_DISABLE };

	if (!hc)
		return;
	signal(SIG_KICK, SIG_IGN);
	timer_delete(block(hc)->timer);
	sigaltstack(&off, NULL);
	free(hc);
}

int host_ldt_set(unsigned slot, const struct segment *s)
{
	struct user_desc d = user_desc_of(slot, s);

	return syscall(SYS_modify_ldt, 0x11, &d, sizeof d) ? errno : 0;
}

void host_timer_set(struct host_cpu *hc, uint64_t t)
{
	struct itimerspec its = { 0 };

	if (block(hc)->armed == t)
		return;
	block(hc)->armed = t;
	its.it_value.tv_sec = t / 1000000000;
	its.it_value.tv_nsec = t % 1000000000;
	timer_settime(block(hc)->timer, TIMER_ABSTIME, &its, NULL);
}

void host_wait_kick(struct host_cpu *hc)
{
	sigset_t kick, old;

	sigemptyset(&kick);
	sigaddset(&kick, SIG_KICK);
	pthread_sigmask(SIG_BLOCK, &kick, &old);
	if (!hc->kick) {
		sigdelset(&old, SIG_KICK);
		sigsuspend(&old);
	}
	pthread_sigmask(SIG_UNBLOCK, &kick, NULL);
}
