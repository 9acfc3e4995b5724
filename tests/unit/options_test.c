/* SPDX-License-Identifier: BSD-2-Clause */
#include "options.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define MAX_WORDS 32

static struct vm_config cfg;
static struct error error;
/* Strings of cfg point into these. */
static char text[1024];

/* Parses "run" and the words of line, which '|' separates. */
static enum options_result parse(const char *line)
{
	char *argv[MAX_WORDS + 1] = { (char[]){ "run" } };
	int argc = 1;

	memset(&error, 0, sizeof(error));
	ck_assert_uint_lt(strlen(line), sizeof(text));
	strcpy(text, line);
	for (char *word = text; word && argc < MAX_WORDS; argc++) {
		char *bar = strchr(word, '|');

		if (bar)
			*bar++ = '\0';
		argv[argc] = word;
		word = bar;
	}
	return options_parse(&cfg, argc, argv, &error);
}

START_TEST(defaults)
{
	ck_assert_int_eq(parse("vmlinuz"), OPTIONS_RUN);
	ck_assert_str_eq(cfg.kernel, "vmlinuz");
	ck_assert_str_eq(cfg.append, "");
	ck_assert_ptr_null(cfg.initrd);
	ck_assert_uint_eq(cfg.memory, 256u << 20);
	ck_assert_uint_eq(cfg.ndisks, 0);
	ck_assert_uint_eq(cfg.nmodules, 0);
	ck_assert_int_eq(cfg.console, CONSOLE_STDIO);
	ck_assert(!cfg.reboot_exit);
	ck_assert(!cfg.apic);
	ck_assert(!cfg.gdb_clock_runs);
	ck_assert(!cfg.stats);
	ck_assert_uint_eq(cfg.trace, 0);
	ck_assert_str_eq(cfg.cpu, "686");
	ck_assert_ptr_null(cfg.engine);
	ck_assert(!cfg.no_sandbox);
	ck_assert_int_eq(cfg.affinity, -1);
	ck_assert_uint_eq(cfg.time_limit, 0);
}
END_TEST

START_TEST(everything)
{
	ck_assert_int_eq(parse("-m|1G|--append|root=/dev/vda ro|--initrd|i.gz|--module|a b c|"
			       "--disk|d.img,readonly,snapshot|--console|unix:/s|--reboot|exit|--apic|"
			       "--gdb-clock|run|"
			       "--trace|mmu,io:log|--engine|handoff|--sandbox|off|--cpu-affinity|3|--time-limit|60|k|e.img"),
			 OPTIONS_RUN);
	ck_assert_uint_eq(cfg.memory, 1u << 30);
	ck_assert_str_eq(cfg.append, "root=/dev/vda ro");
	ck_assert_str_eq(cfg.engine, "handoff");
	ck_assert(cfg.no_sandbox);
	ck_assert_str_eq(cfg.initrd, "i.gz");
	ck_assert_uint_eq(cfg.nmodules, 1);
	ck_assert_str_eq(cfg.modules[0], "a b c");
	ck_assert_uint_eq(cfg.ndisks, 2);
	ck_assert_str_eq(cfg.disks[0].path, "d.img");
	ck_assert(cfg.disks[0].readonly && cfg.disks[0].snapshot);
	ck_assert_str_eq(cfg.disks[1].path, "e.img");
	ck_assert(!cfg.disks[1].readonly && !cfg.disks[1].snapshot);
	ck_assert_int_eq(cfg.console, CONSOLE_UNIX);
	ck_assert_str_eq(cfg.console_path, "/s");
	ck_assert(cfg.reboot_exit);
	ck_assert(cfg.apic);
	ck_assert(cfg.gdb_clock_runs);
	ck_assert_uint_eq(cfg.trace, TRACE_MMU | TRACE_IO);
	ck_assert_str_eq(cfg.trace_file, "log");
	ck_assert_int_eq(cfg.affinity, 3);
	ck_assert_uint_eq(cfg.time_limit, 60);
	ck_assert_str_eq(cfg.kernel, "k");
}
END_TEST

