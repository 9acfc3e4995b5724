/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The code map: what is substituted, what is left alone, and what happens when
 * the guest changes or copies code.  Pages are mapped one to one at BASE.
 */
#include "rewriter/rewriter.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define BASE 0xc0100000u
#define PAGES 8
#define RAM (PAGES * PAGE_SIZE)

static _Alignas(PAGE_SIZE) uint8_t ram[RAM];
static bool mapped[PAGES];
static struct codemap *map;

static void setup(void)
{
	memset(ram, 0, RAM);
	memset(mapped, true, sizeof(mapped));
	map = codemap_new(RAM);
	ck_assert_ptr_nonnull(map);
}

static void teardown(void)
{
	codemap_free(map);
}

static uint8_t *get(void *ctx, gva_t page, gpa_t *gpa)
{
	uint32_t off = page.v - BASE;

	(void)ctx;
	if (off >= RAM || !mapped[off / PAGE_SIZE])
		return NULL;
	*gpa = GPA(off);
	return ram + off;
}

/* Puts n bytes at off; the next free offset. */
static uint32_t put(uint32_t off, const char *bytes, uint32_t n)
{
	memcpy(ram + off, bytes, n);
	return off + n;
}
#define PUT(off, bytes) put(off, bytes, sizeof(bytes) - 1)

static int scan_as(enum codemap_trust trust, uint32_t page, uint32_t entry)
{
	return codemap_scan(map, get, NULL, GVA(BASE + page), GVA(BASE + entry), trust);
}

static int scan(uint32_t page, uint32_t entry)
{
	return scan_as(CODEMAP_TEXT, page, entry);
}

static int follow(uint32_t entry)
{
	return scan_as(CODEMAP_MIXED, entry & PAGE_MASK, entry);
}

static int section(uint32_t off, uint32_t size)
{
	return codemap_scan_section(map, ram + off, GPA(off), GVA(BASE + off), size);
}

static void assert_bytes(uint32_t off, const char *bytes, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (ram[off + i] != (uint8_t)bytes[i])
			ck_abort_msg("offset %x holds %02x, not %02x", off + i, ram[off + i],
				     (uint8_t)bytes[i]);
}
#define IS(off, bytes) assert_bytes(off, bytes, sizeof(bytes) - 1)

/* Every substitute, and that undoing gives the original. */
START_TEST(substitutes)
{
	static const struct { char was[8], is[8]; uint32_t n; } t[] = {
		{ "\x9c", "\x6c", 1 }, { "\x9d", "\x6d", 1 }, { "\x66\x9c", "\x66\x6c", 2 },
		{ "\x8c\xd8", "\xe5\xd8", 2 }, { "\x8e\xd8", "\xe7\xd8", 2 },
		{ "\x36\x8e\x16", "\x36\xe7\x16", 3 },
		{ "\x0f\xa2", "\x6f\xa2", 2 }, { "\x0f\x00\xe8", "\x6f\x00\xe8", 3 },
		{ "\xcf", "\x6e", 1 }, { "\x1e", "\x6e", 1 }, { "\xcd\x80", "\x6e\x80", 2 },
		{ "\xcb", "\x6e", 1 }, { "\xff\x28", "\x6e\x28", 2 }, { "\xdb\xe3", "\x6e\xe3", 2 },
		/* real ins, outs, in, out */
		{ "\x6c", "\x6e", 1 }, { "\x6e", "\x6e", 1 }, { "\xe5\x60", "\x6e\x60", 2 },
		{ "\xf3\x6d", "\xf3\x6d", 2 }, { "\xe4\x60", "\xe4\x60", 2 },
		/* a prefix that would make the substitute a real ins */
		{ "\xf3\x9c", "\x6e\x9c", 2 }, { "\x66\xf2\x9d", "\x66\x6e\x9d", 3 },
		/* privileged: traps by itself */
		{ "\xfa", "\xfa", 1 }, { "\x0f\x20\xc0", "\x0f\x20\xc0", 3 },
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		uint8_t back[8];
		int any = -1;

		codemap_forget(map, GPA(0), RAM);
		memset(ram, 0x90, 64);
		put(16, t[i].was, t[i].n);
		ck_assert_int_ge(section(0, 64), 0);
		assert_bytes(16, t[i].is, t[i].n);
		IS(15, "\x90");
		memcpy(back, ram + 16, sizeof(back));
		codemap_restore(map, back, GPA(16), t[i].n);
		ck_assert_msg(!memcmp(back, t[i].was, t[i].n), "entry %zu is not restored", i);
		for (uint32_t k = 0; k < t[i].n; k++)
			if (codemap_original(map, GPA(16 + k)) >= 0)
				any = codemap_original(map, GPA(16 + k));
		memcpy(back, ram + 16, sizeof(back));
		ck_assert_int_eq(codemap_undo(map, back, t[i].n, GPA(16)),
				 memcmp(t[i].was, t[i].is, t[i].n) || any >= 0);
		ck_assert_msg(!memcmp(back, t[i].was, t[i].n), "entry %zu is not undone", i);
	}
}
END_TEST

