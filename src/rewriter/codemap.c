/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The record of scanned code, a page at a time: what was found, what was
 * patched, and what the page looked like then.
 *
 * sweep.c tells code from data; here its findings become patches.  Our decoder
 * finds the candidates, Capstone has to confirm each before a byte is changed.
 *
 * A page that the guest wrote to is compared with its record.  Around each
 * change, code is decoded again from the boundary before it until old and new
 * boundaries agree.  All decoding is done on a view of the page in which our
 * substitutes are undone.  What follows from content alone:
 *
 * - A site whose byte the guest overwrote is natural code again.
 * - A site whose byte is unchanged but that is no longer the start of a
 *   sensitive instruction gets its original byte back: the guest wrote around
 *   it (Linux text_poke() writes the first byte of an instruction last).
 * - An int3 written over the start of an instruction is a breakpoint: what
 *   follows is the rest of that instruction, not code.
 *
 * When the place that is about to run is no boundary, it is right and the record
 * wrong: execution is followed from there, and what it contradicts is undone.
 */
#include "rewriter/bits.h"
#include "rewriter/site.h"
#include "rewriter/rewriter.h"
#include "rewriter/sweep.h"

#include <capstone/capstone.h>
#include <stdlib.h>
#include <string.h>

#define WORDS (PAGE_SIZE / 64)
#define NEAR 0x100000u		/* a page's tables point this far away at most */
#define SLACK 32u		/* bytes of the next page in a view: the longest instruction fits */
#define SYNC 64u		/* bytes after which a decoder has fallen into step */
#define MAX_CHANGED 512		/* when more bytes differ, the page is scanned wholly */

struct catchall { uint16_t off; uint8_t original; };

struct codepage {
	uint64_t page;			/* guest-physical page number */
	bool scanned;			/* false: only holds the end of a site of the page before */
	bool swept;			/* false: only what is known to be code was looked at */
	uint64_t bound[WORDS];		/* instruction boundaries */
	uint64_t site[WORDS];		/* substituted bytes */
	uint64_t adopted[WORDS];	/* those among them that the guest put there by copying */
	uint8_t shadow[PAGE_SIZE];	/* contents after the last scan */
	struct catchall *any;		/* originals of the SUBST_ANY among the sites */
	unsigned nany, any_max;
	unsigned slot;			/* index in codemap.live */
};

struct codemap {
	uint64_t npages;
	struct codepage **page;		/* by guest-physical page number */
	struct codepage **live;		/* all that exist */
	size_t nlive, live_max;
	bool bug_data;			/* this kernel's ud2 is followed by data */
	csh cs;
	cs_insn *ci;
	struct codemap_stats stats;
};

struct codemap *codemap_new(uint64_t ram_size)
{
	struct codemap *map = calloc(1, sizeof(*map));

	if (!map)
		return NULL;
	map->npages = (ram_size + PAGE_SIZE - 1) >> PAGE_SHIFT;
	map->page = calloc(map->npages + 1, sizeof(*map->page));
	if (cs_open(CS_ARCH_X86, CS_MODE_32, &map->cs) == CS_ERR_OK)
		map->ci = cs_malloc(map->cs);
	if (!map->page || !map->ci) {
		codemap_free(map);
		return NULL;
	}
	return map;
}

void codemap_free(struct codemap *map)
{
	if (!map)
		return;
	for (size_t i = 0; i < map->nlive; i++) {
		free(map->live[i]->any);
		free(map->live[i]);
	}
	if (map->ci)
		cs_free(map->ci, 1);
	if (map->cs)
		cs_close(&map->cs);
	free(map->live);
	free(map->page);
	free(map);
}

const struct codemap_stats *codemap_stats(const struct codemap *map)
{
	return &map->stats;
}

/* Records. */

static struct codepage *page_find(const struct codemap *map, uint64_t page)
{
	return page < map->npages ? map->page[page] : NULL;
}

static struct codepage *page_get(struct codemap *map, uint64_t page)
{
	struct codepage *p = page_find(map, page);

	if (p || page >= map->npages)
		return p;
	if (map->nlive == map->live_max) {
		size_t max = map->live_max ? map->live_max * 2 : 64;
		struct codepage **live = realloc(map->live, max * sizeof(*live));

		if (!live)
			return NULL;
		map->live = live;
		map->live_max = max;
	}
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->page = page;
	p->slot = (unsigned)map->nlive;
	map->live[map->nlive++] = p;
	map->page[page] = p;
	return p;
}

