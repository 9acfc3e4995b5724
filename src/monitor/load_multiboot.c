/* SPDX-License-Identifier: BSD-2-Clause */
/* Multiboot Specification 0.6.96: ELF kernels, and raw ones by address fields. */
#include "monitor/load_parts.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#define HEADER_MAGIC 0x1badb002u
#define BOOT_MAGIC 0x2badb002u
#define SEARCH 8192u
/* Boot information lies below what a PC may keep for devices. */
#define RAM_REACH 0xc0000000u

/* The header (3.1.1). */
enum {
	MBH_FLAGS = 4, MBH_CHECKSUM = 8, MBH_SIZE = 12,
	MBH_HEADER_ADDR = 12, MBH_LOAD_ADDR = 16, MBH_LOAD_END_ADDR = 20,
	MBH_BSS_END_ADDR = 24, MBH_ENTRY_ADDR = 28, MBH_ADDR_SIZE = 32,
};
#define MBH_PAGE_ALIGN 0x00000001u	/* modules: always page-aligned here */
#define MBH_MEMORY 0x00000002u		/* memory information: always given */
#define MBH_VIDEO 0x00000004u		/* video mode: there is none, and none is announced */
#define MBH_REQUIRED 0x0000ffffu
#define MBH_ADDRESSES 0x00010000u

/* The boot information (3.3). */
enum {
	MBI_FLAGS = 0, MBI_MEM_LOWER = 4, MBI_MEM_UPPER = 8, MBI_CMDLINE = 16,
	MBI_MODS_COUNT = 20, MBI_MODS_ADDR = 24, MBI_SHDR = 28, MBI_MMAP_LENGTH = 44,
	MBI_MMAP_ADDR = 48, MBI_DRIVES_LENGTH = 52, MBI_LOADER_NAME = 64, MBI_SIZE = 120,
};
#define MBI_F_MEMORY 0x001u
#define MBI_F_CMDLINE 0x004u
#define MBI_F_MODS 0x008u
#define MBI_F_ELF 0x020u
#define MBI_F_MMAP 0x040u
#define MBI_F_DRIVES 0x080u
#define MBI_F_LOADER_NAME 0x200u

/* Inside the page at LOW_INFO: information, memory map, module list. */
#define INFO_MMAP (LOW_INFO + 0x100)
#define INFO_MODS (LOW_INFO + 0x200)
#define MMAP_ENTRY 24u
#define MOD_ENTRY 16u
#define MAX_MODULES ((LOW_GDT - INFO_MODS) / MOD_ENTRY)

struct module { const char *string; uint64_t addr, size; };

struct plan {
	struct elf_layout elf;
	uint32_t entry;
	uint64_t kernel_end;
	uint64_t tables, tables_size;	/* section headers, symbol and string tables */
	struct module mod[MAX_MODULES];
	unsigned nmods;
	uint32_t strings;		/* the next free byte of LOW_STRINGS */
};

/* The address fields, as a segment. */
struct raw_kernel { struct elf_segment seg; uint32_t entry; };

long multiboot_header(const struct image *img)
{
	size_t end = img->file_size < SEARCH ? img->file_size : SEARCH;

	for (size_t at = 0; at + MBH_SIZE <= end; at += 4) {
		const uint8_t *h = img->file + at;

		if (le32(h) == HEADER_MAGIC &&
		    !(uint32_t)(HEADER_MAGIC + le32(h + MBH_FLAGS) + le32(h + MBH_CHECKSUM)))
			return (long)at;
	}
	return -1;
}

static int bad_fields(const struct image *img, const char *what, struct error *e)
{
	return fail(e, ST_IMAGE, "%s: Multiboot header: %s; correct the kernel's header", img->path,
		    what);
}

/* 3.1.3: load_end_addr 0 means all of the file, bss_end_addr 0 no BSS. */
static int read_addresses(const struct image *img, size_t at, struct raw_kernel *k,
			  struct error *e)
{
	const uint8_t *h = img->file + at;
	uint32_t load, load_end, bss_end, back;
	uint64_t off;

