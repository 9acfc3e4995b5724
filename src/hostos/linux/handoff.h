/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a child of the `handoff` engine (handoff_stub.S) and the engine agree on.
 *
 *   a child, above 4 GiB
 *	HO_STUB		the stub, one page of code
 *	HO_CONTROL	struct ho_control and a list of host system calls: the monitor
 *			writes it, the child can only read it
 *	HO_REPORT	struct ho_report: the child writes it, the monitor believes none of it
 *	HO_STACK	the guest thread's signal stack, likewise
 *
 * A child has two threads.  The guest thread (the process's leader) runs guest user
 * code; all that it does which the host would have to know - system calls, faults,
 * the kick - becomes a signal, whose handler reports and waits.  The mapper thread
 * carries out lists of system calls.  A hand-over is a number: the monitor counts
 * ho_control.go up, the child answers by putting the same number in ho_report.seq.
 *
 * A list that takes nothing away needs no mapper: the guest thread carries it out on
 * its way back to user code, for a fraction of the time.  Only mmap of guest RAM below
 * 4 GiB, and only by one instruction of the stub, passes its filter; user code that
 * jumps there with arguments of its own gets as far as the comparison with the control
 * page behind it.
 */
#ifndef LILYVM_HANDOFF_H
#define LILYVM_HANDOFF_H

#include "hostos/linux/stub.h"
#include "layout.h"

#define HO_STUB CHILD_STUB
#define HO_CONTROL 0x200001000
#define HO_OPS 0x200002000
#define HO_REPORT 0x200007000
#define HO_STACK 0x200009000
#define HO_STACK_END 0x200011000
#define HO_END HO_STACK_END

/* The same in the memory that the monitor shares with a child: a slot. */
#define HO_SLOT_SIZE 0x10000
#define HO_CONTROL_SIZE 0x5000
#define HO_SLOT_OPS 0x1000
#define HO_SLOT_REPORT 0x6000
#define HO_SLOT_STACK 0x8000
#define HO_STACK_SIZE 0x8000
/* Slot 0 is the template's; in it lie two pages that children map: the copy of a vdso's
 * page, and CHILD_GATE's. */
#define HO_GATE_COPY 0x5000
#define HO_GATE_PAGE 0x7000
#define HO_SLOTS 256

/* Descriptors of the template and of mapper threads; guest threads have none. */
#define HO_SLOTS_FD 4
#define HO_ACK_FD 5

/* ho_control.command */
#define HO_RESUME 0
#define HO_FPU_SAVE 1
#define HO_TSC 2

/* ho_report.kind */
#define HO_DONE 0		/* ready, or a command was carried out */
#define HO_SIGNAL 1
#define HO_GATE 2
#define HO_KICKED 3		/* before it went back to user code */
#define HO_REFUSED 4		/* the host refused an operation of ho_control.adds */

/*
 * Offsets in struct ho_control; handoff.c asserts each of them.  The words that one side
 * looks at while the other one works have a cache line of their own, in both structs, and
 * what a hand-over takes lies close together.
 */
#define HC_O_GO 0
#define HC_O_COMMAND 4
#define HC_O_SPIN 8
#define HC_O_ASLEEP 64
#define HC_O_ADDS 68
#define HC_O_LOAD 72
#define HC_O_EAGER 76
#define HC_O_SEL 80
#define HC_O_GPR 88
#define HC_O_FRAME 128
#define HC_O_TSC 168
#define HC_O_PARENT 172
#define HC_O_MAP_GO 192
#define HC_O_ACK 200
#define HC_O_NAK 208
#define HC_O_FPU 256

/* and in struct ho_report */
#define HR_O_SEQ 0
#define HR_O_ASLEEP 4
#define HR_O_KIND 64
#define HR_O_EFLAGS 68
#define HR_O_SEL 72
#define HR_O_STARTED 84
#define HR_O_GPR 88
#define HR_O_SIGNAL 120
#define HR_O_CONTEXT 128
#define HR_O_RESULT 136
#define HR_O_MAPPER 140
#define HR_O_FPU 192

#ifndef __ASSEMBLER__
#include "types.h"

/* Selectors in the order of S_*, without CS. */
struct ho_selectors {
	uint16_t es, ss, ds, fs, gs;
};

#define HO_LINE __attribute__((aligned(64)))

struct ho_control {
	uint32_t go;			/* the hand-over's number; a futex */
	uint32_t command;		/* HO_RESUME ... */
	uint32_t spin;			/* how often to look before sleeping; 0: not at all */

	uint32_t asleep HO_LINE;	/* the monitor sleeps on ho_report.seq */
	/* For HO_RESUME: so many operations of the list, all of them mmap, come first;
	 * fpu is loaded.  For the gate: the FPU's state goes to the report. */
	uint32_t adds, load, eager;
	uint16_t ds, es, fs, gs;
	uint32_t gpr[R_COUNT];

	uint64_t frame[5] HO_LINE;	/* rip, cs, rflags, rsp, ss for iretq */
	uint32_t tsc;			/* for HO_TSC: PR_TSC_* */
	uint32_t parent;		/* the monitor's process */

	uint32_t map_go HO_LINE;	/* the mapper's; a futex */
	uint64_t ack, nak;		/* what the mapper adds to the eventfd */

	uint8_t fpu[576] HO_LINE;
	/* Memory for the arguments of the system calls that set up a child. */
	uint64_t all_signals, no_signals;
	uint64_t altstack[3];
	struct { uint16_t len; uint64_t filter; } program;
};

struct ho_report {
	uint32_t seq;			/* a futex */
	uint32_t asleep;		/* the guest thread sleeps on ho_control.go */

	uint32_t kind HO_LINE;		/* HO_DONE ... */
	uint32_t eflags;		/* for HO_GATE, as is gpr */
	struct ho_selectors sel;
	uint32_t started;		/* the hand-over that went back to user code last */
	uint32_t gpr[R_COUNT];
	uint32_t signal;

	uint64_t context HO_LINE;	/* ucontext of the signal, in the signal stack */
	int32_t result;			/* of a system call that failed, or a new process */
	uint32_t mapper;		/* thread id */

	uint8_t fpu[576] HO_LINE;	/* of HO_FPU_SAVE, HO_GATE */
};

/* Flags of the mmap operations that a guest thread may carry out. */
#define HO_ADD_FLAGS (MAP_SHARED | MAP_FIXED | MAP_POPULATE)

#define HO_MAX_OPS ((HO_CONTROL_SIZE - HO_SLOT_OPS) / sizeof(struct stub_op) - 1)

/* The stub's code, position independent, and places in it.  From ho_answered to
 * ho_resume_end the guest thread has no user code's state in its registers; between
 * ho_add_made and ho_add_checked it has made a system call that may be forged. */
extern const char ho_stub_start[], ho_stub_end[];
extern const char ho_template[], ho_handler[], ho_gate[], ho_answered[], ho_resume_end[];
extern const char ho_add_made[], ho_add_checked[];
/* Where place lies in a child. */
#define HO_AT(place) (HO_STUB + (uint64_t)((place) - ho_stub_start))

/* handoff_filter.c: writes the guest thread's seccomp filter (struct sock_filter) to
 * out, which has room for max instructions; their number. */
unsigned ho_filter(void *out, unsigned max);
#endif

#endif
