/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Exceptions and interrupts through the guest's IDT, and the way back
 * (SDM 3, chapter 6).  Frames hold guest values only.
 */
#include "monitor/machine.h"

#include "monitor/segmem.h"

#include <string.h>

enum { GATE_TASK = 5, GATE_INT16 = 6, GATE_TRAP16 = 7, GATE_INT32 = 14, GATE_TRAP32 = 15 };

struct delivery {
	unsigned vector;
	bool soft;			/* int n, int3, into: the gate's DPL counts */
	bool has_error;
	uint32_t error;
	uint32_t rf;			/* FL_RF to be pushed set */
};

/* Error code bits (SDM 3, 6.13). */
#define ERR_EXT 1u			/* the event was not caused by int n, int3 or into */
#define ERR_IDT 2u

static bool refuse(struct fault *f, unsigned vector, uint32_t error)
{
	*f = (struct fault){ vector, error, 0 };
	return false;
}

/* Faults push RF set, so that the instruction's breakpoint does not hit again
 * (SDM 3, 17.3.1.1). */
static bool vector_is_fault(unsigned v)
{
	return v == VEC_DE || (v >= VEC_BR && v <= VEC_NM) || (v >= VEC_TS && v <= VEC_PF) ||
	       v == VEC_MF || v == VEC_AC || v == VEC_XM;
}

static bool vector_has_error(unsigned v)
{
	return v == VEC_DF || (v >= VEC_TS && v <= VEC_PF) || v == VEC_AC;
}

static bool read_gate(struct vm *vm, const struct delivery *d, uint32_t g[2], struct fault *f)
{
	struct vcpu *c = &vm->cpu;
	uint32_t error = d->vector * 8 + ERR_IDT;

	if (d->vector * 8 + 7 > c->idtr.limit)
		return refuse(f, VEC_GP, error);
	if (!gmem_read(vm, GVA(c->idtr.base + d->vector * 8), g, 8, ACC_READ, f))
		return false;
	if (d->soft && (g[1] >> 13 & 3) < c->cpl)
		return refuse(f, VEC_GP, error);
	if (!(g[1] & 0x8000))
		return refuse(f, VEC_NP, error);
	return true;
}

static bool read_code_segment(struct vm *vm, uint16_t sel, struct segment *s, struct fault *f)
{
	uint32_t d[2];
	gva_t where;

	if (!segment_descriptor(vm, sel, d, &where, f))
		return false;
	segment_from_descriptor(s, sel, d);
	if ((s->attr & (SEG_S | 8)) != (SEG_S | 8))
		return refuse(f, VEC_GP, sel & 0xfffc);
	if (!(s->attr & SEG_P))
		return refuse(f, VEC_NP, sel & 0xfffc);
	return true;
}

/* The stack of privilege level cpl from the TSS (SDM 3, 7.2.1). */
static bool tss_stack(struct vm *vm, unsigned cpl, struct segment *ss, uint32_t *esp,
		      struct fault *f)
{
	struct vcpu *c = &vm->cpu;
	uint32_t slot[2], d[2];
	gva_t where;

	if (4 + cpl * 8 + 7 > c->tr.limit)
		return refuse(f, VEC_TS, c->tr.sel & 0xfffc);
	if (!gmem_read(vm, GVA(c->tr.base + 4 + cpl * 8), slot, 8, ACC_READ, f))
		return false;
	if (!segment_descriptor(vm, slot[1], d, &where, f)) {
		if (f->vector == VEC_GP)
			f->vector = VEC_TS;
		return false;
	}
	segment_from_descriptor(ss, slot[1], d);
	if ((slot[1] & 3) != cpl || (ss->attr & (SEG_S | 0xa)) != (SEG_S | 2) ||
	    (ss->attr & SEG_DPL) >> 5 != cpl)
		return refuse(f, VEC_TS, slot[1] & 0xfffc);
	if (!(ss->attr & SEG_P))
		return refuse(f, VEC_SS, slot[1] & 0xfffc);
	*esp = slot[0];
	return true;
}

/* The frame is built downwards in words of the gate's size. */
struct frame_words {
	uint32_t w[16];
	unsigned n;
};

static void put(struct frame_words *fw, uint32_t v)
{
	fw->w[fw->n++] = v;
}

