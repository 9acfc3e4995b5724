/* SPDX-License-Identifier: BSD-2-Clause */
#include "monitor/decompress.h"

#include "monitor/bytes.h"

#include <bzlib.h>
#include <lz4.h>
#include <lzma.h>
#include <lzo/lzo1x.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

/* What a decoder may use for its dictionary: 'xz -9' needs 64 MiB. */
#define DICT_LIMIT (256u << 20)
#define CHUNK (1u << 20)

/* Growing output. One byte more than the limit is allowed into the buffer, so
 * that reaching the limit and exceeding it can be told apart. */
struct sink {
	uint8_t *buf;
	size_t used, size, limit;
};

/* Makes room for more output; DECOMPRESS_OK when there is some. */
static enum decompress_result sink_grow(struct sink *s)
{
	size_t size = s->size ? 2 * s->size : CHUNK;
	uint8_t *buf;

	if (s->used < s->size)
		return DECOMPRESS_OK;
	if (s->used > s->limit)
		return DECOMPRESS_TOO_BIG;
	if (size > s->limit + 1)
		size = s->limit + 1;
	buf = realloc(s->buf, size);
	if (!buf)
		return DECOMPRESS_NO_MEMORY;
	s->buf = buf;
	s->size = size;
	return DECOMPRESS_OK;
}

/* Makes room for n bytes at once (block formats). */
static enum decompress_result sink_reserve(struct sink *s, size_t n)
{
	uint8_t *buf;

	if (n > s->limit - s->used)
		return DECOMPRESS_TOO_BIG;
	if (n <= s->size - s->used)
		return DECOMPRESS_OK;
	buf = realloc(s->buf, s->used + n);
	if (!buf)
		return DECOMPRESS_NO_MEMORY;
	s->buf = buf;
	s->size = s->used + n;
	return DECOMPRESS_OK;
}

static enum decompress_result gunzip(struct sink *s, const uint8_t *in, size_t n)
{
	z_stream z = { .next_in = (Bytef *)(uintptr_t)in, .avail_in = (uInt)n };
	enum decompress_result r;
	int err = Z_OK;

	if (inflateInit2(&z, 16 + MAX_WBITS) != Z_OK)
		return DECOMPRESS_NO_MEMORY;
	while ((r = sink_grow(s)) == DECOMPRESS_OK && err == Z_OK) {
		z.next_out = s->buf + s->used;
		z.avail_out = (uInt)(s->size - s->used);
		err = inflate(&z, Z_NO_FLUSH);
		s->used = s->size - z.avail_out;
	}
	inflateEnd(&z);
	if (err == Z_STREAM_END)
		return DECOMPRESS_OK;
	if (r != DECOMPRESS_OK)
		return r;
	return err == Z_BUF_ERROR ? DECOMPRESS_TRUNCATED :
	       err == Z_MEM_ERROR ? DECOMPRESS_NO_MEMORY : DECOMPRESS_DAMAGED;
}

static enum decompress_result lzma_run(lzma_stream *z, struct sink *s, const uint8_t *in, size_t n)
{
	enum decompress_result r;
	lzma_ret err = LZMA_OK;

	z->next_in = in;
	z->avail_in = n;
	while ((r = sink_grow(s)) == DECOMPRESS_OK && err == LZMA_OK) {
		z->next_out = s->buf + s->used;
		z->avail_out = s->size - s->used;
		err = lzma_code(z, LZMA_FINISH);
		s->used = s->size - z->avail_out;
	}
	lzma_end(z);
	if (err == LZMA_STREAM_END)
		return DECOMPRESS_OK;
	if (r != DECOMPRESS_OK)
		return r;
	return err == LZMA_BUF_ERROR ? DECOMPRESS_TRUNCATED :
	       err == LZMA_MEM_ERROR || err == LZMA_MEMLIMIT_ERROR ? DECOMPRESS_NO_MEMORY :
	       DECOMPRESS_DAMAGED;
}

static enum decompress_result unxz(struct sink *s, const uint8_t *in, size_t n)
{
	lzma_stream z = LZMA_STREAM_INIT;

	if (lzma_stream_decoder(&z, DICT_LIMIT, 0) != LZMA_OK)
		return DECOMPRESS_NO_MEMORY;
	return lzma_run(&z, s, in, n);
}

static enum decompress_result unlzma(struct sink *s, const uint8_t *in, size_t n)
{
	lzma_stream z = LZMA_STREAM_INIT;

	if (lzma_alone_decoder(&z, DICT_LIMIT) != LZMA_OK)
		return DECOMPRESS_NO_MEMORY;
	return lzma_run(&z, s, in, n);
}

