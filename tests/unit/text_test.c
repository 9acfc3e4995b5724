/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The text side of the rewriter: Intel's lists of instructions, each encoding that
 * the decoder calls sensitive, and what becomes of text.  How the assembler takes
 * the result is tested by tests/rewriter.
 */
#include "rewriter/text.h"
#include "runtime/abi.h"

#include <capstone/capstone.h>
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct text *rewrite(const char *in, struct error *e, int *result)
{
	struct text *t = calloc(1, sizeof(*t));
	struct text_input input = { .name = "t.s", .text = in, .n = strlen(in) };

	ck_assert_ptr_nonnull(t);
	memset(e, 0, sizeof(*e));
	*result = text_rewrite(t, &input, 1, e);
	return t;
}

static void discard(struct text *t)
{
	text_free(t);
	free(t);
}

/* What stands behind the line marker. */
static const char *body(const struct text *t)
{
	const char *marker;

	t->out.at[t->out.len] = '\0';
	marker = strstr(t->out.at, "# 1 \"t.s\"\n");
	ck_assert_ptr_nonnull(marker);
	return marker + strlen("# 1 \"t.s\"\n");
}

static unsigned sites_of(const char *in)
{
	struct error e;
	int r;
	struct text *t = rewrite(in, &e, &r);
	unsigned n = t->sites;

	ck_assert_msg(r == 0, "%s: %s", in, e.text);
	discard(t);
	return n;
}

/* ---- Intel's lists ---- */

/* SDM volume 3A, 2.8 and 6.9 (privileged), 2.8.1 - 2.8.6 (system instructions useful to
 * applications), and those of volume 2 whose operation depends on CPL, IOPL or shows
 * what a descriptor table register, a system segment or a segment register holds.
 * Each with the operands that it can have. */
static const char *const intel[] = {
	/* 6.9: privileged */
	"lgdt (%eax)", "lgdt %fs:4", "lldt %ax", "lldt (%eax)", "ltr %ax", "ltr 4(%ebx)",
	"lidt (%eax)", "lidtl foo", "mov %eax, %cr0", "mov %ebx, %cr2", "mov %ecx, %cr3",
	"mov %edx, %cr4", "mov %cr0, %eax", "mov %cr2, %ebx", "mov %cr3, %ecx",
	"mov %cr4, %esp", "lmsw %ax", "lmsw (%eax)", "clts", "mov %eax, %db0",
	"mov %db7, %eax", "movl %dr6, %eax", "hlt", "invd", "wbinvd", "invlpg (%eax)",
	"invlpg %gs:foo(,%eax,4)", "rdmsr", "wrmsr", "rdpmc",
	/* I/O sensitive */
	"in $4, %al", "in $4, %ax", "in $4, %eax", "in %dx, %al", "in (%dx), %eax", "inb %dx",
	"inw $4", "inl %dx, %eax", "out %al, $4", "out %ax, %dx", "outb %al, (%dx)",
	"outl %eax, $4", "insb", "insw", "insl", "ins (%dx), %es:(%edi)", "rep insb",
	"rep; insl", "outsb", "outsw", "outsl", "rep outsw", "outsl %gs:(%esi), %dx",
	"cli", "sti",
	/* flags and returns */
	"pushf", "pushfl", "pushfw", "data16 pushf", "popf", "popfl", "popfw", "iret", "iretl",
	"iretw",
	/* segment registers: SDM 2, MOV, PUSH, POP, LDS */
	"mov %es, %eax", "mov %cs, %ax", "movw %ss, (%eax)", "movl %ds, %esi",
	"mov %fs, %gs:4(%ebx,%ecx,8)", "mov %gs, foo", "mov %eax, %es", "mov %ax, %ss",
	"movw (%eax), %ds", "movl foo, %fs", "mov %cs:(%esp), %gs", "mov %esp, %ds",
	"push %es", "push %cs", "pushl %ss", "pushw %ds", "push %fs", "pushl %gs",
	"pop %es", "popl %ss", "popw %ds", "pop %fs", "pop %gs",
	"les (%eax), %ecx", "lds foo, %ax", "lss %fs:foo, %esp", "lfs 4(%esp), %eax",
	"lgsl (%eax), %edx",
	/* far transfers, through gates, too; int n */
	"lcall $8, $4", "lcall *(%eax)", "lcallw *foo", "ljmp $8, $4", "ljmp *foo", "ljmpl *%gs:4",
	"lret", "lret $4", "lretw", "int $0x80", "int $0x0d",
	/* what is shown of descriptor tables and system segments */
	"sgdt (%eax)", "sidt foo", "sldt %ax", "sldt %eax", "sldt (%eax)", "str %ax", "str %eax",
	"str 4(%ebp)", "smsw %ax", "smsw %eax", "smsw (%eax)",
	"lar %ax, %cx", "lar (%eax), %ecx", "larl %eax, %ecx", "lsl %ax, %bx", "lsl foo, %ebx",
	"verr %ax", "verr (%eax)", "verw %ax", "verw %cs:foo",
	/* extended state, processor identification, fast system calls */
	"cpuid", "xgetbv", "xsetbv", "xsave (%eax)", "xsaveopt (%eax)", "xsavec (%eax)",
	"xsaves (%eax)", "xrstor (%eax)", "xrstors (%eax)", "fxsave (%eax)", "fxrstor foo",
	"fnsave (%eax)", "fsave (%eax)", "frstor 4(%eax)", "fninit", "finit",
	"sysenter", "sysexit", "syscall", "sysret", "rsm", "getsec", "monitor", "mwait",
	"clac", "stac", "rdpkru", "wrpkru", "invpcid (%eax), %ecx",
	"vmcall", "vmlaunch", "vmresume", "vmxoff", "vmxon (%eax)", "vmclear (%eax)",
	"vmptrld (%eax)", "vmptrst (%eax)", "vmread %eax, %ecx", "vmwrite (%eax), %ecx",
	"invept (%eax), %ecx", "invvpid (%eax), %ecx", "vmfunc",
	/* AMD's */
	"vmmcall", "vmrun", "vmload", "vmsave", "stgi", "clgi", "skinit", "invlpga", "wbnoinvd",
};

