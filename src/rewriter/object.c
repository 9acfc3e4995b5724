/* SPDX-License-Identifier: BSD-2-Clause */
#include "rewriter/object.h"
#include "monitor/load_parts.h"

#include <stdlib.h>
#include <string.h>

/* ---- headers ---- */

bool object_view(struct object *o, const uint8_t *elf, size_t size)
{
	const Elf32_Ehdr *h = &o->header;

	*o = (struct object){ .elf = elf, .size = size };
	if (size < sizeof(*h) || !elf_magic(elf, size) || elf[EI_CLASS] != ELFCLASS32 ||
	    elf[EI_DATA] != ELFDATA2LSB)
		return false;
	memcpy(&o->header, elf, sizeof(*h));
	if (h->e_machine != EM_386 || !h->e_shoff || h->e_shentsize != sizeof(Elf32_Shdr) ||
	    !inside(h->e_shoff, (uint64_t)h->e_shnum * sizeof(Elf32_Shdr), size))
		return false;
	o->nsections = h->e_shnum;
	o->relocatable = h->e_type == ET_REL;
	return true;
}

static bool section_header(const struct object *o, unsigned index, Elf32_Shdr *sh)
{
	if (index == SHN_UNDEF || index >= o->nsections)
		return false;
	memcpy(sh, o->elf + o->header.e_shoff + (size_t)index * sizeof(*sh), sizeof(*sh));
	if (sh->sh_type != SHT_NOBITS && !inside(sh->sh_offset, sh->sh_size, o->size))
		sh->sh_size = 0;
	return true;
}

/* A string in the string table of that index, "" if there is none. */
static const char *string(const struct object *o, unsigned table, uint32_t at)
{
	const uint8_t *s;
	Elf32_Shdr sh;

	if (!section_header(o, table, &sh) || sh.sh_type != SHT_STRTAB || at >= sh.sh_size)
		return "";
	s = o->elf + sh.sh_offset + at;
	return memchr(s, 0, sh.sh_size - at) ? (const char *)s : "";
}

const char *object_section(const struct object *o, unsigned index, Elf32_Shdr *sh)
{
	return section_header(o, index, sh) ? string(o, o->header.e_shstrndx, sh->sh_name) : NULL;
}

bool object_symbol(const struct object *o, unsigned table, unsigned index, Elf32_Sym *sym)
{
	Elf32_Shdr sh;

	if (!section_header(o, table, &sh) || sh.sh_type != SHT_SYMTAB ||
	    index >= sh.sh_size / sizeof(*sym))
		return false;
	memcpy(sym, o->elf + sh.sh_offset + (size_t)index * sizeof(*sym), sizeof(*sym));
	return sym->st_shndx != SHN_UNDEF && sym->st_shndx < o->nsections;
}

/* ---- objects as images ---- */

static int add_section(struct image *img, const Elf32_Shdr *sh, const char *name,
		       struct error *e)
{
	struct image_section s = {
		.vaddr = sh->sh_offset, .paddr = sh->sh_offset, .size = sh->sh_size,
		.bytes = img->elf + sh->sh_offset, .exec = sh->sh_flags & SHF_EXECINSTR,
	};

	if (!(sh->sh_flags & SHF_ALLOC) || sh->sh_type == SHT_NOBITS || !sh->sh_size)
		return 0;
	return image_add_section(img, &s, name, e);
}

static int add_symbols(struct image *img, const struct object *o, unsigned table,
		       const Elf32_Shdr *sh, struct error *e)
{
	unsigned n = sh->sh_size / sizeof(Elf32_Sym);
	Elf32_Shdr code;
	Elf32_Sym sym;

	if (img->symbols || !n)
		return 0;
	img->symbols = calloc(n, sizeof(*img->symbols));
	if (!img->symbols)
		return fail(e, ST_HOST, "%s: no memory for the symbol table", img->path);
	for (unsigned i = 1; i < n; i++) {
		const char *name;
		unsigned type;

		if (!object_symbol(o, table, i, &sym) || !section_header(o, sym.st_shndx, &code))
			continue;
		name = string(o, sh->sh_link, sym.st_name);
		type = ELF32_ST_TYPE(sym.st_info);
		if ((type == STT_FUNC || type == STT_NOTYPE) && *name && *name != '.' &&
		    (code.sh_flags & SHF_EXECINSTR))
			img->symbols[img->nsymbols++] = (struct image_symbol){
				code.sh_offset + sym.st_value, sym.st_size, name };
	}
	image_sort_symbols(img);
	return 0;
}

static int read_object(struct image *img, const struct object *o, struct error *e)
{
	Elf32_Shdr sh;

	for (unsigned i = 1; i < o->nsections; i++) {
		const char *name = object_section(o, i, &sh);

		if (add_section(img, &sh, name, e) < 0)
			return -1;
		if (sh.sh_type == SHT_SYMTAB && add_symbols(img, o, i, &sh, e) < 0)
			return -1;
	}
	return 0;
}

/* The start of the file: is it an i386 object? */
static bool is_object(const char *path, uint64_t size)
{
	struct error ignored;
	Elf32_Ehdr h;

	return size >= sizeof(h) && file_read(path, "object", &h, sizeof(h), &ignored) == 0 &&
	       elf_magic(h.e_ident, sizeof(h)) && h.e_ident[EI_CLASS] == ELFCLASS32 &&
	       h.e_ident[EI_DATA] == ELFDATA2LSB && h.e_machine == EM_386 && h.e_type == ET_REL;
}

int object_open(struct image *img, const char *path, struct error *e)
{
	struct object o;
	uint64_t size;
	int r;

	if (file_size(path, "kernel", &size, e) < 0)
		return -1;
	if (!is_object(path, size))
		return image_open(img, path, e);
	*img = (struct image){ .kind = IMAGE_ELF, .path = path, .file = malloc(size) };
	if (!img->file)
		return fail(e, ST_HOST, "%s: out of memory", path);
	img->elf = img->file;
	img->file_size = img->elf_size = size;
	r = file_read(path, "object", img->file, size, e);
	if (r == 0 && !object_view(&o, img->elf, img->elf_size))
		r = fail(e, ST_IMAGE, "%s: damaged ELF file: the section headers end beyond it; "
			 "build it again", path);
	if (r == 0)
		r = read_object(img, &o, e);
	if (r < 0)
		image_close(img);
	return r;
}
