/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The only code of ours in a child of the `handoff` engine (see handoff.h).  Guest
 * user code can jump anywhere in it, with any registers, and write to the report
 * and the signal stack at any time: nothing here may be worth doing that.  The guest
 * thread's system calls are bounded by its seccomp filter (and what that cannot see is
 * looked at afterwards: ho_add_made); the mapper's come from the control page, and it
 * keeps nothing in memory that the guest thread can write.
 *
 * While the guest thread is in the stub the FPU registers are the guest's.
 */
#include "hostos/linux/handoff.h"

#include <asm/prctl.h>
#include <asm/unistd.h>
#include <asm-generic/errno-base.h>

#define CLONE_PARENT 0x8000
#define SIGCHLD 17
#define SIGUSR1 10
/* CLONE_VM | CLONE_FS | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM |
 * CLONE_PARENT_SETTID; not CLONE_FILES: the guest thread closes its own. */
#define CLONE_MAPPER 0x150b00
#define FUTEX_WAIT 0
#define FUTEX_WAKE 1
#define PR_SET_TSC 26

/* struct ucontext of the kernel: mcontext at 40, in it r8-r15, rdi, rsi, rbp, rbx, rdx,
 * rax, rcx, rsp, rip, eflags, cs gs fs ss, ..., fpstate. */
#define UC_R8 40
#define UC_R9 48
#define UC_R10 56
#define UC_R11 64
#define UC_R12 72
#define UC_R13 80
#define UC_R14 88
#define UC_R15 96
#define UC_RDI 104
#define UC_RSI 112
#define UC_RBP 120
#define UC_RBX 128
#define UC_RDX 136
#define UC_RAX 144
#define UC_RCX 152
#define UC_RSP 160
#define UC_RIP 168
#define UC_EFLAGS 176
#define UC_CS 184
#define UC_SS 190
#define UC_FPSTATE 224

/* rbx: control page, rbp: report page */
	.macro	PAGES
	movabsq	$HO_CONTROL, %rbx
	movabsq	$HO_REPORT, %rbp
	.endm

/* A futex system call on address in page \page. */
	.macro	FUTEX page, offset, op, value
	leaq	\offset(\page), %rdi
	movl	$\op, %esi
	movl	\value, %edx
	xorl	%r10d, %r10d
	xorl	%r8d, %r8d
	xorl	%r9d, %r9d
	movl	$__NR_futex, %eax
	syscall
	.endm

	.section .rodata
	.globl	ho_stub_start, ho_stub_end
	.globl	ho_template, ho_handler, ho_gate, ho_answered, ho_resume_end
	.globl	ho_add_made, ho_add_checked
	.balign	64
ho_stub_start:

/* ---- the guest thread ---- */

/* The answer to the hand-over under way: what it is stands in the report. */
publish:
	movl	HC_O_GO(%rbx), %eax
	xchgl	%eax, HR_O_SEQ(%rbp)	/* with a full barrier */
ho_answered:
	cmpl	$0, HC_O_ASLEEP(%rbx)
	je	wait
	FUTEX	%rbp, HR_O_SEQ, FUTEX_WAKE, $1

/* Waits for the next one. */
wait:
	PAGES
	movl	HR_O_SEQ(%rbp), %r12d
	movl	HC_O_SPIN(%rbx), %r13d
1:	movl	HC_O_GO(%rbx), %eax
	cmpl	%r12d, %eax
	jne	4f
	cmpl	$0, HC_O_SPIN(%rbx)	/* the monitor may want us to stop that */
	je	2f
	subl	$1, %r13d
	js	2f
	pause
	jmp	1b
2:	movl	$1, %eax
	xchgl	%eax, HR_O_ASLEEP(%rbp)
	cmpl	%r12d, HC_O_GO(%rbx)
	jne	3f
	FUTEX	%rbx, HC_O_GO, FUTEX_WAIT, %r12d
3:	movl	$0, HR_O_ASLEEP(%rbp)
	movl	HC_O_SPIN(%rbx), %r13d	/* woken because it is expected to run soon */
	jmp	1b

