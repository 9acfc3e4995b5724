/* SPDX-License-Identifier: BSD-2-Clause */
/* Page tables of 4 KiB pages (SDM 3, 4.3). */
#include "guest.h"

#define POOL (16u << 20)
#define POOL_END (48u << 20)
#define IDENTITY POOL_END

static uint32_t *first_dir;

static uint32_t next_page = POOL;

void *page_alloc(void)
{
	void *p = (void *)next_page;

	if (next_page == POOL_END) {
		printf("out of pages\n");
		guest_exit(255);
	}
	next_page += PAGE;
	/* Page tables are written by their physical address, whatever is mapped. */
	return memset(p, 0, PAGE);
}

uint32_t *page_entry(uint32_t *dir, uint32_t va)
{
	return (uint32_t *)(dir[va >> 22] & ~(PAGE - 1)) + (va >> 12 & 1023);
}

void page_map(uint32_t *dir, uint32_t va, const void *page, uint32_t flags)
{
	if (!(dir[va >> 22] & PTE_P))
		dir[va >> 22] = (uint32_t)page_alloc() | PTE_P | PTE_W | PTE_U;
	*page_entry(dir, va) = (uint32_t)page | flags;
}

uint32_t *paging_new(void)
{
	uint32_t *dir = page_alloc();

	if (first_dir)
		return memcpy(dir, first_dir, IDENTITY >> 20);	/* 4 bytes for 4 MiB */
	first_dir = dir;
	for (uint32_t a = 0; a < IDENTITY; a += PAGE)
		page_map(dir, a, (void *)a, PTE_P | PTE_W | PTE_U);
	return dir;
}

void paging_on(uint32_t *dir)
{
	write_cr3((uint32_t)dir);
	write_cr0(read_cr0() | CR0_PG);
}