/* Handler addresses among code, as in NetBSD's vector.S; returns where they end. */
static uint32_t put_table(uint32_t off)
{
	uint32_t at = PUT(off, "\x9c\x58\xc3\x90");

	for (uint32_t i = 0; i < 6; i++) {
		uint32_t v = BASE + 0x9c + i * 0x20;	/* 9c: looks like pushf */

		memcpy(ram + at, &v, 4);
		at += 4;
	}
	PUT(at, "\x55\x9d\x5d\xc3");
	return at;
}

START_TEST(table_in_text)
{
	uint32_t at = put_table(0);

	ck_assert_int_eq(section(0, 0x200), 2);
	IS(0, "\x6c\x58\xc3\x90\x9c");
	IS(at, "\x55\x6d\x5d\xc3");
	/* in late code, too */
	at = put_table(PAGE_SIZE);
	ck_assert_int_eq(scan(PAGE_SIZE, PAGE_SIZE), 2);
	IS(PAGE_SIZE, "\x6c\x58\xc3\x90\x9c");
	IS(at, "\x55\x6d\x5d\xc3");
}
END_TEST

/* Bytes behind a function that are no code in other ways. */
START_TEST(data_in_text)
{
	/* ret; "\x9c ...": aaa is what no compiler writes */
	PUT(0, "\xc3\x9c\x37\xce\x06\x06\xc3\x90\x55\x9c\x5d\xc3");
	ck_assert_int_eq(section(0, 12), 1);
	IS(0, "\xc3\x9c\x37\xce\x06\x06\xc3\x90\x55\x6c\x5d\xc3");
}
END_TEST

/* A descriptor table that looks like code, when the processor has shown that it is data. */
START_TEST(table_of_descriptors)
{
	/* limit and base 40404040, attributes 9c: inc %eax and pushf; xgetbv */
	static const char table[] = "\x40\x40\x40\x40\x40\x9c\x40\x0f\x01\xd0";

	PUT(put(PUT(0, "\x9c"), table, 10), "\x9d\xc3");
	ck_assert_int_eq(section(0, 13), 4);
	ck_assert_int_ne(memcmp(ram + 1, table, 10), 0);
	codemap_data(map, ram + 1, GPA(1), 10);
	ck_assert_int_eq(memcmp(ram + 1, table, 10), 0);
	ck_assert(!codemap_boundary(map, GPA(1)));
	/* What lies beside it stays patched, and the page is as it was scanned. */
	IS(0, "\x6c");
	IS(11, "\x6d\xc3");
	ck_assert_int_eq(scan(0, 11), 0);
	ck_assert_int_eq(memcmp(ram + 1, table, 10), 0);
	/* A page that was never scanned has nothing to undo. */
	codemap_data(map, ram + PAGE_SIZE, GPA(PAGE_SIZE), 16);
}
END_TEST

/* Linux 2.4: ud2, line, file name; the data would swallow the code behind it. */
START_TEST(bug_with_data)
{
	uint32_t at = 0;

	for (int i = 0; i < 4; i++) {
		at = PUT(at, "\x85\xc0\x74\x08\x0f\x0b\x9c\x01\xb8\x9d\x20\xc0");
		at = PUT(at, "\x9c\x58");
	}
	PUT(at, "\xc3");
	ck_assert_int_eq(section(0, at + 1), 4);
	for (uint32_t i = 0; i < at; i += 14)
		IS(i, "\x85\xc0\x74\x08\x0f\x0b\x9c\x01\xb8\x9d\x20\xc0\x6c\x58");
}
END_TEST

