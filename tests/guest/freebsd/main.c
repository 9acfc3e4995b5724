/* SPDX-License-Identifier: BSD-2-Clause */
/* What a FreeBSD-style kernel finds in bootinfo, environment and metadata. */
#include "guest.h"
#include "high.h"

/* FreeBSD identifies itself by such a string. */
const char sccs[] __attribute__((used)) = "@(#)FreeBSD 10.4 (guest kernel)";

extern char end[];

struct bootinfo {
	uint32_t version, kernelname, nfs, n_bios_used, geometry[8], size;
	uint8_t memsizes_valid, bios_dev, pad[2];
	uint32_t basemem, extmem, symtab, esymtab, kernend, envp, modulep;
};

struct symbol { uint32_t name, value, size; uint8_t info, other; uint16_t section; };
struct smap { uint64_t base, length; uint32_t type; } __attribute__((packed));

enum {
	MODINFO_NAME = 1, MODINFO_TYPE = 2, MODINFO_ADDR = 3, MODINFO_SIZE = 4,
	MODINFOMD_SSYM = 0x8003, MODINFOMD_HOWTO = 0x8007, MODINFOMD_SMAP = 0x9001,
};

static bool equal(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

/* The kernel's view of a physical address. */
static const void *at(uint32_t phys)
{
	return (const void *)(phys + KERNBASE);
}

/* The file's name without its folders and what follows the first dot. */
static void print_name(const char *what, const char *path)
{
	const char *base = path;

	for (; *path; path++)
		if (*path == '/')
			base = path + 1;
	printf("%s ", what);
	for (; *base && *base != '.'; base++)
		putch(*base);
	printf("\n");
}

/* Does the region lie in the memory that the kernel keeps? */
static const char *kept(const struct bootinfo *bi, uint32_t addr)
{
	return addr >= (uint32_t)end - KERNBASE && addr < bi->kernend ? "kept" : "lost";
}

/* Variables but for the hints, which are many. */
static void print_environment(const char *env)
{
	unsigned hints = 0;

	for (; *env; env++) {
		if (env[0] == 'h' && env[1] == 'i' && env[2] == 'n' && env[3] == 't')
			hints++;
		else
			printf("environment %s\n", env);
		while (*env)
			env++;
	}
	printf("hints %s\n", hints ? "there" : "missing");
}

static void print_smap(const struct smap *s, uint32_t size)
{
	for (; size >= sizeof *s; size -= sizeof *s, s++)
		printf("smap %x %x %u\n", (uint32_t)s->base, (uint32_t)s->length, s->type);
}

/* The symbol end is rounded up to a page. */
static bool size_right(uint32_t size)
{
	return ((size + 4095) & ~4095u) == (uint32_t)end - KERNBASE - 0x400000;
}

static void print_record(uint32_t type, uint32_t size, const void *data)
{
	switch (type) {
	case MODINFO_NAME: print_name("module", data); break;
	case MODINFO_TYPE: printf("type %s\n", (const char *)data); break;
	case MODINFO_ADDR: printf("address %x\n", *(const uint32_t *)data); break;
	case MODINFO_SIZE:
		printf("size %s\n", size_right(*(const uint32_t *)data) ? "right" : "wrong");
		break;
	case MODINFOMD_HOWTO: printf("howto %x\n", *(const uint32_t *)data); break;
	case MODINFOMD_SMAP: print_smap(data, size); break;
	}
}

static void print_metadata(const uint32_t *r)
{
	for (; r[0]; r += 2 + (r[1] + 3) / 4)
		print_record(r[0], r[1], r + 2);
}

static const char *find_main(const struct bootinfo *bi)
{
	const uint32_t *table = at(bi->symtab);
	const struct symbol *sym = (const void *)(table + 1);
	const char *names = (const char *)(table + 2) + ((table[0] + 3) & ~3u);

	for (uint32_t i = 0; bi->symtab && i < table[0] / sizeof *sym; i++)
		if (equal(names + sym[i].name, "main"))
			return sym[i].value == (uint32_t)main ? "right" : "wrong";
	return "missing";
}

int main(uint32_t howto, const void *info)
{
	const struct bootinfo *bi = info;

	printf("howto %x, bootinfo version %u\n", howto, bi->version);
	printf("running at %x\n", (uint32_t)main & 0xfff00000);
	print_name("kernel", at(bi->kernelname));
	printf("memory %u + %u KiB\n", bi->basemem, bi->extmem);
	printf("environment %s, metadata %s, symbols %s\n", kept(bi, bi->envp),
	       kept(bi, bi->modulep), kept(bi, bi->symtab));
	print_environment(at(bi->envp));
	print_metadata(at(bi->modulep));
	printf("main's symbol %s\n", find_main(bi));
	return 0;
}
