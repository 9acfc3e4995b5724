/* SPDX-License-Identifier: BSD-2-Clause */
#include "fakedev.h"

#include "devemu/i8042.h"

static struct fakedev f;
static struct i8042 kbc;

static void setup(void)
{
	fakedev_init(&f);
	i8042_init(&kbc, &f.s);
}

static uint8_t status(void)
{
	return i8042_in(&kbc, I8042_COMMAND, 1);
}

static uint8_t data(void)
{
	return i8042_in(&kbc, I8042_DATA, 1);
}

static void command(uint8_t v)
{
	i8042_out(&kbc, I8042_COMMAND, 1, v);
}

static void send(uint8_t v)
{
	i8042_out(&kbc, I8042_DATA, 1, v);
}

/* The next byte; there has to be one, and not from an auxiliary device. */
static uint8_t answer(void)
{
	ck_assert_uint_eq(status() & 0x21, 0x01);
	return data();
}

static void expect_nothing(void)
{
	ck_assert_uint_eq(status() & 0x01, 0);
}

START_TEST(self_tests)
{
	setup();
	ck_assert_uint_eq(status(), 0x14);
	command(0xaa);
	ck_assert_uint_eq(status() & 0x0c, 0x0c);
	ck_assert_uint_eq(answer(), 0x55);
	command(0xab);
	ck_assert_uint_eq(answer(), 0x00);
	expect_nothing();
	ck_assert_uint_eq(data(), 0x00);	/* an empty buffer keeps its byte */
}
END_TEST

START_TEST(command_byte_and_ram)
{
	setup();
	command(0x20);
	ck_assert_uint_eq(answer(), 0x65);
	command(0x60);
	send(0x30);
	expect_nothing();
	command(0x20);
	ck_assert_uint_eq(answer(), 0x30);
	ck_assert_uint_eq(status() & 0x04, 0);	/* SYS follows the command byte */
	command(0x7f);
	send(0xa5);
	command(0x3f);
	ck_assert_uint_eq(answer(), 0xa5);
	command(0xad);
	command(0xa8);
	command(0x20);
	ck_assert_uint_eq(answer(), 0x10);
	command(0xae);
	command(0xa7);
	command(0x20);
	ck_assert_uint_eq(answer(), 0x20);
}
END_TEST

START_TEST(interrupt_of_each_byte_is_an_edge)
{
	setup();
	send(0xff);
	ck_assert_int_eq(f.irq, 1);
	ck_assert_uint_eq(f.edges, 1);
	ck_assert_uint_eq(answer(), 0xfa);
	ck_assert_uint_eq(f.edges, 2);
	ck_assert_uint_eq(answer(), 0xaa);
	ck_assert_int_eq(f.irq, 0);
	command(0x60);
	send(0x64);				/* interrupt off */
	send(0xee);
	ck_assert_int_eq(f.irq, 0);
	ck_assert_uint_eq(answer(), 0xee);
	ck_assert_uint_eq(f.edges, 2);
}
END_TEST

START_TEST(keyboard_commands)
{
	static const struct {
		uint8_t send[2];
		unsigned n;
		uint8_t want[4];
		unsigned nwant;
	} t[] = {
		{ { 0xed, 0x07 }, 2, { 0xfa, 0xfa }, 2 },
		{ { 0xee }, 1, { 0xee }, 1 },
		{ { 0xf0, 0x00 }, 2, { 0xfa, 0xfa, 0x02 }, 3 },
		{ { 0xf0, 0x01 }, 2, { 0xfa, 0xfa }, 2 },
		{ { 0xf0, 0x00 }, 2, { 0xfa, 0xfa, 0x01 }, 3 },
		{ { 0xf0, 0x04 }, 2, { 0xfa, 0xfe }, 2 },
		{ { 0xf2 }, 1, { 0xfa, 0xab, 0x41 }, 3 },
		{ { 0xf3, 0x00 }, 2, { 0xfa, 0xfa }, 2 },
		{ { 0xf4 }, 1, { 0xfa }, 1 },
		{ { 0xf5 }, 1, { 0xfa }, 1 },
		{ { 0xf6 }, 1, { 0xfa }, 1 },
		{ { 0xfe }, 1, { 0xfa }, 1 },
		{ { 0xff }, 1, { 0xfa, 0xaa }, 2 },
		{ { 0x00 }, 1, { 0xfe }, 1 },
		{ { 0xed, 0xf4 }, 2, { 0xfa, 0xfa }, 2 },	/* a command instead of data */
		{ { 0x07 }, 1, { 0xfe }, 1 },			/* so this is not its data */
	};

	setup();
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		for (unsigned j = 0; j < t[i].n; j++)
			send(t[i].send[j]);
		for (unsigned j = 0; j < t[i].nwant; j++)
			ck_assert_uint_eq(answer(), t[i].want[j]);
		expect_nothing();
	}
	command(0x60);
	send(0x05);				/* no translation */
	send(0xf2);
	ck_assert_uint_eq(answer(), 0xfa);
	ck_assert_uint_eq(answer(), 0xab);
	ck_assert_uint_eq(answer(), 0x83);
}
END_TEST

