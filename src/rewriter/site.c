/* SPDX-License-Identifier: BSD-2-Clause */
/* The forms of runtime/abi.h, read back; see site.h. */
#include "rewriter/site.h"
#include "runtime/abi.h"

#include <string.h>

#define CALL_LEN 6u		/* call *SLOT */
#define NOPL_LEN 4u		/* nopl LEN(%eax) */
#define PUSHW_LEN 7u		/* pushw RT_SEL(sreg) */
#define NO_SLOT 0xffffffffu

static uint32_t word(const uint8_t *b)
{
	uint32_t v;

	memcpy(&v, b, 4);
	return v;
}

/* The n-th word of a table of them at addr, or -1. */
static int index_of(uint32_t addr, uint32_t table, unsigned count)
{
	return (addr - table) % 4 == 0 && (addr - table) / 4 < count ? (int)((addr - table) / 4)
								     : -1;
}

/* call *SLOT at b: the slot, or NO_SLOT. */
static uint32_t slot_at(const uint8_t *b, size_t n)
{
	int slot;

	if (n < CALL_LEN || b[0] != 0xff || b[1] != 0x15)
		return NO_SLOT;
	slot = index_of(word(b + 2), RT_TABLE, RT_SLOTS);
	return slot < 0 ? NO_SLOT : (uint32_t)slot;
}

/* The instruction b of n bytes, standing at a site of len bytes. */
static int stands_for(struct insn *insn, const uint8_t *b, size_t n, unsigned len)
{
	if (insn_decode(insn, b, n, 32) <= 0)
		return 0;
	insn->len = (uint8_t)len;
	insn->site = SITE_FAST;
	return (int)len;
}

#define STANDS_FOR(insn, len, ...) \
	stands_for(insn, (const uint8_t[]){ __VA_ARGS__ }, sizeof((uint8_t[]){ __VA_ARGS__ }), len)

static int flag_site(struct insn *insn, const uint8_t *b, size_t n)
{
	const unsigned len = 10;

	if (n < len)
		return n >= 6 && word(b + 2) != RT_IF ? 0 : -1;
	if (word(b + 2) != RT_IF)
		return 0;
	if (word(b + 6) == RT_IF_SET)
		return STANDS_FOR(insn, len, 0xfb);
	return word(b + 6) == RT_IF_CLEAR ? STANDS_FOR(insn, len, 0xfa) : 0;
}

/* Encodings of push and pop of a segment register. */
static const uint8_t push_sreg[S_COUNT][2] = {
	{ 0x06 }, { 0x0e }, { 0x16 }, { 0x1e }, { 0x0f, 0xa0 }, { 0x0f, 0xa8 },
};
static const uint8_t pop_sreg[S_COUNT][2] = {
	{ 0x07 }, { 0 }, { 0x17 }, { 0x1f }, { 0x0f, 0xa1 }, { 0x0f, 0xa9 },
};

/* The second half of a load from memory, or a pop. */
static int pop_site(struct insn *insn, unsigned sreg, unsigned len)
{
	if (sreg >= S_COUNT || !pop_sreg[sreg][0])
		return 0;
	return stands_for(insn, pop_sreg[sreg], 1 + (pop_sreg[sreg][0] == 0x0f), len);
}

static int emulate_site(struct insn *insn, const uint8_t *b, size_t n)
{
	int len = insn_decode(insn, b + CALL_LEN, n - CALL_LEN, 32);

	if (len <= 0)
		return len;
	insn->len = (uint8_t)(CALL_LEN + (unsigned)len);
	insn->site = SITE_EMULATE;
	return insn->len;
}

static int call_site(struct insn *insn, const uint8_t *b, size_t n)
{
	uint32_t slot = slot_at(b, n);

	if (slot == NO_SLOT)
		return 0;
	switch (slot) {
	case RT_EMULATE: return emulate_site(insn, b, n);
	case RT_PUSHF: return STANDS_FOR(insn, CALL_LEN, 0x9c);
	case RT_POPF: return STANDS_FOR(insn, CALL_LEN, 0x9d);
	case RT_IRET: return STANDS_FOR(insn, CALL_LEN, 0xcf);
	}
	if (slot < RT_LOAD(0))
		return pop_site(insn, slot - RT_POP(0), CALL_LEN);
	if (slot < RT_MOV(0, 0))
		return pop_site(insn, slot - RT_LOAD(0), CALL_LEN + NOPL_LEN);
	slot -= RT_MOV(0, 0);
	return STANDS_FOR(insn, CALL_LEN, 0x8e, (uint8_t)(0xc0 | slot));
}

static bool is_load(uint32_t slot)
{
	return slot != NO_SLOT && slot >= RT_LOAD(0) && slot < RT_LOAD(S_COUNT);
}

/* pushl mem; call *LOAD; nopl */
static int load_site(struct insn *insn, const uint8_t *b, size_t n)
{
	uint8_t mov[16];
	uint32_t slot;
	int len = insn_decode(insn, b, n, 32);

	if (len <= 0 || insn->opcode != 0xff || insn->reg != 6 || !insn->has_mem)
		return 0;
	slot = slot_at(b + len, n - (unsigned)len);
	if (slot == NO_SLOT)
		return n < (unsigned)len + CALL_LEN ? -1 : 0;
	if (!is_load(slot))
		return 0;
	memcpy(mov, b, (unsigned)len);
	mov[insn->opoff] = 0x8e;
	mov[insn->opoff + 1] = (uint8_t)((mov[insn->opoff + 1] & 0xc7) | (slot - RT_LOAD(0)) << 3);
	return stands_for(insn, mov, (unsigned)len, (unsigned)len + CALL_LEN + NOPL_LEN);
}

