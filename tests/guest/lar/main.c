/* SPDX-License-Identifier: BSD-2-Clause */
/* lar, lsl, verr and verw over descriptors of every type. */
#include "guest.h"

#define ROW (SPARE_SEL + 8)

struct answer { uint32_t lar, lsl; unsigned lar_ok, lsl_ok, verr, verw; };

static struct answer ask(uint32_t sel)
{
	struct answer a = { .lar = 0xdeadbeef, .lsl = 0xdeadbeef };

	asm volatile("larl %2, %0; setz %b1" : "+r"(a.lar), "=q"(a.lar_ok) : "r"(sel) : "cc");
	asm volatile("lsll %2, %0; setz %b1" : "+r"(a.lsl), "=q"(a.lsl_ok) : "r"(sel) : "cc");
	asm volatile("verr %w1; setz %b0" : "=q"(a.verr) : "r"(sel) : "cc");
	asm volatile("verw %w1; setz %b0" : "=q"(a.verw) : "r"(sel) : "cc");
	/* Bits 16-19 are undefined (SDM 2, LAR). */
	if (a.lar_ok & 1)
		a.lar &= ~0xf0000u;
	return a;
}

static void show(const char *name, uint32_t attr, uint32_t sel)
{
	struct answer a = ask(sel);

	printf("%s %04x RPL %u: lar %u %08x lsl %u %08x verr %u verw %u\n", name, attr, sel & 3,
	       a.lar_ok & 1, a.lar, a.lsl_ok & 1, a.lsl, a.verr & 1, a.verw & 1);
}

int main(uint32_t magic, const void *info)
{
	uint32_t wide = 0xaaaaaaaa, narrow = 0xaaaaaaaa;

	(void)magic, (void)info;
	trap_init();
	try_init();
	show("null", 0, 0);
	show("beyond the GDT", 0, GDT_ENTRIES * 8);
	for (unsigned type = 0; type < 32; type++) {
		gdt_set(ROW, 0, 0x12345, 0x4080 | type);
		show(type & 16 ? "segment" : "system", type, ROW);
	}
	for (unsigned dpl = 0; dpl < 4; dpl += 3) {
		gdt_set(ROW, 0, 0x12345, 0xc093 | dpl << 5);
		show("data, DPL", dpl, ROW);
		show("data, DPL", dpl, ROW | 3);
		gdt_set(ROW, 0, 0x12345, 0xc09f | dpl << 5);
		show("conforming, DPL", dpl, ROW | 3);
	}
	gdt_set(ROW, 0, 0x12345, 0xc013);
	show("absent", 0xc013, ROW);
	gdt_set(ROW, 0, 0x12345, 0xd093);
	asm volatile("larw %w1, %w0" : "+r"(narrow) : "r"(ROW));
	asm volatile("lslw %w1, %w0" : "+r"(wide) : "r"(ROW));
	printf("16 bits: lar %08x lsl %08x\n", narrow, wide);
	return 0;
}
