/* SPDX-License-Identifier: BSD-2-Clause */
/* Views of guest memory: which host calls a change of the guest's tables makes. */
#include "machine.h"

#define VA 0x40000000u
#define PA 0x00500000u
#define LEAF (PTE_P | PTE_W | PTE_A | PTE_D)

static struct vm *vm;

static void setup(void)
{
	vm = machine_new();
	machine_paging(vm);
}

static void teardown(void)
{
	machine_free(vm);
}

static void map(unsigned page, uint32_t pa, uint32_t flags)
{
	machine_map(vm, vm->cpu.cr3, VA + page * PAGE_SIZE, pa, flags);
}

static void map_run(unsigned first, unsigned n, uint32_t flags)
{
	unsigned i;

	for (i = first; i < first + n; i++)
		map(i, PA + i * PAGE_SIZE, flags);
}

/* A fault at va, answered. */
static bool fill(struct view *v, uint32_t va, uint32_t how)
{
	struct fault f;
	struct walk w;

	ck_assert(mmu_translate(vm, GVA(va), how, &w, &f));
	return view_fill(v, va, &w);
}

static void kernel_fill(unsigned page, uint32_t how)
{
	ck_assert(fill(&vm->kview, VA + page * PAGE_SIZE, how));
}

static unsigned rights(unsigned page)
{
	return fake_page(0, VA + page * PAGE_SIZE) & 7;
}

/* ---- filling ---- */

START_TEST(contiguous_neighbours_are_one_call)
{
	map_run(0, 8, LEAF);
	kernel_fill(3, ACC_READ);
	ck_assert_str_eq(machine_calls(), "map 0 40000000+8000 at 500000 rw\n");
	ck_assert_uint_eq(vm->kview.pages, 8);
	ck_assert_uint_eq(view_entry(&vm->kview, VA + 0x7123), (PA + 0x7000) | VE_P | VE_W);
	ck_assert_uint_eq(view_entry(&vm->kview, VA + 0x8000), 0);
}
END_TEST

START_TEST(unused_neighbours_are_left)
{
	map_run(0, 8, LEAF);
	map(2, PA + 0x2000, LEAF & ~PTE_A);
	kernel_fill(4, ACC_READ);
	ck_assert_str_eq(machine_calls(), "map 0 40003000+5000 at 503000 rw\n");
}
END_TEST

/* Another frame, other rights, global or not: another mapping. */
static const struct { uint32_t pa, flags; } breaks[] = {
	{ PA + 0x9000, LEAF },
	{ PA + 0x3000, LEAF & ~PTE_W },
	{ PA + 0x3000, LEAF & ~PTE_D },
	{ PA + 0x3000, LEAF | PTE_G },
	{ PA + 0x3000, LEAF | PTE_U },
	{ PA + 0x3000, LEAF & ~PTE_P },
	{ RAM_SIZE, LEAF },
};

START_TEST(what_ends_a_run)
{
	map_run(0, 8, LEAF);
	map(3, breaks[_i].pa, breaks[_i].flags);
	kernel_fill(1, ACC_READ);
	kernel_fill(5, ACC_READ);
	ck_assert_str_eq(machine_calls(), "map 0 40000000+3000 at 500000 rw\n"
					  "map 0 40004000+4000 at 504000 rw\n");
}
END_TEST

START_TEST(mapped_neighbours_are_not_mapped_again)
{
	map_run(2, 1, LEAF);
	kernel_fill(2, ACC_READ);
	map_run(0, 8, LEAF);
	machine_forget();
	kernel_fill(1, ACC_READ);
	ck_assert_str_eq(machine_calls(), "map 0 40000000+2000 at 500000 rw\n");
}
END_TEST

/* The first write to a page must be seen, to set its D bit. */
START_TEST(clean_page_is_read_only)
{
	map_run(0, 1, LEAF & ~PTE_D);
	kernel_fill(0, ACC_READ);
	ck_assert_str_eq(machine_calls(), "map 0 40000000+1000 at 500000 r\n");
	machine_forget();
	kernel_fill(0, ACC_WRITE);
	ck_assert_str_eq(machine_calls(), "map 0 40000000+1000 at 500000 rw\n");
	ck_assert_uint_eq(vm->kview.pages, 1);
}
END_TEST

