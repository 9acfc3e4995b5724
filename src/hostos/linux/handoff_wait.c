/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Handing over, and waiting.  Two ways, between which ho_pace changes:
 *
 * away	the guest thread runs on another CPU than the monitor and both spin for a
 *	while before they sleep: a hand-over takes a fraction of a microsecond, but a
 *	sleeper on another CPU takes ten times longer to wake than one on ours;
 * home	it runs on the monitor's CPU and both sleep at once (futex), about 2 us.
 *
 * So being away pays as long as both guest user code and the monitor nearly always answer
 * while the other one spins.  On a busy host they do not, because they wait for a CPU.
 */
#define _GNU_SOURCE
#include "hostos/linux/handoff_engine.h"

#include "hostos/linux/child.h"

#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#define SIG_KICK SIGUSR1
/* What spinning is worth: more than an idle CPU takes to wake up. */
#define SPIN_US 60
/* Stretches to judge by, and how many of them may outlast the spinning: being away saves
 * some 3 us a hand-over, a wake-up from another CPU costs some 60 us more. */
#define WINDOW 64
#define LONG_AWAY 4
#define LONG_HOME 2
/* The shortest and the longest time between two attempts to be away. */
#define PERIOD_MIN_US 4000
#define PERIOD_MAX_US 1000000
/* How often to look whether the process still lives; and how many times a guest
 * thread may let that pass with a kick before it is taken to refuse to answer. */
#define LOOK_MS 10
#define LOOKS_REFUSED 500

/* ---- the pace ---- */

/* The shortest of several measurements: in the others the CPU was taken away. */
static uint32_t looks_in(uint64_t ticks)
{
	enum { ROUNDS = 32, LOOKS = 64 };
	uint64_t best = UINT64_MAX;
	unsigned round, i;

	for (round = 0; round < ROUNDS; round++) {
		uint64_t start = __rdtsc(), took;

		for (i = 0; i < LOOKS; i++)
			_mm_pause();
		took = __rdtsc() - start;
		if (took < best)
			best = took;
	}
	return ticks * LOOKS / (best ? best : 1) + 1;
}

void ho_pace_init(struct ho_pace *p, const struct host_cpus *others)
{
	size_t i;

	p->tick_us = host_tsc_hz() / 1000000 + 1;
	p->period = PERIOD_MIN_US * p->tick_us;
	p->spins = looks_in(SPIN_US * p->tick_us);
	if (sched_getaffinity(0, sizeof p->home, (cpu_set_t *)&p->home) || !others)
		return;
	p->others = *others;
	for (i = 0; i < sizeof others->bits / sizeof *others->bits; i++)
		p->possible = p->possible || others->bits[i];
	p->away = p->possible;
}

static void pace_change(struct ho_pace *p, uint64_t now)
{
	if (p->away) {
		/* The shorter it was good, the longer until the next attempt. */
		if (now - p->since < 8 * p->period)
			p->period *= 2;
		else
			p->period = PERIOD_MIN_US * p->tick_us;
		if (p->period > PERIOD_MAX_US * p->tick_us)
			p->period = PERIOD_MAX_US * p->tick_us;
	}
	p->away = !p->away;
	p->since = now;
}

/* A stretch of guest user code, or of the monitor, ended now. */
static void pace_note(struct ho_pace *p)
{
	uint64_t now = __rdtsc();
	unsigned outlasted;

	if (!p->possible)
		return;
	p->outlasted += now - p->last > SPIN_US * p->tick_us;
	p->last = now;
	if (++p->n < WINDOW)
		return;
	outlasted = p->outlasted;
	p->outlasted = p->n = 0;
	if (p->away ? outlasted > LONG_AWAY : outlasted <= LONG_HOME && now - p->since > p->period)
		pace_change(p, now);
}

/* A word that a guest thread looks at all the time. */
static void set_word(uint32_t *word, uint32_t value)
{
	if (*word != value)
		*word = value;
}

/* Puts the guest thread where the pace wants it. */
static void pace_place(struct ho_space *us)
{
	struct ho_engine *eng = (struct ho_engine *)us->base.eng;
	struct ho_pace *p = &eng->pace;

	if (us->away != p->away) {
		us->away = p->away;
		if (syscall(SYS_sched_setaffinity, us->pid, sizeof p->home,
			    us->away ? &p->others : &p->home))
			p->possible = p->away = us->away = false;
	}
	set_word(&us->control->spin, p->away ? p->spins : 0);
}

/* ---- waiting ---- */

static long futex(const volatile uint32_t *word, int op, uint32_t value,
		  const struct timespec *timeout)
{
	return syscall(SYS_futex, word, op, value, timeout, NULL, 0);
}

bool ho_gone(struct ho_space *us)
{
	int status;

	if (us->reaped)
		return true;
	if (waitpid(us->pid, &status, __WALL | WNOHANG) != us->pid)
		return false;
	us->reaped = us->dead = true;
	/* Whatever else than SIGKILL: a signal without a frame, by its own doing. */
	us->own_fault = !WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL;
	return true;
}

