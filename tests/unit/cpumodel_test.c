/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of CPU models: names, and that what CPUID shows is what the CPU does. */
#include "machine.h"

static struct vm *vm;
static const struct cpu_model *m;

static void setup(void)
{
	vm = machine_new();
}

static void teardown(void)
{
	machine_free(vm);
}

static void use(unsigned n)
{
	m = vm->model = cpu_model_at(n);
	ck_assert_ptr_nonnull(m);
	cpu_reset(vm);
	vm->cpu.cr0 |= CR0_PE;
}

#define MODELS 5
#define LEAF(leaf) (cpu_cpuid(vm, (leaf), 0, r))

START_TEST(names)
{
	size_t n, k;

	for (n = 0; cpu_model_at(n); n++) {
		ck_assert_ptr_eq(cpu_model_find(cpu_model_at(n)->name), cpu_model_at(n));
		ck_assert_uint_gt(strlen(cpu_model_at(n)->help), 0);
		for (k = 0; k < n; k++)
			ck_assert_uint_ne(cpu_model_at(n)->signature, cpu_model_at(k)->signature);
	}
	ck_assert_uint_eq(n, MODELS);
	ck_assert_ptr_eq(cpu_model_find("686"), cpu_model_at(0));	/* the default */
	ck_assert_ptr_null(cpu_model_find("8086"));
	ck_assert_ptr_null(cpu_model_find(""));
}
END_TEST

/* A feature of the right column needs those of the left (SDM 2, CPUID; SDM 3, 4.1.4). */
static const struct { uint32_t feature, needs; } needs[] = {
	{ F_SSE2, F_SSE }, { F_SSE, F_FXSR }, { F_FXSR, F_MMX }, { F_MMX, F_FPU },
	{ F_SEP, F_MSR }, { F_PAT, F_MSR }, { F_PAE, F_CX8 }, { F_PGE, F_PSE }, { F_CMOV, F_FPU },
	{ F_CX8, F_FPU }, { F_CLFSH, F_SSE2 },
};

START_TEST(features_belong_together)
{
	size_t i;

	use((unsigned)_i);
	for (i = 0; i < sizeof needs / sizeof *needs; i++)
		if (m->edx & needs[i].feature)
			ck_assert_uint_eq(m->edx & needs[i].needs, needs[i].needs);
	if (m->nx)
		ck_assert(m->edx & F_PAE);
	if (!cpu_has_cpuid(m))
		ck_assert_uint_eq(m->edx & ~F_FPU, 0);
	/* What is done by nobody: MCE, APIC, MCA, DS, hyperthreading. */
	ck_assert_uint_eq(m->edx & (1u << 7 | F_APIC | 1u << 14 | 1u << 21 | 1u << 28), 0);
}
END_TEST

START_TEST(leaves)
{
	uint32_t r[4], last[4];

	use((unsigned)_i);
	ck_assert_uint_eq(vm->cpu.gpr[R_EDX], m->signature);
	if (!cpu_has_cpuid(m))
		return;
	LEAF(0);
	ck_assert_uint_eq(r[0], m->max_leaf);
	ck_assert_int_eq(memcmp(&r[1], "Genu", 4) | memcmp(&r[3], "ineI", 4) |
			 memcmp(&r[2], "ntel", 4), 0);
	LEAF(1);
	ck_assert_uint_eq(r[0], m->signature);
	ck_assert_uint_eq(r[3], m->edx);
	if (!m->modern)
		ck_assert_uint_eq(r[2], 0);
	/* Beyond the last leaf there is the last. */
	cpu_cpuid(vm, m->max_leaf, 0, last);
	cpu_cpuid(vm, m->max_leaf + 1, 0, r);
	ck_assert_int_eq(memcmp(r, last, sizeof r), 0);
	LEAF(0x80000000);
	ck_assert_uint_eq(r[0] >= 0x80000000, m->modern);
	if (m->modern) {
		LEAF(0x80000001);
		ck_assert_uint_eq(r[3] >> 20 & 1, m->nx);
		LEAF(0x80000008);
		ck_assert_uint_eq(r[0] & 0xff, CPU_PHYS_BITS);
	}
}
END_TEST

