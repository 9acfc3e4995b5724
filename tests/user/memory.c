/* SPDX-License-Identifier: BSD-2-Clause */
/* Address spaces: copy-on-write, mappings and their changes, brk, stacks. */
#define _GNU_SOURCE
#include "harness.h"
#include "trap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096 };

static uint32_t *map_at(void *where, unsigned pages, int prot, int flags)
{
	uint32_t *p = mmap(where, pages * PAGE, prot, MAP_ANONYMOUS | flags, -1, 0);

	SYS((intptr_t)p);
	return p;
}

static uint32_t *map(unsigned pages)
{
	return map_at(NULL, pages, PROT_READ | PROT_WRITE, MAP_PRIVATE);
}

/* Word i of page `page` of a pattern; never 0. */
static uint32_t word(uint32_t seed, uint32_t page, uint32_t i)
{
	return (seed * 2654435761u ^ page * 40503u ^ i * 97u) | 1;
}

/* Four words a page are enough to tell one page from another. */
static const uint32_t spots[] = { 0, 1, 511, 1023 };

static void fill(uint32_t *p, unsigned pages, uint32_t seed)
{
	for (uint32_t n = 0; n < pages; n++)
		for (unsigned s = 0; s < 4; s++)
			p[n * 1024 + spots[s]] = word(seed, n, spots[s]);
}

static void verify(const uint32_t *p, unsigned pages, uint32_t seed, const char *what)
{
	for (uint32_t n = 0; n < pages; n++)
		for (unsigned s = 0; s < 4; s++)
			CHECK(p[n * 1024 + spots[s]] == word(seed, n, spots[s]),
			      "%s: page %u word %u is 0x%x, wanted 0x%x", what, n, spots[s],
			      p[n * 1024 + spots[s]], word(seed, n, spots[s]));
}

static void verify_zero(const uint32_t *p, unsigned pages, const char *what)
{
	for (uint32_t n = 0; n < pages; n++)
		for (unsigned s = 0; s < 4; s++)
			CHECK(p[n * 1024 + spots[s]] == 0, "%s: page %u word %u is 0x%x, wanted 0",
			      what, n, spots[s], p[n * 1024 + spots[s]]);
}

/* Both sides write after the fork; neither sees the other. */
static void check_cow(const void *arg)
{
	enum { N = 2000 };
	uint32_t *p = map(N);
	int go[2];
	pid_t pid;
	char c;

	(void)arg;
	fill(p, N, 1);
	SYS(pipe(go));
	pid = (pid_t)SYS(fork());
	if (pid == 0) {
		verify(p, N / 2, 1, "child, before");
		fill(p, N / 2, 2);
		CHECK(read(go[0], &c, 1) == 1, "read");
		verify(p, N / 2, 2, "child, own half");
		for (uint32_t n = N / 2; n < N; n++)
			CHECK(p[n * 1024] == word(1, n, 0), "child: page %u changed", n);
		_exit(0);
	}
	fill(p + N / 2 * 1024, N / 2, 3);
	CHECK(write(go[1], "x", 1) == 1, "write");
	verify(p, N / 2, 1, "parent, child's half");
	verify(p + N / 2 * 1024, N / 2, 3, "parent, own half");
	wait_ok(pid);
}

/* A chain of forks, each of which changes one page. */
static void cow_chain(uint32_t *p, unsigned depth)
{
	pid_t pid;

	if (depth == 0)
		return;
	pid = (pid_t)SYS(fork());
	if (pid == 0) {
		p[depth * 1024] = depth;
		cow_chain(p, depth - 1);
		for (unsigned d = 1; d < depth; d++)
			CHECK(p[d * 1024] == 0, "depth %u sees the write of %u", depth, d);
		_exit(0);
	}
	wait_ok(pid);
	CHECK(p[depth * 1024] == 0, "depth %u: the parent sees it", depth);
}

static void check_cow_chain(const void *arg)
{
	uint32_t *p = map(16);

	(void)arg;
	verify_zero(p, 16, "new");
	cow_chain(p, 12);
}

