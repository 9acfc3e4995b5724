/* SPDX-License-Identifier: BSD-2-Clause */
/* Walks of the guest's page tables (SDM 3, 4.3: 32-bit paging). No host calls. */
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

struct walk {
	gpa_t pa;		/* of the 4 KiB page, low bits zero */
	uint32_t flags;		/* effective PTE_P, PTE_W, PTE_U (both levels); PTE_A, PTE_D,
				   PTE_G of the leaf; PTE_PS for a 4 MiB page */
	uint32_t *leaf;		/* host pointer to the leaf entry; NULL with paging off */
	uint32_t *pde;		/* the same for the page-directory entry */
};

/* Finds the translation of a without touching A and D; false if not present. */
bool mmu_probe(struct vm *vm, gva_t a, struct walk *w);
/* The same under another page directory. */
bool mmu_probe_cr3(struct vm *vm, uint32_t cr3, gva_t a, struct walk *w);
/* Is the access how (ACC_* of guestmem.h) allowed by w? */
bool mmu_allowed(struct vm *vm, const struct walk *w, uint32_t how);
/* Sets A, and D for a write. */
void mmu_mark(struct walk *w, uint32_t how);
/* Translation with checks and A/D; false with *f (a #PF). */
bool mmu_translate(struct vm *vm, gva_t a, uint32_t how, struct walk *w, struct fault *f);

#endif
