/* SPDX-License-Identifier: BSD-2-Clause */
/* Exceptions, interrupts and iret (SDM 3, chapter 6; SDM 2, IRET). */
#include "machine.h"

#define HANDLER(v) (AT_HANDLERS + 16 * (v))
#define USER_EIP 0x08048000u
#define USER_ESP 0x00700000u
#define ABSENT_PAGE 0x00600000u
#define FLAGS (FL_FIXED | FL_CF | FL_ZF | FL_TF | FL_IF | FL_NT | FL_AC | FL_ID)

static struct vm *vm;
static struct vcpu *c;

static void setup(void)
{
	vm = machine_new();
	c = &vm->cpu;
}

static void paging_setup(void)
{
	setup();
	machine_paging(vm);
	machine_map(vm, c->cr3, ABSENT_PAGE, 0, 0);
}

static void teardown(void)
{
	machine_free(vm);
}

static void raise_fault(unsigned vector, uint32_t error)
{
	trap_exception(vm, &(struct fault){ vector, error, 0x1234567 });
}

/* The frame at ESP, in dwords. */
static void check_frame(const uint32_t *want, unsigned n)
{
	unsigned i;

	for (i = 0; i < n; i++)
		ck_assert_msg(*machine_word(vm, c->gpr[R_ESP] + 4 * i) == want[i], "word %u: %#x, not %#x", i,
			      *machine_word(vm, c->gpr[R_ESP] + 4 * i), want[i]);
}
#define FRAME(...) \
	do { \
		const uint32_t frame_[] = { __VA_ARGS__ }; \
		check_frame(frame_, sizeof frame_ / sizeof *frame_); \
	} while (0)

/* ---- delivery ---- */

START_TEST(same_level)
{
	c->eflags = FLAGS;
	trap_interrupt(vm, 0x20);
	ck_assert_uint_eq(c->eip, HANDLER(0x20));
	ck_assert_uint_eq(c->gpr[R_ESP], AT_STACK - 12);
	FRAME(AT_CODE, KCS, FLAGS);
	ck_assert_uint_eq(c->eflags, FLAGS & ~(FL_TF | FL_IF | FL_NT));
	ck_assert_uint_eq(c->seg[S_CS].sel, KCS);
	ck_assert_uint_eq(c->cpl, 0);
}
END_TEST

START_TEST(trap_gate_keeps_interrupts)
{
	machine_gate(vm, 0x80, KCS, HANDLER(0x80), 15, 0);
	c->eflags = FLAGS;
	trap_interrupt(vm, 0x80);
	ck_assert_uint_eq(c->eflags, FLAGS & ~(FL_TF | FL_NT));
}
END_TEST

START_TEST(gate_of_16_bits)
{
	machine_gate(vm, 0x20, KCS, 0x5678, 6, 0);
	c->eflags = FLAGS;
	c->eip = 0x1a2b3;
	trap_interrupt(vm, 0x20);
	ck_assert_uint_eq(c->eip, 0x5678);
	ck_assert_uint_eq(c->gpr[R_ESP], AT_STACK - 6);
	ck_assert_uint_eq(*machine_word(vm, AT_STACK - 6), 0xa2b3 | KCS << 16);
	ck_assert_uint_eq(*machine_word(vm, AT_STACK - 4) >> 16, FLAGS & 0xffff);
	ck_assert(!(c->eflags & FL_IF));
}
END_TEST

START_TEST(ends_halt_and_shadow)
{
	c->halted = c->shadow = true;
	trap_interrupt(vm, 0x20);
	ck_assert(!c->halted && !c->shadow);
}
END_TEST