/* The kernel writes to a copy-on-write page on behalf of a system call. */
static void check_cow_kernel(const void *arg)
{
	uint32_t *p = map(4);
	int fd[2];
	pid_t pid;

	(void)arg;
	fill(p, 4, 5);
	SYS(pipe(fd));
	CHECK(write(fd[1], "abcdefgh", 8) == 8, "write");
	pid = (pid_t)SYS(fork());
	if (pid == 0) {
		CHECK(read(fd[0], (char *)p + 2 * PAGE - 4, 8) == 8, "read");
		CHECK(!memcmp((char *)p + 2 * PAGE - 4, "abcdefgh", 8), "the child's data");
		_exit(0);
	}
	wait_ok(pid);
	verify(p, 4, 5, "parent");
}

static void check_zero(const void *arg)
{
	uint32_t *p = map(300);

	(void)arg;
	verify_zero(p, 100, "new");
	fill(p, 300, 7);
	verify(p, 300, 7, "filled");
	SYS(madvise(p, 150 * PAGE, MADV_DONTNEED));
	verify_zero(p, 150, "after MADV_DONTNEED");
	fill(p, 150, 8);
	map_at(p, 150, PROT_READ, MAP_PRIVATE | MAP_FIXED);
	verify_zero(p, 150, "after MAP_FIXED");
	for (uint32_t n = 150; n < 300; n++)
		CHECK(p[n * 1024] == word(7, n, 0), "page %u changed", n);
}

SNIPPET(touch_read, "", "movl (%eax), %ecx", "");
SNIPPET(touch_write, "", "movl $1, (%eax)", "");

static void expect(const char *code, const uint32_t *p, int sig, int si_code, const char *what)
{
	struct trap t = snippet_run(code, (uint32_t)(uintptr_t)p);

	CHECK(t.sig == sig, "%s: signal %d, wanted %d", what, t.sig, sig);
	if (sig)
		CHECK(t.code == si_code && t.addr == (uint32_t)(uintptr_t)p,
		      "%s: si_code %d si_addr 0x%x", what, t.code, t.addr);
}

/* Every third page is made read-only, every third goes away. */
static void check_mprotect(const void *arg)
{
	enum { N = 90 };
	uint32_t *p = map(N);

	(void)arg;
	fill(p, N, 11);
	for (unsigned n = 0; n < N; n++) {
		if (n % 3 == 1)
			SYS(mprotect(p + n * 1024, PAGE, PROT_READ));
		if (n % 3 == 2)
			SYS(munmap(p + n * 1024, PAGE));
	}
	for (unsigned n = 0; n < N; n++) {
		uint32_t *q = p + n * 1024 + 8;

		expect(touch_read, q, n % 3 == 2 ? SIGSEGV : 0, SEGV_MAPERR, "read");
		if (n % 3 == 0)
			expect(touch_write, q, 0, 0, "write");
		else
			expect(touch_write, q, SIGSEGV, n % 3 == 1 ? SEGV_ACCERR : SEGV_MAPERR,
			       "write");
	}
	for (unsigned n = 1; n < N; n += 3)
		SYS(mprotect(p + n * 1024, PAGE, PROT_READ | PROT_WRITE));
	for (unsigned n = 1; n < N; n += 3) {
		CHECK(p[n * 1024] == word(11, n, 0), "page %u changed", n);
		expect(touch_write, p + n * 1024 + 8, 0, 0, "write again");
	}
	SYS(mprotect(p, PAGE, PROT_NONE));
	expect(touch_read, p, SIGSEGV, SEGV_ACCERR, "PROT_NONE");
	SYS(mprotect(p, PAGE, PROT_READ));
	CHECK(p[0] == word(11, 0, 0), "page 0 after PROT_NONE");
}

static void check_mremap(const void *arg)
{
	uint32_t *p = map(64), *q;

	(void)arg;
	fill(p, 64, 13);
	q = mremap(p, 64 * PAGE, 512 * PAGE, MREMAP_MAYMOVE);
	SYS((intptr_t)q);
	verify(q, 64, 13, "grown");
	verify_zero(q + 64 * 1024, 448, "the new part");
	if (q != p)
		expect(touch_read, p, SIGSEGV, SEGV_MAPERR, "the old place");
	p = map(64);
	q = mremap(q, 64 * PAGE, 64 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, p);
	CHECK(q == p, "moved to %p, wanted %p", (void *)q, (void *)p);
	verify(q, 64, 13, "moved");
	q = mremap(q, 64 * PAGE, 10 * PAGE, 0);
	verify(q, 10, 13, "shrunk");
	expect(touch_read, q + 10 * 1024, SIGSEGV, SEGV_MAPERR, "behind the shrunk mapping");
}

