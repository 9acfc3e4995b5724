/* SPDX-License-Identifier: BSD-2-Clause */
/* The instruction at eip, where it has been patched and where it cannot be read. */
#include "machine.h"

#define VA 0x40000000u

static struct vm *vm;

static uint8_t *code_page(void *ctx, gva_t page, gpa_t *gpa)
{
	(void)ctx;
	if (page.v != VA)
		return NULL;
	*gpa = GPA(AT_CODE);
	return vm->ram.base + AT_CODE;
}

/* pushf; nop ... at VA, patched and running directly. */
static void setup(void)
{
	struct walk w;

	vm = machine_new();
	machine_paging(vm);
	machine_map(vm, vm->cpu.cr3, VA, AT_CODE, PTE_P | PTE_W | PTE_A | PTE_D);
	gmem_flush(vm);
	memset(vm->ram.base + AT_CODE, 0x90, PAGE_SIZE);
	vm->ram.base[AT_CODE] = 0x9c;
	ck_assert_int_eq(codemap_scan(vm->code, code_page, NULL, GVA(VA), GVA(VA),
				      CODEMAP_TEXT), 1);
	ck_assert_uint_ne(vm->ram.base[AT_CODE], 0x9c);
	ck_assert(mmu_probe(vm, GVA(VA), &w));
	ck_assert(view_fill(&vm->kview, VA, &w));
	view_make_exec(&vm->kview, VA, AT_CODE >> PAGE_SHIFT);
	vm->cpu.eip = VA;
}

static void teardown(void)
{
	machine_free(vm);
}

/* Changes the page-table entry of the code; the view still shows the old page. */
static void remap(uint32_t pa, uint32_t flags)
{
	machine_map(vm, vm->cpu.cr3, VA, pa, flags);
	gmem_flush(vm);
	ck_assert(view_entry(&vm->kview, VA) & VE_X);
}

START_TEST(patched)
{
	const struct insn *insn = machine_fetch(vm);

	ck_assert_int_eq(insn->kind, IK_PUSHF);
	vm->cpu.eip++;
	insn = machine_fetch(vm);
	ck_assert_int_eq(insn->kind, IK_NONE);
	ck_assert_uint_eq(insn->opcode, 0x90);
}
END_TEST

START_TEST(taken_away)
{
	struct fault f = { VEC_NONE, 0xdead, 0 };

	remap(AT_CODE, 0);
	vm->cpu.eip = VA + 5;
	ck_assert_ptr_null(fetch_insn(vm, &f));
	ck_assert_uint_eq(f.vector, VEC_PF);
	ck_assert_uint_eq(f.error & (PF_P | PF_W | PF_U), 0);
	ck_assert_uint_eq(f.cr2, VA + 5);
}
END_TEST

START_TEST(beyond_ram)
{
	struct fault f = { VEC_NONE, 0xdead, 0 };

	remap(RAM_SIZE, PTE_P | PTE_W | PTE_A | PTE_D);
	ck_assert_ptr_null(fetch_insn(vm, &f));
	ck_fault(f, VEC_UD, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fetch");
	TCase *tc = tcase_create("fetch");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, patched);
	tcase_add_test(tc, taken_away);
	tcase_add_test(tc, beyond_ram);
	suite_add_tcase(s, tc);
	return machine_suite(s);
}
