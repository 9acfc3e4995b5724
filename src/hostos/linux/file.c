/* SPDX-License-Identifier: BSD-2-Clause */
#include "hostos/file.h"

#include <errno.h>
#include <sys/stat.h>

int host_file_stat(const char *path, enum host_file_kind *kind, uint64_t *size)
{
	struct stat st;

	if (stat(path, &st))
		return errno;
	*kind = S_ISREG(st.st_mode) ? HOST_FILE_REGULAR :
		S_ISDIR(st.st_mode) ? HOST_FILE_DIRECTORY : HOST_FILE_OTHER;
	*size = *kind == HOST_FILE_REGULAR ? (uint64_t)st.st_size : 0;
	return 0;
}
