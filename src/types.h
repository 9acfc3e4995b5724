/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Address and register types that every room shares.
 *
 * Guest-physical addresses, guest-virtual (linear) addresses and host
 * pointers are three different C types; only src/monitor/guestmem.h turns one
 * into another, and checks it.
 */
#ifndef LILYVM_TYPES_H
#define LILYVM_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A guest-virtual (linear) address: after segmentation, before paging. */
typedef struct { uint32_t v; } gva_t;
/* A guest-physical address. */
typedef struct { uint64_t v; } gpa_t;

#define GVA(x) ((gva_t){ (uint32_t)(x) })
#define GPA(x) ((gpa_t){ (uint64_t)(x) })

#define PAGE_SHIFT 12
#define PAGE_SIZE 4096u
#define PAGE_MASK 0xfffff000u

/* General registers in the order of the instruction encoding (SDM 2, table 3-1). */
enum { R_EAX, R_ECX, R_EDX, R_EBX, R_ESP, R_EBP, R_ESI, R_EDI, R_COUNT };

/* Segment registers in the order of the instruction encoding. */
enum { S_ES, S_CS, S_SS, S_DS, S_FS, S_GS, S_COUNT };

/* EFLAGS bits (SDM 1, 3.4.3). */
#define FL_CF 0x00000001u
#define FL_FIXED 0x00000002u
#define FL_PF 0x00000004u
#define FL_AF 0x00000010u
#define FL_ZF 0x00000040u
#define FL_SF 0x00000080u
#define FL_TF 0x00000100u
#define FL_IF 0x00000200u
#define FL_DF 0x00000400u
#define FL_OF 0x00000800u
#define FL_IOPL 0x00003000u
#define FL_NT 0x00004000u
#define FL_RF 0x00010000u
#define FL_VM 0x00020000u
#define FL_AC 0x00040000u
#define FL_VIF 0x00080000u
#define FL_VIP 0x00100000u
#define FL_ID 0x00200000u
/* The six flags that arithmetic writes. */
#define FL_ARITH (FL_CF | FL_PF | FL_AF | FL_ZF | FL_SF | FL_OF)

/* Exception vectors (SDM 3, table 6-1). */
enum {
	VEC_DE = 0, VEC_DB = 1, VEC_NMI = 2, VEC_BP = 3, VEC_OF = 4, VEC_BR = 5,
	VEC_UD = 6, VEC_NM = 7, VEC_DF = 8, VEC_TS = 10, VEC_NP = 11, VEC_SS = 12,
	VEC_GP = 13, VEC_PF = 14, VEC_MF = 16, VEC_AC = 17, VEC_MC = 18, VEC_XM = 19,
	VEC_NONE = 0x100,
};

/* Page-fault error code (SDM 3, figure 4-12). */
#define PF_P 0x01u	/* 0: the page was not present */
#define PF_W 0x02u	/* the access was a write */
#define PF_U 0x04u	/* the access came from user mode */
#define PF_RSVD 0x08u	/* a reserved bit was set in an entry */
#define PF_I 0x10u	/* the access was an instruction fetch */

/* An exception that the guest has to take; vector is VEC_NONE when there is none. */
struct fault {
	uint16_t vector;
	uint32_t error;		/* error code, where the vector has one */
	uint32_t cr2;		/* for VEC_PF: the linear address */
};

#endif
