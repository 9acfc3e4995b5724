/* SPDX-License-Identifier: BSD-2-Clause */
/* The RTL8139 at its registers, as a driver uses it. */
#include "fakenet.h"

#include "devemu/rtl8139.h"

static struct fakenet net;
static struct rtl8139 r;

#define RING 0x10000u			/* in guest memory */
#define TX 0x4000u
#define RX_ALL (RTL8139_RCR_APM | RTL8139_RCR_AB | RTL8139_RCR_AM)
#define RBLEN(n) ((uint32_t)(n) << 11)

static uint32_t in(unsigned reg, unsigned size)
{
	return rtl8139_in(&r, reg, size);
}

static void out(unsigned reg, unsigned size, uint32_t v)
{
	rtl8139_out(&r, reg, size, v);
}

static void power_on(void)
{
	fakenet_init(&net);
	rtl8139_init(&r, &net.f.s, fakenet_mac);
}

/* As the programming guide, chapter 6, tells. */
static void start(uint32_t rcr)
{
	out(RTL8139_CR, 1, RTL8139_CR_RST);
	ck_assert_uint_eq(in(RTL8139_CR, 1), RTL8139_CR_BUFE);
	out(RTL8139_RBSTART, 4, RING);
	out(RTL8139_CR, 1, RTL8139_CR_TE | RTL8139_CR_RE);
	out(RTL8139_RCR, 4, rcr);
	out(RTL8139_IMR, 2, 0xffff);
}

static bool receive(const uint8_t *dest, uint32_t len, unsigned seed)
{
	return rtl8139_net_receive(&r, fakenet_frame(dest, len, seed), len);
}

static void put_tx(unsigned i, const uint8_t *frame, uint32_t len)
{
	memcpy(net.ram + TX + 0x800 * i, frame, len);
	out(RTL8139_TSAD + 4 * i, 4, TX + 0x800 * i);
	out(RTL8139_TSD + 4 * i, 4, len);
}

static uint32_t tsd(unsigned i)
{
	return in(RTL8139_TSD + 4 * i, 4);
}

START_TEST(identity_and_reset_state)
{
	power_on();
	ck_assert_uint_eq(pci_function_get(&r.pci, 0, 4), 0x813910ec);
	ck_assert_uint_eq(r.pci.config[PCI_REVISION], 0x10);	/* no C+ */
	for (unsigned i = 0; i < 6; i++)
		ck_assert_uint_eq(in(RTL8139_IDR + i, 1), fakenet_mac[i]);
	ck_assert_uint_eq(in(RTL8139_TCR, 4) & 0x7cc00000, 0x74000000);
	ck_assert_uint_eq(in(RTL8139_CR, 1), RTL8139_CR_BUFE);
	ck_assert_uint_eq(in(RTL8139_CAPR, 2), 0xfff0);
	ck_assert_uint_eq(in(RTL8139_CBR, 2), 0);
	for (unsigned i = 0; i < 4; i++)
		ck_assert_uint_eq(tsd(i), RTL8139_TSD_OWN);
	ck_assert_uint_eq(in(RTL8139_BMSR, 2) & 0x0024, 0x0024);	/* link, negotiated */
	ck_assert_uint_eq(in(RTL8139_MSR, 1) & 4, 0);			/* link, inverted */
	ck_assert_uint_eq(in(0xfe, 4), 0xffffffff);
	out(0xfe, 4, 0);
}
END_TEST

START_TEST(registers_of_any_width)
{
	power_on();
	out(RTL8139_MAR, 4, 0x44332211);
	out(RTL8139_MAR + 5, 1, 0x66);
	ck_assert_uint_eq(in(RTL8139_MAR + 1, 2), 0x3322);
	ck_assert_uint_eq(in(RTL8139_MAR + 4, 4), 0x6600);
	/* IMR and ISR together; what is not there stays 0. */
	out(RTL8139_IMR, 4, 0xffffffff);
	ck_assert_uint_eq(in(RTL8139_IMR, 4), RTL8139_INTS);
	out(RTL8139_CAPR, 1, 0x34);
	out(RTL8139_CAPR + 1, 1, 0x12);
	ck_assert_uint_eq(in(RTL8139_CAPR, 2), 0x1234);
	out(RTL8139_CBR, 2, 0x5555);				/* read only */
	ck_assert_uint_eq(in(RTL8139_CBR, 2), 0);
	out(RTL8139_TCR, 4, 0xffffffff);
	ck_assert_uint_eq(in(RTL8139_TCR, 4), 0x770707f0);
	/* The address and the configuration are locked. */
	out(RTL8139_IDR, 1, 0xee);
	out(RTL8139_CONFIG1, 1, 0xee);
	ck_assert_uint_eq(in(RTL8139_IDR, 1), fakenet_mac[0]);
	ck_assert_uint_eq(in(RTL8139_CONFIG1, 1), 0x0c);
	out(RTL8139_9346CR, 1, 0xc0);
	out(RTL8139_IDR, 4, 0x04030202);
	out(RTL8139_CONFIG1, 1, 0x0d);
	ck_assert_uint_eq(in(RTL8139_IDR, 4), 0x04030202);
	ck_assert_uint_eq(in(RTL8139_CONFIG1, 1), 0x0d);
	out(RTL8139_9346CR, 1, 0x40);				/* autoload */
	ck_assert_uint_eq(in(RTL8139_IDR, 1), fakenet_mac[0]);
	ck_assert_uint_eq(in(RTL8139_9346CR, 1), 0);
}
END_TEST

