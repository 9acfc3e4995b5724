/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A PCI bus of one segment, as on a PC with an i440FX and a PIIX3: the
 * configuration mechanism 1 (PCI 2.3, 3.2.2.3.2), the host bridge 00:00.0, the
 * ISA bridge 00:01.0 with its PIRQ routers, and a table of the functions that
 * the machine puts on the bus.  BARs are of I/O or 32-bit memory.
 *
 * A function is a chip of its own.  The chip owns its struct pci_function
 * (plain bytes); the bus knows it by pci_attach().
 */
#ifndef LILYVM_DEVEMU_PCI_H
#define LILYVM_DEVEMU_PCI_H

#include "devemu/devemu.h"

/* The bus's own ports: CONFADD, the reset control register 0xcf9, CONFDATA. */
#define PCI_BASE 0xcf8u

#define PCI_DEVFN(slot, func) ((unsigned)(slot) << 3 | (unsigned)(func))
#define PCI_MAX_FUNCTIONS 32u
#define PCI_BARS 6u

/* Where memory BARs lie: below the APICs, above any RAM. */
#define PCI_MEMORY 0xfeb00000u
#define PCI_MEMORY_LAST 0xfebfffffu

/* Offsets in configuration space, type 0 header (PCI 2.3, 6.1). */
enum {
	PCI_VENDOR = 0x00, PCI_DEVICE = 0x02, PCI_COMMAND = 0x04, PCI_STATUS = 0x06,
	PCI_REVISION = 0x08, PCI_CLASS = 0x09, PCI_CACHE_LINE = 0x0c, PCI_LATENCY = 0x0d,
	PCI_HEADER_TYPE = 0x0e,
	PCI_BAR0 = 0x10, PCI_SUBSYS_VENDOR = 0x2c, PCI_SUBSYS_DEVICE = 0x2e,
	PCI_CAPABILITIES = 0x34, PCI_INT_LINE = 0x3c, PCI_INT_PIN = 0x3d,
};

#define PCI_COMMAND_IO 0x0001u
#define PCI_COMMAND_MEMORY 0x0002u
#define PCI_COMMAND_MASTER 0x0004u
#define PCI_COMMAND_INTX_OFF 0x0400u
#define PCI_STATUS_INT 0x08u		/* an INTx is pending */
#define PCI_STATUS_CAPS 0x10u		/* there is a capability list */

/* The four PIRQ route control registers of the ISA bridge (PIIX3 data sheet, 2.2.12). */
#define PCI_PIRQ_ROUTE 0x60u
#define PCI_PIRQ_COUNT 4u
/* The interrupt line that pci_assign() routes PIRQ n to, and all such lines, a bit each. */
#define PCI_PIRQ_LINE(n) ((n) < 2 ? 10u : 11u)
#define PCI_LEVEL_IRQS 0x0c00u

/* The PIRQ (0..3) that a device's pin (1: INTA#) is wired to: pins rotate from device to
 * device. */
static inline unsigned pci_pirq(unsigned device, unsigned pin)
{
	return (device + pin - 2) % PCI_PIRQ_COUNT;
}

struct pci_function {
	uint8_t config[256];
	uint8_t writable[256];		/* the bits that configuration writes can change */
	uint32_t bar_size[PCI_BARS];	/* bytes, a power of two; 0: no such BAR */
};

/* What the bus asks of a function; the last two may be NULL. */
struct pci_ops {
	/* An access to a BAR; reg is the offset in it. */
	uint32_t (*in)(void *chip, unsigned bar, unsigned reg, unsigned size);
	void (*out)(void *chip, unsigned bar, unsigned reg, unsigned size, uint32_t v);
	/* Configuration bytes [reg, reg+size) are about to be read / were written. */
	void (*config_read)(void *chip, unsigned reg, unsigned size);
	void (*config_written)(void *chip, unsigned reg, unsigned size);
};