static enum decompress_result bunzip2(struct sink *s, const uint8_t *in, size_t n)
{
	bz_stream z = { .next_in = (char *)(uintptr_t)in, .avail_in = (unsigned)n };
	enum decompress_result r;
	int err = BZ_OK;

	if (BZ2_bzDecompressInit(&z, 0, 0) != BZ_OK)
		return DECOMPRESS_NO_MEMORY;
	while ((r = sink_grow(s)) == DECOMPRESS_OK && err == BZ_OK) {
		z.next_out = (char *)s->buf + s->used;
		z.avail_out = (unsigned)(s->size - s->used);
		err = BZ2_bzDecompress(&z);
		s->used = s->size - z.avail_out;
		if (err == BZ_OK && !z.avail_in && z.avail_out)
			break;
	}
	BZ2_bzDecompressEnd(&z);
	if (err == BZ_STREAM_END)
		return DECOMPRESS_OK;
	if (r != DECOMPRESS_OK)
		return r;
	return err == BZ_OK ? DECOMPRESS_TRUNCATED :
	       err == BZ_MEM_ERROR ? DECOMPRESS_NO_MEMORY : DECOMPRESS_DAMAGED;
}

static enum decompress_result unzstd(struct sink *s, const uint8_t *in, size_t n)
{
	ZSTD_DCtx *z = ZSTD_createDCtx();
	ZSTD_inBuffer src = { in, n, 0 };
	enum decompress_result r;
	size_t left = 1;

	if (!z)
		return DECOMPRESS_NO_MEMORY;
	while ((r = sink_grow(s)) == DECOMPRESS_OK && left && !ZSTD_isError(left)) {
		ZSTD_outBuffer dst = { s->buf, s->size, s->used };

		left = ZSTD_decompressStream(z, &dst, &src);
		s->used = dst.pos;
		if (left && !ZSTD_isError(left) && src.pos == n && s->used < s->size)
			break;
	}
	ZSTD_freeDCtx(z);
	if (!left)
		return DECOMPRESS_OK;
	if (r != DECOMPRESS_OK)
		return r;
	return ZSTD_isError(left) ? DECOMPRESS_DAMAGED : DECOMPRESS_TRUNCATED;
}

/*
 * LZ4 legacy frame (lz4 doc/lz4_Frame_format.md): magic, then blocks of up to
 * 8 MiB, each after its compressed size.  There is no end mark; a kernel
 * payload ends with four bytes of uncompressed size.
 */
static enum decompress_result unlz4(struct sink *s, const uint8_t *in, size_t n)
{
	size_t at = 4;

	while (n - at > 4) {
		uint32_t len = le32(in + at);
		enum decompress_result r;
		size_t room = s->limit - s->used < 8u << 20 ? s->limit - s->used : 8u << 20;
		int got;

		at += 4;
		if (len > LZ4_COMPRESSBOUND(8u << 20))
			return DECOMPRESS_DAMAGED;
		if (len > n - at)
			return DECOMPRESS_TRUNCATED;
		r = sink_reserve(s, room);
		if (r != DECOMPRESS_OK)
			return r;
		got = LZ4_decompress_safe((const char *)in + at, (char *)s->buf + s->used, (int)len,
					  (int)room);
		if (got < 0)
			return DECOMPRESS_DAMAGED;
		s->used += (size_t)got;
		at += len;
	}
	return s->used ? DECOMPRESS_OK : DECOMPRESS_TRUNCATED;
}

/* lzop's file header (lzop src/lzop.c): where the blocks start, 0 if cut off. */
#define LZOP_ADLER32_D 0x001u
#define LZOP_ADLER32_C 0x002u
#define LZOP_CRC32_D 0x100u
#define LZOP_CRC32_C 0x200u
#define LZOP_FILTER 0x800u

static size_t lzop_header(const uint8_t *in, size_t n, uint32_t *flags)
{
	bool new_version;
	size_t at = 9;

	if (n < at + 64)
		return 0;
	new_version = be16(in + at) >= 0x0940;
	at += new_version ? 2 + 2 + 2 + 1 + 1 : 2 + 2 + 1;	/* versions, method, level */
	*flags = be32(in + at);
	at += 4 + (*flags & LZOP_FILTER ? 4 : 0);
	at += new_version ? 12 : 8;				/* mode, modification time */
	at += 1u + in[at];					/* file name */
	at += 4;						/* header checksum */
	return at <= n ? at : 0;
}

static size_t lzop_checksums(uint32_t flags, uint32_t a, uint32_t b)
{
	return (flags & a ? 4u : 0u) + (flags & b ? 4u : 0u);
}

