/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Linux 6.1: arch/x86/include/asm/io.h, whose port accesses go to a linked device, and for
 * every other port to the functions of that header.  A linked device needs no pause: inb_p
 * and the like have none there.
 */
#pragma GCC system_header
#include_next <asm/io.h>

#if !defined(LILYVM_LINUX_IO_H) && !defined(__ASSEMBLY__)
#define LILYVM_LINUX_IO_H

#include <linux/types.h>

/* drivers/net/ethernet/8390: ne.c, lib8390.c */
#define LILY_BASES(b) ioaddr = (b), nic_base = (b), e8390_base = (b)
#include <lilyvm/link.h>

#define LILY_LINUX_PORT(l, type, size)							\
LILY_INLINE type lily_in##l(u16 port, int formal)					\
{											\
	uint32_t v;									\
											\
	return lily_in(port, formal, size, &v) ? (type)v : in##l(port);			\
}											\
											\
LILY_INLINE type lily_in##l##_p(u16 port, int formal)					\
{											\
	return lily_linked(port) ? lily_in##l(port, formal) : in##l##_p(port);		\
}											\
											\
LILY_INLINE void lily_out##l(type v, u16 port, int formal)				\
{											\
	if (!lily_out(port, formal, size, v))						\
		out##l(v, port);							\
}											\
											\
LILY_INLINE void lily_out##l##_p(type v, u16 port, int formal)				\
{											\
	if (lily_linked(port))								\
		lily_out##l(v, port, formal);						\
	else										\
		out##l##_p(v, port);							\
}											\
											\
static __attribute__((unused)) void lily_ins##l(u16 port, void *to, unsigned long n)	\
{											\
	uint32_t done = lily_ins(port, size, to, n);					\
											\
	if (done < n)									\
		ins##l(port, (type *)to + done, n - done);				\
}											\
											\
static __attribute__((unused)) void lily_outs##l(u16 port, const void *from, unsigned long n)	\
{											\
	uint32_t done = lily_outs(port, size, from, n);					\
											\
	if (done < n)									\
		outs##l(port, (const type *)from + done, n - done);			\
}

/* The functions' names are macros there. */
#undef inb_p
#undef inw_p
#undef inl_p
#undef outb_p
#undef outw_p
#undef outl_p
#undef insb
#undef insw
#undef insl
#undef outsb
#undef outsw
#undef outsl
LILY_LINUX_PORT(b, u8, 1)
LILY_LINUX_PORT(w, u16, 2)
LILY_LINUX_PORT(l, u32, 4)

#undef inb
#undef inw
#undef inl
#undef outb
#undef outw
#undef outl
#define inb(port) lily_inb(port, LILY_FORMAL(port))
#define inw(port) lily_inw(port, LILY_FORMAL(port))
#define inl(port) lily_inl(port, LILY_FORMAL(port))
#define inb_p(port) lily_inb_p(port, LILY_FORMAL(port))
#define inw_p(port) lily_inw_p(port, LILY_FORMAL(port))
#define inl_p(port) lily_inl_p(port, LILY_FORMAL(port))
#define outb(v, port) lily_outb(v, port, LILY_FORMAL(port))
#define outw(v, port) lily_outw(v, port, LILY_FORMAL(port))
#define outl(v, port) lily_outl(v, port, LILY_FORMAL(port))
#define outb_p(v, port) lily_outb_p(v, port, LILY_FORMAL(port))
#define outw_p(v, port) lily_outw_p(v, port, LILY_FORMAL(port))
#define outl_p(v, port) lily_outl_p(v, port, LILY_FORMAL(port))
#define insb(port, to, n) lily_insb(port, to, n)
#define insw(port, to, n) lily_insw(port, to, n)
#define insl(port, to, n) lily_insl(port, to, n)
#define outsb(port, from, n) lily_outsb(port, from, n)
#define outsw(port, from, n) lily_outsw(port, from, n)
#define outsl(port, from, n) lily_outsl(port, from, n)

#endif