START_TEST(timer_counts_at_33_mhz)
{
	power_on();
	net.f.now = 5000000000;
	out(RTL8139_TCTR, 4, 1);
	ck_assert_uint_eq(in(RTL8139_TCTR, 4), 0);
	net.f.now += 1000000;
	ck_assert_uint_eq(in(RTL8139_TCTR, 4), 33000);
}
END_TEST

/* One clock of the EEPROM; returns the line out. */
static unsigned ee_clock(unsigned bit)
{
	uint8_t lines = (uint8_t)(0x88 | (bit ? 2 : 0));

	out(RTL8139_9346CR, 1, lines);
	out(RTL8139_9346CR, 1, lines | 4);
	return in(RTL8139_9346CR, 1) & 1;
}

static void ee_command(unsigned command, unsigned bits)
{
	out(RTL8139_9346CR, 1, 0x80);
	out(RTL8139_9346CR, 1, 0x88);
	while (bits--)
		ee_clock(command >> bits & 1);
}

static unsigned ee_data(void)
{
	unsigned v = 0;

	for (unsigned i = 0; i < 16; i++)
		v = v << 1 | ee_clock(0);
	return v;
}

static unsigned ee_read(unsigned at, unsigned address_bits)
{
	unsigned v;

	ee_command(6u << address_bits | at, 5 + address_bits);	/* with zeros before it */
	v = ee_data();
	out(RTL8139_9346CR, 1, 0);
	return v;
}

static void ee_write(unsigned at, unsigned v)
{
	ee_command(5u << 6 | at, 9);
	for (unsigned i = 16; i--; )
		ee_clock(v >> i & 1);
	out(RTL8139_9346CR, 1, 0x80);
}

START_TEST(eeprom)
{
	power_on();
	ck_assert_uint_eq(ee_read(0, 6), 0x8129);
	for (unsigned i = 0; i < 3; i++)
		ck_assert_uint_eq(ee_read(7 + i, 6),
				  fakenet_mac[2 * i] | fakenet_mac[2 * i + 1] << 8);
	/* A driver tries whether eight address bits are right. */
	ck_assert_uint_ne(ee_read(0, 8), 0x8129);
	/* Reading goes on. */
	ee_command(6u << 6 | 7, 9);
	ee_data();
	ck_assert_uint_eq(ee_data(), fakenet_mac[2] | fakenet_mac[3] << 8);
	ee_write(20, 0x1234);				/* not enabled */
	ck_assert_uint_eq(ee_read(20, 6), 0);
	ee_command(4u << 6 | 0x30, 9);			/* EWEN */
	ee_write(20, 0x1234);
	ck_assert_uint_eq(ee_read(20, 6), 0x1234);
	ee_command(7u << 6 | 20, 9);			/* ERASE */
	ck_assert_uint_eq(ee_read(20, 6), 0xffff);
	ee_command(4u << 6, 9);				/* EWDS */
	ee_write(20, 0x4321);
	ck_assert_uint_eq(ee_read(20, 6), 0xffff);
}
END_TEST

