/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE		/* F_OFD_SETLK */
#include "hostos/disk.h"

#include "hostos/linux/threads.h"
#include "hostos/overlay.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define SECTOR 512u
#define WORKER_STACK (128u * 1024)

/* Requests in the order they came. */
struct queue {
	struct dev_block_request *first, *last;
};

struct host_disk {
	int fd;
	const char *path;
	bool told[3];			/* of a failure, by kind of request; the worker's */
	uint64_t size;
	bool readonly;
	struct overlay *overlay;	/* a snapshot's writes, else NULL */
	void (*kick)(void *ctx);
	void *ctx;
	pthread_t worker;
	pthread_mutex_t lock;		/* for all below */
	pthread_cond_t work;		/* something was queued, or closing was set */
	pthread_cond_t idle;		/* pending went to 0 */
	struct queue queued, done;
	unsigned pending;		/* queued or being carried out */
	bool closing;
};

static void put(struct queue *q, struct dev_block_request *r)
{
	r->next = NULL;
	if (q->first)
		q->last->next = r;
	else
		q->first = r;
	q->last = r;
}

static struct dev_block_request *get(struct queue *q)
{
	struct dev_block_request *r = q->first;

	if (r) {
		q->first = r->next;
		r->next = NULL;
	}
	return r;
}

/* Input and output; each returns 0 or an errno value. */

/* Carries out a whole vector on the file; the iovecs are used up. */
static int file_io(int fd, enum dev_block_op op, struct iovec *iov, int n, uint64_t offset)
{
	while (n > 0) {
		ssize_t k;

		if (iov->iov_len == 0) {
			iov++;
			n--;
			continue;
		}
		k = op == DEV_BLOCK_READ ? preadv(fd, iov, n, (off_t)offset)
					 : pwritev(fd, iov, n, (off_t)offset);
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return errno;
		if (k == 0)
			return EIO;	/* the file was truncated under us */
		offset += (uint64_t)k;
		for (; n > 0 && (size_t)k >= iov->iov_len; iov++, n--)
			k -= (ssize_t)iov->iov_len;
		if (n > 0) {
			iov->iov_base = (uint8_t *)iov->iov_base + k;
			iov->iov_len -= (size_t)k;
		}
	}
	return 0;
}

/* The overlay's block at offset, filled from the file when it is new. */
static int snapshot_block(struct host_disk *d, uint64_t offset, uint8_t **block)
{
	uint64_t start = offset - offset % OVERLAY_BLOCK;
	uint64_t len = d->size - start < OVERLAY_BLOCK ? d->size - start : OVERLAY_BLOCK;
	struct iovec iov;
	int err;

	*block = overlay_find(d->overlay, offset);
	if (*block)
		return 0;
	*block = overlay_add(d->overlay, offset);
	if (!*block)
		return ENOMEM;
	iov = (struct iovec){ .iov_base = *block, .iov_len = len };
	err = file_io(d->fd, DEV_BLOCK_READ, &iov, 1, start);
	if (err)
		overlay_remove(d->overlay, offset);
	return err;
}

/* One piece that lies within one overlay block. */
static int snapshot_piece(struct host_disk *d, enum dev_block_op op, uint8_t *mem, uint32_t len,
			  uint64_t offset)
{
	uint8_t *block = overlay_find(d->overlay, offset);
	struct iovec iov = { .iov_base = mem, .iov_len = len };
	int err;

	if (op == DEV_BLOCK_READ) {
		if (!block)
			return file_io(d->fd, op, &iov, 1, offset);
		memcpy(mem, block + offset % OVERLAY_BLOCK, len);
		return 0;
	}
	err = snapshot_block(d, offset, &block);
	if (!err)
		memcpy(block + offset % OVERLAY_BLOCK, mem, len);
	return err;
}

static int snapshot_io(struct host_disk *d, const struct dev_block_request *r)
{
	uint64_t offset = r->offset;

	for (unsigned i = 0; i < r->iovcnt; i++) {
		uint8_t *mem = r->iov[i].base;
		uint32_t left = r->iov[i].len;

		while (left) {
			uint32_t room = OVERLAY_BLOCK - (uint32_t)(offset % OVERLAY_BLOCK);
			uint32_t len = left < room ? left : room;
			int err = snapshot_piece(d, r->op, mem, len, offset);

			if (err)
				return err;
			mem += len;
			offset += len;
			left -= len;
		}
	}
	return 0;
}

