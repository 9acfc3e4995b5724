/* SPDX-License-Identifier: BSD-2-Clause */
/* The command line of `lilyvm run`. */
#ifndef LILYVM_OPTIONS_H
#define LILYVM_OPTIONS_H

#include "monitor/vm.h"

#define OPTIONS_MEMORY_MIN (8ull << 20)
#define OPTIONS_MEMORY_MAX (3ull << 30)
#define OPTIONS_MEMORY_DEFAULT (256ull << 20)

enum options_result {
	OPTIONS_RUN = 0,	/* *cfg is complete */
	OPTIONS_LIST = 1,	/* a list was asked for (--help, --cpu help): options_list() */
	OPTIONS_BAD = -1,	/* *e says what is wrong (ST_USAGE) */
};

/*
 * Parses argv[1..argc-1] (argv[0] is "run") into *cfg, whose strings point
 * into argv; argv is permuted and its words are cut at their separators.  No
 * file is opened.
 */
enum options_result options_parse(struct vm_config *cfg, int argc, char **argv, struct error *e);

/* Writes the list that the last word examined by options_parse() asked for. */
void options_list(const struct vm_config *cfg, FILE *out);
/* Writes all options with their meaning, for `lilyvm help run`. */
void options_help(FILE *out);

/*
 * Parses a size: a decimal number with the suffix K, M or G; without suffix
 * MiB, as QEMU's -m.  False if it is no number or beyond 2^40.
 */
bool options_size(const char *s, uint64_t *bytes);

#endif
