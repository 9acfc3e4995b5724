/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The meaning of each sensitive instruction (SDM 2), in terms of the virtual
 * CPU.  Handlers advance eip on success.
 */
#include "monitor/machine.h"

#include <string.h>

typedef enum interp_result handler(struct vm *vm, const struct insn *insn, struct fault *f);

static enum interp_result raise_fault(struct fault *f, unsigned vector, uint32_t error)
{
	*f = (struct fault){ vector, error, 0 };
	return INTERP_FAULT;
}

static enum interp_result done(struct vcpu *c, const struct insn *insn)
{
	c->eip += insn->len;
	return INTERP_OK;
}

static enum interp_result stop(struct vcpu *c, const struct insn *insn)
{
	c->eip += insn->len;
	return INTERP_STOP;
}

static uint32_t rights(const struct vcpu *c)
{
	return c->cpl == 3 ? ACC_USER : ACC_READ;
}

static bool vm86(const struct vcpu *c)
{
	return c->eflags & FL_VM;
}

/* IOPL-sensitive instructions (SDM 1, 18.5.1). */
static bool iopl_ok(const struct vcpu *c)
{
	return c->cpl <= (c->eflags & FL_IOPL) >> 12;
}

/* ---- operands ---- */

static void reg_write(struct vcpu *c, unsigned r, uint32_t v, unsigned size)
{
	if (size == 2)
		c->gpr[r] = (c->gpr[r] & 0xffff0000) | (v & 0xffff);
	else
		c->gpr[r] = v;
}

static bool rm_read(struct vm *vm, const struct insn *insn, void *v, unsigned size, struct fault *f)
{
	if (insn->has_mem)
		return gmem_read(vm, interp_ea(&vm->cpu, insn), v, size, rights(&vm->cpu), f);
	memcpy(v, &vm->cpu.gpr[insn->rm], size);
	return true;
}

/* A 16-bit result: memory gets two bytes, a register its operand size. */
static bool rm_write16(struct vm *vm, const struct insn *insn, uint16_t v, struct fault *f)
{
	if (insn->has_mem)
		return gmem_write(vm, interp_ea(&vm->cpu, insn), &v, 2, rights(&vm->cpu), f);
	reg_write(&vm->cpu, insn->rm, v, insn->opsize);
	return true;
}

static uint32_t stack_mask(const struct vcpu *c)
{
	return c->seg[S_SS].attr & SEG_DB ? 0xffffffff : 0xffff;
}

static void esp_add(struct vcpu *c, int32_t n)
{
	uint32_t m = stack_mask(c);

	c->gpr[R_ESP] = (c->gpr[R_ESP] & ~m) | ((c->gpr[R_ESP] + n) & m);
}

static bool push(struct vm *vm, uint32_t v, unsigned size, struct fault *f)
{
	struct vcpu *c = &vm->cpu;
	uint32_t at = (c->gpr[R_ESP] - size) & stack_mask(c);

	if (!gmem_write(vm, GVA(c->seg[S_SS].base + at), &v, size, rights(c), f))
		return false;
	esp_add(c, -(int32_t)size);
	return true;
}

static bool peek(struct vm *vm, uint32_t off, uint32_t *v, unsigned size, struct fault *f)
{
	struct vcpu *c = &vm->cpu;
	uint32_t at = (c->gpr[R_ESP] + off) & stack_mask(c);

	*v = 0;
	return gmem_read(vm, GVA(c->seg[S_SS].base + at), v, size, rights(c), f);
}

/* ---- flags and interrupts ---- */

static enum interp_result do_pushf(struct vm *vm, const struct insn *insn, struct fault *f)
{
	struct vcpu *c = &vm->cpu;

	if (vm86(c) && !iopl_ok(c))
		return raise_fault(f, VEC_GP, 0);
	if (!push(vm, c->eflags & ~(FL_RF | FL_VM), insn->opsize, f))
		return INTERP_FAULT;
	return done(c, insn);
}

static enum interp_result do_popf(struct vm *vm, const struct insn *insn, struct fault *f)
{
	struct vcpu *c = &vm->cpu;
	uint32_t v, mask = FL_ARITH | FL_TF | FL_DF | FL_NT | FL_AC | FL_ID;

	if (vm86(c) && !iopl_ok(c))
		return raise_fault(f, VEC_GP, 0);
	if (!peek(vm, 0, &v, insn->opsize, f))
		return INTERP_FAULT;
	if (iopl_ok(c))
		mask |= FL_IF;
	if (c->cpl == 0)
		mask |= FL_IOPL;
	if (insn->opsize == 2)
		mask &= 0xffff;
	esp_add(c, insn->opsize);
	cpu_set_flags(c, v, mask);
	return done(c, insn);
}

static enum interp_result do_cli(struct vm *vm, const struct insn *insn, struct fault *f)
{
	if (!iopl_ok(&vm->cpu))
		return raise_fault(f, VEC_GP, 0);
	vm->cpu.eflags &= ~FL_IF;
	return done(&vm->cpu, insn);
}

static enum interp_result do_sti(struct vm *vm, const struct insn *insn, struct fault *f)
{
	struct vcpu *c = &vm->cpu;

