/* SPDX-License-Identifier: BSD-2-Clause */
#include "devemu/i8254.h"

/* Control word (data sheet, figure 7) and read-back command (figure 11). */
#define CW_BCD 0x01u
#define RB_NO_STATUS 0x10u
#define RB_NO_COUNT 0x20u
#define STATUS_OUT 0x80u
#define STATUS_NULL 0x40u

#define PORT61_WRITABLE 0x0fu

static uint64_t now_tick(struct i8254 *p)
{
	return dev_clock_ticks(&p->clock, p->s->now(p->s->ctx));
}

static bool periodic(const struct i8254_counter *c)
{
	return c->mode == 2 || c->mode == 3;
}

/* Modes 1 and 5 start at a rising gate, not at the write of a count. */
static bool triggered(const struct i8254_counter *c)
{
	return c->mode == 1 || c->mode == 5;
}

/* Ticks counted since the count was loaded; that takes a clock pulse, before
 * which start lies in the future. */
static uint64_t elapsed(const struct i8254_counter *c, uint64_t tick)
{
	if (c->state == I8254_RUN)
		return (int64_t)(tick - c->start) > 0 ? tick - c->start : 0;
	return c->state == I8254_STOP ? c->stopped : 0;
}

/* Mode 3: ticks for which OUT is high; odd counts are high one tick longer. */
static uint32_t high_ticks(uint32_t count)
{
	return (count + 1) / 2;
}

/* Modes 2 and 3: moves start to the period that tick lies in, taking over a
 * new count at the end of the period (mode 2) or half period (mode 3). */
static void sync(struct i8254_counter *c, uint64_t tick)
{
	uint64_t e = elapsed(c, tick), periods;

	if (!periodic(c) || c->state != I8254_RUN || e < high_ticks(c->count))
		return;
	if (c->reload && (int64_t)(tick - c->reload_at) >= 0) {
		if (c->reload_at - c->start < c->count) {
			c->start = c->reload_at - high_ticks(c->reload);
		} else {
			c->start = c->reload_at;
			c->periods++;
		}
		c->count = c->reload;
		c->reload = 0;
		e = tick - c->start;
	}
	if (e < c->count)
		return;
	periods = dev_div(e, c->count, NULL);
	c->start += periods * c->count;
	c->periods += (uint32_t)periods;
}

/* The level of OUT of a counter that is in sync with tick. */
static bool output(const struct i8254_counter *c, uint64_t tick)
{
	uint64_t e = elapsed(c, tick);

	switch (c->mode) {
	case 0:
		return c->state != I8254_IDLE && e >= c->count;
	case 1:
		return c->state == I8254_IDLE || e >= c->count;
	case 2:
		return c->state != I8254_RUN || e != c->count - 1;
	case 3:
		return c->state != I8254_RUN || e < high_ticks(c->count);
	default:
		return c->state == I8254_IDLE || e != c->count;
	}
}

static uint16_t to_bcd(uint32_t v)
{
	return v % 10 | v / 10 % 10 << 4 | v / 100 % 10 << 8 | v / 1000 % 10 << 12;
}

static uint32_t from_bcd(uint16_t v)
{
	return (v & 15) + (v >> 4 & 15) * 10 + (v >> 8 & 15) * 100 + (v >> 12) * 1000;
}

/* What the counting element holds, as the CPU reads it. */
static uint16_t value(const struct i8254_counter *c, uint64_t tick)
{
	uint64_t e = elapsed(c, tick);
	uint32_t high = high_ticks(c->count), wrapped;

	if (c->mode == 3) {	/* counts down by two, twice a period */
		uint32_t v = (c->count & ~1u) - 2 * (uint32_t)(e < high ? e : e - high);

		return c->bcd ? to_bcd(v) : (uint16_t)v;
	}
	if (!c->bcd)
		return (uint16_t)(c->count - e);
	dev_div(e, 10000, &wrapped);
	return to_bcd(c->count + 10000 - wrapped);
}

/* Tick of the next rising edge of OUT of a counter in sync with tick. */
static uint64_t next_edge(const struct i8254_counter *c, uint64_t tick)
{
	uint64_t e = elapsed(c, tick);

	if (c->state != I8254_RUN)
		return DEV_NO_TICK;
	switch (c->mode) {
	case 0:
		return e < c->count ? c->start + c->count : DEV_NO_TICK;
	case 2:
	case 3:
		if (c->reload && c->reload_at - c->start < c->count)
			return c->reload_at + c->reload / 2;
		/* A count of 1 is illegal and gives a steady OUT. */
		return c->count > 1 || c->reload ? c->start + c->count : DEV_NO_TICK;
	case 4:
		return e <= c->count ? c->start + c->count + 1 : DEV_NO_TICK;
	default:		/* 1 and 5: the gate of counter 0 never rises */
		return DEV_NO_TICK;
	}
}

