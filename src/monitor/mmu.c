/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * 32-bit paging (SDM 3, 4.3) with 4 KiB pages, and 4 MiB pages with CR4.PSE; PAE
 * paging (SDM 3, 4.4) with 4 KiB and 2 MiB pages.  PAE's top level is four
 * registers, loaded with CR3.
 */
#include "monitor/machine.h"

#include <string.h>

/* Bits that are reserved in a present entry. */
#define LARGE_4M_RSVD 0x003fe000u	/* no PSE-36 */
#define LARGE_2M_RSVD 0x001fe000u
#define NX_BIT (1ull << 63)
#define BEYOND_PHYS (~NX_BIT & ~((1ull << CPU_PHYS_BITS) - 1))
#define PDPTE_RSVD (NX_BIT | BEYOND_PHYS | 0x1e6)
#define FRAME_BITS (((1ull << CPU_PHYS_BITS) - 1) & ~0xfffull)

static void *entry_at(struct vm *vm, uint64_t pa, unsigned size)
{
	return gmem_ram(vm, GPA(pa), size);
}

static bool reserved(struct walk *w)
{
	w->flags = PTE_RSVD;
	return false;
}

/* Effective rights of a directory entry and a table entry, low halves. */
static uint32_t both_levels(uint32_t pde, uint32_t pte)
{
	return (pte & pde & (PTE_P | PTE_W | PTE_U | PTE_A)) | (pte & (PTE_D | PTE_G));
}

#define LARGE_FLAGS (PTE_P | PTE_W | PTE_U | PTE_A | PTE_D | PTE_PS | PTE_G)

static bool walk_32(struct vm *vm, gva_t a, struct walk *w)
{
	uint32_t pde, pte;

	w->pde = entry_at(vm, (vm->cpu.cr3 & PAGE_MASK) + (a.v >> 22) * 4, 4);
	if (!w->pde || !((pde = *w->pde) & PTE_P))
		return false;
	if ((pde & PTE_PS) && (vm->cpu.cr4 & CR4_PSE)) {
		if (pde & LARGE_4M_RSVD)
			return reserved(w);
		w->leaf = w->pde;
		w->pa.v = (pde & 0xffc00000) | (a.v & 0x3ff000);
		w->flags = pde & LARGE_FLAGS;
		return true;
	}
	w->leaf = entry_at(vm, (pde & PAGE_MASK) + ((a.v >> 12) & 1023) * 4, 4);
	if (!w->leaf || !((pte = *w->leaf) & PTE_P))
		return false;
	w->pa.v = pte & PAGE_MASK;
	w->flags = both_levels(pde, pte);
	return true;
}

/* A 64-bit entry, or 0; *low is its low half. */
static uint64_t entry_64(struct vm *vm, uint64_t table, unsigned index, uint32_t **low)
{
	uint64_t *e = entry_at(vm, (table & FRAME_BITS) + index * 8, 8);

	*low = (uint32_t *)e;
	return e ? *e : 0;
}

static bool walk_pae(struct vm *vm, gva_t a, struct walk *w)
{
	uint64_t rsvd = BEYOND_PHYS | (vm->cpu.efer & EFER_NXE ? 0 : NX_BIT);
	uint64_t pdpte = vm->cpu.pdpte[a.v >> 30], pde, pte;

	if (!(pdpte & PTE_P))
		return false;
	pde = entry_64(vm, pdpte, (a.v >> 21) & 511, &w->pde);
	if (!(pde & PTE_P))
		return false;
	if (pde & (rsvd | (pde & PTE_PS ? LARGE_2M_RSVD : 0)))
		return reserved(w);
	if (pde & PTE_PS) {
		w->leaf = w->pde;
		w->pa.v = (pde & FRAME_BITS & ~0x1fffffull) | (a.v & 0x1ff000);
		w->flags = (pde & LARGE_FLAGS) | (pde & NX_BIT ? PTE_NX : 0);
		return true;
	}
	pte = entry_64(vm, pde, (a.v >> 12) & 511, &w->leaf);
	if (!(pte & PTE_P))
		return false;
	if (pte & rsvd)
		return reserved(w);
	w->pa.v = pte & FRAME_BITS;
	w->flags = both_levels(pde, pte) | ((pde | pte) & NX_BIT ? PTE_NX : 0);
	return true;
}

bool mmu_probe(struct vm *vm, gva_t a, struct walk *w)
{
	const struct vcpu *c = &vm->cpu;

	w->leaf = w->pde = NULL;
	w->flags = 0;
	if (!vcpu_paging(c)) {
		w->pa.v = a.v & PAGE_MASK;
		w->flags = PTE_P | PTE_W | PTE_U | PTE_A | PTE_D;
		return true;
	}
	if (!(c->cr4 & CR4_PAE ? walk_pae(vm, a, w) : walk_32(vm, a, w)))
		return false;
	if (!(c->cr4 & CR4_PGE))
		w->flags &= ~PTE_G;
	return true;
}

bool mmu_load_pdptes(struct vm *vm, uint32_t cr3)
{
	const uint64_t *table = entry_at(vm, cr3 & ~31u, 32);
	unsigned i;

	if (!table)
		return false;		/* all ones */
	for (i = 0; i < 4; i++)
		if ((table[i] & PTE_P) && (table[i] & PDPTE_RSVD))
			return false;
	memcpy(vm->cpu.pdpte, table, sizeof vm->cpu.pdpte);
	return true;
}

bool mmu_allowed(struct vm *vm, const struct walk *w, uint32_t how)
{
	if ((how & ACC_USER) && !(w->flags & PTE_U))
		return false;
	if ((how & ACC_EXEC) && (w->flags & PTE_NX))
		return false;
	if ((how & ACC_WRITE) && !(w->flags & PTE_W))
		return !(how & ACC_USER) && !(vm->cpu.cr0 & CR0_WP);
	return true;
}

void mmu_mark(struct walk *w, uint32_t how)
{
	uint32_t bits = PTE_A | (how & ACC_WRITE ? PTE_D : 0);

	if (!w->leaf)
		return;
	if ((*w->leaf & bits) != bits)
		*w->leaf |= bits;
	if (!(*w->pde & PTE_A))
		*w->pde |= PTE_A;
	w->flags |= bits;
}

bool mmu_translate(struct vm *vm, gva_t a, uint32_t how, struct walk *w, struct fault *f)
{
	bool present = mmu_probe(vm, a, w);

	if (present && mmu_allowed(vm, w, how)) {
		mmu_mark(w, how);
		return true;
	}
	f->vector = VEC_PF;
	/* The I bit is only reported with execute-disable or SMEP (SDM 3, 4.7). */
	f->error = (how & (PF_W | PF_U)) | (vcpu_nx(&vm->cpu) ? how & PF_I : 0) |
		   (present ? PF_P : w->flags & PTE_RSVD ? PF_P | PF_RSVD : 0);
	f->cr2 = a.v;
	return false;
}
