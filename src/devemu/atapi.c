/* SPDX-License-Identifier: BSD-2-Clause */
/* The commands of an ATAPI CD-ROM drive (ATA/ATAPI-6, 8; packets: SPC-2, MMC-3). */
#include "devemu/ide_parts.h"

#define MODEL "LilyVM CD-ROM"
#define PACKET 12u
#define FEATURE_DMA 0x01u		/* of the PACKET command */

/* Sense keys, and additional sense codes (SPC-2, 7.23). */
enum { NOT_READY = 2, MEDIUM_ERROR = 3, ILLEGAL_REQUEST = 5, UNIT_ATTENTION = 6 };
enum {
	UNRECOVERED_READ = 0x11, INVALID_COMMAND = 0x20, OUT_OF_RANGE = 0x21,
	INVALID_FIELD = 0x24, POWER_ON = 0x29, NO_MEDIUM = 0x3a, REMOVAL_PREVENTED = 0x53,
};

#define LEAD_OUT 0xaau
#define TRACK_DATA 0x14u		/* ADR 1; control: data, no copy */
#define MSF_OFFSET 150u			/* frames before block 0 */
#define FRAMES 75u			/* in a second */

typedef void packet_fn(struct ide_channel *c, struct ide_drive *d, const uint8_t *p);

/* Answers. */

static void fail(struct ide_channel *c, struct ide_drive *d, uint8_t key, uint8_t asc)
{
	d->sense = key;
	d->asc = asc;
	ide_fail(c, d, (uint8_t)(key << 4 | IDE_ABRT), 0);
}

void atapi_read_failed(struct ide_channel *c, struct ide_drive *d)
{
	fail(c, d, MEDIUM_ERROR, UNRECOVERED_READ);
}

static enum ide_transfer how(const struct ide_drive *d)
{
	return d->regs[IDE_ERROR] & FEATURE_DMA ? IDE_DMA_IN : IDE_PIO_IN;
}

/* What the driver takes at a time: an even number (ATA/ATAPI-6, 8.23.4). */
static uint32_t byte_limit(const struct ide_drive *d)
{
	uint32_t n = d->regs[IDE_LBA_MID] | (uint32_t)d->regs[IDE_LBA_HIGH] << 8;

	n &= ~1u;
	return n ? n : 0xfffe;
}

/* The first n bytes of the buffer, as far as the driver has room for them. */
static void respond(struct ide_channel *c, struct ide_drive *d, uint32_t n, uint32_t room)
{
	uint32_t len = n < room ? n : room;

	if (len)
		ide_send(c, d, how(d), len, byte_limit(d));
	else
		ide_complete(c, d);
}

static uint8_t *clear(struct ide_drive *d, uint32_t n)
{
	__builtin_memset(d->buffer, 0, n);
	return d->buffer;
}

/* Numbers in packets are big-endian. */

static uint32_t get16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static uint32_t get32(const uint8_t *p)
{
	return get16(p) << 16 | get16(p + 2);
}

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v);
}

static void put_text(uint8_t *p, unsigned n, const char *text)
{
	for (unsigned i = 0; i < n; i++)
		p[i] = (uint8_t)(*text ? *text++ : ' ');
}

/* An address of the disc, as a block or as minute, second, frame. */
static void put_address(uint8_t *p, uint32_t lba, bool msf)
{
	uint32_t frame = lba + MSF_OFFSET;

	if (!msf) {
		put32(p, lba);
		return;
	}
	p[0] = 0;
	p[1] = (uint8_t)(frame / (FRAMES * 60));
	p[2] = (uint8_t)(frame / FRAMES % 60);
	p[3] = (uint8_t)(frame % FRAMES);
}

static uint32_t blocks(const struct ide_drive *d)
{
	uint64_t n = d->sectors / (IDE_CD_SECTOR / IDE_SECTOR);

	return n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}

/* The packets. */

static void test_unit_ready(struct ide_channel *c, struct ide_drive *d, const uint8_t *p)
{
	(void)p;
	ide_complete(c, d);
}

static void request_sense(struct ide_channel *c, struct ide_drive *d, const uint8_t *p)
{
	uint8_t *r = d->buffer, room = p[4];

	if (!d->sense && d->attention) {
		d->sense = UNIT_ATTENTION;
		d->asc = POWER_ON;
		d->attention = false;
	}
	clear(d, 18);
	r[0] = 0x70;			/* current error, fixed format */
	r[2] = d->sense;
	r[7] = 10;			/* bytes behind this one */
	r[12] = d->asc;
	d->sense = d->asc = 0;
	respond(c, d, 18, room);
}

