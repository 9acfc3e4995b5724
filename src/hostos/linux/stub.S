/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The only code of ours in a child.  The engine starts it with rbx at a list
 * of host system calls in the control pages, without system-call emulation;
 * it carries them out and stops at an int3; at the first error it stops at a ud2
 * instead, with the error in rax and rbx at the entry.  It uses no stack and no
 * writable memory.
 */
#include "hostos/linux/stub.h"

	.section .rodata
	.globl	stub_start, stub_end
	.balign	16
stub_start:
1:	movq	0(%rbx), %rax
	testq	%rax, %rax
	js	2f
	movq	8(%rbx), %rdi
	movq	16(%rbx), %rsi
	movq	24(%rbx), %rdx
	movq	32(%rbx), %r10
	movq	40(%rbx), %r8
	movq	48(%rbx), %r9
	syscall
	cmpq	$-4095, %rax
	jae	3f
	addq	$STUB_OP_SIZE, %rbx
	jmp	1b
2:	int3
3:	ud2
stub_end:
	.section .note.GNU-stack, "", @progbits
