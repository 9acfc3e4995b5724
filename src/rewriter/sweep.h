/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tells instructions from data in a stretch of 32-bit code.  Pure: touches
 * only the memory it is given.
 */
#ifndef LILYVM_SWEEP_H
#define LILYVM_SWEEP_H

#include "rewriter/insn.h"

struct sweep {
	/* Input.  Offsets count from code; the bit sets have a bit for each of
	 * [0, end) and are zero at first. */
	const uint8_t *code;	/* without our own substitutes */
	uint32_t start, end;	/* instructions start in [start, end) */
	uint32_t size;		/* bytes that may be read */
	uint32_t vaddr;		/* linear address of code[0] */
	uint32_t text, text_size;	/* linear addresses that a table in the code may hold */
	bool start_known;	/* start is an instruction boundary that is reached */
	bool bug_data;		/* a ud2 may be a Linux 2.4 BUG() with 6 bytes of data */
	/* Late code may hold substitutes that the kernel copied: at a boundary
	 * they are decoded as what they stand for.  Returns the original of the
	 * catch-all at offset off, or -1. */
	bool late;
	int (*copied)(void *ctx, uint32_t off);
	/* Where sweep_descend() finds execution to go on: a place outside of the
	 * range, or one too many to keep.  NULL: not of interest. */
	void (*leaves)(void *ctx, uint32_t linear);
	void *ctx;

	/* Optional scratch, bit sets for [0, end], zero at first: they save decoding
	 * most instructions twice.  Where the first pass stood, and where it saw an
	 * instruction of which no more than the length matters. */
	uint64_t *first, *plain;

	/* Output. */
	uint64_t *bound;	/* instruction boundaries; none in data */
	uint64_t *proven;	/* those among them that execution reaches for certain */
	uint64_t *target;	/* targets of direct branches */
	uint32_t *found;	/* offsets of instructions with a kind other than IK_NONE */
	size_t nfound, found_max;
	bool no_memory;		/* found could not grow */
	uint64_t decoded;	/* bytes that went through the decoder */
};

#define SWEEP_FETCH 32

/* Copies the bytes from off on, SWEEP_FETCH or as many as there are, and undoes
 * the copied substitute of late code at their start.  Returns how many. */
uint32_t sweep_fetch(struct sweep *s, uint32_t off, uint8_t *bytes);

/* Decodes the instruction at off as insn_decode() does; late code: as it was
 * before substitution.  A catch-all that is unknown has no kind. */
int sweep_decode(struct sweep *s, struct insn *in, uint32_t off);

/* Does a guest's execution never go on behind this instruction? */
bool sweep_ends_flow(const struct insn *in);

/*
 * Follows execution from entry, through direct branches within the range, up to
 * boundaries that are known already; what it sees is proven.
 */
void sweep_descend(struct sweep *s, uint32_t entry);

/*
 * Sweeps the whole range: first for branch targets, then for boundaries.  See
 * the head of sweep.c for how code is told from data.
 */
void sweep_range(struct sweep *s);

/* Notes that an instruction starts at off. */
void sweep_mark(struct sweep *s, const struct insn *in, uint32_t off);

#endif
