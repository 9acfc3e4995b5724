/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The console's back end on the host: bytes in, bytes out.  A reader thread
 * waits for input and kicks the VM.
 */
#ifndef LILYVM_HOSTOS_CONSOLE_H
#define LILYVM_HOSTOS_CONSOLE_H

#include "error.h"

#include <stddef.h>
#include <stdint.h>

struct host_console;

enum host_console_kind { HOST_CONSOLE_STDIO, HOST_CONSOLE_FILE, HOST_CONSOLE_PTY,
			 HOST_CONSOLE_UNIX, HOST_CONSOLE_NONE };

/*
 * Opens the back end.  STDIO puts a terminal into raw mode; FILE truncates and
 * writes path, no input; PTY announces the slave's name on standard error;
 * UNIX listens on path and serves one client at a time (output without a
 * client is dropped).  kick(ctx) is called from the reader thread when input
 * has arrived.  0, or -1 with *e.
 */
int host_console_open(struct host_console **c, enum host_console_kind kind, const char *path,
		      void (*kick)(void *ctx), void *ctx, struct error *e);
/* Restores the terminal; safe to call twice (*c becomes NULL). */
void host_console_close(struct host_console **c);
/* Takes up to n bytes that have arrived; 0 if none. Never blocks. */
size_t host_console_read(struct host_console *c, uint8_t *buf, size_t n);
/* Writes all n bytes (waits for a slow reader; gives up when it is gone). */
void host_console_write(struct host_console *c, const uint8_t *buf, size_t n);
/* Makes a writer that waits for a slow reader give up, now and from now on: the
 * VM is ending.  From any thread. */
void host_console_cancel(struct host_console *c);
/* Restores the terminal from a signal handler or before a crash. */
void host_console_restore_terminal(void);

#endif
