/* SPDX-License-Identifier: BSD-2-Clause */
/* Timers of the devices, in virtual time; one host timer serves them all. */
#ifndef LILYVM_EVENT_H
#define LILYVM_EVENT_H

#include "types.h"

struct vm;

#define EVENT_TIMERS 16

struct event_timer {
	uint64_t deadline;		/* virtual ns; UINT64_MAX: off */
	void (*fire)(void *ctx);
	void *ctx;
};

struct events {
	struct event_timer timer[EVENT_TIMERS];
	unsigned ntimers;
	uint64_t epoch;			/* host time of virtual time 0 */
	bool rearm;			/* the earliest deadline may have changed */
};

/* Registers a timer, of at most EVENT_TIMERS; returns its number. */
unsigned event_timer_new(struct vm *vm, void (*fire)(void *ctx), void *ctx);
/* Sets timer n to virtual time deadline, ns; UINT64_MAX turns it off. */
void event_timer_arm(struct vm *vm, unsigned n, uint64_t deadline);
/* Virtual time since power-on, ns. */
uint64_t event_now(struct vm *vm);
/* Fires what is due, sets the host's timer for the next deadline. */
void event_service(struct vm *vm);
/* No timers; virtual time begins. */
void event_init(struct vm *vm);

#endif
