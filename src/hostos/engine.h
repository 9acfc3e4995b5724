/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The user-mode engine: runs guest user code, one "user space" per guest
 * address space.  Few nouns, so that a faster engine can stand behind it:
 * create, map, unmap, run until event, interrupt, destroy.
 *
 * The `ptrace` engine: a user space is a ptraced child process (PTRACE_SYSEMU)
 * that holds guest user pages, a stub and a control page.  Changes of its
 * mappings are queued and carried out together before it runs.
 */
#ifndef LILYVM_ENGINE_H
#define LILYVM_ENGINE_H

#include "hostos/hostos.h"

struct engine;
struct uspace;

/* Registers of user code: host selectors. */
struct user_regs {
	uint32_t gpr[R_COUNT];
	uint32_t eip, eflags;
	uint16_t sel[S_COUNT];
	uint32_t fsbase, gsbase;
};

enum user_event_kind {
	UE_KICK,		/* interrupted */
	UE_INT80,		/* int $0x80; eip is behind it */
	UE_SYSENTER,		/* sysenter; ebp is the user's, eip and esp are lost */
	UE_SYSCALL64,		/* a 64-bit syscall instruction */
	UE_TRAP,		/* an exception; eip as the CPU reports it */
	UE_DEAD,		/* the child is gone */
};

struct user_event {
	enum user_event_kind kind;
	/* UE_TRAP: the vector as far as the host tells: VEC_PF for a memory
	 * fault (cr2 set, error has PF_P if a mapping was there), VEC_GP for
	 * anything the host reports as a general fault (#GP #SS #NP #TS, int n,
	 * bound), others exactly. */
	unsigned vector;
	uint32_t error, cr2;
	bool in_64bit;		/* the code had switched to 64-bit mode */
	/* UE_DEAD */
	bool lost;		/* user code ran since the last event: *r is not what it left */
	int refused;		/* errno value of a mapping that the host refused, or 0 */
};

struct engine_stats {
	uint64_t runs, stops, batches, ops, created, destroyed;
	uint64_t batch_ticks;		/* of the TSC, spent in batches */
};

int engine_create(struct engine **eng, struct host_cpu *hc, const struct host_ram *ram,
		  struct error *e);
void engine_destroy(struct engine *eng);
const struct engine_stats *engine_stats(const struct engine *eng);

/* A new, empty user space; NULL if the host has no more processes. */
struct uspace *uspace_create(struct engine *eng);
void uspace_destroy(struct uspace *us);

/* Queue a change of the mappings. */
void uspace_map(struct uspace *us, uint32_t va, uint64_t ram_offset, uint32_t len, unsigned rights);
void uspace_unmap(struct uspace *us, uint32_t va, uint64_t len);
void uspace_protect(struct uspace *us, uint32_t va, uint32_t len, unsigned rights);
/* LDT entry slot of the child, as host_ldt_set(). */
void uspace_ldt_set(struct uspace *us, unsigned slot, const struct segment *s);

/* Runs from *r until an event; *r and *ev are filled. */
void uspace_run(struct uspace *us, struct user_regs *r, struct user_event *ev);

/* x87 and SSE registers of the stopped user space. */
bool uspace_fpu_get(struct uspace *us, struct fpu_image *img);
bool uspace_fpu_set(struct uspace *us, const struct fpu_image *img);

/* The debug registers of user code (dr0-3, dr6, dr7); false if the host refuses. */
bool uspace_debug_set(struct uspace *us, const uint32_t dr[8]);
uint32_t uspace_debug_status(struct uspace *us);

#endif