/* Current Linux: ud2 ends a block, the next may come at once. */
START_TEST(bug_without_data)
{
	PUT(0, "\x85\xc0\x74\x02\x0f\x0b\x9c\x58\xfa\x90\x90\x90\x9d\xc3");
	ck_assert_int_eq(section(0, 14), 2);
	IS(4, "\x0f\x0b\x6c\x58\xfa\x90\x90\x90\x6d\xc3");
}
END_TEST

/* Gaps of int3, nop and an odd number of zeros. */
START_TEST(padding)
{
	PUT(0, "\x9c\xc3\xcc\xcc\xcc\x9c\xc3\x90\x8d\x76\x00\x9c\xc3\x00\x00\x00\x9c\xc3");
	ck_assert_int_eq(section(0, 18), 4);
	IS(0, "\x6c\xc3\xcc\xcc\xcc\x6c\xc3\x90\x8d\x76\x00\x6c\xc3\x00\x00\x00\x6c\xc3");
}
END_TEST

/* int $0x80 in kernel text must not become a system call of the host. */
START_TEST(int_in_text)
{
	PUT(0, "\xb8\x01\x00\x00\x00\xcd\x80\xc3");
	ck_assert_int_eq(section(0, 8), 1);
	IS(5, "\x6e\x80");
	ck_assert_int_eq(codemap_original(map, GPA(5)), 0xcd);
	ck_assert_int_eq(codemap_original(map, GPA(6)), -1);
}
END_TEST

/* Execution comes to what the sweep took for the middle of an instruction. */
START_TEST(entry_wins)
{
	/* mov $0x58589c9c, %eax; nop; ret, entered at +2: pushf; pop; pop; nop */
	PUT(0, "\xb8\x9c\x9c\x58\x58\x90\xc3");
	ck_assert_int_eq(section(0, 7), 0);
	ck_assert_int_eq(scan(0, 2), 1);
	IS(0, "\xb8\x9c\x6c\x58\x58\x90\xc3");
	ck_assert_int_eq(scan(0, 2), 0);

	/* The other way about: a false patch is undone.  e8 is data before 'entry'. */
	PUT(PAGE_SIZE, "\x90\x9c\xb8\x9c\x00\x00\x00\xc3");
	ck_assert_int_eq(section(PAGE_SIZE, 8), 1);
	IS(PAGE_SIZE, "\x90\x6c\xb8\x9c");
	ram[PAGE_SIZE + 0x100] = 0x90;
	ck_assert_int_eq(scan(PAGE_SIZE, PAGE_SIZE + 3), 1);
	IS(PAGE_SIZE, "\x90\x6c\xb8\x6c");
}
END_TEST

/* A direct branch into what looks unreached beats the sweep. */
START_TEST(target_beats_sweep)
{
	/* jmp +1 over a stray e8, then pushf; pop; ret */
	PUT(0, "\xeb\x01\xe8\x9c\x58\xc3\x90\x90");
	ck_assert_int_eq(section(0, 8), 1);
	IS(0, "\xeb\x01\xe8\x6c\x58\xc3");
}
END_TEST

START_TEST(straddles_pages)
{
	uint32_t edge = PAGE_SIZE;

	/* lsl %ecx,%eax: its opcode is split */
	memset(ram, 0x90, 2 * PAGE_SIZE);
	PUT(edge - 1, "\x0f\x03\xc1\x9c\xc3");
	ck_assert_int_eq(scan(0, 0), 1);
	IS(edge - 1, "\x6f\x03\xc1\x9c");
	ck_assert_int_eq(scan(edge, edge + 2), 1);
	IS(edge - 1, "\x6f\x03\xc1\x6c\xc3");
	/* only the prefix lies in the first page */
	memset(ram + 2 * PAGE_SIZE, 0x90, 2 * PAGE_SIZE);
	edge = 3 * PAGE_SIZE;
	PUT(edge - 1, "\x66\x9c\xc3");
	ck_assert_int_eq(scan(2 * PAGE_SIZE, 2 * PAGE_SIZE), 1);
	IS(edge - 1, "\x66\x6c\xc3");
	ck_assert_int_ge(scan(edge, edge + 1), 0);
	IS(edge - 1, "\x66\x6c\xc3");
}
END_TEST

