/* SPDX-License-Identifier: BSD-2-Clause */
/* Bit sets over byte offsets, as the scanner keeps them. */
#ifndef LILYVM_REWRITER_BITS_H
#define LILYVM_REWRITER_BITS_H

#include <stdbool.h>
#include <stdint.h>

static inline bool bit_test(const uint64_t *b, uint32_t i)
{
	return b[i >> 6] >> (i & 63) & 1;
}

static inline void bit_set(uint64_t *b, uint32_t i)
{
	b[i >> 6] |= 1ull << (i & 63);
}

static inline void bit_clear(uint64_t *b, uint32_t i)
{
	b[i >> 6] &= ~(1ull << (i & 63));
}

/* The first set bit in [from, end), or end. */
static inline uint32_t bit_next(const uint64_t *b, uint32_t from, uint32_t end)
{
	while (from < end) {
		uint64_t w = b[from >> 6] >> (from & 63);

		if (w) {
			from += (uint32_t)__builtin_ctzll(w);
			return from < end ? from : end;
		}
		from = (from | 63) + 1;
	}
	return end;
}

/* The last set bit in [0, from], or -1. */
static inline int bit_last(const uint64_t *b, uint32_t from)
{
	int word = (int)(from >> 6);
	uint64_t w = b[word] << (63 - (from & 63)) >> (63 - (from & 63));

	while (!w) {
		if (--word < 0)
			return -1;
		w = b[word];
	}
	return word * 64 + 63 - __builtin_clzll(w);
}

#endif
