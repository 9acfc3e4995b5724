/* SPDX-License-Identifier: BSD-2-Clause */
#include "devemu/vga.h"

#include "devemu/clock.h"

#define MISC_COLOUR 0x01u		/* the CRTC is at 0x3dX */
#define COLOUR_OFFSET 0x20u		/* from 0x3bX to 0x3dX */

/* CRTC registers. */
enum {
	CRTC_COLUMNS = 0x01, CRTC_OVERFLOW = 0x07, CRTC_SCAN = 0x09, CRTC_CURSOR_START = 0x0a,
	CRTC_START = 0x0c, CRTC_CURSOR = 0x0e, CRTC_SYNC_END = 0x11, CRTC_ROWS = 0x12,
	CRTC_OFFSET = 0x13,
};
#define SYNC_END_PROTECT 0x80u		/* registers 0 to 7 cannot be written ... */
#define OVERFLOW_FREE 0x10u		/* ... but for this bit of the overflow register */
#define SCAN_HEIGHT 0x1fu		/* of a character - 1 */
#define SCAN_DOUBLE 0x80u
#define CURSOR_OFF 0x20u

#define GRAPHICS_MISC 6u
#define GRAPHICS_MODE 0x01u		/* not text */
#define GRAPHICS_MAP 0x0cu		/* both: memory at 0xb8000 */

/* 449 lines of 31.778 us, of which 400 are seen; the vertical retrace is in two. */
#define LINE_NS 31778u
#define LINES 449u
#define LINES_SEEN 400u
#define RETRACE_LINE 412u
#define LINE_SEEN_NS 25422u
#define STATUS_BLANK 0x01u
#define STATUS_RETRACE 0x08u

/* The bits that exist. */
static const uint8_t sequencer_bits[] = { 0x03, 0x3d, 0x0f, 0x3f, 0x0e };
static const uint8_t graphics_bits[] = { 0x0f, 0x0f, 0x0f, 0x1f, 0x03, 0x7b, 0x0f, 0x0f, 0xff };

static uint8_t attribute_bits(unsigned i)
{
	static const uint8_t above[] = { 0xef, 0xff, 0x3f, 0x0f, 0x0f };

	return i < 0x10 ? 0x3f : above[i - 0x10];
}

static uint8_t status(struct vga *v)
{
	uint32_t ns, at_ns;
	uint64_t line;

	dev_div(v->s->now(v->s->ctx), LINES * LINE_NS, &ns);
	line = dev_div(ns, LINE_NS, &at_ns);
	v->attribute_data = false;
	if (line == RETRACE_LINE || line == RETRACE_LINE + 1)
		return STATUS_BLANK | STATUS_RETRACE;
	return line >= LINES_SEEN || at_ns >= LINE_SEEN_NS ? STATUS_BLANK : 0;
}

static uint8_t indexed(const uint8_t *regs, unsigned n, uint8_t index)
{
	return index < n ? regs[index] : 0;
}

static void copy(uint8_t *to, const uint8_t *from, unsigned n)
{
	while (n--)
		*to++ = *from++;
}

static uint8_t dac_in(struct vga *v)
{
	uint8_t value = v->dac[v->dac_read];

	v->dac_read = (v->dac_read + 1) % sizeof v->dac;
	return value;
}

static uint8_t in_byte(struct vga *v, unsigned reg)
{
	switch (reg) {
	case VGA_ATTRIBUTE: return v->attribute_index;
	case VGA_ATTRIBUTE_READ:
		return indexed(v->attribute, sizeof v->attribute, v->attribute_index & 0x1f);
	case VGA_MISC_WRITE: return 0x10;	/* input status 0: a monitor is there */
	case VGA_SEQUENCER: return v->sequencer_index;
	case VGA_SEQUENCER + 1:
		return indexed(v->sequencer, sizeof v->sequencer, v->sequencer_index);
	case VGA_DAC_MASK: return v->dac_mask;
	case VGA_DAC_READ: return v->dac_state;
	case VGA_DAC_WRITE: return (uint8_t)(v->dac_write / 3);
	case VGA_DAC_DATA: return dac_in(v);
	case VGA_FEATURE_READ: return v->feature;
	case VGA_MISC_READ: return v->misc;
	case VGA_GRAPHICS: return v->graphics_index;
	case VGA_GRAPHICS + 1: return indexed(v->graphics, sizeof v->graphics, v->graphics_index);
	case VGA_CRTC_MONO: return v->crtc_index;
	case VGA_CRTC_MONO + 1: return indexed(v->crtc, sizeof v->crtc, v->crtc_index);
	case VGA_STATUS_MONO: return status(v);
	default: return 0xff;
	}
}

