/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The 8254 programmable interval timer of a PC and port 0x61, which controls
 * its third counter (Intel 82C54 data sheet, 231244-006; IBM AT Technical
 * Reference, system timers).
 *
 * Counter 0 drives the interrupt line, counter 1 paces memory refresh, counter
 * 2 drives the speaker.  Nothing runs: what a counter holds is computed from
 * the virtual time when somebody looks.
 */
#ifndef LILYVM_I8254_H
#define LILYVM_I8254_H

#include "devemu/clock.h"
#include "devemu/devemu.h"

#define I8254_HZ 1193182u

/* Bits of port 0x61. */
#define PORT61_GATE2 0x01u	/* gate of counter 2 */
#define PORT61_SPEAKER 0x02u	/* speaker data enable */
#define PORT61_REFRESH 0x10u	/* read only: toggles with each refresh, 15.1 us */
#define PORT61_OUT2 0x20u	/* read only: output of counter 2 */

enum i8254_state {
	I8254_IDLE,		/* no count yet, or not triggered yet */
	I8254_RUN,
	I8254_STOP,		/* halted by the gate */
};

struct i8254_counter {
	uint64_t start;		/* RUN: tick at which the count was loaded */
	uint64_t stopped;	/* STOP: ticks counted before the gate fell */
	uint64_t reload_at;	/* tick at which reload takes over */
	uint32_t count;		/* in force, 1..65536 */
	uint32_t reload;	/* next count, 0: none was written */
	uint32_t periods;	/* modes 2 and 3: rising edges of OUT, modulo 2^32 */
	uint8_t state;		/* enum i8254_state */
	uint8_t mode;		/* 0..5 */
	uint8_t access;		/* 1 low byte, 2 high byte, 3 low then high */
	bool bcd, gate;
	bool read_high, write_high;	/* access 3: the high byte is next */
	uint8_t low;		/* access 3: the low byte written */
	bool latched, status_latched;
	uint16_t latch;
	uint8_t status;
};

struct i8254 {
	const struct dev_services *s;
	struct dev_clock clock;
	struct i8254_counter counter[3];
	uint64_t edge;		/* tick of the next rising edge of OUT0 */
	bool line;		/* level of the interrupt line */
	uint8_t port61;		/* its writable bits */
};

/* Uses the services irq, now and timer. */
void i8254_init(struct i8254 *p, const struct dev_services *s);
/* Leaves the counters as a PC's BIOS does: 0 in mode 3 at 18.2 Hz, 1 in mode 2
 * for the refresh, 2 in mode 3 with its gate off. */
void i8254_reset(struct i8254 *p);
/* reg is 0..3 for ports 0x40..0x43. */
uint32_t i8254_in(struct i8254 *p, unsigned reg, unsigned size);
void i8254_out(struct i8254 *p, unsigned reg, unsigned size, uint32_t v);
/* Gives one interrupt however many periods have passed; the phase is kept. */
void i8254_timer(struct i8254 *p);

/* Port 0x61. */
uint8_t i8254_port61_in(struct i8254 *p);
void i8254_port61_out(struct i8254 *p, uint8_t v);

#endif
