/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest user mode: address spaces and their children, selectors, events. */
#include "machine.h"

#define CODE 0x08048000u
#define CODE_PA 0x00500000u
#define DATA 0x08100000u
#define DATA_PA 0x00580000u
#define STACK_TOP 0x08200000u
#define STACK_PA 0x005c0000u
#define LEAF (PTE_P | PTE_W | PTE_U | PTE_A | PTE_D)
#define HANDLER(v) (AT_HANDLERS + 16 * (v))

static struct vm *vm;
static struct vcpu *c;

static void map(uint32_t va, uint32_t pa, uint32_t flags)
{
	machine_map(vm, c->cr3, va, pa, flags);
}

static void setup(void)
{
	vm = machine_new();
	c = &vm->cpu;
	machine_paging(vm);
	map(CODE, CODE_PA, LEAF);
	map(STACK_TOP - PAGE_SIZE, STACK_PA, LEAF);
	machine_gate(vm, 0x80, KCS, HANDLER(0x80), 15, 3);
	machine_gate(vm, VEC_BP, KCS, HANDLER(VEC_BP), 14, 3);
	machine_gate(vm, VEC_OF, KCS, HANDLER(VEC_OF), 14, 3);
	machine_user(vm, CODE, STACK_TOP - 64);
}

static void teardown(void)
{
	machine_free(vm);
}

static const struct user_event kick = { .kind = UE_KICK };

static struct user_event trap(unsigned vector, uint32_t cr2, uint32_t error)
{
	return (struct user_event){ .kind = UE_TRAP, .vector = vector, .cr2 = cr2, .error = error };
}

static const struct fake_run *last_run(void)
{
	ck_assert_uint_gt(fake_host()->played, 0);
	return &fake_host()->runs[fake_host()->played - 1];
}

/* The guest was entered at vector v from user mode. */
static void check_delivered(unsigned v)
{
	ck_assert_int_eq(vm->ending, 0);
	ck_assert_uint_eq(c->cpl, 0);
	ck_assert_uint_eq(c->eip, HANDLER(v));
}

/* Word n of the frame there. */
static uint32_t frame(unsigned n)
{
	return *machine_word(vm, c->gpr[R_ESP] + 4 * n);
}

/* ---- running ---- */

START_TEST(registers)
{
	const struct user_regs *r;

	c->gpr[R_EAX] = 0x11;
	c->eflags = FL_FIXED | FL_CF | FL_TF | FL_IF | FL_IOPL | FL_AC;
	machine_script(kick, NULL);
	user_run(vm);
	r = &last_run()->seen;
	ck_assert_uint_eq(r->eip, CODE);
	ck_assert_uint_eq(r->gpr[R_EAX], 0x11);
	/* The guest's IOPL must not reach the host. */
	ck_assert_uint_eq(r->eflags, FL_FIXED | FL_CF | FL_TF | FL_IF | FL_AC);
	ck_assert_uint_eq(r->sel[S_CS], (UCS & ~7) | 7);
	ck_assert_uint_eq(r->sel[S_DS], (UDS & ~7) | 7);
	ck_assert_uint_eq(r->sel[S_FS], 0);
	ck_assert_uint_eq(c->eflags, FL_FIXED | FL_CF | FL_TF | FL_IF | FL_IOPL | FL_AC);
	ck_assert_uint_eq(c->cpl, 3);
}
END_TEST

static void advance(struct user_regs *r)
{
	r->gpr[R_EDX] = 0x22;
	r->eip += 5;
	r->eflags = FL_FIXED | FL_IF | FL_ZF;
}

START_TEST(registers_back)
{
	c->eflags &= ~FL_IF;
	machine_script(kick, advance);
	user_run(vm);
	ck_assert_uint_eq(c->eip, CODE + 5);
	ck_assert_uint_eq(c->gpr[R_EDX], 0x22);
	/* IF is the guest's own. */
	ck_assert_uint_eq(c->eflags, FL_FIXED | FL_ZF);
}
END_TEST

START_TEST(no_fpu)
{
	c->cr0 |= CR0_TS;
	user_run(vm);
	check_delivered(VEC_NM);
	ck_assert_uint_eq(fake_host()->created, 0);
}
END_TEST