static void crtc_out(struct vga *v, uint8_t value)
{
	uint8_t i = v->crtc_index, bits = 0xff;

	if (i >= sizeof v->crtc)
		return;
	if (i <= CRTC_OVERFLOW && (v->crtc[CRTC_SYNC_END] & SYNC_END_PROTECT))
		bits = i == CRTC_OVERFLOW ? OVERFLOW_FREE : 0;
	v->crtc[i] = (uint8_t)((v->crtc[i] & ~bits) | (value & bits));
}

/* One port takes index and data in turn. */
static void attribute_out(struct vga *v, uint8_t value)
{
	unsigned i = v->attribute_index & 0x1f;

	if (!v->attribute_data)
		v->attribute_index = value & 0x3f;
	else if (i < sizeof v->attribute)
		v->attribute[i] = value & attribute_bits(i);
	v->attribute_data = !v->attribute_data;
}

/* A colour changes with its third byte. */
static void dac_out(struct vga *v, uint8_t value)
{
	uint32_t part;
	unsigned entry = (unsigned)dev_div(v->dac_write, 3, &part);

	v->dac_colour[part] = value & 0x3f;
	if (part == 2)
		copy(&v->dac[3 * entry], v->dac_colour, 3);
	v->dac_write = (v->dac_write + 1) % sizeof v->dac;
}

static void set_indexed(uint8_t *regs, unsigned n, const uint8_t *bits, uint8_t index,
			uint8_t value)
{
	if (index < n)
		regs[index] = value & bits[index];
}

static void out_byte(struct vga *v, unsigned reg, uint8_t value)
{
	switch (reg) {
	case VGA_ATTRIBUTE: attribute_out(v, value); break;
	case VGA_MISC_WRITE: v->misc = value & 0xef; break;
	case VGA_SEQUENCER: v->sequencer_index = value & 0x07; break;
	case VGA_SEQUENCER + 1:
		set_indexed(v->sequencer, sizeof v->sequencer, sequencer_bits, v->sequencer_index,
			    value);
		break;
	case VGA_DAC_MASK: v->dac_mask = value; break;
	case VGA_DAC_READ: v->dac_read = value * 3u; v->dac_state = 3; break;
	case VGA_DAC_WRITE: v->dac_write = value * 3u; v->dac_state = 0; break;
	case VGA_DAC_DATA: dac_out(v, value); break;
	case VGA_GRAPHICS: v->graphics_index = value & 0x0f; break;
	case VGA_GRAPHICS + 1:
		set_indexed(v->graphics, sizeof v->graphics, graphics_bits, v->graphics_index,
			    value);
		break;
	case VGA_CRTC_MONO: v->crtc_index = value & 0x3f; break;
	case VGA_CRTC_MONO + 1: crtc_out(v, value); break;
	case VGA_STATUS_MONO: v->feature = value & 0x0b; break;
	}
}

/* The ports that move, by their names in monochrome modes; VGA_BASE's end if nothing
 * answers there. */
static unsigned moved(const struct vga *v, unsigned reg)
{
	bool colour = v->misc & MISC_COLOUR;
	bool moves = reg < VGA_ATTRIBUTE || reg >= COLOUR_OFFSET;

	if (!moves)
		return reg;
	if (colour != (reg >= COLOUR_OFFSET))
		return ~0u;
	return colour ? reg - COLOUR_OFFSET : reg;
}

uint32_t vga_in(struct vga *v, unsigned reg, unsigned size)
{
	uint32_t value = 0;

	for (unsigned i = 0; i < size; i++)
		value |= (uint32_t)in_byte(v, moved(v, reg + i)) << (8 * i);
	return value;
}

