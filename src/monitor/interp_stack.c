/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The stack (SDM 1, chapter 6).  Instructions of several pushes first try them
 * all, so that nothing faults half-way.
 */
#include "monitor/interp_ops.h"

static bool push(struct exec *x, uint32_t v)
{
	return stack_push(x->vm, x->c, v, x->size, x->f);
}

OP_FN(op_push_reg)
{
	return push(x, x->c->gpr[x->in->opcode & 7]);
}

OP_FN(op_push_imm)
{
	return push(x, x->in->imm);
}

OP_FN(op_push_rm)
{
	uint32_t v;

	return rm_read(x, &v, ACC_READ) && push(x, v);
}

OP_FN(op_pop_reg)
{
	uint32_t v;

	if (!stack_pop(x->vm, x->c, &v, x->size, x->f))
		return false;
	reg_set(x->c, x->in->opcode & 7, x->size, v);
	return true;
}

/* An address made from ESP uses its value after the pop (SDM 2, POP). */
OP_FN(op_pop_rm)
{
	uint32_t v, esp = x->c->gpr[R_ESP];

	if (!stack_pop(x->vm, x->c, &v, x->size, x->f))
		return false;
	if (x->in->has_mem)
		x->off = ea_offset(x->c, x->in);
	if (rm_write(x, v))
		return true;
	x->c->gpr[R_ESP] = esp;
	return false;
}

/*
 * A push at *esp: the trial only asks whether it may be written.  Pushes go
 * through twice, so the fault is the one that the CPU would meet first.
 */
static bool push_at(struct exec *x, uint32_t *esp, uint32_t v, bool trial)
{
	*esp = (*esp - x->size) & stack_mask(x->c);
	if (trial)
		return mem_read(x, S_SS, *esp, &v, x->size, ACC_WRITE);
	return mem_write(x, S_SS, *esp, &v, x->size);
}

static bool pusha(struct exec *x, bool trial)
{
	const struct vcpu *c = x->c;
	uint32_t esp = c->gpr[R_ESP];
	unsigned r;

	for (r = R_EAX; r < R_COUNT; r++)
		if (!push_at(x, &esp, c->gpr[r], trial))
			return false;
	return true;
}

OP_FN(op_pusha)
{
	if (!pusha(x, true) || !pusha(x, false))
		return false;
	stack_set(x->c, x->c->gpr[R_ESP] - R_COUNT * x->size);
	return true;
}

OP_FN(op_popa)
{
	struct vcpu *c = x->c;
	uint32_t esp = c->gpr[R_ESP], v[R_COUNT] = { 0 };
	unsigned r;

	for (r = R_COUNT; r-- > 0; esp += x->size)
		if (!mem_read(x, S_SS, esp & stack_mask(c), &v[r], x->size, ACC_READ))
			return false;
	for (r = R_EAX; r < R_COUNT; r++)
		if (r != R_ESP)
			reg_set(c, r, x->size, v[r]);
	stack_set(c, esp);
	return true;
}

/* Pushes EBP, copies of the frame pointers of the enclosing levels, and frame;
 * and makes sure that the new top can be written (SDM 2, ENTER). */
static bool enter(struct exec *x, unsigned level, uint32_t frame, bool trial)
{
	const struct vcpu *c = x->c;
	uint32_t esp = c->gpr[R_ESP], ebp = c->gpr[R_EBP], v = 0;
	unsigned i;

	if (!push_at(x, &esp, ebp, trial))
		return false;
	for (i = 1; i < level; i++) {
		ebp = (ebp - x->size) & stack_mask(c);
		if (!mem_read(x, S_SS, ebp, &v, x->size, ACC_READ) || !push_at(x, &esp, v, trial))
			return false;
	}
	if (level && !push_at(x, &esp, frame, trial))
		return false;
	esp = (esp - x->in->imm) & stack_mask(c);
	return !trial || mem_read(x, S_SS, esp, &v, x->size, ACC_WRITE);
}

OP_FN(op_enter)
{
	struct vcpu *c = x->c;
	unsigned level = x->in->imm2 % 32, words = level ? level + 1 : 1;
	uint32_t esp = c->gpr[R_ESP];
	/* All 32 bits take part, even if the stack segment uses 16. */
	uint32_t frame = esp - x->size;

	if (!enter(x, level, frame, true) || !enter(x, level, frame, false))
		return false;
	reg_set(c, R_EBP, x->size, frame);
	stack_set(c, esp - words * x->size - x->in->imm);
	return true;
}

OP_FN(op_leave)
{
	struct vcpu *c = x->c;
	uint32_t ebp = c->gpr[R_EBP] & stack_mask(c), v = 0;

	if (!mem_read(x, S_SS, ebp, &v, x->size, ACC_READ))
		return false;
	stack_set(c, ebp + x->size);
	reg_set(c, R_EBP, x->size, v);
	return true;
}
