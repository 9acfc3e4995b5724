/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE		/* memmem */
/*
 * Linux by the 32-bit boot protocol (Linux Documentation/arch/x86/boot.rst and
 * zero-page.rst).  A bzImage's payload is decompressed here where that is
 * possible, so that its code can be scanned before it runs; otherwise the
 * kernel's own decompressor does it in the guest.
 */
#include "monitor/load_parts.h"

#include "monitor/decompress.h"

#include <stdlib.h>
#include <string.h>

/* The setup header: the same offsets in the file and in the zero page. */
enum {
	HDR_START = 0x1f1,
	HDR_SETUP_SECTS = 0x1f1,
	HDR_ROOT_FLAGS = 0x1f2,
	HDR_SYSSIZE = 0x1f4,		/* protected-mode code, in 16 bytes; 32 bits from 2.04 on */
	HDR_VID_MODE = 0x1fa,
	HDR_BOOT_FLAG = 0x1fe,
	HDR_JUMP = 0x201,		/* the header ends this far behind 0x202 */
	HDR_MAGIC = 0x202,
	HDR_VERSION = 0x206,
	HDR_KERNEL_VERSION = 0x20e,
	HDR_LOADER_TYPE = 0x210,
	HDR_LOADFLAGS = 0x211,
	HDR_CODE32_START = 0x214,
	HDR_RAMDISK_IMAGE = 0x218,
	HDR_RAMDISK_SIZE = 0x21c,
	HDR_CMD_LINE_PTR = 0x228,
	HDR_INITRD_MAX = 0x22c,		/* 2.03 */
	HDR_XLOADFLAGS = 0x236,		/* 2.12 */
	HDR_CMDLINE_SIZE = 0x238,	/* 2.06 */
	HDR_PAYLOAD_OFFSET = 0x248,	/* 2.08 */
	HDR_PAYLOAD_LENGTH = 0x24c,
	HDR_PREF_ADDRESS = 0x258,	/* 2.10 */
	HDR_INIT_SIZE = 0x260,
	HDR_LIMIT = 0x290,		/* what the zero page has room for */
};

#define BOOT_FLAG 0xaa55u
#define LOADED_HIGH 0x01u
#define XLF_KERNEL_64 0x01u
#define LOADER_UNDEFINED 0xffu
#define VID_MODE_NORMAL 0xffffu

/* The rest of the zero page. */
enum {
	ZP_ORIG_X = 0x00,		/* struct screen_info */
	ZP_ORIG_Y = 0x01,
	ZP_EXT_MEM_K = 0x02,		/* int 15h, ah=88h: at most 64 MiB - 1 KiB */
	ZP_VIDEO_MODE = 0x06,
	ZP_VIDEO_COLS = 0x07,
	ZP_VIDEO_EGA_BX = 0x0a,
	ZP_VIDEO_LINES = 0x0e,
	ZP_VIDEO_ISVGA = 0x0f,
	ZP_VIDEO_POINTS = 0x10,
	ZP_ALT_MEM_K = 0x1e0,		/* int 15h, ax=e801h: all above 1 MiB */
	ZP_E820_ENTRIES = 0x1e8,
	ZP_E820_TABLE = 0x2d0,
	ZP_SIZE = 0x1000,
};

#define INITRD_MAX_DEFAULT 0x37ffffffu	/* before 2.03 */
#define CMDLINE_MAX_OLD 255u		/* before 2.06 */
#define CMDLINE_MAX_ELF 2047u		/* a vmlinux does not tell; i386 has had it since 2.6.30 */

/* Where everything goes. */
struct plan {
	struct elf_layout elf;
	uint32_t entry;
	uint64_t kernel_end;		/* what the kernel needs before it knows its memory map */
	uint64_t initrd, initrd_size;
	size_t cmdline_size;		/* with NUL */
};

/* A field of the setup header that came with a protocol version. */
static uint32_t header32(const struct image *img, size_t off, uint16_t since, uint32_t otherwise)
{
	if (img->kind != IMAGE_LINUX_BZIMAGE || img->protocol < since)
		return otherwise;
	return le32(img->file + off);
}

bool linux_is_bzimage(const struct image *img)
{
	return img->file_size >= HDR_VERSION + 2 &&
	       le16(img->file + HDR_BOOT_FLAG) == BOOT_FLAG &&
	       !memcmp(img->file + HDR_MAGIC, "HdrS", 4);
}

