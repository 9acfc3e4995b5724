/* SPDX-License-Identifier: BSD-2-Clause */
/* Something to debug: tests/gdb sets breakpoints at these names, and `mode`.
 * By itself it runs through. */
#include "guest.h"

#define CALL 0x42
/* Where user code runs in each address space. */
#define USER 0x40000000u

enum { RUN_THROUGH, SPIN, SLEEP, PANIC };

volatile unsigned mode, ticks, watched, spins, calls;
uint32_t *space_a, *space_b;
void sensitive(void);

/* Not static, not inline: debuggers find them as they are written. */
void tick(struct trap_frame *f);
void wait_for_ticks(unsigned n);
void spin(void);
void sleep_for_ever(void);
void panic(const char *why);
void in_space(uint32_t *dir);
void finish(void);

/* Sensitive instructions, to be stepped through. */
asm(".text\n"
    ".globl sensitive\n"
    ".type sensitive, @function\n"
    "sensitive:\n"
    "	pushfl\n"
    "	popfl\n"
    "	cli\n"
    "	movl %ds, %eax\n"
    "	movl %eax, %es\n"
    "	pushl %es\n"
    "	popl %es\n"
    "	movl %cr3, %eax\n"
    "	movl %eax, %cr3\n"
    "	sidt -8(%esp)\n"
    "	cpuid\n"
    "	movl $3, %ecx\n"
    "	pushl %edi\n"
    "	leal -64(%esp), %edi\n"
    "	rep stosb\n"
    "	popl %edi\n"
    "	pushfl\n"
    "	pushl %cs\n"
    "	pushl $1f\n"
    "	iretl\n"
    "	ud2\n"
    "1:	int $0x42\n"
    "	sti\n"
    "	nop\n"
    "	cli\n"
    "	ret\n"
    ".size sensitive, . - sensitive\n");

USER_CODE(user_code, "movl $7, %ecx; nop; nop");

void tick(struct trap_frame *f)
{
	(void)f;
	if (++ticks == 3)
		watched = ticks;
	pic_eoi(0);
}

static void called(struct trap_frame *f)
{
	(void)f;
	calls++;
}

__attribute__((noinline)) void wait_for_ticks(unsigned n)
{
	sti();
	while (ticks < n)
		;
	cli();
}

__attribute__((noinline)) void spin(void)
{
	sti();
	for (;;)
		spins++;
}

__attribute__((noinline)) void sleep_for_ever(void)
{
	pit_rate(100);
	for (;;)
		sti_hlt();
}

/* As Linux does. */
__attribute__((noinline)) void panic(const char *why)
{
	printf("Kernel panic - not syncing: %s\n", why);
	for (;;)
		asm volatile("cli; hlt");
}

static uint32_t *new_space(void)
{
	uint32_t *dir = paging_new();

	page_map(dir, USER, (void *)((uint32_t)user_code & ~(PAGE - 1)), PTE_P | PTE_U);
	return dir;
}

/* Runs user_code once in the address space of dir. */
__attribute__((noinline)) void in_space(uint32_t *dir)
{
	struct trap_frame f = user_start((void *)(USER + (uint32_t)user_code % PAGE));

	write_cr3((uint32_t)dir);
	user_enter(&f);
	printf("user code: ecx %u\n", f.ecx);
}

__attribute__((noinline)) void finish(void)
{
	printf("calls %u, watched %u\n", calls, watched);
}

int main(uint32_t magic, const void *info)
{
	(void)magic, (void)info;
	trap_init();
	pic_init();
	user_init();
	trap_set(CALL, called);
	trap_set(IRQ_BASE, tick);
	space_a = new_space();
	space_b = new_space();
	paging_on(space_a);
	sensitive();
	pit_rate(200);
	pic_unmask(0);
	if (mode == SPIN)
		spin();
	if (mode == SLEEP)
		sleep_for_ever();
	if (mode == PANIC)
		panic("as wanted");
	wait_for_ticks(5);
	in_space(space_a);
	in_space(space_b);
	finish();
	return 0;
}
