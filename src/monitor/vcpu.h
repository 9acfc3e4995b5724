/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The virtual CPU: guest-view state only.  What the host needs to run it lies
 * in src/hostos and src/monitor/segment.c.
 */
#ifndef LILYVM_VCPU_H
#define LILYVM_VCPU_H

#include "types.h"

#define CR0_PE 0x00000001u
#define CR0_MP 0x00000002u
#define CR0_EM 0x00000004u
#define CR0_TS 0x00000008u
#define CR0_ET 0x00000010u
#define CR0_NE 0x00000020u
#define CR0_WP 0x00010000u
#define CR0_AM 0x00040000u
#define CR0_NW 0x20000000u
#define CR0_CD 0x40000000u
#define CR0_PG 0x80000000u

#define CR4_VME 0x001u
#define CR4_PVI 0x002u
#define CR4_TSD 0x004u
#define CR4_DE 0x008u
#define CR4_PSE 0x010u
#define CR4_PAE 0x020u
#define CR4_MCE 0x040u
#define CR4_PGE 0x080u
#define CR4_PCE 0x100u
#define CR4_OSFXSR 0x200u
#define CR4_OSXMMEXCPT 0x400u

#define EFER_NXE 0x800u

/* A segment register: the selector and the hidden part (SDM 3, 3.4.3).
 * attr holds descriptor bits 8-15 in its low byte (type, S, DPL, P) and bits
 * 20-23 (AVL, L, D/B, G) in bits 12-15; limit is in bytes, already scaled. */
struct segment {
	uint16_t sel;
	uint16_t attr;
	uint32_t base;
	uint32_t limit;
};
#define SEG_TYPE 0x000fu
#define SEG_S 0x0010u
#define SEG_DPL 0x0060u
#define SEG_P 0x0080u
#define SEG_DB 0x4000u
#define SEG_G 0x8000u

struct dtable { uint32_t base; uint16_t limit; };

/* An FXSAVE image followed by an XSAVE header (SDM 1, 13.4). */
struct fpu_image {
	uint8_t bytes[576];
} __attribute__((aligned(64)));

/* IA32_APIC_BASE (SDM 3, 11.4.4) */
#define APIC_BASE_BOOT_CPU 0x100u
#define APIC_BASE_ENABLE 0x800u

struct vcpu {
	uint32_t gpr[R_COUNT];
	uint32_t eip;
	/* Guest view: IF, IOPL, VM, AC as the guest set them. */
	uint32_t eflags;
	uint32_t no_flags;		/* flags that the model has not */
	struct segment seg[S_COUNT];
	uint8_t cpl;			/* 0 kernel, 3 user; 3 too in vm86 mode */
	bool halted;			/* hlt: waiting for an interrupt */
	bool shadow;			/* sti or mov/pop ss: no interrupt before the end of the
					   next instruction */
	bool single;			/* a rep string instruction pauses after each iteration,
					   as under TF */
	uint32_t cr0, cr2, cr3, cr4;
	uint64_t pdpte[4];		/* as they were loaded last (SDM 3, 4.4.1) */
	uint32_t dr[8];
	struct dtable gdtr, idtr;
	struct segment ldtr, tr;
	uint64_t sysenter_cs, sysenter_esp, sysenter_eip;
	uint64_t pat, misc_enable, microcode, efer, apic_base;
	int64_t tsc_offset;
};

static inline bool vcpu_paging(const struct vcpu *c) { return c->cr0 & CR0_PG; }
/* PAE paging, with 64-bit entries. */
static inline bool vcpu_pae(const struct vcpu *c)
{
	return vcpu_paging(c) && (c->cr4 & CR4_PAE);
}
/* Pages can be marked as not executable. */
static inline bool vcpu_nx(const struct vcpu *c) { return vcpu_pae(c) && (c->efer & EFER_NXE); }
/* Interrupts can be taken now. */
static inline bool vcpu_interruptible(const struct vcpu *c)
{
	return (c->eflags & FL_IF) && !c->shadow;
}

#endif
