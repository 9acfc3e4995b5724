/* SPDX-License-Identifier: BSD-2-Clause */
/* The gate: which pages are a vdso's, when a child is shown the copy, what an entry by
 * it does. */
#include "machine.h"

#define VDSO 0x08100000u
#define VDSO_PA 0x00580000u
#define CODE 0x08048000u
#define CODE_PA 0x00500000u
#define STACK_TOP 0x08200000u
#define STACK_PA 0x005c0000u
#define ENTRY 0x540u
#define LEAF (PTE_P | PTE_U | PTE_A)
#define HANDLER(v) (AT_HANDLERS + 16 * (v))

#define SYSENTER_FORM { 0x51, 0x52, 0x55, 0x89, 0xe5, 0x0f, 0x34, 0xcd, 0x80, 0x5d, 0x5a, 0x59, 0xc3 }
#define INT80_FORM { 0x51, 0x52, 0x55, 0x90, 0x90, 0x90, 0x90, 0xcd, 0x80, 0x5d, 0x5a, 0x59, 0xc3 }
#define OLD_FORM { 0x51, 0x52, 0x55, 0x89, 0xe5, 0x0f, 0x34, 0x90, 0x90, 0x90, 0x90, 0x90, \
		   0x90, 0x90, 0xeb, 0xf3, 0x5d, 0x5a, 0x59, 0xc3 }

static struct vm *vm;
static struct vcpu *c;
/* What the engine was told. */
static struct engine_ops ops;
static unsigned sets, at, shows;
static uint8_t copy[PAGE_SIZE];
static uint32_t shown_at;

static void gate_set(struct engine *eng, const void *page, unsigned where)
{
	(void)eng;
	memcpy(copy, page, sizeof copy);
	sets++;
	at = where;
}

static void gate_map(struct uspace *us, uint32_t va)
{
	(void)us;
	shows++;
	shown_at = va;
}

static void put_vdso(uint8_t *page, const void *form, size_t n)
{
	memset(page, 0xcc, PAGE_SIZE);
	memcpy(page, "\177ELF", 4);
	memcpy(page + 0x200, "linux-gate.so.1", 16);
	memcpy(page + ENTRY, form, n);
}

#define VDSO_OF(page, ...) \
	do { \
		static const uint8_t form_[] = __VA_ARGS__; \
		put_vdso(page, form_, sizeof form_); \
	} while (0)

static void setup(void)
{
	vm = machine_new();
	c = &vm->cpu;
	ops = *vm->engine->ops;
	ops.gate_set = gate_set;
	ops.gate_map = gate_map;
	vm->engine->ops = &ops;
	sets = shows = 0;
	machine_paging(vm);
	machine_map(vm, c->cr3, VDSO, VDSO_PA, LEAF);
	machine_map(vm, c->cr3, CODE, CODE_PA, LEAF);
	machine_map(vm, c->cr3, STACK_TOP - PAGE_SIZE, STACK_PA, LEAF | PTE_W | PTE_D);
	machine_gate(vm, 0x80, KCS, HANDLER(0x80), 15, 3);
	c->sysenter_cs = KCS;
	c->sysenter_esp = AT_STACK;
	c->sysenter_eip = HANDLER(0x90);
	VDSO_OF(vm->ram.base + VDSO_PA, SYSENTER_FORM);
	machine_user(vm, VDSO + ENTRY, STACK_TOP - 64);
}

static void teardown(void)
{
	machine_free(vm);
}

static const struct user_event kick = { .kind = UE_KICK }, came = { .kind = UE_GATE };

static void run(struct user_event ev)
{
	machine_script(ev, NULL);
	user_run(vm);
}

/* ---- recognition ---- */

static struct gate_place place;

/* filling: what lies behind the routine. */
static bool recognized(const void *form, size_t n, const void *filling, size_t nfilling)
{
	uint8_t page[PAGE_SIZE];

	put_vdso(page, form, n);
	memcpy(page + ENTRY + n, filling, nfilling);
	return gate_recognize(page, &place);
}

