/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The interpreter against the real CPU: every form with random operands, and
 * the cases that random ones do not reach.
 */
#include "monitor/emulate.h"
#include "monitor/guestmem.h"
#include "code32.h"
#include "native32.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS 600		/* random cases of each form */

/* ---- the machine that the interpreter runs on ---- */

struct vm {
	struct vcpu cpu;
	uint32_t base;			/* linear address of data */
	uint8_t data[NATIVE_DATA_SIZE];
	unsigned emulated;		/* the kind that emulate() was called with */
	unsigned reads, writes;
};

struct vcpu *vm_vcpu(struct vm *vm)
{
	return &vm->cpu;
}

enum interp_result emulate(struct vm *vm, const struct insn *insn, struct fault *f)
{
	(void)f;
	vm->emulated = insn->kind;
	return INTERP_STOP;
}

/* As native_start() maps it: one page absent, one read-only. */
static bool allowed(struct vm *vm, uint32_t a, uint32_t how, struct fault *f)
{
	uint32_t off = a - vm->base, page = off / PAGE_SIZE;
	bool present = off < NATIVE_DATA_SIZE && page != NATIVE_PAGE_NONE;

	if (present && !((how & ACC_WRITE) && page == NATIVE_PAGE_RO))
		return true;
	*f = (struct fault){ VEC_PF, (how & (ACC_WRITE | ACC_USER)) | (present ? PF_P : 0), a };
	return false;
}

static bool range_allowed(struct vm *vm, uint32_t a, uint32_t n, uint32_t how, struct fault *f)
{
	uint32_t next = (a & PAGE_MASK) + PAGE_SIZE;

	ck_assert(n >= 1 && n <= PAGE_SIZE);
	return allowed(vm, a, how, f) && (a + n <= next || next == 0 || allowed(vm, next, how, f));
}

bool gmem_read(struct vm *vm, gva_t a, void *buf, uint32_t n, uint32_t how, struct fault *f)
{
	if (!range_allowed(vm, a.v, n, how, f))
		return false;
	vm->reads++;
	memcpy(buf, vm->data + (a.v - vm->base), n);
	return true;
}

bool gmem_write(struct vm *vm, gva_t a, const void *buf, uint32_t n, uint32_t how, struct fault *f)
{
	if (!range_allowed(vm, a.v, n, how | ACC_WRITE, f))
		return false;
	vm->writes++;
	memcpy(vm->data + (a.v - vm->base), buf, n);
	return true;
}

static struct vm vm;

/* ---- segments that both sides have ---- */

struct mode {
	const char *name;
	unsigned bits;
	uint16_t cs, ds, es, ss;
};

static const struct mode modes[] = {
	{ "flat", 32, NATIVE_CS32, NATIVE_DS32, NATIVE_DS32, NATIVE_DS32 },
	{ "16-bit", 16, NATIVE_CS16, NATIVE_DS16, NATIVE_DS16, NATIVE_DS16 },
	{ "limits", 32, NATIVE_CS32, NATIVE_LIMIT, NATIVE_DOWN, NATIVE_LIMIT },
	{ "16-bit stack, expand-down", 32, NATIVE_CS32, NATIVE_DOWN, NATIVE_LIMIT, NATIVE_DS16 },
	{ "read-only", 32, NATIVE_CS32, NATIVE_RO, NATIVE_DS32, NATIVE_DS32 },
};
#define NMODES ((int)(sizeof(modes) / sizeof(*modes)))

static struct segment segment(uint16_t sel)
{
	switch (sel) {
	case NATIVE_CS32: return (struct segment){ sel, 0xc0fb, 0, UINT32_MAX };
	case NATIVE_DS32: return (struct segment){ sel, 0xc0f3, 0, UINT32_MAX };
	case NATIVE_CS16: return (struct segment){ sel, 0x00fb, NATIVE_CODE, 0xffff };
	case NATIVE_DS16: return (struct segment){ sel, 0x00f3, NATIVE_DATA, 0xffff };
	case NATIVE_LIMIT: return (struct segment){ sel, 0x40f3, NATIVE_DATA, 0x7fff };
	case NATIVE_DOWN: return (struct segment){ sel, 0x40f7, NATIVE_DATA, 0x7fff };
	case NATIVE_RO: return (struct segment){ sel, 0x40f1, NATIVE_DATA, 0xffff };
	default: return (struct segment){ 0 };
	}
}

static void set_mode(struct vcpu *c, const struct mode *m)
{
	memset(c, 0, sizeof(*c));
	c->cr0 = CR0_PE | CR0_PG;
	c->cpl = 3;
	c->seg[S_CS] = segment(m->cs);
	c->seg[S_DS] = segment(m->ds);
	c->seg[S_ES] = segment(m->es);
	c->seg[S_SS] = segment(m->ss);
	c->seg[S_GS] = segment(NATIVE_DS32);
}

/* ---- the forms ---- */

enum { RM_NONE, RM_ANY, RM_MEM, RM_REG };
enum { IMM_NONE, IMM_8, IMM_16, IMM_Z, IMM_MOFFS, IMM_ENTER, IMM_TAKEN8, IMM_TAKENZ };

/* What a form needs besides operands. */
#define STK 0x01u	/* ESP points into the data */
#define STR 0x02u	/* ESI, EDI, ECX for string instructions */
#define FRAME 0x04u	/* EBP points into the data */
#define XLAT 0x08u	/* EBX points into the data */
#define TARGET 0x10u	/* the modrm operand holds the branch target */
#define RETADDR 0x20u	/* so does the top of the stack */
#define BITS 0x40u	/* the register is a short bit offset */
#define DIV 0x80u	/* small dividends, now and then */
#define JUMP 0x100u	/* a branch: no operand size prefix in 32-bit code */
#define REPS 0x200u	/* random F2 and F3 */
#define F3 0x400u	/* F3 always */

#define F_AF FL_AF
#define F_LOGIC FL_AF
#define F_SHIFT (FL_AF | FL_OF)	/* OF is defined for a count of 1 only */
#define F_MUL (FL_SF | FL_ZF | FL_AF | FL_PF)
#define F_SCAN (FL_CF | FL_OF | FL_SF | FL_AF | FL_PF)
#define F_BIT (FL_OF | FL_SF | FL_AF | FL_PF)

struct form {
	const char *name;
	unsigned op, last;	/* opcodes op..last; 0x0fNN for two bytes */
	int step;
	int rm;			/* RM_* */
	int reg_first, reg_last;	/* the reg field; -1: any */
	int imm;		/* IMM_* */
	unsigned need;
	uint32_t undef;		/* flags that the SDM leaves undefined */
};

