/* SPDX-License-Identifier: BSD-2-Clause */
/* An IDE channel with ATA disks, at its registers. */
#include "ide_machine.h"

#define READY (IDE_DRDY | IDE_DSC)

static uint8_t buf[DISK_SIZE];

static void one_disk(void)
{
	power_on();
	attach(0, IDE_DISK, DISK_SIZE, false);
}

static void identify(uint8_t id[512])
{
	command(0xec);
	ck_assert_uint_eq(status(), READY | IDE_DRQ);
	expect_irq();
	read_data(id, 512);
	ck_assert_uint_eq(status(), READY);
	ck_assert_int_eq(f.irq, 0);
}

/* Reads n sectors by PIO, waiting for an interrupt before each block. */
static void pio_in(uint8_t *to, unsigned n, unsigned per_block)
{
	for (unsigned i = 0; i < n; i += per_block) {
		unsigned k = n - i < per_block ? n - i : per_block;

		expect_irq();
		ck_assert_uint_eq(status(), READY | IDE_DRQ);
		read_data(to + 512 * i, 512 * k);
	}
	ck_assert_uint_eq(status(), READY);
	ck_assert_int_eq(f.irq, 0);
}

/* The first block comes without an interrupt (ATA/ATAPI-6, 9.6). */
static void pio_out(const uint8_t *from, unsigned n, unsigned per_block)
{
	for (unsigned i = 0; i < n; i += per_block) {
		unsigned k = n - i < per_block ? n - i : per_block;

		if (i)
			expect_irq();
		ck_assert_int_eq(f.irq, 0);
		ck_assert_uint_eq(status(), READY | IDE_DRQ);
		write_data(from + 512 * i, 512 * k);
	}
	expect_irq();
	ck_assert_uint_eq(status(), READY);
}

static void ck_failed(uint8_t error)
{
	expect_irq();
	ck_assert_uint_eq(status() & (IDE_BSY | IDE_DRQ | IDE_ERR), IDE_ERR);
	ck_assert_uint_eq(in(IDE_ERROR), error);
}

static void ck_sectors(const uint8_t *got, unsigned first, unsigned n)
{
	ck_assert_int_eq(memcmp(got, disk + 512 * first, 512 * n), 0);
}

START_TEST(nobody)
{
	power_on();
	for (unsigned reg = IDE_ERROR; reg < IDE_REGS; reg++) {
		if (reg != IDE_CONTROL)
			out(reg, 0xa5);
		ck_assert_uint_eq(in(reg), 0);
	}
	ck_assert_uint_eq(ide_in(&c, IDE_DATA, 2), 0);
	ide_out(&c, IDE_DATA, 2, 1);
	ck_assert_int_eq(f.irq, 0);
	/* The second drive is not there: the first shows the device register. */
	attach(0, IDE_DISK, DISK_SIZE, false);
	out(IDE_DEVICE, IDE_DEVICE_1);
	out(IDE_NSECTOR, 0x55);
	ck_assert_uint_eq(in(IDE_DEVICE), 0xb0);
	ck_assert_uint_eq(in(IDE_NSECTOR), 0);
	ck_assert_uint_eq(in(IDE_STATUS), 0);
	command(0xec);
	ck_assert_int_eq(f.irq, 0);
}
END_TEST

START_TEST(signature)
{
	static const uint8_t disk_signature[] = { 1, 1, 1, 0, 0, 0xa0, READY };
	static const uint8_t cd_signature[] = { 1, 1, 1, 0x14, 0xeb, 0xa0, 0 };

	power_on();
	attach(0, IDE_DISK, DISK_SIZE, false);
	attach(1, IDE_CDROM, DISK_SIZE, true);
	for (int how = 0; how < 3; how++) {
		out(IDE_DEVICE, IDE_DEVICE_1 | 5);
		out(IDE_LBA_LOW, 0x33);
		if (how == 0) {
			ide_reset(&c);
		} else if (how == 1) {
			out(IDE_CONTROL, IDE_CONTROL_SRST);
			ck_assert_uint_eq(status(), IDE_BSY);
			command(0xec);
			out(IDE_CONTROL, 0);
			ck_assert_int_eq(f.irq, 0);
		} else {
			command(0x90);	/* EXECUTE DEVICE DIAGNOSTIC: to both */
			expect_irq();
		}
		for (unsigned reg = 1; reg < 8; reg++)
			ck_assert_uint_eq(in(reg), disk_signature[reg - 1]);
		out(IDE_DEVICE, IDE_DEVICE_1);
		ck_assert_uint_eq(in(IDE_DEVICE), 0xb0);
		for (unsigned reg = 1; reg < 8; reg++)
			if (reg != IDE_DEVICE)
				ck_assert_uint_eq(in(reg), cd_signature[reg - 1]);
	}
}
END_TEST

