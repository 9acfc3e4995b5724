/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A VM and a port for the debugger's protocol: registers and memory are plain
 * bytes, what is asked of the VM is noted, and the line is two buffers.  It
 * takes the place of gdb/target.c, hostos/gdbport.c and the VM at link time.
 */
#ifndef LILYVM_FAKEGDB_H
#define LILYVM_FAKEGDB_H

#include "gdb/gdb.h"
#include "gdb/target.h"

#define FAKE_MEMORY 0x4000u		/* bytes from address 0; nothing behind them */
#define FAKE_LINE (1u << 17)
#define FAKE_TEXT 256

struct vm {
	/* The machine */
	uint8_t regs[GR_COUNT][16];
	uint8_t memory[FAKE_MEMORY];
	/* What has been asked of it */
	unsigned resumes, interrupts, removed_all, inserts, removes, quits;
	enum gdb_resume how;
	uint32_t start, end;
	enum gdb_point type;
	uint32_t addr, len;
	bool any_space, refuse;		/* refuse: no point can be set */
	char command[FAKE_TEXT];	/* of target_monitor() */
	size_t answer;			/* bytes that it answers */
	/* The line */
	bool joined, told, hung_up;
	size_t chunk;			/* most bytes that one read gives; 0: all */
	const uint8_t *input;
	size_t input_left;
	uint8_t output[FAKE_LINE];
	size_t output_len;
};

/* As new, with a client on the line and a session on it. */
struct gdb *fake_session(struct vm *vm, bool wait);
/* The VM has stopped, and these bytes come in. */
void fake_stopped(struct gdb *g, struct vm *vm, enum gdb_stop why, const void *bytes, size_t n);
/* The VM runs, and these bytes come in. */
void fake_running(struct gdb *g, struct vm *vm, const void *bytes, size_t n);

#endif
