/* SPDX-License-Identifier: BSD-2-Clause */
#include "nettry.h"

#include "inet.h"

#define HZ 100u
#define PATIENCE (10 * HZ)
#define PINGS 20u

static const struct card *card;
static struct inet net;
static volatile unsigned ticks, interrupts;

static void tick(struct trap_frame *f)
{
	(void)f;
	ticks++;
	pic_eoi(0);
}

static void interrupt(struct trap_frame *f)
{
	interrupts++;
	card->interrupt();
	pic_eoi(f->vector - IRQ_BASE);
}

static void send(void *ctx, const uint8_t *frame, uint32_t len)
{
	(void)ctx;
	card->send(frame, len);
}

/* Sleeps until an interrupt, then takes in what has come; false: for too long. */
static bool wait_a_little(unsigned since)
{
	static uint8_t frame[FRAME_MAX];
	uint32_t len;

	while ((len = card->receive(frame)))
		inet_input(&net, frame, len);
	cli();
	sti_hlt();
	return ticks - since < PATIENCE;
}

static void print_address(const char *what, uint32_t a)
{
	printf("%s %u.%u.%u.%u", what, a >> 24, a >> 16 & 0xff, a >> 8 & 0xff, a & 0xff);
}

static void dhcp(void)
{
	unsigned since = ticks;

	inet_dhcp_discover(&net);
	while (!net.bound && wait_a_little(since))
		;
	print_address("DHCP:", net.ip);
	print_address(", router", net.gateway);
	printf("\n");
}

static void arp(void)
{
	unsigned since = ticks;

	inet_arp_gateway(&net);
	while (!net.resolved && wait_a_little(since))
		;
	printf("ARP: the router is %s\n", net.resolved ? "found" : "missing");
}

static void pings(void)
{
	unsigned since = ticks;

	for (unsigned i = 0; i < PINGS; i++) {
		inet_ping(&net, net.gateway, (uint16_t)i, 1 + 70 * i);
		while (net.pings <= i && wait_a_little(since))
			;
	}
	printf("%u pings, %u answers\n", PINGS, net.pings);
}

void net_try(const struct card *c)
{
	card = c;
	net.send = send;
	memcpy(net.mac, c->mac, sizeof(net.mac));
	trap_init();
	pic_init();
	trap_set(IRQ_BASE, tick);
	trap_set(IRQ_BASE + c->irq, interrupt);
	pit_rate(HZ);
	pic_unmask(0);
	pic_unmask(c->irq);
	sti();
	dhcp();
	arp();
	pings();
	printf("interrupts %s\n", interrupts ? "came" : "did not come");
	cli();
}
