/* SPDX-License-Identifier: BSD-2-Clause */
/* The registers' rare parts, and the transfer machine. */
#include "devemu/ide_parts.h"

#define DIAGNOSTIC_PASSED 0x01u

/* ATAPI interrupt reason, in the sector count register (ATA/ATAPI-6, 8.23.5). */
#define REASON_COMMAND 0x01u
#define REASON_TO_HOST 0x02u

/* The phases of a chunk. */
enum { BEGIN, OFFER, MOVED, STORED };

#define DISK_HEADS 16u
#define DISK_TRACK 63u
#define DISK_CYLINDERS 16383u		/* the most that IDENTIFY may tell */
#define MAX_LBA48 (1ull << 48)

/* The interrupt line. */

static void drive_line(struct ide_channel *c)
{
	bool level = ide_selected(c)->intrq && !(c->control & IDE_CONTROL_NIEN);

	if (level == c->line)
		return;
	c->line = level;
	if (level)
		c->bm.status |= IDE_BM_INT;
	c->s->irq(c->s->ctx, level);
}

void ide_set_intrq(struct ide_channel *c, struct ide_drive *d, bool level)
{
	d->intrq = level;
	drive_line(c);
}

void ide_acknowledge(struct ide_channel *c)
{
	ide_set_intrq(c, ide_selected(c), false);
}

static void next(struct ide_drive *d, unsigned phase)
{
	d->phase = (uint8_t)phase;
	d->ready = true;
}

/* The ends of a command. */

static void idle(struct ide_drive *d)
{
	d->transfer = IDE_IDLE;
	d->in_end = d->out_end = 0;
	d->pos = d->len = 0;
	d->left = 0;
	d->ready = false;
	d->packet = false;
}

void ide_complete(struct ide_channel *c, struct ide_drive *d)
{
	/* The interrupt of a disk's last data block is that of the command, too. */
	bool quiet = d->transfer == IDE_PIO_IN && d->kind == IDE_DISK;

	if (ide_by_dma(d))
		ide_dma_end(c);
	idle(d);
	d->status = IDE_READY;
	if (d->kind == IDE_CDROM)
		d->regs[IDE_NSECTOR] = REASON_TO_HOST | REASON_COMMAND;
	if (!quiet)
		ide_set_intrq(c, d, true);
}

void ide_fail(struct ide_channel *c, struct ide_drive *d, uint8_t error, uint8_t status)
{
	if (ide_by_dma(d))
		c->bm.status &= (uint8_t)~IDE_BM_ACTIVE;
	idle(d);
	d->error = error;
	d->status = IDE_READY | IDE_ERR | status;
	if (d->kind == IDE_CDROM)
		d->regs[IDE_NSECTOR] = REASON_TO_HOST | REASON_COMMAND;
	ide_set_intrq(c, d, true);
}

/* Between drive and host. */

static void submit(struct ide_drive *d, enum dev_block_op op)
{
	struct dev_block_request *r = &d->request;

	d->status = IDE_BSY;
	d->busy = true;
	r->op = op;
	r->offset = op == DEV_BLOCK_FLUSH ? 0 : d->offset;
	r->iovcnt = op == DEV_BLOCK_FLUSH ? 0 : 1;
	r->iov[0] = (struct dev_iovec){ d->buffer, d->len };
	r->result = 0;
	d->s->block(d->s->ctx, r);
}

void ide_flush(struct ide_channel *c, struct ide_drive *d)
{
	(void)c;
	submit(d, DEV_BLOCK_FLUSH);
}

static uint32_t sector_size(const struct ide_drive *d)
{
	return d->kind == IDE_CDROM ? IDE_CD_SECTOR : IDE_SECTOR;
}

