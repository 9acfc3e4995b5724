/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sites and routines of rewritten kernels: each form does what the emulator does for
 * the instruction that it stands for, in random states, and can be interrupted before
 * each of its instructions, in the site and in the routine.
 *
 * The CPU that runs them is played by the interpreter, with the flags and the traps of
 * a real one at CPL 3.
 */
#include "machine.h"

#include "rewriter/site.h"

#define CODE 0xc0100100u	/* where the site lies */
#define TARGET 0xc0100800u	/* where iret goes */
#define DATA 0x20000u		/* %ebx of all states */
#define WINDOW_RAM 0x00200000u	/* where the played CPU sees the window */
#define STACK_WORDS 16u
#define PER_CPU_BASE 0x00300000u
#define ROUNDS 200
#define FOR_EVER 200u

#define W(v) (uint8_t)((uint32_t)(v)), (uint8_t)((uint32_t)(v) >> 8), \
	(uint8_t)((uint32_t)(v) >> 16), (uint8_t)((uint32_t)(v) >> 24)
#define CALL(slot) 0xff, 0x15, W(RT_SLOT(slot))

static struct vm *vm;
static struct vcpu *c;
static struct segment flat;	/* DS of all states: sites need it */
static uint32_t seed;

/* ---- forms ---- */

enum what { PLAIN, LOADS, IRET };

