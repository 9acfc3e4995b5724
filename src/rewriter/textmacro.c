/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The macros in front of rewritten text.
 *
 * lilyvm.site notes where a site is, and at the first one puts the note of the ABI
 * into the object; lilyvm.user notes an instruction that is left to user mode.  If a
 * macro's parameter makes an instruction somewhere in the text, macros that bear the
 * names of the sensitive instructions follow: what comes out of an expansion is found by
 * them.  They write the instruction itself as
 * `{nooptimize} NAME`, which the assembler does not take for a macro's name.
 */
#include "rewriter/text.h"
#include "runtime/abi.h"

#include <stdio.h>
#include <string.h>

#define STR_(x) #x
#define STR(x) STR_(x)

/* No numeric labels that others use: 1b may be meant to be one in front of the site. */
static const char site_macros[] =
	".macro lilyvm.note\n"
	".purgem lilyvm.note\n"
	".macro lilyvm.note\n"
	".endm\n"
	".pushsection " RT_NOTE_SECTION ",\"G\",@note," RT_NOTE_SECTION ",comdat\n"
	".balign 4\n"
	".long 7, 4, " STR(RT_NOTE_ABI) "\n"
	".asciz \"" RT_NOTE_NAME "\"\n"
	".balign 4\n"
	".long " STR(RT_ABI_VERSION) "\n"
	".popsection\n"
	".endm\n"
	".macro lilyvm.record kind\n"
	"98700000: .pushsection " RT_SITE_SECTION ",\"\",@progbits\n"
	".long 98700000b, \\kind\n"
	".popsection\n"
	".endm\n"
	".macro lilyvm.user kind\n"
	"lilyvm.record " STR(RT_SITE_USER) "+\\kind\n"
	".endm\n";

static const char sregs[] = "%es,%cs,%ss,%ds,%fs,%gs";
static const char naked_sregs[] = "es,cs,ss,ds,fs,gs";
static const char cregs[] = "%cr0,%cr2,%cr3,%cr4,%cr8";
static const char naked_cregs[] = "cr0,cr2,cr3,cr4,cr8";
static const char dregs[] = "%db0,%db1,%db2,%db3,%db4,%db5,%db6,%db7,"
	"%dr0,%dr1,%dr2,%dr3,%dr4,%dr5,%dr6,%dr7";
static const char naked_dregs[] = "dr0,dr1,dr2,dr3,dr4,dr5,dr6,dr7";

/* If \a is one of the registers, a site of the kind. */
static void print_test(struct text_buf *out, bool naked, const char *regs, const char *bare,
		       unsigned kind)
{
	text_printf(out, ".irp lilyvm_r,%s%s%s\n.ifc \\a,\\lilyvm_r\nlilyvm.site %u\n"
		    "lilyvm.emulate\n.endif\n.endr\n", regs, naked ? "," : "", naked ? bare : "",
		    kind);
}

static void print_mov_tests(struct text_buf *out, bool naked, const unsigned kinds[3])
{
	print_test(out, naked, sregs, naked_sregs, kinds[0]);
	print_test(out, naked, cregs, naked_cregs, kinds[1]);
	print_test(out, naked, dregs, naked_dregs, kinds[2]);
}

/*
 * A macro's arguments are split at each comma, within parentheses, too: the first
 * part can be the first operand, the last part the last one.
 */
static void print_helpers(const struct text *t, struct text_buf *out)
{
	static const unsigned from[] = { IK_MOV_FROM_SREG, IK_MOV_FROM_CR, IK_MOV_FROM_DR };
	static const unsigned to[] = { IK_MOV_TO_SREG, IK_MOV_TO_CR, IK_MOV_TO_DR };
	bool naked = t->any_intel;

	text_printf(out, ".macro lilyvm.push a\n");
	print_test(out, naked, sregs, naked_sregs, IK_PUSH_SREG);
	text_printf(out, ".endm\n.macro lilyvm.pop a\n");
	print_test(out, naked, sregs, naked_sregs, IK_POP_SREG);
	text_printf(out, ".endm\n.macro lilyvm.mov a, b:vararg\n");
	print_mov_tests(out, naked, from);
	text_printf(out, "lilyvm.movto \\b\n.endm\n"
		    ".macro lilyvm.movto a, b:vararg\n.ifb \\b\n");
	print_mov_tests(out, naked, to);
	text_printf(out, ".else\nlilyvm.movto \\b\n.endif\n.endm\n");
}

