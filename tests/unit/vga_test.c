/* SPDX-License-Identifier: BSD-2-Clause */
#include "fakedev.h"

#include "devemu/vga.h"

#define CRTC_START 0x0cu
#define CRTC_CURSOR 0x0eu

static struct fakedev f;
static struct vga v;

static void setup(void)
{
	fakedev_init(&f);
	vga_init(&v, &f.s);
	vga_setup(&v);
}

static uint8_t in(unsigned reg)
{
	return (uint8_t)vga_in(&v, reg, 1);
}

static void out(unsigned reg, uint8_t value)
{
	vga_out(&v, reg, 1, value);
}

static void crtc(uint8_t index, uint8_t value)
{
	vga_out(&v, VGA_CRTC, 2, (uint32_t)value << 8 | index);
}

static uint8_t crtc_get(uint8_t index)
{
	out(VGA_CRTC, index);
	return in(VGA_CRTC + 1);
}

static struct vga_text text(void)
{
	struct vga_text t;

	ck_assert(vga_text(&v, &t));
	return t;
}

START_TEST(firmware_sets_a_text_mode)
{
	struct vga_text t;

	fakedev_init(&f);
	vga_init(&v, &f.s);
	ck_assert(!vga_text(&v, &t));
	vga_setup(&v);
	t = text();
	ck_assert_uint_eq(t.rows, 25);
	ck_assert_uint_eq(t.columns, 80);
	ck_assert_uint_eq(t.start, 0);
	ck_assert_uint_eq(t.pitch, 160);
	ck_assert(t.cursor);
	ck_assert_uint_eq(t.cursor_row, 0);
	ck_assert_uint_eq(t.cursor_column, 0);
	vga_reset(&v);
	ck_assert(!vga_text(&v, &t));
}
END_TEST

START_TEST(registers_keep_the_bits_that_exist)
{
	static const struct { unsigned port, last; } groups[] = {
		{ VGA_SEQUENCER, 4 }, { VGA_GRAPHICS, 8 }, { VGA_CRTC, 0x18 },
	};

	setup();
	crtc(0x11, 0);			/* unlocks registers 0 to 7 */
	for (unsigned g = 0; g < 3; g++)
		for (unsigned i = 0; i < 0x100; i++) {
			out(groups[g].port, (uint8_t)i);
			out(groups[g].port + 1, 0xff);
			if (in(groups[g].port) > groups[g].last)
				ck_assert_uint_eq(in(groups[g].port + 1), 0);
			if (g == 2 && i == 0x11)
				out(groups[g].port + 1, 0);
		}
	out(VGA_SEQUENCER, 1);
	ck_assert_uint_eq(in(VGA_SEQUENCER + 1), 0x3d);
	ck_assert_uint_eq(vga_in(&v, VGA_SEQUENCER, 2), 0x3d01);
	ck_assert_uint_eq(crtc_get(0x18), 0xff);
	ck_assert_uint_eq(in(0), 0xff);	/* nothing there */
}
END_TEST

START_TEST(protection_leaves_one_bit)
{
	setup();
	ck_assert_uint_eq(crtc_get(0x11) & 0x80, 0x80);
	crtc(0x01, 0x20);
	ck_assert_uint_eq(crtc_get(0x01), 0x4f);
	crtc(0x07, 0);
	ck_assert_uint_eq(crtc_get(0x07), 0x0f);	/* only bit 4 */
	crtc(0x11, 0x0e);
	crtc(0x01, 0x27);
	ck_assert_uint_eq(text().columns, 40);
}
END_TEST

START_TEST(attribute_port_takes_turns)
{
	setup();
	in(VGA_STATUS);
	out(VGA_ATTRIBUTE, 0x03);
	out(VGA_ATTRIBUTE, 0x7f);
	ck_assert_uint_eq(in(VGA_ATTRIBUTE_READ), 0x3f);
	out(VGA_ATTRIBUTE, 0x15);	/* there is none: no harm */
	out(VGA_ATTRIBUTE, 0xff);
	ck_assert_uint_eq(in(VGA_ATTRIBUTE_READ), 0);
	out(VGA_ATTRIBUTE, 0x04);
	in(VGA_STATUS);			/* an index is next again */
	out(VGA_ATTRIBUTE, 0x33);
	ck_assert_uint_eq(in(VGA_ATTRIBUTE), 0x33);
}
END_TEST

