/* SPDX-License-Identifier: BSD-2-Clause */
/* Networks: the thread between a back end and the virtual machine. */
#define _GNU_SOURCE
#include "hostos/linux/netback.h"

#include "hostos/linux/framering.h"
#include "hostos/linux/threads.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define THREAD_STACK (256u * 1024)
#define ROOM (FRAMERING_SIZE / 2)	/* less is not enough for a back end that cannot stop */

struct host_net {
	const struct netback_ops *ops;
	void *back;
	struct host_pcap *pcap;
	void (*kick)(void *ctx);
	void *ctx;
	pthread_t thread;
	int event;			/* wakes the thread */
	struct pollset polls;
	bool news;			/* frames were delivered since the last kick */
	bool captured;			/* the oldest frame of the guest is in the capture */
	atomic_bool sleeping;		/* the thread is going to sleep: wake it */
	atomic_bool kicked;		/* a kick is under way, or the VM leaves frames there */
	atomic_bool refused;		/* the VM waits until it can send */
	atomic_bool full;		/* the thread waits for room in to_guest */
	atomic_bool closing;
	_Atomic uint64_t sent, received, dropped;
	/* Last, because their memory is not touched before it is used. */
	struct framering to_guest, from_guest;
};

static const struct netback_ops *const backs[] = {
	[HOST_NET_USER] = &net_user_ops,
	[HOST_NET_TAP] = &net_tap_ops,
	[HOST_NET_SOCKET] = &net_socket_ops,
	[HOST_NET_UDP] = &net_udp_ops,
};

int pollset_add(struct pollset *p, int fd, short events)
{
	if (p->n == p->room) {
		unsigned room = p->room ? 2 * p->room : 16;
		struct pollfd *more = realloc(p->fd, room * sizeof(*more));

		if (!more)
			return -1;
		p->fd = more;
		p->room = room;
	}
	p->fd[p->n] = (struct pollfd){ .fd = fd, .events = events };
	return (int)p->n++;
}

