/* SPDX-License-Identifier: BSD-2-Clause */
#include "monitor/insncache.h"

#include <string.h>

const struct insn *insncache_get(struct insn_cache *cache, uint32_t eip, const uint8_t *bytes16,
				 unsigned bits)
{
	/* Both the place in the page and the page spread the entries. */
	struct insncache_entry *e = &cache->entry[(eip ^ eip >> PAGE_SHIFT) % INSNCACHE_SIZE];
	uint64_t bytes[2];

	memcpy(bytes, bytes16, sizeof(bytes));
	if (e->eip == eip && e->bits == bits && e->bytes[0] == bytes[0] && e->bytes[1] == bytes[1])
		return &e->insn;
	insn_decode(&e->insn, bytes16, sizeof(bytes), bits);
	memcpy(e->bytes, bytes, sizeof(bytes));
	e->eip = eip;
	e->bits = bits;
	return &e->insn;
}