static void check_place(unsigned entry, unsigned where, bool brief)
{
	ck_assert_uint_eq(place.entry, entry);
	ck_assert_uint_eq(place.at, where);
	ck_assert_int_eq(place.brief, brief);
}

START_TEST(forms)
{
	static const uint8_t sysenter[] = SYSENTER_FORM, int80[] = INT80_FORM, old[] = OLD_FORM;

	ck_assert(recognized(sysenter, sizeof sysenter, "", 0));
	check_place(ENTRY, ENTRY, false);
	ck_assert(recognized(int80, sizeof int80, "", 0));
	check_place(ENTRY, ENTRY, false);
	/* Returned to behind the nops, and restarted at the mov. */
	ck_assert(recognized(old, sizeof old, "", 0));
	check_place(ENTRY + 5, ENTRY + 5, false);
}
END_TEST

START_TEST(room_behind)
{
	static const uint8_t sysenter[] = SYSENTER_FORM;
	static const uint8_t nops[] = { 0x90, 0x90, 0x90, 0x90, 0x90, 0x8d, 0x76, 0x00, 0x58 };
	static const uint8_t one[] = { 0x8d, 0xb4, 0x26, 0x00, 0x00, 0x00, 0x00, 0x58 };
	static const uint8_t small[] = { 0x90, 0x90, 0x90, 0x8d, 0x76, 0x00, 0x58, 0x90 };

	ck_assert(recognized(sysenter, sizeof sysenter, nops, sizeof nops));
	check_place(ENTRY + 5, ENTRY + 13, true);
	ck_assert(recognized(sysenter, sizeof sysenter, one, sizeof one));
	check_place(ENTRY + 5, ENTRY + 13, true);
	ck_assert(recognized(sysenter, sizeof sysenter, small, sizeof small));
	check_place(ENTRY, ENTRY, false);
}
END_TEST

START_TEST(what_is_none)
{
	static const uint8_t short_form[] = { 0xcd, 0x80, 0xc3 };
	uint8_t page[PAGE_SIZE];

	ck_assert(!recognized(short_form, sizeof short_form, "", 0));
	VDSO_OF(page, SYSENTER_FORM);
	page[1] = 'e';
	ck_assert(!gate_recognize(page, &place));
	VDSO_OF(page, SYSENTER_FORM);
	page[0x205] = 'x';
	ck_assert(!gate_recognize(page, &place));
	/* Cut off by the page's end. */
	VDSO_OF(page, SYSENTER_FORM);
	memset(page + ENTRY, 0xcc, 16);
	memcpy(page + PAGE_SIZE - 12, (const uint8_t[])SYSENTER_FORM, 12);
	ck_assert(!gate_recognize(page, &place));
	/* The room is. */
	memset(page + PAGE_SIZE - 20, 0x90, 20);
	memcpy(page + PAGE_SIZE - 19, (const uint8_t[])SYSENTER_FORM, 13);
	ck_assert(gate_recognize(page, &place));
	check_place(PAGE_SIZE - 19, PAGE_SIZE - 19, false);
}
END_TEST

/* ---- showing ---- */

START_TEST(shown_in_children)
{
	run(kick);
	ck_assert_uint_eq(sets, 1);
	ck_assert_uint_eq(at, ENTRY);
	ck_assert_mem_eq(copy, vm->ram.base + VDSO_PA, PAGE_SIZE);
	ck_assert_uint_eq(shows, 1);
	ck_assert_uint_eq(shown_at, VDSO);
	/* Elsewhere in another address space. */
	cpu_set_cr3(vm, machine_directory(vm));
	machine_map(vm, c->cr3, CODE, VDSO_PA, LEAF);
	machine_map(vm, c->cr3, STACK_TOP - PAGE_SIZE, STACK_PA, LEAF | PTE_W | PTE_D);
	c->eip = CODE + ENTRY;
	run(kick);
	ck_assert_uint_eq(sets, 1);
	ck_assert_uint_eq(shown_at, CODE);
}
END_TEST

