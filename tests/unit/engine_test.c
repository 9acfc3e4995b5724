/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The user-mode engines of this host, alone: real code in real user spaces.  Every test
 * is run on each engine.
 */
#include "hostos/engine.h"

#include "code32.h"
#include "layout.h"

#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define RAM_SIZE 0x800000u
#define CODE 0x08048000u
#define CODE_OFF 0x1000u		/* in RAM */
#define DATA 0x40000000u
#define DATA_OFF 0x100000u
#define RWX (HP_R | HP_W | HP_X)

static struct host_ram ram;
static struct host_cpu *hc;
static struct engine *eng;
static struct uspace *us;
static struct user_regs regs;
static struct user_event ev;
static bool intel;
/* The engine that is tested. */
static const char *engine_name;

/* With a page of code and a page of data. */
static struct uspace *new_space(void)
{
	struct uspace *u = uspace_create(eng);

	ck_assert_ptr_nonnull(u);
	uspace_map(u, CODE, CODE_OFF, PAGE_SIZE, HP_R | HP_X, true);
	uspace_map(u, DATA, DATA_OFF, PAGE_SIZE, RWX, true);
	return u;
}

static void setup(void)
{
	struct host_cpus others = { { 0 } };
	struct error e = { 0, "" };
	uint32_t r[4];
	int i;

	ck_assert_msg(!host_ram_create(&ram, RAM_SIZE, &e) && !host_cpu_create(&hc, &e) &&
		      !host_pin(-1, &others, &e) &&
		      !engine_create(&eng, engine_name, hc, &ram, &others, &e), "%s", e.text);
	ck_assert_str_eq(eng->ops->name, engine_name);
	/* Also where cpuid faults from here on. */
	host_cpuid(0, 0, r);
	intel = r[1] == 0x756e6547;		/* "Genu" */
	us = new_space();
	memset(&regs, 0, sizeof regs);
	for (i = 0; i < S_COUNT; i++)
		regs.sel[i] = i == S_CS ? HOST_CS32 : i >= S_FS ? 0 : HOST_DS32;
	regs.eip = CODE;
	regs.eflags = FL_FIXED | FL_IF;
	regs.gpr[R_EAX] = DATA;
	regs.gpr[R_ESP] = DATA + PAGE_SIZE;
}

/* Nothing of the engine is left, not even a zombie. */
static void teardown(void)
{
	uspace_destroy(us);
	engine_destroy(eng);
	ck_assert_int_eq(waitpid(-1, NULL, __WALL | WNOHANG), -1);
	ck_assert_int_eq(errno, ECHILD);
	host_cpu_destroy(hc);
	host_ram_destroy(&ram);
}

static void code(const uint8_t *bytes, size_t n)
{
	memcpy(ram.base + CODE_OFF, bytes, n);
}

static void run(struct uspace *u)
{
	uspace_run(u, &regs, &ev);
}

#define RUN(...) \
	do { \
		static const uint8_t code_[] = { __VA_ARGS__ }; \
		code(code_, sizeof code_); \
		run(us); \
	} while (0)

static uint32_t *word(uint32_t off)
{
	return (uint32_t *)(ram.base + off);
}

static void check_trap(unsigned vector, uint32_t eip)
{
	ck_assert_int_eq(ev.kind, UE_TRAP);
	ck_assert_uint_eq(ev.vector, vector);
	ck_assert_uint_eq(regs.eip, CODE + eip);
}

/* ---- events ---- */

START_TEST(int80)
{
	/* Nothing that the host would do: exit_group(7) */
	regs.gpr[R_EBX] = 7;
	RUN(0xb8, 252, 0, 0, 0, 0xcd, 0x80);
	ck_assert_int_eq(ev.kind, UE_INT80);
	ck_assert_uint_eq(regs.gpr[R_EAX], 252);
	ck_assert_uint_eq(regs.gpr[R_EBX], 7);
	ck_assert_uint_eq(regs.eip, CODE + 7);
	/* And on from there, at full width. */
	regs.eip = CODE;
	regs.gpr[R_EDI] = 0xfedcba98;
	run(us);
	ck_assert_int_eq(ev.kind, UE_INT80);
	ck_assert_uint_eq(regs.gpr[R_EDI], 0xfedcba98);
}
END_TEST

