/* SPDX-License-Identifier: BSD-2-Clause */
/* ELF kernels: checked reading through libelf, and placing into guest RAM. */
#define _GNU_SOURCE		/* memmem */
#include "monitor/load_parts.h"
#include "runtime/abi.h"

#include <gelf.h>
#include <libelf.h>
#include <stdlib.h>
#include <string.h>

bool elf_magic(const uint8_t *buf, size_t n)
{
	return n >= SELFMAG && !memcmp(buf, ELFMAG, SELFMAG);
}

int elf_check(const char *path, const uint8_t *buf, size_t n, struct error *e)
{
	unsigned type, machine;

	if (!elf_magic(buf, n))
		return fail(e, ST_IMAGE, "%s: not an ELF file; give an i386 kernel", path);
	if (n > EI_CLASS && buf[EI_CLASS] == ELFCLASS64)
		return fail(e, ST_IMAGE,
			    "%s: 64-bit kernel: LilyVM runs i386 kernels; "
			    "build or install a 32-bit one",
			    path);
	if (n < sizeof(Elf32_Ehdr))
		return fail(e, ST_IMAGE, "%s: ELF header cut off; fetch or build the file again",
			    path);
	if (buf[EI_CLASS] != ELFCLASS32 || buf[EI_DATA] != ELFDATA2LSB ||
	    buf[EI_VERSION] != EV_CURRENT)
		return fail(e, ST_IMAGE,
			    "%s: not a little-endian ELF32 file; LilyVM runs i386 kernels", path);
	type = le16(buf + 16);
	machine = le16(buf + 18);
	if (machine != EM_386)
		return fail(e, ST_IMAGE, "%s: ELF machine %u; LilyVM runs i386 kernels (machine 3)",
			    path, machine);
	if (type != ET_EXEC && type != ET_DYN)
		return fail(e, ST_IMAGE, "%s: ELF type %u is not an executable; link it first",
			    path, type);
	return 0;
}

static int damaged(const struct image *img, const char *what, struct error *e)
{
	return fail(e, ST_IMAGE, "%s: damaged ELF file: %s; fetch or build the file again",
		    img->path, what);
}

/* libelf's view of the kernel in memory. */
static Elf *elf_start(const struct image *img)
{
	if (elf_version(EV_CURRENT) == EV_NONE)
		return NULL;
	return elf_memory((char *)img->elf, img->elf_size);
}

static int add_segment(const struct image *img, struct elf_layout *l, const GElf_Phdr *ph,
		       struct error *e)
{
	struct elf_segment *s = &l->seg[l->nseg];

	if (l->nseg == ELF_MAX_SEGMENTS)
		return damaged(img, "too many segments", e);
	if (!inside(ph->p_offset, ph->p_filesz, img->elf_size))
		return damaged(img, "a segment ends beyond the file", e);
	if (ph->p_filesz > ph->p_memsz)
		return damaged(img, "a segment is larger in the file than in memory", e);
	if (ph->p_vaddr + ph->p_memsz > 1ull << 32 || ph->p_paddr + ph->p_memsz > 1ull << 32)
		return damaged(img, "a segment ends beyond 4 GiB", e);
	s->vaddr = (uint32_t)ph->p_vaddr;
	s->paddr = ph->p_paddr;
	s->filesz = (uint32_t)ph->p_filesz;
	s->memsz = (uint32_t)ph->p_memsz;
	s->bytes = img->elf + ph->p_offset;
	s->exec = ph->p_flags & PF_X;
	l->nseg++;
	return 0;
}

static bool is_linux(const struct image *img)
{
	return img->kind == IMAGE_LINUX_ELF || img->kind == IMAGE_LINUX_BZIMAGE;
}

/* Linux before 2.6.12 and FreeBSD are linked with p_paddr == p_vaddr.  What Linux' boot
 * loaders take off is __PAGE_OFFSET, so that the kernel lies at 1 MiB; FreeBSD's take off the
 * upper eight bits of the entry's address. */
static void correct_addresses(const struct image *img, struct elf_layout *l)
{
	uint32_t off = is_linux(img) ? 0xc0000000 : l->e_entry & 0xff000000;

	if (!off || (!is_linux(img) && img->kind != IMAGE_FREEBSD))
		return;
	for (unsigned i = 0; i < l->nseg; i++)
		if (l->seg[i].paddr != l->seg[i].vaddr || l->seg[i].vaddr < off)
			return;
	for (unsigned i = 0; i < l->nseg; i++)
		l->seg[i].paddr -= off;
	l->corrected = true;
}

static int check_overlap(const struct image *img, struct elf_layout *l, struct error *e)
{
	l->low = UINT64_MAX;
	for (unsigned i = 0; i < l->nseg; i++) {
		const struct elf_segment *a = &l->seg[i];

		for (unsigned k = 0; k < i; k++) {
			const struct elf_segment *b = &l->seg[k];

			if (a->paddr < b->paddr + b->memsz && b->paddr < a->paddr + a->memsz)
				return damaged(img, "segments overlap", e);
		}
		if (a->paddr < l->low)
			l->low = a->paddr;
		if (a->paddr + a->memsz > l->high)
			l->high = a->paddr + a->memsz;
	}
	return 0;
}

static int read_segments(const struct image *img, Elf *elf, struct elf_layout *l, struct error *e)
{
	GElf_Ehdr eh;
	size_t n;

	if (!gelf_getehdr(elf, &eh) || elf_getphdrnum(elf, &n))
		return damaged(img, elf_errmsg(-1), e);
	l->e_entry = (uint32_t)eh.e_entry;
	if (!inside(eh.e_phoff, (uint64_t)n * sizeof(Elf32_Phdr), img->elf_size))
		return damaged(img, "the program headers end beyond the file", e);
	for (size_t i = 0; i < n; i++) {
		GElf_Phdr ph;

		if (!gelf_getphdr(elf, (int)i, &ph))
			return damaged(img, elf_errmsg(-1), e);
		if (ph.p_type == PT_LOAD && ph.p_memsz && add_segment(img, l, &ph, e))
			return -1;
	}
	if (!l->nseg)
		return damaged(img, "nothing to load in it", e);
	correct_addresses(img, l);
	return check_overlap(img, l, e);
}

int elf_layout(const struct image *img, struct elf_layout *l, struct error *e)
{
	Elf *elf = elf_start(img);
	int r;

	memset(l, 0, sizeof *l);
	if (!elf)
		return damaged(img, elf_errmsg(-1), e);
	r = read_segments(img, elf, l, e);
	elf_end(elf);
	return r;
}

int elf_entry(const struct image *img, const struct elf_layout *l, uint32_t *entry,
	      struct error *e)
{
	for (unsigned i = 0; i < l->nseg; i++) {
		const struct elf_segment *s = &l->seg[i];

		if (l->e_entry - s->vaddr < s->memsz) {
			*entry = (uint32_t)(s->paddr + (l->e_entry - s->vaddr));
			return 0;
		}
	}
	for (unsigned i = 0; i < l->nseg; i++) {
		const struct elf_segment *s = &l->seg[i];

		if (l->e_entry >= s->paddr && l->e_entry - s->paddr < s->memsz) {
			*entry = l->e_entry;
			return 0;
		}
	}
	return fail(e, ST_IMAGE, "%s: entry point %#x lies in no segment; link the kernel with one",
		    img->path, l->e_entry);
}

/* "Linux version 6." in a segment: init/version.c since 0.99. */
bool elf_is_linux(const uint8_t *buf, size_t n)
{
	static const char banner[] = "Linux version ";
	const size_t len = sizeof banner - 1;
	const uint8_t *p = buf, *end = buf + n, *digit;

	while ((p = memmem(p, (size_t)(end - p), banner, len))) {
		p += len;
		for (digit = p; digit < end && *digit >= '0' && *digit <= '9'; digit++)
			;
		if (digit > p && digit < end && *digit == '.')
			return true;
	}
	return false;
}

int image_add_section(struct image *img, const struct image_section *s, const char *name,
		      struct error *e)
{
	struct image_section *grown = img->sections, *added;

	/* Grows at 0, 16, 32, 64 ...: whenever the number is such a power of two. */
	if (!(img->nsections & (img->nsections - 1)) && (!img->nsections || img->nsections >= 16))
		grown = realloc(grown, (img->nsections ? 2u * img->nsections : 16) * sizeof *s);
	if (!grown)
		return fail(e, ST_HOST, "%s: no memory for the section list", img->path);
	img->sections = grown;
	added = &img->sections[img->nsections++];
	*added = *s;
	for (size_t i = 0; name && name[i] && i < sizeof added->name - 1; i++)
		added->name[i] = name[i] >= ' ' && name[i] <= '~' ? name[i] : '?';
	return 0;
}

/* The segment that holds [vaddr, vaddr + size), or NULL. */
static const struct elf_segment *segment_of(const struct elf_layout *l, uint64_t vaddr,
					    uint64_t size)
{
	for (unsigned i = 0; i < l->nseg; i++)
		if (vaddr >= l->seg[i].vaddr &&
		    inside(vaddr - l->seg[i].vaddr, size, l->seg[i].memsz))
			return &l->seg[i];
	return NULL;
}

static int add_elf_section(struct image *img, const struct elf_layout *l, const GElf_Shdr *sh,
			   const char *name, struct error *e)
{
	const struct elf_segment *seg = segment_of(l, sh->sh_addr, sh->sh_size);
	struct image_section s = { .exec = sh->sh_flags & SHF_EXECINSTR };
	uint64_t off;

	if (!(sh->sh_flags & SHF_ALLOC) || !sh->sh_size || !seg)
		return 0;
	off = sh->sh_addr - seg->vaddr;
	s.vaddr = (uint32_t)sh->sh_addr;
	s.paddr = seg->paddr + off;
	s.size = (uint32_t)sh->sh_size;
	/* What lies in memory is the segment's contents, whatever sh_offset says. */
	if (sh->sh_type != SHT_NOBITS && inside(off, sh->sh_size, seg->filesz))
		s.bytes = seg->bytes + off;
	return image_add_section(img, &s, name, e);
}

static int add_segment_sections(struct image *img, const struct elf_layout *l, struct error *e)
{
	for (unsigned i = 0; i < l->nseg; i++) {
		const struct elf_segment *seg = &l->seg[i];
		struct image_section s = { .vaddr = seg->vaddr, .paddr = seg->paddr,
					   .size = seg->filesz, .bytes = seg->bytes,
					   .exec = seg->exec };
		char name[sizeof s.name];

		snprintf(name, sizeof name, "segment %u", i);
		if (seg->filesz && image_add_section(img, &s, name, e))
			return -1;
	}
	return 0;
}

/* Functions and labels in code sections. */
static bool wanted_symbol(Elf *elf, const Elf32_Sym *sym, const char *name)
{
	GElf_Shdr sh;
	Elf_Scn *scn;
	unsigned type = ELF32_ST_TYPE(sym->st_info);

	if (type != STT_FUNC && type != STT_NOTYPE)
		return false;
	if (!*name || (name[0] == '.' && name[1] == 'L'))
		return false;
	if (sym->st_shndx == SHN_UNDEF || sym->st_shndx >= SHN_LORESERVE)
		return false;
	scn = elf_getscn(elf, sym->st_shndx);
	return scn && gelf_getshdr(scn, &sh) && (sh.sh_flags & SHF_EXECINSTR);
}

static int by_address(const void *va, const void *vb)
{
	const struct image_symbol *a = va, *b = vb;

	if (a->addr != b->addr)
		return a->addr < b->addr ? -1 : 1;
	/* Of several names for one address the first that has a size is best. */
	if (a->size != b->size)
		return a->size > b->size ? -1 : 1;
	return strcmp(a->name, b->name);
}

void image_sort_symbols(struct image *img)
{
	qsort(img->symbols, img->nsymbols, sizeof *img->symbols, by_address);
}

