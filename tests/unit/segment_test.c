/* SPDX-License-Identifier: BSD-2-Clause */
/* Loads of segment registers (SDM 2, MOV; SDM 3, 3.4 and 5.5-5.6), and how the
 * host shows them. */
#include "machine.h"

#include "layout.h"

static struct vm *vm;
static struct vcpu *c;

static void setup(void)
{
	vm = machine_new();
	c = &vm->cpu;
}

static void teardown(void)
{
	machine_free(vm);
}

START_TEST(descriptor_fields)
{
	struct segment s;

	machine_descriptor(vm, AT_GDT, SEL_FREE, 0x12345678, 0xabcde, SEG_P | SEG_S | 3 | SEG_DB);
	segment_from_descriptor(&s, SEL_FREE, machine_word(vm, AT_GDT + SEL_FREE));
	ck_assert_uint_eq(s.base, 0x12345678);
	ck_assert_uint_eq(s.limit, 0xabcde);
	ck_assert_uint_eq(s.attr, SEG_P | SEG_S | 3 | SEG_DB);
	machine_descriptor(vm, AT_GDT, SEL_FREE, 0, 0xabcde, SEG_P | SEG_S | 3 | SEG_G);
	segment_from_descriptor(&s, SEL_FREE, machine_word(vm, AT_GDT + SEL_FREE));
	ck_assert_uint_eq(s.limit, 0xabcdefff);
}
END_TEST

/* What each level may load; vector 0: it succeeds. */
static const struct load {
	unsigned cpl;
	int reg;
	uint16_t sel;
	unsigned vector;
	uint32_t error;
} loads[] = {
	/* null */
	{ 0, S_DS, 0, 0, 0 }, { 3, S_GS, 3, 0, 0 }, { 0, S_SS, 0, VEC_GP, 0 }, { 3, S_SS, 3, VEC_GP, 0 },
	/* beyond the table: the whole descriptor must lie in it */
	{ 0, S_DS, GDT_LIMIT + 1, VEC_GP, GDT_LIMIT + 1 }, { 0, S_DS, 0xfff8, VEC_GP, 0xfff8 },
	{ 0, S_DS, 0x24, VEC_GP, 0x24 },
	/* data */
	{ 0, S_ES, KDS, 0, 0 }, { 0, S_ES, UDS, 0, 0 }, { 3, S_ES, UDS, 0, 0 }, { 3, S_ES, UDS & ~3, 0, 0 },
	{ 3, S_DS, KDS, VEC_GP, KDS }, { 0, S_DS, KDS | 1, VEC_GP, KDS }, { 3, S_FS, SEL_RO | 3, 0, 0 },
	{ 0, S_ES, SEL_ABSENT, VEC_NP, SEL_ABSENT },
	/* code */
	{ 0, S_DS, KCS, 0, 0 }, { 3, S_DS, UCS, 0, 0 }, { 3, S_DS, KCS, VEC_GP, KCS },
	{ 0, S_DS, SEL_XO, VEC_GP, SEL_XO }, { 3, S_DS, SEL_CONFORMING | 3, 0, 0 },
	{ 0, S_GS, SEL_KCS_ABSENT, VEC_NP, SEL_KCS_ABSENT },
	/* system */
	{ 0, S_DS, SEL_TSS, VEC_GP, SEL_TSS }, { 0, S_SS, SEL_LDT, VEC_GP, SEL_LDT },
	/* stack: writable data of exactly this level */
	{ 0, S_SS, KDS, 0, 0 }, { 3, S_SS, UDS, 0, 0 }, { 0, S_SS, UDS, VEC_GP, UDS & ~3 },
	{ 0, S_SS, KDS | 3, VEC_GP, KDS }, { 3, S_SS, KDS, VEC_GP, KDS }, { 3, S_SS, UDS & ~3, VEC_GP, UDS & ~3 },
	{ 3, S_SS, SEL_RO | 3, VEC_GP, SEL_RO }, { 0, S_SS, KCS, VEC_GP, KCS },
	{ 0, S_SS, SEL_ABSENT, VEC_SS, SEL_ABSENT },
};

START_TEST(load)
{
	const struct load *l = &loads[_i];
	struct segment before;
	struct fault f = { VEC_NONE, 0, 0 };

	if (l->cpl == 3)
		machine_user(vm, 0, 0);
	before = c->seg[l->reg];
	ck_assert_int_eq(segment_load(vm, l->reg, l->sel, &f), !l->vector);
	if (l->vector) {
		ck_fault(f, l->vector, l->error);
		ck_assert(!memcmp(&before, &c->seg[l->reg], sizeof before));
	} else {
		ck_assert_uint_eq(c->seg[l->reg].sel, l->sel);
		ck_assert_int_eq(!(c->seg[l->reg].attr & SEG_P), !(l->sel & 0xfffc));
	}
}
END_TEST

START_TEST(accessed_bit)
{
	struct fault f;

	machine_descriptor(vm, AT_GDT, SEL_FREE, 0, 0xfffff, SEG_P | SEG_S | 2 | SEG_DB | SEG_G);
	ck_assert(segment_load(vm, S_DS, SEL_FREE, &f));
	ck_assert_uint_eq(*machine_word(vm, AT_GDT + SEL_FREE + 4) & 0x100, 0x100);
	ck_assert(c->seg[S_DS].attr & 1);
}
END_TEST

/* The hidden part stays when the table changes. */
START_TEST(hidden_part)
{
	struct fault f;

	ck_assert(segment_load(vm, S_DS, SEL_SMALL, &f));
	machine_descriptor(vm, AT_GDT, SEL_SMALL, 0x99990000, 0, SEG_P | SEG_S | SEG_DPL);
	ck_assert_uint_eq(c->seg[S_DS].base, 0x20000);
	ck_assert_uint_eq(c->seg[S_DS].limit, 0xffff);
}
END_TEST

