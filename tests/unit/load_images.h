/* SPDX-License-Identifier: BSD-2-Clause */
/* Small kernel images, built in memory, for the loader's test and fuzzer. */
#ifndef LOAD_IMAGES_H
#define LOAD_IMAGES_H

#include "monitor/bytes.h"
#include "types.h"	/* before elf.h, which has a PF_W of the same value */

#include <elf.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* The ELF kernel: .text (0x400 bytes), .data (0x200) and .bss (0x1000) at
 * IMG_VIRT, loaded at IMG_PHYS; entry at .text + 0x40; symbols start (0x40,
 * size 0x20) and label (0x80, no size). */
#define IMG_VIRT 0xc0100000u
#define IMG_PHYS 0x00100000u
#define IMG_ENTRY 0x40u
#define IMG_TEXT_OFF 0x1000u
#define IMG_TEXT_SIZE 0x400u
#define IMG_DATA_OFF 0x2000u
#define IMG_DATA_SIZE 0x200u
#define IMG_BSS_SIZE 0x1000u
#define IMG_ELF_SIZE 0x2600u
#define IMG_SETUP 0xa00u

enum image_flags {
	IMG_LINUX = 1,			/* has Linux' banner */
	IMG_MULTIBOOT = 2,		/* has a Multiboot header */
	IMG_OLD = 4,			/* p_paddr == p_vaddr, as Linux 2.4 */
	IMG_STRIPPED = 8,		/* no section headers */
	IMG_FREEBSD = 16,		/* has FreeBSD's banner */
	IMG_NETBSD = 32,		/* has NetBSD's banner */
};

static inline void build_symbols(uint8_t *f)
{
	static const char strtab[] = "\0start\0label\0data";
	static const char names[] = "\0.text\0.data\0.bss\0.symtab\0.strtab\0.shstrtab";
	const Elf32_Sym sym[] = {
		{ 0 },
		{ 1, IMG_VIRT + 0x40, 0x20, ELF32_ST_INFO(STB_GLOBAL, STT_FUNC), 0, 1 },
		{ 7, IMG_VIRT + 0x80, 0, ELF32_ST_INFO(STB_LOCAL, STT_NOTYPE), 0, 1 },
		{ 13, IMG_VIRT + 0x1000, 4, ELF32_ST_INFO(STB_GLOBAL, STT_OBJECT), 0, 2 },
	};
	const Elf32_Shdr sh[] = {
		{ 0 },
		{ 1, SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, IMG_VIRT, IMG_TEXT_OFF, IMG_TEXT_SIZE,
		  0, 0, 16, 0 },
		{ 7, SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, IMG_VIRT + 0x1000, IMG_DATA_OFF,
		  IMG_DATA_SIZE, 0, 0, 16, 0 },
		{ 13, SHT_NOBITS, SHF_ALLOC | SHF_WRITE, IMG_VIRT + 0x1000 + IMG_DATA_SIZE,
		  IMG_DATA_OFF + IMG_DATA_SIZE, IMG_BSS_SIZE, 0, 0, 16, 0 },
		{ 18, SHT_SYMTAB, 0, 0, 0x2200, sizeof sym, 5, 3, 4, sizeof *sym },
		{ 26, SHT_STRTAB, 0, 0, 0x2300, sizeof strtab, 0, 0, 1, 0 },
		{ 34, SHT_STRTAB, 0, 0, 0x2340, sizeof names, 0, 0, 1, 0 },
	};
	_Static_assert(0x2400 + sizeof sh <= IMG_ELF_SIZE, "section headers fit");

	memcpy(f + 0x2200, sym, sizeof sym);
	memcpy(f + 0x2300, strtab, sizeof strtab);
	memcpy(f + 0x2340, names, sizeof names);
	memcpy(f + IMG_ELF_SIZE - sizeof sh, sh, sizeof sh);
	((Elf32_Ehdr *)f)->e_shoff = IMG_ELF_SIZE - sizeof sh;
	((Elf32_Ehdr *)f)->e_shnum = sizeof sh / sizeof *sh;
	((Elf32_Ehdr *)f)->e_shstrndx = 6;
}

