/* SPDX-License-Identifier: BSD-2-Clause */
/* The target description: which registers there are, as XML ("Target
 * Descriptions" in gdb's manual). */
#ifndef LILYVM_GDB_FEATURES_H
#define LILYVM_GDB_FEATURES_H

#include <stdbool.h>
#include <stdio.h>

/* Writes the document that annex names; false: there is none. */
bool features_write(const char *annex, FILE *out);

#endif