	if (img->file_size - at < MBH_ADDR_SIZE)
		return bad_fields(img, "the address fields are cut off", e);
	load = le32(h + MBH_LOAD_ADDR);
	load_end = le32(h + MBH_LOAD_END_ADDR);
	bss_end = le32(h + MBH_BSS_END_ADDR);
	k->entry = le32(h + MBH_ENTRY_ADDR);
	back = le32(h + MBH_HEADER_ADDR) - load;
	if (le32(h + MBH_HEADER_ADDR) < load || back > at)
		return bad_fields(img, "load_addr lies before the file's start", e);
	off = at - back;
	if (!load_end && img->file_size - off <= UINT32_MAX - load)
		load_end = load + (uint32_t)(img->file_size - off);
	if (load_end <= load || load_end - load > img->file_size - off)
		return bad_fields(img, "load_end_addr lies beyond the file's end", e);
	if (!bss_end)
		bss_end = load_end;
	if (bss_end < load_end)
		return bad_fields(img, "bss_end_addr lies before load_end_addr", e);
	if (k->entry < load || k->entry >= load_end)
		return bad_fields(img, "entry_addr lies outside of what is loaded", e);
	k->seg = (struct elf_segment){ .vaddr = load, .paddr = load, .filesz = load_end - load,
				       .memsz = bss_end - load, .bytes = img->file + off,
				       .exec = true };
	return 0;
}

int multiboot_open(struct image *img, struct error *e)
{
	size_t at = (size_t)multiboot_header(img);
	uint32_t flags = le32(img->file + at + MBH_FLAGS);
	struct image_section s = { .name = "load", .exec = true };
	struct raw_kernel k;

	img->kind = IMAGE_MULTIBOOT;
	if (flags & MBH_REQUIRED & ~(MBH_PAGE_ALIGN | MBH_MEMORY | MBH_VIDEO))
		return fail(e, ST_IMAGE,
			    "%s: Multiboot header requires features %#x that LilyVM does "
			    "not know; clear these flags", img->path,
			    flags & MBH_REQUIRED & ~(MBH_PAGE_ALIGN | MBH_MEMORY | MBH_VIDEO));
	if (!(flags & MBH_ADDRESSES)) {
		if (elf_check(img->path, img->file, img->file_size, e))
			return -1;
		img->elf = img->file;
		img->elf_size = img->file_size;
		return elf_read_sections(img, e);
	}
	if (read_addresses(img, at, &k, e))
		return -1;
	s.vaddr = k.seg.vaddr;
	s.paddr = k.seg.paddr;
	s.size = k.seg.filesz;
	s.bytes = k.seg.bytes;
	return image_add_section(img, &s, NULL, e);
}

static int plan_kernel(const struct image *img, struct plan *p, struct error *e)
{
	struct elf_layout *l = &p->elf;

	if (img->elf) {
		if (elf_layout(img, l, e) || elf_entry(img, l, &p->entry, e))
			return -1;
	} else {
		struct raw_kernel k;

		if (read_addresses(img, (size_t)multiboot_header(img), &k, e))
			return -1;
		l->seg[l->nseg++] = k.seg;
		l->low = k.seg.paddr;
		l->high = k.seg.paddr + k.seg.memsz;
		p->entry = k.entry;
	}
	for (unsigned i = 0; i < l->nseg; i++)
		if (range_check(img, l->seg[i].paddr, l->seg[i].paddr + l->seg[i].memsz, e))
			return -1;
	p->kernel_end = l->high > HIGH_START ? l->high : HIGH_START;
	return 0;
}

/* The path in a module string: up to the first blank. */
static int module_path(const char *string, char *path, size_t size, struct error *e)
{
	size_t n = strcspn(string, " \t");

	if (!n || n >= size)
		return fail(e, ST_USAGE,
			    "module \"%.64s\": no usable file name; give \"FILE ARGS\"", string);
	memcpy(path, string, n);
	path[n] = '\0';
	return 0;
}

static int add_module(const struct boot_args *args, struct plan *p, const char *string,
		      struct error *e)
{
	char path[4096];

	if (p->nmods == MAX_MODULES)
		return fail(e, ST_USAGE, "more than %u modules; give fewer", (unsigned)MAX_MODULES);
	p->mod[p->nmods].string = string;
	if (module_path(string, path, sizeof path, e) ||
	    boot_file_size(args, path, "module", &p->mod[p->nmods].size, e))
		return -1;
	p->nmods++;
	return 0;
}

static bool is_symbol_table(const struct image *img, const Elf32_Shdr *sh)
{
	return (sh->sh_type == SHT_SYMTAB || sh->sh_type == SHT_STRTAB) &&
	       !(sh->sh_flags & SHF_ALLOC) && sh->sh_offset <= img->elf_size &&
	       sh->sh_size <= img->elf_size - sh->sh_offset;
}

