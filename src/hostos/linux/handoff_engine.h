/* SPDX-License-Identifier: BSD-2-Clause */
/* The monitor's side of the `handoff` engine: what its files share. */
#ifndef LILYVM_HANDOFF_ENGINE_H
#define LILYVM_HANDOFF_ENGINE_H

#include "hostos/engine.h"
#include "hostos/linux/handoff.h"

#include <sys/types.h>

/* handoff_wait.c: where children run, and how both sides wait. */
struct ho_pace {
	bool possible;			/* there are CPUs besides the monitor's */
	bool away;			/* children run there, and both sides spin */
	struct host_cpus home, others;
	uint32_t spins;			/* looks at a word in the time worth spinning */
	uint64_t tick_us;		/* ticks of the TSC in a microsecond */
	/* Stretches of guest user code, and of the monitor in between; those too long. */
	uint64_t last;
	unsigned n, outlasted;
	uint64_t since, period;		/* of the last change, in ticks; until the next */
};

struct ho_engine {
	struct engine base;
	struct host_cpu *hc;
	const struct host_ram *ram;
	int slots_fd, ack_fd;
	uint8_t *slots;			/* all slots, the monitor's view */
	bool used[HO_SLOTS];
	struct ho_space *template;
	struct ho_space *current;	/* that ran last */
	struct ho_pace pace;
	uint32_t mxcsr_mask;
	int birth_error;		/* errno value, why there was no new child last */
};

struct ho_space {
	struct uspace base;
	pid_t pid;
	unsigned slot;
	struct ho_control *control;
	volatile struct ho_report *report;
	const uint8_t *stack;
	struct stub_op *ops;
	unsigned queued;
	bool takes;			/* an operation takes something away */
	uint32_t go, map_go;
	bool dead;			/* gone, or its mappings are not what they should be */
	bool reaped;			/* there is no process any more */
	bool own_fault;			/* user code brought that about */
	int refused;			/* see struct user_event */
	bool away;			/* where its guest thread may run, see ho_pace */
	bool tsc_traps;
	bool debug;			/* its debug registers are in use */
	bool stepping;			/* TF was set before or after the last run */
	/* Where the FPU's state is besides in the registers, as far as known. */
	enum { FPU_REGISTERS, FPU_CONTROL, FPU_REPORT, FPU_FRAME } fpu;
	uint64_t fpu_frame;		/* FPU_FRAME: its place in the signal stack */
	unsigned fpu_wanted;		/* runs for which the gate reports it */
};

/* Puts an operation at the end of the space's list. */
void ho_put_op(struct ho_space *us, long nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3,
	       uint64_t a4, uint64_t a5);
/* The memory of a slot, cleared; NULL if there is none left. */
struct ho_space *ho_space_new(struct ho_engine *eng);
void ho_space_free(struct ho_space *us);

/* handoff_spawn.c */
int ho_template_start(struct ho_engine *eng, struct error *e);
struct uspace *ho_create_space(struct engine *base);
void ho_destroy_space(struct uspace *base);

/* handoff_wait.c */
void ho_pace_init(struct ho_pace *p, const struct host_cpus *others);
/* Is the process gone?  Notes it. */
bool ho_gone(struct ho_space *us);
/* Kills a process that does what no honest stub does. */
void ho_put_down(struct ho_space *us);
/* Hands over to the guest thread (or the template): a command. */
void ho_go(struct ho_space *us, uint32_t command);
/* Waits for its answer; false when there will be none: us->dead is set. */
bool ho_wait(struct ho_space *us);
/* Wakes the guest thread, if it would not be awake anyway. */
void ho_expect(struct uspace *base);
/* Both around guest user code, with what keeps the pace. */
bool ho_run_user(struct ho_space *us);
/* Lets the mapper carry out what is queued, and waits until it has. */
void ho_batch(struct ho_space *us);

#endif
