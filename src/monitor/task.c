/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hardware task switches between 32-bit TSSs (SDM 3, chapter 7): by a task gate
 * of the IDT (kernels take double faults that way), a far jump or call to a TSS or
 * a task gate, and iret with NT set.
 */
#include "monitor/machine.h"

#include <string.h>

/* The 32-bit TSS (SDM 3, figure 7-2). */
struct tss {
	uint32_t link;
	uint32_t stacks[6];
	uint32_t cr3, eip, eflags;
	uint32_t gpr[R_COUNT];
	uint32_t sel[S_COUNT];
	uint32_t ldtr, trap;
};
_Static_assert(sizeof(struct tss) == 104, "the TSS as the CPU knows it");

#define TSS_MIN_LIMIT 103u
#define TSS_BUSY 2u

static bool refuse(struct fault *f, unsigned vector, uint16_t sel)
{
	*f = (struct fault){ vector, sel & 0xfffc, 0 };
	return false;
}

static bool tss_read(struct vm *vm, const struct segment *tr, struct tss *t, struct fault *f)
{
	return gmem_read(vm, GVA(tr->base), t, 52, ACC_READ, f) &&
	       gmem_read(vm, GVA(tr->base + 52), (uint8_t *)t + 52, 52, ACC_READ, f);
}

/* The dynamic part: from eip to gs. */
static bool tss_save(struct vm *vm, uint32_t eflags, struct fault *f)
{
	struct vcpu *c = &vm->cpu;
	struct tss t;
	int i;

	t.eip = c->eip;
	t.eflags = eflags;
	memcpy(t.gpr, c->gpr, sizeof t.gpr);
	for (i = 0; i < S_COUNT; i++)
		t.sel[i] = c->seg[i].sel;
	return gmem_write(vm, GVA(c->tr.base + 32), &t.eip, 40, ACC_READ, f) &&
	       gmem_write(vm, GVA(c->tr.base + 72), t.sel, sizeof t.sel, ACC_READ, f);
}

/* Marks the descriptor of a TSS busy or available. */
static bool set_busy(struct vm *vm, uint16_t sel, bool busy, struct fault *f)
{
	uint32_t d[2];
	gva_t where;

	if (!segment_descriptor(vm, sel, d, &where, f))
		return false;
	d[1] = busy ? d[1] | 0x200 : d[1] & ~0x200u;
	return gmem_write(vm, GVA(where.v + 4), &d[1], 4, ACC_READ, f);
}

static bool find_tss(struct vm *vm, uint16_t sel, enum task_switch how, struct segment *tr,
		     struct fault *f)
{
	unsigned vector = how == TASK_IRET ? VEC_TS : VEC_GP, type;
	uint32_t d[2];
	gva_t where;

	if ((sel & 4) || !segment_descriptor(vm, sel, d, &where, f))
		return refuse(f, vector, sel);
	segment_from_descriptor(tr, sel, d);
	type = tr->attr & (SEG_S | SEG_TYPE);
	if (type != (how == TASK_IRET ? 9 | TSS_BUSY : 9))
		return refuse(f, vector, sel);
	if (!(tr->attr & SEG_P))
		return refuse(f, VEC_NP, sel);
	if (tr->limit < TSS_MIN_LIMIT)
		return refuse(f, VEC_TS, sel);
	tr->attr |= TSS_BUSY;
	return true;
}

/* Loads the segment registers of the new task; the switch has been made, so a
 * fault belongs to it. */
static bool load_segments(struct vm *vm, const struct tss *t, struct fault *f)
{
	static const int data[] = { S_SS, S_ES, S_DS, S_FS, S_GS };
	struct vcpu *c = &vm->cpu;
	struct segment s;
	uint32_t d[2];
	gva_t where;
	size_t i;

	for (i = 0; i < S_COUNT; i++)
		c->seg[i] = (struct segment){ t->sel[i], 0, 0, 0 };
	c->ldtr = (struct segment){ t->ldtr, 0, 0, 0 };
	if (t->ldtr & 0xfffc) {
		if ((t->ldtr & 4) || !segment_descriptor(vm, t->ldtr, d, &where, f))
			return refuse(f, VEC_TS, t->ldtr);
		segment_from_descriptor(&s, t->ldtr, d);
		if ((s.attr & (SEG_S | SEG_TYPE | SEG_P)) != (SEG_P | 2))
			return refuse(f, VEC_TS, t->ldtr);
		c->ldtr = s;
	}
	if (!segment_descriptor(vm, t->sel[S_CS], d, &where, f))
		return refuse(f, VEC_TS, t->sel[S_CS]);
	segment_from_descriptor(&s, t->sel[S_CS], d);
	if ((s.attr & (SEG_S | 8 | SEG_P)) != (SEG_S | 8 | SEG_P))
		return refuse(f, VEC_TS, t->sel[S_CS]);
	segment_set_cs(c, &s, t->sel[S_CS] & 3);
	for (i = 0; i < sizeof data / sizeof *data; i++)
		if (!segment_load(vm, data[i], t->sel[data[i]], f)) {
			f->vector = f->vector == VEC_GP ? VEC_TS : f->vector;
			return false;
		}
	return true;
}

bool task_switch(struct vm *vm, uint16_t sel, enum task_switch how, const uint32_t *error,
		 struct fault *f)
{
	struct vcpu *c = &vm->cpu;
	bool nested = how == TASK_CALL || how == TASK_INTERRUPT;
	uint16_t old = c->tr.sel;
	uint32_t link = old;
	struct segment tr;
	struct tss t;

	if ((c->tr.attr & (SEG_S | SEG_TYPE | SEG_P)) != (SEG_P | 9 | TSS_BUSY))
		return refuse(f, VEC_TS, old);
	if (!find_tss(vm, sel, how, &tr, f) || !tss_read(vm, &tr, &t, f) ||
	    !tss_save(vm, how == TASK_IRET ? c->eflags & ~FL_NT : c->eflags, f))
		return false;
	if (!nested && !set_busy(vm, old, false, f))
		return false;
	if (nested && !gmem_write(vm, GVA(tr.base), &link, 4, ACC_READ, f))
		return false;
	if (how != TASK_IRET && !set_busy(vm, sel, true, f))
		return false;
	if (t.eflags & FL_VM) {
		vm_end(vm, ST_LIMIT, "task %#x is one of virtual-8086 mode, which is not supported",
		       sel);
		return true;
	}
	/* Committed. */
	TRACE(vm, TRACE_CPU, "task %x -> %x", old, sel);
	c->tr = tr;
	c->cr0 |= CR0_TS;
	if (vcpu_paging(c) && t.cr3 != c->cr3)
		if (!cpu_set_cr3(vm, t.cr3))
			return refuse(f, VEC_GP, 0);
	c->eip = t.eip;
	c->eflags = (t.eflags & ~c->no_flags) | FL_FIXED | (nested ? FL_NT : 0);
	memcpy(c->gpr, t.gpr, sizeof t.gpr);
	c->dr[7] &= ~0x155u;		/* the local breakpoints */
	c->shadow = c->halted = false;
	if (!load_segments(vm, &t, f))
		return false;
	if (error) {
		uint32_t esp = c->gpr[R_ESP] - 4;

		if (!gmem_write(vm, GVA(c->seg[S_SS].base + esp), error, 4, ACC_READ, f))
			return false;
		c->gpr[R_ESP] = esp;
	}
	return true;
}
