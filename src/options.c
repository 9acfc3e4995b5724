/* SPDX-License-Identifier: BSD-2-Clause */
#include "options.h"

#include "hostos/engine.h"
#include "hostos/file.h"
#include "hostos/gdbport.h"
#include "monitor/cpumodel.h"
#include "monitor/trace.h"
#include "netopt.h"

#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define HINT "; try 'lilyvm help run'"
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* What the options build; word is the option's argument, NULL if there is none. */
typedef int option_fn(struct vm_config *cfg, char *word, struct error *e);

static int bad(struct error *e, const char *option, const char *word, const char *what)
{
	return fail(e, ST_USAGE, "%s: '%s' %s" HINT, option, word, what);
}

/* ---- words ---- */

/* A decimal number without sign or blanks, at most max. */
static bool parse_number(const char *s, unsigned long max, unsigned long *out)
{
	unsigned long n = 0;

	if (!*s)
		return false;
	for (; *s; s++) {
		unsigned digit = (unsigned)(*s - '0');

		if (digit > 9 || n > (max - digit) / 10)
			return false;
		n = n * 10 + digit;
	}
	*out = n;
	return true;
}

bool options_size(const char *s, uint64_t *bytes)
{
	static const char suffixes[] = "KMG";
	const char *suffix;
	size_t digits = strspn(s, "0123456789");
	char number[16];
	unsigned long n;
	unsigned shift = 20;

	if (digits >= sizeof(number))
		return false;
	memcpy(number, s, digits);
	number[digits] = '\0';
	if (s[digits]) {
		suffix = strchr(suffixes, s[digits] & ~0x20);
		if (!suffix || !*suffix || s[digits + 1])
			return false;
		shift = 10 * (unsigned)(suffix - suffixes + 1);
	}
	if (!parse_number(number, (1ul << 40) >> shift, &n))
		return false;
	*bytes = (uint64_t)n << shift;
	return true;
}

/* The position of word in names, or -1. */
static int find_name(const char *word, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(word, names[i]))
			return (int)i;
	return -1;
}

/* ---- one function an option ---- */

static int set_memory(struct vm_config *cfg, char *word, struct error *e)
{
	if (!options_size(word, &cfg->memory))
		return bad(e, "--memory", word, "is no size: a number and K, M or G");
	if (cfg->memory < OPTIONS_MEMORY_MIN || cfg->memory > OPTIONS_MEMORY_MAX)
		return bad(e, "--memory", word, "is out of range: 8M to 3G");
	if (cfg->memory & ((1 << 20) - 1))
		return bad(e, "--memory", word, "is not a multiple of 1 MiB");
	return 0;
}

static int set_append(struct vm_config *cfg, char *word, struct error *e)
{
	(void)e;
	cfg->append = word;
	return 0;
}

static int set_initrd(struct vm_config *cfg, char *word, struct error *e)
{
	if (!*word)
		return bad(e, "--initrd", word, "is no file name");
	cfg->initrd = word;
	return 0;
}

static int add_module(struct vm_config *cfg, char *word, struct error *e)
{
	if (!*word || *word == ' ')
		return bad(e, "--module", word, "does not begin with a file name");
	if (cfg->nmodules == VM_MAX_MODULES)
		return fail(e, ST_USAGE, "--module: more than %d modules" HINT, VM_MAX_MODULES);
	cfg->modules[cfg->nmodules++] = word;
	return 0;
}

/* What may follow --disk FILE, after a comma. */
static bool disk_flag(struct disk_config *disk, const char *flag)
{
	static const struct {
		const char *name;
		enum disk_interface interface;
		int place;
	} names[] = {
		{ "if=virtio", DISK_VIRTIO, IDE_PLACE_ANY }, { "if=ide", DISK_IDE, IDE_PLACE_ANY },
		{ "if=cdrom", DISK_CDROM, IDE_PLACE_ANY }, { "if=cd", DISK_CDROM, IDE_PLACE_ANY },
		{ "if=hda", DISK_IDE, 0 }, { "if=hdb", DISK_IDE, 1 }, { "if=hdc", DISK_IDE, 2 },
		{ "if=hdd", DISK_IDE, 3 },
	};

	if (!strcmp(flag, "readonly"))
		disk->readonly = true;
	else if (!strcmp(flag, "snapshot"))
		disk->snapshot = true;
	else
		for (size_t i = 0;; i++) {
			if (i == COUNT(names))
				return false;
			if (strcmp(flag, names[i].name) != 0)
				continue;
			disk->interface = names[i].interface;
			disk->place = names[i].place;
			break;
		}
	return true;
}

