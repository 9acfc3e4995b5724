/* SPDX-License-Identifier: BSD-2-Clause */
#include "devemu/i8042.h"

#define STATUS_OBF 0x01u	/* output buffer full */
#define STATUS_SYS 0x04u	/* self test passed */
#define STATUS_CMD 0x08u	/* the last write was a command */
#define STATUS_UNLOCKED 0x10u	/* keyboard lock switch is open */

/* The command byte. */
#define CB_KBD_IRQ 0x01u
#define CB_SYS 0x04u
#define CB_KBD_OFF 0x10u
#define CB_AUX_OFF 0x20u
#define CB_TRANSLATE 0x40u

/* The output port. */
#define OUT_RUN 0x01u		/* low: the CPU is reset */
#define OUT_A20 0x02u
#define OUT_IRQ1 0x10u
#define OUT_KBD_DATA 0x80u

#define IN_UNLOCKED 0x80u	/* input port: keyboard not inhibited */

/* Controller commands. */
enum {
	CMD_READ_RAM = 0x20, CMD_WRITE_RAM = 0x60, CMD_TEST_PASSWORD = 0xa4,
	CMD_AUX_OFF = 0xa7, CMD_AUX_ON = 0xa8, CMD_AUX_TEST = 0xa9,
	CMD_SELF_TEST = 0xaa, CMD_KBD_TEST = 0xab, CMD_KBD_OFF = 0xad, CMD_KBD_ON = 0xae,
	CMD_READ_INPUT = 0xc0, CMD_READ_OUTPUT = 0xd0, CMD_WRITE_OUTPUT = 0xd1,
	CMD_WRITE_KBD_BUFFER = 0xd2, CMD_WRITE_AUX_BUFFER = 0xd3, CMD_WRITE_AUX = 0xd4,
	CMD_A20_OFF = 0xdd, CMD_A20_ON = 0xdf, CMD_READ_TEST = 0xe0, CMD_PULSE = 0xf0,
};

/* Keyboard commands and answers. */
enum {
	KBD_LEDS = 0xed, KBD_ECHO = 0xee, KBD_SCAN_SET = 0xf0, KBD_ID = 0xf2,
	KBD_RATE = 0xf3, KBD_DEFAULTS_OFF = 0xf5, KBD_DEFAULTS = 0xf6,
	KBD_KEY_TYPEMATIC = 0xfb, KBD_KEY_MAKE_RELEASE = 0xfc, KBD_KEY_MAKE = 0xfd,
	KBD_RESEND = 0xfe, KBD_RESET = 0xff,
	KBD_ACK = 0xfa, KBD_PASSED = 0xaa, KBD_ERROR = 0xfe,
};

static void update_irq(struct i8042 *k)
{
	bool level = k->full && (k->ram[0] & CB_KBD_IRQ);

	if (level != k->line) {
		k->line = level;
		k->s->irq(k->s->ctx, level);
	}
}

static void put(struct i8042 *k, uint8_t v)
{
	k->out = v;
	k->full = true;
}

/* The keyboard sends its next byte when the buffer is free and its clock runs. */
static void transfer(struct i8042 *k)
{
	if (!k->full && k->count && !(k->ram[0] & CB_KBD_OFF)) {
		put(k, k->queue[k->head]);
		k->head = (k->head + 1) % I8042_QUEUE;
		k->count--;
	}
	update_irq(k);
}

static void kbd_send(struct i8042 *k, uint8_t v)
{
	if (k->count == I8042_QUEUE)
		return;		/* as an overrun keyboard does */
	k->queue[(k->head + k->count++) % I8042_QUEUE] = v;
	k->last = v;
}

/* The byte that follows a keyboard command. */
static void kbd_argument(struct i8042 *k, uint8_t v)
{
	uint8_t command = k->kbd_command;

	k->kbd_command = 0;
	if (command == KBD_SCAN_SET && v > 3) {
		kbd_send(k, KBD_ERROR);
		return;
	}
	kbd_send(k, KBD_ACK);
	if (command == KBD_SCAN_SET && v == 0)
		kbd_send(k, k->scan_set);
	else if (command == KBD_SCAN_SET)
		k->scan_set = v;
}

