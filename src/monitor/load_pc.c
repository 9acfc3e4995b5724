/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory and CPU as a PC's firmware and boot loader leave them. */
#include "monitor/load_parts.h"

#include "devemu/vga.h"
#include "monitor/pirtable.h"

#include <string.h>

#define BASE_MEMORY_KB 640u

unsigned pc_memory_map(uint64_t ram_size, struct pc_range map[PC_MAX_RANGES])
{
	map[0] = (struct pc_range){ 0, LOW_END, E820_RAM };
	map[1] = (struct pc_range){ LOW_END, HIGH_START - LOW_END, E820_RESERVED };
	map[2] = (struct pc_range){ HIGH_START, ram_size - HIGH_START, E820_RAM };
	return 3;
}

/* Spaces, light grey on black. */
static void clear_screen(uint8_t *mem)
{
	for (unsigned i = 0; i < VGA_MEMORY_SIZE; i += 2)
		put_le16(mem + i, 0x0720);
}

/* IBM PC AT technical reference, "BIOS data area"; what kernels look at. */
void pc_bios_data(uint8_t *ram)
{
	uint8_t *bda = ram + 0x400;

	memset(ram, 0, LOW_FREE);
	clear_screen(ram + VGA_MEMORY);
	pir_table(ram + PIR_TABLE);
	put_le16(bda + 0x00, 0x3f8);		/* COM1 */
	put_le16(bda + 0x10, 0x0222);		/* equipment: FPU, 80x25 colour, one serial port */
	put_le16(bda + 0x13, BASE_MEMORY_KB);	/* 0x413: where an EBDA would begin */
	bda[0x49] = 3;				/* video mode: text, 80x25 */
	put_le16(bda + 0x4a, 80);		/* columns */
	put_le16(bda + 0x4c, 0x1000);		/* size of a video page */
	put_le16(bda + 0x63, 0x3d4);		/* port of the CRT controller */
	bda[0x84] = 24;				/* rows - 1 */
	put_le16(bda + 0x85, 16);		/* scan lines of a character */
}

/* Bits 8-15 and 20-23 of the descriptors, as in struct segment. */
#define ATTR_CODE 0xc09bu	/* 4 KiB granules, 32 bits, present, code, readable, accessed */
#define ATTR_DATA 0xc093u	/* the same, data, writable */

static void put_flat(uint8_t *gdt, uint16_t sel, uint16_t attr)
{
	put_le32(gdt + sel, 0x0000ffff);
	put_le32(gdt + sel + 4, (attr & 0xffu) << 8 | (attr & 0xf000u) << 8 | 0xf0000u);
}

void pc_enter(struct vcpu *cpu, uint8_t *ram, uint16_t cs, uint32_t entry)
{
	const struct segment code = { cs, ATTR_CODE, 0, 0xffffffff };
	const struct segment data = { cs + 8, ATTR_DATA, 0, 0xffffffff };

	memset(ram + LOW_GDT, 0, 0x20);
	put_flat(ram + LOW_GDT, code.sel, code.attr);
	put_flat(ram + LOW_GDT, data.sel, data.attr);
	memset(cpu->gpr, 0, sizeof cpu->gpr);
	cpu->gpr[R_ESP] = LOW_INFO;
	cpu->eip = entry;
	cpu->eflags = FL_FIXED;
	cpu->cpl = 0;
	for (unsigned s = 0; s < S_COUNT; s++)
		cpu->seg[s] = s == S_CS ? code : data;
	cpu->cr0 = CR0_PE | CR0_ET;
	cpu->cr3 = 0;
	cpu->cr4 = 0;
	cpu->gdtr = (struct dtable){ LOW_GDT, 0x1f };
	/* No vector can be used: an exception before the kernel's lidt is a triple fault. */
	cpu->idtr = (struct dtable){ 0, 0 };
}

int ram_too_small(const struct image *img, const struct boot_args *args, uint64_t need,
		  struct error *e)
{
	uint64_t mib = (need + (1u << 20) - 1) >> 20;

	return fail(e, ST_IMAGE,
		    "%s: too little guest memory: needs at least %llu MiB, has %llu MiB; "
		    "use -m %lluM",
		    img->path, (unsigned long long)mib, (unsigned long long)(args->ram_size >> 20),
		    (unsigned long long)mib);
}

int range_check(const struct image *img, uint64_t start, uint64_t end, struct error *e)
{
	if (start < LOW_FREE || (start < HIGH_START && end > LOW_INFO))
		return fail(e, ST_IMAGE,
			    "%s: wants physical memory %#llx-%#llx, which holds firmware data; "
			    "link the kernel at 1 MiB (0x100000) or above",
			    img->path, (unsigned long long)start, (unsigned long long)end);
	/* A kernel linked at its virtual address is beyond any sensible -m. */
	if (end > 0xc0000000)
		return fail(e, ST_IMAGE,
			    "%s: wants physical memory %#llx-%#llx; link it with physical load "
			    "addresses (AT() in the linker script)",
			    img->path, (unsigned long long)start, (unsigned long long)end);
	return 0;
}
