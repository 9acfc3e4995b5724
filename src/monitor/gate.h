/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System calls without a trap, for guests whose user programs make them by a routine in
 * a page that the kernel supplies (Linux' vdso).  A child is shown a copy of that page,
 * in which a far jump to the engine's gate stands in place of some of the routine's
 * instructions; the monitor carries those out.  The guest's own page stays as it is.
 */
#ifndef LILYVM_GATE_H
#define LILYVM_GATE_H

#include "monitor/mirror.h"
#include "types.h"

struct vm;
struct child;

/* Offsets in a vdso's page. */
struct gate_place {
	unsigned entry;			/* the first byte that the copy has otherwise */
	unsigned at;			/* the far jump, ENGINE_GATE_JUMP bytes */
	bool brief;			/* at entry is a short jump to it */
};

struct gate {
	bool set;			/* a page was recognized, and is that frame */
	uint32_t frame;
	struct gate_place place;
	unsigned changes;		/* how often it was given up */
	uint8_t page[PAGE_SIZE];	/* as the guest has it */
};

/* Where in a vdso's page a far jump can stand in place of the way into the kernel; false:
 * it is no page that we know.  Pure. */
bool gate_recognize(const uint8_t page[PAGE_SIZE], struct gate_place *p);
/* The page of va was mapped in a child's view as entry e: shows the copy instead if it
 * is the one. */
void gate_filled(struct view *v, uint32_t va, uint32_t e);
/* Is the guest's page still what the copy shows?  If not, no child shows it any more. */
void gate_verify(struct vm *vm);
/* No child shows the copy any more. */
void gate_drop(struct vm *vm);
/* Would the child find other bytes at eip than the guest has there, and not the way to the
 * gate? */
bool gate_inside(struct vm *vm, const struct child *ch);
/* The child stopped: between the two jumps the guest's eip is that of the first one. */
void gate_stopped(struct vm *vm, const struct child *ch);
/* The child came through the gate: puts eip where it came from.  False: nothing in it
 * leads there. */
bool gate_came(struct vm *vm, const struct child *ch);

#endif
