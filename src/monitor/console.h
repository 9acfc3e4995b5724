/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest's console: joins the host's back end with the guest's serial port,
 * takes out the keys that are for LilyVM (those of QEMU: Ctrl-A and a letter),
 * and watches the output for a kernel's panic message.
 */
#ifndef LILYVM_CONSOLE_H
#define LILYVM_CONSOLE_H

#include "vm.h"

struct console;

/* Opens the back end that cfg names.  kick(ctx) is called from another thread
 * when console_poll() has something to do.  0, or -1 with *e. */
int console_open(struct console **c, const struct vm_config *cfg,
		 void (*kick)(void *ctx), void *ctx, struct error *e);
/* Restores the terminal; safe to call twice (*c becomes NULL). */
void console_close(struct console **c);

/*
 * Carries input on: keys and prompt commands are obeyed at once, everything
 * else goes to vm_console_input().  What the serial port cannot take yet is
 * kept for the next call, which is due after a kick and whenever the guest has
 * read from the port.  On the VM's thread; never blocks.
 */
void console_poll(struct console *c, struct vm *vm);
/* Is there input that the serial port did not take yet? */
bool console_pending(const struct console *c);

/* What the guest's serial port sends; on the VM's thread. */
void console_output(struct console *c, const uint8_t *buf, size_t n);
/* Output must not wait any more, the VM is ending; from any thread. */
void console_cancel(struct console *c);

/*
 * Has the guest printed a panic message since console_forget_panic()?  Known
 * are "Kernel panic - not syncing" (Linux, kernel/panic.c) and "panic: " (the
 * BSDs) at the start of a line, behind any "[timestamp]".
 */
bool console_saw_panic(const struct console *c);
/* The machine was reset. */
void console_forget_panic(struct console *c);

#endif
