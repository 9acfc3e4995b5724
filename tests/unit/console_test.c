/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The console, with pipes in place of standard input and output and a machine
 * whose serial port takes what the test allows.
 */
#include "hostos/console.h"
#include "monitor/console.h"
#include "monitor/prompt.h"

#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* ---- the machine ---- */

struct vm {
	uint8_t serial[65536];
	size_t taken, room;
	int quit_status;
	unsigned resets;
	char info[64];
};

static struct vm machine;
static struct console *console;
static struct error error;
static int input, output;	/* the test's ends of the pipes */
static int kicks;		/* the reader thread writes a byte for each */
static int kick_out;

void vm_quit(struct vm *vm, int status, const char *reason)
{
	ck_assert_ptr_nonnull(reason);
	vm->quit_status = status;
}

void vm_reset_request(struct vm *vm)
{
	vm->resets++;
}

bool vm_info(struct vm *vm, const char *what, const char *arg, FILE *out)
{
	snprintf(vm->info, sizeof(vm->info), "%s %s", what, arg ? arg : "-");
	fprintf(out, "answer to %s\n", vm->info);
	return true;
}

size_t vm_console_input(struct vm *vm, const uint8_t *buf, size_t n)
{
	size_t space = sizeof(vm->serial) - vm->taken;

	n = n < vm->room ? n : vm->room;
	n = n < space ? n : space;
	memcpy(vm->serial + vm->taken, buf, n);
	vm->taken += n;
	vm->room -= n;
	return n;
}

static void kick(void *ctx)
{
	ck_assert_ptr_eq(ctx, &machine);
	ck_assert_int_eq(write(kick_out, "k", 1), 1);
}

/* ---- the world ---- */

static void make_pipe(int *read_end, int *write_end)
{
	int ends[2];

	ck_assert_int_eq(pipe(ends), 0);
	*read_end = ends[0];
	*write_end = ends[1];
}

static bool readable(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, ms) == 1;
}

static void open_console(enum console_kind kind, const char *path)
{
	const struct vm_config cfg = { .console = kind, .console_path = path };
	int guest_in, guest_out;

	memset(&machine, 0, sizeof(machine));
	machine.room = SIZE_MAX;
	machine.quit_status = -1;
	make_pipe(&guest_in, &input);
	make_pipe(&output, &guest_out);
	make_pipe(&kicks, &kick_out);
	dup2(guest_in, STDIN_FILENO);
	dup2(guest_out, STDOUT_FILENO);
	close(guest_in);
	close(guest_out);
	ck_assert_int_eq(console_open(&console, &cfg, kick, &machine, &error), 0);
}

static void setup(void)
{
	open_console(CONSOLE_STDIO, NULL);
}

static void teardown(void)
{
	console_close(&console);
	ck_assert_ptr_null(console);
	console_close(&console);
}

/* Waits for the kick that input causes, then polls. */
static void poll_console(void)
{
	char byte;

	ck_assert_msg(readable(kicks, 5000), "no kick");
	ck_assert_int_eq(read(kicks, &byte, 1), 1);
	console_poll(console, &machine);
}

static void type_bytes(const char *s, size_t n)
{
	ck_assert_int_eq(write(input, s, n), (ssize_t)n);
	poll_console();
}

static void type(const char *s)
{
	type_bytes(s, strlen(s));
}

static void expect_serial(const char *s)
{
	ck_assert_uint_eq(machine.taken, strlen(s));
	ck_assert_mem_eq(machine.serial, s, machine.taken);
}

/* What has come out until now. */
static const char *printed(void)
{
	static char buf[8192];
	ssize_t n = readable(output, 0) ? read(output, buf, sizeof(buf) - 1) : 0;

	ck_assert_int_ge(n, 0);
	buf[n] = '\0';
	return buf;
}

static void expect_printed(const char *part)
{
	const char *all = printed();

	ck_assert_msg(strstr(all, part) != NULL, "'%s' is not in '%s'", part, all);
}

static void print(const char *s)
{
	console_output(console, (const uint8_t *)s, strlen(s));
}

/* ---- the guest's side ---- */

START_TEST(input_reaches_the_guest)
{
	type("hello\n");
	expect_serial("hello\n");
}
END_TEST

START_TEST(output_reaches_the_user)
{
	print("text");
	print("\r\n");
	ck_assert_str_eq(printed(), "text\r\n");
}
END_TEST

