/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * String instructions (SDM 1, 7.3.9).  Registers move on with each iteration,
 * so a fault or a pause leaves them as after the last whole one, and the
 * instruction can be carried on from there.
 */
#include "monitor/hostalu.h"
#include "monitor/interp_ops.h"

#include <string.h>

/*
 * Iterations after which an instruction pauses, as if an interrupt had
 * arrived: EIP stays, so the caller can look at what is pending.
 */
#define PAUSE_AFTER 4096

/* What one memory access of the interpreter moves at most. */
#define CHUNK 1024

static void advance(struct exec *x, unsigned reg, uint32_t bytes)
{
	uint32_t v = x->c->gpr[reg];

	reg_set(x->c, reg, x->in->adsize, x->c->eflags & FL_DF ? v - bytes : v + bytes);
}

static uint32_t offset(const struct exec *x, unsigned reg)
{
	return reg_get(x->c, reg, x->in->adsize);
}

/* Bytes that can be done at once from seg:reg upwards: to the end of the page and
 * of the 16-bit offsets. */
static uint32_t room(const struct exec *x, unsigned seg, unsigned reg)
{
	uint32_t off = offset(x, reg);
	uint32_t page = PAGE_SIZE - ((x->c->seg[seg].base + off) & ~PAGE_MASK);
	uint32_t wrap = x->in->adsize == 2 ? 0x10000 - off : page;

	return page < wrap ? page : wrap;
}

static uint32_t whole(uint32_t bytes, uint32_t room_left, unsigned size)
{
	if (bytes > room_left)
		bytes = room_left - room_left % size;
	return bytes < size ? size : bytes;
}

/* How much is left to do at once for count iterations; whole elements. */
static uint32_t chunk(const struct exec *x, uint32_t count)
{
	if (x->c->eflags & FL_DF)
		return x->size;
	return count < CHUNK / x->size ? count * x->size : CHUNK;
}

static bool stos(struct exec *x, uint32_t bytes)
{
	uint8_t buf[CHUNK];
	uint32_t i;

	for (i = 0; i < bytes; i += x->size)
		memcpy(buf + i, &x->c->gpr[R_EAX], x->size);
	return mem_write(x, S_ES, offset(x, R_EDI), buf, bytes);
}

static bool movs(struct exec *x, uint32_t bytes)
{
	uint8_t buf[CHUNK];

	return mem_read(x, x->in->seg, offset(x, R_ESI), buf, bytes, ACC_READ) &&
	       mem_write(x, S_ES, offset(x, R_EDI), buf, bytes);
}

/* A source that the same chunk would overwrite has to be read piece by piece. */
static uint32_t distance(const struct exec *x)
{
	uint32_t from = x->c->seg[x->in->seg].base + offset(x, R_ESI);
	uint32_t to = x->c->seg[S_ES].base + offset(x, R_EDI);

	return to - from;
}

/*
 * Up to count iterations of movs or stos; how many were done, 0 after a fault.
 * A chunk that fails, at a segment limit, is tried again as a single element.
 */
static uint32_t move_some(struct exec *x, uint32_t count)
{
	bool (*move)(struct exec *, uint32_t) = x->in->opcode >= 0xaa ? stos : movs;
	uint32_t bytes = whole(chunk(x, count), room(x, S_ES, R_EDI), x->size);

	if (move == movs) {
		bytes = whole(bytes, room(x, x->in->seg, R_ESI), x->size);
		bytes = whole(bytes, distance(x), x->size);
	}
	if (!move(x, bytes)) {
		if (bytes == x->size)
			return 0;
		bytes = x->size;
		if (!move(x, bytes))
			return 0;
	}
	if (move == movs)
		advance(x, R_ESI, bytes);
	advance(x, R_EDI, bytes);
	return bytes / x->size;
}

static bool lods(struct exec *x)
{
	uint32_t v = 0;

	if (!mem_read(x, x->in->seg, offset(x, R_ESI), &v, x->size, ACC_READ))
		return false;
	reg_set(x->c, R_EAX, x->size, v);
	advance(x, R_ESI, x->size);
	return true;
}

/* cmps compares the source with ES:EDI, scas the accumulator. CPUs read ES:EDI first. */
static bool compare(struct exec *x)
{
	bool cmps = x->in->opcode < 0xaa;
	uint32_t a = x->c->gpr[R_EAX], b = 0;

	if (!mem_read(x, S_ES, offset(x, R_EDI), &b, x->size, ACC_READ))
		return false;
	if (cmps && !mem_read(x, x->in->seg, offset(x, R_ESI), &a, x->size, ACC_READ))
		return false;
	x->c->eflags = alu_sub(a, b, x->size, x->c->eflags).fl;
	if (cmps)
		advance(x, R_ESI, x->size);
	advance(x, R_EDI, x->size);
	return true;
}

static bool is_compare(const struct exec *x)
{
	return (x->in->opcode & 6) == 6;
}

static uint32_t some(struct exec *x, uint32_t count)
{
	if (is_compare(x))
		return compare(x);
	if ((x->in->opcode & 0xfe) == 0xac)
		return lods(x);
	return move_some(x, count);
}

/* repe goes on while ZF is set, repne while it is clear. */
static bool ends(const struct exec *x)
{
	return is_compare(x) && !(x->c->eflags & FL_ZF) != !(x->in->prefix & IP_REP);
}

OP_FN(op_string)
{
	struct vcpu *c = x->c;
	uint32_t flags = c->eflags, done;
	uint32_t left = offset(x, R_ECX);
	/* A single-step trap comes after each iteration. */
	uint32_t budget = (flags & FL_TF) || c->single ? 1 : PAUSE_AFTER;

	if (!(x->in->prefix & (IP_REP | IP_REPNE)))
		return some(x, 1);
	while (left && budget) {
		done = some(x, left < budget ? left : budget);
		if (!done) {
			/* A fault restores the flags (SDM 2, REP), not the registers. */
			c->eflags = flags;
			return false;
		}
		left -= done;
		budget -= done;
		reg_set(c, R_ECX, x->in->adsize, left);
		if (ends(x))
			return true;
	}
	if (left)
		x->next = c->eip;
	return true;
}
