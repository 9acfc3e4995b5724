/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/pci.h likewise. */
#pragma GCC system_header
#include "guest.h"
#include_next "pci.h"

#ifndef LINKED_PCI_H
#define LINKED_PCI_H

static inline void lily_insw(uint16_t port, void *to, uint32_t n)
{
	uint32_t done = lily_ins(port, 2, to, n);

	if (done < n)
		insw(port, (uint16_t *)to + done, n - done);
}

static inline void lily_outsw(uint16_t port, const void *from, uint32_t n)
{
	uint32_t done = lily_outs(port, 2, from, n);

	if (done < n)
		outsw(port, (const uint16_t *)from + done, n - done);
}

#define insw(port, to, n) lily_insw(port, to, n)
#define outsw(port, from, n) lily_outsw(port, from, n)

#endif
