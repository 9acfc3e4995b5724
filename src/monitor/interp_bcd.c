/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Decimal arithmetic.  64-bit mode has none of these, so they follow the
 * operation sections of SDM 2; flags undefined there are as current CPUs set
 * them.
 */
#include "monitor/hostalu.h"
#include "monitor/interp_ops.h"

#define AH 4	/* register number of size 1 */

/* Sets SF, ZF and PF from v, OF to 0, AF and CF as told. */
static void set_flags(struct vcpu *c, uint32_t v, bool af, bool cf)
{
	uint32_t fl = alu_test(v, v, 1, c->eflags).fl & ~(FL_AF | FL_CF);

	c->eflags = fl | (af ? FL_AF : 0) | (cf ? FL_CF : 0);
}

/* daa (sign 1) and das (sign -1). */
static void adjust_packed(struct vcpu *c, int sign)
{
	uint32_t al = reg_get(c, R_EAX, 1), v = al;
	bool cf = c->eflags & FL_CF, af = (al & 15) > 9 || (c->eflags & FL_AF), carry = false;

	if (af) {
		v = al + (uint32_t)(6 * sign);
		carry = cf || v > 0xff;
	}
	if (al > 0x99 || cf) {
		v += (uint32_t)(0x60 * sign);
		carry = true;
	}
	reg_set(c, R_EAX, 1, v);
	set_flags(c, v & 0xff, af, carry);
}

OP_FN(op_daa)
{
	adjust_packed(x->c, 1);
	return true;
}

OP_FN(op_das)
{
	adjust_packed(x->c, -1);
	return true;
}

/* aaa (sign 1) and aas (sign -1). */
static void adjust_ascii(struct vcpu *c, int sign)
{
	uint32_t ax = reg_get(c, R_EAX, 2);
	bool carry = (ax & 15) > 9 || (c->eflags & FL_AF);

	if (carry)
		ax += (uint32_t)(0x106 * sign);
	reg_set(c, R_EAX, 2, ax & 0xff0f);
	set_flags(c, ax & 0x0f, carry, carry);
}

OP_FN(op_aaa)
{
	adjust_ascii(x->c, 1);
	return true;
}

OP_FN(op_aas)
{
	adjust_ascii(x->c, -1);
	return true;
}

OP_FN(op_aam)
{
	uint32_t al = reg_get(x->c, R_EAX, 1), base = x->in->imm & 0xff;

	if (!base)
		return fault_raise(x->f, VEC_DE, 0);
	reg_set(x->c, AH, 1, al / base);
	reg_set(x->c, R_EAX, 1, al % base);
	set_flags(x->c, al % base, false, false);
	return true;
}

OP_FN(op_aad)
{
	uint32_t al = reg_get(x->c, R_EAX, 1), ah = reg_get(x->c, AH, 1);

	al = (al + ah * (x->in->imm & 0xff)) & 0xff;
	reg_set(x->c, R_EAX, 2, al);
	set_flags(x->c, al, false, false);
	return true;
}
