/* SPDX-License-Identifier: BSD-2-Clause */
#include "devemu/ne2000.h"

#define PAGE 256u			/* unit of the ring */
#define RING_HEADER 4u			/* status, next page, byte count */
#define RESET_PORT 0x18u
#define DMA (NE2000_CR_READ | NE2000_CR_WRITE)

/* The RTL8029 tells here what it is; a DP8390 has nothing there. */
#define ID0 0x50u
#define ID1 0x70u

void ne2000_sync(struct ne2000 *n)
{
	uint8_t level = ne2000_level(n->c);

	if (level == n->level)
		return;
	n->level = level;
	n->s->irq(n->s->ctx, level);
}

static void raise(struct ne2000 *n, uint8_t isr)
{
	n->c->isr |= isr;
	ne2000_sync(n);
}

/* Tally counters stop at C0H; from 80H on they interrupt (10.4). */
static void count(struct ne2000 *n, unsigned which)
{
	if (n->c->tally[which] < 0xc0)
		n->c->tally[which]++;
	if (n->c->tally[which] & 0x80)
		raise(n, NE2000_ISR_CNT);
}

/* A waiting frame may have got room. */
static void ask_again(struct ne2000 *n)
{
	if (!n->c->refused)
		return;
	n->c->refused = false;
	n->s->net_ready(n->s->ctx);
}

/* Local memory; what is neither PROM nor RAM reads as ones. */

static uint8_t mem_read(const struct ne2000 *n, uint16_t at)
{
	if (at < NE2000_PROM)
		return n->prom[at];
	if (at - NE2000_RAM_START < NE2000_RAM)
		return n->c->ram[at - NE2000_RAM_START];
	return 0xff;
}

static void mem_write(struct ne2000 *n, uint16_t at, uint8_t v)
{
	if (at - NE2000_RAM_START < NE2000_RAM)
		n->c->ram[at - NE2000_RAM_START] = v;
}

/* Remote DMA (chapter 9). */

static void dma_step(struct ne2000 *n)
{
	if (++n->c->crda == n->c->pstop * PAGE)
		n->c->crda = (uint16_t)(n->c->pstart * PAGE);
	if (--n->c->rbcr == 0)
		raise(n, NE2000_ISR_RDC);
}

/* A transfer moves one byte or word, whatever part of it the CPU takes; the bus
 * makes two transfers of an access that is wider than the port. */
static unsigned dma_bytes(const struct ne2000 *n, unsigned size)
{
	return n->c->dcr & NE2000_DCR_WTS && size < 2 ? 2 : size;
}

static uint32_t data_in(struct ne2000 *n, unsigned size)
{
	uint32_t v = 0;

	for (unsigned i = 0; i < dma_bytes(n, size); i++) {
		uint8_t byte = 0xff;

		if (n->c->rbcr) {
			byte = mem_read(n, n->c->crda);
			dma_step(n);
		}
		if (i < size)
			v |= (uint32_t)byte << (8 * i);
	}
	return v;
}

static void data_out(struct ne2000 *n, unsigned size, uint32_t v)
{
	for (unsigned i = 0; i < dma_bytes(n, size) && n->c->rbcr; i++) {
		mem_write(n, n->c->crda, (uint8_t)(v >> (8 * i)));
		dma_step(n);
	}
}

/* Reception (chapter 7). */

/* The address filter. */
static bool wanted(const struct ne2000 *n, const uint8_t *dest)
{
	if (ether_is_broadcast(dest))
		return n->c->rcr & NE2000_RCR_AB;
	if (ether_is_multicast(dest))
		return (n->c->rcr & NE2000_RCR_AM) && ether_in_hash(n->c->mar, dest);
	return (n->c->rcr & NE2000_RCR_PRO) || ether_same(dest, n->c->par);
}

/* Writes to the ring at byte `at` of the local memory and returns where it ends. */
static uint16_t ring_write(struct ne2000 *n, uint16_t at, const uint8_t *p, uint32_t len)
{
	while (len) {
		uint32_t part = PAGE - at % PAGE;

		if (part > len)
			part = len;
		if (at - NE2000_RAM_START < NE2000_RAM)
			__builtin_memcpy(&n->c->ram[at - NE2000_RAM_START], p, part);
		p += part;
		len -= part;
		at = (uint16_t)(at + part);
		if (at == n->c->pstop * PAGE)
			at = (uint16_t)(n->c->pstart * PAGE);
	}
	return at;
}

