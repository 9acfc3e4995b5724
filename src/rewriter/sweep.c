/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Linear disassembly goes wrong where text holds data.  What helps:
 *
 * - A first pass collects the targets of direct branches.  In the second one
 *   code counts as reached from a target on, up to the next instruction that
 *   ends the flow (jmp, ret, iret, ud2 ...).
 * - Behind such an end, where nothing is known to go on, zeros are padding, and
 *   two or more aligned words that point into this text are a table (NetBSD).
 * - Other unreached code may be a function that is only called through a
 *   pointer.  It is believed, unless it holds something that no compiler
 *   writes (see implausible()), runs into a known boundary in the middle of an
 *   instruction, or is no instruction: then, up to the next end of the flow or
 *   known target, it is data and not touched.
 * - Linux 2.4's BUG() is ud2, a 16-bit line number and a pointer to the file
 *   name.  Whether a kernel has these is a property of the whole kernel: it has
 *   if most of its ud2 look like it.
 * - A proven boundary (execution is about to go there) beats all of this.
 */
#include "rewriter/sweep.h"
#include "rewriter/bits.h"
#include "rewriter/site.h"

#include <stdlib.h>
#include <string.h>

#define BUG_DATA 6
/* Kernel text, its constants and data lie within this distance. */
#define IMAGE_SPAN 0x2000000u

static uint32_t word_at(const struct sweep *s, uint32_t off)
{
	uint32_t v;

	memcpy(&v, s->code + off, 4);
	return v;
}

/* The unprefixed opcodes that are substitutes, decoded as what they really are. */
static bool looks_copied(const struct insn *in)
{
	return !in->site && ((in->opcode >= 0x6c && in->opcode <= 0x6f) || in->opcode == 0xe5 ||
			     in->opcode == 0xe7) && !(in->prefix & (IP_REP | IP_REPNE));
}

/* What the substitute in late code at offset off stands for, or -1. */
static int original(const struct sweep *s, uint32_t off)
{
	switch (s->code[off]) {
	case 0x6c: return 0x9c;
	case 0x6d: return 0x9d;
	case 0x6f: return 0x0f;
	case 0xe5: return 0x8c;
	case 0xe7: return 0x8e;
	default: return s->copied(s->ctx, off);
	}
}

uint32_t sweep_fetch(struct sweep *s, uint32_t off, uint8_t *bytes)
{
	uint32_t n = s->size - off < SWEEP_FETCH ? s->size - off : SWEEP_FETCH;
	struct insn in;
	int op;

	memcpy(bytes, s->code + off, n);
	if (s->late && site_insn(&in, bytes, n) > 0 && looks_copied(&in)) {
		op = original(s, off + in.opoff);
		if (op >= 0)
			bytes[in.opoff] = (uint8_t)op;
	}
	return n;
}

int sweep_decode(struct sweep *s, struct insn *in, uint32_t off)
{
	int len = site_insn(in, s->code + off, s->size - off);
	uint8_t bytes[SWEEP_FETCH];

	if (len > 0 && s->late && looks_copied(in)) {
		if (original(s, off + in->opoff) < 0)
			in->kind = IK_NONE;	/* left as it is: running it is noticed */
		else
			len = site_insn(in, bytes, sweep_fetch(s, off, bytes));
	}
	s->decoded += in->len;
	return len;
}

/* Guests have no AVX: it raises #UD, whatever its length is taken to be. */
static bool is_vector(const struct insn *in)
{
	return in->opcode >> 8 == 0xc5;
}

bool sweep_ends_flow(const struct insn *in)
{
	if (is_vector(in))
		return true;
	switch (in->opcode) {
	case 0xc2: case 0xc3: case 0xca: case 0xcb: case 0xcf:	/* ret, retf, iret */
	case 0xe9: case 0xea: case 0xeb:			/* jmp */
	case 0xf0b: case 0xf35: case 0xf07: case 0xfaa:		/* ud2 sysexit sysret rsm */
		return true;
	case 0xff:
		return in->reg == 4 || in->reg == 5;
	default:
		return false;
	}
}

/* What no compiler and no kernel author writes in 32-bit text. */
static bool implausible(const struct insn *in)
{
	if (in->site)
		return false;
	switch (in->opcode) {
	case 0x27: case 0x2f: case 0x37: case 0x3f:		/* daa das aaa aas */
	case 0xd4: case 0xd5: case 0xd6:			/* aam aad salc */
	case 0x62: case 0x63: case 0xce: case 0xf1:		/* bound arpl into int1 */
	case 0xc4: case 0xc5:					/* les lds */
	case 0x6c: case 0x6d: case 0x6e: case 0x6f:
		return !(in->prefix & (IP_REP | IP_REPNE));
	case 0x9a: case 0xea:				/* far, to a selector of ring 1 or 2 */
		return (in->imm2 & 3) == 1 || (in->imm2 & 3) == 2;
	default:
		return false;
	}
}

