/* SPDX-License-Identifier: BSD-2-Clause */
#include "devemu/rtl8139.h"

#define REALTEK 0x10ecu
#define RTL8139 0x8139u
#define REVISION_C 0x10u
#define CLASS_ETHERNET 0x020000u

#define VERSION_C 0x74000000u		/* HWVERID in the TCR */
#define RX_HEADER 4u			/* status and length */
#define CAPR_BIAS 16u			/* CAPR is that much behind the reader */
#define TIMER_HZ_BY_1000 33000u

/* 9346CR: what the register's lines are connected to. */
#define EE_MODE 0xc0u
#define EE_AUTOLOAD 0x40u
#define EE_PROGRAM 0x80u
#define EE_CONFIG 0xc0u			/* IDR and CONFIGn can be written */
#define EE_CS 0x08u
#define EE_SK 0x04u
#define EE_DI 0x02u
#define EE_DO 0x01u

static uint32_t get(const struct rtl8139 *r, unsigned at, unsigned size)
{
	uint32_t v = 0;

	for (unsigned i = 0; i < size; i++)
		v |= (uint32_t)r->reg[at + i] << (8 * i);
	return v;
}

static void set(struct rtl8139 *r, unsigned at, unsigned size, uint32_t v)
{
	for (unsigned i = 0; i < size; i++)
		r->reg[at + i] = (uint8_t)(v >> (8 * i));
}

static void update_irq(struct rtl8139 *r)
{
	r->s->irq(r->s->ctx, (get(r, RTL8139_ISR, 2) & get(r, RTL8139_IMR, 2)) != 0);
}

static void raise(struct rtl8139 *r, uint32_t isr)
{
	set(r, RTL8139_ISR, 2, get(r, RTL8139_ISR, 2) | isr);
	update_irq(r);
}

static bool enabled(const struct rtl8139 *r, uint8_t what)
{
	return r->reg[RTL8139_CR] & what;
}

static bool loopback(const struct rtl8139 *r)
{
	return (get(r, RTL8139_TCR, 4) & RTL8139_TCR_LBK) == RTL8139_TCR_LBK;
}

/* A waiting frame may have got room. */
static void ask_again(struct rtl8139 *r)
{
	if (!r->refused)
		return;
	r->refused = false;
	r->s->net_ready(r->s->ctx);
}

/* Reception. */

static uint32_t ring_size(const struct rtl8139 *r)
{
	return 8192u << RTL8139_RCR_RBLEN(get(r, RTL8139_RCR, 4));
}

/* The bytes that the driver has not read yet. */
static uint32_t ring_used(const struct rtl8139 *r)
{
	return (get(r, RTL8139_CBR, 2) - get(r, RTL8139_CAPR, 2) - CAPR_BIAS) & (ring_size(r) - 1);
}

/* The address filter; the status bits that tell how a frame passed, or 0. */
static uint16_t accepted(const struct rtl8139 *r, const uint8_t *dest)
{
	uint32_t rcr = get(r, RTL8139_RCR, 4);

	if (ether_is_broadcast(dest))
		return rcr & RTL8139_RCR_AB ? RTL8139_RX_BAR | RTL8139_RX_ROK : 0;
	if (ether_is_multicast(dest))
		return rcr & RTL8139_RCR_AM && ether_in_hash(&r->reg[RTL8139_MAR], dest) ?
		       RTL8139_RX_MAR | RTL8139_RX_ROK : 0;
	if (ether_same(dest, &r->reg[RTL8139_IDR]))
		return rcr & (RTL8139_RCR_APM | RTL8139_RCR_AAP) ?
		       RTL8139_RX_PAM | RTL8139_RX_ROK : 0;
	return rcr & RTL8139_RCR_AAP ? RTL8139_RX_ROK : 0;
}

static void missed(struct rtl8139 *r, uint32_t isr)
{
	r->missed = (r->missed + 1) & 0xffffff;
	raise(r, isr);
}

