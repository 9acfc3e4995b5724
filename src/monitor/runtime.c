/* SPDX-License-Identifier: BSD-2-Clause */
/* The runtime window; see runtime.h. */
#include "monitor/machine.h"

#include "rewriter/site.h"

#include <string.h>

/* Flags that only the emulator keeps right: with one of them set, pushf and
 * popf must trap. */
#define ODD_FLAGS (FL_IOPL | FL_NT | FL_VM | FL_AC | FL_VIF | FL_VIP)
/* LDT entries of the segments in RT_CACHE; those of the registers are below. */
#define FIRST_SLOT 8u
/* A segment with a base takes an LDT entry of the host, which costs a system call: it
 * must have been loaded that often. */
#define LOADS_FOR_LDT 4
#define CALL_LEN 6u

/* src/runtime/routines.S */
extern const uint8_t routines[], routines_end[];
struct routine_point { uint16_t off, undo; };
extern const struct routine_point routine_points[], routine_points_end[];

_Static_assert(RT_ODD_FLAGS == (ODD_FLAGS | FL_TF), "the flags of routines");

uint8_t *runtime_at(const struct vm *vm, uint32_t a)
{
	return vm->rt.alias + (a - WINDOW_START);
}

uint32_t *runtime_word(const struct vm *vm, uint32_t a)
{
	return (uint32_t *)runtime_at(vm, a);
}

/* ---- the window ---- */

static void install_gate(struct vm *vm)
{
	uint8_t *page = runtime_at(vm, RT_GATE);

	vm->rt.gate = host_gate_install(vm->hc, RT_GATE, page);
	memcpy(runtime_at(vm, RT_HC), &vm->hc, sizeof vm->hc);
	/* hlt: routines leave by a trap. */
	if (!vm->rt.gate)
		memset(page, 0xf4, 16);
}

int runtime_init(struct vm *vm, unsigned abi, struct error *e)
{
	struct runtime *rt = &vm->rt;
	void *alias;

	if (abi && abi != RT_ABI_VERSION)
		return fail(e, ST_IMAGE, "%s: built with lilyvm-cc for version %u of the runtime; "
			    "this is version %u: build the kernel again with this lilyvm-cc",
			    vm->cfg.kernel, abi, RT_ABI_VERSION);
	if (host_window_create(WINDOW_START, WINDOW_SIZE, RT_GATE, &alias, e))
		return -1;
	rt->alias = alias;
	rt->rights = HP_R | HP_W;
	rt->on = true;
	rt->abi = abi;
	install_gate(vm);
	if (rt->gate || abi)
		rt->gate = !host_low_protect(RT_GATE, PAGE_SIZE, HP_R | HP_X) && rt->gate;
	if (!abi)
		return 0;
	memcpy(runtime_at(vm, RT_TABLE), routines, (size_t)(routines_end - routines));
	if (host_low_protect(RT_TABLE, PAGE_SIZE, HP_R | HP_X) ||
	    host_low_protect(RT_CACHE, RT_CACHE_ENTRIES * 16, HP_R))
		return fail(e, ST_HOST, "the host refuses rights for the runtime's pages");
	*runtime_word(vm, RT_MAGIC) = RT_MAGIC_VALUE;
	runtime_forget(vm);
	return 0;
}

int runtime_link(struct vm *vm)
{
	vm->rt.linked = vm->rt.abi && !host_low_protect(RT_LINK, RT_LINK_SIZE, HP_R | HP_W);
	return vm->rt.linked ? 0 : -1;
}

void runtime_disable(struct vm *vm, const char *why)
{
	if (!vm->rt.on)
		return;
	if (vm->rt.abi) {
		vm_end(vm, ST_LIMIT, "%s (%#x..%#x), where the runtime of its rewritten code lies; "
		       "keep them free", why, WINDOW_START, WINDOW_START + WINDOW_SIZE - 1);
		return;
	}
	TRACE(vm, TRACE_CPU, "no trampolines any more: %s", why);
	tramp_clear(vm);
	vm->rt.on = vm->rt.gate = false;
	host_low_unmap(WINDOW_START, WINDOW_SIZE);
}

/* ---- segments that routines may load ---- */

void runtime_forget(struct vm *vm)
{
	uint32_t *cache;
	unsigned i;

	if (!vm->rt.abi)
		return;
	memset(vm->rt.segment, 0, sizeof vm->rt.segment);
	cache = runtime_word(vm, RT_CACHE);
	for (i = 0; i < RT_CACHE_ENTRIES; i++)
		/* A selector that does not belong here. */
		cache[4 * i] = (i + 1) << 2 & 0xffff;
}

