/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Views: host mappings that mirror guest page tables.  One view is the low
 * half of the monitor's process (kernel mode), one more belongs to each child.
 * A view remembers for each page what it maps, so that it is repaired by
 * difference instead of being rebuilt.
 */
#ifndef LILYVM_MIRROR_H
#define LILYVM_MIRROR_H

#include "monitor/mmu.h"
#include "types.h"

struct vm;
struct uspace;

/* An entry: frame address | flags. */
#define VE_P 0x01u		/* mapped */
#define VE_W 0x02u		/* writable on the host */
#define VE_X 0x04u		/* executable on the host */
#define VE_G 0x08u		/* the guest marked it global */
#define VE_U 0x10u		/* a user page */
#define VE_B 0x20u		/* has breakpoints: not executable in a child */
#define VE_N 0x40u		/* the guest marked it not executable */

/* Bits of 1024 entries. */
struct entry_set {
	uint64_t word[16];
};

struct view_table {
	uint32_t entry[1024];
	struct entry_set mapped;
	uint16_t count;			/* mapped entries */
	uint16_t nonglobal;		/* of these, without VE_G */
	/* For repairs: the guest's entries (32-bit paging) with which each mapped entry was
	 * found in order last, 0: unknown; and what that depends on besides. */
	uint32_t seen[1024], pde, mode;
};

struct view {
	struct vm *vm;
	struct uspace *us;		/* NULL: the kernel view */
	struct view_table *table[1024];
	struct entry_set tables;	/* those that there are */
	uint32_t pages;			/* mapped entries in all */
	uint32_t low_min;		/* the lowest address that the host lets us map */
	uint32_t gate;			/* where the copy of a vdso is shown, or was (gate.h); or 0 */
	uint32_t pieces;		/* host mappings that show them */
	uint32_t max_pieces;		/* the host allows about so many */
};

void view_init(struct view *v, struct vm *vm, struct uspace *us);
/* Forgets everything without host calls, frees the tables. */
void view_free(struct view *v);
/* Unmaps everything. */
void view_clear(struct view *v);

/* The entry of a page, 0 if not mapped. */
static inline uint32_t view_entry(const struct view *v, uint32_t va)
{
	const struct view_table *t = v->table[va >> 22];

	return t ? t->entry[(va >> 12) & 1023] : 0;
}

/*
 * Maps the page of va, which w translates and the guest's rights allow, with
 * neighbours that the guest maps the same way.
 * False: the host cannot map it (below vm.mmap_min_addr, or no RAM there).
 */
bool view_fill(struct view *v, uint32_t va, const struct walk *w);

/* Kernel view: protects a scanned page from writes; makes it executable, too; or
 * makes a code page writable. */
void view_make_code(struct vm *vm, uint32_t frame);
void view_make_exec(struct view *v, uint32_t va, uint32_t frame);
void view_make_writable(struct vm *vm, uint32_t frame);

/* Compares what is mapped with the guest's tables that CR3 has loaded, and changes
 * what differs.  globals: those marked global too (else they are kept, as a CR3
 * load does). */
void view_repair(struct view *v, bool globals);
/* Unmaps the page of va. */
void view_drop_page(struct view *v, uint32_t va);
/* view_repair() for one page (invlpg). */
void view_repair_page(struct view *v, uint32_t va);

#endif