START_TEST(full_fifo_keeps_bytes)
{
	machine.room = 3;
	type("abcdefgh");
	expect_serial("abc");
	ck_assert(console_pending(console));
	machine.room = 2;
	console_poll(console, &machine);
	expect_serial("abcde");
	machine.room = 100;
	console_poll(console, &machine);
	expect_serial("abcdefgh");
	ck_assert(!console_pending(console));
}
END_TEST

/* More than all buffers hold, through a serial port that takes it slowly. */
START_TEST(long_input)
{
	static char sent[60000];
	size_t done = 0;

	for (size_t i = 0; i < sizeof(sent); i++)
		sent[i] = (char)('a' + i % 23);
	machine.room = 0;
	fcntl(input, F_SETFL, O_NONBLOCK);
	for (int idle = 0; machine.taken < sizeof(sent) && idle < 2000;) {
		ssize_t n = write(input, sent + done, sizeof(sent) - done);
		size_t before = machine.taken;
		char byte[64];

		done += n > 0 ? (size_t)n : 0;
		if (readable(kicks, 1))
			ck_assert_int_gt(read(kicks, byte, sizeof(byte)), 0);
		machine.room = 16;
		console_poll(console, &machine);
		idle = machine.taken == before ? idle + 1 : 0;
	}
	ck_assert_uint_eq(machine.taken, sizeof(sent));
	ck_assert_mem_eq(machine.serial, sent, sizeof(sent));
}
END_TEST

START_TEST(end_of_input)
{
	type("bye");
	close(input);
	expect_serial("bye");
	ck_assert(!readable(kicks, 100));	/* no kick, and no spinning reader */
	print("still here");
	ck_assert_str_eq(printed(), "still here");
	ck_assert_int_eq(machine.quit_status, -1);
}
END_TEST

static void expect_no_cpu_time(void)
{
	const struct timespec pause = { .tv_nsec = 300000000 };
	clock_t before = clock();

	nanosleep(&pause, NULL);
	ck_assert_int_lt(clock() - before, CLOCKS_PER_SEC / 20);
}

START_TEST(nothing_spins)
{
	expect_no_cpu_time();
	close(input);
	expect_no_cpu_time();
}
END_TEST

START_TEST(reader_gone)
{
	close(output);
	close(STDERR_FILENO);
	print("nobody reads this");
	print("nor this");
	type("x");
	expect_serial("x");
}
END_TEST

static void *cancel_later(void *arg)
{
	const struct timespec pause = { .tv_nsec = 100000000 };

	nanosleep(&pause, NULL);
	console_cancel(console);
	return arg;
}

/* A reader that has stopped reading cannot keep an ending VM. */
START_TEST(cancel_ends_waiting)
{
	static uint8_t much[1 << 20];
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, cancel_later, NULL), 0);
	console_output(console, much, sizeof(much));
	pthread_join(thread, NULL);
}
END_TEST

/* ---- keys ---- */

START_TEST(key_quit)
{
	type("\001x");
	ck_assert_int_eq(machine.quit_status, ST_KILLED);
	expect_serial("");
}
END_TEST

/* Keys work while the guest does not read. */
START_TEST(key_quit_of_a_deaf_guest)
{
	machine.room = 0;
	type("are you there?\001x");
	ck_assert_int_eq(machine.quit_status, ST_KILLED);
}
END_TEST

START_TEST(key_split)
{
	type("a\001");
	type("xb");
	ck_assert_int_eq(machine.quit_status, ST_KILLED);
	expect_serial("ab");
}
END_TEST

START_TEST(key_literal)
{
	type("\001\001z");
	expect_serial("\001z");
}
END_TEST

START_TEST(key_unknown)
{
	type("\001qz");
	expect_serial("z");
	ck_assert_int_eq(machine.quit_status, -1);
}
END_TEST

START_TEST(key_help)
{
	type("\001h");
	expect_printed("Ctrl-A x");
	expect_serial("");
}
END_TEST

/* ---- the prompt ---- */

START_TEST(prompt_there_and_back)
{
	type("a\001c");
	expect_printed("(lilyvm) ");
	type("info irq\r");
	ck_assert_str_eq(machine.info, "irq -");
	expect_printed("answer to irq -\r\n(lilyvm) ");
	type("\001cb");
	expect_serial("ab");
}
END_TEST

