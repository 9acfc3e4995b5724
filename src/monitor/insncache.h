/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Decoded instructions by address.  An entry counts only while the bytes at
 * its address are the ones it was decoded from, so code that changes, and
 * addresses that show another page after a CR3 load, need no flush.
 */
#ifndef LILYVM_INSNCACHE_H
#define LILYVM_INSNCACHE_H

#include "rewriter/insn.h"

#define INSNCACHE_SIZE 4096

struct insncache_entry {
	uint64_t bytes[2];
	uint32_t eip;
	uint32_t bits;			/* 16 or 32; 0: empty */
	struct insn insn;
};

/* Direct-mapped.  All zero is empty. */
struct insn_cache {
	struct insncache_entry entry[INSNCACHE_SIZE];
};

/*
 * The instruction at linear address eip, whose first 16 bytes are bytes16
 * (filled up with anything constant where fewer are readable), in a code
 * segment of 16 or 32 bits.  Valid until the next call; its cls is IC_INVALID
 * if the bytes are no instruction.
 */
const struct insn *insncache_get(struct insn_cache *cache, uint32_t eip, const uint8_t *bytes16,
				 unsigned bits);

#endif
