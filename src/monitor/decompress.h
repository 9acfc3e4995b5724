/* SPDX-License-Identifier: BSD-2-Clause */
/* The compressed formats of Linux kernel payloads, undone by libraries. */
#ifndef LILYVM_DECOMPRESS_H
#define LILYVM_DECOMPRESS_H

#include <stddef.h>
#include <stdint.h>

enum compression {
	COMP_NONE, COMP_GZIP, COMP_XZ, COMP_LZMA, COMP_BZIP2, COMP_LZ4, COMP_LZO, COMP_ZSTD,
};

enum decompress_result {
	DECOMPRESS_OK,
	DECOMPRESS_DAMAGED,	/* not what the magic promised */
	DECOMPRESS_TRUNCATED,	/* the input ends too early */
	DECOMPRESS_TOO_BIG,	/* more output than the limit */
	DECOMPRESS_NO_MEMORY,
};

/* The format that the first bytes announce (Linux lib/decompress.c), or COMP_NONE. */
enum compression compression_detect(const uint8_t *in, size_t n);
/* "gzip", "xz", ... */
const char *compression_name(enum compression c);
/* What a result other than DECOMPRESS_OK means, for a message. */
const char *decompress_strerror(enum decompress_result r);

/*
 * Decompresses the stream of format c (not COMP_NONE) at the start of in; what
 * follows the end of the stream is ignored.  hint is the expected size of the
 * output in bytes (0: unknown), limit what it may not exceed.  With
 * DECOMPRESS_OK *out is for the caller to free; else it is NULL.
 */
enum decompress_result decompress(enum compression c, const uint8_t *in, size_t n, size_t hint,
				  size_t limit, uint8_t **out, size_t *out_size);

#endif
