/* SPDX-License-Identifier: BSD-2-Clause */
/* An IDE channel with an ATAPI CD-ROM, at its registers. */
#include "ide_machine.h"

#define READY (IDE_DRDY | IDE_DSC)
#define BLOCKS (DISK_SIZE / 2048)
#define COMMAND 1			/* interrupt reasons */
#define TO_HOST 2
#define DONE 3

static uint8_t buf[DISK_SIZE];

static void cd(void)
{
	power_on();
	attach(0, IDE_CDROM, DISK_SIZE, true);
	command(0x08);			/* DEVICE RESET: no interrupt, the signature */
	ck_assert_int_eq(f.irq, 0);
}

/* Sends the packet; the driver takes at most limit bytes at a time. */
static void send(const uint8_t p[12], uint16_t limit, bool dma)
{
	out(IDE_ERROR, dma);
	out(IDE_LBA_MID, (uint8_t)limit);
	out(IDE_LBA_HIGH, (uint8_t)(limit >> 8));
	out(IDE_DEVICE, 0);
	command(0xa0);
	ck_assert_int_eq(f.irq, 0);
	ck_assert_uint_eq(status() & (IDE_BSY | IDE_DRQ), IDE_DRQ);
	ck_assert_uint_eq(in(IDE_NSECTOR), COMMAND);
	write_data(p, 12);
}

/* Takes the answer in the blocks that the drive offers; how many bytes it was. */
static unsigned take(uint16_t limit)
{
	unsigned n = 0;

	for (;;) {
		unsigned k;

		expect_irq();
		if (!(status() & IDE_DRQ))
			break;
		ck_assert_uint_eq(in(IDE_NSECTOR), TO_HOST);
		k = in(IDE_LBA_MID) | (unsigned)in(IDE_LBA_HIGH) << 8;
		ck_assert_uint_le(k, limit);
		ck_assert_uint_gt(k, 0);
		ck_assert_uint_le(n + k, sizeof(buf));
		read_data(buf + n, k);
		n += k;
	}
	ck_assert_uint_eq(in(IDE_NSECTOR), DONE);
	return n;
}

/* A packet that succeeds; the length of its answer. */
static unsigned packet(const uint8_t p[12])
{
	unsigned n;

	memset(buf, 0xaa, 256);
	send(p, 2048, false);
	n = take(2048);
	ck_assert_uint_eq(status(), READY);
	return n;
}

static void packet_fails(const uint8_t p[12], uint8_t key, uint8_t asc)
{
	static const uint8_t request_sense[12] = { 0x03, 0, 0, 0, 18 };

	send(p, 2048, false);
	expect_irq();
	ck_assert_uint_eq(status(), READY | IDE_ERR);
	ck_assert_uint_eq(in(IDE_ERROR) >> 4, key);
	ck_assert_uint_eq(in(IDE_NSECTOR), DONE);
	ck_assert_uint_eq(packet(request_sense), 18);
	ck_assert_uint_eq(buf[0], 0x70);
	ck_assert_uint_eq(buf[2], key);
	ck_assert_uint_eq(buf[12], asc);
	/* It is told once. */
	packet(request_sense);
	ck_assert_uint_eq(buf[2], 0);
}

#define PACKET(...) ((const uint8_t[12]){ __VA_ARGS__ })
#define TEST_READY PACKET(0)

/* The first command after power-on hears of it. */
static void ready_cd(void)
{
	cd();
	packet_fails(TEST_READY, 6, 0x29);
	ck_assert_uint_eq(packet(TEST_READY), 0);
}

START_TEST(signature)
{
	static const uint8_t commands[] = { 0x20, 0xec };

	cd();
	ck_assert_uint_eq(status(), 0);
	for (unsigned i = 0; i < sizeof(commands); i++) {
		out(IDE_LBA_MID, 0);
		command(commands[i]);
		expect_irq();
		ck_assert_uint_eq(status(), READY | IDE_ERR);
		ck_assert_uint_eq(in(IDE_ERROR), IDE_ABRT);
		ck_assert_uint_eq(in(IDE_NSECTOR), 1);
		ck_assert_uint_eq(in(IDE_LBA_LOW), 1);
		ck_assert_uint_eq(in(IDE_LBA_MID), 0x14);
		ck_assert_uint_eq(in(IDE_LBA_HIGH), 0xeb);
	}
}
END_TEST

