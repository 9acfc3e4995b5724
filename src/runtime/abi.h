/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The runtime window: our own 32-bit code and data in the guest kernel's
 * address space, at an address that the guest leaves free (Linux: reservetop=).
 *
 *   WINDOW_START + 0x0000   RT_IF: the virtual interrupt flag, alone in its page.
 *                           cli and sti are stores to it; while an interrupt is
 *                           pending the page is read-only, so that sti traps
 *                  0x1000   RT_SEL: the guest's selectors, es cs ss ds fs gs;
 *                           what the gate needs
 *                  0x2000   RT_GATE: 64-bit code that leaves to the monitor
 *                  0x3000   trampolines (src/monitor/trampoline.c)
 */
#ifndef LILYVM_RUNTIME_ABI_H
#define LILYVM_RUNTIME_ABI_H

#define WINDOW_START 0xff000000u
/* Without the last page, where error pointers point. */
#define WINDOW_SIZE 0xfff000u
/* What is asked of Linux to leave free, bytes. */
#define WINDOW_RESERVE 0x1000000u

/* What has to be added to the real flags, whose IF is always set. */
#define RT_IF (WINDOW_START)
#define RT_IF_SET 0u
#define RT_IF_CLEAR (0u - 0x200u)
#define RT_SEL(reg) (WINDOW_START + 0x1000u + 4u * (reg))
/* The gate: a trampoline stores the guest's eip in RT_EXIT and jumps far to
 * RT_GATE, whose code saves the registers and returns from host_enter(). */
#define RT_EXIT_OFFSET 0x20
#define RT_SAVE_OFFSET 0x28
#define RT_HC_OFFSET 0x30
#define RT_EXIT (WINDOW_START + 0x1000u + RT_EXIT_OFFSET)
#define RT_HC (WINDOW_START + 0x1000u + RT_HC_OFFSET)
#define RT_GATE (WINDOW_START + 0x2000u)
#define RT_CODE (WINDOW_START + 0x3000u)
#define RT_CODE_END (WINDOW_START + WINDOW_SIZE)

#endif
