/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A transitional virtio device on PCI: the legacy registers (virtio 0.9.5,
 * 2.1) and the virtio-1 structures (virtio 1.1, 4.1.4), both in I/O BAR 0:
 *
 *	0x00  legacy header, 20 bytes, then the device's configuration
 *	0x80  common configuration	0xb8  ISR	0xbc  notification
 *	0xc0  the device's configuration
 *
 * There is no MSI-X: interrupts are INTx, through the ISR byte.  A device
 * (virtio_blk) embeds struct virtio, passes register accesses on, and acts on
 * what virtio_out() says has happened.
 */
#ifndef LILYVM_DEVEMU_VIRTIO_H
#define LILYVM_DEVEMU_VIRTIO_H

#include "devemu/devemu.h"
#include "devemu/pci.h"
#include "devemu/virtq.h"

/* Places in BAR 0. */
#define VIRTIO_BAR_SIZE 0x100u
#define VIRTIO_LEGACY 0x00u
#define VIRTIO_LEGACY_CONFIG 0x14u
#define VIRTIO_COMMON 0x80u
#define VIRTIO_ISR 0xb8u
#define VIRTIO_NOTIFY 0xbcu
#define VIRTIO_CONFIG 0xc0u
#define VIRTIO_CONFIG_SIZE 0x40u

/* Device status (virtio 1.1, 2.1). */
#define VIRTIO_ACKNOWLEDGE 0x01u
#define VIRTIO_DRIVER 0x02u
#define VIRTIO_DRIVER_OK 0x04u
#define VIRTIO_FEATURES_OK 0x08u
#define VIRTIO_NEEDS_RESET 0x40u
#define VIRTIO_FAILED 0x80u

/* Feature bits that are no device's own (virtio 1.1, 6 and 6.3). */
#define VIRTIO_F_ANY_LAYOUT (1ull << 27)
#define VIRTIO_F_INDIRECT_DESC (1ull << 28)
#define VIRTIO_F_EVENT_IDX (1ull << 29)
#define VIRTIO_F_VERSION_1 (1ull << 32)

/* ISR bits (virtio 1.1, 4.1.4.5). */
#define VIRTIO_ISR_QUEUE 1u
#define VIRTIO_ISR_CONFIG 2u

#define VIRTIO_MAX_QUEUES 3u

enum virtio_event {
	VIRTIO_EV_NONE,
	VIRTIO_EV_RESET,	/* the device has been reset: forget what is under way */
	VIRTIO_EV_QUEUE,	/* queue v->notified has news */
	VIRTIO_EV_CONFIG,	/* the driver has written to v->config */
};

struct virtio {
	const struct dev_services *s;		/* irq, dma, dma_wrote */
	struct pci_function pci;
	uint64_t offered, accepted;		/* features */
	uint32_t offered_sel, accepted_sel;	/* which half the driver looks at */
	uint8_t status, isr;
	uint16_t queue_sel, notified;
	uint16_t nqueues, queue_max;
	struct virtq queue[VIRTIO_MAX_QUEUES];
	uint8_t config[VIRTIO_CONFIG_SIZE];	/* the device's own, little-endian */
	uint64_t config_writable;		/* a bit for each byte of it */
};

/*
 * type is the virtio device ID (1: network, 2: block), class_code the PCI class; features
 * are the device's own, nqueues 1..VIRTIO_MAX_QUEUES, queue_max a power of two.
 */
void virtio_init(struct virtio *v, const struct dev_services *s, uint16_t type,
		 uint32_t class_code, uint64_t features, uint16_t nqueues, uint16_t queue_max);
/* As by a status write of 0. Configuration bytes are left to the device. */
void virtio_reset(struct virtio *v);

/* Accesses to BAR 0. */
uint32_t virtio_in(struct virtio *v, unsigned reg, unsigned size);
enum virtio_event virtio_out(struct virtio *v, unsigned reg, unsigned size, uint32_t value);
/* The hooks of struct pci_ops, for the PCI configuration access capability. */
void virtio_config_read(struct virtio *v, unsigned reg, unsigned size);
enum virtio_event virtio_config_written(struct virtio *v, unsigned reg, unsigned size);

static inline bool virtio_has(const struct virtio *v, uint64_t feature)
{
	return v->accepted & feature;
}

/* May queue i be worked on? */
bool virtio_queue_live(const struct virtio *v, unsigned i);
/*
 * The queue operations of virtq.h, on a live queue.  A bad queue breaks the
 * device: it stops until it is reset, and a virtio-1 driver is told by
 * VIRTIO_NEEDS_RESET.  virtio_push() raises the interrupt if it is wanted.
 */
uint16_t virtio_available(struct virtio *v, unsigned i);
bool virtio_pop(struct virtio *v, unsigned i, struct virtq_chain *chain);
/* Puts back the last n chains that were taken and not pushed. */
void virtio_unpop(struct virtio *v, unsigned i, uint16_t n);
void virtio_push(struct virtio *v, unsigned i, uint16_t head, uint32_t len);
void virtio_want_notify(struct virtio *v, unsigned i);
/* For a chain that its device cannot answer. */
void virtio_break(struct virtio *v);

#endif
