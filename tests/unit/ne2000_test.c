/* SPDX-License-Identifier: BSD-2-Clause */
/* The NE2000 at its registers, as a driver uses it. */
#include "fakenet.h"

#include "devemu/ne2000_pci.h"

static struct fakenet net;
static struct ne2000 n;

enum { CR = 0, PSTART = 1, PSTOP = 2, BNRY = 3, TPSR = 4, TSR = 4, TBCR0 = 5, TBCR1 = 6, FIFO = 6,
       ISR = 7, RSAR0 = 8, RSAR1 = 9, RBCR0 = 10, RBCR1 = 11, RCR = 12, RSR = 12, TCR = 13,
       CNTR0 = 13, DCR = 14, IMR = 15, CURR = 7, PAR0 = 1, MAR0 = 8, DATA = 0x10, RESET = 0x1f };

#define START 0x22u		/* NODMA, STA */
#define STOP 0x21u
#define TX_PAGE 0x40u
#define RX_START 0x46u
#define RX_STOP 0x80u

static uint8_t in(unsigned reg)
{
	return (uint8_t)ne2000_in(&n, reg, 1);
}

static void out(unsigned reg, uint8_t v)
{
	ne2000_out(&n, reg, 1, v);
}

/* A register of another page; page 0 is selected afterwards. */
static uint8_t in_page(unsigned page, unsigned reg)
{
	uint8_t cr = in(CR) & 0x3f, v;

	out(CR, (uint8_t)(cr | page << 6));
	v = in(reg);
	out(CR, cr);
	return v;
}

static void out_page(unsigned page, unsigned reg, uint8_t v)
{
	uint8_t cr = in(CR) & 0x3f;

	out(CR, (uint8_t)(cr | page << 6));
	out(reg, v);
	out(CR, cr);
}

static void power_on(void)
{
	fakenet_init(&net);
	ne2000_init(&n, &net.f.s, fakenet_mac);
}

/* As data sheet, 11.0 tells. */
static void start(uint8_t dcr, uint8_t rcr)
{
	out(CR, STOP);
	out(DCR, dcr);
	out(RBCR0, 0);
	out(RBCR1, 0);
	out(RCR, rcr);
	out(TCR, 2);
	out(BNRY, RX_START);
	out(PSTART, RX_START);
	out(PSTOP, RX_STOP);
	out(ISR, 0xff);
	out(IMR, 0x7f);
	for (unsigned i = 0; i < 6; i++)
		out_page(1, PAR0 + i, fakenet_mac[i]);
	out_page(1, CURR, RX_START + 1);
	out(CR, START);
	out(TCR, 0);
}

static void dma(uint16_t at, uint16_t len, uint8_t how)
{
	out(RSAR0, at & 0xff);
	out(RSAR1, (uint8_t)(at >> 8));
	out(RBCR0, len & 0xff);
	out(RBCR1, (uint8_t)(len >> 8));
	out(CR, (uint8_t)(how | 2));
}

static void write_local(uint16_t at, const uint8_t *p, uint16_t len)
{
	dma(at, len, 0x10);
	for (unsigned i = 0; i < len; i++)
		out(DATA, p[i]);
}

static void read_local(uint16_t at, uint8_t *p, uint16_t len)
{
	dma(at, len, 0x08);
	for (unsigned i = 0; i < len; i++)
		p[i] = in(DATA);
}

static void send_frame(const uint8_t *frame, uint16_t len)
{
	write_local(TX_PAGE << 8, frame, len);
	out(ISR, 0x40);
	out(TPSR, TX_PAGE);
	out(TBCR0, len & 0xff);
	out(TBCR1, (uint8_t)(len >> 8));
	out(CR, START | 4);
}

static bool receive(const uint8_t *dest, uint32_t len, unsigned seed)
{
	return ne2000_net_receive(&n, fakenet_frame(dest, len, seed), len);
}

START_TEST(reset_state)
{
	power_on();
	ck_assert_uint_eq(in(CR), STOP);
	ck_assert_uint_eq(in(ISR), 0x80);
	out(ISR, 0xff);
	ck_assert_uint_eq(in(ISR), 0x80);	/* RST is no interrupt and not acknowledged */
	ck_assert_int_eq(net.f.irq, 0);
	out(CR, START);
	ck_assert_uint_eq(in(ISR), 0);
	out(IMR, 0x7f);
	in(RESET);
	ck_assert_uint_eq(in(CR), STOP);
	ck_assert_uint_eq(in(ISR), 0x80);
	ck_assert_uint_eq(in_page(2, IMR), 0x80);
}
END_TEST

