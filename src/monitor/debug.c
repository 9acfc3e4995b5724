/* SPDX-License-Identifier: BSD-2-Clause */
#include "monitor/machine.h"

#include "monitor/access.h"

#include <string.h>

/* Bytes of the longest instruction. */
#define INSN_MAX 15u

static uint32_t linear_eip(const struct vm *vm)
{
	return vm->cpu.seg[S_CS].base + vm->cpu.eip;
}

static uint64_t page_bit(uint32_t a)
{
	return 1ull << (a >> PAGE_SHIFT & 63);
}

/* Does p lie in the page of a, in part? */
static bool in_page(const struct debug_point *p, uint32_t a)
{
	uint32_t first = p->addr & PAGE_MASK, last = (p->addr + p->len - 1) & PAGE_MASK;

	return (a & PAGE_MASK) - first <= last - first;
}

static bool owned(const struct vm *vm, uint32_t a)
{
	const struct debug *d = &vm->debug;
	bool user = vm->cpu.cpl == 3 && !(vm->cpu.eflags & FL_VM);
	const struct debug_point *p;

	if (d->pages & page_bit(a))
		for (p = d->point; p < d->point + d->npoints; p++)
			if (debug_counts(p, vm->cpu.cr3) && in_page(p, a) &&
			    !(user && breakreg_watches(vm, p)))
				return true;
	return d->over && !((a ^ d->over_at) & PAGE_MASK);
}

uint32_t debug_entry(const struct vm *vm, bool child, uint32_t va, uint32_t e)
{
	const struct debug *d = &vm->debug;
	unsigned i;

	if (d->direct)
		return e;
	if (d->over && !((va ^ d->over_at) & PAGE_MASK))
		e |= VE_B;
	if (!(d->pages & page_bit(va)))
		return e;
	for (i = 0; i < d->npoints; i++) {
		const struct debug_point *p = &d->point[i];

		if (!debug_counts(p, vm->cpu.cr3) || !in_page(p, va) || (child && breakreg_watches(vm, p)))
			continue;
		if (p->type == GP_READ || p->type == GP_ACCESS)
			return 0;
		e |= VE_B;
		if (p->type == GP_WRITE)
			e &= ~VE_W;
	}
	return e;
}

/* ---- the list of points ---- */

/* The page is mapped anew, with the rights that it has now. */
static void drop_page(struct vm *vm, uint32_t a)
{
	struct child *ch;

	view_drop_page(&vm->kview, a);
	for (ch = vm->pool.first; ch; ch = ch->next)
		view_drop_page(&ch->view, a);
}

static void drop_pages_of(struct vm *vm, const struct debug_point *p)
{
	uint32_t n = ((p->addr + p->len - 1) & PAGE_MASK) - (p->addr & PAGE_MASK), off;

	for (off = 0; off <= n; off += PAGE_SIZE)
		drop_page(vm, p->addr + off);
}

static void update(struct vm *vm)
{
	struct debug *d = &vm->debug;
	uint32_t off;
	unsigned i;

	d->pages = 0;
	d->watches = false;
	for (i = 0; i < d->npoints; i++) {
		const struct debug_point *p = &d->point[i];

		for (off = 0; off <= p->len - 1; off += PAGE_SIZE)
			d->pages |= page_bit(p->addr + off);
		d->pages |= page_bit(p->addr + p->len - 1);
		d->watches |= !debug_is_break(p);
	}
	d->hold = d->how != GDB_CONTINUE && !d->over;
	d->on = d->pages || d->how != GDB_CONTINUE;
}

static struct debug_point *find(struct vm *vm, enum gdb_point type, uint32_t addr, uint32_t len)
{
	struct debug *d = &vm->debug;
	unsigned i;

	for (i = 0; i < d->npoints; i++)
		if (d->point[i].type == type && d->point[i].addr == addr && d->point[i].len == len)
			return &d->point[i];
	return NULL;
}

static bool in_kernel_image(const struct image *img, uint32_t addr)
{
	unsigned i;

	for (i = 0; i < img->nsections; i++)
		if (addr - img->sections[i].vaddr < img->sections[i].size)
			return true;
	return false;
}

/* An address of user mode: as far as can be told, where nothing is mapped yet.
 * Small kernels let user mode into their own pages, too. */
static bool is_user_address(struct vm *vm, uint32_t addr)
{
	struct walk w;

	if (!vcpu_paging(&vm->cpu) || in_kernel_image(&vm->image, addr))
		return false;
	if (mmu_probe(vm, GVA(addr), &w))
		return w.flags & PTE_U;
	return vm->cpu.cpl == 3;
}