static const struct form forms[] = {
	{ "alu rm", 0x00, 0x38, 8, RM_ANY, -1, -1, IMM_NONE, 0, F_LOGIC },
	{ "alu rm", 0x01, 0x39, 8, RM_ANY, -1, -1, IMM_NONE, 0, F_LOGIC },
	{ "alu reg", 0x02, 0x3a, 8, RM_ANY, -1, -1, IMM_NONE, 0, F_LOGIC },
	{ "alu reg", 0x03, 0x3b, 8, RM_ANY, -1, -1, IMM_NONE, 0, F_LOGIC },
	{ "alu al,imm", 0x04, 0x3c, 8, RM_NONE, -1, -1, IMM_8, 0, F_LOGIC },
	{ "alu eax,imm", 0x05, 0x3d, 8, RM_NONE, -1, -1, IMM_Z, 0, F_LOGIC },
	{ "alu rm,imm", 0x80, 0x80, 1, RM_ANY, 0, 7, IMM_8, 0, F_LOGIC },
	{ "alu rm,imm", 0x81, 0x81, 1, RM_ANY, 0, 7, IMM_Z, 0, F_LOGIC },
	{ "alu rm,imm", 0x82, 0x83, 1, RM_ANY, 0, 7, IMM_8, 0, F_LOGIC },
	/* AF is undefined for and, or, xor only. */
	{ "add", 0x00, 0x03, 1, RM_ANY, -1, -1, IMM_NONE, 0, 0 },
	{ "adc", 0x10, 0x13, 1, RM_ANY, -1, -1, IMM_NONE, 0, 0 },
	{ "sbb", 0x18, 0x1b, 1, RM_ANY, -1, -1, IMM_NONE, 0, 0 },
	{ "sub", 0x28, 0x2b, 1, RM_ANY, -1, -1, IMM_NONE, 0, 0 },
	{ "cmp", 0x38, 0x3b, 1, RM_ANY, -1, -1, IMM_NONE, 0, 0 },
	{ "daa das", 0x27, 0x2f, 8, RM_NONE, -1, -1, IMM_NONE, 0, FL_OF },
	{ "aaa aas", 0x37, 0x3f, 8, RM_NONE, -1, -1, IMM_NONE, 0, FL_OF | FL_SF | FL_ZF | FL_PF },
	{ "aam aad", 0xd4, 0xd5, 1, RM_NONE, -1, -1, IMM_8, 0, FL_OF | FL_AF | FL_CF },
	{ "inc dec", 0x40, 0x4f, 1, RM_NONE, -1, -1, IMM_NONE, 0, 0 },
	{ "inc dec rm", 0xfe, 0xff, 1, RM_ANY, 0, 1, IMM_NONE, 0, 0 },
	{ "push", 0x50, 0x57, 1, RM_NONE, -1, -1, IMM_NONE, STK, 0 },
	{ "pop", 0x58, 0x5f, 1, RM_NONE, -1, -1, IMM_NONE, STK, 0 },
	{ "pusha popa", 0x60, 0x61, 1, RM_NONE, -1, -1, IMM_NONE, STK, 0 },
	{ "arpl", 0x63, 0x63, 1, RM_ANY, -1, -1, IMM_NONE, 0, 0 },
	{ "push imm", 0x68, 0x68, 1, RM_NONE, -1, -1, IMM_Z, STK, 0 },
	{ "push imm8", 0x6a, 0x6a, 1, RM_NONE, -1, -1, IMM_8, STK, 0 },
	{ "imul imm", 0x69, 0x69, 1, RM_ANY, -1, -1, IMM_Z, 0, F_MUL },
	{ "imul imm8", 0x6b, 0x6b, 1, RM_ANY, -1, -1, IMM_8, 0, F_MUL },
	{ "jcc short", 0x70, 0x7f, 1, RM_NONE, -1, -1, IMM_TAKEN8, JUMP, 0 },
	{ "test", 0x84, 0x85, 1, RM_ANY, -1, -1, IMM_NONE, 0, F_LOGIC },
	{ "xchg", 0x86, 0x87, 1, RM_ANY, -1, -1, IMM_NONE, 0, 0 },
	{ "mov", 0x88, 0x8b, 1, RM_ANY, -1, -1, IMM_NONE, 0, 0 },
	{ "lea", 0x8d, 0x8d, 1, RM_MEM, -1, -1, IMM_NONE, 0, 0 },
	{ "pop rm", 0x8f, 0x8f, 1, RM_ANY, 0, 0, IMM_NONE, STK, 0 },
	{ "nop xchg", 0x90, 0x97, 1, RM_NONE, -1, -1, IMM_NONE, 0, 0 },
	{ "cbw cwd", 0x98, 0x99, 1, RM_NONE, -1, -1, IMM_NONE, 0, 0 },
	{ "sahf lahf", 0x9e, 0x9f, 1, RM_NONE, -1, -1, IMM_NONE, 0, 0 },
	{ "mov moffs", 0xa0, 0xa3, 1, RM_NONE, -1, -1, IMM_MOFFS, 0, 0 },
	{ "movs", 0xa4, 0xa5, 1, RM_NONE, -1, -1, IMM_NONE, STR | REPS, 0 },
	{ "cmps", 0xa6, 0xa7, 1, RM_NONE, -1, -1, IMM_NONE, STR | REPS, 0 },
	{ "stos", 0xaa, 0xab, 1, RM_NONE, -1, -1, IMM_NONE, STR | REPS, 0 },
	{ "lods", 0xac, 0xad, 1, RM_NONE, -1, -1, IMM_NONE, STR | REPS, 0 },
	{ "scas", 0xae, 0xaf, 1, RM_NONE, -1, -1, IMM_NONE, STR | REPS, 0 },
	{ "test imm8", 0xa8, 0xa8, 1, RM_NONE, -1, -1, IMM_8, 0, F_LOGIC },
	{ "test imm", 0xa9, 0xa9, 1, RM_NONE, -1, -1, IMM_Z, 0, F_LOGIC },
	{ "mov imm8", 0xb0, 0xb7, 1, RM_NONE, -1, -1, IMM_8, 0, 0 },
	{ "mov imm", 0xb8, 0xbf, 1, RM_NONE, -1, -1, IMM_Z, 0, 0 },
	{ "shift imm", 0xc0, 0xc1, 1, RM_ANY, 0, 7, IMM_8, 0, F_SHIFT | FL_CF },
	{ "shift 1", 0xd0, 0xd1, 1, RM_ANY, 0, 3, IMM_NONE, 0, 0 },
	{ "shift 1", 0xd0, 0xd1, 1, RM_ANY, 4, 7, IMM_NONE, 0, FL_AF },
	{ "shift cl", 0xd2, 0xd3, 1, RM_ANY, 0, 7, IMM_NONE, 0, F_SHIFT | FL_CF },
	/* CF is undefined only when a byte or word is shifted out altogether. */
	{ "rotate cl", 0xd2, 0xd3, 1, RM_ANY, 0, 3, IMM_NONE, 0, FL_OF },
	{ "shift cl dword", 0xd3, 0xd3, 1, RM_REG, 4, 7, IMM_NONE, JUMP, F_SHIFT },
	{ "ret imm", 0xc2, 0xc2, 1, RM_NONE, -1, -1, IMM_16, STK | RETADDR | JUMP, 0 },
	{ "ret", 0xc3, 0xc3, 1, RM_NONE, -1, -1, IMM_NONE, STK | RETADDR | JUMP, 0 },
	{ "mov rm,imm8", 0xc6, 0xc6, 1, RM_ANY, 0, 0, IMM_8, 0, 0 },
	{ "mov rm,imm", 0xc7, 0xc7, 1, RM_ANY, 0, 0, IMM_Z, 0, 0 },
	{ "enter", 0xc8, 0xc8, 1, RM_NONE, -1, -1, IMM_ENTER, STK | FRAME, 0 },
	{ "leave", 0xc9, 0xc9, 1, RM_NONE, -1, -1, IMM_NONE, FRAME, 0 },
	{ "salc", 0xd6, 0xd6, 1, RM_NONE, -1, -1, IMM_NONE, 0, 0 },
	{ "xlat", 0xd7, 0xd7, 1, RM_NONE, -1, -1, IMM_NONE, XLAT, 0 },
	{ "loop jcxz", 0xe0, 0xe3, 1, RM_NONE, -1, -1, IMM_TAKEN8, JUMP, 0 },
	{ "call jmp", 0xe8, 0xe9, 1, RM_NONE, -1, -1, IMM_TAKENZ, STK | JUMP, 0 },
	{ "jmp short", 0xeb, 0xeb, 1, RM_NONE, -1, -1, IMM_TAKEN8, JUMP, 0 },
	{ "flags", 0xf8, 0xf9, 1, RM_NONE, -1, -1, IMM_NONE, 0, 0 },
	{ "cmc", 0xf5, 0xf5, 1, RM_NONE, -1, -1, IMM_NONE, 0, 0 },
	{ "cld std", 0xfc, 0xfd, 1, RM_NONE, -1, -1, IMM_NONE, 0, 0 },
	{ "test rm,imm8", 0xf6, 0xf6, 1, RM_ANY, 0, 1, IMM_8, 0, F_LOGIC },
	{ "test rm,imm", 0xf7, 0xf7, 1, RM_ANY, 0, 1, IMM_Z, 0, F_LOGIC },
	{ "not neg", 0xf6, 0xf7, 1, RM_ANY, 2, 3, IMM_NONE, 0, 0 },
	{ "mul imul", 0xf6, 0xf7, 1, RM_ANY, 4, 5, IMM_NONE, 0, F_MUL },
	{ "div idiv", 0xf6, 0xf7, 1, RM_ANY, 6, 7, IMM_NONE, DIV, FL_ARITH },
	{ "call rm", 0xff, 0xff, 1, RM_ANY, 2, 2, IMM_NONE, STK | TARGET | JUMP, 0 },
	{ "jmp rm", 0xff, 0xff, 1, RM_ANY, 4, 4, IMM_NONE, TARGET | JUMP, 0 },
	{ "push rm", 0xff, 0xff, 1, RM_ANY, 6, 6, IMM_NONE, STK, 0 },
	{ "prefetch", 0xf0d, 0xf0d, 1, RM_MEM, 0, 1, IMM_NONE, 0, 0 },
	{ "prefetch", 0xf18, 0xf18, 1, RM_MEM, 0, 3, IMM_NONE, 0, 0 },
	{ "nop", 0xf1f, 0xf1f, 1, RM_ANY, -1, -1, IMM_NONE, 0, 0 },
	{ "endbr", 0xf1e, 0xf1e, 1, RM_REG, 7, 7, IMM_NONE, F3, 0 },
	{ "cmov", 0xf40, 0xf4f, 1, RM_ANY, -1, -1, IMM_NONE, 0, 0 },
	{ "jcc", 0xf80, 0xf8f, 1, RM_NONE, -1, -1, IMM_TAKENZ, JUMP, 0 },
	{ "setcc", 0xf90, 0xf9f, 1, RM_ANY, -1, -1, IMM_NONE, 0, 0 },
	{ "bt bts btr btc", 0xfa3, 0xfbb, 8, RM_ANY, -1, -1, IMM_NONE, BITS, F_BIT },
	{ "bt imm", 0xfba, 0xfba, 1, RM_ANY, 4, 7, IMM_8, 0, F_BIT },
	{ "shld imm", 0xfa4, 0xfac, 8, RM_ANY, -1, -1, IMM_8, 0, FL_ARITH },
	{ "shld cl", 0xfa5, 0xfad, 8, RM_ANY, -1, -1, IMM_NONE, 0, FL_ARITH },
	{ "fence", 0xfae, 0xfae, 1, RM_REG, 5, 7, IMM_NONE, JUMP, 0 },
	{ "imul", 0xfaf, 0xfaf, 1, RM_ANY, -1, -1, IMM_NONE, 0, F_MUL },
	{ "cmpxchg", 0xfb0, 0xfb1, 1, RM_ANY, -1, -1, IMM_NONE, 0, 0 },
	{ "movzx", 0xfb6, 0xfb7, 1, RM_ANY, -1, -1, IMM_NONE, 0, 0 },
	{ "movsx", 0xfbe, 0xfbf, 1, RM_ANY, -1, -1, IMM_NONE, 0, 0 },
	{ "popcnt", 0xfb8, 0xfb8, 1, RM_ANY, -1, -1, IMM_NONE, F3, 0 },
	{ "bsf bsr", 0xfbc, 0xfbd, 1, RM_ANY, -1, -1, IMM_NONE, 0, F_SCAN },
	{ "rep bsf bsr", 0xfbc, 0xfbd, 1, RM_ANY, -1, -1, IMM_NONE, F3, F_SCAN },
	{ "xadd", 0xfc0, 0xfc1, 1, RM_ANY, -1, -1, IMM_NONE, 0, 0 },
	{ "movnti", 0xfc3, 0xfc3, 1, RM_MEM, -1, -1, IMM_NONE, JUMP, 0 },
	{ "cmpxchg8b", 0xfc7, 0xfc7, 1, RM_MEM, 1, 1, IMM_NONE, 0, 0 },
	{ "bswap", 0xfc8, 0xfcf, 1, RM_NONE, -1, -1, IMM_NONE, JUMP, 0 },
};
#define NFORMS ((int)(sizeof(forms) / sizeof(*forms)))

