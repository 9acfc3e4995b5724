/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The user-mode engines: each runs guest user code, one "user space" per guest
 * address space.  Few nouns: create, map, unmap, run until event, interrupt,
 * destroy.  An engine is a table of operations.
 *
 * `ptrace`, the reference, everywhere: a user space is a traced child process.
 * `handoff`: a child process of two threads that hands over through shared memory
 * (hostos/linux/handoff.h).  Both hold guest user pages, a stub, control pages and
 * nothing else; changes of mappings are queued and carried out before user code runs.
 */
#ifndef LILYVM_ENGINE_H
#define LILYVM_ENGINE_H

#include "hostos/hostos.h"

struct engine;
struct uspace;

/* What --engine takes; the last is NULL. */
#define ENGINE_NAMES "auto", "ptrace", "handoff", NULL

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
	UE_GATE,		/* the far jump of gate_map(); eip and cs as they were before
				   the run */
	UE_TRAP,		/* an exception; eip as the CPU reports it */
	UE_DEAD,		/* the child is gone */
};

struct user_event {
	enum user_event_kind kind;
	/* UE_TRAP: VEC_PF for a memory fault, cr2 set; VEC_GP for #GP, #SS, #NP, #TS
	 * and int n.  If the engine is exact, other vectors are the CPU's, and error of
	 * VEC_PF has PF_P, PF_W and PF_I as the host's page tables caused it.  Otherwise
	 * error tells no more than PF_P, bound is a VEC_GP and #XM a VEC_MF. */
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

/* What every engine and user space begins with. */
struct engine_ops;
struct engine {
	const struct engine_ops *ops;
	struct engine_stats stats;
};
struct uspace {
	struct engine *eng;
};

struct engine_ops {
	const char *name;
	bool exact;			/* see user_event */
	void (*destroy)(struct engine *eng);
	struct uspace *(*create_space)(struct engine *eng);
	void (*destroy_space)(struct uspace *us);
	void (*map)(struct uspace *us, uint32_t va, uint64_t ram_offset, uint32_t len,
		    unsigned rights, bool adds);
	void (*unmap)(struct uspace *us, uint32_t va, uint64_t len);
	void (*protect)(struct uspace *us, uint32_t va, uint32_t len, unsigned rights);
	void (*ldt_set)(struct uspace *us, unsigned slot, const struct segment *s);
	void (*expect)(struct uspace *us);	/* or NULL */
	void (*run)(struct uspace *us, struct user_regs *r, struct user_event *ev);
	bool (*fpu_get)(struct uspace *us, struct fpu_image *img);
	bool (*fpu_set)(struct uspace *us, const struct fpu_image *img);
	bool (*debug_set)(struct uspace *us, const uint32_t dr[8]);
	uint32_t (*debug_status)(struct uspace *us);
	/* NULL: there is no gate.  See below. */
	void (*gate_set)(struct engine *eng, const void *page, unsigned at);
	void (*gate_map)(struct uspace *us, uint32_t va);
};

/*
 * Makes the engine of that name (ENGINE_NAMES; "auto", or NULL: the fastest that the
 * host offers).  others: host CPUs that children may use besides the calling thread's.
 * 0, or -1 with *e.
 */
int engine_create(struct engine **eng, const char *name, struct host_cpu *hc,
		  const struct host_ram *ram, const struct host_cpus *others, struct error *e);

static inline void engine_destroy(struct engine *eng)
{
	if (eng)
		eng->ops->destroy(eng);
}

static inline const struct engine_stats *engine_stats(const struct engine *eng)
{
	return &eng->stats;
}

/* A new, empty user space; NULL if the host has no more processes. */
static inline struct uspace *uspace_create(struct engine *eng)
{
	return eng->ops->create_space(eng);
}

static inline void uspace_destroy(struct uspace *us)
{
	if (us)
		us->eng->ops->destroy_space(us);
}

/* Queue a change of the mappings.  adds: no page shows anything else now, or has a right
 * that it is to lose; an engine may carry that out in a cheaper way. */
static inline void uspace_map(struct uspace *us, uint32_t va, uint64_t ram_offset, uint32_t len,
			      unsigned rights, bool adds)
{
	us->eng->ops->map(us, va, ram_offset, len, rights, adds);
}

static inline void uspace_unmap(struct uspace *us, uint32_t va, uint64_t len)
{
	us->eng->ops->unmap(us, va, len);
}

static inline void uspace_protect(struct uspace *us, uint32_t va, uint32_t len, unsigned rights)
{
	us->eng->ops->protect(us, va, len, rights);
}

/* LDT entry slot of the child, as host_ldt_set(). */
static inline void uspace_ldt_set(struct uspace *us, unsigned slot, const struct segment *s)
{
	us->eng->ops->ldt_set(us, slot, s);
}

/*
 * The gate, a way out of user code without an exception.  engine_gate_set() takes a copy
 * of a page of user code and puts a far jump (ENGINE_GATE_JUMP bytes) at offset at;
 * uspace_gate_map() shows that copy at va, and a page that the jump needs at CHILD_GATE
 * (layout.h).  User code that executes the jump causes UE_GATE.
 */
#define ENGINE_GATE_JUMP 7u

static inline bool engine_has_gate(const struct engine *eng)
{
	return eng->ops->gate_map;
}

static inline void engine_gate_set(struct engine *eng, const void *page, unsigned at)
{
	eng->ops->gate_set(eng, page, at);
}

static inline void uspace_gate_map(struct uspace *us, uint32_t va)
{
	us->eng->ops->gate_map(us, va);
}

/* A hint: the space is likely to run next. */
static inline void uspace_expect(struct uspace *us)
{
	if (us->eng->ops->expect)
		us->eng->ops->expect(us);
}

/* Runs from *r until an event; *r and *ev are filled. */
static inline void uspace_run(struct uspace *us, struct user_regs *r, struct user_event *ev)
{
	us->eng->ops->run(us, r, ev);
}

/* x87 and SSE registers of the stopped user space. */
static inline bool uspace_fpu_get(struct uspace *us, struct fpu_image *img)
{
	return us->eng->ops->fpu_get(us, img);
}

static inline bool uspace_fpu_set(struct uspace *us, const struct fpu_image *img)
{
	return us->eng->ops->fpu_set(us, img);
}

/* The debug registers of user code (dr0-3, dr6, dr7); false if the host refuses. */
static inline bool uspace_debug_set(struct uspace *us, const uint32_t dr[8])
{
	return us->eng->ops->debug_set(us, dr);
}

static inline uint32_t uspace_debug_status(struct uspace *us)
{
	return us->eng->ops->debug_status(us);
}

#endif
