/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Breakpoints and watchpoints of a session.  gdb takes all of them out at every
 * stop and puts them in again before it goes on.  A point of a user program
 * belongs to the address space that was current when it was set first, so what
 * gdb takes out stays until the guest goes on without it.
 */
#ifndef LILYVM_GDB_POINTS_H
#define LILYVM_GDB_POINTS_H

#include "gdb/target.h"

#define POINTS_MAX 256

struct point {
	enum gdb_point type;
	uint32_t addr, len;
	bool any_space;
	bool leaving;			/* taken out since the guest stopped */
};

struct points {
	struct point point[POINTS_MAX];
	unsigned n;
};

/* False: no room, or the VM refuses. */
bool points_insert(struct points *p, struct vm *vm, const struct point *new);
/* Unknown points may be removed, too. */
void points_remove(struct points *p, const struct point *old);
/* The guest is going on. */
void points_settle(struct points *p, struct vm *vm);
void points_clear(struct points *p, struct vm *vm);

#endif
