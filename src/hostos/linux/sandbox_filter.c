/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which system calls the monitor's process may make once the guest runs, and its children.
 *
 * Both are made in the name of a guest kernel that may be hostile, so each row is what a
 * hostile one can do.  Filters see arguments, not the memory that they point to: a call that
 * takes a path, or an address of a socket, is out unless the kind of descriptor bounds it.
 * What remains concerns this process and its children, and descriptors that were given.
 */
#define _GNU_SOURCE
#include "hostos/linux/sandbox_filter.h"

#include "hostos/linux/handoff.h"
#include "layout.h"

#include <asm/prctl.h>
#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/user.h>
#include <unistd.h>

#ifndef PTRACE_SYSEMU
#define PTRACE_SYSEMU 31
#endif
#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#endif
/* handoff_stub.S: the clone that makes a mapper thread. */
#define CLONE_MAPPER (CLONE_VM | CLONE_FS | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | \
		      CLONE_PARENT_SETTID)

/* Who needs a call. */
enum {
	ALWAYS = 0, LISTENS = 1, CABLE = 2, USER_NET = 4, CONNECTS = 8, PTRACE = 16, HANDOFF = 32,
};

/* The whole of an argument; one of which the kernel takes 32 bits; some bits of one. */
#define IS(arg, v) { arg, SCMP_CMP_EQ, v, 0 }
#define INT(arg, v) { arg, SCMP_CMP_MASKED_EQ, 0xffffffff, (uint32_t)(v) }
#define BITS(arg, mask, v) { arg, SCMP_CMP_MASKED_EQ, (uint64_t)(mask), (uint64_t)(v) }
#define BELOW_4G(arg) BITS(arg, 0xffffffff00000000, 0)
#define DEBUG_REGISTER(n) \
	IS(2, offsetof(struct user, u_debugreg) + 8 * (n))

/* A call that is allowed with these arguments; with needs 0 or one of them given. */
struct rule {
	int nr;
	unsigned needs, n;
	struct scmp_arg_cmp arg[4];
};

#define CALL(name) SCMP_SYS(name), ALWAYS
#define ANY(name) { CALL(name), 0, { { 0 } } }

static const struct rule common[] = {
	/* What has been given, through its descriptor. */
	ANY(read), ANY(write), ANY(readv), ANY(writev), ANY(pread64), ANY(pwrite64),
	ANY(preadv), ANY(pwritev), ANY(lseek), ANY(fdatasync), ANY(fstat), ANY(close), ANY(poll),
	/* Neither F_SETOWN nor F_SETSIG, which send signals. */
	{ CALL(fcntl), 1, { INT(1, F_GETFL) } }, { CALL(fcntl), 1, { INT(1, F_SETFL) } },
	{ CALL(fcntl), 1, { INT(1, F_GETFD) } }, { CALL(fcntl), 1, { INT(1, F_SETFD) } },
	/* Not TIOCSTI, which types for the user. */
	{ CALL(ioctl), 1, { INT(1, TCGETS) } }, { CALL(ioctl), 1, { INT(1, TCSETS) } },
	{ CALL(ioctl), 1, { INT(1, TIOCGPGRP) } },

	/* Memory of its own.  Below 4 GiB is the guest's; above, nothing becomes executable
	 * and nothing is put in the place of something else. */
	ANY(munmap), ANY(brk),
	{ CALL(mmap), 2, { BITS(2, PROT_EXEC, 0),
			   BITS(3, ~(MAP_NORESERVE | MAP_STACK), MAP_PRIVATE | MAP_ANONYMOUS) } },
	{ CALL(mprotect), 1, { BITS(2, PROT_EXEC, 0) } },
	{ CALL(mprotect), 2, { BELOW_4G(0), BELOW_4G(1) } },
	{ CALL(mremap), 1, { BITS(3, ~MREMAP_MAYMOVE, 0) } },
	{ CALL(madvise), 1, { INT(2, MADV_DONTNEED) } }, { CALL(madvise), 1, { INT(2, MADV_FREE) } },

	/* Its threads; none is made any more. */
	ANY(futex), ANY(set_robust_list), ANY(rseq), ANY(sched_yield), ANY(exit), ANY(exit_group),
	ANY(restart_syscall), ANY(rt_sigprocmask), ANY(rt_sigreturn), ANY(rt_sigsuspend),
	ANY(rt_sigtimedwait), ANY(sigaltstack),
	{ CALL(rt_sigaction), 1, { { 0, SCMP_CMP_NE, SIGSYS, 0 } } },
	{ CALL(modify_ldt), 1, { INT(0, 0x11) } },
	{ CALL(arch_prctl), 1, { INT(0, ARCH_SET_FS) } },
	{ CALL(prctl), 1, { INT(0, PR_SET_TSC) } },

	/* Time, and what is no secret. */
	ANY(clock_gettime), ANY(gettimeofday), ANY(clock_nanosleep), ANY(nanosleep),
	ANY(timer_settime), ANY(timer_delete), ANY(getrusage), ANY(getpid), ANY(gettid),
	ANY(getpgrp), ANY(getrandom), ANY(sysinfo), ANY(sched_getaffinity),

	/* Children: the kick, their end.  Signals to others are landlock's to stop; never to
	 * a group of processes. */
	ANY(wait4),
	{ CALL(tgkill), 1, { INT(2, SIGUSR1) } }, { CALL(tgkill), 1, { INT(2, SIGKILL) } },

	/* Connections that come in, and cables: to nobody but who is at the other end. */
	{ SCMP_SYS(accept4), LISTENS, 0, { { 0 } } },
	{ SCMP_SYS(setsockopt), LISTENS, 2, { INT(1, IPPROTO_TCP), INT(2, TCP_NODELAY) } },
	{ SCMP_SYS(sendto), CABLE, 1, { IS(4, 0) } },
	{ SCMP_SYS(recvfrom), CABLE, 0, { { 0 } } },
};