static const struct form {
	const char *name;
	uint8_t code[SITE_MAX], n;
	uint8_t plain[12], plain_n;	/* what it stands for */
	enum what what;
	uint8_t sreg;			/* LOADS: the register */
	bool slow;			/* always through the gate */
} forms[] = {
	{ "cli", { 0xc7, 0x05, W(RT_IF), W(RT_IF_CLEAR) }, 10, { 0xfa }, 1, PLAIN, 0, false },
	{ "sti", { 0xc7, 0x05, W(RT_IF), W(RT_IF_SET) }, 10, { 0xfb }, 1, PLAIN, 0, false },
	{ "pushf", { CALL(RT_PUSHF) }, 6, { 0x9c }, 1, PLAIN, 0, false },
	{ "popf", { CALL(RT_POPF) }, 6, { 0x9d }, 1, PLAIN, 0, false },
	{ "iret", { CALL(RT_IRET) }, 6, { 0xcf }, 1, IRET, 0, false },
	{ "push %es", { 0xff, 0x35, W(RT_SEL(S_ES)) }, 6, { 0x06 }, 1, PLAIN, 0, false },
	{ "push %gs", { 0xff, 0x35, W(RT_SEL(S_GS)) }, 6, { 0x0f, 0xa8 }, 2, PLAIN, 0, false },
	{ "mov %cs, %eax", { 0xa1, W(RT_SEL(S_CS)) }, 5, { 0x8c, 0xc8 }, 2, PLAIN, 0, false },
	{ "mov %fs, %esi", { 0x8b, 0x35, W(RT_SEL(S_FS)) }, 6, { 0x8c, 0xe6 }, 2, PLAIN, 0, false },
	{ "mov %ds, %bp", { 0x66, 0x8b, 0x2d, W(RT_SEL(S_DS)) }, 7, { 0x66, 0x8c, 0xdd }, 3,
	  PLAIN, 0, false },
	{ "mov %es, %ax", { 0x66, 0xa1, W(RT_SEL(S_ES)) }, 6, { 0x66, 0x8c, 0xc0 }, 3,
	  PLAIN, 0, false },
	{ "mov %ss, 8(%ebx)", { 0x66, 0xff, 0x35, W(RT_SEL(S_SS)), 0x66, 0x8f, 0x43, 8 }, 11,
	  { 0x66, 0x8c, 0x53, 8 }, 4, PLAIN, 0, false },
	{ "mov %gs, 4(%esp)", { 0x66, 0xff, 0x35, W(RT_SEL(S_GS)), 0x66, 0x8f, 0x44, 0x24, 4 }, 12,
	  { 0x66, 0x8c, 0x6c, 0x24, 4 }, 5, PLAIN, 0, false },
	{ "mov %cr0, %eax", { 0xa1, W(RT_CR(0)) }, 5, { 0x0f, 0x20, 0xc0 }, 3, PLAIN, 0, false },
	{ "mov %cr3, %edi", { 0x8b, 0x3d, W(RT_CR(3)) }, 6, { 0x0f, 0x20, 0xdf }, 3,
	  PLAIN, 0, false },
	{ "mov %eax, %es", { CALL(RT_MOV(S_ES, R_EAX)) }, 6, { 0x8e, 0xc0 }, 2, LOADS, S_ES, false },
	{ "mov %ecx, %ds", { CALL(RT_MOV(S_DS, R_ECX)) }, 6, { 0x8e, 0xd9 }, 2, LOADS, S_DS, false },
	{ "mov %edx, %fs", { CALL(RT_MOV(S_FS, R_EDX)) }, 6, { 0x8e, 0xe2 }, 2, LOADS, S_FS, false },
	{ "mov %edi, %gs", { CALL(RT_MOV(S_GS, R_EDI)) }, 6, { 0x8e, 0xef }, 2, LOADS, S_GS, false },
	{ "pop %es", { CALL(RT_POP(S_ES)) }, 6, { 0x07 }, 1, LOADS, S_ES, false },
	{ "pop %ds", { CALL(RT_POP(S_DS)) }, 6, { 0x1f }, 1, LOADS, S_DS, false },
	{ "pop %fs", { CALL(RT_POP(S_FS)) }, 6, { 0x0f, 0xa1 }, 2, LOADS, S_FS, false },
	{ "pop %gs", { CALL(RT_POP(S_GS)) }, 6, { 0x0f, 0xa9 }, 2, LOADS, S_GS, false },
	{ "mov 8(%ebx), %gs", { 0xff, 0x73, 8, CALL(RT_LOAD(S_GS)), 0x0f, 0x1f, 0x40, 3 }, 13,
	  { 0x8e, 0x6b, 8 }, 3, LOADS, S_GS, false },
	{ "mov %ss:8(%ebx), %es",
	  { 0x36, 0xff, 0x73, 8, CALL(RT_LOAD(S_ES)), 0x0f, 0x1f, 0x40, 4 }, 14,
	  { 0x36, 0x8e, 0x43, 8 }, 4, LOADS, S_ES, false },
	{ "mov (%esp), %fs",
	  { 0xff, 0x34, 0x24, CALL(RT_LOAD(S_FS)), 0x0f, 0x1f, 0x40, 3 }, 13,
	  { 0x8e, 0x24, 0x24 }, 3, LOADS, S_FS, false },
	{ "clts", { CALL(RT_EMULATE), 0x0f, 0x06 }, 8, { 0x0f, 0x06 }, 2, PLAIN, 0, true },
	{ "mov %ebx, %cr2", { CALL(RT_EMULATE), 0x0f, 0x22, 0xd3 }, 9, { 0x0f, 0x22, 0xd3 }, 3,
	  PLAIN, 0, true },
	{ "sidt 0x10(%ebx)", { CALL(RT_EMULATE), 0x0f, 0x01, 0x4b, 0x10 }, 10,
	  { 0x0f, 0x01, 0x4b, 0x10 }, 4, PLAIN, 0, true },
	{ "pushfw", { CALL(RT_EMULATE), 0x66, 0x9c }, 8, { 0x66, 0x9c }, 2, PLAIN, 0, true },
};
#define FORMS ((int)(sizeof forms / sizeof *forms))

static uint8_t *code_bytes(void)
{
	return vm->ram.base + AT_CODE + (CODE & ~PAGE_MASK);
}

static void setup(void)
{
	struct error e;

	vm = machine_new();
	c = &vm->cpu;
	machine_paging(vm);
	flat = c->seg[S_DS];
	c->cr0 |= CR0_WP;
	machine_descriptor(vm, AT_GDT, SEL_FREE, PER_CPU_BASE, 0xfffff, 0xc093);
	machine_map(vm, c->cr3, CODE & PAGE_MASK, AT_CODE, PTE_P | PTE_W | PTE_A | PTE_D);
	ck_assert_int_eq(runtime_init(vm, RT_ABI_VERSION, &e), 0);
	runtime_enter(vm);		/* the tables are known */
	seed = 1;
}

