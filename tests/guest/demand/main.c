/* SPDX-License-Identifier: BSD-2-Clause */
/* Page faults that are mended and go on: demand paging, copy on write, stack
 * growth, from user mode and from kernel mode on behalf of it. */
#include "guest.h"

#define VA 0x40000000u
#define PAGES 200
#define USER (PTE_P | PTE_W | PTE_U)

static uint32_t *dir, *original;
static unsigned filled, copied;

USER_CODE(user_touch, "movl $0x40000000, %edi; movl $200, %ecx\n\t"
	  "1: addl %ecx, (%edi); addl $4096, %edi; loop 1b; movl 0x40000000, %eax");
USER_CODE(user_strings, "movl $0x40000800, %esi; movl $0x40100802, %edi; movl $20000, %ecx; movb "
			"$0x7e, 0x40000800\n\t"
			"rep movsb; movl %ecx, %eax; movl %edi, %ebx; movzbl 0x40100802, %edx");
USER_CODE(user_changes_code,
	  "movl $0x40000000, %edi; movl $0xc3e0ff00, %eax; movl $0x000001b8, (%edi)\n\t"
	  "movb $0, 4(%edi); movb $0xc3, 5(%edi); call *%edi; movl %eax, %ebx; movb $9, 1(%edi); "
	  "call *%edi");

/* Fills a hole, or copies a page that is shared read-only. */
static void fault(struct trap_frame *f)
{
	uint32_t va = read_cr2() & ~(PAGE - 1), *page = page_alloc();

	if (f->error & 1) {
		copied++;
		memcpy(page, (void *)(*page_entry(dir, va) & ~(PAGE - 1)), PAGE);
	} else {
		filled++;
	}
	page_map(dir, va, page, USER);
	invlpg(va);
}

static void all(uint32_t flags)
{
	for (unsigned n = 0; n < PAGES; n++)
		page_map(dir, VA + n * PAGE, original, flags);
	page_map(dir, VA + 0x100000, original, flags);
	write_cr3((uint32_t)dir);
	filled = copied = 0;
}

static void show(const char *name)
{
	printf("%s: filled %u, copied %u\n", name, filled, copied);
}

static void user(const char *name, const void *code)
{
	struct trap_frame f = user_start(code);

	user_enter(&f);
	show(name);
	printf("  vector %x eax %x ebx %x edx %x\n", f.vector, f.eax, f.ebx, f.edx);
}

int main(uint32_t magic, const void *info)
{
	uint32_t a, b, c;

	(void)magic, (void)info;
	trap_init();
	user_init();
	trap_set(14, fault);
	dir = paging_new();
	original = page_alloc();
	original[0] = 7;
	paging_on(dir);
	write_cr0(read_cr0() | CR0_WP);
	all(0);
	user("holes", user_touch);
	all(PTE_P | PTE_U);
	user("shared pages", user_touch);
	printf("the original is %u\n", original[0]);
	all(0);
	user("strings over holes", user_strings);
	all(0);
	user("code written by user mode", user_changes_code);
	/* The kernel copies from and to user pages. */
	all(0);
	asm volatile("rep movsb"
		     : "=S"(a), "=D"(b), "=c"(c)
		     : "0"(VA + 0xf00), "1"(VA + 0x20f01), "2"(9000)
		     : "memory");
	show("kernel, holes");
	printf("  esi +%u edi +%u ecx %u\n", a - VA, b - VA, c);
	all(PTE_P | PTE_U);
	asm volatile("rep movsl"
		     : "=S"(a), "=D"(b), "=c"(c)
		     : "0"(VA), "1"(VA + 0x20ffe), "2"(3000)
		     : "memory");
	show("kernel, shared pages");
	printf("  esi +%u edi +%u ecx %u first %u\n", a - VA, b - VA, c, peek(VA + 0x20ffe));
	all(0);
	asm volatile("rep insb"
		     : "=D"(b), "=c"(c)
		     : "0"(VA + 0xff0), "1"(100), "d"(0x3ff)
		     : "memory");
	show("kernel, insb");
	printf("  edi +%u ecx %u\n", b - VA, c);
	return 0;
}