START_TEST(registers_of_all_pages)
{
	power_on();
	out(PSTART, 0x46);
	out(PSTOP, 0x80);
	out(TPSR, 0x40);
	out(RCR, 0x1f);
	out(TCR, 0x06);
	out(DCR, 0x49);
	out(IMR, 0x35);
	ck_assert_uint_eq(in_page(2, PSTART), 0x46);
	ck_assert_uint_eq(in_page(2, PSTOP), 0x80);
	ck_assert_uint_eq(in_page(2, TPSR), 0x40);
	ck_assert_uint_eq(in_page(2, RCR) & 0x3f, 0x1f);
	ck_assert_uint_eq(in_page(2, TCR) & 0x1f, 0x06);
	ck_assert_uint_eq(in_page(2, DCR) & 0x7f, 0x49);
	ck_assert_uint_eq(in_page(2, IMR) & 0x7f, 0x35);
	for (unsigned i = 1; i < 16; i++)
		out_page(1, i, (uint8_t)(0x10 + i));
	for (unsigned i = 1; i < 16; i++)
		ck_assert_uint_eq(in_page(1, i), 0x10 + i);
	out(BNRY, 0x55);
	ck_assert_uint_eq(in(BNRY), 0x55);
	ck_assert_uint_eq(in(10), 0x50);	/* the RTL8029's mark */
	ck_assert_uint_eq(in(11), 0x70);
	/* A CR write without STP and STA leaves the state. */
	out(CR, START);
	out(CR, 0x60);
	ck_assert_uint_eq(in(CR), 0x62);
}
END_TEST

START_TEST(prom_holds_the_address)
{
	uint8_t prom[32];

	power_on();
	start(0x48, 0x04);
	read_local(0, prom, 32);
	for (unsigned i = 0; i < 6; i++) {
		ck_assert_uint_eq(prom[2 * i], fakenet_mac[i]);
		ck_assert_uint_eq(prom[2 * i + 1], fakenet_mac[i]);
	}
	ck_assert_uint_eq(prom[28], 0x57);
	ck_assert_uint_eq(prom[30], 0x57);
	write_local(0, (const uint8_t *)"x", 1);
	read_local(0, prom, 1);
	ck_assert_uint_eq(prom[0], fakenet_mac[0]);	/* read only */
	read_local(0x2000, prom, 1);
	ck_assert_uint_eq(prom[0], 0xff);		/* nothing there */
}
END_TEST

