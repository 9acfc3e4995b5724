/* SPDX-License-Identifier: BSD-2-Clause */
#include "devemu/mc146818.h"

#define HZ_SHIFT 15		/* 32768 Hz */
#define SECOND (1u << HZ_SHIFT)
#define DAY 86400u

/* Register A. */
#define A_UIP 0x80u
#define A_RESET 0x60u		/* DV = 11x holds the divider in reset */
#define A_RATE 0x0fu
/* Register B. */
#define B_SET 0x80u
#define B_PIE 0x40u
#define B_AIE 0x20u
#define B_UIE 0x10u
#define B_SQWE 0x08u
#define B_BINARY 0x04u
#define B_24H 0x02u
/* Register C; the three flags lie where register B has their enables. */
#define C_IRQF 0x80u
#define C_PF 0x40u
#define C_AF 0x20u
#define C_UF 0x10u
/* Register D. */
#define D_VRT 0x80u		/* the battery is good */

#define ALARM_ANY 0xc0u		/* an alarm byte with both bits set matches always */
#define PM 0x80u		/* in a 12-hour byte */

/* UIP rises 244 us before the update, which takes 1984 us (data sheet, fig. 15). */
#define UIP_TICKS 73u

/* Days from 0000-03-01 to 1970-01-01 in the proleptic Gregorian calendar. */
#define EPOCH_DAYS 719468u

static uint8_t encode(const struct mc146818 *r, unsigned v)
{
	return r->ram[RTC_B] & B_BINARY ? v : v / 10 << 4 | v % 10;
}

static unsigned decode(const struct mc146818 *r, uint8_t v)
{
	return r->ram[RTC_B] & B_BINARY ? v : (v >> 4) * 10u + (v & 15);
}

static uint8_t encode_hour(const struct mc146818 *r, unsigned hour)
{
	unsigned h12 = hour % 12 ? hour % 12 : 12;

	if (r->ram[RTC_B] & B_24H)
		return encode(r, hour);
	return encode(r, h12) | (hour >= 12 ? PM : 0);
}

static unsigned decode_hour(const struct mc146818 *r, uint8_t v)
{
	if (r->ram[RTC_B] & B_24H)
		return decode(r, v);
	return decode(r, v & ~PM) % 12 + (v & PM ? 12 : 0);
}

/* Days since 1970 of a date; month 1..12, any day.  Years begin in March. */
static int32_t days_from_date(int year, unsigned month, unsigned day)
{
	unsigned y = year + 4800 - (month <= 2), m = (month + 9) % 12;

	/* 4800 years are 12 whole cycles of 146097 days. */
	return (int32_t)(y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day - 1) -
	       12 * 146097 - (int32_t)EPOCH_DAYS;
}

/* Writes the calendar time into the time registers. */
static void store_time(struct mc146818 *r)
{
	uint64_t sec = (uint64_t)(r->sec + (int64_t)EPOCH_DAYS * DAY);
	uint32_t days = (uint32_t)(sec >> 7) / (DAY >> 7);
	uint32_t tod = (uint32_t)(sec - (uint64_t)days * DAY);
	uint32_t era = days / 146097, doe = days % 146097;
	uint32_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	uint32_t doy = doe - (yoe * 365 + yoe / 4 - yoe / 100);
	uint32_t m = (doy * 5 + 2) / 153, month = m < 10 ? m + 3 : m - 9;
	uint32_t year = era * 400 + yoe + (month <= 2), century = year / 100 % 100;

	r->ram[RTC_SEC] = encode(r, tod % 60);
	r->ram[RTC_MIN] = encode(r, tod / 60 % 60);
	r->ram[RTC_HOUR] = encode_hour(r, tod / 3600);
	r->ram[RTC_WDAY] = (days + 3) % 7 + 1;
	r->ram[RTC_MDAY] = encode(r, doy - (m * 153 + 2) / 5 + 1);
	r->ram[RTC_MONTH] = encode(r, month);
	r->ram[RTC_YEAR] = encode(r, year % 100);
	r->ram[RTC_CENTURY] = century / 10 << 4 | century % 10;
}

/* Reads it back from there. */
static void load_time(struct mc146818 *r)
{
	unsigned century = (r->ram[RTC_CENTURY] >> 4) % 10 * 10 + (r->ram[RTC_CENTURY] & 15) % 10;
	unsigned month = decode(r, r->ram[RTC_MONTH]);
	int year = (int)(century * 100 + decode(r, r->ram[RTC_YEAR]));

	month = month < 1 ? 1 : month > 12 ? 12 : month;
	r->sec = (int64_t)days_from_date(year, month, decode(r, r->ram[RTC_MDAY])) * DAY +
		 decode_hour(r, r->ram[RTC_HOUR]) * 3600 + decode(r, r->ram[RTC_MIN]) * 60 +
		 decode(r, r->ram[RTC_SEC]);
}

