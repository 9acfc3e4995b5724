/* SPDX-License-Identifier: BSD-2-Clause */
/* Timer interrupts: hlt wakes up, cli holds them back, the sti shadow covers hlt. */
#include "guest.h"

static volatile unsigned ticks;
static volatile uint32_t last_eflags;

static void tick(struct trap_frame *f)
{
	ticks++;
	last_eflags = f->eflags;
	pic_eoi(0);
}

int main(uint32_t magic, const void *info)
{
	(void)magic, (void)info;
	trap_init();
	pic_init();
	trap_set(IRQ_BASE, tick);
	pit_rate(200);
	pic_unmask(0);

	for (unsigned n = 0; n < 20; n++) {
		sti_hlt();
		cli();
	}
	printf("20 times hlt: %s\n", ticks >= 20 ? "20 ticks or more" : "too few ticks");
	printf("IF in the frame: %u, now: %u\n", last_eflags >> 9 & 1, read_eflags() >> 9 & 1);

	unsigned before = ticks;

	for (volatile unsigned n = 0; n < 20000000; n++)
		;
	printf("behind cli: %u ticks\n", ticks - before);
	sti();
	asm volatile("nop; nop");
	cli();
	printf("after sti: %s\n", ticks > before ? "ticked" : "nothing");

	before = ticks;
	sti();
	while (ticks < before + 10)
		;
	cli();
	printf("busy loop was interrupted\n");
	return 0;
}
