/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs one i386 instruction on the real CPU, in 16- or 32-bit compatibility
 * mode of this process, with given registers and segments: the judge of the
 * interpreter's tests.  Linux on x86-64 only.
 */
#ifndef LILYVM_TEST_NATIVE32_H
#define LILYVM_TEST_NATIVE32_H

#include "types.h"

/* Fixed places below 4 GiB. */
#define NATIVE_CODE 0x30002000u		/* the instruction lies at NATIVE_AT in this page */
#define NATIVE_AT 0x100u		/* its offset */
#define NATIVE_TAKEN 0x140u		/* offset of the only branch target that is caught */
#define NATIVE_DATA 0x30100000u		/* 16 pages, see native_start() */
#define NATIVE_DATA_SIZE 0x10000u
#define NATIVE_PAGE_NONE 8u		/* this page of the data is not mapped */
#define NATIVE_PAGE_RO 12u		/* and this one is read-only */

/* Segments for a run: selectors that native_start() has made. */
#define NATIVE_CS32 0x23u		/* flat */
#define NATIVE_DS32 0x2bu		/* flat */
#define NATIVE_CS16 0x07u		/* base NATIVE_CODE, limit 0xffff, 16-bit */
#define NATIVE_DS16 0x0fu		/* base NATIVE_DATA, limit 0xffff, 16-bit */
#define NATIVE_LIMIT 0x17u		/* base NATIVE_DATA, limit 0x7fff, 32-bit */
#define NATIVE_DOWN 0x1fu		/* the same, expand-down */
#define NATIVE_RO 0x27u			/* base NATIVE_DATA, limit 0xffff, read-only */

struct native_run {
	uint32_t gpr[R_COUNT];
	uint32_t eflags;		/* arithmetic flags and DF */
	uint16_t cs, ds, es, ss;	/* GS is flat, FS null */
	/* Results, besides the registers: */
	bool taken;			/* the instruction jumped to NATIVE_TAKEN */
	struct fault fault;
	uint32_t fault_eip;		/* offset in CS of the instruction that faulted */
};

/* Maps everything; false if this host cannot do it. */
bool native_start(void);
/* Runs the len bytes of insn. */
void native_exec(struct native_run *r, const uint8_t *insn, unsigned len);

#endif
