/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Image side of the rewriter: finds silently sensitive instructions in code
 * and substitutes their first opcode byte by one that traps (#GP) at CPL 3.
 *
 * Substitution is stateless where an opcode is free for it, so that copies the
 * kernel makes of its own text (alternatives, paravirt, x86_patch) stay right:
 *
 *	6C  stands for 9C pushf		6D  for 9D popf
 *	6F  for 0F (two-byte opcodes)	E5  for 8C mov r/m,sreg
 *	E7  for 8E mov sreg,r/m		6E  for all others: catch-all, the
 *	                                original byte is looked up by address
 *
 * The real 6C-6F without F2/F3 prefix, E5 and E7 are themselves replaced by
 * the catch-all.  With an F2/F3 prefix 6C-6F are the real ins/outs; a sensitive
 * instruction that has such a prefix gets the catch-all in place of the prefix.
 *
 * Real unprefixed ins and outs, and in and out of 32 bits with an immediate
 * port, are recognized at load time only (codemap_scan_section()).  Compilers
 * and drivers do not use them, but the kernel copies substitutes about: in code
 * that appears later, such a byte is taken for a substitute that stands for
 * itself, and a catch-all is identified by its neighbourhood.
 */
#ifndef LILYVM_REWRITER_H
#define LILYVM_REWRITER_H

#include "insn.h"

enum { SUBST_PUSHF = 0x6c, SUBST_POPF = 0x6d, SUBST_ANY = 0x6e, SUBST_0F = 0x6f,
       SUBST_MOV_FROM_SREG = 0xe5, SUBST_MOV_TO_SREG = 0xe7 };

/* The substituted first opcode byte for insn, whose original first opcode byte
 * is op, or -1 if it needs no substitution. */
int subst_byte(const struct insn *insn, uint8_t op);

/* Where in the instruction at bytes the substitute goes: the first opcode byte,
 * or the first F2 or F3 prefix. */
unsigned subst_offset(const struct insn *insn, const uint8_t *bytes);

/*
 * Turns bytes that were read from patched code back into what the guest's
 * compiler wrote: undoes a substituted first opcode byte in place.  any is the
 * original byte for SUBST_ANY at this address, or -1 if none is recorded.
 * Returns 1 if it changed a byte, 0 if not, -1 if a SUBST_ANY is unknown.
 */
int subst_undo(uint8_t *bytes, size_t n, int any);

/*
 * Code that has been scanned: one per guest-physical page that holds code.
 * Boundaries and contents let a changed page be scanned again only where it
 * changed.  The original byte of a catch-all site is kept by page offset.
 */
struct codepage;

/* Sites of all code pages of a VM. */
struct codemap;
/* ram_size in bytes; NULL if memory runs out. */
struct codemap *codemap_new(uint64_t ram_size);
void codemap_free(struct codemap *map);

/*
 * Original byte for a SUBST_ANY that the guest copied to a place that is not
 * recorded (a signal trampoline on a user stack, a patched function): compares
 * the n bytes around it, of which bytes[off] is the SUBST_ANY, with all recorded
 * sites.  -1 if none has the same neighbourhood, or several that differ.
 */
int codemap_identify(const struct codemap *map, const uint8_t *bytes, uint32_t n, uint32_t off);

/* Did the scan find that an instruction begins at gpa? */
bool codemap_boundary(const struct codemap *map, gpa_t gpa);

/* Original byte for the SUBST_ANY at guest-physical gpa, or -1. */
int codemap_original(const struct codemap *map, gpa_t gpa);

/*
 * subst_undo() for the instruction whose n bytes were read from gpa on, with the
 * catch-all looked up where it lies (behind prefixes, too).  Same results.
 */
int codemap_undo(const struct codemap *map, uint8_t *bytes, size_t n, gpa_t gpa);

/* Statistics for --stats and the tests. */
struct codemap_stats {
	uint64_t pages_scanned;		/* for the first time, or wholly */
	uint64_t pages_rescanned;	/* only where they had changed */
	uint64_t sites;			/* bytes substituted, ever */
	uint64_t bytes_decoded;
	uint64_t disputed;		/* sites left alone because Capstone saw something else */
	uint64_t unknown;		/* copied catch-alls that could not be identified */
};
const struct codemap_stats *codemap_stats(const struct codemap *map);

/*
 * Access to the guest's virtual memory around the page that is about to run:
 * returns the host pointer of the 4 KiB page at linear address page (its low
 * 12 bits zero) and its guest-physical address, or NULL if it is not mapped.
 */
typedef uint8_t *codemap_page_fn(void *ctx, gva_t page, gpa_t *gpa);

/* What is known of the page around an entry. */
enum codemap_trust {
	/* Kernel text: nearly all is code, and what is not entered yet may be later,
	 * without notice.  All of it is swept. */
	CODEMAP_TEXT,
	/* Anything, such as a boot loader's or decompressor's code beside compressed
	 * data, which must not change.  What direct branches and calls lead to, here and
	 * in other pages, is code; the rest is left alone until it is entered. */
	CODEMAP_MIXED,
};

/*
 * Makes the page at linear address page safe to run: scans it and patches it
 * in place.  entry is the linear address about to be executed in it, known to
 * be an instruction boundary.  Starts from the best known boundary: where the
 * scan of the page before ended, the start of the mapped region, or entry; and
 * makes sure that entry is a boundary of what it decoded.  Kernel text that is
 * data (tables in .text, the bytes after a Linux 2.4 BUG()) is left alone as
 * far as it can be told; see the implementation's head comment.
 *
 * Returns the number of sites patched by this call, -1 if memory runs out.  When the page was
 * scanned before and is unchanged, returns 0 quickly; when it changed, only
 * the changed parts are decoded again.  Sites that straddle the end of the
 * page are handled when the first byte lies in this page.
 *
 * A page that was scanned as CODEMAP_MIXED is swept when it comes as CODEMAP_TEXT.
 */
int codemap_scan(struct codemap *map, codemap_page_fn *get, void *ctx,
		 gva_t page, gva_t entry, enum codemap_trust trust);

/*
 * Scans [start, start+size) of a loaded image by linear disassembly, before
 * the guest runs: the executable section of an ELF file, whose start is an
 * instruction boundary.  mem points to the bytes in guest RAM (the whole pages
 * around them are read), gpa is where they lie, vaddr their linked address.
 * Returns the number of sites patched, -1 if memory runs out.
 */
int codemap_scan_section(struct codemap *map, uint8_t *mem, gpa_t gpa, gva_t vaddr,
			 uint32_t size);

/*
 * Puts the original bytes back into a copy of code that user mode will run or
 * that a debugger wants to see: undoes every stateless substitute and every
 * recorded catch-all in buf, which was read from [gpa, gpa+n).
 */
void codemap_restore(const struct codemap *map, uint8_t *buf, gpa_t gpa, uint32_t n);

/*
 * The n bytes at gpa, within one page and in memory at mem, are data, whatever the scan
 * thought: puts the original bytes back, and no instruction begins there until
 * one is about to run.
 */
void codemap_data(struct codemap *map, uint8_t *mem, gpa_t gpa, uint32_t n);

/* The page was freed or overwritten wholesale (DMA): forget what is known. */
void codemap_forget(struct codemap *map, gpa_t gpa, uint32_t n);

#endif