static void read_failed(struct ide_channel *c, struct ide_drive *d)
{
	/* Again by single sectors: the good ones before are delivered, and the address
	 * is told exactly. */
	if (d->len > sector_size(d)) {
		d->chunk = sector_size(d);
		next(d, BEGIN);
		return;
	}
	if (d->kind == IDE_CDROM) {
		atapi_read_failed(c, d);
		return;
	}
	ata_put_address(d, d->offset / IDE_SECTOR);
	ide_fail(c, d, IDE_UNC, 0);
}

static void write_failed(struct ide_channel *c, struct ide_drive *d)
{
	if (d->request.op == DEV_BLOCK_WRITE)
		ata_put_address(d, d->offset / IDE_SECTOR);
	ide_fail(c, d, IDE_ABRT, IDE_DF);
}

/* Between drive and guest. */

static void offer_block(struct ide_channel *c, struct ide_drive *d)
{
	uint32_t n = d->len - d->pos < d->block ? d->len - d->pos : d->block;
	bool in = d->transfer == IDE_PIO_IN;

	if (in)
		d->in_end = d->pos + n;
	else
		d->out_end = d->pos + n;
	d->status = IDE_READY | IDE_DRQ;
	if (d->packet) {
		d->regs[IDE_NSECTOR] = REASON_COMMAND;
	} else if (d->kind == IDE_CDROM) {
		d->regs[IDE_NSECTOR] = REASON_TO_HOST;
		d->regs[IDE_LBA_MID] = (uint8_t)n;
		d->regs[IDE_LBA_HIGH] = (uint8_t)(n >> 8);
	}
	if (in || !d->first)
		ide_set_intrq(c, d, true);
	d->first = false;
}

static void begin(struct ide_channel *c, struct ide_drive *d)
{
	(void)c;
	d->pos = 0;
	d->len = d->left < d->chunk ? (uint32_t)d->left : d->chunk;
	if (ide_writing(d))
		next(d, OFFER);
	else
		submit(d, DEV_BLOCK_READ);
}

static void offer(struct ide_channel *c, struct ide_drive *d)
{
	if (!ide_by_dma(d)) {
		offer_block(c, d);
		return;
	}
	d->status = IDE_BSY;
	if (ide_dma_move(c, d))
		next(d, MOVED);
}

static void moved(struct ide_channel *c, struct ide_drive *d)
{
	if (d->packet)
		atapi_packet(c, d);
	else if (ide_writing(d))
		submit(d, DEV_BLOCK_WRITE);
	else
		next(d, STORED);
}

static void stored(struct ide_channel *c, struct ide_drive *d)
{
	d->offset += d->len;
	d->left -= d->left < d->len ? d->left : d->len;
	if (d->left)
		next(d, BEGIN);
	else if (ide_writing(d) && !d->write_cache)
		ide_flush(c, d);
	else
		ide_complete(c, d);
}

/* Goes on until something is to be waited for.  A loop, not a recursion, though a host
 * may complete a request before services->block() returns. */
static void pump(struct ide_channel *c, struct ide_drive *d)
{
	static void (*const phases[])(struct ide_channel *, struct ide_drive *) = {
		[BEGIN] = begin, [OFFER] = offer, [MOVED] = moved, [STORED] = stored,
	};

	if (d->pumping)
		return;
	d->pumping = true;
	while (d->ready) {
		d->ready = false;
		phases[d->phase](c, d);
	}
	d->pumping = false;
}

static void prepare(struct ide_drive *d, enum ide_transfer how, uint32_t block)
{
	d->transfer = how;
	d->block = block;
	d->chunk = IDE_BUFFER;
	d->first = true;
}

void ide_send(struct ide_channel *c, struct ide_drive *d, enum ide_transfer how, uint32_t len,
	      uint32_t block)
{
	prepare(d, how, block);
	d->pos = 0;
	d->len = len;
	d->left = 0;
	next(d, OFFER);
	pump(c, d);
}

