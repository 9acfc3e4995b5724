/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio-blk at its registers: a small driver (legacy and virtio-1) against
 * the chip, with a disk of 64 KiB that answers at once or when told to.
 */
#include "fakedev.h"

#include "devemu/virtio_blk.h"

#define RAM_SIZE 0x40000u
#define DISK_SIZE 0x10000u
#define SECTORS (DISK_SIZE / 512)

/* Guest memory: rings, then requests, then data. */
#define RING 0x4000u
#define HDR 0x10000u		/* a header of 16 bytes for each descriptor index */
#define STATUS 0x11000u
#define INDIRECT 0x12000u
#define DATA 0x20000u

enum { NEXT = 1, WRITE = 2, IND = 4 };
enum { IN = VIRTIO_BLK_T_IN, OUT = VIRTIO_BLK_T_OUT, FLUSH = VIRTIO_BLK_T_FLUSH,
       GET_ID = VIRTIO_BLK_T_GET_ID };

static struct fakedev f;
static struct virtio_blk b;
static _Alignas(4096) uint8_t ram[RAM_SIZE];
static uint8_t disk[DISK_SIZE];

/* The host's side. */
static bool async;		/* requests wait for complete() */
static int io_error;		/* what reads and writes end with */
static struct dev_block_request *pending[64];
static unsigned npending, flushes, drains;
static uint64_t wrote_bytes;	/* by dma_wrote */

/* The driver's side. */
static uint32_t desc, avail, used;
static unsigned num;
static uint16_t avail_idx;

static void *dma(void *ctx, uint64_t gpa, uint32_t len)
{
	(void)ctx;
	return gpa <= RAM_SIZE && len <= RAM_SIZE - gpa ? ram + gpa : NULL;
}

static void dma_wrote(void *ctx, uint64_t gpa, uint32_t len)
{
	ck_assert_ptr_nonnull(dma(ctx, gpa, len));
	wrote_bytes += len;
}

static void carry_out(struct dev_block_request *r)
{
	uint64_t at = r->offset;

	flushes += r->op == DEV_BLOCK_FLUSH;
	r->result = r->op == DEV_BLOCK_FLUSH ? 0 : io_error;
	for (unsigned i = 0; i < r->iovcnt && !r->result; at += r->iov[i++].len) {
		ck_assert_uint_le(at + r->iov[i].len, DISK_SIZE);
		if (r->op == DEV_BLOCK_READ)
			memcpy(r->iov[i].base, disk + at, r->iov[i].len);
		else
			memcpy(disk + at, r->iov[i].base, r->iov[i].len);
	}
	virtio_blk_block_done(&b, r);
}

static void block(void *ctx, struct dev_block_request *r)
{
	(void)ctx;
	if (async) {
		ck_assert_uint_lt(npending, 64);
		pending[npending++] = r;
	} else {
		carry_out(r);
	}
}

/* Completes pending request i. */
static void complete(unsigned i)
{
	struct dev_block_request *r = pending[i];

	memmove(&pending[i], &pending[i + 1], (--npending - i) * sizeof(pending[0]));
	carry_out(r);
}

static void block_drain(void *ctx)
{
	(void)ctx;
	drains++;
	while (npending)
		complete(0);
}

static void power_on(bool readonly)
{
	fakedev_init(&f);
	f.s.dma = dma;
	f.s.dma_wrote = dma_wrote;
	f.s.block = block;
	f.s.block_drain = block_drain;
	memset(ram, 0, sizeof(ram));
	for (unsigned i = 0; i < DISK_SIZE; i++)
		disk[i] = (uint8_t)(i / 512 + i);
	async = false;
	io_error = 0;
	npending = flushes = drains = 0;
	wrote_bytes = 0;
	avail_idx = 0;
	virtio_blk_init(&b, &f.s, DISK_SIZE, readonly, "lilyvm-disk0");
}

static uint32_t in(unsigned reg, unsigned size)
{
	return virtio_blk_in(&b, reg, size);
}

static void out(unsigned reg, unsigned size, uint32_t v)
{
	virtio_blk_out(&b, reg, size, v);
}

static void w16(uint32_t at, uint16_t v)
{
	memcpy(ram + at, &v, 2);
}

static void w32(uint32_t at, uint32_t v)
{
	memcpy(ram + at, &v, 4);
}

static uint16_t r16(uint32_t at)
{
	uint16_t v;

	memcpy(&v, ram + at, 2);
	return v;
}

static uint32_t r32(uint32_t at)
{
	uint32_t v;

	memcpy(&v, ram + at, 4);
	return v;
}

static void put_desc(uint32_t table, unsigned i, uint64_t addr, uint32_t len, unsigned flags,
		     unsigned next)
{
	memcpy(ram + table + 16 * i, &addr, 8);
	w32(table + 16 * i + 8, len);
	w16(table + 16 * i + 12, (uint16_t)flags);
	w16(table + 16 * i + 14, (uint16_t)next);
}

