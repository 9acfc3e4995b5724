/* SPDX-License-Identifier: BSD-2-Clause */
/* The debugger's hold on the run loop.  The debugger is a list of resumes; what
 * it was told, and the CPU as it found it, is kept for each stop. */
#include "machine.h"

#include "gdb/gdb.h"

#define BIT(n) (1u << (n))
#define DATA 0x30000u
#define HANDLER(v) (AT_HANDLERS + 16 * (v))
#define USER 0x08048000u
#define USER_PA 0x00500000u
#define USER_STACK 0x08200000u
#define STACK_PA 0x00510000u
#define LEAF (PTE_P | PTE_W | PTE_U | PTE_A | PTE_D)
#define IRQ 0
#define IRQ_VECTOR 0x20
#define SECOND 1000000000ull

/* ---- the debugger ---- */

struct gdb {
	struct { enum gdb_resume how; uint32_t start, end; } plan[64];
	unsigned planned, stops;
	struct { struct gdb_stop_info why; struct vcpu cpu; uint64_t time; } stop[64];
	void (*visit)(unsigned n);	/* at each stop */
};

static struct vm *vm;
static struct vcpu *c;
static struct gdb gdb;

/* After its last resume the debugger ends the VM. */
void gdb_stopped(struct gdb *g, const struct gdb_stop_info *why)
{
	unsigned n = g->stops++;

	ck_assert_uint_lt(n, 64);
	if (why->why == GS_ENDED)
		return;
	g->stop[n].why = *why;
	g->stop[n].cpu = vm->cpu;
	g->stop[n].time = event_now(vm);
	if (g->visit)
		g->visit(n);
	if (n < g->planned)
		target_resume(vm, g->plan[n].how, g->plan[n].start, g->plan[n].end);
	else
		vm_end(vm, ST_OK, "done");
}

void gdb_poll(struct gdb *g)
{
	(void)g;
}

int gdb_open(struct gdb **g, struct vm *v, const char *spec, bool wait, void (*kick)(void *ctx),
	     void *ctx, struct error *e)
{
	(void)g, (void)v, (void)spec, (void)wait, (void)kick, (void)ctx;
	e->status = ST_HOST;
	return -1;
}

void gdb_close(struct gdb **g)
{
	*g = NULL;
}

void gdb_cancel(struct gdb *g)
{
	(void)g;
}

/* The debugger stops the VM before its first instruction. */
static void setup(void)
{
	vm = machine_new();
	c = &vm->cpu;
	memset(&gdb, 0, sizeof gdb);
	vm->gdb = &gdb;
	target_interrupt(vm);
}

static void teardown(void)
{
	machine_free(vm);
}

static void plan(enum gdb_resume how)
{
	gdb.plan[gdb.planned++].how = how;
}

static void plan_range(uint32_t start, uint32_t end)
{
	gdb.plan[gdb.planned].start = start;
	gdb.plan[gdb.planned].end = end;
	plan(GDB_RANGE);
}

static void steps(unsigned n)
{
	while (n--)
		plan(GDB_STEP);
}

static void run(void)
{
	loop_run(vm);
	ck_assert_str_eq(vm->reason, "done");
	ck_assert_uint_eq(gdb.stops, gdb.planned + 1);
	ck_assert_int_eq(gdb.stop[0].why.why, GS_INTERRUPT);
}

#define ck_stop(n, reason, at) \
	do { \
		ck_assert_int_eq(gdb.stop[n].why.why, reason); \
		ck_assert_uint_eq(gdb.stop[n].cpu.eip, at); \
	} while (0)
#define ck_step(n, at) ck_stop(n, GS_STEP, at)

/* Vectors from 20H, only IRQ 0 open, and its line up. */
static void raise_irq(void)
{
	static const struct { uint8_t reg, v; } init[] = {
		{ 0, 0x11 }, { 1, IRQ_VECTOR }, { 1, 4 }, { 1, 1 }, { 1, (uint8_t)~BIT(IRQ) },
	};
	size_t i;

	for (i = 0; i < sizeof init / sizeof *init; i++)
		platform_out(vm, 0x20 + init[i].reg, 1, init[i].v);
	i8259_set_irq(&vm->plat.pic, IRQ, 0);
	i8259_set_irq(&vm->plat.pic, IRQ, 1);
	ck_assert(platform_intr(&vm->plat));
}

/* ---- steps ---- */

