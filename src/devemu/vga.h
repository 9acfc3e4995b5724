/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The registers of a VGA, so that kernels with a text console find one (IBM Personal
 * System/2 Hardware Interface Technical Reference, "Video Subsystem", 1988).  They keep
 * what is written and tell what a text screen looks like; there is no picture.  Its
 * memory is plain memory at 0xb8000, without planes: a font that is loaded is not seen.
 *
 * Register numbers are ports from VGA_BASE on.
 */
#ifndef LILYVM_DEVEMU_VGA_H
#define LILYVM_DEVEMU_VGA_H

#include "devemu/devemu.h"

#define VGA_BASE 0x3b0u
#define VGA_MEMORY 0xb8000u		/* of colour text modes */
#define VGA_MEMORY_SIZE 0x8000u		/* it wraps there */

enum {
	VGA_CRTC_MONO = 0x04,		/* index; data follows.  These and the status move to */
	VGA_STATUS_MONO = 0x0a,		/* 0x3dX with bit 0 of the miscellaneous output */
	VGA_ATTRIBUTE = 0x10, VGA_ATTRIBUTE_READ = 0x11, VGA_MISC_WRITE = 0x12,
	VGA_SEQUENCER = 0x14, VGA_DAC_MASK = 0x16, VGA_DAC_READ = 0x17, VGA_DAC_WRITE = 0x18,
	VGA_DAC_DATA = 0x19, VGA_FEATURE_READ = 0x1a, VGA_MISC_READ = 0x1c, VGA_GRAPHICS = 0x1e,
	VGA_CRTC = 0x24, VGA_STATUS = 0x2a,
};

struct vga {
	const struct dev_services *s;	/* now */
	uint8_t misc, feature;
	uint8_t crtc_index, crtc[0x19];
	uint8_t sequencer_index, sequencer[5];
	uint8_t graphics_index, graphics[9];
	uint8_t attribute_index, attribute[0x15];
	bool attribute_data;		/* the next write is data */
	uint8_t dac_mask, dac_state;
	uint16_t dac_read, dac_write;	/* byte numbers in dac[] */
	uint8_t dac_colour[3];		/* being written */
	uint8_t dac[768];
};

/* A text screen: character and attribute of row r, column c lie in the two bytes at
 * (start + r * pitch + 2 * c) % VGA_MEMORY_SIZE from VGA_MEMORY on. */
struct vga_text {
	unsigned rows, columns;		/* at most VGA_MAX_ROWS and VGA_MAX_COLUMNS */
	unsigned start, pitch;
	bool cursor;			/* it is shown, at this place of the screen */
	unsigned cursor_row, cursor_column;
};
#define VGA_MAX_ROWS 120u
#define VGA_MAX_COLUMNS 256u

void vga_init(struct vga *v, const struct dev_services *s);
void vga_reset(struct vga *v);
/* What a BIOS does: mode 3, 80 x 25 characters in colour. */
void vga_setup(struct vga *v);
uint32_t vga_in(struct vga *v, unsigned reg, unsigned size);
void vga_out(struct vga *v, unsigned reg, unsigned size, uint32_t value);
/* False if the registers describe no colour text screen. */
bool vga_text(const struct vga *v, struct vga_text *t);

#endif
