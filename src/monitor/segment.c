/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Segment registers: guest descriptors (SDM 3, 3.4) and how the host shows
 * them.  The hidden part of a register is kept as a real CPU does, so a guest
 * may change its GDT without telling.
 */
#include "monitor/machine.h"

#include <string.h>

#define SEL_NULL(sel) (((sel) & 0xfffc) == 0)

bool segment_descriptor(struct vm *vm, uint16_t sel, uint32_t d[2], gva_t *where, struct fault *f)
{
	struct vcpu *c = &vm->cpu;
	bool local = sel & 4;
	uint32_t base = local ? c->ldtr.base : c->gdtr.base;
	uint32_t limit = local ? c->ldtr.limit : c->gdtr.limit;

	if (SEL_NULL(sel) || (sel | 7u) > limit || (local && SEL_NULL(c->ldtr.sel))) {
		*f = (struct fault){ VEC_GP, sel & 0xfffc, 0 };
		return false;
	}
	*where = GVA(base + (sel & 0xfff8));
	return gmem_read(vm, *where, d, 8, ACC_READ, f);
}

void segment_from_descriptor(struct segment *s, uint16_t sel, const uint32_t d[2])
{
	s->sel = sel;
	s->base = d[0] >> 16 | (d[1] & 0xff) << 16 | (d[1] & 0xff000000);
	s->limit = (d[0] & 0xffff) | (d[1] & 0xf0000);
	s->attr = (d[1] >> 8 & 0xff) | (d[1] >> 8 & 0xf000);
	if (s->attr & SEG_G)
		s->limit = s->limit << 12 | 0xfff;
}

void segment_set_cs(struct vcpu *c, const struct segment *s, unsigned cpl)
{
	c->seg[S_CS] = *s;
	c->seg[S_CS].sel = (s->sel & ~3) | cpl;
	c->cpl = cpl;
}

static bool refuse(struct fault *f, unsigned vector, uint16_t sel)
{
	*f = (struct fault){ vector, sel & 0xfffc, 0 };
	return false;
}

static bool check_stack(const struct vcpu *c, const struct segment *s, struct fault *f)
{
	if ((s->sel & 3) != c->cpl || (s->attr & SEG_DPL) >> 5 != c->cpl ||
	    (s->attr & (SEG_S | 0xa)) != (SEG_S | 2))
		return refuse(f, VEC_GP, s->sel);
	return s->attr & SEG_P ? true : refuse(f, VEC_SS, s->sel);
}

static bool check_data(const struct vcpu *c, const struct segment *s, struct fault *f)
{
	unsigned rpl = s->sel & 3, dpl = (s->attr & SEG_DPL) >> 5;
	bool code = s->attr & 8;

	if (!(s->attr & SEG_S) || (code && !(s->attr & 2)))
		return refuse(f, VEC_GP, s->sel);
	if ((!code || !(s->attr & 4)) && (dpl < rpl || dpl < c->cpl))
		return refuse(f, VEC_GP, s->sel);
	return s->attr & SEG_P ? true : refuse(f, VEC_NP, s->sel);
}

bool segment_load(struct vm *vm, int reg, uint16_t sel, struct fault *f)
{
	struct vcpu *c = &vm->cpu;
	struct segment s;
	uint32_t d[2];
	gva_t where;

	if ((c->eflags & FL_VM) || !(c->cr0 & CR0_PE)) {
		c->seg[reg] = (struct segment){ sel, 0xf3, (uint32_t)sel << 4, 0xffff };
		return true;
	}
	if (SEL_NULL(sel)) {
		if (reg == S_SS)
			return refuse(f, VEC_GP, 0);
		c->seg[reg] = (struct segment){ sel, 0, 0, 0 };
		runtime_loaded(vm, &c->seg[reg], GVA(0), NULL);
		return true;
	}
	if (!segment_descriptor(vm, sel, d, &where, f))
		return false;
	segment_from_descriptor(&s, sel, d);
	if (!(reg == S_SS ? check_stack(c, &s, f) : check_data(c, &s, f)))
		return false;
	if (!(s.attr & 1)) {
		d[1] |= 0x100;
		if (!gmem_write(vm, GVA(where.v + 4), &d[1], 4, ACC_READ, f))
			return false;
		s.attr |= 1;
	}
	c->seg[reg] = s;
	if (reg != S_SS)
		runtime_loaded(vm, &s, where, d);
	return true;
}

/* A segment that needs its limit or size on the host gets an LDT entry, one
 * slot a register, set only when it changed. */
static uint16_t through_ldt(struct vm *vm, int reg)
{
	const struct segment *s = &vm->cpu.seg[reg];
	struct segment *set = &vm->host_ldt[reg];

	if (set->base != s->base || set->limit != s->limit || set->attr != s->attr) {
		if (host_ldt_set(reg, s))
			vm_end(vm, ST_HOST, "modify_ldt refused segment %#x; see `lilyvm host`",
			       s->sel);
		*set = *s;
	}
	return reg * 8 + 7;
}

void segment_to_host(struct vm *vm, struct host_cpu *hc)
{
	const struct segment *seg = vm->cpu.seg;
	int i;

	for (i = 0; i < S_COUNT; i++) {
		const struct segment *s = &seg[i];

		if (i == S_CS)
			hc->sel[i] = segment_flat(s) ? HOST_CS32 : through_ldt(vm, i);
		else if (!(s->attr & SEG_P))
			/* A null %fs would fault even with a base set. */
			hc->sel[i] = 0;
		else if (segment_flat(s))
			hc->sel[i] = HOST_DS32;
		else if (i == S_DS && vm->rt.abi)
			/* Sites reach the window through it: they trap then. */
			hc->sel[i] = 0;
		else if ((i == S_FS || i == S_GS) && hc->has_bases && s->limit == 0xffffffff)
			hc->sel[i] = HOST_DS32;
		else
			hc->sel[i] = through_ldt(vm, i);
	}
	hc->fsbase = seg[S_FS].base;
	hc->gsbase = seg[S_GS].base;
}
