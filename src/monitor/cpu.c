/* SPDX-License-Identifier: BSD-2-Clause */
/* Reset state, CPUID, model-specific and control registers. */
#include "monitor/machine.h"

#include <string.h>

/* Leaf 1 ECX: instructions on general and XMM registers only, taken from the
 * host: SSE3 PCLMULQDQ SSSE3 CMPXCHG16B(no) SSE4.1 SSE4.2 MOVBE POPCNT AES RDRAND */
#define F1_ECX_HOST (1u << 0 | 1u << 1 | 1u << 9 | 1u << 19 | 1u << 20 | 1u << 22 | 1u << 23 | \
		     1u << 25 | 1u << 30)
#define F1_ECX_HYPERVISOR (1u << 31)
/* Leaf 7 EBX: ERMS, taken from the host */
#define F7_EBX_HOST (1u << 9)
/* Leaf 80000001h EDX */
#define F81_EDX_NX (1u << 20)

uint32_t cpu_features(const struct vm *vm)
{
	return vm->model->edx | (vm->cfg.apic && cpu_has_cpuid(vm->model) ? F_APIC : 0);
}

void cpu_reset(struct vm *vm)
{
	struct vcpu *c = &vm->cpu;

	memset(c, 0, sizeof *c);
	c->eflags = FL_FIXED;
	c->cr0 = CR0_ET | CR0_CD | CR0_NW;
	c->idtr.limit = 0x3ff;
	c->gdtr.limit = 0xffff;
	c->dr[6] = 0xffff0ff0;
	c->dr[7] = 0x400;
	c->pat = 0x0007040600070406;
	c->apic_base = LAPIC_BASE | APIC_BASE_BOOT_CPU | APIC_BASE_ENABLE;
	c->gpr[R_EDX] = vm->model->signature;
	c->no_flags = cpu_has_cpuid(vm->model) ? 0 : FL_ID;
}

static void text_leaf(const char *text, unsigned part, uint32_t r[4])
{
	char buf[48] = { 0 };

	strncpy(buf, text, sizeof buf - 1);
	memcpy(r, buf + 16 * part, 16);
}

void cpu_init(struct vm *vm)
{
	uint32_t r[4];

	vm->model = vm->cfg.cpu ? cpu_model_find(vm->cfg.cpu) : cpu_model_at(0);
	host_cpuid(0, 0, r);
	if (r[0] >= 7) {
		host_cpuid(7, 0, r);
		vm->host_leaf7_ebx = r[1];
	}
	host_cpuid(1, 0, r);
	vm->host_leaf1_ecx = r[2];
	vm->tsc_hz = host_tsc_hz();
}

static void leaf_1(const struct vm *vm, const struct cpu_model *m, uint32_t r[4])
{
	r[0] = m->signature;
	r[1] = m->edx & F_CLFSH ? 8 << 8 : 0;
	r[3] = cpu_features(vm);
	if (!(vm->cpu.apic_base & APIC_BASE_ENABLE))
		r[3] &= ~F_APIC;	/* SDM 3, 11.4.3 */
	if (m->modern)
		r[2] = (vm->host_leaf1_ecx & F1_ECX_HOST) | F1_ECX_HYPERVISOR;
}

static void extended_leaf(uint32_t leaf, uint32_t r[4])
{
	switch (leaf) {
	case 0x80000000:
		r[0] = 0x80000008;
		break;
	case 0x80000001:
		r[3] = F81_EDX_NX;
		break;
	case 0x80000002 ... 0x80000004:
		text_leaf("LilyVM virtual i686", leaf - 0x80000002, r);
		break;
	case 0x80000007:
		r[3] = 1 << 8;		/* invariant TSC */
		break;
	case 0x80000008:
		r[0] = 32 << 8 | CPU_PHYS_BITS;
		break;
	}
}

