/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The runtime's routines, 32-bit code of guest kernel mode (runtime/abi.h): the page
 * at RT_TABLE.  They do what the instructions that they stand for do, to the flag,
 * and leave through the gate where they cannot.
 *
 * An interrupt may come between any two instructions, and each access may fault:
 * AT tells how to get from there to the state before or behind the site (RU_*).  What
 * the guest can see changes in one store.
 */
#include "layout.h"
#include "runtime/abi.h"

#define ADDR(label) RT_TABLE + label - routines
#define FL_RF 0x10000
#define FL_IF 0x200
/* The table, as numbers for the assembler's expressions. */
#define S_ES 0
#define S_CS 1
#define S_SS 2
#define S_DS 3
#define S_FS 4
#define S_GS 5

	.macro	AT undo:vararg
.Lat\@:	.pushsection .rodata.routines, "a"
	.short	.Lat\@ - routines, \undo
	.popsection
	.endm

	.pushsection .rodata.routines, "a"
	.globl	routine_points, routine_points_end
	.balign	2
routine_points:
	.popsection

	.section .rodata
	.globl	routines, routines_end
	.balign	16
	.code32
routines:
	.long	ADDR(emulate), ADDR(pushf), ADDR(popf), ADDR(iret)
	.long	ADDR(pop_es), ADDR(emulate), ADDR(emulate), ADDR(pop_ds), ADDR(pop_fs), ADDR(pop_gs)
	.long	ADDR(load_es), ADDR(emulate), ADDR(emulate), ADDR(load_ds), ADDR(load_fs)
	.long	ADDR(load_gs)
	.macro	MOVS sreg
	.irp	reg, eax, ecx, edx, ebx, emulate, ebp, esi, edi
	.ifc	\reg, emulate
	.long	ADDR(emulate)
	.else
	.long	ADDR(mov_\sreg\()_\reg)
	.endif
	.endr
	.endm
	MOVS	es
	.rept	16
	.long	ADDR(emulate)
	.endr
	MOVS	ds
	MOVS	fs
	MOVS	gs

/* The monitor carries out the instruction at the site. */
emulate:
	AT	RU_STACK
	popl	RT_R_RET
leave:	AT	0
	movl	$0, RT_EXIT
	ljmp	$HOST_CS64, $RT_GATE

pushf:
	AT	RU_STACK
	popl	RT_R_RET
	AT	0
	movl	%eax, RT_R_EAX
	movl	%ecx, RT_R_ECX
	movl	%esp, RT_R_ESP
	AT	RU_AC | RU_SP
	pushfl
	movl	(%esp), %eax
	movl	RT_IF, %ecx
	leal	(%eax,%ecx), %eax
	movl	%eax, (%esp)
	movl	RT_R_ECX, %ecx
	movl	RT_R_EAX, %eax
	jmp	*RT_R_RET

	.macro	ENTER
	AT	RU_STACK
	popl	RT_R_RET
	AT	0
	.endm

	/* esp is the guest's again. */
	.macro	SAVE
	movl	%eax, RT_R_EAX
	movl	%ecx, RT_R_ECX
	movl	%edx, RT_R_EDX
	movl	%esp, RT_R_ESP
	AT	RU_AC | RU_DX | RU_SP
	movl	$RT_R_FLAGS + 4, %esp
	pushfl
	movl	RT_R_ESP, %esp
	AT	RU_AC | RU_DX | RU_SP | RU_FL
	.endm

	.macro	RESTORE
	movl	RT_R_EDX, %edx
	movl	RT_R_ECX, %ecx
	movl	RT_R_EAX, %eax
	.endm

popf:
	ENTER
	SAVE
	movl	(%esp), %eax
	testl	$RT_ODD_FLAGS, %eax
	jnz	slow
	andl	$FL_IF, %eax
	subl	$FL_IF, %eax
	popfl
	movl	%eax, RT_IF
	AT	RU_AC | RU_DX | RU_DONE
	RESTORE
	jmp	*RT_R_RET

/* To the same privilege level and the same CS. */
iret:
	ENTER
	SAVE
	movzwl	4(%esp), %eax
	cmpl	%eax, RT_IRET_CS
	jne	slow
	movl	8(%esp), %eax
	testl	$RT_ODD_FLAGS | FL_RF, %eax
	jnz	slow
	movl	(%esp), %ecx
	movl	%ecx, RT_R_TARGET
	andl	$FL_IF, %eax
	subl	$FL_IF, %eax
	leal	8(%esp), %esp
	popfl
	movl	%eax, RT_IF
	AT	RU_AC | RU_DX | RU_TARGET
	RESTORE
	jmp	*RT_R_TARGET

slow:
	AT	RU_AC | RU_DX | RU_SP | RU_FL
	movl	$RT_R_FLAGS, %esp
	popfl
	RESTORE
	movl	RT_R_ESP, %esp
	AT	0
	jmp	leave

	/* Loads the selector %ecx, whose descriptor must be the one in RT_CACHE. */
	.macro	LOAD sreg, number, pop
	movl	%ecx, %eax
	andl	$(RT_CACHE_ENTRIES - 1) << 2, %eax
	leal	RT_CACHE(,%eax,4), %eax
	cmpw	%cx, (%eax)
	jne	slow
	.if	\number == S_ES || \number == S_DS
	cmpw	$HOST_DS32, 2(%eax)
	jne	slow
	.endif
	movl	4(%eax), %ecx
	movl	(%ecx), %edx
	cmpl	8(%eax), %edx
	jne	slow
	movl	4(%ecx), %edx
	cmpl	12(%eax), %edx
	jne	slow
	.if	\number != S_DS
	movw	2(%eax), %\sreg
	.endif
	movl	$RT_R_FLAGS, %esp
	popfl
	movl	RT_R_ESP, %esp
	.if	\pop
	leal	4(%esp), %esp
	.endif
	movl	%eax, RT_LOADED(\number)
	AT	RU_AC | RU_DX | RU_DONE
	movzwl	(%eax), %ecx
	movl	%ecx, RT_SEL(\number)
	RESTORE
	jmp	*RT_R_RET
	.endm

	.macro	LOADS sreg, number
	.irp	reg, eax, ecx, edx, ebx, ebp, esi, edi
mov_\sreg\()_\reg:
	ENTER
	movl	%\reg, RT_R_VALUE
	jmp	value_\sreg
	.endr

load_\sreg:
	AT	RU_STACK | RU_VALUE
	popl	RT_R_RET
	AT	RU_VALUE
	popl	RT_R_VALUE
value_\sreg:
	AT	0
	SAVE
	movzwl	RT_R_VALUE, %ecx
	LOAD	\sreg, \number, 0

pop_\sreg:
	ENTER
	SAVE
	movzwl	(%esp), %ecx
	LOAD	\sreg, \number, 1
	.endm

	LOADS	es, S_ES
	LOADS	ds, S_DS
	LOADS	fs, S_FS
	LOADS	gs, S_GS
routines_end:

	.section .rodata.routines, "a"
routine_points_end:

	.section .note.GNU-stack, "", @progbits
