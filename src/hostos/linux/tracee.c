/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The `ptrace` user-mode engine (contract: hostos/engine.h).
 *
 * A template child is forked once and stripped of everything but the stub and
 * the control pages; user spaces are clones of it.  Guest user code runs under
 * PTRACE_SYSEMU, so none of its system calls reaches the host.  Only the stub
 * runs without it, with a list of calls that the monitor wrote and user code
 * cannot change.
 */
#define _GNU_SOURCE
#include "hostos/engine.h"

#include "hostos/linux/child.h"
#include "hostos/linux/engines.h"
#include "hostos/linux/ldt.h"
#include "hostos/linux/memfd.h"
#include "hostos/linux/sandbox_filter.h"
#include "hostos/linux/stub.h"

#include <asm/prctl.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/rseq.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define SIG_KICK SIGUSR1
/* The end of user addresses with 4-level paging. */
#define USER_END 0x7ffffffff000

struct pt_engine {
	struct engine base;
	struct host_cpu *hc;
	const struct host_ram *ram;
	int control_fd;
	struct stub_op *control;	/* the monitor's writable view */
	pid_t template;
	struct pt_space *batch_owner;	/* whose operations are queued in control */
	unsigned queued;
};

struct pt_space {
	struct uspace base;
	pid_t pid;
	bool dead;			/* gone, or its mappings are not what they should be */
	int refused;			/* why, see struct user_event */
	bool fresh;			/* registers of the host's view are unknown */
	bool tsc_traps;			/* as host_cpu's has been carried out */
	struct user_regs_struct regs;	/* as the child has them */
};

static void batch_run(struct pt_engine *eng);

static struct pt_engine *engine_of(const struct pt_space *us)
{
	return (struct pt_engine *)us->base.eng;
}

static struct pt_space *space_of(struct uspace *us)
{
	return (struct pt_space *)us;
}

/* Waits for a stop of pid; false when it is gone. */
static bool wait_stop(pid_t pid, int *status)
{
	pid_t r;

	do
		r = waitpid(pid, status, __WALL);
	while (r < 0 && errno == EINTR);
	return r == pid && WIFSTOPPED(*status);
}

/* Runs the stub over the list in the control pages. The child's registers are
 * lost. Returns 0, a positive errno, or -1 if the child is gone. */
static int stub_run(pid_t pid, const struct user_regs_struct *like, pid_t *forked)
{
	struct user_regs_struct r = *like;
	unsigned long message;
	int status;

	r.rip = CHILD_STUB;
	r.rbx = CHILD_CONTROL;
	r.rsp = 0;
	r.cs = HOST_CS64;
	r.ss = HOST_DS32;
	r.eflags = FL_FIXED | FL_IF;
	r.orig_rax = -1;
	if (ptrace(PTRACE_SETREGS, pid, 0, &r))
		return -1;
	for (;;) {
		if (ptrace(PTRACE_CONT, pid, 0, 0) || !wait_stop(pid, &status))
			return -1;
		if (WSTOPSIG(status) == SIG_KICK)
			continue;	/* a kick that came late */
		if (WSTOPSIG(status) != SIGTRAP)
			break;
		if (status >> 16 == 0)
			return 0;
		if (forked && !ptrace(PTRACE_GETEVENTMSG, pid, 0, &message))
			*forked = message;
	}
	if (WSTOPSIG(status) != SIGILL || ptrace(PTRACE_GETREGS, pid, 0, &r))
		return -1;
	return -(int)r.rax;
}

static void put_op(struct pt_engine *eng, long nr, uint64_t a0, uint64_t a1, uint64_t a2,
		   uint64_t a3, uint64_t a4, uint64_t a5)
{
	eng->control[eng->queued++] = (struct stub_op){ .nr = nr,
							.arg = { a0, a1, a2, a3, a4, a5 } };
	eng->control[eng->queued].nr = STUB_END;
	eng->base.stats.ops++;
}

static void queue(struct pt_space *us, long nr, uint64_t a0, uint64_t a1, uint64_t a2,
		  uint64_t a3, uint64_t a4, uint64_t a5)
{
	struct pt_engine *eng = engine_of(us);

	if (eng->queued && (eng->batch_owner != us || eng->queued == STUB_MAX_OPS))
		batch_run(eng);
	eng->batch_owner = us;
	put_op(eng, nr, a0, a1, a2, a3, a4, a5);
}

