/* SPDX-License-Identifier: BSD-2-Clause */
#include "fakedev.h"

#include "devemu/mc146818.h"

#include <time.h>

#define SEC 1000000000ull

static struct fakedev f;
static struct mc146818 rtc;

static void timer(void *chip)
{
	mc146818_timer(chip);
}

static void run(uint64_t ns)
{
	fakedev_run(&f, ns, timer, &rtc);
}

static uint8_t in(unsigned at)
{
	mc146818_out(&rtc, 0, 1, at);
	return mc146818_in(&rtc, 1, 1);
}

static void out(unsigned at, uint8_t v)
{
	mc146818_out(&rtc, 0, 1, at);
	mc146818_out(&rtc, 1, 1, v);
}

static void setup(int64_t wallclock)
{
	fakedev_init(&f);
	f.wallclock = wallclock;
	mc146818_init(&rtc, &f.s);
}

static const uint8_t time_regs[] = {
	RTC_CENTURY, RTC_YEAR, RTC_MONTH, RTC_MDAY, RTC_WDAY, RTC_HOUR, RTC_MIN, RTC_SEC,
};

static void expect_time(const uint8_t want[8])
{
	for (unsigned i = 0; i < 8; i++)
		ck_assert_msg(in(time_regs[i]) == want[i], "register %u: 0x%x, not 0x%x",
			      time_regs[i], in(time_regs[i]), want[i]);
}

static void set_time(const uint8_t v[8])
{
	uint8_t b = in(RTC_B);

	out(RTC_B, b | 0x80);
	for (unsigned i = 0; i < 8; i++)
		out(time_regs[i], v[i]);
	out(RTC_B, b & ~0x80);
}

START_TEST(shows_the_wall_clock)
{
	setup(1795254896);			/* 2026-11-21 09:54:56 UTC, a Saturday */
	expect_time((uint8_t[]){ 0x20, 0x26, 0x11, 0x21, 7, 0x09, 0x54, 0x56 });
	f.now = 4 * SEC;
	expect_time((uint8_t[]){ 0x20, 0x26, 0x11, 0x21, 7, 0x09, 0x55, 0x00 });
	out(RTC_B, 0x06);			/* binary */
	expect_time((uint8_t[]){ 0x20, 26, 11, 21, 7, 9, 55, 0 });
	f.now = (5 * 3600 + 4) * SEC;
	out(RTC_B, 0x00);			/* BCD, 12 hours */
	expect_time((uint8_t[]){ 0x20, 0x26, 0x11, 0x21, 7, 0x82, 0x55, 0x00 });
	ck_assert_uint_eq(in(RTC_D), 0x80);
}
END_TEST

START_TEST(midnight_and_noon_in_12_hours)
{
	setup(0);
	out(RTC_B, 0x00);
	expect_time((uint8_t[]){ 0x19, 0x70, 0x01, 0x01, 5, 0x12, 0x00, 0x00 });
	f.now = 12 * 3600 * SEC;
	expect_time((uint8_t[]){ 0x19, 0x70, 0x01, 0x01, 5, 0x92, 0x00, 0x00 });
	out(RTC_HOUR, 0x12);
	out(RTC_B, 0x02);
	ck_assert_uint_eq(in(RTC_HOUR), 0x00);
}
END_TEST

/* Every few days over 400 years, against the C library. */
START_TEST(calendar)
{
	for (int64_t t = 0; t < 146097ll * 86400; t += 5 * 86400 + 3607) {
		time_t tt = (time_t)t;
		struct tm tm;
		int year;

		gmtime_r(&tt, &tm);
		year = tm.tm_year + 1900;
		setup(t);
		out(RTC_B, 0x06);
		expect_time((uint8_t[]){
			year / 1000 << 4 | year / 100 % 10, year % 100, tm.tm_mon + 1, tm.tm_mday,
			tm.tm_wday + 1, tm.tm_hour, tm.tm_min, tm.tm_sec,
		});
		out(RTC_SEC, tm.tm_sec);	/* reads the registers back */
		ck_assert_int_eq(rtc.sec, t);
	}
}
END_TEST

START_TEST(setting_the_clock)
{
	setup(1000000000);
	f.now = 300000000;
	set_time((uint8_t[]){ 0x20, 0x24, 0x02, 0x28, 4, 0x23, 0x59, 0x59 });
	f.now = 999000000;			/* the divider was not touched */
	expect_time((uint8_t[]){ 0x20, 0x24, 0x02, 0x28, 4, 0x23, 0x59, 0x59 });
	f.now = SEC;
	expect_time((uint8_t[]){ 0x20, 0x24, 0x02, 0x29, 5, 0x00, 0x00, 0x00 });
	out(RTC_B, 0x82);			/* SET: the registers stand */
	f.now = 10 * SEC;
	ck_assert_uint_eq(in(RTC_SEC), 0);
	ck_assert_uint_eq(in(RTC_C) & 0x10, 0x10);	/* from before */
	f.now = 11 * SEC;
	ck_assert_uint_eq(in(RTC_C) & 0x10, 0);
	out(RTC_B, 0x02);
	f.now = 12 * SEC;
	ck_assert_uint_eq(in(RTC_SEC), 1);
}
END_TEST