START_TEST(sysenter)
{
	if (!intel)
		return;		/* in compatibility mode only Intel has it */
	regs.gpr[R_EBP] = DATA + 0x123;
	RUN(0xb8, 20, 0, 0, 0, 0x0f, 0x34);
	ck_assert_int_eq(ev.kind, UE_SYSENTER);
	ck_assert_uint_eq(regs.gpr[R_EAX], 20);
	ck_assert_uint_eq(regs.gpr[R_EBP], DATA + 0x123);
}
END_TEST

static const struct { uint8_t bytes[4]; unsigned vector; uint32_t eip; } traps[] = {
	{ { 0x0f, 0x0b }, VEC_UD, 0 },			/* ud2 */
	{ { 0x31, 0xd2, 0xf7, 0xf2 }, VEC_DE, 2 },	/* xor %edx,%edx; div %edx */
	{ { 0xcc }, VEC_BP, 1 },			/* int3 */
	{ { 0xf4 }, VEC_GP, 0 },			/* hlt */
	{ { 0xfa }, VEC_GP, 0 },			/* cli */
	{ { 0xe4, 0x21 }, VEC_GP, 0 },			/* in $0x21,%al */
	{ { 0x0f, 0x20, 0xc0 }, VEC_GP, 0 },		/* mov %cr0,%eax */
	{ { 0xcd, 0x20 }, VEC_GP, 0 },			/* int $0x20 */
	{ { 0x90, 0x0f, 0x30 }, VEC_GP, 1 },		/* nop; wrmsr */
};

START_TEST(exceptions)
{
	code(traps[_i].bytes, sizeof traps[_i].bytes);
	run(us);
	check_trap(traps[_i].vector, traps[_i].eip);
}
END_TEST

START_TEST(single_step)
{
	regs.eflags |= FL_TF;
	RUN(0x40, 0x40, 0x40);		/* inc %eax */
	check_trap(VEC_DB, 1);
	run(us);
	check_trap(VEC_DB, 2);
	ck_assert_uint_eq(uspace_debug_status(us) & 0x400f, 0x4000);
	ck_assert_uint_eq(regs.gpr[R_EAX], DATA + 2);
}
END_TEST

/* int1 is a #DB that no bit of DR6 explains. */
START_TEST(int1)
{
	RUN(0xf1);
	ck_assert_int_eq(ev.kind, UE_TRAP);
	ck_assert_uint_eq(ev.vector, VEC_DB);
	if (eng->ops->exact)
		ck_assert_uint_eq(uspace_debug_status(us) & 0x400f, 0);
}
END_TEST

START_TEST(breakpoint)
{
	const uint32_t dr[8] = { [0] = CODE + 2, [6] = 0xffff0ff0, [7] = 0x401 };

	if (!uspace_debug_set(us, dr))
		return;
	RUN(0x40, 0x40, 0x40, 0xcc);
	check_trap(VEC_DB, 2);
	ck_assert_uint_eq(uspace_debug_status(us) & 1, 1);
}
END_TEST

START_TEST(rdtsc_traps_on_demand)
{
	RUN(0x0f, 0x31, 0xcd, 0x80);
	ck_assert_int_eq(ev.kind, UE_INT80);
	hc->tsc_traps = true;
	regs.eip = CODE;
	run(us);
	check_trap(VEC_GP, 0);
	hc->tsc_traps = false;
	run(us);
	ck_assert_int_eq(ev.kind, UE_INT80);
}
END_TEST

/* A far jump to 64-bit mode gains nothing: its system calls are not the host's. */
START_TEST(jump_to_64_bit_mode)
{
	/* ljmp $0x33,$CODE+7; mov $60,%eax; syscall */
	RUN(0xea, 0x07, 0x80, 0x04, 0x08, 0x33, 0x00, 0xb8, 60, 0, 0, 0, 0x0f, 0x05);
	ck_assert(ev.in_64bit);
	ck_assert_int_eq(ev.kind, UE_SYSCALL64);
	ck_assert_uint_eq(regs.sel[S_CS], HOST_CS64);
	/* Nor does what lies above 4 GiB: mov $CHILD_CONTROL,%rax; mov %eax,(%rax) */
	regs.eip = CODE;
	regs.sel[S_CS] = HOST_CS32;
	RUN(0xea, 0x07, 0x80, 0x04, 0x08, 0x33, 0x00, 0x48, 0xb8, 0x00, 0x10, 0x00, 0x00, 0x02, 0x00, 0x00,
	    0x00, 0x89, 0x00);
	ck_assert_int_eq(ev.kind, UE_TRAP);
	ck_assert_uint_eq(ev.vector, VEC_PF);
	ck_assert(ev.in_64bit);
}
END_TEST

