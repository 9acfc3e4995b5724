/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Networks outside of the virtual machine.  Each has a thread of its own, so that the
 * virtual CPU does not wait for it; frames pass between the two by rings of a
 * fixed size, and whoever cannot take one lets the other wait.
 */
#ifndef LILYVM_HOSTOS_NET_H
#define LILYVM_HOSTOS_NET_H

#include "devemu/devemu.h"
#include "error.h"

struct host_net;
struct host_pcap;

enum host_net_kind {
	HOST_NET_USER,		/* NAT by libslirp, with DHCP and DNS; needs no rights */
	HOST_NET_TAP,		/* a tap interface of the host */
	HOST_NET_SOCKET,	/* a stream socket at a path, to another virtual machine */
	HOST_NET_UDP,		/* the same by UDP, a datagram for each frame */
};

/* A port of the host, whose connections or datagrams go to a port of the guest. */
struct host_net_forward {
	bool udp;
	uint32_t host_addr;		/* IPv4, in the host's byte order, as all addresses here */
	uint32_t guest_addr;		/* 0: the first that DHCP gives */
	uint16_t host_port, guest_port;
};

#define HOST_NET_FORWARDS 32

struct host_net_config {
	enum host_net_kind kind;
	/* TAP: the interface; SOCKET: the path; else NULL. */
	const char *where;
	/* UDP: where datagrams are received, and where they are sent. */
	uint32_t local_addr, remote_addr;
	uint16_t local_port, remote_port;
	/* USER */
	uint32_t net, mask;		/* the guest's network */
	uint32_t host, dns, dhcp;	/* the host in it, the name server, the first guest */
	bool restricted;		/* no way out but forwards */
	uint16_t mtu;			/* of the guest's interface */
	struct host_net_forward forwards[HOST_NET_FORWARDS];
	unsigned nforwards;
};

/*
 * Opens a network.  kick(ctx) is called from its thread when frames have come or
 * refused ones can be sent: the owner must then call host_net_poll() on its own
 * thread, which is the only one to call what follows.  pcap records the frames,
 * or is NULL; it must live longer.  0, or -1 with *e.
 */
int host_net_open(struct host_net **n, const struct host_net_config *cfg, struct host_pcap *pcap,
		  void (*kick)(void *ctx), void *ctx, struct error *e);
/* What has been sent but not left yet may be lost. */
void host_net_close(struct host_net *n);

/* Sends a frame of at most DEV_NET_MAX_FRAME bytes.  False: there is no room now,
 * which host_net_poll() will tell. */
bool host_net_send(struct host_net *n, const struct dev_iovec *iov, unsigned iovcnt);

/* After a kick: true if host_net_send() has refused a frame and would take one now. */
bool host_net_poll(struct host_net *n);
/* The next received frame and its length, or NULL; it stays there until
 * host_net_pop().  Who leaves frames there is not kicked for more. */
const uint8_t *host_net_peek(struct host_net *n, uint32_t *len);
void host_net_pop(struct host_net *n);

struct host_net_counters {
	uint64_t sent, received;	/* frames, as the guest sees it */
	uint64_t dropped;		/* received ones for which there was no room */
};
void host_net_count(const struct host_net *n, struct host_net_counters *c);

/* A file of captured frames as tcpdump writes it; several networks may share it. */
int host_pcap_open(struct host_pcap **p, const char *path, struct error *e);
void host_pcap_close(struct host_pcap *p);

#endif
