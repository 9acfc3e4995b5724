/* SPDX-License-Identifier: BSD-2-Clause */
#include "devemu/pci.h"

#define ALL_ONES 0xffffffffu

#define CONFADD_ENABLE 0x80000000u
#define CONFADD_MASK 0x80fffffcu	/* reserved bits read 0 */

/* Reset control register (PIIX3 data sheet, 2.5.5): reset on the 0-1 edge of RCPU. */
#define RCR_PORT (0xcf9u - PCI_BASE)
#define RCR_RCPU 0x04u
#define RCR_WRITABLE 0x06u

#define PIRQ_OFF 0x80u
#define PIRQ_RESERVED 0x2107u		/* interrupts 0 1 2 8 13 cannot be routed to */

#define FIRST_IO 0xc000u
#define LAST_IO 0xffffu
#define BAR_IO 1u		/* bit 0 of an I/O BAR, hardwired */

uint32_t pci_function_get(const struct pci_function *fn, unsigned reg, unsigned size)
{
	uint32_t v = 0;

	for (unsigned i = 0; i < size && reg + i < sizeof(fn->config); i++)
		v |= (uint32_t)fn->config[reg + i] << (8 * i);
	return v;
}

void pci_function_set(struct pci_function *fn, unsigned reg, unsigned size, uint32_t v)
{
	for (unsigned i = 0; i < size && reg + i < sizeof(fn->config); i++)
		fn->config[reg + i] = (uint8_t)(v >> (8 * i));
}

static void set_writable(struct pci_function *fn, unsigned reg, unsigned size, uint32_t mask)
{
	for (unsigned i = 0; i < size; i++)
		fn->writable[reg + i] = (uint8_t)(mask >> (8 * i));
}

void pci_function_init(struct pci_function *fn, uint16_t vendor, uint16_t device,
		       uint32_t class_code)
{
	*fn = (struct pci_function){ 0 };
	pci_function_set(fn, PCI_VENDOR, 2, vendor);
	pci_function_set(fn, PCI_DEVICE, 2, device);
	pci_function_set(fn, PCI_CLASS, 3, class_code);
	set_writable(fn, PCI_COMMAND, 2, PCI_COMMAND_IO | PCI_COMMAND_MEMORY |
		     PCI_COMMAND_MASTER | PCI_COMMAND_INTX_OFF);
	set_writable(fn, PCI_CACHE_LINE, 1, 0xff);
	set_writable(fn, PCI_LATENCY, 1, 0xff);
	set_writable(fn, PCI_INT_LINE, 1, 0xff);
}

void pci_function_io_bar(struct pci_function *fn, unsigned bar, uint32_t size)
{
	unsigned reg = PCI_BAR0 + 4 * bar;

	fn->bar_size[bar] = size;
	pci_function_set(fn, reg, 4, BAR_IO);
	/* The low bits of the address are hardwired to 0: so the size is found. */
	set_writable(fn, reg, 4, ~(size - 1) & ~3u);
}

void pci_function_memory_bar(struct pci_function *fn, unsigned bar, uint32_t size)
{
	fn->bar_size[bar] = size;
	pci_function_set(fn, PCI_BAR0 + 4 * bar, 4, 0);
	set_writable(fn, PCI_BAR0 + 4 * bar, 4, ~(size - 1) & ~15u);
}

void pci_function_capability(struct pci_function *fn, unsigned at, uint8_t id)
{
	fn->config[at] = id;
	fn->config[at + 1] = fn->config[PCI_CAPABILITIES];
	fn->config[PCI_CAPABILITIES] = (uint8_t)at;
	fn->config[PCI_STATUS] |= PCI_STATUS_CAPS;
}

static uint32_t command(const struct pci_function *fn)
{
	return pci_function_get(fn, PCI_COMMAND, 2);
}

static struct pci_slot *find(struct pci *p, unsigned devfn)
{
	for (unsigned i = 0; i < p->nslots; i++)
		if (p->slots[i].devfn == devfn)
			return &p->slots[i];
	return NULL;
}

bool pci_attach(struct pci *p, unsigned devfn, struct pci_function *fn,
		const struct pci_ops *ops, void *chip)
{
	if (p->nslots == PCI_MAX_FUNCTIONS || devfn > 0xff || find(p, devfn))
		return false;
	p->slots[p->nslots++] = (struct pci_slot){
		.devfn = (uint8_t)devfn, .fn = fn, .ops = ops, .chip = chip,
	};
	return true;
}

/* The interrupt router. */

/* The interrupt it is routed to, as a mask; 0 if to none. */
static uint16_t route_of(const struct pci *p, const struct pci_slot *slot)
{
	unsigned pin = slot->fn->config[PCI_INT_PIN];
	uint8_t route = p->isa_bridge.config[PCI_PIRQ_ROUTE + pci_pirq(slot->devfn >> 3, pin)];

	if (pin == 0 || (route & PIRQ_OFF))
		return 0;
	return (uint16_t)(1u << (route & 15) & ~PIRQ_RESERVED);
}