/* Which vectors push an error code (SDM 3, table 6-1). */
START_TEST(error_code)
{
	static const bool has[20] = { [8] = true, [10] = true, [11] = true, [12] = true, [13] = true,
				      [14] = true, [17] = true };
	unsigned v = _i;

	raise_fault(v, 0x5a5a);
	ck_assert_uint_eq(c->eip, HANDLER(v));
	ck_assert_uint_eq(c->gpr[R_ESP], AT_STACK - (has[v] ? 16 : 12));
	ck_assert_uint_eq(*machine_word(vm, c->gpr[R_ESP]), has[v] ? 0x5a5a : AT_CODE);
	ck_assert_uint_eq(c->cr2, v == VEC_PF ? 0x1234567 : 0);
}
END_TEST

/* A fault's frame has RF set, a trap's not (SDM 3, 17.3.1.1). */
START_TEST(resume_flag)
{
	static const struct { unsigned vector; bool rf; } table[] = {
		{ VEC_DE, true }, { VEC_UD, true }, { VEC_GP, true }, { VEC_PF, true },
		{ VEC_DB, false }, { VEC_BP, false }, { VEC_OF, false }, { VEC_DF, false },
	};
	bool error = table[_i].vector >= VEC_DF;

	raise_fault(table[_i].vector, 0);
	ck_assert_uint_eq(*machine_word(vm, c->gpr[R_ESP] + (error ? 12 : 8)) & FL_RF,
			  table[_i].rf ? FL_RF : 0);
	ck_assert(!(c->eflags & FL_RF));
}
END_TEST

START_TEST(from_user)
{
	machine_user(vm, USER_EIP, USER_ESP);
	raise_fault(VEC_UD, 0);
	ck_assert_uint_eq(c->gpr[R_ESP], AT_STACK0 - 20);
	FRAME(USER_EIP, UCS, FL_FIXED | FL_IF | FL_RF, USER_ESP, UDS);
	ck_assert_uint_eq(c->cpl, 0);
	ck_assert_uint_eq(c->seg[S_CS].sel, KCS);
	ck_assert_uint_eq(c->seg[S_SS].sel, KDS);
	/* The data segments stay what they were. */
	ck_assert_uint_eq(c->seg[S_DS].sel, UDS);
}
END_TEST

START_TEST(conforming_handler_stays_at_its_level)
{
	machine_user(vm, USER_EIP, AT_STACK);
	machine_gate(vm, VEC_UD, SEL_CONFORMING, HANDLER(VEC_UD), 14, 0);
	raise_fault(VEC_UD, 0);
	ck_assert_uint_eq(c->cpl, 3);
	ck_assert_uint_eq(c->seg[S_CS].sel, SEL_CONFORMING | 3);
	ck_assert_uint_eq(c->gpr[R_ESP], AT_STACK - 12);
}
END_TEST

static void enter_vm86(uint32_t iopl)
{
	static const uint16_t sel[S_COUNT] = { 0x1111, 0x2222, 0x3333, 0x4444, 0x5555, 0x6666 };
	struct fault f;
	int i;

	c->eflags = FL_FIXED | FL_VM | FL_IF | iopl;
	c->cpl = 3;
	for (i = 0; i < S_COUNT; i++)
		ck_assert(segment_load(vm, i, sel[i], &f));
	c->eip = 0x789;
	c->gpr[R_ESP] = 0xfff0;
}

START_TEST(from_vm86)
{
	enter_vm86(0);
	raise_fault(VEC_GP, 0);
	ck_assert_uint_eq(c->gpr[R_ESP], AT_STACK0 - 40);
	FRAME(0, 0x789, 0x2222, FL_FIXED | FL_VM | FL_IF | FL_RF, 0xfff0, 0x3333, 0x1111, 0x4444, 0x5555, 0x6666);
	ck_assert_uint_eq(c->eflags, FL_FIXED);
	ck_assert_uint_eq(c->seg[S_DS].attr, 0);
	ck_assert_uint_eq(c->seg[S_GS].sel, 0);
	ck_assert_uint_eq(c->seg[S_SS].sel, KDS);
}
END_TEST