static void set_line(struct i8254 *p, bool level)
{
	if (level != p->line) {
		p->line = level;
		p->s->irq(p->s->ctx, level);
	}
}

static void arm(struct i8254 *p, uint64_t tick)
{
	uint64_t edge = next_edge(&p->counter[0], tick);

	if (edge != p->edge) {
		p->edge = edge;
		p->s->timer(p->s->ctx, dev_clock_ns(&p->clock, edge));
	}
}

/*
 * Only rising edges matter to the edge-triggered IRQ0, so that only they are
 * timed, and the line falls right before it rises.  Looked at on every access
 * too: drivers compare the counter with the pending interrupt.
 */
static void service_edge(struct i8254 *p, uint64_t tick)
{
	if (tick < p->edge)
		return;
	sync(&p->counter[0], tick);
	set_line(p, false);
	set_line(p, true);
	arm(p, tick);
}

void i8254_timer(struct i8254 *p)
{
	uint64_t tick = now_tick(p);

	if (tick >= p->edge)
		service_edge(p, tick);
	else if (p->edge != DEV_NO_TICK)	/* early: the timer is spent */
		p->s->timer(p->s->ctx, dev_clock_ns(&p->clock, p->edge));
}

/* After counter n was written: IRQ0's line and the timer follow counter 0. */
static void written(struct i8254 *p, unsigned n, uint64_t tick)
{
	const struct i8254_counter *c = &p->counter[n];

	if (n != 0)
		return;
	set_line(p, c->mode != 0 || output(c, tick));
	arm(p, tick);
}

/* The count is loaded by the next clock pulse. */
static void start(struct i8254_counter *c, uint64_t tick)
{
	if (c->reload)
		c->count = c->reload;
	c->reload = 0;
	c->start = tick + 1;
	c->stopped = 0;
	c->state = c->gate ? I8254_RUN : I8254_STOP;
}

static void load(struct i8254_counter *c, uint32_t count, uint64_t tick)
{
	bool running = c->state == I8254_RUN;

	c->reload = count ? count : c->bcd ? 10000 : 65536;
	if (triggered(c) || (periodic(c) && running)) {
		uint32_t high = high_ticks(c->count);
		bool first_half = c->mode == 3 && elapsed(c, tick) < high;

		c->reload_at = c->start + (first_half ? high : c->count);
	} else {
		start(c, tick);
	}
}

static void set_gate(struct i8254_counter *c, bool gate, uint64_t tick)
{
	bool rise = gate && !c->gate, fall = !gate && c->gate;

	sync(c, tick);
	c->gate = gate;
	if (rise && triggered(c)) {
		if (c->reload || c->state == I8254_RUN)
			start(c, tick);
	} else if (rise && c->state == I8254_STOP) {
		if (periodic(c)) {	/* they begin anew, others go on */
			start(c, tick);
			return;
		}
		c->start = tick - c->stopped;
		c->state = I8254_RUN;
	} else if (fall && !triggered(c) && c->state == I8254_RUN) {
		c->stopped = elapsed(c, tick);
		c->state = I8254_STOP;
	}
}

static void latch_count(struct i8254_counter *c, uint64_t tick)
{
	if (!c->latched) {
		c->latched = true;
		c->latch = value(c, tick);
	}
}

static void latch_status(struct i8254_counter *c, uint64_t tick)
{
	bool null = c->reload || c->state == I8254_IDLE ||
		    (c->state == I8254_RUN && (int64_t)(tick - c->start) < 0);

	if (c->status_latched)
		return;
	c->status_latched = true;
	c->status = (output(c, tick) ? STATUS_OUT : 0) | (null ? STATUS_NULL : 0) |
		    c->access << 4 | c->mode << 1 | c->bcd;
}

static void read_back(struct i8254 *p, uint8_t v, uint64_t tick)
{
	for (unsigned n = 0; n < 3; n++) {
		if (!(v & 2u << n))
			continue;
		sync(&p->counter[n], tick);
		if (!(v & RB_NO_COUNT))
			latch_count(&p->counter[n], tick);
		if (!(v & RB_NO_STATUS))
			latch_status(&p->counter[n], tick);
	}
}

