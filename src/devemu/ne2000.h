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
#include "devemu/ne2000_hot.h"
#include "devemu/reminder.h"

struct ne2000 {
	const struct dev_services *s;	/* irq, now, timer, net_send, net_ready */
	struct ne2000_state *c;		/* own, or memory that a linked driver shares */
	uint8_t level;			/* of the interrupt line, as s->irq was told */
	struct reminder reminder;
	bool unsent;			/* the frame at TPSR waits for the back end */
	uint8_t prom[NE2000_PROM];
	struct ne2000_state own;
};

/* mac is the station's address in the PROM. */
void ne2000_init(struct ne2000 *n, const struct dev_services *s, const uint8_t mac[ETHER_ADDR]);
/* As by the reset port, or the bus's reset line. */
void ne2000_reset(struct ne2000 *n);

void ne2000_timer(struct ne2000 *n);

/* The driver of a guest is linked with the chip: the state moves to *c, where both have
 * it.  The driver may write anything there, at any time but during these functions. */
void ne2000_link(struct ne2000 *n, struct ne2000_state *c);
/* Passes on what a linked driver has done to the interrupt line: it only lowers it.
 * Before interrupts are looked at, and before another device is told anything. */
void ne2000_sync(struct ne2000 *n);

/* An access to register reg (0..0x1f).  DP8390 registers and the reset port are 8 bits
 * wide: a wider access is several. */
uint32_t ne2000_in(struct ne2000 *n, unsigned reg, unsigned size);
void ne2000_out(struct ne2000 *n, unsigned reg, unsigned size, uint32_t v);

bool ne2000_net_receive(struct ne2000 *n, const uint8_t *frame, uint32_t len);
void ne2000_net_sendable(struct ne2000 *n);

#endif
