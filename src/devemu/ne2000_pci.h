/* SPDX-License-Identifier: BSD-2-Clause */
/* The NE2000 as a PCI function: Realtek's RTL8029, ports in I/O BAR 0. */
#ifndef LILYVM_DEVEMU_NE2000_PCI_H
#define LILYVM_DEVEMU_NE2000_PCI_H

#include "devemu/ne2000.h"
#include "devemu/pci.h"

struct ne2000_pci {
	struct ne2000 nic;
	struct pci_function pci;
};

/* As ne2000_init().  Put it on the bus with
 * pci_attach(pci, devfn, &n->pci, &ne2000_pci_ops, n). */
void ne2000_pci_init(struct ne2000_pci *n, const struct dev_services *s,
		     const uint8_t mac[ETHER_ADDR]);

extern const struct pci_ops ne2000_pci_ops;

#endif
