/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Views of guest memory (see mirror.h).
 *
 * Kernel view: a page is either writable or executable, never both.  A page
 * becomes executable only after its code was scanned (codemap_scan), and stops
 * being so when somebody writes to it.
 */
#include "monitor/machine.h"

#include <stdlib.h>
#include <string.h>

/* Neighbours mapped along with a page: in the kernel, whose memory is mostly
 * contiguous, and in a child, where each piece costs a host system call. */
#define KERNEL_AROUND 64
#define USER_AROUND 32
/* Of the mappings that the host allows, the part that is left to the process's
 * own needs and to operations under way: 1/32. */
#define SPARE_SHARE 32

/* ---- sets ---- */

static void set_put(struct entry_set *s, unsigned n, bool in)
{
	uint64_t bit = 1ull << (n & 63);

	s->word[n >> 6] = in ? s->word[n >> 6] | bit : s->word[n >> 6] & ~bit;
}

/* The next member from n on, or 1024. */
static unsigned set_next(const struct entry_set *s, unsigned n)
{
	uint64_t word;

	for (; n < 1024; n = (n | 63) + 1) {
		word = s->word[n >> 6] >> (n & 63);
		if (word)
			return n + __builtin_ctzll(word);
	}
	return 1024;
}

/* ---- views ---- */

void view_init(struct view *v, struct vm *vm, struct uspace *us)
{
	memset(v, 0, sizeof *v);
	v->vm = vm;
	v->us = us;
	if (us) {
		v->max_pieces = vm->kview.max_pieces;
		v->low_min = vm->kview.low_min;
	} else {
		v->max_pieces = host_map_limit() - host_map_limit() / SPARE_SHARE;
		v->low_min = host_low_min();
	}
}

void view_free(struct view *v)
{
	unsigned i;

	for (i = 0; i < 1024; i++)
		free(v->table[i]);
	memset(v->table, 0, sizeof v->table);
	memset(&v->tables, 0, sizeof v->tables);
	v->pages = v->pieces = 0;
}

/* ---- host mappings behind a view ---- */

static int low_map(struct view *v, uint32_t va, uint32_t frame, uint32_t n, unsigned rights)
{
	return host_low_map(&v->vm->ram, va, (uint64_t)frame << PAGE_SHIFT,
			    (uint64_t)n << PAGE_SHIFT, rights, n <= KERNEL_AROUND);
}

/* adds: see uspace_map(). */
static bool host_map(struct view *v, uint32_t va, uint32_t frame, uint32_t n, unsigned rights,
		     bool adds)
{
	if (v->us) {
		uspace_map(v->us, va, (uint64_t)frame << PAGE_SHIFT, n << PAGE_SHIFT, rights, adds);
		return true;
	}
	if (!low_map(v, va, frame, n, rights))
		return true;
	/* An address-space limit (ulimit -v): make room. */
	view_clear(v);
	return !low_map(v, va, frame, n, rights);
}

static void host_unmap(struct view *v, uint32_t va, uint32_t n)
{
	if (v->us)
		uspace_unmap(v->us, va, (uint64_t)n << PAGE_SHIFT);
	else
		host_low_unmap(va, (uint64_t)n << PAGE_SHIFT);
}

static void host_protect(struct view *v, uint32_t va, uint32_t n, unsigned rights)
{
	if (v->us)
		uspace_protect(v->us, va, n << PAGE_SHIFT, rights);
	else if (host_low_protect(va, (uint64_t)n << PAGE_SHIFT, rights))
		view_clear(v);
}

/* User code needs no scan: it cannot do anything in user mode that LilyVM has
 * to see and does not. */
static unsigned entry_rights(const struct view *v, uint32_t e)
{
	bool exec = v->us ? !(e & (VE_B | VE_N)) : e & VE_X;

	return HP_R | (e & VE_W ? HP_W : 0) | (exec ? HP_X : 0);
}

/* ---- entries ---- */

static void frame_add(struct frame *fr, uint32_t vpn)
{
	if (fr->nviews < 2)
		fr->vpn[fr->nviews] = vpn;
	if (fr->nviews < FRAME_MANY)
		fr->nviews++;
}

