/* SPDX-License-Identifier: BSD-2-Clause */
#include "monitor/machine.h"

#define PCI_NIC_SLOT 12		/* first device number of the cards */

/* What the models have in common, as functions. */
struct nic_kind {
	const char *name;
	bool isa;
	void (*init)(struct nic *n, const struct nic_config *cfg);
	void (*reset)(struct nic *n);
	bool (*receive)(struct nic *n, const uint8_t *frame, uint32_t len);
	void (*sendable)(struct nic *n);
	void (*timer)(void *n);		/* a struct nic; NULL: it has none */
	/* On PCI: what is put on the bus. */
	const struct pci_ops *ops;
	size_t function;		/* offset of its struct pci_function in nic.chip */
};

static void virtio_start(struct nic *n, const struct nic_config *cfg)
{
	virtio_net_init(&n->chip.virtio, &n->wire.s, cfg->mac, cfg->mtu);
}

static void ne2000_start(struct nic *n, const struct nic_config *cfg)
{
	ne2000_pci_init(&n->chip.ne2000, &n->wire.s, cfg->mac);
}

static void rtl8139_start(struct nic *n, const struct nic_config *cfg)
{
	rtl8139_init(&n->chip.rtl8139, &n->wire.s, cfg->mac);
}

#define CHIP(name, reset_fn, prefix, field) \
	static void name##_restart(struct nic *n) { reset_fn(&n->chip.field); } \
	static bool name##_take(struct nic *n, const uint8_t *frame, uint32_t len) \
	{ return prefix##_net_receive(&n->chip.field, frame, len); } \
	static void name##_go_on(struct nic *n) { prefix##_net_sendable(&n->chip.field); }

CHIP(virtio, virtio_net_reset, virtio_net, virtio)
CHIP(ne2000, ne2000_reset, ne2000, ne2000.nic)
CHIP(rtl8139, rtl8139_reset, rtl8139, rtl8139)

static void ne2000_fire(void *n) { ne2000_timer(&((struct nic *)n)->chip.ne2000.nic); }
static void rtl8139_fire(void *n) { rtl8139_timer(&((struct nic *)n)->chip.rtl8139); }

static const struct nic_kind kinds[] = {
	[NIC_VIRTIO] = { "virtio", false, virtio_start, virtio_restart, virtio_take, virtio_go_on,
			 NULL, &virtio_net_pci_ops, offsetof(struct virtio_net, virtio.pci) },
	[NIC_NE2000] = { "ne2000", false, ne2000_start, ne2000_restart, ne2000_take, ne2000_go_on,
			 ne2000_fire, &ne2000_pci_ops, offsetof(struct ne2000_pci, pci) },
	[NIC_NE2000_ISA] = { "ne2000-isa", true, ne2000_start, ne2000_restart, ne2000_take,
			     ne2000_go_on, ne2000_fire, NULL, 0 },
	[NIC_RTL8139] = { "rtl8139", false, rtl8139_start, rtl8139_restart, rtl8139_take,
			  rtl8139_go_on, rtl8139_fire, &rtl8139_pci_ops, offsetof(struct rtl8139, pci) },
};

/* The services that the other devices do not have. */

static bool net_send(void *ctx, const struct dev_iovec *iov, unsigned iovcnt)
{
	return host_net_send(((struct nic *)ctx)->host, iov, iovcnt);
}

static void take_frames(struct nic *n)
{
	const uint8_t *frame;
	uint32_t len;

	while ((frame = host_net_peek(n->host, &len)) && n->kind->receive(n, frame, len))
		host_net_pop(n->host);
}

static void net_ready(void *ctx)
{
	take_frames(ctx);
}

static void kick(void *ctx)
{
	host_kick(((struct vm *)ctx)->hc);
}

static int create(struct vm *vm, unsigned i, struct error *e)
{
	struct platform *p = &vm->plat;
	const struct nic_config *cfg = &vm->cfg.nics[i];
	struct nic *n = &p->nics[i];
	unsigned devfn = PCI_DEVFN(PCI_NIC_SLOT + i, 0);

	_Static_assert(offsetof(struct nic, wire) == 0, "services get the card");
	if (host_net_open(&n->host, &cfg->net, p->pcap, kick, vm, e))
		return -1;
	p->nnics = i + 1;
	n->kind = &kinds[cfg->model];
	if (n->kind->isa)
		wire_isa(vm, &n->wire, cfg->irq, n->kind->timer, n);
	else
		wire_pci(vm, &n->wire, devfn, n->kind->timer, n);
	n->wire.s.net_send = net_send;
	n->wire.s.net_ready = net_ready;
	n->kind->init(n, cfg);
	if (!n->kind->isa)
		pci_attach(&p->pci, devfn,
			   (void *)((uint8_t *)&n->chip + n->kind->function), n->kind->ops,
			   &n->chip);
	return 0;
}

int nics_create(struct vm *vm, struct error *e)
{
	if (vm->cfg.pcap && host_pcap_open(&vm->plat.pcap, vm->cfg.pcap, e))
		return -1;
	for (unsigned i = 0; i < vm->cfg.nnics; i++)
		if (create(vm, i, e))
			return -1;
	return 0;
}

/* The ISA card at port with irq, or NULL. */
static struct nic *isa_card_with(struct vm *vm, uint32_t port, uint32_t irq)
{
	for (unsigned i = 0; i < vm->plat.nnics; i++)
		if (vm->plat.nics[i].kind->isa && vm->cfg.nics[i].port == port &&
		    vm->cfg.nics[i].irq == irq)
			return &vm->plat.nics[i];
	return NULL;
}

int nics_link(struct vm *vm, struct error *e)
{
	const struct image_link *l = &vm->image.link;
	struct nic *n = isa_card_with(vm, l->port, l->irq);

	_Static_assert(sizeof(struct ne2000_state) <= RT_LINK_SIZE, "the window's part");
	if (!l->device)
		return 0;
	if (l->device != RT_LINK_NE2000 || l->layout != NE2000_LAYOUT)
		return fail(e, ST_IMAGE, "%s: linked with device %u, version %u, which this LilyVM "
			    "does not know: build the kernel again with this lilyvm-cc",
			    vm->image.path, l->device, l->layout);
	if (!n)
		return fail(e, ST_IMAGE, "%s: its driver is linked with an NE2000 at port %#x, irq "
			    "%u, which this VM does not have: give it one by --net "
			    "user,model=ne2000-isa,port=%#x,irq=%u", vm->image.path, l->port, l->irq,
			    l->port, l->irq);
	if (!vm->rt.abi)
		return fail(e, ST_IMAGE, "%s: linked with a device, but not built with lilyvm-cc: "
			    "build all of it with lilyvm-cc", vm->image.path);
	if (runtime_link(vm))
		return fail(e, ST_HOST, "the host refuses rights for the linked device's pages");
	vm->plat.linked = n;
	ne2000_link(&n->chip.ne2000.nic, (struct ne2000_state *)runtime_at(vm, RT_LINK));
	return 0;
}

void nics_sync(struct vm *vm)
{
	if (vm->plat.linked)
		ne2000_sync(&vm->plat.linked->chip.ne2000.nic);
}

void nics_destroy(struct vm *vm)
{
	for (unsigned i = 0; i < vm->plat.nnics; i++)
		host_net_close(vm->plat.nics[i].host);
	host_pcap_close(vm->plat.pcap);
}

void nics_reset(struct vm *vm)
{
	for (unsigned i = 0; i < vm->plat.nnics; i++)
		vm->plat.nics[i].kind->reset(&vm->plat.nics[i]);
}

void nics_poll(struct vm *vm)
{
	for (unsigned i = 0; i < vm->plat.nnics; i++) {
		struct nic *n = &vm->plat.nics[i];

		if (host_net_poll(n->host))
			n->kind->sendable(n);
		take_frames(n);
	}
}

/* The ISA card that answers at port, and the register there. */
static struct nic *isa_card(struct vm *vm, unsigned port, unsigned *reg)
{
	for (unsigned i = 0; i < vm->plat.nnics; i++) {
		*reg = port - vm->cfg.nics[i].port;
		if (vm->plat.nics[i].kind->isa && *reg < NE2000_PORTS)
			return &vm->plat.nics[i];
	}
	return NULL;
}

bool nics_isa_in(struct vm *vm, unsigned port, unsigned size, uint32_t *v)
{
	unsigned reg;
	struct nic *n = isa_card(vm, port, &reg);

	if (!n)
		return false;
	*v = ne2000_in(&n->chip.ne2000.nic, reg, size);
	return true;
}

bool nics_isa_out(struct vm *vm, unsigned port, unsigned size, uint32_t v)
{
	unsigned reg;
	struct nic *n = isa_card(vm, port, &reg);

	if (!n)
		return false;
	ne2000_out(&n->chip.ne2000.nic, reg, size, v);
	return true;
}

void nics_info(struct vm *vm, FILE *out)
{
	for (unsigned i = 0; i < vm->plat.nnics; i++) {
		const struct nic_config *cfg = &vm->cfg.nics[i];
		struct host_net_counters c;

		host_net_count(vm->plat.nics[i].host, &c);
		fprintf(out, "net %u  %s  %02x:%02x:%02x:%02x:%02x:%02x", i,
			vm->plat.nics[i].kind->name, cfg->mac[0], cfg->mac[1], cfg->mac[2],
			cfg->mac[3], cfg->mac[4], cfg->mac[5]);
		if (vm->plat.nics[i].kind->isa)
			fprintf(out, "  port %#x irq %u", cfg->port, cfg->irq);
		fprintf(out, "  sent %llu, received %llu, dropped %llu\n",
			(unsigned long long)c.sent, (unsigned long long)c.received,
			(unsigned long long)c.dropped);
	}
}
