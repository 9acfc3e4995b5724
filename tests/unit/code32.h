/* SPDX-License-Identifier: BSD-2-Clause */
/* For tests that run 32-bit code on the host. */
#ifndef LILYVM_TEST_CODE32_H
#define LILYVM_TEST_CODE32_H

#include <stdbool.h>

/* The exit status of a test program that automake counts as skipped. */
#define EXIT_SKIPPED 77

/*
 * False on a host whose report (host_report()) says that 32-bit code does not run, and
 * when LILYVM_TEST_HOST=no-code32 makes it such a one; then `what`, which is not
 * tested, is said on standard output.
 */
bool code32_runs(const char *what);

#endif
