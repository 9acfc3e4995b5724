/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What every guest kernel begins with: our own GDT, a stack, then main(eax, ebx).
 * What main() returns goes to the exit port.
 */
#include "layout.h"

	.text
	.globl	guest_entry
guest_entry:
	cli
	cld
	movl	$stack_top, %esp
	pushl	$0
	popfl
	lgdt	gdt_pointer
	ljmp	$KERNEL_CS, $1f
1:	movl	$KERNEL_DS, %ecx
	movl	%ecx, %ds
	movl	%ecx, %es
	movl	%ecx, %fs
	movl	%ecx, %gs
	movl	%ecx, %ss
	/* Keep the stack 16-byte aligned at the call, as the i386 ABI wants. */
	subl	$8, %esp
	pushl	%ebx
	pushl	%eax
	call	guest_start
	/* not reached */
	ud2

	.section .rodata
	.balign 4
	.globl	gdt_pointer
gdt_pointer:
	.word	GDT_ENTRIES * 8 - 1
	.long	gdt

	/* Flat segments; the TSS descriptor and the spare ones are filled in by
	 * gdt_set(). */
	.data
	.balign 8
	.globl	gdt
gdt:
	.quad	0
	.quad	0x00cf9b000000ffff	/* KERNEL_CS */
	.quad	0x00cf93000000ffff	/* KERNEL_DS */
	.quad	0x00cffb000000ffff	/* USER_CS */
	.quad	0x00cff3000000ffff	/* USER_DS */
	.fill	GDT_ENTRIES - 5, 8, 0

	.bss
	.balign 16
	.skip	16384
	.globl	stack_top
stack_top:
