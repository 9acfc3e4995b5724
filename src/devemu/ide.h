/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One channel of an IDE controller with up to two drives: ATA disks (ATA/ATAPI-6,
 * T13/1410D) and ATAPI CD-ROMs (the same, and MMC-3); and the channel's bus master
 * (Programming Interface for Bus Master IDE Controller 1.0).
 *
 *	ide.h		the registers, as inline functions: the frequent ones, data and
 *			status, are a few instructions when `reg` is a constant
 *	ide.c		the transfer machine: between disk, buffer and data port or PRDs
 *	ata.c, atapi.c	what the commands mean
 *	piix_ide.c	the PCI function with two channels
 *
 * A command moves its data in chunks through the drive's buffer.  A chunk comes from
 * the disk by one request to the host, and goes to the guest by the data port, in
 * blocks with DRQ set, or by DMA; or the other way round.
 *
 * Durability: with its write cache on (the default; SET FEATURES) a drive has written
 * data durably when FLUSH CACHE has ended; with the cache off when the write has.
 */
#ifndef LILYVM_DEVEMU_IDE_H
#define LILYVM_DEVEMU_IDE_H

#include "devemu/devemu.h"

/* Registers: the offset from 0x1f0 or 0x170, then 0x3f6 or 0x376. */
enum {
	IDE_DATA = 0,
	IDE_ERROR = 1,			/* written: features */
	IDE_NSECTOR = 2,		/* ATAPI: interrupt reason */
	IDE_LBA_LOW = 3,		/* or the sector's number */
	IDE_LBA_MID = 4,		/* or cylinder low; ATAPI: byte count low */
	IDE_LBA_HIGH = 5,
	IDE_DEVICE = 6,
	IDE_STATUS = 7,			/* written: command */
	IDE_CONTROL = 8,		/* read: status, without its effect on the interrupt */
	IDE_REGS = 9,
};

/* Status. */
#define IDE_BSY 0x80u
#define IDE_DRDY 0x40u
#define IDE_DF 0x20u			/* a write has failed */
#define IDE_DSC 0x10u
#define IDE_DRQ 0x08u
#define IDE_ERR 0x01u			/* ATAPI: CHK */

/* Error; ATAPI: the sense key in bits 4-7. */
#define IDE_UNC 0x40u			/* uncorrectable data */
#define IDE_IDNF 0x10u			/* no such address */
#define IDE_ABRT 0x04u

/* Device. */
#define IDE_DEVICE_LBA 0x40u
#define IDE_DEVICE_1 0x10u
#define IDE_DEVICE_OBSOLETE 0xa0u	/* read as ones */

/* Control. */
#define IDE_CONTROL_HOB 0x80u		/* show the registers' previous contents (48 bits) */
#define IDE_CONTROL_SRST 0x04u
#define IDE_CONTROL_NIEN 0x02u

/* Bus master: command and status. */
#define IDE_BM_START 0x01u
#define IDE_BM_TO_MEMORY 0x08u
#define IDE_BM_ACTIVE 0x01u
#define IDE_BM_ERROR 0x02u
#define IDE_BM_INT 0x04u
#define IDE_BM_DRIVES 0x60u		/* "drive n can do DMA", for drivers and firmware */

#define IDE_SECTOR 512u
#define IDE_CD_SECTOR 2048u
#define IDE_BUFFER (128u * 1024)
#define IDE_MAX_MULTIPLE 16u		/* sectors */

enum ide_kind { IDE_NONE, IDE_DISK, IDE_CDROM };

/* What the drive is doing with its buffer. */
enum ide_transfer { IDE_IDLE, IDE_PIO_IN, IDE_PIO_OUT, IDE_DMA_IN, IDE_DMA_OUT, IDE_VERIFY };

struct ide_drive {
	const struct dev_services *s;	/* block, block_drain, dma, dma_wrote */
	uint8_t kind;			/* enum ide_kind */
	uint8_t status, error;
	uint8_t regs[IDE_STATUS];	/* as written last, by register; regs[1]: features */
	uint8_t hob[IDE_STATUS];	/* as written before */
	bool intrq;			/* wants an interrupt */

	/* The transfer: buffer[pos, len) is still to be moved. */
	uint8_t transfer;		/* enum ide_transfer */
	uint8_t phase;			/* ide.c: what comes next, */
	bool ready;			/* ... and that it can come now */
	bool pumping;			/* in ide_pump() */
	bool first;			/* no block was offered yet */
	bool packet;			/* it is that of an ATAPI command's 12 bytes */
	bool wide;			/* the command's address and count: 48 and 16 bits */
	uint32_t pos, len;
	uint32_t in_end, out_end;	/* end of the block that DRQ offers or asks for; else 0 */
	uint32_t block;			/* bytes for which DRQ is set at a time */
	uint32_t chunk;			/* bytes that one request moves at most */
	uint64_t offset, left;		/* what comes from or goes to the disk, this chunk included */
	bool busy;			/* the host has `request` */
	bool stale;			/* ... and nobody waits for it any more */
	struct dev_block_request request;