/* CR0.WP clear: the kernel writes to read-only pages. */
START_TEST(write_protection_off)
{
	map_run(0, 1, LEAF & ~PTE_W);
	vm->cpu.cr0 &= ~CR0_WP;
	kernel_fill(0, ACC_WRITE);
	ck_assert_str_eq(machine_calls(), "map 0 40000000+1000 at 500000 rw\n");
	machine_forget();
	ck_assert(cpu_set_cr0(vm, vm->cpu.cr0 | CR0_WP));
	ck_assert_str_eq(machine_calls(), "protect 0 40000000+1000 r\n");
}
END_TEST

START_TEST(lowest_address)
{
	ck_assert(fill(&vm->kview, 0x20000, ACC_READ));
	ck_assert_str_eq(machine_calls(), "map 0 00010000+30000 at 10000 rw\n");
	ck_assert(!fill(&vm->kview, 0xf000, ACC_READ));
}
END_TEST

START_TEST(ends_of_a_table)
{
	uint32_t i;

	/* The last pages of one table and the first of the next. */
	for (i = 0; i < 4; i++)
		machine_map(vm, vm->cpu.cr3, 0x403fe000 + i * PAGE_SIZE, PA + i * PAGE_SIZE, LEAF);
	ck_assert(fill(&vm->kview, 0x403ff000, ACC_READ));
	ck_assert(fill(&vm->kview, 0x40400000, ACC_READ));
	ck_assert_str_eq(machine_calls(), "map 0 403fe000+2000 at 500000 rw\n"
					  "map 0 40400000+2000 at 502000 rw\n");
}
END_TEST

START_TEST(end_of_the_address_space)
{
	struct uspace *us = uspace_create(vm->engine);
	struct view v;

	view_init(&v, vm, us);
	machine_map(vm, vm->cpu.cr3, 0xfffff000, PA, LEAF | PTE_U);
	machine_map(vm, vm->cpu.cr3, 0xfffff000 - PAGE_SIZE, PA + 0x8000, LEAF | PTE_U);
	ck_assert(fill(&vm->kview, 0xfffff123, ACC_READ));
	ck_assert(fill(&v, 0xfffff123, ACC_USER));
	ck_assert_str_eq(machine_calls(), "map 0 fffff000+1000 at 500000 rw\n"
					  "map 1 fffff000+1000 at 500000 rwx\n"
					  "map 1 ffffe000+1000 at 508000 rwx\n");
	machine_forget();
	machine_map(vm, vm->cpu.cr3, 0xfffff000, 0, 0);
	view_repair(&v, true);
	ck_assert_str_eq(machine_calls(), "unmap 1 fffff000+1000\n");
	view_free(&v);
	uspace_destroy(us);
}
END_TEST

START_TEST(no_ram_there)
{
	map(0, 0xfee00000, LEAF);
	ck_assert(!fill(&vm->kview, VA, ACC_READ));
	ck_assert_str_eq(machine_calls(), "");
}
END_TEST

START_TEST(host_refuses)
{
	map_run(0, 4, LEAF);
	fake_host()->map_error = 12;
	ck_assert(!fill(&vm->kview, VA, ACC_READ));
	ck_assert_uint_eq(vm->kview.pages, 0);
	ck_assert_uint_eq(view_entry(&vm->kview, VA), 0);
}
END_TEST

/* All neighbours of a child's page go into one batch; user code runs anywhere;
 * what is the kernel's stays out. */
START_TEST(child_fill)
{
	struct uspace *us = uspace_create(vm->engine);
	struct view v;

	view_init(&v, vm, us);
	map_run(0, 3, LEAF | PTE_U);
	map(4, PA + 0x8000, LEAF | PTE_U);
	map(5, PA + 0x9000, LEAF);
	map(31, PA + 0xa000, (LEAF | PTE_U) & ~PTE_D);
	map(32, PA + 0xb000, LEAF | PTE_U);
	ck_assert(fill(&v, VA + 0x1000, ACC_USER));
	ck_assert_str_eq(machine_calls(), "map 1 40000000+3000 at 500000 rwx\n"
					  "map 1 40004000+1000 at 508000 rwx\n"
					  "map 1 4001f000+1000 at 50a000 rx\n");
	view_free(&v);
	uspace_destroy(us);
}
END_TEST

/* ---- code ---- */

static void make_exec(unsigned page)
{
	uint32_t va = VA + page * PAGE_SIZE;

	view_make_exec(&vm->kview, va, view_entry(&vm->kview, va) >> PAGE_SHIFT);
}

