/* SPDX-License-Identifier: BSD-2-Clause */
#include "fakedev.h"

#include "devemu/exitport.h"
#include "devemu/pci.h"
#include "monitor/pirtable.h"

#define ADDRESS 0u		/* registers of struct pci: offsets from 0xcf8 */
#define RESET 1u
#define DATA 4u

#define CARD_DEVFN PCI_DEVFN(2, 0)
#define CARD2_DEVFN PCI_DEVFN(5, 0)	/* PIRQA: the same interrupt as slot 2's PIRQB */
#define CARD3_DEVFN PCI_DEVFN(3, 0)	/* PIRQC */

static struct pci pci;
static struct pci_function card, card2, card3;
static int line[16];
static unsigned resets, line_changes;
static struct {
	unsigned bar, reg, size;
	uint32_t v;
} last;

static void set_irq(void *ctx, unsigned irq, int level)
{
	ck_assert_ptr_eq(ctx, &pci);
	ck_assert_uint_lt(irq, 16);
	line[irq] = level;
	line_changes++;
}

static void reset(void *ctx)
{
	ck_assert_ptr_eq(ctx, &pci);
	resets++;
}

static uint32_t card_in(void *chip, unsigned bar, unsigned reg, unsigned size)
{
	ck_assert_ptr_eq(chip, &card);
	last.bar = bar;
	last.reg = reg;
	last.size = size;
	return 0x12345678;
}

static void card_out(void *chip, unsigned bar, unsigned reg, unsigned size, uint32_t v)
{
	card_in(chip, bar, reg, size);
	last.v = v;
}

/* Configuration byte 0x80 counts its reads, 0x81 the writes to 0x82. */
static void card_config_read(void *chip, unsigned reg, unsigned size)
{
	if (reg <= 0x80 && 0x80 < reg + size)
		((struct pci_function *)chip)->config[0x80]++;
}

static void card_config_written(void *chip, unsigned reg, unsigned size)
{
	if (reg <= 0x82 && 0x82 < reg + size)
		((struct pci_function *)chip)->config[0x81]++;
}

static const struct pci_ops card_ops = { card_in, card_out, card_config_read,
					 card_config_written };
static const struct pci_services services = { &pci, set_irq, reset };

static void setup(void)
{
	memset(line, 0, sizeof(line));
	resets = line_changes = 0;
	pci_init(&pci, &services);
	pci_function_init(&card, 0x1af4, 0x1001, 0x010000);
	pci_function_io_bar(&card, 0, 64);
	pci_function_io_bar(&card, 2, 256);
	card.config[PCI_INT_PIN] = 1;
	card.writable[0x82] = 0xff;
	card2 = card3 = card;
	ck_assert(pci_attach(&pci, CARD_DEVFN, &card, &card_ops, &card));
	ck_assert(pci_attach(&pci, CARD2_DEVFN, &card2, &card_ops, &card2));
	ck_assert(pci_attach(&pci, CARD3_DEVFN, &card3, &card_ops, &card3));
}

static void select_reg(unsigned devfn, unsigned reg)
{
	pci_out(&pci, ADDRESS, 4, 0x80000000u | devfn << 8 | (reg & 0xfc));
}

static uint32_t get(unsigned devfn, unsigned reg, unsigned size)
{
	select_reg(devfn, reg);
	return pci_in(&pci, DATA + (reg & 3), size);
}

static void set(unsigned devfn, unsigned reg, unsigned size, uint32_t v)
{
	select_reg(devfn, reg);
	pci_out(&pci, DATA + (reg & 3), size, v);
}

START_TEST(bridges_are_where_kernels_look)
{
	setup();
	ck_assert_uint_eq(get(0, 0, 4), 0x12378086);
	ck_assert_uint_eq(get(0, PCI_CLASS + 1, 2), 0x0600);
	ck_assert_uint_eq(get(PCI_DEVFN(1, 0), 0, 4), 0x70008086);
	ck_assert_uint_eq(get(PCI_DEVFN(1, 0), PCI_CLASS + 1, 2), 0x0601);
	ck_assert_uint_eq(get(PCI_DEVFN(1, 0), 0x0e, 1), 0x80);	/* IDE is beside it */
	ck_assert_uint_eq(get(PCI_DEVFN(1, 1), 0, 4), 0xffffffff);
	ck_assert_uint_eq(get(PCI_DEVFN(31, 7), 0, 4), 0xffffffff);
}
END_TEST

