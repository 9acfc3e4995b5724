/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The run loop: deliver what is pending, enter the guest, find out why it came
 * back.  Kernel mode runs directly on the CPU; what traps is interpreted, and
 * so is what follows as long as the next sensitive instruction is near.
 */
#include "monitor/machine.h"

#include <string.h>

/* Flags that the real CPU keeps while kernel code runs; the others are the
 * virtual CPU's alone. */
#define REAL_FLAGS (FL_ARITH | FL_TF | FL_DF | FL_ID)

/* Instructions to interpret in search of the next sensitive one: less than what
 * one trap costs. */
#define AHEAD_BUDGET 24
/* The same where all of them leave through the gate. */
#define AHEAD_GATE 4
/* A site whose successor is never near is tried again now and then. */
#define AHEAD_RETRY 32
/* Accesses to one page that are interpreted before a short-lived mapping is made. */
#define TOUCH_LIMIT 6
/* A page that holds code and written data is not flipped for ever. */
#define FLIP_LIMIT 64

static void unknown(struct vm *vm, const struct insn *insn)
{
	vm_end(vm, ST_LIMIT,
	       "the emulator does not know the instruction at %x:%08x (%s, opcode %#x)",
	       vm->cpu.seg[S_CS].sel, vm->cpu.eip, insn_kind_name(insn->kind), insn->opcode);
}

/* These clear TF on their way: no step is reported (SDM 3, 17.3.1.4). */
static bool is_software_interrupt(const struct insn *insn)
{
	return insn->kind == IK_INT || insn->kind == IK_INT3 || insn->kind == IK_INTO;
}

/* Carries out one fetched instruction with all that a CPU does around it. */
static enum interp_result step(struct vm *vm, const struct insn *insn, struct fault *f)
{
	struct vcpu *c = &vm->cpu;
	bool tf = c->eflags & FL_TF, shadow = c->shadow;
	enum interp_result r;

	r = insn->kind == IK_NONE ? interp_insn(vm, insn, f) : emulate(vm, insn, f);
	if (r == INTERP_OK || r == INTERP_STOP) {
		if (shadow)
			c->shadow = false;
		if (tf && !vm->ending && !(r == INTERP_STOP && is_software_interrupt(insn))) {
			c->dr[6] |= 0x4000;
			*f = (struct fault){ VEC_DB, 0, 0 };
			trap_exception(vm, f);
			return INTERP_STOP;
		}
	}
	return r;
}

void loop_step(struct vm *vm)
{
	const struct insn *insn;
	struct fault f;

	insn = fetch_insn(vm, &f);
	if (!insn) {
		trap_exception(vm, &f);
		return;
	}
	switch (step(vm, insn, &f)) {
	case INTERP_FAULT:
		trap_exception(vm, &f);
		break;
	case INTERP_UNKNOWN:
		unknown(vm, insn);
		break;
	default:
		break;
	}
}

static bool attention(const struct vm *vm)
{
	return vm->hc->kick || vm->ending || vm->reset_wanted || vm->events.rearm ||
	       (vcpu_interruptible(&vm->cpu) && platform_intr(&vm->plat));
}

static bool can_go_ahead(const struct vm *vm)
{
	const struct vcpu *c = &vm->cpu;

	uint32_t a = c->seg[S_CS].base + c->eip;

	return c->cpl == 0 && !c->halted && !(c->eflags & FL_TF) && !attention(vm) &&
	       ((a & PAGE_MASK) == vm->fetch.page || (view_entry(&vm->kview, a) & VE_X));
}

/* Interprets up to the next sensitive instruction and through it; false if
 * none was near or something else came up. */
static bool go_ahead_once(struct vm *vm)
{
	unsigned n, budget = vm->rt.abi ? AHEAD_GATE : AHEAD_BUDGET;
	const struct insn *insn;
	enum interp_result r;
	struct fault f;

	for (n = 0; n < budget && can_go_ahead(vm); n++) {
		bool sensitive;

		insn = fetch_insn(vm, &f);
		if (!insn || (insn->kind == IK_NONE && !interp_can(insn)))
			return false;
		/* In a fast form, or with a trampoline, it would not trap. */
		sensitive = insn->kind != IK_NONE && insn->site != SITE_FAST &&
			    !(vm->frames[vm->fetch.gpa >> PAGE_SHIFT].tramps &&
			      tramp_covering(vm, vm->cpu.eip));
		r = step(vm, insn, &f);
		if (r == INTERP_UNKNOWN)
			return false;	/* found again, and named, by its trap */
		vm->stats.ahead_insns++;
		if (r == INTERP_FAULT) {
			trap_exception(vm, &f);
			return true;
		}
		if (sensitive)
			return true;
	}
	return false;
}

