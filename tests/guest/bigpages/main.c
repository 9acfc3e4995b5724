/* SPDX-License-Identifier: BSD-2-Clause */
/* 4 MiB pages: translation, rights, A and D bits, change from and to 4 KiB pages. */
#include "guest.h"

#define VA 0x40000000u
#define BIG (48u << 20)			/* physical, 4 MiB of it */

static uint32_t *dir;

USER_CODE(user_read, "movl 0x40201234, %eax");
USER_CODE(user_write, "movl $0x4321, 0x40301234");

static void user(const char *name, const void *code)
{
	struct trap_frame f = user_start(code);

	user_enter(&f);
	printf("%s: vector %x error %x eax %x; pde A %u D %u\n", name, f.vector, f.error, f.eax,
	       dir[VA >> 22] >> 5 & 1, dir[VA >> 22] >> 6 & 1);
}

static void set(uint32_t pde)
{
	dir[VA >> 22] = pde;
	invlpg(VA);
	write_cr3((uint32_t)dir);
}

static void bits(const char *name)
{
	printf("%s: A %u D %u\n", name, dir[VA >> 22] >> 5 & 1, dir[VA >> 22] >> 6 & 1);
}

int main(uint32_t magic, const void *info)
{
	uint32_t *table = page_alloc();

	(void)magic, (void)info;
	trap_init();
	user_init();
	dir = paging_new();
	paging_on(dir);
	write_cr4(CR4_PSE);
	/* The big page's RAM, reached through another one. */
	dir[0x60000000 >> 22] = BIG | PTE_P | PTE_W | PTE_PS;
	poke(0x60001234, 0x1111);
	poke(0x60201234, 0x2222);
	poke(0x603ffffc, 0x3333);
	poke(0x60301234, 0x5555);

	set(BIG | PTE_P | PTE_W | PTE_PS);
	bits("fresh");
	printf("%x %x %x\n", peek(VA + 0x1234), peek(VA + 0x201234), peek(VA + 0x3ffffc));
	bits("read");
	poke(VA + 0x100000, 1);
	bits("write");
	user("user, supervisor page", user_read);
	set(BIG | PTE_P | PTE_U | PTE_PS);
	user("user, read-only", user_read);
	user("user, read-only", user_write);
	write_cr0(read_cr0() | CR0_WP);
	TRY("movl %%eax, 0x40000000");
	printf("kernel write with WP: vector %u error %x\n", caught.vector, caught.error);
	write_cr0(read_cr0() & ~CR0_WP);
	TRY("movl %%eax, 0x40000000");
	printf("kernel write without WP: vector %u\n", caught.vector);
	bits("written without WP");
	set(BIG | PTE_P | PTE_W | PTE_U | PTE_PS);
	user("user", user_read);
	user("user", user_write);
	printf("seen at the other address: %x\n", peek(0x60301234));
	/* 4 KiB pages in its place: the same but one. */
	for (unsigned n = 0; n < 1024; n++)
		table[n] = (BIG + n * PAGE) | PTE_P | PTE_W | PTE_U;
	table[0x201] = (BIG + 0x301000) | PTE_P | PTE_W | PTE_U;
	set((uint32_t)table | PTE_P | PTE_W | PTE_U);
	printf("split: %x %x %x\n", peek(VA + 0x1234), peek(VA + 0x201234), peek(VA + 0x3ffffc));
	user("user, split", user_read);
	/* Without PSE the bit is no size: the entry names a table. */
	set(BIG | PTE_P | PTE_W | PTE_U | PTE_PS | PTE_G);
	printf("big again: %x\n", peek(VA + 0x201234));
	*(uint32_t *)0x60000000 = (uint32_t)table | PTE_P | PTE_W;
	table[1] = 0xabc;
	write_cr4(0);
	printf("without PSE: %x\n", peek(VA + 4));
	return 0;
}
