/* SPDX-License-Identifier: BSD-2-Clause */
/* Trampolines for hot sites; see trampoline.h. */
#include "monitor/machine.h"

#include "runtime/abi.h"

#include <string.h>

/* Traps at one site before it gets a trampoline. */
#define HOT 6
/* Faults at one instruction that reaches short-lived mappings. */
#define HOT_ACCESS 100
/* Passages of such an instruction between two CR3 loads that show it to be in a
 * loop over a page, which is better mapped. */
#define PASSAGES 24
#define NEVER 255
#define CODE_MAX 160u

/* What a trampoline has pushed on the guest's stack at a point. */
enum tramp_undo { UNDO_NONE, UNDO_WORD, UNDO_EAX, UNDO_FLAGS_EAX, UNDO_FLAGS_EAX_ECX };

/* ---- emitting ---- */

struct emitter {
	struct tramp t;
	uint8_t code[CODE_MAX];
	unsigned n;			/* bytes emitted */
	unsigned at;			/* offset of the guest instruction being done */
	uint32_t gated;			/* a harmless instruction to go through the gate; 0: none */
	uint32_t bounds;		/* bit k: an instruction begins at site + k */
	/* Places of 32-bit displacements relative to the trampoline, and where
	 * they lead. */
	struct { unsigned off; uint32_t target; } rel[4];
	unsigned nrel;
	bool full;
	bool left;			/* control has gone elsewhere: the rest is only looked at */
};

static void point(struct emitter *m, unsigned guest, enum tramp_undo undo)
{
	if (m->t.npoints == TRAMP_POINTS) {
		m->full = true;
		return;
	}
	m->t.point[m->t.npoints++] = (struct tramp_point){ m->n, guest, undo };
}

static void bytes(struct emitter *m, const void *b, unsigned n)
{
	if (m->n + n > CODE_MAX) {
		m->full = true;
		return;
	}
	memcpy(m->code + m->n, b, n);
	m->n += n;
}

/* One emitted instruction: its point, its opcode bytes, and a 32-bit operand
 * or two. */
static void op(struct emitter *m, enum tramp_undo undo, const char *opcode, unsigned n)
{
	point(m, m->at, undo);
	bytes(m, opcode, n);
}

static void word(struct emitter *m, uint32_t v)
{
	bytes(m, &v, 4);
}

static void relative(struct emitter *m, uint32_t target)
{
	if (m->nrel == 4) {
		m->full = true;
		return;
	}
	m->rel[m->nrel].off = m->n;
	m->rel[m->nrel++].target = target;
	word(m, 0);
}

#define OP(undo, opcode) op(m, undo, opcode, sizeof(opcode) - 1)

static void emit_store_if(struct emitter *m, uint32_t v)
{
	OP(UNDO_NONE, "\xc7\x05");			/* movl $v, RT_IF */
	word(m, RT_IF);
	word(m, v);
}

/* The real flags have IF set; adding the word gives the guest's.  No
 * instruction here may change a flag. */
static void emit_pushf(struct emitter *m)
{
	OP(UNDO_NONE, "\x9c");				/* pushf */
	OP(UNDO_WORD, "\x50");				/* push %eax */
	OP(UNDO_FLAGS_EAX, "\x51");			/* push %ecx */
	OP(UNDO_FLAGS_EAX_ECX, "\x8b\x44\x24\x08");	/* mov 8(%esp), %eax */
	OP(UNDO_FLAGS_EAX_ECX, "\x8b\x0d");		/* mov RT_IF, %ecx */
	word(m, RT_IF);
	OP(UNDO_FLAGS_EAX_ECX, "\x8d\x04\x08");		/* lea (%eax,%ecx), %eax */
	OP(UNDO_FLAGS_EAX_ECX, "\x89\x44\x24\x08");	/* mov %eax, 8(%esp) */
	OP(UNDO_FLAGS_EAX_ECX, "\x59");			/* pop %ecx */
	OP(UNDO_FLAGS_EAX, "\x58");			/* pop %eax */
}

/* popf replaces the flags, so they may be spoilt before. What it could set
 * beyond arithmetic, DF, ID and IF goes to the emulator by a trap. */