START_TEST(transmits_in_turn)
{
	power_on();
	start(0);
	for (unsigned i = 0; i < 6; i++) {
		const uint8_t *frame = fakenet_frame(fakenet_other, 60 + i, i);

		put_tx(i % 4, frame, 60 + i);
		ck_assert_uint_eq(net.nsent, i + 1);
		ck_assert_uint_eq(net.sent[i].len, 60 + i);
		ck_assert_mem_eq(net.sent[i].data, frame, 60 + i);
		ck_assert_uint_eq(tsd(i % 4), (60 + i) | RTL8139_TSD_OWN | RTL8139_TSD_TOK);
		ck_assert_uint_eq(in(RTL8139_ISR, 2), RTL8139_TOK);
		ck_assert_int_eq(net.f.irq, 1);
		out(RTL8139_ISR, 2, RTL8139_TOK);
		ck_assert_int_eq(net.f.irq, 0);
	}
	ck_assert_uint_eq(in(RTL8139_TSALL, 2), 0xf00f);	/* TOK and OWN of all */
	/* The next is descriptor 2: others wait for it. */
	put_tx(3, fakenet_frame(fakenet_other, 60, 0), 60);
	ck_assert_uint_eq(net.nsent, 6);
	put_tx(2, fakenet_frame(fakenet_other, 60, 0), 60);
	ck_assert_uint_eq(net.nsent, 8);
	/* Nothing while the transmitter is off; what waits goes when it comes on. */
	out(RTL8139_CR, 1, RTL8139_CR_RE);
	put_tx(0, fakenet_frame(fakenet_other, 60, 0), 60);
	ck_assert_uint_eq(net.nsent, 8);
	out(RTL8139_CR, 1, RTL8139_CR_RE | RTL8139_CR_TE);
	ck_assert_uint_eq(net.nsent, 9);
}
END_TEST

START_TEST(bad_descriptors_are_aborted)
{
	power_on();
	start(0);
	out(RTL8139_TSAD, 4, 0xfffffff0);	/* no memory there */
	out(RTL8139_TSD, 4, 100);
	ck_assert_uint_eq(tsd(0), 100 | RTL8139_TSD_OWN | RTL8139_TSD_TABT);
	ck_assert_uint_eq(in(RTL8139_ISR, 2), RTL8139_TER);
	out(RTL8139_TSAD + 4, 4, TX);
	out(RTL8139_TSD + 4, 4, 1793);		/* too long */
	ck_assert_uint_eq(tsd(1) & RTL8139_TSD_TABT, RTL8139_TSD_TABT);
	out(RTL8139_TSAD + 8, 4, TX);
	out(RTL8139_TSD + 8, 4, 0);
	ck_assert_uint_eq(tsd(2) & RTL8139_TSD_TABT, RTL8139_TSD_TABT);
	put_tx(3, fakenet_frame(fakenet_other, 60, 0), 10);	/* no frame, but sent */
	ck_assert_uint_eq(tsd(3) & RTL8139_TSD_TOK, RTL8139_TSD_TOK);
	ck_assert_uint_eq(net.nsent, 0);
}
END_TEST

START_TEST(transmitter_waits_for_the_back_end)
{
	power_on();
	start(0);
	net.refuse = true;
	for (unsigned i = 0; i < 4; i++)
		put_tx(i, fakenet_frame(fakenet_other, 60, i), 60);
	ck_assert_uint_eq(in(RTL8139_ISR, 2), 0);
	ck_assert_uint_eq(tsd(0), 60);
	rtl8139_net_sendable(&r);
	ck_assert_uint_eq(tsd(0), 60);
	net.refuse = false;
	rtl8139_net_sendable(&r);
	ck_assert_uint_eq(net.nsent, 4);
	ck_assert_uint_eq(in(RTL8139_TSALL, 2), 0xf00f);
	rtl8139_net_sendable(&r);
	ck_assert_uint_eq(net.nsent, 4);
	/* A reset forgets what waits. */
	net.refuse = true;
	put_tx(0, fakenet_frame(fakenet_other, 60, 0), 60);
	out(RTL8139_CR, 1, RTL8139_CR_RST);
	net.refuse = false;
	rtl8139_net_sendable(&r);
	ck_assert_uint_eq(net.nsent, 4);
}
END_TEST

/* Takes the next frame out of the ring as a driver does; its length. */
static uint32_t take(uint8_t *to, uint16_t *status)
{
	uint32_t size = 8192u << (in(RTL8139_RCR, 4) >> 11 & 3);
	uint32_t at = (in(RTL8139_CAPR, 2) + 16) & (size - 1), len;
	bool wrap = size == 0x10000 || !(in(RTL8139_RCR, 4) & RTL8139_RCR_WRAP);
	const uint8_t *ring = net.ram + RING;

	ck_assert_uint_eq(in(RTL8139_CR, 1) & RTL8139_CR_BUFE, 0);
	*status = (uint16_t)(ring[at] | ring[at + 1] << 8);
	len = ring[at + 2] | (uint32_t)ring[at + 3] << 8;
	for (uint32_t i = 0; i < len - 4; i++)
		to[i] = ring[wrap ? (at + 4 + i) & (size - 1) : at + 4 + i];
	out(RTL8139_CAPR, 2, (at + 4 + len + 3) / 4 * 4 - 16);
	return len - 4;
}

