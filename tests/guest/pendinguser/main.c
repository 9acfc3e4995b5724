/* SPDX-License-Identifier: BSD-2-Clause */
/* An interrupt that is pending when user mode is entered: behind iret and behind
 * sti; sysexit it comes before the first user instruction, with the user's frame. */
#include "guest.h"

uint32_t user_esp, saved_esp;
static uint32_t taken, eip, cs, eax;

USER_CODE(user_count, "movl $1, %eax; addl $1, %eax");

static void irq(struct trap_frame *f)
{
	taken++;
	eip = f->eip - (uint32_t)user_count;
	cs = f->cs;
	eax = f->eax;
	pic_eoi(0);
}

static void raise_irq(void)
{
	taken = 0;
	pit_once(50);
	do
		outb(0x20, 0x0a);
	while (!(inb(0x20) & 1));
}

static void show(const char *name, const struct trap_frame *f)
{
	printf("%s: taken %u at +%d cs %x eax %x; then vector %x eax %u\n", name, taken, eip, cs,
	       eax, f->vector, f->eax);
}

int main(uint32_t magic, const void *info)
{
	struct trap_frame f = user_start(user_count);
	extern struct trap_frame *user_frame;
	extern uint32_t user_kernel_esp;

	(void)magic, (void)info;
	trap_init();
	user_init();
	pic_init();
	trap_set(IRQ_BASE, irq);
	pic_unmask(0);
	write_msr(0x174, KERNEL_CS);

	raise_irq();
	f.eflags |= 0x200;
	f.eax = 0x55;
	user_enter(&f);
	show("iret", &f);

	f = user_start(user_count);
	user_esp = f.esp;
	user_frame = &f;
	raise_irq();
	/* As user_enter() does it, but with sysexit. */
	asm volatile("pushl $1f; pushl %%ebp; pushl %%ebx; pushl %%esi; pushl %%edi\n\t"
		     "movl %%esp, %0; movl %%esp, tss + 4\n\t"
		     "movl $user_count, %%edx; movl user_esp, %%ecx; movl $0x66, %%eax\n\t"
		     "movl %1, %%ebx; movl %%ebx, %%ds; movl %%ebx, %%es; sti; sysexit\n1:"
		     : "=m"(user_kernel_esp) : "i"(USER_DS) : "eax", "ecx", "edx", "memory", "cc");
	cli();
	show("sti, sysexit", &f);
	return 0;
}