START_TEST(identification)
{
	uint8_t id[512];

	power_on();
	attach(0, IDE_DISK, 200 * 1008 * 512, false);
	identify(id);
	ck_assert_uint_eq(word(id, 0), 0x0040);
	ck_assert_uint_eq(word(id, 1), 200);
	ck_assert_uint_eq(word(id, 3), 16);
	ck_assert_uint_eq(word(id, 6), 63);
	ck_assert_int_eq(memcmp(id + 20, "esirla1-            ", 8), 0);
	ck_assert_int_eq(memcmp(id + 54, "iLylMVd si k", 12), 0);
	ck_assert_uint_eq(word(id, 47), 0x8010);
	ck_assert_uint_eq(word(id, 49) & 0x0b00, 0x0b00);
	ck_assert_uint_eq(word(id, 53), 7);
	ck_assert_uint_eq(word(id, 54), 200);
	ck_assert_uint_eq(word(id, 55), 16);
	ck_assert_uint_eq(word(id, 56), 63);
	ck_assert_uint_eq(word(id, 57) | word(id, 58) << 16, 200 * 1008);
	ck_assert_uint_eq(word(id, 59), 0);
	ck_assert_uint_eq(word(id, 60) | word(id, 61) << 16, 200 * 1008);
	ck_assert_uint_eq(word(id, 83) & 0xc400, 0x4400);
	ck_assert_uint_eq(word(id, 85) & 0x20, 0x20);
	ck_assert_uint_eq(word(id, 100) | word(id, 101) << 16, 200 * 1008);
	/* Larger than 28 bits can tell. */
	attach(0, IDE_DISK, 0x123456789ull * 512, false);
	identify(id);
	ck_assert_uint_eq(word(id, 1), 16383);
	ck_assert_uint_eq(word(id, 60) | word(id, 61) << 16, 0x0fffffff);
	ck_assert_uint_eq(word(id, 100), 0x6789);
	ck_assert_uint_eq(word(id, 101), 0x2345);
	ck_assert_uint_eq(word(id, 102), 1);
	command(0xa1);			/* IDENTIFY PACKET DEVICE */
	ck_failed(IDE_ABRT);
}
END_TEST

static const struct { uint8_t command; uint32_t lba; uint16_t count; bool wide; } reads[] = {
	{ 0x20, 0, 1, false }, { 0x21, 5, 3, false }, { 0x20, SECTORS - 1, 1, false },
	{ 0x20, 100, 0, false }, { 0x24, 7, 300, true }, { 0x24, 0, SECTORS, true },
	{ 0xc4, 9, 1, false }, { 0xc4, 9, 8, false }, { 0xc4, 9, 21, false },
	{ 0x29, 9, 300, true }, { 0xc4, 0, 0, false },
};

START_TEST(pio_read)
{
	unsigned n = reads[_i].count ? reads[_i].count : 256, block = 1;

	one_disk();
	if (reads[_i].command == 0xc4 || reads[_i].command == 0x29) {
		ck_assert_uint_eq(simple(0xc6, 0, 8), READY);
		block = 8;
	}
	if (reads[_i].wide)
		address48(reads[_i].lba, reads[_i].count);
	else
		address(reads[_i].lba, (uint8_t)reads[_i].count);
	command(reads[_i].command);
	pio_in(buf, n, block);
	ck_sectors(buf, reads[_i].lba, n);
}
END_TEST

