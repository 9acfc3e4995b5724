/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "hostos/linux/memfd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010u
#endif

int memfd_sealed(const char *name, uint64_t size, bool exec)
{
	const unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	/* vm.memfd_noexec=1 makes descriptors non-executable unless asked; old
	 * hosts do not know the flag. */
	int fd = memfd_create(name, flags | (exec ? MFD_EXEC : 0)), err;

	if (fd < 0 && errno == EINVAL)
		fd = memfd_create(name, flags);
	if (fd < 0 || (!ftruncate(fd, (off_t)size) &&
		       !fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL)))
		return fd;
	err = errno;
	close(fd);
	errno = err;
	return -1;
}
