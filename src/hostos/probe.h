/* SPDX-License-Identifier: BSD-2-Clause */
/* What the host offers, found by trying it. */
#ifndef LILYVM_HOSTOS_PROBE_H
#define LILYVM_HOSTOS_PROBE_H

#include "error.h"

#include <stdbool.h>
#include <stdio.h>

/*
 * Tries everything that LilyVM uses or could use and writes the report of
 * `lilyvm host` to out: one line each, and for what is missing its cost and
 * its mend.  Experiments run in child processes with a time limit.  Returns
 * true if LilyVM can run on this host.
 */
bool host_report(FILE *out);

/*
 * Tries only what LilyVM cannot run without; a few milliseconds.  0, or -1
 * with *e naming the first thing missing and its mend (ST_HOST).
 */
int host_require(struct error *e);

#endif
