/* SPDX-License-Identifier: BSD-2-Clause */
/* The CPU models of --cpu: what CPUID shows, and so what the CPU accepts. */
#ifndef LILYVM_CPUMODEL_H
#define LILYVM_CPUMODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* CPUID leaf 1 EDX (SDM 2, table "Feature Information in EDX"). */
#define F_FPU (1u << 0)
#define F_DE (1u << 2)
#define F_PSE (1u << 3)
#define F_TSC (1u << 4)
#define F_MSR (1u << 5)
#define F_PAE (1u << 6)
#define F_CX8 (1u << 8)
#define F_APIC (1u << 9)		/* of no model: by --apic */
#define F_SEP (1u << 11)
#define F_PGE (1u << 13)
#define F_CMOV (1u << 15)
#define F_PAT (1u << 16)
#define F_CLFSH (1u << 19)
#define F_MMX (1u << 23)
#define F_FXSR (1u << 24)
#define F_SSE (1u << 25)
#define F_SSE2 (1u << 26)

struct cpu_model {
	const char *name;
	const char *help;
	uint32_t signature;		/* family, model, stepping: EDX at reset, leaf 1 EAX */
	uint32_t max_leaf;		/* 0: no CPUID, so no EFLAGS.ID, CR4 and MSRs either */
	uint32_t edx;			/* leaf 1 */
	bool modern;			/* leaf 1 ECX from the host, hypervisor and extended leaves */
	bool nx;			/* execute-disable, EFER.NXE */
};

/* The width of physical addresses with PAE (CPUID leaf 80000008h, or the P6's). */
#define CPU_PHYS_BITS 36

static inline bool cpu_has_cpuid(const struct cpu_model *m) { return m->max_leaf; }

/* Model n, the default first; NULL beyond the last. */
const struct cpu_model *cpu_model_at(size_t n);
/* The model of that name, or NULL. */
const struct cpu_model *cpu_model_find(const char *name);

#endif
