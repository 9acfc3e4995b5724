/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A colour text screen: its registers, memory, retrace.  With `wait` at the end of the
 * command line what it shows can be read from outside, until a key comes.
 */
#include "guest.h"

#define CRTC 0x3d4
#define STATUS 0x3da
#define ATTRIBUTE 0x3c0
#define COLUMNS 80u

static volatile uint16_t *const screen = (uint16_t *)0xb8000;

static uint8_t indexed(uint16_t port, uint8_t index)
{
	outb(port, index);
	return inb(port + 1);
}

static void set_indexed(uint16_t port, uint8_t index, uint8_t v)
{
	outb(port, index);
	outb(port + 1, v);
}

static void text(unsigned row, unsigned column, const char *s)
{
	while (*s)
		screen[row * COLUMNS + column++] = 0x0700 | (uint8_t)*s++;
}

static void move_cursor(unsigned row, unsigned column)
{
	unsigned at = row * COLUMNS + column;

	set_indexed(CRTC, 0x0e, (uint8_t)(at >> 8));
	set_indexed(CRTC, 0x0f, (uint8_t)at);
}

/* Index and data take turns at one port; reading the status begins with an index. */
static void palette(uint8_t index, uint8_t v)
{
	inb(STATUS);
	outb(ATTRIBUTE, index);
	outb(ATTRIBUTE, v);
}

static uint8_t palette_read(uint8_t index)
{
	inb(STATUS);
	outb(ATTRIBUTE, index);
	return inb(ATTRIBUTE + 1);
}

/* Both states of the status bit come. */
static bool toggles(uint8_t bit)
{
	bool seen[2] = { false, false };

	for (unsigned n = 0; n < 1000000 && !(seen[0] && seen[1]); n++)
		seen[(inb(STATUS) & bit) != 0] = true;
	return seen[0] && seen[1];
}

static void registers(void)
{
	printf("misc %x, colour %u\n", inb(0x3cc) & 0x0f, inb(0x3cc) & 1);
	printf("columns %u\n", indexed(CRTC, 0x01) + 1);
	printf("offset %u\n", indexed(CRTC, 0x13));
	printf("rows %u\n", (indexed(CRTC, 0x12) + ((indexed(CRTC, 0x07) & 2) << 7) + 1u) /
	       ((indexed(CRTC, 0x09) & 0x1f) + 1u));
	set_indexed(CRTC, 0x0e, 0x05);
	set_indexed(CRTC, 0x0f, 0xa5);
	printf("cursor %x %x\n", indexed(CRTC, 0x0e), indexed(CRTC, 0x0f));
	set_indexed(CRTC, 0x11, indexed(CRTC, 0x11) | 0x80);
	set_indexed(CRTC, 0x01, 0x12);
	printf("protected: columns %u\n", indexed(CRTC, 0x01) + 1);
	palette(5, 0x2a);
	palette(6, 0x14);
	printf("palette %x %x\n", palette_read(5), palette_read(6));
	inb(STATUS);
	outb(ATTRIBUTE, 0x20);
	outb(0x3c8, 7);
	outb(0x3c9, 1), outb(0x3c9, 2), outb(0x3c9, 3), outb(0x3c9, 4);
	outb(0x3c7, 7);
	printf("colours %u", inb(0x3c9));
	printf(" %u", inb(0x3c9));
	printf(" %u", inb(0x3c9));
	printf(" %u\n", inb(0x3c9));
	outb(0x3b4, 0x0e);
	printf("monochrome ports %x\n", inb(0x3b5));
	printf("retrace %s, display enable %s\n", toggles(8) ? "toggles" : "stands",
	       toggles(1) ? "toggles" : "stands");
}

/* Multiboot specification 3.3: the command line is at the address in the fifth word. */
static bool asked_to_wait(const uint32_t *info)
{
	const char *line = (const char *)info[4];
	size_t n = 0;

	while (line[n])
		n++;
	return n >= 4 && !memcmp(line + n - 4, "wait", 4);
}

int main(uint32_t magic, const void *info)
{
	(void)magic;
	registers();
	for (unsigned i = 0; i < 0x4000; i++)
		screen[i] = (uint16_t)(i * 0x9e37);
	for (unsigned i = 0; i < 0x4000; i++)
		if (screen[i] != (uint16_t)(i * 0x9e37))
			printf("memory: wrong at %u\n", i);
	for (unsigned i = 0; i < 0x4000; i++)
		screen[i] = 0x0720;
	/* The first row of the screen is the second of the memory. */
	set_indexed(CRTC, 0x0c, 0);
	set_indexed(CRTC, 0x0d, COLUMNS);
	set_indexed(CRTC, 0x0a, indexed(CRTC, 0x0a) & ~0x20);
	text(0, 0, "above the screen");
	text(1, 0, "first row");
	text(11, 10, "in the middle \x01\xc4");
	text(25, 70, "last row");
	text(26, 0, "below the screen");
	move_cursor(11, 12);
	printf("ready\n");
	while (asked_to_wait(info) && !(inb(PORT_COM1 + 5) & 1))
		;
	printf("end\n");
	return 0;
}
