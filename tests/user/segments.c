/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Segment registers: selectors that may and may not be loaded, far transfers,
 * segments of the LDT and of the TLS entries.  Expectations are those of Linux
 * on i386, whose GDT gives user mode the null selectors, the TLS entries 6..8
 * while set, code 0x73 and data 0x7b; kernels after 6.1 also 0xe3, for getcpu
 * (arch/x86/include/asm/segment.h).
 */
#define _GNU_SOURCE
#include "harness.h"
#include "trap.h"

#include <asm/ldt.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

enum { USER_CS = 0x73, USER_DS = 0x7b, GETCPU = 0xe0 };
/* Traps of the segment machinery (SDM 3, table 6-1). */
enum { NP = 11, SS_FAULT = 12, GP = 13 };

/* sched_yield: the kernel runs. */
#define YIELD "movl $158, %eax\n\tint $0x80\n\t"
/* A snippet, and one that enters the kernel after the load. */
#define LOAD(id, before, load, after)							\
	SNIPPET(id, before, load, after);						\
	SNIPPET(id##_yield, before, load, YIELD after)

LOAD(load_ds, "", "movl %eax, %ds",
     "movl %ds, %eax\n\tpushl %ss\n\tpopl %ds\n\tmovl %eax, seg_seen");
LOAD(load_es, "", "movl %eax, %es", "movl %es, %eax\n\tmovl %eax, seg_seen");
LOAD(load_fs, "", "movl %eax, %fs", "movl %fs, %eax\n\tmovl %eax, seg_seen");
LOAD(load_gs, "", "movl %eax, %gs", "movl %gs, %eax\n\tmovl %eax, seg_seen");
LOAD(load_ss, "", "movl %eax, %ss", "");
LOAD(pop_es, "pushl %eax", "popl %es", "movl %es, %eax\n\tmovl %eax, seg_seen");
LOAD(far_les, "movl %eax, seg_pointer + 4", "lesl seg_pointer, %ecx",
     "movl %es, %eax\n\tmovl %eax, seg_seen");
uint32_t seg_seen;
/* Offset and selector of a far pointer. */
uint32_t seg_pointer[2];

struct load_case {
	const char *name;
	const char *code, *at;
	const char *yield, *yield_at;
	bool host_range;
};

/* The table entries that an x86-64 Linux kernel gives to user mode: selectors
 * that an emulator on such a host cannot let the processor judge. */
static bool is_host_entry(uint32_t sel)
{
	uint32_t index = sel >> 3;

	return !(sel & 4) && ((index >= 4 && index <= 6) || (index >= 12 && index <= 15));
}

/* Entry 6 is glibc's thread pointer. */
static bool may_load(uint32_t sel)
{
	uint32_t index = sel >> 3;

	return sel < 4 || (!(sel & 4) && (index == 6 || index == 14 || index == 15));
}

static void expect_fault(const struct trap *t, const char *at, uint32_t trapno, uint32_t err,
			 uint32_t sel)
{
	int sig = trapno == GP ? SIGSEGV : SIGBUS;

	CHECK(t->sig == sig, "selector 0x%x: signal %d, wanted %d", sel, t->sig, sig);
	CHECK(t->trapno == trapno && t->err == err,
	      "selector 0x%x: trap %u error 0x%x, wanted %u 0x%x", sel, t->trapno, t->err, trapno,
	      err);
	CHECK(t->gregs[REG_EIP] == (uint32_t)(uintptr_t)at, "selector 0x%x: eip 0x%x, wanted 0x%x",
	      sel, t->gregs[REG_EIP], (uint32_t)(uintptr_t)at);
	CHECK(t->code == SI_KERNEL && t->addr == 0, "selector 0x%x: si_code %d si_addr 0x%x", sel,
	      t->code, t->addr);
}

/* In LilyVM a segment register may read back with RPL 3 and the LDT bit. */
static bool reads_back(uint32_t seen, uint32_t sel)
{
	uint32_t alias = cpu_is_lilyvm() && sel > 3 ? 7 : 0;

	return ((uint16_t)seen | alias) == (sel | alias);
}

/*
 * LilyVM runs user code on an x86-64 host's processor, which finds its own
 * table entries (code 0x23 and 0x33, data 0x2b) and, in the LDT, the guest's
 * (entries 6, 14 and 15 here).  A load of one of them that the guest would
 * refuse is seen when user code stops next, which is where the fault is then.
 */
static bool seen_late(uint32_t sel)
{
	uint32_t index = sel >> 3;

	if (!cpu_is_lilyvm())
		return false;
	if (sel & 4)
		return (sel & 3) != 3 && (index == 6 || index == 14 || index == 15);
	return index >= 4 && index <= 6;
}

/* A selector that LilyVM itself shows for a segment of the GDT. */
static bool is_alias(uint32_t sel)
{
	return cpu_is_lilyvm() && sel > 7 && (sel & 7) == 7 && may_load(sel & ~4u);
}

static void expect_late_fault(const struct trap *t, const char *at, uint32_t sel)
{
	uint32_t behind = t->gregs[REG_EIP] - (uint32_t)(uintptr_t)at;

	CHECK(t->sig == SIGSEGV && t->trapno == GP && t->err == (sel & ~3u),
	      "selector 0x%x: signal %d trap %u error 0x%x", sel, t->sig, t->trapno, t->err);
	CHECK(behind < 32, "selector 0x%x: eip 0x%x, wanted 0x%x or soon after it", sel,
	      t->gregs[REG_EIP], (uint32_t)(uintptr_t)at);
}

static void check_loads(const void *arg)
{
	const struct load_case *c = arg;

	if (kernel_is_64bit())
		test_skip("a 64-bit kernel has another descriptor table");
	for (uint32_t sel = 0; sel <= 0xff; sel++) {
		struct trap t;

		if (is_host_entry(sel) != c->host_range || (sel & ~3u) == GETCPU)
			continue;
		seg_seen = 0xffffffff;
		if (!may_load(sel) && seen_late(sel)) {
			t = snippet_run(c->yield, sel);
			expect_late_fault(&t, c->yield_at, sel);
			continue;
		}
		t = snippet_run(c->code, sel);
		if (!may_load(sel) && !is_alias(sel)) {
			expect_fault(&t, c->at, GP, sel & ~3u, sel);
			continue;
		}
		CHECK(t.sig == 0, "selector 0x%x: signal %d, trap %u error 0x%x", sel, t.sig,
		      t.trapno, t.err);
		CHECK(reads_back(seg_seen, sel), "selector 0x%x reads back as 0x%x", sel, seg_seen);
	}
}

#define LOAD_CASE(name, id, host) { name, id, id##_at, id##_yield, id##_yield_at, host }
#define LOAD_CASES(host)								\
	LOAD_CASE("mov ds", load_ds, host), LOAD_CASE("mov es", load_es, host),		\
	LOAD_CASE("mov fs", load_fs, host), LOAD_CASE("mov gs", load_gs, host),		\
	LOAD_CASE("pop es", pop_es, host), LOAD_CASE("les", far_les, host)
static const struct load_case load_cases[] = { LOAD_CASES(false), LOAD_CASES(true) };

/* SS needs a writable data segment of DPL 3 and RPL 3. */
static void check_ss(const void *arg)
{
	static const uint16_t bad[] = { 0, 3, 0x10, 0x23, 0x2b, 0x60, 0x68, USER_CS, 0x78, 0x7a,
					0x7f, 0xe3, 0xf8 };
	struct trap t;

	(void)arg;
	if (kernel_is_64bit())
		test_skip("a 64-bit kernel has another descriptor table");
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (seen_late(bad[i])) {
			t = snippet_run(load_ss_yield, bad[i]);
			expect_late_fault(&t, load_ss_yield_at, bad[i]);
		} else if (!is_alias(bad[i])) {
			t = snippet_run(load_ss, bad[i]);
			expect_fault(&t, load_ss_at, GP, bad[i] & ~3u, bad[i]);
		}
	}
	t = snippet_run(load_ss, USER_DS);
	CHECK(t.sig == 0, "selector 0x7b: signal %d", t.sig);
}

