/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * usertest: what an i386 Linux program can see of the machine it runs on.
 * Prints TAP and ends with "usertest: N passed, N failed".
 *
 *	usertest [PATTERN]		all tests that need no privilege
 *	usertest guest [PATTERN]	these, the disk and the modules; as root in a guest
 *	usertest fs DIR phase1|phase2	file-system stress: write, then verify after a remount
 *	usertest modules [DIR]		load, use and remove the modules listed in DIR/use
 *	usertest touch MIB		write and verify MIB mebibytes of memory
 *	usertest -h			this list
 *
 * Build: gcc -m32 -O2 -static -pthread -no-pie -fno-pie -fno-stack-protector -I. -o usertest
 * with all sources of this directory but init.c.
 */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

enum { EXIT_USAGE = 64 };

static int usage(FILE *out, int status)
{
	fputs("usage: usertest [PATTERN]\n"
	      "       usertest guest [PATTERN]\n"
	      "       usertest fs DIR phase1|phase2\n"
	      "       usertest modules [DIR]\n"
	      "       usertest touch MIB\n", out);
	return status;
}

static void (*const groups[])(void) = {
	test_faults, test_stepping, test_segments, test_fpu, test_syscalls, test_signals,
	test_threads, test_memory, test_processes, test_ptrace, test_ipc, test_time,
};

static int unprivileged(const char *pattern)
{
	run_only(pattern);
	for (unsigned i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
		groups[i]();
	return run_summary();
}

/* The disk tests write files, forget them by a remount, and verify them. */
static void disk(void)
{
	static const char device[] = "/dev/vda", dir[] = "/mnt";

	if (access(device, F_OK)) {
		printf("# no %s: the disk is not tested\n", device);
		return;
	}
	for (int phase = 1; phase <= 2; phase++) {
		if (mount(device, dir, "ext4", 0, NULL)) {
			perror("usertest: mount /dev/vda on /mnt");
			exit(1);
		}
		test_disk(dir, phase == 1 ? "phase1" : "phase2");
		if (umount(dir)) {
			perror("usertest: umount /mnt");
			exit(1);
		}
	}
}

static int guest(const char *pattern)
{
	run_only(pattern);
	for (unsigned i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
		groups[i]();
	disk();
	test_modules("/modules");
	return run_summary();
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "";

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (strcmp(mode, "-h") == 0 || strcmp(mode, "--help") == 0)
		return usage(stdout, 0);
	if (strcmp(mode, "guest") == 0 && argc <= 3)
		return guest(argv[2]);
	if (strcmp(mode, "fs") == 0) {
		if (argc != 4 || (strcmp(argv[3], "phase1") && strcmp(argv[3], "phase2")))
			return usage(stderr, EXIT_USAGE);
		test_disk(argv[2], argv[3]);
		return run_summary();
	}
	if (strcmp(mode, "modules") == 0 && argc <= 3) {
		test_modules(argc == 3 ? argv[2] : "/modules");
		return run_summary();
	}
	if (strcmp(mode, "touch") == 0 && argc == 3) {
		test_touch((unsigned)strtoul(argv[2], NULL, 0));
		return run_summary();
	}
	if (argc > 2 || mode[0] == '-')
		return usage(stderr, EXIT_USAGE);
	return unprivileged(argc > 1 ? mode : NULL);
}