static void go_ahead(struct vm *vm)
{
	while (can_go_ahead(vm)) {
		uint32_t eip = vm->cpu.eip;
		struct ahead_site *s = &vm->ahead[(eip ^ eip >> 12) % AHEAD_SITES];

		if (s->eip != eip)
			*s = (struct ahead_site){ .eip = eip, .score = 2 };
		if (!s->score) {
			if (++s->reach % AHEAD_RETRY)
				return;
			s->score = 1;
		}
		if (go_ahead_once(vm)) {
			if (s->score < 3)
				s->score++;
		} else {
			s->score--;
			return;
		}
	}
}

/* ---- traps of kernel code ---- */

static uint8_t *code_page(void *ctx, gva_t page, gpa_t *gpa)
{
	struct vm *vm = ctx;
	struct walk w;

	if (!mmu_probe(vm, page, &w))
		return NULL;
	*gpa = w.pa;
	return gmem_ram(vm, w.pa, PAGE_SIZE);
}

/* The first instruction boundary in the page of a, which was about to run: eip,
 * or the end of the instruction there that reaches into the page. */
static uint32_t entry_of(struct vm *vm, uint32_t a)
{
	uint32_t eip = vm->cpu.seg[S_CS].base + vm->cpu.eip;
	const struct insn *insn;
	struct fault f;

	if (!((eip ^ a) & PAGE_MASK))
		return eip;
	insn = fetch_insn(vm, &f);
	return insn ? eip + insn->len : a;
}

static void scan_code(struct vm *vm, uint32_t a, uint32_t frame, uint32_t entry)
{
	int patched;

	/* The scan must not meet our own jumps. */
	tramp_drop_frame(vm, frame);
	/* Before paging is on, boot code runs beside what it unpacks. */
	patched = codemap_scan(vm->code, code_page, vm, GVA(a & PAGE_MASK), GVA(entry),
			       vcpu_paging(&vm->cpu) ? CODEMAP_TEXT : CODEMAP_MIXED);
	if (patched < 0)
		vm_end(vm, ST_HOST,
		       "no memory to record the guest's code; raise the limit (ulimit -v)");
	if (patched)
		insncache_forget(&vm->insns, a & PAGE_MASK);
}

/* Kernel code goes on in a page that is not executable yet. */
static void exec_fault(struct vm *vm, uint32_t a, const struct walk *w)
{
	uint32_t frame = w->pa.v >> PAGE_SHIFT, e = view_entry(&vm->kview, a);

	if (w->pa.v >= vm->ram.size || a < vm->kview.low_min) {
		loop_step(vm);
		return;
	}
	if (!(e & VE_P) || e >> PAGE_SHIFT != frame) {
		if (!view_fill(&vm->kview, a, w)) {
			vm_end(vm, ST_HOST, "the host cannot map the page at %#x; "
			       "raise the address-space limit (ulimit -v)", a);
			return;
		}
	}
	TRACE(vm, TRACE_MMU, "code page %08x -> %08llx", a & PAGE_MASK,
	      (unsigned long long)w->pa.v);
	scan_code(vm, a, frame, entry_of(vm, a));
	view_make_exec(&vm->kview, a, frame);
}

/* Code that only interrupts, far transfers and the like lead to may have been
 * taken for data, in a page that runs already. */
static void check_entry(struct vm *vm)
{
	uint32_t a = vm->cpu.seg[S_CS].base + vm->cpu.eip;
	struct walk w;

	if (!(view_entry(&vm->kview, a) & VE_X) || !mmu_probe(vm, GVA(a), &w) ||
	    codemap_boundary(vm->code, GPA(w.pa.v | (a & ~PAGE_MASK))))
		return;
	scan_code(vm, a, w.pa.v >> PAGE_SHIFT, a);
}

