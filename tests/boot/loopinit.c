/* SPDX-License-Identifier: BSD-2-Clause */
/* /init of rewritten.test: as many system calls as the kernel's command line says
 * (loops=NUMBER, which Linux hands on in the environment), then the end of the machine. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* LilyVM's exit port (isa-debug-exit in QEMU). */
enum { EXIT_PORT = 0x501, MEM_MAJOR = 1, PORT_MINOR = 4 };

int main(void)
{
	const char *loops = getenv("loops");
	unsigned char status = 0;
	int port;

	for (long n = loops ? atol(loops) : 0; n > 0; n--)
		syscall(SYS_getppid);

	if (mknod("/port", S_IFCHR | 0600, makedev(MEM_MAJOR, PORT_MINOR)))
		return 1;
	port = open("/port", O_WRONLY);
	return port < 0 || pwrite(port, &status, 1, EXIT_PORT) != 1;
}
