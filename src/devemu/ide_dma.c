/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The bus master of an IDE channel (Programming Interface for Bus Master IDE
 * Controller 1.0): its registers, and DMA by physical region descriptors.
 */
#include "devemu/ide_parts.h"

enum { BM_COMMAND = 0, BM_STATUS = 2, BM_TABLE = 4, BM_REGS = 8 };

/* A descriptor: address, byte count (0: 64 KiB), end of table. */
#define PRD_SIZE 8u
#define PRD_END 0x80u			/* in its last byte */

static bool fetch_prd(struct ide_channel *c, struct ide_drive *d)
{
	struct ide_bus_master *bm = &c->bm;
	const uint8_t *prd;
	uint32_t count;

	if (bm->last)
		return false;
	prd = d->s->dma(d->s->ctx, bm->next, PRD_SIZE);
	if (!prd) {
		bm->base = bm->next;
		bm->left = 0;
		bm->status |= IDE_BM_ERROR;
		return false;
	}
	bm->next += PRD_SIZE;
	bm->base = (prd[0] & 0xfeu) | (uint32_t)prd[1] << 8 | (uint32_t)prd[2] << 16 |
		   (uint32_t)prd[3] << 24;
	count = (prd[4] & 0xfeu) | (uint32_t)prd[5] << 8;
	bm->left = count ? count : 0x10000;
	bm->last = prd[7] & PRD_END;
	return true;
}

/* One piece; false: there is no RAM. */
static bool move_piece(struct ide_channel *c, struct ide_drive *d)
{
	struct ide_bus_master *bm = &c->bm;
	uint32_t n = d->len - d->pos < bm->left ? d->len - d->pos : bm->left;
	uint8_t *mem = d->s->dma(d->s->ctx, bm->base, n);

	if (!mem) {
		bm->status |= IDE_BM_ERROR;
		return false;
	}
	if (ide_writing(d)) {
		__builtin_memcpy(d->buffer + d->pos, mem, n);
	} else {
		__builtin_memcpy(mem, d->buffer + d->pos, n);
		d->s->dma_wrote(d->s->ctx, bm->base, n);
	}
	d->pos += n;
	bm->base += n;
	bm->left -= n;
	return true;
}

/*
 * Descriptors that end before the data does leave the bus master inactive, without an
 * interrupt, and the drive waiting: the driver's time-out resets it (the specification's
 * table of status bits, section 3.1).
 */
bool ide_dma_move(struct ide_channel *c, struct ide_drive *d)
{
	struct ide_bus_master *bm = &c->bm;

	if (!(bm->status & IDE_BM_ACTIVE))
		return false;
	while (d->pos < d->len) {
		if ((bm->left || fetch_prd(c, d)) && move_piece(c, d))
			continue;
		bm->status &= (uint8_t)~IDE_BM_ACTIVE;
		if (bm->status & IDE_BM_ERROR)
			ide_fail(c, d, IDE_ABRT, 0);
		return false;
	}
	return true;
}

/* Active stays set if there are more descriptors than data. */
void ide_dma_end(struct ide_channel *c)
{
	if (c->bm.last && c->bm.left == 0)
		c->bm.status &= (uint8_t)~IDE_BM_ACTIVE;
}

/* The registers. */

static void command_out(struct ide_channel *c, uint8_t v)
{
	struct ide_bus_master *bm = &c->bm;
	uint8_t changed = bm->command ^ v;

	bm->command = v & (IDE_BM_START | IDE_BM_TO_MEMORY);
	if (!(changed & IDE_BM_START))
		return;
	if (!(v & IDE_BM_START)) {
		bm->status &= (uint8_t)~IDE_BM_ACTIVE;
		return;
	}
	bm->next = bm->table;
	bm->left = 0;
	bm->last = false;
	bm->status |= IDE_BM_ACTIVE;
	ide_bm_started(c);
}

/* Error and interrupt are cleared by writing ones. */
static void status_out(struct ide_bus_master *bm, uint8_t v)
{
	uint8_t cleared = v & (IDE_BM_ERROR | IDE_BM_INT);

	bm->status = (uint8_t)((bm->status & (IDE_BM_ACTIVE | IDE_BM_ERROR | IDE_BM_INT) &
				~cleared) | (v & IDE_BM_DRIVES));
}

static uint8_t read_byte(const struct ide_bus_master *bm, unsigned reg)
{
	if (reg == BM_COMMAND)
		return bm->command;
	if (reg == BM_STATUS)
		return bm->status;
	return reg >= BM_TABLE && reg < BM_REGS ? (uint8_t)(bm->table >> 8 * (reg - BM_TABLE)) : 0;
}

static void write_byte(struct ide_channel *c, unsigned reg, uint8_t v)
{
	unsigned shift = 8 * (reg & 3);

	if (reg == BM_COMMAND)
		command_out(c, v);
	else if (reg == BM_STATUS)
		status_out(&c->bm, v);
	else if (reg >= BM_TABLE && reg < BM_REGS)
		c->bm.table = ((c->bm.table & ~(0xffu << shift)) | (uint32_t)v << shift) & ~3u;
}

uint32_t ide_bm_in(struct ide_channel *c, unsigned reg, unsigned size)
{
	uint32_t v = 0;

	for (unsigned i = 0; i < size; i++)
		v |= (uint32_t)read_byte(&c->bm, reg + i) << 8 * i;
	return v;
}

void ide_bm_out(struct ide_channel *c, unsigned reg, unsigned size, uint32_t v)
{
	for (unsigned i = 0; i < size; i++)
		write_byte(c, reg + i, (uint8_t)(v >> 8 * i));
}