static void emit_popf(struct emitter *m)
{
	OP(UNDO_NONE, "\x50");				/* push %eax */
	OP(UNDO_EAX, "\x8b\x44\x24\x04");		/* mov 4(%esp), %eax */
	OP(UNDO_EAX, "\xa9");				/* test $..., %eax */
	word(m, FL_TF | FL_IOPL | FL_NT | FL_VM | FL_AC | FL_VIF | FL_VIP);
	OP(UNDO_EAX, "\x74\x02");			/* jz 1f */
	OP(UNDO_EAX, "\x58");				/* pop %eax */
	OP(UNDO_NONE, "\xf4");				/* hlt: traps */
	OP(UNDO_EAX, "\x25");				/* 1: and $IF, %eax */
	word(m, FL_IF);
	OP(UNDO_EAX, "\x2d");				/* sub $IF, %eax */
	word(m, FL_IF);
	OP(UNDO_EAX, "\xa3");				/* mov %eax, RT_IF */
	word(m, RT_IF);
	OP(UNDO_EAX, "\x58");				/* pop %eax */
	OP(UNDO_NONE, "\x9d");				/* popf */
}

static void emit_push_sreg(struct emitter *m, unsigned reg)
{
	OP(UNDO_NONE, "\xff\x35");			/* pushl RT_SEL */
	word(m, RT_SEL(reg));
}

static void emit_mov_from_sreg(struct emitter *m, const struct insn *insn)
{
	uint8_t modrm = 0x05 | insn->rm << 3;

	OP(UNDO_NONE, "\x8b");				/* mov RT_SEL, %reg */
	bytes(m, &modrm, 1);
	word(m, RT_SEL(insn->reg));
}

/* The monitor carries out the instruction, and goes on behind it. */
static void emit_gate(struct emitter *m)
{
	OP(UNDO_NONE, "\xc7\x05");			/* movl $eip, RT_EXIT */
	word(m, RT_EXIT);
	word(m, m->t.site + m->at);
	OP(UNDO_NONE, "\xea");				/* ljmp $HOST_CS64, $RT_GATE */
	word(m, RT_GATE);
	bytes(m, &(uint16_t){ HOST_CS64 }, 2);
	m->left = true;
}

/* Has insn a form that needs no trap? */
static bool has_fast_form(const struct insn *insn)
{
	if (insn->prefix)
		return false;
	switch (insn->kind) {
	case IK_PUSHF: case IK_POPF: case IK_CLI: case IK_STI: case IK_PUSH_SREG:
		return true;
	case IK_MOV_FROM_SREG:
		return !insn->has_mem && insn->reg < S_COUNT;
	}
	return false;
}

static void emit_sensitive(struct emitter *m, const struct insn *insn)
{
	if (!has_fast_form(insn)) {
		emit_gate(m);
		return;
	}
	switch (insn->kind) {
	case IK_PUSHF:
		emit_pushf(m);
		break;
	case IK_POPF:
		emit_popf(m);
		break;
	case IK_CLI:
		emit_store_if(m, RT_IF_CLEAR);
		break;
	case IK_STI:
		emit_store_if(m, RT_IF_SET);
		break;
	case IK_PUSH_SREG:
		emit_push_sreg(m, insn->opcode >> 3 & 7);
		break;
	case IK_MOV_FROM_SREG:
		emit_mov_from_sreg(m, insn);
		break;
	}
}

/* Exceptions by design stay what they are. */
static bool has_form(const struct vm *vm, const struct insn *insn)
{
	if (insn->site)
		return false;
	return has_fast_form(insn) ||
	       (vm->rt.gate && (insn->cls == IC_SILENT || insn->cls == IC_PRIVILEGED));
}

/* A harmless instruction; relative branches are bent to their targets. */
static bool emit_harmless(struct emitter *m, const struct insn *insn, const uint8_t *b,
			  uint32_t next)
{
	uint16_t opc = insn->opcode;
	uint8_t cc;

	if (!insn->is_branch) {
		op(m, UNDO_NONE, (const char *)b, insn->len);
		m->left = opc == 0xc3 || opc == 0xc2 || (opc == 0xff && insn->reg == 4);
		/* An indirect call would leave an address in the window. */
		return !(opc == 0xff && insn->reg == 2);
	}
	if (insn->prefix & ~(IP_SEG | IP_REPNE))
		return false;
	if (opc == 0xe8) {
		OP(UNDO_NONE, "\x68");			/* push $next */
		word(m, next);
		OP(UNDO_WORD, "\xe9");			/* jmp target */
		relative(m, next + insn->imm);
		m->left = true;
	} else if (opc == 0xe9 || opc == 0xeb) {
		OP(UNDO_NONE, "\xe9");
		relative(m, next + insn->imm);
		m->left = true;
	} else if ((opc & 0xfff0) == 0x70 || (opc & 0xfff0) == 0xf80) {
		cc = 0x80 | (opc & 15);
		OP(UNDO_NONE, "\x0f");
		bytes(m, &cc, 1);
		relative(m, next + insn->imm);
	} else {
		return false;			/* loop, jcxz */
	}
	return true;
}

