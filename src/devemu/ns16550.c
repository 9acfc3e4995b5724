/* SPDX-License-Identifier: BSD-2-Clause */
#include "devemu/ns16550.h"

/* Registers by offset; the first two have another meaning under DLAB. */
enum { RBR_THR = 0, IER = 1, IIR_FCR = 2, LCR = 3, MCR = 4, LSR = 5, MSR = 6, SCR = 7 };

#define IER_RDA 0x01u
#define IER_THRE 0x02u
#define IER_RLS 0x04u
#define IER_MSI 0x08u

#define IIR_NONE 0x01u
#define IIR_MSI 0x00u
#define IIR_THRE 0x02u
#define IIR_RDA 0x04u
#define IIR_RLS 0x06u
#define IIR_TIMEOUT 0x0cu
#define IIR_FIFO 0xc0u

#define FCR_ENABLE 0x01u
#define FCR_CLEAR_RX 0x02u

#define LCR_LENGTH 0x03u
#define LCR_STOP 0x04u
#define LCR_PARITY 0x08u
#define LCR_BREAK 0x40u
#define LCR_DLAB 0x80u

#define MCR_DTR 0x01u
#define MCR_RTS 0x02u
#define MCR_OUT1 0x04u
#define MCR_OUT2 0x08u
#define MCR_LOOP 0x10u

#define LSR_DR 0x01u
#define LSR_OE 0x02u
#define LSR_BI 0x10u
#define LSR_THRE 0x20u
#define LSR_TEMT 0x40u
#define LSR_FIFO_ERROR 0x80u

#define MSR_TERI 0x04u
#define MSR_CTS 0x10u
#define MSR_DSR 0x20u
#define MSR_RI 0x40u
#define MSR_DCD 0x80u

/* A bit lasts 16 divisors of the 1.8432 MHz clock: 8681 ns each, rounded up. */
#define NS_PER_DIVISOR 8681u

static unsigned capacity(const struct ns16550 *u)
{
	return u->fifo ? NS16550_FIFO : 1;
}

/* The highest pending interrupt (data sheet, table IV). */
static uint8_t iir(const struct ns16550 *u)
{
	if ((u->ier & IER_RLS) && u->errors)
		return IIR_RLS;
	if ((u->ier & IER_RDA) && u->count >= u->trigger)
		return IIR_RDA;
	if ((u->ier & IER_RDA) && u->timeout)
		return IIR_TIMEOUT;
	if ((u->ier & IER_THRE) && u->thre)
		return IIR_THRE;
	if ((u->ier & IER_MSI) && u->msr_delta)
		return IIR_MSI;
	return IIR_NONE;
}

/* The interrupt is inactive while looped back.  OUT2, which gates it on IBM's card, is not
 * wired, as in QEMU: xv6 leaves it off and waits for interrupts. */
static void update(struct ns16550 *u)
{
	bool level = !(u->mcr & MCR_LOOP) && iir(u) != IIR_NONE;

	if (level != u->line) {
		u->line = level;
		u->s->irq(u->s->ctx, level);
	}
}

static uint64_t frame_ns(const struct ns16550 *u)
{
	unsigned bits = 1 + 5 + (u->lcr & LCR_LENGTH) + 1 + !!(u->lcr & LCR_PARITY) +
			!!(u->lcr & LCR_STOP);

	return (uint64_t)(u->divisor ? u->divisor : 1) * bits * NS_PER_DIVISOR;
}

/*
 * A byte came or went: the character timeout starts anew, if a byte is there
 * and the FIFOs are on.  A timer that runs already is left to fire early and
 * is then set again: that is cheaper than setting it for every byte.
 */
static void restart_timeout(struct ns16550 *u)
{
	if (!u->fifo || !u->count)
		return;
	u->timeout_at = u->s->now(u->s->ctx) + 4 * frame_ns(u);
	if (!u->armed) {
		u->armed = true;
		u->s->timer(u->s->ctx, u->timeout_at);
	}
}

