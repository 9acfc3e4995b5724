/* SPDX-License-Identifier: BSD-2-Clause */
#include "monitor/segmem.h"

/* Bits of the type field of code and data descriptors (SDM 3, table 3-1). */
#define TYPE_CODE 8u
#define TYPE_EXPAND_DOWN 4u	/* of data segments */
#define TYPE_WRITE 2u		/* of data segments; for code: readable */

/* Real and virtual-8086 mode know limits, but no types. */
static bool has_types(const struct vcpu *c)
{
	return (c->cr0 & CR0_PE) && !(c->eflags & FL_VM);
}

static bool type_allows(const struct segment *s, uint32_t how)
{
	if (!(s->attr & SEG_P))
		return false;
	if (how & ACC_WRITE)
		return (s->attr & (TYPE_CODE | TYPE_WRITE)) == TYPE_WRITE;
	return (s->attr & (TYPE_CODE | TYPE_WRITE)) != TYPE_CODE;
}

/* Do all of the n bytes at off lie within the limit? */
static bool limit_allows(const struct segment *s, uint32_t off, uint32_t n, bool types)
{
	uint64_t last = (uint64_t)off + n - 1;

	if (types && (s->attr & (TYPE_CODE | TYPE_EXPAND_DOWN)) == TYPE_EXPAND_DOWN)
		return off > s->limit && last <= (s->attr & SEG_DB ? UINT32_MAX : 0xffff);
	/* With a limit of 4 GiB an access may wrap around. */
	return last <= s->limit || s->limit == UINT32_MAX;
}

bool segmem_check(const struct vcpu *c, unsigned seg, uint32_t off, uint32_t n, uint32_t how,
		  gva_t *a, struct fault *f)
{
	const struct segment *s = &c->seg[seg];
	bool types = has_types(c);

	if ((types && !type_allows(s, how)) || !limit_allows(s, off, n, types))
		return fault_raise(f, seg == S_SS ? VEC_SS : VEC_GP, 0);
	*a = GVA(s->base + off);
	return true;
}