static void teardown(void)
{
	free(vm->rt.alias);
	machine_free(vm);
}

static uint32_t any(void)
{
	seed = seed * 1664525 + 1013904223;
	return seed >> 8 ^ seed << 16;
}

/* ---- a state of the guest ---- */

struct state {
	uint32_t gpr[R_COUNT], eip, eflags, cr[5], stack[STACK_WORDS], data[8];
	struct segment seg[S_COUNT];
};

static uint32_t *stack(void)
{
	return machine_word(vm, AT_STACK - 4 * STACK_WORDS);
}

static uint16_t any_selector(void)
{
	static const uint16_t some[] = { KDS, UDS, KDS, 0, 3, SEL_FREE, SEL_FREE, SEL_RO,
					 SEL_SMALL, SEL_ABSENT, SEL_XO, GDT_LIMIT + 1, 0x0c };

	return some[any() % (sizeof some / sizeof *some)];
}

static void random_state(struct state *s, const struct form *form)
{
	const uint32_t flags = FL_ARITH | FL_DF | FL_ID | FL_IF;
	unsigned i;

	memset(s, 0, sizeof *s);
	for (i = 0; i < R_COUNT; i++)
		s->gpr[i] = form->what == LOADS ? (any() & 0xffff0000) | any_selector() : any();
	for (i = 0; i < STACK_WORDS; i++)
		s->stack[i] = (any() & flags) | FL_FIXED;
	for (i = 0; i < 8; i++)
		s->data[i] = any();
	s->gpr[R_ESP] = AT_STACK - 2 * STACK_WORDS;
	s->gpr[R_EBX] = DATA;
	s->data[2] = (any() & 0xffff0000) | any_selector();
	if (form->what == LOADS)
		s->stack[STACK_WORDS / 2] = (any() & 0xffff0000) | any_selector();
	if (form->what == IRET) {
		s->stack[STACK_WORDS / 2 + 2] = s->stack[STACK_WORDS / 2];
		s->stack[STACK_WORDS / 2] = TARGET;
		s->stack[STACK_WORDS / 2 + 1] = (any() & 0xffff0000) | KCS;
	}
	s->eip = CODE;
	s->eflags = (any() & flags) | FL_FIXED;
	memcpy(s->seg, c->seg, sizeof s->seg);
	s->seg[S_DS] = flat;
	memcpy(s->cr, (uint32_t[]){ c->cr0, 0, any(), c->cr3, c->cr4 }, sizeof s->cr);
}

static void set_state(const struct state *s)
{
	memcpy(c->gpr, s->gpr, sizeof c->gpr);
	memcpy(c->seg, s->seg, sizeof c->seg);
	memcpy(stack(), s->stack, sizeof s->stack);
	memcpy(machine_word(vm, DATA), s->data, sizeof s->data);
	c->eip = s->eip;
	c->eflags = s->eflags;
	c->cr0 = s->cr[0];
	c->cr2 = s->cr[2];
	c->shadow = false;
}

static void get_state(struct state *s)
{
	memset(s, 0, sizeof *s);
	memcpy(s->gpr, c->gpr, sizeof s->gpr);
	memcpy(s->seg, c->seg, sizeof s->seg);
	memcpy(s->stack, stack(), sizeof s->stack);
	memcpy(s->data, machine_word(vm, DATA), sizeof s->data);
	s->eip = c->eip;
	s->eflags = c->eflags;
	memcpy(s->cr, (uint32_t[]){ c->cr0, 0, c->cr2, c->cr3, c->cr4 }, sizeof s->cr);
}

