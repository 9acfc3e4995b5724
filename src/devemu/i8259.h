/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The cascaded pair of 8259A interrupt controllers of a PC, with the
 * edge/level control registers of the PIIX (Intel 8259A data sheet,
 * 231468-003; 82371SB data sheet, 4.3).
 */
#ifndef LILYVM_I8259_H
#define LILYVM_I8259_H

#include "devemu/devemu.h"

/* Registers: the port's offset from 0x20, 0xa0 or 0x4d0 is added to these. */
enum { I8259_MASTER = 0, I8259_SLAVE = 2, I8259_ELCR = 4, I8259_REGS = 6 };

/* One 8259A; bit n of each mask is its input IRn. */
struct i8259_chip {
	uint8_t lines;		/* levels of the inputs */
	uint8_t irr, imr, isr;	/* requests, masked, in service */
	uint8_t elcr;		/* set: level triggered */
	uint8_t base;		/* vector of IR0 (ICW2) */
	uint8_t lowest;		/* input of the lowest priority, 7 unless rotated */
	uint8_t icw;		/* ICW that the next write of the odd port is: 2..4, or 0 */
	bool single, icw4;	/* from ICW1: no ICW3, and ICW4 follows */
	bool aeoi, rotate_aeoi;
	bool nested;		/* special fully nested mode */
	bool special_mask;
	bool read_isr;		/* the even port shows ISR, not IRR */
	bool poll;		/* the next read is a poll */
};

struct i8259 {
	const struct dev_services *s;
	struct i8259_chip chip[2];	/* master, slave */
	bool intr;			/* the INTR pin */
};

/* Of the services, only irq is used: the INTR pin, called at each change. */
void i8259_init(struct i8259 *pic, const struct dev_services *s);
void i8259_reset(struct i8259 *pic);
uint32_t i8259_in(struct i8259 *pic, unsigned reg, unsigned size);
void i8259_out(struct i8259 *pic, unsigned reg, unsigned size, uint32_t v);

/* Drives input line 0..15; line 2 is the cascade and belongs to the pair, so
 * that it is ignored like any other number. */
void i8259_set_irq(struct i8259 *pic, unsigned line, int level);

/* The INTR pin: an interrupt waits for its acknowledge cycle. */
static inline bool i8259_pending(const struct i8259 *pic)
{
	return pic->intr;
}

/* The interrupt acknowledge cycle: the vector of the request of the highest
 * priority, which goes into service; IR7's, not in service, if none is left. */
uint8_t i8259_ack(struct i8259 *pic);

#endif
