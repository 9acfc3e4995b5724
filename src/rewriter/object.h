/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ELF section headers read with care, and objects (a module, NAME.ko or NAME.o) as
 * images that `lilyvm check` can look at.
 */
#ifndef LILYVM_OBJECT_H
#define LILYVM_OBJECT_H

#include "monitor/load.h"

#include <elf.h>

/* A view of an ELF file in memory. */
struct object {
	const uint8_t *elf;
	size_t size;
	Elf32_Ehdr header;
	unsigned nsections;
	bool relocatable;
};

/* Is it an i386 ELF file whose section headers can be read? */
bool object_view(struct object *o, const uint8_t *elf, size_t size);
/* Reads a section's header; its contents lie within the file (else they are none, and
 * the size is 0).  Returns its name ("" if it has none), NULL if there is no such section. */
const char *object_section(const struct object *o, unsigned index, Elf32_Shdr *sh);
/* Reads a symbol of the table in the section; false: there is none, or it is undefined. */
bool object_symbol(const struct object *o, unsigned table, unsigned index, Elf32_Sym *sym);

/*
 * As image_open(), but takes objects, too.  An object's sections have no addresses yet:
 * their offsets in the file take that place.
 */
int object_open(struct image *img, const char *path, struct error *e);

#endif
