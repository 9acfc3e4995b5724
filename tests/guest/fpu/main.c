/* SPDX-License-Identifier: BSD-2-Clause */
/* x87 and SSE registers over user mode, traps, saves and loads in the kernel. */
#include "guest.h"

struct fxsave {
	uint16_t fcw, fsw;
	uint8_t ftw, r;
	uint16_t fop;
	uint32_t fip, fcs, fdp, fds, mxcsr, mask;
	uint8_t st[8][16], xmm[8][16], reserved[224];
};
struct fsave {
	uint32_t fcw, fsw, ftw, fip, fcs, fdp, fds;
	uint8_t st[8][10];
} __attribute__((packed));

struct fxsave fx __attribute__((aligned(16))), fx2 __attribute__((aligned(16)));
struct fsave fs;
uint32_t user_word, user_xmm[4] __attribute__((aligned(16)));

USER_CODE(user_fill, "fninit; fld1; fldpi; fldl2e; movl $0x1f81, user_word; ldmxcsr user_word\n\t"
	  "movl $0x11111111, %eax; movd %eax, %xmm0; movd %eax, %xmm7; pshufd $0, %xmm7, %xmm7");
USER_CODE(user_add, "faddp; fistpl user_word; movups %xmm7, user_xmm");

static void image(const char *name, const struct fxsave *p)
{
	printf("%s: fcw %x fsw %x ftw %x mxcsr %x st0 %02x%02x%02x xmm0 %x xmm7 %x\n", name, p->fcw,
	       p->fsw, p->ftw, p->mxcsr, p->st[0][9], p->st[0][8], p->st[0][7], p->xmm[0][0],
	       p->xmm[7][15]);
}

static void fsave_image(const char *name)
{
	printf("%s: fcw %x fsw %x ftw %x st0 %02x%02x\n", name, fs.fcw & 0xffff, fs.fsw & 0xffff,
	       fs.ftw & 0xffff, fs.st[0][9], fs.st[0][8]);
}

static void user(const void *code)
{
	struct trap_frame f = user_start(code);

	user_enter(&f);
	if (f.vector != 0x80)
		frame_print("unexpected", &f, code);
}

int main(uint32_t magic, const void *info)
{
	(void)magic, (void)info;
	trap_init();
	user_init();
	write_cr4(CR4_OSFXSR);
	asm volatile("fninit; fxsave fx");
	printf("fninit: fcw %x fsw %x ftw %x\n", fx.fcw, fx.fsw, fx.ftw);
	user(user_fill);
	asm volatile("fxsave fx");
	image("user's, fxsave", &fx);
	memset(&fx2, 0xff, sizeof(fx2));
	asm volatile("fxsave fx2");
	image("again", &fx2);
	/* fnsave stores and initializes. */
	asm volatile("fnsave fs; fxsave fx2");
	fsave_image("fnsave");
	image("behind fnsave", &fx2);
	/* Back by frstor: the SSE part is not its business. */
	asm volatile("frstor fs; fxsave fx2");
	image("behind frstor", &fx2);
	user(user_add);
	printf("user: %u %x\n", user_word, user_xmm[3]);
	/* The kernel's own use between two user runs. */
	asm volatile("fxrstor fx");
	user(user_fill);
	asm volatile("fxsave fx; fninit; fldz; fld1; fnsave fs; fxrstor fx");
	fsave_image("kernel's");
	user(user_add);
	printf("user: %u %x\n", user_word, user_xmm[3]);
	/* An image changed in memory reaches user mode. */
	memset(fx.xmm[7], 0x77, 16);
	asm volatile("fxrstor fx");
	user(user_add);
	printf("user: %u %x\n", user_word, user_xmm[3]);
	return 0;
}