/* How a disk is attached. */
START_TEST(disks)
{
	static const struct {
		enum disk_interface interface;
		int place;
	} want[] = {
		{ DISK_DEFAULT, IDE_PLACE_ANY }, { DISK_VIRTIO, IDE_PLACE_ANY },
		{ DISK_IDE, IDE_PLACE_ANY }, { DISK_IDE, 0 }, { DISK_IDE, 3 },
		{ DISK_CDROM, IDE_PLACE_ANY }, { DISK_CDROM, IDE_PLACE_ANY },
		{ DISK_DEFAULT, IDE_PLACE_ANY },
	};

	ck_assert_int_eq(parse("--disk|a|--disk|b,if=virtio|--disk|c,if=ide,snapshot|"
			       "--disk|d,if=hda|--disk|e,readonly,if=hdd|--disk|f,if=cd|"
			       "--cdrom|g,h|k|i,if=ide"), OPTIONS_RUN);
	ck_assert_uint_eq(cfg.ndisks, 8);
	for (unsigned i = 0; i < 8; i++) {
		ck_assert_int_eq(cfg.disks[i].interface, want[i].interface);
		ck_assert_int_eq(cfg.disks[i].place, want[i].place);
	}
	ck_assert(cfg.disks[2].snapshot && !cfg.disks[2].readonly);
	ck_assert(cfg.disks[4].readonly);
	ck_assert_str_eq(cfg.disks[6].path, "g,h");
	ck_assert_str_eq(cfg.disks[7].path, "i,if=ide");
}
END_TEST

/* Options may follow the kernel, and "--" ends them. */
START_TEST(order)
{
	ck_assert_int_eq(parse("k|d,1|-m64|--|-e"), OPTIONS_RUN);
	ck_assert_str_eq(cfg.kernel, "k");
	ck_assert_uint_eq(cfg.memory, 64u << 20);
	ck_assert_uint_eq(cfg.ndisks, 2);
	ck_assert_str_eq(cfg.disks[0].path, "d,1");
	ck_assert_str_eq(cfg.disks[1].path, "-e");
}
END_TEST

static const struct {
	const char *word;
	bool good;
	uint64_t bytes;
} sizes[] = {
	{ "64", true, 64u << 20 }, { "8M", true, 8u << 20 }, { "16384k", true, 16u << 20 },
	{ "3g", true, 3ull << 30 }, { "0", true, 0 }, { "1024G", true, 1ull << 40 },
	{ "", false, 0 }, { "M", false, 0 }, { "-1", false, 0 }, { "+1", false, 0 },
	{ "0x40", false, 0 }, { "1.5G", false, 0 }, { "64MB", false, 0 }, { "64T", false, 0 },
	{ " 64", false, 0 }, { "1025G", false, 0 }, { "99999999999999999999", false, 0 },
	{ "18446744073709551615M", false, 0 },
};

START_TEST(size)
{
	uint64_t bytes = 0;

	ck_assert_int_eq(options_size(sizes[_i].word, &bytes), sizes[_i].good);
	if (sizes[_i].good)
		ck_assert_uint_eq(bytes, sizes[_i].bytes);
}
END_TEST

static const struct {
	const char *line;
	bool taken;
} stats[] = {
	{ "--stats|s.json|k", true }, { "--stats|s.txt|k", true },
	{ "--stats|/no/such/dir/s|k", true }, { "--stats=s|k", true },
	{ "--stats|/dev/null|k", true }, { "--stats|k", false }, { "--stats|/etc/passwd", false },
	{ "--stats|--|k", false },
	{ "k|--stats", false }, { "k|d|--stats|s.json", true },
};

START_TEST(stats_file)
{
	ck_assert_int_eq(parse(stats[_i].line), OPTIONS_RUN);
	ck_assert(cfg.stats);
	ck_assert_int_eq(cfg.stats_file != NULL, stats[_i].taken);
	ck_assert_ptr_nonnull(cfg.kernel);
}
END_TEST

