/* SPDX-License-Identifier: BSD-2-Clause */
/* Descriptor tables and the task register: lgdt lidt lldt ltr, and back. */
#include "guest.h"

struct table { uint16_t limit; uint32_t base; } __attribute__((packed));
extern uint64_t gdt[GDT_ENTRIES];
static uint64_t gdt2[GDT_ENTRIES] __attribute__((aligned(8)));
static uint64_t ldt[4] __attribute__((aligned(8)));
uint32_t sel;

#define STORE(insn) \
	({ \
		uint32_t stored_ = 0x55555555; \
		asm volatile(insn " %0" : "=m"(stored_)); \
		stored_; \
	})

static void gdt_and_idt(void)
{
	struct table g, i, t;

	asm volatile("sgdt %0; sidt %1" : "=m"(g), "=m"(i));
	printf("gdt %s limit %x, idt limit %x\n", g.base == (uint32_t)gdt ? "right" : "wrong",
	       g.limit, i.limit);
	gdt_set(SPARE_SEL, 0, 0xfffff, 0xc093);
	memcpy(gdt2, gdt, sizeof(gdt));
	t = (struct table){ sizeof(gdt2) - 1, (uint32_t)gdt2 };
	asm volatile("lgdt %1; sgdt %0" : "=m"(g) : "m"(t));
	printf("gdt2 %s\n", g.base == (uint32_t)gdt2 ? "right" : "wrong");
	/* The hidden parts stay until a register is loaded: empty gdt2's entry. */
	asm volatile("movl %0, %%fs" : : "r"(SPARE_SEL));
	gdt2[SPARE_SEL / 8] = 0;
	TRY("movl %%fs:0x1000, %%eax"); try_print("fs from the old table");
	TRY("movl $0x30, %%eax; movl %%eax, %%fs"); try_print("fs from the new table");
	t = (struct table){ sizeof(gdt) - 1, (uint32_t)gdt };
	asm volatile("lgdt %0" : : "m"(t));
	/* 16-bit operand: the base has 24 bits. */
	t.base = 0x12345678;
	asm volatile("sidt %0; data16 lidt %2; sidt %1; lidt %0" : "=m"(i), "=m"(g) : "m"(t));
	printf("lidtw: base %08x\n", g.base);
	TRY(".byte 0x0f, 0x01, 0xd0"); printf("lgdt of a register: vector %u\n", caught.vector);
}

static void local(void)
{
	uint32_t v;

	gdt_set(SPARE_SEL, (uint32_t)ldt, sizeof(ldt) - 1, 0x82);
	gdt_set(SPARE_SEL + 8, (uint32_t)ldt, sizeof(ldt) - 1, 0x02);
	gdt_set(SPARE_SEL + 16, 0, 0xfffff, 0xc093);
	ldt[1] = gdt[KERNEL_DS / 8] | 0x1000 << 16;		/* base 0x1000 */
	printf("sldt %x\n", STORE("sldt") & 0xffff);
	TRY("lldt %%cs:sel_data"); try_print("lldt of data");
	sel = SPARE_SEL + 8; TRY("lldt sel"); try_print("lldt, absent");
	sel = GDT_ENTRIES * 8; TRY("lldt sel"); try_print("lldt beyond the GDT");
	sel = 0x0c; TRY("lldt sel"); try_print("lldt of an LDT selector");
	sel = SPARE_SEL; TRY("lldt sel"); try_print("lldt");
	printf("sldt %x upper half %x\n", STORE("sldt") & 0xffff, STORE("sldt") >> 16);
	poke(0x5678, 0xabcd1234);
	asm volatile("movl $0xc, %%eax; movl %%eax, %%fs; movl %%fs:0x4678, %0"
		     : "=r"(v)
		     :
		     : "eax");
	printf("through the LDT: %x\n", v);
	sel = 0x24; TRY("movl sel, %%eax; movl %%eax, %%es"); try_print("beyond the LDT");
	asm volatile("lldt %w0" : : "r"(0));
	TRY("movl $0xc, %%eax; movl %%eax, %%es"); try_print("after lldt 0");
}

static void task(void)
{
	printf("str %x\n", STORE("str") & 0xffff);
	tss_init(NULL);
	printf("str %x, busy %x\n", STORE("str") & 0xffff,
	       (uint32_t)(gdt[TSS_SEL / 8] >> 40 & 0xff));
	sel = TSS_SEL; TRY("ltr sel"); try_print("ltr of a busy TSS");
	sel = KERNEL_DS; TRY("ltr sel"); try_print("ltr of data");
	gdt_set(SPARE_SEL, 0, 103, 0x09);
	sel = SPARE_SEL; TRY("ltr sel"); try_print("ltr, absent");
}

/* An IDT that ends early: the vector behind its limit is #GP(vector * 8 + 2). */
static void short_idt(void)
{
	struct table i, t;

	asm volatile("sidt %0" : "=m"(i));
	t = i;
	t.limit = 0x20 * 8 - 1;
	asm volatile("lidt %0" : : "m"(t));
	TRY("int $0x20"); try_print("int beyond the IDT");
	trap_gate(3, KERNEL_CS, 0, 0xe, 0);
	TRY("int $0x1f" AT); try_print("int $0x1f");
	asm volatile("lidt %0" : : "m"(i));
	trap_gate(0x40, KERNEL_DS, trap_entry(0x40), 0xe, 0);
	TRY("int $0x40"); try_print("gate to data");
	trap_gate(0x40, 0, trap_entry(0x40), 0xe, 0);
	TRY("int $0x40"); try_print("gate to null");
	trap_gate(0x40, KERNEL_CS, trap_entry(0x40), 2, 0);
	TRY("int $0x40"); try_print("gate of a wrong type");
}

extern const uint32_t sel_data;
asm(".pushsection .rodata; .globl sel_data; sel_data: .long 0x40; .popsection");

int main(uint32_t magic, const void *info)
{
	(void)magic, (void)info;
	trap_init();
	try_init();
	gdt_and_idt();
	local();
	task();
	short_idt();
	return 0;
}
