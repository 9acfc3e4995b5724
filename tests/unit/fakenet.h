/* SPDX-License-Identifier: BSD-2-Clause */
/* A network and guest memory for one chip under test. */
#ifndef LILYVM_TESTS_FAKENET_H
#define LILYVM_TESTS_FAKENET_H

#include "fakedev.h"

#define FAKENET_RAM 0x40000u
#define FAKENET_FRAMES 64u

struct fakenet {
	struct fakedev f;		/* first: the services' context */
	bool refuse;			/* the back end takes no frame now */
	unsigned ready;			/* calls of net_ready */
	void (*offer)(void);		/* what net_ready does besides, or NULL */
	unsigned nsent;
	struct { uint32_t len; uint8_t data[2048]; } sent[FAKENET_FRAMES];
	uint64_t wrote_bytes;		/* by DMA */
	_Alignas(4096) uint8_t ram[FAKENET_RAM];
};

static inline bool fakenet_send(void *ctx, const struct dev_iovec *iov, unsigned iovcnt)
{
	struct fakenet *n = ctx;
	uint32_t len = 0;

	if (n->refuse)
		return false;
	ck_assert_uint_lt(n->nsent, FAKENET_FRAMES);
	for (unsigned i = 0; i < iovcnt; i++) {
		ck_assert_uint_le(len + iov[i].len, sizeof(n->sent[0].data));
		memcpy(n->sent[n->nsent].data + len, iov[i].base, iov[i].len);
		len += iov[i].len;
	}
	ck_assert_uint_ge(len, DEV_NET_MIN_FRAME);
	n->sent[n->nsent++].len = len;
	return true;
}

static inline void fakenet_ready(void *ctx)
{
	struct fakenet *n = ctx;

	n->ready++;
	if (n->offer)
		n->offer();
}

static inline void *fakenet_dma(void *ctx, uint64_t gpa, uint32_t len)
{
	struct fakenet *n = ctx;

	return gpa <= FAKENET_RAM && len <= FAKENET_RAM - gpa ? n->ram + gpa : NULL;
}

static inline void fakenet_dma_wrote(void *ctx, uint64_t gpa, uint32_t len)
{
	ck_assert_ptr_nonnull(fakenet_dma(ctx, gpa, len));
	((struct fakenet *)ctx)->wrote_bytes += len;
}

static inline void fakenet_init(struct fakenet *n)
{
	memset(n, 0, sizeof(*n));
	fakedev_init(&n->f);
	n->f.s.net_send = fakenet_send;
	n->f.s.net_ready = fakenet_ready;
	n->f.s.dma = fakenet_dma;
	n->f.s.dma_wrote = fakenet_dma_wrote;
}

static const uint8_t fakenet_mac[6] = { 0x52, 0x54, 0x00, 0x12, 0x34, 0x56 };
static const uint8_t fakenet_other[6] = { 0x52, 0x54, 0x00, 0x77, 0x77, 0x77 };
static const uint8_t fakenet_all[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

/* A frame to dest whose bytes tell their places and seed; static. */
static inline const uint8_t *fakenet_frame(const uint8_t *dest, uint32_t len, unsigned seed)
{
	static uint8_t frame[2048];

	for (uint32_t i = 0; i < len; i++)
		frame[i] = (uint8_t)(i * 7 + (i >> 8) + seed);
	memcpy(frame, dest, 6);
	memcpy(frame + 6, fakenet_other, 6);
	return frame;
}

#endif
