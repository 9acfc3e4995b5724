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
	uint32_t mode;
	struct insn insn;
};

/* Direct-mapped.  All zero is empty. */
struct insn_cache {
	struct insncache_entry entry[INSNCACHE_SIZE];
};

/* How the bytes are read. */
enum insncache_mode {
	INSN_EMPTY,
	INSN_16, INSN_32,		/* code segments of 16 and 32 bits */
	INSN_SITES,			/* 32 bits, with the forms of runtime/abi.h */
};

/* The instruction at linear address eip, where memory holds bytes16 (filled up with
 * anything constant where fewer are readable), or NULL if it is not known.  Valid until
 * the next insncache_put(). */
static inline const struct insn *insncache_find(const struct insn_cache *cache, uint32_t eip,
						const uint8_t *bytes16,
						enum insncache_mode mode)
{
	/* Both the place in the page and the page spread the entries. */
	const struct insncache_entry *e = &cache->entry[(eip ^ eip >> PAGE_SHIFT) % INSNCACHE_SIZE];
	uint64_t bytes[2];

	memcpy(bytes, bytes16, sizeof(bytes));
	if (e->eip == eip && e->mode == mode && e->bytes[0] == bytes[0] && e->bytes[1] == bytes[1])
		return &e->insn;
	return NULL;
}
/* Keeps insn as what stands there; one that is longer than bytes16 is not found again. */
const struct insn *insncache_put(struct insn_cache *cache, uint32_t eip, const uint8_t *bytes16,
				 const struct insn *insn, enum insncache_mode mode);
/* What patched bytes of the page at linear address page stand for has changed. */
void insncache_forget(struct insn_cache *cache, uint32_t page);

#endif