void loop_scan(struct vm *vm)
{
	uint32_t a = vm->cpu.seg[S_CS].base + vm->cpu.eip, frame;
	struct fault f;
	struct walk w;

	if (!mmu_translate(vm, GVA(a), ACC_READ, &w, &f) || w.pa.v >= vm->ram.size)
		return;
	frame = w.pa.v >> PAGE_SHIFT;
	if (vm->frames[frame].code && codemap_boundary(vm->code, GPA(w.pa.v | (a & ~PAGE_MASK))))
		return;
	scan_code(vm, a, frame, a);
	view_make_code(vm, frame);
}

/* A mapping that the next CR3 load takes away: of a user page, and (where the
 * kernel's own are global) of a temporary alias. */
static bool short_lived(const struct vm *vm, const struct walk *w)
{
	return vcpu_paging(&vm->cpu) &&
	       ((w->flags & PTE_U) || ((vm->cpu.cr4 & CR4_PGE) && !(w->flags & PTE_G)));
}

/* A page that is touched now and then through such a mapping is not worth one. */
static bool touched_rarely(struct vm *vm, uint32_t a)
{
	uint32_t vpn = a >> PAGE_SHIFT;
	unsigned slot = vpn % TOUCH_SLOTS;

	vm->touched = true;
	if (vm->touch[slot].vpn != vpn) {
		vm->touch[slot].vpn = vpn;
		vm->touch[slot].count = 0;
	}
	return ++vm->touch[slot].count <= TOUCH_LIMIT;
}

/* Interprets the faulting instruction if that is possible at all. */
static bool interpret_access(struct vm *vm)
{
	const struct insn *insn;
	struct fault f;

	insn = fetch_insn(vm, &f);
	if (!insn || insn->kind != IK_NONE || !interp_can(insn))
		return false;
	tramp_heat_access(vm);
	vm->stats.user_access++;
	switch (step(vm, insn, &f)) {
	case INTERP_FAULT:
		trap_exception(vm, &f);
		return true;
	case INTERP_UNKNOWN:
		return false;
	default:
		return true;
	}
}

/* What stands for an instruction reaches memory that the instruction does not. */
static bool at_site(struct vm *vm)
{
	const struct insn *insn;
	struct fault f;

	if (!vm->rt.abi)
		return false;
	insn = fetch_insn(vm, &f);
	return insn && insn->site;
}

static void kernel_page_fault(struct vm *vm, uint32_t a, uint32_t error)
{
	uint32_t how = error & PF_W ? ACC_WRITE : error & PF_I ? ACC_EXEC : ACC_READ;
	struct frame *fr;
	struct walk w;
	struct fault f;

	vm->stats.trap_pf++;
	/* sti, popf or iret with an interrupt pending. */
	if (vm->rt.on && (a & PAGE_MASK) == RT_IF) {
		loop_step(vm);
		return;
	}
	if (vm->debug.on && debug_fault(vm, a))
		return;
	if (!mmu_translate(vm, GVA(a), how, &w, &f)) {
		if (at_site(vm)) {
			loop_step(vm);
			return;
		}
		TRACE(vm, TRACE_MMU, "kernel page fault at %08x, error %x, eip %08x", a, f.error,
		      vm->cpu.eip);
		trap_exception(vm, &f);
		return;
	}
	if (error & PF_I) {
		exec_fault(vm, a, &w);
		return;
	}
	TRACE(vm, TRACE_MMU, "fill %08x -> %08llx %s, eip %08x", a, (unsigned long long)w.pa.v,
	      how == ACC_WRITE ? "write" : "read", vm->cpu.eip);
	fr = w.pa.v < vm->ram.size ? &vm->frames[w.pa.v >> PAGE_SHIFT] : NULL;
	if (fr && fr->code && how == ACC_WRITE) {
		if (fr->flips >= FLIP_LIMIT && interpret_access(vm))
			return;
		view_make_writable(vm, w.pa.v >> PAGE_SHIFT);
	}
	if (fr && short_lived(vm, &w) && touched_rarely(vm, a) && interpret_access(vm))
		return;
	vm->stats.fills++;
	if (!view_fill(&vm->kview, a, &w) && !interpret_access(vm))
		vm_end(vm, ST_LIMIT, "access to %#x (physical %#llx), which cannot be mapped, "
		       "by an instruction that cannot be interpreted",
		       a, (unsigned long long)w.pa.v);
}

static void raise_host_exception(struct vm *vm, unsigned vector, uint32_t error)
{
	struct fault f = { vector, error, 0 };

	vm->stats.trap_other++;
	trap_exception(vm, &f);
}

