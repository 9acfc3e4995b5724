/* SPDX-License-Identifier: BSD-2-Clause */
/* Shared memory that has a descriptor. */
#ifndef LILYVM_MEMFD_H
#define LILYVM_MEMFD_H

#include <stdbool.h>
#include <stdint.h>

/* So many bytes of zeroes, sealed: a hostile guest kernel cannot make more memory of it, nor
 * less.  exec: mappings of it may be executable.  A descriptor, or -1 with errno. */
int memfd_sealed(const char *name, uint64_t size, bool exec);

#endif
