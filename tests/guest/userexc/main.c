/* SPDX-License-Identifier: BSD-2-Clause */
/* Every exception from user mode: vector, error code, eip, cs, ss, esp, flags. */
#include "guest.h"

#define EXCEPTIONS(X) \
	X(de, "xorl %eax, %eax; divl %eax") \
	X(de_idiv, "movl $0x80000000, %eax; cltd; movl $-1, %ecx; idivl %ecx") \
	X(bp, "int3") \
	X(of, "movb $0x7f, %al; incb %al; into") \
	X(no_of, "xorl %eax, %eax; into") \
	X(br, "pushl $9; pushl $3; movl $2, %eax; .byte 0x62, 0x04, 0x24") \
	X(br_inside, "pushl $9; pushl $3; movl $3, %eax; .byte 0x62, 0x04, 0x24; addl $8, %esp") \
	X(ud, "ud2") \
	X(ud_lock, "lock; nop") \
	X(ud_c4, ".byte 0xc4, 0xc0") \
	X(gp_hlt, "hlt") \
	X(gp_cli, "cli") \
	X(int_denied, "int $0x40") \
	X(int_4, "int $4") \
	X(int3_two, ".byte 0xcd, 3") \
	X(int_0, "int $0") \
	X(int_13, "int $13") \
	X(int_14, "int $14") \
	X(gp_ds, "movl $0x10, %eax; movl %eax, %ds") \
	X(gp_es, "movl $0x1000, %eax; movl %eax, %es") \
	X(gp_ss, "movl $0x10, %eax; movl %eax, %ss") \
	X(gp_ss_null, "xorl %eax, %eax; movl %eax, %ss") \
	X(np_fs, "movl $0x3b, %eax; movl %eax, %fs") \
	X(ss_absent, "movl $0x3b, %eax; movl %eax, %ss") \
	X(pop_bad, "pushl $0x1000; popl %gs") \
	X(lds_bad, "pushl $0x10; pushl $0; ldsl (%esp), %eax") \
	X(ds_null_ok, "xorl %eax, %eax; movl %eax, %ds; movl $0x23, %eax; movl %eax, %ds") \
	X(pf_null, "movl 0x70000000, %eax") \
	X(pf_write, "movl %eax, 0x70000000") \
	X(pf_jump, "movl $0x70000000, %eax; jmp *%eax") \
	X(iret_bad, "pushl $2; pushl $0x8; pushl $0; iretl") \
	X(iret_same, "pushl $2; pushl %cs; pushl $1f; iretl; 1: nop") \
	X(lret_bad, "pushl $0x8; pushl $0; lretl") \
	X(lret_same, "pushl %cs; pushl $1f; lretl; 1: nop") \
	X(ljmp_kernel, "ljmp $0x8, $0") \
	X(ljmp_null, "ljmp $0, $0") \
	X(ljmp_same, "ljmp $0x1b, $1f; 1: nop") \
	X(lcall_kernel, "lcall $0x8, $0") \
	X(mf, "fninit; fldz; fld1; pushl $0x340; fldcw (%esp); fdivp; fwait; addl $4, %esp")
#define CODE(name, code) USER_CODE(user_##name, code);
EXCEPTIONS(CODE)

/* RF, which is set in the frame of a fault on hardware, and the arithmetic flags. */
#define FLAGS (1u << 16 | 0x8d5u)

static void show(const char *name, const void *code)
{
	struct trap_frame f = user_start(code);
	uint32_t esp = f.esp;

	f.eflags |= 0x202;		/* IF in the frame, whatever the gate does */
	user_enter(&f);
	printf("%s: vector %u error %x eip+%d cs %x ss %x esp%d eflags %x", name, f.vector, f.error,
	       f.eip - (uint32_t)code, f.cs, f.ss, f.esp - esp, f.eflags & ~FLAGS);
	if (f.vector == 14)
		printf(" cr2 %x", read_cr2());
	printf("\n");
}

int main(uint32_t magic, const void *info)
{
	uint32_t *dir;

	(void)magic, (void)info;
	trap_init();
	pic_init();
	user_init();
	trap_gate(3, KERNEL_CS, trap_entry(3), 0xe, 3);
	trap_gate(4, KERNEL_CS, trap_entry(4), 0xe, 3);
	gdt_set(SPARE_SEL + 8, 0, 0xfffff, 0xc073);
	dir = paging_new();
	paging_on(dir);
	write_cr0(read_cr0() | 0x40020);	/* AM, NE */
	write_cr4(CR4_OSFXSR | 0x400);
	asm volatile("fninit");
#define SHOW(name, code) show(#name, user_##name);
	EXCEPTIONS(SHOW)
	/* int3 and into need the gate's DPL, too. */
	trap_gate(3, KERNEL_CS, trap_entry(3), 0xe, 0);
	trap_gate(4, KERNEL_CS, trap_entry(4), 0xe, 0);
	show("int3, DPL 0", user_bp);
	show("into, DPL 0", user_of);
	/* An absent gate. */
	trap_gate(0x80, KERNEL_CS, 0, 0, 0);
	show("int $0x80, DPL 0", user_no_of);
	return 0;
}
