/* SPDX-License-Identifier: BSD-2-Clause */
/* User segments in the LDT: bases, other CPUs' worth of indices, the same index
 * in LDT and GDT, a change of LDT, and 16-bit code. */
#include "guest.h"

extern uint64_t gdt[GDT_ENTRIES];
static uint64_t ldt[2][16] __attribute__((aligned(8)));
uint32_t cell[4] = { 0xa0, 0xa1, 0xa2, 0xa3 };

USER_CODE(user_own, "movl cell, %eax");
USER_CODE(user_fs, "movl %fs:0, %eax; movl %gs:0, %ebx");
USER_CODE(user_load, "movl %ecx, %es; movl %es:0, %eax; movl %es, %ebx");

static void set(unsigned table, unsigned n, uint32_t base, uint32_t limit, uint16_t attr)
{
	uint64_t saved = gdt[GDT_ENTRIES - 1];

	gdt_set((GDT_ENTRIES - 1) * 8, base, limit, attr);
	ldt[table][n] = gdt[GDT_ENTRIES - 1];
	gdt[GDT_ENTRIES - 1] = saved;
}

static void load(unsigned table)
{
	gdt_set(SPARE_SEL, (uint32_t)ldt[table], sizeof(ldt[table]) - 1, 0x82);
	asm volatile("lldt %w0" : : "r"(SPARE_SEL));
}

static void run(const char *name, struct trap_frame f, const void *code)
{
	f.eip = (uint32_t)code;
	user_enter(&f);
	printf("%s: vector %u error %x eax %x ebx %x cs %x ds %x es %x fs %x gs %x ss %x\n", name,
	       f.vector, f.error, f.eax, f.ebx, f.cs, f.ds, f.es, f.fs, f.gs, f.ss);
}

int main(uint32_t magic, const void *info)
{
	struct trap_frame f = user_start(NULL);

	(void)magic, (void)info;
	trap_init();
	user_init();
	for (unsigned t = 0; t < 2; t++) {
		set(t, 2, 0, 0xfffff, 0xc0fb);				/* 0x17: code, as NetBSD */
		set(t, 3, 0, 0xfffff, 0xc0f3);				/* 0x1f: data */
		set(t, 9, (uint32_t)&cell[t + 1], 0xfffff, 0xc0f3);	/* 0x4f */
		set(t, 10, (uint32_t)&cell[3], 0xfff, 0x40f3);		/* 0x57 */
	}
	load(0);
	f.cs = 0x17;
	f.ds = f.es = f.ss = 0x1f;
	f.fs = f.gs = 0;
	run("all of the LDT", f, user_own);
	f.fs = 0x4f;
	f.gs = 0x57;
	run("bases", f, user_fs);
	load(1);
	run("another LDT", f, user_fs);
	f.ecx = 0x4f;
	run("loaded by user mode", f, user_load);
	f.ecx = 0x7f;
	run("empty entry", f, user_load);
	f.ecx = 0x87;
	run("beyond", f, user_load);
	/* Code from the GDT's entry 3, data from the LDT's entry 3, based. */
	set(1, 3, (uint32_t)&cell[2], 0xfffff, 0xc0f3);
	f = user_start(NULL);
	f.fs = 0x1f;
	f.gs = 0x4f;
	run("the same index in both tables", f, user_fs);
	asm volatile("lldt %w0" : : "r"(0));
	f = user_start(NULL);
	f.ecx = 0x4f;
	run("no LDT", f, user_load);
	return 0;
}
