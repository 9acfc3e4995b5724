/* SPDX-License-Identifier: BSD-2-Clause */
/* The command `lilyvm gdb`. */
#ifndef LILYVM_DEBUGGER_H
#define LILYVM_DEBUGGER_H

#include "error.h"

/* Runs a VM that waits for its debugger, and gdb on it; returns an exit status. */
int debugger_run(int argc, char **argv, struct error *e);
/* For `lilyvm help gdb`. */
extern const char debugger_help[];

#endif
