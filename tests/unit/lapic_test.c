/* SPDX-License-Identifier: BSD-2-Clause */
#include "fakedev.h"

#include "devemu/lapic.h"

static struct fakedev f;
static struct lapic apic;
static struct lapic_services bus;
static uint8_t ended[16];
static unsigned nended;

static void eoi(void *ctx, uint8_t vector)
{
	ck_assert_ptr_eq(ctx, &apic);
	ended[nended++ % 16] = vector;
}

static uint32_t get(unsigned reg)
{
	return lapic_in(&apic, reg, 4);
}

static void set(unsigned reg, uint32_t v)
{
	lapic_out(&apic, reg, 4, v);
}

static void entry(unsigned n, uint32_t v)
{
	set(LAPIC_LVT + 16 * n, v);
}

/* Enabled by software, with a spurious vector. */
static void setup(void)
{
	fakedev_init(&f);
	bus = (struct lapic_services){ .ctx = &apic, .eoi = eoi };
	lapic_init(&apic, &f.s, &bus);
	set(LAPIC_SVR, 0x1ef);
	nended = 0;
}

static void timer(void *chip)
{
	lapic_timer(chip);
}

static void run(uint64_t ns)
{
	fakedev_run(&f, f.now + ns, timer, &apic);
}

/* Taken and handled. */
static void take(uint8_t vector)
{
	ck_assert(lapic_pending(&apic));
	ck_assert_uint_eq(lapic_ack(&apic), vector);
	set(LAPIC_EOI, 0);
}

START_TEST(after_reset)
{
	setup();
	set(LAPIC_TPR, 0x40);
	lapic_request(&apic, 0x30, true);
	lapic_reset(&apic);
	ck_assert_uint_eq(get(LAPIC_VERSION), 0x00050014);
	ck_assert_uint_eq(get(LAPIC_ID), 0);
	ck_assert_uint_eq(get(LAPIC_TPR), 0);
	ck_assert_uint_eq(get(LAPIC_LDR), 0);
	ck_assert_uint_eq(get(LAPIC_DFR), 0xffffffff);
	ck_assert_uint_eq(get(LAPIC_SVR), 0xff);
	for (unsigned i = 0; i < 24; i++)
		ck_assert_uint_eq(get(LAPIC_ISR + 16 * i), 0);
	for (unsigned n = 0; n < LVT_COUNT; n++)
		ck_assert_uint_eq(get(LAPIC_LVT + 16 * n), LAPIC_MASKED);
	ck_assert_uint_eq(get(LAPIC_INITIAL_COUNT) | get(LAPIC_CURRENT_COUNT), 0);
	ck_assert(!lapic_pending(&apic) && !lapic_extint(&apic));
}
END_TEST

START_TEST(registers)
{
	static const struct { unsigned reg; uint32_t reads; } rows[] = {
		{ LAPIC_ID, 0x0f000000 }, { LAPIC_VERSION, 0x00050014 }, { LAPIC_TPR, 0xff },
		{ LAPIC_PPR, 0xff }, { LAPIC_EOI, 0 }, { LAPIC_LDR, 0xff000000 },
		{ LAPIC_DFR, 0xffffffff }, { LAPIC_SVR, 0x3ff }, { LAPIC_ISR, 0 },
		{ LAPIC_TMR + 0x70, 0 }, { LAPIC_IRR, 0 }, { LAPIC_ICR_HIGH, 0xff000000 },
		{ LAPIC_LVT + 0x00, 0x300ff }, { LAPIC_LVT + 0x10, 0x107ff },
		{ LAPIC_LVT + 0x20, 0x107ff }, { LAPIC_LVT + 0x30, 0x1a7ff },
		{ LAPIC_LVT + 0x40, 0x1a7ff }, { LAPIC_LVT + 0x50, 0x100ff },
		{ LAPIC_INITIAL_COUNT, 0xffffffff }, { LAPIC_DIVIDE, 0xb },
	};

	setup();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		set(rows[i].reg, 0xffffffff);
		ck_assert_msg(get(rows[i].reg) == rows[i].reads, "register %x reads %x",
			      rows[i].reg, get(rows[i].reg));
	}
	/* Accesses that are no registers' have no effect. */
	lapic_out(&apic, LAPIC_TPR, 1, 0);
	lapic_out(&apic, LAPIC_TPR + 4, 4, 0);
	ck_assert_uint_eq(get(LAPIC_TPR), 0xff);
}
END_TEST

/* The class of 16 vectors decides. */
START_TEST(priorities)
{
	setup();
	lapic_request(&apic, 0x31, false);
	lapic_request(&apic, 0x52, false);
	lapic_request(&apic, 0x3f, false);
	ck_assert_uint_eq(get(LAPIC_IRR + 0x10), 1u << 31 | 1u << 17);
	ck_assert_uint_eq(get(LAPIC_IRR + 0x20), 1u << 18);
	ck_assert_uint_eq(lapic_ack(&apic), 0x52);
	ck_assert_uint_eq(get(LAPIC_ISR + 0x20), 1u << 18);
	ck_assert_uint_eq(get(LAPIC_IRR + 0x20), 0);
	ck_assert_uint_eq(get(LAPIC_PPR), 0x50);
	ck_assert(!lapic_pending(&apic));
	lapic_request(&apic, 0x5f, false);	/* the same class */
	ck_assert(!lapic_pending(&apic));
	lapic_request(&apic, 0x60, false);
	take(0x60);
	set(LAPIC_EOI, 0);			/* of 52 */
	take(0x5f);
	take(0x3f);
	take(0x31);
	ck_assert(!lapic_pending(&apic));
	ck_assert_uint_eq(lapic_ack(&apic), 0xef);
	ck_assert_uint_eq(get(LAPIC_ISR + 0x70), 0);	/* spurious: not in service */
}
END_TEST

START_TEST(task_priority)
{
	setup();
	set(LAPIC_TPR, 0x4f);
	lapic_request(&apic, 0x4f, false);
	ck_assert(!lapic_pending(&apic));
	ck_assert_uint_eq(get(LAPIC_PPR), 0x4f);
	lapic_request(&apic, 0x50, false);
	ck_assert(lapic_pending(&apic));
	ck_assert_uint_eq(lapic_ack(&apic), 0x50);
	ck_assert_uint_eq(get(LAPIC_PPR), 0x50);
	set(LAPIC_EOI, 0);
	set(LAPIC_TPR, 0x3f);
	take(0x4f);
}
END_TEST

/* The I/O APIC hears of the end of those that were level-triggered. */
START_TEST(end_of_interrupt)
{
	setup();
	lapic_request(&apic, 0x40, true);
	ck_assert_uint_eq(get(LAPIC_TMR + 0x20), 1);
	take(0x40);
	ck_assert_uint_eq(nended, 1);
	ck_assert_uint_eq(ended[0], 0x40);
	lapic_request(&apic, 0x40, false);
	take(0x40);
	ck_assert_uint_eq(nended, 1);
	set(LAPIC_EOI, 0);			/* nothing is in service */
	ck_assert_uint_eq(nended, 1);
}
END_TEST

START_TEST(disabled_by_software)
{
	setup();
	entry(LVT_TIMER, 0x40);
	entry(LVT_LINT0, 0x700);
	lapic_request(&apic, 0x31, false);
	ck_assert(lapic_extint(&apic));
	set(LAPIC_SVR, 0xef);
	ck_assert(!lapic_pending(&apic) && !lapic_extint(&apic));
	ck_assert_uint_eq(get(LAPIC_LVT), 0x40 | LAPIC_MASKED);
	entry(LVT_TIMER, 0x40);
	ck_assert_uint_eq(get(LAPIC_LVT), 0x40 | LAPIC_MASKED);
	lapic_request(&apic, 0x32, false);
	set(LAPIC_SVR, 0x1ef);
	take(0x31);				/* came before */
	ck_assert(!lapic_pending(&apic));
}
END_TEST

