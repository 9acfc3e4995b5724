/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "hostos/linux/leftovers.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX 16

/* They belong to the process, hence the file scope. */
static struct {
	const char *path[MAX];
	unsigned n;
	int helper;			/* socket; 0: none */
} left;

void leftover_add(const char *path)
{
	if (left.n < MAX)
		left.path[left.n++] = path;
}

/* The helper has the same table: a name's place is its number. */
void leftover_remove(const char *path)
{
	for (unsigned i = 0; i < left.n; i++) {
		const uint8_t number = (uint8_t)i;
		uint8_t done;

		if (!left.path[i] || strcmp(left.path[i], path) != 0)
			continue;
		if (!left.helper)
			unlink(path);
		else if (write(left.helper, &number, 1) == 1)
			while (read(left.helper, &done, 1) < 0 && errno == EINTR)
				;
		left.path[i] = NULL;
		return;
	}
}

static void take_away(unsigned i)
{
	if (i < left.n && left.path[i])
		unlink(left.path[i]);
	if (i < left.n)
		left.path[i] = NULL;
}

static _Noreturn void helper(int fd)
{
	uint8_t number;
	ssize_t n;

	dup2(fd, 0);
	close_range(1, ~0u, 0);
	setsid();
	prctl(PR_SET_NAME, "lilyvm-leftovers");
	while ((n = read(0, &number, 1)) == 1 || (n < 0 && errno == EINTR)) {
		if (n < 0)
			continue;
		take_away(number);
		if (write(0, &number, 1) < 0)
			break;
	}
	for (unsigned i = 0; i < left.n; i++)
		take_away(i);
	_exit(0);
}

/* Forked twice: the helper is no child of ours, and no wait() will see it. */
int leftovers_entrust(struct error *e)
{
	sigset_t all, before;
	int ends[2];
	pid_t pid;

	if (!left.n || left.helper)
		return 0;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return fail(e, ST_HOST, "sandbox: socketpair: %s; raise the limits (ulimit)",
			    strerror(errno));
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pid = fork();
	if (pid == 0) {
		close(ends[1]);
		if (fork() == 0)
			helper(ends[0]);
		_exit(0);
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	close(ends[0]);
	if (pid < 0)
		return fail(e, ST_HOST, "sandbox: fork: %s; raise the limit of processes "
			    "(ulimit -u)", strerror(errno));
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	left.helper = ends[1];
	return 0;
}