/* ---- where it lies ---- */

/* One-byte opcodes that always trap at CPL 3. */
static bool traps(uint8_t b)
{
	return (b >= 0x6c && b <= 0x6f) || (b >= 0xe4 && b <= 0xe7) || (b >= 0xec && b <= 0xef) ||
	       b == 0xf4 || b == 0xfa || b == 0xfb;
}

/* May byte k-1 of the jump's displacement be b, as far as the boundary at site + k
 * is concerned? */
static bool guards(uint32_t bounds, unsigned k, uint8_t b)
{
	return !(bounds >> k & 1) || traps(b);
}

static bool is_free(const struct tramps *ts, uint32_t addr, unsigned size)
{
	uint32_t g, last = (addr + size - 1 - WINDOW_START) / TRAMP_GRANULE;

	for (g = (addr - WINDOW_START) / TRAMP_GRANULE; g <= last; g++)
		if (ts->owner[g])
			return false;
	return true;
}

static bool guest_has(struct vm *vm, uint32_t a)
{
	struct walk w;

	return mmu_probe(vm, GVA(a), &w);
}

/* A free place whose displacement from the site shows a trapping byte at each
 * boundary; 0: none.  Tried in order of the displacement, its high bytes first. */
static uint32_t place(struct vm *vm, const struct emitter *m)
{
	uint32_t origin = m->t.site + TRAMP_JUMP, high, low, last = RT_CODE_END - CODE_MAX;

	for (high = (RT_CODE - origin) >> 16; high <= (last - origin) >> 16; high++) {
		if (!guards(m->bounds, 3, high) || !guards(m->bounds, 4, high >> 8))
			continue;
		for (low = 0; low < 0x10000; low++) {
			uint32_t a = origin + (high << 16 | low);

			if (!guards(m->bounds, 2, low >> 8)) {
				low |= 0xff;
				continue;
			}
			if (guards(m->bounds, 1, low) && a >= RT_CODE && a < last &&
			    is_free(&vm->tramps, a, m->n) && !guest_has(vm, a) &&
			    !guest_has(vm, a + m->n - 1))
				return a;
		}
	}
	return 0;
}

static void own(struct tramps *ts, const struct tramp *t, uint16_t id)
{
	uint32_t g, last = (t->addr + t->size - 1 - WINDOW_START) / TRAMP_GRANULE;

	for (g = (t->addr - WINDOW_START) / TRAMP_GRANULE; g <= last; g++)
		ts->owner[g] = id;
}

/* ---- building ---- */

/* After sti, these must not be reached with the interrupt already taken. */
static bool needs_shadow(const struct insn *insn)
{
	return insn->kind == IK_HLT || insn->kind == IK_SYSEXIT || insn->kind == IK_IRET ||
	       insn->kind == IK_MWAIT;
}

static uint32_t *landed_slot(struct tramps *ts, uint32_t a)
{
	return &ts->landed[(a ^ a >> 10) % TRAMP_LANDED];
}

static bool ts_landed(struct tramps *ts, uint32_t a)
{
	return *landed_slot(ts, a) == a;
}

/* Does one guest instruction at site + m->at. */
static bool emit_one(struct vm *vm, struct emitter *m, bool *after_sti)
{
	const struct insn *insn;
	uint8_t b[16];
	struct fault f;

	vm->cpu.eip = m->t.site + m->at;
	insn = fetch_insn(vm, &f);
	if (!insn || (*after_sti && needs_shadow(insn)))
		return false;
	if (m->at && ts_landed(&vm->tramps, vm->cpu.eip))
		return false;
	m->bounds |= 1u << m->at;
	if (m->left) {
		m->at += insn->len;
		return true;
	}
	if (insn->kind != IK_NONE) {
		if (!has_form(vm, insn))
			return false;
		emit_sensitive(m, insn);
	} else if (m->gated == m->t.site + m->at) {
		emit_gate(m);
	} else {
		if (!gmem_read(vm, GVA(m->t.site + m->at), b, insn->len, ACC_READ, &f))
			return false;
		tramp_undo(vm, m->t.site + m->at, b, insn->len);
		if (!emit_harmless(m, insn, b, m->t.site + m->at + insn->len))
			return false;
	}
	*after_sti = insn->kind == IK_STI;
	m->at += insn->len;
	return !m->full;
}

