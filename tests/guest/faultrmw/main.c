/* SPDX-License-Identifier: BSD-2-Clause */
/* #PF by instructions that read and write the same place: a CPU asks for the
 * right to write from the start, so the W bit is set (seen on hardware). */
#include "guest.h"

#define VA 0x40000000u

USER_CODE(user_inc, "incl 0x40000124");
USER_CODE(user_cmpxchg, "lock; cmpxchgl %ecx, 0x40000124");
USER_CODE(user_xchg, "xchgl %eax, 0x40000124");
USER_CODE(user_bts, "btsl $1, 0x40000124");
USER_CODE(user_shl, "shll $1, 0x40000124");
USER_CODE(user_cmp, "cmpl $1, 0x40000124");
USER_CODE(user_bt, "btl $1, 0x40000124");

static void user(const char *name, const void *code)
{
	struct trap_frame f = user_start(code);

	user_enter(&f);
	printf(" %s %x", name, f.vector == 14 ? f.error : f.vector);
}

int main(uint32_t magic, const void *info)
{
	static const struct { const char *name; uint32_t flags; } rights[] = {
		{ "absent", 0 }, { "supervisor", 3 }, { "read-only", 5 }, { "writable", 7 },
	};
	uint32_t *dir;
	void *page;

	(void)magic, (void)info;
	trap_init();
	user_init();
	dir = paging_new();
	page = page_alloc();
	paging_on(dir);
	write_cr0(read_cr0() | CR0_WP);
	for (size_t i = 0; i < 4; i++) {
		page_map(dir, VA, page, rights[i].flags);
		invlpg(VA);
		printf("%s:", rights[i].name);
		TRY("lock; addl $0, 0x40000124");
		printf(" kernel %x, user", caught.vector == 14 ? caught.error : caught.vector);
		user("inc", user_inc);
		user("cmpxchg", user_cmpxchg);
		user("xchg", user_xchg);
		user("bts", user_bts);
		user("shl", user_shl);
		user("cmp", user_cmp);
		user("bt", user_bt);
		printf("\n");
	}
	return 0;
}
