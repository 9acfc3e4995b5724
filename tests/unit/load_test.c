/* SPDX-License-Identifier: BSD-2-Clause */
#include "load_images.h"

#include "monitor/decompress.h"
#include "monitor/load_parts.h"

#include <bzlib.h>
#include <check.h>
#include <lz4.h>
#include <lzma.h>
#include <lzo/lzo1x.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#define MIB (1u << 20)
#define RAM_MIB 64u
#define STOCK_DEFAULT "/work/guests/k/boot/vmlinuz-6.1.0-50-686"

static char dir[] = "/tmp/load_test.XXXXXX";
static char kernel[64], initrd[64];
static uint8_t *ram;
static struct vcpu cpu;
static struct image img;
static struct error err;

static void write_file(const char *path, const void *buf, size_t n)
{
	FILE *f = fopen(path, "wb");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(buf, 1, n, f), n);
	ck_assert_int_eq(fclose(f), 0);
}

static void setup(void)
{
	snprintf(dir, sizeof dir, "/tmp/load_test.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(kernel, sizeof kernel, "%s/kernel", dir);
	snprintf(initrd, sizeof initrd, "%s/initrd", dir);
	ram = calloc(RAM_MIB, MIB);
	ck_assert_ptr_nonnull(ram);
	memset(ram + IMG_PHYS, 0xff, MIB);	/* as after a restart */
	memset(&cpu, 0xa5, sizeof cpu);
	memset(&err, 0, sizeof err);
}

static void teardown(void)
{
	image_close(&img);
	free(ram);
	remove(kernel);
	remove(initrd);
	rmdir(dir);
}

/* Writes buf as the kernel file, frees it, opens it. */
static int open_image(uint8_t *buf, size_t n)
{
	write_file(kernel, buf, n);
	free(buf);
	return image_open(&img, kernel, &err);
}

static void open_good(uint8_t *buf, size_t n)
{
	ck_assert_msg(open_image(buf, n) == 0, "%s", err.text);
}

static struct boot_args args_for(const char *cmdline)
{
	return (struct boot_args){ .cmdline = cmdline, .ram = ram, .ram_size = RAM_MIB * MIB };
}

static void load_good(const struct boot_args *args)
{
	ck_assert_msg(image_load(&img, args, &cpu, &err) == 0, "%s", err.text);
}

/* The message of a failure: right status, names the file, says how to mend it. */
static void check_message(int status, const char *part)
{
	ck_assert_msg(err.status == status, "status %d: %s", err.status, err.text);
	ck_assert_msg(strstr(err.text, part) != NULL, "\"%s\" lacks \"%s\"", err.text, part);
	ck_assert_msg(strchr(err.text, ':') && !strchr(err.text, '\n'), "%s", err.text);
}

/* --- payloads ------------------------------------------------------------ */

static size_t with_size(uint8_t *out, size_t n, size_t plain)
{
	put_le32(out + n, (uint32_t)plain);
	return n + 4;
}

static size_t pack_gzip(const uint8_t *in, size_t n, uint8_t *out, size_t max)
{
	z_stream z = { .next_in = (Bytef *)(uintptr_t)in, .avail_in = (uInt)n, .next_out = out,
		       .avail_out = (uInt)max };

	ck_assert_int_eq(deflateInit2(&z, 9, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
	ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
	deflateEnd(&z);
	return max - z.avail_out;
}

/* The filters of the kernel's scripts/xz_wrap.sh. */
static size_t pack_xz(const uint8_t *in, size_t n, uint8_t *out, size_t max)
{
	lzma_options_lzma opt;
	lzma_filter filters[] = { { LZMA_FILTER_X86, NULL }, { LZMA_FILTER_LZMA2, &opt },
				  { LZMA_VLI_UNKNOWN, NULL } };
	size_t pos = 0;

	lzma_lzma_preset(&opt, 6);
	ck_assert_int_eq(lzma_stream_buffer_encode(filters, LZMA_CHECK_CRC32, NULL, in, n, out, &pos,
						   max), LZMA_OK);
	return with_size(out, pos, n);
}

static size_t pack_lzma(const uint8_t *in, size_t n, uint8_t *out, size_t max)
{
	lzma_stream z = LZMA_STREAM_INIT;
	lzma_options_lzma opt;

	lzma_lzma_preset(&opt, 6);
	ck_assert_int_eq(lzma_alone_encoder(&z, &opt), LZMA_OK);
	z.next_in = in;
	z.avail_in = n;
	z.next_out = out;
	z.avail_out = max;
	ck_assert_int_eq(lzma_code(&z, LZMA_FINISH), LZMA_STREAM_END);
	lzma_end(&z);
	return with_size(out, max - z.avail_out, n);
}

static size_t pack_bzip2(const uint8_t *in, size_t n, uint8_t *out, size_t max)
{
	unsigned len = (unsigned)max;

	ck_assert_int_eq(BZ2_bzBuffToBuffCompress((char *)out, &len, (char *)(uintptr_t)in,
						  (unsigned)n, 9, 0, 0), BZ_OK);
	return with_size(out, len, n);
}

static size_t pack_lz4(const uint8_t *in, size_t n, uint8_t *out, size_t max)
{
	int len = LZ4_compress_default((const char *)in, (char *)out + 8, (int)n, (int)max - 8);

	ck_assert_int_gt(len, 0);
	put_le32(out, 0x184c2102);
	put_le32(out + 4, (uint32_t)len);
	return with_size(out, 8 + (size_t)len, n);
}

static void put_be32(uint8_t *p, uint32_t v)
{
	put_le32(p, v >> 24 | (v >> 8 & 0xff00) | (v << 8 & 0xff0000) | v << 24);
}

/* As lzop -9 writes it, Adler-32 of the plain data included. */
static size_t pack_lzo(const uint8_t *in, size_t n, uint8_t *out, size_t max)
{
	static uint8_t work[LZO1X_1_MEM_COMPRESS];
	static const uint8_t head[] = { 0x89, 'L', 'Z', 'O', 0, 0x0d, 0x0a, 0x1a, 0x0a, 0x10, 0x30,
					0x20, 0xa0, 0x09, 0x40, 3, 9, 0x03, 0, 0, 1 };
	size_t at = 9 + 8 + 4 + 12 + 1 + 4;
	lzo_uint len = max - at;

	memset(out, 0, at);
	memcpy(out, head, sizeof head);
	ck_assert_int_eq(lzo1x_1_compress(in, n, out + at + 12, &len, work), LZO_E_OK);
	put_be32(out + at, (uint32_t)n);
	put_be32(out + at + 4, (uint32_t)len);
	put_be32(out + at + 8, (uint32_t)adler32(1, in, (uInt)n));
	put_be32(out + at + 12 + len, 0);
	return with_size(out, at + 12 + len + 4, n);
}

static size_t pack_zstd(const uint8_t *in, size_t n, uint8_t *out, size_t max)
{
	size_t len = ZSTD_compress(out, max, in, n, 19);

	ck_assert(!ZSTD_isError(len));
	return with_size(out, len, n);
}

static const struct {
	enum compression c;
	size_t (*pack)(const uint8_t *in, size_t n, uint8_t *out, size_t max);
} packers[] = {
	{ COMP_GZIP, pack_gzip }, { COMP_XZ, pack_xz }, { COMP_LZMA, pack_lzma },
	{ COMP_BZIP2, pack_bzip2 }, { COMP_LZ4, pack_lz4 }, { COMP_LZO, pack_lzo },
	{ COMP_ZSTD, pack_zstd },
};
#define NPACKERS ((int)(sizeof packers / sizeof *packers))

/* A bzImage with the Linux ELF kernel, packed by packers[i]. */
static uint8_t *packed_bzimage(int i, uint16_t protocol, unsigned flags, size_t *size)
{
	static uint8_t out[4 * IMG_ELF_SIZE];
	uint8_t *elf = build_elf(flags);
	size_t n = packers[i].pack(elf, IMG_ELF_SIZE, out, sizeof out);

	free(elf);
	return build_bzimage(protocol, out, n, size);
}

/* Recognizes the first n bytes of f, in memory of just that size; it must fail. */
static void refuse_part(const uint8_t *f, size_t n, const char *message)
{
	struct image part = { .path = "part", .file = malloc(n), .file_size = n };

	memcpy(part.file, f, n);
	ck_assert_msg(image_recognize(&part, &err) == -1, "%zu bytes are taken", n);
	check_message(ST_IMAGE, message);
	image_close(&part);
}

static void open_packed(uint16_t protocol, unsigned flags)
{
	size_t size;
	uint8_t *f = packed_bzimage(0, protocol, flags, &size);

	open_good(f, size);
}

/* --- Linux --------------------------------------------------------------- */

/* RAM holds .text, .data and a cleared .bss. */
static void check_placed(void)
{
	ck_assert_uint_eq(ram[IMG_PHYS + IMG_TEXT_SIZE - 1], 0x90);
	ck_assert_uint_eq(ram[IMG_PHYS + 0x1000 + IMG_DATA_SIZE - 1], 0xda);
	for (unsigned i = 0; i < IMG_BSS_SIZE; i++)
		ck_assert_uint_eq(ram[IMG_PHYS + 0x1000 + IMG_DATA_SIZE + i], 0);
	ck_assert_uint_eq(ram[IMG_PHYS + 0x1000 + IMG_DATA_SIZE + IMG_BSS_SIZE], 0xff);
}

/* The entry state that both protocols share, hidden parts against the GDT. */
static void check_entry_state(uint32_t eip)
{
	uint16_t cs = img.kind == IMAGE_MULTIBOOT ? 0x08 : 0x10;

	ck_assert_uint_eq(cpu.eip, eip);
	ck_assert_uint_eq(cpu.cr0 & (CR0_PE | CR0_PG), CR0_PE);
	ck_assert_uint_eq(cpu.eflags & (FL_IF | FL_VM | FL_TF), 0);
	ck_assert_uint_eq(cpu.cpl, 0);
	for (unsigned s = 0; s < S_COUNT; s++) {
		const struct segment *g = &cpu.seg[s];
		const uint8_t *d = ram + cpu.gdtr.base + g->sel;

		ck_assert_uint_eq(g->sel, s == S_CS ? cs : cs + 8u);
		ck_assert_uint_eq(g->base, 0);
		ck_assert_uint_eq(g->limit, 0xffffffff);
		ck_assert_uint_eq(g->attr, s == S_CS ? 0xc09b : 0xc093);
		ck_assert_uint_le(g->sel + 7u, cpu.gdtr.limit);
		ck_assert_uint_eq(d[0] | d[1] << 8, 0xffff);
		ck_assert_uint_eq(le16(d + 2) | d[4] | d[7], 0);
		ck_assert_uint_eq(d[5], g->attr & 0xff);
		ck_assert_uint_eq(d[6], 0xcf);
	}
}

static void check_zero_page(const char *cmdline, uint64_t ram_size)
{
	const uint8_t *zp = ram + cpu.gpr[R_ESI];

	ck_assert_uint_eq(le16(zp + 0x1fe), 0xaa55);
	ck_assert(!memcmp(zp + 0x202, "HdrS", 4));
	ck_assert_uint_eq(zp[0x210], 0xff);
	ck_assert_str_eq((char *)ram + le32(zp + 0x228), cmdline);
	ck_assert_uint_eq(zp[0x06], 3);
	ck_assert_uint_eq(zp[0x07], 80);
	ck_assert_uint_eq(zp[0x0e], 25);
	ck_assert_uint_eq(zp[0x0f], 1);
	ck_assert_uint_ne(zp[0x0a], 0x10);
	ck_assert_uint_eq(le16(ram + 0xb8000), 0x0720);
	ck_assert_uint_eq(le16(ram + 0xbfffe), 0x0720);
	ck_assert(!memcmp(ram + 0xf5a00, "$PIR", 4));
	ck_assert_uint_eq(le32(zp + 0x1e0), (ram_size - MIB) / 1024);
	ck_assert_uint_ge(le16(zp + 0x02), 3 * 1024);
	ck_assert_uint_eq(zp[0x1e8], 3);
	ck_assert_uint_eq(le64(zp + 0x2d0), 0);
	ck_assert_uint_eq(le64(zp + 0x2d8), 640 * 1024);
	ck_assert_uint_eq(le32(zp + 0x2e0), 1);
	ck_assert_uint_eq(le64(zp + 0x2e4), 0xa0000);
	ck_assert_uint_eq(le32(zp + 0x2f4), 2);
	ck_assert_uint_eq(le64(zp + 0x2f8), MIB);
	ck_assert_uint_eq(le64(zp + 0x300), ram_size - MIB);
	ck_assert_uint_eq(le32(zp + 0x308), 1);
	ck_assert_uint_eq(le16(ram + 0x413), 640);
	ck_assert_uint_eq(le16(ram + 0x400), 0x3f8);
}

START_TEST(bzimage_of_every_compression)
{
	struct boot_args args = args_for("console=ttyS0 root=/dev/vda");
	size_t size;
	uint8_t *f = packed_bzimage(_i, 0x20f, IMG_LINUX, &size);

	ck_assert_int_eq(compression_detect(f + IMG_SETUP + 0x100, 16), packers[_i].c);
	open_good(f, size);
	ck_assert_int_eq(img.kind, IMAGE_LINUX_BZIMAGE);
	ck_assert_uint_eq(img.protocol, 0x20f);
	ck_assert_uint_eq(img.elf_size, IMG_ELF_SIZE);
	load_good(&args);
	check_placed();
	check_entry_state(IMG_PHYS + IMG_ENTRY);
	check_zero_page(args.cmdline, args.ram_size);
	ck_assert_uint_eq(cpu.gpr[R_EBP] | cpu.gpr[R_EDI] | cpu.gpr[R_EBX], 0);
	ck_assert_uint_eq(le32(ram + cpu.gpr[R_ESI] + 0x238), 2047);	/* copied header */
}
END_TEST

START_TEST(payload_without_its_end)
{
	static uint8_t out[4 * IMG_ELF_SIZE];
	uint8_t *elf = build_elf(IMG_LINUX), *plain;
	size_t n = packers[_i].pack(elf, IMG_ELF_SIZE, out, sizeof out), got;

	/* Whatever is cut off: no result, or (lz4 has no end mark) a shorter one. */
	for (size_t cut = 6; cut < n; cut += 7) {
		uint8_t *part = malloc(n - cut);

		memcpy(part, out, n - cut);
		if (decompress(packers[_i].c, part, n - cut, 0, IMAGE_MAX, &plain, &got) ==
		    DECOMPRESS_OK)
			ck_assert_msg(packers[_i].c == COMP_LZ4 || packers[_i].c == COMP_LZO ||
				      cut < 16, "cut %zu of %zu", cut, n);
		free(plain);
		free(part);
	}
	/* A limit is kept. */
	ck_assert_int_ne(decompress(packers[_i].c, out, n, 0, IMG_ELF_SIZE - 1, &plain, &got),
			 DECOMPRESS_OK);
	ck_assert_ptr_null(plain);
	ck_assert_int_eq(decompress(packers[_i].c, out, n, 0, IMG_ELF_SIZE, &plain, &got),
			 DECOMPRESS_OK);
	ck_assert_uint_eq(got, IMG_ELF_SIZE);
	ck_assert(!memcmp(plain, elf, got));
	free(plain);
	free(elf);
}
END_TEST

START_TEST(damaged_payload)
{
	size_t size;
	uint8_t *f = packed_bzimage(_i, 0x20f, IMG_LINUX, &size);
	uint32_t len = le32(f + 0x24c);

	put_le32(f + IMG_SETUP + 0x100 + len - 4, IMG_ELF_SIZE - 1);	/* announces less */
	ck_assert_int_eq(open_image(f, size), -1);
	check_message(ST_IMAGE, "payload is");
	f = packed_bzimage(_i, 0x20f, IMG_LINUX, &size);
	put_le32(f + IMG_SETUP + 0x100 + len - 4, 0xffffffff);
	ck_assert_int_eq(open_image(f, size), -1);
	check_message(ST_IMAGE, "announces");
}
END_TEST

START_TEST(bzimage_truncated_anywhere)
{
	size_t size;
	uint8_t *f = packed_bzimage(0, _i ? 0x203 : 0x20f, IMG_LINUX, &size);

	/* An old image ends with up to 15 bytes that nobody needs. */
	for (size_t n = 1; n < size - (_i ? 16 : 0); n++)
		refuse_part(f, n, n < 0x208 ? "not a kernel" : "cut off");
	free(f);
}
END_TEST

START_TEST(old_bzimage_is_searched)
{
	struct boot_args args = args_for("");

	open_packed(0x203, IMG_LINUX | IMG_OLD);
	ck_assert_ptr_nonnull(img.elf);
	load_good(&args);
	check_placed();
	check_entry_state(IMG_PHYS);		/* startup_32, not e_entry (stext) */
	ck_assert_uint_eq(img.sections[0].paddr, IMG_PHYS);
}
END_TEST

START_TEST(guest_decompresses_the_unknown)
{
	static const uint8_t payload[64] = "an unknown format";
	struct boot_args args = args_for("quiet");
	size_t size;
	uint8_t *f = build_bzimage(_i ? 0x203 : 0x20f, payload, sizeof payload, &size);

	open_good(f, size);
	ck_assert_ptr_null(img.elf);
	ck_assert_uint_eq(img.nsections, 0);
	load_good(&args);
	check_entry_state(0x100000);
	check_zero_page("quiet", args.ram_size);
	ck_assert_str_eq((char *)ram + 0x100100, "an unknown format");
}
END_TEST

START_TEST(vmlinux)
{
	struct boot_args args = args_for("ro");

	open_good(build_elf(IMG_LINUX | (_i ? IMG_OLD : 0)), IMG_ELF_SIZE);
	ck_assert_int_eq(img.kind, IMAGE_LINUX_ELF);
	load_good(&args);
	check_placed();
	check_entry_state(_i ? IMG_PHYS : IMG_PHYS + IMG_ENTRY);
	check_zero_page("ro", args.ram_size);
}
END_TEST

static const struct {
	const char *text;
	unsigned v[3];			/* {0}: none is found */
	bool ide;
} versions[] = {
	{ "2.4.37", { 2, 4, 37 }, true }, { "2.6.24-1 (a@b) #1", { 2, 6, 24 }, true },
	{ "2.6.25", { 2, 6, 25 }, false }, { "3.2-rc1", { 3, 2, 0 }, false },
	{ "6.1.0-50-686", { 6, 1, 0 }, false }, { "4294967295.9x", { 4294967295u, 9, 0 }, false },
	{ "none", { 0 }, false }, { "", { 0 }, false },
};

/* The version, from the header and from the banner, and the disks that follow from it. */
START_TEST(linux_version)
{
	static const uint8_t payload[64] = "an unknown format";
	const char *text = versions[_i / 2].text;
	const unsigned *want = versions[_i / 2].v;
	size_t size = IMG_ELF_SIZE;
	uint8_t *f = _i % 2 ? build_elf(IMG_LINUX) : build_bzimage(0x203, payload, 64, &size);
	unsigned v[3];

	strcpy((char *)f + (_i % 2 ? IMG_DATA_OFF + 14 : 0x300), text);
	if (_i % 2 && !want[0])
		strcpy((char *)f + IMG_DATA_OFF + 14, "9.x");	/* recognized, but no version */
	open_good(f, size);
	ck_assert_int_eq(image_linux_version(&img, v), want[0] != 0);
	if (want[0])
		ck_assert_int_eq(memcmp(v, want, sizeof v), 0);
	ck_assert_int_eq(image_wants_ide(&img), versions[_i / 2].ide);
}
END_TEST

START_TEST(initrd_is_high)
{
	struct boot_args args = args_for("");
	uint8_t data[5000];
	const uint8_t *zp;
	uint32_t at;

	memset(data, 0x1d, sizeof data);
	write_file(initrd, data, sizeof data);
	args.initrd = initrd;
	open_packed(0x20f, IMG_LINUX);
	load_good(&args);
	zp = ram + cpu.gpr[R_ESI];
	at = le32(zp + 0x218);
	ck_assert_uint_eq(le32(zp + 0x21c), sizeof data);
	ck_assert_uint_eq(at, RAM_MIB * MIB - 0x2000);
	ck_assert(!memcmp(ram + at, data, sizeof data));
	/* The header's limit counts. */
	put_le32(img.file + 0x22c, 0x00ffffff);
	load_good(&args);
	ck_assert_uint_eq(le32(zp + 0x218), 16 * MIB - 0x2000);
	put_le32(img.file + 0x22c, 0x00300fff);		/* init_size ends at 0x300000 */
	ck_assert_int_eq(image_load(&img, &args, &cpu, &err), -1);
	check_message(ST_IMAGE, "does not fit");
}
END_TEST

START_TEST(too_little_memory)
{
	struct boot_args args = args_for("");
	uint8_t *data = calloc(3, MIB);

	write_file(initrd, data, 3 * MIB);
	free(data);
	open_packed(0x20f, IMG_LINUX);
	args.ram_size = 2 * MIB;
	ck_assert_int_eq(image_load(&img, &args, &cpu, &err), -1);
	check_message(ST_IMAGE, "at least 3 MiB");
	args.initrd = initrd;
	ck_assert_int_eq(image_load(&img, &args, &cpu, &err), -1);
	check_message(ST_IMAGE, "at least 6 MiB");
	args.ram_size = 6 * MIB;
	load_good(&args);
	args.ram_size = 0;
	ck_assert_int_eq(image_load(&img, &args, &cpu, &err), -1);
	check_message(ST_IMAGE, "at least 2 MiB");
}
END_TEST

START_TEST(command_line_limits)
{
	struct boot_args args;
	char line[4000];

	memset(line, 'a', sizeof line);
	line[2047] = '\0';
	args = args_for(line);
	open_packed(0x20f, IMG_LINUX);
	load_good(&args);
	check_zero_page(line, args.ram_size);
	line[2047] = 'a';
	line[2048] = '\0';
	ck_assert_int_eq(image_load(&img, &args, &cpu, &err), -1);
	check_message(ST_USAGE, "2047");
	img.protocol = 0x205;
	line[256] = '\0';
	ck_assert_int_eq(image_load(&img, &args, &cpu, &err), -1);
	check_message(ST_USAGE, "255");
}
END_TEST

/* --- Multiboot ----------------------------------------------------------- */

static void check_multiboot_info(const char *cmdline)
{
	const uint8_t *mbi = ram + cpu.gpr[R_EBX], *map = ram + le32(mbi + 48);

	ck_assert_uint_eq(cpu.gpr[R_EAX], 0x2badb002);
	ck_assert_uint_lt(cpu.gpr[R_EBX], 640 * 1024);
	ck_assert_uint_eq(le32(mbi) & 0x24d, 0x24d);
	ck_assert_uint_eq(le32(mbi + 4), 640);
	ck_assert_uint_eq(le32(mbi + 8), RAM_MIB * 1024 - 1024);
	ck_assert_str_eq((char *)ram + le32(mbi + 16), cmdline);
	ck_assert_str_eq((char *)ram + le32(mbi + 64), "lilyvm");
	ck_assert_uint_eq(le32(mbi + 44), 3 * 24);
	ck_assert_uint_eq(le32(map), 20);
	ck_assert_uint_eq(le64(map + 2 * 24 + 4), MIB);
	ck_assert_uint_eq(le64(map + 2 * 24 + 12), (RAM_MIB - 1) * MIB);
	ck_assert_uint_eq(le32(map + 2 * 24 + 20), 1);
	ck_assert_uint_eq(le32(mbi + 52), 0);
}

START_TEST(multiboot_elf)
{
	struct boot_args args = args_for("-1v console=com");
	char line[128];
	const uint8_t *mbi;
	Elf32_Shdr sh[7];
	Elf32_Sym sym[4];

	open_good(build_elf(IMG_MULTIBOOT), IMG_ELF_SIZE);
	ck_assert_int_eq(img.kind, IMAGE_MULTIBOOT);
	ck_assert(!image_wants_ide(&img));
	load_good(&args);
	check_placed();
	check_entry_state(IMG_PHYS + IMG_ENTRY);
	snprintf(line, sizeof line, "%s -1v console=com", kernel);
	check_multiboot_info(line);
	mbi = ram + cpu.gpr[R_EBX];
	ck_assert_uint_eq(le32(mbi) & 0x20, 0x20);
	ck_assert_uint_eq(le32(mbi + 28), 7);
	ck_assert_uint_eq(le32(mbi + 32), sizeof *sh);
	ck_assert_uint_eq(le32(mbi + 40), 6);
	ck_assert_uint_ge(le32(mbi + 36), 2 * MIB);	/* not behind the kernel */
	memcpy(sh, ram + le32(mbi + 36), sizeof sh);
	ck_assert_uint_eq(sh[1].sh_addr, IMG_VIRT);
	memcpy(sym, ram + sh[4].sh_addr, sizeof sym);
	ck_assert_uint_eq(sym[1].st_value, IMG_VIRT + 0x40);
	ck_assert_str_eq((char *)ram + sh[5].sh_addr + sym[1].st_name, "start");
	ck_assert_str_eq((char *)ram + sh[6].sh_addr + sh[4].sh_name, ".symtab");
}
END_TEST

START_TEST(multiboot_modules)
{
	struct boot_args args = args_for("");
	const char *list[2];
	char first[128];
	const uint8_t *mbi, *mod;

	write_file(initrd, "module data", 11);
	snprintf(first, sizeof first, "%s root ro", initrd);
	list[0] = first;
	list[1] = initrd;
	args.modules = list;
	args.nmodules = 2;
	open_good(build_elf(IMG_MULTIBOOT | IMG_STRIPPED), IMG_ELF_SIZE);
	load_good(&args);
	check_multiboot_info(kernel);
	mbi = ram + cpu.gpr[R_EBX];
	ck_assert_uint_eq(le32(mbi) & 0x20, 0);
	ck_assert_uint_eq(le32(mbi + 20), 2);
	mod = ram + le32(mbi + 24);
	ck_assert_str_eq((char *)ram + le32(mod + 8), first);
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_uint_eq(le32(mod + 16 * i) % 4096, 0);
		ck_assert_uint_eq(le32(mod + 16 * i + 4) - le32(mod + 16 * i), 11);
		ck_assert(!memcmp(ram + le32(mod + 16 * i), "module data", 12));
	}
	ck_assert_uint_lt(le32(mod), le32(mod + 16));
	list[1] = " nothing";
	ck_assert_int_eq(image_load(&img, &args, &cpu, &err), -1);
	check_message(ST_USAGE, "file name");
	list[1] = "/nonexistent/module x";
	ck_assert_int_eq(image_load(&img, &args, &cpu, &err), -1);
	check_message(ST_NOINPUT, "/nonexistent/module:");
}
END_TEST

/* A flat file with address fields: header at 0x10, loaded at 2 MiB. */
static uint8_t *build_raw(uint32_t load_end, uint32_t bss_end, uint32_t entry)
{
	uint8_t *f = calloc(1, 0x800);

	memset(f + 0x40, 0x90, 0x7c0);
	put_le32(f + 0x10, 0x1badb002);
	put_le32(f + 0x14, 0x10002);
	put_le32(f + 0x18, 0u - (0x1badb002u + 0x10002u));
	put_le32(f + 0x1c, 0x200010);
	put_le32(f + 0x20, 0x200000);
	put_le32(f + 0x24, load_end);
	put_le32(f + 0x28, bss_end);
	put_le32(f + 0x2c, entry);
	return f;
}

START_TEST(multiboot_address_fields)
{
	struct boot_args args = args_for("");

	open_good(build_raw(0, 0x201000, 0x200040), 0x800);
	ck_assert_int_eq(img.kind, IMAGE_MULTIBOOT);
	ck_assert_ptr_null(img.elf);
	ck_assert_uint_eq(img.nsections, 1);
	ck_assert_uint_eq(img.sections[0].size, 0x800);
	memset(ram + 0x200000, 0xff, 0x2000);
	load_good(&args);
	check_entry_state(0x200040);
	check_multiboot_info(kernel);
	ck_assert_uint_eq(ram[0x2007ff], 0x90);
	ck_assert_uint_eq(ram[0x200800] | ram[0x200fff], 0);
	ck_assert_uint_eq(ram[0x201000], 0xff);
}
END_TEST

START_TEST(multiboot_bad_headers)
{
	uint8_t *f;

	ck_assert_int_eq(open_image(build_raw(0x201000, 0, 0x200040), 0x800), -1);
	check_message(ST_IMAGE, "load_end_addr");
	ck_assert_int_eq(open_image(build_raw(0x200800, 0x200700, 0x200040), 0x800), -1);
	check_message(ST_IMAGE, "bss_end_addr");
	ck_assert_int_eq(open_image(build_raw(0, 0, 0x100000), 0x800), -1);
	check_message(ST_IMAGE, "entry_addr");
	f = build_raw(0, 0, 0x200040);
	put_le32(f + 0x20, 0x1fff00);
	ck_assert_int_eq(open_image(f, 0x800), -1);
	check_message(ST_IMAGE, "load_addr");
	ck_assert_int_eq(open_image(build_raw(0, 0, 0x200040), 0x24), -1);
	check_message(ST_IMAGE, "cut off");
	f = build_elf(IMG_MULTIBOOT);
	put_le32(f + IMG_TEXT_OFF + 4, 0x13);
	put_le32(f + IMG_TEXT_OFF + 8, 0u - (0x1badb002u + 0x13u));
	ck_assert_int_eq(open_image(f, IMG_ELF_SIZE), -1);
	check_message(ST_IMAGE, "0x10");
}
END_TEST

/* What `lilyvm info` prints. */
static const char *description(void)
{
	static char text[4096];
	FILE *out = fmemopen(text, sizeof text, "w");

	ck_assert_int_eq(image_describe(&img, out), ST_OK);
	fclose(out);
	return text;
}

/* NetBSD: flags 2, no modules; its banner makes its disks IDE. */
START_TEST(multiboot_netbsd)
{
	struct boot_args args = args_for("");
	uint8_t *f = build_elf(IMG_MULTIBOOT | IMG_NETBSD);

	put_le32(f + IMG_TEXT_OFF + 4, 2);
	put_le32(f + IMG_TEXT_OFF + 8, 0u - (0x1badb002u + 2));
	open_good(f, IMG_ELF_SIZE);
	ck_assert(image_wants_ide(&img));
	ck_assert_ptr_nonnull(strstr(description(), "NetBSD, version 6.1.5 (GENERIC)\n"));
	load_good(&args);
	check_multiboot_info(kernel);
	ck_assert_uint_eq(le32(ram + cpu.gpr[R_EBX] + 20), 0);
}
END_TEST

/* --- FreeBSD ------------------------------------------------------------- */

/* A record's contents, NULL without one; *size gets their size. */
static const uint8_t *metadata(uint32_t meta, uint32_t type, uint32_t *size)
{
	const uint8_t *r = ram + meta;

	for (; le32(r); r += 8 + ((le32(r + 4) + 3) & ~3u))
		if (le32(r) == type) {
			*size = le32(r + 4);
			return r + 8;
		}
	return NULL;
}

static uint32_t metadata_number(uint32_t meta, uint32_t type)
{
	uint32_t size = 0;
	const uint8_t *at = metadata(meta, type, &size);

	ck_assert_ptr_nonnull(at);
	ck_assert_uint_eq(size, 4);
	return le32(at);
}

/* The value of a variable in the environment, the first one as the kernel takes it. */
static const char *variable(const char *env, const char *name)
{
	size_t n = strlen(name);

	for (; *env; env += strlen(env) + 1)
		if (!strncmp(env, name, n) && env[n] == '=')
			return env + n + 1;
	return NULL;
}

/* The bootinfo that btext() is called with. */
static const uint8_t *bootinfo(uint32_t howto)
{
	const uint8_t *frame = ram + cpu.gpr[R_ESP], *bi = ram + le32(frame + 24);

	ck_assert_uint_ne(le32(frame), 0);		/* a return address */
	ck_assert_uint_eq(le32(frame + 4), howto);
	ck_assert_uint_eq(le32(frame + 8) | le32(frame + 12) | le32(frame + 16), 0);
	ck_assert_uint_eq(le32(bi), 1);
	ck_assert_uint_eq(le32(bi + 48), 84);
	return bi;
}

START_TEST(freebsd)
{
	struct boot_args args = args_for("-sv kern.hz=100 vfs.root.mountfrom=\"ufs:/dev/ada0 x\" "
					 "hint.uart.0.irq=3 boot_verbose=NO boot_ddb=YES");
	const uint8_t *bi, *smap;
	const char *env;
	uint32_t meta, end, size;

	open_good(build_elf(IMG_FREEBSD | (_i ? IMG_OLD : 0)), IMG_ELF_SIZE);
	ck_assert_int_eq(img.kind, IMAGE_FREEBSD);
	ck_assert(image_wants_ide(&img));
	ck_assert_ptr_nonnull(strstr(description(), "FreeBSD kernel"));
	ck_assert_ptr_nonnull(strstr(description(), "version 10.4-RELEASE\n"));
	load_good(&args);
	check_placed();
	check_entry_state(IMG_PHYS + IMG_ENTRY);
	bi = bootinfo(0x80001042);			/* bootinfo, serial, ddb, single */
	ck_assert_str_eq((char *)ram + le32(bi + 4), kernel);
	ck_assert_uint_eq(bi[52], 1);
	ck_assert_uint_eq(le32(bi + 56), 640);
	ck_assert_uint_eq(le32(bi + 60), RAM_MIB * 1024 - 1024);
	end = le32(bi + 72);
	env = (char *)ram + le32(bi + 76);
	meta = le32(bi + 80);
	ck_assert_uint_gt(le32(bi + 76), IMG_PHYS + 0x1000 + IMG_DATA_SIZE + IMG_BSS_SIZE);
	ck_assert_uint_lt(le32(bi + 76), end);
	ck_assert_uint_lt(meta, end);
	ck_assert_uint_eq(end % PAGE_SIZE, 0);
	ck_assert_str_eq(variable(env, "kern.hz"), "100");
	ck_assert_str_eq(variable(env, "vfs.root.mountfrom"), "ufs:/dev/ada0 x");
	ck_assert_str_eq(variable(env, "hint.uart.0.irq"), "3");
	ck_assert_str_eq(variable(env, "hint.uart.0.port"), "0x3F8");
	ck_assert_str_eq((const char *)metadata(meta, 1, &size), kernel);
	ck_assert_str_eq((const char *)metadata(meta, 2, &size), "elf kernel");
	ck_assert_uint_eq(metadata_number(meta, 3), IMG_PHYS);
	ck_assert_uint_eq(metadata_number(meta, 0x8006), le32(bi + 76));
	ck_assert_uint_eq(metadata_number(meta, 0x8007), 0x80001042);
	ck_assert_uint_eq(metadata_number(meta, 0x8008), end);
	smap = metadata(meta, 0x9001, &size);
	ck_assert_uint_eq(size, 3 * 20);
	ck_assert_uint_eq(le64(smap + 8), 640 * 1024);
	ck_assert_uint_eq(le64(smap + 40), MIB);
	ck_assert_uint_eq(le64(smap + 48), (RAM_MIB - 1) * MIB);
	ck_assert_uint_eq(le32(smap + 56), 1);
}
END_TEST

START_TEST(freebsd_symbols)
{
	struct boot_args args = args_for("");
	const uint8_t *bi, *table;
	Elf32_Sym sym[4];

	open_good(build_elf(IMG_FREEBSD), IMG_ELF_SIZE);
	load_good(&args);
	bi = bootinfo(0x80001000);
	table = ram + le32(bi + 64);
	ck_assert_uint_eq(metadata_number(le32(bi + 80), 0x8003), le32(bi + 64));
	ck_assert_uint_eq(metadata_number(le32(bi + 80), 0x8004), le32(bi + 68));
	ck_assert_uint_eq(le32(table), sizeof sym);
	memcpy(sym, table + 4, sizeof sym);
	table += 4 + sizeof sym;
	ck_assert_uint_eq(sym[1].st_value, IMG_VIRT + 0x40);
	ck_assert_str_eq((const char *)table + 4 + sym[1].st_name, "start");
	ck_assert_uint_eq(le32(bi + 68), (uint32_t)(table - ram) + 4 + ((le32(table) + 3) & ~3u));
	image_close(&img);
	open_good(build_elf(IMG_FREEBSD | IMG_STRIPPED), IMG_ELF_SIZE);
	load_good(&args);
	bi = bootinfo(0x80001000);
	ck_assert_uint_eq(le32(bi + 64) | le32(bi + 68), 0);
	ck_assert_ptr_null(metadata(le32(bi + 80), 0x8003, &(uint32_t){ 0 }));
}
END_TEST

START_TEST(freebsd_memory_disk)
{
	struct boot_args args = args_for("");
	uint32_t meta, size, at;

	write_file(initrd, "a memory disk", 13);
	args.initrd = initrd;
	open_good(build_elf(IMG_FREEBSD), IMG_ELF_SIZE);
	load_good(&args);
	meta = le32(bootinfo(0x80001000) + 80);
	/* Behind the kernel's records. */
	meta = (uint32_t)(metadata(meta, 0x9001, &size) - ram) + 60;
	ck_assert_str_eq((const char *)metadata(meta, 2, &size), "md_image");
	ck_assert_uint_eq(metadata_number(meta, 4), 13);
	at = metadata_number(meta, 3);
	ck_assert_uint_eq(at % PAGE_SIZE, 0);
	ck_assert(!memcmp(ram + at, "a memory disk", 13));
	args.initrd = "/nonexistent/disk";
	ck_assert_int_eq(image_load(&img, &args, &cpu, &err), -1);
	check_message(ST_NOINPUT, "/nonexistent/disk");
}
END_TEST

START_TEST(freebsd_refuses)
{
	static const struct { const char *append, *message; } bad[] = {
		{ "quiet", "not \"quiet\"" }, { "=x", "not \"=x\"" }, { "-", "not \"-\"" },
		{ "-sz", "'z'" }, { "a=\"b c", "quotation mark" },
	};
	const char *const module = "m.ko";
	char *line = malloc(0x9001);
	struct boot_args args;

	open_good(build_elf(IMG_FREEBSD), IMG_ELF_SIZE);
	for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
		args = args_for(bad[i].append);
		ck_assert_int_eq(image_load(&img, &args, &cpu, &err), -1);
		check_message(ST_USAGE, bad[i].message);
	}
	memset(line, 'a', 0x9000);
	line[1] = '=';
	line[0x9000] = '\0';
	args = args_for(line);
	ck_assert_int_eq(image_load(&img, &args, &cpu, &err), -1);
	check_message(ST_USAGE, "environment");
	args = args_for("");
	args.modules = &module;
	args.nmodules = 1;
	ck_assert_int_eq(image_load(&img, &args, &cpu, &err), -1);
	check_message(ST_USAGE, "preloaded");
	args = args_for("");
	args.ram_size = 6 * MIB;
	ck_assert_int_eq(image_load(&img, &args, &cpu, &err), -1);
	check_message(ST_IMAGE, "at least 8 MiB");
	free(line);
}
END_TEST

/* A symbol table that leads elsewhere is left out, or the file is refused. */
START_TEST(freebsd_bad_symbols)
{
	/* Of section 4, .symtab: sh_link, sh_size; of section 5, .strtab: sh_type. */
	static const struct { unsigned sect, field; uint32_t value; } bad[] = {
		{ 4, 24, 99 }, { 4, 20, 0 }, { 5, 4, SHT_PROGBITS }, { 5, 20, 0 },
	};
	struct boot_args args = args_for("");

	for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
		uint8_t *f = build_elf(IMG_FREEBSD);

		put_le32(f + le32(f + 32) + 40 * bad[i].sect + bad[i].field, bad[i].value);
		open_good(f, IMG_ELF_SIZE);
		load_good(&args);
		ck_assert_uint_eq(le32(bootinfo(0x80001000) + 64), 0);
		image_close(&img);
	}
}
END_TEST