static bool in_range(const struct host_disk *d, const struct dev_block_request *r)
{
	uint64_t bytes = 0;

	for (unsigned i = 0; i < r->iovcnt; i++)
		bytes += r->iov[i].len;
	return r->offset <= d->size && bytes <= d->size - r->offset;
}

static int carry_out(struct host_disk *d, const struct dev_block_request *r)
{
	struct iovec iov[DEV_BLOCK_MAX_IOV];

	if (r->op == DEV_BLOCK_FLUSH)
		return d->readonly || d->overlay || fdatasync(d->fd) == 0 ? 0 : errno;
	if (r->iovcnt > DEV_BLOCK_MAX_IOV || !in_range(d, r))
		return EINVAL;
	if (r->op == DEV_BLOCK_WRITE && d->readonly)
		return EROFS;
	if (d->overlay)
		return snapshot_io(d, r);
	for (unsigned i = 0; i < r->iovcnt; i++)
		iov[i] = (struct iovec){ r->iov[i].base, r->iov[i].len };
	return file_io(d->fd, r->op, iov, (int)r->iovcnt, r->offset);
}

/* The worker thread. */

/* The guest sees an I/O error; what the host has said is for who runs it. */
static void tell(struct host_disk *d, const struct dev_block_request *r)
{
	static const char *const names[] = {
		[DEV_BLOCK_READ] = "read", [DEV_BLOCK_WRITE] = "write", [DEV_BLOCK_FLUSH] = "flush",
	};
	bool full = r->result == ENOSPC || r->result == EDQUOT || r->result == EFBIG;

	if (d->told[r->op] || r->result == EINVAL || r->result == EROFS)
		return;
	d->told[r->op] = true;
	fprintf(stderr, "lilyvm: disk %s: cannot %s (%s): the guest sees an I/O error; %s\n",
		d->path, names[r->op], strerror(r->result),
		full ? "make room on the host" : "look at the host's disk");
}

static void *worker(void *arg)
{
	struct host_disk *d = arg;
	struct dev_block_request *r;

	pthread_mutex_lock(&d->lock);
	for (;;) {
		while (!(r = get(&d->queued)) && !d->closing)
			pthread_cond_wait(&d->work, &d->lock);
		if (!r)
			break;
		pthread_mutex_unlock(&d->lock);
		r->result = carry_out(d, r);
		if (r->result)
			tell(d, r);
		pthread_mutex_lock(&d->lock);
		put(&d->done, r);
		if (--d->pending == 0)
			pthread_cond_broadcast(&d->idle);
		pthread_mutex_unlock(&d->lock);
		d->kick(d->ctx);
		pthread_mutex_lock(&d->lock);
	}
	pthread_mutex_unlock(&d->lock);
	return NULL;
}

void host_disk_submit(struct host_disk *d, struct dev_block_request *r)
{
	pthread_mutex_lock(&d->lock);
	put(&d->queued, r);
	d->pending++;
	pthread_cond_signal(&d->work);
	pthread_mutex_unlock(&d->lock);
}

struct dev_block_request *host_disk_poll(struct host_disk *d)
{
	struct dev_block_request *r;

	pthread_mutex_lock(&d->lock);
	r = get(&d->done);
	pthread_mutex_unlock(&d->lock);
	return r;
}

void host_disk_drain(struct host_disk *d)
{
	pthread_mutex_lock(&d->lock);
	while (d->pending)
		pthread_cond_wait(&d->idle, &d->lock);
	pthread_mutex_unlock(&d->lock);
}

uint64_t host_disk_size(const struct host_disk *d)
{
	return d->size;
}

bool host_disk_readonly(const struct host_disk *d)
{
	return d->readonly;
}

/* Opening. */

static int open_failed(const char *path, bool writable, struct error *e)
{
	switch (errno) {
	case ENOENT:
	case ENOTDIR:
		return fail(e, ST_NOINPUT, "disk %s: no such file; check the path", path);
	case EISDIR:
		return fail(e, ST_IMAGE, "disk %s: is a directory; give a raw disk image", path);
	case EMFILE:
	case ENFILE:
		return fail(e, ST_HOST, "disk %s: cannot be opened (%s); raise the limit of "
			    "descriptors (ulimit -n)", path, strerror(errno));
	case EACCES:
	case EPERM:
	case EROFS:
		if (writable)
			return fail(e, ST_NOINPUT, "disk %s: cannot be opened for writing (%s); "
				    "change its permissions, or append ,readonly or ,snapshot",
				    path, strerror(errno));
		break;
	}
	return fail(e, ST_NOINPUT, "disk %s: cannot be opened (%s); check its permissions", path,
		    strerror(errno));
}

