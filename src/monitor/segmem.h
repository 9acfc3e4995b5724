/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory as instructions see it: a segment register and an offset (SDM 3,
 * chapter 5.3 and 5.5).  Rights are those of the current privilege level.
 */
#ifndef LILYVM_SEGMEM_H
#define LILYVM_SEGMEM_H

#include "monitor/guestmem.h"
#include "monitor/vcpu.h"

/*
 * Linear address of the n bytes at off in segment register seg (S_*), for a
 * read, or for a write if how holds ACC_WRITE.  False with #GP(0), for SS
 * #SS(0), in *f: null or absent segment, wrong type, limit.
 */
bool segmem_check(const struct vcpu *c, unsigned seg, uint32_t off, uint32_t n, uint32_t how,
		  gva_t *a, struct fault *f);

/* Fills *f; always false. */
static inline bool fault_raise(struct fault *f, uint16_t vector, uint32_t error)
{
	*f = (struct fault){ .vector = vector, .error = error };
	return false;
}

/* As segmem_check(), at once for the flat data segments of most kernels. */
static inline bool segmem_linear(const struct vcpu *c, unsigned seg, uint32_t off, uint32_t n,
				 uint32_t how, gva_t *a, struct fault *f)
{
	const struct segment *s = &c->seg[seg];

	/* Present, data, expand-up, writable. */
	if (s->limit == UINT32_MAX && (s->attr & (SEG_P | 0xe)) == (SEG_P | 2)) {
		*a = GVA(s->base + off);
		return true;
	}
	return segmem_check(c, seg, off, n, how, a, f);
}

/*
 * Reads or writes n bytes (1..PAGE_SIZE).  How is ACC_READ or, for the first half of
 * a read-modify-write, ACC_WRITE, which also demands the right to write.  False
 * with the fault in *f; nothing has changed then.
 */
static inline bool segmem_read(struct vm *vm, const struct vcpu *c, unsigned seg, uint32_t off,
			       void *buf, uint32_t n, uint32_t how, struct fault *f)
{
	gva_t a;

	return segmem_linear(c, seg, off, n, how, &a, f) &&
	       gmem_read(vm, a, buf, n, how | (c->cpl == 3 ? ACC_USER : 0), f);
}

static inline bool segmem_write(struct vm *vm, const struct vcpu *c, unsigned seg, uint32_t off,
				const void *buf, uint32_t n, struct fault *f)
{
	gva_t a;

	return segmem_linear(c, seg, off, n, ACC_WRITE, &a, f) &&
	       gmem_write(vm, a, buf, n, ACC_WRITE | (c->cpl == 3 ? ACC_USER : 0), f);
}

/* The bits of ESP that the stack segment uses. */
static inline uint32_t stack_mask(const struct vcpu *c)
{
	return c->seg[S_SS].attr & SEG_DB ? UINT32_MAX : 0xffff;
}

static inline void stack_set(struct vcpu *c, uint32_t esp)
{
	uint32_t mask = stack_mask(c);

	c->gpr[R_ESP] = (c->gpr[R_ESP] & ~mask) | (esp & mask);
}

/* Pushes or pops size (2 or 4) bytes; a popped value is zero-extended. False
 * with the fault in *f and ESP as it was. */
static inline bool stack_push(struct vm *vm, struct vcpu *c, uint32_t v, unsigned size,
			      struct fault *f)
{
	uint32_t esp = (c->gpr[R_ESP] - size) & stack_mask(c);

	if (!segmem_write(vm, c, S_SS, esp, &v, size, f))
		return false;
	stack_set(c, esp);
	return true;
}

static inline bool stack_pop(struct vm *vm, struct vcpu *c, uint32_t *v, unsigned size,
			     struct fault *f)
{
	uint32_t esp = c->gpr[R_ESP] & stack_mask(c), value = 0;

	if (!segmem_read(vm, c, S_SS, esp, &value, size, ACC_READ, f))
		return false;
	stack_set(c, esp + size);
	*v = value;
	return true;
}

#endif