	if (!iopl_ok(c))
		return raise_fault(f, VEC_GP, 0);
	if (!(c->eflags & FL_IF))
		c->shadow = true;
	c->eflags |= FL_IF;
	return done(c, insn);
}

static enum interp_result do_hlt(struct vm *vm, const struct insn *insn, struct fault *f)
{
	if (vm->cpu.cpl)
		return raise_fault(f, VEC_GP, 0);
	vm->cpu.halted = true;
	vm->cpu.shadow = false;
	vm->stats.halts++;
	return stop(&vm->cpu, insn);
}

static enum interp_result do_iret(struct vm *vm, const struct insn *insn, struct fault *f)
{
	if (vm86(&vm->cpu))
		return iopl_ok(&vm->cpu) ? INTERP_UNKNOWN : raise_fault(f, VEC_GP, 0);
	return trap_iret(vm, insn, f);
}

/* int n, int3 and into push the address behind the instruction. */
static enum interp_result software_interrupt(struct vm *vm, const struct insn *insn,
					     unsigned vector, struct fault *f)
{
	struct vcpu *c = &vm->cpu;

	/* In vm86 mode int n is IOPL-sensitive, int3 and into are not. */
	if (insn->kind == IK_INT && vm86(c) && !iopl_ok(c))
		return raise_fault(f, VEC_GP, 0);
	c->eip += insn->len;
	if (trap_software(vm, vector, f))
		return INTERP_STOP;
	c->eip -= insn->len;
	return INTERP_FAULT;
}

static enum interp_result do_int(struct vm *vm, const struct insn *insn, struct fault *f)
{
	return software_interrupt(vm, insn, insn->imm & 0xff, f);
}

static enum interp_result do_int3(struct vm *vm, const struct insn *insn, struct fault *f)
{
	return software_interrupt(vm, insn, VEC_BP, f);
}

static enum interp_result do_into(struct vm *vm, const struct insn *insn, struct fault *f)
{
	if (!(vm->cpu.eflags & FL_OF))
		return done(&vm->cpu, insn);
	return software_interrupt(vm, insn, VEC_OF, f);
}

static enum interp_result do_int1(struct vm *vm, const struct insn *insn, struct fault *f)
{
	vm->cpu.eip += insn->len;
	return raise_fault(f, VEC_DB, 0);
}

static enum interp_result do_bound(struct vm *vm, const struct insn *insn, struct fault *f)
{
	uint8_t buf[8];
	int32_t low, high, v;

	if (!gmem_read(vm, interp_ea(&vm->cpu, insn), buf, 2 * insn->opsize, rights(&vm->cpu), f))
		return INTERP_FAULT;
	if (insn->opsize == 2) {
		int16_t b[2];

		memcpy(b, buf, 4);
		low = b[0];
		high = b[1];
		v = (int16_t)vm->cpu.gpr[insn->reg];
	} else {
		memcpy(&low, buf, 4);
		memcpy(&high, buf + 4, 4);
		v = vm->cpu.gpr[insn->reg];
	}
	if (v < low || v > high)
		return raise_fault(f, VEC_BR, 0);
	return done(&vm->cpu, insn);
}

static enum interp_result do_ud(struct vm *vm, const struct insn *insn, struct fault *f)
{
	(void)vm;
	(void)insn;
	return raise_fault(f, VEC_UD, 0);
}

/* ---- segment registers ---- */

static enum interp_result do_mov_from_sreg(struct vm *vm, const struct insn *insn, struct fault *f)
{
	if (insn->reg >= S_COUNT)
		return raise_fault(f, VEC_UD, 0);
	if (!rm_write16(vm, insn, vm->cpu.seg[insn->reg].sel, f))
		return INTERP_FAULT;
	return done(&vm->cpu, insn);
}

static enum interp_result do_mov_to_sreg(struct vm *vm, const struct insn *insn, struct fault *f)
{
	uint16_t sel;

	if (insn->reg >= S_COUNT || insn->reg == S_CS)
		return raise_fault(f, VEC_UD, 0);
	if (!rm_read(vm, insn, &sel, 2, f) || !segment_load(vm, insn->reg, sel, f))
		return INTERP_FAULT;
	vm->cpu.shadow = insn->reg == S_SS;
	return done(&vm->cpu, insn);
}

/* push/pop es, cs, ss, ds are in the one-byte map, fs and gs behind 0F; bits
 * 3-5 of the opcode number the register in both. */
static unsigned sreg_of(const struct insn *insn)
{
	return (insn->opcode >> 3) & 7;
}

static enum interp_result do_push_sreg(struct vm *vm, const struct insn *insn, struct fault *f)
{
	if (!push(vm, vm->cpu.seg[sreg_of(insn)].sel, insn->opsize, f))
		return INTERP_FAULT;
	return done(&vm->cpu, insn);
}

static enum interp_result do_pop_sreg(struct vm *vm, const struct insn *insn, struct fault *f)
{
	unsigned reg = sreg_of(insn);
	uint32_t sel;

	if (!peek(vm, 0, &sel, 2, f) || !segment_load(vm, reg, sel, f))
		return INTERP_FAULT;
	esp_add(&vm->cpu, insn->opsize);
	vm->cpu.shadow = reg == S_SS;
	return done(&vm->cpu, insn);
}

