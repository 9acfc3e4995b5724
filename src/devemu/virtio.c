/* SPDX-License-Identifier: BSD-2-Clause */
#include "devemu/virtio.h"

#define VENDOR 0x1af4u			/* Red Hat, for virtio */
#define TRANSITIONAL_DEVICE 0x0fffu	/* + device ID: holds for network (1) and block (2) */

#define LEGACY_PAGE 4096u		/* unit of QUEUE_PFN, and alignment of the used ring */
#define NO_VECTOR 0xffffu		/* there is no MSI-X */

/* Vendor capabilities (virtio 1.1, 4.1.4): places in PCI configuration space. */
#define CAP_COMMON 0x40u
#define CAP_ISR 0x50u
#define CAP_DEVICE 0x60u
#define CAP_NOTIFY 0x70u
#define CAP_PCI_CFG 0x84u
enum { CFG_COMMON = 1, CFG_NOTIFY = 2, CFG_ISR = 3, CFG_DEVICE = 4, CFG_PCI = 5 };
#define CAP_ID_VENDOR 0x09u
/* Offsets in a capability. */
enum { CAP_LEN = 2, CAP_TYPE = 3, CAP_BAR = 4, CAP_OFFSET = 8, CAP_LENGTH = 12, CAP_DATA = 16 };

static void set_isr(struct virtio *v, uint8_t isr)
{
	v->isr = isr;
	v->s->irq(v->s->ctx, isr != 0);
}

void virtio_break(struct virtio *v)
{
	if (v->status & VIRTIO_NEEDS_RESET)
		return;
	v->status |= VIRTIO_NEEDS_RESET;
	if (virtio_has(v, VIRTIO_F_VERSION_1) && (v->status & VIRTIO_DRIVER_OK))
		set_isr(v, v->isr | VIRTIO_ISR_CONFIG);
}

/* The registers, one pair of functions each. */

static struct virtq *selected(struct virtio *v)
{
	return v->queue_sel < v->nqueues ? &v->queue[v->queue_sel] : NULL;
}

static uint32_t get_zero(struct virtio *v, unsigned arg)
{
	(void)v;
	(void)arg;
	return 0;
}

static uint32_t get_no_vector(struct virtio *v, unsigned arg)
{
	(void)v;
	(void)arg;
	return NO_VECTOR;
}

static uint32_t get_offered_sel(struct virtio *v, unsigned arg)
{
	(void)arg;
	return v->offered_sel;
}

static enum virtio_event set_offered_sel(struct virtio *v, unsigned arg, uint32_t value)
{
	(void)arg;
	v->offered_sel = value;
	return VIRTIO_EV_NONE;
}

static uint32_t half(uint64_t features, uint32_t sel)
{
	return sel < 2 ? (uint32_t)(features >> (32 * sel)) : 0;
}

static uint32_t get_offered(struct virtio *v, unsigned arg)
{
	(void)arg;
	return half(v->offered, v->offered_sel);
}

static uint32_t get_accepted_sel(struct virtio *v, unsigned arg)
{
	(void)arg;
	return v->accepted_sel;
}

static enum virtio_event set_accepted_sel(struct virtio *v, unsigned arg, uint32_t value)
{
	(void)arg;
	v->accepted_sel = value;
	return VIRTIO_EV_NONE;
}

static uint32_t get_accepted(struct virtio *v, unsigned arg)
{
	(void)arg;
	return half(v->accepted, v->accepted_sel);
}

static enum virtio_event set_accepted(struct virtio *v, unsigned arg, uint32_t value)
{
	unsigned shift = 32 * v->accepted_sel;

	(void)arg;
	if (v->accepted_sel < 2 && !(v->status & VIRTIO_FEATURES_OK))
		v->accepted = (v->accepted & ~(0xffffffffull << shift)) | (uint64_t)value << shift;
	return VIRTIO_EV_NONE;
}

static void queue_negotiate(const struct virtio *v, struct virtq *q)
{
	q->indirect = virtio_has(v, VIRTIO_F_INDIRECT_DESC);
	q->event_idx = virtio_has(v, VIRTIO_F_EVENT_IDX);
}

static uint32_t get_legacy_offered(struct virtio *v, unsigned arg)
{
	(void)arg;
	return (uint32_t)v->offered;
}

static uint32_t get_legacy_accepted(struct virtio *v, unsigned arg)
{
	(void)arg;
	return (uint32_t)v->accepted;
}