static bool push_frame(struct vm *vm, const struct frame_words *fw, unsigned size,
		       const struct segment *ss, uint32_t *esp, struct fault *f)
{
	uint8_t buf[64];
	uint32_t at = *esp - fw->n * size;
	unsigned i;

	for (i = 0; i < fw->n; i++)
		memcpy(buf + (fw->n - 1 - i) * size, &fw->w[i], size);
	if (!(ss->attr & SEG_DB))
		at &= 0xffff;
	if (!gmem_write(vm, GVA(ss->base + at), buf, fw->n * size, ACC_READ, f))
		return false;
	*esp = ss->attr & SEG_DB ? at : (*esp & 0xffff0000) | at;
	return true;
}

static bool through_gate(struct vm *vm, const struct delivery *d, struct fault *f)
{
	struct vcpu *c = &vm->cpu;
	struct frame_words fw = { .n = 0 };
	struct segment cs, ss = c->seg[S_SS];
	uint32_t g[2], esp = c->gpr[R_ESP], old = c->eflags;
	unsigned type, size, dpl, i;
	bool outer;

	if (!read_gate(vm, d, g, f))
		return false;
	type = g[1] >> 8 & 0x1f;
	if (type == GATE_TASK)
		return task_switch(vm, g[0] >> 16, TASK_INTERRUPT, d->has_error ? &d->error : NULL,
				   f);
	if (type != GATE_INT32 && type != GATE_TRAP32 && type != GATE_INT16 && type != GATE_TRAP16)
		return refuse(f, VEC_GP, d->vector * 8 + ERR_IDT);
	size = type & 8 ? 4 : 2;
	if (!read_code_segment(vm, g[0] >> 16, &cs, f))
		return false;
	dpl = (cs.attr & SEG_DPL) >> 5;
	if (dpl > c->cpl)
		return refuse(f, VEC_GP, cs.sel & 0xfffc);
	outer = dpl < c->cpl && !(cs.attr & 4);
	if (!outer)
		dpl = c->cpl;
	if ((old & FL_VM) && dpl)
		return refuse(f, VEC_GP, cs.sel & 0xfffc);
	if (outer) {
		if (!tss_stack(vm, dpl, &ss, &esp, f))
			return false;
		if (old & FL_VM)
			for (i = 0; i < 4; i++)
				put(&fw, c->seg[(const int[]){ S_GS, S_FS, S_DS, S_ES }[i]].sel);
		put(&fw, c->seg[S_SS].sel);
		put(&fw, c->gpr[R_ESP]);
	}
	put(&fw, old | d->rf);
	put(&fw, c->seg[S_CS].sel);
	put(&fw, c->eip);
	if (d->has_error)
		put(&fw, d->error);
	if (!push_frame(vm, &fw, size, &ss, &esp, f))
		return false;
	if (old & FL_VM)
		for (i = 0; i < S_COUNT; i++)
			if (i != S_CS && i != S_SS)
				c->seg[i] = (struct segment){ 0, 0, 0, 0 };
	c->seg[S_SS] = ss;
	c->gpr[R_ESP] = esp;
	c->eip = size == 4 ? (g[0] & 0xffff) | (g[1] & 0xffff0000) : g[0] & 0xffff;
	c->eflags &= ~(FL_TF | FL_NT | FL_RF | FL_VM | (type & 1 ? 0 : FL_IF));
	segment_set_cs(c, &cs, dpl);
	c->halted = false;
	c->shadow = false;
	return true;
}

static bool deliver(struct vm *vm, const struct delivery *d, struct fault *f)
{
	if (through_gate(vm, d, f))
		return true;
	if (!d->soft && f->vector != VEC_PF)
		f->error |= ERR_EXT;
	return false;
}

/* SDM 3, table 6-5: which pairs make a double fault. */
static bool contributory(unsigned v)
{
	return v == VEC_DE || (v >= VEC_TS && v <= VEC_GP);
}

static bool makes_double(unsigned first, unsigned second)
{
	return (contributory(first) && contributory(second)) ||
	       (first == VEC_PF && (contributory(second) || second == VEC_PF));
}

static void triple_fault(struct vm *vm)
{
	if (vm->cfg.reboot_exit) {
		vm_end(vm, ST_TRIPLE, "triple fault");
	} else {
		dump_guest(vm, stderr, "triple fault: the machine resets");
		vm->reset_wanted = 1;
		debug_triple_fault(vm);
	}
}

