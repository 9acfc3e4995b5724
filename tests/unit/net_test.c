/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The host's networks without a virtual machine: a small TCP/IP stack takes the
 * guest's place.  It reaches its own echo server by the host: out through a socket
 * of the network, back through a forwarded port.
 */
#define _GNU_SOURCE
#include "hostos/net.h"			/* before check.h, which has a macro fail() */

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <arpa/inet.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../guest/netlib/inet.c"

static struct error e;
static char dir[64];

/* One end of a network, as a virtual machine's thread has it. */
struct end {
	struct host_net *net;
	struct inet inet;
	sem_t kicks;
	unsigned kicked;
	unsigned refused;		/* frames that could not be sent at once */
};
static struct end a, b;

static void kick(void *ctx)
{
	sem_post(&((struct end *)ctx)->kicks);
}

/* Takes what has come.  Waits for a kick; false if none comes within ms. */
static bool wait_kick(struct end *end, unsigned ms)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += (long)(ms % 1000) * 1000000;
	until.tv_sec += ms / 1000 + until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	while (sem_timedwait(&end->kicks, &until) < 0)
		if (errno != EINTR)
			return false;
	end->kicked++;
	return true;
}

static void take(struct end *end)
{
	const uint8_t *frame;
	uint32_t len;

	while ((frame = host_net_peek(end->net, &len))) {
		inet_input(&end->inet, frame, len);
		host_net_pop(end->net);
	}
}

static void send_out(void *ctx, const uint8_t *frame, uint32_t len)
{
	struct end *end = ctx;
	/* In two pieces. */
	const struct dev_iovec iov[] = {
		{ (void *)(uintptr_t)frame, 14 }, { (void *)(uintptr_t)(frame + 14), len - 14 },
	};

	while (!host_net_send(end->net, iov, 2)) {
		end->refused++;
		do
			ck_assert(wait_kick(end, 10000));
		while (!host_net_poll(end->net));
	}
}

/* Runs the stack until cond; false after 20 s. */
#define UNTIL(end, cond) __extension__ ({					\
	bool done_;								\
	take(end);								\
	while (!(done_ = (cond)) && wait_kick(end, 20000))			\
		take(end);							\
	done_; })

static int open_end(struct end *end, const struct host_net_config *cfg, struct host_pcap *pcap)
{
	static const uint8_t mac[6] = { 0x52, 0x54, 0, 0x12, 0x34, 0x56 };

	memset(end, 0, sizeof(*end));
	memset(&e, 0, sizeof(e));
	sem_init(&end->kicks, 0, 0);
	end->inet.send = send_out;
	end->inet.ctx = end;
	memcpy(end->inet.mac, mac, 6);
	end->inet.mac[5] += end == &b;
	return host_net_open(&end->net, cfg, pcap, kick, end, &e);
}

static struct host_net_config user_config(void)
{
	return (struct host_net_config){
		.kind = HOST_NET_USER, .net = 0x0a000200, .mask = 0xffffff00, .host = 0x0a000202,
		.dns = 0x0a000203, .dhcp = 0x0a00020f, .mtu = 1500,
	};
}

/* A port of 127.0.0.1 that nobody uses. */
static uint16_t free_port(int type)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001) };
	socklen_t size = sizeof(addr);
	int fd = socket(AF_INET, type, 0);

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&addr, size), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&addr, &size), 0);
	close(fd);
	return ntohs(addr.sin_port);
}

static void bring_up(struct end *end)
{
	inet_dhcp_discover(&end->inet);
	ck_assert(UNTIL(end, end->inet.bound));
	inet_arp_gateway(&end->inet);
	ck_assert(UNTIL(end, end->inet.resolved));
}

