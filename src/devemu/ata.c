/* SPDX-License-Identifier: BSD-2-Clause */
/* The commands of an ATA disk (ATA/ATAPI-6, 8). */
#include "devemu/ide_parts.h"

#define MODEL "LilyVM disk"

/* SET FEATURES (8.46). */
enum {
	CACHE_ON = 0x02, TRANSFER_MODE = 0x03, LOOK_AHEAD_OFF = 0x55, NO_REVERT = 0x66,
	CACHE_OFF = 0x82, LOOK_AHEAD_ON = 0xaa, REVERT = 0xcc,
};

/* Flags of a command. */
#define WIDE 1u				/* 48-bit address */
#define MULTIPLE 2u			/* DRQ for several sectors at a time */

struct row {
	void (*run)(struct ide_channel *c, struct ide_drive *d, const struct row *row);
	uint8_t transfer;		/* enum ide_transfer */
	uint8_t flags;
};

static void fail(struct ide_channel *c, struct ide_drive *d, uint8_t error)
{
	ide_fail(c, d, error, 0);
}

/* Addresses (6.2, 6.20). */

static uint32_t word_lba(const uint8_t *regs)
{
	return regs[IDE_LBA_LOW] | (uint32_t)regs[IDE_LBA_MID] << 8 |
	       (uint32_t)regs[IDE_LBA_HIGH] << 16;
}

static bool get_chs(const struct ide_drive *d, uint64_t *lba)
{
	uint32_t cylinder = d->regs[IDE_LBA_MID] | (uint32_t)d->regs[IDE_LBA_HIGH] << 8;
	uint32_t head = d->regs[IDE_DEVICE] & 15, sector = d->regs[IDE_LBA_LOW];

	if (sector == 0 || sector > d->track || head >= d->heads)
		return false;
	*lba = (cylinder * d->heads + head) * d->track + sector - 1;
	return true;
}

/* The sector that the registers name; false: there is none. */
static bool get_address(const struct ide_drive *d, uint64_t *lba)
{
	if (d->wide)
		*lba = word_lba(d->regs) | (uint64_t)word_lba(d->hob) << 24;
	else if (d->regs[IDE_DEVICE] & IDE_DEVICE_LBA)
		*lba = word_lba(d->regs) | (uint32_t)(d->regs[IDE_DEVICE] & 15) << 24;
	else if (!get_chs(d, lba))
		return false;
	return *lba < d->sectors;
}

static void put_bytes(uint8_t *regs, uint32_t v)
{
	regs[IDE_LBA_LOW] = (uint8_t)v;
	regs[IDE_LBA_MID] = (uint8_t)(v >> 8);
	regs[IDE_LBA_HIGH] = (uint8_t)(v >> 16);
}

static void put_chs(struct ide_drive *d, uint32_t lba)
{
	uint32_t track = lba / d->track, cylinder = track / d->heads;

	put_bytes(d->regs, (lba % d->track + 1) | cylinder << 8);
	d->regs[IDE_DEVICE] = (uint8_t)((d->regs[IDE_DEVICE] & 0xf0) | track % d->heads);
}

void ata_put_address(struct ide_drive *d, uint64_t lba)
{
	if (!d->wide && !(d->regs[IDE_DEVICE] & IDE_DEVICE_LBA)) {
		put_chs(d, (uint32_t)lba);
		return;
	}
	put_bytes(d->regs, (uint32_t)lba);
	if (d->wide)
		put_bytes(d->hob, (uint32_t)(lba >> 24));
	else
		d->regs[IDE_DEVICE] = (uint8_t)((d->regs[IDE_DEVICE] & 0xf0) | (lba >> 24 & 15));
}

/* 0 stands for the most. */
static uint32_t get_count(const struct ide_drive *d)
{
	uint32_t n = d->regs[IDE_NSECTOR];

	if (d->wide) {
		n |= (uint32_t)d->hob[IDE_NSECTOR] << 8;
		return n ? n : 65536;
	}
	return n ? n : 256;
}

/* READ and WRITE in all forms, READ VERIFY. */
static void transfer(struct ide_channel *c, struct ide_drive *d, const struct row *row)
{
	uint32_t count = get_count(d), block = IDE_SECTOR;
	bool writing = row->transfer == IDE_PIO_OUT || row->transfer == IDE_DMA_OUT;
	uint64_t lba;

	if (row->flags & MULTIPLE)
		block *= d->multiple;
	if (block == 0 || (writing && d->readonly))
		fail(c, d, IDE_ABRT);
	else if (!get_address(d, &lba) || count > d->sectors - lba)
		fail(c, d, IDE_IDNF);
	else
		ide_move(c, d, row->transfer, lba * IDE_SECTOR, (uint64_t)count * IDE_SECTOR,
			 block);
}

