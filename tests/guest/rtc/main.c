/* SPDX-License-Identifier: BSD-2-Clause */
/* The clock: plausible time, periodic interrupt on line 8, memory sizes. */
#include "guest.h"

static volatile unsigned fired;
static volatile uint8_t cause;

static uint8_t cmos(uint8_t reg) { outb(0x70, reg); return inb(0x71); }
static void cmos_write(uint8_t reg, uint8_t v) { outb(0x70, reg); outb(0x71, v); }

static void irq(struct trap_frame *f)
{
	(void)f;
	fired++;
	cause |= cmos(0x0c);		/* the read allows the next one */
	pic_eoi(8);
}

static bool bcd_in(uint8_t v, uint8_t lo, uint8_t hi)
{
	uint8_t n = (uint8_t)((v >> 4) * 10 + (v & 15));

	return (v & 15) < 10 && n >= lo && n <= hi;
}

int main(uint32_t magic, const void *info)
{
	(void)magic, (void)info;
	trap_init();
	pic_init();
	while (cmos(0x0a) & 0x80)
		;
	printf("time: %s\n", bcd_in(cmos(0), 0, 59) && bcd_in(cmos(2), 0, 59) &&
					     bcd_in(cmos(4), 0, 23) && bcd_in(cmos(7), 1, 31) &&
					     bcd_in(cmos(8), 1, 12) && bcd_in(cmos(9), 0, 99)
				     ? "plausible"
				     : "nonsense");
	printf("valid: %x, century %x\n", cmos(0x0d), cmos(0x32));
	printf("base memory %u KiB, extended %u KiB\n", cmos(0x15) | cmos(0x16) << 8,
	       cmos(0x17) | cmos(0x18) << 8);
	printf("above 16 MiB: %u * 64 KiB\n", cmos(0x34) | cmos(0x35) << 8);
	trap_set(IRQ_BASE + 8, irq);
	cmos_write(0x0a, 0x26);			/* 1024 Hz */
	(void)cmos(0x0c);
	cmos_write(0x0b, cmos(0x0b) | 0x40);	/* periodic */
	pic_unmask(8);
	while (fired < 50)
		sti_hlt();
	cli();
	printf("periodic: fired, cause %x\n", cause & 0xc0);
	cmos_write(0x0b, (uint8_t)(cmos(0x0b) & ~0x40));
	(void)cmos(0x0c);
	cause = 0;
	fired = 0;
	cmos_write(0x0b, cmos(0x0b) | 0x10);	/* update ended: once a second */
	while (fired < 1)
		sti_hlt();
	cli();
	printf("update: cause %x\n", cause & 0x90);
	return 0;
}
