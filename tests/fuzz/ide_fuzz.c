/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A hostile guest against the IDE controller on its bus: the input is a program of
 * memory writes, port accesses and completions.
 *
 *	ide_fuzz [COUNT [SEED]]		COUNT random programs
 *	ide_fuzz FILE...		these files (what a crash has left)
 *
 * With -DLIBFUZZER it is a libFuzzer target; build it, from the top, and run:
 *
 *	clang -std=gnu11 -g -O1 -DLIBFUZZER -fsanitize=fuzzer,address,undefined \
 *		-fno-sanitize-recover=undefined -Isrc \
 *		tests/fuzz/ide_fuzz.c src/devemu/{pci,ide,ide_dma,ata,atapi,piix_ide}.c -o ide_fuzz
 *	./ide_fuzz -max_len=2048 -max_total_time=60
 *
 * Checked beside the sanitizers: requests lie on the disk and in the drive's buffer, a
 * request is handed to the host once, DMA stays in guest RAM, the interrupt line only
 * changes, nothing is under way after a reset, and a drive then works.
 */
#include "devemu/piix_ide.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RAM_SIZE 0x40000u
#define DISK_SIZE 0x60000u
#define CD_SIZE 0x30200u		/* and a piece of a block */
#define DEVFN PCI_DEVFN(1, 1)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A drive's host. */
struct host {
	struct dev_services s;
	struct ide_channel *channel;
	struct ide_drive *drive;
	uint64_t size;
	struct dev_block_request *pending;
};

static struct pci pci;
static struct piix_ide ide;
static uint8_t *ram;			/* from malloc, so that the sanitizer sees its ends */
static struct host hosts[3];
static int lines[2] = { 0, 0 };
static bool async;

static void require(bool what)
{
	if (!what)
		abort();
}

static void *dma(void *ctx, uint64_t gpa, uint32_t len)
{
	(void)ctx;
	return gpa <= RAM_SIZE && len <= RAM_SIZE - gpa ? ram + gpa : NULL;
}

static void dma_wrote(void *ctx, uint64_t gpa, uint32_t len)
{
	require(dma(ctx, gpa, len));
}

static void irq(void *ctx, int level)
{
	int *line = ctx;

	require(level == !*line);
	*line = level;
}

static void no_intx(void *ctx, unsigned n, int level)
{
	(void)ctx, (void)n, (void)level;
	require(false);
}

static void carry_out(struct host *h)
{
	struct dev_block_request *r = h->pending;
	uint64_t bytes = 0;

	h->pending = NULL;
	for (unsigned i = 0; i < r->iovcnt; i++) {
		uint8_t *p = r->iov[i].base;

		require(p >= h->drive->buffer &&
			p + r->iov[i].len <= h->drive->buffer + IDE_BUFFER);
		if (r->op == DEV_BLOCK_READ)
			memset(p, (int)(r->offset >> 9), r->iov[i].len);
		bytes += r->iov[i].len;
	}
	require(r->offset % 512 == 0 && bytes % 512 == 0);
	require(r->offset <= h->size && bytes <= h->size - r->offset);
	require(r->op != DEV_BLOCK_WRITE || h == &hosts[0]);
	r->result = r->offset <= 8192 && 8192 < r->offset + bytes ? 5 : 0;
	ide_block_done(h->channel, r);
}

static void block(void *ctx, struct dev_block_request *r)
{
	struct host *h = ctx;

	require(!h->pending);
	h->pending = r;
	if (!async)
		carry_out(h);
}

static void block_drain(void *ctx)
{
	struct host *h = ctx;

	if (h->pending)
		carry_out(h);
}

static void plug(unsigned n, unsigned channel, unsigned unit, enum ide_kind kind, uint64_t size,
		 bool readonly)
{
	struct host *h = &hosts[n];

	*h = (struct host){
		.s = { .ctx = h, .dma = dma, .dma_wrote = dma_wrote, .block = block,
		       .block_drain = block_drain },
		.channel = &ide.channel[channel],
		.drive = &ide.channel[channel].drive[unit],
		.size = size,
	};
	ide_attach(h->channel, unit, &h->s, kind, size, readonly, "fuzz");
}