START_TEST(user_dhcp_arp_ping)
{
	const struct host_net_config cfg = user_config();

	ck_assert_int_eq(open_end(&a, &cfg, NULL), 0);
	bring_up(&a);
	ck_assert_uint_eq(a.inet.ip, cfg.dhcp);
	ck_assert_uint_eq(a.inet.mask, cfg.mask);
	ck_assert_uint_eq(a.inet.gateway, cfg.host);
	ck_assert_uint_eq(a.inet.dns, cfg.dns);
	for (unsigned i = 0; i < 3; i++)
		inet_ping(&a.inet, cfg.host, (uint16_t)i, 1000);
	ck_assert(UNTIL(&a, a.inet.pings == 3));
	host_net_close(a.net);
}
END_TEST

START_TEST(user_udp_there_and_back)
{
	struct host_net_config cfg = user_config();

	cfg.nforwards = 1;
	cfg.forwards[0] = (struct host_net_forward){
		.udp = true, .host_addr = 0x7f000001, .host_port = free_port(SOCK_DGRAM),
		.guest_port = INET_ECHO,
	};
	ck_assert_int_eq(open_end(&a, &cfg, NULL), 0);
	bring_up(&a);
	inet_udp(&a.inet, cfg.host, 999, cfg.forwards[0].host_port, "there and back", 14);
	ck_assert(UNTIL(&a, a.inet.udp_to == 999));
	ck_assert_uint_eq(a.inet.udp_len, 14);
	ck_assert_mem_eq(a.inet.udp_data, "there and back", 14);
	host_net_close(a.net);
}
END_TEST

/* What the client sends and hopes to get back. */
#define TRANSFER (1u << 20)
#define IN_FLIGHT 8192u

static uint8_t pattern(uint32_t i)
{
	return (uint8_t)(i * 13 + (i >> 8) + (i >> 16));
}

static void check_echo(void *ctx, struct inet_tcp *t, const uint8_t *p, uint32_t len)
{
	uint32_t at = t->received - len;

	(void)ctx;
	for (uint32_t i = 0; i < len; i++)
		ck_assert_uint_eq(p[i], pattern(at + i));
}

static void transfer(struct end *end, uint32_t addr, uint16_t port)
{
	struct inet_tcp *t = &end->inet.client;
	uint8_t data[1460];
	uint32_t sent = 0;

	t->data = check_echo;
	inet_tcp_connect(&end->inet, addr, 4000, port);
	ck_assert(UNTIL(end, t->state == TCP_OPEN));
	while (t->received < TRANSFER) {
		while (sent < TRANSFER && sent - t->received < IN_FLIGHT) {
			uint32_t len = TRANSFER - sent < sizeof(data) ? TRANSFER - sent :
				       (uint32_t)sizeof(data);

			for (uint32_t i = 0; i < len; i++)
				data[i] = pattern(sent + i);
			inet_tcp_send(&end->inet, t, data, len);
			sent += len;
		}
		ck_assert(UNTIL(end, t->received == TRANSFER || sent - t->received < IN_FLIGHT));
	}
	inet_tcp_finish(&end->inet, t);
	ck_assert(UNTIL(end, t->state >= TCP_PEER_DONE));
}

START_TEST(user_tcp_there_and_back)
{
	struct host_net_config cfg = user_config();

	cfg.nforwards = 1;
	cfg.forwards[0] = (struct host_net_forward){
		.host_addr = 0x7f000001, .host_port = free_port(SOCK_STREAM),
		.guest_port = INET_ECHO,
	};
	ck_assert_int_eq(open_end(&a, &cfg, NULL), 0);
	bring_up(&a);
	transfer(&a, cfg.host, cfg.forwards[0].host_port);
	ck_assert_uint_eq(a.inet.server_end.received, TRANSFER);
	host_net_close(a.net);
}
END_TEST

