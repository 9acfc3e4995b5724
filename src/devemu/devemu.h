/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The contract between a device emulator ("chip") and whoever hosts it: the
 * monitor today, a guest kernel that links the chip tomorrow.
 *
 * A chip is freestanding C: only this header and <stdint.h>, <stdbool.h>,
 * <stddef.h>; no libc, no malloc, no globals that change.  Its state is one
 * struct that the host of the chip owns and that holds no pointer but the one
 * to its services.  Each chip NAME offers
 *
 *	void     NAME_init(struct NAME *, const struct dev_services *, ...);
 *	void     NAME_reset(struct NAME *);                      hardware reset
 *	uint32_t NAME_in(struct NAME *, unsigned reg, unsigned size);
 *	void     NAME_out(struct NAME *, unsigned reg, unsigned size, uint32_t v);
 *	void     NAME_timer(struct NAME *);       its armed deadline has passed
 *
 * where reg is the offset from the chip's base port and size is 1, 2 or 4
 * bytes.  A chip is only entered from one thread at a time.
 */
#ifndef LILYVM_DEVEMU_H
#define LILYVM_DEVEMU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DEV_NO_DEADLINE UINT64_MAX

/* Kinds of a block request. */
enum dev_block_op { DEV_BLOCK_READ, DEV_BLOCK_WRITE, DEV_BLOCK_FLUSH };

/* One piece of guest memory of a request. */
struct dev_iovec {
	void *base;
	uint32_t len;
};

#define DEV_BLOCK_MAX_IOV 130

/*
 * A block request: filled in by the chip, which keeps it (and the memory)
 * unchanged until the host hands it back by the chip's NAME_block_done().
 */
struct dev_block_request {
	enum dev_block_op op;
	uint64_t offset;		/* bytes, a multiple of 512 */
	unsigned iovcnt;
	struct dev_iovec iov[DEV_BLOCK_MAX_IOV];
	int result;			/* 0 or a positive errno-like code, set by the host */
	unsigned tag;			/* the chip's own */
	struct dev_block_request *next;	/* the host's own, while it has the request */
};

/*
 * Ethernet frames: addresses, type and data, without preamble and FCS.  A frame
 * on the way to a chip is handed to
 *
 *	bool NAME_net_receive(struct NAME *, const uint8_t *frame, uint32_t len);
 *
 * which returns false if it should be offered again, because the guest has not
 * made room for it yet: the chip calls services->net_ready() when it has.
 * Frames that the chip filters out, or that no guest listens to, are taken and
 * forgotten.  NAME_net_sendable(struct NAME *) tells that services->net_send(),
 * which has refused a frame, takes frames again.
 */
#define DEV_NET_MIN_FRAME 14u
#define DEV_NET_MAX_FRAME 65550u	/* an IP packet of 64 KiB - 1 */

struct dev_services {
	void *ctx;			/* handed back in every call */

	/* Drives the device's interrupt line. */
	void (*irq)(void *ctx, int level);

	/* Virtual time since power-on, nanoseconds; never goes back. */
	uint64_t (*now)(void *ctx);
	/* Wall-clock time, seconds since 1970 UTC. */
	int64_t (*wallclock)(void *ctx);
	/* Arms the device's only timer for the virtual time deadline (replacing
	 * an earlier one); DEV_NO_DEADLINE disarms it. */
	void (*timer)(void *ctx, uint64_t deadline);

	/* Sends n bytes to the character back end; takes all of them. */
	void (*char_out)(void *ctx, const uint8_t *buf, size_t n);

	/* Guest-physical memory for DMA: a pointer to len contiguous bytes at
	 * gpa, or NULL if they are not all RAM. */
	void *(*dma)(void *ctx, uint64_t gpa, uint32_t len);
	/* Tells that the chip wrote len bytes at gpa by DMA. */
	void (*dma_wrote)(void *ctx, uint64_t gpa, uint32_t len);

	/* Starts a block request; it may complete before the call returns. */
	void (*block)(void *ctx, struct dev_block_request *r);
	/* Waits until every request of the device has been handed back: no DMA
	 * may follow the device's reset. */
	void (*block_drain)(void *ctx);

	/* Sends a frame of DEV_NET_MIN_FRAME..DEV_NET_MAX_FRAME bytes, which has been
	 * copied when the call returns.  False: not now; see above. */
	bool (*net_send)(void *ctx, const struct dev_iovec *iov, unsigned iovcnt);
	/* A frame that NAME_net_receive() has refused should be offered again; that
	 * may happen before the call returns. */
	void (*net_ready)(void *ctx);

	/* The machine-wide wires. */
	void (*reset)(void *ctx);			/* the CPU's reset line */
	void (*exit)(void *ctx, uint32_t value);	/* the exit port was written */
};

#endif
