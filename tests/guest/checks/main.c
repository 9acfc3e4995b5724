/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Checks of the CPU that QEMU's TCG leaves out: segment limits, null selectors
 * in use, reserved bits of control registers, unknown MSRs, #XM and #AC, two vectors.
 */
#include "guest.h"

USER_CODE(user_nothing, "nop");
USER_CODE(user_simd, "pushl $0x1d80; ldmxcsr (%esp); movl $1, %eax; cvtsi2ss %eax, %xmm0; xorps "
		     "%xmm1, %xmm1; divss %xmm1, %xmm0");
USER_CODE(user_unaligned,
	  "pushfl; orl $0x40000, (%esp); popfl; movl %esp, %eax; movl 1(%eax), %ecx");
uint32_t fxsave_area[128] __attribute__((aligned(16)));
uint32_t frame[5];		/* eip cs eflags esp ss */

/* SDM 2, IRET: an absent stack segment is #SS. */
static void absent_stack(void)
{
	struct trap_frame f = user_start(user_nothing);

	gdt_set(SPARE_SEL + 8, 0, 0xfffff, 0xc073);
	memcpy(frame, (uint32_t[]){f.eip, f.cs, f.eflags, f.esp, SPARE_SEL + 8 + 3}, sizeof(frame));
	TRY("movl $5, %%ecx; 1: pushl frame - 4(, %%ecx, 4); loop 1b; iretl");
	printf("iret, ss not present: vector %u error %x\n", caught.vector, caught.error);
}

int main(uint32_t magic, const void *info)
{
	(void)magic, (void)info;
	trap_init();
	user_init();

	/* SDM 3, 5.3: limit checking. */
	gdt_set(SPARE_SEL, 0, 0xfff, 0x4093);
	TRY("movl $0x30, %%eax; movl %%eax, %%es; movl %%es:0xffc, %%eax");
	try_print("inside the limit");
	TRY("movl $0x30, %%eax; movl %%eax, %%es; " AT "movl %%es:0xffd, %%eax");
	try_print("beyond the limit");
	TRY("movl $0x30, %%eax; movl %%eax, %%es; " AT "movl %%eax, %%es:0x1000");
	try_print("write beyond the limit");

	/* SDM 3, 5.4.1: a null selector may be loaded, not used. */
	TRY("xorl %%eax, %%eax; movl %%eax, %%gs; " AT "movl %%gs:0x1000, %%eax");
	try_print("read through gs = 0");

	/* SDM 2, "MOV - Move to/from Control Registers": #GP(0). */
	TRY("movl %%cr4, %%eax; orl $0x80000000, %%eax; " AT "movl %%eax, %%cr4");
	try_print("cr4, reserved bit");
	TRY("movl %%cr0, %%eax; orl $0x80000000, %%eax; andl $~1, %%eax; " AT "movl %%eax, %%cr0");
	try_print("cr0, PG without PE");

	TRY("movl $0x12345, %%ecx; rdmsr"); try_print("rdmsr of an unknown register");
	TRY("movl $0x12345, %%ecx; wrmsr"); try_print("wrmsr of an unknown register");
	fxsave_area[6] = 0x10000;
	TRY("fxrstor fxsave_area"); try_print("fxrstor with a reserved bit of MXCSR");
	absent_stack();
	write_cr0(read_cr0() | 0x40020);	/* AM, NE */
	write_cr4(CR4_OSFXSR | 0x400);
	user_print("user, SSE division by zero", user_simd);
	user_print("user, unaligned with AC and AM", user_unaligned);
	TRY("xorl %%eax, %%eax; ltr %%ax"); try_print("ltr 0");
	return 0;
}
