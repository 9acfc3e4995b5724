/* SPDX-License-Identifier: BSD-2-Clause */
#include "netopt.h"

#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* ---- words ---- */

static int bad(struct error *e, const char *word, const char *what)
{
	return fail(e, ST_USAGE, "--net: '%s' %s; try 'lilyvm help run'", word, what);
}

/* A decimal number of at most max before the end or one of stops; *s goes behind it. */
static bool take_number(const char **s, const char *stops, uint32_t max, uint32_t *out)
{
	const char *p = *s;
	uint64_t n = 0;

	for (; *p >= '0' && *p <= '9' && n <= max; p++)
		n = n * 10 + (uint64_t)(*p - '0');
	if (p == *s || n > max || (*p && !strchr(stops, *p)))
		return false;
	*s = p;
	*out = (uint32_t)n;
	return true;
}

static bool number(const char *s, uint32_t min, uint32_t max, uint32_t *out)
{
	return take_number(&s, "", max, out) && *out >= min;
}

/* The same in hexadecimal behind 0x. */
static bool port_number(const char *s, uint32_t *out)
{
	uint32_t v = 0;

	if (s[0] != '0' || (s[1] | 0x20) != 'x')
		return number(s, 0, 0xffff, out);
	for (s += 2; *s && v <= 0xfff; s++) {
		const char *digits = "0123456789abcdef", *d = strchr(digits, *s | 0x20);

		if (!d)
			return false;
		v = v << 4 | (uint32_t)(d - digits);
	}
	*out = v;
	return !*s;
}

/* A dotted IPv4 address before the end or one of stops. */
static bool take_addr(const char **s, const char *stops, uint32_t *addr)
{
	const char *p = *s;
	uint32_t part;

	*addr = 0;
	for (unsigned i = 0; i < 4; i++) {
		if (!take_number(&p, i < 3 ? "." : stops, 255, &part) || (i < 3 && *p++ != '.'))
			return false;
		*addr = *addr << 8 | part;
	}
	*s = p;
	return true;
}

static bool addr(const char *s, uint32_t *out)
{
	return take_addr(&s, "", out);
}

/* [ADDR]:PORT before the end or one of stops; without ADDR *a stays. */
static bool take_endpoint(const char **s, const char *stops, uint32_t *a, uint16_t *port)
{
	uint32_t n;

	if (**s != ':' && !take_addr(s, ":", a))
		return false;
	if (*(*s)++ != ':' || !take_number(s, stops, 0xffff, &n) || !n)
		return false;
	*port = (uint16_t)n;
	return true;
}

/* ---- settings ---- */

typedef int set_fn(struct nic_config *nic, char *value, struct error *e);

static int set_model(struct nic_config *nic, char *value, struct error *e)
{
	static const char *const names[] = {
		[NIC_VIRTIO] = "virtio", [NIC_NE2000] = "ne2000", [NIC_NE2000_ISA] = "ne2000-isa",
		[NIC_RTL8139] = "rtl8139",
	};

	for (unsigned i = 0; i < COUNT(names); i++)
		if (!strcmp(value, names[i])) {
			nic->model = (enum nic_model)i;
			return 0;
		}
	return bad(e, value, "is no model: virtio, ne2000, ne2000-isa or rtl8139");
}

/* Six pairs of hexadecimal digits; not a multicast address. */
static int set_mac(struct nic_config *nic, char *value, struct error *e)
{
	static const char digits[] = "0123456789abcdef";
	const char *s = value;

	for (unsigned i = 0; i < 6; i++, s += i < 6) {
		const char *hi = *s ? strchr(digits, *s | 0x20) : NULL;
		const char *lo = hi && s[1] ? strchr(digits, s[1] | 0x20) : NULL;

		if (!lo || s[2] != (i < 5 ? ':' : '\0'))
			return bad(e, value, "is no address like 52:54:00:12:34:56");
		nic->mac[i] = (uint8_t)((hi - digits) << 4 | (lo - digits));
		s += 2;
	}
	if (nic->mac[0] & 1)
		return bad(e, value, "is a multicast address");
	return 0;
}

