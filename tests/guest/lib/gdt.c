/* SPDX-License-Identifier: BSD-2-Clause */
/* Descriptors and the task state segment. */
#include "guest.h"

extern uint64_t gdt[GDT_ENTRIES];

struct tss tss;

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
	tss.iomap = sizeof(tss);
	gdt_set(TSS_SEL, (uint32_t)&tss, sizeof(tss) - 1, 0x89);
	asm volatile("ltr %w0" : : "r"(TSS_SEL));
}
