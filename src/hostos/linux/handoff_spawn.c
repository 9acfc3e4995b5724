/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Processes of the `handoff` engine.  A template is forked once and stripped of
 * everything but the stub and its shared pages; children are clones of it that the
 * template makes on demand (CLONE_PARENT: they are the monitor's children).  No
 * process is traced.
 */
#define _GNU_SOURCE
#include "hostos/linux/handoff_engine.h"

#include "hostos/linux/child.h"
#include "hostos/linux/sandbox_filter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/rseq.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#define PR_SYS_DISPATCH_ON 1
#endif
/* The end of user addresses with 4-level paging. */
#define USER_END 0x7ffffffff000
/* Instructions that the filter may have. */
#define FILTER_MAX 80
/* Where it lies in a child: at the end of the list of operations. */
#define FILTER_AT (HO_CONTROL_SIZE - FILTER_MAX * 8)

static const int guest_signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS, SIGUSR1 };

/* ---- the template ---- */

/* Runs in the forked child: signals.  What is not ours (Ctrl-C in the terminal, which
 * goes to the whole process group) is ignored. */
static void template_signals(void)
{
	struct sigaction sa = { .sa_handler = SIG_IGN };
	sigset_t none;
	size_t i;
	int sig;

	for (sig = 1; sig < NSIG; sig++)
		sigaction(sig, &sa, NULL);
	sa.sa_sigaction = (void (*)(int, siginfo_t *, void *))HO_AT(ho_handler);
	sa.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
	for (i = 0; i < sizeof guest_signals / sizeof *guest_signals; i++)
		sigaction(guest_signals[i], &sa, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static bool template_files(const struct ho_engine *eng)
{
	/* Out of the way of each other first. */
	int ram = fcntl(eng->ram->handle, F_DUPFD, 16);
	int slots = fcntl(eng->slots_fd, F_DUPFD, 16);
	int ack = fcntl(eng->ack_fd, F_DUPFD, 16);

	if (ram < 0 || slots < 0 || ack < 0 || dup2(ram, CHILD_RAM_FD) < 0 ||
	    dup2(slots, HO_SLOTS_FD) < 0 || dup2(ack, HO_ACK_FD) < 0)
		return false;
	close(0);
	close(1);
	close(2);
	return !syscall(SYS_close_range, HO_ACK_FD + 1, ~0u, 0);
}

static bool map_at(uint64_t at, size_t size, int prot, uint64_t offset)
{
	return mmap((void *)at, size, prot, MAP_SHARED | MAP_FIXED, HO_SLOTS_FD, offset) !=
	       MAP_FAILED;
}

static bool template_memory(void)
{
	void *stub = mmap((void *)HO_STUB, PAGE_SIZE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	if (stub == MAP_FAILED)
		return false;
	memcpy(stub, ho_stub_start, ho_stub_end - ho_stub_start);
	return !mprotect(stub, PAGE_SIZE, PROT_READ | PROT_EXEC) &&
	       map_at(HO_CONTROL, HO_CONTROL_SIZE, PROT_READ, 0) &&
	       map_at(HO_REPORT, PAGE_SIZE, PROT_READ | PROT_WRITE, HO_SLOT_REPORT);
}

static __attribute__((noreturn)) void template_main(const struct ho_engine *eng)
{
	const struct rlimit none = { 0, 0 };
	stack_t off = { .ss_flags = SS_DISABLE };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setrlimit(RLIMIT_CORE, &none);
	sigaltstack(&off, NULL);
	template_signals();
	if (!template_files(eng) || !template_memory() || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		_exit(1);
	syscall(SYS_set_robust_list, NULL, sizeof(struct { void *p[3]; }));
	syscall(SYS_set_tid_address, NULL);
	/* Before its memory goes. */
	if (__rseq_size)
		syscall(SYS_rseq, (uintptr_t)__builtin_thread_pointer() + __rseq_offset, 32,
			RSEQ_FLAG_UNREGISTER, RSEQ_SIG);
	if (sandbox_child_handoff())
		_exit(1);
	((void (*)(void))HO_AT(ho_template))();
	__builtin_unreachable();
}

int ho_template_start(struct ho_engine *eng, struct error *e)
{
	struct ho_space *t = ho_space_new(eng);

	if (!t)
		return fail(e, ST_HOST, "user-mode engine: out of memory");
	eng->template = t;
	ho_put_op(t, SYS_munmap, 0, HO_STUB, 0, 0, 0, 0);
	ho_put_op(t, SYS_munmap, HO_END, USER_END - HO_END, 0, 0, 0, 0);
	t->control->go = t->go = 1;
	t->control->asleep = 1;
	t->pid = fork();
	if (t->pid < 0) {
		t->reaped = true;
		return fail(e, ST_HOST,
			    "user-mode engine: fork: %s; raise the limit of processes (ulimit -u)",
			    strerror(errno));
	}
	if (!t->pid)
		template_main(eng);
	if (!ho_wait(t))
		return fail(e, ST_HOST, "user-mode engine: the first child died (%s); "
			    "see `lilyvm host`",
			    t->report->result ? strerror(-t->report->result) : "no error known");
	t->queued = 0;
	return 0;
}

/* ---- children ---- */

static void put_filter(struct ho_space *us)
{
	struct ho_control *c = us->control;

	c->program.len = ho_filter((uint8_t *)c + FILTER_AT, FILTER_MAX);
	c->program.filter = HO_CONTROL + FILTER_AT;
}

/* What a new child does before it waits for guest user code: first as a copy of the
 * template, then (behind the first end) as a guest thread that has a mapper.  Syscall
 * User Dispatch comes before the filter, which would not let it. */
static void put_birth(struct ho_space *us)
{
	const uint64_t at = (uint64_t)us->slot * HO_SLOT_SIZE, control = HO_CONTROL;

	ho_put_op(us, SYS_mmap, HO_CONTROL, HO_CONTROL_SIZE, PROT_READ, MAP_SHARED | MAP_FIXED,
		  HO_SLOTS_FD, at);
	ho_put_op(us, SYS_mmap, HO_REPORT, PAGE_SIZE, PROT_READ | PROT_WRITE,
		  MAP_SHARED | MAP_FIXED | MAP_POPULATE, HO_SLOTS_FD, at + HO_SLOT_REPORT);
	ho_put_op(us, SYS_mmap, HO_STACK, HO_STACK_SIZE, PROT_READ | PROT_WRITE,
		  MAP_SHARED | MAP_FIXED, HO_SLOTS_FD, at + HO_SLOT_STACK);
	ho_put_op(us, SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0, 0);
	ho_put_op(us, SYS_rt_sigprocmask, SIG_SETMASK,
		  control + offsetof(struct ho_control, all_signals), 0, 8, 0, 0);
	us->queued++;		/* the end that ho_put_op() has put there */
	/* All but guest RAM, see ho_control.adds. */
	ho_put_op(us, SYS_close_range, 0, CHILD_RAM_FD - 1, 0, 0, 0, 0);
	ho_put_op(us, SYS_close_range, CHILD_RAM_FD + 1, ~0u, 0, 0, 0, 0);
	ho_put_op(us, SYS_sigaltstack, control + offsetof(struct ho_control, altstack),
		  0, 0, 0, 0, 0);
	ho_put_op(us, SYS_rt_sigprocmask, SIG_SETMASK,
		  control + offsetof(struct ho_control, no_signals), 0, 8, 0, 0);
	ho_put_op(us, SYS_prctl, PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, HO_STUB,
		  PAGE_SIZE, 0, 0);
	ho_put_op(us, SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW,
		  control + offsetof(struct ho_control, program), 0, 0, 0);
}

static void put_control(struct ho_space *us)
{
	struct ho_control *c = us->control;

	c->go = us->go = 1;
	c->asleep = 1;
	c->ack = 1;
	c->nak = 1ull << 32;
	c->parent = getpid();
	c->all_signals = ~0ull;
	c->altstack[0] = HO_STACK;
	c->altstack[2] = HO_STACK_SIZE;
	put_filter(us);
	put_birth(us);
}

struct uspace *ho_create_space(struct engine *base)
{
	struct ho_engine *eng = (struct ho_engine *)base;
	struct ho_space *us = ho_space_new(eng), *t = eng->template;

	if (!us)
		return NULL;
	us->reaped = true;		/* as long as there is no process */
	put_control(us);
	memcpy(t->ops, us->ops, (us->queued + 1) * sizeof *us->ops);
	if (t->dead)
		goto no;
	t->control->asleep = 1;
	ho_go(t, 0);
	if (!ho_wait(t) || t->report->result <= 0) {
		eng->birth_error = -t->report->result;
		goto no;
	}
	us->pid = t->report->result;
	us->reaped = false;
	us->queued = 0;
	if (!ho_wait(us)) {
		eng->birth_error = -us->report->result;
		goto no;
	}
	base->stats.created++;
	return &us->base;
no:
	if (!us->reaped) {
		child_kill(us->pid);
		while (!ho_gone(us))
			usleep(100);
	}
	ho_space_free(us);
	return NULL;
}

void ho_destroy_space(struct uspace *base)
{
	struct ho_space *us = (struct ho_space *)base;
	struct ho_engine *eng = (struct ho_engine *)base->eng;

	if (eng->current == us)
		eng->current = NULL;
	if (!us->reaped) {
		child_kill(us->pid);
		while (waitpid(us->pid, NULL, __WALL) < 0 && errno == EINTR)
			;
	}
	eng->base.stats.destroyed++;
	ho_space_free(us);
}
