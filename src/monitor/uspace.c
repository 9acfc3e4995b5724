/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest user mode: the children, their views and registers, and their events. */
#include "monitor/machine.h"

#include "monitor/access.h"

#include <stdlib.h>
#include <string.h>

/* Processes of the host that one VM may use; evicted ones cost a rebuild. */
#define POOL_MAX 192
/* Children that may die one after the other without having run. */
#define DEATHS_MAX 5
#define CACHED_LDT (sizeof ((struct child *)0)->ldt / sizeof (struct segment))

void pool_init(struct vm *vm)
{
	memset(&vm->pool, 0, sizeof vm->pool);
	vm->pool.max = POOL_MAX;
}

static void child_free(struct vm *vm, struct child *ch)
{
	fpu_child_gone(vm, ch);
	view_free(&ch->view);
	uspace_destroy(ch->us);
	free(ch);
}

static void pool_remove(struct vm *vm, struct child *ch)
{
	struct child **p;

	for (p = &vm->pool.first; *p && *p != ch; p = &(*p)->next)
		;
	if (!*p)
		return;
	*p = ch->next;
	vm->pool.n--;
	if (vm->pool.current == ch)
		vm->pool.current = NULL;
	child_free(vm, ch);
}

void pool_free(struct vm *vm)
{
	while (vm->pool.first)
		pool_remove(vm, vm->pool.first);
}

static void evict(struct vm *vm)
{
	struct child *last = vm->pool.first;

	while (last && last->next)
		last = last->next;
	if (last)
		pool_remove(vm, last);
}

static struct child *child_new(struct vm *vm)
{
	struct child *ch = calloc(1, sizeof *ch);

	if (!ch)
		return NULL;
	while (vm->pool.n >= vm->pool.max)
		evict(vm);
	while (!(ch->us = uspace_create(vm->engine))) {
		if (!vm->pool.n) {
			free(ch);
			return NULL;
		}
		/* The host has no more processes: live with what we have. */
		vm->pool.max = vm->pool.n;
		evict(vm);
	}
	view_init(&ch->view, vm, ch->us);
	ch->cr3 = vm->cpu.cr3;
	ch->flushes = vm->pool.flushes;
	ch->next = vm->pool.first;
	vm->pool.first = ch;
	vm->pool.n++;
	return ch;
}

void pool_flush(struct vm *vm)
{
	vm->pool.flushes++;
	vm->pool.current = NULL;
}

/* The child of the loaded CR3, its view in order. */
static struct child *pool_get(struct vm *vm)
{
	struct pool *p = &vm->pool;
	struct child **at, *ch;

	if (p->current)
		return p->current;
	for (at = &p->first; (ch = *at); at = &ch->next)
		if (ch->cr3 == vm->cpu.cr3)
			break;
	if (ch) {
		*at = ch->next;
		ch->next = p->first;
		p->first = ch;
		if (ch->flushes != p->flushes) {
			vm->stats.repairs++;
			view_repair(&ch->view, ch->cr3, true);
			ch->flushes = p->flushes;
		}
	} else {
		ch = child_new(vm);
	}
	p->current = ch;
	return ch;
}

void pool_invlpg(struct vm *vm, uint32_t va)
{
	struct child *ch = vm->pool.current;

	if (ch)
		view_repair_page(&ch->view, ch->cr3, va);
	else
		for (ch = vm->pool.first; ch; ch = ch->next)
			if (ch->cr3 == vm->cpu.cr3)
				view_repair_page(&ch->view, ch->cr3, va);
}

/* ---- segment registers ---- */

/*
 * In a child every selector is one of its LDT, at the index that the guest's
 * selector has, so that user code that derives something from the index (the
 * TLS entry number) is right.  A register that holds anything else at a stop
 * was loaded by user code: with a guest selector, or with one of the host.
 */
static uint16_t host_selector(uint16_t sel)
{
	return (sel & 0xfff8) | 7;
}

static void child_ldt(struct child *ch, uint16_t sel, const struct segment *s)
{
	unsigned slot = sel >> 3;
	struct segment *set = slot < CACHED_LDT ? &ch->ldt[slot] : NULL;

	if (set && set->base == s->base && set->limit == s->limit && set->attr == s->attr)
		return;
	uspace_ldt_set(ch->us, slot, s);
	if (set)
		*set = *s;
}

static void registers_to_child(struct vm *vm, struct child *ch, struct user_regs *r)
{
	struct vcpu *c = &vm->cpu;
	int i;

	memcpy(r->gpr, c->gpr, sizeof r->gpr);
	r->eip = c->eip;
	r->eflags = (c->eflags & (FL_ARITH | FL_TF | FL_DF | FL_NT | FL_AC | FL_ID | FL_RF)) | FL_IF | FL_FIXED;
	for (i = 0; i < S_COUNT; i++) {
		struct segment s = c->seg[i];

		if (!(s.attr & SEG_P)) {
			r->sel[i] = 0;
			continue;
		}
		s.attr |= 1;
		child_ldt(ch, s.sel, &s);
		r->sel[i] = host_selector(s.sel);
	}
	r->fsbase = c->seg[S_FS].base;
	r->gsbase = c->seg[S_GS].base;
}

