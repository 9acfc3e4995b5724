/* SPDX-License-Identifier: BSD-2-Clause */
/* Limits of segments of the LDT, in user and in kernel mode: data, code, stack, and those
 * that expand down. */
#include "guest.h"

extern uint64_t gdt[GDT_ENTRIES];
static uint64_t ldt[8] __attribute__((aligned(8)));
uint32_t cells[16] = { [3] = 0xc3, [4] = 0xc4 };

USER_CODE(user_inside, "movl %es:12, %eax");
USER_CODE(user_across, "movl %es:13, %eax");
USER_CODE(user_beyond, "movl %es:16, %eax");
USER_CODE(user_byte, "movb %es:15, %al; movb %al, %es:15");
USER_CODE(user_write, "movl $1, %es:16");
USER_CODE(user_stack, "movl %esp, %ebx; pushl $1; popl %eax");
USER_CODE(user_jump, "movl $0x40000000, %eax; jmp *%eax");
USER_CODE(user_down, "movl %es:0xfffff000, %eax");

static void set(unsigned n, uint32_t base, uint32_t limit, uint16_t attr)
{
	uint64_t saved = gdt[GDT_ENTRIES - 1];

	gdt_set((GDT_ENTRIES - 1) * 8, base, limit, attr);
	ldt[n] = gdt[GDT_ENTRIES - 1];
	gdt[GDT_ENTRIES - 1] = saved;
}

static void run(const char *name, struct trap_frame f, const void *code)
{
	f.eip = (uint32_t)code;
	user_enter(&f);
	printf("%s: vector %u error %x\n", name, f.vector, f.error);
}

static void user(void)
{
	struct trap_frame f = user_start(NULL);

	f.es = 0x0f;
	run("user, inside", f, user_inside);
	run("user, across", f, user_across);
	run("user, beyond", f, user_beyond);
	run("user, last byte", f, user_byte);
	run("user, write beyond", f, user_write);
	f.es = 0x17;
	run("user, below an expand-down limit", f, user_inside);
	run("user, above an expand-down limit", f, user_down);
	f = user_start(NULL);
	f.ss = 0x1f;
	f.esp = 8;
	run("user, stack inside", f, user_stack);
	f.esp = 24;
	run("user, stack beyond", f, user_stack);
	f = user_start(NULL);
	f.cs = 0x27;
	run("user, code inside", f, user_stack);
	run("user, jump beyond", f, user_jump);
}

/* A trap's handler loads %es. */
#define SMALL "movl $0x0f, %%eax; movl %%eax, %%es; "
#define DOWN "movl $0x17, %%eax; movl %%eax, %%es; "

static void show(const char *name)
{
	if (caught.vector == NO_TRAP)
		printf("kernel, %s: no trap\n", name);
	else
		printf("kernel, %s: vector %u error %x\n", name, caught.vector, caught.error);
}

static void kernel(void)
{
	TRY(SMALL "movl %%es:12, %%eax"); show("inside");
	TRY(SMALL "movl %%es:13, %%eax"); show("across");
	TRY(SMALL "movl %%es:16, %%eax"); show("beyond");
	TRY(SMALL "movl $5, %%es:12"); show("write inside");
	TRY(SMALL "movl $5, %%es:16"); show("write beyond");
	TRY(DOWN "movl %%es:12, %%eax"); show("below an expand-down limit");
	TRY(DOWN "movl %%es:0xfffff000, %%eax"); show("above an expand-down limit");
	asm volatile("movl %0, %%es" : : "r"(KERNEL_DS));
	printf("cells %x %x\n", cells[3], cells[4]);
}

int main(uint32_t magic, const void *info)
{
	(void)magic, (void)info;
	trap_init();
	user_init();
	set(1, (uint32_t)cells, 15, 0x40f3);		/* 0x0f: 16 bytes */
	/* 0x17: all but the first 16 bytes; offset FFFFF000h is cells. */
	set(2, (uint32_t)cells + 0x1000, 15, 0x40f7);
	set(3, (uint32_t)cells, 15, 0x40f3);		/* 0x1f, as a stack */
	set(4, 0, 0x3ffff, 0xc0fb);			/* 0x27: code up to 1 GiB */
	gdt_set(SPARE_SEL, (uint32_t)ldt, sizeof(ldt) - 1, 0x82);
	asm volatile("lldt %w0" : : "r"(SPARE_SEL));
	user();
	kernel();
	return 0;
}
