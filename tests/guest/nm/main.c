/* SPDX-License-Identifier: BSD-2-Clause */
/* CR0.TS: #NM from user mode at its first FPU instruction, from kernel mode at
 * instructions that save or restore the FPU; lazy switching as kernels do it. */
#include "guest.h"

/* TS set means that the very next instruction faults; LilyVM cannot wait longer. */
USER_CODE(user_fpu, "fldpi; fld1; faddp");

/* #NM handler of a lazy kernel: clear TS, go on. */
static unsigned count;
static void lazy(struct trap_frame *f)
{
	count++;
	printf("#NM: cs %x error %x TS %x\n", f->cs, f->error, read_cr0() & CR0_TS);
	asm volatile("clts");
}

int main(uint32_t magic, const void *info)
{
	struct trap_frame f;

	(void)magic, (void)info;
	trap_init();
	user_init();
	asm volatile("fninit");
	write_cr0(read_cr0() | CR0_TS);
	TRY("fxsave save_area_data"); try_print("fxsave");
	TRY("fxrstor save_area_data"); try_print("fxrstor");
	TRY("fnsave save_area_data"); try_print("fnsave");
	TRY("frstor save_area_data"); try_print("frstor");
	TRY("fninit"); try_print("fninit");
	printf("TS is still %x\n", read_cr0() & CR0_TS);
	user_print("user", user_fpu);
	asm volatile("clts");
	TRY("fnsave save_area_data"); try_print("fnsave after clts");
	/* Set again by lmsw, and the handler that goes on. */
	asm volatile("smsw %%ax; orw $8, %%ax; lmsw %%ax" : : : "eax");
	trap_set(7, lazy);
	f = user_start(user_fpu);
	user_enter(&f);
	printf("user went on: vector %x, %u #NM\n", f.vector, count);
	f = user_start(user_fpu);
	user_enter(&f);
	printf("again: vector %x, %u #NM\n", f.vector, count);
	return 0;
}
asm(".pushsection .bss; .balign 16; .globl save_area_data; save_area_data: .skip 512; .popsection");