static void frame_drop(struct frame *fr, uint32_t vpn)
{
	if (fr->nviews == FRAME_MANY)
		return;		/* stays "many": only found by searching */
	if (fr->nviews == 2 && fr->vpn[0] == vpn)
		fr->vpn[0] = fr->vpn[1];
	if (fr->nviews)
		fr->nviews--;
}

/* Does a host mapping begin at the page of va?  The host merges neighbours that
 * are contiguous in RAM and have the same rights. */
static bool begins_piece(const struct view *v, uint32_t va)
{
	uint32_t e = view_entry(v, va), before = view_entry(v, va - PAGE_SIZE);

	return (e & VE_P) && (!(before & VE_P) || ((e ^ before) & (VE_W | VE_X | VE_B | VE_N)) ||
			      (e >> PAGE_SHIFT) != (before >> PAGE_SHIFT) + 1);
}

static void slot_set(struct view *v, uint32_t va, uint32_t e)
{
	struct view_table *t = v->table[va >> 22];
	unsigned n = (va >> 12) & 1023;

	v->pieces -= begins_piece(v, va) + begins_piece(v, va + PAGE_SIZE);
	t->entry[n] = e;
	t->seen[n] = 0;
	set_put(&t->mapped, n, e & VE_P);
	v->pieces += begins_piece(v, va) + begins_piece(v, va + PAGE_SIZE);
}

static void entry_set(struct view *v, uint32_t va, uint32_t e)
{
	struct view_table *t = v->table[va >> 22];
	uint32_t old = view_entry(v, va);
	struct frame *frames = v->vm->frames;

	if (old & VE_P) {
		t->count--;
		v->pages--;
		t->nonglobal -= !(old & VE_G);
		if (!v->us)
			frame_drop(&frames[old >> PAGE_SHIFT], va >> PAGE_SHIFT);
	}
	if (e & VE_P) {
		t->count++;
		v->pages++;
		t->nonglobal += !(e & VE_G);
		if (!v->us)
			frame_add(&frames[e >> PAGE_SHIFT], va >> PAGE_SHIFT);
	}
	slot_set(v, va, e);
}

void view_drop_page(struct view *v, uint32_t va)
{
	va &= PAGE_MASK;
	if (!(view_entry(v, va) & VE_P))
		return;
	entry_set(v, va, 0);
	host_unmap(v, va, 1);
}

void view_clear(struct view *v)
{
	unsigned i, j;

	for (i = 0; i < 1024; i++) {
		struct view_table *t = v->table[i];

		if (!t || !t->count)
			continue;
		host_unmap(v, i << 22, 1024);
		for (j = 0; j < 1024; j++)
			if (t->entry[j] & VE_P)
				entry_set(v, i << 22 | j << 12, 0);
	}
}

/* The entry that the guest's tables give for a page (VE_P clear: none).  It is
 * there only if the guest has noted the page as accessed, and writable only if
 * it has noted it as dirty, so that the first access and the first write are
 * seen; in the kernel view, code pages are not writable. */
static uint32_t wanted(struct view *v, uint32_t va, const struct walk *w)
{
	struct vm *vm = v->vm;
	uint32_t e = (w->pa.v & PAGE_MASK) | VE_P;
	bool user_view = v->us != NULL;

	if (w->pa.v >= vm->ram.size || !(w->flags & PTE_A))
		return 0;
	if (user_view && !(w->flags & PTE_U))
		return 0;
	if ((w->flags & PTE_D) && mmu_allowed(vm, w, ACC_WRITE | (user_view ? ACC_USER : 0)) &&
	    (user_view || !vm->frames[w->pa.v >> PAGE_SHIFT].code))
		e |= VE_W;
	if (w->flags & PTE_G)
		e |= VE_G;
	if (w->flags & PTE_U)
		e |= VE_U;
	if (w->flags & PTE_NX)
		e |= VE_N;
	return vm->debug.on ? debug_entry(vm, user_view, va, e) : e;
}

/* ---- filling ---- */