static enum virtio_event set_legacy_accepted(struct virtio *v, unsigned arg, uint32_t value)
{
	(void)arg;
	v->accepted = value & v->offered;
	/* Legacy drivers may set up the queues before. */
	for (unsigned i = 0; i < v->nqueues; i++)
		queue_negotiate(v, &v->queue[i]);
	return VIRTIO_EV_NONE;
}

static uint32_t get_status(struct virtio *v, unsigned arg)
{
	(void)arg;
	return v->status;
}

static enum virtio_event set_status(struct virtio *v, unsigned arg, uint32_t value)
{
	bool acceptable = !(v->accepted & ~v->offered) && virtio_has(v, VIRTIO_F_VERSION_1);

	(void)arg;
	value &= 0xff;
	if (value == 0) {
		virtio_reset(v);
		return VIRTIO_EV_RESET;
	}
	/* 2.2.2: FEATURES_OK stays clear if the device cannot do with that. */
	if (!(v->status & VIRTIO_FEATURES_OK) && !acceptable)
		value &= ~VIRTIO_FEATURES_OK;
	v->status = (uint8_t)(value | (v->status & VIRTIO_NEEDS_RESET));
	return VIRTIO_EV_NONE;
}

static uint32_t get_isr(struct virtio *v, unsigned arg)
{
	uint8_t isr = v->isr;

	(void)arg;
	if (isr)
		set_isr(v, 0);	/* reading acknowledges (4.1.4.5.1) */
	return isr;
}

static uint32_t get_nqueues(struct virtio *v, unsigned arg)
{
	(void)arg;
	return v->nqueues;
}

static uint32_t get_queue_sel(struct virtio *v, unsigned arg)
{
	(void)arg;
	return v->queue_sel;
}

static enum virtio_event set_queue_sel(struct virtio *v, unsigned arg, uint32_t value)
{
	(void)arg;
	v->queue_sel = (uint16_t)value;
	return VIRTIO_EV_NONE;
}

static uint32_t get_queue_size(struct virtio *v, unsigned arg)
{
	const struct virtq *q = selected(v);

	(void)arg;
	return q ? q->num : 0;
}

static enum virtio_event set_queue_size(struct virtio *v, unsigned arg, uint32_t value)
{
	struct virtq *q = selected(v);

	(void)arg;
	value &= 0xffff;
	if (q && !q->ready && value && value <= v->queue_max && (value & (value - 1)) == 0)
		q->num = (uint16_t)value;
	return VIRTIO_EV_NONE;
}

static void queue_start(struct virtio *v, struct virtq *q)
{
	q->last_avail = q->used_idx = 0;
	queue_negotiate(v, q);
	q->ready = true;
}

static uint32_t get_queue_enable(struct virtio *v, unsigned arg)
{
	const struct virtq *q = selected(v);

	(void)arg;
	return q && q->ready;
}

static enum virtio_event set_queue_enable(struct virtio *v, unsigned arg, uint32_t value)
{
	struct virtq *q = selected(v);

	(void)arg;
	/* 4.1.4.3.2: the driver must not write 0; only a reset disables. */
	if (q && !q->ready && (value & 0xffff) == 1)
		queue_start(v, q);
	return VIRTIO_EV_NONE;
}

/* arg: 0 1 descriptor table, 2 3 available ring, 4 5 used ring; low, high half. */
static uint64_t *queue_area(struct virtq *q, unsigned arg)
{
	return arg < 2 ? &q->desc : arg < 4 ? &q->avail : &q->used;
}

static uint32_t get_queue_area(struct virtio *v, unsigned arg)
{
	struct virtq *q = selected(v);

	return q ? (uint32_t)(*queue_area(q, arg) >> (32 * (arg & 1))) : 0;
}

static enum virtio_event set_queue_area(struct virtio *v, unsigned arg, uint32_t value)
{
	struct virtq *q = selected(v);
	unsigned shift = 32 * (arg & 1);
	uint64_t *a;

	if (!q || q->ready)
		return VIRTIO_EV_NONE;
	a = queue_area(q, arg);
	*a = (*a & ~(0xffffffffull << shift)) | (uint64_t)value << shift;
	return VIRTIO_EV_NONE;
}

static uint32_t get_queue_pfn(struct virtio *v, unsigned arg)
{
	const struct virtq *q = selected(v);

	(void)arg;
	return q && q->ready ? (uint32_t)(q->desc / LEGACY_PAGE) : 0;
}

