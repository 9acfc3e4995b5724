/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The system calls that a guest thread of the `handoff` engine may make, and only
 * from the stub's page (Syscall User Dispatch sees to that): exactly those that the
 * stub makes.  Guest user code can jump there with registers of its own, so each
 * argument that matters is compared.
 */
#include "hostos/linux/handoff.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

/* An argument that has to be value. */
struct want {
	unsigned arg;
	uint64_t value;
};

static const struct allowed {
	unsigned nr, n;
	struct want args[3];
} allowed[] = {
	{ SYS_futex, 3, { { 0, HO_CONTROL + offsetof(struct ho_control, go) },
			  { 1, FUTEX_WAIT }, { 3, 0 } } },
	{ SYS_futex, 2, { { 0, HO_REPORT + offsetof(struct ho_report, seq) },
			  { 1, FUTEX_WAKE } } },
	{ SYS_prctl, 1, { { 0, PR_SET_TSC } } },
};

struct program {
	struct sock_filter *out;
	unsigned n, max;
};

static void put(struct program *p, struct sock_filter insn)
{
	if (p->n < p->max)
		p->out[p->n] = insn;
	p->n++;
}

static void load(struct program *p, unsigned offset)
{
	put(p, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset));
}

/* Goes on if the loaded word is v, else skips the next skip instructions. */
static void require(struct program *p, uint32_t v, unsigned skip)
{
	put(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, v, 0, skip));
}

static void answer(struct program *p, uint32_t action)
{
	put(p, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action));
}

/* The rest of a block after an instruction: four for each argument, one to allow. */
static void allow(struct program *p, const struct allowed *a)
{
	unsigned left = 4 * a->n + 1, i;

	load(p, offsetof(struct seccomp_data, nr));
	require(p, a->nr, left);
	for (i = 0; i < a->n; i++) {
		unsigned at = offsetof(struct seccomp_data, args) + 8 * a->args[i].arg;

		load(p, at);
		require(p, (uint32_t)a->args[i].value, left - 2);
		load(p, at + 4);
		require(p, a->args[i].value >> 32, left - 4);
		left -= 4;
	}
	answer(p, SECCOMP_RET_ALLOW);
}

unsigned ho_filter(void *out, unsigned max)
{
	struct program p = { out, 0, max };
	size_t i;

	load(&p, offsetof(struct seccomp_data, arch));
	require(&p, AUDIT_ARCH_X86_64, 1);
	put(&p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JA, 1, 0, 0));
	answer(&p, SECCOMP_RET_TRAP);
	for (i = 0; i < sizeof allowed / sizeof *allowed; i++)
		allow(&p, &allowed[i]);
	answer(&p, SECCOMP_RET_TRAP);
	return p.n;
}