/* The LDT of the child changes only when a segment does. */
START_TEST(segments_are_set_once)
{
	unsigned n;

	machine_script(kick, NULL);
	machine_script(kick, NULL);
	user_run(vm);
	n = fake_host()->ncalls;
	ck_assert_uint_gt(n, 0);
	user_run(vm);
	ck_assert_uint_eq(fake_host()->ncalls, n);
}
END_TEST

/* A thread's TLS segment. */
START_TEST(tls_base)
{
	const struct fake_call *call;
	struct fault f;

	machine_descriptor(vm, AT_GDT, SEL_FREE, 0x12345000, 0xfffff,
			   SEG_P | SEG_S | SEG_DPL | 3 | SEG_DB | SEG_G);
	ck_assert(segment_load(vm, S_GS, SEL_FREE | 3, &f));
	machine_script(kick, NULL);
	machine_script(kick, NULL);
	user_run(vm);
	ck_assert_uint_eq(last_run()->seen.sel[S_GS], SEL_FREE | 7);
	ck_assert_uint_eq(last_run()->seen.gsbase, 0x12345000);
	/* The next thread's: user code may load the selector again. */
	c->seg[S_GS].base = 0x23456000;
	user_run(vm);
	ck_assert_uint_eq(last_run()->seen.gsbase, 0x23456000);
	call = &fake_host()->calls[fake_host()->ncalls - 1];
	ck_assert_uint_eq(call->op, FAKE_LDT);
	ck_assert_uint_eq(call->va, SEL_FREE >> 3);
	ck_assert_uint_eq(call->segment.base, 0x23456000);
}
END_TEST

/* ---- events ---- */

static void past_int(struct user_regs *r)
{
	r->eip += 2;
}

START_TEST(system_call)
{
	machine_script((struct user_event){ .kind = UE_INT80 }, past_int);
	user_run(vm);
	check_delivered(0x80);
	ck_assert_uint_eq(frame(0), CODE + 2);
	ck_assert_uint_eq(frame(1), UCS);
}
END_TEST

START_TEST(system_call_that_the_guest_refuses)
{
	machine_gate(vm, 0x80, KCS, HANDLER(0x80), 15, 0);
	machine_script((struct user_event){ .kind = UE_INT80 }, past_int);
	user_run(vm);
	check_delivered(VEC_GP);
	ck_assert_uint_eq(frame(0), 0x80 * 8 + 2);
	ck_assert_uint_eq(frame(1), CODE);
}
END_TEST

/* The host replaces cs and ss of a sysenter. */
static void sysenter_regs(struct user_regs *r)
{
	r->sel[S_CS] = 0x23;
	r->sel[S_SS] = 0x2b;
	r->gpr[R_EBP] = 0x1234;
}

START_TEST(sysenter)
{
	c->sysenter_cs = KCS;
	c->sysenter_esp = AT_STACK;
	c->sysenter_eip = HANDLER(0x90);
	machine_script((struct user_event){ .kind = UE_SYSENTER }, sysenter_regs);
	user_run(vm);
	ck_assert_uint_eq(c->cpl, 0);
	ck_assert_uint_eq(c->eip, HANDLER(0x90));
	ck_assert_uint_eq(c->gpr[R_ESP], AT_STACK);
	ck_assert_uint_eq(c->gpr[R_EBP], 0x1234);
	ck_assert_uint_eq(c->seg[S_CS].sel, KCS);
	ck_assert_uint_eq(c->seg[S_SS].sel, KCS + 8);
	ck_assert(!(c->eflags & FL_IF));
}
END_TEST

START_TEST(sysenter_not_set_up)
{
	machine_script((struct user_event){ .kind = UE_SYSENTER }, sysenter_regs);
	user_run(vm);
	check_delivered(VEC_GP);
}
END_TEST

static const struct { struct user_event ev; unsigned vector; } simple[] = {
	{ { .kind = UE_TRAP, .vector = VEC_UD }, VEC_UD }, { { .kind = UE_TRAP, .vector = VEC_DE }, VEC_DE },
	{ { .kind = UE_TRAP, .vector = VEC_BP }, VEC_BP }, { { .kind = UE_TRAP, .vector = VEC_AC }, VEC_AC },
	{ { .kind = UE_TRAP, .vector = VEC_DB }, VEC_DB }, { { .kind = UE_TRAP, .vector = VEC_MF }, VEC_MF },
	{ { .kind = UE_SYSCALL64 }, VEC_UD }, { { .kind = UE_TRAP, .vector = VEC_OF }, VEC_OF },
};