START_TEST(code_is_not_writable)
{
	map_run(0, 2, LEAF);
	kernel_fill(0, ACC_READ);
	make_exec(0);
	ck_assert_uint_eq(rights(0), HP_R | HP_X);
	ck_assert_uint_eq(rights(1), HP_R | HP_W);
	ck_assert(vm->frames[PA >> PAGE_SHIFT].code);
	/* Seen again as data, at a new address: not writable there. */
	map(8, PA, LEAF);
	kernel_fill(8, ACC_READ);
	ck_assert_uint_eq(rights(8), HP_R);
}
END_TEST

/* However many views of a frame there are, none stays writable. */
START_TEST(aliases_lose_write_access)
{
	unsigned i, n = _i;

	for (i = 0; i < n; i++) {
		map(2 * i, PA, LEAF);
		kernel_fill(2 * i, ACC_WRITE);
		ck_assert_uint_eq(rights(2 * i), HP_R | HP_W);
	}
	make_exec(0);
	ck_assert_uint_eq(rights(0), HP_R | HP_X);
	for (i = 1; i < n; i++)
		ck_assert_uint_eq(rights(2 * i), HP_R);
	view_make_writable(vm, PA >> PAGE_SHIFT);
	for (i = 0; i < n; i++)
		ck_assert_uint_eq(rights(2 * i), HP_R);
	ck_assert_uint_eq(vm->frames[PA >> PAGE_SHIFT].flips, 1);
	kernel_fill(2, ACC_WRITE);
	ck_assert_uint_eq(rights(2), HP_R | HP_W);
}
END_TEST

/* The monitor writes guest memory through translations of its own. */
START_TEST(the_monitor_writes_to_code)
{
	struct fault f;
	uint32_t v = 0x90909090;

	map_run(0, 1, LEAF);
	kernel_fill(0, ACC_READ);
	ck_assert(gmem_write(vm, GVA(VA), &v, 4, ACC_READ, &f));
	make_exec(0);
	ck_assert(gmem_write(vm, GVA(VA + 8), &v, 4, ACC_READ, &f));
	ck_assert(!vm->frames[PA >> PAGE_SHIFT].code);
	ck_assert_uint_eq(rights(0), HP_R);
}
END_TEST

/* ---- repair ---- */

START_TEST(nothing_changed)
{
	map_run(0, 64, LEAF);
	kernel_fill(0, ACC_READ);
	machine_forget();
	view_repair(&vm->kview, true);
	ck_assert_str_eq(machine_calls(), "");
}
END_TEST

/* What was in order at a repair, changed since, and is as it was then. */
START_TEST(back_again)
{
	map(0, PA, LEAF & ~PTE_W);
	kernel_fill(0, ACC_READ);
	view_repair(&vm->kview, true);
	map(0, PA, LEAF);
	kernel_fill(0, ACC_WRITE);
	ck_assert_uint_eq(rights(0), HP_R | HP_W);
	map(0, PA, LEAF & ~PTE_W);
	view_repair(&vm->kview, true);
	ck_assert_uint_eq(rights(0), HP_R);
}
END_TEST

/* The same table by another directory entry, and in another directory. */
START_TEST(rights_of_the_directory)
{
	uint32_t *pde = machine_word(vm, vm->cpu.cr3 + (VA >> 22) * 4), before = vm->cpu.cr3;

	map_run(0, 2, LEAF);
	kernel_fill(0, ACC_WRITE);
	view_repair(&vm->kview, true);
	*pde &= ~PTE_W;
	view_repair(&vm->kview, true);
	ck_assert_uint_eq(rights(0), HP_R);
	*pde |= PTE_W;
	kernel_fill(0, ACC_WRITE);
	view_repair(&vm->kview, true);
	ck_assert(cpu_set_cr3(vm, machine_directory(vm)));
	ck_assert_uint_eq(fake_page(0, VA), 0);
	ck_assert(cpu_set_cr3(vm, before));
	kernel_fill(0, ACC_WRITE);
	ck_assert_uint_eq(rights(1), HP_R | HP_W);
}
END_TEST