/* ---- random cases ---- */

static uint32_t rng_state = 1;

static uint32_t rnd(void)
{
	uint32_t x = rng_state;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	return rng_state = x;
}

static bool one_in(unsigned n)
{
	return rnd() % n == 0;
}

/* Values where flags change are frequent. */
static uint32_t value(void)
{
	static const uint32_t edges[] = {
		0, 1, 2, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000,
		0x80000001, 0xfffffffe, 0xffffffff,
	};

	switch (rnd() % 4) {
	case 0: return edges[rnd() % (sizeof(edges) / sizeof(*edges))];
	case 1: return rnd() & 0xff;
	default: return rnd();
	}
}

/* An offset into the data: mostly where all is well, now and then at an edge. */
static uint32_t place(void)
{
	static const uint32_t edges[] = {
		0, NATIVE_PAGE_NONE * PAGE_SIZE, (NATIVE_PAGE_NONE + 1) * PAGE_SIZE,
		NATIVE_PAGE_RO * PAGE_SIZE, (NATIVE_PAGE_RO + 1) * PAGE_SIZE, NATIVE_DATA_SIZE,
	};

	if (one_in(4))
		return edges[rnd() % (sizeof(edges) / sizeof(*edges))] + rnd() % 80 - 40;
	return (one_in(3) ? 0x9400 : 0x400) + rnd() % 0x2000;
}