/* The bytes of the site as they are and as the guest knows them: substitutes
 * stand at instruction boundaries only. */
static bool read_original(struct vm *vm, struct emitter *m)
{
	struct tramp *t = &m->t;
	uint8_t b[16];
	struct fault f;
	unsigned k;

	if (!gmem_read(vm, GVA(t->site), t->patched, TRAMP_JUMP, ACC_READ, &f))
		return false;
	memcpy(t->original, t->patched, TRAMP_JUMP);
	for (k = 0; k < TRAMP_JUMP; k++) {
		if (!(m->bounds >> k & 1))
			continue;
		if (!gmem_read(vm, GVA(t->site + k), b, 8, ACC_READ, &f))
			return false;
		if (subst_undo(b, 8, codemap_original(vm->code, GPA(t->gpa + k))) > 0)
			memcpy(t->original + k, b, TRAMP_JUMP - k);
	}
	return true;
}

/* Only pages in use are there at all: an access of the guest to anything else in
 * the window is noticed. */
static void open_pages(struct tramps *ts, const struct tramp *t)
{
	uint32_t a;

	for (a = t->addr & PAGE_MASK; a < t->addr + t->size; a += PAGE_SIZE) {
		bool *open = &ts->open[(a - WINDOW_START) / PAGE_SIZE];

		if (!*open)
			host_low_protect(a, PAGE_SIZE, HP_R | HP_X);
		*open = true;
	}
}

static bool install(struct vm *vm, struct emitter *m)
{
	struct tramps *ts = &vm->tramps;
	struct tramp *t;
	unsigned i, h = (m->t.site >> 1) % TRAMP_HASH;
	uint8_t *site = gmem_ram(vm, GPA(m->t.gpa), TRAMP_JUMP);
	uint32_t rel;

	for (i = 0; i < ts->n && ts->tramp[i].site; i++)
		;
	m->t.addr = i < TRAMP_MAX ? place(vm, m) : 0;
	if (!m->t.addr)
		return false;
	if (i == ts->n)
		ts->n++;
	for (unsigned r = 0; r < m->nrel; r++) {
		rel = m->rel[r].target - (m->t.addr + m->rel[r].off + 4);
		memcpy(m->code + m->rel[r].off, &rel, 4);
	}
	m->t.len = m->at;
	m->t.gated = m->gated;
	m->t.size = m->n;
	m->t.next = ts->hash[h];
	ts->hash[h] = i + 1;
	t = &ts->tramp[i];
	*t = m->t;
	own(ts, t, i + 1);
	open_pages(ts, t);
	memcpy(vm->rt.alias + (t->addr - WINDOW_START), m->code, m->n);
	rel = t->addr - (t->site + TRAMP_JUMP);
	site[0] = 0xe9;
	memcpy(site + 1, &rel, 4);
	vm->frames[t->gpa >> PAGE_SHIFT].tramps = true;
	vm->stats.trampolines++;
	return true;
}

/* A trampoline whose jump lies at site. */
static bool build_at(struct vm *vm, uint32_t site, uint32_t hot, bool access)
{
	struct emitter m = { .t = { .site = site }, .gated = access ? hot : 0 };
	uint32_t eip = vm->cpu.eip;
	bool ok = true, after_sti = false;
	struct walk w;

	if (PAGE_SIZE - (site & ~PAGE_MASK) < 16 || !mmu_probe(vm, GVA(site), &w))
		return false;
	m.t.gpa = w.pa.v | (site & ~PAGE_MASK);
	while (ok && (m.at < TRAMP_JUMP || site + m.at <= hot))
		ok = !(m.left && site + m.at <= hot) &&
		     !(m.at && tramp_covering(vm, site + m.at)) &&
		     emit_one(vm, &m, &after_sti);
	if (ok && after_sti && !m.left) {
		const struct insn *next;
		struct fault f;

		vm->cpu.eip = site + m.at;
		next = fetch_insn(vm, &f);
		ok = next && !needs_shadow(next);
	}
	vm->cpu.eip = eip;
	if (!ok || !read_original(vm, &m))
		return false;
	if (!m.left) {
		struct emitter *p = &m;

		point(p, m.at, UNDO_NONE);
		bytes(p, "\xe9", 1);
		relative(p, site + m.at);
	}
	if (m.full)
		return false;
	return install(vm, &m);
}

