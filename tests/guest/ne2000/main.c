/* SPDX-License-Identifier: BSD-2-Clause */
/* An NE2000, on PCI or as the guest `linked` has it: its PROM, memory by remote DMA, then a network. */
#include "../netlib/nettry.h"
#include "pci.h"

#define RTL8029 0x802910ecu

/* Registers of page 0, and of page 1 where other; the data and the reset port. */
enum {
	CR = 0x00, PSTART = 0x01, PSTOP = 0x02, BNRY = 0x03, TPSR = 0x04, TBCR0 = 0x05,
	TBCR1 = 0x06, ISR = 0x07, RSAR0 = 0x08, RSAR1 = 0x09, RBCR0 = 0x0a, RBCR1 = 0x0b,
	RCR = 0x0c, TCR = 0x0d, DCR = 0x0e, IMR = 0x0f, PAR = 0x01, CURR = 0x07, DATA = 0x10,
	RESET = 0x1f,
};
#define STOP 0x21
#define START 0x22
#define PAGE1 0x40
#define READ 0x0a
#define WRITE 0x12
#define TRANSMIT 0x26
#define ISR_RX 0x01
#define ISR_TX 0x02
#define ISR_DMA 0x40
#define TX_PAGE 0x40
#define RX_START 0x46
#define RX_STOP 0x80

static uint16_t io;
static uint8_t next_page;
static struct card card;

static void dma(uint16_t at, uint16_t len, uint8_t how)
{
	outb(io + RBCR0, (uint8_t)len);
	outb(io + RBCR1, (uint8_t)(len >> 8));
	outb(io + RSAR0, (uint8_t)at);
	outb(io + RSAR1, (uint8_t)(at >> 8));
	outb(io + CR, how);
}

/* len is even. */
static void read_memory(uint16_t at, void *to, uint16_t len)
{
	dma(at, len, READ);
	insw((uint16_t)(io + DATA), to, len / 2u);
	outb(io + ISR, ISR_DMA);
}

static void write_memory(uint16_t at, const void *from, uint16_t len)
{
	dma(at, len, WRITE);
	outsw((uint16_t)(io + DATA), from, len / 2u);
	while (!(inb(io + ISR) & ISR_DMA))
		;
	outb(io + ISR, ISR_DMA);
}

static void send(const uint8_t *frame, uint32_t len)
{
	cli();					/* the handler must not come between */
	write_memory(TX_PAGE << 8, frame, (uint16_t)((len + 1) & ~1u));
	outb(io + TPSR, TX_PAGE);
	outb(io + TBCR0, (uint8_t)len);
	outb(io + TBCR1, (uint8_t)(len >> 8));
	outb(io + CR, TRANSMIT);
	while (inb(io + CR) & 0x04)
		;
	sti();
}

static uint8_t current_page(void)
{
	uint8_t v;

	outb(io + CR, START | PAGE1);
	v = inb(io + CURR);
	outb(io + CR, START);
	return v;
}

static uint32_t receive_next(uint8_t frame[FRAME_MAX])
{
	static uint8_t buf[4 + FRAME_MAX + 4];
	uint8_t header[4];
	uint32_t len;

	if (current_page() == next_page)
		return 0;
	read_memory((uint16_t)(next_page << 8), header, 4);
	len = (header[2] | header[3] << 8u) - 4;
	if (!(header[0] & 1) || len > FRAME_MAX)
		printf("bad frame: status %x, %u bytes\n", header[0], len);
	/* Remote DMA goes on at the ring's start as well. */
	read_memory((uint16_t)(next_page << 8), buf, (uint16_t)((4 + len + 1) & ~1u));
	memcpy(frame, buf + 4, len);
	next_page = header[1];
	outb(io + BNRY, next_page == RX_START ? RX_STOP - 1 : (uint8_t)(next_page - 1));
	return len;
}

static uint32_t receive(uint8_t frame[FRAME_MAX])
{
	uint32_t len;

	cli();
	len = receive_next(frame);
	sti();
	return len;
}

static void interrupt(void)
{
	outb(io + ISR, inb(io + ISR) & (ISR_RX | ISR_TX));
}

static void prom(void)
{
	uint8_t bytes[32];

	outb(io + RESET, inb(io + RESET));
	outb(io + CR, STOP);
	outb(io + DCR, 0x49);			/* words, FIFO threshold, no loopback */
	read_memory(0, bytes, sizeof(bytes));
	for (unsigned i = 0; i < 6; i++)
		card.mac[i] = bytes[2 * i];
	printf("PROM: %x:%x:%x:%x:%x:%x, %c%c\n", bytes[0], bytes[2], bytes[4], bytes[6],
	       bytes[8], bytes[10], bytes[28], bytes[30]);
}

static void memory(void)
{
	static uint8_t pattern[2048], back[2048];

	for (unsigned i = 0; i < sizeof(pattern); i++)
		pattern[i] = (uint8_t)(i * 5 + i / 256);
	outb(io + CR, START);
	write_memory(0x5000, pattern, sizeof(pattern));
	read_memory(0x5000, back, sizeof(back));
	printf("memory: %s\n", memcmp(pattern, back, sizeof(back)) ? "wrong" : "right");
}

static void start(void)
{
	outb(io + CR, STOP);
	outb(io + RBCR0, 0);
	outb(io + RBCR1, 0);
	outb(io + RCR, 0x04);			/* broadcasts and its own address */
	outb(io + TCR, 0);
	outb(io + PSTART, RX_START);
	outb(io + PSTOP, RX_STOP);
	outb(io + BNRY, RX_START);
	outb(io + ISR, 0xff);
	outb(io + IMR, ISR_RX | ISR_TX);
	outb(io + CR, STOP | PAGE1);
	for (unsigned i = 0; i < 6; i++)
		outb(io + PAR + i, card.mac[i]);
	next_page = RX_START + 1;
	outb(io + CURR, next_page);
	outb(io + CR, START);
}

static bool find_card(void)
{
#ifdef ISA_PORT
	io = ISA_PORT;
	card.irq = ISA_IRQ;
#else
	uint32_t fn = pci_find(RTL8029);

	if (fn == PCI_NONE)
		return false;
	io = pci_read(fn, 0x10) & 0xffe0;
	pci_write(fn, 4, pci_read(fn, 4) | 1);
	card.irq = pci_read(fn, 0x3c) & 0xff;
#endif
	return true;
}

int main(uint32_t magic, const void *info)
{
	(void)magic, (void)info;
	if (!find_card()) {
		printf("no card\n");
		return 1;
	}
	prom();
	memory();
	start();
	card.send = send;
	card.receive = receive;
	card.interrupt = interrupt;
	net_try(&card);
	return 0;
}