START_TEST(remote_dma_by_byte_word_and_long)
{
	static const uint8_t data[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	uint8_t back[8];

	power_on();
	start(0x48, 0);
	write_local(0x4000, data, 8);
	ck_assert_uint_eq(in(ISR) & 0x40, 0x40);	/* RDC */
	ck_assert_int_eq(net.f.irq, 1);
	out(ISR, 0x40);
	ck_assert_int_eq(net.f.irq, 0);
	read_local(0x4000, back, 8);
	ck_assert_mem_eq(back, data, 8);
	out(DCR, 0x49);
	dma(0x4000, 8, 0x08);
	ck_assert_uint_eq(ne2000_in(&n, DATA, 2), 0x0201);
	ck_assert_uint_eq(in(DATA), 0x03);		/* half a word: the other half is lost */
	ck_assert_uint_eq(in(8), 0x04);			/* CRDA */
	ck_assert_uint_eq(in(9), 0x40);
	ck_assert_uint_eq(in(ISR) & 0x40, 0x40);	/* of the read before */
	out(ISR, 0x40);
	ck_assert_uint_eq(ne2000_in(&n, DATA, 4), 0x08070605);
	ck_assert_uint_eq(in(ISR) & 0x40, 0x40);
	ck_assert_uint_eq(ne2000_in(&n, DATA, 2), 0xffff);	/* nothing is left */
	dma(0x4100, 6, 0x10);
	ne2000_out(&n, DATA, 4, 0x44332211);
	ne2000_out(&n, DATA, 4, 0x88776655);		/* two bytes too many */
	read_local(0x4100, back, 0);
	ck_assert_mem_eq(&n.c->ram[0x100], "\x11\x22\x33\x44\x55\x66\0\0", 8);
}
END_TEST

START_TEST(remote_dma_wraps_at_the_ring)
{
	uint8_t back[512];

	power_on();
	start(0x49, 0);
	for (unsigned i = 0; i < 0x4000; i++)
		n.c->ram[i] = (uint8_t)(i >> 8);
	dma(0x7f00, 512, 0x08);
	for (unsigned i = 0; i < 512; i += 2) {
		uint32_t v = ne2000_in(&n, DATA, 2);

		back[i] = (uint8_t)v;
		back[i + 1] = (uint8_t)(v >> 8);
	}
	ck_assert_uint_eq(back[255], 0x3f);
	ck_assert_uint_eq(back[256], RX_START - 0x40);
	ck_assert_uint_eq(back[511], RX_START - 0x40);
}
END_TEST

/* Starting a DMA of no bytes completes it: drivers find their interrupt so. */
START_TEST(empty_dma_interrupts)
{
	power_on();
	out(IMR, 0x50);
	dma(0, 0, 0x08);
	ck_assert_int_eq(net.f.irq, 1);
	out(IMR, 0);
	ck_assert_int_eq(net.f.irq, 0);
}
END_TEST

START_TEST(transmits)
{
	const uint8_t *frame = fakenet_frame(fakenet_other, 1514, 3);

	power_on();
	start(0x48, 0);
	send_frame(frame, 1514);
	ck_assert_uint_eq(net.nsent, 1);
	ck_assert_uint_eq(net.sent[0].len, 1514);
	ck_assert_mem_eq(net.sent[0].data, frame, 1514);
	ck_assert_uint_eq(in(TSR) & 1, 1);
	ck_assert_uint_eq(in(ISR), 0x02);
	ck_assert_int_eq(net.f.irq, 1);
	ck_assert_uint_eq(in(CR) & 4, 0);
	/* What is no frame is not passed on, but the chip has sent it. */
	out(ISR, 0xff);
	send_frame(frame, 13);
	send_frame(frame, 1600);
	ck_assert_uint_eq(net.nsent, 1);
	ck_assert_uint_eq(in(ISR), 0x02);
	out(TPSR, 0x7f);			/* beyond the memory */
	out(CR, START | 4);
	out(TPSR, 0x00);
	out(CR, START | 4);
	ck_assert_uint_eq(net.nsent, 1);
}
END_TEST

START_TEST(transmitter_waits_for_the_back_end)
{
	power_on();
	start(0x48, 0);
	net.refuse = true;
	send_frame(fakenet_frame(fakenet_other, 100, 1), 100);
	ck_assert_uint_eq(in(ISR), 0);
	ck_assert_uint_eq(in(CR) & 4, 4);
	ck_assert_int_eq(net.f.irq, 0);
	out(CR, START);				/* does not clear TXP */
	ck_assert_uint_eq(in(CR) & 4, 4);
	ne2000_net_sendable(&n);		/* not yet */
	ck_assert_uint_eq(in(ISR), 0);
	net.refuse = false;
	ne2000_net_sendable(&n);
	ck_assert_uint_eq(net.nsent, 1);
	ck_assert_uint_eq(in(ISR), 2);
	ne2000_net_sendable(&n);
	ck_assert_uint_eq(net.nsent, 1);
	net.refuse = true;
	send_frame(fakenet_frame(fakenet_other, 100, 1), 100);
	out(CR, STOP);
	net.refuse = false;
	ne2000_net_sendable(&n);		/* stopped: it will never leave */
	ck_assert_uint_eq(net.nsent, 1);
}
END_TEST

START_TEST(receives_into_the_ring)
{
	uint8_t got[256];

	power_on();
	start(0x48, 0x04);
	ck_assert(receive(fakenet_mac, 100, 5));
	ck_assert_uint_eq(in(ISR), 1);
	ck_assert_int_eq(net.f.irq, 1);
	ck_assert_uint_eq(in(RSR), 1);
	ck_assert_uint_eq(in_page(1, CURR), RX_START + 2);
	read_local((RX_START + 1) << 8, got, 104);
	ck_assert_uint_eq(got[0], 1);
	ck_assert_uint_eq(got[1], RX_START + 2);
	ck_assert_uint_eq(got[2] | got[3] << 8, 104);	/* frame and FCS */
	ck_assert_mem_eq(got + 4, fakenet_frame(fakenet_mac, 100, 5), 100);
	/* A short one is padded; a broadcast is marked. */
	ck_assert(receive(fakenet_all, 20, 6));
	ck_assert_uint_eq(in(RSR), 0x21);
	read_local((RX_START + 2) << 8, got, 64);
	ck_assert_uint_eq(got[0], 0x21);
	ck_assert_uint_eq(got[2], 64);
	ck_assert_mem_eq(got + 4, fakenet_frame(fakenet_all, 20, 6), 20);
	for (unsigned i = 24; i < 64; i++)
		ck_assert_uint_eq(got[i], 0);
	/* Exactly one page, and one byte more. */
	ck_assert(receive(fakenet_mac, 248, 7));
	ck_assert_uint_eq(in_page(1, CURR), RX_START + 4);
	ck_assert(receive(fakenet_mac, 249, 7));
	ck_assert_uint_eq(in_page(1, CURR), RX_START + 6);
}
END_TEST

START_TEST(ring_wraps)
{
	uint8_t got[1518];

	power_on();
	start(0x48, 0);
	out(BNRY, RX_STOP - 4);
	out_page(1, CURR, RX_STOP - 3);
	ck_assert(receive(fakenet_mac, 1514, 9));
	ck_assert_uint_eq(in_page(1, CURR), RX_START + 3);
	read_local((RX_STOP - 3) << 8, got, 1518);	/* remote DMA wraps as well */
	ck_assert_uint_eq(got[1], RX_START + 3);
	ck_assert_mem_eq(got + 4, fakenet_frame(fakenet_mac, 1514, 9), 1514);
	/* Up to the very end. */
	out(BNRY, RX_STOP - 7);
	out_page(1, CURR, RX_STOP - 6);
	ck_assert(receive(fakenet_mac, 1514, 9));
	ck_assert_uint_eq(in_page(1, CURR), RX_START);
}
END_TEST

static void offer_again(void)
{
	if (receive(fakenet_mac, 1514, 77))
		net.offer = NULL;
}

START_TEST(full_ring_makes_the_back_end_wait)
{
	unsigned frames = 0;

	power_on();
	start(0x48, 0);
	while (receive(fakenet_mac, 1514, frames))
		frames++;
	/* 58 pages, one of them behind BNRY, six for each frame. */
	ck_assert_uint_eq(frames, 9);
	ck_assert_uint_eq(in(ISR) & 0x10, 0);
	ck_assert_uint_eq(net.ready, 0);
	net.offer = offer_again;
	out(ISR, 0xff);
	out(BNRY, RX_START + 6);
	ck_assert_uint_ge(net.ready, 1);
	ck_assert_ptr_null(net.offer);
	ck_assert_uint_eq(in(ISR), 1);
	net.ready = 0;
	out(BNRY, RX_START + 12);		/* nobody waits any more */
	ck_assert_uint_eq(net.ready, 0);
	/* What waits when the receiver stops is not waited for. */
	while (receive(fakenet_mac, 1514, 1))
		;
	net.offer = offer_again;
	out(CR, STOP);
	ck_assert_uint_eq(net.ready, 1);
	ck_assert_ptr_null(net.offer);
}
END_TEST

static void run_to(uint64_t ns)
{
	fakedev_run(&net.f, ns, (void (*)(void *))ne2000_timer, &n);
}

/* A driver may acknowledge the interrupt of a frame that it leaves in the ring. */
START_TEST(frames_in_the_ring_are_called_to_mind)
{
	power_on();
	start(0x48, 0);
	ck_assert(receive(fakenet_mac, 100, 1));
	ck_assert(receive(fakenet_mac, 100, 2));
	out(BNRY, RX_START + 1);		/* one of them is read */
	out(ISR, 0xff);
	ck_assert_int_eq(net.f.irq, 0);
	run_to(net.f.now + REMINDER_NS);
	ck_assert_uint_eq(in(ISR), 1);
	ck_assert_int_eq(net.f.irq, 1);
	out(BNRY, RX_START + 2);
	out(ISR, 0xff);
	run_to(net.f.now + 1000000000);
	ck_assert_int_eq(net.f.irq, 0);
	ck_assert_uint_eq(net.f.deadline, DEV_NO_DEADLINE);
	/* Whoever reads nothing is left alone in the end, until he reads again. */
	for (unsigned i = 0; i < 3; i++)
		ck_assert(receive(fakenet_mac, 100, i));
	run_to(net.f.now + 1000000000);
	ck_assert_uint_eq(net.f.deadline, DEV_NO_DEADLINE);
	out(BNRY, RX_START + 3);
	ck_assert_uint_eq(net.f.deadline, net.f.now + REMINDER_NS);
	/* Nobody reads from a card that is stopped. */
	out(CR, STOP);
	out(ISR, 0xff);
	run_to(net.f.now + 1000000000);
	ck_assert_int_eq(net.f.irq, 0);
}
END_TEST

START_TEST(frame_that_never_fits_overflows)
{
	power_on();
	start(0x48, 0);
	out(PSTOP, RX_START + 4);
	ck_assert(receive(fakenet_mac, 1514, 1));
	ck_assert_uint_eq(in(ISR), 0x10);
	ck_assert_uint_eq(in(CNTR0 + 2), 1);
	ck_assert_uint_eq(in(CNTR0 + 2), 0);	/* read and cleared */
	ck_assert(receive(fakenet_mac, 60, 1));
	ck_assert_uint_eq(in(ISR), 0x11);
	/* A ring that is none. */
	out(PSTOP, 0);
	ck_assert(receive(fakenet_mac, 60, 1));
	out(PSTOP, RX_STOP);
	out_page(1, CURR, 0xf0);
	ck_assert(receive(fakenet_mac, 60, 1));
	ck_assert_uint_eq(in(CNTR0 + 2), 2);
}
END_TEST

START_TEST(address_filter)
{
	static const uint8_t group[6] = { 0x01, 0x00, 0x5e, 0x00, 0x00, 0x01 };
	static const struct { uint8_t rcr; bool own, other, all, group; } table[] = {
		{ 0x00, true, false, false, false },
		{ 0x04, true, false, true, false },
		{ 0x08, true, false, false, true },
		{ 0x10, true, true, false, false },
		{ 0x1c, true, true, true, true },
	};
	unsigned i;

	power_on();
	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		const struct { const uint8_t *dest; bool taken; } frames[] = {
			{ fakenet_mac, table[i].own }, { fakenet_other, table[i].other },
			{ fakenet_all, table[i].all }, { group, table[i].group },
		};

		for (unsigned k = 0; k < 4; k++) {
			start(0x48, table[i].rcr);
			/* 01:00:5e:00:00:01 has bit 31, as in Linux's ether_crc() >> 26 */
			out_page(1, MAR0 + 3, 0x80);
			ck_assert(receive(frames[k].dest, 60, 0));
			ck_assert_msg((in(ISR) == 1) == frames[k].taken, "rcr %x, frame %u",
				      table[i].rcr, k);
		}
	}
	start(0x48, 0x08);
	out_page(1, MAR0 + 3, 0x7f);
	ck_assert(receive(group, 60, 0));
	ck_assert_uint_eq(in(ISR), 0);
	/* Monitor mode counts what it does not store. */
	start(0x48, 0x20);
	ck_assert(receive(fakenet_mac, 60, 0));
	ck_assert_uint_eq(in(ISR), 0);
	ck_assert_uint_eq(in(RSR), 0x50);
	for (i = 0; i < 300; i++)
		receive(fakenet_mac, 60, 0);
	ck_assert_uint_eq(in(ISR), 0x20);	/* CNT */
	ck_assert_uint_eq(in(CNTR0 + 2), 0xc0);
}
END_TEST

