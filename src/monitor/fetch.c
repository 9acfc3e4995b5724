/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fetching: the instruction at eip as the guest's compiler wrote it, though its
 * bytes may have been replaced by substitutes and jumps to trampolines.
 */
#include "monitor/machine.h"

#include <string.h>

/* Reads the 16 bytes at linear address a; what lies behind the end of the
 * instruction may be missing. */
static bool read_code(struct vm *vm, uint32_t a, uint8_t bytes[16], unsigned bits, struct fault *f)
{
	uint32_t how = ACC_EXEC | (vm->cpu.cpl == 3 ? ACC_USER : ACC_READ);
	uint32_t room = PAGE_SIZE - (a & ~PAGE_MASK);
	struct fault next;
	struct insn probe;

	if (room >= 16)
		return gmem_read(vm, GVA(a), bytes, 16, how, f);
	memset(bytes, 0, 16);
	if (!gmem_read(vm, GVA(a), bytes, room, how, f))
		return false;
	if (gmem_read(vm, GVA(a + room), bytes + room, 16 - room, how, &next))
		return true;
	if (insn_decode(&probe, bytes, room, bits) >= 0)
		return true;
	*f = next;
	return false;
}

/* Turns patched bytes at a, physical gpa, into what the compiler wrote. */
static bool unpatch(struct vm *vm, uint32_t a, uint64_t gpa, uint8_t bytes[16], struct fault *f)
{
	if (vm->frames[gpa >> PAGE_SHIFT].tramps && tramp_covering(vm, a)) {
		tramp_undo(vm, a, bytes, 16);
		return true;
	}
	if (codemap_undo(vm->code, bytes, 16, GPA(gpa)) >= 0)
		return true;
	/* A copy that was entered without notice, in a page that runs already. */
	loop_scan(vm);
	if (codemap_undo(vm->code, bytes, 16, GPA(gpa)) >= 0)
		return true;
	vm_end(vm, ST_LIMIT, "a patched instruction was copied to %#x and cannot be told", a);
	*f = (struct fault){ VEC_UD, 0, 0 };
	return false;
}

static const struct insn *valid(const struct insn *insn, struct fault *f)
{
	if (insn->cls != IC_INVALID)
		return insn;
	*f = (struct fault){ VEC_UD, 0, 0 };
	return NULL;
}

/* Kernel code in a page that runs directly, and so has been patched. */
static const struct insn *fetch_patched(struct vm *vm, uint32_t a, unsigned bits, struct fault *f)
{
	struct fetch_page *fp = &vm->fetch;
	uint8_t raw[16], original[16];
	const struct insn *insn;
	struct walk w;

	if ((a & PAGE_MASK) != fp->page) {
		/* The view may show yet what the guest's tables do not any more. */
		if (!mmu_translate(vm, GVA(a), ACC_EXEC, &w, f))
			return NULL;
		fp->page = NO_FETCH_PAGE;
		fp->bytes = gmem_ram(vm, w.pa, PAGE_SIZE);
		if (!fp->bytes) {
			*f = (struct fault){ VEC_UD, 0, 0 };	/* no RAM: all ones */
			return NULL;
		}
		fp->page = a & PAGE_MASK;
		fp->gpa = w.pa.v;
	}
	if ((a & ~PAGE_MASK) <= PAGE_SIZE - 16)
		memcpy(raw, fp->bytes + (a & ~PAGE_MASK), 16);
	else if (!read_code(vm, a, raw, bits, f))
		return NULL;
	insn = insncache_find(&vm->insns, a, raw, bits);
	if (!insn) {
		memcpy(original, raw, 16);
		if (!unpatch(vm, a, fp->gpa | (a & ~PAGE_MASK), original, f))
			return NULL;
		insn = insncache_put(&vm->insns, a, raw, original, bits);
	}
	return valid(insn, f);
}

/* Code that has run directly, here or where the view does not show it (any more). */
static bool may_be_patched(struct vm *vm, uint32_t a)
{
	struct walk w;

	if ((a & PAGE_MASK) == vm->fetch.page || (view_entry(&vm->kview, a) & VE_X))
		return true;
	return mmu_probe(vm, GVA(a), &w) && w.pa.v < vm->ram.size &&
	       vm->frames[w.pa.v >> PAGE_SHIFT].code;
}

/* User mode may run text that kernel mode runs, too, and that has been patched;
 * the kernel's own sections are patched before they first run. */
static void restore_shared(struct vm *vm, uint32_t a, uint8_t bytes[16])
{
	uint32_t off = a & ~PAGE_MASK, room = PAGE_SIZE - off;
	struct walk w;

	if (mmu_probe(vm, GVA(a), &w))
		codemap_restore(vm->code, bytes, GPA(w.pa.v | off), room < 16 ? room : 16);
}

const struct insn *fetch_insn(struct vm *vm, struct fault *f)
{
	struct vcpu *c = &vm->cpu;
	uint32_t a = c->seg[S_CS].base + c->eip;
	unsigned bits = c->seg[S_CS].attr & SEG_DB ? 32 : 16;
	uint8_t bytes[16];

	if (c->cpl == 0 && may_be_patched(vm, a))
		return fetch_patched(vm, a, bits, f);
	if (!read_code(vm, a, bytes, bits, f))
		return NULL;
	restore_shared(vm, a, bytes);
	return valid(insncache_get(&vm->insns, a, bytes, bits), f);
}
