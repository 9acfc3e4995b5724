/* SPDX-License-Identifier: BSD-2-Clause */
#include "rewriter/sitelist.h"
#include "rewriter/insn.h"
#include "rewriter/object.h"
#include "runtime/abi.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#define RECORD_SIZE 8u		/* address, kind */

static int damaged(const struct image *img, const char *what, struct error *e)
{
	return fail(e, ST_IMAGE, "%s: section %s: %s; build the kernel again", img->path,
		    RT_SITE_SECTION, what);
}

static int by_address(const void *va, const void *vb)
{
	const struct site_record *a = va, *b = vb;

	return (a->addr > b->addr) - (a->addr < b->addr);
}

/* In an object, the words are addends of relocations. */
static int relocate(const struct image *img, const struct object *o, unsigned sites,
		    uint8_t *words, uint32_t size, struct error *e)
{
	Elf32_Shdr sh, code;
	Elf32_Rel rel;
	Elf32_Sym sym;
	uint32_t v;

	for (unsigned i = 1; i < o->nsections; i++) {
		object_section(o, i, &sh);
		if (sh.sh_type != SHT_REL || sh.sh_info != sites)
			continue;
		for (uint32_t at = 0; at + sizeof(rel) <= sh.sh_size; at += sizeof(rel)) {
			memcpy(&rel, o->elf + sh.sh_offset + at, sizeof(rel));
			if (ELF32_R_TYPE(rel.r_info) != R_386_32 || size < 4 ||
			    rel.r_offset > size - 4 ||
			    !object_symbol(o, sh.sh_link, ELF32_R_SYM(rel.r_info), &sym) ||
			    !object_section(o, sym.st_shndx, &code))
				return damaged(img, "a relocation makes no sense", e);
			memcpy(&v, words + rel.r_offset, sizeof(v));
			v += code.sh_offset + sym.st_value;
			memcpy(words + rel.r_offset, &v, sizeof(v));
		}
	}
	return 0;
}

static int take_records(struct site_list *list, const struct image *img, const uint8_t *words,
			uint32_t size, struct error *e)
{
	struct site_record *grown = realloc(list->at, (list->n + size / RECORD_SIZE + 1) *
					    sizeof(*list->at));

	if (!grown)
		return fail(e, ST_HOST, "%s: out of memory", img->path);
	list->at = grown;
	if (size % RECORD_SIZE)
		return damaged(img, "a record is cut off", e);
	for (uint32_t at = 0; at < size; at += RECORD_SIZE) {
		uint32_t addr, kind;

		memcpy(&addr, words + at, sizeof(addr));
		memcpy(&kind, words + at + 4, sizeof(kind));
		if (!(kind & ~(uint32_t)RT_SITE_USER) ||
		    (kind & ~(uint32_t)RT_SITE_USER) >= IK_COUNT)
			return damaged(img, "a record has an unknown kind", e);
		if (addr)
			list->at[list->n++] = (struct site_record){
				addr, (uint8_t)kind, kind & RT_SITE_USER };
	}
	return 0;
}

static int read_section(struct site_list *list, const struct image *img, const struct object *o,
			unsigned index, const Elf32_Shdr *sh, struct error *e)
{
	uint8_t *words = malloc((size_t)sh->sh_size + 1);
	int r = 0;

	if (sh->sh_flags & SHF_COMPRESSED) {
		free(words);
		return damaged(img, "it is compressed, as debugging information", e);
	}
	if (!words)
		return fail(e, ST_HOST, "%s: out of memory", img->path);
	memcpy(words, o->elf + sh->sh_offset, sh->sh_size);
	if (o->relocatable)
		r = relocate(img, o, index, words, sh->sh_size, e);
	if (r == 0)
		r = take_records(list, img, words, sh->sh_size, e);
	free(words);
	return r;
}

int site_list_read(struct site_list *list, const struct image *img, struct error *e)
{
	struct object o;
	Elf32_Shdr sh;

	*list = (struct site_list){ .n = 0 };
	if (!img->elf || !object_view(&o, img->elf, img->elf_size))
		return 0;
	for (unsigned i = 1; i < o.nsections; i++) {
		const char *name = object_section(&o, i, &sh);

		if (name && !strcmp(name, RT_SITE_SECTION) && sh.sh_type == SHT_PROGBITS &&
		    read_section(list, img, &o, i, &sh, e) < 0) {
			free(list->at);
			return -1;
		}
	}
	if (list->n)
		qsort(list->at, list->n, sizeof(*list->at), by_address);
	return 0;
}

const struct site_record *site_list_find(const struct site_list *list, uint32_t addr)
{
	struct site_record key = { .addr = addr };

	return list->n ? bsearch(&key, list->at, list->n, sizeof(key), by_address) : NULL;
}
