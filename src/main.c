/* SPDX-License-Identifier: BSD-2-Clause */
/* The command `lilyvm`: subcommands, start-up and end. */
#include "debugger.h"
#include "error.h"
#include "hostos/probe.h"
#include "hostos/process.h"
#include "monitor/load.h"
#include "monitor/vm.h"
#include "options.h"
#include "rewriter/object.h"

#include <stdio.h>
#include <string.h>

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "unknown"
#endif

/* A subcommand; argv[0] is its name.  Returns an exit status; a message in *e
 * is printed by main(). */
struct command {
	const char *name;
	int (*run)(int argc, char **argv, struct error *e);
	const char *synopsis, *help;
};

static const struct command *find_command(const char *name);
static void print_usage(FILE *out);

/* ---- run ---- */

/* The VM as the signal thread sees it. */
struct running {
	struct vm *vm;
	char reason[64];
};

static void quit_on_signal(void *ctx, const char *name)
{
	struct running *r = ctx;

	snprintf(r->reason, sizeof(r->reason), "ended by SIG%s", name);
	vm_quit(r->vm, ST_KILLED, r->reason);
}

static int run_vm(const struct vm_config *cfg, struct error *e)
{
	struct running running = { .vm = NULL };
	struct vm *vm = NULL;
	int status;

	if (vm_create(&vm, cfg, e) < 0)
		return e->status;
	running.vm = vm;
	/* Now: the thread is to be in the sandbox. */
	if (host_signals_start(quit_on_signal, &running, e) < 0)
		return e->status;
	status = vm_run(vm, e);
	host_signals_stop();
	vm_destroy(vm);
	return status;
}

static int command_run(int argc, char **argv, struct error *e)
{
	struct vm_config cfg;

	switch (options_parse(&cfg, argc, argv, e)) {
	case OPTIONS_BAD:
		return e->status;
	case OPTIONS_LIST:
		options_list(&cfg, stdout);
		return ST_OK;
	case OPTIONS_RUN:
		break;
	}
	return run_vm(&cfg, e);
}

/* ---- check, info ---- */

/* The only operand of the subcommand argv[0], or NULL with *e. */
static const char *kernel_operand(int argc, char **argv, struct error *e)
{
	if (argc == 2 && argv[1][0] != '-')
		return argv[1];
	if (argc == 3 && !strcmp(argv[1], "--"))
		return argv[2];
	if (argc > 1 && argv[1][0] == '-')
		fail(e, ST_USAGE, "%s: unknown option '%s'; try 'lilyvm help %s'",
		     argv[0], argv[1], argv[0]);
	else
		fail(e, ST_USAGE, "%s: exactly one KERNEL is wanted; try 'lilyvm help %s'",
		     argv[0], argv[0]);
	return NULL;
}

static int command_check(int argc, char **argv, struct error *e)
{
	const char *path = kernel_operand(argc, argv, e);
	struct image img;
	int status;

	if (!path || object_open(&img, path, e) < 0)
		return e->status;
	status = image_check(&img, e);
	image_close(&img);
	return status;
}

static int command_info(int argc, char **argv, struct error *e)
{
	const char *path = kernel_operand(argc, argv, e);
	struct image img;
	int status;

	if (!path || image_open(&img, path, e) < 0)
		return e->status;
	status = image_describe(&img, stdout);
	image_close(&img);
	return status;
}

/* ---- host, help, version ---- */

static int no_operand(int argc, char **argv, struct error *e)
{
	if (argc == 1)
		return 0;
	return fail(e, ST_USAGE, "%s: unexpected '%s'; try 'lilyvm help'", argv[0], argv[1]);
}

static int command_host(int argc, char **argv, struct error *e)
{
	if (no_operand(argc, argv, e) < 0)
		return e->status;
	return host_report(stdout) ? ST_OK : ST_LEFT;
}

static int command_version(int argc, char **argv, struct error *e)
{
	if (no_operand(argc, argv, e) < 0)
		return e->status;
	printf("LilyVM " PACKAGE_VERSION "\n");
	return ST_OK;
}

static int help_on(const struct command *c)
{
	if (c->run == command_run)
		options_help(stdout);
	else if (c->run == debugger_run)
		printf("%s\n", debugger_help);
	else
		printf("usage: lilyvm %s\n%s\n", c->synopsis, c->help);
	return ST_OK;
}

static int command_help(int argc, char **argv, struct error *e)
{
	const struct command *c;

	if (argc < 2) {
		print_usage(stdout);
		return ST_OK;
	}
	c = find_command(argv[1]);
	if (!c || argc > 2) {
		fail(e, ST_USAGE, "help: no such command: '%s'; try 'lilyvm help'",
		     argv[argc > 2 ? 2 : 1]);
		return e->status;
	}
	return help_on(c);
}

static const struct command commands[] = {
	{ "run", command_run, "run [options] KERNEL [DISK...]",
	  "run a kernel in a virtual machine" },
	{ "gdb", debugger_run, "gdb [options] KERNEL [DISK...]",
	  "run a kernel under gdb, stopped at its first instruction" },
	{ "check", command_check, "check KERNEL",
	  "list a kernel's sensitive instructions; status 1 if there are any left" },
	{ "info", command_info, "info KERNEL", "say what a kernel file is" },
	{ "host", command_host, "host",
	  "check what this host offers; status 1 if it is not enough" },
	{ "help", command_help, "help [COMMAND]", "explain a command" },
	{ "version", command_version, "version", "print the version" },
};
#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void print_usage(FILE *out)
{
	fprintf(out, "LilyVM runs i386 kernels as unprivileged processes.\n");
	for (size_t i = 0; i < COMMANDS; i++)
		fprintf(out, "  lilyvm %-31s %s\n", commands[i].synopsis, commands[i].help);
	fprintf(out, "See lilyvm(1).\n");
}

static const struct command *find_command(const char *name)
{
	if (!strcmp(name, "--help") || !strcmp(name, "-h"))
		name = "help";
	else if (!strcmp(name, "--version") || !strcmp(name, "-V"))
		name = "version";
	for (size_t i = 0; i < COMMANDS; i++)
		if (!strcmp(name, commands[i].name))
			return &commands[i];
	return NULL;
}

/* `lilyvm COMMAND --help` is `lilyvm help COMMAND`. */
static bool asks_help(const struct command *c, int argc, char **argv)
{
	return c->run != command_run && argc == 2 &&
	       (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"));
}

static int dispatch(int argc, char **argv, struct error *e)
{
	const struct command *c = argc > 1 ? find_command(argv[1]) : NULL;

	if (argc < 2)
		fail(e, ST_USAGE, "no command given; try 'lilyvm help'");
	else if (!c)
		fail(e, ST_USAGE, "no such command: '%s'; try 'lilyvm help'", argv[1]);
	if (!c)
		return e->status;
	if (asks_help(c, argc - 1, argv + 1))
		return help_on(c);
	return c->run(argc - 1, argv + 1, e);
}

int main(int argc, char **argv)
{
	struct error e = { 0 };
	int status;

	host_process_init();
	status = dispatch(argc, argv, &e);
	if (e.text[0])
		fprintf(stderr, "lilyvm: %s\n", e.text);
	if (fflush(stdout) != 0 && status == ST_OK) {
		fprintf(stderr, "lilyvm: cannot write standard output; is the disk full?\n");
		status = ST_HOST;
	}
	return status;
}