/* What is typed at the prompt, and what info() gets. */
static const struct {
	const char *typed, *info, *printed;
} prompt_lines[] = {
	{ "info registers\r", "registers -", "answer" },
	{ "  info   stats  \n", "stats -", "answer" },
	{ "info mmu c0100000\r", "mmu c0100000", "answer" },
	{ "info mmu 0xC0100000\r\n", "mmu 0xC0100000", "answer" },
	{ "info mmu zero\r", "", "hexadecimal" },
	{ "info mmu 1 2\r", "", "too many" },
	{ "info irq 3\r", "", "too many" },
	{ "info weather\r", "", "info registers" },
	{ "info\r", "", "info registers" },
	{ "wrong\025info irq\r", "irq -", "answer" },
	{ "info irx\177q\r", "irq -", "answer" },
	{ "\b\b\177info irq\r", "irq -", "answer" },
	{ "help\r", "", "quit" },
	{ "frobnicate now\r", "", "unknown command: 'frobnicate'" },
	{ "\r\r", "", "(lilyvm) \r\n(lilyvm) " },
	{ "\033[A\001\001\r", "", "unknown command: '[A'" },
};

START_TEST(prompt_line)
{
	type("\001c");
	type(prompt_lines[_i].typed);
	ck_assert_str_eq(machine.info, prompt_lines[_i].info);
	expect_printed(prompt_lines[_i].printed);
	expect_serial("");
}
END_TEST

START_TEST(prompt_long_line)
{
	char line[400];

	memset(line, 'y', sizeof(line));
	type("\001c");
	type_bytes(line, sizeof(line));
	type("\r");
	expect_printed("unknown command: 'yyy");
}
END_TEST

START_TEST(prompt_quit)
{
	type("\001cquit\n");
	ck_assert_int_eq(machine.quit_status, ST_KILLED);
}
END_TEST

START_TEST(prompt_reset)
{
	type("\001creset\nafter");
	ck_assert_uint_eq(machine.resets, 1);
	expect_serial("after");
}
END_TEST

static const char *const leaving[] = { "cont\r", "\003", "\004", "\001c" };

START_TEST(prompt_leave)
{
	type("\001c");
	type(leaving[_i]);
	type("back");
	expect_serial("back");
}
END_TEST

/* ---- panic ---- */

static const struct {
	const char *text;
	bool panic;
} lines[] = {
	{ "Kernel panic - not syncing: VFS\r\n", true },
	{ "boot\r\n[    1.234567] Kernel panic - not syncing: VFS: Unable to mount\r\n", true },
	{ "[    1.234567][    T1] Kernel panic - not syncing: x\n", true },
	{ "panic: page fault\r\n", true },
	{ "[   1.0000000] panic: kernel diagnostic assertion\r\n", true },
	{ "Kernel panic - not syncing: a message that is longer than what is kept of a line, "
	  "with all that a kernel may want to say, and more, and its line end not yet here", true },
	{ "don't panic: it is fine\r\n", false },
	{ "---[ end Kernel panic - not syncing: x ]---\r\n", false },
	{ "sysctl kernel.panic: 10\r\n", false },
	{ "panic\r\n", false },
	{ "[    1.2] all is well\r\n", false },
	{ "[[[[\r\n", false },
	{ "\r\n\r\n", false },
};

START_TEST(panic_line)
{
	ck_assert(!console_saw_panic(console));
	for (const char *s = lines[_i].text; *s; s++)
		console_output(console, (const uint8_t *)s, 1);
	ck_assert_int_eq(console_saw_panic(console), lines[_i].panic);
	console_forget_panic(console);
	ck_assert(!console_saw_panic(console));
}
END_TEST

/* ---- other back ends ---- */

START_TEST(file_back_end)
{
	char path[] = "/tmp/lilyvm-console-XXXXXX", buf[32] = "";
	int fd = mkstemp(path);

	open_console(CONSOLE_FILE, path);
	print("to the file");
	ck_assert_int_eq(read(fd, buf, sizeof(buf) - 1), 11);
	ck_assert_str_eq(buf, "to the file");
	ck_assert_str_eq(printed(), "");
	unlink(path);
	teardown();
}
END_TEST

START_TEST(file_not_writable)
{
	const struct vm_config cfg = { .console = CONSOLE_FILE, .console_path = "/no/such/dir/f" };

	ck_assert_int_eq(console_open(&console, &cfg, kick, &machine, &error), -1);
	ck_assert_int_eq(error.status, ST_HOST);
	ck_assert_ptr_nonnull(strstr(error.text, "/no/such/dir/f"));
	ck_assert_ptr_null(console);
}
END_TEST