static bool read_far(struct vm *vm, const struct insn *insn, uint32_t *off, uint16_t *sel,
		     struct fault *f)
{
	gva_t a = interp_ea(&vm->cpu, insn);

	*off = 0;
	return gmem_read(vm, a, off, insn->opsize, rights(&vm->cpu), f) &&
	       gmem_read(vm, GVA(a.v + insn->opsize), sel, 2, rights(&vm->cpu), f);
}

static enum interp_result do_lsreg(struct vm *vm, const struct insn *insn, struct fault *f)
{
	static const struct { uint16_t opcode; uint8_t reg; } regs[] = {
		{ 0xc4, S_ES }, { 0xc5, S_DS }, { 0xfb2, S_SS }, { 0xfb4, S_FS }, { 0xfb5, S_GS },
	};
	uint32_t off;
	uint16_t sel;
	size_t i;

	if (!insn->has_mem)
		return raise_fault(f, VEC_UD, 0);
	for (i = 0; i < sizeof regs / sizeof *regs; i++) {
		if (regs[i].opcode != insn->opcode)
			continue;
		if (!read_far(vm, insn, &off, &sel, f) || !segment_load(vm, regs[i].reg, sel, f))
			return INTERP_FAULT;
		reg_write(&vm->cpu, insn->reg, off, insn->opsize);
		return done(&vm->cpu, insn);
	}
	return INTERP_UNKNOWN;
}

/* ---- far transfers at the same privilege ---- */

/* Checks the code segment of a direct far jump or call. Call gates are not done
 * (INTERP_UNKNOWN). */
static enum interp_result far_target(struct vm *vm, uint16_t sel, struct segment *cs,
				     struct fault *f)
{
	struct vcpu *c = &vm->cpu;
	uint32_t d[2];
	gva_t where;
	unsigned dpl;

	if (vm86(c)) {
		*cs = (struct segment){ sel, 0xf3, (uint32_t)sel << 4, 0xffff };
		return INTERP_OK;
	}
	if (!segment_descriptor(vm, sel, d, &where, f))
		return INTERP_FAULT;
	segment_from_descriptor(cs, sel, d);
	if (!(cs->attr & SEG_S))
		return c->cpl == 3 ? raise_fault(f, VEC_GP, sel & 0xfffc) : INTERP_UNKNOWN;
	dpl = (cs->attr & SEG_DPL) >> 5;
	if (!(cs->attr & 8) || (cs->attr & 4 ? dpl > c->cpl : dpl != c->cpl || (sel & 3) > c->cpl))
		return raise_fault(f, VEC_GP, sel & 0xfffc);
	if (!(cs->attr & SEG_P))
		return raise_fault(f, VEC_NP, sel & 0xfffc);
	return INTERP_OK;
}

/* The TSS that sel leads to, directly or through a task gate; 0: none. */
static uint16_t task_of(struct vm *vm, uint16_t sel, bool *allowed)
{
	struct vcpu *c = &vm->cpu;
	struct fault ignored;
	struct segment s;
	uint32_t d[2];
	gva_t where;
	unsigned dpl;

	if (vm86(c) || !segment_descriptor(vm, sel, d, &where, &ignored))
		return 0;
	segment_from_descriptor(&s, sel, d);
	dpl = (s.attr & SEG_DPL) >> 5;
	*allowed = dpl >= c->cpl && dpl >= (sel & 3u);
	switch (s.attr & (SEG_S | SEG_TYPE)) {
	case 5:
		return s.attr & SEG_P ? d[0] >> 16 : 0;
	case 9:
	case 11:
		return sel & 0xfffc;
	}
	return 0;
}

static enum interp_result far_task(struct vm *vm, const struct insn *insn, uint16_t sel, bool call,
				   struct fault *f)
{
	struct vcpu *c = &vm->cpu;
	uint16_t old = c->tr.sel;

	c->eip += insn->len;
	if (task_switch(vm, sel, call ? TASK_CALL : TASK_JUMP, NULL, f))
		return INTERP_STOP;
	if (c->tr.sel == old)
		c->eip -= insn->len;
	return INTERP_FAULT;
}

static enum interp_result far_transfer(struct vm *vm, const struct insn *insn, bool call,
				       struct fault *f)
{
	struct vcpu *c = &vm->cpu;
	uint32_t off = insn->imm, words[2];
	uint16_t sel = insn->imm2, task;
	enum interp_result r;
	struct segment cs;
	bool allowed;

	if (insn->opcode == 0xff && (!insn->has_mem || !read_far(vm, insn, &off, &sel, f)))
		return insn->has_mem ? INTERP_FAULT : raise_fault(f, VEC_UD, 0);
	task = task_of(vm, sel, &allowed);
	if (task)
		return allowed ? far_task(vm, insn, task, call, f) :
				 raise_fault(f, VEC_GP, sel & 0xfffc);
	r = far_target(vm, sel, &cs, f);
	if (r != INTERP_OK)
		return r;
	if (call) {
		uint32_t saved = c->gpr[R_ESP];

		words[0] = c->seg[S_CS].sel;
		words[1] = c->eip + insn->len;
		if (!push(vm, words[0], insn->opsize, f))
			return INTERP_FAULT;
		if (!push(vm, words[1], insn->opsize, f)) {
			c->gpr[R_ESP] = saved;
			return INTERP_FAULT;
		}
	}
	if (vm86(c))
		c->seg[S_CS] = cs;
	else
		segment_set_cs(c, &cs, c->cpl);
	c->eip = insn->opsize == 2 ? off & 0xffff : off;
	return INTERP_OK;
}

