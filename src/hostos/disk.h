/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Disk images: block requests carried out by a worker thread of the host, so
 * that disk I/O does not stop the virtual CPU.
 */
#ifndef LILYVM_HOSTOS_DISK_H
#define LILYVM_HOSTOS_DISK_H

#include "devemu/devemu.h"
#include "error.h"

struct host_disk;

/*
 * Opens a raw image (file or block device) whose size is a positive multiple
 * of 512; path must stay.  readonly: never written, writes fail with EROFS.  snapshot: writes
 * are kept in memory only.  The image is locked against other processes:
 * exclusively when it may be written, else shared.  kick(ctx) is called from the
 * worker thread after each completion: the owner must then call
 * host_disk_poll() on its own thread.  0, or -1 with *e.
 */
int host_disk_open(struct host_disk **d, const char *path, bool readonly, bool snapshot,
		   void (*kick)(void *ctx), void *ctx, struct error *e);
/* Waits for what is under way, then closes. */
void host_disk_close(struct host_disk *d);
uint64_t host_disk_size(const struct host_disk *d);	/* bytes */
bool host_disk_readonly(const struct host_disk *d);

/* Queues a request; r stays the caller's until host_disk_poll() returns it. A
 * flush is complete when everything that completed before it is durable. */
void host_disk_submit(struct host_disk *d, struct dev_block_request *r);
/* The next completed request, or NULL. Never blocks. Its result is 0 or an
 * errno value of the host. */
struct dev_block_request *host_disk_poll(struct host_disk *d);
/* Waits until nothing is under way; host_disk_poll() then returns it all. */
void host_disk_drain(struct host_disk *d);

#endif
