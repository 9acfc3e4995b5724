/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Entry of the guest kernels that have none of their own: Multiboot 1 header
 * (Multiboot specification 0.6.96, 3.1).
 */
#define MB_MAGIC 0x1badb002
#define MB_FLAGS 0x3		/* modules on page boundaries, memory information */

	.section .multiboot, "ax"
	.balign 4
	.long	MB_MAGIC, MB_FLAGS, -(MB_MAGIC + MB_FLAGS)

	.text
	.globl	_start
_start:
	jmp	guest_entry