START_TEST(every_instruction_of_the_manual)
{
	for (size_t i = 0; i < sizeof(intel) / sizeof(intel[0]); i++) {
		char upper[80], line[96];
		size_t n = strcspn(intel[i], " ");

		ck_assert_msg(sites_of(intel[i]) == 1, "%s", intel[i]);
		/* The assembler takes capitals, too. */
		snprintf(upper, sizeof(upper), "%s", intel[i]);
		for (size_t k = 0; k < n; k++)
			if (upper[k] >= 'a' && upper[k] <= 'z')
				upper[k] = (char)(upper[k] - 32);
		snprintf(line, sizeof(line), "label: %s ; nop", upper);
		ck_assert_msg(sites_of(line) == 1, "%s", line);
	}
}
END_TEST

/* Each kind has a mnemonic that finds it. */
START_TEST(every_kind_has_a_word)
{
	struct text_words words;

	text_words_make(&words);
	for (unsigned k = 1; k < IK_COUNT; k++) {
		const char *name = insn_kind_mnemonics(k);
		const struct text_word *w = text_word_find(&words, name, strcspn(name, " "));

		if (insn_kind_class(k) == IC_HARMLESS)
			continue;
		ck_assert_msg(w && w->type == TW_INSN, "%s", insn_kind_name(k));
		ck_assert_int_ne(insn_kind_form(k), IF_KEEP);
	}
}
END_TEST

/* ---- every encoding ---- */

static csh handle;

static void check_encoding(const uint8_t *bytes, size_t n)
{
	struct insn in;
	cs_insn *ci;
	char line[200];

	if (insn_decode(&in, bytes, n, 32) <= 0)
		return;
	/* int $3 is assembled as int3, and xsave does not take a prefix. */
	if ((in.kind == IK_INT && in.imm == 3) || (in.opcode == 0xfae && in.opoff))
		return;
	if (cs_disasm(handle, bytes, in.len, 0x1000, 1, &ci) != 1)
		return;
	snprintf(line, sizeof(line), "%s %s", ci->mnemonic, ci->op_str);
	if (in.cls == IC_SILENT || in.cls == IC_PRIVILEGED)
		ck_assert_msg(sites_of(line) == 1, "%s (%02x %02x %02x) is %s", line, bytes[0],
			      bytes[1], bytes[2], insn_kind_name(in.kind));
	else
		ck_assert_msg(sites_of(line) == 0, "%s (%02x %02x %02x) is harmless", line,
			      bytes[0], bytes[1], bytes[2]);
	cs_free(ci, 1);
}

