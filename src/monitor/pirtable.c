/* SPDX-License-Identifier: BSD-2-Clause */
#include "monitor/pirtable.h"

#include "devemu/pci.h"
#include "monitor/bytes.h"

#include <string.h>

#define PIR_VERSION 0x0100u
#define PIRQ_IRQS 0x0c00u	/* what a PIRQ may be routed to: 10 and 11, which no ISA card has */
#define PIIX 0x71108086u	/* a compatible router: the PIIX4's ISA bridge */

/* The link of a pin is the number of its PIRQ's register. */
static void slot_entry(uint8_t *to, unsigned device)
{
	to[0] = 0;			/* bus */
	to[1] = (uint8_t)PCI_DEVFN(device, 0);
	for (unsigned pin = 1; pin <= 4; pin++) {
		uint8_t *link = to + 2 + 3 * (pin - 1);

		link[0] = (uint8_t)(PCI_PIRQ_ROUTE + pci_pirq(device, pin));
		put_le16(link + 1, PIRQ_IRQS);
	}
	to[14] = 0;			/* number of the slot; 0: on the board */
}

void pir_table(uint8_t *to)
{
	memset(to, 0, PIR_SIZE);
	memcpy(to, "$PIR", 4);
	put_le16(to + 4, PIR_VERSION);
	put_le16(to + 6, PIR_SIZE);
	to[8] = 0;			/* the router's bus and place */
	to[9] = PCI_DEVFN(1, 0);
	put_le16(to + 10, PIRQ_IRQS);	/* used by PCI only */
	put_le32(to + 12, PIIX);
	for (unsigned device = 1; device <= PIR_SLOTS; device++)
		slot_entry(to + 32 + 16 * (device - 1), device);
	to[31] = byte_checksum(to, PIR_SIZE, 31);
}