struct test {
	const struct mode *mode;
	const struct form *form;
	uint8_t bytes[16];
	unsigned len;
	struct insn insn;
	struct native_run run;		/* before */
};

static void put(struct test *t, uint32_t v, unsigned n)
{
	memcpy(t->bytes + t->len, &v, n);
	t->len += n;
}

static void put_prefixes(struct test *t)
{
	static const uint8_t overrides[] = { 0x26, 0x36, 0x3e, 0x64, 0x65 };
	const struct form *f = t->form;

	if (f->need & F3)
		put(t, 0xf3, 1);
	if ((f->need & REPS) && !one_in(3))
		put(t, one_in(2) ? 0xf3 : 0xf2, 1);
	if (one_in(6) && (!(f->need & JUMP) || (t->mode->bits == 16 && (f->op & 0xff00) == 0 &&
						f->rm == RM_NONE)))
		put(t, 0x66, 1);
	if (one_in(6))
		put(t, 0x67, 1);
	if (one_in(6))
		put(t, overrides[rnd() % sizeof(overrides)], 1);
	if (one_in(10))
		put(t, 0xf0, 1);
}

static void put_modrm(struct test *t)
{
	const struct form *f = t->form;
	uint32_t reg = f->reg_first < 0 ? rnd() % 8
		       : (uint32_t)f->reg_first + rnd() % (uint32_t)(f->reg_last - f->reg_first + 1);
	uint32_t mod = f->rm == RM_REG ? 3 : rnd() % (f->rm == RM_MEM ? 3 : 4);

	/* What follows is read as sib and displacement where modrm wants them. */
	put(t, mod << 6 | reg << 3 | rnd() % 8, 1);
	put(t, rnd(), 4);
	put(t, rnd(), 2);
}

/* Length of what put_modrm() made, by decoding it without the immediate. */
static void trim_modrm(struct test *t, unsigned modrm_at)
{
	bool a32 = (t->mode->bits == 32) == !memchr(t->bytes, 0x67, modrm_at);
	uint8_t m = t->bytes[modrm_at], mod = m >> 6, rm = m & 7;
	unsigned n = 1;

	if (mod != 3 && a32) {
		if (rm == 4) {
			n++;
			if (mod == 0 && (t->bytes[modrm_at + 1] & 7) == 5)
				n += 4;
		} else if (mod == 0 && rm == 5) {
			n += 4;
		}
		n += mod == 1 ? 1 : mod == 2 ? 4 : 0;
	} else if (mod != 3) {
		n += mod == 1 ? 1 : mod == 2 || rm == 6 ? 2 : 0;
	}
	t->len = modrm_at + n;
}

static uint32_t at(const struct test *t, unsigned where)
{
	return t->mode->bits == 16 ? where : NATIVE_CODE + where;
}

static void put_imm(struct test *t, unsigned opsize, unsigned adsize)
{
	switch (t->form->imm) {
	case IMM_8: put(t, value(), 1); break;
	case IMM_16: put(t, rnd() % 64, 2); break;
	case IMM_Z: put(t, value(), opsize); break;
	case IMM_MOFFS: put(t, 0, adsize); break;
	case IMM_ENTER: put(t, rnd() % 256, 2); put(t, one_in(2) ? 0 : rnd() % 35, 1); break;
	case IMM_TAKEN8: put(t, NATIVE_TAKEN - (NATIVE_AT + t->len + 1), 1); break;
	case IMM_TAKENZ: put(t, NATIVE_TAKEN - (NATIVE_AT + t->len + opsize), opsize); break;
	}
}

/* Encodes a random instance of the form; false if it is none we want. */
static bool encode(struct test *t)
{
	const struct form *f = t->form;
	unsigned op = f->op + rnd() % ((f->last - f->op) / (unsigned)f->step + 1) * (unsigned)f->step;
	unsigned prefixes, opsize, adsize;

	t->len = 0;
	put_prefixes(t);
	prefixes = t->len;
	opsize = (t->mode->bits == 32) == !memchr(t->bytes, 0x66, prefixes) ? 4 : 2;
	adsize = (t->mode->bits == 32) == !memchr(t->bytes, 0x67, prefixes) ? 4 : 2;
	if (op > 0xff)
		put(t, 0x0f, 1);
	put(t, op & 0xff, 1);
	if (f->rm != RM_NONE) {
		unsigned modrm_at = t->len;

		put_modrm(t);
		trim_modrm(t, modrm_at);
	}
	put_imm(t, opsize, adsize);
	memset(t->bytes + t->len, 0x90, sizeof(t->bytes) - t->len);
	/* With a lock prefix it may be undefined. */
	insn_decode(&t->insn, t->bytes, sizeof(t->bytes), t->mode->bits);
	return t->insn.len == t->len;
}

/* A pointer for segment seg: an address in flat segments, else an offset. */
static uint32_t pointer(const struct test *t, unsigned seg)
{
	uint16_t sel = seg == S_DS ? t->mode->ds : seg == S_ES ? t->mode->es :
		       seg == S_SS ? t->mode->ss : NATIVE_DS32;

	return place() + (segment(sel).base ? 0 : NATIVE_DATA);
}