static void page_drop(struct codemap *map, struct codepage *p)
{
	map->live[p->slot] = map->live[--map->nlive];
	map->live[p->slot]->slot = p->slot;
	map->page[p->page] = NULL;
	free(p->any);
	free(p);
}

static int any_find(const struct codepage *p, uint32_t off)
{
	for (unsigned i = 0; i < p->nany; i++)
		if (p->any[i].off == off)
			return (int)i;
	return -1;
}

static bool any_add(struct codepage *p, uint32_t off, uint8_t original)
{
	int i = any_find(p, off);

	if (i < 0) {
		if (p->nany == p->any_max) {
			unsigned max = p->any_max ? p->any_max * 2 : 4;
			struct catchall *any = realloc(p->any, max * sizeof(*any));

			if (!any)
				return false;
			p->any = any;
			p->any_max = max;
		}
		i = (int)p->nany++;
	}
	p->any[i] = (struct catchall){ (uint16_t)off, original };
	return true;
}

static void site_drop(struct codepage *p, uint32_t off)
{
	int i = any_find(p, off);

	if (i >= 0)
		p->any[i] = p->any[--p->nany];
	bit_clear(p->site, off);
	bit_clear(p->adopted, off);
}

/* The original byte of the recorded site at off, or -1. */
static int site_original(const struct codepage *p, uint32_t off)
{
	uint8_t b = p->shadow[off];
	int i;

	if (!bit_test(p->site, off))
		return -1;
	if (b != SUBST_ANY)
		return subst_undo(&b, 1, -1) == 1 ? b : -1;
	i = any_find(p, off);
	return i < 0 ? -1 : p->any[i].original;
}

bool codemap_boundary(const struct codemap *map, gpa_t gpa)
{
	const struct codepage *p = page_find(map, gpa.v >> PAGE_SHIFT);

	return p && p->scanned && bit_test(p->bound, gpa.v & ~PAGE_MASK);
}

int codemap_original(const struct codemap *map, gpa_t gpa)
{
	const struct codepage *p = page_find(map, gpa.v >> PAGE_SHIFT);
	uint32_t off = gpa.v & (PAGE_SIZE - 1);

	if (!p || !bit_test(p->site, off) || p->shadow[off] != SUBST_ANY)
		return -1;
	return site_original(p, off);
}

int codemap_undo(const struct codemap *map, uint8_t *bytes, size_t n, gpa_t gpa)
{
	const uint8_t *any = memchr(bytes, SUBST_ANY, n < 15 ? n : 15);

	/* If the first one is not where subst_undo() looks, it does not look at all. */
	return subst_undo(bytes, n,
			  any ? codemap_original(map, GPA(gpa.v + (size_t)(any - bytes))) :
				    -1);
}

/* Undoes p's sites in buf, which was read from its bytes [from, from+n). */
static void restore(const struct codepage *p, uint8_t *buf, uint32_t from, uint32_t n)
{
	uint32_t end = from + n;

	for (uint32_t i = bit_next(p->site, from, end); i < end;
	     i = bit_next(p->site, i + 1, end)) {
		int original = buf[i - from] == p->shadow[i] ? site_original(p, i) : -1;

		if (original >= 0)
			buf[i - from] = (uint8_t)original;
	}
}

void codemap_restore(const struct codemap *map, uint8_t *buf, gpa_t gpa, uint32_t n)
{
	while (n) {
		const struct codepage *p = page_find(map, gpa.v >> PAGE_SHIFT);
		uint32_t off = gpa.v & (PAGE_SIZE - 1);
		uint32_t part = n < PAGE_SIZE - off ? n : PAGE_SIZE - off;

		if (p)
			restore(p, buf, off, part);
		buf += part;
		gpa.v += part;
		n -= part;
	}
}

void codemap_data(struct codemap *map, uint8_t *mem, gpa_t gpa, uint32_t n)
{
	struct codepage *p = page_find(map, gpa.v >> PAGE_SHIFT);
	uint32_t off = gpa.v & (PAGE_SIZE - 1), end = off + n;

	if (!p)
		return;
	for (uint32_t i = bit_next(p->site, off, end); i < end;
	     i = bit_next(p->site, i + 1, end)) {
		int original = mem[i - off] == p->shadow[i] ? site_original(p, i) : -1;

		/* A copied substitute has always been the guest's own byte. */
		if (original >= 0 && !bit_test(p->adopted, i))
			mem[i - off] = p->shadow[i] = (uint8_t)original;
		site_drop(p, i);
	}
	for (uint32_t i = off; i < end; i++)
		bit_clear(p->bound, i);
}

