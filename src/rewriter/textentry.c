/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a rewritten kernel does first: where the runtime is not, on a PC or in another
 * virtual machine, it says so on COM1 and stops, instead of calling what is not there.
 */
#include "rewriter/text.h"
#include "runtime/abi.h"

#include <stdio.h>

static const char message[] =
	"\r\nThis kernel was built with lilyvm-cc and runs in LilyVM only (lilyvm run).\r\n";

/*
 * Numbers, so that the syntax does not matter.  Before paging is on the code's address is
 * not the one it was linked for, so all of it is relative; the firmware's baud rate stays.
 */
static const char check[] =
	".macro lilyvm.entry\n"
	".byte 0x81,0x3d\n"		/* cmpl $RT_MAGIC_VALUE, RT_MAGIC */
	".long %#x,%#x\n"
	".byte 0x0f,0x84\n"		/* je, over all of this */
	".long 98700003f-.-4\n"
	".byte 0xbc\n"			/* mov $0x7000, %esp: memory on every PC */
	".long 0x7000\n"
	".byte 0xe9\n"			/* jmp, over the subroutine */
	".long 98700002f-.-4\n"
	"98700001:\n"			/* sends %al */
	".byte 0x88,0xc4\n"		/* mov %al, %ah */
	".byte 0x66,0xba,0xfd,0x03\n"	/* mov $0x3fd, %dx: the line status register */
	".byte 0xec,0xa8,0x20\n"	/* in (%dx), %al; test $0x20, %al: the transmitter */
	".byte 0x74,0xfb\n"		/* jz, back to the in */
	".byte 0x88,0xe0\n"		/* mov %ah, %al */
	".byte 0x66,0xba,0xf8,0x03\n"	/* mov $0x3f8, %dx */
	".byte 0xee,0xc3\n"		/* out %al, (%dx); ret */
	"98700002:\n";

void text_entry_macro(struct text_buf *out)
{
	text_printf(out, check, RT_MAGIC, RT_MAGIC_VALUE);
	for (const char *p = message; *p; p++)
		text_printf(out, ".byte 0xb0,%d,0xe8\n"		/* mov $CHARACTER, %al; call */
			    ".long 98700001b-.-4\n", *p);
	text_printf(out, ".byte 0xf4,0xeb,0xfd\n"		/* hlt; jmp to it */
		    "98700003:\n"
		    ".endm\n");
}