	/* Properties and settings. */
	bool readonly;
	bool write_cache;
	uint8_t multiple;		/* sectors of READ and WRITE MULTIPLE, 0: off */
	uint8_t mdma, udma;		/* mode selected, as in IDENTIFY words 63 and 88 */
	uint16_t cylinders;		/* the default geometry; 16 heads, 63 sectors */
	uint8_t heads, track;		/* that in force: heads, sectors per track */
	uint64_t sectors;		/* of 512 bytes */
	char serial[20];

	/* CD-ROM. */
	bool ejected, locked;
	bool media_event;		/* for GET EVENT STATUS NOTIFICATION */
	bool attention;			/* power was turned on: the next command hears it */
	uint8_t sense, asc;		/* key and additional code; 0: none */

	_Alignas(16) uint8_t buffer[IDE_BUFFER];
};

struct ide_bus_master {
	uint8_t command, status;
	uint32_t table;			/* guest-physical address of the PRDs */
	uint32_t next;			/* address of the next one */
	uint32_t base, left;		/* what is left of the present one */
	bool last;			/* which is the table's last */
};

struct ide_channel {
	const struct dev_services *s;	/* irq */
	uint8_t control;
	uint8_t selected;		/* drive 0 or 1 */
	bool line;			/* level of the interrupt line */
	struct ide_bus_master bm;
	struct ide_drive drive[2];
};

/* A channel without drives. */
void ide_init(struct ide_channel *c, const struct dev_services *s);
/* Puts a drive at unit 0 or 1; size in bytes, a multiple of 512 (disk) or 2048 (CD-ROM;
 * what is over is left out).  A CD-ROM is never written, a disk only if not readonly. */
void ide_attach(struct ide_channel *c, unsigned unit, const struct dev_services *s,
		enum ide_kind kind, uint64_t size, bool readonly, const char *serial);
/* Hardware reset.  Returns when nothing is under way (services->block_drain). */
void ide_reset(struct ide_channel *c);
/* Any register but the bus master's; size 1, 2 or 4. */
uint32_t ide_in(struct ide_channel *c, unsigned reg, unsigned size);
void ide_out(struct ide_channel *c, unsigned reg, unsigned size, uint32_t v);
/* Bus-master registers, 0..7; any size within them. */
uint32_t ide_bm_in(struct ide_channel *c, unsigned reg, unsigned size);
void ide_bm_out(struct ide_channel *c, unsigned reg, unsigned size, uint32_t v);
/* The host hands back the request of drive r->tag. */
void ide_block_done(struct ide_channel *c, struct dev_block_request *r);

/* The rare parts of the registers below (ide.c). */
uint32_t ide_data_in_end(struct ide_channel *c, unsigned size);
void ide_data_out_end(struct ide_channel *c, unsigned size, uint32_t v);
void ide_taskfile_out(struct ide_channel *c, unsigned reg, uint8_t v);
void ide_acknowledge(struct ide_channel *c);

static inline struct ide_drive *ide_selected(struct ide_channel *c)
{
	return &c->drive[c->selected];
}

/* The data port. */
static inline uint32_t ide_data_in(struct ide_channel *c, unsigned size)
{
	struct ide_drive *d = ide_selected(c);
	uint32_t v = 0;

	if (d->pos + size >= d->in_end)
		return ide_data_in_end(c, size);
	__builtin_memcpy(&v, d->buffer + d->pos, size);
	d->pos += size;
	return v;
}

static inline void ide_data_out(struct ide_channel *c, unsigned size, uint32_t v)
{
	struct ide_drive *d = ide_selected(c);

	if (d->pos + size >= d->out_end) {
		ide_data_out_end(c, size, v);
		return;
	}
	__builtin_memcpy(d->buffer + d->pos, &v, size);
	d->pos += size;
}

/* The other registers, a byte each; what a drive that is not there answers is 0. */
static inline uint8_t ide_register_in(struct ide_channel *c, unsigned reg)
{
	struct ide_drive *d = ide_selected(c);

	if (reg == IDE_STATUS && d->intrq)
		ide_acknowledge(c);
	if (reg == IDE_STATUS || reg == IDE_CONTROL)
		return d->status;
	if (reg == IDE_ERROR && !(c->control & IDE_CONTROL_HOB))
		return d->error;
	if (d->kind == IDE_NONE && reg == IDE_DEVICE && c->drive[0].kind != IDE_NONE)
		d = &c->drive[0];	/* which answers for the other */
	if (d->kind == IDE_NONE || reg > IDE_CONTROL)
		return 0;
	return c->control & IDE_CONTROL_HOB && reg != IDE_DEVICE ? d->hob[reg] : d->regs[reg];
}

#endif
