/* SPDX-License-Identifier: BSD-2-Clause */
/* Which accesses are writes: compared with Capstone's operand information for
 * every opcode, and by address where an instruction reads and writes. */
#include "monitor/access.h"

#include <capstone/capstone.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>

/* Where the registers point: far from each other and from the stack. */
#define AT 0x40000000u
#define SOURCE 0x50000000u
#define STACK 0x60000000u

static struct vcpu c;

static void setup(void)
{
	int i;

	memset(&c, 0, sizeof c);
	for (i = 0; i < S_COUNT; i++)
		c.seg[i] = (struct segment){ 0x23, 0xc0f3, 0, 0xffffffff };
	c.gpr[R_EAX] = c.gpr[R_EDI] = AT;
	c.gpr[R_ESI] = SOURCE;
	c.gpr[R_ESP] = STACK;
}

static bool is_write(const uint8_t *bytes, size_t n, uint32_t a)
{
	struct insn insn;
	uint8_t buf[16] = { 0 };

	memcpy(buf, bytes, n);
	ck_assert_int_gt(insn_decode(&insn, buf, sizeof buf, 32), 0);
	return access_is_write(&c, &insn, a);
}
#define WRITES(a, ...) \
	is_write((const uint8_t[]){ __VA_ARGS__ }, sizeof (uint8_t[]){ __VA_ARGS__ }, (a))

/* ---- against Capstone ---- */

/* Capstone 4 shows these as reading a memory operand that they write when it is
 * the first one (SDM 2). */
static const unsigned write_first[] = {
	X86_INS_ARPL, X86_INS_MOVBE, X86_INS_PEXTRB, X86_INS_CMPXCHG, X86_INS_CMPXCHG8B,
	X86_INS_FIST, X86_INS_FISTP, X86_INS_FISTTP, X86_INS_FNSTCW, X86_INS_FST, X86_INS_FSTP,
	X86_INS_MOVD, X86_INS_MOVDQA, X86_INS_MOVHPD, X86_INS_MOVHPS, X86_INS_MOVLPD,
	X86_INS_MOVLPS, X86_INS_MOVNTDQ, X86_INS_MOVNTI, X86_INS_MOVNTPD, X86_INS_MOVNTPS,
	X86_INS_MOVNTQ, X86_INS_MOVQ, X86_INS_MOVUPD, X86_INS_MOVUPS, X86_INS_RCL, X86_INS_RCR,
	X86_INS_ROL, X86_INS_ROR, X86_INS_SETA, X86_INS_SETAE, X86_INS_SETB, X86_INS_SETBE,
	X86_INS_SETG, X86_INS_SETGE, X86_INS_SETL, X86_INS_SETLE, X86_INS_SETNO, X86_INS_SETNP,
	X86_INS_SETNS, X86_INS_SETO, X86_INS_SETP, X86_INS_SETS, X86_INS_STMXCSR, X86_INS_PEXTRW, X86_INS_PEXTRD, X86_INS_EXTRACTPS,
};
/* And these as writing one that they only read. */
static const unsigned only_read[] = { X86_INS_FRSTOR, X86_INS_TEST };

static bool listed(unsigned id, const unsigned *list, size_t n)
{
	while (n--)
		if (list[n] == id)
			return true;
	return false;
}
#define LISTED(id, list) listed((id), (list), sizeof (list) / sizeof *(list))

static bool expected(const cs_insn *in, const cs_x86_op *op)
{
	if (LISTED(in->id, only_read))
		return false;
	if (LISTED(in->id, write_first))
		return op == &in->detail->x86.operands[0];
	return op->access & CS_AC_WRITE;
}

/* The explicit memory operand (%eax), if that is what Capstone sees. */
static const cs_x86_op *operand(const cs_insn *in)
{
	const cs_x86 *x = &in->detail->x86;
	unsigned i;

	for (i = 0; i < x->op_count; i++)
		if (x->operands[i].type == X86_OP_MEM && x->operands[i].mem.base == X86_REG_EAX)
			return &x->operands[i];
	return NULL;
}

/* Instructions that are not offered to guests: AVX and newer extensions, AMD's
 * own, protection keys, transactions and the like. */
static bool offered(csh cs, const cs_insn *in)
{
	static const unsigned base[] = { X86_GRP_MMX, X86_GRP_SSE1, X86_GRP_SSE2, X86_GRP_SSE3,
					 X86_GRP_SSSE3, X86_GRP_SSE41, X86_GRP_SSE42, X86_GRP_FPU, X86_GRP_CMOV, X86_GRP_AES,
					 X86_GRP_PCLMUL, X86_GRP_MODE32, X86_GRP_NOT64BITMODE,
					 X86_GRP_JUMP, X86_GRP_CALL, X86_GRP_RET, X86_GRP_INT, X86_GRP_IRET,
					 X86_GRP_PRIVILEGE, X86_GRP_BRANCH_RELATIVE };
	static const unsigned none[] = { X86_INS_XSAVEC, X86_INS_XSAVEOPT, X86_INS_XSAVES };
	unsigned i, known = 0;

	if (LISTED(in->id, none))
		return false;
	for (i = 0; i < sizeof base / sizeof *base; i++)
		known += cs_insn_group(cs, in, base[i]);
	return known == in->detail->groups_count;
}

