/* SPDX-License-Identifier: BSD-2-Clause */
/* What each sensitive instruction means: the table behind insn kinds. */
#ifndef LILYVM_EMULATE_H
#define LILYVM_EMULATE_H

#include "interp.h"

/*
 * Carries out the sensitive instruction insn (kind other than IK_NONE) at the
 * current privilege level; results as for interp_insn().
 */
enum interp_result emulate(struct vm *vm, const struct insn *insn, struct fault *f);

#endif
