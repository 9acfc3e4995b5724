/* SPDX-License-Identifier: BSD-2-Clause */
/* --trace: what the VM does, a line each. */
#ifndef LILYVM_TRACE_H
#define LILYVM_TRACE_H

#include "monitor/vm.h"

struct trace {
	unsigned on;			/* TRACE_* */
	FILE *out;
};

/* What trace_parse() knows. */
#define TRACE_NAMES "exits, mmu, irq, io, cpu, user, all"

/* A comma-separated list of classes; false, and *on as before, if it is none. */
bool trace_parse(const char *list, unsigned *on);
int trace_open(struct trace *t, const struct vm_config *cfg, struct error *e);
void trace_close(struct trace *t);
void trace_line(struct trace *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Costs a test of one word when off. */
#define TRACE(vm, what, ...) \
	do { \
		if (__builtin_expect((vm)->trace.on & (what), 0)) \
			trace_line(&(vm)->trace, __VA_ARGS__); \
	} while (0)

#endif
