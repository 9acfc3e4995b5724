/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * x87 and SSE state: kept over system calls, signals, threads, processes and
 * time slices; exceptions of both.
 */
#define _GNU_SOURCE
#include "harness.h"
#include "trap.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

enum { CW_DEFAULT = 0x37f, MXCSR_DEFAULT = 0x1f80 };

/* What the tests put into the registers and read back. */
struct state {
	uint8_t st[8][10];	/* 80-bit x87 registers, st0 first */
	uint8_t xmm[8][16];
	uint16_t cw;
	uint32_t mxcsr;
};

static void need_sse2(void)
{
	if (!cpu_has_sse2())
		test_skip("no SSE2");
}

/* A pattern for a seed: valid normal 80-bit numbers, arbitrary bytes in xmm,
 * other rounding modes. */
static void pattern(struct state *s, uint32_t seed)
{
	uint8_t *bytes = &s->xmm[0][0];

	memset(s, 0, sizeof(*s));
	for (unsigned i = 0; i < 8; i++) {
		for (unsigned j = 0; j < 7; j++)
			s->st[i][j] = (uint8_t)(seed * 7 + i * 31 + j);
		s->st[i][7] = 0x80;
		s->st[i][8] = (uint8_t)(seed + i);
		s->st[i][9] = 0x3f;
	}
	for (unsigned i = 0; i < 128; i++)
		bytes[i] = (uint8_t)(seed * 13 + i * 5);
	s->cw = (uint16_t)(CW_DEFAULT | (seed & 3) << 10);
	s->mxcsr = MXCSR_DEFAULT | (seed & 3) << 13;
}

#define EACH8(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7)

/* Between set() and get() there must be nothing for which a compiler might use
 * the FPU, as it does for memset. */
static inline void set(const struct state *s)
{
	__asm__ volatile("fninit\n\tfldcw %0" : : "m"(s->cw));
	for (int i = 7; i >= 0; i--)
		__asm__ volatile("fldt %0" : : "m"(s->st[i]));
#define LOAD(n) __asm__ volatile("movups %0, %%xmm" #n : : "m"(s->xmm[n]));
	EACH8(LOAD)
#undef LOAD
	__asm__ volatile("ldmxcsr %0" : : "m"(s->mxcsr));
}

static inline void get(struct state *s)
{
#define STORE(n) __asm__ volatile("movups %%xmm" #n ", %0" : "=m"(s->xmm[n]));
	EACH8(STORE)
#undef STORE
	__asm__ volatile("stmxcsr %0\n\tfnstcw %1" : "=m"(s->mxcsr), "=m"(s->cw));
	for (int i = 0; i < 8; i++)
		__asm__ volatile("fstpt %0" : "=m"(s->st[i]));
	__asm__ volatile("fninit");
}

static void compare(const struct state *got, const struct state *want, const char *where)
{
	CHECK(got->cw == want->cw, "%s: control word 0x%x, wanted 0x%x", where, got->cw, want->cw);
	CHECK((got->mxcsr & ~0x3fu) == want->mxcsr, "%s: mxcsr 0x%x, wanted 0x%x", where,
	      (unsigned)got->mxcsr, (unsigned)want->mxcsr);
	for (int i = 0; i < 8; i++) {
		CHECK(!memcmp(got->st[i], want->st[i], 10), "%s: st%d changed", where, i);
		CHECK(!memcmp(got->xmm[i], want->xmm[i], 16), "%s: xmm%d changed", where, i);
	}
}

static inline long raw_syscall(long nr, long a, long b)
{
	long result;

	__asm__ volatile("int $0x80" : "=a"(result) : "a"(nr), "b"(a), "c"(b) : "memory");
	return result;
}

enum { NR_FORK = 2, NR_GETPID = 20, NR_KILL = 37, NR_YIELD = 158 };

static void check_syscalls(const void *arg)
{
	struct state want, got;

	(void)arg;
	need_sse2();
	for (uint32_t seed = 0; seed < 200; seed++) {
		pattern(&want, seed);
		set(&want);
		raw_syscall(NR_GETPID, 0, 0);
		raw_syscall(NR_YIELD, 0, 0);
		get(&got);
		compare(&got, &want, "after system calls");
	}
}

/* In the handler: a clean FPU, which the handler then fills with its own. */
static struct state in_handler;
static volatile unsigned handled;

static void on_signal(int sig)
{
	struct state other;

	(void)sig;
	__asm__ volatile("fnstcw %0\n\tstmxcsr %1" : "=m"(in_handler.cw), "=m"(in_handler.mxcsr));
	pattern(&other, 99);
	set(&other);
	handled++;
}

