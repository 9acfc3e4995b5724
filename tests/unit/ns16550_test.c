/* SPDX-License-Identifier: BSD-2-Clause */
#include "fakedev.h"

#include "devemu/ns16550.h"

enum { DATA = 0, IER = 1, IIR = 2, FCR = 2, LCR = 3, MCR = 4, LSR = 5, MSR = 6, SCR = 7 };

static struct fakedev f;
static struct ns16550 uart;

static void timer(void *chip)
{
	ns16550_timer(chip);
}

static uint8_t in(unsigned reg)
{
	return ns16550_in(&uart, reg, 1);
}

static void out(unsigned reg, uint8_t v)
{
	ns16550_out(&uart, reg, 1, v);
}

static void receive(const char *s)
{
	ck_assert_uint_eq(ns16550_receive(&uart, (const uint8_t *)s, strlen(s)), strlen(s));
}

/* 115200 8N1, interrupts let through to the line. */
static void setup(uint8_t fcr, uint8_t ier)
{
	fakedev_init(&f);
	ns16550_init(&uart, &f.s);
	out(LCR, 0x83);
	out(DATA, 1);
	out(IER, 0);
	out(LCR, 0x03);
	out(FCR, fcr);
	out(MCR, 0x0b);
	out(IER, ier);
	in(MSR);
	f.edges = 0;
}

START_TEST(registers_after_reset)
{
	fakedev_init(&f);
	ns16550_init(&uart, &f.s);
	ck_assert_uint_eq(in(IER), 0);
	ck_assert_uint_eq(in(IIR), 0x01);
	ck_assert_uint_eq(in(LCR), 0);
	ck_assert_uint_eq(in(MCR), 0);
	ck_assert_uint_eq(in(LSR), 0x60);
	ck_assert_uint_eq(in(MSR), 0xb0);
	out(SCR, 0x5a);
	ck_assert_uint_eq(in(SCR), 0x5a);
	out(IER, 0xff);
	ck_assert_uint_eq(in(IER), 0x0f);
	out(MCR, 0xff);
	ck_assert_uint_eq(in(MCR), 0x1f);
}
END_TEST

START_TEST(divisor_latch)
{
	setup(0, 0);
	out(LCR, 0x83);
	out(DATA, 0x34);
	out(IER, 0x12);
	ck_assert_uint_eq(in(DATA), 0x34);
	ck_assert_uint_eq(in(IER), 0x12);
	out(LCR, 0x03);
	ck_assert_uint_eq(in(IER), 0);
	ck_assert_uint_eq(f.nout, 0);
}
END_TEST

START_TEST(output)
{
	setup(1, 0);
	for (const char *s = "hello"; *s; s++) {
		ck_assert_uint_eq(in(LSR), 0x60);
		out(DATA, *s);
	}
	ck_assert_uint_eq(f.nout, 5);
	ck_assert_mem_eq(f.out, "hello", 5);
	ck_assert_uint_eq(f.edges, 0);
}
END_TEST

START_TEST(thre_interrupt)
{
	setup(1, 0);
	out(IER, 0x02);				/* enabling it raises it */
	ck_assert_int_eq(f.irq, 1);
	ck_assert_uint_eq(in(IIR), 0xc2);	/* reading IIR acknowledges it */
	ck_assert_int_eq(f.irq, 0);
	ck_assert_uint_eq(in(IIR), 0xc1);
	out(IER, 0x02);				/* no change, no interrupt */
	ck_assert_int_eq(f.irq, 0);
	out(DATA, 'a');
	ck_assert_int_eq(f.irq, 1);
	f.edges = 0;
	out(DATA, 'b');				/* each write ends in an edge */
	ck_assert_uint_eq(f.edges, 1);
	ck_assert_uint_eq(in(IIR), 0xc2);
	out(IER, 0x00);
	out(IER, 0x02);				/* Linux's test of a bad THRE */
	ck_assert_uint_eq(in(IIR), 0xc2);
	out(DATA, 'c');
	out(IER, 0x00);				/* pends, but is disabled */
	ck_assert_int_eq(f.irq, 0);
	ck_assert_uint_eq(in(IIR), 0xc1);
}
END_TEST

START_TEST(loop_gates_the_interrupt)
{
	setup(1, 0x02);
	ck_assert_int_eq(f.irq, 1);
	out(MCR, 0x03);				/* without OUT2, too */
	ck_assert_int_eq(f.irq, 1);
	out(MCR, 0x1b);				/* inactive in the loop */
	ck_assert_int_eq(f.irq, 0);
	ck_assert_uint_eq(in(IIR), 0xc2);
}
END_TEST

