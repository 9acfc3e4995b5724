/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ABI between a guest kernel that was built with lilyvm-cc, the runtime and
 * the monitor: the runtime window in the guest kernel's address space, the
 * virtual-CPU page, the table of routines, and what stands in the kernel's code
 * in place of a sensitive instruction.  For C and assembler.
 *
 *   WINDOW_START + 0x0000   RT_IF: the virtual interrupt flag, alone in its page.
 *                           cli and sti are stores to it; while an interrupt is
 *                           pending the page is read-only, so that sti traps
 *                  0x1000   the virtual-CPU page: RT_SEL, RT_CR, ...
 *                  0x2000   RT_GATE: 64-bit code that leaves to the monitor
 *                  0x3000   RT_TABLE, and the routines that it points to
 *                           (src/runtime/routines.S)
 *                  0x4000   RT_CACHE
 *                  0x8000   RT_LINK: the state of the device that the kernel has linked
 *                 0x10000   trampolines (src/monitor/trampoline.c)
 *
 * The window is asked of Linux by reservetop=; other kernels leave it free because
 * their own allocations grow from below.
 *
 * What stands in the place of an instruction (none of it changes a flag that the
 * instruction does not change; the window is the same in every address space, and
 * all addresses are absolute: the code may be copied and moved):
 *
 *   cli			movl $RT_IF_CLEAR, RT_IF
 *   sti			movl $RT_IF_SET, RT_IF
 *   pushf popf iret		call *RT_SLOT(RT_PUSHF / RT_POPF / RT_IRET)	32-bit forms
 *   push sreg			pushl RT_SEL(sreg)
 *   mov sreg, r32 / r16	movl / movw RT_SEL(sreg), reg
 *   mov sreg, mem		pushw RT_SEL(sreg); popw mem
 *   mov reg, sreg		call *RT_SLOT(RT_MOV(sreg, reg))	es ds fs gs; not from esp
 *   pop sreg			call *RT_SLOT(RT_POP(sreg))		es ds fs gs
 *   mov mem, sreg		pushl mem; call *RT_SLOT(RT_LOAD(sreg)); nopl LEN(%eax)
 *				es ds fs gs.  LEN is the length of the pushl, with an 8-bit
 *				displacement: bytes 0f 1f 40 LEN.  The pushl has the same
 *				prefixes, modrm and displacement as the mov
 *   mov crN, reg		movl RT_CR(N), reg			0 2 3 4
 *   any other			call *RT_SLOT(RT_EMULATE); the instruction itself, which
 *				the monitor carries out; it goes on behind it
 *
 * src/rewriter/site.c reads these forms.
 */
#ifndef LILYVM_RUNTIME_ABI_H
#define LILYVM_RUNTIME_ABI_H

/* Changes whenever a kernel built before would not run any more. */
#define RT_ABI_VERSION 2

#define WINDOW_START 0xff000000
/* Without the last page, where error pointers point. */
#define WINDOW_SIZE 0xfff000
/* What is asked of Linux to leave free, bytes. */
#define WINDOW_RESERVE 0x1000000

/* What has to be added to the real flags, whose IF is always set. */
#define RT_IF WINDOW_START
#define RT_IF_SET 0
#define RT_IF_CLEAR 0xfffffe00

/* ---- the virtual-CPU page ---- */

#define RT_VCPU (WINDOW_START + 0x1000)
/* The guest's selectors (one a word), by number of the segment register. */
#define RT_SEL_OFFSET 0x00
#define RT_SEL(reg) (RT_VCPU + RT_SEL_OFFSET + 4 * (reg))
/* The gate: who jumps to it without a table entry stores the guest's eip in RT_EXIT. */
#define RT_EXIT_OFFSET 0x20
#define RT_EXIT (RT_VCPU + RT_EXIT_OFFSET)
#define RT_SAVE_OFFSET 0x28
#define RT_HC_OFFSET 0x30
#define RT_HC (RT_VCPU + RT_HC_OFFSET)
/* CR0 - CR4 as the guest sees them. */
#define RT_CR_OFFSET 0x40
#define RT_CR(n) (RT_VCPU + RT_CR_OFFSET + 4 * (n))

/* Between the routines and the monitor: the descriptor that a routine has loaded into
 * es, ds, fs or gs since the guest was entered (an entry of RT_CACHE; 0: none), */