static const struct { uint8_t command; uint32_t lba; uint16_t count; bool wide; } writes[] = {
	{ 0x30, 0, 1, false }, { 0x31, 5, 3, false }, { 0x30, SECTORS - 1, 1, false },
	{ 0x30, 100, 0, false }, { 0x34, 7, 300, true }, { 0xc5, 9, 1, false },
	{ 0xc5, 9, 21, false }, { 0x39, 9, 300, true },
};

START_TEST(pio_write)
{
	static uint8_t before[DISK_SIZE];
	unsigned n = writes[_i].count ? writes[_i].count : 256, block = 1;
	unsigned first = 512 * writes[_i].lba, end = first + 512 * n;

	one_disk();
	memcpy(before, disk, DISK_SIZE);
	for (unsigned i = 0; i < 512 * n; i++)
		buf[i] = (uint8_t)(i * 31 + i / 512);
	if (writes[_i].command == 0xc5 || writes[_i].command == 0x39) {
		ck_assert_uint_eq(simple(0xc6, 0, 16), READY);
		block = 16;
	}
	if (writes[_i].wide)
		address48(writes[_i].lba, writes[_i].count);
	else
		address(writes[_i].lba, (uint8_t)writes[_i].count);
	command(writes[_i].command);
	pio_out(buf, n, block);
	ck_assert_int_eq(memcmp(disk, before, first), 0);
	ck_assert_int_eq(memcmp(disk + first, buf, 512 * n), 0);
	ck_assert_int_eq(memcmp(disk + end, before + end, DISK_SIZE - end), 0);
	ck_assert_uint_eq(flushes, 0);
}
END_TEST

/* The data port takes accesses of any size; what is over moves nothing. */
START_TEST(data_sizes)
{
	one_disk();
	for (unsigned size = 1; size <= 4; size *= 2) {
		address(3, 1);
		command(0x20);
		for (unsigned i = 0; i < 512; i += size) {
			uint32_t v = ide_in(&c, IDE_DATA, size);

			memcpy(buf + i, &v, size);
		}
		ck_sectors(buf, 3, 1);
		ck_assert_uint_eq(status(), READY);
		ck_assert_uint_eq(ide_in(&c, IDE_DATA, size), 0);
	}
	/* The last access reaches beyond the block. */
	address(4, 2);
	command(0x20);
	ide_in(&c, IDE_DATA, 2);
	for (unsigned i = 2; i < 510; i += 4)
		ide_in(&c, IDE_DATA, 4);
	ck_assert_uint_eq(ide_in(&c, IDE_DATA, 4), disk[5 * 512 - 2] | disk[5 * 512 - 1] << 8);
	read_data(buf, 512);
	ck_sectors(buf, 5, 1);
	/* Data in the wrong direction is ignored. */
	address(6, 1);
	command(0x20);
	ide_out(&c, IDE_DATA, 2, 0xffff);
	read_data(buf, 512);
	ck_sectors(buf, 6, 1);
}
END_TEST

START_TEST(chs)
{
	uint8_t id[512];

	one_disk();
	/* Cylinder 1, head 2, sector 3 of 16 heads, 63 sectors. */
	out(IDE_NSECTOR, 1);
	out(IDE_LBA_LOW, 3);
	out(IDE_LBA_MID, 1);
	out(IDE_LBA_HIGH, 0);
	out(IDE_DEVICE, 2);
	command(0x20);
	pio_in(buf, 1, 1);
	ck_sectors(buf, (16 + 2) * 63 + 2, 1);
	/* INITIALIZE DEVICE PARAMETERS: 4 heads, 17 sectors. */
	out(IDE_DEVICE, 3);
	ck_assert_uint_eq(simple(0x91, 0, 17), READY);
	out(IDE_NSECTOR, 1);
	out(IDE_LBA_LOW, 3);
	out(IDE_DEVICE, 2);
	command(0x20);
	pio_in(buf, 1, 1);
	ck_sectors(buf, (4 + 2) * 17 + 2, 1);
	identify(id);
	ck_assert_uint_eq(word(id, 54), SECTORS / 68);
	ck_assert_uint_eq(word(id, 55), 4);
	ck_assert_uint_eq(word(id, 56), 17);
	/* What is not there. */
	out(IDE_DEVICE, 4);
	command(0x20);
	ck_failed(IDE_IDNF);
	out(IDE_DEVICE, 0);
	out(IDE_LBA_LOW, 0);
	command(0x20);
	ck_failed(IDE_IDNF);
	out(IDE_LBA_LOW, 18);
	command(0x20);
	ck_failed(IDE_IDNF);
	out(IDE_LBA_LOW, 1);
	out(IDE_LBA_HIGH, 0xff);
	command(0x20);
	ck_failed(IDE_IDNF);
	out(IDE_NSECTOR, 0);
	command(0x91);
	ck_failed(IDE_ABRT);
	/* Where a read has failed is told in the same way. */
	bad_sector = (4 + 2) * 17 + 5;
	out(IDE_NSECTOR, 10);
	out(IDE_LBA_LOW, 3);
	out(IDE_LBA_MID, 1);
	out(IDE_LBA_HIGH, 0);
	out(IDE_DEVICE, 2);
	command(0x20);
	for (unsigned i = 0; i < 3; i++)
		read_data(buf, 512);
	ck_failed(IDE_UNC);
	ck_assert_uint_eq(in(IDE_LBA_LOW), 6);
	ck_assert_uint_eq(in(IDE_LBA_MID), 1);
	ck_assert_uint_eq(in(IDE_DEVICE) & 15, 2);
}
END_TEST