static uint64_t tables_size(const struct image *img)
{
	uint32_t num, strndx;
	const uint8_t *headers = elf_section_headers(img, &num, &strndx);
	uint64_t size = (uint64_t)num * sizeof(Elf32_Shdr);

	if (!headers)
		return 0;
	for (uint32_t i = 0; i < num; i++) {
		Elf32_Shdr sh;

		memcpy(&sh, headers + i * sizeof sh, sizeof sh);
		if (is_symbol_table(img, &sh))
			size += ((uint64_t)sh.sh_size + 15) & ~15ull;
	}
	return size;
}

/* Modules and symbols go to the end of RAM: what follows the kernel's end is
 * the kernel's (NetBSD's boot page tables). */
static int plan_high_memory(const struct image *img, const struct boot_args *args, struct plan *p,
			    struct error *e)
{
	uint64_t need = round_up(p->tables_size = tables_size(img), PAGE_SIZE), at;

	if (args->initrd && add_module(args, p, args->initrd, e))
		return -1;
	for (unsigned i = 0; i < args->nmodules; i++)
		if (add_module(args, p, args->modules[i], e))
			return -1;
	for (unsigned i = 0; i < p->nmods; i++)
		need += round_up(p->mod[i].size, PAGE_SIZE);
	at = args->ram_size < RAM_REACH ? args->ram_size & ~(uint64_t)(PAGE_SIZE - 1) : RAM_REACH;
	if (round_up(p->kernel_end, PAGE_SIZE) + need > at)
		return ram_too_small(img, args, round_up(p->kernel_end, PAGE_SIZE) + need, e);
	at -= need;
	for (unsigned i = 0; i < p->nmods; i++) {
		p->mod[i].addr = at;
		at += round_up(p->mod[i].size, PAGE_SIZE);
	}
	p->tables = at;
	return 0;
}

static int read_modules(const struct boot_args *args, const struct plan *p, struct error *e)
{
	for (unsigned i = 0; i < p->nmods; i++) {
		const struct module *m = &p->mod[i];
		char path[4096];

		if (module_path(m->string, path, sizeof path, e) ||
		    boot_file_read(args, path, "module", args->ram + m->addr, m->size, e))
			return -1;
		memset(args->ram + m->addr + m->size, 0, round_up(m->size, PAGE_SIZE) - m->size);
	}
	return 0;
}

/* Puts a, and b after a blank when it is not NULL; *at gets the string's address. */
static int put_string(const struct boot_args *args, struct plan *p, const char *a, const char *b,
		      uint32_t *at, struct error *e)
{
	size_t na = strlen(a), nb = b && *b ? strlen(b) + 1 : 0;
	uint8_t *to = args->ram + p->strings;

	if (na + nb + 1 > LOW_END - p->strings)
		return fail(e, ST_USAGE,
			    "command lines are longer than %u bytes in all; shorten them",
			    LOW_END - LOW_STRINGS);
	memcpy(to, a, na);
	if (nb) {
		to[na] = ' ';
		memcpy(to + na + 1, b, nb - 1);
	}
	to[na + nb] = '\0';
	*at = p->strings;
	p->strings += (uint32_t)(na + nb + 1);
	return 0;
}

/* The section headers, and behind them copies of the tables that the kernel's
 * segments do not hold; their sh_addr says where. */
static void put_sections(const struct image *img, const struct boot_args *args,
			 const struct plan *p)
{
	uint8_t *info = args->ram + LOW_INFO;
	uint32_t num, strndx;
	const uint8_t *headers = elf_section_headers(img, &num, &strndx);
	uint64_t to = p->tables + (uint64_t)num * sizeof(Elf32_Shdr);

	if (!headers)
		return;
	for (uint32_t i = 0; i < num; i++) {
		Elf32_Shdr sh;

		memcpy(&sh, headers + i * sizeof sh, sizeof sh);
		if (is_symbol_table(img, &sh)) {
			memcpy(args->ram + to, img->elf + sh.sh_offset, sh.sh_size);
			sh.sh_addr = (Elf32_Addr)to;
			to += ((uint64_t)sh.sh_size + 15) & ~15ull;
		}
		memcpy(args->ram + p->tables + i * sizeof sh, &sh, sizeof sh);
	}
	put_le32(info + MBI_SHDR, num);
	put_le32(info + MBI_SHDR + 4, sizeof(Elf32_Shdr));
	put_le32(info + MBI_SHDR + 8, (uint32_t)p->tables);
	put_le32(info + MBI_SHDR + 12, strndx);
	put_le32(info + MBI_FLAGS, le32(info + MBI_FLAGS) | MBI_F_ELF);
}

