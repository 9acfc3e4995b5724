/* SPDX-License-Identifier: BSD-2-Clause */
/* The NE2000's guest with a card on the ISA bus; lilyvm-cc links driver and chip, as the
 * file link-device says. */
#define ISA_PORT 0x300
#define ISA_IRQ 9
#include "../ne2000/main.c"
