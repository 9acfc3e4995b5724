/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the host offers: a table of experiments.  Those that could crash or
 * hang run in a child with an alarm.
 */
#define _GNU_SOURCE
#include "hostos/probe.h"

#include "hostos/linux/engines.h"
#include "hostos/linux/landlock.h"

#include <asm/ldt.h>
#include <asm/prctl.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

/* Values of newer headers. */
#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#define PR_SYS_DISPATCH_OFF 0
#define PR_SYS_DISPATCH_ON 1
#endif
#ifndef PTRACE_SYSEMU
#define PTRACE_SYSEMU 31
#endif
#define HWCAP2_FSGSBASE 2ul		/* arch/x86/include/uapi/asm/hwcap2.h */

#define CHILD_SECONDS 5
#define USER32_CS 0x23			/* arch/x86/include/asm/segment.h: __USER32_CS */

/* What an experiment found, for people. */
struct finding {
	char text[160];
};

struct probe {
	const char *name;
	bool essential;
	bool (*try)(struct finding *f);
	const char *cost, *mend;
};

static bool found(struct finding *f, bool good, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static bool found(struct finding *f, bool good, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(f->text, sizeof(f->text), fmt, ap);
	va_end(ap);
	return good;
}

/* ---- children ---- */

/* Undoes what the monitor may have set up, so that a child dies when it should. */
static void become_child(void)
{
	static const int fatal[] = { SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE, SIGSYS, SIGALRM };
	const struct rlimit no_core = { 0, 0 };
	sigset_t none;

	for (size_t i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++)
		signal(fatal[i], SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setrlimit(RLIMIT_CORE, &no_core);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(CHILD_SECONDS);
}

static int wait_for(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, __WALL) < 0)
		if (errno != EINTR)
			return -1;
	return status;
}

/* Runs try() in a child; its value 0..127 comes back, minus the signal that
 * killed it, or -128 if there was no child. */
static int in_child(int (*try)(void))
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		become_child();
		_exit(try());
	}
	if (pid < 0)
		return -128;
	status = wait_for(pid);
	if (status < 0)
		return -128;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static const char *child_end(int result)
{
	if (result == -128)
		return "no child process";
	return result < 0 ? strsignal(-result) : strerror(result);
}

static bool try_fork(struct finding *f)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	if (pid < 0)
		return found(f, false, "none can be made: %s", strerror(errno));
	wait_for(pid);
	return found(f, true, "can be made");
}

/* ---- 32-bit code ---- */

/* Opcode 40 is `inc eax` in 32-bit code and a REX prefix in 64-bit code: the
 * sum is 42 only if this ran as 32-bit code. */
static const uint8_t code32[] = {
	0xb8, 0x29, 0x00, 0x00, 0x00,			/* mov $41,%eax */
	0x40,						/* inc %eax */
	0x89, 0xc3,					/* mov %eax,%ebx */
	0xea, 0x10, 0x00, 0x00, 0x00, 0x33, 0x00,	/* ljmp $0x33,$page+16 */
	0x90,
	/* 16: 64-bit code again */
	0x89, 0xdf,					/* mov %ebx,%edi */
	0xb8, 0x3c, 0x00, 0x00, 0x00,			/* mov $60,%eax: exit */
	0x0f, 0x05,					/* syscall */
};
#define CODE32_FAR_OFFSET 9

/* getpid (20) by int $0x80; the tracer keeps it from happening. */
static const uint8_t code32_int80[] = {
	0xb8, 0x14, 0x00, 0x00, 0x00,			/* mov $20,%eax */
	0xcd, 0x80,					/* int $0x80 */
	0x0f, 0x0b,					/* ud2 */
};

/* Puts code into an executable page below 4 GiB; NULL with errno. */
static const uint8_t *place32(const uint8_t *code, size_t n, size_t far_offset)
{
	uint8_t *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	uint32_t at;

	if (page == MAP_FAILED)
		return NULL;
	memcpy(page, code, n);
	if (far_offset) {
		memcpy(&at, page + far_offset, sizeof(at));
		at += (uint32_t)(uintptr_t)page;
		memcpy(page + far_offset, &at, sizeof(at));
	}
	return mprotect(page, 4096, PROT_READ | PROT_EXEC) < 0 ? NULL : page;
}

static _Noreturn void enter32(const uint8_t *page)
{
	const struct { uint32_t offset; uint16_t sel; } __attribute__((packed)) target = {
		(uint32_t)(uintptr_t)page, USER32_CS
	};

	__asm__ volatile("ljmp *%0" : : "m"(target) : "memory");
	__builtin_unreachable();
}

