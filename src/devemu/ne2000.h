/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The NE2000: a DP8390 network controller (National Semiconductor DP8390D data
 * sheet, 1995) with 16 KiB of buffer memory and a PROM with the station's address,
 * both reached through one data port:
 *
 *	0x00-0x0f  DP8390 registers, three pages of them
 *	0x10-0x17  data port: the controller's remote DMA
 *	0x18-0x1f  reset port
 *
 *	local memory: 0x0000-0x001f PROM, each byte twice; 0x4000-0x7fff RAM
 *
 * An interrupt line, a port range and frames is all that it needs: it is on the
 * ISA bus as it stands, and on PCI by ne2000_pci.h.  In the ring the four bytes
 * behind a frame, where its FCS would be, are left as they are.
 */
#ifndef LILYVM_DEVEMU_NE2000_H
#define LILYVM_DEVEMU_NE2000_H

#include "devemu/devemu.h"
#include "devemu/ether.h"
#include "devemu/reminder.h"

#define NE2000_PORTS 0x20u
#define NE2000_DATA 0x10u		/* offset of the data port */
#define NE2000_PROM 32u
#define NE2000_RAM_START 0x4000u
#define NE2000_RAM 0x4000u

/* Registers that appear in every page, or are hot. */
enum { NE2000_CR = 0, NE2000_BNRY = 3, NE2000_ISR = 7 };

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

struct ne2000 {
	const struct dev_services *s;	/* irq, now, timer, net_send, net_ready */
	uint8_t cr, isr, imr, dcr, tcr, rcr, tsr, rsr;
	uint8_t pstart, pstop, bnry, curr, tpsr;
	uint8_t par[ETHER_ADDR], mar[8];
	uint8_t tally[3];		/* frame alignment, CRC and missed packet errors */
	uint16_t tbcr;			/* transmit byte count */
	uint16_t crda, rbcr;		/* remote DMA: current address, bytes left */
	uint8_t fifo[8], fifo_at;	/* what loopback leaves there */
	struct reminder reminder;
	bool refused;			/* a frame waits for room in the ring */
	bool unsent;			/* the frame at TPSR waits for the back end */
	uint8_t prom[NE2000_PROM];
	uint8_t ram[NE2000_RAM];
};

/* mac is the station's address in the PROM. */
void ne2000_init(struct ne2000 *n, const struct dev_services *s, const uint8_t mac[ETHER_ADDR]);
/* As by the reset port, or the bus's reset line. */
void ne2000_reset(struct ne2000 *n);

void ne2000_timer(struct ne2000 *n);

/* The data port's slow cases. */
uint32_t ne2000_data_in(struct ne2000 *n, unsigned size);
void ne2000_data_out(struct ne2000 *n, unsigned size, uint32_t v);
/* The DP8390's registers and the reset port, which are 8 bits wide: a wider access
 * is several. */
uint32_t ne2000_reg_in(struct ne2000 *n, unsigned reg, unsigned size);
void ne2000_reg_out(struct ne2000 *n, unsigned reg, unsigned size, uint32_t v);

/* Can size bytes be moved at once, with nothing to follow? */
static inline bool ne2000_data_plain(const struct ne2000 *n, unsigned size)
{
	return size >= 2 && (n->dcr & NE2000_DCR_WTS) && n->rbcr > size &&
	       n->crda - NE2000_RAM_START <= NE2000_RAM - size &&
	       (n->crda & 0xff) <= 0xff - size;
}

/*
 * An access to register reg (0..0x1f).  Inline, with a constant reg a few
 * instructions: a driver that is compiled together with the chip moves data
 * without a call.
 */
static inline uint32_t ne2000_in(struct ne2000 *n, unsigned reg, unsigned size)
{
	uint32_t v = 0;

	if (reg >> 3 != NE2000_DATA >> 3)
		return ne2000_reg_in(n, reg, size);
	if (!ne2000_data_plain(n, size))
		return ne2000_data_in(n, size);
	__builtin_memcpy(&v, &n->ram[n->crda - NE2000_RAM_START], size == 2 ? 2 : 4);
	n->crda += size;
	n->rbcr -= size;
	return v;
}

static inline void ne2000_out(struct ne2000 *n, unsigned reg, unsigned size, uint32_t v)
{
	if (reg >> 3 != NE2000_DATA >> 3) {
		ne2000_reg_out(n, reg, size, v);
	} else if (!ne2000_data_plain(n, size)) {
		ne2000_data_out(n, size, v);
	} else {
		__builtin_memcpy(&n->ram[n->crda - NE2000_RAM_START], &v, size == 2 ? 2 : 4);
		n->crda += size;
		n->rbcr -= size;
	}
}

bool ne2000_net_receive(struct ne2000 *n, const uint8_t *frame, uint32_t len);
void ne2000_net_sendable(struct ne2000 *n);

#endif
