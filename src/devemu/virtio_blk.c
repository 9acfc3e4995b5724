/* SPDX-License-Identifier: BSD-2-Clause */
#include "devemu/virtio_blk.h"

#define DEVICE_ID 2u			/* virtio 1.1, 5 */
#define CLASS_STORAGE_SCSI 0x010000u	/* what drivers have come to expect of it */

/* A request's header (5.2.6). */
struct header {
	uint32_t type;
	uint32_t reserved;
	uint64_t sector;
};

/* The data pieces of a chain fit a block request. */
_Static_assert(VIRTQ_MAX_SEGS <= DEV_BLOCK_MAX_IOV, "iov");

static void set_config(struct virtio_blk *b, unsigned at, unsigned size, uint64_t v)
{
	for (unsigned i = 0; i < size; i++)
		b->virtio.config[at + i] = (uint8_t)(v >> (8 * i));
}

/* 5.2.6.2: when is a write answered, at once or when it is durable? */
static bool write_back(const struct virtio_blk *b)
{
	if (virtio_has(&b->virtio, VIRTIO_BLK_F_CONFIG_WCE))
		return b->virtio.config[VIRTIO_BLK_WRITEBACK] & 1;
	return virtio_has(&b->virtio, VIRTIO_BLK_F_FLUSH);
}

/* Takes len bytes off the front of segs[0..n); false if they are fewer. */
static bool take_front(struct virtq_seg *segs, unsigned n, uint8_t *to, uint32_t len)
{
	for (unsigned i = 0; i < n && len; i++) {
		struct virtq_seg *seg = &segs[i];

		while (seg->len && len) {
			*to++ = *seg->ptr++;
			seg->gpa++;
			seg->len--;
			len--;
		}
	}
	return len == 0;
}

/* The answer: status byte, used ring, interrupt. */
static void finish(struct virtio_blk *b, struct virtio_blk_slot *slot, uint8_t status,
		   uint32_t written)
{
	*slot->status.ptr = status;
	b->s->dma_wrote(b->s->ctx, slot->status.gpa, 1);
	virtio_push(&b->virtio, 0, slot->chain.head, written + 1);
	slot->busy = false;
}

/* The pieces of the chain that are data for (write to) or from the disk. */
static struct virtq_seg *data_segs(struct virtio_blk_slot *slot, bool from_disk, unsigned *n)
{
	*n = from_disk ? slot->chain.nin : slot->chain.nout;
	return &slot->chain.seg[from_disk ? slot->chain.nout : 0];
}

static void start_io(struct virtio_blk *b, struct virtio_blk_slot *slot, enum dev_block_op op,
		     uint64_t sector)
{
	struct dev_block_request *r = &slot->req;
	uint64_t bytes = 0;
	unsigned n;
	struct virtq_seg *segs = data_segs(slot, op == DEV_BLOCK_READ, &n);

	r->op = op;
	r->iovcnt = 0;
	r->result = 0;
	for (unsigned i = 0; i < n; i++) {
		if (segs[i].len == 0)
			continue;
		r->iov[r->iovcnt++] = (struct dev_iovec){ segs[i].ptr, segs[i].len };
		bytes += segs[i].len;
	}
	if (bytes % VIRTIO_BLK_SECTOR || bytes > UINT32_MAX - 1 || sector > b->sectors ||
	    bytes / VIRTIO_BLK_SECTOR > b->sectors - sector ||
	    (op == DEV_BLOCK_WRITE && b->readonly)) {
		finish(b, slot, VIRTIO_BLK_S_IOERR, 0);
		return;
	}
	r->offset = sector * VIRTIO_BLK_SECTOR;
	slot->read_bytes = op == DEV_BLOCK_READ ? (uint32_t)bytes : 0;
	b->s->block(b->s->ctx, r);
}

static void start_flush(struct virtio_blk *b, struct virtio_blk_slot *slot)
{
	struct dev_block_request *r = &slot->req;

	r->op = DEV_BLOCK_FLUSH;
	r->iovcnt = 0;
	r->offset = 0;
	r->result = 0;
	slot->read_bytes = 0;
	b->s->block(b->s->ctx, r);
}