/* Pages that user code, or a debugger through its address space, has written. */
static const uint32_t written[] = { PTE_W, PTE_D, PTE_W | PTE_D };

START_TEST(written_pages_are_left)
{
	machine_map(vm, c->cr3, VDSO, VDSO_PA, LEAF | written[_i]);
	run(kick);
	ck_assert_uint_eq(shows, written[_i] & PTE_D ? 0 : 1);
}
END_TEST

START_TEST(changed_page)
{
	run(kick);
	machine_forget();
	vm->ram.base[VDSO_PA + 0x800]++;
	pool_flush(vm);
	c->eip = CODE;
	run(kick);
	/* Taken away before user code goes on, and found anew. */
	ck_assert_ptr_nonnull(strstr(machine_calls(), "unmap 1 08100000+1000\n"));
	c->eip = VDSO;
	run(kick);
	ck_assert_uint_eq(sets, 2);
	ck_assert_uint_eq(shows, 2);
}
END_TEST

START_TEST(changes_too_often)
{
	unsigned i;

	for (i = 0; i < 30; i++) {
		vm->ram.base[VDSO_PA + 0x800]++;
		pool_flush(vm);
		run(kick);
	}
	ck_assert_uint_lt(sets, 15);
	run(came);
	ck_assert_uint_eq(c->eip, HANDLER(VEC_GP));
}
END_TEST

/* ---- entering ---- */

START_TEST(sysenter)
{
	run(kick);
	c->gpr[R_EBP] = 0x77;
	run(came);
	ck_assert_uint_eq(c->cpl, 0);
	ck_assert_uint_eq(c->eip, HANDLER(0x90));
	ck_assert_uint_eq(c->gpr[R_ESP], AT_STACK);
	/* The user's stack, which the kernel finds by ebp. */
	ck_assert_uint_eq(c->gpr[R_EBP], STACK_TOP - 64 - 12);
	ck_assert_uint_eq(*machine_word(vm, STACK_PA + PAGE_SIZE - 64 - 12), 0x77);
	ck_assert_uint_eq(vm->stats.user_gate, 1);
	ck_assert_uint_eq(vm->stats.user_sysenter, 1);
}
END_TEST

START_TEST(int80)
{
	VDSO_OF(vm->ram.base + VDSO_PA, INT80_FORM);
	run(kick);
	run(came);
	ck_assert_uint_eq(c->cpl, 0);
	ck_assert_uint_eq(c->eip, HANDLER(0x80));
	/* Behind the instruction, where all bytes are the guest's. */
	ck_assert_uint_eq(*machine_word(vm, c->gpr[R_ESP]), VDSO + ENTRY + 9);
	ck_assert_uint_eq(*machine_word(vm, c->gpr[R_ESP] + 12), STACK_TOP - 64 - 12);
}
END_TEST

/* The stack's page is missing at the second push: eip is there, and what goes on from
 * there is interpreted, because the copy has other bytes. */
START_TEST(fault_in_between)
{
	uint32_t bottom = STACK_TOP - PAGE_SIZE;

	run(kick);
	c->gpr[R_ESP] = bottom + 4;
	run(came);
	ck_assert_uint_eq(c->eip, HANDLER(VEC_PF));
	ck_assert_uint_eq(c->cr2, bottom - 4);
	ck_assert_uint_eq(*machine_word(vm, c->gpr[R_ESP] + 4), VDSO + ENTRY + 1);
	machine_user(vm, VDSO + ENTRY + 1, bottom + PAGE_SIZE - 68);
	fake_host()->nruns = fake_host()->played;
	user_run(vm);
	ck_assert_uint_eq(c->eip, VDSO + ENTRY + 2);
	ck_assert_uint_eq(c->gpr[R_ESP], STACK_TOP - 72);
	ck_assert_uint_eq(fake_host()->played, fake_host()->nruns);
}
END_TEST