/* The second page is mapped only after the first was scanned. */
START_TEST(straddles_unmapped)
{
	uint32_t edge = PAGE_SIZE;

	memset(ram, 0x90, 2 * PAGE_SIZE);
	PUT(edge - 1, "\x8e\xd8\x9c\xc3");
	mapped[1] = false;
	ck_assert_int_eq(scan(0, 0), 0);
	mapped[1] = true;
	ck_assert_int_ge(scan(edge, edge - 1), 1);
	IS(edge - 1, "\xe7\xd8\x6c\xc3");
}
END_TEST

/* The page behind was scanned first, from a wrong start: what is found there of an
 * instruction that turns out to straddle is put back. */
START_TEST(straddles_misread)
{
	uint32_t edge = PAGE_SIZE;

	memset(ram, 0x90, 2 * PAGE_SIZE);
	/* jmp over a byte; mov 0xcdebd1e4, %eax across the edge; lea; pushf; ret */
	PUT(edge - 7, "\xeb\x01\x68\xa1\xe4\xd1\xeb\xcd\x8d\x1c\xd0\x9c\xc3");
	ck_assert_int_ge(scan(edge, edge + 4), 1);
	ck_assert_int_ge(scan(0, edge - 7), 0);
	IS(edge - 7, "\xeb\x01\x68\xa1\xe4\xd1\xeb\xcd\x8d\x1c\xd0\x6c\xc3");
	ck_assert(!codemap_boundary(map, GPA(edge)));
	ck_assert(codemap_boundary(map, GPA(edge + 1)));
}
END_TEST

/* Execution may come in behind a prefix: both instructions are right. */
START_TEST(entry_behind_prefix)
{
	memset(ram, 0x90, PAGE_SIZE);
	PUT(0x100, "\xf0\xff\x03\xc3");		/* lock incl (%ebx); ret */
	ck_assert_int_eq(scan(0, 0x100), 0);
	ck_assert_int_eq(scan(0, 0x101), 0);
	ck_assert(codemap_boundary(map, GPA(0x100)));
	ck_assert(codemap_boundary(map, GPA(0x101)));
}
END_TEST

/* A page whose first bytes belong to a function of the page before. */
START_TEST(starts_in_previous_page)
{
	uint32_t edge = PAGE_SIZE;

	memset(ram, 0x90, 2 * PAGE_SIZE);
	/* mov $0x9c9c9c9c, %eax across the edge; then pushf; the entry lies behind */
	PUT(edge - 2, "\xb8\x9c\x9c\x9c\x9c\x9c\xc3");
	PUT(edge + 0x40, "\x9d\xc3");
	ck_assert_int_eq(scan(edge, edge + 0x40), 2);
	IS(edge - 2, "\xb8\x9c\x9c\x9c\x9c\x6c\xc3");
	IS(edge + 0x40, "\x6d");
}
END_TEST

/* What the kernel copies: alternatives, then a catch-all with its surroundings. */
START_TEST(copies)
{
	uint32_t to = 2 * PAGE_SIZE;

	PUT(0, "\x9c\x58\xc3\xb8\x77\x00\x00\x00\xcd\x80\x90\xeb\xf6\xc3");
	section(0, 14);
	memset(ram + to, 0x90, 64);
	memcpy(ram + to, ram, 2);
	memcpy(ram + to + 2, ram + 3, 10);
	scan(to, to);
	IS(to, "\x6c\x58\xb8\x77\x00\x00\x00\x6e\x80\x90\xeb\xf6");
	ck_assert_int_eq(codemap_original(map, GPA(to + 7)), 0xcd);
	/* without a neighbourhood it stays unknown, and the byte stays */
	memset(ram + to + PAGE_SIZE, 0x90, 64);
	PUT(to + PAGE_SIZE + 8, "\x6e\x11\xc0\xc3");
	scan(to + PAGE_SIZE, to + PAGE_SIZE);
	IS(to + PAGE_SIZE + 8, "\x6e\x11\xc0\xc3");
	ck_assert_int_eq(codemap_original(map, GPA(to + PAGE_SIZE + 8)), -1);
	ck_assert_uint_gt(codemap_stats(map)->unknown, 0);
}
END_TEST

