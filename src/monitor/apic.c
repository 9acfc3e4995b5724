/* SPDX-License-Identifier: BSD-2-Clause */
#include "monitor/bytes.h"
#include "monitor/machine.h"

#include <string.h>

/* The timer's interrupt is at another input (MP specification, 5.1: input 0 is the 8259s'). */
static unsigned pin_of(unsigned irq)
{
	return irq ? irq : 2;
}

static void eoi(void *ctx, uint8_t vector)
{
	ioapic_eoi(&((struct vm *)ctx)->plat.apic.io, vector);
}

static void send(void *ctx, uint64_t entry)
{
	struct lapic *l = &((struct vm *)ctx)->plat.apic.local;
	unsigned mode = entry >> 8 & 7;

	if (mode <= DELIVER_LOWEST && lapic_is_destination(l, entry >> 56, entry & IOAPIC_LOGICAL))
		lapic_request(l, (uint8_t)entry, entry & IOAPIC_LEVEL);
}

static void fire(void *chip)
{
	lapic_timer(chip);
}

void apic_create(struct vm *vm)
{
	struct apic *a = &vm->plat.apic;

	a->on = vm->cfg.apic;
	a->local_bus = (struct lapic_services){ .ctx = vm, .eoi = eoi };
	a->io_bus = (struct ioapic_services){ .ctx = vm, .send = send };
	wire_isa(vm, &a->wire, 0, fire, &a->local);
	lapic_init(&a->local, &a->wire.s, &a->local_bus);
	ioapic_init(&a->io, &a->io_bus);
}

void apic_reset(struct vm *vm)
{
	struct apic *a = &vm->plat.apic;

	lapic_reset(&a->local);
	ioapic_reset(&a->io);
	if (!a->on)
		return;
	lapic_setup(&a->local);
	a->io.id = APIC_IO_ID;
}

/* The CPU's own APIC is switched off by IA32_APIC_BASE. */
static bool at_local(const struct vm *vm, gpa_t gpa)
{
	return gpa.v - LAPIC_BASE < LAPIC_SIZE && (vm->cpu.apic_base & APIC_BASE_ENABLE);
}

bool apic_in(struct vm *vm, gpa_t gpa, unsigned size, uint32_t *v)
{
	struct apic *a = &vm->plat.apic;

	if (!a->on)
		return false;
	if (at_local(vm, gpa))
		/* A part of a register is read as such. */
		*v = lapic_in(&a->local, gpa.v & 0xff0, 4) >> 8 * (gpa.v & 3);
	else if (gpa.v - IOAPIC_BASE < IOAPIC_SIZE)
		*v = ioapic_in(&a->io, gpa.v & 0xfff, size);
	else
		return false;
	return true;
}

bool apic_out(struct vm *vm, gpa_t gpa, unsigned size, uint32_t v)
{
	struct apic *a = &vm->plat.apic;

	if (!a->on)
		return false;
	if (at_local(vm, gpa))
		lapic_out(&a->local, gpa.v & 0xfff, size, v);
	else if (gpa.v - IOAPIC_BASE < IOAPIC_SIZE)
		ioapic_out(&a->io, gpa.v & 0xfff, size, v);
	else
		return false;
	return true;
}

void apic_isa_irq(struct vm *vm, unsigned irq, int level)
{
	if (vm->plat.apic.on)
		ioapic_set_irq(&vm->plat.apic.io, pin_of(irq), level);
}

/* ---- the MP table ---- */

#define AT_POINTER 0xf0000u
#define AT_TABLE 0xf0010u
#define HEADER 44u
#define SPEC_REVISION 4		/* 1.4 */

/* Types of entries (4.3), and of interrupts (table 4-10). */
enum { MP_CPU, MP_BUS, MP_IOAPIC, MP_IO_INTERRUPT, MP_LOCAL_INTERRUPT };
enum { MP_INT, MP_NMI, MP_SMI, MP_EXTINT };
#define MP_CPU_FLAGS 3		/* usable, the boot processor */
#define MP_ACTIVE_LOW_LEVEL 0xf
/* Numbers of buses; PCI's is that of its configuration space. */
enum { BUS_PCI = 0, BUS_ISA = 1 };
#define PCI_DEVICES 32u

