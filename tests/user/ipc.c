/* SPDX-License-Identifier: BSD-2-Clause */
/* Pipes and sockets between processes, the data verified. */
#define _GNU_SOURCE
#include "harness.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { TOTAL = 2 << 20 };

static uint8_t byte_at(uint32_t i)
{
	return (uint8_t)(i * 7 + (i >> 8) * 3 + (i >> 16));
}

/* Sizes that do not divide pages. */
static uint32_t chunk(uint32_t at)
{
	uint32_t n = 1 + at % 9001;

	return n < TOTAL - at ? n : TOTAL - at;
}

static void send_all(int fd)
{
	static uint8_t buf[9001];
	uint32_t at = 0;

	while (at < TOTAL) {
		uint32_t n = chunk(at);

		for (uint32_t i = 0; i < n; i++)
			buf[i] = byte_at(at + i);
		for (uint32_t done = 0; done < n;)
			done += (uint32_t)SYS(write(fd, buf + done, n - done));
		at += n;
	}
}

static void receive_all(int fd)
{
	static uint8_t buf[16384];
	uint32_t at = 0;

	while (at < TOTAL) {
		long n = SYS(read(fd, buf, sizeof(buf)));

		CHECK(n > 0, "end of data after %u bytes", at);
		for (long i = 0; i < n; i++, at++)
			CHECK(buf[i] == byte_at(at), "byte %u is 0x%x", at, buf[i]);
	}
}

/* A child sends, this process receives. */
static void stream(int to, int from)
{
	pid_t pid = (pid_t)SYS(fork());

	if (pid == 0) {
		close(from);
		send_all(to);
		_exit(0);
	}
	close(to);
	receive_all(from);
	wait_ok(pid);
}

static void check_pipe(const void *arg)
{
	int fd[2];

	(void)arg;
	SYS(pipe(fd));
	stream(fd[1], fd[0]);
}

static void check_ping_pong(const void *arg)
{
	int to[2], from[2];
	uint32_t v;
	pid_t pid;

	(void)arg;
	SYS(pipe(to));
	SYS(pipe(from));
	pid = (pid_t)SYS(fork());
	if (pid == 0) {
		for (uint32_t i = 0; i < 2000; i++) {
			CHECK(read(to[0], &v, 4) == 4 && v == i, "child: %u, wanted %u", v, i);
			v = ~v;
			CHECK(write(from[1], &v, 4) == 4, "write");
		}
		_exit(0);
	}
	for (uint32_t i = 0; i < 2000; i++) {
		CHECK(write(to[1], &i, 4) == 4, "write");
		CHECK(read(from[0], &v, 4) == 4 && v == ~i, "parent: %u, wanted %u", v, ~i);
	}
	wait_ok(pid);
}

static void check_unix(const void *arg)
{
	int fd[2];

	(void)arg;
	SYS(socketpair(AF_UNIX, SOCK_STREAM, 0, fd));
	stream(fd[0], fd[1]);
}

/* A descriptor sent over a socket. */
static void check_rights(const void *arg)
{
	union { struct cmsghdr h; char buf[CMSG_SPACE(sizeof(int))]; } control = { 0 };
	char byte = 'x', got[5] = "";
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
			      .msg_controllen = sizeof(control) };
	int fd[2], p[2], received;
	pid_t pid;

	(void)arg;
	SYS(socketpair(AF_UNIX, SOCK_DGRAM, 0, fd));
	pid = (pid_t)SYS(fork());
	if (pid == 0) {
		SYS(pipe(p));
		CHECK(write(p[1], "abcd", 4) == 4, "write");
		control.h = (struct cmsghdr){ CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
		memcpy(CMSG_DATA(&control.h), &p[0], sizeof(int));
		SYS(sendmsg(fd[0], &msg, 0));
		_exit(0);
	}
	SYS(recvmsg(fd[1], &msg, 0));
	CHECK(control.h.cmsg_type == SCM_RIGHTS, "no descriptor came");
	memcpy(&received, CMSG_DATA(&control.h), sizeof(int));
	CHECK(read(received, got, 4) == 4 && !strcmp(got, "abcd"), "read '%s'", got);
	wait_ok(pid);
}