START_TEST(vm86_handler_must_be_of_level_0)
{
	machine_gate(vm, VEC_UD, UCS & ~3, HANDLER(VEC_UD), 14, 0);
	enter_vm86(0);
	raise_fault(VEC_UD, 0);
	ck_assert_uint_eq(c->eip, HANDLER(VEC_GP));
	ck_assert_uint_eq(*machine_word(vm, c->gpr[R_ESP]), (UCS & ~3) | 1);
}
END_TEST

/* ---- faults on the way ---- */

/* A broken gate for vector 0x20, and what its interrupt becomes. */
struct broken {
	void (*breaks)(void);
	unsigned vector;
	uint32_t error;			/* as int n sees it; an interrupt sets EXT too */
};

static void gate_absent(void) { machine_word(vm, AT_IDT + 0x20 * 8)[1] &= ~0x8000u; }
static void gate_type(void) { machine_gate(vm, 0x20, KCS, 0, 12, 0); }
static void idt_short(void) { c->idtr.limit = 0x20 * 8 + 6; }
static void cs_null(void) { machine_gate(vm, 0x20, 0, 0, 14, 0); }
static void cs_beyond(void) { machine_gate(vm, 0x20, 0x400, 0, 14, 0); }
static void cs_data(void) { machine_gate(vm, 0x20, KDS, 0, 14, 0); }
static void cs_absent(void) { machine_gate(vm, 0x20, SEL_KCS_ABSENT, 0, 14, 0); }
static void cs_outer(void) { machine_gate(vm, 0x20, UCS, 0, 14, 0); }

static const struct broken broken[] = {
	{ gate_absent, VEC_NP, 0x20 * 8 + 2 }, { gate_type, VEC_GP, 0x20 * 8 + 2 },
	{ idt_short, VEC_GP, 0x20 * 8 + 2 }, { cs_null, VEC_GP, 0 }, { cs_beyond, VEC_GP, 0x400 },
	{ cs_data, VEC_GP, KDS }, { cs_absent, VEC_NP, SEL_KCS_ABSENT }, { cs_outer, VEC_GP, UCS & ~3 },
};

START_TEST(broken_gate_of_a_software_interrupt)
{
	struct fault f;

	broken[_i].breaks();
	ck_assert(!trap_software(vm, 0x20, &f));
	ck_fault(f, broken[_i].vector, broken[_i].error);
	/* Nothing happened. */
	ck_assert_uint_eq(c->eip, AT_CODE);
	ck_assert_uint_eq(c->gpr[R_ESP], AT_STACK);
}
END_TEST

START_TEST(broken_gate_of_an_interrupt)
{
	broken[_i].breaks();
	trap_interrupt(vm, 0x20);
	ck_assert_uint_eq(c->eip, HANDLER(broken[_i].vector));
	ck_assert_uint_eq(*machine_word(vm, c->gpr[R_ESP]), broken[_i].error | 1);
}
END_TEST

static uint32_t *tss(void)
{
	return machine_word(vm, AT_TSS);
}

static void ss_null(void) { tss()[2] = 0; }
static void ss_beyond(void) { tss()[2] = 0x400; }
static void ss_rpl(void) { tss()[2] = KDS | 3; }
static void ss_dpl(void) { tss()[2] = UDS & ~3; }
static void ss_code(void) { tss()[2] = KCS; }
static void ss_read_only(void)
{
	machine_descriptor(vm, AT_GDT, SEL_FREE, 0, 0xfffff, SEG_P | SEG_S | 1 | SEG_DB | SEG_G);
	tss()[2] = SEL_FREE;
}
static void ss_absent(void) { tss()[2] = SEL_ABSENT; }
static void tss_short(void) { c->tr.limit = 10; }

/* SDM 2, INT: the new stack is refused by #TS, if it is absent by #SS. */
static const struct broken stacks[] = {
	{ ss_null, VEC_TS, 0 }, { ss_beyond, VEC_TS, 0x400 }, { ss_rpl, VEC_TS, KDS }, { ss_dpl, VEC_TS, UDS & ~3 },
	{ ss_code, VEC_TS, KCS }, { ss_read_only, VEC_TS, SEL_FREE }, { ss_absent, VEC_SS, SEL_ABSENT },
	{ tss_short, VEC_TS, SEL_TSS },
};

