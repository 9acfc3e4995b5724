/* SPDX-License-Identifier: BSD-2-Clause */
/* Exceptions of user code: the right signal, code, address and eip. */
#define _GNU_SOURCE
#include "harness.h"
#include "trap.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <ucontext.h>

/* Memory accesses at the address in %eax. */
SNIPPET(mem_read, "", "movl (%eax), %ecx", "");
SNIPPET(mem_write, "", "movl $1, (%eax)", "");
SNIPPET(mem_modify, "", "lock addl $1, (%eax)", "");
SNIPPET(mem_byte, "", "movb (%eax), %cl", "");
SNIPPET(mem_push, "movl %esp, %ecx\n\tmovl %eax, %esp", "pushl $7", "movl %ecx, %esp");
SNIPPET(mem_call, "", "call *%eax", "");
SNIPPET(mem_jump, "", "jmp *%eax", "");
SNIPPET(mem_fill, "leal -8(%eax), %edi\n\tmovl $16, %ecx", "rep stosb", "");
SNIPPET(mem_sse, "", "movups (%eax), %xmm0", "");
SNIPPET(mem_fild, "", "fldl (%eax)", "fstp %st(0)");
SNIPPET(mem_syscall, "movl %eax, %ecx\n\tmovl $1, %ebx\n\tmovl $1, %edx\n\tmovl $4, %eax",
	"int $0x80", "movl %eax, snippet_result");
uint32_t snippet_result;

/* Bits of the page-fault error code. */
enum { PF_PRESENT = 1, PF_WRITE = 2, PF_USER = 4, PF_FETCH = 16 };

struct mem_case {
	const char *name;
	const char *code, *at;
	uint32_t addr;
	int si_code;
	uint32_t err;
	uint32_t si_addr_offset;	/* si_addr - addr */
};

#define MEM(text, id, where, what, error) { text, id, id##_at, where, what, error, 0 }
/* Linux reports kernel addresses as unmapped, and with the "present" bit set,
 * so that nothing can be learnt about them (arch/x86/mm/fault.c). */
static const struct mem_case mem_cases[] = {
	MEM("read at 0", mem_read, 0, SEGV_MAPERR, PF_USER),
	MEM("write at 0", mem_write, 0, SEGV_MAPERR, PF_USER | PF_WRITE),
	MEM("locked add at 0", mem_modify, 0, SEGV_MAPERR, PF_USER | PF_WRITE),
	MEM("call 0", mem_call, 0, SEGV_MAPERR, PF_USER),
	MEM("jump to 0", mem_jump, 0, SEGV_MAPERR, PF_USER),
	MEM("jump to 0xfff", mem_jump, 0xfff, SEGV_MAPERR, PF_USER),
	MEM("read at 0xffc", mem_read, 0xffc, SEGV_MAPERR, PF_USER),
	MEM("read at 0xc0000000", mem_read, 0xc0000000, SEGV_MAPERR, PF_USER | PF_PRESENT),
	MEM("write at 0xc0000000", mem_write, 0xc0000000, SEGV_MAPERR,
	    PF_USER | PF_PRESENT | PF_WRITE),
	MEM("locked add at 0xc0000000", mem_modify, 0xc0000000, SEGV_MAPERR,
	    PF_USER | PF_PRESENT | PF_WRITE),
	MEM("jump to 0xc0000000", mem_jump, 0xc0000000, SEGV_MAPERR, PF_USER | PF_PRESENT),
	MEM("read at 0xc1000000", mem_read, 0xc1000000, SEGV_MAPERR, PF_USER | PF_PRESENT),
	MEM("write at 0xc1000000", mem_write, 0xc1000000, SEGV_MAPERR,
	    PF_USER | PF_PRESENT | PF_WRITE),
	MEM("jump to 0xc1000000", mem_jump, 0xc1000000, SEGV_MAPERR, PF_USER | PF_PRESENT),
	MEM("read at 0xf8000000", mem_read, 0xf8000000, SEGV_MAPERR, PF_USER | PF_PRESENT),
	MEM("read at 0xfffff000", mem_read, 0xfffff000, SEGV_MAPERR, PF_USER | PF_PRESENT),
	MEM("write at 0xfffff000", mem_write, 0xfffff000, SEGV_MAPERR,
	    PF_USER | PF_PRESENT | PF_WRITE),
	MEM("jump to 0xfffff000", mem_jump, 0xfffff000, SEGV_MAPERR, PF_USER | PF_PRESENT),
	MEM("read at 0xffffffff", mem_byte, 0xffffffff, SEGV_MAPERR, PF_USER | PF_PRESENT),
	MEM("SSE read at 0", mem_sse, 0, SEGV_MAPERR, PF_USER),
	MEM("x87 load at 0xc0000000", mem_fild, 0xc0000000, SEGV_MAPERR, PF_USER | PF_PRESENT),
	{ "push to 0x1000 (stack at 0)", mem_push, mem_push_at, 0x1000, SEGV_MAPERR,
	  PF_USER | PF_WRITE, (uint32_t)-4 },
	{ "push below 0xc0000004", mem_push, mem_push_at, 0xc0000004, SEGV_MAPERR,
	  PF_USER | PF_PRESENT | PF_WRITE, (uint32_t)-4 },
};