static int child_code32(void)
{
	const uint8_t *page = place32(code32, sizeof(code32), CODE32_FAR_OFFSET);

	if (!page)
		return errno;
	enter32(page);
}

static bool try_code32(struct finding *f)
{
	int result = in_child(child_code32);

	if (result == 42)
		return found(f, true, "runs in compatibility mode");
	return found(f, false, "does not run (%s)", child_end(result));
}

/* ---- ptrace ---- */

static int child_traced(void)
{
	const uint8_t *page = place32(code32_int80, sizeof(code32_int80), 0);
	pid_t self = getpid();

	if (!page || ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
		return errno;
	kill(self, SIGSTOP);		/* the last system call before that of the code */
	enter32(page);
}

/* Is the stopped child at the system call of code32_int80? */
static bool at_int80(pid_t pid)
{
	struct user_regs_struct regs;

	return ptrace(PTRACE_GETREGS, pid, NULL, &regs) == 0 &&
	       regs.orig_rax == 20 && regs.cs == USER32_CS;
}

static bool trace_child(struct finding *f, pid_t pid)
{
	int status = wait_for(pid);

	if (status >= 0 && WIFEXITED(status))
		return found(f, false, "no traced child: %s", strerror(WEXITSTATUS(status)));
	if (status < 0 || !WIFSTOPPED(status))
		return found(f, false, "the traced child did not stop");
	if (ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD) < 0 ||
	    ptrace(PTRACE_SYSEMU, pid, NULL, NULL) < 0)
		return found(f, false, "PTRACE_SYSEMU: %s", strerror(errno));
	status = wait_for(pid);
	if (status >= 0 && WIFSTOPPED(status) && WSTOPSIG(status) == SIGSEGV)
		return found(f, false, "int $0x80 is refused by the host");
	if (status < 0 || !WIFSTOPPED(status) || !at_int80(pid))
		return found(f, false, "PTRACE_SYSEMU does not stop at int $0x80");
	return found(f, true, "PTRACE_SYSEMU stops at int $0x80");
}

static bool try_ptrace(struct finding *f)
{
	pid_t pid = fork();
	bool good;

	if (pid == 0) {
		become_child();
		_exit(child_traced());
	}
	if (pid < 0)
		return found(f, false, "no child process: %s", strerror(errno));
	good = trace_child(f, pid);
	if (kill(pid, SIGKILL) == 0)
		wait_for(pid);
	return good;
}

/* ---- files of /proc ---- */

static bool read_number(const char *path, long *value)
{
	FILE *file = fopen(path, "re");
	bool good;

	if (!file)
		return false;
	good = fscanf(file, "%ld", value) == 1;
	fclose(file);
	return good;
}

static bool try_yama(struct finding *f)
{
	long scope;

	if (!read_number("/proc/sys/kernel/yama/ptrace_scope", &scope))
		return found(f, true, "not in this kernel: no restriction");
	return found(f, scope < 2, "ptrace_scope is %ld", scope);
}

static bool try_map_count(struct finding *f)
{
	long count;

	if (!read_number("/proc/sys/vm/max_map_count", &count))
		return found(f, true, "not readable; 65530 is assumed");
	return found(f, count >= 65530, "%ld mappings a process", count);
}

static bool try_min_addr(struct finding *f)
{
	long addr;

	if (!read_number("/proc/sys/vm/mmap_min_addr", &addr))
		return found(f, true, "not readable");
	return found(f, addr <= 4096, "%#lx is the lowest address that can be mapped", addr);
}

/* ---- memory ---- */

static int child_memfd(void)
{
	int fd = memfd_create("lilyvm-probe", MFD_CLOEXEC);
	void *view;

	if (fd < 0)
		return errno;
	if (ftruncate(fd, 4096) < 0)
		return errno;
	view = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_SHARED, fd, 0);
	return view == MAP_FAILED ? errno : 0;
}

static bool try_memfd(struct finding *f)
{
	long noexec = 0;
	int result = in_child(child_memfd);

	read_number("/proc/sys/vm/memfd_noexec", &noexec);
	if (result == 0)
		return found(f, true, "can be mapped executable (vm.memfd_noexec %ld)", noexec);
	return found(f, false, "%s (vm.memfd_noexec %ld)", child_end(result), noexec);
}

/* The guest owns all of the low 4 GiB, and the monitor maps guest RAM, too. */
static int child_low_map(void)
{
	static const uintptr_t addresses[] = { 0x10000, 0x08048000, 0xc0000000, 0xfffff000 };

	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		void *want = (void *)addresses[i];

		if (mmap(want, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
			 -1, 0) != want)
			return errno ? errno : EEXIST;
	}
	return 0;
}