/* A null selector loads, and faults when it is used. */
SNIPPET(use_null_ds, "pushl %ds\n\txorl %ecx, %ecx\n\tmovl %ecx, %es", "movl %es:(%eax), %ecx",
	"popl %ds");
SNIPPET(use_null_gs, "xorl %ecx, %ecx\n\tmovl %ecx, %gs", "movl %ecx, %gs:0", "");
/* A selector, null or not, is kept over system calls. */
SNIPPET(keep_es, "movl %eax, %es\n\tmovl $158, %eax", "int $0x80",
	"movl %es, %eax\n\tmovl %eax, seg_seen");

static void check_null_use(const void *arg)
{
	struct trap t;

	(void)arg;
	if (cpu_is_tcg())
		test_skip("QEMU's TCG lets null selectors be used");
	t = snippet_run(use_null_ds, (uint32_t)(uintptr_t)&seg_seen);
	CHECK(t.sig == SIGSEGV && t.trapno == GP && t.err == 0, "es: signal %d trap %u error 0x%x",
	      t.sig, t.trapno, t.err);
	t = snippet_run(use_null_gs, 0);
	CHECK(t.sig == SIGSEGV && t.trapno == GP && t.err == 0, "gs: signal %d trap %u error 0x%x",
	      t.sig, t.trapno, t.err);
}

