/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A virtual machine as main() sees it: configuration, life cycle, and what the
 * console keys, the monitor prompt and the signal handlers may ask of it.
 */
#ifndef LILYVM_VM_H
#define LILYVM_VM_H

#include "error.h"
#include "hostos/net.h"
#include "types.h"

#include <stdio.h>

struct vm;

#define VM_MAX_DISKS 8
#define VM_MAX_MODULES 16
#define VM_MAX_NICS 4

/* How a disk is attached.  DISK_DEFAULT: as the kernel's kind wants it. */
enum disk_interface { DISK_DEFAULT, DISK_VIRTIO, DISK_IDE, DISK_CDROM };

/* The four places of IDE drives: two on each channel. */
#define IDE_PLACES 4
#define IDE_PLACE_ANY (-1)

struct disk_config {
	const char *path;
	enum disk_interface interface;
	int place;			/* DISK_IDE, DISK_CDROM: 0..3 for hda..hdd, or any */
	bool readonly;
	bool snapshot;			/* writes go to memory and are lost at exit */
};

enum nic_model { NIC_VIRTIO, NIC_NE2000, NIC_NE2000_ISA, NIC_RTL8139 };

struct nic_config {
	enum nic_model model;
	uint8_t mac[6];
	uint16_t mtu;			/* told to a virtio driver; 0: nothing is told */
	uint16_t port;			/* of an ISA card */
	uint8_t irq;
	struct host_net_config net;
};

/* What --trace turns on; bits of vm_config.trace. */
enum {
	TRACE_EXITS = 1, TRACE_MMU = 2, TRACE_IRQ = 4, TRACE_IO = 8, TRACE_CPU = 16,
	TRACE_USER = 32, TRACE_ALL = 63,
};

enum console_kind { CONSOLE_STDIO, CONSOLE_FILE, CONSOLE_PTY, CONSOLE_UNIX, CONSOLE_NONE };

struct vm_config {
	const char *kernel;
	const char *initrd;		/* NULL: none */
	const char *append;		/* command line, never NULL */
	const char *modules[VM_MAX_MODULES];	/* multiboot: "FILE ARGS..." */
	unsigned nmodules;
	uint64_t memory;		/* bytes, a multiple of 1 MiB */
	struct disk_config disks[VM_MAX_DISKS];
	unsigned ndisks;
	struct nic_config nics[VM_MAX_NICS];
	unsigned nnics;
	const char *pcap;		/* file for the frames of all of them; NULL: none */
	enum console_kind console;
	const char *console_path;	/* for CONSOLE_FILE and CONSOLE_UNIX */
	bool apic;			/* local APIC, I/O APIC and MP table */
	bool reboot_exit;		/* --reboot exit: a reset ends the VM */
	bool stats;
	const char *stats_file;		/* NULL: standard error */
	unsigned trace;
	const char *trace_file;		/* NULL: standard error */
	const char *cpu;		/* CPU model name */
	bool no_sandbox;		/* --sandbox off */
	const char *engine;		/* user-mode engine (hostos/engine.h); NULL: "auto" */
	int affinity;			/* host CPU to pin everything to; -1: choose; -2: none */
	unsigned time_limit;		/* seconds, 0: none */
	const char *gdb;		/* where gdb connects (hostos/gdbport.h); NULL: nowhere */
	bool gdb_wait;			/* start only when gdb says so */
	bool gdb_clock_runs;		/* guest time passes while gdb has the guest stopped */
};

/* Builds a VM, loads the kernel; 0 or -1 with *e filled. */
int vm_create(struct vm **vm, const struct vm_config *cfg, struct error *e);
/* Runs it to its end.  Returns the exit status; *e holds a message (may be
 * empty) that says why, to be printed by main(). */
int vm_run(struct vm *vm, struct error *e);
void vm_destroy(struct vm *vm);

/* Asks the VM to end with the given status; callable from any thread. */
void vm_quit(struct vm *vm, int status, const char *reason);
/* Asks for a machine reset; callable from any thread. */
void vm_reset_request(struct vm *vm);

/* The monitor prompt's commands, run on the VM's thread between two guest
 * instructions: what is "registers", "mmu [ADDRESS]", "irq", "devices", "stats", "vga".
 * False: it is something else. */
bool vm_info(struct vm *vm, const char *what, const char *arg, FILE *out);
/* Console bytes for the guest's serial port; on the VM's thread. Returns how
 * many were taken. */
size_t vm_console_input(struct vm *vm, const uint8_t *buf, size_t n);

/* While the guest is stopped, on the VM's thread: sleeps until something asks
 * for attention, and looks after the back ends, so that the console's keys and
 * the monitor prompt work.  False: the VM is ending. */
bool vm_wait_stopped(struct vm *vm);

#endif