/* A byte that only looks like a copied substitute, from a wrong boundary. */
START_TEST(not_a_copy)
{
	PUT(0, "\x05\xdc\xe6\xe5\xc1\x90\x9c\xc3");	/* add $0xc1e5e6dc, %eax */
	scan(0, 3);
	scan(0, 0);
	IS(0, "\x05\xdc\xe6\xe5\xc1\x90\x6c\xc3");
}
END_TEST

/* A real outsb of load time is still known when code next to it changes. */
START_TEST(real_outs_stays)
{
	PUT(0, "\x90\x6e\x90\x90\xc3");
	section(0, 5);
	ck_assert_int_eq(codemap_original(map, GPA(1)), 0x6e);
	ram[0] = 0xf8;
	ram[2] = 0xf9;
	scan(0, 0);
	ck_assert_int_eq(codemap_original(map, GPA(1)), 0x6e);
}
END_TEST

/* BSD sigcode: copied to the user's stack, where int $0x80 has to be one. */
START_TEST(signal_trampoline)
{
	static const char code[] = "\xff\x54\x24\x10\x8d\x44\x24\x20\x50\xb8\x58\x01\x00\x00\x50"
				   "\xcd\x80\xeb\xfe";
	uint8_t user[sizeof(code) - 1];

	PUT(0x40, code);
	section(0, 0x100);
	memcpy(user, ram + 0x40, sizeof(user));
	ck_assert_int_eq(user[15], SUBST_ANY);
	ck_assert_int_eq(codemap_identify(map, user, sizeof(user), 15), 0xcd);
	codemap_restore(map, user, GPA(0x40), sizeof(user));
	ck_assert(!memcmp(user, code, sizeof(user)));
}
END_TEST

/* Two sites that look alike but are not give no answer. */
START_TEST(identify_ambiguous)
{
	PUT(0, "\x90\x90\x90\x90\x90\xcf\x90\x90\x90\x90\x90\x90\x90\x1e\x90\x90\x90\x90\x90");
	section(0, 19);
	ck_assert_int_eq(codemap_identify(map, (const uint8_t *)"\x90\x90\x90\x6e\x90\x90\x90", 7, 3), -1);
}
END_TEST

/* Alternatives: the guest replaces a pushf by a call, and back by a copy. */
START_TEST(guest_replaces_site)
{
	PUT(0, "\x55\x9c\x58\x90\x90\x90\x5d\xc3");
	section(0, 8);
	IS(0, "\x55\x6c\x58\x90");
	PUT(1, "\xe8\x10\x9c\x00\x00");
	ck_assert_int_eq(scan(0, 0), 0);
	IS(0, "\x55\xe8\x10\x9c\x00\x00\x5d\xc3");
	PUT(1, "\x6c\x58\x90\x90\x90");
	scan(0, 0);
	IS(0, "\x55\x6c\x58\x90\x90\x90\x5d\xc3");
	PUT(1, "\xfa\x9d\x90\x9c\x90");
	ck_assert_int_eq(scan(0, 0), 2);
	IS(0, "\x55\xfa\x6d\x90\x6c\x90\x5d\xc3");
	ck_assert_uint_eq(codemap_stats(map)->pages_scanned, 1);
}
END_TEST

/* Linux text_poke_bp(): int3, then the tail, then the first byte. */
START_TEST(text_poke)
{
	PUT(0, "\x55\xe9\x11\x22\x00\x00\x9c\xc3");
	section(0, 8);
	ram[1] = 0xcc;
	scan(0, 0);
	PUT(2, "\x1f\x44\x00\x00");	/* alone, 1f would be pop %ds */
	scan(0, 0);
	IS(0, "\x55\xcc\x1f\x44\x00\x00\x6c\xc3");
	ram[1] = 0x0f;
	scan(0, 0);
	IS(0, "\x55\x0f\x1f\x44\x00\x00\x6c\xc3");
}
END_TEST