void ns16550_timer(struct ns16550 *u)
{
	u->armed = false;
	if (!u->fifo || !u->count || u->timeout)
		return;
	if (u->s->now(u->s->ctx) < u->timeout_at) {
		u->armed = true;
		u->s->timer(u->s->ctx, u->timeout_at);
		return;
	}
	u->timeout = true;
	update(u);
}

/* A byte's errors show in LSR when it comes to the top of the FIFO. */
static void show_errors(struct ns16550 *u)
{
	if (u->count)
		u->errors |= u->rx[u->head].errors;
}

static void push(struct ns16550 *u, uint8_t byte, uint8_t errors)
{
	unsigned at;

	if (u->count == capacity(u)) {
		u->errors |= LSR_OE;
		if (u->fifo)
			return;		/* a full FIFO is kept, the byte is lost */
		u->count = 0;		/* the holding register is overwritten */
	}
	at = (u->head + u->count++) % NS16550_FIFO;
	u->rx[at].byte = byte;
	u->rx[at].errors = errors;
	if (u->count == 1)
		show_errors(u);
}

static uint8_t pop(struct ns16550 *u)
{
	if (u->count) {
		u->rbr = u->rx[u->head].byte;
		u->head = (u->head + 1) % NS16550_FIFO;
		u->count--;
		u->timeout = false;
		show_errors(u);
		restart_timeout(u);
	}
	return u->rbr;
}

static void clear_rx(struct ns16550 *u)
{
	u->count = 0;
	u->timeout = false;
	u->errors &= LSR_OE;
}

size_t ns16550_room(const struct ns16550 *u)
{
	return u->mcr & MCR_LOOP ? 0 : capacity(u) - u->count;
}

size_t ns16550_receive(struct ns16550 *u, const uint8_t *buf, size_t n)
{
	size_t room = ns16550_room(u);

	if (n > room)
		n = room;
	if (!n)
		return 0;
	for (size_t i = 0; i < n; i++)
		push(u, buf[i], 0);
	restart_timeout(u);
	update(u);
	return n;
}

bool ns16550_break(struct ns16550 *u)
{
	if (!ns16550_room(u))
		return false;
	push(u, 0, LSR_BI);
	restart_timeout(u);
	update(u);
	return true;
}

/*
 * The byte leaves at once.  The empty transmitter interrupts again after each
 * write, with an edge of its own on the line: an 8259 input that is triggered
 * by edges would miss it otherwise.
 */
static void transmit(struct ns16550 *u, uint8_t v)
{
	u->thre = false;
	update(u);
	if (u->mcr & MCR_LOOP) {
		push(u, v, 0);
		restart_timeout(u);
	} else {
		u->s->char_out(u->s->ctx, &v, 1);
	}
	u->thre = true;
	update(u);
}

/* Enabling the interrupt while the transmitter is empty raises it: Linux tests
 * for that, and all drivers start their output so. */
static void write_ier(struct ns16550 *u, uint8_t v)
{
	if ((v & ~u->ier) & IER_THRE)
		u->thre = true;
	u->ier = v & 0x0f;
}

static void write_fcr(struct ns16550 *u, uint8_t v)
{
	static const uint8_t triggers[4] = { 1, 4, 8, 14 };
	bool fifo = v & FCR_ENABLE;

	if (fifo != u->fifo || (fifo && (v & FCR_CLEAR_RX)))
		clear_rx(u);
	u->fifo = fifo;
	u->trigger = fifo ? triggers[v >> 6 & 3] : 1;
	restart_timeout(u);
}

/* Upper half of MSR: the peer is there and ready, or the loop. */
static uint8_t modem_inputs(uint8_t mcr)
{
	if (!(mcr & MCR_LOOP))
		return MSR_CTS | MSR_DSR | MSR_DCD;
	return (mcr & MCR_RTS ? MSR_CTS : 0) | (mcr & MCR_DTR ? MSR_DSR : 0) |
	       (mcr & MCR_OUT1 ? MSR_RI : 0) | (mcr & MCR_OUT2 ? MSR_DCD : 0);
}