START_TEST(only_what_differs)
{
	map_run(0, 32, LEAF);
	kernel_fill(0, ACC_READ);
	machine_forget();
	map_run(3, 3, 0);				/* gone */
	map(9, PA + 0x40000, LEAF);			/* another frame */
	map(11, PA + 0xb000, LEAF & ~PTE_W);		/* write-protected */
	map(12, PA + 0xc000, LEAF & ~PTE_D);		/* clean again */
	map(13, PA + 0xd000, LEAF & ~PTE_A);		/* its next access has to be seen */
	map(14, PA + 0xe000, LEAF | PTE_G | PTE_U);	/* no change for the host */
	view_repair(&vm->kview, true);
	ck_assert_str_eq(machine_calls(), "unmap 0 40003000+3000\n"
					  "unmap 0 40009000+1000\n"
					  "unmap 0 4000d000+1000\n"
					  "protect 0 4000b000+2000 r\n");
	ck_assert_uint_eq(vm->kview.pages, 27);
}
END_TEST

/* Not mapped in between: one call all the same. */
START_TEST(unmapping_spans_holes)
{
	map_run(0, 2, LEAF);
	map_run(6, 2, LEAF);
	kernel_fill(0, ACC_READ);
	kernel_fill(6, ACC_READ);
	machine_forget();
	map_run(0, 8, 0);
	view_repair(&vm->kview, true);
	ck_assert_str_eq(machine_calls(), "unmap 0 40000000+8000\n");
	ck_assert_uint_eq(vm->kview.pages, 0);
}
END_TEST

/* Copy on write: neighbours in one call, whatever frames they show; not what lies
 * between two ranges. */
START_TEST(write_protection_in_ranges)
{
	struct uspace *us = uspace_create(vm->engine);
	struct view v;
	unsigned i;

	view_init(&v, vm, us);
	for (i = 0; i < 32; i++)
		map(i, PA + (32 - i) * PAGE_SIZE, LEAF | PTE_U);
	ck_assert(fill(&v, VA, ACC_USER | ACC_WRITE));
	machine_forget();
	for (i = 0; i < 32; i++)
		if (i != 20)
			map(i, PA + (32 - i) * PAGE_SIZE, (LEAF & ~PTE_W) | PTE_U);
	view_repair(&v, true);
	ck_assert_str_eq(machine_calls(), "protect 1 40000000+14000 rx\n"
					  "protect 1 40015000+b000 rx\n");
	ck_assert_uint_eq(v.pages, 32);
	view_free(&v);
	uspace_destroy(us);
}
END_TEST

START_TEST(rights_are_given_lazily)
{
	map_run(0, 1, LEAF & ~(PTE_W | PTE_D));
	kernel_fill(0, ACC_READ);
	machine_forget();
	map_run(0, 1, LEAF);
	view_repair(&vm->kview, true);
	ck_assert_str_eq(machine_calls(), "");
}
END_TEST

/* A directory entry that goes takes its table with it. */
START_TEST(table_gone)
{
	map_run(0, 64, LEAF);
	kernel_fill(0, ACC_READ);
	machine_forget();
	*machine_word(vm, vm->cpu.cr3 + (VA >> 22) * 4) = 0;
	view_repair(&vm->kview, true);
	ck_assert_str_eq(machine_calls(), "unmap 0 40000000+40000\n");
}
END_TEST

START_TEST(cr3_load_keeps_globals)
{
	uint32_t other = machine_directory(vm);

	map_run(0, 2, LEAF);
	map_run(2, 2, LEAF | PTE_G);
	map_run(4, 2, LEAF);
	kernel_fill(0, ACC_READ);
	kernel_fill(2, ACC_READ);
	kernel_fill(4, ACC_READ);
	machine_forget();
	cpu_set_cr3(vm, other);
	ck_assert_str_eq(machine_calls(), "unmap 0 40000000+2000\n"
					  "unmap 0 40004000+2000\n");
	/* Without PGE, and by a change of PGE, they go too. */
	machine_forget();
	ck_assert(cpu_set_cr4(vm, vm->cpu.cr4 & ~CR4_PGE));
	ck_assert_str_eq(machine_calls(), "unmap 0 40002000+2000\n");
}
END_TEST

START_TEST(cr3_load_keeps_what_is_the_same)
{
	uint32_t other = machine_directory(vm);

	map_run(0, 4, LEAF);
	kernel_fill(0, ACC_READ);
	*machine_word(vm, other + (VA >> 22) * 4) = *machine_word(vm, vm->cpu.cr3 + (VA >> 22) * 4);
	machine_forget();
	cpu_set_cr3(vm, other);
	ck_assert_str_eq(machine_calls(), "");
	ck_assert_uint_eq(vm->kview.pages, 4);
}
END_TEST

