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

SNIPPET(load_ds, "", "movl %eax, %ds",
	"movl %ds, %eax\n\tpushl %ss\n\tpopl %ds\n\tmovl %eax, seg_seen");
SNIPPET(load_es, "", "movl %eax, %es", "movl %es, %eax\n\tmovl %eax, seg_seen");
SNIPPET(load_fs, "", "movl %eax, %fs", "movl %fs, %eax\n\tmovl %eax, seg_seen");
SNIPPET(load_gs, "", "movl %eax, %gs", "movl %gs, %eax\n\tmovl %eax, seg_seen");
SNIPPET(load_ss, "", "movl %eax, %ss", "");
SNIPPET(pop_es, "pushl %eax", "popl %es", "movl %es, %eax\n\tmovl %eax, seg_seen");
SNIPPET(far_les, "movl %eax, seg_pointer + 4", "lesl seg_pointer, %ecx",
	"movl %es, %eax\n\tmovl %eax, seg_seen");
uint32_t seg_seen;
/* Offset and selector of a far pointer. */
uint32_t seg_pointer[2];

struct load_case {
	const char *name;
	const char *code, *at;
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
		t = snippet_run(c->code, sel);
		if (!may_load(sel)) {
			expect_fault(&t, c->at, GP, sel & ~3u, sel);
			continue;
		}
		CHECK(t.sig == 0, "selector 0x%x: signal %d, trap %u error 0x%x", sel, t.sig,
		      t.trapno, t.err);
		CHECK((uint16_t)seg_seen == sel, "selector 0x%x reads back as 0x%x", sel, seg_seen);
	}
}

static const struct load_case load_cases[] = {
	{ "mov ds", load_ds, load_ds_at, false }, { "mov es", load_es, load_es_at, false },
	{ "mov fs", load_fs, load_fs_at, false }, { "mov gs", load_gs, load_gs_at, false },
	{ "pop es", pop_es, pop_es_at, false }, { "les", far_les, far_les_at, false },
	{ "mov ds", load_ds, load_ds_at, true }, { "mov es", load_es, load_es_at, true },
	{ "mov fs", load_fs, load_fs_at, true }, { "mov gs", load_gs, load_gs_at, true },
	{ "pop es", pop_es, pop_es_at, true }, { "les", far_les, far_les_at, true },
};

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
		t = snippet_run(load_ss, bad[i]);
		expect_fault(&t, load_ss_at, GP, bad[i] & ~3u, bad[i]);
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
	CHECK(t.sig == 0 && (uint16_t)seg_seen == USER_CS,
	      "es is 0x%x after sched_yield, wanted 0x73", seg_seen);
}

/* Far transfers to the selector in %eax. */
SNIPPET(far_jmp, "movl %eax, seg_pointer + 4\n\tmovl $far_jmp_next, seg_pointer",
	"ljmp *seg_pointer", "");
SNIPPET(far_call,
	"movl %eax, seg_pointer + 4\n\tmovl $far_call_at2, seg_pointer\n\tjmp far_call_at",
	"lcall *seg_pointer", "ret\nfar_call_at2: lret");
SNIPPET(far_ret, "pushl %eax\n\tpushl $far_ret_next", "lret", "");
SNIPPET(far_iret, "pushfl\n\tpushl %eax\n\tpushl $far_iret_next", "iret", "");

/* The same with an immediate pointer, which no data segment can stop. */
SNIPPET(jmp_73, "", "ljmp $0x73, $jmp_73_next", "");
SNIPPET(jmp_23, "", "ljmp $0x23, $jmp_23_next", "");
SNIPPET(jmp_2b, "", "ljmp $0x2b, $jmp_2b_next", "");
SNIPPET(jmp_33, "", "ljmp $0x33, $jmp_33_next", "");
SNIPPET(jmp_7b, "", "ljmp $0x7b, $jmp_7b_next", "");
SNIPPET(call_73, "jmp call_73_at\n1:\tlret", "lcall $0x73, $1b", "");
SNIPPET(call_23, "jmp call_23_at\n1:\tlret", "lcall $0x23, $1b", "");
SNIPPET(call_33, "jmp call_33_at\n1:\tlret", "lcall $0x33, $1b", "");

static const struct far_case {
	const char *name;
	const char *code, *at;
} far_cases[] = {
	{ "ljmp", far_jmp, far_jmp_at }, { "lcall", far_call, far_call_at },
	{ "lret", far_ret, far_ret_at }, { "iret", far_iret, far_iret_at },
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

/* What an x86-64 Linux host has there: 0x23 its 32-bit code segment, 0x33 its
 * 64-bit one, 0x2b data, 0x63 and 0x6b TLS. */
static void check_far_host(const void *arg)
{
	static const uint16_t bad[] = { 0x23, 0x2b, 0x33, 0x63, 0x6b };
	const struct far_case *c = arg;

	if (kernel_is_64bit())
		test_skip("a 64-bit kernel has another descriptor table");
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct trap t = snippet_run(c->code, bad[i]);

		expect_fault(&t, c->at, GP, bad[i] & ~3u, bad[i]);
	}
}

static const struct immediate_case {
	const char *name;
	const char *code, *at;
	uint32_t sel;
} immediate_cases[] = {
	{ "ljmp $0x73", jmp_73, jmp_73_at, 0x73 }, { "ljmp $0x23", jmp_23, jmp_23_at, 0x23 },
	{ "ljmp $0x2b", jmp_2b, jmp_2b_at, 0x2b }, { "ljmp $0x33", jmp_33, jmp_33_at, 0x33 },
	{ "ljmp $0x7b", jmp_7b, jmp_7b_at, 0x7b }, { "lcall $0x73", call_73, call_73_at, 0x73 },
	{ "lcall $0x23", call_23, call_23_at, 0x23 }, { "lcall $0x33", call_33, call_33_at, 0x33 },
};

static void check_immediate(const void *arg)
{
	const struct immediate_case *c = arg;
	struct trap t;

	if (kernel_is_64bit())
		test_skip("a 64-bit kernel has another descriptor table");
	t = snippet_run(c->code, 0);
	if (c->sel == USER_CS)
		CHECK(t.sig == 0, "signal %d, trap %u error 0x%x", t.sig, t.trapno, t.err);
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
