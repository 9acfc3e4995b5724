/* SPDX-License-Identifier: BSD-2-Clause */
/* For guest kernels that are linked at KERNBASE, as the BSDs' and Linux', and entered at
 * their physical address. */
#ifndef GUEST_HIGH_H
#define GUEST_HIGH_H

#define KERNBASE 0xc0000000
#define PHYS(x) ((x) - KERNBASE)

#ifdef __ASSEMBLER__
/* Turns paging on: with 4 MiB pages the first 64 MiB at 0 and at KERNBASE.  boot_dir is a
 * cleared page; changes ecx and edx. */
	.macro high_paging
	movl	$PHYS(boot_dir), %ecx
	movl	$0x83, %edx
771:	movl	%edx, (%ecx)
	movl	%edx, 4 * 768(%ecx)
	addl	$4, %ecx
	addl	$0x400000, %edx
	cmpl	$0x4000083, %edx
	jb	771b
	movl	$PHYS(boot_dir), %ecx
	movl	%ecx, %cr3
	movl	%cr4, %edx
	orl	$0x10, %edx		/* PSE */
	movl	%edx, %cr4
	movl	%cr0, %edx
	orl	$0x80010000, %edx	/* PG, WP */
	movl	%edx, %cr0
	.endm

	.macro high_dir
	.pushsection .bss
	.balign	4096
boot_dir:
	.skip	4096
	.popsection
	.endm
#endif

#endif