static void kbd_identify(struct i8042 *k)
{
	kbd_send(k, KBD_ACK);
	kbd_send(k, 0xab);
	/* The controller translates the second byte to scan code set 1. */
	kbd_send(k, k->ram[0] & CB_TRANSLATE ? 0x41 : 0x83);
}

static void kbd_reset(struct i8042 *k)
{
	k->count = 0;
	k->scan_set = 2;
	kbd_send(k, KBD_ACK);
	kbd_send(k, KBD_PASSED);
}

static void kbd_write(struct i8042 *k, uint8_t v)
{
	k->ram[0] &= ~CB_KBD_OFF;	/* writing to the keyboard starts its clock */
	if (k->kbd_command && v < KBD_LEDS) {
		kbd_argument(k, v);
		return;
	}
	k->kbd_command = 0;		/* a command ends the one before */
	switch (v) {
	case KBD_LEDS:
	case KBD_SCAN_SET:
	case KBD_RATE:
	case KBD_KEY_MAKE_RELEASE:
	case KBD_KEY_MAKE:
	case KBD_KEY_TYPEMATIC:
		k->kbd_command = v;
		kbd_send(k, KBD_ACK);
		break;
	case KBD_ECHO:
		kbd_send(k, KBD_ECHO);
		break;
	case KBD_ID:
		kbd_identify(k);
		break;
	case KBD_RESEND:
		kbd_send(k, k->last);
		break;
	case KBD_RESET:
		kbd_reset(k);
		break;
	case KBD_DEFAULTS_OFF:
	case KBD_DEFAULTS:
		k->scan_set = 2;
		kbd_send(k, KBD_ACK);
		break;
	default:		/* F4 enable, F7-FA types of all keys; below ED there is none */
		kbd_send(k, v > KBD_SCAN_SET ? KBD_ACK : KBD_ERROR);
	}
}

/* Bit 0 of the output port is the CPU's reset line, low active. */
static void write_outport(struct i8042 *k, uint8_t v)
{
	k->outport = v;
	if (!(v & OUT_RUN))
		k->s->reset(k->s->ctx);
}

/* A command without data. */
static void run_command(struct i8042 *k, uint8_t v)
{
	if (v >= CMD_READ_RAM && v < CMD_READ_RAM + 32)
		put(k, k->ram[v & 31]);
	/* Pulses the output port's bits that are 0 in the command. */
	if (v >= CMD_PULSE && !(v & OUT_RUN))
		k->s->reset(k->s->ctx);
	switch (v) {
	case CMD_TEST_PASSWORD:
		put(k, 0xf1);		/* none is set */
		break;
	case CMD_AUX_OFF:
		k->ram[0] |= CB_AUX_OFF;
		break;
	case CMD_AUX_ON:
		k->ram[0] &= ~CB_AUX_OFF;
		break;
	case CMD_AUX_TEST:
		put(k, 0x01);		/* the clock line is stuck: no device */
		break;
	case CMD_SELF_TEST:
		k->status |= STATUS_SYS;
		k->ram[0] |= CB_SYS;
		put(k, 0x55);
		break;
	case CMD_KBD_TEST:
		put(k, 0x00);
		break;
	case CMD_KBD_OFF:
		k->ram[0] |= CB_KBD_OFF;
		break;
	case CMD_KBD_ON:
		k->ram[0] &= ~CB_KBD_OFF;
		break;
	case CMD_READ_INPUT:
		put(k, IN_UNLOCKED);
		break;
	case CMD_READ_OUTPUT:
		put(k, k->outport | (k->line ? OUT_IRQ1 : 0));
		break;
	case CMD_A20_OFF:
		k->outport &= ~OUT_A20;
		break;
	case CMD_A20_ON:
		k->outport |= OUT_A20;
		break;
	case CMD_READ_TEST:
		put(k, k->ram[0] & CB_KBD_OFF ? 0 : 1);	/* T0: the keyboard's clock */
		break;
	default:
		break;
	}
}