void vga_out(struct vga *v, unsigned reg, unsigned size, uint32_t value)
{
	for (unsigned i = 0; i < size; i++)
		out_byte(v, moved(v, reg + i), (uint8_t)(value >> (8 * i)));
}

void vga_reset(struct vga *v)
{
	*v = (struct vga){ .s = v->s };
}

void vga_init(struct vga *v, const struct dev_services *s)
{
	v->s = s;
	vga_reset(v);
}

/* The values of the reference's mode table; palette entries that the attribute
 * controller selects by mode 3. */
void vga_setup(struct vga *v)
{
	static const uint8_t sequencer[] = { 0x03, 0x00, 0x03, 0x00, 0x02 };
	static const uint8_t crtc[] = {
		0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0x00, 0x4f, 0x0d, 0x0e, 0x00,
		0x00, 0x00, 0x00, 0x9c, 0x8e, 0x8f, 0x28, 0x1f, 0x96, 0xb9, 0xa3, 0xff,
	};
	static const uint8_t graphics[] = { 0, 0, 0, 0, 0, 0x10, 0x0e, 0, 0xff };
	static const uint8_t attribute[] = {
		0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x14, 0x07, 0x38, 0x39, 0x3a, 0x3b, 0x3c,
		0x3d, 0x3e, 0x3f, 0x0c, 0x00, 0x0f, 0x08, 0x00,
	};

	v->misc = 0x67;
	copy(v->sequencer, sequencer, sizeof sequencer);
	copy(v->crtc, crtc, sizeof crtc);
	copy(v->graphics, graphics, sizeof graphics);
	copy(v->attribute, attribute, sizeof attribute);
	v->attribute_index = 0x20;	/* the palette belongs to the picture */
	v->dac_mask = 0xff;
	/* Six bits as on an EGA: the upper three are a third of the lower ones. */
	for (unsigned i = 0; i < 64; i++)
		for (unsigned c = 0; c < 3; c++)
			v->dac[3 * i + c] = (uint8_t)((i >> (2 - c) & 1) * 0x2a +
						      (i >> (5 - c) & 1) * 0x15);
}

static unsigned pair(const struct vga *v, unsigned i)
{
	return (unsigned)v->crtc[i] << 8 | v->crtc[i + 1];
}

static unsigned at_most(unsigned n, unsigned max)
{
	return n < max ? n : max;
}

bool vga_text(const struct vga *v, struct vga_text *t)
{
	const uint8_t *crtc = v->crtc;
	uint8_t misc = v->graphics[GRAPHICS_MISC];
	unsigned height = (crtc[CRTC_SCAN] & SCAN_HEIGHT) + 1u, at;
	unsigned lines = crtc[CRTC_ROWS] + ((crtc[CRTC_OVERFLOW] & 0x02u) << 7) +
			 ((crtc[CRTC_OVERFLOW] & 0x40u) << 3) + 1;

	if ((misc & GRAPHICS_MODE) || (misc & GRAPHICS_MAP) != GRAPHICS_MAP ||
	    !(v->misc & MISC_COLOUR))
		return false;
	if (crtc[CRTC_SCAN] & SCAN_DOUBLE)
		height *= 2;
	*t = (struct vga_text){
		.rows = at_most((unsigned)dev_div(lines, height, NULL), VGA_MAX_ROWS),
		.columns = at_most(crtc[CRTC_COLUMNS] + 1u, VGA_MAX_COLUMNS),
		.start = pair(v, CRTC_START) * 2 % VGA_MEMORY_SIZE,
		.pitch = crtc[CRTC_OFFSET] * 4u,
	};
	at = (pair(v, CRTC_CURSOR) * 2 - t->start) % VGA_MEMORY_SIZE;
	if (!(crtc[CRTC_CURSOR_START] & CURSOR_OFF) && t->pitch) {
		uint32_t rest;

		t->cursor_row = (unsigned)dev_div(at, t->pitch, &rest);
		t->cursor_column = rest / 2;
		t->cursor = t->cursor_row < t->rows && t->cursor_column < t->columns;
	}
	return true;
}
