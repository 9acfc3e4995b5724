/* SPDX-License-Identifier: BSD-2-Clause */
#include "devemu/eeprom93c46.h"

#define COMMAND_BITS 9u			/* start bit, opcode, address */

enum { OP_EXTENDED = 0, OP_WRITE = 1, OP_READ = 2, OP_ERASE = 3 };
/* The two address bits that tell the extended commands apart. */
enum { EWDS = 0, WRAL = 1, ERAL = 2, EWEN = 3 };

static unsigned opcode(const struct eeprom93c46 *e)
{
	return e->command >> 6 & 3;
}

static unsigned extended(const struct eeprom93c46 *e)
{
	return e->command >> 4 & 3;
}

static uint16_t *addressed(struct eeprom93c46 *e)
{
	return &e->word[e->command % EEPROM93C46_WORDS];
}

static bool takes_data(const struct eeprom93c46 *e)
{
	return opcode(e) == OP_WRITE || (opcode(e) == OP_EXTENDED && extended(e) == WRAL);
}

static void fill(struct eeprom93c46 *e, uint16_t v)
{
	if (opcode(e) != OP_EXTENDED)
		*addressed(e) = v;
	else
		for (unsigned i = 0; i < EEPROM93C46_WORDS; i++)
			e->word[i] = v;
}

/* The command is complete. */
static void begin(struct eeprom93c46 *e)
{
	e->data_bits = 0;
	e->data = *addressed(e);
	e->data_out = opcode(e) != OP_READ;	/* a read begins with a 0 */
	if (opcode(e) == OP_ERASE || (opcode(e) == OP_EXTENDED && extended(e) == ERAL)) {
		if (e->writable)
			fill(e, 0xffff);
	} else if (opcode(e) == OP_EXTENDED && (extended(e) == EWEN || extended(e) == EWDS)) {
		e->writable = extended(e) == EWEN;
	}
}

static void read_bit(struct eeprom93c46 *e)
{
	/* Reading goes on with the next word. */
	if (e->data_bits == 16) {
		e->command = (uint16_t)((e->command & ~63u) | ((e->command + 1) & 63));
		e->data = *addressed(e);
		e->data_bits = 0;
	}
	e->data_out = e->data >> 15;
	e->data = (uint16_t)(e->data << 1);
	e->data_bits++;
}

static void write_bit(struct eeprom93c46 *e, bool bit)
{
	if (e->data_bits == 16)
		return;
	e->data = (uint16_t)(e->data << 1 | bit);
	if (++e->data_bits == 16 && e->writable)
		fill(e, e->data);
}

static void clock_edge(struct eeprom93c46 *e, bool bit)
{
	if (e->command_bits == COMMAND_BITS) {
		if (opcode(e) == OP_READ)
			read_bit(e);
		else if (takes_data(e))
			write_bit(e, bit);
	} else if (e->command_bits || bit) {	/* zeros before the start bit */
		e->command = (uint16_t)(e->command << 1 | bit);
		if (++e->command_bits == COMMAND_BITS)
			begin(e);
	}
}

bool eeprom93c46_lines(struct eeprom93c46 *e, bool cs, bool sk, bool data_in)
{
	if (!cs || !e->cs) {
		e->command_bits = 0;
		e->command = 0;
		e->data_out = true;		/* not busy */
	}
	if (cs && e->cs && sk && !e->sk)
		clock_edge(e, data_in);
	e->cs = cs;
	e->sk = sk;
	return e->data_out;
}
