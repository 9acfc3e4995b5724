/* SPDX-License-Identifier: BSD-2-Clause */
/* Standard descriptors and the signals that end or stop the process. */
#define _GNU_SOURCE
#include "hostos/process.h"

#include "hostos/console.h"
#include "hostos/linux/terminal.h"
#include "hostos/linux/threads.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/* How long the VM may take to end after the first signal. */
#define GRACE_SECONDS 5

static const int handled[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGCONT };
/* Ends the thread.  (pthread_cancel() would load a library then, which fails when
 * memory or descriptors are short.) */
#define SIG_END SIGUSR2

/* Signals belong to the process, hence the file scope. */
static struct {
	pthread_t thread;
	bool running;
	void (*quit)(void *ctx, const char *name);
	void *ctx;
} signals;

void host_process_init(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
}

/* Those that our parent did not want ignored (nohup, a shell's background jobs). */
static void handled_set(sigset_t *set)
{
	struct sigaction now;

	sigemptyset(set);
	for (size_t i = 0; i < sizeof(handled) / sizeof(handled[0]); i++)
		if (sigaction(handled[i], NULL, &now) == 0 && now.sa_handler != SIG_IGN)
			sigaddset(set, handled[i]);
}

static void call_quit(int sig)
{
	const char *name = sigabbrev_np(sig);

	signals.quit(signals.ctx, name ? name : "?");
}

/* Dies of sig, as if it had never been caught. */
static _Noreturn void die_of(int sig)
{
	sigset_t set;

	host_console_restore_terminal();
	signal(sig, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, sig);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	raise(sig);
	_exit(ST_KILLED);
}

static void stop_process(void)
{
	host_console_restore_terminal();
	kill(getpid(), SIGSTOP);
}

/* The VM has been told to end: waits for that, but not for ever. */
static void grace(const sigset_t *set, int sig)
{
	const struct timespec limit = { .tv_sec = GRACE_SECONDS };
	int again;

	do
		again = sigtimedwait(set, NULL, &limit);
	while ((again < 0 && errno == EINTR) || again == SIGTSTP || again == SIGCONT);
	if (again == SIG_END)
		return;
	die_of(again > 0 ? again : sig);
}

static void *signal_thread(void *arg)
{
	sigset_t set;
	int sig;

	(void)arg;
	handled_set(&set);
	sigaddset(&set, SIG_END);
	for (;;) {
		if (sigwait(&set, &sig) != 0)
			continue;
		if (sig == SIG_END)
			break;
		if (sig == SIGTSTP) {
			stop_process();
		} else if (sig == SIGCONT) {
			terminal_resume();
		} else {
			call_quit(sig);
			grace(&set, sig);
			break;
		}
	}
	return NULL;
}

int host_signals_start(void (*quit)(void *ctx, const char *name), void *ctx, struct error *e)
{
	sigset_t set;
	int error;

	signals.quit = quit;
	signals.ctx = ctx;
	handled_set(&set);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	error = thread_start(&signals.thread, 0, signal_thread, NULL);
	if (error)
		return fail(e, ST_HOST, "signals: cannot create a thread: %s; "
			    "raise the limit of processes (ulimit -u)", strerror(error));
	signals.running = true;
	return 0;
}

void host_signals_stop(void)
{
	sigset_t set;

	if (!signals.running)
		return;
	pthread_kill(signals.thread, SIG_END);
	pthread_join(signals.thread, NULL);
	signals.running = false;
	handled_set(&set);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}