static void missed(struct ne2000 *n, uint8_t isr)
{
	n->c->rsr = NE2000_RSR_MPA;
	count(n, 2);
	if (isr)
		raise(n, isr);
}

/* A linked driver tells it by `released`, and asks `armed`. */
static void heed_release(struct ne2000 *n)
{
	if (n->c->released)
		reminder_read(&n->reminder);
	n->c->released = 0;
}

static void arm(struct ne2000 *n)
{
	heed_release(n);
	reminder_arm(&n->reminder, n->s);
	n->c->armed = n->reminder.armed;
}

/* The frame fits: header, frame, padding, room for the FCS. */
static void store(struct ne2000 *n, const uint8_t *frame, uint32_t len, uint32_t pages)
{
	static const uint8_t zeros[ETHER_MIN];
	uint32_t padded = len < ETHER_MIN ? ETHER_MIN : len;
	uint32_t count_field = padded + ETHER_FCS;
	uint8_t header[RING_HEADER];
	unsigned next = n->c->curr + pages;
	uint16_t at = (uint16_t)(n->c->curr * PAGE);

	if (next >= n->c->pstop)
		next -= (unsigned)(n->c->pstop - n->c->pstart);
	n->c->rsr = NE2000_RSR_PRX | (ether_is_multicast(frame) ? NE2000_RSR_PHY : 0);
	header[0] = n->c->rsr;
	header[1] = (uint8_t)next;
	header[2] = (uint8_t)count_field;
	header[3] = (uint8_t)(count_field >> 8);
	at = ring_write(n, at, header, RING_HEADER);
	at = ring_write(n, at, frame, len);
	ring_write(n, at, zeros, padded - len);
	n->c->curr = (uint8_t)next;
	arm(n);
	raise(n, NE2000_ISR_PRX);
}

void ne2000_timer(struct ne2000 *n)
{
	ne2000_sync(n);
	reminder_fired(&n->reminder);
	n->c->armed = 0;
	if (ne2000_stopped(n->c) || !ne2000_ring_holds_frames(n->c))
		return;
	arm(n);
	raise(n, NE2000_ISR_PRX);
}

bool ne2000_net_receive(struct ne2000 *n, const uint8_t *frame, uint32_t len)
{
	uint32_t padded = len < ETHER_MIN ? ETHER_MIN : len;
	uint32_t pages = (RING_HEADER + padded + ETHER_FCS + PAGE - 1) / PAGE;
	int ring = n->c->pstop - n->c->pstart;

	ne2000_sync(n);
	/* In loopback the receiver hears the transmitter only. */
	if (ne2000_stopped(n->c) || (n->c->tcr & NE2000_TCR_LB) || len < ETHER_HEADER || len > ETHER_MAX ||
	    !wanted(n, frame))
		return true;
	if (n->c->rcr & NE2000_RCR_MON) {
		missed(n, 0);
		return true;
	}
	/* One that will never fit. */
	if (n->c->curr < n->c->pstart || n->c->curr >= n->c->pstop || (int)pages >= ring) {
		missed(n, NE2000_ISR_OVW);
		return true;
	}
	/* CURR must not reach BNRY: that would be an empty ring. */
	if ((int)pages >= ring - ne2000_ring_used(n->c)) {
		n->c->refused = true;
		return false;
	}
	store(n, frame, len, pages);
	return true;
}

/* Transmission (chapter 8). */

/* The frame at TPSR, or NULL if it does not lie in the RAM. */
static uint8_t *transmit_frame(struct ne2000 *n)
{
	unsigned at = n->c->tpsr * PAGE - NE2000_RAM_START;

	return at < NE2000_RAM && n->c->tbcr <= NE2000_RAM - at ? &n->c->ram[at] : NULL;
}

static void fifo_put(struct ne2000 *n, unsigned *at, uint8_t v)
{
	n->c->fifo[(*at)++ % 8] = v;
}

/*
 * Loopback (chapter 12): nothing is stored, the FIFO keeps what came last and the
 * byte count, RSR the result.  A CRC that the transmitter appends is reported
 * as wrong.  Returns TSR: carrier and collision detection miss their signals in
 * the inner loops.
 */
