/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The instruction decoder and the instruction table: what every i386
 * instruction is to LilyVM.  Used by the image scanner, by the emulator and
 * (through the mnemonics of the same table) by the assembler filter.
 *
 * Freestanding but for <string.h>; no state.
 */
#ifndef LILYVM_INSN_H
#define LILYVM_INSN_H

#include "types.h"

/* How an instruction behaves at CPL 3 with IOPL 0. */
enum insn_class {
	IC_HARMLESS,		/* does in user mode what it does in kernel mode */
	IC_PRIVILEGED,		/* traps (#GP) by itself */
	IC_SILENT,		/* does something else, or shows host state, without a trap */
	IC_INVALID,		/* not an instruction: #UD */
};

/* What a sensitive instruction is; the emulator's table is indexed by it. */
enum insn_kind {
	IK_NONE,		/* harmless */
	/* silent */
	IK_PUSHF, IK_POPF, IK_IRET,
	IK_MOV_FROM_SREG, IK_MOV_TO_SREG, IK_PUSH_SREG, IK_POP_SREG,
	IK_LSREG,				/* les lds lss lfs lgs */
	IK_CALL_FAR, IK_JMP_FAR,		/* direct and through memory */
	IK_RET_FAR,
	IK_SLDT, IK_STR, IK_VERR, IK_VERW, IK_SGDT, IK_SIDT, IK_SMSW, IK_LAR, IK_LSL,
	IK_INT, IK_CPUID,
	IK_FXSAVE, IK_FXRSTOR, IK_FNSAVE, IK_FRSTOR, IK_FNINIT,
	IK_XSAVE, IK_XRSTOR, IK_XGETBV,
	IK_SYSENTER, IK_SYSCALL,		/* would be system calls of the host */
	IK_VMCALL,				/* vmcall vmmcall vmfunc: the host's hypervisor */
	IK_PKRU,				/* rdpkru wrpkru */
	/* privileged */
	IK_CLI, IK_STI, IK_HLT, IK_IN, IK_OUT, IK_INS, IK_OUTS,
	IK_LGDT, IK_LIDT, IK_LLDT, IK_LTR, IK_LMSW, IK_CLTS, IK_INVLPG, IK_INVD, IK_WBINVD,
	IK_MOV_FROM_CR, IK_MOV_TO_CR, IK_MOV_FROM_DR, IK_MOV_TO_DR,
	IK_RDMSR, IK_WRMSR, IK_RDPMC, IK_XSETBV, IK_SYSEXIT, IK_SYSRET,
	IK_INVPCID, IK_MONITOR, IK_MWAIT, IK_CLAC, IK_STAC, IK_RSM, IK_GETSEC, IK_ENCLS,
	IK_VMX,				/* VMX and SVM instructions other than IK_VMCALL */
	IK_FSGSBASE,			/* #UD outside of 64-bit mode */
	IK_RDTSC, IK_RDTSCP,			/* harmless while CR4.TSD is clear */
	IK_INT3, IK_INTO, IK_INT1, IK_BOUND, IK_UD,	/* exceptions by design; harmless to scan */
	IK_COUNT
};

/* What lilyvm-as puts in the place of an instruction (runtime/abi.h says what each
 * form is); the operands may decide for IF_EMULATE instead. */
enum insn_form {
	IF_KEEP,		/* stays as it is */
	IF_EMULATE,		/* right for everything: call the emulator, then the instruction */
	IF_FLAG,		/* cli sti: a store */
	IF_CALL,		/* pushf popf iret: a routine */
	IF_MOV, IF_PUSH, IF_POP,	/* segment and control registers: by the operands */
	IF_FAR,			/* far jmp and call: sensitive by the operands */
};

/* Is it written in a form of runtime/abi.h? */
enum insn_site {
	SITE_NONE,
	SITE_FAST,		/* one that needs no exit */
	SITE_EMULATE,		/* the call of the emulator */
};

/* Prefix bits. */
#define IP_REP 0x01u		/* F3 */
#define IP_REPNE 0x02u		/* F2 */
#define IP_LOCK 0x04u
#define IP_OPSIZE 0x08u		/* 66 */
#define IP_ADSIZE 0x10u		/* 67 */
#define IP_SEG 0x20u		/* a segment override */

/* A decoded instruction.  Opcode maps: 0x0NN one byte, 0xFNN for 0F NN,
 * 0x38NN / 0x3ANN for 0F 38 NN / 0F 3A NN; VEX/EVEX: 0xC5NN.. (length only). */
struct insn {
	uint8_t len;		/* in bytes, prefixes included: 1..15; of a site: all of it */
	uint8_t site;		/* enum insn_site, by rewriter/site.h only */
	uint8_t opoff;		/* offset of the first opcode byte (after the prefixes) */
	uint8_t prefix;		/* IP_* */
	uint8_t opsize;		/* operand size that the mode and prefixes select: 2 or 4 */
	uint8_t adsize;		/* address size: 2 or 4 */
	uint8_t cls;		/* enum insn_class */
	uint8_t kind;		/* enum insn_kind */
	uint16_t opcode;
	uint8_t has_modrm, modrm, mod, reg, rm;
	/* Memory operand (mod != 3, or a moffs operand): linear = seg.base +
	 * base + index << scale + disp, truncated to adsize. */
	uint8_t has_mem;
	uint8_t seg;		/* S_*: default for the base register, or the override */
	int8_t base, index;	/* R_* or -1 */
	uint8_t scale;		/* shift count 0..3 */
	uint32_t disp;		/* sign-extended to 32 bits */
	uint32_t imm;		/* immediate, sign-extended where the opcode does so; else raw */
	uint16_t imm2;		/* selector of a far pointer, second immediate of enter */
	uint8_t imm_size;	/* bytes of imm in the encoding */
	uint8_t is_branch;	/* relative jump or call: imm is the displacement */
};

/*
 * Decodes the instruction at bytes; n bytes are readable there (15 always
 * suffice).  bits is 16 or 32, the default size of the code segment.
 * Returns the length, 0 if the bytes are no instruction (insn->cls is
 * IC_INVALID and insn->len what was looked at), or -1 if n is too small.
 */
int insn_decode(struct insn *insn, const uint8_t *bytes, size_t n, unsigned bits);

/* The mnemonic family for messages and lists: "pushf", "mov from sreg", ... */
const char *insn_kind_name(enum insn_kind kind);
/* IC_* of a kind. */
enum insn_class insn_kind_class(enum insn_kind kind);
/* The assembler mnemonics of a kind (Intel syntax, as Capstone prints them),
 * separated by single spaces; "" for IK_NONE. */
const char *insn_kind_mnemonics(enum insn_kind kind);
/* Further spellings that GNU as takes in AT&T syntax, in the same way. */
const char *insn_kind_att(enum insn_kind kind);
/* The form of a kind. */
enum insn_form insn_kind_form(enum insn_kind kind);

#endif
