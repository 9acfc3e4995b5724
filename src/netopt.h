/* SPDX-License-Identifier: BSD-2-Clause */
/* The argument of --net. */
#ifndef LILYVM_NETOPT_H
#define LILYVM_NETOPT_H

#include "monitor/vm.h"

/*
 * Parses BACKEND[,SETTING=VALUE...] and adds a network card to *cfg, whose strings
 * point into word, which is cut at its separators; nothing is opened.  0, or -1 with
 * *e (ST_USAGE).
 */
int netopt_add(struct vm_config *cfg, char *word, struct error *e);

#endif