/* ---- memory ---- */

static const uint8_t store[] = { 0x89, 0x18, 0xcd, 0x80 };	/* mov %ebx,(%eax); int $0x80 */
static const uint8_t load[] = { 0x8b, 0x18, 0xcd, 0x80 };

static void do_access(const uint8_t *bytes, uint32_t a)
{
	code(bytes, 4);
	regs.eip = CODE;
	regs.gpr[R_EAX] = a;
	run(us);
}

static void check_fault(uint32_t a, uint32_t error)
{
	check_trap(VEC_PF, 0);
	ck_assert_uint_eq(ev.cr2, a);
	ck_assert_uint_eq(ev.error & PF_P, error & PF_P);
	if (eng->ops->exact)
		ck_assert_uint_eq(ev.error, error | PF_U);
}

START_TEST(store_and_load)
{
	regs.gpr[R_EBX] = 0xcafe0001;
	do_access(store, DATA + 8);
	ck_assert_int_eq(ev.kind, UE_INT80);
	ck_assert_uint_eq(*word(DATA_OFF + 8), 0xcafe0001);
	*word(DATA_OFF + 8) = 0xcafe0002;
	do_access(load, DATA + 8);
	ck_assert_uint_eq(regs.gpr[R_EBX], 0xcafe0002);
}
END_TEST

START_TEST(faults)
{
	do_access(load, DATA + PAGE_SIZE);
	check_fault(DATA + PAGE_SIZE, 0);
	do_access(load, 0);
	check_fault(0, 0);
	do_access(store, 0xfffffff0);
	check_fault(0xfffffff0, PF_W);
	/* The monitor's code, the vdso and the stub are not here. */
	do_access(store, CODE);
	check_fault(CODE, PF_P | PF_W);
	regs.eip = DATA + 2 * PAGE_SIZE;
	run(us);
	ck_assert_uint_eq(ev.vector, VEC_PF);
	ck_assert_uint_eq(ev.cr2, DATA + 2 * PAGE_SIZE);
	ck_assert_uint_eq(regs.eip, DATA + 2 * PAGE_SIZE);
}
END_TEST

START_TEST(protect_and_unmap)
{
	uspace_protect(us, DATA, PAGE_SIZE, HP_R);
	do_access(store, DATA);
	check_fault(DATA, PF_P | PF_W);
	do_access(load, DATA);
	ck_assert_int_eq(ev.kind, UE_INT80);
	uspace_protect(us, DATA, PAGE_SIZE, RWX);
	do_access(store, DATA);
	ck_assert_int_eq(ev.kind, UE_INT80);
	uspace_unmap(us, DATA, PAGE_SIZE);
	do_access(load, DATA);
	check_fault(DATA, 0);
	/* Replaced by other memory. */
	uspace_map(us, DATA, DATA_OFF + 0x5000, PAGE_SIZE, HP_R, false);
	*word(DATA_OFF + 0x5000) = 0x5555;
	do_access(load, DATA);
	ck_assert_uint_eq(regs.gpr[R_EBX], 0x5555);
}
END_TEST

