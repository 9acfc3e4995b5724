/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What lilyvm-as has noted in a kernel or a module (RT_SITE_SECTION of runtime/abi.h):
 * where it has rewritten an instruction, and where it has left one to user mode.
 */
#ifndef LILYVM_SITELIST_H
#define LILYVM_SITELIST_H

#include "monitor/load.h"

struct site_record {
	uint32_t addr;		/* linked address; of an object as object.h says */
	uint8_t kind;		/* enum insn_kind */
	bool user;		/* left to user mode */
};

struct site_list {
	struct site_record *at;	/* sorted by address; those of dropped sections left out */
	size_t n;
};

/* Reads the list of an image that image_open() or object_open() has read; an image
 * without one has an empty list.  The caller frees list->at.  0, or -1 with *e. */
int site_list_read(struct site_list *list, const struct image *img, struct error *e);

/* The record of addr, or NULL. */
const struct site_record *site_list_find(const struct site_list *list, uint32_t addr);

#endif
