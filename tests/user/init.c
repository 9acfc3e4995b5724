/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * /init of the test's initrd: mounts what user space expects, loads the
 * modules named in /modules/boot, runs /usertest, hands its exit status to the
 * exit port and powers the machine off.  The kernel puts the words that it does
 * not know into the environment: usertest=ARG,ARG... on its command line gives
 * the arguments; without it, "guest".
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* LilyVM's exit port; QEMU's isa-debug-exit answers here too (iobase=0x501). */
enum { EXIT_PORT = 0x501 };

static const struct { const char *dir, *type; } mounts[] = {
	{ "/dev", "devtmpfs" }, { "/proc", "proc" }, { "/sys", "sysfs" }, { "/tmp", "tmpfs" },
};

static void warn(const char *what)
{
	fprintf(stderr, "init: %s: %s\n", what, strerror(errno));
}

static void mount_all(void)
{
	for (unsigned i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
		mkdir(mounts[i].dir, 0755);
		if (mount(mounts[i].type, mounts[i].dir, mounts[i].type, 0, NULL) && errno != EBUSY)
			warn(mounts[i].dir);
	}
}

static void open_console(void)
{
	int fd = open("/dev/console", O_RDWR);

	for (int i = 0; fd >= 0 && i < 3; i++)
		dup2(fd, i);
	if (fd > 2)
		close(fd);
}

static void load_modules(void)
{
	FILE *list = fopen("/modules/boot", "r");
	char path[256];

	while (list && fscanf(list, "%255s", path) == 1) {
		int fd = open(path, O_RDONLY);

		if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) && errno != EEXIST))
			warn(path);
		if (fd >= 0)
			close(fd);
	}
	if (list)
		fclose(list);
}

/* The exit status of /usertest, or 125 if it could not run to its end. */
static int run_test(void)
{
	static char program[] = "/usertest", all[] = "guest";
	char *words = getenv("usertest"), *argv[8] = { program };
	unsigned argc = 1;
	int status;
	pid_t pid;

	for (char *w = strtok(words ? words : all, ","); w && argc < 7; w = strtok(NULL, ","))
		argv[argc++] = w;
	pid = fork();
	if (pid == 0) {
		execv(program, argv);
		warn(program);
		_exit(125);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return 125;
	return WEXITSTATUS(status);
}

static void power_off(int status)
{
	unsigned char value = (unsigned char)status;
	int fd = open("/dev/port", O_WRONLY);

	sync();
	/* The last words must have left the serial port. */
	fsync(1);
	if (fd < 0 || pwrite(fd, &value, 1, EXIT_PORT) != 1)
		warn("/dev/port");
	reboot(RB_POWER_OFF);
}

int main(void)
{
	int status;

	mount_all();
	open_console();
	load_modules();
	setenv("PATH", "/bin:/sbin:/usr/bin:/usr/sbin", 1);
	/* What the firmware and the kernel have printed may end in mid-line. */
	putchar('\n');
	fflush(stdout);
	status = run_test();
	printf("init: usertest ended with status %d\n", status);
	fflush(stdout);
	power_off(status);
	return status;
}
