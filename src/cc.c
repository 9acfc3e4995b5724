/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lilyvm-cc: runs a compiler so that it takes lilyvm-as for its assembler.
 *
 *	lilyvm-cc [--lilyvm-...] [COMPILER] ARGUMENT...
 *
 * The compiler is the first argument that is not one of our options, if it is not
 * an option or a file; else gcc (g++ if this program is named lilyvm-c++).
 */
#include "error.h"
#include "hostos/tool.h"
#include "rewriter/textuser.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "unknown"
#endif
#ifndef LIBEXECDIR
#define LIBEXECDIR "/usr/local/libexec"
#endif

static const char help[] =
	"usage: lilyvm-cc [OPTION...] [COMPILER] [ARGUMENT...]\n"
	"Runs the compiler (gcc if none is named) with lilyvm-as as its assembler.\n"
	"  --lilyvm-user=TYPE:PATTERN  code that is left as it is: TYPE is file, section\n"
	"                              or symbol; can be repeated\n"
	"  --link-device=ne2000,port=PORT,irq=IRQ[,files=PATTERN][,system=NAME|,headers=DIR]\n"
	"                              [,generic]\n"
	"                              sources of PATTERN have the device's code in the place\n"
	"                              of their port accesses\n"
	"  --lilyvm-verbose            say for each file what was rewritten\n"
	"  --lilyvm-as=PROGRAM         the assembler behind lilyvm-as\n"
	"  --lilyvm-version            print the version\n"
	"  --lilyvm-help               print this\n"
	"See lilyvm-cc(1).\n";

/* --link-device */
struct link {
	bool on, generic;
	unsigned long port, irq;
	const char *files;	/* pattern; NULL: all */
	const char *system;	/* a directory of headers-stub, */
	const char *headers;	/* or one of another place */
};

struct job {
	const char *compiler;
	char **args;		/* the compiler's own arguments */
	int nargs;
	char *user;		/* patterns, one a line */
	struct link link;
	bool done;
};

/* ---- our options ---- */

static int add_user(struct job *j, const char *pattern, struct error *e)
{
	const char *old = j->user ? j->user : getenv("LILYVM_USER");
	size_t size = strlen(pattern) + (old ? strlen(old) : 0) + 2;
	char *list = malloc(size);

	if (!text_user_valid(pattern))
		return fail(e, ST_USAGE, "--lilyvm-user=%s: file:PATTERN, section:PATTERN, "
			    "symbol:PATTERN or entry:PATTERN is wanted", pattern);
	if (!list)
		return fail(e, ST_HOST, "out of memory");
	snprintf(list, size, "%s\n%s", old ? old : "", pattern);
	free(j->user);
	j->user = list;
	return 0;
}

/* A number for one of the options: whatever base C reads. */
static bool link_number(const char *text, unsigned long max, unsigned long *v)
{
	char *end;

	*v = strtoul(text, &end, 0);
	return end != text && !*end && *v <= max;
}

static bool link_word(struct link *l, const char *word)
{
	if (!strncmp(word, "port=", 5))
		return link_number(word + 5, 0xffe0, &l->port) && l->port;
	if (!strncmp(word, "irq=", 4))
		return link_number(word + 4, 15, &l->irq) && l->irq;
	if (!strncmp(word, "files=", 6))
		l->files = word + 6;
	else if (!strncmp(word, "system=", 7))
		l->system = word + 7;
	else if (!strncmp(word, "headers=", 8))
		l->headers = word + 8;
	else if (!strcmp(word, "generic"))
		l->generic = true;
	else
		return false;
	return true;
}

static int link_option(struct job *j, char *value, struct error *e)
{
	struct link l = { .on = true, .system = "linux-6.1" };
	char *rest = value, *word = strsep(&rest, ",");

	if (j->link.on)
		return fail(e, ST_USAGE, "--link-device: one device can be linked; leave the others "
			    "out");
	if (strcmp(word, "ne2000"))
		return fail(e, ST_USAGE, "--link-device=%s: unknown device; it can be ne2000", word);
	while ((word = strsep(&rest, ",")))
		if (!link_word(&l, word))
			return fail(e, ST_USAGE, "--link-device: '%s' is not understood; see "
				    "--lilyvm-help", word);
	if (!l.port || !l.irq)
		return fail(e, ST_USAGE, "--link-device: port= and irq= are wanted: what the VM's "
			    "device has");
	j->link = l;
	return 0;
}

