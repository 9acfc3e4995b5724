/* SPDX-License-Identifier: BSD-2-Clause */
#include "devemu/virtio_net.h"

#define DEVICE_ID 1u			/* virtio 1.1, 5 */
#define CLASS_ETHERNET 0x020000u

static uint32_t header_size(const struct virtio_net *n)
{
	return virtio_has(&n->virtio, VIRTIO_NET_F_MRG_RXBUF | VIRTIO_F_VERSION_1) ?
	       VIRTIO_NET_HDR : VIRTIO_NET_HDR_SHORT;
}

/* A waiting frame may have got a buffer, or nobody to wait for. */
static void ask_again(struct virtio_net *n)
{
	if (!n->refused)
		return;
	n->refused = false;
	n->s->net_ready(n->s->ctx);
}

/* Transmission. */

/* Takes the header off the chain's front, wherever its pieces end; false if there
 * is none. */
static bool drop_header(struct virtq_chain *c, uint32_t len)
{
	for (unsigned i = 0; i < c->nout && len; i++) {
		struct virtq_seg *seg = &c->seg[i];
		uint32_t part = seg->len < len ? seg->len : len;

		seg->ptr += part;
		seg->gpa += part;
		seg->len -= part;
		len -= part;
	}
	return len == 0;
}

/* Sends the frame of n->chain; false: not now.  What is no frame counts as sent. */
static bool send_chain(struct virtio_net *n)
{
	struct dev_iovec iov[VIRTQ_MAX_SEGS];
	struct virtq_chain *c = &n->chain;
	unsigned iovcnt = 0;
	uint64_t len = 0;

	if (c->nin || !drop_header(c, header_size(n))) {
		virtio_break(&n->virtio);
		return true;
	}
	for (unsigned i = 0; i < c->nout; i++) {
		if (!c->seg[i].len)
			continue;
		iov[iovcnt++] = (struct dev_iovec){ c->seg[i].ptr, c->seg[i].len };
		len += c->seg[i].len;
	}
	if (len < DEV_NET_MIN_FRAME || len > DEV_NET_MAX_FRAME)
		return true;
	return n->s->net_send(n->s->ctx, iov, iovcnt);
}

/* Sends what the driver has made available; as the driver does not run meanwhile,
 * the index is read once. */
static void transmit(struct virtio_net *n)
{
	struct virtio *v = &n->virtio;
	uint16_t count;

	n->unsent = false;
	if (!virtio_queue_live(v, VIRTIO_NET_TX))
		return;
	count = virtio_available(v, VIRTIO_NET_TX);
	while (count-- && virtio_pop(v, VIRTIO_NET_TX, &n->chain)) {
		if (!send_chain(n)) {
			virtio_unpop(v, VIRTIO_NET_TX, 1);
			n->unsent = true;
			return;
		}
		if (!virtio_queue_live(v, VIRTIO_NET_TX))
			return;
		virtio_push(v, VIRTIO_NET_TX, n->chain.head, 0);
	}
	if (virtio_queue_live(v, VIRTIO_NET_TX))
		virtio_want_notify(v, VIRTIO_NET_TX);
}

void virtio_net_net_sendable(struct virtio_net *n)
{
	if (n->unsent)
		transmit(n);
}

/* Reception. */

/* A frame on its way into the driver's buffers. */
struct incoming {
	struct virtio_net_hdr header;
	uint32_t header_len, header_done;
	const uint8_t *frame;
	uint32_t left;
};

/* Fills a piece of memory with what comes next; returns how much. */
static uint32_t fill_seg(struct incoming *in, const struct virtq_seg *seg)
{
	const uint8_t *header = (const uint8_t *)&in->header;
	uint32_t at = 0, part;

	while (at < seg->len && in->header_done < in->header_len)
		seg->ptr[at++] = header[in->header_done++];
	part = seg->len - at < in->left ? seg->len - at : in->left;
	__builtin_memcpy(seg->ptr + at, in->frame, part);
	in->frame += part;
	in->left -= part;
	return at + part;
}

/* Fills the buffer n->chain; returns how much. */
static uint32_t fill_chain(struct virtio_net *n, struct incoming *in)
{
	uint32_t total = 0;

	for (unsigned i = 0; i < n->chain.nin; i++) {
		const struct virtq_seg *seg = &n->chain.seg[n->chain.nout + i];
		uint32_t len = fill_seg(in, seg);

		n->s->dma_wrote(n->s->ctx, seg->gpa, len);
		total += len;
	}
	return total;
}

static uint32_t chain_room(const struct virtq_chain *c)
{
	uint64_t room = 0;

	for (unsigned i = 0; i < c->nin; i++)
		room += c->seg[c->nout + i].len;
	return room > UINT32_MAX ? UINT32_MAX : (uint32_t)room;
}

/* The next buffer goes to n->chain; one that is not for the device to write, or
 * smaller than least, is an error of the driver's (5.1.6.3.1). */
