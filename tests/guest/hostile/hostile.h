/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef HOSTILE_H
#define HOSTILE_H

#include "guest.h"

/* call.S: makes the host's system call hostile_number with hostile_args. */
extern uint32_t hostile_args[6], hostile_number;
uint32_t hostile_call64(void);
uint32_t hostile_call32(void);

#endif