static void control(struct i8254 *p, uint8_t v, uint64_t tick)
{
	unsigned n = v >> 6, access = v >> 4 & 3, mode = v >> 1 & 7;
	struct i8254_counter *c;

	if (n == 3) {
		read_back(p, v, tick);
		return;
	}
	c = &p->counter[n];
	sync(c, tick);
	if (access == 0) {
		latch_count(c, tick);
		return;
	}
	*c = (struct i8254_counter){
		.count = c->count, .periods = c->periods, .gate = c->gate,
		.access = access, .mode = mode > 5 ? mode & 3 : mode, .bcd = v & CW_BCD,
	};
	written(p, n, tick);
}

static void write_count(struct i8254 *p, unsigned n, uint8_t v, uint64_t tick)
{
	struct i8254_counter *c = &p->counter[n];
	uint16_t count = c->access == 2 ? v << 8 : v;

	sync(c, tick);
	if (c->access == 3 && !c->write_high) {
		c->low = v;
		c->write_high = true;
		if (c->mode == 0) {	/* the first byte stops the count */
			c->state = I8254_IDLE;
			written(p, n, tick);
		}
		return;
	}
	if (c->access == 3) {
		count = v << 8 | c->low;
		c->write_high = false;
	}
	load(c, c->bcd ? from_bcd(count) : count, tick);
	written(p, n, tick);
}

static uint8_t read_count(struct i8254_counter *c, uint64_t tick)
{
	uint16_t v;
	bool high = c->access == 2 || (c->access == 3 && c->read_high);

	if (c->status_latched) {
		c->status_latched = false;
		return c->status;
	}
	sync(c, tick);
	v = c->latched ? c->latch : value(c, tick);
	if (c->access == 3)
		c->read_high = !high;
	if (c->access != 3 || high)
		c->latched = false;
	return high ? v >> 8 : v;
}

static uint8_t read_byte(struct i8254 *p, unsigned reg)
{
	uint64_t tick;

	if (reg > 2)		/* the control word cannot be read */
		return 0xff;
	tick = now_tick(p);
	service_edge(p, tick);
	return read_count(&p->counter[reg], tick);
}

static void write_byte(struct i8254 *p, unsigned reg, uint8_t v)
{
	uint64_t tick = now_tick(p);

	service_edge(p, tick);
	if (reg == 3)
		control(p, v, tick);
	else if (reg < 3)
		write_count(p, reg, v, tick);
}

uint32_t i8254_in(struct i8254 *p, unsigned reg, unsigned size)
{
	uint32_t v = 0;

	for (unsigned i = 0; i < size; i++)
		v |= (uint32_t)read_byte(p, reg + i) << 8 * i;
	return v;
}

void i8254_out(struct i8254 *p, unsigned reg, unsigned size, uint32_t v)
{
	for (unsigned i = 0; i < size; i++)
		write_byte(p, reg + i, v >> 8 * i);
}

/* Refresh requests are counter 1's, whatever it was programmed to. */
uint8_t i8254_port61_in(struct i8254 *p)
{
	uint64_t tick = now_tick(p);

	sync(&p->counter[1], tick);
	sync(&p->counter[2], tick);
	return p->port61 | (p->counter[1].periods & 1 ? PORT61_REFRESH : 0) |
	       (output(&p->counter[2], tick) ? PORT61_OUT2 : 0);
}

void i8254_port61_out(struct i8254 *p, uint8_t v)
{
	p->port61 = v & PORT61_WRITABLE;
	set_gate(&p->counter[2], v & PORT61_GATE2, now_tick(p));
}

/* Control words of the BIOS, and the counts, 0 for 65536. */
static const struct { uint8_t control, count; } bios[3] = {
	{ 0x36, 0 }, { 0x54, 18 }, { 0xb6, 0 },
};

void i8254_reset(struct i8254 *p)
{
	uint64_t tick = now_tick(p);

	p->port61 = 0;
	for (unsigned n = 0; n < 3; n++) {
		p->counter[n] = (struct i8254_counter){ .count = 65536, .gate = n != 2 };
		control(p, bios[n].control, tick);
		if (p->counter[n].access == 3)
			write_count(p, n, 0, tick);
		write_count(p, n, bios[n].count, tick);
	}
}

void i8254_init(struct i8254 *p, const struct dev_services *s)
{
	*p = (struct i8254){ .s = s, .clock = { .hz = I8254_HZ }, .edge = DEV_NO_TICK };
	i8254_reset(p);
}
