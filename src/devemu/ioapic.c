/* SPDX-License-Identifier: BSD-2-Clause */
#include "devemu/ioapic.h"

#define CHIP_VERSION (0x11u | (IOAPIC_PINS - 1) << 16)
#define ENTRY_WRITABLE 0xff0000000001afffull

/* An asserted level interrupt that is not under way is sent. */
static void evaluate(struct ioapic *p, unsigned pin)
{
	uint64_t *e = &p->entry[pin];

	if (!(*e & IOAPIC_LEVEL))
		*e &= ~(uint64_t)IOAPIC_REMOTE_IRR;
	else if ((p->lines >> pin & 1) && !(*e & (IOAPIC_MASKED | IOAPIC_REMOTE_IRR))) {
		*e |= IOAPIC_REMOTE_IRR;
		p->s->send(p->s->ctx, *e);
	}
}

void ioapic_set_irq(struct ioapic *p, unsigned pin, int level)
{
	bool was;

	if (pin >= IOAPIC_PINS)
		return;
	was = p->lines >> pin & 1;
	p->lines = (p->lines & ~(1u << pin)) | (uint32_t)!!level << pin;
	if (p->entry[pin] & IOAPIC_LEVEL)
		evaluate(p, pin);
	else if (level && !was && !(p->entry[pin] & IOAPIC_MASKED))
		p->s->send(p->s->ctx, p->entry[pin]);
	/* An edge at a masked input is lost (data sheet, 3.2.4). */
}

void ioapic_eoi(struct ioapic *p, uint8_t vector)
{
	for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
		uint64_t *e = &p->entry[pin];

		if (!(*e & IOAPIC_LEVEL) || (uint8_t)*e != vector)
			continue;
		*e &= ~(uint64_t)IOAPIC_REMOTE_IRR;
		evaluate(p, pin);
	}
}

static void write_entry(struct ioapic *p, unsigned n, uint32_t v)
{
	uint64_t *e = &p->entry[n / 2];
	uint64_t half = n & 1 ? (uint64_t)UINT32_MAX << 32 : UINT32_MAX;
	uint64_t mask = ENTRY_WRITABLE & half;

	*e = (*e & ~mask) | ((n & 1 ? (uint64_t)v << 32 : v) & mask);
	evaluate(p, n / 2);
}

uint32_t ioapic_in(struct ioapic *p, unsigned reg, unsigned size)
{
	unsigned n = p->select - IOAPIC_TABLE;

	(void)size;
	if (reg == IOAPIC_SELECT)
		return p->select;
	if (reg != IOAPIC_WINDOW)
		return 0;
	switch (p->select) {
	case IOAPIC_ID:
	case IOAPIC_ARBITRATION:
		return (uint32_t)p->id << 24;
	case IOAPIC_VERSION:
		return CHIP_VERSION;
	}
	if (n >= 2 * IOAPIC_PINS)
		return 0;
	return (uint32_t)(n & 1 ? p->entry[n / 2] >> 32 : p->entry[n / 2]);
}

void ioapic_out(struct ioapic *p, unsigned reg, unsigned size, uint32_t v)
{
	unsigned n = p->select - IOAPIC_TABLE;

	(void)size;
	if (reg == IOAPIC_SELECT)
		p->select = (uint8_t)v;
	else if (reg == IOAPIC_WINDOW && p->select == IOAPIC_ID)
		p->id = v >> 24 & 0xf;
	else if (reg == IOAPIC_WINDOW && n < 2 * IOAPIC_PINS)
		write_entry(p, n, v);
}

void ioapic_reset(struct ioapic *p)
{
	p->id = p->select = 0;
	for (unsigned pin = 0; pin < IOAPIC_PINS; pin++)
		p->entry[pin] = IOAPIC_MASKED;
}

void ioapic_init(struct ioapic *p, const struct ioapic_services *s)
{
	*p = (struct ioapic){ .s = s };
	ioapic_reset(p);
}
