/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is behind a network: the back ends, of which each runs on the network's own
 * thread (net.c).  Private to src/hostos/linux.
 */
#ifndef LILYVM_HOSTOS_LINUX_NETBACK_H
#define LILYVM_HOSTOS_LINUX_NETBACK_H

#include "hostos/net.h"

#include <poll.h>

/* The descriptors that the thread waits for. */
struct pollset {
	struct pollfd *fd;
	unsigned n, room;
};

/* Adds a descriptor; its number, or -1 without memory. */
int pollset_add(struct pollset *p, int fd, short events);

struct netback_ops {
	/* Opens; *back gets the state.  On the thread that opens the network. */
	int (*open)(void **back, struct host_net *n, const struct host_net_config *cfg,
		    struct error *e);
	/* The frame leaves; false: try again after poll(). */
	bool (*send)(void *back, const uint8_t *frame, uint32_t len);
	/* Adds what to wait for; receive: frames can be delivered.  timeout, in ms, may
	 * be lowered; -1 is none. */
	void (*fill)(void *back, struct pollset *p, bool receive, int *timeout);
	/* After poll(), with the same receive. */
	void (*ready)(void *back, const struct pollset *p, bool receive);
	void (*close)(void *back);
};

extern const struct netback_ops net_user_ops, net_tap_ops, net_socket_ops, net_udp_ops;

/* For back ends: a frame for the guest.  If there is no room it is dropped. */
void net_deliver(struct host_net *n, const uint8_t *frame, uint32_t len);
/* Is there room for a frame of any length? */
bool net_room(struct host_net *n);

/* Appends a frame to the capture; from any thread. */
void pcap_frame(struct host_pcap *p, const uint8_t *frame, uint32_t len);

#endif
