/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The text side of the rewriter: reads assembler text as GNU as does and puts
 * the forms of runtime/abi.h in the place of sensitive instructions.
 *
 * Statements whose mnemonic and operands are literal are rewritten where they
 * stand, in macro bodies, too.  Where a macro's parameter makes the instruction
 * (`\op %eax`, `push \reg`), macros of our own that bear the instructions' names
 * (textmacro.c) let the assembler decide at expansion.  What is not rewritten is
 * copied byte by byte, and each statement keeps its line.
 */
#ifndef LILYVM_TEXT_H
#define LILYVM_TEXT_H

#include "error.h"
#include "rewriter/textuser.h"
#include "rewriter/textword.h"

#include <stdbool.h>
#include <stddef.h>

struct text_buf {
	char *at;
	size_t len, size;
	bool failed;		/* memory ran out; what was added since is missing */
};

void text_add(struct text_buf *b, const char *s, size_t n);
void text_printf(struct text_buf *b, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#define TEXT_STACK 32		/* .pushsection */
#define TEXT_INCLUDES 16	/* .include */

/* A statement's place in the input. */
struct text_at {
	const char *start;	/* first prefix, or the mnemonic */
	const char *word, *word_end;	/* the mnemonic */
	const char *args, *args_end;	/* operands; comments may be among them */
	bool prefixed;		/* lock, rep, a segment or a size, before the mnemonic */
	bool first;		/* the mnemonic is its statement's first word */
};

/* What is done to code. */
enum text_mode { TM_REWRITE, TM_USER, TM_16BIT };

/* What a place in the text says of the code there. */
struct text_place {
	unsigned bits;		/* .code16, .code32, .code64 */
	bool user_code;		/* between labels that are marked as user mode's */
	bool user_section, code;	/* a marked section; one of code */
	bool previous, previous_code;	/* those of .previous */
};

struct text {
	/* Given. */
	bool bits64;		/* not --32: no sensitive instruction may come */
	bool intel, naked;	/* at the start: -msyntax=intel, -mnaked-reg */
	const char *const *dirs;	/* -I: where .include looks; NULL at the end */
	const struct text_user *user;	/* what is left alone; NULL: nothing */

	/* Results. */
	struct text_buf out;
	unsigned sites;		/* rewritten statements */
	unsigned left16, left_user;	/* sensitive, but in 16-bit code, in user-mode code */
	bool included;		/* there were .include directives; out has their files */

	/* While a text is read. */
	struct text_words words;
	const char *name, *text, *end;	/* the file and its contents */
	const char *copied;	/* up to here the text is in out */
	bool parametric;	/* a macro's parameter makes an instruction somewhere: */
	bool macros;		/* the second reading, with macros that catch it */
	bool any_intel;		/* .intel_syntax somewhere */
	bool entry;		/* the kernel's entry is here */
	const char *prefix;	/* prefixes that wait for their instruction, or NULL */
	bool prefix_cut;	/* by a label or directive */
	unsigned depth;		/* of .include */
	struct text_place now, stack[TEXT_STACK], macro;	/* macro: where .macro stands */
	unsigned nstack, nmacro;
	enum text_mode mode, macro_mode;	/* in which our macros are */
	struct error *error;	/* the first one */
	bool failed;
};

struct text_input {
	const char *name, *text;
	size_t n;
};

/*
 * Rewrites the inputs, which the assembler would read one behind the other, to
 * t->out.  If none of t->sites, t->left_user and t->included is set, t->out has nothing
 * that the inputs do not have.  0, or -1 with *e: "FILE:LINE: what is wrong".
 */
int text_rewrite(struct text *t, const struct text_input *in, unsigned n, struct error *e);
void text_free(struct text *t);

/* Reads a whole file, standard input if path is NULL; the caller frees it.  0, or
 * -1 (errno). */
int text_read(const char *path, char **data, size_t *n);

/* ---- between the files of the text side ---- */

/* text.c: fails with the line of at. */
void text_fail(struct text *t, const char *at, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Copies the input up to `to`, goes on at `next`. */
void text_copy(struct text *t, const char *to, const char *next);
enum text_mode text_mode(const struct text *t);
/* Copies the input up to `at` and writes there what switches our macros, if the mode
 * has changed. */
void text_switch(struct text *t, const char *at);
/* Writes a line marker for the line of at. */
void text_marker(struct text *t, const char *at);
/* One file, at the top or included. */
void text_file(struct text *t, const struct text_input *in);

/* textscan.c: the statements of t->text. */
void text_scan(struct text *t);
/* Behind blanks and comments. */
const char *text_blanks(const char *p, const char *end);

/* textdir.c: a directive. */
void text_directive(struct text *t, const struct text_at *s);

/* textform.c: an instruction that the table knows. */
void text_insn(struct text *t, const struct text_at *s, const struct text_word *w);
/* A .byte directive that may be an instruction. */
void text_bytes(struct text *t, const struct text_at *s);
/* A mnemonic that a macro's parameter makes. */
void text_parametric(struct text *t, const struct text_at *s);

/* textmacro.c: the text in front: macros for sites, and if t->macros, those that
 * bear instructions' names. */
void text_prelude(const struct text *t, struct text_buf *out);

/* textentry.c: defines the macro lilyvm.entry, what stands at the kernel's entry. */
void text_entry_macro(struct text_buf *out);

#endif
