/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef LILYVM_ACCESS_H
#define LILYVM_ACCESS_H

#include "rewriter/insn.h"
#include "vcpu.h"

/*
 * Was the access to linear address a, at which the instruction insn at c->eip
 * faulted, a write?  (ptrace does not tell.)  Where both are possible, as for a
 * string move within one page, says what comes first.
 */
bool access_is_write(const struct vcpu *c, const struct insn *insn, uint32_t a);

#endif
