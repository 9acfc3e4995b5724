/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who has the guest's x87 and SSE registers.  They stay in the child that ran
 * last until kernel code saves or loads them, or shows that it is about to use
 * them: clts, an exception of theirs.  That happens once a task switch and not
 * once a system call.
 */
#include "monitor/machine.h"

#include <string.h>

#define FXSAVE_SIZE 512
/* What FXSAVE writes outside 64-bit mode: up to XMM7 (SDM 1, table 10-2). */
#define FXSAVE_USED 288
#define FSAVE_SIZE 108

enum fpu_op { OP_FXSAVE, OP_FNSAVE, OP_FRSTOR, OP_FNINIT };

void fpu_to_kernel(struct vm *vm)
{
	struct fpu *fpu = &vm->fpu;

	if (!fpu->in_child)
		return;
	vm->stats.fpu_moves++;
	fpu->in_child = false;
	if (!uspace_fpu_get(fpu->child->us, &vm->hc->fpu))
		vm_end(vm, ST_HOST, "a process that held the guest's FPU registers was killed; "
		       "is the host out of memory?");
}

void fpu_to_child(struct vm *vm, struct child *c)
{
	struct fpu *fpu = &vm->fpu;

	if (fpu->in_child && fpu->child == c)
		return;
	fpu_to_kernel(vm);
	vm->stats.fpu_moves++;
	uspace_fpu_set(c->us, &vm->hc->fpu);
	fpu->in_child = true;
	fpu->child = c;
}

void fpu_child_gone(struct vm *vm, struct child *c)
{
	if (vm->fpu.in_child && vm->fpu.child == c)
		fpu_to_kernel(vm);
}

/* Loads img, carries out op on buf, stores img; the monitor's own control words
 * are kept. */
static void with_registers(struct fpu_image *img, enum fpu_op op, void *buf)
{
	uint32_t mxcsr;
	uint16_t fcw;

	__asm__ volatile("stmxcsr %0; fnstcw %1" : "=m"(mxcsr), "=m"(fcw));
#define RUN(insn) \
	__asm__ volatile("xrstor64 (%0); " insn "; fxsave64 (%0)" \
			 : : "r"(img->bytes), "r"(buf), "a"(3), "d"(0) \
			 : "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", \
			   "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", \
			   "xmm15")
	switch (op) {
	case OP_FXSAVE:
		RUN("fxsave (%1)");
		break;
	case OP_FNSAVE:
		RUN("fnsave (%1)");
		break;
	case OP_FRSTOR:
		RUN("frstor (%1)");
		break;
	case OP_FNINIT:
		RUN("fninit");
		break;
	}
#undef RUN
	__asm__ volatile("fninit; ldmxcsr %0; fldcw %1" : : "m"(mxcsr), "m"(fcw));
	memset(img->bytes + 512, 0, sizeof img->bytes - 512);
	img->bytes[512] = 3;
}

static bool copy_out(struct vm *vm, gva_t a, const uint8_t *buf, uint32_t n, struct fault *f)
{
	uint8_t probe;
	uint32_t i;

	/* The last page is checked first, so that nothing is half written. */
	if (!gmem_read(vm, GVA(a.v + n - 1), &probe, 1, ACC_WRITE, f))
		return false;
	for (i = 0; i < n; i += 32)
		if (!gmem_write(vm, GVA(a.v + i), buf + i, n - i < 32 ? n - i : 32, ACC_READ, f))
			return false;
	return true;
}

static bool copy_in(struct vm *vm, gva_t a, uint8_t *buf, uint32_t n, struct fault *f)
{
	return gmem_read(vm, a, buf, n, ACC_READ, f);
}

static bool fxrstor(struct vm *vm, gva_t a, struct fault *f)
{
	uint8_t buf[FXSAVE_SIZE] = { 0 };
	uint32_t mxcsr, mask;

	if (!copy_in(vm, a, buf, FXSAVE_USED, f))
		return false;
	memcpy(&mxcsr, buf + 24, 4);
	memcpy(&mask, vm->hc->fpu.bytes + 28, 4);
	if (mxcsr & ~(mask ? mask : 0xffbf)) {
		*f = (struct fault){ VEC_GP, 0, 0 };
		return false;
	}
	/* The selectors of the last instruction and operand would be the upper
	 * halves of 64-bit pointers. */
	memset(buf + 12, 0, 4);
	memset(buf + 20, 0, 4);
	vm->fpu.in_child = false;
	memcpy(vm->hc->fpu.bytes, buf, sizeof buf);
	memset(vm->hc->fpu.bytes + 512, 0, sizeof vm->hc->fpu.bytes - 512);
	vm->hc->fpu.bytes[512] = 3;
	return true;
}

enum interp_result fpu_emulate(struct vm *vm, const struct insn *insn, struct fault *f)
{
	struct vcpu *c = &vm->cpu;
	uint8_t buf[FXSAVE_SIZE] __attribute__((aligned(16)));
	struct fpu_image *img = &vm->hc->fpu;
	gva_t a = insn->has_mem ? interp_ea(c, insn) : GVA(0);
	bool ok = true;

	if (c->cr0 & (CR0_TS | CR0_EM)) {
		*f = (struct fault){ VEC_NM, 0, 0 };
		return INTERP_FAULT;
	}
	if (insn->opsize == 2 && (insn->kind == IK_FNSAVE || insn->kind == IK_FRSTOR))
		return INTERP_UNKNOWN;
	fpu_to_kernel(vm);
	switch (insn->kind) {
	case IK_FXSAVE:
		/* Not overwritten: the part above XMM7 and the reserved rest. */
		with_registers(img, OP_FXSAVE, buf);
		ok = copy_out(vm, a, buf, FXSAVE_USED, f);
		break;
	case IK_FXRSTOR:
		ok = fxrstor(vm, a, f);
		break;
	case IK_FNSAVE: {
		struct fpu_image old = *img;

		with_registers(img, OP_FNSAVE, buf);
		ok = copy_out(vm, a, buf, FSAVE_SIZE, f);
		if (!ok)
			*img = old;
		break;
	}
	case IK_FRSTOR:
		ok = copy_in(vm, a, buf, FSAVE_SIZE, f);
		if (ok)
			with_registers(img, OP_FRSTOR, buf);
		break;
	case IK_FNINIT:
		with_registers(img, OP_FNINIT, NULL);
		break;
	default:
		return INTERP_UNKNOWN;
	}
	if (!ok)
		return INTERP_FAULT;
	c->eip += insn->len;
	return INTERP_OK;
}