static bool alarm_matches(const struct mc146818 *r, unsigned reg, unsigned v)
{
	uint8_t alarm = r->ram[reg];

	if ((alarm & ALARM_ANY) == ALARM_ANY)
		return true;
	return v == (reg == RTC_HOUR_ALARM ? decode_hour(r, alarm) : decode(r, alarm));
}

/* Seconds to the next match of the alarm, 1..DAY; 0 if it cannot match. */
static uint32_t alarm_distance(const struct mc146818 *r)
{
	uint64_t sec = (uint64_t)(r->sec + (int64_t)EPOCH_DAYS * DAY);
	uint32_t tod = (uint32_t)(sec - (uint64_t)((uint32_t)(sec >> 7) / (DAY >> 7)) * DAY);
	uint32_t d = 1;

	while (d <= DAY) {
		uint32_t t = (tod + d) % DAY;

		if (!alarm_matches(r, RTC_HOUR_ALARM, t / 3600))
			d += 3600 - t % 3600;
		else if (!alarm_matches(r, RTC_MIN_ALARM, t / 60 % 60))
			d += 60 - t % 60;
		else if (!alarm_matches(r, RTC_SEC_ALARM, t % 60))
			d++;
		else
			return d;
	}
	return 0;
}

static bool divider_runs(const struct mc146818 *r)
{
	return (r->ram[RTC_A] & A_RESET) != A_RESET;
}

/* The clock runs and shows it: updates take place. */
static bool updating(const struct mc146818 *r)
{
	return divider_runs(r) && !(r->ram[RTC_B] & B_SET);
}

/* Period of PF as a power of two of ticks (data sheet, table 5); 0: none. */
static unsigned rate_shift(const struct mc146818 *r)
{
	unsigned rate = r->ram[RTC_A] & A_RATE;

	if (!divider_runs(r) || rate == 0)
		return 0;
	return rate < 3 ? rate + 6 : rate - 1;
}

/* Brings time and flags up to date.  Flags are set whether enabled or not. */
static void sync(struct mc146818 *r)
{
	uint64_t tick = dev_clock_ticks(&r->clock, r->s->now(r->s->ctx));
	uint64_t secs = (tick - r->base) >> HZ_SHIFT;
	unsigned shift = rate_shift(r);

	if (divider_runs(r) && secs) {
		r->base += secs << HZ_SHIFT;
		if (updating(r)) {
			uint32_t alarm = alarm_distance(r);

			r->ram[RTC_C] |= C_UF | (alarm && alarm <= secs ? C_AF : 0);
			r->sec += (int64_t)secs;
			store_time(r);
		}
	}
	if (shift && tick >> shift != r->seen >> shift)
		r->ram[RTC_C] |= C_PF;
	r->seen = tick;
}

/* Tick of the next event whose interrupt is enabled. */
static uint64_t next_event(const struct mc146818 *r)
{
	uint8_t b = r->ram[RTC_B];
	unsigned shift = rate_shift(r);
	uint64_t next = DEV_NO_TICK, at;
	uint32_t alarm;

	if ((b & B_PIE) && shift)
		next = ((r->seen >> shift) + 1) << shift;
	if (!updating(r))
		return next;
	if (b & B_UIE) {
		at = r->base + SECOND;
		next = at < next ? at : next;
	}
	if ((b & B_AIE) && (alarm = alarm_distance(r)) != 0) {
		at = r->base + ((uint64_t)alarm << HZ_SHIFT);
		next = at < next ? at : next;
	}
	return next;
}

/*
 * Sets IRQF and the line from flags and enables, and the timer for the next
 * event.  While the line is up no event can raise it: none is waited for, and
 * a guest that does not read register C costs nothing.
 */
static void update(struct mc146818 *r)
{
	bool irq = r->ram[RTC_C] & r->ram[RTC_B] & (C_PF | C_AF | C_UF);
	uint64_t next = irq ? DEV_NO_TICK : next_event(r);

	r->ram[RTC_C] = (r->ram[RTC_C] & ~C_IRQF) | (irq ? C_IRQF : 0);
	if (irq != r->line) {
		r->line = irq;
		r->s->irq(r->s->ctx, irq);
	}
	if (next != r->armed) {
		r->armed = next;
		r->s->timer(r->s->ctx, dev_clock_ns(&r->clock, next));
	}
}

void mc146818_timer(struct mc146818 *r)
{
	r->armed = DEV_NO_TICK;		/* the timer is spent */
	sync(r);
	update(r);
}