/* DMA of len bytes to offset `at` of the ring; false if there is no memory. */
static bool ring_write(struct rtl8139 *r, uint32_t at, const void *p, uint32_t len)
{
	uint64_t gpa = get(r, RTL8139_RBSTART, 4) + (uint64_t)at;
	uint8_t *to = len ? r->s->dma(r->s->ctx, gpa, len) : NULL;

	if (!to)
		return !len;
	__builtin_memcpy(to, p, len);
	r->s->dma_wrote(r->s->ctx, gpa, len);
	return true;
}

/* The same, but it goes on at the ring's start. */
static bool ring_put(struct rtl8139 *r, uint32_t at, const uint8_t *p, uint32_t len, bool wrap)
{
	uint32_t size = ring_size(r), first = at >= size ? 0 : size - at;

	if (!wrap || len <= first)
		return ring_write(r, wrap ? at % size : at, p, len);
	return ring_write(r, at, p, first) &&
	       ring_write(r, first ? 0 : at % size, p + first, len - first);
}

static bool store(struct rtl8139 *r, const uint8_t *frame, uint32_t len, uint16_t status)
{
	static const uint8_t zeros[ETHER_MIN + ETHER_FCS];
	uint32_t padded = len < ETHER_MIN ? ETHER_MIN : len, size = ring_size(r);
	uint32_t at = get(r, RTL8139_CBR, 2), length = padded + ETHER_FCS;
	const uint8_t header[RX_HEADER] = {
		(uint8_t)status, (uint8_t)(status >> 8), (uint8_t)length, (uint8_t)(length >> 8),
	};
	/* A ring of 64 KiB always wraps. */
	bool wrap = !(get(r, RTL8139_RCR, 4) & RTL8139_RCR_WRAP) || size == 0x10000;

	if (!ring_put(r, at, header, RX_HEADER, wrap) ||
	    !ring_put(r, at + RX_HEADER, frame, len, wrap) ||
	    !ring_put(r, at + RX_HEADER + len, zeros, length - len, wrap))
		return false;
	set(r, RTL8139_CBR, 2, (at + RX_HEADER + length + 3) & ~3u & (size - 1));
	return true;
}

static bool receive(struct rtl8139 *r, const uint8_t *frame, uint32_t len)
{
	uint32_t need = RX_HEADER + (len < ETHER_MIN ? ETHER_MIN : len) + ETHER_FCS + 3;
	uint16_t status;

	if (!enabled(r, RTL8139_CR_RE) || len < ETHER_HEADER || len > ETHER_MAX)
		return true;
	status = accepted(r, frame);
	if (!status)
		return true;
	/* CBR must not reach the reader: that would be an empty ring. */
	if (need >= ring_size(r) - ring_used(r))
		return false;
	if (store(r, frame, len, status)) {
		reminder_arm(&r->reminder, r->s);
		raise(r, RTL8139_ROK);
	} else {
		missed(r, RTL8139_RXOVW | RTL8139_RER);
	}
	return true;
}

bool rtl8139_net_receive(struct rtl8139 *r, const uint8_t *frame, uint32_t len)
{
	/* In loopback the receiver hears the transmitter only. */
	if (loopback(r) || receive(r, frame, len))
		return true;
	r->refused = true;
	return false;
}

void rtl8139_timer(struct rtl8139 *r)
{
	reminder_fired(&r->reminder);
	if (!enabled(r, RTL8139_CR_RE) || !ring_used(r))
		return;
	reminder_arm(&r->reminder, r->s);
	raise(r, RTL8139_ROK);
}

/* Transmission. */

static unsigned tsd_of(unsigned i)
{
	return RTL8139_TSD + 4 * i;
}

static void sent(struct rtl8139 *r, uint32_t status, uint32_t isr)
{
	unsigned tsd = tsd_of(r->tx_next);

	set(r, tsd, 4, get(r, tsd, 4) | status | RTL8139_TSD_OWN);
	r->tx_next = (r->tx_next + 1) % RTL8139_TX;
	raise(r, isr);
}

