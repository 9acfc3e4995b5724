/* SPDX-License-Identifier: BSD-2-Clause */
/* Data transfer, conversion and flag control (SDM 1, 7.3.1 and 7.3.14). */
#include "monitor/interp_ops.h"

OP_FN(op_nop)
{
	(void)x;
	return true;
}

OP_FN(op_mov_rm_reg)
{
	return rm_write(x, reg_get(x->c, x->in->reg, x->size));
}

OP_FN(op_mov_reg_rm)
{
	uint32_t v;

	if (!rm_read(x, &v, ACC_READ))
		return false;
	reg_set(x->c, x->in->reg, x->size, v);
	return true;
}

/* A doubleword in 16-bit code, too. */
OP_FN(op_movnti)
{
	x->size = 4;
	return op_mov_rm_reg(x);
}

OP_FN(op_mov_rm_imm)
{
	return rm_write(x, x->in->imm);
}

OP_FN(op_mov_reg_imm)
{
	reg_set(x->c, x->in->opcode & 7, x->size, x->in->imm);
	return true;
}

OP_FN(op_mov_acc_moffs)
{
	uint32_t v;

	if (!rm_read(x, &v, ACC_READ))
		return false;
	reg_set(x->c, R_EAX, x->size, v);
	return true;
}

OP_FN(op_mov_moffs_acc)
{
	return rm_write(x, x->c->gpr[R_EAX]);
}

/* The source of movzx and movsx: a byte, or a word if the opcode is odd. */
OP_FN(op_movzx)
{
	uint32_t v;

	if (!rm_read_size(x, &v, x->in->opcode & 1 ? 2 : 1, ACC_READ))
		return false;
	reg_set(x->c, x->in->reg, x->size, v);
	return true;
}

OP_FN(op_movsx)
{
	bool word = x->in->opcode & 1;
	uint32_t v;

	if (!rm_read_size(x, &v, word ? 2 : 1, ACC_READ))
		return false;
	v = word ? (uint32_t)(int16_t)v : (uint32_t)(int8_t)v;
	reg_set(x->c, x->in->reg, x->size, v);
	return true;
}

/* The source is read, and may fault, whatever the condition says. */
OP_FN(op_cmov)
{
	uint32_t v;

	if (!rm_read(x, &v, ACC_READ))
		return false;
	if (condition(x->c->eflags, x->in->opcode))
		reg_set(x->c, x->in->reg, x->size, v);
	return true;
}

OP_FN(op_setcc)
{
	return rm_write(x, condition(x->c->eflags, x->in->opcode));
}

OP_FN(op_lea)
{
	reg_set(x->c, x->in->reg, x->size, x->off);
	return true;
}

OP_FN(op_xchg_rm_reg)
{
	uint32_t v;

	if (!rm_read(x, &v, ACC_WRITE) || !rm_write(x, reg_get(x->c, x->in->reg, x->size)))
		return false;
	reg_set(x->c, x->in->reg, x->size, v);
	return true;
}

OP_FN(op_xchg_acc_reg)
{
	unsigned r = x->in->opcode & 7;
	uint32_t v = x->c->gpr[r];

	reg_set(x->c, r, x->size, x->c->gpr[R_EAX]);
	reg_set(x->c, R_EAX, x->size, v);
	return true;
}

/* With a 16-bit operand, undefined by the SDM, CPUs clear the register. */
OP_FN(op_bswap)
{
	unsigned r = x->in->opcode & 7;

	reg_set(x->c, r, x->size, x->size == 4 ? __builtin_bswap32(x->c->gpr[r]) : 0);
	return true;
}

OP_FN(op_cbw)
{
	uint32_t eax = x->c->gpr[R_EAX];

	reg_set(x->c, R_EAX, x->size,
		x->size == 4 ? (uint32_t)(int16_t)eax : (uint32_t)(int8_t)eax);
	return true;
}

OP_FN(op_cwd)
{
	uint32_t sign = 1u << (8 * x->size - 1);

	reg_set(x->c, R_EDX, x->size, x->c->gpr[R_EAX] & sign ? UINT32_MAX : 0);
	return true;
}

OP_FN(op_xlat)
{
	struct vcpu *c = x->c;
	uint32_t off = (c->gpr[R_EBX] + (c->gpr[R_EAX] & 0xff)) & size_mask(x->in->adsize);
	uint8_t v;

	if (!mem_read(x, x->in->seg, off, &v, 1, ACC_READ))
		return false;
	reg_set(c, R_EAX, 1, v);
	return true;
}

/* D6, documented by AMD only: AL = CF ? 0xff : 0. */
OP_FN(op_salc)
{
	reg_set(x->c, R_EAX, 1, x->c->eflags & FL_CF ? 0xff : 0);
	return true;
}

#define FL_LOW (FL_SF | FL_ZF | FL_AF | FL_PF | FL_CF)

OP_FN(op_lahf)
{
	reg_set(x->c, 4, 1, (x->c->eflags & FL_LOW) | FL_FIXED);
	return true;
}

OP_FN(op_sahf)
{
	x->c->eflags = (x->c->eflags & ~FL_LOW) | (reg_get(x->c, 4, 1) & FL_LOW);
	return true;
}

OP_FN(op_clc)
{
	x->c->eflags &= ~FL_CF;
	return true;
}

OP_FN(op_stc)
{
	x->c->eflags |= FL_CF;
	return true;
}

OP_FN(op_cmc)
{
	x->c->eflags ^= FL_CF;
	return true;
}

OP_FN(op_cld)
{
	x->c->eflags &= ~FL_DF;
	return true;
}

OP_FN(op_std)
{
	x->c->eflags |= FL_DF;
	return true;
}