static enum interp_result do_call_far(struct vm *vm, const struct insn *insn, struct fault *f)
{
	return far_transfer(vm, insn, true, f);
}

static enum interp_result do_jmp_far(struct vm *vm, const struct insn *insn, struct fault *f)
{
	return far_transfer(vm, insn, false, f);
}

static enum interp_result do_ret_far(struct vm *vm, const struct insn *insn, struct fault *f)
{
	struct vcpu *c = &vm->cpu;
	uint32_t off, sel;
	struct segment cs;
	enum interp_result r;

	if (!peek(vm, 0, &off, insn->opsize, f) || !peek(vm, insn->opsize, &sel, 2, f))
		return INTERP_FAULT;
	if (!vm86(c) && (sel & 3) < c->cpl)
		return raise_fault(f, VEC_GP, sel & 0xfffc);
	if (!vm86(c) && (sel & 3) > c->cpl)
		return INTERP_UNKNOWN;		/* a return to an outer level */
	r = far_target(vm, sel, &cs, f);
	if (r != INTERP_OK)
		return r;
	esp_add(c, 2 * insn->opsize + (insn->opcode == 0xca ? insn->imm & 0xffff : 0));
	if (vm86(c))
		c->seg[S_CS] = cs;
	else
		segment_set_cs(c, &cs, c->cpl);
	c->eip = off;
	return INTERP_OK;
}

/* ---- descriptor tables ---- */

static enum interp_result do_store_sel(struct vm *vm, const struct insn *insn, struct fault *f)
{
	struct vcpu *c = &vm->cpu;

	if (vm86(c))
		return raise_fault(f, VEC_UD, 0);
	if (!rm_write16(vm, insn, insn->kind == IK_SLDT ? c->ldtr.sel : c->tr.sel, f))
		return INTERP_FAULT;
	return done(c, insn);
}

static enum interp_result do_store_table(struct vm *vm, const struct insn *insn, struct fault *f)
{
	struct vcpu *c = &vm->cpu;
	const struct dtable *t = insn->kind == IK_SGDT ? &c->gdtr : &c->idtr;
	uint8_t buf[6];

	memcpy(buf, &t->limit, 2);
	memcpy(buf + 2, &t->base, 4);
	if (!insn->has_mem)
		return raise_fault(f, VEC_UD, 0);
	if (!gmem_write(vm, interp_ea(c, insn), buf, 6, rights(c), f))
		return INTERP_FAULT;
	return done(c, insn);
}

static enum interp_result do_load_table(struct vm *vm, const struct insn *insn, struct fault *f)
{
	struct vcpu *c = &vm->cpu;
	struct dtable *t = insn->kind == IK_LGDT ? &c->gdtr : &c->idtr;
	uint8_t buf[6];
	gva_t a;

	if (c->cpl)
		return raise_fault(f, VEC_GP, 0);
	if (!insn->has_mem)
		return raise_fault(f, VEC_UD, 0);
	a = interp_ea(c, insn);
	fetch_is_data(vm, a.v, sizeof buf);
	if (!gmem_read(vm, a, buf, sizeof buf, ACC_READ, f))
		return INTERP_FAULT;
	memcpy(&t->limit, buf, 2);
	memcpy(&t->base, buf + 2, 4);
	if (insn->opsize == 2)
		t->base &= 0xffffff;
	fetch_is_data(vm, t->base, t->limit + 1u);
	return done(c, insn);
}

/* lldt and ltr: a system descriptor of the GDT. */
static enum interp_result do_load_system(struct vm *vm, const struct insn *insn, struct fault *f)
{
	struct vcpu *c = &vm->cpu;
	bool ltr = insn->kind == IK_LTR;
	struct segment s;
	uint32_t d[2];
	uint16_t sel;
	gva_t where;
	unsigned type;

	if (vm86(c))
		return raise_fault(f, VEC_UD, 0);
	if (c->cpl)
		return raise_fault(f, VEC_GP, 0);
	if (!rm_read(vm, insn, &sel, 2, f))
		return INTERP_FAULT;
	if (!ltr && (sel & 0xfffc) == 0) {
		c->ldtr = (struct segment){ sel, 0, 0, 0 };
		return done(c, insn);
	}
	if (sel & 4)
		return raise_fault(f, VEC_GP, sel & 0xfffc);
	if (!segment_descriptor(vm, sel, d, &where, f))
		return INTERP_FAULT;
	segment_from_descriptor(&s, sel, d);
	type = s.attr & (SEG_S | SEG_TYPE);
	/* LDT 2; available TSS 9 (32-bit) or 1 (16-bit) */
	if (ltr ? type != 9 && type != 1 : type != 2)
		return raise_fault(f, VEC_GP, sel & 0xfffc);
	if (!(s.attr & SEG_P))
		return raise_fault(f, VEC_NP, sel & 0xfffc);
	if (ltr) {
		d[1] |= 0x200;		/* busy */
		if (!gmem_write(vm, GVA(where.v + 4), &d[1], 4, ACC_READ, f))
			return INTERP_FAULT;
		s.attr |= 2;
		c->tr = s;
	} else {
		c->ldtr = s;
	}
	return done(c, insn);
}

