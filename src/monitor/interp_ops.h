/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The inside of the interpreter: what a handler of an opcode gets, and how it
 * reaches its operands.  A handler changes the CPU only after its last step
 * that can fault.
 */
#ifndef LILYVM_INTERP_OPS_H
#define LILYVM_INTERP_OPS_H

#include "monitor/interp.h"
#include "monitor/segmem.h"

/* One execution of one instruction. */
struct exec {
	struct vm *vm;
	struct vcpu *c;
	const struct insn *in;
	struct fault *f;
	uint32_t next;		/* EIP afterwards; branches change it */
	uint32_t off;		/* offset of the memory operand, if there is one */
	uint8_t size;		/* operand size in bytes: 1, 2 or 4 */
};

/* Carries out the instruction; false with the fault in *x->f. */
#define OP_FN(name) bool name(struct exec *x)

/* Register r of size bytes, zero-extended; of size 1, 4..7 are AH CH DH BH. */
static inline uint32_t reg_get(const struct vcpu *c, unsigned r, unsigned size)
{
	if (size == 4)
		return c->gpr[r];
	if (size == 2)
		return c->gpr[r] & 0xffff;
	return c->gpr[r & 3] >> (r & 4 ? 8 : 0) & 0xff;
}

static inline void reg_set(struct vcpu *c, unsigned r, unsigned size, uint32_t v)
{
	unsigned shift = r & 4 ? 8 : 0;

	if (size == 4)
		c->gpr[r] = v;
	else if (size == 2)
		c->gpr[r] = (c->gpr[r] & 0xffff0000) | (v & 0xffff);
	else
		c->gpr[r & 3] = (c->gpr[r & 3] & ~(0xffu << shift)) | (v & 0xff) << shift;
}

/* All ones as wide as an address or operand of size bytes. */
static inline uint32_t size_mask(unsigned size)
{
	return size == 4 ? UINT32_MAX : size == 2 ? 0xffff : 0xff;
}

static inline uint32_t ea_offset(const struct vcpu *c, const struct insn *in)
{
	uint32_t off = in->disp;

	if (in->base >= 0)
		off += c->gpr[in->base];
	if (in->index >= 0)
		off += c->gpr[in->index] << in->scale;
	return off & size_mask(in->adsize);
}

static inline bool mem_read(struct exec *x, unsigned seg, uint32_t off, void *buf, uint32_t n,
			    uint32_t how)
{
	return segmem_read(x->vm, x->c, seg, off, buf, n, how, x->f);
}

static inline bool mem_write(struct exec *x, unsigned seg, uint32_t off, const void *buf,
			     uint32_t n)
{
	return segmem_write(x->vm, x->c, seg, off, buf, n, x->f);
}

/* The operand that modrm (or moffs) names.  How is ACC_WRITE if it will be
 * written, too. */
static inline bool rm_read_size(struct exec *x, uint32_t *v, unsigned size, uint32_t how)
{
	*v = 0;
	if (x->in->has_mem)
		return mem_read(x, x->in->seg, x->off, v, size, how);
	*v = reg_get(x->c, x->in->rm, size);
	return true;
}

static inline bool rm_read(struct exec *x, uint32_t *v, uint32_t how)
{
	return rm_read_size(x, v, x->size, how);
}

static inline bool rm_write(struct exec *x, uint32_t v)
{
	if (x->in->has_mem)
		return mem_write(x, x->in->seg, x->off, &v, x->size);
	reg_set(x->c, x->in->rm, x->size, v);
	return true;
}

/* Condition cc of jcc, setcc and cmovcc (SDM 1, appendix B). */
static inline bool condition(uint32_t fl, unsigned cc)
{
	bool yes;

	switch (cc >> 1 & 7) {
	case 0: yes = fl & FL_OF; break;
	case 1: yes = fl & FL_CF; break;
	case 2: yes = fl & FL_ZF; break;
	case 3: yes = fl & (FL_CF | FL_ZF); break;
	case 4: yes = fl & FL_SF; break;
	case 5: yes = fl & FL_PF; break;
	case 6: yes = !(fl & FL_SF) != !(fl & FL_OF); break;
	default: yes = (fl & FL_ZF) || !(fl & FL_SF) != !(fl & FL_OF); break;
	}
	return yes != (cc & 1);
}

/* interp_arith.c */
OP_FN(op_alu_rm_reg);		/* add or adc sbb and sub xor cmp */
OP_FN(op_alu_reg_rm);
OP_FN(op_alu_acc_imm);
OP_FN(op_alu_rm_imm);
OP_FN(op_test_rm_reg);
OP_FN(op_test_acc_imm);
OP_FN(op_inc_reg);
OP_FN(op_dec_reg);
OP_FN(op_inc_dec_rm);		/* FE and FF /0 /1 */
OP_FN(op_group3);		/* F6 F7: test not neg mul imul div idiv */
OP_FN(op_shift_imm);
OP_FN(op_shift_1);
OP_FN(op_shift_cl);
OP_FN(op_shift_double);		/* shld shrd, by imm8 and by cl */
OP_FN(op_imul_reg_rm);
OP_FN(op_imul_rm_imm);
OP_FN(op_bit_reg);		/* bt bts btr btc */
OP_FN(op_bit_imm);
OP_FN(op_bsf);
OP_FN(op_bsr);
OP_FN(op_popcnt);
OP_FN(op_xadd);
OP_FN(op_cmpxchg);
OP_FN(op_cmpxchg8b);
OP_FN(op_arpl);

/* interp_bcd.c */
OP_FN(op_daa);
OP_FN(op_das);
OP_FN(op_aaa);
OP_FN(op_aas);
OP_FN(op_aam);
OP_FN(op_aad);

/* interp_move.c */
OP_FN(op_nop);
OP_FN(op_mov_rm_reg);
OP_FN(op_mov_reg_rm);
OP_FN(op_movnti);
OP_FN(op_mov_rm_imm);
OP_FN(op_mov_reg_imm);
OP_FN(op_mov_acc_moffs);
OP_FN(op_mov_moffs_acc);
OP_FN(op_movzx);
OP_FN(op_movsx);
OP_FN(op_cmov);
OP_FN(op_setcc);
OP_FN(op_lea);
OP_FN(op_xchg_rm_reg);
OP_FN(op_xchg_acc_reg);
OP_FN(op_bswap);
OP_FN(op_cbw);			/* and cwde */
OP_FN(op_cwd);			/* and cdq */
OP_FN(op_xlat);
OP_FN(op_salc);
OP_FN(op_lahf);
OP_FN(op_sahf);
OP_FN(op_clc);
OP_FN(op_stc);
OP_FN(op_cmc);
OP_FN(op_cld);
OP_FN(op_std);

/* interp_stack.c */
OP_FN(op_push_reg);
OP_FN(op_push_imm);
OP_FN(op_push_rm);
OP_FN(op_pop_reg);
OP_FN(op_pop_rm);
OP_FN(op_pusha);
OP_FN(op_popa);
OP_FN(op_enter);
OP_FN(op_leave);

/* interp_flow.c */
OP_FN(op_jcc);
OP_FN(op_jmp_rel);
OP_FN(op_call_rel);
OP_FN(op_ret);
OP_FN(op_loop);			/* loopne loope loop jcxz */
OP_FN(op_group5);		/* FF: inc dec call jmp push */

/* interp_string.c */
OP_FN(op_string);		/* movs cmps stos lods scas */

#endif
