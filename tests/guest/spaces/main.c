/* SPDX-License-Identifier: BSD-2-Clause */
/* Two address spaces switched by CR3: the same user address holds other code
 * and data in each; shared pages; the FPU over switches. */
#include "guest.h"

#define CODE 0x40000000u
#define DATA 0x40001000u
#define SHARED 0x50000000u
#define STACK 0x7fffe000u
#define FLAGS (PTE_P | PTE_W | PTE_U)

/* Position-independent: run at CODE. */
USER_CODE(program,
	  "incl 0x40001000; movl 0x40001000, %eax; addl %eax, 0x50000000; pushl %ebx; popl %edx");
USER_CODE(program_end, "nop");
USER_CODE(fpu_load, "fninit; movups 0x40001010, %xmm3; fildl 0x40001000");
USER_CODE(fpu_store, "movups %xmm3, 0x40001020; fistpl 0x40001030; movl 0x40001030, %eax; movl "
		     "0x40001020, %ebx");

static uint32_t *dirs[2];
static uint32_t *datas[2];
static uint8_t area[2][512] __attribute__((aligned(16)));

static struct trap_frame run(unsigned n, const void *code)
{
	struct trap_frame f = user_start(code);

	write_cr3((uint32_t)dirs[n]);
	f.esp = STACK + PAGE;
	f.ebx = 0x100 + n;
	f.eax = f.edx = 0;
	user_enter(&f);
	if (f.vector != 0x80)
		printf("unexpected vector %u error %x cr2 %x\n", f.vector, f.error, read_cr2());
	return f;
}

int main(uint32_t magic, const void *info)
{
	uint32_t *shared = page_alloc();

	(void)magic, (void)info;
	trap_init();
	user_init();
	write_cr4(CR4_OSFXSR);
	for (unsigned n = 0; n < 2; n++) {
		uint8_t *code = page_alloc();

		dirs[n] = paging_new();
		datas[n] = page_alloc();
		memcpy(code, program, (size_t)(program_end - program));
		page_map(dirs[n], CODE, code, FLAGS);
		page_map(dirs[n], DATA, datas[n], FLAGS);
		page_map(dirs[n], SHARED, shared, FLAGS);
		page_map(dirs[n], STACK, page_alloc(), FLAGS);
		datas[n][0] = n * 1000;
		for (unsigned i = 4; i < 8; i++)
			datas[n][i] = 0xf00 + n;
	}
	paging_on(dirs[0]);
	for (unsigned i = 0; i < 6; i++) {
		struct trap_frame f = run(i & 1, (void *)CODE);

		printf("space %u: eax %u edx %x shared %u\n", i & 1, f.eax, f.edx, *shared);
	}
	/* Kernel mode sees the space that is loaded. */
	for (unsigned n = 0; n < 2; n++) {
		write_cr3((uint32_t)dirs[n]);
		printf("kernel in space %u: %u\n", n, peek(DATA));
	}
	/* Each space's FPU state saved and loaded around the switch. */
	for (unsigned n = 0; n < 2; n++) {
		run(n, fpu_load);
		asm volatile("fxsave %0" : "=m"(area[n]));
	}
	for (unsigned n = 0; n < 2; n++) {
		struct trap_frame f;

		asm volatile("fxrstor %0" : : "m"(area[n]));
		f = run(n, fpu_store);
		printf("FPU of space %u: %u %x\n", n, f.eax, f.ebx);
	}
	/* Not saved: it goes along, as the registers are the CPU's. */
	run(0, fpu_load);
	printf("FPU of space 0, stored in 1: %u\n", run(1, fpu_store).eax);
	return 0;
}