/* 48-bit registers are two bytes deep; HOB shows the older one. */
START_TEST(previous_contents)
{
	one_disk();
	for (unsigned reg = 2; reg < 6; reg++) {
		out(reg, (uint8_t)(0x10 + reg));
		out(reg, (uint8_t)(0x20 + reg));
	}
	for (unsigned reg = 2; reg < 6; reg++)
		ck_assert_uint_eq(in(reg), 0x20 + reg);
	out(IDE_CONTROL, IDE_CONTROL_HOB);
	for (unsigned reg = 2; reg < 6; reg++)
		ck_assert_uint_eq(in(reg), 0x10 + reg);
	out(IDE_LBA_LOW, 1);		/* any write to the command block ends it */
	ck_assert_uint_eq(in(IDE_LBA_MID), 0x24);
}
END_TEST

/* READ NATIVE MAX ADDRESS (EXT): Linux 2.4 sizes disks by it. */
START_TEST(native_max)
{
	one_disk();
	out(IDE_DEVICE, IDE_DEVICE_LBA);
	command(0xf8);
	expect_irq();
	ck_assert_uint_eq(status(), READY);
	ck_assert_uint_eq(in(IDE_LBA_LOW) | in(IDE_LBA_MID) << 8 | in(IDE_LBA_HIGH) << 16 |
			  (in(IDE_DEVICE) & 15) << 24, SECTORS - 1);
	for (unsigned reg = 2; reg < 6; reg++)
		out(reg, 0xff);
	command(0x27);
	expect_irq();
	ck_assert_uint_eq(status(), READY);
	ck_assert_uint_eq(in(IDE_LBA_LOW) | in(IDE_LBA_MID) << 8 | in(IDE_LBA_HIGH) << 16,
			  SECTORS - 1);
	out(IDE_CONTROL, IDE_CONTROL_HOB);
	ck_assert_uint_eq(in(IDE_LBA_LOW) | in(IDE_LBA_MID) | in(IDE_LBA_HIGH), 0);
}
END_TEST

START_TEST(out_of_range)
{
	static const uint8_t commands[] = { 0x20, 0x30, 0xc8, 0xca, 0x40, 0x70 };

	one_disk();
	for (unsigned i = 0; i < sizeof(commands); i++) {
		address(SECTORS, 1);
		command(commands[i]);
		ck_failed(IDE_IDNF);
		if (commands[i] == 0x70)
			continue;
		address(SECTORS - 1, 2);
		command(commands[i]);
		ck_failed(IDE_IDNF);
	}
	address48(1ull << 40, 1);
	command(0x24);
	ck_failed(IDE_IDNF);
	ck_assert_uint_eq(requests, 0);
}
END_TEST