void ide_move(struct ide_channel *c, struct ide_drive *d, enum ide_transfer how, uint64_t offset,
	      uint64_t bytes, uint32_t block)
{
	prepare(d, how, block);
	d->offset = offset;
	d->left = bytes;
	next(d, BEGIN);
	pump(c, d);
}

void ide_bm_started(struct ide_channel *c)
{
	for (unsigned i = 0; i < 2; i++) {
		struct ide_drive *d = &c->drive[i];

		if (!ide_by_dma(d) || d->phase != OFFER || d->busy)
			continue;
		next(d, OFFER);
		pump(c, d);
	}
}

void ide_block_done(struct ide_channel *c, struct dev_block_request *r)
{
	struct ide_drive *d = &c->drive[r->tag];

	d->busy = false;
	if (d->stale) {
		d->stale = false;
		return;
	}
	if (r->result && r->op == DEV_BLOCK_READ)
		read_failed(c, d);
	else if (r->result)
		write_failed(c, d);
	else if (r->op == DEV_BLOCK_FLUSH)
		ide_complete(c, d);
	else
		next(d, r->op == DEV_BLOCK_READ && d->transfer != IDE_VERIFY ? OFFER : STORED);
	pump(c, d);
}

/* The data port. */

/* The guest has moved the block that DRQ was set for. */
static void block_moved(struct ide_channel *c, struct ide_drive *d)
{
	d->in_end = d->out_end = 0;
	d->status = IDE_BSY;
	next(d, d->pos < d->len ? OFFER : MOVED);
	pump(c, d);
}

static uint32_t room(const struct ide_drive *d, uint32_t end, unsigned size)
{
	uint32_t n = end > d->pos ? end - d->pos : 0;

	return n < size ? n : size;
}

/* The last piece of a block, or none; what is over reads as 0. */
uint32_t ide_data_in_end(struct ide_channel *c, unsigned size)
{
	struct ide_drive *d = ide_selected(c);
	uint32_t n = room(d, d->in_end, size), v = 0;

	if (n == 0)
		return 0;
	__builtin_memcpy(&v, d->buffer + d->pos, n);
	d->pos += n;
	if (d->pos == d->in_end)
		block_moved(c, d);
	return v;
}

void ide_data_out_end(struct ide_channel *c, unsigned size, uint32_t v)
{
	struct ide_drive *d = ide_selected(c);
	uint32_t n = room(d, d->out_end, size);

	if (n == 0)
		return;
	__builtin_memcpy(d->buffer + d->pos, &v, n);
	d->pos += n;
	if (d->pos == d->out_end)
		block_moved(c, d);
}

/* The other registers. */

static void command(struct ide_channel *c, uint8_t v)
{
	struct ide_drive *d = ide_selected(c);

	if (d->kind == IDE_NONE)
		return;
	ide_set_intrq(c, d, false);
	d->error = 0;
	if (d->kind == IDE_CDROM)
		atapi_command(c, d, v);
	else
		ata_command(c, d, v);
}

/* Both drives see what is written; the selected one answers. */
static void registers_out(struct ide_channel *c, unsigned reg, uint8_t v)
{
	for (unsigned i = 0; i < 2; i++) {
		struct ide_drive *d = &c->drive[i];

		d->hob[reg] = d->regs[reg];
		d->regs[reg] = reg == IDE_DEVICE ? v | IDE_DEVICE_OBSOLETE : v;
	}
	if (reg == IDE_DEVICE) {
		c->selected = (v & IDE_DEVICE_1) != 0;
		drive_line(c);
	}
}

static void software_reset(struct ide_channel *c, bool asserted)
{
	for (unsigned i = 0; i < 2; i++) {
		struct ide_drive *d = &c->drive[i];

		ide_stop(d);
		d->intrq = false;
		if (asserted && d->kind != IDE_NONE)
			d->status = IDE_BSY;
		else
			ide_signature(d);
	}
	c->selected = 0;
}

