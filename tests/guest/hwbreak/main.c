/* SPDX-License-Identifier: BSD-2-Clause */
/* Hardware breakpoints in user mode: on instructions, writes, accesses. */
#include "guest.h"

uint32_t watched[4];

USER_CODE(
	user_code,
	"nop; nop; movl $1, watched; nop; movl watched, %eax; nop; movb $2, watched + 6; nop; nop");

static void set(uint32_t d0, uint32_t d1, uint32_t d7)
{
	asm volatile("movl %0, %%dr0; movl %1, %%dr1; movl %3, %%dr6; movl %2, %%dr7"
		     : : "r"(d0), "r"(d1), "r"(d7), "r"(0));
}

static void run(const char *name)
{
	struct trap_frame f = user_start(user_code);
	uint32_t dr6;

	printf("%s:", name);
	for (unsigned n = 0; n < 8; n++) {
		user_enter(&f);
		if (f.vector != 1)
			break;
		asm volatile("movl %%dr6, %0; movl %1, %%dr6" : "=&r"(dr6) : "r"(0));
		printf(" +%u (%x)", f.eip - (uint32_t)user_code, dr6 & 0xe00f);
		f.eflags |= 1 << 16;	/* RF: not again */
	}
	printf(" vector %x\n", f.vector);
}

int main(uint32_t magic, const void *info)
{
	(void)magic, (void)info;
	trap_init();
	user_init();
	run("none");
	set((uint32_t)user_code + 1, 0, 0x2);
	run("execute");
	set((uint32_t)watched, 0, 0xd0002);
	run("write");
	set((uint32_t)watched, 0, 0xf0002);
	run("access");
	set((uint32_t)watched, (uint32_t)watched + 6, 0x1d000a);
	run("write of two");
	set((uint32_t)watched, 0, 0xd0000);
	run("disabled");
	return 0;
}