/* What selector did the guest's user code mean by loading raw? */
static uint16_t guest_selector(struct vm *vm, uint16_t raw)
{
	uint16_t local = raw & 0xfff8;
	const struct segment *ldtr = &vm->cpu.ldtr;

	if (!(raw & 4))
		return raw;
	/* Read back and loaded again: an index of the GDT that we showed as an
	 * LDT selector, unless the guest has an LDT that reaches it. */
	if ((ldtr->sel & 0xfffc) && local + 7u <= ldtr->limit)
		return raw;
	return local | 3;
}

/* Takes over segment registers that user code changed. Returns true if one
 * changed; *f is set if the guest would have refused the load. */
static bool segments_from_child(struct vm *vm, const struct user_regs *before, const struct user_regs *r,
				const struct user_event *ev, struct fault *f)
{
	static const int data[] = { S_ES, S_DS, S_FS, S_GS, S_SS };
	bool changed = false;
	size_t i;

	f->vector = VEC_NONE;
	for (i = 0; i < sizeof data / sizeof *data; i++) {
		int reg = data[i];

		/* sysenter itself replaces cs and ss. */
		if (r->sel[reg] == before->sel[reg] || (reg == S_SS && ev->kind == UE_SYSENTER))
			continue;
		changed = true;
		if (!segment_load(vm, reg, guest_selector(vm, r->sel[reg]), f))
			return true;
	}
	return changed;
}

/* ---- events ---- */

static void deliver(struct vm *vm, unsigned vector, uint32_t error)
{
	struct fault f = { vector, error, 0 };

	vm->stats.user_traps++;
	trap_exception(vm, &f);
}

static void software(struct vm *vm, unsigned vector)
{
	struct fault f;

	if (!trap_software(vm, vector, &f))
		trap_exception(vm, &f);
}

static void user_page_fault(struct vm *vm, struct child *ch, const struct user_event *ev)
{
	struct vcpu *c = &vm->cpu;
	uint32_t e = view_entry(&ch->view, ev->cr2), how = ACC_USER;
	const struct insn *insn;
	struct fault f;
	struct walk w;

	vm->stats.user_pf++;
	/* Whatever is mapped can be read: only a write can fault there.
	 * Elsewhere the instruction tells. */
	if (e & VE_P) {
		how |= ACC_WRITE;
	} else if (ev->cr2 != c->eip) {
		insn = loop_fetch(vm, &f);
		if (insn && access_is_write(c, insn, ev->cr2))
			how |= ACC_WRITE;
	}
	if (!mmu_translate(vm, GVA(ev->cr2), how, &w, &f)) {
		TRACE(vm, TRACE_USER, "#PF at %08x error %x eip %08x", ev->cr2, f.error, c->eip);
		vm->prefault = ev->cr2;
		vm->prefault_valid = true;
		trap_exception(vm, &f);
		return;
	}
	vm->stats.user_fills++;
	if (view_fill(&ch->view, ev->cr2, &w, how))
		return;
	/* The host cannot map it. */
	insn = loop_fetch(vm, &f);
	if (!insn || interp_insn(vm, insn, &f) == INTERP_FAULT)
		trap_exception(vm, &f);
}

/* #GP, #SS, #NP, #TS, int n, into, bound: the host does not tell them apart. */
static void user_general_fault(struct vm *vm)
{
	struct vcpu *c = &vm->cpu;
	const struct insn *insn;
	uint8_t before = 0;
	struct fault f, ignored;

	insn = loop_fetch(vm, &f);
	/* A trap of into shows the address behind it. */
	if ((c->eflags & FL_OF) && gmem_read(vm, GVA(c->seg[S_CS].base + c->eip - 1), &before, 1, ACC_USER, &ignored) &&
	    before == 0xce && (!insn || insn->kind == IK_NONE || insn->kind == IK_INTO)) {
		software(vm, VEC_OF);
		return;
	}
	if (!insn) {
		trap_exception(vm, &f);
		return;
	}
	if (insn->kind == IK_NONE && !interp_can(insn)) {
		deliver(vm, VEC_GP, 0);
		return;
	}
	switch (interp_insn(vm, insn, &f)) {
	case INTERP_FAULT:
		vm->stats.user_traps++;
		trap_exception(vm, &f);
		break;
	case INTERP_UNKNOWN:
		deliver(vm, VEC_GP, 0);
		break;
	default:
		break;
	}
}

static void user_trap(struct vm *vm, struct child *ch, const struct user_event *ev)
{
	struct vcpu *c = &vm->cpu;
	const struct insn *insn;
	struct fault f;

	switch (ev->vector) {
	case VEC_PF:
		user_page_fault(vm, ch, ev);
		break;
	case VEC_GP:
		user_general_fault(vm);
		break;
	case VEC_BP:
		software(vm, VEC_BP);
		break;
	case VEC_DB:
		c->dr[6] = (c->dr[6] & ~0xfu) | (uspace_debug_status(ch->us) & 0xe00f) | 0xffff0ff0;
		deliver(vm, VEC_DB, 0);
		break;
	case VEC_MF:
		/* One host signal for x87 and SSE. */
		insn = loop_fetch(vm, &f);
		deliver(vm, insn && insn->opcode >= 0xf00 ? VEC_XM : VEC_MF, 0);
		break;
	default:
		deliver(vm, ev->vector, 0);
	}
}

