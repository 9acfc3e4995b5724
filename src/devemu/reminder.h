/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Receive interrupts that are repeated.  On a cable the next frame comes a while after
 * the last, with an interrupt of its own.  Drivers rely on that when they leave frames
 * in the chip's ring: their budget was used up, or they acknowledge the interrupt of a
 * frame that has come while they read.  Here the frames of a burst come all at once, and
 * one that finds the ring full waits, so there may be no next one: the chip repeats the
 * interrupt as long as frames lie in its ring.  A driver that reads nothing is reminded
 * more and more seldom, and not for ever.
 */
#ifndef LILYVM_DEVEMU_REMINDER_H
#define LILYVM_DEVEMU_REMINDER_H

#include "devemu/devemu.h"

#define REMINDER_NS 200000u		/* a full frame takes 121 us at 100 Mbit/s */
#define REMINDER_TIMES 10u		/* without effect; each takes twice as long */

struct reminder {
	bool armed;
	uint8_t times;			/* since the driver has read */
};

/* There are frames in the ring. */
static inline void reminder_arm(struct reminder *m, const struct dev_services *s)
{
	if (m->armed || m->times >= REMINDER_TIMES)
		return;
	m->armed = true;
	s->timer(s->ctx, s->now(s->ctx) + ((uint64_t)REMINDER_NS << m->times));
}

/* The driver has read from the ring. */
static inline void reminder_read(struct reminder *m)
{
	m->times = 0;
}

/* The timer's deadline has passed: the interrupt is due, and reminder_arm(), if there
 * are still frames in the ring. */
static inline void reminder_fired(struct reminder *m)
{
	m->armed = false;
	m->times++;
}

#endif
