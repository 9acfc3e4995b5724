/* SPDX-License-Identifier: BSD-2-Clause */
/* #PF: error codes and CR2 for every right, access and mode; CR0.WP both ways. */
#include "guest.h"

#define VA 0x40000000u

static uint32_t *dir;

USER_CODE(user_read, "movl 0x40000124, %eax");
USER_CODE(user_write, "movl %eax, 0x40000124");
USER_CODE(user_exec, "movl $0x40000124, %eax; jmp *%eax");
USER_CODE(user_push, "movl $0x40000128, %esp; pushl %eax");
USER_CODE(user_movs, "movl $0x40000124, %esi; movl %esp, %edi; subl $16, %edi; movsl");
USER_CODE(user_movs_to, "movl $0x40000124, %edi; movl %esp, %esi; subl $16, %esi; movsl");
USER_CODE(user_stos, "movl $0x40000124, %edi; movl $4, %ecx; rep stosl");
USER_CODE(user_fst, "fstl 0x40000124");
USER_CODE(user_fld, "fldl 0x40000124");
USER_CODE(user_movups, "movups %xmm0, 0x40000124");
USER_CODE(user_call, "movl $0x40000128, %esp; call 1f; 1:");
USER_CODE(user_int80, "movl $0x40000128, %esp");

static const struct { const char *name; const void *code;
} accesses[] = {
	{"read", user_read},
	{"write", user_write},
	{"exec", user_exec},
	{"push", user_push},
	{"movs from", user_movs},
	{"movs to", user_movs_to},
	{"stos", user_stos},
	{"fst", user_fst},
	{"fld", user_fld},
	{"movups", user_movups},
	{"call", user_call},
	/* The user's stack pointer may point anywhere. */
	{"int $0x80 with such a stack", user_int80},
};

/* pde and pte flags; a missing table is pde 0. */
static const struct { const char *name; uint32_t pde, pte;
} rights[] = {
	{"no table", 0, 7},
	{"absent", 7, 6},
	{"supervisor, read-only", 7, 1},
	{"supervisor", 7, 3},
	{"user, read-only", 7, 5},
	{"user", 7, 7},
	{"read-only directory", 5, 7},
	{"supervisor directory", 3, 7},
};

static void set_rights(unsigned n)
{
	uint32_t table = dir[VA >> 22] & ~(PAGE - 1);
	uint32_t *pte = (uint32_t *)table + (VA >> 12 & 1023);

	*pte = (*pte & ~(PAGE - 1)) | rights[n].pte;
	dir[VA >> 22] = table | rights[n].pde;
	invlpg(VA);
	write_cr3((uint32_t)dir);
}

static void result(const char *name, uint32_t vector, uint32_t error)
{
	if (vector == 14)
		printf(" %s %x%s", name, error, read_cr2() == VA + 0x124 ? "" : " wrong cr2");
	else
		printf(" %s ok", name);
}

static void kernel_row(unsigned n, uint32_t wp)
{
	set_rights(n);
	write_cr0((read_cr0() & ~CR0_WP) | wp);
	printf("kernel, %s, WP %u:", rights[n].name, wp >> 16);
	TRY("movl 0x40000124, %%eax"); result("read", caught.vector, caught.error);
	TRY("movl %%eax, 0x40000124"); result("write", caught.vector, caught.error);
	TRY("pushl $0; popl 0x40000124"); result("pop", caught.vector, caught.error);
	TRY("movl $0x40000124, %%edi; movl $2, %%ecx; rep stosl");
	result("stos", caught.vector, caught.error);
	TRY("movl $0x40000124, %%esi; lodsl"); result("lods", caught.vector, caught.error);
	TRY("sidt 0x40000124"); result("sidt", caught.vector, caught.error);
	TRY("movw %%ds, 0x40000124"); result("mov ds", caught.vector, caught.error);
	TRY("movl $0x40000124, %%edi; movl $0x3ff, %%edx; insb");
	result("insb", caught.vector, caught.error);
	TRY("movl $0x40000124, %%esi; movl $0x3ff, %%edx; outsb");
	result("outsb", caught.vector, caught.error);
	TRY("fnstcw 0x40000124"); result("fnstcw", caught.vector, caught.error);
	printf("\n");
}

static void user_row(unsigned n)
{
	set_rights(n);
	printf("user, %s:", rights[n].name);
	for (size_t i = 0; i < sizeof(accesses) / sizeof(*accesses); i++) {
		struct trap_frame f = user_start(accesses[i].code);

		*(uint16_t *)(*page_entry(dir, VA) & ~(PAGE - 1)) = 0;
		/* int $0x80 for user_exec to arrive at */
		*(uint16_t *)((*page_entry(dir, VA) & ~(PAGE - 1)) + 0x124) = 0x80cd;
		user_enter(&f);
		result(accesses[i].name, f.vector, f.error);
	}
	printf("\n");
}

int main(uint32_t magic, const void *info)
{
	(void)magic, (void)info;
	trap_init();
	user_init();
	write_cr4(CR4_OSFXSR);
	asm volatile("fninit");
	dir = paging_new();
	page_map(dir, VA, page_alloc(), 7);
	paging_on(dir);
	for (unsigned n = 0; n < sizeof(rights) / sizeof(*rights); n++) {
		kernel_row(n, 0);
		kernel_row(n, CR0_WP);
		user_row(n);
	}
	return 0;
}
