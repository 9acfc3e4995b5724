/* SPDX-License-Identifier: BSD-2-Clause */
/* iret to the same level, to user mode, and with frames that it has to refuse. */
#include "guest.h"

#define STATUS 0x8d5u

/* iret within kernel mode, eflags chosen; returns eflags behind it. */
static uint32_t same_level(uint32_t eflags)
{
	uint32_t r;

	asm volatile("pushl %1; pushl %%cs; pushl $1f; iretl\n"
		     "1: pushfl; popl %0; pushl $2; popfl"
		     : "=r"(r)
		     : "r"(eflags)
		     : "cc", "memory");
	return r & ~STATUS;
}

static uint32_t same_level16(uint32_t eflags)
{
	uint32_t r;

	/* A 16-bit eip reaches only the first 64 KiB: a copy of a ret is there. */
	memcpy((void *)0x8000, "\xc3", 1);
	asm volatile(
		"pushl $0x200002; popfl; pushl $1f; pushw %w1; pushw %%cs; pushw $0x8000; iretw\n"
		"1: pushfl; popl %0; pushl $2; popfl"
		: "=r"(r)
		: "r"(eflags)
		: "cc", "memory");
	return r & ~STATUS;
}

USER_CODE(user_nothing, "nop");
USER_CODE(user_segments, "movw %ds, %ax; movw %es, %bx; movw %fs, %cx; movw %gs, %dx");

uint32_t frame[5];		/* eip cs eflags esp ss */

/* An iret to user mode that is refused: the fault is the kernel's, on its stack. */
static void try_frame(const char *name, uint32_t cs, uint32_t ss)
{
	struct trap_frame f = user_start(user_nothing);

	memcpy(frame, (uint32_t[]){ f.eip, cs, f.eflags, f.esp, ss }, sizeof(frame));
	TRY("movl $5, %%ecx; 1: pushl frame - 4(, %%ecx, 4); loop 1b; iretl");
	printf("%s: vector %u error %x cs %x\n", name, caught.vector, caught.error, caught.cs);
}

static void bad_frames(void)
{
	/* Each is refused, so nothing ever runs in user mode here. */
	try_frame("cs null", 0, USER_DS);
	try_frame("cs null, RPL 3", 3, USER_DS);
	try_frame("cs beyond the GDT", 0x1003, USER_DS);
	try_frame("cs is data", USER_DS, USER_DS);
	try_frame("cs DPL 0, RPL 3", KERNEL_CS | 3, USER_DS);
	try_frame("cs DPL 3, RPL 0", USER_CS & ~3, USER_DS);
	try_frame("cs is the TSS", TSS_SEL | 3, USER_DS);
	try_frame("ss null", USER_CS, 0);
	try_frame("ss RPL 0", USER_CS, USER_DS & ~3);
	try_frame("ss DPL 0", USER_CS, KERNEL_DS | 3);
	try_frame("ss is code", USER_CS, USER_CS);
	try_frame("ss beyond the GDT", USER_CS, 0x1003);
	gdt_set(SPARE_SEL, 0, 0xfffff, 0xc07b);
	gdt_set(SPARE_SEL + 16, 0, 0xfffff, 0xc0f1);
	try_frame("cs not present", SPARE_SEL | 3, USER_DS);
	try_frame("ss read-only", USER_CS, (SPARE_SEL + 16) | 3);
}

static void to_user(uint32_t eflags)
{
	struct trap_frame f = user_start(user_nothing);

	f.eflags = eflags | 2;
	user_enter(&f);
	printf("user eflags %06x: cs %x ss %x eflags %06x\n", eflags, f.cs, f.ss,
	       f.eflags & ~STATUS);
}

/* Data segments of the kernel do not go along; null ones and user ones do. */
static void segments(void)
{
	struct trap_frame f = user_start(user_segments);

	f.es = KERNEL_DS;
	f.fs = 0;
	f.gs = KERNEL_CS;
	user_enter(&f);
	printf("user es %x fs %x gs %x\n", f.es, f.fs, f.gs);
}

int main(uint32_t magic, const void *info)
{
	static const uint32_t eflags[] = { 2, 0x202, 0x402, 0x3002, 0x40002, 0x200002, 0x203602 };

	(void)magic, (void)info;
	trap_init();
	user_init();
	for (size_t i = 0; i < sizeof(eflags) / sizeof(*eflags); i++)
		printf("same level %06x: %06x, 16 bits: %06x\n", eflags[i], same_level(eflags[i]),
		       same_level16(eflags[i]));
	/* LilyVM cannot set ID in user mode; user mode itself can. */
	for (size_t i = 0; i < sizeof(eflags) / sizeof(*eflags); i++)
		to_user(eflags[i] & ~0x200000u);
	segments();
	bad_frames();
	return 0;
}
