/* SPDX-License-Identifier: BSD-2-Clause */
/* What the guest was doing: registers, code, page-table walks. */
#include "monitor/machine.h"

#include "rewriter/disasm.h"

#include <inttypes.h>
#include <string.h>

void dump_registers(struct vm *vm, FILE *out)
{
	static const char *const gpr[] = { "eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi" };
	static const char *const sreg[] = { "es", "cs", "ss", "ds", "fs", "gs" };
	const struct vcpu *c = &vm->cpu;
	unsigned i;

	for (i = 0; i < R_COUNT; i++)
		fprintf(out, "%s %08x%s", gpr[i], c->gpr[i], i % 4 == 3 ? "\n" : "  ");
	fprintf(out, "eip %08x  eflags %08x  cpl %u%s\n", c->eip, c->eflags, c->cpl,
		c->halted ? "  halted" : "");
	for (i = 0; i < S_COUNT; i++)
		fprintf(out, "%s %04x base %08x limit %08x attr %04x\n", sreg[i], c->seg[i].sel,
			c->seg[i].base, c->seg[i].limit, c->seg[i].attr);
	fprintf(out, "tr %04x base %08x limit %x  ldtr %04x base %08x limit %x\n", c->tr.sel,
		c->tr.base, c->tr.limit, c->ldtr.sel, c->ldtr.base, c->ldtr.limit);
	fprintf(out, "gdtr %08x/%x  idtr %08x/%x\n", c->gdtr.base, c->gdtr.limit, c->idtr.base,
		c->idtr.limit);
	fprintf(out, "cr0 %08x  cr2 %08x  cr3 %08x  cr4 %08x  dr6 %08x  dr7 %08x\n", c->cr0, c->cr2,
		c->cr3, c->cr4, c->dr[6], c->dr[7]);
}

static void dump_entry(struct vm *vm, FILE *out, const char *name, const uint32_t *e)
{
	if (vcpu_pae(&vm->cpu))
		fprintf(out, "%s %08x%08x ", name, e[1], e[0]);
	else
		fprintf(out, "%s %08x ", name, e[0]);
}

void dump_walk(struct vm *vm, FILE *out, const char *name, uint32_t va)
{
	struct walk w;
	bool ok = mmu_probe(vm, GVA(va), &w);

	fprintf(out, "%s %08x: ", name, va);
	if (!vcpu_paging(&vm->cpu)) {
		fprintf(out, "paging off\n");
		return;
	}
	if (vcpu_pae(&vm->cpu))
		fprintf(out, "pdpte %09" PRIx64 " ", vm->cpu.pdpte[va >> 30]);
	if (w.pde)
		dump_entry(vm, out, "pde", w.pde);
	if (w.leaf && w.leaf != w.pde)
		dump_entry(vm, out, "pte", w.leaf);
	if (ok)
		fprintf(out, "-> physical %08" PRIx64 "%s%s%s%s", w.pa.v | (va & ~PAGE_MASK),
			w.flags & PTE_W ? " writable" : "", w.flags & PTE_U ? " user" : "",
			w.flags & PTE_D ? " dirty" : "", w.flags & PTE_NX ? " no-execute" : "");
	else
		fprintf(out, w.flags & PTE_RSVD ? "a reserved bit is set" : "not present");
	fprintf(out, "; kernel view %08x\n", view_entry(&vm->kview, va));
}

/* Puts the guest's own bytes in place of what LilyVM patched. */
static void guests_own(struct vm *vm, uint32_t a, uint8_t *bytes, uint32_t n)
{
	uint32_t i, room;
	struct walk w;

	for (i = 0; i < n; i++)
		tramp_undo(vm, a + i, bytes + i, 1);
	for (; n; n -= room, a += room, bytes += room) {
		room = PAGE_SIZE - (a & ~PAGE_MASK);
		if (room > n)
			room = n;
		if ((view_entry(&vm->kview, a) & VE_X) && mmu_probe(vm, GVA(a), &w))
			codemap_restore(vm->code, bytes, GPA(w.pa.v | (a & ~PAGE_MASK)), room);
	}
}

static void dump_code(struct vm *vm, FILE *out)
{
	uint32_t a = vm->cpu.seg[S_CS].base + vm->cpu.eip;
	uint8_t bytes[48];
	struct fault f;
	char text[96];
	unsigned i, n;
	int len;

	if (!gmem_read(vm, GVA(a), bytes, sizeof bytes, ACC_READ, &f)) {
		fprintf(out, "code at %08x: not present\n", a);
		return;
	}
	guests_own(vm, a, bytes, sizeof bytes);
	fprintf(out, "code at %08x:", a);
	for (i = 0; i < 16; i++)
		fprintf(out, " %02x", bytes[i]);
	fputc('\n', out);
	for (i = n = 0; n < 4 && i < 32; n++, i += len) {
		len = disasm_text(text, sizeof text, bytes + i, sizeof bytes - i, a + i);
		if (len <= 0)
			break;
		fprintf(out, "  %08x  %s\n", a + i, text);
	}
}

static void dump_stack(struct vm *vm, FILE *out)
{
	uint32_t a = vm->cpu.seg[S_SS].base + vm->cpu.gpr[R_ESP], w[16], off;
	const char *sym;
	struct fault f;
	unsigned i;

	if (!gmem_read(vm, GVA(a), w, sizeof w, ACC_READ, &f))
		return;
	fprintf(out, "stack:");
	for (i = 0; i < 16; i++)
		fprintf(out, "%s%08x", i % 8 ? " " : "\n  ", w[i]);
	fputc('\n', out);
	for (i = 0; i < 16; i++) {
		sym = image_symbol_at(&vm->image, w[i], &off);
		if (sym)
			fprintf(out, "  %08x  %s+%#x\n", w[i], sym, off);
	}
}

void dump_guest(struct vm *vm, FILE *out, const char *why)
{
	const char *sym;
	uint32_t off;

	fprintf(out, "lilyvm: the guest stopped: %s\n", why);
	dump_registers(vm, out);
	sym = image_symbol_at(&vm->image, vm->cpu.eip, &off);
	if (sym)
		fprintf(out, "eip is in %s+%#x\n", sym, off);
	dump_code(vm, out);
	dump_stack(vm, out);
	dump_walk(vm, out, "eip", vm->cpu.seg[S_CS].base + vm->cpu.eip);
	dump_walk(vm, out, "esp", vm->cpu.seg[S_SS].base + vm->cpu.gpr[R_ESP]);
	dump_walk(vm, out, "cr2", vm->cpu.cr2);
	exits_print(&vm->exits, out);
}