START_TEST(steps_over_sensitive_instructions)
{
	/* pushf; cli; popf; sti; mov %ss,%ax; mov %ax,%ss; nop; int $0x80 */
	machine_code(vm, AT_CODE, 0x9c, 0xfa, 0x9d, 0xfb, 0x8c, 0xd0, 0x8e, 0xd0, 0x90, 0xcd, 0x80);
	machine_code(vm, HANDLER(0x80), 0xcf);
	c->eflags |= FL_IF;
	steps(10);
	run();
	ck_step(1, AT_CODE + 1);
	ck_step(2, AT_CODE + 2);
	ck_assert(!(gdb.stop[2].cpu.eflags & FL_IF));
	ck_step(3, AT_CODE + 3);
	ck_assert(gdb.stop[3].cpu.eflags & FL_IF);
	ck_step(4, AT_CODE + 4);
	ck_step(5, AT_CODE + 6);
	ck_step(6, AT_CODE + 8);
	ck_assert_uint_eq(gdb.stop[6].cpu.seg[S_SS].sel, KDS);
	ck_step(7, AT_CODE + 9);
	ck_step(8, HANDLER(0x80));
	ck_step(9, AT_CODE + 11);
	ck_assert_uint_eq(*machine_word(vm, AT_STACK - 4), FL_FIXED | FL_IF);
}
END_TEST

START_TEST(steps_once_an_iteration)
{
	machine_code(vm, AT_CODE, 0xf3, 0xaa, 0x90);		/* rep stosb; nop */
	c->gpr[R_ECX] = 3;
	c->gpr[R_EDI] = DATA;
	steps(4);
	run();
	ck_step(1, AT_CODE);
	ck_assert_uint_eq(gdb.stop[1].cpu.gpr[R_ECX], 2);
	ck_step(2, AT_CODE);
	ck_step(3, AT_CODE + 2);
	ck_step(4, AT_CODE + 3);
}
END_TEST

START_TEST(steps_once_an_iteration_of_port_output)
{
	machine_code(vm, AT_CODE, 0xf3, 0x6e);			/* rep outsb */
	c->gpr[R_ECX] = 2;
	c->gpr[R_ESI] = DATA;
	c->gpr[R_EDX] = 0x80;
	steps(2);
	run();
	ck_step(1, AT_CODE);
	ck_assert_uint_eq(gdb.stop[1].cpu.gpr[R_ESI], DATA + 1);
	ck_step(2, AT_CODE + 2);
}
END_TEST

START_TEST(steps_into_an_exception)
{
	machine_code(vm, AT_CODE, 0x0f, 0x0b);			/* ud2 */
	steps(1);
	run();
	ck_step(1, HANDLER(VEC_UD));
}
END_TEST

START_TEST(step_of_the_guest_is_its_own)
{
	machine_code(vm, AT_CODE, 0x90, 0x90);
	c->eflags |= FL_TF;
	steps(1);
	run();
	ck_step(1, HANDLER(VEC_DB));
	ck_assert_uint_eq(*machine_word(vm, gdb.stop[1].cpu.gpr[R_ESP]), AT_CODE + 1);
}
END_TEST

START_TEST(range_ends_outside)
{
	machine_code(vm, AT_CODE, 0x90, 0x90, 0xeb, 0x02, 0x90, 0x90, 0x90);	/* nop nop jmp +2 */
	plan_range(AT_CODE, AT_CODE + 4);
	run();
	ck_step(1, AT_CODE + 6);
}
END_TEST

START_TEST(interrupts_wait_for_the_end_of_a_step)
{
	machine_code(vm, AT_CODE, 0x90, 0x90);
	c->eflags |= FL_IF;
	raise_irq();
	target_insert(vm, GP_SOFTWARE, HANDLER(IRQ_VECTOR), 1, false);
	steps(1);
	plan(GDB_CONTINUE);
	run();
	ck_step(1, AT_CODE + 1);
	ck_stop(2, GS_BREAK, HANDLER(IRQ_VECTOR));
}
END_TEST

