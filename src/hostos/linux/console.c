/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The console's back ends.  One reader thread waits for input (and, for a
 * socket, for clients) and keeps it in a ring until the VM takes it; a full
 * ring stops reading, so that a fast sender waits.  Standard input and output
 * may be shared with other processes: they are never made non-blocking.
 */
#define _GNU_SOURCE
#include "hostos/console.h"

#include "hostos/linux/leftovers.h"
#include "hostos/linux/listen.h"
#include "hostos/linux/terminal.h"
#include "hostos/linux/threads.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#define RING_SIZE 4096u
/* How long to wait before looking again at a terminal in the background, or
 * at a pseudo-terminal that nobody has opened: no event tells of a change. */
#define PAUSE_MS 200
/* Most that is written at once: what a descriptor that polls as writable takes
 * without blocking - a pipe PIPE_BUF bytes, a terminal about this. */
#define WRITE_CHUNK 256u

struct host_console {
	enum host_console_kind kind;
	void (*kick)(void *ctx);
	void *ctx;
	const char *name;		/* of the output, for messages */

	int in;				/* -1: none, or its end has been reached */
	int listener;			/* UNIX: the listening socket, else -1 */
	char *socket_path;		/* UNIX: to be unlinked */
	bool background;		/* STDIO: another job had the terminal */
	bool input_ended;		/* UNIX: the client has shut down its side */
	int pause;			/* milliseconds not to look at in, 0: look */

	pthread_mutex_t out_lock;	/* protects out */
	int out;			/* -1: output is dropped */

	pthread_t reader;
	bool reading;			/* the reader thread exists */
	atomic_bool stop;
	int wake;			/* eventfd: the reader has to look */
	int cancel;			/* eventfd: writers give up */

	pthread_mutex_t ring_lock;	/* protects the ring */
	uint8_t ring[RING_SIZE];
	size_t head, count;
};

/* ---- the ring ---- */

static size_t ring_space(struct host_console *c)
{
	size_t space;

	pthread_mutex_lock(&c->ring_lock);
	space = RING_SIZE - c->count;
	pthread_mutex_unlock(&c->ring_lock);
	return space;
}

static void ring_put(struct host_console *c, const uint8_t *buf, size_t n)
{
	pthread_mutex_lock(&c->ring_lock);
	for (size_t i = 0; i < n; i++)
		c->ring[(c->head + c->count++) % RING_SIZE] = buf[i];
	pthread_mutex_unlock(&c->ring_lock);
}

