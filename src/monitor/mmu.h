/* SPDX-License-Identifier: BSD-2-Clause */
/* Walks of the guest's page tables (SDM 3, 4.3 and 4.4). No host calls. */
#ifndef LILYVM_MMU_H
#define LILYVM_MMU_H

#include "types.h"

struct vm;

#define PTE_P 0x001u
#define PTE_W 0x002u
#define PTE_U 0x004u
#define PTE_A 0x020u
#define PTE_D 0x040u
#define PTE_PS 0x080u
#define PTE_G 0x100u
/* Of struct walk: bit 63 of an entry (execute-disable); a reserved bit is set. */
#define PTE_NX 0x80000000u
#define PTE_RSVD 0x40000000u

struct walk {
	gpa_t pa;		/* of the 4 KiB page, low bits zero */
	uint32_t flags;		/* effective PTE_P, PTE_W, PTE_U, PTE_NX (both levels); PTE_A,
				   PTE_D, PTE_G of the leaf; PTE_PS for a 2 or 4 MiB page */
	uint32_t *leaf;		/* host pointer to the leaf entry (with PAE its low half); NULL
				   with paging off */
	uint32_t *pde;		/* the same for the page-directory entry */
};

/* Finds the translation of a without touching A and D; false if not present, or
 * (PTE_RSVD in w->flags) if a reserved bit is set. */
bool mmu_probe(struct vm *vm, gva_t a, struct walk *w);
/* Is the access how (ACC_* of guestmem.h) allowed by w? */
bool mmu_allowed(struct vm *vm, const struct walk *w, uint32_t how);
/* Sets A, and D for a write. */
void mmu_mark(struct walk *w, uint32_t how);
/* Loads the four page-directory-pointer-table entries that cr3 points to; false, and
 * nothing loaded, if one has a reserved bit set (#GP). */
bool mmu_load_pdptes(struct vm *vm, uint32_t cr3);
/* Translation with checks and A/D; false with *f (a #PF). */
bool mmu_translate(struct vm *vm, gva_t a, uint32_t how, struct walk *w, struct fault *f);

#endif