START_TEST(dma_read)
{
	one_disk();
	/* Pieces of all sizes; a count of 0 is 64 KiB. */
	prd(0, DATA, 2, false);
	prd(1, DATA + 0x100, 512, false);
	prd(2, DATA + 0x1000, 0, false);
	prd(3, DATA + 0x20000, 0, true);
	address(10, 0);
	command(0xc8);
	ck_assert_uint_eq(status(), IDE_BSY);
	ck_assert_uint_eq(bm_status(), 0);
	dma_start(true);
	ck_assert_uint_eq(bm_status(), IDE_BM_INT | IDE_BM_ACTIVE);	/* there is more room */
	expect_irq();
	ck_assert_uint_eq(status(), READY);
	ck_assert_int_eq(memcmp(ram + DATA, disk + 5120, 2), 0);
	ck_assert_int_eq(memcmp(ram + DATA + 0x100, disk + 5122, 512), 0);
	ck_assert_int_eq(memcmp(ram + DATA + 0x1000, disk + 5634, 0x10000), 0);
	ck_assert_int_eq(memcmp(ram + DATA + 0x20000, disk + 5634 + 0x10000,
				256 * 512 - 514 - 0x10000), 0);
	ck_assert_uint_eq(wrote_bytes, 256 * 512);
	ide_bm_out(&c, 0, 1, 0);
	ck_assert_uint_eq(bm_status(), IDE_BM_INT);
	ide_bm_out(&c, 2, 1, IDE_BM_INT | 0x60);
	ck_assert_uint_eq(bm_status(), 0x60);
}
END_TEST

START_TEST(dma_write)
{
	one_disk();
	for (unsigned i = 0; i < 0x40000; i++)
		ram[DATA + i] = (uint8_t)(i * 13 + i / 512);
	prd(0, DATA, 0, false);
	prd(1, DATA + 0x10000, 0, false);
	prd(2, DATA + 0x20000, 44 * 512, true);
	dma_start(false);		/* may be started before the command */
	address48(20, 300);
	command(0x35);
	expect_irq();
	ck_assert_uint_eq(status(), READY);
	ck_assert_uint_eq(bm_status(), IDE_BM_INT);
	ck_assert_int_eq(memcmp(disk + 20 * 512, ram + DATA, 300 * 512), 0);
	ck_assert_uint_eq(wrote_bytes, 0);
}
END_TEST

/* Descriptors for less than the command moves: no interrupt, not active. */
START_TEST(dma_short)
{
	one_disk();
	prd(0, DATA, 512, true);
	address(1, 2);
	command(0xc8);
	dma_start(true);
	ck_assert_int_eq(f.irq, 0);
	ck_assert_uint_eq(bm_status(), 0);
	ck_assert_uint_eq(status(), IDE_BSY);
	ck_assert_int_eq(memcmp(ram + DATA, disk + 512, 512), 0);
	out(IDE_CONTROL, IDE_CONTROL_SRST);
	out(IDE_CONTROL, 0);
	ck_assert_uint_eq(status(), READY);
	dma_start(true);
	ck_assert_int_eq(f.irq, 0);
}
END_TEST

START_TEST(dma_no_ram)
{
	for (int table = 0; table < 2; table++) {
		one_disk();
		prd(0, RAM_SIZE - 256, 512, true);
		address(1, 1);
		command(0xc8);
		if (table) {
			ide_bm_out(&c, 4, 4, 0xfffffffc);
			ide_bm_out(&c, 0, 1, IDE_BM_TO_MEMORY | IDE_BM_START);
		} else {
			dma_start(true);
		}
		ck_failed(IDE_ABRT);
		ck_assert_uint_eq(bm_status(), IDE_BM_INT | IDE_BM_ERROR);
		ck_assert_uint_eq(wrote_bytes, 0);
	}
}
END_TEST

/* Stopping the bus master abandons what it was doing. */
START_TEST(dma_stopped)
{
	one_disk();
	async = true;
	prd(0, DATA, 1024, true);
	address(1, 2);
	command(0xc8);
	dma_start(true);
	ck_assert_uint_eq(bm_status(), IDE_BM_ACTIVE);
	ide_bm_out(&c, 0, 1, IDE_BM_TO_MEMORY);
	complete();
	ck_assert_int_eq(f.irq, 0);
	ck_assert_uint_eq(wrote_bytes, 0);
	dma_start(true);
	expect_irq();
	ck_assert_int_eq(memcmp(ram + DATA, disk + 512, 1024), 0);
}
END_TEST