static int push_site(struct insn *insn, const uint8_t *b, size_t n)
{
	int sreg = n >= 6 && b[1] == 0x35 ? index_of(word(b + 2), RT_SEL(0), S_COUNT) : -1;

	if (sreg < 0)
		return load_site(insn, b, n);
	return stands_for(insn, push_sreg[sreg], 1 + (push_sreg[sreg][0] == 0x0f), 6);
}

/* pushw RT_SEL(sreg) at b: the number of the register, or -1. */
static int pushw_at(const uint8_t *b, size_t n)
{
	if (n < PUSHW_LEN || b[0] != 0x66 || b[1] != 0xff || b[2] != 0x35)
		return -1;
	return index_of(word(b + 3), RT_SEL(0), S_COUNT);
}

/* popw mem at b: its length; 0, or -1 as insn_decode(). */
static int popw_at(struct insn *insn, const uint8_t *b, size_t n)
{
	int len = insn_decode(insn, b, n, 32);

	if (len <= 0)
		return len;
	return insn->opcode == 0x8f && insn->reg == 0 && insn->opsize == 2 && insn->has_mem ? len
											     : 0;
}

/* pushw RT_SEL; popw mem */
static int store_site(struct insn *insn, const uint8_t *b, size_t n)
{
	int sreg = pushw_at(b, n), len;
	uint8_t mov[16];

	if (sreg < 0)
		return 0;
	len = popw_at(insn, b + PUSHW_LEN, n - PUSHW_LEN);
	if (len <= 0)
		return len;
	memcpy(mov, b + PUSHW_LEN, (unsigned)len);
	mov[insn->opoff] = 0x8c;
	mov[insn->opoff + 1] = (uint8_t)((mov[insn->opoff + 1] & 0xc7) | sreg << 3);
	return stands_for(insn, mov, (unsigned)len, (unsigned)len + PUSHW_LEN);
}

/* mov from a word of the virtual-CPU page to a register. */
static int read_site(struct insn *insn, const uint8_t *b, size_t n, bool word16)
{
	unsigned at = word16, reg, len;
	uint32_t addr;
	int i;

	len = at + (b[at] == 0xa1 ? 5 : 6);
	if (n < len)
		return 0;
	if (b[at] != 0xa1 && (b[at + 1] & 0xc7) != 5)
		return 0;
	reg = b[at] == 0xa1 ? R_EAX : b[at + 1] >> 3;
	addr = word(b + len - 4);
	i = index_of(addr, RT_SEL(0), S_COUNT);
	if (i >= 0 && word16)
		return STANDS_FOR(insn, len, 0x66, 0x8c, (uint8_t)(0xc0 | i << 3 | reg));
	if (i >= 0)
		return STANDS_FOR(insn, len, 0x8c, (uint8_t)(0xc0 | i << 3 | reg));
	i = index_of(addr, RT_CR(0), 5);
	if (i < 0 || i == 1 || word16)
		return 0;
	return STANDS_FOR(insn, len, 0x0f, 0x20, (uint8_t)(0xc0 | i << 3 | reg));
}

int site_decode(struct insn *insn, const uint8_t *bytes, size_t n)
{
	int len = 0;

	if (n < 2)
		return 0;
	switch (bytes[0]) {
	case 0xc7:
		return bytes[1] == 5 ? flag_site(insn, bytes, n) : 0;
	case 0xff:
		return bytes[1] == 0x15 ? call_site(insn, bytes, n) : push_site(insn, bytes, n);
	case 0xa1: case 0x8b:
		return read_site(insn, bytes, n, false);
	case 0x66:
		if (bytes[1] == 0xa1 || bytes[1] == 0x8b)
			return read_site(insn, bytes, n, true);
		len = store_site(insn, bytes, n);
		return len ? len : load_site(insn, bytes, n);
	case 0x26: case 0x2e: case 0x36: case 0x3e: case 0x64: case 0x65: case 0x67:
		return load_site(insn, bytes, n);
	default:
		return 0;
	}
}

int site_insn(struct insn *insn, const uint8_t *bytes, size_t n)
{
	int len;

	if (slot_at(bytes, n) != RT_EMULATE)
		return insn_decode(insn, bytes, n, 32);
	len = emulate_site(insn, bytes, n);
	if (len > 0) {
		insn->kind = IK_NONE;
		insn->cls = IC_HARMLESS;
	}
	return len;
}

/* The call of LOAD: its nopl tells the length of the pushl before. */
static bool load_middle(const uint8_t *b, size_t at, size_t n, struct site_middle *m)
{
	const uint8_t *nopl = b + at + CALL_LEN;
	struct insn insn;

	if (!is_load(slot_at(b + at, n - at)) || n - at < CALL_LEN + NOPL_LEN ||
	    memcmp(nopl, "\x0f\x1f\x40", 3) || nopl[3] > at)
		return false;
	if (load_site(&insn, b + at - nopl[3], n - at + nopl[3]) !=
	    (int)(nopl[3] + CALL_LEN + NOPL_LEN))
		return false;
	*m = (struct site_middle){ (int8_t)nopl[3], 4 };
	return true;
}

bool site_middle(const uint8_t *bytes, size_t at, size_t n, struct site_middle *m)
{
	struct insn insn;

	if (load_middle(bytes, at, n, m))
		return true;
	if (at >= CALL_LEN && is_load(slot_at(bytes + at - CALL_LEN, CALL_LEN))) {
		*m = (struct site_middle){ -(int)NOPL_LEN, 0 };
		return true;
	}
	if (at < PUSHW_LEN || pushw_at(bytes + at - PUSHW_LEN, PUSHW_LEN) < 0 ||
	    popw_at(&insn, bytes + at, n - at) <= 0)
		return false;
	*m = (struct site_middle){ PUSHW_LEN, 2 };
	return true;
}
