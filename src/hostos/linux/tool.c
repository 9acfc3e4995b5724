/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "hostos/tool.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const char self[] = "/proc/self/exe";

int host_self_dir(char *path, size_t size, struct error *e)
{
	ssize_t n = readlink(self, path, size);
	char *slash;

	if (n <= 0 || (size_t)n >= size)
		return fail(e, ST_HOST, "%s: %s; is /proc mounted?", self,
			    strerror(n < 0 ? errno : ENAMETOOLONG));
	path[n] = '\0';
	slash = strrchr(path, '/');
	if (slash)
		*slash = '\0';
	return 0;
}

int host_executable(const char *path)
{
	return access(path, X_OK) == 0;
}

int host_find_other(const char *name, char *path, size_t size, struct error *e)
{
	const char *dir = getenv("PATH");
	struct stat me, other;

	if (stat(self, &me) < 0)
		return fail(e, ST_HOST, "%s: %s; is /proc mounted?", self, strerror(errno));
	for (size_t n; dir && *dir; dir += n + (dir[n] == ':')) {
		n = strcspn(dir, ":");
		if (snprintf(path, size, "%.*s/%s", (int)n, dir, name) >= (int)size ||
		    access(path, X_OK) < 0 || stat(path, &other) < 0)
			continue;
		if (other.st_dev != me.st_dev || other.st_ino != me.st_ino)
			return 0;
	}
	return fail(e, ST_HOST, "there is no program %s in PATH; install it", name);
}

int host_stdin_text(const char *text, size_t n, struct error *e)
{
	int fd = memfd_create("lilyvm-text", 0);

	for (ssize_t k; fd >= 0 && n; text += k, n -= (size_t)k) {
		k = write(fd, text, n);
		if (k < 0 && errno == EINTR)
			k = 0;
		if (k < 0)
			break;
	}
	if (fd < 0 || n || lseek(fd, 0, SEEK_SET) < 0 || dup2(fd, STDIN_FILENO) < 0)
		return fail(e, ST_HOST, "cannot pass the text on: %s", strerror(errno));
	if (fd != STDIN_FILENO)
		close(fd);
	return 0;
}

int host_become(const char *const argv[], struct error *e)
{
	execvp(argv[0], (char *const *)argv);
	return fail(e, ST_HOST, "cannot run %s: %s; is it installed?", argv[0], strerror(errno));
}