/* Without a way out the host does not answer, but a forwarded port works. */
START_TEST(user_restricted)
{
	struct host_net_config cfg = user_config();
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001) };
	char reply[8] = "";
	int fd = socket(AF_INET, SOCK_STREAM, 0), sink = socket(AF_INET, SOCK_DGRAM, 0);

	cfg.restricted = true;
	cfg.nforwards = 1;
	cfg.forwards[0] = (struct host_net_forward){
		.host_addr = 0x7f000001, .host_port = free_port(SOCK_STREAM),
		.guest_port = INET_ECHO,
	};
	ck_assert_int_eq(open_end(&a, &cfg, NULL), 0);
	inet_dhcp_discover(&a.inet);
	ck_assert(UNTIL(&a, a.inet.bound));
	a.inet.gateway = cfg.host;
	inet_arp_gateway(&a.inet);
	ck_assert(UNTIL(&a, a.inet.resolved));
	to.sin_port = htons(free_port(SOCK_DGRAM));
	ck_assert_int_eq(bind(sink, (struct sockaddr *)&to, sizeof(to)), 0);
	inet_udp(&a.inet, cfg.host, 999, ntohs(to.sin_port), "out", 3);
	to.sin_port = htons(cfg.forwards[0].host_port);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	ck_assert_int_eq(send(fd, "in", 2, 0), 2);
	for (unsigned i = 0; i < 200 && recv(fd, reply, sizeof(reply), MSG_DONTWAIT) < 0; i++) {
		wait_kick(&a, 50);
		take(&a);
	}
	ck_assert_mem_eq(reply, "in", 2);
	ck_assert_int_lt(recv(sink, reply, sizeof(reply), MSG_DONTWAIT), 0);
	close(fd);
	close(sink);
	host_net_close(a.net);
}
END_TEST

START_TEST(port_in_use)
{
	struct host_net_config cfg = user_config();
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001) };
	socklen_t size = sizeof(addr);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	bind(fd, (struct sockaddr *)&addr, size);
	listen(fd, 1);
	getsockname(fd, (struct sockaddr *)&addr, &size);
	cfg.nforwards = 1;
	cfg.forwards[0] = (struct host_net_forward){
		.host_addr = 0x7f000001, .host_port = ntohs(addr.sin_port), .guest_port = 22,
	};
	ck_assert_int_eq(open_end(&a, &cfg, NULL), -1);
	ck_assert_ptr_null(a.net);
	ck_assert_int_eq(e.status, ST_HOST);
	ck_assert_ptr_nonnull(strstr(e.text, "in use"));
	ck_assert_ptr_nonnull(strstr(e.text, "choose another port"));
	close(fd);
}
END_TEST

/* Two stacks on a cable; the second one plays the host. */
static void over_a_cable(void)
{
	a.inet.ip = a.inet.gateway = 0x0a000001;
	b.inet.ip = 0x0a000002;
	a.inet.gateway = b.inet.ip;
	b.inet.gateway = a.inet.ip;
	for (unsigned tries = 0; tries < 100 && !a.inet.resolved; tries++) {
		inet_arp_gateway(&a.inet);	/* lost while nobody is at the other end */
		wait_kick(&b, 100);
		take(&b);
		wait_kick(&a, 100);
		take(&a);
	}
	ck_assert(a.inet.resolved);
	memcpy(b.inet.gateway_mac, a.inet.mac, 6);
	inet_udp(&a.inet, b.inet.ip, 1, INET_ECHO, "hello", 5);
	ck_assert(wait_kick(&b, 10000));
	take(&b);
	ck_assert(UNTIL(&a, a.inet.udp_to == 1));
	ck_assert_mem_eq(a.inet.udp_data, "hello", 5);
}

START_TEST(udp_cable)
{
	struct host_net_config cfg = {
		.kind = HOST_NET_UDP, .local_addr = 0x7f000001, .remote_addr = 0x7f000001,
		.local_port = free_port(SOCK_DGRAM), .remote_port = free_port(SOCK_DGRAM),
	};
	uint16_t port = cfg.local_port;

	ck_assert_int_eq(open_end(&a, &cfg, NULL), 0);
	cfg.local_port = cfg.remote_port;
	cfg.remote_port = port;
	ck_assert_int_eq(open_end(&b, &cfg, NULL), 0);
	over_a_cable();
	host_net_close(b.net);
	ck_assert_int_eq(open_end(&b, &(struct host_net_config){
		.kind = HOST_NET_UDP, .local_addr = 0x7f000001, .remote_addr = 0x7f000001,
		.local_port = port, .remote_port = 9 }, NULL), -1);
	ck_assert_ptr_nonnull(strstr(e.text, "choose another port"));
	host_net_close(a.net);
}
END_TEST

