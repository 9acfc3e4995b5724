/* SPDX-License-Identifier: BSD-2-Clause */
/* Offsets of struct host_cpu for entry.S; guest.c asserts each of them. */
#ifndef LILYVM_OFFSETS_H
#define LILYVM_OFFSETS_H

#define HC_GPR 0
#define HC_EIP 32
#define HC_EFLAGS 36
#define HC_SEL 40
#define HC_HAS_BASES 52
#define HC_FSBASE 56
#define HC_GSBASE 64
#define HC_HOST_RSP 88
#define HC_HOST_FSBASE 96
#define HC_KICK 104
#define HC_FPU 128

/* HOST_EXIT_GATE */
#define HC_EXIT_GATE 3

#ifdef __ASSEMBLER__
#define R_EAX 0
#define R_ECX 1
#define R_EDX 2
#define R_EBX 3
#define R_ESP 4
#define R_EBP 5
#define R_ESI 6
#define R_EDI 7
#define S_ES 0
#define S_CS 1
#define S_SS 2
#define S_DS 3
#define S_FS 4
#define S_GS 5
#endif

#endif
