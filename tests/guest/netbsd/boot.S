/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Entry as NetBSD's (sys/arch/i386/i386/locore.S): a Multiboot header 12 bytes behind the
 * entry, at 0x100c of the file, that asks for memory information only; the first thing
 * written is the warm boot flag of the BIOS; page tables follow the kernel's end.
 */
#include "high.h"

#define MB_MAGIC 0x1badb002
#define MB_FLAGS 0x2

	.section .multiboot, "ax"
	.globl	_start
_start:
	movw	$0x1234, 0x472
	jmp	1f
	.balign 4
	.long	MB_MAGIC, MB_FLAGS, -(MB_MAGIC + MB_FLAGS)
1:	cmpl	$0x2badb002, %eax
	jne	2f
	/* A page of marks where the boot page tables go: the boot information must not be
	 * there. */
	cld
	movl	%eax, %edx
	movl	$PHYS(end), %edi
	movl	$1024, %ecx
	xorl	%eax, %eax
	rep stosl
	movl	%edx, %eax
2:	high_paging
	movl	$3f, %ecx
	jmp	*%ecx
3:	jmp	guest_entry

	high_dir