/* What would be mapped at va as a neighbour; 0 if nothing, or it is mapped. */
static uint32_t neighbour(struct view *v, uint32_t va, struct walk *w)
{
	if (view_entry(v, va) & VE_P)
		return 0;
	/* Only pages that the guest has used before. */
	if (!mmu_probe(v->vm, GVA(va), w) || !(w->flags & PTE_A))
		return 0;
	return wanted(v, va, w);
}

static bool continues(uint32_t e, uint32_t next, uint32_t step)
{
	return next == e + step * PAGE_SIZE;
}

/* Extends [*first, *last] around va by pages that continue it in RAM too. */
static void contiguous_run(struct view *v, uint32_t e, uint32_t va, uint32_t lo, uint32_t hi,
			   uint32_t *first, uint32_t *last)
{
	struct walk w;

	*first = *last = va;
	while (*last < hi &&
	       continues(e, neighbour(v, *last + PAGE_SIZE, &w), (*last - va) / PAGE_SIZE + 1))
		*last += PAGE_SIZE;
	while (*first > lo) {
		uint32_t n = neighbour(v, *first - PAGE_SIZE, &w);

		if (!n || !continues(n, e, (va - *first) / PAGE_SIZE + 1))
			break;
		*first -= PAGE_SIZE;
	}
}

/* Does the entry e at va take nothing away from what is mapped there? */
static bool adds(const struct view *v, uint32_t va, uint32_t e)
{
	uint32_t old = view_entry(v, va);

	return !(old & VE_P) || (old >> PAGE_SHIFT == e >> PAGE_SHIFT &&
				 !(entry_rights(v, old) & ~entry_rights(v, e)));
}

/* Of the pages only that of va may be mapped already. */
static bool map_run(struct view *v, uint32_t e, uint32_t va, uint32_t first, uint32_t last)
{
	uint32_t base = e - (va - first), a;

	if (!host_map(v, first, base >> PAGE_SHIFT, (last - first) / PAGE_SIZE + 1,
		      entry_rights(v, e), adds(v, va, e)))
		return false;
	*(v->us ? &v->vm->stats.user_fill_pages : &v->vm->stats.fill_pages) +=
		(last - first) / PAGE_SIZE + 1;
	for (a = first;; a += PAGE_SIZE) {
		entry_set(v, a, base + (a - first));
		if (v->us)
			gate_filled(v, a, base + (a - first));
		if (a == last)
			break;
	}
	return true;
}

static bool fill(struct view *v, uint32_t va, const struct walk *w)
{
	uint32_t around = v->us ? USER_AROUND : KERNEL_AROUND;
	uint32_t lo, hi, first, last, e, a;
	struct walk nw;

	va &= PAGE_MASK;
	if (!v->us && runtime_window(va))
		runtime_disable(v->vm, "the guest uses the addresses");
	e = wanted(v, va, w);
	if (!e || va < v->low_min)
		return false;
	if (!v->table[va >> 22]) {
		v->table[va >> 22] = calloc(1, sizeof **v->table);
		if (!v->table[va >> 22])
			return false;
		set_put(&v->tables, va >> 22, true);
	}
	if (v->pieces >= v->max_pieces)
		view_clear(v);
	lo = va & ~(around * PAGE_SIZE - 1);
	hi = lo + (around - 1) * PAGE_SIZE;
	if (lo < v->low_min)
		lo = v->low_min;
	contiguous_run(v, e, va, lo, hi, &first, &last);
	if (!map_run(v, e, va, first, last))
		return false;
	if (!v->us)
		return true;
	/* In a child the other neighbours go into the same batch. */
	for (a = lo; a != hi + PAGE_SIZE; a = last + PAGE_SIZE) {
		last = a;
		e = neighbour(v, a, &nw);
		if (!e)
			continue;
		contiguous_run(v, e, a, a, hi, &first, &last);
		map_run(v, e, a, a, last);
	}
	return true;
}

bool view_fill(struct view *v, uint32_t va, const struct walk *w)
{
	struct stats *s = &v->vm->stats;
	enum phase outer = stats_phase(s, PHASE_fill);
	bool ok = fill(v, va, w);

	stats_phase_end(s, outer);
	return ok;
}

