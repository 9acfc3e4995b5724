/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The fake host, for tests of the monitor: RAM is plain memory, mappings are
 * bookkeeping, time is set by hand and guest code does not run - what would
 * have happened is scripted.
 *
 * Like the process that it stands for there is one of it.
 */
#ifndef LILYVM_FAKE_H
#define LILYVM_FAKE_H

#include "hostos/engine.h"

/* Space 0 is the process (the kernel view), the others are user spaces in the
 * order of their creation. */
#define FAKE_SPACES 8
#define FAKE_CALLS 4096
#define FAKE_RUNS 64

enum fake_op { FAKE_MAP, FAKE_UNMAP, FAKE_PROTECT, FAKE_LDT };

struct fake_call {
	enum fake_op op;
	unsigned space;
	uint32_t va;			/* FAKE_LDT: the slot */
	uint64_t len, offset;
	unsigned rights;
	struct segment segment;
};

/* One scripted run of user code. */
struct fake_run {
	struct user_event ev;
	/* What user code does to its registers; NULL: nothing. */
	void (*change)(struct user_regs *r);
	uint32_t dr6;			/* what DR6 holds afterwards; 0: as before */
	/* Filled by the run: where it happened and with which registers. */
	unsigned space;
	struct user_regs seen;
};

struct fake_host {
	/* Knobs */
	uint64_t now;
	uint32_t low_min, map_limit;
	int map_error;			/* what host_low_map() answers */
	unsigned max_spaces;		/* user spaces alive at a time */
	bool fsgsbase;
	/* One direct execution; NULL: nothing happens but a kick. */
	int (*enter)(struct host_cpu *hc);
	/* Records */
	struct fake_call calls[FAKE_CALLS];
	unsigned ncalls;
	struct fake_run runs[FAKE_RUNS];
	unsigned nruns, played;
	uint64_t timer;			/* as armed last; 0: off */
	unsigned timer_sets, waits, kicks;
	unsigned created, alive;
};

/* The one fake host. */
struct fake_host *fake_host(void);
/* As new. */
void fake_reset(void);
/* What the process or a user space has mapped at va: RAM offset of the page |
 * HP_*, or 0 if nothing. */
uint64_t fake_page(unsigned space, uint32_t va);
/* For the engine's half. */
void fake_record(const struct fake_call *call);
void fake_drop_space(unsigned space);

#endif