/* Good sectors in front of a bad one are delivered; the address is exact. */
START_TEST(read_error)
{
	one_disk();
	bad_sector = 70;
	address(64, 32);
	command(0x20);
	for (unsigned i = 0; i < 6; i++) {
		expect_irq();
		read_data(buf + 512 * i, 512);
	}
	ck_sectors(buf, 64, 6);
	ck_failed(IDE_UNC);
	ck_assert_uint_eq(in(IDE_LBA_LOW), 70);
	ck_assert_uint_eq(in(IDE_DEVICE), 0xe0);
	address48(64, 32);
	prd(0, DATA, 32 * 512, true);
	command(0x25);
	dma_start(true);
	ck_failed(IDE_UNC);
	ck_assert_uint_eq(in(IDE_LBA_LOW), 70);
	ck_assert_uint_eq(bm_status() & (IDE_BM_ACTIVE | IDE_BM_INT), IDE_BM_INT);
	address(64, 32);
	command(0x40);			/* READ VERIFY */
	ck_failed(IDE_UNC);
	address(64, 6);
	command(0x40);
	expect_irq();
	ck_assert_uint_eq(status(), READY);
}
END_TEST

START_TEST(write_error)
{
	one_disk();
	bad_sector = 70;
	address(70, 1);
	command(0x30);
	write_data(buf, 512);
	ck_assert_uint_eq(status() & IDE_DF, IDE_DF);
	ck_failed(IDE_ABRT);
	prd(0, DATA, 512, true);
	command(0xca);
	dma_start(false);
	ck_assert_uint_eq(status() & IDE_DF, IDE_DF);
	ck_failed(IDE_ABRT);
	ck_assert_uint_eq(in(IDE_LBA_LOW), 70);
	address(71, 1);
	command(0x30);
	pio_out(buf, 1, 1);
}
END_TEST

START_TEST(read_only)
{
	static const uint8_t commands[] = { 0x30, 0x34, 0xc5, 0xca, 0x35 };

	power_on();
	attach(0, IDE_DISK, DISK_SIZE, true);
	simple(0xc6, 0, 8);
	for (unsigned i = 0; i < sizeof(commands); i++) {
		address(1, 1);
		command(commands[i]);
		ck_failed(IDE_ABRT);
	}
	ck_assert_uint_eq(requests, 0);
	address(1, 1);
	command(0x20);
	pio_in(buf, 1, 1);
	ck_sectors(buf, 1, 1);
}
END_TEST

START_TEST(multiple)
{
	uint8_t id[512];

	one_disk();
	command(0xc4);			/* not set: aborted */
	ck_failed(IDE_ABRT);
	out(IDE_NSECTOR, 3);
	command(0xc6);
	ck_failed(IDE_ABRT);
	out(IDE_NSECTOR, 32);
	command(0xc6);
	ck_failed(IDE_ABRT);
	ck_assert_uint_eq(simple(0xc6, 0, 16), READY);
	identify(id);
	ck_assert_uint_eq(word(id, 59), 0x0110);
	ck_assert_uint_eq(simple(0xc6, 0, 0), READY);
	address(0, 1);
	command(0xc4);
	ck_failed(IDE_ABRT);
}
END_TEST

/* What is acknowledged, and when it is durable. */
START_TEST(flush)
{
	one_disk();
	async = true;
	address(1, 1);
	command(0x30);
	write_data(buf, 512);
	ck_assert_uint_eq(status(), IDE_BSY);
	complete();
	expect_irq();
	command(0xe7);
	ck_assert_uint_eq(status(), IDE_BSY);
	ck_assert_int_eq(f.irq, 0);
	complete();
	ck_assert_uint_eq(flushes, 1);
	expect_irq();
	command(0xea);
	complete();
	ck_assert_uint_eq(flushes, 2);
	expect_irq();
	/* Turning the write cache off flushes it; then each write does. */
	out(IDE_ERROR, 0x82);
	command(0xef);
	complete();
	ck_assert_uint_eq(flushes, 3);
	expect_irq();
	address(1, 1);
	command(0x30);
	write_data(buf, 512);
	complete();
	ck_assert_uint_eq(flushes, 3);
	ck_assert_int_eq(f.irq, 0);
	complete();
	ck_assert_uint_eq(flushes, 4);
	expect_irq();
	async = false;
	ck_assert_uint_eq(simple(0xef, 0x02, 0), READY);
	/* Going to rest does, too. */
	ck_assert_uint_eq(simple(0xe0, 0, 0), READY);
	ck_assert_uint_eq(flushes, 5);
}
END_TEST

