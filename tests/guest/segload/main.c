/* SPDX-License-Identifier: BSD-2-Clause */
/* Loads of segment registers of every kind: null, limit, type, DPL, not present. */
#include "guest.h"

enum {
	NUL,
	BEYOND,
	DATA0,
	RDATA0,
	DATA3,
	CODE0,
	XCODE0,
	XCONF0,
	CODE3,
	ABSENT,
	ABSENT_CODE,
	LDT,
	KINDS
};

static const struct { const char *name; uint16_t attr;
} kinds[KINDS] = {
	[NUL] = {"null", 0},
	[BEYOND] = {"beyond the table", 0},
	[DATA0] = {"data", 0xc093},
	[RDATA0] = {"read-only data", 0xc091},
	[DATA3] = {"DPL 3 data", 0xc0f3},
	[CODE0] = {"readable code", 0xc09b},
	[XCODE0] = {"execute-only code", 0xc099},
	[XCONF0] = {"conforming code", 0xc09f},
	[CODE3] = {"DPL 3 code", 0xc0fb},
	[ABSENT] = {"absent data", 0xc013},
	[ABSENT_CODE] = {"absent code", 0xc01b},
	[LDT] = {"LDT", 0x82},
};

uint32_t sel;		/* what is loaded */
uint32_t far_pointer[4], stack_before, stack_after;

static uint16_t selector(unsigned kind, unsigned rpl)
{
	if (kind == NUL)
		return rpl;
	return (kind == BEYOND ? GDT_ENTRIES * 8 : SPARE_SEL + kind * 8) | rpl;
}

static void show(const char *how)
{
	if (caught.vector == NO_TRAP)
		printf(" %s ok", how);
	else
		printf(" %s %u(%x)", how, caught.vector, caught.error);
}

/* Loads with every kind of instruction; ds is put back by the code itself. */
static void row(unsigned kind, unsigned rpl)
{
	sel = selector(kind, rpl);
	far_pointer[0] = 0x12345678;
	far_pointer[1] = sel;
	printf("%s, RPL %u:", kinds[kind].name, rpl);
	TRY("movl sel, %%eax; movl %%eax, %%es; movl %%es, %%ecx; cmpw %%cx, %%ax; je 1f; ud2; 1:");
	show("mov es");
	TRY("movw sel, %%gs"); show("gs");
	TRY("pushl sel; popl %%fs"); show("pop fs");
	TRY("pushw sel; popw %%es"); show("popw es");
	TRY("pushl sel; popl %%ds; pushl $0x10; popl %%ds"); show("pop ds");
	TRY("lgsl far_pointer, %%eax"); show("lgs");
	TRY("lesl far_pointer, %%eax"); show("les");
	TRY("ldsl far_pointer, %%eax; pushl $0x10; popl %%ds"); show("lds");
	TRY("movl sel, %%eax; movl %%eax, %%ss; movl $0x10, %%eax; movl %%eax, %%ss");
	show("mov ss");
	TRY("movl sel, %%eax; pushl %%eax; popl %%ss; movl $0x10, %%eax; movl %%eax, %%ss");
	show("pop ss");
	printf("\n");
}

/* What a push stores, in both sizes; the upper half of a 32-bit slot may stay
 * as it was or be cleared (SDM 2, PUSH). */
static void pushes(void)
{
	uint32_t wide, narrow, moved = 0xffffffff, in_memory = 0xffffffff;

	asm volatile("movl %4, %%fs; pushl $-1; addl $4, %%esp; pushl %%fs; popl %0\n"
		     "pushl $-1; pushw %%fs; popw %w1; addl $4, %%esp\n"
		     "movw %%fs, %2; movl %%fs, %3"
		     : "=r"(wide), "=r"(narrow), "=m"(in_memory), "=r"(moved) : "r"(USER_DS));
	printf("pushl fs %04x pushw fs %04x mov to memory %08x mov to register %x\n", wide & 0xffff,
	       narrow & 0xffff, in_memory, moved);
}

/* Loads through a far pointer take the offset along, 32 and 16 bits. */
static void pointers(void)
{
	uint32_t a = 0, b = 0xffffffff;

	far_pointer[0] = 0x12345678;
	far_pointer[1] = USER_DS;
	asm volatile("lfsl far_pointer, %0" : "=r"(a));
	far_pointer[0] = USER_DS << 16 | 0x5678;
	asm volatile("lfsw far_pointer, %w0" : "+r"(b));
	printf("lfsl %x lfsw %x\n", a, b);
	TRY("lssl far_pointer + 8, %%eax"); try_print("lss null");
	far_pointer[1] = KERNEL_DS;
	asm volatile("movl %%esp, far_pointer; lssl far_pointer, %%esp; movl %%ss, %0"
		     : "=r"(a)
		     :
		     : "memory");
	printf("lss: ss %x\n", a);
}

/* A refused load leaves register and stack pointer as they were. */
static void refused_pop(struct trap_frame *f)
{
	stack_after = (uint32_t)&f->esp;	/* esp at the trap: same level, no stack switch */
	printf("refused pop: es %x esp moved by %u\n", f->es, stack_after - stack_before);
	try_catch(f);
}

static void unchanged(void)
{
	sel = GDT_ENTRIES * 8;
	trap_set(13, refused_pop);
	TRY("movl $0x23, %%eax; movl %%eax, %%es; pushl sel; movl %%esp, stack_before; popl %%es");
	trap_set(13, try_catch);
}

/* The accessed bit is set by a load. */
static void accessed(void)
{
	extern uint64_t gdt[GDT_ENTRIES];
	uint16_t s = SPARE_SEL + 14 * 8;

	gdt_set(s, 0, 0xfffff, 0xc092);
	asm volatile("movl %0, %%gs" : : "r"((uint32_t)s));
	printf("accessed: %02x\n", (uint8_t)(gdt[s / 8] >> 40));
}

int main(uint32_t magic, const void *info)
{
	(void)magic, (void)info;
	trap_init();
	try_init();
	for (unsigned k = DATA0; k < KINDS; k++)
		gdt_set(selector(k, 0), 0, 0xfffff, kinds[k].attr);
	for (unsigned k = 0; k < KINDS; k++) {
		row(k, 0);
		row(k, 3);
	}
	sel = 0x0c;
	asm volatile("lldt %w0" : : "r"(0));
	TRY("movl sel, %%eax; movl %%eax, %%es"); try_print("LDT selector without an LDT");
	TRY(".byte 0x8e, 0xc8"); try_print("mov cs");
	TRY(".byte 0x8e, 0xf0"); try_print("mov to segment register 6");
	TRY(".byte 0x8c, 0xf8"); try_print("mov from segment register 7");
	TRY(".byte 0xc5, 0xc0"); try_print("lds from a register");
	pushes();
	pointers();
	unchanged();
	accessed();
	return 0;
}