static int add_disk_config(struct vm_config *cfg, const char *option,
			   const struct disk_config *disk, struct error *e)
{
	if (!*disk->path)
		return bad(e, option, disk->path, "is no file name");
	if (cfg->ndisks == VM_MAX_DISKS)
		return fail(e, ST_USAGE, "more than %d disks" HINT, VM_MAX_DISKS);
	cfg->disks[cfg->ndisks++] = *disk;
	return 0;
}

static int add_disk(struct vm_config *cfg, char *word, struct error *e)
{
	struct disk_config disk = { .path = word, .place = IDE_PLACE_ANY };
	char *flag = strchr(word, ',');

	while (flag) {
		char *next = strchr(flag + 1, ',');

		*flag++ = '\0';
		if (next)
			*next = '\0';
		if (!disk_flag(&disk, flag))
			return bad(e, "--disk", flag, "is none of readonly, snapshot, if=virtio, "
				   "if=ide, if=cdrom, if=hda to if=hdd");
		flag = next;
	}
	return add_disk_config(cfg, "--disk", &disk, e);
}

/* A word as it stands, commas and all. */
static int add_plain_disk(struct vm_config *cfg, char *word, struct error *e)
{
	const struct disk_config disk = { .path = word, .place = IDE_PLACE_ANY };

	return add_disk_config(cfg, "run", &disk, e);
}

static int add_cdrom(struct vm_config *cfg, char *word, struct error *e)
{
	const struct disk_config disk = { .path = word, .interface = DISK_CDROM,
					  .place = IDE_PLACE_ANY };

	return add_disk_config(cfg, "--cdrom", &disk, e);
}

static int set_pcap(struct vm_config *cfg, char *word, struct error *e)
{
	if (!*word)
		return bad(e, "--pcap", word, "is no file name");
	cfg->pcap = word;
	return 0;
}

static int set_console(struct vm_config *cfg, char *word, struct error *e)
{
	static const struct {
		const char *name;
		bool path;
		enum console_kind kind;
	} kinds[] = {
		{ "stdio", false, CONSOLE_STDIO }, { "pty", false, CONSOLE_PTY },
		{ "none", false, CONSOLE_NONE }, { "file:", true, CONSOLE_FILE },
		{ "unix:", true, CONSOLE_UNIX },
	};

	for (size_t i = 0; i < COUNT(kinds); i++) {
		size_t n = strlen(kinds[i].name);

		if (strncmp(word, kinds[i].name, n) != 0 || (word[n] != '\0') != kinds[i].path)
			continue;
		cfg->console = kinds[i].kind;
		cfg->console_path = kinds[i].path ? word + n : NULL;
		return 0;
	}
	return bad(e, "--console", word, "is none of stdio, pty, none, file:PATH, unix:PATH");
}

static int set_apic(struct vm_config *cfg, char *word, struct error *e)
{
	(void)word;
	(void)e;
	cfg->apic = true;
	return 0;
}

static int set_reboot(struct vm_config *cfg, char *word, struct error *e)
{
	static const char *const names[] = { "restart", "exit" };
	int i = find_name(word, names, COUNT(names));

	if (i < 0)
		return bad(e, "--reboot", word, "is neither restart nor exit");
	cfg->reboot_exit = i == 1;
	return 0;
}

static int set_stats(struct vm_config *cfg, char *word, struct error *e)
{
	if (word && !*word)
		return bad(e, "--stats", word, "is no file name");
	cfg->stats = true;
	cfg->stats_file = word;
	return 0;
}

