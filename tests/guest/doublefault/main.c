/* SPDX-License-Identifier: BSD-2-Clause */
/* Double faults through an interrupt gate: which pairs make one (SDM 3, table 6-5). */
#include "guest.h"

#define VA 0x40000000u

static void double_fault(struct trap_frame *f)
{
	try_catch(f);
}

static void show(const char *name)
{
	if (caught.vector == 14)
		printf("%s: vector 14 error %x cr2 %x\n", name, caught.error, caught.cr2);
	else	/* without the EXT bit, which QEMU leaves out */
		printf("%s: vector %u error %x eip+%u\n", name, caught.vector, caught.error & ~1u,
		       caught.offset);
}

/* A gate of each kind that raises a second exception by itself. */
static void absent(unsigned v) { trap_gate(v, KERNEL_CS, 0, 0x10, 0); }
static void bad_selector(unsigned v) { trap_gate(v, 0xfff8, 0, 0xe, 0); }
static void good(unsigned v) { trap_gate(v, KERNEL_CS, trap_entry(v), 0xe, 0); }

int main(uint32_t magic, const void *info)
{
	uint32_t *dir;

	(void)magic, (void)info;
	trap_init();
	user_init();
	dir = paging_new();
	page_map(dir, VA, NULL, 0);
	paging_on(dir);
	trap_set(8, double_fault);

	bad_selector(6);
	TRY("ud2"); show("benign, then contributory");
	absent(0);
	TRY("xorl %%ecx, %%ecx; divl %%ecx"); show("#DE, then contributory");
	good(0);
	bad_selector(13);
	TRY("movl $0x1000, %%eax; movl %%eax, %%ds"); show("#GP, then contributory");
	good(13);
	bad_selector(14);
	TRY("movl 0x40000000, %%eax"); show("#PF, then contributory");
	good(14);
	bad_selector(3);
	TRY("int3"); show("int3, then contributory");
	TRY("int $3"); show("int $3, then contributory");
	return 0;
}