static void put_memory_map(const struct boot_args *args)
{
	uint8_t *info = args->ram + LOW_INFO, *entry = args->ram + INFO_MMAP;
	struct pc_range map[PC_MAX_RANGES];
	unsigned n = pc_memory_map(args->ram_size, map);

	for (unsigned i = 0; i < n; i++, entry += MMAP_ENTRY) {
		put_le32(entry, MMAP_ENTRY - 4);	/* size: without itself */
		put_le64(entry + 4, map[i].start);
		put_le64(entry + 12, map[i].size);
		put_le32(entry + 20, map[i].type);
	}
	put_le32(info + MBI_MMAP_LENGTH, n * MMAP_ENTRY);
	put_le32(info + MBI_MMAP_ADDR, INFO_MMAP);
	put_le32(info + MBI_MEM_LOWER, LOW_END >> 10);
	put_le32(info + MBI_MEM_UPPER, (uint32_t)((args->ram_size - HIGH_START) >> 10));
}

/* Word 1 of the command line is the kernel's file name, as GRUB and QEMU do it. */
static int put_info(const struct image *img, const struct boot_args *args, struct plan *p,
		    struct error *e)
{
	uint8_t *info = args->ram + LOW_INFO, *mod = args->ram + INFO_MODS;
	uint32_t at;

	memset(info, 0, LOW_GDT - LOW_INFO);
	p->strings = LOW_STRINGS;
	if (put_string(args, p, img->path, args->cmdline, &at, e))
		return -1;
	put_le32(info + MBI_CMDLINE, at);
	if (put_string(args, p, "lilyvm", NULL, &at, e))
		return -1;
	put_le32(info + MBI_LOADER_NAME, at);
	for (unsigned i = 0; i < p->nmods; i++, mod += MOD_ENTRY) {
		if (put_string(args, p, p->mod[i].string, NULL, &at, e))
			return -1;
		put_le32(mod, (uint32_t)p->mod[i].addr);
		put_le32(mod + 4, (uint32_t)(p->mod[i].addr + p->mod[i].size));
		put_le32(mod + 8, at);
	}
	put_le32(info + MBI_MODS_COUNT, p->nmods);
	put_le32(info + MBI_MODS_ADDR, INFO_MODS);
	put_le32(info + MBI_FLAGS, MBI_F_MEMORY | MBI_F_CMDLINE | MBI_F_MODS | MBI_F_MMAP |
				   MBI_F_DRIVES | MBI_F_LOADER_NAME);
	put_memory_map(args);
	put_sections(img, args, p);
	return 0;
}

int multiboot_load(struct image *img, const struct boot_args *args, struct vcpu *cpu,
		   struct error *e)
{
	struct plan p = { 0 };

	if (plan_kernel(img, &p, e) || plan_high_memory(img, args, &p, e))
		return -1;
	pc_bios_data(args->ram);
	elf_place(&p.elf, args->ram);
	if (read_modules(args, &p, e) || put_info(img, args, &p, e))
		return -1;
	/* Any selectors will do; xv6 goes on with those of its own boot sector. */
	pc_enter(cpu, args->ram, 0x08, p.entry);
	cpu->gpr[R_EAX] = BOOT_MAGIC;
	cpu->gpr[R_EBX] = LOW_INFO;
	return 0;
}

/* NetBSD's, conf/newvers.sh: sccs[]. */
static const char netbsd_banner[] = "@(#)NetBSD ";

/* NetBSD has virtio drivers since version 6, and not in each configuration. */
bool multiboot_wants_ide(const struct image *img)
{
	char version[IMAGE_VERSION_SIZE];

	return image_banner(img, netbsd_banner, version);
}

void multiboot_describe(const struct image *img, FILE *out)
{
	char version[IMAGE_VERSION_SIZE];
	uint32_t flags = le32(img->file + multiboot_header(img) + MBH_FLAGS);

	fprintf(out, "Multiboot 1 kernel (%s), header flags %#x\n",
		img->elf ? "ELF" : "loaded by the header's address fields", flags);
	if (image_banner(img, netbsd_banner, version))
		fprintf(out, "  NetBSD, version %s\n", version);
}