void codemap_forget(struct codemap *map, gpa_t gpa, uint32_t n)
{
	uint64_t first = (gpa.v + PAGE_SIZE - 1) >> PAGE_SHIFT, end = (gpa.v + n) >> PAGE_SHIFT;

	/* A page that is overwritten in part is compared at its next scan. */
	for (uint64_t i = first; i < end; i++) {
		struct codepage *p = page_find(map, i);

		if (p)
			page_drop(map, p);
	}
}

/* How many bytes around the two sites are the same, at most 16 on each side. */
static uint32_t likeness(const uint8_t *a, uint32_t an, uint32_t aoff, const uint8_t *b,
			 uint32_t bn, uint32_t boff)
{
	uint32_t after = 1, before = 0;

	while (after <= 16 && aoff + after < an && boff + after < bn &&
	       a[aoff + after] == b[boff + after])
		after++;
	while (before < 16 && before < aoff && before < boff &&
	       a[aoff - before - 1] == b[boff - before - 1])
		before++;
	return after - 1 + before;
}

int codemap_identify(const struct codemap *map, const uint8_t *bytes, uint32_t n, uint32_t off)
{
	uint32_t best = 3;	/* fewer common bytes are chance */
	int original = -1;

	for (size_t i = 0; i < map->nlive; i++) {
		const struct codepage *p = map->live[i];

		for (unsigned k = 0; k < p->nany; k++) {
			uint32_t like = likeness(bytes, n, off, p->shadow, PAGE_SIZE,
						 p->any[k].off);

			if (like < best || (like == best && like == 3))
				continue;
			if (like > best)
				original = p->any[k].original;
			else if (original != p->any[k].original)
				original = -1;
			best = like;
		}
	}
	return original;
}

/* Patching. */

/* Is word one of the words in list? */
static bool has_word(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = list; (p = strstr(p, word)) != NULL; p += n)
		if ((p == list || p[-1] == ' ') && (p[n] == ' ' || p[n] == 0))
			return true;
	return false;
}

/* Does Capstone see the same instruction?  Capstone 4 does not know rdpkru. */
static bool confirmed(struct codemap *map, const struct insn *in, const uint8_t *bytes, size_t n)
{
	uint64_t address = 0;
	const char *word;

	if (!cs_disasm_iter(map->cs, &bytes, &n, &address, map->ci))
		return in->kind == IK_PKRU;
	word = strrchr(map->ci->mnemonic, ' ');		/* after "rep " and the like */
	word = word ? word + 1 : map->ci->mnemonic;
	return map->ci->size == in->len && has_word(insn_kind_mnemonics(in->kind), word);
}

/*
 * Substitutes the byte at mem, which lies at offset off of page p and whose
 * original is op, by subst.  1 if that changed it, -1 if memory runs out.
 */
static int patch(struct codemap *map, struct codepage *p, uint8_t *mem, uint32_t off,
		 uint8_t op, uint8_t subst)
{
	int changed = *mem != subst || !bit_test(p->site, off);

	if (subst == SUBST_ANY && !any_add(p, off, op))
		return -1;
	if (*mem == subst && !bit_test(p->site, off))
		bit_set(p->adopted, off);
	bit_set(p->site, off);
	*mem = p->shadow[off] = subst;
	map->stats.sites += (unsigned)changed;
	return changed;
}

/* What to substitute for the instruction at code+off: -1 nothing, else the byte;
 * *at gets its offset. */
static int choose(struct codemap *map, const uint8_t *code, uint32_t size, uint32_t off,
		  uint32_t *at)
{
	struct insn in;
	int subst;

	if (site_insn(&in, code + off, size - off) <= 0)
		return -1;
	subst = subst_byte(&in, code[off + in.opoff]);
	if (subst < 0)
		return -1;
	if (!confirmed(map, &in, code + off, size - off)) {
		map->stats.disputed++;
		return -1;
	}
	*at = off + subst_offset(&in, code + off);
	return subst;
}

/* A section at load time. */

/* Takes the boundaries and the contents of pages [0, n) behind code. */
static bool record_pages(struct codemap *map, const struct sweep *s, uint64_t first, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		struct codepage *p = page_get(map, first + i);

		if (!p)
			return false;
		for (unsigned k = 0; k < WORDS; k++)
			p->bound[k] |= s->bound[i * WORDS + k];
		memcpy(p->shadow, s->code + i * PAGE_SIZE, PAGE_SIZE);
		p->scanned = p->swept = true;
		map->stats.pages_scanned++;
	}
	return true;
}

