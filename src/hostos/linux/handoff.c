/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The `handoff` user-mode engine (contract: hostos/engine.h; the children:
 * hostos/linux/handoff.h).
 *
 * What a child writes is a hint from the guest's user code.  It is copied once and
 * made into something that user code could have brought about honestly: then a lie
 * gains nothing.
 */
#define _GNU_SOURCE
#include "hostos/linux/handoff_engine.h"

#include "hostos/linux/engines.h"
#include "hostos/linux/ldt.h"
#include "hostos/linux/memfd.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51
#endif
/* Signal frames that may lie on a guest thread's stack: a kick upon another signal. */
#define NESTED 3
/* After the kernel asked for the FPU's state, it is likely to ask again within so many
 * runs; having it reported costs a twentieth of asking. */
#define FPU_EAGER_RUNS 16
/* Flags that user code can set. */
#define USER_FLAGS (FL_ARITH | FL_TF | FL_DF | FL_NT | FL_AC | FL_ID | FL_RF)

#define CONTROL(field, offset) \
	_Static_assert(offsetof(struct ho_control, field) == (offset), #field)
CONTROL(go, HC_O_GO); CONTROL(command, HC_O_COMMAND); CONTROL(map_go, HC_O_MAP_GO);
CONTROL(asleep, HC_O_ASLEEP); CONTROL(spin, HC_O_SPIN); CONTROL(tsc, HC_O_TSC);
CONTROL(ack, HC_O_ACK); CONTROL(nak, HC_O_NAK); CONTROL(frame, HC_O_FRAME);
CONTROL(gpr, HC_O_GPR); CONTROL(ds, HC_O_SEL); CONTROL(es, HC_O_SEL + 2);
CONTROL(fs, HC_O_SEL + 4); CONTROL(gs, HC_O_SEL + 6); CONTROL(parent, HC_O_PARENT);
CONTROL(adds, HC_O_ADDS); CONTROL(load, HC_O_LOAD); CONTROL(eager, HC_O_EAGER);
CONTROL(fpu, HC_O_FPU);
#define REPORT(field, offset) \
	_Static_assert(offsetof(struct ho_report, field) == (offset), #field)
REPORT(seq, HR_O_SEQ); REPORT(asleep, HR_O_ASLEEP); REPORT(kind, HR_O_KIND);
REPORT(signal, HR_O_SIGNAL); REPORT(context, HR_O_CONTEXT); REPORT(started, HR_O_STARTED);
REPORT(result, HR_O_RESULT); REPORT(gpr, HR_O_GPR); REPORT(eflags, HR_O_EFLAGS);
REPORT(sel, HR_O_SEL); REPORT(mapper, HR_O_MAPPER); REPORT(fpu, HR_O_FPU);
_Static_assert(sizeof(struct ho_control) <= PAGE_SIZE && sizeof(struct ho_report) <= PAGE_SIZE &&
	       HO_CONTROL + HO_SLOT_OPS == HO_OPS, "pages of a slot");

static struct ho_space *space_of(struct uspace *us)
{
	return (struct ho_space *)us;
}

/* ---- slots ---- */

struct ho_space *ho_space_new(struct ho_engine *eng)
{
	struct ho_space *us;
	uint8_t *memory;
	unsigned slot = 0;

	while (slot < HO_SLOTS && eng->used[slot])
		slot++;
	if (slot == HO_SLOTS)
		return NULL;
	us = calloc(1, sizeof *us);
	if (!us)
		return NULL;
	eng->used[slot] = true;
	memory = eng->slots + (size_t)slot * HO_SLOT_SIZE;
	memset(memory, 0, HO_CONTROL_SIZE);
	memset(memory + HO_SLOT_REPORT, 0, PAGE_SIZE);
	us->base.eng = &eng->base;
	us->slot = slot;
	us->control = (struct ho_control *)memory;
	us->ops = (struct stub_op *)(memory + HO_SLOT_OPS);
	us->report = (volatile struct ho_report *)(memory + HO_SLOT_REPORT);
	us->stack = memory + HO_SLOT_STACK;
	return us;
}

void ho_space_free(struct ho_space *us)
{
	((struct ho_engine *)us->base.eng)->used[us->slot] = false;
	free(us);
}

/* ---- mappings ---- */

void ho_put_op(struct ho_space *us, long nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3,
	       uint64_t a4, uint64_t a5)
{
	us->ops[us->queued++] = (struct stub_op){ .nr = nr, .arg = { a0, a1, a2, a3, a4, a5 } };
	us->ops[us->queued].nr = STUB_END;
}

/* takes: it takes something away, see handoff.h. */
static struct stub_op *queue(struct uspace *base, bool takes, long nr, uint64_t a0, uint64_t a1,
			     uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5)
{
	struct ho_space *us = space_of(base);

	if (us->queued == HO_MAX_OPS)
		ho_batch(us);
	ho_put_op(us, nr, a0, a1, a2, a3, a4, a5);
	us->takes |= takes;
	base->eng->stats.ops++;
	return &us->ops[us->queued - 1];
}

static uint64_t protection(unsigned rights)
{
	return (rights & HP_R ? PROT_READ : 0) | (rights & HP_W ? PROT_WRITE : 0) |
	       (rights & HP_X ? PROT_EXEC : 0);
}

static void ho_map(struct uspace *us, uint32_t va, uint64_t off, uint32_t len, unsigned rights,
		   bool adds)
{
	queue(us, !adds, SYS_mmap, va, len, protection(rights), HO_ADD_FLAGS, CHILD_RAM_FD, off);
}

static void ho_unmap(struct uspace *us, uint32_t va, uint64_t len)
{
	queue(us, true, SYS_munmap, va, len, 0, 0, 0, 0);
}

static void ho_protect(struct uspace *us, uint32_t va, uint32_t len, unsigned rights)
{
	queue(us, true, SYS_mprotect, va, len, protection(rights), 0, 0, 0);
}

/* modify_ldt reads its argument from memory: the struct travels in the unused
 * arguments of the operation itself. */
static void ho_ldt_set(struct uspace *base, unsigned slot, const struct segment *s)
{
	struct ho_space *us = space_of(base);
	struct user_desc d = user_desc_of(slot, s);
	struct stub_op *op = queue(base, true, SYS_modify_ldt, 0x11, 0, sizeof d, 0, 0, 0);

	op->arg[1] = HO_CONTROL + (uintptr_t)&op->arg[4] - (uintptr_t)us->control;
	memcpy(&op->arg[4], &d, sizeof d);
}

/* ---- the gate ---- */

static void ho_gate_set(struct engine *base, const void *page, unsigned at)
{
	const uint64_t stub = HO_AT(ho_gate);
	uint8_t *slot = ((struct ho_engine *)base)->slots;
	uint8_t ljmp[ENGINE_GATE_JUMP] = { 0xea };			/* ljmp $HOST_CS64,$gate */
	uint8_t jmp[14] = { 0xff, 0x25 };				/* jmp *0(%rip) */

	memcpy(ljmp + 1, &(uint32_t){ CHILD_GATE }, 4);
	memcpy(ljmp + 5, &(uint16_t){ HOST_CS64 }, 2);
	memcpy(jmp + 6, &stub, sizeof stub);
	memcpy(slot + HO_GATE_COPY, page, PAGE_SIZE);
	memcpy(slot + HO_GATE_COPY + at, ljmp, sizeof ljmp);
	memset(slot + HO_GATE_PAGE, 0xf4, PAGE_SIZE);			/* hlt */
	memcpy(slot + HO_GATE_PAGE, jmp, sizeof jmp);
}

static void ho_gate_map(struct uspace *us, uint32_t va)
{
	static const int prot = PROT_READ | PROT_EXEC, flags = MAP_SHARED | MAP_FIXED | MAP_POPULATE;

	queue(us, true, SYS_mmap, va, PAGE_SIZE, prot, flags, HO_SLOTS_FD, HO_GATE_COPY);
	queue(us, true, SYS_mmap, CHILD_GATE, PAGE_SIZE, prot, flags, HO_SLOTS_FD, HO_GATE_PAGE);
}

/* ---- events ---- */

/* One copy of what the report says. */
struct news {
	uint32_t kind, signal;
	struct ho_selectors sel;
	uint32_t gpr[R_COUNT], eflags;	/* HO_GATE */
	greg_t g[NGREG];		/* HO_SIGNAL */
	uint64_t fpstate;
};

/* The signal frame that a report points to lies in the signal stack, or the report is
 * a lie. */
static bool copy_frame(const struct ho_space *us, uint64_t context, struct news *n)
{
	const uint64_t at = context + offsetof(ucontext_t, uc_mcontext.gregs) - HO_STACK;

	if (context < HO_STACK || context % 8 ||
	    at > HO_STACK_SIZE - sizeof n->g - sizeof n->fpstate)
		return false;
	memcpy(n->g, us->stack + at, sizeof n->g);
	memcpy(&n->fpstate, us->stack + at + sizeof n->g, sizeof n->fpstate);
	return true;
}

static bool copy_news(const struct ho_space *us, struct news *n)
{
	const volatile struct ho_report *r = us->report;
	unsigned i;

	n->kind = r->kind;
	n->signal = r->signal;
	n->sel = (struct ho_selectors){ r->sel.es, r->sel.ss, r->sel.ds, r->sel.fs, r->sel.gs };
	n->eflags = r->eflags;
	for (i = 0; i < R_COUNT; i++)
		n->gpr[i] = r->gpr[i];
	return n->kind != HO_SIGNAL || copy_frame(us, r->context, n);
}

static void take_selectors(struct user_regs *r, const struct ho_selectors *s)
{
	r->sel[S_ES] = s->es;
	r->sel[S_DS] = s->ds;
	r->sel[S_FS] = s->fs;
	r->sel[S_GS] = s->gs;
}

static void take_frame(struct user_regs *r, const struct news *n)
{
	const greg_t *g = n->g;

	r->gpr[R_EAX] = g[REG_RAX];
	r->gpr[R_ECX] = g[REG_RCX];
	r->gpr[R_EDX] = g[REG_RDX];
	r->gpr[R_EBX] = g[REG_RBX];
	r->gpr[R_ESP] = g[REG_RSP];
	r->gpr[R_EBP] = g[REG_RBP];
	r->gpr[R_ESI] = g[REG_RSI];
	r->gpr[R_EDI] = g[REG_RDI];
	r->eip = g[REG_RIP];
	r->eflags = (g[REG_EFL] & USER_FLAGS) | FL_IF | FL_FIXED;
	r->sel[S_CS] = (uint64_t)g[REG_CSGSFS];
	r->sel[S_SS] = (uint64_t)g[REG_CSGSFS] >> 48;
	take_selectors(r, &n->sel);
}

/* SIGSYS: a system call that neither dispatch nor filter let through. */
static void syscall_event(const struct news *n, struct user_regs *r, struct user_event *ev)
{
	if (ev->in_64bit) {
		ev->kind = UE_SYSCALL64;
	} else if ((uint64_t)n->g[REG_RIP] >= LOW_END) {
		/* The host shows the landing pad of its vdso, and the user's ebp
		 * (which by convention is its esp) as esp. */
		ev->kind = UE_SYSENTER;
		r->gpr[R_EBP] = n->g[REG_RSP];
	} else {
		ev->kind = UE_INT80;
	}
}

static void trap_event(const struct news *n, struct user_event *ev)
{
	uint32_t vector = n->g[REG_TRAPNO];

	ev->kind = UE_TRAP;
	ev->vector = VEC_GP;
	switch (vector) {
	case VEC_PF:
		ev->cr2 = n->g[REG_CR2];
		ev->error = (n->g[REG_ERR] & (PF_P | PF_W | PF_I)) | PF_U;
		ev->vector = vector;
		break;
	case VEC_DE:
	case VEC_DB:
	case VEC_BP:
	case VEC_OF:
	case VEC_BR:
	case VEC_UD:
	case VEC_MF:
	case VEC_AC:
	case VEC_XM:
		ev->vector = vector;
		break;
	}
}

static void gate_event(const struct news *n, struct user_regs *r, struct user_event *ev)
{
	ev->kind = UE_GATE;
	memcpy(r->gpr, n->gpr, sizeof r->gpr);
	r->eflags = (n->eflags & USER_FLAGS) | FL_IF | FL_FIXED;
	r->sel[S_SS] = n->sel.ss;
	take_selectors(r, &n->sel);
}

static void signal_event(const struct news *n, struct user_regs *r, struct user_event *ev)
{
	const uint64_t rip = n->g[REG_RIP];
	const uint32_t eip = r->eip;
	const uint16_t cs = r->sel[S_CS];

	/* Before it went back to user code; a fault then is that of a selector. */
	if (rip - HO_AT(ho_answered) < (uint64_t)(ho_resume_end - ho_answered)) {
		ev->kind = n->signal == SIGUSR1 ? UE_KICK : UE_TRAP;
		ev->vector = VEC_GP;
		return;
	}
	take_frame(r, n);
	/* Stopped on its way to the stub, by a kick, a step, or because the page is gone. */
	if (rip == CHILD_GATE && r->sel[S_CS] == HOST_CS64) {
		ev->kind = UE_GATE;
		r->eip = eip;
		r->sel[S_CS] = cs;
		return;
	}
	ev->in_64bit = r->sel[S_CS] == HOST_CS64;
	if (n->signal == SIGSYS)
		syscall_event(n, r, ev);
	else if (n->signal == SIGUSR1)
		ev->kind = UE_KICK;
	else
		trap_event(n, ev);
}

/* User code of 64-bit mode has meddled with the stub or the report, or brought its
 * process down: nothing that a guest's user code may do, so #GP where it ran last. */
static void meddled(struct user_regs *r, struct user_event *ev)
{
	ev->kind = UE_TRAP;
	ev->vector = VEC_GP;
	ev->in_64bit = true;
	r->sel[S_CS] = HOST_CS64;
}

/* Only code that came there with a trap flag of its own stops where a system call of the
 * guest thread has not been compared: it may have got what is not its own. */
static bool forged_add(const struct news *n)
{
	return n->kind == HO_SIGNAL && (uint64_t)n->g[REG_RIP] - HO_AT(ho_add_made) <
				       (uint64_t)(ho_add_checked - ho_add_made);
}

static void decode(struct ho_space *us, struct user_regs *r, struct user_event *ev)
{
	struct news n;

	if (!copy_news(us, &n)) {
		meddled(r, ev);
	} else if (forged_add(&n)) {
		ho_put_down(us);
		meddled(r, ev);
	} else if (n.kind == HO_SIGNAL) {
		if (us->fpu != FPU_CONTROL) {
			us->fpu = FPU_FRAME;
			us->fpu_frame = n.fpstate - HO_STACK;
		}
		signal_event(&n, r, ev);
	} else if (n.kind == HO_GATE) {
		us->fpu = us->control->eager ? FPU_REPORT : FPU_REGISTERS;
		gate_event(&n, r, ev);
	} else if (n.kind == HO_KICKED) {
		ev->kind = UE_KICK;
	} else if (n.kind == HO_REFUSED) {
		/* The mapper's word is to be relied on. */
		ho_batch(us);
		ev->kind = UE_KICK;
	} else {
		meddled(r, ev);
	}
}

/* ---- running ---- */

static void dead_event(struct ho_space *us, struct user_event *ev, bool lost)
{
	us->dead = true;
	ev->kind = UE_DEAD;
	ev->lost = lost;
	ev->refused = us->refused;
}

static void to_control(struct ho_control *c, const struct user_regs *r)
{
	c->frame[0] = r->eip;
	c->frame[1] = r->sel[S_CS];
	c->frame[2] = (r->eflags & USER_FLAGS) | FL_IF | FL_FIXED;
	c->frame[3] = r->gpr[R_ESP];
	c->frame[4] = r->sel[S_SS];
	memcpy(c->gpr, r->gpr, sizeof c->gpr);
	c->ds = r->sel[S_DS];
	c->es = r->sel[S_ES];
	c->fs = r->sel[S_FS];
	c->gs = r->sel[S_GS];
}

static bool command(struct ho_space *us, uint32_t what)
{
	if (us->dead)
		return false;
	us->control->asleep = !us->control->spin;
	ho_go(us, what);
	return ho_wait(us);
}

/* What the guest thread does on its way to user code. */
static void put_errands(struct ho_space *us)
{
	us->control->adds = us->queued;
	us->control->load = us->fpu == FPU_CONTROL;
	us->control->eager = us->fpu_wanted > 0;
	us->fpu_wanted -= us->fpu_wanted > 0;
}

/* They are done if it went there: whoever lies fools nobody but itself.  Before anything
 * is taken away from it, no list of additions may stand any more. */
static void errands_done(struct ho_space *us)
{
	us->control->adds = 0;
	if (us->report->started != us->go)
		return;
	us->queued = 0;
	us->fpu = FPU_REGISTERS;
}

static void set_tsc(struct ho_space *us, bool traps)
{
	us->tsc_traps = traps;
	us->control->tsc = traps ? PR_TSC_SIGSEGV : PR_TSC_ENABLE;
	command(us, HO_TSC);
}

static void ho_run(struct uspace *base, struct user_regs *r, struct user_event *ev)
{
	struct ho_space *us = space_of(base);
	struct ho_engine *eng = (struct ho_engine *)base->eng;
	const uint32_t before = r->eflags;
	bool alive;

	memset(ev, 0, sizeof *ev);
	if (us->tsc_traps != eng->hc->tsc_traps)
		set_tsc(us, eng->hc->tsc_traps);
	if (us->takes)
		ho_batch(us);
	if (us->dead) {
		dead_event(us, ev, false);
		return;
	}
	to_control(us->control, r);
	put_errands(us);
	base->eng->stats.runs++;
	/* A kick after this assignment reaches the child itself. */
	eng->hc->child = us->pid;
	if (eng->hc->kick) {
		eng->hc->child = 0;
		ev->kind = UE_KICK;
		return;
	}
	alive = ho_run_user(us);
	eng->hc->child = 0;
	if (alive) {
		base->eng->stats.stops++;
		errands_done(us);
		decode(us, r, ev);
		us->stepping = (before | r->eflags) & FL_TF;
	} else if (us->own_fault && us->report->started == us->go) {
		meddled(r, ev);
	} else {
		dead_event(us, ev, us->report->started == us->go);
	}
}

/* ---- FPU and debug registers ---- */

static void fpu_initial(struct fpu_image *img)
{
	memset(img, 0, sizeof *img);
	*(uint16_t *)(img->bytes + 0) = 0x37f;		/* FCW after fninit */
	*(uint32_t *)(img->bytes + 24) = 0x1f80;	/* MXCSR */
}

/* The image comes from the child: loading it must not fault. */
static void fpu_sanitize(const struct ho_engine *eng, struct fpu_image *img)
{
	uint32_t mxcsr;

	memcpy(&mxcsr, img->bytes + 24, 4);
	mxcsr &= eng->mxcsr_mask;
	memcpy(img->bytes + 24, &mxcsr, 4);
	memcpy(img->bytes + 28, &eng->mxcsr_mask, 4);
	memset(img->bytes + 512, 0, sizeof img->bytes - 512);
	img->bytes[512] = 3;		/* XSTATE_BV: both parts are valid */
}

/* The state as it is known without asking the child; NULL if it is not. */
static const uint8_t *fpu_known(const struct ho_space *us)
{
	switch (us->fpu) {
	case FPU_CONTROL:
		return us->control->fpu;
	case FPU_REPORT:
		return (const uint8_t *)us->report->fpu;
	case FPU_FRAME:
		if (us->fpu_frame <= HO_STACK_SIZE - sizeof us->control->fpu)
			return us->stack + us->fpu_frame;
		break;
	case FPU_REGISTERS:
		break;
	}
	return NULL;
}

static bool ho_fpu_get(struct uspace *base, struct fpu_image *img)
{
	struct ho_space *us = space_of(base);
	const uint8_t *state = us->dead ? NULL : fpu_known(us);

	us->fpu_wanted = FPU_EAGER_RUNS;
	if (!state && command(us, HO_FPU_SAVE))
		state = (const uint8_t *)us->report->fpu;
	if (!state) {
		fpu_initial(img);
		return us->own_fault;
	}
	memcpy(img->bytes, state, sizeof img->bytes);
	fpu_sanitize((struct ho_engine *)base->eng, img);
	return true;
}

static bool ho_fpu_set(struct uspace *base, const struct fpu_image *img)
{
	struct ho_space *us = space_of(base);

	_Static_assert(sizeof us->control->fpu == sizeof img->bytes, "an FPU image");
	memcpy(us->control->fpu, img->bytes, sizeof us->control->fpu);
	us->fpu = FPU_CONTROL;
	return !us->dead;
}

/* Debug registers are ptrace's, and seldom used: the child is traced for the moment. */
static bool attach(struct ho_space *us)
{
	int status;

	if (us->dead || ptrace(PTRACE_SEIZE, us->pid, 0, 0))
		return false;
	if (!ptrace(PTRACE_INTERRUPT, us->pid, 0, 0))
		while (waitpid(us->pid, &status, __WALL) < 0 && errno == EINTR)
			;
	return true;
}

static bool ho_debug_set(struct uspace *base, const uint32_t dr[8])
{
	static const int order[] = { 0, 1, 2, 3, 6, 7 };
	const uintptr_t at = offsetof(struct user, u_debugreg);
	struct ho_space *us = space_of(base);
	bool ok;
	size_t i;

	if (!attach(us))
		return false;
	/* Disabled first: the host checks each register against dr7. */
	ok = !ptrace(PTRACE_POKEUSER, us->pid, at + 8 * 7, 0);
	for (i = 0; ok && i < sizeof order / sizeof *order; i++)
		ok = !ptrace(PTRACE_POKEUSER, us->pid, at + 8 * order[i], (uint64_t)dr[order[i]]);
	ptrace(PTRACE_DETACH, us->pid, 0, 0);
	us->debug = dr[7] & 0xff;
	return ok;
}

static uint32_t ho_debug_status(struct uspace *base)
{
	struct ho_space *us = space_of(base);
	uint32_t dr6;

	/* A #DB is a single step, or comes from int1, which leaves no trace in DR6. */
	if (!us->debug || !attach(us))
		return us->stepping ? 0x4000 : 0;
	dr6 = ptrace(PTRACE_PEEKUSER, us->pid, offsetof(struct user, u_debugreg[6]), 0);
	ptrace(PTRACE_DETACH, us->pid, 0, 0);
	return dr6;
}

/* ---- the engine ---- */

static void ho_destroy(struct engine *base)
{
	struct ho_engine *eng = (struct ho_engine *)base;

	if (eng->template)
		ho_destroy_space(&eng->template->base);
	if (eng->slots)
		munmap(eng->slots, (size_t)HO_SLOTS * HO_SLOT_SIZE);
	if (eng->slots_fd >= 0)
		close(eng->slots_fd);
	if (eng->ack_fd >= 0)
		close(eng->ack_fd);
	free(eng);
}

static const struct engine_ops ho_ops = {
	.name = "handoff",
	.exact = true,
	.destroy = ho_destroy,
	.create_space = ho_create_space,
	.destroy_space = ho_destroy_space,
	.map = ho_map,
	.unmap = ho_unmap,
	.protect = ho_protect,
	.ldt_set = ho_ldt_set,
	.expect = ho_expect,
	.run = ho_run,
	.fpu_get = ho_fpu_get,
	.fpu_set = ho_fpu_set,
	.debug_set = ho_debug_set,
	.debug_status = ho_debug_status,
	.gate_set = ho_gate_set,
	.gate_map = ho_gate_map,
};

/* SDM 1, 11.6.6: which bits of MXCSR the CPU has. */
static uint32_t mxcsr_mask(void)
{
	uint8_t area[512] __attribute__((aligned(16))) = { 0 };
	uint32_t mask;

	__asm__ volatile("fxsave %0" : "=m"(area));
	memcpy(&mask, area + 28, 4);
	return mask ? mask : 0xffbf;
}

static int create_memory(struct ho_engine *eng, struct error *e)
{
	const size_t size = (size_t)HO_SLOTS * HO_SLOT_SIZE;
	void *slots;

	/* Children map a page of it executable. */
	eng->slots_fd = memfd_sealed("lilyvm-handoff", size, true);
	eng->ack_fd = eventfd(0, EFD_CLOEXEC);
	if (eng->slots_fd < 0 || eng->ack_fd < 0)
		return fail(e, ST_HOST, "user-mode engine: memfd_create, eventfd: %s; "
			    "raise the limit of descriptors (ulimit -n)", strerror(errno));
	slots = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, eng->slots_fd, 0);
	if (slots == MAP_FAILED)
		return fail(e, ST_HOST, "user-mode engine: mmap: %s", strerror(errno));
	eng->slots = slots;
	return 0;
}

/* One child, to see whether the host lets it be what it has to be. */
static int try_out(struct ho_engine *eng, struct error *e)
{
	struct uspace *us = ho_create_space(&eng->base);

	if (!us)
		return fail(e, ST_HOST, "user-mode engine: no child: %s; see `lilyvm host`",
			    strerror(eng->birth_error));
	ho_destroy_space(us);
	eng->base.stats.created = eng->base.stats.destroyed = 0;
	return 0;
}

int handoff_engine_create(struct engine **out, struct host_cpu *hc, const struct host_ram *ram,
			  const struct host_cpus *others, struct error *e)
{
	struct ho_engine *eng = calloc(1, sizeof *eng);

	if (!eng)
		return fail(e, ST_HOST, "user-mode engine: out of memory");
	*out = &eng->base;
	eng->base.ops = &ho_ops;
	eng->hc = hc;
	eng->ram = ram;
	eng->slots_fd = eng->ack_fd = -1;
	eng->mxcsr_mask = mxcsr_mask();
	if (getauxval(AT_MINSIGSTKSZ) > HO_STACK_SIZE / NESTED)
		return fail(e, ST_HOST, "handoff: this CPU's signal frames are too large");
	ho_pace_init(&eng->pace, others);
	return create_memory(eng, e) || ho_template_start(eng, e) || try_out(eng, e) ? -1 : 0;
}
