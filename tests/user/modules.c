/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Kernel modules: loads the files listed in DIR/use (dependencies first), uses
 * those that the table below knows, and removes all of them again.  Module
 * code is what a kernel brings in long after it has started.
 */
#define _GNU_SOURCE
#include "harness.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/loop.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MAX_MODULES = 32, PAGES = 256 };

static char paths[MAX_MODULES][256];
static unsigned count;

/* "zram" of "/modules/zram.ko", with "_" for "-" as the kernel has it. */
static const char *name_of(const char *path)
{
	static char name[64];
	const char *slash = strrchr(path, '/');

	snprintf(name, sizeof(name), "%s", slash ? slash + 1 : path);
	name[strcspn(name, ".")] = 0;
	for (char *c = name; *c; c++)
		if (*c == '-')
			*c = '_';
	return name;
}

static bool is_loaded(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/module/%s/initstate", name);
	return access(path, F_OK) == 0;
}

/* By init_module: the image comes from our memory. */
static void check_load(const void *arg)
{
	const char *path = arg;
	int fd = open(path, O_RDONLY);
	struct stat st;
	void *image;

	CHECK(fd >= 0 && fstat(fd, &st) == 0, "%s: %s", path, strerror(errno));
	image = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	SYS((intptr_t)image);
	SYS(syscall(SYS_init_module, image, st.st_size, ""));
	CHECK(is_loaded(name_of(path)), "%s is not in /sys/module", name_of(path));
}

static void check_remove(const void *arg)
{
	const char *name = name_of(arg);

	for (int tries = 0; syscall(SYS_delete_module, name, O_NONBLOCK); tries++) {
		CHECK((errno == EAGAIN || errno == EBUSY) && tries < 20, "delete_module: %s",
		      strerror(errno));
		usleep(100000);	/* the last user is still going away */
	}
	CHECK(!is_loaded(name), "%s is still in /sys/module", name);
}

static void write_text(const char *path, const char *text)
{
	int fd = (int)SYS(open(path, O_WRONLY));

	CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text), "%s: %s", path,
	      strerror(errno));
	close(fd);
}

/* Writes PAGES pages to a block device, half of them hard to compress, and
 * reads them back past the cache. */
static void exercise_block(const char *device)
{
	static uint32_t page[1024];
	int fd = open(device, O_RDWR);

	CHECK(fd >= 0, "%s: %s", device, strerror(errno));
	for (uint32_t n = 0; n < PAGES; n++) {
		for (uint32_t k = 0; k < 1024; k++)
			page[k] = n % 2 ? n : (n * 1024 + k) * 2654435761u;
		CHECK(pwrite(fd, page, 4096, n * 4096) == 4096, "%s: write of page %u: %s", device,
		      n, strerror(errno));
	}
	SYS(fsync(fd));
	SYS(ioctl(fd, BLKFLSBUF, 0));
	for (uint32_t n = 0; n < PAGES; n++) {
		CHECK(pread(fd, page, 4096, n * 4096) == 4096, "%s: read of page %u", device, n);
		for (uint32_t k = 0; k < 1024; k++)
			CHECK(page[k] == (n % 2 ? n : (n * 1024 + k) * 2654435761u),
			      "%s: page %u word %u is 0x%x", device, n, k, page[k]);
	}
	close(fd);
}

static void use_loop(void)
{
	char path[] = "/tmp/loop.XXXXXX", device[32];
	int file = (int)SYS(mkstemp(path));
	int control = (int)SYS(open("/dev/loop-control", O_RDWR));
	int n = (int)SYS(ioctl(control, LOOP_CTL_GET_FREE)), fd;

	unlink(path);
	SYS(ftruncate(file, PAGES * 4096));
	snprintf(device, sizeof(device), "/dev/loop%d", n);
	fd = (int)SYS(open(device, O_RDWR));
	SYS(ioctl(fd, LOOP_SET_FD, file));
	exercise_block(device);
	SYS(ioctl(fd, LOOP_CLR_FD, 0));
	close(fd);
	/* The device must be gone before the module can go. */
	SYS(ioctl(control, LOOP_CTL_REMOVE, n));
}

static void use_zram(void)
{
	write_text("/sys/block/zram0/disksize", "4M");
	exercise_block("/dev/zram0");
	write_text("/sys/block/zram0/reset", "1");
}

static void use_brd(void)
{
	exercise_block("/dev/ram0");
}

