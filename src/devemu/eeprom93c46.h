/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A 93C46 serial EEPROM, 64 words of 16 bits (Microchip 93C46B data sheet): a chip
 * select, a clock, a line in and a line out.  A command is a start bit, two bits of
 * opcode and six of address, highest first.
 */
#ifndef LILYVM_DEVEMU_EEPROM93C46_H
#define LILYVM_DEVEMU_EEPROM93C46_H

#include <stdbool.h>
#include <stdint.h>

#define EEPROM93C46_WORDS 64u

struct eeprom93c46 {
	uint16_t word[EEPROM93C46_WORDS];
	bool writable;			/* EWEN has been given */
	bool cs, sk, data_out;		/* the lines */
	uint8_t command_bits;		/* of start bit, opcode and address: how many came */
	uint16_t command;
	uint8_t data_bits;		/* of what is read or written: how many passed */
	uint16_t data;
};

/* The lines in as they are now; the result is the line out. */
bool eeprom93c46_lines(struct eeprom93c46 *e, bool cs, bool sk, bool data_in);

#endif