/* Its handler runs to its end as if there were no step. */
START_TEST(interrupt_within_a_range)
{
	/* nop; cmpl $0, DATA; je back; nop */
	machine_code(vm, AT_CODE, 0x90, 0x83, 0x3d, 0x00, 0x00, 0x03, 0x00, 0x00, 0x74, 0xf6, 0x90);
	/* incl DATA; movb $0x20, %al; outb %al, $0x20; iret */
	machine_code(vm, HANDLER(IRQ_VECTOR), 0xff, 0x05, 0x00, 0x00, 0x03, 0x00, 0xb0, 0x20, 0xe6,
		     0x20, 0xcf);
	/* So that its page is interpreted. */
	target_insert(vm, GP_SOFTWARE, HANDLER(IRQ_VECTOR) + 11, 1, false);
	c->eflags |= FL_IF;
	raise_irq();
	plan_range(AT_CODE, AT_CODE + 10);
	run();
	ck_step(1, AT_CODE + 10);
	ck_assert_uint_eq(*machine_word(vm, DATA), 1);
	ck_assert_uint_eq(gdb.stop[1].cpu.gpr[R_ESP], AT_STACK);
}
END_TEST

START_TEST(step_of_hlt_ends_behind_it)
{
	machine_code(vm, AT_CODE, 0xf4, 0x90);
	c->eflags |= FL_IF;
	raise_irq();
	steps(2);
	run();
	ck_step(1, AT_CODE + 1);
	ck_assert(gdb.stop[1].cpu.halted);
	/* The next one is the interrupt. */
	ck_step(2, HANDLER(IRQ_VECTOR));
}
END_TEST

/* What the interpreter cannot do runs with TF set, which the guest does not see. */
static int direct_eflags;
static int run_one(struct host_cpu *hc)
{
	direct_eflags = hc->eflags;
	hc->eip += 4;
	hc->trapno = VEC_DB;
	return HOST_EXIT_TRAP;
}

START_TEST(steps_directly)
{
	machine_code(vm, AT_CODE, 0x0f, 0x58, 0xc1, 0x90);	/* addps */
	fake_host()->enter = run_one;
	steps(1);
	run();
	ck_assert(direct_eflags & FL_TF);
	ck_step(1, AT_CODE + 4);
	ck_assert(!(gdb.stop[1].cpu.eflags & FL_TF));
}
END_TEST

/* ---- breakpoints ---- */

START_TEST(stops_at_a_breakpoint)
{
	machine_code(vm, AT_CODE, 0x90, 0x40, 0x40, 0x40, 0x40);	/* nop; inc %eax ... */
	ck_assert(target_insert(vm, GP_SOFTWARE, AT_CODE + 3, 1, false));
	plan(GDB_CONTINUE);
	run();
	ck_stop(1, GS_BREAK, AT_CODE + 3);
	ck_assert_int_eq(gdb.stop[1].why.point, GP_SOFTWARE);
	ck_assert_uint_eq(gdb.stop[1].cpu.gpr[R_EAX], 2);
	ck_assert_uint_eq(vm->ram.base[AT_CODE + 3], 0x40);
	/* Nothing of the page could run directly. */
	ck_assert_uint_eq(vm->stats.kernel_runs, 0);
}
END_TEST

START_TEST(steps_off_a_breakpoint)
{
	machine_code(vm, AT_CODE, 0x90, 0x90);
	target_insert(vm, GP_HARDWARE, AT_CODE, 1, false);
	target_insert(vm, GP_HARDWARE, AT_CODE + 1, 1, false);
	steps(1);
	plan(GDB_CONTINUE);
	run();
	ck_step(1, AT_CODE + 1);
	ck_stop(2, GS_BREAK, AT_CODE + 1);
	ck_assert_int_eq(gdb.stop[2].why.point, GP_HARDWARE);
}
END_TEST

START_TEST(removed_breakpoints_do_not_stop)
{
	machine_code(vm, AT_CODE, 0x90, 0x90, 0x90);
	target_insert(vm, GP_SOFTWARE, AT_CODE + 1, 1, false);
	target_insert(vm, GP_SOFTWARE, AT_CODE + 2, 1, false);
	ck_assert(target_remove(vm, GP_SOFTWARE, AT_CODE + 1, 1));
	ck_assert(!target_remove(vm, GP_SOFTWARE, AT_CODE + 1, 1));
	plan(GDB_CONTINUE);
	run();
	ck_stop(1, GS_BREAK, AT_CODE + 2);
	target_remove_all(vm);
	ck_assert(!vm->debug.on);
}
END_TEST

