/* SPDX-License-Identifier: BSD-2-Clause */
/* 300 address spaces in turn, more than LilyVM has processes for. */
#include "guest.h"

#define SPACES 300
#define DATA 0x40000000u
#define FLAGS (PTE_P | PTE_W | PTE_U)

USER_CODE(user_count, "incl 0x40000000; movl 0x40000000, %eax; pushl %eax; popl %ecx");

static uint32_t *dirs[SPACES];

int main(uint32_t magic, const void *info)
{
	unsigned wrong = 0, traps = 0;

	(void)magic, (void)info;
	trap_init();
	user_init();
	for (unsigned n = 0; n < SPACES; n++) {
		uint32_t *page = page_alloc();

		*page = n * 100;
		dirs[n] = paging_new();
		page_map(dirs[n], DATA, page, FLAGS);
	}
	paging_on(dirs[0]);
	for (unsigned round = 1; round <= 3; round++) {
		for (unsigned n = 0; n < SPACES; n++) {
			struct trap_frame f = user_start(user_count);

			write_cr3((uint32_t)dirs[n]);
			user_enter(&f);
			traps += f.vector == 0x80;
			wrong += f.eax != n * 100 + round || f.ecx != f.eax;
		}
	}
	printf("%u runs, %u traps, %u wrong\n", 3 * SPACES, traps, wrong);
	/* A directory that is used again for another space. */
	*page_entry(dirs[0], DATA) = *page_entry(dirs[1], DATA);
	write_cr3((uint32_t)dirs[0]);
	{
		struct trap_frame f = user_start(user_count);

		user_enter(&f);
		printf("recycled: %u\n", f.eax);
	}
	return 0;
}