static bool try_low_map(struct finding *f)
{
	int result = in_child(child_low_map);

	if (result == 0)
		return found(f, true, "free for the guest");
	return found(f, false, "cannot be mapped (%s)", child_end(result));
}

static bool try_address_space(struct finding *f)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_AS, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
		return found(f, true, "unlimited");
	return found(f, limit.rlim_cur >= (8ull << 30), "limited to %llu MiB",
		     (unsigned long long)limit.rlim_cur >> 20);
}

/* ---- the CPU ---- */

static int child_ldt(void)
{
	struct user_desc d = {
		.entry_number = 8191, .base_addr = 0, .limit = 0xfffff, .seg_32bit = 1,
		.limit_in_pages = 1, .useable = 1,
	};
	uint16_t back = 0;

	if (syscall(SYS_modify_ldt, 0x11, &d, sizeof(d)) != 0)
		return errno;
	__asm__ volatile("mov %1, %%es; mov %%es, %0; xor %%eax, %%eax; mov %%eax, %%es"
			 : "=&r"(back) : "r"((uint16_t)(8191 << 3 | 7)) : "eax");
	return back == (8191 << 3 | 7) ? 0 : EINVAL;
}

static bool try_ldt(struct finding *f)
{
	int result = in_child(child_ldt);

	if (result == 0)
		return found(f, true, "segments can be defined and loaded");
	return found(f, false, "%s", child_end(result));
}

static int child_cpuid_fault(void)
{
	return syscall(SYS_arch_prctl, ARCH_SET_CPUID, 0) == 0 ? 0 : errno;
}

static bool try_cpuid_fault(struct finding *f)
{
	int result = in_child(child_cpuid_fault);

	if (result == 0)
		return found(f, true, "cpuid can be made to fault");
	return found(f, false, "not offered (%s)", child_end(result));
}

static bool try_fsgsbase(struct finding *f)
{
	if (getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE)
		return found(f, true, "wrfsbase can be used");
	return found(f, false, "not offered");
}

static bool try_cpus(struct finding *f)
{
	cpu_set_t set;
	int n = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;

	return found(f, n > 1, "%d", n);
}

/* ---- for the sandbox and other engines ---- */

static int child_user_dispatch(void)
{
	static uint8_t selector;

	return prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, 0, ~0ul, &selector) == 0 ?
	       0 : errno;
}

static bool try_user_dispatch(struct finding *f)
{
	int result = in_child(child_user_dispatch);

	if (result == 0)
		return found(f, true, "offered");
	return found(f, false, "not offered (%s)", child_end(result));
}

static int child_seccomp(void)
{
	uint32_t action = SECCOMP_RET_KILL_PROCESS;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return errno;
	return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0 ? 0 : errno;
}

static bool try_seccomp(struct finding *f)
{
	int result = in_child(child_seccomp);

	if (result == 0)
		return found(f, true, "filters are offered");
	return found(f, false, "not offered (%s)", child_end(result));
}

static bool try_landlock(struct finding *f)
{
	int version = landlock_version();

	if (!version)
		return found(f, false, "not offered");
	return found(f, version >= LANDLOCK_SIGNALS, "version %d: files%s%s", version,
		     version >= LANDLOCK_TCP ? ", TCP" : "",
		     version >= LANDLOCK_SIGNALS ? ", signals" : ", not signals");
}

/* The engine of guest user code is tried as a whole; why it does not work goes to
 * text, memory that the child shares. */
static int child_handoff(char *text)
{
	struct host_ram ram;
	struct host_cpu *hc;
	struct engine *eng;
	struct error e = { 0, "" };

	if (!host_ram_create(&ram, 1 << 20, &e) && !host_cpu_create(&hc, &e) &&
	    !handoff_engine_create(&eng, hc, &ram, NULL, &e))
		return 0;
	snprintf(text, PAGE_SIZE, "%s", e.text);
	return 1;
}

static bool try_engine(struct finding *f)
{
	char *text = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			  -1, 0);
	int status;
	pid_t pid;

	if (text == MAP_FAILED)
		return found(f, false, "ptrace; handoff: %s", strerror(errno));
	pid = fork();
	if (pid == 0) {
		become_child();
		_exit(child_handoff(text));
	}
	status = pid < 0 ? -1 : wait_for(pid);
	found(f, status == 0, "%s%.120s", status ? "ptrace; handoff: " : "handoff",
	      *text ? text : status ? "the experiment died" : "");
	munmap(text, PAGE_SIZE);
	return status == 0;
}

/* ---- the table ---- */