static void control_out(struct ide_channel *c, uint8_t v)
{
	uint8_t changed = c->control ^ v;

	c->control = v;
	if (changed & IDE_CONTROL_SRST)
		software_reset(c, v & IDE_CONTROL_SRST);
	drive_line(c);
}

/* A drive that is busy takes DEVICE RESET only, and that only if it is ATAPI. */
static bool accepts(const struct ide_channel *c, const struct ide_drive *d, unsigned reg, uint8_t v)
{
	if (!(d->status & (IDE_BSY | IDE_DRQ)))
		return true;
	return d->kind == IDE_CDROM && reg == IDE_STATUS && v == 0x08 &&
	       !(c->control & IDE_CONTROL_SRST);
}

void ide_taskfile_out(struct ide_channel *c, unsigned reg, uint8_t v)
{
	if (reg == IDE_CONTROL) {
		control_out(c, v);
		return;
	}
	c->control &= (uint8_t)~IDE_CONTROL_HOB;
	if (!accepts(c, ide_selected(c), reg, v))
		return;
	if (reg == IDE_STATUS)
		command(c, v);
	else if (reg < IDE_STATUS)
		registers_out(c, reg, v);
}

uint32_t ide_in(struct ide_channel *c, unsigned reg, unsigned size)
{
	uint32_t v = 0;

	if (reg == IDE_DATA)
		return ide_data_in(c, size);
	for (unsigned i = 0; i < size; i++)
		v |= (uint32_t)(reg + i < IDE_REGS ? ide_register_in(c, reg + i) : 0xff) << 8 * i;
	return v;
}

void ide_out(struct ide_channel *c, unsigned reg, unsigned size, uint32_t v)
{
	if (reg == IDE_DATA) {
		ide_data_out(c, size, v);
		return;
	}
	for (unsigned i = 0; i < size && reg + i < IDE_REGS; i++)
		ide_taskfile_out(c, reg + i, (uint8_t)(v >> 8 * i));
}

/* Identification. */

void ide_put_word(struct ide_drive *d, unsigned word, uint16_t v)
{
	d->buffer[2 * word] = (uint8_t)v;
	d->buffer[2 * word + 1] = (uint8_t)(v >> 8);
}

void ide_put_text(struct ide_drive *d, unsigned word, unsigned n, const char *text)
{
	for (unsigned i = 0; i < n; i++)
		d->buffer[2 * word + (i ^ 1)] = (uint8_t)(*text ? *text++ : ' ');
}

void ide_identify(struct ide_drive *d, const char *model)
{
	char serial[sizeof(d->serial) + 1] = { 0 };

	__builtin_memset(d->buffer, 0, IDE_SECTOR);
	__builtin_memcpy(serial, d->serial, sizeof(d->serial));
	ide_put_text(d, 10, 20, serial);
	ide_put_text(d, 23, 8, "1.0");
	ide_put_text(d, 27, 40, model);
	ide_put_word(d, 49, 0x0b00);		/* IORDY, LBA, DMA */
	ide_put_word(d, 53, 0x0006);		/* words 64-70 and 88 are valid */
	ide_put_word(d, 63, (uint16_t)(0x07 | d->mdma << 8));
	ide_put_word(d, 64, 0x03);		/* PIO modes 3 and 4 */
	for (unsigned i = 65; i <= 68; i++)
		ide_put_word(d, i, 120);	/* ns: the cycles of the fastest modes */
	ide_put_word(d, 80, 0x0070);		/* ATA/ATAPI-4 to -6 */
	ide_put_word(d, 88, (uint16_t)(0x3f | d->udma << 8));
}

bool ide_set_mode(struct ide_drive *d)
{
	uint8_t v = d->regs[IDE_NSECTOR], mode = v & 7;

	switch (v >> 3) {
	case 0:				/* PIO default, with or without IORDY */
		return mode <= 1;
	case 1:				/* PIO with flow control */
		return mode <= 4;
	case 4:
		if (mode > 2)
			return false;
		d->mdma = (uint8_t)(1u << mode);
		d->udma = 0;
		return true;
	case 8:
		if (mode > 5)
			return false;
		d->udma = (uint8_t)(1u << mode);
		d->mdma = 0;
		return true;
	}
	return false;
}

