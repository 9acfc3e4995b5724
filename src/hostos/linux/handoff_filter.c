/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The system calls that a guest thread of the `handoff` engine may make, and only
 * from the stub's page (Syscall User Dispatch sees to that): exactly those that the
 * stub makes.  Guest user code can jump there with registers of its own, so each
 * argument that matters is compared, and for mmap the instruction too: the stub compares
 * the rest behind it.
 */
#include "hostos/linux/handoff.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

/* Halves of what a filter sees. */
#define LOW(arg) (offsetof(struct seccomp_data, args) + 8 * (arg))
#define HIGH(arg) (LOW(arg) + 4)
#define IP_LOW offsetof(struct seccomp_data, instruction_pointer)
#define IP_HIGH (IP_LOW + 4)
#define BOTH(arg, v) { LOW(arg), (uint32_t)(v) }, { HIGH(arg), (uint64_t)(v) >> 32 }

/* A half that has to be value. */
struct want {
	uint32_t offset, value;
};

#define WANTS_MAX 8
static const struct allowed {
	unsigned nr, n;
	struct want want[WANTS_MAX];
} allowed[] = {
	{ SYS_futex, 6, { BOTH(0, HO_CONTROL + offsetof(struct ho_control, go)),
			  BOTH(1, FUTEX_WAIT), BOTH(3, 0) } },
	{ SYS_futex, 4, { BOTH(0, HO_REPORT + offsetof(struct ho_report, seq)),
			  BOTH(1, FUTEX_WAKE) } },
	/* Guest RAM, ending below 8 GiB, where our own pages begin.  Where it is made from
	 * is added below. */
	{ SYS_mmap, 6, { { HIGH(0), 0 }, { HIGH(1), 0 }, BOTH(3, HO_ADD_FLAGS),
			 BOTH(4, CHILD_RAM_FD) } },
	{ SYS_prctl, 2, { BOTH(0, PR_SET_TSC) } },
	{ SYS_exit_group, 0, { { 0, 0 } } },
};
_Static_assert(HO_STUB >= 0x200000000, "beyond the sum of an address and a length");

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

/* Words to compare: two instructions each. */
static void require_all(struct program *p, const struct want *want, unsigned n, unsigned left)
{
	unsigned i;

	for (i = 0; i < n; i++) {
		load(p, want[i].offset);
		require(p, want[i].value, left -= 2);
	}
}

/* A block, of which what is behind an instruction that fails is skipped. */
static void allow(struct program *p, const struct allowed *a)
{
	const uint64_t ip = HO_AT(ho_add_made);
	const struct want place[] = { { IP_LOW, (uint32_t)ip }, { IP_HIGH, ip >> 32 } };
	const unsigned places = a->nr == SYS_mmap ? 2 : 0;
	unsigned left = 2 * (a->n + places) + 1;

	load(p, offsetof(struct seccomp_data, nr));
	require(p, a->nr, left);
	require_all(p, place, places, left);
	require_all(p, a->want, a->n, left - 2 * places);
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
