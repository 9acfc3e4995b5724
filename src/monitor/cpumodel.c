/* SPDX-License-Identifier: BSD-2-Clause */
/* The one table of CPU models. */
#include "monitor/cpumodel.h"

#include <string.h>

#define PENTIUM (F_FPU | F_DE | F_PSE | F_TSC | F_MSR | F_CX8)
#define PENTIUM2 (PENTIUM | F_PAE | F_SEP | F_PGE | F_CMOV | F_PAT | F_MMX | F_FXSR)
#define PENTIUM3 (PENTIUM2 | F_SSE)

/*
 * The 686 shows family 6, model 1CH: an in-order core that guests know to be
 * free of speculation flaws.  Whether the host is, is the host's business;
 * mitigations inside a guest whose kernel runs in user mode would protect
 * nothing and cost traps.
 */
static const struct cpu_model models[] = {
	{ .name = "686", .help = "SSE2, PAE and NX, and what more the host has (default)",
	  .signature = 0x106ca, .max_leaf = 0x16, .edx = PENTIUM3 | F_CLFSH | F_SSE2,
	  .modern = true, .nx = true },
	{ .name = "pentium3", .help = "with SSE",
	  .signature = 0x0673, .max_leaf = 2, .edx = PENTIUM3 },
	{ .name = "pentium2", .help = "with PAE, PGE, SEP, CMOV, MMX and FXSR",
	  .signature = 0x0652, .max_leaf = 2, .edx = PENTIUM2 },
	{ .name = "pentium", .help = "with PSE, TSC, MSRs and CMPXCHG8B",
	  .signature = 0x0526, .max_leaf = 1, .edx = PENTIUM },
	{ .name = "486", .help = "with x87, without CPUID",
	  .signature = 0x0404, .edx = F_FPU },
};

const struct cpu_model *cpu_model_at(size_t n)
{
	return n < sizeof models / sizeof *models ? &models[n] : NULL;
}

const struct cpu_model *cpu_model_find(const char *name)
{
	const struct cpu_model *m;
	size_t i;

	for (i = 0; (m = cpu_model_at(i)); i++)
		if (!strcmp(m->name, name))
			return m;
	return NULL;
}
