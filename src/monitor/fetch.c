/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fetching: the instruction at eip as the guest's compiler wrote it, though its
 * bytes may have been replaced by substitutes, jumps to trampolines and, in a kernel
 * built with lilyvm-cc, the forms of runtime/abi.h.
 */
#include "monitor/machine.h"

#include "rewriter/site.h"

#include <string.h>

/* Reads the 16 bytes at linear address a; what lies behind the end of the
 * instruction may be missing. */
static bool read_code(struct vm *vm, uint32_t a, uint8_t bytes[16], enum insncache_mode mode,
		      struct fault *f)
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
	if (insn_decode(&probe, bytes, room, mode == INSN_16 ? 16 : 32) >= 0)
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

/* The site at a, whose first 16 bytes are given; false: there is none. */
static bool decode_site(struct vm *vm, uint32_t a, const uint8_t bytes[16], struct insn *insn)
{
	uint8_t all[SITE_MAX];
	uint32_t room = PAGE_SIZE - (a & ~PAGE_MASK);
	struct fault f;
	int len = site_decode(insn, bytes, 16);

	if (len >= 0)
		return len > 0;
	if (room > SITE_MAX || gmem_read(vm, GVA(a), all, SITE_MAX, ACC_READ, &f))
		room = SITE_MAX;
	return gmem_read(vm, GVA(a), all, room, ACC_READ, &f) && site_decode(insn, all, room) > 0;
}

/* Decodes what is not in the cache: raw is what memory holds, original what was there
 * before it was patched. */
static const struct insn *decode(struct vm *vm, uint32_t a, const uint8_t raw[16],
				 const uint8_t original[16], enum insncache_mode mode)
{
	struct insn insn;

	if (mode != INSN_SITES || !decode_site(vm, a, original, &insn))
		insn_decode(&insn, original, 16, mode == INSN_16 ? 16 : 32);
	return insncache_put(&vm->insns, a, raw, &insn, mode);
}

static enum insncache_mode fetch_mode(const struct vm *vm)
{
	if (!(vm->cpu.seg[S_CS].attr & SEG_DB))
		return INSN_16;
	return vm->rt.abi && !vm->cpu.cpl ? INSN_SITES : INSN_32;
}

static const struct insn *valid(const struct insn *insn, struct fault *f)
{
	if (insn->cls != IC_INVALID)
		return insn;
	*f = (struct fault){ VEC_UD, 0, 0 };
	return NULL;
}

/* Kernel code in a page that runs directly, and so has been patched. */
static const struct insn *fetch_patched(struct vm *vm, uint32_t a, enum insncache_mode mode,
					struct fault *f)
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
	else if (!read_code(vm, a, raw, mode, f))
		return NULL;
	insn = insncache_find(&vm->insns, a, raw, mode);
	if (!insn) {
		memcpy(original, raw, 16);
		if (!unpatch(vm, a, fp->gpa | (a & ~PAGE_MASK), original, f))
			return NULL;
		insn = decode(vm, a, raw, original, mode);
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
	enum insncache_mode mode = fetch_mode(vm);
	const struct insn *insn;
	uint8_t bytes[16];

	if (c->cpl == 0 && may_be_patched(vm, a))
		return fetch_patched(vm, a, mode, f);
	if (!read_code(vm, a, bytes, mode, f))
		return NULL;
	restore_shared(vm, a, bytes);
	insn = insncache_find(&vm->insns, a, bytes, mode);
	return valid(insn ? insn : decode(vm, a, bytes, bytes, mode), f);
}

void fetch_is_data(struct vm *vm, uint32_t a, uint32_t n)
{
	while (n) {
		uint32_t room = PAGE_SIZE - (a & ~PAGE_MASK), part = n < room ? n : room;
		uint8_t *mem;
		struct walk w;

		mem = mmu_probe(vm, GVA(a), &w) ? gmem_ram(vm, GPA(w.pa.v | (a & ~PAGE_MASK)), part) :
						  NULL;
		if (mem) {
			tramp_drop_frame(vm, w.pa.v >> PAGE_SHIFT);
			codemap_data(vm->code, mem, GPA(w.pa.v | (a & ~PAGE_MASK)), part);
			insncache_forget(&vm->insns, a & PAGE_MASK);
		}
		a += part;
		n -= part;
	}
}