START_TEST(broken_stack)
{
	struct fault f;

	machine_user(vm, USER_EIP, USER_ESP);
	machine_gate(vm, 0x20, KCS, HANDLER(0x20), 14, 3);
	stacks[_i].breaks();
	ck_assert(!trap_software(vm, 0x20, &f));
	ck_fault(f, stacks[_i].vector, stacks[_i].error);
	ck_assert_uint_eq(c->cpl, 3);
	ck_assert_uint_eq(c->gpr[R_ESP], USER_ESP);
}
END_TEST

START_TEST(software_interrupts_need_the_right)
{
	struct fault f;

	machine_user(vm, USER_EIP, USER_ESP);
	ck_assert(!trap_software(vm, 0x20, &f));
	ck_fault(f, VEC_GP, 0x20 * 8 + 2);
	/* Exceptions and interrupts do not. */
	trap_interrupt(vm, 0x20);
	ck_assert_uint_eq(c->eip, HANDLER(0x20));
}
END_TEST

/* SDM 3, table 6-5. */
static const struct { unsigned first, seen; } pairs[] = {
	{ VEC_UD, VEC_NP },	/* benign, then contributory (#NP): the second */
	{ VEC_DE, VEC_DF },
	{ VEC_TS, VEC_DF },
	{ VEC_NP, VEC_DF },
	{ VEC_SS, VEC_DF },
	{ VEC_GP, VEC_DF },
	{ VEC_PF, VEC_DF },
	{ VEC_AC, VEC_NP },
};

START_TEST(double_faults)
{
	unsigned v = pairs[_i].first;

	machine_word(vm, AT_IDT + v * 8)[1] &= ~0x8000u;
	if (v == VEC_NP)
		machine_gate(vm, VEC_NP, KDS, 0, 14, 0);	/* #GP on the way */
	raise_fault(v, 0);
	ck_assert_uint_eq(c->eip, HANDLER(pairs[_i].seen));
	ck_assert_uint_eq(*machine_word(vm, c->gpr[R_ESP]), pairs[_i].seen == VEC_DF ? 0 : v * 8 + 3);
	ck_assert_int_eq(vm->ending, 0);
}
END_TEST

START_TEST(triple_fault)
{
	machine_word(vm, AT_IDT + VEC_DF * 8)[1] &= ~0x8000u;
	machine_word(vm, AT_IDT + VEC_GP * 8)[1] &= ~0x8000u;
	raise_fault(VEC_GP, 0);
	ck_assert_int_ne(vm->ending, 0);
	ck_assert_int_eq(vm->status, ST_TRIPLE);
}
END_TEST

START_TEST(triple_fault_resets)
{
	vm->cfg.reboot_exit = false;
	c->idtr.limit = 0;
	raise_fault(VEC_UD, 0);
	ck_assert_int_ne(vm->reset_wanted, 0);
	ck_assert_int_eq(vm->ending, 0);
}
END_TEST

/* An overflown kernel stack: #DF on its own stack is not to be had without task
 * gates, but CR2 says where (SDM 3, 6.15). */
START_TEST(page_fault_while_delivering_one)
{
	c->gpr[R_ESP] = ABSENT_PAGE + 8;
	raise_fault(VEC_PF, 0);
	ck_assert_int_eq(vm->status, ST_TRIPLE);
	ck_assert_uint_eq(c->cr2 & PAGE_MASK, ABSENT_PAGE);
}
END_TEST

START_TEST(page_fault_of_the_table)
{
	c->idtr.base = ABSENT_PAGE - 0x20 * 8;
	machine_user(vm, USER_EIP, USER_ESP);
	raise_fault(0x20, 0);
	/* The gate of #PF lies in the page before, which holds zeroes. */
	ck_assert_uint_eq(c->cr2, ABSENT_PAGE);
	ck_assert_int_eq(vm->status, ST_TRIPLE);
}
END_TEST

