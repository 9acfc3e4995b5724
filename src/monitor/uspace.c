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
/* Entries of an LDT; where entry n of the guest's own LDT goes when its place is
 * taken by entry n of the GDT. */
#define LDT_MAX 8192
#define LDT_ELSEWHERE 4096
/* Instructions to interpret in search of the next CPUID, about what a stop costs:
 * the C library executes it by the dozen when a program starts, each some 200
 * instructions after the last. */
#define USER_AHEAD 224
/* The longest instruction. */
#define INSN_MAX 15
/* Instructions from a gate's far jump to the one that enters the kernel, at most. */
#define USER_GATE_INSNS 8

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
	free(ch->ldt);
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
	vm->gate.set = false;
}

static void evict(struct vm *vm)
{
	struct child *last = vm->pool.first;

	while (last && last->next)
		last = last->next;
	if (!last)
		return;
	TRACE(vm, TRACE_USER, "child for cr3 %08x goes", last->cr3);
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
	TRACE(vm, TRACE_USER, "child for cr3 %08x", vm->cpu.cr3);
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

/* Where the pool has the child of the loaded CR3, or its end. */
static struct child **pool_find(struct vm *vm)
{
	struct child **at = &vm->pool.first;

	while (*at && (*at)->cr3 != vm->cpu.cr3)
		at = &(*at)->next;
	return at;
}

void pool_expect(struct vm *vm)
{
	struct child *ch = *pool_find(vm);

	if (ch)
		uspace_expect(ch->us);
}

/* The child of the loaded CR3, its view in order. */
static struct child *pool_get(struct vm *vm)
{
	struct pool *p = &vm->pool;
	struct child **at, *ch;

	if (p->current)
		return p->current;
	gate_verify(vm);
	at = pool_find(vm);
	ch = *at;
	if (ch) {
		*at = ch->next;
		ch->next = p->first;
		p->first = ch;
		if (ch->flushes != p->flushes) {
			vm->stats.repairs++;
			view_repair(&ch->view, true);
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
		view_repair_page(&ch->view, va);
	else
		for (ch = vm->pool.first; ch; ch = ch->next)
			if (ch->cr3 == vm->cpu.cr3)
				view_repair_page(&ch->view, va);
}

/* ---- segment registers ---- */

/*
 * In a child every selector is one of its LDT, at the index that the guest's
 * selector has, so that user code that derives something from the index (the
 * TLS entry number) is right.  A register that holds anything else at a stop
 * was loaded by user code: with a guest selector, or with one of the host.
 */

/* The child's entry that raw names, or NULL. */
static const struct segment *ldt_entry(const struct child *ch, uint16_t raw)
{
	unsigned slot = raw >> 3;

	return (raw & 4) && slot < ch->nldt && ch->ldt[slot].attr ? &ch->ldt[slot] : NULL;
}

static bool ldt_grow(struct child *ch, unsigned n)
{
	struct segment *ldt = realloc(ch->ldt, n * sizeof *ldt);

	if (!ldt)
		return false;
	memset(ldt + ch->nldt, 0, (n - ch->nldt) * sizeof *ldt);
	ch->ldt = ldt;
	ch->nldt = n;
	return true;
}

static bool same_segment(const struct segment *a, const struct segment *b)
{
	return a->sel == b->sel && a->base == b->base && a->limit == b->limit && a->attr == b->attr;
}

static void ldt_set(struct child *ch, unsigned slot, const struct segment *s)
{
	struct segment *set = &ch->ldt[slot];

	if (same_segment(set, s))
		return;
	uspace_ldt_set(ch->us, slot, s->attr ? s : NULL);
	ch->nlocal += (s->attr && s->sel & 4) - (set->attr && set->sel & 4);
	*set = *s;
}

/* Entries that mirror the guest's LDT do not outlive its descriptors: loaded
 * again, a changed one traps and is looked up. */
static void ldt_forget_changed(struct vm *vm, struct child *ch)
{
	static const struct segment none;
	unsigned slot;

	for (slot = 0; ch->nlocal && slot < ch->nldt; slot++) {
		struct segment now = none, *set = &ch->ldt[slot];
		struct fault f;
		uint32_t d[2];
		gva_t where;

		if (!set->attr || !(set->sel & 4))
			continue;
		if (segment_descriptor(vm, set->sel, d, &where, &f))
			segment_from_descriptor(&now, set->sel, d);
		now.attr |= 1;
		if (!same_segment(&now, set))
			ldt_set(ch, slot, &none);
	}
}

/* Makes s an entry of the child's LDT; returns the host's selector of it. */
static uint16_t host_selector(struct vm *vm, struct child *ch, struct segment s)
{
	unsigned slot = s.sel >> 3;

	s.sel |= 3;
	s.attr |= 1;
	if ((s.sel & 4) && slot < ch->nldt && ch->ldt[slot].attr && !(ch->ldt[slot].sel & 4))
		slot = (slot + LDT_ELSEWHERE) % LDT_MAX;
	if (slot >= ch->nldt && !ldt_grow(ch, slot + 1)) {
		vm_end(vm, ST_HOST, "out of memory");
		return 0;
	}
	ldt_set(ch, slot, &s);
	return slot << 3 | 7;
}

static void segments_to_child(struct vm *vm, struct child *ch, struct user_regs *r)
{
	int i, local;

	if (ch->nlocal)
		ldt_forget_changed(vm, ch);
	/* What comes from the GDT has its place first. */
	for (local = 0; local <= 4; local += 4) {
		for (i = 0; i < S_COUNT; i++) {
			const struct segment *s = &vm->cpu.seg[i];

			if ((s->sel & 4) == local)
				r->sel[i] = s->attr & SEG_P ? host_selector(vm, ch, *s) : 0;
		}
	}
	r->fsbase = vm->cpu.seg[S_FS].base;
	r->gsbase = vm->cpu.seg[S_GS].base;
}

static void registers_to_child(struct vm *vm, struct child *ch, struct user_regs *r)
{
	struct vcpu *c = &vm->cpu;

	memcpy(r->gpr, c->gpr, sizeof r->gpr);
	r->eip = c->eip;
	r->eflags = (c->eflags & (FL_ARITH | FL_TF | FL_DF | FL_NT | FL_AC | FL_ID | FL_RF)) |
		    FL_IF | FL_FIXED;
	segments_to_child(vm, ch, r);
}

/* A data segment register that user code has loaded with raw: one of the
 * child's entries, or a selector that it chose itself. */
static bool data_from_child(struct vm *vm, const struct child *ch, int reg, uint16_t raw,
			    struct fault *f)
{
	const struct segment *e = ldt_entry(ch, raw);

	if (!e || ((raw & 3) != 3 && !(e->sel & 4)))
		return segment_load(vm, reg, raw, f);
	vm->cpu.seg[reg] = *e;
	vm->cpu.seg[reg].sel = (e->sel & ~3) | (raw & 3);
	return true;
}

/* The same for cs, after a far transfer: a code segment of the host, such as
 * the 64-bit one, is none of the guest's. */
static bool code_from_child(struct vm *vm, const struct child *ch, uint16_t raw, struct fault *f)
{
	const struct segment *e = ldt_entry(ch, raw);

	if (e) {
		segment_set_cs(&vm->cpu, e, 3);
		return true;
	}
	*f = (struct fault){ VEC_GP, raw & 0xfffc, 0 };
	return false;
}

/* Takes over segment registers that user code has loaded. *changed: one was.
 * False with *f if the guest would have refused the load. */
static bool segments_from_child(struct vm *vm, struct child *ch, const struct user_regs *before,
				const struct user_regs *r, bool *changed, struct fault *f)
{
	static const int data[] = { S_ES, S_DS, S_FS, S_GS, S_SS };
	size_t i;

	*changed = r->sel[S_CS] != before->sel[S_CS];
	if (*changed && !code_from_child(vm, ch, r->sel[S_CS], f))
		return false;
	for (i = 0; i < sizeof data / sizeof *data; i++) {
		int reg = data[i];

		if (r->sel[reg] == before->sel[reg])
			continue;
		*changed = true;
		if (!data_from_child(vm, ch, reg, r->sel[reg], f))
			return false;
	}
	return true;
}

/* ---- events ---- */

static void deliver(struct vm *vm, unsigned vector, uint32_t error)
{
	struct fault f = { vector, error, 0 };

	vm->stats.user_traps++;
	trap_exception(vm, &f);
}

/* Carries out one instruction of user code; true if more may follow. */
static bool user_step(struct vm *vm, const struct insn *insn)
{
	struct vcpu *c = &vm->cpu;
	bool tf = c->eflags & FL_TF;
	struct fault f;

	switch (interp_insn(vm, insn, &f)) {
	case INTERP_FAULT:
		vm->stats.user_traps++;
		trap_exception(vm, &f);
		return false;
	case INTERP_UNKNOWN:
		deliver(vm, VEC_GP, 0);
		return false;
	default:
		if (tf && c->cpl == 3) {
			c->dr[6] |= 0x4000;
			deliver(vm, VEC_DB, 0);
		}
		/* The interpreter knows no debug registers and no alignment checks. */
		return c->cpl == 3 && !(c->eflags & (FL_TF | FL_VM | FL_AC)) && !(c->dr[7] & 0xff);
	}
}

/* Carries out an instruction that user code may not do by itself, and what
 * follows if another such instruction is near. */
static void user_emulate(struct vm *vm, const struct insn *insn)
{
	unsigned left = vm->debug.on ? 1 : USER_AHEAD;
	struct fault f;

	while (user_step(vm, insn) && --left && !vm->hc->kick && !vm->ending) {
		insn = fetch_insn(vm, &f);
		if (!insn)
			break;
		if (insn->kind == IK_CPUID)
			left = USER_AHEAD;
		else if (insn->kind != IK_NONE || !interp_can(insn))
			break;
		vm->stats.ahead_insns++;
	}
}

static void user_fault(struct vm *vm, const struct fault *f)
{
	TRACE(vm, TRACE_USER, "#PF at %08x error %x eip %08x", f->cr2, f->error, vm->cpu.eip);
	vm->prefault = f->cr2;
	vm->prefault_valid = true;
	trap_exception(vm, f);
}

void user_interpret(struct vm *vm)
{
	const struct insn *insn;
	struct fault f;

	insn = fetch_insn(vm, &f);
	if (insn)
		user_step(vm, insn);
	else if (f.vector == VEC_PF)
		user_fault(vm, &f);
	else
		trap_exception(vm, &f);
}

/* Does the instruction at eip, or its end, lie at va in a page that is not
 * executable? */
static bool fetch_refused(struct vm *vm, uint32_t va, struct fault *f)
{
	uint32_t eip = vm->cpu.seg[S_CS].base + vm->cpu.eip;

	return va - eip < INSN_MAX && !fetch_insn(vm, f) && f->vector == VEC_PF && f->cr2 == va;
}

/* What the faulting access was, ACC_*.  An exact engine says so, and if user code has
 * made it lie, then about accesses that user code might have made as well.  Otherwise:
 * whatever is mapped can be read, only a write can fault there; elsewhere the
 * instruction tells. */
static uint32_t fault_access(struct vm *vm, struct child *ch, const struct user_event *ev)
{
	struct vcpu *c = &vm->cpu;
	const struct insn *insn;
	struct fault f;

	if (vm->engine->ops->exact)
		return ev->error & PF_W ? ACC_WRITE : ev->error & PF_I ? ACC_EXEC : ACC_READ;
	if (view_entry(&ch->view, ev->cr2) & VE_P)
		return ACC_WRITE;
	if (ev->cr2 == c->seg[S_CS].base + c->eip)
		return ACC_EXEC;
	insn = fetch_insn(vm, &f);
	return insn && access_is_write(c, insn, ev->cr2) ? ACC_WRITE : ACC_READ;
}

static void user_page_fault(struct vm *vm, struct child *ch, const struct user_event *ev)
{
	struct vcpu *c = &vm->cpu;
	uint32_t e = view_entry(&ch->view, ev->cr2);
	const struct insn *insn;
	struct fault f;
	struct walk w;

	vm->stats.user_pf++;
	if (vm->debug.on && debug_fault(vm, ev->cr2))
		return;
	if ((e & VE_N) && fetch_refused(vm, ev->cr2, &f)) {
		user_fault(vm, &f);
		return;
	}
	if (!mmu_translate(vm, GVA(ev->cr2), ACC_USER | fault_access(vm, ch, ev), &w, &f)) {
		user_fault(vm, &f);
		return;
	}
	TRACE(vm, TRACE_MMU, "fill of a child %08x -> %08llx, eip %08x", ev->cr2,
	      (unsigned long long)w.pa.v, c->eip);
	vm->stats.user_fills++;
	if (view_fill(&ch->view, ev->cr2, &w))
		return;
	/* The host cannot map it. */
	insn = fetch_insn(vm, &f);
	if (!insn)
		trap_exception(vm, &f);
	else if (insn->kind == IK_NONE && !interp_can(insn))
		vm_end(vm, ST_LIMIT, "access to %#x (physical %#llx), which cannot be mapped, "
		       "by an instruction that cannot be interpreted", ev->cr2,
		       (unsigned long long)w.pa.v);
	else
		user_emulate(vm, insn);
}

/* #GP, #SS, #NP, #TS, int n, bound: the host does not tell them apart. */
static void user_general_fault(struct vm *vm)
{
	const struct insn *insn;
	struct fault f;

	insn = fetch_insn(vm, &f);
	if (insn && (insn->kind != IK_NONE || interp_can(insn)))
		user_emulate(vm, insn);
	else if (insn || f.vector == VEC_UD)
		/* Too long, if not an operand that is not aligned. */
		deliver(vm, VEC_GP, 0);
	else
		trap_exception(vm, &f);
}

static void user_sysenter(struct vm *vm)
{
	struct vcpu *c = &vm->cpu;

	vm->stats.user_sysenter++;
	TRACE(vm, TRACE_USER, "sysenter, eax %u", c->gpr[R_EAX]);
	if (!(vm->model->edx & F_SEP)) {
		deliver(vm, VEC_UD, 0);
	} else if (!cpu_sysenter(vm)) {
		deliver(vm, VEC_GP, 0);
	} else if (c->eflags & FL_TF) {
		/* Unlike int n it keeps TF: the step ends in kernel mode. */
		c->dr[6] |= 0x4000;
		deliver(vm, VEC_DB, 0);
	}
}

/* AMD's CPUs do not know sysenter in compatibility mode (APM 3, SYSENTER). */
static void user_invalid(struct vm *vm)
{
	struct fault f;
	const struct insn *insn = fetch_insn(vm, &f);

	if (insn && insn->kind == IK_SYSENTER)
		user_sysenter(vm);
	else
		deliver(vm, VEC_UD, 0);
}

static void user_trap(struct vm *vm, struct child *ch, const struct user_event *ev)
{
	struct vcpu *c = &vm->cpu;
	const struct insn *insn;
	struct fault f;
	uint32_t status;

	switch (ev->vector) {
	case VEC_PF:
		user_page_fault(vm, ch, ev);
		break;
	case VEC_GP:
		user_general_fault(vm);
		break;
	case VEC_BP:
	case VEC_OF:
		trap_reported(vm, ev->vector);
		break;
	case VEC_UD:
		user_invalid(vm);
		break;
	case VEC_DB:
		status = uspace_debug_status(ch->us);
		trap_int1(vm, &status);
		if (vm->debug.direct ? !debug_trap(vm, &status) : !breakreg_trap(vm, &status))
			break;
		c->dr[6] = (c->dr[6] & ~0xfu) | (status & 0xe00f) | 0xffff0ff0;
		deliver(vm, VEC_DB, 0);
		break;
	case VEC_MF:
		/* One host signal for x87 and SSE. */
		insn = fetch_insn(vm, &f);
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
		vm_end(vm, ST_HOST,
		       "a process that ran guest user code was killed; is the host out of memory?");
	else if (++vm->dead_children >= DEATHS_MAX && ev->refused)
		vm_end(vm, ST_HOST, "the host refuses memory to guest user code: %s; "
		       "raise the address-space limit (ulimit -v)", strerror(ev->refused));
	else if (vm->dead_children >= DEATHS_MAX)
		vm_end(vm, ST_HOST,
		       "the host keeps killing the processes that run guest user code");
	pool_remove(vm, ch);
}

/* The instructions that the far jump stands for, up to the one that enters the kernel. */
static void user_gate(struct vm *vm, const struct child *ch)
{
	unsigned left = USER_GATE_INSNS;
	const struct insn *insn;
	struct fault f;

	vm->stats.user_gate++;
	if (!gate_came(vm, ch)) {
		deliver(vm, VEC_GP, 0);
		return;
	}
	if (vm->debug.on) {
		/* The debugger wants to see each of them. */
		gate_drop(vm);
		return;
	}
	do {
		insn = fetch_insn(vm, &f);
		if (!insn)
			break;
		if (insn->kind == IK_SYSENTER) {
			user_sysenter(vm);
			break;
		}
	} while (user_step(vm, insn) && --left);
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
		TRACE(vm, TRACE_USER, "int $0x80, eax %u", c->gpr[R_EAX]);
		if (!trap_software(vm, 0x80, &f)) {
			c->eip -= 2;
			trap_exception(vm, &f);
		}
		break;
	case UE_SYSENTER:
		user_sysenter(vm);
		break;
	case UE_SYSCALL64:
		deliver(vm, VEC_UD, 0);
		break;
	case UE_GATE:
		user_gate(vm, ch);
		break;
	case UE_TRAP:
		user_trap(vm, ch, ev);
		break;
	case UE_DEAD:
		child_died(vm, ch, ev);
		break;
	}
}

static enum phase event_phase(const struct user_event *ev)
{
	switch (ev->kind) {
	case UE_KICK:
		return PHASE_user_kick;
	case UE_INT80:
		return PHASE_user_int80;
	case UE_SYSENTER:
		return PHASE_user_sysenter;
	case UE_GATE:
		return PHASE_user_gate;
	default:
		return ev->vector == VEC_PF ? PHASE_user_pf : PHASE_user_trap;
	}
}

/* Maps the page that a page-fault handler has just made available or writable. */
static void prefault(struct vm *vm, struct child *ch)
{
	uint32_t va = vm->prefault, e = view_entry(&ch->view, va);
	struct walk w;

	vm->prefault_valid = false;
	if ((e & VE_W) || !mmu_probe(vm, GVA(va), &w) || !(w.flags & PTE_A))
		return;
	if ((e & VE_P) && (!(w.flags & PTE_D) || !mmu_allowed(vm, &w, ACC_USER | ACC_WRITE)))
		return;
	if (mmu_allowed(vm, &w, ACC_USER))
		view_fill(&ch->view, va, &w);
}

/* Maps the page of eip, and in a child that was empty that of the stack, which
 * are accessed at once; false if fetching faults, as it would in the child. */
static bool enter_pages(struct vm *vm, struct child *ch, bool was_empty)
{
	const struct vcpu *c = &vm->cpu;
	uint32_t eip = c->seg[S_CS].base + c->eip, esp = c->seg[S_SS].base + c->gpr[R_ESP];
	struct fault f;
	struct walk w;

	if (!(view_entry(&ch->view, eip) & VE_P) && c->eip <= c->seg[S_CS].limit) {
		if (!mmu_translate(vm, GVA(eip), ACC_USER | ACC_EXEC, &w, &f)) {
			vm->stats.user_pf++;
			user_fault(vm, &f);
			return false;
		}
		view_fill(&ch->view, eip, &w);
	}
	if (was_empty && !(view_entry(&ch->view, esp) & VE_P) &&
	    mmu_translate(vm, GVA(esp), ACC_USER, &w, &f))
		view_fill(&ch->view, esp, &w);
	return true;
}

static void debug_to_child(struct vm *vm, struct child *ch)
{
	uint32_t ours[8];
	const uint32_t *dr = breakreg_values(vm, ours);

	if (!(dr[7] & 0xff) && !(ch->dr[7] & 0xff))
		return;
	if (!memcmp(ch->dr, dr, sizeof ch->dr))
		return;
	memcpy(ch->dr, dr, sizeof ch->dr);
	if (!uspace_debug_set(ch->us, dr) && dr == ours) {
		vm->debug.no_registers = true;
		debug_registers_changed(vm);
	}
}

void user_run(struct vm *vm)
{
	struct vcpu *c = &vm->cpu;
	struct user_regs before, r;
	struct user_event ev;
	struct fault f;
	struct child *ch;
	bool moved, empty;

	/* Lazily switched FPU: the host would not trap its first use. */
	if (c->cr0 & CR0_TS) {
		deliver(vm, VEC_NM, 0);
		return;
	}
	ch = pool_get(vm);
	if (!ch) {
		vm_end(vm, ST_HOST,
		       "no process for guest user code; raise the limit of processes (ulimit -u)");
		return;
	}
	empty = !ch->view.pages;
	if (vm->prefault_valid)
		prefault(vm, ch);
	if (!enter_pages(vm, ch, empty))
		return;
	if (gate_inside(vm, ch)) {
		user_interpret(vm);
		return;
	}
	registers_to_child(vm, ch, &r);
	debug_to_child(vm, ch);
	fpu_to_child(vm, ch);
	if (vm->debug.direct)
		r.eflags |= FL_TF;
	before = r;
	vm->stats.user_runs++;
	stats_phase(&vm->stats, PHASE_user);
	uspace_run(ch->us, &r, &ev);
	stats_phase(&vm->stats, event_phase(&ev));
	if (ev.kind == UE_DEAD) {
		user_event(vm, ch, &ev);
		return;
	}
	vm->dead_children = 0;
	memcpy(c->gpr, r.gpr, sizeof c->gpr);
	c->eip = r.eip;
	gate_stopped(vm, ch);
	if (vm->debug.direct)
		r.eflags = (r.eflags & ~FL_TF) | (c->eflags & FL_TF);
	c->eflags = (c->eflags & (FL_IF | FL_IOPL)) |
		    (r.eflags & ~(FL_IF | FL_IOPL | FL_VM | FL_RF | c->no_flags)) | FL_FIXED;
	c->shadow = false;
	exits_note(vm, event_phase(&ev), ev.vector == VEC_PF ? ev.cr2 : ev.vector, ev.error);
	if (ev.kind == UE_SYSENTER) {
		r.sel[S_CS] = before.sel[S_CS];
		r.sel[S_SS] = before.sel[S_SS];
	}
	/* At sysenter the place to report is lost: the load has no effect. */
	if (!segments_from_child(vm, ch, &before, &r, &moved, &f) && ev.kind != UE_SYSENTER) {
		if (ev.kind == UE_INT80)
			c->eip -= 2;
		vm->stats.user_traps++;
		trap_exception(vm, &f);
		return;
	}
	/* With a host segment in a register the fault may not be the guest's:
	 * try again with the guest's own. */
	if (moved && ev.kind == UE_TRAP && (ev.vector == VEC_PF || ev.vector == VEC_GP))
		return;
	user_event(vm, ch, &ev);
}