START_TEST(exceptions)
{
	machine_script(simple[_i].ev, NULL);
	user_run(vm);
	check_delivered(simple[_i].vector);
}
END_TEST

/* A code selector of the host is none of the guest's. */
static void far_jump(struct user_regs *r)
{
	r->sel[S_CS] = 0x33;
}

static const struct user_event far_events[] = {
	{ .kind = UE_KICK }, { .kind = UE_TRAP, .vector = VEC_UD, .in_64bit = true },
	{ .kind = UE_INT80, .in_64bit = true }, { .kind = UE_SYSCALL64, .in_64bit = true },
	{ .kind = UE_TRAP, .vector = VEC_PF, .in_64bit = true },
};

START_TEST(host_code_segment)
{
	machine_script(far_events[_i], far_jump);
	user_run(vm);
	check_delivered(VEC_GP);
	ck_assert_uint_eq(frame(0), 0x30);
	ck_assert_uint_eq(frame(2), UCS);
}
END_TEST

/* What the host reports as a general fault, by the instruction. */
static const struct { uint8_t code[4]; unsigned vector; uint32_t error, eip; } general[] = {
	{ { 0xfa }, VEC_GP, 0, CODE },				/* cli */
	{ { 0xf4 }, VEC_GP, 0, CODE },				/* hlt */
	{ { 0xcd, 0x20 }, VEC_GP, 0x20 * 8 + 2, CODE },		/* int $0x20, DPL 0 */
	{ { 0xcd, 0x04 }, VEC_OF, 0, CODE + 2 },		/* int $4, DPL 3 */
	{ { 0x0f, 0x22, 0xd8 }, VEC_GP, 0, CODE },		/* mov %eax,%cr3 */
	{ { 0x8e, 0xd8 }, VEC_GP, KDS, CODE },			/* mov %eax,%ds: the kernel's */
	{ { 0xe4, 0x21 }, VEC_GP, 0, CODE },			/* in $0x21,%al */
	{ { 0x0f, 0x28, 0x00 }, VEC_GP, 0, CODE },		/* movaps (%eax): not aligned */
};

START_TEST(general_faults)
{
	memcpy(vm->ram.base + CODE_PA, general[_i].code, 4);
	c->gpr[R_EAX] = KDS;
	machine_script(trap(VEC_GP, 0, 0), NULL);
	user_run(vm);
	check_delivered(general[_i].vector);
	if (general[_i].vector == VEC_GP)
		ck_assert_uint_eq(frame(0), general[_i].error);
	ck_assert_uint_eq(frame(general[_i].vector == VEC_GP), general[_i].eip);
}
END_TEST

/* ---- page faults ---- */

static void page_fault(uint32_t a, uint32_t error)
{
	/* The pages that it is entered with are there. */
	machine_script(kick, NULL);
	user_run(vm);
	machine_script(trap(VEC_PF, a, error), NULL);
	machine_forget();
	user_run(vm);
}

static void at_eax(uint32_t a)
{
	c->gpr[R_EAX] = a;
}

/* Code and stack need no fault to be mapped. */
START_TEST(entered_with_pages)
{
	machine_script(kick, NULL);
	user_run(vm);
	ck_assert_str_eq(machine_calls(), "map 1 08048000+1000 at 500000 rwx\n"
					  "map 1 081ff000+1000 at 5c0000 rwx\n");
}
END_TEST

START_TEST(fetch_faults_before_running)
{
	map(CODE, 0, 0);
	user_run(vm);
	check_delivered(VEC_PF);
	ck_assert_uint_eq(fake_host()->played, 0);
	ck_assert_uint_eq(frame(0), PF_U);
	ck_assert_uint_eq(frame(1), CODE);
	ck_assert_uint_eq(c->cr2, CODE);
}
END_TEST