bool debug_insert(struct vm *vm, enum gdb_point type, uint32_t addr, uint32_t len, bool any_space)
{
	struct debug *d = &vm->debug;
	struct debug_point *p;

	if (type == GP_SOFTWARE || type == GP_HARDWARE)
		len = 1;
	if (type > GP_ACCESS || !len || len > PAGE_SIZE || addr + len - 1 < addr)
		return false;
	p = find(vm, type, addr, len);
	if (find(vm, type, addr, len))
		return true;
	if (d->npoints == DEBUG_POINTS)
		return false;
	p = &d->point[d->npoints];
	*p = (struct debug_point){ type, addr, len, any_space || !is_user_address(vm, addr),
				   vm->cpu.cr3, -1 };
	p->slot = breakreg_slot(vm, p);
	d->npoints++;
	drop_pages_of(vm, p);
	update(vm);
	return true;
}

bool debug_remove(struct vm *vm, enum gdb_point type, uint32_t addr, uint32_t len)
{
	struct debug *d = &vm->debug;
	struct debug_point *p;

	if (type == GP_SOFTWARE || type == GP_HARDWARE)
		len = 1;
	p = find(vm, type, addr, len);
	if (!p)
		return false;
	drop_pages_of(vm, p);
	*p = d->point[--d->npoints];
	update(vm);
	return true;
}

void debug_remove_all(struct vm *vm)
{
	struct debug *d = &vm->debug;

	while (d->npoints)
		drop_pages_of(vm, &d->point[--d->npoints]);
	update(vm);
}

void debug_registers_changed(struct vm *vm)
{
	const struct debug *d = &vm->debug;
	const struct debug_point *p;

	for (p = d->point; p < d->point + d->npoints; p++)
		drop_pages_of(vm, p);
}

/* ---- stopping and going on ---- */

void debug_resume(struct vm *vm, enum gdb_resume how, uint32_t start, uint32_t end)
{
	struct debug *d = &vm->debug;

	d->how = how;
	d->begun = true;
	d->start = start;
	d->end = end;
	d->moved = false;
	d->waking = how != GDB_CONTINUE && vm->cpu.halted;
	update(vm);
}

/* An interrupt's handler, within a range, is over, or no longer of interest. */
static void end_over(struct vm *vm)
{
	struct debug *d = &vm->debug;

	if (!d->over)
		return;
	d->over = d->moved = false;
	drop_page(vm, d->over_at);
	update(vm);
}

/* Takes the time of a stop, from host time since and TSC tsc on, out of the
 * guest's. */
static void hide_stop(struct vm *vm, uint64_t since, uint64_t tsc, bool begun)
{
	uint64_t gone = host_now() - since;

	/* Guest code reads the CPU's own TSC, but for what it must not see. */
	if (begun) {
		vm->cpu.tsc_offset -= __builtin_ia32_rdtsc() - tsc;
		vm->hc->tsc_traps = true;
	}
	vm->events.epoch += gone;
	if (vm->panic_deadline)
		vm->panic_deadline += gone;
}

/* The guest stands still, and so does its time unless --gdb-clock says run. */
static void stop(struct vm *vm, const struct gdb_stop_info *info)
{
	struct debug *d = &vm->debug;
	struct gdb_stop_info why = *info;
	enum phase outer = stats_phase(&vm->stats, PHASE_stopped);
	uint64_t since = host_now(), tsc = __builtin_ia32_rdtsc();
	bool begun = d->begun || vm->stats.kernel_runs;

	end_over(vm);
	d->how = GDB_CONTINUE;
	d->stop_wanted = 0;
	d->one = false;
	d->hit.why = GS_NONE;
	update(vm);
	gdb_stopped(vm->gdb, &why);
	stats_phase_end(&vm->stats, outer);
	if (!vm->cfg.gdb_clock_runs)
		hide_stop(vm, since, tsc, begun);
	vm->events.rearm = true;
}

static void stop_for(struct vm *vm, enum gdb_stop why)
{
	stop(vm, &(struct gdb_stop_info){ .why = why });
}

void debug_last_look(struct vm *vm)
{
	char text[sizeof vm->reason + 80];

	if (!vm->gdb || vm->quit)
		return;
	snprintf(text, sizeof text,
		 "The guest died: %s.  The machine ends when it goes on.\n", vm->reason);
	vm->last_look = true;
	stop(vm, &(struct gdb_stop_info){ .why = GS_DIED, .status = vm->status, .reason = text });
	vm->last_look = false;
}

