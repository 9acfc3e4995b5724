/* SPDX-License-Identifier: BSD-2-Clause */
/* Tries a network card on a user network: DHCP, ARP, pings. */
#ifndef NETTRY_H
#define NETTRY_H

#include "guest.h"

#define FRAME_MAX 1514u

struct card {
	uint8_t mac[6];
	unsigned irq;
	void (*send)(const uint8_t *frame, uint32_t len);
	/* The next frame's length, or 0. */
	uint32_t (*receive)(uint8_t frame[FRAME_MAX]);
	/* Takes back the interrupt; what has come is read later. */
	void (*interrupt)(void);
};

/* Prints what happens; receives by interrupts. */
void net_try(const struct card *c);

#endif
