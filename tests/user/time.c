/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Clocks and sleeping.  The upper bounds are wide: the machine may be busy.
 * What must hold is that time goes on, forward, and at the rate of the clock.
 */
#define _GNU_SOURCE
#include "harness.h"

#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static uint64_t now_ns(clockid_t clock)
{
	struct timespec t;

	SYS(clock_gettime(clock, &t));
	CHECK(t.tv_nsec >= 0 && t.tv_nsec < 1000000000, "tv_nsec %ld", t.tv_nsec);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void check_monotonic(const void *arg)
{
	const clockid_t clock = *(const clockid_t *)arg;
	uint64_t first = now_ns(clock), last = first;

	for (int i = 0; i < 100000; i++) {
		uint64_t now = now_ns(clock);

		CHECK(now >= last, "%llu ns back after %d readings",
		      (unsigned long long)(last - now), i);
		last = now;
	}
	CHECK(last > first, "the clock stands");
	CHECK(last - first < 60000000000ull, "%llu ns for 100000 readings",
	      (unsigned long long)(last - first));
}

/* The vdso's clock and the system call agree. */
static void check_vdso(const void *arg)
{
	struct timespec t;

	(void)arg;
	for (int i = 0; i < 1000; i++) {
		uint64_t before = now_ns(CLOCK_MONOTONIC), between;

		SYS(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &t));
		between = (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
		CHECK(between >= before && between <= now_ns(CLOCK_MONOTONIC),
		      "the system call says %lld ns after the vdso", (long long)(between - before));
	}
}

static void check_sleep(const void *arg)
{
	static const long ms[] = { 1, 10, 50, 200 };

	(void)arg;
	for (unsigned i = 0; i < sizeof(ms) / sizeof(ms[0]); i++) {
		struct timespec t = { 0, ms[i] * 1000000 };
		uint64_t start = now_ns(CLOCK_MONOTONIC), took;

		SYS(nanosleep(&t, NULL));
		took = (now_ns(CLOCK_MONOTONIC) - start) / 1000;
		CHECK(took >= (uint64_t)ms[i] * 1000, "%ld ms took %llu us", ms[i],
		      (unsigned long long)took);
		CHECK(took < (uint64_t)ms[i] * 1000 + 500000, "%ld ms took %llu us", ms[i],
		      (unsigned long long)took);
	}
}

/* CPU time runs while computing and stands while sleeping. */
static void check_cpu_time(const void *arg)
{
	uint64_t start = now_ns(CLOCK_PROCESS_CPUTIME_ID), slept, wall;

	(void)arg;
	usleep(300000);
	slept = now_ns(CLOCK_PROCESS_CPUTIME_ID) - start;
	CHECK(slept < 150000000, "%llu ns of CPU time in 300 ms of sleep",
	      (unsigned long long)slept);
	start = now_ns(CLOCK_PROCESS_CPUTIME_ID);
	wall = now_ns(CLOCK_MONOTONIC);
	while (now_ns(CLOCK_MONOTONIC) - wall < 300000000)
		;
	start = now_ns(CLOCK_PROCESS_CPUTIME_ID) - start;
	CHECK(start > 50000000, "%llu ns of CPU time in 300 ms of computing",
	      (unsigned long long)start);
}

/* The date is later than that of this source, and the clocks run alike. */
static void check_date(const void *arg)
{
	uint64_t real = now_ns(CLOCK_REALTIME), mono = now_ns(CLOCK_MONOTONIC);
	int64_t drift;

	(void)arg;
	CHECK(real / 1000000000 > 1767225600, "the date is %llu s after 1970",
	      (unsigned long long)(real / 1000000000));	/* 2026-01-01 */
	usleep(300000);
	drift =
	    (int64_t)(now_ns(CLOCK_REALTIME) - real) - (int64_t)(now_ns(CLOCK_MONOTONIC) - mono);
	CHECK(drift < 50000000 && drift > -50000000, "the clocks differ by %lld ns in 300 ms",
	      (long long)drift);
}

/* Interval timers keep their rate. */
static void check_timer(const void *arg)
{
	struct itimerspec every = { { 0, 10000000 }, { 0, 10000000 } };
	struct sigevent ev = { .sigev_notify = SIGEV_NONE };
	struct itimerspec left;
	timer_t timer;

	(void)arg;
	SYS(timer_create(CLOCK_MONOTONIC, &ev, &timer));
	SYS(timer_settime(timer, 0, &every, NULL));
	for (int i = 0; i < 20; i++) {
		usleep(7000);
		SYS(timer_gettime(timer, &left));
		CHECK(left.it_value.tv_sec == 0 && left.it_value.tv_nsec <= 10000000, "%ld ns left",
		      left.it_value.tv_nsec);
	}
}

void test_time(void)
{
	static const clockid_t monotonic = CLOCK_MONOTONIC, real = CLOCK_REALTIME,
			       boot = CLOCK_BOOTTIME;

	run("time: CLOCK_MONOTONIC goes forward", check_monotonic, &monotonic);
	run("time: CLOCK_REALTIME goes forward", check_monotonic, &real);
	run("time: CLOCK_BOOTTIME goes forward", check_monotonic, &boot);
	run("time: the vdso and the system call agree", check_vdso, NULL);
	run("time: nanosleep", check_sleep, NULL);
	run("time: CPU time", check_cpu_time, NULL);
	run("time: date and drift", check_date, NULL);
	run("time: timers", check_timer, NULL);
}
