/* SPDX-License-Identifier: BSD-2-Clause */
/* virtio-net at its registers: a small driver (legacy and virtio-1) against the chip. */
#include "fakenet.h"

#include "devemu/virtio_net.h"

static struct fakenet net;
static struct virtio_net n;

/* Guest memory: the rings of queue q, then buffers of 2 KiB. */
#define RINGS(q) (0x4000u + 0x4000u * (q))
#define BUF(i) (0x20000u + 0x800u * (i))

enum { RX = VIRTIO_NET_RX, TX = VIRTIO_NET_TX };
enum { NEXT = 1, WRITE = 2 };
#define COMMON(at) (VIRTIO_COMMON + (at))

static struct {
	uint32_t desc, avail, used;
	unsigned num;
	uint16_t idx;
} q[2];
static uint32_t hdr;			/* its length */

static uint32_t in(unsigned reg, unsigned size)
{
	return virtio_net_in(&n, reg, size);
}

static void out(unsigned reg, unsigned size, uint32_t v)
{
	virtio_net_out(&n, reg, size, v);
}

static void power_on(uint16_t mtu)
{
	fakenet_init(&net);
	virtio_net_init(&n, &net.f.s, fakenet_mac, mtu);
}

static void w16(uint32_t at, unsigned v)
{
	net.ram[at] = (uint8_t)v;
	net.ram[at + 1] = (uint8_t)(v >> 8);
}

static uint16_t r16(uint32_t at)
{
	return (uint16_t)(net.ram[at] | net.ram[at + 1] << 8);
}

static uint32_t r32(uint32_t at)
{
	return r16(at) | (uint32_t)r16(at + 2) << 16;
}

static void legacy_start(uint32_t features)
{
	out(18, 1, 0);
	out(18, 1, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER);
	out(4, 4, features);
	hdr = features & VIRTIO_NET_F_MRG_RXBUF ? 12 : 10;
	for (unsigned i = 0; i < 2; i++) {
		out(14, 2, i);
		q[i].num = in(12, 2);
		q[i].idx = 0;
		q[i].desc = RINGS(i);
		q[i].avail = q[i].desc + 16 * q[i].num;
		q[i].used = (q[i].avail + 4 + 2 * q[i].num + 2 + 4095) & ~4095u;
		out(8, 4, RINGS(i) / 4096);
	}
	out(18, 1, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_DRIVER_OK);
}

static void modern_start(uint64_t features)
{
	const unsigned status = COMMON(20);

	features |= VIRTIO_F_VERSION_1;
	hdr = 12;
	out(status, 1, 0);
	out(status, 1, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER);
	for (unsigned i = 0; i < 2; i++) {
		out(COMMON(8), 4, i);
		out(COMMON(12), 4, (uint32_t)(features >> (32 * i)));
	}
	out(status, 1, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK);
	ck_assert_uint_eq(in(status, 1) & VIRTIO_FEATURES_OK, VIRTIO_FEATURES_OK);
	for (unsigned i = 0; i < 2; i++) {
		q[i].num = 8;
		q[i].idx = 0;
		q[i].desc = RINGS(i);
		q[i].avail = RINGS(i) + 0x1000;
		q[i].used = RINGS(i) + 0x2000;
		out(COMMON(22), 2, i);
		out(COMMON(24), 2, q[i].num);
		out(COMMON(32), 4, q[i].desc);
		out(COMMON(40), 4, q[i].avail);
		out(COMMON(48), 4, q[i].used);
		out(COMMON(28), 2, 1);
	}
	out(status, 1, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK |
	    VIRTIO_DRIVER_OK);
}

static void put_desc(unsigned queue, unsigned i, uint64_t addr, uint32_t len, unsigned flags,
		     unsigned next)
{
	uint32_t at = q[queue].desc + 16 * i;

	memcpy(net.ram + at, &addr, 8);
	memcpy(net.ram + at + 8, &len, 4);
	w16(at + 12, flags);
	w16(at + 14, next);
}

static void offer(unsigned queue, unsigned head)
{
	w16(q[queue].avail + 4 + 2 * (q[queue].idx % q[queue].num), head);
	w16(q[queue].avail + 2, ++q[queue].idx);
}

static void kick(unsigned queue)
{
	out(16, 2, queue);
}

static uint16_t used_idx(unsigned queue)
{
	return r16(q[queue].used + 2);
}

/* Field 0 (id) or 1 (len) of the i-th used element. */
static uint32_t used_elem(unsigned queue, unsigned i, unsigned field)
{
	return r32(q[queue].used + 4 + 8 * (i % q[queue].num) + 4 * field);
}

