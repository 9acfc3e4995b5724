/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An IDE channel under test: guest memory, up to two drives on one backing store that
 * answers at once or when told to, and what a driver does.
 */
#ifndef LILYVM_TESTS_IDE_MACHINE_H
#define LILYVM_TESTS_IDE_MACHINE_H

#include "fakedev.h"

#include "devemu/ide.h"

#define RAM_SIZE 0x80000u
#define DISK_SIZE 0x100000u
#define SECTORS (DISK_SIZE / 512)
#define ERRORS_NONE UINT64_MAX

/* Guest memory. */
#define PRDS 0x1000u
#define DATA 0x10000u

static struct fakedev f;		/* the channel's */
static struct dev_services drive_services;
static struct ide_channel c;
static uint8_t ram[RAM_SIZE];
static uint8_t disk[DISK_SIZE];

/* The host's side. */
static bool async;			/* requests wait for complete() */
static uint64_t bad_sector;		/* requests that touch it fail */
static struct dev_block_request *pending[2];
static unsigned npending, requests, flushes, drains;
static uint64_t wrote_bytes;		/* by dma_wrote */

static inline void *ram_at(void *ctx, uint64_t gpa, uint32_t len)
{
	(void)ctx;
	return gpa <= RAM_SIZE && len <= RAM_SIZE - gpa ? ram + gpa : NULL;
}

static inline void ram_wrote(void *ctx, uint64_t gpa, uint32_t len)
{
	ck_assert_ptr_nonnull(ram_at(ctx, gpa, len));
	wrote_bytes += len;
}

static inline void carry_out(struct dev_block_request *r)
{
	uint64_t at = r->offset, bytes = 0;

	for (unsigned i = 0; i < r->iovcnt; i++)
		bytes += r->iov[i].len;
	ck_assert_uint_le(at + bytes, DISK_SIZE);
	ck_assert_uint_eq(at % 512, 0);
	r->result = r->op != DEV_BLOCK_FLUSH && bad_sector * 512 >= at &&
		    bad_sector * 512 < at + bytes ? 5 : 0;
	flushes += r->op == DEV_BLOCK_FLUSH;
	for (unsigned i = 0; i < r->iovcnt && !r->result; at += r->iov[i++].len) {
		if (r->op == DEV_BLOCK_READ)
			memcpy(r->iov[i].base, disk + at, r->iov[i].len);
		else
			memcpy(disk + at, r->iov[i].base, r->iov[i].len);
	}
	ide_block_done(&c, r);
}

static inline void block(void *ctx, struct dev_block_request *r)
{
	(void)ctx;
	requests++;
	if (!async) {
		carry_out(r);
		return;
	}
	ck_assert_uint_lt(npending, 2);
	pending[npending++] = r;
}

static inline void complete(void)
{
	struct dev_block_request *r = pending[0];

	ck_assert_uint_gt(npending, 0);
	pending[0] = pending[--npending];
	carry_out(r);
}

static inline void block_drain(void *ctx)
{
	(void)ctx;
	drains++;
	while (npending)
		complete();
}

/* A channel without drives, a disk with a pattern in every sector. */
static inline void power_on(void)
{
	fakedev_init(&f);
	drive_services = (struct dev_services){
		.dma = ram_at, .dma_wrote = ram_wrote, .block = block, .block_drain = block_drain,
	};
	memset(ram, 0, sizeof(ram));
	for (unsigned i = 0; i < DISK_SIZE; i++)
		disk[i] = (uint8_t)(i / 512 * 7 + i);
	async = false;
	bad_sector = ERRORS_NONE;
	npending = requests = flushes = drains = 0;
	wrote_bytes = 0;
	ide_init(&c, &f.s);
}

static inline void attach(unsigned unit, enum ide_kind kind, uint64_t size, bool readonly)
{
	ide_attach(&c, unit, &drive_services, kind, size, readonly, "serial-1");
}

/* The driver's side. */

static inline uint8_t in(unsigned reg)
{
	return (uint8_t)ide_in(&c, reg, 1);
}

static inline void out(unsigned reg, uint8_t v)
{
	ide_out(&c, reg, 1, v);
}

static inline uint8_t status(void)
{
	return in(IDE_CONTROL);
}

/* The interrupt came, and reading the status takes it back. */
static inline void expect_irq(void)
{
	ck_assert_int_eq(f.irq, 1);
	in(IDE_STATUS);
	ck_assert_int_eq(f.irq, 0);
}

/* Address and count of a command, 28 bits; drive 0. */
static inline void address(uint32_t lba, uint8_t count)
{
	out(IDE_NSECTOR, count);
	out(IDE_LBA_LOW, (uint8_t)lba);
	out(IDE_LBA_MID, (uint8_t)(lba >> 8));
	out(IDE_LBA_HIGH, (uint8_t)(lba >> 16));
	out(IDE_DEVICE, (uint8_t)(IDE_DEVICE_LBA | (lba >> 24 & 15)));
}

static inline void address48(uint64_t lba, uint16_t count)
{
	out(IDE_NSECTOR, (uint8_t)(count >> 8));
	out(IDE_LBA_LOW, (uint8_t)(lba >> 24));
	out(IDE_LBA_MID, (uint8_t)(lba >> 32));
	out(IDE_LBA_HIGH, (uint8_t)(lba >> 40));
	address((uint32_t)lba & 0xffffff, (uint8_t)count);
}

static inline void command(uint8_t v)
{
	out(IDE_STATUS, v);
}

/* A command that moves no data, feature and count given. */
static inline uint8_t simple(uint8_t v, uint8_t feature, uint8_t count)
{
	out(IDE_ERROR, feature);
	out(IDE_NSECTOR, count);
	command(v);
	expect_irq();
	return status();
}

static inline void read_data(uint8_t *to, unsigned n)
{
	for (unsigned i = 0; i < n; i += 2) {
		uint16_t v = (uint16_t)ide_in(&c, IDE_DATA, 2);

		memcpy(to + i, &v, 2);
	}
}

static inline void write_data(const uint8_t *from, unsigned n)
{
	for (unsigned i = 0; i < n; i += 2) {
		uint16_t v;

		memcpy(&v, from + i, 2);
		ide_out(&c, IDE_DATA, 2, v);
	}
}

static inline uint16_t word(const uint8_t *identify, unsigned n)
{
	return (uint16_t)(identify[2 * n] | identify[2 * n + 1] << 8);
}

/* Descriptor i: n bytes (0: 64 KiB) at gpa. */
static inline void prd(unsigned i, uint32_t gpa, uint16_t n, bool last)
{
	uint32_t count = n | (last ? 0x80000000u : 0);

	memcpy(ram + PRDS + 8 * i, &gpa, 4);
	memcpy(ram + PRDS + 8 * i + 4, &count, 4);
}

static inline void dma_start(bool to_memory)
{
	ide_bm_out(&c, 4, 4, PRDS);
	ide_bm_out(&c, 2, 1, IDE_BM_INT | IDE_BM_ERROR);
	ide_bm_out(&c, 0, 1, to_memory ? IDE_BM_TO_MEMORY : 0);
	ide_bm_out(&c, 0, 1, (to_memory ? IDE_BM_TO_MEMORY : 0) | IDE_BM_START);
}

static inline uint8_t bm_status(void)
{
	return (uint8_t)ide_bm_in(&c, 2, 1);
}

#endif