/* What assemblers and linkers fill gaps with. */
static bool is_padding(const struct insn *in)
{
	switch (in->opcode) {
	case 0x90: case 0xcc: case 0xf1f:
		return true;
	case 0x8d:		/* lea 0(%esi,%eiz), %esi and its kin */
		return in->disp == 0 && in->base == in->reg && in->index < 0;
	case 0x89: case 0x8b:
		return in->mod == 3 && in->reg == in->rm;
	default:
		return false;
	}
}

/* 00 00, add %al,(%eax): no code has it at a boundary. */
static bool is_zeros(const struct insn *in)
{
	return in->opoff == 0 && in->opcode == 0 && in->has_modrm && in->modrm == 0;
}

/* The in-range target of a direct branch at off, or -1. */
static int64_t branch_target(const struct sweep *s, const struct insn *in, uint32_t off)
{
	uint32_t to = off + in->len + in->imm;

	if (!in->is_branch || in->opsize != 4 || to < s->start || to >= s->end)
		return -1;
	return to;
}

/* Bytes of data at off, where nothing is known to go on: zeros or a table. */
static uint32_t data_at(const struct sweep *s, uint32_t off)
{
	uint32_t at, aligned = ((s->vaddr + off + 3) & ~3u) - s->vaddr, pointers = 0;

	for (at = aligned; at + 4 <= s->end; at += 4) {
		uint32_t v = word_at(s, at);

		if (v - s->text < s->text_size)
			pointers++;
		else if (v != 0 || !pointers)
			break;
	}
	if (pointers >= 2 && bit_next(s->target, off, at) == at)
		return at - off;
	at = off;
	while (at < s->end && s->code[at] == 0)
		at++;
	/* A single zero may begin an aligned word of a table. */
	return at - off >= 2 || (at - off == 1 && at == aligned) ? at - off : 0;
}

/* Is the ud2 that ends at off followed by a line number and a file name? */
static bool bug_at(const struct sweep *s, uint32_t off)
{
	uint32_t line, file;

	if (off + BUG_DATA > s->size)
		return false;
	line = s->code[off] | (uint32_t)s->code[off + 1] << 8;
	file = word_at(s, off + 2);
	return line > 0 && line < 0x8000 && file - (s->vaddr & ~(0x400000u - 1)) < IMAGE_SPAN;
}

/* Is the length all that the second pass has to know? */
static bool is_plain(const struct insn *in)
{
	return in->kind == IK_NONE && !sweep_ends_flow(in) && !is_padding(in) && !implausible(in);
}

/* First pass: branch targets, and whether ud2 is BUG(). */
static void collect_targets(struct sweep *s)
{
	uint32_t at = s->start, ud2 = 0, bugs = 0;
	bool gap = !s->start_known;
	struct insn in;

	while (at < s->end) {
		uint32_t data = gap ? data_at(s, at) : 0;
		int len;
		int64_t to;

		if (data) {
			at += data;
			continue;
		}
		len = sweep_decode(s, &in, at);
		if (len < 0)
			break;
		if (len == 0 || is_zeros(&in)) {
			at += len == 0 || gap;
			gap = true;
			continue;
		}
		to = branch_target(s, &in, at);
		if (to >= 0)
			bit_set(s->target, (uint32_t)to);
		if (s->plain && is_plain(&in)) {
			bit_set(s->plain, at);
			bit_set(s->first, at);
			bit_set(s->first, at + (uint32_t)len);
		}
		at += (uint32_t)len;
		gap = sweep_ends_flow(&in) || (gap && is_padding(&in));
		if (in.opcode == 0xf0b) {
			bool bug = bug_at(s, at);

			ud2++;
			bugs += bug;
			if (bug && (s->bug_data || bugs * 2 > ud2))
				at += BUG_DATA;
		}
	}
	if (bugs * 2 > ud2)
		s->bug_data = true;
}

static void push_found(struct sweep *s, uint32_t off)
{
	if (s->nfound == s->found_max) {
		size_t max = s->found_max ? s->found_max * 2 : 64;
		uint32_t *p = realloc(s->found, max * sizeof(*p));

		if (!p) {
			s->no_memory = true;
			return;
		}
		s->found = p;
		s->found_max = max;
	}
	s->found[s->nfound++] = off;
}

void sweep_mark(struct sweep *s, const struct insn *in, uint32_t off)
{
	if (bit_test(s->bound, off))
		return;
	bit_set(s->bound, off);
	if (in->kind != IK_NONE)
		push_found(s, off);
}

/* Branch targets that sweep_descend() has still to follow. */
struct descent {
	uint32_t stack[256];
	unsigned n;
};

static void branch_off(struct sweep *s, struct descent *d, const struct insn *in, uint32_t at)
{
	int64_t to = branch_target(s, in, at);

	if (to >= 0 && d->n < sizeof(d->stack) / sizeof(d->stack[0]))
		d->stack[d->n++] = (uint32_t)to;
	else if (s->leaves && in->is_branch && in->opsize == 4)
		s->leaves(s->ctx, s->vaddr + at + in->len + in->imm);
}

