/* SPDX-License-Identifier: BSD-2-Clause */
/* Device timers in virtual time. */
#include "machine.h"

static struct vm *vm;
static unsigned a, b, fired[2];

static void fire(void *ctx)
{
	++*(unsigned *)ctx;
}

static void fire_again(void *ctx)
{
	++*(unsigned *)ctx;
	event_timer_arm(vm, a, event_now(vm) + 100);
}

static void setup(void)
{
	vm = machine_new();
	fake_host()->now = 5000;
	event_init(vm);
	fired[0] = fired[1] = 0;
	a = event_timer_new(vm, fire, &fired[0]);
	b = event_timer_new(vm, fire, &fired[1]);
}

static void teardown(void)
{
	machine_free(vm);
}

static void pass(uint64_t ns)
{
	fake_host()->now += ns;
	event_service(vm);
}

START_TEST(virtual_time_starts_at_0)
{
	ck_assert_uint_eq(event_now(vm), 0);
	fake_host()->now += 123;
	ck_assert_uint_eq(event_now(vm), 123);
}
END_TEST

START_TEST(fires_when_due_and_once)
{
	event_timer_arm(vm, a, 1000);
	ck_assert(vm->events.rearm);
	pass(999);
	ck_assert_uint_eq(fired[0], 0);
	ck_assert(!vm->events.rearm);
	pass(1);
	ck_assert_uint_eq(fired[0], 1);
	pass(100000);
	ck_assert_uint_eq(fired[0], 1);
	ck_assert_uint_eq(fired[1], 0);
}
END_TEST

/* The host's timer is set, in its own time, for the earliest deadline. */
START_TEST(host_timer)
{
	event_timer_arm(vm, a, 1000);
	event_timer_arm(vm, b, 400);
	event_service(vm);
	ck_assert_uint_eq(fake_host()->timer, 5400);
	pass(400);
	ck_assert_uint_eq(fake_host()->timer, 6000);
	pass(600);
	ck_assert_uint_eq(fake_host()->timer, 0);
	ck_assert_uint_eq(fired[0] + fired[1], 2);
}
END_TEST

START_TEST(moved_and_turned_off)
{
	event_timer_arm(vm, a, 1000);
	event_timer_arm(vm, a, 3000);
	pass(2000);
	ck_assert_uint_eq(fired[0], 0);
	ck_assert_uint_eq(fake_host()->timer, 8000);
	event_timer_arm(vm, a, UINT64_MAX);
	pass(5000);
	ck_assert_uint_eq(fired[0], 0);
	ck_assert_uint_eq(fake_host()->timer, 0);
}
END_TEST

START_TEST(periodic)
{
	unsigned i;

	vm->events.timer[a].fire = fire_again;
	event_timer_arm(vm, a, 100);
	for (i = 1; i <= 10; i++) {
		pass(100);
		ck_assert_uint_eq(fired[0], i);
		ck_assert_uint_eq(fake_host()->timer, 5000 + 100 * (i + 1));
	}
}
END_TEST

START_TEST(both_due_at_once)
{
	event_timer_arm(vm, a, 10);
	event_timer_arm(vm, b, 20);
	pass(1000);
	ck_assert_uint_eq(fired[0], 1);
	ck_assert_uint_eq(fired[1], 1);
}
END_TEST

/* A deadline that is past when it is set is served at the next occasion. */
START_TEST(late)
{
	pass(1000);
	event_timer_arm(vm, a, 500);
	pass(0);
	ck_assert_uint_eq(fired[0], 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("event");
	TCase *tc = tcase_create("timers");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, virtual_time_starts_at_0);
	tcase_add_test(tc, fires_when_due_and_once);
	tcase_add_test(tc, host_timer);
	tcase_add_test(tc, moved_and_turned_off);
	tcase_add_test(tc, periodic);
	tcase_add_test(tc, both_due_at_once);
	tcase_add_test(tc, late);
	suite_add_tcase(s, tc);
	return machine_suite(s);
}