/* The host's selector for s, which a routine may load by itself; -1: none (yet). */
static int host_selector(struct vm *vm, unsigned i, const struct segment *s, const uint32_t d[2])
{
	struct runtime_segment *r = &vm->rt.segment[i];

	if (!(s->attr & SEG_P))
		return 0;
	if (segment_flat(s))
		return HOST_DS32;
	if (r->seg.sel != s->sel || r->d[0] != d[0] || r->d[1] != d[1])
		r->loads = 0;
	if (r->loads < LOADS_FOR_LDT && ++r->loads < LOADS_FOR_LDT)
		return -1;
	return host_ldt_set(FIRST_SLOT + i, s) ? -1 : (int)((FIRST_SLOT + i) << 3 | 7);
}

void runtime_loaded(struct vm *vm, const struct segment *s, gva_t where, const uint32_t d[2])
{
	static const uint32_t null[2];
	unsigned i = RT_CACHE_INDEX(s->sel);
	struct runtime_segment *r = &vm->rt.segment[i];
	uint32_t *entry;
	int sel;

	if (!vm->rt.abi)
		return;
	if (!(s->attr & SEG_P)) {
		where = GVA(RT_NULL);
		d = null;
	}
	entry = runtime_word(vm, RT_CACHE + 16 * i);
	if ((uint16_t)entry[0] == s->sel && entry[1] == where.v && entry[2] == d[0] &&
	    entry[3] == d[1])
		return;
	sel = host_selector(vm, i, s, d);
	r->seg = *s;
	memcpy(r->d, d, sizeof r->d);
	entry[0] = sel < 0 ? (i + 1) << 2 & 0xffff : (uint32_t)sel << 16 | s->sel;
	entry[1] = where.v;
	entry[2] = d[0];
	entry[3] = d[1];
}

/* ---- entering ---- */

static bool moved(struct dtable *t, uint32_t base, uint16_t limit)
{
	bool moved = t->base != base || t->limit != limit;

	*t = (struct dtable){ base, limit };
	return moved;
}

static void segments_enter(struct vm *vm)
{
	const struct vcpu *c = &vm->cpu;
	const uint32_t *cr[5] = { &c->cr0, NULL, &c->cr2, &c->cr3, &c->cr4 };
	bool gdt = moved(&vm->rt.gdtr, c->gdtr.base, c->gdtr.limit);
	unsigned i;

	if (moved(&vm->rt.ldtr, c->ldtr.base, (uint16_t)c->ldtr.limit) || gdt)
		runtime_forget(vm);
	for (i = 0; i < S_COUNT; i++)
		*runtime_word(vm, RT_LOADED(i)) = 0;
	for (i = 0; i < 5; i++)
		if (cr[i])
			*runtime_word(vm, RT_CR(i)) = *cr[i];
	*runtime_word(vm, RT_IRET_CS) = segment_flat(&c->seg[S_CS]) ? c->seg[S_CS].sel : UINT32_MAX;
}

void runtime_enter(struct vm *vm)
{
	struct runtime *rt = &vm->rt;
	const struct vcpu *c = &vm->cpu;
	unsigned rights = HP_R | HP_W, i;

	if (!rt->on)
		return;
	nics_sync(vm);
	*runtime_word(vm, RT_IF) = c->eflags & FL_IF ? RT_IF_SET : RT_IF_CLEAR;
	for (i = 0; i < S_COUNT; i++)
		*runtime_word(vm, RT_SEL(i)) = c->seg[i].sel;
	if (rt->abi)
		segments_enter(vm);
	if ((c->eflags & ODD_FLAGS) || c->no_flags)
		rights = 0;
	else if (platform_intr(&vm->plat))
		rights = HP_R;
	if (rights != rt->rights) {
		host_low_protect(RT_IF, PAGE_SIZE, rights);
		rt->rights = rights;
	}
}

/* ---- leaving ---- */

/* The n bytes of kernel code at a; false: they cannot be read any more. */
static bool read_code(struct vm *vm, uint32_t a, void *bytes, uint32_t n)
{
	struct fault f;

	return gmem_read(vm, GVA(vm->cpu.seg[S_CS].base + a), bytes, n, ACC_READ, &f);
}

/* May the two bytes at eip, or those before, be of a site with several instructions? */
static bool may_be_middle(struct vm *vm, uint32_t eip)
{
	uint8_t b[2];

	if (!read_code(vm, eip, b, 2))
		return false;
	if (b[0] == 0xff)		/* call *LOAD */
		return b[1] == 0x15;
	if (b[0] == 0x0f)		/* the nopl behind it */
		return b[1] == 0x1f && read_code(vm, eip - 6, b, 2) && b[0] == 0xff && b[1] == 0x15;
	/* popw behind a pushw */
	return read_code(vm, eip - 7, b, 2) && b[0] == 0x66 && b[1] == 0xff;
}

/* In the middle of a site: to its start, what it has pushed off the stack, or behind. */
static enum runtime_stop leave_middle(struct vm *vm)
{
	struct vcpu *c = &vm->cpu;
	uint8_t bytes[2 * SITE_MAX];
	uint32_t behind = PAGE_SIZE - (c->eip & ~PAGE_MASK);
	struct site_middle m;

