/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/guest.h, whose port accesses go to a linked NE2000. */
#pragma GCC system_header
#include_next "guest.h"

#ifndef LINKED_GUEST_H
#define LINKED_GUEST_H

#define LILY_BASES(b) io = (b)
#include <lilyvm/link.h>

LILY_INLINE uint8_t lily_inb(uint16_t port, int formal)
{
	uint32_t v;

	return lily_in(port, formal, 1, &v) ? (uint8_t)v : inb(port);
}

LILY_INLINE void lily_outb(uint16_t port, int formal, uint8_t v)
{
	if (!lily_out(port, formal, 1, v))
		outb(port, v);
}

#define inb(port) lily_inb(port, LILY_FORMAL(port))
#define outb(port, v) lily_outb(port, LILY_FORMAL(port), v)

#endif
