/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is written in the place of an instruction: the forms of runtime/abi.h, by
 * mnemonic and operands.  Only statements whose mnemonic stands in insntab.c come
 * here, and those that a macro's parameter makes.
 */
#include "rewriter/text.h"
#include "runtime/abi.h"
#include "types.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* In front of an instruction that our macros of the same name must not catch. */
#define BYPASS "{nooptimize} "

enum { OP_MEM, OP_IMM, OP_SREG, OP_CR, OP_DR, OP_R32, OP_R16, OP_PARAM };

struct operand {
	const char *s;
	int n;
	int type, num;		/* OP_*; the register's number */
};

static const char *const reg_names[] = {
	[OP_SREG] = "es cs ss ds fs gs ",
	[OP_R32] = "eax ecx edx ebx esp ebp esi edi ",
	[OP_R16] = "ax cx dx bx sp bp si di ",
};

/* ---- operands ---- */

/* The register s[n], a name without %. */
static bool find_register(struct operand *o, const char *s, int n)
{
	char name[4] = "";

	if (n < 2 || n > 3)
		return false;
	for (int i = 0; i < n; i++)
		name[i] = (char)(s[i] >= 'A' && s[i] <= 'Z' ? s[i] | 0x20 : s[i]);
	for (unsigned type = OP_SREG; type <= OP_R16; type++) {
		const char *list = reg_names[type], *at = list;

		for (int i = 0; list && *at; i++, at += strcspn(at, " ") + 1)
			if (!strncmp(at, name, (size_t)n) && at[n] == ' ') {
				o->type = (int)type;
				o->num = i;
				return true;
			}
	}
	if (n == 3 && name[2] >= '0' && name[2] <= '9' &&
	    (!strncmp(name, "cr", 2) || !strncmp(name, "db", 2) || !strncmp(name, "dr", 2))) {
		o->type = name[0] == 'c' ? OP_CR : OP_DR;
		o->num = name[2] - '0';
		return true;
	}
	return false;
}

static void classify(const struct text *t, struct operand *o)
{
	const char *s = o->s;
	int n = o->n;

	o->type = OP_MEM;
	if (n && *s == '%' && find_register(o, s + 1, n - 1))
		return;
	if (t->naked && find_register(o, s, n))
		return;
	if (n && *s == '$')
		o->type = OP_IMM;
	else if (memchr(s, '\\', (size_t)n) && !memchr(s, '(', (size_t)n) &&
		 !memchr(s, '[', (size_t)n) && (*s == '\\' || *s == '%'))
		o->type = OP_PARAM;
}

/* Splits the operands at their commas; returns how many there are, at most max. */
static int split(const struct text *t, const struct text_at *s, struct operand *o, int max)
{
	const char *p = s->args, *start = p;
	int count = 0, depth = 0;

	for (; count < max; p++) {
		if (p < s->args_end && (*p == '(' || *p == '['))
			depth++;
		else if (p < s->args_end && (*p == ')' || *p == ']'))
			depth--;
		else if (p == s->args_end || (*p == ',' && depth <= 0)) {
			const char *end = p;

			start = text_blanks(start, p);
			while (end > start && strchr(" \t\r", end[-1]))
				end--;
			if (p < s->args_end || end > start) {
				o[count] = (struct operand){ .s = start, .n = (int)(end - start) };
				classify(t, &o[count++]);
			}
			start = p + 1;
		}
		if (p == s->args_end)
			break;
	}
	return count;
}

/* Text that a replacement may take over: on one line, without comments. */
static bool is_plain(const struct text_at *s)
{
	for (const char *p = s->start; p < s->args_end; p++)
		if (*p == '\n' || (*p == '/' && p + 1 < s->args_end && p[1] == '*'))
			return false;
	return true;
}

static bool is_word16(const struct text_at *s)
{
	return (s->word_end[-1] | 0x20) == 'w';
}

/* ---- what is not ours ---- */

