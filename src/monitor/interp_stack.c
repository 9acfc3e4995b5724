/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The stack (SDM 1, chapter 6).  Instructions of several pushes or pops first
 * probe all they will touch, so that nothing faults half-way.
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

/* Can n stack words, the lowest at offset low, be accessed? */
static bool probe(struct exec *x, uint32_t low, unsigned n, uint32_t how)
{
	uint32_t v;

	while (n--) {
		low &= stack_mask(x->c);
		if (!mem_read(x, S_SS, low, &v, x->size, how))
			return false;
		low += x->size;
	}
	return true;
}

OP_FN(op_pusha)
{
	struct vcpu *c = x->c;
	uint32_t esp = c->gpr[R_ESP];
	unsigned r;

	if (!probe(x, esp - R_COUNT * x->size, R_COUNT, ACC_WRITE))
		return false;
	for (r = R_EAX; r < R_COUNT; r++) {
		if (!push(x, r == R_ESP ? esp : c->gpr[r])) {
			c->gpr[R_ESP] = esp;
			return false;
		}
	}
	return true;
}

OP_FN(op_popa)
{
	struct vcpu *c = x->c;
	uint32_t esp = c->gpr[R_ESP], v;
	unsigned r;

	if (!probe(x, esp, R_COUNT, ACC_READ))
		return false;
	for (r = R_COUNT; r-- > 0;) {
		if (!stack_pop(x->vm, c, &v, x->size, x->f)) {
			c->gpr[R_ESP] = esp;
			return false;
		}
		if (r != R_ESP)
			reg_set(c, r, x->size, v);
	}
	return true;
}

/* Copies the frame pointers of the enclosing levels, then pushes the new one. */
static bool push_display(struct exec *x, unsigned level, uint32_t frame)
{
	struct vcpu *c = x->c;
	uint32_t ebp = c->gpr[R_EBP], v;

	while (--level) {
		ebp -= x->size;
		if (!mem_read(x, S_SS, ebp & stack_mask(c), &v, x->size, ACC_READ) || !push(x, v))
			return false;
	}
	return push(x, frame);
}

/* The stack is writable down to its final top, or nothing happens (SDM 2, ENTER). */
OP_FN(op_enter)
{
	struct vcpu *c = x->c;
	unsigned level = x->in->imm2 % 32, words = level ? level + 1 : 1;
	uint32_t esp = c->gpr[R_ESP], mask = stack_mask(c), frame = (esp - x->size) & mask;

	if (!probe(x, esp - words * x->size, words, ACC_WRITE) ||
	    !probe(x, esp - words * x->size - x->in->imm, 1, ACC_WRITE) ||
	    (level > 1 && !probe(x, c->gpr[R_EBP] - (level - 1) * x->size, level - 1, ACC_READ)))
		return false;
	frame |= esp & ~mask;
	if (!push(x, c->gpr[R_EBP]) || (level && !push_display(x, level, frame))) {
		c->gpr[R_ESP] = esp;
		return false;
	}
	reg_set(c, R_EBP, x->size == 4 && mask == UINT32_MAX ? 4 : 2, frame);
	stack_set(c, c->gpr[R_ESP] - x->in->imm);
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