/* A page is reused for other code. */
START_TEST(page_reused)
{
	memset(ram, 0x9c, PAGE_SIZE);
	ck_assert_int_eq(section(0, PAGE_SIZE), PAGE_SIZE);
	for (uint32_t i = 0; i < PAGE_SIZE; i += 4)
		PUT(i, "\xb0\x9c\x9d\x90");
	ck_assert_int_eq(scan(0, 0), PAGE_SIZE / 4);
	for (uint32_t i = 0; i < PAGE_SIZE; i += 4)
		IS(i, "\xb0\x9c\x6d\x90");
	codemap_forget(map, GPA(0), PAGE_SIZE);
	ck_assert_int_eq(codemap_original(map, GPA(0)), -1);
}
END_TEST

static uint32_t next_random(uint32_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 17;
	*x ^= *x << 5;
	return *x;
}

/* A byte that is no substitute: those stand for something else in late code. */
static uint8_t random_byte(uint32_t *seed)
{
	static const uint8_t sensitive[] = { 0x9c, 0x9d, 0x0f, 0x8c, 0x8e, 0xcf, 0x1e, 0xcd,
					     0x66, 0xf3, 0xc3, 0xcc };
	uint32_t r = next_random(seed);
	uint8_t b = (uint8_t)(r >> 8);

	if (!(r & 3))
		b = sensitive[(r >> 16) % sizeof(sensitive)];
	if ((b >= 0x6c && b <= 0x6f) || b == 0xe5 || b == 0xe7)
		return 0x90;
	return b;
}

/*
 * Whatever the guest writes and wherever it runs, with our substitutes undone
 * its memory is what it wrote.
 */
START_TEST(never_corrupts)
{
	uint8_t *wrote = malloc(RAM), *back = malloc(RAM);
	uint32_t seed = (uint32_t)_i * 7919 + 1;
	enum codemap_trust trust;

	for (uint32_t i = 0; i < RAM; i++)
		ram[i] = random_byte(&seed);
	memcpy(wrote, ram, RAM);
	ck_assert_int_ge(section(PAGE_SIZE + 100, 2 * PAGE_SIZE), 0);
	for (int i = 0; i < 3000; i++) {
		uint32_t off = next_random(&seed) % RAM, n = next_random(&seed) % 12;

		if (next_random(&seed) % 64 == 0)
			n = next_random(&seed) % 2000;
		for (uint32_t k = off; k < off + n && k < RAM; k++)
			ram[k] = wrote[k] = random_byte(&seed);
		off = (off + next_random(&seed) % 64) % RAM;
		mapped[next_random(&seed) % PAGES] = next_random(&seed) & 7;
		trust = _i & i & 1 ? CODEMAP_MIXED : CODEMAP_TEXT;
		ck_assert_int_ge(scan_as(trust, off & PAGE_MASK, off), 0);
		memcpy(back, ram, RAM);
		codemap_restore(map, back, GPA(0), RAM);
		if (memcmp(back, wrote, RAM)) {
			uint32_t k = 0;

			while (back[k] == wrote[k])
				k++;
			ck_abort_msg("round %d, offset %x: %02x, not %02x", i, k, back[k],
				     wrote[k]);
		}
	}
	free(wrote);
	free(back);
}
END_TEST

/* Beside compressed data nothing but what execution leads to is touched. */
START_TEST(mixed_page)
{
	/* pushf; jz 1f; popf; ret; 1: call 2f; cpuid; jmp *%eax */
	PUT(0x100, "\x9c\x74\x02\x9d\xc3\xe8\x13\x00\x00\x00\x0f\xa2\xff\xe0\x9c\x9d\xc3");
	PUT(0x11d, "\x8c\xd8\xc3\x55\x9c\x58\xc3");	/* 2: mov %ds, %eax; ret; another function */
	ck_assert_int_eq(follow(0x100), 4);
	IS(0x100, "\x6c\x74\x02\x6d\xc3\xe8\x13\x00\x00\x00\x6f\xa2\xff\xe0\x9c\x9d\xc3");
	IS(0x11d, "\xe5\xd8\xc3\x55\x9c\x58\xc3");
	ck_assert(codemap_boundary(map, GPA(0x11d)));
	ck_assert(!codemap_boundary(map, GPA(0x120)));
	ck_assert_int_eq(follow(0x100), 0);
	/* entered later, as through a pointer */
	ck_assert_int_eq(follow(0x120), 1);
	IS(0x120, "\x55\x6c\x58\xc3");
	/* kernel text is swept after all */
	ck_assert_int_eq(scan(0, 0x100), 2);
	IS(0x10e, "\x6c\x6d\xc3");
}
END_TEST

