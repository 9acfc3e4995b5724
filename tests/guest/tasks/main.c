/* SPDX-License-Identifier: BSD-2-Clause */
/* Task switches: by a far jump and back, by a far call and iret, and by a task
 * gate for a double fault, whose stack the faulting code could not offer. */
#include "guest.h"

#define OTHER_SEL SPARE_SEL
#define MAIN_SEL TSS_SEL

struct tss32 {
	uint32_t link, stacks[6], cr3, eip, eflags, eax, ecx, edx, ebx, esp, ebp, esi, edi;
	uint32_t es, cs, ss, ds, fs, gs, ldtr, trap;
};

static struct tss32 other;
static uint8_t stack[4096];
static volatile uint32_t rounds;

static uint32_t task_register(void)
{
	uint32_t v;

	asm volatile("str %0" : "=r"(v));
	return v;
}

static uint32_t cr0(void)
{
	uint32_t v;

	asm volatile("mov %%cr0, %0" : "=r"(v));
	return v;
}

static uint32_t flags(void)
{
	uint32_t v;

	asm volatile("pushf; pop %0" : "=r"(v));
	return v;
}

/* The other task: entered again behind its last switch. */
static __attribute__((noreturn)) void by_jump(void)
{
	for (;;) {
		printf("jump: in task %x, NT %u, TS %u\n", task_register(), flags() >> 14 & 1, cr0() >> 3 & 1);
		rounds++;
		asm volatile("ljmp %0, $0" : : "i"(MAIN_SEL));
	}
}

static __attribute__((noreturn)) void by_call(void)
{
	for (;;) {
		printf("call: in task %x, NT %u, link %x\n", task_register(), flags() >> 14 & 1, other.link & 0xffff);
		rounds++;
		asm volatile("iret");
	}
}

static __attribute__((noreturn)) void by_gate(void)
{
	uint32_t code = *(uint32_t *)(stack + sizeof(stack) - 4);

	printf("double fault: in task %x, NT %u, link %x, code %x\n", task_register(), flags() >> 14 & 1,
	       other.link & 0xffff, code);
	guest_exit(0);
}

static void other_start(void (*entry)(void))
{
	uint32_t cr3;

	asm volatile("mov %%cr3, %0" : "=r"(cr3));
	other = (struct tss32){
		.cr3 = cr3, .eip = (uint32_t)entry, .eflags = 2, .esp = (uint32_t)stack + sizeof(stack),
		.cs = KERNEL_CS, .ds = KERNEL_DS, .es = KERNEL_DS, .ss = KERNEL_DS, .fs = KERNEL_DS,
		.gs = KERNEL_DS, .trap = 104u << 16,
	};
	gdt_set(OTHER_SEL, (uint32_t)&other, sizeof(other) - 1, 0x89);
}

int main(uint32_t magic, const void *info)
{
	unsigned i;

	(void)magic, (void)info;
	trap_init();
	tss_init(NULL);
	other_start(by_jump);
	for (i = 0; i < 2; i++) {
		asm volatile("ljmp %0, $0" : : "i"(OTHER_SEL) : "memory");
		asm volatile("clts");
		printf("back in task %x, round %u\n", task_register(), rounds);
	}
	other_start(by_call);
	for (i = 0; i < 2; i++) {
		asm volatile("lcall %0, $0" : : "i"(OTHER_SEL) : "memory");
		printf("returned to task %x, NT %u, round %u\n", task_register(), flags() >> 14 & 1, rounds);
	}
	/* #GP whose handler cannot be reached: the double fault takes the gate. */
	other_start(by_gate);
	trap_gate(8, OTHER_SEL, 0, 0x5, 0);
	trap_gate(13, 0xfff8, 0, 0xe, 0);
	asm volatile("mov %0, %%ds" : : "r"(0x1000));
	return 1;
}
