/* SPDX-License-Identifier: BSD-2-Clause */
/* Near control transfer (SDM 1, 7.3.8; far transfers are sensitive). */
#include "monitor/interp_ops.h"

/* The target is truncated to the operand size and must lie within CS. */
static bool branch(struct exec *x, uint32_t target)
{
	target &= size_mask(x->in->opsize);
	if (target > x->c->seg[S_CS].limit)
		return fault_raise(x->f, VEC_GP, 0);
	x->next = target;
	return true;
}

static bool call(struct exec *x, uint32_t target)
{
	uint32_t back = x->next;

	return branch(x, target) && stack_push(x->vm, x->c, back, x->size, x->f);
}

OP_FN(op_jcc)
{
	return !condition(x->c->eflags, x->in->opcode) || branch(x, x->next + x->in->imm);
}

OP_FN(op_jmp_rel)
{
	return branch(x, x->next + x->in->imm);
}

OP_FN(op_call_rel)
{
	return call(x, x->next + x->in->imm);
}

OP_FN(op_ret)
{
	struct vcpu *c = x->c;
	uint32_t target, esp = c->gpr[R_ESP];

	if (!stack_pop(x->vm, c, &target, x->size, x->f))
		return false;
	if (!branch(x, target)) {
		c->gpr[R_ESP] = esp;
		return false;
	}
	stack_set(c, c->gpr[R_ESP] + x->in->imm);
	return true;
}

/* E0 loopne, E1 loope, E2 loop, E3 jcxz; the address size selects CX or ECX. */
OP_FN(op_loop)
{
	struct vcpu *c = x->c;
	unsigned op = x->in->opcode & 3;
	uint32_t count = reg_get(c, R_ECX, x->in->adsize) - (op != 3);
	bool taken = count & size_mask(x->in->adsize);

	if (op == 3)
		taken = !taken;
	else if (op != 2)
		taken = taken && op == !!(c->eflags & FL_ZF);
	if (taken && !branch(x, x->next + x->in->imm))
		return false;
	reg_set(c, R_ECX, x->in->adsize, count);
	return true;
}

OP_FN(op_group5)
{
	uint32_t target;

	switch (x->in->reg) {
	case 2: return rm_read(x, &target, ACC_READ) && call(x, target);
	case 4: return rm_read(x, &target, ACC_READ) && branch(x, target);
	case 6: return op_push_rm(x);
	default: return op_inc_dec_rm(x);
	}
}
