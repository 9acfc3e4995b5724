/* SPDX-License-Identifier: BSD-2-Clause */
/* POSIX threads and thread-local storage. */
#define _GNU_SOURCE
#include "harness.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

static __thread uint32_t tls_value = 7;
static __thread uint8_t tls_block[4096];

static void *count_tls(void *arg)
{
	uint32_t id = (uint32_t)(uintptr_t)arg;

	CHECK(tls_value == 7, "thread %u starts with %u", id, tls_value);
	memset(tls_block, (int)id, sizeof(tls_block));
	for (uint32_t i = 0; i < 200; i++) {
		tls_value = id * 1000 + i;
		if (i % 10 == 0)
			usleep(100);
		CHECK(tls_value == id * 1000 + i, "thread %u reads %u", id, tls_value);
		CHECK(tls_block[i] == (uint8_t)id && tls_block[4095 - i] == (uint8_t)id,
		      "thread %u: another thread's block", id);
	}
	return NULL;
}

static void check_tls(const void *arg)
{
	enum { N = 8 };
	pthread_t t[N];

	(void)arg;
	for (uintptr_t i = 0; i < N; i++)
		CHECK(!pthread_create(&t[i], NULL, count_tls, (void *)i), "pthread_create");
	for (int i = 0; i < N; i++)
		pthread_join(t[i], NULL);
	CHECK(tls_value == 7, "the main thread's value is %u", tls_value);
}

static void *twice(void *arg)
{
	return (void *)((uintptr_t)arg * 2);
}

/* All 100 are alive before the first is joined. */
static void check_hundred(const void *arg)
{
	enum { N = 100 };
	pthread_t t[N];
	pthread_attr_t attr;
	void *result;

	(void)arg;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 65536);
	for (int round = 0; round < 3; round++) {
		for (uintptr_t i = 0; i < N; i++)
			CHECK(!pthread_create(&t[i], &attr, twice, (void *)i), "create %u",
			      (unsigned)i);
		for (uintptr_t i = 0; i < N; i++) {
			CHECK(!pthread_join(t[i], &result), "join %u", (unsigned)i);
			CHECK(result == (void *)(i * 2), "thread %u gave %p", (unsigned)i, result);
		}
	}
}

static struct {
	pthread_mutex_t mutex;
	pthread_cond_t cond;
	unsigned turn, count;
} ball = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0 };

enum { ROUNDS = 2000 };

static void *player(void *arg)
{
	unsigned me = (unsigned)(uintptr_t)arg;

	for (int i = 0; i < ROUNDS; i++) {
		pthread_mutex_lock(&ball.mutex);
		while (ball.turn != me)
			pthread_cond_wait(&ball.cond, &ball.mutex);
		ball.count++;
		ball.turn = !me;
		pthread_cond_signal(&ball.cond);
		pthread_mutex_unlock(&ball.mutex);
	}
	return NULL;
}

static void check_ping_pong(const void *arg)
{
	pthread_t other;

	(void)arg;
	CHECK(!pthread_create(&other, NULL, player, (void *)1), "pthread_create");
	player((void *)0);
	pthread_join(other, NULL);
	CHECK(ball.count == 2 * ROUNDS, "%u turns, wanted %u", ball.count, 2 * ROUNDS);
}

static _Atomic uint32_t total;
static _Atomic uint64_t total64;	/* cmpxchg8b */

static void *adder(void *arg)
{
	for (int i = 0; i < 20000; i++) {
		atomic_fetch_add(&total, 1);
		atomic_fetch_add(&total64, 0x100000001ull);
	}
	return arg;
}

static void check_atomics(const void *arg)
{
	enum { N = 4 };
	pthread_t t[N];

	(void)arg;
	for (int i = 0; i < N; i++)
		CHECK(!pthread_create(&t[i], NULL, adder, NULL), "pthread_create");
	for (int i = 0; i < N; i++)
		pthread_join(t[i], NULL);
	CHECK(total == N * 20000, "%u additions, wanted %u", total, N * 20000);
	CHECK(total64 == N * 20000 * 0x100000001ull, "64 bits: 0x%llx",
	      (unsigned long long)total64);
}

/* errno and the stack canary lie behind %gs in a forked thread, too. */
static void *fork_in_thread(void *arg)
{
	pid_t pid;

	(void)arg;
	tls_value = 1234;
	pid = (pid_t)SYS(fork());
	if (pid == 0)
		_exit(tls_value != 1234);
	wait_ok(pid);
	return NULL;
}

static void check_fork(const void *arg)
{
	pthread_t t;

	(void)arg;
	for (int i = 0; i < 20; i++) {
		CHECK(!pthread_create(&t, NULL, fork_in_thread, NULL), "pthread_create");
		pthread_join(t, NULL);
	}
}

void test_threads(void)
{
	run("thread: __thread variables of 8 threads", check_tls, NULL);
	run("thread: create and join 100, three times", check_hundred, NULL);
	run("thread: mutex and condition ping-pong", check_ping_pong, NULL);
	run("thread: atomic additions, 32 and 64 bits", check_atomics, NULL);
	run("thread: fork in a thread", check_fork, NULL);
}