static void expect_segv(const struct trap *t, uint32_t eip, uint32_t addr, int code, uint32_t err)
{
	CHECK(t->sig == SIGSEGV, "signal %d, wanted SIGSEGV", t->sig);
	CHECK(t->addr == addr, "si_addr 0x%x, wanted 0x%x", t->addr, addr);
	CHECK(t->code == code, "si_code %d, wanted %d", t->code, code);
	CHECK(t->gregs[REG_EIP] == eip, "eip 0x%x, wanted 0x%x", t->gregs[REG_EIP], eip);
	CHECK(t->trapno == 14, "trap number %u, wanted 14", t->trapno);
	/* The fetch bit is only there with NX, which needs PAE. */
	CHECK((t->err & ~(uint32_t)PF_FETCH) == err, "error code 0x%x, wanted 0x%x", t->err, err);
}

static void check_mem(const void *arg)
{
	const struct mem_case *c = arg;
	struct trap t;
	bool jump = c->code == mem_jump || c->code == mem_call;

	if (kernel_is_64bit() && c->addr >= 0xc0000000)
		test_skip("the kernel is not at 0xc0000000");
	if (c->code == mem_sse && !cpu_has_sse2())
		test_skip("no SSE2");
	if (cpu_is_tcg() && c->code == mem_modify)
		test_skip("QEMU's TCG reports the read of a read-modify-write");
	t = snippet_run(c->code, c->addr);
	expect_segv(&t, jump ? c->addr : (uint32_t)(uintptr_t)c->at, c->addr + c->si_addr_offset,
		    c->si_code, c->err);
	CHECK(t.gregs[REG_EAX] == c->addr, "eax 0x%x", t.gregs[REG_EAX]);
}

/* Two pages; the second gets the protection under test. */
static uint32_t two_pages(int prot)
{
	uint8_t *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	SYS((intptr_t)p);
	memset(p, 0x90, 8192);
	if (prot == -1)
		SYS(munmap(p + 4096, 4096));
	else
		SYS(mprotect(p + 4096, 4096, prot));
	return (uint32_t)(uintptr_t)p + 4096;
}

struct prot_case {
	const char *name;
	const char *code, *at;
	int prot;		/* -1: unmapped */
	uint32_t offset;	/* of the access, from the page */
	uint32_t si_offset;	/* of si_addr, from the page */
	int si_code;
	uint32_t err;
};

#define PROT(text, id, prot, off, si, what, error) { text, id, id##_at, prot, off, si, what, error }
static const struct prot_case prot_cases[] = {
	PROT("write to a read-only page", mem_write, PROT_READ, 4, 4, SEGV_ACCERR,
	     PF_USER | PF_WRITE | PF_PRESENT),
	PROT("locked add to a read-only page", mem_modify, PROT_READ, 4, 4, SEGV_ACCERR,
	     PF_USER | PF_WRITE | PF_PRESENT),
	PROT("push to a read-only page", mem_push, PROT_READ, 8, 4, SEGV_ACCERR,
	     PF_USER | PF_WRITE | PF_PRESENT),
	PROT("read of a PROT_NONE page", mem_read, PROT_NONE, 8, 8, SEGV_ACCERR, PF_USER),
	PROT("write to a PROT_NONE page", mem_write, PROT_NONE, 8, 8, SEGV_ACCERR,
	     PF_USER | PF_WRITE),
	PROT("read across into an unmapped page", mem_read, -1, (uint32_t)-2, 0, SEGV_MAPERR,
	     PF_USER),
	PROT("write across into an unmapped page", mem_write, -1, (uint32_t)-2, 0, SEGV_MAPERR,
	     PF_USER | PF_WRITE),
	PROT("write across into a read-only page", mem_write, PROT_READ, (uint32_t)-2, 0,
	     SEGV_ACCERR, PF_USER | PF_WRITE | PF_PRESENT),
};