static void drive_lines(struct pci *p)
{
	uint16_t lines = 0, changed;

	for (unsigned i = 0; i < p->nslots; i++) {
		const struct pci_slot *slot = &p->slots[i];

		if (slot->level && !(command(slot->fn) & PCI_COMMAND_INTX_OFF))
			lines |= route_of(p, slot);
	}
	changed = lines ^ p->lines;
	p->lines = lines;
	for (unsigned irq = 0; irq < 16; irq++)
		if (changed >> irq & 1)
			p->s->irq(p->s->ctx, irq, lines >> irq & 1);
}

void pci_intx(struct pci *p, unsigned devfn, int level)
{
	struct pci_slot *slot = find(p, devfn);

	if (!slot || slot->level == (level != 0))
		return;
	slot->level = level != 0;
	slot->fn->config[PCI_STATUS] &= (uint8_t)~PCI_STATUS_INT;
	if (slot->level)
		slot->fn->config[PCI_STATUS] |= PCI_STATUS_INT;
	drive_lines(p);
}

/* Configuration space. */

static uint32_t config_in(struct pci_slot *slot, unsigned reg, unsigned size)
{
	if (slot->ops && slot->ops->config_read)
		slot->ops->config_read(slot->chip, reg, size);
	return pci_function_get(slot->fn, reg, size);
}

static void config_out(struct pci *p, struct pci_slot *slot, unsigned reg, unsigned size,
		       uint32_t v)
{
	struct pci_function *fn = slot->fn;

	for (unsigned i = 0; i < size && reg + i < sizeof(fn->config); i++, v >>= 8) {
		uint8_t mask = fn->writable[reg + i];

		fn->config[reg + i] = (uint8_t)((fn->config[reg + i] & ~mask) | (v & mask));
	}
	if (slot->ops && slot->ops->config_written)
		slot->ops->config_written(slot->chip, reg, size);
	drive_lines(p);		/* INTx may have been disabled, a PIRQ routed */
}

/* The function that CONFADD selects, or NULL. There is only bus 0. */
static struct pci_slot *selected(struct pci *p)
{
	if (!(p->address & CONFADD_ENABLE) || (p->address >> 16 & 0xff) != 0)
		return NULL;
	return find(p, p->address >> 8 & 0xff);
}

uint32_t pci_in(struct pci *p, unsigned reg, unsigned size)
{
	struct pci_slot *slot;

	if (reg == 0 && size == 4)
		return p->address;
	if (reg == RCR_PORT && size == 1)
		return p->reset_control;
	if (reg < 4)
		return ALL_ONES;
	slot = selected(p);
	return slot ? config_in(slot, (p->address & 0xfc) | (reg & 3), size) : ALL_ONES;
}

static void reset_control_out(struct pci *p, uint32_t v)
{
	bool edge = (v & ~(uint32_t)p->reset_control) & RCR_RCPU;

	p->reset_control = v & RCR_WRITABLE;
	if (edge && p->s->reset)
		p->s->reset(p->s->ctx);
}

void pci_out(struct pci *p, unsigned reg, unsigned size, uint32_t v)
{
	struct pci_slot *slot;

	if (reg == 0 && size == 4)
		p->address = v & CONFADD_MASK;
	else if (reg == RCR_PORT && size == 1)
		reset_control_out(p, v);
	if (reg < 4)
		return;
	slot = selected(p);
	if (slot)
		config_out(p, slot, (p->address & 0xfc) | (reg & 3), size, v);
}

/* The ranges. */

static bool is_io_bar(const struct pci_function *fn, unsigned bar)
{
	return fn->config[PCI_BAR0 + 4 * bar] & BAR_IO;
}

static uint32_t bar_base(const struct pci_function *fn, unsigned bar)
{
	return pci_function_get(fn, PCI_BAR0 + 4 * bar, 4) & (is_io_bar(fn, bar) ? ~3u : ~15u);
}

/* The function and BAR that decode address; *reg gets the offset. */
static struct pci_slot *decode(struct pci *p, bool io, uint32_t address, unsigned *bar,
			       unsigned *reg)
{
	uint32_t enable = io ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY;

	for (unsigned i = 0; i < p->nslots; i++) {
		struct pci_function *fn = p->slots[i].fn;

		if (!(command(fn) & enable))
			continue;
		for (*bar = 0; *bar < PCI_BARS; ++*bar) {
			uint32_t base = bar_base(fn, *bar);

			*reg = address - base;
			if (is_io_bar(fn, *bar) == io && base && *reg < fn->bar_size[*bar])
				return &p->slots[i];
		}
	}
	return NULL;
}

static bool range_in(struct pci *p, bool io, uint32_t address, unsigned size, uint32_t *v)
{
	unsigned bar, reg;
	struct pci_slot *slot = decode(p, io, address, &bar, &reg);

	if (!slot)
		return false;
	*v = slot->ops->in(slot->chip, bar, reg, size);
	return true;
}

static bool range_out(struct pci *p, bool io, uint32_t address, unsigned size, uint32_t v)
{
	unsigned bar, reg;
	struct pci_slot *slot = decode(p, io, address, &bar, &reg);

	if (!slot)
		return false;
	slot->ops->out(slot->chip, bar, reg, size, v);
	return true;
}

