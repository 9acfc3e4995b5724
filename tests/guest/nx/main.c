/* SPDX-License-Identifier: BSD-2-Clause */
/* Execute-disable: fetches from user and kernel mode, both levels, EFER.NXE. */
#include "pae.h"

#define VA 0x40000000u
#define MSR_EFER 0xc0000080u
#define NXE 0x800u

static struct pae p;
static uint8_t *code;			/* at VA; physical is virtual */
static uint64_t *table;

static void set(uint64_t pde, uint64_t pte)
{
	*pae_pde(&p, VA) = (uint32_t)table | PTE_P | PTE_W | PTE_U | pde;
	table[0] = (uint32_t)code | PTE_P | PTE_W | PTE_U | pte;
	invlpg(VA);
	write_cr3((uint32_t)p.pdpt);
}

static void user(const char *name)
{
	struct trap_frame f = user_start((void *)VA);

	user_enter(&f);
	printf("%s, user: vector %x error %x eip %x eax %x\n", name, f.vector, f.error, f.eip,
	       f.eax);
}

static void kernel(const char *name)
{
	TRY("movl $0x40000010, %%eax; call *%%eax");
	printf("%s, kernel: vector %u error %x cr2 %x\n", name, caught.vector, caught.error,
	       caught.cr2);
}

static void both(const char *name)
{
	user(name);
	kernel(name);
}

int main(uint32_t magic, const void *info)
{
	/* mov $0x1234,%eax; int $0x80, and at 16: ret */
	static const uint8_t text[] = { 0xb8, 0x34, 0x12, 0, 0, 0xcd, 0x80 };
	/* mov $0x5678,%eax over the end of a page. */
	static const uint8_t tail[] = { 0xb8, 0x78, 0x56, 0, 0, 0xcd, 0x80 };
	struct trap_frame f;

	(void)magic, (void)info;
	trap_init();
	user_init();
	write_msr(MSR_EFER, read_msr(MSR_EFER) | NXE);
	p = pae_new();
	code = page_alloc();
	page_alloc();
	table = page_alloc();
	memcpy(code, text, sizeof(text));
	code[16] = 0xc3;
	memcpy(code + PAGE - 3, tail, sizeof(tail));
	pae_on(&p);
	set(0, 0);
	both("allowed");
	set(0, PAE_NX);
	both("pte");
	printf("data: %x\n", peek(VA) & 0xff);
	poke(VA + 32, 5);
	set(0, 0);
	both("allowed again");
	set(PAE_NX, 0);
	both("pde");
	set(0, 0);
	table[1] = ((uint32_t)code + PAGE) | PTE_P | PTE_W | PTE_U | PAE_NX;
	f = user_start((void *)(VA + PAGE - 3));
	user_enter(&f);
	printf("over a page's end: vector %x error %x eip %x\n", f.vector, f.error, f.eip);
	table[1] &= ~PAE_NX;
	invlpg(VA + PAGE);
	f = user_start((void *)(VA + PAGE - 3));
	user_enter(&f);
	printf("allowed: vector %x eax %x\n", f.vector, f.eax);
	/* Not mapped: the fetch is told, too. */
	table[0] = 0;
	invlpg(VA);
	both("not present");
	return 0;
}
