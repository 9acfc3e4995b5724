/* SPDX-License-Identifier: BSD-2-Clause */
/* Creating, running, resetting and ending a virtual machine. */
#define _GNU_SOURCE
#include "monitor/machine.h"

#include "gdb/gdb.h"
#include "gdb/target.h"
#include "hostos/probe.h"
#include "hostos/sandbox.h"
#include "monitor/screen.h"
#include "runtime/abi.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct vcpu *vm_vcpu(struct vm *vm)
{
	return &vm->cpu;
}

void vm_end(struct vm *vm, int status, const char *fmt, ...)
{
	va_list ap;

	if (vm->ending)
		return;
	vm->status = status;
	va_start(ap, fmt);
	vsnprintf(vm->reason, sizeof vm->reason, fmt, ap);
	va_end(ap);
	vm->ending = 1;
}

void vm_stopped(struct vm *vm)
{
	if (console_saw_panic(vm->plat.console))
		vm_end(vm, ST_PANIC, "the guest panicked");
	else
		vm_end(vm, ST_OK, "%s", "");
}

void vm_quit(struct vm *vm, int status, const char *reason)
{
	vm_end(vm, status, "%s", reason);
	vm->quit = 1;
	console_cancel(vm->plat.console);
	if (vm->gdb)
		gdb_cancel(vm->gdb);
	host_kick(vm->hc);
}

void vm_reset_request(struct vm *vm)
{
	vm->reset_wanted = 1;
	host_kick(vm->hc);
}

/* ---- starting ---- */

static int create_memory(struct vm *vm, struct error *e)
{
	if (host_ram_create(&vm->ram, vm->cfg.memory, e))
		return -1;
	vm->nframes = vm->ram.size >> PAGE_SHIFT;
	vm->frames = calloc(vm->nframes, sizeof *vm->frames);
	vm->code = codemap_new(vm->ram.size);
	if (!vm->frames || !vm->code)
		return fail(e, ST_HOST, "out of memory; use a smaller --memory");
	view_init(&vm->kview, vm, NULL);
	gmem_flush(vm);
	return 0;
}

/* The kernel's own executable sections, whose bounds are known, are scanned as
 * a whole; other code when it first runs. */
static int scan_kernel(struct vm *vm, struct error *e)
{
	unsigned i;

	for (i = 0; i < vm->image.nsections; i++) {
		const struct image_section *s = &vm->image.sections[i];
		uint8_t *mem = gmem_ram(vm, GPA(s->paddr), s->size);

		if (s->exec && s->bytes && mem &&
		    codemap_scan_section(vm->code, mem, GPA(s->paddr), GVA(s->vaddr), s->size) < 0)
			return fail(e, ST_HOST,
				    "no memory to record the kernel's code; "
				    "raise the limit (ulimit -v)");
	}
	return 0;
}

/* Linux since 2.6.22 can leave the top of its address space to us. */
static bool leaves_window(const struct image *img)
{
	unsigned v[3];

	return img->elf && image_linux_version(img, v) &&
	       (v[0] > 2 || (v[0] == 2 && v[1] == 6 && v[2] >= 22));
}

static int load_kernel(struct vm *vm, struct error *e)
{
	const struct boot_args args = {
		.cmdline = vm->cmdline ? vm->cmdline : vm->cfg.append, .initrd = vm->cfg.initrd,
		.modules = vm->cfg.modules, .nmodules = vm->cfg.nmodules,
		.files = &vm->boot_files,
		.ram = vm->ram.base, .ram_size = vm->ram.size,
	};

	cpu_reset(vm);
	if (image_load(&vm->image, &args, &vm->cpu, e))
		return -1;
	if (vm->cfg.apic)
		mptable_put(vm->ram.base, vm->model->signature, cpu_features(vm));
	return scan_kernel(vm, e);
}

static void kick_vm(void *ctx)
{
	struct vm *vm = ctx;

	host_kick(vm->hc);
}

/* Now: the sandbox lets nothing be opened at the end. */
static int open_stats(struct vm *vm, struct error *e)
{
	const char *path = vm->cfg.stats_file;

	if (!vm->cfg.stats)
		return 0;
	vm->stats_out = path ? fopen(path, "w") : stderr;
	if (!vm->stats_out)
		return fail(e, ST_USAGE, "--stats: %s: %s; name another file", path,
			    strerror(errno));
	return 0;
}

/* Last of all, so that who finds the port finds a VM. */
static int open_gdb(struct vm *vm, struct error *e)
{
	if (!vm->cfg.gdb)
		return 0;
	if (vm->cfg.gdb_wait)
		target_interrupt(vm);
	return gdb_open(&vm->gdb, vm, vm->cfg.gdb, vm->cfg.gdb_wait, kick_vm, vm, e);
}

