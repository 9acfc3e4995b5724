/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "native32.h"

#include <asm/ldt.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define STUB 0x30000000u
#define STACK 0x30010000u
#define REACH (STUB + 0x10000u)

/* The page at 0x30001000 that the stubs below know by offsets. */
struct context {
	uint64_t rsp;			/* 0x00 */
	struct { uint32_t off; uint16_t sel; uint16_t pad; } __attribute__((packed))
		enter,			/* 0x08: from 64-bit code to stub32 */
		insn,			/* 0x10: from stub32 to the instruction */
		back;			/* 0x18: from stub32 to 64-bit code */
	uint32_t eflags;		/* 0x20 */
	uint32_t ds, es;		/* 0x24 0x28 */
	uint32_t taken;			/* 0x2c */
	uint32_t eax, ecx, edx, ebx, ebp, esi, edi;	/* 0x30 ... 0x48 */
	uint32_t esp, ss;		/* 0x4c 0x50 */
	uint32_t stack, stack_ss;	/* 0x54 0x58 */
};

static struct context *const ctx = (struct context *)0x30001000ul;
static struct native_run *current;

void native_enter(void);
extern const uint8_t native_stub[], native_fall[], native_taken[], native_back[], native_end[];

__asm__(
"	.text\n"
"native_enter:\n"
"	push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
"	mov %rsp, 0x30001000\n"
"	mov $0x30010000, %esp\n"
"	mov $0x2b, %eax\n"
"	mov %eax, %gs\n"
"	ljmpl *0x30001008\n"
"	.code32\n"
"native_stub:\n"
"	pushl %gs:0x30001020; popfl\n"
"	movw %gs:0x30001024, %ds\n"
"	movw %gs:0x30001028, %es\n"
"	movl %gs:0x30001030, %eax\n"
"	movl %gs:0x30001034, %ecx\n"
"	movl %gs:0x30001038, %edx\n"
"	movl %gs:0x3000103c, %ebx\n"
"	movl %gs:0x30001040, %ebp\n"
"	movl %gs:0x30001044, %esi\n"
"	movl %gs:0x30001048, %edi\n"
"	lssl %gs:0x3000104c, %esp\n"
"	ljmpl *%gs:0x30001010\n"
"native_fall:\n"
"	movl $0, %gs:0x3000102c\n"
"	jmp 1f\n"
"native_taken:\n"
"	movl $1, %gs:0x3000102c\n"
"1:	movl %eax, %gs:0x30001030\n"
"	movl %ecx, %gs:0x30001034\n"
"	movl %edx, %gs:0x30001038\n"
"	movl %ebx, %gs:0x3000103c\n"
"	movl %ebp, %gs:0x30001040\n"
"	movl %esi, %gs:0x30001044\n"
"	movl %edi, %gs:0x30001048\n"
"	movl %esp, %gs:0x3000104c\n"
"	lssl %gs:0x30001054, %esp\n"
"	pushfl; popl %gs:0x30001020\n"
"	cld\n"
"	ljmpl *%gs:0x30001018\n"
"	.code64\n"
"native_back:\n"
"	mov 0x30001000, %rsp\n"
"	pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
"	ret\n"
"native_end:\n"
);

static uint32_t stub_address(const uint8_t *label)
{
	return STUB + (uint32_t)(label - native_stub);
}

/* Takes the registers out of the fault and leaves the instruction for good. */
static void on_fault(int sig, siginfo_t *info, void *arg)
{
	greg_t *g = ((ucontext_t *)arg)->uc_mcontext.gregs;
	struct native_run *r = current;

	(void)info;
	if (!r) {
		signal(sig, SIG_DFL);
		return;
	}
	r->fault.vector = (uint16_t)g[REG_TRAPNO];
	r->fault.error = (uint32_t)g[REG_ERR];
	r->fault.cr2 = (uint32_t)g[REG_CR2];
	r->fault_eip = (uint32_t)g[REG_RIP];
	ctx->eflags = (uint32_t)g[REG_EFL];
	ctx->eax = (uint32_t)g[REG_RAX];
	ctx->ecx = (uint32_t)g[REG_RCX];
	ctx->edx = (uint32_t)g[REG_RDX];
	ctx->ebx = (uint32_t)g[REG_RBX];
	ctx->ebp = (uint32_t)g[REG_RBP];
	ctx->esi = (uint32_t)g[REG_RSI];
	ctx->edi = (uint32_t)g[REG_RDI];
	ctx->esp = (uint32_t)g[REG_RSP];
	g[REG_RIP] = stub_address(native_back);
	g[REG_EFL] &= ~(greg_t)(FL_DF | FL_RF);
	/* CS, GS, FS, SS, 16 bits each */
	g[REG_CSGSFS] = (greg_t)(0x0033u | 0x002bull << 48);
}

