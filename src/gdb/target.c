/* SPDX-License-Identifier: BSD-2-Clause */
/* The debugger's access to a stopped VM: registers, memory, monitor commands. */
#include "gdb/target.h"

#include "monitor/machine.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

/* ---- x87 and SSE: the FXSAVE image (SDM 1, table 10-2) ---- */

#define FX_FCW 0
#define FX_FSW 2
#define FX_FTW 4		/* abridged: a bit a register, set if not empty */
#define FX_FOP 6
#define FX_FIP 8
#define FX_FCS 12
#define FX_FDP 16
#define FX_FDS 20
#define FX_MXCSR 24
#define FX_MXCSR_MASK 28
#define FX_ST 32
#define FX_XMM 160

static uint8_t *fpu_image(struct vm *vm)
{
	fpu_to_kernel(vm);
	return vm->hc->fpu.bytes;
}

/* Tag of an 80-bit number in use: 0 valid, 1 zero, 2 special (SDM 1, 8.1.7). */
static unsigned tag_of(const uint8_t *st)
{
	uint64_t mantissa;
	uint16_t exponent;

	memcpy(&mantissa, st, 8);
	memcpy(&exponent, st + 8, 2);
	exponent &= 0x7fff;
	if (!exponent && !mantissa)
		return 1;
	return !exponent || exponent == 0x7fff || !(mantissa >> 63) ? 2 : 0;
}

/* The tag word is by physical register; the image holds ST(0) first. */
static uint32_t full_tags(const uint8_t *fx)
{
	unsigned top = fx[FX_FSW + 1] >> 3 & 7, r, tag;
	uint32_t tags = 0;

	for (r = 0; r < 8; r++) {
		tag = fx[FX_FTW] >> r & 1 ? tag_of(fx + FX_ST + 16 * ((r - top) & 7)) : 3;
		tags |= tag << 2 * r;
	}
	return tags;
}

static uint8_t abridged_tags(uint32_t tags)
{
	uint8_t ftw = 0;
	unsigned r;

	for (r = 0; r < 8; r++)
		ftw |= (tags >> 2 * r & 3) != 3 ? 1u << r : 0;
	return ftw;
}

/* The control registers of the x87, in order from GR_FCTRL. */
static const struct { uint8_t off, bytes; } x87[] = {
	{ FX_FCW, 2 }, { FX_FSW, 2 }, { FX_FTW, 1 }, { FX_FCS, 2 }, { FX_FIP, 4 }, { FX_FDS, 2 },
	{ FX_FDP, 4 }, { FX_FOP, 2 },
};

static uint32_t x87_read(const uint8_t *fx, unsigned reg)
{
	uint32_t v = 0;

	if (reg == GR_FTAG)
		return full_tags(fx);
	memcpy(&v, fx + x87[reg - GR_FCTRL].off, x87[reg - GR_FCTRL].bytes);
	return v;
}

static void x87_write(uint8_t *fx, unsigned reg, uint32_t v)
{
	if (reg == GR_FTAG)
		v = abridged_tags(v);
	memcpy(fx + x87[reg - GR_FCTRL].off, &v, x87[reg - GR_FCTRL].bytes);
}

/* Reserved bits would make the host refuse the image. */
static bool mxcsr_write(uint8_t *fx, uint32_t v)
{
	uint32_t mask;

	memcpy(&mask, fx + FX_MXCSR_MASK, 4);
	if (v & ~(mask ? mask : 0xffbf))
		return false;
	memcpy(fx + FX_MXCSR, &v, 4);
	return true;
}

/* Where st or xmm register reg lies in the image; NULL: it is none of them. */
static uint8_t *vector_register(uint8_t *fx, unsigned reg)
{
	if (reg >= GR_ST0 && reg <= GR_ST7)
		return fx + FX_ST + 16 * (reg - GR_ST0);
	if (reg >= GR_XMM0 && reg <= GR_XMM7)
		return fx + FX_XMM + 16 * (reg - GR_XMM0);
	return NULL;
}

static bool is_fpu(unsigned reg)
{
	return reg >= GR_ST0 && reg <= GR_MXCSR;
}

/* ---- the other registers ---- */

static const uint8_t gprs[] = { R_EAX, R_ECX, R_EDX, R_EBX, R_ESP, R_EBP, R_ESI, R_EDI };
/* In order from GR_CS. */
static const uint8_t sregs[] = { S_CS, S_SS, S_DS, S_ES, S_FS, S_GS };