static void build(void)
{
	static const struct dev_services channels[2] = {
		{ .ctx = &lines[0], .irq = irq }, { .ctx = &lines[1], .irq = irq },
	};
	static const struct dev_services *const s[2] = { &channels[0], &channels[1] };
	static const struct pci_services bus = { .irq = no_intx };

	lines[0] = lines[1] = 0;
	pci_init(&pci, &bus);
	piix_ide_init(&ide, s);
	require(pci_attach(&pci, DEVFN, &ide.pci, &piix_ide_pci_ops, &ide));
	plug(0, 0, 0, IDE_DISK, DISK_SIZE, false);
	plug(1, 0, 1, IDE_CDROM, CD_SIZE, true);
	plug(2, 1, 0, IDE_DISK, DISK_SIZE, true);
	pci_assign(&pci);
	piix_ide_setup(&ide);
}

/* The input, read from its front; zeros when it is used up. */
struct input {
	const uint8_t *p;
	size_t left;
};

static uint32_t take(struct input *in, unsigned bytes)
{
	uint32_t v = 0;

	while (bytes-- && in->left) {
		v = v << 8 | *in->p++;
		in->left--;
	}
	return v;
}

/* Commands that move something, so that the interesting part is near. */
static const uint8_t likely[] = {
	0x20, 0x24, 0x25, 0x29, 0x30, 0x34, 0x35, 0x39, 0x40, 0x90, 0xa0, 0xa1, 0xc4, 0xc5, 0xc6,
	0xc8, 0xca, 0xe7, 0xec, 0xef, 0x91, 0x08,
};

/* An address that mostly exists, then a command. */
static void start(struct input *in, unsigned n)
{
	uint32_t how = take(in, 1);

	piix_ide_out(&ide, n, IDE_ERROR, 1, how >> 3 & 1);
	piix_ide_out(&ide, n, IDE_NSECTOR, 1, how & 4 ? 0 : take(in, 1));
	piix_ide_out(&ide, n, IDE_NSECTOR, 1, take(in, 1));
	for (unsigned reg = IDE_LBA_LOW; reg <= IDE_LBA_HIGH; reg++)
		if (how & 2)
			piix_ide_out(&ide, n, reg, 1, 0);
	piix_ide_out(&ide, n, IDE_LBA_LOW, 1, take(in, 1));
	piix_ide_out(&ide, n, IDE_LBA_MID, 1, how & 4 ? 8 : take(in, 1) & 3);
	piix_ide_out(&ide, n, IDE_LBA_HIGH, 1, 0);
	piix_ide_out(&ide, n, IDE_DEVICE, 1, how & 0x50);
	piix_ide_out(&ide, n, IDE_STATUS, 1, likely[take(in, 1) % sizeof(likely)]);
}

static void send_packet(struct input *in, unsigned n)
{
	static const uint8_t packets[] = {
		0x00, 0x03, 0x12, 0x1b, 0x1e, 0x25, 0x28, 0x2b, 0x43, 0x46, 0x4a, 0x51, 0x5a, 0xa8,
		0xbd,
	};

	piix_ide_out(&ide, n, IDE_STATUS, 1, 0xa0);
	piix_ide_out(&ide, n, IDE_DATA, 2, packets[take(in, 1) % sizeof(packets)] | take(in, 1) << 8);
	for (unsigned i = 0; i < 5; i++)
		piix_ide_out(&ide, n, IDE_DATA, 2, take(in, 1) << 8);
}

static void move_data(struct input *in, unsigned n)
{
	static const unsigned sizes[] = { 1, 2, 2, 4 };
	uint32_t how = take(in, 1), count = take(in, 1) * 8;
	unsigned size = sizes[how & 3];

	while (count--)
		if (how & 4)
			piix_ide_out(&ide, n, IDE_DATA, size, count);
		else
			piix_ide_in(&ide, n, IDE_DATA, size);
}

static void put_prd(struct input *in)
{
	uint32_t i = take(in, 1) % 64, base = take(in, 3), count = take(in, 2), last = take(in, 1);

	memcpy(ram + 8 * i, &base, 4);
	memcpy(ram + 8 * i + 4, &count, 4);
	ram[8 * i + 7] = (uint8_t)(last & 0x81);
}

