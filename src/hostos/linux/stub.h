/* SPDX-License-Identifier: BSD-2-Clause */
/* What a child's stub (stub.S) and the engine (tracee.c) agree on. */
#ifndef LILYVM_STUB_H
#define LILYVM_STUB_H

#include "layout.h"

#ifndef __ASSEMBLER__
#include <stdint.h>

/* One host system call; the control pages hold an array of them, ended by
 * STUB_END. */
struct stub_op {
	int64_t nr;
	uint64_t arg[6];
	uint64_t pad;
};

#define STUB_END (-1)
#define STUB_MAX_OPS (CHILD_CONTROL_SIZE / sizeof(struct stub_op) - 1)

/* The stub's code, position independent. */
extern const char stub_start[], stub_end[];
#endif

#define STUB_OP_SIZE 64

#endif