/* Makes the memory operand point into the data: by its base, or by its displacement. */
static bool aim(struct test *t)
{
	struct insn *in = &t->insn;
	uint32_t want = pointer(t, in->seg), rest = in->disp;
	unsigned disp_at;

	if (!in->has_mem)
		return true;
	if (in->index >= 0 && in->index != in->base)
		rest += t->run.gpr[in->index] << in->scale;
	if (in->base >= 0 && in->base == in->index)
		return in->adsize == 2;
	if (in->base >= 0) {
		t->run.gpr[in->base] = want - rest;
		return true;
	}
	/* The displacement lies before the immediate, which moffs has not. */
	disp_at = t->len - in->imm_size - in->adsize;
	want -= rest - in->disp;
	memcpy(t->bytes + disp_at, &want, in->adsize);
	insn_decode(in, t->bytes, sizeof(t->bytes), t->mode->bits);
	return in->len == t->len;
}

static void set_string_registers(struct test *t)
{
	uint32_t *r = t->run.gpr;

	r[R_ESI] = pointer(t, t->insn.seg);
	r[R_EDI] = pointer(t, S_ES);
	if (one_in(3))
		r[R_EDI] = r[R_ESI] + rnd() % 80 - 40;
	r[R_ECX] = (t->insn.adsize == 2 ? rnd() << 16 : 0) | (one_in(4) ? rnd() % 300 : rnd() % 20);
}

static void set_registers(struct test *t)
{
	unsigned need = t->form->need;
	uint32_t *r = t->run.gpr;
	int i;

	for (i = 0; i < R_COUNT; i++)
		r[i] = value();
	if (need & STK)
		r[R_ESP] = pointer(t, S_SS);
	if (need & FRAME)
		r[R_EBP] = pointer(t, S_SS);
	if (need & XLAT)
		r[R_EBX] = pointer(t, t->insn.seg);
	if (need & STR)
		set_string_registers(t);
	if ((need & DIV) && one_in(2))
		r[R_EDX] = one_in(2) ? 0 : UINT32_MAX;
	t->run.eflags = rnd() & (FL_ARITH | FL_DF);
}

/* The same bytes into both memories. */
static void poke(uint32_t linear, uint32_t v, unsigned n)
{
	struct fault f;

	vm.base = NATIVE_DATA;
	if (range_allowed(&vm, linear, n, ACC_WRITE, &f)) {
		memcpy(vm.data + (linear - NATIVE_DATA), &v, n);
		memcpy((void *)(uintptr_t)linear, &v, n);
	}
}

/* Puts the branch target where the instruction will read it.  False if it
 * would read something else there and run wild. */
static bool poke_target(const struct test *t, uint32_t linear)
{
	struct fault f;

	poke(linear, at(t, NATIVE_TAKEN), t->insn.opsize);
	return !range_allowed(&vm, linear, t->insn.opsize, ACC_READ, &f) ||
	       range_allowed(&vm, linear, t->insn.opsize, ACC_WRITE, &f);
}

static bool set_operands(struct test *t)
{
	const struct insn *in = &t->insn;
	unsigned need = t->form->need, reg = in->reg;
	uint32_t *r = t->run.gpr;
	struct vcpu c;

	if ((need & BITS) && in->has_mem && in->base != (int)reg && in->index != (int)reg)
		r[reg] = (uint32_t)((int32_t)rnd() >> 18);
	set_mode(&c, t->mode);
	memcpy(c.gpr, r, sizeof(c.gpr));
	if ((need & RETADDR) &&
	    !poke_target(t, c.seg[S_SS].base +
			    (c.seg[S_SS].attr & SEG_DB ? r[R_ESP] : r[R_ESP] & 0xffff)))
		return false;
	if ((need & TARGET) && in->has_mem && !poke_target(t, interp_ea(&c, in).v))
		return false;
	if ((need & TARGET) && !in->has_mem)
		r[in->rm] = at(t, NATIVE_TAKEN);
	/* Equal ones half of the time. */
	if (t->form->op >= 0xfb0 && t->form->op <= 0xfb1 && one_in(2)) {
		if (in->has_mem)
			poke(interp_ea(&c, in).v, r[R_EAX], 4);
		else
			r[in->rm] = r[R_EAX];
	}
	if (t->form->op == 0xfc7 && one_in(2)) {
		poke(interp_ea(&c, in).v, r[R_EAX], 4);
		poke(interp_ea(&c, in).v + 4, r[R_EDX], 4);
	}
	return true;
}

static bool make(struct test *t)
{
	if (!encode(t))
		return false;
	t->run = (struct native_run){
		.cs = t->mode->cs, .ds = t->mode->ds, .es = t->mode->es, .ss = t->mode->ss,
	};
	set_registers(t);
	if (!aim(t))
		return false;
	if (!set_operands(t))
		return false;
	/* Branches whose target got lost would run wild natively. */
	if ((t->form->need & TARGET) && !t->insn.has_mem && t->insn.rm == R_ESP &&
	    (t->form->need & STK))
		return false;
	return true;
}

/* ---- comparison ---- */

static void load_cpu(struct vcpu *c, const struct test *t)
{
	set_mode(c, t->mode);
	memcpy(c->gpr, t->run.gpr, sizeof(c->gpr));
	c->eflags = t->run.eflags | FL_FIXED | FL_IF;
	c->eip = at(t, NATIVE_AT);
}

/* To the end of the instruction: rep string instructions pause. */
static enum interp_result interpret(struct vm *v, const struct insn *in, struct fault *f)
{
	uint32_t eip = v->cpu.eip;
	enum interp_result r;
	int pauses = 0;

	do {
		r = interp_insn(v, in, f);
	} while (r == INTERP_OK && v->cpu.eip == eip && ++pauses < 1000);
	return r;
}

static void describe(const struct test *t, const struct native_run *n, enum interp_result r,
		     const struct fault *f)
{
	static const char *const names[] = { "eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi" };
	unsigned i;

	fprintf(stderr, "%s, %s:", t->form->name, t->mode->name);
	for (i = 0; i < t->len; i++)
		fprintf(stderr, " %02x", t->bytes[i]);
	fprintf(stderr, "\n  result %d fault %x error %x cr2 %08x", r, f->vector, f->error, f->cr2);
	fprintf(stderr, "; natively %x %x %08x, taken %d\n", n->fault.vector, n->fault.error,
		n->fault.cr2, n->taken);
	for (i = 0; i < R_COUNT; i++)
		fprintf(stderr, "  %s %08x -> %08x, natively %08x\n", names[i], t->run.gpr[i], vm.cpu.gpr[i],
		       n->gpr[i]);
	fprintf(stderr, "  fl  %08x -> %08x, natively %08x; eip %08x\n", t->run.eflags, vm.cpu.eflags,
	       n->eflags, vm.cpu.eip);
}