static uint8_t status(unsigned head)
{
	return ram[STATUS + head];
}

/* As virtio 0.9.5, 2.2.1 tells. */
static void legacy_start(uint32_t features)
{
	out(18, 1, 0);
	out(18, 1, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER);
	out(4, 4, features);
	out(14, 2, 0);
	num = in(12, 2);
	desc = RING;
	avail = desc + 16 * num;
	used = (avail + 4 + 2 * num + 2 + 4095) & ~4095u;
	out(8, 4, RING / 4096);
	out(18, 1, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_DRIVER_OK);
}

#define COMMON(at) (VIRTIO_COMMON + (at))
#define MODERN_STATUS COMMON(20)

/* As virtio 1.1, 3.1.1 tells, with a queue of n entries whose areas lie at a[0..3). */
static void modern_start_at(uint64_t features, unsigned n, const uint64_t a[3])
{
	features |= VIRTIO_F_VERSION_1;
	out(MODERN_STATUS, 1, 0);
	out(MODERN_STATUS, 1, VIRTIO_ACKNOWLEDGE);
	out(MODERN_STATUS, 1, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER);
	for (unsigned i = 0; i < 2; i++) {
		out(COMMON(8), 4, i);
		out(COMMON(12), 4, (uint32_t)(features >> (32 * i)));
	}
	out(MODERN_STATUS, 1, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK);
	ck_assert_uint_eq(in(MODERN_STATUS, 1) & VIRTIO_FEATURES_OK, VIRTIO_FEATURES_OK);
	num = n;
	desc = (uint32_t)a[0];
	avail = (uint32_t)a[1];
	used = (uint32_t)a[2];
	out(COMMON(22), 2, 0);
	ck_assert_uint_eq(in(COMMON(24), 2), VIRTIO_BLK_QUEUE_SIZE);
	out(COMMON(24), 2, n);
	for (unsigned i = 0; i < 6; i++)
		out(COMMON(32 + 4 * i), 4, (uint32_t)(a[i / 2] >> (32 * (i & 1))));
	out(COMMON(28), 2, 1);
	out(MODERN_STATUS, 1, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK |
	    VIRTIO_DRIVER_OK);
}

/* In three pieces that are aligned no better than they must be. */
static void modern_start(uint64_t features, unsigned n)
{
	static const uint64_t areas[3] = { RING + 0x10, RING + 0x1802, RING + 0x2c04 };

	modern_start_at(features, n, areas);
}

static void put_header(unsigned head, uint32_t type, uint64_t sector)
{
	w32(HDR + 16 * head, type);
	memcpy(ram + HDR + 16 * head + 8, &sector, 8);
	ram[STATUS + head] = 0xaa;
}

/* Three descriptors from head on; without data two. */
static void put_request(unsigned head, uint32_t type, uint64_t sector, uint32_t data,
			uint32_t len)
{
	unsigned i = head;

	put_header(head, type, sector);
	put_desc(desc, i, HDR + 16 * head, 16, NEXT, (i + 1) % num);
	i = (i + 1) % num;
	if (len) {
		put_desc(desc, i, data, len, NEXT | (type == OUT ? 0 : WRITE), (i + 1) % num);
		i = (i + 1) % num;
	}
	put_desc(desc, i, STATUS + head, 1, WRITE, 0);
}

static void offer(unsigned head)
{
	w16(avail + 4 + 2 * (avail_idx % num), (uint16_t)head);
	w16(avail + 2, ++avail_idx);
}

static void kick(void)
{
	out(16, 2, 0);
}

static uint8_t request(uint32_t type, uint64_t sector, uint32_t data, uint32_t len)
{
	put_request(0, type, sector, data, len);
	offer(0);
	kick();
	return status(0);
}

static uint16_t used_idx(void)
{
	return r16(used + 2);
}

/* Field 0 (id) or 1 (len) of the used element that was put there n-th. */
static uint32_t used_elem(unsigned n, unsigned field)
{
	return r32(used + 4 + 8 * (n % num) + 4 * field);
}