static const struct probe probes[] = {
	{ "processes", true, try_fork,
	  "guest user programs cannot run, nor the experiments below",
	  "raise the limit of processes (ulimit -u; pids.max of the container)" },
	{ "32-bit code", true, try_code32,
	  "no guest code can run",
	  "boot the host with ia32_emulation=1, or use a kernel with CONFIG_IA32_EMULATION" },
	{ "modify_ldt", true, try_ldt,
	  "guest segments cannot be defined",
	  "use a kernel with CONFIG_MODIFY_LDT_SYSCALL; allow modify_ldt in the container's "
	  "seccomp profile" },
	{ "ptrace", true, try_ptrace,
	  "guest user programs cannot run",
	  "allow ptrace in the container's seccomp profile (--cap-add=SYS_PTRACE); "
	  "ia32_emulation=1 for int $0x80; do not run under strace or gdb -p" },
	{ "memfd", true, try_memfd,
	  "there is nothing to keep guest RAM in",
	  "sysctl vm.memfd_noexec=0; allow memfd_create in the container's seccomp profile" },
	{ "low 4 GiB", true, try_low_map,
	  "guest kernels cannot lie at their own addresses",
	  "ulimit -v unlimited; sysctl vm.mmap_min_addr=4096" },
	{ "address space", false, try_address_space,
	  "big guests fail for want of addresses",
	  "ulimit -v unlimited" },
	{ "yama", false, try_yama,
	  "children cannot be traced without CAP_SYS_PTRACE",
	  "sysctl kernel.yama.ptrace_scope=1" },
	{ "vm.max_map_count", false, try_map_count,
	  "guest pages are evicted and mapped again more often",
	  "sysctl vm.max_map_count=65530 or more" },
	{ "vm.mmap_min_addr", false, try_min_addr,
	  "guest code and data below it are emulated, which is slow",
	  "sysctl vm.mmap_min_addr=4096" },
	{ "cpuid faulting", false, try_cpuid_fault,
	  "guest user programs see the host's cpuid, not the guest's",
	  "needs an Intel CPU since Ivy Bridge or an AMD CPU since Zen 2, and, on a virtual host, "
	  "a hypervisor that passes it on" },
	{ "FSGSBASE", false, try_fsgsbase,
	  "segment bases are set by system calls: slower guest system calls",
	  "Linux 5.9 or later without nofsgsbase, on an Intel CPU since Ivy Bridge or AMD since "
	  "Steamroller" },
	{ "CPUs", false, try_cpus,
	  "disk and console work takes time from the guest",
	  "allow the process a second CPU (taskset, cpuset)" },
	{ "user dispatch", false, try_user_dispatch,
	  "the engine `handoff` cannot be used",
	  "Linux 5.11 or later" },
	{ "seccomp", false, try_seccomp,
	  "neither the engine `handoff` nor the sandbox can be used, only --sandbox off",
	  "use a kernel with CONFIG_SECCOMP_FILTER" },
	{ "landlock", false, try_landlock,
	  "a hostile guest kernel is held by the filter of system calls alone, which must let "
	  "SIGKILL and SIGUSR1 to your other processes pass",
	  "Linux 6.12 or later, with landlock among the security modules (lsm= of the host's "
	  "command line)" },
	{ "--engine auto", false, try_engine,
	  "guest system calls and page faults are several times slower",
	  "see `user dispatch` and `seccomp` above" },
};
#define PROBES (sizeof(probes) / sizeof(probes[0]))

static const char *verdict(const struct probe *p, bool good)
{
	if (good)
		return "ok";
	return p->essential ? "MISSING" : "missing";
}

bool host_report(FILE *out)
{
	bool usable = true;

	for (size_t i = 0; i < PROBES; i++) {
		const struct probe *p = &probes[i];
		struct finding f;
		bool good;

		fflush(out);		/* or the children would have our unwritten text */
		good = p->try(&f);
		fprintf(out, "%-8s %-18s %s\n", verdict(p, good), p->name, f.text);
		if (!good)
			fprintf(out, "%9scost: %s\n%9smend: %s\n", "", p->cost, "", p->mend);
		usable = usable && (good || !p->essential);
	}
	fprintf(out, usable ? "LilyVM can run on this host.\n" :
		"LilyVM cannot run on this host: mend what is MISSING above.\n");
	return usable;
}

int host_require(struct error *e)
{
	for (size_t i = 0; i < PROBES; i++) {
		struct finding f;

		if (probes[i].essential && !probes[i].try(&f))
			return fail(e, ST_HOST, "host: %s: %s: %s; %s ('lilyvm host' tells more)",
				    probes[i].name, f.text, probes[i].cost, probes[i].mend);
	}
	return 0;
}
