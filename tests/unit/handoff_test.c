/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What only the `handoff` engine has: the guest thread that adds mappings by itself, and
 * state of the FPU that is known without asking.
 */
#include "hostos/linux/engines.h"
#include "hostos/linux/handoff_engine.h"

#include "code32.h"
#include "layout.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define RAM_SIZE 0x800000u
#define CODE 0x08048000u
#define CODE_OFF 0x1000u		/* in RAM */
#define DATA 0x40000000u
#define DATA_OFF 0x100000u
/* Guest RAM that the space has not been given. */
#define SECRET 0x50000000u
#define SECRET_OFF 0x200000u

static struct host_ram ram;
static struct host_cpu *hc;
static struct engine *eng;
static struct uspace *us;
static struct user_regs regs;
static struct user_event ev;

static struct uspace *new_space(void)
{
	struct uspace *u = uspace_create(eng);

	ck_assert_ptr_nonnull(u);
	uspace_map(u, CODE, CODE_OFF, PAGE_SIZE, HP_R | HP_X, true);
	uspace_map(u, DATA, DATA_OFF, PAGE_SIZE, HP_R | HP_W, true);
	return u;
}

static void start_at(uint32_t eip)
{
	int i;

	memset(&regs, 0, sizeof regs);
	for (i = 0; i < S_COUNT; i++)
		regs.sel[i] = i == S_CS ? HOST_CS32 : i >= S_FS ? 0 : HOST_DS32;
	regs.eip = eip;
	regs.eflags = FL_FIXED | FL_IF;
	regs.gpr[R_ESP] = DATA + PAGE_SIZE;
}

static void setup(void)
{
	struct host_cpus others = { { 0 } };
	struct error e = { 0, "" };

	ck_assert_msg(!host_ram_create(&ram, RAM_SIZE, &e) && !host_cpu_create(&hc, &e) &&
		      !host_pin(-1, &others, &e) &&
		      !engine_create(&eng, "handoff", hc, &ram, &others, &e), "%s", e.text);
	us = new_space();
}

static void teardown(void)
{
	uspace_destroy(us);
	engine_destroy(eng);
	host_cpu_destroy(hc);
	host_ram_destroy(&ram);
}

static struct ho_space *space(void)
{
	return (struct ho_space *)us;
}

static uint32_t *word(uint32_t off)
{
	return (uint32_t *)(ram.base + off);
}

/* mov (%eax),%ebx; int $0x80 */
static const uint8_t load[] = { 0x8b, 0x18, 0xcd, 0x80 };

/* Through all kicks; their number. */
static unsigned load_from(uint32_t va)
{
	unsigned kicks = 0;

	memcpy(ram.base + CODE_OFF, load, sizeof load);
	start_at(CODE);
	regs.gpr[R_EAX] = va;
	for (;; kicks++) {
		uspace_run(us, &regs, &ev);
		if (ev.kind != UE_KICK)
			return kicks;
		hc->kick = 0;
	}
}

/* ---- additions ---- */

START_TEST(additions_need_no_mapper)
{
	uint64_t before;
	unsigned i;

	load_from(DATA);
	ck_assert_int_eq(ev.kind, UE_INT80);
	before = engine_stats(eng)->batches;
	for (i = 0; i < 100; i++) {
		uspace_map(us, SECRET + i * PAGE_SIZE, SECRET_OFF + i * PAGE_SIZE, PAGE_SIZE, HP_R, true);
		*word(SECRET_OFF + i * PAGE_SIZE) = 1000 + i;
		load_from(SECRET + i * PAGE_SIZE);
		ck_assert_int_eq(ev.kind, UE_INT80);
		ck_assert_uint_eq(regs.gpr[R_EBX], 1000 + i);
	}
	ck_assert_uint_eq(engine_stats(eng)->batches, before);
	/* What takes something away does. */
	uspace_unmap(us, SECRET, PAGE_SIZE);
	load_from(SECRET);
	ck_assert_int_eq(ev.kind, UE_TRAP);
	ck_assert_uint_eq(engine_stats(eng)->batches, before + 1);
}
END_TEST