/* Patches what the sweep found; the code is the memory itself. */
static int patch_section(struct codemap *map, const struct sweep *s, uint8_t *mem, uint64_t first)
{
	int count = 0;

	for (size_t i = 0; i < s->nfound; i++) {
		uint32_t at = 0;
		int subst, r;

		if (!bit_test(s->bound, s->found[i]))
			continue;
		subst = choose(map, s->code, s->size, s->found[i], &at);
		if (subst < 0)
			continue;
		r = patch(map, map->page[first + (at >> PAGE_SHIFT)], mem + at,
			  at & (PAGE_SIZE - 1), s->code[at], (uint8_t)subst);
		if (r < 0)
			return -1;
		count += r;
	}
	return count;
}

int codemap_scan_section(struct codemap *map, uint8_t *mem, gpa_t gpa, gva_t vaddr,
			 uint32_t size)
{
	uint32_t lead = gpa.v & (PAGE_SIZE - 1);
	uint64_t first = gpa.v >> PAGE_SHIFT;
	uint32_t n = (uint32_t)(((uint64_t)lead + size + PAGE_SIZE - 1) >> PAGE_SHIFT);
	struct sweep s = {
		.code = mem - lead, .start = lead, .end = lead + size, .size = lead + size,
		.vaddr = vaddr.v - lead, .text = vaddr.v, .text_size = size,
		.start_known = true, .bug_data = map->bug_data,
	};
	uint64_t *bits;
	int count = -1;

	if (!size || size > UINT32_MAX - PAGE_SIZE || first + n > map->npages)
		return 0;
	bits = calloc((size_t)n * 5 + 1, WORDS * sizeof(*bits));
	if (!bits)
		return -1;
	s.bound = bits;
	s.target = bits + (size_t)n * WORDS;
	s.proven = bits + (size_t)n * WORDS * 2;
	s.plain = bits + (size_t)n * WORDS * 3;
	s.first = bits + (size_t)n * WORDS * 4;
	sweep_range(&s);
	map->bug_data = s.bug_data;
	map->stats.bytes_decoded += s.decoded;
	if (!s.no_memory && record_pages(map, &s, first, n))
		count = patch_section(map, &s, mem - lead, first);
	free(s.found);
	free(bits);
	return count;
}

/* A page that is about to run. */

struct scan {
	struct codemap *map;
	codemap_page_fn *get;
	void *ctx;
	gva_t page;
	struct codepage *rec;
	uint8_t *mem;			/* the page */
	struct codepage *next;		/* the record of the page after it; NULL: not mapped */
	uint8_t *next_mem;		/* and its memory */
	struct agenda *agenda;		/* for what leads out of the page, or NULL */
	struct sweep s;
	uint8_t view[PAGE_SIZE + SLACK];
	uint64_t bound[WORDS], target[WORDS], proven[WORDS];
	uint64_t redone[WORDS];		/* bytes whose boundaries were found anew */
};

static void set_range(uint64_t *bits, uint32_t from, uint32_t end)
{
	for (uint32_t i = from; i < end && i < PAGE_SIZE; i++)
		bit_set(bits, i);
}

/* struct sweep.copied: what the catch-all at off was that the guest copied here. */
static int copied(void *ctx, uint32_t off)
{
	struct scan *c = ctx;
	int original;

	if (off < PAGE_SIZE && c->rec->scanned && bit_test(c->rec->site, off) &&
	    c->mem[off] == c->rec->shadow[off])
		return site_original(c->rec, off);
	/* Compare with what recorded pages look like: patched. */
	original = codemap_identify(c->map, c->mem, PAGE_SIZE, off < PAGE_SIZE ? off : 0);
	if (off >= PAGE_SIZE || original < 0) {
		c->map->stats.unknown++;
		return -1;
	}
	return original;
}

/* Undoes our own substitutes of page p in buf, which holds its bytes [0, n): not
 * those that the guest copied, which mean themselves when they are no sites. */
static void restore_own(const struct codepage *p, uint8_t *buf, const uint8_t *mem, uint32_t n)
{
	restore(p, buf, 0, n);
	for (uint32_t i = bit_next(p->adopted, 0, n); i < n; i = bit_next(p->adopted, i + 1, n))
		buf[i] = mem[i];
}

/* Builds the view: the page and the start of the next one without substitutes of ours. */
static void make_view(struct scan *c)
{
	gpa_t gpa;

	memcpy(c->view, c->mem, PAGE_SIZE);
	restore_own(c->rec, c->view, c->mem, PAGE_SIZE);
	c->s.size = PAGE_SIZE;
	c->next_mem = c->get(c->ctx, GVA(c->page.v + PAGE_SIZE), &gpa);
	if (c->next_mem && gpa.v >> PAGE_SHIFT < c->map->npages) {
		c->next = page_get(c->map, gpa.v >> PAGE_SHIFT);
		if (!c->next)
			return;
		memcpy(c->view + PAGE_SIZE, c->next_mem, SLACK);
		restore_own(c->next, c->view + PAGE_SIZE, c->next_mem, SLACK);
		c->s.size += SLACK;
	}
}