/* The CPU may report the read half of a read-modify-write as a read. */
static bool same_fault(const struct fault *a, const struct fault *b)
{
	if (a->vector != b->vector)
		return false;
	if (a->vector == VEC_PF)
		return a->cr2 == b->cr2 && ((a->error ^ b->error) & ~PF_W) == 0;
	return true;
}

static bool same(const struct test *t, const struct native_run *n, enum interp_result r,
		 const struct fault *f)
{
	uint32_t flags = (FL_ARITH | FL_DF) & ~t->form->undef;
	bool faulted = n->fault.vector != VEC_NONE;
	uint32_t eip = at(t, faulted ? NATIVE_AT : n->taken ? NATIVE_TAKEN : NATIVE_AT + t->len);

	/* A fault leaves the undefined flags alone, too. */
	if (faulted)
		flags = FL_ARITH | FL_DF;
	return r == (faulted ? INTERP_FAULT : INTERP_OK) && (!faulted || same_fault(f, &n->fault)) &&
	       !memcmp(n->gpr, vm.cpu.gpr, sizeof(n->gpr)) &&
	       ((n->eflags ^ vm.cpu.eflags) & flags) == 0 && vm.cpu.eip == eip;
}

static uint8_t *native_data(void)
{
	return (uint8_t *)(uintptr_t)NATIVE_DATA;
}

static bool same_memory(void)
{
	uint32_t none = NATIVE_PAGE_NONE * PAGE_SIZE, after = none + PAGE_SIZE;

	return !memcmp(vm.data, native_data(), none) &&
	       !memcmp(vm.data + after, native_data() + after, NATIVE_DATA_SIZE - after);
}

static void copy_from_native(void)
{
	uint32_t none = NATIVE_PAGE_NONE * PAGE_SIZE, after = none + PAGE_SIZE;

	memcpy(vm.data, native_data(), none);
	memcpy(vm.data + after, native_data() + after, NATIVE_DATA_SIZE - after);
}

/* The case's string instruction without repetition, with another opcode. */
static enum interp_result run_once(const struct test *t, unsigned opcode, struct fault *f)
{
	uint8_t bytes[sizeof(t->bytes)];
	struct insn in;
	unsigned i, n = 0;

	memset(bytes, 0x90, sizeof(bytes));
	for (i = 0; i + 1 < t->len; i++)
		if (t->bytes[i] != 0xf2 && t->bytes[i] != 0xf3)
			bytes[n++] = t->bytes[i];
	bytes[n] = (uint8_t)opcode;
	insn_decode(&in, bytes, sizeof(bytes), t->mode->bits);
	return interp_insn(&vm, &in, f);
}

/*
 * What CPUs do differently at a fault of cmps and scas.  Intel's, and the interpreter,
 * read ES:EDI first and restore the flags (SDM 2, REP); AMD's read DS:ESI first and keep
 * the flags of the last comparison.  Turns our outcome into theirs.
 */
static void outcome_of_amd(const struct test *t, struct fault *f)
{
	const struct vcpu ours = vm.cpu;
	uint32_t left = t->run.gpr[R_ECX] - ours.gpr[R_ECX], flags;
	struct fault other;

	load_cpu(&vm.cpu, t);
	while (left--)
		ck_assert_int_eq(run_once(t, t->insn.opcode, &other), INTERP_OK);
	flags = vm.cpu.eflags;
	/* lods reads DS:ESI and nothing else. */
	if (t->form->op == 0xa6 &&
	    run_once(t, 0xacu | (t->insn.opcode & 1), &other) == INTERP_FAULT)
		*f = other;
	vm.cpu = ours;
	vm.cpu.eflags = flags;
}

static unsigned total, faults;

/* One random case; true if both agree. */
static bool try_one(const struct form *form, const struct mode *mode)
{
	struct test t = { .form = form, .mode = mode };
	struct native_run n;
	struct fault f = { .vector = VEC_NONE };
	enum interp_result r;
	bool ok;

	while (!make(&t))
		;
	n = t.run;
	native_exec(&n, t.bytes, t.len);
	load_cpu(&vm.cpu, &t);
	vm.base = NATIVE_DATA;
	r = interpret(&vm, &t.insn, &f);
	/* The CPU leaves popa's registers changed at a fault; the interpreter does not. */
	if (n.fault.vector != VEC_NONE && t.insn.opcode == 0x61)
		memcpy(n.gpr, t.run.gpr, sizeof(n.gpr));
	ok = same(&t, &n, r, &f);
	if (!ok && r == INTERP_FAULT && (form->op == 0xa6 || form->op == 0xae)) {
		outcome_of_amd(&t, &f);
		ok = same(&t, &n, r, &f);
	}
	/* The CPU leaves the pushes before a fault of pusha and enter in the memory. */
	if (n.fault.vector != VEC_NONE && (form->op == 0x60 || form->op == 0xc8))
		copy_from_native();
	if (ok && !same_memory()) {
		fprintf(stderr, "memory differs\n");
		ok = false;
	}
	if (!ok) {
		describe(&t, &n, r, &f);
		copy_from_native();
	}
	total++;
	faults += n.fault.vector != VEC_NONE;
	return ok;
}

static void setup(void)
{
	uint32_t i, none = NATIVE_PAGE_NONE * PAGE_SIZE;

	ck_assert_msg(native_start(), "this host cannot run 32-bit code in this process");
	for (i = 0; i < NATIVE_PAGE_RO * PAGE_SIZE; i += 4)
		if (i < none || i >= none + PAGE_SIZE)
			memcpy(native_data() + i, &(uint32_t){ value() }, 4);
	copy_from_native();
}

START_TEST(differential)
{
	const struct form *form = &forms[_i];
	unsigned i, bad = 0;
	int m;

	setup();
	rng_state = 0x9e3779b9u * (uint32_t)(_i + 1);
	for (m = 0; m < NMODES; m++)
		for (i = 0; i < ROUNDS && bad < 3; i++)
			bad += !try_one(form, &modes[m]);
	ck_assert_msg(!bad, "%s: the CPU disagrees", form->name);
	/* Every form was carried out, not only refused. */
	ck_assert_uint_lt(faults, total);
}
END_TEST

/* ---- what random cases do not reach ---- */

#define DATA 0x10000u		/* linear address of vm.data in these tests */

/* A kernel with flat segments that is about to run what run_bytes() gets. */
static void start(void)
{
	int i;

	memset(&vm, 0, sizeof(vm));
	set_mode(&vm.cpu, &modes[0]);
	vm.cpu.cpl = 0;
	vm.cpu.eip = 0x1000;
	vm.cpu.eflags = FL_FIXED;
	vm.base = DATA;
	for (i = 0; i < (int)sizeof(vm.data); i++)
		vm.data[i] = (uint8_t)(i * 7 + i / 256);
}

