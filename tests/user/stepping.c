/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TF: the processor traps after each instruction that began with TF set
 * (SDM 3, 17.3.1.4).  The handler records where each trap stands.
 */
#define _GNU_SOURCE
#include "harness.h"
#include "trap.h"

#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <ucontext.h>
#include <unistd.h>

#define STEP_ON "pushfl\n\torl $0x100, (%esp)\n\tpopfl\n"
#define STEP_OFF "pushfl\n\tandl $~0x100, (%esp)\n\tpopfl\n"

/* The traced sequences carry labels, by which the cases tell where traps are due. */
SNIPPET(step_plain, STEP_ON "sp0: movl $1, %eax\nsp1: addl $2, %eax\nsp2: leal 4(%eax), %ecx\n",
	"nop", "sp4: " STEP_OFF "sp5: nop");
SNIPPET(step_stack, STEP_ON "ss0: pushl %eax\nss1: popl %ecx\nss2: call 1f\nss3: jmp 2f\n1:", "ret",
	"2: " STEP_OFF);
SNIPPET(step_pushf, STEP_ON "sf0: pushfl\nsf1: popl %eax\nsf2: movl %eax, step_flags\n", "pushfl",
	"sf4: popfl\nsf5: nop\nsf6: " STEP_OFF);
SNIPPET(step_movss, STEP_ON "sm0: movl %ss, %eax\nsm1: movl %eax, %ss\nsm2: nop\nsm3: pushl %ss\n"
	"sm4: popl %ss\nsm5: nop\n", "nop", STEP_OFF);
SNIPPET(step_rep, "leal -16(%esp), %edi\n\tmovl $3, %ecx\n\tcld\n" STEP_ON "sr0: nop\n",
	"rep stosb", STEP_OFF);
SNIPPET(step_int80, "movl $20, %eax\n" STEP_ON "si0: nop\n", "int $0x80",
	"si2: nop\nsi3: movl %eax, step_pid\n" STEP_OFF);
SNIPPET(step_cpuid, "pushl %ebx\n\txorl %eax, %eax\n" STEP_ON "sc0: nop\n", "cpuid",
	"sc2: rdtsc\nsc3: nop\nsc4: " STEP_OFF "popl %ebx");
SNIPPET(step_sreg,
	STEP_ON "sg0: pushl %ds\nsg1: popl %es\nsg2: movl %gs, %eax\nsg3: movl %eax, %gs\n", "nop",
	STEP_OFF);
SNIPPET(step_vdso, "movl $20, %eax\n" STEP_ON "sv0: nop\n", "call *step_entry",
	"sv2: movl %eax, step_pid\n" STEP_OFF);

SNIPPET(step_many, STEP_ON, "nop", "nop\n\tnop\n\tnop");

uint32_t step_flags, step_pid, step_entry;

#define MAX_STEPS 4096

static struct {
	unsigned n;
	uint32_t eip[MAX_STEPS];
	int bad_code;
} steps;

static void on_step(int sig, siginfo_t *info, void *context)
{
	const ucontext_t *uc = context;

	(void)sig;
	if (info->si_code != TRAP_TRACE)
		steps.bad_code = info->si_code;
	if (steps.n < MAX_STEPS)
		steps.eip[steps.n++] = (uint32_t)uc->uc_mcontext.gregs[REG_EIP];
}

static void call_traced(const char *code)
{
	struct sigaction sa = { .sa_sigaction = on_step, .sa_flags = SA_SIGINFO };

	SYS(sigaction(SIGTRAP, &sa, NULL));
	memset(&steps, 0, sizeof(steps));
	__asm__ volatile("pushal\n\tcall *%0\n\tpopal" : : "d"(code) : "memory", "cc");
	CHECK(!steps.bad_code, "si_code %d, wanted TRAP_TRACE", steps.bad_code);
	CHECK(steps.n < MAX_STEPS, "stepping does not end");
}

struct step_case {
	const char *name;
	const char *code;
	const char *const *labels;	/* where the traps are due, up to NULL */
};

#define LABELS(...) (const char *const[]){ __VA_ARGS__, NULL }
extern const char sp0[], sp1[], sp2[], sp4[], sp5[], ss0[], ss1[], ss2[], ss3[], sf0[], sf1[],
	sf2[], sf4[], sf5[], sf6[], sm0[], sm1[], sm2[], sm3[], sm4[], sm5[], sr0[], si0[], si2[],
	si3[], sc0[], sc2[], sc3[], sc4[], sg0[], sg1[], sg2[], sg3[], sv0[], sv2[];

