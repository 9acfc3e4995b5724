/* SPDX-License-Identifier: BSD-2-Clause */
#include "rewriter/rewriter.h"

/* Bytes that substitute, or that have to be substituted themselves because
 * they would be taken for substitutes. */
static bool is_subst(uint8_t op)
{
	return (op >= 0x6c && op <= 0x6f) || op == 0xe5 || op == 0xe7;
}

static int rep_offset(const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (bytes[i] == 0xf2 || bytes[i] == 0xf3)
			return (int)i;
	return -1;
}

static bool is_prefix(uint8_t b)
{
	switch (b) {
	case 0x26: case 0x2e: case 0x36: case 0x3e: case 0x64: case 0x65: case 0x66: case 0x67:
	case 0xf0: case 0xf2: case 0xf3:
		return true;
	default:
		return false;
	}
}

unsigned subst_offset(const struct insn *insn, const uint8_t *bytes)
{
	int rep = rep_offset(bytes, insn->opoff);

	return rep >= 0 ? (unsigned)rep : insn->opoff;
}

int subst_byte(const struct insn *insn, uint8_t op)
{
	bool rep = insn->prefix & (IP_REP | IP_REPNE);

	/* E5 and E7 are in and out whatever their prefixes. */
	if (is_subst(op) && (!rep || op >= 0xe0))
		return SUBST_ANY;
	if (insn->cls != IC_SILENT)
		return -1;
	if (rep)	/* with F2 or F3 the substitutes are real ins and outs */
		return SUBST_ANY;
	switch (op) {
	case 0x9c: return SUBST_PUSHF;
	case 0x9d: return SUBST_POPF;
	case 0x0f: return SUBST_0F;
	case 0x8c: return SUBST_MOV_FROM_SREG;
	case 0x8e: return SUBST_MOV_TO_SREG;
	default: return SUBST_ANY;
	}
}

int subst_undo(uint8_t *bytes, size_t n, int any)
{
	for (size_t i = 0; i < n; i++) {
		switch (bytes[i]) {
		case 0xf2: case 0xf3:
			return 0;
		case SUBST_PUSHF: bytes[i] = 0x9c; return 1;
		case SUBST_POPF: bytes[i] = 0x9d; return 1;
		case SUBST_0F: bytes[i] = 0x0f; return 1;
		case SUBST_MOV_FROM_SREG: bytes[i] = 0x8c; return 1;
		case SUBST_MOV_TO_SREG: bytes[i] = 0x8e; return 1;
		case SUBST_ANY:
			if (any < 0)
				return -1;
			bytes[i] = (uint8_t)any;
			return 1;
		default:
			if (!is_prefix(bytes[i]))
				return 0;
		}
	}
	return 0;
}