static bool scan_open(struct scan *c, struct codemap *map, codemap_page_fn *get, void *ctx,
		      gva_t page)
{
	gpa_t gpa;

	c->map = map;
	c->get = get;
	c->ctx = ctx;
	c->page = GVA(page.v & PAGE_MASK);
	c->next = NULL;
	c->agenda = NULL;
	c->mem = get(ctx, c->page, &gpa);
	c->rec = c->mem ? page_get(map, gpa.v >> PAGE_SHIFT) : NULL;
	return c->rec;
}

/* Readies the sweep; the sets start out empty, but for the boundaries. */
static void scan_begin(struct scan *c)
{
	memset(&c->s, 0, sizeof(c->s));
	memcpy(c->bound, c->rec->bound, sizeof(c->bound));
	memset(c->target, 0, sizeof(c->target));
	memset(c->proven, 0, sizeof(c->proven));
	memset(c->redone, 0, sizeof(c->redone));
	c->s.code = c->view;
	c->s.end = PAGE_SIZE;
	c->s.vaddr = c->page.v;
	c->s.text = c->page.v - NEAR;
	c->s.text_size = 2 * NEAR;
	c->s.bug_data = c->map->bug_data;
	c->s.late = true;
	c->s.copied = copied;
	c->s.ctx = c;
	c->s.bound = c->bound;
	c->s.target = c->target;
	c->s.proven = c->proven;
	make_view(c);
}

/* Puts the byte for the found instruction at off; as patch(). */
static int apply_found(struct scan *c, uint32_t off, uint64_t *sites)
{
	uint8_t bytes[SWEEP_FETCH], op;
	uint32_t at = 0;
	int subst;

	if (!bit_test(c->bound, off))
		return 0;
	subst = choose(c->map, bytes, sweep_fetch(&c->s, off, bytes), 0, &at);
	if (subst < 0)
		return 0;
	op = bytes[at];
	at += off;
	if (at >= PAGE_SIZE)	/* only its prefixes are in this page */
		return patch(c->map, c->next, c->next_mem + at - PAGE_SIZE, at - PAGE_SIZE, op,
			     (uint8_t)subst);
	bit_set(sites, at);
	return patch(c->map, c->rec, c->mem + at, at, op, (uint8_t)subst);
}

/* Undoes old sites in what was decoded anew that are none any longer. */
static void drop_stale(struct scan *c, const uint64_t *sites)
{
	for (unsigned k = 0; k < WORDS; k++) {
		uint64_t stale = c->rec->site[k] & c->redone[k] & ~sites[k];

		for (; stale; stale &= stale - 1) {
			uint32_t off = k * 64 + (uint32_t)__builtin_ctzll(stale);
			int original = site_original(c->rec, off);

			if (c->mem[off] == c->rec->shadow[off] && original >= 0 &&
			    !bit_test(c->rec->adopted, off))
				c->mem[off] = (uint8_t)original;
			site_drop(c->rec, off);
		}
	}
}

/* Makes the page what the sweep says; the number of new sites or -1. */
static int scan_apply(struct scan *c)
{
	uint64_t sites[WORDS] = { 0 };
	int count = 0;

	/* The sites of the found instructions must be known before any is undone. */
	for (size_t i = 0; i < c->s.nfound && count >= 0; i++) {
		int r = apply_found(c, c->s.found[i], sites);

		count = r < 0 ? -1 : count + r;
	}
	drop_stale(c, sites);
	memcpy(c->rec->bound, c->bound, sizeof(c->bound));
	memcpy(c->rec->shadow, c->mem, PAGE_SIZE);
	c->rec->scanned = true;
	c->map->stats.bytes_decoded += c->s.decoded;
	if (c->s.no_memory)
		count = -1;
	free(c->s.found);
	c->s.found = NULL;
	return count;
}

/* Where the code of a page begins, as far as the page before tells. */
struct start { uint32_t off; bool known; };

/* Falls into step on the last bytes of a page that was never scanned. */
static struct start sync_start(const uint8_t *prev, const uint8_t *view)
{
	uint8_t code[SYNC + SLACK];
	uint32_t at = 0;
	struct insn in;