START_TEST(input_without_fifo)
{
	setup(0, 0x01);
	ck_assert_uint_eq(ns16550_room(&uart), 1);
	ck_assert_uint_eq(ns16550_receive(&uart, (const uint8_t *)"xy", 2), 1);
	ck_assert_uint_eq(ns16550_room(&uart), 0);
	ck_assert_int_eq(f.irq, 1);
	ck_assert_uint_eq(in(IIR), 0x04);
	ck_assert_uint_eq(in(LSR), 0x61);
	ck_assert_uint_eq(in(DATA), 'x');
	ck_assert_int_eq(f.irq, 0);
	ck_assert_uint_eq(in(LSR), 0x60);
	ck_assert_uint_eq(in(DATA), 'x');	/* the register keeps it */
	ck_assert_uint_eq(f.deadline, DEV_NO_DEADLINE);
}
END_TEST

START_TEST(trigger_levels)
{
	static const unsigned levels[] = { 1, 4, 8, 14 };

	for (unsigned i = 0; i < 4; i++) {
		setup(i << 6 | 1, 0x01);
		for (unsigned n = 1; n < levels[i]; n++) {
			receive("a");
			ck_assert_int_eq(f.irq, 0);
		}
		receive("b");
		ck_assert_int_eq(f.irq, 1);
		ck_assert_uint_eq(in(IIR), 0xc4);
		in(DATA);
		ck_assert_int_eq(f.irq, 0);
	}
}
END_TEST

START_TEST(fifo_takes_sixteen)
{
	setup(0xc1, 0x01);
	ck_assert_uint_eq(ns16550_receive(&uart, (const uint8_t *)"0123456789abcdefgh", 18), 16);
	ck_assert_uint_eq(ns16550_receive(&uart, (const uint8_t *)"g", 1), 0);
	ck_assert_uint_eq(ns16550_receive(&uart, NULL, 0), 0);
	for (unsigned i = 0; i < 16; i++) {
		ck_assert_uint_eq(in(LSR), 0x61);
		ck_assert_uint_eq(in(DATA), "0123456789abcdef"[i]);
	}
	ck_assert_uint_eq(in(LSR), 0x60);
	ck_assert_uint_eq(ns16550_room(&uart), 16);
}
END_TEST

/* Four characters of ten bits at 115200 baud. */
#define TIMEOUT_NS (4 * 10 * 8681ull)

START_TEST(character_timeout)
{
	setup(0xc1, 0x01);
	receive("a");
	ck_assert_uint_eq(f.deadline, TIMEOUT_NS);
	fakedev_run(&f, TIMEOUT_NS / 2, timer, &uart);
	receive("b");				/* starts it anew */
	fakedev_run(&f, TIMEOUT_NS + 1000, timer, &uart);
	ck_assert_int_eq(f.irq, 0);
	fakedev_run(&f, TIMEOUT_NS / 2 + TIMEOUT_NS, timer, &uart);
	ck_assert_int_eq(f.irq, 1);
	ck_assert_uint_eq(in(IIR), 0xcc);
	ck_assert_uint_eq(in(DATA), 'a');	/* ends it, and starts it anew */
	ck_assert_int_eq(f.irq, 0);
	fakedev_run(&f, f.now + TIMEOUT_NS, timer, &uart);
	ck_assert_int_eq(f.irq, 1);
	ck_assert_uint_eq(in(DATA), 'b');
	ck_assert_int_eq(f.irq, 0);
	fakedev_run(&f, f.now + 10 * TIMEOUT_NS, timer, &uart);
	ck_assert_int_eq(f.irq, 0);
	ck_assert_uint_eq(f.deadline, DEV_NO_DEADLINE);
}
END_TEST

START_TEST(timeout_waits_for_the_enable)
{
	setup(0xc1, 0x00);
	receive("a");
	fakedev_run(&f, TIMEOUT_NS, timer, &uart);
	ck_assert_uint_eq(in(IIR), 0xc1);
	out(IER, 0x01);
	ck_assert_uint_eq(in(IIR), 0xcc);
	out(FCR, 0xc3);				/* clearing the FIFO ends it */
	ck_assert_uint_eq(in(IIR), 0xc1);
	ck_assert_uint_eq(in(LSR), 0x60);
}
END_TEST

START_TEST(priorities)
{
	setup(0x01, 0x0f);
	out(MCR, 0x18);				/* a modem delta, by the loop */
	out(MCR, 0x08);
	ck_assert(ns16550_break(&uart));
	out(DATA, 'x');
	ck_assert_uint_eq(in(IIR), 0xc6);
	ck_assert_uint_eq(in(LSR), 0xf1);	/* break, and an error in the FIFO */
	ck_assert_uint_eq(in(IIR), 0xc4);
	ck_assert_uint_eq(in(LSR), 0x61);
	ck_assert_uint_eq(in(DATA), 0);
	ck_assert_uint_eq(in(IIR), 0xc2);
	ck_assert_uint_eq(in(IIR), 0xc0);
	ck_assert_uint_ne(in(MSR) & 0x0f, 0);
	ck_assert_uint_eq(in(IIR), 0xc1);
	ck_assert_int_eq(f.irq, 0);
}
END_TEST

