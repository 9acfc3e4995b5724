/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Instruction decoder for 16- and 32-bit code (SDM 2, chapter 2).  All shapes
 * come from insntab.c; here are only the prefixes, modrm, immediates and the
 * vector prefixes.
 */
#include "rewriter/insntab.h"

#include <string.h>

#define MAX_LEN 15		/* longer ones fault (SDM 2, 2.3.11) */
/* 14 prefixes, 3 opcode bytes, modrm, sib, disp32 and a far pointer. */
#define MAX_READ (14 + 3 + 2 + 4 + 6)

static uint32_t get16(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8;
}

static uint32_t get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, 4);	/* hosts are little-endian */
	return v;
}

struct prefix { uint8_t bit, seg; };

static const struct prefix prefixes[256] = {
	[0x26] = { IP_SEG, S_ES }, [0x2e] = { IP_SEG, S_CS }, [0x36] = { IP_SEG, S_SS },
	[0x3e] = { IP_SEG, S_DS }, [0x64] = { IP_SEG, S_FS }, [0x65] = { IP_SEG, S_GS },
	[0x66] = { IP_OPSIZE, 0 }, [0x67] = { IP_ADSIZE, 0 },
	[0xf0] = { IP_LOCK, 0 }, [0xf2] = { IP_REPNE, 0 }, [0xf3] = { IP_REP, 0 },
};

/* Sets prefix bits, the sizes and the override; returns the first byte after. */
static inline const uint8_t *take_prefixes(struct insn *in, const uint8_t *p, unsigned bits)
{
	const uint8_t *start = p;
	const struct prefix *x = &prefixes[*p];

	in->seg = S_DS;
	while (x->bit && p - start < MAX_LEN - 1) {
		/* Of F2 and F3 the last one counts. */
		if (x->bit & (IP_REP | IP_REPNE))
			in->prefix &= (uint8_t)~(IP_REP | IP_REPNE);
		in->prefix |= x->bit;
		if (x->bit == IP_SEG)
			in->seg = x->seg;
		x = &prefixes[*++p];
	}
	in->opsize = (bits == 32) != !!(in->prefix & IP_OPSIZE) ? 4 : 2;
	in->adsize = (bits == 32) != !!(in->prefix & IP_ADSIZE) ? 4 : 2;
	in->opoff = (uint8_t)(p - start);
	return p;
}

/* 16-bit addressing (SDM 2, table 2-1). */
static const uint8_t *take_mem16(struct insn *in, const uint8_t *p)
{
	static const int8_t base[8] = { R_EBX, R_EBX, R_EBP, R_EBP, R_ESI, R_EDI, R_EBP, R_EBX };
	static const int8_t index[8] = { R_ESI, R_EDI, R_ESI, R_EDI, -1, -1, -1, -1 };

	in->base = base[in->rm];
	in->index = index[in->rm];
	if (in->mod == 0 && in->rm == 6) {
		in->base = -1;
		in->disp = (uint32_t)(int16_t)get16(p);
		p += 2;
	} else if (in->mod == 1) {
		in->disp = (uint32_t)(int8_t)*p++;
	} else if (in->mod == 2) {
		in->disp = (uint32_t)(int16_t)get16(p);
		p += 2;
	}
	return p;
}

/* 32-bit addressing (SDM 2, tables 2-2 and 2-3). */
static inline const uint8_t *take_mem32(struct insn *in, const uint8_t *p)
{
	uint8_t base = in->rm;

	if (base == R_ESP) {
		uint8_t sib = *p++;

		base = sib & 7;
		in->scale = sib >> 6;
		if ((sib >> 3 & 7) != R_ESP)
			in->index = sib >> 3 & 7;
	}
	if (in->mod == 0 && base == R_EBP) {
		in->disp = get32(p);
		return p + 4;
	}
	in->base = (int8_t)base;
	if (in->mod == 1) {
		in->disp = (uint32_t)(int8_t)*p++;
	} else if (in->mod == 2) {
		in->disp = get32(p);
		p += 4;
	}
	return p;
}

static inline const uint8_t *take_modrm(struct insn *in, const uint8_t *p, uint8_t form)
{
	uint8_t m = *p++;

	in->has_modrm = 1;
	in->modrm = m;
	in->mod = m >> 6;
	in->reg = m >> 3 & 7;
	in->rm = m & 7;
	if (in->mod == 3 || (form & OF_REGS))
		return p;
	in->has_mem = 1;
	p = in->adsize == 4 ? take_mem32(in, p) : take_mem16(in, p);
	if (!(in->prefix & IP_SEG) && (in->base == R_EBP || in->base == R_ESP))
		in->seg = S_SS;
	return p;
}

static const uint8_t *take_word(const uint8_t *p, unsigned size, uint32_t *v)
{
	*v = size == 4 ? get32(p) : get16(p);
	return p + size;
}