static int set_port(struct nic_config *nic, char *value, struct error *e)
{
	uint32_t v;

	if (!port_number(value, &v) || v < 0x200 || v > 0x3a0 || v % 0x20)
		return bad(e, value, "is no port for a card: 0x200 to 0x3a0, a multiple of 0x20");
	nic->port = (uint16_t)v;
	return 0;
}

static int set_irq(struct nic_config *nic, char *value, struct error *e)
{
	uint32_t v;

	if (!number(value, 3, 15, &v) || v == 4 || v == 8 || v == 13)
		return bad(e, value, "is no interrupt for a card: 3, 5 to 7, 9 to 12, 14, 15");
	nic->irq = (uint8_t)v;
	return 0;
}

static int set_mtu(struct nic_config *nic, char *value, struct error *e)
{
	uint32_t v;

	if (!number(value, 576, 65520, &v))
		return bad(e, value, "is no MTU: 576 to 65520");
	nic->mtu = nic->net.mtu = (uint16_t)v;
	return 0;
}

/* ADDR/BITS */
static int set_net(struct nic_config *nic, char *value, struct error *e)
{
	const char *s = value;
	uint32_t bits;

	if (!take_addr(&s, "/", &nic->net.net) || *s++ != '/' || !number(s, 8, 27, &bits))
		return bad(e, value, "is no network like 10.0.2.0/24 (8 to 27 bits)");
	nic->net.mask = ~0u << (32 - bits);
	nic->net.net &= nic->net.mask;
	return 0;
}

static int take_address(uint32_t *to, char *value, struct error *e)
{
	return addr(value, to) ? 0 : bad(e, value, "is no IPv4 address");
}

static int set_host(struct nic_config *nic, char *value, struct error *e)
{
	return take_address(&nic->net.host, value, e);
}

static int set_dns(struct nic_config *nic, char *value, struct error *e)
{
	return take_address(&nic->net.dns, value, e);
}

static int set_dhcp(struct nic_config *nic, char *value, struct error *e)
{
	return take_address(&nic->net.dhcp, value, e);
}

static int set_restrict(struct nic_config *nic, char *value, struct error *e)
{
	nic->net.restricted = !strcmp(value, "on");
	return nic->net.restricted || !strcmp(value, "off") ? 0 :
	       bad(e, value, "is neither on nor off");
}

/* tcp|udp:[ADDR]:PORT-[ADDR]:PORT */
static int add_forward(struct nic_config *nic, char *value, struct error *e)
{
	struct host_net_forward f = { .host_addr = 0x7f000001 };
	const char *s = value + 4;

	f.udp = !strncmp(value, "udp:", 4);
	if ((!f.udp && strncmp(value, "tcp:", 4) != 0) ||
	    !take_endpoint(&s, "-", &f.host_addr, &f.host_port) || *s++ != '-' ||
	    !take_endpoint(&s, "", &f.guest_addr, &f.guest_port))
		return bad(e, value, "is no forward like tcp:127.0.0.1:2222-:22");
	if (nic->net.nforwards == HOST_NET_FORWARDS)
		return bad(e, value, "is one forward too many");
	nic->net.forwards[nic->net.nforwards++] = f;
	return 0;
}

#define BIT(kind) (1u << (kind))
#define ALL ~0u

static const struct {
	const char *name;
	unsigned kinds;			/* the back ends that know it */
	set_fn *set;
} settings[] = {
	{ "model", ALL, set_model }, { "mac", ALL, set_mac }, { "port", ALL, set_port },
	{ "irq", ALL, set_irq }, { "mtu", ALL, set_mtu },
	{ "net", BIT(HOST_NET_USER), set_net }, { "host", BIT(HOST_NET_USER), set_host },
	{ "dns", BIT(HOST_NET_USER), set_dns }, { "dhcpstart", BIT(HOST_NET_USER), set_dhcp },
	{ "restrict", BIT(HOST_NET_USER), set_restrict },
	{ "hostfwd", BIT(HOST_NET_USER), add_forward },
};

static int apply(struct nic_config *nic, char *setting, struct error *e)
{
	char *value = strchr(setting, '=');

	if (!value)
		return bad(e, setting, "has no value: SETTING=VALUE is wanted");
	*value++ = '\0';
	for (unsigned i = 0; i < COUNT(settings); i++)
		if (!strcmp(setting, settings[i].name) && (settings[i].kinds & BIT(nic->net.kind)))
			return settings[i].set(nic, value, e);
	return bad(e, setting, "is no setting of this network");
}