START_TEST(divider_reset_sets_the_phase)
{
	setup(0);
	f.now = SEC / 10;
	out(RTC_A, 0x76);
	f.now = 5 * SEC + SEC / 4;
	ck_assert_uint_eq(in(RTC_SEC), 0);
	out(RTC_A, 0x26);
	f.now += SEC / 2 - 100000;
	ck_assert_uint_eq(in(RTC_SEC), 0);
	f.now += 200000;
	ck_assert_uint_eq(in(RTC_SEC), 1);
}
END_TEST

START_TEST(update_in_progress)
{
	setup(0);
	ck_assert_uint_eq(in(RTC_A), 0x26);
	f.now = SEC - 2300000;
	ck_assert_uint_eq(in(RTC_A), 0x26);
	f.now = SEC - 2000000;
	ck_assert_uint_eq(in(RTC_A), 0xa6);
	ck_assert_uint_eq(in(RTC_SEC), 0);
	f.now = SEC;
	ck_assert_uint_eq(in(RTC_A), 0x26);
	ck_assert_uint_eq(in(RTC_SEC), 1);
	f.now = 2 * SEC - 1000000;
	out(RTC_B, 0x82);
	ck_assert_uint_eq(in(RTC_A), 0x26);
}
END_TEST

START_TEST(periodic_interrupt)
{
	unsigned n = 0;

	setup(0);
	out(RTC_B, 0x42);
	while (f.deadline <= SEC) {		/* 1024 Hz */
		run(f.deadline);
		ck_assert_int_eq(f.irq, 1);
		ck_assert_uint_eq(f.deadline, DEV_NO_DEADLINE);
		ck_assert_uint_eq(in(RTC_C) & 0xc0, 0xc0);
		ck_assert_int_eq(f.irq, 0);
		ck_assert_uint_eq(in(RTC_C), 0);
		n++;
	}
	ck_assert_uint_eq(n, 1024);
	out(RTC_A, 0x2f);			/* 2 Hz */
	ck_assert_uint_eq(f.deadline, SEC + SEC / 2);
	out(RTC_A, 0x21);			/* 256 Hz */
	ck_assert_uint_eq(f.deadline, SEC + SEC / 256);
	out(RTC_A, 0x20);			/* none */
	ck_assert_uint_eq(f.deadline, DEV_NO_DEADLINE);
}
END_TEST

START_TEST(unserviced_interrupts_do_not_storm)
{
	setup(0);
	out(RTC_B, 0x42);
	run(3600 * SEC);
	ck_assert_uint_eq(f.edges, 1);
	in(RTC_C);
	ck_assert_uint_eq(f.deadline, 3600 * SEC + SEC / 1024 + 1);
	run(3601 * SEC);
	ck_assert_uint_eq(f.edges, 2);
}
END_TEST

START_TEST(update_interrupt)
{
	setup(0);
	out(RTC_B, 0x12);
	ck_assert_uint_eq(f.deadline, SEC);
	run(SEC);
	ck_assert_int_eq(f.irq, 1);
	ck_assert_uint_eq(in(RTC_SEC), 1);
	ck_assert_uint_eq(in(RTC_C) & 0x90, 0x90);
	ck_assert_uint_eq(f.deadline, 2 * SEC);
	out(RTC_B, 0x92);			/* SET clears UIE */
	ck_assert_uint_eq(in(RTC_B), 0x82);
	run(10 * SEC);
	ck_assert_uint_eq(f.edges, 1);
}
END_TEST

START_TEST(flags_are_set_without_interrupts)
{
	setup(86399);				/* the alarm is at 0:00:00 */
	ck_assert_uint_eq(in(RTC_C), 0);
	f.now = SEC;
	ck_assert_uint_eq(in(RTC_C), 0x70);
	f.now = 2 * SEC;
	ck_assert_uint_eq(in(RTC_C), 0x50);
	ck_assert_uint_eq(f.edges, 0);
}
END_TEST

