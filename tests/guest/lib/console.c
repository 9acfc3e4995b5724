/* SPDX-License-Identifier: BSD-2-Clause */
/* Serial console (16550, polled), printf, memory functions, the end. */
#include "guest.h"

#define LSR_THRE 0x20

static void serial_init(void)
{
	outb(PORT_COM1 + 1, 0);		/* no interrupts */
	outb(PORT_COM1 + 3, 0x80);	/* DLAB */
	outb(PORT_COM1 + 0, 1);		/* 115200 baud */
	outb(PORT_COM1 + 1, 0);
	outb(PORT_COM1 + 3, 3);		/* 8N1 */
	outb(PORT_COM1 + 2, 7);		/* FIFOs on and empty */
}

void guest_start(uint32_t magic, const void *info) __attribute__((noreturn));
void guest_start(uint32_t magic, const void *info)
{
	serial_init();
	guest_exit((uint8_t)main(magic, info));
}

void guest_exit(uint8_t status)
{
	/* Let the transmitter run empty: the exit takes effect at once. */
	while (!(inb(PORT_COM1 + 5) & 0x40))
		;
	outb(PORT_EXIT, status);
	for (;;)
		asm volatile("cli; hlt");
}

void putch(char c)
{
	while (!(inb(PORT_COM1 + 5) & LSR_THRE))
		;
	outb(PORT_COM1, (uint8_t)c);
}

static void put_string(const char *s, unsigned width)
{
	unsigned n = 0;

	for (; *s; s++, n++)
		putch(*s);
	for (; n < width; n++)
		putch(' ');
}

static void put_number(uint32_t v, unsigned base, unsigned width, char pad)
{
	char digits[10];
	unsigned n = 0;

	do {
		digits[n++] = "0123456789abcdef"[v % base];
		v /= base;
	} while (v);
	for (; width > n; width--)
		putch(pad);
	while (n)
		putch(digits[--n]);
}

static void put_signed(int32_t v, unsigned width, char pad)
{
	if (v < 0) {
		putch('-');
		width -= width > 0;
	}
	put_number(v < 0 ? -(uint32_t)v : (uint32_t)v, 10, width, pad);
}

void printf(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	for (; *fmt; fmt++) {
		unsigned width = 0;
		char pad = ' ';

		if (*fmt != '%') {
			putch(*fmt);
			continue;
		}
		if (*++fmt == '0')
			pad = *fmt++;
		while (*fmt >= '0' && *fmt <= '9')
			width = width * 10 + (unsigned)(*fmt++ - '0');
		switch (*fmt) {
		case 'c': putch((char)va_arg(ap, int)); break;
		case 's': put_string(va_arg(ap, const char *), width); break;
		case 'd': put_signed(va_arg(ap, int32_t), width, pad); break;
		case 'u': put_number(va_arg(ap, uint32_t), 10, width, pad); break;
		case 'x': put_number(va_arg(ap, uint32_t), 16, width, pad); break;
		default: putch(*fmt); break;
		}
	}
	va_end(ap);
}

void *memset(void *p, int c, size_t n)
{
	void *to = p;

	asm volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(c) : "memory");
	return p;
}

void *memmove(void *to, const void *from, size_t n)
{
	uint8_t *t = to;
	const uint8_t *f = from;

	if (t <= f)
		return memcpy(to, from, n);	/* copies upwards */
	while (n--) {
		t[n] = f[n];
		asm volatile("" : : : "memory");	/* no call of this function */
	}
	return to;
}

void *memcpy(void *to, const void *from, size_t n)
{
	void *p = to;

	asm volatile("rep movsb" : "+D"(p), "+S"(from), "+c"(n) : : "memory");
	return to;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const uint8_t *x = a, *y = b;

	for (; n; n--, x++, y++)
		if (*x != *y)
			return *x - *y;
	return 0;
}