/* Stock kernels: trampolines of Linux, which can be told to leave the window free.  (On
 * CPUs without cpuid, popf in a trampoline would toggle EFLAGS.ID.) */
static int create_window(struct vm *vm, struct error *e)
{
	unsigned abi = vm->image.runtime_abi;
	bool told = leaves_window(&vm->image);

	if (!abi && !(told && cpu_has_cpuid(vm->model)))
		return 0;
	if (told && asprintf(&vm->cmdline, "reservetop=%u %s", WINDOW_RESERVE, vm->cfg.append) < 0)
		return fail(e, ST_HOST, "out of memory");
	return runtime_init(vm, abi, e);
}

static struct host_sandbox sandbox_of(const struct vm *vm)
{
	const struct vm_config *cfg = &vm->cfg;
	struct host_sandbox s = {
		.stdio = cfg->console == CONSOLE_STDIO || (cfg->gdb && !strcmp(cfg->gdb, "stdio")),
		.listens = cfg->console == CONSOLE_UNIX || cfg->gdb,
		.engine = vm->engine ? vm->engine->ops->name : NULL,
		.ram = vm->ram.handle,
	};
	unsigned i;

	for (i = 0; i < cfg->ndisks; i++)
		s.memory += cfg->disks[i].snapshot ? host_disk_size(vm->plat.disks[i].host) : 0;
	for (i = 0; i < cfg->nnics; i++) {
		const struct host_net_config *net = &cfg->nics[i].net;

		s.listens |= net->kind == HOST_NET_SOCKET;
		s.cable |= net->kind == HOST_NET_SOCKET || net->kind == HOST_NET_UDP;
		s.user_net |= net->kind == HOST_NET_USER;
		s.connects |= net->kind == HOST_NET_USER && !net->restricted;
	}
	return s;
}

/* All that is to be opened is open. */
static int enclose(struct vm *vm, const struct host_cpus *others, struct error *e)
{
	const struct host_sandbox s = sandbox_of(vm);
	const bool on = !vm->cfg.no_sandbox;

	if ((on && host_sandbox_enclose(&s, e)) ||
	    engine_create(&vm->engine, vm->cfg.engine, vm->hc, &vm->ram, others, e))
		return -1;
	return on ? host_sandbox_release(e) : 0;
}

int vm_create(struct vm **out, const struct vm_config *cfg, struct error *e)
{
	struct vm *vm = calloc(1, sizeof *vm);
	struct host_cpus others = { { 0 } };

	if (!vm)
		return fail(e, ST_HOST, "out of memory");
	*out = vm;
	vm->cfg = *cfg;
	cpu_init(vm);
	if (!cfg->no_sandbox)
		host_sandbox_prepare();
	if (image_open(&vm->image, cfg->kernel, e) || host_require(e) || host_low_check(e) ||
	    (cfg->affinity != -2 && host_pin(cfg->affinity, &others, e)) ||
	    trace_open(&vm->trace, cfg, e) || open_stats(vm, e) ||
	    create_memory(vm, e) ||
	    host_cpu_create(&vm->hc, e))
		return -1;
	pool_init(vm);
	event_init(vm);
	if (create_window(vm, e) || platform_create(vm, e) || nics_link(vm, e) || load_kernel(vm, e))
		return -1;
	platform_reset(vm);
	return open_gdb(vm, e) || enclose(vm, &others, e) ? -1 : 0;
}

void vm_destroy(struct vm *vm)
{
	if (!vm)
		return;
	gdb_close(&vm->gdb);
	pool_free(vm);
	engine_destroy(vm->engine);
	platform_destroy(vm);
	host_cpu_destroy(vm->hc);
	view_free(&vm->kview);
	codemap_free(vm->code);
	free(vm->frames);
	free(vm->cmdline);
	host_ram_destroy(&vm->ram);
	boot_files_close(&vm->boot_files);
	image_close(&vm->image);
	trace_close(&vm->trace);
	if (vm->stats_out && vm->stats_out != stderr)
		fclose(vm->stats_out);
	free(vm);
}

