/* SPDX-License-Identifier: BSD-2-Clause */
/* Other programs, for the commands of `lilyvm` that need some. */
#ifndef LILYVM_HOSTOS_SPAWN_H
#define LILYVM_HOSTOS_SPAWN_H

#include "error.h"

#include <stdbool.h>

/* Makes a directory that only we can enter; its path is in path[size].  0, or
 * -1 with *e. */
int host_private_dir(char *path, unsigned size, struct error *e);
/* Removes it with the one file that may be left in it. */
void host_private_dir_remove(const char *path, const char *file);

struct host_program {
	int pid;
};

/* This program's own file, to be run again. */
extern const char host_self[];

/*
 * Runs argv[0], found in PATH, with our terminal; or in the background: without
 * input, away from the terminal's signals, and ended when we end in any way.
 * 0, or -1 with *e.
 */
int host_program_start(struct host_program *p, const char *const argv[], bool background,
		       struct error *e);
/* Waits until it ends; returns its exit status (128 + the signal's number). */
int host_program_wait(struct host_program *p);
/* Has it ended?  Then host_program_wait() returns at once. */
bool host_program_ended(struct host_program *p);
/* Asks it to end, as SIGTERM does. */
void host_program_end(struct host_program *p);

/* Waits until the file exists or p has ended; false: it does not exist. */
bool host_program_makes(struct host_program *p, const char *file);

/* While another program has the terminal, its keys' signals are not for us. */
void host_ignore_keys(void);

#endif