static int set_trace(struct vm_config *cfg, char *word, struct error *e)
{
	char *file = strchr(word, ':');
	unsigned classes;

	if (file)
		*file++ = '\0';
	if (file && !*file)
		return bad(e, "--trace", word, "is followed by no file name");
	if (!trace_parse(word, &classes))
		return bad(e, "--trace", word, "is no list of " TRACE_NAMES);
	cfg->trace |= classes;
	if (file)
		cfg->trace_file = file;
	return 0;
}

static int set_cpu(struct vm_config *cfg, char *word, struct error *e)
{
	cfg->cpu = word;
	if (!strcmp(word, "help"))
		return OPTIONS_LIST;
	if (cpu_model_find(word))
		return 0;
	return bad(e, "--cpu", word, "is no known model ('--cpu help' lists them)");
}

static int set_engine(struct vm_config *cfg, char *word, struct error *e)
{
	static const char *const names[] = { ENGINE_NAMES };

	if (find_name(word, names, COUNT(names) - 1) < 0)
		return bad(e, "--engine", word, "is neither auto nor ptrace nor handoff");
	cfg->engine = word;
	return 0;
}

static int set_sandbox(struct vm_config *cfg, char *word, struct error *e)
{
	static const char *const names[] = { "on", "off" };
	int i = find_name(word, names, COUNT(names));

	if (i < 0)
		return bad(e, "--sandbox", word, "is neither on nor off");
	cfg->no_sandbox = i == 1;
	return 0;
}

static int set_affinity(struct vm_config *cfg, char *word, struct error *e)
{
	unsigned long cpu;

	if (!strcmp(word, "auto"))
		cfg->affinity = -1;
	else if (!strcmp(word, "none"))
		cfg->affinity = -2;
	else if (parse_number(word, INT_MAX, &cpu))
		cfg->affinity = (int)cpu;
	else
		return bad(e, "--cpu-affinity", word, "is neither a CPU's number nor auto or none");
	return 0;
}

static int set_time_limit(struct vm_config *cfg, char *word, struct error *e)
{
	unsigned long seconds;

	if (!parse_number(word, UINT_MAX, &seconds))
		return bad(e, "--time-limit", word, "is no number of seconds");
	cfg->time_limit = (unsigned)seconds;
	return 0;
}

static int set_gdb(struct vm_config *cfg, char *word, struct error *e)
{
	if (!gdbport_spec_ok(word))
		return bad(e, "--gdb", word, "is none of [HOST:]PORT, unix:PATH, stdio");
	cfg->gdb = word;
	return 0;
}

static int set_gdb_wait(struct vm_config *cfg, char *word, struct error *e)
{
	(void)word;
	(void)e;
	cfg->gdb_wait = true;
	return 0;
}

static int set_gdb_clock(struct vm_config *cfg, char *word, struct error *e)
{
	static const char *const names[] = { "stop", "run" };
	int i = find_name(word, names, COUNT(names));

	if (i < 0)
		return bad(e, "--gdb-clock", word, "is neither stop nor run");
	cfg->gdb_clock_runs = i == 1;
	return 0;
}

static int ask_help(struct vm_config *cfg, char *word, struct error *e)
{
	(void)word;
	(void)e;
	cfg->cpu = "";
	return OPTIONS_LIST;
}

/* ---- the table ---- */

