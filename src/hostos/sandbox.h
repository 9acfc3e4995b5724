/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The process's own sandbox.  Guest kernel code shares the process with the monitor, and
 * one that is hostile can use all of its memory and make system calls in its name.  What
 * those may do is decided here, before the guest's first instruction.  In this order:
 *
 *	host_sandbox_prepare()	before anything is opened
 *	...			opening all that the VM is given
 *	host_sandbox_enclose()
 *	engine_create()		children belong to the enclosure
 *	host_sandbox_release()
 *	...			threads may be made
 *	host_sandbox_close()	and then the guest runs
 *
 * README's "Security" says what each wall holds.
 */
#ifndef LILYVM_HOSTOS_SANDBOX_H
#define LILYVM_HOSTOS_SANDBOX_H

#include "error.h"

#include <stdbool.h>
#include <stdint.h>

/* What the VM has been given, as far as it takes system calls of its own. */
struct host_sandbox {
	bool stdio;		/* standard input and output are the console's or gdb's */
	bool listens;		/* somebody may connect to a console, cable or debugger port */
	bool cable;		/* frames go through a socket */
	bool user_net;		/* libslirp, for which connections come from outside */
	bool connects;		/* and which opens sockets for those of the guest */
	uint64_t memory;	/* bytes that it may come to need, for disks' snapshots */
	const char *engine;	/* of guest user code (engine_ops.name) */
	int ram;		/* host_ram.handle */
};

/* Notes what the process has inherited, and holds back the threads of back ends. */
void host_sandbox_prepare(void);
/*
 * The process loses what it has inherited and does not need: descriptors, standard input
 * and output unless s->stdio, the right to gain privileges; with landlock, where the host
 * has it, everything in the file system, TCP, and signals and ptrace to others.  What is
 * open stays open.  0, or -1 with *e.
 */
int host_sandbox_enclose(const struct host_sandbox *s, struct error *e);
/* Starts the threads that have been held back; 0, or -1 with *e. */
int host_sandbox_release(struct error *e);
/*
 * From now on all threads of the process make only system calls that running and ending
 * the VM takes; with any other it dies, with a message that names the call and the status
 * ST_SANDBOX.  Memory, core files and descriptors are limited.  0, or -1 with *e.
 */
int host_sandbox_close(const struct host_sandbox *s, struct error *e);

#endif
