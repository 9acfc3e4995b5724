/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The error idiom of start-up, loading and tools: a function that can fail
 * takes a struct error, fills it through fail() and returns -1 (or NULL).  The
 * message names the thing, the cause and the mend; main() prints it once.
 */
#ifndef LILYVM_ERROR_H
#define LILYVM_ERROR_H

/* Exit statuses of `lilyvm`; documented in lilyvm(1). */
enum status {
	ST_OK = 0,		/* guest powered off, or halted for good */
	ST_LEFT = 1,		/* `lilyvm check`: something sensitive is left;
				   `lilyvm host`: something is missing */
	ST_USAGE = 64,		/* the command line is wrong */
	ST_IMAGE = 65,		/* a kernel, initrd or disk image is not usable */
	ST_NOINPUT = 66,	/* a file is missing or cannot be read */
	ST_HOST = 71,		/* a host call failed, or the host lacks something */
	ST_PANIC = 120,		/* the guest panicked, with --reboot exit */
	ST_TRIPLE = 121,	/* triple fault, with --reboot exit */
	ST_LIMIT = 122,		/* the guest did something LilyVM cannot emulate */
	ST_SANDBOX = 123,	/* a system call that the sandbox does not allow */
	ST_TIME = 124,		/* --time-limit ran out, as timeout(1) */
	ST_KILLED = 125,	/* ended by Ctrl-A x, `quit` or a signal */
};

struct error {
	int status;		/* enum status */
	char text[1024];
};

/* Fills *e; always returns -1. */
int fail(struct error *e, int status, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