static void seek(struct ide_channel *c, struct ide_drive *d, const struct row *row)
{
	uint64_t lba;

	(void)row;
	if (get_address(d, &lba))
		ide_complete(c, d);
	else
		fail(c, d, IDE_IDNF);
}

/* READ NATIVE MAX ADDRESS (EXT) (ATA/ATAPI-6, 8.29 and 8.30): the last sector, in
 * the form of the command; that is at most 28 bits without EXT. */
static void native_max(struct ide_channel *c, struct ide_drive *d, const struct row *row)
{
	uint64_t last = d->sectors ? d->sectors - 1 : 0;

	(void)row;
	if (!d->wide && last > 0x0fffffff)
		last = 0x0fffffff;
	ata_put_address(d, last);
	ide_complete(c, d);
}

static void done(struct ide_channel *c, struct ide_drive *d, const struct row *row)
{
	(void)row;
	ide_complete(c, d);
}

/* FLUSH CACHE; and what takes the disk to rest, which does it as well. */
static void flush(struct ide_channel *c, struct ide_drive *d, const struct row *row)
{
	(void)row;
	ide_flush(c, d);
}

static void check_power(struct ide_channel *c, struct ide_drive *d, const struct row *row)
{
	(void)row;
	d->regs[IDE_NSECTOR] = 0xff;	/* active or idle */
	ide_complete(c, d);
}

static void diagnostic(struct ide_channel *c, struct ide_drive *d, const struct row *row)
{
	(void)d;
	(void)row;
	ide_diagnostic(c);
}

static void set_geometry(struct ide_channel *c, struct ide_drive *d, const struct row *row)
{
	(void)row;
	if (d->regs[IDE_NSECTOR] == 0) {
		fail(c, d, IDE_ABRT);
		return;
	}
	d->track = d->regs[IDE_NSECTOR];
	d->heads = (d->regs[IDE_DEVICE] & 15) + 1;
	ide_complete(c, d);
}

static void set_multiple(struct ide_channel *c, struct ide_drive *d, const struct row *row)
{
	uint8_t n = d->regs[IDE_NSECTOR];

	(void)row;
	if (n > IDE_MAX_MULTIPLE || (n & (n - 1))) {
		fail(c, d, IDE_ABRT);
		return;
	}
	d->multiple = n;
	ide_complete(c, d);
}

static void set_features(struct ide_channel *c, struct ide_drive *d, const struct row *row)
{
	(void)row;
	switch (d->regs[IDE_ERROR]) {
	case CACHE_OFF:
		d->write_cache = false;
		ide_flush(c, d);
		return;
	case CACHE_ON:
		d->write_cache = true;
		break;
	case TRANSFER_MODE:
		if (ide_set_mode(d))
			break;
		fail(c, d, IDE_ABRT);
		return;
	case LOOK_AHEAD_ON:
	case LOOK_AHEAD_OFF:
	case REVERT:			/* to defaults at a software reset: none differ then */
	case NO_REVERT:
		break;
	default:
		fail(c, d, IDE_ABRT);
		return;
	}
	ide_complete(c, d);
}

/* IDENTIFY DEVICE (8.15). */

static void put_geometry(struct ide_drive *d)
{
	uint32_t per_cylinder = (uint32_t)d->heads * d->track;
	uint32_t total = d->sectors > 0x0fffffff ? 0x0fffffff : (uint32_t)d->sectors;
	uint32_t cylinders = total / per_cylinder;

	if (cylinders > 65535)
		cylinders = 65535;
	ide_put_word(d, 54, (uint16_t)cylinders);
	ide_put_word(d, 55, d->heads);
	ide_put_word(d, 56, d->track);
	ide_put_word(d, 57, (uint16_t)(cylinders * per_cylinder));
	ide_put_word(d, 58, (uint16_t)(cylinders * per_cylinder >> 16));
	ide_put_word(d, 60, (uint16_t)total);		/* by 28-bit addresses */
	ide_put_word(d, 61, (uint16_t)(total >> 16));
	for (unsigned i = 0; i < 4; i++)
		ide_put_word(d, 100 + i, (uint16_t)(d->sectors >> 16 * i));
}

