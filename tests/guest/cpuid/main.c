/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CPUID agrees with itself, in kernel mode and user mode, and with what works.  The
 * guests cpupentium* run this with other models; STRICT: what is not advertised does
 * not work (of the instructions that LilyVM sees).
 */
#include "guest.h"

#ifndef STRICT
#define STRICT false
#endif

struct regs { uint32_t a, b, c, d; };

static struct regs cpuid(uint32_t leaf)
{
	struct regs r;

	asm volatile("cpuid" : "=a"(r.a), "=b"(r.b), "=c"(r.c), "=d"(r.d) : "a"(leaf), "c"(0));
	return r;
}

USER_CODE(user_cpuid, "cpuid");

static bool same_in_user_mode(uint32_t leaf)
{
	struct trap_frame f = user_start(user_cpuid);
	struct regs r = cpuid(leaf);

	f.eax = leaf;
	f.ecx = 0;
	user_enter(&f);
	return f.vector == 0x80 && f.eax == r.a && f.ebx == r.b && f.ecx == r.c && f.edx == r.d;
}

/* Each feature bit against an attempt to use it. */
static void feature(const char *name, unsigned bit, bool works)
{
	bool said = cpuid(1).d >> bit & 1;

	printf("%s: %s\n", name, said && !works ? "advertised, does not work" : "consistent");
}

/* The same of what can be refused. */
static void strict(const char *name, unsigned bit, bool works)
{
	bool said = cpuid(1).d >> bit & 1;

	if (STRICT)
		printf("%s: %s, %s\n", name, said ? "advertised" : "not advertised",
		       works ? "works" : "does not work");
	else
		feature(name, bit, works);
}

#define WORKS(code) ({ TRY(code); caught.vector == NO_TRAP; })
/* The bit can be set, and is cleared again. */
#define CR4_TAKES(bit) \
	WORKS("movl %%cr4, %%eax; orl $" bit ", %%eax; movl %%eax, %%cr4\n\t" \
	      "andl $~" bit ", %%eax; movl %%eax, %%cr4")

int main(uint32_t magic, const void *info)
{
	(void)magic, (void)info;
	trap_init();
	user_init();
	printf("leaf 0 %s, leaf 1 %s\n", cpuid(0).a >= 1 ? "names leaf 1" : "ends early",
	       cpuid(1).d & 1 ? "has an FPU" : "has no FPU");
	printf("user mode: leaf 0 %s, leaf 1 %s\n", same_in_user_mode(0) ? "same" : "differs",
	       same_in_user_mode(1) ? "same" : "differs");
	if (STRICT)
		printf("signature %x, edx %x, ecx %x, at most leaf %x\n", cpuid(1).a, cpuid(1).d,
		       cpuid(1).c, cpuid(0).a);
	strict("DE", 2, CR4_TAKES("8"));
	strict("PSE", 3, CR4_TAKES("0x10"));
	feature("TSC", 4, WORKS("rdtsc"));
	strict("MSR", 5, WORKS("movl $0x10, %%ecx; rdmsr"));
	strict("PAE", 6, CR4_TAKES("0x20"));
	feature("MCE", 7, CR4_TAKES("0x40"));
	feature("CX8", 8, WORKS("pushl $0; pushl $0; cmpxchg8b (%%esp); addl $8, %%esp"));
	feature("APIC", 9, WORKS("movl $0x1b, %%ecx; rdmsr"));
	strict("SEP", 11, WORKS("movl $0x174, %%ecx; rdmsr"));
	feature("MTRR", 12, WORKS("movl $0xfe, %%ecx; rdmsr"));
	strict("PGE", 13, CR4_TAKES("0x80"));
	feature("MCA", 14, WORKS("movl $0x179, %%ecx; rdmsr"));
	feature("CMOV", 15, WORKS("cmovzl %%eax, %%eax"));
	strict("PAT", 16, WORKS("movl $0x277, %%ecx; rdmsr"));
	feature("CLFSH", 19, WORKS("clflush (%%esp)"));
	feature("MMX", 23, WORKS("movd %%eax, %%mm0; emms"));
	strict("FXSR", 24, CR4_TAKES("0x200"));
	if (STRICT) {
		strict("fxsave", 24, WORKS("fxsave fxsave_area"));
		strict("OSXMMEXCPT", 25, CR4_TAKES("0x400"));
	}
	if (cpuid(1).d >> 24 & 1)
		write_cr4(CR4_OSFXSR);
	feature("SSE", 25, WORKS("xorps %%xmm0, %%xmm0"));
	feature("SSE2", 26, WORKS("xorpd %%xmm0, %%xmm0"));
	return 0;
}
asm(".pushsection .bss; .balign 16; fxsave_area: .skip 512; .popsection");
