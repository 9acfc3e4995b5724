/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Entry as FreeBSD's (sys/i386/i386/locore.s): btext(howto, bootdev, 0, 0, 0, &bootinfo) is
 * called at its physical address.
 */
#include "high.h"

	.section .multiboot, "ax"
	.globl	btext
btext:
	pushl	%ebp
	movl	%esp, %ebp
	movw	$0x1234, 0x472
	high_paging
	movl	8(%ebp), %eax		/* howto */
	movl	28(%ebp), %ebx
	cmpl	$0, 4(%ebp)		/* a return address of 0: another protocol */
	jne	1f
	xorl	%ebx, %ebx
1:	movl	$2f, %ecx
	jmp	*%ecx
2:	jmp	guest_entry

	high_dir
