/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The NE2000's state, and those accesses to its registers that need nothing but the
 * state: for ne2000.c, and for a driver that a guest kernel links with the chip (see
 * headers-stub/README).  With a constant reg each is a few instructions.
 *
 * In a guest an interrupt may come between any two instructions, and the monitor then
 * receives a frame: it changes isr, curr, rsr and the flags below.  So those are changed
 * here by one instruction each, if at all.  What drives the interrupt line high, sends,
 * or has a frame offered again is not done here.
 *
 * Included by kernels that have no <stdint.h>: they define its types and bool before.
 */
#ifndef LILYVM_DEVEMU_NE2000_HOT_H
#define LILYVM_DEVEMU_NE2000_HOT_H

#if __has_include(<stdint.h>)
#include <stdbool.h>
#include <stdint.h>
#endif

/* Changes with what follows. */
#define NE2000_LAYOUT 1

#define NE2000_PORTS 0x20u
#define NE2000_DATA 0x10u		/* offset of the data port */
#define NE2000_PROM 32u
#define NE2000_RAM_START 0x4000u
#define NE2000_RAM 0x4000u

/* In every page. */
#define NE2000_CR 0u

/* Command register (data sheet, 10.3). */
#define NE2000_CR_STP 0x01u
#define NE2000_CR_STA 0x02u
#define NE2000_CR_TXP 0x04u
#define NE2000_CR_READ 0x08u		/* remote read */
#define NE2000_CR_WRITE 0x10u		/* remote write */
#define NE2000_CR_ABORT 0x20u		/* remote DMA: abort or complete */
#define NE2000_CR_PAGE 0xc0u
#define NE2000_PAGE(n) ((n) << 6)

/* Interrupt status. */
#define NE2000_ISR_PRX 0x01u
#define NE2000_ISR_PTX 0x02u
#define NE2000_ISR_RXE 0x04u
#define NE2000_ISR_TXE 0x08u
#define NE2000_ISR_OVW 0x10u
#define NE2000_ISR_CNT 0x20u
#define NE2000_ISR_RDC 0x40u
#define NE2000_ISR_RST 0x80u		/* a status only: no interrupt */

/* Data configuration, receive and transmit configuration. */
#define NE2000_DCR_WTS 0x01u		/* the data port is 16 bits wide */
#define NE2000_DCR_LS 0x08u		/* 0: loopback, if the TCR says so too */
#define NE2000_RCR_AR 0x02u
#define NE2000_RCR_AB 0x04u
#define NE2000_RCR_AM 0x08u
#define NE2000_RCR_PRO 0x10u
#define NE2000_RCR_MON 0x20u
#define NE2000_TCR_CRC 0x01u		/* the transmitter appends no CRC */
#define NE2000_TCR_LB 0x06u

/* Receive and transmit status. */
#define NE2000_RSR_PRX 0x01u
#define NE2000_RSR_CRC 0x02u
#define NE2000_RSR_MPA 0x10u
#define NE2000_RSR_PHY 0x20u
#define NE2000_RSR_DIS 0x40u
#define NE2000_TSR_PTX 0x01u

/* No pointer, and the same layout in 32-bit and 64-bit code. */
struct ne2000_state {
	uint8_t cr, isr, imr, dcr, tcr, rcr, tsr, rsr;
	uint8_t pstart, pstop, bnry, curr, tpsr;
	uint8_t refused;		/* a frame waits for room in the ring */
	uint8_t armed;			/* the reminder's timer runs */
	uint8_t released;		/* BNRY was written since ne2000_timer() */
	uint8_t par[6], mar[8];
	uint8_t tally[3];		/* frame alignment, CRC and missed packet errors */
	uint8_t fifo[8], fifo_at;	/* what loopback leaves there */
	uint16_t tbcr;			/* transmit byte count */
	uint16_t crda, rbcr;		/* remote DMA: current address, bytes left */
	uint8_t ram[NE2000_RAM] __attribute__((aligned(64)));
};

#define NE2000_HOT static inline __attribute__((always_inline))

/* One instruction each: see above. */
NE2000_HOT void ne2000_clear(uint8_t *p, uint8_t bits)
{
	__asm__ volatile("andb %1, %0" : "+m"(*p) : "qi"((uint8_t)~bits) : "memory", "cc");
}

NE2000_HOT void ne2000_set(uint8_t *p, uint8_t bits)
{
	__asm__ volatile("orb %1, %0" : "+m"(*p) : "qi"(bits) : "memory", "cc");
}

NE2000_HOT bool ne2000_stopped(const struct ne2000_state *c)
{
	return c->cr & NE2000_CR_STP;
}