/* Hands the frame over; false: the back end takes none now. */
static bool hand_over(struct rtl8139 *r, uint8_t *frame, uint32_t len)
{
	struct dev_iovec iov = { frame, len };

	if (!loopback(r))
		return r->s->net_send(r->s->ctx, &iov, 1);
	/* Nobody waits for room within the chip. */
	if (!receive(r, frame, len))
		missed(r, RTL8139_RXOVW);
	return true;
}

/* Sends the next descriptor; false: not now. */
static bool transmit_next(struct rtl8139 *r)
{
	uint32_t len = get(r, tsd_of(r->tx_next), 4) & RTL8139_TSD_SIZE;
	uint32_t gpa = get(r, RTL8139_TSAD + 4 * r->tx_next, 4);
	uint8_t *frame = len ? r->s->dma(r->s->ctx, gpa, len) : NULL;

	if (!frame || len > RTL8139_TX_MAX) {
		sent(r, RTL8139_TSD_TABT, RTL8139_TER);
		return true;
	}
	/* What is no frame goes onto the wire as well, and nobody takes it. */
	if (len >= ETHER_HEADER && len <= ETHER_MAX && !hand_over(r, frame, len))
		return false;
	sent(r, RTL8139_TSD_TOK, RTL8139_TOK);
	return true;
}

/* Descriptors are sent in turn, as the driver hands them over. */
static void transmit(struct rtl8139 *r)
{
	r->unsent = false;
	for (unsigned i = 0; i < RTL8139_TX && enabled(r, RTL8139_CR_TE) &&
			     !(get(r, tsd_of(r->tx_next), 4) & RTL8139_TSD_OWN); i++)
		if (!transmit_next(r)) {
			r->unsent = true;
			return;
		}
}

void rtl8139_net_sendable(struct rtl8139 *r)
{
	if (r->unsent)
		transmit(r);
}

/* What changes by itself, put into the register file before it is read. */

static void refresh_cr(struct rtl8139 *r)
{
	r->reg[RTL8139_CR] &= (uint8_t)~RTL8139_CR_BUFE;
	if (!ring_used(r))
		r->reg[RTL8139_CR] |= RTL8139_CR_BUFE;
}

static void refresh_timer(struct rtl8139 *r)
{
	uint64_t us = dev_div(r->s->now(r->s->ctx) - r->timer_start, 1000, NULL);

	set(r, RTL8139_TCTR, 4, (uint32_t)(us * (TIMER_HZ_BY_1000 / 1000)));
}

static void refresh_missed(struct rtl8139 *r)
{
	set(r, RTL8139_MPC, 4, r->missed);
}

/* The states of all four descriptors: OWN, TABT, TUN, TOK, four bits each. */
static void refresh_tsall(struct rtl8139 *r)
{
	static const uint32_t bits[] = {
		RTL8139_TSD_OWN, RTL8139_TSD_TABT, RTL8139_TSD_TUN, RTL8139_TSD_TOK,
	};
	uint32_t v = 0;

	for (unsigned i = 0; i < 4 * RTL8139_TX; i++)
		if (get(r, tsd_of(i % RTL8139_TX), 4) & bits[i / RTL8139_TX])
			v |= 1u << i;
	set(r, RTL8139_TSALL, 2, v);
}

/* Writes; v holds zeros and mask holds zeros for bytes that are not written. */

static void store_masked(struct rtl8139 *r, unsigned at, unsigned size, uint32_t v, uint32_t mask)
{
	set(r, at, size, (get(r, at, size) & ~mask) | (v & mask));
}

/* A software reset; addresses and configuration stay (data sheet, 5.7). */
static void soft_reset(struct rtl8139 *r)
{
	for (unsigned i = 0; i < RTL8139_TX; i++) {
		set(r, tsd_of(i), 4, RTL8139_TSD_OWN);
		set(r, RTL8139_TSAD + 4 * i, 4, 0);
	}
	r->reg[RTL8139_CR] = 0;
	set(r, RTL8139_RBSTART, 4, 0);
	set(r, RTL8139_CAPR, 2, 0x10000 - CAPR_BIAS);
	set(r, RTL8139_CBR, 2, 0);
	set(r, RTL8139_IMR, 2, 0);
	set(r, RTL8139_ISR, 2, 0);
	set(r, RTL8139_TCR, 4, VERSION_C);
	set(r, RTL8139_RCR, 4, 0);
	r->tx_next = 0;
	r->missed = 0;
	r->unsent = false;
	update_irq(r);
}