START_TEST(invlpg_is_one_page)
{
	map_run(0, 4, LEAF | PTE_G);
	kernel_fill(0, ACC_READ);
	machine_forget();
	map_run(0, 4, 0);
	view_repair_page(&vm->kview, VA + 0x2345);
	ck_assert_str_eq(machine_calls(), "unmap 0 40002000+1000\n");
	/* What was not mapped costs nothing. */
	machine_forget();
	view_repair_page(&vm->kview, VA + 0x2345);
	view_repair_page(&vm->kview, 0xc0000000);
	ck_assert_str_eq(machine_calls(), "");
}
END_TEST

START_TEST(paging_turned_off)
{
	map_run(0, 2, LEAF);
	kernel_fill(0, ACC_READ);
	ck_assert(fill(&vm->kview, 0x100000, ACC_READ));
	machine_forget();
	ck_assert(cpu_set_cr0(vm, vm->cpu.cr0 & ~CR0_PG));
	/* One to one stays, the rest would be other memory. */
	ck_assert_str_eq(machine_calls(), "unmap 0 40000000+2000\n");
}
END_TEST

START_TEST(clear)
{
	map_run(0, 2, LEAF);
	kernel_fill(0, ACC_READ);
	view_clear(&vm->kview);
	ck_assert_uint_eq(fake_page(0, VA), 0);
	ck_assert_uint_eq(vm->kview.pages, 0);
	ck_assert_uint_eq(vm->frames[PA >> PAGE_SHIFT].nviews, 0);
}
END_TEST

/* ---- random tables ---- */

#define SPAN 32			/* pages in play, and frames */

static uint32_t seed;

static uint32_t rnd(uint32_t n)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % n;
}

static void random_entry(unsigned page)
{
	static const uint32_t flags[] = { 0, LEAF, LEAF, LEAF & ~PTE_W, LEAF & ~PTE_D, LEAF | PTE_G,
					  LEAF | PTE_U, PTE_P | PTE_W };

	/* Mostly contiguous, with aliases. */
	map(page, PA + (rnd(3) ? page : rnd(SPAN)) * PAGE_SIZE, flags[rnd(8)]);
}

/* The host shows what the view remembers, and no code that can be written. */
static void check_view(void)
{
	bool writable[SPAN] = { false }, exec[SPAN] = { false };
	unsigned i, pages = 0;

	for (i = 0; i < SPAN; i++) {
		uint32_t e = view_entry(&vm->kview, VA + i * PAGE_SIZE), n;
		uint64_t host = fake_page(0, VA + i * PAGE_SIZE);

		if (!(e & VE_P)) {
			ck_assert_uint_eq(host, 0);
			continue;
		}
		pages++;
		ck_assert_uint_eq(host, (e & PAGE_MASK) | HP_R | (e & VE_W ? HP_W : 0) | (e & VE_X ? HP_X : 0));
		n = ((e & PAGE_MASK) - PA) / PAGE_SIZE;
		ck_assert_uint_lt(n, SPAN);
		writable[n] |= e & VE_W;
		exec[n] |= e & VE_X;
	}
	ck_assert_uint_eq(vm->kview.pages, pages);
	for (i = 0; i < SPAN; i++)
		ck_assert(!(writable[i] && exec[i]));
}

/* After a full flush nothing is left that the guest does not allow. */
static void check_allowed(void)
{
	unsigned i;

	for (i = 0; i < SPAN; i++) {
		uint32_t e = view_entry(&vm->kview, VA + i * PAGE_SIZE);
		struct walk w;

		if (!(e & VE_P))
			continue;
		ck_assert(mmu_probe(vm, GVA(VA + i * PAGE_SIZE), &w));
		ck_assert_uint_eq(w.pa.v, e & PAGE_MASK);
		if (e & VE_W)
			ck_assert((w.flags & PTE_D) && mmu_allowed(vm, &w, ACC_WRITE));
	}
}

