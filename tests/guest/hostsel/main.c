/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * User code that tries selectors which mean something to a 64-bit host: 0x23
 * and 0x2b (its flat segments), 0x33 (its 64-bit code), 0x7b.  To the guest
 * they are entries of its own GDT, here empty or of other kinds.
 */
#include "guest.h"

#define JUMP(sel) \
	"ljmp $" #sel ", $1f\n1: .byte 0x48; movl %esp, %eax; .byte 0x48, 0xc7, 0xc0, 1, 0, 0, 0"
#define CASES(X) \
	X(j23, JUMP(0x23)) \
	X(j2b, JUMP(0x2b)) \
	X(j33, JUMP(0x33)) \
	X(j3b, JUMP(0x3b)) \
	X(j7b, JUMP(0x7b)) \
	X(c33, "lcall $0x33, $1f; 1:") \
	X(r33, "pushl $0x33; pushl $1f; lretl; 1:") \
	X(i33, "pushfl; pushl $0x33; pushl $1f; iretl; 1:") \
	X(ds2b, "movl $0x2b, %eax; movl %eax, %ds; movl %ds:0x100000, %eax") \
	X(es33, "movl $0x33, %eax; movl %eax, %es; movl %es:0x100000, %eax") \
	X(fs7b, "movl $0x7b, %eax; movl %eax, %fs; movl %fs:0x100000, %eax") \
	X(gs3b, "movl $0x3b, %eax; movl %eax, %gs; movl %gs:0x100000, %eax") \
	X(ss2b, "movl $0x2b, %eax; movl %eax, %ss; pushl %eax") \
	X(own, "movl %ds, %eax; movl %eax, %es; movl %eax, %fs; movl %fs:0x100000, %eax; " \
	       "subl %ds:0x100000, %eax")
#define CODE(name, code) USER_CODE(user_##name, code);
CASES(CODE)

/* A load of a wrong selector may be noticed at the load or, by LilyVM, at the
 * first use: only vector and error are compared. */
static void show(const char *name, const void *code)
{
	struct trap_frame f = user_start(code);

	f.eax = 0;
	user_enter(&f);
	printf("%s: vector %u error %x cs %x ss %x\n", name, f.vector, f.error, f.cs, f.ss);
}

int main(uint32_t magic, const void *info)
{
	(void)magic, (void)info;
	trap_init();
	user_init();
	gdt_set(TSS_SEL, (uint32_t)&tss, sizeof(tss) - 1, 0x8b);
#define SHOW(name, code) show(#name, user_##name);
	CASES(SHOW)
	/* With entries of the guest's own there, they work. */
	gdt_set(0x30, 0, 0xfffff, 0xc0f3);
	gdt_set(0x38, 0, 0xfffff, 0xc0f3);
	gdt_set(0x78, 0, 0xfffff, 0xc0f3);
	printf("-- data segments\n");
	CASES(SHOW)
	return 0;
}
