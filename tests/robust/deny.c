/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * deny CALL COMMAND...: runs COMMAND without the system call CALL, which fails
 * with EPERM as under a container's seccomp profile.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct {
	const char *name;
	unsigned int number;
} calls[] = {
	{ "clone", SYS_clone },
	{ "memfd_create", SYS_memfd_create }, { "modify_ldt", SYS_modify_ldt },
	{ "ptrace", SYS_ptrace }, { "rseq", SYS_rseq },
	{ "sched_setaffinity", SYS_sched_setaffinity }, { "seccomp", SYS_seccomp },
	{ "timer_create", SYS_timer_create },
};

static int deny(unsigned int number)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = sizeof(code) / sizeof(code[0]), .filter = code };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 2 && i < sizeof(calls) / sizeof(calls[0]); i++) {
		if (strcmp(argv[1], calls[i].name) != 0)
			continue;
		if (deny(calls[i].number))
			perror("deny: seccomp");
		else
			execvp(argv[2], argv + 2);
		perror("deny");
		return 126;
	}
	fprintf(stderr, "usage: deny CALL COMMAND...\n");
	return 64;
}