START_TEST(mapped_and_retried)
{
	map(DATA, DATA_PA, LEAF & ~(PTE_A | PTE_D));
	machine_code(vm, CODE_PA, 0x8b, 0x00);		/* mov (%eax),%eax */
	at_eax(DATA + 4);
	page_fault(DATA + 4, PF_U);
	ck_assert_str_eq(machine_calls(), "map 1 08100000+1000 at 580000 rx\n");
	ck_assert_uint_eq(c->cpl, 3);
	ck_assert_uint_eq(c->eip, CODE);
	ck_assert_uint_eq(*machine_pte(vm, c->cr3, DATA) & (PTE_A | PTE_D), PTE_A);
	/* A page that is there faults only when it is written. */
	page_fault(DATA + 4, PF_U | PF_P);
	ck_assert_str_eq(machine_calls(), "map 1 08100000+1000 at 580000 rwx\n");
	ck_assert_uint_eq(*machine_pte(vm, c->cr3, DATA) & (PTE_A | PTE_D), PTE_A | PTE_D);
}
END_TEST

static const struct { uint8_t code[2]; uint32_t pte, error; } page_faults[] = {
	{ { 0x8b, 0x00 }, 0, PF_U },				/* mov (%eax),%eax */
	{ { 0x89, 0x00 }, 0, PF_U | PF_W },			/* mov %eax,(%eax) */
	{ { 0x89, 0x00 }, LEAF & ~PTE_W, PF_U | PF_W | PF_P },
	{ { 0x8b, 0x00 }, LEAF & ~PTE_U, PF_U | PF_P },
	{ { 0x89, 0x00 }, LEAF & ~PTE_U, PF_U | PF_W | PF_P },
};

START_TEST(page_faults_of_the_guest)
{
	memcpy(vm->ram.base + CODE_PA, page_faults[_i].code, 2);
	map(DATA, DATA_PA, page_faults[_i].pte);
	at_eax(DATA + 4);
	page_fault(DATA + 4, PF_U);
	check_delivered(VEC_PF);
	ck_assert_uint_eq(frame(0), page_faults[_i].error);
	ck_assert_uint_eq(frame(1), CODE);
	ck_assert_uint_eq(c->cr2, DATA + 4);
}
END_TEST

/* An engine that tells the access is believed: nothing is decoded. */
START_TEST(exact_page_faults)
{
	static struct engine_ops exact;

	exact = *vm->engine->ops;
	exact.exact = true;
	vm->engine->ops = &exact;
	machine_code(vm, CODE_PA, 0x8b, 0x00);		/* mov (%eax),%eax */
	map(DATA, DATA_PA, LEAF & ~PTE_W);
	at_eax(DATA + 4);
	page_fault(DATA + 4, PF_U | PF_P | PF_W);
	check_delivered(VEC_PF);
	ck_assert_uint_eq(frame(0), PF_U | PF_P | PF_W);
	ck_assert_uint_eq(c->cr2, DATA + 4);
}
END_TEST

static void jump_to_data(struct user_regs *r)
{
	r->eip = DATA;
}

START_TEST(instruction_fetch)
{
	machine_script(trap(VEC_PF, DATA, PF_U), jump_to_data);
	user_run(vm);
	check_delivered(VEC_PF);
	ck_assert_uint_eq(frame(0), PF_U);
	ck_assert_uint_eq(c->cr2, DATA);
}
END_TEST

static void iret_to_user(void)
{
	struct insn insn = { .len = 1, .opsize = 4, .opcode = 0xcf, .kind = IK_IRET };
	struct fault f;

	c->gpr[R_ESP] += 4;		/* the error code */
	ck_assert_int_eq(trap_iret(vm, &insn, &f), INTERP_STOP);
}

/* The page that the guest's handler provides is mapped without a second fault. */
START_TEST(prefault)
{
	machine_code(vm, CODE_PA, 0x89, 0x00);
	at_eax(DATA);
	page_fault(DATA, PF_U);
	check_delivered(VEC_PF);
	map(DATA, DATA_PA, LEAF);
	iret_to_user();
	machine_forget();
	machine_script(kick, NULL);
	user_run(vm);
	ck_assert_str_eq(machine_calls(), "map 1 08100000+1000 at 580000 rwx\n");
	ck_assert(!vm->prefault_valid);
}
END_TEST

