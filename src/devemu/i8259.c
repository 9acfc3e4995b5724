/* SPDX-License-Identifier: BSD-2-Clause */
#include "devemu/i8259.h"

#define CASCADE 2u		/* master input that the slave drives */

/* ICW1, OCW2 and OCW3 share the even port (data sheet, figures 7 and 8). */
#define ICW1 0x10u
#define ICW1_IC4 0x01u
#define ICW1_SNGL 0x02u
#define ICW4_AEOI 0x02u
#define ICW4_SFNM 0x10u
#define OCW3 0x08u
#define OCW3_RIS 0x01u
#define OCW3_RR 0x02u
#define OCW3_POLL 0x04u
#define OCW3_SMM 0x20u
#define OCW3_ESMM 0x40u

/* Inputs whose triggering can be chosen; 0, 1, 2, 8 and 13 are edges. */
static const uint8_t elcr_mask[2] = { 0xf8, 0xde };

/* Priority of the most urgent bit of mask: 0 the highest, 8 if mask is 0. */
static unsigned priority(const struct i8259_chip *c, uint8_t mask)
{
	unsigned first = (c->lowest + 1) & 7;
	unsigned rotated = (mask | (unsigned)mask << 8) >> first & 0xff;

	return rotated ? (unsigned)__builtin_ctz(rotated) : 8;
}

static unsigned input_at(const struct i8259_chip *c, unsigned prio)
{
	return (c->lowest + 1 + prio) & 7;
}

/* The input that would be acknowledged now, or -1. */
static int requested(const struct i8259_chip *c, bool master)
{
	uint8_t blocking = c->isr;
	unsigned prio = priority(c, c->irr & ~c->imr);

	if (c->special_mask)
		blocking &= ~c->imr;
	/* More urgent requests of the slave pass while one is in service. */
	if (c->nested && master)
		blocking &= ~(1u << CASCADE);
	return prio < priority(c, blocking) ? (int)input_at(c, prio) : -1;
}

/*
 * An edge is remembered until the acknowledge, but only as long as the line
 * stays high: a request that is withdrawn earlier gives a spurious IR7.
 */
static void set_line(struct i8259_chip *c, unsigned input, bool level)
{
	uint8_t bit = 1u << input;

	if (!level)
		c->irr &= ~bit;
	else if ((c->elcr & bit) || !(c->lines & bit))
		c->irr |= bit;
	c->lines = level ? c->lines | bit : c->lines & ~bit;
}

static void update(struct i8259 *pic)
{
	bool intr;

	set_line(&pic->chip[0], CASCADE, requested(&pic->chip[1], false) >= 0);
	intr = requested(&pic->chip[0], true) >= 0;
	if (intr != pic->intr) {
		pic->intr = intr;
		if (pic->s->irq)
			pic->s->irq(pic->s->ctx, intr);
	}
}

void i8259_set_irq(struct i8259 *pic, unsigned line, int level)
{
	struct i8259_chip *c;

	if (line > 15 || line == CASCADE)
		return;
	c = &pic->chip[line >> 3];
	if ((bool)level == (bool)(c->lines >> (line & 7) & 1))
		return;
	set_line(c, line & 7, level);
	update(pic);
}

/* What both the INTA cycle and the poll do to the chip. */
static void take(struct i8259_chip *c, unsigned input)
{
	uint8_t bit = 1u << input;

	if (!(c->elcr & bit))
		c->irr &= ~bit;
	if (!c->aeoi)
		c->isr |= bit;
	else if (c->rotate_aeoi)
		c->lowest = input;
}

/* INTA cycle of one chip: the input number, 7 if nothing is requested. */
static unsigned chip_ack(struct i8259_chip *c, bool master)
{
	int input = requested(c, master);

	if (input < 0)
		return 7;
	take(c, input);
	return input;
}

uint8_t i8259_ack(struct i8259 *pic)
{
	struct i8259_chip *master = &pic->chip[0], *slave = &pic->chip[1];
	bool cascaded = requested(master, true) == (int)CASCADE;
	uint8_t vector = master->base + chip_ack(master, true);

	if (cascaded) {
		vector = slave->base + chip_ack(slave, false);
		/* INT of the slave falls during INTA, so that the master sees
		 * another edge if the slave has more. */
		set_line(master, CASCADE, false);
	}
	update(pic);
	return vector;
}

static uint8_t poll(struct i8259_chip *c, bool master)
{
	int input = requested(c, master);

	c->poll = false;
	if (input < 0)
		return 7;
	take(c, input);
	return 0x80 | (uint8_t)input;
}