#define RT_LOADED_OFFSET 0x60
#define RT_LOADED(sreg) (RT_VCPU + RT_LOADED_OFFSET + 4 * (sreg))
/* what a routine saves: its return address and the guest's registers, */
#define RT_R_RET (RT_VCPU + 0x80)
#define RT_R_EAX (RT_VCPU + 0x84)
#define RT_R_ECX (RT_VCPU + 0x88)
#define RT_R_EDX (RT_VCPU + 0x8c)
#define RT_R_ESP (RT_VCPU + 0x90)
#define RT_R_FLAGS (RT_VCPU + 0x94)
/* the selector to load, where iret goes, */
#define RT_R_VALUE (RT_VCPU + 0x98)
#define RT_R_TARGET (RT_VCPU + 0x9c)
/* the only CS that iret may return to by itself (-1: none), and the null descriptor. */
#define RT_IRET_CS (RT_VCPU + 0xa0)
#define RT_NULL (RT_VCPU + 0xa8)
/* By this word a kernel sees, before its first site, that it runs in LilyVM. */
#define RT_MAGIC (RT_VCPU + 0xb0)
#define RT_MAGIC_VALUE 0x796c694c

#define RT_GATE (WINDOW_START + 0x2000)

/* ---- the table ---- */

#define RT_TABLE (WINDOW_START + 0x3000)
#define RT_SLOT(n) (RT_TABLE + 4 * (n))
#define RT_EMULATE 0
#define RT_PUSHF 1
#define RT_POPF 2
#define RT_IRET 3
/* By segment register (S_ES ...), and general register (R_EAX ...). */
#define RT_POP(sreg) (4 + (sreg))
#define RT_LOAD(sreg) (10 + (sreg))
#define RT_MOV(sreg, reg) (16 + 8 * (sreg) + (reg))
#define RT_SLOTS 64

/* Descriptors that routines may load, each at the place that its selector gives: the
 * selector and (in the high half) the host's for it, the descriptor's linear address,
 * and its two words as they were when the monitor loaded it. */
#define RT_CACHE (WINDOW_START + 0x4000)
#define RT_CACHE_ENTRIES 512
#define RT_CACHE_INDEX(sel) ((sel) >> 2 & (RT_CACHE_ENTRIES - 1))

/* Flags (TF IOPL NT VM AC VIF VIP) of which routines know nothing. */
#define RT_ODD_FLAGS 0x1e7100

/*
 * How the guest's own state follows from the registers at an instruction of a
 * routine: what to restore from RT_R_*, so that eip is at the site, or, with RU_DONE
 * or RU_TARGET, behind it.
 */
#define RU_STACK 0x01	/* the return address is on the stack yet, else in RT_R_RET */
#define RU_VALUE 0x02	/* under it, the selector that the site pushed */
#define RU_AC 0x04	/* eax and ecx are saved */
#define RU_DX 0x08
#define RU_SP 0x10
#define RU_FL 0x20
#define RU_DONE 0x40	/* the instruction is carried out: eip is RT_R_RET */
#define RU_TARGET 0x80	/* or RT_R_TARGET */

/* The state of a linked device (headers-stub/README), which driver and monitor share; out
 * of reach in a kernel that has linked none. */
#define RT_LINK (WINDOW_START + 0x8000)
#define RT_LINK_SIZE 0x8000

/* Trampolines. */
#define RT_CODE (WINDOW_START + 0x10000)
#define RT_CODE_END (WINDOW_START + WINDOW_SIZE)

/* ---- in the kernel's ELF file ---- */

/* A note in each object that has sites: name "LilyVM", type 1, one word: the version. */
#define RT_NOTE_SECTION ".note.lilyvm"
#define RT_NOTE_NAME "LilyVM"
#define RT_NOTE_ABI 1
/* A note in each object that has linked a device, type 2, four words: the device's number,
 * the version of its state's layout, port and irq. */
#define RT_NOTE_LINK 2
#define RT_LINK_NE2000 1

/* The sites, not loaded: pairs of words, the site's address and its kind (enum insn_kind).
 * With RT_SITE_USER: an instruction that is left as it is, for user mode to run.  The
 * section's name is one that linker scripts of kernels know, and nothing reads any more. */
#define RT_SITE_SECTION ".debug_sfnames"
#define RT_SITE_USER 0x100

#endif
