/* SPDX-License-Identifier: BSD-2-Clause */
/* The monitor's access to guest memory, and its translations. */
#include "machine.h"

#define VA 0x40000000u
#define PA 0x00500000u
#define LEAF (PTE_P | PTE_W | PTE_U)

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

static void map(unsigned page, uint32_t pa, uint32_t flags)
{
	machine_map(vm, vm->cpu.cr3, VA + page * PAGE_SIZE, pa, flags);
}

static bool get(uint32_t va, uint32_t *v, uint32_t how, struct fault *f)
{
	return gmem_read(vm, GVA(va), v, 4, how, f);
}

static bool put(uint32_t va, uint32_t v, uint32_t how, struct fault *f)
{
	return gmem_write(vm, GVA(va), &v, 4, how, f);
}

START_TEST(ram_bounds)
{
	ck_assert_ptr_eq(gmem_ram(vm, GPA(0), RAM_SIZE), vm->ram.base);
	ck_assert_ptr_eq(gmem_ram(vm, GPA(RAM_SIZE - 1), 1), vm->ram.base + RAM_SIZE - 1);
	ck_assert_ptr_null(gmem_ram(vm, GPA(RAM_SIZE - 1), 2));
	ck_assert_ptr_null(gmem_ram(vm, GPA(RAM_SIZE), 0));
	ck_assert_ptr_null(gmem_ram(vm, GPA(0), RAM_SIZE + 1ull));
	ck_assert_ptr_null(gmem_ram(vm, GPA(1), UINT64_MAX));
	ck_assert_ptr_null(gmem_ram(vm, GPA(UINT64_MAX), 2));
}
END_TEST

START_TEST(write_and_read)
{
	struct fault f;
	uint32_t v;

	map(0, PA, LEAF);
	ck_assert(put(VA + 0x10, 0xcafe1234, ACC_READ, &f));
	ck_assert_uint_eq(*machine_word(vm, PA + 0x10), 0xcafe1234);
	ck_assert(get(VA + 0x10, &v, ACC_USER, &f));
	ck_assert_uint_eq(v, 0xcafe1234);
	ck_assert_uint_eq(*machine_pte(vm, vm->cpu.cr3, VA) & (PTE_A | PTE_D), PTE_A | PTE_D);
}
END_TEST

/* Two pages that are neighbours only in the guest's view. */
START_TEST(across_pages)
{
	uint8_t in[64], out[64];
	struct fault f;
	unsigned i;

	map(0, PA + 0x8000, LEAF);
	map(1, PA, LEAF);
	for (i = 0; i < 64; i++)
		in[i] = i;
	ck_assert(gmem_write(vm, GVA(VA + 0xff0), in, 64, ACC_USER, &f));
	ck_assert_int_eq(memcmp(vm->ram.base + PA + 0x8ff0, in, 16), 0);
	ck_assert_int_eq(memcmp(vm->ram.base + PA, in + 16, 48), 0);
	ck_assert(gmem_read(vm, GVA(VA + 0xff0), out, 64, ACC_USER, &f));
	ck_assert_int_eq(memcmp(in, out, 64), 0);
}
END_TEST

/* A write happens whole or not at all, and the fault names the first address
 * that failed. */
START_TEST(whole_or_not_at_all)
{
	struct fault f;

	map(0, PA, LEAF);
	map(1, PA + 0x1000, LEAF & ~PTE_W);
	ck_assert(!put(VA + 0xffe, 0xffffffff, ACC_USER, &f));
	ck_fault(f, VEC_PF, PF_P | PF_W | PF_U);
	ck_assert_uint_eq(f.cr2, VA + 0x1000);
	ck_assert_uint_eq(*machine_word(vm, PA + 0xffc), 0);
	map(1, 0, 0);
	ck_assert(!put(VA + 0xffe, 0xffffffff, ACC_READ, &f));
	ck_fault(f, VEC_PF, PF_W);
	ck_assert_uint_eq(f.cr2, VA + 0x1000);
	ck_assert_uint_eq(*machine_word(vm, PA + 0xffc), 0);
}
END_TEST

START_TEST(end_of_the_address_space)
{
	struct fault f;
	uint32_t v;

	machine_map(vm, vm->cpu.cr3, 0xfffff000, PA, LEAF);
	*machine_word(vm, 0) = 0x55667788;
	*machine_word(vm, PA + 0xffc) = 0x11223344;
	ck_assert(get(0xfffffffe, &v, ACC_READ, &f));
	ck_assert_uint_eq(v, 0x77881122);
}
END_TEST

