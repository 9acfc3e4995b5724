/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `lilyvm check`: the sensitive instructions of a kernel image, one a line on
 * standard output, then how many there are of each kind.  It finds what the
 * loader finds: both use sweep.c.
 */
#include "monitor/load.h"
#include "rewriter/bits.h"
#include "rewriter/disasm.h"
#include "rewriter/insn.h"
#include "rewriter/sweep.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct totals {
	unsigned long count[IK_COUNT];
	unsigned long bytes, instructions;
	unsigned sections;
};

static const char *class_name(enum insn_class cls)
{
	return cls == IC_SILENT ? "silent" : "privileged";
}

static bool is_sensitive(const struct insn *in)
{
	return in->cls == IC_SILENT || in->cls == IC_PRIVILEGED;
}

static void print_site(const struct image *img, const struct image_section *sec, uint32_t off,
		       const struct insn *in)
{
	uint32_t addr = sec->vaddr + off, dist = 0;
	const char *name = image_symbol_at(img, addr, &dist);
	char text[160], symbol[80] = "-";

	if (name)
		snprintf(symbol, sizeof(symbol), "%.60s+0x%x", name, dist);
	disasm_text(text, sizeof(text), sec->bytes + off, sec->size - off, addr);
	printf("%-20s %08x  %-36s %-16s %s\n", sec->name, addr, symbol,
	       insn_kind_name(in->kind), text);
}

static void list_section(const struct image *img, const struct image_section *sec,
			 const struct sweep *s, struct totals *t)
{
	struct insn in;

	for (size_t i = 0; i < s->nfound; i++) {
		uint32_t off = s->found[i];

		if (insn_decode(&in, s->code + off, s->size - off, 32) <= 0 || !is_sensitive(&in))
			continue;
		t->count[in.kind]++;
		print_site(img, sec, off, &in);
	}
	for (uint32_t i = 0; i < (sec->size + 63) / 64; i++)
		t->instructions += (unsigned)__builtin_popcountll(s->bound[i]);
	t->bytes += sec->size;
	t->sections++;
}

static int check_section(const struct image *img, const struct image_section *sec, bool *bug_data,
			 struct totals *t, struct error *e)
{
	size_t words = (size_t)sec->size / 64 + 1;
	uint64_t *bits = calloc(words * 3, sizeof(*bits));
	struct sweep s = {
		.code = sec->bytes,
		.end = sec->size, .size = sec->size, .vaddr = sec->vaddr, .text = sec->vaddr,
		.text_size = sec->size, .start_known = true, .bug_data = *bug_data,
	};
	int r = 0;

	if (!bits)
		return fail(e, ST_HOST, "%s: out of memory", img->path);
	s.bound = bits;
	s.target = bits + words;
	s.proven = bits + words * 2;
	sweep_range(&s);
	*bug_data = s.bug_data;
	if (s.no_memory)
		r = fail(e, ST_HOST, "%s: out of memory", img->path);
	else
		list_section(img, sec, &s, t);
	free(s.found);
	free(bits);
	return r;
}

static void print_class(const struct totals *t, enum insn_class cls, unsigned long *sum)
{
	*sum = 0;
	for (unsigned k = 0; k < IK_COUNT; k++) {
		if (insn_kind_class(k) != cls || !t->count[k])
			continue;
		printf("%-16s %-11s %8lu\n", insn_kind_name(k), class_name(cls), t->count[k]);
		*sum += t->count[k];
	}
}

/* Returns how many are silent. */
static unsigned long print_summary(const struct totals *t)
{
	unsigned long silent, privileged;

	printf("\n%-16s %-11s %8s\n", "KIND", "CLASS", "COUNT");
	print_class(t, IC_SILENT, &silent);
	print_class(t, IC_PRIVILEGED, &privileged);
	printf("\n%lu silent and %lu privileged among %lu instructions, %lu bytes, "
	       "%u executable sections\n",
	       silent, privileged, t->instructions, t->bytes, t->sections);
	return silent;
}

int image_check(const struct image *img, struct error *e)
{
	struct totals t = { .sections = 0 };
	bool bug_data = false;

	printf("%-20s %-8s  %-36s %-16s %s\n", "SECTION", "ADDRESS", "SYMBOL", "KIND",
	       "INSTRUCTION");
	for (unsigned i = 0; i < img->nsections; i++) {
		const struct image_section *sec = &img->sections[i];

		if (!sec->exec || !sec->bytes || !sec->size)
			continue;
		if (check_section(img, sec, &bug_data, &t, e) < 0)
			return e->status;
	}
	if (!t.sections) {
		fail(e, ST_IMAGE, "%s: no executable section can be read; the kernel's own "
		     "decompressor would have to run: give the uncompressed vmlinux", img->path);
		return e->status;
	}
	if (print_summary(&t))
		return ST_LEFT;
	return ST_OK;
}