/*
 * After popf has set TF the first trap follows the next instruction.  The
 * three traps of STEP_OFF (pushf, andl, popf) are not listed but counted.
 * Loads of SS inhibit the trap after them.  int $0x80 clears TF on entry and
 * iret sets it again, so that the trap after it is lost.
 */
static const struct step_case cases[] = {
	{ "plain instructions", step_plain, LABELS(sp1, sp2, step_plain_at, sp4) },
	{ "push, pop, call, ret, jmp", step_stack,
	  LABELS(ss1, ss2, step_stack_at, ss3, step_stack_next) },
	{ "pushf and popf", step_pushf, LABELS(sf1, sf2, step_pushf_at, sf4, sf5, sf6) },
	{ "mov ss and pop ss", step_movss, LABELS(sm1, sm3, sm4, step_movss_at, step_movss_next) },
	{ "rep stos", step_rep, LABELS(step_rep_at, step_rep_at, step_rep_at, step_rep_next) },
	{ "int $0x80", step_int80, LABELS(step_int80_at, si3, step_int80_next + 6) },
	{ "cpuid and rdtsc", step_cpuid, LABELS(step_cpuid_at, sc2, sc3, sc4) },
	{ "segment registers", step_sreg, LABELS(sg1, sg2, sg3, step_sreg_at, step_sreg_next) },
};

static void check_step(const void *arg)
{
	const struct step_case *c = arg;
	unsigned n;

	call_traced(c->code);
	for (n = 0; c->labels[n]; n++) {
		uint32_t want = (uint32_t)(uintptr_t)c->labels[n];

		CHECK(n < steps.n, "%u traps, wanted more", steps.n);
		CHECK(steps.eip[n] == want, "trap %u at 0x%x, wanted 0x%x", n, steps.eip[n], want);
	}
	CHECK(steps.n == n + 3, "%u traps, wanted %u", steps.n, n + 3);
	if (c->code == step_pushf)
		CHECK(step_flags & 0x100, "pushf under TF shows flags 0x%x", step_flags);
}

/* Through the vdso the count depends on the kernel; what must hold: the call
 * works, every trap stands on an instruction, TF survives the system call. */
static void check_vdso(const void *arg)
{
	(void)arg;
	step_entry = (uint32_t)getauxval(AT_SYSINFO);
	if (!step_entry)
		test_skip("the kernel gives no AT_SYSINFO");
	call_traced(step_vdso);
	CHECK(steps.n > 5, "%u traps", steps.n);
	CHECK(steps.eip[0] == (uint32_t)(uintptr_t)step_vdso_at, "first trap at 0x%x",
	      steps.eip[0]);
	CHECK(steps.eip[1] == step_entry, "second trap at 0x%x, wanted 0x%x", steps.eip[1],
	      step_entry);
	for (unsigned i = 2; i < steps.n - 5; i++)
		CHECK(steps.eip[i] - (step_entry & ~0xfffu) < 0x1000, "trap %u at 0x%x", i,
		      steps.eip[i]);
	CHECK(steps.eip[steps.n - 5] == (uint32_t)(uintptr_t)sv2, "trap at 0x%x, wanted 0x%x",
	      steps.eip[steps.n - 5], (uint32_t)(uintptr_t)sv2);
	CHECK(step_pid == (uint32_t)getpid(), "getpid gave %u", step_pid);
}

/* The handler itself runs without TF. */
static void on_trap_flags(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	uint32_t flags;

	(void)sig;
	(void)info;
	__asm__ volatile("pushfl\n\tpopl %0" : "=r"(flags));
	step_flags = flags;
	uc->uc_mcontext.gregs[REG_EFL] &= ~0x100;
	steps.n++;
}

static void check_handler(const void *arg)
{
	struct sigaction sa = { .sa_sigaction = on_trap_flags, .sa_flags = SA_SIGINFO };

	(void)arg;
	SYS(sigaction(SIGTRAP, &sa, NULL));
	steps.n = 0;
	__asm__ volatile("pushal\n\tcall step_many\n\tpopal" : : : "memory", "cc");
	CHECK(steps.n == 1, "%u traps after the handler cleared TF, wanted 1", steps.n);
	CHECK(!(step_flags & 0x100), "TF in the handler: 0x%x", step_flags);
}

void test_stepping(void)
{
	char name[96];

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(name, sizeof(name), "TF: %s", cases[i].name);
		run(name, check_step, &cases[i]);
	}
	run("TF: a system call by the vdso", check_vdso, NULL);
	run("TF: cleared in a handler and by it", check_handler, NULL);
}