static void unhash(struct tramps *ts, struct tramp *t)
{
	uint16_t *p = &ts->hash[(t->site >> 1) % TRAMP_HASH];

	while (*p && &ts->tramp[*p - 1] != t)
		p = &ts->tramp[*p - 1].next;
	if (*p)
		*p = t->next;
}

static void drop(struct vm *vm, struct tramp *t)
{
	memcpy(gmem_ram(vm, GPA(t->gpa), TRAMP_JUMP), t->patched, TRAMP_JUMP);
	own(&vm->tramps, t, 0);
	unhash(&vm->tramps, t);
	t->site = 0;
}

/*
 * The jump may also begin a few instructions before the hot one, where that makes
 * room or leaves out a place that is branched to.
 */
static bool build(struct vm *vm, uint32_t hot, bool access)
{
	unsigned back, tries = 0;
	struct walk w;

	if (build_at(vm, hot, hot, access))
		return true;
	if (!mmu_probe(vm, GVA(hot), &w))
		return false;
	w.pa.v |= hot & ~PAGE_MASK;
	for (back = 1; back < 16 && back <= (hot & ~PAGE_MASK) && tries < 4; back++) {
		if (!codemap_boundary(vm->code, GPA(w.pa.v - back)))
			continue;
		if (tramp_covering(vm, hot - back))
			return false;
		tries++;
		if (build_at(vm, hot - back, hot, access))
			return true;
	}
	return false;
}

void tramp_landed(struct vm *vm, uint32_t a)
{
	struct tramps *ts = &vm->tramps;
	const struct tramp *t = tramp_covering(vm, a);
	unsigned i;

	if (!t || t->site == a)
		return;
	*landed_slot(ts, a) = a;
	drop(vm, &ts->tramp[t - ts->tramp]);
	for (i = 0; i < TRAMP_HEAT; i++)
		if (a - ts->heat[i].site < 16 || ts->heat[i].site - a < 16)
			ts->heat[i].count = 0;
}

/* Do the guest's page tables show anything where we lie? */
static bool window_taken(struct vm *vm)
{
	uint32_t i;

	if (guest_has(vm, RT_IF) || guest_has(vm, RT_SEL(0)))
		return true;
	for (i = 0; i < WINDOW_SIZE / PAGE_SIZE; i++)
		if (vm->tramps.open[i] && guest_has(vm, WINDOW_START + i * PAGE_SIZE))
			return true;
	return false;
}

/* Counts a trap at eip; the limit-th makes a trampoline there. */
static void heat(struct vm *vm, uint8_t limit, bool access)
{
	struct tramps *ts = &vm->tramps;
	uint32_t site = vm->cpu.eip;
	unsigned slot = (site ^ site >> 12) % TRAMP_HEAT;
	const struct tramp *t;

	if (!vcpu_paging(&vm->cpu) || vm->cpu.seg[S_CS].base)
		return;
	if (ts->heat[slot].site != site) {
		ts->heat[slot].site = site;
		ts->heat[slot].count = 0;
	}
	if (ts->heat[slot].count == NEVER || ++ts->heat[slot].count < limit)
		return;
	if (window_taken(vm)) {
		runtime_disable(vm, "the guest has mapped the addresses");
		return;
	}
	t = tramp_covering(vm, site);
	ts->heat[slot].count = t || !build(vm, site, access) ? NEVER : 0;
}

void tramp_heat(struct vm *vm, const struct insn *insn)
{
	if (vm->rt.on && has_form(vm, insn))
		heat(vm, HOT, false);
}

void tramp_heat_access(struct vm *vm)
{
	if (vm->rt.gate)
		heat(vm, HOT_ACCESS, true);
}

void tramp_passed(struct vm *vm)
{
	struct tramps *ts = &vm->tramps;
	uint32_t a = vm->cpu.eip;
	const struct tramp *found = tramp_covering(vm, a);
	struct tramp *t = found ? &ts->tramp[found - ts->tramp] : NULL;
	unsigned slot = (a ^ a >> 12) % TRAMP_HEAT;

	if (!t || t->gated != a)
		return;
	if (t->epoch != vm->stats.cr3_loads) {
		t->epoch = vm->stats.cr3_loads;
		t->passages = 0;
	}
	if (++t->passages < PASSAGES)
		return;
	drop(vm, t);
	ts->heat[slot].site = a;
	ts->heat[slot].count = NEVER;
}

