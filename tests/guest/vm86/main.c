/* SPDX-License-Identifier: BSD-2-Clause */
/* Virtual-8086 mode: entry by iret, the frame of 9 words, sensitive instructions. */
#include "guest.h"

#define CODE 0x7000u		/* linear; cs 0x700 */
#define VM (1u << 17)

struct vm86_frame { struct trap_frame f; uint32_t es, ds, fs, gs; };
static struct vm86_frame seen;
void vm86_enter(uint32_t eflags);

asm(".text\n.globl vm86_enter\nvm86_enter:\n\t"
    "movl 4(%esp), %eax; pushl %ebp; pushl %ebx; pushl %esi; pushl %edi\n\t"
    "movl %esp, vm86_esp; movl %esp, tss + 4\n\t"
    "pushl $0x40; pushl $0x30; pushl $0x20; pushl $0x10\n\t"	/* gs fs ds es */
    "pushl $0x800; pushl $0x100; pushl %eax; pushl $0x700; pushl $0\n\t"
    "movl $0x1234, %eax; movl $0x5678, %ebx; iretl\n"
    ".globl vm86_leave\nvm86_leave:\n\t"
    "movl $0x10, %eax; movl %eax, %ds; movl %eax, %es; movl %eax, %fs; movl %eax, %gs\n\t"
    "movl vm86_esp, %esp; popl %edi; popl %esi; popl %ebx; popl %ebp; ret\n");
uint32_t vm86_esp;
void vm86_leave(void) __attribute__((noreturn));

static void back(struct trap_frame *f)
{
	memcpy(&seen, f, sizeof(seen));
	vm86_leave();
}

static void run(const char *name, const char *code, size_t n, uint32_t eflags)
{
	memset((void *)CODE, 0xf4, 64);
	memcpy((void *)CODE, code, n);
	vm86_enter(eflags | VM | 2);
	printf("%s: vector %u error %x %x:%x ss:sp %x:%x es %x ds %x fs %x gs %x flags %x ax %x bx "
	       "%x\n",
	       name, seen.f.vector, seen.f.error, seen.f.cs, seen.f.eip, seen.f.ss, seen.f.esp,
	       seen.es, seen.ds, seen.fs, seen.gs, seen.f.eflags & ~0x108d5u, seen.f.eax,
	       seen.f.ebx & 0xffff);
}
#define RUN(name, code, eflags) run(name, code, sizeof(code) - 1, eflags)

int main(uint32_t magic, const void *info)
{
	(void)magic, (void)info;
	trap_init();
	tss_init(NULL);
	for (unsigned v = 0; v < 32; v++)
		trap_set(v, back);
	trap_set(0x80, back);
	trap_gate(0x80, KERNEL_CS, trap_entry(0x80), 0xe, 3);
	RUN("hlt", "\xf4", 0);
	RUN("cs, ds", "\x8c\xc8\x8c\xdb\xf4", 0);
	RUN("mov ds", "\xb8\x00\x50\x8e\xd8\xbb\x34\x12\x89\x1e\x10\x00\xf4", 0);
	RUN("push pop", "\x68\x77\x66\x5b\x0e\x58\xf4", 0);
	RUN("far jump", "\xea\x06\x00\x00\x07\xf4\xb8\x05\x00\xf4", 0);
	RUN("cli", "\xfa", 0);
	RUN("cli, IOPL 3", "\xfa\xf4", 0x3200);
	RUN("pushf", "\x9c", 0);
	RUN("pushf, IOPL 3", "\x9c\x58\xf4", 0x3200);
	RUN("int 21", "\xcd\x21", 0);
	RUN("int 80, IOPL 3", "\xcd\x80", 0x3000);
	RUN("iret", "\xcf", 0);
	RUN("in", "\xe4\x21", 0);
	RUN("ud2", "\x0f\x0b", 0);
	RUN("div", "\x31\xdb\xf7\xf3", 0);
	RUN("lar", "\x0f\x02\xc3", 0);
	return 0;
}
