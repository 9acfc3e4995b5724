/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Threads of back ends.  They take no signals: the VM's are its own thread's business, and
 * those that end the process have a thread of theirs (hostos/process.h).
 *
 * A sandbox that is set up thread by thread (landlock) has to stand before there are
 * others, and what it forbids has to be done before: opening what the threads work on.
 * So threads can be held until it stands.
 */
#ifndef LILYVM_THREADS_H
#define LILYVM_THREADS_H

#include <pthread.h>
#include <stddef.h>

/* Starts a thread with so much stack (0: as the host likes); 0, or an errno value.  *thread
 * lasts as long as it does. */
int thread_start(pthread_t *thread, size_t stack, void *(*run)(void *), void *arg);
/* Waits for its end; one that is held never begins. */
void thread_join(pthread_t *thread);

/* From now on threads are held, until they are started all; 0, or an errno value. */
void threads_hold(void);
int threads_release(void);

#endif
