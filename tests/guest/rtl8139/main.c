/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An RTL8139 driven by its registers in memory, BAR 1, beside those in I/O space, BAR 0:
 * loopback, then a network.
 */
#include "../netlib/nettry.h"
#include "pci.h"

#define RTL8139 0x813910ecu

enum {
	IDR = 0x00, TSD = 0x10, TSAD = 0x20, RBSTART = 0x30, CR = 0x37, CAPR = 0x38, IMR = 0x3c,
	ISR = 0x3e, TCR = 0x40, RCR = 0x44, CONFIG1 = 0x52,
};
#define CR_EMPTY 0x01
#define CR_START 0x0c
#define CR_RESET 0x10
#define TSD_OWN 0x2000u
#define TSD_OK 0x8000u
#define RCR_MINE 0x8au			/* broadcasts, own address, no wrapping in the ring */
#define LOOPBACK 0x60000u
#define RX_OK 1u
#define TX_OK 4u
#define RING_SIZE 8192u

static volatile uint8_t *mem;
static uint16_t io;
static uint8_t ring[RING_SIZE + 16 + 2048] __attribute__((aligned(4)));
static uint8_t tx[4][1536] __attribute__((aligned(4)));
static unsigned next_tx;
static uint16_t read_at;
static struct card card;

static volatile uint8_t *reg8(unsigned r) { return mem + r; }
static volatile uint16_t *reg16(unsigned r) { return (volatile uint16_t *)(mem + r); }
static volatile uint32_t *reg32(unsigned r) { return (volatile uint32_t *)(mem + r); }

static void start(uint32_t tcr)
{
	*reg8(CR) = CR_RESET;
	while (*reg8(CR) & CR_RESET)
		;
	next_tx = 0;
	read_at = 0;
	*reg32(RBSTART) = (uint32_t)ring;
	*reg8(CR) = CR_START;
	*reg32(RCR) = RCR_MINE;
	*reg32(TCR) = tcr;
}

static void send(const uint8_t *frame, uint32_t len)
{
	unsigned d = next_tx++ % 4;

	memcpy(tx[d], frame, len);
	*reg32(TSAD + 4 * d) = (uint32_t)tx[d];
	*reg32(TSD + 4 * d) = len;
	while (!(*reg32(TSD + 4 * d) & TSD_OWN))
		;
}

static uint32_t receive(uint8_t frame[FRAME_MAX])
{
	uint32_t header, len;

	if (*reg8(CR) & CR_EMPTY)
		return 0;
	memcpy(&header, ring + read_at, 4);
	len = (header >> 16) - 4;		/* without the FCS */
	if (!(header & RX_OK) || len > FRAME_MAX)
		printf("bad frame: %x\n", header);
	else
		memcpy(frame, ring + read_at + 4, len);
	read_at = (uint16_t)((read_at + 4 + len + 4 + 3) & ~3u) % RING_SIZE;
	*reg16(CAPR) = (uint16_t)(read_at - 16);
	return len;
}

static void interrupt(void)
{
	*reg16(ISR) = *reg16(ISR);
}

static void registers(uint32_t fn)
{
	uint32_t bar0, bar1;
	bool same = true;

	pci_write(fn, 0x10, 0xffffffff);
	pci_write(fn, 0x14, 0xffffffff);
	bar0 = pci_read(fn, 0x10);
	bar1 = pci_read(fn, 0x14);
	printf("BARs sized: %x %x\n", bar0, bar1);
	pci_write(fn, 0x10, 0xc800);
	pci_write(fn, 0x14, 0xfe800000);
	printf("BARs set: %x %x\n", pci_read(fn, 0x10), pci_read(fn, 0x14));
	io = 0xc800;
	mem = (volatile uint8_t *)0xfe800000;
	pci_write(fn, 4, 5);			/* memory not enabled */
	printf("memory off: %s\n", *reg32(IDR) == inl(io + IDR) ? "answers" : "silent");
	pci_write(fn, 4, 7);
	for (unsigned i = 0; i < 6; i++) {
		card.mac[i] = *reg8(IDR + i);
		same = same && card.mac[i] == inb(io + IDR + i);
	}
	printf("address %x:%x:%x:%x:%x:%x, the same by ports: %s\n", card.mac[0], card.mac[1],
	       card.mac[2], card.mac[3], card.mac[4], card.mac[5], same ? "yes" : "no");
	/* Written at one place, read at the other. */
	*reg32(TSAD) = 0x12345678;
	outl((uint16_t)(io + TSAD + 4), 0x9abcdef0);
	printf("TSAD: %x %x %x\n", inl(io + TSAD), *reg32(TSAD + 4), *reg16(IDR + 2));
}

static void loopback(void)
{
	static uint8_t frame[FRAME_MAX], back[FRAME_MAX];
	uint32_t len;

	start(LOOPBACK);
	memcpy(frame, card.mac, 6);
	for (unsigned i = 6; i < sizeof(frame); i++)
		frame[i] = (uint8_t)(i * 3);
	send(frame, 700);
	send(frame, 1514);
	printf("sent: TSD %x, ISR %x\n", *reg32(TSD) & (TSD_OK | TSD_OWN), *reg16(ISR));
	for (unsigned i = 0; i < 2; i++) {
		len = receive(back);
		printf("loopback: %u bytes, %s\n", len,
		       memcmp(frame, back, len) ? "wrong" : "right");
	}
	printf("empty: %u\n", receive(back) == 0);
	interrupt();
	printf("ISR %x\n", *reg16(ISR));
}

int main(uint32_t magic, const void *info)
{
	uint32_t fn = pci_find(RTL8139);

	(void)magic, (void)info;
	if (fn == PCI_NONE) {
		printf("no card\n");
		return 1;
	}
	registers(fn);
	loopback();
	start(0);
	*reg16(IMR) = RX_OK | TX_OK;
	card.irq = pci_read(fn, 0x3c) & 0xff;
	card.send = send;
	card.receive = receive;
	card.interrupt = interrupt;
	net_try(&card);
	return 0;
}
