/* SPDX-License-Identifier: BSD-2-Clause */
#include "fakedev.h"

#include "devemu/i8259.h"

#define M I8259_MASTER
#define S I8259_SLAVE

static struct fakedev f;
static struct i8259 pic;

static void out(unsigned reg, uint8_t v)
{
	i8259_out(&pic, reg, 1, v);
}

static uint8_t in(unsigned reg)
{
	return i8259_in(&pic, reg, 1);
}

static void init_chip(unsigned reg, uint8_t base, uint8_t icw3, uint8_t icw4)
{
	out(reg, 0x11);
	out(reg + 1, base);
	out(reg + 1, icw3);
	out(reg + 1, icw4);
}

/* As a PC kernel does: vectors 0x20 and 0x28, nothing masked. */
static void setup(uint8_t icw4)
{
	fakedev_init(&f);
	i8259_init(&pic, &f.s);
	init_chip(M, 0x20, 0x04, icw4);
	init_chip(S, 0x28, 0x02, icw4);
}

static void pulse(unsigned line)
{
	i8259_set_irq(&pic, line, 0);
	i8259_set_irq(&pic, line, 1);
}

START_TEST(edge_request_is_acknowledged_once)
{
	setup(1);
	ck_assert(!i8259_pending(&pic));
	i8259_set_irq(&pic, 4, 1);
	ck_assert(i8259_pending(&pic));
	ck_assert_int_eq(f.irq, 1);
	ck_assert_uint_eq(in(M), 0x10);		/* IRR */
	ck_assert_uint_eq(i8259_ack(&pic), 0x24);
	ck_assert(!i8259_pending(&pic));
	ck_assert_int_eq(f.irq, 0);
	out(M, 0x0b);				/* read ISR */
	ck_assert_uint_eq(in(M), 0x10);
	out(M, 0x0a);				/* read IRR */
	ck_assert_uint_eq(in(M), 0);
	out(M, 0x20);
	ck_assert(!i8259_pending(&pic));	/* the line is still up: no edge */
	pulse(4);
	ck_assert(i8259_pending(&pic));
}
END_TEST

START_TEST(mask_holds_back_and_reads_back)
{
	setup(1);
	out(M + 1, 0x10);
	ck_assert_uint_eq(in(M + 1), 0x10);
	pulse(4);
	ck_assert(!i8259_pending(&pic));
	out(M + 1, 0);
	ck_assert(i8259_pending(&pic));
}
END_TEST

START_TEST(priorities_nest)
{
	setup(1);
	pulse(4);
	ck_assert_uint_eq(i8259_ack(&pic), 0x24);
	pulse(5);
	ck_assert(!i8259_pending(&pic));
	pulse(3);
	ck_assert(i8259_pending(&pic));
	ck_assert_uint_eq(i8259_ack(&pic), 0x23);
	out(M, 0x20);				/* ends 3, the highest */
	ck_assert(!i8259_pending(&pic));
	out(M, 0x64);				/* specific EOI of 4 */
	ck_assert_uint_eq(i8259_ack(&pic), 0x25);
}
END_TEST

START_TEST(slave_goes_through_the_cascade)
{
	setup(1);
	pulse(14);
	pulse(8);
	ck_assert_uint_eq(i8259_ack(&pic), 0x28);
	out(S, 0x0b);
	out(M, 0x0b);
	ck_assert_uint_eq(in(S), 0x01);
	ck_assert_uint_eq(in(M), 0x04);
	ck_assert(!i8259_pending(&pic));
	out(S, 0x20);
	ck_assert(!i8259_pending(&pic));	/* the master still serves IR2 */
	out(M, 0x20);
	ck_assert_uint_eq(i8259_ack(&pic), 0x2e);
}
END_TEST

START_TEST(masked_cascade_stops_the_slave)
{
	setup(1);
	out(M + 1, 0x04);
	pulse(11);
	ck_assert(!i8259_pending(&pic));
	out(M + 1, 0);
	ck_assert_uint_eq(i8259_ack(&pic), 0x2b);
}
END_TEST

