/* SPDX-License-Identifier: BSD-2-Clause */
/* Children of both user-mode engines. */
#ifndef LILYVM_CHILD_H
#define LILYVM_CHILD_H

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Kills one process.  (kill() could mean a group of them, or all of the user's: the
 * monitor's sandbox does not let it through.) */
static inline void child_kill(pid_t pid)
{
	syscall(SYS_tgkill, pid, pid, SIGKILL);
}

#endif