4:	movl	HC_O_COMMAND(%rbx), %ecx
	testl	%ecx, %ecx
	jne	command

	/* A kick up to the iretq finds nothing changed: the monitor says again what is
	 * done here. */
	cmpl	$0, HC_O_LOAD(%rbx)
	je	5f
	movl	$7, %eax
	xorl	%edx, %edx
	xrstor64 HC_O_FPU(%rbx)
5:	xorl	%r13d, %r13d		/* kicked */
	xorl	%r14d, %r14d
6:	cmpl	HC_O_ADDS(%rbx), %r14d
	jae	7f
	movl	%r14d, %eax
	imull	$STUB_OP_SIZE, %eax, %eax
	movabsq	$HO_OPS, %rcx
	addq	%rax, %rcx
	movq	8(%rcx), %rdi
	movq	16(%rcx), %rsi
	movq	24(%rcx), %rdx
	movq	32(%rcx), %r10
	movq	40(%rcx), %r8
	movq	48(%rcx), %r9
	movl	$__NR_mmap, %eax
	syscall
	/* User code may have come here with arguments of its own. */
ho_add_made:
	PAGES
	cmpl	HC_O_ADDS(%rbx), %r14d
	jae	die
	movl	%r14d, %ecx
	imull	$STUB_OP_SIZE, %ecx, %ecx
	movabsq	$HO_OPS, %r15
	addq	%r15, %rcx
	cmpq	8(%rcx), %rdi
	jne	die
	cmpq	16(%rcx), %rsi
	jne	die
	cmpq	24(%rcx), %rdx
	jne	die
	cmpq	32(%rcx), %r10
	jne	die
	cmpq	40(%rcx), %r8
	jne	die
	cmpq	48(%rcx), %r9
	jne	die
ho_add_checked:
	cmpq	$-4095, %rax
	jae	refused
	incl	%r14d
	jmp	6b

7:	testl	%r13d, %r13d
	jne	kicked
	movl	HC_O_GO(%rbx), %eax
	movl	%eax, HR_O_STARTED(%rbp)
	movw	HC_O_SEL+0(%rbx), %ds
	movw	HC_O_SEL+2(%rbx), %es
	movw	HC_O_SEL+4(%rbx), %fs
	movw	HC_O_SEL+6(%rbx), %gs
	movl	HC_O_GPR+0(%rbx), %eax
	movl	HC_O_GPR+4(%rbx), %ecx
	movl	HC_O_GPR+8(%rbx), %edx
	movl	HC_O_GPR+24(%rbx), %esi
	movl	HC_O_GPR+28(%rbx), %edi
	movl	HC_O_GPR+20(%rbx), %ebp
	leaq	HC_O_FRAME(%rbx), %rsp
	movl	HC_O_GPR+12(%rbx), %ebx
	iretq
ho_resume_end:

command:
	cmpl	$HO_TSC, %ecx
	je	2f
	movl	$3, %eax
	xorl	%edx, %edx
	xsave64	HR_O_FPU(%rbp)
	jmp	done
2:	movl	$PR_SET_TSC, %edi
	movl	HC_O_TSC(%rbx), %esi
	xorl	%edx, %edx
	xorl	%r10d, %r10d
	xorl	%r8d, %r8d
	movl	$__NR_prctl, %eax
	syscall
done:	movl	$HO_DONE, HR_O_KIND(%rbp)
	jmp	publish

refused:
	movl	$HO_REFUSED, HR_O_KIND(%rbp)
	jmp	publish
kicked:
	movl	$HO_KICKED, HR_O_KIND(%rbp)
	jmp	publish

