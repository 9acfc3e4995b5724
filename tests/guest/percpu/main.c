/* SPDX-License-Identifier: BSD-2-Clause */
/* A per-CPU segment in %fs: a base, offsets that wrap around 4 GiB, kept over
 * traps and user mode; the user's own %fs and %gs bases beside it. */
#include "guest.h"

uint32_t data[4] = { 0x10, 0x11, 0x12, 0x13 };
static uint32_t below[4] = { 0x20, 0x21, 0x22, 0x23 };
static uint32_t in_trap;

USER_CODE(user_fs, "movl %fs:4, %eax; movl %gs:8, %ebx; movl %eax, %fs:12");

static uint32_t fs_read(uint32_t off)
{
	uint32_t v;

	asm volatile("movl %%fs:(%1), %0" : "=r"(v) : "r"(off));
	return v;
}

static void look(struct trap_frame *f)
{
	(void)f;
	in_trap = fs_read(0);
}

int main(uint32_t magic, const void *info)
{
	struct trap_frame f = user_start(user_fs);

	(void)magic, (void)info;
	trap_init();
	user_init();
	gdt_set(SPARE_SEL, (uint32_t)data, 0xfffff, 0xc093);
	asm volatile("movl %0, %%fs" : : "r"(SPARE_SEL));
	printf("%x %x\n", fs_read(0), fs_read(12));
	printf("wraps: %x\n", fs_read((uint32_t)below - (uint32_t)data));
	/* A negative offset, as per-CPU variables of Linux have. */
	printf("negative: %x\n", fs_read(-4u + 8));
	asm volatile("incl %%fs:4; pushl %%fs:8; popl %0" : "=m"(below[0]) : : "memory", "cc");
	printf("written: %x, pushed %x\n", data[1], below[0]);
	trap_set(0x42, look);
	asm volatile("int $0x42");
	printf("in a trap: %x, behind it: %x\n", in_trap, fs_read(0));
	/* The descriptor changes; the register does not until it is loaded. */
	gdt_set(SPARE_SEL, (uint32_t)below, 0xfffff, 0xc093);
	printf("not loaded again: %x\n", fs_read(0));
	asm volatile("movl %0, %%fs" : : "r"(SPARE_SEL));
	printf("loaded again: %x\n", fs_read(4));
	/* The user's segments, the same entries used by two users in turn. */
	for (unsigned n = 0; n < 2; n++) {
		gdt_set(SPARE_SEL + 8, (uint32_t)(n ? below : data), 0xfffff, 0xc0f3);
		gdt_set(SPARE_SEL + 16, (uint32_t)(n ? data : below), 0xfffff, 0xc0f3);
		f = user_start(user_fs);
		f.fs = SPARE_SEL + 8 + 3;
		f.gs = SPARE_SEL + 16 + 3;
		user_enter(&f);
		printf("user: vector %x %x %x fs %x gs %x, stored %x\n", f.vector, f.eax, f.ebx,
		       f.fs, f.gs, (n ? below : data)[3]);
	}
	return 0;
}
