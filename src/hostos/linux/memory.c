/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest RAM as one memfd, and its views below 4 GiB. */
#define _GNU_SOURCE
#include "hostos/hostos.h"

#include "hostos/linux/memfd.h"
#include "layout.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

/* Address space of the monitor beside guest RAM and the guest's mappings of it: libraries,
 * stacks, allocator arenas, records of code. */
#define OWN_SPACE	(160ull << 20)

/* A limit that the monitor would meet while the guest runs is refused at start. */
static int check_space(uint64_t size, struct error *e)
{
	uint64_t need = 2 * size + OWN_SPACE;
	struct rlimit limit;

	if (getrlimit(RLIMIT_AS, &limit) || limit.rlim_cur >= need)
		return 0;
	return fail(e, ST_HOST, "guest RAM: %" PRIu64 " MiB need %" PRIu64 " MiB of address space, "
		    "and %llu are allowed; use a smaller --memory or raise the limit (ulimit -v)",
		    size >> 20, need >> 20, (unsigned long long)limit.rlim_cur >> 20);
}

int host_ram_create(struct host_ram *ram, uint64_t size, struct error *e)
{
	void *p;

	if (check_space(size, e))
		return -1;
	ram->handle = memfd_sealed("lilyvm-ram", size, true);
	if (ram->handle < 0)
		return fail(e, ST_HOST, "guest RAM: %" PRIu64 " MiB: memfd_create: %s; "
			    "use a smaller --memory, or see `lilyvm host`", size >> 20,
			    strerror(errno));
	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, ram->handle, 0);
	if (p == MAP_FAILED) {
		int err = errno;

		close(ram->handle);
		return fail(e, ST_HOST, "guest RAM: mapping %" PRIu64 " MiB: %s; use a smaller "
			    "--memory or raise the address-space limit (ulimit -v)",
			    size >> 20, strerror(err));
	}
	ram->base = p;
	ram->size = size;
	return 0;
}

void host_ram_destroy(struct host_ram *ram)
{
	if (!ram->base)
		return;
	munmap(ram->base, ram->size);
	close(ram->handle);
	ram->base = NULL;
}

static int protection(unsigned rights)
{
	return (rights & HP_R ? PROT_READ : 0) | (rights & HP_W ? PROT_WRITE : 0) |
	       (rights & HP_X ? PROT_EXEC : 0);
}

int host_low_map(const struct host_ram *ram, uint32_t va, uint64_t offset, uint64_t len,
		 unsigned rights, bool populate)
{
	void *p = mmap((void *)(uintptr_t)va, len, protection(rights),
		       MAP_SHARED | MAP_FIXED | (populate ? MAP_POPULATE : 0), ram->handle, offset);

	return p == MAP_FAILED ? errno : 0;
}

int host_low_unmap(uint32_t va, uint64_t len)
{
	return munmap((void *)(uintptr_t)va, len) ? errno : 0;
}

int host_low_protect(uint32_t va, uint64_t len, unsigned rights)
{
	return mprotect((void *)(uintptr_t)va, len, protection(rights)) ? errno : 0;
}

int host_window_create(uint32_t va, uint32_t size, uint32_t code, void **alias, struct error *e)
{
	int fd = memfd_sealed("lilyvm-window", size, true);
	void *low = (void *)(uintptr_t)va;

	if (fd < 0)
		return fail(e, ST_HOST,
			    "runtime window: %s; raise the limit of descriptors (ulimit -n)",
			    strerror(errno));
	*alias = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (*alias == MAP_FAILED ||
	    mmap(low, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED ||
	    mprotect((void *)(uintptr_t)code, va + size - code, PROT_NONE)) {
		int err = errno;

		close(fd);
		return fail(e, ST_HOST,
			    "runtime window: %s; raise the address-space limit (ulimit -v)",
			    strerror(err));
	}
	close(fd);
	return 0;
}

int host_low_check(struct error *e)
{
	FILE *f = fopen("/proc/self/maps", "r");
	char line[512];
	int bad = 0;

	if (!f)
		return fail(e, ST_HOST, "/proc/self/maps: %s; /proc must be mounted",
			    strerror(errno));
	while (!bad && fgets(line, sizeof line, f)) {
		char *end;
		uint64_t start = strtoull(line, &end, 16);

		/* The legacy vsyscall page and all of ours lie higher. */
		bad = *end == '-' && start < LOW_END;
	}
	fclose(f);
	if (bad)
		return fail(e, ST_HOST, "address space: %.80s lies below 4 GiB, where the guest "
			    "lives; build lilyvm as PIE and run it without a preloaded library or "
			    "sanitizer there", line);
	return 0;
}

static uint32_t sysctl_number(const char *path, uint32_t fallback)
{
	FILE *f = fopen(path, "r");
	unsigned v;

	if (!f)
		return fallback;
	if (fscanf(f, "%u", &v) != 1)
		v = fallback;
	fclose(f);
	return v;
}

uint32_t host_low_min(void)
{
	uint32_t v = sysctl_number("/proc/sys/vm/mmap_min_addr", 65536);

	if (v < PAGE_SIZE)
		v = PAGE_SIZE;
	return (v + PAGE_SIZE - 1) & PAGE_MASK;
}

uint32_t host_map_limit(void)
{
	return sysctl_number("/proc/sys/vm/max_map_count", 65530);
}