START_TEST(deaf_when_stopped_or_in_loopback)
{
	power_on();
	start(0x48, 0x1c);
	out(TCR, 2);
	ck_assert(receive(fakenet_mac, 60, 0));
	out(TCR, 0);
	out(CR, STOP);
	ck_assert(receive(fakenet_mac, 60, 0));
	ck_assert_uint_eq(in(ISR), 0x80);
	ck_assert_uint_eq(in_page(1, CURR), RX_START + 1);
}
END_TEST

static void loop(const uint8_t *frame, uint16_t len, uint8_t tcr)
{
	out(DCR, 0x40);
	out(TCR, tcr);
	out(ISR, 0xff);
	send_frame(frame, len);
	out(ISR, 0x40);
}

/* Data sheet, 12.0. */
START_TEST(loopback)
{
	static const uint8_t tsr[] = { 0x53, 0x43, 0x03 };
	uint8_t frame[64];
	uint32_t crc;

	power_on();
	start(0x40, 0x1f);
	memcpy(frame, fakenet_frame(fakenet_mac, 60, 1), 60);
	for (unsigned mode = 1; mode < 4; mode++) {
		loop(frame, 60, (uint8_t)(mode << 1));
		ck_assert_uint_eq(in(TSR), tsr[mode - 1]);
		ck_assert_uint_eq(in(RSR), 2);		/* its own CRC always looks bad */
		ck_assert_uint_eq(in(ISR), 2);		/* PTX, never PRX */
		/* 64 bytes: the FIFO as the data sheet pictures it. */
		crc = ~ether_crc(~0u, frame, 60);
		ck_assert_uint_eq(in(FIFO), 64);
		ck_assert_uint_eq(in(FIFO), 0);
		ck_assert_uint_eq(in(FIFO), 0);
		ck_assert_uint_eq(in(FIFO), frame[59]);
		for (unsigned i = 0; i < 4; i++)
			ck_assert_uint_eq(in(FIFO), crc >> (8 * i) & 0xff);
	}
	ck_assert_uint_eq(net.nsent, 0);
	/* CRC by software: good, bad, and bad to another address. */
	out(RCR, 0);
	for (unsigned i = 0; i < 4; i++)
		frame[60 + i] = (uint8_t)(crc >> (8 * i));
	loop(frame, 64, 3);
	ck_assert_uint_eq(in(RSR), 1);
	frame[30] ^= 1;
	loop(frame, 64, 3);
	ck_assert_uint_eq(in(RSR), 2);
	frame[0] ^= 2;
	loop(frame, 64, 3);
	ck_assert_uint_eq(in(RSR), 1);
}
END_TEST

