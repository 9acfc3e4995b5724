/* SPDX-License-Identifier: BSD-2-Clause */
#include "fakedev.h"

#include "devemu/i8254.h"

static struct fakedev f;
static struct i8254 pit;

/* The first nanosecond of input clock cycle t. */
static uint64_t ns_of(uint64_t t)
{
	return (uint64_t)(((unsigned __int128)t * 1000000000 + I8254_HZ - 1) / I8254_HZ);
}

static void timer(void *chip)
{
	i8254_timer(chip);
}

static void run_to(uint64_t tick)
{
	fakedev_run(&f, ns_of(tick), timer, &pit);
}

static void out(unsigned reg, uint8_t v)
{
	i8254_out(&pit, reg, 1, v);
}

static uint8_t in(unsigned reg)
{
	return i8254_in(&pit, reg, 1);
}

static unsigned in16(unsigned reg)
{
	unsigned low = in(reg);

	return low | in(reg) << 8;
}

/* Programs counter n; its count is loaded at the next tick. */
static void program(unsigned n, unsigned mode, uint16_t count)
{
	out(3, n << 6 | 0x30 | mode << 1);
	out(n, count & 0xff);
	out(n, count >> 8);
	if (n == 0)
		f.edges = 0;
}

static bool out_bit(unsigned n)
{
	out(3, 0xe0 | 2u << n);		/* read back the status */
	return in(n) & 0x80;
}

/* At tick 0, gate 2 on. */
static void setup(void)
{
	fakedev_init(&f);
	i8254_init(&pit, &f.s);
	i8254_port61_out(&pit, PORT61_GATE2);
	f.edges = 0;
}

/* value and OUT of counter 2 at each of n ticks from the load on */
static void expect(unsigned mode, uint16_t count, const char *outs, const uint16_t *values, int n)
{
	setup();
	program(2, mode, count);
	for (int i = 0; i < n; i++) {
		run_to(1 + i);
		ck_assert_msg(out_bit(2) == (outs[i] == '1'), "mode %u tick %d OUT", mode, i);
		ck_assert_uint_eq(in16(2), values[i]);
	}
}

START_TEST(waveforms)
{
	expect(0, 3, "000111", (uint16_t[]){ 3, 2, 1, 0, 0xffff, 0xfffe }, 6);
	expect(2, 3, "1101101", (uint16_t[]){ 3, 2, 1, 3, 2, 1, 3 }, 7);
	expect(3, 4, "1100110", (uint16_t[]){ 4, 2, 4, 2, 4, 2, 4 }, 7);
	expect(3, 5, "11100111", (uint16_t[]){ 4, 2, 0, 4, 2, 4, 2, 0 }, 8);
	expect(4, 3, "111011", (uint16_t[]){ 3, 2, 1, 0, 0xffff, 0xfffe }, 6);
	/* Modes 6 and 7 are 2 and 3. */
	expect(6, 3, "1101", (uint16_t[]){ 3, 2, 1, 3 }, 4);
	expect(7, 4, "1100", (uint16_t[]){ 4, 2, 4, 2 }, 4);
}
END_TEST

START_TEST(gate_triggers_modes_1_and_5)
{
	setup();
	i8254_port61_out(&pit, 0);
	program(2, 1, 3);
	run_to(50);
	ck_assert(out_bit(2));
	i8254_port61_out(&pit, PORT61_GATE2);
	for (unsigned i = 0; i < 3; i++) {
		run_to(51 + i);
		ck_assert(!out_bit(2));
	}
	run_to(54);
	ck_assert(out_bit(2));
	i8254_port61_out(&pit, 0);
	program(2, 5, 2);
	i8254_port61_out(&pit, PORT61_GATE2);	/* loaded at 55 */
	run_to(56);
	ck_assert(out_bit(2));
	run_to(57);
	ck_assert(!out_bit(2));
	run_to(58);
	ck_assert(out_bit(2));
}
END_TEST