/* A new child can take over what the old one had not begun: registers are ours,
 * memory is the guest's. */
static void child_died(struct vm *vm, struct child *ch, const struct user_event *ev)
{
	if (ev->lost)
		vm_end(vm, ST_HOST, "a process that ran guest user code was killed; is the host out of memory?");
	else if (++vm->dead_children >= DEATHS_MAX && ev->refused)
		vm_end(vm, ST_HOST, "the host refuses memory to guest user code: %s; "
		       "raise the address-space limit (ulimit -v)", strerror(ev->refused));
	else if (vm->dead_children >= DEATHS_MAX)
		vm_end(vm, ST_HOST, "the host keeps killing the processes that run guest user code");
	pool_remove(vm, ch);
}

static void user_event(struct vm *vm, struct child *ch, const struct user_event *ev)
{
	struct vcpu *c = &vm->cpu;
	struct fault f;

	switch (ev->kind) {
	case UE_KICK:
		vm->stats.user_kicks++;
		break;
	case UE_INT80:
		vm->stats.user_int80++;
		if (!trap_software(vm, 0x80, &f)) {
			c->eip -= 2;
			trap_exception(vm, &f);
		}
		break;
	case UE_SYSENTER:
		vm->stats.user_sysenter++;
		if (!cpu_sysenter(vm))
			deliver(vm, VEC_GP, 0);
		break;
	case UE_SYSCALL64:
		deliver(vm, VEC_UD, 0);
		break;
	case UE_TRAP:
		user_trap(vm, ch, ev);
		break;
	case UE_DEAD:
		child_died(vm, ch, ev);
		break;
	}
}

/* Maps the page that a page-fault handler has just made available. */
static void prefault(struct vm *vm, struct child *ch)
{
	uint32_t va = vm->prefault;
	struct walk w;

	vm->prefault_valid = false;
	if (view_entry(&ch->view, va) & VE_P)
		return;
	if (mmu_probe(vm, GVA(va), &w) && mmu_allowed(vm, &w, ACC_USER) && (w.flags & PTE_A))
		view_fill(&ch->view, va, &w, ACC_USER);
}

static void debug_to_child(struct vm *vm, struct child *ch)
{
	const uint32_t *dr = vm->cpu.dr;

	if (!(dr[7] & 0xff) && !(ch->dr[7] & 0xff))
		return;
	if (!memcmp(ch->dr, dr, sizeof ch->dr))
		return;
	uspace_debug_set(ch->us, dr);
	memcpy(ch->dr, dr, sizeof ch->dr);
}

void user_run(struct vm *vm)
{
	struct vcpu *c = &vm->cpu;
	struct user_regs before, r;
	struct user_event ev;
	struct fault f;
	struct child *ch;
	bool moved;

	/* Lazily switched FPU: the host would not trap its first use. */
	if (c->cr0 & CR0_TS) {
		deliver(vm, VEC_NM, 0);
		return;
	}
	ch = pool_get(vm);
	if (!ch) {
		vm_end(vm, ST_HOST, "no process for guest user code; raise the limit of processes (ulimit -u)");
		return;
	}
	if (vm->prefault_valid)
		prefault(vm, ch);
	registers_to_child(vm, ch, &r);
	debug_to_child(vm, ch);
	fpu_to_child(vm, ch);
	before = r;
	vm->stats.user_runs++;
	uspace_run(ch->us, &r, &ev);
	if (ev.kind == UE_DEAD) {
		user_event(vm, ch, &ev);
		return;
	}
	vm->dead_children = 0;
	memcpy(c->gpr, r.gpr, sizeof c->gpr);
	c->eip = r.eip;
	c->eflags = (c->eflags & (FL_IF | FL_IOPL)) | (r.eflags & ~(FL_IF | FL_IOPL | FL_VM | FL_RF)) | FL_FIXED;
	c->shadow = false;
	moved = segments_from_child(vm, &before, &r, &ev, &f);
	if (f.vector != VEC_NONE) {
		deliver(vm, f.vector, f.error);
		return;
	}
	/* A code selector of the host is none of the guest's. */
	if (ev.kind != UE_SYSENTER && (ev.in_64bit || r.sel[S_CS] != before.sel[S_CS])) {
		deliver(vm, VEC_GP, r.sel[S_CS] & 0xfffc);
		return;
	}
	/* With a host segment in a register the fault may not be the guest's:
	 * try again with the guest's own. */
	if (moved && ev.kind == UE_TRAP && (ev.vector == VEC_PF || ev.vector == VEC_GP))
		return;
	user_event(vm, ch, &ev);
}