static const struct option_row {
	char letter;			/* 0: no short form */
	const char *name;
	int has_arg;
	option_fn *set;
	const char *arg, *help;
} rows[] = {
	{ 'm', "memory", required_argument, set_memory, "SIZE",
	  "guest RAM: K, M or G; plain numbers are MiB (8M to 3G; default 256M)" },
	{ 0, "append", required_argument, set_append, "STRING", "kernel command line" },
	{ 0, "initrd", required_argument, set_initrd, "FILE", "initial RAM disk (Linux)" },
	{ 0, "module", required_argument, add_module, "'FILE ARGS'",
	  "Multiboot module; repeatable" },
	{ 0, "disk", required_argument, add_disk, "FILE[,if=KIND][,readonly][,snapshot]",
	  "raw disk image; KIND: virtio, ide, hda .. hdd, cdrom; repeatable" },
	{ 0, "cdrom", required_argument, add_cdrom, "FILE", "CD-ROM image, as --disk FILE,if=cdrom" },
	{ 0, "net", required_argument, netopt_add, "BACKEND[,SETTING=VALUE...]",
	  "network card; repeatable: user, tap:IF, socket:PATH, udp:..., none" },
	{ 0, "pcap", required_argument, set_pcap, "FILE", "record the frames of all cards" },
	{ 0, "console", required_argument, set_console, "WHERE",
	  "stdio (default), file:PATH, pty, unix:PATH or none" },
	{ 0, "reboot", required_argument, set_reboot, "restart|exit",
	  "what a guest's reset does (default restart)" },
	{ 0, "stats", optional_argument, set_stats, "[FILE]",
	  "statistics at the end, to FILE or standard error; JSON for *.json" },
	{ 0, "trace", required_argument, set_trace, "LIST[:FILE]",
	  "log exits, mmu, irq, io, cpu, user or all; comma-separated" },
	{ 0, "cpu", required_argument, set_cpu, "MODEL", "CPU model; 'help' lists them" },
	{ 0, "apic", no_argument, set_apic, "",
	  "a local APIC, an I/O APIC and an MP table, for kernels that insist" },
	{ 0, "engine", required_argument, set_engine, "auto|ptrace|handoff",
	  "how guest user code runs (default auto: the fastest that the host offers)" },
	{ 0, "sandbox", required_argument, set_sandbox, "on|off",
	  "what a hostile guest kernel is held by (default on; off to debug LilyVM)" },
	{ 0, "cpu-affinity", required_argument, set_affinity, "N|auto|none",
	  "host CPU to run on (default auto)" },
	{ 0, "time-limit", required_argument, set_time_limit, "SECONDS",
	  "end the VM after this time (status 124)" },
	{ 0, "gdb", required_argument, set_gdb, "[HOST:]PORT|unix:PATH|stdio",
	  "where a debugger may connect (HOST is 127.0.0.1)" },
	{ 0, "gdb-wait", no_argument, set_gdb_wait, "",
	  "let the guest start when the debugger says so" },
	{ 0, "gdb-clock", required_argument, set_gdb_clock, "stop|run",
	  "the guest's time while a debugger has stopped it (default stop)" },
	{ 'h', "help", no_argument, ask_help, "", "this text" },
};

void options_help(FILE *out)
{
	fprintf(out, "usage: lilyvm run [options] KERNEL [DISK...]\n"
		"KERNEL is a bzImage, an ELF vmlinux or a Multiboot ELF file, DISK a raw image."
		"\n\n");
	for (size_t i = 0; i < COUNT(rows); i++) {
		char left[64];

		if (rows[i].letter)
			snprintf(left, sizeof(left), "-%c, --%s %s", rows[i].letter,
				 rows[i].name, rows[i].arg);
		else
			snprintf(left, sizeof(left), "    --%s %s", rows[i].name, rows[i].arg);
		fprintf(out, strlen(left) > 28 ? "  %s\n  %28s %s\n" : "  %-28s%.0s %s\n", left, "",
			rows[i].help);
	}
}

void options_list(const struct vm_config *cfg, FILE *out)
{
	if (!*cfg->cpu) {
		options_help(out);
		return;
	}
	for (size_t i = 0; cpu_model_at(i); i++)
		fprintf(out, "%-10s %s\n", cpu_model_at(i)->name, cpu_model_at(i)->help);
}

/* ---- parsing ---- */

static bool ends_in(const char *s, const char *suffix)
{
	size_t n = strlen(s), k = strlen(suffix);

	return n > k && !strcmp(s + n - k, suffix);
}