static int read_symbols(struct image *img, Elf *elf, const GElf_Shdr *sh, struct error *e)
{
	Elf_Scn *link = elf_getscn(elf, sh->sh_link);
	size_t n = sh->sh_size / sizeof(Elf32_Sym);
	GElf_Shdr str;

	if (img->symbols || !n || !inside(sh->sh_offset, sh->sh_size, img->elf_size) || !link ||
	    !gelf_getshdr(link, &str) || str.sh_type != SHT_STRTAB || !str.sh_size ||
	    !inside(str.sh_offset, str.sh_size, img->elf_size) ||
	    img->elf[str.sh_offset + str.sh_size - 1])
		return 0;	/* a kernel runs without its symbols */
	img->symbols = calloc(n, sizeof *img->symbols);
	if (!img->symbols)
		return fail(e, ST_HOST, "%s: no memory for the symbol table", img->path);
	for (size_t i = 0; i < n; i++) {
		const char *name;
		Elf32_Sym sym;

		memcpy(&sym, img->elf + sh->sh_offset + i * sizeof sym, sizeof sym);
		if (sym.st_name >= str.sh_size)
			continue;
		name = (const char *)img->elf + str.sh_offset + sym.st_name;
		if (wanted_symbol(elf, &sym, name))
			img->symbols[img->nsymbols++] =
				(struct image_symbol){ sym.st_value, sym.st_size, name };
	}
	image_sort_symbols(img);
	return 0;
}

static int note_abi(struct image *img, const uint8_t *desc, struct error *e)
{
	uint32_t abi = le32(desc);

	if (!abi || (img->runtime_abi && img->runtime_abi != abi))
		return fail(e, ST_IMAGE, "%s: built with lilyvm-cc of different versions "
			    "(runtime %u and %u): build all of it with one",
			    img->path, img->runtime_abi, abi);
	img->runtime_abi = abi;
	return 0;
}

static int note_link(struct image *img, const uint8_t *desc, struct error *e)
{
	const struct image_link l = { le32(desc), le32(desc + 4), le32(desc + 8), le32(desc + 12) };

	if (!l.device || (img->link.device && memcmp(&img->link, &l, sizeof l)))
		return fail(e, ST_IMAGE, "%s: its objects have linked different devices (port %#x "
			    "and %#x): compile all of them with one --link-device",
			    img->path, img->link.port, l.port);
	img->link = l;
	return 0;
}

/* The notes of lilyvm-cc in size bytes at off of the file (ELF, "Note Section"). */
static int read_notes(struct image *img, uint64_t off, uint64_t size, struct error *e)
{
	static const struct {
		uint32_t type, size;
		int (*read)(struct image *img, const uint8_t *desc, struct error *e);
	} kinds[] = { { RT_NOTE_ABI, 4, note_abi }, { RT_NOTE_LINK, 16, note_link } };
	static const char name[] = RT_NOTE_NAME;
	const uint8_t *p = img->elf + off, *end = p + size;
	uint64_t namesz, descsz;

	for (; end - p >= 12; p += 12 + namesz + descsz) {
		namesz = (le32(p) + 3ull) & ~3ull;
		descsz = (le32(p + 4) + 3ull) & ~3ull;
		if (namesz + descsz > (uint64_t)(end - p) - 12)
			return 0;	/* not for us to judge */
		if (le32(p) != sizeof name || memcmp(p + 12, name, sizeof name))
			continue;
		for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
			if (le32(p + 8) == kinds[i].type && le32(p + 4) == kinds[i].size &&
			    kinds[i].read(img, p + 12 + namesz, e))
				return -1;
	}
	return 0;
}

/* A stripped kernel has its notes in a segment only. */
static int read_note_segments(struct image *img, Elf *elf, struct error *e)
{
	size_t n;

	if (elf_getphdrnum(elf, &n))
		return 0;
	for (size_t i = 0; i < n; i++) {
		GElf_Phdr ph;

		if (gelf_getphdr(elf, (int)i, &ph) && ph.p_type == PT_NOTE &&
		    inside(ph.p_offset, ph.p_filesz, img->elf_size) &&
		    read_notes(img, ph.p_offset, ph.p_filesz, e))
			return -1;
	}
	return 0;
}

static int read_section_headers(struct image *img, Elf *elf, const struct elf_layout *l,
				struct error *e)
{
	size_t names = 0;
	bool sites = false;
	GElf_Ehdr eh;