static uint8_t read_data(struct mc146818 *r)
{
	uint8_t v;

	if (r->index > RTC_D && r->index != RTC_CENTURY)
		return r->ram[r->index];
	sync(r);
	v = r->ram[r->index];
	if (r->index == RTC_A && updating(r) && r->seen - r->base >= SECOND - UIP_TICKS)
		v |= A_UIP;
	if (r->index == RTC_C)
		r->ram[RTC_C] = 0;
	update(r);
	return v;
}

static void write_a(struct mc146818 *r, uint8_t v)
{
	bool ran = divider_runs(r);

	r->ram[RTC_A] = v & ~A_UIP;
	/* The first update comes half a second after the divider starts. */
	if (!ran && divider_runs(r))
		r->base = r->seen - SECOND / 2;
}

static void write_b(struct mc146818 *r, uint8_t v)
{
	uint8_t old = r->ram[RTC_B];

	if (v & B_SET)
		v &= ~B_UIE;
	r->ram[RTC_B] = v;
	if ((old & B_SET) && !(v & B_SET))
		load_time(r);
	if (!(v & B_SET))
		store_time(r);	/* in the format chosen now */
}

static void write_data(struct mc146818 *r, uint8_t v)
{
	sync(r);
	switch (r->index) {
	case RTC_A:
		write_a(r, v);
		break;
	case RTC_B:
		write_b(r, v);
		break;
	case RTC_C:
	case RTC_D:
		break;		/* read only */
	case RTC_SEC:
	case RTC_MIN:
	case RTC_HOUR:
	case RTC_MDAY:
	case RTC_MONTH:
	case RTC_YEAR:
	case RTC_CENTURY:
		r->ram[r->index] = v;
		if (!(r->ram[RTC_B] & B_SET))
			load_time(r);
		break;
	default:
		r->ram[r->index] = v;
	}
	update(r);
}

uint32_t mc146818_in(struct mc146818 *r, unsigned reg, unsigned size)
{
	uint32_t v = 0;

	for (unsigned i = 0; i < size; i++)
		v |= (uint32_t)(reg + i == 1 ? read_data(r) : 0xff) << 8 * i;
	return v;
}

void mc146818_out(struct mc146818 *r, unsigned reg, unsigned size, uint32_t v)
{
	for (unsigned i = 0; i < size; i++, v >>= 8) {
		if (reg + i == 0)
			r->index = v & (MC146818_BYTES - 1);	/* bit 7 masks NMI */
		else if (reg + i == 1)
			write_data(r, v);
	}
}

static void put16(struct mc146818 *r, unsigned at, uint64_t v)
{
	uint16_t v16 = v > 0xffff ? 0xffff : (uint16_t)v;

	r->ram[at] = v16 & 0xff;
	r->ram[at + 1] = v16 >> 8;
}

static void put_checksum(struct mc146818 *r)
{
	unsigned sum = 0;

	for (unsigned i = CMOS_FLOPPY; i < CMOS_CHECKSUM; i++)
		sum += r->ram[i];
	r->ram[CMOS_CHECKSUM] = sum >> 8;
	r->ram[CMOS_CHECKSUM + 1] = sum & 0xff;
}

void mc146818_set_memory(struct mc146818 *r, uint64_t size)
{
	uint64_t kib = size >> 10;
	uint64_t ext = kib > 1024 ? kib - 1024 : 0;

	put16(r, CMOS_BASE_MEM, kib < 640 ? kib : 640);
	put16(r, CMOS_EXT_MEM, ext);
	put16(r, CMOS_EXT_MEM_BIOS, ext);
	put16(r, CMOS_EXT16_MEM, kib > 16384 ? (kib - 16384) >> 6 : 0);
	put_checksum(r);
}

void mc146818_reset(struct mc146818 *r)
{
	sync(r);
	r->ram[RTC_B] &= ~(B_PIE | B_AIE | B_UIE | B_SQWE);
	r->ram[RTC_C] = 0;
	r->index = 0;
	update(r);
}

void mc146818_init(struct mc146818 *r, const struct dev_services *s)
{
	int64_t limit = (int64_t)1 << 38;	/* years 0 to 10000 fit the registers */

	*r = (struct mc146818){ .s = s, .clock = { .hz = SECOND }, .armed = DEV_NO_TICK };
	r->ram[RTC_A] = 0x26;		/* 32768 Hz; 1024 Hz */
	r->ram[RTC_B] = B_24H;
	r->ram[RTC_D] = D_VRT;
	r->ram[CMOS_EQUIPMENT] = 0x02;	/* an FPU; no floppy drive */
	r->sec = s->wallclock(s->ctx);
	if (r->sec < 0 || r->sec >= limit)
		r->sec = 0;
	r->base = r->seen = dev_clock_ticks(&r->clock, s->now(s->ctx));
	store_time(r);
	put_checksum(r);
}
