/* SPDX-License-Identifier: BSD-2-Clause */
/* The fake host's memory, mappings, time and direct execution. */
#include "hostos/fake/fake.h"

#include <stdlib.h>
#include <string.h>

#define PAGES (1u << 20)

static struct fake_host host;
static uint64_t *pages[FAKE_SPACES];

struct fake_host *fake_host(void)
{
	return &host;
}

void fake_drop_space(unsigned space)
{
	free(pages[space]);
	pages[space] = NULL;
}

void fake_reset(void)
{
	unsigned i;

	for (i = 0; i < FAKE_SPACES; i++)
		fake_drop_space(i);
	memset(&host, 0, sizeof host);
	host.low_min = 0x10000;
	host.map_limit = 65530;
	host.max_spaces = FAKE_SPACES - 1;
	host.fsgsbase = true;
}

uint64_t fake_page(unsigned space, uint32_t va)
{
	return pages[space] ? pages[space][va >> PAGE_SHIFT] : 0;
}

static void apply(const struct fake_call *c)
{
	uint64_t *p, i;

	if (!pages[c->space])
		pages[c->space] = calloc(PAGES, sizeof **pages);
	p = pages[c->space];
	if (!p || (c->va | c->len | c->offset) & ~PAGE_MASK ||
	    c->va + c->len > (uint64_t)PAGES << PAGE_SHIFT)
		abort();
	for (i = 0; i < c->len; i += PAGE_SIZE) {
		uint64_t *page = &p[(c->va + i) >> PAGE_SHIFT];

		if (c->op == FAKE_MAP)
			*page = (c->offset + i) | c->rights;
		else if (c->op == FAKE_UNMAP)
			*page = 0;
		else if (*page)
			*page = (*page & ~(uint64_t)(PAGE_SIZE - 1)) | c->rights;
		else
			abort();	/* mprotect(2): ENOMEM */
	}
}

void fake_record(const struct fake_call *c)
{
	if (host.ncalls == FAKE_CALLS)
		abort();
	host.calls[host.ncalls++] = *c;
	if (c->op != FAKE_LDT)
		apply(c);
}

/* ---- memory ---- */

int host_ram_create(struct host_ram *ram, uint64_t size, struct error *e)
{
	ram->base = calloc(1, size);
	if (!ram->base)
		return fail(e, ST_HOST, "guest RAM: out of memory");
	ram->size = size;
	ram->handle = -1;
	return 0;
}

void host_ram_destroy(struct host_ram *ram)
{
	free(ram->base);
	ram->base = NULL;
}

int host_low_check(struct error *e)
{
	(void)e;
	return 0;
}

uint32_t host_low_min(void)
{
	return host.low_min;
}

uint32_t host_map_limit(void)
{
	return host.map_limit;
}

int host_low_map(const struct host_ram *ram, uint32_t va, uint64_t offset, uint64_t len,
		 unsigned rights, bool populate)
{
	(void)populate;
	if (host.map_error)
		return host.map_error;
	if (va < host.low_min || offset + len > ram->size)
		abort();
	fake_record(&(struct fake_call){ .op = FAKE_MAP, .va = va, .len = len, .offset = offset,
					 .rights = rights });
	return 0;
}

int host_low_unmap(uint32_t va, uint64_t len)
{
	fake_record(&(struct fake_call){ .op = FAKE_UNMAP, .va = va, .len = len });
	return 0;
}

int host_low_protect(uint32_t va, uint64_t len, unsigned rights)
{
	fake_record(&(struct fake_call){ .op = FAKE_PROTECT, .va = va, .len = len,
					 .rights = rights });
	return 0;
}

/* Nothing runs that could go through it. */
bool host_gate_install(struct host_cpu *hc, uint32_t va, uint8_t *to)
{
	(void)hc, (void)va, (void)to;
	return false;
}

/* Not RAM: the offsets in the record are the addresses. */
int host_window_create(uint32_t va, uint32_t size, uint32_t code, void **alias, struct error *e)
{
	*alias = calloc(1, size);
	if (!*alias)
		return fail(e, ST_HOST, "window: out of memory");
	fake_record(&(struct fake_call){ .op = FAKE_MAP, .va = va, .len = code - va, .offset = va,
					 .rights = HP_R | HP_W });
	fake_record(&(struct fake_call){ .op = FAKE_MAP, .va = code, .len = va + size - code,
					 .offset = code });
	return 0;
}

/* ---- direct execution ---- */

int host_cpu_create(struct host_cpu **hc, struct error *e)
{
	*hc = aligned_alloc(64, (sizeof **hc + 63) / 64 * 64);
	if (!*hc)
		return fail(e, ST_HOST, "out of memory");
	memset(*hc, 0, sizeof **hc);
	(*hc)->has_bases = host.fsgsbase;
	(*hc)->fpu.bytes[0] = 0x7f;		/* FCW 37FH */
	(*hc)->fpu.bytes[1] = 3;
	(*hc)->fpu.bytes[24] = 0x80;		/* MXCSR 1F80H */
	(*hc)->fpu.bytes[25] = 0x1f;
	return 0;
}

void host_cpu_destroy(struct host_cpu *hc)
{
	free(hc);
}

int host_enter(struct host_cpu *hc)
{
	if (host.enter)
		return host.enter(hc);
	hc->kick = 1;
	return HOST_EXIT_KICK;
}

void host_kick(struct host_cpu *hc)
{
	hc->kick = 1;
	host.kicks++;
}

int host_ldt_set(unsigned slot, const struct segment *s)
{
	fake_record(&(struct fake_call){ .op = FAKE_LDT, .va = slot,
					 .segment = s ? *s : (struct segment){ 0, 0, 0, 0 } });
	return 0;
}

/* ---- time ---- */

uint64_t host_now(void)
{
	return host.now;
}

int64_t host_wallclock(void)
{
	return host.now / 1000000000;
}

uint64_t host_cpu_time(void)
{
	return host.now;
}

uint64_t host_tsc_hz(void)
{
	return 2000000000;
}

void host_timer_set(struct host_cpu *hc, uint64_t t)
{
	(void)hc;
	host.timer = t;
	host.timer_sets++;
}

/* Sleeping takes the time until the timer. */
void host_wait_kick(struct host_cpu *hc)
{
	host.waits++;
	if (host.timer > host.now)
		host.now = host.timer;
	hc->kick = 1;
}

int host_pin(int cpu, struct host_cpus *others, struct error *e)
{
	(void)cpu;
	(void)others;
	(void)e;
	return 0;
}

/* A CPU without any feature. */
void host_cpuid(uint32_t leaf, uint32_t sub, uint32_t r[4])
{
	(void)leaf;
	(void)sub;
	memset(r, 0, 4 * sizeof *r);
}
