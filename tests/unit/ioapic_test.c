/* SPDX-License-Identifier: BSD-2-Clause */
#include "devemu/ioapic.h"

#include <check.h>
#include <stdlib.h>

static struct ioapic io;
static struct ioapic_services services;
static uint64_t sent[64];
static unsigned nsent;

static void send(void *ctx, uint64_t entry)
{
	ck_assert_ptr_eq(ctx, &io);
	ck_assert_uint_lt(nsent, 64);
	sent[nsent++] = entry;
}

static uint32_t get(unsigned reg)
{
	ioapic_out(&io, IOAPIC_SELECT, 4, reg);
	return ioapic_in(&io, IOAPIC_WINDOW, 4);
}

static void set(unsigned reg, uint32_t v)
{
	ioapic_out(&io, IOAPIC_SELECT, 4, reg);
	ioapic_out(&io, IOAPIC_WINDOW, 4, v);
}

static void setup(void)
{
	services = (struct ioapic_services){ .ctx = &io, .send = send };
	ioapic_init(&io, &services);
	nsent = 0;
}

static void pulse(unsigned pin)
{
	ioapic_set_irq(&io, pin, 1);
	ioapic_set_irq(&io, pin, 0);
}

START_TEST(registers)
{
	ck_assert_uint_eq(get(IOAPIC_VERSION), 0x00170011);
	set(IOAPIC_VERSION, 0);
	ck_assert_uint_eq(get(IOAPIC_VERSION), 0x00170011);
	ck_assert_uint_eq(get(IOAPIC_ID), 0);
	set(IOAPIC_ID, 0xf5ffffff);
	ck_assert_uint_eq(get(IOAPIC_ID), 0x05000000);
	ck_assert_uint_eq(get(IOAPIC_ARBITRATION), 0x05000000);
	ck_assert_uint_eq(ioapic_in(&io, IOAPIC_SELECT, 4), IOAPIC_ARBITRATION);
	/* What is no register reads as 0. */
	ck_assert_uint_eq(get(3), 0);
	ck_assert_uint_eq(get(0x0f), 0);
	ck_assert_uint_eq(get(0x40), 0);
	set(0x40, 0xffffffff);
	set(0xff, 0xffffffff);
	ck_assert_uint_eq(ioapic_in(&io, 0x20, 4), 0);
	ioapic_out(&io, 0x20, 4, 0xffffffff);
}
END_TEST

/* Every entry is masked after a reset; its read-only bits stay. */
START_TEST(entries)
{
	for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
		ck_assert_uint_eq(get(IOAPIC_TABLE + 2 * pin), IOAPIC_MASKED);
		ck_assert_uint_eq(get(IOAPIC_TABLE + 2 * pin + 1), 0);
		set(IOAPIC_TABLE + 2 * pin, 0xffffff00 | (0x30 + pin));
		set(IOAPIC_TABLE + 2 * pin + 1, 0xffffffff);
	}
	for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
		ck_assert_uint_eq(get(IOAPIC_TABLE + 2 * pin), 0x0001af00 | (0x30 + pin));
		ck_assert_uint_eq(get(IOAPIC_TABLE + 2 * pin + 1), 0xff000000);
	}
	ioapic_reset(&io);
	ck_assert_uint_eq(get(IOAPIC_TABLE), IOAPIC_MASKED);
	ck_assert_uint_eq(nsent, 0);
}
END_TEST

START_TEST(edges)
{
	set(IOAPIC_TABLE + 2 * 4, 0x34);
	set(IOAPIC_TABLE + 2 * 4 + 1, 0x02000000);
	ioapic_set_irq(&io, 4, 1);
	ck_assert_uint_eq(nsent, 1);
	ck_assert_uint_eq(sent[0], 0x0200000000000034);
	ioapic_set_irq(&io, 4, 1);		/* no edge */
	ioapic_set_irq(&io, 4, 0);
	ck_assert_uint_eq(nsent, 1);
	pulse(4);
	ck_assert_uint_eq(nsent, 2);
	ioapic_eoi(&io, 0x34);			/* edges need none */
	ck_assert_uint_eq(nsent, 2);
	/* One at a masked input is lost. */
	set(IOAPIC_TABLE + 2 * 4, 0x34 | IOAPIC_MASKED);
	ioapic_set_irq(&io, 4, 1);
	set(IOAPIC_TABLE + 2 * 4, 0x34);
	ck_assert_uint_eq(nsent, 2);
	pulse(IOAPIC_PINS);			/* there is no such input */
	pulse(5);				/* masked */
	ck_assert_uint_eq(nsent, 2);
}
END_TEST

START_TEST(levels)
{
	set(IOAPIC_TABLE + 2 * 11, 0x3b | IOAPIC_LEVEL | IOAPIC_ACTIVE_LOW);
	ioapic_set_irq(&io, 11, 1);
	ck_assert_uint_eq(nsent, 1);
	ck_assert(get(IOAPIC_TABLE + 2 * 11) & IOAPIC_REMOTE_IRR);
	/* Not again before the CPU has handled it. */
	ioapic_set_irq(&io, 11, 0);
	ioapic_set_irq(&io, 11, 1);
	ck_assert_uint_eq(nsent, 1);
	ioapic_eoi(&io, 0x3c);
	ck_assert_uint_eq(nsent, 1);
	ioapic_eoi(&io, 0x3b);			/* the line is still up */
	ck_assert_uint_eq(nsent, 2);
	ioapic_set_irq(&io, 11, 0);
	ioapic_eoi(&io, 0x3b);
	ck_assert_uint_eq(nsent, 2);
	ck_assert(!(get(IOAPIC_TABLE + 2 * 11) & IOAPIC_REMOTE_IRR));
}
END_TEST

/* A level that is up when it is unmasked is sent; changed to an edge, nothing is under way. */
START_TEST(level_unmasked)
{
	ioapic_set_irq(&io, 10, 1);
	set(IOAPIC_TABLE + 2 * 10, 0x3a | IOAPIC_LEVEL | IOAPIC_MASKED);
	ck_assert_uint_eq(nsent, 0);
	set(IOAPIC_TABLE + 2 * 10, 0x3a | IOAPIC_LEVEL);
	ck_assert_uint_eq(nsent, 1);
	ck_assert_uint_eq(sent[0] & 0xff, 0x3a);
	set(IOAPIC_TABLE + 2 * 10, 0x3a);
	ck_assert_uint_eq(get(IOAPIC_TABLE + 2 * 10), 0x3a);
	ck_assert_uint_eq(nsent, 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ioapic");
	TCase *tc = tcase_create("ioapic");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, registers);
	tcase_add_test(tc, entries);
	tcase_add_test(tc, edges);
	tcase_add_test(tc, levels);
	tcase_add_test(tc, level_unmasked);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