/* One block at *at; DECOMPRESS_OK with *last set at the end mark. */
static enum decompress_result lzop_block(struct sink *s, const uint8_t *in, size_t n, size_t *at,
					 uint32_t flags, bool *last)
{
	enum decompress_result r;
	uint32_t dst, src;
	lzo_uint got;

	if (n - *at < 4)
		return DECOMPRESS_TRUNCATED;
	dst = be32(in + *at);
	*last = dst == 0;
	if (*last)
		return DECOMPRESS_OK;
	if (n - *at < 24)
		return DECOMPRESS_TRUNCATED;
	src = be32(in + *at + 4);
	*at += 8 + lzop_checksums(flags, LZOP_ADLER32_D, LZOP_CRC32_D);
	if (src > dst)
		return DECOMPRESS_DAMAGED;
	if (src < dst)
		*at += lzop_checksums(flags, LZOP_ADLER32_C, LZOP_CRC32_C);
	if (src > n - *at)
		return DECOMPRESS_TRUNCATED;
	r = sink_reserve(s, dst);
	if (r != DECOMPRESS_OK)
		return r;
	got = dst;
	if (src == dst)
		memcpy(s->buf + s->used, in + *at, dst);
	else if (lzo1x_decompress_safe(in + *at, src, s->buf + s->used, &got, NULL) != LZO_E_OK)
		return DECOMPRESS_DAMAGED;
	if (got != dst)
		return DECOMPRESS_DAMAGED;
	s->used += dst;
	*at += src;
	return DECOMPRESS_OK;
}

static enum decompress_result unlzo(struct sink *s, const uint8_t *in, size_t n)
{
	enum decompress_result r = DECOMPRESS_OK;
	uint32_t flags = 0;
	size_t at = lzop_header(in, n, &flags);
	bool last = false;

	if (!at)
		return DECOMPRESS_TRUNCATED;
	if (lzo_init() != LZO_E_OK)
		return DECOMPRESS_NO_MEMORY;
	while (r == DECOMPRESS_OK && !last)
		r = lzop_block(s, in, n, &at, flags, &last);
	return r;
}

static const struct {
	const char *name;
	const char *magic;
	size_t magic_size;
	enum decompress_result (*run)(struct sink *s, const uint8_t *in, size_t n);
} formats[] = {
	[COMP_NONE] = { "uncompressed", "", 0, NULL },
	[COMP_GZIP] = { "gzip", "\x1f\x8b\x08", 3, gunzip },
	[COMP_XZ] = { "xz", "\xfd" "7zXZ\0", 6, unxz },
	[COMP_LZMA] = { "lzma", "\x5d\0\0", 3, unlzma },
	[COMP_BZIP2] = { "bzip2", "BZh", 3, bunzip2 },
	[COMP_LZ4] = { "lz4", "\x02\x21\x4c\x18", 4, unlz4 },
	[COMP_LZO] = { "lzo", "\x89LZO\0\x0d\x0a\x1a\x0a", 9, unlzo },
	[COMP_ZSTD] = { "zstd", "\x28\xb5\x2f\xfd", 4, unzstd },
};

#define NFORMATS (sizeof formats / sizeof *formats)

enum compression compression_detect(const uint8_t *in, size_t n)
{
	for (unsigned c = COMP_NONE + 1; c < NFORMATS; c++)
		if (n >= formats[c].magic_size &&
		    !memcmp(in, formats[c].magic, formats[c].magic_size))
			return (enum compression)c;
	return COMP_NONE;
}

const char *compression_name(enum compression c)
{
	return formats[c].name;
}

const char *decompress_strerror(enum decompress_result r)
{
	static const char *const text[] = {
		[DECOMPRESS_OK] = "complete",
		[DECOMPRESS_DAMAGED] = "damaged",
		[DECOMPRESS_TRUNCATED] = "cut off",
		[DECOMPRESS_TOO_BIG] = "larger than announced",
		[DECOMPRESS_NO_MEMORY] = "too large for the host's memory",
	};

	return text[r];
}

enum decompress_result decompress(enum compression c, const uint8_t *in, size_t n, size_t hint,
				  size_t limit, uint8_t **out, size_t *out_size)
{
	struct sink s = { .limit = limit };
	enum decompress_result r;

	*out = NULL;
	*out_size = 0;
	if (hint && hint <= limit) {
		s.size = hint + 1;
		s.buf = malloc(s.size);
		if (!s.buf)
			return DECOMPRESS_NO_MEMORY;
	}
	r = formats[c].run(&s, in, n);
	if (r == DECOMPRESS_OK && s.used > limit)
		r = DECOMPRESS_TOO_BIG;
	if (r != DECOMPRESS_OK) {
		free(s.buf);
		return r;
	}
	*out = s.buf;
	*out_size = s.used;
	return DECOMPRESS_OK;
}
