/* SPDX-License-Identifier: BSD-2-Clause */
/* A kernel that uses the FPU itself, in the lazy style: after clts, and in the
 * handler of #MF, the registers are those that user mode left there. */
#include "guest.h"

#define CR0_NE 0x20u

struct fsave {
	uint32_t fcw, fsw, ftw, fip, fcs, fdp, fds;
	uint8_t st[8][10];
} __attribute__((packed));

struct fsave area[2];
uint32_t user_word, user_xmm[4] __attribute__((aligned(16)));
static unsigned owner, current, switches;
static bool lazy_on;

USER_CODE(user_fill, "fninit; fldpi; movl $0x22222222, %eax; movd %eax, %xmm3; pshufd $0, %xmm3, %xmm3");
USER_CODE(user_take, "fistpl user_word; movups %xmm3, user_xmm");
USER_CODE(user_seven, "fninit; movl $7, user_word; fildl user_word");
USER_CODE(user_eight, "fninit; movl $8, user_word; fildl user_word");
USER_CODE(user_double, "fadd %st(0), %st(0)");
/* Divides by zero with that exception not masked; reported at fwait. */
USER_CODE(user_zero, "fninit; movl $0x37b, user_word; fldcw user_word; fldz; fld1; fdivp; fwait");

static void user(const void *code)
{
	struct trap_frame f = user_start(code);

	user_enter(&f);
	if (f.vector != 0x80)
		frame_print("unexpected", &f, code);
}

/* The #NM handler of a lazy kernel with two processes. */
static void nm(struct trap_frame *f)
{
	(void)f;
	if (!lazy_on)
		printf("unexpected #NM\n");
	asm volatile("clts");
	if (owner == current)
		return;
	asm volatile("fnsave %0; frstor %1" : "=m"(area[owner]) : "m"(area[current]) : "memory");
	owner = current;
	switches++;
}

static void run(unsigned process, const void *code)
{
	current = process;
	write_cr0(read_cr0() | CR0_TS);
	user(code);
}

static void mf(struct trap_frame *f)
{
	uint16_t status, control;

	asm volatile("fnstsw %0" : "=m"(status));
	asm volatile("fnstcw %0" : "=m"(control));
	asm volatile("fnclex");
	printf("#MF in %s: zero divide %u, control %x\n", f->cs & 3 ? "user mode" : "the kernel",
	       status >> 2 & 1, control);
	asm volatile("fnstsw %0" : "=m"(status));
	printf("cleared: %x\n", status & 0x80ff);
}

/* Masked here: the handler went through before the kernel comes back. */
static void after_mf(void)
{
	uint16_t status;

	asm volatile("fnstsw %0" : "=m"(status));
	/* Whether the division has popped the stack is the CPU's affair: QEMU's does. */
	printf("behind it: exceptions %x\n", status & 0xff);
}

int main(uint32_t magic, const void *info)
{
	uint32_t word, xmm[4];

	(void)magic, (void)info;
	trap_init();
	user_init();
	write_cr4(CR4_OSFXSR);
	write_cr0((read_cr0() & ~0x4u) | 0x2 | CR0_NE);		/* EM off, MP, NE */
	trap_set(7, nm);
	asm volatile("fninit");

	/* The kernel reads what user mode left, and leaves it something. */
	user(user_fill);
	write_cr0(read_cr0() | CR0_TS);
	asm volatile("clts; fistpl %0; movups %%xmm3, %1" : "=m"(word), "=m"(xmm));
	printf("after clts: %u %x\n", word, xmm[3]);
	word = 41;
	asm volatile("fildl %0; fld1; faddp" : : "m"(word));
	user(user_take);
	printf("user mode: %u %x\n", user_word, user_xmm[3]);
	/* The same by mov to cr0. */
	user(user_fill);
	write_cr0(read_cr0() | CR0_TS);
	write_cr0(read_cr0() & ~CR0_TS);
	asm volatile("fistpl %0" : "=m"(word));
	printf("after mov to cr0: %u\n", word);

	/* Two processes, switched lazily, with kernel code between that saves. */
	asm volatile("fninit; fnsave %0" : "=m"(area[0]));
	area[1] = area[0];
	asm volatile("frstor %0" : : "m"(area[0]));
	lazy_on = true;
	run(0, user_seven);
	run(1, user_eight);
	run(0, user_double);
	run(0, user_double);
	asm volatile("clts; fnsave %0; fldpi; fldpi; faddp; frstor %0" : "+m"(area[0]));
	run(1, user_double);
	run(0, user_take);
	printf("process 0: %u\n", user_word);
	run(1, user_take);
	printf("process 1: %u, %u switches\n", user_word, switches);

	/* An exception: the handler looks at the live registers. */
	trap_set(16, mf);
	asm volatile("clts");
	user(user_zero);
	after_mf();
	return 0;
}