static void get_id(struct virtio_blk *b, struct virtio_blk_slot *slot)
{
	uint32_t done = 0;
	unsigned n;
	struct virtq_seg *segs = data_segs(slot, true, &n);

	for (unsigned i = 0; i < n && done < VIRTIO_BLK_ID_SIZE; i++) {
		uint32_t k = 0;

		while (k < segs[i].len && done < VIRTIO_BLK_ID_SIZE)
			segs[i].ptr[k++] = (uint8_t)b->id[done++];
		if (k)
			b->s->dma_wrote(b->s->ctx, segs[i].gpa, k);
	}
	finish(b, slot, VIRTIO_BLK_S_OK, done);
}

/* Splits the chain into header, data and status byte, wherever the driver's
 * descriptors begin and end (2.6.4); false if there is no room for those. */
static bool frame(struct virtio_blk_slot *slot, struct header *h)
{
	struct virtq_chain *c = &slot->chain;
	struct virtq_seg *last;

	if (c->nin == 0 || !take_front(c->seg, c->nout, (uint8_t *)h, sizeof(*h)))
		return false;
	last = &c->seg[c->nout + c->nin - 1];
	last->len--;
	slot->status = (struct virtq_seg){
		.gpa = last->gpa + last->len, .ptr = last->ptr + last->len, .len = 1,
	};
	return true;
}

static void start(struct virtio_blk *b, struct virtio_blk_slot *slot)
{
	struct header h;

	if (!frame(slot, &h)) {
		slot->busy = false;
		virtio_break(&b->virtio);
		return;
	}
	switch (h.type) {
	case VIRTIO_BLK_T_IN:
		start_io(b, slot, DEV_BLOCK_READ, h.sector);
		break;
	case VIRTIO_BLK_T_OUT:
		start_io(b, slot, DEV_BLOCK_WRITE, h.sector);
		break;
	case VIRTIO_BLK_T_FLUSH:
		start_flush(b, slot);
		break;
	case VIRTIO_BLK_T_GET_ID:
		get_id(b, slot);
		break;
	default:
		finish(b, slot, VIRTIO_BLK_S_UNSUPP, 0);
	}
}

static struct virtio_blk_slot *free_slot(struct virtio_blk *b)
{
	for (unsigned i = 0; i < VIRTIO_BLK_SLOTS; i++)
		if (!b->slots[i].busy)
			return &b->slots[i];
	return NULL;
}

/*
 * Starts what the driver has made available, as far as there are free slots.
 * The driver does not run meanwhile, so the index is read once: a ring that
 * overlaps what the device writes must not keep it busy for ever.
 */
static void virtio_blk_run(struct virtio_blk *b)
{
	struct virtio_blk_slot *slot;
	uint16_t n;

	if (b->running || !virtio_queue_live(&b->virtio, 0))
		return;
	b->running = true;
	n = virtio_available(&b->virtio, 0);
	while (n-- && virtio_queue_live(&b->virtio, 0) && (slot = free_slot(b))) {
		if (!virtio_pop(&b->virtio, 0, &slot->chain))
			break;
		slot->busy = true;
		slot->stale = false;
		start(b, slot);
	}
	if (virtio_queue_live(&b->virtio, 0))
		virtio_want_notify(&b->virtio, 0);
	b->running = false;
}

void virtio_blk_block_done(struct virtio_blk *b, struct dev_block_request *r)
{
	struct virtio_blk_slot *slot = &b->slots[r->tag];
	unsigned n;

	/* The memory was written even if nobody waits for it any more. */
	if (slot->read_bytes) {
		const struct virtq_seg *segs = data_segs(slot, true, &n);

		for (unsigned i = 0; i < n; i++)
			if (segs[i].len)
				b->s->dma_wrote(b->s->ctx, segs[i].gpa, segs[i].len);
	}
	if (slot->stale || !virtio_queue_live(&b->virtio, 0)) {
		slot->busy = false;
	} else if (r->result) {
		finish(b, slot, VIRTIO_BLK_S_IOERR, 0);
	} else if (r->op == DEV_BLOCK_WRITE && !write_back(b)) {
		start_flush(b, slot);
		return;
	} else {
		finish(b, slot, VIRTIO_BLK_S_OK, slot->read_bytes);
	}
	virtio_blk_run(b);
}