static void inquiry(struct ide_channel *c, struct ide_drive *d, const uint8_t *p)
{
	uint8_t *r = d->buffer, vital = p[1] & 1, room = p[4];

	if (vital) {
		fail(c, d, ILLEGAL_REQUEST, INVALID_FIELD);
		return;
	}
	clear(d, 36);
	r[0] = 0x05;			/* CD-ROM */
	r[1] = 0x80;			/* removable */
	r[3] = 0x21;			/* ATAPI; response format 1 */
	r[4] = 31;
	put_text(r + 8, 8, "LilyVM");
	put_text(r + 16, 16, "CD-ROM");
	put_text(r + 32, 4, "1.0");
	respond(c, d, 36, room);
}

static void start_stop(struct ide_channel *c, struct ide_drive *d, const uint8_t *p)
{
	bool load_eject = p[4] & 2, start = p[4] & 1;

	if (load_eject && !start && d->locked) {
		fail(c, d, ILLEGAL_REQUEST, REMOVAL_PREVENTED);
		return;
	}
	if (load_eject && d->ejected == start) {
		d->ejected = !start;
		d->media_event = true;
	}
	ide_complete(c, d);
}

static void prevent_allow(struct ide_channel *c, struct ide_drive *d, const uint8_t *p)
{
	d->locked = p[4] & 1;
	ide_complete(c, d);
}

static void read_capacity(struct ide_channel *c, struct ide_drive *d, const uint8_t *p)
{
	uint8_t *r = clear(d, 8);

	(void)p;
	put32(r, blocks(d) - 1);
	put32(r + 4, IDE_CD_SECTOR);
	respond(c, d, 8, 8);
}

static void read_blocks(struct ide_channel *c, struct ide_drive *d, uint32_t lba, uint32_t n)
{
	if (lba > blocks(d) || n > blocks(d) - lba)
		fail(c, d, ILLEGAL_REQUEST, OUT_OF_RANGE);
	else if (n == 0)
		ide_complete(c, d);
	else
		ide_move(c, d, how(d), (uint64_t)lba * IDE_CD_SECTOR, (uint64_t)n * IDE_CD_SECTOR,
			 byte_limit(d));
}

static void read_10(struct ide_channel *c, struct ide_drive *d, const uint8_t *p)
{
	read_blocks(c, d, get32(p + 2), get16(p + 7));
}

static void read_12(struct ide_channel *c, struct ide_drive *d, const uint8_t *p)
{
	read_blocks(c, d, get32(p + 2), get32(p + 6));
}

static void seek(struct ide_channel *c, struct ide_drive *d, const uint8_t *p)
{
	if (get32(p + 2) >= blocks(d))
		fail(c, d, ILLEGAL_REQUEST, OUT_OF_RANGE);
	else
		ide_complete(c, d);
}

static uint8_t *put_track(uint8_t *r, uint8_t number, uint32_t lba, bool msf)
{
	r[1] = TRACK_DATA;
	r[2] = number;
	put_address(r + 4, lba, msf);
	return r + 8;
}

/* The disc has one session with one track. */
static void read_toc(struct ide_channel *c, struct ide_drive *d, const uint8_t *p)
{
	bool msf = p[1] & 2;
	uint8_t format = p[2] & 15, from = p[6];
	uint32_t room = get16(p + 7);
	uint8_t *r, *end;

	/* Old drivers put the format into the last byte (SFF-8020). */
	if (format == 0)
		format = p[9] >> 6;
	if (format > 1 || (format == 0 && from > 1 && from != LEAD_OUT)) {
		fail(c, d, ILLEGAL_REQUEST, INVALID_FIELD);
		return;
	}
	r = clear(d, 20);
	r[2] = r[3] = 1;		/* the first and last track, or session */
	end = r + 4;
	if (format == 1 || from <= 1)
		end = put_track(end, 1, 0, msf);
	if (format == 0)
		end = put_track(end, LEAD_OUT, blocks(d), msf);
	put16(r, (uint32_t)(end - r) - 2);
	respond(c, d, (uint32_t)(end - r), room);
}