static void identify(struct ide_channel *c, struct ide_drive *d, const struct row *row)
{
	(void)row;
	ide_identify(d, MODEL);
	ide_put_word(d, 0, 0x0040);		/* a fixed disk */
	ide_put_word(d, 1, d->cylinders);
	ide_put_word(d, 3, 16);
	ide_put_word(d, 6, 63);
	ide_put_word(d, 47, 0x8000 | IDE_MAX_MULTIPLE);
	ide_put_word(d, 48, 1);			/* the data port takes 32 bits */
	ide_put_word(d, 51, 0x0200);		/* PIO mode, for drivers of ATA-1 */
	ide_put_word(d, 53, 0x0007);		/* words 54-58, 64-70 and 88 are valid */
	if (d->multiple)
		ide_put_word(d, 59, 0x0100 | d->multiple);
	put_geometry(d);
	ide_put_word(d, 82, 0x0028);		/* write cache, power management */
	ide_put_word(d, 83, 0x7400);		/* FLUSH CACHE (EXT), 48-bit addresses */
	ide_put_word(d, 84, 0x4000);
	ide_put_word(d, 85, d->write_cache ? 0x0028 : 0x0008);
	ide_put_word(d, 86, 0x3400);
	ide_put_word(d, 87, 0x4000);
	ide_put_word(d, 93, d == &c->drive[0] ? 0x600b : 0x4b00);	/* 80-wire cable, reset */
	ide_send(c, d, IDE_PIO_IN, IDE_SECTOR, IDE_SECTOR);
}

/* What is not here is aborted: NOP and DEVICE RESET, too. */
static const struct row commands[256] = {
	[0x10 ... 0x1f] = { .run = done },			/* RECALIBRATE */
	[0x20 ... 0x21] = { transfer, IDE_PIO_IN, 0 },
	[0x24] = { transfer, IDE_PIO_IN, WIDE },
	[0x25] = { transfer, IDE_DMA_IN, WIDE },
	[0x27] = { .run = native_max, .flags = WIDE },
	[0x29] = { transfer, IDE_PIO_IN, WIDE | MULTIPLE },
	[0x30 ... 0x31] = { transfer, IDE_PIO_OUT, 0 },
	[0x34] = { transfer, IDE_PIO_OUT, WIDE },
	[0x35] = { transfer, IDE_DMA_OUT, WIDE },
	[0x39] = { transfer, IDE_PIO_OUT, WIDE | MULTIPLE },
	[0x40 ... 0x41] = { transfer, IDE_VERIFY, 0 },
	[0x42] = { transfer, IDE_VERIFY, WIDE },
	[0x70 ... 0x7f] = { .run = seek },
	[0x90] = { .run = diagnostic },
	[0x91] = { .run = set_geometry },
	[0x94] = { .run = flush }, [0xe0] = { .run = flush },	/* STANDBY IMMEDIATE */
	[0x95] = { .run = done }, [0xe1] = { .run = done },	/* IDLE IMMEDIATE */
	[0x96] = { .run = flush }, [0xe2] = { .run = flush },	/* STANDBY */
	[0x97] = { .run = done }, [0xe3] = { .run = done },	/* IDLE */
	[0x98] = { .run = check_power }, [0xe5] = { .run = check_power },
	[0x99] = { .run = flush }, [0xe6] = { .run = flush },	/* SLEEP */
	[0xc4] = { transfer, IDE_PIO_IN, MULTIPLE },
	[0xc5] = { transfer, IDE_PIO_OUT, MULTIPLE },
	[0xc6] = { .run = set_multiple },
	[0xc8 ... 0xc9] = { transfer, IDE_DMA_IN, 0 },
	[0xca ... 0xcb] = { transfer, IDE_DMA_OUT, 0 },
	[0xe7] = { .run = flush }, [0xea] = { .run = flush },	/* FLUSH CACHE (EXT) */
	[0xec] = { .run = identify },
	[0xef] = { .run = set_features },
	[0xf8] = { .run = native_max },
};

void ata_command(struct ide_channel *c, struct ide_drive *d, uint8_t command)
{
	const struct row *row = &commands[command];

	d->wide = row->flags & WIDE;
	if (row->run)
		row->run(c, d, row);
	else
		fail(c, d, IDE_ABRT);
}
