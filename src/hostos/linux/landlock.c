/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "hostos/linux/landlock.h"

#include <errno.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* include/uapi/linux/landlock.h */
#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_restrict_self 446
#endif
#define CREATE_RULESET_VERSION 1u

struct ruleset {
	uint64_t fs, net, scoped;
};

#define NET_TCP 3u		/* bind, connect */
#define SCOPES 3u		/* abstract Unix sockets, signals */

/* What each version can forbid besides what the one before it can. */
static const struct ruleset since[] = {
	{ .fs = 0 }, { .fs = 0x1fff }, { .fs = 0x2000 }, { .fs = 0x4000 }, { .net = NET_TCP },
	{ .fs = 0x8000 }, { .scoped = SCOPES },
};
#define VERSIONS ((int)(sizeof since / sizeof *since))

int landlock_version(void)
{
	long v = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_RULESET_VERSION);

	return v < 0 ? 0 : (int)v;
}

/* Without rules: what a ruleset can forbid is forbidden everywhere. */
int landlock_enclose(bool tcp)
{
	struct ruleset all = { 0 };
	int version = landlock_version(), fd, err = 0;

	for (int v = 1; v <= version && v < VERSIONS; v++) {
		all.fs |= since[v].fs;
		all.net |= tcp ? since[v].net : 0;
		all.scoped |= since[v].scoped;
	}
	/* Members that the host does not know are 0, and may be there. */
	fd = (int)syscall(SYS_landlock_create_ruleset, &all, sizeof all, 0);
	if (fd < 0)
		return errno;
	if (syscall(SYS_landlock_restrict_self, fd, 0))
		err = errno;
	close(fd);
	return err;
}
