/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sites: the forms of runtime/abi.h in the code of a kernel that was built with
 * lilyvm-cc, read back as the instructions that they stand for.
 *
 * Freestanding but for <string.h>; no state.
 */
#ifndef LILYVM_SITE_H
#define LILYVM_SITE_H

#include "rewriter/insn.h"

/* No site is longer. */
#define SITE_MAX 24u

/*
 * Decodes the site at bytes, of which n can be read, in 32-bit code.  insn becomes the
 * instruction that it stands for, with the site's length and insn->site set.  Returns
 * the length, 0 if no site begins there, or -1 if one does and n is too small.
 */
int site_decode(struct insn *insn, const uint8_t *bytes, size_t n);

/* As insn_decode(), for 32-bit code, but a call of RT_EMULATE and the instruction behind
 * it are one: of its kind if that has none, else a harmless one. */
int site_insn(struct insn *insn, const uint8_t *bytes, size_t n);

/* A place in the middle of a site: how far it is to the site's start, or, where all but
 * padding is done, to its end (negative), and how many bytes the stack has to give back. */
struct site_middle {
	int8_t back;
	uint8_t pushed;
};

/*
 * Does bytes[at] lie between the instructions of a site?  n bytes can be read from bytes
 * on; up to SITE_MAX before and behind matter.
 */
bool site_middle(const uint8_t *bytes, size_t at, size_t n, struct site_middle *m);

#endif
