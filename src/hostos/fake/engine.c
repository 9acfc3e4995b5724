/* SPDX-License-Identifier: BSD-2-Clause */
/* The fake host's user-mode engine: user code is a script of events. */
#include "hostos/fake/fake.h"

#include <stdlib.h>
#include <string.h>

struct engine {
	struct host_cpu *hc;
	struct engine_stats stats;
};

struct uspace {
	struct engine *eng;
	unsigned space;
	bool dead;
	struct fpu_image fpu;
	uint32_t dr[8];
};

int engine_create(struct engine **eng, struct host_cpu *hc, const struct host_ram *ram,
		  struct error *e)
{
	(void)ram;
	*eng = calloc(1, sizeof **eng);
	if (!*eng)
		return fail(e, ST_HOST, "out of memory");
	(*eng)->hc = hc;
	return 0;
}

void engine_destroy(struct engine *eng)
{
	free(eng);
}

const struct engine_stats *engine_stats(const struct engine *eng)
{
	return &eng->stats;
}

struct uspace *uspace_create(struct engine *eng)
{
	struct fake_host *h = fake_host();
	struct uspace *us;

	if (h->alive >= h->max_spaces)
		return NULL;
	us = aligned_alloc(_Alignof(struct uspace), sizeof *us);
	if (!us)
		return NULL;
	memset(us, 0, sizeof *us);
	us->eng = eng;
	us->space = 1 + h->created % (FAKE_SPACES - 1);
	h->created++;
	h->alive++;
	eng->stats.created++;
	return us;
}

void uspace_destroy(struct uspace *us)
{
	if (!us)
		return;
	fake_drop_space(us->space);
	fake_host()->alive--;
	us->eng->stats.destroyed++;
	free(us);
}

static void change(struct uspace *us, struct fake_call c)
{
	c.space = us->space;
	us->eng->stats.ops++;
	fake_record(&c);
}

void uspace_map(struct uspace *us, uint32_t va, uint64_t off, uint32_t len, unsigned rights)
{
	change(us, (struct fake_call){ .op = FAKE_MAP, .va = va, .len = len, .offset = off,
				       .rights = rights });
}

void uspace_unmap(struct uspace *us, uint32_t va, uint64_t len)
{
	change(us, (struct fake_call){ .op = FAKE_UNMAP, .va = va, .len = len });
}

void uspace_protect(struct uspace *us, uint32_t va, uint32_t len, unsigned rights)
{
	change(us, (struct fake_call){ .op = FAKE_PROTECT, .va = va, .len = len,
				       .rights = rights });
}

void uspace_ldt_set(struct uspace *us, unsigned slot, const struct segment *s)
{
	change(us, (struct fake_call){ .op = FAKE_LDT, .va = slot,
				       .segment = s ? *s : (struct segment){ 0, 0, 0, 0 } });
}

void uspace_run(struct uspace *us, struct user_regs *r, struct user_event *ev)
{
	struct fake_host *h = fake_host();
	struct fake_run *run = &h->runs[h->played];

	us->eng->stats.runs++;
	if (us->dead || h->played == h->nruns) {
		*ev = (struct user_event){ .kind = us->dead ? UE_DEAD : UE_KICK };
		us->eng->hc->kick = 1;
		return;
	}
	h->played++;
	run->space = us->space;
	run->seen = *r;
	*ev = run->ev;
	if (run->dr6)
		us->dr[6] = run->dr6;
	if (ev->kind == UE_DEAD)
		us->dead = true;
	else if (run->change)
		run->change(r);
}

bool uspace_fpu_get(struct uspace *us, struct fpu_image *img)
{
	*img = us->fpu;
	return !us->dead;
}

bool uspace_fpu_set(struct uspace *us, const struct fpu_image *img)
{
	us->fpu = *img;
	return !us->dead;
}

bool uspace_debug_set(struct uspace *us, const uint32_t dr[8])
{
	memcpy(us->dr, dr, sizeof us->dr);
	return true;
}

uint32_t uspace_debug_status(struct uspace *us)
{
	return us->dr[6];
}
