/* SPDX-License-Identifier: BSD-2-Clause */
/* The page of a guest's vdso through which user code enters by the gate (see gate.h). */
#define _GNU_SOURCE		/* memmem */
#include "monitor/machine.h"

#include <string.h>

/* A guest whose page changes more often than that goes without. */
#define CHANGES_MAX 8

/*
 * __kernel_vsyscall of Linux, and where in it the jump goes: all that can be returned
 * to, or restarted at, has to keep its bytes, that is the int 0x80 (or the jump there)
 * and what follows.
 */
static const struct form {
	uint8_t len, at;
	uint8_t code[20];
} forms[] = {
	/* push %ecx; push %edx; push %ebp; mov %esp,%ebp; sysenter; int $0x80; pops; ret */
	{ 13, 0, { 0x51, 0x52, 0x55, 0x89, 0xe5, 0x0f, 0x34, 0xcd, 0x80, 0x5d, 0x5a, 0x59,
		   0xc3 } },
	/* the same where int $0x80 is used */
	{ 13, 0, { 0x51, 0x52, 0x55, 0x90, 0x90, 0x90, 0x90, 0xcd, 0x80, 0x5d, 0x5a, 0x59,
		   0xc3 } },
	{ 13, 0, { 0x51, 0x52, 0x55, 0x8d, 0x74, 0x26, 0x00, 0xcd, 0x80, 0x5d, 0x5a, 0x59,
		   0xc3 } },
	/* 2.6 and 3: seven nops behind sysenter, then a jump to mov, or int $0x80 */
	{ 20, 3, { 0x51, 0x52, 0x55, 0x89, 0xe5, 0x0f, 0x34, 0x90, 0x90, 0x90, 0x90, 0x90,
		   0x90, 0x90, 0xeb, 0xf3, 0x5d, 0x5a, 0x59, 0xc3 } },
	{ 20, 3, { 0x51, 0x52, 0x55, 0x89, 0xe5, 0x0f, 0x34, 0x90, 0x90, 0x90, 0x90, 0x90,
		   0x90, 0x90, 0xcd, 0x80, 0x5d, 0x5a, 0x59, 0xc3 } },
};

unsigned gate_recognize(const uint8_t page[PAGE_SIZE])
{
	static const char name[] = "linux-gate.so.1";
	size_t i;

	if (memcmp(page, "\177ELF", 4) || !memmem(page, PAGE_SIZE, name, sizeof name))
		return 0;
	for (i = 0; i < sizeof forms / sizeof *forms; i++) {
		const uint8_t *code = memmem(page, PAGE_SIZE, forms[i].code, forms[i].len);

		if (code)
			return (unsigned)(code - page) + forms[i].at;
	}
	return 0;
}

static const uint8_t *frame_memory(struct vm *vm, uint32_t frame)
{
	return vm->ram.base + ((uint64_t)frame << PAGE_SHIFT);
}

/* A page that was written through a mapping of user's (a debugger's breakpoints lie in
 * such copies) is left alone: it may be written again. */
static bool recognize(struct view *v, uint32_t va, uint32_t frame)
{
	struct gate *g = &v->vm->gate;
	const uint8_t *memory = frame_memory(v->vm, frame);
	struct walk w;
	unsigned at;

	if (*memory != 0x7f || !(at = gate_recognize(memory)))
		return false;
	if (!mmu_probe(v->vm, GVA(va), &w) || (w.flags & PTE_D))
		return false;
	memcpy(g->page, memory, sizeof g->page);
	g->set = true;
	g->frame = frame;
	g->at = at;
	engine_gate_set(v->vm->engine, g->page, at);
	return true;
}

void gate_filled(struct view *v, uint32_t va, uint32_t e)
{
	struct gate *g = &v->vm->gate;

	if (!engine_has_gate(v->vm->engine) || v->vm->debug.on || g->changes > CHANGES_MAX)
		return;
	if (va == CHILD_GATE) {
		g->changes = CHANGES_MAX + 1;
		gate_drop(v->vm);
	} else if (!(e & (VE_W | VE_B | VE_N)) &&
		   (g->set ? e >> PAGE_SHIFT == g->frame : recognize(v, va, e >> PAGE_SHIFT))) {
		uspace_gate_map(v->us, va);
		v->gate = va;
	}
}

/* Does the view show the copy? */
static bool shown(const struct vm *vm, const struct view *v)
{
	uint32_t e = v->gate ? view_entry(v, v->gate) : 0;

	return vm->gate.set && (e & VE_P) && !(e & VE_W) && e >> PAGE_SHIFT == vm->gate.frame;
}

void gate_drop(struct vm *vm)
{
	struct child *ch;

	for (ch = vm->pool.first; ch; ch = ch->next) {
		if (shown(vm, &ch->view))
			view_drop_page(&ch->view, ch->view.gate);
		ch->view.gate = 0;
	}
	vm->gate.set = false;
}

void gate_verify(struct vm *vm)
{
	struct gate *g = &vm->gate;

	if (!g->set || !memcmp(g->page, frame_memory(vm, g->frame), sizeof g->page))
		return;
	g->changes++;
	gate_drop(vm);
}

bool gate_inside(struct vm *vm, const struct child *ch)
{
	uint32_t eip = vm->cpu.seg[S_CS].base + vm->cpu.eip;

	return ch->view.gate && eip - (ch->view.gate + vm->gate.at) - 1 < ENGINE_GATE_JUMP - 1 &&
	       shown(vm, &ch->view);
}

bool gate_came(struct vm *vm, const struct child *ch)
{
	if (!shown(vm, &ch->view))
		return false;
	vm->cpu.eip = ch->view.gate + vm->gate.at - vm->cpu.seg[S_CS].base;
	return true;
}
