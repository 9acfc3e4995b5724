/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The PC around the virtual CPU: the visible table of its devices, their
 * wiring, and the firmware's part of bringing them up.
 */
#ifndef LILYVM_PLATFORM_H
#define LILYVM_PLATFORM_H

#include "devemu/exitport.h"
#include "devemu/i8042.h"
#include "devemu/i8254.h"
#include "devemu/i8259.h"
#include "devemu/mc146818.h"
#include "devemu/ns16550.h"
#include "devemu/pci.h"
#include "devemu/piix_ide.h"
#include "devemu/vga.h"
#include "devemu/virtio_blk.h"
#include "hostos/disk.h"
#include "monitor/apic.h"
#include "monitor/console.h"
#include "monitor/nic.h"
#include "monitor/vm.h"
#include "monitor/wire.h"

struct disk {
	struct wire wire;
	enum disk_interface interface;
	unsigned place;			/* IDE: 0..3 */
	struct virtio_blk blk;		/* virtio */
	struct host_disk *host;
};

struct platform {
	struct i8259 pic;
	struct i8254 pit;
	struct mc146818 rtc;
	struct ns16550 com1;
	struct i8042 kbc;
	struct exitport exit;
	struct vga vga;
	struct apic apic;
	struct pci pci;
	struct pci_services pci_services;
	struct wire pic_wire, pit_wire, rtc_wire, com1_wire, kbc_wire, exit_wire, vga_wire;
	struct piix_ide ide;
	struct wire ide_wire[2];
	struct disk disks[VM_MAX_DISKS];
	unsigned ndisks;
	struct nic nics[VM_MAX_NICS];
	unsigned nnics;
	struct nic *linked;		/* whose chip the guest has linked; NULL: none */
	struct host_pcap *pcap;
	struct console *console;
};

/* Opens the back ends and builds the machine; 0 or -1 with *e. */
int platform_create(struct vm *vm, struct error *e);
void platform_destroy(struct vm *vm);
/* Hardware reset, then what a BIOS would set up. */
void platform_reset(struct vm *vm);

/* Port accesses of size 1, 2 or 4. */
uint32_t platform_in(struct vm *vm, uint16_t port, unsigned size);
void platform_out(struct vm *vm, uint16_t port, unsigned size, uint32_t v);
/* Naturally aligned accesses of the same sizes to physical memory that is no RAM. */
uint32_t platform_memory_in(struct vm *vm, gpa_t gpa, unsigned size);
void platform_memory_out(struct vm *vm, gpa_t gpa, unsigned size, uint32_t v);
/* An interrupt waits for the CPU. */
static inline bool platform_intr(const struct platform *p)
{
	if (!p->apic.on)
		return i8259_pending(&p->pic);
	return lapic_pending(&p->apic.local) ||
	       (i8259_pending(&p->pic) && lapic_extint(&p->apic.local));
}
/* The CPU takes it: its vector. */
uint8_t platform_ack(struct platform *p);
/* Looks after back ends that kicked: disk completions, console input. */
void platform_poll(struct vm *vm);
/* info irq, info devices */
void platform_info_irq(struct vm *vm, FILE *out);
void platform_info_devices(struct vm *vm, FILE *out);

#endif
