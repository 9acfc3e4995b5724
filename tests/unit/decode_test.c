/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The decoder and the instruction table against Capstone: hand-listed
 * encodings, every form of every sensitive opcode, random bytes, and the text
 * of a real kernel (LILYVM_TEST_VMLINUX names an ELF file).
 */
#include "rewriter/insn.h"

#include <capstone/capstone.h>
#include <check.h>
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static csh cs32, cs16;

static void setup(void)
{
	ck_assert_int_eq(cs_open(CS_ARCH_X86, CS_MODE_32, &cs32), CS_ERR_OK);
	ck_assert_int_eq(cs_open(CS_ARCH_X86, CS_MODE_16, &cs16), CS_ERR_OK);
	cs_option(cs32, CS_OPT_DETAIL, CS_OPT_ON);
	cs_option(cs16, CS_OPT_DETAIL, CS_OPT_ON);
}

static void teardown(void)
{
	cs_close(&cs32);
	cs_close(&cs16);
}

static bool reg_in(const cs_insn *ci, int op, x86_reg lo, x86_reg hi)
{
	const cs_x86 *x = &ci->detail->x86;

	return op < x->op_count && x->operands[op].type == X86_OP_REG &&
	       x->operands[op].reg >= lo && x->operands[op].reg <= hi;
}

static bool sreg(const cs_insn *ci, int op)
{
	static const x86_reg regs[] = { X86_REG_ES, X86_REG_CS, X86_REG_SS, X86_REG_DS,
					X86_REG_FS, X86_REG_GS };

	for (size_t i = 0; i < sizeof(regs) / sizeof(regs[0]); i++)
		if (reg_in(ci, op, regs[i], regs[i]))
			return true;
	return false;
}

static enum insn_kind mov_kind(const cs_insn *ci)
{
	if (sreg(ci, 0))
		return IK_MOV_TO_SREG;
	if (sreg(ci, 1))
		return IK_MOV_FROM_SREG;
	if (reg_in(ci, 0, X86_REG_CR0, X86_REG_CR15))
		return IK_MOV_TO_CR;
	if (reg_in(ci, 1, X86_REG_CR0, X86_REG_CR15))
		return IK_MOV_FROM_CR;
	if (reg_in(ci, 0, X86_REG_DR0, X86_REG_DR15))
		return IK_MOV_TO_DR;
	if (reg_in(ci, 1, X86_REG_DR0, X86_REG_DR15))
		return IK_MOV_FROM_DR;
	return IK_NONE;
}

