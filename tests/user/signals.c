/* SPDX-License-Identifier: BSD-2-Clause */
/* Signals: delivery, frames, alternate stacks, timers. */
#define _GNU_SOURCE
#include "harness.h"

#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

static volatile unsigned handled, depth, deepest;
static volatile uintptr_t stack_seen;
static siginfo_t info_seen;

static void handle(int sig, void (*fn)(int, siginfo_t *, void *), int flags)
{
	struct sigaction sa = { .sa_sigaction = fn, .sa_flags = SA_SIGINFO | flags };

	SYS(sigaction(sig, &sa, NULL));
}

static void on_info(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	info_seen = *info;
	stack_seen = (uintptr_t)&info;
	handled++;
}

static void check_info(const void *arg)
{
	const union sigval value = { .sival_int = 4711 };

	(void)arg;
	handle(SIGUSR1, on_info, 0);
	SYS(kill(getpid(), SIGUSR1));
	CHECK(handled == 1, "%u signals", handled);
	CHECK(info_seen.si_code == SI_USER && info_seen.si_pid == getpid(), "si_code %d si_pid %d",
	      info_seen.si_code, info_seen.si_pid);
	handle(SIGRTMIN, on_info, 0);
	SYS(sigqueue(getpid(), SIGRTMIN, value));
	CHECK(info_seen.si_code == SI_QUEUE && info_seen.si_value.sival_int == 4711,
	      "si_code %d value %d", info_seen.si_code, info_seen.si_value.sival_int);
}

/* Old-style frames (sigreturn) and new ones (rt_sigreturn). */
static void on_plain(int sig)
{
	(void)sig;
	handled++;
}

struct old_sigaction {
	void (*handler)(int);
	unsigned long mask;
	unsigned long flags;
	void (*restorer)(void);
};

static void check_old_frame(const void *arg)
{
	struct old_sigaction sa = { .handler = on_plain };

	(void)arg;
	SYS(syscall(SYS_sigaction, SIGUSR1, &sa, NULL));
	for (int i = 0; i < 100; i++)
		SYS(kill(getpid(), SIGUSR1));
	CHECK(handled == 100, "%u signals", handled);
}

static void check_altstack(const void *arg)
{
	static uint8_t stack[65536];
	const stack_t ss = { .ss_sp = stack, .ss_size = sizeof(stack) };

	(void)arg;
	SYS(sigaltstack(&ss, NULL));
	handle(SIGUSR1, on_info, SA_ONSTACK);
	SYS(kill(getpid(), SIGUSR1));
	CHECK(stack_seen >= (uintptr_t)stack && stack_seen < (uintptr_t)stack + sizeof(stack),
	      "the handler ran on 0x%lx", (unsigned long)stack_seen);
}

static void on_nested(int sig, siginfo_t *info, void *context)
{
	(void)info;
	(void)context;
	handled++;
	if (++depth > deepest)
		deepest = depth;
	if (sig < SIGRTMIN + 9)
		kill(getpid(), sig + 1);
	depth--;
}

static void check_nested(const void *arg)
{
	(void)arg;
	for (int i = 0; i < 10; i++)
		handle(SIGRTMIN + i, on_nested, 0);
	SYS(kill(getpid(), SIGRTMIN));
	CHECK(handled == 10 && deepest == 10, "%u handlers, %u deep, wanted 10", handled, deepest);
}

static void check_mask(const void *arg)
{
	sigset_t set, pending;

	(void)arg;
	handle(SIGUSR1, on_info, 0);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	SYS(sigprocmask(SIG_BLOCK, &set, NULL));
	SYS(kill(getpid(), SIGUSR1));
	SYS(kill(getpid(), SIGUSR1));
	SYS(sigpending(&pending));
	CHECK(handled == 0 && sigismember(&pending, SIGUSR1), "%u handled while blocked", handled);
	SYS(sigprocmask(SIG_UNBLOCK, &set, NULL));
	CHECK(handled == 1, "%u handled, wanted 1", handled);
}

/* A timer must get into a loop that makes no system call. */
static void check_itimer(const void *arg)
{
	const struct itimerval every = { { 0, 5000 }, { 0, 5000 } };
	uint64_t loops = 0;

	(void)arg;
	handle(SIGALRM, on_info, 0);
	SYS(setitimer(ITIMER_REAL, &every, NULL));
	while (handled < 40)
		loops++;
	CHECK(loops > 1000, "%llu loops between 40 signals", (unsigned long long)loops);
}

