/* SPDX-License-Identifier: BSD-2-Clause */
/* Sockets that wait for clients.  Private to src/hostos/linux. */
#ifndef LILYVM_HOSTOS_LINUX_LISTEN_H
#define LILYVM_HOSTOS_LINUX_LISTEN_H

#include "error.h"

/*
 * Makes a listening, non-blocking socket at path, in place of one that nobody
 * listens on any more; only its owner may connect.  what names its user in
 * messages.  A descriptor, or -1 with *e.
 */
int listen_unix(const char *what, const char *path, struct error *e);
/* The same on TCP, at a host's name or address and a port's number. */
int listen_tcp(const char *what, const char *host, const char *port, struct error *e);

#endif