/* The kind by what Capstone says, independently of our opcode tables. */
static enum insn_kind cs_kind(const cs_insn *ci)
{
	switch (ci->id) {
	case X86_INS_PUSHF: case X86_INS_PUSHFD: return IK_PUSHF;
	case X86_INS_POPF: case X86_INS_POPFD: return IK_POPF;
	case X86_INS_IRET: case X86_INS_IRETD: return IK_IRET;
	case X86_INS_MOV: return mov_kind(ci);
	case X86_INS_PUSH: return sreg(ci, 0) ? IK_PUSH_SREG : IK_NONE;
	case X86_INS_POP: return sreg(ci, 0) ? IK_POP_SREG : IK_NONE;
	case X86_INS_LES: case X86_INS_LDS: case X86_INS_LSS: case X86_INS_LFS:
	case X86_INS_LGS: return IK_LSREG;
	case X86_INS_LCALL: return IK_CALL_FAR;
	case X86_INS_LJMP: return IK_JMP_FAR;
	case X86_INS_RETF: return IK_RET_FAR;
	case X86_INS_SLDT: return IK_SLDT;
	case X86_INS_STR: return IK_STR;
	case X86_INS_VERR: return IK_VERR;
	case X86_INS_VERW: return IK_VERW;
	case X86_INS_SGDT: return IK_SGDT;
	case X86_INS_SIDT: return IK_SIDT;
	case X86_INS_SMSW: return IK_SMSW;
	case X86_INS_LAR: return IK_LAR;
	case X86_INS_LSL: return IK_LSL;
	case X86_INS_INT: return IK_INT;
	case X86_INS_CPUID: return IK_CPUID;
	case X86_INS_FXSAVE: return IK_FXSAVE;
	case X86_INS_FXRSTOR: return IK_FXRSTOR;
	case X86_INS_FNSAVE: return IK_FNSAVE;
	case X86_INS_FRSTOR: return IK_FRSTOR;
	case X86_INS_FNINIT: return IK_FNINIT;
	case X86_INS_XSAVE: case X86_INS_XSAVEOPT: case X86_INS_XSAVEC:
	case X86_INS_XSAVES: return IK_XSAVE;
	case X86_INS_XRSTOR: case X86_INS_XRSTORS: return IK_XRSTOR;
	case X86_INS_XGETBV: return IK_XGETBV;
	case X86_INS_SYSENTER: return IK_SYSENTER;
	case X86_INS_SYSCALL: return IK_SYSCALL;
	case X86_INS_VMCALL: case X86_INS_VMMCALL: case X86_INS_VMFUNC: return IK_VMCALL;
	case X86_INS_CLI: return IK_CLI;
	case X86_INS_STI: return IK_STI;
	case X86_INS_HLT: return IK_HLT;
	case X86_INS_IN: return IK_IN;
	case X86_INS_OUT: return IK_OUT;
	case X86_INS_INSB: case X86_INS_INSW: case X86_INS_INSD: return IK_INS;
	case X86_INS_OUTSB: case X86_INS_OUTSW: case X86_INS_OUTSD: return IK_OUTS;
	case X86_INS_LGDT: return IK_LGDT;
	case X86_INS_LIDT: return IK_LIDT;
	case X86_INS_LLDT: return IK_LLDT;
	case X86_INS_LTR: return IK_LTR;
	case X86_INS_LMSW: return IK_LMSW;
	case X86_INS_CLTS: return IK_CLTS;
	case X86_INS_INVLPG: return IK_INVLPG;
	case X86_INS_INVD: return IK_INVD;
	case X86_INS_WBINVD: return IK_WBINVD;
	case X86_INS_RDMSR: return IK_RDMSR;
	case X86_INS_WRMSR: return IK_WRMSR;
	case X86_INS_RDPMC: return IK_RDPMC;
	case X86_INS_XSETBV: return IK_XSETBV;
	case X86_INS_SYSEXIT: return IK_SYSEXIT;
	case X86_INS_SYSRET: return IK_SYSRET;
	case X86_INS_INVPCID: return IK_INVPCID;
	case X86_INS_MONITOR: return IK_MONITOR;
	case X86_INS_MWAIT: return IK_MWAIT;
	case X86_INS_CLAC: return IK_CLAC;
	case X86_INS_STAC: return IK_STAC;
	case X86_INS_RSM: return IK_RSM;
	case X86_INS_GETSEC: return IK_GETSEC;
	case X86_INS_ENCLS: return IK_ENCLS;
	case X86_INS_VMLAUNCH: case X86_INS_VMRESUME: case X86_INS_VMXOFF: case X86_INS_VMXON:
	case X86_INS_VMCLEAR: case X86_INS_VMPTRLD: case X86_INS_VMPTRST: case X86_INS_VMREAD:
	case X86_INS_VMWRITE: case X86_INS_INVEPT: case X86_INS_INVVPID: case X86_INS_VMRUN:
	case X86_INS_VMLOAD: case X86_INS_VMSAVE: case X86_INS_STGI: case X86_INS_CLGI:
	case X86_INS_SKINIT: case X86_INS_INVLPGA: return IK_VMX;
	case X86_INS_RDFSBASE: case X86_INS_RDGSBASE: case X86_INS_WRFSBASE:
	case X86_INS_WRGSBASE: return IK_FSGSBASE;
	case X86_INS_RDTSC: return IK_RDTSC;
	case X86_INS_RDTSCP: return IK_RDTSCP;
	case X86_INS_INT3: return IK_INT3;
	case X86_INS_INTO: return IK_INTO;
	case X86_INS_INT1: return IK_INT1;
	case X86_INS_BOUND: return IK_BOUND;
	case X86_INS_UD2: case X86_INS_UD0: case X86_INS_UD2B: return IK_UD;
	default: return IK_NONE;
	}
}

/*
 * Where Capstone 4 differs from the SDM.  It takes encodings that are #UD as
 * instructions (moves to CS, moves of CR1 and CR5-CR7, swapgs outside of 64-bit
 * mode, vector prefixes after legacy ones, lock where it is not allowed), does not count the modrm of ud0 and ud1,,
 * forgets 66 before a branch with F2 or F3, and takes 66 or F3 (clwb, ptwrite)
 * before xsave and 66 or F2 (extrq, insertq) before vmread and vmwrite for nothing.
 */
