/* SPDX-License-Identifier: BSD-2-Clause */
/* Walks of the guest's page tables. */
#include "machine.h"

#define VA 0x40123000u
#define PA 0x00345000u

static struct vm *vm;

static void setup(void)
{
	vm = machine_new();
	machine_paging(vm);
}

static void teardown(void)
{
	machine_free(vm);
}

static uint32_t *pde(void)
{
	return machine_word(vm, vm->cpu.cr3 + (VA >> 22) * 4);
}

START_TEST(paging_off_is_one_to_one)
{
	struct walk w;

	vm->cpu.cr0 &= ~CR0_PG;
	ck_assert(mmu_probe(vm, GVA(0xfee00123), &w));
	ck_assert_uint_eq(w.pa.v, 0xfee00000);
	ck_assert_ptr_null(w.leaf);
	ck_assert_uint_eq(w.flags & (PTE_P | PTE_W | PTE_U), PTE_P | PTE_W | PTE_U);
	ck_assert(mmu_allowed(vm, &w, ACC_WRITE | ACC_USER));
	mmu_mark(&w, ACC_WRITE);	/* nothing to mark */
}
END_TEST

START_TEST(small_page)
{
	struct walk w;

	machine_map(vm, vm->cpu.cr3, VA, PA, PTE_P | PTE_W | PTE_G);
	ck_assert(mmu_probe(vm, GVA(VA + 0x234), &w));
	ck_assert_uint_eq(w.pa.v, PA);
	ck_assert_uint_eq(w.flags, PTE_P | PTE_W | PTE_G);
	ck_assert_ptr_eq(w.leaf, machine_pte(vm, vm->cpu.cr3, VA));
	ck_assert_ptr_eq(w.pde, pde());
}
END_TEST

START_TEST(large_page)
{
	struct walk w;

	*pde() = 0x00400000 | PTE_PS | PTE_P | PTE_U | PTE_G;
	ck_assert(mmu_probe(vm, GVA(VA), &w));
	ck_assert_uint_eq(w.pa.v, 0x00400000 | (VA & 0x3ff000));
	ck_assert_uint_eq(w.flags, PTE_P | PTE_U | PTE_PS | PTE_G);
	ck_assert_ptr_eq(w.leaf, pde());
	mmu_mark(&w, ACC_WRITE);
	ck_assert_uint_eq(*pde(), 0x00400000 | PTE_PS | PTE_P | PTE_U | PTE_G | PTE_A | PTE_D);
}
END_TEST

/* Without CR4.PSE, bit 7 of a directory entry means nothing. */
START_TEST(pse_off)
{
	struct walk w;

	machine_map(vm, vm->cpu.cr3, VA, PA, PTE_P);
	*pde() |= PTE_PS;
	vm->cpu.cr4 &= ~CR4_PSE;
	ck_assert(mmu_probe(vm, GVA(VA), &w));
	ck_assert_uint_eq(w.pa.v, PA);
	ck_assert_uint_eq(w.flags, PTE_P);
}
END_TEST

START_TEST(pge_off)
{
	struct walk w;

	machine_map(vm, vm->cpu.cr3, VA, PA, PTE_P | PTE_G);
	vm->cpu.cr4 &= ~CR4_PGE;
	ck_assert(mmu_probe(vm, GVA(VA), &w));
	ck_assert_uint_eq(w.flags, PTE_P);
}
END_TEST

/* Both levels have to allow. */
START_TEST(rights_of_both_levels)
{
	static const uint32_t bits[] = { 0, PTE_W, PTE_U, PTE_W | PTE_U };
	uint32_t upper = bits[_i / 4], lower = bits[_i % 4], both = upper & lower;
	struct walk w;

	machine_map(vm, vm->cpu.cr3, VA, PA, PTE_P | lower);
	*pde() = (*pde() & ~(PTE_W | PTE_U)) | upper;
	ck_assert(mmu_probe(vm, GVA(VA), &w));
	ck_assert_uint_eq(w.flags & (PTE_W | PTE_U), both);
	ck_assert(mmu_allowed(vm, &w, ACC_READ));
	ck_assert_int_eq(mmu_allowed(vm, &w, ACC_WRITE), both & PTE_W ? 1 : 0);
	ck_assert_int_eq(mmu_allowed(vm, &w, ACC_USER), both & PTE_U ? 1 : 0);
	ck_assert_int_eq(mmu_allowed(vm, &w, ACC_USER | ACC_WRITE), both == (PTE_W | PTE_U));
	/* CR0.WP is for the supervisor only. */
	vm->cpu.cr0 &= ~CR0_WP;
	ck_assert(mmu_allowed(vm, &w, ACC_WRITE));
	ck_assert_int_eq(mmu_allowed(vm, &w, ACC_USER | ACC_WRITE), both == (PTE_W | PTE_U));
}
END_TEST

