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
		trace[steps++] = f->eip - base;
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
	for (unsigned i = 0; i < steps; i++)
		printf(" %d", trace[i]);
	printf("\n");
	steps = 0;
}

/* Offsets count from the popf that sets TF. */
#define STEP(name, code) \
	do { \
		asm volatile("movl $8f, %0; pushfl; orl $0x100, (%%esp)\n" \
			     "8: popfl\n\t" code "\n\tpushfl; andl $~0x100, (%%esp); popfl; nop" \
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
	STEP("nop", "nop; nop");
	STEP("pushf popf", "pushfl; popfl");
	STEP("cli sti", "cli; cli");
	STEP("sreg", "movl %%ds, %%eax; movl %%eax, %%es; pushl %%es; popl %%es");
	STEP("cr", "movl %%cr0, %%eax; movl %%eax, %%cr0; movl %%cr3, %%eax");
	STEP("port", "movl $0x3ff, %%edx; inb %%dx, %%al; nop");
	STEP("cpuid", "cpuid; sidt -16(%%esp); smsw %%ax");
	STEP("iret", "pushfl; pushl %%cs; pushl $1f; iretl; nop; 1: nop");
	STEP("far jump", "ljmp $8, $1f; nop; 1: nop");
	STEP("int", "int $0x42; nop; nop");
	asm volatile("pushfl; orl $0x100, (%%esp); popfl; int $0x42; pushfl; andl $~0x100, "
		     "(%%esp); popfl"
		     : "=c"(cleared)
		     :
		     : "memory", "cc");
	printf("int under TF: frame %x, handler %x\n", pushed, cleared);
	steps = 0;
	STEP("loop", "movl $3, %%ecx; 1: loop 1b");
	STEP("rep", "movl $2, %%ecx; leal -16(%%esp), %%edi; rep stosb; nop");
	trap_set(1, NULL);
	user_init();
	user("plain", user_plain);
	user("segment", user_segment);
	user("rep", user_rep);
	return 0;
}
