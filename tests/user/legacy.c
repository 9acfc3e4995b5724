/* SPDX-License-Identifier: BSD-2-Clause */
/* What old programs ask for: ports by ioperm and iopl, virtual-8086 mode. */
#define _GNU_SOURCE
#include "harness.h"
#include "trap.h"

#include <errno.h>
#include <string.h>
#include <sys/io.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/vm86.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- ports ---- */

/* The CMOS: register 0d, whose bit 7 says that the battery is good. */
SNIPPET(cmos_read, "", "movb $0x0d, %al\n\toutb %al, $0x70\n\tinb $0x71, %al\n\tmovb %al, ports_got",
	"");
SNIPPET(post_write, "", "outb %al, $0x80", "");
SNIPPET(one_in, "", "inb $0x71, %al", "");
SNIPPET(one_cli, "", "cli\n\tsti", "");
uint8_t ports_got;

static void refused_by_kernel(int result, const char *what)
{
	if (result == -1 && (errno == ENOSYS || errno == EPERM))
		test_skip("the kernel has no %s, or not for this user", what);
	CHECK(!result, "%s: errno %d", what, errno);
}

static void open_cmos(void)
{
	refused_by_kernel(ioperm(0x70, 2, 1), "ioperm");
}

static void check_cmos(const char *when)
{
	struct trap t;

	ports_got = 0;
	t = snippet_run(cmos_read, 0);
	CHECK(!t.sig, "%s: signal %d", when, t.sig);
	CHECK(ports_got & 0x80, "%s: register 0d is %02x", when, ports_got);
}

static void check_refused(const char *when, const char *code, const char *at)
{
	struct trap t = snippet_run(code, 0);

	CHECK(t.sig == SIGSEGV && t.trapno == 13, "%s: signal %d, exception %u", when, t.sig, t.trapno);
	CHECK(t.gregs[14] == (uint32_t)(uintptr_t)at, "%s: eip %x", when, t.gregs[14]);
}

static void check_no_ports(const void *arg)
{
	(void)arg;
	check_refused("in", one_in, one_in_at);
	check_refused("out", post_write, post_write_at);
	check_refused("cli", one_cli, one_cli_at);
}

static void check_ioperm(const void *arg)
{
	(void)arg;
	open_cmos();
	check_cmos("two ports");
	check_refused("another port", post_write, post_write_at);
	SYS(ioperm(0x71, 1, 0));
	check_refused("a port taken away", one_in, one_in_at);
}

/* A child has its parent's permissions, and not those that come later. */
static void check_ioperm_fork(const void *arg)
{
	int pid;

	(void)arg;
	open_cmos();
	pid = (int)SYS(fork());
	if (!pid) {
		check_cmos("inherited");
		SYS(ioperm(0x70, 2, 0));
		check_refused("given up", one_in, one_in_at);
		_exit(0);
	}
	wait_ok(pid);
	check_cmos("still the parent's");
}

static void check_iopl(const void *arg)
{
	(void)arg;
	refused_by_kernel(iopl(3), "iopl");
	check_cmos("iopl 3");
	CHECK(!snippet_run(post_write, 0).sig, "port 80: a signal");
	SYS(iopl(0));
	check_refused("iopl 0 again", one_in, one_in_at);
}

/* ---- virtual-8086 mode ---- */

#define REAL_SEG 0x1000u		/* above vm.mmap_min_addr */
#define REAL_STACK 0xf000u

