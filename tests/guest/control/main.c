/* SPDX-License-Identifier: BSD-2-Clause */
/* Control and debug registers, smsw, lmsw, clts; all privileged in user mode. */
#include "guest.h"

#define CR0_BITS 0x8001003fu	/* PG WP NE ET TS EM MP PE */

static uint32_t smsw(void)
{
	uint32_t v;

	asm volatile("smsw %0" : "=r"(v));
	return v;
}

static void msw(void)
{
	uint16_t mem = 0;

	asm volatile("smsw %0" : "=m"(mem));
	printf("smsw: register %s, memory %s\n",
	       (smsw() & 0xffff) == (read_cr0() & 0xffff) ? "is cr0" : "differs",
	       mem == (uint16_t)read_cr0() ? "is cr0" : "differs");
	asm volatile("lmsw %w0" : : "r"(0xffff));
	printf("lmsw ffff: cr0 %x\n", read_cr0() & 0xf);
	asm volatile("lmsw %w0" : : "r"(0));
	printf("lmsw 0: cr0 %x (PE stays)\n", read_cr0() & 0xf);
	write_cr0(read_cr0() | CR0_TS);
	printf("TS set: %x, ", read_cr0() & CR0_TS);
	asm volatile("clts");
	printf("after clts: %x\n", read_cr0() & CR0_TS);
}

static void registers(void)
{
	write_cr0(read_cr0() | CR0_WP | 0x22);
	printf("cr0 %x\n", read_cr0() & CR0_BITS);
	write_cr2(0x12345678);
	printf("cr2 %x\n", read_cr2());
	write_cr3(0x345000);
	printf("cr3 %x\n", read_cr3());
	write_cr4(CR4_PSE | CR4_PGE);
	printf("cr4 %x\n", read_cr4());
	write_cr4(0);
	TRY(".byte 0x0f, 0x20, 0xc8"); try_print("cr1");
	TRY(".byte 0x0f, 0x20, 0xe8"); try_print("cr5");
	/* mod is ignored: always registers */
	asm volatile(
		"movl $0x4321, %%eax; movl %%eax, %%cr2; xorl %%ecx, %%ecx; .byte 0x0f, 0x20, 0x11"
		:
		:
		: "eax", "ecx");
	asm volatile("movl %%cr2, %%eax; cmpl $0x4321, %%eax; je 1f; ud2; 1:" : : : "eax", "cc");
	printf("mov with mod 0: no memory access\n");
}

#define DR(n, v) \
	({ \
		uint32_t r; \
		asm volatile("movl %1, %%dr" #n "; movl %%dr" #n ", %0" : "=r"(r) : "r"(v)); \
		r; \
	})

static void debug(void)
{
	printf("dr0-3: %x %x %x %x\n", DR(0, 0x1000), DR(1, 0x2001), DR(2, 0xffffffff), DR(3, 0));
	printf("dr6 %08x %08x\n", DR(6, 0), DR(6, 0xe00f));
	printf("dr7 %08x %08x\n", DR(7, 0), DR(7, 0x300));
	asm volatile("movl %0, %%dr7; movl %0, %%dr6" : : "r"(0));
	TRY("movl %%dr4, %%eax"); try_print("dr4 without DE");
	write_cr4(8);
	TRY("movl %%dr4, %%eax"); try_print("dr4 with DE");
	write_cr4(0);
}

#define PRIVILEGED(X) \
	X(cr0, "movl %cr0, %eax") \
	X(to_cr0, "movl %eax, %cr0") \
	X(cr3, "movl %cr3, %eax") \
	X(dr0, "movl %dr0, %eax") \
	X(to_dr7, "movl %eax, %dr7") \
	X(clts, "clts") \
	X(lmsw, "lmsw %ax") \
	X(lgdt, "lgdt (%esp)") \
	X(lidt, "lidt (%esp)") \
	X(lldt, "lldt %ax") \
	X(ltr, "ltr %ax") \
	X(invlpg, "invlpg (%esp)") \
	X(wbinvd, "wbinvd") \
	X(invd, "invd") \
	X(hlt, "hlt") \
	X(cli, "cli") \
	X(sti, "sti") \
	X(rdmsr, "rdmsr") \
	X(wrmsr, "wrmsr") \
	X(in, "inb %dx, %al") \
	X(out, "outb %al, %dx") \
	X(insb, "insb") \
	X(outsb, "rep outsb") \
	X(sysexit, "sysexit")
#define CODE(name, code) USER_CODE(user_##name, code);
PRIVILEGED(CODE)

int main(uint32_t magic, const void *info)
{
	(void)magic, (void)info;
	trap_init();
	user_init();
	msw();
	registers();
	debug();
#define SHOW(name, code) user_print(code, user_##name);
	PRIVILEGED(SHOW)
	return 0;
}
