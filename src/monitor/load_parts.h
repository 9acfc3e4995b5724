/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of the kernel loader share: recognizers and boot protocols
 * (load_linux.c, load_multiboot.c, load_freebsd.c), ELF reading and placing
 * (load_elf.c), and the state in which a PC's firmware leaves memory and CPU
 * (load_pc.c).
 */
#ifndef LILYVM_LOAD_PARTS_H
#define LILYVM_LOAD_PARTS_H

#include "monitor/bytes.h"
#include "monitor/load.h"

#include <stdio.h>

/*
 * Guest-physical low memory as the loader leaves it:
 *
 *	0x00000	interrupt vectors (empty)
 *	0x00400	BIOS data area
 *	0x01000	free
 *	0x90000	boot information: Linux zero page, Multiboot structures, bootinfo
 *	0x91000	GDT
 *	0x92000	command line and other strings
 *	0xa0000	video memory and ROMs of a PC: no RAM
 *	0x100000	kernel
 *
 * Linux 2.4's decompressor uses 0x2000 .. 0x90000; NetBSD puts page tables
 * right behind the kernel: nothing of ours may lie there.
 */
#define LOW_FREE 0x1000u
#define LOW_INFO 0x90000u
#define LOW_GDT 0x91000u
#define LOW_STRINGS 0x92000u
#define LOW_END 0xa0000u
#define HIGH_START 0x100000u

/* No file that a kernel is made of is larger. */
#define IMAGE_MAX (512u << 20)

/* Does [off, off + len) lie in [0, size)? */
static inline bool inside(uint64_t off, uint64_t len, uint64_t size)
{
	return off <= size && len <= size - off;
}

/* The next multiple of unit, a power of two. */
static inline uint64_t round_up(uint64_t n, uint64_t unit)
{
	return (n + unit - 1) & ~(unit - 1);
}

/* A checked PT_LOAD segment. */
struct elf_segment {
	uint32_t vaddr, filesz, memsz;
	uint64_t paddr;
	const uint8_t *bytes;		/* filesz bytes in the ELF file */
	bool exec;
};

#define ELF_MAX_SEGMENTS 64

/* Where an ELF kernel wants to be. */
struct elf_layout {
	struct elf_segment seg[ELF_MAX_SEGMENTS];
	unsigned nseg;
	uint64_t low, high;		/* physical range of all segments */
	uint32_t e_entry;		/* as in the ELF header */
	bool corrected;			/* p_paddr was virtual */
};

/* load_elf.c */

/* Is this the start of an ELF file of any class? */
bool elf_magic(const uint8_t *buf, size_t n);
/* Checks that buf is an i386 executable; 0, or -1 with *e naming what it is instead. */
int elf_check(const char *path, const uint8_t *buf, size_t n, struct error *e);
/* Does an (elf_check()ed) file hold Linux' banner? */
bool elf_is_linux(const uint8_t *buf, size_t n);
/* Reads the PT_LOAD segments of img->elf; physical addresses are corrected for
 * kernels that are linked without them (Linux before 2.6.12, FreeBSD). */
int elf_layout(const struct image *img, struct elf_layout *l, struct error *e);
/* The physical address of e_entry; 0, or -1 with *e. */
int elf_entry(const struct image *img, const struct elf_layout *l, uint32_t *entry,
	      struct error *e);
/* Fills img->sections and img->symbols from img->elf. */
int elf_read_sections(struct image *img, struct error *e);
/* Adds one section to the image; name is the file's, or NULL. */
int image_add_section(struct image *img, const struct image_section *s, const char *name,
		      struct error *e);
/* Sorts the symbols as struct image wants them. */
void image_sort_symbols(struct image *img);
/* The section header table of img->elf, which elf_read_sections() has checked, or NULL. */
const uint8_t *elf_section_headers(const struct image *img, uint32_t *num, uint32_t *strndx);
/* The symbol table and its strings, in the file. */
struct elf_symtab { const uint8_t *bytes, *strings; uint32_t size, strings_size; };
/* Finds it; false: there is none, or it is damaged. */
bool elf_symbol_table(const struct image *img, struct elf_symtab *t);
/* Copies the segments into RAM and clears what they do not fill; they have
 * been checked to lie in it. */