void cpu_cpuid(struct vm *vm, uint32_t leaf, uint32_t sub, uint32_t r[4])
{
	const struct cpu_model *m = vm->model;

	memset(r, 0, 16);
	if (leaf >= 0x80000000 && m->modern) {
		extended_leaf(leaf, r);
		return;
	}
	if (leaf == 0x40000000 && m->modern) {
		r[0] = leaf;
		memcpy(&r[1], "LilyVMLilyVM", 12);
		return;
	}
	/* Beyond the last leaf Intel shows the last one (SDM 2, CPUID). */
	if (leaf > m->max_leaf)
		leaf = m->max_leaf;
	switch (leaf) {
	case 0:
		r[0] = m->max_leaf;
		memcpy(&r[1], "Genu", 4);
		memcpy(&r[3], "ineI", 4);
		memcpy(&r[2], "ntel", 4);
		break;
	case 1:
		leaf_1(vm, m, r);
		break;
	case 2:
		r[0] = 1;
		break;
	case 7:
		if (!sub)
			r[1] = vm->host_leaf7_ebx & F7_EBX_HOST;
		break;
	case 0x15:
		/* TSC Hz = ECX * EBX / EAX; 16 keeps ECX in range. */
		r[0] = 1;
		r[1] = 16;
		r[2] = vm->tsc_hz / 16;
		break;
	case 0x16:
		r[0] = r[1] = vm->tsc_hz / 1000000;
		r[2] = 100;
		break;
	}
}

/* Everything the TLBs hold goes, global pages too. */
static void flush_all(struct vm *vm)
{
	gmem_flush(vm);
	view_repair(&vm->kview, true);
	pool_flush(vm);
	memset(vm->touch, 0, sizeof vm->touch);
}

/* ---- model-specific registers ---- */

#define MSR_TSC 0x10

/* MSRs that are plain storage: which features they come with, what may be set. */
static const struct msr {
	uint32_t number, edx;
	bool nx;
	uint64_t writable;
	size_t at;		/* in struct vcpu */
} msrs[] = {
	{ 0x1b, F_APIC, false, LAPIC_BASE | APIC_BASE_BOOT_CPU | APIC_BASE_ENABLE,
	  offsetof(struct vcpu, apic_base) },
	{ 0x8b, F_CMOV, false, 0, offsetof(struct vcpu, microcode) },
	{ 0x174, F_SEP, false, UINT32_MAX, offsetof(struct vcpu, sysenter_cs) },
	{ 0x175, F_SEP, false, UINT32_MAX, offsetof(struct vcpu, sysenter_esp) },
	{ 0x176, F_SEP, false, UINT32_MAX, offsetof(struct vcpu, sysenter_eip) },
	{ 0x1a0, F_SSE2, false, UINT64_MAX, offsetof(struct vcpu, misc_enable) },
	{ 0x277, F_PAT, false, UINT64_MAX, offsetof(struct vcpu, pat) },
	{ 0xc0000080, 0, true, EFER_NXE, offsetof(struct vcpu, efer) },
};

static const struct msr *find_msr(const struct vm *vm, uint32_t number)
{
	uint32_t features = cpu_features(vm);
	size_t i;

	for (i = 0; i < sizeof msrs / sizeof *msrs; i++) {
		const struct msr *m = &msrs[i];

		if (m->number == number && !(m->edx & ~features) && (!m->nx || vm->model->nx))
			return m;
	}
	return NULL;
}

static uint64_t *msr_value(struct vm *vm, const struct msr *m)
{
	return (uint64_t *)((uint8_t *)&vm->cpu + m->at);
}

bool cpu_rdmsr(struct vm *vm, uint32_t msr, uint64_t *v)
{
	const struct msr *m = find_msr(vm, msr);

	if (m) {
		*v = *msr_value(vm, m);
		return true;
	}
	if (msr == MSR_TSC && (vm->model->edx & F_TSC)) {
		*v = __builtin_ia32_rdtsc() + vm->cpu.tsc_offset;
		return true;
	}
	TRACE(vm, TRACE_CPU, "rdmsr %#x: #GP", msr);
	return false;
}

bool cpu_wrmsr(struct vm *vm, uint32_t msr, uint64_t v)
{
	const struct msr *m = find_msr(vm, msr);
	uint64_t old;

	if (m && m->number == 0x8b)
		return true;		/* cleared before CPUID shows a revision there */
	if (m && !(v & ~m->writable)) {
		old = *msr_value(vm, m);
		*msr_value(vm, m) = v;
		if (m->nx && old != v)
			flush_all(vm);
		return true;
	}
	if (msr == MSR_TSC && (vm->model->edx & F_TSC)) {
		/* Children read the host's TSC: it cannot be moved for them. */
		TRACE(vm, TRACE_CPU, "wrmsr TSC ignored");
		return true;
	}
	TRACE(vm, TRACE_CPU, "wrmsr %#x: #GP", msr);
	return false;
}

