/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzzes the scanner of assembler text.
 *
 *	text_fuzz [COUNT [SEED]]	COUNT texts made from the words below
 *	text_fuzz as COUNT [SEED]	as well, each given to `as`: what it takes must be
 *					taken after rewriting, too
 *	text_fuzz FILE...		these files (what a crash has left)
 *
 * With -DLIBFUZZER it is a libFuzzer target; build it, from the top, and run:
 *
 *	clang -std=gnu11 -g -O1 -DLIBFUZZER -fsanitize=fuzzer,address,undefined \
 *		-fno-sanitize-recover=undefined -Isrc tests/fuzz/text_fuzz.c \
 *		src/rewriter/{text*,insntab,decode}.c src/error.c -o text_fuzz
 *	./text_fuzz -max_len=512 -max_total_time=60
 *
 * Checked: it ends; an error has a line; each line stays at its place; a text in which
 * nothing is sensitive is copied byte by byte.
 */
#define _GNU_SOURCE		/* memmem */
#include "rewriter/text.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MARKER "# 1 \"t.s\"\n"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool what)
{
	if (!what)
		abort();
}

static size_t lines(const char *s, size_t n)
{
	size_t count = 0;

	for (const char *p; (p = memchr(s, '\n', n)); count++) {
		n -= (size_t)(p + 1 - s);
		s = p + 1;
	}
	return count;
}

/* Rewrites text[n]; false if that is refused. */
static bool rewrite(struct text *t, const char *text, size_t n, const struct text_user *user)
{
	struct text_input in = { .name = "t.s", .text = text, .n = n };
	struct error e = { 0 };

	memset(t, 0, sizeof(*t));
	t->user = user;
	if (text_rewrite(t, &in, 1, &e) == 0)
		return true;
	require(!strncmp(e.text, "t.s:", 4) || strchr(e.text, ':'));
	return false;
}

/* What of the output stands behind our own macros. */
static const char *body(const struct text *t, size_t *n)
{
	const char *at;

	text_add((struct text_buf *)(uintptr_t)&t->out, "", 1);
	at = strstr(t->out.at, MARKER);
	require(at);
	at += strlen(MARKER);
	*n = (size_t)(t->out.at + t->out.len - 1 - at);
	return at;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct text_user user = { .list = "symbol:u*\nsection:.u*" };
	static struct text t;
	const char *text = (const char *)data, *out;
	bool app = size >= 8 && !memcmp(data, "#NO_APP\n", 8);
	size_t n;

	if (memchr(data, 0, size) || memmem(data, size, "include", 7) || app)
		return 0;
	if (rewrite(&t, text, size, &user)) {
		out = body(&t, &n);
		require(lines(out, n) == lines(text, size) + (size && text[size - 1] != '\n'));
		if (!t.sites && !t.left_user && !t.parametric)
			require(n >= size && !memcmp(out, text, size));
	}
	text_free(&t);
	return 0;
}

#ifndef LIBFUZZER

/* Pieces of text: some make statements, some take them apart. */
static const char *const words[] = {
	"cli", "sti", "pushf", "popfl", "iret", "push", "pop", "mov", "movl", "movw", "int", "cpuid",
	"in", "out", "insb", "hlt", "lgdt", "sidt", "ljmp", "lcall", "lret", "call", "jmp", "nop",
	"fsave", "fninit", "xsave", "invlpg", "rep", "lock", "data16", "rep;", "es", "ud2", "ret",
	"%ds", "%es", "%ss", "%cs", "%fs", "%gs", "%eax", "%ax", "%esp", "%cr0", "%cr3", "%dr7",
	"(%eax)", "4(%ebx,%ecx,2)", "%fs:4", "$4", "$0x80", "*%eax", "*foo", "foo", "$8, $foo", "%dx",
	",", ", ", " ", " ", "\t", "\n", "\n", "\n", ";", "; ", ":", "foo:", "1:", "1b", "1f", "u1:",
	"# x", "/* cli */", "/*", "*/", "\"cli\"", "\"", "'", "'x", "\\", "\\op", "\\r", "\\()", "%",
	".macro m op, r\n", ".endm\n", "m cli", "m push, ds", ".rept 2\n", ".endr\n", ".irp r,ds,es\n",
	".if 1\n", ".else\n", ".endif\n", ".text\n", ".data\n", ".section .u,\"ax\"\n", ".previous\n",
	".pushsection .x\n", ".popsection\n", ".code16\n", ".code32\n", ".intel_syntax noprefix\n",
	".att_syntax\n", ".byte 0x0f,0xae,0x27", ".byte", ".ascii \"cli\\n;sti\"", ".long cli",
	".set x, 4", "x = 5", "{disp32}", "{nooptimize}", "\r", "\f", "eax", "ds", "[ebx+4]", "0x9c",
};
#define WORDS (sizeof(words) / sizeof(words[0]))