START_TEST(address_register_is_a_dword)
{
	setup();
	pci_out(&pci, ADDRESS, 4, 0xffffffff);
	ck_assert_uint_eq(pci_in(&pci, ADDRESS, 4), 0x80fffffc);
	pci_out(&pci, ADDRESS, 2, 0x1234);
	pci_out(&pci, ADDRESS + 3, 1, 0x01);	/* as Linux's type 1 probe does */
	ck_assert_uint_eq(pci_in(&pci, ADDRESS, 4), 0x80fffffc);
	ck_assert_uint_eq(pci_in(&pci, ADDRESS, 2), 0xffffffff);
	/* Not enabled, or another bus: nobody answers. */
	pci_out(&pci, ADDRESS, 4, 0);
	ck_assert_uint_eq(pci_in(&pci, DATA, 4), 0xffffffff);
	pci_out(&pci, ADDRESS, 4, 0x80010000);
	ck_assert_uint_eq(pci_in(&pci, DATA, 4), 0xffffffff);
	pci_out(&pci, DATA, 4, 0);
}
END_TEST

START_TEST(configuration_takes_bytes_words_and_dwords)
{
	setup();
	ck_assert_uint_eq(get(CARD_DEVFN, 0, 4), 0x10011af4);
	ck_assert_uint_eq(get(CARD_DEVFN, 2, 2), 0x1001);
	ck_assert_uint_eq(get(CARD_DEVFN, 1, 1), 0x1a);
	ck_assert_uint_eq(get(CARD_DEVFN, 3, 1), 0x10);
	set(CARD_DEVFN, PCI_INT_LINE, 1, 0x0b);
	set(CARD_DEVFN, PCI_COMMAND, 2, 0xffff);
	set(CARD_DEVFN, PCI_VENDOR, 4, 0);
	ck_assert_uint_eq(get(CARD_DEVFN, PCI_INT_LINE, 2), 0x010b);
	ck_assert_uint_eq(get(CARD_DEVFN, PCI_COMMAND, 2), 0x0407);
	ck_assert_uint_eq(get(CARD_DEVFN, 0, 4), 0x10011af4);
	/* Past the end of the space. */
	ck_assert_uint_eq(get(CARD_DEVFN, 0xff, 4), 0);
	set(CARD_DEVFN, 0xff, 4, 0xffffffff);
	ck_assert_uint_eq(get(CARD_DEVFN, 0xff, 1), 0);
}
END_TEST

START_TEST(function_hooks_see_configuration_accesses)
{
	setup();
	ck_assert_uint_eq(get(CARD_DEVFN, 0x80, 1), 1);
	ck_assert_uint_eq(get(CARD_DEVFN, 0x80, 4) & 0xff, 2);
	ck_assert_uint_eq(get(CARD_DEVFN, 0x84, 4), 0);
	set(CARD_DEVFN, 0x82, 1, 0x55);
	set(CARD_DEVFN, 0x84, 1, 0x55);
	ck_assert_uint_eq(get(CARD_DEVFN, 0x81, 2), 0x5501);
}
END_TEST

START_TEST(bars_tell_their_size)
{
	setup();
	set(CARD_DEVFN, PCI_BAR0, 4, 0xffffffff);
	ck_assert_uint_eq(get(CARD_DEVFN, PCI_BAR0, 4), 0xffffffc1);
	set(CARD_DEVFN, PCI_BAR0 + 8, 4, 0xffffffff);
	ck_assert_uint_eq(get(CARD_DEVFN, PCI_BAR0 + 8, 4), 0xffffff01);
	set(CARD_DEVFN, PCI_BAR0 + 4, 4, 0xffffffff);
	ck_assert_uint_eq(get(CARD_DEVFN, PCI_BAR0 + 4, 4), 0);
}
END_TEST