/* The FCS and the hash of frames whose values are known. */
START_TEST(crc_values)
{
	ck_assert_uint_eq(~ether_crc(~0u, (const uint8_t *)"123456789", 9), 0xcbf43926);
}
END_TEST

static void isa_irq(void *ctx, unsigned irq, int level)
{
	(void)ctx, (void)irq, (void)level;
}

START_TEST(on_pci)
{
	const struct pci_services services = { .irq = isa_irq };
	static struct ne2000_pci card;
	static struct pci pci;
	uint32_t v;

	fakenet_init(&net);
	ne2000_pci_init(&card, &net.f.s, fakenet_mac);
	pci_init(&pci, &services);
	ck_assert(pci_attach(&pci, PCI_DEVFN(3, 0), &card.pci, &ne2000_pci_ops, &card));
	pci_assign(&pci);
	ck_assert_uint_eq(pci_function_get(&card.pci, 0, 4), 0x802910ec);
	ck_assert_uint_eq(pci_function_get(&card.pci, PCI_CLASS, 3), 0x020000);
	ck_assert(pci_io_in(&pci, 0xc000, 1, &v));
	ck_assert_uint_eq(v, STOP);
	ck_assert(pci_io_in(&pci, 0xc01f, 1, &v));
	ck_assert(!pci_io_in(&pci, 0xc020, 1, &v));
	/* A wide access to the registers is several. */
	card.nic.c->bnry = 0x12;
	ck_assert(pci_io_in(&pci, 0xc002, 2, &v));
	ck_assert_uint_eq(v >> 8, 0x12);
	ck_assert(pci_io_out(&pci, 0xc001, 2, 0x8046));
	ck_assert_uint_eq(card.nic.c->pstart, 0x46);
	ck_assert_uint_eq(card.nic.c->pstop, 0x80);
}
END_TEST

