/* SPDX-License-Identifier: BSD-2-Clause */
/* The monitor as a process of the host: standard descriptors, ending signals. */
#ifndef LILYVM_HOSTOS_PROCESS_H
#define LILYVM_HOSTOS_PROCESS_H

#include "error.h"

#include <stdbool.h>

/*
 * To be called first of all: opens /dev/null on standard descriptors that are
 * closed, so that no file of ours becomes "standard output", and makes a write
 * to a closed pipe (EPIPE) or beyond the limit of file sizes (EFBIG) an error
 * instead of a silent death.
 */
void host_process_init(void);

/*
 * Turns SIGHUP, SIGINT, SIGQUIT and SIGTERM into calls of quit(ctx, name) from
 * a thread of its own, never from a handler: the VM's thread may be in guest
 * code, with the guest's stack and segments, when the signal comes.  The
 * process dies of the signal, with the terminal restored, if it is still there a few
 * seconds after quit(), or when a second signal comes.
 *
 * SIGTSTP stops the process with the terminal restored; SIGCONT makes it raw
 * again.
 *
 * The signals are blocked in the caller and all threads and children that it makes; other
 * threads must have blocked them.  0, or -1 with *e.
 */
int host_signals_start(void (*quit)(void *ctx, const char *name), void *ctx, struct error *e);

/* Ends the thread and gives the signals back their default action. */
void host_signals_stop(void);

#endif
