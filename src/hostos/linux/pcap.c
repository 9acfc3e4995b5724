/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Captured frames in the pcap file format (draft-ietf-opsawg-pcap), with nanoseconds.
 * Each frame is one write, so that the file is whole whenever the process ends.
 */
#define _GNU_SOURCE
#include "hostos/linux/netback.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct host_pcap {
	int fd;
	const char *path;
	atomic_bool failed;		/* has been reported */
};

struct file_header {
	uint32_t magic;
	uint16_t major, minor;
	uint32_t zone, sigfigs, snaplen, linktype;
};

struct frame_header {
	uint32_t sec, nsec, captured, len;
};

#define MAGIC_NANOSECONDS 0xa1b23c4du
#define LINKTYPE_ETHERNET 1u

/* O_APPEND makes writes of several threads follow each other. */
void pcap_frame(struct host_pcap *p, const uint8_t *frame, uint32_t len)
{
	struct timespec now;
	struct frame_header h = { .captured = len, .len = len };
	const struct iovec iov[] = {
		{ &h, sizeof(h) }, { (void *)(uintptr_t)frame, len },
	};

	if (atomic_load_explicit(&p->failed, memory_order_relaxed))
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	h.sec = (uint32_t)now.tv_sec;
	h.nsec = (uint32_t)now.tv_nsec;
	errno = 0;
	if (writev(p->fd, iov, 2) != (ssize_t)(sizeof(h) + len) &&
	    !atomic_exchange(&p->failed, true))
		fprintf(stderr, "lilyvm: pcap: cannot write %s: %s; the capture ends here\n",
			p->path, errno ? strerror(errno) : "the disk is full");
}

int host_pcap_open(struct host_pcap **pcap, const char *path, struct error *e)
{
	const struct file_header h = {
		.magic = MAGIC_NANOSECONDS, .major = 2, .minor = 4,
		.snaplen = DEV_NET_MAX_FRAME, .linktype = LINKTYPE_ETHERNET,
	};
	struct host_pcap *p = calloc(1, sizeof(*p));

	*pcap = NULL;
	if (!p)
		return fail(e, ST_HOST, "pcap: out of memory");
	p->path = path;
	p->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0666);
	if (p->fd < 0 || write(p->fd, &h, sizeof(h)) != (ssize_t)sizeof(h)) {
		fail(e, ST_HOST, "pcap: cannot write %s: %s; name another file", path,
		     strerror(errno));
		host_pcap_close(p);
		return -1;
	}
	*pcap = p;
	return 0;
}

void host_pcap_close(struct host_pcap *p)
{
	if (!p)
		return;
	if (p->fd >= 0)
		close(p->fd);
	free(p);
}