/* Branches and the flow itself lead to other pages, which may run by then. */
START_TEST(mixed_pages)
{
	PUT(0xff0, "\xe8\x1b\x10\x00\x00\x9c");		/* call 0x2010; pushf */
	memset(ram + 0xff6, 0x90, 9);
	PUT(0xfff, "\x8c\xd8\x9d\xc3\x9c");		/* straddles */
	PUT(0x2010, "\x9c\x58\xe9\xe9\xdf\xff\xff\x9c");	/* pushf; pop %eax; jmp 0 */
	PUT(0x0, "\x0f\xa2\xc3\x9c");
	ck_assert_int_eq(follow(0xff0), 5);
	IS(0xff5, "\x6c");
	IS(0xfff, "\xe5\xd8\x6d\xc3\x9c");
	IS(0x2010, "\x6c\x58\xe9\xe9\xdf\xff\xff\x9c");
	IS(0x0, "\x6f\xa2\xc3\x9c");
	ck_assert_int_eq(follow(0x2010), 0);
}
END_TEST

/* Data that looks like a branch to zeros. */
START_TEST(branch_to_zeros)
{
	PUT(0x100, "\x9c\xc3\x75\x0b\x9d\xc3");	/* pushf; ret; jne 0x10f; popf; ret */
	memset(ram + 0x106, 0x90, 8);
	PUT(0x10e, "\xc3\0\0\x16\x1e\x21\xc0\x90\x9c\xc3");
	ck_assert_int_ge(scan(0, 0x100), 2);
	IS(0x100, "\x6c\xc3\x75\x0b\x6d\xc3");
	/* and a gap of zeros that ends where what is scanned ends */
	PUT(0x2100, "\x9c\xc3");
	ck_assert_int_eq(section(0x2100, 5), 1);
	IS(0x2100, "\x6c\xc3\0\0\0");
}
END_TEST

/* The last function ends with a call that does not return; constants follow. */
START_TEST(mixed_page_end_of_text)
{
	PUT(0xfe0, "\x9c\xc3");			/* error: pushf; ret */
	PUT(0xff0, "\x9d\xe8\xea\xff\xff\xff");	/* popf; call error */
	PUT(0x1000, "\x10\0\0\0\x07\0\0\0\x9c\x0f\xa2");
	ck_assert_int_eq(follow(0xff0), 2);
	IS(0xfe0, "\x6c\xc3");
	IS(0x1000, "\x10\0\0\0\x07\0\0\0\x9c\x0f\xa2");
}
END_TEST

/* A vector prefix that is none: guests have no AVX, so it raises #UD, and the target behind
 * its two bytes is where code goes on. */
START_TEST(vector_before_target)
{
	PUT(0x1000, "\xeb\x02\xeb\x02\xc5\xc0\xc7\x04\x24\x35\x2e\x10\0\x9c\xc3");
	ck_assert_int_eq(section(0x1000, 15), 1);
	IS(0x1000, "\xeb\x02\xeb\x02\xc5\xc0\xc7\x04\x24\x35\x2e\x10\0\x6c\xc3");
}
END_TEST

/* More branches than one descent keeps. */
START_TEST(mixed_many_branches)
{
	uint32_t at = 0, n = 400, i;

	for (i = 0; i < n; i++) {		/* jz to function i, far down the page */
		int32_t to = (int32_t)(0xb00 + 3 * i) - (int32_t)(at + 6);

		at = PUT(at, "\x0f\x84");
		memcpy(ram + at, &to, 4);
		at += 4;
		PUT(0xb00 + 3 * i, "\x9c\xc3\x9d");
	}
	PUT(at, "\xc3\x9c");
	ck_assert_int_eq(follow(0), (int)n);
	for (i = 0; i < n; i++)
		IS(0xb00 + 3 * i, "\x6c\xc3\x9d");
	IS(at, "\xc3\x9c");
}
END_TEST

