/* SPDX-License-Identifier: BSD-2-Clause */
/* The meaning of sensitive instructions (SDM 2). */
#include "machine.h"

#define DATA 0x00300000u

static struct vm *vm;
static struct vcpu *c;
static struct fault f;

static void setup(void)
{
	vm = machine_new();
	c = &vm->cpu;
	c->gpr[R_EBX] = DATA;
}

static void teardown(void)
{
	machine_free(vm);
}

static enum interp_result execute(const uint8_t *bytes, size_t n)
{
	struct insn insn;
	uint8_t buf[16] = { 0 };

	memcpy(buf, bytes, n);
	ck_assert_int_eq(insn_decode(&insn, buf, sizeof buf, c->eflags & FL_VM ? 16 : 32), (int)n);
	ck_assert_int_ne(insn.kind, IK_NONE);
	return emulate(vm, &insn, &f);
}
#define RUN(...) execute((const uint8_t[]){ __VA_ARGS__ }, sizeof (uint8_t[]){ __VA_ARGS__ })

#define ck_done(r, len) \
	do { \
		enum interp_result r_ = (r); \
		ck_assert(r_ == INTERP_OK || r_ == INTERP_STOP); \
		ck_assert_uint_eq(c->eip, AT_CODE + (len)); \
	} while (0)
#define ck_refused(r, v, e) \
	do { \
		ck_assert_int_eq((r), INTERP_FAULT); \
		ck_fault(f, (v), (e)); \
	} while (0)

static void vm86(uint32_t iopl)
{
	c->eflags = FL_FIXED | FL_VM | FL_IF | iopl;
	c->cpl = 3;
	c->seg[S_SS] = (struct segment){ 0x1000, 0xf3, 0x10000, 0xffff };
	c->gpr[R_ESP] = 0x100;
}

/* ---- privileged instructions ---- */

static const struct { uint8_t bytes[4]; unsigned n; } privileged[] = {
	{ { 0xf4 }, 1 }, { { 0x0f, 0x06 }, 2 }, { { 0x0f, 0x08 }, 2 }, { { 0x0f, 0x09 }, 2 },
	{ { 0x0f, 0x20, 0xc0 }, 3 }, { { 0x0f, 0x22, 0xd8 }, 3 }, { { 0x0f, 0x21, 0xf8 }, 3 },
	{ { 0x0f, 0x23, 0xf8 }, 3 }, { { 0x0f, 0x30 }, 2 }, { { 0x0f, 0x32 }, 2 },
	{ { 0x0f, 0x01, 0x13 }, 3 }, { { 0x0f, 0x01, 0x1b }, 3 }, { { 0x0f, 0x01, 0x3b }, 3 },
	{ { 0x0f, 0x01, 0xf0 }, 3 }, { { 0x0f, 0x00, 0xd0 }, 3 }, { { 0x0f, 0x00, 0xd8 }, 3 },
	{ { 0x0f, 0x35 }, 2 }, { { 0xfa }, 1 }, { { 0xfb }, 1 }, { { 0xe4, 0x80 }, 2 }, { { 0xee }, 1 },
	{ { 0x6c }, 1 }, { { 0xf3, 0x6f }, 2 },
};

START_TEST(refused_to_user_code)
{
	struct vcpu before;

	machine_user(vm, AT_CODE, AT_STACK);
	before = *c;
	ck_refused(execute(privileged[_i].bytes, privileged[_i].n), VEC_GP, 0);
	ck_assert(!memcmp(&before, c, sizeof before));
}
END_TEST

/* ---- flags ---- */

