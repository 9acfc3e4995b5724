/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The MC146818A real-time clock and CMOS memory of a PC (Motorola data sheet
 * MC146818A/D; byte assignment of the IBM AT and its successors).
 */
#ifndef LILYVM_MC146818_H
#define LILYVM_MC146818_H

#include "devemu/clock.h"
#include "devemu/devemu.h"

#define MC146818_BYTES 128u

/* Registers by CMOS address. */
enum {
	RTC_SEC = 0, RTC_SEC_ALARM = 1, RTC_MIN = 2, RTC_MIN_ALARM = 3,
	RTC_HOUR = 4, RTC_HOUR_ALARM = 5, RTC_WDAY = 6,	/* 1: Sunday */
	RTC_MDAY = 7, RTC_MONTH = 8, RTC_YEAR = 9,
	RTC_A = 10, RTC_B = 11, RTC_C = 12, RTC_D = 13,
	CMOS_SHUTDOWN = 0x0f,		/* what the BIOS does after a reset */
	CMOS_FLOPPY = 0x10, CMOS_EQUIPMENT = 0x14,
	CMOS_BASE_MEM = 0x15,		/* KiB, two bytes */
	CMOS_EXT_MEM = 0x17,		/* KiB above 1 MiB, two bytes */
	CMOS_CHECKSUM = 0x2e,		/* sum of 0x10..0x2d, high byte first */
	CMOS_EXT_MEM_BIOS = 0x30,	/* as 0x17 */
	RTC_CENTURY = 0x32,		/* always BCD */
	CMOS_EXT16_MEM = 0x34,		/* 64 KiB units above 16 MiB, two bytes */
};

struct mc146818 {
	const struct dev_services *s;
	struct dev_clock clock;		/* the 32768 Hz oscillator */
	uint64_t base;			/* tick at which the present second began */
	int64_t sec;			/* present calendar time, seconds since 1970 */
	uint64_t seen;			/* the flags of register C are right up to this tick */
	uint64_t armed;			/* tick that the timer waits for */
	uint8_t index;			/* address of the next access */
	bool line;			/* level of the interrupt line */
	uint8_t ram[MC146818_BYTES];
};

/* Starts the clock at wallclock(); then it follows now(), because guests see
 * where a second begins.  Uses the services irq, now, wallclock and timer. */
void mc146818_init(struct mc146818 *r, const struct dev_services *s);
/* The RESET pin: interrupts off; time and memory stay. */
void mc146818_reset(struct mc146818 *r);
/* reg is 0 for port 0x70 (address; reads as 0xff) and 1 for 0x71 (data). */
uint32_t mc146818_in(struct mc146818 *r, unsigned reg, unsigned size);
void mc146818_out(struct mc146818 *r, unsigned reg, unsigned size, uint32_t v);
void mc146818_timer(struct mc146818 *r);

/* Stores the size of RAM, in bytes, where the BIOS would. */
void mc146818_set_memory(struct mc146818 *r, uint64_t size);

#endif
