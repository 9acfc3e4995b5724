/* SPDX-License-Identifier: BSD-2-Clause */
/* The APICs in the machine: where they are, who drives them, what tells of them. */
#include "machine.h"

#include "monitor/bytes.h"

static struct vm *vm;

static void setup(void)
{
	vm = machine_new();
	vm->cfg.apic = vm->plat.apic.on = true;
	cpu_reset(vm);
	platform_reset(vm);
	vm->cpu.eflags |= FL_IF;
}

static void teardown(void)
{
	machine_free(vm);
}

static uint32_t get(uint32_t gpa)
{
	return platform_memory_in(vm, GPA(gpa), 4);
}

static void set(uint32_t gpa, uint32_t v)
{
	platform_memory_out(vm, GPA(gpa), 4, v);
}

static void set_entry(unsigned pin, uint32_t v)
{
	set(IOAPIC_BASE + IOAPIC_SELECT, IOAPIC_TABLE + 2 * pin);
	set(IOAPIC_BASE + IOAPIC_WINDOW, v);
}

static void line(unsigned irq, int level)
{
	vm->plat.pci_services.irq(vm->plat.pci_services.ctx, irq, level);
}

START_TEST(in_memory)
{
	ck_assert_uint_eq(get(LAPIC_BASE + LAPIC_VERSION), 0x00050014);
	ck_assert_uint_eq(platform_memory_in(vm, GPA(LAPIC_BASE + LAPIC_VERSION + 2), 1), 5);
	set(LAPIC_BASE + LAPIC_TPR, 0x20);
	ck_assert_uint_eq(get(LAPIC_BASE + LAPIC_TPR), 0x20);
	set(IOAPIC_BASE + IOAPIC_SELECT, IOAPIC_ID);
	ck_assert_uint_eq(get(IOAPIC_BASE + IOAPIC_WINDOW), APIC_IO_ID << 24);
	ck_assert_uint_eq(get(LAPIC_BASE + LAPIC_SIZE), 0xffffffff);
	/* Without --apic there is nothing. */
	vm->plat.apic.on = false;
	ck_assert_uint_eq(get(LAPIC_BASE + LAPIC_VERSION), 0xffffffff);
	ck_assert_uint_eq(get(IOAPIC_BASE), 0xffffffff);
}
END_TEST

/* A kernel that knows nothing of APICs has its 8259s. */
START_TEST(pic_through_lint0)
{
	platform_out(vm, 0x21, 1, 0);
	line(3, 1);
	ck_assert(platform_intr(&vm->plat));
	platform_ack(&vm->plat);
	line(3, 0);
	line(4, 1);
	platform_out(vm, 0x20, 1, 0x20);
	ck_assert(platform_intr(&vm->plat));
	set(LAPIC_BASE + LAPIC_LVT + 16 * LVT_LINT0, LAPIC_MASKED);
	ck_assert(!platform_intr(&vm->plat));
}
END_TEST

START_TEST(lines_reach_the_cpu)
{
	set_entry(14, 0x4e);
	line(14, 1);
	ck_assert(platform_intr(&vm->plat));
	ck_assert_uint_eq(platform_ack(&vm->plat), 0x4e);
	ck_assert(!platform_intr(&vm->plat));
	set(LAPIC_BASE + LAPIC_EOI, 0);
	/* The 8254 is at input 2. */
	set_entry(2, 0x42);
	line(0, 1);
	ck_assert_uint_eq(platform_ack(&vm->plat), 0x42);
	set(LAPIC_BASE + LAPIC_EOI, 0);
	/* A level comes again after its EOI. */
	set_entry(11, 0x4b | IOAPIC_LEVEL);
	line(11, 1);
	ck_assert_uint_eq(platform_ack(&vm->plat), 0x4b);
	ck_assert(!platform_intr(&vm->plat));
	set(LAPIC_BASE + LAPIC_EOI, 0);
	ck_assert_uint_eq(platform_ack(&vm->plat), 0x4b);
	line(11, 0);
	set(LAPIC_BASE + LAPIC_EOI, 0);
	ck_assert(!platform_intr(&vm->plat));
	/* NMI, SMI, INIT and ExtINT of the I/O APIC are not done; other CPUs' are not ours. */
	set_entry(5, 0x445);
	line(5, 1);
	set_entry(6, 0x46);
	set(IOAPIC_BASE + IOAPIC_SELECT, IOAPIC_TABLE + 2 * 6 + 1);
	set(IOAPIC_BASE + IOAPIC_WINDOW, 7u << 24);
	line(6, 1);
	ck_assert(!platform_intr(&vm->plat));
}
END_TEST

START_TEST(base_register)
{
	uint32_t r[4];
	uint64_t v;

	ck_assert(cpu_rdmsr(vm, 0x1b, &v));
	ck_assert_uint_eq(v, 0xfee00900);
	cpu_cpuid(vm, 1, 0, r);
	ck_assert(r[3] & F_APIC);
	ck_assert(!cpu_wrmsr(vm, 0x1b, 0x1fee00900));
	ck_assert(cpu_wrmsr(vm, 0x1b, 0xfee00100));
	ck_assert_uint_eq(get(LAPIC_BASE + LAPIC_VERSION), 0xffffffff);
	cpu_cpuid(vm, 1, 0, r);
	ck_assert(!(r[3] & F_APIC));
	vm->cfg.apic = false;
	ck_assert(!cpu_rdmsr(vm, 0x1b, &v));
}
END_TEST

static uint8_t sum(const uint8_t *p, unsigned n)
{
	uint8_t total = 0;

	while (n--)
		total += *p++;
	return total;
}

/* Each entry of the table as the specification has it. */
START_TEST(mp_table)
{
	uint8_t *p = vm->ram.base + 0xf0000, *table, *e, *end;
	unsigned count[5] = { 0 }, entries = 0;

	mptable_put(vm->ram.base, 0x673, 0x1234567);
	ck_assert_int_eq(memcmp(p, "_MP_", 4), 0);
	ck_assert_uint_eq(sum(p, 16u * p[8]), 0);
	ck_assert_uint_eq(p[11] | p[12], 0);		/* a table; no IMCR */
	table = vm->ram.base + le32(p + 4);
	ck_assert_int_eq(memcmp(table, "PCMP", 4), 0);
	ck_assert_uint_eq(sum(table, le16(table + 4)), 0);
	ck_assert_uint_eq(le32(table + 36), LAPIC_BASE);
	end = table + le16(table + 4);
	for (e = table + 44; e < end; e += e[0] ? 8 : 20, entries++) {
		ck_assert_uint_lt(e[0], 5);
		count[e[0]]++;
		if (e[0] == 0) {
			ck_assert_uint_eq(e[1], 0);
			ck_assert_uint_eq(e[3], 3);
			ck_assert_uint_eq(le32(e + 4), 0x673);
			ck_assert_uint_eq(le32(e + 8), 0x1234567);
		} else if (e[0] == 2) {
			ck_assert_uint_eq(e[1], APIC_IO_ID);
			ck_assert_uint_eq(le32(e + 4), IOAPIC_BASE);
		} else if (e[0] == 3) {
			ck_assert_uint_eq(e[6], APIC_IO_ID);
			if (e[4] == 0) {		/* PCI: INTA# of a device */
				ck_assert_uint_eq(e[5] & 3, 0);
				ck_assert_uint_eq(e[7], ((e[5] >> 2) + 3) % 4 < 2 ? 10 : 11);
				ck_assert_uint_eq(e[2], 0xf);
			} else {
				ck_assert_uint_eq(e[7], e[5] ? e[5] : 2);
				ck_assert_uint_eq(e[2], 0);
			}
		}
	}
	ck_assert_ptr_eq(e, end);
	ck_assert_uint_eq(entries, le16(table + 34));
	ck_assert(count[0] == 1 && count[1] == 2 && count[2] == 1 && count[3] == 13 + 31 &&
		  count[4] == 2);
}
END_TEST

/* What the table says of them is what firmware does. */
START_TEST(level_lines)
{
	unsigned pin;

	for (pin = 1; pin <= 4; pin++)
		ck_assert(PCI_LEVEL_IRQS >> pci_function_get(&vm->plat.pci.isa_bridge, 0x60 + pin - 1, 1)
			  & 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("apic");
	TCase *tc = tcase_create("machine");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, in_memory);
	tcase_add_test(tc, pic_through_lint0);
	tcase_add_test(tc, lines_reach_the_cpu);
	tcase_add_test(tc, base_register);
	tcase_add_test(tc, mp_table);
	tcase_add_test(tc, level_lines);
	suite_add_tcase(s, tc);
	return machine_suite(s);
}