/* The interrupt line as the state drives it. */
NE2000_HOT uint8_t ne2000_level(const struct ne2000_state *c)
{
	return (c->isr & c->imr & ~NE2000_ISR_RST & 0xff) != 0;
}

/* The pages of the ring that the driver has not released. */
NE2000_HOT int ne2000_ring_used(const struct ne2000_state *c)
{
	int used = c->curr - c->bnry;

	return used < 0 ? used + c->pstop - c->pstart : used;
}

/* Most drivers keep BNRY one page behind the next frame. */
NE2000_HOT bool ne2000_ring_holds_frames(const struct ne2000_state *c)
{
	return ne2000_ring_used(c) > 1;
}

/* ---- the data port: remote DMA (chapter 9) ---- */

/* Can len bytes be moved at once, and the transfer's end interrupts nobody? */
NE2000_HOT bool ne2000_data_plain(const struct ne2000_state *c, unsigned size, uint32_t len)
{
	uint32_t at = c->crda - NE2000_RAM_START, stop = c->pstop * 256u - NE2000_RAM_START;

	if (!(c->dcr & NE2000_DCR_WTS) != (size == 1) || c->rbcr < len ||
	    (c->imr & NE2000_ISR_RDC))
		return false;
	/* Not across the ring's end: there the address wraps. */
	return at < NE2000_RAM && len <= NE2000_RAM - at && (at >= stop || at + len <= stop);
}

NE2000_HOT void ne2000_data_moved(struct ne2000_state *c, uint32_t len)
{
	uint16_t at = (uint16_t)(c->crda + len);

	c->crda = at == c->pstop * 256 ? (uint16_t)(c->pstart * 256) : at;
	c->rbcr = (uint16_t)(c->rbcr - len);
	if (!c->rbcr)
		ne2000_set(&c->isr, NE2000_ISR_RDC);
}

/* Bytes of a string access that can be moved at once: up to the ring's end. */
NE2000_HOT uint32_t ne2000_data_part(const struct ne2000_state *c, uint32_t len)
{
	uint32_t stop = c->pstop * 256u;

	return c->crda < stop && stop - c->crda < len ? stop - c->crda : len;
}

/* ---- DP8390 registers (10.2) ---- */

/* A byte of a register of two. */
NE2000_HOT void ne2000_set_byte(uint16_t *r, unsigned high, uint8_t v)
{
	((uint8_t *)r)[high] = v;
}

/* Page 0: those that are a plain store. */
NE2000_HOT bool ne2000_page0_set(struct ne2000_state *c, unsigned reg, uint8_t v)
{
	switch (reg) {
	case 1: c->pstart = v; break;
	case 2: c->pstop = v; break;
	case 4: c->tpsr = v; break;
	case 5: case 6: ne2000_set_byte(&c->tbcr, reg - 5, v); break;
	case 8: case 9: ne2000_set_byte(&c->crda, reg - 8, v); break;
	case 10: case 11: ne2000_set_byte(&c->rbcr, reg - 10, v); break;
	case 12: c->rcr = v; break;
	case 13: c->tcr = v; break;
	case 14: c->dcr = v; break;
	default: return false;
	}
	return true;
}

/* Those that are a plain load. */
NE2000_HOT bool ne2000_page0_get(const struct ne2000_state *c, unsigned reg, uint32_t *v)
{
	switch (reg) {
	case 3: *v = c->bnry; return true;
	case 4: *v = c->tsr; return true;
	case 7: *v = c->isr; return true;
	case 8: *v = c->crda & 0xff; return true;
	case 9: *v = c->crda >> 8; return true;
	default: return false;
	}
}

NE2000_HOT void ne2000_page1_set(struct ne2000_state *c, unsigned reg, uint8_t v)
{
	if (reg < 7)
		c->par[reg - 1] = v;
	else if (reg == 7)
		c->curr = v;
	else
		c->mar[reg - 8] = v;
}

NE2000_HOT uint8_t ne2000_page1_get(const struct ne2000_state *c, unsigned reg)
{
	if (reg < 7)
		return c->par[reg - 1];
	return reg == 7 ? c->curr : c->mar[reg - 8];
}

/* The command register, if the chip runs, goes on and sends nothing. */
NE2000_HOT bool ne2000_command(struct ne2000_state *c, uint8_t v)
{
	const uint8_t dma = NE2000_CR_READ | NE2000_CR_WRITE;

	if ((v & (NE2000_CR_STP | NE2000_CR_TXP)) || (c->cr & (NE2000_CR_STP | NE2000_CR_TXP)) ||
	    c->refused || ((v & dma) && !(v & NE2000_CR_ABORT) && !c->rbcr))
		return false;
	c->cr = v & NE2000_CR_STA ? v : v | (c->cr & NE2000_CR_STA);
	return true;
}

