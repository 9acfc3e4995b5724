/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names in the file system that have to go with the process: of sockets at which it
 * listens.  In the sandbox it can take away none; a helper process does, which was forked
 * before and knows no others.  It does so at any death of ours, too.
 */
#ifndef LILYVM_LEFTOVERS_H
#define LILYVM_LEFTOVERS_H

#include "error.h"

/* A name that has been made; its memory lasts until it is removed. */
void leftover_add(const char *path);
void leftover_remove(const char *path);
/* Forks the helper, if there is anything to do for it; 0, or -1 with *e. */
int leftovers_entrust(struct error *e);

#endif