bool cpu_sysenter(struct vm *vm)
{
	struct vcpu *c = &vm->cpu;
	uint16_t cs = c->sysenter_cs & 0xfffc;
	struct segment s = { cs, SEG_P | SEG_S | 0xb | SEG_DB | SEG_G, 0, 0xffffffff };

	if (!cs)
		return false;
	c->eflags &= ~(FL_VM | FL_IF);
	segment_set_cs(c, &s, 0);
	s.sel = cs + 8;
	s.attr = SEG_P | SEG_S | 3 | SEG_DB | SEG_G;
	c->seg[S_SS] = s;
	c->gpr[R_ESP] = c->sysenter_esp;
	c->eip = c->sysenter_eip;
	return true;
}

/* ---- control registers ---- */

/* Control bits whose change loads PAE's page-directory pointers (SDM 3, 4.4.1). */
#define CR0_LOADS (CR0_PG | CR0_CD | CR0_NW)
#define CR4_LOADS (CR4_PAE | CR4_PGE | CR4_PSE)

bool cpu_set_cr0(struct vm *vm, uint32_t v)
{
	struct vcpu *c = &vm->cpu;
	uint32_t changed;

	v |= CR0_ET;
	if ((v & CR0_PG) && !(v & CR0_PE))
		return false;
	if ((v & CR0_NW) && !(v & CR0_CD))
		return false;
	changed = c->cr0 ^ v;
	if ((v & CR0_PG) && (c->cr4 & CR4_PAE) && (changed & CR0_LOADS) &&
	    !mmu_load_pdptes(vm, c->cr3))
		return false;
	if (changed & ~v & CR0_TS)
		fpu_to_kernel(vm);
	c->cr0 = v;
	if (changed & CR0_PE && !(v & CR0_PE))
		vm_end(vm, ST_LIMIT, "the guest went back to real mode, which LilyVM does not run");
	if (changed & (CR0_PG | CR0_WP))
		flush_all(vm);
	return true;
}

static uint32_t cr4_allowed(const struct cpu_model *m)
{
	static const struct { uint32_t edx, bits; } table[] = {
		{ F_TSC, CR4_TSD }, { F_DE, CR4_DE }, { F_PSE, CR4_PSE }, { F_PAE, CR4_PAE },
		{ F_PGE, CR4_PGE }, { F_FXSR, CR4_OSFXSR }, { F_SSE, CR4_OSXMMEXCPT },
	};
	uint32_t bits = 0;
	size_t i;

	for (i = 0; i < sizeof table / sizeof *table; i++)
		if (m->edx & table[i].edx)
			bits |= table[i].bits;
	return bits;
}

bool cpu_set_cr4(struct vm *vm, uint32_t v)
{
	struct vcpu *c = &vm->cpu;
	uint32_t changed = c->cr4 ^ v;

	if (v & ~cr4_allowed(vm->model))
		return false;
	if (vcpu_paging(c) && (v & CR4_PAE) && (changed & CR4_LOADS) &&
	    !mmu_load_pdptes(vm, c->cr3))
		return false;
	c->cr4 = v;
	if (changed & CR4_LOADS)
		flush_all(vm);
	return true;
}

bool cpu_set_cr3(struct vm *vm, uint32_t v)
{
	if (vcpu_pae(&vm->cpu) && !mmu_load_pdptes(vm, v))
		return false;
	vm->cpu.cr3 = v;
	vm->stats.cr3_loads++;
	gmem_flush(vm);
	if (vm->touched) {
		memset(vm->touch, 0, sizeof vm->touch);
		vm->touched = false;
	}
	pool_expect(vm);
	view_repair(&vm->kview, false);
	pool_flush(vm);
	return true;
}

void cpu_set_flags(struct vcpu *c, uint32_t v, uint32_t mask)
{
	mask &= ~c->no_flags;
	c->eflags = (c->eflags & ~mask) | (v & mask) | FL_FIXED;
}
