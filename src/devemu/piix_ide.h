/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The IDE function of a PIIX3 (Intel 82371SB data sheet, 2.3, 290550): two channels
 * at the compatible ports, interrupts 14 and 15, bus master by BAR 4.
 */
#ifndef LILYVM_DEVEMU_PIIX_IDE_H
#define LILYVM_DEVEMU_PIIX_IDE_H

#include "devemu/ide.h"
#include "devemu/pci.h"

struct piix_ide {
	struct pci_function pci;
	struct ide_channel channel[2];
};

/* s: the services of each channel.  Put it on the bus with
 * pci_attach(pci, devfn, &p->pci, &piix_ide_pci_ops, p); drives come by ide_attach(). */
void piix_ide_init(struct piix_ide *p, const struct dev_services *const s[2]);
/* Hardware reset of the channels; the bus resets the function. */
void piix_ide_reset(struct piix_ide *p);
/* The firmware's part: decodes the ports, tells which drives can do DMA. */
void piix_ide_setup(struct piix_ide *p);

/* The compatible ports of channel n, registers as in ide.h; those that are turned off
 * read as ones. */
uint32_t piix_ide_in(struct piix_ide *p, unsigned n, unsigned reg, unsigned size);
void piix_ide_out(struct piix_ide *p, unsigned n, unsigned reg, unsigned size, uint32_t v);

extern const struct pci_ops piix_ide_pci_ops;

#endif