/* In the order in which they were asked for. */
START_TEST(additions_among_others)
{
	uspace_map(us, SECRET, SECRET_OFF, PAGE_SIZE, HP_R, true);
	uspace_unmap(us, SECRET, PAGE_SIZE);
	load_from(SECRET);
	ck_assert_int_eq(ev.kind, UE_TRAP);
	ck_assert_uint_eq(ev.vector, VEC_PF);
	uspace_unmap(us, SECRET, PAGE_SIZE);
	uspace_map(us, SECRET, SECRET_OFF, PAGE_SIZE, HP_R, true);
	load_from(SECRET);
	ck_assert_int_eq(ev.kind, UE_INT80);
}
END_TEST

/* Kicks at any moment: each addition is made, none is made after it was revoked. */
START_TEST(additions_and_kicks)
{
	unsigned i, kicks = 0;

	for (i = 0; i < 3000; i++) {
		uint32_t va = SECRET + i % 64 * 2 * PAGE_SIZE;

		*word(SECRET_OFF) = i;
		uspace_map(us, va, SECRET_OFF, PAGE_SIZE, HP_R, true);
		uspace_map(us, va + PAGE_SIZE, DATA_OFF, PAGE_SIZE, HP_R, true);
		host_timer_set(hc, host_now() + i % 97 * 500);
		kicks += load_from(va);
		host_timer_set(hc, 0);
		hc->kick = 0;
		ck_assert_int_eq(ev.kind, UE_INT80);
		ck_assert_uint_eq(regs.gpr[R_EBX], i);
		uspace_unmap(us, va, 2 * PAGE_SIZE);
		if (i % 16)
			continue;
		load_from(va);
		ck_assert_int_eq(ev.kind, UE_TRAP);
	}
	ck_assert_uint_gt(kicks, 10);
}
END_TEST

/* ---- user code that makes the stub's system call ---- */

/* In 64-bit mode, at CODE + 7: mmap(SECRET, PAGE_SIZE, 7, flags, fd, offset), by a jump to
 * the stub's system call (the address is at DATA), with r14 from DATA + 8; the last one
 * with TF set.  What would come next: mov SECRET,%eax; mov %eax,DATA+16. */
extern const uint8_t forge[], forge_trap[], forge_end[];
__asm__(".pushsection .rodata\n"
	".macro ARGUMENTS\n"
	"	movl $0x50000000, %edi\n"
	"	movl $0x1000, %esi\n"
	"	movl $7, %edx\n"
	"	movl $0x8011, %r10d\n"
	"	movl $3, %r8d\n"
	"	movl $0x200000, %r9d\n"
	"	movl 0x40000008, %r14d\n"
	"	movl $9, %eax\n"
	".endm\n"
	"forge:\n"
	"	.byte 0xea; .long 0x08048007; .short 0x33\n"
	"	ARGUMENTS\n"
	"	jmp *0x40000000\n"
	"forge_trap:\n"
	"	.byte 0xea; .long 0x08048007; .short 0x33\n"
	"	ARGUMENTS\n"
	"	movl $0x40000800, %esp\n"
	"	pushq $0x2b\n"
	"	pushq $0x40000800\n"
	"	pushq $0x102\n"
	"	pushq $0x33\n"
	"	pushq 0x40000000\n"
	"	iretq\n"
	"forge_end:\n"
	".purgem ARGUMENTS\n"
	".popsection");
_Static_assert(HO_ADD_FLAGS == 0x8011 && SYS_mmap == 9, "as in the code above");

static void run_forge(const uint8_t *code, const uint8_t *end, uint32_t index)
{
	const uint64_t syscall_at = HO_AT(ho_add_made) - 2;

	load_from(DATA);		/* what is queued is done */
	memcpy(ram.base + CODE_OFF, code, end - code);
	memcpy(ram.base + DATA_OFF, &syscall_at, sizeof syscall_at);
	*word(DATA_OFF + 8) = index;
	start_at(CODE);
	uspace_run(us, &regs, &ev);
	/* It is found out, gets #GP, and its process is no more. */
	ck_assert_int_eq(ev.kind, UE_TRAP);
	ck_assert_uint_eq(ev.vector, VEC_GP);
	ck_assert(ev.in_64bit);
	uspace_run(us, &regs, &ev);
	ck_assert_int_eq(ev.kind, UE_DEAD);
	ck_assert(space()->reaped);
	/* The next one has nothing of it. */
	uspace_destroy(us);
	us = new_space();
	load_from(SECRET);
	ck_assert_int_eq(ev.kind, UE_TRAP);
	ck_assert_uint_eq(ev.vector, VEC_PF);
}

