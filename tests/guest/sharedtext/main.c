/* SPDX-License-Identifier: BSD-2-Clause */
/* One piece of code that kernel mode and user mode both run. */
#include "guest.h"

/* Ends with int $0x80 in user mode, with ret in kernel mode: edi tells. */
extern const uint8_t both[], both_end[];
asm(".text\n.balign 4096\n.globl both, both_end\n"
    "both: pushfl; popl %eax; andl $0xcd5, %eax; movl %cs, %ecx; andl $3, %ecx; pushl %ds; popl "
    "%edx; andl $3, %edx\n"
    "movl $1, %ebx; lar %cx, %esi; cmpl $0, %edi; jne 1f; ret; 1: int $0x80\nboth_end: .balign "
    "4096\n");

static void kernel(void)
{
	uint32_t a, b, c, d, di = 0;

	asm volatile("call both"
		     : "=a"(a), "=b"(b), "=c"(c), "=d"(d), "+D"(di)
		     :
		     : "esi", "memory", "cc");
	printf("kernel: eax %x ebx %u cs RPL %u ds RPL %u\n", a & 0x400, b, c, d);
}

static void user(void)
{
	struct trap_frame f = user_start(both);

	f.edi = 1;
	user_enter(&f);
	printf("user: vector %x error %x ebx %u cs RPL %u ds RPL %u\n", f.vector, f.error, f.ebx,
	       f.ecx, f.edx);
}

int main(uint32_t magic, const void *info)
{
	(void)magic, (void)info;
	trap_init();
	user_init();
	user();
	for (unsigned n = 0; n < 3; n++) {
		kernel();
		user();
	}
	return 0;
}
