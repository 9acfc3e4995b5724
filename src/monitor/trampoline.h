/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Trampolines: hot sensitive instructions of a binary kernel, turned into jumps
 * to code in the runtime window that does the same without a trap.
 *
 * The jump covers the instruction and some that follow; these are carried out in
 * the trampoline.  It is safe to land inside the covered bytes (a return address,
 * a branch): every instruction boundary there holds a byte that traps, and the
 * emulator knows the original.  Whatever stops the guest inside a trampoline is
 * turned back into the guest's own state by a table of points.
 */
#ifndef LILYVM_TRAMPOLINE_H
#define LILYVM_TRAMPOLINE_H

#include "rewriter/insn.h"
#include "runtime/abi.h"
#include "types.h"

struct vm;

#define TRAMP_MAX 2048
#define TRAMP_POINTS 24
#define TRAMP_JUMP 5u			/* bytes of the jump at the site */
#define TRAMP_HASH 1024
#define TRAMP_GRANULE 16u
#define TRAMP_HEAT 4096
#define TRAMP_LANDED 512

struct tramp_point {
	uint8_t off;			/* in the trampoline */
	uint8_t guest;			/* the guest's eip, from the site */
	uint8_t undo;			/* enum tramp_undo */
};

struct tramp {
	uint32_t site, addr;		/* linear; site 0: free */
	uint64_t gpa;			/* of the site */
	uint32_t gated;			/* the harmless instruction that takes the gate; 0: none */
	uint64_t epoch;			/* CR3 loads when passages were counted */
	uint8_t passages;
	uint8_t len, size, npoints;
	uint8_t patched[TRAMP_JUMP];	/* what the jump replaced */
	uint8_t original[TRAMP_JUMP];	/* what the guest's compiler wrote there */
	uint16_t next;			/* same hash; index + 1 */
	struct tramp_point point[TRAMP_POINTS];
};

struct tramps {
	struct tramp tramp[TRAMP_MAX];
	unsigned n;			/* used so far; freed ones are reused */
	uint16_t hash[TRAMP_HASH];
	uint16_t owner[WINDOW_SIZE / TRAMP_GRANULE];
	bool open[WINDOW_SIZE / PAGE_SIZE];	/* pages that can be executed */
	struct { uint32_t site; uint8_t count; } heat[TRAMP_HEAT];
	uint32_t landed[TRAMP_LANDED];	/* where code was seen to branch into a jump */
};

/* Takes all trampolines out (reset). */
void tramp_clear(struct vm *vm);

/* A sensitive instruction trapped at the current eip: counts, and makes a
 * trampoline when it is hot and can have one. */
void tramp_heat(struct vm *vm, const struct insn *insn);
/* The same for a harmless instruction at eip that faulted on a short-lived mapping
 * and is going to be interpreted. */
void tramp_heat_access(struct vm *vm);
/* The instruction at eip has taken the gate: one that does too often goes back to
 * running directly. */
void tramp_passed(struct vm *vm);
/* Kernel code came to a, inside the bytes of a jump, and trapped: that site has
 * to be covered in another way. */
void tramp_landed(struct vm *vm, uint32_t a);
/* The trampoline that covers linear address a, or NULL. */
const struct tramp *tramp_covering(const struct vm *vm, uint32_t a);
/* Puts the guest's original bytes over n bytes that were read at a. */
void tramp_undo(const struct vm *vm, uint32_t a, uint8_t *bytes, unsigned n);
/* Takes the jumps out of a copy of the page of RAM at gpa. */
void tramp_restore(const struct vm *vm, uint64_t gpa, uint8_t *page);
/* Takes the trampolines out of a frame of guest RAM. */
void tramp_drop_frame(struct vm *vm, uint32_t frame);

/* Kernel code was stopped: eip, if it is in a trampoline, back into the guest's code. */
void tramp_leave(struct vm *vm);

#endif
