/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The micro-benchmark: prints "BENCH name value unit" lines.  Runs as an
 * ordinary program, and as /init of an initrd, where it mounts what it needs,
 * says "BENCH-INIT" first of all, and powers the machine off at the end.  A word
 * as argument, or row=WORD on the kernel's command line, chooses the rows that
 * have it in their names.
 *
 * Build, for i386 and for x86-64:
 *	gcc -m32 -O2 -msse2 -mfpmath=sse -static -o micro-i386 micro.c
 *	gcc -m64 -O2 -static -o micro-amd64 micro.c
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	STEPS = 50000000,	/* of the computing rows */
	FAULT_PAGES = 4096,
	EXIT_PORT = 0x501,	/* LilyVM's; QEMU's isa-debug-exit */
};

/* A row has to take this long to be believed. */
static const double min_seconds = 0.25;

static void die(const char *what)
{
	fprintf(stderr, "micro: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* What a row's operation works on. */
struct bench {
	int zero, file;			/* /dev/zero; a file in memory */
	int to[2], from[2];		/* pipes to and from the echo process */
	pid_t echo;
	char buf[4096];
};

/* Each operation is done n times. */
typedef void op_fn(struct bench *b, unsigned n);

#ifdef __i386__
/* System calls by the instruction, and by what the kernel offers: sysenter, if
 * the processor has it. */
static void op_getppid_int80(struct bench *b, unsigned n)
{
	long result;

	(void)b;
	while (n--)
		__asm__ volatile("int $0x80" : "=a"(result) : "a"(SYS_getppid) : "memory");
}

static void op_getppid(struct bench *b, unsigned n)
{
	unsigned long entry = getauxval(AT_SYSINFO);
	long result;

	if (!entry) {
		op_getppid_int80(b, n);
		return;
	}
	while (n--)
		__asm__ volatile("call *%1"
				 : "=a"(result)
				 : "r"(entry), "a"(SYS_getppid)
				 : "memory");
}
#else
static void op_getppid(struct bench *b, unsigned n)
{
	(void)b;
	while (n--)
		syscall(SYS_getppid);
}
#endif

/* Steps that depend on each other, so that no processor does two at once. */
static void op_integer(struct bench *b, unsigned n)
{
	uint32_t x = (uint32_t)getpid();

	(void)b;
	while (n--)
		for (unsigned i = 0; i < STEPS; i++)
			__asm__ volatile("imull $1664525, %0, %0\n\taddl $1013904223, %0"
					 : "+r"(x)
					 :
					 : "cc");
}

static void op_divide(struct bench *b, unsigned n)
{
	double x = 1.5;

	(void)b;
	while (n--)
		for (unsigned i = 0; i < STEPS; i++) {
			x = 3.0 / (x + 0.5);
			__asm__ volatile("" : "+x"(x));
		}
}

static void op_read_zero(struct bench *b, unsigned n)
{
	while (n--)
		if (read(b->zero, b->buf, sizeof(b->buf)) != sizeof(b->buf))
			die("read /dev/zero");
}

static void op_tmpfs(struct bench *b, unsigned n)
{
	while (n--)
		if (pwrite(b->file, b->buf, sizeof(b->buf), 0) != sizeof(b->buf) ||
		    pread(b->file, b->buf, sizeof(b->buf), 0) != sizeof(b->buf))
			die("tmpfs");
}

static void op_pipe(struct bench *b, unsigned n)
{
	char c = 'x';

	while (n--)
		if (write(b->to[1], &c, 1) != 1 || read(b->from[0], &c, 1) != 1)
			die("pipe");
}

static void op_fault(struct bench *b, unsigned n)
{
	(void)b;
	while (n--) {
		volatile char *p = mmap(NULL, FAULT_PAGES * 4096, PROT_READ | PROT_WRITE,
					MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED)
			die("mmap");
		madvise((void *)p, FAULT_PAGES * 4096, MADV_NOHUGEPAGE);
		for (unsigned i = 0; i < FAULT_PAGES; i++)
			p[i * 4096] = 1;
		munmap((void *)p, FAULT_PAGES * 4096);
	}
}

static void op_mmap(struct bench *b, unsigned n)
{
	(void)b;
	while (n--) {
		volatile char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
					MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED)
			die("mmap");
		*p = 1;
		munmap((void *)p, 4096);
	}
}

static void wait_for(pid_t pid)
{
	int status;

	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		die("child");
}

static void op_fork(struct bench *b, unsigned n)
{
	(void)b;
	while (n--) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(0);
		wait_for(pid);
	}
}

