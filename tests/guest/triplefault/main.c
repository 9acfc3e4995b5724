/* SPDX-License-Identifier: BSD-2-Clause */
/* A triple fault: the IDT is empty. */
#include "guest.h"

int main(uint32_t magic, const void *info)
{
	struct { uint16_t limit; uint32_t base; } __attribute__((packed)) none = { 0, 0 };

	(void)magic, (void)info;
	printf("now\n");
	asm volatile("lidt %0; int3" : : "m"(none));
	printf("not reached\n");
	return 0;
}