START_TEST(withdrawn_requests_are_spurious)
{
	setup(1);
	pulse(4);
	i8259_set_irq(&pic, 4, 0);
	ck_assert(!i8259_pending(&pic));
	ck_assert_uint_eq(i8259_ack(&pic), 0x27);
	out(M, 0x0b);
	ck_assert_uint_eq(in(M), 0);		/* nothing in service */
}
END_TEST

START_TEST(spurious_slave_needs_a_master_eoi)
{
	setup(1);
	pulse(12);
	/* Masked between INTR and INTA: the slave's INT falls, and with it the
	 * request that the master had latched. */
	out(S + 1, 0xff);
	ck_assert_uint_eq(i8259_ack(&pic), 0x27);
	/* Withdrawn between the first INTA, the master's, and the slave's. */
	out(S + 1, 0);
	ck_assert(i8259_pending(&pic));
	pic.chip[1].irr = 0;
	ck_assert_uint_eq(i8259_ack(&pic), 0x2f);
	out(M, 0x0b);
	ck_assert_uint_eq(in(M), 0x04);
}
END_TEST

START_TEST(auto_eoi_leaves_nothing_in_service)
{
	setup(3);
	pulse(9);
	pulse(10);
	ck_assert_uint_eq(i8259_ack(&pic), 0x29);
	out(S, 0x0b);
	ck_assert_uint_eq(in(S), 0);
	ck_assert(i8259_pending(&pic));		/* the second one is not lost */
	ck_assert_uint_eq(i8259_ack(&pic), 0x2a);
	ck_assert(!i8259_pending(&pic));
}
END_TEST

START_TEST(rotation)
{
	setup(1);
	pulse(0);
	ck_assert_uint_eq(i8259_ack(&pic), 0x20);
	out(M, 0xa0);				/* rotate on non-specific EOI: 0 is the lowest */
	pulse(0);
	pulse(7);
	ck_assert_uint_eq(i8259_ack(&pic), 0x27);
	out(M, 0xe7);				/* rotate on specific EOI: 7 is the lowest */
	pulse(7);
	ck_assert_uint_eq(i8259_ack(&pic), 0x20);
	out(M, 0x20);
	i8259_ack(&pic);
	out(M, 0x20);
	out(M, 0xc3);				/* set priority: 3 is the lowest */
	pulse(3);
	pulse(4);
	ck_assert_uint_eq(i8259_ack(&pic), 0x24);
}
END_TEST

START_TEST(rotation_with_auto_eoi)
{
	setup(3);
	out(M, 0x80);
	pulse(1);
	ck_assert_uint_eq(i8259_ack(&pic), 0x21);
	pulse(1);
	pulse(5);
	ck_assert_uint_eq(i8259_ack(&pic), 0x25);
	ck_assert_uint_eq(i8259_ack(&pic), 0x21);
	out(M, 0x00);
	ck_assert(!pic.chip[0].rotate_aeoi);
}
END_TEST

START_TEST(special_mask_mode_lets_lower_requests_in)
{
	setup(1);
	pulse(3);
	ck_assert_uint_eq(i8259_ack(&pic), 0x23);
	pulse(6);
	out(M + 1, 0x08);
	ck_assert(!i8259_pending(&pic));
	out(M, 0x68);
	ck_assert(i8259_pending(&pic));
	ck_assert_uint_eq(i8259_ack(&pic), 0x26);
	out(M, 0x20);				/* does not end the masked 3 */
	out(M, 0x0b);
	ck_assert_uint_eq(in(M), 0x08);
	out(M, 0x48);
	ck_assert_uint_eq(in(M), 0x08);
}
END_TEST

START_TEST(special_fully_nested_mode)
{
	setup(0x11);
	pulse(13);
	ck_assert_uint_eq(i8259_ack(&pic), 0x2d);
	pulse(9);
	ck_assert(i8259_pending(&pic));
	ck_assert_uint_eq(i8259_ack(&pic), 0x29);
}
END_TEST

