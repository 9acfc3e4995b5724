/* SPDX-License-Identifier: BSD-2-Clause */
/* The words that the text side knows: a hash table, made from insntab.c. */
#ifndef LILYVM_TEXTWORD_H
#define LILYVM_TEXTWORD_H

#include "rewriter/insn.h"

enum text_word_type {
	TW_INSN,
	TW_PREFIX,
};

struct text_word {
	char name[14];		/* lower case, as the assembler takes either */
	uint8_t len, type;
	uint8_t kind, form;	/* TW_INSN: enum insn_kind, insn_form */
};

#define TEXT_WORDS 320
#define TEXT_SLOTS 1024		/* a power of two, several times TEXT_WORDS */

struct text_words {
	struct text_word word[TEXT_WORDS];
	unsigned count;
	uint16_t slot[TEXT_SLOTS];	/* index + 1, 0: free */
};

void text_words_make(struct text_words *words);

/* The word s[n], or NULL. */
const struct text_word *text_word_find(const struct text_words *words, const char *s, size_t n);
/* Is it call or jmp, which are near ones as a rule? */
bool text_word_near(const struct text_word *w);
/* Does a known instruction, but for these, begin with s[n]? */
bool text_word_starts(const struct text_words *words, const char *s, size_t n);

#endif
