/* SPDX-License-Identifier: BSD-2-Clause */
/* Kernel images: what a file is, how it is put into guest RAM and entered. */
#ifndef LILYVM_LOAD_H
#define LILYVM_LOAD_H

#include "error.h"
#include "types.h"
#include "vcpu.h"

#include <stdio.h>

enum image_kind { IMAGE_LINUX_BZIMAGE, IMAGE_LINUX_ELF, IMAGE_MULTIBOOT, IMAGE_FREEBSD,
		  IMAGE_ELF };

/* An executable section (or, without section headers, segment) of the kernel. */
struct image_section {
	char name[32];
	uint32_t vaddr;		/* linked virtual address */
	uint64_t paddr;		/* guest-physical address it is loaded at */
	uint32_t size;
	const uint8_t *bytes;	/* contents in the ELF file, NULL for nobits */
	bool exec;
};

/* A function or label of the symbol table, sorted by address. */
struct image_symbol { uint32_t addr; uint32_t size; const char *name; };

/* The device that a kernel has linked (lilyvm-cc --link-device). */
struct image_link {
	uint32_t device;	/* RT_LINK_*; 0: none */
	uint32_t layout;	/* version of its state's layout */
	uint32_t port, irq;
};

struct image {
	enum image_kind kind;
	const char *path;
	uint8_t *file;		/* the whole file */
	size_t file_size;
	uint8_t *elf;		/* the ELF kernel: file itself, or the decompressed payload;
				   NULL when a bzImage has to be run by its own decompressor */
	size_t elf_size;
	uint8_t *elf_owned;	/* freed with the image */
	struct image_section *sections;
	unsigned nsections;
	struct image_symbol *symbols;
	unsigned nsymbols;
	uint32_t setup_size;	/* bzImage: bytes of real-mode setup */
	uint16_t protocol;	/* bzImage: boot protocol version */
	uint32_t runtime_abi;	/* built with lilyvm-cc for that version of runtime/abi.h; 0: not */
	struct image_link link;
};

/* Reads and recognizes a kernel file; 0, or -1 with *e. Any input is safe. */
int image_open(struct image *img, const char *path, struct error *e);
void image_close(struct image *img);
/* The symbol that covers addr, or NULL; *off gets the distance. */
const char *image_symbol_at(const struct image *img, uint32_t addr, uint32_t *off);
/* Prints what the image is and how it will be booted, for people; returns an
 * exit status. */
int image_describe(const struct image *img, FILE *out);
/* Linux: the version, as in 2.6.22; false: another kind of kernel, or unknown. */
bool image_linux_version(const struct image *img, unsigned v[3]);
/* Is the kernel known to want its disks on IDE, for lack of virtio drivers? */
bool image_wants_ide(const struct image *img);
/* The sensitive-instruction report of `lilyvm check`; returns an exit status. */
int image_check(const struct image *img, struct error *e);

struct boot_file;
void boot_files_close(struct boot_file **files);

/* What a boot protocol needs besides the image. */
struct boot_args {
	const char *cmdline;
	const char *initrd;		/* path or NULL */
	const char *const *modules;	/* "FILE ARGS", for multiboot */
	unsigned nmodules;
	struct boot_file **files;	/* initrd and modules, open for resets; NULL: not kept */
	uint8_t *ram;
	uint64_t ram_size;
};

/*
 * Puts the kernel, its command line, initrd or modules and boot information
 * into RAM and sets the virtual CPU (which is in the state after reset) to the
 * entry state of the boot protocol: registers, flat segments with the
 * selectors and the GDT that the protocol wants, CR0.PE, interrupts off.
 */
int image_load(struct image *img, const struct boot_args *args, struct vcpu *cpu, struct error *e);

#endif
