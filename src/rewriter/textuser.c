/* SPDX-License-Identifier: BSD-2-Clause */
#include "rewriter/textuser.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

static const char *const type_names[] = {
	[TU_FILE] = "file:", [TU_SECTION] = "section:", [TU_SYMBOL] = "symbol:",
	[TU_ENTRY] = "entry:",
};

/*
 * Linux: the vdso is user mode's; the boot code, the real-mode trampoline, purgatory
 * and the EFI stub run outside of the kernel.  The BSDs copy sigcode to user mode.
 * Sections .user are for whoever writes a kernel.  Linux is entered at startup_32,
 * FreeBSD at btext.
 */
static const char defaults[] =
	"file:arch/x86/entry/vdso/*\n"
	"file:arch/x86/vdso/*\n"
	"file:arch/*/boot/*\n"
	"file:arch/x86/realmode/rm/*\n"
	"file:arch/x86/purgatory/*\n"
	"file:drivers/firmware/efi/libstub/*\n"
	"section:.user\n"
	"section:.user.*\n"
	"symbol:sigcode\n"
	"symbol:*_sigcode\n"
	"symbol:*_rt_sigcode\n"
	"symbol:*osigcode\n"
	"symbol:sigtramp*\n"
	"entry:startup_32\n"
	"entry:btext\n";

/* A pattern for files may match behind any slash. */
static bool match(enum text_user_type type, const char *pattern, const char *name)
{
	if (fnmatch(pattern, name, 0) == 0)
		return true;
	for (; type == TU_FILE && (name = strchr(name, '/')); )
		if (fnmatch(pattern, ++name, 0) == 0)
			return true;
	return false;
}

bool text_user_match_file(const char *pattern, const char *name)
{
	return match(TU_FILE, pattern, name);
}

static bool match_list(const char *list, enum text_user_type type, const char *name)
{
	const char *tag = type_names[type];
	char pattern[256];

	while (*list) {
		size_t n = strcspn(list, "\n"), skip = strlen(tag);

		if (n > skip && n - skip < sizeof(pattern) && !strncmp(list, tag, skip)) {
			snprintf(pattern, sizeof(pattern), "%.*s", (int)(n - skip), list + skip);
			if (match(type, pattern, name))
				return true;
		}
		list += n + (list[n] == '\n');
	}
	return false;
}

bool text_user_match(const struct text_user *u, enum text_user_type type, const char *name,
		     size_t n)
{
	char copy[1024];

	if (!u || n >= sizeof(copy))
		return false;
	memcpy(copy, name, n);
	copy[n] = '\0';
	return match_list(defaults, type, copy) || (u->list && match_list(u->list, type, copy));
}

bool text_user_valid(const char *pattern)
{
	for (unsigned i = 0; i < sizeof(type_names) / sizeof(type_names[0]); i++) {
		size_t n = strlen(type_names[i]);

		if (!strncmp(pattern, type_names[i], n) && pattern[n] && strlen(pattern) < 256 &&
		    !strchr(pattern, '\n'))
			return true;
	}
	return false;
}