START_TEST(failed_delivery_changes_nothing)
{
	struct fault f;
	struct vcpu before;

	machine_user(vm, USER_EIP, USER_ESP);
	machine_gate(vm, 0x20, KCS, HANDLER(0x20), 14, 3);
	tss()[1] = ABSENT_PAGE + 0x100;
	before = *c;
	ck_assert(!trap_software(vm, 0x20, &f));
	ck_fault(f, VEC_PF, PF_W);
	ck_assert_uint_eq(f.cr2 & PAGE_MASK, ABSENT_PAGE);
	ck_assert(!memcmp(&before, c, sizeof before));
}
END_TEST

/* ---- iret ---- */

static enum interp_result iret(struct fault *f, unsigned size)
{
	struct insn insn = { .len = 1, .opsize = size, .opcode = 0xcf, .kind = IK_IRET };

	return trap_iret(vm, &insn, f);
}

static void put_frame(const uint32_t *w, unsigned n)
{
	c->gpr[R_ESP] = AT_STACK - 0x100;
	memcpy(machine_word(vm, c->gpr[R_ESP]), w, n * 4);
}
#define PUT_FRAME(...) \
	do { \
		const uint32_t frame_[] = { __VA_ARGS__ }; \
		put_frame(frame_, sizeof frame_ / sizeof *frame_); \
	} while (0)

START_TEST(iret_same_level)
{
	struct fault f;

	PUT_FRAME(0x12345678, KCS, FL_IF | FL_CF | FL_IOPL | FL_RF);
	ck_assert_int_eq(iret(&f, 4), INTERP_OK);
	ck_assert_uint_eq(c->eip, 0x12345678);
	ck_assert_uint_eq(c->gpr[R_ESP], AT_STACK - 0x100 + 12);
	ck_assert_uint_eq(c->eflags, FL_FIXED | FL_IF | FL_CF | FL_IOPL | FL_RF);
}
END_TEST

START_TEST(iret_16_bits)
{
	struct fault f;

	PUT_FRAME(0x5678 | KCS << 16, FL_IF | FL_CF);
	c->eflags |= FL_AC;
	ck_assert_int_eq(iret(&f, 2), INTERP_OK);
	ck_assert_uint_eq(c->eip, 0x5678);
	ck_assert_uint_eq(c->gpr[R_ESP], AT_STACK - 0x100 + 6);
	/* The upper half of the flags stays. */
	ck_assert_uint_eq(c->eflags, FL_FIXED | FL_IF | FL_CF | FL_AC);
}
END_TEST

START_TEST(iret_wraps_a_small_stack)
{
	struct fault f;

	c->seg[S_SS].attr &= ~SEG_DB;
	c->seg[S_SS].limit = 0xffff;
	c->gpr[R_ESP] = 0x7fff0000 | 0xfff4;
	memcpy(machine_word(vm, 0xfff4), (const uint32_t[]){ 0x1000, KCS, FL_IF }, 12);
	ck_assert_int_eq(iret(&f, 4), INTERP_OK);
	ck_assert_uint_eq(c->gpr[R_ESP], 0x7fff0000);
}
END_TEST

START_TEST(iret_to_user)
{
	struct fault f;

	PUT_FRAME(USER_EIP, UCS, FL_IF | FL_TF, USER_ESP, UDS);
	ck_assert(segment_load(vm, S_ES, UDS, &f));
	ck_assert_int_eq(iret(&f, 4), INTERP_STOP);
	ck_assert_uint_eq(c->cpl, 3);
	ck_assert_uint_eq(c->eip, USER_EIP);
	ck_assert_uint_eq(c->gpr[R_ESP], USER_ESP);
	ck_assert_uint_eq(c->seg[S_SS].sel, UDS);
	ck_assert_uint_eq(c->eflags, FL_FIXED | FL_IF | FL_TF);
	/* Segments of the kernel become null, those of user code stay. */
	ck_assert_uint_eq(c->seg[S_DS].sel, 0);
	ck_assert_uint_eq(c->seg[S_FS].attr, 0);
	ck_assert_uint_eq(c->seg[S_ES].sel, UDS);
}
END_TEST

