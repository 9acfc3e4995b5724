/* SPDX-License-Identifier: BSD-2-Clause */
#include "machine.h"

#include "layout.h"

#include <stdio.h>

#define KERNEL_DATA (SEG_P | SEG_S | 3 | SEG_DB | SEG_G)
#define KERNEL_CODE (SEG_P | SEG_S | 0xb | SEG_DB | SEG_G)
#define FLAT 0xfffffu
#define PDE_KERNEL (PTE_P | PTE_W | PTE_U | PTE_A)
#define PTE_KERNEL (PTE_P | PTE_W | PTE_A | PTE_D)

uint32_t *machine_word(struct vm *vm, uint32_t pa)
{
	ck_assert_uint_le(pa, vm->ram.size - 4);
	return (uint32_t *)(vm->ram.base + pa);
}

void machine_descriptor(struct vm *vm, uint32_t table, uint16_t sel, uint32_t base, uint32_t limit,
			uint16_t attr)
{
	uint32_t *d = machine_word(vm, table + (sel & 0xfff8));

	d[0] = base << 16 | (limit & 0xffff);
	d[1] = (base & 0xff000000) | (limit & 0xf0000) | (base >> 16 & 0xff) |
	       (uint32_t)(attr & 0xf0ff) << 8;
}

void machine_gate(struct vm *vm, unsigned n, uint16_t sel, uint32_t off, unsigned type, unsigned dpl)
{
	uint32_t *g = machine_word(vm, AT_IDT + n * 8);

	g[0] = (uint32_t)sel << 16 | (off & 0xffff);
	g[1] = (off & 0xffff0000) | 0x8000 | dpl << 13 | type << 8;
}

static void make_gdt(struct vm *vm)
{
	static const struct { uint16_t sel; uint16_t attr; uint32_t base, limit; } table[] = {
		{ KCS, KERNEL_CODE, 0, FLAT },
		{ KDS, KERNEL_DATA, 0, FLAT },
		{ UCS, KERNEL_CODE | SEG_DPL, 0, FLAT },
		{ UDS, KERNEL_DATA | SEG_DPL, 0, FLAT },
		{ SEL_TSS, SEG_P | 9, AT_TSS, 0x2067 },
		{ SEL_LDT, SEG_P | 2, AT_LDT, 0x1f },
		{ SEL_ABSENT, KERNEL_DATA & ~SEG_P, 0, FLAT },
		{ SEL_CONFORMING, KERNEL_CODE | 4, 0, FLAT },
		{ SEL_RO, (KERNEL_DATA & ~2) | SEG_DPL, 0, FLAT },
		{ SEL_XO, KERNEL_CODE & ~2, 0, FLAT },
		{ SEL_KCS_ABSENT, KERNEL_CODE & ~SEG_P, 0, FLAT },
		{ SEL_SMALL, SEG_P | SEG_DPL | SEG_S | 3, 0x20000, 0xffff },
	};
	size_t i;

	for (i = 0; i < sizeof table / sizeof *table; i++)
		machine_descriptor(vm, AT_GDT, table[i].sel, table[i].base, table[i].limit, table[i].attr);
}

static void load_flat(struct vm *vm)
{
	static const struct { int reg; uint16_t sel; } regs[] = {
		{ S_ES, KDS }, { S_SS, KDS }, { S_DS, KDS }, { S_FS, KDS }, { S_GS, KDS },
	};
	struct segment cs;
	struct fault f;
	size_t i;

	segment_from_descriptor(&cs, KCS, machine_word(vm, AT_GDT + KCS));
	segment_set_cs(&vm->cpu, &cs, 0);
	for (i = 0; i < sizeof regs / sizeof *regs; i++)
		ck_assert(segment_load(vm, regs[i].reg, regs[i].sel, &f));
}

