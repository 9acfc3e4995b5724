/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A disk and a CD-ROM on IDE channels: PIO, bus-master DMA, interrupts, errors.  Each
 * 512 bytes of both images are a line that holds its number.
 */
#include "ide.h"

#define BASE PRIMARY
#define READ 0x20
#define READ_EXT 0x24
#define READ_DMA 0xc8
#define WRITE 0x30
#define WRITE_DMA 0xca
#define FLUSH 0xe7
#define IDENTIFY 0xec

static uint8_t buf[8 * SECTOR] __attribute__((aligned(16)));

static void line(const char *what, const uint8_t *p)
{
	printf("%s: %c%c%c%c\n", what, p[507], p[508], p[509], p[510]);
}

static void identify(void)
{
	uint16_t *id = (uint16_t *)buf;

	outb(BASE + DEVICE, 0xa0);
	outb(BASE + COMMAND, IDENTIFY);
	printf("IDENTIFY: status %x", ide_wait(BASE) & (BSY | DRDY | DRQ | ERR));
	insw(BASE + DATA, id, 256);
	printf(" then %x, %u interrupt\n", ide_wait(BASE) & (BSY | DRDY | DRQ | ERR),
	       ide_interrupts(BASE));
	printf("fixed %u, LBA %u DMA %u, %u sectors, LBA48 %u\n", !(id[0] & 0x8080),
	       id[49] >> 9 & 1, id[49] >> 8 & 1, (uint32_t)id[61] << 16 | id[60],
	       id[83] >> 10 & 1);
}

static void pio(void)
{
	ide_address(BASE, 0, 5, 3);
	outb(BASE + COMMAND, READ);
	for (unsigned n = 0; n < 3; n++) {
		ide_wait(BASE);
		insw(BASE + DATA, buf, SECTOR / 2);
		line("read", buf);
	}
	printf("status %x, %u interrupts\n", ide_wait(BASE) & (BSY | DRDY | DRQ | ERR),
	       ide_interrupts(BASE));
	for (unsigned n = 0; n < sizeof(buf); n++)
		buf[n] = (uint8_t)(n * 7 + n / SECTOR);
	ide_address(BASE, 0, 1000, 2);
	outb(BASE + COMMAND, WRITE);
	for (unsigned n = 0; n < 2; n++) {
		while (!(ide_wait(BASE) & DRQ))
			;
		outsw(BASE + DATA, buf + n * SECTOR, SECTOR / 2);
	}
	printf("write: status %x, ", ide_wait(BASE) & (BSY | DRDY | DRQ | ERR));
	printf("%u interrupts\n", ide_interrupts(BASE));
	outb(BASE + COMMAND, FLUSH);
	printf("flush: status %x\n", ide_wait(BASE) & (BSY | DRDY | DRQ | ERR));
	ide_interrupts(BASE);
}

/* 48-bit addresses: each register takes its high byte first. */
static void read_ext(void)
{
	outb(BASE + DEVICE, LBA);
	for (unsigned n = 0; n < 2; n++) {
		outb(BASE + COUNT, n);
		outb(BASE + LBA_LOW, n ? 0xe7 : 0);	/* 999 */
		outb(BASE + LBA_MID, n ? 0x03 : 0);
		outb(BASE + LBA_HIGH, 0);
	}
	outb(BASE + COMMAND, READ_EXT);
	ide_wait(BASE);
	insw(BASE + DATA, buf, SECTOR / 2);
	line("READ SECTORS EXT", buf);
	ide_wait(BASE);
	ide_interrupts(BASE);
}

static void dma(void)
{
	bool same = true;

	memset(buf, 0, sizeof(buf));
	dma_start(BASE, buf, sizeof(buf), true);
	ide_address(BASE, 0, 998, 8);
	outb(BASE + COMMAND, READ_DMA);
	printf("DMA: bus master %x, ", dma_end(BASE));
	printf("status %x, %u interrupt\n", ide_wait(BASE) & (BSY | DRDY | DRQ | ERR),
	       ide_interrupts(BASE));
	line("first", buf);
	line("last", buf + 7 * SECTOR);
	for (unsigned n = 0; n < 2 * SECTOR; n++)
		same = same && buf[2 * SECTOR + n] == (uint8_t)(n * 7 + n / SECTOR);
	printf("what PIO wrote: %s\n", same ? "right" : "wrong");
	memcpy(buf, buf + 7 * SECTOR, SECTOR);
	dma_start(BASE, buf, SECTOR, false);
	ide_address(BASE, 0, 2000, 1);
	outb(BASE + COMMAND, WRITE_DMA);
	printf("DMA write: bus master %x, status %x\n", dma_end(BASE),
	       ide_wait(BASE) & (BSY | DRDY | DRQ | ERR));
	memset(buf, 0, SECTOR);
	ide_address(BASE, 0, 2000, 1);
	outb(BASE + COMMAND, READ);
	ide_wait(BASE);
	insw(BASE + DATA, buf, SECTOR / 2);
	line("what DMA wrote", buf);
	ide_wait(BASE);
	ide_interrupts(BASE);
}

static void errors(void)
{
	ide_address(BASE, 0, 0x100000, 1);
	outb(BASE + COMMAND, READ);
	printf("beyond the end: %x\n", ide_wait(BASE) & (BSY | DRDY | DRQ | ERR));
	outb(BASE + COMMAND, 0xff);
	printf("unknown command: %x, error %x\n", ide_wait(BASE) & (BSY | DRDY | DRQ | ERR),
	       inb(BASE + ERROR) & 4);
	outb(BASE + DEVICE, 0xb0);
	printf("no second drive: status %x\n", inb(CONTROL(BASE)));
	outb(CONTROL(BASE), 4);			/* software reset */
	outb(CONTROL(BASE), 0);
	outb(BASE + DEVICE, 0xa0);
	ide_wait(BASE);
	printf("signature after a reset: %x %x %x %x\n", inb(BASE + COUNT), inb(BASE + LBA_LOW),
	       inb(BASE + LBA_MID), inb(BASE + LBA_HIGH));
	outb(CONTROL(BASE), 2);			/* nIEN */
	ide_interrupts(BASE);
	outb(BASE + COMMAND, IDENTIFY);
	ide_wait(BASE);
	insw(BASE + DATA, buf, 256);
	printf("nIEN: %u interrupts\n", ide_interrupts(BASE));
}

int main(uint32_t magic, const void *info)
{
	(void)magic, (void)info;
	ide_interrupts_init();
	identify();
	pio();
	read_ext();
	dma_init();
	dma();
	errors();
	cdrom();
	return 0;
}
