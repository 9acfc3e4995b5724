/* SPDX-License-Identifier: BSD-2-Clause */
/* The directives that matter: code size, syntax, sections, .include. */
#define _GNU_SOURCE		/* memmem */
#include "rewriter/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool has_word(const struct text_at *s, const char *word)
{
	size_t n = strlen(word);

	return (size_t)(s->args_end - s->args) >= n && !strncmp(s->args, word, n);
}

/* ---- code size ---- */

static void set_bits(struct text *t, const struct text_at *s, unsigned bits)
{
	t->now.bits = bits;
	text_switch(t, s->args_end);
}

static void code16(struct text *t, const struct text_at *s) { set_bits(t, s, 16); }
static void code32(struct text *t, const struct text_at *s) { set_bits(t, s, 32); }
static void code64(struct text *t, const struct text_at *s) { set_bits(t, s, 64); }

/* ---- syntax ---- */

static void intel_syntax(struct text *t, const struct text_at *s)
{
	t->intel = t->any_intel = true;
	t->naked = !has_word(s, "prefix");
}

static void att_syntax(struct text *t, const struct text_at *s)
{
	t->intel = false;
	t->naked = has_word(s, "noprefix");
}

static void altmacro(struct text *t, const struct text_at *s)
{
	text_fail(t, s->word, ".altmacro is not supported: its macros' parameters cannot be told "
		  "from other words; write the macro without it");
}

static void mri(struct text *t, const struct text_at *s)
{
	if (!has_word(s, "0"))
		text_fail(t, s->word, ".mri is not supported");
}

/* A symbol that stands for a register would hide what an instruction does. */
static void equate(struct text *t, const struct text_at *s)
{
	static const char *const sensitive[] = {
		"%es", "%cs", "%ss", "%ds", "%fs", "%gs", "%cr", "%db", "%dr",
	};
	const char *p = memchr(s->args, ',', (size_t)(s->args_end - s->args));

	if (!p)
		return;
	p = text_blanks(p + 1, s->args_end);
	for (unsigned i = 0; i < sizeof(sensitive) / sizeof(sensitive[0]); i++)
		if (s->args_end - p >= 3 && !strncasecmp(p, sensitive[i], 3))
			text_fail(t, s->word, "a symbol for a segment or control register is not "
				  "supported; write the register's name");
}

/* ---- sections ---- */

static void enter_section(struct text *t, const struct text_at *s, const char *name, size_t n,
			  bool code)
{
	t->now.previous = t->now.user_section;
	t->now.previous_code = t->now.code;
	t->now.user_section = text_user_match(t->user, TU_SECTION, name, n);
	t->now.code = code;
	text_switch(t, s->args_end);
}

/* By its flags, name,"ax"; the assembler knows without them what a section was before. */
static bool is_code(const char *name, const char *name_end, const char *end)
{
	const char *flags = memchr(name_end, ',', (size_t)(end - name_end));
	const char *open = flags ? memchr(flags, '"', (size_t)(end - flags)) : NULL;

	if (open)
		for (flags = open + 1; flags < end && *flags != '"'; flags++)
			if (*flags == 'x')
				return true;
	return !open && memmem(name, (size_t)(name_end - name), "text", 4);
}

static void enter_named(struct text *t, const struct text_at *s)
{
	const char *name = s->args, *end;
	bool quoted = name < s->args_end && *name == '"';

	for (end = name += quoted; end < s->args_end; end++)
		if (quoted ? *end == '"' : strchr(", \t", *end) != NULL)
			break;
	enter_section(t, s, name, (size_t)(end - name), is_code(name, end, s->args_end));
}

static void section(struct text *t, const struct text_at *s)
{
	t->now.user_code = false;
	enter_named(t, s);
}

/* .text and its kin */
static void section_itself(struct text *t, const struct text_at *s)
{
	t->now.user_code = false;
	enter_section(t, s, s->word, (size_t)(s->word_end - s->word), s->word[1] == 't');
}

/* What a symbol marks goes on in the code that .pushsection puts elsewhere. */
static void push_section(struct text *t, const struct text_at *s)
{
	if (t->nstack < TEXT_STACK)
		t->stack[t->nstack] = t->now;
	t->nstack++;
	enter_named(t, s);
}

