/* SPDX-License-Identifier: BSD-2-Clause */
/* Which instructions write memory (SDM 2), to rebuild the W bit of a #PF. */
#include "monitor/access.h"

#include "monitor/interp.h"

/* Bit /reg set: that member of the group writes its memory operand. */
static uint8_t group_writes(const struct insn *insn)
{
	switch (insn->opcode) {
	case 0x80: case 0x81: case 0x82: case 0x83:
		return 0x7f;			/* all but cmp */
	case 0xc0: case 0xc1: case 0xd0: case 0xd1: case 0xd2: case 0xd3:
		return 0xff;
	case 0xf6: case 0xf7:
		return 0x0c;			/* not, neg */
	case 0xfe: case 0xff:
		return 0x03;			/* inc, dec */
	case 0xd9:
		return 0xcc;			/* fst fstp fnstenv fnstcw */
	case 0xdb:
		return 0x8e;			/* fisttp fist fistp fstp m80 */
	case 0xdd:
		return 0xce;			/* fisttp fst fstp fnsave fnstsw */
	case 0xdf:
		return 0xce;			/* fisttp fist fistp fbstp fistp m64 */
	case 0xf00:
		return 0x03;			/* sldt str */
	case 0xf01:
		return 0x13;			/* sgdt sidt smsw */
	case 0xfae:
		return 0x19;			/* fxsave stmxcsr xsave */
	case 0xfba:
		return 0xe0;			/* bts btr btc */
	case 0xfc7:
		return 0x02;			/* cmpxchg8b */
	}
	return 0;
}

static bool alu_writes(uint16_t op)
{
	/* op r/m,r of add or adc sbb and sub xor; cmp (38-3b) only reads */
	return op < 0x38 && (op & 7) < 2;
}

static bool writes_operand(const struct insn *insn)
{
	uint16_t op = insn->opcode;

	if (op < 0x40)
		return alu_writes(op);
	switch (op) {
	case 0x63:				/* arpl */
	case 0x86: case 0x87: case 0x88: case 0x89: case 0x8c: case 0x8f:
	case 0xa2: case 0xa3: case 0xc6: case 0xc7:
	case 0xf11: case 0xf13: case 0xf17: case 0xf29: case 0xf2b: case 0xf7f:
	case 0xfd6: case 0xfe7: case 0xfc3:
	case 0xfa4: case 0xfa5: case 0xfac: case 0xfad: case 0xfab: case 0xfb3: case 0xfbb:
	case 0xfb0: case 0xfb1: case 0xfc0: case 0xfc1:
		return true;
	case 0x3a14: case 0x3a15: case 0x3a16: case 0x3a17:	/* pextrb pextrw pextrd extractps */
		return true;
	case 0x38f1:				/* movbe; crc32 with F2 reads */
		return !(insn->prefix & IP_REPNE);
	case 0xf7e:				/* movd to memory; movq xmm,m with F3 reads */
		return !(insn->prefix & IP_REP);
	}
	if (op >= 0xf90 && op <= 0xf9f)
		return true;
	return group_writes(insn) >> insn->reg & 1;
}

/* Instructions that push. */
static bool pushes(const struct insn *insn)
{
	uint16_t op = insn->opcode;

	if (op >= 0x50 && op <= 0x57)
		return true;
	switch (op) {
	case 0x06: case 0x0e: case 0x16: case 0x1e: case 0x60: case 0x68: case 0x6a: case 0x9a:
	case 0x9c: case 0xc8: case 0xe8: case 0xfa0: case 0xfa8:
		return true;
	case 0xff:
		return insn->reg == 2 || insn->reg == 3 || insn->reg == 6;
	}
	return false;
}

/* bts btr btc with a bit number in a register: it reaches far beyond the
 * operand's address. */
static bool bit_string(const struct insn *insn)
{
	return insn->opcode == 0xfab || insn->opcode == 0xfb3 || insn->opcode == 0xfbb;
}

/* Bytes of the longest memory operand of the opcode, or more. */
static uint32_t reach(const struct insn *insn)
{
	switch (insn->opcode) {
	case 0xfae: case 0xd9: case 0xdd:	/* fxsave and xsave, fnstenv, fnsave */
		return 1024;
	}
	return 16;
}

static uint32_t string_index(const struct vcpu *c, const struct insn *insn, unsigned r)
{
	return insn->adsize == 2 ? c->gpr[r] & 0xffff : c->gpr[r];
}

static bool near(uint32_t a, uint32_t start, uint32_t n)
{
	return a - start < n;
}

bool access_is_write(const struct vcpu *c, const struct insn *insn, uint32_t a)
{
	uint32_t es = c->seg[S_ES].base, ss = c->seg[S_SS].base;

	switch (insn->opcode) {
	case 0xaa: case 0xab: case 0x6c: case 0x6d:	/* stos, ins */
		return true;
	case 0xa4: case 0xa5: {				/* movs: the source is read first */
		uint32_t src = c->seg[insn->seg].base + string_index(c, insn, R_ESI);

		return near(a, es + string_index(c, insn, R_EDI), 4) && !near(a, src, 4);
	}
	case 0xff7:					/* maskmovq, maskmovdqu */
		return true;
	}
	if (insn->has_mem && near(a, interp_ea(c, insn).v, reach(insn)))
		return writes_operand(insn);
	if (pushes(insn))
		return near(a, ss + c->gpr[R_ESP] - 64, 64);
	return insn->has_mem && bit_string(insn);
}
