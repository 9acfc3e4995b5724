/* SPDX-License-Identifier: BSD-2-Clause */
/* A kernel that patches its read-only text with CR0.WP clear, as NetBSD does: instructions
 * that have run, sensitive ones among them, and a function that is replaced as a whole. */
#include "guest.h"

extern uint8_t one[], one_end[], two[], two_end[], site[];
uint32_t counter;
uint32_t call_one(void);

asm(".text; .balign 4096\n"
    "call_one:\n\tcall one; ret\n"
    "one:\n\tmovl $1, %eax\nsite:\tlock; incl counter; pushfl; popl %edx; ret\none_end:\n"
    "two:\n\tpushfl; cli; movl $2, %eax; movl %cs, %ecx; shll $8, %ecx; orl %ecx, %eax; popfl\n\t"
    "ret\ntwo_end:\n"
    ".balign 4096\n");

static uint32_t *dir;

static void text_rights(uint32_t flags)
{
	*page_entry(dir, (uint32_t)one) = ((uint32_t)one & ~(PAGE - 1)) | flags;
	invlpg((uint32_t)one);
}

/* Writes with WP clear. */
static void patch(uint8_t *at, const void *bytes, size_t n)
{
	write_cr0(read_cr0() & ~CR0_WP);
	memcpy(at, bytes, n);
	write_cr0(read_cr0() | CR0_WP);
}

static void show(const char *name)
{
	uint32_t v = call_one();

	printf("%s: %x, counter %u\n", name, v, counter);
}

int main(uint32_t magic, const void *info)
{
	uint8_t saved[64];

	(void)magic, (void)info;
	trap_init();
	try_init();
	dir = paging_new();
	paging_on(dir);
	text_rights(PTE_P);
	write_cr0(read_cr0() | CR0_WP);
	show("before");
	TRY("movb $0x90, site"); try_print("write with WP");
	/* lock becomes nop */
	patch(site, "\x90", 1);
	show("lock patched");
	/* inc becomes dec, twice */
	for (unsigned i = 0; i < 2; i++) {
		patch(site + 2, i ? "\x05" : "\x0d", 1);
		show(i ? "inc" : "dec");
	}
	/* A copy of text, sensitive instructions and all, over another function. */
	memcpy(saved, one, (size_t)(one_end - one));
	patch(one, two, (size_t)(two_end - two));
	sti();
	show("replaced");
	printf("IF %u\n", read_eflags() >> 9 & 1);
	cli();
	patch(one, saved, (size_t)(one_end - one));
	show("back");
	TRY("movb $0x90, site"); try_print("write with WP");
	printf("dirty %u\n", *page_entry(dir, (uint32_t)one) >> 6 & 1);
	return 0;
}
