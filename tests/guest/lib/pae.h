/* SPDX-License-Identifier: BSD-2-Clause */
/* PAE page tables (SDM 3, 4.4), for the guests that test them. */
#ifndef GUEST_PAE_H
#define GUEST_PAE_H

#include "guest.h"

#define CR4_PAE 0x020u
#define PAE_NX (1ull << 63)
#define PAE_BIG 0x200000u

struct pae {
	uint64_t *pdpt;
	uint64_t *dir[4];
};

/* Maps the first 48 MiB to themselves in 2 MiB pages, for user mode too. */
static inline struct pae pae_new(void)
{
	struct pae p = { .pdpt = page_alloc() };

	for (unsigned i = 0; i < 4; i++) {
		p.dir[i] = page_alloc();
		p.pdpt[i] = (uint32_t)p.dir[i] | PTE_P;
	}
	for (uint32_t a = 0; a < 48u << 20; a += PAE_BIG)
		p.dir[0][a / PAE_BIG] = a | PTE_P | PTE_W | PTE_U | PTE_PS;
	return p;
}

static inline uint64_t *pae_pde(const struct pae *p, uint32_t va)
{
	return &p->dir[va >> 30][va >> 21 & 511];
}

/* Of a page whose table exists. */
static inline uint64_t *pae_pte(const struct pae *p, uint32_t va)
{
	return (uint64_t *)((uint32_t)*pae_pde(p, va) & ~(PAGE - 1)) + (va >> 12 & 511);
}

static inline void pae_on(const struct pae *p)
{
	write_cr4(read_cr4() | CR4_PAE);
	write_cr3((uint32_t)p->pdpt);
	write_cr0(read_cr0() | CR0_PG);
}

#endif