/* More changes than the control pages hold at a time. */
START_TEST(large_batches)
{
	enum { N = 700 };
	unsigned i;

	for (i = 0; i < N; i++) {
		*word(DATA_OFF + i * PAGE_SIZE) = i;
		uspace_map(us, DATA + 2 * i * PAGE_SIZE, DATA_OFF + i * PAGE_SIZE, PAGE_SIZE, HP_R, true);
	}
	for (i = 0; i < N; i += 50) {
		do_access(load, DATA + 2 * i * PAGE_SIZE);
		ck_assert_int_eq(ev.kind, UE_INT80);
		ck_assert_uint_eq(regs.gpr[R_EBX], i);
	}
	do_access(load, DATA + 2 * (N - 1) * PAGE_SIZE);
	ck_assert_uint_eq(regs.gpr[R_EBX], N - 1);
	uspace_unmap(us, DATA, 2ull * N * PAGE_SIZE);
	do_access(load, DATA + 2 * (N - 1) * PAGE_SIZE);
	check_fault(DATA + 2 * (N - 1) * PAGE_SIZE, 0);
	ck_assert_uint_ge(engine_stats(eng)->ops, N + 1);
	ck_assert_uint_le(engine_stats(eng)->batches, 10);
}
END_TEST

/* All of the low 4 GiB but its first pages is the guest's. */
START_TEST(ends_of_the_address_space)
{
	static const uint32_t ends[] = { 0x10000, 0xc0000000, 0xfffff000 };
	unsigned i;

	for (i = 0; i < 3; i++) {
		uspace_map(us, ends[i], DATA_OFF, PAGE_SIZE, RWX, true);
		regs.gpr[R_EBX] = 0x100 + i;
		do_access(store, ends[i] + 0x10);
		ck_assert_int_eq(ev.kind, UE_INT80);
		ck_assert_uint_eq(*word(DATA_OFF + 0x10), 0x100 + i);
	}
}
END_TEST

/* ---- the gate ---- */

/* A page with a way into the kernel at 0x40, as a guest's vdso has it. */
static void gate_page(void)
{
	uint8_t page[PAGE_SIZE];

	memset(page, 0x90, sizeof page);
	memcpy(page + 0x40, (const uint8_t[]){ 0x51, 0x52, 0x55, 0x89, 0xe5, 0x0f, 0x34, 0xcd,
					       0x80, 0x41, 0xcd, 0x80 }, 12);
	engine_gate_set(eng, page, 0x40);
	uspace_gate_map(us, DATA + PAGE_SIZE);
	regs.eip = DATA + PAGE_SIZE + 0x40;
	regs.gpr[R_EBX] = 0xbbbbbbbb;
	regs.gpr[R_EBP] = 0xfffffffe;
	regs.gpr[R_EDI] = 0x80000000;
	regs.eflags |= FL_CF | FL_DF;
}

static void check_gate(const struct user_regs *before)
{
	ck_assert_int_eq(ev.kind, UE_GATE);
	ck_assert_mem_eq(regs.gpr, before->gpr, sizeof regs.gpr);
	ck_assert_mem_eq(regs.sel, before->sel, sizeof regs.sel);
	ck_assert_uint_eq(regs.eflags & ~FL_RF, before->eflags);
	ck_assert_uint_eq(regs.eip, before->eip);
}

START_TEST(gate)
{
	struct user_regs before;
	unsigned i;

	if (!engine_has_gate(eng))
		return;
	gate_page();
	for (i = 0; i < 100; i++) {
		before = regs;
		run(us);
		check_gate(&before);
	}
	/* What lies behind the jump is as it was. */
	regs.eip += ENGINE_GATE_JUMP;
	run(us);
	ck_assert_int_eq(ev.kind, UE_INT80);
	run(us);
	ck_assert_int_eq(ev.kind, UE_INT80);
	ck_assert_uint_eq(regs.gpr[R_ECX], before.gpr[R_ECX] + 1);
}
END_TEST

/* By a single step, or when the gate's own page is gone: the same, and not 64-bit code. */
START_TEST(gate_stepped)
{
	struct user_regs before;

	if (!engine_has_gate(eng))
		return;
	gate_page();
	regs.eflags |= FL_TF;
	before = regs;
	run(us);
	check_gate(&before);
	regs.eflags = before.eflags &= ~FL_TF;
	uspace_unmap(us, CHILD_GATE, PAGE_SIZE);
	run(us);
	check_gate(&before);
}
END_TEST