void elf_place(const struct elf_layout *l, uint8_t *ram);

/* load_linux.c */

bool linux_is_bzimage(const struct image *img);
/* Reads the setup header and decompresses the payload. */
int linux_open_bzimage(struct image *img, struct error *e);
int linux_load(struct image *img, const struct boot_args *args, struct vcpu *cpu, struct error *e);
void linux_describe(const struct image *img, FILE *out);
bool linux_wants_ide(const struct image *img);

/* load_multiboot.c */

/* Finds the Multiboot header (Multiboot Specification 0.6.96, 3.1.1): its file
 * offset, or -1. */
long multiboot_header(const struct image *img);
int multiboot_open(struct image *img, struct error *e);
int multiboot_load(struct image *img, const struct boot_args *args, struct vcpu *cpu,
		   struct error *e);
void multiboot_describe(const struct image *img, FILE *out);
bool multiboot_wants_ide(const struct image *img);

/* load_freebsd.c */

/* Does an (elf_check()ed) file hold FreeBSD's banner? */
bool freebsd_is_kernel(const uint8_t *elf, size_t n);
int freebsd_load(struct image *img, const struct boot_args *args, struct vcpu *cpu,
		 struct error *e);
void freebsd_describe(const struct image *img, FILE *out);
bool freebsd_wants_ide(const struct image *img);

/* load.c */

#define IMAGE_VERSION_SIZE 64
/* The version in a banner as BSD kernels have them, "@(#)System ": what follows it up to the
 * end of the line or " #", the build's number, printable characters only. false: no banner. */
bool image_banner(const struct image *img, const char *banner, char version[IMAGE_VERSION_SIZE]);

/* Recognizes img->file (img->path names it in messages); 0, or -1 with *e.
 * What it allocates is freed by image_close(), in either case. */
int image_recognize(struct image *img, struct error *e);
/* Size of a regular file of at most IMAGE_MAX bytes. */
int file_size(const char *path, const char *what, uint64_t *size, struct error *e);
/* Reads its first size bytes. */
int file_read(const char *path, const char *what, void *buf, uint64_t size, struct error *e);
/* The same in two steps; NULL: *e tells. */
FILE *file_open(const char *path, const char *what, struct error *e);
int file_fill(FILE *f, const char *path, const char *what, void *buf, uint64_t size,
	      struct error *e);

/* load_files.c */
/* As file_size() and file_read(); the file is kept in args->files and is the same, and as
 * long, at the next reset. */
int boot_file_size(const struct boot_args *args, const char *path, const char *what,
		   uint64_t *size, struct error *e);
int boot_file_read(const struct boot_args *args, const char *path, const char *what, void *buf,
		   uint64_t size, struct error *e);

/* load_pc.c */

#define E820_RAM 1u
#define E820_RESERVED 2u
#define PC_MAX_RANGES 3

struct pc_range { uint64_t start, size; uint32_t type; };

/* The memory map that int 15h, ax=e820h of a PC would give. */
unsigned pc_memory_map(uint64_t ram_size, struct pc_range map[PC_MAX_RANGES]);
/* Writes the BIOS data area. */
void pc_bios_data(uint8_t *ram);
/*
 * Enters 32-bit protected mode at the physical address entry: paging and
 * interrupts off, flat segments, code cs (8 or 0x10) and data cs + 8, from a GDT in
 * low memory, general registers zero but for ESP, which points below LOW_INFO.
 */
void pc_enter(struct vcpu *cpu, uint8_t *ram, uint16_t cs, uint32_t entry);
/* Can a PC's RAM, if there is enough of it, hold a kernel at [start, end)? 0, or
 * -1 with *e. */
int range_check(const struct image *img, uint64_t start, uint64_t end, struct error *e);
/* The message of "not enough guest memory", need bytes in all; returns -1. */
int ram_too_small(const struct image *img, const struct boot_args *args, uint64_t need,
		  struct error *e);

#endif