/* One file mapped twice, privately too, and shared with a child. */
static void check_shared(const void *arg)
{
	char path[] = "/tmp/usertest.XXXXXX";
	uint32_t *a, *b, *c, *anon = map_at(NULL, 4, PROT_READ | PROT_WRITE, MAP_SHARED), got;
	int fd = (int)SYS(mkstemp(path));
	pid_t pid;

	(void)arg;
	unlink(path);
	SYS(ftruncate(fd, 16 * PAGE));
	a = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	b = mmap(NULL, 16 * PAGE, PROT_READ, MAP_SHARED, fd, 0);
	c = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	CHECK(a != MAP_FAILED && b != MAP_FAILED && c != MAP_FAILED, "mmap of a file");
	fill(a, 16, 17);
	verify(b, 16, 17, "the second mapping");
	verify(c, 16, 17, "the private mapping");
	c[5 * 1024] = 1;
	CHECK(a[5 * 1024] == word(17, 5, 0), "a private write came through");
	CHECK(pread(fd, &got, 4, 3 * PAGE) == 4 && got == word(17, 3, 0), "pread gave 0x%x", got);
	got = 0xfeedface;
	CHECK(pwrite(fd, &got, 4, 3 * PAGE) == 4 && b[3 * 1024] == got, "after pwrite: 0x%x",
	      b[3 * 1024]);
	pid = (pid_t)SYS(fork());
	if (pid == 0) {
		fill(anon, 4, 19);
		fill(a, 16, 23);
		_exit(0);
	}
	wait_ok(pid);
	verify(anon, 4, 19, "shared anonymous memory");
	verify(b, 16, 23, "a file written by the child");
	/* Beyond the end of the file. */
	SYS(ftruncate(fd, 2 * PAGE));
	expect(touch_read, a + 8 * 1024, SIGBUS, BUS_ADRERR, "beyond the end of the file");
}

/* MAP_FIXED over a part of a mapping that is in use. */
static void check_fixed(const void *arg)
{
	uint32_t *p = map(64);

	(void)arg;
	for (uint32_t round = 0; round < 50; round++) {
		unsigned at = round * 7 % 48;

		fill(p, 64, round);
		map_at(p + at * 1024, 16, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED);
		verify_zero(p + at * 1024, 16, "the new mapping");
		verify(p, at, round, "before the new mapping");
		for (uint32_t n = at + 16; n < 64; n++)
			CHECK(p[n * 1024] == word(round, n, 0), "page %u behind it", n);
	}
}

/* Code that is written, run, and written again. */
static void check_code(const void *arg)
{
	uint8_t *code = (uint8_t *)map_at(NULL, 2, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE);
	uint32_t (*fn)(void) = (uint32_t (*)(void))(uintptr_t)(code + PAGE - 3);

	(void)arg;
	for (uint32_t i = 1; i < 500; i++) {
		code[PAGE - 3] = 0xb8;	/* mov $i,%eax across the page boundary; ret */
		memcpy(code + PAGE - 2, &i, 4);
		code[PAGE + 2] = 0xc3;
		CHECK(fn() == i, "the code of round %u gave %u", i, fn());
	}
	SYS(mprotect(code, 2 * PAGE, PROT_READ | PROT_EXEC));
	CHECK(fn() == 499, "read-only code");
}

static void check_brk(const void *arg)
{
	char *old = sbrk(0);
	uint32_t *p;

	(void)arg;
	CHECK(sbrk(400 * PAGE) == old, "sbrk moved");
	p = (uint32_t *)(((uintptr_t)old + PAGE - 1) & ~(uintptr_t)(PAGE - 1));
	verify_zero(p, 399, "new");
	fill(p, 399, 29);
	verify(p, 399, 29, "filled");
	CHECK(brk(old) == 0, "brk back");
	expect(touch_read, p + 10 * 1024, SIGSEGV, SEGV_MAPERR, "above the break");
	CHECK(sbrk(400 * PAGE) == old, "sbrk again");
	verify_zero(p, 399, "new again");
}

