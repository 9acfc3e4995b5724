/* SPDX-License-Identifier: BSD-2-Clause */
/* The devices of the virtual PC, in one table, and their wiring. */
#include "monitor/machine.h"

#include "hostos/disk.h"

#include <stdlib.h>
#include <string.h>

#define PCI_IDE PCI_DEVFN(1, 1)	/* beside the ISA bridge: a PIIX3 */
#define PCI_DISK_SLOT 4		/* first device number of the virtio disks */

/* ---- services ---- */

static struct vm *vm_of(void *ctx)
{
	return ((struct wire *)ctx)->vm;
}

/* An ISA interrupt line, whoever drives it. */
static void line_irq(void *ctx, unsigned irq, int level)
{
	struct vm *vm = ctx;

	i8259_set_irq(&vm->plat.pic, irq, level);
	apic_isa_irq(vm, irq, level);
}

static void isa_irq(void *ctx, int level)
{
	struct wire *w = ctx;

	line_irq(w->vm, w->irq, level);
}

static void disk_irq(void *ctx, int level)
{
	struct wire *w = ctx;

	pci_intx(&w->vm->plat.pci, w->irq, level);
}

/* The INTR pin is read before each entry; nothing to do when it changes. */
static void cpu_intr(void *ctx, int level)
{
	(void)ctx;
	(void)level;
}

static uint64_t now(void *ctx)
{
	return event_now(vm_of(ctx));
}

static int64_t wallclock(void *ctx)
{
	(void)ctx;
	return host_wallclock();
}

static void arm(void *ctx, uint64_t deadline)
{
	struct wire *w = ctx;

	event_timer_arm(w->vm, w->timer, deadline);
}

static void char_out(void *ctx, const uint8_t *buf, size_t n)
{
	struct vm *vm = vm_of(ctx);

	console_output(vm->plat.console, buf, n);
	if (vm->cfg.reboot_exit && console_saw_panic(vm->plat.console) && !vm->panic_deadline)
		vm->panic_deadline = host_now() + PANIC_GRACE;
}

static void *dma(void *ctx, uint64_t gpa, uint32_t len)
{
	return gmem_ram(vm_of(ctx), GPA(gpa), len);
}

/* Code that a device overwrites has to be scanned again. */
static void dma_wrote(void *ctx, uint64_t gpa, uint32_t len)
{
	struct vm *vm = vm_of(ctx);
	uint64_t f;

	if (!len || gpa >= vm->ram.size)
		return;
	for (f = gpa >> PAGE_SHIFT; f <= (gpa + len - 1) >> PAGE_SHIFT && f < vm->nframes; f++)
		if (vm->frames[f].code)
			view_make_writable(vm, f);
}

static void block(void *ctx, struct dev_block_request *r)
{
	struct disk *d = ctx;

	host_disk_submit(d->host, r);
}

/* Hands completed requests back to the chip. */
static void disk_poll(struct disk *d)
{
	struct ide_channel *channel = &d->wire.vm->plat.ide.channel[d->place / 2];
	struct dev_block_request *r;

	while ((r = host_disk_poll(d->host)))
		if (d->interface == DISK_VIRTIO)
			virtio_blk_block_done(&d->blk, r);
		else
			ide_block_done(channel, r);
}

static void block_drain(void *ctx)
{
	struct disk *d = ctx;

	host_disk_drain(d->host);
	disk_poll(d);
}

static void reset_line(void *ctx)
{
	vm_of(ctx)->reset_wanted = 1;
}

static void pci_reset_line(void *ctx)
{
	((struct vm *)ctx)->reset_wanted = 1;
}

static void exit_line(void *ctx, uint32_t value)
{
	vm_end(vm_of(ctx), value & 0xff, "%s", "");
}

static void kick(void *ctx)
{
	host_kick(((struct vm *)ctx)->hc);
}

