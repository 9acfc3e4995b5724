/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzzes the decoder in both modes and the code map: the input is code for a
 * page, then a list of writes (offset, byte, entry).  With substitutes undone
 * memory must be what was written, except for bytes that mean substitutes.
 *
 *	decode_fuzz [COUNT [SEED]]	COUNT random inputs
 *
 * With clang -fsanitize=fuzzer -DLIBFUZZER it is a libFuzzer target.
 */
#include "rewriter/rewriter.h"

#include <stdlib.h>
#include <string.h>

#define BASE 0xc0000000u
#define RAM (2 * PAGE_SIZE)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t *get(void *ctx, gva_t page, gpa_t *gpa)
{
	uint32_t off = page.v - BASE;

	if (off >= RAM)
		return NULL;
	*gpa = GPA(off);
	return (uint8_t *)ctx + off;
}

static uint8_t plain(uint8_t b)
{
	return (b >= 0x6c && b <= 0x6f) || b == 0xe5 || b == 0xe7 ? 0x90 : b;
}

static void decode_all(const uint8_t *data, size_t size, unsigned bits)
{
	struct insn in;

	for (size_t i = 0; i < size; i++) {
		int len = insn_decode(&in, data + i, size - i, bits);

		if (len > 15 || (len > 0 && (size_t)len > size - i) || (len > 0 && len != in.len))
			abort();
		if (in.kind >= IK_COUNT || (len >= 0 && in.len == 0))
			abort();
	}
}

static void check(const struct codemap *map, const uint8_t *ram, const uint8_t *wrote)
{
	static uint8_t back[RAM];

	memcpy(back, ram, RAM);
	codemap_restore(map, back, GPA(0), RAM);
	if (memcmp(back, wrote, RAM))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t ram[RAM], wrote[RAM];
	struct codemap *map = codemap_new(RAM);
	size_t n = size < PAGE_SIZE ? size / 2 : PAGE_SIZE / 2;

	if (!map)
		return 0;
	decode_all(data, size, 32);
	decode_all(data, size, 16);
	for (size_t i = 0; i < RAM; i++)
		wrote[i] = n ? plain(data[i % n]) : 0;
	memcpy(ram, wrote, RAM);
	if (size & 1)
		codemap_scan_section(map, ram + 64, GPA(64), GVA(BASE + 64), RAM - 64);
	for (size_t i = n; i + 5 <= size; i += 5) {
		uint32_t at = (data[i] | data[i + 1] << 8) % RAM;
		uint32_t entry = (data[i + 3] | data[i + 4] << 8) % RAM;

		ram[at] = wrote[at] = plain(data[i + 2]);
		codemap_scan(map, get, ram, GVA(BASE + (entry & PAGE_MASK)), GVA(BASE + entry),
			     at & 1 ? CODEMAP_TEXT : CODEMAP_MIXED);
		check(map, ram, wrote);
	}
	codemap_free(map);
	return 0;
}

#ifndef LIBFUZZER
int main(int argc, char **argv)
{
	unsigned long count = argc > 1 ? strtoul(argv[1], NULL, 0) : 2000;
	uint32_t x = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 0) | 1 : 1;
	uint8_t data[512];

	while (count--) {
		for (size_t i = 0; i < sizeof(data); i++) {
			x ^= x << 13;
			x ^= x >> 17;
			x ^= x << 5;
			data[i] = (uint8_t)(x >> 9);
		}
		LLVMFuzzerTestOneInput(data, x % sizeof(data));
	}
	return 0;
}
#endif