static void add(_Atomic uint64_t *counter)
{
	atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/* The network's thread. */

bool net_room(struct host_net *n)
{
	return framering_free(&n->to_guest) >= ROOM;
}

void net_deliver(struct host_net *n, const uint8_t *frame, uint32_t len)
{
	uint8_t *to;

	if (len < DEV_NET_MIN_FRAME || len > DEV_NET_MAX_FRAME)
		return;
	if (n->pcap)
		pcap_frame(n->pcap, frame, len);
	to = framering_reserve(&n->to_guest, len);
	if (!to) {
		add(&n->dropped);
		return;
	}
	memcpy(to, frame, len);
	framering_commit(&n->to_guest, len);
	add(&n->received);
	n->news = true;
}

static void tell_guest(struct host_net *n)
{
	bool want = n->news && !atomic_exchange(&n->kicked, true);

	n->news = false;
	if (want || (atomic_load(&n->refused) && framering_free(&n->from_guest) >= ROOM))
		n->kick(n->ctx);
}

/* Passes on what the guest has sent; false: the back end takes no more. */
static bool send_frames(struct host_net *n)
{
	const uint8_t *frame;
	uint32_t len;

	while ((frame = framering_peek(&n->from_guest, &len))) {
		/* First: an answer may come before send() returns. */
		if (n->pcap && !n->captured)
			pcap_frame(n->pcap, frame, len);
		n->captured = true;
		if (!n->ops->send(n->back, frame, len))
			return false;
		n->captured = false;
		framering_pop(&n->from_guest, len);
		add(&n->sent);
	}
	return true;
}

/* Is there anything that was not seen before `sleeping` was set? */
static bool must_not_sleep(struct host_net *n, bool can_send, bool receive)
{
	uint32_t len;

	return atomic_load(&n->closing) || (can_send && framering_peek(&n->from_guest, &len)) ||
	       (!receive && net_room(n));
}

static void sleep_and_see(struct host_net *n, bool can_send)
{
	bool receive = net_room(n);
	int timeout = -1;
	uint64_t count;

	n->polls.n = 0;
	pollset_add(&n->polls, n->event, POLLIN);
	n->ops->fill(n->back, &n->polls, receive, &timeout);
	atomic_store(&n->full, !receive);
	atomic_store(&n->sleeping, true);
	if (must_not_sleep(n, can_send, receive))
		timeout = 0;
	if (poll(n->polls.fd, n->polls.n, timeout) < 0)
		for (unsigned i = 0; i < n->polls.n; i++)
			n->polls.fd[i].revents = 0;
	atomic_store(&n->sleeping, false);
	if (n->polls.fd[0].revents & POLLIN)
		(void)!read(n->event, &count, sizeof(count));
	n->ops->ready(n->back, &n->polls, receive);
}

static void *run(void *arg)
{
	struct host_net *n = arg;

	while (!atomic_load(&n->closing)) {
		bool can_send = send_frames(n);

		tell_guest(n);
		sleep_and_see(n, can_send);
		tell_guest(n);
	}
	return NULL;
}

/* The VM's thread. */

static void wake(struct host_net *n)
{
	const uint64_t one = 1;

	if (atomic_exchange(&n->sleeping, false))
		(void)!write(n->event, &one, sizeof(one));
}

bool host_net_send(struct host_net *n, const struct dev_iovec *iov, unsigned iovcnt)
{
	uint32_t len = 0;
	uint8_t *to;

	for (unsigned i = 0; i < iovcnt; i++)
		len += iov[i].len;
	to = framering_reserve(&n->from_guest, len);
	if (!to) {
		/* Set first: the thread may be making room right now. */
		atomic_store(&n->refused, true);
		to = framering_reserve(&n->from_guest, len);
		if (!to)
			return false;
		atomic_store(&n->refused, false);
	}
	for (unsigned i = 0; i < iovcnt; i++) {
		memcpy(to, iov[i].base, iov[i].len);
		to += iov[i].len;
	}
	framering_commit(&n->from_guest, len);
	wake(n);
	return true;
}

bool host_net_poll(struct host_net *n)
{
	return atomic_load(&n->refused) && framering_free(&n->from_guest) >= ROOM &&
	       atomic_exchange(&n->refused, false);
}

const uint8_t *host_net_peek(struct host_net *n, uint32_t *len)
{
	const uint8_t *frame = framering_peek(&n->to_guest, len);

	if (frame)
		return frame;
	/* From now on a frame is worth a kick; one may have come before. */
	atomic_store(&n->kicked, false);
	return framering_peek(&n->to_guest, len);
}

void host_net_pop(struct host_net *n)
{
	uint32_t len;

	if (!framering_peek(&n->to_guest, &len))
		return;
	framering_pop(&n->to_guest, len);
	if (atomic_load(&n->full) && net_room(n)) {
		atomic_store(&n->full, false);
		wake(n);
	}
}

void host_net_count(const struct host_net *n, struct host_net_counters *c)
{
	c->sent = n->sent;
	c->received = n->received;
	c->dropped = n->dropped;
}

/* Opening and closing. */

static void destroy(struct host_net *n)
{
	if (n->back)
		n->ops->close(n->back);
	if (n->event >= 0)
		close(n->event);
	free(n->polls.fd);
	free(n);
}

int host_net_open(struct host_net **net, const struct host_net_config *cfg,
		  struct host_pcap *pcap, void (*kick)(void *ctx), void *ctx, struct error *e)
{
	struct host_net *n = aligned_alloc(64, sizeof(*n));
	int err;

	*net = NULL;
	if (!n)
		return fail(e, ST_HOST, "network: out of memory");
	memset(n, 0, offsetof(struct host_net, to_guest));
	framering_init(&n->to_guest);
	framering_init(&n->from_guest);
	n->ops = backs[cfg->kind];
	n->pcap = pcap;
	n->kick = kick;
	n->ctx = ctx;
	n->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (n->event < 0 || pollset_add(&n->polls, n->event, POLLIN) < 0) {
		fail(e, ST_HOST, "network: no event descriptor (%s); raise the limit of "
		     "descriptors (ulimit -n)", strerror(errno));
		goto failed;
	}
	if (n->ops->open(&n->back, n, cfg, e))
		goto failed;
	err = thread_start(&n->thread, THREAD_STACK, run, n);
	if (err) {
		fail(e, ST_HOST, "network: cannot start a thread (%s); raise the limit of "
		     "processes or of memory (ulimit -u, -v)", strerror(err));
		goto failed;
	}
	*net = n;
	return 0;
failed:
	destroy(n);
	return -1;
}

void host_net_close(struct host_net *n)
{
	if (!n)
		return;
	atomic_store(&n->closing, true);
	atomic_store(&n->sleeping, true);
	wake(n);
	thread_join(&n->thread);
	destroy(n);
}
