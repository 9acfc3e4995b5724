/* SPDX-License-Identifier: BSD-2-Clause */
/* Entry points of the 256 vectors: a uniform struct trap_frame, then trap(). */
#include "layout.h"

	.text
	.balign 16
	.globl	trap_vectors
trap_vectors:
	.set	vector, 0
	.rept	256
	.balign 16
	/* #DF #TS #NP #SS #GP #PF #AC push an error code (SDM 3, table 6-1). */
	.if	!(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17)
	pushl	$0
	.endif
	pushl	$vector
	jmp	trap_common
	.set	vector, vector + 1
	.endr

/* The frame of what was interrupted, for debuggers: CFA is its %esp, if it ran
 * on this stack. */
	.cfi_sections .debug_frame
	.cfi_startproc
	.cfi_signal_frame
	.cfi_def_cfa esp, 20
	.cfi_offset eip, -12
trap_common:
	pushal
	.cfi_adjust_cfa_offset 32
	.cfi_offset eax, -24
	.cfi_offset ecx, -28
	.cfi_offset edx, -32
	.cfi_offset ebx, -36
	.cfi_offset ebp, -44
	.cfi_offset esi, -48
	.cfi_offset edi, -52
	pushl	%ds
	pushl	%es
	pushl	%fs
	pushl	%gs
	.cfi_adjust_cfa_offset 16
	movl	$KERNEL_DS, %eax
	movl	%eax, %ds
	movl	%eax, %es
	cld
	pushl	%esp
	.cfi_adjust_cfa_offset 4
	call	trap
	addl	$4, %esp
	.cfi_adjust_cfa_offset -4
	popl	%gs
	popl	%fs
	popl	%es
	popl	%ds
	popal
	.cfi_def_cfa_offset 20
	addl	$8, %esp
	.cfi_def_cfa_offset 12
	iretl
	.cfi_endproc

/* enter_user(eip, esp, eflags) */
	.globl	enter_user
enter_user:
	movl	4(%esp), %eax
	movl	8(%esp), %ecx
	movl	12(%esp), %edx
	movl	$USER_DS, %ebx
	movl	%ebx, %ds
	movl	%ebx, %es
	movl	%ebx, %fs
	movl	%ebx, %gs
	pushl	%ebx
	pushl	%ecx
	pushl	%edx
	pushl	$USER_CS
	pushl	%eax
	iretl

/* user_enter(frame): the frame is copied to our stack and popped from there. */
	.globl	user_enter
user_enter:
	pushl	%ebp
	pushl	%ebx
	pushl	%esi
	pushl	%edi
	movl	20(%esp), %esi
	movl	%esi, user_frame
	movl	%esp, user_kernel_esp
	movl	%esp, tss + 4			/* esp0 */
	subl	$FRAME_SIZE, %esp
	movl	%esp, %edi
	movl	$FRAME_SIZE / 4, %ecx
	rep movsl
	popl	%gs
	popl	%fs
	popl	%es
	popl	%ds
	popal
	addl	$8, %esp
	iretl

/* Ends user_enter() from within a trap. */
	.globl	user_leave
user_leave:
	movl	$KERNEL_DS, %eax
	movl	%eax, %fs
	movl	%eax, %gs
	movl	user_kernel_esp, %esp
	popl	%edi
	popl	%esi
	popl	%ebx
	popl	%ebp
	ret
