/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The exit port: one byte-wide register by which a guest ends its virtual
 * machine with an exit status of its own.  A byte written to I/O port 0x501
 * becomes the exit status of `lilyvm run`, 0 included; a read returns
 * EXITPORT_ID, by which a guest can tell that the port is there (an
 * undecoded port reads 0xff).  The port number is that of QEMU's
 * isa-debug-exit, whose status, (value << 1) | 1, can never be 0.
 */
#ifndef LILYVM_DEVEMU_EXITPORT_H
#define LILYVM_DEVEMU_EXITPORT_H

#include "devemu/devemu.h"

#define EXITPORT_BASE 0x501u
#define EXITPORT_ID 0x4cu

struct exitport {
	const struct dev_services *s;	/* exit */
};

void exitport_init(struct exitport *e, const struct dev_services *s);
void exitport_reset(struct exitport *e);
uint32_t exitport_in(struct exitport *e, unsigned reg, unsigned size);
void exitport_out(struct exitport *e, unsigned reg, unsigned size, uint32_t v);

#endif
