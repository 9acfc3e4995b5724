/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The debugger's end of the line: where gdb connects to.  A thread watches for
 * input and clients and kicks the VM; everything else is done by the caller.
 */
#ifndef LILYVM_HOSTOS_GDBPORT_H
#define LILYVM_HOSTOS_GDBPORT_H

#include "error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gdbport;

/*
 * Opens the port that spec names: [HOST:]PORT (TCP; 127.0.0.1 without HOST),
 * unix:PATH or stdio; says on standard error what to connect to.  One client
 * is served at a time, the next one waits.  kick(ctx) is called from the
 * watching thread when gdbport_read() has something to tell.  0, or -1 with *e.
 */
int gdbport_open(struct gdbport **p, const char *spec, void (*kick)(void *ctx), void *ctx,
		 struct error *e);
/* Hangs up; safe to call twice (*p becomes NULL). */
void gdbport_close(struct gdbport **p);

/* Is spec one that gdbport_open() understands? */
bool gdbport_spec_ok(const char *spec);

#define GDBPORT_JOINED -1	/* a client has connected */
#define GDBPORT_LEFT -2		/* the client has gone */
/*
 * Takes up to n bytes that have arrived: how many, 0 if there are none yet, or
 * one of the above.  Never blocks.  Once it has said 0, the next input kicks;
 * until then it says 0 at no cost.
 */
int gdbport_read(struct gdbport *p, uint8_t *buf, size_t n);
/* Writes all n bytes (waits for a slow reader; gives up when it is gone). */
void gdbport_write(struct gdbport *p, const uint8_t *buf, size_t n);
/* Makes a writer that waits give up, now and from now on; from any thread. */
void gdbport_cancel(struct gdbport *p);

#endif
