/* SPDX-License-Identifier: BSD-2-Clause */
#include "rewriter/insntab.h"

/*
 * Letters of the opcode maps:
 *	.  no operand bytes		M  modrm
 *	b  imm8				m  modrm, imm8
 *	s  imm8, sign-extended		n  modrm, imm8 sign-extended
 *	w  imm16			z  imm16/32	Z  modrm, imm16/32
 *	a  moffs			f  far pointer	e  enter: imm16, imm8
 *	j  rel8				J  rel16/32
 *	t  group 3, byte		T  group 3, word
 *	R  modrm of mov from/to control and debug registers
 *	p  prefix			x  escape to another map
 *	?  no instruction
 */
const uint8_t optab_form[128] = {
	['b'] = OI_B, ['s'] = OI_BS, ['w'] = OI_W, ['z'] = OI_Z, ['a'] = OI_MOFFS, ['f'] = OI_FAR,
	['e'] = OI_ENTER, ['j'] = OI_JB, ['J'] = OI_JZ,
	['M'] = OF_MODRM, ['m'] = OF_MODRM | OI_B, ['n'] = OF_MODRM | OI_BS,
	['Z'] = OF_MODRM | OI_Z, ['t'] = OF_MODRM | OF_TEST | OI_B,
	['T'] = OF_MODRM | OF_TEST | OI_Z, ['R'] = OF_MODRM | OF_REGS, ['?'] = OF_BAD,
};

const char optab_map1[257] =
	/* 0123456789abcdef */
	"MMMMbz..MMMMbz.x"	/* 0 */
	"MMMMbz..MMMMbz.."	/* 1 */
	"MMMMbzp.MMMMbzp."	/* 2 */
	"MMMMbzp.MMMMbzp."	/* 3 */
	"................"	/* 4 */
	"................"	/* 5 */
	"..MMppppzZsn...."	/* 6 */
	"jjjjjjjjjjjjjjjj"	/* 7 */
	"mZmnMMMMMMMMMMMM"	/* 8 */
	"..........f....."	/* 9 */
	"aaaa....bz......"	/* a */
	"bbbbbbbbzzzzzzzz"	/* b */
	"mmw.MMmZe.w..b.."	/* c */
	"MMMMbb..MMMMMMMM"	/* d */
	"jjjjbbbbJJfj...."	/* e */
	"p.pp..tT......MM";	/* f */

const char optab_map0f[257] =
	/* 0123456789abcdef */
	"MMMM?.....?.?M.m"	/* 0: 04 0a 0c undefined; 0f is 3DNow!, whose opcode comes last */
	"MMMMMMMMMMMMMMMM"	/* 1 */
	"RRRR????MMMMMMMM"	/* 2 */
	"......?.x?x?????"	/* 3 */
	"MMMMMMMMMMMMMMMM"	/* 4 */
	"MMMMMMMMMMMMMMMM"	/* 5 */
	"MMMMMMMMMMMMMMMM"	/* 6 */
	"mmmmMMM.MM??MMMM"	/* 7 */
	"JJJJJJJJJJJJJJJJ"	/* 8 */
	"MMMMMMMMMMMMMMMM"	/* 9 */
	"...MmMMM...MmMMM"	/* a: a6 and a7 are VIA padlock */
	"MMMMMMMMMMmMMMMM"	/* b */
	"MMmMmmmM........"	/* c */
	"MMMMMMMMMMMMMMMM"	/* d */
	"MMMMMMMMMMMMMMMM"	/* e */
	"MMMMMMMMMMMMMMMM";	/* f */

enum {
	G_8C, G_8E, G_8F, G_C6, G_DB, G_DD, G_FE, G_FF, G_LEA,
	G_0F00, G_0F01, G_0FAE, G_0FC7, G_0FBA, G_MEM, G_0F71, G_0F73, G_CR, G_VMX,
};
#define G(name) (OPTAB_GROUP + G_##name)

