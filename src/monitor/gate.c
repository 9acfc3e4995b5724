/* SPDX-License-Identifier: BSD-2-Clause */
/* The page of a guest's vdso through which user code enters by the gate (see gate.h). */
#define _GNU_SOURCE		/* memmem */
#include "monitor/machine.h"

#include <string.h>

/* A guest whose page changes more often than that goes without. */
#define CHANGES_MAX 8

/*
 * __kernel_vsyscall of Linux, and where in it the far jump goes: all that can be returned
 * to, or restarted at, has to keep its bytes, that is the int 0x80 (or the jump there)
 * and what follows.  Better, if there is room behind the routine: a short jump there in
 * place of two bytes only, so that user code does the rest itself.
 */
static const struct form {
	uint8_t len, at, brief;
	uint8_t code[20];
} forms[] = {
	/* push %ecx; push %edx; push %ebp; mov %esp,%ebp; sysenter; int $0x80; pops; ret */
	{ 13, 0, 5, { 0x51, 0x52, 0x55, 0x89, 0xe5, 0x0f, 0x34, 0xcd, 0x80, 0x5d, 0x5a, 0x59,
		      0xc3 } },
	/* the same where int $0x80 is used */
	{ 13, 0, 5, { 0x51, 0x52, 0x55, 0x90, 0x90, 0x90, 0x90, 0xcd, 0x80, 0x5d, 0x5a, 0x59,
		      0xc3 } },
	{ 13, 0, 3, { 0x51, 0x52, 0x55, 0x8d, 0x74, 0x26, 0x00, 0xcd, 0x80, 0x5d, 0x5a, 0x59,
		      0xc3 } },
	/* 2.6 and 3: seven nops behind sysenter, then a jump to mov, or int $0x80 */
	{ 20, 5, 0, { 0x51, 0x52, 0x55, 0x89, 0xe5, 0x0f, 0x34, 0x90, 0x90, 0x90, 0x90, 0x90,
		      0x90, 0x90, 0xeb, 0xf3, 0x5d, 0x5a, 0x59, 0xc3 } },
	{ 20, 5, 0, { 0x51, 0x52, 0x55, 0x89, 0xe5, 0x0f, 0x34, 0x90, 0x90, 0x90, 0x90, 0x90,
		      0x90, 0x90, 0xcd, 0x80, 0x5d, 0x5a, 0x59, 0xc3 } },
};

/* What assemblers fill gaps with. */
static const struct {
	uint8_t len, code[7];
} fillings[] = {
	{ 1, { 0x90 } },
	{ 2, { 0x66, 0x90 } },
	{ 3, { 0x8d, 0x76, 0x00 } },
	{ 4, { 0x8d, 0x74, 0x26, 0x00 } },
	{ 6, { 0x8d, 0xb6, 0x00, 0x00, 0x00, 0x00 } },
	{ 7, { 0x8d, 0xb4, 0x26, 0x00, 0x00, 0x00, 0x00 } },
};

static unsigned filling(const uint8_t *code, size_t room)
{
	size_t i;

	for (i = 0; i < sizeof fillings / sizeof *fillings; i++)
		if (fillings[i].len <= room && !memcmp(code, fillings[i].code, fillings[i].len))
			return fillings[i].len;
	return 0;
}

/* Is there room for the far jump in front of what comes next? */
static bool room_at(const uint8_t *page, unsigned at)
{
	unsigned end = at, n;

	while (end < at + ENGINE_GATE_JUMP && end < PAGE_SIZE &&
	       (n = filling(page + end, PAGE_SIZE - end)))
		end += n;
	return end >= at + ENGINE_GATE_JUMP;
}

bool gate_recognize(const uint8_t page[PAGE_SIZE], struct gate_place *p)
{
	static const char name[] = "linux-gate.so.1";
	const uint8_t *code;
	const struct form *f;
	unsigned start;

	if (memcmp(page, "\177ELF", 4) || !memmem(page, PAGE_SIZE, name, sizeof name))
		return false;
	for (f = forms; f < forms + sizeof forms / sizeof *forms; f++) {
		code = memmem(page, PAGE_SIZE, f->code, f->len);
		if (!code)
			continue;
		start = code - page;
		p->brief = f->brief && room_at(page, start + f->len);
		p->entry = start + (p->brief ? f->brief : f->at);
		p->at = p->brief ? start + f->len : p->entry;
		return true;
	}
	return false;
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
	uint8_t copy[PAGE_SIZE];
	struct walk w;

	if (*memory != 0x7f || !gate_recognize(memory, &g->place))
		return false;
	if (!mmu_probe(v->vm, GVA(va), &w) || (w.flags & PTE_D))
		return false;
	memcpy(g->page, memory, sizeof g->page);
	g->set = true;
	g->frame = frame;
	memcpy(copy, memory, sizeof copy);
	if (g->place.brief) {
		copy[g->place.entry] = 0xeb;		/* jmp */
		copy[g->place.entry + 1] = g->place.at - (g->place.entry + 2);
	}
	engine_gate_set(v->vm->engine, copy, g->place.at);
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
	const struct gate_place *p = &vm->gate.place;
	uint32_t eip = vm->cpu.seg[S_CS].base + vm->cpu.eip - ch->view.gate;

	if (!ch->view.gate || eip - p->entry >= PAGE_SIZE - p->entry || !shown(vm, &ch->view))
		return false;
	if (!p->brief)
		return eip - p->entry - 1 < ENGINE_GATE_JUMP - 1;
	/* A single step does not end between the two jumps. */
	return eip == p->entry + 1 || eip - p->at < ENGINE_GATE_JUMP ||
	       (eip == p->entry && vm->cpu.eflags & FL_TF);
}

void gate_stopped(struct vm *vm, const struct child *ch)
{
	const struct gate_place *p = &vm->gate.place;
	uint32_t base = ch->view.gate - vm->cpu.seg[S_CS].base;

	if (p->brief && ch->view.gate && vm->cpu.eip == base + p->at && shown(vm, &ch->view))
		vm->cpu.eip = base + p->entry;
}

bool gate_came(struct vm *vm, const struct child *ch)
{
	if (!shown(vm, &ch->view))
		return false;
	vm->cpu.eip = ch->view.gate + vm->gate.place.entry - vm->cpu.seg[S_CS].base;
	return true;
}