/* --- ELF ----------------------------------------------------------------- */

START_TEST(sections_and_symbols)
{
	uint32_t off = 0;

	open_good(build_elf(IMG_LINUX), IMG_ELF_SIZE);
	ck_assert_uint_eq(img.nsections, 3);
	ck_assert_str_eq(img.sections[0].name, ".text");
	ck_assert(img.sections[0].exec);
	ck_assert_uint_eq(img.sections[0].vaddr, IMG_VIRT);
	ck_assert_uint_eq(img.sections[0].paddr, IMG_PHYS);
	ck_assert_uint_eq(img.sections[0].size, IMG_TEXT_SIZE);
	ck_assert_ptr_eq(img.sections[0].bytes, img.elf + IMG_TEXT_OFF);
	ck_assert(!img.sections[1].exec);
	ck_assert_ptr_null(img.sections[2].bytes);
	ck_assert_uint_eq(img.nsymbols, 2);
	ck_assert_str_eq(image_symbol_at(&img, IMG_VIRT + 0x45, &off), "start");
	ck_assert_uint_eq(off, 5);
	ck_assert_ptr_null(image_symbol_at(&img, IMG_VIRT + 0x60, &off));
	ck_assert_ptr_null(image_symbol_at(&img, IMG_VIRT + 0x3f, &off));
	ck_assert_str_eq(image_symbol_at(&img, IMG_VIRT + 0x3ff, &off), "label");
	ck_assert_ptr_null(image_symbol_at(&img, IMG_VIRT + 0x400, &off));
	image_close(&img);
	open_good(build_elf(IMG_LINUX | IMG_STRIPPED), IMG_ELF_SIZE);
	ck_assert_uint_eq(img.nsections, 2);
	ck_assert(img.sections[0].exec && !img.sections[1].exec);
	ck_assert_ptr_null(image_symbol_at(&img, IMG_VIRT + 0x45, &off));
}
END_TEST

