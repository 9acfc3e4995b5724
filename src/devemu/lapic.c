/* SPDX-License-Identifier: BSD-2-Clause */
#include "devemu/lapic.h"

#include "devemu/clock.h"

#define CHIP_VERSION (0x14u | (LVT_COUNT - 1) << 16)
#define FIRST_VECTOR 16u	/* those below are errors */

/* Bits of ESR (SDM 3, 11.5.3). */
#define ESR_SEND_VECTOR 0x20u
#define ESR_RECEIVE_VECTOR 0x40u
#define ESR_REGISTER 0x80u

/* ICR, low half (SDM 3, 11.6.1). */
#define ICR_LOGICAL 0x800u
#define ICR_WRITABLE 0xccfffu
enum { TO_DESTINATION, TO_SELF, TO_ALL, TO_OTHERS };

/* What may be written to the entries (SDM 3, figure 11-8). */
static const uint32_t lvt_writable[LVT_COUNT] = {
	[LVT_TIMER] = 0x300ff, [LVT_THERMAL] = 0x107ff, [LVT_PERFORMANCE] = 0x107ff,
	[LVT_LINT0] = 0x1a7ff, [LVT_LINT1] = 0x1a7ff, [LVT_ERROR] = 0x100ff,
};

static bool enabled(const struct lapic *l)
{
	return l->svr & LAPIC_ENABLED;
}

/* ---- requests ---- */

static int highest(const uint32_t set[8])
{
	for (int i = 7; i >= 0; i--)
		if (set[i])
			return i * 32 + 31 - __builtin_clz(set[i]);
	return -1;
}

static void put_bit(uint32_t set[8], uint8_t n, bool on)
{
	if (on)
		set[n / 32] |= 1u << n % 32;
	else
		set[n / 32] &= ~(1u << n % 32);
}

static uint32_t ppr(const struct lapic *l)
{
	int serviced = highest(l->isr);

	/* SDM 3, 11.8.3.1 */
	if (serviced < 0 || (l->tpr & 0xf0) >= ((uint32_t)serviced & 0xf0))
		return l->tpr;
	return (uint32_t)serviced & 0xf0;
}

static int requested(const struct lapic *l)
{
	int vector = highest(l->irr);

	return enabled(l) && vector >= 0 && ((uint32_t)vector & 0xf0) > (ppr(l) & 0xf0) ? vector : -1;
}

bool lapic_pending(const struct lapic *l)
{
	return requested(l) >= 0;
}

uint8_t lapic_ack(struct lapic *l)
{
	int vector = requested(l);

	if (vector < 0)
		return (uint8_t)l->svr;
	put_bit(l->irr, (uint8_t)vector, false);
	put_bit(l->isr, (uint8_t)vector, true);
	return (uint8_t)vector;
}

static void error(struct lapic *l, uint32_t bit)
{
	uint32_t entry = l->lvt[LVT_ERROR];

	l->errors |= bit;
	/* A bad vector of the error's own entry must not raise it again. */
	if (!(entry & LAPIC_MASKED) && (entry & 0xff) >= FIRST_VECTOR)
		lapic_request(l, (uint8_t)entry, false);
}

void lapic_request(struct lapic *l, uint8_t vector, bool level)
{
	if (vector < FIRST_VECTOR) {
		error(l, ESR_RECEIVE_VECTOR);
		return;
	}
	if (!enabled(l))
		return;
	put_bit(l->tmr, vector, level);
	put_bit(l->irr, vector, true);
}

static void end_of_interrupt(struct lapic *l)
{
	int vector = highest(l->isr);

	if (vector < 0)
		return;
	put_bit(l->isr, (uint8_t)vector, false);
	if (l->tmr[vector / 32] >> vector % 32 & 1)
		l->bus->eoi(l->bus->ctx, (uint8_t)vector);
}

bool lapic_extint(const struct lapic *l)
{
	uint32_t entry = l->lvt[LVT_LINT0];

	return !(entry & LAPIC_MASKED) && (entry >> 8 & 7) == DELIVER_EXTINT;
}

