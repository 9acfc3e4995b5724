/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The arithmetic of the host CPU, for interpreted instructions: each function
 * carries out one i386 instruction by that very instruction, so results and
 * flags, as a rule the undefined ones too, are those the guest would see
 * natively.
 *
 * size is the operand size in bytes: 1, 2 or 4.  Bits above it in operands are
 * ignored and results have undefined bits there.  fl is EFLAGS before the
 * instruction, and in the result after it (bits that the instruction does not
 * write come from the one before).
 */
#ifndef LILYVM_HOSTALU_H
#define LILYVM_HOSTALU_H

#include "types.h"

/* New destination and flags; returned in one register. */
struct alu { uint32_t v, fl; };

/* An instruction with a destination d and a source s (for shifts: the count). */
#define ALU_FN(name) struct alu name(uint32_t d, uint32_t s, unsigned size, uint32_t fl)

/* add or adc sbb and sub xor cmp, by bits 3-5 of the opcode; cmp has the v of sub. */
extern ALU_FN((*const alu_binary[8]));
/* rol ror rcl rcr shl shr sal sar, by the reg field of C0, C1, D0-D3. */
extern ALU_FN((*const alu_shift[8]));

ALU_FN(alu_add);
ALU_FN(alu_sub);
ALU_FN(alu_test);		/* v is d */
/* Two-operand imul, bsf and bsr (with F3: as the host does), sizes 2 and 4. */
ALU_FN(alu_imul);
ALU_FN(alu_bsf);
ALU_FN(alu_bsr);
ALU_FN(alu_rep_bsf);
ALU_FN(alu_rep_bsr);
/* One operand; s is ignored. */
ALU_FN(alu_inc);
ALU_FN(alu_dec);
ALU_FN(alu_neg);

/* shld and shrd, sizes 2 and 4: d shifted by count, filled from s. */
struct alu alu_shld(uint32_t d, uint32_t s, unsigned count, unsigned size, uint32_t fl);
struct alu alu_shrd(uint32_t d, uint32_t s, unsigned count, unsigned size, uint32_t fl);

/* One-operand mul and imul: *hi:*lo = *lo * s, each size bytes wide (size 1:
 * the product is the low 16 bits of *lo).  They return the flags. */
uint32_t alu_mul1(uint32_t *lo, uint32_t *hi, uint32_t s, unsigned size, uint32_t fl);
uint32_t alu_imul1(uint32_t *lo, uint32_t *hi, uint32_t s, unsigned size, uint32_t fl);

#endif