/* Reset. */

void ide_stop(struct ide_drive *d)
{
	idle(d);
	if (d->busy) {
		d->stale = true;
		d->s->block_drain(d->s->ctx);
	}
}

void ide_signature(struct ide_drive *d)
{
	bool cdrom = d->kind == IDE_CDROM;

	if (d->kind == IDE_NONE)
		return;
	d->error = DIAGNOSTIC_PASSED;
	d->status = cdrom ? 0 : IDE_READY;
	__builtin_memset(d->regs, 0, sizeof(d->regs));
	__builtin_memset(d->hob, 0, sizeof(d->hob));
	d->regs[IDE_NSECTOR] = d->regs[IDE_LBA_LOW] = 1;
	d->regs[IDE_LBA_MID] = cdrom ? 0x14 : 0;
	d->regs[IDE_LBA_HIGH] = cdrom ? 0xeb : 0;
	d->regs[IDE_DEVICE] = IDE_DEVICE_OBSOLETE;
}

void ide_diagnostic(struct ide_channel *c)
{
	for (unsigned i = 0; i < 2; i++) {
		ide_stop(&c->drive[i]);
		ide_signature(&c->drive[i]);
	}
	c->selected = 0;
	ide_set_intrq(c, &c->drive[c->drive[0].kind == IDE_NONE], true);
}

static void power_on(struct ide_drive *d)
{
	ide_stop(d);
	d->intrq = false;
	ide_signature(d);
	d->write_cache = true;
	d->multiple = 0;
	d->mdma = 0;
	d->udma = 1u << 5;
	d->heads = DISK_HEADS;
	d->track = DISK_TRACK;
	d->ejected = d->locked = false;
	d->media_event = false;
	d->sense = d->asc = 0;
	d->attention = true;
}

void ide_reset(struct ide_channel *c)
{
	for (unsigned i = 0; i < 2; i++)
		power_on(&c->drive[i]);
	c->control = 0;
	c->selected = 0;
	c->bm = (struct ide_bus_master){ 0 };
	drive_line(c);
}

void ide_init(struct ide_channel *c, const struct dev_services *s)
{
	c->s = s;
	c->line = false;
	for (unsigned i = 0; i < 2; i++) {
		c->drive[i].kind = IDE_NONE;
		c->drive[i].status = c->drive[i].error = 0;
		c->drive[i].busy = c->drive[i].stale = c->drive[i].pumping = false;
	}
	ide_reset(c);
}

void ide_attach(struct ide_channel *c, unsigned unit, const struct dev_services *s,
		enum ide_kind kind, uint64_t size, bool readonly, const char *serial)
{
	struct ide_drive *d = &c->drive[unit & 1];
	uint64_t sectors = kind == IDE_CDROM ? size / IDE_CD_SECTOR * 4 : size / IDE_SECTOR;
	uint64_t cylinders;

	d->s = s;
	d->kind = (uint8_t)kind;
	d->sectors = sectors < MAX_LBA48 ? sectors : MAX_LBA48 - 1;
	cylinders = d->sectors > UINT32_MAX ? UINT32_MAX : d->sectors;
	cylinders = (uint32_t)cylinders / (DISK_HEADS * DISK_TRACK);
	d->cylinders = cylinders > DISK_CYLINDERS ? DISK_CYLINDERS :
		       cylinders ? (uint16_t)cylinders : 1;
	d->readonly = readonly || kind == IDE_CDROM;
	d->request.tag = unit & 1;
	for (unsigned i = 0; i < sizeof(d->serial); i++)
		d->serial[i] = *serial ? *serial++ : '\0';
	power_on(d);
}
