/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A virtio block device (virtio 1.1, 5.2): one queue, several requests under
 * way at a time, carried out by services->block().
 *
 * Durability: with VIRTIO_BLK_F_FLUSH the device is a write-back cache until a
 * flush request is answered; a driver that did not take that feature, or that
 * cleared `writeback`, gets its writes answered only when they are durable
 * (5.2.6.2).
 */
#ifndef LILYVM_DEVEMU_VIRTIO_BLK_H
#define LILYVM_DEVEMU_VIRTIO_BLK_H

#include "devemu/devemu.h"
#include "devemu/virtio.h"

#define VIRTIO_BLK_SECTOR 512u
#define VIRTIO_BLK_QUEUE_SIZE 128u
#define VIRTIO_BLK_SLOTS 32u		/* requests under way */
#define VIRTIO_BLK_ID_SIZE 20u

/* Feature bits (5.2.3). */
#define VIRTIO_BLK_F_SEG_MAX (1ull << 2)
#define VIRTIO_BLK_F_RO (1ull << 5)
#define VIRTIO_BLK_F_BLK_SIZE (1ull << 6)
#define VIRTIO_BLK_F_FLUSH (1ull << 9)
#define VIRTIO_BLK_F_CONFIG_WCE (1ull << 11)

/* Offsets in the device's configuration (5.2.4). */
enum { VIRTIO_BLK_CAPACITY = 0, VIRTIO_BLK_SEG_MAX = 12, VIRTIO_BLK_BLK_SIZE = 20,
       VIRTIO_BLK_WRITEBACK = 32 };

/* Request types and status values (5.2.6). */
enum { VIRTIO_BLK_T_IN = 0, VIRTIO_BLK_T_OUT = 1, VIRTIO_BLK_T_FLUSH = 4,
       VIRTIO_BLK_T_GET_ID = 8 };
enum { VIRTIO_BLK_S_OK = 0, VIRTIO_BLK_S_IOERR = 1, VIRTIO_BLK_S_UNSUPP = 2 };

/* A request under way. */
struct virtio_blk_slot {
	bool busy;
	bool stale;			/* its device was reset: nobody waits for the answer */
	struct virtq_chain chain;	/* without the header and the status byte */
	struct virtq_seg status;	/* where the status byte goes */
	uint32_t read_bytes;		/* what a read will have written to the chain */
	struct dev_block_request req;
};

struct virtio_blk {
	const struct dev_services *s;	/* irq, dma, dma_wrote, block, block_drain */
	struct virtio virtio;
	uint64_t sectors;
	bool readonly;
	bool running;			/* in virtio_blk_run() */
	char id[VIRTIO_BLK_ID_SIZE];
	struct virtio_blk_slot slots[VIRTIO_BLK_SLOTS];
};

/*
 * size is in bytes, a multiple of 512; id is what GET_ID answers (Linux:
 * /sys/block/vda/serial), at most 20 bytes of it.  Put it on the bus with
 * pci_attach(pci, devfn, &b->virtio.pci, &virtio_blk_pci_ops, b).
 */
void virtio_blk_init(struct virtio_blk *b, const struct dev_services *s, uint64_t size,
		     bool readonly, const char *id);
/* Returns when nothing is under way (services->block_drain). */
void virtio_blk_reset(struct virtio_blk *b);
/* reg is the offset in BAR 0. */
uint32_t virtio_blk_in(struct virtio_blk *b, unsigned reg, unsigned size);
void virtio_blk_out(struct virtio_blk *b, unsigned reg, unsigned size, uint32_t v);
/* The host hands back a request that it got by services->block(). */
void virtio_blk_block_done(struct virtio_blk *b, struct dev_block_request *r);

extern const struct pci_ops virtio_blk_pci_ops;

#endif