/* The guest user code that jumps to the gate's page as 32-bit code faults there. */
START_TEST(gate_is_no_32_bit_code)
{
	if (!engine_has_gate(eng))
		return;
	gate_page();
	regs.eip = CHILD_GATE;
	run(us);
	ck_assert_int_eq(ev.kind, UE_TRAP);
	ck_assert_uint_eq(ev.vector, VEC_PF);
	ck_assert_uint_eq(regs.eip, CHILD_GATE);
	/* Nor is it, or the copy, writable. */
	do_access(store, CHILD_GATE);
	check_fault(CHILD_GATE, PF_P | PF_W);
	do_access(store, DATA + PAGE_SIZE);
	check_fault(DATA + PAGE_SIZE, PF_P | PF_W);
}
END_TEST

/* ---- interruption ---- */

START_TEST(interrupted_by_the_timer)
{
	host_timer_set(hc, host_now() + 10000000);
	RUN(0xeb, 0xfe);		/* 1: jmp 1b */
	ck_assert_int_eq(ev.kind, UE_KICK);
	ck_assert_uint_eq(regs.eip, CODE);
	ck_assert_uint_eq(hc->kick, 1);
}
END_TEST

/* A kick that came before is not lost. */
START_TEST(interrupted_before)
{
	host_kick(hc);
	RUN(0xeb, 0xfe);
	ck_assert_int_eq(ev.kind, UE_KICK);
	/* Nor does it count twice. */
	hc->kick = 0;
	RUN(0xcd, 0x80);
	ck_assert_int_eq(ev.kind, UE_INT80);
}
END_TEST

START_TEST(interrupted_often)
{
	unsigned kicks = 0, calls = 0, i;

	/* 1: inc %ecx; jne 1b; int $0x80: registers survive each interruption. */
	static const uint8_t loop[] = { 0x41, 0x75, 0xfd, 0xcd, 0x80 };

	code(loop, sizeof loop);
	for (i = 0; i < 20; i++) {
		regs.eip = CODE;
		regs.gpr[R_ECX] = -3000000;
		regs.gpr[R_ESI] = i;
		do {
			hc->kick = 0;
			host_timer_set(hc, host_now() + 100000);
			run(us);
			kicks += ev.kind == UE_KICK;
		} while (ev.kind == UE_KICK);
		ck_assert_int_eq(ev.kind, UE_INT80);
		ck_assert_uint_eq(regs.gpr[R_ECX], 0);
		ck_assert_uint_eq(regs.gpr[R_ESI], i);
		calls++;
	}
	ck_assert_uint_eq(calls, 20);
	ck_assert_uint_gt(kicks, 0);
}
END_TEST

/* ---- registers ---- */

START_TEST(fpu)
{
	struct fpu_image img;
	float v[4];

	ck_assert(uspace_fpu_get(us, &img));
	memcpy(img.bytes + 160, (const float[4]){ 1, 2, 3, 4 }, 16);		/* xmm0 */
	ck_assert(uspace_fpu_set(us, &img));
	RUN(0x0f, 0x11, 0x00, 0x0f, 0x58, 0xc0, 0xcd, 0x80);	/* movups %xmm0,(%eax); addps %xmm0,%xmm0 */
	ck_assert_int_eq(ev.kind, UE_INT80);
	memcpy(v, ram.base + DATA_OFF, 16);
	ck_assert(v[0] == 1 && v[3] == 4);
	ck_assert(uspace_fpu_get(us, &img));
	memcpy(v, img.bytes + 160, 16);
	ck_assert(v[0] == 2 && v[3] == 8);
	/* Set and not yet used: */
	memcpy(img.bytes + 160, (const float[4]){ 5, 6, 7, 8 }, 16);
	ck_assert(uspace_fpu_set(us, &img));
	ck_assert(uspace_fpu_get(us, &img));
	memcpy(v, img.bytes + 160, 16);
	ck_assert(v[0] == 5 && v[3] == 8);
	/* x87: fld1 */
	regs.eip = CODE;
	RUN(0xd9, 0xe8, 0xcd, 0x80);
	ck_assert(uspace_fpu_get(us, &img));
	ck_assert_uint_eq(img.bytes[32 + 9], 0x3f);
	ck_assert_uint_eq(img.bytes[32 + 7], 0x80);
}
END_TEST