START_TEST(iret_to_vm86)
{
	struct fault f;

	PUT_FRAME(0x789, 0x2222, FL_VM | FL_IF | FL_IOPL, 0xfff0, 0x3333, 0x1111, 0x4444, 0x5555, 0x6666);
	ck_assert_int_eq(iret(&f, 4), INTERP_STOP);
	ck_assert_uint_eq(c->eflags, FL_FIXED | FL_VM | FL_IF | FL_IOPL);
	ck_assert_uint_eq(c->cpl, 3);
	ck_assert_uint_eq(c->eip, 0x789);
	ck_assert_uint_eq(c->gpr[R_ESP], 0xfff0);
	ck_assert_uint_eq(c->seg[S_CS].base, 0x22220);
	ck_assert_uint_eq(c->seg[S_SS].sel, 0x3333);
	ck_assert_uint_eq(c->seg[S_ES].sel, 0x1111);
	ck_assert_uint_eq(c->seg[S_DS].sel, 0x4444);
	ck_assert_uint_eq(c->seg[S_FS].sel, 0x5555);
	ck_assert_uint_eq(c->seg[S_GS].base, 0x66660);
	ck_assert_uint_eq(c->seg[S_GS].limit, 0xffff);
}
END_TEST

static const struct { uint32_t cs, ss; unsigned vector; uint32_t error; } refusals[] = {
	{ 0, UDS, VEC_GP, 0 }, { 0x400, UDS, VEC_GP, 0x400 }, { KDS, UDS, VEC_GP, KDS },
	{ SEL_KCS_ABSENT, UDS, VEC_NP, SEL_KCS_ABSENT }, { KCS | 3, UDS, VEC_GP, KCS },
	{ UCS & ~3, UDS, VEC_GP, UCS & ~3 },
	{ UCS, 0, VEC_GP, 0 }, { UCS, 0x403, VEC_GP, 0x400 }, { UCS, KDS, VEC_GP, KDS },
	{ UCS, KDS | 3, VEC_GP, KDS }, { UCS, SEL_RO | 3, VEC_GP, SEL_RO }, { UCS, UCS, VEC_GP, UCS & ~3 },
	{ UCS, SEL_FREE | 3, VEC_SS, SEL_FREE },
};

START_TEST(iret_refusals)
{
	struct vcpu before;
	struct fault f;

	machine_descriptor(vm, AT_GDT, SEL_FREE, 0, 0xfffff, SEG_S | SEG_DPL | 3 | SEG_DB | SEG_G);
	PUT_FRAME(USER_EIP, refusals[_i].cs, FL_IF, USER_ESP, refusals[_i].ss);
	before = *c;
	ck_assert_int_eq(iret(&f, 4), INTERP_FAULT);
	ck_fault(f, refusals[_i].vector, refusals[_i].error);
	ck_assert(!memcmp(&before, c, sizeof before));
}
END_TEST

START_TEST(iret_of_user_code)
{
	struct fault f;

	machine_user(vm, USER_EIP, 0);
	PUT_FRAME(USER_EIP + 8, UCS, FL_CF | FL_IOPL);
	ck_assert_int_eq(iret(&f, 4), INTERP_OK);
	ck_assert_uint_eq(c->eip, USER_EIP + 8);
	/* Neither IF nor IOPL are its own to change. */
	ck_assert_uint_eq(c->eflags, FL_FIXED | FL_IF | FL_CF);
	PUT_FRAME(USER_EIP, KCS, 0);
	ck_assert_int_eq(iret(&f, 4), INTERP_FAULT);
	ck_fault(f, VEC_GP, KCS);
	/* Nor can it enter vm86 mode. */
	PUT_FRAME(USER_EIP, UCS, FL_VM);
	ck_assert_int_eq(iret(&f, 4), INTERP_OK);
	ck_assert(!(c->eflags & FL_VM));
}
END_TEST

