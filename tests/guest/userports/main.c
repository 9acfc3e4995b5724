/* SPDX-License-Identifier: BSD-2-Clause */
/* Port access from user mode: IOPL, then the TSS's bitmap. */
#include "guest.h"

#define SCRATCH 0x3ff


USER_CODE(user_in, "movl $0x3ff, %edx; inb %dx, %al");
USER_CODE(user_out, "movl $0x3ff, %edx; movb $0x42, %al; outb %al, %dx");
USER_CODE(user_inw, "movl $0x3fe, %edx; inw %dx, %ax");
USER_CODE(user_inl, "movl $0x4fd, %edx; inl %dx, %eax");
USER_CODE(user_beyond, "movl $0x600, %edx; inb %dx, %al");
USER_CODE(user_imm, "inb $0x21, %al");
USER_CODE(user_ins, "movl $0x3ff, %edx; subl $16, %esp; movl %esp, %edi; movl $4, %ecx; rep insb; "
		    "movl (%esp), %eax");
USER_CODE(user_outs, "movl $0x3ff, %edx; pushl $0x04030201; movl %esp, %esi; movl $3, %ecx; rep "
		     "outsb; movl %esi, %eax; subl %esp, %eax");
USER_CODE(user_cli_sti, "cli; sti; cli");

static void run(const char *name, const void *code, uint32_t iopl)
{
	struct trap_frame f = user_start(code);

	f.eflags |= iopl;
	f.eax = 0;
	user_enter(&f);
	printf("%s: vector %u error %x eip+%u eax %x scratch %x IF %u\n", name, f.vector, f.error,
	       f.eip - (uint32_t)code, f.eax, inb(SCRATCH), f.eflags >> 9 & 1);
}

static void all(const char *title, uint32_t iopl)
{
	printf("-- %s\n", title);
	outb(SCRATCH, 0x77);
	run("inb", user_in, iopl);
	run("outb", user_out, iopl);
	run("inb imm", user_imm, iopl);
	run("rep insb", user_ins, iopl);
	run("rep outsb", user_outs, iopl);
	run("cli sti cli", user_cli_sti, iopl);
}

/* The bitmap denies with ones; a byte of ones has to follow it (SDM 1, 18.5.2). */
static void deny(unsigned port, unsigned n)
{
	for (; n--; port++)
		tss_iomap[port / 8] |= (uint8_t)(1 << port % 8);
}

int main(uint32_t magic, const void *info)
{
	(void)magic, (void)info;
	trap_init();
	user_init();
	pic_init();
	all("IOPL 0, no bitmap", 0);
	all("IOPL 3", 0x3000);
	tss_allow_ports();
	all("bitmap, all allowed", 0);
	run("inw", user_inw, 0);
	run("beyond the bitmap", user_beyond, 0);
	deny(SCRATCH, 1);
	all("bitmap, one denied", 0);
	run("inw half denied", user_inw, 0);
	run("inl up to the end", user_inl, 0);
	return 0;
}