/* ---- looking up ---- */

static const struct tramp *at_site(const struct tramps *ts, uint32_t site)
{
	uint16_t i;

	for (i = ts->hash[(site >> 1) % TRAMP_HASH]; i; i = ts->tramp[i - 1].next)
		if (ts->tramp[i - 1].site == site)
			return &ts->tramp[i - 1];
	return NULL;
}

const struct tramp *tramp_covering(const struct vm *vm, uint32_t a)
{
	const struct tramp *t;
	unsigned k;

	for (k = 0; k < TRAMP_JUMP; k++) {
		t = at_site(&vm->tramps, a - k);
		if (t)
			return t;
	}
	return NULL;
}

void tramp_undo(const struct vm *vm, uint32_t a, uint8_t *b, unsigned n)
{
	const struct tramp *t = tramp_covering(vm, a);
	unsigned k;

	for (k = t ? a - t->site : TRAMP_JUMP; k < TRAMP_JUMP && n; k++, n--)
		*b++ = t->original[k];
}

void tramp_restore(const struct vm *vm, uint64_t gpa, uint8_t *page)
{
	const struct tramps *ts = &vm->tramps;
	unsigned i;

	if (!vm->frames[gpa >> PAGE_SHIFT].tramps)
		return;
	for (i = 0; i < ts->n; i++)
		if (ts->tramp[i].site && ts->tramp[i].gpa >> PAGE_SHIFT == gpa >> PAGE_SHIFT)
			memcpy(page + (ts->tramp[i].gpa & ~PAGE_MASK), ts->tramp[i].patched,
			       TRAMP_JUMP);
}

void tramp_drop_frame(struct vm *vm, uint32_t frame)
{
	struct tramps *ts = &vm->tramps;
	unsigned i;

	if (!vm->frames[frame].tramps)
		return;
	vm->frames[frame].tramps = false;
	for (i = 0; i < ts->n; i++) {
		struct tramp *t = &ts->tramp[i];

		if (!t->site || t->gpa >> PAGE_SHIFT != frame)
			continue;
		drop(vm, t);
	}
}

void tramp_clear(struct vm *vm)
{
	uint32_t f;

	for (f = 0; f < vm->nframes; f++)
		tramp_drop_frame(vm, f);
	memset(vm->tramps.heat, 0, sizeof vm->tramps.heat);
}

/* ---- leaving ---- */

static const struct undo_step {
	uint8_t words;			/* to be taken off the stack */
	int8_t eax, ecx;		/* where they lie, in words; -1: in the register */
} undo_steps[] = {
	[UNDO_NONE] = { 0, -1, -1 }, [UNDO_WORD] = { 1, -1, -1 }, [UNDO_EAX] = { 1, 0, -1 },
	[UNDO_FLAGS_EAX] = { 2, 0, -1 }, [UNDO_FLAGS_EAX_ECX] = { 3, 1, 0 },
};

static void undo(struct vm *vm, enum tramp_undo how)
{
	struct vcpu *c = &vm->cpu;
	const struct undo_step *u = &undo_steps[how];
	uint32_t w[3];
	struct fault f;

	if (!u->words)
		return;
	/* It was written a few instructions ago. */
	if (!gmem_read(vm, GVA(c->seg[S_SS].base + c->gpr[R_ESP]), w, 4 * u->words, ACC_READ, &f)) {
		vm_end(vm, ST_LIMIT, "the stack of a trampoline is gone at %#x", c->gpr[R_ESP]);
		return;
	}
	if (u->eax >= 0)
		c->gpr[R_EAX] = w[u->eax];
	if (u->ecx >= 0)
		c->gpr[R_ECX] = w[u->ecx];
	c->gpr[R_ESP] += 4 * u->words;
}

void tramp_leave(struct vm *vm)
{
	struct tramps *ts = &vm->tramps;
	struct vcpu *c = &vm->cpu;
	const struct tramp *t;
	uint32_t off;
	uint16_t id;
	int i;

	if (!vm->rt.on || !runtime_window(c->eip))
		return;
	id = ts->owner[(c->eip - WINDOW_START) / TRAMP_GRANULE];
	if (!id)
		return;
	t = &ts->tramp[id - 1];
	off = c->eip - t->addr;
	for (i = t->npoints - 1; i >= 0; i--)
		if (t->point[i].off <= off) {
			undo(vm, t->point[i].undo);
			c->eip = t->site + t->point[i].guest;
			return;
		}
}
