/* SPDX-License-Identifier: BSD-2-Clause */
/* The page-directory pointers of PAE are registers (SDM 3, 4.4.1): memory counts
 * when cr3, or a bit of cr0 or cr4 that says so, is loaded; bad ones are #GP. */
#include "pae.h"

#define VA 0x40000000u
#define FRAME (48u << 20)
#define CR4_DE 0x008u

static struct pae p;

static void look(const char *name)
{
	TRY("movl 0x40000010, %%eax");
	if (caught.vector == NO_TRAP)
		printf("%s: %x\n", name, peek(VA + 0x10));
	else
		printf("%s: vector %u error %x\n", name, caught.vector, caught.error);
}

static void load_cr3(const char *name)
{
	uint32_t before = read_cr3();

	TRY("movl bad_cr3, %%eax; movl %%eax, %%cr3");
	printf("%s: vector %u, cr3 %s\n", name, caught.vector,
	       read_cr3() == before ? "as before" : "changed");
}

uint32_t bad_cr3;

/* Reserved bits of the other levels: #PF that says so. */
static void reserved(void)
{
	volatile uint64_t *table = page_alloc();

	*pae_pde(&p, VA) = (uint32_t)table | PTE_P | PTE_W;
	invlpg(VA);
	table[0] = FRAME | PTE_P | PTE_W | 1ull << 40;
	look("bit 40 of a pte");
	table[0] = FRAME | PTE_P | PTE_W | 1ull << 63;
	look("bit 63 without NXE");
	*pae_pde(&p, VA) = FRAME | PTE_P | PTE_W | PTE_PS | 1u << 14;
	invlpg(VA);
	look("bit 14 of a large pde");
}

int main(uint32_t magic, const void *info)
{
	uint64_t *other = page_alloc();

	(void)magic, (void)info;
	trap_init();
	user_init();
	p = pae_new();
	pae_on(&p);
	*pae_pde(&p, VA) = FRAME | PTE_P | PTE_W | PTE_PS;
	other[0] = (FRAME + PAE_BIG) | PTE_P | PTE_W | PTE_PS;
	poke(VA + 0x10, 0x1111);
	p.pdpt[1] = (uint32_t)other | PTE_P;
	invlpg(VA);
	look("pointer changed");
	write_cr3(read_cr3());
	poke(VA + 0x10, 0x2222);
	look("cr3 loaded");
	p.pdpt[1] = 0;
	invlpg(VA);
	look("pointer gone");
	write_cr4(read_cr4() ^ CR4_DE);
	look("CR4.DE changed");
	write_cr4(read_cr4() ^ CR4_PGE);
	look("CR4.PGE changed");
	p.pdpt[1] = (uint32_t)p.dir[1] | PTE_P;
	write_cr0(read_cr0() ^ 0x40000000);		/* CD */
	look("CR0.CD changed");
	/* Reserved bits. */
	bad_cr3 = read_cr3();
	p.pdpt[2] |= PTE_W;
	load_cr3("a writable pointer");
	p.pdpt[2] = (uint32_t)p.dir[2] | PTE_P | 1ull << 50;
	load_cr3("bit 50");
	TRY("movl %%cr4, %%eax; xorl $0x80, %%eax; movl %%eax, %%cr4");
	printf("PGE: vector %u\n", caught.vector);
	p.pdpt[2] &= ~(uint64_t)PTE_P;
	load_cr3("not present");
	look("still there");
	reserved();
	return 0;
}