START_TEST(elf_truncated_anywhere)
{
	uint8_t *f = build_elf(_i);

	for (size_t n = 1; n < IMG_ELF_SIZE; n++)
		refuse_part(f, n, "part: ");
	free(f);
}
END_TEST

/* One field of the ELF kernel changed: where, its new value, what is said. */
static const struct { unsigned off; uint32_t value; const char *message; } bad_fields[] = {
	{ 4, 0x00010102, "64-bit kernel: LilyVM runs i386 kernels" },
	{ 4, 0x00010201, "little-endian" },
	{ 16, 0x00080002, "machine 8" },
	{ 16, 0x00030001, "type 1" },
	{ 16, 0x00030004, "type 4" },
	{ 28, 0xfffffff0, "" },				/* e_phoff */
	{ 32, 0xfffffff0, "" },				/* e_shoff */
	{ 44, 0x0028ffff, "" },				/* e_phnum */
	{ 52 + 4, 0xfffff000, "beyond the file" },	/* p_offset */
	{ 52 + 16, 0x7fffffff, "beyond the file" },	/* p_filesz */
	{ 52 + 16, IMG_TEXT_SIZE + 1, "larger in the file" },
	{ 52 + 20, 0xffffffff, "beyond 4 GiB" },	/* p_memsz */
	{ 52 + 20, 0x1001, "overlap" },
};

