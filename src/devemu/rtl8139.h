/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The RTL8139C, without the C+ mode of its successor (Realtek RTL8139C(L) data
 * sheet, 2000; RTL8139 programming guide, 1999): four transmit descriptors, one
 * receive ring in guest memory, a 93C46 with the station's address.  The timer
 * interrupt, Wake-on-LAN and the boot ROM are not there; the registers of early
 * interrupts keep what is written.  BAR 0 is the register file in I/O space, BAR 1
 * the same in memory.
 *
 * The FCS that the chip leaves behind a received frame is 0.
 */
#ifndef LILYVM_DEVEMU_RTL8139_H
#define LILYVM_DEVEMU_RTL8139_H

#include "devemu/clock.h"
#include "devemu/devemu.h"
#include "devemu/eeprom93c46.h"
#include "devemu/ether.h"
#include "devemu/pci.h"
#include "devemu/reminder.h"

#define RTL8139_REGS 0x100u
#define RTL8139_TX 4u
#define RTL8139_TX_MAX 1792u		/* the longest frame it sends */

/* Registers (data sheet, chapter 5). */
enum {
	RTL8139_IDR = 0x00, RTL8139_MAR = 0x08, RTL8139_TSD = 0x10, RTL8139_TSAD = 0x20,
	RTL8139_RBSTART = 0x30, RTL8139_CR = 0x37, RTL8139_CAPR = 0x38, RTL8139_CBR = 0x3a,
	RTL8139_IMR = 0x3c, RTL8139_ISR = 0x3e, RTL8139_TCR = 0x40, RTL8139_RCR = 0x44,
	RTL8139_TCTR = 0x48, RTL8139_MPC = 0x4c, RTL8139_9346CR = 0x50, RTL8139_CONFIG0 = 0x51,
	RTL8139_CONFIG1 = 0x52, RTL8139_TIMERINT = 0x54, RTL8139_MSR = 0x58,
	RTL8139_CONFIG3 = 0x59, RTL8139_CONFIG4 = 0x5a, RTL8139_MULINT = 0x5c,
	RTL8139_RERID = 0x5e, RTL8139_TSALL = 0x60, RTL8139_BMCR = 0x62, RTL8139_BMSR = 0x64,
	RTL8139_ANAR = 0x66, RTL8139_ANLPAR = 0x68, RTL8139_ANER = 0x6a, RTL8139_NWAYTR = 0x70,
	RTL8139_CSCR = 0x74, RTL8139_CONFIG5 = 0xd8,
};

/* Command register. */
#define RTL8139_CR_BUFE 0x01u		/* the receive ring is empty */
#define RTL8139_CR_TE 0x04u
#define RTL8139_CR_RE 0x08u
#define RTL8139_CR_RST 0x10u

/* Interrupts, in ISR and IMR. */
#define RTL8139_ROK 0x0001u
#define RTL8139_RER 0x0002u
#define RTL8139_TOK 0x0004u
#define RTL8139_TER 0x0008u
#define RTL8139_RXOVW 0x0010u
#define RTL8139_INTS 0xe07fu		/* all there are */

/* Transmit status of a descriptor. */
#define RTL8139_TSD_SIZE 0x1fffu
#define RTL8139_TSD_OWN 0x00002000u	/* the chip has done with it */
#define RTL8139_TSD_TUN 0x00004000u
#define RTL8139_TSD_TOK 0x00008000u
#define RTL8139_TSD_TABT 0x40000000u

/* Receive configuration. */
#define RTL8139_RCR_AAP 0x01u		/* any physical address */
#define RTL8139_RCR_APM 0x02u		/* its own */
#define RTL8139_RCR_AM 0x04u
#define RTL8139_RCR_AB 0x08u
#define RTL8139_RCR_WRAP 0x80u		/* a frame does not wrap at the ring's end */
#define RTL8139_RCR_RBLEN(v) ((v) >> 11 & 3u)

#define RTL8139_TCR_LBK 0x00060000u	/* both: loopback */

/* Status word before a received frame. */
#define RTL8139_RX_ROK 0x0001u
#define RTL8139_RX_BAR 0x2000u
#define RTL8139_RX_PAM 0x4000u
#define RTL8139_RX_MAR 0x8000u

struct rtl8139 {
	/* irq, now, timer, dma, dma_wrote, net_send, net_ready */
	const struct dev_services *s;
	struct pci_function pci;
	uint8_t reg[RTL8139_REGS];	/* little-endian; what changes by itself is put there
					   before it is read */
	struct eeprom93c46 eeprom;
	unsigned tx_next;		/* the descriptor to be sent next */
	uint32_t missed;
	uint64_t timer_start;		/* when TCTR was written */
	struct reminder reminder;
	bool refused;			/* a frame waits for room in the ring */
	bool unsent;			/* tx_next waits for the back end */
};

/* mac goes to the EEPROM.  Put it on the bus with
 * pci_attach(pci, devfn, &r->pci, &rtl8139_pci_ops, r). */
void rtl8139_init(struct rtl8139 *r, const struct dev_services *s,
		  const uint8_t mac[ETHER_ADDR]);
/* The bus's reset line. */
void rtl8139_reset(struct rtl8139 *r);
uint32_t rtl8139_in(struct rtl8139 *r, unsigned reg, unsigned size);
void rtl8139_out(struct rtl8139 *r, unsigned reg, unsigned size, uint32_t v);
void rtl8139_timer(struct rtl8139 *r);

bool rtl8139_net_receive(struct rtl8139 *r, const uint8_t *frame, uint32_t len);
void rtl8139_net_sendable(struct rtl8139 *r);

extern const struct pci_ops rtl8139_pci_ops;

#endif
