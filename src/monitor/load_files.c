/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The files that a boot protocol puts into RAM.  They stay open, because a reset loads
 * them again, and the sandbox lets nothing be opened once the guest runs.
 */
#include "monitor/load_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct boot_file {
	struct boot_file *next;
	FILE *file;
	uint64_t size;
	char path[];
};

static struct boot_file *find(const struct boot_args *args, const char *path)
{
	struct boot_file *f = args->files ? *args->files : NULL;

	while (f && strcmp(f->path, path) != 0)
		f = f->next;
	return f;
}

static int keep(struct boot_file **files, const char *path, const char *what, uint64_t size,
		struct error *e)
{
	struct boot_file *f = malloc(sizeof *f + strlen(path) + 1);

	if (!f)
		return fail(e, ST_HOST, "%s: out of memory for the %s", path, what);
	f->file = file_open(path, what, e);
	if (!f->file) {
		free(f);
		return -1;
	}
	/* Without a buffer, what is read is what the file holds then. */
	setvbuf(f->file, NULL, _IONBF, 0);
	strcpy(f->path, path);
	f->size = size;
	f->next = *files;
	*files = f;
	return 0;
}

int boot_file_size(const struct boot_args *args, const char *path, const char *what,
		   uint64_t *size, struct error *e)
{
	const struct boot_file *f = find(args, path);

	if (f) {
		*size = f->size;
		return 0;
	}
	if (file_size(path, what, size, e))
		return -1;
	return args->files ? keep(args->files, path, what, *size, e) : 0;
}

int boot_file_read(const struct boot_args *args, const char *path, const char *what, void *buf,
		   uint64_t size, struct error *e)
{
	const struct boot_file *f = find(args, path);

	if (!f)
		return file_read(path, what, buf, size, e);
	rewind(f->file);
	return file_fill(f->file, path, what, buf, size, e);
}

void boot_files_close(struct boot_file **files)
{
	struct boot_file *f;

	while ((f = *files)) {
		*files = f->next;
		fclose(f->file);
		free(f);
	}
}
