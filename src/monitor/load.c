/* SPDX-License-Identifier: BSD-2-Clause */
/* Kernel files: reading, recognizing, dispatch to the boot protocol. */
#define _GNU_SOURCE		/* memmem */
#include "monitor/load_parts.h"

#include "hostos/file.h"
#include "monitor/decompress.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SUPPORTED "LilyVM boots Linux bzImage and vmlinux, FreeBSD and Multiboot 1 " \
		  "kernels (i386)"

int file_size(const char *path, const char *what, uint64_t *size, struct error *e)
{
	enum host_file_kind kind;
	int err = host_file_stat(path, &kind, size);

	if (err)
		return fail(e, ST_NOINPUT, "%s: cannot read the %s: %s; check the path", path, what,
			    strerror(err));
	if (kind == HOST_FILE_DIRECTORY)
		return fail(e, ST_NOINPUT, "%s: is a directory; give the %s file in it", path,
			    what);
	if (kind != HOST_FILE_REGULAR)
		return fail(e, ST_NOINPUT, "%s: is not a regular file; copy the %s into one", path,
			    what);
	if (*size == 0)
		return fail(e, ST_IMAGE, "%s: the %s is empty; fetch or build it again", path,
			    what);
	if (*size > IMAGE_MAX)
		return fail(e, ST_IMAGE, "%s: the %s is larger than %u MiB; give a smaller one",
			    path, what, IMAGE_MAX >> 20);
	return 0;
}

FILE *file_open(const char *path, const char *what, struct error *e)
{
	FILE *f = fopen(path, "rb");

	if (!f)
		fail(e, ST_NOINPUT, "%s: cannot read the %s: %s; %s", path, what,
		     strerror(errno), errno == EMFILE || errno == ENFILE ?
		     "raise the limit of descriptors (ulimit -n)" : "check its permissions");
	return f;
}

int file_fill(FILE *f, const char *path, const char *what, void *buf, uint64_t size,
	      struct error *e)
{
	errno = 0;
	if (fread(buf, 1, size, f) == size)
		return 0;
	return fail(e, ST_NOINPUT, "%s: cannot read the %s: %s; try again", path, what,
		    errno ? strerror(errno) : "it became shorter");
}

int file_read(const char *path, const char *what, void *buf, uint64_t size, struct error *e)
{
	FILE *f = file_open(path, what, e);
	int r;

	if (!f)
		return -1;
	r = file_fill(f, path, what, buf, size, e);
	fclose(f);
	return r;
}

static int open_elf(struct image *img, struct error *e)
{
	if (elf_check(img->path, img->file, img->file_size, e))
		return -1;
	img->elf = img->file;
	img->elf_size = img->file_size;
	if (freebsd_is_kernel(img->elf, img->elf_size))
		img->kind = IMAGE_FREEBSD;
	else
		img->kind = elf_is_linux(img->elf, img->elf_size) ? IMAGE_LINUX_ELF : IMAGE_ELF;
	return elf_read_sections(img, e);
}

int image_recognize(struct image *img, struct error *e)
{
	enum compression c = compression_detect(img->file, img->file_size);

	if (linux_is_bzimage(img))
		return linux_open_bzimage(img, e);
	if (multiboot_header(img) >= 0)
		return multiboot_open(img, e);
	if (elf_magic(img->file, img->file_size))
		return open_elf(img, e);
	if (c != COMP_NONE)
		return fail(e, ST_IMAGE, "%s: a %s-compressed file; decompress it first", img->path,
			    compression_name(c));
	return fail(e, ST_IMAGE, "%s: not a kernel; " SUPPORTED, img->path);
}

int image_open(struct image *img, const char *path, struct error *e)
{
	uint64_t size;

	memset(img, 0, sizeof *img);
	img->path = path;
	if (file_size(path, "kernel", &size, e))
		return -1;
	img->file = malloc(size);
	if (!img->file)
		return fail(e, ST_HOST,
			    "%s: no memory for a file of %llu MiB; raise the limit (ulimit -v)",
			    path, (unsigned long long)(size >> 20));
	img->file_size = size;
	if (file_read(path, "kernel", img->file, size, e) || image_recognize(img, e)) {
		image_close(img);
		return -1;
	}
	return 0;
}