/* Is the descriptor of sel visible for lar, lsl, verr and verw? */
static bool visible(struct vm *vm, const struct insn *insn, struct segment *s, uint32_t d[2],
		    bool *ok, struct fault *f)
{
	struct vcpu *c = &vm->cpu;
	struct fault ignored;
	uint16_t sel;
	gva_t where;
	unsigned dpl;

	if (!rm_read(vm, insn, &sel, 2, f))
		return false;
	*ok = segment_descriptor(vm, sel, d, &where, &ignored);
	if (!*ok)
		return true;
	segment_from_descriptor(s, sel, d);
	dpl = (s->attr & SEG_DPL) >> 5;
	if ((s->attr & (SEG_S | 0xc)) != (SEG_S | 0xc) && (dpl < c->cpl || dpl < (sel & 3u)))
		*ok = false;
	return true;
}

static enum interp_result set_zf(struct vcpu *c, const struct insn *insn, bool zf)
{
	c->eflags = (c->eflags & ~FL_ZF) | (zf ? FL_ZF : 0);
	return done(c, insn);
}

static enum interp_result do_verify(struct vm *vm, const struct insn *insn, struct fault *f)
{
	struct segment s;
	uint32_t d[2];
	bool ok;

	if (vm86(&vm->cpu))
		return raise_fault(f, VEC_UD, 0);
	if (!visible(vm, insn, &s, d, &ok, f))
		return INTERP_FAULT;
	if (ok)
		ok = (s.attr & SEG_S) && (insn->kind == IK_VERR ? !(s.attr & 8) || (s.attr & 2)
								: (s.attr & 0xa) == 2);
	return set_zf(&vm->cpu, insn, ok);
}

/* System types that lar and lsl accept (SDM 2, tables of LAR and LSL). */
#define LAR_TYPES (1u << 1 | 1u << 2 | 1u << 3 | 1u << 4 | 1u << 5 | 1u << 9 | 1u << 11 | 1u << 12)
#define LSL_TYPES (1u << 1 | 1u << 2 | 1u << 3 | 1u << 9 | 1u << 11)

static enum interp_result do_lar_lsl(struct vm *vm, const struct insn *insn, struct fault *f)
{
	bool lar = insn->kind == IK_LAR, ok;
	struct segment s;
	uint32_t d[2];

	if (vm86(&vm->cpu))
		return raise_fault(f, VEC_UD, 0);
	if (!visible(vm, insn, &s, d, &ok, f))
		return INTERP_FAULT;
	if (ok && !(s.attr & SEG_S))
		ok = (lar ? LAR_TYPES : LSL_TYPES) >> (s.attr & SEG_TYPE) & 1;
	if (ok)
		reg_write(&vm->cpu, insn->reg, lar ? d[1] & 0x00ffff00 : s.limit, insn->opsize);
	return set_zf(&vm->cpu, insn, ok);
}

/* ---- control and debug registers ---- */

static enum interp_result do_mov_from_cr(struct vm *vm, const struct insn *insn, struct fault *f)
{
	struct vcpu *c = &vm->cpu;
	const uint32_t *cr[8] = { [0] = &c->cr0, [2] = &c->cr2, [3] = &c->cr3, [4] = &c->cr4 };

	if (c->cpl)
		return raise_fault(f, VEC_GP, 0);
	if (!cr[insn->reg & 7])
		return raise_fault(f, VEC_UD, 0);
	c->gpr[insn->rm] = *cr[insn->reg & 7];
	return done(c, insn);
}

static enum interp_result do_mov_to_cr(struct vm *vm, const struct insn *insn, struct fault *f)
{
	struct vcpu *c = &vm->cpu;
	uint32_t v = c->gpr[insn->rm];
	bool ok = true;

	if (c->cpl)
		return raise_fault(f, VEC_GP, 0);
	TRACE(vm, TRACE_CPU, "cr%u = %08x at %08x", insn->reg, v, c->eip);
	switch (insn->reg) {
	case 0:
		ok = cpu_set_cr0(vm, v);
		break;
	case 2:
		c->cr2 = v;
		break;
	case 3:
		ok = cpu_set_cr3(vm, v);
		break;
	case 4:
		ok = cpu_set_cr4(vm, v);
		break;
	default:
		return raise_fault(f, VEC_UD, 0);
	}
	if (!ok)
		return raise_fault(f, VEC_GP, 0);
	return stop(c, insn);
}

static unsigned dr_number(const struct vcpu *c, const struct insn *insn)
{
	/* DR4 and DR5 are aliases while CR4.DE is clear. */
	bool alias = (insn->reg == 4 || insn->reg == 5) && !(c->cr4 & CR4_DE);

	return alias ? insn->reg + 2u : insn->reg;
}

static enum interp_result do_mov_dr(struct vm *vm, const struct insn *insn, struct fault *f)
{
	struct vcpu *c = &vm->cpu;
	unsigned n = dr_number(c, insn);
	uint32_t *gpr = &c->gpr[insn->rm];

