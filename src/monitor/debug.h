/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The debugger's hold on a running VM: breakpoints, watchpoints, single steps,
 * stopping and going on.
 *
 * Guest memory is never written.  A page that a point lies in is *owned*: it is
 * not executable in any view, not writable where writes are watched, and not
 * there at all where reads are.  Whatever the guest does with it comes to the
 * monitor, which carries out that one instruction itself; so points survive all
 * that the guest does to its memory, cannot be seen by it, and cost nothing
 * elsewhere.
 */
#ifndef LILYVM_DEBUG_H
#define LILYVM_DEBUG_H

#include "gdb/target.h"
#include "types.h"

#define DEBUG_POINTS 128

struct debug_point {
	enum gdb_point type;
	uint32_t addr, len;
	bool any_space;
	uint32_t cr3;			/* the address space, unless any_space */
	int slot;			/* debug register for user mode; -1: none */
};

struct debug {
	/* What the run loop and guestmem.c look at. */
	bool on;			/* points, or a step: debug_run() before each entry */
	bool watches;			/* accesses have to be reported */
	bool hold;			/* a step is under way: interrupts wait */
	bool direct;			/* one instruction runs on the CPU, with TF set and
					   every page as without points */
	volatile int stop_wanted;
	bool begun;			/* the guest has been let run */
	bool no_registers;		/* the host refuses debug registers */

	enum gdb_resume how;
	uint32_t start, end;		/* GDB_RANGE */
	bool moved;			/* something has been carried out since the resume */
	bool waking;			/* the step began in hlt: it ends with the interrupt */
	bool one;			/* the instruction at eip touches an owned page */
	bool trapped;			/* direct: TF has trapped */
	/* An interrupt within a range: its handler runs up to its return. */
	bool over;
	uint32_t over_at, over_esp, over_cr3;
	struct gdb_stop_info hit;	/* GS_WATCH: to be told after the instruction */

	uint64_t pages;			/* hash of the owned pages' numbers */
	unsigned npoints;
	struct debug_point point[DEBUG_POINTS];
};

/* DR6: single step, and the four addresses (SDM 3, 17.2.3). */
#define DR6_BS 0x4000u
#define DR6_B 0xfu

static inline bool debug_is_break(const struct debug_point *p)
{
	return p->type == GP_SOFTWARE || p->type == GP_HARDWARE;
}

/* Does p count in the address space cr3? */
static inline bool debug_counts(const struct debug_point *p, uint32_t cr3)
{
	return p->any_space || p->cr3 == cr3;
}

/* ---- the debugger's side (gdb/target.c) ---- */

bool debug_insert(struct vm *vm, enum gdb_point type, uint32_t addr, uint32_t len, bool any_space);
bool debug_remove(struct vm *vm, enum gdb_point type, uint32_t addr, uint32_t len);
void debug_remove_all(struct vm *vm);
void debug_resume(struct vm *vm, enum gdb_resume how, uint32_t start, uint32_t end);

/* ---- the run loop's side ---- */

/* After a kick: the debugger may have something to say, or be told. */
void debug_service(struct vm *vm);
/* The guest died, with ST_TRIPLE, ST_LIMIT or ST_PANIC: a debugger that is
 * connected may look at it before the VM ends. */
void debug_last_look(struct vm *vm);
/* The machine is to be reset by a triple fault: the same, at the next service. */
void debug_triple_fault(struct vm *vm);
/* Before the guest is entered: stops at a breakpoint, carries out a step or an
 * instruction in an owned page.  False: the guest can run directly. */
bool debug_run(struct vm *vm);
/* Is the code at eip in an owned page? */
bool debug_covers(struct vm *vm);
/* A page fault at a was caused by an owned page: debug_run() does what is to do. */
bool debug_fault(struct vm *vm, uint32_t a);
/* #DB while d->direct; status: what the guest would find in DR6.  True if the
 * guest has to get it, too. */
bool debug_trap(struct vm *vm, uint32_t *status);

/* The entry e of the page at va, of a child's view or the kernel's, without the
 * rights that points take. */
uint32_t debug_entry(const struct vm *vm, bool child, uint32_t va, uint32_t e);
/* The guest, or the host, has taken the debug registers, or given them back. */
void debug_registers_changed(struct vm *vm);
/* The watched address a of p has been accessed: stops after the instruction. */
void debug_hit(struct vm *vm, const struct debug_point *p, uint32_t a);
/* An instruction accesses n bytes at a. */
void debug_access(struct vm *vm, uint32_t a, uint32_t n, bool write);

/* ---- breakreg.c ---- */

/* A debug register for the new point p, or -1. */
int breakreg_slot(struct vm *vm, const struct debug_point *p);
/* Is p watched by its register while user code runs? */
bool breakreg_watches(const struct vm *vm, const struct debug_point *p);
/* What user code's debug registers are to hold: the guest's, or in dr ours. */
const uint32_t *breakreg_values(const struct vm *vm, uint32_t dr[8]);
/* #DB in user mode; *status: DR6.  True if the guest has to get it, *status is
 * what is left for it then. */
bool breakreg_trap(struct vm *vm, uint32_t *status);

#endif