/* IMG_ELF_SIZE bytes, to be freed. */
static inline uint8_t *build_elf(unsigned flags)
{
	uint8_t *f = calloc(1, IMG_ELF_SIZE);
	const uint32_t off = flags & IMG_OLD ? 0 : IMG_VIRT - IMG_PHYS;
	const Elf32_Ehdr eh = {
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS32, ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_EXEC, .e_machine = EM_386, .e_version = EV_CURRENT,
		.e_entry = IMG_VIRT + IMG_ENTRY, .e_phoff = sizeof eh, .e_ehsize = sizeof eh,
		.e_phentsize = sizeof(Elf32_Phdr), .e_phnum = 2, .e_shentsize = sizeof(Elf32_Shdr),
	};
	const Elf32_Phdr ph[] = {
		{ PT_LOAD, IMG_TEXT_OFF, IMG_VIRT, IMG_VIRT - off, IMG_TEXT_SIZE, IMG_TEXT_SIZE,
		  PF_R | PF_X, 0x1000 },
		{ PT_LOAD, IMG_DATA_OFF, IMG_VIRT + 0x1000, IMG_VIRT + 0x1000 - off, IMG_DATA_SIZE,
		  IMG_DATA_SIZE + IMG_BSS_SIZE, PF_R | PF_W, 0x1000 },
	};

	memcpy(f, &eh, sizeof eh);
	memcpy(f + sizeof eh, ph, sizeof ph);
	memset(f + IMG_TEXT_OFF, 0x90, IMG_TEXT_SIZE);
	memset(f + IMG_DATA_OFF, 0xda, IMG_DATA_SIZE);
	if (flags & IMG_LINUX)
		memcpy(f + IMG_DATA_OFF, "Linux version 6.1.0", 20);
	if (flags & IMG_FREEBSD)
		memcpy(f + IMG_DATA_OFF, "@(#)FreeBSD 10.4-RELEASE #0: now", 33);
	if (flags & IMG_NETBSD)
		memcpy(f + IMG_DATA_OFF, "@(#)NetBSD 6.1.5 (GENERIC)\n", 28);
	if (flags & IMG_MULTIBOOT) {
		put_le32(f + IMG_TEXT_OFF, 0x1badb002);
		put_le32(f + IMG_TEXT_OFF + 4, 3);
		put_le32(f + IMG_TEXT_OFF + 8, 0u - (0x1badb002u + 3));
	}
	if (!(flags & IMG_STRIPPED))
		build_symbols(f);
	return f;
}

/* A bzImage around n bytes of payload, at 0x100 in the protected-mode part. */
static inline uint8_t *build_bzimage(uint16_t protocol, const uint8_t *payload, size_t n,
				     size_t *size)
{
	size_t code = (0x100 + n + 15) & ~(size_t)15;
	uint8_t *f = calloc(1, IMG_SETUP + code);

	f[0x1f1] = IMG_SETUP / 512 - 1;
	put_le32(f + 0x1f4, (uint32_t)(code / 16));
	put_le16(f + 0x1fe, 0xaa55);
	f[0x200] = 0xeb;
	f[0x201] = 0x66;			/* the header ends at 0x268 */
	memcpy(f + 0x202, "HdrS", 4);
	put_le16(f + 0x206, protocol);
	put_le16(f + 0x20e, 0x100);
	memcpy(f + 0x300, "6.1.0-test", 11);
	f[0x211] = 1;				/* LOADED_HIGH */
	put_le32(f + 0x214, 0x100000);
	put_le32(f + 0x22c, 0x7fffffff);
	put_le32(f + 0x238, 2047);
	if (protocol >= 0x208) {
		put_le32(f + 0x248, 0x100);
		put_le32(f + 0x24c, (uint32_t)n);
	}
	if (protocol >= 0x20a) {
		put_le32(f + 0x258, 0x100000);
		put_le32(f + 0x260, 0x200000);
	}
	memcpy(f + IMG_SETUP + 0x100, payload, n);
	*size = IMG_SETUP + code;
	return f;
}

#endif