static void write_mcr(struct ns16550 *u, uint8_t v)
{
	uint8_t before = modem_inputs(u->mcr), after, changed;

	u->mcr = v & 0x1f;
	after = modem_inputs(u->mcr);
	changed = (before ^ after) >> 4;
	if (after & MSR_RI)
		changed &= ~MSR_TERI;	/* only the trailing edge counts */
	u->msr_delta |= changed;
}

/* A break that begins while looped back is received. */
static void write_lcr(struct ns16550 *u, uint8_t v)
{
	bool begins = (v & ~u->lcr) & LCR_BREAK;

	u->lcr = v;
	if (begins && (u->mcr & MCR_LOOP)) {
		push(u, 0, LSR_BI);
		restart_timeout(u);
	}
}

static uint8_t read_lsr(struct ns16550 *u)
{
	uint8_t v = LSR_THRE | LSR_TEMT | u->errors | (u->count ? LSR_DR : 0);

	for (unsigned i = 0; u->fifo && i < u->count; i++)
		if (u->rx[(u->head + i) % NS16550_FIFO].errors)
			v |= LSR_FIFO_ERROR;
	u->errors = 0;
	if (u->count)
		u->rx[u->head].errors = 0;
	update(u);
	return v;
}

static uint8_t read_iir(struct ns16550 *u)
{
	uint8_t v = iir(u);

	if (v == IIR_THRE) {		/* reading it is the acknowledge */
		u->thre = false;
		update(u);
	}
	return v | (u->fifo ? IIR_FIFO : 0);
}

static uint8_t read_msr(struct ns16550 *u)
{
	uint8_t v = modem_inputs(u->mcr) | u->msr_delta;

	u->msr_delta = 0;
	update(u);
	return v;
}

static uint8_t read_byte(struct ns16550 *u, unsigned reg)
{
	bool dlab = u->lcr & LCR_DLAB;
	uint8_t v;

	switch (reg) {
	case RBR_THR:
		if (dlab)
			return u->divisor & 0xff;
		v = pop(u);
		update(u);
		return v;
	case IER:
		return dlab ? u->divisor >> 8 : u->ier;
	case IIR_FCR:
		return read_iir(u);
	case LCR:
		return u->lcr;
	case MCR:
		return u->mcr;
	case LSR:
		return read_lsr(u);
	case MSR:
		return read_msr(u);
	case SCR:
		return u->scr;
	default:
		return 0xff;
	}
}

static void write_byte(struct ns16550 *u, unsigned reg, uint8_t v)
{
	bool dlab = u->lcr & LCR_DLAB;

	switch (reg) {
	case RBR_THR:
		if (dlab)
			u->divisor = (u->divisor & 0xff00) | v;
		else
			transmit(u, v);
		break;
	case IER:
		if (dlab)
			u->divisor = (u->divisor & 0xff) | v << 8;
		else
			write_ier(u, v);
		break;
	case IIR_FCR:
		write_fcr(u, v);
		break;
	case LCR:
		write_lcr(u, v);
		break;
	case MCR:
		write_mcr(u, v);
		break;
	case SCR:
		u->scr = v;
		break;
	default:		/* LSR and MSR are read only */
		break;
	}
	update(u);
}

uint32_t ns16550_in(struct ns16550 *u, unsigned reg, unsigned size)
{
	uint32_t v = 0;

	for (unsigned i = 0; i < size; i++)
		v |= (uint32_t)read_byte(u, reg + i) << 8 * i;
	return v;
}

void ns16550_out(struct ns16550 *u, unsigned reg, unsigned size, uint32_t v)
{
	for (unsigned i = 0; i < size; i++)
		write_byte(u, reg + i, v >> 8 * i);
}

/* The scratch register and the divisor have no reset value; 9600 baud. */
void ns16550_reset(struct ns16550 *u)
{
	const struct dev_services *s = u->s;
	bool line = u->line;

	*u = (struct ns16550){ .s = s, .line = line, .divisor = 12, .trigger = 1 };
	s->timer(s->ctx, DEV_NO_DEADLINE);
	update(u);
}

void ns16550_init(struct ns16550 *u, const struct dev_services *s)
{
	*u = (struct ns16550){ .s = s };
	ns16550_reset(u);
}