static void make_tables(struct vm *vm)
{
	struct vcpu *c = &vm->cpu;
	unsigned i;

	make_gdt(vm);
	for (i = 0; i < 256; i++)
		machine_gate(vm, i, KCS, AT_HANDLERS + 16 * i, 14, 0);
	machine_word(vm, AT_TSS)[1] = AT_STACK0;
	machine_word(vm, AT_TSS)[2] = KDS;
	machine_word(vm, AT_TSS)[25] = 0x68u << 16;	/* I/O map base */
	memset(vm->ram.base + AT_TSS + 0x68, 0xff, 0x2000);
	c->gdtr = (struct dtable){ AT_GDT, GDT_LIMIT };
	c->idtr = (struct dtable){ AT_IDT, 0x7ff };
	segment_from_descriptor(&c->tr, SEL_TSS, machine_word(vm, AT_GDT + SEL_TSS));
	segment_from_descriptor(&c->ldtr, SEL_LDT, machine_word(vm, AT_GDT + SEL_LDT));
}

struct vm *machine_new(void)
{
	struct vm *vm = aligned_alloc(64, (sizeof *vm + 63) / 64 * 64);
	struct error e = { 0, "" };

	ck_assert_ptr_nonnull(vm);
	memset(vm, 0, sizeof *vm);
	fake_reset();
	vm->cfg.console = CONSOLE_NONE;
	vm->cfg.memory = RAM_SIZE;
	vm->cfg.append = "";
	vm->cfg.reboot_exit = true;
	ck_assert_int_eq(host_ram_create(&vm->ram, RAM_SIZE, &e), 0);
	vm->nframes = RAM_SIZE >> PAGE_SHIFT;
	vm->frames = calloc(vm->nframes, sizeof *vm->frames);
	vm->code = codemap_new(RAM_SIZE);
	view_init(&vm->kview, vm, NULL);
	gmem_flush(vm);
	ck_assert_int_eq(host_cpu_create(&vm->hc, &e), 0);
	ck_assert_int_eq(engine_create(&vm->engine, NULL, vm->hc, &vm->ram, NULL, &e), 0);
	pool_init(vm);
	event_init(vm);
	ck_assert_int_eq(platform_create(vm, &e), 0);
	cpu_init(vm);
	cpu_reset(vm);
	platform_reset(vm);
	vm->cpu.cr0 = CR0_PE | CR0_ET;
	make_tables(vm);
	load_flat(vm);
	vm->cpu.gpr[R_ESP] = AT_STACK;
	vm->cpu.eip = AT_CODE;
	return vm;
}

void machine_free(struct vm *vm)
{
	vm_destroy(vm);
}

/* Page tables are taken from the pages behind AT_CR3, counted in the first
 * word of the page before it. */
static uint32_t new_table(struct vm *vm)
{
	uint32_t *n = machine_word(vm, AT_CR3 - PAGE_SIZE), at = AT_CR3 + *n * PAGE_SIZE;

	ck_assert_uint_lt(at, AT_HANDLERS);
	++*n;
	memset(vm->ram.base + at, 0, PAGE_SIZE);
	return at;
}

uint32_t *machine_pte(struct vm *vm, uint32_t cr3, uint32_t va)
{
	uint32_t *pde = machine_word(vm, cr3 + (va >> 22) * 4);

	if (!*pde)
		*pde = new_table(vm) | PDE_KERNEL;
	return machine_word(vm, (*pde & PAGE_MASK) + (va >> 12 & 1023) * 4);
}

void machine_map(struct vm *vm, uint32_t cr3, uint32_t va, uint32_t pa, uint32_t flags)
{
	*machine_pte(vm, cr3, va) = pa | flags;
}

uint32_t machine_directory(struct vm *vm)
{
	uint32_t dir = new_table(vm), first = AT_CR3, i;

	if (dir == first)
		for (i = 0; i < RAM_SIZE; i += PAGE_SIZE)
			machine_map(vm, dir, i, i, PTE_KERNEL);
	else
		for (i = 0; i < RAM_SIZE >> 22; i++)
			*machine_word(vm, dir + i * 4) = *machine_word(vm, first + i * 4);
	return dir;
}

void machine_paging(struct vm *vm)
{
	vm->cpu.cr3 = machine_directory(vm);
	vm->cpu.cr0 |= CR0_PG | CR0_WP;
	vm->cpu.cr4 |= CR4_PSE | CR4_PGE;
	gmem_flush(vm);
}

