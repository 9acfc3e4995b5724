/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The i8042 keyboard controller of a PC, without an auxiliary (mouse) port,
 * with a keyboard whose keys are never pressed; and port 0x92 (IBM AT and PS/2
 * Technical References: keyboard controller, keyboard, system control port A).
 */
#ifndef LILYVM_I8042_H
#define LILYVM_I8042_H

#include "devemu/devemu.h"

/* Registers: ports 0x60 and 0x64. */
enum { I8042_DATA = 0, I8042_COMMAND = 1 };

#define I8042_QUEUE 16u

/* Bits of port 0x92. */
#define PORT92_RESET 0x01u
#define PORT92_A20 0x02u

struct i8042 {
	const struct dev_services *s;
	uint8_t status;			/* SYS and CMD; the rest is computed */
	uint8_t ram[32];		/* byte 0: the command byte */
	uint8_t outport;
	uint8_t command;		/* controller command that waits for its data, or 0 */
	bool full;			/* the output buffer holds a byte */
	uint8_t out;			/* that byte, or the last one */
	bool line;			/* level of the interrupt line */
	/* The keyboard. */
	uint8_t kbd_command;		/* keyboard command that waits for its data, or 0 */
	uint8_t scan_set;		/* 1..3 */
	uint8_t last;			/* last byte sent, for resend */
	uint8_t queue[I8042_QUEUE];	/* bytes on their way to the controller */
	unsigned head, count;
};

/* Uses the services irq (IRQ1) and reset. */
void i8042_init(struct i8042 *k, const struct dev_services *s);
void i8042_reset(struct i8042 *k);
/* reg is I8042_DATA or I8042_COMMAND (reads: status). */
uint32_t i8042_in(struct i8042 *k, unsigned reg, unsigned size);
void i8042_out(struct i8042 *k, unsigned reg, unsigned size, uint32_t v);

/* Port 0x92: A20 gate and fast reset. */
uint8_t i8042_port92_in(const struct i8042 *k);
void i8042_port92_out(struct i8042 *k, uint8_t v);

#endif