/* Statements that `as` takes, in any order. */
static const char *const statements[] = {
	"cli", "a1: sti # b", "pushf; popf", "push %ds; pop %es", "mov %ds, %eax", "mov %ax, %fs",
	"movw %gs, (%eax)", "movl 4(%esp), %ds", "mov %cr0, %ecx", "mov %ecx, %cr3", "int $0x80",
	"rep; insb", "rep insb", "lock\nincl (%eax)", "ljmp $8, $1f; 1: nop", "call *(%eax)", "cpuid",
	".ascii \"cli; sti\"", ".byte 0x0f, 0xae, 0x27", "/* cli\nsti */ nop", "inb $4", "lret $4",
	".macro m\\@ x\n \\x\n .endm", ".rept 3\n cli\n .endr", ".irp r, ds, es\n push %\\r\n .endr",
	".pushsection .u1, \"ax\"\n int $0x80\n .popsection", ".code16\n cli; mov %ax, %ds\n .code32",
	".if 0\n cli\n .else\n sti\n .endif", "fsave (%eax); fninit", "movl $'c', %eax", "iret",
	".intel_syntax noprefix\n mov ds, ax\n push fs\n mov eax, cr0\n .att_syntax prefix",
	"mov %ss, 4(%eax,%ebx,2)", "data16 pushf", "pushw %fs; popw %fs", "u2: popf\nk2: popf",
	".purgem q\n", ".macro q op:req, a\n \\op \\a\n .endm\n q pushf; q push, %ds; q mov, \"%eax,%es\"\n"
	" .purgem q", "lgdt %fs:4; sidt (%esp)", "xsave (%eax); xrstor (%eax)", "fs; lodsb", "sysexit",
};
#define STATEMENTS (sizeof(statements) / sizeof(statements[0]))
#define TEXT_SIZE 4096u

static uint32_t next_random(uint32_t *rnd)
{
	/* xorshift32 (Marsaglia) */
	*rnd ^= *rnd << 13;
	*rnd ^= *rnd >> 17;
	*rnd ^= *rnd << 5;
	return *rnd;
}

static size_t make_text(char *text, const char *const *parts, size_t nparts, const char *between,
			uint32_t *rnd)
{
	unsigned count = next_random(rnd) % 48;
	size_t n = 0;

	while (count--) {
		const char *part = parts[next_random(rnd) % nparts];

		if (n + strlen(part) + 2 > TEXT_SIZE)
			break;
		n += (size_t)sprintf(text + n, "%s%s", part, between);
	}
	return n;
}

static void run_random(unsigned long count, uint32_t rnd)
{
	static char text[TEXT_SIZE];

	for (unsigned long i = 0; i < count; i++) {
		size_t n = make_text(text, words, WORDS, "", &rnd);

		/* From the heap: the sanitizer sees its ends. */
		char *copy = malloc(n + 1);

		require(copy);
		memcpy(copy, text, n);
		LLVMFuzzerTestOneInput((const uint8_t *)copy, n);
		free(copy);
	}
	printf("text_fuzz: %lu texts\n", count);
}

static bool accepted(const char *text, size_t n)
{
	FILE *as = popen("as --32 -o /dev/null - 2>/dev/null", "w");

	require(as);
	fwrite(text, 1, n, as);
	return pclose(as) == 0;
}

static void run_as(unsigned long count, uint32_t rnd)
{
	static const struct text_user user = { .list = "symbol:u*\nsection:.u*" };
	static struct text t;
	static char text[TEXT_SIZE];
	unsigned long taken = 0;

	for (unsigned long i = 0; i < count; i++) {
		size_t n = make_text(text, statements, STATEMENTS, "\n", &rnd);

		if (!accepted(text, n))
			continue;
		taken++;
		if (rewrite(&t, text, n, &user) && !accepted(t.out.at, t.out.len)) {
			fprintf(stderr, "not taken any more:\n%.*s", (int)n, text);
			abort();
		}
		text_free(&t);
	}
	printf("text_fuzz: as takes %lu of %lu texts\n", taken, count);
	require(taken > count / 8);
}

static void run_file(const char *path)
{
	size_t n;
	char *data;

	require(text_read(path, &data, &n) == 0);
	LLVMFuzzerTestOneInput((const uint8_t *)data, n);
	free(data);
}

int main(int argc, char **argv)
{
	bool as = argc > 1 && !strcmp(argv[1], "as");
	const char *count = argc > 1 + as ? argv[1 + as] : NULL;
	uint32_t seed = argc > 2 + as ? (uint32_t)strtoul(argv[2 + as], NULL, 10) | 1 : 1;

	if (as)
		run_as(count ? strtoul(count, NULL, 10) : 100, seed);
	else if (count && !isdigit((unsigned char)*count))
		for (int i = 1; i < argc; i++)
			run_file(argv[i]);
	else
		run_random(count ? strtoul(count, NULL, 10) : 20000, seed);
	return 0;
}
#endif
