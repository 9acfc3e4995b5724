/* SPDX-License-Identifier: BSD-2-Clause */
#include "devemu/virtq.h"

/* Layout of the three areas; all fields little-endian, as the host's. */
struct desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags;
	uint16_t next;
};

struct used_elem {
	uint32_t id;
	uint32_t len;
};

#define DESC_NEXT 1u
#define DESC_WRITE 2u
#define DESC_INDIRECT 4u
#define AVAIL_NO_INTERRUPT 1u

/* Offsets in both rings. */
#define RING_FLAGS 0u
#define RING_IDX 2u
#define RING_ENTRIES 4u

/* The index words are what orders the rings between driver and device. */
static uint16_t load16(const uint8_t *p)
{
	return __atomic_load_n((const uint16_t *)(const void *)p, __ATOMIC_ACQUIRE);
}

static void store16(uint8_t *p, uint16_t v)
{
	__atomic_store_n((uint16_t *)(void *)p, v, __ATOMIC_RELEASE);
}

/* len bytes at gpa, aligned to align; NULL if they are not. */
static void *area(const struct dev_services *s, uint64_t gpa, uint32_t len, unsigned align)
{
	if (gpa % align || gpa + len < gpa)
		return NULL;
	return s->dma(s->ctx, gpa, len);
}

/* flags, idx, ring[num], used_event */
static uint8_t *avail_ring(const struct virtq *q, const struct dev_services *s)
{
	return area(s, q->avail, RING_ENTRIES + 2u * q->num + 2, 2);
}

/* flags, idx, ring[num], avail_event */
static uint8_t *used_ring(const struct virtq *q, const struct dev_services *s)
{
	return area(s, q->used, RING_ENTRIES + 8u * q->num + 2, 4);
}

enum virtq_result virtq_available(const struct virtq *q, const struct dev_services *s,
				  uint16_t *n)
{
	const uint8_t *avail = avail_ring(q, s);

	*n = 0;
	if (!avail || q->num == 0)
		return VIRTQ_BAD;
	*n = (uint16_t)(load16(avail + RING_IDX) - q->last_avail);
	return *n > q->num ? VIRTQ_BAD : *n ? VIRTQ_OK : VIRTQ_EMPTY;
}

/* Adds one descriptor's memory to the chain. */
static enum virtq_result add_seg(const struct dev_services *s, struct virtq_chain *chain,
				 const struct desc *d)
{
	unsigned n = chain->nout + chain->nin;
	uint8_t *ptr;

	if (d->len == 0)
		return VIRTQ_OK;
	if (n == VIRTQ_MAX_SEGS)
		return VIRTQ_BAD;
	/* 2.6.4.2: what the device writes comes after what it reads. */
	if (!(d->flags & DESC_WRITE) && chain->nin)
		return VIRTQ_BAD;
	ptr = area(s, d->addr, d->len, 1);
	if (!ptr)
		return VIRTQ_BAD;
	chain->seg[n] = (struct virtq_seg){ .gpa = d->addr, .ptr = ptr, .len = d->len };
	if (d->flags & DESC_WRITE)
		chain->nin++;
	else
		chain->nout++;
	return VIRTQ_OK;
}

/*
 * Follows the chain that begins at entry i of a table of num descriptors.  A
 * descriptor that refers to an indirect table ends the walk and is returned in
 * *indirect; a chain longer than its table is a loop.
 */
static enum virtq_result walk(const struct dev_services *s, const uint8_t *table, uint32_t num,
			      uint32_t i, struct virtq_chain *chain, struct desc *indirect)
{
	for (uint32_t steps = 0; steps < num; steps++) {
		struct desc d;

		if (i >= num)
			return VIRTQ_BAD;
		/* An indirect table need not be aligned. */
		__builtin_memcpy(&d, table + i * sizeof(d), sizeof(d));
		if (d.flags & DESC_INDIRECT) {
			*indirect = d;
			return VIRTQ_OK;
		}
		if (add_seg(s, chain, &d) != VIRTQ_OK)
			return VIRTQ_BAD;
		if (!(d.flags & DESC_NEXT))
			return VIRTQ_OK;
		i = d.next;
	}
	return VIRTQ_BAD;
}