/* Follows execution from at up to where it ends or what follows is known. */
static void descend_line(struct sweep *s, struct descent *d, uint32_t at)
{
	struct insn in;

	while (at < s->end) {
		if (bit_test(s->proven, at) || bit_test(s->bound, at) ||
		    sweep_decode(s, &in, at) <= 0)
			return;
		/* A gap, and perhaps data, behind a call that does not return. */
		if (is_zeros(&in))
			return;
		/* Boundaries inside were wrong. */
		for (uint32_t i = at + 1; i < at + in.len && i < s->end; i++)
			if (!bit_test(s->proven, i))
				bit_clear(s->bound, i);
		sweep_mark(s, &in, at);
		bit_set(s->proven, at);
		branch_off(s, d, &in, at);
		at += in.len;
		if (sweep_ends_flow(&in))
			return;
	}
	if (s->leaves)
		s->leaves(s->ctx, s->vaddr + at);
}

void sweep_descend(struct sweep *s, uint32_t entry)
{
	struct descent d = { .n = 0 };

	d.stack[d.n++] = entry;
	while (d.n)
		descend_line(s, &d, d.stack[--d.n]);
}

enum reach {
	REACHED,		/* a target, or behind reached code */
	GAP,			/* behind an end of the flow; only padding so far */
	GUESS,			/* unreached, may be code */
};

struct walk {
	uint32_t at;
	enum reach reach;
	uint32_t guess;		/* where the guess began, */
	size_t nfound;		/* how much had been found then */
	bool bad;		/* and whether it is wrong */
};

static void begin_guess(struct sweep *s, struct walk *w)
{
	w->reach = GUESS;
	w->guess = w->at;
	w->nfound = s->nfound;
	w->bad = false;
}

static void end_guess(struct sweep *s, struct walk *w, enum reach next)
{
	if (w->reach == GUESS && w->bad) {
		for (uint32_t i = w->guess; i < w->at && i < s->end; i++)
			if (!bit_test(s->proven, i))
				bit_clear(s->bound, i);
		s->nfound = w->nfound;
	}
	w->reach = next;
}

/* A known boundary inside the instruction of len bytes at w->at, or 0. */
static uint32_t conflict(const struct sweep *s, const struct walk *w, uint32_t len)
{
	uint32_t end = w->at + len < s->end ? w->at + len : s->end, to;

	if (bit_test(s->proven, w->at))
		return 0;
	to = bit_next(s->proven, w->at + 1, end);
	if (to == end && w->reach != REACHED)
		to = bit_next(s->target, w->at + 1, end);
	return to < end ? to : 0;
}

/* Takes the plain instruction of len bytes in reached code. */
static void step_plain(struct sweep *s, struct walk *w, uint32_t len)
{
	uint32_t known = conflict(s, w, len);

	if (!known)
		bit_set(s->bound, w->at);
	w->at = known ? known : w->at + len;
}

/* Where to go on behind the instruction of len bytes at `at`. */
static uint32_t behind(const struct sweep *s, const struct insn *in, uint32_t at, uint32_t len)
{
	uint32_t end = at + len < s->end ? at + len : s->end;

	return is_vector(in) ? bit_next(s->target, at + 1, end) : at + len;
}

/* One instruction or piece of data of the second pass; false at the end. */
static bool sweep_step(struct sweep *s, struct walk *w)
{
	struct insn in;
	uint32_t data, known;
	int len;

	if (w->reach != REACHED && (bit_test(s->target, w->at) || bit_test(s->proven, w->at)))
		end_guess(s, w, REACHED);
	if (w->reach == REACHED && s->plain && bit_test(s->plain, w->at)) {
		step_plain(s, w, bit_next(s->first, w->at + 1, s->end + 1) - w->at);
		return true;
	}
	data = w->reach == GAP ? data_at(s, w->at) : 0;
	if (data) {
		w->at += data;
		return true;
	}
	len = sweep_decode(s, &in, w->at);
	if (len < 0)
		return false;
	if (w->reach == GAP && !(len > 0 && is_padding(&in)))
		begin_guess(s, w);
	if (is_zeros(&in) && !bit_test(s->proven, w->at)) {
		w->bad = true;
		end_guess(s, w, GAP);
		/* Data that looks like a branch may lead here: do not come back. */
		w->at += data_at(s, w->at) ? data_at(s, w->at) : 1;
		return true;
	}
	if (len == 0) {
		/* Data behind a call that does not return. */
		if (w->reach == REACHED)
			begin_guess(s, w);
		w->bad = true;
		w->at++;
		return true;
	}
	known = conflict(s, w, (uint32_t)len);
	if (known) {
		w->bad = true;
		w->at = known;
		return true;
	}
	sweep_mark(s, &in, w->at);
	if (w->reach == GUESS && implausible(&in))
		w->bad = true;
	w->at = behind(s, &in, w->at, (uint32_t)len);
	if (sweep_ends_flow(&in)) {
		if (in.opcode == 0xf0b && s->bug_data && bug_at(s, w->at))
			w->at += BUG_DATA;
		end_guess(s, w, GAP);
	}
	return true;
}

void sweep_range(struct sweep *s)
{
	struct walk w = { .at = s->start, .reach = s->start_known ? REACHED : GAP };

	collect_targets(s);
	while (w.at < s->end && sweep_step(s, &w))
		;
	end_guess(s, &w, GAP);
}
