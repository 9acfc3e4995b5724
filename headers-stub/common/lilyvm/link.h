/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A driver's port accesses, carried out by the chip's code inside of the guest kernel.
 * For the headers of headers-stub/SYSTEM, which define first
 *
 *	LILY_BASES(b)	enumerators with the value b, by the names that the system's drivers
 *			give the port base: `ioaddr = (b), ...`
 *
 * and then, by these functions, the system's own: lily_linked(port), lily_in(), lily_out(),
 * lily_ins(), lily_outs().  What these do not carry out (false, or a count that is left)
 * is to be done by the real instruction, for which the monitor has the same chip.
 *
 * The compiler shall know the register, but a driver has its port base in a variable.
 * LILY_FORMAL(port) evaluates the driver's expression with that variable's name standing for
 * the base of --link-device: a constant, or -1.  One comparison with the true port guards
 * it, so a driver that looks for its card elsewhere is right, too.
 *
 * LILY_LINK_GENERIC: nothing is specialized, to compare with.
 */
#ifndef LILYVM_LINK_H
#define LILYVM_LINK_H
#pragma GCC system_header

#include "devemu/ne2000_hot.h"
#include "runtime/abi.h"

#define LILY_INLINE static inline __attribute__((always_inline, unused))
#define LILY_STR_(x) #x
#define LILY_STR(x) LILY_STR_(x)
#define LILY_STATE ((struct ne2000_state *)RT_LINK)

/* By this note the monitor knows that the kernel needs the device. */
__asm__(".pushsection " RT_NOTE_SECTION ",\"G\",@note,lilyvm.link,comdat\n"
	".balign 4\n"
	".long 7, 16, " LILY_STR(RT_NOTE_LINK) "\n"
	".asciz \"" RT_NOTE_NAME "\"\n"
	".balign 4\n"
	".long " LILY_STR(RT_LINK_NE2000) ", " LILY_STR(NE2000_LAYOUT) ", "
	LILY_STR(LILY_LINK_NE2000_PORT) ", " LILY_STR(LILY_LINK_NE2000_IRQ) "\n"
	".popsection");

#ifdef LILY_LINK_GENERIC
#define LILY_FORMAL(port) (-1)
#else
#define LILY_FORMAL(port) __extension__ ({						\
	enum { LILY_BASES(LILY_LINK_NE2000_PORT) };					\
	__builtin_constant_p(port) ? (int)(port) : -1; })
#endif

LILY_INLINE unsigned lily_reg(unsigned port)
{
	return (port & 0xffff) - LILY_LINK_NE2000_PORT;
}

LILY_INLINE bool lily_linked(unsigned port)
{
	return lily_reg(port) < NE2000_PORTS;
}

/* The register is known at run time only. */
static __attribute__((noinline, unused)) bool lily_in_any(unsigned port, unsigned size, uint32_t *v)
{
	return lily_linked(port) && ne2000_hot_in(LILY_STATE, lily_reg(port), size, v);
}

static __attribute__((noinline, unused)) bool lily_out_any(unsigned port, unsigned size, uint32_t v)
{
	return lily_linked(port) && ne2000_hot_out(LILY_STATE, lily_reg(port), size, v);
}

LILY_INLINE bool lily_in(unsigned port, int formal, unsigned size, uint32_t *v)
{
	if (formal < 0)
		return lily_in_any(port, size, v);
	return lily_linked(formal) && (port & 0xffff) == (unsigned)formal &&
	       ne2000_hot_in(LILY_STATE, lily_reg(formal), size, v);
}

LILY_INLINE bool lily_out(unsigned port, int formal, unsigned size, uint32_t v)
{
	if (formal < 0)
		return lily_out_any(port, size, v);
	return lily_linked(formal) && (port & 0xffff) == (unsigned)formal &&
	       ne2000_hot_out(LILY_STATE, lily_reg(formal), size, v);
}

LILY_INLINE bool lily_data(unsigned port)
{
	return lily_reg(port) >> 3 == NE2000_DATA >> 3;
}

/* The count that is carried out. */
LILY_INLINE uint32_t lily_ins(unsigned port, unsigned size, void *to, uint32_t count)
{
	return lily_data(port) ? ne2000_hot_ins(LILY_STATE, size, to, count) : 0;
}

LILY_INLINE uint32_t lily_outs(unsigned port, unsigned size, const void *from, uint32_t count)
{
	return lily_data(port) ? ne2000_hot_outs(LILY_STATE, size, from, count) : 0;
}

#endif
