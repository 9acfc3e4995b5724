/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The host interface of the monitor: guest RAM, the guest's half of the
 * address space, direct execution of guest kernel code, time and waiting.
 * There are no host types in it; the files of one host directory implement it.
 * Disks, consoles and the user-mode engine have headers of their own.
 */
#ifndef LILYVM_HOSTOS_H
#define LILYVM_HOSTOS_H

#include "error.h"
#include "monitor/vcpu.h"
#include "types.h"

/* ---- guest RAM and the low 4 GiB ---- */

struct host_ram {
	uint8_t *base;		/* the monitor's own view of all of it, above 4 GiB */
	uint64_t size;
	int handle;
};

/* Page rights of a mapping. */
#define HP_R 1u
#define HP_W 2u
#define HP_X 4u

/* Makes size bytes (a multiple of the page size) of zeroed guest RAM; 0 or -1 with
 * *e.  Destroying what was never created does nothing. */
int host_ram_create(struct host_ram *ram, uint64_t size, struct error *e);
void host_ram_destroy(struct host_ram *ram);

/* Checks that nothing of the monitor lies below 4 GiB. */
int host_low_check(struct error *e);
/* The lowest guest-virtual address that can be mapped (vm.mmap_min_addr). */
uint32_t host_low_min(void);
/* How many separate mappings the host allows in one process. */
uint32_t host_map_limit(void);

/* Shows [offset, offset+len) of RAM at guest-virtual va; replaces what was
 * there.  populate: touch the pages now.  0, or a positive errno. */
int host_low_map(const struct host_ram *ram, uint32_t va, uint64_t offset, uint64_t len,
		 unsigned rights, bool populate);
/* Takes away, or gives HP_* rights to, whole pages; those that are not mapped may lie
 * between when unmapping only.  0, or a positive errno. */
int host_low_unmap(uint32_t va, uint64_t len);
int host_low_protect(uint32_t va, uint64_t len, unsigned rights);

/* Makes a window of our own at guest-virtual va: readable and writable below
 * code; from there on without any right until host_low_protect() gives some.
 * *alias is the monitor's writable view of all of it.  It lasts as long as the
 * process. */
int host_window_create(uint32_t va, uint32_t size, uint32_t code, void **alias, struct error *e);

/* ---- direct execution ---- */

enum host_exit {
	HOST_EXIT_KICK,		/* a timer, a kick or a signal asks for attention */
	HOST_EXIT_TRAP,		/* the code raised an exception */
	HOST_EXIT_BADSEG,	/* the host refused the selectors */
	HOST_EXIT_GATE,		/* the code came through the gate */
};

/* State that is loaded into and comes back from the real CPU. Offsets are
 * known to entry.S. */
struct host_cpu {
	uint32_t gpr[R_COUNT];
	uint32_t eip, eflags;		/* real flags: IF set by the host */
	uint16_t sel[S_COUNT];		/* host selectors to load */
	uint16_t has_bases;		/* 1: fsbase, gsbase are loaded behind the selectors */
	uint16_t pad;
	uint64_t fsbase, gsbase;
	/* for HOST_EXIT_TRAP */
	uint32_t trapno, error, cr2, pad2;
	/* the host's side */
	uint64_t host_rsp, host_fsbase;
	volatile uint32_t kick;		/* set by asynchronous signals */
	volatile int32_t child;		/* thread to be interrupted by a kick; 0: none */
	uint32_t gate_start, gate_end;	/* where the gate's code lies; 0: there is none */
	/* x87 and SSE registers of guest kernel mode */
	struct fpu_image fpu;
	bool tsc_traps;			/* rdtsc of guest code raises #GP */
};

/* Prepares the calling thread to run guest code: signal stack and handlers.
 * The thread becomes the VM's thread; cpuid may fault in it from now on. */
int host_cpu_create(struct host_cpu **hc, struct error *e);
void host_cpu_destroy(struct host_cpu *hc);
/* Runs 32-bit code from *hc until something happens; returns enum host_exit. */
int host_enter(struct host_cpu *hc);
/*
 * The gate: code that 32-bit code may jump to (selector HOST_CS64) to leave guest
 * mode without a trap: host_enter() returns HOST_EXIT_GATE with the registers
 * but eip.  It will lie at guest-virtual va; to is the monitor's view of that
 * page, which it fills.  False: this host cannot have one.
 */
bool host_gate_install(struct host_cpu *hc, uint32_t va, uint8_t *to);
/* Makes the VM's thread leave guest code soon; from any thread or handler. */
void host_kick(struct host_cpu *hc);
/* Defines entry slot (0..8191) of the process's LDT as the segment s, or
 * empties it (s NULL); 0 or a positive errno.  Selector: slot*8 + 7. */
int host_ldt_set(unsigned slot, const struct segment *s);

/* ---- time and waiting ---- */

/* Host monotonic time, nanoseconds. */
uint64_t host_now(void);
/* Seconds since 1970, UTC. */
int64_t host_wallclock(void);
/* CPU time of this process and its children, nanoseconds. */
uint64_t host_cpu_time(void);
/* Frequency of the time-stamp counter, Hz (measured once if the CPU does not say). */
uint64_t host_tsc_hz(void);
/* Arms the VM's timer: host_kick() at host time t; 0 disarms. */
void host_timer_set(struct host_cpu *hc, uint64_t t);
/* Sleeps until hc->kick is set. */
void host_wait_kick(struct host_cpu *hc);
/* A set of the host's CPUs, one bit each. */
struct host_cpus {
	uint64_t bits[16];
};
/* Pins the process, and what it forks later, to one CPU.  -1: choose; *others are
 * then the other CPUs that it was allowed, else none. */
int host_pin(int cpu, struct host_cpus *others, struct error *e);
/* Reads the host's CPUID. */
void host_cpuid(uint32_t leaf, uint32_t sub, uint32_t r[4]);

#endif
