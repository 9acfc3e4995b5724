/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A ring of frames between two threads, one that puts and one that takes.  Each
 * frame lies in one piece behind its length.
 */
#ifndef LILYVM_HOSTOS_LINUX_FRAMERING_H
#define LILYVM_HOSTOS_LINUX_FRAMERING_H

#include <stdatomic.h>
#include <stdint.h>

#define FRAMERING_SIZE (1u << 20)	/* bytes; holds several of the longest frames */
#define FRAMERING_WRAP UINT32_MAX	/* instead of a length: goes on at the start */

struct framering {
	/* Bytes that have been put and taken, modulo 2^32. */
	_Alignas(64) _Atomic uint32_t put;
	_Alignas(64) _Atomic uint32_t taken;
	_Alignas(64) uint8_t mem[FRAMERING_SIZE];
};

static inline void framering_init(struct framering *r)
{
	atomic_init(&r->put, 0);
	atomic_init(&r->taken, 0);
}

static inline uint32_t framering_record(uint32_t len)
{
	return (len + 4 + 7) & ~7u;
}

static inline uint32_t framering_free(struct framering *r)
{
	return FRAMERING_SIZE - (atomic_load_explicit(&r->put, memory_order_relaxed) -
				 atomic_load_explicit(&r->taken, memory_order_acquire));
}

/* Room for a frame of len bytes, or NULL; the putting side's. */
static inline uint8_t *framering_reserve(struct framering *r, uint32_t len)
{
	uint32_t put = atomic_load_explicit(&r->put, memory_order_relaxed);
	uint32_t at = put % FRAMERING_SIZE, record = framering_record(len);
	uint32_t skip = FRAMERING_SIZE - at < record ? FRAMERING_SIZE - at : 0;

	if (framering_free(r) < skip + record)
		return NULL;
	if (skip) {
		*(uint32_t *)(void *)&r->mem[at] = FRAMERING_WRAP;
		at = 0;
		atomic_store_explicit(&r->put, put + skip, memory_order_release);
	}
	return &r->mem[at + 4];
}

/* The frame of len bytes is complete. */
static inline void framering_commit(struct framering *r, uint32_t len)
{
	uint32_t put = atomic_load_explicit(&r->put, memory_order_relaxed);

	*(uint32_t *)(void *)&r->mem[put % FRAMERING_SIZE] = len;
	atomic_store_explicit(&r->put, put + framering_record(len), memory_order_release);
}

/* The oldest frame, or NULL; the taking side's. */
static inline const uint8_t *framering_peek(struct framering *r, uint32_t *len)
{
	uint32_t taken = atomic_load_explicit(&r->taken, memory_order_relaxed);
	uint32_t put = atomic_load_explicit(&r->put, memory_order_acquire), at;

	for (; taken != put; taken += FRAMERING_SIZE - at) {
		at = taken % FRAMERING_SIZE;
		*len = *(uint32_t *)(void *)&r->mem[at];
		if (*len != FRAMERING_WRAP)
			return &r->mem[at + 4];
		atomic_store_explicit(&r->taken, taken + FRAMERING_SIZE - at,
				      memory_order_release);
	}
	return NULL;
}

/* Done with the frame of len bytes that peek() has shown. */
static inline void framering_pop(struct framering *r, uint32_t len)
{
	atomic_fetch_add_explicit(&r->taken, framering_record(len), memory_order_release);
}

#endif
