/* SPDX-License-Identifier: BSD-2-Clause */
#include "monitor/insncache.h"

const struct insn *insncache_put(struct insn_cache *cache, uint32_t eip, const uint8_t *bytes16,
				 const uint8_t *original, unsigned bits)
{
	struct insncache_entry *e = &cache->entry[(eip ^ eip >> PAGE_SHIFT) % INSNCACHE_SIZE];

	memcpy(e->bytes, bytes16, sizeof(e->bytes));
	insn_decode(&e->insn, original, sizeof(e->bytes), bits);
	e->eip = eip;
	e->bits = bits;
	return &e->insn;
}

const struct insn *insncache_get(struct insn_cache *cache, uint32_t eip, const uint8_t *bytes16,
				 unsigned bits)
{
	const struct insn *insn = insncache_find(cache, eip, bytes16, bits);

	return insn ? insn : insncache_put(cache, eip, bytes16, bytes16, bits);
}

void insncache_forget(struct insn_cache *cache, uint32_t page)
{
	unsigned i;

	for (i = 0; i < INSNCACHE_SIZE; i++)
		if (!((cache->entry[i].eip ^ page) & PAGE_MASK))
			cache->entry[i].bits = 0;
}