static void get_configuration(struct ide_channel *c, struct ide_drive *d, const uint8_t *p)
{
	/* MMC-3, 5.2: profile list, core (ATAPI), removable medium (tray, lock, eject). */
	static const uint8_t features[] = {
		0x00, 0x00, 0x03, 4, 0x00, 0x08, 0x01, 0,
		0x00, 0x01, 0x03, 4, 0, 0, 0, 2,
		0x00, 0x03, 0x03, 4, 0x29, 0, 0, 0,
	};
	uint32_t room = get16(p + 7), first = get16(p + 2), n = 8;
	bool one = (p[1] & 3) == 2;
	uint8_t *r = clear(d, 8);

	put16(r + 6, d->ejected ? 0 : 0x0008);	/* the present profile: CD-ROM */
	for (unsigned i = 0; i < sizeof(features); i += 8) {
		uint32_t id = get16(features + i);

		if (one ? id != first : id < first)
			continue;
		for (unsigned k = 0; k < 8; k++)
			r[n++] = features[i + k];
	}
	put32(r, n - 4);
	respond(c, d, n, room);
}

static void get_event_status(struct ide_channel *c, struct ide_drive *d, const uint8_t *p)
{
	bool polled = p[1] & 1, media = p[4] & 0x10;
	uint32_t room = get16(p + 7);
	uint8_t *r = clear(d, 8);

	if (!polled) {			/* no command is kept until something happens */
		fail(c, d, ILLEGAL_REQUEST, INVALID_FIELD);
		return;
	}
	r[3] = 0x10;			/* there are media events */
	if (!media) {
		r[1] = 2;
		r[2] = 0x80;		/* no event of the classes asked for */
		respond(c, d, 4, room);
		return;
	}
	r[1] = 6;
	r[2] = 4;			/* media class */
	if (d->media_event)
		r[4] = d->ejected ? 3 : 2;	/* removed, new */
	r[5] = d->ejected ? 1 : 2;	/* tray open, medium present */
	d->media_event = false;
	respond(c, d, 8, room);
}

static void read_disc_information(struct ide_channel *c, struct ide_drive *d, const uint8_t *p)
{
	uint32_t room = get16(p + 7);
	uint8_t *r = clear(d, 34);

	put16(r, 32);
	r[2] = 0x0e;			/* finished, complete session */
	r[3] = r[4] = r[5] = r[6] = 1;	/* first track; sessions; tracks of the last one */
	respond(c, d, 34, room);
}

/* Page 01h, read error recovery (MMC-3, 6.3.4). */
static uint8_t *put_recovery(struct ide_drive *d, uint8_t *r)
{
	(void)d;
	r[0] = 0x01;
	r[1] = 6;
	r[3] = 5;			/* retries */
	return r + 8;
}

/* Page 2Ah, capabilities (MMC-3, 6.3.11). */
static uint8_t *put_capabilities(struct ide_drive *d, uint8_t *r)
{
	r[0] = 0x2a;
	r[1] = 18;
	r[4] = 0x60;			/* reads several sessions, mode 2 form 2 */
	r[6] = (uint8_t)(0x29 | (d->locked ? 2 : 0));	/* tray, eject, lock */
	put16(r + 8, 7056);		/* KB/s: 40 times */
	put16(r + 12, IDE_BUFFER >> 10);
	put16(r + 14, 7056);
	return r + 20;
}

static void mode_sense(struct ide_channel *c, struct ide_drive *d, const uint8_t *p)
{
	uint8_t page = p[2] & 0x3f, saved = p[2] >> 6;
	uint32_t room = get16(p + 7);
	uint8_t *r, *end;

	if (saved == 3 || (page != 0x01 && page != 0x2a && page != 0x3f)) {
		fail(c, d, ILLEGAL_REQUEST, INVALID_FIELD);
		return;
	}
	r = clear(d, 64);
	r[2] = d->ejected ? 0x70 : 0x01;	/* no disc; 120 mm data disc */
	end = r + 8;
	if (page != 0x2a)
		end = put_recovery(d, end);
	if (page != 0x01)
		end = put_capabilities(d, end);
	put16(r, (uint32_t)(end - r) - 2);
	respond(c, d, (uint32_t)(end - r), room);
}

static void mechanism_status(struct ide_channel *c, struct ide_drive *d, const uint8_t *p)
{
	uint8_t *r = clear(d, 8);

	r[1] = d->ejected ? 0x10 : 0;	/* door open */
	respond(c, d, 8, get16(p + 8));
}

/* Flags of a packet. */
#define ATTENTION 1u			/* carried out with a unit attention pending */
#define MEDIUM 2u			/* wants a disc */

