/* SPDX-License-Identifier: BSD-2-Clause */
/* Wide ports and PCI configuration space (mechanism 1), for kernels that drive devices. */
#ifndef GUEST_PCI_H
#define GUEST_PCI_H

#include "guest.h"

#define PCI_NONE 0xffffffffu

static inline void outw(uint16_t port, uint16_t v)
{
	asm volatile("outw %0, %1" : : "a"(v), "Nd"(port));
}

static inline uint16_t inw(uint16_t port)
{
	uint16_t v;

	asm volatile("inw %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

static inline void outl(uint16_t port, uint32_t v)
{
	asm volatile("outl %0, %1" : : "a"(v), "Nd"(port));
}

static inline uint32_t inl(uint16_t port)
{
	uint32_t v;

	asm volatile("inl %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

static inline void insw(uint16_t port, void *to, uint32_t words)
{
	asm volatile("rep insw" : "+D"(to), "+c"(words) : "d"(port) : "memory");
}

static inline void outsw(uint16_t port, const void *from, uint32_t words)
{
	asm volatile("rep outsw" : "+S"(from), "+c"(words) : "d"(port) : "memory");
}

/* fn is a function's bits 8-15 of the configuration address: device << 11 | function << 8. */
static inline uint32_t pci_read(uint32_t fn, uint32_t reg)
{
	outl(0xcf8, 0x80000000u | fn | (reg & 0xfc));
	return inl(0xcfc);
}

static inline void pci_write(uint32_t fn, uint32_t reg, uint32_t v)
{
	outl(0xcf8, 0x80000000u | fn | (reg & 0xfc));
	outl(0xcfc, v);
}

/* The first function with this device << 16 | vendor, or PCI_NONE. */
static inline uint32_t pci_find(uint32_t id)
{
	for (uint32_t fn = 0; fn < 0x10000; fn += 0x100)
		if (pci_read(fn, 0) == id)
			return fn;
	return PCI_NONE;
}

#endif