/* ---- messages ---- */

bool lapic_is_destination(const struct lapic *l, uint8_t destination, bool logical)
{
	uint8_t mine = l->ldr >> 24;

	if (destination == 0xff)
		return true;
	if (!logical)
		return destination == l->id >> 24;
	/* SDM 3, 11.6.2.2: flat, or clusters of four. */
	if (l->dfr >> 28 == 0xf)
		return destination & mine;
	return destination >> 4 == mine >> 4 && (destination & mine & 0xf);
}

static bool to_self(const struct lapic *l)
{
	switch (l->icr[0] >> 18 & 3) {
	case TO_DESTINATION:
		return lapic_is_destination(l, l->icr[1] >> 24, l->icr[0] & ICR_LOGICAL);
	case TO_OTHERS:
		return false;
	default:
		return true;
	}
}

static void send(struct lapic *l)
{
	unsigned mode = l->icr[0] >> 8 & 7;

	if (mode != DELIVER_FIXED && mode != DELIVER_LOWEST)
		return;
	if ((l->icr[0] & 0xff) < FIRST_VECTOR)
		error(l, ESR_SEND_VECTOR);
	else if (to_self(l))
		lapic_request(l, (uint8_t)l->icr[0], false);
}

/* ---- the timer ---- */

/* Bits 0, 1 and 3 of the divide register: by 2, 4 .. 128, 1 (SDM 3, figure 11-10). */
static unsigned shift(const struct lapic *l)
{
	return (((l->divide & 3) | (l->divide >> 1 & 4)) + 1) & 7;
}

/* Brings the count up to now, raises the interrupts on the way, one for any number of
 * periods; the count. */
static uint32_t count(struct lapic *l)
{
	uint64_t past = (l->s->now(l->s->ctx) - l->start) >> shift(l);
	uint32_t entry = l->lvt[LVT_TIMER], over;

	if (!l->left || past < l->left)
		return l->left ? l->left - (uint32_t)past : 0;
	l->start += past << shift(l);
	if (entry & LAPIC_PERIODIC) {
		dev_div(past - l->left, l->initial, &over);
		l->left = l->initial - over;
	} else {
		l->left = 0;
	}
	if (!(entry & LAPIC_MASKED))
		lapic_request(l, (uint8_t)entry, false);
	return l->left;
}

static void arm(struct lapic *l)
{
	bool wanted = l->left && !(l->lvt[LVT_TIMER] & LAPIC_MASKED);

	l->s->timer(l->s->ctx, wanted ? l->start + ((uint64_t)l->left << shift(l)) : DEV_NO_DEADLINE);
}

/* Before what the count depends on changes. */
static void settle(struct lapic *l)
{
	l->left = count(l);
	l->start = l->s->now(l->s->ctx);
}

void lapic_timer(struct lapic *l)
{
	count(l);
	arm(l);
}

static void write_initial(struct lapic *l, uint32_t v)
{
	l->initial = l->left = v;
	l->start = l->s->now(l->s->ctx);
	arm(l);
}

static void write_divide(struct lapic *l, uint32_t v)
{
	settle(l);
	l->divide = v & 0xb;
	arm(l);
}

/* ---- registers ---- */

static void write_lvt(struct lapic *l, unsigned n, uint32_t v)
{
	if (n == LVT_TIMER)
		settle(l);
	l->lvt[n] = (v & lvt_writable[n]) | (enabled(l) ? 0 : LAPIC_MASKED);
	if (n == LVT_TIMER)
		arm(l);
}

/* Disabled by software, every entry is masked, and stays so (SDM 3, 11.4.7.2). */
static void write_svr(struct lapic *l, uint32_t v)
{
	l->svr = v & 0x3ff;
	for (unsigned n = 0; n < LVT_COUNT && !enabled(l); n++)
		write_lvt(l, n, l->lvt[n]);
}