static void wire_init(struct vm *vm, struct wire *w, unsigned irq, void (*irq_fn)(void *, int),
		      void (*fire)(void *), void *chip)
{
	w->vm = vm;
	w->irq = irq;
	w->chip = chip;
	w->s = (struct dev_services){
		.ctx = w, .irq = irq_fn, .now = now, .wallclock = wallclock, .timer = arm,
		.char_out = char_out, .dma = dma, .dma_wrote = dma_wrote, .block = block,
		.block_drain = block_drain, .reset = reset_line, .exit = exit_line,
	};
	if (fire)
		w->timer = event_timer_new(vm, fire, chip);
}

void wire_isa(struct vm *vm, struct wire *w, unsigned irq, void (*fire)(void *), void *chip)
{
	wire_init(vm, w, irq, isa_irq, fire, chip);
}

void wire_pci(struct vm *vm, struct wire *w, unsigned devfn, void (*fire)(void *), void *chip)
{
	wire_init(vm, w, devfn, disk_irq, fire, chip);
}

/* ---- the table of ISA devices ---- */

typedef uint32_t in_fn(struct platform *p, unsigned reg, unsigned size);
typedef void out_fn(struct platform *p, unsigned reg, unsigned size, uint32_t v);

#define CHIP(name, field) \
	static uint32_t name##_port_in(struct platform *p, unsigned reg, unsigned size) \
	{ return name##_in(&p->field, reg, size); } \
	static void name##_port_out(struct platform *p, unsigned reg, unsigned size, uint32_t v) \
	{ name##_out(&p->field, reg, size, v); }

CHIP(i8259, pic)
CHIP(i8254, pit)
CHIP(mc146818, rtc)
CHIP(ns16550, com1)
CHIP(i8042, kbc)
CHIP(exitport, exit)
CHIP(vga, vga)
CHIP(pci, pci)

/* The channel is told by bit 4 of reg. */
#define IDE_CHANNEL(n) ((n) << 4)

static uint32_t ide_port_in(struct platform *p, unsigned reg, unsigned size)
{
	return piix_ide_in(&p->ide, reg >> 4, reg & 15, size);
}

static void ide_port_out(struct platform *p, unsigned reg, unsigned size, uint32_t v)
{
	piix_ide_out(&p->ide, reg >> 4, reg & 15, size, v);
}

static uint32_t port61_in(struct platform *p, unsigned reg, unsigned size)
{
	(void)reg, (void)size;
	return i8254_port61_in(&p->pit);
}

static void port61_out(struct platform *p, unsigned reg, unsigned size, uint32_t v)
{
	(void)reg, (void)size;
	i8254_port61_out(&p->pit, v);
}

static uint32_t port92_in(struct platform *p, unsigned reg, unsigned size)
{
	(void)reg, (void)size;
	return i8042_port92_in(&p->kbc);
}

static void port92_out(struct platform *p, unsigned reg, unsigned size, uint32_t v)
{
	(void)reg, (void)size;
	i8042_port92_out(&p->kbc, v);
}

/* POST codes and the delay port: written often, read never. */
static uint32_t nothing_in(struct platform *p, unsigned reg, unsigned size)
{
	(void)p, (void)reg, (void)size;
	return 0xffffffff;
}

static void nothing_out(struct platform *p, unsigned reg, unsigned size, uint32_t v)
{
	(void)p, (void)reg, (void)size, (void)v;
}

/* Port ranges; reg is what the chip calls the first port. */
static const struct port_range {
	uint16_t first, last;
	uint16_t reg;
	const char *name;
	in_fn *in;
	out_fn *out;
} ports[] = {
	{ 0x020, 0x021, I8259_MASTER, "8259 master", i8259_port_in, i8259_port_out },
	{ 0x040, 0x043, 0, "8254", i8254_port_in, i8254_port_out },
	{ 0x060, 0x060, I8042_DATA, "8042 data", i8042_port_in, i8042_port_out },
	{ 0x061, 0x061, 0, "system control B", port61_in, port61_out },
	{ 0x064, 0x064, I8042_COMMAND, "8042 command", i8042_port_in, i8042_port_out },
	{ 0x070, 0x071, 0, "MC146818", mc146818_port_in, mc146818_port_out },
	{ 0x080, 0x080, 0, "POST", nothing_in, nothing_out },
	{ 0x092, 0x092, 0, "system control A", port92_in, port92_out },
	{ 0x0a0, 0x0a1, I8259_SLAVE, "8259 slave", i8259_port_in, i8259_port_out },
	{ 0x170, 0x177, IDE_CHANNEL(1), "IDE secondary", ide_port_in, ide_port_out },
	{ 0x1f0, 0x1f7, IDE_CHANNEL(0), "IDE primary", ide_port_in, ide_port_out },
	{ 0x376, 0x376, IDE_CHANNEL(1) + IDE_CONTROL, "IDE secondary control", ide_port_in,
	  ide_port_out },
	{ 0x3b4, 0x3b5, VGA_CRTC_MONO, "VGA", vga_port_in, vga_port_out },
	{ 0x3ba, 0x3ba, VGA_STATUS_MONO, "VGA", vga_port_in, vga_port_out },
	{ 0x3c0, 0x3cf, VGA_ATTRIBUTE, "VGA", vga_port_in, vga_port_out },
	{ 0x3d4, 0x3d5, VGA_CRTC, "VGA", vga_port_in, vga_port_out },
	{ 0x3da, 0x3da, VGA_STATUS, "VGA", vga_port_in, vga_port_out },
	{ 0x3f6, 0x3f6, IDE_CHANNEL(0) + IDE_CONTROL, "IDE primary control", ide_port_in,
	  ide_port_out },
	{ 0x3f8, 0x3ff, 0, "16550 COM1", ns16550_port_in, ns16550_port_out },
	{ 0x4d0, 0x4d1, I8259_ELCR, "8259 ELCR", i8259_port_in, i8259_port_out },
	{ EXITPORT_BASE, EXITPORT_BASE, 0, "exit port", exitport_port_in, exitport_port_out },
	{ 0xcf8, 0xcff, 0, "PCI configuration", pci_port_in, pci_port_out },
};

static const struct port_range *range_of(uint16_t port)
{
	size_t i;

	for (i = 0; i < sizeof ports / sizeof *ports && ports[i].first <= port; i++)
		if (port <= ports[i].last)
			return &ports[i];
	return NULL;
}

uint32_t platform_in(struct vm *vm, uint16_t port, unsigned size)
{
	struct platform *p = &vm->plat;
	const struct port_range *r = range_of(port);
	enum phase outer = stats_phase(&vm->stats, PHASE_device);
	uint32_t v = 0xffffffff;

	vm->stats.io_reads++;
	nics_sync(vm);
	if (r)
		v = r->in(p, port - r->first + r->reg, size);
	else if (!pci_io_in(&p->pci, port, size, &v))
		nics_isa_in(vm, port, size, &v);
	stats_phase_end(&vm->stats, outer);
	TRACE(vm, TRACE_IO, "in%u %03x = %x (%s)", size * 8, port, v, r ? r->name : "-");
	return v;
}

void platform_out(struct vm *vm, uint16_t port, unsigned size, uint32_t v)
{
	struct platform *p = &vm->plat;
	const struct port_range *r = range_of(port);
	enum phase outer = stats_phase(&vm->stats, PHASE_device);

	vm->stats.io_writes++;
	nics_sync(vm);
	TRACE(vm, TRACE_IO, "out%u %03x = %x (%s)", size * 8, port, v, r ? r->name : "-");
	if (r)
		r->out(p, port - r->first + r->reg, size, v);
	else if (!pci_io_out(&p->pci, port, size, v))
		nics_isa_out(vm, port, size, v);
	stats_phase_end(&vm->stats, outer);
}

uint32_t platform_memory_in(struct vm *vm, gpa_t gpa, unsigned size)
{
	enum phase outer = stats_phase(&vm->stats, PHASE_device);
	uint32_t v = 0xffffffff;

	vm->stats.mmio_reads++;
	if (!apic_in(vm, gpa, size, &v))
		pci_memory_in(&vm->plat.pci, gpa.v, size, &v);
	stats_phase_end(&vm->stats, outer);
	TRACE(vm, TRACE_IO, "read%u %08llx = %x", size * 8, (unsigned long long)gpa.v, v);
	return v;
}

void platform_memory_out(struct vm *vm, gpa_t gpa, unsigned size, uint32_t v)
{
	enum phase outer = stats_phase(&vm->stats, PHASE_device);

	vm->stats.mmio_writes++;
	nics_sync(vm);
	TRACE(vm, TRACE_IO, "write%u %08llx = %x", size * 8, (unsigned long long)gpa.v, v);
	if (!apic_out(vm, gpa, size, v))
		pci_memory_out(&vm->plat.pci, gpa.v, size, v);
	stats_phase_end(&vm->stats, outer);
}

/* ---- building ---- */

static void pit_fire(void *chip) { i8254_timer(chip); }
static void rtc_fire(void *chip) { mc146818_timer(chip); }
static void com_fire(void *chip) { ns16550_timer(chip); }

static int virtio_create(struct vm *vm, struct disk *d, unsigned n, const char *id, struct error *e)
{
	unsigned devfn = PCI_DEVFN(PCI_DISK_SLOT + n, 0);

	(void)e;
	wire_init(vm, &d->wire, devfn, disk_irq, NULL, d);
	virtio_blk_init(&d->blk, &d->wire.s, host_disk_size(d->host), host_disk_readonly(d->host),
			id);
	pci_attach(&vm->plat.pci, devfn, &d->blk.virtio.pci, &virtio_blk_pci_ops, &d->blk);
	return 0;
}

static struct ide_drive *ide_place(struct platform *p, unsigned place)
{
	return &p->ide.channel[place / 2].drive[place & 1];
}

/* A free place among hda .. hdd; CD-ROMs begin at hdc.  -1: there is none. */
static int find_place(struct platform *p, const struct disk_config *cfg)
{
	unsigned first = cfg->interface == DISK_CDROM ? 2 : 0, i;

	if (cfg->place != IDE_PLACE_ANY)
		return ide_place(p, (unsigned)cfg->place)->kind == IDE_NONE ? cfg->place : -1;
	for (i = 0; i < IDE_PLACES; i++)
		if (ide_place(p, (first + i) % IDE_PLACES)->kind == IDE_NONE)
			return (int)((first + i) % IDE_PLACES);
	return -1;
}

static int ide_create(struct vm *vm, struct disk *d, unsigned n, const char *id, struct error *e)
{
	struct platform *p = &vm->plat;
	const struct disk_config *cfg = &vm->cfg.disks[n];
	enum ide_kind kind = d->interface == DISK_CDROM ? IDE_CDROM : IDE_DISK;
	int place = find_place(p, cfg);

	if (place < 0 && cfg->place != IDE_PLACE_ANY)
		return fail(e, ST_USAGE, "disk %s: hd%c is taken already; name another place",
			    cfg->path, 'a' + cfg->place);
	if (place < 0)
		return fail(e, ST_USAGE, "disk %s: IDE has four drives only; attach it by "
			    "if=virtio, if the kernel has a driver", cfg->path);
	d->place = (unsigned)place;
	wire_init(vm, &d->wire, 0, cpu_intr, NULL, d);
	ide_attach(&p->ide.channel[place / 2], place & 1, &d->wire.s, kind,
		   host_disk_size(d->host), host_disk_readonly(d->host), id);
	return 0;
}

/* The kernel's kind decides where the command line does not. */
static enum disk_interface interface_of(struct vm *vm, const struct disk_config *cfg)
{
	if (cfg->interface != DISK_DEFAULT)
		return cfg->interface;
	return image_wants_ide(&vm->image) ? DISK_IDE : DISK_VIRTIO;
}

static int disk_open(struct vm *vm, unsigned n, struct error *e)
{
	const struct disk_config *cfg = &vm->cfg.disks[n];
	struct disk *d = &vm->plat.disks[n];
	bool readonly = cfg->readonly || cfg->interface == DISK_CDROM;

	_Static_assert(offsetof(struct disk, wire) == 0, "services get the disk");
	d->interface = interface_of(vm, cfg);
	return host_disk_open(&d->host, cfg->path, readonly, cfg->snapshot, kick, vm, e);
}

static int disk_attach(struct vm *vm, unsigned n, struct error *e)
{
	struct disk *d = &vm->plat.disks[n];
	char id[24];

	snprintf(id, sizeof id, "lilyvm-disk-%u", n);
	if (d->interface == DISK_VIRTIO)
		return virtio_create(vm, d, n, id, e);
	return ide_create(vm, d, n, id, e);
}

/* Those that name their place are attached first. */
static int disks_create(struct vm *vm, struct error *e)
{
	struct platform *p = &vm->plat;
	unsigned i, pass;

	for (; p->ndisks < vm->cfg.ndisks; p->ndisks++)
		if (disk_open(vm, p->ndisks, e))
			return -1;
	for (pass = 0; pass < 2; pass++)
		for (i = 0; i < p->ndisks; i++)
			if ((vm->cfg.disks[i].place == IDE_PLACE_ANY) == pass &&
			    disk_attach(vm, i, e))
				return -1;
	return 0;
}

static void ide_controller_create(struct vm *vm)
{
	struct platform *p = &vm->plat;
	const struct dev_services *const s[2] = { &p->ide_wire[0].s, &p->ide_wire[1].s };

	for (unsigned i = 0; i < 2; i++)
		wire_init(vm, &p->ide_wire[i], 14 + i, isa_irq, NULL, &p->ide.channel[i]);
	piix_ide_init(&p->ide, s);
	pci_attach(&p->pci, PCI_IDE, &p->ide.pci, &piix_ide_pci_ops, &p->ide);
}

int platform_create(struct vm *vm, struct error *e)
{
	struct platform *p = &vm->plat;

	if (console_open(&p->console, &vm->cfg, kick, vm, e))
		return -1;
	apic_create(vm);
	wire_init(vm, &p->pic_wire, 0, cpu_intr, NULL, &p->pic);
	wire_init(vm, &p->pit_wire, 0, isa_irq, pit_fire, &p->pit);
	wire_init(vm, &p->kbc_wire, 1, isa_irq, NULL, &p->kbc);
	wire_init(vm, &p->com1_wire, 4, isa_irq, com_fire, &p->com1);
	wire_init(vm, &p->rtc_wire, 8, isa_irq, rtc_fire, &p->rtc);
	wire_init(vm, &p->exit_wire, 0, cpu_intr, NULL, &p->exit);
	wire_init(vm, &p->vga_wire, 0, cpu_intr, NULL, &p->vga);
	i8259_init(&p->pic, &p->pic_wire.s);
	i8254_init(&p->pit, &p->pit_wire.s);
	i8042_init(&p->kbc, &p->kbc_wire.s);
	ns16550_init(&p->com1, &p->com1_wire.s);
	mc146818_init(&p->rtc, &p->rtc_wire.s);
	exitport_init(&p->exit, &p->exit_wire.s);
	vga_init(&p->vga, &p->vga_wire.s);
	p->pci_services = (struct pci_services){ .ctx = vm, .irq = line_irq,
						 .reset = pci_reset_line };
	pci_init(&p->pci, &p->pci_services);
	ide_controller_create(vm);
	if (disks_create(vm, e))
		return -1;
	return nics_create(vm, e);
}

void platform_destroy(struct vm *vm)
{
	struct platform *p = &vm->plat;
	unsigned i;

	for (i = 0; i < p->ndisks; i++)
		host_disk_close(p->disks[i].host);
	nics_destroy(vm);
	if (p->console)
		console_close(&p->console);
}

void platform_reset(struct vm *vm)
{
	struct platform *p = &vm->plat;
	uint16_t level;
	unsigned i;

	for (i = 0; i < p->ndisks; i++)
		if (p->disks[i].interface == DISK_VIRTIO)
			virtio_blk_reset(&p->disks[i].blk);
	piix_ide_reset(&p->ide);
	nics_reset(vm);
	apic_reset(vm);
	i8259_reset(&p->pic);
	i8254_reset(&p->pit);
	i8042_reset(&p->kbc);
	ns16550_reset(&p->com1);
	mc146818_reset(&p->rtc);
	mc146818_set_memory(&p->rtc, vm->ram.size);
	exitport_reset(&p->exit);
	vga_reset(&p->vga);
	pci_reset(&p->pci);
	/* What a BIOS leaves behind. */
	level = pci_assign(&p->pci);
	piix_ide_setup(&p->ide);
	vga_setup(&p->vga);
	i8259_out(&p->pic, I8259_ELCR, 1, level & 0xff);
	i8259_out(&p->pic, I8259_ELCR + 1, 1, level >> 8);
	console_forget_panic(p->console);
	vm->panic_deadline = 0;
}

/* ---- running ---- */

uint8_t platform_ack(struct platform *p)
{
	if (p->apic.on && lapic_pending(&p->apic.local))
		return lapic_ack(&p->apic.local);
	return i8259_ack(&p->pic);
}

void platform_poll(struct vm *vm)
{
	struct platform *p = &vm->plat;
	unsigned i;

	for (i = 0; i < p->ndisks; i++)
		disk_poll(&p->disks[i]);
	nics_poll(vm);
	console_poll(p->console, vm);
}

size_t vm_console_input(struct vm *vm, const uint8_t *buf, size_t n)
{
	return ns16550_receive(&vm->plat.com1, buf, n);
}

void platform_info_irq(struct vm *vm, FILE *out)
{
	const struct i8259 *pic = &vm->plat.pic;
	unsigned i;

	for (i = 0; i < 2; i++) {
		const struct i8259_chip *c = &pic->chip[i];

		fprintf(out, "8259 %s: irr %02x imr %02x isr %02x elcr %02x lines %02x "
			"vectors %02x..%02x\n",
			i ? "slave " : "master", c->irr, c->imr, c->isr, c->elcr, c->lines, c->base,
			c->base + 7);
	}
	fprintf(out, "INTR %d, IF %d\n", platform_intr(&vm->plat), !!(vm->cpu.eflags & FL_IF));
}

static void info_disk(struct vm *vm, unsigned n, FILE *out)
{
	const struct disk *d = &vm->plat.disks[n];
	char where[8] = "virtio";

	if (d->interface != DISK_VIRTIO)
		snprintf(where, sizeof where, "hd%c", 'a' + (int)d->place);
	fprintf(out, "disk %u  %s  %s  %llu MiB%s%s%s\n", n, where, vm->cfg.disks[n].path,
		(unsigned long long)(host_disk_size(d->host) >> 20),
		d->interface == DISK_CDROM ? "  CD-ROM" : "",
		host_disk_readonly(d->host) ? "  readonly" : "",
		vm->cfg.disks[n].snapshot ? "  snapshot" : "");
}

void platform_info_devices(struct vm *vm, FILE *out)
{
	const struct platform *p = &vm->plat;
	size_t i;

	for (i = 0; i < sizeof ports / sizeof *ports; i++)
		fprintf(out, "ports %04x-%04x  %s\n", ports[i].first, ports[i].last, ports[i].name);
	for (i = 0; i < p->pci.nslots; i++) {
		const struct pci_slot *s = &p->pci.slots[i];

		fprintf(out, "pci 00:%02x.%u  %04x:%04x  irq %u\n", s->devfn >> 3, s->devfn & 7u,
			pci_function_get(s->fn, 0, 2), pci_function_get(s->fn, 2, 2),
			pci_function_get(s->fn, 0x3c, 1));
	}
	for (i = 0; i < p->ndisks; i++)
		info_disk(vm, (unsigned)i, out);
	nics_info(vm, out);
}