static uint8_t *put_cpu(uint8_t *e, uint32_t signature, uint32_t features)
{
	e[0] = MP_CPU;
	e[2] = 0x14;			/* its APIC's version */
	e[3] = MP_CPU_FLAGS;
	put_le32(e + 4, signature);
	put_le32(e + 8, features);
	return e + 20;
}

static uint8_t *put_bus(uint8_t *e, unsigned number, const char type[6])
{
	e[0] = MP_BUS;
	e[1] = (uint8_t)number;
	memcpy(e + 2, type, 6);
	return e + 8;
}

static uint8_t *put_ioapic(uint8_t *e)
{
	e[0] = MP_IOAPIC;
	e[1] = APIC_IO_ID;
	e[2] = 0x11;			/* its version */
	e[3] = 1;			/* usable */
	put_le32(e + 4, IOAPIC_BASE);
	return e + 8;
}

static uint8_t *put_io_interrupt(uint8_t *e, unsigned flags, unsigned bus, unsigned irq,
				 unsigned pin)
{
	e[0] = MP_IO_INTERRUPT;
	e[1] = MP_INT;
	e[2] = (uint8_t)flags;
	e[4] = (uint8_t)bus;
	e[5] = (uint8_t)irq;
	e[6] = APIC_IO_ID;
	e[7] = (uint8_t)pin;
	return e + 8;
}

static uint8_t *put_io_interrupts(uint8_t *e)
{
	unsigned irq, device;

	for (irq = 0; irq < 16; irq++)
		if (irq != 2 && !(PCI_LEVEL_IRQS >> irq & 1))	/* 2: the cascade */
			e = put_io_interrupt(e, 0, BUS_ISA, irq, pin_of(irq));
	for (device = 1; device < PCI_DEVICES; device++)
		e = put_io_interrupt(e, MP_ACTIVE_LOW_LEVEL, BUS_PCI, device << 2,
				     PCI_PIRQ_LINE(pci_pirq(device, 1)));
	return e;
}

/* To LINT0 or LINT1 of all local APICs. */
static uint8_t *put_local_interrupt(uint8_t *e, unsigned kind, unsigned lint)
{
	e[0] = MP_LOCAL_INTERRUPT;
	e[1] = (uint8_t)kind;
	e[4] = BUS_ISA;
	e[6] = 0xff;
	e[7] = (uint8_t)lint;
	return e + 8;
}

static unsigned entries(const uint8_t *e, const uint8_t *end)
{
	unsigned n = 0;

	for (; e < end; e += *e == MP_CPU ? 20 : 8)
		n++;
	return n;
}

void mptable_put(uint8_t *ram, uint32_t signature, uint32_t features)
{
	uint8_t *pointer = ram + AT_POINTER, *table = ram + AT_TABLE, *e = table + HEADER;

	memset(pointer, 0, 0x400);
	memcpy(pointer, "_MP_", 4);
	put_le32(pointer + 4, AT_TABLE);
	pointer[8] = 1;			/* of 16 bytes */
	pointer[9] = SPEC_REVISION;
	pointer[10] = byte_checksum(pointer, 16, 10);
	e = put_cpu(e, signature, features);
	e = put_bus(e, BUS_PCI, "PCI   ");
	e = put_bus(e, BUS_ISA, "ISA   ");
	e = put_io_interrupts(put_ioapic(e));
	e = put_local_interrupt(e, MP_EXTINT, 0);
	e = put_local_interrupt(e, MP_NMI, 1);
	memcpy(table, "PCMP", 4);
	put_le16(table + 4, (uint16_t)(e - table));
	table[6] = SPEC_REVISION;
	memcpy(table + 8, "LILYVM  VIRTUAL PC  ", 20);
	put_le16(table + 34, (uint16_t)entries(table + HEADER, e));
	put_le32(table + 36, LAPIC_BASE);
	table[7] = byte_checksum(table, (unsigned)(e - table), 7);
}
