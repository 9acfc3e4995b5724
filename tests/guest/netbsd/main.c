/* SPDX-License-Identifier: BSD-2-Clause */
/* What a NetBSD-style kernel finds in the Multiboot information. */
#include "guest.h"
#include "high.h"

#define MULTIBOOT_BOOTLOADER_MAGIC 0x2badb002

/* NetBSD identifies itself by such a string. */
const char sccs[] __attribute__((used)) = "@(#)NetBSD 6 (guest kernel)";

enum { HAS_MEMORY = 0x1, HAS_CMDLINE = 0x4, HAS_SECTIONS = 0x20, HAS_MMAP = 0x40 };

struct info {
	uint32_t flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr;
	uint32_t sections, section_size, section_addr, section_names;
	uint32_t mmap_length, mmap_addr;
};

struct section { uint32_t name, type, flags, addr, offset, size, link, info, align, entsize; };
struct symbol { uint32_t name, value, size; uint8_t info, other; uint16_t section; };

static bool equal(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

/* Physical memory is mapped at its own address, too. */
static const void *at(uint32_t phys)
{
	return (const void *)phys;
}

/* Everything behind the first word, the kernel's file name. */
static void print_cmdline(const char *s)
{
	while (*s && *s != ' ')
		s++;
	printf("command line:%s\n", s);
}

static void print_map(const struct info *in)
{
	for (uint32_t a = in->mmap_addr; a < in->mmap_addr + in->mmap_length;) {
		const uint32_t *e = at(a);

		/* The first MiB differs from one BIOS to the next. */
		if (e[5] == 1 && e[1] == 0x100000)
			printf("memory at %x\n", e[1]);
		a += e[0] + 4;
	}
}

/* QEMU's loader gives no sections, as a kernel without symbols has none. */
static const struct section *symbol_table(const struct info *in)
{
	const struct section *s = at(in->section_addr);

	for (uint32_t i = 0; in->flags & HAS_SECTIONS && i < in->sections; i++)
		if (s[i].type == 2)
			return &s[i];
	return NULL;
}

static const char *find_main(const struct info *in)
{
	const struct section *tab = symbol_table(in), *sections = at(in->section_addr);
	const struct symbol *sym = tab ? at(tab->addr) : NULL;
	const char *names = tab ? at(sections[tab->link].addr) : NULL;

	for (uint32_t i = 0; tab && i < tab->size / sizeof *sym; i++)
		if (equal(names + sym[i].name, "main"))
			return sym[i].value == (uint32_t)main ? "right" : "wrong";
	return "missing";
}

int main(uint32_t magic, const void *info)
{
	const struct info *in = info;

	printf("magic %s\n", magic == MULTIBOOT_BOOTLOADER_MAGIC ? "right" : "wrong");
	printf("running at %x\n", (uint32_t)main & 0xfff00000);
	printf("warm boot flag %x\n", peek(KERNBASE + 0x472) & 0xffff);
	printf("memory %u, command line %u, map %u\n", in->flags & HAS_MEMORY,
	       !!(in->flags & HAS_CMDLINE), !!(in->flags & HAS_MMAP));
	printf("upper memory %u KiB\n", in->mem_upper / 1024 * 1024);
	print_cmdline(at(in->cmdline));
	print_map(in);
	printf("modules %u\n", in->mods_count);
	printf("main's symbol %s\n", find_main(in));
	return 0;
}