START_TEST(accessed_and_dirty)
{
	uint32_t *pte = machine_pte(vm, vm->cpu.cr3, VA);
	struct fault f;
	struct walk w;

	*pte = PA | PTE_P | PTE_W;
	*pde() &= ~PTE_A;
	ck_assert(mmu_probe(vm, GVA(VA), &w));
	ck_assert_uint_eq(*pte, PA | PTE_P | PTE_W);
	ck_assert(mmu_translate(vm, GVA(VA), ACC_READ, &w, &f));
	ck_assert_uint_eq(*pte, PA | PTE_P | PTE_W | PTE_A);
	ck_assert(*pde() & PTE_A);
	ck_assert(mmu_translate(vm, GVA(VA), ACC_WRITE, &w, &f));
	ck_assert_uint_eq(*pte, PA | PTE_P | PTE_W | PTE_A | PTE_D);
	ck_assert_uint_eq(w.flags & (PTE_A | PTE_D), PTE_A | PTE_D);
}
END_TEST

/* A refused access leaves no mark. */
START_TEST(refusal_marks_nothing)
{
	uint32_t *pte = machine_pte(vm, vm->cpu.cr3, VA);
	struct fault f;
	struct walk w;

	*pte = PA | PTE_P;
	ck_assert(!mmu_translate(vm, GVA(VA), ACC_WRITE, &w, &f));
	ck_assert_uint_eq(*pte, PA | PTE_P);
}
END_TEST

static const struct { uint32_t pte, how, error; } errors[] = {
	{ 0, ACC_READ, 0 },
	{ 0, ACC_WRITE, PF_W },
	{ 0, ACC_USER, PF_U },
	{ 0, ACC_USER | ACC_WRITE, PF_U | PF_W },
	{ 0, ACC_USER | ACC_EXEC, PF_U },	/* no execute-disable: the I bit stays 0 */
	{ PTE_P, ACC_WRITE, PF_P | PF_W },
	{ PTE_P, ACC_USER, PF_P | PF_U },
	{ PTE_P | PTE_W, ACC_USER | ACC_WRITE, PF_P | PF_U | PF_W },
	{ PTE_P | PTE_U, ACC_USER | ACC_WRITE, PF_P | PF_U | PF_W },
};

START_TEST(error_codes)
{
	struct fault f;
	struct walk w;

	machine_map(vm, vm->cpu.cr3, VA, PA, errors[_i].pte);
	ck_assert(!mmu_translate(vm, GVA(VA + 0x567), errors[_i].how, &w, &f));
	ck_fault(f, VEC_PF, errors[_i].error);
	ck_assert_uint_eq(f.cr2, VA + 0x567);
}
END_TEST

START_TEST(tables_beyond_ram)
{
	struct fault f;
	struct walk w;

	machine_map(vm, vm->cpu.cr3, VA, PA, PTE_P);
	*pde() = RAM_SIZE | PTE_P;
	ck_assert(!mmu_translate(vm, GVA(VA), ACC_READ, &w, &f));
	ck_fault(f, VEC_PF, 0);
	vm->cpu.cr3 = RAM_SIZE;
	ck_assert(!mmu_probe(vm, GVA(VA), &w));
	vm->cpu.cr3 = 0xfffff000;
	ck_assert(!mmu_probe(vm, GVA(VA), &w));
}
END_TEST

/* A page that is no RAM translates all the same: something else may be there. */
START_TEST(page_beyond_ram)
{
	struct walk w;

	machine_map(vm, vm->cpu.cr3, VA, 0xfee00000, PTE_P);
	ck_assert(mmu_probe(vm, GVA(VA), &w));
	ck_assert_uint_eq(w.pa.v, 0xfee00000);
}
END_TEST

/* PCD and PWT of CR3 are no part of the address. */
START_TEST(another_directory)
{
	uint32_t dir = machine_directory(vm);
	struct walk w;

	machine_map(vm, dir, VA, PA, PTE_P);
	ck_assert(!mmu_probe(vm, GVA(VA), &w));
	vm->cpu.cr3 = dir | 0x18;
	ck_assert(mmu_probe(vm, GVA(VA), &w));
	ck_assert_uint_eq(w.pa.v, PA);
}
END_TEST