/* 2.6.2, legacy layout: table and available ring together, the used ring on
 * the next page.  A page number of 0 resets the device, as in QEMU. */
static enum virtio_event set_queue_pfn(struct virtio *v, unsigned arg, uint32_t value)
{
	struct virtq *q = selected(v);

	(void)arg;
	if (value == 0) {
		virtio_reset(v);
		return VIRTIO_EV_RESET;
	}
	if (!q || q->ready)
		return VIRTIO_EV_NONE;
	q->desc = (uint64_t)value * LEGACY_PAGE;
	q->avail = q->desc + 16u * q->num;
	q->used = (q->avail + 4 + 2u * q->num + 2 + LEGACY_PAGE - 1) &
		  ~(uint64_t)(LEGACY_PAGE - 1);
	queue_start(v, q);
	return VIRTIO_EV_NONE;
}

static enum virtio_event set_notify(struct virtio *v, unsigned arg, uint32_t value)
{
	(void)arg;
	v->notified = (uint16_t)value;
	return v->notified < v->nqueues ? VIRTIO_EV_QUEUE : VIRTIO_EV_NONE;
}

struct reg {
	uint8_t at, size;
	uint8_t arg;
	uint32_t (*get)(struct virtio *v, unsigned arg);
	/* NULL: read only */
	enum virtio_event (*set)(struct virtio *v, unsigned arg, uint32_t value);
};

static const struct reg regs[] = {
	/* virtio 0.9.5, 2.1 */
	{ VIRTIO_LEGACY + 0, 4, 0, get_legacy_offered, NULL },
	{ VIRTIO_LEGACY + 4, 4, 0, get_legacy_accepted, set_legacy_accepted },
	{ VIRTIO_LEGACY + 8, 4, 0, get_queue_pfn, set_queue_pfn },
	{ VIRTIO_LEGACY + 12, 2, 0, get_queue_size, NULL },
	{ VIRTIO_LEGACY + 14, 2, 0, get_queue_sel, set_queue_sel },
	{ VIRTIO_LEGACY + 16, 2, 0, get_zero, set_notify },
	{ VIRTIO_LEGACY + 18, 1, 0, get_status, set_status },
	{ VIRTIO_LEGACY + 19, 1, 0, get_isr, NULL },
	/* virtio 1.1, 4.1.4.3: struct virtio_pci_common_cfg */
	{ VIRTIO_COMMON + 0, 4, 0, get_offered_sel, set_offered_sel },
	{ VIRTIO_COMMON + 4, 4, 0, get_offered, NULL },
	{ VIRTIO_COMMON + 8, 4, 0, get_accepted_sel, set_accepted_sel },
	{ VIRTIO_COMMON + 12, 4, 0, get_accepted, set_accepted },
	{ VIRTIO_COMMON + 16, 2, 0, get_no_vector, NULL },	/* config_msix_vector */
	{ VIRTIO_COMMON + 18, 2, 0, get_nqueues, NULL },
	{ VIRTIO_COMMON + 20, 1, 0, get_status, set_status },
	{ VIRTIO_COMMON + 21, 1, 0, get_zero, NULL },	/* config_generation: never changes */
	{ VIRTIO_COMMON + 22, 2, 0, get_queue_sel, set_queue_sel },
	{ VIRTIO_COMMON + 24, 2, 0, get_queue_size, set_queue_size },
	{ VIRTIO_COMMON + 26, 2, 0, get_no_vector, NULL },	/* queue_msix_vector */
	{ VIRTIO_COMMON + 28, 2, 0, get_queue_enable, set_queue_enable },
	{ VIRTIO_COMMON + 30, 2, 0, get_zero, NULL },		/* queue_notify_off */
	{ VIRTIO_COMMON + 32, 4, 0, get_queue_area, set_queue_area },
	{ VIRTIO_COMMON + 36, 4, 1, get_queue_area, set_queue_area },
	{ VIRTIO_COMMON + 40, 4, 2, get_queue_area, set_queue_area },
	{ VIRTIO_COMMON + 44, 4, 3, get_queue_area, set_queue_area },
	{ VIRTIO_COMMON + 48, 4, 4, get_queue_area, set_queue_area },
	{ VIRTIO_COMMON + 52, 4, 5, get_queue_area, set_queue_area },
	{ VIRTIO_ISR, 1, 0, get_isr, NULL },
	{ VIRTIO_NOTIFY, 2, 0, get_zero, set_notify },
};