/* Nothing of before the reset may reach the driver, or its memory, after it. */
static void forget(struct virtio_blk *b)
{
	bool busy = false;

	for (unsigned i = 0; i < VIRTIO_BLK_SLOTS; i++) {
		b->slots[i].stale = true;
		busy |= b->slots[i].busy;
	}
	if (busy)
		b->s->block_drain(b->s->ctx);
	b->virtio.config[VIRTIO_BLK_WRITEBACK] = 1;
}

static void handle(struct virtio_blk *b, enum virtio_event event)
{
	switch (event) {
	case VIRTIO_EV_RESET:
		forget(b);
		break;
	case VIRTIO_EV_QUEUE:
		virtio_blk_run(b);
		break;
	case VIRTIO_EV_CONFIG:		/* writeback: looked at when a write is done */
	case VIRTIO_EV_NONE:
		break;
	}
}

uint32_t virtio_blk_in(struct virtio_blk *b, unsigned reg, unsigned size)
{
	return virtio_in(&b->virtio, reg, size);
}

void virtio_blk_out(struct virtio_blk *b, unsigned reg, unsigned size, uint32_t v)
{
	handle(b, virtio_out(&b->virtio, reg, size, v));
}

void virtio_blk_reset(struct virtio_blk *b)
{
	virtio_reset(&b->virtio);
	forget(b);
}

void virtio_blk_init(struct virtio_blk *b, const struct dev_services *s, uint64_t size,
		     bool readonly, const char *id)
{
	uint64_t features = VIRTIO_BLK_F_SEG_MAX | VIRTIO_BLK_F_BLK_SIZE | VIRTIO_BLK_F_FLUSH |
			    VIRTIO_BLK_F_CONFIG_WCE;

	b->s = s;
	b->sectors = size / VIRTIO_BLK_SECTOR;
	b->readonly = readonly;
	b->running = false;
	for (unsigned i = 0; i < VIRTIO_BLK_SLOTS; i++) {
		b->slots[i].busy = b->slots[i].stale = false;
		b->slots[i].req.tag = i;
	}
	for (unsigned i = 0; i < VIRTIO_BLK_ID_SIZE; i++)
		b->id[i] = *id ? *id++ : '\0';
	virtio_init(&b->virtio, s, DEVICE_ID, CLASS_STORAGE_SCSI,
		    features | (readonly ? VIRTIO_BLK_F_RO : 0), 1, VIRTIO_BLK_QUEUE_SIZE);
	set_config(b, VIRTIO_BLK_CAPACITY, 8, b->sectors);
	/* What fits the queue without indirect descriptors, with header and status. */
	set_config(b, VIRTIO_BLK_SEG_MAX, 4, VIRTIO_BLK_QUEUE_SIZE - 2);
	set_config(b, VIRTIO_BLK_BLK_SIZE, 4, VIRTIO_BLK_SECTOR);
	b->virtio.config_writable = 1ull << VIRTIO_BLK_WRITEBACK;
	virtio_blk_reset(b);
}

static uint32_t bar_in(void *chip, unsigned bar, unsigned reg, unsigned size)
{
	(void)bar;
	return virtio_blk_in(chip, reg, size);
}

static void bar_out(void *chip, unsigned bar, unsigned reg, unsigned size, uint32_t v)
{
	(void)bar;
	virtio_blk_out(chip, reg, size, v);
}

static void config_read(void *chip, unsigned reg, unsigned size)
{
	struct virtio_blk *b = chip;

	virtio_config_read(&b->virtio, reg, size);
}

static void config_written(void *chip, unsigned reg, unsigned size)
{
	struct virtio_blk *b = chip;

	handle(b, virtio_config_written(&b->virtio, reg, size));
}

const struct pci_ops virtio_blk_pci_ops = {
	.in = bar_in,
	.out = bar_out,
	.config_read = config_read,
	.config_written = config_written,
};