static unsigned compare(csh cs, const uint8_t *bytes, size_t n)
{
	cs_insn *in;
	struct insn ours;
	const cs_x86_op *op;
	unsigned done = 0;

	if (insn_decode(&ours, bytes, n, 32) <= 0 || cs_disasm(cs, bytes, n, 0, 1, &in) != 1)
		return 0;
	op = operand(in);
	if (op && offered(cs, in) && in->size == ours.len) {
		bool got = access_is_write(&c, &ours, AT);

		ck_assert_msg(got == expected(in, op), "%02x %02x %02x %02x: %s %s: said %s", bytes[0],
			      bytes[1], bytes[2], bytes[3], in->mnemonic, in->op_str, got ? "write" : "read");
		done = 1;
	}
	cs_free(in, 1);
	return done;
}

static const struct { uint8_t bytes[4]; unsigned n; } maps[] = {
	{ { 0 }, 0 }, { { 0x66 }, 1 }, { { 0x0f }, 1 }, { { 0x66, 0x0f }, 2 }, { { 0xf3, 0x0f }, 2 },
	{ { 0xf2, 0x0f }, 2 }, { { 0x0f, 0x38 }, 2 }, { { 0x66, 0x0f, 0x38 }, 3 },
	{ { 0xf2, 0x0f, 0x38 }, 3 }, { { 0x66, 0x0f, 0x3a }, 3 },
};

START_TEST(as_capstone)
{
	unsigned op, reg, done = 0, n = maps[_i].n;
	uint8_t bytes[16];
	csh cs;

	ck_assert_int_eq(cs_open(CS_ARCH_X86, CS_MODE_32, &cs), CS_ERR_OK);
	cs_option(cs, CS_OPT_DETAIL, CS_OPT_ON);
	for (op = 0; op < 256; op++)
		for (reg = 0; reg < 8; reg++) {
			memset(bytes, 0, sizeof bytes);
			memcpy(bytes, maps[_i].bytes, n);
			bytes[n] = op;
			bytes[n + 1] = reg << 3;	/* (%eax) */
			done += compare(cs, bytes, sizeof bytes);
		}
	cs_close(&cs);
	ck_assert_uint_gt(done, 0);
}
END_TEST

/* ---- by address ---- */

START_TEST(string_instructions)
{
	ck_assert(WRITES(AT, 0xaa));			/* stosb */
	ck_assert(WRITES(AT, 0xf3, 0xab));		/* rep stosl */
	ck_assert(WRITES(AT, 0x6c));			/* insb */
	ck_assert(WRITES(AT, 0xa4));			/* movsb, both ends */
	ck_assert(!WRITES(SOURCE, 0xa4));
	ck_assert(WRITES(AT, 0xf3, 0xa5));
	ck_assert(!WRITES(SOURCE, 0xf3, 0xa5));
	ck_assert(WRITES(AT + 3, 0xa5));
	ck_assert(!WRITES(SOURCE, 0xac));		/* lodsb */
	ck_assert(!WRITES(AT, 0xae));			/* scasb */
	ck_assert(!WRITES(AT, 0xa6));			/* cmpsb */
	ck_assert(!WRITES(SOURCE, 0xa6));
	ck_assert(!WRITES(SOURCE, 0x6e));		/* outsb */
	/* Within one page the source is read first. */
	c.gpr[R_EDI] = SOURCE;
	ck_assert(!WRITES(SOURCE, 0xa4));
}
END_TEST

/* A segment override moves the source only. */
START_TEST(string_segments)
{
	c.seg[S_FS].base = 0x1000000;
	c.seg[S_ES].base = 0x2000000;
	ck_assert(!WRITES(SOURCE + 0x1000000, 0x64, 0xa4));
	ck_assert(WRITES(AT + 0x2000000, 0x64, 0xa4));
	ck_assert(WRITES(AT + 0x2000000, 0xaa));
}
END_TEST

/* 16-bit addresses use SI and DI. */
START_TEST(string_of_16_bits)
{
	c.gpr[R_EDI] = 0xaaaa1000;
	c.gpr[R_ESI] = 0xbbbb2000;
	ck_assert(WRITES(0x1000, 0x67, 0xa4));
	ck_assert(!WRITES(0x2000, 0x67, 0xa4));
}
END_TEST

