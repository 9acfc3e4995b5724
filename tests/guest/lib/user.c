/* SPDX-License-Identifier: BSD-2-Clause */
/* User mode as a procedure: enter it, come back by a trap. */
#include "guest.h"

#define SYSCALL 0x80
#define STACK_SIZE 4096

struct trap_frame *user_frame;
uint32_t user_kernel_esp;
void user_leave(void) __attribute__((noreturn));

static uint8_t user_stack[STACK_SIZE] __attribute__((aligned(4096)));

_Static_assert(sizeof(struct trap_frame) == FRAME_SIZE, "FRAME_SIZE");

static void user_trap(struct trap_frame *f)
{
	if (!(f->cs & 3))
		try_catch(f);
	*user_frame = *f;
	user_leave();
}

void user_init(void)
{
	for (unsigned v = 0; v < 32; v++)
		trap_set(v, user_trap);
	trap_set(SYSCALL, user_trap);
	trap_gate(SYSCALL, KERNEL_CS, trap_entry(SYSCALL), 0xe, 3);
	/* user_enter() sets the stack. */
	tss_init(NULL);
}

struct trap_frame user_start(const void *eip)
{
	return (struct trap_frame){
		.gs = USER_DS, .fs = USER_DS, .es = USER_DS, .ds = USER_DS,
		.eip = (uint32_t)eip, .cs = USER_CS, .eflags = 2,
		.esp = (uint32_t)user_stack + STACK_SIZE, .ss = USER_DS,
	};
}

void frame_print(const char *name, const struct trap_frame *f, const void *start)
{
	printf("%s: vector %u error %x eip+%u cs %x ss %x\n", name, f->vector, f->error,
	       f->eip - (uint32_t)start, f->cs, f->ss);
}

void user_print(const char *name, const void *eip)
{
	struct trap_frame f = user_start(eip);

	user_enter(&f);
	frame_print(name, &f, eip);
}