/* A harmless use of a mnemonic that has a macro of ours. */
static void keep(struct text *t, const struct text_at *s)
{
	if (t->macros && s->first) {
		text_copy(t, s->word, s->word);
		text_printf(&t->out, BYPASS);
	}
}

static bool left_alone(struct text *t, const struct text_at *s, unsigned kind)
{
	switch (text_mode(t)) {
	case TM_REWRITE:
		return false;
	case TM_16BIT:
		t->left16++;
		break;
	case TM_USER:
		t->left_user++;
		text_copy(t, s->start, s->start);
		text_printf(&t->out, "lilyvm.user %u; ", kind);
	}
	keep(t, s);
	return true;
}

/* ---- forms ---- */

static void site(struct text *t, const char *from, const char *to, unsigned kind)
{
	text_copy(t, from, to);
	text_printf(&t->out, "lilyvm.site %u; ", kind);
	t->sites++;
}

/* The instruction stays, behind a call of the emulator. */
static void emulate(struct text *t, const struct text_at *s, unsigned kind)
{
	bool waits = (kind == IK_FNSAVE || kind == IK_FNINIT) && (s->word[1] | 0x20) != 'n';

	if (waits) {
		text_copy(t, s->start, s->start);
		text_printf(&t->out, "fwait; ");
	}
	site(t, s->start, s->start, kind);
	text_printf(&t->out, "lilyvm.emulate; ");
	if (t->macros && s->first) {
		text_copy(t, s->word, s->word);
		text_printf(&t->out, BYPASS);
	}
	if (waits) {
		text_copy(t, s->word, s->word + 1);
		text_printf(&t->out, "fn");
	}
}