static int check_kind(int fd, const char *path, struct error *e)
{
	struct stat st;

	if (fstat(fd, &st))
		return fail(e, ST_HOST, "disk %s: fstat: %s", path, strerror(errno));
	if (S_ISDIR(st.st_mode))
		return fail(e, ST_IMAGE, "disk %s: is a directory; give a raw disk image", path);
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		return fail(e, ST_IMAGE, "disk %s: is neither a file nor a block device; "
			    "give a raw disk image", path);
	return 0;
}

static int find_size(int fd, uint64_t *size, const char *path, struct error *e)
{
	off_t end = lseek(fd, 0, SEEK_END);

	if (end < 0)
		return fail(e, ST_NOINPUT, "disk %s: size unknown (%s); give a raw disk image",
			    path, strerror(errno));
	if (end == 0)
		return fail(e, ST_IMAGE, "disk %s: is empty; make it with truncate -s SIZE", path);
	if (end % SECTOR)
		return fail(e, ST_IMAGE, "disk %s: its size, %lld bytes, is not a multiple of 512; "
			    "it is truncated or no raw disk image", path, (long long)end);
	*size = (uint64_t)end;
	return 0;
}

/*
 * Open-file-description locks: they belong to this open file, end with the
 * process however it ends, and are seen by QEMU.  Some file systems have no
 * locks at all; that is no reason not to use a disk on them.
 */
static int lock_image(int fd, bool writable, const char *path, struct error *e)
{
	struct flock lock = {
		.l_type = writable ? F_WRLCK : F_RDLCK,
		.l_whence = SEEK_SET,
	};

	if (fcntl(fd, F_OFD_SETLK, &lock) == 0 || (errno != EAGAIN && errno != EACCES))
		return 0;
	if (writable)
		return fail(e, ST_NOINPUT, "disk %s: in use by another virtual machine, or given "
			    "twice; end the other, or use ,readonly or ,snapshot in both", path);
	return fail(e, ST_NOINPUT, "disk %s: being written by another virtual machine; end that "
		    "one, or use a copy", path);
}

static int open_image(struct host_disk *d, const char *path, bool writable, struct error *e)
{
	/* O_NONBLOCK: opening a FIFO must not wait for its other end. */
	d->fd = open(path, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK);
	if (d->fd < 0)
		return open_failed(path, writable, e);
	if (check_kind(d->fd, path, e) || find_size(d->fd, &d->size, path, e))
		return -1;
	return lock_image(d->fd, writable, path, e);
}

static void destroy(struct host_disk *d)
{
	if (d->fd >= 0)
		close(d->fd);
	overlay_free(d->overlay);
	pthread_mutex_destroy(&d->lock);
	pthread_cond_destroy(&d->work);
	pthread_cond_destroy(&d->idle);
	free(d);
}

int host_disk_open(struct host_disk **disk, const char *path, bool readonly, bool snapshot,
		   void (*kick)(void *ctx), void *ctx, struct error *e)
{
	struct host_disk *d = calloc(1, sizeof(*d));
	int err;

	*disk = NULL;
	if (!d)
		return fail(e, ST_HOST, "disk %s: out of memory", path);
	d->fd = -1;
	d->path = path;
	d->readonly = readonly;
	d->kick = kick;
	d->ctx = ctx;
	pthread_mutex_init(&d->lock, NULL);
	pthread_cond_init(&d->work, NULL);
	pthread_cond_init(&d->idle, NULL);
	if (open_image(d, path, !readonly && !snapshot, e))
		goto failed;
	if (snapshot && !readonly && !(d->overlay = overlay_new(d->size))) {
		fail(e, ST_HOST, "disk %s: out of memory for the snapshot", path);
		goto failed;
	}
	err = thread_start(&d->worker, WORKER_STACK, worker, d);
	if (err) {
		fail(e, ST_HOST, "disk %s: cannot start a thread (%s); raise the limit of "
		     "processes or of memory (ulimit -u, -v)", path, strerror(err));
		goto failed;
	}
	*disk = d;
	return 0;
failed:
	destroy(d);
	return -1;
}

void host_disk_close(struct host_disk *d)
{
	if (!d)
		return;
	pthread_mutex_lock(&d->lock);
	d->closing = true;
	pthread_cond_signal(&d->work);
	pthread_mutex_unlock(&d->lock);
	thread_join(&d->worker);
	destroy(d);
}
