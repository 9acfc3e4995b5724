/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A hostile guest against virtio-blk on its bus: the input is a program of
 * memory writes, port accesses and completions.
 *
 *	virtio_fuzz [COUNT [SEED]]	COUNT random programs
 *	virtio_fuzz FILE...		these files (what a crash has left)
 *
 * With -DLIBFUZZER it is a libFuzzer target; build it, from the top, and run:
 *
 *	clang -std=gnu11 -g -O1 -DLIBFUZZER -fsanitize=fuzzer,address,undefined \
 *		-fno-sanitize-recover=undefined -Isrc \
 *		tests/fuzz/virtio_fuzz.c src/devemu/{pci,virtio,virtq,virtio_blk}.c -o virtio_fuzz
 *	./virtio_fuzz -max_len=2048 -max_total_time=60
 *
 * Checked beside the sanitizers: every pointer that the chip hands out lies in
 * guest RAM, requests lie on the disk, a request is handed to the host once,
 * and nothing is under way after a reset.
 */
#include "devemu/virtio_blk.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RAM_SIZE 0x8000u
#define DISK_SIZE 0x2000u
#define DEVFN PCI_DEVFN(2, 0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct pci pci;
static struct virtio_blk blk;
static uint8_t *ram;		/* from malloc, so that the sanitizer sees its ends */
static struct dev_block_request *pending[VIRTIO_BLK_SLOTS];
static unsigned npending;
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
	(void)ctx;
	pci_intx(&pci, DEVFN, level);
}

static void isa_irq(void *ctx, unsigned n, int level)
{
	(void)ctx;
	require(n < 16 && (level == 0 || level == 1));
}

static void carry_out(struct dev_block_request *r)
{
	uint64_t bytes = 0;

	require(r->iovcnt <= DEV_BLOCK_MAX_IOV);
	for (unsigned i = 0; i < r->iovcnt; i++) {
		uint8_t *p = r->iov[i].base;

		require(p >= ram && p + r->iov[i].len <= ram + RAM_SIZE);
		if (r->op == DEV_BLOCK_READ)
			memset(p, (int)(r->offset >> 9), r->iov[i].len);
		bytes += r->iov[i].len;
	}
	require(r->offset % 512 == 0 && bytes % 512 == 0);
	require(r->offset <= DISK_SIZE && bytes <= DISK_SIZE - r->offset);
	r->result = r->offset == 512 ? 5 : 0;
	virtio_blk_block_done(&blk, r);
}

static void block(void *ctx, struct dev_block_request *r)
{
	(void)ctx;
	for (unsigned i = 0; i < npending; i++)
		require(pending[i] != r);
	if (!async) {
		carry_out(r);
		return;
	}
	require(npending < VIRTIO_BLK_SLOTS);
	pending[npending++] = r;
}

static void complete(unsigned i)
{
	struct dev_block_request *r = pending[i];

	pending[i] = pending[--npending];
	carry_out(r);
}

static void block_drain(void *ctx)
{
	(void)ctx;
	while (npending)
		complete(0);
}

static const struct dev_services services = {
	.irq = irq, .dma = dma, .dma_wrote = dma_wrote, .block = block,
	.block_drain = block_drain,
};
static const struct pci_services bus_services = { .irq = isa_irq };

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

/* A queue that works, so that the interesting part is near. */
static void start_legacy(uint32_t features)
{
	virtio_blk_out(&blk, 18, 1, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER);
	virtio_blk_out(&blk, 4, 4, features);
	virtio_blk_out(&blk, 8, 4, 1);
	virtio_blk_out(&blk, 18, 1, VIRTIO_DRIVER_OK);
}

static void write_ram(struct input *in)
{
	uint32_t at = take(in, 2) % RAM_SIZE, n = take(in, 1);

	while (n-- && at < RAM_SIZE && in->left)
		ram[at++] = (uint8_t)take(in, 1);
}

static void put_desc(uint32_t table, uint32_t i, uint64_t addr, uint32_t len, uint8_t flags,
		     uint8_t next)
{
	uint8_t *d = ram + table + 16 * i;

	memcpy(d, &addr, 8);
	memcpy(d + 8, &len, 4);
	d[12] = flags & 7;
	d[13] = 0;
	d[14] = next;
	d[15] = 0;
}

