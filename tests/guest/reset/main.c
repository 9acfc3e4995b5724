/* SPDX-License-Identifier: BSD-2-Clause */
/* Resets: through the i8042, by a triple fault, through port CF9h, through port 92h.
 * The machine starts again, CMOS memory stays. */
#include "guest.h"

#define MARK 0x50		/* a byte of CMOS memory that nobody uses */

static void by_i8042(void)
{
	while (inb(0x64) & 2)
		;
	outb(0x64, 0xfe);
}

static void by_triple_fault(void)
{
	struct { uint16_t limit; uint32_t base; } __attribute__((packed)) none = { 0, 0 };

	asm volatile("lidt %0; int3" : : "m"(none));
}

static void by_cf9(void)
{
	outb(0xcf9, 2);
	outb(0xcf9, 6);
}

static void by_port_92(void)
{
	outb(0x92, inb(0x92) | 1);
}

static void (*const ways[])(void) = { by_i8042, by_triple_fault, by_cf9, by_port_92 };

int main(uint32_t magic, const void *info)
{
	uint8_t n;

	(void)magic, (void)info;
	outb(0x70, MARK);
	n = inb(0x71);
	printf("start %u, cr0 %x cr4 %x IF %u\n", n, read_cr0() & 0x80010001, read_cr4(),
	       read_eflags() >> 9 & 1);
	outb(0x70, MARK);
	outb(0x71, (uint8_t)(n + 1));
	if (n == sizeof(ways) / sizeof(*ways))
		return 0;
	ways[n]();
	for (;;)
		asm volatile("cli; hlt");
}
