/* SPDX-License-Identifier: BSD-2-Clause */
#include "monitor/screen.h"

#include "monitor/machine.h"

static uint8_t *memory(struct vm *vm)
{
	return gmem_ram(vm, GPA(VGA_MEMORY), VGA_MEMORY_SIZE);
}

/* What stands in a row; its length without the spaces at the end. */
static unsigned read_row(const uint8_t *mem, const struct vga_text *t, unsigned row, char *line)
{
	unsigned length = 0;

	for (unsigned c = 0; c < t->columns; c++) {
		uint8_t v = mem[(t->start + row * t->pitch + 2 * c) % VGA_MEMORY_SIZE];

		line[c] = v == 0 ? ' ' : v < ' ' || v > '~' ? '.' : (char)v;
		if (line[c] != ' ')
			length = c + 1;
	}
	return length;
}

void screen_print(struct vm *vm, FILE *out)
{
	char line[VGA_MAX_COLUMNS];
	struct vga_text t;

	if (!vga_text(&vm->plat.vga, &t)) {
		fprintf(out, "no text: the guest has set a graphics mode\n");
		return;
	}
	fprintf(out, "%u columns, %u rows, ", t.columns, t.rows);
	if (t.cursor)
		fprintf(out, "cursor in column %u of row %u\n", t.cursor_column, t.cursor_row);
	else
		fprintf(out, "no cursor\n");
	for (unsigned row = 0; row < t.rows; row++)
		fprintf(out, "|%.*s\n", (int)read_row(memory(vm), &t, row, line), line);
}