START_TEST(socket_cable)
{
	char path[96];
	struct host_net_config cfg = { .kind = HOST_NET_SOCKET, .where = path };

	snprintf(path, sizeof(path), "%s/cable", dir);
	ck_assert_int_eq(open_end(&a, &cfg, NULL), 0);
	for (unsigned i = 0; i < 2; i++) {	/* the other end may come again */
		ck_assert_int_eq(open_end(&b, &cfg, NULL), 0);
		a.inet.resolved = false;
		a.inet.udp_to = 0;
		over_a_cable();
		host_net_close(b.net);
	}
	host_net_close(a.net);
	ck_assert_int_eq(access(path, F_OK), -1);
	cfg.where = "/nowhere/cable";
	ck_assert_int_eq(open_end(&a, &cfg, NULL), -1);
	ck_assert_ptr_nonnull(strstr(e.text, "/nowhere/cable"));
}
END_TEST

/* The receiver does not take frames: the sender has to wait, and nothing is lost. */
START_TEST(slow_receiver_loses_nothing)
{
	enum { FRAMES = 6000 };
	char path[96];
	struct host_net_config cfg = { .kind = HOST_NET_SOCKET, .where = path };
	struct host_net_counters c;
	const uint8_t *got;
	uint8_t frame[1514] = { 0 };
	const struct dev_iovec iov = { frame, sizeof(frame) };
	uint32_t sent = 0, seen = 0, number, len;

	snprintf(path, sizeof(path), "%s/slow", dir);
	ck_assert_int_eq(open_end(&a, &cfg, NULL), 0);
	ck_assert_int_eq(open_end(&b, &cfg, NULL), 0);
	/* Until the cable is there, frames are lost. */
	do {
		memset(frame, 0xff, 4);
		host_net_send(a.net, &iov, 1);
	} while (!wait_kick(&b, 10));
	for (; sent < FRAMES; sent++) {
		memcpy(frame, &sent, 4);
		while (!host_net_send(a.net, &iov, 1)) {
			a.refused++;
			ck_assert_uint_lt(seen, sent);
			/* One more is taken, late. */
			while (!(got = host_net_peek(b.net, &len)))
				ck_assert(wait_kick(&b, 10000));
			memcpy(&number, got, 4);
			host_net_pop(b.net);
			if (number == UINT32_MAX)
				continue;
			ck_assert_uint_eq(number, seen);
			seen++;
		}
	}
	ck_assert_uint_gt(a.refused, 0);
	while (seen < FRAMES) {
		while (!(got = host_net_peek(b.net, &len)))
			ck_assert(wait_kick(&b, 10000));
		memcpy(&number, got, 4);
		ck_assert_uint_eq(len, sizeof(frame));
		host_net_pop(b.net);
		if (number != UINT32_MAX)
			ck_assert_uint_eq(number, seen++);
	}
	host_net_count(b.net, &c);
	ck_assert_uint_eq(c.dropped, 0);
	host_net_close(a.net);
	host_net_close(b.net);
}
END_TEST

/* An idle network uses no CPU, with a connection or without. */
START_TEST(idle_uses_no_cpu)
{
	const struct host_net_config cfg = user_config();
	struct timespec before, after;

	ck_assert_int_eq(open_end(&a, &cfg, NULL), 0);
	bring_up(&a);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
	usleep(500000);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
	ck_assert_int_lt((after.tv_sec - before.tv_sec) * 1000 +
			 (after.tv_nsec - before.tv_nsec) / 1000000, 20);
	host_net_close(a.net);
}
END_TEST