/* A wrong line and a word of its message. */
static const struct {
	const char *line, *message;
} wrong[] = {
	{ "--nonsense|k", "--nonsense" }, { "-Z|k", "-Z" }, { "--memory", "--memory" },
	{ "-m", "-m" }, { "--help=x", "--help=x" }, { "--reboot|exit", "KERNEL" },
	{ "--memory|7M|k", "8M to 3G" }, { "--memory|3073M|k", "8M to 3G" },
	{ "--memory|8193K|k", "multiple" }, { "--memory|much|k", "no size" },
	{ "--console|screen|k", "screen" }, { "--console|file:|k", "file:" },
	{ "--console|stdiox|k", "stdiox" }, { "--reboot|maybe|k", "maybe" },
	{ "--gdb-clock|walk|k", "walk" },
	{ "--trace|exits,foo|k", "foo" }, { "--trace||k", "--trace" },
	{ "--trace|all:|k", "file" }, { "--cpu|z80|k", "z80" },
	{ "--engine|kvm|k", "kvm" }, { "--sandbox|maybe|k", "maybe" },
	{ "--cpu-affinity|-1|k", "-1" }, { "--cpu-affinity|x|k", "'x'" },
	{ "--time-limit|1s|k", "1s" }, { "--time-limit|4294967296|k", "4294967296" },
	{ "--disk|d,rw|k", "rw" }, { "--disk|d,if=scsi|k", "if=scsi" }, { "--cdrom||k", "--cdrom" }, { "--disk|,readonly|k", "--disk" }, { "--disk|d,|k", "--disk" },
	{ "k||", "file name" }, { "k|1|2|3|4|5|6|7|8|9", "8 disks" }, { "--initrd||k", "--initrd" },
	{ "--stats=|k", "--stats" }, { "--module| x|k", "--module" },
};

START_TEST(usage_error)
{
	ck_assert_int_eq(parse(wrong[_i].line), OPTIONS_BAD);
	ck_assert_int_eq(error.status, ST_USAGE);
	ck_assert_msg(strstr(error.text, wrong[_i].message) != NULL, "%s", error.text);
	ck_assert_msg(strstr(error.text, "try 'lilyvm help run'") != NULL, "%s", error.text);
	ck_assert_ptr_null(strchr(error.text, '\n'));
}
END_TEST

START_TEST(too_many_modules)
{
	char line[512] = "k";

	for (int i = 0; i < VM_MAX_MODULES; i++)
		strcat(line, "|--module=m");
	ck_assert_int_eq(parse(line), OPTIONS_RUN);
	ck_assert_uint_eq(cfg.nmodules, VM_MAX_MODULES);
	strcat(line, "|--module=m");
	ck_assert_int_eq(parse(line), OPTIONS_BAD);
}
END_TEST

static void check_list(const char *line, const char *word)
{
	char *out = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&out, &n);

	ck_assert_int_eq(parse(line), OPTIONS_LIST);
	options_list(&cfg, f);
	fclose(f);
	ck_assert_msg(strstr(out, word) != NULL, "%s", out);
	free(out);
}

START_TEST(lists)
{
	check_list("--cpu|help", "686");
	check_list("--cpu|help", "pentium");
	check_list("--cpu|help", "486");
	check_list("--help", "--memory SIZE");
	check_list("-h", "usage: lilyvm run");
}
END_TEST

#define COUNT(a) (int)(sizeof(a) / sizeof((a)[0]))

int main(void)
{
	Suite *suite = suite_create("options");
	TCase *tc = tcase_create("options");
	SRunner *sr = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tc);
	tcase_add_test(tc, defaults);
	tcase_add_test(tc, everything);
	tcase_add_test(tc, disks);
	tcase_add_test(tc, order);
	tcase_add_loop_test(tc, size, 0, COUNT(sizes));
	tcase_add_loop_test(tc, stats_file, 0, COUNT(stats));
	tcase_add_loop_test(tc, usage_error, 0, COUNT(wrong));
	tcase_add_test(tc, too_many_modules);
	tcase_add_test(tc, lists);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