START_TEST(no_ram_there)
{
	struct fault f;
	uint32_t v = 0;

	map(0, 0xfee00000, LEAF);
	ck_assert(get(VA, &v, ACC_READ, &f));
	ck_assert_uint_eq(v, 0xffffffff);
	ck_assert(put(VA, 0, ACC_READ, &f));
	/* Half in RAM. */
	map(1, PA, LEAF);
	*machine_word(vm, PA) = 0x11223344;
	ck_assert(get(VA + 0xffe, &v, ACC_READ, &f));
	ck_assert_uint_eq(v, 0x3344ffff);
	ck_assert(put(VA + 0xffe, 0xaabbccdd, ACC_READ, &f));
	ck_assert_uint_eq(*machine_word(vm, PA), 0x1122aabb);
}
END_TEST

/* A function of the bus that notes what is asked of its memory. */
static struct pci_function card;
static char seen[256];

static uint32_t card_in(void *chip, unsigned bar, unsigned reg, unsigned size)
{
	ck_assert_ptr_eq(chip, &card);
	sprintf(seen + strlen(seen), "r%u:%u+%u ", bar, reg, size);
	return 0xa0a1a2a3 + 0x04040404 * (reg / 4);
}

static void card_out(void *chip, unsigned bar, unsigned reg, unsigned size, uint32_t v)
{
	ck_assert_ptr_eq(chip, &card);
	sprintf(seen + strlen(seen), "w%u:%u+%u=%x ", bar, reg, size, v);
}