struct pci_services {
	void *ctx;
	/* Drives input irq (0..15) of the interrupt controllers. */
	void (*irq)(void *ctx, unsigned irq, int level);
	/* The reset line, by the reset control register; may be NULL. */
	void (*reset)(void *ctx);
};

/* A function's place on the bus. */
struct pci_slot {
	uint8_t devfn;
	bool level;			/* its INTx is asserted */
	struct pci_function *fn;
	const struct pci_ops *ops;
	void *chip;
};

struct pci {
	const struct pci_services *s;
	uint32_t address;		/* CONFADD */
	uint8_t reset_control;		/* 0xcf9 */
	uint16_t lines;			/* ISA interrupts that are driven high */
	unsigned nslots;
	struct pci_slot slots[PCI_MAX_FUNCTIONS];
	struct pci_function host_bridge, isa_bridge;
};

/* Makes the bus with its two bridges, in the state after power-on.  The struct
 * must not be moved afterwards (the table points to the bridges in it). */
void pci_init(struct pci *p, const struct pci_services *s);
/* Hardware reset: clears every writable configuration bit of every function.
 * The chips are reset by their owner; pci_assign() has to follow. */
void pci_reset(struct pci *p);

/* Puts a function on bus 0 at devfn; false if the table is full or the place
 * is taken.  fn, ops and chip must outlive the bus. */
bool pci_attach(struct pci *p, unsigned devfn, struct pci_function *fn,
		const struct pci_ops *ops, void *chip);

/*
 * The firmware's part of bringing up the bus, as there is no BIOS: gives every
 * I/O BAR a range from 0xc000 up and every memory BAR one from PCI_MEMORY up, routes
 * PIRQA and PIRQB to interrupt 10, PIRQC and PIRQD to 11, fills in the interrupt lines,
 * enables what there is of I/O, memory and bus mastering.  Returns the mask of interrupts that firmware has to set to level
 * triggered in the ELCR (ports 0x4d0, 0x4d1).
 */
uint16_t pci_assign(struct pci *p);

/* The ports 0xcf8..0xcff.  CONFADD answers to 4-byte accesses only, as on the
 * 82441FX; CONFDATA to any size. */
uint32_t pci_in(struct pci *p, unsigned reg, unsigned size);
void pci_out(struct pci *p, unsigned reg, unsigned size, uint32_t v);

/* An access to any other port: false if no enabled I/O BAR decodes it. */
bool pci_io_in(struct pci *p, unsigned port, unsigned size, uint32_t *v);
bool pci_io_out(struct pci *p, unsigned port, unsigned size, uint32_t v);

/* An access to physical memory that is no RAM: false if no enabled memory BAR decodes it. */
bool pci_memory_in(struct pci *p, uint64_t gpa, unsigned size, uint32_t *v);
bool pci_memory_out(struct pci *p, uint64_t gpa, unsigned size, uint32_t v);

/* The INTx line of the function at devfn.  Functions share interrupts; an
 * interrupt is driven as long as one of them asserts its line. */
void pci_intx(struct pci *p, unsigned devfn, int level);

/* For chips: sets up fn as an endpoint without BARs; class_code is the 24-bit
 * class, subclass and programming interface. */
void pci_function_init(struct pci_function *fn, uint16_t vendor, uint16_t device,
		       uint32_t class_code);
/* Gives fn an I/O BAR of size bytes (a power of two, 4..256). */
void pci_function_io_bar(struct pci_function *fn, unsigned bar, uint32_t size);
/* The same in memory: 32 bits, not prefetchable, 16 bytes or more. */
void pci_function_memory_bar(struct pci_function *fn, unsigned bar, uint32_t size);
/* Puts a capability with this id at offset at (0x40.., a multiple of 4) and at
 * the head of the list. */
void pci_function_capability(struct pci_function *fn, unsigned at, uint8_t id);
/* Little-endian access to configuration bytes. */
uint32_t pci_function_get(const struct pci_function *fn, unsigned reg, unsigned size);
void pci_function_set(struct pci_function *fn, unsigned reg, unsigned size, uint32_t v);

#endif
