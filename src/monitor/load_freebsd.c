/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * FreeBSD's boot protocol on i386, as loader(8) carries it out: btext() is called at its
 * physical address with boot flags and struct bootinfo (FreeBSD sys/i386/include/bootinfo.h,
 * sys/sys/reboot.h); environment, symbols and module metadata (sys/sys/linker.h) lie behind
 * the kernel, which keeps all memory up to bi_kernend.
 */
#define _GNU_SOURCE		/* memmem */
#include "monitor/load_parts.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

/* struct bootinfo, up to the last field that is set here. */
enum {
	BI_VERSION = 0, BI_KERNELNAME = 4, BI_SIZE = 48, BI_MEMSIZES_VALID = 52, BI_BASEMEM = 56,
	BI_EXTMEM = 60, BI_SYMTAB = 64, BI_ESYMTAB = 68, BI_KERNEND = 72, BI_ENVP = 76,
	BI_MODULEP = 80, BI_END = 84,
};
#define BOOTINFO_VERSION 1u

/* Types of metadata records. */
enum {
	MODINFO_END = 0, MODINFO_NAME = 1, MODINFO_TYPE = 2, MODINFO_ADDR = 3, MODINFO_SIZE = 4,
	MODINFO_METADATA = 0x8000,
	MODINFOMD_SSYM = MODINFO_METADATA | 3, MODINFOMD_ESYM = MODINFO_METADATA | 4,
	MODINFOMD_ENVP = MODINFO_METADATA | 6, MODINFOMD_HOWTO = MODINFO_METADATA | 7,
	MODINFOMD_KERNEND = MODINFO_METADATA | 8, MODINFOMD_SMAP = MODINFO_METADATA | 0x1001,
};
#define SMAP_ENTRY 20u

#define RB_SERIAL 0x1000u
#define RB_BOOTINFO 0x80000000u

/* How a boot flag is given: as a letter of a word that starts with '-', or as a variable of
 * the environment (loader(8), boot(8)). */
static const struct { char letter; const char *variable; uint32_t flag; } boot_flags[] = {
	{ 'a', "boot_askname", 0x1 }, { 's', "boot_single", 0x2 }, { 'r', "boot_dfltroot", 0x20 },
	{ 'd', "boot_ddb", 0x40 }, { 'v', "boot_verbose", 0x800 },
	{ 'h', "boot_serial", RB_SERIAL }, { 'C', "boot_cdrom", 0x2000 },
	{ 'g', "boot_gdb", 0x8000 }, { 'm', "boot_mute", 0x10000 },
	{ 'p', "boot_pause", 0x100000 }, { 'D', "boot_multicons", 0x20000000 },
};
#define BOOT_FLAGS (sizeof boot_flags / sizeof *boot_flags)

/* Devices that do not announce themselves (device.hints(5)); a kernel without these looks
 * for no serial port and so has no console. */
static const char *const default_env[] = {
	"hint.atkbdc.0.at=isa", "hint.atkbdc.0.port=0x060",
	"hint.atkbd.0.at=atkbdc", "hint.atkbd.0.irq=1",
	"hint.uart.0.at=isa", "hint.uart.0.port=0x3F8", "hint.uart.0.irq=4",
	"hint.uart.0.flags=0x10",
	"hint.atrtc.0.at=isa", "hint.atrtc.0.port=0x70", "hint.atrtc.0.irq=8",
	"hint.attimer.0.at=isa", "hint.attimer.0.port=0x40", "hint.attimer.0.irq=0",
};
#define DEFAULT_ENV (sizeof default_env / sizeof *default_env)

#define ENV_MAX 0x8000u
#define NAME_SIZE 1024u		/* MAXPATHLEN */
#define META_MAX 0x1000u
/* The kernel puts its first page tables at the next multiple of 4 MiB behind bi_kernend. */
#define TABLES_AT 0x400000u
#define TABLES_ROOM 0x400000u

/* Where everything goes, and what is collected before. */
struct plan {
	struct elf_layout elf;
	uint32_t entry, howto;
	struct elf_symtab sym;
	uint64_t ssym, esym;		/* 0: no symbols */
	uint64_t image, image_size;	/* a preloaded memory disk, from --initrd */
	uint64_t env, meta, kernend;
	char vars[ENV_MAX];		/* NAME=VALUE, each with NUL, and one more NUL */
	size_t nvars;			/* bytes in it, without the last NUL */
};