void machine_pae(struct vm *vm)
{
	uint32_t pdpt = new_table(vm), i;

	for (i = 0; i < 4; i++)
		*(uint64_t *)machine_word(vm, pdpt + i * 8) = new_table(vm) | PTE_P;
	vm->cpu.cr4 |= CR4_PAE | CR4_PGE;
	vm->cpu.efer |= EFER_NXE;
	ck_assert(cpu_set_cr3(vm, pdpt));
	ck_assert(mmu_load_pdptes(vm, pdpt));
	for (i = 0; i < RAM_SIZE; i += 0x200000)
		*machine_pae_pde(vm, i) = i | PTE_KERNEL | PTE_PS;
	ck_assert(cpu_set_cr0(vm, vm->cpu.cr0 | CR0_PG | CR0_WP));
	gmem_flush(vm);
}

uint64_t *machine_pae_pde(struct vm *vm, uint32_t va)
{
	uint64_t pdpte = *(uint64_t *)machine_word(vm, vm->cpu.cr3 + (va >> 30) * 8);

	return (uint64_t *)machine_word(vm, (pdpte & PAGE_MASK) + (va >> 21 & 511) * 8);
}

uint64_t *machine_pae_pte(struct vm *vm, uint32_t va)
{
	uint64_t *pde = machine_pae_pde(vm, va);

	if (!*pde)
		*pde = new_table(vm) | PDE_KERNEL;
	return (uint64_t *)machine_word(vm, (*pde & PAGE_MASK) + (va >> 12 & 511) * 8);
}

void machine_user(struct vm *vm, uint32_t eip, uint32_t esp)
{
	struct vcpu *c = &vm->cpu;
	struct segment s;
	size_t i;

	segment_from_descriptor(&s, UCS, machine_word(vm, AT_GDT + (UCS & ~7)));
	segment_set_cs(c, &s, 3);
	segment_from_descriptor(&s, UDS, machine_word(vm, AT_GDT + (UDS & ~7)));
	s.attr |= 1;
	c->seg[S_SS] = c->seg[S_DS] = c->seg[S_ES] = s;
	for (i = S_FS; i <= S_GS; i++)
		c->seg[i] = (struct segment){ 0, 0, 0, 0 };
	c->eip = eip;
	c->gpr[R_ESP] = esp;
	c->eflags |= FL_IF;
}

const struct insn *machine_fetch(struct vm *vm)
{
	struct fault f;
	const struct insn *insn = fetch_insn(vm, &f);

	ck_assert_ptr_nonnull(insn);
	return insn;
}

const char *machine_calls(void)
{
	static const char *const names[] = { "map", "unmap", "protect" };
	static char text[8192];
	const struct fake_host *h = fake_host();
	size_t at = 0;
	unsigned i;

	text[0] = '\0';
	for (i = 0; i < h->ncalls && at < sizeof text - 128; i++) {
		const struct fake_call *c = &h->calls[i];

		if (c->op == FAKE_LDT)
			continue;
		at += snprintf(text + at, sizeof text - at, "%s %u %08x+%llx", names[c->op], c->space, c->va,
			       (unsigned long long)c->len);
		if (c->op == FAKE_MAP)
			at += snprintf(text + at, sizeof text - at, " at %llx", (unsigned long long)c->offset);
		if (c->op != FAKE_UNMAP)
			at += snprintf(text + at, sizeof text - at, " %s%s%s", c->rights & HP_R ? "r" : "",
				       c->rights & HP_W ? "w" : "", c->rights & HP_X ? "x" : "");
		at += snprintf(text + at, sizeof text - at, "\n");
	}
	return text;
}

void machine_forget(void)
{
	fake_host()->ncalls = 0;
}

void machine_script(struct user_event ev, void (*change)(struct user_regs *r))
{
	struct fake_host *h = fake_host();

	ck_assert_uint_lt(h->nruns, FAKE_RUNS);
	h->runs[h->nruns++] = (struct fake_run){ .ev = ev, .change = change };
}

int machine_suite(Suite *s)
{
	SRunner *sr = srunner_create(s);
	int failed;

	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
