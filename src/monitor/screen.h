/* SPDX-License-Identifier: BSD-2-Clause */
/* What the guest shows on its text screen. */
#ifndef LILYVM_SCREEN_H
#define LILYVM_SCREEN_H

#include <stdio.h>

struct vm;

/* Prints the screen, for the monitor prompt's `info vga`: its size, the cursor and the
 * characters; those that are not ASCII as dots. */
void screen_print(struct vm *vm, FILE *out);

#endif