static void step(struct input *in)
{
	static const unsigned sizes[] = { 1, 2, 4, 4 };
	uint32_t op = take(in, 1), reg, v;
	unsigned size = sizes[op >> 6], n = op >> 5 & 1;

	switch (op % 11) {
	case 0:
		start(in, n);
		break;
	case 1:
		send_packet(in, n);
		break;
	case 2:
		move_data(in, n);
		break;
	case 3:
		put_prd(in);
		break;
	case 4:
		v = take(in, 1);
		pci_io_out(&pci, 0xc004 + 8 * n, 4, v & 0xfc);
		pci_io_out(&pci, 0xc000 + 8 * n, 1, 1 | (v & 8));
		break;
	case 5:
		pci_io_out(&pci, 0xc000 + (take(in, 1) & 15), size, take(in, size));
		break;
	case 6:
		pci_io_in(&pci, 0xc000 + (take(in, 1) & 15), size, &v);
		break;
	case 7:
		reg = take(in, 1) % 11;
		piix_ide_out(&ide, n, reg, size, take(in, size));
		break;
	case 8:
		piix_ide_in(&ide, n, take(in, 1) % 11, size);
		break;
	case 9:
		v = take(in, 1) % 3;
		if (hosts[v].pending)
			carry_out(&hosts[v]);
		break;
	case 10:
		reg = take(in, 1);
		pci_out(&pci, 0, 4, 0x80000000u | DEVFN << 8 | (reg & 0xfc));
		pci_out(&pci, 4, size, take(in, size));
		break;
	}
}

/* After a reset every drive answers IDENTIFY. */
static void check_alive(void)
{
	static const uint8_t identify[3] = { 0xec, 0xa1, 0xec };

	piix_ide_reset(&ide);
	pci_reset(&pci);
	pci_assign(&pci);
	piix_ide_setup(&ide);
	for (unsigned i = 0; i < 3; i++) {
		unsigned n = i / 2;

		require(!hosts[i].pending);
		piix_ide_out(&ide, n, IDE_DEVICE, 1, i == 1 ? IDE_DEVICE_1 : 0);
		piix_ide_out(&ide, n, IDE_STATUS, 1, identify[i]);
		require(piix_ide_in(&ide, n, IDE_STATUS, 1) & IDE_DRQ);
		require(piix_ide_in(&ide, n, IDE_DATA, 2) == (i == 1 ? 0x85c0 : 0x0040));
		piix_ide_out(&ide, n, IDE_CONTROL, 1, IDE_CONTROL_SRST);
		piix_ide_out(&ide, n, IDE_CONTROL, 1, 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	uint32_t how = take(&in, 1);

	if (!ram && posix_memalign((void **)&ram, 4096, RAM_SIZE))
		abort();
	memset(ram, 0, 4096);
	async = how & 1;
	build();
	while (in.left)
		step(&in);
	check_alive();
	return 0;
}

#ifndef LIBFUZZER

#define PROGRAM_MAX 1024u

static uint32_t next_random(uint32_t *rnd)
{
	/* xorshift32 (Marsaglia) */
	*rnd ^= *rnd << 13;
	*rnd ^= *rnd >> 17;
	*rnd ^= *rnd << 5;
	return *rnd;
}

/* Random bytes, of which many are small: counts, flags, register numbers. */
static void run_random(unsigned long count, uint32_t rnd)
{
	static uint8_t program[PROGRAM_MAX];

	for (unsigned long n = 0; n < count; n++) {
		size_t size = next_random(&rnd) % PROGRAM_MAX;

		for (size_t i = 0; i < size; i++) {
			uint32_t v = next_random(&rnd);

			program[i] = (uint8_t)(v & 0x100 ? v & 15 : v);
		}
		LLVMFuzzerTestOneInput(program, size);
	}
	printf("ide_fuzz: %lu programs\n", count);
}

static void run_file(const char *path)
{
	static uint8_t program[65536];
	FILE *f = fopen(path, "rb");

	require(f);
	LLVMFuzzerTestOneInput(program, fread(program, 1, sizeof(program), f));
	fclose(f);
}

int main(int argc, char **argv)
{
	if (argc > 1 && !isdigit((unsigned char)argv[1][0]))
		for (int i = 1; i < argc; i++)
			run_file(argv[i]);
	else
		run_random(argc > 1 ? strtoul(argv[1], NULL, 10) : 5000,
			   argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) | 1 : 1);
	free(ram);
	return 0;
}
#endif
