/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Points of user mode in the CPU's debug registers (SDM 3, 17.2): user code
 * runs directly at full speed up to them.  They belong to the guest as soon as
 * it uses them itself; its points are owned pages then, as those are that find
 * no register or do not fit.
 */
#include "monitor/machine.h"

#include <string.h>

#define SLOTS 4
#define DR6_CLEAR 0xffff0ff0u
#define DR7_CLEAR 0x400u
#define DR7_ENABLED 0xffu

static bool guest_uses(const struct vm *vm)
{
	return vm->cpu.dr[7] & DR7_ENABLED;
}

/* DR7's R/W and LEN of a point; false: a register cannot do that. */
static bool condition(const struct debug_point *p, uint32_t *rw, uint32_t *len)
{
	if (debug_is_break(p)) {
		*rw = *len = 0;
		return true;
	}
	*rw = p->type == GP_WRITE ? 1 : 3;
	*len = p->len - 1;
	/* There is none for reads alone, and three bytes are none. */
	return p->type != GP_READ && (p->len == 1 || p->len == 2 || p->len == 4) &&
	       !(p->addr & (p->len - 1));
}

static bool user_can_reach(struct vm *vm, uint32_t a)
{
	struct walk w;

	return !vcpu_paging(&vm->cpu) || !mmu_probe(vm, GVA(a), &w) || (w.flags & PTE_U);
}

int breakreg_slot(struct vm *vm, const struct debug_point *p)
{
	const struct debug *d = &vm->debug;
	unsigned used = 0, i;
	uint32_t rw, len;

	if (!condition(p, &rw, &len) || !user_can_reach(vm, p->addr))
		return -1;
	for (i = 0; i < d->npoints; i++)
		if (d->point[i].slot >= 0)
			used |= 1u << d->point[i].slot;
	for (i = 0; i < SLOTS; i++)
		if (!(used >> i & 1))
			return i;
	return -1;
}

bool breakreg_watches(const struct vm *vm, const struct debug_point *p)
{
	return p->slot >= 0 && !guest_uses(vm) && !vm->debug.no_registers;
}

const uint32_t *breakreg_values(const struct vm *vm, uint32_t dr[8])
{
	const struct debug *d = &vm->debug;
	const struct debug_point *p;
	uint32_t rw, len;

	if (!d->on || d->direct || d->no_registers || guest_uses(vm))
		return vm->cpu.dr;
	memset(dr, 0, 8 * sizeof *dr);
	dr[6] = DR6_CLEAR;
	dr[7] = DR7_CLEAR;
	for (p = d->point; p < d->point + d->npoints; p++) {
		if (p->slot < 0 || !debug_counts(p, vm->cpu.cr3) || !condition(p, &rw, &len))
			continue;
		dr[p->slot] = p->addr;
		dr[7] |= 1u << 2 * p->slot | (rw | len << 2) << (16 + 4 * p->slot);
	}
	return dr;
}

bool breakreg_trap(struct vm *vm, uint32_t *status)
{
	struct debug *d = &vm->debug;
	const struct debug_point *p;

	if (!d->on || d->direct || guest_uses(vm))
		return true;
	/* A breakpoint hits before its instruction: debug_run() finds it. */
	for (p = d->point; p < d->point + d->npoints; p++)
		if (p->slot >= 0 && (*status >> p->slot & 1) && !debug_is_break(p))
			debug_hit(vm, p, p->addr);
	*status &= ~DR6_B;
	return *status & DR6_BS;
}
