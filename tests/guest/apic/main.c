/* SPDX-License-Identifier: BSD-2-Clause */
/* Local APIC, I/O APIC and MP table: the timer, interrupts of ISA devices, messages to
 * itself, priorities. */
#include "guest.h"

#define LOCAL 0xfee00000u
#define IO 0xfec00000u
enum { ID = 0x20, VERSION = 0x30, TPR = 0x80, PPR = 0xa0, END = 0xb0, SVR = 0xf0, ISR = 0x100,
       IRR = 0x200, ICR = 0x300, TIMER = 0x320, LINT0 = 0x350, LINT1 = 0x360, INITIAL = 0x380,
       CURRENT = 0x390, DIVIDE = 0x3e0 };
#define MASKED 0x10000u
#define PERIODIC 0x20000u
#define LEVEL 0x8000u

static unsigned count[256];
static char order[8];
static unsigned norder;

static uint32_t get(unsigned reg) { return peek(LOCAL + reg); }
static void set(unsigned reg, uint32_t v) { poke(LOCAL + reg, v); }

static uint32_t io_get(unsigned n)
{
	poke(IO, n);
	return peek(IO + 0x10);
}

static void io_set(unsigned pin, uint32_t v)
{
	poke(IO, 0x10 + 2 * pin + 1);
	poke(IO + 0x10, get(ID));
	poke(IO, 0x10 + 2 * pin);
	poke(IO + 0x10, v);
}

static void taken(struct trap_frame *f)
{
	count[f->vector]++;
	if (norder < sizeof(order) - 1)
		order[norder++] = "0123456789abcdef"[f->vector >> 4];
	if (f->vector == 0x54)
		(void)inb(PORT_COM1 + 2);	/* takes the UART's request back */
	set(END, 0);
}

/* Lets what is pending come. */
static void open(void)
{
	sti();
	asm volatile("nop; nop");
	cli();
}

static bool sum_is_zero(const uint8_t *p, unsigned n)
{
	uint8_t s = 0;

	while (n--)
		s += *p++;
	return !s;
}

static const uint8_t *find_table(void)
{
	for (uint32_t a = 0xf0000; a < 0x100000; a += 16)
		if (!memcmp((const void *)a, "_MP_", 4) && sum_is_zero((const void *)a, 16))
			return (const uint8_t *)peek(a + 4);
	return NULL;
}

static void mp_table(void)
{
	const uint8_t *t = find_table(), *e;
	unsigned n[5] = { 0 }, timer = 99;

	if (!t || memcmp(t, "PCMP", 4)) {
		printf("no MP table\n");
		return;
	}
	for (e = t + 44; e < t + *(const uint16_t *)(t + 4); e += e[0] ? 8 : 20) {
		n[e[0] % 5]++;
		if (e[0] == 3 && e[5] == 0 && timer == 99)
			timer = e[7];
	}
	printf("MP table: sum %s, %u CPU, %u I/O APIC, local APIC %x, timer at input %u\n",
	       sum_is_zero(t, *(const uint16_t *)(t + 4)) ? "right" : "wrong", n[0], n[2],
	       *(const uint32_t *)(t + 36), timer);
}

static void registers(void)
{
	uint32_t a = 1, b, c, d;

	asm volatile("cpuid" : "+a"(a), "=b"(b), "=c"(c), "=d"(d));
	printf("cpuid APIC %u id %u, base %x, version %x, id %x\n", d >> 9 & 1, b >> 24,
	       (uint32_t)read_msr(0x1b), get(VERSION), get(ID));
	printf("I/O APIC: last entry %u, input 4 %x\n", io_get(1) >> 16, io_get(0x18));
	printf("8259s through LINT0: %x %x\n", get(LINT0) & 0x10700, get(LINT1) & 0x10700);
}

static void timer(void)
{
	set(DIVIDE, 0xb);
	set(TIMER, 0x50);
	set(INITIAL, 1000000);
	while (!count[0x50])
		open();
	printf("timer once: left %u of %u, interrupts %u\n", get(CURRENT), get(INITIAL), count[0x50]);
	set(TIMER, 0x50 | PERIODIC);
	set(INITIAL, 1000000);
	while (count[0x50] < 6)
		open();
	set(TIMER, 0x50 | MASKED);
	open();
	count[0x50] = 0;
	for (volatile unsigned i = 0; i < 1000000; i++)
		;
	open();
	printf("periodic, then masked: interrupts %u\n", count[0x50]);
}

static void devices(void)
{
	pit_once(1000);
	io_set(2, 0x52);
	while (!count[0x52])
		open();
	io_set(2, 0x52 | MASKED);
	printf("8254: interrupts %u\n", count[0x52]);
	outb(PORT_COM1 + 4, 0x0b);
	io_set(4, 0x54);
	outb(PORT_COM1 + 1, 2);		/* the transmitter is empty */
	for (unsigned i = 0; i < 1000000 && !count[0x54]; i++)
		open();
	outb(PORT_COM1 + 1, 0);
	io_set(4, 0x54 | MASKED);
	printf("UART: interrupts %s\n", count[0x54] ? "come" : "missing");
}

static void priorities(void)
{
	norder = 0;
	set(ICR, 0x40000 | 0x61);
	set(ICR, 0x40000 | 0x91);
	set(ICR, 0x40000 | 0x75);
	printf("requested: %x %x %x\n", get(IRR + 0x30), get(IRR + 0x40), get(PPR));
	set(TPR, 0x70);
	open();
	order[norder] = 0;
	printf("above 70: %s", order);
	set(TPR, 0);
	open();
	order[norder] = 0;
	printf(", then all: %s\n", order);
	printf("left: %x %x %x\n", get(IRR + 0x30), get(IRR + 0x40), get(ISR + 0x30));
	set(SVR, 0xff);			/* disabled by software: masked */
	printf("disabled: %x\n", get(TIMER) & MASKED);
	set(SVR, 0x1ff);
}

int main(uint32_t magic, const void *info)
{
	(void)magic, (void)info;
	trap_init();
	pic_init();
	for (unsigned v = 0x50; v < 0xa0; v++)
		trap_set(v, taken);
	mp_table();
	registers();
	set(LINT0, MASKED);
	set(SVR, 0x1ff);
	timer();
	devices();
	priorities();
	return 0;
}