/* The register that reg lies in, or NULL. */
static const struct reg *find_reg(unsigned reg)
{
	for (size_t i = 0; i < sizeof(regs) / sizeof(regs[0]); i++)
		if (reg - regs[i].at < regs[i].size)
			return &regs[i];
	return NULL;
}

/* Is reg in one of the two views of the device's configuration?  *at: where. */
static bool in_config(unsigned reg, unsigned *at)
{
	if (reg >= VIRTIO_CONFIG)
		*at = reg - VIRTIO_CONFIG;
	else
		*at = reg - VIRTIO_LEGACY_CONFIG;
	return *at < VIRTIO_CONFIG_SIZE;
}

static uint32_t config_in(const struct virtio *v, unsigned at, unsigned size)
{
	uint32_t value = 0;

	for (unsigned i = 0; i < size && at + i < VIRTIO_CONFIG_SIZE; i++)
		value |= (uint32_t)v->config[at + i] << (8 * i);
	return value;
}

static enum virtio_event config_out(struct virtio *v, unsigned at, unsigned size,
				    uint32_t value)
{
	enum virtio_event event = VIRTIO_EV_NONE;

	for (unsigned i = 0; i < size && at + i < VIRTIO_CONFIG_SIZE; i++, value >>= 8) {
		if (!(v->config_writable >> (at + i) & 1))
			continue;
		v->config[at + i] = (uint8_t)value;
		event = VIRTIO_EV_CONFIG;
	}
	return event;
}

static uint32_t size_mask(unsigned size)
{
	return size < 4 ? (1u << (8 * size)) - 1 : 0xffffffffu;
}

/* Drivers access a field by its own width (4.1.3.1); a narrower read gets its
 * part, a wider one the field at reg alone. */
uint32_t virtio_in(struct virtio *v, unsigned reg, unsigned size)
{
	const struct reg *r = find_reg(reg);
	unsigned at;

	if (r)
		return r->get(v, r->arg) >> (8 * (reg - r->at)) & size_mask(size);
	if (in_config(reg, &at))
		return config_in(v, at, size);
	return size_mask(size);
}

enum virtio_event virtio_out(struct virtio *v, unsigned reg, unsigned size, uint32_t value)
{
	const struct reg *r = find_reg(reg);
	unsigned at;

	value &= size_mask(size);
	if (r)
		return r->set && reg == r->at ? r->set(v, r->arg, value) : VIRTIO_EV_NONE;
	if (in_config(reg, &at))
		return config_out(v, at, size, value);
	return VIRTIO_EV_NONE;
}

/*
 * The PCI configuration access capability (4.1.4.9): pci_cfg_data is a window
 * to [offset, offset+length) of the BAR.  true if the access touches it.
 */
static bool window(const struct virtio *v, unsigned reg, unsigned size, unsigned *at,
		   unsigned *length)
{
	const unsigned data = CAP_PCI_CFG + CAP_DATA;

	if (reg + size <= data || reg >= data + 4)
		return false;
	*at = pci_function_get(&v->pci, CAP_PCI_CFG + CAP_OFFSET, 4);
	*length = pci_function_get(&v->pci, CAP_PCI_CFG + CAP_LENGTH, 4);
	return v->pci.config[CAP_PCI_CFG + CAP_BAR] == 0 && *at < VIRTIO_BAR_SIZE &&
	       (*length == 1 || *length == 2 || *length == 4) && *at % *length == 0;
}

void virtio_config_read(struct virtio *v, unsigned reg, unsigned size)
{
	unsigned at, length;

	if (window(v, reg, size, &at, &length))
		pci_function_set(&v->pci, CAP_PCI_CFG + CAP_DATA, length,
				 virtio_in(v, at, length));
}

enum virtio_event virtio_config_written(struct virtio *v, unsigned reg, unsigned size)
{
	unsigned at, length;

	if (!window(v, reg, size, &at, &length))
		return VIRTIO_EV_NONE;
	return virtio_out(v, at, length,
			  pci_function_get(&v->pci, CAP_PCI_CFG + CAP_DATA, length));
}

/* The queues. */

bool virtio_queue_live(const struct virtio *v, unsigned i)
{
	/* Some legacy drivers use the queue before they set DRIVER_OK. */
	bool started = (v->status & VIRTIO_DRIVER_OK) || !virtio_has(v, VIRTIO_F_VERSION_1);

	return v->queue[i].ready && started && !(v->status & VIRTIO_NEEDS_RESET);
}