/* BNRY: the driver has read.  To write it a second time changes nothing, so whether a frame
 * waits is asked behind the store: one that comes in between is not forgotten. */
NE2000_HOT bool ne2000_release(struct ne2000_state *c, uint8_t v)
{
	*(volatile uint8_t *)&c->bnry = v;
	*(volatile uint8_t *)&c->released = 1;
	return !*(volatile uint8_t *)&c->refused &&
	       (c->armed || ne2000_stopped(c) || !ne2000_ring_holds_frames(c));
}

/*
 * An access to register reg (0..0x1f).  False: it is not for here, and the whole of it is
 * to be done by the chip's other part.
 */
NE2000_HOT bool ne2000_hot_in(struct ne2000_state *c, unsigned reg, unsigned size, uint32_t *v)
{
	bool done = false;

	__asm__ volatile("" : : : "memory");
	if (reg >> 3 == NE2000_DATA >> 3) {
		if (!ne2000_data_plain(c, size, size))
			return false;
		*v = 0;
		__builtin_memcpy(v, &c->ram[c->crda - NE2000_RAM_START], size);
		ne2000_data_moved(c, size);
		done = true;
	} else if (size == 1 && reg == NE2000_CR) {
		*v = c->cr;
		done = true;
	} else if (size == 1 && reg < NE2000_DATA) {
		if ((c->cr & NE2000_CR_PAGE) == NE2000_PAGE(0)) {
			done = ne2000_page0_get(c, reg, v);
		} else if ((c->cr & NE2000_CR_PAGE) == NE2000_PAGE(1)) {
			*v = ne2000_page1_get(c, reg);
			done = true;
		}
	}
	__asm__ volatile("" : : : "memory");
	return done;
}

/* String accesses to the data port: the count of those carried out, from the first on. */
NE2000_HOT uint32_t ne2000_hot_ins(struct ne2000_state *c, unsigned size, void *to, uint32_t count)
{
	uint32_t len = count * size, part, done = 0;

	__asm__ volatile("" : : : "memory");
	for (; done < len; done += part) {
		part = ne2000_data_part(c, len - done);
		if (part % size || !ne2000_data_plain(c, size, part))
			break;
		__builtin_memcpy((uint8_t *)to + done, &c->ram[c->crda - NE2000_RAM_START], part);
		ne2000_data_moved(c, part);
	}
	__asm__ volatile("" : : : "memory");
	return done / size;
}

NE2000_HOT uint32_t ne2000_hot_outs(struct ne2000_state *c, unsigned size, const void *from,
				    uint32_t count)
{
	uint32_t len = count * size, part, done = 0;

	__asm__ volatile("" : : : "memory");
	for (; done < len; done += part) {
		part = ne2000_data_part(c, len - done);
		if (part % size || !ne2000_data_plain(c, size, part))
			break;
		__builtin_memcpy(&c->ram[c->crda - NE2000_RAM_START], (const uint8_t *)from + done,
				 part);
		ne2000_data_moved(c, part);
	}
	__asm__ volatile("" : : : "memory");
	return done / size;
}

/* Page 0, of a running chip. */
NE2000_HOT bool ne2000_hot_page0(struct ne2000_state *c, unsigned reg, uint8_t v)
{
	switch (reg) {
	case 3:
		return ne2000_release(c, v);
	case 7:
		if (c->refused)
			return false;
		ne2000_clear(&c->isr, v & (uint8_t)~NE2000_ISR_RST);
		return true;
	case 15:
		if (c->refused || (v & c->isr & ~NE2000_ISR_RST))
			return false;
		*(volatile uint8_t *)&c->imr = v;
		/* A frame may have come just before. */
		return !(v & *(volatile uint8_t *)&c->isr & ~NE2000_ISR_RST);
	default:
		return !c->refused && ne2000_page0_set(c, reg, v);
	}
}

NE2000_HOT bool ne2000_hot_out(struct ne2000_state *c, unsigned reg, unsigned size, uint32_t v)
{
	bool done = false;

	__asm__ volatile("" : : : "memory");
	if (reg >> 3 == NE2000_DATA >> 3) {
		if (!ne2000_data_plain(c, size, size))
			return false;
		__builtin_memcpy(&c->ram[c->crda - NE2000_RAM_START], &v, size);
		ne2000_data_moved(c, size);
		done = true;
	} else if (size == 1 && reg == NE2000_CR) {
		done = ne2000_command(c, (uint8_t)v);
	} else if (size == 1 && reg < NE2000_DATA && (c->cr & NE2000_CR_PAGE) == NE2000_PAGE(0)) {
		done = ne2000_hot_page0(c, reg, (uint8_t)v);
	}
	__asm__ volatile("" : : : "memory");
	return done;
}

#endif