/* Brings the loopback interface up, which needs root; else it must be up. */
static void need_loopback(void)
{
	struct ifreq req = { .ifr_name = "lo" };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &req))
		test_skip("no IPv4 loopback interface");
	if (!(req.ifr_flags & IFF_UP)) {
		req.ifr_flags |= IFF_UP;
		SYS(ioctl(fd, SIOCSIFFLAGS, &req));
	}
	close(fd);
}

/* A socket bound to a free port of 127.0.0.1. */
static int bound(int type, struct sockaddr_in *addr)
{
	int fd = (int)SYS(socket(AF_INET, type, 0));
	socklen_t len = sizeof(*addr);

	*addr = (struct sockaddr_in){ .sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	SYS(bind(fd, (struct sockaddr *)addr, len));
	SYS(getsockname(fd, (struct sockaddr *)addr, &len));
	return fd;
}

static void check_tcp(const void *arg)
{
	struct sockaddr_in addr;
	int listener, fd;
	pid_t pid;

	(void)arg;
	need_loopback();
	listener = bound(SOCK_STREAM, &addr);
	SYS(listen(listener, 4));
	for (int i = 0; i < 3; i++) {
		pid = (pid_t)SYS(fork());
		if (pid == 0) {
			fd = (int)SYS(socket(AF_INET, SOCK_STREAM, 0));
			SYS(connect(fd, (struct sockaddr *)&addr, sizeof(addr)));
			send_all(fd);
			_exit(0);
		}
		fd = (int)SYS(accept(listener, NULL, NULL));
		receive_all(fd);
		close(fd);
		wait_ok(pid);
	}
}

static void check_udp(const void *arg)
{
	static uint8_t out[8000], in[8000];
	struct sockaddr_in a, b;
	int fa, fb;

	(void)arg;
	need_loopback();
	fa = bound(SOCK_DGRAM, &a);
	fb = bound(SOCK_DGRAM, &b);
	for (uint32_t n = 1; n < sizeof(out); n += 333) {
		for (uint32_t i = 0; i < n; i++)
			out[i] = byte_at(n + i);
		SYS(sendto(fa, out, n, 0, (struct sockaddr *)&b, sizeof(b)));
		CHECK(SYS(recv(fb, in, sizeof(in), 0)) == (long)n, "a datagram of another size");
		CHECK(!memcmp(in, out, n), "a datagram of %u bytes changed", n);
	}
}

static void check_poll(const void *arg)
{
	struct pollfd p;
	struct epoll_event ev = { .events = EPOLLIN };
	int fd[2], ep;

	(void)arg;
	SYS(pipe(fd));
	p = (struct pollfd){ .fd = fd[0], .events = POLLIN };
	CHECK(SYS(poll(&p, 1, 20)) == 0, "poll of an empty pipe");
	ep = (int)SYS(epoll_create1(0));
	SYS(epoll_ctl(ep, EPOLL_CTL_ADD, fd[0], &ev));
	CHECK(write(fd[1], "x", 1) == 1, "write");
	CHECK(SYS(poll(&p, 1, 1000)) == 1 && p.revents == POLLIN, "poll: revents 0x%x", p.revents);
	CHECK(SYS(epoll_wait(ep, &ev, 1, 1000)) == 1, "epoll_wait");
}

void test_ipc(void)
{
	run("ipc: 2 MiB through a pipe", check_pipe, NULL);
	run("ipc: 2000 turns of pipe ping-pong", check_ping_pong, NULL);
	run("ipc: 2 MiB through a socket pair", check_unix, NULL);
	run("ipc: a descriptor sent over a socket", check_rights, NULL);
	run("ipc: three TCP connections of 2 MiB over loopback", check_tcp, NULL);
	run("ipc: UDP over loopback", check_udp, NULL);
	run("ipc: poll and epoll", check_poll, NULL);
}
