/* SPDX-License-Identifier: BSD-2-Clause */
/* Boots, prints, leaves by the exit port with a value of its own. */
#include "guest.h"

#define MULTIBOOT_BOOTLOADER_MAGIC 0x2badb002

static uint16_t read_cs(void)
{
	uint16_t v;

	asm volatile("movw %%cs, %0" : "=r"(v));
	return v;
}

static uint16_t read_ds(void)
{
	uint16_t v;

	asm volatile("movw %%ds, %0" : "=r"(v));
	return v;
}

int main(uint32_t magic, const void *info)
{
	printf("hello, magic %s, info %s\n",
	       magic == MULTIBOOT_BOOTLOADER_MAGIC ? "right" : "wrong", info ? "there" : "missing");
	printf("cs %x ds %x IF %u paging %u\n", read_cs(), read_ds(), read_eflags() >> 9 & 1,
	       read_cr0() >> 31);
	return 7;
}