/* Sequentially consistent: the word before the look whether the other one sleeps. */
static void store_go(volatile uint32_t *word, uint32_t value)
{
	__atomic_store_n(word, value, __ATOMIC_SEQ_CST);
}

void ho_go(struct ho_space *us, uint32_t command)
{
	set_word(&us->control->command, command);
	store_go(&us->control->go, ++us->go);
	if (us == ((struct ho_engine *)us->base.eng)->template || us->report->asleep)
		futex(&us->control->go, FUTEX_WAKE, 1, NULL);
}

static bool answered(const struct ho_space *us)
{
	return __atomic_load_n(&us->report->seq, __ATOMIC_ACQUIRE) == us->go;
}

/* A guest thread that does not answer a kick is none of ours any more. */
static bool refuses(struct ho_space *us, unsigned *looks)
{
	struct host_cpu *hc = ((struct ho_engine *)us->base.eng)->hc;

	if (!hc->kick || hc->child != us->pid)
		return false;
	syscall(SYS_tgkill, us->pid, us->pid, SIG_KICK);
	return ++*looks > LOOKS_REFUSED;
}

void ho_put_down(struct ho_space *us)
{
	child_kill(us->pid);
	while (waitpid(us->pid, NULL, __WALL) < 0 && errno == EINTR)
		;
	us->reaped = us->dead = us->own_fault = true;
}

static bool sleep_for_answer(struct ho_space *us)
{
	static const struct timespec look = { 0, LOOK_MS * 1000000 };
	unsigned looks = 0;

	store_go(&us->control->asleep, 1);
	for (;;) {
		uint32_t seq = __atomic_load_n(&us->report->seq, __ATOMIC_SEQ_CST);

		if (seq == us->go)
			break;
		if (!futex(&us->report->seq, FUTEX_WAIT, seq, &look) || errno != ETIMEDOUT)
			continue;
		if (ho_gone(us))
			return false;
		if (refuses(us, &looks)) {
			ho_put_down(us);
			return false;
		}
	}
	us->control->asleep = 0;
	return true;
}

bool ho_wait(struct ho_space *us)
{
	uint32_t left = us->control->spin;

	while (!answered(us)) {
		if (!left--)
			return sleep_for_answer(us);
		_mm_pause();
	}
	return true;
}

static void wake(struct ho_space *us)
{
	if (us->report->asleep)
		futex(&us->control->go, FUTEX_WAKE, 1, NULL);
}

/* Not two that spin.  The last one goes to sleep only when the next one has been woken: the
 * CPU does not fall asleep in between. */
static void pace_current(struct ho_engine *eng, struct ho_space *us)
{
	if (eng->current == us)
		return;
	if (eng->current)
		set_word(&eng->current->control->spin, 0);
	eng->current = us;
}

void ho_expect(struct uspace *base)
{
	struct ho_space *us = (struct ho_space *)base;
	struct ho_engine *eng = (struct ho_engine *)base->eng;

	if (eng->current == us || !eng->pace.away || us->dead)
		return;
	pace_place(us);
	wake(us);
	pace_current(eng, us);
}

bool ho_run_user(struct ho_space *us)
{
	struct ho_engine *eng = (struct ho_engine *)us->base.eng;
	struct ho_pace *p = &eng->pace;
	bool alive;

	pace_place(us);
	/* Who does not spin sleeps: known beforehand, it saves a look. */
	us->control->asleep = !us->control->spin;
	pace_note(p);
	ho_go(us, HO_RESUME);
	pace_current(eng, us);
	alive = ho_wait(us);
	pace_note(p);
	return alive;
}

/* ---- the mapper ---- */

/* The mapper's answer comes through an eventfd that user code cannot reach: a forged
 * one would leave it memory that it has lost. */
static bool wait_ack(struct ho_engine *eng, struct ho_space *us, uint64_t *ack)
{
	struct pollfd p = { .fd = eng->ack_fd, .events = POLLIN };

	for (;;) {
		if (poll(&p, 1, LOOK_MS) > 0 && read(eng->ack_fd, ack, sizeof *ack) == sizeof *ack)
			return true;
		if (ho_gone(us))
			return false;
	}
}

void ho_batch(struct ho_space *us)
{
	struct ho_engine *eng = (struct ho_engine *)us->base.eng;
	uint64_t start, ack = 0;

	if (us->queued && !us->dead) {
		eng->base.stats.batches++;
		start = __rdtsc();
		store_go(&us->control->map_go, ++us->map_go);
		futex(&us->control->map_go, FUTEX_WAKE, 1, NULL);
		if (!wait_ack(eng, us, &ack)) {
			us->dead = true;
		} else if (ack != us->control->ack) {
			us->dead = true;
			us->refused = -us->report->result;
		}
		eng->base.stats.batch_ticks += __rdtsc() - start;
	}
	us->queued = 0;
	us->takes = false;
}