/* ---- code pages of the kernel view ---- */

static void entry_rights_set(struct view *v, uint32_t va, uint32_t set, uint32_t clear)
{
	uint32_t old = view_entry(v, va), e = (old & ~clear) | set;

	if (e == old)
		return;
	slot_set(v, va, e);
	host_protect(v, va & PAGE_MASK, 1, entry_rights(v, e));
}

/* Changes the rights wherever the kernel view shows the frame. */
static void frame_rights(struct vm *vm, uint32_t frame, uint32_t clear)
{
	struct frame *fr = &vm->frames[frame];
	struct view *v = &vm->kview;
	unsigned i, j;

	if (fr->nviews < FRAME_MANY) {
		for (i = 0; i < fr->nviews; i++)
			entry_rights_set(v, fr->vpn[i] << PAGE_SHIFT, 0, clear);
		return;
	}
	for (i = set_next(&v->tables, 0); i < 1024; i = set_next(&v->tables, i + 1)) {
		const struct view_table *t = v->table[i];

		for (j = set_next(&t->mapped, 0); j < 1024; j = set_next(&t->mapped, j + 1))
			if (t->entry[j] >> PAGE_SHIFT == frame)
				entry_rights_set(v, i << 22 | j << 12, 0, clear);
	}
}

void view_make_code(struct vm *vm, uint32_t frame)
{
	if (vm->frames[frame].code)
		return;
	vm->frames[frame].code = true;
	frame_rights(vm, frame, VE_W);
	/* The monitor's own write translations must notice too. */
	gmem_flush(vm);
}

void view_make_exec(struct view *v, uint32_t va, uint32_t frame)
{
	struct vm *vm = v->vm;

	view_make_code(vm, frame);
	entry_rights_set(v, va, VE_X, VE_W);
	vm->stats.exec_fills++;
}

void view_make_writable(struct vm *vm, uint32_t frame)
{
	if (!vm->frames[frame].code)
		return;
	vm->frames[frame].code = false;
	tramp_drop_frame(vm, frame);
	if (vm->frames[frame].flips < 255)
		vm->frames[frame].flips++;
	frame_rights(vm, frame, VE_X);
	vm->fetch.page = NO_FETCH_PAGE;
	vm->stats.code_flips++;
}

/* ---- repair ---- */

/* Pending changes of adjacent pages: an unmap, where pages that are not mapped may lie
 * between, and less rights, where none may. */
struct gap {
	uint32_t first, end;
};

struct pending {
	struct gap unmap, protect;
	unsigned rights;
};

static void unmap_flush(struct view *v, struct pending *p)
{
	struct gap *g = &p->unmap;

	if (g->end != g->first)
		host_unmap(v, g->first, (g->end - g->first) >> PAGE_SHIFT);
	g->first = g->end = 0;
}

static void protect_flush(struct view *v, struct pending *p)
{
	struct gap g = p->protect;

	p->protect.first = p->protect.end = 0;
	if (g.end != g.first)
		host_protect(v, g.first, (g.end - g.first) >> PAGE_SHIFT, p->rights);
}

static void unmap_add(struct pending *p, uint32_t va)
{
	if (p->unmap.first == p->unmap.end)
		p->unmap.first = va;
	p->unmap.end = va + PAGE_SIZE;
}

static void protect_add(struct view *v, struct pending *p, uint32_t va, unsigned rights)
{
	if (p->protect.first == p->protect.end || p->protect.end != va || p->rights != rights) {
		protect_flush(v, p);
		p->protect.first = va;
		p->rights = rights;
	}
	p->protect.end = va + PAGE_SIZE;
}

/* What of an entry the host has to be told: the page goes, or loses rights. */
enum repaired { REPAIRED_NOTHING, REPAIRED_RIGHTS, REPAIRED_GONE };

static enum repaired repair_entry(struct view *v, uint32_t va, uint32_t old, uint32_t want)
{
	const uint32_t taken = VE_G | VE_U;
	uint32_t lost;

