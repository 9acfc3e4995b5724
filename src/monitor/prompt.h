/* SPDX-License-Identifier: BSD-2-Clause */
/* The monitor prompt on the console: a line of input, a command, its answer. */
#ifndef LILYVM_PROMPT_H
#define LILYVM_PROMPT_H

#include "vm.h"

struct prompt {
	char line[128];
	size_t len;
	bool after_cr;		/* the last byte was a CR: an LF belongs to it */
};

enum prompt_result { PROMPT_STAY, PROMPT_LEAVE };

/* Shows the prompt. */
void prompt_start(struct prompt *p, FILE *out);
/*
 * Takes one byte of input; a whole line runs its command on the VM's thread.
 * Editing: backspace, Ctrl-U; Ctrl-C and Ctrl-D leave.  Echo and answers go to
 * out with bare newlines.
 */
enum prompt_result prompt_input(struct prompt *p, struct vm *vm, uint8_t byte, FILE *out);

#endif