static void write_cr(struct rtl8139 *r, unsigned at, uint32_t v, uint32_t mask)
{
	uint8_t old = r->reg[RTL8139_CR];

	if (v & RTL8139_CR_RST) {
		soft_reset(r);
		return;
	}
	store_masked(r, at, 1, v, mask & (RTL8139_CR_TE | RTL8139_CR_RE));
	if (!enabled(r, RTL8139_CR_TE))
		r->unsent = false;
	if (enabled(r, RTL8139_CR_TE) && !(old & RTL8139_CR_TE))
		transmit(r);
}

/* A write hands the descriptor over: OWN goes, and so does what the chip has said. */
static void write_tsd(struct rtl8139 *r, unsigned at, uint32_t v, uint32_t mask)
{
	store_masked(r, at, 4, v, mask & 0x003f3fffu);
	if (!(mask & RTL8139_TSD_OWN))
		return;
	set(r, at, 4, get(r, at, 4) & 0x003f3fffu);
	if (!r->unsent)
		transmit(r);
}

static void write_isr(struct rtl8139 *r, unsigned at, uint32_t v, uint32_t mask)
{
	set(r, at, 2, get(r, at, 2) & ~(v & mask));
	update_irq(r);
}

static void write_imr(struct rtl8139 *r, unsigned at, uint32_t v, uint32_t mask)
{
	store_masked(r, at, 2, v, mask & RTL8139_INTS);
	update_irq(r);
}

static void write_tctr(struct rtl8139 *r, unsigned at, uint32_t v, uint32_t mask)
{
	(void)at, (void)v, (void)mask;
	r->timer_start = r->s->now(r->s->ctx);	/* any value clears it */
}

static void write_mpc(struct rtl8139 *r, unsigned at, uint32_t v, uint32_t mask)
{
	(void)at, (void)v, (void)mask;
	r->missed = 0;
}

/* The station's address, from the EEPROM to the registers. */
static void autoload(struct rtl8139 *r)
{
	for (unsigned i = 0; i < ETHER_ADDR; i++)
		r->reg[RTL8139_IDR + i] = (uint8_t)(r->eeprom.word[7 + i / 2] >> (i % 2 * 8));
}

static void write_9346cr(struct rtl8139 *r, unsigned at, uint32_t v, uint32_t mask)
{
	bool out = false;

	(void)mask;
	if ((v & EE_MODE) == EE_AUTOLOAD) {
		autoload(r);
		v = 0;
	}
	if ((v & EE_MODE) == EE_PROGRAM)
		out = eeprom93c46_lines(&r->eeprom, v & EE_CS, v & EE_SK, v & EE_DI);
	r->reg[at] = (uint8_t)((v & ~EE_DO) | (out ? EE_DO : 0));
}

/* The address and the configuration change only while 9346CR allows it. */
static void write_locked(struct rtl8139 *r, unsigned at, uint32_t v, uint32_t mask)
{
	if ((r->reg[RTL8139_9346CR] & EE_MODE) == EE_CONFIG)
		store_masked(r, at, 1, v, mask);
}

/* Negotiation ends at once; a reset of the PHY as well. */
static void write_bmcr(struct rtl8139 *r, unsigned at, uint32_t v, uint32_t mask)
{
	if (v & mask & 0x8000)
		set(r, at, 2, 0x1000);
	else
		store_masked(r, at, 2, v & ~0x0200u, mask);
}

static void write_capr(struct rtl8139 *r, unsigned at, uint32_t v, uint32_t mask)
{
	store_masked(r, at, 2, v, mask);
	reminder_read(&r->reminder);
	if (ring_used(r))
		reminder_arm(&r->reminder, r->s);
}