START_TEST(gate_stops_counting)
{
	setup();
	program(2, 0, 10);
	run_to(5);
	ck_assert_uint_eq(in16(2), 6);
	i8254_port61_out(&pit, 0);
	run_to(100);
	ck_assert_uint_eq(in16(2), 6);
	ck_assert(!(i8254_port61_in(&pit) & PORT61_OUT2));
	i8254_port61_out(&pit, PORT61_GATE2);
	run_to(105);
	ck_assert(!(i8254_port61_in(&pit) & PORT61_OUT2));
	run_to(106);
	ck_assert(i8254_port61_in(&pit) & PORT61_OUT2);
	program(2, 2, 10);			/* here a rising gate starts anew */
	run_to(109);
	i8254_port61_out(&pit, 0);
	ck_assert(out_bit(2));
	run_to(200);
	i8254_port61_out(&pit, PORT61_GATE2);
	run_to(203);
	ck_assert_uint_eq(in16(2), 8);
}
END_TEST

START_TEST(bcd_and_access_modes)
{
	setup();
	out(3, 0xb1);				/* counter 2, mode 0, BCD */
	out(2, 0x00);
	out(2, 0x10);
	run_to(2);
	ck_assert_uint_eq(in16(2), 0x0999);
	run_to(1002);
	ck_assert_uint_eq(in16(2), 0x9999);
	out(3, 0xa0);				/* high byte only: the low one is 0 */
	out(2, 0x02);
	run_to(1004);
	ck_assert_uint_eq(in(2), 0x01);
	out(3, 0x90);				/* low byte only */
	out(2, 0x20);
	run_to(1006);
	ck_assert_uint_eq(in(2), 0x1f);
}
END_TEST

START_TEST(latch_holds_until_it_is_read)
{
	setup();
	program(0, 2, 1000);
	run_to(101);
	out(3, 0x00);
	run_to(201);
	out(3, 0x00);				/* ignored: latched already */
	ck_assert_uint_eq(in(0), 900 & 0xff);
	run_to(301);
	ck_assert_uint_eq(in(0), 900 >> 8);
	ck_assert_uint_eq(in16(0), 700);
}
END_TEST

START_TEST(read_back_latches_several)
{
	setup();
	program(0, 2, 1000);
	program(2, 3, 500);
	run_to(11);
	out(3, 0xca);				/* count and status of 0 and 2 */
	run_to(21);
	ck_assert_uint_eq(in(0), 0xb4);		/* OUT, both bytes, mode 2 */
	ck_assert_uint_eq(in16(0), 990);
	ck_assert_uint_eq(in(2), 0xb6);
	ck_assert_uint_eq(in16(2), 480);
	ck_assert_uint_eq(in16(0), 980);
}
END_TEST

START_TEST(null_count_until_loaded)
{
	setup();
	out(3, 0xb4);
	out(3, 0xe8);
	ck_assert_uint_eq(in(2), 0xf4);		/* no count yet */
	out(2, 100);
	out(2, 0);
	run_to(1);
	out(3, 0xe8);
	ck_assert_uint_eq(in(2), 0xb4);
	out(2, 50);
	out(2, 0);
	run_to(100);
	out(3, 0xe8);
	ck_assert_uint_eq(in(2), 0x74);		/* the old period ends first; OUT is low */
	ck_assert_uint_eq(in16(2), 1);
	run_to(101);
	out(3, 0xe8);
	ck_assert_uint_eq(in(2), 0xb4);
	ck_assert_uint_eq(in16(2), 50);
}
END_TEST

START_TEST(mode_3_takes_a_new_count_after_half_a_period)
{
	setup();
	program(0, 3, 100);
	run_to(11);
	out(0, 20);
	out(0, 0);
	run_to(50);
	ck_assert_uint_eq(in16(0), 2);
	run_to(51);				/* the low half is 10 ticks long now */
	ck_assert(!out_bit(0));
	ck_assert_uint_eq(in16(0), 20);
	run_to(60);
	ck_assert(!out_bit(0));
	ck_assert_uint_eq(f.edges, 0);
	run_to(61);
	ck_assert(out_bit(0));
	ck_assert_uint_eq(f.edges, 1);
	run_to(81);
	ck_assert_uint_eq(f.edges, 2);
}
END_TEST