static bool excused(const struct insn *in, const cs_insn *ci)
{
	if (ci->id == X86_INS_UD0 || ci->id == X86_INS_UD2B)
		return in->kind == IK_UD;
	if (in->is_branch && (in->prefix & IP_OPSIZE) && (in->prefix & (IP_REP | IP_REPNE)))
		return true;
	if (in->opcode == 0xfae && cs_kind(ci) == IK_XSAVE)
		return in->prefix & (IP_OPSIZE | IP_REP);
	if ((in->opcode | 1) == 0xf79 && cs_kind(ci) == IK_VMX)
		return in->prefix & (IP_OPSIZE | IP_REPNE);
	if (in->cls != IC_INVALID)
		return false;
	if (in->prefix & IP_LOCK)
		return true;
	if (in->prefix & (IP_OPSIZE | IP_REP | IP_REPNE) && strchr("\x62\x8f\xc4\xc5", in->opcode))
		return true;
	switch (ci->id) {
	case X86_INS_SWAPGS:
		return true;
	case X86_INS_MOV:
		return reg_in(ci, 0, X86_REG_CS, X86_REG_CS) || mov_kind(ci) == IK_MOV_TO_CR ||
		       mov_kind(ci) == IK_MOV_FROM_CR;
	default:
		return false;
	}
}

/* Silent instructions that Capstone 4 does not know. */
static bool unknown(const struct insn *in)
{
	return in->kind == IK_PKRU;
}

/* Decodes b (15 bytes) by both; true if they agree or the difference is excused. */
static bool agree(const uint8_t *b, unsigned bits)
{
	struct insn in;
	int len = insn_decode(&in, b, 15, bits);
	cs_insn *ci = NULL;
	bool ok;

	/* It rejects many valid instructions; of the silent ones none may be among them,
	 * because the scanner believes Capstone. */
	if (cs_disasm(bits == 32 ? cs32 : cs16, b, 15, 0x1000, 1, &ci) != 1)
		return in.cls != IC_SILENT || unknown(&in);
	ok = (len == ci->size && in.kind == cs_kind(ci)) || excused(&in, ci);
	if (!ok) {
		printf("%u bits:", bits);
		for (int i = 0; i < 15; i++)
			printf(" %02x", b[i]);
		printf(": ours %d %s, Capstone %d %s %s\n", len, insn_kind_name(in.kind), ci->size,
		       ci->mnemonic, ci->op_str);
	}
	cs_free(ci, 1);
	return ok;
}

/* A small generator with the same numbers everywhere. */
static uint32_t next_random(uint32_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 17;
	*x ^= *x << 5;
	return *x;
}

/* Fills b from position k on. */
static void fill(uint8_t *b, int k, uint32_t *seed)
{
	for (; k < 15; k++)
		b[k] = (uint8_t)(next_random(seed) >> 11);
}

START_TEST(random_bytes)
{
	uint32_t seed = 1;
	uint8_t b[15];
	int bad = 0;

	for (int i = 0; i < 1000000; i++) {
		fill(b, 0, &seed);
		if (i & 4)
			b[0] = 0x0f;
		bad += !agree(b, i & 1 ? 16 : 32);
	}
	ck_assert_int_eq(bad, 0);
}
END_TEST

/* Every opcode of both maps with every modrm and each prefix. */
START_TEST(every_form)
{
	static const uint8_t prefix[] = { 0, 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67,
					  0xf0, 0xf2, 0xf3 };
	uint32_t seed = 2;
	int bad = 0;

	for (unsigned i = 0; i < 2 * 256 * 256 * sizeof(prefix); i++) {
		uint8_t b[15], p = prefix[i % sizeof(prefix)];
		unsigned v = i / sizeof(prefix);
		int k = 0;

		if (p)
			b[k++] = p;
		if (v >> 16)
			b[k++] = 0x0f;
		b[k++] = (uint8_t)(v >> 8);
		b[k++] = (uint8_t)v;
		fill(b, k, &seed);
		bad += !agree(b, 32) + !agree(b, 16);
	}
	ck_assert_int_eq(bad, 0);
}
END_TEST

