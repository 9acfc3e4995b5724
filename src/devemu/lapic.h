/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The local APIC of the only CPU (SDM 3, chapter 11): interrupts of the I/O APIC and
 * of its own sources by priority, its timer, and messages to itself.  There is nobody
 * else to send messages to: those to other CPUs, and INIT, STARTUP, NMI and SMI, are lost.
 */
#ifndef LILYVM_LAPIC_H
#define LILYVM_LAPIC_H

#include "devemu/devemu.h"

/* Where it is, and the bytes it takes. */
#define LAPIC_BASE 0xfee00000u
#define LAPIC_SIZE 0x1000u

/* Offsets of registers (SDM 3, table 11-1). */
enum {
	LAPIC_ID = 0x20, LAPIC_VERSION = 0x30, LAPIC_TPR = 0x80, LAPIC_PPR = 0xa0,
	LAPIC_EOI = 0xb0, LAPIC_LDR = 0xd0, LAPIC_DFR = 0xe0, LAPIC_SVR = 0xf0,
	LAPIC_ISR = 0x100, LAPIC_TMR = 0x180, LAPIC_IRR = 0x200, LAPIC_ESR = 0x280,
	LAPIC_ICR = 0x300, LAPIC_ICR_HIGH = 0x310, LAPIC_LVT = 0x320,
	LAPIC_INITIAL_COUNT = 0x380, LAPIC_CURRENT_COUNT = 0x390, LAPIC_DIVIDE = 0x3e0,
};

/* The entries of the local vector table, from LAPIC_LVT on. */
enum { LVT_TIMER, LVT_THERMAL, LVT_PERFORMANCE, LVT_LINT0, LVT_LINT1, LVT_ERROR, LVT_COUNT };

#define LAPIC_ENABLED 0x100u		/* of SVR: enabled by software */
#define LAPIC_MASKED 0x10000u		/* of an entry */
#define LAPIC_PERIODIC 0x20000u		/* of the timer's */
#define LAPIC_LEVEL 0x8000u		/* of LINT0 and LINT1, and of ICR */

/* Delivery modes, bits 8-10 of entries and messages. */
enum { DELIVER_FIXED = 0, DELIVER_LOWEST = 1, DELIVER_NMI = 4, DELIVER_EXTINT = 7 };

/* The timer counts nanoseconds, divided. */
struct lapic_services {
	void *ctx;
	/* A level-triggered interrupt of this vector was handled. */
	void (*eoi)(void *ctx, uint8_t vector);
};

struct lapic {
	const struct dev_services *s;		/* now and timer are used */
	const struct lapic_services *bus;
	uint32_t id, tpr, ldr, dfr, svr, icr[2], divide;
	uint32_t esr, errors;			/* what is read; what has come since its write */
	uint32_t lvt[LVT_COUNT];
	uint32_t isr[8], tmr[8], irr[8];	/* bit n % 32 of word n / 32 is vector n */
	uint32_t initial;			/* the timer's initial count */
	uint32_t left;				/* its count at the time `start`; 0: stopped */
	uint64_t start;
};

void lapic_init(struct lapic *l, const struct dev_services *s, const struct lapic_services *bus);
void lapic_reset(struct lapic *l);
/* Leaves it in virtual wire mode, as firmware does (MP specification 3.6.2.2): the 8259s
 * reach the CPU through LINT0. */
void lapic_setup(struct lapic *l);
/* reg is an offset from LAPIC_BASE; accesses of 4 bytes at multiples of 16 have an effect. */
uint32_t lapic_in(struct lapic *l, unsigned reg, unsigned size);
void lapic_out(struct lapic *l, unsigned reg, unsigned size, uint32_t v);
void lapic_timer(struct lapic *l);

/* A message of the I/O APIC: does the destination mean this CPU? */
bool lapic_is_destination(const struct lapic *l, uint8_t destination, bool logical);
/* The interrupt of a vector is requested. */
void lapic_request(struct lapic *l, uint8_t vector, bool level);

/* Does LINT0 let the INTR pin of the 8259s through? */
bool lapic_extint(const struct lapic *l);
/* A request of a priority above the CPU's waits. */
bool lapic_pending(const struct lapic *l);
/* The CPU takes it: its vector, the spurious one if there is none. */
uint8_t lapic_ack(struct lapic *l);

#endif