static enum interp_result run_bytes(const char *bytes, unsigned n, unsigned bits, struct fault *f)
{
	uint8_t buf[16];
	struct insn in;

	memset(buf, 0x90, sizeof(buf));
	memcpy(buf, bytes, n);
	insn_decode(&in, buf, sizeof(buf), bits);
	*f = (struct fault){ .vector = VEC_NONE };
	return interp_insn(&vm, &in, f);
}
#define RUN(bytes) run_bytes(bytes, sizeof(bytes) - 1, 32, &f)
#define RUN16(bytes) run_bytes(bytes, sizeof(bytes) - 1, 16, &f)

static void assert_fault(enum interp_result r, const struct fault *f, unsigned vector,
			 uint32_t error)
{
	ck_assert_int_eq(r, INTERP_FAULT);
	ck_assert_uint_eq(f->vector, vector);
	ck_assert_uint_eq(f->error, error);
}

START_TEST(rep_movs_faults_half_way)
{
	uint32_t none = DATA + NATIVE_PAGE_NONE * PAGE_SIZE;
	struct fault f;

	start();
	vm.cpu.gpr[R_ECX] = 100;
	vm.cpu.gpr[R_ESI] = DATA;
	vm.cpu.gpr[R_EDI] = none - 4 * 37;
	assert_fault(RUN("\xf3\xa5"), &f, VEC_PF, PF_W);
	ck_assert_uint_eq(f.cr2, none);
	ck_assert_uint_eq(vm.cpu.gpr[R_ECX], 63);
	ck_assert_uint_eq(vm.cpu.gpr[R_ESI], DATA + 4 * 37);
	ck_assert_uint_eq(vm.cpu.gpr[R_EDI], none);
	ck_assert_uint_eq(vm.cpu.eip, 0x1000);
	ck_assert(!memcmp(vm.data, vm.data + NATIVE_PAGE_NONE * PAGE_SIZE - 4 * 37, 4 * 37));
	/* Goes on from there once the page is present: here, from another place. */
	vm.cpu.gpr[R_EDI] = none + PAGE_SIZE;
	ck_assert_int_eq(RUN("\xf3\xa5"), INTERP_OK);
	ck_assert_uint_eq(vm.cpu.gpr[R_ECX], 0);
	ck_assert_uint_eq(vm.cpu.eip, 0x1002);
}
END_TEST

/* A dword that lies in two pages is not written by half. */
START_TEST(rep_stos_straddles)
{
	uint32_t none = NATIVE_PAGE_NONE * PAGE_SIZE;
	struct fault f;
	uint8_t before[2];

	start();
	memcpy(before, vm.data + none - 2, 2);
	vm.cpu.gpr[R_ECX] = 9;
	vm.cpu.gpr[R_EAX] = 0x5a5a5a5a;
	vm.cpu.gpr[R_EDI] = DATA + none - 6;
	assert_fault(RUN("\xf3\xab"), &f, VEC_PF, PF_W);
	ck_assert_uint_eq(f.cr2, DATA + none);
	ck_assert_uint_eq(vm.cpu.gpr[R_ECX], 8);
	ck_assert_uint_eq(vm.cpu.gpr[R_EDI], DATA + none - 2);
	ck_assert(!memcmp(before, vm.data + none - 2, 2));
}
END_TEST

START_TEST(rep_stos_pauses)
{
	struct fault f;
	int pauses = 0, i;

	start();
	vm.cpu.gpr[R_ECX] = 20000;
	vm.cpu.gpr[R_EAX] = 0xa5;
	vm.cpu.gpr[R_EDI] = DATA + 1;
	do {
		ck_assert_int_eq(RUN("\xf3\xaa"), INTERP_OK);
	} while (vm.cpu.eip == 0x1000 && ++pauses < 100);
	ck_assert_int_eq(pauses, 4);
	ck_assert_uint_eq(vm.cpu.gpr[R_ECX], 0);
	ck_assert_uint_eq(vm.cpu.gpr[R_EDI], DATA + 20001);
	for (i = 1; i <= 20000; i++)
		ck_assert_uint_eq(vm.data[i], 0xa5);
	ck_assert_uint_ne(vm.data[20001], 0xa5);
	/* By chunks, not by bytes. */
	ck_assert_uint_lt(vm.writes, 20000 / 64 + 20);
}
END_TEST

START_TEST(rep_single_steps)
{
	struct fault f;

	start();
	vm.cpu.gpr[R_ECX] = 2;
	vm.cpu.gpr[R_ESI] = DATA;
	vm.cpu.eflags |= FL_TF;
	ck_assert_int_eq(RUN("\xf3\xac"), INTERP_OK);
	ck_assert_uint_eq(vm.cpu.gpr[R_ECX], 1);
	ck_assert_uint_eq(vm.cpu.eip, 0x1000);
	ck_assert_int_eq(RUN("\xf3\xac"), INTERP_OK);
	ck_assert_uint_eq(vm.cpu.gpr[R_ECX], 0);
	ck_assert_uint_eq(vm.cpu.eip, 0x1002);
}
END_TEST

START_TEST(cmpxchg8b_readonly)
{
	struct fault f;
	uint32_t ro = NATIVE_PAGE_RO * PAGE_SIZE;
	struct vcpu before;
	uint8_t bytes[8];

	start();
	/* Unequal: the CPU writes the old value back, and so needs the right to. */
	vm.cpu.gpr[R_EDI] = DATA + ro;
	before = vm.cpu;
	memcpy(bytes, vm.data + ro, 8);
	assert_fault(RUN("\xf0\x0f\xc7\x0f"), &f, VEC_PF, PF_P | PF_W);
	ck_assert_uint_eq(f.cr2, DATA + ro);
	ck_assert(!memcmp(&before, &vm.cpu, sizeof(before)));
	ck_assert(!memcmp(bytes, vm.data + ro, 8));
}
END_TEST

START_TEST(push_to_bad_stack)
{
	struct vcpu before;
	struct fault f;

	start();
	vm.cpu.gpr[R_ESP] = DATA;
	vm.cpu.cpl = 3;
	before = vm.cpu;
	assert_fault(RUN("\x50"), &f, VEC_PF, PF_W | PF_U);
	ck_assert_uint_eq(f.cr2, DATA - 4);
	assert_fault(RUN("\xe8\x00\x00\x00\x00"), &f, VEC_PF, PF_W | PF_U);
	ck_assert(!memcmp(&before, &vm.cpu, sizeof(before)));
	vm.cpu.seg[S_SS].limit = 0xfff;
	assert_fault(RUN("\x50"), &f, VEC_SS, 0);
}
END_TEST

