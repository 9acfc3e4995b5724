/* SPDX-License-Identifier: BSD-2-Clause */
/* What network chips know of Ethernet (IEEE 802.3). */
#ifndef LILYVM_DEVEMU_ETHER_H
#define LILYVM_DEVEMU_ETHER_H

#include <stdbool.h>
#include <stdint.h>

#define ETHER_ADDR 6u
#define ETHER_HEADER 14u
#define ETHER_MIN 60u		/* what is shorter was padded on the wire (4.2.3.3) */
#define ETHER_MAX 1518u		/* with a VLAN tag */
#define ETHER_FCS 4u

static inline bool ether_is_multicast(const uint8_t *addr)
{
	return addr[0] & 1;
}

static inline bool ether_is_broadcast(const uint8_t *addr)
{
	return (addr[0] & addr[1] & addr[2] & addr[3] & addr[4] & addr[5]) == 0xff;
}

static inline bool ether_same(const uint8_t *a, const uint8_t *b)
{
	return !((a[0] ^ b[0]) | (a[1] ^ b[1]) | (a[2] ^ b[2]) | (a[3] ^ b[3]) | (a[4] ^ b[4]) |
		 (a[5] ^ b[5]));
}

/* The CRC register after n bytes (3.2.9), lowest bit first; begin with ~0.  Its
 * complement, lowest byte first, is the FCS. */
static inline uint32_t ether_crc(uint32_t crc, const uint8_t *p, uint32_t n)
{
	for (; n; n--, p++) {
		crc ^= *p;
		for (unsigned i = 0; i < 8; i++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
	}
	return crc;
}

/* Is addr's bit set in a table of 64?  Its number is the CRC's first six bits, as
 * the chips of National Semiconductor, Realtek and others have it. */
static inline bool ether_in_hash(const uint8_t table[8], const uint8_t *addr)
{
	uint32_t crc = ether_crc(~0u, addr, ETHER_ADDR);
	unsigned bit = 0;

	for (unsigned i = 0; i < 6; i++)
		bit = bit << 1 | (crc >> i & 1);
	return table[bit >> 3] >> (bit & 7) & 1;
}

#endif