/* ---- back ends ---- */

static int set_backend(struct nic_config *nic, char *word, struct error *e)
{
	static const struct {
		const char *name;
		enum host_net_kind kind;
	} kinds[] = {
		{ "user", HOST_NET_USER }, { "tap:", HOST_NET_TAP },
		{ "socket:", HOST_NET_SOCKET }, { "udp:", HOST_NET_UDP },
	};
	struct host_net_config *net = &nic->net;

	for (unsigned i = 0; i < COUNT(kinds); i++) {
		size_t n = strlen(kinds[i].name);

		if (strncmp(word, kinds[i].name, n) != 0 ||
		    (word[n] != '\0') == (kinds[i].kind == HOST_NET_USER))
			continue;
		net->kind = kinds[i].kind;
		net->where = word + n;
		if (net->kind == HOST_NET_UDP &&
		    (!take_endpoint(&net->where, "-", &net->local_addr, &net->local_port) ||
		     *net->where++ != '-' ||
		     !take_endpoint(&net->where, "", &net->remote_addr, &net->remote_port)))
			return bad(e, word, "is not like udp:127.0.0.1:5000-127.0.0.1:5001");
		return 0;
	}
	return bad(e, word, "is none of user, tap:INTERFACE, socket:PATH, "
		   "udp:[ADDR]:PORT-[ADDR]:PORT, none");
}

static bool inside(const struct host_net_config *net, uint32_t a)
{
	return (a & net->mask) == net->net && a != net->net && a != (net->net | ~net->mask);
}

/* What follows from the network, where it was not given. */
static int complete(struct host_net_config *net, struct error *e)
{
	if (net->kind != HOST_NET_USER)
		return 0;
	if (!net->mask) {
		net->net = 0x0a000200;		/* 10.0.2.0/24, as QEMU's */
		net->mask = 0xffffff00;
	}
	net->host = net->host ? net->host : net->net + 2;
	net->dns = net->dns ? net->dns : net->net + 3;
	net->dhcp = net->dhcp ? net->dhcp : net->net + 15;
	if (!inside(net, net->host) || !inside(net, net->dns) || !inside(net, net->dhcp) ||
	    net->host == net->dns)
		return fail(e, ST_USAGE, "--net user: host, dns and dhcpstart must be different "
			    "addresses of the network");
	return 0;
}

/* ISA cards must not answer at the same ports. */
static int check_ports(const struct vm_config *cfg, const struct nic_config *nic, struct error *e)
{
	for (unsigned i = 0; i < cfg->nnics; i++)
		if (nic->model == NIC_NE2000_ISA && cfg->nics[i].model == NIC_NE2000_ISA &&
		    cfg->nics[i].port == nic->port)
			return fail(e, ST_USAGE, "--net: two cards at port %#x; give one another "
				    "port= and irq=", nic->port);
	return 0;
}

int netopt_add(struct vm_config *cfg, char *word, struct error *e)
{
	struct nic_config nic = {
		.port = 0x300, .irq = 9, .net.mtu = 1500,
		.net.local_addr = 0x7f000001, .net.remote_addr = 0x7f000001,
		.mac = { 0x52, 0x54, 0x00, 0x12, 0x34, (uint8_t)(0x56 + cfg->nnics) },
	};
	char *next = strchr(word, ',');

	if (!strcmp(word, "none"))
		return 0;
	if (cfg->nnics == VM_MAX_NICS)
		return fail(e, ST_USAGE, "--net: more than %d network cards", VM_MAX_NICS);
	if (next)
		*next++ = '\0';
	if (set_backend(&nic, word, e))
		return -1;
	while (next) {
		char *setting = next;

		next = strchr(setting, ',');
		if (next)
			*next++ = '\0';
		if (apply(&nic, setting, e))
			return -1;
	}
	if (complete(&nic.net, e) || check_ports(cfg, &nic, e))
		return -1;
	cfg->nics[cfg->nnics++] = nic;
	return 0;
}