/* The instruction goes; the form, in AT&T syntax, comes. */
static void replace(struct text *t, const struct text_at *s, unsigned kind, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

static void replace(struct text *t, const struct text_at *s, unsigned kind, const char *fmt, ...)
{
	char form[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(form, sizeof(form), fmt, args);
	va_end(args);
	site(t, s->start, s->args_end, kind);
	if (t->intel)
		text_printf(&t->out, ".att_syntax prefix; %s; .intel_syntax %s", form,
			    t->naked ? "noprefix" : "prefix");
	else
		text_printf(&t->out, "%s", form);
}

static void form_flag(struct text *t, const struct text_at *s, unsigned kind)
{
	replace(t, s, kind, "%smovl $%#x, %#x", t->macros ? BYPASS : "",
		kind == IK_CLI ? RT_IF_CLEAR : RT_IF_SET, RT_IF);
}

static void form_call(struct text *t, const struct text_at *s, unsigned kind)
{
	replace(t, s, kind, "call *%#x", kind == IK_PUSHF ? RT_SLOT(RT_PUSHF) :
		kind == IK_POPF ? RT_SLOT(RT_POPF) : RT_SLOT(RT_IRET));
}

static bool loadable(int sreg)
{
	return sreg == S_ES || sreg == S_DS || sreg == S_FS || sreg == S_GS;
}

static void form_load(struct text *t, const struct text_at *s, const struct operand *from,
		      const struct operand *to)
{
	const unsigned kind = IK_MOV_TO_SREG;

	if ((from->type == OP_R32 || from->type == OP_R16) && loadable(to->num) &&
	    from->num != R_ESP)
		replace(t, s, kind, "call *%#x", RT_SLOT(RT_MOV(to->num, from->num)));
	else if (from->type == OP_MEM && loadable(to->num) && !t->intel && from->n < 256)
		replace(t, s, kind, "%spushl %.*s; 98700001: call *%#x; "
			".byte 0x0f, 0x1f, 0x40, 98700001b-98700000b", t->macros ? BYPASS : "",
			from->n, from->s, RT_SLOT(RT_LOAD(to->num)));
	else
		emulate(t, s, kind);
}

static void form_store(struct text *t, const struct text_at *s, const struct operand *from,
		       const struct operand *to)
{
	const unsigned kind = IK_MOV_FROM_SREG;
	const char *bypass = t->macros ? BYPASS : "";

	if (to->type == OP_R32 || to->type == OP_R16)
		replace(t, s, kind, "%smov%c %#x, %s%.*s", bypass, to->type == OP_R32 ? 'l' : 'w',
			RT_SEL(from->num), *to->s == '%' ? "" : "%", to->n, to->s);
	else if (to->type == OP_MEM && !t->intel && to->n < 256)
		replace(t, s, kind, "%spushw %#x; %spopw %.*s", bypass, RT_SEL(from->num), bypass,
			to->n, to->s);
	else
		emulate(t, s, kind);
}

static void form_control(struct text *t, const struct text_at *s, const struct operand *from,
			 const struct operand *to)
{
	if (from->type == OP_CR && to->type == OP_R32 && from->num <= 4 && from->num != 1)
		replace(t, s, IK_MOV_FROM_CR, "%smovl %#x, %s%.*s", t->macros ? BYPASS : "",
			RT_CR(from->num), *to->s == '%' ? "" : "%", to->n, to->s);
	else if (from->type == OP_CR || to->type == OP_CR)
		emulate(t, s, from->type == OP_CR ? IK_MOV_FROM_CR : IK_MOV_TO_CR);
	else
		emulate(t, s, from->type == OP_DR ? IK_MOV_FROM_DR : IK_MOV_TO_DR);
}

static bool is_special(int type)
{
	return type == OP_SREG || type == OP_CR || type == OP_DR;
}

static unsigned mov_kind(const struct operand *from, const struct operand *to)
{
	switch (is_special(from->type) ? from->type : to->type) {
	case OP_SREG: return from->type == OP_SREG ? IK_MOV_FROM_SREG : IK_MOV_TO_SREG;
	case OP_CR: return from->type == OP_CR ? IK_MOV_FROM_CR : IK_MOV_TO_CR;
	default: return from->type == OP_DR ? IK_MOV_FROM_DR : IK_MOV_TO_DR;
	}
}

static void form_mov(struct text *t, const struct text_at *s)
{
	struct operand o[2];
	const struct operand *from = &o[t->intel], *to = &o[!t->intel];

	if (split(t, s, o, 2) < 2)
		return keep(t, s);
	if (!is_special(from->type) && !is_special(to->type)) {
		if (from->type == OP_PARAM || to->type == OP_PARAM)
			text_parametric(t, s);
		else
			keep(t, s);
	} else if (!left_alone(t, s, mov_kind(from, to))) {
		if (s->prefixed || !is_plain(s))
			emulate(t, s, mov_kind(from, to));
		else if (from->type == OP_SREG)
			form_store(t, s, from, to);
		else if (to->type == OP_SREG)
			form_load(t, s, from, to);
		else
			form_control(t, s, from, to);
	}
}

static void form_stack(struct text *t, const struct text_at *s, const struct text_word *w)
{
	struct operand o[1];

	if (split(t, s, o, 1) < 1 || (o->type != OP_SREG && o->type != OP_PARAM))
		return keep(t, s);
	if (o->type == OP_PARAM)
		return text_parametric(t, s);
	if (left_alone(t, s, w->kind))
		return;
	if (s->prefixed || is_word16(s) || !is_plain(s))
		emulate(t, s, w->kind);
	else if (w->form == IF_PUSH)
		replace(t, s, w->kind, "%spushl %#x", t->macros ? BYPASS : "", RT_SEL(o->num));
	else if (loadable(o->num))
		replace(t, s, w->kind, "call *%#x", RT_SLOT(RT_POP(o->num)));
	else
		emulate(t, s, w->kind);
}

/* Is a jmp or call without the l of far ones far nevertheless? */
static bool is_far(const struct text *t, const struct text_at *s)
{
	struct operand o[2];
	int n = split(t, s, o, 2);

	if (n == 2)
		return true;
	if (!t->intel || n < 1)
		return false;
	if (memchr(o->s, ':', (size_t)o->n) && !memchr(o->s, '[', (size_t)o->n))
		return true;
	return (o->n > 4 && !strncasecmp(o->s, "far ", 4)) ||
	       (o->n > 6 && !strncasecmp(o->s, "fword ", 6));
}

/* int $3 is assembled as int3, which traps by itself. */
static bool is_int3(const struct text *t, const struct text_at *s)
{
	const char *p = s->args;
	char *end;

	if (!t->intel && (p == s->args_end || *p++ != '$'))
		return false;
	return strtoul(p, &end, 0) == 3 && text_blanks(end, s->args_end) == s->args_end;
}

static void no_64bit(struct text *t, const struct text_at *s)
{
	if (text_mode(t) != TM_USER)
		text_fail(t, s->word, "'%.*s' in 64-bit code: lilyvm-as is for i386 kernels; "
			  "compile with -m32, or take the compiler without lilyvm-cc",
			  (int)(s->word_end - s->word), s->word);
}

void text_insn(struct text *t, const struct text_at *s, const struct text_word *w)
{
	if (t->now.bits == 64)
		return no_64bit(t, s);
	if (w->form == IF_MOV)
		return form_mov(t, s);
	if (w->form == IF_PUSH || w->form == IF_POP)
		return form_stack(t, s, w);
	if (text_word_near(w) && !is_far(t, s))
		return;
	if (w->kind == IK_INT && is_int3(t, s))
		return keep(t, s);
	if (left_alone(t, s, w->kind))
		return;
	if (w->form == IF_EMULATE || w->form == IF_FAR || s->prefixed || is_word16(s) ||
	    !is_plain(s))
		emulate(t, s, w->kind);
	else if (w->form == IF_FLAG)
		form_flag(t, s, w->kind);
	else
		form_call(t, s, w->kind);
}

/* The numbers of a .byte directive; 0 if it has others than plain ones. */
static size_t read_bytes(const struct text_at *s, uint8_t *bytes, size_t max)
{
	const char *p = s->args;
	size_t n = 0;

	while (n < max) {
		unsigned long v;
		char *end;

		p = text_blanks(p, s->args_end);
		if (p == s->args_end || *p < '0' || *p > '9')
			return 0;
		v = strtoul(p, &end, 0);
		if (v > 0xff || end > s->args_end)
			return 0;
		bytes[n++] = (uint8_t)v;
		p = text_blanks(end, s->args_end);
		if (p == s->args_end)
			return n;
		if (*p++ != ',')
			return 0;
	}
	return 0;
}

/*
 * An instruction that is newer than the assembler, or than those that a kernel may be
 * built with: in code, of two bytes at least, and silent (one that traps finds the
 * monitor by itself).
 */
void text_bytes(struct text *t, const struct text_at *s)
{
	uint8_t bytes[15];
	struct insn in;
	size_t n;

	if (!t->now.code || t->now.bits != 32)
		return;
	n = read_bytes(s, bytes, sizeof(bytes));
	if (n < 2 || insn_decode(&in, bytes, n, 32) != (int)n || in.cls != IC_SILENT)
		return;
	if (left_alone(t, s, in.kind))
		return;
	site(t, s->start, s->start, in.kind);
	text_printf(&t->out, "lilyvm.emulate; ");
}

void text_parametric(struct text *t, const struct text_at *s)
{
	const char *literal = s->word;

	while (literal < s->word_end && *literal != '\\')
		literal++;
	if (!text_word_starts(&t->words, s->word, (size_t)(literal - s->word)))
		return;
	if (t->now.bits == 64)
		return no_64bit(t, s);
	if (text_mode(t) != TM_REWRITE)
		return;
	t->parametric = true;
	if (t->macros && s->prefixed) {
		text_copy(t, s->start, s->start);
		text_printf(&t->out, "lilyvm.prefixed %.*s; ", (int)(s->word_end - s->word),
			    s->word);
	}
}