/* All signals: rdi signal, rdx ucontext, on the signal stack. */
ho_handler:
	PAGES
	pushq	$2			/* user code's NT and AC are still set */
	popfq
	movq	%rdx, %r8
	movq	UC_FPSTATE(%r8), %rcx
	movl	$-1, %eax
	movl	$-1, %edx
	xrstor64 (%rcx)
	movq	UC_RIP(%r8), %rax
	movabsq	$HO_STUB, %rcx
	cmpq	%rcx, %rax
	jb	1f
	cmpl	$SIGUSR1, %edi
	jne	1f
	/* A comparison that is under way must come to its end first. */
	leaq	ho_add_made(%rip), %rcx
	movq	%rax, %rdx
	subq	%rcx, %rdx
	cmpq	$ho_add_checked - ho_add_made, %rdx
	jae	2f
	movq	$1, UC_R13(%r8)
	jmp	return
	/* A kick for user code that has not begun to run counts, another does not. */
2:	leaq	ho_answered(%rip), %rcx
	subq	%rcx, %rax
	cmpq	$ho_resume_end - ho_answered, %rax
	jae	return
	cmpl	$HO_RESUME, HC_O_COMMAND(%rbx)
	jne	return
	movl	HC_O_GO(%rbx), %eax
	cmpl	HR_O_SEQ(%rbp), %eax
	je	return
1:	movl	$HO_SIGNAL, HR_O_KIND(%rbp)
	movl	%edi, HR_O_SIGNAL(%rbp)
	movq	%r8, HR_O_CONTEXT(%rbp)
	movw	%es, HR_O_SEL+0(%rbp)
	movw	%ds, HR_O_SEL+4(%rbp)
	movw	%fs, HR_O_SEL+6(%rbp)
	movw	%gs, HR_O_SEL+8(%rbp)
	jmp	publish

/* Back to where a kick found the stub at work. */
return:
	movzwl	UC_SS(%r8), %eax
	pushq	%rax
	pushq	UC_RSP(%r8)
	pushq	UC_EFLAGS(%r8)
	movzwl	UC_CS(%r8), %eax
	pushq	%rax
	pushq	UC_RIP(%r8)
	movq	UC_R9(%r8), %r9
	movq	UC_R10(%r8), %r10
	movq	UC_R11(%r8), %r11
	movq	UC_R12(%r8), %r12
	movq	UC_R13(%r8), %r13
	movq	UC_R14(%r8), %r14
	movq	UC_R15(%r8), %r15
	movq	UC_RDI(%r8), %rdi
	movq	UC_RSI(%r8), %rsi
	movq	UC_RBP(%r8), %rbp
	movq	UC_RBX(%r8), %rbx
	movq	UC_RDX(%r8), %rdx
	movq	UC_RAX(%r8), %rax
	movq	UC_RCX(%r8), %rcx
	movq	UC_R8(%r8), %r8
	iretq

/* From the gate page, in 64-bit mode, with user code's registers: a system call
 * without a signal. */
#define REPORT(offset) HO_REPORT - HO_STUB + ho_stub_start + offset(%rip)
ho_gate:
	movl	%eax, REPORT(HR_O_GPR+0)
	movl	%ecx, REPORT(HR_O_GPR+4)
	movl	%edx, REPORT(HR_O_GPR+8)
	movl	%ebx, REPORT(HR_O_GPR+12)
	movl	%esp, REPORT(HR_O_GPR+16)
	movl	%ebp, REPORT(HR_O_GPR+20)
	movl	%esi, REPORT(HR_O_GPR+24)
	movl	%edi, REPORT(HR_O_GPR+28)
	PAGES
	movabsq	$HO_STACK_END - 128, %rsp
	pushfq
	popq	%rax
	movl	%eax, HR_O_EFLAGS(%rbp)
	pushq	$2
	popfq
	movw	%es, HR_O_SEL+0(%rbp)
	movw	%ss, HR_O_SEL+2(%rbp)
	movw	%ds, HR_O_SEL+4(%rbp)
	movw	%fs, HR_O_SEL+6(%rbp)
	movw	%gs, HR_O_SEL+8(%rbp)
	movl	$HO_GATE, HR_O_KIND(%rbp)
	cmpl	$0, HC_O_EAGER(%rbx)
	je	publish
	movl	$3, %eax
	xorl	%edx, %edx
	xsave64	HR_O_FPU(%rbp)
	jmp	publish