static uint32_t core_read(const struct vcpu *c, unsigned reg)
{
	if (reg <= GR_EDI)
		return c->gpr[gprs[reg - GR_EAX]];
	if (reg >= GR_CS && reg <= GR_GS)
		return c->seg[sregs[reg - GR_CS]].sel;
	switch (reg) {
	case GR_EIP: return c->eip;
	case GR_EFLAGS: return c->eflags;
	case GR_CR0: return c->cr0;
	case GR_CR2: return c->cr2;
	case GR_CR3: return c->cr3;
	case GR_CR4: return c->cr4;
	case GR_FS_BASE: return c->seg[S_FS].base;
	case GR_GS_BASE: return c->seg[S_GS].base;
	case GR_GDTR_BASE: return c->gdtr.base;
	case GR_GDTR_LIMIT: return c->gdtr.limit;
	case GR_IDTR_BASE: return c->idtr.base;
	case GR_IDTR_LIMIT: return c->idtr.limit;
	}
	return 0;
}

/* A code segment of the same privilege level. */
static bool cs_write(struct vm *vm, uint16_t sel)
{
	struct vcpu *c = &vm->cpu;
	struct segment s;
	struct fault f;
	uint32_t d[2];
	gva_t where;

	if ((c->eflags & FL_VM) || !(c->cr0 & CR0_PE) ||
	    !segment_descriptor(vm, sel, d, &where, &f))
		return false;
	segment_from_descriptor(&s, sel, d);
	if ((s.attr & (SEG_P | SEG_S | 8)) != (SEG_P | SEG_S | 8) || (sel & 3u) != c->cpl ||
	    (!(s.attr & 4) && (s.attr & SEG_DPL) >> 5 != c->cpl))
		return false;
	segment_set_cs(c, &s, c->cpl);
	return true;
}

static bool sreg_write(struct vm *vm, int s, uint32_t v)
{
	struct fault f;

	if (v > 0xffff)
		return false;
	return s == S_CS ? cs_write(vm, v) : segment_load(vm, s, v, &f);
}

/* Flags that a debugger may change; virtual-8086 mode is not entered like that. */
#define FLAGS_WRITABLE (FL_ARITH | FL_TF | FL_IF | FL_DF | FL_IOPL | FL_NT | FL_RF | FL_AC | FL_ID)

static bool eip_write(struct vcpu *c, uint32_t v)
{
	c->eip = v;
	c->halted = c->shadow = false;
	return true;
}

static bool limit_write(struct dtable *t, uint32_t v)
{
	if (v > 0xffff)
		return false;
	t->limit = v;
	return true;
}

static bool core_write(struct vm *vm, unsigned reg, uint32_t v)
{
	struct vcpu *c = &vm->cpu;

	/* All registers are written at once: most have not changed. */
	if (core_read(c, reg) == v)
		return true;
	if (reg <= GR_EDI) {
		c->gpr[gprs[reg - GR_EAX]] = v;
		return true;
	}
	if (reg >= GR_CS && reg <= GR_GS)
		return sreg_write(vm, sregs[reg - GR_CS], v);
	switch (reg) {
	case GR_EIP: return eip_write(c, v);
	case GR_EFLAGS: cpu_set_flags(c, v, FLAGS_WRITABLE); return true;
	case GR_CR0: return (v & CR0_PE) == (c->cr0 & CR0_PE) && cpu_set_cr0(vm, v);
	case GR_CR2: c->cr2 = v; return true;
	case GR_CR3: return cpu_set_cr3(vm, v);
	case GR_CR4: return cpu_set_cr4(vm, v);
	case GR_FS_BASE: c->seg[S_FS].base = v; return true;
	case GR_GS_BASE: c->seg[S_GS].base = v; return true;
	case GR_GDTR_BASE: c->gdtr.base = v; return true;
	case GR_GDTR_LIMIT: return limit_write(&c->gdtr, v);
	case GR_IDTR_BASE: c->idtr.base = v; return true;
	case GR_IDTR_LIMIT: return limit_write(&c->idtr, v);
	}
	return false;
}

unsigned target_reg_size(unsigned reg)
{
	if (reg >= GR_ST0 && reg <= GR_ST7)
		return 10;
	return reg >= GR_XMM0 && reg <= GR_XMM7 ? 16 : 4;
}

