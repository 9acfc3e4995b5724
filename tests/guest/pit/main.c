/* SPDX-License-Identifier: BSD-2-Clause */
/* The 8254: modes, latch, read-back, the gate and output of counter 2. */
#include "guest.h"

#define PIT 0x40

static unsigned fired;
static void irq(struct trap_frame *f) { (void)f; fired++; pic_eoi(0); }

static void program(unsigned counter, unsigned mode, unsigned count)
{
	outb(PIT + 3, (uint8_t)(counter << 6 | 0x30 | mode << 1));
	outb((uint16_t)(PIT + counter), (uint8_t)count);
	outb((uint16_t)(PIT + counter), (uint8_t)(count >> 8));
}

static unsigned latched(unsigned counter)
{
	unsigned lo;

	outb(PIT + 3, (uint8_t)(counter << 6));
	lo = inb((uint16_t)(PIT + counter));
	return lo | inb((uint16_t)(PIT + counter)) << 8;
}

static uint8_t status(unsigned counter)
{
	outb(PIT + 3, (uint8_t)(0xe0 | 2 << counter));
	return inb((uint16_t)(PIT + counter));
}

/* Waits for n interrupts, or for about half a second of counter 2. */
static unsigned wait(unsigned n)
{
	unsigned before = 0xffff, wraps = 0;

	fired = 0;
	outb(0x61, 1);
	program(2, 2, 0xffff);
	sti();
	while (fired < n && wraps < 9) {
		unsigned now = latched(2);

		wraps += now > before;
		before = now;
	}
	cli();
	return fired;
}

int main(uint32_t magic, const void *info)
{
	unsigned a, b;

	(void)magic, (void)info;
	trap_init();
	pic_init();
	trap_set(IRQ_BASE, irq);
	pic_unmask(0);
	program(0, 2, 11932);
	printf("mode 2: %s\n", wait(5) >= 5 ? "periodic" : "stopped");
	program(0, 3, 11932);
	printf("mode 3: %s\n", wait(5) >= 5 ? "periodic" : "stopped");
	program(0, 0, 11932);
	printf("mode 0: %u interrupt\n", wait(2));
	program(0, 4, 11932);
	printf("mode 4: %u interrupt\n", wait(2));
	program(0, 2, 0);
	a = latched(0);
	b = latched(0);
	printf("counting down: %s\n", b <= a || a < 1000 ? "yes" : "no");
	/* One byte only. */
	outb(PIT + 3, 0x14);
	outb(PIT, 100);
	b = inb(PIT);
	printf("low byte only: %s\n", b <= 100 ? "right" : "wrong");
	program(0, 2, 1000);
	printf("status of mode 2: %x\n", status(0) & 0x3f);
	program(0, 3, 1000);
	printf("status of mode 3: %x\n", status(0) & 0x3f);
	/* Counter 2: the gate stops it, its output shows in port 61h. */
	outb(0x61, 0);
	program(2, 0, 20000);
	a = latched(2);
	b = latched(2);
	printf("gate closed: %s, output %u\n", a == b ? "stands" : "runs", inb(0x61) >> 5 & 1);
	outb(0x61, 1);
	while (!(inb(0x61) & 0x20))
		;
	printf("gate open: output high\n");
	return 0;
}
