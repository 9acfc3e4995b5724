/* SPDX-License-Identifier: BSD-2-Clause */
/* Far jumps, calls and returns within kernel mode. */
#include "guest.h"

#define CODE2 SPARE_SEL			/* another code segment, base 0 */
#define CONFORMING (SPARE_SEL + 8)
#define ABSENT (SPARE_SEL + 16)
#define DPL3 (SPARE_SEL + 24)
#define BASED (SPARE_SEL + 32)		/* base 0x100000: offsets begin at our text */

uint32_t far_pointer[2], seen_cs, seen_esp;

static void transfers(void)
{
	uint32_t cs, moved;

	asm volatile("ljmp $0x30, $1f\n1: movl %%cs, %0; ljmp $0x08, $1f\n1:" : "=r"(cs));
	printf("ljmp: cs %x\n", cs);
	asm volatile("movl $1f, far_pointer; movl $0x30, far_pointer + 4; ljmp *far_pointer\n"
		     "1: movl %%cs, %0; ljmp $0x08, $1f\n1:" : "=r"(cs) : : "memory");
	printf("ljmp memory: cs %x\n", cs);
	asm volatile("ljmp $0x38, $1f\n1: movl %%cs, %0; ljmp $0x08, $1f\n1:" : "=r"(cs));
	printf("ljmp conforming: cs %x\n", cs);
	asm volatile("movl %%esp, %%esi; jmp 2f\n"
		     "1: movl %%cs, %0; lretl\n"
		     "2: lcall $0x30, $1b; subl %%esp, %%esi; movl %%esi, %1"
		     : "=&r"(cs), "=r"(moved) : : "esi", "memory");
	printf("lcall: cs %x esp moved by %u\n", cs, moved);
	asm volatile(
		"movl %%esp, %%esi; movl $1f, far_pointer; movl $0x30, far_pointer + 4; jmp 2f\n"
		"1: movl %%cs, %0; lretl $8\n"
		"2: pushl $1; pushl $2; lcall *far_pointer; subl %%esp, %%esi; movl %%esi, %1"
		: "=&r"(cs), "=r"(moved)
		:
		: "esi", "memory");
	printf("lcall memory, lret $8: cs %x esp moved by %u\n", cs, moved);
	asm volatile("pushl $0x30; pushl $1f; lretl\n1: movl %%cs, %0; ljmp $0x08, $1f\n1:"
		     : "=r"(cs)
		     :
		     : "memory");
	printf("lret: cs %x\n", cs);
	/* What a call pushes: 32 bits of cs, its upper half without meaning. */
	asm volatile("jmp 2f\n1: movl 4(%%esp), %0; lretl\n2: lcall $0x30, $1b"
		     : "=r"(cs)
		     :
		     : "memory");
	printf("pushed cs %x\n", cs & 0xffff);
}

/* The same code through a code segment with a base. */
static void based(void)
{
	uint32_t cs, v;

	asm volatile(
		"pushl $0x50; pushl $1f - 0x100000; lretl\n"
		"1: movl %%cs, %0; call 2f\n2: popl %1; pushfl; popl %%edx; ljmp $0x08, $3f\n3:"
		: "=r"(cs), "=r"(v)
		:
		: "edx", "memory", "cc");
	printf("based: cs %x return address %s\n", cs,
	       v < 0x100000 ? "an offset" : "not an offset");
}

static void refused(void)
{
	TRY("ljmp $0, $9f"); try_print("null");
	TRY("ljmp $0x40, $9f"); try_print("absent");
	TRY("ljmp $0x48, $9f"); try_print("DPL 3");
	TRY("ljmp $0x33, $9f"); try_print("RPL 3");
	TRY("ljmp $0x3b, $9f"); try_print("conforming, RPL 3");
	TRY("lcall $0x1000, $9f"); try_print("lcall beyond the GDT");
	TRY("lcall $0x10, $9f"); try_print("lcall to data");
	TRY("pushl $0; pushl $9f; lretl"); try_print("lret to null");
	TRY("pushl $0x40; pushl $9f; lretl"); try_print("lret to absent");
	TRY("pushl $0x10; pushl $9f; lretl"); try_print("lret to data");
	TRY(".byte 0xff, 0xe8"); try_print("ljmp of a register");
}

int main(uint32_t magic, const void *info)
{
	(void)magic, (void)info;
	trap_init();
	try_init();
	gdt_set(CODE2, 0, 0xfffff, 0xc09b);
	gdt_set(CONFORMING, 0, 0xfffff, 0xc09f);
	gdt_set(ABSENT, 0, 0xfffff, 0xc01b);
	gdt_set(DPL3, 0, 0xfffff, 0xc0fb);
	gdt_set(BASED, 0x100000, 0xfffff, 0xc09b);
	transfers();
	based();
	refused();
	return 0;
}