static uint8_t loop_back(struct ne2000 *n, const uint8_t *frame)
{
	static const uint8_t tsr[] = { 0, 0x53, 0x43, 0x03 };
	bool own_crc = n->c->tcr & NE2000_TCR_CRC, good = false;
	uint32_t len = n->c->tbcr, crc = ~ether_crc(~0u, frame, len);
	unsigned at = 0;

	if (own_crc && len >= ETHER_FCS)
		good = ether_crc(~0u, frame, len) == 0xdebb20e3;	/* data and FCS (3.2.9) */
	for (uint32_t i = len > 8 ? len - 8 : 0; at = i, i < len; i++)
		fifo_put(n, &at, frame[i]);
	for (unsigned i = 0; i < ETHER_FCS && !own_crc; i++)
		fifo_put(n, &at, (uint8_t)(crc >> (8 * i)));
	len = at;
	fifo_put(n, &at, (uint8_t)len);
	fifo_put(n, &at, (uint8_t)(len >> 8));
	fifo_put(n, &at, (uint8_t)(len >> 8));
	n->c->fifo_at = 0;
	n->c->rsr = NE2000_RSR_PRX;
	if (n->c->tbcr >= ETHER_ADDR && wanted(n, frame)) {
		n->c->rsr = good ? NE2000_RSR_PRX : NE2000_RSR_CRC;
		if (ether_is_multicast(frame))
			n->c->rsr |= NE2000_RSR_PHY;
	}
	return tsr[(n->c->tcr & NE2000_TCR_LB) >> 1];
}

static void transmitted(struct ne2000 *n, uint8_t tsr)
{
	n->unsent = false;
	n->c->cr &= (uint8_t)~NE2000_CR_TXP;
	n->c->tsr = tsr;
	raise(n, NE2000_ISR_PTX);
}

static void transmit(struct ne2000 *n)
{
	uint8_t *frame = transmit_frame(n);
	struct dev_iovec iov = { frame, n->c->tbcr };

	n->unsent = false;
	if (n->c->tcr & NE2000_TCR_LB) {
		transmitted(n, frame && !(n->c->dcr & NE2000_DCR_LS) ? loop_back(n, frame) :
			    NE2000_TSR_PTX);
		return;
	}
	/* What is no frame goes onto the wire as well, and nobody takes it. */
	if (frame && iov.len >= ETHER_HEADER && iov.len <= ETHER_MAX &&
	    !n->s->net_send(n->s->ctx, &iov, 1))
		n->unsent = true;
	else
		transmitted(n, NE2000_TSR_PTX);
}

void ne2000_net_sendable(struct ne2000 *n)
{
	ne2000_sync(n);
	if (n->unsent)
		transmit(n);
}

/* The registers (10.2), by page and number. */

static void command(struct ne2000 *n, uint8_t v)
{
	const uint8_t state = NE2000_CR_STP | NE2000_CR_STA;

	if (!(v & state))
		v |= n->c->cr & state;
	/* TXP is cleared by the end of the transmission only, or by a stop. */
	n->c->cr = v & NE2000_CR_STP ? (uint8_t)(v & ~NE2000_CR_TXP) : v | (n->c->cr & NE2000_CR_TXP);
	if (ne2000_stopped(n->c)) {
		n->unsent = false;
		n->c->isr |= NE2000_ISR_RST;
		return;
	}
	n->c->isr &= (uint8_t)~NE2000_ISR_RST;
	if ((v & DMA) && !(v & NE2000_CR_ABORT) && !n->c->rbcr)
		raise(n, NE2000_ISR_RDC);
	if ((v & NE2000_CR_TXP) && !n->unsent)
		transmit(n);
}

static uint8_t page0_in(struct ne2000 *n, unsigned reg)
{
	uint32_t plain;
	uint8_t v;

	if (ne2000_page0_get(n->c, reg, &plain))
		return (uint8_t)plain;
	switch (reg) {
	case 1: return 0;				/* CLDA: between frames, CURR's page */
	case 2: return n->c->curr;
	case 5: return 0;				/* NCR: no collisions */
	case 6: return n->c->fifo[n->c->fifo_at++ % 8];
	case 10: return ID0;
	case 11: return ID1;
	case 12:
		return n->c->rsr |
		       (n->c->rcr & NE2000_RCR_MON || ne2000_stopped(n->c) ? NE2000_RSR_DIS : 0);
	default:					/* reading clears a tally */
		v = n->c->tally[reg - 13];
		n->c->tally[reg - 13] = 0;
		return v;
	}
}

static void release(struct ne2000 *n, uint8_t page)
{
	ne2000_release(n->c, page);
	heed_release(n);
	if (!ne2000_stopped(n->c) && ne2000_ring_holds_frames(n->c))
		arm(n);
}

static void page0_out(struct ne2000 *n, unsigned reg, uint8_t v)
{
	switch (reg) {
	case 3: release(n, v); break;
	case 7: ne2000_clear(&n->c->isr, v & (uint8_t)~NE2000_ISR_RST); break;
	case 15: n->c->imr = v; break;
	default: ne2000_page0_set(n->c, reg, v);
	}
	ne2000_sync(n);
	ask_again(n);
}