void trap_exception(struct vm *vm, const struct fault *f)
{
	struct vcpu *c = &vm->cpu;
	struct fault now = *f, next;

	vm->stats.exceptions++;
	TRACE(vm, TRACE_IRQ, "exception %u error %#x cr2 %#x at %x:%08x", f->vector, f->error,
	      f->cr2, c->seg[S_CS].sel, c->eip);
	for (;;) {
		struct delivery d = { .vector = now.vector,
				      .has_error = vector_has_error(now.vector), .error = now.error,
				      .rf = vector_is_fault(now.vector) ? FL_RF : 0 };

		if (now.vector == VEC_PF)
			c->cr2 = now.cr2;
		if (now.vector == VEC_DB)
			c->dr[7] &= ~0x2000u;
		/* The handler looks at the registers. */
		if (now.vector == VEC_MF || now.vector == VEC_XM)
			fpu_to_kernel(vm);
		if (deliver(vm, &d, &next))
			return;
		if (now.vector == VEC_DF) {
			triple_fault(vm);
			return;
		}
		/* CR2 is that of the second page fault, even if both make a
		 * double fault (SDM 3, 6.15). */
		if (next.vector == VEC_PF)
			c->cr2 = next.cr2;
		if (makes_double(now.vector, next.vector))
			next = (struct fault){ VEC_DF, 0, 0 };
		now = next;
	}
}

bool trap_software(struct vm *vm, unsigned vector, struct fault *f)
{
	struct delivery d = { .vector = vector, .soft = true };

	return deliver(vm, &d, f);
}

void trap_reported(struct vm *vm, unsigned vector)
{
	struct vcpu *c = &vm->cpu;
	struct fault f, ignored;
	uint8_t last = 0;

	if (trap_software(vm, vector, &f))
		return;
	gmem_read(vm, GVA(c->seg[S_CS].base + c->eip - 1), &last, 1,
		  c->cpl == 3 ? ACC_USER : ACC_READ, &ignored);
	/* int3 and into have one byte, int n has two. */
	c->eip -= last == 0xcc || last == 0xce ? 1 : 2;
	trap_exception(vm, &f);
}

void trap_int1(struct vm *vm, uint32_t *status)
{
	struct vcpu *c = &vm->cpu;
	uint32_t how = c->cpl == 3 ? ACC_USER : ACC_READ, a = c->seg[S_CS].base + c->eip;
	uint8_t op[2] = { 0 };
	struct fault f;

	if ((c->eflags & FL_TF) || (*status & 0xf))
		return;
	if (!gmem_read(vm, GVA(a - 1), &op[0], 1, how, &f))
		op[0] = 0;
	if (op[0] != 0xf1 && gmem_read(vm, GVA(a), &op[1], 1, how, &f) && op[1] == 0xf1)
		c->eip++;
	if (op[0] == 0xf1 || op[1] == 0xf1)
		*status &= ~0x4000u;
}

void trap_interrupt(struct vm *vm, unsigned vector)
{
	struct delivery d = { .vector = vector };
	struct fault f;

	vm->stats.interrupts++;
	TRACE(vm, TRACE_IRQ, "interrupt %u at %x:%08x", vector, vm->cpu.seg[S_CS].sel, vm->cpu.eip);
	vm->cpu.halted = false;
	if (!deliver(vm, &d, &f))
		trap_exception(vm, &f);
}

/* ---- iret ---- */

#define IRET_FLAGS (FL_ARITH | FL_TF | FL_DF | FL_NT | FL_RF | FL_AC | FL_ID)

static uint32_t iret_mask(const struct vcpu *c, unsigned size)
{
	uint32_t mask = IRET_FLAGS;

	if (c->cpl <= (c->eflags & FL_IOPL) >> 12)
		mask |= FL_IF;
	if (c->cpl == 0)
		mask |= FL_IOPL;
	return size == 2 ? mask & 0xffff : mask;
}

/* Data segments that the outer level may not use become null. */
static void drop_inner_segments(struct vcpu *c)
{
	static const int regs[] = { S_ES, S_DS, S_FS, S_GS };
	size_t i;

	for (i = 0; i < 4; i++) {
		struct segment *s = &c->seg[regs[i]];
		bool conforming = (s->attr & 0xc) == 0xc;

		if ((s->attr & SEG_P) && !conforming && (s->attr & SEG_DPL) >> 5 < c->cpl)
			*s = (struct segment){ 0, 0, 0, 0 };
	}
}

static enum interp_result iret_vm86(struct vm *vm, const uint32_t w[9])
{
	static const int order[] = { S_SS, S_ES, S_DS, S_FS, S_GS };
	struct vcpu *c = &vm->cpu;
	struct fault none;
	unsigned i;