/* A page that the host cannot map: what can be interpreted is. */
START_TEST(page_without_ram)
{
	map(DATA, 0xfee00000, LEAF);
	machine_code(vm, CODE_PA, 0x8b, 0x08,		/* mov (%eax),%ecx */
		     0x0f, 0x10, 0xc1);			/* movups %xmm1,%xmm0: not interpreted */
	at_eax(DATA);
	page_fault(DATA, PF_U);
	ck_assert_uint_eq(c->gpr[R_ECX], 0xffffffff);
	ck_assert_uint_eq(c->eip, CODE + 2);
	ck_assert_uint_eq(c->cpl, 3);
}
END_TEST

/* And what cannot ends the VM: it would fault for ever. */
START_TEST(page_without_ram_and_sse)
{
	map(DATA, 0xfee00000, LEAF);
	machine_code(vm, CODE_PA, 0x0f, 0x10, 0x00);	/* movups (%eax),%xmm0 */
	at_eax(DATA);
	page_fault(DATA, PF_U);
	ck_assert_int_ne(vm->ending, 0);
	ck_assert_int_eq(vm->status, ST_LIMIT);
}
END_TEST

/* ---- selectors that user code loads ---- */

static uint16_t loaded;

static void load_ds(struct user_regs *r)
{
	r->sel[S_DS] = loaded;
}

static const struct { uint16_t raw, guest; } selectors[] = {
	{ UDS, UDS },			/* its own name for it */
	{ (UDS & ~7) | 7, UDS },	/* read back from the child and loaded again */
	{ SEL_RO | 3, SEL_RO | 3 }, { 0, 0 }, { SEL_SMALL, SEL_SMALL },
};

START_TEST(selectors_that_user_code_loads)
{
	loaded = selectors[_i].raw;
	c->ldtr = (struct segment){ 0, 0, 0, 0 };
	c->seg[S_DS] = (struct segment){ 0x1234, SEG_P | SEG_S | SEG_DPL | 3 | SEG_DB, 0, 0xffffffff };
	machine_script(kick, load_ds);
	user_run(vm);
	ck_assert_uint_eq(c->cpl, 3);
	ck_assert_uint_eq(c->seg[S_DS].sel, selectors[_i].guest);
}
END_TEST

/* With an LDT of the guest's that reaches the index, it is meant. */
START_TEST(selectors_of_the_guests_ldt)
{
	machine_descriptor(vm, AT_LDT, 0x0f, 0x777000, 0xff, SEG_P | SEG_S | SEG_DPL | 3 | SEG_DB);
	loaded = 0x0f;
	machine_script(kick, load_ds);
	machine_script(kick, NULL);
	user_run(vm);
	ck_assert_uint_eq(c->seg[S_DS].sel, 0x0f);
	ck_assert_uint_eq(c->seg[S_DS].base, 0x777000);
	user_run(vm);
	ck_assert_uint_eq(last_run()->seen.sel[S_DS], 0x0f);
}
END_TEST

START_TEST(selector_that_the_guest_refuses)
{
	loaded = KDS | 3;
	machine_script(kick, load_ds);
	user_run(vm);
	check_delivered(VEC_GP);
	ck_assert_uint_eq(frame(0), KDS);
}
END_TEST

/* The guest's table is not there: its kernel has to see where. */
START_TEST(selector_in_an_absent_table)
{
	map(DATA, AT_GDT, PTE_P | PTE_W | PTE_A | PTE_D);
	c->gdtr = (struct dtable){ DATA, 0xffff };
	loaded = 0x1003;
	machine_script(kick, load_ds);
	user_run(vm);
	check_delivered(VEC_PF);
	ck_assert_uint_eq(c->cr2, DATA + 0x1000);
}
END_TEST

/* A fault with a host segment in a register may not be the guest's: tried
 * again with the guest's own. */
START_TEST(retried_with_the_guests_segment)
{
	loaded = SEL_SMALL;
	machine_script(trap(VEC_PF, 0x100, PF_U), load_ds);
	machine_script(kick, NULL);
	user_run(vm);
	ck_assert_uint_eq(c->cpl, 3);
	ck_assert_uint_eq(c->seg[S_DS].base, 0x20000);
	user_run(vm);
	ck_assert_uint_eq(last_run()->seen.sel[S_DS], SEL_SMALL | 4);
	ck_assert_uint_eq(c->cpl, 3);
	/* Then it counts. */
	machine_script(trap(VEC_PF, DATA, PF_U), NULL);
	user_run(vm);
	check_delivered(VEC_PF);
}
END_TEST