	memcpy(code, prev + PAGE_SIZE - SYNC, SYNC);
	memcpy(code + SYNC, view, SLACK);
	while (at < SYNC)
		at += site_insn(&in, code + at, sizeof(code) - at) > 0 ? in.len : 1;
	return (struct start){ at - SYNC, false };
}

/*
 * Where the last instruction of the scanned page before this one ends.  It may
 * not have been decoded, when this page was not mapped then: that is made up for.
 */
static struct start resume_start(struct scan *c, struct codepage *p, uint8_t *mem)
{
	int last = bit_last(p->bound, PAGE_SIZE - 1);
	uint8_t code[2 * SLACK];
	uint32_t from, at = 0, site = 0;
	struct insn in;
	int subst;

	if (last < (int)(PAGE_SIZE - SLACK))
		return (struct start){ 0, false };
	from = (uint32_t)last;
	memcpy(code, mem + from, PAGE_SIZE - from);
	restore(p, code, from, PAGE_SIZE - from);
	memcpy(code + PAGE_SIZE - from, c->view, SLACK);
	for (;;) {
		uint32_t size = PAGE_SIZE - from + SLACK;

		if (site_insn(&in, code + at, size - at) <= 0)
			return (struct start){ 0, false };
		if (!bit_test(p->bound, from + at)) {
			if (from + at + in.len <= PAGE_SIZE)
				return (struct start){ 0, false };	/* data */
			bit_set(p->bound, from + at);
			subst = choose(c->map, code, size, at, &site);
			if (subst >= 0 && from + site < PAGE_SIZE)
				patch(c->map, p, mem + from + site, from + site, code[site],
				      (uint8_t)subst);
			else if (subst >= 0)
				patch(c->map, c->rec, c->mem + from + site - PAGE_SIZE,
				      from + site - PAGE_SIZE, code[site], (uint8_t)subst);
		}
		at += in.len;
		if (from + at >= PAGE_SIZE)
			return (struct start){ from + at - PAGE_SIZE, !sweep_ends_flow(&in) };
		if (sweep_ends_flow(&in))
			return (struct start){ 0, false };
	}
}

static struct start find_start(struct scan *c)
{
	struct codepage *p;
	uint8_t *prev;
	gpa_t gpa;

	prev = c->page.v ? c->get(c->ctx, GVA(c->page.v - PAGE_SIZE), &gpa) : NULL;
	if (!prev)
		return (struct start){ 0, true };
	p = page_find(c->map, gpa.v >> PAGE_SHIFT);
	if (p && p->scanned && p != c->rec && !memcmp(p->shadow, prev, PAGE_SIZE))
		return resume_start(c, p, prev);
	return sync_start(prev, c->view);
}

/* Scans the whole page; entry is an offset, PAGE_SIZE if there is none. */
static void scan_whole(struct scan *c, uint32_t entry)
{
	struct start start = find_start(c);

	memset(c->bound, 0, sizeof(c->bound));
	set_range(c->redone, start.off, PAGE_SIZE);
	c->s.nfound = 0;
	if (entry < PAGE_SIZE)
		sweep_descend(&c->s, entry);
	c->s.start = start.off;
	c->s.start_known = start.known;
	sweep_range(&c->s);
	c->map->stats.pages_scanned++;
}

/* The length of the instruction at a boundary as the record has it. */
static uint32_t old_length(const struct scan *c, uint32_t off)
{
	uint32_t end = off + SITE_MAX < PAGE_SIZE ? off + SITE_MAX : PAGE_SIZE;

	return bit_next(c->rec->bound, off + 1, end) - off;
}

/* Decodes again around the changed bytes [from, end). */
static void rescan_change(struct scan *c, uint32_t from, uint32_t end)
{
	int before = bit_last(c->bound, from);
	uint32_t at = before < 0 || from - (uint32_t)before >= SITE_MAX ?
		      bit_next(c->bound, from, end) : (uint32_t)before;
	struct insn in;

	if (at == end)
		return;		/* data; if it has become code, it will be entered */
	while (at < PAGE_SIZE && !(at >= end && bit_test(c->bound, at))) {
		bool was = bit_test(c->rec->bound, at);
		int len = sweep_decode(&c->s, &in, at);

		if (len < 0)
			break;
		if (len == 0)
			in.len = 1;
		if (was && len > 0 && in.kind == IK_INT3)
			in.len = (uint8_t)old_length(c, at);
		set_range(c->redone, at, at + in.len);
		for (uint32_t i = at; i < at + in.len && i < PAGE_SIZE; i++)
			bit_clear(c->bound, i);
		if (len > 0)
			sweep_mark(&c->s, &in, at);
		at += in.len;
	}
}

