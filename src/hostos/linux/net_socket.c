/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A cable to another virtual machine, made of a stream socket in the file system: the
 * first one listens at the path, the next connects.  Each frame follows its length
 * (4 bytes, highest first), as QEMU's -netdev stream and passt(1) have it.
 */
#define _GNU_SOURCE
#include "hostos/linux/netback.h"

#include "hostos/linux/leftovers.h"
#include "hostos/linux/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define LENGTH 4u

struct cable {
	struct host_net *net;
	int listener;			/* -1: the other end listens */
	int fd;				/* -1: nobody is at the other end */
	int at_listener, at_fd;		/* their places in the pollset */
	const char *path;
	/* What is being sent: length and frame, as far as the socket has taken it. */
	uint32_t out_done, out_len;
	uint32_t in_len;
	uint8_t out[LENGTH + DEV_NET_MAX_FRAME];
	/* What has come and is not a whole frame yet. */
	uint8_t in[2 * (LENGTH + DEV_NET_MAX_FRAME)];
};

static void hang_up(struct cable *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	c->out_len = c->out_done = c->in_len = 0;
}

/* False: the socket takes no more now. */
static bool flush(struct cable *c)
{
	while (c->out_done < c->out_len) {
		ssize_t n = send(c->fd, c->out + c->out_done, c->out_len - c->out_done,
				 MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN)
			return false;
		if (n < 0) {
			hang_up(c);
			return true;
		}
		c->out_done += (uint32_t)n;
	}
	c->out_len = c->out_done = 0;
	return true;
}

static bool cable_send(void *back, const uint8_t *frame, uint32_t len)
{
	struct cable *c = back;
	uint32_t wire = htonl(len);

	if (c->fd < 0)
		return true;		/* nobody is there: lost, as on a cable */
	if (!flush(c))
		return false;
	if (c->fd < 0)
		return true;
	memcpy(c->out, &wire, LENGTH);
	memcpy(c->out + LENGTH, frame, len);
	c->out_len = LENGTH + len;
	flush(c);
	return true;
}

static void cable_fill(void *back, struct pollset *p, bool receive, int *timeout)
{
	struct cable *c = back;
	short want = (short)((receive ? POLLIN : 0) | (c->out_len ? POLLOUT : 0));

	(void)timeout;
	c->at_fd = c->fd >= 0 && want ? pollset_add(p, c->fd, want) : -1;
	c->at_listener = c->fd < 0 && c->listener >= 0 ?
			 pollset_add(p, c->listener, POLLIN) : -1;
}

/* Delivers the whole frames of c->in; false if the other end talks nonsense. */
static bool deliver(struct cable *c)
{
	uint32_t at = 0, len;

	while (c->in_len - at >= LENGTH) {
		memcpy(&len, c->in + at, LENGTH);
		len = ntohl(len);
		if (len > DEV_NET_MAX_FRAME)
			return false;
		if (c->in_len - at < LENGTH + len)
			break;
		net_deliver(c->net, c->in + at + LENGTH, len);
		at += LENGTH + len;
	}
	memmove(c->in, c->in + at, c->in_len - at);
	c->in_len -= at;
	return true;
}

static void cable_ready(void *back, const struct pollset *p, bool receive)
{
	struct cable *c = back;

	if (c->at_listener >= 0 && (p->fd[c->at_listener].revents & POLLIN))
		c->fd = accept4(c->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (c->at_fd < 0 || !p->fd[c->at_fd].revents)
		return;
	flush(c);
	while (receive && c->fd >= 0 && net_room(c->net)) {
		ssize_t n = recv(c->fd, c->in + c->in_len, sizeof(c->in) - c->in_len, 0);

		if (n < 0 && errno == EAGAIN)
			return;
		if (n > 0)
			c->in_len += (uint32_t)n;
		if (n <= 0 || !deliver(c))
			hang_up(c);
	}
}

static void cable_close(void *back)
{
	struct cable *c = back;

	hang_up(c);
	if (c->listener >= 0) {
		close(c->listener);
		leftover_remove(c->path);
	}
	free(c);
}

/* A descriptor, or -1 if nobody listens there. */
static int connect_path(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof(addr.sun_path))
		return -1;
	strcpy(addr.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static int cable_open(void **back, struct host_net *n, const struct host_net_config *cfg,
		      struct error *e)
{
	struct cable *c = malloc(sizeof(*c));

	*back = c;
	if (!c)
		return fail(e, ST_HOST, "--net socket: out of memory");
	*c = (struct cable){ .net = n, .listener = -1, .at_fd = -1, .at_listener = -1,
			     .path = cfg->where };
	c->fd = connect_path(cfg->where);
	if (c->fd < 0)
		c->listener = listen_unix("--net socket", cfg->where, e);
	if (c->listener >= 0)
		leftover_add(cfg->where);
	return c->fd < 0 && c->listener < 0 ? -1 : 0;
}

const struct netback_ops net_socket_ops = {
	.open = cable_open, .send = cable_send, .fill = cable_fill, .ready = cable_ready,
	.close = cable_close,
};
