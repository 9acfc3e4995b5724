/* SPDX-License-Identifier: BSD-2-Clause */
#include "inet.h"

#define ETH 14u
#define IP 20u
#define UDP 8u
#define TCP 20u
enum { ICMP_PROTO = 1, TCP_PROTO = 6, UDP_PROTO = 17 };
enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16 };

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v);
}

static uint32_t get16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static uint32_t get32(const uint8_t *p)
{
	return get16(p) << 16 | get16(p + 2);
}

/* The Internet checksum (RFC 1071), continued from sum. */
static uint32_t sum_up(uint32_t sum, const uint8_t *p, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++)
		sum += i & 1 ? p[i] : (uint32_t)p[i] << 8;
	return sum;
}

static uint32_t fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum & 0xffff;
}

/* A frame under construction. */
static uint8_t out[ETH + INET_MTU];

static void send_frame(struct inet *n, const uint8_t *to, uint32_t type, uint32_t len)
{
	for (unsigned i = 0; i < 6; i++) {
		out[i] = to ? to[i] : 0xff;
		out[6 + i] = n->mac[i];
	}
	put16(out + 12, type);
	for (len += ETH; len < 60; len++)
		out[len] = 0;
	n->send(n->ctx, out, len);
}

/* Sends the len bytes that stand in the frame behind an IP header. */
static void send_ip(struct inet *n, uint32_t to, unsigned proto, uint32_t len)
{
	uint8_t *h = out + ETH;

	put16(h, 0x4500);
	put16(h + 2, IP + len);
	put16(h + 4, ++n->id);
	put16(h + 6, 0);
	put16(h + 8, 64 << 8 | proto);
	put16(h + 10, 0);
	put32(h + 12, n->ip);
	put32(h + 16, to);
	put16(h + 10, fold(sum_up(0, h, IP)));
	send_frame(n, to == 0xffffffff ? (const uint8_t *)0 : n->gateway_mac, 0x0800, IP + len);
}

/* The checksum of UDP and TCP: with a header made of addresses, protocol, length. */
static uint32_t transport_sum(uint32_t from, uint32_t to, unsigned proto, const uint8_t *p,
			      uint32_t len)
{
	uint8_t pseudo[12];

	put32(pseudo, from);
	put32(pseudo + 4, to);
	put16(pseudo + 8, proto);
	put16(pseudo + 10, len);
	return fold(sum_up(sum_up(0, pseudo, 12), p, len));
}

void inet_udp(struct inet *n, uint32_t addr, uint16_t from, uint16_t to, const void *p,
	      uint32_t len)
{
	uint8_t *h = out + ETH + IP;

	__builtin_memmove(h + UDP, p, len);
	put16(h, from);
	put16(h + 2, to);
	put16(h + 4, UDP + len);
	put16(h + 6, 0);
	put16(h + 6, transport_sum(n->ip, addr, UDP_PROTO, h, UDP + len));
	send_ip(n, addr, UDP_PROTO, UDP + len);
}

void inet_ping(struct inet *n, uint32_t addr, uint16_t seq, uint32_t len)
{
	uint8_t *h = out + ETH + IP;

	put16(h, 8 << 8);
	put16(h + 2, 0);
	put16(h + 4, 0x4c56);
	put16(h + 6, seq);
	for (uint32_t i = 0; i < len; i++)
		h[8 + i] = (uint8_t)(i + seq);
	put16(h + 2, fold(sum_up(0, h, 8 + len)));
	send_ip(n, addr, ICMP_PROTO, 8 + len);
}

/* --- ARP (RFC 826) --- */

static void send_arp(struct inet *n, unsigned op, const uint8_t *to_mac, uint32_t to)
{
	uint8_t *a = out + ETH;

	put32(a, 0x00010800);
	put16(a + 4, 0x0604);
	put16(a + 6, op);
	__builtin_memcpy(a + 8, n->mac, 6);
	put32(a + 14, n->ip);
	__builtin_memset(a + 18, 0, 6);
	if (to_mac)
		__builtin_memmove(a + 18, to_mac, 6);
	put32(a + 24, to);
	send_frame(n, op == 1 ? (const uint8_t *)0 : to_mac, 0x0806, 28);
}

void inet_arp_gateway(struct inet *n)
{
	send_arp(n, 1, (const uint8_t *)0, n->gateway);
}

