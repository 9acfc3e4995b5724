/* SPDX-License-Identifier: BSD-2-Clause */
#include "devemu/piix_ide.h"

#define VENDOR 0x8086u
#define DEVICE 0x7010u
#define CLASS 0x010180u			/* IDE; bus master, compatible ports only */

#define BM_BAR 4u
#define BM_SIZE 16u
#define BM_CHANNEL 8u			/* registers of a channel */

/* IDETIM of each channel and SIDETIM (2.3.8, 2.3.9). */
#define TIMING(n) (0x40u + 2 * (n))
#define TIMING_SIZE 5u
#define TIMING_DECODE 0x8000u		/* the channel's ports are decoded */
#define TIMING_FAST 0x2377u		/* PIO mode 4 for both drives */

static bool decodes(const struct piix_ide *p, unsigned n)
{
	return pci_function_get(&p->pci, PCI_COMMAND, 2) & PCI_COMMAND_IO &&
	       pci_function_get(&p->pci, TIMING(n), 2) & TIMING_DECODE;
}

uint32_t piix_ide_in(struct piix_ide *p, unsigned n, unsigned reg, unsigned size)
{
	return decodes(p, n) ? ide_in(&p->channel[n], reg, size) : 0xffffffff;
}

void piix_ide_out(struct piix_ide *p, unsigned n, unsigned reg, unsigned size, uint32_t v)
{
	if (decodes(p, n))
		ide_out(&p->channel[n], reg, size, v);
}

void piix_ide_reset(struct piix_ide *p)
{
	ide_reset(&p->channel[0]);
	ide_reset(&p->channel[1]);
}

void piix_ide_setup(struct piix_ide *p)
{
	for (unsigned n = 0; n < 2; n++) {
		struct ide_channel *c = &p->channel[n];

		pci_function_set(&p->pci, TIMING(n), 2, TIMING_DECODE | TIMING_FAST);
		for (unsigned i = 0; i < 2; i++)
			if (c->drive[i].kind != IDE_NONE)
				c->bm.status |= 0x20u << i;
	}
}

void piix_ide_init(struct piix_ide *p, const struct dev_services *const s[2])
{
	pci_function_init(&p->pci, VENDOR, DEVICE, CLASS);
	p->pci.writable[PCI_COMMAND] = PCI_COMMAND_IO | PCI_COMMAND_MASTER;
	p->pci.writable[PCI_COMMAND + 1] = 0;	/* its interrupts are no INTx */
	p->pci.writable[PCI_INT_LINE] = 0;
	pci_function_io_bar(&p->pci, BM_BAR, BM_SIZE);
	for (unsigned i = 0; i < TIMING_SIZE; i++)
		p->pci.writable[TIMING(0) + i] = 0xff;
	ide_init(&p->channel[0], s[0]);
	ide_init(&p->channel[1], s[1]);
}

static uint32_t bar_in(void *chip, unsigned bar, unsigned reg, unsigned size)
{
	struct piix_ide *p = chip;

	(void)bar;
	return ide_bm_in(&p->channel[reg / BM_CHANNEL], reg % BM_CHANNEL, size);
}

static void bar_out(void *chip, unsigned bar, unsigned reg, unsigned size, uint32_t v)
{
	struct piix_ide *p = chip;

	(void)bar;
	ide_bm_out(&p->channel[reg / BM_CHANNEL], reg % BM_CHANNEL, size, v);
}

const struct pci_ops piix_ide_pci_ops = { .in = bar_in, .out = bar_out };
