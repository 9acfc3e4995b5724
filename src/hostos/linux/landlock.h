/* SPDX-License-Identifier: BSD-2-Clause */
/* Landlock by raw system calls: C libraries have none, and headers may be older than the
 * host. */
#ifndef LILYVM_LANDLOCK_H
#define LILYVM_LANDLOCK_H

#include <stdbool.h>

/* The host's version of it; 0: it has none. */
int landlock_version(void);
/* Since which it can forbid TCP, and signals to others. */
#define LANDLOCK_TCP 4
#define LANDLOCK_SIGNALS 6
/* The calling thread, and what it makes later, can open nothing, make and remove nothing
 * in the file system, and reach no process outside; TCP: nor bind or connect any more.
 * 0, or an errno value. */
int landlock_enclose(bool tcp);

#endif