static const uint8_t *take_some_imm(struct insn *in, const uint8_t *p, unsigned what)
{
	switch (what) {
	case OI_B:
		in->imm_size = 1;
		in->imm = *p;
		return p + 1;
	case OI_JB:
		in->is_branch = 1;
		/* fallthrough */
	case OI_BS:
		in->imm_size = 1;
		in->imm = (uint32_t)(int8_t)*p;
		return p + 1;
	case OI_W:
		in->imm_size = 2;
		in->imm = get16(p);
		return p + 2;
	case OI_JZ:
		in->is_branch = 1;
		in->imm_size = in->opsize;
		p = take_word(p, in->opsize, &in->imm);
		if (in->opsize == 2)
			in->imm = (uint32_t)(int16_t)in->imm;
		return p;
	case OI_Z:
		in->imm_size = in->opsize;
		return take_word(p, in->opsize, &in->imm);
	case OI_MOFFS:
		in->has_mem = 1;
		return take_word(p, in->adsize, &in->disp);
	case OI_FAR:
		in->imm_size = in->opsize;
		p = take_word(p, in->opsize, &in->imm);
		in->imm2 = (uint16_t)get16(p);
		return p + 2;
	default: /* OI_ENTER */
		in->imm_size = 2;
		in->imm = get16(p);
		in->imm2 = p[2];
		return p + 3;
	}
}

/* Half of all instructions have none. */
static inline const uint8_t *take_imm(struct insn *in, const uint8_t *p, unsigned what)
{
	return what == OI_NONE ? p : take_some_imm(in, p, what);
}

/* The vector opcodes of map 1 that have an immediate, in VEX and EVEX form. */
static bool vector_imm(unsigned map, uint8_t op)
{
	return map == 3 || (map == 1 && ((op >= 0x70 && op <= 0x73) || op == 0xc2 ||
					 (op >= 0xc4 && op <= 0xc6)));
}

/*
 * VEX, EVEX and XOP at p, whose first byte is op.  Only the length matters:
 * none of these is sensitive.  NULL if there is no such instruction.
 */
static const uint8_t *take_vector(struct insn *in, const uint8_t *p, uint8_t op)
{
	unsigned map, imm = OI_NONE;

	if (in->prefix & (IP_OPSIZE | IP_REP | IP_REPNE | IP_LOCK))
		return NULL;
	if (op == 0xc5) {
		map = 1;
		p += 2;
	} else if (op == 0x62) {
		map = p[1] & 7;
		if ((p[1] & 8) || !(p[2] & 4) || map == 0 || map == 4 || map == 7)
			return NULL;
		p += 4;
	} else {
		map = p[1] & 0x1f;
		if (op == 0xc4 ? map < 1 || map > 3 : map > 10)
			return NULL;
		p += 3;
	}
	in->opcode = (uint16_t)(0xc500 | *p);
	if (map == 8 || (op != 0x8f && vector_imm(map, *p)))
		imm = OI_B;
	if (map == 10)
		imm = OI_Z;
	if (map == 1 && op != 0x62 && *p == 0x77)	/* vzeroupper */
		return p + 1;
	p = take_modrm(in, p + 1, OF_MODRM);
	if (imm == OI_Z) {		/* always 32 bits */
		in->imm_size = 4;
		return take_word(p, 4, &in->imm);
	}
	return take_imm(in, p, imm);
}

/* Do the bytes at p start a vector instruction in place of les, lds, bound, pop? */
static bool is_vector(const uint8_t *p)
{
	switch (p[0]) {
	case 0xc4: case 0xc5: case 0x62:
		return (p[1] & 0xc0) == 0xc0;
	case 0x8f:
		return (p[1] & 0x1f) >= 8;
	default:
		return false;
	}
}

static uint8_t group_kind(const struct insn *in, const struct opgroup *g)
{
	if (in->has_mem)
		return g->mem[in->reg];
	return g->exact ? g->exact[in->modrm & 0x3f] : g->reg[in->reg];
}

/* The kind of the 0F 38 opcodes that are sensitive: invept, invvpid, invpcid. */
static uint8_t kind38(const struct insn *in, uint8_t op)
{
	if (op < 0x80 || op > 0x82)
		return IK_NONE;
	if (!(in->prefix & IP_OPSIZE) || !in->has_mem)
		return OPTAB_BAD;
	return op == 0x82 ? IK_INVPCID : IK_VMX;
}

