/* SPDX-License-Identifier: BSD-2-Clause */
/* 32-bit paging (SDM 3, 4.3): 4 KiB pages, and 4 MiB pages with CR4.PSE. */
#include "monitor/machine.h"

static uint32_t *entry_at(struct vm *vm, uint64_t pa)
{
	return gmem_ram(vm, GPA(pa), 4);
}

bool mmu_probe_cr3(struct vm *vm, uint32_t cr3, gva_t a, struct walk *w)
{
	uint32_t pde, pte;

	if (!vcpu_paging(&vm->cpu)) {
		w->pa.v = a.v & PAGE_MASK;
		w->flags = PTE_P | PTE_W | PTE_U | PTE_A | PTE_D;
		w->leaf = w->pde = NULL;
		return true;
	}
	w->leaf = NULL;
	w->pde = entry_at(vm, (cr3 & PAGE_MASK) + (a.v >> 22) * 4);
	if (!w->pde || !((pde = *w->pde) & PTE_P))
		return false;
	if ((pde & PTE_PS) && (vm->cpu.cr4 & CR4_PSE)) {
		w->leaf = w->pde;
		w->pa.v = (pde & 0xffc00000) | (a.v & 0x3ff000);
		w->flags = pde & (PTE_P | PTE_W | PTE_U | PTE_A | PTE_D | PTE_PS | PTE_G);
	} else {
		w->leaf = entry_at(vm, (pde & PAGE_MASK) + ((a.v >> 12) & 1023) * 4);
		if (!w->leaf || !((pte = *w->leaf) & PTE_P))
			return false;
		w->pa.v = pte & PAGE_MASK;
		w->flags = (pte & pde & (PTE_P | PTE_W | PTE_U | PTE_A)) | (pte & (PTE_D | PTE_G));
	}
	if (!(vm->cpu.cr4 & CR4_PGE))
		w->flags &= ~PTE_G;
	return true;
}

bool mmu_probe(struct vm *vm, gva_t a, struct walk *w)
{
	return mmu_probe_cr3(vm, vm->cpu.cr3, a, w);
}

bool mmu_allowed(struct vm *vm, const struct walk *w, uint32_t how)
{
	if ((how & ACC_USER) && !(w->flags & PTE_U))
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
	f->error = (present ? PF_P : 0) | (how & (PF_W | PF_U));
	f->cr2 = a.v;
	return false;
}