/* libslirp: IPv4 in the name of the guest, TCP, UDP and echo requests. */
static const struct rule user_net[] = {
#define NET(name) { SCMP_SYS(name), USER_NET, 0, { { 0 } } }
	NET(accept), NET(shutdown), NET(getsockname), NET(getpeername), NET(getsockopt),
	NET(sendto), NET(recvfrom), NET(recvmsg), NET(dup),
	{ SCMP_SYS(ioctl), USER_NET, 1, { INT(1, FIONREAD) } },
	{ SCMP_SYS(ioctl), USER_NET, 1, { INT(1, FIONBIO) } },
	{ SCMP_SYS(setsockopt), USER_NET, 2, { INT(1, SOL_SOCKET), INT(2, SO_REUSEADDR) } },
	{ SCMP_SYS(setsockopt), USER_NET, 2, { INT(1, SOL_SOCKET), INT(2, SO_OOBINLINE) } },
	{ SCMP_SYS(setsockopt), USER_NET, 2, { INT(1, IPPROTO_TCP), INT(2, TCP_NODELAY) } },
	{ SCMP_SYS(setsockopt), USER_NET, 2, { INT(1, IPPROTO_IP), INT(2, IP_TTL) } },
	{ SCMP_SYS(setsockopt), USER_NET, 2, { INT(1, IPPROTO_IP), INT(2, IP_TOS) } },
	{ SCMP_SYS(setsockopt), USER_NET, 2, { INT(1, IPPROTO_IP), INT(2, IP_RECVERR) } },
#define SOCKET(type, protocol) \
	{ SCMP_SYS(socket), CONNECTS, 3, { INT(0, AF_INET), \
	  BITS(1, 0xffffffff & ~(SOCK_CLOEXEC | SOCK_NONBLOCK), type), INT(2, protocol) } }
	SOCKET(SOCK_STREAM, 0), SOCKET(SOCK_STREAM, IPPROTO_TCP),
	SOCKET(SOCK_DGRAM, 0), SOCKET(SOCK_DGRAM, IPPROTO_UDP), SOCKET(SOCK_DGRAM, IPPROTO_ICMP),
	{ SCMP_SYS(connect), CONNECTS, 0, { { 0 } } },
	{ SCMP_SYS(bind), CONNECTS, 0, { { 0 } } },
	{ SCMP_SYS(listen), CONNECTS, 0, { { 0 } } },
};

/* The monitor as tracer: of its children only, because nothing here begins to trace but
 * PTRACE_SEIZE, with which nothing but debug registers can be reached. */
