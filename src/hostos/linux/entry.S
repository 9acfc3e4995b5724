/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The switch between the monitor (64-bit) and guest kernel code (32-bit
 * compatibility mode), and nothing else.
 */
#include "layout.h"
#include "hostos/linux/offsets.h"
#include "runtime/abi.h"

#include <asm/prctl.h>
#include <asm/unistd.h>

/* The return from host_enter_raw(): its caller's registers and address. */
	.macro	LEAVE
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbp
	popq	%rbx
	ret
	.endm

	.text

/* int host_enter_raw(struct host_cpu *hc): HOST_EXIT_* */
	.globl	host_enter_raw
	.type	host_enter_raw, @function
host_enter_raw:
	.cfi_startproc
	pushq	%rbx
	pushq	%rbp
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	movq	%rsp, HC_HOST_RSP(%rdi)

	/* A signal between here and the iretq is turned into HOST_EXIT_KICK by
	 * host_signal(): no kick is lost, no state has changed. */
	.globl	host_enter_begin
host_enter_begin:
	cmpl	$0, HC_KICK(%rdi)
	jne	host_leave_kick
	movl	$7, %eax
	xorl	%edx, %edx
	xrstor64 HC_FPU(%rdi)

	movzwl	HC_SEL+2*S_SS(%rdi), %eax
	pushq	%rax
	movl	HC_GPR+4*R_ESP(%rdi), %eax
	pushq	%rax
	movl	HC_EFLAGS(%rdi), %eax
	pushq	%rax
	movzwl	HC_SEL+2*S_CS(%rdi), %eax
	pushq	%rax
	movl	HC_EIP(%rdi), %eax
	pushq	%rax

	movw	HC_SEL+2*S_DS(%rdi), %ds
	movw	HC_SEL+2*S_ES(%rdi), %es
	movw	HC_SEL+2*S_FS(%rdi), %fs
	movw	HC_SEL+2*S_GS(%rdi), %gs
	cmpw	$0, HC_HAS_BASES(%rdi)
	je	1f
	movq	HC_FSBASE(%rdi), %rax
	wrfsbase %rax
	movq	HC_GSBASE(%rdi), %rax
	wrgsbase %rax
1:
	movl	HC_GPR+4*R_EAX(%rdi), %eax
	movl	HC_GPR+4*R_ECX(%rdi), %ecx
	movl	HC_GPR+4*R_EDX(%rdi), %edx
	movl	HC_GPR+4*R_EBX(%rdi), %ebx
	movl	HC_GPR+4*R_EBP(%rdi), %ebp
	movl	HC_GPR+4*R_ESI(%rdi), %esi
	movl	HC_GPR+4*R_EDI(%rdi), %edi
	iretq
	.globl	host_enter_end
host_enter_end:
	.cfi_endproc
	.size	host_enter_raw, . - host_enter_raw

/*
 * Handler of all signals, on the signal stack: rdi signal, rsi siginfo, rdx
 * ucontext.  %fs may be the guest's, so the monitor's thread pointer comes
 * back before any C runs.
 */
	.globl	host_signal_entry
	.type	host_signal_entry, @function
host_signal_entry:
	movq	%rsp, %rcx
	andq	$-SIGSTACK_SIZE, %rcx
	movl	HC_HAS_BASES(%rcx), %eax
	testw	%ax, %ax
	je	1f
	movq	HC_HOST_FSBASE(%rcx), %rax
	wrfsbase %rax
	jmp	2f
1:	/* arch_prctl(ARCH_SET_FS, host_fsbase); keeps the C arguments */
	pushq	%rdi
	pushq	%rsi
	pushq	%rdx
	pushq	%rcx
	movl	$__NR_arch_prctl, %eax
	movl	$ARCH_SET_FS, %edi
	movq	HC_HOST_FSBASE(%rcx), %rsi
	syscall
	popq	%rcx
	popq	%rdx
	popq	%rsi
	popq	%rdi
2:	subq	$8, %rsp
	call	host_signal
	addq	$8, %rsp
	testl	%eax, %eax
	jns	3f
	ret
	/* Leave guest code: drop the signal frame, return from host_enter(). */
3:	movq	%rsp, %rdi
	andq	$-SIGSTACK_SIZE, %rdi
	movq	HC_HOST_RSP(%rdi), %rsp
	pushq	$2			/* a guest's NT would make iretq fault */
	popfq
	LEAVE

host_leave_kick:
	movq	HC_HOST_RSP(%rdi), %rsp
	xorl	%eax, %eax
	LEAVE
	.size	host_signal_entry, . - host_signal_entry

/*
 * The gate (runtime/abi.h), copied to RT_GATE.  It comes from 32-bit code with the
 * guest's registers; what it needs lies in the page before it.
 */
#define GATE_DATA(off) gate_start - 0x1000 + off(%rip)
	.section .rodata
	.globl	gate_start, gate_end
	.balign	16
gate_start:
	movq	%rax, GATE_DATA(RT_SAVE_OFFSET)
	movq	GATE_DATA(RT_HC_OFFSET), %rax
	movl	%ecx, HC_GPR+4*R_ECX(%rax)
	movl	%edx, HC_GPR+4*R_EDX(%rax)
	movl	%ebx, HC_GPR+4*R_EBX(%rax)
	movl	%esp, HC_GPR+4*R_ESP(%rax)
	movl	%ebp, HC_GPR+4*R_EBP(%rax)
	movl	%esi, HC_GPR+4*R_ESI(%rax)
	movl	%edi, HC_GPR+4*R_EDI(%rax)
	movq	GATE_DATA(RT_SAVE_OFFSET), %rcx
	movl	%ecx, HC_GPR+4*R_EAX(%rax)
	movq	HC_HOST_RSP(%rax), %rsp
	pushfq
	popq	%rcx
	movl	%ecx, HC_EFLAGS(%rax)
	movq	%rax, %rdi
	movl	$3, %eax
	xorl	%edx, %edx
	xsave64	HC_FPU(%rdi)
	fninit
	pushq	$0x1f80
	ldmxcsr	(%rsp)
	popq	%rcx
	movq	HC_HOST_FSBASE(%rdi), %rax
	wrfsbase %rax
	pushq	$2
	popfq
	movl	$HC_EXIT_GATE, %eax
	LEAVE
gate_end:

	.section .note.GNU-stack, "", @progbits