START_TEST(identification)
{
	uint8_t id[512];

	cd();
	command(0xa1);
	expect_irq();
	read_data(id, 512);
	ck_assert_uint_eq(word(id, 0), 0x85c0);
	ck_assert_int_eq(memcmp(id + 54, "iLylMVC -DOR M", 14), 0);
	ck_assert_uint_eq(word(id, 49) & 0x0300, 0x0300);
	ck_assert_uint_eq(word(id, 63) & 7, 7);
	ck_assert_uint_eq(word(id, 82) & 0x10, 0x10);
}
END_TEST

static const struct { uint8_t command, feature, count; bool good; } simples[] = {
	{ 0xef, 0x03, 0x22, true }, { 0xef, 0x03, 0x77, false }, { 0xef, 0x02, 0, false },
	{ 0xe0, 0, 0, true }, { 0xe1, 0, 0, true }, { 0xe5, 0, 0, true }, { 0x00, 0, 0, false },
	{ 0x30, 0, 0, false }, { 0xc8, 0, 0, false },
};

START_TEST(without_packet)
{
	cd();
	ck_assert_uint_eq(simple(simples[_i].command, simples[_i].feature, simples[_i].count),
			  simples[_i].good ? READY : READY | IDE_ERR);
	if (simples[_i].command == 0xe5)
		ck_assert_uint_eq(in(IDE_NSECTOR), 0xff);
}
END_TEST

/* These do not take the unit attention away. */
START_TEST(attention)
{
	cd();
	ck_assert_uint_eq(packet(PACKET(0x12, 0, 0, 0, 36)), 36);
	ck_assert_uint_eq(buf[0], 5);
	ck_assert_uint_eq(buf[1], 0x80);
	ck_assert_int_eq(memcmp(buf + 8, "LilyVM  CD-ROM          1.0 ", 28), 0);
	ck_assert_uint_eq(packet(PACKET(0x12, 0, 0, 0, 5)), 5);	/* allocation length */
	packet(PACKET(0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8));
	packet(PACKET(0x46, 0, 0, 0, 0, 0, 0, 0, 64));
	packet_fails(TEST_READY, 6, 0x29);
	/* Or REQUEST SENSE tells it. */
	cd();
	ide_reset(&c);
	packet(PACKET(0x03, 0, 0, 0, 18));
	ck_assert_uint_eq(buf[2], 6);
	packet(TEST_READY);
}
END_TEST

START_TEST(refusals)
{
	ready_cd();
	packet_fails(PACKET(0xff), 5, 0x20);
	packet_fails(PACKET(0x2a, 0, 0, 0, 0, 0, 0, 0, 1), 5, 0x20);	/* WRITE */
	packet_fails(PACKET(0x12, 1, 0x80, 0, 36), 5, 0x24);
	packet_fails(PACKET(0x43, 0, 2, 0, 0, 0, 0, 0, 12), 5, 0x24);
	packet_fails(PACKET(0x43, 0, 0, 0, 0, 0, 2, 0, 12), 5, 0x24);
	packet_fails(PACKET(0x5a, 0, 0x05, 0, 0, 0, 0, 0, 64), 5, 0x24);
	packet_fails(PACKET(0x5a, 0, 0xea, 0, 0, 0, 0, 0, 64), 5, 0x24);
	packet_fails(PACKET(0x4a, 0, 0, 0, 0x10, 0, 0, 0, 8), 5, 0x24);
	packet_fails(PACKET(0x28, 0, 0, 0, BLOCKS >> 8, BLOCKS & 255, 0, 0, 1), 5, 0x21);
	packet_fails(PACKET(0xa8, 0, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff), 5, 0x21);
	packet_fails(PACKET(0x2b, 0, 0xff), 5, 0x21);
	ck_assert_uint_eq(requests, 0);
}
END_TEST

START_TEST(capacity)
{
	ready_cd();
	ck_assert_uint_eq(packet(PACKET(0x25)), 8);
	ck_assert_uint_eq(buf[2] << 8 | buf[3], BLOCKS - 1);
	ck_assert_uint_eq(buf[6] << 8 | buf[7], 2048);
	/* What is over is no block. */
	attach(0, IDE_CDROM, DISK_SIZE - 512, true);
	packet_fails(TEST_READY, 6, 0x29);
	packet(PACKET(0x25));
	ck_assert_uint_eq(buf[2] << 8 | buf[3], BLOCKS - 2);
}
END_TEST