START_TEST(ldt)
{
	const struct segment s = { 0, SEG_P | SEG_DPL | SEG_S | 3 | SEG_DB, DATA + 0x100, 0xff };

	*word(DATA_OFF + 0x110) = 0x1d7;
	uspace_ldt_set(us, 6, &s);
	regs.sel[S_GS] = 6 * 8 + 7;
	regs.gsbase = s.base;
	RUN(0x65, 0x8b, 0x1d, 0x10, 0, 0, 0, 0xcd, 0x80);	/* mov %gs:0x10,%ebx */
	ck_assert_int_eq(ev.kind, UE_INT80);
	ck_assert_uint_eq(regs.gpr[R_EBX], 0x1d7);
	ck_assert_uint_eq(regs.sel[S_GS], 6 * 8 + 7);
	/* Emptied: it cannot be loaded any more. */
	uspace_ldt_set(us, 6, NULL);
	regs.eip = CODE;
	regs.sel[S_GS] = 0;
	regs.gpr[R_EAX] = 6 * 8 + 7;
	RUN(0x8e, 0xe8, 0xcd, 0x80);		/* mov %eax,%gs */
	check_trap(VEC_GP, 0);
}
END_TEST

START_TEST(beyond_the_limit)
{
	const struct segment s = { 0, SEG_P | SEG_DPL | SEG_S | 3 | SEG_DB, DATA + 0x100, 0xff };

	uspace_ldt_set(us, 6, &s);
	regs.sel[S_GS] = 6 * 8 + 7;
	regs.gsbase = s.base;
	RUN(0x65, 0x8b, 0x1d, 0xfd, 0, 0, 0, 0xcd, 0x80);	/* mov %gs:0xfd,%ebx */
	check_trap(VEC_GP, 0);
}
END_TEST

START_TEST(code_segment_of_the_ldt)
{
	const struct segment s = { 0, SEG_P | SEG_DPL | SEG_S | 0xb | SEG_DB | SEG_G, 0, 0xffffffff };

	uspace_ldt_set(us, 3, &s);
	regs.sel[S_CS] = 3 * 8 + 7;
	RUN(0x8c, 0xcb, 0xcd, 0x80);		/* mov %cs,%ebx */
	ck_assert_int_eq(ev.kind, UE_INT80);
	ck_assert_uint_eq(regs.gpr[R_EBX], 3 * 8 + 7);
}
END_TEST

/* ---- several ---- */

START_TEST(spaces_are_separate)
{
	struct uspace *two = new_space();

	/* Changes of both, queued in turn. */
	uspace_map(us, DATA, DATA_OFF + 0x1000, PAGE_SIZE, RWX, false);
	uspace_map(two, DATA, DATA_OFF + 0x2000, PAGE_SIZE, RWX, false);
	uspace_map(us, DATA + 0x1000, DATA_OFF + 0x3000, PAGE_SIZE, RWX, true);
	*word(DATA_OFF + 0x1000) = 1;
	*word(DATA_OFF + 0x2000) = 2;
	code(load, sizeof load);
	regs.gpr[R_EAX] = DATA;
	run(us);
	ck_assert_uint_eq(regs.gpr[R_EBX], 1);
	regs.eip = CODE;
	run(two);
	ck_assert_uint_eq(regs.gpr[R_EBX], 2);
	regs.eip = CODE;
	regs.gpr[R_EAX] = DATA + 0x1000;
	run(two);
	check_fault(DATA + 0x1000, 0);
	uspace_destroy(two);
	run(us);
	ck_assert_int_eq(ev.kind, UE_INT80);
}
END_TEST

START_TEST(created_and_destroyed)
{
	struct uspace *many[24];
	unsigned i, round;

	code(store, sizeof store);
	for (round = 0; round < 3; round++) {
		for (i = 0; i < 24; i++) {
			many[i] = new_space();
			uspace_map(many[i], DATA, DATA_OFF + i * PAGE_SIZE, PAGE_SIZE, RWX, false);
		}
		for (i = 0; i < 24; i++) {
			regs.eip = CODE;
			regs.gpr[R_EAX] = DATA;
			regs.gpr[R_EBX] = 100 * round + i;
			run(many[i]);
			ck_assert_int_eq(ev.kind, UE_INT80);
			ck_assert_uint_eq(*word(DATA_OFF + i * PAGE_SIZE), 100 * round + i);
		}
		for (i = 0; i < 24; i++)
			uspace_destroy(many[(i * 7) % 24]);
	}
	ck_assert_uint_eq(engine_stats(eng)->created, 1 + 3 * 24);
	ck_assert_uint_eq(engine_stats(eng)->destroyed, 3 * 24);
}
END_TEST