/* The table of an indirect descriptor (2.6.5.3): not nested, nothing after it. */
static enum virtq_result walk_indirect(const struct virtq *q, const struct dev_services *s,
				       const struct desc *d, struct virtq_chain *chain)
{
	struct desc nested = { 0 };
	const uint8_t *table;

	if (!q->indirect || (d->flags & DESC_NEXT) || d->len == 0 ||
	    d->len % sizeof(struct desc) || d->len / sizeof(struct desc) > 0x10000)
		return VIRTQ_BAD;
	table = area(s, d->addr, d->len, 1);
	if (!table || walk(s, table, d->len / sizeof(struct desc), 0, chain, &nested) != VIRTQ_OK)
		return VIRTQ_BAD;
	return nested.flags & DESC_INDIRECT ? VIRTQ_BAD : VIRTQ_OK;
}

enum virtq_result virtq_pop(struct virtq *q, const struct dev_services *s,
			    struct virtq_chain *chain)
{
	struct desc indirect = { 0 };
	const uint8_t *avail, *table;
	enum virtq_result r;
	uint16_t n;

	r = virtq_available(q, s, &n);
	if (r != VIRTQ_OK)
		return r;
	avail = avail_ring(q, s);
	table = area(s, q->desc, q->num * (uint32_t)sizeof(struct desc), 16);
	if (!table)
		return VIRTQ_BAD;
	chain->nout = chain->nin = 0;
	chain->head = load16(avail + RING_ENTRIES + 2u * (q->last_avail % q->num));
	if (walk(s, table, q->num, chain->head, chain, &indirect) != VIRTQ_OK)
		return VIRTQ_BAD;
	if ((indirect.flags & DESC_INDIRECT) &&
	    walk_indirect(q, s, &indirect, chain) != VIRTQ_OK)
		return VIRTQ_BAD;
	q->last_avail++;
	return VIRTQ_OK;
}

/*
 * Whether the step from used index before to after passes the one that the
 * driver waits for (2.6.7.2).
 */
static bool passes(uint16_t event, uint16_t after, uint16_t before)
{
	return (uint16_t)(after - event - 1) < (uint16_t)(after - before);
}

enum virtq_result virtq_push(struct virtq *q, const struct dev_services *s, uint16_t head,
			     uint32_t len, bool *interrupt)
{
	const uint8_t *avail = avail_ring(q, s);
	uint8_t *used = used_ring(q, s);
	uint32_t at = RING_ENTRIES + 8u * (q->used_idx % q->num);

	*interrupt = false;
	if (!avail || !used)
		return VIRTQ_BAD;
	*(struct used_elem *)(void *)(used + at) = (struct used_elem){ .id = head, .len = len };
	store16(used + RING_IDX, ++q->used_idx);
	s->dma_wrote(s->ctx, q->used + at, sizeof(struct used_elem));
	s->dma_wrote(s->ctx, q->used + RING_IDX, 2);
	if (q->event_idx)
		*interrupt = passes(load16(avail + RING_ENTRIES + 2u * q->num), q->used_idx,
				    (uint16_t)(q->used_idx - 1));
	else
		*interrupt = !(load16(avail + RING_FLAGS) & AVAIL_NO_INTERRUPT);
	return VIRTQ_OK;
}

enum virtq_result virtq_want_notify(struct virtq *q, const struct dev_services *s)
{
	uint32_t at = RING_ENTRIES + 8u * q->num;
	uint8_t *used = used_ring(q, s);

	if (!used)
		return VIRTQ_BAD;
	if (!q->event_idx)
		return VIRTQ_OK;
	store16(used + at, q->last_avail);
	s->dma_wrote(s->ctx, q->used + at, 2);
	return VIRTQ_OK;
}