	if (c->cpl)
		return raise_fault(f, VEC_GP, 0);
	if (n == 4 || n == 5)
		return raise_fault(f, VEC_UD, 0);
	if (insn->kind == IK_MOV_FROM_DR) {
		*gpr = c->dr[n];
		return done(c, insn);
	}
	c->dr[n] = *gpr;
	if (n == 6)
		c->dr[6] = (*gpr & 0xe00f) | 0xffff0ff0;
	if (n == 7)
		c->dr[7] = (*gpr & 0xffff27ff) | 0x400;
	if (n == 7 && vm->debug.on)
		debug_registers_changed(vm);
	return done(c, insn);
}

static enum interp_result do_smsw(struct vm *vm, const struct insn *insn, struct fault *f)
{
	struct vcpu *c = &vm->cpu;
	uint16_t v = c->cr0;

	if (!insn->has_mem)
		reg_write(c, insn->rm, c->cr0, insn->opsize);
	else if (!gmem_write(vm, interp_ea(c, insn), &v, 2, rights(c), f))
		return INTERP_FAULT;
	return done(c, insn);
}

static enum interp_result do_lmsw(struct vm *vm, const struct insn *insn, struct fault *f)
{
	struct vcpu *c = &vm->cpu;
	uint16_t v;

	if (c->cpl)
		return raise_fault(f, VEC_GP, 0);
	if (!rm_read(vm, insn, &v, 2, f))
		return INTERP_FAULT;
	/* It can set PE but not clear it. */
	cpu_set_cr0(vm, (c->cr0 & ~0xeu) | (v & 0xf) | (c->cr0 & CR0_PE));
	return stop(c, insn);
}

static enum interp_result do_clts(struct vm *vm, const struct insn *insn, struct fault *f)
{
	if (vm->cpu.cpl)
		return raise_fault(f, VEC_GP, 0);
	fpu_to_kernel(vm);
	vm->cpu.cr0 &= ~CR0_TS;
	return done(&vm->cpu, insn);
}

static enum interp_result do_invlpg(struct vm *vm, const struct insn *insn, struct fault *f)
{
	struct vcpu *c = &vm->cpu;
	gva_t a;

	if (c->cpl)
		return raise_fault(f, VEC_GP, 0);
	if (!insn->has_mem)
		return raise_fault(f, VEC_UD, 0);
	a = interp_ea(c, insn);
	vm->stats.invlpg++;
	gmem_flush_page(vm, a);
	view_repair_page(&vm->kview, a.v);
	pool_invlpg(vm, a.v);
	return done(c, insn);
}

static enum interp_result do_cache(struct vm *vm, const struct insn *insn, struct fault *f)
{
	if (vm->cpu.cpl)
		return raise_fault(f, VEC_GP, 0);
	return done(&vm->cpu, insn);
}

static enum interp_result do_rdmsr(struct vm *vm, const struct insn *insn, struct fault *f)
{
	struct vcpu *c = &vm->cpu;
	uint64_t v;

	if (c->cpl || !cpu_rdmsr(vm, c->gpr[R_ECX], &v))
		return raise_fault(f, VEC_GP, 0);
	c->gpr[R_EAX] = v;
	c->gpr[R_EDX] = v >> 32;
	return done(c, insn);
}

static enum interp_result do_wrmsr(struct vm *vm, const struct insn *insn, struct fault *f)
{
	struct vcpu *c = &vm->cpu;

	if (c->cpl || !cpu_wrmsr(vm, c->gpr[R_ECX], c->gpr[R_EAX] | (uint64_t)c->gpr[R_EDX] << 32))
		return raise_fault(f, VEC_GP, 0);
	return done(c, insn);
}

static enum interp_result do_rdtsc(struct vm *vm, const struct insn *insn, struct fault *f)
{
	struct vcpu *c = &vm->cpu;
	uint64_t v = __builtin_ia32_rdtsc() + c->tsc_offset;

	if (c->cpl && (c->cr4 & CR4_TSD))
		return raise_fault(f, VEC_GP, 0);
	if (insn->kind == IK_RDTSCP)
		return raise_fault(f, VEC_UD, 0);
	c->gpr[R_EAX] = v;
	c->gpr[R_EDX] = v >> 32;
	return done(c, insn);
}

static enum interp_result do_cpuid(struct vm *vm, const struct insn *insn, struct fault *f)
{
	struct vcpu *c = &vm->cpu;
	uint32_t r[4];

	(void)f;
	cpu_cpuid(vm, c->gpr[R_EAX], c->gpr[R_ECX], r);
	c->gpr[R_EAX] = r[0];
	c->gpr[R_EBX] = r[1];
	c->gpr[R_ECX] = r[2];
	c->gpr[R_EDX] = r[3];
	return done(c, insn);
}

static enum interp_result do_gp(struct vm *vm, const struct insn *insn, struct fault *f)
{
	(void)vm;
	(void)insn;
	return raise_fault(f, VEC_GP, 0);
}

/* SDM 2, SYSEXIT: flat user segments that follow IA32_SYSENTER_CS. */
static enum interp_result do_sysexit(struct vm *vm, const struct insn *insn, struct fault *f)
{
	struct vcpu *c = &vm->cpu;
	uint16_t cs = c->sysenter_cs;
	struct segment s = { ((cs + 16) | 3) & 0xffff,
			     SEG_P | SEG_DPL | SEG_S | 0xb | SEG_DB | SEG_G, 0, 0xffffffff };

