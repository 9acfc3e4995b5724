/* SPDX-License-Identifier: BSD-2-Clause */
/* Pages that move: remapping with invlpg and CR3 loads, aliases, global pages,
 * page tables mapped as data. */
#include "guest.h"

#define VA 0x40000000u
#define ALIAS 0x50000000u
#define RECURSIVE 0xffc00000u		/* the last directory slot is the directory */
#define FLAGS (PTE_P | PTE_W | PTE_U)

static uint32_t *dir;
static uint32_t *pages[4];

USER_CODE(user_read, "movl 0x40000000, %eax; movl 0x50000000, %ebx");
USER_CODE(user_write, "movl $0x99, 0x40000000; movl 0x50000000, %ebx");

static void user(const char *name, const void *code)
{
	struct trap_frame f = user_start(code);

	user_enter(&f);
	printf("%s: vector %x eax %x ebx %x\n", name, f.vector, f.eax, f.ebx);
}

static void remap(uint32_t va, unsigned page)
{
	page_map(dir, va, pages[page], FLAGS);
	invlpg(va);
}

static void remapping(void)
{
	remap(VA, 0);
	remap(ALIAS, 1);
	printf("kernel: %x %x\n", peek(VA), peek(ALIAS));
	user("user", user_read);
	for (unsigned n = 0; n < 4; n++) {
		remap(VA, n);
		printf("kernel, page %u: %x\n", n, peek(VA));
		user("user", user_read);
	}
	/* One page at two addresses. */
	remap(ALIAS, 3);
	poke(VA, 0x55);
	printf("alias: %x\n", peek(ALIAS));
	user("user alias", user_write);
	printf("kernel sees %x at home\n", *pages[3]);
	/* Away and back. */
	*page_entry(dir, VA) = 0;
	invlpg(VA);
	TRY("movl 0x40000000, %%eax"); try_print("unmapped");
	user("user, unmapped", user_read);
	remap(VA, 2);
	printf("back: %x\n", peek(VA));
	/* From absent to present needs no flush. */
	*page_entry(dir, VA + PAGE) = 0;
	TRY("movl 0x40001000, %%eax"); try_print("absent");
	*page_entry(dir, VA + PAGE) = (uint32_t)pages[1] | FLAGS;
	printf("present without a flush: %x\n", peek(VA + PAGE));
	/* By CR3 loads, of many at once. */
	for (unsigned n = 0; n < 4; n++)
		page_map(dir, VA + n * PAGE, pages[3 - n], FLAGS);
	write_cr3((uint32_t)dir);
	printf("after CR3: %x %x %x %x\n", peek(VA), peek(VA + PAGE), peek(VA + 2 * PAGE),
	       peek(VA + 3 * PAGE));
	user("user after CR3", user_read);
}

static void global(void)
{
	write_cr4(CR4_PGE);
	page_map(dir, VA, pages[0], FLAGS | PTE_G);
	invlpg(VA);
	printf("global: %x\n", peek(VA));
	user("user", user_read);
	page_map(dir, VA, pages[1], FLAGS | PTE_G);
	invlpg(VA);
	printf("invlpg: %x\n", peek(VA));
	user("user", user_read);
	page_map(dir, VA, pages[2], FLAGS | PTE_G);
	write_cr4(0);
	write_cr4(CR4_PGE);
	printf("PGE toggled: %x\n", peek(VA));
	user("user", user_read);
	/* Not global any more: CR3 does it. */
	page_map(dir, VA, pages[3], FLAGS);
	invlpg(VA);
	(void)peek(VA);
	page_map(dir, VA, pages[0], FLAGS);
	write_cr3((uint32_t)dir);
	printf("CR3: %x\n", peek(VA));
	write_cr4(0);
}

static void recursive(void)
{
	volatile uint32_t *pte;

	dir[1023] = (uint32_t)dir | FLAGS;
	pte = (uint32_t *)(RECURSIVE + (VA >> 10));
	printf("through the slot: pde %s, pte %s\n",
	       *(uint32_t *)(0xfffff000 + (VA >> 22) * 4) == dir[VA >> 22] ? "right" : "wrong",
	       (*pte ^ *page_entry(dir, VA)) & ~(PTE_A | PTE_D) ? "wrong" : "right");
	for (unsigned n = 0; n < 4; n++) {
		*pte = (uint32_t)pages[n] | FLAGS;
		invlpg(VA);
		printf("page %u: %x\n", n, peek(VA));
	}
	*pte = 0;
	invlpg(VA);
	TRY("movl 0x40000000, %%eax"); try_print("cleared through the slot");
	/* The whole table away and a new one, by the directory as data. */
	*(volatile uint32_t *)(0xfffff000 + (VA >> 22) * 4) = 0;
	invlpg((uint32_t)pte);
	write_cr3((uint32_t)dir);
	TRY("movl 0x40000000, %%eax"); try_print("no table");
	page_map(dir, VA, pages[1], FLAGS);
	invlpg((uint32_t)pte);
	printf("a new table: %x, seen as data %s\n", peek(VA),
	       (*pte & ~(PAGE - 1)) == (uint32_t)pages[1] ? "right" : "wrong");
	user("user", user_read);
}

int main(uint32_t magic, const void *info)
{
	(void)magic, (void)info;
	trap_init();
	user_init();
	dir = paging_new();
	for (unsigned n = 0; n < 4; n++) {
		pages[n] = page_alloc();
		*pages[n] = 0x1110 + n;
	}
	paging_on(dir);
	remapping();
	global();
	recursive();
	/* Paging off and on again, in identity-mapped code. */
	write_cr0(read_cr0() & ~CR0_PG);
	poke(0x600000, 0x77);
	printf("paging off: %x\n", peek(0x600000));
	write_cr0(read_cr0() | CR0_PG);
	printf("on: %x\n", peek(VA));
	return 0;
}
