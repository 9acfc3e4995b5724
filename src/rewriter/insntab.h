/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The opcode maps behind the decoder: the shape of every i386 instruction
 * (SDM 2, appendix A) and which of them are sensitive.
 */
#ifndef LILYVM_INSNTAB_H
#define LILYVM_INSNTAB_H

#include "rewriter/insn.h"

/* The shape of an instruction: an immediate in the low bits, then flags. */
enum {
	OI_NONE, OI_B, OI_BS, OI_W, OI_Z, OI_MOFFS, OI_FAR, OI_ENTER, OI_JB, OI_JZ,
	OI_MASK = 0x0f,
	OF_MODRM = 0x10,
	OF_REGS = 0x20,		/* modrm whose mod is ignored: control and debug registers */
	OF_TEST = 0x40,		/* group 3: /0 and /1 have an immediate */
	OF_BAD = 0x80,		/* no instruction */
};

extern const uint8_t optab_form[128];		/* shape by letter, see insntab.c */
extern const char optab_map1[257];		/* letter by opcode: one byte */
extern const char optab_map0f[257];		/* 0F NN */

/* Kind by opcode; OPTAB_GROUP + n: it depends on modrm, see optab_group[n]. */
#define OPTAB_GROUP 0x80
extern const uint8_t optab_kind1[256];
extern const uint8_t optab_kind0f[256];

/* An entry that is no instruction. */
#define OPTAB_BAD IK_COUNT

struct opgroup {
	uint8_t mem[8];			/* by modrm reg, memory form */
	uint8_t reg[8];			/* by modrm reg, register form */
	const uint8_t *exact;		/* register form by modrm & 0x3f, or NULL */
};
extern const struct opgroup optab_group[];

/* Bit sets of the defined opcodes of 0F 38 and 0F 3A. */
extern const uint32_t optab_map38[8];
extern const uint32_t optab_map3a[8];

#endif