static void arp_input(struct inet *n, const uint8_t *a, uint32_t len)
{
	uint8_t mac[6];

	if (len < 28 || get16(a + 2) != 0x0800)
		return;
	__builtin_memcpy(mac, a + 8, 6);
	if (get16(a + 6) == 1 && n->ip && get32(a + 24) == n->ip)
		send_arp(n, 2, mac, get32(a + 14));
	if (get16(a + 6) == 2 && get32(a + 14) == n->gateway) {
		__builtin_memcpy(n->gateway_mac, mac, 6);
		n->resolved = true;
	}
}

/* --- DHCP (RFC 2131) --- */

#define DHCP_XID 0x4c696c79u
#define DHCP_FIXED 236u

static void send_dhcp(struct inet *n, unsigned type)
{
	static uint8_t m[300];
	uint8_t *o = m + DHCP_FIXED;

	__builtin_memset(m, 0, sizeof(m));
	put32(m, 0x01010600);
	put32(m + 4, DHCP_XID);
	__builtin_memcpy(m + 28, n->mac, 6);
	put32(o, 0x63825363);
	o += 4;
	*o++ = 53, *o++ = 1, *o++ = (uint8_t)type;
	if (type == 3) {
		*o++ = 50, *o++ = 4;
		put32(o, n->ip);
		o += 4;
		*o++ = 54, *o++ = 4;
		put32(o, n->server);
		o += 4;
		n->ip = 0;			/* not ours before the ACK */
	}
	*o = 255;
	inet_udp(n, 0xffffffff, 68, 67, m, sizeof(m));
}

void inet_dhcp_discover(struct inet *n)
{
	n->ip = 0;
	n->offered = n->bound = false;
	send_dhcp(n, 1);
}

static void dhcp_input(struct inet *n, const uint8_t *m, uint32_t len)
{
	unsigned type = 0;

	if (len < DHCP_FIXED + 4 || get32(m + 4) != DHCP_XID || n->bound)
		return;
	for (uint32_t at = DHCP_FIXED + 4; at + 1 < len && m[at] != 255; ) {
		const uint8_t *value = m + at + 2;

		if (m[at] == 0) {
			at++;
			continue;
		}
		if (at + 2 + m[at + 1] > len)
			break;
		switch (m[at]) {
		case 1: n->mask = get32(value); break;
		case 3: n->gateway = get32(value); break;
		case 6: n->dns = get32(value); break;
		case 53: type = value[0]; break;
		case 54: n->server = get32(value); break;
		}
		at += 2u + m[at + 1];
	}
	n->ip = get32(m + 16);
	if (type == 2 && !n->offered) {
		n->offered = true;
		send_dhcp(n, 3);
	} else if (type == 5) {
		n->bound = true;
	}
}

/* --- TCP (RFC 9293), without losses --- */

static void send_tcp(struct inet *n, struct inet_tcp *t, unsigned flags, const void *p,
		     uint32_t len)
{
	uint8_t *h = out + ETH + IP;
	uint32_t head = TCP + (flags & SYN ? 4 : 0);

	__builtin_memmove(h + head, p, len);
	put16(h, t->local);
	put16(h + 2, t->remote);
	put32(h + 4, t->next);
	put32(h + 8, flags & ACK ? t->expected : 0);
	put16(h + 12, head / 4 << 12 | flags);
	put16(h + 14, 0x4000);
	put32(h + 16, 0);
	if (flags & SYN)
		put32(h + 20, 0x02040000 | (INET_MTU - IP - TCP));
	put16(h + 16, transport_sum(n->ip, t->addr, TCP_PROTO, h, head + len));
	t->next += len + !!(flags & SYN) + !!(flags & FIN);
	send_ip(n, t->addr, TCP_PROTO, head + len);
}

void inet_tcp_connect(struct inet *n, uint32_t addr, uint16_t from, uint16_t to)
{
	struct inet_tcp *t = &n->client;

	t->addr = addr;
	t->local = from;
	t->remote = to;
	t->next = t->unacked = 1000;
	t->received = 0;
	t->fin_sent = false;
	t->state = TCP_SYN_SENT;
	send_tcp(n, t, SYN, "", 0);
}

void inet_tcp_send(struct inet *n, struct inet_tcp *t, const void *p, uint32_t len)
{
	send_tcp(n, t, ACK | PSH, p, len);
}

void inet_tcp_finish(struct inet *n, struct inet_tcp *t)
{
	if (t->fin_sent)
		return;
	t->fin_sent = true;
	send_tcp(n, t, ACK | FIN, "", 0);
}

/* Somebody connects to the echo server. */
static void accept_client(struct inet *n, uint32_t from, const uint8_t *h)
{
	struct inet_tcp *t = &n->server_end;

	t->addr = from;
	t->local = INET_ECHO;
	t->remote = (uint16_t)get16(h);
	t->next = t->unacked = 77777;
	t->expected = get32(h + 4) + 1;
	t->received = 0;
	t->fin_sent = false;
	t->state = TCP_OPEN;
	send_tcp(n, t, SYN | ACK, "", 0);
}