START_TEST(poll_acknowledges)
{
	setup(1);
	out(M, 0x0c);
	ck_assert_uint_eq(in(M) & 0x80, 0);
	pulse(15);
	out(M, 0x0c);
	ck_assert_uint_eq(in(M), 0x82);
	out(S, 0x0c);
	ck_assert_uint_eq(in(S), 0x87);
	out(S, 0x0b);
	ck_assert_uint_eq(in(S), 0x80);
	ck_assert(!i8259_pending(&pic));
}
END_TEST

START_TEST(level_triggering)
{
	setup(1);
	i8259_out(&pic, I8259_ELCR, 2, 0xffff);
	ck_assert_uint_eq(i8259_in(&pic, I8259_ELCR, 2), 0xdef8);
	i8259_set_irq(&pic, 11, 1);
	ck_assert_uint_eq(i8259_ack(&pic), 0x2b);
	out(S, 0x20);
	out(M, 0x20);
	ck_assert(i8259_pending(&pic));		/* still asserted */
	i8259_set_irq(&pic, 11, 0);
	ck_assert(!i8259_pending(&pic));
	i8259_set_irq(&pic, 11, 1);
	out(I8259_ELCR + 1, 0);			/* an edge that has passed */
	ck_assert(!i8259_pending(&pic));
	out(I8259_ELCR + 1, 0x08);
	ck_assert(i8259_pending(&pic));
}
END_TEST

START_TEST(initialization_forgets_edges_and_masks)
{
	setup(1);
	out(M + 1, 0xff);
	pulse(1);
	out(M, 0x11);
	ck_assert_uint_eq(in(M + 1), 0);
	ck_assert(!i8259_pending(&pic));
	out(M + 1, 0x47);			/* the low three bits are not the vector's */
	out(M + 1, 0x04);
	out(M + 1, 0x01);
	pulse(1);
	ck_assert_uint_eq(i8259_ack(&pic), 0x41);
	out(M, 0x12);				/* single, no ICW4 */
	out(M + 1, 0x50);
	out(M + 1, 0x02);			/* is the mask already */
	ck_assert_uint_eq(in(M + 1), 0x02);
}
END_TEST

START_TEST(bad_accesses_are_harmless)
{
	setup(1);
	i8259_set_irq(&pic, 2, 1);
	i8259_set_irq(&pic, 16, 1);
	i8259_set_irq(&pic, ~0u, 1);
	ck_assert(!i8259_pending(&pic));
	ck_assert_uint_eq(i8259_in(&pic, 6, 1), 0xff);
	i8259_out(&pic, 99, 4, 0x11111111);
	i8259_reset(&pic);
	pulse(4);
	ck_assert(!i8259_pending(&pic));	/* masked after reset */
}
END_TEST

/* Whatever is written: the pin is what the callback said, and what it asks for
 * is neither masked nor without a request. */
START_TEST(nonsense_is_survived)
{
	setup(1);
	srand(1);
	for (unsigned i = 0; i < 300000; i++) {
		i8259_out(&pic, rand() % 7, 1 << rand() % 3, (uint32_t)rand());
		i8259_in(&pic, rand() % 7, 1 << rand() % 3);
		i8259_set_irq(&pic, rand() % 18, rand() & 1);
		ck_assert_int_eq(f.irq, i8259_pending(&pic));
		if (i8259_pending(&pic))
			ck_assert_uint_ne(pic.chip[0].irr & ~pic.chip[0].imr, 0);
		if (rand() & 1)
			i8259_ack(&pic);
		ck_assert_int_eq(f.irq, i8259_pending(&pic));
	}
}
END_TEST

FAKEDEV_MAIN("i8259", edge_request_is_acknowledged_once, mask_holds_back_and_reads_back,
	     priorities_nest, slave_goes_through_the_cascade, masked_cascade_stops_the_slave,
	     withdrawn_requests_are_spurious, spurious_slave_needs_a_master_eoi,
	     auto_eoi_leaves_nothing_in_service, rotation, rotation_with_auto_eoi,
	     special_mask_mode_lets_lower_requests_in, special_fully_nested_mode,
	     poll_acknowledges, level_triggering, initialization_forgets_edges_and_masks,
	     bad_accesses_are_harmless, nonsense_is_survived)
