/* SPDX-License-Identifier: BSD-2-Clause */
/* Descriptors and the task state segment. */
#include "guest.h"

extern uint64_t gdt[GDT_ENTRIES];

/* The bitmap lies in the segment of the TSS, behind it. */
asm(".pushsection .bss; .balign 128; .globl tss, tss_iomap; tss: .skip 104; tss_iomap: .skip 161; "
    ".popsection");
_Static_assert(sizeof(struct tss) == 104 && TSS_PORTS / 8 == 160, "the sizes above");

void gdt_set(uint16_t sel, uint32_t base, uint32_t limit, uint16_t attr)
{
	uint32_t low = base << 16 | (limit & 0xffff);
	uint32_t high = (base & 0xff000000) | (uint32_t)(attr & 0xf000) << 8 | (limit & 0xf0000) |
			(uint32_t)(attr & 0xff) << 8 | (base >> 16 & 0xff);

	gdt[sel / 8] = (uint64_t)high << 32 | low;
}

void tss_init(void *stack)
{
	tss.ss0 = KERNEL_DS;
	tss.esp0 = (uint32_t)stack;
	tss.iomap = sizeof(tss);	/* no ports */
	gdt_set(TSS_SEL, (uint32_t)&tss, sizeof(tss) - 1, 0x89);
	asm volatile("ltr %w0" : : "r"(TSS_SEL));
}

void tss_allow_ports(void)
{
	tss_iomap[TSS_PORTS / 8] = 0xff;
	tss.iomap = (uint16_t)(tss_iomap - (uint8_t *)&tss);
	gdt_set(TSS_SEL, (uint32_t)&tss, tss.iomap + TSS_PORTS / 8, 0x89);
	asm volatile("ltr %w0" : : "r"(TSS_SEL));
}
