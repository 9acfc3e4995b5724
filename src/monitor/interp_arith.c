/* SPDX-License-Identifier: BSD-2-Clause */
/* Arithmetic, logic, shifts and bits (SDM 1, 7.3.2 - 7.3.7). */
#include "monitor/hostalu.h"
#include "monitor/interp_ops.h"

#include <string.h>

#define ALU_CMP 7	/* index in alu_binary: the result is dropped */

/* d = fn(d, s), where d is the modrm operand; of cmp and test only the flags stay. */
static bool rm_update(struct exec *x, ALU_FN((*fn)), uint32_t s, bool keep)
{
	struct alu r;
	uint32_t d;

	if (!rm_read(x, &d, keep ? ACC_WRITE : ACC_READ))
		return false;
	r = fn(d, s, x->size, x->c->eflags);
	if (keep && !rm_write(x, r.v))
		return false;
	x->c->eflags = r.fl;
	return true;
}

static bool reg_update(struct exec *x, unsigned reg, ALU_FN((*fn)), uint32_t s, bool keep)
{
	struct alu r = fn(reg_get(x->c, reg, x->size), s, x->size, x->c->eflags);

	x->c->eflags = r.fl;
	if (keep)
		reg_set(x->c, reg, x->size, r.v);
	return true;
}

static unsigned alu_index(const struct exec *x)
{
	return x->in->opcode >> 3 & 7;
}

OP_FN(op_alu_rm_reg)
{
	unsigned i = alu_index(x);

	return rm_update(x, alu_binary[i], reg_get(x->c, x->in->reg, x->size), i != ALU_CMP);
}

OP_FN(op_alu_reg_rm)
{
	unsigned i = alu_index(x);
	uint32_t s;

	return rm_read(x, &s, ACC_READ) &&
	       reg_update(x, x->in->reg, alu_binary[i], s, i != ALU_CMP);
}

OP_FN(op_alu_acc_imm)
{
	unsigned i = alu_index(x);

	return reg_update(x, R_EAX, alu_binary[i], x->in->imm, i != ALU_CMP);
}

OP_FN(op_alu_rm_imm)
{
	return rm_update(x, alu_binary[x->in->reg], x->in->imm, x->in->reg != ALU_CMP);
}

OP_FN(op_test_rm_reg)
{
	return rm_update(x, alu_test, reg_get(x->c, x->in->reg, x->size), false);
}

OP_FN(op_test_acc_imm)
{
	return reg_update(x, R_EAX, alu_test, x->in->imm, false);
}

OP_FN(op_inc_reg)
{
	return reg_update(x, x->in->opcode & 7, alu_inc, 0, true);
}

OP_FN(op_dec_reg)
{
	return reg_update(x, x->in->opcode & 7, alu_dec, 0, true);
}

OP_FN(op_inc_dec_rm)
{
	return rm_update(x, x->in->reg ? alu_dec : alu_inc, 0, true);
}

static bool not_rm(struct exec *x)
{
	uint32_t v;

	return rm_read(x, &v, ACC_WRITE) && rm_write(x, ~v);
}

static bool mul_rm(struct exec *x, bool sign)
{
	struct vcpu *c = x->c;
	uint32_t s, lo = c->gpr[R_EAX], hi = c->gpr[R_EDX];

	if (!rm_read(x, &s, ACC_READ))
		return false;
	c->eflags = (sign ? alu_imul1 : alu_mul1)(&lo, &hi, s, x->size, c->eflags);
	reg_set(c, R_EAX, x->size == 1 ? 2 : x->size, lo);
	if (x->size > 1)
		reg_set(c, R_EDX, x->size, hi);
	return true;
}

/* The dividend: AX, DX:AX or EDX:EAX. */
static uint64_t dividend(const struct exec *x)
{
	const struct vcpu *c = x->c;
	unsigned bits = 8 * x->size;

	if (x->size == 1)
		return c->gpr[R_EAX] & 0xffff;
	return (uint64_t)reg_get(c, R_EDX, x->size) << bits | reg_get(c, R_EAX, x->size);
}

