/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * struct vm: the whole state of a virtual machine, for the files of
 * src/monitor.  Each part belongs to the file that its comment names.
 */
#ifndef LILYVM_MACHINE_H
#define LILYVM_MACHINE_H

#include "hostos/engine.h"
#include "hostos/hostos.h"
#include "layout.h"
#include "monitor/cpumodel.h"
#include "monitor/debug.h"
#include "monitor/emulate.h"
#include "monitor/event.h"
#include "monitor/exits.h"
#include "monitor/gate.h"
#include "monitor/guestmem.h"
#include "monitor/insncache.h"
#include "monitor/load.h"
#include "monitor/mirror.h"
#include "monitor/mmu.h"
#include "monitor/platform.h"
#include "monitor/runtime.h"
#include "monitor/stats.h"
#include "monitor/trace.h"
#include "monitor/trampoline.h"
#include "monitor/uspace.h"
#include "monitor/vcpu.h"
#include "monitor/vm.h"
#include "rewriter/rewriter.h"

/* guestmem.c: what is known of each guest-physical page. */
struct frame {
	/* Where the kernel view shows it: up to two pages, then "many". */
	uint32_t vpn[2];
	uint8_t nviews;			/* saturates at FRAME_MANY */
	bool code;			/* scanned: not writable in the kernel view */
	bool tramps;			/* has trampolines */
	uint8_t flips;			/* changes between code and data */
};
#define FRAME_MANY 3

/* guestmem.c: translations the monitor itself uses. */
#define TLB_SIZE 512
struct tlb_entry {
	uint32_t tag;			/* page | rights, see guestmem.c */
	uint32_t generation;
	uint8_t *page;
};
struct tlb {
	struct tlb_entry entry[TLB_SIZE];
	uint32_t generation;
};

/* fetch.c: the page that kernel code is being fetched from. */
struct fetch_page {
	uint32_t page;			/* linear; NO_FETCH_PAGE: none */
	uint8_t *bytes;
	uint64_t gpa;
};
#define NO_FETCH_PAGE 1u

/* fpu.c: where the guest's x87/SSE registers are. */
struct fpu {
	bool in_child;			/* in the child below; else in host_cpu.fpu */
	struct child *child;
};

/* loop.c: how far it pays to interpret after a trap at an address. */
#define AHEAD_SITES 4096
struct ahead_site {
	uint32_t eip;
	uint8_t reach;			/* instructions to the next sensitive one, 0: unknown */
	uint8_t score;
};

/* loop.c: user pages touched by kernel mode since the last CR3 load. */
#define TOUCH_SLOTS 64

/* How long a panicking guest may go on, ns. */
#define PANIC_GRACE 1000000000ull

struct vm {
	struct vcpu cpu;
	const struct cpu_model *model;	/* cpu.c */
	struct host_cpu *hc;
	struct host_ram ram;
	struct frame *frames;
	uint32_t nframes;
	struct tlb tlb;
	struct codemap *code;
	struct insn_cache insns;
	struct fetch_page fetch;
	struct view kview;		/* mirror.c */
	struct engine *engine;
	struct pool pool;		/* uspace.c */
	struct gate gate;		/* gate.c */
	struct fpu fpu;
	struct events events;
	struct platform plat;
	struct gdb *gdb;		/* src/gdb; NULL: no debugger can connect */
	struct image image;
	struct vm_config cfg;
	char *cmdline;			/* cfg.append and what LilyVM adds; NULL: nothing added */
	struct stats stats;
	struct exits exits;
	struct trace trace;
	FILE *stats_out;		/* --stats; NULL: none */
	struct boot_file *boot_files;	/* what a reset loads again */
	struct debug debug;
	struct runtime rt;
	struct tramps tramps;
	struct ahead_site ahead[AHEAD_SITES];
	struct { uint32_t vpn; uint32_t count; } touch[TOUCH_SLOTS];
	bool touched;
	struct segment host_ldt[S_COUNT];	/* segment.c: LDT entries as they were set last */
	/* cpu.c: of the host; cpuid faults once the VM runs. */
	uint32_t host_leaf1_ecx, host_leaf7_ebx;
	uint64_t tsc_hz;

	/* The page fault that was delivered last from user mode: its page is
	 * mapped before user code goes on. */
	uint32_t prefault;
	bool prefault_valid;

	/* How it ends: set once by vm_end(). */
	volatile int ending;
	volatile int quit;		/* vm_quit() was called */
	bool last_look;			/* ending, but a debugger looks at the dead guest */
	int status;
	char reason[256];
	volatile int reset_wanted;
	unsigned dead_children;		/* one after the other */
	uint64_t panic_deadline;	/* host time; the guest panicked and may still print */
};