/* The next run of changed bytes from off on; false if there is none. */
static bool next_change(const struct scan *c, uint32_t off, uint32_t *from, uint32_t *end)
{
	const uint8_t *a = c->mem, *b = c->rec->shadow;

	while (off < PAGE_SIZE && (off & 63) && a[off] == b[off])
		off++;
	while (off < PAGE_SIZE && !(off & 63) && !memcmp(a + off, b + off, 64))
		off += 64;
	while (off < PAGE_SIZE && a[off] == b[off])
		off++;
	*from = off;
	while (off < PAGE_SIZE && a[off] != b[off])
		off++;
	*end = off;
	return *from < PAGE_SIZE;
}

/* Scans what the guest changed; false if it is too much for that. */
static bool scan_changes(struct scan *c)
{
	uint32_t from, end = 0, n = 0;

	while (next_change(c, end, &from, &end)) {
		n += end - from;
		if (n > MAX_CHANGED)
			return false;
		rescan_change(c, from, end);
	}
	c->map->stats.pages_rescanned++;
	return true;
}

/* Execution goes on to an offset of the next page that its record calls no
 * boundary: returns it, or -1. */
static int overrun(struct scan *c)
{
	int last = bit_last(c->rec->bound, PAGE_SIZE - 1);
	struct insn in;
	uint32_t end;

	if (last < (int)(PAGE_SIZE - SITE_MAX) || !c->next || !c->next->scanned)
		return -1;
	if (sweep_decode(&c->s, &in, (uint32_t)last) <= 0)
		return -1;
	end = (uint32_t)last + in.len;
	if (end < PAGE_SIZE || sweep_ends_flow(&in) || bit_test(c->next->bound, end - PAGE_SIZE))
		return -1;
	return (int)(end - PAGE_SIZE);
}

/* An instruction that the record has across off, where execution comes in, was misread,
 * unless only its prefixes lie before. */
static void drop_across(struct scan *c, uint32_t off)
{
	int before = off ? bit_last(c->bound, off - 1) : -1;
	uint32_t at = (uint32_t)before;
	struct insn in;

	if (before < 0 || sweep_decode(&c->s, &in, at) <= 0 || at + in.len <= off ||
	    off - at <= in.opoff)
		return;
	bit_clear(c->bound, at);
	set_range(c->redone, at, off);
}

/* Follows execution from off, which the record calls no boundary. */
static void follow_entry(struct scan *c, uint32_t off)
{
	struct insn in;

	drop_across(c, off);
	sweep_descend(&c->s, off);
	for (uint32_t i = bit_next(c->proven, 0, PAGE_SIZE); i < PAGE_SIZE;
	     i = bit_next(c->proven, i + 1, PAGE_SIZE))
		if (sweep_decode(&c->s, &in, i) > 0)
			set_range(c->redone, i, i + in.len);
}

/* Is the page as it was when it was scanned? */
static bool is_same(const struct scan *c)
{
	return c->rec->scanned && !memcmp(c->rec->shadow, c->mem, PAGE_SIZE);
}

/* codemap_scan() for one page of kernel text; *over gets the result of overrun(). */
static int scan_page(struct codemap *map, codemap_page_fn *get, void *ctx, gva_t page,
		     uint32_t off, int *over)
{
	struct scan c;
	bool same;
	int count;

	*over = -1;
	if (!scan_open(&c, map, get, ctx, page))
		return c.mem ? -1 : 0;
	same = is_same(&c);
	if (same && c.rec->swept && (off == PAGE_SIZE || bit_test(c.rec->bound, off)))
		return 0;
	scan_begin(&c);
	if (!c.rec->swept || (!same && !scan_changes(&c)))
		scan_whole(&c, off);
	else if (off < PAGE_SIZE && !bit_test(c.bound, off))
		follow_entry(&c, off);
	c.rec->swept = true;
	count = scan_apply(&c);
	if (count >= 0)
		*over = overrun(&c);
	return count;
}

static int scan_text(struct codemap *map, codemap_page_fn *get, void *ctx, gva_t page, uint32_t off)
{
	int count = 0, over;

	/* Each round finds a boundary that the record lacked, so this ends. */
	do {
		int n = scan_page(map, get, ctx, page, off, &over);

		if (n < 0)
			return -1;
		count += n;
		page.v += PAGE_SIZE;
		off = (uint32_t)over;
	} while (over >= 0);
	return count;
}

/* Code among data. */