static bool set_quotient(struct exec *x, uint64_t quotient, uint64_t remainder)
{
	reg_set(x->c, R_EAX, x->size, (uint32_t)quotient);
	/* Register 4 of size 1 is AH. */
	reg_set(x->c, x->size == 1 ? 4 : R_EDX, x->size, (uint32_t)remainder);
	return true;
}

static bool div_rm(struct exec *x)
{
	uint64_t n = dividend(x);
	uint32_t d;

	if (!rm_read(x, &d, ACC_READ))
		return false;
	if (!d || n / d > size_mask(x->size))
		return fault_raise(x->f, VEC_DE, 0);
	return set_quotient(x, n / d, n % d);
}

static int64_t sign_extend(uint64_t v, unsigned bits)
{
	return (int64_t)(v << (64 - bits)) >> (64 - bits);
}

static bool idiv_rm(struct exec *x)
{
	unsigned bits = 8 * x->size;
	int64_t n = sign_extend(dividend(x), 2 * bits), d, q;
	uint32_t v;

	if (!rm_read(x, &v, ACC_READ))
		return false;
	d = sign_extend(v, bits);
	/* The second would overflow in C as well. */
	if (!d || (n == INT64_MIN && d == -1))
		return fault_raise(x->f, VEC_DE, 0);
	q = n / d;
	if (q != sign_extend((uint64_t)q, bits))
		return fault_raise(x->f, VEC_DE, 0);
	return set_quotient(x, (uint64_t)q, (uint64_t)(n % d));
}

OP_FN(op_group3)
{
	switch (x->in->reg) {
	case 2: return not_rm(x);
	case 3: return rm_update(x, alu_neg, 0, true);
	case 4: return mul_rm(x, false);
	case 5: return mul_rm(x, true);
	case 6: return div_rm(x);
	case 7: return idiv_rm(x);
	default: return rm_update(x, alu_test, x->in->imm, false);
	}
}

OP_FN(op_shift_imm)
{
	return rm_update(x, alu_shift[x->in->reg], x->in->imm, true);
}

OP_FN(op_shift_1)
{
	return rm_update(x, alu_shift[x->in->reg], 1, true);
}

OP_FN(op_shift_cl)
{
	return rm_update(x, alu_shift[x->in->reg], x->c->gpr[R_ECX], true);
}

/* 0F A4 A5 shld, 0F AC AD shrd: the odd ones shift by CL. */
OP_FN(op_shift_double)
{
	const struct insn *in = x->in;
	struct vcpu *c = x->c;
	unsigned count = in->opcode & 1 ? c->gpr[R_ECX] : in->imm;
	struct alu r;
	uint32_t d;

	if (!rm_read(x, &d, ACC_WRITE))
		return false;
	r = (in->opcode & 8 ? alu_shrd : alu_shld)(d, c->gpr[in->reg], count, x->size, c->eflags);
	if (!rm_write(x, r.v))
		return false;
	c->eflags = r.fl;
	return true;
}

OP_FN(op_imul_reg_rm)
{
	uint32_t s;

	return rm_read(x, &s, ACC_READ) && reg_update(x, x->in->reg, alu_imul, s, true);
}

OP_FN(op_imul_rm_imm)
{
	struct alu r;
	uint32_t s;

	if (!rm_read(x, &s, ACC_READ))
		return false;
	r = alu_imul(s, x->in->imm, x->size, x->c->eflags);
	x->c->eflags = r.fl;
	reg_set(x->c, x->in->reg, x->size, r.v);
	return true;
}

enum { BIT_TEST, BIT_SET, BIT_RESET, BIT_COMPLEMENT };

static bool bit_op(struct exec *x, unsigned what, uint32_t bit)
{
	uint32_t v, mask = 1u << (bit & (8 * x->size - 1)), changed;

	if (!rm_read(x, &v, what == BIT_TEST ? ACC_READ : ACC_WRITE))
		return false;
	changed = what == BIT_SET ? v | mask : what == BIT_RESET ? v & ~mask : v ^ mask;
	if (what != BIT_TEST && !rm_write(x, changed))
		return false;
	x->c->eflags = (x->c->eflags & ~FL_CF) | (v & mask ? FL_CF : 0);
	return true;
}