START_TEST(pushf_and_popf)
{
	c->eflags = FL_FIXED | FL_IF | FL_IOPL | FL_RF | FL_CF;
	ck_done(RUN(0x9c), 1);
	ck_assert_uint_eq(c->gpr[R_ESP], AT_STACK - 4);
	ck_assert_uint_eq(*machine_word(vm, AT_STACK - 4), FL_FIXED | FL_IF | FL_IOPL | FL_CF);
	*machine_word(vm, AT_STACK - 4) = FL_ZF | FL_ID | FL_VM | FL_AC | FL_IF;
	c->eip = AT_CODE;
	ck_done(RUN(0x9d), 1);
	ck_assert_uint_eq(c->gpr[R_ESP], AT_STACK);
	ck_assert_uint_eq(c->eflags & ~FL_RF, FL_FIXED | FL_ZF | FL_ID | FL_AC | FL_IF);
}
END_TEST

START_TEST(popf_of_user_code)
{
	machine_user(vm, AT_CODE, AT_STACK - 4);
	*machine_word(vm, AT_STACK - 4) = FL_IOPL | FL_DF;
	ck_done(RUN(0x9d), 1);
	ck_assert_uint_eq(c->eflags, FL_FIXED | FL_IF | FL_DF);
	/* With IOPL 3, IF is its own, IOPL still not. */
	c->eflags |= FL_IOPL;
	c->eip = AT_CODE;
	c->gpr[R_ESP] = AT_STACK - 4;
	*machine_word(vm, AT_STACK - 4) = 0;
	ck_done(RUN(0x9d), 1);
	ck_assert_uint_eq(c->eflags, FL_FIXED | FL_IOPL);
}
END_TEST

START_TEST(cli_sti)
{
	c->eflags |= FL_IF;
	ck_done(RUN(0xfa), 1);
	ck_assert(!(c->eflags & FL_IF) && !c->shadow);
	c->eip = AT_CODE;
	ck_done(RUN(0xfb), 1);
	ck_assert((c->eflags & FL_IF) && c->shadow && !vcpu_interruptible(c));
	/* Set already: no shadow. */
	c->shadow = false;
	c->eip = AT_CODE;
	ck_done(RUN(0xfb), 1);
	ck_assert(vcpu_interruptible(c));
}
END_TEST

START_TEST(hlt)
{
	ck_assert_int_eq(RUN(0xf4), INTERP_STOP);
	ck_assert(c->halted);
	ck_assert_uint_eq(c->eip, AT_CODE + 1);
}
END_TEST

/* ---- vm86 (SDM 3, 20.2) ---- */

static const struct { uint8_t bytes[3]; unsigned n; } sensitive[] = {
	{ { 0x9c }, 1 }, { { 0x9d }, 1 }, { { 0xfa }, 1 }, { { 0xfb }, 1 }, { { 0xcd, 0x21 }, 2 },
	{ { 0xcd, 0x03 }, 2 }, { { 0xcf }, 1 },
};

START_TEST(vm86_needs_iopl_3)
{
	vm86(0);
	ck_refused(execute(sensitive[_i].bytes, sensitive[_i].n), VEC_GP, 0);
	ck_assert_uint_eq(c->eip, AT_CODE);
}
END_TEST

/* int3 and into do not. */
START_TEST(vm86_exceptions)
{
	vm86(0);
	c->eflags |= FL_OF;
	c->eip = 0x100;
	machine_gate(vm, VEC_OF, KCS, 0x1000, 14, 3);
	ck_assert_int_eq(RUN(0xce), INTERP_STOP);
	ck_assert_uint_eq(c->eip, 0x1000);
	ck_assert_uint_eq(c->cpl, 0);
}
END_TEST

static const struct { uint8_t bytes[3]; } unknown_there[] = {
	{ { 0x0f, 0x00, 0xc0 } }, { { 0x0f, 0x00, 0xc8 } }, { { 0x0f, 0x00, 0xd0 } }, { { 0x0f, 0x00, 0xd8 } },
	{ { 0x0f, 0x00, 0xe0 } }, { { 0x0f, 0x00, 0xe8 } }, { { 0x0f, 0x02, 0xc3 } }, { { 0x0f, 0x03, 0xc3 } },
};

START_TEST(vm86_knows_no_descriptors)
{
	vm86(FL_IOPL);
	ck_refused(execute(unknown_there[_i].bytes, 3), VEC_UD, 0);
}
END_TEST

