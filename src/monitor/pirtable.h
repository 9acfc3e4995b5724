/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef LILYVM_PIRTABLE_H
#define LILYVM_PIRTABLE_H

#include <stdint.h>

#define PIR_TABLE 0xf5a00u	/* guest-physical; in 0xf0000 .. 0xfffff, a multiple of 16 */
#define PIR_SLOTS 31u		/* devices 1 .. 31 */
#define PIR_SIZE (32u + 16u * PIR_SLOTS)

/* Writes the PCI interrupt routing table ($PIR), PIR_SIZE bytes, to `to`: by it kernels
 * find the PIIX3 that routes interrupts, and which of its PIRQ registers a pin of a slot is
 * wired to (Microsoft, "PCI IRQ Routing Table Specification" 1.0, 1997). */
void pir_table(uint8_t *to);

#endif
