/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Raw mode of the terminal and its restoration.
 *
 * A process has one terminal, and exit() and signal handlers give no argument
 * to find it by: this is why its state stands at file scope.
 */
#define _GNU_SOURCE
#include "hostos/linux/terminal.h"

#include "hostos/console.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

static struct {
	int fd;				/* -1: none */
	volatile sig_atomic_t raw;
	struct termios saved, rawmode;
	int guard;			/* pipe to the guard process, -1: none */
} terminal = { .fd = -1, .guard = -1 };

/* tcsetattr() that neither stops a process in the background nor gives up on
 * a signal. */
static void set_modes(int fd, const struct termios *t)
{
	sigset_t ttou, before;

	sigemptyset(&ttou);
	sigaddset(&ttou, SIGTTOU);
	pthread_sigmask(SIG_BLOCK, &ttou, &before);
	while (tcsetattr(fd, TCSANOW, t) < 0 && errno == EINTR)
		;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static bool same_modes(const struct termios *a, const struct termios *b)
{
	return a->c_iflag == b->c_iflag && a->c_oflag == b->c_oflag && a->c_lflag == b->c_lflag;
}

/*
 * The guard waits for the end of the pipe, which comes at any death of ours;
 * a byte before means that the terminal is already restored.  It leaves the
 * terminal alone when the shell has changed the modes in the meantime.
 */
static _Noreturn void guard_process(int fd, int pipe_end)
{
	struct termios now;
	char done;

	dup2(fd, 0);
	dup2(pipe_end, 1);
	close_range(2, ~0u, 0);
	setsid();
	prctl(PR_SET_NAME, "lilyvm-terminal");
	if (read(1, &done, 1) == 0 && tcgetattr(0, &now) == 0 &&
	    same_modes(&now, &terminal.rawmode))
		set_modes(0, &terminal.saved);
	_exit(0);
}

/* Forked twice: the guard is no child of ours, and no wait() will see it. */
static void start_guard(void)
{
	sigset_t all, before;
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pid = fork();
	if (pid == 0) {
		close(ends[1]);
		if (fork() == 0)
			guard_process(terminal.fd, ends[0]);
		_exit(0);
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	close(ends[0]);
	if (pid < 0) {
		close(ends[1]);
		return;
	}
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	terminal.guard = ends[1];
}

static void make_rawmode(struct termios *t)
{
	t->c_iflag &= ~(tcflag_t)(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
	t->c_oflag |= OPOST;		/* our own messages end in a bare newline */
	t->c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | IEXTEN | ISIG);
	t->c_cflag &= ~(tcflag_t)(CSIZE | PARENB);
	t->c_cflag |= CS8;
	t->c_cc[VMIN] = 1;
	t->c_cc[VTIME] = 0;
}

bool terminal_acquire(int fd)
{
	if (tcgetattr(fd, &terminal.saved) < 0)
		return false;
	terminal.rawmode = terminal.saved;
	make_rawmode(&terminal.rawmode);
	terminal.fd = fd;
	start_guard();
	atexit(host_console_restore_terminal);
	terminal_resume();
	return true;
}

void terminal_resume(void)
{
	if (terminal.fd < 0 || terminal_background(terminal.fd))
		return;
	terminal.raw = 1;
	set_modes(terminal.fd, &terminal.rawmode);
}

void host_console_restore_terminal(void)
{
	if (terminal.fd < 0 || !terminal.raw)
		return;
	terminal.raw = 0;
	set_modes(terminal.fd, &terminal.saved);
}

void terminal_release(void)
{
	host_console_restore_terminal();
	terminal.fd = -1;
	if (terminal.guard >= 0) {
		while (write(terminal.guard, "d", 1) < 0 && errno == EINTR)
			;
		close(terminal.guard);
		terminal.guard = -1;
	}
}

bool terminal_background(int fd)
{
	pid_t foreground = tcgetpgrp(fd);

	return foreground > 0 && foreground != getpgrp();
}
