/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Trampolines: what is emitted, that it does what the guest's instructions do, that
 * it can be left after each instruction, and when none is made.
 *
 * The CPU that runs them is played by the interpreter, with the flags and the
 * traps of a real one at CPL 3.
 */
#include "machine.h"

#define GUARDED 0x93000000u	/* from here the highest byte of a displacement may trap */
#define KERNEL 0xc0100000u	/* from here it never does */
#define SITE 0x100u		/* of the code in its page */
#define WINDOW_RAM 0x00200000u	/* where the played CPU sees RT_IF and what follows */
#define STACK_WORDS 16u
#define FOR_EVER 100u

static struct vm *vm;
static struct vcpu *c;
static uint32_t code;		/* linear address of the code under test */
static uint32_t seed;

static void setup(void)
{
	struct error e;

	vm = machine_new();
	c = &vm->cpu;
	machine_paging(vm);
	ck_assert_int_eq(runtime_init(vm, 0, &e), 0);
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

static uint8_t *code_page(void *ctx, gva_t page, gpa_t *gpa)
{
	struct walk w;

	(void)ctx;
	if (!mmu_probe(vm, page, &w))
		return NULL;
	*gpa = w.pa;
	return gmem_ram(vm, w.pa, PAGE_SIZE);
}

static void scan(void)
{
	ck_assert_int_ge(codemap_scan(vm->code, code_page, NULL, GVA(code & PAGE_MASK), GVA(code),
				      CODEMAP_TEXT), 0);
}

/* Puts code at SITE of the page base, which runs directly from then on. */
static void load_at(uint32_t base, const void *bytes, unsigned n)
{
	struct walk w;

	code = base + SITE;
	machine_map(vm, c->cr3, base, AT_CODE, PTE_P | PTE_W | PTE_A | PTE_D);
	gmem_flush(vm);
	memset(vm->ram.base + AT_CODE, 0x90, PAGE_SIZE);
	memcpy(vm->ram.base + AT_CODE + SITE, bytes, n);
	scan();
	ck_assert(mmu_probe(vm, GVA(base), &w));
	ck_assert(view_fill(&vm->kview, base, &w));
	view_make_exec(&vm->kview, base, AT_CODE >> PAGE_SHIFT);
	c->eip = code;
}
#define LOAD(base, bytes) load_at(base, bytes, sizeof(bytes) - 1)

/* The instruction at off traps again and again; the trampoline that comes of it,
 * wherever its jump begins. */
static const struct tramp *heat(unsigned off)
{
	unsigned i;

	c->eip = code + off;
	for (i = 0; i < 50; i++)
		tramp_heat(vm, machine_fetch(vm));
	ck_assert_uint_eq(c->eip, code + off);
	for (i = 0; i < vm->tramps.n; i++)
		if (vm->tramps.tramp[i].site)
			return &vm->tramps.tramp[i];
	return NULL;
}

static uint8_t *in_window(uint32_t a)
{
	return vm->rt.alias + (a - WINDOW_START);
}

static uint8_t *in_ram(unsigned off)
{
	return vm->ram.base + AT_CODE + (code & ~PAGE_MASK) + off;
}

/* ---- a state of the guest ---- */

struct state {
	uint32_t gpr[R_COUNT], eip, eflags, stack[STACK_WORDS];
};

/* The stack of all states; its upper half is filled. */
static uint32_t *stack(void)
{
	return machine_word(vm, AT_STACK - 4 * STACK_WORDS);
}

static void random_state(struct state *s)
{
	const uint32_t flags = FL_ARITH | FL_DF | FL_ID | FL_IF;
	unsigned i;

	for (i = 0; i < R_COUNT; i++)
		s->gpr[i] = any();
	for (i = 0; i < STACK_WORDS; i++)
		s->stack[i] = (any() & flags) | FL_FIXED;
	s->gpr[R_ESP] = AT_STACK - 2 * STACK_WORDS;
	s->eip = code;
	s->eflags = (any() & flags) | FL_FIXED;
}

static void set_state(const struct state *s)
{
	memcpy(c->gpr, s->gpr, sizeof c->gpr);
	c->eip = s->eip;
	c->eflags = s->eflags;
	c->shadow = false;
	memcpy(stack(), s->stack, sizeof s->stack);
}

static void get_state(struct state *s)
{
	memcpy(s->gpr, c->gpr, sizeof s->gpr);
	s->eip = c->eip;
	s->eflags = c->eflags;
	memcpy(s->stack, stack(), sizeof s->stack);
}

/* What lies below the stack pointer is nobody's.  A popf that is still to come
 * replaces the flags. */
static bool same_state(const struct state *a, const struct state *b, bool at_popf)
{
	unsigned used = (AT_STACK - a->gpr[R_ESP]) / 4;

	return !memcmp(a->gpr, b->gpr, sizeof a->gpr) && a->eip == b->eip &&
	       (at_popf || a->eflags == b->eflags) &&
	       !memcmp(a->stack + STACK_WORDS - used, b->stack + STACK_WORDS - used, 4 * used);
}

/* ---- the played CPU ---- */

/* The window's data pages appear in the guest's page tables, and go again. */
static void window_shown(bool shown)
{
	uint32_t i, present = shown ? PTE_P | PTE_W | PTE_A | PTE_D : 0;

	for (i = 0; i < 2 * PAGE_SIZE; i += PAGE_SIZE) {
		machine_map(vm, c->cr3, RT_IF + i, WINDOW_RAM + i, present);
		if (shown)
			memcpy(vm->ram.base + WINDOW_RAM + i, in_window(RT_IF + i), PAGE_SIZE);
		else
			memcpy(in_window(RT_IF + i), vm->ram.base + WINDOW_RAM + i, PAGE_SIZE);
	}
	gmem_flush(vm);
}

/* Executes the real bytes at eip; false: they trap, or take the gate. */
static bool cpu_step(void)
{
	uint32_t eip = c->eip;
	bool inside = runtime_window(eip);
	enum interp_result r;
	struct insn insn;
	struct fault f;

	if (!inside && eip != code)
		return false;
	ck_assert_int_gt(insn_decode(&insn, inside ? in_window(eip) : in_ram(0), 15, 32), 0);
	if (insn.kind == IK_JMP_FAR)
		c->eip = insn.imm;
	if (insn.kind == IK_JMP_FAR || insn.kind == IK_HLT)
		return false;
	r = interp_insn(vm, &insn, &f);
	ck_assert(r == INTERP_OK || r == INTERP_STOP);
	c->eflags |= FL_IF;		/* at CPL 3 nothing changes it */
	return true;
}

/* Runs up to n instructions from the site on, as loop_enter() does. */
static void cpu_run(unsigned n)
{
	const uint32_t real = FL_ARITH | FL_TF | FL_DF | FL_ID;
	uint32_t guest = c->eflags, now;

	runtime_enter(vm);
	window_shown(true);
	c->eflags = (guest & real) | FL_IF | FL_FIXED;
	while (n-- && cpu_step())
		;
	now = c->eflags;
	window_shown(false);
	c->eflags = (guest & ~real) | (now & real);
	if (c->eip == RT_GATE)
		c->eip = *runtime_word(vm, RT_EXIT);
	ck_assert_int_eq(runtime_leave(vm), RUNTIME_OUTSIDE);
	tramp_leave(vm);
}

/* ---- forms ---- */

/* Code of a trampoline whose jump is at its start: where control leaves it is behind
 * insns instructions. */
#define TAIL "\xb9\x78\x56\x34\x12"		/* mov $0x12345678, %ecx */
static const struct form {
	const char *name, *code;
	unsigned n, insns;
	const char *emitted;			/* for the first instruction */
	unsigned size;
	bool gate;
} forms[] = {
#define FORM(name, code, insns, emitted) \
	{ name, code, sizeof(code) - 1, insns, emitted, sizeof(emitted) - 1, false }
	FORM("cli", "\xfa" TAIL, 2, "\xc7\x05\x00\x00\x00\xff\x00\xfe\xff\xff"),
	FORM("sti", "\xfb" TAIL, 2, "\xc7\x05\x00\x00\x00\xff\x00\x00\x00\x00"),
	FORM("pushf", "\x9c" TAIL, 2,
	     "\x9c\x50\x51\x8b\x44\x24\x08\x8b\x0d\x00\x00\x00\xff"
	     "\x8d\x04\x08\x89\x44\x24\x08\x59\x58"),
	FORM("popf", "\x9d" TAIL, 2,
	     "\x50\x8b\x44\x24\x04\xa9\x00\x71\x1e\x00\x74\x02\x58\xf4\x25\x00\x02\x00\x00"
	     "\x2d\x00\x02\x00\x00\xa3\x00\x00\x00\xff\x58\x9d"),
	FORM("push %es", "\x06" TAIL, 2, "\xff\x35\x00\x10\x00\xff"),
	FORM("push %cs", "\x0e" TAIL, 2, "\xff\x35\x04\x10\x00\xff"),
	FORM("push %ss", "\x16" TAIL, 2, "\xff\x35\x08\x10\x00\xff"),
	FORM("push %ds", "\x1e" TAIL, 2, "\xff\x35\x0c\x10\x00\xff"),
	FORM("push %fs", "\x0f\xa0" TAIL, 2, "\xff\x35\x10\x10\x00\xff"),
	FORM("push %gs", "\x0f\xa8" TAIL, 2, "\xff\x35\x14\x10\x00\xff"),
	FORM("mov %ds, %eax", "\x8c\xd8" TAIL, 2, "\x8b\x05\x0c\x10\x00\xff"),
	FORM("mov %ss, %edi", "\x8c\xd7" TAIL, 2, "\x8b\x3d\x08\x10\x00\xff"),
	FORM("pushf; pop %eax; cli; mov", "\x9c\x58\xfa\x89\xc2", 4, "\x9c\x50\x51"),
	FORM("push %eax; popf; mov", "\x50\x9d\x89\xd0\x90\x90", 5, "\x50\x50\x8b\x44\x24\x04"),
	FORM("cli; jz, short", "\xfa\x74\x40\x89\xc3", 3, "\xc7\x05"),
	FORM("cli; jnc, near", "\xfa\x0f\x83\x00\x10\x00\x00", 2, "\xc7\x05"),
	FORM("pushf; call", "\x9c\xe8\x00\x20\x00\x00", 2, "\x9c\x50\x51"),
	FORM("cli; jmp, near", "\xfa\xe9\x00\x20\x00\x00", 2, "\xc7\x05"),
	FORM("cli; jmp, short", "\xfa\xeb\x20\x90\x90", 2, "\xc7\x05"),
	FORM("popf; ret", "\x9d\xc3\x90\x90\x90", 2, "\x50\x8b\x44\x24\x04"),
	FORM("sti; ret $8", "\xfb\xc2\x08\x00\x90", 2, "\xc7\x05"),
	FORM("cli; jmp *%eax", "\xfa\xff\xe0\x90\x90", 2, "\xc7\x05"),
#undef FORM
#define GATE(name, code, insns, emitted) \
	{ name, code, sizeof(code) - 1, insns, emitted, sizeof(emitted) - 1, true }
	GATE("mov %cr0, %eax", "\x0f\x20\xc0\x90\x90", 0,
	     "\xc7\x05\x20\x10\x00\xff\x00\x01\x00\x93\xea\x00\x20\x00\xff\x33\x00"),
	GATE("cli; mov %cr3, %edx", "\xfa\x0f\x20\xda\x90", 1, "\xc7\x05\x00\x00\x00\xff"),
#undef GATE
};
#define FORMS ((int)(sizeof forms / sizeof *forms))

static const struct tramp *load_form(const struct form *form)
{
	const struct tramp *t;
	unsigned off, len;
	struct insn insn;

	vm->rt.gate = form->gate;
	load_at(GUARDED, form->code, form->n);
	/* The first sensitive one is hot. */
	for (off = 0; off < form->n; off += len) {
		len = (unsigned)insn_decode(&insn, (const uint8_t *)form->code + off, form->n - off,
					    32);
		if (insn.kind != IK_NONE)
			break;
	}
	t = heat(off);
	ck_assert_ptr_nonnull(t);
	return t;
}

START_TEST(emitted_code)
{
	const struct form *form = &forms[_i];
	const struct tramp *t = load_form(form);

	if (t->site != code)
		return;		/* the jump may follow harmless instructions */
	ck_assert_uint_ge(t->addr, RT_CODE);
	ck_assert_uint_ge(t->size, form->size);
	ck_assert_msg(!memcmp(in_window(t->addr), form->emitted, form->size), "%s", form->name);
	ck_assert_uint_eq(*in_ram(0), 0xe9);
	ck_assert_uint_eq(t->site + TRAMP_JUMP + *machine_word(vm, AT_CODE + SITE + 1), t->addr);
	ck_assert(!memcmp(t->original, form->code, TRAMP_JUMP));
	ck_assert_uint_eq(fake_page(0, t->addr) & (HP_R | HP_W | HP_X), HP_R | HP_X);
}
END_TEST

/* The states before and after each guest instruction, by the emulator; how many there
 * are up to a branch that is taken. */
static unsigned reference(const struct state *from, struct state *at, unsigned insns)
{
	unsigned i;

	at[0] = *from;
	set_state(from);
	for (i = 1; i <= insns; i++) {
		loop_step(vm);
		ck_assert(!vm->ending);
		get_state(&at[i]);
		if (at[i].eip - from->eip >= 16)
			return i;
	}
	return insns;
}

/* Stopped anywhere, the guest is between two of its instructions, and goes on. */
START_TEST(every_point)
{
	const struct form *form = &forms[_i];
	const struct tramp *t = load_form(form);
	unsigned max = form->insns, insns, round, n, at, left;
	struct state from, ref[8], now;

	if (t->site != code) {
		max--;
		code = t->site;
	}
	for (round = 0; round < 20; round++) {
		random_state(&from);
		insns = reference(&from, ref, max);
		at = 0;
		for (n = 0; n < FOR_EVER; n++) {
			bool popf;

			set_state(&from);
			cpu_run(n);
			get_state(&now);
			while (at < insns && now.eip != ref[at].eip)
				at++;
			popf = at < insns && machine_fetch(vm)->kind == IK_POPF;
			ck_assert_msg(same_state(&now, &ref[at], popf), "%s: after %u, eip %x",
				      form->name, n, now.eip);
			for (left = insns - at; left; left--)
				loop_step(vm);
			get_state(&now);
			ck_assert_msg(same_state(&now, &ref[insns], false), "%s: on from %u",
				      form->name, n);
			if (at == insns && n > 40)
				break;
		}
		ck_assert_uint_eq(at, insns);
	}
}
END_TEST

/* What popf could set beyond the usual is left to the emulator. */
START_TEST(popf_of_odd_flags)
{
	static const uint32_t odd[] = { FL_TF, FL_IOPL, FL_NT, FL_AC };
	struct state from, now;
	unsigned i;

	LOAD(GUARDED, "\x9d" TAIL);
	ck_assert_ptr_nonnull(heat(0));
	for (i = 0; i < sizeof odd / sizeof *odd; i++) {
		random_state(&from);
		from.stack[STACK_WORDS / 2] |= odd[i];
		set_state(&from);
		cpu_run(FOR_EVER);
		get_state(&now);
		ck_assert(same_state(&now, &from, true));
		ck_assert_uint_eq((now.eflags ^ from.eflags) & FL_IF, 0);
	}
}
END_TEST

/* ---- where the jump may lie ---- */

static bool traps(uint8_t b)
{
	static const uint8_t list[] = { 0x6c, 0x6d, 0x6e, 0x6f, 0xe4, 0xe5, 0xe6, 0xe7,
					0xec, 0xed, 0xee, 0xef, 0xf4, 0xfa, 0xfb };

	return memchr(list, b, sizeof list);
}

/* Each instruction that the jump covers can be landed on. */
START_TEST(guards)
{
	static const uint8_t insns[] = { 0xfa, 0x43, 0x9c, 0x58, 0x90 };
	const struct tramp *t;
	unsigned k;

	load_at(GUARDED, insns, sizeof insns);
	t = heat(0);
	ck_assert_ptr_nonnull(t);
	ck_assert_uint_eq(t->site, code);
	for (k = 1; k < TRAMP_JUMP; k++) {
		ck_assert_msg(traps(*in_ram(k)), "%02x at %u", *in_ram(k), k);
		c->eip = code + k;
		ck_assert_uint_eq(machine_fetch(vm)->opcode, insns[k]);
	}
}
END_TEST

/* Only boundaries are guarded. */
START_TEST(backward_start)
{
	const struct tramp *t;

	/* Five instructions of one byte: the last byte of the jump cannot trap here. */
	LOAD(KERNEL, "\xb8\x01\x02\x03\x04\xfa\x90\x90\x90\x90");
	t = heat(5);
	ck_assert_ptr_nonnull(t);
	ck_assert_uint_eq(t->site, code);
	ck_assert_uint_ge(t->len, 6);
	ck_assert_uint_eq(*in_ram(5), 0xfa);
	ck_assert(!memcmp(in_window(t->addr), "\xb8\x01\x02\x03\x04\xc7\x05", 7));
}
END_TEST

START_TEST(unreachable)
{
	LOAD(KERNEL, "\xfa\x90\x90\x90\x90\x90");
	memset(vm->ram.base + AT_CODE, 0, SITE);	/* nothing to begin with before it */
	codemap_forget(vm->code, GPA(AT_CODE), PAGE_SIZE);
	scan();
	ck_assert_ptr_null(heat(0));
	ck_assert_uint_eq(*in_ram(0), 0xfa);
}
END_TEST

/* The interrupt must not come between sti and these. */
static const struct { const char *name, *code; unsigned n; } shadowed[] = {
	{ "hlt", "\xfb\xf4\x90\x90\x90\x90", 6 },
	{ "iret", "\xfb\xcf\x90\x90\x90\x90", 6 },
	{ "sysexit", "\xfb\x0f\x35\x90\x90\x90", 6 },
};

START_TEST(sti_shadow)
{
	vm->rt.gate = true;
	load_at(GUARDED, shadowed[_i].code, shadowed[_i].n);
	ck_assert_msg(!heat(0), "%s", shadowed[_i].name);
	ck_assert(!memcmp(in_ram(0), "\xfb", 1));
}
END_TEST

/* ---- how they end ---- */

START_TEST(dropped_on_write)
{
	static const uint8_t before[] = { 0xfa, 0xb9, 0x78, 0x56, 0x34, 0x12 };
	struct fault f;

	load_at(GUARDED, before, sizeof before);
	ck_assert_ptr_nonnull(heat(0));
	ck_assert(gmem_write(vm, GVA(code + 0x80), "x", 1, ACC_WRITE, &f));
	ck_assert(!memcmp(in_ram(0), before, sizeof before));
	ck_assert_ptr_null(tramp_covering(vm, code));
	c->eip = code;
	ck_assert_int_eq(machine_fetch(vm)->kind, IK_CLI);
}
END_TEST

START_TEST(landing)
{
	LOAD(GUARDED, "\x9c\x58\xb9\x78\x56\x34\x12");
	ck_assert_ptr_nonnull(heat(0));
	/* at the start of the jump nobody lands */
	tramp_landed(vm, code);
	ck_assert_ptr_nonnull(tramp_covering(vm, code));
	tramp_landed(vm, code + 1);
	ck_assert_ptr_null(tramp_covering(vm, code));
	ck_assert(!memcmp(in_ram(0), "\x6c\x58\xb9", 3));
	heat(0);
	ck_assert_ptr_null(tramp_covering(vm, code + 1));
}
END_TEST

START_TEST(window_taken)
{
	LOAD(GUARDED, "\xfa" TAIL "\xfb" TAIL);
	ck_assert_ptr_nonnull(heat(0));
	machine_map(vm, c->cr3, RT_IF, WINDOW_RAM, PTE_P | PTE_W);
	gmem_flush(vm);
	ck_assert_ptr_null(heat(6));
	ck_assert(!vm->rt.on);
	ck_assert_uint_eq(*in_ram(0), 0xfa);
	ck_assert_uint_eq(fake_page(0, RT_IF), 0);
	ck_assert_uint_eq(fake_page(0, RT_CODE), 0);
}
END_TEST

START_TEST(no_trampolines)
{
	struct segment cs = c->seg[S_CS];

	/* no fast form, and no gate */
	LOAD(GUARDED, "\x0f\x20\xc0\x90\x90\x90");
	ck_assert_ptr_null(heat(0));
	/* a prefix, a memory operand */
	LOAD(GUARDED, "\x66\x9c" TAIL);
	ck_assert_ptr_null(heat(0));
	LOAD(GUARDED + PAGE_SIZE, "\x8c\x18" TAIL);
	ck_assert_ptr_null(heat(0));
	/* addresses that are not linear ones */
	LOAD(GUARDED + 2 * PAGE_SIZE, "\xfa" TAIL);
	c->seg[S_CS].base = PAGE_SIZE;
	code -= PAGE_SIZE;
	ck_assert_ptr_null(heat(0));
	c->seg[S_CS] = cs;
	code += PAGE_SIZE;
	ck_assert_ptr_nonnull(heat(0));
}
END_TEST

/* ---- the page of the interrupt flag ---- */

static unsigned if_rights(void)
{
	runtime_enter(vm);
	return fake_page(0, RT_IF) & (HP_R | HP_W | HP_X);
}

START_TEST(rights)
{
	static const uint8_t icw[] = { 0x11, 0x20, 4, 1, 0 };
	unsigned i;

	ck_assert_uint_eq(if_rights(), HP_R | HP_W);
	/* sti and popf trap while an interrupt waits */
	for (i = 0; i < sizeof icw; i++)
		i8259_out(&vm->plat.pic, i > 0, 1, icw[i]);
	i8259_set_irq(&vm->plat.pic, 5, 1);
	ck_assert(i8259_pending(&vm->plat.pic));
	ck_assert_uint_eq(if_rights(), HP_R);
	/* and pushf, too, while it would push what only the emulator knows */
	c->eflags |= FL_AC;
	ck_assert_uint_eq(if_rights(), 0);
	c->eflags &= ~FL_AC;
	ck_assert_uint_eq(if_rights(), HP_R);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("trampoline");
	TCase *tc = tcase_create("trampoline");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, emitted_code, 0, FORMS);
	tcase_add_loop_test(tc, every_point, 0, FORMS);
	tcase_add_test(tc, popf_of_odd_flags);
	tcase_add_test(tc, guards);
	tcase_add_test(tc, backward_start);
	tcase_add_test(tc, unreachable);
	tcase_add_loop_test(tc, sti_shadow, 0, (int)(sizeof shadowed / sizeof *shadowed));
	tcase_add_test(tc, dropped_on_write);
	tcase_add_test(tc, landing);
	tcase_add_test(tc, window_taken);
	tcase_add_test(tc, no_trampolines);
	tcase_add_test(tc, rights);
	suite_add_tcase(s, tc);
	return machine_suite(s);
}