void debug_triple_fault(struct vm *vm)
{
	if (!vm->gdb)
		return;
	vm->debug.hit = (struct gdb_stop_info){
		.why = GS_DIED, .status = ST_TRIPLE,
		.reason = "The guest died: triple fault.  The machine resets when it goes on.\n",
	};
	vm->hc->kick = 1;
}

void debug_service(struct vm *vm)
{
	struct debug *d = &vm->debug;

	if (!vm->gdb)
		return;
	gdb_poll(vm->gdb);
	if (d->hit.why != GS_NONE)
		stop(vm, &d->hit);
	else if (d->stop_wanted)
		stop_for(vm, GS_INTERRUPT);
}

/* ---- watched memory ---- */

static bool watches(const struct debug_point *p, bool write)
{
	return p->type == GP_ACCESS || p->type == (write ? GP_WRITE : GP_READ);
}

void debug_hit(struct vm *vm, const struct debug_point *p, uint32_t a)
{
	vm->debug.hit = (struct gdb_stop_info){ .why = GS_WATCH, .point = p->type, .addr = a };
	/* Whatever interprets instructions leaves after this one. */
	vm->hc->kick = 1;
}

void debug_access(struct vm *vm, uint32_t a, uint32_t n, bool write)
{
	struct debug *d = &vm->debug;
	unsigned i;

	if (d->hit.why != GS_NONE || !((d->pages & page_bit(a)) | (d->pages & page_bit(a + n - 1))))
		return;
	for (i = 0; i < d->npoints; i++) {
		const struct debug_point *p = &d->point[i];
		uint32_t first = a - p->addr < p->len ? a : p->addr;

		if (!watches(p, write) || !debug_counts(p, vm->cpu.cr3) || first - a >= n)
			continue;
		debug_hit(vm, p, first);
		return;
	}
}

/* Bytes of the memory operand of an x87, MMX or SSE instruction. */
static uint32_t operand_bytes(const struct insn *insn)
{
	static const uint8_t x87[8] = { 4, 4, 4, 10, 8, 8, 2, 10 };

	if (insn->opcode >= 0xd8 && insn->opcode <= 0xdf)
		return x87[insn->opcode - 0xd8];
	if (insn->prefix & IP_REP)
		return 4;
	return insn->prefix & IP_REPNE ? 8 : 16;
}

/* ---- one instruction ---- */

/* The interpreter has neither x87 nor SSE, and knows of no alignment checks and
 * of no debug registers of the guest's. */
static bool needs_cpu(const struct vm *vm, const struct insn *insn)
{
	const struct vcpu *c = &vm->cpu;

	if (insn->kind != IK_NONE || (c->eflags & FL_VM))
		return false;
	return !interp_can(insn) || (c->cpl == 3 && ((c->eflags & FL_AC) || (c->dr[7] & 0xff)));
}

/* A jump to a trampoline is not the guest's instruction. */
static void drop_trampolines(struct vm *vm)
{
	struct walk w;

	if (mmu_probe(vm, GVA(linear_eip(vm)), &w) && w.pa.v < vm->ram.size)
		tramp_drop_frame(vm, w.pa.v >> PAGE_SHIFT);
}

static void drop_owned_pages(struct vm *vm)
{
	struct debug *d = &vm->debug;
	unsigned i;

	for (i = 0; i < d->npoints; i++)
		if (debug_counts(&d->point[i], vm->cpu.cr3))
			drop_pages_of(vm, &d->point[i]);
	if (d->over)
		drop_page(vm, d->over_at);
}

/* Runs the instruction at eip on the CPU, with TF set; false if something else
 * came first. */
static bool run_directly(struct vm *vm, const struct insn *insn)
{
	struct vcpu *c = &vm->cpu;
	struct debug *d = &vm->debug;
	bool mem = insn->has_mem, write = false, done;
	uint32_t eip = c->eip, a = 0, n = 0;
	unsigned cpl = c->cpl;

	if (mem && d->watches) {
		a = interp_ea(c, insn).v;
		n = operand_bytes(insn);
		write = access_is_write(c, insn, a);
	}
	if (!cpl)
		drop_trampolines(vm);
	drop_owned_pages(vm);
	d->direct = true;
	d->trapped = false;
	do {
		if (cpl)
			user_run(vm);
		else
			loop_enter(vm);
		done = d->trapped || c->eip != eip || c->cpl != cpl;
	} while (!done && !vm->ending && !vm->hc->kick);
	d->direct = false;
	drop_owned_pages(vm);
	if (n && d->trapped)
		debug_access(vm, a, n, write);
	return done;
}