static void echo(struct inet *n, struct inet_tcp *t, const uint8_t *p, uint32_t len)
{
	send_tcp(n, t, ACK | PSH, p, len);
}

/* A segment for an open connection. */
static void segment(struct inet *n, struct inet_tcp *t, const uint8_t *h, unsigned flags,
		    const uint8_t *p, uint32_t len)
{
	if (flags & ACK)
		t->unacked = get32(h + 8);
	if (get32(h + 4) != t->expected) {
		if (len)
			send_tcp(n, t, ACK, "", 0);
		return;
	}
	t->expected += len + !!(flags & FIN);
	t->received += len;
	if (len && t == &n->server_end)
		echo(n, t, p, len);
	else if (len || (flags & FIN))
		send_tcp(n, t, ACK, "", 0);
	if (len && t->data)
		t->data(n->ctx, t, p, len);
	if (flags & FIN) {
		t->state = TCP_PEER_DONE;
		inet_tcp_finish(n, t);
	} else if (t->state == TCP_PEER_DONE && t->unacked == t->next) {
		t->state = TCP_BOTH_DONE;
	}
}

static void tcp_input(struct inet *n, uint32_t from, const uint8_t *h, uint32_t len)
{
	static uint8_t data[INET_MTU];	/* the answer is made in `out`, the frame may be there */
	unsigned flags = h[13];
	uint32_t head = (uint32_t)(h[12] >> 4) * 4;
	struct inet_tcp *t = get16(h + 2) == n->client.local ? &n->client : &n->server_end;

	if (len < TCP || head < TCP || head > len || len - head > sizeof(data) ||
	    transport_sum(from, n->ip, TCP_PROTO, h, len))
		return;
	if (flags & RST) {
		t->state = TCP_CLOSED;
	} else if ((flags & (SYN | ACK)) == SYN && get16(h + 2) == INET_ECHO) {
		accept_client(n, from, h);
	} else if ((flags & (SYN | ACK)) == (SYN | ACK) && t->state == TCP_SYN_SENT) {
		t->expected = get32(h + 4) + 1;
		t->state = TCP_OPEN;
		send_tcp(n, t, ACK, "", 0);
	} else if (t->state >= TCP_OPEN && get16(h) == t->remote) {
		__builtin_memcpy(data, h + head, len - head);
		segment(n, t, h, flags, data, len - head);
	}
}

/* --- the rest of IP --- */

static void udp_input(struct inet *n, uint32_t from, const uint8_t *h, uint32_t len)
{
	uint32_t size = len >= UDP ? get16(h + 4) : 0;

	if (size < UDP || size > len ||
	    (get16(h + 6) && transport_sum(from, n->ip, UDP_PROTO, h, size) && n->bound))
		return;
	if (get16(h + 2) == 68) {
		dhcp_input(n, h + UDP, size - UDP);
	} else if (get16(h + 2) == INET_ECHO) {
		inet_udp(n, from, INET_ECHO, (uint16_t)get16(h), h + UDP, size - UDP);
	} else {
		n->udp_from = (uint16_t)get16(h);
		n->udp_to = (uint16_t)get16(h + 2);
		n->udp_len = size - UDP;
		__builtin_memcpy(n->udp_data, h + UDP, size - UDP);
	}
}

static void ip_input(struct inet *n, const uint8_t *h, uint32_t len)
{
	uint32_t size = len >= IP ? get16(h + 2) : 0, head = (h[0] & 15u) * 4;

	if (size > len || head < IP || size < head || h[0] >> 4 != 4 || fold(sum_up(0, h, head)))
		return;
	len = size - head;
	switch (h[9]) {
	case ICMP_PROTO:
		if (len >= 8 && h[head] == 0 && !fold(sum_up(0, h + head, len)))
			n->pings++;
		break;
	case UDP_PROTO:
		udp_input(n, get32(h + 12), h + head, len);
		break;
	case TCP_PROTO:
		tcp_input(n, get32(h + 12), h + head, len);
		break;
	}
}

void inet_input(struct inet *n, const uint8_t *frame, uint32_t len)
{
	if (len < ETH)
		return;
	if (get16(frame + 12) == 0x0806)
		arp_input(n, frame + ETH, len - ETH);
	else if (get16(frame + 12) == 0x0800)
		ip_input(n, frame + ETH, len - ETH);
}
