/* SPDX-License-Identifier: BSD-2-Clause */
/* pushf and popf in kernel mode and in user mode: which bits can change. */
#include "guest.h"

#define IF (1 << 9)
#define STATUS 0x8d5u		/* CF PF AF ZF SF OF */

struct flag { const char *name; uint32_t bit; };
static const struct flag flags[] = {
	{ "IF", IF }, { "DF", 1 << 10 }, { "IOPL", 3 << 12 }, { "NT", 1 << 14 },
	{ "RF", 1 << 16 }, { "VM", 1 << 17 }, { "AC", 1 << 18 }, { "VIP", 1 << 20 },
	{ "ID", 1 << 21 }, { "bit 1", 1 << 1 }, { "bit 3", 1 << 3 }, { "bit 15", 1 << 15 },
};

static uint32_t kernel_popf(uint32_t v)
{
	uint32_t r;

	asm volatile("pushl %1; popfl; pushfl; popl %0; pushl $2; popfl" : "=r"(r) : "r"(v) : "cc");
	return r & ~STATUS;
}

static uint32_t kernel_popf16(uint32_t v)
{
	uint32_t r;

	/* The upper half of eflags stays: it is shown beside the result. */
	asm volatile("pushl $0x200002; popfl; pushw %w1; popfw; pushfl; popl %0; pushl $2; popfl"
		     : "=r"(r) : "r"(v) : "cc");
	return r & ~STATUS;
}

/* The 16 bits that pushfw stores, above a mark that has to stay. */
static uint32_t kernel_pushf16(uint32_t v)
{
	uint32_t r;

	asm volatile("pushl %1; popfl; pushw $0x5a5a; pushfw; popl %0; pushl $2; popfl"
		     : "=r"(r) : "r"(v) : "cc");
	return r & ~STATUS;
}

USER_CODE(user_popf, "pushl %eax; popfl; pushfl; popl %eax");
USER_CODE(user_popf16, "pushl $0x200002; popfl; pushw %ax; popfw; pushfl; popl %eax");

/* What user mode sees, and what the frame of its trap shows. */
static void user_row(const struct flag *fl, uint32_t iopl)
{
	struct trap_frame f = user_start(user_popf), g = user_start(user_popf16);

	f.eflags |= iopl;
	g.eflags |= iopl;
	f.eax = g.eax = fl->bit | 2;
	user_enter(&f);
	user_enter(&g);
	printf("user IOPL %u popf %s: frame %06x, popfw: frame %06x\n", iopl >> 12, fl->name,
	       f.eflags & ~STATUS, g.eflags & ~STATUS);
	/* LilyVM cannot hide the host's IF and IOPL from user mode. */
	printf("  pushf %06x, %06x\n", f.eax & ~(STATUS | IF | 0x3000),
	       g.eax & ~(STATUS | IF | 0x3000));
}

int main(uint32_t magic, const void *info)
{
	(void)magic, (void)info;
	trap_init();
	user_init();
	for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++)
		printf("popf %s: %06x, popfw %06x, pushfw %08x\n", flags[i].name,
		       kernel_popf(flags[i].bit | 2), kernel_popf16(flags[i].bit | 2),
		       kernel_pushf16(flags[i].bit | 2));
	for (size_t i = 0; i < 9; i++) {
		if (flags[i].bit == 1 << 14)
			continue;	/* NT would change the next iret */
		user_row(&flags[i], 0);
		if (flags[i].bit != IF)
			user_row(&flags[i], 0x3000);
	}
	return 0;
}