START_TEST(bad_points_are_refused)
{
	unsigned i;

	ck_assert(!target_insert(vm, GP_WRITE, DATA, 0, false));
	ck_assert(!target_insert(vm, GP_WRITE, 0xfffffffe, 4, false));
	ck_assert(!target_insert(vm, GP_WRITE, DATA, PAGE_SIZE + 1, false));
	for (i = 0; i < DEBUG_POINTS; i++)
		ck_assert(target_insert(vm, GP_SOFTWARE, DATA + i, 1, false));
	ck_assert(!target_insert(vm, GP_SOFTWARE, DATA + i, 1, false));
	/* One that is there already needs no room. */
	ck_assert(target_insert(vm, GP_SOFTWARE, DATA, 1, false));
}
END_TEST

START_TEST(no_view_shows_a_page_with_more_than_its_rights)
{
	struct fault f;
	struct walk w;

	machine_paging(vm);
	ck_assert(mmu_translate(vm, GVA(DATA), ACC_WRITE, &w, &f));
	ck_assert(view_fill(&vm->kview, DATA, &w));
	ck_assert_uint_eq(fake_page(0, DATA), DATA | HP_R | HP_W);
	target_insert(vm, GP_WRITE, DATA + 8, 4, false);
	ck_assert_uint_eq(fake_page(0, DATA), 0);
	ck_assert_uint_eq(fake_page(0, DATA + PAGE_SIZE), (DATA + PAGE_SIZE) | HP_R | HP_W);
	ck_assert(view_fill(&vm->kview, DATA, &w));
	ck_assert_uint_eq(fake_page(0, DATA), DATA | HP_R);
	target_insert(vm, GP_ACCESS, DATA + 8, 4, false);
	ck_assert(!view_fill(&vm->kview, DATA, &w));
	ck_assert_uint_eq(fake_page(0, DATA), 0);
	target_remove_all(vm);
	ck_assert(view_fill(&vm->kview, DATA, &w));
	ck_assert_uint_eq(fake_page(0, DATA), DATA | HP_R | HP_W);
}
END_TEST

/* ---- user mode ---- */

/* Points that are set from now on find no debug register. */
static void take_registers(void)
{
	unsigned i;

	for (i = 0; i < 4; i++)
		target_insert(vm, GP_SOFTWARE, 0x70000000 + i, 1, false);
}

static void user_setup(void)
{
	setup();
	machine_paging(vm);
	machine_map(vm, c->cr3, USER, USER_PA, LEAF);
	machine_map(vm, c->cr3, USER_STACK - PAGE_SIZE, STACK_PA, LEAF);
	machine_gate(vm, 0x80, KCS, HANDLER(0x80), 15, 3);
	machine_user(vm, USER, USER_STACK - 64);
}

START_TEST(user_breakpoint)
{
	machine_code(vm, USER_PA, 0x40, 0x40, 0x9c, 0x58);	/* inc %eax twice, pushf, pop */
	take_registers();
	target_insert(vm, GP_SOFTWARE, USER + 2, 1, false);
	plan(GDB_CONTINUE);
	steps(2);
	run();
	ck_stop(1, GS_BREAK, USER + 2);
	ck_step(2, USER + 3);
	ck_step(3, USER + 4);
	ck_assert_uint_eq(gdb.stop[3].cpu.gpr[R_EAX] & (FL_TF | FL_IF), FL_IF);
	ck_assert_uint_eq(fake_host()->played, 0);
}
END_TEST

/* Another address space has the same code at the same place. */
START_TEST(user_breakpoint_of_one_space)
{
	uint32_t other = machine_directory(vm);

	machine_map(vm, other, USER, USER_PA, LEAF);
	machine_code(vm, USER_PA, 0x40, 0x40);
	take_registers();
	target_insert(vm, GP_SOFTWARE, USER + 1, 1, false);
	ck_assert(debug_covers(vm));
	cpu_set_cr3(vm, other);
	ck_assert(!debug_covers(vm));
	target_remove_all(vm);
	take_registers();
	target_insert(vm, GP_SOFTWARE, USER + 1, 1, true);
	cpu_set_cr3(vm, other);
	ck_assert(debug_covers(vm));
}
END_TEST

START_TEST(kernel_breakpoints_are_for_all_spaces)
{
	uint32_t other = machine_directory(vm);

	target_insert(vm, GP_SOFTWARE, AT_CODE, 1, false);
	cpu_set_cr3(vm, other);
	c->cpl = 0;
	c->eip = AT_CODE;
	ck_assert(debug_covers(vm));
}
END_TEST

