/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The interpreter: carries out single guest instructions on the virtual CPU.
 * It runs what traps, what cannot be mapped, and - "emulate ahead" - what
 * follows a trap up to the next one, because a trap costs more than many
 * interpreted instructions.
 */
#ifndef LILYVM_INTERP_H
#define LILYVM_INTERP_H

#include "monitor/vcpu.h"
#include "rewriter/insn.h"

struct vm;

/* The virtual CPU of vm: all that the interpreter sees of it (vm.c). */
struct vcpu *vm_vcpu(struct vm *vm);

enum interp_result {
	INTERP_OK,		/* done; eip is past it (or at its target); a long rep string
				   pauses now and then with eip still at it */
	INTERP_FAULT,		/* *f has to be delivered; CPU state as before the instruction
				   (for a rep string: as after its last whole iteration) */
	INTERP_UNKNOWN,		/* not implemented; CPU state unchanged */
	INTERP_STOP,		/* done, and the run loop has to look (halted, mode switch,
				   interrupt flag set, address space changed, vm ending) */
};

/*
 * Carries out the decoded instruction insn, which lies at eip, with the
 * current privilege level.  Harmless instructions are done here; sensitive
 * kinds go to emulate() (emulate.h); what is no instruction is #UD.  Does not
 * look at debug registers, alignment checks or pending interrupts, and delivers
 * no TF trap: the caller does.
 */
enum interp_result interp_insn(struct vm *vm, const struct insn *insn, struct fault *f);

/* Linear address of insn's memory operand. */
gva_t interp_ea(const struct vcpu *c, const struct insn *insn);

/* Is insn one that interp_insn() can do (kind IK_NONE only)?  Never touches
 * the CPU. x87, MMX and SSE are not done here: their state is live. */
bool interp_can(const struct insn *insn);

#endif