/* The register file.  What is missing reads as 0 and ignores writes. */
static const struct reg {
	uint8_t at, size;
	uint32_t writable;		/* if there is no write function */
	void (*refresh)(struct rtl8139 *r);
	void (*write)(struct rtl8139 *r, unsigned at, uint32_t v, uint32_t mask);
} regs[] = {
	{ RTL8139_TSD, 4, 0, NULL, write_tsd },
	{ RTL8139_TSD + 4, 4, 0, NULL, write_tsd },
	{ RTL8139_TSD + 8, 4, 0, NULL, write_tsd },
	{ RTL8139_TSD + 12, 4, 0, NULL, write_tsd },
	{ RTL8139_TSAD, 4, ~0u, NULL, NULL },
	{ RTL8139_TSAD + 4, 4, ~0u, NULL, NULL },
	{ RTL8139_TSAD + 8, 4, ~0u, NULL, NULL },
	{ RTL8139_TSAD + 12, 4, ~0u, NULL, NULL },
	{ RTL8139_ISR, 2, 0, NULL, write_isr },
	{ RTL8139_IMR, 2, 0, NULL, write_imr },
	{ RTL8139_CR, 1, 0, refresh_cr, write_cr },
	{ RTL8139_CAPR, 2, 0, NULL, write_capr },
	{ RTL8139_CBR, 2, 0, NULL, NULL },
	{ RTL8139_RBSTART, 4, ~0u, NULL, NULL },
	{ RTL8139_TCR, 4, 0x030707f0, NULL, NULL },
	{ RTL8139_RCR, 4, 0x0f03fbff, NULL, NULL },
	{ RTL8139_MAR, 4, ~0u, NULL, NULL },
	{ RTL8139_MAR + 4, 4, ~0u, NULL, NULL },
	{ RTL8139_IDR, 1, 0, NULL, write_locked },
	{ RTL8139_IDR + 1, 1, 0, NULL, write_locked },
	{ RTL8139_IDR + 2, 1, 0, NULL, write_locked },
	{ RTL8139_IDR + 3, 1, 0, NULL, write_locked },
	{ RTL8139_IDR + 4, 1, 0, NULL, write_locked },
	{ RTL8139_IDR + 5, 1, 0, NULL, write_locked },
	{ RTL8139_TCTR, 4, 0, refresh_timer, write_tctr },
	{ RTL8139_MPC, 4, 0, refresh_missed, write_mpc },
	{ RTL8139_9346CR, 1, 0, NULL, write_9346cr },
	{ RTL8139_CONFIG0, 1, 0, NULL, NULL },
	{ RTL8139_CONFIG1, 1, 0, NULL, write_locked },
	{ RTL8139_TIMERINT, 4, ~0u, NULL, NULL },
	{ RTL8139_MSR, 1, 0xc0, NULL, NULL },
	{ RTL8139_CONFIG3, 1, 0, NULL, write_locked },
	{ RTL8139_CONFIG4, 1, 0, NULL, write_locked },
	{ RTL8139_MULINT, 2, 0x0fff, NULL, NULL },
	{ RTL8139_RERID, 1, 0, NULL, NULL },
	{ RTL8139_TSALL, 2, 0, refresh_tsall, NULL },
	{ RTL8139_BMCR, 2, 0, NULL, write_bmcr },
	{ RTL8139_BMSR, 2, 0, NULL, NULL },
	{ RTL8139_ANAR, 2, 0x3ff, NULL, NULL },
	{ RTL8139_ANLPAR, 2, 0, NULL, NULL },
	{ RTL8139_ANER, 2, 0, NULL, NULL },
	{ RTL8139_NWAYTR, 2, 0xff, NULL, NULL },
	{ RTL8139_CSCR, 2, 0xff, NULL, NULL },
	{ RTL8139_CONFIG5, 1, 0, NULL, write_locked },
};
#define REGS (sizeof(regs) / sizeof(regs[0]))

static bool overlap(const struct reg *g, unsigned at, unsigned size)
{
	return at < g->at + (unsigned)g->size && g->at < at + size;
}