/* A receive buffer: descriptor and memory i. */
static void put_buffer(unsigned i, uint32_t len)
{
	memset(net.ram + BUF(i), 0xee, 0x800);
	put_desc(RX, i, BUF(i), len, WRITE, 0);
	offer(RX, i);
}

/* A frame to be sent, header and data in one descriptor. */
static void put_frame(unsigned i, const uint8_t *frame, uint32_t len)
{
	memset(net.ram + BUF(i), 0, hdr);
	memcpy(net.ram + BUF(i) + hdr, frame, len);
	put_desc(TX, i, BUF(i), hdr + len, 0, 0);
	offer(TX, i);
}

static bool receive(uint32_t len, unsigned seed)
{
	return virtio_net_net_receive(&n, fakenet_frame(fakenet_mac, len, seed), len);
}

START_TEST(identity_and_configuration)
{
	power_on(0);
	ck_assert_uint_eq(pci_function_get(&n.virtio.pci, 0, 4), 0x10001af4);
	ck_assert_uint_eq(pci_function_get(&n.virtio.pci, PCI_SUBSYS_DEVICE, 2), 1);
	ck_assert_uint_eq(pci_function_get(&n.virtio.pci, PCI_CLASS, 3), 0x020000);
	/* No offload is offered that is not done. */
	ck_assert_uint_eq(in(0, 4), VIRTIO_NET_F_MAC | VIRTIO_NET_F_STATUS |
			  VIRTIO_NET_F_MRG_RXBUF | VIRTIO_F_ANY_LAYOUT | VIRTIO_F_INDIRECT_DESC |
			  VIRTIO_F_EVENT_IDX);
	for (unsigned i = 0; i < 6; i++)
		ck_assert_uint_eq(in(VIRTIO_CONFIG + i, 1), fakenet_mac[i]);
	ck_assert_uint_eq(in(VIRTIO_LEGACY_CONFIG + VIRTIO_NET_STATUS, 2), 1);
	out(VIRTIO_CONFIG + VIRTIO_NET_STATUS, 2, 0);
	ck_assert_uint_eq(in(VIRTIO_CONFIG + VIRTIO_NET_STATUS, 2), 1);
	ck_assert_uint_eq(in(COMMON(18), 2), 2);
	power_on(9000);
	ck_assert_uint_eq(in(0, 4) & VIRTIO_NET_F_MTU, VIRTIO_NET_F_MTU);
	ck_assert_uint_eq(in(VIRTIO_CONFIG + VIRTIO_NET_MTU, 2), 9000);
}
END_TEST

/* The header's length follows from the features (5.1.6.1). */
START_TEST(transmits)
{
	for (unsigned how = 0; how < 3; how++) {
		power_on(0);
		if (how == 2)
			modern_start(0);
		else
			legacy_start(how ? VIRTIO_NET_F_MRG_RXBUF : 0);
		put_frame(0, fakenet_frame(fakenet_other, 1514, 1), 1514);
		put_frame(1, fakenet_frame(fakenet_other, 60, 2), 60);
		kick(TX);
		ck_assert_uint_eq(net.nsent, 2);
		ck_assert_uint_eq(net.sent[0].len, 1514);
		ck_assert_mem_eq(net.sent[0].data, fakenet_frame(fakenet_other, 1514, 1), 1514);
		ck_assert_uint_eq(net.sent[1].len, 60);
		ck_assert_uint_eq(used_idx(TX), 2);
		ck_assert_uint_eq(used_elem(TX, 1, 0), 1);
		ck_assert_uint_eq(used_elem(TX, 1, 1), 0);
		ck_assert_int_eq(net.f.irq, 1);
		ck_assert_uint_eq(in(19, 1), VIRTIO_ISR_QUEUE);
		ck_assert_int_eq(net.f.irq, 0);
	}
}
END_TEST

/* NetBSD 7's driver sets its queues up before it says what features it takes. */
START_TEST(features_behind_queues)
{
	const uint32_t table = BUF(4);

	power_on(0);
	legacy_start(0);
	out(4, 4, VIRTIO_F_INDIRECT_DESC);
	put_frame(0, fakenet_frame(fakenet_other, 60, 1), 60);
	memcpy(net.ram + table, net.ram + q[TX].desc, 16);
	put_desc(TX, 0, table, 16, 4, 0);
	kick(TX);
	ck_assert_uint_eq(net.nsent, 1);
	ck_assert_uint_eq(net.sent[0].len, 60);
	ck_assert_uint_eq(used_idx(TX), 1);
}
END_TEST