void image_close(struct image *img)
{
	free(img->file);
	free(img->elf_owned);
	free(img->sections);
	free(img->symbols);
	memset(img, 0, sizeof *img);
}

static bool in_code(const struct image *img, uint32_t addr)
{
	for (unsigned i = 0; i < img->nsections; i++)
		if (img->sections[i].exec && addr - img->sections[i].vaddr < img->sections[i].size)
			return true;
	return false;
}

const char *image_symbol_at(const struct image *img, uint32_t addr, uint32_t *off)
{
	unsigned low = 0, high = img->nsymbols;
	const struct image_symbol *s;

	/* The first symbol above addr; those of one address are sorted best first. */
	while (low < high) {
		unsigned mid = low + (high - low) / 2;

		if (img->symbols[mid].addr <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	if (!low || !in_code(img, addr))
		return NULL;
	s = &img->symbols[low - 1];
	while (s > img->symbols && s[-1].addr == s->addr)
		s--;
	if (s->size && addr - s->addr >= s->size)
		return NULL;
	*off = addr - s->addr;
	return s->name;
}

static int elf_load(struct image *img, const struct boot_args *args, struct vcpu *cpu,
		    struct error *e)
{
	(void)args;
	(void)cpu;
	return fail(e, ST_IMAGE,
		    "%s: an i386 ELF program, but no Linux, FreeBSD or Multiboot kernel; "
		    SUPPORTED, img->path);
}

static void elf_describe(const struct image *img, FILE *out)
{
	(void)img;
	fprintf(out,
		"i386 ELF program, no Linux, FreeBSD or Multiboot kernel: "
		"it can be checked, not booted\n");
}

static const struct {
	int (*load)(struct image *img, const struct boot_args *args, struct vcpu *cpu,
		    struct error *e);
	void (*describe)(const struct image *img, FILE *out);
	bool (*wants_ide)(const struct image *img);	/* NULL: no */
} protocols[] = {
	[IMAGE_LINUX_BZIMAGE] = { linux_load, linux_describe, linux_wants_ide },
	[IMAGE_LINUX_ELF] = { linux_load, linux_describe, linux_wants_ide },
	[IMAGE_MULTIBOOT] = { multiboot_load, multiboot_describe, multiboot_wants_ide },
	[IMAGE_FREEBSD] = { freebsd_load, freebsd_describe, freebsd_wants_ide },
	[IMAGE_ELF] = { elf_load, elf_describe, NULL },
};

bool image_banner(const struct image *img, const char *banner, char version[IMAGE_VERSION_SIZE])
{
	size_t len = strlen(banner), n = 0;
	const uint8_t *at = img->elf ? memmem(img->elf, img->elf_size, banner, len) : NULL;
	const uint8_t *end = img->elf + img->elf_size;

	if (!at)
		return false;
	for (at += len; at < end && n < IMAGE_VERSION_SIZE - 1; at++) {
		if (*at < ' ' || *at > '~' || (*at == ' ' && at + 1 < end && at[1] == '#'))
			break;
		version[n++] = (char)*at;
	}
	version[n] = '\0';
	return true;
}

bool image_wants_ide(const struct image *img)
{
	return protocols[img->kind].wants_ide && protocols[img->kind].wants_ide(img);
}

int image_load(struct image *img, const struct boot_args *args, struct vcpu *cpu, struct error *e)
{
	if (args->ram_size < 2 * HIGH_START)
		return ram_too_small(img, args, 2 * HIGH_START, e);
	return protocols[img->kind].load(img, args, cpu, e);
}

int image_describe(const struct image *img, FILE *out)
{
	fprintf(out, "%s: ", img->path);
	protocols[img->kind].describe(img, out);
	for (unsigned i = 0; i < img->nsections; i++)
		if (img->sections[i].exec)
			fprintf(out, "  code  %-24s virtual %08x  physical %08llx  %u bytes\n",
				img->sections[i].name, img->sections[i].vaddr,
				(unsigned long long)img->sections[i].paddr, img->sections[i].size);
	if (img->nsymbols)
		fprintf(out, "  %u symbols of code\n", img->nsymbols);
	return ferror(out) ? ST_HOST : ST_OK;
}
