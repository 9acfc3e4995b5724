/* SPDX-License-Identifier: BSD-2-Clause */
/* The ways into the kernel: int $0x80, sysenter, the vdso; what they keep. */
#define _GNU_SOURCE
#include "harness.h"

#include <cpuid.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The registers of a system call, in the order of gate_call below. */
struct gate_regs {
	uint32_t eax, ebx, ecx, edx, esi, edi, ebp;
};

/* One way into the kernel, as a procedure that returns to its caller. */
uint32_t gate_address;
uint32_t gate_saved_esp;
void gate_int80(void);
void gate_sysenter(void);
/* Loads all registers from *r, calls gate_address, stores them all to *r;
 * returns the difference of the stack pointer. */
uint32_t gate_call(struct gate_regs *r);

__asm__(".pushsection .text\n"
	"gate_int80:	int $0x80\n	ret\n"
	/* As the vdso does: the kernel returns to the vdso, which pops these. */
	"gate_sysenter:	pushl %ecx\n	pushl %edx\n	pushl %ebp\n	movl %esp, %ebp\n"
	"	sysenter\n	ud2\n"
	"gate_call:\n"
	"	pushal\n"
	"	movl 36(%esp), %eax\n	pushl %eax\n	movl %esp, gate_saved_esp\n"
	"	movl 4(%eax), %ebx\n	movl 8(%eax), %ecx\n	movl 12(%eax), %edx\n"
	"	movl 16(%eax), %esi\n	movl 20(%eax), %edi\n	movl 24(%eax), %ebp\n"
	"	movl (%eax), %eax\n"
	"	call *gate_address\n"
	"	xchgl %eax, (%esp)\n"
	"	movl %ebx, 4(%eax)\n	movl %ecx, 8(%eax)\n	movl %edx, 12(%eax)\n"
	"	movl %esi, 16(%eax)\n	movl %edi, 20(%eax)\n	movl %ebp, 24(%eax)\n"
	"	popl (%eax)\n"
	"	leal -4(%esp), %ecx\n	subl gate_saved_esp, %ecx\n	movl %ecx, 28(%esp)\n"
	"	popal\n	ret\n"
	".popsection");

/* Selects the gate `arg` ("int80", "sysenter", "vdso"), or skips the test. */
static void use_gate(const char *name)
{
	unsigned a, b, c, d;

	if (strcmp(name, "int80") == 0) {
		gate_address = (uint32_t)(uintptr_t)gate_int80;
		return;
	}
	gate_address = (uint32_t)getauxval(AT_SYSINFO);
	if (!gate_address)
		test_skip("no vdso");
	if (strcmp(name, "sysenter") == 0) {
		__cpuid(1, a, b, c, d);
		if (!(d & 1u << 11))
			test_skip("no SEP");
		gate_address = (uint32_t)(uintptr_t)gate_sysenter;
	}
}

static uint32_t gate(uint32_t nr, struct gate_regs *r)
{
	struct gate_regs before;
	uint32_t moved;

	r->eax = nr;
	before = *r;
	moved = gate_call(r);
	CHECK(moved == 0, "the stack pointer moved by %d", (int)moved);
	CHECK(!memcmp(&r->ebx, &before.ebx, sizeof(*r) - sizeof(r->eax)),
	      "registers changed: ebx 0x%x ecx 0x%x edx 0x%x esi 0x%x edi 0x%x ebp 0x%x", r->ebx,
	      r->ecx, r->edx, r->esi, r->edi, r->ebp);
	return r->eax;
}

static void check_registers(const void *arg)
{
	struct gate_regs r = { 0, 0x11111111, 0x22222222, 0x33333333, 0x44444444, 0x55555555,
			       0x66666666 };
	uint32_t flags, pid = (uint32_t)getpid();

	use_gate(arg);
	for (int i = 0; i < 1000; i++) {
		uint32_t got = gate(SYS_getpid, &r);

		CHECK(got == pid, "getpid gave %u, wanted %u", got, pid);
	}
	__asm__ volatile("pushfl\n\tpopl %0" : "=r"(flags));
	CHECK((flags & 0x247700) == 0x200, "flags 0x%x afterwards", flags);
}

