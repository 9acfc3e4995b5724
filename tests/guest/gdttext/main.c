/* SPDX-License-Identifier: BSD-2-Clause */
/* A GDT within the text, whose bytes look like code, and its segments of base 1 GiB, through
 * which a kernel linked at 3 GiB runs at its offsets before paging is on (GNU Mach). */
#include "guest.h"

extern const uint32_t text_gdt[6];
/* Runs with the segments of text_gdt; returns to flat ones.  Offsets are links plus
 * OFFSET, branches relative. */
uint32_t through_base(uint32_t a);

asm(".text\n"
    "through_base:\n\t"
    "movl 4(%esp), %eax; pushl %ebp; pushl %ebx\n\t"
    "lgdt text_gdt_pointer\n\t"
    "ljmp $8, $0xc0000000 + 1f\n"
    "1:\t"
    "movl %cs, %ebx; movl $0x10, %ecx; movl %ecx, %ds; movl %ecx, %es; movl %ecx, %ss\n\t"
    "addl $0xc0000000, %esp\n\t"
    "call 2f; jmp 3f\n"
    "2:\tpushl %eax; pushfl; popl %edx; popl %eax; incl cells - BASE_IS; addl cells - BASE_IS, %eax; ret\n"
    "3:\tmovl $3, %ecx; leal more - BASE_IS, %edi; rep stosl\n\t"
    "subl $0xc0000000, %esp\n\t"
    "lgdt gdt_pointer - BASE_IS\n\t"
    "ljmp $0x08, $4f\n"
    "4:\tmovl $0x10, %ecx; movl %ecx, %ds; movl %ecx, %es; movl %ecx, %ss\n\t"
    "shll $16, %ebx; orl %ebx, %eax; popl %ebx; popl %ebp; ret\n\t"
    ".set BASE_IS, 0x40000000\n\t"
    "call through_base\n\t"
    ".balign 16, 0x90; .word 0\n"
    "text_gdt_pointer:\t.word 31; .long text_gdt\n\t"
    ".balign 16, 0x90\n"
    "text_gdt:\t.long 0, 0, 0x0000ffff, 0x40cf9a00, 0x0000ffff, 0x40cf9200; .fill 8, 1, 0x90\n");

uint32_t cells[1] = { 0x10 }, more[4];

int main(uint32_t magic, const void *info)
{
	(void)magic, (void)info;
	printf("result %x", through_base(0x100));
	printf(", cell %x\n", cells[0]);
	printf("stored %x %x %x %x\n", more[0], more[1], more[2], more[3]);
	/* The accessed bits were set in it. */
	printf("code %x %x\n", text_gdt[2], text_gdt[3] & ~0x100u);
	printf("data %x %x\n", text_gdt[4], text_gdt[5]);
	return 0;
}
