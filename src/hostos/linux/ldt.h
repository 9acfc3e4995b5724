/* SPDX-License-Identifier: BSD-2-Clause */
/* A segment as modify_ldt(2) takes it, for the VM's process and for children. */
#ifndef LILYVM_LDT_H
#define LILYVM_LDT_H

#include "monitor/vcpu.h"

#include <asm/ldt.h>

/* Entry slot as the segment s; empty if s is NULL. */
static inline struct user_desc user_desc_of(unsigned slot, const struct segment *s)
{
	struct user_desc d = { .entry_number = slot, .read_exec_only = 1, .seg_not_present = 1 };

	if (s) {
		bool gran = s->limit > 0xfffff;

		d.base_addr = s->base;
		d.limit = gran ? s->limit >> 12 : s->limit;
		d.limit_in_pages = gran;
		d.seg_32bit = !!(s->attr & SEG_DB);
		/* contents: 0 data, 1 expand-down data, 2 code, 3 conforming code */
		d.contents = (s->attr >> 2) & 3;
		d.read_exec_only = !(s->attr & 2);
		d.seg_not_present = 0;
		d.useable = 1;
	}
	return d;
}

#endif