/* Linear addresses that execution goes to. */
struct agenda {
	uint32_t *at;
	size_t n, max;
	bool no_memory;
};

static void agenda_add(struct agenda *a, uint32_t linear)
{
	if (a->n == a->max) {
		size_t max = a->max ? a->max * 2 : 256;
		uint32_t *at = realloc(a->at, max * sizeof(*at));

		if (!at) {
			a->no_memory = true;
			return;
		}
		a->at = at;
		a->max = max;
	}
	a->at[a->n++] = linear;
}

/* struct sweep.leaves */
static void leaves(void *ctx, uint32_t linear)
{
	struct scan *c = ctx;

	agenda_add(c->agenda, linear);
}

/* Forgets the instruction at the boundary off, which the guest wrote to; a site that
 * is still there will be undone. */
static void forget_changed(struct scan *c, uint32_t off)
{
	uint32_t end = off + old_length(c, off);

	for (uint32_t i = bit_next(c->rec->site, off, end); i < end;
	     i = bit_next(c->rec->site, i + 1, end))
		if (c->mem[i] != c->rec->shadow[i])
			site_drop(c->rec, i);
	bit_clear(c->bound, off);
	set_range(c->redone, off, end);
}

/* The first recorded boundary whose instruction reaches beyond the unchanged byte
 * before from. */
static uint32_t first_changed(struct scan *c, uint32_t from)
{
	int before = from ? bit_last(c->rec->bound, from - 1) : -1;
	struct insn in;

	if (before >= 0 && from - (uint32_t)before < SITE_MAX &&
	    (sweep_decode(&c->s, &in, (uint32_t)before) <= 0 || (uint32_t)before + in.len > from))
		return (uint32_t)before;
	return bit_next(c->rec->bound, from, PAGE_SIZE);
}

/*
 * Forgets the instructions that the guest changed.  Where a few were changed, the
 * first is code still, and followed again; a page that was filled with something
 * else is not.
 */
static void follow_changes(struct scan *c)
{
	uint64_t again[WORDS] = { 0 };
	uint32_t from, end, n = 0;
	bool all;

	for (end = 0; next_change(c, end, &from, &end);)
		n += end - from;
	all = n > MAX_CHANGED;
	for (end = 0; next_change(c, end, &from, &end);) {
		uint32_t first = first_changed(c, from);

		if (first < end)
			bit_set(again, first);
		for (uint32_t at = first; at < end; at = bit_next(c->rec->bound, at + 1, end))
			forget_changed(c, at);
	}
	if (all)
		c->rec->swept = false;
	for (uint32_t i = 0; !all && (i = bit_next(again, i, PAGE_SIZE)) < PAGE_SIZE; i++)
		follow_entry(c, i);
	c->map->stats.pages_rescanned++;
}

/* Follows execution from the linear address at to the end of its page. */
static int follow_page(struct codemap *map, codemap_page_fn *get, void *ctx, uint32_t at,
		       struct agenda *agenda)
{
	uint32_t off = at & ~PAGE_MASK;
	struct scan c;
	bool same;

	if (!scan_open(&c, map, get, ctx, GVA(at & PAGE_MASK)))
		return c.mem ? -1 : 0;
	same = is_same(&c);
	if (same && bit_test(c.rec->bound, off))
		return 0;
	scan_begin(&c);
	c.agenda = agenda;
	c.s.leaves = leaves;
	if (!c.rec->scanned)
		map->stats.pages_scanned++;
	else if (!same)
		follow_changes(&c);
	follow_entry(&c, off);
	return scan_apply(&c);
}

static int scan_mixed(struct codemap *map, codemap_page_fn *get, void *ctx, uint32_t entry)
{
	struct agenda agenda = { .n = 0 };
	int count = 0;

	agenda_add(&agenda, entry);
	/* Each address that is followed becomes a boundary, so this ends. */
	while (agenda.n && count >= 0) {
		int n = follow_page(map, get, ctx, agenda.at[--agenda.n], &agenda);

		count = n < 0 ? -1 : count + n;
	}
	free(agenda.at);
	return agenda.no_memory ? -1 : count;
}

int codemap_scan(struct codemap *map, codemap_page_fn *get, void *ctx, gva_t page, gva_t entry,
		 enum codemap_trust trust)
{
	bool inside = (entry.v & PAGE_MASK) == (page.v & PAGE_MASK);

	if (trust == CODEMAP_TEXT)
		return scan_text(map, get, ctx, page, inside ? entry.v & ~PAGE_MASK : PAGE_SIZE);
	return inside ? scan_mixed(map, get, ctx, entry.v) : 0;
}