static void write_icw1(struct i8259_chip *c, uint8_t v)
{
	c->irr &= c->elcr;	/* edges are forgotten */
	c->imr = 0;
	c->isr = 0;
	c->lowest = 7;
	c->special_mask = false;
	c->read_isr = false;
	c->poll = false;
	c->rotate_aeoi = false;
	c->aeoi = false;	/* ICW4 functions are off unless ICW4 follows */
	c->nested = false;
	c->icw4 = v & ICW1_IC4;
	c->single = v & ICW1_SNGL;
	c->icw = 2;		/* LTIM has no effect: the ELCR replaces it */
}

/* OCW2: bits 7-5 are rotate, specific, EOI; bits 2-0 the input. */
static void write_ocw2(struct i8259_chip *c, uint8_t v)
{
	bool rotate = v & 0x80, specific = v & 0x40, eoi = v & 0x20;
	unsigned input = v & 7;

	if (!eoi && !specific) {
		c->rotate_aeoi = rotate;
		return;
	}
	if (eoi && !specific) {
		/* Special mask mode shields masked inputs from it. */
		unsigned prio = priority(c, c->special_mask ? c->isr & ~c->imr : c->isr);

		if (prio == 8)
			return;
		input = input_at(c, prio);
	}
	if (eoi)
		c->isr &= ~(1u << input);
	if (rotate)
		c->lowest = input;
}

static void write_ocw3(struct i8259_chip *c, uint8_t v)
{
	if (v & OCW3_ESMM)
		c->special_mask = v & OCW3_SMM;
	if (v & OCW3_POLL)
		c->poll = true;
	else if (v & OCW3_RR)
		c->read_isr = v & OCW3_RIS;
}

/* The odd port: the mask, or the rest of an initialization. */
static void write_odd(struct i8259_chip *c, uint8_t v)
{
	switch (c->icw) {
	case 2:
		c->base = v & 0xf8;
		c->icw = !c->single ? 3 : c->icw4 ? 4 : 0;
		break;
	case 3:			/* the wiring of the cascade is fixed */
		c->icw = c->icw4 ? 4 : 0;
		break;
	case 4:
		c->aeoi = v & ICW4_AEOI;
		c->nested = v & ICW4_SFNM;
		c->icw = 0;
		break;
	default:
		c->imr = v;
	}
}

static void write_even(struct i8259_chip *c, uint8_t v)
{
	if (v & ICW1)
		write_icw1(c, v);
	else if (v & OCW3)
		write_ocw3(c, v);
	else
		write_ocw2(c, v);
}

static void write_elcr(struct i8259_chip *c, uint8_t v, uint8_t mask)
{
	uint8_t to_level = v & mask & ~c->elcr;

	c->irr &= ~(c->elcr & ~v);	/* to edge: the level is no request any more */
	c->irr |= c->lines & to_level;
	c->elcr = v & mask;
}

static uint8_t read_byte(struct i8259 *pic, unsigned reg)
{
	struct i8259_chip *c = &pic->chip[reg >> 1 & 1];

	if (reg >= I8259_REGS)
		return 0xff;
	if (reg >= I8259_ELCR)
		return pic->chip[reg - I8259_ELCR].elcr;
	if (c->poll) {
		uint8_t v = poll(c, reg < I8259_SLAVE);

		if (reg >= I8259_SLAVE)
			set_line(&pic->chip[0], CASCADE, false);
		update(pic);
		return v;
	}
	if (reg & 1)
		return c->imr;
	return c->read_isr ? c->isr : c->irr;
}

static void write_byte(struct i8259 *pic, unsigned reg, uint8_t v)
{
	struct i8259_chip *c = &pic->chip[reg >> 1 & 1];

	if (reg >= I8259_REGS)
		return;
	if (reg >= I8259_ELCR)
		write_elcr(&pic->chip[reg - I8259_ELCR], v, elcr_mask[reg - I8259_ELCR]);
	else if (reg & 1)
		write_odd(c, v);
	else
		write_even(c, v);
	update(pic);
}

uint32_t i8259_in(struct i8259 *pic, unsigned reg, unsigned size)
{
	uint32_t v = 0;

	for (unsigned i = 0; i < size; i++)
		v |= (uint32_t)read_byte(pic, reg + i) << 8 * i;
	return v;
}

void i8259_out(struct i8259 *pic, unsigned reg, unsigned size, uint32_t v)
{
	for (unsigned i = 0; i < size; i++)
		write_byte(pic, reg + i, v >> 8 * i);
}

void i8259_reset(struct i8259 *pic)
{
	for (unsigned i = 0; i < 2; i++) {
		uint8_t lines = pic->chip[i].lines;	/* the devices' own */

		pic->chip[i] = (struct i8259_chip){ .lines = lines, .lowest = 7, .imr = 0xff };
	}
	update(pic);
}

void i8259_init(struct i8259 *pic, const struct dev_services *s)
{
	*pic = (struct i8259){ .s = s };
	i8259_reset(pic);
}