/* ---- segment registers and descriptors ---- */

START_TEST(selectors)
{
	c->gpr[R_EAX] = 0x12340000 | UDS;
	ck_done(RUN(0x8e, 0xc0), 2);			/* mov %ax,%es */
	ck_assert_uint_eq(c->seg[S_ES].sel, UDS);
	c->eip = AT_CODE;
	ck_done(RUN(0x8c, 0xc1), 2);			/* mov %es,%ecx: the upper half is cleared */
	ck_assert_uint_eq(c->gpr[R_ECX], UDS);
	c->eip = AT_CODE;
	c->gpr[R_ECX] = 0xffffffff;
	ck_done(RUN(0x66, 0x8c, 0xc1), 3);		/* with 16 bits it stays */
	ck_assert_uint_eq(c->gpr[R_ECX], 0xffff0000 | UDS);
	*machine_word(vm, DATA) = 0xffffffff;
	c->eip = AT_CODE;
	ck_done(RUN(0x8c, 0x03), 2);			/* memory gets two bytes */
	ck_assert_uint_eq(*machine_word(vm, DATA), 0xffff0000 | UDS);
}
END_TEST

START_TEST(push_and_pop)
{
	c->seg[S_FS].sel = UDS;
	ck_done(RUN(0x0f, 0xa0), 2);			/* push %fs */
	ck_assert_uint_eq(c->gpr[R_ESP], AT_STACK - 4);
	ck_assert_uint_eq(*machine_word(vm, AT_STACK - 4) & 0xffff, UDS);
	c->eip = AT_CODE;
	ck_done(RUN(0x07), 1);				/* pop %es */
	ck_assert_uint_eq(c->seg[S_ES].sel, UDS);
	ck_assert_uint_eq(c->gpr[R_ESP], AT_STACK);
	/* pop %ss keeps interrupts away from the next instruction. */
	*machine_word(vm, AT_STACK) = KDS;
	c->eip = AT_CODE;
	ck_done(RUN(0x17), 1);
	ck_assert(c->shadow);
	/* A refused load leaves the stack alone. */
	*machine_word(vm, AT_STACK + 4) = 0x400;
	ck_refused(RUN(0x07), VEC_GP, 0x400);
	ck_assert_uint_eq(c->gpr[R_ESP], AT_STACK + 4);
}
END_TEST

START_TEST(far_pointers)
{
	*machine_word(vm, DATA) = 0x11223344;
	*machine_word(vm, DATA + 4) = UDS;
	ck_done(RUN(0x0f, 0xb4, 0x0b), 3);		/* lfs (%ebx),%ecx */
	ck_assert_uint_eq(c->seg[S_FS].sel, UDS);
	ck_assert_uint_eq(c->gpr[R_ECX], 0x11223344);
	*machine_word(vm, DATA + 4) = SEL_ABSENT;
	ck_refused(RUN(0xc4, 0x13), VEC_NP, SEL_ABSENT);	/* les (%ebx),%edx */
	ck_assert_uint_eq(c->gpr[R_EDX], 0x106ca);
}
END_TEST

START_TEST(tables)
{
	machine_code(vm, DATA, 0x34, 0x12, 0x78, 0x56, 0x34, 0x12);
	ck_done(RUN(0x0f, 0x01, 0x13), 3);		/* lgdt (%ebx) */
	ck_assert_uint_eq(c->gdtr.limit, 0x1234);
	ck_assert_uint_eq(c->gdtr.base, 0x12345678);
	c->gpr[R_EBX] = DATA + 0x10;
	c->eip = AT_CODE;
	ck_done(RUN(0x0f, 0x01, 0x03), 3);		/* sgdt (%ebx) */
	ck_assert_int_eq(memcmp(vm->ram.base + DATA, vm->ram.base + DATA + 0x10, 6), 0);
	c->gpr[R_EBX] = DATA;
	c->eip = AT_CODE;
	ck_done(RUN(0x66, 0x0f, 0x01, 0x1b), 4);	/* lidtw (%ebx): 24 bits of base */
	ck_assert_uint_eq(c->idtr.base, 0x345678);
}
END_TEST

