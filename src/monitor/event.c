/* SPDX-License-Identifier: BSD-2-Clause */
/* Device timers in virtual time. */
#include "monitor/machine.h"

#include <string.h>

#define OFF UINT64_MAX

void event_init(struct vm *vm)
{
	memset(&vm->events, 0, sizeof vm->events);
	vm->events.epoch = host_now();
}

uint64_t event_now(struct vm *vm)
{
	return host_now() - vm->events.epoch;
}

unsigned event_timer_new(struct vm *vm, void (*fire)(void *ctx), void *ctx)
{
	struct events *ev = &vm->events;

	ev->timer[ev->ntimers] = (struct event_timer){ OFF, fire, ctx };
	return ev->ntimers++;
}

void event_timer_arm(struct vm *vm, unsigned n, uint64_t deadline)
{
	vm->events.timer[n].deadline = deadline;
	vm->events.rearm = true;
}

static uint64_t next_deadline(const struct events *ev)
{
	uint64_t next = OFF;
	unsigned i;

	for (i = 0; i < ev->ntimers; i++)
		if (ev->timer[i].deadline < next)
			next = ev->timer[i].deadline;
	return next;
}

void event_service(struct vm *vm)
{
	struct events *ev = &vm->events;
	uint64_t next = next_deadline(ev), now;
	unsigned i;

	if (next != OFF && next <= (now = event_now(vm))) {
		for (i = 0; i < ev->ntimers; i++) {
			struct event_timer *t = &ev->timer[i];

			if (t->deadline > now)
				continue;
			t->deadline = OFF;
			t->fire(t->ctx);
		}
		next = next_deadline(ev);
	}
	ev->rearm = false;
	host_timer_set(vm->hc, next == OFF ? 0 : next + ev->epoch);
}
