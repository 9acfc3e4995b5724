/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The debugger's session as the VM's life cycle sees it.  What the run loop
 * calls, gdb_stopped() and gdb_poll(), stands in target.h.
 */
#ifndef LILYVM_GDB_H
#define LILYVM_GDB_H

#include "error.h"

#include <stdbool.h>

struct gdb;
struct vm;

/*
 * Opens the port that spec names (hostos/gdbport.h).  wait: the first stop
 * lasts until a debugger connects and lets the guest run.  kick(ctx) is called
 * from another thread when gdb_poll() has something to do.  0, or -1 with *e.
 */
int gdb_open(struct gdb **g, struct vm *vm, const char *spec, bool wait,
	     void (*kick)(void *ctx), void *ctx, struct error *e);
/* Hangs up; safe to call twice (*g becomes NULL). */
void gdb_close(struct gdb **g);
/* The VM is ending: nothing waits for the debugger any more; from any thread. */
void gdb_cancel(struct gdb *g);

#endif