/* rep \op: the call has to come before the prefix. */
static void print_prefixed(const struct text *t, struct text_buf *out)
{
	text_printf(out, ".macro lilyvm.prefixed op\n");
	for (unsigned i = 0; i < t->words.count; i++) {
		const struct text_word *w = &t->words.word[i];

		if (w->type == TW_INSN && (w->form == IF_EMULATE || w->form == IF_CALL))
			text_printf(out, ".ifc \\op,%s\nlilyvm.site %u\nlilyvm.emulate\n.endif\n",
				    w->name, w->kind);
	}
	text_printf(out, ".endm\n");
}

static void print_body(struct text_buf *out, const struct text_word *w)
{
	static const char *const helper[] = {
		[IF_MOV] = "mov", [IF_PUSH] = "push", [IF_POP] = "pop",
	};
	bool waits = (w->kind == IK_FNSAVE || w->kind == IK_FNINIT) && w->name[1] != 'n';

	if (waits)
		text_printf(out, "fwait\n");
	if (w->form == IF_MOV || w->form == IF_PUSH || w->form == IF_POP)
		text_printf(out, "lilyvm.%s \\lilyvm_a\n", helper[w->form]);
	else
		text_printf(out, "lilyvm.site %u\nlilyvm.emulate\n", w->kind);
	text_printf(out, "{nooptimize} %s%s \\lilyvm_a\n", waits ? "fn" : "",
		    waits ? w->name + 1 : w->name);
}

static bool has_macro(const struct text_word *w)
{
	return w->type == TW_INSN && !text_word_near(w);
}

/* What becomes of a site: rewritten, left and noted, left. */
static void print_modes(struct text_buf *out, const char *emulate)
{
	static const char undo[] = ".purgem lilyvm.site\n.purgem lilyvm.emulate\n";
	static const char site[] = ".macro lilyvm.site kind\n";

	text_printf(out, ".macro lilyvm.rewrite\n%s%slilyvm.record \\kind\nlilyvm.note\n.endm\n"
		    ".macro lilyvm.emulate\n%s.endm\n.endm\n", undo, site, emulate);
	text_printf(out, ".macro lilyvm.leave\n%s%slilyvm.user \\kind\n.endm\n"
		    ".macro lilyvm.emulate\n.endm\n.endm\n", undo, site);
	text_printf(out, ".macro lilyvm.leave16\n%s%s.endm\n"
		    ".macro lilyvm.emulate\n.endm\n.endm\n", undo, site);
	text_printf(out, "%s.endm\n.macro lilyvm.emulate\n.endm\nlilyvm.rewrite\n", site);
}

void text_prelude(const struct text *t, struct text_buf *out)
{
	char emulate[80];

	/* The assembler would read a call in Intel's syntax there. */
	snprintf(emulate, sizeof(emulate), t->macros || t->any_intel ?
		 ".byte 0xff,0x15\n.long %#x\n" : "call *%#x\n", RT_SLOT(RT_EMULATE));
	text_printf(out, "%s", site_macros);
	/* The first reading may have ended before the entry. */
	if (t->entry || t->macros)
		text_entry_macro(out);
	print_modes(out, emulate);
	if (!t->macros)
		return;
	print_helpers(t, out);
	print_prefixed(t, out);
	for (unsigned i = 0; i < t->words.count; i++) {
		const struct text_word *w = &t->words.word[i];

		if (!has_macro(w))
			continue;
		text_printf(out, ".macro %s lilyvm_a:vararg\n", w->name);
		print_body(out, w);
		text_printf(out, ".endm\n");
	}
}