/*
 * --stats FILE: getopt takes an optional argument only behind '='.  The next
 * word is one if its name says so, or if it is a path at which there is nothing
 * that could be meant otherwise: an existing file may be the kernel.
 */
static bool is_stats_file(const char *word)
{
	enum host_file_kind kind;
	uint64_t size;

	if (!word || *word == '-')
		return false;
	if (ends_in(word, ".json") || ends_in(word, ".txt"))
		return true;
	return strchr(word, '/') &&
	       (host_file_stat(word, &kind, &size) != 0 || kind == HOST_FILE_OTHER);
}

static void fill_getopt(struct option *longs, char *shorts)
{
	*shorts++ = ':';		/* tell a missing argument from an unknown option */
	for (size_t i = 0; i < COUNT(rows); i++) {
		longs[i] = (struct option){ rows[i].name, rows[i].has_arg, NULL, 256 + (int)i };
		if (!rows[i].letter)
			continue;
		*shorts++ = rows[i].letter;
		if (rows[i].has_arg == required_argument)
			*shorts++ = ':';
	}
	longs[COUNT(rows)] = (struct option){ 0 };
	*shorts = '\0';
}

static const struct option_row *find_row(int c)
{
	if (c >= 256 && c < 256 + (int)COUNT(rows))
		return &rows[c - 256];
	for (size_t i = 0; i < COUNT(rows); i++)
		if (rows[i].letter == c)
			return &rows[i];
	return NULL;
}

/* getopt found something wrong with the word before optind. */
static int bad_option(int c, char **argv, struct error *e)
{
	const char *word = argv[optind - 1];
	char letter[3] = { '-', (char)optopt, '\0' };

	if (optopt > 0 && optopt < 256)
		word = letter;
	if (c == ':')
		return fail(e, ST_USAGE, "option '%s' needs an argument" HINT, word);
	if (optopt >= 256)
		return fail(e, ST_USAGE, "option '%s' takes no argument" HINT, word);
	return fail(e, ST_USAGE, "unknown or ambiguous option '%s'" HINT, word);
}

/* Options that do not go with each other, or without each other. */
static int check_gdb(const struct vm_config *cfg, struct error *e)
{
	if (cfg->gdb_wait && !cfg->gdb)
		return fail(e, ST_USAGE, "--gdb-wait: no --gdb says where to wait" HINT);
	if (cfg->gdb && !strcmp(cfg->gdb, "stdio") && cfg->console == CONSOLE_STDIO)
		return fail(e, ST_USAGE, "--gdb stdio needs another --console than stdio" HINT);
	return OPTIONS_RUN;
}

static int take_plain_words(struct vm_config *cfg, int argc, char **argv, struct error *e)
{
	if (optind == argc)
		return fail(e, ST_USAGE, "run: no KERNEL given" HINT);
	cfg->kernel = argv[optind++];
	if (!*cfg->kernel)
		return bad(e, "run", cfg->kernel, "is no file name");
	for (; optind < argc; optind++)
		if (add_plain_disk(cfg, argv[optind], e) < 0)
			return OPTIONS_BAD;
	return check_gdb(cfg, e);
}

enum options_result options_parse(struct vm_config *cfg, int argc, char **argv, struct error *e)
{
	struct option longs[COUNT(rows) + 1];
	char shorts[2 * COUNT(rows) + 2];
	int c;

	*cfg = (struct vm_config){
		.append = "", .memory = OPTIONS_MEMORY_DEFAULT, .cpu = cpu_model_at(0)->name,
		.affinity = -1,
	};
	fill_getopt(longs, shorts);
	optind = 0;			/* glibc and musl: start anew */
	while ((c = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		const struct option_row *row = find_row(c);
		char *word = optarg;
		int result;

		if (!row)
			return bad_option(c, argv, e);
		if (row->has_arg == optional_argument && !word && is_stats_file(argv[optind]))
			word = argv[optind++];
		result = row->set(cfg, word, e);
		if (result != OPTIONS_RUN)
			return result;
	}
	return take_plain_words(cfg, argc, argv, e);
}
