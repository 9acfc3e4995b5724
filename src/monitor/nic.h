/* SPDX-License-Identifier: BSD-2-Clause */
/* Network cards: a chip on a bus, and the network that its cable leads to. */
#ifndef LILYVM_NIC_H
#define LILYVM_NIC_H

#include "devemu/ne2000_pci.h"
#include "devemu/rtl8139.h"
#include "devemu/virtio_net.h"
#include "monitor/vm.h"
#include "monitor/wire.h"

struct nic_kind;

struct nic {
	struct wire wire;
	const struct nic_kind *kind;
	struct host_net *host;
	union {
		struct virtio_net virtio;
		struct ne2000_pci ne2000;
		struct rtl8139 rtl8139;
	} chip;
};

/* Opens the networks of vm->cfg and puts the cards on their buses; 0 or -1 with *e. */
int nics_create(struct vm *vm, struct error *e);
/* A kernel that has linked a card's chip: the card's state moves to the runtime's window.
 * 0, or -1 with *e if the VM has no such card. */
int nics_link(struct vm *vm, struct error *e);
/* What the linked driver has done to its interrupt line reaches the interrupt controller:
 * before that is looked at or used. */
void nics_sync(struct vm *vm);
void nics_destroy(struct vm *vm);
void nics_reset(struct vm *vm);
/* After a kick: frames that have come, frames that can go. */
void nics_poll(struct vm *vm);
/* Ports of ISA cards; false if there is none. */
bool nics_isa_in(struct vm *vm, unsigned port, unsigned size, uint32_t *v);
bool nics_isa_out(struct vm *vm, unsigned port, unsigned size, uint32_t v);
void nics_info(struct vm *vm, FILE *out);

#endif