START_TEST(receives_into_the_ring)
{
	uint8_t got[2048];
	uint16_t status;

	power_on();
	start(RX_ALL | RBLEN(0));
	ck_assert(receive(fakenet_mac, 101, 4));
	ck_assert_uint_eq(in(RTL8139_ISR, 2), RTL8139_ROK);
	ck_assert_int_eq(net.f.irq, 1);
	ck_assert_uint_eq(in(RTL8139_CBR, 2), 112);	/* 4 + 101 + 4, to a multiple of 4 */
	ck_assert(receive(fakenet_all, 20, 5));
	ck_assert_uint_eq(take(got, &status), 101);
	ck_assert_uint_eq(status, RTL8139_RX_ROK | RTL8139_RX_PAM);
	ck_assert_mem_eq(got, fakenet_frame(fakenet_mac, 101, 4), 101);
	ck_assert_uint_eq(take(got, &status), 60);	/* padded */
	ck_assert_uint_eq(status, RTL8139_RX_ROK | RTL8139_RX_BAR);
	ck_assert_mem_eq(got, fakenet_frame(fakenet_all, 20, 5), 20);
	ck_assert_uint_eq(got[59], 0);
	ck_assert_uint_eq(in(RTL8139_CR, 1) & RTL8139_CR_BUFE, RTL8139_CR_BUFE);
	ck_assert_uint_ge(net.wrote_bytes, 121);
}
END_TEST

/* Every ring size, wrapping or not, many times around, every phase. */
START_TEST(ring_wraps)
{
	uint8_t got[2048];
	uint16_t status;

	for (unsigned how = 0; how < 8; how++) {
		power_on();
		start(RX_ALL | RBLEN(how >> 1) | (how & 1 ? RTL8139_RCR_WRAP : 0));
		for (unsigned i = 0; i < 2000; i++) {
			uint32_t len = 60 + i * 37 % 1455;

			ck_assert(receive(fakenet_mac, len, i));
			ck_assert_uint_eq(take(got, &status), len);
			ck_assert_mem_eq(got, fakenet_frame(fakenet_mac, len, i), len);
			ck_assert_uint_eq(in(RTL8139_CR, 1) & 1, 1);
		}
	}
}
END_TEST

static void offer_again(void)
{
	if (receive(fakenet_mac, 1514, 77))
		net.offer = NULL;
}

START_TEST(full_ring_makes_the_back_end_wait)
{
	uint8_t got[2048];
	uint16_t status;
	unsigned frames = 0;

	power_on();
	start(RX_ALL | RBLEN(0));
	while (receive(fakenet_mac, 1514, frames))
		frames++;
	ck_assert_uint_eq(frames, 5);
	ck_assert_uint_eq(in(RTL8139_ISR, 2), RTL8139_ROK);	/* no overflow */
	ck_assert_uint_eq(net.ready, 0);
	net.offer = offer_again;
	ck_assert_uint_eq(take(got, &status), 1514);
	ck_assert_uint_eq(net.ready, 1);
	ck_assert_ptr_null(net.offer);
	for (unsigned i = 1; i < 5; i++) {
		take(got, &status);
		ck_assert_mem_eq(got, fakenet_frame(fakenet_mac, 1514, i), 1514);
	}
	take(got, &status);
	ck_assert_mem_eq(got, fakenet_frame(fakenet_mac, 1514, 77), 1514);
	ck_assert_uint_eq(net.ready, 1);
	/* What waits when the receiver is turned off is not waited for. */
	while (receive(fakenet_mac, 1514, 1))
		;
	net.offer = offer_again;
	out(RTL8139_CR, 1, 0);
	ck_assert_ptr_null(net.offer);
}
END_TEST

static void run_to(uint64_t ns)
{
	fakedev_run(&net.f, ns, (void (*)(void *))rtl8139_timer, &r);
}

