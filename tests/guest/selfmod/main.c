/* SPDX-License-Identifier: BSD-2-Clause */
/* Code that the kernel writes, copies and changes, with instructions that a
 * monitor has to notice: pushf shows IF, which popf and cli have set. */
#include "guest.h"

#define IF 0x200u

typedef uint32_t code_fn(void);
static uint8_t pages[4][PAGE] __attribute__((aligned(4096)));

/* pushf; pop %eax; ret */
static const uint8_t get_flags[] = { 0x9c, 0x58, 0xc3 };
/* mov %cs, %eax; ret */
static const uint8_t get_cs[] = { 0x8c, 0xc8, 0xc3 };
/* push %cs; pop %eax; ret */
static const uint8_t push_cs[] = { 0x0e, 0x58, 0xc3 };
/* smsw %eax; ret */
static const uint8_t get_msw[] = { 0x0f, 0x01, 0xe0, 0xc3 };
/* mov $1, %eax; ret */
static const uint8_t one[] = { 0xb8, 1, 0, 0, 0, 0xc3 };

static uint32_t run(void *at, const void *code, size_t n)
{
	memcpy(at, code, n);
	return ((code_fn *)at)();
}
#define RUN(at, code) run(at, code, sizeof(code))

/* Copied by the kernel from its own text, where it may have been changed. */
extern const char text_copy[], text_copy_end[];
asm(".text\n.globl text_copy, text_copy_end\ntext_copy: pushfl; popl %eax; movl %cs, %edx; pushl "
    "%cs; "
    "popl %ecx; smsw %ebx; sldt %cx; shll $16, %edx; orl %edx, %eax; ret\ntext_copy_end:\n");

static uint32_t call_saving(void *at)
{
	uint32_t r;

	asm volatile("call *%1" : "=a"(r) : "r"(at) : "ebx", "ecx", "edx", "memory", "cc");
	return r & 0xffff0200;
}

static void written(void)
{
	printf("pushf: %x\n", RUN(pages[0], get_flags) & IF);
	printf("cs: %x\n", RUN(pages[0], get_cs));
	printf("push cs: %x\n", RUN(pages[0] + 100, push_cs) & 0xffff);
	printf("smsw: %x\n", RUN(pages[0] + 50, get_msw) & 1);
	printf("cs again: %x\n", ((code_fn *)pages[0])());
	sti();
	printf("pushf with IF: %x\n", RUN(pages[1], get_flags) & IF);
	cli();
	printf("pushf without: %x\n", ((code_fn *)pages[1])() & IF);
}

static void copied(void)
{
	size_t n = (size_t)(text_copy_end - text_copy);
	uint8_t copy[64];

	printf("in the text: %x\n", call_saving((void *)text_copy));
	memcpy(pages[2] + 7, text_copy, n);
	printf("copied: %x\n", call_saving(pages[2] + 7));
	/* Through a buffer, byte by byte. */
	for (size_t i = 0; i < n; i++)
		copy[i] = ((volatile const uint8_t *)text_copy)[i];
	for (size_t i = 0; i < n; i++)
		((volatile uint8_t *)pages[2])[i + 1000] = copy[i];
	printf("copied twice: %x\n", call_saving(pages[2] + 1000));
	memcpy(pages[3], pages[2], PAGE);
	printf("whole page copied: %x %x\n", call_saving(pages[3] + 7),
	       call_saving(pages[3] + 1000));
}

/* The same place, other code each time. */
static void changed(void)
{
	uint8_t *p = pages[0] + 300;

	for (unsigned n = 0; n < 3; n++) {
		printf("change %u: %x", n, RUN(p, one));
		printf(" %x", RUN(p, get_cs));
		printf(" %x", RUN(p, get_flags) & IF);
		p[0] = 0x90;		/* nop; pop %eax; ret: behind a push of 42 */
		p[1] = 0x6a; p[2] = 42; p[3] = 0x58; p[4] = 0xc3;
		printf(" %u\n", ((code_fn *)p)());
	}
}

/* Code and data that it writes in one page, many times. */
static void mixed(void)
{
	/* pushf; pop %eax; incl counter; pushf; pop %ecx; ret */
	uint8_t code[] = { 0x9c, 0x58, 0xff, 0x05, 0, 0, 0, 0, 0x9c, 0x59, 0xc3 };
	uint32_t counter = (uint32_t)(pages[1] + 2000), ifs = 0;

	memcpy(code + 4, &counter, 4);
	memcpy(pages[1] + 1000, code, sizeof(code));
	poke(counter, 0);
	for (unsigned n = 0; n < 500; n++)
		ifs |= ((code_fn *)(pages[1] + 1000))() & IF;
	printf("mixed: %u times, IF %x\n", peek(counter), ifs);
}

/* At the end of a page, and over it. */
static void crossing(void)
{
	uint8_t *end = pages[1];		/* behind pages[0] */

	printf("pushf last in its page: %x\n", RUN(end - 1, get_flags) & IF);
	for (unsigned n = 1; n < 4; n++)
		printf("smsw, %u bytes before the end: %x\n", n, RUN(end - n, get_msw) & 1);
	printf("cs, one byte before: %x\n", RUN(end - 1, get_cs));
	/* Only the second page changes: the instruction is another one. */
	memcpy(end - 1, get_msw, sizeof(get_msw));
	(void)((code_fn *)(end - 1))();
	memcpy(end - 1, (const uint8_t[]){0x0f, 0xa2, 0xb8, 5, 0, 0, 0, 0xc3},
	       8); /* cpuid; mov $5, %eax; ret */
	printf("second half changed: %x\n", call_saving(end - 1) >> 16);
	printf("returned: %u\n", ({
		       uint32_t r;
		       asm volatile("call *%1" : "=a"(r) : "r"(end - 1) : "ebx", "ecx", "edx");
		       r;
	       }));
}

/* The instruction behind the store is the one that was stored. */
static void next_instruction(void)
{
	uint32_t r;

	asm volatile("movb $0x40, 1f; jmp 1f; 1: nop; nop" : "=a"(r) : "0"(7) : "memory", "cc");
	printf("stored and run: %u\n", r);
	/* push %ebx becomes pushf, whose IF is the guest's. */
	asm volatile("movb $0x9c, 1f; jmp 1f; 1: pushl %%ebx; popl %0"
		     : "=r"(r)
		     :
		     : "memory", "cc");
	printf("a stored pushf: %x\n", r & IF);
}

int main(uint32_t magic, const void *info)
{
	(void)magic, (void)info;
	trap_init();
	try_init();
	written();
	copied();
	changed();
	mixed();
	crossing();
	next_instruction();
	return 0;
}