static const char banner[] = "@(#)FreeBSD ";	/* conf/newvers.sh: sccs[] */

bool freebsd_is_kernel(const uint8_t *elf, size_t n)
{
	const uint8_t *at = memmem(elf, n, banner, sizeof banner - 1);
	size_t len = sizeof banner - 1;

	return at && (size_t)(elf + n - at) > len && at[len] >= '0' && at[len] <= '9';
}

/* --- --append: flags and environment --- */

/* Does vars hold a variable of this name? *value gets what it is set to. */
static bool env_find(const struct plan *p, const char *name, size_t len, const char **value)
{
	for (const char *v = p->vars; v < p->vars + p->nvars; v += strlen(v) + 1)
		if (!strncmp(v, name, len) && v[len] == '=') {
			*value = v + len + 1;
			return true;
		}
	return false;
}

static int env_add(const struct image *img, struct plan *p, const char *text, size_t len,
		   struct error *e)
{
	if (len + 2 > sizeof p->vars - p->nvars)
		return fail(e, ST_USAGE, "%s: environment of more than %u bytes; shorten --append",
			    img->path, ENV_MAX);
	memcpy(p->vars + p->nvars, text, len);
	p->nvars += len + 1;
	p->vars[p->nvars - 1] = '\0';
	p->vars[p->nvars] = '\0';
	return 0;
}

/* Copies the next word without its double quotes, which may hold blanks; returns what
 * follows it, or NULL with *e. */
static const char *next_word(const struct image *img, const char *s, char *word, struct error *e)
{
	bool quoted = false;
	size_t n = 0;

	for (; *s && (quoted || (*s != ' ' && *s != '\t')); s++) {
		if (*s == '"')
			quoted = !quoted;
		else if (n < ENV_MAX - 1)
			word[n++] = *s;
	}
	word[n] = '\0';
	if (!quoted)
		return s;
	fail(e, ST_USAGE, "%s: --append has an open quotation mark; add one", img->path);
	return NULL;
}

static int add_flags(const struct image *img, struct plan *p, const char *word, struct error *e)
{
	for (const char *c = word + 1; *c; c++) {
		unsigned i = 0;

		while (i < BOOT_FLAGS && boot_flags[i].letter != *c)
			i++;
		if (i == BOOT_FLAGS)
			return fail(e, ST_USAGE, "%s: FreeBSD has no boot flag '%c'; --append "
				    "takes -acdhs... of boot(8)", img->path, *c);
		p->howto |= boot_flags[i].flag;
	}
	return 0;
}

static int add_word(const struct image *img, struct plan *p, const char *word, struct error *e)
{
	if (word[0] == '-' && word[1])
		return add_flags(img, p, word, e);
	if (strchr(word, '=') > word)
		return env_add(img, p, word, strlen(word), e);
	return fail(e, ST_USAGE, "%s: FreeBSD takes boot flags as -s and variables as NAME=VALUE, "
		    "not \"%.64s\"; change --append", img->path, word);
}

static int add_words(const struct image *img, struct plan *p, const char *s, struct error *e)
{
	char *word = malloc(ENV_MAX);
	int r = 0;

	if (!word)
		return fail(e, ST_HOST, "%s: no memory for the environment", img->path);
	while (r == 0 && *(s += strspn(s, " \t"))) {
		s = next_word(img, s, word, e);
		r = s ? add_word(img, p, word, e) : -1;
	}
	free(word);
	return r;
}

/* What the user says comes first: the kernel takes the first variable of a name. */
static int plan_environment(const struct image *img, const struct boot_args *args, struct plan *p,
			    struct error *e)
{
	const char *value;

	p->howto = RB_BOOTINFO | RB_SERIAL;
	if (add_words(img, p, args->cmdline, e))
		return -1;
	for (unsigned i = 0; i < BOOT_FLAGS; i++) {
		const char *name = boot_flags[i].variable;

		if (!env_find(p, name, strlen(name), &value))
			continue;
		if (!strcmp(value, "NO") || !strcmp(value, "no"))
			p->howto &= ~boot_flags[i].flag;
		else
			p->howto |= boot_flags[i].flag;
	}
	for (unsigned i = 0; i < DEFAULT_ENV; i++)
		if (!env_find(p, default_env[i], strcspn(default_env[i], "="), &value) &&
		    env_add(img, p, default_env[i], strlen(default_env[i]), e))
			return -1;
	return 0;
}