static void check_signal(const void *arg)
{
	struct state want, got;
	int pid = getpid();

	(void)arg;
	need_sse2();
	signal(SIGUSR1, on_signal);
	for (uint32_t seed = 0; seed < 50; seed++) {
		pattern(&want, seed);
		set(&want);
		raw_syscall(NR_KILL, pid, SIGUSR1);
		get(&got);
		compare(&got, &want, "after the handler");
	}
	CHECK(handled == 50, "%u signals", handled);
	CHECK(in_handler.cw == CW_DEFAULT, "control word 0x%x in the handler", in_handler.cw);
	CHECK(in_handler.mxcsr == MXCSR_DEFAULT, "mxcsr 0x%x in the handler",
	      (unsigned)in_handler.mxcsr);
}

/* The handler sees the interrupted state in its frame and may change it. */
static void on_edit(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	struct _libc_fpstate *fp = uc->uc_mcontext.fpregs;
	uint32_t *fxsave = (uint32_t *)(fp + 1);	/* the kernel's fxsave image */

	(void)sig;
	(void)info;
	CHECK(fp, "no FPU state in the signal frame");
	in_handler.cw = (uint16_t)fp->cw;
	in_handler.mxcsr = fxsave[6];
	memset((uint8_t *)fxsave + 160 + 3 * 16, 0x5a, 16);
	handled++;
}

static void check_edit(const void *arg)
{
	struct sigaction sa = { .sa_sigaction = on_edit, .sa_flags = SA_SIGINFO };
	struct state want, got;
	int pid = getpid();

	(void)arg;
	need_sse2();
	SYS(sigaction(SIGUSR1, &sa, NULL));
	pattern(&want, 3);
	set(&want);
	raw_syscall(NR_KILL, pid, SIGUSR1);
	get(&got);
	CHECK(handled == 1, "%u signals", handled);
	CHECK(in_handler.cw == want.cw, "control word 0x%x in the frame", in_handler.cw);
	CHECK(in_handler.mxcsr == want.mxcsr, "mxcsr 0x%x in the frame",
	      (unsigned)in_handler.mxcsr);
	memset(want.xmm[3], 0x5a, 16);
	compare(&got, &want, "after the handler's change");
}

static void check_fork(const void *arg)
{
	struct state want, got;
	long pid;

	(void)arg;
	need_sse2();
	for (uint32_t seed = 1; seed < 20; seed++) {
		pattern(&want, seed);
		set(&want);
		pid = raw_syscall(NR_FORK, 0, 0);
		get(&got);
		compare(&got, &want, pid ? "parent" : "child");
		if (pid == 0)
			_exit(0);
		wait_ok((int)pid);
	}
}

/* Several of them compete for the CPU, each with its own pattern. */
static void compete(uint32_t seed, unsigned rounds)
{
	struct state want, got;

	pattern(&want, seed);
	for (unsigned i = 0; i < rounds; i++) {
		set(&want);
		if (i % 4 == 0)
			for (volatile int spin = 0; spin < 200000; spin++)
				;
		else
			raw_syscall(NR_YIELD, 0, 0);
		get(&got);
		compare(&got, &want, "among others");
	}
}

static void check_processes(const void *arg)
{
	enum { N = 6 };
	pid_t pid[N];

	(void)arg;
	need_sse2();
	for (uint32_t i = 0; i < N; i++) {
		pid[i] = (pid_t)SYS(fork());
		if (pid[i] == 0) {
			compete(i, 200);
			_exit(0);
		}
	}
	for (int i = 0; i < N; i++)
		wait_ok(pid[i]);
}

static void *compete_thread(void *seed)
{
	compete((uint32_t)(uintptr_t)seed, 200);
	return NULL;
}

static void check_threads(const void *arg)
{
	enum { N = 6 };
	pthread_t t[N];

	(void)arg;
	need_sse2();
	for (uintptr_t i = 0; i < N; i++)
		CHECK(!pthread_create(&t[i], NULL, compete_thread, (void *)i), "pthread_create");
	for (int i = 0; i < N; i++)
		CHECK(!pthread_join(t[i], NULL), "pthread_join");
}

/* The timer interrupts a loop whose only state is in the FPU. */
static void check_interrupts(const void *arg)
{
	const struct itimerval every = { { 0, 2000 }, { 0, 2000 } };
	struct state want, got;

	(void)arg;
	need_sse2();
	handled = 0;
	signal(SIGALRM, on_signal);
	SYS(setitimer(ITIMER_REAL, &every, NULL));
	pattern(&want, 17);
	for (unsigned i = 0; handled < 50; i++) {
		set(&want);
		for (volatile int spin = 0; spin < 100000; spin++)
			;
		get(&got);
		compare(&got, &want, "under timer signals");
		CHECK(i < 100000, "%u timer signals", handled);
	}
}