/* Carries out one instruction, or the exception that it raises. */
static bool one_instruction(struct vm *vm)
{
	struct vcpu *c = &vm->cpu;
	struct debug *d = &vm->debug;
	const struct insn *insn;
	struct fault f;

	if (!c->cpl)
		loop_scan(vm);
	insn = fetch_insn(vm, &f);
	if (insn && needs_cpu(vm, insn))
		return run_directly(vm, insn);
	c->single = d->watches || d->how != GDB_CONTINUE;
	if (c->cpl == 3 && !(c->eflags & FL_VM))
		user_interpret(vm);
	else
		loop_step(vm);
	c->single = false;
	return true;
}

/* ---- the run loop's hooks ---- */

/* The code at eip, or the end of the instruction there, is in an owned page. */
bool debug_covers(struct vm *vm)
{
	uint32_t a = linear_eip(vm);

	return owned(vm, a) || owned(vm, a + INSN_MAX - 1);
}

bool debug_fault(struct vm *vm, uint32_t a)
{
	struct debug *d = &vm->debug;

	if (d->direct || !owned(vm, a))
		return false;
	d->one = !debug_covers(vm);
	return true;
}

bool debug_trap(struct vm *vm, uint32_t *status)
{
	vm->debug.trapped = true;
	if (!(vm->cpu.eflags & FL_TF))
		*status &= ~DR6_BS;
	return *status & (DR6_BS | DR6_B);
}

static const struct debug_point *breakpoint_at(const struct vm *vm, uint32_t a)
{
	const struct debug *d = &vm->debug;
	const struct debug_point *p;

	if (d->pages & page_bit(a))
		for (p = d->point; p < d->point + d->npoints; p++)
			if (p->addr == a && debug_is_break(p) && debug_counts(p, vm->cpu.cr3))
				return p;
	return NULL;
}

/* Lets an interrupt in that waits while a range is stepped through: its handler
 * runs as if there were no step, up to its return. */
static bool begin_over(struct vm *vm)
{
	struct vcpu *c = &vm->cpu;
	struct debug *d = &vm->debug;

	if (d->how != GDB_RANGE || !d->moved || !vcpu_interruptible(c) || !platform_intr(&vm->plat))
		return false;
	d->over = true;
	d->over_at = linear_eip(vm);
	d->over_esp = c->gpr[R_ESP];
	d->over_cr3 = c->cr3;
	drop_page(vm, d->over_at);
	update(vm);
	return true;
}

static bool over_returned(const struct vm *vm)
{
	const struct debug *d = &vm->debug;

	return linear_eip(vm) == d->over_at && vm->cpu.gpr[R_ESP] == d->over_esp &&
	       vm->cpu.cr3 == d->over_cr3;
}

static bool stepping(const struct debug *d)
{
	return d->how != GDB_CONTINUE && !d->over;
}

static bool in_range(const struct vm *vm)
{
	const struct debug *d = &vm->debug;

	return d->how == GDB_RANGE && vm->cpu.eip >= d->start && vm->cpu.eip < d->end;
}

/* What follows from an instruction that has been carried out. */
static void stepped(struct vm *vm)
{
	struct debug *d = &vm->debug;

	d->moved = true;
	d->one = false;
	d->waking = false;
	if (vm->ending)
		return;
	if (d->hit.why != GS_NONE)
		stop(vm, &d->hit);
	else if (stepping(d) && !in_range(vm))
		stop_for(vm, GS_STEP);
}

bool debug_run(struct vm *vm)
{
	struct debug *d = &vm->debug;
	const struct debug_point *p;

	if (d->over && over_returned(vm))
		end_over(vm);
	/* A step leaves the breakpoint where it begins. */
	p = stepping(d) && !d->moved ? NULL : breakpoint_at(vm, linear_eip(vm));
	if (p) {
		stop(vm, &(struct gdb_stop_info){ .why = GS_BREAK, .point = p->type,
						  .addr = p->addr });
	} else if (d->waking) {
		stepped(vm);
	} else if (!stepping(d) && !d->one && !debug_covers(vm)) {
		/* Else go_ahead() would go on in the page where we were. */
		vm->fetch.page = NO_FETCH_PAGE;
		return false;
	} else if (!begin_over(vm) && one_instruction(vm)) {
		stepped(vm);
	}
	return true;
}