START_TEST(errors_show_when_their_byte_comes_up)
{
	setup(0xc1, 0x04);
	receive("a");
	ck_assert(ns16550_break(&uart));
	ck_assert_int_eq(f.irq, 0);
	ck_assert_uint_eq(in(LSR), 0xe1);	/* somewhere in the FIFO */
	ck_assert_uint_eq(in(DATA), 'a');
	ck_assert_int_eq(f.irq, 1);
	ck_assert_uint_eq(in(LSR), 0xf1);
	ck_assert_int_eq(f.irq, 0);
	ck_assert_uint_eq(in(LSR), 0x61);
}
END_TEST

START_TEST(loopback)
{
	setup(0x01, 0x00);
	out(MCR, 0x1a);				/* Linux's probe: RTS and OUT2 come back */
	ck_assert_uint_eq(in(MSR) & 0xf0, 0x90);
	out(MCR, 0x15);
	ck_assert_uint_eq(in(MSR) & 0xf0, 0x60);
	in(MSR);
	out(MCR, 0x11);				/* RI falls: its trailing edge */
	ck_assert_uint_eq(in(MSR), 0x24);
	out(MCR, 0x15);				/* and rises: no delta */
	ck_assert_uint_eq(in(MSR), 0x60);
	out(DATA, 'q');
	ck_assert_uint_eq(f.nout, 0);
	ck_assert_uint_eq(in(DATA), 'q');
	ck_assert_uint_eq(ns16550_room(&uart), 0);
	ck_assert(!ns16550_break(&uart));
	out(LCR, 0x43);				/* a break comes back, too */
	ck_assert_uint_eq(in(LSR), 0xf1);
}
END_TEST

START_TEST(overrun)
{
	setup(0x01, 0x00);
	out(MCR, 0x10);
	for (unsigned i = 0; i < 17; i++)
		out(DATA, 'a' + i);
	ck_assert_uint_eq(in(LSR), 0x63);
	ck_assert_uint_eq(in(LSR), 0x61);
	for (unsigned i = 0; i < 16; i++)
		ck_assert_uint_eq(in(DATA), 'a' + i);
	out(FCR, 0x00);
	out(DATA, 'x');
	out(DATA, 'y');
	ck_assert_uint_eq(in(LSR), 0x63);
	ck_assert_uint_eq(in(DATA), 'y');	/* the register is overwritten */
}
END_TEST

START_TEST(changing_the_fifo_enable_clears_it)
{
	setup(0x01, 0x01);
	receive("abc");
	out(FCR, 0x00);
	ck_assert_uint_eq(in(LSR), 0x60);
	ck_assert_uint_eq(in(IIR), 0x01);
	ck_assert_int_eq(f.irq, 0);
	receive("d");
	out(FCR, 0x01);
	ck_assert_uint_eq(in(LSR), 0x60);
	receive("efg");
	out(FCR, 0xc1);				/* a new trigger level alone does not */
	ck_assert_uint_eq(in(DATA), 'e');
}
END_TEST

/* A driver's handler: serve what IIR says until nothing pends.  It is entered
 * by an edge and has to leave with the line low, or no edge would follow. */
START_TEST(interrupt_driven_output_completes)
{
	unsigned sent = 0;
	uint8_t iir;

	setup(0x01, 0x00);
	out(IER, 0x03);
	ck_assert_uint_eq(f.edges, 1);
	while (!((iir = in(IIR)) & 1)) {
		ck_assert_uint_eq(iir, 0xc2);
		for (unsigned i = 0; i < 16 && sent < 1000; i++, sent++)
			out(DATA, (uint8_t)sent);
		if (sent == 1000)
			out(IER, 0x01);
	}
	ck_assert_int_eq(f.irq, 0);
	ck_assert_uint_eq(f.nout, 1000);
	for (unsigned i = 0; i < 1000; i++)
		ck_assert_uint_eq(f.out[i], (uint8_t)i);
}
END_TEST

START_TEST(nonsense_is_survived)
{
	setup(0x01, 0x0f);
	srand(1);
	for (unsigned i = 0; i < 200000; i++) {
		uint8_t bytes[20] = { 0 };

		f.nout = 0;
		ns16550_out(&uart, rand() % 9, 1 << rand() % 3, (uint32_t)rand());
		ns16550_in(&uart, rand() % 9, 1 << rand() % 3);
		ck_assert_uint_le(ns16550_receive(&uart, bytes, rand() % 20), 16);
		fakedev_run(&f, f.now + rand() % 1000000, timer, &uart);
		ck_assert_uint_le(uart.count, uart.fifo ? 16 : 1);
	}
	ns16550_reset(&uart);
	ck_assert_int_eq(f.irq, 0);
	ck_assert_uint_eq(f.deadline, DEV_NO_DEADLINE);
}
END_TEST

FAKEDEV_MAIN("ns16550", registers_after_reset, divisor_latch, output, thre_interrupt,
	     loop_gates_the_interrupt, input_without_fifo, trigger_levels, fifo_takes_sixteen,
	     character_timeout, timeout_waits_for_the_enable, priorities,
	     errors_show_when_their_byte_comes_up, loopback, overrun,
	     changing_the_fifo_enable_clears_it, interrupt_driven_output_completes,
	     nonsense_is_survived)