/* Descriptor i of the legacy queue at 0x1000 becomes available. */
static void offer(uint32_t i)
{
	uint16_t idx;

	memcpy(&idx, ram + 0x1802, 2);
	ram[0x1804 + 2 * (idx % 128)] = (uint8_t)i;
	idx++;
	memcpy(ram + 0x1802, &idx, 2);
}

/* Any descriptor. */
static void put_any(struct input *in)
{
	uint32_t i = take(in, 1) % 128, flags = take(in, 1), next = take(in, 1) % 128;
	uint64_t addr = take(in, 2);

	put_desc(0x1000, i, addr, take(in, 2), (uint8_t)flags, (uint8_t)next);
	if (flags & 0x80)
		offer(i);
}

/* A request that is right but for its numbers; through a table at 0x3000 if
 * flags say so. */
static void put_request(struct input *in)
{
	uint32_t i = take(in, 1) % 120, flags = take(in, 1), header = 0x4000 + 16 * i;
	uint32_t table = flags & 0x80 ? 0x3000 : 0x1000, first = flags & 0x80 ? 0 : i;
	uint32_t len = (flags >> 4 & 7) * 256;

	ram[header] = (uint8_t)take(in, 1);
	ram[header + 8] = (uint8_t)take(in, 1);
	put_desc(table, first, header, 16, 1, (uint8_t)(first + 1));
	put_desc(table, first + 1, take(in, 2), len, (uint8_t)(1 | (flags & 2)),
		 (uint8_t)(first + 2));
	put_desc(table, first + 2, take(in, 2), 1 + (flags & 1), 2, 0);
	if (flags & 0x80)
		put_desc(0x1000, i, table, 48, 4, 0);
	offer(i);
}

static void step(struct input *in)
{
	static const unsigned sizes[] = { 1, 2, 4, 4 };
	uint32_t op = take(in, 1), reg, v;
	unsigned n = sizes[op >> 6];

	switch (op % 11) {
	case 0:
		write_ram(in);
		break;
	case 1:
		put_request(in);
		break;
	case 2:
		virtio_blk_out(&blk, 16, 2, 0);
		break;
	case 3:
		reg = take(in, 1);
		virtio_blk_out(&blk, reg, n, take(in, n));
		break;
	case 4:
		virtio_blk_in(&blk, take(in, 1), n);
		break;
	case 5:
		reg = take(in, 1) % 8;
		pci_out(&pci, reg, n, take(in, n));
		break;
	case 6:
		pci_in(&pci, take(in, 1) % 8, n);
		break;
	case 7:
		if (npending)
			complete(take(in, 1) % npending);
		break;
	case 8:
		reg = take(in, 2);
		if (!pci_io_out(&pci, reg, n, take(in, n)))
			pci_io_in(&pci, 0xc000 + (reg & 0xff), n, &v);
		break;
	case 9:
		start_legacy(take(in, 4));
		break;
	case 10:
		put_any(in);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	uint32_t how = take(&in, 1);

	if (!ram && posix_memalign((void **)&ram, 4096, RAM_SIZE))
		abort();
	memset(ram, 0, RAM_SIZE);
	npending = 0;
	async = how & 1;
	virtio_blk_init(&blk, &services, DISK_SIZE, how & 2, "fuzz");
	pci_init(&pci, &bus_services);
	require(pci_attach(&pci, DEVFN, &blk.virtio.pci, &virtio_blk_pci_ops, &blk));
	pci_assign(&pci);
	if (how & 4)
		start_legacy(0xffffffff);
	while (in.left)
		step(&in);
	virtio_blk_reset(&blk);
	require(npending == 0);
	return 0;
}

#ifndef LIBFUZZER

#define PROGRAM_MAX 2048u

static uint32_t next_random(uint32_t *rnd)
{
	/* xorshift32 (Marsaglia) */
	*rnd ^= *rnd << 13;
	*rnd ^= *rnd >> 17;
	*rnd ^= *rnd << 5;
	return *rnd;
}

/* Random bytes, of which many are small: indices, flags, register numbers. */
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
	printf("virtio_fuzz: %lu programs\n", count);
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
		run_random(argc > 1 ? strtoul(argv[1], NULL, 10) : 20000,
			   argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) | 1 : 1);
	free(ram);
	return 0;
}
#endif
