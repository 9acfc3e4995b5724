/* SPDX-License-Identifier: BSD-2-Clause */
/* What a path names, before it is opened (opening a FIFO would wait). */
#ifndef LILYVM_HOSTOS_FILE_H
#define LILYVM_HOSTOS_FILE_H

#include <stdint.h>

enum host_file_kind { HOST_FILE_REGULAR, HOST_FILE_DIRECTORY, HOST_FILE_OTHER };

/* Kind and, of a regular file, size in bytes; 0, or an errno value. */
int host_file_stat(const char *path, enum host_file_kind *kind, uint64_t *size);

#endif