static const struct { uint8_t command, feature, count, want; } simples[] = {
	{ 0x10, 0, 0, READY }, { 0x1f, 0, 0, READY }, { 0xe1, 0, 0, READY }, { 0x97, 0, 0, READY },
	{ 0xef, 0x03, 0x00, READY }, { 0xef, 0x03, 0x0c, READY }, { 0xef, 0x03, 0x22, READY },
	{ 0xef, 0x03, 0x45, READY }, { 0xef, 0x55, 0, READY }, { 0xef, 0xaa, 0, READY },
	{ 0xef, 0x66, 0, READY }, { 0xef, 0xcc, 0, READY },
	{ 0xef, 0x03, 0x0d, READY | IDE_ERR }, { 0xef, 0x03, 0x23, READY | IDE_ERR },
	{ 0xef, 0x03, 0x46, READY | IDE_ERR }, { 0xef, 0x03, 0x80, READY | IDE_ERR },
	{ 0xef, 0x77, 0, READY | IDE_ERR }, { 0x00, 0, 0, READY | IDE_ERR },
	{ 0x08, 0, 0, READY | IDE_ERR }, { 0xa0, 0, 0, READY | IDE_ERR },
	{ 0xb0, 0, 0, READY | IDE_ERR }, { 0xff, 0, 0, READY | IDE_ERR },
};

START_TEST(without_data)
{
	one_disk();
	ck_assert_uint_eq(simple(simples[_i].command, simples[_i].feature, simples[_i].count),
			  simples[_i].want);
	ck_assert_uint_eq(in(IDE_ERROR), simples[_i].want & IDE_ERR ? IDE_ABRT : 0);
}
END_TEST

START_TEST(settings)
{
	uint8_t id[512];

	one_disk();
	simple(0xef, 0x03, 0x21);
	identify(id);
	ck_assert_uint_eq(word(id, 63), 0x0207);
	ck_assert_uint_eq(word(id, 88), 0x003f);
	simple(0xef, 0x03, 0x44);
	simple(0xef, 0x82, 0);
	identify(id);
	ck_assert_uint_eq(word(id, 63), 0x0007);
	ck_assert_uint_eq(word(id, 88), 0x103f);
	ck_assert_uint_eq(word(id, 85) & 0x20, 0);
	simple(0xe5, 0, 0);
	ck_assert_uint_eq(in(IDE_NSECTOR), 0xff);
}
END_TEST

START_TEST(interrupts)
{
	one_disk();
	/* The status acknowledges, the alternate status does not. */
	address(1, 1);
	command(0x20);
	ck_assert_int_eq(f.irq, 1);
	in(IDE_CONTROL);
	ck_assert_int_eq(f.irq, 1);
	in(IDE_STATUS);
	ck_assert_int_eq(f.irq, 0);
	read_data(buf, 512);
	/* A new command, too. */
	command(0x10);
	ck_assert_int_eq(f.irq, 1);
	async = true;
	command(0xe7);
	ck_assert_int_eq(f.irq, 0);
	/* nIEN holds it back and gives it free. */
	out(IDE_CONTROL, IDE_CONTROL_NIEN);
	complete();
	ck_assert_int_eq(f.irq, 0);
	out(IDE_CONTROL, 0);
	ck_assert_int_eq(f.irq, 1);
	/* Only the selected drive is heard. */
	out(IDE_DEVICE, IDE_DEVICE_1);
	ck_assert_int_eq(f.irq, 0);
	out(IDE_DEVICE, 0);
	expect_irq();
}
END_TEST