static void notify(int event)
{
	const uint64_t one = 1;

	while (write(event, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

size_t host_console_read(struct host_console *c, uint8_t *buf, size_t n)
{
	bool was_full;
	size_t i;

	pthread_mutex_lock(&c->ring_lock);
	was_full = c->count == RING_SIZE;
	for (i = 0; i < n && c->count; i++, c->count--) {
		buf[i] = c->ring[c->head];
		c->head = (c->head + 1) % RING_SIZE;
	}
	pthread_mutex_unlock(&c->ring_lock);
	if (was_full && i)
		notify(c->wake);
	return i;
}

/* ---- the reader thread ---- */

static void accept_client(struct host_console *c)
{
	int fd = accept4(c->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0) {
		c->pause = PAUSE_MS;
		return;
	}
	c->in = fd;
	c->input_ended = false;
	pthread_mutex_lock(&c->out_lock);
	c->out = fd;
	pthread_mutex_unlock(&c->out_lock);
}

static void drop_client(struct host_console *c)
{
	pthread_mutex_lock(&c->out_lock);
	c->out = -1;
	pthread_mutex_unlock(&c->out_lock);
	close(c->in);
	c->in = -1;
}

static void end_of_input(struct host_console *c)
{
	if (c->kind == HOST_CONSOLE_UNIX)
		c->input_ended = true;	/* it may still want our output */
	else
		c->in = -1;
}

static void read_input(struct host_console *c)
{
	uint8_t buf[512];
	size_t space = ring_space(c);
	ssize_t n = read(c->in, buf, space < sizeof(buf) ? space : sizeof(buf));

	if (n > 0) {
		ring_put(c, buf, (size_t)n);
		c->kick(c->ctx);
	} else if (n == 0) {
		end_of_input(c);
	} else if (errno == EIO && c->kind != HOST_CONSOLE_UNIX) {
		c->pause = PAUSE_MS;	/* no slave open, or in the background */
	} else if (errno != EINTR && errno != EAGAIN) {
		end_of_input(c);
	}
}

/* Reading a terminal in the background would stop us.  A shell's `fg` tells a
 * job that runs nothing. */
static void look_for_foreground(struct host_console *c)
{
	bool background = terminal_background(c->in);

	if (background)
		c->pause = PAUSE_MS;
	else if (c->background)
		terminal_resume();
	c->background = background;
}

/* What the reader waits for; fd -1: nothing but its own wake-up. */
static struct pollfd what_to_watch(struct host_console *c)
{
	struct pollfd p = { .fd = -1, .events = POLLIN };

	if (c->kind == HOST_CONSOLE_STDIO && c->in >= 0)
		look_for_foreground(c);
	if (c->pause)
		return p;
	if (c->listener >= 0 && c->in < 0) {
		p.fd = c->listener;
	} else if (c->input_ended) {
		p.fd = c->in;
		p.events = 0;		/* POLLHUP comes all the same */
	} else if (ring_space(c)) {
		p.fd = c->in;
	}
	return p;
}

static void take_event(struct host_console *c, const struct pollfd *p)
{
	if (c->in < 0)
		accept_client(c);
	else if (p->revents & POLLIN)
		read_input(c);
	else if (c->kind == HOST_CONSOLE_UNIX)
		drop_client(c);
	else if (c->kind == HOST_CONSOLE_PTY)
		c->pause = PAUSE_MS;
	else
		read_input(c);		/* the end, or the error */
}

static void *reader(void *arg)
{
	struct host_console *c = arg;

	while (!atomic_load(&c->stop)) {
		struct pollfd p[2] = { { .fd = c->wake, .events = POLLIN }, what_to_watch(c) };
		int n = poll(p, 2, c->pause ? c->pause : -1);
		uint64_t drained;

		c->pause = 0;
		if (n <= 0)
			continue;
		if (p[0].revents && read(c->wake, &drained, sizeof(drained)) < 0)
			continue;
		if (p[1].revents)
			take_event(c, &p[1]);
	}
	return NULL;
}

static int start_reader(struct host_console *c, struct error *e)
{
	int error = thread_start(&c->reader, 0, reader, c);

	if (error)
		return fail(e, ST_HOST, "console: cannot create a thread: %s; "
			    "raise the limit of processes (ulimit -u)", strerror(error));
	c->reading = true;
	return 0;
}

/* ---- output ---- */

/* The output has gone: says so once; a socket or pseudo-terminal may come back
 * with its next client, which is for the reader to see. */
static void output_lost(struct host_console *c, int error)
{
	if (c->kind == HOST_CONSOLE_STDIO || c->kind == HOST_CONSOLE_FILE)
		fprintf(stderr, "lilyvm: console: cannot write %s: %s; "
			"what the guest prints is dropped from here on\n",
			c->name, strerror(error));
	if (c->kind != HOST_CONSOLE_PTY)
		c->out = -1;
}

/* Waits until out takes bytes; false: it is gone, or nobody wants to wait.  A
 * pseudo-terminal that nobody has open would keep what is written. */
static bool wait_writable(struct host_console *c)
{
	struct pollfd p[2] = {
		{ .fd = c->out, .events = POLLOUT },
		{ .fd = c->cancel, .events = POLLIN },
	};

	while (poll(p, 2, -1) < 0)
		if (errno != EINTR)
			return false;
	if (c->kind == HOST_CONSOLE_PTY && (p[0].revents & POLLHUP))
		return false;
	if (p[0].revents & POLLOUT)
		return true;
	if (p[0].revents)
		output_lost(c, EPIPE);
	return false;
}

void host_console_write(struct host_console *c, const uint8_t *buf, size_t n)
{
	pthread_mutex_lock(&c->out_lock);
	while (n && c->out >= 0 && wait_writable(c)) {
		ssize_t done = write(c->out, buf, n < WRITE_CHUNK ? n : WRITE_CHUNK);

		if (done < 0 && errno != EINTR && errno != EAGAIN) {
			output_lost(c, errno);
			break;
		}
		if (done > 0) {
			buf += done;
			n -= (size_t)done;
		}
	}
	pthread_mutex_unlock(&c->out_lock);
}

void host_console_cancel(struct host_console *c)
{
	notify(c->cancel);
}

/* ---- the back ends ---- */

static int open_stdio(struct host_console *c, const char *path, struct error *e)
{
	(void)path;
	(void)e;
	c->in = STDIN_FILENO;
	c->out = STDOUT_FILENO;
	c->name = "standard output";
	terminal_acquire(STDIN_FILENO);
	return 0;
}

static int open_file(struct host_console *c, const char *path, struct error *e)
{
	c->out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0666);
	if (c->out < 0)
		return fail(e, ST_HOST, "console: cannot write %s: %s; name another file",
			    path, strerror(errno));
	c->name = path;
	return 0;
}

/* The slave starts raw; whoever opens it sets what it likes. */
static void make_slave_raw(const char *slave)
{
	struct termios t;
	int fd = open(slave, O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (tcgetattr(fd, &t) == 0) {
		cfmakeraw(&t);
		tcsetattr(fd, TCSANOW, &t);
	}
	close(fd);
}

static int open_pty(struct host_console *c, const char *path, struct error *e)
{
	char slave[64];
	int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);

	(void)path;
	c->in = c->out = fd;
	if (fd < 0 || grantpt(fd) < 0 || unlockpt(fd) < 0 ||
	    ptsname_r(fd, slave, sizeof(slave)) != 0)
		return fail(e, ST_HOST, "console: no pseudo-terminal: %s; mount devpts on /dev/pts "
			    "or use another --console", strerror(errno));
	make_slave_raw(slave);
	fprintf(stderr, "lilyvm: console is %s\n", slave);
	return 0;
}

static int open_unix(struct host_console *c, const char *path, struct error *e)
{
	c->listener = listen_unix("console", path, e);
	if (c->listener < 0)
		return -1;
	c->socket_path = strdup(path);
	leftover_add(c->socket_path);
	return 0;
}

static int open_none(struct host_console *c, const char *path, struct error *e)
{
	(void)c;
	(void)path;
	(void)e;
	return 0;
}

static int (*const open_kind[])(struct host_console *, const char *, struct error *) = {
	[HOST_CONSOLE_STDIO] = open_stdio,
	[HOST_CONSOLE_FILE] = open_file,
	[HOST_CONSOLE_PTY] = open_pty,
	[HOST_CONSOLE_UNIX] = open_unix,
	[HOST_CONSOLE_NONE] = open_none,
};

static struct host_console *new_console(enum host_console_kind kind)
{
	struct host_console *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->kind = kind;
	c->in = c->out = c->listener = -1;
	c->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	c->cancel = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	pthread_mutex_init(&c->out_lock, NULL);
	pthread_mutex_init(&c->ring_lock, NULL);
	return c;
}

int host_console_open(struct host_console **out, enum host_console_kind kind, const char *path,
		      void (*kick)(void *ctx), void *ctx, struct error *e)
{
	struct host_console *c = new_console(kind);

	*out = c;
	if (!c || c->wake < 0 || c->cancel < 0) {
		host_console_close(out);
		return fail(e, ST_HOST, "console: out of memory or descriptors: %s; "
			    "raise the limits (ulimit)", strerror(errno));
	}
	c->kick = kick;
	c->ctx = ctx;
	if (open_kind[kind](c, path, e) < 0 ||
	    ((c->in >= 0 || c->listener >= 0) && start_reader(c, e) < 0)) {
		host_console_close(out);
		return -1;
	}
	return 0;
}

static void close_fd(int fd)
{
	if (fd > STDERR_FILENO)
		close(fd);
}

void host_console_close(struct host_console **cp)
{
	struct host_console *c = *cp;

	*cp = NULL;
	if (!c)
		return;
	if (c->reading) {
		atomic_store(&c->stop, true);
		notify(c->wake);
		thread_join(&c->reader);
	}
	if (c->kind == HOST_CONSOLE_STDIO)
		terminal_release();
	if (c->out != c->in)
		close_fd(c->out);
	close_fd(c->in);
	close_fd(c->listener);
	close_fd(c->wake);
	close_fd(c->cancel);
	if (c->socket_path)
		leftover_remove(c->socket_path);
	free(c->socket_path);
	pthread_mutex_destroy(&c->out_lock);
	pthread_mutex_destroy(&c->ring_lock);
	free(c);
}