START_TEST(forged_addition)
{
	static const uint32_t indices[] = { 0, 1, HO_MAX_OPS, 0x4000000, 0xffffffff };
	size_t i;

	for (i = 0; i < sizeof indices / sizeof *indices; i++) {
		run_forge(forge, forge_trap, indices[i]);
		run_forge(forge_trap, forge_end, indices[i]);
	}
}
END_TEST

/* With a list of its own that is just being carried out, it gets no further. */
START_TEST(forged_while_adding)
{
	unsigned i;

	for (i = 0; i < 4; i++)
		uspace_map(us, SECRET + (1 + i) * PAGE_SIZE, SECRET_OFF + (1 + i) * PAGE_SIZE,
			   PAGE_SIZE, HP_R, true);
	run_forge(forge, forge_trap, 1);
}
END_TEST

/* ---- the FPU ---- */

/* movups %xmm0,(%eax); addps %xmm0,%xmm0, then what ends the run. */
static void check_fpu(const uint8_t *end, size_t n, enum user_event_kind kind)
{
	static const uint8_t twice[] = { 0x0f, 0x11, 0x00, 0x0f, 0x58, 0xc0 };
	struct fpu_image img;
	float v[4] = { 1, 2, 3, 4 };
	uint32_t go;

	ck_assert(uspace_fpu_get(us, &img));
	memcpy(img.bytes + 160, v, sizeof v);
	ck_assert(uspace_fpu_set(us, &img));
	memcpy(ram.base + CODE_OFF, twice, sizeof twice);
	memcpy(ram.base + CODE_OFF + sizeof twice, end, n);
	start_at(CODE);
	regs.gpr[R_EAX] = DATA;
	uspace_run(us, &regs, &ev);
	ck_assert_int_eq(ev.kind, kind);
	memcpy(v, ram.base + DATA_OFF, sizeof v);
	ck_assert(v[0] == 1 && v[3] == 4);
	/* No hand-over for that: */
	go = space()->go;
	ck_assert(uspace_fpu_get(us, &img));
	ck_assert_uint_eq(space()->go, go);
	memcpy(v, img.bytes + 160, sizeof v);
	ck_assert(v[0] == 2 && v[3] == 8);
}

START_TEST(fpu_after_a_signal)
{
	static const uint8_t int80[] = { 0xcd, 0x80 }, ud2[] = { 0x0f, 0x0b };

	check_fpu(int80, sizeof int80, UE_INT80);
	check_fpu(ud2, sizeof ud2, UE_TRAP);
}
END_TEST

START_TEST(fpu_at_the_gate)
{
	/* ljmp $HOST_CS64,$CHILD_GATE */
	uint8_t jump[ENGINE_GATE_JUMP] = { 0xea };
	static const uint8_t page[PAGE_SIZE];

	memcpy(jump + 1, &(uint32_t){ CHILD_GATE }, 4);
	memcpy(jump + 5, &(uint16_t){ HOST_CS64 }, 2);
	engine_gate_set(eng, page, 0);
	uspace_gate_map(us, SECRET);
	check_fpu(jump, sizeof jump, UE_GATE);
}
END_TEST

static Suite *handoff_suite(void)
{
	Suite *s = suite_create("handoff");
	TCase *tc = tcase_create("handoff");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 20);
	tcase_add_test(tc, additions_need_no_mapper);
	tcase_add_test(tc, additions_among_others);
	tcase_add_test(tc, additions_and_kicks);
	tcase_add_test(tc, forged_addition);
	tcase_add_test(tc, forged_while_adding);
	tcase_add_test(tc, fpu_after_a_signal);
	tcase_add_test(tc, fpu_at_the_gate);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	SRunner *sr;
	int failed;

	if (!code32_runs("the handoff engine"))
		return EXIT_SKIPPED;
	sr = srunner_create(handoff_suite());
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