void target_reg_read(struct vm *vm, unsigned reg, uint8_t *buf)
{
	const uint8_t *fx = is_fpu(reg) ? fpu_image(vm) : NULL, *at;
	uint32_t v;

	at = fx ? vector_register((uint8_t *)fx, reg) : NULL;
	if (at) {
		memcpy(buf, at, target_reg_size(reg));
		return;
	}
	if (reg == GR_MXCSR)
		memcpy(&v, fx + FX_MXCSR, 4);
	else
		v = fx ? x87_read(fx, reg) : core_read(&vm->cpu, reg);
	memcpy(buf, &v, 4);
}

bool target_reg_write(struct vm *vm, unsigned reg, const uint8_t *buf)
{
	uint8_t *fx = is_fpu(reg) ? fpu_image(vm) : NULL, *at;
	uint32_t v;

	if (reg >= GR_COUNT)
		return false;
	at = fx ? vector_register(fx, reg) : NULL;
	if (at) {
		memcpy(at, buf, target_reg_size(reg));
		return true;
	}
	memcpy(&v, buf, 4);
	if (!fx)
		return core_write(vm, reg, v);
	if (reg == GR_MXCSR)
		return mxcsr_write(fx, v);
	x87_write(fx, reg, v);
	return true;
}

/* ---- memory ---- */

static uint64_t page_start(uint64_t gpa)
{
	return gpa - (gpa & ~PAGE_MASK);
}

static bool to_physical(struct vm *vm, uint64_t addr, bool physical, uint64_t *gpa)
{
	struct walk w;

	*gpa = addr;
	if (physical)
		return true;
	if (addr > UINT32_MAX || !mmu_probe(vm, GVA(addr), &w))
		return false;
	*gpa = w.pa.v | (addr & ~PAGE_MASK);
	return true;
}

/* A page of RAM as the guest wrote it: without LilyVM's jumps and substitutes. */
static void own_bytes(struct vm *vm, uint64_t page, uint8_t bytes[PAGE_SIZE])
{
	memcpy(bytes, vm->ram.base + page, PAGE_SIZE);
	tramp_restore(vm, page, bytes);
	codemap_restore(vm->code, bytes, GPA(page), PAGE_SIZE);
}

/* Bytes from addr on in its page, at most n; *gpa is where they lie, false if
 * that is not RAM. */
static bool piece(struct vm *vm, uint64_t addr, bool physical, size_t *n, uint64_t *gpa)
{
	size_t room = PAGE_SIZE - (addr & ~PAGE_MASK);

	if (*n > room)
		*n = room;
	return to_physical(vm, addr, physical, gpa) &&
	       gmem_ram(vm, GPA(page_start(*gpa)), PAGE_SIZE);
}

size_t target_mem_read(struct vm *vm, uint64_t addr, uint8_t *buf, size_t n, bool physical)
{
	uint8_t page[PAGE_SIZE];
	size_t done, len;
	uint64_t gpa;

	for (done = 0; done < n; done += len) {
		len = n - done;
		if (!piece(vm, addr + done, physical, &len, &gpa))
			break;
		own_bytes(vm, page_start(gpa), page);
		memcpy(buf + done, page + (gpa & ~PAGE_MASK), len);
	}
	return done;
}

size_t target_mem_write(struct vm *vm, uint64_t addr, const uint8_t *buf, size_t n, bool physical)
{
	size_t done, len;
	uint64_t gpa;

	for (done = 0; done < n; done += len) {
		len = n - done;
		if (!piece(vm, addr + done, physical, &len, &gpa))
			break;
		/* As when the guest changes its code. */
		view_make_writable(vm, gpa >> PAGE_SHIFT);
		memcpy(vm->ram.base + gpa, buf + done, len);
	}
	return done;
}

/* ---- points, resuming ---- */

bool target_insert(struct vm *vm, enum gdb_point type, uint32_t addr, uint32_t len, bool any_space)
{
	return debug_insert(vm, type, addr, len, any_space);
}

bool target_remove(struct vm *vm, enum gdb_point type, uint32_t addr, uint32_t len)
{
	return debug_remove(vm, type, addr, len);
}

void target_remove_all(struct vm *vm)
{
	debug_remove_all(vm);
}

void target_resume(struct vm *vm, enum gdb_resume how, uint32_t start, uint32_t end)
{
	debug_resume(vm, how, start, end);
}

void target_interrupt(struct vm *vm)
{
	vm->debug.stop_wanted = 1;
	host_kick(vm->hc);
}

/* ---- monitor commands ---- */

