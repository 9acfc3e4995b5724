/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * When exactly a pending interrupt is taken: behind the instruction that
 * follows sti or a load of ss, at once behind popf and iret, never before cli.
 */
#include "guest.h"

uint32_t taken_eip, taken;

static void irq(struct trap_frame *f)
{
	taken++;
	taken_eip = f->eip;
	pic_eoi(0);
}

/* Interrupt 0 is raised and waits behind cli: bit 0 of the 8259's IRR. */
static void raise_irq(void)
{
	taken = taken_eip = 0;
	pit_once(50);
	do
		outb(0x20, 0x0a);
	while (!(inb(0x20) & 1));
}

static void show(const char *name, uint32_t start)
{
	if (!taken) {
		printf("%s: not taken\n", name);
		return;
	}
	printf("%s: taken %u, at ", name, taken);
	place_print(start, taken_eip);
	printf("\n");
}

/* Runs the code with an interrupt pending; says at which place it was taken. */
#define SHOW(name, code) do {								\
	uint32_t start;									\
											\
	raise_irq();									\
	asm volatile("movl $8f, %0\n8:\t" code AT "nop" AT "nop" AT "nop" AT "cli" : "=&r"(start)	\
		     : "r"(KERNEL_DS) : "eax", "memory", "cc");				\
	show(name, start);								\
	sti(); asm volatile("nop; nop"); cli();						\
} while (0)

/* A wait without any sensitive instruction, the interrupt pending already. */
static void wait_behind_sti(void)
{
	raise_irq();
	asm volatile("sti; movd %%eax, %%xmm0; 1: cmpl $0, taken; je 1b; cli" : : : "memory", "cc");
	printf("waited behind sti: taken %u\n", taken);
	asm volatile("fninit");
	raise_irq();
	asm volatile("sti; fld1; 1: fabs; cmpl $0, taken; je 1b; cli" : : : "memory", "cc");
	printf("waited in x87 code: taken %u\n", taken);
}

int main(uint32_t magic, const void *info)
{
	(void)magic, (void)info;
	trap_init();
	pic_init();
	trap_set(IRQ_BASE, irq);
	pic_unmask(0);
	write_cr4(CR4_OSFXSR);
	SHOW("sti nop", "sti");
	SHOW("sti sti", "sti" AT "sti");
	SHOW("sti cli", "sti" AT "cli");
	SHOW("sti pushf popf", "sti" AT "pushfl" AT "popfl");
	SHOW("sti hlt", "sti" AT "hlt");
	SHOW("popf", "pushl $0x202;" AT "popfl");
	SHOW("popf, cli", "pushl $0x202;" AT "popfl" AT "cli");
	SHOW("iret", "pushl $0x202; pushl %%cs; pushl $7f;" AT "iretl; 7:");
	SHOW("iret, cli", "pushl $0x202; pushl %%cs; pushl $7f;" AT "iretl; 7:" AT "cli");
	SHOW("sti, jmp", "sti" AT "jmp 7f; 7:");
	SHOW("sti, IF set already", "pushl $0x202;" AT "popfl" AT "sti" AT "cli");
	/* A load of ss holds it back, too; mov ss and pop ss. */
	SHOW("popf behind mov ss", "movl %%ss, %%eax; pushl $0x202; movl %%eax, %%ss;" AT "popfl");
	wait_behind_sti();
	return 0;
}