/* ---- children ---- */

static uint32_t new_space(void)
{
	uint32_t dir = machine_directory(vm);

	machine_map(vm, dir, CODE, CODE_PA, LEAF);
	machine_map(vm, dir, STACK_TOP - PAGE_SIZE, STACK_PA, LEAF);
	return dir;
}

static unsigned run_in(uint32_t cr3)
{
	cpu_set_cr3(vm, cr3);
	machine_script(kick, NULL);
	user_run(vm);
	ck_assert_int_eq(vm->ending, 0);
	return last_run()->space;
}

START_TEST(a_child_for_each_cr3)
{
	uint32_t one = c->cr3, two = new_space();

	ck_assert_uint_eq(run_in(one), 1);
	ck_assert_uint_eq(run_in(two), 2);
	ck_assert_uint_eq(run_in(one), 1);
	ck_assert_uint_eq(vm->pool.n, 2);
	ck_assert_uint_eq(fake_host()->alive, 2);
}
END_TEST

START_TEST(least_recently_used_goes)
{
	uint32_t cr3[4] = { c->cr3 };
	unsigned i;

	for (i = 1; i < 4; i++)
		cr3[i] = new_space();
	vm->pool.max = 3;
	for (i = 0; i < 3; i++)
		run_in(cr3[i]);
	run_in(cr3[0]);
	ck_assert_uint_eq(run_in(cr3[3]), 4);
	ck_assert_uint_eq(fake_host()->alive, 3);
	/* 0 was kept, 1 went. */
	ck_assert_uint_eq(run_in(cr3[0]), 1);
	ck_assert_uint_eq(run_in(cr3[1]), 5);
}
END_TEST

START_TEST(host_without_processes)
{
	uint32_t other = new_space();

	fake_host()->max_spaces = 1;
	run_in(c->cr3);
	run_in(other);
	ck_assert_uint_eq(vm->pool.n, 1);
	ck_assert_uint_eq(vm->pool.max, 1);
}
END_TEST

START_TEST(host_without_any_process)
{
	fake_host()->max_spaces = 0;
	user_run(vm);
	ck_assert_int_eq(vm->status, ST_HOST);
}
END_TEST

/* Repaired when its CR3 comes back, by difference. */
START_TEST(repaired_when_it_comes_back)
{
	uint32_t one = c->cr3, two = new_space();

	map(DATA, DATA_PA, LEAF);
	map(DATA + 0x1000, DATA_PA + 0x1000, LEAF);
	run_in(one);
	page_fault(DATA, PF_U);
	ck_assert_str_eq(machine_calls(), "map 1 08100000+2000 at 580000 rwx\n");
	run_in(two);
	machine_map(vm, one, DATA, 0, 0);
	machine_forget();
	run_in(one);
	ck_assert_str_eq(machine_calls(), "unmap 1 08100000+1000\n");
	ck_assert_uint_eq(fake_page(1, DATA + 0x1000), (DATA_PA + 0x1000) | HP_R | HP_W | HP_X);
}
END_TEST

START_TEST(invlpg)
{
	map(DATA, DATA_PA, LEAF);
	run_in(c->cr3);
	page_fault(DATA, PF_U);
	map(DATA, 0, 0);
	machine_forget();
	pool_invlpg(vm, DATA + 0x123);
	ck_assert_str_eq(machine_calls(), "unmap 1 08100000+1000\n");
	/* After a CR3 load, before user code has run. */
	map(DATA, DATA_PA, LEAF);
	page_fault(DATA, PF_U);
	cpu_set_cr3(vm, c->cr3);
	map(DATA, 0, 0);
	pool_invlpg(vm, DATA);
	machine_script(kick, NULL);
	user_run(vm);
	ck_assert_uint_eq(fake_page(1, DATA), 0);
}
END_TEST

START_TEST(killed_child)
{
	at_eax(0x77);
	machine_script((struct user_event){ .kind = UE_DEAD }, NULL);
	user_run(vm);
	ck_assert_uint_eq(c->cpl, 3);
	ck_assert_uint_eq(c->eip, CODE);
	ck_assert_uint_eq(vm->pool.n, 0);
	/* Its registers are known: another goes on. */
	machine_script(kick, NULL);
	user_run(vm);
	ck_assert_uint_eq(last_run()->space, 2);
	ck_assert_uint_eq(last_run()->seen.gpr[R_EAX], 0x77);
}
END_TEST