/* The next word of *text, or NULL; *text moves behind it. */
static char *next_word(char **text)
{
	char *word = *text + strspn(*text, " \t");
	size_t n = strcspn(word, " \t");

	if (!n)
		return NULL;
	*text = word + n + (word[n] != '\0');
	word[n] = '\0';
	return word;
}

static bool number(const char *word, uint64_t *v)
{
	char *end;

	if (!word || *word == '-' || *word == '+')
		return false;
	*v = strtoull(word, &end, 16);
	return end != word && !*end;
}

static void run_info(struct vm *vm, char *args, FILE *out)
{
	char *what = next_word(&args);

	if (!what || !vm_info(vm, what, next_word(&args), out))
		fprintf(out, "info registers|mmu [ADDRESS]|irq|devices|stats|vga\n");
}

static void run_mmu(struct vm *vm, char *args, FILE *out)
{
	uint64_t a;

	if (number(next_word(&args), &a) && a <= UINT32_MAX)
		dump_walk(vm, out, "address", a);
	else
		fprintf(out, "mmu ADDRESS (hexadecimal)\n");
}

#define PHYS_MAX 4096

static void run_phys(struct vm *vm, char *args, FILE *out)
{
	uint64_t a, len = 64, i;
	uint8_t buf[16];
	char *word;

	if (!number(next_word(&args), &a) || ((word = next_word(&args)) && !number(word, &len)) ||
	    len > PHYS_MAX) {
		fprintf(out, "phys ADDRESS [LENGTH] (hexadecimal, at most %x bytes)\n", PHYS_MAX);
		return;
	}
	for (i = 0; i < len; i++) {
		if (i % 16 == 0)
			fprintf(out, "%s%08" PRIx64 ":", i ? "\n" : "", a + i);
		if (target_mem_read(vm, a + i, buf, 1, true))
			fprintf(out, " %02x", buf[0]);
		else
			fprintf(out, " --");
	}
	fputc('\n', out);
}

static void run_trace(struct vm *vm, char *args, FILE *out)
{
	char *list = next_word(&args);

	if (list && !strcmp(list, "off"))
		vm->trace.on = 0;
	else if (list && !strcmp(list, "on"))
		trace_parse("all", &vm->trace.on);
	else if (!list || !trace_parse(list, &vm->trace.on))
		fprintf(out, "trace on, off, or a comma-separated list of %s\n", TRACE_NAMES);
}

static void run_reset(struct vm *vm, char *args, FILE *out)
{
	(void)args;
	vm_reset_request(vm);
	fprintf(out, "the machine %s when it goes on\n", vm->ending ? "ends" : "resets");
}

static void run_quit(struct vm *vm, char *args, FILE *out)
{
	(void)args;
	vm_quit(vm, ST_KILLED, "ended by the debugger");
	fprintf(out, "the virtual machine ends\n");
}

static void run_help(struct vm *vm, char *args, FILE *out);

static const struct {
	const char *name;
	void (*run)(struct vm *vm, char *args, FILE *out);
	const char *help;
} commands[] = {
	{ "info", run_info, "info registers|mmu [ADDRESS]|irq|devices|stats|vga, or without info" },
	{ "mmu", run_mmu, "mmu ADDRESS            the page walk of a linear address" },
	{ "phys", run_phys, "phys ADDRESS [LENGTH]  guest-physical memory" },
	{ "trace", run_trace, "trace on|off|LIST      what is traced: " TRACE_NAMES },
	{ "reset", run_reset, "reset                  reset the machine" },
	{ "quit", run_quit, "quit                   end the virtual machine" },
	{ "help", run_help, "help                   this list" },
};

static void run_help(struct vm *vm, char *args, FILE *out)
{
	size_t i;

	(void)vm;
	(void)args;
	for (i = 0; i < COUNT(commands); i++)
		fprintf(out, "%s\n", commands[i].help);
}

void target_monitor(struct vm *vm, const char *command, FILE *out)
{
	char copy[256], *args = copy, *name;
	size_t i;

	snprintf(copy, sizeof copy, "%s", command);
	name = next_word(&args);
	for (i = 0; name && i < COUNT(commands); i++) {
		if (!strcmp(name, commands[i].name)) {
			commands[i].run(vm, args, out);
			return;
		}
	}
	if (!name || !vm_info(vm, name, next_word(&args), out))
		fprintf(out, "unknown command: try 'monitor help'\n");
}
