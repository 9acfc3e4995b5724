/* SPDX-License-Identifier: BSD-2-Clause */
#include "rewriter/disasm.h"

#include <capstone/capstone.h>
#include <stdio.h>

int disasm_text(char *out, size_t n, const uint8_t *bytes, size_t len, uint32_t addr)
{
	csh cs;
	cs_insn *insn;
	int size;

	if (n)
		out[0] = 0;
	if (!len)
		return 0;
	snprintf(out, n, ".byte 0x%02x", bytes[0]);
	if (cs_open(CS_ARCH_X86, CS_MODE_32, &cs) != CS_ERR_OK)
		return 1;
	size = 1;
	if (cs_disasm(cs, bytes, len, addr, 1, &insn) == 1) {
		snprintf(out, n, "%s%s%s", insn->mnemonic, insn->op_str[0] ? " " : "",
			 insn->op_str);
		size = insn->size;
		cs_free(insn, 1);
	}
	cs_close(&cs);
	return size;
}
