/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "hostos/linux/threads.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>

struct held {
	pthread_t *thread;
	size_t stack;
	void *(*run)(void *);
	void *arg;
};

/* Disks, networks, console and debugger of one VM are fewer. */
#define HELD_MAX 32

/* Threads belong to the process, hence the file scope. */
static struct {
	bool holding;
	unsigned n;
	struct held held[HELD_MAX];
} threads;

static int create(const struct held *h)
{
	sigset_t all, before;
	pthread_attr_t attr;
	int err = pthread_attr_init(&attr);

	if (err)
		return err;
	if (h->stack)
		pthread_attr_setstacksize(&attr, h->stack);
	sigfillset(&all);
	/* The sandbox's, for what the thread does itself. */
	sigdelset(&all, SIGSYS);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(h->thread, &attr, h->run, h->arg);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return err;
}

int thread_start(pthread_t *thread, size_t stack, void *(*run)(void *), void *arg)
{
	const struct held h = { thread, stack, run, arg };

	if (!threads.holding)
		return create(&h);
	if (threads.n == HELD_MAX)
		return EAGAIN;
	threads.held[threads.n++] = h;
	return 0;
}

void thread_join(pthread_t *thread)
{
	for (unsigned i = 0; i < threads.n; i++)
		if (threads.held[i].thread == thread) {
			threads.held[i] = threads.held[--threads.n];
			return;
		}
	pthread_join(*thread, NULL);
}

void threads_hold(void)
{
	threads.holding = true;
}

int threads_release(void)
{
	threads.holding = false;
	while (threads.n) {
		int err = create(&threads.held[threads.n - 1]);

		if (err)
			return err;
		threads.n--;
	}
	return 0;
}