static void check_kept(const void *arg)
{
	struct trap t;

	(void)arg;
	t = snippet_run(keep_es, 0);
	CHECK(t.sig == 0 && (uint16_t)seg_seen == 0, "es is 0x%x after sched_yield", seg_seen);
	if (kernel_is_64bit())
		return;
	t = snippet_run(keep_es, USER_CS);
	CHECK(t.sig == 0 && reads_back(seg_seen, USER_CS),
	      "es is 0x%x after sched_yield, wanted 0x73", seg_seen);
}

/* Far transfers to the selector in %eax; as above, one that only goes back and
 * one that enters the kernel first. */
#define FAR_JMP(id, after)								\
	SNIPPET(id, "movl %eax, seg_pointer + 4\n\tmovl $" #id "_next, seg_pointer",	\
		"ljmp *seg_pointer", after)
#define FAR_CALL(id, after)								\
	SNIPPET(id, "movl %eax, seg_pointer + 4\n\tmovl $" #id "_to, seg_pointer\n\t"	\
		"jmp " #id "_at", "lcall *seg_pointer", "ret\n" #id "_to: " after "lret")
#define FAR_RET(id, after)								\
	SNIPPET(id, "pushl %eax\n\tpushl $" #id "_next", "lret", after)
#define FAR_IRET(id, after)								\
	SNIPPET(id, "pushfl\n\tpushl %eax\n\tpushl $" #id "_next", "iret", after)
FAR_JMP(far_jmp, "");
FAR_JMP(far_jmp_yield, YIELD);
FAR_CALL(far_call, "");
FAR_CALL(far_call_yield, YIELD);
FAR_RET(far_ret, "");
FAR_RET(far_ret_yield, YIELD);
FAR_IRET(far_iret, "");
FAR_IRET(far_iret_yield, YIELD);

/* The same with an immediate pointer, which no data segment can stop. */
#define JMP(sel)									\
	SNIPPET(jmp_##sel, "", "ljmp $0x" #sel ", $jmp_" #sel "_next", "");		\
	SNIPPET(jmp_##sel##_yield, "", "ljmp $0x" #sel ", $jmp_" #sel "_yield_next", YIELD)
#define CALL(sel)									\
	SNIPPET(call_##sel, "", "lcall $0x" #sel ", $1f", "ret\n1:\tlret");		\
	SNIPPET(call_##sel##_yield, "", "lcall $0x" #sel ", $1f", "ret\n1:\t" YIELD "lret")
JMP(73);
JMP(23);
JMP(2b);
JMP(33);
JMP(7b);
CALL(73);
CALL(23);
CALL(33);

static const struct far_case {
	const char *name;
	const char *code, *at;
	const char *yield, *yield_at;
} far_cases[] = {
#define FAR_CASE(name, id) { name, id, id##_at, id##_yield, id##_yield_at }
	FAR_CASE("ljmp", far_jmp), FAR_CASE("lcall", far_call), FAR_CASE("lret", far_ret),
	FAR_CASE("iret", far_iret),
};

static void check_far(const void *arg)
{
	static const uint16_t bad[] = { 0, 3, 7, 0x0f, 0x1b, 0x27, 0x3b, 0x43, USER_DS, 0x83, 0xf3,
					0xff, 0x10b };
	const struct far_case *c = arg;
	struct trap t;

	if (kernel_is_64bit())
		test_skip("a 64-bit kernel has another descriptor table");
	t = snippet_run(c->code, USER_CS);
	CHECK(t.sig == 0, "selector 0x73: signal %d, trap %u error 0x%x", t.sig, t.trapno, t.err);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		t = snippet_run(c->code, bad[i]);
		expect_fault(&t, c->at, GP, bad[i] & ~3u, bad[i]);
	}
}

/* To a code segment that an x86-64 host has, and the guest has not. */
static bool runs_on(uint32_t sel)
{
	return cpu_is_lilyvm() && (sel == 0x23 || sel == 0x33);
}

/* What an x86-64 Linux host has there: 0x23 its 32-bit code segment, 0x33 its
 * 64-bit one, 0x2b data, 0x63 and 0x6b TLS. */
static void check_far_host(const void *arg)
{
	static const uint16_t bad[] = { 0x23, 0x2b, 0x33, 0x63, 0x6b };
	const struct far_case *c = arg;

	if (kernel_is_64bit())
		test_skip("a 64-bit kernel has another descriptor table");
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct trap t;

		if (runs_on(bad[i])) {
			t = snippet_run(c->yield, bad[i]);
			expect_late_fault(&t, c->yield_at, bad[i]);
			continue;
		}
		t = snippet_run(c->code, bad[i]);
		expect_fault(&t, c->at, GP, bad[i] & ~3u, bad[i]);
	}
}

static const struct immediate_case {
	const char *name;
	const char *code, *at;
	const char *yield, *yield_at;
	uint32_t sel;
} immediate_cases[] = {
#define IMMEDIATE_CASE(name, id, sel) { name, id, id##_at, id##_yield, id##_yield_at, sel }
	IMMEDIATE_CASE("ljmp $0x73", jmp_73, 0x73), IMMEDIATE_CASE("ljmp $0x23", jmp_23, 0x23),
	IMMEDIATE_CASE("ljmp $0x2b", jmp_2b, 0x2b), IMMEDIATE_CASE("ljmp $0x33", jmp_33, 0x33),
	IMMEDIATE_CASE("ljmp $0x7b", jmp_7b, 0x7b), IMMEDIATE_CASE("lcall $0x73", call_73, 0x73),
	IMMEDIATE_CASE("lcall $0x23", call_23, 0x23), IMMEDIATE_CASE("lcall $0x33", call_33, 0x33),
};

static void check_immediate(const void *arg)
{
	const struct immediate_case *c = arg;
	struct trap t;

	if (kernel_is_64bit())
		test_skip("a 64-bit kernel has another descriptor table");
	t = snippet_run(runs_on(c->sel) ? c->yield : c->code, 0);
	if (c->sel == USER_CS)
		CHECK(t.sig == 0, "signal %d, trap %u error 0x%x", t.sig, t.trapno, t.err);
	else if (runs_on(c->sel))
		expect_late_fault(&t, c->yield_at, c->sel);
	else
		expect_fault(&t, c->at, GP, c->sel & ~3u, c->sel);
}

/* lret and iret to an inner ring. */
static void check_inner(const void *arg)
{
	static const uint16_t bad[] = { 0x60, 0x70, 0x71, 0x72 };

	(void)arg;
	if (kernel_is_64bit())
		test_skip("a 64-bit kernel has another descriptor table");
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct trap t = snippet_run(far_ret, bad[i]);

		expect_fault(&t, far_ret_at, GP, bad[i] & ~3u, bad[i]);
		t = snippet_run(far_iret, bad[i]);
		expect_fault(&t, far_iret_at, GP, bad[i] & ~3u, bad[i]);
	}
}

/* iret from user mode: flags that user mode may set, IF and IOPL unchanged. */
SNIPPET(iret_flags, "pushl %eax\n\tpushl %cs\n\tpushl $iret_flags_next", "iret",
	"pushfl\n\tpopl seg_seen\n\tcld");

static void check_iret_flags(const void *arg)
{
	struct trap t = snippet_run(iret_flags, 0x3cd5);

	(void)arg;
	CHECK(t.sig == 0, "signal %d", t.sig);
	CHECK((seg_seen & 0x3fd7) == 0xed7, "flags 0x%x, wanted 0xed7 (IF kept, IOPL 0)", seg_seen);
}

static int set_ldt(unsigned entry, uint32_t base, uint32_t limit, unsigned contents, bool pages,
		   bool present, bool readonly)
{
	struct user_desc d = {
		.entry_number = entry, .base_addr = base, .limit = limit, .seg_32bit = 1,
		.contents = contents, .limit_in_pages = pages, .seg_not_present = !present,
		.read_exec_only = readonly,
	};

	return (int)syscall(SYS_modify_ldt, 0x11, &d, sizeof(d));
}

#define LDT_SEL(entry) ((entry) * 8u + 7)

/* Accesses at %eax through the segment seg_sel in %gs. */
uint32_t seg_sel;
SNIPPET(gs_read, "movl seg_sel, %ecx\n\tmovl %ecx, %gs", "movl %gs:(%eax), %ecx",
	"movl %ecx, seg_seen");
SNIPPET(gs_write, "movl seg_sel, %ecx\n\tmovl %ecx, %gs", "movl $0x1234, %gs:(%eax)", "");

static uint32_t ldt_words[1024];

static void need_ldt(void)
{
	if (set_ldt(0, (uint32_t)(uintptr_t)ldt_words, 4095, MODIFY_LDT_CONTENTS_DATA, false, true,
		    false))
		test_skip("no modify_ldt");
}

static void check_ldt_base(const void *arg)
{
	struct trap t;

	(void)arg;
	need_ldt();
	seg_sel = LDT_SEL(0);
	ldt_words[3] = 0xabcd1234;
	t = snippet_run(gs_read, 12);
	CHECK(t.sig == 0 && seg_seen == 0xabcd1234, "signal %d trap %u, read 0x%x", t.sig, t.trapno,
	      seg_seen);
	t = snippet_run(gs_write, 16);
	CHECK(t.sig == 0 && ldt_words[4] == 0x1234, "signal %d, wrote 0x%x", t.sig, ldt_words[4]);
	/* A change of a descriptor takes effect when the selector is loaded again. */
	SYS(set_ldt(0, (uint32_t)(uintptr_t)(ldt_words + 1), 4095, MODIFY_LDT_CONTENTS_DATA, false,
		    true, false));
	t = snippet_run(gs_read, 8);
	CHECK(t.sig == 0 && seg_seen == 0xabcd1234, "signal %d, read 0x%x", t.sig, seg_seen);
}

static void check_ldt_limit(const void *arg)
{
	struct trap t;

	(void)arg;
	need_ldt();
	SYS(set_ldt(1, (uint32_t)(uintptr_t)ldt_words, 99, MODIFY_LDT_CONTENTS_DATA, false, true,
		    false));
	seg_sel = LDT_SEL(1);
	t = snippet_run(gs_read, 96);
	CHECK(t.sig == 0, "the last word: signal %d", t.sig);
	if (cpu_is_tcg())
		test_skip("QEMU's TCG does not check segment limits");
	for (uint32_t off = 97; off < 200; off += 50) {
		t = snippet_run(gs_read, off);
		expect_fault(&t, gs_read_at, GP, 0, seg_sel);
	}
	t = snippet_run(gs_write, 0xfffffffc);
	expect_fault(&t, gs_write_at, GP, 0, seg_sel);
}

static void check_ldt_types(const void *arg)
{
	struct trap t;

	(void)arg;
	need_ldt();
	SYS(set_ldt(2, (uint32_t)(uintptr_t)ldt_words, 4095, MODIFY_LDT_CONTENTS_DATA, false, true,
		    true));
	seg_sel = LDT_SEL(2);
	t = snippet_run(gs_read, 0);
	CHECK(t.sig == 0, "read of a read-only segment: signal %d", t.sig);
	t = snippet_run(load_ss, seg_sel);
	expect_fault(&t, load_ss_at, GP, seg_sel & ~3u, seg_sel);
	SYS(set_ldt(3, 0, 0xfffff, MODIFY_LDT_CONTENTS_DATA, true, false, false));
	t = snippet_run(load_es, LDT_SEL(3));
	expect_fault(&t, load_es_at, NP, LDT_SEL(3) & ~3u, LDT_SEL(3));
	t = snippet_run(load_ss, LDT_SEL(3));
	expect_fault(&t, load_ss_at, SS_FAULT, LDT_SEL(3) & ~3u, LDT_SEL(3));
	t = snippet_run(load_es, LDT_SEL(9));
	expect_fault(&t, load_es_at, GP, LDT_SEL(9) & ~3u, LDT_SEL(9));
	if (cpu_is_tcg())
		test_skip("QEMU's TCG does not check the type on an access");
	seg_sel = LDT_SEL(2);
	t = snippet_run(gs_write, 0);
	expect_fault(&t, gs_write_at, GP, 0, seg_sel);
}

/* Code in a segment with a base: a far call into it and back. */
static void check_ldt_code(const void *arg)
{
	/* mov $42,%eax; lret */
	static const uint8_t code[] = { 0xb8, 42, 0, 0, 0, 0xcb };
	uint8_t *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint32_t result;

	(void)arg;
	SYS((intptr_t)page);
	need_ldt();
	memcpy(page + 16, code, sizeof(code));
	SYS(set_ldt(4, (uint32_t)(uintptr_t)page, 4095, MODIFY_LDT_CONTENTS_CODE, false, true,
		    false));
	seg_pointer[0] = 16;
	seg_pointer[1] = LDT_SEL(4);
	__asm__ volatile("lcall *seg_pointer" : "=a"(result) : : "memory", "cc");
	CHECK(result == 42, "the far call gave %u", result);
}

/* Every process has its own LDT; fork copies it, exec drops it. */
static void check_ldt_fork(const void *arg)
{
	struct trap t;
	pid_t pid;

	(void)arg;
	need_ldt();
	seg_sel = LDT_SEL(0);
	ldt_words[0] = 5;
	pid = (pid_t)SYS(fork());
	if (pid == 0) {
		t = snippet_run(gs_read, 0);
		CHECK(t.sig == 0 && seg_seen == 5, "child: signal %d, read %u", t.sig, seg_seen);
		SYS(set_ldt(0, (uint32_t)(uintptr_t)(ldt_words + 8), 4095, MODIFY_LDT_CONTENTS_DATA,
			    false, true, false));
		ldt_words[8] = 6;
		t = snippet_run(gs_read, 0);
		CHECK(t.sig == 0 && seg_seen == 6, "child, changed: signal %d, read %u", t.sig,
		      seg_seen);
		_exit(0);
	}
	wait_ok(pid);
	t = snippet_run(gs_read, 0);
	CHECK(t.sig == 0 && seg_seen == 5, "parent: signal %d, read %u", t.sig, seg_seen);
}

/* set_thread_area: entries 6..8 of the GDT, per thread. */
static void check_thread_area(const void *arg)
{
	struct user_desc d = {
		.entry_number = (unsigned)-1, .base_addr = (uint32_t)(uintptr_t)ldt_words,
		.limit = 0xfffff, .seg_32bit = 1, .limit_in_pages = 1, .useable = 1,
	};
	struct user_desc got;
	struct trap t;

	(void)arg;
	SYS(syscall(SYS_set_thread_area, &d));
	if (!kernel_is_64bit())
		CHECK(d.entry_number == 7, "entry %u, wanted 7", d.entry_number);
	seg_sel = d.entry_number * 8 + 3;
	ldt_words[7] = 77;
	for (int i = 0; i < 100; i++) {
		t = snippet_run(gs_read, 28);
		CHECK(t.sig == 0 && seg_seen == 77, "signal %d, read %u", t.sig, seg_seen);
		if (i % 10 == 0)
			SYS(usleep(1000));
	}
	got = (struct user_desc){ .entry_number = d.entry_number };
	SYS(syscall(SYS_get_thread_area, &got));
	CHECK(got.base_addr == d.base_addr, "base 0x%x, wanted 0x%x", got.base_addr, d.base_addr);
	/* An emptied entry can no longer be loaded. */
	d = (struct user_desc){ .entry_number = d.entry_number, .read_exec_only = 1,
				.seg_not_present = 1 };
	SYS(syscall(SYS_set_thread_area, &d));
	t = snippet_run(load_fs, seg_sel);
	CHECK(t.sig == SIGSEGV && t.trapno == GP, "an empty entry: signal %d trap %u", t.sig,
	      t.trapno);
}

void test_segments(void)
{
	char name[96];

	for (unsigned i = 0; i < sizeof(load_cases) / sizeof(load_cases[0]); i++) {
		snprintf(name, sizeof(name), "segment: %s, selectors 0..0xff%s", load_cases[i].name,
			 load_cases[i].host_range ? ", those of an x86-64 host" : "");
		run(name, check_loads, &load_cases[i]);
	}
	run("segment: mov ss", check_ss, NULL);
	run("segment: null selectors in use", check_null_use, NULL);
	run("segment: es over a system call", check_kept, NULL);
	for (unsigned i = 0; i < sizeof(far_cases) / sizeof(far_cases[0]); i++) {
		snprintf(name, sizeof(name), "segment: %s to good and bad selectors",
			 far_cases[i].name);
		run(name, check_far, &far_cases[i]);
		snprintf(name, sizeof(name), "segment: %s to selectors of an x86-64 host",
			 far_cases[i].name);
		run(name, check_far_host, &far_cases[i]);
	}
	for (unsigned i = 0; i < sizeof(immediate_cases) / sizeof(immediate_cases[0]); i++) {
		snprintf(name, sizeof(name), "segment: %s", immediate_cases[i].name);
		run(name, check_immediate, &immediate_cases[i]);
	}
	run("segment: lret and iret to an inner ring", check_inner, NULL);
	run("segment: flags by iret", check_iret_flags, NULL);
	run("segment: LDT base", check_ldt_base, NULL);
	run("segment: LDT limit", check_ldt_limit, NULL);
	run("segment: LDT types", check_ldt_types, NULL);
	run("segment: LDT code", check_ldt_code, NULL);
	run("segment: LDT over fork", check_ldt_fork, NULL);
	run("segment: set_thread_area", check_thread_area, NULL);
}
