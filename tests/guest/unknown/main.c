/* SPDX-License-Identifier: BSD-2-Clause */
/* A call gate, which LilyVM does not do: it ends with a dump that names the
 * instruction, never with a wrong result. */
#include "guest.h"

int main(uint32_t magic, const void *info)
{
	(void)magic, (void)info;
	trap_init();
	gdt_set(SPARE_SEL, 0, 0, 0x8c);
	printf("now\n");
	asm volatile("lcall $0x30, $0");
	printf("not reached\n");
	return 0;
}