START_TEST(single_steps)
{
	run(kick);
	c->eflags |= FL_TF;
	run(came);
	ck_assert_uint_eq(c->eip, HANDLER(VEC_DB));
	ck_assert_uint_eq(*machine_word(vm, c->gpr[R_ESP]), VDSO + ENTRY + 1);
}
END_TEST

/* With room behind the routine, user code does the pushes itself. */
static void put_brief(void)
{
	memset(vm->ram.base + VDSO_PA + ENTRY + 13, 0x90, 8);
}

START_TEST(brief)
{
	put_brief();
	run(kick);
	ck_assert_uint_eq(at, ENTRY + 13);
	/* All else is the guest's. */
	ck_assert_mem_eq(copy + ENTRY + 5, ((uint8_t[]){ 0xeb, 6 }), 2);
	memcpy(copy + ENTRY + 5, ((uint8_t[]){ 0x0f, 0x34 }), 2);
	ck_assert_mem_eq(copy, vm->ram.base + VDSO_PA, PAGE_SIZE);
	c->gpr[R_EBP] = 0x77;
	run(came);
	ck_assert_uint_eq(c->cpl, 0);
	ck_assert_uint_eq(c->eip, HANDLER(0x90));
	ck_assert_uint_eq(c->gpr[R_EBP], 0x77);
	ck_assert_uint_eq(vm->stats.user_sysenter, 1);
}
END_TEST

/* Interrupted on its way, it is at the first jump; there a single step, and whatever runs in
 * between, is interpreted. */
START_TEST(brief_stopped)
{
	put_brief();
	run(kick);
	c->eip = VDSO + ENTRY + 13;
	gate_stopped(vm, vm->pool.current);
	ck_assert_uint_eq(c->eip, VDSO + ENTRY + 5);
	ck_assert(!gate_inside(vm, vm->pool.current));
	c->eflags |= FL_TF;
	ck_assert(gate_inside(vm, vm->pool.current));
	c->eflags &= ~FL_TF;
	c->eip = VDSO + ENTRY + 6;
	ck_assert(gate_inside(vm, vm->pool.current));
	c->eip = VDSO + ENTRY + 13;
	ck_assert(gate_inside(vm, vm->pool.current));
	c->eip = VDSO + ENTRY + 19;
	ck_assert(gate_inside(vm, vm->pool.current));
	c->eip = VDSO + ENTRY + 7;
	ck_assert(!gate_inside(vm, vm->pool.current));
	gate_stopped(vm, vm->pool.current);
	ck_assert_uint_eq(c->eip, VDSO + ENTRY + 7);
}
END_TEST

/* User code can claim to have come through a gate that it does not have. */
START_TEST(no_gate)
{
	c->eip = CODE;
	run(kick);
	run(came);
	ck_assert_uint_eq(c->eip, HANDLER(VEC_GP));
	ck_assert_uint_eq(*machine_word(vm, c->gpr[R_ESP] + 4), CODE);
}
END_TEST

static TCase *tcase(const char *name)
{
	TCase *tc = tcase_create(name);

	tcase_add_checked_fixture(tc, setup, teardown);
	return tc;
}

int main(void)
{
	Suite *s = suite_create("gate");
	TCase *tc = tcase("pages");
	SRunner *sr;
	int failed;

	tcase_add_test(tc, forms);
	tcase_add_test(tc, room_behind);
	tcase_add_test(tc, what_is_none);
	tcase_add_test(tc, shown_in_children);
	tcase_add_loop_test(tc, written_pages_are_left, 0, sizeof written / sizeof *written);
	tcase_add_test(tc, changed_page);
	tcase_add_test(tc, changes_too_often);
	suite_add_tcase(s, tc);
	tc = tcase("entries");
	tcase_add_test(tc, sysenter);
	tcase_add_test(tc, int80);
	tcase_add_test(tc, fault_in_between);
	tcase_add_test(tc, single_steps);
	tcase_add_test(tc, brief);
	tcase_add_test(tc, brief_stopped);
	tcase_add_test(tc, no_gate);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
