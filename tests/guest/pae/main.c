/* SPDX-License-Identifier: BSD-2-Clause */
/* PAE: 2 MiB and 4 KiB pages, rights, A and D bits, split and merge, entries
 * written by cmpxchg8b, a recursive directory, global pages. */
#include "pae.h"

#define VA 0x40000000u
#define ALIAS 0x60000000u
#define BIG (48u << 20)			/* physical, 4 MiB of it */
#define RECURSIVE 0xbf800000u		/* the last four entries of directory 2 */
#define USER_RW (PTE_P | PTE_W | PTE_U)

static struct pae p;

USER_CODE(user_read, "movl 0x40001234, %eax");
USER_CODE(user_write, "movl $0x4321, 0x40101234");

static void user(const char *name, const void *code)
{
	struct trap_frame f = user_start(code);

	user_enter(&f);
	printf("%s: vector %x error %x eax %x\n", name, f.vector, f.error, f.eax);
}

static void set(uint64_t pde)
{
	*pae_pde(&p, VA) = pde;
	invlpg(VA);
	write_cr3((uint32_t)p.pdpt);
}

static void bits(const char *name, const uint64_t *e)
{
	printf("%s: A %u D %u\n", name, (uint32_t)*e >> 5 & 1, (uint32_t)*e >> 6 & 1);
}

static void big_pages(void)
{
	uint64_t *pde = pae_pde(&p, VA);

	*pae_pde(&p, ALIAS) = BIG | PTE_P | PTE_W | PTE_PS;
	*pae_pde(&p, ALIAS + PAE_BIG) = (BIG + PAE_BIG) | PTE_P | PTE_W | PTE_PS;
	poke(ALIAS + 0x1234, 0x1111);
	poke(ALIAS + 0x101234, 0x2222);
	poke(ALIAS + 0x1ffffc, 0x3333);
	poke(ALIAS + 0x201234, 0x4444);
	set(BIG | PTE_P | PTE_W | PTE_PS);
	bits("fresh", pde);
	printf("%x %x %x\n", peek(VA + 0x1234), peek(VA + 0x101234), peek(VA + 0x1ffffc));
	bits("read", pde);
	poke(VA + 0x100000, 1);
	bits("written", pde);
	TRY("movl 0x40201234, %%eax");
	printf("the next 2 MiB: vector %u error %x\n", caught.vector, caught.error);
	user("user, supervisor page", user_read);
	set(BIG | PTE_P | PTE_U | PTE_PS);
	user("user, read-only", user_read);
	user("user, read-only", user_write);
	set(BIG | USER_RW | PTE_PS);
	user("user", user_write);
	printf("seen at the alias: %x\n", peek(ALIAS + 0x101234));
}

static void split(void)
{
	uint64_t *table = page_alloc();

	for (unsigned n = 0; n < 512; n++)
		table[n] = (BIG + n * PAGE) | USER_RW;
	table[0x101] = (BIG + 0x1000) | USER_RW;
	set((uint32_t)table | USER_RW);
	printf("split: %x %x %x\n", peek(VA + 0x1234), peek(VA + 0x101234), peek(VA + 0x1ffffc));
	bits("read", &table[1]);
	bits("not read", &table[2]);
	user("user, split", user_read);
	/* Another frame in one exchange of both halves, as kernels do it. */
	asm volatile("lock; cmpxchg8b %0" : "+m"(table[1])
		     : "A"(table[1]), "b"((BIG + PAE_BIG + 0x1000) | USER_RW), "c"(0)
		     : "memory", "cc");
	invlpg(VA + 0x1000);
	printf("exchanged: %x\n", peek(VA + 0x1234));
	user("user, exchanged", user_read);
	set(BIG | USER_RW | PTE_PS);
	printf("merged: %x %x\n", peek(VA + 0x1234), peek(VA + 0x101234));
}

/* Page tables seen as data through the directories themselves. */
static void recursive(void)
{
	volatile uint64_t *ptes = (volatile uint64_t *)RECURSIVE;
	uint64_t *table = page_alloc();

	for (unsigned i = 0; i < 4; i++)
		p.dir[2][508 + i] = (uint32_t)p.dir[i] | PTE_P | PTE_W;
	set((uint32_t)table | USER_RW);
	ptes[(VA >> 12) + 1] = (BIG + 0x1000) | USER_RW;
	printf("recursive: pte %x reads %x\n", (uint32_t)table[1] & 0xffff, peek(VA + 0x1234));
	ptes[(VA >> 12) + 1] = (BIG + PAE_BIG + 0x1000) | USER_RW;
	invlpg(VA + 0x1000);
	printf("changed: %x\n", peek(VA + 0x1234));
	ptes[(VA >> 12) + 1] = 0;
	invlpg(VA + 0x1000);
	TRY("movl 0x40001234, %%eax");
	printf("taken away: vector %u error %x cr2 %x\n", caught.vector, caught.error, caught.cr2);
	/* The directory's own entries, one level up. */
	printf("directory entry: %s\n",
	       (uint32_t)ptes[(RECURSIVE >> 12) + (VA >> 21)] == (uint32_t)*pae_pde(&p, VA) ?
	       "same" : "differs");
}

static void global(void)
{
	volatile uint64_t *table = page_alloc();

	set((uint32_t)table | USER_RW);
	write_cr4(read_cr4() | CR4_PGE);
	table[1] = (BIG + 0x1000) | USER_RW | PTE_G;
	printf("global: %x\n", peek(VA + 0x1234));
	table[1] = (BIG + PAE_BIG + 0x1000) | USER_RW | PTE_G;
	write_cr4(read_cr4() & ~CR4_PGE);
	write_cr4(read_cr4() | CR4_PGE);
	printf("PGE toggled: %x\n", peek(VA + 0x1234));
}

int main(uint32_t magic, const void *info)
{
	(void)magic, (void)info;
	trap_init();
	user_init();
	p = pae_new();
	pae_on(&p);
	printf("PAE is on: cr4 %x\n", read_cr4() & CR4_PAE);
	big_pages();
	split();
	recursive();
	global();
	/* Off and on again: cr3 is read when paging is turned on. */
	write_cr0(read_cr0() & ~CR0_PG);
	*pae_pde(&p, VA) = BIG | USER_RW | PTE_PS;
	write_cr0(read_cr0() | CR0_PG);
	printf("off and on: %x\n", peek(VA + 0x1234));
	return 0;
}
