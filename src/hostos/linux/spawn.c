/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "hostos/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

const char host_self[] = "/proc/self/exe";

int host_private_dir(char *path, unsigned size, struct error *e)
{
	const char *tmp = getenv("TMPDIR");
	int n = snprintf(path, size, "%s/lilyvm.XXXXXX", tmp && *tmp ? tmp : "/tmp");

	if (n < 0 || (unsigned)n >= size || !mkdtemp(path))
		return fail(e, ST_HOST,
			    "cannot make a directory %s: %s; set TMPDIR to another place", path,
			    strerror(n < (int)size ? errno : ENAMETOOLONG));
	return 0;
}

void host_private_dir_remove(const char *path, const char *file)
{
	unlink(file);
	rmdir(path);
}

/* In the child: never returns.  failed is closed by a successful exec. */
static _Noreturn void become(const char *const argv[], bool background, pid_t parent, int failed)
{
	sigset_t none;
	int error;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGINT, SIG_DFL);
	signal(SIGQUIT, SIG_DFL);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGXFSZ, SIG_DFL);
	if (background) {
		int null = open("/dev/null", O_RDONLY);

		setpgid(0, 0);
		if (null >= 0)
			dup2(null, STDIN_FILENO);
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		if (getppid() != parent)
			_exit(ST_KILLED);
	}
	execvp(argv[0], (char *const *)argv);
	error = errno;
	if (write(failed, &error, sizeof(error)) < 0)
		_exit(ST_HOST);
	_exit(ST_HOST);
}

int host_program_start(struct host_program *p, const char *const argv[], bool background,
		       struct error *e)
{
	pid_t self = getpid();
	int ends[2], error = 0;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return fail(e, ST_HOST, "cannot make a pipe: %s; raise the limits (ulimit)",
			    strerror(errno));
	fflush(NULL);
	p->pid = fork();
	if (p->pid == 0)
		become(argv, background, self, ends[1]);
	close(ends[1]);
	if (p->pid < 0)
		error = errno;
	else if (read(ends[0], &error, sizeof(error)) > 0)
		waitpid(p->pid, NULL, 0);
	close(ends[0]);
	if (error)
		return fail(e, ST_HOST, "cannot run %s: %s; is it installed?", argv[0],
			    strerror(error));
	return 0;
}

int host_program_wait(struct host_program *p)
{
	int status;

	while (waitpid(p->pid, &status, 0) < 0)
		if (errno != EINTR)
			return ST_HOST;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

bool host_program_ended(struct host_program *p)
{
	siginfo_t info = { .si_pid = 0 };

	return waitid(P_PID, (id_t)p->pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid;
}

void host_program_end(struct host_program *p)
{
	kill(p->pid, SIGTERM);
}

bool host_program_makes(struct host_program *p, const char *file)
{
	const struct timespec pause = { .tv_nsec = 10000000 };

	while (access(file, F_OK) < 0) {
		if (host_program_ended(p))
			return false;
		nanosleep(&pause, NULL);
	}
	return true;
}

void host_ignore_keys(void)
{
	signal(SIGINT, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
}