/* ---- a driver that is linked with the chip ---- */

/* An access as a linked driver makes it: what the state does not suffice for, the
 * monitor's chip does. */
static uint32_t linked_in(struct ne2000 *m, struct ne2000_state *c, unsigned reg, unsigned size,
			  unsigned *hot)
{
	uint32_t v;

	if (!ne2000_hot_in(c, reg, size, &v))
		return ne2000_in(m, reg, size);
	++*hot;
	return v;
}

static void linked_out(struct ne2000 *m, struct ne2000_state *c, unsigned reg, unsigned size,
		       uint32_t v, unsigned *hot)
{
	if (ne2000_hot_out(c, reg, size, v))
		++*hot;
	else
		ne2000_out(m, reg, size, v);
}

static struct fakenet net2;
static struct ne2000 linked;
static struct ne2000_state shared;

static uint32_t random_state;

static uint32_t rnd(uint32_t bound)
{
	random_state = random_state * 1664525 + 1013904223;
	return (random_state >> 8) % bound;
}

static void chips_agree(unsigned step)
{
	const size_t registers = offsetof(struct ne2000_state, ram);

	/* Whether BNRY's writes were seen already may differ. */
	n.c->released = linked.c->released;
	ne2000_sync(&linked);
	ck_assert_msg(!memcmp(n.c, linked.c, registers), "registers differ after step %u", step);
	ck_assert_msg(step % 64 || !memcmp(n.c->ram, linked.c->ram, NE2000_RAM),
		      "memory differs after step %u", step);
	ck_assert_msg(net.f.irq == net2.f.irq, "the lines differ after step %u", step);
	ck_assert_uint_eq(net.nsent, net2.nsent);
	ck_assert_uint_eq(net.ready, net2.ready);
}