static void pop_section(struct text *t, const struct text_at *s)
{
	unsigned bits = t->now.bits;

	if (t->nstack && --t->nstack < TEXT_STACK) {
		t->now = t->stack[t->nstack];
		t->now.bits = bits;
		text_switch(t, s->args_end);
	}
}

static void previous(struct text *t, const struct text_at *s)
{
	struct text_place was = t->now;

	t->now.previous = was.user_section;
	t->now.previous_code = was.code;
	t->now.user_section = was.previous;
	t->now.code = was.previous_code;
	t->now.user_code = false;
	text_switch(t, s->args_end);
}

/* ---- macros ---- */

/* A definition does nothing where it stands: what its body enters, it leaves. */
static void macro(struct text *t, const struct text_at *s)
{
	(void)s;
	if (!t->nmacro++) {
		t->macro = t->now;
		t->macro_mode = t->mode;
	}
}

static void endm(struct text *t, const struct text_at *s)
{
	(void)s;
	if (t->nmacro && !--t->nmacro) {
		t->now = t->macro;
		t->mode = t->macro_mode;
	}
}

/* ---- .include ---- */

static bool read_included(struct text *t, const char *name, char *path, size_t size, char **data,
			  size_t *n)
{
	snprintf(path, size, "%s", name);
	if (text_read(path, data, n) == 0)
		return true;
	for (const char *const *dir = t->dirs; dir && *dir; dir++) {
		if (snprintf(path, size, "%s/%s", *dir, name) < (int)size &&
		    text_read(path, data, n) == 0)
			return true;
	}
	return false;
}

/* The file's rewritten contents stand in its place. */
static void include(struct text *t, const struct text_at *s)
{
	const char *open = s->args, *close = NULL;
	char name[1024], path[2048], *data;
	size_t n;

	if (open < s->args_end && *open == '"')
		close = memchr(open + 1, '"', (size_t)(s->args_end - open - 1));
	if (!close || close - open > (int)sizeof(name) ||
	    memchr(open, '\\', (size_t)(close - open)))
		return text_fail(t, s->word, ".include: a file's name in quotes is wanted");
	snprintf(name, sizeof(name), "%.*s", (int)(close - open - 1), open + 1);
	if (t->depth == TEXT_INCLUDES)
		return text_fail(t, s->word, ".include: %s: too deep", name);
	if (!read_included(t, name, path, sizeof(path), &data, &n))
		return text_fail(t, s->word, ".include: cannot read %s", name);
	text_copy(t, s->start, s->args_end);
	text_printf(&t->out, "\n");
	t->depth++;
	t->included = true;
	text_file(t, &(struct text_input){ .name = path, .text = data, .n = n });
	t->depth--;
	free(data);
	text_printf(&t->out, "\n");
	text_marker(t, s->word);
}

/* ---- all of them ---- */

static const struct {
	const char *name;
	void (*handle)(struct text *t, const struct text_at *s);
} directives[] = {
	{ ".code16", code16 }, { ".code16gcc", code16 }, { ".code32", code32 },
	{ ".code64", code64 },
	{ ".intel_syntax", intel_syntax }, { ".att_syntax", att_syntax },
	{ ".altmacro", altmacro }, { ".mri", mri },
	{ ".set", equate }, { ".equ", equate }, { ".equiv", equate }, { ".eqv", equate },
	{ ".section", section }, { ".text", section_itself }, { ".data", section_itself },
	{ ".bss", section_itself }, { ".previous", previous },
	{ ".pushsection", push_section }, { ".popsection", pop_section },
	{ ".macro", macro }, { ".endm", endm }, { ".byte", text_bytes },
	{ ".include", include },
};

void text_directive(struct text *t, const struct text_at *s)
{
	size_t n = (size_t)(s->word_end - s->word);

	for (unsigned i = 0; i < sizeof(directives) / sizeof(directives[0]); i++)
		if (strlen(directives[i].name) == n &&
		    !strncasecmp(directives[i].name, s->word, n))
			return directives[i].handle(t, s);
}