START_TEST(iret_of_an_absent_stack)
{
	struct fault f;

	c->gpr[R_ESP] = ABSENT_PAGE;
	ck_assert_int_eq(iret(&f, 4), INTERP_FAULT);
	ck_fault(f, VEC_PF, 0);
	ck_assert_uint_eq(c->gpr[R_ESP], ABSENT_PAGE);
}
END_TEST

/* There and back. */
START_TEST(round_trip)
{
	struct fault f;
	struct vcpu before;

	machine_user(vm, USER_EIP, USER_ESP);
	c->eflags = FLAGS & ~FL_NT;
	before = *c;
	trap_interrupt(vm, 0x20);
	ck_assert_uint_eq(c->cpl, 0);
	ck_assert_int_eq(iret(&f, 4), INTERP_STOP);
	ck_assert(!memcmp(&before, c, sizeof before));
	enter_vm86(FL_IOPL);
	before = *c;
	trap_interrupt(vm, 0x20);
	ck_assert_int_eq(iret(&f, 4), INTERP_STOP);
	ck_assert(!memcmp(&before, c, sizeof before));
}
END_TEST

#define COUNT(table) ((int)(sizeof table / sizeof *table))

static TCase *delivery(void)
{
	TCase *tc = tcase_create("delivery");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, same_level);
	tcase_add_test(tc, trap_gate_keeps_interrupts);
	tcase_add_test(tc, gate_of_16_bits);
	tcase_add_test(tc, ends_halt_and_shadow);
	tcase_add_loop_test(tc, error_code, 0, 20);
	tcase_add_loop_test(tc, resume_flag, 0, 8);
	tcase_add_test(tc, from_user);
	tcase_add_test(tc, conforming_handler_stays_at_its_level);
	tcase_add_test(tc, from_vm86);
	tcase_add_test(tc, vm86_handler_must_be_of_level_0);
	return tc;
}

static TCase *refusing(void)
{
	TCase *tc = tcase_create("faults on the way");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, broken_gate_of_a_software_interrupt, 0, COUNT(broken));
	tcase_add_loop_test(tc, broken_gate_of_an_interrupt, 0, COUNT(broken));
	tcase_add_loop_test(tc, broken_stack, 0, COUNT(stacks));
	tcase_add_test(tc, software_interrupts_need_the_right);
	tcase_add_loop_test(tc, double_faults, 0, COUNT(pairs));
	tcase_add_test(tc, triple_fault);
	tcase_add_test(tc, triple_fault_resets);
	return tc;
}

static TCase *paged(void)
{
	TCase *tc = tcase_create("page faults on the way");

	tcase_add_checked_fixture(tc, paging_setup, teardown);
	tcase_add_test(tc, page_fault_while_delivering_one);
	tcase_add_test(tc, page_fault_of_the_table);
	tcase_add_test(tc, failed_delivery_changes_nothing);
	tcase_add_test(tc, iret_of_an_absent_stack);
	return tc;
}

static TCase *returns(void)
{
	TCase *tc = tcase_create("iret");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, iret_same_level);
	tcase_add_test(tc, iret_16_bits);
	tcase_add_test(tc, iret_wraps_a_small_stack);
	tcase_add_test(tc, iret_to_user);
	tcase_add_test(tc, iret_to_vm86);
	tcase_add_loop_test(tc, iret_refusals, 0, COUNT(refusals));
	tcase_add_test(tc, iret_of_user_code);
	tcase_add_test(tc, round_trip);
	return tc;
}

int main(void)
{
	Suite *s = suite_create("trap");

	suite_add_tcase(s, delivery());
	suite_add_tcase(s, refusing());
	suite_add_tcase(s, paged());
	suite_add_tcase(s, returns());
	return machine_suite(s);
}