/* Opcode bytes in the order of the maps, with every modrm. */
static void check_map(const uint8_t *lead, size_t nlead)
{
	for (unsigned op = 0; op < 256; op++)
		for (unsigned modrm = 0; modrm < 256; modrm++) {
			uint8_t bytes[16] = { 0 };

			memcpy(bytes, lead, nlead);
			bytes[nlead] = (uint8_t)op;
			bytes[nlead + 1] = (uint8_t)modrm;
			check_encoding(bytes, sizeof(bytes));
		}
}

START_TEST(every_encoding)
{
	static const uint8_t lead[][3] = {
		{ 0 }, { 0x66 }, { 0x0f }, { 0x66, 0x0f }, { 0xf3, 0x0f }, { 0x2e }, { 0xf3 },
	};
	static const size_t length[] = { 0, 1, 1, 2, 2, 1, 1 };

	ck_assert_int_eq(cs_open(CS_ARCH_X86, CS_MODE_32, &handle), CS_ERR_OK);
	cs_option(handle, CS_OPT_SYNTAX, CS_OPT_SYNTAX_ATT);
	check_map(lead[_i], length[_i]);
	cs_close(&handle);
}
END_TEST

/* ---- what becomes of text ---- */

struct example {
	const char *in, *out;
};

#define SITE(kind) "lilyvm.site " #kind "; "

static const struct example forms[] = {
	{ "cli\n", "movl $0xfffffe00, 0xff000000\n" },
	{ "a: sti # b\n", "a: " "movl $0, 0xff000000# b\n" },
	{ "pushf;popf;iret\n", "call *0xff003004;call *0xff003008;call *0xff00300c\n" },
	{ "push %fs\n", "pushl 0xff001010\n" },
	{ "pop %gs\n", "call *0xff003024\n" },
	{ "mov %ds, %eax\n", "movl 0xff00100c, %eax\n" },
	{ "movw %ds, %si\n", "movw 0xff00100c, %si\n" },
	{ "mov %es, 4(%eax,%ebx)\n", "pushw 0xff001000; popw 4(%eax,%ebx)\n" },
	{ "mov %ebx, %fs\n", "call *0xff0030cc\n" },
	{ "movl %gs:4, %ds\n", "pushl %gs:4; 98700001: call *0xff003034; "
	  ".byte 0x0f, 0x1f, 0x40, 98700001b-98700000b\n" },
	{ "mov %cr3, %eax\n", "movl 0xff00104c, %eax\n" },
	{ "mov %eax, %cr3\n", "lilyvm.emulate; mov %eax, %cr3\n" },
	{ "rep insb\n", "lilyvm.emulate; rep insb\n" },
	{ "rep; insb\n", "lilyvm.emulate; rep; insb\n" },
	{ "fsave (%eax)\n", "fwait; lilyvm.emulate; fnsave (%eax)\n" },
	{ "data16 pushf\n", "lilyvm.emulate; data16 pushf\n" },
	/* Its lines stay. */
	{ "{}/*\n*/popf\n", "lilyvm.emulate; {}/*\n*/popf\n" },
	{ ".byte 0x0f,0xae,0x27\n", "lilyvm.emulate; .byte 0x0f,0xae,0x27\n" },
	{ "1: .byte 15 , 0xae /* xrstor */ , 057 # x\n",
	  "1: lilyvm.emulate; .byte 15 , 0xae /* xrstor */ , 057 # x\n" },
	{ ".section .init,\"ax\"; .byte 0xcd,0x80\n", ".section .init,\"ax\"; lilyvm.emulate; .byte 0xcd,0x80\n" },
	{ "cli /* a\nb */ ; nop\n", "lilyvm.emulate; cli /* a\nb */ ; nop\n" },
};

/* The output without the notes of sites. */
static void without_sites(char *to, const char *from)
{
	for (int n; *from; )
		if (sscanf(from, "lilyvm.site %*d; %n", &n) == 0 && !strncmp(from, "lilyvm.site", 11))
			from = strchr(from, ';') + 2;
		else
			*to++ = *from++;
	*to = '\0';
}

START_TEST(form)
{
	const struct example *x = &forms[_i];
	struct error e;
	char got[512];
	int r;
	struct text *t = rewrite(x->in, &e, &r);

	ck_assert_msg(r == 0, "%s", e.text);
	without_sites(got, body(t));
	ck_assert_str_eq(got, x->out);
	discard(t);
}
END_TEST