bool pci_io_in(struct pci *p, unsigned port, unsigned size, uint32_t *v)
{
	return range_in(p, true, port, size, v);
}

bool pci_io_out(struct pci *p, unsigned port, unsigned size, uint32_t v)
{
	return range_out(p, true, port, size, v);
}

bool pci_memory_in(struct pci *p, uint64_t gpa, unsigned size, uint32_t *v)
{
	return gpa <= UINT32_MAX && range_in(p, false, (uint32_t)gpa, size, v);
}

bool pci_memory_out(struct pci *p, uint64_t gpa, unsigned size, uint32_t v)
{
	return gpa <= UINT32_MAX && range_out(p, false, (uint32_t)gpa, size, v);
}

/* The bridges. */

static void host_bridge_init(struct pci_function *fn)
{
	pci_function_init(fn, 0x8086, 0x1237, 0x060000);
	fn->config[PCI_REVISION] = 2;
	pci_function_set(fn, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	set_writable(fn, PCI_COMMAND, 2, 0);
	/* The memory controller's registers (PAM, SMRAM, ...) only keep what is
	 * written: there is no ROM to shadow. */
	for (unsigned reg = 0x50; reg < 0x100; reg++)
		fn->writable[reg] = 0xff;
}

static void isa_bridge_init(struct pci_function *fn)
{
	pci_function_init(fn, 0x8086, 0x7000, 0x060100);
	fn->config[PCI_HEADER_TYPE] = 0x80;	/* the device has more functions: IDE */
	pci_function_set(fn, PCI_COMMAND, 2,
			 PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	set_writable(fn, PCI_COMMAND, 2, 0);
	for (unsigned reg = 0x40; reg < 0x100; reg++)
		fn->writable[reg] = 0xff;
}

void pci_reset(struct pci *p)
{
	p->address = 0;
	p->reset_control = 0;
	for (unsigned i = 0; i < p->nslots; i++) {
		struct pci_function *fn = p->slots[i].fn;

		for (unsigned reg = 0; reg < sizeof(fn->config); reg++)
			fn->config[reg] &= (uint8_t)~fn->writable[reg];
	}
	for (unsigned i = 0; i < PCI_PIRQ_COUNT; i++)
		p->isa_bridge.config[PCI_PIRQ_ROUTE + i] = PIRQ_OFF;
	drive_lines(p);
}

void pci_init(struct pci *p, const struct pci_services *s)
{
	*p = (struct pci){ .s = s };
	host_bridge_init(&p->host_bridge);
	isa_bridge_init(&p->isa_bridge);
	pci_attach(p, PCI_DEVFN(0, 0), &p->host_bridge, NULL, NULL);
	pci_attach(p, PCI_DEVFN(1, 0), &p->isa_bridge, NULL, NULL);
	pci_reset(p);
}

/* The firmware's part. */

/* A part of an address space, of which next and what follows is free. */
struct space {
	uint32_t next, last;
};

/* Gives fn's BARs ranges of the spaces; the command bits that enable them. */
static uint32_t assign_bars(struct pci_function *fn, struct space *io, struct space *memory)
{
	uint32_t enable = 0;

	for (unsigned bar = 0; bar < PCI_BARS; bar++) {
		struct space *s = is_io_bar(fn, bar) ? io : memory;
		uint32_t size = fn->bar_size[bar];
		uint32_t base = (s->next + size - 1) & ~(size - 1);

		if (size == 0 || base + size - 1 > s->last)
			continue;
		pci_function_set(fn, PCI_BAR0 + 4 * bar, 4, base | (s == io ? BAR_IO : 0));
		s->next = base + size;
		enable |= s == io ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY;
	}
	return enable;
}

static uint8_t interrupt_line(uint16_t route)
{
	for (uint8_t irq = 0; irq < 16; irq++)
		if (route >> irq & 1)
			return irq;
	return 0xff;		/* not connected (PCI 2.3, 6.2.4) */
}

uint16_t pci_assign(struct pci *p)
{
	struct space io = { FIRST_IO, LAST_IO }, memory = { PCI_MEMORY, PCI_MEMORY_LAST };
	uint16_t level = 0;

	for (unsigned i = 0; i < PCI_PIRQ_COUNT; i++)
		p->isa_bridge.config[PCI_PIRQ_ROUTE + i] = PCI_PIRQ_LINE(i);
	for (unsigned i = 0; i < p->nslots; i++) {
		struct pci_slot *slot = &p->slots[i];
		struct pci_function *fn = slot->fn;
		uint16_t route = route_of(p, slot);

		uint32_t enable = PCI_COMMAND_IO | PCI_COMMAND_MASTER |
				  assign_bars(fn, &io, &memory);

		if (fn->config[PCI_INT_PIN])
			fn->config[PCI_INT_LINE] = interrupt_line(route);
		pci_function_set(fn, PCI_COMMAND, 2, command(fn) |
				 (enable & fn->writable[PCI_COMMAND]));
		level |= route;
	}
	drive_lines(p);
	return level;
}