/* What lies below the stack pointer is nobody's. */
static bool same_state(const struct state *a, const struct state *b)
{
	unsigned used = (AT_STACK - a->gpr[R_ESP]) / 4;

	return !memcmp(a->gpr, b->gpr, sizeof a->gpr) && a->eip == b->eip &&
	       a->eflags == b->eflags && !memcmp(a->seg, b->seg, sizeof a->seg) &&
	       !memcmp(a->cr, b->cr, sizeof a->cr) && !memcmp(a->data, b->data, sizeof a->data) &&
	       used <= STACK_WORDS &&
	       !memcmp(a->stack + STACK_WORDS - used, b->stack + STACK_WORDS - used, 4 * used);
}

/* ---- the played CPU ---- */

static const uint32_t shown[] = { RT_IF, RT_VCPU, RT_TABLE, RT_CACHE, RT_CACHE + PAGE_SIZE };

/* The window appears in the guest's page tables, and goes again. */
static void show_window(uint32_t if_rights)
{
	uint32_t all = PTE_P | PTE_W | PTE_A | PTE_D;
	unsigned i;

	for (i = 0; i < sizeof shown / sizeof *shown; i++) {
		uint32_t at = WINDOW_RAM + (shown[i] - WINDOW_START);

		memcpy(vm->ram.base + at, vm->rt.alias + (shown[i] - WINDOW_START), PAGE_SIZE);
		machine_map(vm, c->cr3, shown[i], at,
			    shown[i] == RT_IF ? if_rights | PTE_A | PTE_D : all);
	}
	gmem_flush(vm);
}

static void hide_window(void)
{
	unsigned i;

	for (i = 0; i < sizeof shown / sizeof *shown; i++) {
		if (shown[i] < RT_TABLE)
			memcpy(vm->rt.alias + (shown[i] - WINDOW_START),
			       vm->ram.base + WINDOW_RAM + (shown[i] - WINDOW_START), PAGE_SIZE);
		machine_map(vm, c->cr3, shown[i], 0, 0);
	}
	gmem_flush(vm);
}

/* Executes the real bytes at eip; false: they trap, or take the gate. */
static bool cpu_step(void)
{
	bool inside = runtime_window(c->eip);
	enum interp_result r;
	struct insn insn;
	struct fault f;

	ck_assert(inside || (c->eip & PAGE_MASK) == (CODE & PAGE_MASK));
	ck_assert_int_gt(insn_decode(&insn, inside ? vm->rt.alias + (c->eip - WINDOW_START) :
				     vm->ram.base + AT_CODE + (c->eip & ~PAGE_MASK), 15, 32), 0);
	if (insn.kind == IK_JMP_FAR) {
		ck_assert_uint_eq(insn.imm, RT_GATE);
		ck_assert_uint_eq(insn.imm2, HOST_CS64);
		c->eip = insn.imm;
		return false;
	}
	/* The host's selectors are not seen here. */
	if (insn.kind == IK_MOV_TO_SREG) {
		ck_assert(inside);
		c->eip += insn.len;
		return true;
	}
	ck_assert(insn.kind == IK_NONE || insn.kind == IK_PUSHF || insn.kind == IK_POPF);
	r = interp_insn(vm, &insn, &f);
	ck_assert_int_ne(r, INTERP_UNKNOWN);
	c->eflags |= FL_IF;		/* at CPL 3 nothing changes it */
	return r != INTERP_FAULT;
}

/* Runs up to n instructions, as loop_enter() does; how many there were. */
static unsigned cpu_run(unsigned n, uint32_t if_rights, uint32_t until)
{
	const uint32_t real = FL_ARITH | FL_TF | FL_DF | FL_ID;
	uint32_t guest = c->eflags, now;
	unsigned i;

	runtime_enter(vm);
	show_window(if_rights);
	c->eflags = (guest & real) | FL_IF | FL_FIXED;
	for (i = 0; i < n && c->eip != until && cpu_step(); i++)
		;
	now = c->eflags;
	hide_window();
	c->eflags = (guest & ~real) | (now & real);
	runtime_leave(vm);
	return i;
}

/* ---- tests ---- */

static void load_form(const struct form *form)
{
	memset(code_bytes(), 0x90, 64);
	memcpy(code_bytes(), form->code, form->n);
	memset(&vm->insns, 0, sizeof vm->insns);
}

