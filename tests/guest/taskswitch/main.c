/* SPDX-License-Identifier: BSD-2-Clause */
/* A task switch, which LilyVM does not do: it ends with a dump that names the
 * instruction, never with a wrong result. */
#include "guest.h"

int main(uint32_t magic, const void *info)
{
	(void)magic, (void)info;
	trap_init();
	tss_init(NULL);
	gdt_set(SPARE_SEL, (uint32_t)&tss, sizeof(tss) - 1, 0x89);
	printf("now\n");
	asm volatile("ljmp $0x30, $0");
	printf("not reached\n");
	return 0;
}
