/* SPDX-License-Identifier: BSD-2-Clause */
/* Places in code: AT. */
#include "guest.h"

extern const uint32_t places[], places_end[];

struct place place_of(uint32_t start, uint32_t eip)
{
	struct place p = { .bytes = eip - start };

	for (const uint32_t *mark = places; mark < places_end; mark++) {
		if (*mark < start || *mark > eip)
			continue;
		p.marks++;
		if (eip - *mark < p.bytes)
			p.bytes = eip - *mark;
	}
	return p;
}

void place_print(uint32_t start, uint32_t eip)
{
	struct place p = place_of(start, eip);

	printf("%u", p.marks);
	if (p.bytes)
		printf("+%u", p.bytes);
}