	(void)insn;
	if (c->cpl || !(cs & 0xfffc))
		return raise_fault(f, VEC_GP, 0);
	segment_set_cs(c, &s, 3);
	s.sel = ((cs + 24) | 3) & 0xffff;
	s.attr = SEG_P | SEG_DPL | SEG_S | 3 | SEG_DB | SEG_G;
	c->seg[S_SS] = s;
	c->eip = c->gpr[R_EDX];
	c->gpr[R_ESP] = c->gpr[R_ECX];
	return INTERP_STOP;
}

static enum interp_result do_sysenter(struct vm *vm, const struct insn *insn, struct fault *f)
{
	(void)insn;
	return cpu_sysenter(vm) ? INTERP_STOP : raise_fault(f, VEC_GP, 0);
}

/* ---- ports ---- */

/* The I/O permission bitmap of the TSS (SDM 1, 18.5.2). */
static bool port_allowed(struct vm *vm, uint16_t port, unsigned size, struct fault *f)
{
	struct vcpu *c = &vm->cpu;
	uint16_t map, bits;
	struct fault ignored;

	if (!vm86(c) && iopl_ok(c))
		return true;
	*f = (struct fault){ VEC_GP, 0, 0 };
	if ((c->tr.attr & 0xd) != 9 || c->tr.limit < 103)
		return false;
	if (!gmem_read(vm, GVA(c->tr.base + 102), &map, 2, ACC_READ, &ignored) ||
	    map + port / 8u + 1 > c->tr.limit ||
	    !gmem_read(vm, GVA(c->tr.base + map + port / 8), &bits, 2, ACC_READ, &ignored))
		return false;
	return !(bits >> (port & 7) & ((1u << size) - 1));
}

static unsigned port_size(const struct insn *insn)
{
	return insn->opcode & 1 ? insn->opsize : 1;
}

/* e4-e7 have the port in the instruction, ec-ef in dx. */
static uint16_t port_of(const struct vcpu *c, const struct insn *insn)
{
	return insn->opcode & 8 ? c->gpr[R_EDX] : insn->imm & 0xff;
}

static enum interp_result do_in(struct vm *vm, const struct insn *insn, struct fault *f)
{
	struct vcpu *c = &vm->cpu;
	uint16_t port = port_of(c, insn);
	unsigned size = port_size(insn);
	uint32_t v;

	if (!port_allowed(vm, port, size, f))
		return INTERP_FAULT;
	v = platform_in(vm, port, size);
	memcpy(&c->gpr[R_EAX], &v, size);
	return done(c, insn);
}

static enum interp_result do_out(struct vm *vm, const struct insn *insn, struct fault *f)
{
	struct vcpu *c = &vm->cpu;
	uint16_t port = port_of(c, insn);
	unsigned size = port_size(insn);
	uint32_t v = 0;

	if (!port_allowed(vm, port, size, f))
		return INTERP_FAULT;
	memcpy(&v, &c->gpr[R_EAX], size);
	platform_out(vm, port, size, v);
	return done(c, insn);
}

static uint32_t string_index(const struct vcpu *c, unsigned r, const struct insn *insn)
{
	return insn->adsize == 2 ? c->gpr[r] & 0xffff : c->gpr[r];
}

static void string_advance(struct vcpu *c, unsigned r, const struct insn *insn, unsigned size)
{
	reg_write(c, r, c->gpr[r] + (c->eflags & FL_DF ? -size : size), insn->adsize);
}

static bool ins_once(struct vm *vm, const struct insn *insn, unsigned size, struct fault *f)
{
	struct vcpu *c = &vm->cpu;
	gva_t a = GVA(c->seg[S_ES].base + string_index(c, R_EDI, insn));
	uint32_t v = 0;

	/* The device is read only when the result can be stored. */
	if (!gmem_read(vm, a, &v, size, rights(c) | ACC_WRITE, f))
		return false;
	v = platform_in(vm, c->gpr[R_EDX], size);
	if (!gmem_write(vm, a, &v, size, rights(c), f))
		return false;
	string_advance(c, R_EDI, insn, size);
	return true;
}

static bool outs_once(struct vm *vm, const struct insn *insn, unsigned size, struct fault *f)
{
	struct vcpu *c = &vm->cpu;
	gva_t a = GVA(c->seg[insn->prefix & IP_SEG ? insn->seg : S_DS].base +
		      string_index(c, R_ESI, insn));
	uint32_t v = 0;

	if (!gmem_read(vm, a, &v, size, rights(c), f))
		return false;
	platform_out(vm, c->gpr[R_EDX], size, v);
	string_advance(c, R_ESI, insn, size);
	return true;
}

static enum interp_result do_string_io(struct vm *vm, const struct insn *insn, struct fault *f)
{
	struct vcpu *c = &vm->cpu;
	unsigned size = port_size(insn);
	bool rep = insn->prefix & (IP_REP | IP_REPNE);