/* --- memory --- */

/* Each table with its size before it, both of whole words. */
static uint64_t symbols_size(const struct plan *p)
{
	return 8 + round_up(p->sym.size, 4) + round_up(p->sym.strings_size, 4);
}

/* Everything lies between the kernel's end and bi_kernend. */
static int plan_memory(const struct image *img, const struct boot_args *args, struct plan *p,
		       struct error *e)
{
	uint64_t at = round_up(p->elf.high, PAGE_SIZE);

	if (args->nmodules)
		return fail(e, ST_USAGE, "%s: modules of FreeBSD cannot be preloaded; build them "
			    "into the kernel, or give a memory disk with --initrd", img->path);
	if (elf_symbol_table(img, &p->sym)) {
		p->ssym = at;
		p->esym = at + symbols_size(p);
		at = round_up(p->esym, PAGE_SIZE);
	}
	if (args->initrd &&
	    boot_file_size(args, args->initrd, "memory disk", &p->image_size, e))
		return -1;
	p->image = at;
	p->env = round_up(p->image + p->image_size, PAGE_SIZE);
	p->meta = round_up(p->env + p->nvars + 1, PAGE_SIZE);
	p->kernend = p->meta + META_MAX;
	if (round_up(p->kernend, TABLES_AT) + TABLES_ROOM > args->ram_size)
		return ram_too_small(img, args, round_up(p->kernend, TABLES_AT) + TABLES_ROOM, e);
	return 0;
}

static void put_symbols(const struct boot_args *args, const struct plan *p)
{
	uint8_t *to = args->ram + p->ssym;

	if (!p->ssym)
		return;
	memset(to, 0, p->esym - p->ssym);
	put_le32(to, p->sym.size);
	memcpy(to + 4, p->sym.bytes, p->sym.size);
	to += 4 + round_up(p->sym.size, 4);
	put_le32(to, p->sym.strings_size);
	memcpy(to + 4, p->sym.strings, p->sym.strings_size);
}

/* --- metadata --- */

static uint8_t *put_record(uint8_t *to, uint32_t type, const void *data, size_t size)
{
	size_t room = round_up(size, 4);

	put_le32(to, type);
	put_le32(to + 4, (uint32_t)size);
	memset(to + 8, 0, room);
	if (size)
		memcpy(to + 8, data, size);
	return to + 8 + room;
}

static uint8_t *put_string(uint8_t *to, uint32_t type, const char *s)
{
	return put_record(to, type, s, strlen(s) + 1);
}

static uint8_t *put_number(uint8_t *to, uint32_t type, uint64_t v)
{
	uint8_t word[4];

	put_le32(word, (uint32_t)v);
	return put_record(to, type, word, sizeof word);
}

/* The records that int 15h, ax=e820h would give. */
static uint8_t *put_smap(uint8_t *to, uint64_t ram_size)
{
	struct pc_range map[PC_MAX_RANGES];
	uint8_t smap[PC_MAX_RANGES * SMAP_ENTRY];
	unsigned n = pc_memory_map(ram_size, map);

	for (unsigned i = 0; i < n; i++) {
		put_le64(smap + i * SMAP_ENTRY, map[i].start);
		put_le64(smap + i * SMAP_ENTRY + 8, map[i].size);
		put_le32(smap + i * SMAP_ENTRY + 16, map[i].type);
	}
	return put_record(to, MODINFOMD_SMAP, smap, n * SMAP_ENTRY);
}

static const char *kernel_name(const struct image *img)
{
	return strlen(img->path) < NAME_SIZE ? img->path : "kernel";
}

static void put_metadata(const struct image *img, const struct boot_args *args,
			 const struct plan *p)
{
	uint8_t *to = args->ram + p->meta;

	memset(to, 0, META_MAX);
	to = put_string(to, MODINFO_NAME, kernel_name(img));
	to = put_string(to, MODINFO_TYPE, "elf kernel");
	to = put_number(to, MODINFO_ADDR, p->elf.low);
	to = put_number(to, MODINFO_SIZE, p->elf.high - p->elf.low);
	if (p->ssym) {
		to = put_number(to, MODINFOMD_SSYM, p->ssym);
		to = put_number(to, MODINFOMD_ESYM, p->esym);
	}
	to = put_number(to, MODINFOMD_ENVP, p->env);
	to = put_number(to, MODINFOMD_HOWTO, p->howto);
	to = put_number(to, MODINFOMD_KERNEND, p->kernend);
	to = put_smap(to, args->ram_size);
	if (p->image_size) {
		to = put_string(to, MODINFO_NAME, "initrd");
		to = put_string(to, MODINFO_TYPE, "md_image");
		to = put_number(to, MODINFO_ADDR, p->image);
		to = put_number(to, MODINFO_SIZE, p->image_size);
	}
	put_record(to, MODINFO_END, NULL, 0);
}