static bool make_segment(unsigned n, uint32_t base, uint32_t limit, bool is32, unsigned contents,
			 bool readonly)
{
	struct user_desc d = {
		.entry_number = n, .base_addr = base, .limit = limit, .seg_32bit = is32,
		.contents = contents & 3, .read_exec_only = readonly,
	};

	return syscall(SYS_modify_ldt, 1, &d, sizeof(d)) == 0;
}

static bool map(uint32_t at, uint32_t size, int prot)
{
	void *p = (void *)(uintptr_t)at;

	return mmap(p, size, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == p;
}

static bool make_memory(void)
{
	uint8_t *data = (uint8_t *)(uintptr_t)NATIVE_DATA;

	if (!map(STUB, REACH - STUB, PROT_READ | PROT_WRITE | PROT_EXEC) ||
	    !map(NATIVE_DATA, NATIVE_DATA_SIZE, PROT_READ | PROT_WRITE))
		return false;
	return !mprotect(data + NATIVE_PAGE_NONE * PAGE_SIZE, PAGE_SIZE, PROT_NONE) &&
	       !mprotect(data + NATIVE_PAGE_RO * PAGE_SIZE, PAGE_SIZE, PROT_READ);
}

static bool catch_faults(void)
{
	static const int signals[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP };
	static uint8_t stack[65536];
	stack_t ss = { .ss_sp = stack, .ss_size = sizeof(stack) };
	struct sigaction sa = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	size_t i;

	for (i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		if (sigaction(signals[i], &sa, NULL))
			return false;
	return !sigaltstack(&ss, NULL);
}

bool native_start(void)
{
	if (!make_memory() || !catch_faults() ||
	    !make_segment(0, NATIVE_CODE, 0xffff, false, 2, false) ||
	    !make_segment(1, NATIVE_DATA, 0xffff, false, 0, false) ||
	    !make_segment(2, NATIVE_DATA, 0x7fff, true, 0, false) ||
	    !make_segment(3, NATIVE_DATA, 0x7fff, true, 1, false) ||
	    !make_segment(4, NATIVE_DATA, 0xffff, true, 0, true))
		return false;
	memcpy((void *)(uintptr_t)STUB, native_stub, (size_t)(native_end - native_stub));
	ctx->enter.off = STUB;
	ctx->enter.sel = NATIVE_CS32;
	ctx->back.off = stub_address(native_back);
	ctx->back.sel = 0x33;
	ctx->stack = STACK;
	ctx->stack_ss = NATIVE_DS32;
	return true;
}

/* A far jump to a stub, for 16- or 32-bit code. */
static void put_exit(uint8_t *p, bool is16, const uint8_t *label)
{
	uint32_t to = stub_address(label);
	uint16_t sel = NATIVE_CS32;

	if (is16)
		*p++ = 0x66;
	*p++ = 0xea;
	memcpy(p, &to, 4);
	memcpy(p + 4, &sel, 2);
}

void native_exec(struct native_run *r, const uint8_t *insn, unsigned len)
{
	uint8_t *code = (uint8_t *)(uintptr_t)NATIVE_CODE;
	bool is16 = r->cs == NATIVE_CS16;

	memcpy(code + NATIVE_AT, insn, len);
	put_exit(code + NATIVE_AT + len, is16, native_fall);
	put_exit(code + NATIVE_TAKEN, is16, native_taken);
	ctx->insn.off = is16 ? NATIVE_AT : NATIVE_CODE + NATIVE_AT;
	ctx->insn.sel = r->cs;
	ctx->eflags = r->eflags | FL_FIXED | FL_IF;
	ctx->ds = r->ds;
	ctx->es = r->es;
	ctx->ss = r->ss;
	ctx->eax = r->gpr[R_EAX];
	ctx->ecx = r->gpr[R_ECX];
	ctx->edx = r->gpr[R_EDX];
	ctx->ebx = r->gpr[R_EBX];
	ctx->esp = r->gpr[R_ESP];
	ctx->ebp = r->gpr[R_EBP];
	ctx->esi = r->gpr[R_ESI];
	ctx->edi = r->gpr[R_EDI];
	r->fault = (struct fault){ .vector = VEC_NONE };
	current = r;
	native_enter();
	current = NULL;
	memcpy(r->gpr, (uint32_t[R_COUNT]){ ctx->eax, ctx->ecx, ctx->edx, ctx->ebx, ctx->esp,
					    ctx->ebp, ctx->esi, ctx->edi }, sizeof(r->gpr));
	r->eflags = ctx->eflags;
	r->taken = ctx->taken;
}
