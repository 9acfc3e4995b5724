/* SPDX-License-Identifier: BSD-2-Clause */
/* Services for one chip under test: time stands still until the test moves it. */
#ifndef LILYVM_TESTS_FAKEDEV_H
#define LILYVM_TESTS_FAKEDEV_H

#include "devemu/devemu.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

struct fakedev {
	struct dev_services s;
	uint64_t now;		/* nanoseconds */
	int64_t wallclock;
	uint64_t deadline;
	int irq;		/* the line */
	unsigned edges;		/* rising edges since the test cleared it */
	unsigned resets;
	uint8_t out[4096];
	size_t nout;
};

static inline void fakedev_irq(void *ctx, int level)
{
	struct fakedev *f = ctx;

	f->edges += level && !f->irq;
	f->irq = level;
}

static inline uint64_t fakedev_now(void *ctx)
{
	return ((struct fakedev *)ctx)->now;
}

static inline int64_t fakedev_wallclock(void *ctx)
{
	return ((struct fakedev *)ctx)->wallclock;
}

static inline void fakedev_timer(void *ctx, uint64_t deadline)
{
	((struct fakedev *)ctx)->deadline = deadline;
}

static inline void fakedev_char_out(void *ctx, const uint8_t *buf, size_t n)
{
	struct fakedev *f = ctx;

	ck_assert_uint_le(f->nout + n, sizeof(f->out));
	memcpy(f->out + f->nout, buf, n);
	f->nout += n;
}

static inline void fakedev_reset(void *ctx)
{
	((struct fakedev *)ctx)->resets++;
}

static inline void fakedev_init(struct fakedev *f)
{
	*f = (struct fakedev){
		.s = {
			.ctx = f, .irq = fakedev_irq, .now = fakedev_now,
			.wallclock = fakedev_wallclock, .timer = fakedev_timer,
			.char_out = fakedev_char_out, .reset = fakedev_reset,
		},
		.deadline = DEV_NO_DEADLINE,
	};
}

/* Moves time to `to`, calling the chip's timer at each deadline on the way. */
static inline void fakedev_run(struct fakedev *f, uint64_t to, void (*timer)(void *), void *chip)
{
	while (f->deadline <= to) {
		if (f->deadline > f->now)
			f->now = f->deadline;
		f->deadline = DEV_NO_DEADLINE;
		timer(chip);
	}
	f->now = to;
}

static inline int fakedev_main(const char *name, const TTest *const *tests, size_t n)
{
	Suite *suite = suite_create(name);
	TCase *tcase = tcase_create(name);
	SRunner *sr = srunner_create(suite);
	int failed;

	for (size_t i = 0; i < n; i++)
		tcase_add_test(tcase, tests[i]);
	suite_add_tcase(suite, tcase);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#define FAKEDEV_MAIN(name, ...) \
	int main(void) \
	{ \
		const TTest *const tests[] = { __VA_ARGS__ }; \
		return fakedev_main(name, tests, sizeof(tests) / sizeof(tests[0])); \
	}

#endif
