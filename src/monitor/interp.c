/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Dispatch: which handler carries out an opcode, with which operand size, and
 * which forms of it exist.  The handlers are in interp_*.c by kind.
 */
#include "monitor/emulate.h"
#include "monitor/interp_ops.h"

enum {
	BYTE = 1,	/* the operand is a byte, whatever the operand size is */
	MEM = 2,	/* only with a memory operand */
	REG = 4,	/* only with a register operand */
	PLAIN = 8,	/* no 66, F2 or F3 prefix */
	REP = 16,	/* only with F3 */
};

/* Prefixes that select another instruction. */
#define MANDATORY (IP_OPSIZE | IP_REP | IP_REPNE)

struct op {
	bool (*run)(struct exec *x);	/* NULL: not done here */
	uint8_t flags;
	uint8_t regs;		/* the reg fields of modrm that exist; 0: all */
};

#define R(n) (1u << (n))

#define ONE(fn) { fn, 0, 0 }

/* The six forms of an arithmetic instruction. */
#define ALU(base) \
	[(base)] = { op_alu_rm_reg, BYTE, 0 }, [(base) + 1] = ONE(op_alu_rm_reg), \
	[(base) + 2] = { op_alu_reg_rm, BYTE, 0 }, [(base) + 3] = ONE(op_alu_reg_rm), \
	[(base) + 4] = { op_alu_acc_imm, BYTE, 0 }, [(base) + 5] = ONE(op_alu_acc_imm)

/* A byte form at an even opcode, and the word form after it. */
#define PAIR(base, fn, regs) [(base)] = { fn, BYTE, regs }, [(base) + 1] = { fn, 0, regs }

static const struct op map1[256] = {
	ALU(0x00), ALU(0x08), ALU(0x10), ALU(0x18),
	ALU(0x20), ALU(0x28), ALU(0x30), ALU(0x38),
	[0x27] = ONE(op_daa), [0x2f] = ONE(op_das), [0x37] = ONE(op_aaa), [0x3f] = ONE(op_aas),
	[0x40 ... 0x47] = ONE(op_inc_reg), [0x48 ... 0x4f] = ONE(op_dec_reg),
	[0x50 ... 0x57] = ONE(op_push_reg), [0x58 ... 0x5f] = ONE(op_pop_reg),
	[0x60] = ONE(op_pusha), [0x61] = ONE(op_popa), [0x63] = ONE(op_arpl),
	[0x68] = ONE(op_push_imm), [0x6a] = ONE(op_push_imm),
	[0x69] = ONE(op_imul_rm_imm), [0x6b] = ONE(op_imul_rm_imm),
	[0x70 ... 0x7f] = ONE(op_jcc),
	PAIR(0x80, op_alu_rm_imm, 0), PAIR(0x82, op_alu_rm_imm, 0),
	PAIR(0x84, op_test_rm_reg, 0), PAIR(0x86, op_xchg_rm_reg, 0),
	PAIR(0x88, op_mov_rm_reg, 0), PAIR(0x8a, op_mov_reg_rm, 0),
	[0x8d] = { op_lea, MEM, 0 }, [0x8f] = { op_pop_rm, 0, R(0) },
	[0x90] = ONE(op_nop), [0x91 ... 0x97] = ONE(op_xchg_acc_reg),
	[0x98] = ONE(op_cbw), [0x99] = ONE(op_cwd), [0x9e] = ONE(op_sahf), [0x9f] = ONE(op_lahf),
	PAIR(0xa0, op_mov_acc_moffs, 0), PAIR(0xa2, op_mov_moffs_acc, 0),
	PAIR(0xa4, op_string, 0), PAIR(0xa6, op_string, 0),
	PAIR(0xa8, op_test_acc_imm, 0), PAIR(0xaa, op_string, 0),
	PAIR(0xac, op_string, 0), PAIR(0xae, op_string, 0),
	[0xb0 ... 0xb7] = { op_mov_reg_imm, BYTE, 0 }, [0xb8 ... 0xbf] = ONE(op_mov_reg_imm),
	PAIR(0xc0, op_shift_imm, 0), [0xc2] = ONE(op_ret), [0xc3] = ONE(op_ret),
	PAIR(0xc6, op_mov_rm_imm, R(0)), [0xc8] = ONE(op_enter), [0xc9] = ONE(op_leave),
	PAIR(0xd0, op_shift_1, 0), PAIR(0xd2, op_shift_cl, 0),
	[0xd4] = ONE(op_aam), [0xd5] = ONE(op_aad), [0xd6] = ONE(op_salc), [0xd7] = ONE(op_xlat),
	[0xe0 ... 0xe3] = ONE(op_loop), [0xe8] = ONE(op_call_rel),
	[0xe9] = ONE(op_jmp_rel), [0xeb] = ONE(op_jmp_rel),
	[0xf5] = ONE(op_cmc), PAIR(0xf6, op_group3, 0), [0xf8] = ONE(op_clc), [0xf9] = ONE(op_stc),
	[0xfc] = ONE(op_cld), [0xfd] = ONE(op_std),
	[0xfe] = { op_inc_dec_rm, BYTE, R(0) | R(1) },
	[0xff] = { op_group5, 0, R(0) | R(1) | R(2) | R(4) | R(6) },
};