/* What the emulator makes of it; the states that come in are made known to the
 * routines, as they would be after some turns. */
static void reference(const struct state *from, struct state *to)
{
	unsigned i;

	for (i = 0; i < 5; i++) {
		set_state(from);
		loop_step(vm);
		ck_assert(!vm->ending);
	}
	get_state(to);
}

START_TEST(stands_for)
{
	const struct form *form = &forms[_i];
	struct insn insn, plain;

	ck_assert_int_eq(site_decode(&insn, form->code, form->n), form->n);
	ck_assert_int_eq(insn_decode(&plain, form->plain, form->plain_n, 32), form->plain_n);
	ck_assert_uint_eq(insn.site, form->slow ? SITE_EMULATE : SITE_FAST);
	plain.len = insn.len;
	plain.site = insn.site;
	ck_assert(!memcmp(&insn, &plain, sizeof insn));
	/* A part of it is not taken for something else. */
	for (unsigned n = 0; n < form->n - 4u; n++)
		ck_assert_msg(site_decode(&insn, form->code, n) <= 0, "%s: %u bytes", form->name, n);
}
END_TEST

/* Stopped anywhere, the guest is before or behind the instruction, and goes on. */
START_TEST(every_boundary)
{
	const struct form *form = &forms[_i];
	unsigned round, n, ran, fast = 0;
	struct state from, to, now;

	load_form(form);
	for (round = 0; round < ROUNDS; round++) {
		random_state(&from, form);
		reference(&from, &to);
		for (n = 0, ran = 0; n <= ran + 1; n++) {
			bool done;

			set_state(&from);
			ran = cpu_run(n, PTE_P | PTE_W, form->what == IRET ? TARGET : CODE + form->n);
			get_state(&now);
			done = same_state(&now, &to);
			if (!done) {
				ck_assert_msg(same_state(&now, &from), "%s: after %u, eip %x",
					      form->name, n, now.eip);
				loop_step(vm);
				get_state(&now);
				ck_assert_msg(same_state(&now, &to), "%s: on from %u", form->name,
					      n);
			} else if (ran < n) {
				fast++;
			}
			ck_assert_uint_lt(n, FOR_EVER);
		}
	}
	if (form->slow)
		ck_assert_uint_eq(fast, 0);
	else
		ck_assert_msg(fast > ROUNDS / 8, "%s: %u of %u without an exit", form->name, fast,
			      ROUNDS);
}
END_TEST

/* While an interrupt is pending nothing sets IF without the monitor. */
START_TEST(pending_interrupt)
{
	static const char *const which[] = { "sti", "popf", "iret" };
	struct state from, now;

	for (int i = 0; i < FORMS; i++) {
		const struct form *form = &forms[i];

		if (strcmp(form->name, which[0]) && strcmp(form->name, which[1]) &&
		    strcmp(form->name, which[2]))
			continue;
		load_form(form);
		for (unsigned round = 0; round < ROUNDS; round++) {
			random_state(&from, form);
			set_state(&from);
			cpu_run(FOR_EVER, PTE_P, form->what == IRET ? TARGET : CODE + form->n);
			get_state(&now);
			ck_assert_msg(same_state(&now, &from), "%s", form->name);
		}
	}
}
END_TEST

/* Flags that only the emulator knows: in the register, or on the stack. */
START_TEST(odd_flags)
{
	static const uint32_t odd[] = { FL_TF, FL_IOPL, FL_NT, FL_AC };
	struct state from, now;

	for (int i = 0; i < FORMS; i++) {
		const struct form *form = &forms[i];
		unsigned at = STACK_WORDS / 2 + (form->what == IRET ? 2 : 0);
		bool pops = !strcmp(form->name, "popf") || form->what == IRET;

		load_form(form);
		for (unsigned k = 0; pops && k < sizeof odd / sizeof *odd; k++) {
			random_state(&from, form);
			from.stack[at] |= odd[k];
			set_state(&from);
			cpu_run(FOR_EVER, PTE_P | PTE_W, 0);
			get_state(&now);
			ck_assert_msg(same_state(&now, &from), "%s", form->name);
		}
		for (unsigned k = 1; (pops || !strcmp(form->name, "pushf")) &&
		     k < sizeof odd / sizeof *odd; k++) {
			random_state(&from, form);
			from.eflags |= odd[k];
			set_state(&from);
			cpu_run(FOR_EVER, 0, 0);
			ck_assert_uint_eq(vm->rt.rights, 0);
			get_state(&now);
			ck_assert_msg(same_state(&now, &from), "%s", form->name);
		}
	}
}
END_TEST

