/* SPDX-License-Identifier: BSD-2-Clause */
/* The sandbox but for its filter of system calls (sandbox_filter.c). */
#define _GNU_SOURCE
#include "hostos/sandbox.h"

#include "hostos/linux/landlock.h"
#include "hostos/linux/leftovers.h"
#include "hostos/linux/sandbox_filter.h"
#include "hostos/linux/threads.h"
#include "layout.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

/* What the process itself may come to need, beside snapshots: records of code, buffers of
 * libslirp, stacks. */
#define OWN_DATA (512ull << 20)
/* Its addresses: the C library reserves 64 MiB for each of its heaps. */
#define OWN_ADDRESSES (2ull << 30)
/* Descriptors beyond those that are open: the engine's, clients'. */
#define MORE_FDS 32
#define INHERITED_MAX 256

/* It is the process that has inherited them, hence the file scope. */
static struct {
	int fd[INHERITED_MAX];
	unsigned n;
	int null;			/* /dev/null */
	int resolv;			/* /etc/resolv.conf, or -1 */
} opened = { .null = -1, .resolv = -1 };

/* Calls each(fd) for the open descriptors that are not standard ones; the highest. */
static int each_fd(void (*each)(int fd))
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *d;
	int highest = STDERR_FILENO;

	while (dir && (d = readdir(dir))) {
		int fd = atoi(d->d_name);

		if (fd <= STDERR_FILENO || fd == dirfd(dir))
			continue;
		if (fd > highest)
			highest = fd;
		if (each)
			each(fd);
	}
	if (dir)
		closedir(dir);
	return highest;
}

static void note(int fd)
{
	if (opened.n < INHERITED_MAX)
		opened.fd[opened.n++] = fd;
}

void host_sandbox_prepare(void)
{
	each_fd(note);
	opened.null = open("/dev/null", O_RDWR | O_CLOEXEC);
	opened.resolv = open("/etc/resolv.conf", O_RDONLY | O_CLOEXEC);
	threads_hold();
}

static void drop_descriptors(const struct host_sandbox *s)
{
	unsigned i;

	for (i = 0; i < opened.n; i++)
		close(opened.fd[i]);
	if (!s->stdio && opened.null >= 0) {
		dup2(opened.null, STDIN_FILENO);
		dup2(opened.null, STDOUT_FILENO);
	}
	close(opened.null);
	if (!s->connects && opened.resolv >= 0)
		close(opened.resolv);
}

/* ---- limits ---- */

/* A limit is only lowered, and for good. */
static void limit(int what, rlim_t most)
{
	struct rlimit now;

	if (getrlimit(what, &now))
		return;
	if (now.rlim_cur > most)
		now.rlim_cur = most;
	now.rlim_max = now.rlim_cur;
	setrlimit(what, &now);
}

/* Bytes of memory that this process has now. */
struct size {
	unsigned long long all;		/* of addresses, as RLIMIT_AS counts */
	unsigned long long data;	/* private and writable, as RLIMIT_DATA counts */
};

static bool get_size(struct size *s)
{
	FILE *f = fopen("/proc/self/status", "re");
	char line[256];
	int found = 0;

	while (f && fgets(line, sizeof line, f))
		found += sscanf(line, "VmSize: %llu kB", &s->all) == 1 ||
			 sscanf(line, "VmData: %llu kB", &s->data) == 1;
	if (f)
		fclose(f);
	s->all <<= 10;
	s->data <<= 10;
	return found == 2;
}

static void set_limits(const struct host_sandbox *s)
{
	struct size now;

	if (!getenv("LILYVM_CORE"))
		limit(RLIMIT_CORE, 0);
	if (!s->user_net)
		limit(RLIMIT_NOFILE, (rlim_t)each_fd(NULL) + 1 + MORE_FDS);
	if (!get_size(&now))
		return;
	/* Guest RAM is shared memory and has its size; but each view of it takes page tables,
	 * and there is need for one. */
	limit(RLIMIT_DATA, now.data + OWN_DATA + s->memory);
	limit(RLIMIT_AS, now.all + LOW_END + OWN_ADDRESSES + s->memory);
}

/* ---- the steps ---- */

int host_sandbox_enclose(const struct host_sandbox *s, struct error *e)
{
	int err;

	if (leftovers_entrust(e))
		return -1;
	fflush(stdout);
	drop_descriptors(s);
	set_limits(s);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return fail(e, ST_HOST, "sandbox: no-new-privileges: %s; --sandbox off does "
			    "without it", strerror(errno));
	if (!landlock_version())
		return 0;
	err = landlock_enclose(!s->connects);
	if (err)
		return fail(e, ST_HOST, "sandbox: landlock: %s; --sandbox off does without it",
			    strerror(err));
	return 0;
}

int host_sandbox_release(struct error *e)
{
	int err = threads_release();

	if (err)
		return fail(e, ST_HOST, "cannot start a thread (%s); raise the limit of processes "
			    "or of memory (ulimit -u, -v)", strerror(err));
	return 0;
}

int host_sandbox_close(const struct host_sandbox *s, struct error *e)
{
	return sandbox_filter_load(s, opened.resolv, e);
}