static void batch_run(struct pt_engine *eng)
{
	struct pt_space *us = eng->batch_owner;
	uint64_t start;
	int rc;

	if (!eng->queued)
		return;
	eng->base.stats.batches++;
	start = __builtin_ia32_rdtsc();
	rc = us->dead ? 0 : stub_run(us->pid, &us->regs, NULL);
	eng->base.stats.batch_ticks += __builtin_ia32_rdtsc() - start;
	if (rc) {
		us->dead = true;
		us->refused = rc > 0 ? rc : 0;
	}
	us->fresh = true;
	eng->queued = 0;
}

/* ---- the template ---- */

/* Runs in the forked child: maps stub and control, drops what can be dropped
 * from C, and hands itself to the tracer. */
static __attribute__((noreturn)) void template_main(struct pt_engine *eng)
{
	struct sigaction dfl = { .sa_handler = SIG_DFL };
	stack_t off = { .ss_flags = SS_DISABLE };
	sigset_t none;
	int sig;
	void *stub;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (sig = 1; sig < NSIG; sig++)
		sigaction(sig, &dfl, NULL);
	sigaltstack(&off, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	stub = mmap((void *)CHILD_STUB, PAGE_SIZE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	if (stub == MAP_FAILED)
		_exit(1);
	memcpy(stub, stub_start, stub_end - stub_start);
	if (mprotect(stub, PAGE_SIZE, PROT_READ | PROT_EXEC) ||
	    mmap((void *)CHILD_CONTROL, CHILD_CONTROL_SIZE, PROT_READ, MAP_SHARED | MAP_FIXED,
		 eng->control_fd, 0) == MAP_FAILED)
		_exit(1);
	if (eng->ram->handle != CHILD_RAM_FD && dup2(eng->ram->handle, CHILD_RAM_FD) < 0)
		_exit(1);
	for (sig = 0; sig < CHILD_RAM_FD; sig++)
		close(sig);
	syscall(SYS_close_range, CHILD_RAM_FD + 1, ~0u, 0);
	syscall(SYS_set_robust_list, NULL, sizeof(struct { void *p[3]; }));
	syscall(SYS_arch_prctl, ARCH_SET_CPUID, 0);
	ptrace(PTRACE_TRACEME, 0, 0, 0);
	/* A host without filters has the monitor's refused, if they are wanted. */
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	sandbox_child_traced();
	raise(SIGSTOP);
	_exit(1);
}

static int template_strip(struct pt_engine *eng)
{
	struct user_regs_struct r;

	if (ptrace(PTRACE_GETREGS, eng->template, 0, &r))
		return -1;
	r.fs = r.gs = 0;
	r.fs_base = r.gs_base = 0;
	r.ds = r.es = HOST_DS32;
	/* rseq must be unregistered before its memory goes. */
	if (__rseq_size) {
		put_op(eng, SYS_rseq, (uintptr_t)__builtin_thread_pointer() + __rseq_offset, 32,
		       RSEQ_FLAG_UNREGISTER, RSEQ_SIG, 0, 0);
		if (stub_run(eng->template, &r, NULL) < 0)
			return -1;
		eng->queued = 0;
	}
	put_op(eng, SYS_munmap, 0, CHILD_STUB, 0, 0, 0, 0);
	put_op(eng, SYS_munmap, CHILD_END, USER_END - CHILD_END, 0, 0, 0, 0);
	if (stub_run(eng->template, &r, NULL))
		return -1;
	eng->queued = 0;
	return 0;
}

static int template_start(struct pt_engine *eng, struct error *e)
{
	int status;

	eng->template = fork();
	if (eng->template < 0)
		return fail(e, ST_HOST,
			    "user-mode engine: fork: %s; raise the limit of processes (ulimit -u)",
			    strerror(errno));
	if (!eng->template)
		template_main(eng);
	if (!wait_stop(eng->template, &status))
		return fail(e, ST_HOST,
			    "user-mode engine: the first child died; see `lilyvm host`");
	if (ptrace(PTRACE_SETOPTIONS, eng->template, 0,
		   PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK |
		   PTRACE_O_TRACECLONE))
		return fail(e, ST_HOST, "user-mode engine: ptrace: %s; see `lilyvm host`",
			    strerror(errno));
	if (template_strip(eng))
		return fail(e, ST_HOST, "user-mode engine: stripping the first child failed: %s",
			    strerror(errno));
	return 0;
}

static void pt_destroy(struct engine *base)
{
	struct pt_engine *eng = (struct pt_engine *)base;
	int status;

	if (eng->template > 0) {
		child_kill(eng->template);
		while (waitpid(eng->template, &status, __WALL) < 0 && errno == EINTR)
			;
	}
	if (eng->control && eng->control != MAP_FAILED)
		munmap(eng->control, CHILD_CONTROL_SIZE);
	if (eng->control_fd >= 0)
		close(eng->control_fd);
	free(eng);
}

/* ---- user spaces ---- */

static struct uspace *pt_create_space(struct engine *base)
{
	struct pt_engine *eng = (struct pt_engine *)base;
	struct pt_space *us = calloc(1, sizeof *us);
	struct user_regs_struct r;
	pid_t pid = 0;
	int status, rc;

	if (!us)
		return NULL;
	batch_run(eng);
	if (ptrace(PTRACE_GETREGS, eng->template, 0, &r))
		goto no;
	put_op(eng, SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0, 0);
	rc = stub_run(eng->template, &r, &pid);
	eng->queued = 0;
	if (rc || !pid || !wait_stop(pid, &status))
		goto no;
	us->base.eng = base;
	us->pid = pid;
	us->regs = r;
	us->fresh = true;
	eng->base.stats.created++;
	return &us->base;
no:
	free(us);
	return NULL;
}

static void pt_destroy_space(struct uspace *base)
{
	struct pt_space *us = space_of(base);
	int status;

	if (engine_of(us)->batch_owner == us) {
		engine_of(us)->queued = 0;
		engine_of(us)->batch_owner = NULL;
	}
	child_kill(us->pid);
	while (waitpid(us->pid, &status, __WALL) == us->pid
	       ? !WIFEXITED(status) && !WIFSIGNALED(status)
							    : errno == EINTR)
		;
	engine_of(us)->base.stats.destroyed++;
	free(us);
}

static uint64_t protection(unsigned rights)
{
	return (rights & HP_R ? PROT_READ : 0) | (rights & HP_W ? PROT_WRITE : 0) |
	       (rights & HP_X ? PROT_EXEC : 0);
}

static void pt_map(struct uspace *us, uint32_t va, uint64_t off, uint32_t len, unsigned rights,
		   bool adds)
{
	(void)adds;
	queue(space_of(us), SYS_mmap, va, len, protection(rights),
	      MAP_SHARED | MAP_FIXED | MAP_POPULATE, CHILD_RAM_FD, off);
}

static void pt_unmap(struct uspace *us, uint32_t va, uint64_t len)
{
	queue(space_of(us), SYS_munmap, va, len, 0, 0, 0, 0);
}

static void pt_protect(struct uspace *us, uint32_t va, uint32_t len, unsigned rights)
{
	queue(space_of(us), SYS_mprotect, va, len, protection(rights), 0, 0, 0);
}

/* modify_ldt reads its argument from memory: the struct travels in the unused
 * arguments of the operation itself. */
static void pt_ldt_set(struct uspace *base, unsigned slot, const struct segment *s)
{
	struct pt_space *us = space_of(base);
	struct pt_engine *eng = engine_of(us);
	struct user_desc d = user_desc_of(slot, s);
	struct stub_op *op;

	queue(us, SYS_modify_ldt, 0x11, 0, sizeof d, 0, 0, 0);
	op = &eng->control[eng->queued - 1];
	op->arg[1] = CHILD_CONTROL + (uintptr_t)&op->arg[4] - (uintptr_t)eng->control;
	memcpy(&op->arg[4], &d, sizeof d);
}

/* ---- running ---- */

static void to_host(struct user_regs_struct *h, const struct user_regs *r)
{
	h->rax = r->gpr[R_EAX];
	h->rcx = r->gpr[R_ECX];
	h->rdx = r->gpr[R_EDX];
	h->rbx = r->gpr[R_EBX];
	h->rsp = r->gpr[R_ESP];
	h->rbp = r->gpr[R_EBP];
	h->rsi = r->gpr[R_ESI];
	h->rdi = r->gpr[R_EDI];
	h->rip = r->eip;
	h->eflags = r->eflags;
	h->orig_rax = -1;
	h->es = r->sel[S_ES];
	h->cs = r->sel[S_CS];
	h->ss = r->sel[S_SS];
	h->ds = r->sel[S_DS];
	h->fs = r->sel[S_FS];
	h->gs = r->sel[S_GS];
	h->fs_base = r->fsbase;
	h->gs_base = r->gsbase;
}

static void from_host(struct user_regs *r, const struct user_regs_struct *h)
{
	r->gpr[R_EAX] = h->rax;
	r->gpr[R_ECX] = h->rcx;
	r->gpr[R_EDX] = h->rdx;
	r->gpr[R_EBX] = h->rbx;
	r->gpr[R_ESP] = h->rsp;
	r->gpr[R_EBP] = h->rbp;
	r->gpr[R_ESI] = h->rsi;
	r->gpr[R_EDI] = h->rdi;
	r->eip = h->rip;
	r->eflags = h->eflags;
	r->sel[S_ES] = h->es;
	r->sel[S_CS] = h->cs;
	r->sel[S_SS] = h->ss;
	r->sel[S_DS] = h->ds;
	r->sel[S_FS] = h->fs;
	r->sel[S_GS] = h->gs;
	r->fsbase = h->fs_base;
	r->gsbase = h->gs_base;
}

/* A system-call stop: the host moves the number to orig_rax. */
static void syscall_event(struct pt_space *us, struct user_regs *r, struct user_event *ev)
{
	r->gpr[R_EAX] = us->regs.orig_rax;
	if (us->regs.cs == HOST_CS64) {
		ev->kind = UE_SYSCALL64;
	} else if (us->regs.rip >= LOW_END) {
		/* The host shows the landing pad of its vdso, and the user's
		 * ebp (which by convention is its esp) as esp. */
		ev->kind = UE_SYSENTER;
		r->gpr[R_EBP] = us->regs.rsp;
	} else {
		ev->kind = UE_INT80;
	}
}

static void sigtrap_event(const siginfo_t *si, struct user_event *ev)
{
	ev->vector = si->si_code == SI_KERNEL ? VEC_BP : VEC_DB;
}

static void sigsegv_event(const struct pt_space *us, const siginfo_t *si, struct user_event *ev)
{
	if (si->si_code == SEGV_MAPERR || si->si_code == SEGV_ACCERR) {
		ev->vector = VEC_PF;
		ev->error = PF_U | (si->si_code == SEGV_ACCERR ? PF_P : 0);
		ev->cr2 = (uint32_t)(uintptr_t)si->si_addr;
	} else {
		/* A fault saves RF set; the only trap that gets here is #OF. */
		ev->vector = us->regs.eflags & FL_RF ? VEC_GP : VEC_OF;
	}
}

static void signal_event(struct pt_space *us, int sig, struct user_event *ev)
{
	siginfo_t si;

	ev->kind = UE_TRAP;
	memset(&si, 0, sizeof si);
	ptrace(PTRACE_GETSIGINFO, us->pid, 0, &si);
	switch (sig) {
	case SIG_KICK:
		ev->kind = UE_KICK;
		break;
	case SIGSEGV:
		sigsegv_event(us, &si, ev);
		break;
	case SIGTRAP:
		sigtrap_event(&si, ev);
		break;
	case SIGILL:
		ev->vector = VEC_UD;
		break;
	case SIGFPE:
		ev->vector = si.si_code == FPE_INTDIV ? VEC_DE : VEC_MF;
		break;
	case SIGBUS:
		/* BUS_ADRALN is #AC; a non-canonical or stack fault of 32-bit
		 * code is reported as a general fault too. */
		ev->vector = si.si_code == BUS_ADRALN ? VEC_AC : VEC_GP;
		break;
	default:
		ev->kind = UE_KICK;
	}
}

static void dead_event(struct pt_space *us, struct user_event *ev, bool lost)
{
	engine_of(us)->hc->child = 0;
	us->dead = true;
	ev->kind = UE_DEAD;
	ev->lost = lost;
	ev->refused = us->refused;
}

static void pt_run(struct uspace *base, struct user_regs *r, struct user_event *ev)
{
	struct pt_space *us = space_of(base);
	struct pt_engine *eng = engine_of(us);
	struct user_regs_struct h = us->regs;
	int status;

	memset(ev, 0, sizeof *ev);
	if (us->tsc_traps != eng->hc->tsc_traps) {
		us->tsc_traps = eng->hc->tsc_traps;
		queue(us, SYS_prctl, PR_SET_TSC, us->tsc_traps ? PR_TSC_SIGSEGV : PR_TSC_ENABLE,
		      0, 0, 0, 0);
	}
	if (eng->queued)
		batch_run(eng);
	to_host(&h, r);
	if (!us->dead && (us->fresh || memcmp(&h, &us->regs, sizeof h))) {
		us->regs = h;
		us->fresh = false;
		if (ptrace(PTRACE_SETREGS, us->pid, 0, &h))
			us->dead = true;
	}
	eng->base.stats.runs++;
	/* A kick after this assignment reaches the child itself. */
	eng->hc->child = us->pid;
	if (eng->hc->kick && !us->dead) {
		eng->hc->child = 0;
		ev->kind = UE_KICK;
		return;
	}
	if (us->dead || ptrace(PTRACE_SYSEMU, us->pid, 0, 0)) {
		dead_event(us, ev, false);
		return;
	}
	if (!wait_stop(us->pid, &status) || ptrace(PTRACE_GETREGS, us->pid, 0, &us->regs)) {
		dead_event(us, ev, true);
		return;
	}
	eng->hc->child = 0;
	eng->base.stats.stops++;
	from_host(r, &us->regs);
	ev->in_64bit = us->regs.cs == HOST_CS64;
	if (WSTOPSIG(status) == (SIGTRAP | 0x80))
		syscall_event(us, r, ev);
	else
		signal_event(us, WSTOPSIG(status), ev);
}

/* ---- FPU and debug registers ---- */

static bool pt_fpu_get(struct uspace *us, struct fpu_image *img)
{
	struct user_fpregs_struct f;

	if (ptrace(PTRACE_GETFPREGS, space_of(us)->pid, 0, &f))
		return false;
	memset(img, 0, sizeof *img);
	memcpy(img->bytes, &f, sizeof f);
	img->bytes[512] = 3;		/* XSTATE_BV: both parts are valid */
	return true;
}

static bool pt_fpu_set(struct uspace *base, const struct fpu_image *img)
{
	struct pt_space *us = space_of(base);
	struct user_fpregs_struct f;

	memcpy(&f, img->bytes, sizeof f);
	return !us->dead && !ptrace(PTRACE_SETFPREGS, us->pid, 0, &f);
}

static bool pt_debug_set(struct uspace *base, const uint32_t dr[8])
{
	struct pt_space *us = space_of(base);
	static const int order[] = { 0, 1, 2, 3, 6, 7 };
	size_t i;

	/* Disabled first: the host checks each register against dr7. */
	if (ptrace(PTRACE_POKEUSER, us->pid, offsetof(struct user, u_debugreg[7]), 0))
		return false;
	for (i = 0; i < sizeof order / sizeof *order; i++)
		if (ptrace(PTRACE_POKEUSER, us->pid,
			   offsetof(struct user, u_debugreg) + 8 * order[i],
			   (uint64_t)dr[order[i]]))
			return false;
	return true;
}

static uint32_t pt_debug_status(struct uspace *us)
{
	return ptrace(PTRACE_PEEKUSER, space_of(us)->pid, offsetof(struct user, u_debugreg[6]), 0);
}

/* ---- the table ---- */

static const struct engine_ops pt_ops = {
	.name = "ptrace",
	.destroy = pt_destroy,
	.create_space = pt_create_space,
	.destroy_space = pt_destroy_space,
	.map = pt_map,
	.unmap = pt_unmap,
	.protect = pt_protect,
	.ldt_set = pt_ldt_set,
	.run = pt_run,
	.fpu_get = pt_fpu_get,
	.fpu_set = pt_fpu_set,
	.debug_set = pt_debug_set,
	.debug_status = pt_debug_status,
};

static int pt_start(struct pt_engine *eng, struct error *e)
{
	eng->control_fd = memfd_sealed("lilyvm-control", CHILD_CONTROL_SIZE, false);
	if (eng->control_fd < 0)
		return fail(e, ST_HOST, "user-mode engine: memfd_create: %s; "
			    "raise the limit of descriptors (ulimit -n)", strerror(errno));
	eng->control = mmap(NULL, CHILD_CONTROL_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
			    eng->control_fd, 0);
	if (eng->control == MAP_FAILED)
		return fail(e, ST_HOST, "user-mode engine: mmap: %s", strerror(errno));
	return template_start(eng, e);
}

int ptrace_engine_create(struct engine **out, struct host_cpu *hc, const struct host_ram *ram,
			 struct error *e)
{
	struct pt_engine *eng = calloc(1, sizeof *eng);

	if (!eng)
		return fail(e, ST_HOST, "user-mode engine: out of memory");
	*out = &eng->base;
	eng->base.ops = &pt_ops;
	eng->hc = hc;
	eng->ram = ram;
	return pt_start(eng, e);
}
