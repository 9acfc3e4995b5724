/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Feeds broken kernels to the loader.  Whatever the bytes are: image_recognize()
 * and image_load() either succeed, with an entry inside of RAM, or fail with a
 * status and a message; the sanitizers watch the rest.
 *
 *	load_fuzz [COUNT [SEED]]	COUNT mutations of built-in kernels
 *	load_fuzz FILE...		these files (what a crash has left)
 *
 * With clang -fsanitize=fuzzer -DLIBFUZZER it is a libFuzzer target.
 */
#include "../unit/load_images.h"

#include "monitor/load_parts.h"

#include <ctype.h>
#include <lz4.h>
#include <stdio.h>
#include <zlib.h>

#define RAM_SIZE (8u << 20)
#define INPUT_MAX (64u << 10)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "load_fuzz: %s\n", what);
		abort();
	}
}

static void demand_message(const struct error *e)
{
	demand(e->status == ST_IMAGE || e->status == ST_USAGE || e->status == ST_HOST,
	       "failed with a strange status");
	demand(*e->text, "failed without a message");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct image img = { .path = "fuzz", .file = malloc(size ? size : 1), .file_size = size };
	struct boot_args args = { .cmdline = "console=ttyS0", .ram = calloc(1, RAM_SIZE),
				  .ram_size = RAM_SIZE };
	struct error e = { 0 };
	struct vcpu cpu = { 0 };
	FILE *null = fopen("/dev/null", "w");
	uint32_t off;

	demand(img.file && args.ram && null, "no memory");
	memcpy(img.file, data, size);
	if (image_recognize(&img, &e)) {
		demand_message(&e);
	} else {
		for (unsigned i = 0; i < img.nsymbols; i++)
			image_symbol_at(&img, img.symbols[i].addr, &off);
		image_describe(&img, null);
		if (image_load(&img, &args, &cpu, &e))
			demand_message(&e);
		else
			demand(cpu.eip < RAM_SIZE && (cpu.cr0 & CR0_PE), "entry outside of RAM");
	}
	fclose(null);
	image_close(&img);
	free(args.ram);
	return 0;
}

#ifndef LIBFUZZER
/* xorshift32 */
static uint32_t next_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

/* LZ4 has no checksum: mutations reach the ELF file inside. */
static size_t pack_lz4(const uint8_t *in, size_t n, uint8_t *out, size_t max)
{
	int len = LZ4_compress_default((const char *)in, (char *)out + 8, (int)n, (int)max - 12);

	demand(len > 0, "lz4");
	put_le32(out, 0x184c2102);
	put_le32(out + 4, (uint32_t)len);
	put_le32(out + 8 + len, (uint32_t)n);
	return 12 + (size_t)len;
}

static size_t pack_gzip(const uint8_t *in, size_t n, uint8_t *out, size_t max)
{
	z_stream z = { .next_in = (Bytef *)(uintptr_t)in, .avail_in = (uInt)n, .next_out = out,
		       .avail_out = (uInt)max };

	demand(deflateInit2(&z, 1, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY) == Z_OK, "zlib");
	demand(deflate(&z, Z_FINISH) == Z_STREAM_END, "zlib");
	deflateEnd(&z);
	return max - z.avail_out;
}

static uint8_t *seed_bzimage(uint16_t protocol, size_t *size)
{
	uint8_t *elf = build_elf(IMG_LINUX), *image, packed[2 * IMG_ELF_SIZE];
	size_t n = protocol >= 0x208 ? pack_lz4(elf, IMG_ELF_SIZE, packed, sizeof packed) :
				       pack_gzip(elf, IMG_ELF_SIZE, packed, sizeof packed);

	image = build_bzimage(protocol, packed, n, size);
	free(elf);
	return image;
}

static uint8_t *seed_image(unsigned kind, size_t *size)
{
	*size = IMG_ELF_SIZE;
	switch (kind % 8) {
	case 0: return build_elf(IMG_LINUX);
	case 1: return build_elf(IMG_MULTIBOOT);
	case 2: return build_elf(IMG_LINUX | IMG_OLD);
	case 3: return build_elf(IMG_MULTIBOOT | IMG_STRIPPED);
	case 4: return seed_bzimage(0x20f, size);
	case 5: return build_elf(IMG_FREEBSD | IMG_OLD);
	case 6: return build_elf(IMG_MULTIBOOT | IMG_NETBSD);
	default: return seed_bzimage(0x203, size);
	}
}

/* Where the structure is, and so where a change is worth most. */
static size_t pick_offset(uint32_t *rnd, size_t size)
{
	static const struct { size_t start, size; } hot[] = {
		{ 0, 0x80 }, { 0x1f0, 0x80 }, { IMG_TEXT_OFF, 0x20 }, { 0x2200, 0x400 },
		{ IMG_SETUP + 0x100, 0x20 },
	};
	unsigned h = next_random(rnd) % 8;
	size_t at = h < 5 ? hot[h].start + next_random(rnd) % hot[h].size : next_random(rnd);

	return at % size;
}

static void mutate(uint8_t *f, size_t size, uint32_t *rnd)
{
	static const uint8_t edges[] = { 0, 1, 0x7f, 0x80, 0xff, 4, 0x10, 0xfe };

	for (unsigned n = 1 + next_random(rnd) % 6; n; n--) {
		size_t at = pick_offset(rnd, size);
		uint32_t how = next_random(rnd) % 4;

		if (how == 0)
			f[at] ^= (uint8_t)(1u << next_random(rnd) % 8);
		else if (how == 1)
			f[at] = edges[next_random(rnd) % sizeof edges];
		else if (how == 2)
			f[at] = (uint8_t)next_random(rnd);
		else if (at + 4 <= size)
			put_le32(f + at, le32(f + at) + next_random(rnd) % 0x4000 - 0x2000);
	}
}

static void run_mutations(unsigned long count, uint32_t rnd)
{
	for (unsigned long i = 0; i < count; i++) {
		size_t size;
		uint8_t *f = seed_image(next_random(&rnd), &size);

		mutate(f, size, &rnd);
		if (next_random(&rnd) % 8 == 0)
			size = next_random(&rnd) % size;
		LLVMFuzzerTestOneInput(f, size);
		free(f);
	}
	printf("load_fuzz: %lu images\n", count);
}

static void run_file(const char *path)
{
	static uint8_t buf[INPUT_MAX];
	FILE *f = fopen(path, "rb");

	demand(f, "cannot open the file");
	LLVMFuzzerTestOneInput(buf, fread(buf, 1, sizeof buf, f));
	fclose(f);
}

int main(int argc, char **argv)
{
	if (argc > 1 && !isdigit((unsigned char)argv[1][0]))
		for (int i = 1; i < argc; i++)
			run_file(argv[i]);
	else
		run_mutations(argc > 1 ? strtoul(argv[1], NULL, 10) : 5000,
			      argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) | 1 : 1);
	return 0;
}
#endif