static int cut_off(const struct image *img, struct error *e)
{
	return fail(e, ST_IMAGE,
		    "%s: Linux kernel is cut off at %zu bytes; fetch or build it again", img->path,
		    img->file_size);
}

/* Where the Secure Boot signature behind a signed kernel ends; 0 if there is
 * none.  PE format: the certificate table is the fifth data directory, and the
 * only one that holds a file offset. */
static uint64_t signature_end(const struct image *img)
{
	enum { PE_HEADER = 0x3c, OPTIONAL = 24, PE32 = 0x10b, COUNT = 92,
	       CERTIFICATES = 96 + 4 * 8 };
	uint64_t pe = le32(img->file + PE_HEADER);
	const uint8_t *p = img->file + pe;

	if (pe + OPTIONAL + CERTIFICATES + 8 > img->file_size || memcmp(p, "PE\0\0", 4) ||
	    le16(p + OPTIONAL) != PE32 || le32(p + OPTIONAL + COUNT) < 5)
		return 0;
	return (uint64_t)le32(p + OPTIONAL + CERTIFICATES) + le32(p + OPTIONAL + CERTIFICATES + 4);
}

static int read_header(struct image *img, struct error *e)
{
	unsigned sectors = img->file[HDR_SETUP_SECTS];
	uint64_t code;

	img->protocol = le16(img->file + HDR_VERSION);
	img->setup_size = ((sectors ? sectors : 4) + 1) * 512;
	if (img->protocol < 0x202)
		return fail(e, ST_IMAGE, "%s: boot protocol %u.%02u is too old; LilyVM boots Linux "
			    "with 2.02 and later (Linux 2.4)", img->path, img->protocol >> 8,
			    img->protocol & 0xff);
	if (img->file_size <= img->setup_size || img->setup_size < HDR_LIMIT)
		return cut_off(img, e);
	if (!(img->file[HDR_LOADFLAGS] & LOADED_HIGH))
		return fail(e, ST_IMAGE, "%s: a zImage; build a bzImage or give its vmlinux",
			    img->path);
	if (header32(img, HDR_XLOADFLAGS, 0x20c, 0) & XLF_KERNEL_64)
		return fail(e, ST_IMAGE,
			    "%s: 64-bit kernel: LilyVM runs i386 kernels; install a 32-bit one "
			    "(Debian: linux-image-686)", img->path);
	/* In 16-byte units; before 2.04 the upper half is missing, and only since
	 * 2.08 the file is padded to it. */
	code = le32(img->file + HDR_SYSSIZE);
	code = (img->protocol >= 0x204 ? code : code & 0xffff) * 16;
	if (img->protocol < 0x208 && code)
		code -= 15;
	if (img->file_size - img->setup_size < code || img->file_size < signature_end(img))
		return cut_off(img, e);
	return 0;
}

/* Takes the decompressed payload as the kernel if it is an ELF file; a raw one
 * (before 2.08) is left to the guest's decompressor. */
static int take_payload(struct image *img, uint8_t *payload, size_t size, struct error *e)
{
	if (!elf_magic(payload, size)) {
		free(payload);
		return 0;
	}
	img->elf_owned = payload;
	img->elf = payload;
	img->elf_size = size;
	if (elf_check(img->path, payload, size, e))
		return -1;
	return elf_read_sections(img, e);
}

/* 2.08 and later: the header says where the payload lies.  The last four bytes
 * of every format are its uncompressed size. */
static int open_payload(struct image *img, struct error *e)
{
	const uint8_t *code = img->file + img->setup_size;
	size_t code_size = img->file_size - img->setup_size;
	uint32_t off = le32(img->file + HDR_PAYLOAD_OFFSET);
	uint32_t len = le32(img->file + HDR_PAYLOAD_LENGTH);
	enum decompress_result r;
	enum compression c;
	uint32_t announced;
	uint8_t *out;
	size_t size;

	if (off > code_size || len > code_size - off)
		return cut_off(img, e);
	c = compression_detect(code + off, len);
	if (c == COMP_NONE || len < 4)
		return 0;
	announced = le32(code + off + len - 4);
	if (announced > IMAGE_MAX)
		return fail(e, ST_IMAGE, "%s: payload announces %u bytes; LilyVM takes %u MiB",
			    img->path, announced, IMAGE_MAX >> 20);
	r = decompress(c, code + off, len, announced, announced, &out, &size);
	if (r == DECOMPRESS_NO_MEMORY)
		return fail(e, ST_HOST, "%s: no memory to decompress the payload; "
			    "raise the limit (ulimit -v)", img->path);
	if (r == DECOMPRESS_OK && size != announced) {
		free(out);
		r = DECOMPRESS_DAMAGED;
	}
	if (r != DECOMPRESS_OK)
		return fail(e, ST_IMAGE, "%s: %s payload is %s; fetch or build the kernel again",
			    img->path, compression_name(c), decompress_strerror(r));
	return take_payload(img, out, size, e);
}

