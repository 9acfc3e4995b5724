/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Access to guest memory from the monitor: the only place where a guest
 * address becomes a host pointer.
 */
#ifndef LILYVM_GUESTMEM_H
#define LILYVM_GUESTMEM_H

#include "types.h"

struct vm;

/* What an access wants; bits as in the page-fault error code. */
#define ACC_READ 0u
#define ACC_WRITE PF_W
#define ACC_USER PF_U
#define ACC_EXEC PF_I

/*
 * Reads or writes n bytes (1..PAGE_SIZE) of guest-virtual memory with the rights of
 * how (ACC_*).  Crosses pages correctly: a write either happens whole or not
 * at all.  Addresses that hold no RAM are the devices'; those of none read as all ones
 * and ignore writes.
 * On a page fault fills *f and returns false; the CPU state is unchanged.
 */
bool gmem_read(struct vm *vm, gva_t a, void *buf, uint32_t n, uint32_t how, struct fault *f);
bool gmem_write(struct vm *vm, gva_t a, const void *buf, uint32_t n, uint32_t how, struct fault *f);

/* What a CR3 load, or invlpg, does to the monitor's own translations. */
void gmem_flush(struct vm *vm);
void gmem_flush_page(struct vm *vm, gva_t a);

/* Host pointer to n bytes of RAM at gpa, or NULL if they are not all RAM. */
void *gmem_ram(struct vm *vm, gpa_t gpa, uint64_t n);

#endif
