/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "hostos/disk.h"		/* before check.h, which has a macro fail() */

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define IMAGE_SIZE (200u * 1024)	/* ends within an overlay block */

static char dir[64], image[128];
static sem_t kicks;
static struct error e;
static struct host_disk *disk;

static void kick(void *ctx)
{
	ck_assert_ptr_eq(ctx, &kicks);
	sem_post(&kicks);
}

static uint8_t pattern(uint64_t offset)
{
	return (uint8_t)(offset / 512 * 7 + offset);
}

static void setup(void)
{
	uint8_t buf[IMAGE_SIZE];
	int fd;

	strcpy(dir, "/tmp/disk_test.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(image, sizeof(image), "%s/image", dir);
	for (unsigned i = 0; i < IMAGE_SIZE; i++)
		buf[i] = pattern(i);
	fd = open(image, O_CREAT | O_WRONLY, 0600);
	ck_assert_int_eq(write(fd, buf, IMAGE_SIZE), IMAGE_SIZE);
	close(fd);
	sem_init(&kicks, 0, 0);
}

static void teardown(void)
{
	unlink(image);
	rmdir(dir);
}

static int open_disk(struct host_disk **d, const char *path, bool readonly, bool snapshot)
{
	memset(&e, 0, sizeof(e));
	return host_disk_open(d, path, readonly, snapshot, kick, &kicks, &e);
}

static int run(struct dev_block_request *r)
{
	host_disk_submit(disk, r);
	sem_wait(&kicks);
	ck_assert_ptr_eq(host_disk_poll(disk), r);
	ck_assert_ptr_null(host_disk_poll(disk));
	return r->result;
}

static int io(enum dev_block_op op, uint64_t offset, void *buf, uint32_t len)
{
	/* In three pieces, one of them empty. */
	struct dev_block_request r = {
		.op = op, .offset = offset, .iovcnt = 3,
		.iov = { { buf, len / 3 }, { NULL, 0 },
			 { (uint8_t *)buf + len / 3, len - len / 3 } },
	};

	return run(&r);
}

static int flush(void)
{
	struct dev_block_request r = { .op = DEV_BLOCK_FLUSH };

	return run(&r);
}

/* What the file itself holds. */
static uint8_t file_byte(uint64_t offset)
{
	uint8_t b = 0;
	int fd = open(image, O_RDONLY);

	ck_assert_int_eq(pread(fd, &b, 1, (off_t)offset), 1);
	close(fd);
	return b;
}

START_TEST(reads_and_writes_reach_the_file)
{
	uint8_t buf[4096];

	ck_assert_int_eq(open_disk(&disk, image, false, false), 0);
	ck_assert_uint_eq(host_disk_size(disk), IMAGE_SIZE);
	ck_assert(!host_disk_readonly(disk));
	ck_assert_int_eq(io(DEV_BLOCK_READ, 1024, buf, sizeof(buf)), 0);
	for (unsigned i = 0; i < sizeof(buf); i++)
		ck_assert_uint_eq(buf[i], pattern(1024 + i));
	memset(buf, 0xee, sizeof(buf));
	ck_assert_int_eq(io(DEV_BLOCK_WRITE, IMAGE_SIZE - 4096, buf, 4096), 0);
	ck_assert_int_eq(flush(), 0);
	ck_assert_uint_eq(file_byte(IMAGE_SIZE - 1), 0xee);
	ck_assert_uint_eq(file_byte(IMAGE_SIZE - 4097), pattern(IMAGE_SIZE - 4097));
	host_disk_close(disk);
}
END_TEST

START_TEST(requests_out_of_range_fail)
{
	uint8_t buf[1024] = { 0 };

	ck_assert_int_eq(open_disk(&disk, image, false, false), 0);
	ck_assert_int_eq(io(DEV_BLOCK_READ, IMAGE_SIZE - 512, buf, 1024), EINVAL);
	ck_assert_int_eq(io(DEV_BLOCK_WRITE, IMAGE_SIZE - 512, buf, 1024), EINVAL);
	ck_assert_int_eq(io(DEV_BLOCK_READ, UINT64_MAX - 511, buf, 1024), EINVAL);
	host_disk_close(disk);
}
END_TEST

START_TEST(readonly_is_never_written)
{
	uint8_t buf[512];

	ck_assert_int_eq(open_disk(&disk, image, true, false), 0);
	ck_assert(host_disk_readonly(disk));
	ck_assert_int_eq(io(DEV_BLOCK_READ, 0, buf, 512), 0);
	memset(buf, 0xee, sizeof(buf));
	ck_assert_int_eq(io(DEV_BLOCK_WRITE, 0, buf, 512), EROFS);
	ck_assert_int_eq(flush(), 0);
	host_disk_close(disk);
	ck_assert_uint_eq(file_byte(0), pattern(0));
}
END_TEST

START_TEST(snapshot_keeps_writes_in_memory)
{
	/* From the first overlay block into the second. */
	const uint64_t at = 65536 - 1024;
	static uint8_t buf[IMAGE_SIZE];

	ck_assert_int_eq(open_disk(&disk, image, false, true), 0);
	ck_assert(!host_disk_readonly(disk));
	memset(buf, 0xee, 2048);
	ck_assert_int_eq(io(DEV_BLOCK_WRITE, at, buf, 2048), 0);
	ck_assert_int_eq(io(DEV_BLOCK_WRITE, IMAGE_SIZE - 512, buf, 512), 0);
	ck_assert_int_eq(flush(), 0);
	ck_assert_int_eq(io(DEV_BLOCK_READ, 0, buf, IMAGE_SIZE), 0);
	for (unsigned i = 0; i < IMAGE_SIZE; i++) {
		bool written = (i >= at && i < at + 2048) || i >= IMAGE_SIZE - 512;

		ck_assert_uint_eq(buf[i], written ? 0xee : pattern(i));
	}
	host_disk_close(disk);
	for (unsigned i = 0; i < IMAGE_SIZE; i += 512)
		ck_assert_uint_eq(file_byte(i), pattern(i));
}
END_TEST

START_TEST(many_requests_complete_in_order)
{
	static uint8_t buf[64][512];
	static struct dev_block_request r[64];

	ck_assert_int_eq(open_disk(&disk, image, false, false), 0);
	for (unsigned i = 0; i < 64; i++) {
		memset(buf[i], (int)i, 512);
		r[i] = (struct dev_block_request){
			.op = i == 63 ? DEV_BLOCK_READ : DEV_BLOCK_WRITE, .offset = 2048,
			.iovcnt = 1, .iov = { { buf[i], 512 } },
		};
		host_disk_submit(disk, &r[i]);
	}
	host_disk_drain(disk);
	for (unsigned i = 0; i < 64; i++) {
		ck_assert_ptr_eq(host_disk_poll(disk), &r[i]);
		ck_assert_int_eq(r[i].result, 0);
	}
	ck_assert_uint_eq(buf[63][0], 62);
	ck_assert_ptr_null(host_disk_poll(disk));
	host_disk_close(disk);
}
END_TEST

START_TEST(close_finishes_what_is_under_way)
{
	static uint8_t buf[16][4096];
	static struct dev_block_request r[16];

	ck_assert_int_eq(open_disk(&disk, image, false, false), 0);
	for (unsigned i = 0; i < 16; i++) {
		memset(buf[i], 0xc0 + (int)i, 4096);
		r[i] = (struct dev_block_request){
			.op = DEV_BLOCK_WRITE, .offset = i * 4096u,
			.iovcnt = 1, .iov = { { buf[i], 4096 } },
		};
		host_disk_submit(disk, &r[i]);
	}
	host_disk_close(disk);
	for (unsigned i = 0; i < 16; i++)
		ck_assert_uint_eq(file_byte(i * 4096u + 4095), 0xc0 + i);
	host_disk_close(NULL);
}
END_TEST

/* A VM that is killed: what it had flushed is in the file. */
START_TEST(flushed_data_survives_kill)
{
	int ready[2], status;
	char c;
	pid_t child;

	ck_assert_int_eq(pipe(ready), 0);
	child = fork();
	if (child == 0) {
		uint8_t buf[512];

		memset(buf, 0x5a, sizeof(buf));
		if (open_disk(&disk, image, false, false) ||
		    io(DEV_BLOCK_WRITE, 4096, buf, 512) || flush() || write(ready[1], "x", 1) != 1)
			_exit(1);
		pause();
	}
	close(ready[1]);
	ck_assert_int_eq(read(ready[0], &c, 1), 1);
	/* While it lives nobody else may write; when it is dead the lock is gone. */
	ck_assert_int_eq(open_disk(&disk, image, false, false), -1);
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	ck_assert(WIFSIGNALED(status));
	ck_assert_uint_eq(file_byte(4096), 0x5a);
	ck_assert_int_eq(open_disk(&disk, image, false, false), 0);
	host_disk_close(disk);
	close(ready[0]);
}
END_TEST

/* A full disk, as far as a test can have one: the size limit of files. */
START_TEST(a_failed_write_is_reported)
{
	struct rlimit limit = { 8192, RLIM_INFINITY };
	uint8_t buf[512] = { 0 };

	ck_assert_int_eq(open_disk(&disk, image, false, false), 0);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	ck_assert_int_eq(io(DEV_BLOCK_WRITE, 16384, buf, 512), EFBIG);
	ck_assert_int_eq(io(DEV_BLOCK_WRITE, 4096, buf, 512), 0);
	host_disk_close(disk);
}
END_TEST

START_TEST(a_truncated_file_is_an_io_error)
{
	uint8_t buf[512];

	ck_assert_int_eq(open_disk(&disk, image, false, false), 0);
	ck_assert_int_eq(truncate(image, 1024), 0);
	ck_assert_int_eq(io(DEV_BLOCK_READ, 4096, buf, 512), EIO);
	ck_assert_int_eq(io(DEV_BLOCK_READ, 512, buf, 512), 0);
	host_disk_close(disk);
}
END_TEST

START_TEST(locks_keep_two_writers_apart)
{
	struct host_disk *other;

	ck_assert_int_eq(open_disk(&disk, image, false, false), 0);
	ck_assert_int_eq(open_disk(&other, image, false, false), -1);
	ck_assert_int_eq(e.status, ST_NOINPUT);
	ck_assert_ptr_nonnull(strstr(e.text, "in use by another virtual machine"));
	ck_assert_ptr_null(other);
	ck_assert_int_eq(open_disk(&other, image, true, false), -1);
	ck_assert_ptr_nonnull(strstr(e.text, "being written"));
	host_disk_close(disk);

	ck_assert_int_eq(open_disk(&disk, image, true, false), 0);
	ck_assert_int_eq(open_disk(&other, image, false, true), 0);
	host_disk_close(other);
	ck_assert_int_eq(open_disk(&other, image, false, false), -1);
	host_disk_close(disk);
}
END_TEST

static void refused(const char *path, bool readonly, int status, const char *text)
{
	ck_assert_int_eq(open_disk(&disk, path, readonly, false), -1);
	ck_assert_ptr_null(disk);
	ck_assert_int_eq(e.status, status);
	ck_assert_msg(strstr(e.text, text) && strstr(e.text, path), "%s", e.text);
}

START_TEST(unusable_images_are_refused)
{
	char fifo[128];

	refused("/nonexistent/image", false, ST_NOINPUT, "no such file");
	refused(dir, false, ST_IMAGE, "directory");
	refused(dir, true, ST_IMAGE, "directory");
	refused("/dev/null", true, ST_IMAGE, "neither a file nor a block device");
	snprintf(fifo, sizeof(fifo), "%s/fifo", dir);
	ck_assert_int_eq(mkfifo(fifo, 0600), 0);
	refused(fifo, true, ST_IMAGE, "neither a file nor a block device");
	unlink(fifo);
	ck_assert_int_eq(truncate(image, 1000), 0);
	refused(image, false, ST_IMAGE, "multiple of 512");
	ck_assert_int_eq(truncate(image, 0), 0);
	refused(image, false, ST_IMAGE, "empty");
}
END_TEST

/* Permissions do not hold for root: the test then becomes somebody else. */
START_TEST(permissions_are_explained)
{
	const uid_t euid = geteuid();

	if (euid == 0) {
		ck_assert_int_eq(chown(dir, 65534, 65534), 0);
		ck_assert_int_eq(chown(image, 65534, 65534), 0);
		ck_assert_int_eq(seteuid(65534), 0);
	}
	ck_assert_int_eq(chmod(image, 0400), 0);
	refused(image, false, ST_NOINPUT, ",readonly or ,snapshot");
	ck_assert_int_eq(open_disk(&disk, image, false, true), 0);
	host_disk_close(disk);
	ck_assert_int_eq(chmod(image, 0), 0);
	refused(image, true, ST_NOINPUT, "check its permissions");
	ck_assert_int_eq(seteuid(euid), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("disk");
	TCase *tcase = tcase_create("disk");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, reads_and_writes_reach_the_file);
	tcase_add_test(tcase, requests_out_of_range_fail);
	tcase_add_test(tcase, readonly_is_never_written);
	tcase_add_test(tcase, snapshot_keeps_writes_in_memory);
	tcase_add_test(tcase, many_requests_complete_in_order);
	tcase_add_test(tcase, close_finishes_what_is_under_way);
	tcase_add_test(tcase, flushed_data_survives_kill);
	tcase_add_test(tcase, a_failed_write_is_reported);
	tcase_add_test(tcase, a_truncated_file_is_an_io_error);
	tcase_add_test(tcase, locks_keep_two_writers_apart);
	tcase_add_test(tcase, unusable_images_are_refused);
	tcase_add_test(tcase, permissions_are_explained);
	suite_add_tcase(suite, tcase);
	sr = srunner_create(suite);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