START_TEST(io_ranges_follow_bar_and_command)
{
	uint32_t v;

	setup();
	set(CARD_DEVFN, PCI_BAR0, 4, 0xd000);
	ck_assert(!pci_io_in(&pci, 0xd000, 1, &v));	/* not enabled yet */
	set(CARD_DEVFN, PCI_COMMAND, 2, PCI_COMMAND_IO);
	ck_assert(pci_io_in(&pci, 0xd03f, 1, &v));
	ck_assert_uint_eq(last.reg, 0x3f);
	ck_assert_uint_eq(v, 0x12345678);
	ck_assert(!pci_io_in(&pci, 0xd040, 1, &v));
	ck_assert(!pci_io_in(&pci, 0xcfff, 1, &v));
	set(CARD_DEVFN, PCI_BAR0 + 8, 4, 0xd100);
	ck_assert(pci_io_out(&pci, 0xd110, 2, 0xabcd));
	ck_assert_uint_eq(last.bar, 2);
	ck_assert_uint_eq(last.reg, 0x10);
	ck_assert_uint_eq(last.size, 2);
	ck_assert_uint_eq(last.v, 0xabcd);
	set(CARD_DEVFN, PCI_BAR0, 4, 0xffffffff);	/* being sized: decodes nothing */
	ck_assert(!pci_io_in(&pci, 0xffc0, 1, &v));
	set(CARD_DEVFN, PCI_BAR0, 4, 0);
	ck_assert(!pci_io_in(&pci, 0, 1, &v));
	set(CARD_DEVFN, PCI_COMMAND, 2, 0);
	ck_assert(!pci_io_out(&pci, 0xd110, 2, 0));
}
END_TEST