static void random_step(void)
{
	unsigned page = rnd(SPAN);
	uint32_t va = VA + page * PAGE_SIZE, how = rnd(2) ? ACC_WRITE : ACC_READ;
	struct fault f;
	struct walk w;

	switch (rnd(8)) {
	case 0:
	case 1:
		/* What the run loop does at a page fault. */
		if (!mmu_translate(vm, GVA(va), how, &w, &f))
			break;
		if (how == ACC_WRITE)
			view_make_writable(vm, w.pa.v >> PAGE_SHIFT);
		ck_assert(view_fill(&vm->kview, va, &w));
		break;
	case 2:
		/* And at an instruction fetch. */
		if (!mmu_translate(vm, GVA(va), ACC_READ, &w, &f))
			break;
		if (view_entry(&vm->kview, va) >> PAGE_SHIFT != w.pa.v >> PAGE_SHIFT)
			ck_assert(view_fill(&vm->kview, va, &w));
		view_make_exec(&vm->kview, va, w.pa.v >> PAGE_SHIFT);
		break;
	case 3:
		random_entry(page);
		view_repair_page(&vm->kview, va);
		break;
	case 4:
		for (page = rnd(8); page; page--)
			random_entry(rnd(SPAN));
		view_repair(&vm->kview, true);
		check_allowed();
		break;
	case 5:
		how = rnd(SPAN);
		/* A CR3 load may leave only stale globals behind. */
		random_entry(how);
		view_repair(&vm->kview, false);
		view_repair_page(&vm->kview, VA + how * PAGE_SIZE);
		check_allowed();
		break;
	case 6:
		/* What rights mean changes. */
		ck_assert(cpu_set_cr0(vm, vm->cpu.cr0 ^ CR0_WP));
		check_allowed();
		break;
	case 7:
		/* All pages of the table at once. */
		*machine_word(vm, vm->cpu.cr3 + (VA >> 22) * 4) ^= PTE_W;
		view_repair(&vm->kview, true);
		check_allowed();
		break;
	}
}

START_TEST(random_tables)
{
	unsigned i;

	seed = 1 + _i;
	for (i = 0; i < SPAN; i++)
		random_entry(i);
	for (i = 0; i < 1500; i++) {
		random_step();
		machine_forget();
		check_view();
	}
}
END_TEST

/* ---- PAE ---- */

#define NX (1ull << 63)

static void setup_pae(void)
{
	vm = machine_new();
	machine_pae(vm);
	machine_forget();
}

static void pae_run(unsigned first, unsigned n, uint64_t flags)
{
	unsigned i;

	for (i = first; i < first + n; i++)
		*machine_pae_pte(vm, VA + i * PAGE_SIZE) = (PA + i * PAGE_SIZE) | flags;
}

START_TEST(pae_only_what_differs)
{
	pae_run(0, 16, LEAF);
	kernel_fill(0, ACC_READ);
	ck_assert_str_eq(machine_calls(), "map 0 40000000+10000 at 500000 rw\n");
	machine_forget();
	pae_run(2, 1, 0);
	pae_run(4, 1, LEAF & ~PTE_W);
	/* Only the upper half of the entry changes: another frame. */
	*machine_pae_pte(vm, VA + 6 * PAGE_SIZE) |= 1ull << 32;
	view_repair(&vm->kview, true);
	ck_assert_str_eq(machine_calls(), "unmap 0 40002000+1000\n"
					  "unmap 0 40006000+1000\n"
					  "protect 0 40004000+1000 r\n");
}
END_TEST

/* A 2 MiB page split into the same 4 KiB pages, one of them taken away, and put
 * together again. */
START_TEST(pae_split_and_merge)
{
	uint64_t *pde = machine_pae_pde(vm, VA), split;

	*pde = 0x00600000 | LEAF | PTE_PS;
	kernel_fill(0, ACC_WRITE);
	ck_assert_str_eq(machine_calls(), "map 0 40000000+40000 at 600000 rw\n");
	machine_forget();
	*pde = 0;
	pae_run(0, 64, 0);
	for (unsigned i = 0; i < 64; i++)
		*machine_pae_pte(vm, VA + i * PAGE_SIZE) = (0x600000 + i * PAGE_SIZE) | LEAF;
	split = *pde;
	view_repair(&vm->kview, true);
	ck_assert_str_eq(machine_calls(), "");
	*machine_pae_pte(vm, VA + 5 * PAGE_SIZE) = 0;
	view_repair(&vm->kview, true);
	ck_assert_str_eq(machine_calls(), "unmap 0 40005000+1000\n");
	machine_forget();
	ck_assert_uint_eq(*pde, split);
	*pde = 0x00600000 | LEAF | PTE_PS;
	view_repair(&vm->kview, true);
	ck_assert_str_eq(machine_calls(), "");
	kernel_fill(5, ACC_READ);
	ck_assert_str_eq(machine_calls(), "map 0 40005000+1000 at 605000 rw\n");
}
END_TEST