START_TEST(host_that_kills_them_all)
{
	unsigned i;

	for (i = 0; i < 2000 && !vm->ending; i++) {
		fake_host()->nruns = fake_host()->played = 0;
		machine_forget();
		machine_script((struct user_event){ .kind = UE_DEAD }, NULL);
		user_run(vm);
	}
	ck_assert_int_eq(vm->status, ST_HOST);
}
END_TEST

/* The FPU registers stay in the child that ran last, and go where they are
 * needed. */
START_TEST(fpu_follows)
{
	uint32_t one = c->cr3, two = new_space();

	vm->hc->fpu.bytes[32] = 0xab;		/* ST0 */
	run_in(one);
	ck_assert(vm->fpu.in_child);
	vm->hc->fpu.bytes[32] = 0;
	run_in(two);
	fpu_to_kernel(vm);
	ck_assert(!vm->fpu.in_child);
	ck_assert_uint_eq(vm->hc->fpu.bytes[32], 0xab);
	/* An evicted child's are kept. */
	run_in(one);
	vm->hc->fpu.bytes[32] = 0;
	pool_free(vm);
	ck_assert_uint_eq(vm->hc->fpu.bytes[32], 0xab);
	ck_assert(!vm->fpu.in_child);
}
END_TEST

#define COUNT(table) ((int)(sizeof table / sizeof *table))

static TCase *events(void)
{
	TCase *tc = tcase_create("running and events");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, registers);
	tcase_add_test(tc, registers_back);
	tcase_add_test(tc, no_fpu);
	tcase_add_test(tc, segments_are_set_once);
	tcase_add_test(tc, tls_base);
	tcase_add_test(tc, system_call);
	tcase_add_test(tc, system_call_that_the_guest_refuses);
	tcase_add_test(tc, sysenter);
	tcase_add_test(tc, sysenter_not_set_up);
	tcase_add_loop_test(tc, exceptions, 0, COUNT(simple));
	tcase_add_loop_test(tc, host_code_segment, 0, COUNT(far_events));
	tcase_add_loop_test(tc, general_faults, 0, COUNT(general));
	return tc;
}

static TCase *faults(void)
{
	TCase *tc = tcase_create("page faults");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, entered_with_pages);
	tcase_add_test(tc, fetch_faults_before_running);
	tcase_add_test(tc, mapped_and_retried);
	tcase_add_loop_test(tc, page_faults_of_the_guest, 0, COUNT(page_faults));
	tcase_add_test(tc, exact_page_faults);
	tcase_add_test(tc, instruction_fetch);
	tcase_add_test(tc, prefault);
	tcase_add_test(tc, page_without_ram);
	tcase_add_test(tc, page_without_ram_and_sse);
	return tc;
}

static TCase *segments(void)
{
	TCase *tc = tcase_create("selectors");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, selectors_that_user_code_loads, 0, COUNT(selectors));
	tcase_add_test(tc, selectors_of_the_guests_ldt);
	tcase_add_test(tc, selector_that_the_guest_refuses);
	tcase_add_test(tc, selector_in_an_absent_table);
	tcase_add_test(tc, retried_with_the_guests_segment);
	return tc;
}

static TCase *children(void)
{
	TCase *tc = tcase_create("children");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_child_for_each_cr3);
	tcase_add_test(tc, least_recently_used_goes);
	tcase_add_test(tc, host_without_processes);
	tcase_add_test(tc, host_without_any_process);
	tcase_add_test(tc, repaired_when_it_comes_back);
	tcase_add_test(tc, invlpg);
	tcase_add_test(tc, killed_child);
	tcase_add_test(tc, host_that_kills_them_all);
	tcase_add_test(tc, fpu_follows);
	return tc;
}

int main(void)
{
	Suite *s = suite_create("uspace");

	suite_add_tcase(s, events());
	suite_add_tcase(s, faults());
	suite_add_tcase(s, segments());
	suite_add_tcase(s, children());
	return machine_suite(s);
}
