/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The filters of children: what a hostile monitor can tell their stubs to do.  (The
 * monitor's own is tested by tests/robust/sandbox.test.)  Each call is made by a process of
 * its own.
 */
#define _GNU_SOURCE
#include "hostos/linux/sandbox_filter.h"

#include <check.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define NUMBERS 600
#define X32_BIT 0x40000000
#define ARGS 6

/* Arguments that a filter must not let through where it looks at them. */
static const long shapes[][ARGS] = {
	{ -1, -1, -1, -1, -1, -1 }, { 0, 0, 0, 0, 0, 0 }, { 1, 1, 1, 1, 1, 1 },
	{ 0x7000000000, 4096, 7, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0 },
	{ SIGCHLD, 0, 0, 0, 0, 0 },
	{ PR_SET_NO_NEW_PRIVS + 1, 0, 0, 0, 0, 0 },
};
#define SHAPES (sizeof shapes / sizeof *shapes)

static long native(long nr, const long *a)
{
	register long r10 __asm__("r10") = a[3], r8 __asm__("r8") = a[4], r9 __asm__("r9") = a[5];
	long r;

	__asm__ volatile("syscall" : "=a"(r) : "a"(nr), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10),
			 "r"(r8), "r"(r9) : "rcx", "r11", "memory");
	return r;
}

static long x32(long nr, const long *a)
{
	return native(nr | X32_BIT, a);
}

static long ia32(long nr, const long *a)
{
	long r;

	__asm__ volatile("int $0x80" : "=a"(r) : "a"(nr), "b"(a[0]), "c"(a[1]), "d"(a[2]),
			 "S"(a[3]), "D"(a[4]) : "memory", "r8", "r9", "r10", "r11");
	return r;
}

/* Does the call come back, or end the process as it would anyway? */
static bool passes(int (*load)(void), long (*make)(long, const long *), long nr, const long *a)
{
	pid_t pid = fork();
	int status;

	ck_assert_int_ge(pid, 0);
	if (!pid) {
		const long none[ARGS] = { 0 };

		signal(SIGSYS, SIG_DFL);
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		if (load())
			_exit(2);
		make(nr, a);
		native(SYS_exit_group, none);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(!WIFEXITED(status) || WEXITSTATUS(status) != 2);
	return !WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS;
}

static bool is_one_of(long nr, const long *list)
{
	for (; *list >= 0; list++)
		if (*list == nr)
			return true;
	return false;
}

/* Only these come through with any of the shapes, and they do. */
static void check_numbers(int (*load)(void), const long *allowed)
{
	for (long nr = 0; nr < NUMBERS; nr++) {
		bool any = false;

		/* The host lets these pass any filter: they do nothing outside of a probe. */
		if (nr == 335 || nr == 336)
			continue;
		for (size_t i = 0; i < SHAPES; i++)
			any |= passes(load, native, nr, shapes[i]);
		ck_assert_msg(any == is_one_of(nr, allowed), "system call %ld %s", nr,
			      any ? "passes" : "is denied");
	}
}

static void check_other_abis(int (*load)(void))
{
	for (long nr = 0; nr < NUMBERS; nr++) {
		ck_assert_msg(!passes(load, x32, nr, shapes[1]), "x32 %ld", nr);
		ck_assert_msg(!passes(load, ia32, nr, shapes[1]), "int 0x80 %ld", nr);
	}
}

/* modify_ldt: what writes an entry is 0x11, as SIGCHLD. */
START_TEST(traced)
{
	static const long allowed[] = {
		SYS_munmap, SYS_mprotect, SYS_exit_group, SYS_rseq, SYS_rt_sigprocmask, SYS_getpid,
		SYS_gettid, SYS_modify_ldt, -1,
	};

	check_numbers(sandbox_child_traced, allowed);
	check_other_abis(sandbox_child_traced);
}
END_TEST

/* futex: WAIT and WAKE are 0 and 1; prctl: PR_SET_PDEATHSIG is 1. */
START_TEST(handoff)
{
	static const long allowed[] = {
		SYS_munmap, SYS_mprotect, SYS_exit_group, SYS_futex, SYS_getppid, SYS_close_range,
		SYS_sigaltstack, SYS_rt_sigprocmask, SYS_prctl,
		SYS_modify_ldt, -1,
	};

	check_numbers(sandbox_child_handoff, allowed);
	check_other_abis(sandbox_child_handoff);
}
END_TEST

/* What stubs are there for comes through. */
START_TEST(mappings)
{
	const long ram[ARGS] = { 0x10000, 4096, 7, MAP_SHARED | MAP_FIXED, 3, 0 };
	const long other[ARGS] = { 0x10000, 4096, 7, MAP_SHARED | MAP_FIXED, 5, 0 };
	const long more[ARGS] = { CLONE_PARENT | SIGCHLD, 0, 0, 0, 0, 0 };

	ck_assert(passes(sandbox_child_traced, native, SYS_mmap, ram));
	ck_assert(passes(sandbox_child_handoff, native, SYS_mmap, ram));
	ck_assert(!passes(sandbox_child_traced, native, SYS_mmap, other));
	ck_assert(!passes(sandbox_child_handoff, native, SYS_mmap, other));
	ck_assert(passes(sandbox_child_traced, native, SYS_clone, more));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sandbox");
	TCase *tcase = tcase_create("children");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tcase, 300);
	tcase_add_test(tcase, traced);
	tcase_add_test(tcase, handoff);
	tcase_add_test(tcase, mappings);
	suite_add_tcase(suite, tcase);
	sr = srunner_create(suite);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
