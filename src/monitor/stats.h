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
	X(user_gate, "user: system calls by the gate") \
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
	X(mmio_reads, "reads of device memory") \
	X(mmio_writes, "writes of device memory") \
	X(fpu_moves, "FPU state moved")

/*
 * What time is spent with, X(name, text): from an exit on until the guest is
 * entered again, by the reason of the exit, but for what is told apart below.
 */
#define STATS_EXITS(X) \
	X(gate, "sensitive instruction, by the gate") \
	X(trap_gp, "sensitive instruction, by a trap") \
	X(trap_pf, "page fault in kernel mode") \
	X(trap_other, "other exceptions in kernel mode") \
	X(kick, "timer or kick in kernel mode") \
	X(user_int80, "int 0x80") \
	X(user_sysenter, "sysenter") \
	X(user_gate, "system call by the gate") \
	X(user_pf, "page fault in user mode") \
	X(user_trap, "other exceptions in user mode") \
	X(user_kick, "timer or kick in user mode")
#define STATS_PHASES(X) \
	STATS_EXITS(X) \
	X(monitor, "the monitor at the start") \
	X(kernel, "guest kernel code, directly") \
	X(user, "guest user code, with its entries and stops") \
	X(fill, "pages mapped on demand") \
	X(repair, "repairs of address spaces") \
	X(device, "devices") \
	X(idle, "hlt") \
	X(stopped, "stopped by the debugger")

enum phase {
#define STATS_PHASE(name, text) PHASE_##name,
	STATS_PHASES(STATS_PHASE)
#undef STATS_PHASE
	PHASE_COUNT
};

/* A phase's time, in ticks of the TSC, and how often it began. */
struct phase_time {
	uint64_t ticks, count;
};

struct stats {
#define STATS_FIELD(f, text) uint64_t f;
	STATS_COUNTERS(STATS_FIELD)
#undef STATS_FIELD
	uint64_t kind[IK_COUNT];	/* sensitive instructions emulated */
	bool timed;
	enum phase phase;		/* the current one, since that time */
	uint64_t since;
	struct phase_time time[PHASE_COUNT];
};

const char *phase_name(enum phase p);
/* Starts measuring time. */
void stats_start(struct stats *s);

/* Another phase begins; returns the one that ends. */
static inline enum phase stats_phase(struct stats *s, enum phase p)
{
	enum phase old = s->phase;
	uint64_t now;

	if (!s->timed)
		return old;
	now = __builtin_ia32_rdtsc();
	s->time[old].ticks += now - s->since;
	s->since = now;
	s->phase = p;
	s->time[p].count++;
	return old;
}

/* A phase within another ends. */
static inline void stats_phase_end(struct stats *s, enum phase outer)
{
	if (!s->timed)
		return;
	stats_phase(s, outer);
	s->time[outer].count--;
}

/* As text, or as one JSON object. */
void stats_print(struct vm *vm, FILE *out, bool json);

#endif