static void check_prot(const void *arg)
{
	const struct prot_case *c = arg;
	uint32_t page = two_pages(c->prot);
	struct trap t = snippet_run(c->code, page + c->offset);

	expect_segv(&t, (uint32_t)(uintptr_t)c->at, page + c->si_offset, c->si_code, c->err);
	if (c->prot == PROT_READ)
		CHECK(*(uint32_t *)(uintptr_t)(page + 4) == 0x90909090, "a page that was written");
	/* A write that faults on its second page leaves the first as it was. */
	CHECK(*(uint16_t *)(uintptr_t)(page - 2) == 0x9090, "a write that was half done");
}

static void check_rep(const void *arg)
{
	uint32_t page = two_pages(PROT_READ);
	struct trap t = snippet_run(mem_fill, page);

	(void)arg;
	expect_segv(&t, (uint32_t)(uintptr_t)mem_fill_at, page, SEGV_ACCERR,
		    PF_USER | PF_WRITE | PF_PRESENT);
	CHECK(t.gregs[REG_EDI] == page, "edi 0x%x, wanted 0x%x", t.gregs[REG_EDI], page);
	CHECK(t.gregs[REG_ECX] == 8, "ecx %u, wanted 8", t.gregs[REG_ECX]);
}

/* The kernel refuses bad pointers, without a signal. */
static void check_efault(const void *arg)
{
	static const uint32_t bad[] = { 0, 0xc0000000, 0xfffff000 };
	int fd[2];

	(void)arg;
	SYS(pipe(fd));
	SYS(dup2(fd[1], 1));
	for (unsigned i = 0; i < 3; i++) {
		struct trap t = snippet_run(mem_syscall, bad[i]);

		CHECK(t.sig == 0, "signal %d", t.sig);
		CHECK(snippet_result == (uint32_t)-14, "write(1, 0x%x, 1) = %d, wanted -EFAULT",
		      bad[i], (int)snippet_result);
	}
}

/* Instructions that raise an exception by themselves. */
static const int32_t bounds[2] __attribute__((used)) = { 10, 20 };
SNIPPET(op_div0, "xorl %edx, %edx\n\txorl %ecx, %ecx\n\tmovl $1, %eax", "divl %ecx", "");
SNIPPET(op_idiv, "movl $0x80000000, %eax\n\tcltd\n\tmovl $-1, %ecx", "idivl %ecx", "");
SNIPPET(op_aam, "", "aam $0", "");
SNIPPET(op_ud2, "", "ud2", "");
SNIPPET(op_ud1, "", ".byte 0x0f, 0xb9, 0xc0", "");
SNIPPET(op_lockreg, "", ".byte 0xf0, 0x01, 0xc0", "");
SNIPPET(op_movcs, "", ".byte 0x8e, 0xc8", "");
SNIPPET(op_int3, "", "int3", "");
SNIPPET(op_cd03, "", ".byte 0xcd, 0x03", "");
SNIPPET(op_icebp, "", ".byte 0xf1", "");
SNIPPET(op_into, "movl $0x7fffffff, %eax\n\taddl $1, %eax", "into", "");
SNIPPET(op_into_clear, "xorl %eax, %eax", "into", "");
SNIPPET(op_int4, "", "int $4", "");
SNIPPET(op_bound, "movl $21, %eax", "bound %eax, bounds", "");
SNIPPET(op_bound_in, "movl $20, %eax", "bound %eax, bounds", "");
SNIPPET(op_hlt, "", "hlt", "");
SNIPPET(op_cli, "", "cli", "");
SNIPPET(op_sti, "", "sti", "");
SNIPPET(op_in, "", "inb $0x40, %al", "");
SNIPPET(op_indx, "movl $0x3f8, %edx", "inb %dx, %al", "");
SNIPPET(op_out, "", "outb %al, $0x80", "");
SNIPPET(op_outdx, "movl $0x501, %edx", "outl %eax, %dx", "");
SNIPPET(op_insb, "movl $0x3f8, %edx\n\tleal -16(%esp), %edi", "insb", "");
SNIPPET(op_outsb, "movl $0x3f8, %edx\n\tmovl %esp, %esi", "outsb", "");
SNIPPET(op_lgdt, "", "lgdt bounds", "");
SNIPPET(op_lidt, "", "lidt bounds", "");
SNIPPET(op_lldt, "xorl %eax, %eax", "lldt %ax", "");
SNIPPET(op_ltr, "movl $0x80, %eax", "ltr %ax", "");
SNIPPET(op_clts, "", "clts", "");
SNIPPET(op_lmsw, "", "lmsw %ax", "");
SNIPPET(op_invlpg, "", "invlpg (%esp)", "");
SNIPPET(op_wbinvd, "", "wbinvd", "");
SNIPPET(op_rdcr0, "", "movl %cr0, %eax", "");
SNIPPET(op_wrcr3, "", "movl %eax, %cr3", "");
SNIPPET(op_rddr7, "", "movl %dr7, %eax", "");
SNIPPET(op_wrdr7, "", "movl %eax, %dr7", "");
SNIPPET(op_rdmsr, "movl $0x1b, %ecx", "rdmsr", "");
SNIPPET(op_wrmsr, "movl $0x1b, %ecx", "wrmsr", "");
SNIPPET(op_sysexit, "", "sysexit", "");
SNIPPET(op_int20, "", "int $0x20", "");
SNIPPET(op_int0, "", "int $0", "");
SNIPPET(op_int2, "", "int $2", "");
SNIPPET(op_int8, "", "int $8", "");
SNIPPET(op_int14, "", "int $14", "");
SNIPPET(op_int81, "", "int $0x81", "");
SNIPPET(op_intff, "", "int $0xff", "");
SNIPPET(op_long, "",
	".byte 0x3e,0x3e,0x3e,0x3e,0x3e,0x3e,0x3e,0x3e,0x3e,0x3e,0x3e,0x3e,0x3e,0x3e,0x3e,0x90",
	"");
