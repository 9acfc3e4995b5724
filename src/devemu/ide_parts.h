/* SPDX-License-Identifier: BSD-2-Clause */
/* What ide.c, ata.c and atapi.c share. */
#ifndef LILYVM_DEVEMU_IDE_PARTS_H
#define LILYVM_DEVEMU_IDE_PARTS_H

#include "devemu/ide.h"

#define IDE_READY (IDE_DRDY | IDE_DSC)

/* ide.c */

/* Raises or lowers the drive's interrupt request. */
void ide_set_intrq(struct ide_channel *c, struct ide_drive *d, bool level);
/* The command has ended: well, or with these bits in the error register (and more,
 * besides ERR, in the status). */
void ide_complete(struct ide_channel *c, struct ide_drive *d);
void ide_fail(struct ide_channel *c, struct ide_drive *d, uint8_t error, uint8_t status);
/* Sends the len bytes that are in the buffer, at most a block at a time. */
void ide_send(struct ide_channel *c, struct ide_drive *d, enum ide_transfer how, uint32_t len,
	      uint32_t block);
/* Moves bytes (a multiple of 512) between the disk, from offset on, and the guest; the
 * range was checked. */
void ide_move(struct ide_channel *c, struct ide_drive *d, enum ide_transfer how, uint64_t offset,
	      uint64_t bytes, uint32_t block);
/* Makes what was written durable, then completes. */
void ide_flush(struct ide_channel *c, struct ide_drive *d);
/* What waits for the bus master can go on: it was started. */
void ide_bm_started(struct ide_channel *c);
/* Stops what the drive does and waits until the host has nothing of it any more. */
void ide_stop(struct ide_drive *d);
/* Registers and status as after a reset (ATA/ATAPI-6, 9.12), selecting nothing. */
void ide_signature(struct ide_drive *d);
/* EXECUTE DEVICE DIAGNOSTIC: both drives do. */
void ide_diagnostic(struct ide_channel *c);

static inline bool ide_writing(const struct ide_drive *d)
{
	return d->transfer == IDE_PIO_OUT || d->transfer == IDE_DMA_OUT;
}

static inline bool ide_by_dma(const struct ide_drive *d)
{
	return d->transfer == IDE_DMA_IN || d->transfer == IDE_DMA_OUT;
}

/* The words of IDENTIFY and IDENTIFY PACKET DEVICE that both kinds have. */
void ide_put_word(struct ide_drive *d, unsigned word, uint16_t v);
/* Text of n bytes from word on: blanks behind it, the bytes of a word swapped. */
void ide_put_text(struct ide_drive *d, unsigned word, unsigned n, const char *text);
/* Clears the buffer's first 512 bytes; fills in names, transfer modes, versions. */
void ide_identify(struct ide_drive *d, const char *model);
/* SET FEATURES 03h: the mode in the sector count register; false: there is no such mode. */
bool ide_set_mode(struct ide_drive *d);

/* ide_dma.c */

/* Moves the rest of the chunk in the buffer by PRDs: false if the bus master is not
 * started, or the PRDs do not suffice, or (then the command has failed) lead to no RAM. */
bool ide_dma_move(struct ide_channel *c, struct ide_drive *d);
/* The command that used DMA has ended. */
void ide_dma_end(struct ide_channel *c);

/* ata.c */

void ata_command(struct ide_channel *c, struct ide_drive *d, uint8_t command);
/* The address of a sector goes to the registers, in the form of the present command:
 * where it failed. */
void ata_put_address(struct ide_drive *d, uint64_t lba);

/* atapi.c */

void atapi_command(struct ide_channel *c, struct ide_drive *d, uint8_t command);
/* The 12 bytes in the buffer are a command packet. */
void atapi_packet(struct ide_channel *c, struct ide_drive *d);
/* A read of the disc has failed. */
void atapi_read_failed(struct ide_channel *c, struct ide_drive *d);

#endif
