/* SPDX-License-Identifier: BSD-2-Clause */
#include "monitor/insncache.h"

const struct insn *insncache_put(struct insn_cache *cache, uint32_t eip, const uint8_t *bytes16,
				 const struct insn *insn, enum insncache_mode mode)
{
	struct insncache_entry *e = &cache->entry[(eip ^ eip >> PAGE_SHIFT) % INSNCACHE_SIZE];

	memcpy(e->bytes, bytes16, sizeof(e->bytes));
	e->insn = *insn;
	e->eip = eip;
	e->mode = insn->len <= sizeof(e->bytes) ? mode : INSN_EMPTY;
	return &e->insn;
}

void insncache_forget(struct insn_cache *cache, uint32_t page)
{
	unsigned i;

	for (i = 0; i < INSNCACHE_SIZE; i++)
		if (!((cache->entry[i].eip ^ page) & PAGE_MASK))
			cache->entry[i].mode = INSN_EMPTY;
}