START_TEST(pushes)
{
	ck_assert(WRITES(STACK - 4, 0x50));			/* push %eax */
	ck_assert(WRITES(STACK - 4, 0x68, 1, 2, 3, 4));
	ck_assert(WRITES(STACK - 4, 0x6a, 1));
	ck_assert(WRITES(STACK - 32, 0x60));			/* pusha */
	ck_assert(WRITES(STACK - 4, 0xe8, 0, 0, 0, 0));		/* call */
	ck_assert(WRITES(STACK - 4, 0xff, 0xd0));		/* call *%eax */
	ck_assert(WRITES(STACK - 4, 0x9c));			/* pushf */
	ck_assert(WRITES(STACK - 4, 0x1e));			/* push %ds */
	ck_assert(WRITES(STACK - 4, 0x0f, 0xa0));		/* push %fs */
	ck_assert(WRITES(STACK - 4, 0xc8, 0, 0, 0));		/* enter */
	/* Through memory: a read there, a write on the stack. */
	ck_assert(WRITES(STACK - 4, 0xff, 0x30));		/* push (%eax) */
	ck_assert(!WRITES(AT, 0xff, 0x30));
	ck_assert(WRITES(STACK - 4, 0xff, 0x10));		/* call *(%eax) */
	ck_assert(!WRITES(AT, 0xff, 0x10));
	ck_assert(!WRITES(AT, 0xff, 0x20));			/* jmp *(%eax) */
}
END_TEST

START_TEST(pops)
{
	ck_assert(!WRITES(STACK, 0x58));
	ck_assert(!WRITES(STACK, 0x61));
	ck_assert(!WRITES(STACK, 0x9d));
	ck_assert(!WRITES(STACK, 0xc3));
	ck_assert(!WRITES(STACK, 0xcf));
	ck_assert(!WRITES(STACK, 0xc9));
	/* pop (%eax) reads the stack and writes memory. */
	ck_assert(!WRITES(STACK, 0x8f, 0x00));
	ck_assert(WRITES(AT, 0x8f, 0x00));
}
END_TEST

/* A bit number reaches far beyond the operand's address. */
START_TEST(bit_strings)
{
	c.gpr[R_EBX] = 0x80000;
	ck_assert(WRITES(AT + 0x10000, 0x0f, 0xab, 0x18));	/* bts %ebx,(%eax) */
	ck_assert(!WRITES(AT + 0x10000, 0x0f, 0xa3, 0x18));	/* bt */
}
END_TEST

START_TEST(other_forms)
{
	ck_assert(WRITES(AT, 0xa2, 0, 0, 0, 0x40));		/* mov %al,moffs */
	ck_assert(!WRITES(AT, 0xa0, 0, 0, 0, 0x40));
	ck_assert(!WRITES(AT, 0xd7));				/* xlat */
	ck_assert(WRITES(AT, 0x0f, 0xf7, 0xc1));		/* maskmovq */
	ck_assert(WRITES(AT, 0x66, 0x0f, 0xf7, 0xc1));		/* maskmovdqu */
	ck_assert(WRITES(AT, 0xf0, 0x0f, 0xb1, 0x18));		/* lock cmpxchg */
	ck_assert(WRITES(AT, 0x0f, 0x38, 0xf1, 0x18));		/* movbe %ebx,(%eax) */
	ck_assert(!WRITES(AT, 0x0f, 0x38, 0xf0, 0x18));
	ck_assert(!WRITES(AT, 0xf2, 0x0f, 0x38, 0xf1, 0x18));	/* crc32 */
	ck_assert(WRITES(AT, 0x66, 0x0f, 0x3a, 0x14, 0x00, 1));	/* pextrb */
	ck_assert(WRITES(AT, 0x66, 0x0f, 0x3a, 0x15, 0x00, 1));	/* pextrw */
	ck_assert(WRITES(AT, 0x66, 0x0f, 0x3a, 0x16, 0x00, 1));	/* pextrd */
	ck_assert(WRITES(AT, 0x66, 0x0f, 0x3a, 0x17, 0x00, 1));	/* extractps */
	ck_assert(!WRITES(AT, 0x66, 0x0f, 0x3a, 0x22, 0x00, 1));	/* pinsrd */
	/* The far end of a long operand. */
	ck_assert(WRITES(AT + 511, 0x0f, 0xae, 0x00));		/* fxsave */
	ck_assert(WRITES(AT + 0x1000, 0x88, 0x98, 0x00, 0x10, 0, 0));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("access");
	TCase *tc = tcase_create("access");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_loop_test(tc, as_capstone, 0, sizeof maps / sizeof *maps);
	tcase_add_test(tc, string_instructions);
	tcase_add_test(tc, string_segments);
	tcase_add_test(tc, string_of_16_bits);
	tcase_add_test(tc, pushes);
	tcase_add_test(tc, pops);
	tcase_add_test(tc, bit_strings);
	tcase_add_test(tc, other_forms);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