static const struct { packet_fn *run; uint8_t flags; } packets[256] = {
	[0x00] = { test_unit_ready, MEDIUM },
	[0x03] = { request_sense, ATTENTION },
	[0x12] = { inquiry, ATTENTION },
	[0x1b] = { start_stop, 0 },
	[0x1e] = { prevent_allow, 0 },
	[0x25] = { read_capacity, MEDIUM },
	[0x28] = { read_10, MEDIUM },
	[0x2b] = { seek, MEDIUM },
	[0x43] = { read_toc, MEDIUM },
	[0x46] = { get_configuration, ATTENTION },
	[0x4a] = { get_event_status, ATTENTION },
	[0x51] = { read_disc_information, MEDIUM },
	[0x5a] = { mode_sense, 0 },
	[0xa8] = { read_12, MEDIUM },
	[0xbb] = { test_unit_ready, 0 },	/* SET CD SPEED */
	[0xbd] = { mechanism_status, 0 },
};

void atapi_packet(struct ide_channel *c, struct ide_drive *d)
{
	uint8_t p[PACKET], flags;
	packet_fn *run;

	__builtin_memcpy(p, d->buffer, PACKET);
	d->packet = false;
	d->transfer = IDE_IDLE;
	run = packets[p[0]].run;
	flags = packets[p[0]].flags;
	if (run != request_sense)
		d->sense = d->asc = 0;
	if (!run) {
		fail(c, d, ILLEGAL_REQUEST, INVALID_COMMAND);
	} else if (d->attention && !(flags & ATTENTION)) {
		d->attention = false;
		fail(c, d, UNIT_ATTENTION, POWER_ON);
	} else if (d->ejected && (flags & MEDIUM)) {
		fail(c, d, NOT_READY, NO_MEDIUM);
	} else {
		run(c, d, p);
	}
}

/* The commands of the drive itself. */

static void identify(struct ide_channel *c, struct ide_drive *d)
{
	ide_identify(d, MODEL);
	ide_put_word(d, 0, 0x85c0);		/* ATAPI CD-ROM, removable, 12-byte packets */
	ide_put_word(d, 82, 0x0210);		/* DEVICE RESET, packets */
	ide_put_word(d, 83, 0x4000);
	ide_put_word(d, 84, 0x4000);
	ide_put_word(d, 85, 0x0210);
	ide_put_word(d, 87, 0x4000);
	ide_send(c, d, IDE_PIO_IN, IDE_SECTOR, IDE_SECTOR);
}

static void packet(struct ide_channel *c, struct ide_drive *d)
{
	d->packet = true;
	ide_send(c, d, IDE_PIO_OUT, PACKET, PACKET);
}

/* No interrupt follows it (8.10). */
static void device_reset(struct ide_channel *c, struct ide_drive *d)
{
	uint8_t device = d->regs[IDE_DEVICE];

	(void)c;
	ide_stop(d);
	ide_signature(d);
	d->regs[IDE_DEVICE] = device & (IDE_DEVICE_OBSOLETE | IDE_DEVICE_1);
}

static void set_features(struct ide_channel *c, struct ide_drive *d)
{
	if (d->regs[IDE_ERROR] == 0x03 && ide_set_mode(d))
		ide_complete(c, d);
	else
		ide_fail(c, d, IDE_ABRT, 0);
}

static void refuse(struct ide_channel *c, struct ide_drive *d)
{
	ide_fail(c, d, IDE_ABRT, 0);
}

static void diagnostic(struct ide_channel *c, struct ide_drive *d)
{
	(void)d;
	ide_diagnostic(c);
}

/* How drivers of disks find out what this is (8.15.5.2, 8.27.5.2). */
static void refuse_with_signature(struct ide_channel *c, struct ide_drive *d)
{
	uint8_t device = d->regs[IDE_DEVICE];

	ide_signature(d);
	d->regs[IDE_DEVICE] = device;
	refuse(c, d);
	d->regs[IDE_NSECTOR] = 1;
}

static void check_power(struct ide_channel *c, struct ide_drive *d)
{
	ide_complete(c, d);
	d->regs[IDE_NSECTOR] = 0xff;
}

static void (*const commands[256])(struct ide_channel *, struct ide_drive *) = {
	[0x08] = device_reset,
	[0x20] = refuse_with_signature,
	[0x90] = diagnostic,
	[0xa0] = packet,
	[0xa1] = identify,
	[0xe0] = ide_complete, [0xe1] = ide_complete, [0xe6] = ide_complete,
	[0xe5] = check_power,
	[0xec] = refuse_with_signature,
	[0xef] = set_features,
};

void atapi_command(struct ide_channel *c, struct ide_drive *d, uint8_t command)
{
	if (commands[command])
		commands[command](c, d);
	else
		refuse(c, d);
}