uint32_t rtl8139_in(struct rtl8139 *r, unsigned reg, unsigned size)
{
	if (reg + size > RTL8139_REGS)
		return 0xffffffff;
	for (unsigned i = 0; i < REGS; i++)
		if (regs[i].refresh && overlap(&regs[i], reg, size))
			regs[i].refresh(r);
	return get(r, reg, size);
}

/* The part of an access of size bytes at `at` that belongs to the register g. */
static uint32_t part_of(const struct reg *g, unsigned at, unsigned size, uint32_t v)
{
	uint64_t wide = size < 4 ? v & ((1u << (8 * size)) - 1) : v;

	wide = at >= g->at ? wide << (8 * (at - g->at)) : wide >> (8 * (g->at - at));
	return (uint32_t)wide & (g->size < 4 ? (1u << (8 * g->size)) - 1 : 0xffffffffu);
}

void rtl8139_out(struct rtl8139 *r, unsigned reg, unsigned size, uint32_t v)
{
	if (reg + size > RTL8139_REGS)
		return;
	for (unsigned i = 0; i < REGS; i++) {
		const struct reg *g = &regs[i];
		uint32_t mask;

		if (!overlap(g, reg, size))
			continue;
		mask = part_of(g, reg, size, 0xffffffff);
		if (g->write)
			g->write(r, g->at, part_of(g, reg, size, v), mask);
		else
			store_masked(r, g->at, g->size, part_of(g, reg, size, v),
				     mask & g->writable);
	}
	ask_again(r);
}

/* What power-on leaves: a link of 100 Mbit/s, full duplex, negotiated. */
void rtl8139_reset(struct rtl8139 *r)
{
	for (unsigned i = 0; i < RTL8139_REGS; i++)
		r->reg[i] = 0;
	soft_reset(r);
	autoload(r);
	r->reg[RTL8139_CONFIG1] = 0x0c;
	set(r, RTL8139_BMCR, 2, 0x3100);
	set(r, RTL8139_BMSR, 2, 0x782d);
	set(r, RTL8139_ANAR, 2, 0x01e1);
	set(r, RTL8139_ANLPAR, 2, 0x45e1);
	set(r, RTL8139_ANER, 2, 0x0001);
	r->timer_start = r->s->now(r->s->ctx);
	ask_again(r);
}

/* Identification, as autoload would take it, and the address in words 7 to 9. */
static void eeprom_init(struct eeprom93c46 *e, const uint8_t *mac)
{
	e->word[0] = 0x8129;
	e->word[1] = REALTEK;
	e->word[2] = RTL8139;
	e->word[3] = REALTEK;
	e->word[4] = RTL8139;
	for (unsigned i = 0; i < ETHER_ADDR / 2; i++)
		e->word[7 + i] = (uint16_t)(mac[2 * i] | mac[2 * i + 1] << 8);
}

void rtl8139_init(struct rtl8139 *r, const struct dev_services *s,
		  const uint8_t mac[ETHER_ADDR])
{
	*r = (struct rtl8139){ .s = s };
	pci_function_init(&r->pci, REALTEK, RTL8139, CLASS_ETHERNET);
	r->pci.config[PCI_REVISION] = REVISION_C;
	pci_function_set(&r->pci, PCI_SUBSYS_VENDOR, 2, REALTEK);
	pci_function_set(&r->pci, PCI_SUBSYS_DEVICE, 2, RTL8139);
	r->pci.config[PCI_INT_PIN] = 1;
	pci_function_io_bar(&r->pci, 0, RTL8139_REGS);
	pci_function_memory_bar(&r->pci, 1, RTL8139_REGS);
	eeprom_init(&r->eeprom, mac);
	rtl8139_reset(r);
}

static uint32_t bar_in(void *chip, unsigned bar, unsigned reg, unsigned size)
{
	(void)bar;
	return rtl8139_in(chip, reg, size);
}

static void bar_out(void *chip, unsigned bar, unsigned reg, unsigned size, uint32_t v)
{
	(void)bar;
	rtl8139_out(chip, reg, size, v);
}

const struct pci_ops rtl8139_pci_ops = { .in = bar_in, .out = bar_out };