/* Gives the interface an address and starts it. */
static void configure(const char *interface, const char *address)
{
	struct ifreq req = { 0 };
	struct sockaddr_in *sin = (struct sockaddr_in *)&req.ifr_addr;
	int fd = (int)SYS(socket(AF_INET, SOCK_DGRAM, 0));

	snprintf(req.ifr_name, sizeof(req.ifr_name), "%s", interface);
	sin->sin_family = AF_INET;
	sin->sin_addr.s_addr = inet_addr(address);
	SYS(ioctl(fd, SIOCSIFADDR, &req));
	sin->sin_addr.s_addr = inet_addr("255.255.255.0");
	SYS(ioctl(fd, SIOCSIFNETMASK, &req));
	SYS(ioctl(fd, SIOCGIFFLAGS, &req));
	req.ifr_flags |= IFF_UP | IFF_RUNNING;
	SYS(ioctl(fd, SIOCSIFFLAGS, &req));
	close(fd);
}

/* Multicast, which needs no ARP, leaves by the interface with address `from`. */
static void send_datagram(const char *from, const char *address, const char *text)
{
	struct in_addr interface = { inet_addr(from) };
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9),
				  .sin_addr.s_addr = inet_addr(address) };
	int fd = (int)SYS(socket(AF_INET, SOCK_DGRAM, 0));

	SYS(setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &interface, sizeof(interface)));
	CHECK(sendto(fd, text, strlen(text), 0, (struct sockaddr *)&to, sizeof(to)) ==
	      (ssize_t)strlen(text), "sendto %s: %s", address, strerror(errno));
	close(fd);
}

static unsigned read_number(const char *path)
{
	unsigned n = 0;
	FILE *f = fopen(path, "r");

	CHECK(f && fscanf(f, "%u", &n) == 1, "%s", path);
	fclose(f);
	return n;
}

/* The dummy interface counts and drops what it is given. */
static void use_dummy(void)
{
	static const char packets[] = "/sys/class/net/dummy0/statistics/tx_packets";
	unsigned before;

	configure("dummy0", "10.99.1.1");
	before = read_number(packets);
	for (int i = 0; i < 10; i++)
		send_datagram("10.99.1.1", "239.1.2.3", "to nobody");
	CHECK(read_number(packets) >= before + 10, "%u packets sent, wanted 10",
	      read_number(packets) - before);
}

/* A packet that the kernel routes to the tunnel arrives at its descriptor. */
static void use_tun(void)
{
	struct ifreq req = { .ifr_name = "tun9", .ifr_flags = IFF_TUN | IFF_NO_PI };
	uint8_t packet[2048];
	int fd, tries = 0;
	ssize_t n;

	if (access("/dev/net/tun", F_OK)) {
		mkdir("/dev/net", 0755);
		SYS(mknod("/dev/net/tun", S_IFCHR | 0600, 10 << 8 | 200));
	}
	fd = (int)SYS(open("/dev/net/tun", O_RDWR));
	SYS(ioctl(fd, TUNSETIFF, &req));
	configure("tun9", "10.99.2.1");
	send_datagram("10.99.2.1", "10.99.2.2", "hello, tunnel");
	do {	/* IPv6 router solicitations come, too */
		n = SYS(read(fd, packet, sizeof(packet)));
	} while (packet[0] != 0x45 && tries++ < 20);
	CHECK(n == 20 + 8 + 13 && !memcmp(packet + 28, "hello, tunnel", 13),
	      "a packet of %zd bytes, first byte 0x%x", n, packet[0]);
	close(fd);
}

static const struct use {
	const char *name;
	void (*fn)(void);
} uses[] = {
	{ "loop", use_loop }, { "zram", use_zram }, { "brd", use_brd }, { "dummy", use_dummy },
	{ "tun", use_tun },
};

static void check_use(const void *arg)
{
	((const struct use *)arg)->fn();
}

void test_modules(const char *dir)
{
	char name[128], list[256];
	FILE *f;

	snprintf(list, sizeof(list), "%s/use", dir);
	f = fopen(list, "r");
	for (count = 0; f && count < MAX_MODULES && fscanf(f, "%255s", paths[count]) == 1;)
		count++;
	if (f)
		fclose(f);
	if (!count)
		printf("# no %s: modules are not tested\n", list);
	for (unsigned i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "module: load %s", name_of(paths[i]));
		run(name, check_load, paths[i]);
	}
	for (unsigned u = 0; u < sizeof(uses) / sizeof(uses[0]); u++)
		for (unsigned i = 0; i < count; i++)
			if (strcmp(uses[u].name, name_of(paths[i])) == 0) {
				snprintf(name, sizeof(name), "module: use %s", uses[u].name);
				run(name, check_use, &uses[u]);
			}
	for (unsigned i = count; i-- > 0;) {
		snprintf(name, sizeof(name), "module: remove %s", name_of(paths[i]));
		run(name, check_remove, paths[i]);
	}
}