START_TEST(task_register)
{
	c->gpr[R_EAX] = SEL_TSS;
	ck_done(RUN(0x0f, 0x00, 0xd8), 3);		/* ltr %ax */
	ck_assert_uint_eq(*machine_word(vm, AT_GDT + SEL_TSS + 4) >> 8 & 0xf, 11);
	ck_refused(RUN(0x0f, 0x00, 0xd8), VEC_GP, SEL_TSS);	/* busy now */
	c->gpr[R_EAX] = KDS;
	ck_refused(RUN(0x0f, 0x00, 0xd8), VEC_GP, KDS);
	ck_refused(RUN(0x0f, 0x00, 0xd0), VEC_GP, KDS);		/* lldt %ax */
	c->gpr[R_EAX] = 0;
	ck_refused(RUN(0x0f, 0x00, 0xd8), VEC_GP, 0);
	c->eip = AT_CODE;
	ck_done(RUN(0x0f, 0x00, 0xd0), 3);
	ck_assert_uint_eq(c->ldtr.sel, 0);
}
END_TEST

/* lar, lsl, verr, verw: what is visible at the level. */
static const struct { uint16_t sel; unsigned cpl; bool lar, lsl, verr, verw; } views[] = {
	{ KDS, 0, true, true, true, true }, { KDS, 3, false, false, false, false },
	{ UDS, 3, true, true, true, true }, { SEL_RO | 3, 3, true, true, true, false },
	{ KCS, 0, true, true, true, false }, { SEL_XO, 0, true, true, false, false },
	{ SEL_CONFORMING | 3, 3, true, true, true, false }, { SEL_TSS, 0, true, true, false, false },
	{ SEL_LDT, 0, true, true, false, false }, { 0, 0, false, false, false, false },
	{ 0x400, 0, false, false, false, false }, { SEL_ABSENT, 0, true, true, true, true },
};

START_TEST(visibility)
{
	static const uint8_t code[4][3] = {
		{ 0x0f, 0x02, 0xc8 }, { 0x0f, 0x03, 0xc8 }, { 0x0f, 0x00, 0xe0 }, { 0x0f, 0x00, 0xe8 },
	};
	const bool want[4] = { views[_i].lar, views[_i].lsl, views[_i].verr, views[_i].verw };
	unsigned i;

	if (views[_i].cpl == 3)
		machine_user(vm, AT_CODE, AT_STACK);
	c->gpr[R_EAX] = views[_i].sel;
	for (i = 0; i < 4; i++) {
		c->gpr[R_ECX] = 0x77777777;
		c->eip = AT_CODE;
		ck_done(execute(code[i], 3), 3);
		ck_assert_msg(!(c->eflags & FL_ZF) == !want[i], "instruction %u", i);
		if (i < 2 && !want[i])
			ck_assert_uint_eq(c->gpr[R_ECX], 0x77777777);
	}
}
END_TEST

START_TEST(limit_and_rights)
{
	c->gpr[R_EAX] = SEL_SMALL;
	ck_done(RUN(0x0f, 0x03, 0xc8), 3);
	ck_assert_uint_eq(c->gpr[R_ECX], 0xffff);
	c->gpr[R_EAX] = KDS;
	c->eip = AT_CODE;
	ck_done(RUN(0x0f, 0x03, 0xc8), 3);
	ck_assert_uint_eq(c->gpr[R_ECX], 0xffffffff);
	c->eip = AT_CODE;
	ck_done(RUN(0x0f, 0x02, 0xc8), 3);
	ck_assert_uint_eq(c->gpr[R_ECX] & 0xf0ff00, 0xc09300);
}
END_TEST

/* ---- control and debug registers, MSRs ---- */

