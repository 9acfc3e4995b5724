/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The way out.  No scanner finds the instructions that matter: they lie in the operands of
 * others.  A test instruction of 32-bit code (0xa9) takes four bytes; where 64-bit code goes
 * on, three of them are an instruction, and the fourth (0x3c, a comparison of %al with a byte)
 * swallows the next 0xa9.  One far return leads there, another one back.
 */
#define HOST_CS32 0x23
#define HOST_CS64 0x33
#define HIDE(a, b, c) .byte 0xa9, a, b, c, 0x3c

	.text
	.macro	LEAVE to
	pushl	%ebp
	pushl	%edi
	pushl	%esi
	pushl	%ebx
	pushl	$HOST_CS32
	pushl	$\@f
	pushl	$HOST_CS64
	pushl	$\to + 1
	movl	hostile_number, %eax
	movl	hostile_args+0, %edi
	movl	hostile_args+4, %esi
	movl	hostile_args+8, %edx
	movl	hostile_args+12, %ecx
	movl	hostile_args+16, %ebx
	movl	hostile_args+20, %ebp
	pushl	$far_return + 1
	ret				/* to a place that no branch names */
\@:	popl	%ebx
	popl	%esi
	popl	%edi
	popl	%ebp
	ret
	.endm

	.globl	hostile_call64
hostile_call64:
	LEAVE	system_call

	/* int $0x80 takes %ebx, %ecx, %edx, %esi, %edi, %ebp. */
	.globl	hostile_call32
hostile_call32:
	LEAVE	int_80

far_return:
	HIDE(0xcb, 0x90, 0x90)		/* lret */
	jmp	far_return

system_call:
	HIDE(0x49, 0x89, 0xca)		/* movq %rcx, %r10 */
	HIDE(0x49, 0x89, 0xd8)		/* movq %rbx, %r8 */
	HIDE(0x49, 0x89, 0xe9)		/* movq %rbp, %r9 */
	HIDE(0x0f, 0x05, 0x90)		/* syscall */
	HIDE(0xcb, 0x90, 0x90)		/* lret */
	jmp	system_call

int_80:
	HIDE(0x49, 0x89, 0xd8)		/* movq %rbx, %r8 */
	HIDE(0x89, 0xfb, 0x90)		/* movl %edi, %ebx */
	HIDE(0x49, 0x89, 0xf1)		/* movq %rsi, %r9 */
	HIDE(0x89, 0xce, 0x90)		/* movl %ecx, %esi */
	HIDE(0x44, 0x89, 0xc9)		/* movl %r9d, %ecx */
	HIDE(0x44, 0x89, 0xc7)		/* movl %r8d, %edi */
	HIDE(0xcd, 0x80, 0x90)		/* int $0x80 */
	HIDE(0xcb, 0x90, 0x90)		/* lret */
	jmp	int_80
	.section .note.GNU-stack, "", @progbits