START_TEST(memory_ranges_follow_bar_and_command)
{
	uint32_t v;

	setup();
	pci_function_memory_bar(&card, 1, 4096);
	set(CARD_DEVFN, PCI_BAR0 + 4, 4, 0xffffffff);
	ck_assert_uint_eq(get(CARD_DEVFN, PCI_BAR0 + 4, 4), 0xfffff000);
	set(CARD_DEVFN, PCI_BAR0, 4, 0xd000);
	set(CARD_DEVFN, PCI_BAR0 + 4, 4, 0xfe001000);
	set(CARD_DEVFN, PCI_COMMAND, 2, PCI_COMMAND_IO);
	ck_assert(!pci_memory_in(&pci, 0xfe001000, 4, &v));	/* not enabled yet */
	set(CARD_DEVFN, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	ck_assert(!pci_io_in(&pci, 0xd000, 1, &v));
	ck_assert(pci_memory_in(&pci, 0xfe001ffc, 4, &v));
	ck_assert_uint_eq(last.bar, 1);
	ck_assert_uint_eq(last.reg, 0xffc);
	ck_assert_uint_eq(v, 0x12345678);
	ck_assert(pci_memory_out(&pci, 0xfe001002, 2, 0xabcd));
	ck_assert_uint_eq(last.reg, 2);
	ck_assert_uint_eq(last.size, 2);
	ck_assert_uint_eq(last.v, 0xabcd);
	ck_assert(!pci_memory_in(&pci, 0xfe002000, 1, &v));
	ck_assert(!pci_memory_in(&pci, 0xfe000fff, 1, &v));
	ck_assert(!pci_memory_in(&pci, 0x1fe001000, 1, &v));	/* only 32 bits are decoded */
	/* The spaces are apart: a port is not memory at its number. */
	set(CARD_DEVFN, PCI_COMMAND, 2, PCI_COMMAND_IO | PCI_COMMAND_MEMORY);
	ck_assert(!pci_memory_in(&pci, 0xd000, 1, &v));
	set(CARD_DEVFN, PCI_BAR0 + 4, 4, 0x0000d000);
	ck_assert(pci_io_in(&pci, 0xd000, 1, &v));
	ck_assert_uint_eq(last.bar, 0);
	ck_assert(pci_memory_in(&pci, 0xd000, 1, &v));
	ck_assert_uint_eq(last.bar, 1);
}
END_TEST

START_TEST(firmware_assigns_memory)
{
	const uint32_t all = PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;

	setup();
	pci_function_memory_bar(&card, 1, 256);
	pci_function_memory_bar(&card, 3, 4096);
	pci_function_memory_bar(&card2, 5, 16);
	pci_assign(&pci);
	ck_assert_uint_eq(get(CARD_DEVFN, PCI_BAR0, 4), 0xc001);
	ck_assert_uint_eq(get(CARD_DEVFN, PCI_BAR0 + 4, 4), PCI_MEMORY);
	ck_assert_uint_eq(get(CARD_DEVFN, PCI_BAR0 + 12, 4), PCI_MEMORY + 0x1000);
	ck_assert_uint_eq(get(CARD2_DEVFN, PCI_BAR0 + 20, 4), PCI_MEMORY + 0x2000);
	ck_assert_uint_eq(get(CARD_DEVFN, PCI_COMMAND, 2), all);
	ck_assert_uint_eq(get(CARD3_DEVFN, PCI_COMMAND, 2), PCI_COMMAND_IO | PCI_COMMAND_MASTER);
}
END_TEST

START_TEST(firmware_assigns_ranges_and_interrupts)
{
	uint32_t v;

	setup();
	ck_assert_uint_eq(pci_assign(&pci), 1u << 10 | 1u << 11);
	ck_assert_uint_eq(get(CARD_DEVFN, PCI_BAR0, 4), 0xc001);
	ck_assert_uint_eq(get(CARD_DEVFN, PCI_BAR0 + 8, 4), 0xc101);
	ck_assert_uint_eq(get(CARD2_DEVFN, PCI_BAR0, 4), 0xc201);
	ck_assert_uint_eq(get(CARD2_DEVFN, PCI_BAR0 + 8, 4), 0xc301);
	ck_assert_uint_eq(get(CARD_DEVFN, PCI_INT_LINE, 1), 10);
	ck_assert_uint_eq(get(CARD2_DEVFN, PCI_INT_LINE, 1), 10);
	ck_assert_uint_eq(get(CARD3_DEVFN, PCI_INT_LINE, 1), 11);
	ck_assert_uint_eq(get(CARD_DEVFN, PCI_COMMAND, 2), PCI_COMMAND_IO | PCI_COMMAND_MASTER);
	ck_assert_uint_eq(get(PCI_DEVFN(1, 0), 0x60, 4), 0x0b0b0a0a);
	ck_assert(pci_io_in(&pci, 0xc000, 4, &v));
}
END_TEST

START_TEST(functions_share_an_interrupt)
{
	setup();
	pci_assign(&pci);
	pci_intx(&pci, CARD_DEVFN, 1);
	ck_assert_int_eq(line[10], 1);
	ck_assert_uint_eq(get(CARD_DEVFN, PCI_STATUS, 1) & PCI_STATUS_INT, PCI_STATUS_INT);
	pci_intx(&pci, CARD2_DEVFN, 1);
	pci_intx(&pci, CARD_DEVFN, 0);
	ck_assert_int_eq(line[10], 1);
	ck_assert_uint_eq(get(CARD_DEVFN, PCI_STATUS, 1) & PCI_STATUS_INT, 0);
	pci_intx(&pci, CARD2_DEVFN, 0);
	ck_assert_int_eq(line[10], 0);
	ck_assert_uint_eq(line_changes, 2);
	pci_intx(&pci, CARD3_DEVFN, 1);
	ck_assert_int_eq(line[11], 1);
	pci_intx(&pci, PCI_DEVFN(30, 0), 1);	/* nobody there */
	ck_assert_uint_eq(line_changes, 3);
}
END_TEST

START_TEST(routing_and_masking_move_the_line)
{
	setup();
	pci_assign(&pci);
	pci_intx(&pci, CARD_DEVFN, 1);
	set(PCI_DEVFN(1, 0), 0x61, 1, 5);		/* PIRQB to 5 */
	ck_assert_int_eq(line[10], 0);
	ck_assert_int_eq(line[5], 1);
	set(CARD_DEVFN, PCI_COMMAND, 2, PCI_COMMAND_INTX_OFF);
	ck_assert_int_eq(line[5], 0);
	ck_assert_uint_eq(get(CARD_DEVFN, PCI_STATUS, 1) & PCI_STATUS_INT, PCI_STATUS_INT);
	set(CARD_DEVFN, PCI_COMMAND, 2, 0);
	ck_assert_int_eq(line[5], 1);
	set(PCI_DEVFN(1, 0), 0x61, 1, 0x80);		/* not routed */
	ck_assert_int_eq(line[5], 0);
	set(PCI_DEVFN(1, 0), 0x61, 1, 0x02);		/* reserved: the cascade */
	ck_assert_int_eq(line[2], 0);
}
END_TEST

/* A kernel that believes the table finds the register that moves a card's interrupt. */
START_TEST(routing_table_tells_the_truth)
{
	static uint8_t table[PIR_SIZE];
	uint8_t sum = 0;

	setup();
	pci_assign(&pci);
	pir_table(table);
	ck_assert_mem_eq(table, "$PIR\0\1", 6);
	ck_assert_uint_eq(table[6] | table[7] << 8, PIR_SIZE);
	ck_assert_uint_eq(get(table[9], 0, 4), 0x70008086);
	for (unsigned i = 0; i < PIR_SIZE; i++)
		sum += table[i];
	ck_assert_uint_eq(sum, 0);
	for (unsigned i = 0; i < PIR_SLOTS; i++) {
		const uint8_t *entry = table + 32 + 16 * i, link = entry[2];
		unsigned irqs = entry[3] | entry[4] << 8u;

		if (entry[1] != CARD_DEVFN && entry[1] != CARD2_DEVFN && entry[1] != CARD3_DEVFN)
			continue;
		pci_intx(&pci, entry[1], 1);
		ck_assert_int_eq(line[get(entry[1], PCI_INT_LINE, 1)], 1);
		ck_assert(irqs >> get(entry[1], PCI_INT_LINE, 1) & 1);
		set(table[9], link, 1, 12);
		ck_assert_int_eq(line[12], 1);
		pci_intx(&pci, entry[1], 0);
		ck_assert_int_eq(line[12], 0);
		sum++;
	}
	ck_assert_uint_eq(sum, 3);
}
END_TEST

START_TEST(reset_clears_what_was_written)
{
	uint32_t v;

	setup();
	pci_assign(&pci);
	pci_intx(&pci, CARD_DEVFN, 1);
	pci_reset(&pci);
	ck_assert_int_eq(line[10], 0);
	ck_assert(!pci_io_in(&pci, 0xc000, 1, &v));
	ck_assert_uint_eq(get(CARD_DEVFN, 0, 4), 0x10011af4);
	ck_assert_uint_eq(get(CARD_DEVFN, PCI_BAR0, 4), 1);
	ck_assert_uint_eq(get(PCI_DEVFN(1, 0), 0x60, 4), 0x80808080);
}
END_TEST

START_TEST(reset_control_register_resets_on_the_edge)
{
	setup();
	pci_out(&pci, RESET, 1, 0x02);
	ck_assert_uint_eq(resets, 0);
	pci_out(&pci, RESET, 1, 0x06);
	ck_assert_uint_eq(resets, 1);
	pci_out(&pci, RESET, 1, 0x06);
	ck_assert_uint_eq(resets, 1);
	ck_assert_uint_eq(pci_in(&pci, RESET, 1), 0x06);
}
END_TEST

START_TEST(bus_is_finite)
{
	static struct pci_function many[PCI_MAX_FUNCTIONS];

	setup();
	ck_assert(!pci_attach(&pci, CARD_DEVFN, &many[0], &card_ops, &many[0]));
	for (unsigned i = 0; i < PCI_MAX_FUNCTIONS - 5; i++)
		ck_assert(pci_attach(&pci, 0x40 + i, &many[i], &card_ops, &many[i]));
	ck_assert(!pci_attach(&pci, 0xf8, &many[30], &card_ops, &many[30]));
}
END_TEST

static uint32_t exit_value;

static void exit_service(void *ctx, uint32_t value)
{
	(void)ctx;
	exit_value = value;
}

START_TEST(exit_port_delivers_a_byte)
{
	const struct dev_services s = { .exit = exit_service };
	struct exitport port;

	exit_value = 0xffffffff;
	exitport_init(&port, &s);
	ck_assert_uint_eq(exitport_in(&port, 0, 1), 0x4c);
	exitport_out(&port, 1, 1, 7);
	ck_assert_uint_eq(exit_value, 0xffffffff);
	exitport_out(&port, 0, 1, 0);
	ck_assert_uint_eq(exit_value, 0);
	exitport_out(&port, 0, 4, 0x12a);
	ck_assert_uint_eq(exit_value, 0x2a);
}
END_TEST

FAKEDEV_MAIN("pci", bridges_are_where_kernels_look, address_register_is_a_dword,
	     configuration_takes_bytes_words_and_dwords,
	     function_hooks_see_configuration_accesses, bars_tell_their_size,
	     io_ranges_follow_bar_and_command, memory_ranges_follow_bar_and_command,
	     firmware_assigns_memory, firmware_assigns_ranges_and_interrupts,
	     functions_share_an_interrupt, routing_and_masking_move_the_line,
	     routing_table_tells_the_truth,
	     reset_clears_what_was_written, reset_control_register_resets_on_the_edge,
	     bus_is_finite, exit_port_delivers_a_byte)
