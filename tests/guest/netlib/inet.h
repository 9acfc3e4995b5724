/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * As much of TCP/IP as it takes to try a network: ARP, DHCP, ping, UDP, and a TCP
 * that relies on a network without losses.  Freestanding: guest kernels and unit
 * tests include inet.c.
 *
 * Whoever connects to port 7, by UDP or TCP, is an echo's client.
 */
#ifndef INET_H
#define INET_H

#include <stdbool.h>
#include <stdint.h>

#define INET_MTU 1500u
#define INET_ECHO 7u			/* the port of the echo server */

enum inet_tcp_state { TCP_CLOSED, TCP_SYN_SENT, TCP_OPEN, TCP_PEER_DONE, TCP_BOTH_DONE };

struct inet_tcp {
	enum inet_tcp_state state;
	uint16_t local, remote;		/* ports */
	uint32_t addr;			/* of the other end */
	uint32_t next, unacked;		/* to be sent, not acknowledged yet */
	uint32_t expected;		/* to be received */
	bool fin_sent;
	uint32_t received;		/* bytes of data */
	/* Data that has come, in order. */
	void (*data)(void *ctx, struct inet_tcp *t, const uint8_t *p, uint32_t len);
};

struct inet {
	void (*send)(void *ctx, const uint8_t *frame, uint32_t len);
	void *ctx;
	uint8_t mac[6];
	uint32_t ip, mask, gateway, dns;	/* by DHCP; highest byte first in the number */
	uint8_t gateway_mac[6];
	bool offered, bound, resolved;	/* DHCP's two steps, ARP */
	uint32_t server;		/* DHCP's */
	uint16_t id;			/* of the last datagram sent */
	unsigned pings;			/* answered */
	/* The last UDP datagram that was not for the echo server. */
	uint16_t udp_from, udp_to;
	uint32_t udp_len;
	uint8_t udp_data[INET_MTU];
	struct inet_tcp client, server_end;
};

/* A frame has come. */
void inet_input(struct inet *n, const uint8_t *frame, uint32_t len);

void inet_dhcp_discover(struct inet *n);
void inet_arp_gateway(struct inet *n);
void inet_ping(struct inet *n, uint32_t addr, uint16_t seq, uint32_t len);
void inet_udp(struct inet *n, uint32_t addr, uint16_t from, uint16_t to, const void *p,
	      uint32_t len);
void inet_tcp_connect(struct inet *n, uint32_t addr, uint16_t from, uint16_t to);
void inet_tcp_send(struct inet *n, struct inet_tcp *t, const void *p, uint32_t len);
void inet_tcp_finish(struct inet *n, struct inet_tcp *t);

#endif