/* Instruction-like text that is none, and what user mode may do as well. */
static const char *const harmless[] = {
	".ascii \"cli; sti\\\"; cli\"\n", "# cli\n", "nop # x; cli\n", "/* cli\ncli */ nop\n",
	"/ cli\n", "// cli\n", "mov $';, %al\n", "mov $'\", %al; nop #\" ; cli\n", "cli = 4\n",
	"cli: nop\n", "mov %ds:4, %eax\n", "mov %eax, %fs:(%ebx)\n", "mov ds, %eax\n",
	"push cs\n", "push %ds:4\n", "int $3\n", "int $0x3\n", "jmp *%eax\n", "call *foo\n",
	".set cli, 4\n", "rep movsb\n", "lock; incl (%eax)\n", "es; lodsb\n", "\"cli\": nop\n",
	".L1: 1: nop\n", "lock; 1: incl (%eax)\n", "foo.cli\n", "mov $4, %eax\n", "mov $'\\n, %al\n", "{disp32} mov %eax, 4(%eax)\n",
	"arpl %ax, %bx\n", "rdtsc\n", "into\n", "bound %eax, (%ebx)\n", "ud2\n", "int3\n",
	".byte 0x9c\n", ".byte 0x0f,0xae\n", ".byte 0x0f,0xae,0x27,0x90\n", ".byte 0x0f,0x01,0xca\n",
	".byte 0x0f,0xae,0x27+0\n", ".byte 0x8e, 0xf0\n", ".byte 0x10f,0xae,0x27\n", ".byte\n",
	".data\n.byte 0x0f,0xae,0x27\n", ".section .x,\"a\"\n.byte 0x0f,0xae,0x27\n",
	".pushsection .rodata\n.byte 0xcd,0x80\n.popsection\n", ".data;.text;.previous;.byte 0xcd,0x80\n",
	".macro m a\n mov 4(\\a), %eax\n j\\a foo\n.endm\n", "cmpxchg8b (%eax)\n", "fnstcw (%eax)\n",
};

START_TEST(is_left_as_it_is)
{
	struct error e;
	int r;
	struct text *t = rewrite(harmless[_i], &e, &r);

	ck_assert_msg(r == 0, "%s", e.text);
	ck_assert_uint_eq(t->sites, 0);
	ck_assert_msg(!t->parametric, "%s", harmless[_i]);
	ck_assert_str_eq(body(t), harmless[_i]);
	discard(t);
}
END_TEST

/* Where a parameter makes the instruction, our macros have to be there. */
static const char *const parametric[] = {
	".macro m op\n\\op\n.endm\n", ".macro m s\npush\\s %eax\n.endm\n",
	".macro m r\npush \\r\n.endm\n", ".macro m r\nmov %eax, \\r\n.endm\n",
	".macro m r\nmov %\\r, %eax\n.endm\n", ".macro m a\n140: \\a\n.endm\n",
	".irp r, ds, es\npush %\\r\n.endr\n", ".macro m x\np\\x\\()f\n.endm\n",
};

START_TEST(parameters)
{
	struct error e;
	int r;
	struct text *t = rewrite(parametric[_i], &e, &r);

	ck_assert_msg(r == 0, "%s", e.text);
	ck_assert_msg(t->parametric, "%s", parametric[_i]);
	body(t);
	ck_assert_ptr_nonnull(strstr(t->out.at, ".macro pushf "));
	discard(t);
}
END_TEST

/* 1b behind a site may be a label in front of it: ours must be out of the way. */
START_TEST(labels_of_ours_are_none_of_others)
{
	struct error e;
	int r;
	struct text *t = rewrite("1: mov (%eax), %fs\n\\op 1b\ncli\n", &e, &r);

	ck_assert_int_eq(r, 0);
	body(t);
	for (const char *p = t->out.at; (p = strchr(p, ':')); p++) {
		const char *start = p;

		while (start > t->out.at && start[-1] >= '0' && start[-1] <= '9')
			start--;
		if (start < p && strncmp(start, "9870000", 7) != 0)
			ck_assert_str_eq(start, strstr(t->out.at, "1: lilyvm.site"));
	}
	discard(t);
}
END_TEST

/* ---- what is refused ---- */

