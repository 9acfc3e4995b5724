/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the debugger's protocol (packet.c) may ask of a VM, and how it learns
 * that the VM stopped.  All calls come on the VM's thread while it is stopped,
 * unless said otherwise.
 */
#ifndef LILYVM_GDB_TARGET_H
#define LILYVM_GDB_TARGET_H

#include "types.h"

#include <stdio.h>

struct vm;

/* Registers in the order of the target description (packet.c writes the XML
 * from the same list): the i386 core, x87, SSE, and a feature of ours. */
enum gdb_reg {
	GR_EAX, GR_ECX, GR_EDX, GR_EBX, GR_ESP, GR_EBP, GR_ESI, GR_EDI, GR_EIP, GR_EFLAGS,
	GR_CS, GR_SS, GR_DS, GR_ES, GR_FS, GR_GS,
	GR_ST0, GR_ST7 = GR_ST0 + 7,			/* 10 bytes each */
	GR_FCTRL, GR_FSTAT, GR_FTAG, GR_FISEG, GR_FIOFF, GR_FOSEG, GR_FOOFF, GR_FOP,
	GR_XMM0, GR_XMM7 = GR_XMM0 + 7,			/* 16 bytes each */
	GR_MXCSR,
	GR_CR0, GR_CR2, GR_CR3, GR_CR4, GR_FS_BASE, GR_GS_BASE, GR_GDTR_BASE, GR_GDTR_LIMIT,
	GR_IDTR_BASE, GR_IDTR_LIMIT, GR_COUNT
};

/* Size of a register in bytes: 4, 10 or 16. */
unsigned target_reg_size(unsigned reg);
/* Guest view of a register; writes take effect at the next resume. */
void target_reg_read(struct vm *vm, unsigned reg, uint8_t *buf);
bool target_reg_write(struct vm *vm, unsigned reg, const uint8_t *buf);

/* Memory at a linear address through the current page tables, without touching
 * A and D bits and with the guest's own bytes where LilyVM patched; returns how
 * many bytes could be read or written.  physical: at a guest-physical address. */
size_t target_mem_read(struct vm *vm, uint64_t addr, uint8_t *buf, size_t n, bool physical);
size_t target_mem_write(struct vm *vm, uint64_t addr, const uint8_t *buf, size_t n, bool physical);

/* Z0..Z4 of the protocol. */
enum gdb_point { GP_SOFTWARE, GP_HARDWARE, GP_WRITE, GP_READ, GP_ACCESS };
/* any_space: in every address space; else user addresses only while the CR3 of
 * now is loaded.  False: no room, or a bad argument. */
bool target_insert(struct vm *vm, enum gdb_point type, uint32_t addr, uint32_t len, bool any_space);
bool target_remove(struct vm *vm, enum gdb_point type, uint32_t addr, uint32_t len);
void target_remove_all(struct vm *vm);

/* Why the VM stopped. */
enum gdb_stop { GS_NONE, GS_INTERRUPT, GS_STEP, GS_BREAK, GS_WATCH, GS_DIED, GS_ENDED };
struct gdb_stop_info {
	enum gdb_stop why;
	enum gdb_point point;		/* GS_BREAK, GS_WATCH */
	uint32_t addr;			/* GS_WATCH: the watched address that was hit */
	int status;			/* GS_DIED: ST_TRIPLE, ST_LIMIT or ST_PANIC;
					   GS_ENDED: exit status */
	const char *reason;		/* GS_DIED: a line of text; the guest can be looked at,
					   but does not go on */
};

/* Resuming: go on, step one guest instruction, or step while eip is in
 * [start, end). Returns at once; the run loop goes on after the caller. */
enum gdb_resume { GDB_CONTINUE, GDB_STEP, GDB_RANGE };
void target_resume(struct vm *vm, enum gdb_resume how, uint32_t start, uint32_t end);
/* Asks for a stop; from any thread. */
void target_interrupt(struct vm *vm);

/* `monitor` commands: info registers|mmu|irq|devices|stats, mmu ADDR, phys ADDR
 * LEN, trace LIST|off, reset, quit, help. */
void target_monitor(struct vm *vm, const char *command, FILE *out);

/* ---- the protocol's side, called by the run loop (gdb.c, packet.c) ---- */

struct gdb;
/* The VM is stopped for *why: tells the debugger and serves it until it
 * resumes (target_resume() was called) or detaches. */
void gdb_stopped(struct gdb *g, const struct gdb_stop_info *why);
/* Input may have arrived while the guest runs (Ctrl-C, a new connection). */
void gdb_poll(struct gdb *g);

#endif