/* A descriptor that changed in memory is loaded anew, by the monitor. */
START_TEST(changed_descriptor)
{
	for (int i = 0; i < FORMS; i++) {
		const struct form *form = &forms[i];
		struct state from, now;

		if (strcmp(form->name, "mov %edx, %fs"))
			continue;
		load_form(form);
		random_state(&from, form);
		from.gpr[R_EDX] = UDS;
		reference(&from, &now);
		set_state(&from);
		cpu_run(FOR_EVER, PTE_P | PTE_W, CODE + form->n);
		ck_assert_uint_eq(c->eip, CODE + form->n);
		ck_assert_uint_eq(c->seg[S_FS].limit, 0xffffffff);
		machine_descriptor(vm, AT_GDT, UDS, 0x5000, 0xfff, 0x40f3);
		set_state(&from);
		cpu_run(FOR_EVER, PTE_P | PTE_W, CODE + form->n);
		ck_assert_uint_eq(c->eip, CODE);
		loop_step(vm);
		ck_assert_uint_eq(c->seg[S_FS].base, 0x5000);
		/* The table itself moves. */
		c->gdtr.limit = SEL_TSS;
		set_state(&from);
		cpu_run(FOR_EVER, PTE_P | PTE_W, CODE + form->n);
		ck_assert_uint_eq(c->eip, CODE);
	}
}
END_TEST

/* Without a flat DS the window is out of reach: the host's DS is null, sites trap. */
START_TEST(ds_that_is_not_flat)
{
	c->seg[S_DS] = (struct segment){ SEL_SMALL, 0x40f3, 0x20000, 0xffff };
	segment_to_host(vm, vm->hc);
	ck_assert_uint_eq(vm->hc->sel[S_DS], 0);
	vm->rt.abi = 0;
	segment_to_host(vm, vm->hc);
	ck_assert_uint_ne(vm->hc->sel[S_DS], 0);
}
END_TEST

START_TEST(behind_sti)
{
	load_form(&forms[1]);
	c->eip = CODE + forms[1].n;
	ck_assert(runtime_behind_sti(vm));
	c->eip++;
	ck_assert(!runtime_behind_sti(vm));
	load_form(&forms[0]);
	c->eip = CODE + forms[0].n;
	ck_assert(!runtime_behind_sti(vm));
}
END_TEST

START_TEST(other_version)
{
	struct error e;

	ck_assert_int_eq(runtime_init(vm, RT_ABI_VERSION + 1, &e), -1);
	ck_assert_int_eq(e.status, ST_IMAGE);
	ck_assert_ptr_nonnull(strstr(e.text, "lilyvm-cc"));
}
END_TEST

/* Such a kernel cannot go on without the window. */
START_TEST(window_taken)
{
	runtime_disable(vm, "the guest uses the addresses");
	ck_assert(vm->ending);
	ck_assert_int_eq(vm->status, ST_LIMIT);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("runtime");
	TCase *tc = tcase_create("runtime");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, stands_for, 0, FORMS);
	tcase_add_loop_test(tc, every_boundary, 0, FORMS);
	tcase_add_test(tc, pending_interrupt);
	tcase_add_test(tc, odd_flags);
	tcase_add_test(tc, changed_descriptor);
	tcase_add_test(tc, ds_that_is_not_flat);
	tcase_add_test(tc, behind_sti);
	tcase_add_test(tc, other_version);
	tcase_add_test(tc, window_taken);
	suite_add_tcase(s, tc);
	return machine_suite(s);
}
