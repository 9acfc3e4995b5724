/* SPDX-License-Identifier: BSD-2-Clause */
/* Processes: many at once, fork and exec, exit statuses, the process image. */
#define _GNU_SOURCE
#include "harness.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* 200 live children, each with memory of its own, all answer a byte. */
static void check_many(const void *arg)
{
	enum { N = 200 };
	int go[2], done[2];
	pid_t pid[N];
	uint8_t id;

	(void)arg;
	SYS(pipe(go));
	SYS(pipe(done));
	for (int i = 0; i < N; i++) {
		pid[i] = (pid_t)SYS(fork());
		if (pid[i] == 0) {
			volatile uint32_t *p = mmap(NULL, 16 * 4096, PROT_READ | PROT_WRITE,
						    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

			for (int n = 0; n < 16; n++)
				p[n * 1024] = (uint32_t)(i * 16 + n);
			id = (uint8_t)i;
			CHECK(write(done[1], &id, 1) == 1, "write");
			CHECK(read(go[0], &id, 1) == 1, "read");
			for (int n = 0; n < 16; n++)
				CHECK(p[n * 1024] == (uint32_t)(i * 16 + n), "process %d: page %d",
				      i, n);
			_exit(0);
		}
	}
	for (int i = 0; i < N; i++)
		CHECK(read(done[0], &id, 1) == 1, "read");
	for (int i = 0; i < N; i++)
		CHECK(write(go[1], "x", 1) == 1, "write");
	for (int i = 0; i < N; i++)
		wait_ok(pid[i]);
}

static void check_fork_rate(const void *arg)
{
	int status;

	(void)arg;
	for (int i = 0; i < 300; i++) {
		pid_t pid = (pid_t)SYS(fork());

		if (pid == 0)
			_exit(i & 0x7f);
		SYS(waitpid(pid, &status, 0));
		CHECK(WIFEXITED(status) && WEXITSTATUS(status) == (i & 0x7f),
		      "status 0x%x of child %d", status, i);
	}
}

/* Runs this program again with -h, its output discarded. */
static void exec_self(void)
{
	static char path[] = "/proc/self/exe", flag[] = "-h";
	char *argv[] = { path, flag, NULL }, *env[] = { NULL };

	SYS((intptr_t)freopen("/dev/null", "w", stdout));
	execve(path, argv, env);
	test_fail("execve failed");
}

static void check_exec(const void *arg)
{
	(void)arg;
	for (int i = 0; i < 100; i++) {
		pid_t pid = (pid_t)SYS(fork());

		if (pid == 0)
			exec_self();
		wait_ok(pid);
	}
}

static void check_vfork(const void *arg)
{
	static char path[] = "/proc/self/exe", flag[] = "-h";
	char *argv[] = { path, flag, NULL }, *env[] = { NULL };
	volatile int mark;

	(void)arg;
	SYS((intptr_t)freopen("/dev/null", "w", stdout));
	for (int i = 0; i < 20; i++) {
		pid_t pid;

		mark = 0;
		pid = (pid_t)SYS(vfork());
		if (pid == 0) {
			mark = 1;	/* the parent's memory */
			execve(path, argv, env);
			_exit(127);
		}
		CHECK(mark == 1, "vfork does not share memory");
		wait_ok(pid);
	}
}

static void check_script(const void *arg)
{
	char path[] = "/tmp/usertest.XXXXXX";
	char *argv[] = { path, NULL }, *env[] = { NULL };
	int fd = (int)SYS(mkstemp(path));
	static const char text[] = "#!/proc/self/exe -h\n";
	pid_t pid;

	(void)arg;
	CHECK(write(fd, text, sizeof(text) - 1) == sizeof(text) - 1, "write");
	SYS(fchmod(fd, 0755));
	SYS(close(fd));
	pid = (pid_t)SYS(fork());
	if (pid == 0) {
		SYS((intptr_t)freopen("/dev/null", "w", stdout));
		/* /proc/self/exe is the script's interpreter: this program. */
		execve(path, argv, env);
		test_fail("execve of a script failed");
	}
	wait_ok(pid);
	unlink(path);
}

static void check_killed(const void *arg)
{
	static const int signals[] = { SIGKILL, SIGTERM, SIGSEGV, SIGABRT };
	int status;

	(void)arg;
	for (int i = 0; i < 4; i++) {
		pid_t pid = (pid_t)SYS(fork());

		if (pid == 0) {
			for (volatile unsigned n = 0;; n++)
				;
		}
		SYS(kill(pid, signals[i]));
		SYS(waitpid(pid, &status, 0));
		CHECK(WIFSIGNALED(status) && WTERMSIG(status) == signals[i], "status 0x%x", status);
	}
}

static void check_stopped(const void *arg)
{
	pid_t pid = (pid_t)SYS(fork());
	int status;

	(void)arg;
	if (pid == 0) {
		raise(SIGSTOP);
		_exit(7);
	}
	SYS(waitpid(pid, &status, WUNTRACED));
	CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP, "status 0x%x", status);
	SYS(kill(pid, SIGCONT));
	SYS(waitpid(pid, &status, 0));
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7, "status 0x%x", status);
}

/* Two processes that do nothing but compute get about the same time. */
static void check_preemption(const void *arg)
{
	volatile uint32_t *count = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
					MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid[2];

	(void)arg;
	for (int i = 0; i < 2; i++) {
		pid[i] = (pid_t)SYS(fork());
		if (pid[i] == 0)
			for (;;)
				count[i * 16]++;
	}
	usleep(1000000);
	for (int i = 0; i < 2; i++) {
		SYS(kill(pid[i], SIGKILL));
		SYS(waitpid(pid[i], NULL, 0));
	}
	CHECK(count[0] > count[16] / 8 && count[16] > count[0] / 8, "%u and %u loops", count[0],
	      count[16]);
}

void test_processes(void)
{
	run_for(120, "process: 200 alive at once", check_many, NULL);
	run("process: 300 forks and exit statuses", check_fork_rate, NULL);
	run_for(120, "process: 100 times fork and exec", check_exec, NULL);
	run("process: vfork and exec", check_vfork, NULL);
	run("process: a script's interpreter", check_script, NULL);
	run("process: killed in a loop", check_killed, NULL);
	run("process: stopped and continued", check_stopped, NULL);
	run("process: two loops share the CPU", check_preemption, NULL);
}