/* Before 2.08: the payload is gzip and has to be searched for. */
static int search_payload(struct image *img, struct error *e)
{
	const uint8_t *p = img->file + img->setup_size, *end = img->file + img->file_size;
	unsigned tries = 8;	/* each false header may cost a long decompression */

	for (; end - p > 18 && tries; p++) {
		enum decompress_result r;
		uint8_t *out;
		size_t size;

		p = memchr(p, 0x1f, (size_t)(end - p) - 18);
		if (!p)
			break;
		/* Neither comment nor header checksum: flags of gzip(1). */
		if (compression_detect(p, (size_t)(end - p)) != COMP_GZIP || p[3] & ~0x08)
			continue;
		tries--;
		r = decompress(COMP_GZIP, p, (size_t)(end - p), 0, IMAGE_MAX, &out, &size);
		if (r == DECOMPRESS_OK)
			return take_payload(img, out, size, e);
		if (r == DECOMPRESS_TRUNCATED)
			return cut_off(img, e);
	}
	return 0;
}

int linux_open_bzimage(struct image *img, struct error *e)
{
	img->kind = IMAGE_LINUX_BZIMAGE;
	if (read_header(img, e))
		return -1;
	return img->protocol >= 0x208 ? open_payload(img, e) : search_payload(img, e);
}

static int plan_elf(const struct image *img, struct plan *p, struct error *e)
{
	uint64_t init_end = header32(img, HDR_PREF_ADDRESS, 0x20a, 0) +
			    (uint64_t)header32(img, HDR_INIT_SIZE, 0x20a, 0);

	if (elf_layout(img, &p->elf, e))
		return -1;
	for (unsigned i = 0; i < p->elf.nseg; i++) {
		const struct elf_segment *s = &p->elf.seg[i];

		if (range_check(img, s->paddr, s->paddr + s->memsz, e))
			return -1;
	}
	/* Linux 2.4's e_entry is stext; startup_32 is the first byte of the kernel. */
	if (p->elf.corrected)
		p->entry = (uint32_t)p->elf.low;
	else if (elf_entry(img, &p->elf, &p->entry, e))
		return -1;
	p->kernel_end = p->elf.high > init_end ? p->elf.high : init_end;
	return 0;
}

/* The protected-mode code lies at 1 MiB and moves itself; without init_size
 * (before 2.10) an upper bound of what it expands to has to do. */
static int plan_decompressor(const struct image *img, struct plan *p, struct error *e)
{
	uint64_t size = img->file_size - img->setup_size;
	uint64_t pref = header32(img, HDR_PREF_ADDRESS, 0x20a, 0);
	uint64_t base = pref > HIGH_START ? pref : HIGH_START;
	uint64_t need = header32(img, HDR_INIT_SIZE, 0x20a, 0);

	p->entry = le32(img->file + HDR_CODE32_START);
	if (p->entry < HIGH_START || p->entry - HIGH_START >= size)
		return fail(e, ST_IMAGE, "%s: entry %#x lies outside of the kernel; build it again",
			    img->path, p->entry);
	p->kernel_end = base + (need > size ? need : 5 * size);
	return 0;
}

static int plan_cmdline(const struct image *img, const struct boot_args *args, struct plan *p,
			struct error *e)
{
	uint32_t max = img->kind == IMAGE_LINUX_ELF ? CMDLINE_MAX_ELF :
		       header32(img, HDR_CMDLINE_SIZE, 0x206, CMDLINE_MAX_OLD);