START_TEST(periodic_interrupts_do_not_drift)
{
	const uint64_t hour = 3600ull * 1000000000;

	setup();
	program(0, 2, 11932);			/* 100 Hz, a little off */
	fakedev_run(&f, hour, timer, &pit);
	/* The first edge comes one tick and a period after the write. */
	ck_assert_uint_eq(f.edges, (3600ull * I8254_HZ - 1) / 11932);
	ck_assert_int_eq(f.irq, 1);
}
END_TEST

START_TEST(missed_periods_give_one_interrupt_in_phase)
{
	setup();
	program(0, 2, 1000);
	f.now = ns_of(50501);			/* nobody served 50 deadlines */
	i8254_timer(&pit);
	ck_assert_uint_eq(f.edges, 1);
	ck_assert_uint_eq(f.deadline, ns_of(51001));
	ck_assert_uint_eq(in16(0), 500);
	run_to(51001);
	ck_assert_uint_eq(f.edges, 2);
}
END_TEST

START_TEST(one_shots)
{
	setup();
	program(0, 0, 100);
	ck_assert_int_eq(f.irq, 0);
	ck_assert_uint_eq(f.deadline, ns_of(101));
	run_to(100);
	ck_assert_uint_eq(f.edges, 0);
	run_to(1000000);
	ck_assert_uint_eq(f.edges, 1);
	ck_assert_uint_eq(f.deadline, DEV_NO_DEADLINE);
	/* Linux's: mode 4, and again and again without a control word. */
	program(0, 4, 100);
	run_to(1000101);
	ck_assert_uint_eq(f.edges, 0);
	run_to(1000102);
	ck_assert_uint_eq(f.edges, 1);
	out(0, 50);
	out(0, 0);
	run_to(1000153);
	ck_assert_uint_eq(f.edges, 1);
	run_to(1000154);
	ck_assert_uint_eq(f.edges, 2);
	run_to(2000000);
	ck_assert_uint_eq(f.edges, 2);
}
END_TEST

START_TEST(mode_0_stops_at_the_first_byte)
{
	setup();
	program(0, 0, 100);
	run_to(50);
	out(0, 0x10);
	ck_assert_uint_eq(f.deadline, DEV_NO_DEADLINE);
	run_to(500);
	ck_assert_uint_eq(f.edges, 0);
	out(0, 0);
	run_to(516);
	ck_assert_uint_eq(f.edges, 0);
	run_to(517);
	ck_assert_uint_eq(f.edges, 1);
}
END_TEST

START_TEST(reading_past_the_edge_raises_the_interrupt)
{
	setup();
	program(0, 2, 1000);
	f.now = ns_of(1001);			/* the timer is late */
	ck_assert_uint_eq(in16(0), 1000);
	ck_assert_uint_eq(f.edges, 1);
	i8254_timer(&pit);
	ck_assert_uint_eq(f.edges, 1);
	ck_assert_uint_eq(f.deadline, ns_of(2001));
}
END_TEST

START_TEST(an_early_timer_is_armed_again)
{
	setup();
	program(0, 2, 1000);
	f.now = ns_of(500);
	f.deadline = DEV_NO_DEADLINE;
	i8254_timer(&pit);
	ck_assert_uint_eq(f.edges, 0);
	ck_assert_uint_eq(f.deadline, ns_of(1001));
}
END_TEST

START_TEST(port_61)
{
	unsigned toggles = 0;
	uint8_t last;

	setup();
	i8254_port61_out(&pit, 0xff);
	ck_assert_uint_eq(i8254_port61_in(&pit) & 0xcf, 0x0f);
	last = i8254_port61_in(&pit);
	for (uint64_t t = 0; t < 36000; t++) {
		uint8_t v;

		run_to(t);
		v = i8254_port61_in(&pit);
		toggles += (v ^ last) >> 4 & 1;
		last = v;
	}
	ck_assert_uint_eq(toggles, 1999);	/* every 18 ticks, the first at 19 */
}
END_TEST

