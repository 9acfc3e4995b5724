/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The monitor's access to guest memory, through its own view of RAM and a
 * software TLB.  The TLB obeys the guest's flushes as a real one does.
 */
#include "monitor/machine.h"

#include <string.h>

/* Tag: page number | rights that were checked; never 0 for a valid entry. */
#define TAG_VALID 0x800u

void *gmem_ram(struct vm *vm, gpa_t gpa, uint64_t n)
{
	if (gpa.v >= vm->ram.size || n > vm->ram.size - gpa.v)
		return NULL;
	return vm->ram.base + gpa.v;
}

void gmem_flush(struct vm *vm)
{
	vm->fetch.page = NO_FETCH_PAGE;
	if (!++vm->tlb.generation) {
		memset(vm->tlb.entry, 0, sizeof vm->tlb.entry);
		vm->tlb.generation = 1;
	}
}

static struct tlb_entry *tlb_slot(struct vm *vm, uint32_t page, uint32_t how)
{
	uint32_t h = (page >> PAGE_SHIFT) ^ (page >> (PAGE_SHIFT + 9)) ^ (how << 3);

	return &vm->tlb.entry[h % TLB_SIZE];
}

void gmem_flush_page(struct vm *vm, gva_t a)
{
	static const uint32_t hows[] = { 0, ACC_WRITE, ACC_EXEC, ACC_USER, ACC_USER | ACC_WRITE,
					 ACC_USER | ACC_EXEC };
	size_t i;

	vm->fetch.page = NO_FETCH_PAGE;
	for (i = 0; i < sizeof hows / sizeof *hows; i++) {
		struct tlb_entry *t = tlb_slot(vm, a.v & PAGE_MASK, hows[i]);

		if ((t->tag & PAGE_MASK) == (a.v & PAGE_MASK))
			t->tag = 0;
	}
}

/* The page of a, or NULL: with f->vector VEC_NONE if it holds no RAM, and lies at *gpa. */
static uint8_t *page_of(struct vm *vm, gva_t a, uint32_t how, gpa_t *gpa, struct fault *f)
{
	uint32_t page = a.v & PAGE_MASK;
	struct tlb_entry *t;
	struct walk w;
	bool own;
	uint8_t *p;

	how &= ACC_WRITE | ACC_USER | ACC_EXEC;
	t = tlb_slot(vm, page, how);
	if (t->tag == (page | TAG_VALID | how) && t->generation == vm->tlb.generation)
		return t->page;
	f->vector = VEC_NONE;
	/* Rewritten code may read the virtual-CPU page with any instruction, and use the
	 * state of what it has linked. */
	own = (vm->rt.abi && !how && page == RT_VCPU) ||
	      (!(how & (ACC_USER | ACC_EXEC)) && runtime_linked(&vm->rt, page));
	if (!mmu_translate(vm, a, how, &w, f))
		return own ? runtime_at(vm, page) : NULL;
	p = gmem_ram(vm, w.pa, PAGE_SIZE);
	*gpa = w.pa;
	if (!p)
		return own ? runtime_at(vm, page) : NULL;
	if (how & ACC_WRITE) {
		struct frame *fr = &vm->frames[w.pa.v >> PAGE_SHIFT];

		/* Code that the monitor writes for the guest is data again. */
		if (fr->code)
			view_make_writable(vm, w.pa.v >> PAGE_SHIFT);
	}
	t->tag = page | TAG_VALID | how;
	t->generation = vm->tlb.generation;
	t->page = p;
	return p;
}

/* Devices see naturally aligned accesses of 1, 2 or 4 bytes. */
static uint32_t bus_size(uint64_t gpa, uint32_t n)
{
	uint32_t size = 4;

	while (size > n || (gpa & (size - 1)))
		size /= 2;
	return size;
}

static void device_read(struct vm *vm, gpa_t gpa, uint8_t *buf, uint32_t n)
{
	while (n) {
		uint32_t size = bus_size(gpa.v, n), v = platform_memory_in(vm, gpa, size);

		memcpy(buf, &v, size);
		buf += size;
		gpa.v += size;
		n -= size;
	}
}

static void device_write(struct vm *vm, gpa_t gpa, const uint8_t *buf, uint32_t n)
{
	while (n) {
		uint32_t size = bus_size(gpa.v, n), v = 0;

		memcpy(&v, buf, size);
		platform_memory_out(vm, gpa, size, v);
		buf += size;
		gpa.v += size;
		n -= size;
	}
}

bool gmem_read(struct vm *vm, gva_t a, void *buf, uint32_t n, uint32_t how, struct fault *f)
{
	uint8_t *out = buf;

	if (__builtin_expect(vm->debug.watches, 0) && !(how & ACC_EXEC))
		debug_access(vm, a.v, n, false);
	while (n) {
		uint32_t at = a.v & ~PAGE_MASK, room = PAGE_SIZE - at;
		uint32_t len = n < room ? n : room;
		gpa_t gpa;
		uint8_t *p = page_of(vm, a, how, &gpa, f);

		if (p)
			memcpy(out, p + at, len);
		else if (f->vector != VEC_NONE)
			return false;
		else if (how & ACC_EXEC)	/* devices hold no code */
			memset(out, 0xff, len);
		else
			device_read(vm, GPA(gpa.v + at), out, len);
		out += len;
		a.v += len;
		n -= len;
	}
	return true;
}

bool gmem_write(struct vm *vm, gva_t a, const void *buf, uint32_t n, uint32_t how, struct fault *f)
{
	uint32_t at = a.v & ~PAGE_MASK, room = PAGE_SIZE - at;
	uint32_t first = n < room ? n : room;
	gpa_t gpa, next;
	uint8_t *p = page_of(vm, a, how | ACC_WRITE, &gpa, f), *q = NULL;

	if (!p && f->vector != VEC_NONE)
		return false;
	/* Both pages are checked before either is written. */
	if (first < n) {
		q = page_of(vm, GVA(a.v + first), how | ACC_WRITE, &next, f);
		if (!q && f->vector != VEC_NONE)
			return false;
	}
	if (__builtin_expect(vm->debug.watches, 0))
		debug_access(vm, a.v, n, true);
	if (p)
		memcpy(p + at, buf, first);
	else
		device_write(vm, GPA(gpa.v + at), buf, first);
	if (q)
		memcpy(q, (const uint8_t *)buf + first, n - first);
	else if (first < n)
		device_write(vm, next, (const uint8_t *)buf + first, n - first);
	return true;
}
