/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "hostos/linux/listen.h"

#include <errno.h>
#include <netdb.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define LISTEN_FLAGS (SOCK_CLOEXEC | SOCK_NONBLOCK)

/* Is the socket at addr one that nobody listens on any more? */
static bool stale_socket(const struct sockaddr_un *addr)
{
	struct stat st;
	bool stale;
	int fd;

	if (lstat(addr->sun_path, &st) < 0 || !S_ISSOCK(st.st_mode))
		return false;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	stale = fd >= 0 && connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) < 0 &&
		errno == ECONNREFUSED;
	if (fd >= 0)
		close(fd);
	return stale;
}

/* Closes fd and returns -1; errno stays. */
static int give_up(int fd)
{
	int error = errno;

	if (fd >= 0)
		close(fd);
	errno = error;
	return -1;
}

int listen_unix(const char *what, const char *path, struct error *e)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof(addr.sun_path))
		return fail(e, ST_USAGE, "%s: the socket's path has more than %zu bytes; "
			    "use a shorter one", what, sizeof(addr.sun_path) - 1);
	strcpy(addr.sun_path, path);
	if (stale_socket(&addr))
		unlink(path);
	fd = socket(AF_UNIX, SOCK_STREAM | LISTEN_FLAGS, 0);
	/* The mode of the socket becomes that of its name. */
	if (fd < 0 || fchmod(fd, 0600) < 0 ||
	    bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(fd, 1) < 0) {
		give_up(fd);
		return fail(e, ST_HOST, "%s: cannot listen at %s: %s; name another path",
			    what, path, strerror(errno));
	}
	return fd;
}

static int listen_at(const struct addrinfo *a)
{
	int fd = socket(a->ai_family, a->ai_socktype | LISTEN_FLAGS, a->ai_protocol);
	const int on = 1;

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, a->ai_addr, a->ai_addrlen) < 0 || listen(fd, 1) < 0)
		return give_up(fd);
	return fd;
}

int listen_tcp(const char *what, const char *host, const char *port, struct error *e)
{
	const struct addrinfo hints = {
		.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV,
	};
	struct addrinfo *list;
	int fd = -1, error = getaddrinfo(host, port, &hints, &list);

	if (error)
		return fail(e, ST_USAGE, "%s: no such address, %s:%s: %s", what, host, port,
			    error == EAI_SYSTEM ? strerror(errno) : gai_strerror(error));
	for (const struct addrinfo *a = list; a && fd < 0; a = a->ai_next)
		fd = listen_at(a);
	error = errno;
	freeaddrinfo(list);
	if (fd < 0)
		return fail(e, ST_HOST, "%s: cannot listen on %s:%s: %s; choose another port",
			    what, host, port, strerror(error));
	return fd;
}
