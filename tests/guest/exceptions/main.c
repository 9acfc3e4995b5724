/* SPDX-License-Identifier: BSD-2-Clause */
/* Exceptions raised in kernel mode: vector, error code, and where eip points. */
#include "guest.h"

/* bound %eax, (%esp): the assemblers disagree on its name. */
#define BOUND_EAX_ESP ".byte 0x62, 0x04, 0x24"

static void show_int80(struct trap_frame *f)
{
	printf("int 0x80: vector %x cs %x eax %x IF %u\n", f->vector, f->cs, f->eax,
	       read_eflags() >> 9 & 1);
	f->eax++;
}

static void software_interrupt(void)
{
	uint32_t eax = 0x1234;

	trap_set(0x80, show_int80);
	asm volatile("int $0x80" : "+a"(eax));
	printf("came back with eax %x\n", eax);
}

int main(uint32_t magic, const void *info)
{
	(void)magic, (void)info;
	trap_init();
	try_init();
	software_interrupt();

	TRY("xorl %%edx, %%edx; xorl %%ecx, %%ecx; divl %%ecx"); try_print("div by 0");
	TRY("int3"); try_print("int3");
	TRY("int $3"); try_print("int $3");
	TRY("movb $0x7f, %%al; addb $1, %%al; into"); try_print("into, OF set");
	TRY("xorl %%eax, %%eax; into"); try_print("into, OF clear");
	TRY("pushl $9; pushl $3; movl $5, %%eax; " BOUND_EAX_ESP "; addl $8, %%esp");
	try_print("bound, inside");
	TRY("pushl $9; pushl $3; movl $10, %%eax; " BOUND_EAX_ESP); try_print("bound, outside");
	TRY("ud2"); try_print("ud2");
	TRY("lock; nop"); try_print("lock nop");
	TRY("movl $0x1000, %%eax; movl %%eax, %%ds"); try_print("ds = beyond the GDT");
	TRY("movl $0x30, %%eax; movl %%eax, %%es"); try_print("es = empty entry");
	TRY("xorl %%eax, %%eax; movl %%eax, %%fs"); try_print("fs = 0");
	TRY("xorl %%eax, %%eax; movl %%eax, %%ss"); try_print("ss = 0");
	gdt_set(SPARE_SEL, 0, 0xfffff, 0xc013);
	TRY("movl $0x30, %%eax; movl %%eax, %%es"); try_print("es = not present");
	TRY("movl $0x30, %%eax; movl %%eax, %%ss"); try_print("ss = not present");
	TRY("ljmp $0x1000, $0"); try_print("far jump beyond the GDT");
	TRY("ljmp $0x10, $0"); try_print("far jump to a data segment");
	return 0;
}
