/* SPDX-License-Identifier: BSD-2-Clause */
/* Ports that kernels read in loops, a hundred thousand times each: 8254, system control
 * port B, i8042, CMOS, IDE status, serial line status. */
#include "guest.h"

#define TIMES 100000u

int main(uint32_t magic, const void *info)
{
	static const uint16_t ports[] = { 0x40, 0x61, 0x64, 0x71, 0x1f7, 0x3fd };
	uint32_t reads = 0, changes = 0;

	(void)magic, (void)info;
	for (unsigned i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {
		uint8_t last = 0;

		for (unsigned n = 0; n < TIMES; n++, reads++) {
			uint8_t v = inb(ports[i]);

			changes += v != last;
			last = v;
		}
	}
	/* The counter moves while it is read. */
	printf("%u reads, values %s\n", reads, changes > 1000 ? "change" : "stand");
	return 0;
}