START_TEST(local_table)
{
	struct fault f;

	machine_descriptor(vm, AT_LDT, 0x0c, 0x777000, 0xfff, SEG_P | SEG_S | SEG_DPL | 3 | SEG_DB);
	ck_assert(segment_load(vm, S_DS, 0x0c, &f));
	ck_assert_uint_eq(c->seg[S_DS].base, 0x777000);
	/* Index 0 of the LDT is no null selector. */
	machine_descriptor(vm, AT_LDT, 0x04, 0x888000, 0xfff, SEG_P | SEG_S | SEG_DPL | 3 | SEG_DB);
	ck_assert(segment_load(vm, S_DS, 0x04, &f));
	ck_assert_uint_eq(c->seg[S_DS].base, 0x888000);
	ck_assert(!segment_load(vm, S_DS, 0x24, &f));
	ck_fault(f, VEC_GP, 0x24);
	/* Without an LDT. */
	c->ldtr = (struct segment){ 0, 0, 0, 0 };
	ck_assert(!segment_load(vm, S_DS, 0x0c, &f));
	ck_fault(f, VEC_GP, 0x0c);
}
END_TEST

START_TEST(table_that_is_absent)
{
	struct fault f;

	machine_paging(vm);
	c->gdtr.base = 0x80000000;
	machine_user(vm, 0, 0);
	ck_assert(!segment_load(vm, S_DS, UDS, &f));
	/* Descriptors are read as the supervisor does. */
	ck_fault(f, VEC_PF, 0);
	ck_assert_uint_eq(f.cr2, 0x80000000 + (UDS & ~3));
}
END_TEST

START_TEST(vm86)
{
	struct fault f;

	c->eflags |= FL_VM;
	ck_assert(segment_load(vm, S_SS, 0xb800, &f));
	ck_assert_uint_eq(c->seg[S_SS].base, 0xb8000);
	ck_assert_uint_eq(c->seg[S_SS].limit, 0xffff);
	ck_assert_uint_eq(c->seg[S_SS].sel, 0xb800);
}
END_TEST

/* ---- the host's side ---- */

START_TEST(flat_segments_need_no_ldt)
{
	segment_to_host(vm, vm->hc);
	ck_assert_uint_eq(vm->hc->sel[S_CS], HOST_CS32);
	ck_assert_uint_eq(vm->hc->sel[S_SS], HOST_DS32);
	ck_assert_uint_eq(vm->hc->sel[S_DS], HOST_DS32);
	ck_assert_uint_eq(fake_host()->ncalls, 0);
}
END_TEST

START_TEST(null_segments)
{
	struct fault f;

	ck_assert(segment_load(vm, S_DS, 0, &f));
	segment_to_host(vm, vm->hc);
	ck_assert_uint_eq(vm->hc->sel[S_DS], 0);
}
END_TEST

/* A per-CPU or TLS segment: a base is all it needs. */
START_TEST(based_segments)
{
	struct fault f;

	machine_descriptor(vm, AT_GDT, SEL_FREE, 0x12345000, 0xfffff, SEG_P | SEG_S | 3 | SEG_DB | SEG_G);
	ck_assert(segment_load(vm, S_FS, SEL_FREE, &f));
	segment_to_host(vm, vm->hc);
	ck_assert_uint_eq(vm->hc->sel[S_FS], HOST_DS32);
	ck_assert_uint_eq(vm->hc->fsbase, 0x12345000);
	ck_assert_uint_eq(fake_host()->ncalls, 0);
	/* A host without FSGSBASE. */
	vm->hc->has_bases = 0;
	segment_to_host(vm, vm->hc);
	ck_assert_uint_eq(vm->hc->sel[S_FS], S_FS * 8 + 7);
	ck_assert_uint_eq(fake_host()->ncalls, 1);
	ck_assert_uint_eq(fake_host()->calls[0].segment.base, 0x12345000);
}
END_TEST

/* One call a change, not one an entry. */
START_TEST(limited_segments)
{
	const struct fake_call *call = fake_host()->calls;
	struct fault f;

	ck_assert(segment_load(vm, S_ES, SEL_SMALL, &f));
	segment_to_host(vm, vm->hc);
	segment_to_host(vm, vm->hc);
	ck_assert_uint_eq(vm->hc->sel[S_ES], S_ES * 8 + 7);
	ck_assert_uint_eq(fake_host()->ncalls, 1);
	ck_assert_uint_eq(call->op, FAKE_LDT);
	ck_assert_uint_eq(call->va, S_ES);
	ck_assert_uint_eq(call->segment.base, 0x20000);
	ck_assert_uint_eq(call->segment.limit, 0xffff);
	ck_assert(segment_load(vm, S_ES, KDS, &f));
	segment_to_host(vm, vm->hc);
	ck_assert_uint_eq(vm->hc->sel[S_ES], HOST_DS32);
	ck_assert_uint_eq(fake_host()->ncalls, 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("segment");
	TCase *tc = tcase_create("segments");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, descriptor_fields);
	tcase_add_loop_test(tc, load, 0, sizeof loads / sizeof *loads);
	tcase_add_test(tc, accessed_bit);
	tcase_add_test(tc, hidden_part);
	tcase_add_test(tc, local_table);
	tcase_add_test(tc, table_that_is_absent);
	tcase_add_test(tc, vm86);
	tcase_add_test(tc, flat_segments_need_no_ldt);
	tcase_add_test(tc, null_segments);
	tcase_add_test(tc, based_segments);
	tcase_add_test(tc, limited_segments);
	suite_add_tcase(s, tc);
	return machine_suite(s);
}