static void op_exec(struct bench *b, unsigned n)
{
	(void)b;
	while (n--) {
		pid_t pid = fork();

		if (pid == 0) {
			execl("/proc/self/exe", "micro", "exit", (char *)NULL);
			_exit(1);
		}
		wait_for(pid);
	}
}

static const struct row {
	const char *name;
	op_fn *op;
	double per_op;		/* what is measured, in one operation */
	const char *unit;
	double scale;		/* units a second */
} rows[] = {
#ifdef __i386__
	{ "getppid-int80", op_getppid_int80, 1, "us", 1e6 },
#endif
	{ "getppid", op_getppid, 1, "us", 1e6 },
	{ "integer-50M", op_integer, 1, "ms", 1e3 },
	{ "divide-50M", op_divide, 1, "ms", 1e3 },
	{ "read-zero-4K", op_read_zero, 1, "us", 1e6 },
	{ "tmpfs-4K", op_tmpfs, 1, "us", 1e6 },
	{ "pipe-ping-pong", op_pipe, 1, "us", 1e6 },
	{ "page-fault", op_fault, FAULT_PAGES, "us", 1e6 },
	{ "mmap-touch-munmap", op_mmap, 1, "us", 1e6 },
	{ "fork-wait", op_fork, 1, "us", 1e6 },
	{ "fork-exec-wait", op_exec, 1, "us", 1e6 },
};

/* The least time an operation took, of five rounds that are long enough. */
static double measure(struct bench *b, op_fn *op)
{
	double best = 1e9, took;
	unsigned n = 1;

	op(b, 1);
	for (;; n *= 2) {
		double start = now();

		op(b, n);
		took = now() - start;
		if (took >= min_seconds / 5)
			break;
	}
	best = took / n;
	for (int round = 1; round < 5; round++) {
		double start = now();

		op(b, n);
		took = (now() - start) / n;
		if (took < best)
			best = took;
	}
	return best;
}

static void bench_open(struct bench *b)
{
	char c;

	memset(b, 0, sizeof(*b));
	b->zero = open("/dev/zero", O_RDONLY);
	b->file = memfd_create("micro", 0);
	if (b->zero < 0 || b->file < 0 || pipe(b->to) || pipe(b->from))
		die("/dev/zero, memfd or pipe");
	b->echo = fork();
	if (b->echo < 0)
		die("fork");
	if (b->echo > 0)
		return;
	close(b->to[1]);
	while (read(b->to[0], &c, 1) == 1 && write(b->from[1], &c, 1) == 1)
		;
	_exit(0);
}

static void bench_close(struct bench *b)
{
	close(b->to[1]);
	waitpid(b->echo, NULL, 0);
}

/* As process 1: a console, the marker, then the file systems. */
static void become_init(void)
{
	int fd;

	mkdir("/dev", 0755);
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	fd = open("/dev/console", O_RDWR);
	for (int i = 0; fd >= 0 && i < 3; i++)
		dup2(fd, i);
	printf("\nBENCH-INIT\n");
	fflush(stdout);
	mkdir("/proc", 0755);
	mount("proc", "/proc", "proc", 0, NULL);
}

static void power_off(void)
{
	int fd = open("/dev/port", O_WRONLY);

	if (fd >= 0 && pwrite(fd, "", 1, EXIT_PORT) != 1)
		perror("micro: exit port");
	reboot(RB_POWER_OFF);
}

int main(int argc, char **argv)
{
	const bool init = getpid() == 1;
	const char *only = init ? getenv("row") : argc > 1 ? argv[1] : NULL;
	struct bench b;

	if (argc > 1 && strcmp(argv[1], "exit") == 0)
		return 0;
	if (init)
		become_init();
	bench_open(&b);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (only && !strstr(rows[i].name, only))
			continue;
		printf("BENCH %s %.3f %s\n", rows[i].name,
		       measure(&b, rows[i].op) / rows[i].per_op * rows[i].scale, rows[i].unit);
		fflush(stdout);
	}
	bench_close(&b);
	printf("BENCH-END\n");
	fflush(stdout);
	if (init)
		power_off();
	return 0;
}