START_TEST(contents_table)
{
	static const uint8_t toc[20] = { 0, 18, 1, 1, 0, 0x14, 1, 0, 0, 0, 0, 0,
					 0, 0x14, 0xaa, 0, 0, 0, BLOCKS >> 8, BLOCKS & 255 };

	ready_cd();
	ck_assert_uint_eq(packet(PACKET(0x43, 0, 0, 0, 0, 0, 0, 0, 255)), 20);
	ck_assert_int_eq(memcmp(buf, toc, 20), 0);
	ck_assert_uint_eq(packet(PACKET(0x43, 0, 0, 0, 0, 0, 0, 0, 4)), 4);
	/* Minutes, seconds, frames; from the lead-out on. */
	ck_assert_uint_eq(packet(PACKET(0x43, 2, 0, 0, 0, 0, 0xaa, 0, 255)), 12);
	ck_assert_uint_eq(buf[6], 0xaa);
	ck_assert_uint_eq((buf[9] * 60 + buf[10]) * 75 + buf[11], BLOCKS + 150);
	/* The session, in both places of the format. */
	ck_assert_uint_eq(packet(PACKET(0x43, 0, 1, 0, 0, 0, 0, 0, 12)), 12);
	ck_assert_uint_eq(buf[1], 10);
	ck_assert_uint_eq(packet(PACKET(0x43, 0, 0, 0, 0, 0, 0, 0, 12, 0x40)), 12);
	ck_assert_uint_eq(buf[1], 10);
}
END_TEST

START_TEST(pages)
{
	ready_cd();
	ck_assert_uint_eq(packet(PACKET(0x5a, 0, 0x2a, 0, 0, 0, 0, 0, 255)), 28);
	ck_assert_uint_eq(buf[1], 26);
	ck_assert_uint_eq(buf[8], 0x2a);
	ck_assert_uint_eq(buf[14] & 2, 0);
	packet(PACKET(0x1e, 0, 0, 0, 1));
	packet(PACKET(0x5a, 0, 0x2a, 0, 0, 0, 0, 0, 255));
	ck_assert_uint_eq(buf[14] & 2, 2);	/* locked */
	ck_assert_uint_eq(packet(PACKET(0x5a, 0, 0x01, 0, 0, 0, 0, 0, 255)), 16);
	ck_assert_uint_eq(packet(PACKET(0x5a, 0, 0x3f, 0, 0, 0, 0, 0, 255)), 36);
	ck_assert_uint_eq(packet(PACKET(0x46, 2, 0, 3, 0, 0, 0, 0, 255)), 16);
	ck_assert_uint_eq(buf[9], 3);
	ck_assert_uint_eq(packet(PACKET(0x46, 0, 0, 0, 0, 0, 0, 0, 255)), 32);
	ck_assert_uint_eq(buf[3], 28);
	ck_assert_uint_eq(buf[7], 8);
	ck_assert_uint_eq(packet(PACKET(0x51, 0, 0, 0, 0, 0, 0, 0, 34)), 34);
	ck_assert_uint_eq(packet(PACKET(0xbd, 0, 0, 0, 0, 0, 0, 0, 0, 8)), 8);
	ck_assert_uint_eq(packet(PACKET(0xbb, 0, 0xff, 0xff)), 0);
	ck_assert_uint_eq(packet(PACKET(0x2b, 0, 0, 0, 0, 5)), 0);
}
END_TEST

/* Limits of a block, the number of blocks; 0: 65534 bytes; odd limits are rounded down. */
static const struct { uint16_t limit; uint8_t count; bool read12; } reads[] = {
	{ 2048, 1, false }, { 2048, 5, false }, { 512, 2, false }, { 0xfffe, 100, false },
	{ 0, 40, true }, { 0xffff, 40, true }, { 2047, 3, true }, { 1234, 7, false },
	{ 32768, 200, false },
};

START_TEST(pio_read)
{
	unsigned n = reads[_i].count, limit = reads[_i].limit ? reads[_i].limit : 0xfffe;

	ready_cd();
	if (reads[_i].read12)
		send(PACKET(0xa8, 0, 0, 0, 1, 2, 0, 0, 0, (uint8_t)n), reads[_i].limit, false);
	else
		send(PACKET(0x28, 0, 0, 0, 1, 2, 0, 0, (uint8_t)n), reads[_i].limit, false);
	ck_assert_uint_eq(take((uint16_t)limit), 2048 * n);
	ck_assert_uint_eq(status(), READY);
	ck_assert_int_eq(memcmp(buf, disk + 0x102 * 2048, 2048 * n), 0);
	/* None at all is no error. */
	ck_assert_uint_eq(packet(PACKET(0x28)), 0);
}
END_TEST

