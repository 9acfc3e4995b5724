/* SPDX-License-Identifier: BSD-2-Clause */
/* Reset state, CPUID, model-specific and control registers. */
#include "monitor/machine.h"

#include <string.h>

/* CPUID leaf 1 EDX */
#define F_FPU (1u << 0)
#define F_DE (1u << 2)
#define F_PSE (1u << 3)
#define F_TSC (1u << 4)
#define F_MSR (1u << 5)
#define F_CX8 (1u << 8)
#define F_SEP (1u << 11)
#define F_PGE (1u << 13)
#define F_CMOV (1u << 15)
#define F_PAT (1u << 16)
#define F_CLFSH (1u << 19)
#define F_MMX (1u << 23)
#define F_FXSR (1u << 24)
#define F_SSE (1u << 25)
#define F_SSE2 (1u << 26)
/* Leaf 1 ECX: instructions on general and XMM registers only, taken from the
 * host: SSE3 PCLMULQDQ SSSE3 CMPXCHG16B(no) SSE4.1 SSE4.2 MOVBE POPCNT AES RDRAND */
#define F1_ECX_HOST (1u << 0 | 1u << 1 | 1u << 9 | 1u << 19 | 1u << 20 | 1u << 22 | 1u << 23 | \
		     1u << 25 | 1u << 30)
#define F1_ECX_HYPERVISOR (1u << 31)
/* Leaf 7 EBX: ERMS, taken from the host */
#define F7_EBX_HOST (1u << 9)

/*
 * The models of --cpu.  The 686 shows family 6, model 1CH: an in-order core
 * that guests know to be free of speculation flaws.  Whether the host is, is
 * the host's business; mitigations inside a guest whose kernel runs in user
 * mode would protect nothing and cost traps.
 */
static const struct model {
	const char *name;
	uint32_t max_leaf, signature, edx;
	bool modern;			/* leaf 1 ECX, extended leaves */
} models[] = {
	{ "686", 0x16, 0x106ca,
	  F_FPU | F_DE | F_PSE | F_TSC | F_MSR | F_CX8 | F_SEP | F_PGE | F_CMOV | F_PAT | F_CLFSH |
	  F_MMX | F_FXSR | F_SSE | F_SSE2, true },
	{ "pentium", 1, 0x0543, F_FPU | F_DE | F_PSE | F_TSC | F_MSR | F_CX8 | F_MMX, false },
	{ "486", 1, 0x0480, F_FPU, false },
};

static const struct model *model_of(const struct vm *vm)
{
	size_t i;

	for (i = 0; i < sizeof models / sizeof *models; i++)
		if (vm->cfg.cpu && !strcmp(models[i].name, vm->cfg.cpu))
			return &models[i];
	return &models[0];
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
	c->gpr[R_EDX] = model_of(vm)->signature;
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

	host_cpuid(0, 0, r);
	if (r[0] >= 7) {
		host_cpuid(7, 0, r);
		vm->host_leaf7_ebx = r[1];
	}
	host_cpuid(1, 0, r);
	vm->host_leaf1_ecx = r[2];
	vm->tsc_hz = host_tsc_hz();
}

static void leaf_1(const struct vm *vm, const struct model *m, uint32_t r[4])
{
	r[0] = m->signature;
	r[1] = m->edx & F_CLFSH ? 8 << 8 : 0;
	r[3] = m->edx;
	if (m->modern)
		r[2] = (vm->host_leaf1_ecx & F1_ECX_HOST) | F1_ECX_HYPERVISOR;
}

static void extended_leaf(uint32_t leaf, uint32_t r[4])
{
	switch (leaf) {
	case 0x80000000:
		r[0] = 0x80000007;
		break;
	case 0x80000002 ... 0x80000004:
		text_leaf("LilyVM virtual i686", leaf - 0x80000002, r);
		break;
	case 0x80000007:
		r[3] = 1 << 8;		/* invariant TSC */
		break;
	}
}

void cpu_cpuid(struct vm *vm, uint32_t leaf, uint32_t sub, uint32_t r[4])
{
	const struct model *m = model_of(vm);

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

bool cpu_rdmsr(struct vm *vm, uint32_t msr, uint64_t *v)
{
	struct vcpu *c = &vm->cpu;

	if (!(model_of(vm)->edx & F_MSR))
		return false;
	switch (msr) {
	case 0x10:
		*v = __builtin_ia32_rdtsc() + c->tsc_offset;
		return true;
	case 0x174:
		*v = c->sysenter_cs;
		return true;
	case 0x175:
		*v = c->sysenter_esp;
		return true;
	case 0x176:
		*v = c->sysenter_eip;
		return true;
	case 0x8b:		/* microcode revision */
		*v = 0;
		return true;
	case 0x1a0:		/* IA32_MISC_ENABLE */
		*v = c->misc_enable;
		return true;
	case 0x277:
		*v = c->pat;
		return true;
	}
	TRACE(vm, TRACE_CPU, "rdmsr %#x: #GP", msr);
	return false;
}

bool cpu_wrmsr(struct vm *vm, uint32_t msr, uint64_t v)
{
	struct vcpu *c = &vm->cpu;

	if (!(model_of(vm)->edx & F_MSR))
		return false;
	switch (msr) {
	case 0x10:
		/* Children read the host's TSC: it cannot be moved for them. */
		TRACE(vm, TRACE_CPU, "wrmsr TSC ignored");
		return true;
	case 0x174:
		c->sysenter_cs = v;
		return true;
	case 0x175:
		c->sysenter_esp = v;
		return true;
	case 0x176:
		c->sysenter_eip = v;
		return true;
	case 0x8b:
		return true;
	case 0x1a0:
		c->misc_enable = v;
		return true;
	case 0x277:
		c->pat = v;
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

/* Everything the TLBs hold goes, global pages too. */
static void flush_all(struct vm *vm)
{
	gmem_flush(vm);
	view_repair(&vm->kview, vm->cpu.cr3, true);
	pool_flush(vm);
	memset(vm->touch, 0, sizeof vm->touch);
}

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
	c->cr0 = v;
	if (changed & CR0_PE && !(v & CR0_PE))
		vm_end(vm, ST_LIMIT, "the guest went back to real mode, which LilyVM does not run");
	if (changed & (CR0_PG | CR0_WP))
		flush_all(vm);
	return true;
}

bool cpu_set_cr4(struct vm *vm, uint32_t v)
{
	struct vcpu *c = &vm->cpu;
	uint32_t edx = model_of(vm)->edx, changed = c->cr4 ^ v;
	uint32_t allowed = CR4_TSD | CR4_DE | (edx & F_PSE ? CR4_PSE : 0) |
			   (edx & F_PGE ? CR4_PGE : 0) |
			   (edx & F_FXSR ? CR4_OSFXSR | CR4_OSXMMEXCPT : 0);

	if (v & ~allowed)
		return false;
	c->cr4 = v;
	if (changed & (CR4_PSE | CR4_PGE))
		flush_all(vm);
	return true;
}

void cpu_set_cr3(struct vm *vm, uint32_t v)
{
	vm->cpu.cr3 = v;
	vm->stats.cr3_loads++;
	gmem_flush(vm);
	if (vm->touched) {
		memset(vm->touch, 0, sizeof vm->touch);
		vm->touched = false;
	}
	view_repair(&vm->kview, v, false);
	pool_flush(vm);
}

void cpu_set_flags(struct vcpu *c, uint32_t v, uint32_t mask)
{
	c->eflags = (c->eflags & ~mask) | (v & mask) | FL_FIXED;
}