/* A new program starts with the defaults. */
static void check_exec_defaults(const void *arg)
{
	uint16_t cw, sw;
	uint32_t mxcsr;

	(void)arg;
	need_sse2();
	/* This process is a fork that never touched them. */
	__asm__ volatile("fnstcw %0\n\tfnstsw %1\n\tstmxcsr %2" : "=m"(cw), "=m"(sw), "=m"(mxcsr));
	CHECK(cw == CW_DEFAULT, "control word 0x%x", cw);
	CHECK((sw & 0x3800) == 0, "status word 0x%x", sw);
	CHECK((mxcsr & ~0x3fu) == MXCSR_DEFAULT, "mxcsr 0x%x", (unsigned)mxcsr);
}

/* Unmasked x87 exceptions are reported by the next waiting instruction. */
uint16_t fpu_unmasked = CW_DEFAULT & ~0x1f;	/* all but precision */
uint32_t fpu_mxcsr = MXCSR_DEFAULT & ~0x1f80;
double fpu_huge = 1e308;
SNIPPET(mf_divide, "fninit\n\tfldcw fpu_unmasked\n\tfld1\n\tfldz\n\tfdivrp %st, %st(1)", "fwait",
	"fninit");
SNIPPET(mf_invalid, "fninit\n\tfldcw fpu_unmasked\n\tfld1\n\tfchs\n\tfsqrt", "fwait", "fninit");
SNIPPET(mf_overflow,
	"fninit\n\tfldcw fpu_unmasked\n\tfldl fpu_huge\n\tfmul %st(0)\n\tfstpl -8(%esp)", "fwait",
	"fninit");
SNIPPET(mf_stack, "fninit\n\tfldcw fpu_unmasked\n\tfstp %st(0)", "fwait", "fninit");
SNIPPET(xm_divide,
	"ldmxcsr fpu_mxcsr\n\tmovl $1, %ecx\n\tcvtsi2sd %ecx, %xmm0\n\txorps %xmm1, %xmm1",
	"divsd %xmm1, %xmm0", "");
SNIPPET(xm_invalid, "ldmxcsr fpu_mxcsr\n\txorps %xmm0, %xmm0\n\txorps %xmm1, %xmm1",
	"divsd %xmm1, %xmm0", "");

static const struct fp_case {
	const char *name;
	const char *code, *at;
	int si_code;
	uint32_t trapno;
} fp_cases[] = {
	{ "x87 divide by 0", mf_divide, mf_divide_at, FPE_FLTDIV, 16 },
	{ "x87 invalid operation", mf_invalid, mf_invalid_at, FPE_FLTINV, 16 },
	{ "x87 overflow", mf_overflow, mf_overflow_at, FPE_FLTOVF, 16 },
	{ "x87 stack underflow", mf_stack, mf_stack_at, FPE_FLTINV, 16 },
	{ "SSE divide by 0", xm_divide, xm_divide_at, FPE_FLTDIV, 19 },
	{ "SSE invalid operation", xm_invalid, xm_invalid_at, FPE_FLTINV, 19 },
};

static void check_exception(const void *arg)
{
	const struct fp_case *c = arg;
	struct trap t;

	need_sse2();
	if (c->trapno == 19 && cpu_is_tcg())
		test_skip("QEMU's TCG raises no SSE exceptions");
	if (c->code == mf_stack && cpu_is_tcg())
		test_skip("QEMU's TCG does not check for x87 stack underflow");
	t = snippet_run(c->code, 0);
	CHECK(t.sig == SIGFPE, "signal %d, wanted SIGFPE", t.sig);
	CHECK(t.code == c->si_code, "si_code %d, wanted %d", t.code, c->si_code);
	CHECK(t.trapno == c->trapno, "trap number %u, wanted %u", t.trapno, c->trapno);
	CHECK(t.gregs[REG_EIP] == (uint32_t)(uintptr_t)c->at, "eip 0x%x, wanted 0x%x",
	      t.gregs[REG_EIP], (uint32_t)(uintptr_t)c->at);
}

void test_fpu(void)
{
	char name[96];

	run("FPU: defaults", check_exec_defaults, NULL);
	run("FPU: kept over system calls", check_syscalls, NULL);
	run("FPU: clean in a signal handler, restored after it", check_signal, NULL);
	run("FPU: seen and changed in the signal frame", check_edit, NULL);
	run("FPU: inherited by fork", check_fork, NULL);
	run("FPU: six processes", check_processes, NULL);
	run("FPU: six threads", check_threads, NULL);
	run("FPU: under timer signals", check_interrupts, NULL);
	for (unsigned i = 0; i < sizeof(fp_cases) / sizeof(fp_cases[0]); i++) {
		snprintf(name, sizeof(name), "FPU: %s", fp_cases[i].name);
		run(name, check_exception, &fp_cases[i]);
	}
}
