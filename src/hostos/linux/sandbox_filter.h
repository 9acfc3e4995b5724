/* SPDX-License-Identifier: BSD-2-Clause */
/* Seccomp filters, by libseccomp: lists of what is allowed. */
#ifndef LILYVM_SANDBOX_FILTER_H
#define LILYVM_SANDBOX_FILTER_H

#include "hostos/sandbox.h"

/* The monitor's, for all of its threads; resolv: descriptor of /etc/resolv.conf, or -1.
 * 0, or -1 with *e. */
int sandbox_filter_load(const struct host_sandbox *s, int resolv, struct error *e);

/* Those of children, for the calling thread and what it makes: what the engine's stub does
 * for the monitor, and for a hostile guest kernel, which can tell the stub to.  The first is
 * of the engine `ptrace`, the other one of `handoff`.  0, or an errno value. */
int sandbox_child_traced(void);
int sandbox_child_handoff(void);

/* sandbox_report.c: the handler of SIGSYS says which system call it was and ends the
 * process, except for what libslirp and the C library do and can be given: looking at
 * resolv, and at what is open.  names: of the system calls, from 0 to n - 1. */
int sandbox_report_start(int resolv, const char *const *names, unsigned n);

#endif