START_TEST(device_memory)
{
	static const struct pci_ops ops = { .in = card_in, .out = card_out };
	struct fault f;
	uint8_t byte = 0, bytes[7];
	uint32_t v;

	seen[0] = 0;
	pci_function_init(&card, 0x1234, 0x5678, 0xff0000);
	pci_function_memory_bar(&card, 1, 4096);
	pci_function_set(&card, PCI_BAR0 + 4, 4, 0xfd000000);
	pci_function_set(&card, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	ck_assert(pci_attach(&vm->plat.pci, PCI_DEVFN(20, 0), &card, &ops, &card));
	map(0, 0xfd000000, LEAF);
	map(1, PA, LEAF);
	ck_assert(get(VA + 8, &v, ACC_READ, &f));
	ck_assert_uint_eq(v, 0xa8a9aaab);
	ck_assert(put(VA + 4, 0xcafe1234, ACC_READ, &f));
	ck_assert(gmem_write(vm, GVA(VA + 3), &byte, 1, ACC_READ, &f));
	ck_assert_str_eq(seen, "r1:8+4 w1:4+4=cafe1234 w1:3+1=0 ");
	/* What is not aligned, or too long, comes in pieces. */
	seen[0] = 0;
	ck_assert(gmem_read(vm, GVA(VA + 1), bytes, 7, ACC_READ, &f));
	ck_assert(put(VA + 0xffe, 0x11223344, ACC_READ, &f));
	ck_assert_str_eq(seen, "r1:1+1 r1:2+2 r1:4+4 w1:4094+2=3344 ");
	ck_assert_uint_eq(*machine_word(vm, PA) & 0xffff, 0x1122);
	/* Nothing is fetched from a device, and no write begins that cannot end. */
	seen[0] = 0;
	ck_assert(get(VA, &v, ACC_EXEC, &f));
	ck_assert_uint_eq(v, 0xffffffff);
	map(1, PA, PTE_P);
	ck_assert(!put(VA + 0xffe, 0, ACC_USER, &f));
	ck_assert_str_eq(seen, "");
	ck_assert_uint_eq(vm->stats.mmio_reads, 4);
	ck_assert_uint_eq(vm->stats.mmio_writes, 3);
}
END_TEST

/* A translation that one kind of access left is none for another. */
START_TEST(rights_are_checked_each)
{
	struct fault f;
	uint32_t v;

	map(0, PA, LEAF & ~(PTE_U | PTE_W));
	ck_assert(get(VA, &v, ACC_READ, &f));
	ck_assert(!get(VA, &v, ACC_USER, &f));
	ck_fault(f, VEC_PF, PF_P | PF_U);
	ck_assert(!put(VA, 0, ACC_READ, &f));
	ck_fault(f, VEC_PF, PF_P | PF_W);
	/* The first half of a read-modify-write. */
	ck_assert(!get(VA, &v, ACC_WRITE, &f));
	ck_fault(f, VEC_PF, PF_P | PF_W);
}
END_TEST

/* As a TLB: translations live until they are flushed. */
START_TEST(invlpg)
{
	struct fault f;
	uint32_t v;

	*machine_word(vm, PA) = 1;
	*machine_word(vm, PA + 0x1000) = 2;
	map(0, PA, LEAF);
	ck_assert(get(VA, &v, ACC_READ, &f) && get(VA, &v, ACC_USER, &f));
	ck_assert(put(VA, 1, ACC_READ, &f) && put(VA, 1, ACC_USER, &f));
	map(0, PA + 0x1000, LEAF & ~PTE_W);
	gmem_flush_page(vm, GVA(VA + 0x123));
	ck_assert(get(VA, &v, ACC_READ, &f));
	ck_assert_uint_eq(v, 2);
	ck_assert(get(VA, &v, ACC_USER, &f));
	ck_assert_uint_eq(v, 2);
	ck_assert(!put(VA, 9, ACC_READ, &f));
	ck_assert(!put(VA, 9, ACC_USER, &f));
	ck_assert_uint_eq(*machine_word(vm, PA), 1);
}
END_TEST

START_TEST(cr3_load)
{
	uint32_t other = machine_directory(vm);
	struct fault f;
	uint32_t v;

	*machine_word(vm, PA + 0x1000) = 2;
	map(0, PA, LEAF);
	machine_map(vm, other, VA, PA + 0x1000, LEAF);
	ck_assert(get(VA, &v, ACC_READ, &f));
	cpu_set_cr3(vm, other);
	ck_assert(get(VA, &v, ACC_READ, &f));
	ck_assert_uint_eq(v, 2);
}
END_TEST

START_TEST(write_protection_turned_on)
{
	struct fault f;

	map(0, PA, LEAF & ~PTE_W);
	ck_assert(cpu_set_cr0(vm, vm->cpu.cr0 & ~CR0_WP));
	ck_assert(put(VA, 1, ACC_READ, &f));
	ck_assert(cpu_set_cr0(vm, vm->cpu.cr0 | CR0_WP));
	ck_assert(!put(VA, 2, ACC_READ, &f));
	ck_assert_uint_eq(*machine_word(vm, PA), 1);
}
END_TEST

/* All generations of the TLB used up. */
START_TEST(generations_wrap)
{
	struct fault f;
	uint32_t v;

	vm->tlb.generation = 1;
	map(0, PA, LEAF);
	*machine_word(vm, PA + 0x1000) = 2;
	ck_assert(get(VA, &v, ACC_READ, &f));
	map(0, PA + 0x1000, LEAF);
	vm->tlb.generation = UINT32_MAX;
	gmem_flush(vm);
	ck_assert(get(VA, &v, ACC_READ, &f));
	ck_assert_uint_eq(v, 2);
}
END_TEST

/* Translations of pages that fall on one entry of the TLB. */
START_TEST(collisions)
{
	struct fault f;
	uint32_t v, i;

	for (i = 0; i < 16; i++) {
		machine_map(vm, vm->cpu.cr3, VA + i * TLB_SIZE * PAGE_SIZE, PA + i * PAGE_SIZE, LEAF);
		*machine_word(vm, PA + i * PAGE_SIZE) = i;
	}
	for (i = 0; i < 64; i++) {
		ck_assert(get(VA + i % 16 * TLB_SIZE * PAGE_SIZE, &v, i & 16 ? ACC_USER : ACC_READ, &f));
		ck_assert_uint_eq(v, i % 16);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("guestmem");
	TCase *tc = tcase_create("guestmem");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, ram_bounds);
	tcase_add_test(tc, write_and_read);
	tcase_add_test(tc, across_pages);
	tcase_add_test(tc, whole_or_not_at_all);
	tcase_add_test(tc, end_of_the_address_space);
	tcase_add_test(tc, no_ram_there);
	tcase_add_test(tc, device_memory);
	tcase_add_test(tc, rights_are_checked_each);
	tcase_add_test(tc, invlpg);
	tcase_add_test(tc, cr3_load);
	tcase_add_test(tc, write_protection_turned_on);
	tcase_add_test(tc, generations_wrap);
	tcase_add_test(tc, collisions);
	suite_add_tcase(s, tc);
	return machine_suite(s);
}
