/* SPDX-License-Identifier: BSD-2-Clause */
/* What disk and CD-ROM share: registers, interrupts, the bus master of the PIIX3. */
#include "ide.h"

#define PIIX3_IDE 0x70108086u
#define BM_COMMAND 0
#define BM_STATUS 2
#define BM_TABLE 4
#define BM_START 0x01
#define BM_TO_MEMORY 0x08
#define BM_ACTIVE 0x01
#define BM_ERROR 0x02
#define BM_INTERRUPT 0x04
#define PRD_END 0x80000000u

static uint16_t bus_master;
static volatile unsigned interrupts[2];
static struct { uint32_t base, flags; } table[2] __attribute__((aligned(16)));

static unsigned channel(uint16_t base)
{
	return base == SECONDARY;
}

uint8_t ide_wait(uint16_t base)
{
	uint8_t v;

	do
		v = inb(CONTROL(base));		/* does not acknowledge the interrupt */
	while (v & BSY);
	return v;
}

void ide_address(uint16_t base, uint8_t device, uint32_t lba, uint8_t count)
{
	outb(base + DEVICE, LBA | device << 4 | (lba >> 24 & 15));
	outb(base + COUNT, count);
	outb(base + LBA_LOW, (uint8_t)lba);
	outb(base + LBA_MID, (uint8_t)(lba >> 8));
	outb(base + LBA_HIGH, (uint8_t)(lba >> 16));
}

static void interrupt(struct trap_frame *f)
{
	unsigned irq = f->vector - IRQ_BASE;

	inb(irq == 14 ? PRIMARY + STATUS : SECONDARY + STATUS);
	interrupts[irq - 14]++;
	pic_eoi(irq);
}

void ide_interrupts_init(void)
{
	trap_init();
	pic_init();
	for (unsigned irq = 14; irq < 16; irq++) {
		trap_set(IRQ_BASE + irq, interrupt);
		pic_unmask(irq);
	}
	sti();
}

unsigned ide_interrupts(uint16_t base)
{
	unsigned n;

	cli();
	n = interrupts[channel(base)];
	interrupts[channel(base)] = 0;
	sti();
	return n;
}

void dma_init(void)
{
	uint32_t fn = pci_find(PIIX3_IDE);

	bus_master = pci_read(fn, 0x20) & 0xfffc;
	pci_write(fn, 4, pci_read(fn, 4) | 5);
	printf("PIIX3 IDE: class %x, bus master %s\n", pci_read(fn, 8) >> 8,
	       bus_master ? "there" : "missing");
}

/* In two parts, of which the first is short. */
void dma_start(uint16_t base, void *p, uint32_t len, bool to_memory)
{
	uint16_t port = (uint16_t)(bus_master + 8 * channel(base));
	uint32_t first = 64;

	table[0].base = (uint32_t)p;
	table[0].flags = first;
	table[1].base = (uint32_t)p + first;
	table[1].flags = (len - first) | PRD_END;
	outb(port + BM_COMMAND, 0);
	outb(port + BM_STATUS, BM_ERROR | BM_INTERRUPT);
	outl(port + BM_TABLE, (uint32_t)table);
	outb(port + BM_COMMAND, (to_memory ? BM_TO_MEMORY : 0) | BM_START);
}

uint8_t dma_end(uint16_t base)
{
	uint16_t port = (uint16_t)(bus_master + 8 * channel(base));
	uint8_t v;

	while (!(inb(port + BM_STATUS) & (BM_INTERRUPT | BM_ERROR)))
		;
	v = inb(port + BM_STATUS);
	outb(port + BM_COMMAND, 0);
	outb(port + BM_STATUS, BM_ERROR | BM_INTERRUPT);
	return v & (BM_ACTIVE | BM_ERROR | BM_INTERRUPT);
}
