/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The runtime window (runtime/abi.h) as the monitor sees it: the virtual CPU's state
 * to and from it, and what it means that kernel code was stopped inside of it.
 */
#ifndef LILYVM_RUNTIME_H
#define LILYVM_RUNTIME_H

#include "error.h"
#include "monitor/vcpu.h"
#include "runtime/abi.h"

struct vm;
struct fault;

/* A segment that keeps being loaded through one selector. */
struct runtime_segment {
	struct segment seg;
	uint32_t d[2];
	uint8_t loads;
};

struct runtime {
	bool on;
	bool gate;			/* 32-bit code can leave without a trap */
	unsigned abi;			/* version that the kernel was built for; 0: it was not */
	uint8_t *alias;			/* the monitor's view of the window */
	unsigned rights;		/* of the page of RT_IF, HP_* */
	bool linked;			/* RT_LINK is in use */
	struct runtime_segment segment[RT_CACHE_ENTRIES];
	struct dtable gdtr, ldtr;	/* the tables that they are from */
};

/* Where kernel code was stopped. */
enum runtime_stop {
	RUNTIME_OUTSIDE,
	RUNTIME_SITE,		/* inside a site or its routine: eip is back at the site */
	RUNTIME_DONE,		/* at the end of a routine: eip is behind the site */
};

/* Makes the window, for a kernel that was built for version abi of the ABI (0: a
 * stock kernel).  0, or -1 with *e. */
int runtime_init(struct vm *vm, unsigned abi, struct error *e);
/* The guest needs the window's addresses: gives them up, or, where the kernel cannot
 * run without the window, ends the VM. */
void runtime_disable(struct vm *vm, const char *why);
/* Forgets the segments of RT_CACHE. */
void runtime_forget(struct vm *vm);

/* Lets the guest reach RT_LINK; 0, or -1. */
int runtime_link(struct vm *vm);

/* The monitor's view of the window at a, and of a word there. */
uint8_t *runtime_at(const struct vm *vm, uint32_t a);
uint32_t *runtime_word(const struct vm *vm, uint32_t a);

/* Before and after kernel code runs: flags, selectors and control registers to the
 * window; IF and the segments that routines have loaded, and eip out of routines and
 * the middle of sites, from it. */
void runtime_enter(struct vm *vm);
enum runtime_stop runtime_leave(struct vm *vm);
/* A segment register (not SS) was loaded with all checks: the next time a routine may. */
void runtime_loaded(struct vm *vm, const struct segment *s, gva_t where, const uint32_t d[2]);
/* Does the instruction at eip follow a site of sti?  IF is set then, and an interrupt
 * has to wait, as on a real CPU, until the instruction is carried out. */
bool runtime_behind_sti(struct vm *vm);

static inline bool runtime_window(uint32_t a)
{
	return a >= WINDOW_START && a < WINDOW_START + WINDOW_SIZE;
}

/* Does the page hold state of a linked device, for the guest's kernel to use? */
static inline bool runtime_linked(const struct runtime *rt, uint32_t page)
{
	return rt->linked && page - RT_LINK < RT_LINK_SIZE;
}

#endif
