/* SPDX-License-Identifier: BSD-2-Clause */
/* Which code of a kernel tree is user mode's or runs before the kernel, and is not
 * to be rewritten: shell patterns for files, sections and symbols.  And where the kernel
 * is entered (entry:PATTERN, a symbol). */
#ifndef LILYVM_TEXTUSER_H
#define LILYVM_TEXTUSER_H

#include <stdbool.h>
#include <stddef.h>

enum text_user_type { TU_FILE, TU_SECTION, TU_SYMBOL, TU_ENTRY };

struct text_user {
	const char *list;	/* "file:PATTERN", "section:...", "symbol:...", "entry:...", one a line */
};

/*
 * Does a pattern, of the list or of the built-in ones, match?  A file's pattern
 * matches at any directory: "vdso/" "*" matches "../arch/x86/entry/vdso/note.S".
 */
bool text_user_match(const struct text_user *u, enum text_user_type type, const char *name,
		     size_t n);

/* Is it a pattern as above? */
bool text_user_valid(const char *pattern);

/* Does a pattern for files match the name, at any directory? */
bool text_user_match_file(const char *pattern, const char *name);

#endif