const uint8_t optab_kind1[256] = {
	[0x06] = IK_PUSH_SREG, [0x07] = IK_POP_SREG, [0x0e] = IK_PUSH_SREG,
	[0x16] = IK_PUSH_SREG, [0x17] = IK_POP_SREG, [0x1e] = IK_PUSH_SREG, [0x1f] = IK_POP_SREG,
	[0x62] = IK_BOUND,
	[0x6c] = IK_INS, [0x6d] = IK_INS, [0x6e] = IK_OUTS, [0x6f] = IK_OUTS,
	[0x8c] = G(8C), [0x8d] = G(LEA), [0x8e] = G(8E), [0x8f] = G(8F),
	[0x9a] = IK_CALL_FAR, [0x9c] = IK_PUSHF, [0x9d] = IK_POPF,
	[0xc4] = IK_LSREG, [0xc5] = IK_LSREG, [0xc6] = G(C6), [0xc7] = G(C6),
	[0xca] = IK_RET_FAR, [0xcb] = IK_RET_FAR,
	[0xcc] = IK_INT3, [0xcd] = IK_INT, [0xce] = IK_INTO, [0xcf] = IK_IRET,
	[0xdb] = G(DB), [0xdd] = G(DD),
	[0xe4] = IK_IN, [0xe5] = IK_IN, [0xe6] = IK_OUT, [0xe7] = IK_OUT,
	[0xea] = IK_JMP_FAR,
	[0xec] = IK_IN, [0xed] = IK_IN, [0xee] = IK_OUT, [0xef] = IK_OUT,
	[0xf1] = IK_INT1, [0xf4] = IK_HLT, [0xfa] = IK_CLI, [0xfb] = IK_STI,
	[0xfe] = G(FE), [0xff] = G(FF),
};

const uint8_t optab_kind0f[256] = {
	[0x00] = G(0F00), [0x01] = G(0F01), [0x02] = IK_LAR, [0x03] = IK_LSL,
	[0x05] = IK_SYSCALL, [0x06] = IK_CLTS, [0x07] = IK_SYSRET, [0x08] = IK_INVD,
	[0x09] = IK_WBINVD, [0x0b] = IK_UD, [0x13] = G(MEM), [0x17] = G(MEM),
	[0x20] = G(CR), [0x21] = IK_MOV_FROM_DR, [0x22] = G(CR), [0x23] = IK_MOV_TO_DR,
	[0x2b] = G(MEM),
	[0x30] = IK_WRMSR, [0x31] = IK_RDTSC, [0x32] = IK_RDMSR, [0x33] = IK_RDPMC,
	[0x34] = IK_SYSENTER, [0x35] = IK_SYSEXIT, [0x37] = IK_GETSEC,
	[0x71] = G(0F71), [0x72] = G(0F71), [0x73] = G(0F73),
	[0x78] = G(VMX), [0x79] = G(VMX),
	[0xa0] = IK_PUSH_SREG, [0xa1] = IK_POP_SREG, [0xa2] = IK_CPUID,
	[0xa8] = IK_PUSH_SREG, [0xa9] = IK_POP_SREG, [0xaa] = IK_RSM, [0xae] = G(0FAE),
	[0xb2] = IK_LSREG, [0xb4] = IK_LSREG, [0xb5] = IK_LSREG,
	[0xb9] = IK_UD, [0xba] = G(0FBA), [0xc3] = G(MEM), [0xc7] = G(0FC7), [0xe7] = G(MEM),
	[0xff] = IK_UD,
};

#define BAD OPTAB_BAD
#define BAD8 { BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD }

/* 0F 01 with a register modrm: each value is an instruction of its own. */
static const uint8_t exact_0f01[64] = {
	[0x00] = BAD, [0x01] = IK_VMCALL, [0x02] = IK_VMX, [0x03] = IK_VMX, [0x04] = IK_VMX,
	[0x05] = IK_ENCLS, [0x06] = BAD, [0x07] = BAD,
	[0x08] = IK_MONITOR, [0x09] = IK_MWAIT, [0x0a] = IK_CLAC, [0x0b] = IK_STAC,
	[0x0c] = BAD, [0x0d] = BAD, [0x0e] = BAD, [0x0f] = IK_ENCLS,
	[0x10] = IK_XGETBV, [0x11] = IK_XSETBV, [0x12] = BAD, [0x13] = BAD,
	[0x14] = IK_VMCALL, [0x15] = IK_NONE, [0x16] = IK_NONE, [0x17] = IK_NONE,
	[0x18] = IK_VMX, [0x19] = IK_VMCALL, [0x1a] = IK_VMX, [0x1b] = IK_VMX,
	[0x1c] = IK_VMX, [0x1d] = IK_VMX, [0x1e] = IK_VMX, [0x1f] = IK_VMX,
	[0x20] = IK_SMSW, [0x21] = IK_SMSW, [0x22] = IK_SMSW, [0x23] = IK_SMSW,
	[0x24] = IK_SMSW, [0x25] = IK_SMSW, [0x26] = IK_SMSW, [0x27] = IK_SMSW,
	[0x28] = IK_NONE, [0x29] = BAD, [0x2a] = IK_NONE, [0x2b] = BAD,
	[0x2c] = BAD, [0x2d] = BAD, [0x2e] = IK_PKRU, [0x2f] = IK_PKRU,
	[0x30] = IK_LMSW, [0x31] = IK_LMSW, [0x32] = IK_LMSW, [0x33] = IK_LMSW,
	[0x34] = IK_LMSW, [0x35] = IK_LMSW, [0x36] = IK_LMSW, [0x37] = IK_LMSW,
	[0x38] = BAD, [0x39] = IK_RDTSCP, [0x3a] = IK_NONE, [0x3b] = IK_NONE,
	[0x3c] = IK_NONE, [0x3d] = IK_NONE, [0x3e] = BAD, [0x3f] = BAD,
};

/* DB with a register modrm; E3 is fninit. */
static const uint8_t exact_db[64] = { [0x23] = IK_FNINIT };

const struct opgroup optab_group[] = {
	[G_8C] = {
		.mem = { [0 ... 5] = IK_MOV_FROM_SREG, BAD, BAD },
		.reg = { [0 ... 5] = IK_MOV_FROM_SREG, BAD, BAD },
	},
	[G_8E] = {	/* /1 would load CS */
		.mem = { IK_MOV_TO_SREG, BAD, [2 ... 5] = IK_MOV_TO_SREG, BAD, BAD },
		.reg = { IK_MOV_TO_SREG, BAD, [2 ... 5] = IK_MOV_TO_SREG, BAD, BAD },
	},
	[G_8F] = {
		.mem = { 0, [1 ... 7] = BAD },
		.reg = { 0, [1 ... 7] = BAD },
	},
	[G_C6] = {	/* /7 register form: xabort, xbegin */
		.mem = { 0, [1 ... 7] = BAD },
		.reg = { 0, [1 ... 6] = BAD, 0 },
	},
	[G_DB] = { .mem = { [4] = BAD, [6] = BAD }, .exact = exact_db },
	[G_DD] = { .mem = { [4] = IK_FRSTOR, BAD, IK_FNSAVE }, .reg = { [6] = BAD, [7] = BAD } },
	[G_FE] = {
		.mem = { 0, 0, [2 ... 7] = BAD },
		.reg = { 0, 0, [2 ... 7] = BAD },
	},
	[G_FF] = {
		.mem = { [3] = IK_CALL_FAR, [5] = IK_JMP_FAR, [7] = BAD },
		.reg = { [3] = BAD, [5] = BAD, [7] = BAD },
	},
	[G_LEA] = { .reg = BAD8 },
	[G_0F00] = {
		.mem = { IK_SLDT, IK_STR, IK_LLDT, IK_LTR, IK_VERR, IK_VERW, BAD, BAD },
		.reg = { IK_SLDT, IK_STR, IK_LLDT, IK_LTR, IK_VERR, IK_VERW, BAD, BAD },
	},
	[G_0F01] = {
		.mem = { IK_SGDT, IK_SIDT, IK_LGDT, IK_LIDT, IK_SMSW, BAD, IK_LMSW, IK_INVLPG },
		.exact = exact_0f01,
	},
	[G_0FAE] = {	/* register forms: (f3) rdfsbase ... wrgsbase, ptwrite, fences */
		.mem = { IK_FXSAVE, IK_FXRSTOR, 0, 0, IK_XSAVE, IK_XRSTOR, IK_XSAVE, 0 },
		.reg = { IK_FSGSBASE, IK_FSGSBASE, IK_FSGSBASE, IK_FSGSBASE },
	},
	[G_0FC7] = {	/* cmpxchg8b, xrstors, xsavec, xsaves, vmptrld, vmptrst; rdrand, rdseed */
		.mem = { BAD, 0, BAD, IK_XRSTOR, IK_XSAVE, IK_XSAVE, IK_VMX, IK_VMX },
		.reg = { BAD, BAD, BAD, BAD, BAD, BAD, 0, 0 },
	},
	[G_0FBA] = {
		.mem = { BAD, BAD, BAD, BAD },
		.reg = { BAD, BAD, BAD, BAD },
	},
	[G_MEM] = { .reg = BAD8 },
	[G_0F71] = { .mem = BAD8, .reg = { BAD, BAD, 0, BAD, 0, BAD, 0, BAD } },
	[G_0F73] = { .mem = BAD8, .reg = { BAD, BAD, 0, 0, BAD, BAD, 0, 0 } },
	[G_CR] = {	/* cr1, cr5, cr6, cr7 do not exist; the direction is bit 1 of the opcode */
		.mem = { IK_MOV_FROM_CR, BAD, IK_MOV_FROM_CR, IK_MOV_FROM_CR, IK_MOV_FROM_CR,
			 BAD, BAD, BAD },
		.reg = { IK_MOV_FROM_CR, BAD, IK_MOV_FROM_CR, IK_MOV_FROM_CR, IK_MOV_FROM_CR,
			 BAD, BAD, BAD },
	},
	[G_VMX] = {
		.mem = { [0 ... 7] = IK_VMX },
		.reg = { [0 ... 7] = IK_VMX },
	},
};