static void write_icr(struct lapic *l, uint32_t v)
{
	l->icr[0] = v & ICR_WRITABLE;
	send(l);
}

/* The bits since the last write become readable. */
static void write_esr(struct lapic *l)
{
	l->esr = l->errors;
	l->errors = 0;
}

uint32_t lapic_in(struct lapic *l, unsigned reg, unsigned size)
{
	(void)size;
	switch (reg) {
	case LAPIC_ID: return l->id;
	case LAPIC_VERSION: return CHIP_VERSION;
	case LAPIC_TPR: return l->tpr;
	case LAPIC_PPR: return ppr(l);
	case LAPIC_EOI: return 0;
	case LAPIC_LDR: return l->ldr;
	case LAPIC_DFR: return l->dfr;
	case LAPIC_SVR: return l->svr;
	case LAPIC_ISR ... LAPIC_TMR - 1: return l->isr[(reg - LAPIC_ISR) >> 4];
	case LAPIC_TMR ... LAPIC_IRR - 1: return l->tmr[(reg - LAPIC_TMR) >> 4];
	case LAPIC_IRR ... LAPIC_ESR - 1: return l->irr[(reg - LAPIC_IRR) >> 4];
	case LAPIC_ESR: return l->esr;
	case LAPIC_ICR: return l->icr[0];
	case LAPIC_ICR_HIGH: return l->icr[1];
	case LAPIC_LVT ... LAPIC_INITIAL_COUNT - 1: return l->lvt[(reg - LAPIC_LVT) >> 4];
	case LAPIC_INITIAL_COUNT: return l->initial;
	case LAPIC_CURRENT_COUNT: return count(l);
	case LAPIC_DIVIDE: return l->divide;
	default:
		error(l, ESR_REGISTER);
		return 0;
	}
}

void lapic_out(struct lapic *l, unsigned reg, unsigned size, uint32_t v)
{
	if (size != 4 || (reg & 15))
		return;
	switch (reg) {
	case LAPIC_ID: l->id = v & 0x0f000000; break;
	case LAPIC_TPR: l->tpr = v & 0xff; break;
	case LAPIC_EOI: end_of_interrupt(l); break;
	case LAPIC_LDR: l->ldr = v & 0xff000000; break;
	case LAPIC_DFR: l->dfr = v | 0x0fffffff; break;
	case LAPIC_SVR: write_svr(l, v); break;
	case LAPIC_ESR: write_esr(l); break;
	case LAPIC_ICR: write_icr(l, v); break;
	case LAPIC_ICR_HIGH: l->icr[1] = v & 0xff000000; break;
	case LAPIC_LVT ... LAPIC_INITIAL_COUNT - 1: write_lvt(l, (reg - LAPIC_LVT) >> 4, v); break;
	case LAPIC_INITIAL_COUNT: write_initial(l, v); break;
	case LAPIC_DIVIDE: write_divide(l, v); break;
	case LAPIC_VERSION:
	case LAPIC_PPR:
	case LAPIC_ISR ... LAPIC_ESR - 1:
	case LAPIC_CURRENT_COUNT:
		break;			/* read only */
	default:
		error(l, ESR_REGISTER);
	}
}

void lapic_reset(struct lapic *l)
{
	*l = (struct lapic){ .s = l->s, .bus = l->bus, .dfr = 0xffffffff, .svr = 0xff };
	for (unsigned n = 0; n < LVT_COUNT; n++)
		l->lvt[n] = LAPIC_MASKED;
	arm(l);
}

void lapic_setup(struct lapic *l)
{
	l->svr |= LAPIC_ENABLED;
	l->lvt[LVT_LINT0] = DELIVER_EXTINT << 8;
	l->lvt[LVT_LINT1] = DELIVER_NMI << 8;
}

void lapic_init(struct lapic *l, const struct dev_services *s, const struct lapic_services *bus)
{
	*l = (struct lapic){ .s = s, .bus = bus };
	lapic_reset(l);
}
