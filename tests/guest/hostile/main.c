/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A kernel that means harm: it shares a process with the monitor, goes to 64-bit mode there
 * behind the monitor's back and makes system calls of the host.  The command line says which:
 *
 *	ABI NUMBER ARGUMENT... [; ABI NUMBER ARGUMENT...]
 *
 * ABI is 64, x32 or 32 (int $0x80).  An argument is a number, s:TEXT (a pointer to it),
 * b:HEX (a pointer to these bytes), m (a pointer to memory) or r (the last call's result).
 * Each result is printed.  Without a command line it does no harm.
 */
#include "hostile.h"

#define MAX_ARGS 6
#define X32_BIT 0x40000000u

uint32_t hostile_args[MAX_ARGS], hostile_number;

/* On pages that are there, because the host does not wait for a guest's page fault. */
static char text[4 * PAGE] __attribute__((aligned(4096)));
static uint8_t memory[PAGE] __attribute__((aligned(4096)));
static size_t used;

static const char *skip(const char *s)
{
	while (*s == ' ')
		s++;
	return s;
}

static bool word_end(char c)
{
	return !c || c == ' ';
}

static uint32_t digit(char c)
{
	return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
}

static uint32_t number(const char *s)
{
	uint32_t v = 0, base = 10;
	bool minus = *s == '-';

	s += minus;
	if (s[0] == '0' && s[1] == 'x') {
		base = 16;
		s += 2;
	}
	for (; !word_end(*s); s++)
		v = v * base + digit(*s);
	return minus ? -v : v;
}

/* Copies a word; hex: two digits make a byte. */
static uint32_t keep(const char *s, bool hex)
{
	size_t start = used;

	while (!word_end(*s) && used < sizeof text - 2) {
		text[used++] = hex ? (char)(digit(s[0]) << 4 | digit(s[1])) : s[0];
		s += hex ? 2 : 1;
	}
	text[used++] = '\0';
	return (uint32_t)&text[start];
}

static uint32_t argument(const char *s, uint32_t last)
{
	if (s[0] == 's' && s[1] == ':')
		return keep(s + 2, false);
	if (s[0] == 'b' && s[1] == ':')
		return keep(s + 2, true);
	if (s[0] == 'm')
		return (uint32_t)memory;
	if (s[0] == 'r')
		return last;
	return number(s);
}

static const char *next(const char *s)
{
	while (!word_end(*s))
		s++;
	return skip(s);
}

/* One call, up to a semicolon; where the next one begins. */
static const char *one(const char *s, uint32_t *last)
{
	bool ia32 = s[0] == '3', x32 = s[0] == 'x';
	unsigned n;

	s = next(s);
	hostile_number = number(s) | (x32 ? X32_BIT : 0);
	s = next(s);
	for (n = 0; n < MAX_ARGS; n++)
		hostile_args[n] = 0;
	for (n = 0; *s && *s != ';'; s = next(s))
		if (n < MAX_ARGS)
			hostile_args[n++] = argument(s, *last);
	*last = ia32 ? hostile_call32() : hostile_call64();
	printf("result %d\n", (int)*last);
	return *s == ';' ? next(s) : s;
}

int main(uint32_t magic, const void *info)
{
	const uint32_t *fields = info;
	const char *s = magic == 0x2badb002 && (fields[0] & 4) ? (const char *)fields[4] : "";
	uint32_t last = 0;

	memset(text, ' ', sizeof text);
	memset(memory, 0, sizeof memory);
	/* The kernel's own name comes first, from some loaders. */
	while (*s && *s != '6' && *s != 'x' && *s != '3')
		s = next(s);
	if (!*s)
		printf("no harm is asked for\n");
	while (*s)
		s = one(s, &last);
	return 0;
}
