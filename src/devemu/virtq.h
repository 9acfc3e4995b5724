/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The device's side of a split virtqueue (virtio 1.1, 2.6).  Everything in
 * guest memory is hostile: each access is checked against RAM, each index
 * against its table, and a chain is followed for no more steps than its table
 * has entries.
 */
#ifndef LILYVM_DEVEMU_VIRTQ_H
#define LILYVM_DEVEMU_VIRTQ_H

#include "devemu/devemu.h"

/* A piece of guest memory. */
struct virtq_seg {
	uint64_t gpa;
	uint8_t *ptr;
	uint32_t len;
};

/* The longest chain that is taken, in pieces. */
#define VIRTQ_MAX_SEGS DEV_BLOCK_MAX_IOV

/* A request of the driver: seg[0..nout) is for the device to read, the nin
 * pieces after it to write. Empty descriptors have been dropped. */
struct virtq_chain {
	uint16_t head;
	uint16_t nout, nin;
	struct virtq_seg seg[VIRTQ_MAX_SEGS];
};

struct virtq {
	uint64_t desc, avail, used;	/* guest-physical addresses of the three areas */
	uint16_t num;			/* entries: a power of two */
	uint16_t last_avail;		/* the next entry of the available ring to take */
	uint16_t used_idx;		/* entries put into the used ring, modulo 65536 */
	bool ready;			/* the driver has set it up */
	bool indirect, event_idx;	/* negotiated */
};

enum virtq_result {
	VIRTQ_OK,
	VIRTQ_EMPTY,
	VIRTQ_BAD,	/* the rings or a chain break the specification, or lie outside RAM */
};

/* *n gets how many chains the driver has made available. */
enum virtq_result virtq_available(const struct virtq *q, const struct dev_services *s,
				  uint16_t *n);
/* Takes the next chain. */
enum virtq_result virtq_pop(struct virtq *q, const struct dev_services *s,
			    struct virtq_chain *chain);
/*
 * Returns the chain that began at head, of which len bytes were written.
 * *interrupt tells whether the driver wants to be interrupted for it.
 */
enum virtq_result virtq_push(struct virtq *q, const struct dev_services *s, uint16_t head,
			     uint32_t len, bool *interrupt);
/* Asks the driver to notify as soon as it makes one more chain available. */
enum virtq_result virtq_want_notify(struct virtq *q, const struct dev_services *s);

#endif