START_TEST(identity_and_configuration)
{
	power_on(false);
	ck_assert_uint_eq(pci_function_get(&b.virtio.pci, PCI_VENDOR, 4), 0x10011af4);
	ck_assert_uint_eq(pci_function_get(&b.virtio.pci, PCI_SUBSYS_VENDOR, 4), 0x00021af4);
	ck_assert_uint_eq(in(0, 4) & 0x30000a64, 0x30000a44);
	for (unsigned at = VIRTIO_LEGACY_CONFIG; at;
	     at = at == VIRTIO_CONFIG ? 0 : VIRTIO_CONFIG) {
		ck_assert_uint_eq(in(at + VIRTIO_BLK_CAPACITY, 4), SECTORS);
		ck_assert_uint_eq(in(at + VIRTIO_BLK_CAPACITY + 4, 4), 0);
		ck_assert_uint_eq(in(at + VIRTIO_BLK_SEG_MAX, 4), 126);
		ck_assert_uint_eq(in(at + VIRTIO_BLK_BLK_SIZE, 4), 512);
		ck_assert_uint_eq(in(at + VIRTIO_BLK_BLK_SIZE + 1, 1), 2);
		out(at + VIRTIO_BLK_CAPACITY, 4, 0);
		ck_assert_uint_eq(in(at + VIRTIO_BLK_CAPACITY, 1), SECTORS);
	}
	out(COMMON(0), 4, 1);
	ck_assert_uint_eq(in(COMMON(4), 4), 1);		/* VERSION_1 */
	out(COMMON(0), 4, 2);
	ck_assert_uint_eq(in(COMMON(4), 4), 0);
	ck_assert_uint_eq(in(COMMON(18), 2), 1);
	power_on(true);
	ck_assert_uint_eq(in(0, 4) & VIRTIO_BLK_F_RO, VIRTIO_BLK_F_RO);
}
END_TEST

START_TEST(capabilities_describe_the_structures)
{
	static const struct { uint8_t type, len; uint32_t offset, length; } expect[] = {
		{ 1, 16, VIRTIO_COMMON, 56 }, { 3, 16, VIRTIO_ISR, 1 },
		{ 4, 16, VIRTIO_CONFIG, 64 }, { 2, 20, VIRTIO_NOTIFY, 2 }, { 5, 20, 0, 0 },
	};
	const uint8_t *config = b.virtio.pci.config;
	unsigned at, n = 0;

	power_on(false);
	ck_assert_uint_eq(config[PCI_STATUS] & PCI_STATUS_CAPS, PCI_STATUS_CAPS);
	for (at = config[PCI_CAPABILITIES]; at; at = config[at + 1], n++) {
		ck_assert_uint_lt(n, 5);
		ck_assert_uint_eq(at % 4, 0);
		ck_assert_uint_eq(config[at], 9);
		ck_assert_uint_eq(config[at + 2], expect[n].len);
		ck_assert_uint_eq(config[at + 3], expect[n].type);
		ck_assert_uint_eq(config[at + 4], 0);
		ck_assert_uint_eq(pci_function_get(&b.virtio.pci, at + 8, 4), expect[n].offset);
		ck_assert_uint_eq(pci_function_get(&b.virtio.pci, at + 12, 4), expect[n].length);
		ck_assert_uint_le(expect[n].offset + expect[n].length, VIRTIO_BAR_SIZE);
	}
	ck_assert_uint_eq(n, 5);
}
END_TEST

static void nothing(void *ctx, unsigned irq, int level)
{
	(void)ctx;
	(void)irq;
	(void)level;
}

/* On a bus: BAR 0 and the PCI configuration access window (virtio 1.1, 4.1.4.9). */
START_TEST(reachable_over_the_bus)
{
	const struct pci_services services = { .irq = nothing };
	const unsigned cap = 0x84;
	static struct pci pci;
	uint32_t v;

	power_on(false);
	pci_init(&pci, &services);
	ck_assert(pci_attach(&pci, PCI_DEVFN(2, 0), &b.virtio.pci, &virtio_blk_pci_ops, &b));
	pci_assign(&pci);
	ck_assert(pci_io_in(&pci, 0xc000 + VIRTIO_LEGACY_CONFIG, 2, &v));
	ck_assert_uint_eq(v, SECTORS);
	ck_assert(pci_io_out(&pci, 0xc000 + MODERN_STATUS, 1, VIRTIO_ACKNOWLEDGE));
	ck_assert_uint_eq(in(18, 1), VIRTIO_ACKNOWLEDGE);

	ck_assert_uint_eq(b.virtio.pci.config[cap + 3], 5);
	pci_out(&pci, 0, 4, 0x80001000 | (cap + 8));
	pci_out(&pci, 4, 4, MODERN_STATUS);
	pci_out(&pci, 0, 4, 0x80001000 | (cap + 12));
	pci_out(&pci, 4, 4, 1);
	pci_out(&pci, 0, 4, 0x80001000 | (cap + 16));
	ck_assert_uint_eq(pci_in(&pci, 4, 1), VIRTIO_ACKNOWLEDGE);
	pci_out(&pci, 4, 1, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER);
	ck_assert_uint_eq(in(18, 1), VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER);
	/* Bad lengths and places do nothing. */
	pci_out(&pci, 0, 4, 0x80001000 | (cap + 12));
	pci_out(&pci, 4, 4, 3);
	pci_out(&pci, 0, 4, 0x80001000 | (cap + 16));
	pci_out(&pci, 4, 4, 0);
	pci_out(&pci, 0, 4, 0x80001000 | (cap + 12));
	pci_out(&pci, 4, 4, 4);
	pci_out(&pci, 0, 4, 0x80001000 | (cap + 8));
	pci_out(&pci, 4, 4, 0xfffffffc);
	pci_out(&pci, 0, 4, 0x80001000 | (cap + 16));
	pci_out(&pci, 4, 4, 0);
	ck_assert_uint_eq(in(18, 1), VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER);
}
END_TEST

