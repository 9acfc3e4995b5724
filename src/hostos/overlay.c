/* SPDX-License-Identifier: BSD-2-Clause */
#include "hostos/overlay.h"

#include <stddef.h>
#include <stdlib.h>

#define LEAF_BLOCKS 512u

struct leaf {
	uint8_t *block[LEAF_BLOCKS];
};

struct overlay {
	uint64_t nleaves;
	struct leaf *leaf[];
};

static uint64_t leaf_of(uint64_t offset)
{
	return offset / OVERLAY_BLOCK / LEAF_BLOCKS;
}

static unsigned index_of(uint64_t offset)
{
	return offset / OVERLAY_BLOCK % LEAF_BLOCKS;
}

struct overlay *overlay_new(uint64_t size)
{
	uint64_t n = leaf_of(size) + 1;
	struct overlay *o = calloc(1, sizeof(*o) + n * sizeof(o->leaf[0]));

	if (o)
		o->nleaves = n;
	return o;
}

void overlay_free(struct overlay *o)
{
	if (!o)
		return;
	for (uint64_t l = 0; l < o->nleaves; l++) {
		for (unsigned i = 0; o->leaf[l] && i < LEAF_BLOCKS; i++)
			free(o->leaf[l]->block[i]);
		free(o->leaf[l]);
	}
	free(o);
}

uint8_t *overlay_find(const struct overlay *o, uint64_t offset)
{
	const struct leaf *leaf = o->leaf[leaf_of(offset)];

	return leaf ? leaf->block[index_of(offset)] : NULL;
}

uint8_t *overlay_add(struct overlay *o, uint64_t offset)
{
	struct leaf **leaf = &o->leaf[leaf_of(offset)];
	uint8_t *block;

	if (!*leaf)
		*leaf = calloc(1, sizeof(**leaf));
	if (!*leaf)
		return NULL;
	block = malloc(OVERLAY_BLOCK);
	(*leaf)->block[index_of(offset)] = block;
	return block;
}

void overlay_remove(struct overlay *o, uint64_t offset)
{
	struct leaf *leaf = o->leaf[leaf_of(offset)];

	if (!leaf)
		return;
	free(leaf->block[index_of(offset)]);
	leaf->block[index_of(offset)] = NULL;
}
