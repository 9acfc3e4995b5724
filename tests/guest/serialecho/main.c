/* SPDX-License-Identifier: BSD-2-Clause */
/* Serial input by interrupt: each character comes back in upper case; a dot ends. */
#include "guest.h"

static volatile bool end;
static volatile unsigned interrupts;

static void irq(struct trap_frame *f)
{
	(void)f;
	interrupts++;
	while (inb(PORT_COM1 + 5) & 1) {
		char c = (char)inb(PORT_COM1);

		if (c == '.')
			end = true;
		else if (c != '\n' && c != '\r')
			putch(c >= 'a' && c <= 'z' ? (char)(c - 32) : c);
	}
	pic_eoi(4);
}

int main(uint32_t magic, const void *info)
{
	(void)magic, (void)info;
	trap_init();
	pic_init();
	trap_set(IRQ_BASE + 4, irq);
	pic_unmask(4);
	outb(PORT_COM1 + 4, 0x0b);	/* OUT2 lets interrupts through */
	outb(PORT_COM1 + 1, 1);
	while (!end)
		sti_hlt();
	cli();
	printf("\ninterrupts: %s\n", interrupts ? "yes" : "no");
	return 0;
}
