/* SPDX-License-Identifier: BSD-2-Clause */
/* The 8259 pair and counter 0 of the 8254. */
#include "guest.h"

#define PIC1 0x20
#define PIC2 0xa0
#define PIT 0x40
#define PIT_HZ 1193182

static uint16_t mask = 0xffff;

static void write_mask(void)
{
	outb(PIC1 + 1, (uint8_t)mask);
	outb(PIC2 + 1, (uint8_t)(mask >> 8));
}

void pic_init(void)
{
	outb(PIC1, 0x11);		/* ICW1: edge, cascade, ICW4 */
	outb(PIC2, 0x11);
	outb(PIC1 + 1, IRQ_BASE);	/* ICW2 */
	outb(PIC2 + 1, IRQ_BASE + 8);
	outb(PIC1 + 1, 1 << 2);		/* ICW3: slave on line 2 */
	outb(PIC2 + 1, 2);
	outb(PIC1 + 1, 1);		/* ICW4: 8086 mode */
	outb(PIC2 + 1, 1);
	write_mask();
}

void pic_unmask(unsigned irq)
{
	mask &= (uint16_t)~(1u << irq);
	if (irq >= 8)
		mask &= (uint16_t)~(1u << 2);
	write_mask();
}

void pic_mask(unsigned irq)
{
	mask |= (uint16_t)(1u << irq);
	write_mask();
}

void pic_eoi(unsigned irq)
{
	if (irq >= 8)
		outb(PIC2, 0x20);
	outb(PIC1, 0x20);
}

void pit_rate(unsigned hz)
{
	unsigned count = PIT_HZ / hz;

	outb(PIT + 3, 0x34);		/* counter 0, low then high byte, mode 2 */
	outb(PIT, (uint8_t)count);
	outb(PIT, (uint8_t)(count >> 8));
}

void pit_once(unsigned us)
{
	unsigned count = us * 12 / 10;

	outb(PIT + 3, 0x30);		/* mode 0 */
	outb(PIT, (uint8_t)count);
	outb(PIT, (uint8_t)(count >> 8));
}
