/* SPDX-License-Identifier: BSD-2-Clause */
/* in, out, ins, outs in all sizes, with rep and DF, on the scratch register of
 * the 16550, CMOS memory and PCI's configuration address register. */
#include "guest.h"

#define SCRATCH 0x3ff
#define PCI 0xcf8

uint8_t bytes[16];
uint32_t words[4];

static void cmos_write(uint8_t reg, uint8_t v) { outb(0x70, reg); outb(0x71, v); }
static uint8_t cmos_read(uint8_t reg) { outb(0x70, reg); return inb(0x71); }

static void show(const char *name)
{
	printf("%s:", name);
	for (unsigned i = 0; i < sizeof(bytes); i++)
		printf(" %02x", bytes[i]);
	printf("\n");
}

static void sizes(void)
{
	uint32_t v = 0x11223344;

	outb(SCRATCH, 0x5a);
	asm volatile("movw $0x3ff, %%dx; inb %%dx, %%al" : "+a"(v) : : "edx");
	printf("inb: %x\n", v);
	asm volatile("movl $0x80001234, %%eax; outl %%eax, %%dx; xorl %%eax, %%eax; inl %%dx, %%eax"
		     : "=a"(v) : "d"(PCI));
	printf("outl, inl: %x\n", v);
	/* Immediate ports: the mask register of the first 8259. */
	asm volatile("movb $0xfb, %%al; outb %%al, $0x21; movl $-1, %%eax; inb $0x21, %%al"
		     : "=a"(v));
	printf("outb, inb with immediate port: %x\n", v);
}

static void strings(void)
{
	uint32_t di, si, cx;

	outb(SCRATCH, 0xa5);
	memset(bytes, 0, sizeof(bytes));
	asm volatile("rep insb"
		     : "=D"(di), "=c"(cx)
		     : "0"(bytes + 4), "1"(3), "d"(SCRATCH)
		     : "memory");
	show("rep insb");
	printf("edi +%u ecx %u\n", di - (uint32_t)(bytes + 4), cx);
	memset(bytes, 0, sizeof(bytes));
	asm volatile("std; rep insb; cld"
		     : "=D"(di), "=c"(cx)
		     : "0"(bytes + 4), "1"(3), "d"(SCRATCH)
		     : "memory");
	show("std, rep insb");
	printf("edi %d ecx %u\n", di - (uint32_t)(bytes + 4), cx);
	asm volatile("rep insb" : "=D"(di), "=c"(cx) : "0"(bytes), "1"(0), "d"(SCRATCH) : "memory");
	printf("count 0: edi +%u\n", di - (uint32_t)bytes);
	memcpy(bytes, "\x01\x02\x03\x04", 4);
	asm volatile("rep outsb"
		     : "=S"(si), "=c"(cx)
		     : "0"(bytes), "1"(4), "d"(SCRATCH)
		     : "memory");
	printf("rep outsb: esi +%u ecx %u scratch %x\n", si - (uint32_t)bytes, cx, inb(SCRATCH));
	asm volatile("std; rep outsb; cld"
		     : "=S"(si), "=c"(cx)
		     : "0"(bytes + 3), "1"(3), "d"(SCRATCH)
		     : "memory");
	printf("std, rep outsb: esi %d scratch %x\n", si - (uint32_t)(bytes + 3), inb(SCRATCH));
	words[0] = 0x80000018;
	words[1] = 0x8000001c;
	asm volatile("rep outsl" : "=S"(si), "=c"(cx) : "0"(words), "1"(2), "d"(PCI) : "memory");
	asm volatile("rep insl" : "=D"(di), "=c"(cx) : "0"(words + 2), "1"(2), "d"(PCI) : "memory");
	printf("outsl, insl: %x %x esi +%u edi +%u\n", words[2], words[3], si - (uint32_t)words,
	       di - (uint32_t)(words + 2));
}

/* Without a prefix; outs takes a segment, ins writes to es. */
static void single(void)
{
	uint32_t di, si;

	outb(SCRATCH, 0x3c);
	memset(bytes, 0, sizeof(bytes));
	asm volatile("insb" : "=D"(di) : "0"(bytes), "d"(SCRATCH) : "memory");
	show("insb");
	gdt_set(SPARE_SEL, 4, 0xfffff, 0xc093);
	memcpy(bytes, "\x10\x20\x30\x40\x50\x60", 6);
	asm volatile("movl %3, %%fs; fs outsb"
		     : "=S"(si)
		     : "0"(bytes), "d"(SCRATCH), "r"(SPARE_SEL)
		     : "memory");
	printf("fs outsb: scratch %x esi +%u\n", inb(SCRATCH), si - (uint32_t)bytes);
	asm volatile("movl %2, %%es; insb; movl %3, %%es"
		     : "=D"(di)
		     : "0"(bytes), "r"(SPARE_SEL), "r"(KERNEL_DS), "d"(SCRATCH)
		     : "memory");
	show("insb, es based");
}

int main(uint32_t magic, const void *info)
{
	(void)magic, (void)info;
	trap_init();
	try_init();
	cmos_write(0x40, 0x99);
	printf("cmos %x\n", cmos_read(0x40));
	sizes();
	strings();
	single();
	return 0;
}