START_TEST(alarm)
{
	setup(86400 - 10);			/* 23:59:50 */
	out(RTC_SEC_ALARM, 0x30);
	out(RTC_MIN_ALARM, 0x01);
	out(RTC_HOUR_ALARM, 0x00);
	out(RTC_B, 0x22);
	ck_assert_uint_eq(f.deadline, 100 * SEC);
	run(100 * SEC);
	ck_assert_int_eq(f.irq, 1);
	ck_assert_uint_eq(in(RTC_C) & 0xa0, 0xa0);
	ck_assert_uint_eq(f.deadline, (100 + 86400) * SEC);
	out(RTC_HOUR_ALARM, 0xff);		/* each hour */
	ck_assert_uint_eq(f.deadline, (100 + 3600) * SEC);
	out(RTC_MIN_ALARM, 0xc0);
	ck_assert_uint_eq(f.deadline, (100 + 60) * SEC);
	out(RTC_SEC_ALARM, 0xc0);
	ck_assert_uint_eq(f.deadline, 101 * SEC);
	out(RTC_SEC_ALARM, 0x77);		/* never */
	ck_assert_uint_eq(f.deadline, DEV_NO_DEADLINE);
}
END_TEST

START_TEST(alarm_in_12_hours)
{
	setup(0);
	out(RTC_B, 0x20);
	out(RTC_HOUR_ALARM, 0x92);		/* noon */
	ck_assert_uint_eq(f.deadline, 12 * 3600 * SEC);
	out(RTC_HOUR_ALARM, 0x12);		/* midnight */
	ck_assert_uint_eq(f.deadline, 86400 * SEC);
}
END_TEST

static unsigned word(unsigned at)
{
	return in(at) | in(at + 1) << 8;
}

START_TEST(memory_size)
{
	unsigned sum = 0;

	setup(0);
	mc146818_set_memory(&rtc, 512ull << 20);
	ck_assert_uint_eq(word(CMOS_BASE_MEM), 640);
	ck_assert_uint_eq(word(CMOS_EXT_MEM), 65535);
	ck_assert_uint_eq(word(CMOS_EXT_MEM_BIOS), 65535);
	ck_assert_uint_eq(word(CMOS_EXT16_MEM), (512 - 16) * 16);
	for (unsigned i = 0x10; i < 0x2e; i++)
		sum += in(i);
	ck_assert_uint_eq(in(0x2e) << 8 | in(0x2f), sum);
	ck_assert_uint_eq(in(CMOS_EQUIPMENT), 0x02);
	ck_assert_uint_eq(in(CMOS_FLOPPY), 0);
	mc146818_set_memory(&rtc, 8ull << 20);
	ck_assert_uint_eq(word(CMOS_EXT_MEM), 7 * 1024);
	ck_assert_uint_eq(word(CMOS_EXT16_MEM), 0);
	mc146818_set_memory(&rtc, 1ull << 40);
	ck_assert_uint_eq(word(CMOS_EXT16_MEM), 65535);
}
END_TEST

START_TEST(memory_keeps_what_is_written)
{
	setup(0);
	for (unsigned i = 0x0e; i < 0x80; i++)
		if (i != RTC_CENTURY)
			out(i, 0xa5 ^ i);
	out(RTC_D, 0);
	out(RTC_B, 0x72);
	mc146818_reset(&rtc);
	ck_assert_uint_eq(in(RTC_B), 0x02);
	ck_assert_uint_eq(in(RTC_D), 0x80);
	for (unsigned i = 0x0e; i < 0x80; i++)
		if (i != RTC_CENTURY)
			ck_assert_uint_eq(in(i | 0x80), 0xa5 ^ i);	/* NMI masked */
	ck_assert_uint_eq(mc146818_in(&rtc, 0, 1), 0xff);
	ck_assert_uint_eq(f.deadline, DEV_NO_DEADLINE);
}
END_TEST

START_TEST(nonsense_is_survived)
{
	setup(INT64_MAX);
	srand(1);
	for (unsigned i = 0; i < 200000; i++) {
		f.now += (uint64_t)rand() % (3 * SEC);
		mc146818_out(&rtc, rand() % 3, 1 << rand() % 3, (uint32_t)rand() % 64 |
			     (uint32_t)rand() << 8);
		mc146818_in(&rtc, rand() % 3, 1 << rand() % 3);
		if (f.deadline <= f.now)
			mc146818_timer(&rtc);
		/* The line is right after each access. */
		ck_assert_int_eq(f.irq, !!(rtc.ram[RTC_C] & 0x80));
	}
}
END_TEST

FAKEDEV_MAIN("mc146818", shows_the_wall_clock, midnight_and_noon_in_12_hours, calendar,
	     setting_the_clock, divider_reset_sets_the_phase, update_in_progress,
	     periodic_interrupt, unserviced_interrupts_do_not_storm, update_interrupt,
	     flags_are_set_without_interrupts, alarm, alarm_in_12_hours, memory_size,
	     memory_keeps_what_is_written, nonsense_is_survived)