static uint32_t __attribute__((noinline)) descend(unsigned depth)
{
	volatile uint32_t block[1024];

	block[0] = depth;
	block[1023] = depth * 3;
	if (depth)
		return descend(depth - 1) + block[1023] - 3 * block[0];
	return 1234;
}

static void check_stack(const void *arg)
{
	(void)arg;
	CHECK(descend(1500) == 1234, "a deep stack");	/* 6 MiB */
}

/* The stack does not grow beyond its limit: SIGSEGV. */
static void check_stack_limit(const void *arg)
{
	struct rlimit limit = { 256 * 1024, 256 * 1024 };
	pid_t pid;
	int status;

	(void)arg;
	pid = (pid_t)SYS(fork());
	if (pid == 0) {
		SYS(setrlimit(RLIMIT_STACK, &limit));
		descend(100000);
		_exit(0);
	}
	SYS(waitpid(pid, &status, 0));
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV, "status 0x%x", status);
}

/* Many small mappings, so that neighbours cannot be merged. */
static void check_many(const void *arg)
{
	enum { N = 2000 };
	uint32_t *p = map(2 * N);

	(void)arg;
	for (unsigned n = 0; n < N; n++)
		SYS(mprotect(p + 2 * n * 1024, PAGE, PROT_READ));
	for (uint32_t n = 0; n < N; n++)
		p[(2 * n + 1) * 1024] = n;
	for (uint32_t n = 0; n < N; n++) {
		CHECK(p[2 * n * 1024] == 0, "page %u", 2 * n);
		CHECK(p[(2 * n + 1) * 1024] == n, "page %u", 2 * n + 1);
	}
	for (unsigned n = 0; n < N; n++)
		SYS(munmap(p + 2 * n * 1024, PAGE));
	for (uint32_t n = 0; n < N; n++)
		CHECK(p[(2 * n + 1) * 1024] == n, "page %u afterwards", 2 * n + 1);
}

static unsigned free_mib(void)
{
	unsigned kib = 0;
	char line[128];
	FILE *f = fopen("/proc/meminfo", "r");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "MemAvailable: %u", &kib) == 1)
			break;
	if (f)
		fclose(f);
	return kib / 1024;
}

static void touch(const void *arg)
{
	unsigned mib = *(const unsigned *)arg;
	uint32_t *p = map(mib * 256);

	fill(p, mib * 256, 31);
	verify(p, mib * 256, 31, "memory");
}

static void check_big(const void *arg)
{
	unsigned mib = free_mib() / 2;

	(void)arg;
	if (mib > 128)
		mib = 128;
	if (mib < 8)
		test_skip("%u MiB of memory available", 2 * mib);
	touch(&mib);
}

void test_touch(unsigned mib)
{
	char name[64];

	snprintf(name, sizeof(name), "memory: write and verify %u MiB", mib);
	run_for(600, name, touch, &mib);
}

/* Unmapping and mapping again at the same place must not show old pages. */
static void check_reuse(const void *arg)
{
	uint32_t *p = map(32);

	(void)arg;
	for (uint32_t round = 0; round < 200; round++) {
		fill(p, 32, round);
		SYS(munmap(p, 32 * PAGE));
		CHECK(map_at(p, 32, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED) == p, "mmap");
		verify_zero(p, 32, "mapped again");
	}
}

void test_memory(void)
{
	run("memory: copy on write, both directions", check_cow, NULL);
	run("memory: copy on write, a chain of forks", check_cow_chain, NULL);
	run("memory: copy on write by the kernel", check_cow_kernel, NULL);
	run("memory: new pages are zero", check_zero, NULL);
	run("memory: mprotect and munmap in a pattern", check_mprotect, NULL);
	run("memory: mremap grows, moves, shrinks", check_mremap, NULL);
	run("memory: shared and private file mappings", check_shared, NULL);
	run("memory: MAP_FIXED over a mapping", check_fixed, NULL);
	run("memory: code that changes, across a page boundary", check_code, NULL);
	run("memory: brk", check_brk, NULL);
	run("memory: stack growth", check_stack, NULL);
	run("memory: stack limit", check_stack_limit, NULL);
	run("memory: 4000 small mappings", check_many, NULL);
	run("memory: unmap and map again", check_reuse, NULL);
	run("memory: up to 128 MiB written and verified", check_big, NULL);
}