/* Run in a child, a page with a breakpoint is not executable. */
START_TEST(child_cannot_execute_the_page)
{
	machine_map(vm, c->cr3, USER + PAGE_SIZE, USER_PA + PAGE_SIZE, LEAF);
	c->eip = USER + PAGE_SIZE;
	machine_script((struct user_event){ .kind = UE_KICK }, NULL);
	take_registers();
	target_insert(vm, GP_SOFTWARE, USER, 1, false);
	user_run(vm);
	ck_assert_uint_eq(fake_host()->played, 1);
	ck_assert(fake_page(1, USER + PAGE_SIZE) & HP_X);
	ck_assert(fake_page(1, USER));
	ck_assert(!(fake_page(1, USER) & HP_X));
	target_remove_all(vm);
	ck_assert_uint_eq(fake_page(1, USER), 0);
}
END_TEST

static void after_addps(struct user_regs *r)
{
	r->eip += 3;
}

START_TEST(user_steps_directly)
{
	machine_code(vm, USER_PA, 0x0f, 0x58, 0xc1, 0x90);	/* addps */
	machine_script((struct user_event){ .kind = UE_TRAP, .vector = VEC_DB }, after_addps);
	steps(1);
	run();
	ck_step(1, USER + 3);
	ck_assert_uint_eq(gdb.stop[1].cpu.cpl, 3);
	ck_assert(!(gdb.stop[1].cpu.eflags & FL_TF));
	ck_assert(fake_host()->runs[0].seen.eflags & FL_TF);
}
END_TEST

/* The child runs up to the breakpoint by itself. */
static void to_breakpoint(struct user_regs *r)
{
	r->eip = USER + 7;
}

START_TEST(user_breakpoint_in_a_register)
{
	target_insert(vm, GP_SOFTWARE, USER + 7, 1, false);
	machine_script((struct user_event){ .kind = UE_TRAP, .vector = VEC_DB }, to_breakpoint);
	fake_host()->runs[0].dr6 = 0xffff0ff1;
	plan(GDB_CONTINUE);
	run();
	ck_stop(1, GS_BREAK, USER + 7);
	ck_assert_uint_eq(vm->pool.first->dr[0], USER + 7);
	ck_assert_uint_eq(vm->pool.first->dr[7], 0x401);
	ck_assert(fake_page(1, USER) & HP_X);
}
END_TEST

START_TEST(user_watchpoint_in_a_register)
{
	target_insert(vm, GP_ACCESS, USER_STACK - 68, 4, false);
	machine_script((struct user_event){ .kind = UE_TRAP, .vector = VEC_DB }, after_addps);
	fake_host()->runs[0].dr6 = 0xffff0ff1;
	plan(GDB_CONTINUE);
	run();
	ck_stop(1, GS_WATCH, USER + 3);
	ck_assert_uint_eq(gdb.stop[1].why.addr, USER_STACK - 68);
	ck_assert_uint_eq(vm->pool.first->dr[7], 0xf0401);
	/* The monitor's own accesses count as before. */
	ck_assert(fake_page(1, USER_STACK - PAGE_SIZE) & HP_W);
}
END_TEST

/* The guest's own debug registers come first. */
START_TEST(guest_takes_the_registers)
{
	machine_code(vm, USER_PA, 0x90, 0x90, 0x90);
	target_insert(vm, GP_SOFTWARE, USER + 2, 1, false);
	ck_assert(!debug_covers(vm));
	c->dr[0] = DATA;
	c->dr[7] = 0x401;
	debug_registers_changed(vm);
	ck_assert(debug_covers(vm));
}
END_TEST

/* ---- watchpoints ---- */

START_TEST(watched_write)
{
	/* movl DATA, %eax; movl %eax, DATA+2; nop */
	machine_code(vm, AT_CODE, 0xa1, 0, 0, 3, 0, 0xa3, 2, 0, 3, 0, 0x90, 0x90);
	target_insert(vm, GP_WRITE, DATA, 4, false);
	target_insert(vm, GP_SOFTWARE, AT_CODE + 11, 1, false);
	plan(GDB_CONTINUE);
	plan(GDB_CONTINUE);
	run();
	ck_stop(1, GS_WATCH, AT_CODE + 10);
	ck_assert_int_eq(gdb.stop[1].why.point, GP_WRITE);
	ck_assert_uint_eq(gdb.stop[1].why.addr, DATA + 2);
	ck_stop(2, GS_BREAK, AT_CODE + 11);
}
END_TEST