static bool check(struct virtio *v, enum virtq_result r)
{
	if (r == VIRTQ_BAD)
		virtio_break(v);
	return r == VIRTQ_OK;
}

uint16_t virtio_available(struct virtio *v, unsigned i)
{
	uint16_t n;

	return check(v, virtq_available(&v->queue[i], v->s, &n)) ? n : 0;
}

bool virtio_pop(struct virtio *v, unsigned i, struct virtq_chain *chain)
{
	return check(v, virtq_pop(&v->queue[i], v->s, chain));
}

void virtio_unpop(struct virtio *v, unsigned i, uint16_t n)
{
	v->queue[i].last_avail = (uint16_t)(v->queue[i].last_avail - n);
}

void virtio_push(struct virtio *v, unsigned i, uint16_t head, uint32_t len)
{
	bool interrupt;

	if (check(v, virtq_push(&v->queue[i], v->s, head, len, &interrupt)) && interrupt)
		set_isr(v, v->isr | VIRTIO_ISR_QUEUE);
}

void virtio_want_notify(struct virtio *v, unsigned i)
{
	check(v, virtq_want_notify(&v->queue[i], v->s));
}

/* Set-up. */

static void add_capability(struct pci_function *fn, unsigned at, uint8_t type, uint8_t len,
			   uint32_t offset, uint32_t length)
{
	pci_function_capability(fn, at, CAP_ID_VENDOR);
	fn->config[at + CAP_LEN] = len;
	fn->config[at + CAP_TYPE] = type;
	pci_function_set(fn, at + CAP_OFFSET, 4, offset);
	pci_function_set(fn, at + CAP_LENGTH, 4, length);
}

static void pci_setup(struct pci_function *fn, uint16_t type, uint32_t class_code)
{
	pci_function_init(fn, VENDOR, (uint16_t)(TRANSITIONAL_DEVICE + type), class_code);
	pci_function_set(fn, PCI_SUBSYS_VENDOR, 2, VENDOR);
	pci_function_set(fn, PCI_SUBSYS_DEVICE, 2, type);
	fn->config[PCI_INT_PIN] = 1;
	pci_function_io_bar(fn, 0, VIRTIO_BAR_SIZE);
	add_capability(fn, CAP_PCI_CFG, CFG_PCI, CAP_DATA + 4, 0, 0);
	/* One register for all queues: notify_off_multiplier, in CAP_DATA, is 0. */
	add_capability(fn, CAP_NOTIFY, CFG_NOTIFY, CAP_DATA + 4, VIRTIO_NOTIFY, 2);
	add_capability(fn, CAP_DEVICE, CFG_DEVICE, CAP_DATA, VIRTIO_CONFIG, VIRTIO_CONFIG_SIZE);
	add_capability(fn, CAP_ISR, CFG_ISR, CAP_DATA, VIRTIO_ISR, 1);
	add_capability(fn, CAP_COMMON, CFG_COMMON, CAP_DATA, VIRTIO_COMMON,
		       VIRTIO_ISR - VIRTIO_COMMON);
	fn->writable[CAP_PCI_CFG + CAP_BAR] = 0xff;
	for (unsigned i = CAP_OFFSET; i < CAP_DATA + 4; i++)
		fn->writable[CAP_PCI_CFG + i] = 0xff;
}

void virtio_reset(struct virtio *v)
{
	v->accepted = 0;
	v->offered_sel = v->accepted_sel = 0;
	v->status = 0;
	v->queue_sel = v->notified = 0;
	for (unsigned i = 0; i < v->nqueues; i++)
		v->queue[i] = (struct virtq){ .num = v->queue_max };
	set_isr(v, 0);
}

void virtio_init(struct virtio *v, const struct dev_services *s, uint16_t type,
		 uint32_t class_code, uint64_t features, uint16_t nqueues, uint16_t queue_max)
{
	*v = (struct virtio){
		.s = s,
		.offered = features | VIRTIO_F_ANY_LAYOUT | VIRTIO_F_INDIRECT_DESC |
			   VIRTIO_F_EVENT_IDX | VIRTIO_F_VERSION_1,
		.nqueues = nqueues,
		.queue_max = queue_max,
	};
	pci_setup(&v->pci, type, class_code);
	virtio_reset(v);
}
