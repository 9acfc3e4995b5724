/* SPDX-License-Identifier: BSD-2-Clause */
/* The text side's output, errors and files. */
#include "rewriter/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the output ---- */

static bool reserve(struct text_buf *b, size_t n)
{
	size_t size = b->size ? b->size : 65536;
	char *at;

	while (size - b->len < n + 1)
		size *= 2;
	if (size != b->size) {
		at = b->failed ? NULL : realloc(b->at, size);
		if (!at) {
			b->failed = true;
			return false;
		}
		b->at = at;
		b->size = size;
	}
	return !b->failed;
}

void text_add(struct text_buf *b, const char *s, size_t n)
{
	if (n && reserve(b, n)) {
		memcpy(b->at + b->len, s, n);
		b->len += n;
	}
}

void text_printf(struct text_buf *b, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	if (n <= 0 || !reserve(b, (size_t)n))
		return;
	va_start(args, fmt);
	vsnprintf(b->at + b->len, (size_t)n + 1, fmt, args);
	va_end(args);
	b->len += (size_t)n;
}

void text_copy(struct text *t, const char *to, const char *next)
{
	text_add(&t->out, t->copied, (size_t)(to - t->copied));
	t->copied = next;
}

enum text_mode text_mode(const struct text *t)
{
	if (t->now.bits == 16)
		return TM_16BIT;
	return t->now.user_code || t->now.user_section ? TM_USER : TM_REWRITE;
}

void text_switch(struct text *t, const char *at)
{
	static const char *const macro[] = {
		[TM_REWRITE] = "rewrite", [TM_USER] = "leave", [TM_16BIT] = "leave16",
	};
	enum text_mode mode = text_mode(t);

	if (mode == t->mode || !t->macros)
		return;
	t->mode = mode;
	text_copy(t, at, at);
	text_printf(&t->out, "; lilyvm.%s; ", macro[mode]);
}

/* ---- places ---- */

/* The line of at, as the line markers (# 12 "file") in front of it count. */
static void find_line(const struct text *t, const char *at, char *name, size_t size,
		      unsigned *line)
{
	const char *p = t->text;

	snprintf(name, size, "%s", t->name);
	*line = 1;
	for (const char *nl; (nl = memchr(p, '\n', (size_t)(at - p))); p = nl + 1) {
		char file[256];
		unsigned n;

		++*line;
		if (*p == '#' && nl - p < 300 && sscanf(p, "# %u \"%255[^\"]\"", &n, file) == 2) {
			*line = n;
			snprintf(name, size, "%s", file);
		}
	}
}

void text_fail(struct text *t, const char *at, const char *fmt, ...)
{
	char name[256], what[512];
	unsigned line;
	va_list args;

	if (t->failed)
		return;
	t->failed = true;
	va_start(args, fmt);
	vsnprintf(what, sizeof(what), fmt, args);
	va_end(args);
	find_line(t, at, name, sizeof(name), &line);
	fail(t->error, ST_IMAGE, "%s:%u: %s", name, line, what);
}

void text_marker(struct text *t, const char *at)
{
	char name[256];
	unsigned line;

	find_line(t, at, name, sizeof(name), &line);
	text_printf(&t->out, "# %u \"%s\"\n", line, name);
}

/* ---- files ---- */

int text_read(const char *path, char **data, size_t *n)
{
	FILE *f = path ? fopen(path, "rb") : stdin;
	size_t size = 65536, got;
	char *at;

	*n = 0;
	*data = f ? malloc(size) : NULL;
	while (*data && (got = fread(*data + *n, 1, size - *n, f)) > 0) {
		*n += got;
		if (*n < size)
			continue;
		at = realloc(*data, size *= 2);
		if (!at)
			free(*data);
		*data = at;
	}
	if (*data && ferror(f)) {
		free(*data);
		*data = NULL;
	}
	if (f && path)
		fclose(f);
	return *data ? 0 : -1;
}

void text_file(struct text *t, const struct text_input *in)
{
	const char *name = t->name, *text = t->text, *end = t->end, *copied = t->copied;
	/* This first line switches off comments, of which such a text has none. */
	size_t skip = in->n >= 8 && !strncmp(in->text, "#NO_APP\n", 8) ? 8 : 0;

	t->name = in->name;
	t->text = in->text;
	t->end = in->text + in->n;
	t->copied = in->text + skip;
	t->prefix = NULL;
	text_printf(&t->out, "# %d \"%s\"\n", skip ? 2 : 1, in->name);
	text_scan(t);
	text_copy(t, t->end, t->end);
	t->prefix = NULL;
	t->name = name;
	t->text = text;
	t->end = end;
	t->copied = copied;
}

static void read_all(struct text *t, const struct text_input *in, unsigned n)
{
	bool intel = t->intel, naked = t->naked;

	t->out.len = 0;
	t->sites = t->left16 = t->left_user = t->nstack = t->nmacro = t->depth = 0;
	t->now = (struct text_place){ .bits = t->bits64 ? 64 : 32, .code = true };
	t->mode = TM_REWRITE;
	t->macros = t->parametric;
	text_prelude(t, &t->out);
	for (unsigned i = 0; i < n && !t->failed; i++) {
		text_file(t, &in[i]);
		if (t->out.len && t->out.at[t->out.len - 1] != '\n')
			text_add(&t->out, "\n", 1);
	}
	t->intel = intel;
	t->naked = naked;
}

int text_rewrite(struct text *t, const struct text_input *in, unsigned n, struct error *e)
{
	t->error = e;
	t->any_intel = t->intel;
	text_words_make(&t->words);
	read_all(t, in, n);
	/* What the second reading needs was seen only by the first one. */
	if (!t->failed && (t->parametric || t->any_intel || t->entry))
		read_all(t, in, n);
	if (t->out.failed && !t->failed) {
		t->failed = true;
		fail(e, ST_HOST, "%s: out of memory", n ? in->name : "-");
	}
	return t->failed ? -1 : 0;
}

void text_free(struct text *t)
{
	free(t->out.at);
	t->out = (struct text_buf){ .at = NULL };
}
