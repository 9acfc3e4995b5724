/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The port that gdb connects to.  The VM's thread accepts, reads and writes;
 * the watching thread only waits for it: it polls one descriptor, kicks when
 * something has come, and then waits to be told what to watch next.  Standard
 * input and output may be shared with other processes: they are never made
 * non-blocking.
 */
#define _GNU_SOURCE
#include "hostos/gdbport.h"

#include "hostos/linux/leftovers.h"
#include "hostos/linux/listen.h"
#include "hostos/linux/threads.h"

#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define NOTHING -1
#define WHAT "--gdb"

struct gdbport {
	void (*kick)(void *ctx);
	void *ctx;
	int listener;			/* NOTHING: standard input and output */
	int in, out;			/* of the client, or NOTHING */
	bool announced;			/* stdio: it has been said that its client is there */
	char *socket_path;		/* to be unlinked */

	pthread_t watcher;
	bool watching;			/* the thread exists */
	atomic_bool stop;
	atomic_bool armed;		/* the thread watches, and has seen nothing yet */
	atomic_int watched;		/* what it polls while armed */
	int wake;			/* eventfd: armed or stop has been set */
	int cancel;			/* eventfd: writers give up */
};

/* ---- the thread ---- */

static void notify(int event)
{
	const uint64_t one = 1;

	while (write(event, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

static void *watcher(void *arg)
{
	struct gdbport *p = arg;
	int fd = NOTHING;

	while (!atomic_load(&p->stop)) {
		struct pollfd set[2] = {
			{ .fd = p->wake, .events = POLLIN }, { .fd = fd, .events = POLLIN },
		};
		uint64_t drained;

		if (poll(set, 2, -1) <= 0)
			continue;
		if (set[0].revents && read(p->wake, &drained, sizeof(drained)) > 0)
			fd = atomic_load(&p->watched);
		if (set[1].revents) {
			fd = NOTHING;
			atomic_store(&p->armed, false);
			p->kick(p->ctx);
		}
	}
	return NULL;
}

/* From now on fd's input kicks, once. */
static void watch(struct gdbport *p, int fd)
{
	atomic_store(&p->watched, fd);
	atomic_store(&p->armed, true);
	notify(p->wake);
}

static int start_watcher(struct gdbport *p, struct error *e)
{
	int error = thread_start(&p->watcher, 0, watcher, p);

	if (error)
		return fail(e, ST_HOST, WHAT ": cannot create a thread: %s; "
			    "raise the limit of processes (ulimit -u)", strerror(error));
	p->watching = true;
	return 0;
}

/* ---- clients ---- */

static int join(struct gdbport *p)
{
	const int on = 1;
	int fd;

	if (p->listener < 0) {
		if (p->in < 0 || p->announced)
			return 0;
		p->announced = true;
		return GDBPORT_JOINED;
	}
	fd = accept4(p->listener, NULL, NULL, SOCK_CLOEXEC);
	if (fd < 0) {
		watch(p, p->listener);
		return 0;
	}
	/* A packet waits for its answer: never keep it back.  (Not for Unix sockets.) */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	p->in = p->out = fd;
	return GDBPORT_JOINED;
}

static int leave(struct gdbport *p)
{
	if (p->listener >= 0)
		close(p->in);
	p->in = p->out = NOTHING;
	return GDBPORT_LEFT;
}

int gdbport_read(struct gdbport *p, uint8_t *buf, size_t n)
{
	struct pollfd set = { .fd = p->in, .events = POLLIN };
	ssize_t got;

	/* The run loop asks at every turn: no system call then. */
	if (atomic_load(&p->armed))
		return 0;
	if (p->in < 0 || (p->listener < 0 && !p->announced))
		return join(p);
	if (poll(&set, 1, 0) <= 0) {
		watch(p, p->in);
		return 0;
	}
	got = read(p->in, buf, n < INT_MAX ? n : INT_MAX);
	if (got > 0)
		return (int)got;
	if (got < 0 && (errno == EINTR || errno == EAGAIN)) {
		watch(p, p->in);
		return 0;
	}
	return leave(p);
}

/* ---- output ---- */

/* A client that has gone is noticed by the next read. */
static bool wait_writable(struct gdbport *p)
{
	struct pollfd set[2] = {
		{ .fd = p->out, .events = POLLOUT },
		{ .fd = p->cancel, .events = POLLIN },
	};

	while (poll(set, 2, -1) < 0)
		if (errno != EINTR)
			return false;
	return (set[0].revents & POLLOUT) && !set[1].revents;
}

/* What a descriptor that polls as writable takes without blocking. */
#define WRITE_CHUNK 512u

void gdbport_write(struct gdbport *p, const uint8_t *buf, size_t n)
{
	while (n && p->out >= 0 && wait_writable(p)) {
		ssize_t done = write(p->out, buf, n < WRITE_CHUNK ? n : WRITE_CHUNK);

		if (done < 0 && errno != EINTR && errno != EAGAIN)
			return;
		if (done > 0) {
			buf += done;
			n -= (size_t)done;
		}
	}
}

void gdbport_cancel(struct gdbport *p)
{
	notify(p->cancel);
}

/* ---- where ---- */

struct place {
	enum { PLACE_STDIO, PLACE_UNIX, PLACE_TCP } kind;
	const char *path;		/* PLACE_UNIX */
	char host[256];
	const char *port;
};

static bool port_ok(const char *s)
{
	size_t digits = strspn(s, "0123456789");

	return digits && digits <= 5 && !s[digits] && atoi(s) <= 65535;
}

/* [HOST:]PORT; an IPv6 address stands in brackets. */
static bool tcp_place(const char *spec, struct place *at)
{
	const char *colon = strrchr(spec, ':');
	size_t n = colon ? (size_t)(colon - spec) : 0;

	at->kind = PLACE_TCP;
	at->port = colon ? colon + 1 : spec;
	if (n && spec[0] == '[' && spec[n - 1] == ']') {
		spec++;
		n -= 2;
	}
	if (n >= sizeof(at->host) || !port_ok(at->port))
		return false;
	if (!n) {
		strcpy(at->host, "127.0.0.1");
		return true;
	}
	memcpy(at->host, spec, n);
	at->host[n] = '\0';
	return true;
}

static bool find_place(const char *spec, struct place *at)
{
	if (!strcmp(spec, "stdio")) {
		at->kind = PLACE_STDIO;
		return true;
	}
	if (!strncmp(spec, "unix:", 5)) {
		at->kind = PLACE_UNIX;
		at->path = spec + 5;
		return *at->path != '\0';
	}
	return tcp_place(spec, at);
}

bool gdbport_spec_ok(const char *spec)
{
	struct place at;

	return find_place(spec, &at);
}

/* The port's number may have been left to the host (0). */
static void announce_tcp(int fd)
{
	struct sockaddr_storage addr;
	socklen_t len = sizeof(addr);
	char host[64], port[8];

	if (getsockname(fd, (struct sockaddr *)&addr, &len) == 0 &&
	    getnameinfo((struct sockaddr *)&addr, len, host, sizeof(host), port, sizeof(port),
			NI_NUMERICHOST | NI_NUMERICSERV) == 0)
		fprintf(stderr, strchr(host, ':') ? "lilyvm: gdb: target remote [%s]:%s\n" :
			"lilyvm: gdb: target remote %s:%s\n", host, port);
}

static int open_place(struct gdbport *p, const struct place *at, struct error *e)
{
	if (at->kind == PLACE_STDIO) {
		p->in = STDIN_FILENO;
		p->out = STDOUT_FILENO;
		return 0;
	}
	if (at->kind == PLACE_TCP) {
		p->listener = listen_tcp(WHAT, at->host, at->port, e);
		if (p->listener >= 0)
			announce_tcp(p->listener);
	} else {
		p->listener = listen_unix(WHAT, at->path, e);
		if (p->listener >= 0) {
			p->socket_path = strdup(at->path);
			leftover_add(p->socket_path);
			fprintf(stderr, "lilyvm: gdb: target remote %s\n", at->path);
		}
	}
	return p->listener < 0 ? -1 : 0;
}

static struct gdbport *new_port(void)
{
	struct gdbport *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->listener = p->in = p->out = NOTHING;
	p->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	p->cancel = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return p;
}

int gdbport_open(struct gdbport **out, const char *spec, void (*kick)(void *ctx), void *ctx,
		 struct error *e)
{
	struct gdbport *p = new_port();
	struct place at;

	*out = p;
	if (!p || p->wake < 0 || p->cancel < 0) {
		gdbport_close(out);
		return fail(e, ST_HOST, WHAT ": out of memory or descriptors: %s; "
			    "raise the limits (ulimit)", strerror(errno));
	}
	p->kick = kick;
	p->ctx = ctx;
	if (!find_place(spec, &at))
		fail(e, ST_USAGE, WHAT ": '%s' is none of [HOST:]PORT, unix:PATH, stdio", spec);
	else if (open_place(p, &at, e) == 0 && start_watcher(p, e) == 0)
		return 0;
	gdbport_close(out);
	return -1;
}

static void close_fd(int fd)
{
	if (fd > STDERR_FILENO)
		close(fd);
}

void gdbport_close(struct gdbport **pp)
{
	struct gdbport *p = *pp;

	*pp = NULL;
	if (!p)
		return;
	if (p->watching) {
		atomic_store(&p->stop, true);
		notify(p->wake);
		thread_join(&p->watcher);
	}
	close_fd(p->in);
	close_fd(p->listener);
	close_fd(p->wake);
	close_fd(p->cancel);
	if (p->socket_path)
		leftover_remove(p->socket_path);
	free(p->socket_path);
	free(p);
}