START_TEST(elf_bad_field)
{
	uint8_t *f = build_elf(IMG_LINUX);

	put_le32(f + bad_fields[_i].off, bad_fields[_i].value);
	ck_assert_int_eq(open_image(f, IMG_ELF_SIZE), -1);
	check_message(ST_IMAGE, bad_fields[_i].message);
}
END_TEST

/* Segments outside of what RAM can be, found when the kernel is loaded. */
START_TEST(elf_bad_place)
{
	static const struct { uint32_t paddr; const char *message; } bad[] = {
		{ 0, "firmware data" }, { 0x8fff0, "firmware data" }, { 0xfff00, "firmware data" },
		{ 0xd0000000, "physical load addresses" },
		{ RAM_MIB * MIB - 0x100, "too little guest memory" },
	};
	struct boot_args args = args_for("");

	for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
		uint8_t *f = build_elf(_i);

		put_le32(f + 52 + 12, bad[i].paddr);
		open_good(f, IMG_ELF_SIZE);
		ck_assert_int_eq(image_load(&img, &args, &cpu, &err), -1);
		check_message(ST_IMAGE, bad[i].message);
		image_close(&img);
	}
}
END_TEST

START_TEST(elf_without_entry)
{
	struct boot_args args = args_for("");
	uint8_t *f = build_elf(IMG_MULTIBOOT);

	put_le32(f + 24, 0x12345678);
	open_good(f, IMG_ELF_SIZE);
	ck_assert_int_eq(image_load(&img, &args, &cpu, &err), -1);
	check_message(ST_IMAGE, "entry point");
}
END_TEST

