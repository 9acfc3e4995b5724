/* SPDX-License-Identifier: BSD-2-Clause */
/* Disassembly text for dumps, traces and lists. */
#ifndef LILYVM_DISASM_H
#define LILYVM_DISASM_H

#include <stddef.h>
#include <stdint.h>

/*
 * Writes the 32-bit instruction at bytes (len readable, linear address addr)
 * as text in Intel syntax to out, cut to n bytes with its final NUL.  Returns
 * its length; bytes that are no instruction give ".byte 0xNN" and 1.  Returns
 * 0 with an empty text when len is 0.
 */
int disasm_text(char *out, size_t n, const uint8_t *bytes, size_t len, uint32_t addr);

#endif