START_TEST(control_registers)
{
	c->gpr[R_EAX] = 0x123000;
	ck_assert_int_eq(RUN(0x0f, 0x22, 0xd8), INTERP_STOP);
	ck_assert_uint_eq(c->cr3, 0x123000);
	c->gpr[R_EAX] = CR0_PG;				/* paging without protection */
	ck_refused(RUN(0x0f, 0x22, 0xc0), VEC_GP, 0);
	c->gpr[R_EAX] = CR0_PE | CR0_NW;
	ck_refused(RUN(0x0f, 0x22, 0xc0), VEC_GP, 0);
	c->gpr[R_EAX] = CR4_VME;			/* not offered */
	ck_refused(RUN(0x0f, 0x22, 0xe0), VEC_GP, 0);
	c->cr2 = 0x1234;
	c->eip = AT_CODE;
	ck_done(RUN(0x0f, 0x20, 0xd1), 3);
	ck_assert_uint_eq(c->gpr[R_ECX], 0x1234);
}
END_TEST

START_TEST(machine_status_word)
{
	c->gpr[R_EAX] = CR0_TS | CR0_MP;		/* PE cannot be cleared */
	ck_done(RUN(0x0f, 0x01, 0xf0), 3);
	ck_assert_uint_eq(c->cr0 & 0xf, CR0_PE | CR0_MP | CR0_TS);
	c->eip = AT_CODE;
	ck_done(RUN(0x0f, 0x06), 2);			/* clts */
	ck_assert_uint_eq(c->cr0 & 0xf, CR0_PE | CR0_MP);
	c->eip = AT_CODE;
	ck_done(RUN(0x0f, 0x01, 0xe1), 3);		/* smsw %ecx */
	ck_assert_uint_eq(c->gpr[R_ECX], c->cr0);
}
END_TEST

START_TEST(debug_registers)
{
	c->gpr[R_EAX] = 0xffffffff;
	ck_done(RUN(0x0f, 0x23, 0xf8), 3);		/* dr7: fixed bits */
	ck_assert_uint_eq(c->dr[7] & 0xdc00, 0x400);
	c->eip = AT_CODE;
	c->gpr[R_EAX] = 0;
	ck_done(RUN(0x0f, 0x23, 0xe0), 3);		/* dr4 is dr6 */
	ck_assert_uint_eq(c->dr[6], 0xffff0ff0);
	c->cr4 |= CR4_DE;
	ck_refused(RUN(0x0f, 0x23, 0xe0), VEC_UD, 0);
}
END_TEST

START_TEST(model_specific_registers)
{
	c->gpr[R_ECX] = 0x176;
	c->gpr[R_EAX] = 0xc0101234;
	c->gpr[R_EDX] = 0;
	ck_done(RUN(0x0f, 0x30), 2);
	ck_assert_uint_eq(c->sysenter_eip, 0xc0101234);
	c->gpr[R_EAX] = 0;
	c->eip = AT_CODE;
	ck_done(RUN(0x0f, 0x32), 2);
	ck_assert_uint_eq(c->gpr[R_EAX], 0xc0101234);
	c->gpr[R_ECX] = 0xdeadbeef;
	ck_refused(RUN(0x0f, 0x32), VEC_GP, 0);
}
END_TEST

START_TEST(sysexit)
{
	c->gpr[R_ECX] = 0x2000;
	c->gpr[R_EDX] = 0x3000;
	ck_refused(RUN(0x0f, 0x35), VEC_GP, 0);		/* not set up */
	c->sysenter_cs = KCS;
	ck_assert_int_eq(RUN(0x0f, 0x35), INTERP_STOP);
	ck_assert_uint_eq(c->cpl, 3);
	ck_assert_uint_eq(c->eip, 0x3000);
	ck_assert_uint_eq(c->gpr[R_ESP], 0x2000);
	ck_assert_uint_eq(c->seg[S_CS].sel, (KCS + 16) | 3);
	ck_assert_uint_eq(c->seg[S_SS].sel, (KCS + 24) | 3);
}
END_TEST