/* SSSE3, SSE4, AES, SHA, GFNI, movbe, crc32, adx, cet, movdir; all have a modrm. */
const uint32_t optab_map38[8] = {
	0x70b10fff, 0xffbf0f3f, 0x00000003, 0x00000000,
	0x00000007, 0x00000000, 0xf800bf00, 0x03630000,
};

/* SSSE3, SSE4, AES, pclmulqdq, SHA, GFNI; all have a modrm and an imm8. */
const uint32_t optab_map3a[8] = {
	0x00f0ff00, 0x00000007, 0x00000017, 0x0000000f,
	0x00000000, 0x00000000, 0x8000d000, 0x00000000,
};

static const struct {
	uint8_t cls, form;
	const char *name, *mnemonics;
	const char *att;	/* further spellings in AT&T syntax */
} kinds[IK_COUNT] = {
	[IK_NONE] = { IC_HARMLESS, IF_KEEP, "harmless", "" },
	[IK_PUSHF] = { IC_SILENT, IF_CALL, "pushf", "pushf pushfd", "pushfl pushfw" },
	[IK_POPF] = { IC_SILENT, IF_CALL, "popf", "popf popfd", "popfl popfw" },
	[IK_IRET] = { IC_SILENT, IF_CALL, "iret", "iret iretd", "iretl iretw" },
	[IK_MOV_FROM_SREG] = { IC_SILENT, IF_MOV, "mov from sreg", "mov", "movl movw" },
	[IK_MOV_TO_SREG] = { IC_SILENT, IF_MOV, "mov to sreg", "mov" },
	[IK_PUSH_SREG] = { IC_SILENT, IF_PUSH, "push sreg", "push", "pushl pushw" },
	[IK_POP_SREG] = { IC_SILENT, IF_POP, "pop sreg", "pop", "popl popw" },
	[IK_LSREG] = { IC_SILENT, IF_EMULATE, "load far pointer", "les lds lss lfs lgs",
		     "lesl lesw ldsl ldsw lssl lssw lfsl lfsw lgsl lgsw" },
	[IK_CALL_FAR] = { IC_SILENT, IF_FAR, "far call", "lcall call", "lcalll lcallw" },
	[IK_JMP_FAR] = { IC_SILENT, IF_FAR, "far jmp", "ljmp jmp", "ljmpl ljmpw" },
	[IK_RET_FAR] = { IC_SILENT, IF_EMULATE, "far ret", "retf", "lret lretl lretw" },
	[IK_SLDT] = { IC_SILENT, IF_EMULATE, "sldt", "sldt", "sldtl sldtw" },
	[IK_STR] = { IC_SILENT, IF_EMULATE, "str", "str", "strl strw" },
	[IK_VERR] = { IC_SILENT, IF_EMULATE, "verr", "verr", "verrw" },
	[IK_VERW] = { IC_SILENT, IF_EMULATE, "verw", "verw", "verww" },
	[IK_SGDT] = { IC_SILENT, IF_EMULATE, "sgdt", "sgdt", "sgdtl sgdtw sgdtd" },
	[IK_SIDT] = { IC_SILENT, IF_EMULATE, "sidt", "sidt", "sidtl sidtw sidtd" },
	[IK_SMSW] = { IC_SILENT, IF_EMULATE, "smsw", "smsw", "smswl smsww" },
	[IK_LAR] = { IC_SILENT, IF_EMULATE, "lar", "lar", "larl larw" },
	[IK_LSL] = { IC_SILENT, IF_EMULATE, "lsl", "lsl", "lsll lslw" },
	[IK_INT] = { IC_SILENT, IF_EMULATE, "int", "int" },
	[IK_CPUID] = { IC_SILENT, IF_EMULATE, "cpuid", "cpuid" },
	[IK_FXSAVE] = { IC_SILENT, IF_EMULATE, "fxsave", "fxsave" },
	[IK_FXRSTOR] = { IC_SILENT, IF_EMULATE, "fxrstor", "fxrstor" },
	[IK_FNSAVE] = { IC_SILENT, IF_EMULATE, "fnsave", "fnsave",
		     "fnsaves fnsavel fsave fsaves fsavel" },
	[IK_FRSTOR] = { IC_SILENT, IF_EMULATE, "frstor", "frstor", "frstors frstorl" },
	[IK_FNINIT] = { IC_SILENT, IF_EMULATE, "fninit", "fninit", "finit" },
	[IK_XSAVE] = { IC_SILENT, IF_EMULATE, "xsave", "xsave xsaveopt xsavec xsaves" },
	[IK_XRSTOR] = { IC_SILENT, IF_EMULATE, "xrstor", "xrstor xrstors" },
	[IK_XGETBV] = { IC_SILENT, IF_EMULATE, "xgetbv", "xgetbv" },
	[IK_SYSENTER] = { IC_SILENT, IF_EMULATE, "sysenter", "sysenter" },
	[IK_SYSCALL] = { IC_SILENT, IF_EMULATE, "syscall", "syscall" },
	[IK_VMCALL] = { IC_SILENT, IF_EMULATE, "vmcall", "vmcall vmmcall vmfunc" },
	[IK_PKRU] = { IC_SILENT, IF_EMULATE, "rdpkru/wrpkru", "rdpkru wrpkru" },
	[IK_CLI] = { IC_PRIVILEGED, IF_FLAG, "cli", "cli" },
	[IK_STI] = { IC_PRIVILEGED, IF_FLAG, "sti", "sti" },
	[IK_HLT] = { IC_PRIVILEGED, IF_EMULATE, "hlt", "hlt" },
	[IK_IN] = { IC_PRIVILEGED, IF_EMULATE, "in", "in", "inb inw inl" },
	[IK_OUT] = { IC_PRIVILEGED, IF_EMULATE, "out", "out", "outb outw outl" },
	[IK_INS] = { IC_PRIVILEGED, IF_EMULATE, "ins", "insb insw insd", "ins insl" },
	[IK_OUTS] = { IC_PRIVILEGED, IF_EMULATE, "outs", "outsb outsw outsd", "outs outsl" },
	[IK_LGDT] = { IC_PRIVILEGED, IF_EMULATE, "lgdt", "lgdt", "lgdtl lgdtw lgdtd" },
	[IK_LIDT] = { IC_PRIVILEGED, IF_EMULATE, "lidt", "lidt", "lidtl lidtw lidtd" },
	[IK_LLDT] = { IC_PRIVILEGED, IF_EMULATE, "lldt", "lldt", "lldtw" },
	[IK_LTR] = { IC_PRIVILEGED, IF_EMULATE, "ltr", "ltr", "ltrw" },
	[IK_LMSW] = { IC_PRIVILEGED, IF_EMULATE, "lmsw", "lmsw", "lmsww" },
	[IK_CLTS] = { IC_PRIVILEGED, IF_EMULATE, "clts", "clts" },
	[IK_INVLPG] = { IC_PRIVILEGED, IF_EMULATE, "invlpg", "invlpg" },
	[IK_INVD] = { IC_PRIVILEGED, IF_EMULATE, "invd", "invd" },
	[IK_WBINVD] = { IC_PRIVILEGED, IF_EMULATE, "wbinvd", "wbinvd wbnoinvd" },
	[IK_MOV_FROM_CR] = { IC_PRIVILEGED, IF_MOV, "mov from cr", "mov" },
	[IK_MOV_TO_CR] = { IC_PRIVILEGED, IF_MOV, "mov to cr", "mov" },
	[IK_MOV_FROM_DR] = { IC_PRIVILEGED, IF_MOV, "mov from dr", "mov" },
	[IK_MOV_TO_DR] = { IC_PRIVILEGED, IF_MOV, "mov to dr", "mov" },
	[IK_RDMSR] = { IC_PRIVILEGED, IF_EMULATE, "rdmsr", "rdmsr" },
	[IK_WRMSR] = { IC_PRIVILEGED, IF_EMULATE, "wrmsr", "wrmsr" },
	[IK_RDPMC] = { IC_PRIVILEGED, IF_EMULATE, "rdpmc", "rdpmc" },
	[IK_XSETBV] = { IC_PRIVILEGED, IF_EMULATE, "xsetbv", "xsetbv" },
	[IK_SYSEXIT] = { IC_PRIVILEGED, IF_EMULATE, "sysexit", "sysexit", "sysexitl" },
	[IK_SYSRET] = { IC_PRIVILEGED, IF_EMULATE, "sysret", "sysret", "sysretl" },
	[IK_INVPCID] = { IC_PRIVILEGED, IF_EMULATE, "invpcid", "invpcid" },
	[IK_MONITOR] = { IC_PRIVILEGED, IF_EMULATE, "monitor", "monitor" },
	[IK_MWAIT] = { IC_PRIVILEGED, IF_EMULATE, "mwait", "mwait" },
	[IK_CLAC] = { IC_PRIVILEGED, IF_EMULATE, "clac", "clac" },
	[IK_STAC] = { IC_PRIVILEGED, IF_EMULATE, "stac", "stac" },
	[IK_RSM] = { IC_PRIVILEGED, IF_EMULATE, "rsm", "rsm" },
	[IK_GETSEC] = { IC_PRIVILEGED, IF_EMULATE, "getsec", "getsec" },
	[IK_ENCLS] = { IC_PRIVILEGED, IF_EMULATE, "encls", "encls pconfig" },
	[IK_VMX] = { IC_PRIVILEGED, IF_EMULATE, "vmx/svm",
		     "vmlaunch vmresume vmxoff vmxon vmclear vmptrld vmptrst vmread vmwrite invept "
		     "invvpid vmrun vmload vmsave stgi clgi skinit invlpga",
		     "vmreadl vmwritel" },
	[IK_FSGSBASE] = { IC_PRIVILEGED, IF_EMULATE, "fs/gs base", "rdfsbase rdgsbase wrfsbase wrgsbase" },
	[IK_RDTSC] = { IC_HARMLESS, IF_KEEP, "rdtsc", "rdtsc" },
	[IK_RDTSCP] = { IC_HARMLESS, IF_KEEP, "rdtscp", "rdtscp" },
	[IK_INT3] = { IC_HARMLESS, IF_KEEP, "int3", "int3" },
	[IK_INTO] = { IC_HARMLESS, IF_KEEP, "into", "into" },
	[IK_INT1] = { IC_HARMLESS, IF_KEEP, "int1", "int1" },
	[IK_BOUND] = { IC_HARMLESS, IF_KEEP, "bound", "bound" },
	[IK_UD] = { IC_HARMLESS, IF_KEEP, "ud", "ud0 ud1 ud2" },
};

const char *insn_kind_name(enum insn_kind kind)
{
	return (unsigned)kind < IK_COUNT ? kinds[kind].name : "?";
}

enum insn_class insn_kind_class(enum insn_kind kind)
{
	return (unsigned)kind < IK_COUNT ? (enum insn_class)kinds[kind].cls : IC_INVALID;
}

const char *insn_kind_mnemonics(enum insn_kind kind)
{
	return (unsigned)kind < IK_COUNT ? kinds[kind].mnemonics : "";
}

enum insn_form insn_kind_form(enum insn_kind kind)
{
	return (unsigned)kind < IK_COUNT ? (enum insn_form)kinds[kind].form : IF_KEEP;
}

const char *insn_kind_att(enum insn_kind kind)
{
	return (unsigned)kind < IK_COUNT && kinds[kind].att ? kinds[kind].att : "";
}