START_TEST(header_and_data_may_be_cut_anywhere)
{
	const uint8_t *frame = fakenet_frame(fakenet_other, 100, 1);

	power_on(0);
	modern_start(0);
	memcpy(net.ram + BUF(0) + 12, frame, 100);
	put_desc(TX, 0, BUF(0), 5, NEXT, 1);
	put_desc(TX, 1, BUF(0) + 5, 7 + 1, NEXT, 2);
	put_desc(TX, 2, BUF(0) + 13, 99, 0, 0);
	offer(TX, 0);
	kick(TX);
	ck_assert_uint_eq(net.sent[0].len, 100);
	ck_assert_mem_eq(net.sent[0].data, frame, 100);
	/* What is no frame is done with, and nothing else. */
	put_frame(0, frame, 13);
	put_frame(1, frame, 0);
	kick(TX);
	ck_assert_uint_eq(net.nsent, 1);
	ck_assert_uint_eq(used_idx(TX), 3);
}
END_TEST

START_TEST(transmit_queue_waits_for_the_back_end)
{
	power_on(0);
	modern_start(0);
	net.refuse = true;
	for (unsigned i = 0; i < 4; i++)
		put_frame(i, fakenet_frame(fakenet_other, 60 + i, 1), 60 + i);
	kick(TX);
	ck_assert_uint_eq(used_idx(TX), 0);
	kick(TX);
	virtio_net_net_sendable(&n);
	ck_assert_uint_eq(used_idx(TX), 0);
	net.refuse = false;
	virtio_net_net_sendable(&n);
	ck_assert_uint_eq(net.nsent, 4);
	ck_assert_uint_eq(used_idx(TX), 4);
	for (unsigned i = 0; i < 4; i++)
		ck_assert_uint_eq(net.sent[i].len, 60 + i);
	/* A reset forgets what waits. */
	net.refuse = true;
	put_frame(0, fakenet_frame(fakenet_other, 60, 1), 60);
	kick(TX);
	out(COMMON(20), 1, 0);
	net.refuse = false;
	virtio_net_net_sendable(&n);
	ck_assert_uint_eq(net.nsent, 4);
}
END_TEST

START_TEST(receives)
{
	static const uint8_t header[12] = { [10] = 1 };

	for (unsigned how = 0; how < 3; how++) {
		power_on(0);
		if (how == 2)
			modern_start(0);
		else
			legacy_start(how ? VIRTIO_NET_F_MRG_RXBUF : 0);
		put_buffer(3, 1600);
		put_buffer(4, 1600);
		kick(RX);
		ck_assert(receive(1514, 5));
		ck_assert_uint_eq(used_idx(RX), 1);
		ck_assert_uint_eq(used_elem(RX, 0, 0), 3);
		ck_assert_uint_eq(used_elem(RX, 0, 1), hdr + 1514);
		ck_assert_mem_eq(net.ram + BUF(3), header, hdr);
		ck_assert_mem_eq(net.ram + BUF(3) + hdr, fakenet_frame(fakenet_mac, 1514, 5), 1514);
		ck_assert_uint_eq(net.ram[BUF(3) + hdr + 1514], 0xee);
		ck_assert_uint_ge(net.wrote_bytes, hdr + 1514);
		ck_assert_int_eq(net.f.irq, 1);
	}
}
END_TEST

START_TEST(frame_takes_several_buffers)
{
	uint8_t got[2048];

	power_on(0);
	modern_start(VIRTIO_NET_F_MRG_RXBUF);
	for (unsigned i = 0; i < 4; i++)
		put_buffer(i, i == 3 ? 5 : 500);
	/* 12 + 1400: 500 + 500 + 412 */
	ck_assert(receive(1400, 9));
	ck_assert_uint_eq(used_idx(RX), 3);
	ck_assert_uint_eq(used_elem(RX, 2, 1), 412);
	ck_assert_uint_eq(r16(BUF(0) + 10), 3);
	memcpy(got, net.ram + BUF(0) + 12, 488);
	memcpy(got + 488, net.ram + BUF(1), 500);
	memcpy(got + 988, net.ram + BUF(2), 412);
	ck_assert_mem_eq(got, fakenet_frame(fakenet_mac, 1400, 9), 1400);
	/* What is left is too little: nothing of it is touched. */
	put_desc(RX, 3, BUF(3), 100, WRITE, 0);
	ck_assert(!receive(1400, 9));
	ck_assert_uint_eq(used_idx(RX), 3);
	ck_assert_uint_eq(net.ram[BUF(3)], 0xee);
	put_buffer(4, 0x800);
	kick(RX);
	ck_assert_uint_eq(net.ready, 1);
	ck_assert(receive(1400, 9));
	ck_assert_uint_eq(used_idx(RX), 5);
	ck_assert_uint_eq(used_elem(RX, 4, 1), 1312);
}
END_TEST