static void put_bootinfo(const struct image *img, const struct boot_args *args,
			 const struct plan *p)
{
	uint8_t *bi = args->ram + LOW_INFO;

	memset(bi, 0, BI_END);
	put_le32(bi + BI_VERSION, BOOTINFO_VERSION);
	put_le32(bi + BI_KERNELNAME, LOW_STRINGS);
	put_le32(bi + BI_SIZE, BI_END);
	bi[BI_MEMSIZES_VALID] = 1;
	put_le32(bi + BI_BASEMEM, LOW_END >> 10);
	put_le32(bi + BI_EXTMEM, (uint32_t)((args->ram_size - HIGH_START) >> 10));
	put_le32(bi + BI_SYMTAB, (uint32_t)p->ssym);
	put_le32(bi + BI_ESYMTAB, (uint32_t)p->esym);
	put_le32(bi + BI_KERNEND, (uint32_t)p->kernend);
	put_le32(bi + BI_ENVP, (uint32_t)p->env);
	put_le32(bi + BI_MODULEP, (uint32_t)p->meta);
	strcpy((char *)args->ram + LOW_STRINGS, kernel_name(img));
}

/* btext(howto, bootdev, 0, 0, 0, bootinfo); a return address of 0 would mean a boot loader
 * of 1993. */
static void put_call(struct vcpu *cpu, uint8_t *ram, uint32_t howto)
{
	const uint32_t frame[] = { LOW_INFO, howto, 0, 0, 0, 0, LOW_INFO };

	cpu->gpr[R_ESP] = LOW_INFO - sizeof frame;
	for (unsigned i = 0; i < sizeof frame / sizeof *frame; i++)
		put_le32(ram + cpu->gpr[R_ESP] + 4 * i, frame[i]);
}

static int place(struct image *img, const struct boot_args *args, struct vcpu *cpu,
		 const struct plan *p, struct error *e)
{
	pc_bios_data(args->ram);
	elf_place(&p->elf, args->ram);
	if (p->image_size &&
	    boot_file_read(args, args->initrd, "memory disk", args->ram + p->image,
			   p->image_size, e))
		return -1;
	put_symbols(args, p);
	memcpy(args->ram + p->env, p->vars, p->nvars + 1);
	put_metadata(img, args, p);
	put_bootinfo(img, args, p);
	pc_enter(cpu, args->ram, 0x10, p->entry);
	put_call(cpu, args->ram, p->howto);
	return 0;
}

static int plan_kernel(const struct image *img, struct plan *p, struct error *e)
{
	if (elf_layout(img, &p->elf, e) || elf_entry(img, &p->elf, &p->entry, e))
		return -1;
	for (unsigned i = 0; i < p->elf.nseg; i++) {
		const struct elf_segment *s = &p->elf.seg[i];

		if (range_check(img, s->paddr, s->paddr + s->memsz, e))
			return -1;
	}
	return 0;
}

int freebsd_load(struct image *img, const struct boot_args *args, struct vcpu *cpu,
		 struct error *e)
{
	struct plan *p = calloc(1, sizeof *p);
	int r = -1;

	if (!p)
		return fail(e, ST_HOST, "%s: no memory to load the kernel", img->path);
	if (!plan_kernel(img, p, e) && !plan_environment(img, args, p, e) &&
	    !plan_memory(img, args, p, e))
		r = place(img, args, cpu, p, e);
	free(p);
	return r;
}

bool freebsd_wants_ide(const struct image *img)
{
	(void)img;
	return true;
}

void freebsd_describe(const struct image *img, FILE *out)
{
	char version[IMAGE_VERSION_SIZE];

	fprintf(out, "FreeBSD kernel (ELF), booted with bootinfo and metadata\n");
	if (image_banner(img, banner, version))
		fprintf(out, "  version %s\n", version);
}