START_TEST(watched_read)
{
	/* movl %eax, DATA; incl DATA; nop */
	machine_code(vm, AT_CODE, 0xa3, 0, 0, 3, 0, 0xff, 0x05, 0, 0, 3, 0, 0x90);
	target_insert(vm, GP_READ, DATA, 1, false);
	target_insert(vm, GP_SOFTWARE, AT_CODE + 12, 1, false);
	plan(GDB_CONTINUE);
	run();
	ck_stop(1, GS_WATCH, AT_CODE + 11);
	ck_assert_int_eq(gdb.stop[1].why.point, GP_READ);
}
END_TEST

START_TEST(watched_access_beside)
{
	/* movl DATA+4, %eax; movl %eax, DATA-4; nop */
	machine_code(vm, AT_CODE, 0xa1, 4, 0, 3, 0, 0xa3, 0xfc, 0xff, 2, 0, 0x90, 0x90);
	target_insert(vm, GP_ACCESS, DATA, 4, false);
	target_insert(vm, GP_SOFTWARE, AT_CODE + 11, 1, false);
	plan(GDB_CONTINUE);
	run();
	ck_stop(1, GS_BREAK, AT_CODE + 11);
}
END_TEST

START_TEST(fetching_is_no_access)
{
	machine_code(vm, AT_CODE, 0x90, 0x90, 0x90);
	target_insert(vm, GP_ACCESS, AT_CODE, 2, false);
	target_insert(vm, GP_SOFTWARE, AT_CODE + 2, 1, false);
	plan(GDB_CONTINUE);
	run();
	ck_stop(1, GS_BREAK, AT_CODE + 2);
}
END_TEST

START_TEST(watched_by_direct_instruction)
{
	machine_code(vm, AT_CODE, 0x0f, 0x11, 0x00, 0x90);	/* movups %xmm0, (%eax) */
	c->gpr[R_EAX] = DATA - 8;
	target_insert(vm, GP_WRITE, DATA, 4, false);
	fake_host()->enter = run_one;
	target_insert(vm, GP_SOFTWARE, AT_CODE + 4, 1, false);
	plan(GDB_CONTINUE);
	run();
	ck_stop(1, GS_WATCH, AT_CODE + 4);
	ck_assert_uint_eq(gdb.stop[1].why.addr, DATA);
}
END_TEST

START_TEST(frame_of_an_interrupt_is_a_write)
{
	machine_code(vm, AT_CODE, 0xcd, 0x80);
	target_insert(vm, GP_WRITE, AT_STACK - 4, 4, false);
	target_insert(vm, GP_SOFTWARE, AT_CODE + 2, 1, false);
	plan(GDB_CONTINUE);
	run();
	ck_stop(1, GS_WATCH, HANDLER(0x80));
}
END_TEST

/* ---- time ---- */

static void a_day_passes(unsigned n)
{
	(void)n;
	fake_host()->now += 86400 * SECOND;
}

START_TEST(time_stands_still)
{
	machine_code(vm, AT_CODE, 0x90, 0x90);
	fake_host()->now = vm->events.epoch + 5 * SECOND;
	gdb.visit = a_day_passes;
	steps(2);
	run();
	ck_assert_uint_eq(gdb.stop[1].time, 5 * SECOND);
	/* The stop before the first instruction takes nothing away. */
	ck_assert_int_eq(gdb.stop[1].cpu.tsc_offset, 0);
	ck_assert_int_lt(gdb.stop[2].cpu.tsc_offset, 0);
	ck_assert(vm->hc->tsc_traps);
	ck_assert_uint_eq(gdb.stop[2].time, 5 * SECOND);
	ck_assert_uint_eq(event_now(vm), 5 * SECOND);
}
END_TEST

START_TEST(interrupted_in_hlt)
{
	machine_code(vm, AT_CODE, 0x90);
	c->eflags |= FL_IF;
	c->halted = true;
	run();
	ck_assert(gdb.stop[0].cpu.halted);
	ck_assert_uint_eq(fake_host()->waits, 0);
}
END_TEST

/* ---- registers and memory ---- */

