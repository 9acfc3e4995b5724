/* SPDX-License-Identifier: BSD-2-Clause */
#include "devemu/ne2000_pci.h"

#define REALTEK 0x10ecu
#define RTL8029 0x8029u
#define CLASS_ETHERNET 0x020000u

void ne2000_pci_init(struct ne2000_pci *n, const struct dev_services *s,
		     const uint8_t mac[ETHER_ADDR])
{
	ne2000_init(&n->nic, s, mac);
	pci_function_init(&n->pci, REALTEK, RTL8029, CLASS_ETHERNET);
	pci_function_set(&n->pci, PCI_SUBSYS_VENDOR, 2, REALTEK);
	pci_function_set(&n->pci, PCI_SUBSYS_DEVICE, 2, RTL8029);
	n->pci.config[PCI_INT_PIN] = 1;
	pci_function_io_bar(&n->pci, 0, NE2000_PORTS);
}

static uint32_t bar_in(void *chip, unsigned bar, unsigned reg, unsigned size)
{
	(void)bar;
	return ne2000_in(&((struct ne2000_pci *)chip)->nic, reg, size);
}

static void bar_out(void *chip, unsigned bar, unsigned reg, unsigned size, uint32_t v)
{
	(void)bar;
	ne2000_out(&((struct ne2000_pci *)chip)->nic, reg, size, v);
}

const struct pci_ops ne2000_pci_ops = { .in = bar_in, .out = bar_out };
