/* SPDX-License-Identifier: BSD-2-Clause */
/* Clocks, the time-stamp counter, CPUID and CPU affinity. */
#define _GNU_SOURCE
#include "hostos/hostos.h"

#include <asm/prctl.h>
#include <cpuid.h>
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

static uint64_t clock_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

uint64_t host_now(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

int64_t host_wallclock(void)
{
	return clock_ns(CLOCK_REALTIME) / 1000000000;
}

static uint64_t usage_ns(int who)
{
	struct rusage ru;

	getrusage(who, &ru);
	return (uint64_t)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) * 1000000000 +
	       (uint64_t)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) * 1000;
}

uint64_t host_cpu_time(void)
{
	return usage_ns(RUSAGE_SELF) + usage_ns(RUSAGE_CHILDREN);
}

/* Guest code's CPUID faults where it can, and the monitor's with it. */
void host_cpuid(uint32_t leaf, uint32_t sub, uint32_t r[4])
{
	bool faults = !syscall(SYS_arch_prctl, ARCH_GET_CPUID);

	if (faults)
		syscall(SYS_arch_prctl, ARCH_SET_CPUID, 1);
	__cpuid_count(leaf, sub, r[0], r[1], r[2], r[3]);
	if (faults)
		syscall(SYS_arch_prctl, ARCH_SET_CPUID, 0);
}

/* SDM 3, 19.7.3: TSC frequency = crystal * EBX / EAX of leaf 15H. Otherwise
 * compare with the monotonic clock for 10 ms. */
uint64_t host_tsc_hz(void)
{
	uint32_t r[4];
	uint64_t t0, t1, c0, c1;

	host_cpuid(0, 0, r);
	if (r[0] >= 0x15) {
		host_cpuid(0x15, 0, r);
		if (r[0] && r[1] && r[2])
			return (uint64_t)r[2] * r[1] / r[0];
	}
	t0 = host_now();
	c0 = __rdtsc();
	do
		t1 = host_now();
	while (t1 - t0 < 10000000);
	c1 = __rdtsc();
	return (unsigned __int128)(c1 - c0) * 1000000000 / (t1 - t0);
}

_Static_assert(sizeof(struct host_cpus) == sizeof(cpu_set_t), "both are bit masks");

int host_pin(int cpu, struct host_cpus *others, struct error *e)
{
	bool chosen = cpu < 0;		/* only for speed: a refusal is no failure */
	cpu_set_t set, allowed;

	CPU_ZERO(&set);
	CPU_ZERO(&allowed);
	memset(others, 0, sizeof *others);
	if (chosen) {
		/* Stay where the scheduler put us, which is an allowed CPU. */
		cpu = sched_getcpu();
		if (cpu < 0)
			return 0;
		if (cpu < CPU_SETSIZE && !sched_getaffinity(0, sizeof allowed, &allowed))
			CPU_CLR(cpu, &allowed);
		memcpy(others, &allowed, sizeof *others);
	}
	if (cpu >= CPU_SETSIZE)
		return fail(e, ST_USAGE, "--cpu-affinity %d: no such CPU", cpu);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof set, &set) && !chosen)
		return fail(e, ST_USAGE, "--cpu-affinity %d: %s; "
			    "see which CPUs are allowed with `taskset -p $$`",
			    cpu, strerror(errno));
	return 0;
}