	if (max > LOW_END - LOW_STRINGS - 1)
		max = LOW_END - LOW_STRINGS - 1;
	p->cmdline_size = strlen(args->cmdline) + 1;
	if (p->cmdline_size - 1 > max)
		return fail(e, ST_USAGE,
			    "%s: command line of %zu bytes, the kernel takes %u; shorten --append",
			    img->path, p->cmdline_size - 1, max);
	return 0;
}

/* The initrd goes as high as the kernel can reach it, out of the kernel's way. */
static int plan_memory(const struct image *img, const struct boot_args *args, struct plan *p,
		       struct error *e)
{
	uint64_t top = (uint64_t)header32(img, HDR_INITRD_MAX, 0x203, INITRD_MAX_DEFAULT) + 1;
	uint64_t room;

	if (args->nmodules)
		return fail(e, ST_USAGE, "%s: Linux takes no Multiboot modules; use --initrd",
			    img->path);
	if (args->initrd && boot_file_size(args, args->initrd, "initrd", &p->initrd_size, e))
		return -1;
	room = round_up(p->initrd_size, PAGE_SIZE);
	p->kernel_end = round_up(p->kernel_end, PAGE_SIZE);
	if (p->initrd_size && p->kernel_end + room > top)
		return fail(e, ST_IMAGE, "%s: initrd of %llu bytes does not fit below %#llx, where "
			    "%s looks for it; make it smaller", args->initrd,
			    (unsigned long long)p->initrd_size, (unsigned long long)top, img->path);
	if (p->kernel_end + room > args->ram_size)
		return ram_too_small(img, args, p->kernel_end + room, e);
	if (top > args->ram_size)
		top = args->ram_size;
	if (p->initrd_size)
		p->initrd = (top - room) & ~(uint64_t)(PAGE_SIZE - 1);
	return 0;
}

static void put_screen_info(uint8_t *zp)
{
	zp[ZP_ORIG_Y] = 24;
	zp[ZP_VIDEO_MODE] = 3;
	zp[ZP_VIDEO_COLS] = 80;
	put_le16(zp + ZP_VIDEO_EGA_BX, 3);	/* bl = 3: 256 KiB; 10h would be a CGA */
	zp[ZP_VIDEO_LINES] = 25;		/* Linux 2.4 stops with a BUG at 0 */
	zp[ZP_VIDEO_ISVGA] = 1;
	put_le16(zp + ZP_VIDEO_POINTS, 16);
}

static void put_memory_map(uint8_t *zp, uint64_t ram_size)
{
	struct pc_range map[PC_MAX_RANGES];
	unsigned n = pc_memory_map(ram_size, map);
	uint64_t above_k = (ram_size - HIGH_START) >> 10;

	put_le16(zp + ZP_EXT_MEM_K, above_k < 0xfc00 ? (uint16_t)above_k : 0xfc00);
	put_le32(zp + ZP_ALT_MEM_K, (uint32_t)above_k);
	zp[ZP_E820_ENTRIES] = (uint8_t)n;
	for (unsigned i = 0; i < n; i++) {
		uint8_t *entry = zp + ZP_E820_TABLE + i * 20;

		put_le64(entry, map[i].start);
		put_le64(entry + 8, map[i].size);
		put_le32(entry + 16, map[i].type);
	}
}

/* The setup header of a bzImage, or what one would say of a vmlinux. */
static void put_setup_header(const struct image *img, uint8_t *zp)
{
	if (img->kind == IMAGE_LINUX_BZIMAGE) {
		size_t end = HDR_MAGIC + img->file[HDR_JUMP];

		if (end < HDR_CMD_LINE_PTR + 4)
			end = HDR_CMD_LINE_PTR + 4;
		if (end > HDR_LIMIT)
			end = HDR_LIMIT;
		memcpy(zp + HDR_START, img->file + HDR_START, end - HDR_START);
	} else {
		put_le16(zp + HDR_ROOT_FLAGS, 1);	/* mount the root read-only at first */
		put_le16(zp + HDR_BOOT_FLAG, BOOT_FLAG);
		memcpy(zp + HDR_MAGIC, "HdrS", 4);
		put_le16(zp + HDR_VERSION, 0x203);
		zp[HDR_LOADFLAGS] = LOADED_HIGH;
		put_le32(zp + HDR_CODE32_START, HIGH_START);
		put_le32(zp + HDR_INITRD_MAX, INITRD_MAX_DEFAULT);
	}
	zp[HDR_LOADER_TYPE] = LOADER_UNDEFINED;
	put_le16(zp + HDR_VID_MODE, VID_MODE_NORMAL);
}

