/* SPDX-License-Identifier: BSD-2-Clause */
/* A 486 without CPUID: how kernels tell it, and what it refuses. */
#include "guest.h"

#define FL_AC 0x40000u
#define FL_ID 0x200000u

USER_CODE(user_cpuid, "cpuid");
USER_CODE(user_486, "movl $0x12345678, %eax; bswap %eax; movl $1, %ebx; xaddl %ebx, %eax");

static void toggle(const char *name, uint32_t bit)
{
	uint32_t before = read_eflags();

	write_eflags(before ^ bit);
	printf("%s can be toggled: %s\n", name, (read_eflags() ^ before) & bit ? "yes" : "no");
	write_eflags(before);
}

/* The same by iret. */
static void toggle_by_iret(uint32_t bit)
{
	uint32_t after;

	asm volatile("pushfl; xorl %1, (%%esp); pushl %%cs; pushl $1f; iret; 1: pushfl; popl %0"
		     : "=r"(after) : "ri"(bit) : "memory", "cc");
	printf("by iret: %s\n", after & bit ? "yes" : "no");
}

int main(uint32_t magic, const void *info)
{
	struct trap_frame f = user_start(user_486);

	(void)magic, (void)info;
	trap_init();
	user_init();
	toggle("AC", FL_AC);
	toggle("ID", FL_ID);
	toggle_by_iret(FL_ID);
	TRY("cpuid"); try_print("cpuid");
	TRY(".byte 0x0f, 0x20, 0xe0"); try_print("mov from cr4");
	TRY("xorl %%eax, %%eax; movl %%eax, %%cr4"); try_print("mov to cr4");
	TRY("rdmsr"); try_print("rdmsr");
	TRY("wrmsr"); try_print("wrmsr");
	TRY("fxsave save_area"); try_print("fxsave");
	TRY("fxrstor save_area"); try_print("fxrstor");
	TRY("sysenter"); try_print("sysenter");
	TRY("sysexit"); try_print("sysexit");
	TRY("rdpmc"); try_print("rdpmc");
	TRY("invlpg (%%esp)"); try_print("invlpg");
	TRY("wbinvd"); try_print("wbinvd");
	TRY("fninit; fnsave save_area; frstor save_area"); try_print("fnsave");
	user_print("user, cpuid", user_cpuid);
	user_enter(&f);
	printf("user, 486 code: vector %x eax %x ebx %x\n", f.vector, f.eax, f.ebx);
	return 0;
}
asm(".pushsection .bss; .balign 16; save_area: .skip 512; .popsection");