/* ---- before guest code runs, and the mapper ---- */

/* Carries out the list at r14; returns to r15 with rax 0, or the error of the first
 * one that failed.  r14 goes to the list's end. */
run_ops:
	movq	0(%r14), %rax
	testq	%rax, %rax
	js	1f
	movq	8(%r14), %rdi
	movq	16(%r14), %rsi
	movq	24(%r14), %rdx
	movq	32(%r14), %r10
	movq	40(%r14), %r8
	movq	48(%r14), %r9
	syscall
	addq	$STUB_OP_SIZE, %r14
	cmpq	$-4095, %rax
	jb	run_ops
	jmp	*%r15
1:	addq	$STUB_OP_SIZE, %r14
	xorl	%eax, %eax
	jmp	*%r15

	.macro	RUN_OPS
	leaq	99f(%rip), %r15
	jmp	run_ops
99:
	.endm

/* The template process: a list to get rid of what is not needed, then a clone for
 * each hand-over. */
ho_template:
	PAGES
	movabsq	$HO_OPS, %r14
	RUN_OPS
	testl	%eax, %eax
	jne	die
1:	movl	%eax, HR_O_RESULT(%rbp)
	movl	HC_O_GO(%rbx), %r12d
	movl	%r12d, %eax
	xchgl	%eax, HR_O_SEQ(%rbp)
	FUTEX	%rbp, HR_O_SEQ, FUTEX_WAKE, $1
2:	FUTEX	%rbx, HC_O_GO, FUTEX_WAIT, %r12d
	cmpl	%r12d, HC_O_GO(%rbx)
	je	2b
	movl	$CLONE_PARENT | SIGCHLD, %edi
	xorl	%esi, %esi
	xorl	%edx, %edx
	xorl	%r10d, %r10d
	xorl	%r8d, %r8d
	movl	$__NR_clone, %eax
	syscall
	testl	%eax, %eax
	jne	1b

/* A new child.  Its list begins in the template's control pages and goes on, after
 * mmap has put its own there, in those. */
	movabsq	$HO_OPS, %r14
	RUN_OPS
	testl	%eax, %eax
	jne	die
	/* If the monitor died before the list asked to be killed then: */
	movl	$__NR_getppid, %eax
	syscall
	cmpl	HC_O_PARENT(%rbx), %eax
	jne	die
	movl	$CLONE_MAPPER, %edi
	xorl	%esi, %esi
	leaq	HR_O_MAPPER(%rbp), %rdx
	xorl	%r10d, %r10d
	xorl	%r8d, %r8d
	movl	$__NR_clone, %eax
	syscall
	testl	%eax, %eax
	je	mapper
	js	die
	RUN_OPS
	testl	%eax, %eax
	jne	die
	movabsq	$HO_STACK_END - 128, %rsp
	jmp	done

die:	movl	%eax, HR_O_RESULT(%rbp)
	movl	$1, %edi
	movl	$__NR_exit_group, %eax
	syscall
	hlt

/* Signals are blocked here. */
mapper:
	xorl	%r12d, %r12d
1:	cmpl	%r12d, HC_O_MAP_GO(%rbx)
	jne	2f
	FUTEX	%rbx, HC_O_MAP_GO, FUTEX_WAIT, %r12d
	jmp	1b
2:	movl	HC_O_MAP_GO(%rbx), %r12d
	movabsq	$HO_OPS, %r14
	RUN_OPS
	leaq	HC_O_ACK(%rbx), %rsi
	testl	%eax, %eax
	je	3f
	movl	%eax, HR_O_RESULT(%rbp)
	leaq	HC_O_NAK(%rbx), %rsi
3:	movl	$HO_ACK_FD, %edi
	movl	$8, %edx
	movl	$__NR_write, %eax
	syscall
	jmp	1b
ho_stub_end:
	.section .note.GNU-stack, "", @progbits