/* A directory whose pointer goes is gone when CR3 is loaded, not before. */
START_TEST(pae_pointer_gone)
{
	uint64_t *pdpt = (uint64_t *)machine_word(vm, vm->cpu.cr3);

	pae_run(0, 4, LEAF);
	kernel_fill(0, ACC_READ);
	machine_forget();
	pdpt[1] = 0;
	view_repair(&vm->kview, true);
	ck_assert_str_eq(machine_calls(), "");
	ck_assert(cpu_set_cr3(vm, vm->cpu.cr3));
	ck_assert_str_eq(machine_calls(), "unmap 0 40000000+4000\n");
}
END_TEST

/* Execute-disable is the host's, too, for user code; kernel code is executable by
 * scanning only, and stops being so. */
START_TEST(pae_no_execute)
{
	struct uspace *us = uspace_create(vm->engine);
	struct view v;

	view_init(&v, vm, us);
	pae_run(0, 2, LEAF | PTE_U);
	pae_run(2, 2, LEAF | PTE_U | NX);
	*machine_pae_pde(vm, VA) |= PTE_U;
	ck_assert(fill(&v, VA, ACC_USER));
	ck_assert_str_eq(machine_calls(), "map 1 40000000+2000 at 500000 rwx\n"
					  "map 1 40002000+2000 at 502000 rw\n");
	kernel_fill(0, ACC_READ);
	make_exec(0);
	machine_forget();
	pae_run(0, 1, LEAF | PTE_U | NX);
	view_repair(&v, true);
	view_repair(&vm->kview, true);
	ck_assert_str_eq(machine_calls(), "unmap 1 40000000+1000\n"
					  "unmap 0 40000000+1000\n");
	view_free(&v);
	uspace_destroy(us);
}
END_TEST

static TCase *pae(void)
{
	TCase *tc = tcase_create("pae");

	tcase_add_checked_fixture(tc, setup_pae, teardown);
	tcase_add_test(tc, pae_only_what_differs);
	tcase_add_test(tc, pae_split_and_merge);
	tcase_add_test(tc, pae_pointer_gone);
	tcase_add_test(tc, pae_no_execute);
	return tc;
}

static TCase *filling(void)
{
	TCase *tc = tcase_create("filling");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, contiguous_neighbours_are_one_call);
	tcase_add_test(tc, unused_neighbours_are_left);
	tcase_add_loop_test(tc, what_ends_a_run, 0, sizeof breaks / sizeof *breaks);
	tcase_add_test(tc, mapped_neighbours_are_not_mapped_again);
	tcase_add_test(tc, clean_page_is_read_only);
	tcase_add_test(tc, write_protection_off);
	tcase_add_test(tc, lowest_address);
	tcase_add_test(tc, ends_of_a_table);
	tcase_add_test(tc, end_of_the_address_space);
	tcase_add_test(tc, no_ram_there);
	tcase_add_test(tc, host_refuses);
	tcase_add_test(tc, child_fill);
	return tc;
}

static TCase *code(void)
{
	TCase *tc = tcase_create("code");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, code_is_not_writable);
	tcase_add_loop_test(tc, aliases_lose_write_access, 2, 6);
	tcase_add_test(tc, the_monitor_writes_to_code);
	return tc;
}

static TCase *repair(void)
{
	TCase *tc = tcase_create("repair");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, back_again);
	tcase_add_test(tc, rights_of_the_directory);
	tcase_add_test(tc, nothing_changed);
	tcase_add_test(tc, only_what_differs);
	tcase_add_test(tc, unmapping_spans_holes);
	tcase_add_test(tc, write_protection_in_ranges);
	tcase_add_test(tc, rights_are_given_lazily);
	tcase_add_test(tc, table_gone);
	tcase_add_test(tc, cr3_load_keeps_globals);
	tcase_add_test(tc, cr3_load_keeps_what_is_the_same);
	tcase_add_test(tc, invlpg_is_one_page);
	tcase_add_test(tc, paging_turned_off);
	tcase_add_test(tc, clear);
	tcase_add_loop_test(tc, random_tables, 0, 8);
	return tc;
}

int main(void)
{
	Suite *s = suite_create("mirror");

	suite_add_tcase(s, filling());
	suite_add_tcase(s, code());
	suite_add_tcase(s, repair());
	suite_add_tcase(s, pae());
	return machine_suite(s);
}