static bool wants_data(uint8_t v)
{
	return (v >= CMD_WRITE_RAM && v < CMD_WRITE_RAM + 32) ||
	       (v >= CMD_WRITE_OUTPUT && v <= CMD_WRITE_AUX);
}

/* The data byte of a command. */
static void run_with_data(struct i8042 *k, uint8_t command, uint8_t v)
{
	switch (command) {
	case CMD_WRITE_OUTPUT:
		write_outport(k, v);
		break;
	/* Without an auxiliary port the status never says "auxiliary data":
	 * probes see at once that the echo is not what they asked for. */
	case CMD_WRITE_AUX_BUFFER:
	case CMD_WRITE_KBD_BUFFER:
		put(k, v);
		break;
	case CMD_WRITE_AUX:
		break;			/* nobody is there */
	default:
		k->ram[command & 31] = v;
		if (command == CMD_WRITE_RAM)	/* SYS is copied to the status */
			k->status = (k->status & ~STATUS_SYS) | (v & CB_SYS);
	}
}

static void write_command(struct i8042 *k, uint8_t v)
{
	k->status |= STATUS_CMD;
	k->command = wants_data(v) ? v : 0;
	if (!k->command)
		run_command(k, v);
}

static void write_data(struct i8042 *k, uint8_t v)
{
	uint8_t command = k->command;

	k->status &= ~STATUS_CMD;
	k->command = 0;
	if (command)
		run_with_data(k, command, v);
	else
		kbd_write(k, v);
}

/* Taking a byte drops the interrupt line, so that the next one is an edge. */
static uint8_t read_data(struct i8042 *k)
{
	k->full = false;
	update_irq(k);
	return k->out;
}

static uint8_t read_byte(struct i8042 *k, unsigned reg)
{
	uint8_t v;

	if (reg == I8042_COMMAND)
		return k->status | STATUS_UNLOCKED | (k->full ? STATUS_OBF : 0);
	if (reg != I8042_DATA)
		return 0xff;
	v = read_data(k);
	transfer(k);
	return v;
}

uint32_t i8042_in(struct i8042 *k, unsigned reg, unsigned size)
{
	uint32_t v = 0;

	for (unsigned i = 0; i < size; i++)	/* ports 0x61.. are not ours */
		v |= (uint32_t)(i ? 0xff : read_byte(k, reg)) << 8 * i;
	return v;
}

void i8042_out(struct i8042 *k, unsigned reg, unsigned size, uint32_t v)
{
	(void)size;
	if (reg == I8042_COMMAND)
		write_command(k, v);
	else if (reg == I8042_DATA)
		write_data(k, v);
	transfer(k);
}

uint8_t i8042_port92_in(const struct i8042 *k)
{
	return k->outport & OUT_A20 ? PORT92_A20 : 0;
}

/* A rising bit 0 resets; it reads back as 0, for the reset clears it. */
void i8042_port92_out(struct i8042 *k, uint8_t v)
{
	k->outport = v & PORT92_A20 ? k->outport | OUT_A20 : k->outport & ~OUT_A20;
	if (v & PORT92_RESET)
		k->s->reset(k->s->ctx);
}

/* The state in which a BIOS leaves it: tested, translating, A20 on. */
void i8042_reset(struct i8042 *k)
{
	const struct dev_services *s = k->s;
	bool line = k->line;

	*k = (struct i8042){
		.s = s, .line = line, .status = STATUS_SYS, .scan_set = 2,
		.ram[0] = CB_KBD_IRQ | CB_SYS | CB_AUX_OFF | CB_TRANSLATE,
		.outport = OUT_RUN | OUT_A20 | OUT_KBD_DATA,
	};
	update_irq(k);
}

void i8042_init(struct i8042 *k, const struct dev_services *s)
{
	*k = (struct i8042){ .s = s };
	i8042_reset(k);
}
