/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The terminal on standard input: raw while the VM has it, as it was before at
 * every way out of the process.  Private to src/hostos/linux.
 */
#ifndef LILYVM_HOSTOS_LINUX_TERMINAL_H
#define LILYVM_HOSTOS_LINUX_TERMINAL_H

#include <stdbool.h>

/*
 * Puts fd into raw mode (output processing stays on) if it is a terminal.  A
 * guard process puts it back should we die without a chance to (SIGKILL).
 * Returns whether fd is a terminal.
 */
bool terminal_acquire(int fd);
/* Restores the terminal for good. */
void terminal_release(void);
/* Are we in the background of fd's terminal?  Reading it would stop us. */
bool terminal_background(int fd);
/* Raw again, after a stop or when brought to the foreground. */
void terminal_resume(void);

#endif
