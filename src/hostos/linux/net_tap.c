/* SPDX-License-Identifier: BSD-2-Clause */
/* A tap interface of the host: the kernel takes and gives frames. */
#define _GNU_SOURCE
#include "hostos/linux/netback.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define TUN "/dev/net/tun"

struct tap {
	struct host_net *net;
	int fd;
	bool blocked;			/* the kernel's queue is full */
	int at;				/* its place in the pollset */
	uint8_t frame[DEV_NET_MAX_FRAME];
};

static bool tap_send(void *back, const uint8_t *frame, uint32_t len)
{
	struct tap *t = back;

	/* Other errors (the interface is down) lose the frame, as a cable would. */
	t->blocked = write(t->fd, frame, len) < 0 && (errno == EAGAIN || errno == ENOBUFS);
	return !t->blocked;
}

static void tap_fill(void *back, struct pollset *p, bool receive, int *timeout)
{
	struct tap *t = back;
	short want = (short)((receive ? POLLIN : 0) | (t->blocked ? POLLOUT : 0));

	(void)timeout;
	t->at = want ? pollset_add(p, t->fd, want) : -1;
}

static void tap_ready(void *back, const struct pollset *p, bool receive)
{
	struct tap *t = back;
	ssize_t len;

	if (!receive || t->at < 0 || !(p->fd[t->at].revents & POLLIN))
		return;
	while (net_room(t->net) && (len = read(t->fd, t->frame, sizeof(t->frame))) > 0)
		net_deliver(t->net, t->frame, (uint32_t)len);
}

static void tap_close(void *back)
{
	struct tap *t = back;

	if (t->fd >= 0)
		close(t->fd);
	free(t);
}

static int tap_failed(const char *name, struct error *e)
{
	switch (errno) {
	case EPERM:
	case EACCES:
		return fail(e, ST_HOST, "--net tap: no permission for interface %s (%s); let root "
			    "make it for you: ip tuntap add dev %s mode tap user %u", name,
			    strerror(errno), name, (unsigned)getuid());
	case EBUSY:
		return fail(e, ST_HOST, "--net tap: interface %s is in use; end the other user of "
			    "it, or name another interface", name);
	case EINVAL:
		return fail(e, ST_HOST, "--net tap: %s is not a tap interface; name another one",
			    name);
	}
	return fail(e, ST_HOST, "--net tap: cannot use interface %s: %s", name, strerror(errno));
}

static int tap_open(void **back, struct host_net *n, const struct host_net_config *cfg,
		    struct error *e)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	struct tap *t = malloc(sizeof(*t));

	*back = t;
	if (!t)
		return fail(e, ST_HOST, "--net tap: out of memory");
	*t = (struct tap){ .net = n, .at = -1 };
	t->fd = open(TUN, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (t->fd < 0)
		return fail(e, ST_HOST, "--net tap: cannot open " TUN " (%s); %s", strerror(errno),
			    errno == EACCES || errno == EPERM ? "ask root for its permission" :
			    "load the module tun, or use --net user");
	if (strlen(cfg->where) >= sizeof(ifr.ifr_name))
		return fail(e, ST_USAGE, "--net tap: '%s' is too long for an interface's name",
			    cfg->where);
	strcpy(ifr.ifr_name, cfg->where);
	return ioctl(t->fd, TUNSETIFF, &ifr) < 0 ? tap_failed(cfg->where, e) : 0;
}

const struct netback_ops net_tap_ops = {
	.open = tap_open, .send = tap_send, .fill = tap_fill, .ready = tap_ready,
	.close = tap_close,
};