START_TEST(other_elf)
{
	struct boot_args args = args_for("");

	open_good(build_elf(0), IMG_ELF_SIZE);
	ck_assert_int_eq(img.kind, IMAGE_ELF);
	ck_assert_int_eq(image_load(&img, &args, &cpu, &err), -1);
	check_message(ST_IMAGE, "no Linux, FreeBSD or Multiboot kernel");
}
END_TEST

/* --- files that are no kernels ------------------------------------------- */

START_TEST(no_kernel)
{
	uint8_t *f = calloc(1, 5000);

	ck_assert_int_eq(image_open(&img, "/nonexistent/vmlinuz", &err), -1);
	check_message(ST_NOINPUT, "No such file");
	ck_assert_int_eq(image_open(&img, dir, &err), -1);
	check_message(ST_NOINPUT, "directory");
	ck_assert_int_eq(image_open(&img, "/dev/null", &err), -1);
	check_message(ST_NOINPUT, "regular");
	write_file(kernel, "", 0);
	ck_assert_int_eq(image_open(&img, kernel, &err), -1);
	check_message(ST_IMAGE, "empty");
	ck_assert_int_eq(open_image(f, 5000), -1);
	check_message(ST_IMAGE, "not a kernel");
	write_file(kernel, "\x1f\x8b\x08\x00", 4);
	ck_assert_int_eq(image_open(&img, kernel, &err), -1);
	check_message(ST_IMAGE, "gzip");
	if (getuid() == 0)
		return;		/* root reads everything */
	chmod(kernel, 0);
	ck_assert_int_eq(image_open(&img, kernel, &err), -1);
	check_message(ST_NOINPUT, "Permission");
}
END_TEST

