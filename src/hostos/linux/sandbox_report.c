/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What happens at a system call that the sandbox does not allow.  The handler runs in any
 * thread, possibly with a guest's FS base and with memory that a hostile guest has changed:
 * it uses no thread-local storage, no library and no pointers but to what it prints.  Its
 * code cannot be changed, because memory above 4 GiB cannot be made executable any more.
 */
#define _GNU_SOURCE
#include "hostos/linux/sandbox_filter.h"

#include "layout.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>

#define RAW __attribute__((no_stack_protector))
#define X32_BIT 0x40000000u

/* Signal handlers get no argument, hence the file scope. */
static struct {
	const char *const *names;
	unsigned n;
	int resolv;
} report = { .resolv = -1 };

/* What libslirp asks for name servers; and what glibc looks at before it shrinks a heap,
 * which it then does in another way. */
static const char resolv_path[] = "/etc/resolv.conf";
static const char overcommit_path[] = "/proc/sys/vm/overcommit_memory";

RAW static long call(long nr, long a, long b, long c)
{
	long r;

	__asm__ volatile("syscall" : "=a"(r) : "a"(nr), "D"(a), "S"(b), "d"(c)
			 : "rcx", "r11", "memory");
	return r;
}

/* ---- words ---- */

struct line {
	unsigned n;
	char text[256];
};

RAW static void put(struct line *l, const char *s)
{
	while (*s && l->n < sizeof l->text)
		l->text[l->n++] = *s++;
}

RAW static void put_number(struct line *l, uint64_t v, unsigned base)
{
	char digits[24];
	unsigned n = 0;

	do
		digits[n++] = "0123456789abcdef"[v % base];
	while (v /= base);
	while (n && l->n < sizeof l->text)
		l->text[l->n++] = digits[--n];
}

RAW static _Noreturn void die(const siginfo_t *info)
{
	const unsigned nr = (unsigned)info->si_syscall;
	const bool native = info->si_arch == AUDIT_ARCH_X86_64 && !(nr & X32_BIT);
	struct line l;

	l.n = 0;
	put(&l, "lilyvm: sandbox: ");
	put(&l, native ? "system call " : info->si_arch == AUDIT_ARCH_X86_64 ?
	    "x32 system call " : "32-bit system call ");
	put_number(&l, native ? nr : nr & ~X32_BIT, 10);
	if (native && nr < report.n && report.names[nr]) {
		put(&l, " (");
		put(&l, report.names[nr]);
		put(&l, ")");
	}
	put(&l, " at 0x");
	put_number(&l, (uintptr_t)info->si_call_addr, 16);
	put(&l, " is not allowed: the guest's kernel is hostile, or please report this "
	    "(--sandbox off does without)\n");
	call(SYS_write, 2, (long)l.text, l.n);
	for (;;)
		call(SYS_exit_group, ST_SANDBOX, 0, 0);
}

/* ---- what can be given ---- */

RAW static bool same(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

RAW static bool is_resolv(const char *path)
{
	return report.resolv >= 0 && same(path, resolv_path);
}

/* The file that was opened at start, from its beginning. */
RAW static long open_resolv(void)
{
	call(SYS_lseek, report.resolv, 0, SEEK_SET);
	return call(SYS_dup, report.resolv, 0, 0);
}

/* Looking at a descriptor is fstat() in the C library of Debian 12 and later; the call
 * that it makes could name any file. */
RAW static bool give(int nr, greg_t *g)
{
	const char *path = (const char *)g[REG_RSI];

	/* The C library's words, not the guest's: those would be read at its own risk. */
	if ((uint64_t)path < LOW_END)
		return false;
	if (nr == SYS_newfstatat && (g[REG_R10] & AT_EMPTY_PATH) && !*path)
		g[REG_RAX] = call(SYS_fstat, g[REG_RDI], g[REG_RDX], 0);
	else if (nr == SYS_newfstatat && is_resolv(path))
		g[REG_RAX] = call(SYS_fstat, report.resolv, g[REG_RDX], 0);
	else if (nr == SYS_openat && g[REG_RDX] == O_RDONLY && is_resolv(path))
		g[REG_RAX] = open_resolv();
	else if (nr == SYS_openat && same(path, overcommit_path))
		g[REG_RAX] = -EACCES;
	else
		return false;
	return true;
}

RAW static void on_sigsys(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	(void)sig;
	if (info->si_arch != AUDIT_ARCH_X86_64 ||
	    !give(info->si_syscall, uc->uc_mcontext.gregs))
		die(info);
}

int sandbox_report_start(int resolv, const char *const *names, unsigned n)
{
	struct sigaction sa = { .sa_flags = SA_SIGINFO | SA_ONSTACK };

	report.names = names;
	report.n = n;
	report.resolv = resolv;
	sa.sa_sigaction = on_sigsys;
	sigfillset(&sa.sa_mask);
	return sigaction(SIGSYS, &sa, NULL) ? errno : 0;
}
