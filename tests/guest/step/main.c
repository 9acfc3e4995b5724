/* SPDX-License-Identifier: BSD-2-Clause */
/* TF: the places of #DB over plain and sensitive instructions, in kernel mode
 * and in user mode; int n and pushf under TF. */
#include "guest.h"

#define TF 0x100u

static uint32_t base, trace[32];
static unsigned steps;
static uint32_t pushed;

static void step(struct trap_frame *f)
{
	if (steps < 32)
		trace[steps++] = f->eip;
}

/* In the handler TF is clear; the frame has it. */
static void soft(struct trap_frame *f)
{
	pushed = f->eflags & TF;
	f->ecx = read_eflags() & TF;
}

static void show(const char *name)
{
	printf("%s:", name);
	for (unsigned i = 0; i < steps; i++) {
		printf(" ");
		place_print(base, trace[i]);
	}
	printf("\n");
	steps = 0;
}

/* Places count from the popf that sets TF. */
#define STEP(name, code) \
	do { \
		asm volatile("movl $8f, %0; pushfl; orl $0x100, (%%esp)\n" \
			     "8: popfl" AT code AT "pushfl" AT "andl $~0x100, (%%esp)" AT "popfl" AT "nop" \
			     : "=m"(base) \
			     : \
			     : "eax", "ecx", "edx", "ebx", "esi", "edi", "memory", "cc"); \
		show(name); \
	} while (0)

USER_CODE(user_plain, "nop; movl $2, %ecx; 1: loop 1b; pushfl; popl %eax; cpuid; nop");
USER_CODE(user_segment, "movl %ds, %eax; movl %eax, %es; nop");
USER_CODE(user_rep, "movl $3, %ecx; movl %esp, %edi; subl $16, %edi; rep stosb; nop");

/* Steps user code until its int $0x80 or 12 steps. */
static void user(const char *name, const void *code)
{
	struct trap_frame f = user_start(code);

	f.eflags |= TF;
	printf("user %s:", name);
	for (unsigned n = 0; n < 12; n++) {
		user_enter(&f);
		if (f.vector != 1)
			break;
		printf(" %d", f.eip - (uint32_t)code);
	}
	printf(" vector %u TF %x\n", f.vector, f.eflags & TF);
}

int main(uint32_t magic, const void *info)
{
	uint32_t cleared = 1;

	(void)magic, (void)info;
	trap_init();
	user_init();
	trap_set(1, step);
	trap_set(0x42, soft);
	STEP("nop", "nop" AT "nop");
	STEP("pushf popf", "pushfl" AT "popfl");
	STEP("cli sti", "cli" AT "cli");
	STEP("sreg", "movl %%ds, %%eax" AT "movl %%eax, %%es" AT "pushl %%es" AT "popl %%es");
	STEP("cr", "movl %%cr0, %%eax" AT "movl %%eax, %%cr0" AT "movl %%cr3, %%eax");
	STEP("port", "movl $0x3ff, %%edx" AT "inb %%dx, %%al" AT "nop");
	STEP("cpuid", "cpuid" AT "sidt -16(%%esp)" AT "smsw %%ax");
	STEP("iret", "pushfl" AT "pushl %%cs" AT "pushl $1f" AT "iretl; nop; 1:" AT "nop");
	STEP("far jump", "ljmp $8, $1f; nop; 1:" AT "nop");
	STEP("int", "int $0x42" AT "nop" AT "nop");
	asm volatile("pushfl; orl $0x100, (%%esp); popfl; int $0x42; pushfl; andl $~0x100, "
		     "(%%esp); popfl"
		     : "=c"(cleared)
		     :
		     : "memory", "cc");
	printf("int under TF: frame %x, handler %x\n", pushed, cleared);
	steps = 0;
	STEP("loop", "movl $3, %%ecx" AT "1: loop 1b");
	STEP("rep", "movl $2, %%ecx" AT "leal -16(%%esp), %%edi" AT "rep stosb" AT "nop");
	trap_set(1, NULL);
	user_init();
	user("plain", user_plain);
	user("segment", user_segment);
	user("rep", user_rep);
	return 0;
}
