/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System calls without a trap, for guests whose user programs make them by a routine in
 * a page that the kernel supplies (Linux' vdso).  A child is shown a copy of that page,
 * in which a far jump to the engine's gate stands in place of the routine's first
 * instructions; the monitor carries those out.  The guest's own page stays as it is.
 */
#ifndef LILYVM_GATE_H
#define LILYVM_GATE_H

#include "monitor/mirror.h"
#include "types.h"

struct vm;
struct child;

struct gate {
	bool set;			/* a page was recognized, and is that frame */
	uint32_t frame;
	unsigned at;			/* where in it the far jump lies */
	unsigned changes;		/* how often it was given up */
	uint8_t page[PAGE_SIZE];	/* as the guest has it */
};

/* The offset in a vdso's page at which a far jump (ENGINE_GATE_JUMP bytes) can stand in
 * place of the way into the kernel; 0: it is none that we know.  Pure. */
unsigned gate_recognize(const uint8_t page[PAGE_SIZE]);
/* The page of va was mapped in a child's view as entry e: shows the copy instead if it
 * is the one. */
void gate_filled(struct view *v, uint32_t va, uint32_t e);
/* Is the guest's page still what the copy shows?  If not, no child shows it any more. */
void gate_verify(struct vm *vm);
/* No child shows the copy any more. */
void gate_drop(struct vm *vm);
/* Does eip lie behind the start of the far jump in the child? */
bool gate_inside(struct vm *vm, const struct child *ch);
/* The child came through the gate: puts eip where it came from.  False: nothing in it
 * leads there. */
bool gate_came(struct vm *vm, const struct child *ch);

#endif