static const struct { const char *in, *message; bool bits64; } refused[] = {
	{ ".text\n1:\ncli\n", "t.s:3: 'cli' in 64-bit code", true },
	{ "nop\n", "t.s:1: 'nop' in 64-bit code", true },
	{ "\n.code64\ncli\n", "t.s:3: 'cli' in 64-bit code", false },
	{ "# 7 \"x.c\"\n.altmacro\n", "x.c:7: .altmacro is not supported", false },
	{ ".include \"/nowhere/x\"\n", "t.s:1: .include: cannot read /nowhere/x", false },
	{ ".set x, %ds\n", "t.s:1: a symbol for a segment", false },
	{ ".mri 1\n", "t.s:1: .mri", false },
	{ "rep; 1: insb\n", "t.s:1: a prefix is cut off from its instruction 'insb'", false },
	{ "rep\n.globl x\n\\op\n", "t.s:3: a prefix is cut off", false },
};

START_TEST(is_refused)
{
	struct text *t = calloc(1, sizeof(*t));
	struct text_input input = {
		.name = "t.s", .text = refused[_i].in, .n = strlen(refused[_i].in),
	};
	struct error e = { 0 };

	ck_assert_ptr_nonnull(t);
	t->bits64 = refused[_i].bits64;
	ck_assert_int_eq(text_rewrite(t, &input, 1, &e), -1);
	ck_assert_msg(!strncmp(e.text, refused[_i].message, strlen(refused[_i].message)), "%s",
		      e.text);
	discard(t);
}
END_TEST

START_TEST(empty_64bit_text_is_a_probe)
{
	struct text *t = calloc(1, sizeof(*t));
	const char *in = ".file \"x.c\"\n.text\n.section .note.GNU-stack,\"\",@progbits\nx: .long 4\n";
	struct text_input input = { .name = "t.s", .text = in, .n = strlen(in) };
	struct error e = { 0 };

	ck_assert_ptr_nonnull(t);
	t->bits64 = true;
	ck_assert_int_eq(text_rewrite(t, &input, 1, &e), 0);
	discard(t);
}
END_TEST

/* ---- what is left alone ---- */

START_TEST(sixteen_bit_code)
{
	struct error e;
	int r;
	struct text *t = rewrite(".code16\ncli\nmov %ax, %ds\n.code32\ncli\n", &e, &r);

	ck_assert_int_eq(r, 0);
	ck_assert_uint_eq(t->sites, 1);
	ck_assert_uint_eq(t->left16, 2);
	discard(t);
}
END_TEST

static const struct { const char *list, *in; unsigned sites, left; } user[] = {
	{ NULL, "sigcode: pushf\n1: popf\n.Lx: cli\nesigcode: cli\n", 1, 3 },
	{ NULL, "linux_sigcode: int $0x80\nnext: cli\n", 1, 1 },
	{ "symbol:tramp*", "trampoline: cli\nother: cli\n", 1, 1 },
	{ "section:.user*", ".section .user.text,\"ax\"\ncli\n.text\ncli\n", 1, 1 },
	{ "section:.user*", ".section \".user\"\n.pushsection .x\ncli\n.popsection\ncli\n", 1, 1 },
	{ NULL, ".section .user,\"ax\"\ncli\n.previous\ncli\n.previous\nsti\n", 1, 2 },
	{ NULL, ".pushsection .user.x\nl: cli\n.popsection\ncli\n", 1, 1 },
	{ "symbol:u", "u: cli\n.pushsection .x\nl: cli\n.popsection\ncli\n", 1, 2 },
	{ NULL, ".macro m\n.section .user\ncli\n.endm\ncli\n", 1, 1 },
	{ NULL, ".code16\n.pushsection .user\n.code32\n.popsection\ncli\n", 1, 0 },
	{ "file:*", "cli\n", 1, 0 },	/* the caller's business */
};

START_TEST(user_mode_code)
{
	struct text_user patterns = { .list = user[_i].list };
	struct text *t = calloc(1, sizeof(*t));
	struct text_input input = { .name = "t.s", .text = user[_i].in, .n = strlen(user[_i].in) };
	struct error e = { 0 };

	ck_assert_ptr_nonnull(t);
	t->user = &patterns;
	ck_assert_int_eq(text_rewrite(t, &input, 1, &e), 0);
	ck_assert_uint_eq(t->sites, user[_i].sites);
	ck_assert_uint_eq(t->left_user, user[_i].left);
	discard(t);
}
END_TEST

