/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From characters to statements, as GNU as reads i386 text on ELF systems:
 * statements end at newlines and semicolons; # begins a comment anywhere, / at a
 * statement's start; comments in C's form may be anywhere and span lines; strings
 * and character constants ('x) hide all of these.
 */
#include "rewriter/text.h"

#include <string.h>

/* ---- characters ---- */

enum { C_OTHER, C_WORD, C_SPECIAL };

/* Letters of symbols; a macro's parameter (\name) counts as one. */
static const unsigned char class[256] = {
	['0' ... '9'] = C_WORD, ['a' ... 'z'] = C_WORD, ['A' ... 'Z'] = C_WORD,
	['_'] = C_WORD, ['.'] = C_WORD, ['$'] = C_WORD, ['\\'] = C_WORD, ['@'] = C_WORD,
	[128 ... 255] = C_WORD,
	['\n'] = C_SPECIAL, [';'] = C_SPECIAL, ['#'] = C_SPECIAL, ['"'] = C_SPECIAL,
	['\''] = C_SPECIAL, ['/'] = C_SPECIAL,
};

static const char *skip_line(const char *p, const char *end)
{
	const char *nl = memchr(p, '\n', (size_t)(end - p));

	return nl ? nl : end;
}

/* p is behind the opening quote. */
static const char *skip_string(const char *p, const char *end)
{
	for (; p < end && *p != '"'; p++)
		if (*p == '\\')
			p++;
	return p < end ? p + 1 : end;
}

/* 'x, 'x', '\n, '\n'; p is behind the first quote. */
static const char *skip_char(const char *p, const char *end)
{
	if (p < end && *p == '\\')
		p++;
	p++;
	if (p < end && *p == '\'')
		p++;
	return p < end ? p : end;
}

static bool at_comment(const char *p, const char *end)
{
	return end - p >= 2 && p[0] == '/' && p[1] == '*';
}

/* p is at its slash. */
static const char *skip_comment(const char *p, const char *end)
{
	for (p += 2; end - p >= 2; p++)
		if (p[0] == '*' && p[1] == '/')
			return p + 2;
	return end;
}

const char *text_blanks(const char *p, const char *end)
{
	for (; p < end; p++) {
		if (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\f')
			continue;
		if (!at_comment(p, end))
			break;
		p = skip_comment(p, end) - 1;
	}
	return p;
}

/* The end of the statement that goes on at p: its newline, semicolon or comment. */
static const char *statement_end(const char *p, const char *end)
{
	for (; p < end; p++) {
		if (class[(unsigned char)*p] != C_SPECIAL)
			continue;
		switch (*p) {
		case '\n': case ';': case '#':
			return p;
		case '"':
			p = skip_string(p + 1, end) - 1;
			break;
		case '\'':
			p = skip_char(p + 1, end) - 1;
			break;
		case '/':
			if (at_comment(p, end))
				p = skip_comment(p, end) - 1;
			break;
		}
	}
	return end;
}

/* The end of a symbol, mnemonic or directive; \() stands between two parts of one. */
static const char *word_end(const char *p, const char *end)
{
	for (; p < end; p++) {
		if (*p == '\\' && end - p >= 3 && p[1] == '(' && p[2] == ')')
			p += 2;
		else if (class[(unsigned char)*p] != C_WORD)
			break;
	}
	return p;
}

/* ---- statements ---- */

/* next is behind its colon. */
static void label(struct text *t, const char *name, size_t n, const char *next)
{
	bool local = (*name >= '0' && *name <= '9') || (n > 2 && name[0] == '.' && name[1] == 'L');

	if (local)
		return;
	t->now.user_code = text_user_match(t->user, TU_SYMBOL, name, n);
	text_switch(t, next);
	if (text_mode(t) == TM_REWRITE && t->now.code && text_user_match(t->user, TU_ENTRY, name, n)) {
		text_copy(t, next, next);
		text_printf(&t->out, " lilyvm.entry; ");
		t->entry = true;
		t->sites++;
	}
}

static void instruction(struct text *t, const struct text_at *s, const struct text_word *w)
{
	if (memchr(s->word, '\\', (size_t)(s->word_end - s->word)))
		text_parametric(t, s);
	else if (w)
		text_insn(t, s, w);
	else if (t->now.bits == 64)
		text_insn(t, s, NULL);
}

/* A prefix at s->word: true, if its instruction follows in the same statement. */
static bool prefix(struct text *t, struct text_at *s)
{
	const char *next = text_blanks(s->word_end, t->end);

	s->prefixed = true;
	s->first = false;
	if (next < t->end && *next == '/' && !at_comment(next, t->end))
		next = text_blanks(next + 1, t->end);
	s->word = next;
	s->word_end = word_end(next, t->end);
	return s->word < s->word_end;
}

/* rep; 1: insb: what is put in front of the instruction would come behind the prefix. */
static void cut_prefix(struct text *t, const struct text_at *s)
{
	size_t n = (size_t)(s->word_end - s->word);

	t->prefix = NULL;
	if (text_word_find(&t->words, s->word, n) || memchr(s->word, '\\', n))
		text_fail(t, s->word, "a prefix is cut off from its instruction '%.*s' by a label or "
			  "directive; write both in one statement", (int)n, s->word);
}

/* s->start is behind the labels.  Returns where the statement ends. */
static const char *words(struct text *t, struct text_at *s)
{
	const struct text_word *w;
	bool more = true;

	s->first = true;
	if (t->prefix && t->prefix_cut) {
		cut_prefix(t, s);
	} else if (t->prefix) {
		s->start = t->prefix;
		s->prefixed = true;
	}
	while (more && (w = text_word_find(&t->words, s->word, (size_t)(s->word_end - s->word))) &&
	       w->type == TW_PREFIX)
		more = prefix(t, s);
	if (!more) {
		t->prefix = s->start;
		t->prefix_cut = false;
		return statement_end(s->word, t->end);
	}
	t->prefix = NULL;
	s->args = text_blanks(s->word_end, t->end);
	s->args_end = statement_end(s->args, t->end);
	instruction(t, s, w);
	return s->args_end;
}

/* Pseudo prefixes: {vex}, {disp32}. */
static const char *skip_braces(const char *p, const char *end)
{
	while (p < end && *p == '{') {
		while (p < end && *p != '}' && *p != '\n')
			p++;
		p = text_blanks(p + (p < end && *p == '}'), end);
	}
	return p;
}

/* The statement at p, labels included.  Returns where it ends. */
static const char *statement(struct text *t, const char *p)
{
	for (;;) {
		struct text_at s = { .start = text_blanks(p, t->end) };
		const char *next;

		p = s.start;
		if (p < t->end && *p == '/')
			return skip_line(p, t->end);
		if (p < t->end && *p == '"') {
			p = skip_string(p + 1, t->end);
			next = text_blanks(p, t->end);
			if (next == t->end || *next != ':')
				return statement_end(p, t->end);
			p = next + 1;
			continue;
		}
		s.word = skip_braces(p, t->end);
		s.word_end = word_end(s.word, t->end);
		next = text_blanks(s.word_end, t->end);
		if (s.word == s.word_end || (next < t->end && *next == '='))
			return statement_end(s.word_end, t->end);
		if (next < t->end && *next == ':') {
			t->prefix_cut = true;
			label(t, s.word, (size_t)(s.word_end - s.word), next + 1);
			p = next + 1;
			continue;
		}
		if (*s.word != '.')
			return words(t, &s);
		t->prefix_cut = true;
		s.args = next;
		s.args_end = statement_end(next, t->end);
		text_directive(t, &s);
		return s.args_end;
	}
}

void text_scan(struct text *t)
{
	const char *p = t->text;

	while (p < t->end && !t->failed && (t->macros || !t->parametric)) {
		p = statement(t, p);
		if (p < t->end && *p == '#')
			p = skip_line(p, t->end);
		if (p < t->end)
			p++;
	}
}
