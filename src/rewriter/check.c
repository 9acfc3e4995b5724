/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `lilyvm check`: the sensitive instructions of a kernel image, one a line on
 * standard output, then how many there are of each kind.  It finds what the
 * loader finds: both use sweep.c.  Of a kernel that was built with lilyvm-cc it lists
 * what is left, and counts what was rewritten by the list that lilyvm-as made.
 */
#include "monitor/load.h"
#include "rewriter/bits.h"
#include "rewriter/disasm.h"
#include "rewriter/insn.h"
#include "rewriter/object.h"
#include "rewriter/site.h"
#include "rewriter/sitelist.h"
#include "rewriter/sweep.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct totals {
	unsigned long count[IK_COUNT];	/* those that stand in the code */
	unsigned long rewritten[IK_COUNT], user[IK_COUNT];
	unsigned long wrong;		/* records that the code contradicts */
	unsigned long bytes, instructions;
	unsigned sections;
};

struct check {
	const struct image *img;
	bool object;			/* addresses count from the section's start */
	bool bug_data;
	struct site_list sites;
	struct totals t;
};

static const char *class_name(enum insn_class cls)
{
	return cls == IC_SILENT ? "silent" : "privileged";
}

static bool is_sensitive(const struct insn *in)
{
	return in->cls == IC_SILENT || in->cls == IC_PRIVILEGED;
}

static void print_line(const struct check *c, const struct image_section *sec, uint32_t addr,
		       const char *kind, const char *text)
{
	uint32_t dist = 0;
	const char *name = image_symbol_at(c->img, addr, &dist);
	char symbol[80] = "-";

	if (name)
		snprintf(symbol, sizeof(symbol), "%.60s+0x%x", name, dist);
	printf("%-20s %08x  %-36s %-16s %s\n", sec->name, c->object ? addr - sec->vaddr : addr,
	       symbol, kind, text);
}

static void list_section(struct check *c, const struct image_section *sec, const struct sweep *s)
{
	struct totals *t = &c->t;
	struct insn in;
	char text[160];

	for (size_t i = 0; i < s->nfound; i++) {
		uint32_t off = s->found[i];
		const struct site_record *r = site_list_find(&c->sites, sec->vaddr + off);

		if (insn_decode(&in, s->code + off, s->size - off, 32) <= 0 || !is_sensitive(&in) ||
		    (r && r->user))
			continue;
		t->count[in.kind]++;
		disasm_text(text, sizeof(text), sec->bytes + off, sec->size - off, sec->vaddr + off);
		print_line(c, sec, sec->vaddr + off, insn_kind_name(in.kind), text);
	}
	for (uint32_t i = 0; i < (sec->size + 63) / 64; i++)
		t->instructions += (unsigned)__builtin_popcountll(s->bound[i]);
	t->bytes += sec->size;
	t->sections++;
}

static int check_section(struct check *c, const struct image_section *sec, struct error *e)
{
	size_t words = (size_t)sec->size / 64 + 1;
	uint64_t *bits = calloc(words * 3, sizeof(*bits));
	struct sweep s = {
		.code = sec->bytes,
		.end = sec->size, .size = sec->size, .vaddr = sec->vaddr, .text = sec->vaddr,
		.text_size = sec->size, .start_known = true, .bug_data = c->bug_data,
	};
	int r = 0;

	if (!bits)
		return fail(e, ST_HOST, "%s: out of memory", c->img->path);
	s.bound = bits;
	s.target = bits + words;
	s.proven = bits + words * 2;
	sweep_range(&s);
	c->bug_data = s.bug_data;
	if (s.no_memory)
		r = fail(e, ST_HOST, "%s: out of memory", c->img->path);
	else
		list_section(c, sec, &s);
	free(s.found);
	free(bits);
	return r;
}

/* ---- what lilyvm-as has noted ---- */

static const struct image_section *section_at(const struct image *img, uint32_t addr)
{
	for (unsigned i = 0; i < img->nsections; i++) {
		const struct image_section *sec = &img->sections[i];

		if (sec->bytes && addr - sec->vaddr < sec->size)
			return sec;
	}
	return NULL;
}