START_TEST(dma_read)
{
	ready_cd();
	prd(0, DATA, 0, false);
	prd(1, DATA + 0x10000, 0, false);
	prd(2, DATA + 0x20000, 4 * 2048, true);
	send(PACKET(0x28, 0, 0, 0, 0, 3, 0, 0, 68), 0, true);
	dma_start(true);
	expect_irq();
	ck_assert_uint_eq(status(), READY);
	ck_assert_uint_eq(in(IDE_NSECTOR), DONE);
	ck_assert_uint_eq(bm_status() & (IDE_BM_ACTIVE | IDE_BM_ERROR), 0);
	ck_assert_int_eq(memcmp(ram + DATA, disk + 3 * 2048, 68 * 2048), 0);
	/* Other answers come by it, too. */
	prd(0, DATA, 36, true);
	send(PACKET(0x12, 0, 0, 0, 36), 0, true);
	dma_start(true);
	expect_irq();
	ck_assert_int_eq(memcmp(ram + DATA + 8, "LilyVM", 6), 0);
}
END_TEST

START_TEST(read_error)
{
	static const uint8_t request_sense[12] = { 0x03, 0, 0, 0, 18 };

	ready_cd();
	bad_sector = 4 * 12 + 1;
	send(PACKET(0x28, 0, 0, 0, 0, 10, 0, 0, 8), 2048, false);
	for (unsigned i = 0; i < 2; i++) {
		expect_irq();
		ck_assert_uint_eq(status() & IDE_DRQ, IDE_DRQ);
		read_data(buf + 2048 * i, 2048);
	}
	ck_assert_int_eq(memcmp(buf, disk + 10 * 2048, 2 * 2048), 0);
	expect_irq();
	ck_assert_uint_eq(status(), READY | IDE_ERR);
	ck_assert_uint_eq(in(IDE_ERROR) >> 4, 3);
	packet(request_sense);
	ck_assert_uint_eq(buf[2], 3);
	ck_assert_uint_eq(buf[12], 0x11);
}
END_TEST

static void media_event(uint8_t event, uint8_t state)
{
	ck_assert_uint_eq(packet(PACKET(0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8)), 8);
	ck_assert_uint_eq(buf[2], 4);
	ck_assert_uint_eq(buf[4], event);
	ck_assert_uint_eq(buf[5], state);
}

START_TEST(tray)
{
	ready_cd();
	media_event(0, 2);
	packet(PACKET(0x1e, 0, 0, 0, 1));
	packet_fails(PACKET(0x1b, 0, 0, 0, 2), 5, 0x53);
	packet(PACKET(0x1e, 0, 0, 0, 0));
	packet(PACKET(0x1b, 0, 0, 0, 2));	/* eject */
	media_event(3, 1);
	media_event(0, 1);
	packet_fails(TEST_READY, 2, 0x3a);
	packet_fails(PACKET(0x28, 0, 0, 0, 0, 0, 0, 0, 1), 2, 0x3a);
	packet_fails(PACKET(0x25), 2, 0x3a);
	packet(PACKET(0x1b, 0, 0, 0, 3));	/* load */
	media_event(2, 2);
	packet(TEST_READY);
	packet(PACKET(0x1b, 0, 0, 0, 1));	/* start */
	ck_assert_uint_eq(packet(PACKET(0x4a, 1, 0, 0, 0x02, 0, 0, 0, 8)), 4);
	ck_assert_uint_eq(buf[2], 0x80);
}
END_TEST

/* DEVICE RESET is taken while the drive is busy, and takes the request back. */
START_TEST(device_reset)
{
	ready_cd();
	async = true;
	send(PACKET(0x28, 0, 0, 0, 0, 0, 0, 0, 1), 2048, false);
	ck_assert_uint_eq(status(), IDE_BSY);
	command(0xa1);
	ck_assert_uint_eq(status(), IDE_BSY);
	command(0x08);
	ck_assert_uint_eq(drains, 1);
	ck_assert_uint_eq(status(), 0);
	ck_assert_int_eq(f.irq, 0);
	ck_assert_uint_eq(in(IDE_LBA_HIGH), 0xeb);
	async = false;
	packet(TEST_READY);
}
END_TEST

#define LOOP(test, rows) tcase_add_loop_test(tc, test, 0, (int)(sizeof(rows) / sizeof((rows)[0])))

int main(void)
{
	const TTest *const tests[] = {
		signature, identification, attention, refusals, capacity, contents_table, pages,
		dma_read, read_error, tray, device_reset,
	};
	Suite *suite = suite_create("atapi");
	TCase *tc = tcase_create("atapi");
	SRunner *sr = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tc);
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_test(tc, tests[i]);
	LOOP(without_packet, simples);
	LOOP(pio_read, reads);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