static uint8_t *real_memory(void)
{
	void *at = (void *)(uintptr_t)(REAL_SEG << 4);
	void *p = mmap(at, 0x10000, PROT_READ | PROT_WRITE | PROT_EXEC,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	CHECK(p == at, "mmap at %p: errno %d", at, errno);
	return p;
}

/* Runs code from REAL_SEG:0 until the kernel gives it back; what vm86() says. */
static int vm86_run(struct vm86plus_struct *v, const uint8_t *code, size_t n)
{
	long result;

	memcpy(real_memory(), code, n);
	v->regs.cs = v->regs.ss = v->regs.ds = v->regs.es = REAL_SEG;
	v->regs.esp = REAL_STACK;
	v->regs.eip = 0;
	v->cpu_type = CPU_586;
	memset(&v->int_revectored, 0xff, sizeof v->int_revectored);
	result = syscall(SYS_vm86, VM86_ENTER, v);
	if (result == -1 && errno == ENOSYS)
		test_skip("the kernel has no vm86 system call");
	CHECK(result != -1, "vm86: errno %d", errno);
	return (int)result;
}

static void check_vm86_computing(const void *arg)
{
	/* mov $0x1234,%ax; inc %ax; mov %ax,0x100; push %ax; pop %bx; shl $4,%bx;
	 * mov $3,%cx; 1: add $5,%dx; loop 1b; int $0x21 */
	static const uint8_t code[] = {
		0xb8, 0x34, 0x12, 0x40, 0xa3, 0x00, 0x01, 0x50, 0x5b, 0xc1, 0xe3, 0x04,
		0xb9, 0x03, 0x00, 0x83, 0xc2, 0x05, 0xe2, 0xfb, 0xcd, 0x21,
	};
	struct vm86plus_struct v = { .regs.edx = 0xabcd0000 };
	int result = vm86_run(&v, code, sizeof code);
	const uint8_t *memory = (const uint8_t *)(uintptr_t)(REAL_SEG << 4);

	(void)arg;
	CHECK(VM86_TYPE(result) == VM86_INTx && VM86_ARG(result) == 0x21, "result %x", result);
	CHECK((v.regs.eax & 0xffff) == 0x1235 && (v.regs.ebx & 0xffff) == 0x2350, "ax %lx bx %lx",
	      v.regs.eax, v.regs.ebx);
	CHECK((uint32_t)v.regs.edx == 0xabcd000f, "edx %lx", v.regs.edx);
	CHECK(memory[0x100] == 0x35 && memory[0x101] == 0x12, "memory %02x%02x", memory[0x101],
	      memory[0x100]);
	CHECK(v.regs.eip == sizeof code && (v.regs.esp & 0xffff) == REAL_STACK, "ip %lx sp %lx",
	      v.regs.eip, v.regs.esp);
	CHECK(v.regs.cs == REAL_SEG && v.regs.ds == REAL_SEG, "cs %x ds %x", v.regs.cs, v.regs.ds);
}

/* cli and sti move the flag that the kernel keeps for the program. */
static void check_vm86_flags(const void *arg)
{
	/* sti; pushf; pop %ax; cli; pushf; pop %bx; int $0x21 */
	static const uint8_t code[] = {
		0xfb, 0x9c, 0x58, 0xfa, 0x9c, 0x5b, 0xcd, 0x21,
	};
	struct vm86plus_struct v = { .regs.eflags = 0 };
	int result = vm86_run(&v, code, sizeof code);

	(void)arg;
	CHECK(VM86_TYPE(result) == VM86_INTx && VM86_ARG(result) == 0x21, "result %x", result);
	CHECK((v.regs.eax & 0x200) && !(v.regs.ebx & 0x200), "flags %lx, then %lx", v.regs.eax,
	      v.regs.ebx);
}

/* What the kernel does not do for it ends the stay. */
static void check_vm86_unknown(const void *arg)
{
	static const uint8_t code[] = { 0x90, 0xf4 };		/* nop; hlt */
	struct vm86plus_struct v = { .regs.eflags = 0 };
	int result = vm86_run(&v, code, sizeof code);

	(void)arg;
	CHECK(VM86_TYPE(result) == VM86_UNKNOWN, "result %x", result);
	CHECK(v.regs.eip == 1, "ip %lx", v.regs.eip);
}

void test_legacy(void)
{
	run("ports: none without permission", check_no_ports, NULL);
	run("ports: ioperm", check_ioperm, NULL);
	run("ports: ioperm and fork", check_ioperm_fork, NULL);
	run("ports: iopl", check_iopl, NULL);
	run("vm86: computing", check_vm86_computing, NULL);
	run("vm86: the interrupt flag", check_vm86_flags, NULL);
	run("vm86: an instruction of the system", check_vm86_unknown, NULL);
}