/* Bits 13-21 of an entry for 4 MiB. */
START_TEST(large_page_reserved)
{
	struct fault f;
	struct walk w;

	*pde() = 0x00400000 | PTE_PS | PTE_P | 1u << _i;
	ck_assert(!mmu_translate(vm, GVA(VA), ACC_WRITE, &w, &f));
	ck_fault(f, VEC_PF, PF_P | PF_RSVD | PF_W);
}
END_TEST

/* ---- PAE ---- */

#define NX (1ull << 63)

static void setup_pae(void)
{
	vm = machine_new();
	machine_pae(vm);
}

static bool probe(uint32_t va, struct walk *w)
{
	return mmu_probe(vm, GVA(va), w);
}

START_TEST(pae_small_page)
{
	struct walk w;

	*machine_pae_pte(vm, VA) = PA | PTE_P | PTE_W | PTE_G;
	ck_assert(probe(VA + 0x234, &w));
	ck_assert_uint_eq(w.pa.v, PA);
	ck_assert_uint_eq(w.flags, PTE_P | PTE_W | PTE_G);
	ck_assert_ptr_eq(w.leaf, machine_pae_pte(vm, VA));
	ck_assert_ptr_eq(w.pde, machine_pae_pde(vm, VA));
	/* The other half of a 4 MiB range has a directory entry of its own. */
	ck_assert(!probe(VA ^ 0x200000, &w));
}
END_TEST

START_TEST(pae_large_page)
{
	struct walk w;

	*machine_pae_pde(vm, VA) = 0x00600000 | PTE_PS | PTE_P | PTE_U;
	vm->cpu.cr4 &= ~CR4_PSE;		/* does not matter */
	ck_assert(probe(VA, &w));
	ck_assert_uint_eq(w.pa.v, 0x00600000 | (VA & 0x1ff000));
	ck_assert_uint_eq(w.flags, PTE_P | PTE_U | PTE_PS);
	mmu_mark(&w, ACC_WRITE);
	ck_assert_uint_eq(*machine_pae_pde(vm, VA),
			  0x00600000 | PTE_PS | PTE_P | PTE_U | PTE_A | PTE_D);
}
END_TEST

/* Frames above 4 GiB are addresses as others, where no RAM is. */
START_TEST(pae_high_frames)
{
	struct walk w;

	*machine_pae_pte(vm, VA) = 0xf12345000ull | PTE_P | PTE_A;
	ck_assert(probe(VA, &w));
	ck_assert_uint_eq(w.pa.v, 0xf12345000ull);
	ck_assert(!view_fill(&vm->kview, VA, &w));
	*machine_pae_pde(vm, VA) = 0x100001000ull | PTE_P;
	ck_assert(!probe(VA, &w));
}
END_TEST

START_TEST(pae_marks_low_halves)
{
	uint64_t *pte = machine_pae_pte(vm, VA);
	struct fault f;
	struct walk w;

	*pte = PA | PTE_P | PTE_W | NX;
	*machine_pae_pde(vm, VA) &= ~(uint64_t)PTE_A;
	ck_assert(mmu_translate(vm, GVA(VA), ACC_WRITE, &w, &f));
	ck_assert_uint_eq(*pte, PA | PTE_P | PTE_W | PTE_A | PTE_D | NX);
	ck_assert(*machine_pae_pde(vm, VA) & PTE_A);
}
END_TEST

/* Either level forbids execution; only fetches are told so. */
START_TEST(pae_no_execute)
{
	struct fault f;
	struct walk w;

	*machine_pae_pte(vm, VA) = PA | PTE_P | (_i ? 0 : NX);
	*machine_pae_pde(vm, VA) |= _i ? NX : 0;
	ck_assert(mmu_translate(vm, GVA(VA), ACC_READ, &w, &f));
	ck_assert(w.flags & PTE_NX);
	ck_assert(!mmu_translate(vm, GVA(VA), ACC_EXEC, &w, &f));
	ck_fault(f, VEC_PF, PF_P | PF_I);
	ck_assert(!mmu_translate(vm, GVA(VA + PAGE_SIZE), ACC_EXEC, &w, &f));
	ck_fault(f, VEC_PF, PF_I);
	/* Without NXE the bit is reserved, and fetches are not told apart. */
	ck_assert(cpu_wrmsr(vm, 0xc0000080, 0));
	ck_assert(!mmu_translate(vm, GVA(VA), ACC_EXEC, &w, &f));
	ck_fault(f, VEC_PF, PF_P | PF_RSVD);
}
END_TEST

static const struct { uint64_t pde, pte; } pae_reserved[] = {
	{ 1ull << 36, 0 }, { 1ull << 62, 0 }, { 0, 1ull << 36 }, { 0, 1ull << 62 },
	{ PTE_PS | 1u << 13, 0 }, { PTE_PS | 1u << 20, 0 },
};

