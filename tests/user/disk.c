/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * File-system stress in two phases: phase1 writes a tree of files of all
 * sizes, some rewritten, truncated, renamed or removed; phase2, after a
 * remount, verifies every byte and removes the tree.  Both derive contents
 * from the file's number, so that nothing is carried over but the disk.
 */
#define _GNU_SOURCE
#include "harness.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { FILES = 300, BIG_MIB = 32, DIRS = 10 };

static const char *base;	/* the directory under test */

/* What becomes of file i after it was written. */
enum fate { KEPT, TRUNCATED, APPENDED, RENAMED, REMOVED, OVERWRITTEN, FATES };

static enum fate fate(uint32_t i)
{
	return (enum fate)(i % FATES);
}

static uint32_t size_of(uint32_t i)
{
	return i * i * 13 % 120000 + i;
}

static uint32_t final_size(uint32_t i)
{
	uint32_t size = size_of(i);

	return fate(i) == TRUNCATED ? size / 2 : fate(i) == APPENDED ? size + 5000 : size;
}

static uint8_t content(uint32_t i, uint32_t at)
{
	if (fate(i) == OVERWRITTEN && at >= 100 && at < 1100)
		return (uint8_t)~(i + at);
	return (uint8_t)(i * 31 + at * 7 + (at >> 9) * 11 + (at >> 16));
}

static void path_of(char *path, size_t n, uint32_t i, bool renamed)
{
	snprintf(path, n, "%s/stress/d%u/%s%u", base, i % DIRS, renamed ? "renamed" : "f", i);
}

/* Bytes [from, to) of file i, as they finally are or (raw) before OVERWRITTEN. */
static void write_range(int fd, uint32_t i, uint32_t from, uint32_t to, bool raw)
{
	static uint8_t buf[65536];

	while (from < to) {
		uint32_t n = to - from < sizeof(buf) ? to - from : sizeof(buf);

		for (uint32_t k = 0; k < n; k++)
			buf[k] = raw ? 0xee : content(i, from + k);
		CHECK(pwrite(fd, buf, n, from) == (ssize_t)n, "file %u: pwrite: %s", i,
		      strerror(errno));
		from += n;
	}
}

static void write_file(uint32_t i)
{
	char path[256], other[256];
	uint32_t size = size_of(i);
	int fd;

	path_of(path, sizeof(path), i, false);
	path_of(other, sizeof(other), i, true);
	fd = (int)SYS(open(path, O_RDWR | O_CREAT | O_EXCL, 0644));
	if (fate(i) == OVERWRITTEN)
		write_range(fd, i, 0, size, true);
	write_range(fd, i, 0, size, false);
	if (fate(i) == APPENDED)
		write_range(fd, i, size, size + 5000, false);
	if (fate(i) == TRUNCATED)
		SYS(ftruncate(fd, (off_t)final_size(i)));
	if (i % 20 == 0)
		SYS(fsync(fd));
	SYS(close(fd));
	if (fate(i) == RENAMED)
		SYS(rename(path, other));
	if (fate(i) == REMOVED)
		SYS(unlink(path));
}

static void check_write(const void *arg)
{
	char path[256];

	(void)arg;
	snprintf(path, sizeof(path), "%s/stress", base);
	SYS(mkdir(path, 0755));
	for (unsigned d = 0; d < DIRS; d++) {
		snprintf(path, sizeof(path), "%s/stress/d%u", base, d);
		SYS(mkdir(path, 0755));
	}
	for (uint32_t i = 0; i < FILES; i++)
		write_file(i);
	sync();
}

static void check_verify(const void *arg)
{
	static uint8_t buf[65536];
	char path[256];

	(void)arg;
	for (uint32_t i = 0; i < FILES; i++) {
		uint32_t at = 0;
		ssize_t n;
		int fd;

		path_of(path, sizeof(path), i, fate(i) == RENAMED);
		fd = open(path, O_RDONLY);
		if (fate(i) == REMOVED) {
			CHECK(fd < 0 && errno == ENOENT, "%s is still there", path);
			continue;
		}
		CHECK(fd >= 0, "%s: %s", path, strerror(errno));
		while ((n = SYS(read(fd, buf, sizeof(buf)))) > 0)
			for (ssize_t k = 0; k < n; k++, at++)
				CHECK(buf[k] == content(i, at), "%s: byte %u is 0x%x, wanted 0x%x",
				      path, at, buf[k], content(i, at));
		CHECK(at == final_size(i), "%s: %u bytes, wanted %u", path, at, final_size(i));
		close(fd);
	}
}

/* Word k of the big file. */
static uint32_t big_word(uint32_t k)
{
	return k * 2654435761u ^ k >> 7;
}

static void big_path(char *path, size_t n)
{
	snprintf(path, n, "%s/big", base);
}