START_TEST(after_reset_as_the_bios_leaves_it)
{
	setup();
	out(3, 0xee);
	ck_assert_uint_eq(in(0) & 0x3f, 0x36);
	ck_assert_uint_eq(in(1) & 0x3f, 0x14);
	ck_assert_uint_eq(in(2) & 0x3f, 0x36);
	run_to(65537);
	ck_assert_uint_eq(f.edges, 1);
}
END_TEST

START_TEST(wide_and_bad_accesses)
{
	setup();
	program(0, 2, 1);			/* illegal counts */
	run_to(1000);
	program(0, 3, 1);
	run_to(2000);
	ck_assert_uint_eq(f.edges, 0);
	ck_assert_uint_eq(i8254_in(&pit, 3, 1), 0xff);
	ck_assert_uint_eq(i8254_in(&pit, 3, 4), 0xffffffff);
	i8254_out(&pit, 2, 4, 0xffffffff);
	f.now = UINT64_MAX / 2;
	ck_assert_uint_eq(in(0), 0);
}
END_TEST

/* Whatever is written, the next edge lies ahead and the timer waits for it. */
START_TEST(nonsense_is_survived)
{
	setup();
	srand(1);
	for (unsigned i = 0; i < 300000; i++) {
		uint64_t tick, step = (uint64_t)rand() % (i % 100 ? 3000 : 200000000);

		fakedev_run(&f, f.now + step, timer, &pit);
		i8254_out(&pit, rand() % 5, 1 << rand() % 3, (uint32_t)rand());
		i8254_in(&pit, rand() % 5, 1 << rand() % 3);
		i8254_port61_out(&pit, rand() & 0xff);
		i8254_port61_in(&pit);
		tick = dev_clock_ticks(&pit.clock, f.now);
		ck_assert_uint_gt(pit.edge, tick);
		ck_assert_uint_gt(f.deadline, f.now);
		if (pit.edge == DEV_NO_TICK)
			ck_assert_uint_eq(f.deadline, DEV_NO_DEADLINE);
		else
			ck_assert_uint_eq(f.deadline, ns_of(pit.edge));
	}
}
END_TEST

START_TEST(clock_is_exact)
{
	static const uint32_t rates[] = { 1, 32768, I8254_HZ, (1u << 24) - 1 };

	srand(1);
	for (size_t r = 0; r < sizeof(rates) / sizeof(rates[0]); r++) {
		struct dev_clock c = { .hz = rates[r] };
		uint64_t ns = 0;

		for (int i = 0; i < 100000; i++) {
			uint64_t t = dev_clock_ticks(&c, ns), next;
			unsigned __int128 cycles = (unsigned __int128)ns * c.hz;

			ck_assert_uint_eq(t, (uint64_t)(cycles / 1000000000));
			next = dev_clock_ns(&c, t + 1);
			ck_assert_uint_eq(dev_clock_ticks(&c, next - 1), t);
			ck_assert_uint_eq(dev_clock_ticks(&c, next), t + 1);
			ns = next + (uint64_t)rand() % (i % 10 ? 3000000u : 3000000000u);
		}
	}
}
END_TEST

FAKEDEV_MAIN("i8254", waveforms, gate_triggers_modes_1_and_5, gate_stops_counting,
	     bcd_and_access_modes, latch_holds_until_it_is_read, read_back_latches_several,
	     null_count_until_loaded, mode_3_takes_a_new_count_after_half_a_period,
	     periodic_interrupts_do_not_drift, missed_periods_give_one_interrupt_in_phase,
	     one_shots, mode_0_stops_at_the_first_byte, reading_past_the_edge_raises_the_interrupt,
	     an_early_timer_is_armed_again, port_61, after_reset_as_the_bios_leaves_it,
	     wide_and_bad_accesses, nonsense_is_survived, clock_is_exact)