START_TEST(a_disabled_keyboard_waits)
{
	setup();
	send(0xff);
	command(0xad);
	ck_assert_uint_eq(answer(), 0xfa);	/* was in the buffer */
	expect_nothing();
	command(0xae);
	ck_assert_uint_eq(answer(), 0xaa);
}
END_TEST

/* The order in which Linux looks for an auxiliary port. */
START_TEST(no_auxiliary_port)
{
	setup();
	command(0xd3);
	send(0x5a);
	ck_assert_uint_eq(answer(), 0x5a);	/* but not marked as auxiliary data */
	command(0xa9);
	ck_assert_uint_eq(answer(), 0x01);
	command(0xd4);
	send(0xff);
	expect_nothing();
}
END_TEST

START_TEST(output_port_and_a20)
{
	setup();
	command(0xd0);
	ck_assert_uint_eq(answer() & 0x03, 0x03);
	command(0xd1);
	send(0xdd);
	ck_assert_uint_eq(i8042_port92_in(&kbc), 0);
	command(0xdf);
	ck_assert_uint_eq(i8042_port92_in(&kbc), PORT92_A20);
	command(0xdd);
	ck_assert_uint_eq(i8042_port92_in(&kbc), 0);
	i8042_port92_out(&kbc, PORT92_A20);
	command(0xd0);
	ck_assert_uint_eq(answer() & 0x02, 0x02);
	ck_assert_uint_eq(f.resets, 0);
}
END_TEST

START_TEST(ways_to_reset)
{
	setup();
	command(0xfe);
	ck_assert_uint_eq(f.resets, 1);
	command(0xff);				/* pulses nothing */
	ck_assert_uint_eq(f.resets, 1);
	command(0xd1);
	send(0x02);
	ck_assert_uint_eq(f.resets, 2);
	i8042_port92_out(&kbc, PORT92_RESET | PORT92_A20);
	ck_assert_uint_eq(f.resets, 3);
	i8042_reset(&kbc);
	command(0xd0);
	ck_assert_uint_eq(answer() & 0x03, 0x03);
}
END_TEST

START_TEST(other_commands)
{
	setup();
	command(0xa4);
	ck_assert_uint_eq(answer(), 0xf1);
	command(0xc0);
	ck_assert_uint_eq(answer(), 0x80);
	command(0xe0);
	ck_assert_uint_eq(answer(), 0x01);
	command(0xd2);
	send(0x1c);
	ck_assert_uint_eq(answer(), 0x1c);
	command(0xb0);				/* unknown */
	expect_nothing();
}
END_TEST

START_TEST(nonsense_is_survived)
{
	setup();
	srand(1);
	for (unsigned i = 0; i < 200000; i++) {
		i8042_out(&kbc, rand() % 3, 1 << rand() % 3, (uint32_t)rand());
		if (i % 3 == 0)
			i8042_in(&kbc, rand() % 3, 1 << rand() % 3);
		ck_assert_uint_le(kbc.count, I8042_QUEUE);
	}
	i8042_reset(&kbc);
	ck_assert_int_eq(f.irq, 0);
	ck_assert_uint_eq(status(), 0x14);
}
END_TEST

FAKEDEV_MAIN("i8042", self_tests, command_byte_and_ram, interrupt_of_each_byte_is_an_edge,
	     keyboard_commands, a_disabled_keyboard_waits, no_auxiliary_port, output_port_and_a20,
	     ways_to_reset, other_commands, nonsense_is_survived)