/*
 * Every instruction that the SDM lets only CPL 0 execute (volume 3, 2.8 and
 * 5.9), that depends on IOPL (volume 1, 18.5), that touches segment registers,
 * system registers or EFLAGS.IF without a trap (volume 3, 2.8 "can be read
 * outside of CPL 0"), that enters or leaves the kernel, or that holds the FPU
 * state of a process.
 */
static const struct { char bytes[8]; enum insn_kind kind; enum insn_class cls; } sdm[] = {
	{ "\x9c", IK_PUSHF, IC_SILENT }, { "\x66\x9c", IK_PUSHF, IC_SILENT },
	{ "\x9d", IK_POPF, IC_SILENT }, { "\x66\x9d", IK_POPF, IC_SILENT },
	{ "\xcf", IK_IRET, IC_SILENT }, { "\x66\xcf", IK_IRET, IC_SILENT },
	{ "\x8c\xc8", IK_MOV_FROM_SREG, IC_SILENT }, { "\x8c\x1f", IK_MOV_FROM_SREG, IC_SILENT },
	{ "\x66\x8c\xe0", IK_MOV_FROM_SREG, IC_SILENT },
	{ "\x65\x8c\x28", IK_MOV_FROM_SREG, IC_SILENT },
	{ "\x8e\xd8", IK_MOV_TO_SREG, IC_SILENT }, { "\x8e\x17", IK_MOV_TO_SREG, IC_SILENT },
	{ "\x36\x8e\x26", IK_MOV_TO_SREG, IC_SILENT },
	{ "\x06", IK_PUSH_SREG, IC_SILENT }, { "\x0e", IK_PUSH_SREG, IC_SILENT },
	{ "\x16", IK_PUSH_SREG, IC_SILENT }, { "\x1e", IK_PUSH_SREG, IC_SILENT },
	{ "\x0f\xa0", IK_PUSH_SREG, IC_SILENT }, { "\x0f\xa8", IK_PUSH_SREG, IC_SILENT },
	{ "\x07", IK_POP_SREG, IC_SILENT }, { "\x17", IK_POP_SREG, IC_SILENT },
	{ "\x1f", IK_POP_SREG, IC_SILENT }, { "\x0f\xa1", IK_POP_SREG, IC_SILENT },
	{ "\x0f\xa9", IK_POP_SREG, IC_SILENT },
	{ "\xc4\x06", IK_LSREG, IC_SILENT }, { "\xc5\x06", IK_LSREG, IC_SILENT },
	{ "\x0f\xb2\x06", IK_LSREG, IC_SILENT }, { "\x0f\xb4\x06", IK_LSREG, IC_SILENT },
	{ "\x0f\xb5\x06", IK_LSREG, IC_SILENT },
	{ "\x9a\1\2\3\4\5\6", IK_CALL_FAR, IC_SILENT }, { "\xff\x18", IK_CALL_FAR, IC_SILENT },
	{ "\xea\1\2\3\4\5\6", IK_JMP_FAR, IC_SILENT }, { "\xff\x28", IK_JMP_FAR, IC_SILENT },
	{ "\xcb", IK_RET_FAR, IC_SILENT }, { "\xca\4\1", IK_RET_FAR, IC_SILENT },
	{ "\x0f\x00\xc0", IK_SLDT, IC_SILENT }, { "\x0f\x00\xc8", IK_STR, IC_SILENT },
	{ "\x0f\x00\xe0", IK_VERR, IC_SILENT }, { "\x0f\x00\xe8", IK_VERW, IC_SILENT },
	{ "\x0f\x00\x28", IK_VERW, IC_SILENT },
	{ "\x0f\x01\x06", IK_SGDT, IC_SILENT }, { "\x0f\x01\x0e", IK_SIDT, IC_SILENT },
	{ "\x0f\x01\x26", IK_SMSW, IC_SILENT }, { "\x0f\x01\xe0", IK_SMSW, IC_SILENT },
	{ "\x0f\x02\xc1", IK_LAR, IC_SILENT }, { "\x0f\x03\xc1", IK_LSL, IC_SILENT },
	{ "\xcd\x80", IK_INT, IC_SILENT }, { "\xcd\x03", IK_INT, IC_SILENT },
	{ "\x0f\xa2", IK_CPUID, IC_SILENT },
	{ "\x0f\xae\x06", IK_FXSAVE, IC_SILENT }, { "\x0f\xae\x0e", IK_FXRSTOR, IC_SILENT },
	{ "\xdd\x36", IK_FNSAVE, IC_SILENT }, { "\xdd\x26", IK_FRSTOR, IC_SILENT },
	{ "\xdb\xe3", IK_FNINIT, IC_SILENT },
	{ "\x0f\xae\x26", IK_XSAVE, IC_SILENT }, { "\x0f\xae\x36", IK_XSAVE, IC_SILENT },
	{ "\x0f\xc7\x26", IK_XSAVE, IC_SILENT }, { "\x0f\xc7\x2e", IK_XSAVE, IC_SILENT },
	{ "\x0f\xae\x2e", IK_XRSTOR, IC_SILENT }, { "\x0f\xc7\x1e", IK_XRSTOR, IC_SILENT },
	{ "\x0f\x01\xd0", IK_XGETBV, IC_SILENT },
	{ "\x0f\x34", IK_SYSENTER, IC_SILENT }, { "\x0f\x05", IK_SYSCALL, IC_SILENT },
	{ "\x0f\x01\xc1", IK_VMCALL, IC_SILENT }, { "\x0f\x01\xd9", IK_VMCALL, IC_SILENT },
	{ "\x0f\x01\xd4", IK_VMCALL, IC_SILENT },
	{ "\x0f\x01\xee", IK_PKRU, IC_SILENT }, { "\x0f\x01\xef", IK_PKRU, IC_SILENT },
	{ "\xfa", IK_CLI, IC_PRIVILEGED }, { "\xfb", IK_STI, IC_PRIVILEGED },
	{ "\xf4", IK_HLT, IC_PRIVILEGED },
	{ "\xe4\x60", IK_IN, IC_PRIVILEGED }, { "\xe5\x60", IK_IN, IC_PRIVILEGED },
	{ "\xec", IK_IN, IC_PRIVILEGED }, { "\x66\xed", IK_IN, IC_PRIVILEGED },
	{ "\xe6\x80", IK_OUT, IC_PRIVILEGED }, { "\xe7\x80", IK_OUT, IC_PRIVILEGED },
	{ "\xee", IK_OUT, IC_PRIVILEGED }, { "\xef", IK_OUT, IC_PRIVILEGED },
	{ "\xf3\x6c", IK_INS, IC_PRIVILEGED }, { "\xf2\x66\x6d", IK_INS, IC_PRIVILEGED },
	{ "\xf3\x6e", IK_OUTS, IC_PRIVILEGED }, { "\x6f", IK_OUTS, IC_PRIVILEGED },
	{ "\x0f\x01\x16", IK_LGDT, IC_PRIVILEGED }, { "\x0f\x01\x1e", IK_LIDT, IC_PRIVILEGED },
	{ "\x0f\x00\xd0", IK_LLDT, IC_PRIVILEGED }, { "\x0f\x00\xd8", IK_LTR, IC_PRIVILEGED },
	{ "\x0f\x01\xf0", IK_LMSW, IC_PRIVILEGED }, { "\x0f\x01\x36", IK_LMSW, IC_PRIVILEGED },
	{ "\x0f\x06", IK_CLTS, IC_PRIVILEGED }, { "\x0f\x01\x38", IK_INVLPG, IC_PRIVILEGED },
	{ "\x0f\x08", IK_INVD, IC_PRIVILEGED }, { "\x0f\x09", IK_WBINVD, IC_PRIVILEGED },
	{ "\xf3\x0f\x09", IK_WBINVD, IC_PRIVILEGED },
	{ "\x0f\x20\xc0", IK_MOV_FROM_CR, IC_PRIVILEGED },
	{ "\x0f\x20\x18", IK_MOV_FROM_CR, IC_PRIVILEGED },
	{ "\x0f\x22\xc0", IK_MOV_TO_CR, IC_PRIVILEGED },
	{ "\x0f\x22\xe0", IK_MOV_TO_CR, IC_PRIVILEGED },
	{ "\x0f\x21\xf8", IK_MOV_FROM_DR, IC_PRIVILEGED },
	{ "\x0f\x23\xf8", IK_MOV_TO_DR, IC_PRIVILEGED },
	{ "\x0f\x32", IK_RDMSR, IC_PRIVILEGED }, { "\x0f\x30", IK_WRMSR, IC_PRIVILEGED },
	{ "\x0f\x33", IK_RDPMC, IC_PRIVILEGED }, { "\x0f\x01\xd1", IK_XSETBV, IC_PRIVILEGED },
	{ "\x0f\x35", IK_SYSEXIT, IC_PRIVILEGED }, { "\x0f\x07", IK_SYSRET, IC_PRIVILEGED },
	{ "\x66\x0f\x38\x82\x00", IK_INVPCID, IC_PRIVILEGED },
	{ "\x0f\x01\xc8", IK_MONITOR, IC_PRIVILEGED }, { "\x0f\x01\xc9", IK_MWAIT, IC_PRIVILEGED },
	{ "\x0f\x01\xca", IK_CLAC, IC_PRIVILEGED }, { "\x0f\x01\xcb", IK_STAC, IC_PRIVILEGED },
	{ "\x0f\xaa", IK_RSM, IC_PRIVILEGED }, { "\x0f\x37", IK_GETSEC, IC_PRIVILEGED },
	{ "\x0f\x01\xcf", IK_ENCLS, IC_PRIVILEGED }, { "\x0f\x01\xc5", IK_ENCLS, IC_PRIVILEGED },
	{ "\x0f\x01\xc4", IK_VMX, IC_PRIVILEGED }, { "\x0f\x01\xc2", IK_VMX, IC_PRIVILEGED },
	{ "\xf3\x0f\xc7\x30", IK_VMX, IC_PRIVILEGED }, { "\x0f\x78\xc0", IK_VMX, IC_PRIVILEGED },
	{ "\x66\x0f\x38\x80\x00", IK_VMX, IC_PRIVILEGED },
	{ "\xf3\x0f\xae\xc0", IK_FSGSBASE, IC_PRIVILEGED },
	{ "\xf3\x0f\xae\xd8", IK_FSGSBASE, IC_PRIVILEGED },
	{ "\x0f\x31", IK_RDTSC, IC_HARMLESS }, { "\x0f\x01\xf9", IK_RDTSCP, IC_HARMLESS },
	{ "\xcc", IK_INT3, IC_HARMLESS }, { "\xce", IK_INTO, IC_HARMLESS },
	{ "\xf1", IK_INT1, IC_HARMLESS }, { "\x62\x06", IK_BOUND, IC_HARMLESS },
	{ "\x0f\x0b", IK_UD, IC_HARMLESS }, { "\x0f\xb9\xc0", IK_UD, IC_HARMLESS },
	{ "\x0f\xff\xc0", IK_UD, IC_HARMLESS },
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

START_TEST(sdm_list)
{
	bool seen[IK_COUNT] = { [IK_NONE] = true };

	for (size_t i = 0; i < COUNT(sdm); i++) {
		uint8_t b[15] = { 0 };
		struct insn in;

		memcpy(b, sdm[i].bytes, sizeof(sdm[i].bytes));
		ck_assert_msg(insn_decode(&in, b, 15, 32) > 0, "entry %zu is not decoded", i);
		ck_assert_msg(in.kind == sdm[i].kind, "entry %zu is %s, not %s", i,
			      insn_kind_name(in.kind), insn_kind_name(sdm[i].kind));
		ck_assert_msg(in.cls == sdm[i].cls, "%s has class %d", insn_kind_name(in.kind), in.cls);
		seen[in.kind] = true;
	}
	for (unsigned k = 0; k < IK_COUNT; k++)
		ck_assert_msg(seen[k], "no test of %s", insn_kind_name(k));
}
END_TEST

START_TEST(fields)
{
	struct insn in;
	static const uint8_t mem[] = { 0x64, 0x8e, 0x64, 0x8d, 0xf0 };	/* mov fs:[ebp+ecx*4-16], fs */
	static const uint8_t esp[] = { 0x8c, 0x5c, 0x24, 0x08 };	/* mov ds, [esp+8] */
	static const uint8_t far[] = { 0x66, 0xea, 1, 2, 3, 4 };
	static const uint8_t jmp[] = { 0xeb, 0xfe };
	static const uint8_t m16[] = { 0x67, 0x8b, 0x40, 0xff };	/* mov eax, [bx+si-1] */
	static const uint8_t enter[] = { 0xc8, 0x34, 0x12, 0x05 };

	ck_assert_int_eq(insn_decode(&in, mem, sizeof(mem), 32), 5);
	ck_assert(in.has_mem && in.seg == S_FS && in.base == R_EBP && in.index == R_ECX);
	ck_assert(in.scale == 2 && in.disp == 0xfffffff0 && in.reg == S_FS && in.opoff == 1);
	ck_assert_int_eq(insn_decode(&in, esp, sizeof(esp), 32), 4);
	ck_assert(in.seg == S_SS && in.base == R_ESP && in.index == -1 && in.disp == 8);
	ck_assert_int_eq(insn_decode(&in, far, sizeof(far), 32), 6);
	ck_assert(in.imm == 0x0201 && in.imm2 == 0x0403 && in.opsize == 2);
	ck_assert_int_eq(insn_decode(&in, jmp, sizeof(jmp), 32), 2);
	ck_assert(in.is_branch && in.imm == 0xfffffffe);
	ck_assert_int_eq(insn_decode(&in, m16, sizeof(m16), 32), 4);
	ck_assert(in.adsize == 2 && in.base == R_EBX && in.index == R_ESI && in.disp == 0xffffffff);
	ck_assert_int_eq(insn_decode(&in, enter, sizeof(enter), 32), 4);
	ck_assert(in.imm == 0x1234 && in.imm2 == 5);
}
END_TEST

/* Too few bytes is told apart from no instruction, and nothing beyond n is read. */
START_TEST(short_input)
{
	static const uint8_t insn[] = { 0x2e, 0xc7, 0x84, 0x24, 1, 2, 3, 4, 5, 6, 7, 8 };
	uint8_t prefixes[15];
	struct insn in;

	for (size_t n = 0; n < sizeof(insn); n++) {
		uint8_t *copy = malloc(n + !n);

		memcpy(copy, insn, n);
		ck_assert_int_eq(insn_decode(&in, copy, n, 32), -1);
		free(copy);
	}
	ck_assert_int_eq(insn_decode(&in, insn, sizeof(insn), 32), sizeof(insn));
	memset(prefixes, 0x66, sizeof(prefixes));
	ck_assert_int_eq(insn_decode(&in, prefixes, 15, 32), 0);
	ck_assert_int_eq(in.cls, IC_INVALID);
	ck_assert_int_eq(insn_decode(&in, (const uint8_t *)"\xff\xff", 2, 32), 0);
}
END_TEST

/* Compares a section from its start to its end; how many instructions differ. */
static int compare_section(const uint8_t *b, size_t size)
{
	int bad = 0;

	for (size_t at = 0; at + 15 <= size;) {
		struct insn in;

		if (b[at] != 0 || b[at + 1] != 0)
			bad += !agree(b + at, 32);
		at += insn_decode(&in, b + at, 15, 32) > 0 ? in.len : 1;
	}
	return bad;
}

START_TEST(kernel_text)
{
	const char *path = getenv("LILYVM_TEST_VMLINUX");
	FILE *f = path ? fopen(path, "rb") : NULL;
	uint8_t *file;
	const Elf32_Ehdr *eh;
	const Elf32_Shdr *sh;
	long size;
	int sections = 0;

	if (!f)
		return;		/* an optional, long comparison: the other tests stand alone */
	fseek(f, 0, SEEK_END);
	size = ftell(f);
	rewind(f);
	file = malloc((size_t)size);
	ck_assert_uint_eq(fread(file, 1, (size_t)size, f), (size_t)size);
	fclose(f);
	eh = (const Elf32_Ehdr *)file;
	ck_assert(!memcmp(eh->e_ident, ELFMAG, SELFMAG) && eh->e_ident[EI_CLASS] == ELFCLASS32);
	sh = (const Elf32_Shdr *)(file + eh->e_shoff);
	for (int i = 0; i < eh->e_shnum; i++) {
		if (sh[i].sh_type != SHT_PROGBITS || !(sh[i].sh_flags & SHF_EXECINSTR))
			continue;
		sections++;
		ck_assert_int_eq(compare_section(file + sh[i].sh_offset, sh[i].sh_size), 0);
	}
	ck_assert_int_gt(sections, 0);
	free(file);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("decode");
	TCase *tc = tcase_create("decode");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, sdm_list);
	tcase_add_test(tc, fields);
	tcase_add_test(tc, short_input);
	tcase_add_test(tc, random_bytes);
	tcase_add_test(tc, every_form);
	tcase_add_test(tc, kernel_text);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