static void page1_out(struct ne2000 *n, unsigned reg, uint8_t v)
{
	ne2000_page1_set(n->c, reg, v);
	ask_again(n);
}

/* Page 2: what was written to page 0 and cannot be read there. */
static uint8_t page2_in(const struct ne2000 *n, unsigned reg)
{
	switch (reg) {
	case 1: return n->c->pstart;
	case 2: return n->c->pstop;
	case 4: return n->c->tpsr;
	case 12: return n->c->rcr | 0xc0;		/* unused bits read as ones */
	case 13: return n->c->tcr | 0xe0;
	case 14: return n->c->dcr | 0x80;
	case 15: return n->c->imr | 0x80;
	default: return 0;
	}
}

static uint8_t reg_in(struct ne2000 *n, unsigned reg)
{
	if (reg >= RESET_PORT) {
		ne2000_reset(n);
		return 0;
	}
	if (reg == NE2000_CR)
		return n->c->cr;
	switch (n->c->cr & NE2000_CR_PAGE) {
	case NE2000_PAGE(0): return page0_in(n, reg);
	case NE2000_PAGE(1): return ne2000_page1_get(n->c, reg);
	case NE2000_PAGE(2): return page2_in(n, reg);
	default: return 0;			/* page 3 is the RTL8029's configuration */
	}
}

static void reg_out(struct ne2000 *n, unsigned reg, uint8_t v)
{
	if (reg == NE2000_CR) {
		command(n, v);
		ask_again(n);
	} else if (reg < NE2000_DATA) {
		switch (n->c->cr & NE2000_CR_PAGE) {
		case NE2000_PAGE(0): page0_out(n, reg, v); break;
		case NE2000_PAGE(1): page1_out(n, reg, v); break;
		}
	}
}

static uint32_t regs_in(struct ne2000 *n, unsigned reg, unsigned size)
{
	uint32_t v = reg_in(n, reg);

	for (unsigned i = 1; i < size; i++)
		v |= (uint32_t)(reg + i < NE2000_DATA ? reg_in(n, reg + i) : 0xff) << (8 * i);
	return v;
}

static void regs_out(struct ne2000 *n, unsigned reg, unsigned size, uint32_t v)
{
	for (unsigned i = 0; i < size && reg + i < NE2000_PORTS; i++)
		reg_out(n, reg + i, (uint8_t)(v >> (8 * i)));
}

uint32_t ne2000_in(struct ne2000 *n, unsigned reg, unsigned size)
{
	uint32_t v;

	ne2000_sync(n);
	if (ne2000_hot_in(n->c, reg, size, &v))
		return v;
	return reg >> 3 == NE2000_DATA >> 3 ? data_in(n, size) : regs_in(n, reg, size);
}

void ne2000_out(struct ne2000 *n, unsigned reg, unsigned size, uint32_t v)
{
	ne2000_sync(n);
	if (ne2000_hot_out(n->c, reg, size, v))
		ne2000_sync(n);
	else if (reg >> 3 == NE2000_DATA >> 3)
		data_out(n, size, v);
	else
		regs_out(n, reg, size, v);
}

void ne2000_link(struct ne2000 *n, struct ne2000_state *c)
{
	*c = *n->c;
	n->c = c;
}

void ne2000_reset(struct ne2000 *n)
{
	n->c->cr = NE2000_CR_STP | NE2000_CR_ABORT;
	n->c->isr = NE2000_ISR_RST;
	n->c->imr = n->c->rcr = n->c->tcr = n->c->dcr = 0;
	n->c->tsr = n->c->rsr = 0;
	n->c->rbcr = 0;
	n->unsent = false;
	ne2000_sync(n);
	ask_again(n);
}

/* The words of the PROM behind the address say that it is 16 bits wide: "WW". */
static void prom_init(struct ne2000 *n, const uint8_t *mac)
{
	for (unsigned i = 0; i < NE2000_PROM; i++)
		n->prom[i] = i / 2 < ETHER_ADDR ? mac[i / 2] : i / 2 >= 14 ? 'W' : 0;
}

void ne2000_init(struct ne2000 *n, const struct dev_services *s, const uint8_t mac[ETHER_ADDR])
{
	*n = (struct ne2000){ .s = s };
	n->c = &n->own;
	prom_init(n, mac);
	ne2000_reset(n);
}
