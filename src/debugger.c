/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `lilyvm gdb`: one process runs the VM, which waits at a socket in a private
 * directory; another is gdb, which has the terminal.  The VM ends with gdb.
 */
#include "debugger.h"

#include "hostos/spawn.h"
#include "options.h"

#include <stdlib.h>
#include <string.h>

#define WORDS_MAX 256
#define PATH_SIZE 4096

const char debugger_help[] =
	"usage: lilyvm gdb [--symbols FILE] [options of run] KERNEL [DISK...] [-- ARGUMENT...]\n"
	"Starts the guest stopped at its first instruction, and gdb on it.\n"
	"  --symbols FILE   where the symbols are, if KERNEL is not an ELF file\n"
	"  -- ARGUMENT...   more arguments of gdb\n"
	"The guest's console is a pseudo-terminal unless --console says otherwise.";

/* A command line that is being made. */
struct words {
	const char *word[WORDS_MAX + 1];	/* ends in a NULL */
	unsigned n;
};

struct debugging {
	const char *symbols;
	struct words vm, gdb;
	char dir[64], socket[80], place[96], target[128], script[PATH_SIZE];
};

static int add(struct words *w, const char *word, struct error *e)
{
	if (w->n == WORDS_MAX)
		return fail(e, ST_USAGE, "gdb: more than %d words", WORDS_MAX);
	w->word[w->n++] = word;
	return 0;
}

static int add_all(struct words *w, const char *const *list, unsigned n, struct error *e)
{
	for (unsigned i = 0; i < n; i++)
		if (add(w, list[i], e) < 0)
			return -1;
	return 0;
}

/* ---- the command line ---- */

/* --symbols FILE or --symbols=FILE at argv[0]: how many words it has, 0: it is
 * something else. */
static int symbols_option(struct debugging *d, char **argv, int argc)
{
	static const char name[] = "--symbols";
	size_t n = sizeof(name) - 1;

	if (strncmp(argv[0], name, n) != 0)
		return 0;
	if (argv[0][n] == '=') {
		d->symbols = argv[0] + n + 1;
		return 1;
	}
	if (argv[0][n] || argc < 2)
		return 0;
	d->symbols = argv[1];
	return 2;
}

/* The options of run go to the VM, what stands behind -- to gdb. */
static int split_words(struct debugging *d, int argc, char **argv, struct error *e)
{
	int i = 1, n;

	while (i < argc && strcmp(argv[i], "--") != 0) {
		n = symbols_option(d, argv + i, argc - i);
		if (!n && add(&d->vm, argv[i], e) < 0)
			return -1;
		i += n ? n : 1;
	}
	for (i++; i < argc; i++)
		if (add(&d->gdb, argv[i], e) < 0)
			return -1;
	return 0;
}

static void free_words(char **copy)
{
	for (char **w = copy; w && *w; w++)
		free(*w);
	free(copy);
}

/* options_parse() changes what it reads. */
static char **copy_words(const struct words *w)
{
	char **copy = calloc(w->n + 1, sizeof(*copy));

	for (unsigned i = 0; copy && i < w->n; i++) {
		copy[i] = strdup(w->word[i]);
		if (!copy[i]) {
			free_words(copy);
			return NULL;
		}
	}
	return copy;
}

/* Checks the VM's words; its kernel is one of them. */
static int find_kernel(const struct words *vm, const char **kernel, struct error *e)
{
	char **copy = copy_words(vm), **argv;
	struct vm_config cfg;
	int result = OPTIONS_BAD;

	*kernel = NULL;
	argv = copy ? malloc((vm->n + 1) * sizeof(*argv)) : NULL;
	if (!argv) {
		free_words(copy);
		return fail(e, ST_HOST, "out of memory");
	}
	memcpy(argv, copy, (vm->n + 1) * sizeof(*argv));	/* options_parse() permutes it */
	result = options_parse(&cfg, (int)vm->n, argv, e);
	for (unsigned i = 0; result == OPTIONS_RUN && i < vm->n; i++)
		if (copy[i] == cfg.kernel)
			*kernel = vm->word[i];
	free(argv);
	free_words(copy);
	if (result == OPTIONS_LIST)
		return fail(e, ST_USAGE, "gdb: for lists of options use 'lilyvm run'");
	if (result == OPTIONS_RUN && !*kernel)
		return fail(e, ST_USAGE, "gdb: KERNEL has to be a word of its own");
	return result == OPTIONS_RUN ? 0 : -1;
}