static const struct rule tracing[] = {
#define REQUEST(who, r) { SCMP_SYS(ptrace), who, 1, { IS(0, r) } }
	REQUEST(PTRACE, PTRACE_CONT), REQUEST(PTRACE, PTRACE_SYSEMU),
	REQUEST(PTRACE, PTRACE_GETREGS), REQUEST(PTRACE, PTRACE_SETREGS),
	REQUEST(PTRACE, PTRACE_GETFPREGS), REQUEST(PTRACE, PTRACE_SETFPREGS),
	REQUEST(PTRACE, PTRACE_GETSIGINFO), REQUEST(PTRACE, PTRACE_GETEVENTMSG),
	{ SCMP_SYS(ptrace), HANDOFF, 2, { IS(0, PTRACE_SEIZE), IS(3, 0) } },
	REQUEST(HANDOFF, PTRACE_INTERRUPT), REQUEST(HANDOFF, PTRACE_DETACH),
	{ SCMP_SYS(sched_setaffinity), HANDOFF, 0, { { 0 } } },
#define DEBUG(r, n) { SCMP_SYS(ptrace), ALWAYS, 2, { IS(0, r), DEBUG_REGISTER(n) } }
	DEBUG(PTRACE_PEEKUSER, 6),
	DEBUG(PTRACE_POKEUSER, 0), DEBUG(PTRACE_POKEUSER, 1), DEBUG(PTRACE_POKEUSER, 2),
	DEBUG(PTRACE_POKEUSER, 3), DEBUG(PTRACE_POKEUSER, 6), DEBUG(PTRACE_POKEUSER, 7),
};

/* The stubs of both engines carry out what the monitor writes: mappings of guest RAM. */
static const struct rule child[] = {
	ANY(munmap), ANY(mprotect),
	{ CALL(mmap), 2, { BITS(3, ~MAP_POPULATE, MAP_SHARED | MAP_FIXED), INT(4, CHILD_RAM_FD) } },
	{ CALL(modify_ldt), 1, { INT(0, 0x11) } },
	{ CALL(prctl), 1, { INT(0, PR_SET_TSC) } },
	{ CALL(clone), 1, { IS(0, CLONE_PARENT | SIGCHLD) } },
	ANY(exit_group),
	/* ptrace: the template's way to its first stop. */
	{ SCMP_SYS(rseq), PTRACE, 0, { { 0 } } },
	{ SCMP_SYS(rt_sigprocmask), PTRACE, 0, { { 0 } } },
	{ SCMP_SYS(getpid), PTRACE, 0, { { 0 } } },
	{ SCMP_SYS(gettid), PTRACE, 0, { { 0 } } },
	/* handoff: a child's birth, and waiting. */
	{ SCMP_SYS(mmap), HANDOFF, 2, { BITS(3, ~MAP_POPULATE, MAP_SHARED | MAP_FIXED),
					INT(4, HO_SLOTS_FD) } },
	{ SCMP_SYS(clone), HANDOFF, 1, { IS(0, CLONE_MAPPER) } },
	{ SCMP_SYS(futex), HANDOFF, 1, { INT(1, FUTEX_WAIT) } },
	{ SCMP_SYS(futex), HANDOFF, 1, { INT(1, FUTEX_WAKE) } },
	{ SCMP_SYS(write), HANDOFF, 1, { INT(0, HO_ACK_FD) } },
	{ SCMP_SYS(getppid), HANDOFF, 0, { { 0 } } },
	{ SCMP_SYS(close_range), HANDOFF, 0, { { 0 } } },
	{ SCMP_SYS(sigaltstack), HANDOFF, 0, { { 0 } } },
	{ SCMP_SYS(rt_sigprocmask), HANDOFF, 0, { { 0 } } },
	{ SCMP_SYS(prctl), HANDOFF, 1, { INT(0, PR_SET_PDEATHSIG) } },
	{ SCMP_SYS(prctl), HANDOFF, 1, { INT(0, PR_SET_SYSCALL_USER_DISPATCH) } },
	{ SCMP_SYS(seccomp), HANDOFF, 2, { INT(0, SECCOMP_SET_MODE_FILTER),
					   IS(1, SECCOMP_FILTER_FLAG_SPEC_ALLOW) } },
};

/* ---- building ---- */