/* Control register bits and MSRs come with their features. */
static const struct { uint32_t feature, bit; } cr4_of[] = {
	{ F_TSC, CR4_TSD }, { F_DE, CR4_DE }, { F_PSE, CR4_PSE }, { F_PAE, CR4_PAE },
	{ F_PGE, CR4_PGE }, { F_FXSR, CR4_OSFXSR }, { F_SSE, CR4_OSXMMEXCPT },
};
static const struct { uint32_t feature, msr; } msr_of[] = {
	{ F_TSC, 0x10 }, { F_SEP, 0x174 }, { F_SEP, 0x175 }, { F_SEP, 0x176 }, { F_PAT, 0x277 },
	{ F_APIC, 0x1b },
};

START_TEST(registers)
{
	uint64_t v;
	size_t i;

	use((unsigned)_i);
	for (i = 0; i < sizeof cr4_of / sizeof *cr4_of; i++)
		ck_assert_int_eq(cpu_set_cr4(vm, cr4_of[i].bit), !!(m->edx & cr4_of[i].feature));
	ck_assert(!cpu_set_cr4(vm, 1u << 31));
	ck_assert(cpu_set_cr4(vm, 0));
	for (i = 0; i < sizeof msr_of / sizeof *msr_of; i++) {
		bool there = m->edx & msr_of[i].feature;

		ck_assert_int_eq(cpu_rdmsr(vm, msr_of[i].msr, &v), there);
		ck_assert_int_eq(cpu_wrmsr(vm, msr_of[i].msr, 0x10), there);
	}
	ck_assert_int_eq(cpu_wrmsr(vm, 0xc0000080, EFER_NXE), m->nx);
	ck_assert(!cpu_wrmsr(vm, 0xc0000080, 1));	/* no syscall */
	ck_assert(!cpu_rdmsr(vm, 0xc0000102, &v));
	/* EFLAGS.ID is there with CPUID. */
	cpu_set_flags(&vm->cpu, FL_ID, FL_ID);
	ck_assert_int_eq(!!(vm->cpu.eflags & FL_ID), cpu_has_cpuid(m));
}
END_TEST

/* Paging with PAE turned on and off by CR0 and CR4: the pointers are loaded, or the
 * change is refused. */
START_TEST(pae_on_and_off)
{
	uint64_t *pdpt;
	uint32_t pde;

	machine_pae(vm);
	pdpt = (uint64_t *)machine_word(vm, vm->cpu.cr3);
	pde = (uint32_t)pdpt[1];
	ck_assert(cpu_set_cr0(vm, vm->cpu.cr0 & ~CR0_PG));
	pdpt[1] = 0;
	ck_assert_uint_eq(vm->cpu.pdpte[1], pde);
	ck_assert(cpu_set_cr0(vm, vm->cpu.cr0 | CR0_PG));
	ck_assert_uint_eq(vm->cpu.pdpte[1], 0);
	/* A bad pointer: paging stays off. */
	ck_assert(cpu_set_cr0(vm, vm->cpu.cr0 & ~CR0_PG));
	pdpt[2] |= PTE_W;
	ck_assert(!cpu_set_cr0(vm, vm->cpu.cr0 | CR0_PG));
	ck_assert(!vcpu_paging(&vm->cpu));
	pdpt[2] &= ~(uint64_t)PTE_W;
	/* The caches' bits load them, WP does not. */
	ck_assert(cpu_set_cr0(vm, vm->cpu.cr0 | CR0_PG));
	pdpt[1] = pde;
	ck_assert(cpu_set_cr0(vm, vm->cpu.cr0 ^ CR0_WP));
	ck_assert_uint_eq(vm->cpu.pdpte[1], 0);
	ck_assert(cpu_set_cr0(vm, vm->cpu.cr0 ^ CR0_CD));
	ck_assert_uint_eq(vm->cpu.pdpte[1], pde);
	/* PG without PE, NW without CD. */
	ck_assert(!cpu_set_cr0(vm, CR0_PG));
	ck_assert(!cpu_set_cr0(vm, CR0_PE | CR0_NW));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("cpumodel");
	TCase *tc = tcase_create("models");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, names);
	tcase_add_loop_test(tc, features_belong_together, 0, MODELS);
	tcase_add_loop_test(tc, leaves, 0, MODELS);
	tcase_add_loop_test(tc, registers, 0, MODELS);
	tcase_add_test(tc, pae_on_and_off);
	suite_add_tcase(s, tc);
	return machine_suite(s);
}