/* Nothing changes in a loop that a timer interrupts: registers and flags. */
static void check_registers(const void *arg)
{
	const struct itimerval every = { { 0, 1000 }, { 0, 1000 } };
	uint32_t bad = 0, tries = 0;

	(void)arg;
	handle(SIGALRM, on_info, 0);
	SYS(setitimer(ITIMER_REAL, &every, NULL));
	while (handled < 100 && !bad && tries++ < 1000000) {
		__asm__ volatile(
		    "pushl %%ebp\n\tpushl %%ebx\n\tmovl $0x12345678, %%ebp\n\t"
		    "movl $0x9abcdef0, %%ebx\n\tmovl $0x0fedcba9, %%esi\n\t"
		    "movl $0x87654321, %%edi\n\tmovl $0x13579bdf, %%edx\n\tstd\n\tstc\n\t"
		    "movl $20000, %%ecx\n"
		    "1:\tjnc 2f\n\tleal -1(%%ecx), %%ecx\n\tjecxz 3f\n\tjmp 1b\n"
		    "2:\tmovl $1, %%eax\n\tjmp 4f\n"
		    "3:\tmovl $2, %%eax\n\tpushfl\n\ttestl $0x400, (%%esp)\n\tleal 4(%%esp), "
		    "%%esp\n\t"
		    "jz 4f\n\tmovl $3, %%eax\n\tcmpl $0x12345678, %%ebp\n\tjne 4f\n\t"
		    "cmpl $0x9abcdef0, %%ebx\n\tjne 4f\n\tcmpl $0x0fedcba9, %%esi\n\tjne 4f\n\t"
		    "cmpl $0x87654321, %%edi\n\tjne 4f\n\tcmpl $0x13579bdf, %%edx\n\tjne 4f\n\t"
		    "xorl %%eax, %%eax\n"
		    "4:\tcld\n\tpopl %%ebx\n\tpopl %%ebp"
		    : "=a"(bad)
		    :
		    : "ecx", "edx", "esi", "edi", "memory", "cc");
	}
	CHECK(!bad, "%s changed", bad == 1 ? "CF" : bad == 2 ? "DF" : "a register");
	CHECK(handled >= 100, "%u timer signals", handled);
}

/* The handler moves eip and changes a register. */
extern const char edit_target[];

static void on_edit(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	(void)sig;
	(void)info;
	uc->uc_mcontext.gregs[REG_EIP] = (int)(uintptr_t)edit_target;
	uc->uc_mcontext.gregs[REG_ESI] = 0x600df00d;
	uc->uc_mcontext.gregs[REG_EFL] |= 1;
}

static void check_edit(const void *arg)
{
	uint32_t esi, carry;

	(void)arg;
	handle(SIGSEGV, on_edit, 0);
	__asm__ volatile("xorl %%esi, %%esi\n\tmovl %%esi, (%%esi)\n\tud2\n"
			 ".globl edit_target\nedit_target:\n\tsbbl %%eax, %%eax"
			 : "=S"(esi), "=a"(carry) : : "memory", "cc");
	CHECK(esi == 0x600df00d && carry == 0xffffffff, "esi 0x%x carry 0x%x", esi, carry);
}

/* sigreturn to a bad frame must not come back with a bad selector. */
static void on_bad_cs(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	(void)sig;
	(void)info;
	if (handled++ == 0)
		uc->uc_mcontext.gregs[REG_CS] = 0x13;
	else
		_exit(0);
}

static void check_bad_frame(const void *arg)
{
	static uint8_t stack[65536];
	const stack_t ss = { .ss_sp = stack, .ss_size = sizeof(stack) };

	(void)arg;
	SYS(sigaltstack(&ss, NULL));
	handle(SIGUSR1, on_bad_cs, SA_ONSTACK);
	handle(SIGSEGV, on_bad_cs, SA_ONSTACK);
	handle(SIGILL, on_bad_cs, SA_ONSTACK);	/* what a 32-bit kernel makes of a failing iret */
	SYS(kill(getpid(), SIGUSR1));
	test_fail("the handler's frame with cs 0x13 was accepted");
}

/* A stack that cannot take the frame: SIGSEGV, which kills. */
static void check_no_stack(const void *arg)
{
	pid_t pid = (pid_t)SYS(fork());
	int status;

	(void)arg;
	if (pid == 0) {
		handle(SIGUSR1, on_info, 0);
		__asm__ volatile("movl $0x1000, %%esp\n\tint $0x80"
				 : : "a"(SYS_kill), "b"(getpid()), "c"(SIGUSR1) : "memory");
		_exit(0);
	}
	SYS(waitpid(pid, &status, 0));
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV, "status 0x%x", status);
}

static void check_restart(const void *arg)
{
	const struct itimerval soon = { { 0, 0 }, { 0, 50000 } };
	char c = 0;
	int fd[2];

	(void)arg;
	SYS(pipe(fd));
	handle(SIGALRM, on_info, 0);
	SYS(setitimer(ITIMER_REAL, &soon, NULL));
	CHECK(read(fd[0], &c, 1) == -1 && errno == EINTR, "read was not interrupted");
	CHECK(handled == 1, "%u signals", handled);
	handle(SIGALRM, on_info, SA_RESTART);
	if (SYS(fork()) == 0) {
		usleep(200000);
		_exit(write(fd[1], "x", 1) != 1);
	}
	SYS(setitimer(ITIMER_REAL, &soon, NULL));
	CHECK(read(fd[0], &c, 1) == 1 && c == 'x' && handled == 2,
	      "read was not restarted (%u signals)", handled);
}

void test_signals(void)
{
	run("signal: SA_SIGINFO, sigqueue", check_info, NULL);
	run("signal: 100 with the old frame", check_old_frame, NULL);
	run("signal: alternate stack", check_altstack, NULL);
	run("signal: ten nested", check_nested, NULL);
	run("signal: blocked and pending", check_mask, NULL);
	run("signal: a timer gets into a tight loop", check_itimer, NULL);
	run("signal: registers and flags kept in an interrupted loop", check_registers, NULL);
	run("signal: the handler changes eip, esi and the flags", check_edit, NULL);
	run("signal: a frame with a bad cs", check_bad_frame, NULL);
	run("signal: no stack for the frame", check_no_stack, NULL);
	run("signal: EINTR and SA_RESTART", check_restart, NULL);
}
