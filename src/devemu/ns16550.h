/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The 16550A serial port (National Semiconductor PC16550D data sheet,
 * TL/C/8652) with a peer that is always ready: bytes leave at once, so that
 * the transmitter is empty whenever the guest looks.
 */
#ifndef LILYVM_NS16550_H
#define LILYVM_NS16550_H

#include "devemu/devemu.h"

#define NS16550_FIFO 16u

struct ns16550 {
	const struct dev_services *s;
	uint8_t ier, lcr, mcr, scr;
	uint8_t msr_delta;		/* low half of MSR */
	uint8_t errors;			/* OE, PE, FE, BI as LSR shows them */
	uint8_t rbr;			/* the last byte read */
	uint16_t divisor;
	bool fifo;			/* FIFOs are on */
	uint8_t trigger;		/* bytes that raise the receive interrupt */
	bool thre;			/* transmitter-empty interrupt pends */
	bool timeout;			/* character-timeout interrupt pends */
	bool line;			/* level of the interrupt line */
	bool armed;			/* the timer runs */
	uint64_t timeout_at;		/* virtual time of the character timeout */
	unsigned head, count;		/* receive FIFO, or the holding register */
	struct { uint8_t byte, errors; } rx[NS16550_FIFO];
};

/* Uses the services irq, now, timer and char_out. */
void ns16550_init(struct ns16550 *u, const struct dev_services *s);
void ns16550_reset(struct ns16550 *u);
uint32_t ns16550_in(struct ns16550 *u, unsigned reg, unsigned size);
void ns16550_out(struct ns16550 *u, unsigned reg, unsigned size, uint32_t v);
void ns16550_timer(struct ns16550 *u);

/* How many bytes the receiver can take now: nothing while looped back.  It can
 * become more whenever the guest has read or written a register. */
size_t ns16550_room(const struct ns16550 *u);
/* Receives up to n bytes; returns how many were taken. */
size_t ns16550_receive(struct ns16550 *u, const uint8_t *buf, size_t n);
/* Receives a break condition; false if there is no room for it. */
bool ns16550_break(struct ns16550 *u);

#endif
