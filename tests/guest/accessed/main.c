/* SPDX-License-Identifier: BSD-2-Clause */
/* Accessed and dirty bits of page tables and directory, exactly, from kernel
 * mode and from user mode. */
#include "guest.h"

#define VA 0x40000000u
#define FLAGS (PTE_P | PTE_W | PTE_U)

static uint32_t *dir;

USER_CODE(user_read, "movl 0x40000000, %eax");
USER_CODE(user_write, "movl %eax, 0x40000000");
USER_CODE(user_rmw, "lock; addl $1, 0x40000000");
USER_CODE(user_push, "movl $0x40000800, %esp; pushl %eax");
USER_CODE(user_exec, "movl $0x40000000, %eax; call *%eax");

static void show(const char *name)
{
	uint32_t e = *page_entry(dir, VA), d = dir[VA >> 22], next = *page_entry(dir, VA + PAGE);

	printf("%s: page%s%s, neighbour%s%s, directory%s\n", name, e & PTE_A ? " A" : "",
	       e & PTE_D ? " D" : "", next & PTE_A ? " A" : "", next & PTE_D ? " D" : "",
	       d & PTE_A ? " A" : "");
}

/* All bits clear, and the TLB knows. */
static void clear(void)
{
	*page_entry(dir, VA) &= ~(PTE_A | PTE_D);
	*page_entry(dir, VA + PAGE) &= ~(PTE_A | PTE_D);
	dir[VA >> 22] &= ~PTE_A;
	invlpg(VA);
	invlpg(VA + PAGE);
}

static void user(const char *name, const void *code)
{
	struct trap_frame f = user_start(code);

	clear();
	user_enter(&f);
	if (f.vector != 0x80)
		frame_print("unexpected", &f, code);
	show(name);
}

static void kernel(void)
{
	static uint32_t v;

	show("untouched");
	v = peek(VA);
	show("read");
	poke(VA, v);
	show("write");
	clear();
	show("cleared");
	poke(VA, 1);
	show("write at once");
	clear();
	(void)peek(VA);
	show("cleared, read");
	/* D cleared alone: the next write has to set it again. */
	poke(VA, 1);
	*page_entry(dir, VA) &= ~PTE_D;
	invlpg(VA);
	(void)peek(VA);
	show("D cleared, read");
	poke(VA, 2);
	show("D cleared, write");
	clear();
	asm volatile("lock; addl $0, 0x40000000" : : : "memory", "cc");
	show("lock add");
	clear();
	asm volatile("movl $0x40000ffe, %%edi; stosl" : : : "edi", "memory");
	show("stos over both");
	clear();
	asm volatile("pushl $1; popl 0x40000000" : : : "memory");
	show("pop to memory");
	clear();
	asm volatile("sgdt 0x40000010" : : : "memory");
	show("sgdt");
	clear();
	asm volatile("lgdt 0x40000010" : : : "memory");
	show("lgdt");
	/* A bit cleared and the whole TLB flushed by CR3 */
	poke(VA, 1);
	*page_entry(dir, VA) &= ~(PTE_A | PTE_D);
	write_cr3((uint32_t)dir);
	show("cleared, CR3 loaded");
	(void)peek(VA);
	show("read");
}

int main(uint32_t magic, const void *info)
{
	uint8_t *page = page_alloc();

	(void)magic, (void)info;
	trap_init();
	user_init();
	dir = paging_new();
	memcpy(page, "\xc3", 1);		/* ret, for user_exec */
	page_map(dir, VA, page, FLAGS);
	page_map(dir, VA + PAGE, page_alloc(), FLAGS);
	paging_on(dir);
	kernel();
	poke(VA, 0xc3);
	user("user read", user_read);
	user("user write", user_write);
	poke(VA, 0xc3);
	user("user lock add", user_rmw);
	user("user push", user_push);
	poke(VA, 0xc3);
	user("user exec", user_exec);
	return 0;
}