START_TEST(frame_that_never_fits_is_dropped)
{
	power_on(0);
	modern_start(0);
	put_buffer(0, 500);
	ck_assert(receive(1400, 9));
	ck_assert_uint_eq(used_idx(RX), 0);
	ck_assert(receive(400, 9));
	ck_assert_uint_eq(used_idx(RX), 1);
}
END_TEST

static void offer_again(void)
{
	if (receive(60, 77))
		net.offer = NULL;
}

START_TEST(no_buffers_makes_the_back_end_wait)
{
	power_on(0);
	ck_assert(receive(60, 1));		/* no driver: nobody to wait for */
	modern_start(VIRTIO_F_EVENT_IDX);
	ck_assert(!receive(60, 1));
	/* The driver is to tell when it makes the next buffer available. */
	ck_assert_uint_eq(r16(q[RX].used + 4 + 8 * q[RX].num), q[RX].idx);
	net.offer = offer_again;
	kick(TX);
	put_buffer(0, 1600);
	ck_assert_uint_eq(used_idx(RX), 0);
	kick(RX);
	ck_assert_ptr_null(net.offer);
	ck_assert_uint_eq(used_idx(RX), 1);
	net.ready = 0;
	kick(RX);
	ck_assert_uint_eq(net.ready, 0);
	ck_assert(!receive(60, 1));
	net.offer = offer_again;
	out(COMMON(20), 1, 0);			/* reset: it is taken and forgotten */
	ck_assert_ptr_null(net.offer);
}
END_TEST

/* With event_idx a batch costs one interrupt and no notifications. */
START_TEST(event_idx_saves_interrupts)
{
	power_on(0);
	modern_start(VIRTIO_F_EVENT_IDX);
	for (unsigned i = 0; i < 8; i++)
		put_buffer(i, 1600);
	w16(q[RX].avail + 4 + 2 * q[RX].num, 3);	/* used_event */
	for (unsigned i = 0; i < 8; i++) {
		ck_assert(receive(60, i));
		ck_assert_int_eq(net.f.irq, i >= 3);
	}
	ck_assert_uint_eq(net.f.edges, 1);
	ck_assert_uint_eq(r16(q[RX].used + 4 + 8 * q[RX].num), 0);	/* avail_event */
}
END_TEST

static bool broken(void)
{
	return in(COMMON(20), 1) & VIRTIO_NEEDS_RESET;
}

START_TEST(bad_chains_break_the_device)
{
	for (unsigned how = 0; how < 6; how++) {
		power_on(0);
		modern_start(0);
		switch (how) {
		case 0:				/* no room for a header */
			put_buffer(0, 11);
			break;
		case 1:				/* a buffer to be read */
			put_desc(RX, 0, BUF(0), 1600, 0, 0);
			offer(RX, 0);
			break;
		case 2:				/* not memory */
			put_desc(RX, 0, 0xfffff000, 1600, WRITE, 0);
			offer(RX, 0);
			break;
		case 3:				/* a frame to be written */
			put_desc(TX, 0, BUF(0), 100, WRITE, 0);
			offer(TX, 0);
			break;
		case 4:				/* shorter than its header */
			put_desc(TX, 0, BUF(0), 11, 0, 0);
			offer(TX, 0);
			break;
		case 5:				/* a loop */
			put_desc(TX, 0, BUF(0), 100, NEXT, 0);
			offer(TX, 0);
			break;
		}
		kick(TX);
		ck_assert(receive(60, 1) || how >= 3);
		ck_assert_msg(broken(), "case %u", how);
		ck_assert_uint_eq(net.nsent, 0);
		ck_assert(receive(60, 1));	/* nobody waits for a broken device */
		out(COMMON(20), 1, 0);
		ck_assert(!broken());
	}
}
END_TEST

START_TEST(rings_wrap)
{
	power_on(0);
	modern_start(0);
	for (unsigned i = 0; i < 70000; i++) {
		put_buffer(i % 8, 1600);
		ck_assert(receive(60, i));
		ck_assert_uint_eq(used_idx(RX), (i + 1) & 0xffff);
		put_frame(i % 8, fakenet_frame(fakenet_other, 60, i), 60);
		net.nsent = 0;
		kick(TX);
		ck_assert_uint_eq(net.nsent, 1);
	}
}
END_TEST

FAKEDEV_MAIN("virtio_net", identity_and_configuration, transmits,
	     features_behind_queues, header_and_data_may_be_cut_anywhere,
	     transmit_queue_waits_for_the_back_end, receives,
	     frame_takes_several_buffers, frame_that_never_fits_is_dropped,
	     no_buffers_makes_the_back_end_wait, event_idx_saves_interrupts,
	     bad_chains_break_the_device, rings_wrap)
