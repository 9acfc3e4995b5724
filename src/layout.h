/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every fixed address, for C and assembler.
 *
 *   The VM's process                          a child (guest user mode)
 *
 *   2^47 +----------------------------+       +----------------------------+
 *        | monitor: text, heap,       |       | nothing                    |
 *        | stacks, guest RAM alias    |       +----------------------------+
 *        |                            |       | control pages (read-only)  | CHILD_CONTROL
 *        |                            |       | stub page                  | CHILD_STUB
 *   2^32 +----------------------------+       +----------------------------+ 2^32
 *        |                            |       | ... CHILD_GATE, one page   |
 *        | guest-virtual addresses    |       | guest user pages of one    |
 *        | as the guest kernel sees   |       | guest address space, and   |
 *        | them, mapped on demand     |       | nothing else               |
 *   min  +----------------------------+       +----------------------------+
 *   0    | vm.mmap_min_addr: cannot be mapped; accesses are interpreted    |
 *        +-----------------------------------------------------------------+
 */
#ifndef LILYVM_LAYOUT_H
#define LILYVM_LAYOUT_H

/* Everything below belongs to the guest. */
#define LOW_END 0x100000000

/* In a child, unreachable for 32-bit code. */
#define CHILD_STUB 0x200000000
#define CHILD_CONTROL 0x200001000
#define CHILD_CONTROL_SIZE 0x4000
#define CHILD_END 0x200005000
/* The way from a copy of a guest's vdso to the stub: where no guest that has a vdso has
 * user pages. */
#define CHILD_GATE 0xffff0000
/* The descriptor of guest RAM in a child. */
#define CHILD_RAM_FD 3

/* Host selectors on x86-64 Unix hosts (Linux: arch/x86/include/asm/segment.h). */
#define HOST_CS32 0x23
#define HOST_DS32 0x2b
#define HOST_CS64 0x33

/* The signal stack block: struct host_cpu at its start, found by masking rsp. */
#define SIGSTACK_SIZE 0x20000

#endif