START_TEST(invlpg)
{
	struct walk w;

	machine_paging(vm);
	machine_map(vm, c->cr3, 0x40000000, DATA, PTE_P | PTE_W | PTE_A | PTE_D);
	ck_assert(mmu_probe(vm, GVA(0x40000000), &w));
	ck_assert(view_fill(&vm->kview, 0x40000000, &w));
	machine_map(vm, c->cr3, 0x40000000, 0, 0);
	machine_forget();
	c->gpr[R_EBX] = 0x40000123;
	ck_done(RUN(0x0f, 0x01, 0x3b), 3);
	ck_assert_str_eq(machine_calls(), "unmap 0 40000000+1000\n");
}
END_TEST

/* ---- ports ---- */

START_TEST(ports)
{
	c->gpr[R_EAX] = 0x11223344;
	ck_done(RUN(0xe6, 0x21), 2);			/* the mask of the first 8259 */
	c->gpr[R_EAX] = 0x11223300;
	c->eip = AT_CODE;
	ck_done(RUN(0xe4, 0x21), 2);
	ck_assert_uint_eq(c->gpr[R_EAX], 0x11223344);
	/* Nobody there */
	c->gpr[R_EDX] = 0xabc0;
	c->eip = AT_CODE;
	ck_done(RUN(0xed), 1);
	ck_assert_uint_eq(c->gpr[R_EAX], 0xffffffff);
}
END_TEST

START_TEST(port_permission)
{
	uint8_t *map = vm->ram.base + AT_TSS + 0x68;

	machine_user(vm, AT_CODE, AT_STACK);
	map[0x21 / 8] &= ~(1 << (0x21 & 7));
	ck_done(RUN(0xe4, 0x21), 2);
	ck_refused(RUN(0xe5, 0x21), VEC_GP, 0);		/* all four must be allowed */
	ck_refused(RUN(0xe4, 0x22), VEC_GP, 0);
	c->tr.limit = 0x67;				/* no bitmap */
	ck_refused(RUN(0xe4, 0x21), VEC_GP, 0);
	c->eflags |= FL_IOPL;
	c->eip = AT_CODE;
	ck_done(RUN(0xe4, 0x22), 2);
}
END_TEST

START_TEST(string_ports)
{
	c->gpr[R_EDX] = 0x21;
	c->gpr[R_EDI] = DATA;
	c->gpr[R_ECX] = 3;
	ck_done(RUN(0xf3, 0x6c), 2);			/* rep insb */
	ck_assert_uint_eq(c->gpr[R_ECX], 0);
	ck_assert_uint_eq(c->gpr[R_EDI], DATA + 3);
	*machine_word(vm, DATA) = 0x00000055;
	c->gpr[R_ESI] = DATA;
	c->eflags |= FL_DF;
	c->eip = AT_CODE;
	ck_done(RUN(0x6e), 1);				/* outsb, downwards */
	ck_assert_uint_eq(c->gpr[R_ESI], DATA - 1);
	c->eip = AT_CODE;
	ck_done(RUN(0xe4, 0x21), 2);
	ck_assert_uint_eq(c->gpr[R_EAX] & 0xff, 0x55);
}
END_TEST

/* ---- others ---- */

START_TEST(bound)
{
	machine_word(vm, DATA)[0] = -5;
	machine_word(vm, DATA)[1] = 5;
	c->gpr[R_EAX] = -5;
	ck_done(RUN(0x62, 0x03), 2);
	c->gpr[R_EAX] = 6;
	ck_refused(RUN(0x62, 0x03), VEC_BR, 0);
	c->gpr[R_EAX] = -6;
	ck_refused(RUN(0x62, 0x03), VEC_BR, 0);
}
END_TEST