static bool next_buffer(struct virtio_net *n, uint32_t least, uint32_t *room)
{
	if (!virtio_available(&n->virtio, VIRTIO_NET_RX) ||
	    !virtio_pop(&n->virtio, VIRTIO_NET_RX, &n->chain))
		return false;
	*room = chain_room(&n->chain);
	if (!n->chain.nout && *room >= least)
		return true;
	virtio_break(&n->virtio);
	return false;
}

/* How many buffers need bytes take; 0: there are not that many yet, which *few
 * tells, or the frame never fits.  The queue stays as it is. */
static uint16_t buffers_for(struct virtio_net *n, uint32_t need, bool *few)
{
	bool merge = virtio_has(&n->virtio, VIRTIO_NET_F_MRG_RXBUF);
	uint32_t room = 0;
	uint16_t count = 0;
	bool found;

	for (;; need -= room, count++) {
		found = next_buffer(n, count ? 1 : header_size(n), &room);
		if (!found || room >= need || !merge)
			break;
	}
	*few = !found;
	if (found)
		count++;
	virtio_unpop(&n->virtio, VIRTIO_NET_RX, count);
	return found && room >= need ? count : 0;
}

bool virtio_net_net_receive(struct virtio_net *n, const uint8_t *frame, uint32_t len)
{
	struct incoming in = {
		.header_len = header_size(n), .frame = frame, .left = len,
	};
	uint32_t room;
	bool few;

	if (!virtio_queue_live(&n->virtio, VIRTIO_NET_RX))
		return true;
	in.header.num_buffers = buffers_for(n, in.header_len + len, &few);
	if (!in.header.num_buffers) {
		if (!few || !virtio_queue_live(&n->virtio, VIRTIO_NET_RX))
			return true;	/* one that the driver has no buffers for */
		virtio_want_notify(&n->virtio, VIRTIO_NET_RX);
		n->refused = true;
		return false;
	}
	for (unsigned i = in.header.num_buffers; i; i--) {
		if (!next_buffer(n, 1, &room))
			return true;
		virtio_push(&n->virtio, VIRTIO_NET_RX, n->chain.head, fill_chain(n, &in));
	}
	return true;
}

/* Registers. */

static void handle(struct virtio_net *n, enum virtio_event event)
{
	switch (event) {
	case VIRTIO_EV_RESET:
		n->unsent = false;
		ask_again(n);
		break;
	case VIRTIO_EV_QUEUE:
		if (n->virtio.notified == VIRTIO_NET_TX && !n->unsent)
			transmit(n);
		else
			ask_again(n);
		break;
	case VIRTIO_EV_CONFIG:
	case VIRTIO_EV_NONE:
		break;
	}
}

uint32_t virtio_net_in(struct virtio_net *n, unsigned reg, unsigned size)
{
	return virtio_in(&n->virtio, reg, size);
}

void virtio_net_out(struct virtio_net *n, unsigned reg, unsigned size, uint32_t v)
{
	handle(n, virtio_out(&n->virtio, reg, size, v));
}

void virtio_net_reset(struct virtio_net *n)
{
	virtio_reset(&n->virtio);
	handle(n, VIRTIO_EV_RESET);
}

void virtio_net_init(struct virtio_net *n, const struct dev_services *s,
		     const uint8_t mac[ETHER_ADDR], uint16_t mtu)
{
	uint64_t features = VIRTIO_NET_F_MAC | VIRTIO_NET_F_STATUS | VIRTIO_NET_F_MRG_RXBUF;
	uint8_t *config = n->virtio.config;

	n->s = s;
	n->refused = n->unsent = false;
	virtio_init(&n->virtio, s, DEVICE_ID, CLASS_ETHERNET,
		    features | (mtu ? VIRTIO_NET_F_MTU : 0), 2, VIRTIO_NET_QUEUE_SIZE);
	for (unsigned i = 0; i < ETHER_ADDR; i++)
		config[VIRTIO_NET_MAC + i] = mac[i];
	config[VIRTIO_NET_STATUS] = VIRTIO_NET_S_LINK_UP;
	config[VIRTIO_NET_MTU] = (uint8_t)mtu;
	config[VIRTIO_NET_MTU + 1] = (uint8_t)(mtu >> 8);
	/* A legacy driver may set the address (5.1.4.1). */
	n->virtio.config_writable = (1u << ETHER_ADDR) - 1;
}

static uint32_t bar_in(void *chip, unsigned bar, unsigned reg, unsigned size)
{
	(void)bar;
	return virtio_net_in(chip, reg, size);
}

static void bar_out(void *chip, unsigned bar, unsigned reg, unsigned size, uint32_t v)
{
	(void)bar;
	virtio_net_out(chip, reg, size, v);
}

static void config_read(void *chip, unsigned reg, unsigned size)
{
	struct virtio_net *n = chip;

	virtio_config_read(&n->virtio, reg, size);
}

static void config_written(void *chip, unsigned reg, unsigned size)
{
	struct virtio_net *n = chip;

	handle(n, virtio_config_written(&n->virtio, reg, size));
}

const struct pci_ops virtio_net_pci_ops = {
	.in = bar_in,
	.out = bar_out,
	.config_read = config_read,
	.config_written = config_written,
};
