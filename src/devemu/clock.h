/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Virtual time in nanoseconds <-> cycles of a chip's input clock, exact and
 * without drift: the position is kept as a whole second plus a fraction, so
 * that every product fits 64 bits for as long as the machine runs.
 *
 * No 64-bit division: a 32-bit kernel that links a chip has no libgcc.
 */
#ifndef LILYVM_DEVEMU_CLOCK_H
#define LILYVM_DEVEMU_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#define DEV_NS_PER_SEC 1000000000u
#define DEV_NO_TICK UINT64_MAX

struct dev_clock {
	uint32_t hz;		/* below 2^24 */
	uint64_t ns;		/* the last whole second, since power-on */
	uint64_t ticks;		/* cycles up to there */
};

/* n / d, and the remainder in *rem unless it is NULL; d is not 0. */
static inline uint64_t dev_div(uint64_t n, uint32_t d, uint32_t *rem)
{
	uint64_t q = 0, r = 0;

	if (n <= UINT32_MAX) {
		q = (uint32_t)n / d;
		r = (uint32_t)n % d;
	} else {
		for (int i = 63; i >= 0; i--) {
			r = r << 1 | (n >> i & 1);
			q <<= 1;
			if (r >= d) {
				r -= d;
				q |= 1;
			}
		}
	}
	if (rem)
		*rem = (uint32_t)r;
	return q;
}

/*
 * x / 10^9 for x below 2^54, fast: 4611686018 is 2^62 / 10^9 rounded down, and
 * what the truncations lose is less than 0.02, so the estimate is right or one
 * too small.
 */
static inline uint64_t dev_div_billion(uint64_t x)
{
	uint64_t q = (x >> 24) * 4611686018u >> 38;

	return q + (x - q * DEV_NS_PER_SEC >= DEV_NS_PER_SEC);
}

/* Whole cycles from power-on to the virtual time ns. */
static inline uint64_t dev_clock_ticks(struct dev_clock *c, uint64_t ns)
{
	uint64_t past = ns > c->ns ? ns - c->ns : 0;
	uint32_t frac = (uint32_t)past;

	if (past >= DEV_NS_PER_SEC) {
		uint64_t secs = dev_div(past, DEV_NS_PER_SEC, &frac);

		c->ns += secs * DEV_NS_PER_SEC;
		c->ticks += secs * c->hz;
	}
	return c->ticks + dev_div_billion((uint64_t)frac * c->hz);
}

/*
 * The earliest virtual time at which dev_clock_ticks() reaches tick; a time
 * that has passed if tick has; UINT64_MAX for DEV_NO_TICK.
 */
static inline uint64_t dev_clock_ns(const struct dev_clock *c, uint64_t tick)
{
	uint64_t secs;
	uint32_t rest;

	if (tick == DEV_NO_TICK)
		return UINT64_MAX;
	if (tick <= c->ticks)
		return c->ns;
	secs = dev_div(tick - c->ticks, c->hz, &rest);
	return c->ns + secs * DEV_NS_PER_SEC +
	       dev_div((uint64_t)rest * DEV_NS_PER_SEC + c->hz - 1, c->hz, NULL);
}

#endif
