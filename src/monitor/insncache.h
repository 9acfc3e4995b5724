/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Decoded instructions by address.  An entry counts only while the bytes at
 * its address are the ones it was decoded from, so code that changes, and
 * addresses that show another page after a CR3 load, need no flush.
 */
#ifndef LILYVM_INSNCACHE_H
#define LILYVM_INSNCACHE_H

#include "rewriter/insn.h"

#include <string.h>

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

/*
 * The two halves of insncache_get() for patched code: bytes16 is what memory
 * holds, original what it stands for.  find returns NULL on a miss.
 */
static inline const struct insn *insncache_find(const struct insn_cache *cache, uint32_t eip,
						const uint8_t *bytes16, unsigned bits)
{
	/* Both the place in the page and the page spread the entries. */
	const struct insncache_entry *e = &cache->entry[(eip ^ eip >> PAGE_SHIFT) % INSNCACHE_SIZE];
	uint64_t bytes[2];

	memcpy(bytes, bytes16, sizeof(bytes));
	if (e->eip == eip && e->bits == bits && e->bytes[0] == bytes[0] && e->bytes[1] == bytes[1])
		return &e->insn;
	return NULL;
}
const struct insn *insncache_put(struct insn_cache *cache, uint32_t eip, const uint8_t *bytes16,
				 const uint8_t *original, unsigned bits);
/* What patched bytes of the page at linear address page stand for has changed. */
void insncache_forget(struct insn_cache *cache, uint32_t page);

#endif
