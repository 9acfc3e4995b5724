/* SPDX-License-Identifier: BSD-2-Clause */
/* The APICs of --apic: how they are wired, and where the guest finds them. */
#ifndef LILYVM_APIC_H
#define LILYVM_APIC_H

#include "devemu/ioapic.h"
#include "devemu/lapic.h"
#include "monitor/wire.h"
#include "types.h"

/* APIC id of the I/O APIC; the CPU's is 0. */
#define APIC_IO_ID 1

struct apic {
	bool on;			/* --apic */
	struct lapic local;
	struct ioapic io;
	struct wire wire;
	struct lapic_services local_bus;
	struct ioapic_services io_bus;
};

void apic_create(struct vm *vm);
/* Hardware reset, then what firmware sets up. */
void apic_reset(struct vm *vm);
/* Accesses to physical memory; false: they are not at gpa. */
bool apic_in(struct vm *vm, gpa_t gpa, unsigned size, uint32_t *v);
bool apic_out(struct vm *vm, gpa_t gpa, unsigned size, uint32_t v);
/* Drives an ISA interrupt line. */
void apic_isa_irq(struct vm *vm, unsigned irq, int level);

/*
 * Writes the MP configuration table (MultiProcessor Specification 1.4, chapter 4) into the
 * area of a PC's ROM: one CPU of this CPUID signature and these features, the
 * I/O APIC, the ISA interrupts, and INTA# of each PCI device.
 */
void mptable_put(uint8_t *ram, uint32_t signature, uint32_t features);

#endif