/* What is left is noted for lilyvm check; our macros rest where it stands. */
START_TEST(user_mode_code_is_noted)
{
	struct text_user patterns = { .list = "symbol:u" };
	struct text *t = calloc(1, sizeof(*t));
	char wanted[200];
	const char *in = ".macro m op\n\\op\n.endm\nu: int $0x80\nm cli\nk: m cli\n";
	struct text_input input = { .name = "t.s", .text = in, .n = strlen(in) };
	struct error e = { 0 };

	ck_assert_ptr_nonnull(t);
	t->user = &patterns;
	ck_assert_int_eq(text_rewrite(t, &input, 1, &e), 0);
	snprintf(wanted, sizeof(wanted), ".macro m op\n\\op\n.endm\nu:; lilyvm.leave;  lilyvm.user %d; "
		 "{nooptimize} int $0x80\nm cli\nk:; lilyvm.rewrite;  m cli\n", IK_INT);
	ck_assert_str_eq(body(t), wanted);
	discard(t);
}
END_TEST

/* A kernel looks for the runtime at its entry, and only there. */
START_TEST(entry)
{
	struct text_user patterns = { .list = NULL };
	struct text *t = calloc(1, sizeof(*t));
	const char *in = ".code16\nstartup_32: nop\n.code32\n.data\nstartup_32:\n.text\n"
		"nop; startup_32: nop\nx: nop\n";
	struct text_input input = { .name = "t.s", .text = in, .n = strlen(in) };
	struct error e = { 0 };

	ck_assert_ptr_nonnull(t);
	t->user = &patterns;
	ck_assert_int_eq(text_rewrite(t, &input, 1, &e), 0);
	ck_assert_uint_eq(t->sites, 1);
	ck_assert_ptr_nonnull(strstr(t->out.at, "\nnop; startup_32: lilyvm.entry;  nop\nx: nop\n"));
	ck_assert_ptr_nonnull(strstr(t->out.at, "\nstartup_32:\n.text\n"));
	discard(t);
}
END_TEST

static const struct { const char *list, *file; bool match; } files[] = {
	{ NULL, "arch/x86/entry/vdso/vdso32/note.S", true },
	{ NULL, "../arch/x86/boot/header.S", true },
	{ NULL, "/usr/src/linux/arch/x86/realmode/rm/wakemain.c", true },
	{ NULL, "arch/x86/realmode/init.c", false },
	{ NULL, "arch/x86/kernel/reboot.c", false },
	{ "symbol:x\nfile:lib/user.c", "../lib/user.c", true },
	{ "file:lib/user.c", "mylib/user.c", false },
};

START_TEST(file_patterns)
{
	struct text_user patterns = { .list = files[_i].list };

	ck_assert_int_eq(text_user_match(&patterns, TU_FILE, files[_i].file,
					 strlen(files[_i].file)), files[_i].match);
}
END_TEST

START_TEST(patterns_have_a_type)
{
	ck_assert(text_user_valid("file:x") && text_user_valid("section:.x*") &&
		  text_user_valid("symbol:x") && text_user_valid("entry:x"));
	ck_assert(!text_user_valid("x") && !text_user_valid("file:") &&
		  !text_user_valid("files:x") && !text_user_valid("file:a\nb"));
}
END_TEST

#define ADD_EACH(tc, test, table) \
	tcase_add_loop_test(tc, test, 0, (int)(sizeof(table) / sizeof((table)[0])))

int main(void)
{
	Suite *s = suite_create("text");
	TCase *tc = tcase_create("text");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, every_instruction_of_the_manual);
	tcase_add_test(tc, every_kind_has_a_word);
	tcase_add_loop_test(tc, every_encoding, 0, 7);
	ADD_EACH(tc, form, forms);
	ADD_EACH(tc, is_left_as_it_is, harmless);
	ADD_EACH(tc, parameters, parametric);
	tcase_add_test(tc, labels_of_ours_are_none_of_others);
	ADD_EACH(tc, is_refused, refused);
	tcase_add_test(tc, empty_64bit_text_is_a_probe);
	tcase_add_test(tc, sixteen_bit_code);
	ADD_EACH(tc, user_mode_code, user);
	tcase_add_test(tc, user_mode_code_is_noted);
	tcase_add_test(tc, entry);
	ADD_EACH(tc, file_patterns, files);
	tcase_add_test(tc, patterns_have_a_type);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