static bool in_jump(const struct vm *vm)
{
	uint32_t a = vm->cpu.seg[S_CS].base + vm->cpu.eip;
	const struct tramp *t = vm->rt.on ? tramp_covering(vm, a) : NULL;

	return t && (t->site != a || (vm->cpu.eflags & FL_TF));
}

/* #GP and its like: a sensitive instruction, or a fault of the guest's own that
 * the interpreter finds again with the guest's segments. */
static void general_fault(struct vm *vm)
{
	const struct insn *insn;
	struct fault f;

	vm->stats.trap_gp++;
	insn = fetch_insn(vm, &f);
	if (!insn) {
		if (!vm->ending)
			trap_exception(vm, &f);
		return;
	}
	if (insn->kind == IK_NONE && !interp_can(insn)) {
		raise_host_exception(vm, VEC_GP, 0);
		return;
	}
	if (in_jump(vm))
		tramp_landed(vm, vm->cpu.seg[S_CS].base + vm->cpu.eip);
	tramp_heat(vm, insn);
	loop_step(vm);
}

static void step_trap(struct vm *vm)
{
	uint32_t status = 0x4000;

	if (vm->debug.direct && !debug_trap(vm, &status))
		return;
	trap_int1(vm, &status);
	vm->cpu.dr[6] |= status;
	raise_host_exception(vm, VEC_DB, 0);
}

static void kernel_trap(struct vm *vm)
{
	struct host_cpu *hc = vm->hc;

	vm->stats.kernel_traps++;
	switch (hc->trapno) {
	case VEC_PF:
		kernel_page_fault(vm, hc->cr2, hc->error);
		break;
	case VEC_TS:
	case VEC_NP:
	case VEC_SS:
	case VEC_GP:
		general_fault(vm);
		break;
	case VEC_BP:
	case VEC_OF:
		vm->stats.trap_other++;
		trap_reported(vm, hc->trapno);
		break;
	case VEC_DB:
		step_trap(vm);
		break;
	default:
		raise_host_exception(vm, hc->trapno, 0);
	}
}

/* An interrupt waits behind the shadow of sti: running directly would not see
 * where it ends.  One instruction is interpreted, or, if that is x87 or SSE
 * code, which cannot tell, the shadow ends early.  False: nothing waits. */
static bool leave_shadow(struct vm *vm)
{
	struct vcpu *c = &vm->cpu;
	const struct insn *insn;
	struct fault f;

	if (!c->shadow || !(c->eflags & FL_IF) || !platform_intr(&vm->plat))
		return false;
	insn = fetch_insn(vm, &f);
	if (insn && insn->kind == IK_NONE && !interp_can(insn))
		c->shadow = false;
	else
		loop_step(vm);
	return true;
}

static enum phase exit_phase(int exit, const struct host_cpu *hc)
{
	if (exit != HOST_EXIT_TRAP)
		return exit == HOST_EXIT_GATE ? PHASE_gate : PHASE_kick;
	switch (hc->trapno) {
	case VEC_PF:
		return PHASE_trap_pf;
	case VEC_TS:
	case VEC_NP:
	case VEC_SS:
	case VEC_GP:
		return PHASE_trap_gp;
	default:
		return PHASE_trap_other;
	}
}

static void note_exit(struct vm *vm, int exit, enum phase why)
{
	const struct host_cpu *hc = vm->hc;

	if (exit == HOST_EXIT_TRAP)
		exits_note(vm, why, why == PHASE_trap_pf ? hc->cr2 : hc->trapno, hc->error);
	else
		exits_note(vm, why, 0, 0);
}

/* The registers come back; where eip was stopped. */
static enum runtime_stop come_back(struct vm *vm, int exit, uint32_t real)
{
	struct vcpu *c = &vm->cpu;
	struct host_cpu *hc = vm->hc;
	uint32_t eip = c->eip;
	enum runtime_stop stop;

	memcpy(c->gpr, hc->gpr, sizeof c->gpr);
	c->eip = hc->eip;
	if (exit == HOST_EXIT_GATE)
		c->eip = *runtime_word(vm, RT_EXIT) ? *runtime_word(vm, RT_EXIT) : RT_GATE;
	c->eflags = (c->eflags & ~real) | (hc->eflags & real);
	stop = runtime_leave(vm);
	tramp_leave(vm);
	if (c->eip != eip)
		c->shadow = false;
	return stop;
}