/* The child that was created last, as the host lists them. */
static pid_t last_child(void)
{
	char path[64];
	int pid, last = 0;
	FILE *f;

	snprintf(path, sizeof path, "/proc/self/task/%d/children", getpid());
	f = fopen(path, "r");
	while (f && fscanf(f, "%d", &pid) == 1)
		last = pid;
	if (f)
		fclose(f);
	return last;
}

START_TEST(killed_child)
{
	struct uspace *two = new_space();
	pid_t pid = last_child();

	if (pid) {
		kill(pid, SIGKILL);
		code(load, sizeof load);
		run(two);
		ck_assert_int_eq(ev.kind, UE_DEAD);
		/* What was queued for it is lost, and it stays dead. */
		uspace_map(two, DATA, DATA_OFF, PAGE_SIZE, RWX, true);
		run(two);
		ck_assert_int_eq(ev.kind, UE_DEAD);
	}
	uspace_destroy(two);
	/* The others are not touched. */
	do_access(load, DATA);
	ck_assert_int_eq(ev.kind, UE_INT80);
}
END_TEST

static TCase *tcase(const char *name)
{
	TCase *tc = tcase_create(name);

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 20);
	return tc;
}

static TCase *events(void)
{
	TCase *tc = tcase("events");

	tcase_add_test(tc, int80);
	tcase_add_test(tc, sysenter);
	tcase_add_loop_test(tc, exceptions, 0, sizeof traps / sizeof *traps);
	tcase_add_test(tc, single_step);
	tcase_add_test(tc, breakpoint);
	tcase_add_test(tc, rdtsc_traps_on_demand);
	tcase_add_test(tc, jump_to_64_bit_mode);
	tcase_add_test(tc, interrupted_by_the_timer);
	tcase_add_test(tc, interrupted_before);
	tcase_add_test(tc, interrupted_often);
	return tc;
}

static TCase *memory(void)
{
	TCase *tc = tcase("memory");

	tcase_add_test(tc, store_and_load);
	tcase_add_test(tc, faults);
	tcase_add_test(tc, protect_and_unmap);
	tcase_add_test(tc, large_batches);
	tcase_add_test(tc, ends_of_the_address_space);
	tcase_add_test(tc, gate);
	tcase_add_test(tc, gate_stepped);
	tcase_add_test(tc, gate_is_no_32_bit_code);
	return tc;
}

static TCase *spaces(void)
{
	TCase *tc = tcase("registers and spaces");

	tcase_add_test(tc, fpu);
	tcase_add_test(tc, ldt);
	tcase_add_test(tc, code_segment_of_the_ldt);
	tcase_add_test(tc, spaces_are_separate);
	tcase_add_test(tc, created_and_destroyed);
	tcase_add_test(tc, killed_child);
	return tc;
}

/* What QEMU's TCG, which emulates the host in tests/hostvm, does otherwise. */
static TCase *not_emulated(void)
{
	TCase *tc = tcase("not emulated");

	tcase_add_test(tc, int1);
	tcase_add_test(tc, beyond_the_limit);
	return tc;
}

static int test_engine(const char *name)
{
	Suite *s = suite_create(name);
	SRunner *sr;
	int failed;

	engine_name = name;
	suite_add_tcase(s, events());
	suite_add_tcase(s, memory());
	suite_add_tcase(s, spaces());
	suite_add_tcase(s, not_emulated());
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed;
}

int main(void)
{
	static const char *const names[] = { ENGINE_NAMES };
	const char *only = getenv("ENGINE");
	int failed = 0, i;

	if (!code32_runs("the engines"))
		return EXIT_SKIPPED;
	/* All but "auto". */
	for (i = 1; names[i]; i++)
		if (!only || !strcmp(only, names[i]))
			failed += test_engine(names[i]);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
