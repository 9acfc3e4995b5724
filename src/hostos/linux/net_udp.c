/* SPDX-License-Identifier: BSD-2-Clause */
/* A cable to another virtual machine made of UDP: a datagram for each frame, as
 * QEMU's -netdev dgram has it. */
#define _GNU_SOURCE
#include "hostos/linux/netback.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct udp {
	struct host_net *net;
	int fd;
	bool blocked;			/* the socket's buffer is full */
	int at;				/* its place in the pollset */
	uint8_t frame[DEV_NET_MAX_FRAME];
};

static bool udp_send(void *back, const uint8_t *frame, uint32_t len)
{
	struct udp *u = back;

	ssize_t n = send(u->fd, frame, len, 0);

	/* What an earlier frame met with is told now, once. */
	if (n < 0 && errno == ECONNREFUSED)
		n = send(u->fd, frame, len, 0);
	/* Other errors (nobody is there yet) lose the frame, as a cable would. */
	u->blocked = n < 0 && (errno == EAGAIN || errno == ENOBUFS);
	return !u->blocked;
}

static void udp_fill(void *back, struct pollset *p, bool receive, int *timeout)
{
	struct udp *u = back;
	short want = (short)((receive ? POLLIN : 0) | (u->blocked ? POLLOUT : 0));

	(void)timeout;
	u->at = want ? pollset_add(p, u->fd, want) : -1;
}

static void udp_ready(void *back, const struct pollset *p, bool receive)
{
	struct udp *u = back;
	ssize_t len;

	if (!receive || u->at < 0 || !(p->fd[u->at].revents & (POLLIN | POLLERR)))
		return;
	while (net_room(u->net)) {
		len = recv(u->fd, u->frame, sizeof(u->frame), 0);
		if (len < 0)
			return;
		net_deliver(u->net, u->frame, (uint32_t)len);
	}
}

static void udp_close(void *back)
{
	struct udp *u = back;

	if (u->fd >= 0)
		close(u->fd);
	free(u);
}

static struct sockaddr_in address(uint32_t addr, uint16_t port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(addr),
	};
}

static int udp_open(void **back, struct host_net *n, const struct host_net_config *cfg,
		    struct error *e)
{
	const struct sockaddr_in local = address(cfg->local_addr, cfg->local_port);
	const struct sockaddr_in remote = address(cfg->remote_addr, cfg->remote_port);
	struct udp *u = malloc(sizeof(*u));
	char name[INET_ADDRSTRLEN];

	*back = u;
	if (!u)
		return fail(e, ST_HOST, "--net udp: out of memory");
	*u = (struct udp){ .net = n, .at = -1 };
	u->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (u->fd < 0 || bind(u->fd, (const struct sockaddr *)&local, sizeof(local)) < 0)
		return fail(e, ST_HOST, "--net udp: cannot receive at %s port %u: %s; choose "
			    "another port", inet_ntop(AF_INET, &local.sin_addr, name, sizeof(name)),
			    cfg->local_port, strerror(errno));
	/* Connected: only what comes from there is taken, and nothing goes elsewhere. */
	if (connect(u->fd, (const struct sockaddr *)&remote, sizeof(remote)) < 0)
		return fail(e, ST_HOST, "--net udp: cannot send to %s port %u: %s; name another "
			    "address", inet_ntop(AF_INET, &remote.sin_addr, name, sizeof(name)),
			    cfg->remote_port, strerror(errno));
	return 0;
}

const struct netback_ops net_udp_ops = {
	.open = udp_open, .send = udp_send, .fill = udp_fill, .ready = udp_ready,
	.close = udp_close,
};
