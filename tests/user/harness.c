/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "harness.h"

#include <cpuid.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { EXIT_FAILED = 1, EXIT_SKIPPED = 77 };

/* What the run has counted, and the message of the test under way, which its
 * child leaves in shared memory. */
static struct {
	const char *only;
	unsigned count, passed, skipped, failed;
	char *message;
} tap;

enum { MESSAGE_SIZE = 4096 };

static void leave(int status, const char *fmt, va_list ap)
{
	char text[MESSAGE_SIZE];

	vsnprintf(text, sizeof(text), fmt, ap);
	if (tap.message && !tap.message[0])
		memcpy(tap.message, text, sizeof(text));
	_exit(status);
}

void test_fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	leave(EXIT_FAILED, fmt, ap);
	va_end(ap);
	abort();
}

void test_skip(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	leave(EXIT_SKIPPED, fmt, ap);
	va_end(ap);
	abort();
}

long sys_result(long result, const char *what)
{
	if (result == -1)
		test_fail("%s: %s", what, strerror(errno));
	return result;
}

void wait_ok(int pid)
{
	int status;

	SYS(waitpid(pid, &status, 0));
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return;
	if (WIFSIGNALED(status))
		test_fail("child ended by signal %d", WTERMSIG(status));
	test_fail("child status 0x%x", status);
}

/* Linux 2.4 has no monotonic clock. */
static void clock_now(struct timespec *t)
{
	if (clock_gettime(CLOCK_MONOTONIC, t))
		clock_gettime(CLOCK_REALTIME, t);
}

/* Waits for pid until the limit has passed; false: it had to be killed. */
static bool wait_limited(pid_t pid, unsigned seconds, const sigset_t *sigchld, int *status)
{
	struct timespec now, end, left;
	pid_t got;

	clock_now(&end);
	end.tv_sec += seconds;
	while ((got = waitpid(pid, status, WNOHANG)) == 0) {
		clock_now(&now);
		if (now.tv_sec >= end.tv_sec) {
			kill(-pid, SIGKILL);
			kill(pid, SIGKILL);
			waitpid(pid, status, 0);
			return false;
		}
		left = (struct timespec){ .tv_sec = 1 };
		sigtimedwait(sigchld, NULL, &left);
	}
	return got == pid;
}

static void report(const char *name, bool in_time, int status)
{
	const char *sep = tap.message[0] ? ": " : "";

	tap.count++;
	if (in_time && WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		tap.passed++;
		printf("ok %u - %s\n", tap.count, name);
	} else if (in_time && WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SKIPPED) {
		tap.skipped++;
		printf("ok %u - %s # SKIP %s\n", tap.count, name, tap.message);
	} else {
		tap.failed++;
		printf("not ok %u - %s: got ", tap.count, name);
		if (!in_time)
			printf("no end within the time limit%s%s\n", sep, tap.message);
		else if (WIFSIGNALED(status))
			printf("signal %d%s%s\n", WTERMSIG(status), sep, tap.message);
		else
			printf("%s\n", tap.message[0] ? tap.message : "a bad exit status");
	}
	fflush(stdout);
}

void run_for(unsigned seconds, const char *name, test_fn *fn, const void *arg)
{
	sigset_t sigchld, old;
	bool in_time;
	int status = 0;
	pid_t pid;

	if (tap.only && !strstr(name, tap.only))
		return;
	if (!tap.message) {
		tap.message = mmap(NULL, MESSAGE_SIZE, PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		if (tap.message == MAP_FAILED) {
			perror("usertest: mmap");
			exit(2);
		}
	}
	tap.message[0] = 0;
	sigemptyset(&sigchld);
	sigaddset(&sigchld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &sigchld, &old);
	pid = fork();
	if (pid == 0) {
		setpgid(0, 0);
		sigprocmask(SIG_SETMASK, &old, NULL);
		fn(arg);
		_exit(0);
	}
	if (pid < 0) {
		snprintf(tap.message, MESSAGE_SIZE, "fork: %s", strerror(errno));
		report(name, true, EXIT_FAILED << 8);
	} else {
		setpgid(pid, pid);
		in_time = wait_limited(pid, seconds, &sigchld, &status);
		kill(-pid, SIGKILL);
		report(name, in_time, status);
	}
	/* Orphans of the test, if this is process 1 or a subreaper. */
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	sigprocmask(SIG_SETMASK, &old, NULL);
}

void run(const char *name, test_fn *fn, const void *arg)
{
	run_for(60, name, fn, arg);
}

void run_only(const char *pattern)
{
	tap.only = pattern;
}

int run_summary(void)
{
	printf("1..%u\n", tap.count);
	if (tap.skipped)
		printf("# skipped: %u\n", tap.skipped);
	printf("usertest: %u passed, %u failed\n", tap.passed, tap.failed);
	fflush(stdout);
	return tap.failed || !tap.count;
}

/* Is the processor that of the hypervisor with this 12-character signature? */
static bool hypervisor_is(const char *signature)
{
	unsigned a, b, c, d;
	char got[12];

	__cpuid(1, a, b, c, d);
	if (!(c & 1u << 31))
		return false;
	__cpuid(0x40000000, a, b, c, d);
	memcpy(got, &b, 4);
	memcpy(got + 4, &c, 4);
	memcpy(got + 8, &d, 4);
	return !memcmp(got, signature, sizeof(got));
}

bool cpu_is_tcg(void)
{
	return hypervisor_is("TCGTCGTCGTCG");
}

/* Where the host cannot make cpuid fault, only the one who started the machine knows:
 * the kernel's command line says vm=lilyvm. */
bool cpu_is_lilyvm(void)
{
	static int told = -1;
	char line[1024] = "";
	FILE *f;

	if (told < 0) {
		f = fopen("/proc/cmdline", "r");
		told = f && fgets(line, sizeof(line), f) && strstr(line, " vm=lilyvm");
		if (f)
			fclose(f);
	}
	return told || hypervisor_is("LilyVMLilyVM");
}

bool cpu_has_sse2(void)
{
	const unsigned sse2 = 1u << 26, fxsr = 1u << 24;
	unsigned a, b, c, d;

	__cpuid(1, a, b, c, d);
	return (d & sse2) && (d & fxsr);
}

bool kernel_is_64bit(void)
{
	struct utsname u;

	return uname(&u) == 0 && strcmp(u.machine, "x86_64") == 0;
}