/* What a driver is likely to write, more often than anything else. */
static uint8_t value_for(unsigned reg)
{
	static const uint8_t commands[] = { 0x22, 0x22, 0x0a, 0x12, 0x26, 0x62, 0x21, 0x02, 0xa2 };

	if (reg == CR && rnd(16))
		return commands[rnd(sizeof(commands))];
	if ((reg == BNRY || reg == PSTART || reg == RSAR1) && rnd(8))
		return (uint8_t)(RX_START + rnd(RX_STOP - RX_START));
	if (reg == PSTOP && rnd(8))
		return RX_STOP;
	if (reg == RBCR1 || reg == TBCR1)
		return (uint8_t)rnd(4);
	return (uint8_t)rnd(256);
}

static void random_access(unsigned *hot)
{
	unsigned reg = rnd(8) ? rnd(0x10) : rnd(0x18), size = 1;

	if (reg >= DATA)
		size = 1u << rnd(3);
	if (!rnd(500))
		reg = RESET;
	if (rnd(2)) {
		ck_assert_uint_eq(ne2000_in(&n, reg, size),
				  linked_in(&linked, &shared, reg, size, hot));
	} else {
		uint32_t v = size == 1 ? value_for(reg) : rnd(0x1000000);

		ne2000_out(&n, reg, size, v);
		linked_out(&linked, &shared, reg, size, v, hot);
	}
}

static void random_string(unsigned *hot)
{
	uint8_t buf[512], buf2[512];
	unsigned size = 1u << rnd(2), count = rnd(sizeof(buf) / 2) + 1, i, done;
	bool read = rnd(2);

	for (i = 0; i < sizeof(buf); i++)
		buf[i] = buf2[i] = (uint8_t)rnd(256);
	done = read ? ne2000_hot_ins(&shared, size, buf2, count) :
	       ne2000_hot_outs(&shared, size, buf2, count);
	ck_assert_uint_le(done, count);
	*hot += done;
	for (i = 0; i < count; i++) {
		uint32_t v = 0;

		memcpy(&v, buf + i * size, size);
		if (!read)
			ne2000_out(&n, DATA, size, v);
		if (!read && i >= done)
			ne2000_out(&linked, DATA, size, v);
		if (!read)
			continue;
		v = ne2000_in(&n, DATA, size);
		memcpy(buf + i * size, &v, size);
		if (i >= done) {
			v = ne2000_in(&linked, DATA, size);
			memcpy(buf2 + i * size, &v, size);
		}
	}
	ck_assert_mem_eq(buf, buf2, sizeof(buf));
}