static const uint8_t *take_0f(struct insn *in, const uint8_t *p, uint8_t *kind)
{
	uint8_t op = *p++, form = optab_form[(unsigned char)optab_map0f[op]];

	if (op == 0x38 || op == 0x3a) {
		const uint32_t *map = op == 0x38 ? optab_map38 : optab_map3a;
		uint8_t op3 = *p++;

		in->opcode = (uint16_t)(op << 8 | op3);
		p = take_modrm(in, p, OF_MODRM);
		*kind = op == 0x38 ? kind38(in, op3) : IK_NONE;
		if (!(map[op3 >> 5] >> (op3 & 31) & 1))
			*kind = OPTAB_BAD;
		return take_imm(in, p, op == 0x38 ? OI_NONE : OI_B);
	}
	in->opcode = (uint16_t)(0xf00 | op);
	if (form & OF_MODRM)
		p = take_modrm(in, p, form);
	*kind = form & OF_BAD ? OPTAB_BAD : optab_kind0f[op];
	if (*kind >= OPTAB_GROUP)
		*kind = group_kind(in, &optab_group[*kind - OPTAB_GROUP]);
	if (*kind == IK_MOV_FROM_CR && op == 0x22)
		*kind = IK_MOV_TO_CR;
	if (*kind == IK_LSREG && !in->has_mem)
		*kind = OPTAB_BAD;
	/* SSE4a: extrq, insertq with two immediates, or with a register */
	if ((op == 0x78 || op == 0x79) && !in->has_mem && (in->prefix & (IP_OPSIZE | IP_REPNE))) {
		*kind = IK_NONE;
		return op == 0x78 ? p + 2 : p;
	}
	/* ptwrite, clwb, clrssbsy in place of xsave, xsaveopt */
	if (*kind == IK_XSAVE && op == 0xae && (in->prefix & (IP_OPSIZE | IP_REP)))
		*kind = IK_NONE;
	return take_imm(in, p, form & OI_MASK);
}

static const uint8_t *take_one(struct insn *in, const uint8_t *p, uint8_t *kind)
{
	uint8_t op = *p, form = optab_form[(unsigned char)optab_map1[op]];

	in->opcode = op;
	if (is_vector(p))
		return take_vector(in, p, op);
	p++;
	if (form & OF_MODRM)
		p = take_modrm(in, p, form);
	*kind = optab_kind1[op];
	if (*kind >= OPTAB_GROUP)
		*kind = group_kind(in, &optab_group[*kind - OPTAB_GROUP]);
	if ((form & OF_TEST) && in->reg > 1)
		return p;
	/* C7 F8: xbegin rel32 is a branch of sorts, but its immediate is an operand */
	return take_imm(in, p, form & OI_MASK);
}

/* May the instruction have a lock prefix (SDM 2, LOCK)?  Others are #UD with it. */
static bool lockable(const struct insn *in)
{
	uint16_t op = in->opcode;

	if (!in->has_mem)
		return false;
	switch (op) {
	case 0x80: case 0x81: case 0x82: case 0x83:
		return in->reg != 7;
	case 0x86: case 0x87:
	case 0xfab: case 0xfb0: case 0xfb1: case 0xfb3: case 0xfbb: case 0xfc0: case 0xfc1:
		return true;
	case 0xf6: case 0xf7:
		return in->reg == 2 || in->reg == 3;
	case 0xfe: case 0xff:
		return in->reg < 2;
	case 0xfba:
		return in->reg > 4;
	case 0xfc7:
		return in->reg == 1;
	default:		/* add or adc sbb and sub xor */
		return op < 0x38 && (op & 7) < 2;
	}
}

static int decode(struct insn *in, const uint8_t *bytes, unsigned bits)
{
	const uint8_t *p;
	uint8_t kind = IK_NONE;

	memset(in, 0, sizeof(*in));
	in->base = in->index = -1;
	p = take_prefixes(in, bytes, bits);
	if (prefixes[*p].bit)
		p = NULL;
	else if (*p == 0x0f)
		p = take_0f(in, p + 1, &kind);
	else
		p = take_one(in, p, &kind);
	if (p && (in->prefix & IP_LOCK) && !lockable(in))
		kind = OPTAB_BAD;
	if (!p || p - bytes > MAX_LEN || kind == OPTAB_BAD) {
		in->len = (uint8_t)(p && p - bytes <= MAX_LEN ? p - bytes : in->opoff + 1);
		in->cls = IC_INVALID;
		return 0;
	}
	in->len = (uint8_t)(p - bytes);
	in->kind = kind;
	if (kind != IK_NONE)
		in->cls = (uint8_t)insn_kind_class(kind);
	return in->len;
}

int insn_decode(struct insn *insn, const uint8_t *bytes, size_t n, unsigned bits)
{
	uint8_t copy[MAX_READ + 3] = { 0 };
	int len;

	if (n >= MAX_READ)
		return decode(insn, bytes, bits);
	memcpy(copy, bytes, n);
	len = decode(insn, copy, bits);
	return insn->len > n ? -1 : len;
}
