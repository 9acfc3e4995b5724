/* SPDX-License-Identifier: BSD-2-Clause */
/* An ATAPI CD-ROM: packets by PIO and DMA, errors with their sense. */
#include "ide.h"

#define BASE SECONDARY
#define PACKET 0xa0
#define IDENTIFY_PACKET 0xa1

static uint8_t buf[4 * CD_SECTOR] __attribute__((aligned(16)));

static uint32_t big_endian(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
}

static void send_packet(const uint8_t packet[12], uint16_t limit, bool dma)
{
	outb(BASE + DEVICE, 0xa0);
	outb(BASE + FEATURES, dma);
	outb(BASE + LBA_MID, (uint8_t)limit);
	outb(BASE + LBA_HIGH, (uint8_t)(limit >> 8));
	outb(BASE + COMMAND, PACKET);
	ide_wait(BASE);
	outsw(BASE + DATA, packet, 6);
}

/* A command that reads by PIO; the bytes that came, in *blocks pieces. */
static uint32_t packet_in(const uint8_t packet[12], uint16_t limit, unsigned *blocks)
{
	uint32_t n = 0;

	*blocks = 0;
	send_packet(packet, limit, false);
	while (ide_wait(BASE) & DRQ) {
		uint32_t len = inb(BASE + LBA_MID) | inb(BASE + LBA_HIGH) << 8;

		insw(BASE + DATA, buf + n, len / 2);
		n += len;
		++*blocks;
	}
	return n;
}

static void sense(const char *what)
{
	static const uint8_t request[12] = { 0x03, 0, 0, 0, 18 };
	uint8_t status = inb(BASE + STATUS), error = inb(BASE + ERROR);
	unsigned blocks;

	printf("%s: status %x error %x, ", what, status & (BSY | ERR), error & 0xf0);
	packet_in(request, 18, &blocks);
	printf("sense %x %x %x\n", buf[2], buf[12], buf[13]);
}

static void read10(uint32_t lba, uint8_t count, uint8_t packet[12])
{
	memset(packet, 0, 12);
	packet[0] = 0x28;
	packet[2] = (uint8_t)(lba >> 24);
	packet[3] = (uint8_t)(lba >> 16);
	packet[4] = (uint8_t)(lba >> 8);
	packet[5] = (uint8_t)lba;
	packet[8] = count;
}

static void identify(void)
{
	uint16_t *id = (uint16_t *)buf;

	outb(BASE + DEVICE, 0xa0);
	outb(BASE + COMMAND, 0xec);		/* that of a disk: refused, with the signature */
	ide_wait(BASE);
	printf("IDENTIFY DEVICE: error %x, signature %x %x\n", inb(BASE + ERROR) & 4,
	       inb(BASE + LBA_MID), inb(BASE + LBA_HIGH));
	outb(BASE + COMMAND, IDENTIFY_PACKET);
	ide_wait(BASE);
	insw(BASE + DATA, id, 256);
	printf("IDENTIFY PACKET: type %x, packets of %u, DMA %u LBA %u\n", id[0] >> 8 & 0x1f,
	       id[0] & 3 ? 16 : 12, id[49] >> 8 & 1, id[49] >> 9 & 1);
}

static void sector_line(const char *what, const uint8_t *p)
{
	/* The image's lines, 512 bytes each, hold their numbers. */
	printf("%s: %c%c%c%c .. %c%c%c%c\n", what, p[507], p[508], p[509], p[510],
	       p[3 * 512 + 507], p[3 * 512 + 508], p[3 * 512 + 509], p[3 * 512 + 510]);
}

void cdrom(void)
{
	static const uint8_t ready[12], capacity[12] = { 0x25 }, bad[12] = { 0xc7 };
	static const uint8_t inquiry[12] = { 0x12, 0, 0, 0, 36 };
	static const uint8_t toc[12] = { 0x43, 0, 0, 0, 0, 0, 0, 0, 20 };
	uint8_t packet[12];
	unsigned blocks;

	identify();
	/* After a reset or a change of the disc the first command tells of it. */
	for (unsigned n = 0; n < 4; n++) {
		send_packet(ready, 0, false);
		if (!(ide_wait(BASE) & ERR))
			break;
	}
	printf("TEST UNIT READY: error %u\n", ide_wait(BASE) & ERR);
	packet_in(inquiry, 36, &blocks);
	printf("INQUIRY: type %x, removable %x\n", buf[0], buf[1]);
	printf("READ CAPACITY: %u bytes, ", packet_in(capacity, 8, &blocks));
	printf("last %u, %u each\n", big_endian(buf), big_endian(buf + 4));
	packet_in(toc, 20, &blocks);
	printf("READ TOC: %u bytes, tracks %u to %u, first at %u, end at %u\n",
	       (buf[0] << 8 | buf[1]) + 2, buf[2], buf[3], big_endian(buf + 8),
	       big_endian(buf + 16));
	read10(3, 2, packet);
	printf("READ (10), PIO: %u bytes, ", packet_in(packet, CD_SECTOR, &blocks));
	printf("%u pieces\n", blocks);
	sector_line("sector 3", buf);
	sector_line("sector 4", buf + CD_SECTOR);
	memset(buf, 0, sizeof(buf));
	read10(100, 4, packet);
	dma_start(BASE, buf, sizeof(buf), true);
	send_packet(packet, 0, true);
	printf("READ (10), DMA: bus master %x, status %x\n", dma_end(BASE),
	       ide_wait(BASE) & (BSY | DRQ | ERR));
	sector_line("sector 100", buf);
	sector_line("sector 103", buf + 3 * CD_SECTOR);
	read10(100000, 1, packet);
	packet_in(packet, CD_SECTOR, &blocks);
	sense("beyond the end");
	packet_in(bad, 0, &blocks);
	sense("unknown command");
}