/* Opcodes 0F NN. */
static const struct op map0f[256] = {
	[0x0d] = ONE(op_nop), [0x18 ... 0x19] = ONE(op_nop),	/* prefetch and hints */
	[0x1c ... 0x1f] = ONE(op_nop),				/* endbr, nop with modrm */
	[0x40 ... 0x4f] = ONE(op_cmov), [0x80 ... 0x8f] = ONE(op_jcc),
	[0x90 ... 0x9f] = { op_setcc, BYTE, 0 },
	[0xa3] = ONE(op_bit_reg), [0xab] = ONE(op_bit_reg),
	[0xb3] = ONE(op_bit_reg), [0xbb] = ONE(op_bit_reg),
	[0xba] = { op_bit_imm, 0, R(4) | R(5) | R(6) | R(7) },
	[0xa4 ... 0xa5] = ONE(op_shift_double), [0xac ... 0xad] = ONE(op_shift_double),
	/* lfence mfence sfence: one virtual CPU sees its own accesses in order. */
	[0xae] = { op_nop, REG | PLAIN, R(5) | R(6) | R(7) },
	[0xaf] = ONE(op_imul_reg_rm),
	PAIR(0xb0, op_cmpxchg, 0), PAIR(0xc0, op_xadd, 0),
	[0xb6 ... 0xb7] = ONE(op_movzx), [0xbe ... 0xbf] = ONE(op_movsx),
	[0xb8] = { op_popcnt, REP, 0 }, [0xbc] = ONE(op_bsf), [0xbd] = ONE(op_bsr),
	[0xc3] = { op_movnti, MEM | PLAIN, 0 },
	[0xc7] = { op_cmpxchg8b, MEM, R(1) },
	[0xc8 ... 0xcf] = ONE(op_bswap),
};

/* The entry for a harmless instruction, or NULL if it is not done here. */
static const struct op *find(const struct insn *in)
{
	const struct op *op;

	if (in->opcode < 0x100)
		op = &map1[in->opcode];
	else if (in->opcode >> 8 == 0xf)
		op = &map0f[in->opcode & 0xff];
	else
		return NULL;
	if (op->regs && !(op->regs & R(in->reg)))
		return NULL;
	if (op->flags & ~BYTE) {
		if (((op->flags & MEM) && !in->has_mem) || ((op->flags & REG) && in->has_mem))
			return NULL;
		if ((op->flags & PLAIN) && (in->prefix & MANDATORY))
			return NULL;
		if ((op->flags & REP) && !(in->prefix & IP_REP))
			return NULL;
	}
	return op->run ? op : NULL;
}

bool interp_can(const struct insn *insn)
{
	return insn->cls != IC_INVALID && insn->kind == IK_NONE && find(insn);
}

gva_t interp_ea(const struct vcpu *c, const struct insn *insn)
{
	return GVA(c->seg[insn->seg].base + ea_offset(c, insn));
}

static enum interp_result run(struct vm *vm, const struct op *op, const struct insn *in,
			      struct fault *f)
{
	struct vcpu *c = vm_vcpu(vm);
	struct exec x = { .vm = vm, .c = c, .in = in, .f = f, .next = c->eip + in->len };

	if (!(c->seg[S_CS].attr & SEG_DB))
		x.next &= 0xffff;
	x.size = op->flags & BYTE ? 1 : in->opsize;
	if (in->has_mem)
		x.off = ea_offset(c, in);
	if (!op->run(&x))
		return INTERP_FAULT;
	c->eip = x.next;
	c->shadow = false;
	if (c->eflags & FL_RF)
		c->eflags &= ~FL_RF;
	return INTERP_OK;
}

enum interp_result interp_insn(struct vm *vm, const struct insn *insn, struct fault *f)
{
	const struct op *op;

	if (insn->cls == IC_INVALID) {
		fault_raise(f, VEC_UD, 0);
		return INTERP_FAULT;
	}
	if (insn->kind != IK_NONE)
		return emulate(vm, insn, f);
	op = find(insn);
	return op ? run(vm, op, insn, f) : INTERP_UNKNOWN;
}
