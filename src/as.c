/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lilyvm-as: takes the place of GNU as.  Same command line; the text goes through
 * the rewriter (rewriter/text.h) on its way.  What has nothing to be rewritten goes
 * to the assembler as it is.
 */
#include "error.h"
#include "hostos/tool.h"
#include "rewriter/text.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "unknown"
#endif

#define MAX_INPUTS 64
#define MAX_DIRS 256

struct job {
	struct text_input input[MAX_INPUTS];
	unsigned inputs;
	const char *dirs[MAX_DIRS + 1];
	unsigned ndirs;
	const char *output;
	const char **argv;	/* for the assembler; the inputs are NULL there */
	int argc, first_input;
	bool bits32, asks;	/* --32; --version and the like */
	struct text text;
};

/* Options whose value is the next argument. */
static const char *const with_value[] = {
	"-o", "-I", "--defsym", "-defsym", "--MD", "-MD", "--debug-prefix-map", "--itbl", "-t",
};

static bool takes_value(const char *option)
{
	for (unsigned i = 0; i < sizeof(with_value) / sizeof(with_value[0]); i++)
		if (!strcmp(option, with_value[i]))
			return true;
	return false;
}

static void add_dir(struct job *j, const char *dir)
{
	if (j->ndirs < MAX_DIRS)
		j->dirs[j->ndirs++] = dir;
}

static void read_option(struct job *j, const char *option, const char *value)
{
	if (!strcmp(option, "-o"))
		j->output = value;
	else if (!strcmp(option, "-I"))
		add_dir(j, value);
	else if (!strncmp(option, "-I", 2))
		add_dir(j, option + 2);
	else if (!strncmp(option, "-o", 2))
		j->output = option + 2;
	else if (!strcmp(option, "--32") || !strcmp(option, "--64") || !strcmp(option, "--x32"))
		j->bits32 = option[2] == '3';
	else if (!strcmp(option, "--version") || !strcmp(option, "-version") ||
		 !strcmp(option, "--help") || !strcmp(option, "--target-help"))
		j->asks = true;
	else if (!strcmp(option, "-msyntax=intel"))
		j->text.intel = true;
	else if (!strcmp(option, "-mnaked-reg"))
		j->text.naked = true;
}

static int read_arguments(struct job *j, int argc, char **argv, struct error *e)
{
	bool options = true;

	j->argv = calloc((size_t)argc + 2, sizeof(*j->argv));
	if (!j->argv)
		return fail(e, ST_HOST, "out of memory");
	for (int i = 1; i < argc; i++) {
		const char *a = argv[i];

		j->argv[i] = a;
		if (options && !strcmp(a, "--")) {
			options = false;
		} else if (options && a[0] == '-' && a[1]) {
			bool more = takes_value(a) && i + 1 < argc;

			read_option(j, a, more ? argv[i + 1] : "");
			if (more) {
				j->argv[i + 1] = argv[i + 1];
				i++;
			}
		} else if (a[0] == '@') {
			return fail(e, ST_USAGE, "%s: argument files are not supported", a);
		} else if (j->inputs == MAX_INPUTS) {
			return fail(e, ST_USAGE, "more than %d files", MAX_INPUTS);
		} else {
			if (!j->inputs)
				j->first_input = i;
			j->argv[i] = NULL;
			j->input[j->inputs++].name = a;
		}
	}
	j->argc = argc;
	if (!j->inputs)
		j->input[j->inputs++].name = "-";
	return 0;
}

static int read_inputs(struct job *j, struct error *e)
{
	for (unsigned i = 0; i < j->inputs; i++) {
		struct text_input *in = &j->input[i];
		const char *path = strcmp(in->name, "-") ? in->name : NULL;
		char *data;

		if (text_read(path, &data, &in->n) < 0)
			return fail(e, ST_NOINPUT, "%s: %s", in->name, strerror(errno));
		in->text = data;
		if (!path)
			in->name = "{standard input}";
	}
	return 0;
}

/* Is the source file one that is left alone? */
static bool is_user_file(const struct text_user *user)
{
	const char *source = getenv("LILYVM_SOURCE");

	return source && text_user_match(user, TU_FILE, source, strlen(source));
}

/* Becomes the assembler; its input is text[n] or, if NULL, what the arguments say. */
static int assemble(struct job *j, const char *text, size_t n, struct error *e)
{
	const char *as = getenv("LILYVM_AS");
	char path[4096];
	int argc = 1;

	if (!as || !*as) {
		if (host_find_other("as", path, sizeof(path), e) < 0)
			return -1;
		as = path;
	}
	if (text && host_stdin_text(text, n, e) < 0)
		return -1;
	j->argv[0] = as;
	for (int i = 1; i < j->argc; i++)
		if (j->argv[i])
			j->argv[argc++] = j->argv[i];
	j->argv[argc] = NULL;
	return host_become(j->argv, e);
}

/* The assembler reads the original files. */
static int pass_on(struct job *j, char **argv, struct error *e)
{
	const struct text_input *in = &j->input[0];
	bool was_read = in->text && !strcmp(in->name, "{standard input}");

	for (int i = 1; i < j->argc && !was_read; i++)
		j->argv[i] = argv[i];
	return assemble(j, was_read ? in->text : NULL, in->n, e);
}

static void report(const struct job *j)
{
	const struct text *t = &j->text;
	const char *source = getenv("LILYVM_SOURCE");

	if (getenv("LILYVM_VERBOSE"))
		fprintf(stderr, "lilyvm-as: %s: %u rewritten, left alone: %u in 16-bit code, "
			"%u in user-mode code\n", source && *source ? source : j->input[0].name,
			t->sites, t->left16, t->left_user);
}

/* A probe of what the assembler can do: nobody will use its output. */
static bool is_probe(const struct job *j)
{
	return (j->output && !strcmp(j->output, "/dev/null")) || getenv("LILYVM_PROBE");
}

static int run(struct job *j, int argc, char **argv, struct error *e)
{
	const struct text_user user = { .list = getenv("LILYVM_USER") };
	struct text *t = &j->text;

	if (read_arguments(j, argc, argv, e) < 0)
		return -1;
	if (j->asks || is_user_file(&user) || (!j->bits32 && is_probe(j)))
		return pass_on(j, argv, e);
	t->bits64 = !j->bits32;
	t->dirs = j->dirs;
	t->user = &user;
	if (read_inputs(j, e) < 0 || text_rewrite(t, j->input, j->inputs, e) < 0)
		return -1;
	report(j);
	if (!t->sites && !t->left_user && !t->parametric && !t->included)
		return pass_on(j, argv, e);
	return assemble(j, t->out.at, t->out.len, e);
}

int main(int argc, char **argv)
{
	struct error e = { 0 };
	struct job *j = calloc(1, sizeof(*j));

	if (!j)
		return ST_HOST;
	if (run(j, argc, argv, &e) < 0)
		fprintf(stderr, "%s%s\n", e.status == ST_IMAGE ? "" : "lilyvm-as: ", e.text);
	return 1;
}
