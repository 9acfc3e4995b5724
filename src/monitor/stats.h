/* SPDX-License-Identifier: BSD-2-Clause */
/* Counters of a VM, for --stats and the monitor prompt. */
#ifndef LILYVM_STATS_H
#define LILYVM_STATS_H

#include "rewriter/insn.h"
#include "types.h"

#include <stdio.h>

struct vm;

/* X(field, what it counts) */
#define STATS_COUNTERS(X) \
	X(kernel_runs, "entries of guest kernel code") \
	X(kernel_traps, "exits by a trap") \
	X(kernel_gates, "exits through the gate") \
	X(kernel_kicks, "exits by a timer or kick") \
	X(trap_gp, "traps: sensitive instruction") \
	X(trap_pf, "traps: page fault in kernel mode") \
	X(trap_other, "traps: other exceptions") \
	X(trampolines, "trampolines made") \
	X(ahead_insns, "instructions interpreted") \
	X(fills, "pages mapped on demand, kernel view") \
	X(fill_pages, "pages mapped, kernel view, with neighbours") \
	X(exec_fills, "pages made executable") \
	X(code_flips, "code pages made writable") \
	X(user_access, "kernel accesses to user pages, interpreted") \
	X(user_runs, "entries of guest user code") \
	X(user_int80, "user: int 0x80") \
	X(user_sysenter, "user: sysenter") \
	X(user_pf, "user: page faults") \
	X(user_fills, "user: faults answered by mapping") \
	X(user_fill_pages, "user: pages mapped") \
	X(user_traps, "user: other exceptions") \
	X(user_kicks, "user: interrupted") \
	X(cr3_loads, "CR3 loads") \
	X(invlpg, "invlpg") \
	X(repairs, "repairs of a user space") \
	X(repair_changes, "pages changed by repairs") \
	X(interrupts, "interrupts delivered") \
	X(exceptions, "exceptions delivered") \
	X(halts, "hlt") \
	X(io_reads, "port reads") \
	X(io_writes, "port writes") \
	X(fpu_moves, "FPU state moved")

struct stats {
#define STATS_FIELD(f, text) uint64_t f;
	STATS_COUNTERS(STATS_FIELD)
#undef STATS_FIELD
	uint64_t kind[IK_COUNT];	/* sensitive instructions emulated */
	uint64_t port_hits[8];
};

/* As text, or as one JSON object. */
void stats_print(struct vm *vm, FILE *out, bool json);

#endif
