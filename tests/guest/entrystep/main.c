/* SPDX-License-Identifier: BSD-2-Clause */
/* TF of user mode over the ways into the kernel: int $0x80 clears it, sysenter
 * does not, so that the step is reported in kernel mode. */
#include "guest.h"

static uint8_t stack[4096] __attribute__((aligned(16)));
static unsigned kernel_steps;
static uint32_t first_step;
void sysenter_entry(void);

asm(".text\n.globl sysenter_entry\nsysenter_entry: nop; nop; movl %esi, %edx; movl %ebp, %ecx; "
    "sysexit\n");
USER_CODE(user_sysenter, "movl $1f, %esi; movl %esp, %ebp; sysenter\n1: nop");
USER_CODE(user_int, "nop; int $0x81; nop");

static void kernel_step(struct trap_frame *f)
{
	if (f->cs & 3) {
		/* Counted in user mode as well, and goes on. */
		return;
	}
	if (!kernel_steps++)
		first_step = f->eip - (uint32_t)sysenter_entry;
	f->eflags &= ~0x100u;
}

static void nothing(struct trap_frame *f) { (void)f; }

static void run(const char *name, const void *code)
{
	struct trap_frame f = user_start(code);

	kernel_steps = 0;
	f.eflags |= 0x100;
	user_enter(&f);
	printf("%s: vector %x, steps in kernel mode: %u\n", name, f.vector, kernel_steps);
}

int main(uint32_t magic, const void *info)
{
	(void)magic, (void)info;
	trap_init();
	user_init();
	trap_set(1, kernel_step);
	trap_gate(0x81, KERNEL_CS, trap_entry(0x81), 0xe, 3);
	trap_set(0x81, nothing);
	write_msr(0x174, KERNEL_CS);
	write_msr(0x175, (uint32_t)stack + sizeof(stack));
	write_msr(0x176, (uint32_t)sysenter_entry);
	run("int", user_int);
	run("sysenter", user_sysenter);
	printf("first at +%u\n", first_step);
	return 0;
}