static bool is_elf(const char *path)
{
	char magic[4] = "";
	FILE *f = fopen(path, "rb");
	bool elf;

	if (!f)
		return false;
	elf = fread(magic, 1, sizeof(magic), f) == sizeof(magic) && !memcmp(magic, "\177ELF", 4);
	fclose(f);
	return elf;
}

/* ---- the two programs ---- */

/* A Linux tree has its gdb scripts beside vmlinux; gdb loads them where it is
 * told that they are safe. */
static int allow_script(struct debugging *d, struct error *e)
{
	static const char name[] = "vmlinux-gdb.py";
	const char *slash = strrchr(d->symbols, '/');
	int dir = slash ? (int)(slash - d->symbols) + 1 : 0;
	char path[PATH_SIZE];
	FILE *f;

	if (snprintf(path, sizeof(path), "%.*s%s", dir, d->symbols, name) >= (int)sizeof(path))
		return 0;
	f = fopen(path, "rb");
	if (!f)
		return 0;
	fclose(f);
	if (snprintf(d->script, sizeof(d->script), "add-auto-load-safe-path %s", path) >=
	    (int)sizeof(d->script))
		return 0;
	return add_all(&d->gdb, (const char *[]){ "-iex", d->script }, 2, e);
}

static int gdb_words(struct debugging *d, struct error *e)
{
	struct words more = d->gdb;
	/* Points of one process keep to it if gdb leaves them in.  After its two seconds
	 * on a busy host gdb would ask again, and take the second answer for that to
	 * its next question. */
	static const char *const first[] = {
		"gdb", "-q", "-iex", "set architecture i386",
		"-iex", "set breakpoint always-inserted on", "-iex", "set remotetimeout 30",
	};

	snprintf(d->target, sizeof(d->target), "target remote %s", d->socket);
	d->gdb = (struct words){ .n = 0 };
	if (add_all(&d->gdb, first, sizeof(first) / sizeof(first[0]), e) < 0)
		return -1;
	if (d->symbols && allow_script(d, e) < 0)
		return -1;
	if (add_all(&d->gdb, (const char *[]){ "-ex", d->target }, 2, e) < 0 ||
	    add_all(&d->gdb, more.word, more.n, e) < 0)
		return -1;
	return d->symbols ? add(&d->gdb, d->symbols, e) : 0;
}

static int vm_words(struct debugging *d, struct error *e)
{
	struct words given = d->vm;
	/* The user's own --console comes later and wins. */
	const char *first[] = {
		host_self, "run", "--gdb", d->place, "--gdb-wait", "--console", "pty",
	};

	snprintf(d->socket, sizeof(d->socket), "%s/gdb", d->dir);
	snprintf(d->place, sizeof(d->place), "unix:%s", d->socket);
	d->vm = (struct words){ .n = 0 };
	if (add_all(&d->vm, first, sizeof(first) / sizeof(first[0]), e) < 0)
		return -1;
	return add_all(&d->vm, given.word + 1, given.n - 1, e);
}

static int run_both(struct debugging *d, struct error *e)
{
	struct host_program vm, gdb;
	int status;

	if (host_program_start(&vm, d->vm.word, true, e) < 0)
		return e->status;
	/* What is wrong with the kernel the VM says itself. */
	if (!host_program_makes(&vm, d->socket))
		return host_program_wait(&vm);
	host_ignore_keys();
	if (host_program_start(&gdb, d->gdb.word, false, e) < 0)
		status = e->status;
	else
		status = host_program_wait(&gdb);
	host_program_end(&vm);
	host_program_wait(&vm);
	return status;
}

int debugger_run(int argc, char **argv, struct error *e)
{
	struct debugging *d = calloc(1, sizeof(*d));
	const char *kernel;
	int status;

	if (!d) {
		fail(e, ST_HOST, "out of memory");
		return e->status;
	}
	/* A command's name goes first, for options_parse(). */
	if (add(&d->vm, "run", e) < 0 || split_words(d, argc, argv, e) < 0 ||
	    find_kernel(&d->vm, &kernel, e) < 0 ||
	    host_private_dir(d->dir, sizeof(d->dir), e) < 0) {
		free(d);
		return e->status;
	}
	if (!d->symbols && is_elf(kernel))
		d->symbols = kernel;
	if (vm_words(d, e) < 0 || gdb_words(d, e) < 0)
		status = e->status;
	else
		status = run_both(d, e);
	host_private_dir_remove(d->dir, d->socket);
	free(d);
	return status;
}
