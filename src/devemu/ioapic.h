/* SPDX-License-Identifier: BSD-2-Clause */
/* The I/O APIC (Intel 82093AA data sheet, 290566-001): 24 inputs, each with an entry that
 * says which interrupt it is. */
#ifndef LILYVM_IOAPIC_H
#define LILYVM_IOAPIC_H

#include "devemu/devemu.h"

/* Where it is, and the bytes it takes. */
#define IOAPIC_BASE 0xfec00000u
#define IOAPIC_SIZE 0x1000u
#define IOAPIC_PINS 24u

/* Registers in memory. */
enum { IOAPIC_SELECT = 0x00, IOAPIC_WINDOW = 0x10 };
/* Those that IOAPIC_SELECT chooses; from IOAPIC_TABLE on two for each entry, low half first. */
enum { IOAPIC_ID = 0, IOAPIC_VERSION = 1, IOAPIC_ARBITRATION = 2, IOAPIC_TABLE = 0x10 };

/* Bits of an entry. */
#define IOAPIC_LOGICAL 0x800u
#define IOAPIC_ACTIVE_LOW 0x2000u	/* kept only: lines are given as asserted or not */
#define IOAPIC_REMOTE_IRR 0x4000u	/* read only: taken, and not handled yet */
#define IOAPIC_LEVEL 0x8000u
#define IOAPIC_MASKED 0x10000u

struct ioapic_services {
	void *ctx;
	/* Sends the interrupt of an entry to the local APICs. */
	void (*send)(void *ctx, uint64_t entry);
};

struct ioapic {
	const struct ioapic_services *s;
	uint8_t id, select;
	uint32_t lines;
	uint64_t entry[IOAPIC_PINS];
};

void ioapic_init(struct ioapic *p, const struct ioapic_services *s);
/* The lines are the devices', and stay. */
void ioapic_reset(struct ioapic *p);
/* reg is an offset from IOAPIC_BASE; the registers are of 4 bytes. */
uint32_t ioapic_in(struct ioapic *p, unsigned reg, unsigned size);
void ioapic_out(struct ioapic *p, unsigned reg, unsigned size, uint32_t v);

/* Drives an input, 0..23. */
void ioapic_set_irq(struct ioapic *p, unsigned pin, int level);
/* The CPU has handled the interrupt of a vector: one whose line is up comes again. */
void ioapic_eoi(struct ioapic *p, uint8_t vector);

#endif
