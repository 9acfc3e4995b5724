/* SPDX-License-Identifier: BSD-2-Clause */
/* ptrace inside the guest: single steps, registers, memory, watchpoints. */
#define _GNU_SOURCE
#include "harness.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the traced child runs: its labels are what the tracer waits for. */
extern const char traced_loop[], traced_end[], traced_brk[], traced_calls[], traced_calls_end[];
void traced_code(void);
volatile uint32_t traced_word = 5, traced_watch;

__asm__(".pushsection .text\n"
	"traced_code:\n	pushl %ebx\n"
	"traced_loop:	movl $10, %ecx\n"
	"1:	addl $3, traced_word\n	decl %ecx\n	jnz 1b\n"	/* 30 instructions */
	"traced_end:	nop\n"
	"traced_brk:	int3\n"
	"	movl $1, traced_watch\n	nop\n	movl traced_watch, %eax\n	nop\n"
	"traced_calls:	movl $20, %eax\n	int $0x80\n	nop\n	movl $20, %eax\n"
	"	int $0x80\n	nop\n"
	"traced_calls_end: popl %ebx\n	ret\n"
	".popsection");

static pid_t start(void (*code)(void))
{
	pid_t pid = (pid_t)SYS(fork());
	int status;

	if (pid == 0) {
		SYS(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
		raise(SIGSTOP);
		code();
		_exit(9);
	}
	SYS(waitpid(pid, &status, 0));
	CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP, "status 0x%x at the start",
	      status);
	return pid;
}

/* Resumes the child and waits for a stop by sig. */
static void resume(enum __ptrace_request how, pid_t pid, int sig)
{
	int status;

	SYS(ptrace(how, pid, NULL, NULL));
	SYS(waitpid(pid, &status, 0));
	CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == sig, "status 0x%x, wanted a stop by %d",
	      status, sig);
}

static void expect_exit(pid_t pid, int value)
{
	int status;

	SYS(ptrace(PTRACE_CONT, pid, NULL, NULL));
	SYS(waitpid(pid, &status, 0));
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == value, "status 0x%x, wanted exit %d",
	      status, value);
}

static struct user_regs_struct regs(pid_t pid)
{
	struct user_regs_struct r;

	SYS(ptrace(PTRACE_GETREGS, pid, NULL, &r));
	return r;
}

static void set_regs(pid_t pid, struct user_regs_struct *r)
{
	SYS(ptrace(PTRACE_SETREGS, pid, NULL, r));
}

/* Runs to a label by a breakpoint, as gdb does. */
static void run_to(pid_t pid, const char *label)
{
	long old, addr = (long)(uintptr_t)label;
	struct user_regs_struct r;

	errno = 0;
	old = ptrace(PTRACE_PEEKTEXT, pid, (void *)addr, NULL);
	CHECK(errno == 0, "PEEKTEXT: errno %d", errno);
	SYS(ptrace(PTRACE_POKETEXT, pid, (void *)addr, (void *)((old & ~0xffl) | 0xcc)));
	resume(PTRACE_CONT, pid, SIGTRAP);
	r = regs(pid);
	CHECK(r.eip == addr + 1, "stopped at 0x%lx, wanted 0x%lx", r.eip, addr + 1);
	SYS(ptrace(PTRACE_POKETEXT, pid, (void *)addr, (void *)old));
	r.eip = addr;
	set_regs(pid, &r);
}

