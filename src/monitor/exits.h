/* SPDX-License-Identifier: BSD-2-Clause */
/* The last exits from guest code, for the dump on a guest's death. */
#ifndef LILYVM_EXITS_H
#define LILYVM_EXITS_H

#include "monitor/stats.h"
#include "types.h"

#include <stdio.h>

struct vm;

#define EXITS_KEPT 64

struct exit_record {
	uint32_t eip;			/* linear, of the guest as it came out */
	uint32_t detail;		/* the address of a page fault, or the vector */
	uint16_t error;
	uint8_t reason;			/* enum phase */
	uint8_t cpl;
};

struct exits {
	struct exit_record ring[EXITS_KEPT];
	unsigned n;			/* so far */
};

/* Guest code was left at the current eip. */
void exits_note(struct vm *vm, enum phase reason, uint32_t detail, uint32_t error);
/* The newest last. */
void exits_print(const struct exits *x, FILE *out);

#endif