/* As much of BIG_MIB as the file system has room for. */
static uint32_t big_mib(void)
{
	struct statfs fs;
	uint64_t room;

	SYS(statfs(base, &fs));
	room = (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize >> 20;
	return room / 2 < BIG_MIB ? (uint32_t)(room / 2) : BIG_MIB;
}

static void check_big_write(const void *arg)
{
	static uint32_t buf[65536];
	uint32_t mib = big_mib(), k = 0;
	char path[256];
	int fd;

	(void)arg;
	if (!mib)
		test_skip("no room");
	big_path(path, sizeof(path));
	fd = (int)SYS(open(path, O_RDWR | O_CREAT | O_TRUNC, 0644));
	for (uint32_t n = 0; n < 4 * mib; n++) {
		for (unsigned j = 0; j < 65536; j++)
			buf[j] = big_word(k++);
		CHECK(write(fd, buf, sizeof(buf)) == sizeof(buf), "write: %s", strerror(errno));
	}
	SYS(fsync(fd));
	close(fd);
}

/* Read through a mapping. */
static void check_big_verify(const void *arg)
{
	char path[256];
	struct stat st;
	uint32_t *p;
	int fd;

	(void)arg;
	big_path(path, sizeof(path));
	fd = (int)SYS(open(path, O_RDONLY));
	SYS(fstat(fd, &st));
	CHECK(st.st_size > 0 && st.st_size % (1 << 20) == 0, "size %ld", (long)st.st_size);
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	SYS((intptr_t)p);
	for (uint32_t k = 0; k < (uint32_t)st.st_size / 4; k++)
		CHECK(p[k] == big_word(k), "word %u is 0x%x, wanted 0x%x", k, p[k], big_word(k));
}

/* A file written through a shared mapping, with a hole. */
static void check_mapped_write(const void *arg)
{
	char path[256];
	uint32_t *p;
	int fd;

	(void)arg;
	snprintf(path, sizeof(path), "%s/mapped", base);
	fd = (int)SYS(open(path, O_RDWR | O_CREAT | O_TRUNC, 0644));
	SYS(ftruncate(fd, 4 << 20));
	p = mmap(NULL, 4 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	SYS((intptr_t)p);
	for (uint32_t n = 0; n < 1024; n += 3)
		p[n * 1024 + n] = n + 1;
	SYS(msync(p, 4 << 20, MS_SYNC));
}

static void check_mapped_verify(const void *arg)
{
	static uint32_t page[1024];
	char path[256];
	int fd;

	(void)arg;
	snprintf(path, sizeof(path), "%s/mapped", base);
	fd = (int)SYS(open(path, O_RDONLY));
	for (uint32_t n = 0; n < 1024; n++) {
		CHECK(read(fd, page, 4096) == 4096, "page %u", n);
		for (uint32_t k = 0; k < 1024; k++)
			CHECK(page[k] == (n % 3 == 0 && k == n ? n + 1 : 0),
			      "page %u word %u is 0x%x", n, k, page[k]);
	}
}

static void check_remove(const void *arg)
{
	char path[512];
	unsigned left = 0;
	struct dirent *e;
	DIR *d;

	(void)arg;
	for (uint32_t i = 0; i < FILES; i++) {
		path_of(path, sizeof(path), i, fate(i) == RENAMED);
		if (fate(i) != REMOVED)
			SYS(unlink(path));
	}
	for (unsigned n = 0; n < DIRS; n++) {
		snprintf(path, sizeof(path), "%s/stress/d%u", base, n);
		SYS(rmdir(path));
	}
	snprintf(path, sizeof(path), "%s/stress", base);
	d = opendir(path);
	CHECK(d, "opendir: %s", strerror(errno));
	while ((e = readdir(d)))
		left++;
	CHECK(left == 2, "%u entries are left", left);
	closedir(d);
	SYS(rmdir(path));
	big_path(path, sizeof(path));
	SYS(unlink(path));
	snprintf(path, sizeof(path), "%s/mapped", base);
	SYS(unlink(path));
	sync();
}

void test_disk(const char *dir, const char *phase)
{
	base = dir;
	if (strcmp(phase, "phase1") == 0) {
		run_for(300, "disk: 300 files written, changed, renamed, removed", check_write,
			NULL);
		run_for(300, "disk: a file of 32 MiB written", check_big_write, NULL);
		run_for(300, "disk: a file written through a mapping", check_mapped_write, NULL);
		return;
	}
	run_for(300, "disk: 300 files verified", check_verify, NULL);
	run_for(300, "disk: the file of 32 MiB verified", check_big_verify, NULL);
	run_for(300, "disk: the mapped file verified", check_mapped_verify, NULL);
	run_for(300, "disk: everything removed", check_remove, NULL);
}
