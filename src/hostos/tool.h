/* SPDX-License-Identifier: BSD-2-Clause */
/* What lilyvm-as and lilyvm-cc, which stand in front of other programs, need. */
#ifndef LILYVM_HOSTOS_TOOL_H
#define LILYVM_HOSTOS_TOOL_H

#include "error.h"

#include <stddef.h>

/* The directory of this program's file, links resolved, in path[size].  0, or -1 with *e. */
int host_self_dir(char *path, size_t size, struct error *e);

/* Is there a directory entry that can be executed? */
int host_executable(const char *path);

/* The program name of PATH that is not this program's file, in path[size].  0, or
 * -1 with *e. */
int host_find_other(const char *name, char *path, size_t size, struct error *e);

/* Makes text[n] the standard input of what host_become() runs.  0, or -1 with *e. */
int host_stdin_text(const char *text, size_t n, struct error *e);

/* Becomes the program argv[0], which is looked up in PATH if there is no slash in it.
 * Returns -1 with *e. */
int host_become(const char *const argv[], struct error *e);

#endif