/* Ends the VM after the current instruction; the first call counts. */
void vm_end(struct vm *vm, int status, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Ends the VM because the guest stopped by itself: for good, or in a panic. */
void vm_stopped(struct vm *vm);

/* vm.c: hardware reset, and the kernel loaded again. */
void vm_reset(struct vm *vm);

/* cpu.c */
/* Learns what the host's CPU offers; before host_cpu_create(). */
void cpu_init(struct vm *vm);
/* The state after a reset (SDM 3, table "IA-32 and Intel 64 Processor States"). */
void cpu_reset(struct vm *vm);
/* CPUID leaf 1 EDX of this machine: its model's, and the APIC. */
uint32_t cpu_features(const struct vm *vm);
/* CPUID as the guest sees it. */
void cpu_cpuid(struct vm *vm, uint32_t leaf, uint32_t sub, uint32_t r[4]);
/* The model-specific registers there are; false: #GP. */
bool cpu_rdmsr(struct vm *vm, uint32_t msr, uint64_t *v);
bool cpu_wrmsr(struct vm *vm, uint32_t msr, uint64_t v);
/* SYSENTER from user mode (SDM 2); false: #GP. */
bool cpu_sysenter(struct vm *vm);
/* Writes control registers with all that follows from it; false: #GP. */
bool cpu_set_cr0(struct vm *vm, uint32_t v);
bool cpu_set_cr4(struct vm *vm, uint32_t v);
bool cpu_set_cr3(struct vm *vm, uint32_t v);
/* Guest flags that a mode may change, merged into c->eflags. */
void cpu_set_flags(struct vcpu *c, uint32_t v, uint32_t mask);

/* segment.c */
/* Loads a data segment register (or SS) from selector sel with all checks. */
bool segment_load(struct vm *vm, int reg, uint16_t sel, struct fault *f);
/* Reads the descriptor that sel names; false with *f (error = selector). */
bool segment_descriptor(struct vm *vm, uint16_t sel, uint32_t d[2], gva_t *where, struct fault *f);
/* What loading selector sel, whose descriptor is d, puts into a register; no checks. */
void segment_from_descriptor(struct segment *s, uint16_t sel, const uint32_t d[2]);
/* Sets a code segment that has been checked; also the CPL. */
void segment_set_cs(struct vcpu *c, const struct segment *s, unsigned cpl);
static inline bool segment_flat(const struct segment *s)
{
	return s->base == 0 && s->limit == 0xffffffff && (s->attr & SEG_DB);
}
/* Fills hc's selectors and bases for running kernel code. */
void segment_to_host(struct vm *vm, struct host_cpu *hc);

/* trap.c */
/* Delivers an exception or interrupt through the IDT.  Faults on the way
 * become double faults; a triple fault resets or ends the VM. */
void trap_exception(struct vm *vm, const struct fault *f);
/* int n (soft: the gate's DPL is checked), into, int3; false: *f instead. */
bool trap_software(struct vm *vm, unsigned vector, struct fault *f);
/* The same for int3, into and int n that the host has executed: eip is behind
 * it, and goes back when the guest's gate refuses. */
void trap_reported(struct vm *vm, unsigned vector);
/* Corrects *status (DR6) and eip if #DB came of int1, which is no step (SDM 3, 17.2.3)
 * and a trap: AMD's CPUs in a virtual host report it before the instruction. */
void trap_int1(struct vm *vm, uint32_t *status);
/* A hardware interrupt; what is to be checked (IF, shadow) has been. */
void trap_interrupt(struct vm *vm, unsigned vector);
/* iret and far transfers; eip is behind the instruction only on success. */
enum interp_result trap_iret(struct vm *vm, const struct insn *insn, struct fault *f);

/* task.c */
enum task_switch { TASK_JUMP, TASK_CALL, TASK_INTERRUPT, TASK_IRET };
/* Switches to the task whose TSS sel names; error: code to push on its stack, or
 * NULL.  False with *f; late faults belong to the new task. */
bool task_switch(struct vm *vm, uint16_t sel, enum task_switch how, const uint32_t *error,
		 struct fault *f);

/* fpu.c */
/* Brings the FPU registers into host_cpu.fpu (kernel mode is going to use them). */
void fpu_to_kernel(struct vm *vm);
/* Brings them into the child that is about to run. */
void fpu_to_child(struct vm *vm, struct child *c);
/* A child is going away or ran: keep its registers. */
void fpu_child_gone(struct vm *vm, struct child *c);
/* fxsave, fxrstor, fnsave, frstor, fninit of kernel code; results as interp_insn()'s. */
enum interp_result fpu_emulate(struct vm *vm, const struct insn *insn, struct fault *f);

/* fetch.c */
/* Decodes the instruction at cs:eip as the guest's compiler wrote it.  NULL with the
 * fault of the fetch (#PF, #UD) in *f, or with the VM ending.  Valid until the next
 * call. */
const struct insn *fetch_insn(struct vm *vm, struct fault *f);
/* The processor reads the n bytes at linear address a as data, which kernels keep in their
 * text, too: a descriptor table and the operand that tells where it is. */
void fetch_is_data(struct vm *vm, uint32_t a, uint32_t n);

/* loop.c */
/* Runs the VM until it ends. */
void loop_run(struct vm *vm);
/* Kernel code runs directly until it comes back; deals with why it did. */
void loop_enter(struct vm *vm);
/* Makes the kernel code at eip known as if it were about to run directly. */
void loop_scan(struct vm *vm);
/* Interprets the instruction at eip, in kernel or virtual-8086 mode. */
void loop_step(struct vm *vm);

/* dump.c */
/* Writes registers, code, page walks: why and where the guest died. */
void dump_guest(struct vm *vm, FILE *out, const char *why);
/* The virtual CPU's registers, some to a line. */
void dump_registers(struct vm *vm, FILE *out);
/* How the guest's page tables translate va; name is put before it. */
void dump_walk(struct vm *vm, FILE *out, const char *name, uint32_t va);

#endif