static void check_step(const void *arg)
{
	pid_t pid = start(traced_code);
	unsigned steps = 0;

	(void)arg;
	run_to(pid, traced_loop);
	while (regs(pid).eip != (long)(uintptr_t)traced_end && steps++ < 1000)
		resume(PTRACE_SINGLESTEP, pid, SIGTRAP);
	CHECK(steps == 31, "%u steps, wanted 31", steps);
	CHECK(ptrace(PTRACE_PEEKDATA, pid, (void *)(uintptr_t)&traced_word, NULL) == 35,
	      "the word is %ld",
	      ptrace(PTRACE_PEEKDATA, pid, (void *)(uintptr_t)&traced_word, NULL));
	/* TF is the tracer's, and is not seen. */
	CHECK(!(regs(pid).eflags & 0x100), "TF is visible: 0x%lx", regs(pid).eflags);
	resume(PTRACE_CONT, pid, SIGTRAP);
	CHECK(regs(pid).eip == (long)(uintptr_t)traced_brk + 1, "int3 stops at 0x%lx",
	      regs(pid).eip);
	expect_exit(pid, 9);
}

/* A step over int $0x80 ends behind it. */
static void check_step_call(const void *arg)
{
	pid_t pid = start(traced_code);
	unsigned steps = 0;

	(void)arg;
	run_to(pid, traced_end);
	resume(PTRACE_CONT, pid, SIGTRAP);	/* the int3 */
	run_to(pid, traced_calls);
	while (regs(pid).eip != (long)(uintptr_t)traced_calls_end && steps++ < 1000) {
		resume(PTRACE_SINGLESTEP, pid, SIGTRAP);
		if (steps == 2)
			CHECK(regs(pid).eax == pid, "eax after getpid is %ld", regs(pid).eax);
	}
	CHECK(steps == 6, "%u steps, wanted 6", steps);
	expect_exit(pid, 9);
}

static void wait_forever(void)
{
	for (;;)
		__asm__ volatile("pause");
}

static void check_regs(const void *arg)
{
	pid_t pid = start(traced_code);
	struct user_regs_struct r, got;

	(void)arg;
	run_to(pid, traced_end);
	r = regs(pid);
	CHECK(r.ecx == 0, "ecx is %ld", r.ecx);
	CHECK(kernel_is_64bit() || (r.xcs == 0x73 && r.xss == 0x7b), "cs 0x%lx ss 0x%lx", r.xcs,
	      r.xss);
	r.esi = 0x11223344;
	r.edi = 0x55667788;
	set_regs(pid, &r);
	resume(PTRACE_SINGLESTEP, pid, SIGTRAP);
	got = regs(pid);
	CHECK(got.esi == 0x11223344 && got.edi == 0x55667788, "esi 0x%lx edi 0x%lx", got.esi,
	      got.edi);
	CHECK(got.eip == (long)(uintptr_t)traced_brk, "eip 0x%lx", got.eip);
	/* Flags: IF and IOPL stay. */
	r = got;
	r.eflags = 0x3ed7;
	set_regs(pid, &r);
	got = regs(pid);
	CHECK((got.eflags & 0x3ed7) == 0xed7, "flags 0x%lx", got.eflags);
	r.eflags = 0x202;
	r.eip = (long)(uintptr_t)wait_forever;
	set_regs(pid, &r);
	SYS(ptrace(PTRACE_CONT, pid, NULL, NULL));
	usleep(20000);
	SYS(kill(pid, SIGUSR1));
	SYS(waitpid(pid, NULL, 0));
	CHECK(regs(pid).eip - (long)(uintptr_t)wait_forever < 16, "eip 0x%lx", regs(pid).eip);
	SYS(ptrace(PTRACE_KILL, pid, NULL, NULL));
}

static void check_fpregs(const void *arg)
{
	struct user_fpxregs_struct x, got;
	pid_t pid = start(traced_code);

	(void)arg;
	run_to(pid, traced_end);
	if (ptrace(PTRACE_GETFPXREGS, pid, NULL, &x) == -1)
		test_skip("no PTRACE_GETFPXREGS");
	for (int i = 0; i < 32; i++)
		x.xmm_space[i] = 0x1000l * i + 7;
	x.mxcsr = 0x3f80;
	SYS(ptrace(PTRACE_SETFPXREGS, pid, NULL, &x));
	resume(PTRACE_SINGLESTEP, pid, SIGTRAP);
	SYS(ptrace(PTRACE_GETFPXREGS, pid, NULL, &got));
	CHECK(!memcmp(x.xmm_space, got.xmm_space, sizeof(x.xmm_space)) && got.mxcsr == 0x3f80,
	      "xmm registers changed, mxcsr 0x%lx", got.mxcsr);
	SYS(ptrace(PTRACE_KILL, pid, NULL, NULL));
}