	if (!port_allowed(vm, c->gpr[R_EDX], size, f))
		return INTERP_FAULT;
	while (!rep || string_index(c, R_ECX, insn)) {
		if (!(insn->kind == IK_INS ? ins_once(vm, insn, size, f) :
		      outs_once(vm, insn, size, f)))
			return INTERP_FAULT;
		if (!rep)
			break;
		reg_write(c, R_ECX, c->gpr[R_ECX] - 1, insn->adsize);
		/* A single-step trap comes after each iteration. */
		if (((c->eflags & FL_TF) || c->single) && string_index(c, R_ECX, insn))
			return INTERP_OK;
	}
	return done(c, insn);
}

static handler *const handlers[IK_COUNT] = {
	[IK_PUSHF] = do_pushf, [IK_POPF] = do_popf, [IK_IRET] = do_iret,
	[IK_MOV_FROM_SREG] = do_mov_from_sreg, [IK_MOV_TO_SREG] = do_mov_to_sreg,
	[IK_PUSH_SREG] = do_push_sreg, [IK_POP_SREG] = do_pop_sreg, [IK_LSREG] = do_lsreg,
	[IK_CALL_FAR] = do_call_far, [IK_JMP_FAR] = do_jmp_far, [IK_RET_FAR] = do_ret_far,
	[IK_SLDT] = do_store_sel, [IK_STR] = do_store_sel, [IK_VERR] = do_verify,
	[IK_VERW] = do_verify, [IK_SGDT] = do_store_table, [IK_SIDT] = do_store_table,
	[IK_SMSW] = do_smsw, [IK_LAR] = do_lar_lsl, [IK_LSL] = do_lar_lsl, [IK_INT] = do_int,
	[IK_CPUID] = do_cpuid, [IK_FXSAVE] = fpu_emulate, [IK_FXRSTOR] = fpu_emulate,
	[IK_FNSAVE] = fpu_emulate, [IK_FRSTOR] = fpu_emulate, [IK_FNINIT] = fpu_emulate,
	/* Not advertised: what a CPU without them does. */
	[IK_XSAVE] = do_ud, [IK_XRSTOR] = do_ud, [IK_XGETBV] = do_ud, [IK_XSETBV] = do_ud,
	[IK_FSGSBASE] = do_ud,
	[IK_CLI] = do_cli, [IK_STI] = do_sti, [IK_HLT] = do_hlt, [IK_IN] = do_in, [IK_OUT] = do_out,
	[IK_INS] = do_string_io, [IK_OUTS] = do_string_io,
	[IK_LGDT] = do_load_table, [IK_LIDT] = do_load_table, [IK_LLDT] = do_load_system,
	[IK_LTR] = do_load_system, [IK_LMSW] = do_lmsw, [IK_CLTS] = do_clts,
	[IK_INVLPG] = do_invlpg, [IK_INVD] = do_cache, [IK_WBINVD] = do_cache,
	[IK_MOV_FROM_CR] = do_mov_from_cr, [IK_MOV_TO_CR] = do_mov_to_cr,
	[IK_MOV_FROM_DR] = do_mov_dr, [IK_MOV_TO_DR] = do_mov_dr,
	[IK_RDMSR] = do_rdmsr, [IK_WRMSR] = do_wrmsr, [IK_RDPMC] = do_gp,
	[IK_SYSEXIT] = do_sysexit, [IK_SYSENTER] = do_sysenter,
	[IK_SYSCALL] = do_ud, [IK_SYSRET] = do_ud, [IK_VMCALL] = do_ud, [IK_VMX] = do_ud,
	[IK_PKRU] = do_ud, [IK_INVPCID] = do_ud, [IK_MONITOR] = do_ud, [IK_MWAIT] = do_ud,
	[IK_CLAC] = do_ud, [IK_STAC] = do_ud, [IK_RSM] = do_ud, [IK_GETSEC] = do_ud,
	[IK_ENCLS] = do_ud, [IK_RDTSC] = do_rdtsc, [IK_RDTSCP] = do_rdtsc,
	[IK_INT3] = do_int3, [IK_INTO] = do_into, [IK_INT1] = do_int1, [IK_BOUND] = do_bound,
	[IK_UD] = do_ud,
};

/* Features of leaf 1 EDX without which an instruction is not there (#UD). */
static const uint32_t needs[IK_COUNT] = {
	[IK_RDTSC] = F_TSC, [IK_RDMSR] = F_MSR, [IK_WRMSR] = F_MSR, [IK_RDPMC] = F_MMX,
	[IK_SYSENTER] = F_SEP, [IK_SYSEXIT] = F_SEP, [IK_FXSAVE] = F_FXSR, [IK_FXRSTOR] = F_FXSR,
};

static bool model_lacks(const struct cpu_model *m, const struct insn *insn)
{
	bool cr4 = (insn->kind == IK_MOV_TO_CR || insn->kind == IK_MOV_FROM_CR) && insn->reg == 4;

	if (insn->kind == IK_CPUID || cr4)
		return !cpu_has_cpuid(m);
	return needs[insn->kind] & ~m->edx;
}

enum interp_result emulate(struct vm *vm, const struct insn *insn, struct fault *f)
{
	handler *h = handlers[insn->kind];

	vm->stats.kind[insn->kind]++;
	if (model_lacks(vm->model, insn))
		h = do_ud;
	return h ? h(vm, insn, f) : INTERP_UNKNOWN;
}