/* While the drive works, nothing but a reset disturbs it. */
START_TEST(busy)
{
	one_disk();
	async = true;
	address(9, 2);
	command(0x20);
	ck_assert_uint_eq(status(), IDE_BSY);
	out(IDE_LBA_LOW, 0x77);
	command(0x30);
	complete();
	ck_assert_uint_eq(in(IDE_LBA_LOW), 9);
	ck_assert_uint_eq(requests, 1);
	out(IDE_LBA_LOW, 0x77);		/* DRQ */
	command(0x30);
	pio_in(buf, 2, 1);
	ck_sectors(buf, 9, 2);
	/* A reset takes back what the host is doing. */
	address(9, 2);
	command(0x20);
	out(IDE_CONTROL, IDE_CONTROL_SRST);
	ck_assert_uint_eq(drains, 1);
	ck_assert_uint_eq(npending, 0);
	out(IDE_CONTROL, 0);
	ck_assert_uint_eq(status(), READY);
	ck_assert_int_eq(f.irq, 0);
	async = false;
	address(11, 1);
	command(0x20);
	pio_in(buf, 1, 1);
	ck_sectors(buf, 11, 1);
	/* In the middle of a write: nothing reaches the disk. */
	memset(buf, 0xee, 512);
	address(12, 4);
	command(0x30);
	write_data(buf, 512);
	ide_reset(&c);
	ck_assert_uint_ne(disk[12 * 512], 0xee);
	write_data(buf, 512);
	ck_assert_uint_eq(status(), READY);
}
END_TEST

/* Two drives work at a time only as far as the registers allow; none loses data. */
START_TEST(two_drives)
{
	power_on();
	attach(0, IDE_DISK, DISK_SIZE, false);
	attach(1, IDE_DISK, DISK_SIZE / 2, false);
	out(IDE_DEVICE, IDE_DEVICE_LBA | IDE_DEVICE_1);
	out(IDE_NSECTOR, 1);
	out(IDE_LBA_LOW, 0);
	out(IDE_LBA_MID, 4);		/* 1024: beyond its end */
	out(IDE_LBA_HIGH, 0);
	command(0x20);
	ck_failed(IDE_IDNF);
	out(IDE_DEVICE, IDE_DEVICE_LBA);
	ck_assert_uint_eq(status(), READY);
	ck_assert_uint_eq(in(IDE_ERROR), 1);
	command(0x20);			/* the address was written to both */
	pio_in(buf, 1, 1);
	ck_sectors(buf, 1024, 1);
}
END_TEST

START_TEST(bm_registers)
{
	one_disk();
	ide_bm_out(&c, 4, 4, 0x12345677);
	ck_assert_uint_eq(ide_bm_in(&c, 4, 4), 0x12345674);
	ide_bm_out(&c, 6, 1, 0xab);
	ck_assert_uint_eq(ide_bm_in(&c, 4, 4), 0x12ab5674);
	ck_assert_uint_eq(ide_bm_in(&c, 6, 2), 0x12ab);
	ide_bm_out(&c, 0, 1, 0xf6);
	ck_assert_uint_eq(ide_bm_in(&c, 0, 1), 0);
	ide_bm_out(&c, 0, 1, 0x09);
	ck_assert_uint_eq(ide_bm_in(&c, 0, 4), 0x00010009);
	ide_reset(&c);
	ck_assert_uint_eq(ide_bm_in(&c, 0, 4), 0);
	ck_assert_uint_eq(ide_bm_in(&c, 4, 4), 0);
}
END_TEST

#define LOOP(test, rows) tcase_add_loop_test(tc, test, 0, (int)(sizeof(rows) / sizeof((rows)[0])))

int main(void)
{
	const TTest *const tests[] = {
		nobody, signature, identification, data_sizes, chs, previous_contents, native_max,
		out_of_range, dma_read, dma_write, dma_short, dma_no_ram, dma_stopped, read_error, write_error,
		read_only, multiple, flush, settings, interrupts, busy, two_drives, bm_registers,
	};
	Suite *suite = suite_create("ide");
	TCase *tc = tcase_create("ide");
	SRunner *sr = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tc);
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_test(tc, tests[i]);
	LOOP(pio_read, reads);
	LOOP(pio_write, writes);
	LOOP(without_data, simples);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
