/* SPDX-License-Identifier: BSD-2-Clause */
/* What connects a chip with the rest of the machine. */
#ifndef LILYVM_WIRE_H
#define LILYVM_WIRE_H

#include "devemu/devemu.h"

struct vm;

/* The context of a device's services. */
struct wire {
	struct vm *vm;
	unsigned irq;			/* ISA interrupt line, or PCI devfn */
	unsigned timer;			/* number in events */
	struct dev_services s;
	void *chip;
};

/* Fills in the services of a chip at an ISA interrupt line or at a place on the PCI bus
 * (platform.c).  fire is called with chip when its timer's deadline has passed; NULL: it
 * has no timer. */
void wire_isa(struct vm *vm, struct wire *w, unsigned irq, void (*fire)(void *), void *chip);
void wire_pci(struct vm *vm, struct wire *w, unsigned devfn, void (*fire)(void *), void *chip);

#endif
