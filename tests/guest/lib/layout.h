/* SPDX-License-Identifier: BSD-2-Clause */
/* Selectors of the guest kernels' GDT, for C and assembler. */
#ifndef GUEST_LAYOUT_H
#define GUEST_LAYOUT_H

#define KERNEL_CS 0x08
#define KERNEL_DS 0x10
#define USER_CS 0x1b
#define USER_DS 0x23
#define TSS_SEL 0x28
#define SPARE_SEL 0x30		/* first of the free entries */
#define GDT_ENTRIES 32
#define FRAME_SIZE (19 * 4)	/* struct trap_frame */

#endif