/* Six arguments, the sixth in %ebp. */
static void check_six(const void *arg)
{
	struct gate_regs r = { 0, 0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			       (uint32_t)-1, 0 };
	char path[] = "/proc/self/exe";
	struct gate_regs o = { 0, (uint32_t)(uintptr_t)path, 0, 0, 0, 0, 0 };
	uint32_t fd, p;

	use_gate(arg);
	p = gate(SYS_mmap2, &r);
	CHECK(p < 0xfffff000 && p, "mmap2 gave 0x%x", p);
	*(volatile uint32_t *)(uintptr_t)p = 1;
	fd = gate(SYS_open, &o);
	CHECK(fd < 1000, "open gave %d", (int)fd);
	/* Page 0 of the file begins with the ELF magic, page 1 does not. */
	r = (struct gate_regs){ 0, 0, 4096, PROT_READ, MAP_PRIVATE, fd, 1 };
	p = gate(SYS_mmap2, &r);
	CHECK(p < 0xfffff000 && memcmp((void *)(uintptr_t)p, "\177ELF", 4), "page 1 at 0x%x", p);
	r.ebp = 0;
	p = gate(SYS_mmap2, &r);
	CHECK(p < 0xfffff000 && !memcmp((void *)(uintptr_t)p, "\177ELF", 4), "page 0 at 0x%x", p);
}

static void check_errors(const void *arg)
{
	struct gate_regs r = { 0 };
	uint32_t got;

	use_gate(arg);
	got = gate(9999, &r);
	CHECK(got == (uint32_t)-ENOSYS, "call 9999 gave %d, wanted -ENOSYS", (int)got);
	got = gate(0xffffffff, &r);
	CHECK(got == (uint32_t)-ENOSYS, "call -1 gave %d, wanted -ENOSYS", (int)got);
	r.ebx = 999;
	got = gate(SYS_close, &r);
	CHECK(got == (uint32_t)-EBADF, "close(999) gave %d, wanted -EBADF", (int)got);
}

/* Data through the kernel by each gate. */
static void check_data(const void *arg)
{
	static uint8_t out[65536], in[65536];
	struct gate_regs r = { 0 };
	uint32_t got;
	int fd[2];

	use_gate(arg);
	SYS(pipe(fd));
	for (unsigned i = 0; i < sizeof(out); i++)
		out[i] = (uint8_t)(i * 7 + i / 256);
	r = (struct gate_regs){
		0, (uint32_t)fd[1], (uint32_t)(uintptr_t)out, sizeof(out), 0, 0, 0
	};
	got = gate(SYS_write, &r);
	CHECK(got == sizeof(out), "write gave %d", (int)got);
	r = (struct gate_regs){ 0, (uint32_t)fd[0], (uint32_t)(uintptr_t)in, sizeof(in), 0, 0, 0 };
	got = gate(SYS_read, &r);
	CHECK(got == sizeof(in) && !memcmp(in, out, sizeof(in)), "read gave %d or other data",
	      (int)got);
}

/* vm86 mode, which Debian's kernel does not offer any more. */
static void check_vm86(const void *arg)
{
	(void)arg;
	if (syscall(SYS_vm86old, NULL) == -1 && errno == ENOSYS)
		test_skip("the kernel has no vm86 system call");
	CHECK(errno == EFAULT, "errno %d, wanted EFAULT", errno);
}

void test_syscalls(void)
{
	static const char *const gates[] = { "int80", "sysenter", "vdso" };
	static const struct { const char *name; test_fn *fn; } tests[] = {
		{ "registers kept", check_registers }, { "six arguments", check_six },
		{ "errors", check_errors }, { "64 KiB through a pipe", check_data },
	};
	char name[96];

	for (unsigned g = 0; g < sizeof(gates) / sizeof(gates[0]); g++)
		for (unsigned t = 0; t < sizeof(tests) / sizeof(tests[0]); t++) {
			snprintf(name, sizeof(name), "system call: %s: %s", gates[g],
				 tests[t].name);
			run(name, tests[t].fn, gates[g]);
		}
	run("system call: vm86", check_vm86, NULL);
}