static void check_syscall(const void *arg)
{
	pid_t pid = start(traced_code);
	struct user_regs_struct r;

	(void)arg;
	run_to(pid, traced_end);
	resume(PTRACE_CONT, pid, SIGTRAP);	/* the int3 */
	run_to(pid, traced_calls);
	for (int i = 0; i < 2; i++) {
		resume(PTRACE_SYSCALL, pid, SIGTRAP);
		r = regs(pid);
		CHECK(r.orig_eax == SYS_getpid && r.eax == -38, "entry: orig_eax %ld eax %ld",
		      r.orig_eax, r.eax);
		if (i == 1) {		/* another system call instead */
			r.orig_eax = SYS_getppid;
			set_regs(pid, &r);
		}
		resume(PTRACE_SYSCALL, pid, SIGTRAP);
		r = regs(pid);
		CHECK(r.eax == (i ? getpid() : pid), "exit: eax %ld", r.eax);
	}
	expect_exit(pid, 9);
}

/* Debug register 0 as a watchpoint for writes of traced_watch. */
static void check_watch(const void *arg)
{
	const size_t dr0 = offsetof(struct user, u_debugreg);
	pid_t pid = start(traced_code);
	long dr6;

	(void)arg;
	run_to(pid, traced_end);
	resume(PTRACE_CONT, pid, SIGTRAP);	/* the int3 */
	if (ptrace(PTRACE_POKEUSER, pid, dr0, &traced_watch) == -1 ||
	    ptrace(PTRACE_POKEUSER, pid, dr0 + 28, 0xd0101) == -1)
		test_skip("no debug registers");
	resume(PTRACE_CONT, pid, SIGTRAP);
	dr6 = ptrace(PTRACE_PEEKUSER, pid, dr0 + 24, NULL);
	CHECK(dr6 & 1, "dr6 is 0x%lx", dr6);
	CHECK(ptrace(PTRACE_PEEKDATA, pid, (void *)(uintptr_t)&traced_watch, NULL) == 1,
	      "stopped before the write");
	expect_exit(pid, 9);
}

/* Debug register 1 as a breakpoint for execution. */
static void check_break(const void *arg)
{
	const size_t dr0 = offsetof(struct user, u_debugreg);
	pid_t pid = start(traced_code);

	(void)arg;
	run_to(pid, traced_loop);
	if (ptrace(PTRACE_POKEUSER, pid, dr0 + 4, traced_end) == -1 ||
	    ptrace(PTRACE_POKEUSER, pid, dr0 + 28, 0x4) == -1)
		test_skip("no debug registers");
	resume(PTRACE_CONT, pid, SIGTRAP);
	CHECK(regs(pid).eip == (long)(uintptr_t)traced_end, "stopped at 0x%lx, wanted 0x%lx",
	      regs(pid).eip, (long)(uintptr_t)traced_end);
	resume(PTRACE_CONT, pid, SIGTRAP);
	CHECK(regs(pid).eip == (long)(uintptr_t)traced_brk + 1, "then at 0x%lx", regs(pid).eip);
	expect_exit(pid, 9);
}

void test_ptrace(void)
{
	run("ptrace: breakpoint and single steps", check_step, NULL);
	run("ptrace: single steps over int $0x80", check_step_call, NULL);
	run("ptrace: registers read and set", check_regs, NULL);
	run("ptrace: SSE registers read and set", check_fpregs, NULL);
	run("ptrace: system calls seen and changed", check_syscall, NULL);
	run("ptrace: hardware watchpoint", check_watch, NULL);
	run("ptrace: hardware breakpoint", check_break, NULL);
}