START_TEST(unusable_linux)
{
	size_t size;
	uint8_t *f = packed_bzimage(0, 0x201, IMG_LINUX, &size);

	ck_assert_int_eq(open_image(f, size), -1);
	check_message(ST_IMAGE, "too old");
	f = packed_bzimage(0, 0x20f, IMG_LINUX, &size);
	f[0x211] = 0;
	ck_assert_int_eq(open_image(f, size), -1);
	check_message(ST_IMAGE, "zImage");
	f = packed_bzimage(0, 0x20f, IMG_LINUX, &size);
	f[0x236] = 1;
	ck_assert_int_eq(open_image(f, size), -1);
	check_message(ST_IMAGE, "64-bit kernel: LilyVM runs i386 kernels");
}
END_TEST

/* --- the stock kernel ---------------------------------------------------- */

static const char *stock_kernel(void)
{
	const char *path = getenv("LILYVM_STOCK_KERNEL");

	path = path ? path : STOCK_DEFAULT;
	return access(path, R_OK) == 0 ? path : NULL;
}

START_TEST(stock)
{
	struct boot_args args = args_for("console=ttyS0 nokaslr");
	const char *path = stock_kernel();
	const char *text;

	ck_assert_msg(image_open(&img, path, &err) == 0, "%s", err.text);
	ck_assert_int_eq(img.kind, IMAGE_LINUX_BZIMAGE);
	ck_assert_ptr_nonnull(img.elf);
	ck_assert_str_eq(img.sections[0].name, ".text");
	ck_assert(img.sections[0].exec && img.sections[0].bytes);
	ck_assert_uint_eq(img.sections[0].vaddr, 0xc1000000);
	ck_assert_uint_eq(img.sections[0].paddr, 0x1000000);
	load_good(&args);
	check_entry_state(0x1000000);
	check_zero_page(args.cmdline, args.ram_size);
	ck_assert(!memcmp(ram + 0x1000000, img.sections[0].bytes, img.sections[0].size));
	args.ram_size = 20 * MIB;
	ck_assert_int_eq(image_load(&img, &args, &cpu, &err), -1);
	check_message(ST_IMAGE, "at least");
	text = description();
	ck_assert_ptr_nonnull(strstr(text, "bzImage, boot protocol 2."));
	ck_assert_ptr_nonnull(strstr(text, ".text"));
}
END_TEST

