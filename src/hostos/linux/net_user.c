/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The user network: libslirp is the router, the name server and the DHCP server of
 * the guest, and opens a socket of this process for each of its connections.
 */
#define _GNU_SOURCE
#include "hostos/linux/netback.h"

#include <errno.h>
#include <slirp/libslirp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct user_timer {
	struct user_timer *next;
	SlirpTimerId id;
	void *opaque;
	int64_t expire;			/* ms of clock_ms(); -1: off */
};

struct user_net {
	struct host_net *net;
	Slirp *slirp;
	struct user_timer *timers;
	struct pollset *polls;		/* while slirp fills or reads it */
};

static int64_t clock_ns(void *opaque)
{
	struct timespec ts;

	(void)opaque;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static int64_t clock_ms(void)
{
	return clock_ns(NULL) / 1000000;
}

/* slirp's services. */

static ssize_t send_packet(const void *buf, size_t len, void *opaque)
{
	struct user_net *u = opaque;

	net_deliver(u->net, buf, (uint32_t)len);
	return (ssize_t)len;
}

/* What a guest may do wrong is its own business. */
static void guest_error(const char *msg, void *opaque)
{
	(void)msg;
	(void)opaque;
}

static void *timer_new(SlirpTimerId id, void *cb_opaque, void *opaque)
{
	struct user_net *u = opaque;
	struct user_timer *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	*t = (struct user_timer){ u->timers, id, cb_opaque, -1 };
	u->timers = t;
	return t;
}

static void timer_free(void *timer, void *opaque)
{
	struct user_net *u = opaque;

	for (struct user_timer **p = &u->timers; *p; p = &(*p)->next)
		if (*p == timer) {
			*p = (*p)->next;
			free(timer);
			return;
		}
}

static void timer_mod(void *timer, int64_t expire_ms, void *opaque)
{
	struct user_timer *t = timer;

	(void)opaque;
	if (t)
		t->expire = expire_ms;
}

/* Descriptors are asked for before each poll, and all that slirp does is on this
 * thread: there is nothing to register or to wake. */
static void ignore_fd(int fd, void *opaque)
{
	(void)fd;
	(void)opaque;
}

static void ignore(void *opaque)
{
	(void)opaque;
}

static const SlirpCb callbacks = {
	.send_packet = send_packet, .guest_error = guest_error, .clock_get_ns = clock_ns,
	.timer_free = timer_free, .timer_mod = timer_mod, .register_poll_fd = ignore_fd,
	.unregister_poll_fd = ignore_fd, .notify = ignore, .timer_new_opaque = timer_new,
};

/* The two ways to name events. */
static const struct {
	int slirp;
	short host;
} events[] = {
	{ SLIRP_POLL_IN, POLLIN }, { SLIRP_POLL_OUT, POLLOUT }, { SLIRP_POLL_PRI, POLLPRI },
	{ SLIRP_POLL_ERR, POLLERR }, { SLIRP_POLL_HUP, POLLHUP },
};
#define EVENTS (sizeof(events) / sizeof(events[0]))

static int add_poll(int fd, int want, void *opaque)
{
	struct user_net *u = opaque;
	short host = 0;

	for (unsigned i = 0; i < EVENTS; i++)
		if (want & events[i].slirp)
			host |= events[i].host;
	return pollset_add(u->polls, fd, host);
}

static int get_revents(int idx, void *opaque)
{
	struct user_net *u = opaque;
	int got = 0;

	if (idx < 0 || (unsigned)idx >= u->polls->n)
		return 0;
	for (unsigned i = 0; i < EVENTS; i++)
		if (u->polls->fd[idx].revents & events[i].host)
			got |= events[i].slirp;
	return got;
}

/* The back end.  While the guest's ring is full the sockets wait, and with them those
 * who send through them. */

static bool user_send(void *back, const uint8_t *frame, uint32_t len)
{
	struct user_net *u = back;

	slirp_input(u->slirp, frame, (int)len);
	return true;
}

static void user_fill(void *back, struct pollset *p, bool receive, int *timeout)
{
	struct user_net *u = back;
	uint32_t wait = UINT32_MAX;
	int64_t now = clock_ms();

	if (!receive)
		return;
	u->polls = p;
	slirp_pollfds_fill(u->slirp, &wait, add_poll, u);
	for (const struct user_timer *t = u->timers; t; t = t->next)
		if (t->expire >= 0 && t->expire - now < wait)
			wait = t->expire > now ? (uint32_t)(t->expire - now) : 0;
	*timeout = wait > INT32_MAX ? -1 : (int)wait;
}

static void user_ready(void *back, const struct pollset *p, bool receive)
{
	struct user_net *u = back;
	int64_t now = clock_ms();

	(void)p;
	if (!receive)
		return;
	slirp_pollfds_poll(u->slirp, 0, get_revents, u);
	for (struct user_timer *t = u->timers, *next; t; t = next) {
		next = t->next;
		if (t->expire < 0 || t->expire > now)
			continue;
		t->expire = -1;
		slirp_handle_timer(u->slirp, t->id, t->opaque);
	}
}

static void user_close(void *back)
{
	struct user_net *u = back;

	if (u->slirp)
		slirp_cleanup(u->slirp);
	while (u->timers)
		timer_free(u->timers, u);
	free(u);
}

static struct in_addr addr_of(uint32_t v)
{
	return (struct in_addr){ .s_addr = htonl(v) };
}

static int add_forward(struct user_net *u, const struct host_net_config *cfg,
		       const struct host_net_forward *f, struct error *e)
{
	char name[INET_ADDRSTRLEN];
	struct in_addr host = addr_of(f->host_addr);
	struct in_addr guest = addr_of(f->guest_addr ? f->guest_addr : cfg->dhcp);

	if (slirp_add_hostfwd(u->slirp, f->udp, host, f->host_port, guest, f->guest_port) >= 0)
		return 0;
	return fail(e, ST_HOST, "--net user: cannot forward %s port %u of %s: %s; choose another "
		    "port%s", f->udp ? "udp" : "tcp", f->host_port,
		    inet_ntop(AF_INET, &host, name, sizeof(name)), strerror(errno),
		    errno == EACCES ? ", above 1023" : "");
}

static int user_open(void **back, struct host_net *n, const struct host_net_config *cfg,
		     struct error *e)
{
	struct user_net *u = calloc(1, sizeof(*u));
	const SlirpConfig config = {
		.version = 4, .restricted = cfg->restricted, .in_enabled = true,
		.vnetwork = addr_of(cfg->net), .vnetmask = addr_of(cfg->mask),
		.vhost = addr_of(cfg->host), .vnameserver = addr_of(cfg->dns),
		.vdhcp_start = addr_of(cfg->dhcp), .if_mtu = cfg->mtu, .if_mru = cfg->mtu,
	};

	*back = u;
	if (!u)
		return fail(e, ST_HOST, "--net user: out of memory");
	u->net = n;
	u->slirp = slirp_new(&config, &callbacks, u);
	if (!u->slirp)
		return fail(e, ST_HOST, "--net user: libslirp cannot be set up; check the "
			    "addresses of the network");
	for (unsigned i = 0; i < cfg->nforwards; i++)
		if (add_forward(u, cfg, &cfg->forwards[i], e))
			return -1;
	return 0;
}

const struct netback_ops net_user_ops = {
	.open = user_open, .send = user_send, .fill = user_fill, .ready = user_ready,
	.close = user_close,
};