/* Does the code at a record's address agree with it? */
static bool agrees(const struct image_section *sec, const struct site_record *r)
{
	uint32_t off = r->addr - sec->vaddr;
	struct insn in;

	return (r->user ? insn_decode(&in, sec->bytes + off, sec->size - off, 32) :
		site_decode(&in, sec->bytes + off, sec->size - off)) > 0;
}

static void count_records(struct check *c)
{
	for (size_t i = 0; i < c->sites.n; i++) {
		const struct site_record *r = &c->sites.at[i];
		const struct image_section *sec = section_at(c->img, r->addr);

		if (sec && !agrees(sec, r)) {
			c->t.wrong++;
			print_line(c, sec, r->addr, insn_kind_name(r->kind),
				   "noted as rewritten, but the code is not");
		} else if (r->user) {
			c->t.user[r->kind]++;
		} else {
			c->t.rewritten[r->kind]++;
		}
	}
}

/* ---- the summary ---- */

struct sums {
	unsigned long count, rewritten, user;
};

static void print_class(const struct check *c, enum insn_class cls, struct sums *sum)
{
	const struct totals *t = &c->t;

	*sum = (struct sums){ .count = 0 };
	for (unsigned k = 0; k < IK_COUNT; k++) {
		if (insn_kind_class(k) != cls || !(t->count[k] + t->rewritten[k] + t->user[k]))
			continue;
		printf("%-16s %-11s ", insn_kind_name(k), class_name(cls));
		if (c->sites.n)
			printf("%9lu %9lu ", t->rewritten[k], t->user[k]);
		printf("%8lu\n", t->count[k]);
		sum->count += t->count[k];
		sum->rewritten += t->rewritten[k];
		sum->user += t->user[k];
	}
}

/* Returns whether something silent is left. */
static bool print_summary(const struct check *c)
{
	const struct totals *t = &c->t;
	struct sums silent, privileged;

	printf("\n%-16s %-11s ", "KIND", "CLASS");
	if (c->sites.n)
		printf("%9s %9s ", "REWRITTEN", "USER MODE");
	printf("%8s\n", c->sites.n ? "LEFT" : "COUNT");
	print_class(c, IC_SILENT, &silent);
	print_class(c, IC_PRIVILEGED, &privileged);
	printf("\n");
	if (c->sites.n)
		printf("built with lilyvm-cc: %lu rewritten, %lu in user-mode code; left:\n",
		       silent.rewritten + privileged.rewritten, silent.user + privileged.user);
	printf("%lu silent and %lu privileged among %lu instructions, %lu bytes, "
	       "%u executable sections\n", silent.count, privileged.count, t->instructions,
	       t->bytes, t->sections);
	if (t->wrong)
		printf("%lu places that lilyvm-as has noted hold something else\n", t->wrong);
	return silent.count || t->wrong;
}

static int check_all(struct check *c, struct error *e)
{
	const struct image *img = c->img;

	printf("%-20s %-8s  %-36s %-16s %s\n", "SECTION", "ADDRESS", "SYMBOL", "KIND",
	       "INSTRUCTION");
	for (unsigned i = 0; i < img->nsections; i++) {
		const struct image_section *sec = &img->sections[i];

		if (!sec->exec || !sec->bytes || !sec->size)
			continue;
		if (check_section(c, sec, e) < 0)
			return e->status;
	}
	if (!c->t.sections) {
		fail(e, ST_IMAGE, "%s: no executable section can be read; the kernel's own "
		     "decompressor would have to run: give the uncompressed vmlinux", img->path);
		return e->status;
	}
	count_records(c);
	return print_summary(c) ? ST_LEFT : ST_OK;
}

int image_check(const struct image *img, struct error *e)
{
	struct check c = { .img = img };
	struct object o;
	int status;

	if (site_list_read(&c.sites, img, e) < 0)
		return e->status;
	c.object = img->elf && object_view(&o, img->elf, img->elf_size) && o.relocatable;
	status = check_all(&c, e);
	free(c.sites.at);
	return status;
}
