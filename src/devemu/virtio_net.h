/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A virtio network device (virtio 1.1, 5.1): one receive and one transmit queue,
 * no offloads.  A received frame takes as many of the driver's buffers as it
 * needs if the driver has accepted VIRTIO_NET_F_MRG_RXBUF, else one.
 */
#ifndef LILYVM_DEVEMU_VIRTIO_NET_H
#define LILYVM_DEVEMU_VIRTIO_NET_H

#include "devemu/devemu.h"
#include "devemu/ether.h"
#include "devemu/virtio.h"

#define VIRTIO_NET_QUEUE_SIZE 256u
enum { VIRTIO_NET_RX = 0, VIRTIO_NET_TX = 1 };

/* Feature bits (5.1.3). */
#define VIRTIO_NET_F_MTU (1ull << 3)
#define VIRTIO_NET_F_MAC (1ull << 5)
#define VIRTIO_NET_F_MRG_RXBUF (1ull << 15)
#define VIRTIO_NET_F_STATUS (1ull << 16)

/* Offsets in the device's configuration (5.1.4). */
enum { VIRTIO_NET_MAC = 0, VIRTIO_NET_STATUS = 6, VIRTIO_NET_MTU = 10 };
#define VIRTIO_NET_S_LINK_UP 1u

/* The header before each frame (5.1.6); a legacy driver that has not accepted
 * VIRTIO_NET_F_MRG_RXBUF knows nothing of the last field. */
struct virtio_net_hdr {
	uint8_t flags, gso_type;
	uint16_t hdr_len, gso_size, csum_start, csum_offset;
	uint16_t num_buffers;
};
#define VIRTIO_NET_HDR 12u
#define VIRTIO_NET_HDR_SHORT 10u

struct virtio_net {
	const struct dev_services *s;	/* irq, dma, dma_wrote, net_send, net_ready */
	struct virtio virtio;
	bool refused;			/* a frame waits for the driver's buffers */
	bool unsent;			/* the transmit queue waits for the back end */
	struct virtq_chain chain;
};

/*
 * mac is the station's address; mtu, 68..65535, is told to the driver, which
 * need not heed it, or 0: nothing is told.  Put it on the bus with
 * pci_attach(pci, devfn, &n->virtio.pci, &virtio_net_pci_ops, n).
 */
void virtio_net_init(struct virtio_net *n, const struct dev_services *s,
		     const uint8_t mac[ETHER_ADDR], uint16_t mtu);
void virtio_net_reset(struct virtio_net *n);
/* reg is the offset in BAR 0. */
uint32_t virtio_net_in(struct virtio_net *n, unsigned reg, unsigned size);
void virtio_net_out(struct virtio_net *n, unsigned reg, unsigned size, uint32_t v);

bool virtio_net_net_receive(struct virtio_net *n, const uint8_t *frame, uint32_t len);
void virtio_net_net_sendable(struct virtio_net *n);

extern const struct pci_ops virtio_net_pci_ops;

#endif