START_TEST(segment_rules)
{
	struct fault f;

	start();
	vm.cpu.seg[S_FS] = (struct segment){ 0 };
	assert_fault(RUN("\x64\xa1\x00\x00\x01\x00"), &f, VEC_GP, 0);
	/* Code: readable, never writable. */
	ck_assert_int_eq(RUN("\x2e\xa1\x00\x00\x01\x00"), INTERP_OK);
	assert_fault(RUN("\x2e\xa3\x00\x00\x01\x00"), &f, VEC_GP, 0);
	vm.cpu.seg[S_CS].attr &= (uint16_t)~2u;
	assert_fault(RUN("\x2e\xa1\x00\x00\x01\x00"), &f, VEC_GP, 0);
	/* A base that wraps around, as the per-CPU segment of NetBSD. */
	vm.cpu.seg[S_FS] = (struct segment){ 0x30, 0xc093, 0xc0000000, UINT32_MAX };
	ck_assert_int_eq(RUN("\x64\xa1\x04\x00\x01\x40"), INTERP_OK);
	ck_assert(!memcmp(&vm.cpu.gpr[R_EAX], vm.data + 4, 4));
	/* A branch out of the code segment. */
	vm.cpu.seg[S_CS].limit = 0x1fff;
	vm.cpu.eip = 0x1000;
	assert_fault(RUN("\xe9\x00\x10\x00\x00"), &f, VEC_GP, 0);
	ck_assert_uint_eq(vm.cpu.eip, 0x1000);
}
END_TEST

/* Real mode: limits of 64 KiB, no types, 16-bit offsets and EIP that wrap. */
START_TEST(real_mode)
{
	struct fault f;
	int i;

	start();
	vm.cpu.cr0 = 0;
	for (i = 0; i < S_COUNT; i++)
		vm.cpu.seg[i] = (struct segment){ DATA >> 4, 0x009b, DATA, 0xffff };
	vm.cpu.gpr[R_EBX] = 0xfffff000;
	vm.cpu.gpr[R_ESI] = 0x1234;
	vm.cpu.gpr[R_EAX] = 0xbeef;
	vm.cpu.eip = 0xfffe;
	ck_assert_int_eq(RUN16("\x2e\x89\x00"), INTERP_OK);	/* mov %ax,%cs:(%bx,%si) */
	ck_assert_uint_eq(vm.data[0x234], 0xef);
	ck_assert_uint_eq(vm.data[0x235], 0xbe);
	ck_assert_uint_eq(vm.cpu.eip, 1);
	vm.cpu.gpr[R_EBX] = 0xffff;
	assert_fault(RUN16("\x89\x07"), &f, VEC_GP, 0);
	assert_fault(RUN16("\x63\x07"), &f, VEC_UD, 0);		/* arpl */
}
END_TEST

START_TEST(sensitive_ones_go_to_emulate)
{
	struct fault f;

	start();
	ck_assert_int_eq(RUN("\x9c"), INTERP_STOP);
	ck_assert_uint_eq(vm.emulated, IK_PUSHF);
	vm.emulated = IK_NONE;
	assert_fault(RUN("\xf0\x9c"), &f, VEC_UD, 0);
	ck_assert_uint_eq(vm.emulated, IK_NONE);
	/* x87 and SSE belong to the host's registers. */
	ck_assert_int_eq(RUN("\xd9\xe8"), INTERP_UNKNOWN);
	ck_assert_int_eq(RUN("\x0f\x28\xc1"), INTERP_UNKNOWN);
	ck_assert_int_eq(RUN("\x0f\xff\xff\xff"), INTERP_STOP);
	ck_assert_uint_eq(vm.emulated, IK_UD);
	ck_assert_uint_eq(vm.cpu.eip, 0x1000);
}
END_TEST

/* The end of an instruction ends the sti shadow and RF; a fault does not. */
START_TEST(shadow_and_rf)
{
	struct fault f;

	start();
	vm.cpu.shadow = true;
	vm.cpu.eflags |= FL_RF;
	ck_assert_int_eq(RUN("\xa1\x00\x00\x00\x00"), INTERP_FAULT);
	ck_assert(vm.cpu.shadow && (vm.cpu.eflags & FL_RF));
	ck_assert_int_eq(RUN("\x90"), INTERP_OK);
	ck_assert(!vm.cpu.shadow && !(vm.cpu.eflags & FL_RF));
}
END_TEST

static const struct { bool can; unsigned len; const char *bytes; } abilities[] = {
	{ true, 2, "\x01\xc8" }, { true, 2, "\xf3\xa4" }, { true, 3, "\x0f\xae\xf0" },
	{ true, 4, "\xf3\x0f\xb8\xc1" }, { true, 4, "\xf3\x0f\x1e\xfb" },
	{ true, 3, "\x0f\xc7\x0f" },
	{ false, 1, "\x9c" }, { false, 1, "\xfa" }, { false, 2, "\x8e\xd8" },	/* sensitive */
	{ false, 2, "\xd9\xc0" }, { false, 3, "\x0f\x28\xc1" }, { false, 3, "\x0f\x6f\xc1" },
	{ false, 3, "\x0f\xc7\xf0" },	/* rdrand */
	{ false, 2, "\xfe\xd0" }, { false, 2, "\x0f\x0b" },	/* undefined */
	{ false, 4, "\x66\x0f\xae\x38" },	/* clflushopt */
};

START_TEST(ability)
{
	uint8_t buf[16] = { 0 };
	struct insn in;

	memcpy(buf, abilities[_i].bytes, abilities[_i].len);
	insn_decode(&in, buf, sizeof(buf), 32);
	ck_assert_int_eq(interp_can(&in), abilities[_i].can);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("interp");
	TCase *tc = tcase_create("differential");
	SRunner *sr;
	bool cpu = code32_runs("comparison with the CPU");
	int failed;

	tcase_set_timeout(tc, 60);
	if (cpu)
		tcase_add_loop_test(tc, differential, 0, NFORMS);
	suite_add_tcase(s, tc);
	tc = tcase_create("cases");
	tcase_add_test(tc, rep_movs_faults_half_way);
	tcase_add_test(tc, rep_stos_straddles);
	tcase_add_test(tc, rep_stos_pauses);
	tcase_add_test(tc, rep_single_steps);
	tcase_add_test(tc, cmpxchg8b_readonly);
	tcase_add_test(tc, push_to_bad_stack);
	tcase_add_test(tc, segment_rules);
	tcase_add_test(tc, real_mode);
	tcase_add_test(tc, sensitive_ones_go_to_emulate);
	tcase_add_test(tc, shadow_and_rf);
	tcase_add_loop_test(tc, ability, 0, (int)(sizeof(abilities) / sizeof(*abilities)));
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : cpu ? EXIT_SUCCESS : EXIT_SKIPPED;
}