void vm_reset(struct vm *vm)
{
	struct error e;

	vm->reset_wanted = 0;
	if (vm->cfg.reboot_exit) {
		vm_stopped(vm);
		return;
	}
	TRACE(vm, TRACE_CPU, "reset");
	platform_reset(vm);
	pool_free(vm);
	tramp_clear(vm);
	runtime_forget(vm);
	view_clear(&vm->kview);
	codemap_forget(vm->code, GPA(0), vm->ram.size);
	memset(vm->frames, 0, vm->nframes * sizeof *vm->frames);
	memset(vm->ram.base, 0, vm->ram.size);
	gmem_flush(vm);
	vm->fpu.in_child = false;
	vm->prefault_valid = false;
	if (load_kernel(vm, &e))
		vm_end(vm, e.status, "%s", e.text);
}

/* ---- running ---- */

static void time_limit(void *ctx)
{
	struct vm *vm = ctx;

	vm_end(vm, ST_TIME, "time limit of %u s reached", vm->cfg.time_limit);
}

static void write_stats(struct vm *vm)
{
	const char *path = vm->cfg.stats_file;
	size_t n = path ? strlen(path) : 0;

	stats_print(vm, vm->stats_out, n > 5 && !strcmp(path + n - 5, ".json"));
	if ((fflush(vm->stats_out) || ferror(vm->stats_out)) && path)
		fprintf(stderr, "lilyvm: cannot write statistics to %s\n", path);
}

/* The exit port may give the same status, but no reason. */
static bool guest_died(const struct vm *vm)
{
	return *vm->reason && (vm->status == ST_TRIPLE || vm->status == ST_LIMIT ||
			       vm->status == ST_PANIC);
}

int vm_run(struct vm *vm, struct error *e)
{
	const struct host_sandbox s = sandbox_of(vm);

	if (!vm->cfg.no_sandbox && host_sandbox_close(&s, e))
		return e->status;
	if (vm->cfg.time_limit)
		event_timer_arm(vm, event_timer_new(vm, time_limit, vm),
				vm->cfg.time_limit * 1000000000ull);
	vm->events.rearm = true;
	if (vm->cfg.stats)
		stats_start(&vm->stats);
	loop_run(vm);
	if (guest_died(vm))
		debug_last_look(vm);
	if (vm->gdb)
		gdb_stopped(vm->gdb,
			    &(struct gdb_stop_info){ .why = GS_ENDED, .status = vm->status });
	/* Output must be complete before the reason is told. */
	if (guest_died(vm) && vm->status != ST_PANIC)
		dump_guest(vm, stderr, vm->reason);
	if (vm->cfg.stats)
		write_stats(vm);
	e->status = vm->status;
	snprintf(e->text, sizeof e->text, "%s", vm->reason);
	return vm->status;
}

bool vm_wait_stopped(struct vm *vm)
{
	if (!vm->hc->kick)
		host_wait_kick(vm->hc);
	vm->hc->kick = 0;
	platform_poll(vm);
	/* A timer's kick may have been taken here. */
	vm->events.rearm = true;
	return !(vm->last_look ? vm->quit : vm->ending);
}

/* ---- the monitor prompt ---- */

static void info_registers(struct vm *vm, const char *arg, FILE *out)
{
	(void)arg;
	dump_registers(vm, out);
}

static void info_mmu(struct vm *vm, const char *arg, FILE *out)
{
	if (arg && *arg)
		dump_walk(vm, out, "address", strtoul(arg, NULL, 16));
	else
		fprintf(out, "kernel view: %u pages; %u user spaces; cr3 %08x\n", vm->kview.pages,
			vm->pool.n, vm->cpu.cr3);
}

static void info_irq(struct vm *vm, const char *arg, FILE *out)
{
	(void)arg;
	platform_info_irq(vm, out);
}

static void info_devices(struct vm *vm, const char *arg, FILE *out)
{
	(void)arg;
	platform_info_devices(vm, out);
}

static void info_stats(struct vm *vm, const char *arg, FILE *out)
{
	(void)arg;
	stats_print(vm, out, false);
	if (vm->stats.timed)
		return;
	stats_start(&vm->stats);
	fprintf(out, "times are measured from now on\n");
}

static void info_vga(struct vm *vm, const char *arg, FILE *out)
{
	(void)arg;
	screen_print(vm, out);
}

bool vm_info(struct vm *vm, const char *what, const char *arg, FILE *out)
{
	static const struct {
		const char *what;
		void (*show)(struct vm *vm, const char *arg, FILE *out);
	} table[] = {
		{ "registers", info_registers }, { "mmu", info_mmu }, { "irq", info_irq },
		{ "devices", info_devices }, { "stats", info_stats }, { "vga", info_vga },
	};
	size_t i;

	for (i = 0; i < sizeof table / sizeof *table; i++)
		if (!strcmp(table[i].what, what)) {
			table[i].show(vm, arg, out);
			return true;
		}
	return false;
}
