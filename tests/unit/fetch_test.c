/* SPDX-License-Identifier: BSD-2-Clause */
/* The instruction at eip, where it has been patched and where it cannot be read. */
#include "machine.h"

#define VA 0x40000000u

static struct vm *vm;

static uint8_t *code_page(void *ctx, gva_t page, gpa_t *gpa)
{
	(void)ctx;
	if (page.v - VA > PAGE_SIZE)
		return NULL;
	*gpa = GPA(page.v - VA + AT_CODE);
	return vm->ram.base + gpa->v;
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

/* lgdt: the operand and the table it tells of are data, in two pages here. */
START_TEST(tables_are_data)
{
	uint8_t *ram = vm->ram.base + AT_CODE;
	uint32_t base = VA + PAGE_SIZE - 4;

	machine_map(vm, vm->cpu.cr3, VA + PAGE_SIZE, AT_CODE + PAGE_SIZE, PTE_P | PTE_W | PTE_A);
	memset(ram + PAGE_SIZE, 0x90, PAGE_SIZE);
	memset(ram + PAGE_SIZE - 6, 0x9c, 10);
	ck_assert_int_eq(codemap_scan(vm->code, code_page, NULL, GVA(VA), GVA(VA), CODEMAP_TEXT), 6);
	ck_assert_int_eq(codemap_scan(vm->code, code_page, NULL, GVA(VA + PAGE_SIZE),
				      GVA(VA + PAGE_SIZE), CODEMAP_TEXT), 4);
	fetch_is_data(vm, base, 8);
	ck_assert_uint_eq(ram[PAGE_SIZE - 5], 0x6c);
	ck_assert_int_eq(memcmp(ram + PAGE_SIZE - 4, "\x9c\x9c\x9c\x9c\x9c\x9c\x9c\x9c", 8), 0);
	/* What is not mapped, or no RAM, is left out. */
	fetch_is_data(vm, 0xf0000000, 0x10000);
	remap(RAM_SIZE, PTE_P | PTE_W | PTE_A | PTE_D);
	fetch_is_data(vm, VA, 8);
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
	tcase_add_test(tc, tables_are_data);
	suite_add_tcase(s, tc);
	return machine_suite(s);
}