SNIPPET(op_movaps, "andl $-16, %esp\n\tsubl $16, %esp", "movaps 4(%esp), %xmm0", "");

enum where { AT, NEXT };

/* The vector, the signal that Linux makes of it, and where eip stands. */
static const struct op_case {
	const char *name;
	const char *code, *at, *next;
	int sig, si_code;
	bool addr_is_eip;
	uint32_t trapno, err;
	enum where eip;
} op_cases[] = {
#define OP(text, id, sig, si, addr, trapno, err, where) \
	{ text, id, id##_at, id##_next, sig, si, addr, trapno, err, where }
#define GP(text, id, err) OP(text, id, SIGSEGV, SI_KERNEL, false, 13, err, AT)
	OP("divide by 0", op_div0, SIGFPE, FPE_INTDIV, true, 0, 0, AT),
	OP("idiv overflow", op_idiv, SIGFPE, FPE_INTDIV, true, 0, 0, AT),
	OP("aam 0", op_aam, SIGFPE, FPE_INTDIV, true, 0, 0, AT),
	OP("ud2", op_ud2, SIGILL, ILL_ILLOPN, true, 6, 0, AT),
	OP("ud1", op_ud1, SIGILL, ILL_ILLOPN, true, 6, 0, AT),
	OP("lock on a register", op_lockreg, SIGILL, ILL_ILLOPN, true, 6, 0, AT),
	OP("mov to cs", op_movcs, SIGILL, ILL_ILLOPN, true, 6, 0, AT),
	OP("int3", op_int3, SIGTRAP, SI_KERNEL, false, 3, 0, NEXT),
	OP("int $3", op_cd03, SIGTRAP, SI_KERNEL, false, 3, 0, NEXT),
	OP("int1 (f1)", op_icebp, SIGTRAP, TRAP_BRKPT, true, 1, 0, NEXT),
	OP("into with OF set", op_into, SIGSEGV, SI_KERNEL, false, 4, 0, NEXT),
	OP("into with OF clear", op_into_clear, 0, 0, false, 0, 0, NEXT),
	OP("int $4", op_int4, SIGSEGV, SI_KERNEL, false, 4, 0, NEXT),
	OP("bound out of range", op_bound, SIGSEGV, SI_KERNEL, false, 5, 0, AT),
	OP("bound in range", op_bound_in, 0, 0, false, 0, 0, NEXT),
	GP("hlt", op_hlt, 0),
	GP("cli", op_cli, 0),
	GP("sti", op_sti, 0),
	GP("in imm", op_in, 0),
	GP("in dx", op_indx, 0),
	GP("out imm", op_out, 0),
	GP("out dx", op_outdx, 0),
	GP("ins", op_insb, 0),
	GP("outs", op_outsb, 0),
	GP("lgdt", op_lgdt, 0),
	GP("lidt", op_lidt, 0),
	GP("lldt", op_lldt, 0),
	GP("ltr", op_ltr, 0),
	GP("clts", op_clts, 0),
	GP("lmsw", op_lmsw, 0),
	GP("invlpg", op_invlpg, 0),
	GP("wbinvd", op_wbinvd, 0),
	GP("mov from cr0", op_rdcr0, 0),
	GP("mov to cr3", op_wrcr3, 0),
	GP("mov from dr7", op_rddr7, 0),
	GP("mov to dr7", op_wrdr7, 0),
	GP("rdmsr", op_rdmsr, 0),
	GP("wrmsr", op_wrmsr, 0),
	GP("sysexit", op_sysexit, 0),
	/* A gate with DPL 0: the error code names it, with the IDT bit. */
	GP("int $0", op_int0, 0 * 8 + 2),
	GP("int $2", op_int2, 2 * 8 + 2),
	GP("int $8", op_int8, 8 * 8 + 2),
	GP("int $14", op_int14, 14 * 8 + 2),
	GP("int $0x20", op_int20, 0x20 * 8 + 2),
	GP("int $0x81", op_int81, 0x81 * 8 + 2),
	GP("int $0xff", op_intff, 0xff * 8 + 2),
	GP("instruction of 16 bytes", op_long, 0),
};

static void check_op(const void *arg)
{
	const struct op_case *c = arg;
	uint32_t want = (uint32_t)(uintptr_t)(c->eip == AT ? c->at : c->next);
	struct trap t;

	if (cpu_is_tcg() && c->code == op_icebp)
		test_skip("QEMU's TCG raises #UD");
	t = snippet_run(c->code, 0);
	CHECK(t.sig == c->sig, "signal %d, wanted %d (eip 0x%x)", t.sig, c->sig,
	      t.gregs[REG_EIP]);
	if (!c->sig)
		return;
	CHECK(t.code == c->si_code, "si_code %d, wanted %d", t.code, c->si_code);
	CHECK(t.gregs[REG_EIP] == want, "eip 0x%x, wanted 0x%x", t.gregs[REG_EIP], want);
	CHECK(t.addr == (c->addr_is_eip ? want : 0), "si_addr 0x%x", t.addr);
	CHECK(t.trapno == c->trapno, "trap number %u, wanted %u", t.trapno, c->trapno);
	CHECK(t.err == c->err, "error code 0x%x, wanted 0x%x", t.err, c->err);
}

static void check_movaps(const void *arg)
{
	struct trap t;

	(void)arg;
	if (!cpu_has_sse2())
		test_skip("no SSE2");
	if (cpu_is_tcg())
		test_skip("QEMU's TCG does not check the alignment of SSE operands");
	t = snippet_run(op_movaps, 0);
	CHECK(t.sig == SIGSEGV && t.trapno == 13, "signal %d, trap number %u", t.sig, t.trapno);
	CHECK(t.gregs[REG_EIP] == (uint32_t)(uintptr_t)op_movaps_at, "eip 0x%x",
	      t.gregs[REG_EIP]);
}

/* The AC flag makes misaligned accesses fault: SIGBUS, BUS_ADRALN. */
SNIPPET(op_align, "pushfl\n\torl $0x40000, (%esp)\n\tpopfl", "movl 1(%esp), %ecx",
	"pushfl\n\tandl $~0x40000, (%esp)\n\tpopfl");

static void check_align(const void *arg)
{
	struct trap t;

	(void)arg;
	if (cpu_is_tcg())
		test_skip("QEMU's TCG does not check alignment");
	t = snippet_run(op_align, 0);
	__asm__ volatile("pushfl\n\tandl $~0x40000, (%%esp)\n\tpopfl" : : : "memory", "cc");
	CHECK(t.sig == SIGBUS && t.code == BUS_ADRALN, "signal %d, code %d", t.sig, t.code);
	CHECK(t.trapno == 17, "trap number %u, wanted 17", t.trapno);
	CHECK(t.gregs[REG_EIP] == (uint32_t)(uintptr_t)op_align_at, "eip 0x%x", t.gregs[REG_EIP]);
}

void test_faults(void)
{
	char name[96];

	for (unsigned i = 0; i < sizeof(mem_cases) / sizeof(mem_cases[0]); i++) {
		snprintf(name, sizeof(name), "fault: %s", mem_cases[i].name);
		run(name, check_mem, &mem_cases[i]);
	}
	for (unsigned i = 0; i < sizeof(prot_cases) / sizeof(prot_cases[0]); i++) {
		snprintf(name, sizeof(name), "fault: %s", prot_cases[i].name);
		run(name, check_prot, &prot_cases[i]);
	}
	run("fault: rep stos stops at the page it may not write", check_rep, NULL);
	run("fault: EFAULT of a system call with a bad pointer", check_efault, NULL);
	for (unsigned i = 0; i < sizeof(op_cases) / sizeof(op_cases[0]); i++) {
		snprintf(name, sizeof(name), "instruction: %s", op_cases[i].name);
		run(name, check_op, &op_cases[i]);
	}
	run("instruction: misaligned movaps", check_movaps, NULL);
	run("instruction: misaligned access with AC set", check_align, NULL);
}