START_TEST(far_call_and_return)
{
	/* lcall $KCS,$0x1234 */
	ck_assert_int_eq(RUN(0x9a, 0x34, 0x12, 0, 0, KCS, 0), INTERP_OK);
	ck_assert_uint_eq(c->eip, 0x1234);
	ck_assert_uint_eq(*machine_word(vm, AT_STACK - 8), AT_CODE + 7);
	ck_assert_uint_eq(*machine_word(vm, AT_STACK - 4), KCS);
	ck_assert_int_eq(RUN(0xcb), INTERP_OK);
	ck_assert_uint_eq(c->eip, AT_CODE + 7);
	ck_assert_uint_eq(c->gpr[R_ESP], AT_STACK);
	ck_refused(RUN(0xea, 0x34, 0x12, 0, 0, KDS, 0), VEC_GP, KDS);
	ck_refused(RUN(0xea, 0x34, 0x12, 0, 0, SEL_KCS_ABSENT, 0), VEC_NP, SEL_KCS_ABSENT);
	ck_refused(RUN(0xea, 0x34, 0x12, 0, 0, 0, 0), VEC_GP, 0);
}
END_TEST

START_TEST(cpuid)
{
	c->gpr[R_EAX] = 0;
	ck_done(RUN(0x0f, 0xa2), 2);
	ck_assert_int_eq(memcmp(&c->gpr[R_EBX], "Genu", 4), 0);
	/* Nothing is advertised that the host, or we, do not have. */
	c->gpr[R_EAX] = 1;
	c->eip = AT_CODE;
	ck_done(RUN(0x0f, 0xa2), 2);
	ck_assert_uint_eq(c->gpr[R_ECX] & ~(1u << 31), 0);
	ck_assert_uint_eq(c->gpr[R_EDX] & (1u << 9 | 1u << 12 | 1u << 17), 0);
}
END_TEST

/* What is not advertised is no instruction. */
START_TEST(not_offered)
{
	ck_refused(RUN(0x0f, 0x01, 0xd0), VEC_UD, 0);		/* xgetbv */
	ck_refused(RUN(0x0f, 0x01, 0xc1), VEC_UD, 0);		/* vmcall */
	ck_refused(RUN(0x0f, 0x01, 0xc8), VEC_UD, 0);		/* monitor */
	ck_refused(RUN(0x0f, 0x05), VEC_UD, 0);			/* syscall */
	ck_refused(RUN(0x0f, 0xae, 0x23), VEC_UD, 0);		/* xsave (%ebx) */
}
END_TEST

/* What the model lacks is none either; a 486 keeps ID at zero. */
START_TEST(model_486)
{
	vm->model = cpu_model_find("486");
	cpu_reset(vm);
	c->cr0 = CR0_PE;
	ck_assert_uint_eq(c->gpr[R_EDX] >> 8, 4);
	ck_refused(RUN(0x0f, 0xa2), VEC_UD, 0);			/* cpuid */
	ck_refused(RUN(0x0f, 0x20, 0xe0), VEC_UD, 0);		/* mov %cr4, %eax */
	ck_refused(RUN(0x0f, 0x22, 0xe0), VEC_UD, 0);
	ck_refused(RUN(0x0f, 0x31), VEC_UD, 0);			/* rdtsc */
	ck_refused(RUN(0x0f, 0x32), VEC_UD, 0);			/* rdmsr */
	ck_refused(RUN(0x0f, 0x34), VEC_UD, 0);			/* sysenter */
	ck_refused(RUN(0x0f, 0xae, 0x03), VEC_UD, 0);		/* fxsave (%ebx) */
	cpu_set_flags(c, FL_ID | FL_AC, FL_ID | FL_AC);
	ck_assert_uint_eq(c->eflags & (FL_ID | FL_AC), FL_AC);
}
END_TEST

static const struct { const char *name; uint32_t cr4, refused; } cr4_bits[] = {
	{ "pentium", CR4_TSD | CR4_DE | CR4_PSE, CR4_PAE },
	{ "pentium", 0, CR4_PGE },
	{ "pentium", 0, CR4_OSFXSR },
	{ "pentium2", CR4_PAE | CR4_PGE | CR4_OSFXSR, CR4_OSXMMEXCPT },
	{ "pentium3", CR4_OSFXSR | CR4_OSXMMEXCPT, CR4_VME },
	{ "686", CR4_PAE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT, CR4_MCE },
};

