/* SPDX-License-Identifier: BSD-2-Clause */
/* The fake host's user-mode engine: user code is a script of events. */
#include "hostos/fake/fake.h"

#include <stdlib.h>
#include <string.h>

struct fake_engine {
	struct engine base;
	struct host_cpu *hc;
};

struct fake_space {
	struct uspace base;
	unsigned space;
	bool dead;
	struct fpu_image fpu;
	uint32_t dr[8];
};

static struct fake_space *space_of(struct uspace *us)
{
	return (struct fake_space *)us;
}

static void destroy(struct engine *eng)
{
	free(eng);
}

static struct uspace *create_space(struct engine *eng)
{
	struct fake_host *h = fake_host();
	struct fake_space *us;

	if (h->alive >= h->max_spaces)
		return NULL;
	us = aligned_alloc(_Alignof(struct fake_space), sizeof *us);
	if (!us)
		return NULL;
	memset(us, 0, sizeof *us);
	us->base.eng = eng;
	us->space = 1 + h->created % (FAKE_SPACES - 1);
	h->created++;
	h->alive++;
	eng->stats.created++;
	return &us->base;
}

static void destroy_space(struct uspace *us)
{
	fake_drop_space(space_of(us)->space);
	fake_host()->alive--;
	us->eng->stats.destroyed++;
	free(us);
}

static void change(struct uspace *us, struct fake_call c)
{
	c.space = space_of(us)->space;
	us->eng->stats.ops++;
	fake_record(&c);
}

static void map(struct uspace *us, uint32_t va, uint64_t off, uint32_t len, unsigned rights,
		bool adds)
{
	(void)adds;
	change(us, (struct fake_call){ .op = FAKE_MAP, .va = va, .len = len, .offset = off,
				       .rights = rights });
}

static void unmap(struct uspace *us, uint32_t va, uint64_t len)
{
	change(us, (struct fake_call){ .op = FAKE_UNMAP, .va = va, .len = len });
}

static void protect(struct uspace *us, uint32_t va, uint32_t len, unsigned rights)
{
	change(us, (struct fake_call){ .op = FAKE_PROTECT, .va = va, .len = len,
				       .rights = rights });
}

static void ldt_set(struct uspace *us, unsigned slot, const struct segment *s)
{
	change(us, (struct fake_call){ .op = FAKE_LDT, .va = slot,
				       .segment = s ? *s : (struct segment){ 0, 0, 0, 0 } });
}

static void run(struct uspace *base, struct user_regs *r, struct user_event *ev)
{
	struct fake_engine *eng = (struct fake_engine *)base->eng;
	struct fake_space *us = space_of(base);
	struct fake_host *h = fake_host();
	struct fake_run *run = &h->runs[h->played];

	eng->base.stats.runs++;
	if (us->dead || h->played == h->nruns) {
		*ev = (struct user_event){ .kind = us->dead ? UE_DEAD : UE_KICK };
		eng->hc->kick = 1;
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

static bool fpu_get(struct uspace *us, struct fpu_image *img)
{
	*img = space_of(us)->fpu;
	return !space_of(us)->dead;
}

static bool fpu_set(struct uspace *us, const struct fpu_image *img)
{
	space_of(us)->fpu = *img;
	return !space_of(us)->dead;
}

static bool debug_set(struct uspace *us, const uint32_t dr[8])
{
	memcpy(space_of(us)->dr, dr, sizeof space_of(us)->dr);
	return true;
}

static uint32_t debug_status(struct uspace *us)
{
	return space_of(us)->dr[6];
}

static const struct engine_ops ops = {
	.name = "fake", .destroy = destroy, .create_space = create_space,
	.destroy_space = destroy_space, .map = map, .unmap = unmap, .protect = protect,
	.ldt_set = ldt_set, .run = run, .fpu_get = fpu_get, .fpu_set = fpu_set,
	.debug_set = debug_set, .debug_status = debug_status,
};

int engine_create(struct engine **out, const char *name, struct host_cpu *hc,
		  const struct host_ram *ram, const struct host_cpus *others, struct error *e)
{
	struct fake_engine *eng = calloc(1, sizeof *eng);

	(void)name;
	(void)ram;
	(void)others;
	if (!eng)
		return fail(e, ST_HOST, "out of memory");
	eng->base.ops = &ops;
	eng->hc = hc;
	*out = &eng->base;
	return 0;
}