static void random_event(void)
{
	uint32_t len = 60 + rnd(1400);
	const uint8_t *frame = fakenet_frame(rnd(2) ? fakenet_all : fakenet_mac, len, len);

	switch (rnd(3)) {
	case 0:
		ck_assert_int_eq(ne2000_net_receive(&n, frame, len),
				 ne2000_net_receive(&linked, frame, len));
		break;
	case 1:
		if (n.reminder.armed) {
			ne2000_timer(&n);
			ne2000_timer(&linked);
		}
		break;
	default:
		net.refuse = net2.refuse = !rnd(4);
		ne2000_net_sendable(&n);
		ne2000_net_sendable(&linked);
	}
	net.nsent = net2.nsent = 0;
}

/* Register by register: one chip in the monitor only, one whose driver is linked. */
START_TEST(linked_driver_agrees)
{
	unsigned hot = 0, steps = 100000;

	power_on();
	fakenet_init(&net2);
	ne2000_init(&linked, &net2.f.s, fakenet_mac);
	ne2000_link(&linked, &shared);
	random_state = 1;
	for (unsigned i = 0; i < steps; i++) {
		net.nsent = net2.nsent = 0;
		if (!rnd(10))
			random_event();
		else if (!rnd(10))
			random_string(&hot);
		else
			random_access(&hot);
		chips_agree(i);
	}
	/* Else it has tried nothing. */
	ck_assert_uint_gt(hot, steps / 4);
}
END_TEST

/* The line falls by the driver's store alone; a frame that comes then is an edge again. */
START_TEST(linked_driver_lowers_the_line)
{
	uint32_t v;

	power_on();
	ne2000_link(&n, &shared);
	start(0x49, 0x04);
	ck_assert(receive(fakenet_all, 60, 1));
	ck_assert_int_eq(net.f.irq, 1);
	ck_assert(ne2000_hot_in(&shared, ISR, 1, &v));
	ck_assert_uint_eq(v, 1);
	ck_assert(ne2000_hot_out(&shared, ISR, 1, 1));
	ck_assert_int_eq(net.f.irq, 1);
	ne2000_sync(&n);
	ck_assert_int_eq(net.f.irq, 0);
	ck_assert(receive(fakenet_all, 60, 2));
	ck_assert(ne2000_hot_out(&shared, ISR, 1, 1));
	net.f.edges = 0;
	ck_assert(receive(fakenet_all, 60, 3));
	ck_assert_int_eq(net.f.irq, 1);
	ck_assert_uint_eq(net.f.edges, 1);
	/* What drives it high is not for the driver. */
	ck_assert(ne2000_hot_out(&shared, IMR, 1, 0));
	ck_assert(!ne2000_hot_out(&shared, IMR, 1, 1));
}
END_TEST

/* Whatever a guest writes to the shared state harms only itself. */
START_TEST(hostile_state_is_survived)
{
	power_on();
	ne2000_link(&n, &shared);
	random_state = 3;
	for (unsigned i = 0; i < 50000; i++) {
		for (unsigned k = 0; k < 4; k++)
			((uint8_t *)&shared)[rnd(offsetof(struct ne2000_state, ram))] =
				(uint8_t)rnd(256);
		net.nsent = 0;
		switch (rnd(4)) {
		case 0: ne2000_in(&n, rnd(NE2000_PORTS), 1u << rnd(3)); break;
		case 1: ne2000_out(&n, rnd(NE2000_PORTS), 1u << rnd(3), rnd(1 << 24)); break;
		case 2: receive(fakenet_all, 60 + rnd(1400), i); break;
		default: ne2000_timer(&n); ne2000_net_sendable(&n);
		}
	}
	/* The back end saw nothing that is no frame, and the chip lives on. */
	ne2000_reset(&n);
	ck_assert_uint_eq(in(CR), STOP);
}
END_TEST

FAKEDEV_MAIN("ne2000", reset_state, registers_of_all_pages, prom_holds_the_address,
	     remote_dma_by_byte_word_and_long, remote_dma_wraps_at_the_ring, empty_dma_interrupts,
	     transmits, transmitter_waits_for_the_back_end, receives_into_the_ring, ring_wraps,
	     full_ring_makes_the_back_end_wait,
	     frames_in_the_ring_are_called_to_mind, frame_that_never_fits_overflows, address_filter,
	     deaf_when_stopped_or_in_loopback, loopback, crc_values, on_pci,
	     linked_driver_agrees, linked_driver_lowers_the_line, hostile_state_is_survived)
