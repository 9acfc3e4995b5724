/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a snapshot disk keeps in memory: the blocks that were written, found by
 * block number in a directory of leaves that are allocated as needed.
 */
#ifndef LILYVM_HOSTOS_OVERLAY_H
#define LILYVM_HOSTOS_OVERLAY_H

#include <stdint.h>

#define OVERLAY_BLOCK 65536u		/* bytes */

struct overlay;

/* For a disk of size bytes; NULL if there is no memory. */
struct overlay *overlay_new(uint64_t size);
void overlay_free(struct overlay *o);
/* The block that holds byte offset of the disk, or NULL if it was not added. */
uint8_t *overlay_find(const struct overlay *o, uint64_t offset);
/* Adds that block, contents undefined; NULL if there is no memory. */
uint8_t *overlay_add(struct overlay *o, uint64_t offset);
/* Takes out and frees a block that could not be filled. */
void overlay_remove(struct overlay *o, uint64_t offset);

#endif