START_TEST(virtual_wire)
{
	setup();
	lapic_reset(&apic);
	lapic_setup(&apic);
	ck_assert(lapic_extint(&apic));
	ck_assert_uint_eq(get(LAPIC_LVT + 16 * LVT_LINT0), 0x700);
	ck_assert_uint_eq(get(LAPIC_LVT + 16 * LVT_LINT1), 0x400);
	entry(LVT_LINT0, 0x700 | LAPIC_MASKED);
	ck_assert(!lapic_extint(&apic));
	entry(LVT_LINT0, 0x31);			/* fixed: no longer the 8259s' */
	ck_assert(!lapic_extint(&apic));
}
END_TEST

START_TEST(timer_once)
{
	setup();
	entry(LVT_TIMER, 0x40);
	set(LAPIC_DIVIDE, 0xb);			/* by 1 */
	set(LAPIC_INITIAL_COUNT, 1000);
	ck_assert_uint_eq(get(LAPIC_CURRENT_COUNT), 1000);
	run(400);
	ck_assert_uint_eq(get(LAPIC_CURRENT_COUNT), 600);
	run(599);
	ck_assert(!lapic_pending(&apic));
	run(1);
	ck_assert_uint_eq(get(LAPIC_CURRENT_COUNT), 0);
	take(0x40);
	run(100000);
	ck_assert(!lapic_pending(&apic));
	ck_assert_uint_eq(f.deadline, DEV_NO_DEADLINE);
	ck_assert_uint_eq(get(LAPIC_INITIAL_COUNT), 1000);
	/* Whoever reads first, the interrupt comes once. */
	set(LAPIC_INITIAL_COUNT, 10);
	f.now += 10;
	ck_assert_uint_eq(get(LAPIC_CURRENT_COUNT), 0);
	take(0x40);
	run(0);
	ck_assert(!lapic_pending(&apic));
	/* 0 stops it. */
	set(LAPIC_INITIAL_COUNT, 10);
	set(LAPIC_INITIAL_COUNT, 0);
	run(1000);
	ck_assert(!lapic_pending(&apic));
}
END_TEST

START_TEST(timer_periodic)
{
	setup();
	entry(LVT_TIMER, 0x41 | LAPIC_PERIODIC);
	set(LAPIC_DIVIDE, 0xb);
	set(LAPIC_INITIAL_COUNT, 1000);
	for (unsigned i = 0; i < 3; i++) {
		run(999);
		ck_assert(!lapic_pending(&apic));
		run(1);
		take(0x41);
	}
	/* Periods that were missed give one interrupt, in phase. */
	f.now += 5300;
	ck_assert_uint_eq(get(LAPIC_CURRENT_COUNT), 700);
	take(0x41);
	run(0);
	ck_assert(!lapic_pending(&apic));
	run(700);
	take(0x41);
	/* Masked it goes on counting, without interrupts. */
	entry(LVT_TIMER, 0x41 | LAPIC_PERIODIC | LAPIC_MASKED);
	run(1500);
	ck_assert_uint_eq(get(LAPIC_CURRENT_COUNT), 500);
	ck_assert(!lapic_pending(&apic));
	entry(LVT_TIMER, 0x41 | LAPIC_PERIODIC);
	run(500);
	take(0x41);
}
END_TEST

static const uint8_t divisors[] = { 0x0, 0x1, 0x2, 0x3, 0x8, 0x9, 0xa, 0xb };

START_TEST(timer_divisors)
{
	for (unsigned i = 0; i < 8; i++) {
		unsigned by = i == 7 ? 1 : 2u << i;

		setup();
		set(LAPIC_DIVIDE, divisors[i]);
		entry(LVT_TIMER, 0x40);
		set(LAPIC_INITIAL_COUNT, 100);
		run(by * 40u);
		ck_assert_uint_eq(get(LAPIC_CURRENT_COUNT), 60);
		/* A change keeps the count. */
		set(LAPIC_DIVIDE, 0x1);
		run(4 * 59u);
		ck_assert_uint_eq(get(LAPIC_CURRENT_COUNT), 1);
		run(4);
		take(0x40);
	}
}
END_TEST