	if (!gelf_getehdr(elf, &eh))
		return damaged(img, elf_errmsg(-1), e);
	if (read_note_segments(img, elf, e))
		return -1;
	if (!eh.e_shoff)
		return 0;
	if (!inside(eh.e_shoff, (eh.e_shnum ? eh.e_shnum : 1) * sizeof(Elf32_Shdr), img->elf_size))
		return damaged(img, "the section headers end beyond the file", e);
	elf_getshdrstrndx(elf, &names);
	for (Elf_Scn *scn = elf_nextscn(elf, NULL); scn; scn = elf_nextscn(elf, scn)) {
		const char *name;
		GElf_Shdr sh;

		if (!gelf_getshdr(scn, &sh))
			return damaged(img, elf_errmsg(-1), e);
		if (sh.sh_type != SHT_NOBITS && !inside(sh.sh_offset, sh.sh_size, img->elf_size))
			return damaged(img, "a section ends beyond the file", e);
		name = elf_strptr(elf, names, sh.sh_name);
		sites |= name && !strcmp(name, RT_SITE_SECTION) && sh.sh_size;
		if (add_elf_section(img, l, &sh, name, e))
			return -1;
		if (sh.sh_type == SHT_NOTE && read_notes(img, sh.sh_offset, sh.sh_size, e))
			return -1;
		if (sh.sh_type == SHT_SYMTAB && read_symbols(img, elf, &sh, e))
			return -1;
	}
	if (sites && !img->runtime_abi)
		return fail(e, ST_IMAGE, "%s: built with lilyvm-cc, but its note (section %s) is "
			    "lost; keep it in the linker script", img->path, RT_NOTE_SECTION);
	return 0;
}

int elf_read_sections(struct image *img, struct error *e)
{
	struct elf_layout l;
	Elf *elf;
	int r;

	if (elf_layout(img, &l, e))
		return -1;
	elf = elf_start(img);
	if (!elf)
		return damaged(img, elf_errmsg(-1), e);
	r = read_section_headers(img, elf, &l, e);
	elf_end(elf);
	if (r == 0 && !img->nsections)
		r = add_segment_sections(img, &l, e);
	return r;
}

const uint8_t *elf_section_headers(const struct image *img, uint32_t *num, uint32_t *strndx)
{
	*num = img->elf ? le16(img->elf + offsetof(Elf32_Ehdr, e_shnum)) : 0;
	*strndx = img->elf ? le16(img->elf + offsetof(Elf32_Ehdr, e_shstrndx)) : 0;
	if (!*num || le16(img->elf + offsetof(Elf32_Ehdr, e_shentsize)) != sizeof(Elf32_Shdr) ||
	    !le32(img->elf + offsetof(Elf32_Ehdr, e_shoff)))
		return NULL;
	return img->elf + le32(img->elf + offsetof(Elf32_Ehdr, e_shoff));
}

bool elf_symbol_table(const struct image *img, struct elf_symtab *t)
{
	uint32_t num, strndx;
	const uint8_t *headers = elf_section_headers(img, &num, &strndx);

	for (uint32_t i = 0; headers && i < num; i++) {
		Elf32_Shdr sh, str;

		memcpy(&sh, headers + i * sizeof sh, sizeof sh);
		if (sh.sh_type != SHT_SYMTAB || sh.sh_link >= num)
			continue;
		memcpy(&str, headers + sh.sh_link * sizeof str, sizeof str);
		if (!sh.sh_size || str.sh_type != SHT_STRTAB || !str.sh_size ||
		    !inside(sh.sh_offset, sh.sh_size, img->elf_size) ||
		    !inside(str.sh_offset, str.sh_size, img->elf_size))
			return false;
		*t = (struct elf_symtab){ img->elf + sh.sh_offset, img->elf + str.sh_offset,
					  sh.sh_size, str.sh_size };
		return true;
	}
	return false;
}

void elf_place(const struct elf_layout *l, uint8_t *ram)
{
	for (unsigned i = 0; i < l->nseg; i++) {
		const struct elf_segment *s = &l->seg[i];

		memcpy(ram + s->paddr, s->bytes, s->filesz);
		memset(ram + s->paddr + s->filesz, 0, s->memsz - s->filesz);
	}
}
