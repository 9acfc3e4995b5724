/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Snippets of machine code, and what the kernel says about the exception that
 * they raise.
 */
#ifndef USERTEST_TRAP_H
#define USERTEST_TRAP_H

#include <signal.h>
#include <stdint.h>

/*
 * Defines the code `id`: `before`, then the instruction under test between the
 * labels id_at and id_next, then `after` and ret.  It gets its argument in
 * %eax and may change every general register but %esp.
 */
#define SNIPPET(id, before, insn, after)						\
	__asm__(".pushsection .text\n" #id ":\n\t" before "\n" #id "_at:\n\t" insn "\n"	\
		#id "_next:\n\t" after "\n\tret\n.popsection");				\
	extern const char id[], id##_at[], id##_next[]

/* The signal of a snippet, with the machine state that the kernel reported. */
struct trap {
	int sig;		/* 0: the snippet returned */
	int code;
	uint32_t addr;
	uint32_t trapno, err;	/* vector and error code of the exception */
	uint32_t gregs[19];	/* by REG_* of <sys/ucontext.h> */
};

/* Runs the snippet with arg in %eax; SIGSEGV, SIGBUS, SIGILL, SIGFPE and
 * SIGTRAP are caught on a stack of their own, with good segment registers. */
struct trap snippet_run(const char *code, uint32_t arg);

#endif