START_TEST(legacy_reads_and_writes)
{
	power_on(false);
	legacy_start((uint32_t)VIRTIO_BLK_F_FLUSH);
	ck_assert_uint_eq(in(8, 4), RING / 4096);
	ck_assert_uint_eq(request(IN, 3, DATA, 1024), VIRTIO_BLK_S_OK);
	ck_assert_mem_eq(ram + DATA, disk + 3 * 512, 1024);
	ck_assert_uint_eq(used_idx(), 1);
	ck_assert_uint_eq(used_elem(0, 0), 0);
	ck_assert_uint_eq(used_elem(0, 1), 1025);
	ck_assert_uint_ge(wrote_bytes, 1025);
	memset(ram + DATA, 0x77, 512);
	ck_assert_uint_eq(request(OUT, SECTORS - 1, DATA, 512), VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(disk[DISK_SIZE - 1], 0x77);
	ck_assert_uint_ne(disk[DISK_SIZE - 513], 0x77);
	ck_assert_uint_eq(used_elem(1, 1), 1);
	ck_assert_uint_eq(flushes, 0);
	ck_assert_uint_eq(request(FLUSH, 0, 0, 0), VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(flushes, 1);
	ck_assert_uint_eq(request(GET_ID, 0, DATA, 20), VIRTIO_BLK_S_OK);
	ck_assert_str_eq((char *)ram + DATA, "lilyvm-disk0");
	ck_assert_uint_eq(used_elem(3, 1), 21);
}
END_TEST

START_TEST(modern_reads_and_writes)
{
	power_on(false);
	modern_start(VIRTIO_BLK_F_FLUSH, 8);
	ck_assert_uint_eq(in(COMMON(28), 2), 1);
	ck_assert_uint_eq(in(COMMON(40), 4), avail);
	put_request(0, IN, 7, DATA, 512);
	offer(0);
	out(VIRTIO_NOTIFY, 2, 0);
	ck_assert_uint_eq(status(0), VIRTIO_BLK_S_OK);
	ck_assert_mem_eq(ram + DATA, disk + 7 * 512, 512);
	/* Set up for good: no more changes while it is enabled. */
	out(COMMON(24), 2, 4);
	out(COMMON(32), 4, 0);
	ck_assert_uint_eq(in(COMMON(24), 2), 8);
	ck_assert_uint_eq(in(COMMON(32), 4), desc);
	out(COMMON(22), 2, 1);				/* there is no second queue */
	ck_assert_uint_eq(in(COMMON(24), 2), 0);
	ck_assert_uint_eq(in(COMMON(28), 2), 0);
	out(COMMON(28), 2, 1);
	out(VIRTIO_NOTIFY, 2, 1);
	ck_assert_uint_eq(in(COMMON(16), 2), 0xffff);	/* no MSI-X */
}
END_TEST

START_TEST(features_are_refused)
{
	power_on(false);
	out(MODERN_STATUS, 1, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER);
	out(COMMON(8), 4, 0);
	out(COMMON(12), 4, (uint32_t)VIRTIO_BLK_F_RO);	/* not offered */
	out(COMMON(8), 4, 1);
	out(COMMON(12), 4, 1);
	out(MODERN_STATUS, 1, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK);
	ck_assert_uint_eq(in(MODERN_STATUS, 1), VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER);
	out(COMMON(8), 4, 0);
	out(COMMON(12), 4, 0);
	out(COMMON(8), 4, 1);
	out(COMMON(12), 4, 0);				/* not even VERSION_1 */
	out(MODERN_STATUS, 1, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK);
	ck_assert_uint_eq(in(MODERN_STATUS, 1), VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER);
	out(COMMON(12), 4, 1);
	out(MODERN_STATUS, 1, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK);
	ck_assert_uint_eq(in(MODERN_STATUS, 1) & VIRTIO_FEATURES_OK, VIRTIO_FEATURES_OK);
	out(COMMON(8), 4, 0);
	out(COMMON(12), 4, 0xffffffff);			/* too late */
	ck_assert_uint_eq(in(COMMON(12), 4), 0);
}
END_TEST

START_TEST(rings_wrap)
{
	power_on(false);
	modern_start(0, 4);
	for (unsigned i = 0; i < 70000; i++) {
		ram[STATUS + i % 4] = 0xaa;
		put_request(i % 4, IN, i % SECTORS, DATA, 512);
		offer(i % 4);
		kick();
		ck_assert_uint_eq(status(i % 4), VIRTIO_BLK_S_OK);
		ck_assert_uint_eq(used_idx(), (i + 1) & 0xffff);
		ck_assert_uint_eq(used_elem(i, 0), i % 4);
		ck_assert_uint_eq(ram[DATA], disk[i % SECTORS * 512]);
	}
}
END_TEST

START_TEST(interrupts_follow_isr)
{
	power_on(false);
	legacy_start(0);
	request(IN, 0, DATA, 512);
	ck_assert_int_eq(f.irq, 1);
	ck_assert_uint_eq(in(19, 1), VIRTIO_ISR_QUEUE);
	ck_assert_int_eq(f.irq, 0);
	ck_assert_uint_eq(in(19, 1), 0);
	w16(avail, 1);			/* NO_INTERRUPT */
	request(IN, 0, DATA, 512);
	ck_assert_int_eq(f.irq, 0);
	w16(avail, 0);
	request(IN, 0, DATA, 512);
	ck_assert_uint_eq(in(VIRTIO_ISR, 1), VIRTIO_ISR_QUEUE);
	ck_assert_int_eq(f.irq, 0);
}
END_TEST

START_TEST(event_idx_saves_interrupts_and_notifications)
{
	const uint32_t features = (uint32_t)VIRTIO_F_EVENT_IDX;

	power_on(false);
	legacy_start(features);
	w16(avail + 4 + 2 * num, 1);	/* used_event: when the second one is done */
	request(IN, 0, DATA, 512);
	ck_assert_int_eq(f.irq, 0);
	ck_assert_uint_eq(r16(used + 4 + 8 * num), 1);	/* avail_event */
	request(IN, 0, DATA, 512);
	ck_assert_int_eq(f.irq, 1);
	ck_assert_uint_eq(r16(used + 4 + 8 * num), 2);
	in(19, 1);
	request(IN, 0, DATA, 512);
	ck_assert_int_eq(f.irq, 0);
}
END_TEST

START_TEST(indirect_descriptors)
{
	power_on(false);
	modern_start(VIRTIO_F_INDIRECT_DESC, 4);
	/* At an odd address, in scattered order, longer than the queue. */
	const uint32_t table = INDIRECT + 3;

	put_header(0, IN, 2);
	put_desc(table, 0, HDR, 16, NEXT, 9);
	put_desc(table, 1, STATUS, 1, WRITE, 0);
	for (unsigned i = 2; i < 10; i++)
		put_desc(table, i, DATA + 64 * (9 - i), 64, NEXT | WRITE, i - 1);
	put_desc(desc, 3, table, 10 * 16, IND, 0);
	offer(3);
	kick();
	ck_assert_uint_eq(status(0), VIRTIO_BLK_S_OK);
	ck_assert_mem_eq(ram + DATA, disk + 1024, 512);
	ck_assert_uint_eq(used_elem(0, 0), 3);
	ck_assert_uint_eq(used_elem(0, 1), 513);
}
END_TEST

/* virtio 1.1, 2.6.4: the device relies on no division into descriptors. */
START_TEST(any_layout)
{
	power_on(false);
	modern_start(VIRTIO_BLK_F_FLUSH, 8);
	memset(ram + DATA, 0x99, 512);
	put_header(0, OUT, 5);
	memcpy(ram + DATA - 6, ram + HDR + 10, 6);
	put_desc(desc, 0, HDR, 7, NEXT, 1);
	put_desc(desc, 1, HDR + 7, 3, NEXT, 2);
	put_desc(desc, 2, DATA - 6, 6 + 100, NEXT, 3);	/* end of the header, data */
	put_desc(desc, 3, DATA + 100, 412, NEXT, 4);
	put_desc(desc, 4, STATUS, 1, WRITE, 0);
	offer(0);
	kick();
	ck_assert_uint_eq(status(0), VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(disk[5 * 512], 0x99);
	ck_assert_uint_eq(disk[5 * 512 + 511], 0x99);
	ck_assert_uint_ne(disk[6 * 512], 0x99);
	/* Data and status in one descriptor. */
	put_header(0, IN, 9);
	put_desc(desc, 0, HDR, 16, NEXT, 1);
	put_desc(desc, 1, DATA, 513, WRITE, 0);
	offer(0);
	kick();
	ck_assert_mem_eq(ram + DATA, disk + 9 * 512, 512);
	ck_assert_uint_eq(ram[DATA + 512], VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(used_idx(), 2);
}
END_TEST

START_TEST(bad_requests_get_an_error_status)
{
	power_on(false);
	legacy_start(0);
	ck_assert_uint_eq(request(IN, SECTORS, DATA, 512), VIRTIO_BLK_S_IOERR);
	ck_assert_uint_eq(request(IN, SECTORS - 1, DATA, 1024), VIRTIO_BLK_S_IOERR);
	ck_assert_uint_eq(request(IN, UINT64_MAX, DATA, 512), VIRTIO_BLK_S_IOERR);
	ck_assert_uint_eq(request(IN, 0x80000000000000, DATA, 512), VIRTIO_BLK_S_IOERR);
	ck_assert_uint_eq(request(OUT, 0, DATA, 100), VIRTIO_BLK_S_IOERR);
	ck_assert_uint_eq(request(2, 0, DATA, 512), VIRTIO_BLK_S_UNSUPP);
	ck_assert_uint_eq(request(0x80000000, 0, 0, 0), VIRTIO_BLK_S_UNSUPP);
	ck_assert_uint_eq(used_elem(0, 1), 1);
	ck_assert_uint_eq(used_idx(), 7);
	io_error = 5;
	ck_assert_uint_eq(request(IN, 0, DATA, 512), VIRTIO_BLK_S_IOERR);
	io_error = 0;
	ck_assert_uint_eq(request(IN, 0, DATA, 512), VIRTIO_BLK_S_OK);
	power_on(true);
	legacy_start(0);
	ck_assert_uint_eq(request(OUT, 0, DATA, 512), VIRTIO_BLK_S_IOERR);
	ck_assert_uint_eq(disk[1], 1);
	ck_assert_uint_eq(request(IN, 0, DATA, 512), VIRTIO_BLK_S_OK);
}
END_TEST

START_TEST(writes_are_durable_without_a_flush_command)
{
	power_on(false);
	legacy_start(0);		/* a driver that knows no FLUSH */
	ck_assert_uint_eq(request(OUT, 0, DATA, 512), VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(flushes, 1);
	ck_assert_uint_eq(request(IN, 0, DATA, 512), VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(flushes, 1);
	io_error = 5;
	ck_assert_uint_eq(request(OUT, 0, DATA, 512), VIRTIO_BLK_S_IOERR);
	ck_assert_uint_eq(flushes, 1);

	power_on(false);
	modern_start(VIRTIO_BLK_F_FLUSH | VIRTIO_BLK_F_CONFIG_WCE, 8);
	ck_assert_uint_eq(in(VIRTIO_CONFIG + VIRTIO_BLK_WRITEBACK, 1), 1);
	request(OUT, 0, DATA, 512);
	ck_assert_uint_eq(flushes, 0);
	out(VIRTIO_CONFIG + VIRTIO_BLK_WRITEBACK, 1, 0);
	request(OUT, 0, DATA, 512);
	ck_assert_uint_eq(flushes, 1);
}
END_TEST

START_TEST(requests_complete_out_of_order)
{
	power_on(false);
	modern_start(0, 128);
	async = true;
	for (unsigned i = 0; i < 3; i++) {
		put_request(3 * i, IN, i, DATA + 512 * i, 512);
		offer(3 * i);
	}
	kick();
	ck_assert_uint_eq(npending, 3);
	ck_assert_uint_eq(used_idx(), 0);
	ck_assert_int_eq(f.irq, 0);
	complete(2);
	ck_assert_int_eq(f.irq, 1);
	complete(0);
	complete(0);
	ck_assert_uint_eq(used_idx(), 3);
	ck_assert_uint_eq(used_elem(0, 0), 6);
	ck_assert_uint_eq(used_elem(1, 0), 0);
	ck_assert_uint_eq(used_elem(2, 0), 3);
	ck_assert_mem_eq(ram + DATA, disk, 3 * 512);
}
END_TEST

START_TEST(more_requests_than_slots)
{
	const unsigned n = 42;

	power_on(false);
	modern_start(0, 128);
	async = true;
	for (unsigned i = 0; i < n; i++) {
		put_request(3 * i, IN, i, DATA + 512 * i, 512);
		offer(3 * i);
	}
	kick();
	ck_assert_uint_eq(npending, VIRTIO_BLK_SLOTS);
	for (unsigned i = 0; i < n; i++)
		complete(0);
	ck_assert_uint_eq(npending, 0);
	ck_assert_uint_eq(used_idx(), n);
	ck_assert_mem_eq(ram + DATA, disk, n * 512);
}
END_TEST

START_TEST(reset_waits_for_and_forgets_requests)
{
	for (unsigned how = 0; how < 4; how++) {
		power_on(false);
		modern_start(0, 8);
		async = true;
		put_request(0, IN, 0, DATA, 512);
		offer(0);
		kick();
		ck_assert_uint_eq(npending, 1);
		switch (how) {
		case 0:
			out(MODERN_STATUS, 1, 0);
			break;
		case 1:
			out(18, 1, 0);
			break;
		case 2:
			out(8, 4, 0);
			break;
		case 3:
			virtio_blk_reset(&b);
			break;
		}
		ck_assert_uint_eq(drains, 1);
		ck_assert_uint_eq(npending, 0);
		/* No answer, no interrupt. */
		ck_assert_uint_eq(status(0), 0xaa);
		ck_assert_uint_eq(used_idx(), 0);
		ck_assert_int_eq(f.irq, 0);
		ck_assert_uint_eq(in(18, 1), 0);
		ck_assert_uint_eq(in(COMMON(28), 2), 0);
		/* And the device works again. */
		async = false;
		avail_idx = 0;
		memset(ram + RING, 0, 0x4000);
		modern_start(0, 8);
		ck_assert_uint_eq(request(IN, 0, DATA, 512), VIRTIO_BLK_S_OK);
		ck_assert_uint_eq(drains, 1);
	}
}
END_TEST

static void no_drain(void *ctx)
{
	(void)ctx;
}

/* Should a host hand back late what was under way, it disturbs nothing. */
START_TEST(late_completions_are_dropped)
{
	power_on(false);
	f.s.block_drain = no_drain;
	modern_start(0, 8);
	async = true;
	put_request(0, IN, 0, DATA, 512);
	offer(0);
	kick();
	out(MODERN_STATUS, 1, 0);
	avail_idx = 0;
	memset(ram + RING, 0, 0x4000);
	modern_start(0, 8);
	put_request(3, IN, 1, DATA, 512);
	offer(3);
	kick();
	ck_assert_uint_eq(npending, 2);
	complete(0);
	ck_assert_uint_eq(used_idx(), 0);
	complete(0);
	ck_assert_uint_eq(used_idx(), 1);
	ck_assert_uint_eq(used_elem(0, 0), 3);
}
END_TEST

/* The device must have stopped, and told so; a reset brings it back. */
static void expect_broken(const char *what)
{
	ck_assert_msg(in(MODERN_STATUS, 1) & VIRTIO_NEEDS_RESET, "%s", what);
	ck_assert_int_eq(f.irq, 1);
	ck_assert_uint_eq(in(VIRTIO_ISR, 1) & VIRTIO_ISR_CONFIG, VIRTIO_ISR_CONFIG);
	ck_assert_int_eq(f.irq, 0);
	memset(ram + RING, 0, 0x4000);
	w16(avail + 2, 1);
	kick();
	ck_assert_uint_eq(used_idx(), 0);
	memset(ram + RING, 0, 0x4000);
	avail_idx = 0;
	modern_start(VIRTIO_F_INDIRECT_DESC, 8);
	ck_assert_uint_eq(in(MODERN_STATUS, 1) & VIRTIO_NEEDS_RESET, 0);
	ck_assert_uint_eq(request(IN, 0, DATA, 512), VIRTIO_BLK_S_OK);
	out(VIRTIO_ISR, 1, 0);
	in(VIRTIO_ISR, 1);
	memset(ram + RING, 0, 0x4000);
	avail_idx = 0;
	modern_start(VIRTIO_F_INDIRECT_DESC, 8);
}

static void expect_broken_chain(const char *what)
{
	offer(0);
	kick();
	expect_broken(what);
}

START_TEST(hostile_rings_stop_the_device)
{
	power_on(false);
	modern_start(VIRTIO_F_INDIRECT_DESC, 8);

	w16(avail + 2, 9);
	kick();
	expect_broken("available index too far ahead");

	offer(8);
	kick();
	expect_broken("head out of range");

	put_request(0, IN, 0, DATA, 512);
	put_desc(desc, 0, HDR, 16, NEXT, 8);
	expect_broken_chain("next out of range");

	put_desc(desc, 0, HDR, 16, NEXT, 0);
	expect_broken_chain("loop of one");

	put_desc(desc, 0, HDR, 16, NEXT, 1);
	put_desc(desc, 1, DATA, 0, NEXT, 0);
	expect_broken_chain("loop with an empty descriptor");

	put_request(0, IN, 0, RAM_SIZE - 256, 512);
	expect_broken_chain("data beyond RAM");

	put_request(0, IN, 0, 0xfffffff0, 0xffffffff);
	expect_broken_chain("huge data");

	put_desc(desc, 0, UINT64_MAX - 3, 16, NEXT, 1);
	put_desc(desc, 1, STATUS, 1, WRITE, 0);
	expect_broken_chain("address wraps");

	put_desc(desc, 0, HDR, 16, NEXT, 1);
	put_desc(desc, 1, STATUS, 1, WRITE | NEXT, 2);
	put_desc(desc, 2, DATA, 512, 0, 0);
	expect_broken_chain("readable after writable");

	put_desc(desc, 0, HDR, 15, NEXT, 1);
	put_desc(desc, 1, STATUS, 1, WRITE, 0);
	expect_broken_chain("short header");

	put_desc(desc, 0, HDR, 16, 0, 0);
	expect_broken_chain("no status byte");

	put_desc(desc, 0, STATUS, 1, WRITE, 0);
	expect_broken_chain("no header");

	put_desc(desc, 0, HDR, 0, 0, 0);
	expect_broken_chain("nothing at all");
}
END_TEST

START_TEST(hostile_indirect_tables_stop_the_device)
{
	power_on(false);
	modern_start(VIRTIO_F_INDIRECT_DESC, 8);

	put_desc(desc, 0, INDIRECT, 0, IND, 0);
	expect_broken_chain("empty table");

	put_desc(desc, 0, INDIRECT, 17, IND, 0);
	expect_broken_chain("table of one and a bit");

	put_desc(desc, 0, RAM_SIZE - 16, 32, IND, 0);
	expect_broken_chain("table beyond RAM");

	put_desc(desc, 0, 0, 0xfffffff0, IND, 0);
	expect_broken_chain("huge table");

	put_desc(INDIRECT, 0, HDR, 16, NEXT, 1);
	put_desc(INDIRECT, 1, STATUS, 1, WRITE, 0);
	put_desc(desc, 0, INDIRECT, 32, IND | NEXT, 1);
	expect_broken_chain("table and next");

	put_desc(INDIRECT, 0, INDIRECT, 32, IND, 0);
	put_desc(desc, 0, INDIRECT, 32, IND, 0);
	expect_broken_chain("table in a table");

	put_desc(INDIRECT, 0, HDR, 16, NEXT, 2);
	put_desc(desc, 0, INDIRECT, 32, IND, 0);
	expect_broken_chain("next out of the table");

	/* More pieces than fit a request. */
	for (unsigned i = 0; i < 200; i++)
		put_desc(INDIRECT, i, HDR, 1, NEXT, i + 1);
	put_desc(desc, 0, INDIRECT, 200 * 16, IND, 0);
	expect_broken_chain("too many pieces");

	modern_start(0, 8);
	put_desc(INDIRECT, 0, HDR, 16, NEXT, 1);
	put_desc(INDIRECT, 1, STATUS, 1, WRITE, 0);
	put_desc(desc, 0, INDIRECT, 32, IND, 0);
	expect_broken_chain("indirect was not negotiated");
}
END_TEST

START_TEST(hostile_queue_addresses_stop_the_device)
{
	const uint64_t d = RING, a = RING + 0x1000, u = RING + 0x2000;
	const uint64_t bad[][3] = {
		{ RAM_SIZE - 64, a, u }, { UINT64_MAX - 15, a, u }, { d + 8, a, u },
		{ d, a + 1, u }, { d, RAM_SIZE - 8, u }, { d, a | 1ull << 63, u },
		{ d, a, u + 2 }, { d, a, RAM_SIZE - 8 }, { d, a, UINT64_MAX - 3 },
	};

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		power_on(false);
		modern_start_at(0, 8, bad[i]);
		desc = (uint32_t)d;
		avail = (uint32_t)a;
		request(IN, 0, DATA, 512);
		ck_assert_msg(in(MODERN_STATUS, 1) & VIRTIO_NEEDS_RESET, "case %u", i);
	}
	power_on(false);
	legacy_start(0);
	out(18, 1, 0);
	out(8, 4, 0xffffffff);
	kick();
	ck_assert_uint_eq(in(18, 1) & VIRTIO_NEEDS_RESET, VIRTIO_NEEDS_RESET);
}
END_TEST

/* A used ring that lies on the available ring makes each answer look like one
 * more request: the device must come back from a notification all the same. */
START_TEST(overlapping_rings_end)
{
	const uint64_t areas[3] = { RING, RING + 0x1000, RING + 0x1000 };

	power_on(false);
	modern_start_at(0, 8, areas);
	put_request(0, GET_ID, 0, DATA, 20);
	offer(0);
	kick();
	ck_assert_uint_eq(status(0), VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(used_idx(), 1);
}
END_TEST

START_TEST(queue_setup_is_checked)
{
	power_on(false);
	out(COMMON(24), 2, 0);
	ck_assert_uint_eq(in(COMMON(24), 2), 128);
	out(COMMON(24), 2, 3);
	ck_assert_uint_eq(in(COMMON(24), 2), 128);
	out(COMMON(24), 2, 256);
	ck_assert_uint_eq(in(COMMON(24), 2), 128);
	kick();				/* nothing set up */
	out(COMMON(22), 2, 0xffff);
	ck_assert_uint_eq(in(12, 2), 0);
	out(8, 4, 1);
	ck_assert_uint_eq(in(8, 4), 0);
	out(COMMON(32), 4, 1);
	ck_assert_uint_eq(in(COMMON(32), 4), 0);
	for (unsigned reg = 0; reg < VIRTIO_BAR_SIZE; reg++)
		for (unsigned size = 1; size <= 4; size *= 2)
			in(reg, size);
	ck_assert_uint_eq(in(0x60, 2), 0xffff);
}
END_TEST

FAKEDEV_MAIN("virtio_blk", identity_and_configuration, capabilities_describe_the_structures,
	     reachable_over_the_bus, legacy_reads_and_writes, modern_reads_and_writes,
	     features_are_refused, rings_wrap, interrupts_follow_isr,
	     event_idx_saves_interrupts_and_notifications, indirect_descriptors, any_layout,
	     bad_requests_get_an_error_status, writes_are_durable_without_a_flush_command,
	     requests_complete_out_of_order, more_requests_than_slots,
	     reset_waits_for_and_forgets_requests, late_completions_are_dropped,
	     hostile_rings_stop_the_device, hostile_indirect_tables_stop_the_device,
	     hostile_queue_addresses_stop_the_device, overlapping_rings_end,
	     queue_setup_is_checked)