	c->eflags = (w[2] & (IRET_FLAGS | FL_IF | FL_IOPL | FL_VM) & ~c->no_flags) | FL_FIXED;
	c->eip = w[0] & 0xffff;
	c->gpr[R_ESP] = w[3];
	c->cpl = 3;
	segment_load(vm, S_CS, w[1], &none);
	for (i = 0; i < 5; i++)
		segment_load(vm, order[i], w[4 + i], &none);
	return INTERP_STOP;
}

static bool read_stack(struct vm *vm, uint32_t at, uint32_t *w, unsigned n, unsigned size,
		       struct fault *f)
{
	const struct vcpu *c = &vm->cpu;
	const struct segment *ss = &c->seg[S_SS];
	uint8_t buf[64];
	unsigned i;

	if (!(ss->attr & SEG_DB))
		at &= 0xffff;
	if (!gmem_read(vm, GVA(ss->base + at), buf, n * size, c->cpl == 3 ? ACC_USER : ACC_READ, f))
		return false;
	for (i = 0; i < n; i++) {
		w[i] = 0;
		memcpy(&w[i], buf + i * size, size);
	}
	return true;
}

/* Back to the task that the current one interrupted. */
static enum interp_result iret_task(struct vm *vm, const struct insn *insn, struct fault *f)
{
	struct vcpu *c = &vm->cpu;
	uint16_t link, old = c->tr.sel;

	if (!gmem_read(vm, GVA(c->tr.base), &link, 2, ACC_READ, f))
		return INTERP_FAULT;
	c->eip += insn->len;
	if (task_switch(vm, link, TASK_IRET, NULL, f))
		return INTERP_STOP;
	if (c->tr.sel == old)
		c->eip -= insn->len;
	return INTERP_FAULT;
}

enum interp_result trap_iret(struct vm *vm, const struct insn *insn, struct fault *f)
{
	struct vcpu *c = &vm->cpu;
	unsigned size = insn->opsize, rpl;
	uint32_t w[9], esp = c->gpr[R_ESP], flags_mask;
	struct segment cs, ss;
	uint32_t d[2];
	gva_t where;

	if (c->eflags & FL_NT)
		return iret_task(vm, insn, f);
	if (!read_stack(vm, esp, w, 3, size, f))
		return INTERP_FAULT;
	if ((w[2] & FL_VM) && c->cpl == 0 && size == 4) {
		if (!read_stack(vm, esp, w, 9, size, f))
			return INTERP_FAULT;
		return iret_vm86(vm, w);
	}
	if (!read_code_segment(vm, w[1], &cs, f))
		return INTERP_FAULT;
	rpl = w[1] & 3;
	if (rpl < c->cpl || ((cs.attr & SEG_DPL) >> 5 != rpl && !(cs.attr & 4))) {
		refuse(f, VEC_GP, w[1] & 0xfffc);
		return INTERP_FAULT;
	}
	flags_mask = iret_mask(c, size);
	if (rpl == c->cpl) {
		cpu_set_flags(c, w[2], flags_mask);
		stack_set(c, esp + 3 * size);
		c->eip = size == 4 ? w[0] : w[0] & 0xffff;
		segment_set_cs(c, &cs, rpl);
		return INTERP_OK;
	}
	if (!read_stack(vm, esp, w, 5, size, f))
		return INTERP_FAULT;
	if ((w[4] & 0xfffc) == 0 || (w[4] & 3) != rpl) {
		refuse(f, VEC_GP, w[4] & 0xfffc);
		return INTERP_FAULT;
	}
	if (!segment_descriptor(vm, w[4], d, &where, f))
		return INTERP_FAULT;
	segment_from_descriptor(&ss, w[4], d);
	if ((ss.attr & (SEG_S | 0xa)) != (SEG_S | 2) || (ss.attr & SEG_DPL) >> 5 != rpl ||
	    !(ss.attr & SEG_P)) {
		refuse(f, ss.attr & SEG_P ? VEC_GP : VEC_SS, w[4] & 0xfffc);
		return INTERP_FAULT;
	}
	cpu_set_flags(c, w[2], flags_mask);
	c->eip = size == 4 ? w[0] : w[0] & 0xffff;
	c->gpr[R_ESP] = ss.attr & SEG_DB ? w[3] : (c->gpr[R_ESP] & 0xffff0000) | (w[3] & 0xffff);
	c->seg[S_SS] = ss;
	segment_set_cs(c, &cs, rpl);
	drop_inner_segments(c);
	return INTERP_STOP;
}
