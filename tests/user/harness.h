/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The harness of usertest: every test runs in a forked child with a time
 * limit, so that a failing or hanging test does not end the run, and becomes
 * one TAP line.
 */
#ifndef USERTEST_HARNESS_H
#define USERTEST_HARNESS_H

#include <stdbool.h>
#include <stdint.h>

typedef void test_fn(const void *arg);

/* Runs one test in a child and prints its TAP line; the child is killed, with
 * all of its process group, after `seconds`. */
void run_for(unsigned seconds, const char *name, test_fn *fn, const void *arg);
/* The same with the usual limit of 60 s (an emulator on a busy machine is slow). */
void run(const char *name, test_fn *fn, const void *arg);

/* Only tests whose name contains the pattern are run; NULL: all. */
void run_only(const char *pattern);
/* Prints the plan and the summary line; returns the exit status (0 or 1). */
int run_summary(void);

/* Ends the test: "not ok - NAME: got ...".  Usable in children of the test. */
void test_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
/* Ends the test: "ok - NAME # SKIP reason". */
void test_skip(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

/* Fails unless cond holds; the rest says what was got. */
#define CHECK(cond, ...) do { if (!(cond)) test_fail(__VA_ARGS__); } while (0)
/* For system calls: fails, with errno, if x is -1. */
#define SYS(x) sys_result((long)(x), #x)
long sys_result(long result, const char *what);

/* Waits for a child of the test and fails unless it left with status 0. */
void wait_ok(int pid);

/* The emulator of QEMU without KVM: it leaves out some checks of a real CPU. */
bool cpu_is_tcg(void);
/* LilyVM with its default CPU. */
bool cpu_is_lilyvm(void);
/* Nothing beyond SSE2 is used, and that only if it is there. */
bool cpu_has_sse2(void);
/* The kernel is a 64-bit one: another GDT, other selectors in user mode. */
bool kernel_is_64bit(void);

/* The groups of tests, one file each. */
void test_faults(void);
void test_stepping(void);
void test_segments(void);
void test_fpu(void);
void test_syscalls(void);
void test_signals(void);
void test_threads(void);
void test_memory(void);
void test_processes(void);
void test_ptrace(void);
void test_ipc(void);
void test_time(void);
void test_disk(const char *dir, const char *phase);
void test_modules(const char *dir);
/* Writes and verifies `mib` mebibytes of anonymous memory. */
void test_touch(unsigned mib);

#endif
