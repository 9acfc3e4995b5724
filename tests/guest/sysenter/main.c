/* SPDX-License-Identifier: BSD-2-Clause */
/* SYSENTER and SYSEXIT: MSRs, registers, segments, flags. */
#include "guest.h"

#define MSR_CS 0x174
#define MSR_ESP 0x175
#define MSR_EIP 0x176

static uint8_t stack[4096] __attribute__((aligned(16)));
struct { uint32_t eax, ecx, edx, ebx, esi, edi, ebp, esp, eflags, cs, ss; } seen;
void sysenter_entry(void);

/* Notes all registers, then goes back by sysexit: edx and ecx are the user's
 * eip and esp, eax the answer. */
asm(".text\n"
    ".globl sysenter_entry\n"
    "sysenter_entry:\n\t"
    "movl %eax, seen; movl %ecx, seen + 4; movl %edx, seen + 8; movl %ebx, seen + 12\n\t"
    "movl %esi, seen + 16; movl %edi, seen + 20; movl %ebp, seen + 24; movl %esp, seen + 28\n\t"
    "pushfl; popl seen + 32; movw %cs, seen + 36; movw %ss, seen + 40\n\t"
    "movl %esi, %edx; movl %ebp, %ecx; movl $0x600d, %eax\n\t"
    "sysexit\n");

/* The kernel cannot know the user's eip and esp but from the user: here in esi
 * and ebp, which by the Linux convention is esp. */
USER_CODE(user_sysenter,
	  "movl $0x11, %eax; movl $0x22, %ecx; movl $0x33, %edx; movl $0x44, %ebx\n\t"
	  "movl $1f, %esi; movl $0x66, %edi; movl %esp, %ebp; stc; sysenter\n"
	  "1: nop");

int main(uint32_t magic, const void *info)
{
	struct trap_frame f;

	(void)magic, (void)info;
	trap_init();
	user_init();
	f = user_start(user_sysenter);
	user_enter(&f);
	printf("sysenter with IA32_SYSENTER_CS 0: vector %u error %x\n", f.vector, f.error);
	write_msr(MSR_CS, KERNEL_CS);
	write_msr(MSR_ESP, (uint32_t)stack + sizeof(stack));
	write_msr(MSR_EIP, (uint32_t)sysenter_entry);
	printf("MSRs: %x %s %s\n", (uint32_t)read_msr(MSR_CS),
	       (uint32_t)read_msr(MSR_ESP) == (uint32_t)stack + sizeof(stack) ? "right" : "wrong",
	       (uint32_t)read_msr(MSR_EIP) == (uint32_t)sysenter_entry ? "right" : "wrong");
	for (unsigned n = 0; n < 3; n++) {
		f = user_start(user_sysenter);
		f.eflags |= n ? 0x200 : 0;	/* IF is cleared on the way in */
		user_enter(&f);
		printf("kernel: eax %x ecx %x edx %x ebx %x edi %x cs %x ss %x flags %x esp %s\n",
		       seen.eax, seen.ecx, seen.edx, seen.ebx, seen.edi, seen.cs, seen.ss,
		       seen.eflags & 0x23201,
		       seen.esp == (uint32_t)stack + sizeof(stack) ? "right" : "wrong");
		printf("user: vector %x eax %x cs %x ss %x esp %s\n", f.vector, f.eax, f.cs, f.ss,
		       f.esp == f.ebp ? "right" : "wrong");
	}
	write_msr(MSR_CS, 0);
	TRY("sysexit"); try_print("sysexit with IA32_SYSENTER_CS 0");
	return 0;
}