static void gate_exit(struct vm *vm)
{
	vm->stats.kernel_gates++;
	tramp_passed(vm);
	loop_step(vm);
}

/* A kick comes at any instruction. */
static void kick_exit(struct vm *vm)
{
	vm->stats.kernel_kicks++;
	if ((vm->cpu.eflags & FL_IF) && runtime_behind_sti(vm))
		vm->cpu.shadow = true;
}

void loop_enter(struct vm *vm)
{
	struct vcpu *c = &vm->cpu;
	struct host_cpu *hc = vm->hc;
	uint32_t tf = vm->debug.direct ? FL_TF : 0, real = REAL_FLAGS & ~tf & ~c->no_flags;
	enum runtime_stop stop;
	enum phase why;
	int exit;

	check_entry(vm);
	runtime_enter(vm);
	segment_to_host(vm, hc);
	memcpy(hc->gpr, c->gpr, sizeof hc->gpr);
	hc->eip = c->eip;
	hc->eflags = (c->eflags & REAL_FLAGS) | tf | FL_IF | FL_FIXED;
	vm->stats.kernel_runs++;
	stats_phase(&vm->stats, PHASE_kernel);
	exit = host_enter(hc);
	/* Without a gate routines leave by a trap in its page. */
	if (exit == HOST_EXIT_TRAP && vm->rt.abi && hc->eip == RT_GATE)
		exit = HOST_EXIT_GATE;
	why = exit_phase(exit, hc);
	stats_phase(&vm->stats, why);
	if (exit == HOST_EXIT_BADSEG) {
		vm_end(vm, ST_HOST,
		       "the host refuses a segment of the guest (cs %#x ss %#x ds %#x)",
		       c->seg[S_CS].sel, c->seg[S_SS].sel, c->seg[S_DS].sel);
		return;
	}
	stop = come_back(vm, exit, real);
	note_exit(vm, exit, why);
	if (exit == HOST_EXIT_KICK)
		kick_exit(vm);
	else if (exit == HOST_EXIT_GATE)
		gate_exit(vm);
	else if (stop == RUNTIME_SITE && hc->trapno != VEC_PF)
		/* A step, or what the emulator finds again at the site. */
		loop_step(vm);
	else
		kernel_trap(vm);
}

static void kernel_run(struct vm *vm)
{
	struct vcpu *c = &vm->cpu;

	go_ahead(vm);
	if (vm->debug.on && debug_covers(vm))
		return;
	/* Inside the bytes that a trampoline's jump covers every start traps. */
	while (!c->cpl && !c->halted && !attention(vm) && in_jump(vm))
		loop_step(vm);
	if (c->cpl || c->halted || attention(vm) || leave_shadow(vm))
		return;
	loop_enter(vm);
}

/* ---- the loop ---- */

/* Virtual-8086 mode is interpreted. */
static void vm86_run(struct vm *vm)
{
	do
		loop_step(vm);
	while ((vm->cpu.eflags & FL_VM) && !attention(vm) && !vm->debug.on);
}

static void service(struct vm *vm)
{
	vm->hc->kick = 0;
	platform_poll(vm);
	debug_service(vm);
	event_service(vm);
	if (vm->panic_deadline && host_now() > vm->panic_deadline)
		vm_end(vm, ST_PANIC, "the guest panicked");
}

static void halt(struct vm *vm)
{
	enum phase outer;

	if (!(vm->cpu.eflags & FL_IF)) {
		vm_stopped(vm);
		return;
	}
	outer = stats_phase(&vm->stats, PHASE_idle);
	host_wait_kick(vm->hc);
	stats_phase_end(&vm->stats, outer);
}

void loop_run(struct vm *vm)
{
	struct vcpu *c = &vm->cpu;

	while (!vm->ending) {
		if (vm->hc->kick || vm->events.rearm)
			service(vm);
		if (vm->reset_wanted)
			vm_reset(vm);
		if (vm->ending)
			break;
		nics_sync(vm);
		if (vcpu_interruptible(c) && platform_intr(&vm->plat) &&
		    (!vm->debug.hold || c->halted))
			trap_interrupt(vm, platform_ack(&vm->plat));
		else if (c->halted)
			halt(vm);
		else if (vm->debug.on && debug_run(vm))
			continue;
		else if (c->eflags & FL_VM)
			vm86_run(vm);
		else if (c->cpl == 3)
			user_run(vm);
		else
			kernel_run(vm);
	}
}