static int add(scmp_filter_ctx ctx, const struct rule *r, size_t n, unsigned given)
{
	int err = 0;

	for (; n-- && !err; r++)
		if (!r->needs || (r->needs & given))
			err = -seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, r->nr, r->n, r->arg);
	return err;
}
#define ADD(ctx, rules, given) add(ctx, rules, sizeof(rules) / sizeof *(rules), given)

/* Of this process: those that are known only now. */
static int add_own(scmp_filter_ctx ctx, int ram)
{
	const pid_t pid = getpid();
	const struct rule own[] = {
		{ CALL(mmap), 4, { BELOW_4G(0), BELOW_4G(1), INT(4, ram),
				   BITS(3, ~MAP_POPULATE, MAP_SHARED | MAP_FIXED) } },
		{ CALL(tgkill), 1, { INT(0, pid) } },
		{ CALL(kill), 2, { INT(0, pid), INT(1, SIGSTOP) } },
	};

	return ADD(ctx, own, 0);
}

/* Settings that every filter has; the binary tree keeps frequent calls quick. */
static scmp_filter_ctx new_filter(uint32_t otherwise)
{
	scmp_filter_ctx ctx = seccomp_init(otherwise);

	if (!ctx)
		return NULL;
	seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, otherwise);
	seccomp_attr_set(ctx, SCMP_FLTATR_CTL_SSB, 1);
	seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	return ctx;
}

static unsigned given(const struct host_sandbox *s)
{
	return (s->listens ? LISTENS : 0) | (s->cable ? CABLE : 0) |
	       (s->user_net ? USER_NET : 0) | (s->connects ? CONNECTS : 0) |
	       (!strcmp(s->engine, "ptrace") ? PTRACE : HANDOFF);
}

/* libslirp asks for one when the host has no echo sockets for users, and can do without. */
static const struct scmp_arg_cmp raw_socket[] = {
	INT(0, AF_INET), BITS(1, 0xffffffff & ~(SOCK_CLOEXEC | SOCK_NONBLOCK), SOCK_RAW),
};

static int build(scmp_filter_ctx ctx, const struct host_sandbox *s)
{
	const unsigned what = given(s);
	int err;

	if ((err = ADD(ctx, common, what)) || (err = ADD(ctx, user_net, what)) ||
	    (err = ADD(ctx, tracing, what)) || (err = add_own(ctx, s->ram)))
		return err;
	if (!s->connects)
		return 0;
	return -seccomp_rule_add_array(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socket), 2, raw_socket);
}

/* Names for the report; they last as long as the process. */
#define NAMES 512
static int start_report(int resolv)
{
	const char **names = calloc(NAMES, sizeof *names);
	int i;

	if (!names)
		return ENOMEM;
	for (i = 0; i < NAMES; i++)
		names[i] = seccomp_syscall_resolve_num_arch(SCMP_ARCH_X86_64, i);
	return sandbox_report_start(resolv, names, NAMES);
}

int sandbox_filter_load(const struct host_sandbox *s, int resolv, struct error *e)
{
	scmp_filter_ctx ctx = new_filter(SCMP_ACT_TRAP);
	int err = ctx ? build(ctx, s) : ENOMEM;

	if (!err)
		err = -seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1);
	if (!err)
		err = start_report(resolv);
	if (!err)
		err = -seccomp_load(ctx);
	seccomp_release(ctx);
	if (err)
		return fail(e, ST_HOST, "sandbox: seccomp: %s; use a kernel with "
			    "CONFIG_SECCOMP_FILTER, or --sandbox off", strerror(err));
	return 0;
}

static int load_child(uint32_t otherwise, unsigned what)
{
	scmp_filter_ctx ctx = new_filter(otherwise);
	const struct rule stop = { CALL(tgkill), 2, { INT(0, getpid()), INT(2, SIGSTOP) } };
	int err = ctx ? ADD(ctx, child, what) : ENOMEM;

	if (!err && what == PTRACE)
		err = add(ctx, &stop, 1, what);
	if (!err)
		err = -seccomp_load(ctx);
	seccomp_release(ctx);
	return err;
}

int sandbox_child_traced(void)
{
	return load_child(SCMP_ACT_KILL_PROCESS, PTRACE);
}

/* User code that gets at the stub's system calls is to get a signal, as from the guest
 * thread's own filter. */
int sandbox_child_handoff(void)
{
	return load_child(SCMP_ACT_TRAP, HANDOFF);
}