/* What is written over code before paging is on: one instruction, then all. */
START_TEST(mixed_page_changes)
{
	static uint8_t data[PAGE_SIZE];
	uint32_t i;

	PUT(0x100, "\x9c\x58\xcf\x9c\x9d");		/* pushf; pop %eax; iret */
	ck_assert_int_eq(follow(0x100), 2);
	IS(0x100, "\x6c\x58\x6e\x9c\x9d");
	PUT(0x101, "\x9d");				/* popf */
	PUT(0x103, "\x8c");				/* data, whatever it looks like */
	ck_assert_int_eq(follow(0x100), 1);
	IS(0x100, "\x6c\x6d\x6e\x8c\x9d");
	ck_assert_int_eq(codemap_original(map, GPA(0x102)), 0xcf);

	for (i = 0; i < PAGE_SIZE; i++)
		data[i] = (uint8_t)(0x9c ^ (i * 7));
	memcpy(data + 0x800, "\x9c\xc3", 2);
	memcpy(ram, data, PAGE_SIZE);
	ck_assert_int_eq(follow(0x800), 1);
	data[0x800] = 0x6c;
	ck_assert(!memcmp(ram, data, PAGE_SIZE));
	ck_assert(!codemap_boundary(map, GPA(0x100)));
	ck_assert_int_eq(codemap_original(map, GPA(0x102)), -1);
}
END_TEST

/* Other code at the same place: the old boundaries inside are not followed. */
START_TEST(mixed_page_other_code)
{
	PUT(0x100, "\x9c\x58\xc3");
	ck_assert_int_eq(follow(0x100), 1);
	PUT(0x100, "\x8c\xc8");			/* mov %cs, %eax; as of the second byte: enter */
	ck_assert_int_eq(follow(0x100), 1);
	IS(0x100, "\xe5\xc8\xc3\x00");
	ck_assert(!codemap_boundary(map, GPA(0x101)));
	PUT(0x100, "\xc3\x9c\x58");		/* less code than before */
	ck_assert_int_eq(follow(0x100), 0);
	IS(0x100, "\xc3\x9c\x58\x00");
}
END_TEST

/* A part of the page is data that comes and goes; the code in it stays known. */
START_TEST(mixed_page_with_buffer)
{
	PUT(0x100, "\x9c\x58\xcf");
	ck_assert_int_eq(follow(0x100), 2);
	memset(ram + 0x103, 0x9c, PAGE_SIZE - 0x103);
	ck_assert_int_eq(follow(0x100), 0);
	IS(0x100, "\x6c\x58\x6e\x9c");
	ck_assert_int_eq(codemap_original(map, GPA(0x102)), 0xcf);
	IS(PAGE_SIZE - 1, "\x9c");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("codemap");
	TCase *tc = tcase_create("codemap");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, substitutes);
	tcase_add_test(tc, table_in_text);
	tcase_add_test(tc, data_in_text);
	tcase_add_test(tc, table_of_descriptors);
	tcase_add_test(tc, bug_with_data);
	tcase_add_test(tc, bug_without_data);
	tcase_add_test(tc, padding);
	tcase_add_test(tc, int_in_text);
	tcase_add_test(tc, entry_wins);
	tcase_add_test(tc, target_beats_sweep);
	tcase_add_test(tc, straddles_pages);
	tcase_add_test(tc, straddles_unmapped);
	tcase_add_test(tc, straddles_misread);
	tcase_add_test(tc, entry_behind_prefix);
	tcase_add_test(tc, starts_in_previous_page);
	tcase_add_test(tc, copies);
	tcase_add_test(tc, not_a_copy);
	tcase_add_test(tc, real_outs_stays);
	tcase_add_test(tc, signal_trampoline);
	tcase_add_test(tc, identify_ambiguous);
	tcase_add_test(tc, guest_replaces_site);
	tcase_add_test(tc, text_poke);
	tcase_add_test(tc, page_reused);
	tcase_add_test(tc, mixed_page);
	tcase_add_test(tc, mixed_pages);
	tcase_add_test(tc, mixed_page_end_of_text);
	tcase_add_test(tc, vector_before_target);
	tcase_add_test(tc, branch_to_zeros);
	tcase_add_test(tc, mixed_many_branches);
	tcase_add_test(tc, mixed_page_changes);
	tcase_add_test(tc, mixed_page_other_code);
	tcase_add_test(tc, mixed_page_with_buffer);
	tcase_add_loop_test(tc, never_corrupts, 0, 4);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
