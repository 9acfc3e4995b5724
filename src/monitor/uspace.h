/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guest address spaces and their children: one child per CR3, the least
 * recently used goes first.
 */
#ifndef LILYVM_USPACE_H
#define LILYVM_USPACE_H

#include "hostos/engine.h"
#include "monitor/mirror.h"
#include "types.h"

struct vm;

struct child {
	struct child *next;		/* most recently used first */
	uint32_t cr3;
	uint64_t flushes;		/* value of pool.flushes when it was repaired last */
	struct uspace *us;
	struct view view;
	/* Host LDT entries of the child as they were set last; sel is the
	 * guest's, attr 0 stands for none. */
	struct segment *ldt;
	unsigned nldt;
	unsigned nlocal;		/* entries that mirror the guest's LDT */
	uint32_t dr[8];			/* its debug registers, likewise */
};

struct pool {
	struct child *first;
	unsigned n, max;
	uint64_t flushes;		/* TLB flushes so far */
	struct child *current;		/* of the loaded CR3, NULL if not looked up */
};

/* An empty pool; ends all children. */
void pool_init(struct vm *vm);
void pool_free(struct vm *vm);
/* The TLB was flushed (CR3 load, CR4 change). */
void pool_flush(struct vm *vm);
/* CR3 was loaded: its child is likely to run soon. */
void pool_expect(struct vm *vm);
/* One page of the current address space was flushed. */
void pool_invlpg(struct vm *vm, uint32_t va);
/* Interprets the instruction at eip, in user mode. */
void user_interpret(struct vm *vm);
/* Runs guest user code until something has to be done in kernel mode. */
void user_run(struct vm *vm);

#endif
