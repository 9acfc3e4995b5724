/* SPDX-License-Identifier: BSD-2-Clause */
#include "monitor/insncache.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t mov_eax[16] = { 0xb8, 0x78, 0x56, 0x34, 0x12, 0x90 };	/* mov $..., %eax */
static const uint8_t nops[16] = { 0x90, 0x90, 0x90, 0x90 };

static struct insn_cache cache;

/* Looks an instruction up as fetching does. */
static const struct insn *get(uint32_t eip, const uint8_t *bytes, enum insncache_mode mode)
{
	const struct insn *found = insncache_find(&cache, eip, bytes, mode);
	struct insn insn;

	if (found)
		return found;
	insn_decode(&insn, bytes, 16, mode == INSN_16 ? 16 : 32);
	return insncache_put(&cache, eip, bytes, &insn, mode);
}

static void setup(void)
{
	memset(&cache, 0, sizeof(cache));
}

START_TEST(hit_is_the_same_entry)
{
	const struct insn *in = get(0xc0100000, mov_eax, INSN_32);

	ck_assert_uint_eq(in->opcode, 0xb8);
	ck_assert_uint_eq(in->imm, 0x12345678);
	ck_assert_uint_eq(in->len, 5);
	/* Not decoded again: a mark in the entry survives the next look-up. */
	((struct insn *)in)->imm = 7;
	ck_assert_ptr_eq(get(0xc0100000, mov_eax, INSN_32), in);
	ck_assert_uint_eq(in->imm, 7);
}
END_TEST

START_TEST(code_size_is_part_of_the_key)
{
	ck_assert_uint_eq(get(0x1000, mov_eax, INSN_32)->len, 5);
	ck_assert_uint_eq(get(0x1000, mov_eax, INSN_16)->len, 3);
	ck_assert_uint_eq(get(0x1000, mov_eax, INSN_32)->len, 5);
}
END_TEST

/* Kernel mode's sites are nothing to user mode. */
START_TEST(sites_are_part_of_the_key)
{
	ck_assert_uint_eq(get(0x1000, mov_eax, INSN_SITES)->len, 5);
	ck_assert_ptr_null(insncache_find(&cache, 0x1000, mov_eax, INSN_32));
	ck_assert_ptr_nonnull(insncache_find(&cache, 0x1000, mov_eax, INSN_SITES));
}
END_TEST

/* What lies behind the bytes that are compared may have changed. */
START_TEST(long_ones_are_not_kept)
{
	struct insn insn = { .len = 17, .imm = 7 };

	ck_assert_uint_eq(insncache_put(&cache, 0x1000, nops, &insn, INSN_SITES)->imm, 7);
	ck_assert_ptr_null(insncache_find(&cache, 0x1000, nops, INSN_SITES));
	insn.len = 16;
	ck_assert_uint_eq(insncache_put(&cache, 0x1000, nops, &insn, INSN_SITES)->imm, 7);
	ck_assert_ptr_nonnull(insncache_find(&cache, 0x1000, nops, INSN_SITES));
}
END_TEST

/* Code was changed, or another page is there now. */
START_TEST(changed_bytes_are_decoded_again)
{
	uint8_t bytes[16];
	int i;

	for (i = 0; i < 5; i++) {
		memcpy(bytes, mov_eax, sizeof(bytes));
		ck_assert_uint_eq(get(0x2000, bytes, INSN_32)->imm, 0x12345678);
		bytes[i] ^= 1;
		get(0x2000, bytes, INSN_32);
		if (i == 0)
			ck_assert_uint_eq(get(0x2000, bytes, INSN_32)->opcode, 0xb9);
		else
			ck_assert_uint_ne(get(0x2000, bytes, INSN_32)->imm, 0x12345678);
	}
}
END_TEST

/* Addresses that share an entry do not share an instruction. */
START_TEST(collisions)
{
	uint32_t a = 0x00001000, b;

	for (b = a + 1; ((a ^ a >> 12) ^ (b ^ b >> 12)) % INSNCACHE_SIZE; b++)
		;
	ck_assert_uint_eq(get(a, mov_eax, INSN_32)->opcode, 0xb8);
	ck_assert_uint_eq(get(b, nops, INSN_32)->opcode, 0x90);
	ck_assert_uint_eq(get(a, mov_eax, INSN_32)->opcode, 0xb8);
}
END_TEST

/* An empty entry has address 0 and bytes 0, which decode to add %al,(%eax). */
START_TEST(empty_is_no_hit)
{
	static const uint8_t zeros[16];
	const struct insn *in = get(0, zeros, INSN_32);

	ck_assert_uint_eq(in->len, 2);
	ck_assert_uint_eq(in->has_mem, 1);
}
END_TEST

START_TEST(no_instruction)
{
	static const uint8_t bytes[16] = { 0xfe, 0xff };

	ck_assert_uint_eq(get(0x3000, bytes, INSN_32)->cls, IC_INVALID);
	ck_assert_uint_eq(get(0x3000, bytes, INSN_32)->cls, IC_INVALID);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("insncache");
	TCase *tc = tcase_create("insncache");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, hit_is_the_same_entry);
	tcase_add_test(tc, code_size_is_part_of_the_key);
	tcase_add_test(tc, sites_are_part_of_the_key);
	tcase_add_test(tc, long_ones_are_not_kept);
	tcase_add_test(tc, changed_bytes_are_decoded_again);
	tcase_add_test(tc, collisions);
	tcase_add_test(tc, empty_is_no_hit);
	tcase_add_test(tc, no_instruction);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
