/* SPDX-License-Identifier: BSD-2-Clause */
/* The IDE function of the PIIX3 on its bus. */
#include "fakedev.h"

#include "devemu/piix_ide.h"

#define DEVFN PCI_DEVFN(1, 1)

static struct fakedev primary, secondary, drive;
static struct pci pci;
static struct piix_ide ide;

static void pci_irq(void *ctx, unsigned irq, int level)
{
	(void)ctx;
	ck_abort_msg("interrupt %u went to %d", irq, level);
}

static const struct pci_services bus_services = { .irq = pci_irq };

static uint32_t config(unsigned reg, unsigned size)
{
	pci_out(&pci, 0, 4, 0x80000000u | DEVFN << 8 | (reg & 0xfc));
	return pci_in(&pci, 4 + (reg & 3), size);
}

static void set_config(unsigned reg, unsigned size, uint32_t v)
{
	pci_out(&pci, 0, 4, 0x80000000u | DEVFN << 8 | (reg & 0xfc));
	pci_out(&pci, 4 + (reg & 3), size, v);
}

static void power_on(void)
{
	const struct dev_services *const s[2] = { &primary.s, &secondary.s };

	fakedev_init(&primary);
	fakedev_init(&secondary);
	fakedev_init(&drive);
	pci_init(&pci, &bus_services);
	piix_ide_init(&ide, s);
	ck_assert(pci_attach(&pci, DEVFN, &ide.pci, &piix_ide_pci_ops, &ide));
	ide_attach(&ide.channel[0], 0, &drive.s, IDE_DISK, 1 << 20, false, "0");
	ide_attach(&ide.channel[1], 1, &drive.s, IDE_DISK, 1 << 20, false, "1");
}

START_TEST(header)
{
	power_on();
	ck_assert_uint_eq(config(PCI_VENDOR, 4), 0x70108086);
	ck_assert_uint_eq(config(PCI_CLASS, 1), 0x80);
	ck_assert_uint_eq(config(PCI_CLASS + 1, 2), 0x0101);
	ck_assert_uint_eq(config(PCI_INT_PIN, 1), 0);
	set_config(PCI_INT_LINE, 1, 14);
	ck_assert_uint_eq(config(PCI_INT_LINE, 1), 0);
	/* The only BAR is that of the bus master. */
	for (unsigned bar = 0; bar < PCI_BARS; bar++) {
		set_config(PCI_BAR0 + 4 * bar, 4, 0xffffffff);
		ck_assert_uint_eq(config(PCI_BAR0 + 4 * bar, 4), bar == 4 ? 0xfffffff1 : 0);
	}
	/* Its neighbour says that it has a neighbour. */
	pci_out(&pci, 0, 4, 0x80000000u | PCI_DEVFN(1, 0) << 8 | 0x0c);
	ck_assert_uint_eq(pci_in(&pci, 6, 1), 0x80);
}
END_TEST

static uint8_t status(unsigned n)
{
	return (uint8_t)piix_ide_in(&ide, n, IDE_CONTROL, 1);
}

/* The ports are there when both the function and the channel are turned on. */
START_TEST(decoding)
{
	power_on();
	ck_assert_uint_eq(status(0), 0xff);
	pci_assign(&pci);
	ck_assert_uint_eq(status(0), 0xff);
	piix_ide_setup(&ide);
	ck_assert_uint_eq(status(0), IDE_DRDY | IDE_DSC);
	set_config(0x42, 2, config(0x42, 2) & 0x7fff);
	ck_assert_uint_eq(status(1), 0xff);
	piix_ide_out(&ide, 1, IDE_DEVICE, 1, IDE_DEVICE_1);
	ck_assert_uint_eq(ide.channel[1].selected, 0);
	ck_assert_uint_eq(status(0), IDE_DRDY | IDE_DSC);
	set_config(PCI_COMMAND, 1, 0);
	ck_assert_uint_eq(status(0), 0xff);
	pci_reset(&pci);
	ck_assert_uint_eq(config(0x40, 4), 0);
}
END_TEST

START_TEST(bus_master)
{
	uint32_t v;

	power_on();
	pci_assign(&pci);
	piix_ide_setup(&ide);
	ck_assert_uint_eq(config(PCI_BAR0 + 16, 4), 0xc001);
	/* The drives that can do DMA. */
	ck_assert(pci_io_in(&pci, 0xc002, 1, &v));
	ck_assert_uint_eq(v, 0x20);
	ck_assert(pci_io_in(&pci, 0xc00a, 1, &v));
	ck_assert_uint_eq(v, 0x40);
	ck_assert(pci_io_out(&pci, 0xc00c, 4, 0x1000));
	ck_assert_uint_eq(ide.channel[1].bm.table, 0x1000);
	ck_assert_uint_eq(ide.channel[0].bm.table, 0);
	piix_ide_reset(&ide);
	ck_assert_uint_eq(ide.channel[1].bm.table, 0);
}
END_TEST

START_TEST(interrupts)
{
	power_on();
	pci_assign(&pci);
	piix_ide_setup(&ide);
	piix_ide_out(&ide, 0, IDE_STATUS, 1, 0x10);
	ck_assert_int_eq(primary.irq, 1);
	ck_assert_int_eq(secondary.irq, 0);
	piix_ide_out(&ide, 1, IDE_DEVICE, 1, IDE_DEVICE_1);
	piix_ide_out(&ide, 1, IDE_STATUS, 1, 0x10);
	ck_assert_int_eq(secondary.irq, 1);
	piix_ide_reset(&ide);
	ck_assert_int_eq(primary.irq, 0);
	ck_assert_int_eq(secondary.irq, 0);
}
END_TEST

FAKEDEV_MAIN("piix_ide", header, decoding, bus_master, interrupts)