START_TEST(timer_bounds)
{
	setup();
	set(LAPIC_DIVIDE, 0xa);			/* by 128 */
	entry(LVT_TIMER, 0x40 | LAPIC_PERIODIC);
	set(LAPIC_INITIAL_COUNT, 0xffffffff);
	run(128ull * 0xffffffff - 1);
	ck_assert_uint_eq(get(LAPIC_CURRENT_COUNT), 1);
	run(1);
	take(0x40);
	f.now += 1ull << 60;
	get(LAPIC_CURRENT_COUNT);
	take(0x40);
	ck_assert_uint_gt(get(LAPIC_CURRENT_COUNT), 0);
}
END_TEST

START_TEST(messages_to_itself)
{
	setup();
	set(LAPIC_ICR, 0x40000 | 0x51);		/* self */
	take(0x51);
	set(LAPIC_ICR, 0x80000 | 0x52);		/* all */
	take(0x52);
	set(LAPIC_ICR, 0xc0000 | 0x53);		/* all others: nobody */
	ck_assert(!lapic_pending(&apic));
	set(LAPIC_ICR_HIGH, 0);
	set(LAPIC_ICR, 0x54);			/* its id */
	take(0x54);
	set(LAPIC_ICR_HIGH, 1u << 24);
	set(LAPIC_ICR, 0x55);
	ck_assert(!lapic_pending(&apic));
	set(LAPIC_ICR, 0x80000 | 0x8500);	/* INIT, STARTUP, NMI */
	set(LAPIC_ICR, 0x80000 | 0x4607);
	set(LAPIC_ICR, 0x80000 | 0x0400);
	ck_assert(!lapic_pending(&apic));
	ck_assert_uint_eq(get(LAPIC_ICR) & 0x1000, 0);	/* sent */
}
END_TEST

START_TEST(destinations)
{
	setup();
	set(LAPIC_ID, 3u << 24);
	ck_assert(lapic_is_destination(&apic, 3, false));
	ck_assert(!lapic_is_destination(&apic, 2, false));
	ck_assert(lapic_is_destination(&apic, 0xff, false));
	set(LAPIC_LDR, 0x12000000);
	ck_assert(lapic_is_destination(&apic, 0x02, true));	/* flat */
	ck_assert(lapic_is_destination(&apic, 0x10, true));
	ck_assert(!lapic_is_destination(&apic, 0x21, true));
	set(LAPIC_DFR, 0x0fffffff);				/* cluster 1, member 2 */
	ck_assert(lapic_is_destination(&apic, 0x13, true));
	ck_assert(!lapic_is_destination(&apic, 0x11, true));
	ck_assert(!lapic_is_destination(&apic, 0x22, true));
	ck_assert(lapic_is_destination(&apic, 0xff, true));
}
END_TEST

START_TEST(errors)
{
	setup();
	entry(LVT_ERROR, 0x45);
	set(LAPIC_ICR, 0x40000 | 0x0f);		/* a vector that sends nothing */
	ck_assert_uint_eq(get(LAPIC_ESR), 0);
	set(LAPIC_ESR, 0);
	ck_assert_uint_eq(get(LAPIC_ESR), 0x20);
	take(0x45);
	lapic_request(&apic, 0x0f, false);
	take(0x45);
	get(0x3f0);				/* no register */
	take(0x45);
	set(LAPIC_ESR, 0);
	ck_assert_uint_eq(get(LAPIC_ESR), 0xc0);
	set(LAPIC_ESR, 0);
	ck_assert_uint_eq(get(LAPIC_ESR), 0);
	/* The error's own vector may be a bad one. */
	entry(LVT_ERROR, 0x05);
	get(0x3f0);
	ck_assert(!lapic_pending(&apic));
}
END_TEST

FAKEDEV_MAIN("lapic", after_reset, registers, priorities, task_priority, end_of_interrupt,
	     disabled_by_software, virtual_wire, timer_once, timer_periodic, timer_divisors,
	     timer_bounds, messages_to_itself, destinations, errors)