START_TEST(pae_reserved_bits)
{
	struct fault f;
	struct walk w;

	*machine_pae_pte(vm, VA) = PA | PTE_P | pae_reserved[_i].pte;
	if (pae_reserved[_i].pde & PTE_PS)
		*machine_pae_pde(vm, VA) = 0x400000 | PTE_P | pae_reserved[_i].pde;
	else
		*machine_pae_pde(vm, VA) |= pae_reserved[_i].pde;
	ck_assert(!mmu_translate(vm, GVA(VA), ACC_READ, &w, &f));
	ck_fault(f, VEC_PF, PF_P | PF_RSVD);
}
END_TEST

/* The four pointers are registers: memory is read when CR3 is loaded. */
START_TEST(pae_pointers_are_loaded)
{
	uint64_t *pdpt = (uint64_t *)machine_word(vm, vm->cpu.cr3);
	struct walk w;

	*machine_pae_pte(vm, VA) = PA | PTE_P;
	pdpt[VA >> 30] &= ~(uint64_t)PTE_P;
	ck_assert(probe(VA, &w));
	ck_assert(cpu_set_cr3(vm, vm->cpu.cr3));
	ck_assert(!probe(VA, &w));
	/* PGE's change loads them, DE's does not. */
	pdpt[VA >> 30] |= PTE_P;
	ck_assert(cpu_set_cr4(vm, vm->cpu.cr4 ^ CR4_DE));
	ck_assert(!probe(VA, &w));
	ck_assert(cpu_set_cr4(vm, vm->cpu.cr4 ^ CR4_PGE));
	ck_assert(probe(VA, &w));
}
END_TEST

static const uint64_t pdpte_bits[] = { PTE_W, PTE_U, PTE_A, PTE_D, PTE_PS, PTE_G, 1ull << 36, NX };

START_TEST(pae_bad_pointer)
{
	uint64_t *pdpt = (uint64_t *)machine_word(vm, vm->cpu.cr3);
	uint32_t cr3 = vm->cpu.cr3, cr4 = vm->cpu.cr4;
	struct walk w;

	pdpt[0] = 0;
	pdpt[3] |= pdpte_bits[_i];
	ck_assert(!cpu_set_cr3(vm, cr3 | 0x18));
	ck_assert_uint_eq(vm->cpu.cr3, cr3);
	ck_assert(!cpu_set_cr4(vm, cr4 ^ CR4_PGE));
	ck_assert_uint_eq(vm->cpu.cr4, cr4);
	ck_assert(probe(0, &w));
	/* What is not present may hold anything. */
	pdpt[3] &= ~(uint64_t)PTE_P;
	ck_assert(cpu_set_cr3(vm, cr3));
	ck_assert(!probe(0, &w));
	ck_assert(!cpu_set_cr3(vm, RAM_SIZE));
}
END_TEST

static TCase *pae(void)
{
	TCase *tc = tcase_create("pae");

	tcase_add_checked_fixture(tc, setup_pae, teardown);
	tcase_add_test(tc, pae_small_page);
	tcase_add_test(tc, pae_large_page);
	tcase_add_test(tc, pae_high_frames);
	tcase_add_test(tc, pae_marks_low_halves);
	tcase_add_loop_test(tc, pae_no_execute, 0, 2);
	tcase_add_loop_test(tc, pae_reserved_bits, 0, sizeof pae_reserved / sizeof *pae_reserved);
	tcase_add_test(tc, pae_pointers_are_loaded);
	tcase_add_loop_test(tc, pae_bad_pointer, 0, sizeof pdpte_bits / sizeof *pdpte_bits);
	return tc;
}

int main(void)
{
	Suite *s = suite_create("mmu");
	TCase *tc = tcase_create("walks");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, paging_off_is_one_to_one);
	tcase_add_test(tc, small_page);
	tcase_add_test(tc, large_page);
	tcase_add_test(tc, pse_off);
	tcase_add_test(tc, pge_off);
	tcase_add_loop_test(tc, rights_of_both_levels, 0, 16);
	tcase_add_test(tc, accessed_and_dirty);
	tcase_add_test(tc, refusal_marks_nothing);
	tcase_add_loop_test(tc, error_codes, 0, sizeof errors / sizeof *errors);
	tcase_add_test(tc, tables_beyond_ram);
	tcase_add_test(tc, page_beyond_ram);
	tcase_add_test(tc, another_directory);
	tcase_add_loop_test(tc, large_page_reserved, 13, 22);
	suite_add_tcase(s, tc);
	suite_add_tcase(s, pae());
	return machine_suite(s);
}