static int own_option(struct job *j, char *a, struct error *e)
{
	if (!strncmp(a, "--link-device=", 14))
		return link_option(j, a + 14, e);
	if (!strncmp(a, "--lilyvm-user=", 14))
		return add_user(j, a + 14, e);
	if (!strncmp(a, "--lilyvm-as=", 12)) {
		setenv("LILYVM_AS", a + 12, 1);
	} else if (!strcmp(a, "--lilyvm-verbose")) {
		setenv("LILYVM_VERBOSE", "1", 1);
	} else if (!strcmp(a, "--lilyvm-version") || !strcmp(a, "--lilyvm-help")) {
		printf("%s", a[9] == 'h' ? help : "lilyvm-cc (LilyVM) " PACKAGE_VERSION "\n");
		j->done = true;
	} else {
		return fail(e, ST_USAGE, "unknown option '%s'; try --lilyvm-help", a);
	}
	return 0;
}

/* ---- the compiler's ---- */

/* Is an argument in the compiler's place the name of one? */
static bool is_compiler(const char *a)
{
	const char *dot = strrchr(a, '.');

	if (a[0] == '-' || a[0] == '@')
		return false;
	/* gcc-4.9 is one, file.c is none. */
	return !dot || strchr(dot, '/') || (dot[1] >= '0' && dot[1] <= '9');
}

static bool is_clang(const char *compiler)
{
	const char *base = strrchr(compiler, '/');

	return strstr(base ? base : compiler, "clang") != NULL;
}

static bool is_source(const char *a)
{
	static const char *const ends[] = {
		".c", ".S", ".s", ".sx", ".i", ".cc", ".cpp", ".cxx", ".C", ".ii",
	};
	const char *dot = strrchr(a, '.');

	for (unsigned i = 0; dot && i < sizeof(ends) / sizeof(ends[0]); i++)
		if (!strcmp(dot, ends[i]))
			return true;
	return false;
}

