/* SPDX-License-Identifier: BSD-2-Clause */
/* Timer interrupts of endless loops in user mode: frame, registers, flags. */
#include "guest.h"

#define TICKS 20

USER_CODE(user_loop, "1: incl %eax; jmp 1b");
USER_CODE(user_calls, "movl $5, %ebx; 1: int $0x81; jmp 1b");
USER_CODE(user_fpu, "fninit; fldz; fld1; 1: fadd %st, %st(1); fxch; fxch; cmpl $0, %edi; je 1b; "
		    "fstp %st; fistpl (%esp); popl %eax");

static unsigned ticks, calls, bad;

static void tick(struct trap_frame *f)
{
	ticks++;
	if (f->cs != USER_CS || f->ss != USER_DS || !(f->eflags & 0x200))
		bad++;
	pic_eoi(0);
	if (ticks >= TICKS)
		f->edi = 1;		/* ends user_fpu */
}

static void call(struct trap_frame *f)
{
	calls++;
	if (f->ebx != 5)
		bad++;
	/* Ends the loop: behind the jump lies int $0x80. */
	if (ticks >= TICKS)
		f->eip += 2;
}

/* Leaves the plain loop by changing the frame's eip. */
static uint32_t loop_end;
static void tick_out(struct trap_frame *f)
{
	tick(f);
	if (ticks >= TICKS)
		f->eip = loop_end;
}

static void run(const char *name, const void *code, trap_fn *handler)
{
	struct trap_frame f = user_start(code);

	ticks = calls = bad = 0;
	trap_set(IRQ_BASE, handler);
	f.eflags |= 0x200;
	user_enter(&f);
	printf("%s: vector %x ticks %s calls %s wrong frames %u\n", name, f.vector,
	       ticks >= TICKS ? "enough" : "too few", calls ? "yes" : "none", bad);
	if (code == (const void *)user_loop)
		printf("it ran: %s\n", f.eax > 1000 ? "yes" : "no");
	if (code == (const void *)user_fpu)
		printf("the FPU counted: %s\n", f.eax > 1000 ? "yes" : "no");
}

int main(uint32_t magic, const void *info)
{
	(void)magic, (void)info;
	trap_init();
	user_init();
	pic_init();
	trap_gate(0x81, KERNEL_CS, trap_entry(0x81), 0xe, 3);
	trap_set(0x81, call);
	pit_rate(500);
	pic_unmask(0);
	loop_end = (uint32_t)user_loop + 3;
	run("loop", user_loop, tick_out);
	run("calls", user_calls, tick);
	run("x87", user_fpu, tick);
	return 0;
}
