/* SPDX-License-Identifier: BSD-2-Clause */
/* The model pentium: what CPUID shows works, what it does not show is refused. */
#define STRICT true
#include "../cpuid/main.c"