/* A driver may acknowledge the interrupt of a frame that it leaves in the ring. */
START_TEST(frames_in_the_ring_are_called_to_mind)
{
	uint8_t got[2048];
	uint16_t status;

	power_on();
	start(RX_ALL | RBLEN(0));
	ck_assert(receive(fakenet_mac, 100, 1));
	ck_assert(receive(fakenet_mac, 100, 2));
	take(got, &status);
	out(RTL8139_ISR, 2, RTL8139_ROK);
	ck_assert_int_eq(net.f.irq, 0);
	run_to(net.f.now + REMINDER_NS);
	ck_assert_uint_eq(in(RTL8139_ISR, 2), RTL8139_ROK);
	ck_assert_int_eq(net.f.irq, 1);
	take(got, &status);
	out(RTL8139_ISR, 2, RTL8139_ROK);
	run_to(net.f.now + 1000000000);
	ck_assert_int_eq(net.f.irq, 0);
	ck_assert_uint_eq(net.f.deadline, DEV_NO_DEADLINE);
	/* Whoever reads nothing is left alone in the end, until he reads again. */
	ck_assert(receive(fakenet_mac, 100, 3));
	ck_assert(receive(fakenet_mac, 100, 4));
	run_to(net.f.now + 1000000000);
	ck_assert_uint_eq(net.f.deadline, DEV_NO_DEADLINE);
	take(got, &status);
	ck_assert_uint_eq(net.f.deadline, net.f.now + REMINDER_NS);
}
END_TEST

START_TEST(ring_without_memory)
{
	power_on();
	start(RX_ALL);
	out(RTL8139_RBSTART, 4, 0xffffff00);
	ck_assert(receive(fakenet_mac, 60, 0));
	ck_assert_uint_eq(in(RTL8139_ISR, 2), RTL8139_RXOVW | RTL8139_RER);
	ck_assert_uint_eq(in(RTL8139_MPC, 4), 1);
	out(RTL8139_MPC, 4, 0);
	ck_assert_uint_eq(in(RTL8139_MPC, 4), 0);
}
END_TEST

START_TEST(address_filter)
{
	static const uint8_t group[6] = { 0x01, 0x00, 0x5e, 0x00, 0x00, 0x01 };
	static const struct { uint32_t rcr; bool own, other, all, group; } table[] = {
		{ 0, false, false, false, false },
		{ RTL8139_RCR_APM, true, false, false, false },
		{ RTL8139_RCR_AAP, true, true, false, false },
		{ RTL8139_RCR_AB, false, false, true, false },
		{ RTL8139_RCR_AM, false, false, false, true },
	};

	for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		const struct { const uint8_t *dest; bool taken; } frames[] = {
			{ fakenet_mac, table[i].own }, { fakenet_other, table[i].other },
			{ fakenet_all, table[i].all }, { group, table[i].group },
		};

		for (unsigned k = 0; k < 4; k++) {
			power_on();
			start(table[i].rcr);
			out(RTL8139_MAR, 4, 0x80000000);	/* the group's bit is 31 */
			ck_assert(receive(frames[k].dest, 60, 0));
			ck_assert_msg((in(RTL8139_ISR, 2) == 1) == frames[k].taken,
				      "rcr %x, frame %u", table[i].rcr, k);
		}
	}
	start(RTL8139_RCR_AM);
	out(RTL8139_MAR, 4, 0x7fffffff);
	ck_assert(receive(group, 60, 0));
	ck_assert_uint_eq(in(RTL8139_ISR, 2), 0);
}
END_TEST

START_TEST(loopback)
{
	uint8_t got[2048];
	uint16_t status;
	unsigned frames = 0;

	power_on();
	start(RX_ALL | RBLEN(0));
	out(RTL8139_TCR, 4, RTL8139_TCR_LBK);
	put_tx(0, fakenet_frame(fakenet_mac, 300, 3), 300);
	ck_assert_uint_eq(net.nsent, 0);
	ck_assert_uint_eq(in(RTL8139_ISR, 2), RTL8139_ROK | RTL8139_TOK);
	ck_assert_uint_eq(take(got, &status), 300);
	ck_assert_mem_eq(got, fakenet_frame(fakenet_mac, 300, 3), 300);
	ck_assert(receive(fakenet_mac, 60, 0));		/* from outside: not heard */
	ck_assert_uint_eq(in(RTL8139_CR, 1) & 1, 1);
	/* A full ring loses the frame. */
	out(RTL8139_ISR, 2, 0xffff);
	while (!(in(RTL8139_ISR, 2) & RTL8139_RXOVW)) {
		put_tx(++frames % 4, fakenet_frame(fakenet_mac, 1514, 3), 1514);
		ck_assert_uint_lt(frames, 10);
	}
	ck_assert_uint_eq(in(RTL8139_MPC, 4), 1);
}
END_TEST

FAKEDEV_MAIN("rtl8139", identity_and_reset_state, registers_of_any_width, timer_counts_at_33_mhz,
	     eeprom, transmits_in_turn, bad_descriptors_are_aborted,
	     transmitter_waits_for_the_back_end, receives_into_the_ring, ring_wraps,
	     full_ring_makes_the_back_end_wait,
	     frames_in_the_ring_are_called_to_mind, ring_without_memory, address_filter, loopback)