	if (!may_be_middle(vm, c->eip))
		return RUNTIME_OUTSIDE;
	if (behind > SITE_MAX || read_code(vm, c->eip, bytes + SITE_MAX, SITE_MAX))
		behind = SITE_MAX;
	if (!read_code(vm, c->eip, bytes + SITE_MAX, behind) ||
	    !read_code(vm, c->eip - SITE_MAX, bytes, SITE_MAX) ||
	    !site_middle(bytes, SITE_MAX, SITE_MAX + behind, &m))
		return RUNTIME_OUTSIDE;
	c->eip -= (uint32_t)m.back;
	c->gpr[R_ESP] += m.pushed;
	return m.back > 0 ? RUNTIME_SITE : RUNTIME_DONE;
}

/* The site whose call returns to ret (the stack is as it was before the site), and the
 * instruction behind it. */
static void site_of(struct vm *vm, uint32_t ret, uint32_t *site, uint32_t *next)
{
	uint8_t b[CALL_LEN + 4];
	uint32_t slot;

	*site = ret - CALL_LEN;
	*next = ret;
	if (!read_code(vm, ret - CALL_LEN, b, sizeof b))
		return;
	memcpy(&slot, b + 2, sizeof slot);
	if (slot < RT_SLOT(RT_LOAD(0)) || slot >= RT_SLOT(RT_LOAD(S_COUNT)))
		return;
	*site -= b[CALL_LEN + 3];
	*next += 4;
}

static unsigned undo_at(uint32_t off)
{
	const struct routine_point *p = routine_points_end;

	while (--p > routine_points && p->off > off)
		;
	return p->undo;
}

static enum runtime_stop leave_routine(struct vm *vm)
{
	struct vcpu *c = &vm->cpu;
	unsigned undo = undo_at(c->eip - RT_TABLE);
	uint32_t ret = *runtime_word(vm, RT_R_RET), site, next;
	struct fault f;

	if (undo & RU_AC) {
		c->gpr[R_EAX] = *runtime_word(vm, RT_R_EAX);
		c->gpr[R_ECX] = *runtime_word(vm, RT_R_ECX);
	}
	if (undo & RU_DX)
		c->gpr[R_EDX] = *runtime_word(vm, RT_R_EDX);
	if (undo & RU_SP)
		c->gpr[R_ESP] = *runtime_word(vm, RT_R_ESP);
	if (undo & RU_FL)
		c->eflags = (c->eflags & ~(FL_ARITH | FL_DF | FL_ID)) |
			    (*runtime_word(vm, RT_R_FLAGS) & (FL_ARITH | FL_DF | FL_ID));
	if (undo & RU_TARGET) {
		c->eip = *runtime_word(vm, RT_R_TARGET);
		return RUNTIME_DONE;
	}
	if (undo & RU_STACK) {
		/* It was pushed by the instruction before. */
		if (!gmem_read(vm, GVA(c->seg[S_SS].base + c->gpr[R_ESP]), &ret, 4, ACC_READ, &f))
			vm_end(vm, ST_LIMIT, "the stack is gone at %#x within a routine of the "
			       "runtime", c->gpr[R_ESP]);
		c->gpr[R_ESP] += 4;
	}
	if (undo & RU_VALUE)
		c->gpr[R_ESP] += 4;
	site_of(vm, ret, &site, &next);
	c->eip = undo & RU_DONE ? next : site;
	return undo & RU_DONE ? RUNTIME_DONE : RUNTIME_SITE;
}

static void segments_leave(struct vm *vm)
{
	unsigned i;

	for (i = 0; i < S_COUNT; i++) {
		uint32_t entry = *runtime_word(vm, RT_LOADED(i));

		if (entry)
			vm->cpu.seg[i] = vm->rt.segment[(entry - RT_CACHE) / 16].seg;
	}
}

enum runtime_stop runtime_leave(struct vm *vm)
{
	struct vcpu *c = &vm->cpu;
	uint32_t next;

	if (!vm->rt.on)
		return RUNTIME_OUTSIDE;
	cpu_set_flags(c, *runtime_word(vm, RT_IF) == RT_IF_SET ? FL_IF : 0, FL_IF);
	if (!vm->rt.abi)
		return RUNTIME_OUTSIDE;
	segments_leave(vm);
	if (c->eip - RT_TABLE < (uint32_t)(routines_end - routines))
		return leave_routine(vm);
	/* By leave in routines.S. */
	if (c->eip == RT_GATE && !*runtime_word(vm, RT_EXIT)) {
		site_of(vm, *runtime_word(vm, RT_R_RET), &c->eip, &next);
		return RUNTIME_SITE;
	}
	return leave_middle(vm);
}

bool runtime_behind_sti(struct vm *vm)
{
	static const uint8_t sti[10] = { 0xc7, 0x05, 0x00, 0x00, 0x00, WINDOW_START >> 24 };
	uint8_t b[sizeof sti];

	return vm->rt.abi && read_code(vm, vm->cpu.eip - sizeof b, b, sizeof b) &&
	       !memcmp(b, sti, sizeof b);
}
