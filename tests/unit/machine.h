/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A virtual machine on the fake host, without a kernel: flat protected mode,
 * tables at fixed places, and what tests say most.
 */
#ifndef LILYVM_TEST_MACHINE_H
#define LILYVM_TEST_MACHINE_H

#include "hostos/fake/fake.h"
#include "monitor/machine.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define RAM_SIZE 0x1000000u		/* 16 MiB */

/* Guest-physical places. */
#define AT_GDT 0x1000u
#define AT_IDT 0x2000u
#define AT_TSS 0x3000u
#define AT_LDT 0x4000u
#define AT_STACK 0x8000u		/* kernel stack of the running code, grows down from here */
#define AT_STACK0 0x9000u		/* stack of level 0 in the TSS */
#define AT_CODE 0xa000u
#define AT_CR3 0x10000u			/* page directory; page tables are taken from behind it */
#define AT_HANDLERS 0xc0000u		/* handler of vector n: AT_HANDLERS + 16 * n */

/* Selectors of the GDT. */
enum {
	KCS = 0x08, KDS = 0x10, UCS = 0x1b, UDS = 0x23, SEL_TSS = 0x28, SEL_LDT = 0x30,
	SEL_ABSENT = 0x38,		/* data, not present */
	SEL_CONFORMING = 0x40,		/* code, DPL 0 */
	SEL_RO = 0x48,			/* data, read-only, DPL 3 */
	SEL_XO = 0x50,			/* code that cannot be read, DPL 0 */
	SEL_KCS_ABSENT = 0x58,
	SEL_SMALL = 0x63,		/* data, base 0x20000, limit 0xffff, DPL 3, 16-bit */
	SEL_FREE = 0x68,		/* first of three free entries */
	GDT_LIMIT = 0x7f,
};

/* Descriptor words: attr as in struct segment. */
void machine_descriptor(struct vm *vm, uint32_t table, uint16_t sel, uint32_t base, uint32_t limit,
			uint16_t attr);
/* Gate n of the IDT: type and DPL as in bits 8-14, present. */
void machine_gate(struct vm *vm, unsigned n, uint16_t sel, uint32_t off, unsigned type, unsigned dpl);

/* Paging off, CPL 0, every vector of the IDT an interrupt gate of DPL 0. */
struct vm *machine_new(void);
void machine_free(struct vm *vm);
/* Turns paging on with RAM mapped one to one for the kernel: each page writable,
 * accessed and dirty, in 4 KiB pages. */
void machine_paging(struct vm *vm);
/* An empty directory with the kernel's one-to-one half; its address. */
uint32_t machine_directory(struct vm *vm);
/* Sets the page-table entry of va in directory cr3 to pa | flags. */
void machine_map(struct vm *vm, uint32_t cr3, uint32_t va, uint32_t pa, uint32_t flags);
uint32_t *machine_pte(struct vm *vm, uint32_t cr3, uint32_t va);
/* The same with PAE, in 2 MiB pages; EFER.NXE is set. */
void machine_pae(struct vm *vm);
/* The PAE entry of va: of the page directory, or, made when it is missing, of a
 * page table. */
uint64_t *machine_pae_pde(struct vm *vm, uint32_t va);
uint64_t *machine_pae_pte(struct vm *vm, uint32_t va);
/* The level-3 state that the kernel would return to. */
void machine_user(struct vm *vm, uint32_t eip, uint32_t esp);

/* A word of guest-physical memory. */
uint32_t *machine_word(struct vm *vm, uint32_t pa);
/* Puts code at pa. */
#define machine_code(vm, pa, ...) \
	do { \
		static const uint8_t code_[] = { __VA_ARGS__ }; \
		memcpy((vm)->ram.base + (pa), code_, sizeof code_); \
	} while (0)
/* Decodes the instruction at eip. */
const struct insn *machine_fetch(struct vm *vm);

/* The mapping calls of the host since the last machine_forget(), LDT ones
 * left out, as text: "map 0 c0000000+3000 at 100000 rw", one a line. */
const char *machine_calls(void);
void machine_forget(void);

/* Scripts a run of user code. */
void machine_script(struct user_event ev, void (*change)(struct user_regs *r));

#define ck_fault(f, v, e) \
	do { \
		ck_assert_uint_eq((f).vector, (v)); \
		ck_assert_uint_eq((f).error, (e)); \
	} while (0)

/* main() of a test: runs the suite, returns the exit status. */
int machine_suite(Suite *s);

#endif