/* CR4 takes what the model shows, and refuses the rest. */
START_TEST(model_cr4)
{
	vm->model = cpu_model_find(cr4_bits[_i].name);
	ck_assert(cpu_set_cr4(vm, cr4_bits[_i].cr4));
	ck_assert(!cpu_set_cr4(vm, cr4_bits[_i].cr4 | cr4_bits[_i].refused));
	ck_assert_uint_eq(c->cr4, cr4_bits[_i].cr4);
}
END_TEST

static const struct { const char *name; uint32_t msr; bool there; } model_msrs[] = {
	{ "pentium", 0x10, true }, { "pentium", 0x174, false }, { "pentium", 0x277, false },
	{ "pentium2", 0x174, true }, { "pentium2", 0x277, true }, { "pentium2", 0x1a0, false },
	{ "pentium3", 0xc0000080, false }, { "686", 0xc0000080, true }, { "686", 0x1a0, true },
};

START_TEST(model_msr)
{
	uint64_t v;

	vm->model = cpu_model_find(model_msrs[_i].name);
	ck_assert_int_eq(cpu_rdmsr(vm, model_msrs[_i].msr, &v), model_msrs[_i].there);
	ck_assert_int_eq(cpu_wrmsr(vm, model_msrs[_i].msr, 0), model_msrs[_i].there);
	/* EFER has NXE only. */
	ck_assert(!cpu_wrmsr(vm, 0xc0000080, 1));
}
END_TEST

#define COUNT(table) ((int)(sizeof table / sizeof *table))

static TCase *flags(void)
{
	TCase *tc = tcase_create("flags and privilege");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, refused_to_user_code, 0, COUNT(privileged));
	tcase_add_test(tc, pushf_and_popf);
	tcase_add_test(tc, popf_of_user_code);
	tcase_add_test(tc, cli_sti);
	tcase_add_test(tc, hlt);
	tcase_add_loop_test(tc, vm86_needs_iopl_3, 0, COUNT(sensitive));
	tcase_add_test(tc, vm86_exceptions);
	tcase_add_loop_test(tc, vm86_knows_no_descriptors, 0, COUNT(unknown_there));
	return tc;
}

static TCase *segments(void)
{
	TCase *tc = tcase_create("segments and tables");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, selectors);
	tcase_add_test(tc, push_and_pop);
	tcase_add_test(tc, far_pointers);
	tcase_add_test(tc, tables);
	tcase_add_test(tc, task_register);
	tcase_add_loop_test(tc, visibility, 0, COUNT(views));
	tcase_add_test(tc, limit_and_rights);
	tcase_add_test(tc, far_call_and_return);
	return tc;
}

static TCase *system_state(void)
{
	TCase *tc = tcase_create("registers and ports");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, control_registers);
	tcase_add_test(tc, machine_status_word);
	tcase_add_test(tc, debug_registers);
	tcase_add_test(tc, model_specific_registers);
	tcase_add_test(tc, sysexit);
	tcase_add_test(tc, invlpg);
	tcase_add_test(tc, ports);
	tcase_add_test(tc, port_permission);
	tcase_add_test(tc, string_ports);
	tcase_add_test(tc, bound);
	tcase_add_test(tc, cpuid);
	tcase_add_test(tc, not_offered);
	tcase_add_test(tc, model_486);
	tcase_add_loop_test(tc, model_cr4, 0, COUNT(cr4_bits));
	tcase_add_loop_test(tc, model_msr, 0, COUNT(model_msrs));
	return tc;
}

int main(void)
{
	Suite *s = suite_create("emulate");

	suite_add_tcase(s, flags());
	suite_add_tcase(s, segments());
	suite_add_tcase(s, system_state());
	return machine_suite(s);
}