static void put_zero_page(const struct image *img, const struct boot_args *args,
			  const struct plan *p)
{
	uint8_t *zp = args->ram + LOW_INFO;

	memset(zp, 0, ZP_SIZE);
	put_setup_header(img, zp);
	put_screen_info(zp);
	put_memory_map(zp, args->ram_size);
	put_le32(zp + HDR_CMD_LINE_PTR, LOW_STRINGS);
	put_le32(zp + HDR_RAMDISK_IMAGE, (uint32_t)p->initrd);
	put_le32(zp + HDR_RAMDISK_SIZE, (uint32_t)p->initrd_size);
	memcpy(args->ram + LOW_STRINGS, args->cmdline, p->cmdline_size);
}

int linux_load(struct image *img, const struct boot_args *args, struct vcpu *cpu, struct error *e)
{
	struct plan p = { 0 };

	if (img->elf ? plan_elf(img, &p, e) : plan_decompressor(img, &p, e))
		return -1;
	if (plan_cmdline(img, args, &p, e) || plan_memory(img, args, &p, e))
		return -1;
	pc_bios_data(args->ram);
	if (img->elf)
		elf_place(&p.elf, args->ram);
	else
		memcpy(args->ram + HIGH_START, img->file + img->setup_size,
		       img->file_size - img->setup_size);
	if (p.initrd && boot_file_read(args, args->initrd, "initrd", args->ram + p.initrd,
				       p.initrd_size, e))
		return -1;
	put_zero_page(img, args, &p);
	pc_enter(cpu, args->ram, 0x10, p.entry);
	cpu->gpr[R_ESI] = LOW_INFO;
	return 0;
}

/* The version string of a bzImage, or NULL. */
static const char *version_string(const struct image *img)
{
	size_t off = 0x200u + le16(img->file + HDR_KERNEL_VERSION);

	if (off == 0x200 || off >= img->setup_size ||
	    !memchr(img->file + off, 0, img->setup_size - off))
		return NULL;
	return (const char *)img->file + off;
}

/* Where a version's numbers stand: in a bzImage's header, or behind the banner. */
static size_t version_numbers(const struct image *img, const char **at)
{
	static const char tag[] = "Linux version ";
	const uint8_t *banner;

	if (img->kind == IMAGE_LINUX_BZIMAGE && (*at = version_string(img)))
		return strlen(*at);
	banner = img->elf ? memmem(img->elf, img->elf_size, tag, sizeof tag - 1) : NULL;
	if (!banner)
		return 0;
	*at = (const char *)banner + sizeof tag - 1;
	return (size_t)(img->elf + img->elf_size - (const uint8_t *)*at);
}

bool image_linux_version(const struct image *img, unsigned v[3])
{
	char text[32] = "";
	const char *at = text;
	size_t n;

	if (img->kind != IMAGE_LINUX_BZIMAGE && img->kind != IMAGE_LINUX_ELF)
		return false;
	n = version_numbers(img, &at);
	memcpy(text, at, n < sizeof text - 1 ? n : sizeof text - 1);
	v[2] = 0;
	return sscanf(text, "%u.%u.%u", &v[0], &v[1], &v[2]) >= 2;
}

/* virtio_blk and virtio_pci came with 2.6.25. */
bool linux_wants_ide(const struct image *img)
{
	unsigned v[3];

	return image_linux_version(img, v) &&
	       (v[0] < 2 || (v[0] == 2 && (v[1] < 6 || (v[1] == 6 && v[2] < 25))));
}

void linux_describe(const struct image *img, FILE *out)
{
	const char *version;

	if (img->kind == IMAGE_LINUX_ELF) {
		fprintf(out, "Linux ELF kernel (vmlinux)\n");
		return;
	}
	version = version_string(img);
	fprintf(out, "Linux bzImage, boot protocol %u.%02u\n", img->protocol >> 8,
		img->protocol & 0xff);
	if (version)
		fprintf(out, "  version %s\n", version);
	if (img->elf)
		fprintf(out, "  payload of %zu bytes, decompressed by LilyVM\n", img->elf_size);
	else
		fprintf(out, "  booted by its own decompressor, entered at %#x\n",
			le32(img->file + HDR_CODE32_START));
}