static bool takes_value(const char *option)
{
	static const char *const options[] = {
		"-o", "-I", "-include", "-imacros", "-isystem", "-iquote", "-idirafter", "-MF",
		"-MT", "-MQ", "-D", "-U", "-x", "-L", "-l", "-T", "-Xlinker", "-Xassembler",
		"-Xpreprocessor", "-Xclang", "-target", "-aux-info", "-B", "-iprefix", "-isysroot",
	};

	for (unsigned i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (!strcmp(option, options[i]))
			return true;
	return false;
}

/*
 * lilyvm-as sees a temporary file only: patterns are for its source's name.  What is
 * compiled from /dev/null or standard input is a probe of the compiler.  Returns the name,
 * or NULL.
 */
static const char *name_source(const struct job *j)
{
	const char *source = NULL;
	unsigned count = 0;
	bool probe = false;

	for (int i = 0; i < j->nargs; i++) {
		const char *a = j->args[i];

		probe |= !strcmp(a, "-") || !strcmp(a, "/dev/null");
		if (a[0] == '-') {
			i += takes_value(a);
			continue;
		}
		if (is_source(a)) {
			source = a;
			count++;
		}
	}
	if (probe && !count)
		setenv("LILYVM_PROBE", "1", 1);
	if (count == 1)
		setenv("LILYVM_SOURCE", source, 1);
	else
		unsetenv("LILYVM_SOURCE");
	return count == 1 ? source : NULL;
}

/* A cross compiler, i686-linux-gnu-gcc, has its own i686-linux-gnu-as. */
static void name_assembler(const struct job *j)
{
	const char *base = strrchr(j->compiler, '/'), *dash;
	struct error ignored;
	char name[256], path[4096];

	base = base ? base + 1 : j->compiler;
	for (const char *p = base; (dash = strchr(p, '-')); p = dash + 1)
		if (!strncmp(dash, "-gcc", 4) || !strncmp(dash, "-g++", 4) ||
		    !strncmp(dash, "-clang", 6))
			break;
	if (!dash || getenv("LILYVM_AS") ||
	    snprintf(name, sizeof(name), "%.*s-as", (int)(dash - base), base) >= (int)sizeof(name))
		return;
	if (host_find_other(name, path, sizeof(path), &ignored) == 0)
		setenv("LILYVM_AS", path, 1);
}

/* ---- run it ---- */

/* The directory whose `as` is lilyvm-as: beside this program in the build tree. */
static int find_as_dir(char *dir, size_t size, struct error *e)
{
	char self[2048], as[4200];

	if (host_self_dir(self, sizeof(self), e) < 0)
		return -1;
	snprintf(dir, size, "%s/libexec", self);
	snprintf(as, sizeof(as), "%s/as", dir);
	if (host_executable(as))
		return 0;
	snprintf(dir, size, "%s/lilyvm", LIBEXECDIR);
	snprintf(as, sizeof(as), "%s/as", dir);
	if (host_executable(as))
		return 0;
	return fail(e, ST_NOINPUT, "%s is missing; install LilyVM again", as);
}

/* Whether the device is linked with this source. */
static bool links(const struct job *j, const char *source)
{
	if (!j->link.on || !source)
		return false;
	return !j->link.files || text_user_match_file(j->link.files, source);
}

#define LINK_OPTIONS 6

/* The options for headers-stub in front of the guest's headers; dir is the one of
 * find_as_dir(), where headers-stub and the emulators' headers (chips) are, too. */
static int add_link(const struct link *l, const char *dir, const char *argv[])
{
	static char text[LINK_OPTIONS][4200];
	int n = 0;

	if (l->headers)
		snprintf(text[n++], sizeof(text[0]), "-I%s", l->headers);
	else
		snprintf(text[n++], sizeof(text[0]), "-I%s/headers-stub/%s", dir, l->system);
	snprintf(text[n++], sizeof(text[0]), "-I%s/headers-stub/common", dir);
	snprintf(text[n++], sizeof(text[0]), "-I%s/chips", dir);
	snprintf(text[n++], sizeof(text[0]), "-DLILY_LINK_NE2000_PORT=%#lx", l->port);
	snprintf(text[n++], sizeof(text[0]), "-DLILY_LINK_NE2000_IRQ=%lu", l->irq);
	if (l->generic)
		snprintf(text[n++], sizeof(text[0]), "-DLILY_LINK_GENERIC");
	for (int i = 0; i < n; i++)
		argv[i] = text[i];
	return n;
}

static int become_compiler(const struct job *j, struct error *e)
{
	const char **argv = calloc((size_t)j->nargs + 4 + LINK_OPTIONS, sizeof(*argv));
	char dir[4096], option[4100];
	const char *source;
	int n = 0;

	if (!argv)
		return fail(e, ST_HOST, "out of memory");
	if (find_as_dir(dir, sizeof(dir), e) < 0)
		return -1;
	snprintf(option, sizeof(option), "-B%s", dir);
	argv[n++] = j->compiler;
	argv[n++] = option;
	if (is_clang(j->compiler))
		argv[n++] = "-fno-integrated-as";
	source = name_source(j);
	if (links(j, source))
		n += add_link(&j->link, dir, argv + n);
	for (int i = 0; i < j->nargs; i++)
		argv[n++] = j->args[i];
	if (j->user)
		setenv("LILYVM_USER", j->user, 1);
	name_assembler(j);
	return host_become(argv, e);
}

static int run(struct job *j, int argc, char **argv, struct error *e)
{
	const char *name = strrchr(argv[0], '/');
	int n = 0;

	name = name ? name + 1 : argv[0];
	j->compiler = strstr(name, "++") ? "g++" : "gcc";
	j->args = argv;
	/* Kernel makefiles put their options anywhere: ours may be among them. */
	for (int i = 1; i < argc && !j->done; i++) {
		if (!strncmp(argv[i], "--lilyvm-", 9) || !strncmp(argv[i], "--link-device=", 14)) {
			if (own_option(j, argv[i], e) < 0)
				return -1;
		} else {
			argv[n++] = argv[i];
		}
	}
	if (j->done)
		return 0;
	j->nargs = n;
	if (n && is_compiler(argv[0])) {
		j->compiler = argv[0];
		j->args++;
		j->nargs--;
	}
	return become_compiler(j, e);
}

int main(int argc, char **argv)
{
	struct error e = { 0 };
	struct job j = { .compiler = NULL };

	if (argc < 1 || run(&j, argc, argv, &e) < 0) {
		fprintf(stderr, "lilyvm-cc: %s\n", e.text);
		return e.status ? e.status : ST_USAGE;
	}
	return 0;
}