START_TEST(colours_change_with_the_third_byte)
{
	setup();
	out(VGA_DAC_WRITE, 0xff);
	out(VGA_DAC_DATA, 0xff);
	out(VGA_DAC_DATA, 2);
	ck_assert_uint_eq(v.dac[765], 0);
	out(VGA_DAC_DATA, 3);
	out(VGA_DAC_DATA, 4);		/* goes on at colour 0, not complete */
	ck_assert_uint_eq(in(VGA_DAC_WRITE), 0);
	ck_assert_uint_eq(in(VGA_DAC_READ), 0);
	out(VGA_DAC_READ, 0xff);
	ck_assert_uint_eq(in(VGA_DAC_READ), 3);
	ck_assert_uint_eq(in(VGA_DAC_DATA), 0x3f);
	ck_assert_uint_eq(in(VGA_DAC_DATA), 2);
	ck_assert_uint_eq(in(VGA_DAC_DATA), 3);
	ck_assert_uint_eq(in(VGA_DAC_DATA), 0);
}
END_TEST

START_TEST(monochrome_moves_ports)
{
	struct vga_text t;

	setup();
	ck_assert_uint_eq(in(VGA_STATUS_MONO), 0xff);
	out(VGA_CRTC_MONO, 0x0f);
	ck_assert_uint_ne(in(VGA_CRTC), 0x0f);
	out(VGA_MISC_WRITE, 0x66);
	ck_assert_uint_eq(in(VGA_MISC_READ), 0x66);
	out(VGA_CRTC_MONO, 0x0f);
	ck_assert_uint_eq(in(VGA_CRTC_MONO), 0x0f);
	ck_assert_uint_eq(in(VGA_CRTC), 0xff);
	ck_assert_uint_ne(in(VGA_STATUS_MONO), 0xff);
	ck_assert(!vga_text(&v, &t));
}
END_TEST

/* 70 pictures a second, of 449 lines. */
START_TEST(retrace_follows_time)
{
	unsigned retraces = 0, blanks = 0;
	uint8_t last = 0;

	setup();
	for (unsigned us = 0; us < 1000000; us++) {
		uint8_t now = in(VGA_STATUS);

		retraces += (now & ~last & 8) != 0;
		blanks += (now & ~last & 1) != 0;
		ck_assert(!(now & 8) || (now & 1));
		last = now;
		f.now += 1000;
	}
	ck_assert_uint_ge(retraces, 69);
	ck_assert_uint_le(retraces, 71);
	ck_assert_uint_ge(blanks, 70 * 399);
	ck_assert_uint_le(blanks, 71 * 402);
}
END_TEST

START_TEST(screen_scrolls_and_cursor_follows)
{
	struct vga_text t;

	setup();
	crtc(CRTC_START, 0x3f);
	crtc(CRTC_START + 1, 0xb0);	/* 0x3fb0: 80 characters before the end of memory */
	crtc(CRTC_CURSOR, 0x00);
	crtc(CRTC_CURSOR + 1, 0x05);
	t = text();
	ck_assert_uint_eq(t.start, 0x7f60);
	ck_assert(t.cursor);
	ck_assert_uint_eq(t.cursor_row, 1);
	ck_assert_uint_eq(t.cursor_column, 5);
	crtc(CRTC_CURSOR, 0x20);	/* not on the screen */
	ck_assert(!text().cursor);
	crtc(CRTC_CURSOR, 0x00);
	crtc(0x0a, 0x20);		/* off */
	ck_assert(!text().cursor);
	crtc(0x09, 0x47);		/* characters of 8 lines */
	ck_assert_uint_eq(text().rows, 50);
	crtc(0x09, 0xc7);		/* of which each is shown twice */
	ck_assert_uint_eq(text().rows, 25);
	crtc(0x13, 0);			/* no pitch: nothing to divide by */
	ck_assert_uint_eq(text().pitch, 0);
}
END_TEST

/* Whatever a guest writes, the screen is one that can be printed. */
START_TEST(any_values_give_a_screen_or_none)
{
	struct vga_text t;
	uint32_t seed = 1;

	setup();
	for (unsigned n = 0; n < 200000; n++) {
		seed = seed * 1664525 + 1013904223;
		vga_out(&v, seed >> 24 & 0x2f, 1u << (seed >> 30) & 7, seed >> 8);
		vga_in(&v, seed >> 16 & 0x2f, 1);
		if (!vga_text(&v, &t))
			continue;
		ck_assert_uint_le(t.rows, VGA_MAX_ROWS);
		ck_assert_uint_le(t.columns, VGA_MAX_COLUMNS);
		ck_assert_uint_lt(t.start, VGA_MEMORY_SIZE);
		ck_assert(!t.cursor || (t.cursor_row < t.rows && t.cursor_column < t.columns));
	}
}
END_TEST

FAKEDEV_MAIN("vga", firmware_sets_a_text_mode, registers_keep_the_bits_that_exist,
	     protection_leaves_one_bit, attribute_port_takes_turns,
	     colours_change_with_the_third_byte, monochrome_moves_ports, retrace_follows_time,
	     screen_scrolls_and_cursor_follows, any_values_give_a_screen_or_none)