START_TEST(registers)
{
	uint8_t buf[16], back[16];
	unsigned reg;

	for (reg = 0; reg < GR_COUNT; reg++) {
		memset(buf, 0xee, sizeof buf);
		target_reg_read(vm, reg, buf);
		ck_assert_uint_eq(buf[target_reg_size(reg) - 1] == 0xee, false);
		/* What was read can be written. */
		ck_assert_msg(target_reg_write(vm, reg, buf), "register %u", reg);
		target_reg_read(vm, reg, back);
		ck_assert_mem_eq(buf, back, target_reg_size(reg));
	}
}
END_TEST

START_TEST(segment_registers)
{
	uint32_t v = UCS;

	ck_assert(!target_reg_write(vm, GR_CS, (uint8_t *)&v));
	ck_assert_uint_eq(c->seg[S_CS].sel, KCS);
	v = SEL_RO & ~3u;
	ck_assert(target_reg_write(vm, GR_DS, (uint8_t *)&v));
	ck_assert_uint_eq(c->seg[S_DS].sel, SEL_RO & ~3u);
	v = SEL_ABSENT;
	ck_assert(!target_reg_write(vm, GR_DS, (uint8_t *)&v));
}
END_TEST

START_TEST(x87_tags)
{
	static const uint8_t one[10] = { [7] = 0x80, [8] = 0xff, [9] = 0x3f }, zero[10];
	uint32_t v = 7 << 11;			/* TOP 7: ST0 is register 7 */

	target_reg_write(vm, GR_FSTAT, (uint8_t *)&v);
	target_reg_write(vm, GR_ST0, one);
	target_reg_write(vm, GR_ST0 + 1, zero);
	v = 0x3ffc;				/* registers 7 and 0 in use */
	target_reg_write(vm, GR_FTAG, (uint8_t *)&v);
	target_reg_read(vm, GR_FTAG, (uint8_t *)&v);
	ck_assert_uint_eq(v, 0x3ffd);		/* ST1, register 0, is zero */
}
END_TEST

START_TEST(memory)
{
	uint8_t buf[PAGE_SIZE];

	machine_paging(vm);
	*machine_word(vm, DATA + PAGE_SIZE - 4) = 0x11223344;
	*machine_pte(vm, c->cr3, DATA) &= ~(PTE_A | PTE_D);
	machine_map(vm, c->cr3, DATA + PAGE_SIZE, 0, 0);
	ck_assert_uint_eq(target_mem_read(vm, DATA + PAGE_SIZE - 4, buf, 16, false), 4);
	ck_assert_uint_eq(buf[0], 0x44);
	ck_assert_uint_eq(target_mem_write(vm, DATA + PAGE_SIZE - 2, buf, 16, false), 2);
	ck_assert_uint_eq(*machine_word(vm, DATA + PAGE_SIZE - 4), 0x33443344);
	ck_assert(!(*machine_pte(vm, c->cr3, DATA) & (PTE_A | PTE_D)));
	ck_assert_uint_eq(target_mem_read(vm, DATA + PAGE_SIZE - 4, buf, 16, true), 16);
	ck_assert_uint_eq(target_mem_read(vm, RAM_SIZE - 4, buf, 16, true), 4);
	ck_assert_uint_eq(target_mem_read(vm, 0x100000000ull + DATA, buf, 1, false), 0);
}
END_TEST

/* Code that was made safe to run is shown as the guest wrote it. */
START_TEST(memory_of_code)
{
	static const uint8_t code[] = { 0x9c, 0x9d, 0x0f, 0x00, 0xc0, 0x16, 0x90, 0xc3 };
	uint8_t buf[sizeof code];

	memcpy(vm->ram.base + AT_CODE, code, sizeof code);
	loop_scan(vm);
	ck_assert_uint_ne(vm->ram.base[AT_CODE], code[0]);
	ck_assert(vm->frames[AT_CODE >> PAGE_SHIFT].code);
	ck_assert_uint_eq(target_mem_read(vm, AT_CODE, buf, sizeof buf, false), sizeof buf);
	ck_assert_mem_eq(buf, code, sizeof buf);
	target_mem_write(vm, AT_CODE, code + 6, 1, false);
	ck_assert(!vm->frames[AT_CODE >> PAGE_SHIFT].code);
	ck_assert_uint_eq(vm->ram.base[AT_CODE], 0x90);
}
END_TEST

static void monitor(const char *command, char *out, size_t size)
{
	FILE *f = fmemopen(out, size, "w");

	ck_assert_ptr_nonnull(f);
	target_monitor(vm, command, f);
	fclose(f);
}