/* Cut off at every multiple of a prime. */
START_TEST(stock_truncated)
{
	const size_t step = 30011;
	const char *path = stock_kernel();
	uint8_t *whole;
	uint64_t size;

	ck_assert_int_eq(file_size(path, "kernel", &size, &err), 0);
	whole = malloc(size);
	ck_assert_int_eq(file_read(path, "kernel", whole, size, &err), 0);
	for (size_t n = step; n < size; n += step)
		refuse_part(whole, n, "cut off");
	free(whole);
}
END_TEST

static Suite *load_suite(void)
{
	Suite *s = suite_create("load");
	TCase *t = tcase_create("load");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, bzimage_of_every_compression, 0, NPACKERS);
	tcase_add_loop_test(t, payload_without_its_end, 0, NPACKERS);
	tcase_add_loop_test(t, damaged_payload, 1, NPACKERS);
	tcase_add_loop_test(t, bzimage_truncated_anywhere, 0, 2);
	tcase_add_test(t, old_bzimage_is_searched);
	tcase_add_loop_test(t, guest_decompresses_the_unknown, 0, 2);
	tcase_add_loop_test(t, vmlinux, 0, 2);
	tcase_add_loop_test(t, linux_version, 0,
			    (int)(2 * sizeof versions / sizeof *versions));
	tcase_add_test(t, initrd_is_high);
	tcase_add_test(t, too_little_memory);
	tcase_add_test(t, command_line_limits);
	tcase_add_test(t, multiboot_elf);
	tcase_add_test(t, multiboot_modules);
	tcase_add_test(t, multiboot_address_fields);
	tcase_add_test(t, multiboot_bad_headers);
	tcase_add_test(t, multiboot_netbsd);
	tcase_add_loop_test(t, freebsd, 0, 2);
	tcase_add_test(t, freebsd_symbols);
	tcase_add_test(t, freebsd_memory_disk);
	tcase_add_test(t, freebsd_refuses);
	tcase_add_test(t, freebsd_bad_symbols);
	tcase_add_test(t, sections_and_symbols);
	tcase_add_loop_test(t, elf_truncated_anywhere, 0, 4);
	tcase_add_loop_test(t, elf_truncated_anywhere, IMG_FREEBSD, IMG_FREEBSD + 1);
	tcase_add_loop_test(t, elf_bad_field, 0, (int)(sizeof bad_fields / sizeof *bad_fields));
	tcase_add_loop_test(t, elf_bad_place, 1, 3);
	tcase_add_test(t, elf_without_entry);
	tcase_add_test(t, other_elf);
	tcase_add_test(t, no_kernel);
	tcase_add_test(t, unusable_linux);
	if (stock_kernel()) {
		tcase_add_test(t, stock);
		tcase_add_test(t, stock_truncated);
	}
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	SRunner *sr = srunner_create(load_suite());
	int failed;

	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