static int connect_to(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(addr.sun_path, path);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

static void serve_client(const char *path, const char *text)
{
	size_t before = machine.taken;
	char buf[32] = "";
	int fd = connect_to(path);

	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	poll_console();
	ck_assert_mem_eq(machine.serial + before, text, strlen(text));
	shutdown(fd, SHUT_WR);		/* it still wants to read */
	print("answer");
	ck_assert(readable(fd, 5000));
	ck_assert_int_eq(read(fd, buf, sizeof(buf) - 1), 6);
	ck_assert_str_eq(buf, "answer");
	close(fd);
}

START_TEST(unix_back_end)
{
	char dir[] = "/tmp/lilyvm-console-XXXXXX", path[64];

	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/socket", dir);
	open_console(CONSOLE_UNIX, path);
	print("nobody is there");
	serve_client(path, "first");
	serve_client(path, "second");
	expect_no_cpu_time();
	teardown();
	ck_assert_int_ne(access(path, F_OK), 0);
	ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

START_TEST(unix_path_too_long)
{
	char path[200];
	const struct vm_config cfg = { .console = CONSOLE_UNIX, .console_path = path };

	memset(path, 'p', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	ck_assert_int_eq(console_open(&console, &cfg, kick, &machine, &error), -1);
	ck_assert_int_eq(error.status, ST_USAGE);
}
END_TEST

/* The slave's name comes on standard error. */
START_TEST(pty_back_end)
{
	char name[128] = "", buf[32] = "", *path;
	int errors, errors_in, fd;
	ssize_t n;

	make_pipe(&errors, &errors_in);
	dup2(errors_in, STDERR_FILENO);
	open_console(CONSOLE_PTY, NULL);
	n = read(errors, name, sizeof(name) - 1);
	ck_assert_int_gt(n, 0);
	name[n - 1] = '\0';
	path = strstr(name, "/dev/pts/");
	ck_assert_ptr_nonnull(path);
	print("nobody is there");
	expect_no_cpu_time();
	fd = open(path, O_RDWR | O_NOCTTY);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, "typed\003", 6), 6);
	poll_console();
	expect_serial("typed\003");
	print("shown\n");
	n = read(fd, buf, sizeof(buf) - 1);
	ck_assert_int_eq(n, 6);
	ck_assert_mem_eq(buf, "shown\n", 6);
	close(fd);
	teardown();
}
END_TEST

START_TEST(no_back_end)
{
	open_console(CONSOLE_NONE, NULL);
	print("Kernel panic - not syncing: unseen\n");
	ck_assert(console_saw_panic(console));
	ck_assert_str_eq(printed(), "");
	console_poll(console, &machine);
	expect_serial("");
	teardown();
}
END_TEST

#define COUNT(a) (int)(sizeof(a) / sizeof((a)[0]))

static TCase *stdio_case(void)
{
	const TTest *const tests[] = {
		input_reaches_the_guest, output_reaches_the_user, full_fifo_keeps_bytes,
		long_input, end_of_input, nothing_spins, reader_gone, cancel_ends_waiting,
		key_quit, key_quit_of_a_deaf_guest, key_split, key_literal, key_unknown, key_help,
		prompt_there_and_back, prompt_long_line, prompt_quit, prompt_reset,
	};
	TCase *tc = tcase_create("stdio");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 20);
	for (int i = 0; i < COUNT(tests); i++)
		tcase_add_test(tc, tests[i]);
	tcase_add_loop_test(tc, prompt_line, 0, COUNT(prompt_lines));
	tcase_add_loop_test(tc, prompt_leave, 0, COUNT(leaving));
	tcase_add_loop_test(tc, panic_line, 0, COUNT(lines));
	return tc;
}

static TCase *back_ends_case(void)
{
	TCase *tc = tcase_create("back ends");

	tcase_set_timeout(tc, 20);
	tcase_add_test(tc, file_back_end);
	tcase_add_test(tc, file_not_writable);
	tcase_add_test(tc, unix_back_end);
	tcase_add_test(tc, unix_path_too_long);
	tcase_add_test(tc, pty_back_end);
	tcase_add_test(tc, no_back_end);
	return tc;
}

int main(void)
{
	Suite *suite = suite_create("console");
	SRunner *sr = srunner_create(suite);
	int failed;

	signal(SIGPIPE, SIG_IGN);
	suite_add_tcase(suite, stdio_case());
	suite_add_tcase(suite, back_ends_case());
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