/* Frames that nobody takes: one kick tells of all, and the host keeps them. */
START_TEST(kicks_once_for_a_batch)
{
	const struct host_net_config cfg = user_config();
	uint32_t len;

	ck_assert_int_eq(open_end(&a, &cfg, NULL), 0);
	bring_up(&a);
	while (sem_trywait(&a.kicks) == 0)
		;
	a.kicked = 0;
	for (unsigned i = 0; i < 50; i++)
		inet_ping(&a.inet, cfg.host, (uint16_t)i, 100);
	usleep(300000);
	while (sem_trywait(&a.kicks) == 0)
		a.kicked++;
	ck_assert_uint_eq(a.kicked, 1);
	ck_assert_ptr_nonnull(host_net_peek(a.net, &len));
	take(&a);
	ck_assert(UNTIL(&a, a.inet.pings == 50));
	host_net_close(a.net);
}
END_TEST

START_TEST(tap_failures)
{
	struct host_net_config cfg = {
		.kind = HOST_NET_TAP, .where = "a-name-that-is-too-long-for-an-interface",
	};

	ck_assert_int_eq(open_end(&a, &cfg, NULL), -1);
	ck_assert_ptr_nonnull(strstr(e.text, "--net tap"));
	if (geteuid() != 0) {
		cfg.where = "lilyvmtest";
		ck_assert_int_eq(open_end(&a, &cfg, NULL), -1);
		ck_assert_int_eq(e.status, ST_HOST);
	}
}
END_TEST

START_TEST(capture)
{
	const struct host_net_config cfg = user_config();
	struct host_pcap *pcap;
	char path[96];
	uint32_t h[6], frames = 0, rec[4];
	FILE *f;

	snprintf(path, sizeof(path), "%s/pcap", dir);
	ck_assert_int_eq(host_pcap_open(&pcap, path, &e), 0);
	ck_assert_int_eq(open_end(&a, &cfg, pcap), 0);
	bring_up(&a);
	inet_ping(&a.inet, cfg.host, 1, 1000);
	ck_assert(UNTIL(&a, a.inet.pings == 1));
	host_net_close(a.net);
	host_pcap_close(pcap);
	f = fopen(path, "rb");
	ck_assert_uint_eq(fread(h, 4, 6, f), 6);
	ck_assert_uint_eq(h[0], 0xa1b23c4d);
	ck_assert_uint_eq(h[1], 0x00040002);
	ck_assert_uint_eq(h[5], 1);
	/* DHCP's four, ARP's two, the ping's two at least; each with its time. */
	while (fread(rec, 4, 4, f) == 4) {
		ck_assert_int_lt(labs((long)rec[0] - (long)time(NULL)), 100);
		ck_assert_uint_lt(rec[1], 1000000000);
		ck_assert_uint_eq(rec[2], rec[3]);
		ck_assert_int_eq(fseek(f, rec[2], SEEK_CUR), 0);
		frames++;
	}
	ck_assert_uint_ge(frames, 8);
	fclose(f);
	ck_assert_int_eq(host_pcap_open(&pcap, "/nowhere/pcap", &e), -1);
	ck_assert_ptr_nonnull(strstr(e.text, "/nowhere/pcap"));
	ck_assert_ptr_null(pcap);
}
END_TEST

static void setup(void)
{
	strcpy(dir, "/tmp/net_test.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void teardown(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}

int main(void)
{
	Suite *suite = suite_create("net");
	TCase *tc = tcase_create("net");
	SRunner *sr = srunner_create(suite);
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, user_dhcp_arp_ping);
	tcase_add_test(tc, user_udp_there_and_back);
	tcase_add_test(tc, user_tcp_there_and_back);
	tcase_add_test(tc, user_restricted);
	tcase_add_test(tc, port_in_use);
	tcase_add_test(tc, udp_cable);
	tcase_add_test(tc, socket_cable);
	tcase_add_test(tc, slow_receiver_loses_nothing);
	tcase_add_test(tc, idle_uses_no_cpu);
	tcase_add_test(tc, kicks_once_for_a_batch);
	tcase_add_test(tc, tap_failures);
	tcase_add_test(tc, capture);
	suite_add_tcase(suite, tc);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