/* In memory the register is a signed offset into a bit string (SDM 2, BT). */
OP_FN(op_bit_reg)
{
	const struct insn *in = x->in;
	uint32_t bit = x->c->gpr[in->reg];
	int32_t word = x->size == 4 ? (int32_t)bit >> 5 : (int16_t)bit >> 4;

	x->off = (x->off + (uint32_t)word * x->size) & size_mask(in->adsize);
	return bit_op(x, in->opcode >> 3 & 3, bit);
}

OP_FN(op_bit_imm)
{
	return bit_op(x, x->in->reg & 3, x->in->imm);
}

/* F3 makes them tzcnt and lzcnt on hosts that have these. */
OP_FN(op_bsf)
{
	uint32_t s;

	return rm_read(x, &s, ACC_READ) &&
	       reg_update(x, x->in->reg, x->in->prefix & IP_REP ? alu_rep_bsf : alu_bsf, s, true);
}

OP_FN(op_bsr)
{
	uint32_t s;

	return rm_read(x, &s, ACC_READ) &&
	       reg_update(x, x->in->reg, x->in->prefix & IP_REP ? alu_rep_bsr : alu_bsr, s, true);
}

OP_FN(op_popcnt)
{
	uint32_t v;

	if (!rm_read(x, &v, ACC_READ))
		return false;
	x->c->eflags = (x->c->eflags & ~FL_ARITH) | (v ? 0 : FL_ZF);
	reg_set(x->c, x->in->reg, x->size, (uint32_t)__builtin_popcount(v));
	return true;
}

OP_FN(op_xadd)
{
	struct vcpu *c = x->c;
	struct alu sum;
	uint32_t v;

	if (!rm_read(x, &v, ACC_WRITE))
		return false;
	sum = alu_add(v, reg_get(c, x->in->reg, x->size), x->size, c->eflags);
	if (x->in->has_mem && !rm_write(x, sum.v))
		return false;
	reg_set(c, x->in->reg, x->size, v);
	/* xadd of a register with itself doubles it: the sum is written last. */
	if (!x->in->has_mem)
		reg_set(c, x->in->rm, x->size, sum.v);
	c->eflags = sum.fl;
	return true;
}

/* The destination is always written, with its old value if it differs (SDM 2, CMPXCHG). */
OP_FN(op_cmpxchg)
{
	struct vcpu *c = x->c;
	uint32_t v, acc = reg_get(c, R_EAX, x->size);
	bool equal;

	if (!rm_read(x, &v, ACC_WRITE))
		return false;
	equal = v == acc;
	if (!rm_write(x, equal ? reg_get(c, x->in->reg, x->size) : v))
		return false;
	if (!equal)
		reg_set(c, R_EAX, x->size, v);
	c->eflags = alu_sub(acc, v, x->size, c->eflags).fl;
	return true;
}

OP_FN(op_cmpxchg8b)
{
	struct vcpu *c = x->c;
	const uint32_t want[2] = { c->gpr[R_EAX], c->gpr[R_EDX] };
	const uint32_t new[2] = { c->gpr[R_EBX], c->gpr[R_ECX] };
	uint32_t v[2];
	bool equal;

	if (!mem_read(x, x->in->seg, x->off, v, sizeof(v), ACC_WRITE))
		return false;
	equal = !memcmp(v, want, sizeof(v));
	if (!mem_write(x, x->in->seg, x->off, equal ? new : v, sizeof(v)))
		return false;
	c->gpr[R_EAX] = v[0];
	c->gpr[R_EDX] = v[1];
	c->eflags = (c->eflags & ~FL_ZF) | (equal ? FL_ZF : 0);
	return true;
}

/* Adjusts the RPL of a selector, which is written only if it changes; not in
 * real and virtual-8086 mode. */
OP_FN(op_arpl)
{
	struct vcpu *c = x->c;
	uint32_t v, rpl = c->gpr[x->in->reg] & 3;

	if (!(c->cr0 & CR0_PE) || (c->eflags & FL_VM))
		return fault_raise(x->f, VEC_UD, 0);
	x->size = 2;
	if (!rm_read(x, &v, ACC_READ))
		return false;
	if ((v & 3) >= rpl) {
		c->eflags &= ~FL_ZF;
		return true;
	}
	if (!rm_write(x, (v & ~3u) | rpl))
		return false;
	c->eflags |= FL_ZF;
	return true;
}