START_TEST(monitor_commands)
{
	char out[8192];

	monitor("phys 30000 2", out, sizeof out);
	ck_assert_str_eq(out, "00030000: 00 00\n");
	monitor("info registers", out, sizeof out);
	ck_assert_ptr_nonnull(strstr(out, "eip 0000a000"));
	monitor("trace irq,io", out, sizeof out);
	ck_assert_uint_eq(vm->trace.on, TRACE_IRQ | TRACE_IO);
	monitor("trace nothing", out, sizeof out);
	ck_assert_uint_eq(vm->trace.on, TRACE_IRQ | TRACE_IO);
	monitor("trace off", out, sizeof out);
	ck_assert_uint_eq(vm->trace.on, 0);
	monitor("reset", out, sizeof out);
	ck_assert(vm->reset_wanted);
	monitor("nonsense", out, sizeof out);
	ck_assert_ptr_nonnull(strstr(out, "unknown command"));
	monitor("quit", out, sizeof out);
	ck_assert(vm->ending);
}
END_TEST

/* ---- exits and times ---- */

START_TEST(last_exits)
{
	char out[8192];
	FILE *f;
	unsigned i;

	for (i = 0; i <= EXITS_KEPT; i++) {
		c->eip = 0x1000 + i;
		exits_note(vm, PHASE_trap_pf, 0xd000 + i, 2);
	}
	f = fmemopen(out, sizeof out, "w");
	ck_assert_ptr_nonnull(f);
	exits_print(&vm->exits, f);
	fclose(f);
	ck_assert_ptr_null(strstr(out, "00001000"));
	ck_assert_ptr_nonnull(strstr(out, "kernel 00001001"));
	ck_assert_ptr_nonnull(strstr(out, "00001040  page fault in kernel mode d040 error 2"));
}
END_TEST

START_TEST(phases_nest)
{
	struct stats *s = &vm->stats;
	enum phase outer;

	ck_assert_int_eq(stats_phase(s, PHASE_device), s->phase);
	ck_assert_uint_eq(s->time[PHASE_device].count, 0);	/* not measured */
	stats_start(s);
	stats_phase(s, PHASE_gate);
	outer = stats_phase(s, PHASE_device);
	ck_assert_int_eq(outer, PHASE_gate);
	stats_phase_end(s, outer);
	ck_assert_int_eq(s->phase, PHASE_gate);
	ck_assert_uint_eq(s->time[PHASE_gate].count, 1);
	ck_assert_uint_eq(s->time[PHASE_device].count, 1);
	ck_assert_uint_gt(s->time[PHASE_device].ticks, 0);
}
END_TEST

static void add(Suite *s, const char *name, void (*before)(void), const TTest *const *tests)
{
	TCase *tc = tcase_create(name);

	tcase_add_checked_fixture(tc, before, teardown);
	for (; *tests; tests++)
		tcase_add_test(tc, *tests);
	suite_add_tcase(s, tc);
}

int main(void)
{
	const TTest *const kernel[] = {
		steps_over_sensitive_instructions, steps_once_an_iteration,
		steps_once_an_iteration_of_port_output, steps_into_an_exception,
		step_of_the_guest_is_its_own, range_ends_outside,
		interrupts_wait_for_the_end_of_a_step, interrupt_within_a_range,
		step_of_hlt_ends_behind_it, steps_directly, stops_at_a_breakpoint,
		steps_off_a_breakpoint, removed_breakpoints_do_not_stop, bad_points_are_refused,
		no_view_shows_a_page_with_more_than_its_rights, watched_write, watched_read,
		watched_access_beside, fetching_is_no_access, watched_by_direct_instruction,
		frame_of_an_interrupt_is_a_write, time_stands_still, interrupted_in_hlt,
		registers, segment_registers, x87_tags, memory, memory_of_code,
		monitor_commands, last_exits, phases_nest, NULL
	};
	const TTest *const user[] = {
		user_breakpoint, user_breakpoint_of_one_space,
		kernel_breakpoints_are_for_all_spaces,
		child_cannot_execute_the_page, user_steps_directly,
		user_breakpoint_in_a_register, user_watchpoint_in_a_register,
		guest_takes_the_registers, NULL
	};
	Suite *s = suite_create("debug");

	add(s, "kernel", setup, kernel);
	add(s, "user", user_setup, user);
	return machine_suite(s);
}