	if (!(want & VE_P) || (want ^ old) >> PAGE_SHIFT || ((want ^ old) & VE_N)) {
		entry_set(v, va, 0);
		return REPAIRED_GONE;
	}
	lost = old & ~want & VE_W;
	if ((old ^ want) & taken)
		entry_set(v, va, (old & ~taken) | (want & taken));
	if (!lost)
		return REPAIRED_NOTHING;
	slot_set(v, va, view_entry(v, va) & ~lost);
	return REPAIRED_RIGHTS;
}

static void repair_page(struct view *v, uint32_t va, uint32_t old, struct pending *p)
{
	struct walk w;
	uint32_t want = mmu_probe(v->vm, GVA(va), &w) ? wanted(v, va, &w) : 0;

	switch (repair_entry(v, va, old, want)) {
	case REPAIRED_NOTHING:
		unmap_flush(v, p);
		return;
	case REPAIRED_RIGHTS:
		unmap_flush(v, p);
		protect_add(v, p, va, entry_rights(v, view_entry(v, va)));
		break;
	case REPAIRED_GONE:
		unmap_add(p, va);
		break;
	}
	v->vm->stats.repair_changes++;
}

/* The guest's page table whose entries may be compared with t->seen, or NULL. */
static const uint32_t *seen_table(struct view *v, unsigned i)
{
	struct view_table *t = v->table[i];
	struct vcpu *c = &v->vm->cpu;
	const uint32_t *pde = gmem_ram(v->vm, GPA((c->cr3 & PAGE_MASK) + i * 4), 4);
	uint32_t mode = (c->cr0 & CR0_WP) | (c->cr4 & (CR4_PSE | CR4_PGE));

	if (!vcpu_paging(c) || (c->cr4 & CR4_PAE) || v->vm->debug.on || !pde ||
	    (*pde & (PTE_P | PTE_PS)) != PTE_P)
		return NULL;
	if (t->pde != *pde || t->mode != mode) {
		memset(t->seen, 0, sizeof t->seen);
		t->pde = *pde;
		t->mode = mode;
	}
	return gmem_ram(v->vm, GPA(*pde & PAGE_MASK), PAGE_SIZE);
}

static void repair_table(struct view *v, unsigned i, bool globals)
{
	struct view_table *t = v->table[i];
	const uint32_t *now = seen_table(v, i);
	struct pending p = { .rights = 0 };
	unsigned j;

	for (j = set_next(&t->mapped, 0); j < 1024; j = set_next(&t->mapped, j + 1)) {
		uint32_t old = t->entry[j];

		if (((old & VE_G) && !globals) || (now && t->seen[j] && t->seen[j] == now[j])) {
			unmap_flush(v, &p);
			continue;
		}
		repair_page(v, i << 22 | j << 12, old, &p);
		/* A refused change of rights empties the view. */
		if (now && (t->entry[j] & VE_P) && (now[j] & PTE_P))
			t->seen[j] = now[j];
	}
	unmap_flush(v, &p);
	protect_flush(v, &p);
}

void view_repair(struct view *v, bool globals)
{
	enum phase outer = stats_phase(&v->vm->stats, PHASE_repair);
	uint64_t before = v->vm->stats.repair_changes;
	unsigned i;

	for (i = set_next(&v->tables, 0); i < 1024; i = set_next(&v->tables, i + 1))
		if (globals ? v->table[i]->count : v->table[i]->nonglobal)
			repair_table(v, i, globals);
	TRACE(v->vm, TRACE_MMU, "repair for cr3 %08x: %u pages changed", v->vm->cpu.cr3,
	      (unsigned)(v->vm->stats.repair_changes - before));
	stats_phase_end(&v->vm->stats, outer);
}

void view_repair_page(struct view *v, uint32_t va)
{
	struct pending p = { .rights = 0 };
	uint32_t old = view_entry(v, va);

	if (!(old & VE_P))
		return;
	repair_page(v, va & PAGE_MASK, old, &p);
	unmap_flush(v, &p);
	protect_flush(v, &p);
}
