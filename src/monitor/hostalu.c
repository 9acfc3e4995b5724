/* SPDX-License-Identifier: BSD-2-Clause */
#include "monitor/hostalu.h"

/*
 * lahf and seto fetch the six arithmetic flags without touching the stack;
 * LOAD_CF puts bit 0 of the saved flags, CF, into the host's CF.
 */
#define GET_FLAGS "lahf\n\tseto %%al\n\t"
#define LOAD_CF "btl $0, %%eax\n\t"

/* EFLAGS from AX as GET_FLAGS left it: only the bits in mask are taken. */
static inline uint32_t merge_flags(uint32_t fl, uint32_t ax, uint32_t mask)
{
	uint32_t got = (ax >> 8 & (FL_SF | FL_ZF | FL_AF | FL_PF | FL_CF)) | (ax & 1) << 11;

	return (fl & ~mask) | (got & mask);
}

#define RUN(text, con) \
	__asm__(text GET_FLAGS : [v] "+q"(v), "+a"(ax) : [s] con(s) : "cc")

/* The body that all share: the instruction for each operand size. */
#define ALU_BODY(byte, word, dword, con, mask) \
	uint32_t ax = fl, v = d; \
\
	if (size == 4) \
		RUN(dword, con); \
	else if (size == 2) \
		RUN(word, con); \
	else \
		RUN(byte, con); \
	return (struct alu){ v, merge_flags(fl, ax, mask) }

#define BINARY(name, pre, op, mask) \
ALU_FN(name) \
{ \
	ALU_BODY(pre op "b %b[s], %b[v]\n\t", pre op "w %w[s], %w[v]\n\t", \
		 pre op "l %k[s], %k[v]\n\t", "q", mask); \
}

#define UNARY(name, op, mask) \
ALU_FN(name) \
{ \
	ALU_BODY(op "b %b[v]\n\t", op "w %w[v]\n\t", op "l %k[v]\n\t", "q", mask); \
}

/* A count of zero, after masking to five bits, changes no flag (SDM 2, SAL). */
#define SHIFT(name, pre, op, mask) \
static ALU_FN(name) \
{ \
	if (!(s & 31)) \
		return (struct alu){ d, fl }; \
	ALU_BODY(pre op "b %%cl, %b[v]\n\t", pre op "w %%cl, %w[v]\n\t", \
		 pre op "l %%cl, %k[v]\n\t", "c", mask); \
}

/* Instructions that have no byte form. */
#define WIDE(name, op, mask) \
ALU_FN(name) \
{ \
	uint32_t ax = fl, v = d; \
\
	if (size == 4) \
		RUN(op "l %k[s], %k[v]\n\t", "q"); \
	else \
		RUN(op "w %w[s], %w[v]\n\t", "q"); \
	return (struct alu){ v, merge_flags(fl, ax, mask) }; \
}

BINARY(alu_add, "", "add", FL_ARITH)
BINARY(alu_sub, "", "sub", FL_ARITH)
BINARY(alu_test, "", "test", FL_ARITH)
static BINARY(alu_or, "", "or", FL_ARITH)
static BINARY(alu_and, "", "and", FL_ARITH)
static BINARY(alu_xor, "", "xor", FL_ARITH)
static BINARY(alu_adc, LOAD_CF, "adc", FL_ARITH)
static BINARY(alu_sbb, LOAD_CF, "sbb", FL_ARITH)

ALU_FN((*const alu_binary[8])) = {
	alu_add, alu_or, alu_adc, alu_sbb, alu_and, alu_sub, alu_xor, alu_sub,
};

UNARY(alu_inc, "inc", FL_ARITH & ~FL_CF)
UNARY(alu_dec, "dec", FL_ARITH & ~FL_CF)
UNARY(alu_neg, "neg", FL_ARITH)

SHIFT(alu_rol, LOAD_CF, "rol", FL_CF | FL_OF)
SHIFT(alu_ror, LOAD_CF, "ror", FL_CF | FL_OF)
SHIFT(alu_rcl, LOAD_CF, "rcl", FL_CF | FL_OF)
SHIFT(alu_rcr, LOAD_CF, "rcr", FL_CF | FL_OF)
SHIFT(alu_shl, LOAD_CF, "shl", FL_ARITH)
SHIFT(alu_shr, LOAD_CF, "shr", FL_ARITH)
SHIFT(alu_sar, LOAD_CF, "sar", FL_ARITH)

ALU_FN((*const alu_shift[8])) = {
	alu_rol, alu_ror, alu_rcl, alu_rcr, alu_shl, alu_shr, alu_shl, alu_sar,
};

WIDE(alu_imul, "imul", FL_ARITH)
WIDE(alu_bsf, "bsf", FL_ARITH)
WIDE(alu_bsr, "bsr", FL_ARITH)
WIDE(alu_rep_bsf, "rep; bsf", FL_ARITH)
WIDE(alu_rep_bsr, "rep; bsr", FL_ARITH)

#define SHIFT_DOUBLE(name, op) \
struct alu name(uint32_t d, uint32_t s, unsigned count, unsigned size, uint32_t fl) \
{ \
	uint32_t ax = fl, v = d; \
\
	if (!(count & 31)) \
		return (struct alu){ d, fl }; \
	if (size == 4) \
		__asm__(LOAD_CF op "l %%cl, %k[s], %k[v]\n\t" GET_FLAGS \
			: [v] "+q"(v), "+a"(ax) : [s] "q"(s), "c"(count) : "cc"); \
	else \
		__asm__(LOAD_CF op "w %%cl, %w[s], %w[v]\n\t" GET_FLAGS \
			: [v] "+q"(v), "+a"(ax) : [s] "q"(s), "c"(count) : "cc"); \
	return (struct alu){ v, merge_flags(fl, ax, FL_ARITH) }; \
}

SHIFT_DOUBLE(alu_shld, "shld")
SHIFT_DOUBLE(alu_shrd, "shrd")

/* The product is taken out of EAX before lahf overwrites it. */
#define MULTIPLY_SIZE(text) \
	__asm__(text "movl %%eax, %[l]\n\t" GET_FLAGS \
		: "+a"(ax), "+d"(h), [l] "=&r"(l) : [s] "r"(s) : "cc")

#define MULTIPLY(name, op) \
uint32_t name(uint32_t *lo, uint32_t *hi, uint32_t s, unsigned size, uint32_t fl) \
{ \
	uint32_t ax = *lo, h = *hi, l; \
\
	if (size == 4) \
		MULTIPLY_SIZE(op "l %k[s]\n\t"); \
	else if (size == 2) \
		MULTIPLY_SIZE(op "w %w[s]\n\t"); \
	else \
		MULTIPLY_SIZE(op "b %b[s]\n\t"); \
	*lo = l; \
	*hi = h; \
	return merge_flags(fl, ax, FL_ARITH); \
}

MULTIPLY(alu_mul1, "mul")
MULTIPLY(alu_imul1, "imul")
