/* SPDX-License-Identifier: BSD-2-Clause */
/* What each packet of the debugger means: a table and small functions. */
#include "gdb/session.h"
#include "monitor/vm.h"

#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* The numbers are of no consequence to gdb. */
#define E_ARGUMENT "E22"
#define E_MEMORY "E14"

static bool reply(struct gdb *g, const char *text)
{
	packet_text(&g->out, text);
	return true;
}

static bool ok(struct gdb *g, struct packet_reader *r)
{
	(void)r;
	return reply(g, "OK");
}

/* An answer that says: unknown. */
static bool nothing(struct gdb *g, struct packet_reader *r)
{
	(void)g;
	(void)r;
	return true;
}

/* ---- threads: the one virtual CPU is thread 1 ---- */

/* A thread that is ours, or all (-1), or any (0). */
static bool get_thread(struct packet_reader *r)
{
	uint64_t id;

	return packet_get(r, "-1") || (packet_get_number(r, &id) && id <= 1);
}

static bool set_thread(struct gdb *g, struct packet_reader *r)
{
	if (!packet_get(r, "g") && !packet_get(r, "c"))
		return reply(g, E_ARGUMENT);
	return reply(g, get_thread(r) && !packet_left(r) ? "OK" : E_ARGUMENT);
}

static bool thread_alive(struct gdb *g, struct packet_reader *r)
{
	return reply(g, get_thread(r) && !packet_left(r) ? "OK" : E_ARGUMENT);
}

static bool current_thread(struct gdb *g, struct packet_reader *r)
{
	(void)r;
	return reply(g, "QC1");
}

static bool first_threads(struct gdb *g, struct packet_reader *r)
{
	(void)r;
	return reply(g, "m1");
}

static bool more_threads(struct gdb *g, struct packet_reader *r)
{
	(void)r;
	return reply(g, "l");
}

static bool thread_name(struct gdb *g, struct packet_reader *r)
{
	static const char name[] = "virtual CPU";

	(void)r;
	packet_hex(&g->out, (const uint8_t *)name, sizeof(name) - 1);
	return true;
}

/* gdb found the machine running: it leaves with D, not k. */
static bool attached(struct gdb *g, struct packet_reader *r)
{
	(void)r;
	return reply(g, "1");
}

/* ---- registers ---- */

#define REG_BYTES_MAX 16

static bool read_registers(struct gdb *g, struct packet_reader *r)
{
	uint8_t bytes[REG_BYTES_MAX];

	(void)r;
	for (unsigned n = 0; n < GR_COUNT; n++) {
		target_reg_read(g->vm, n, bytes);
		packet_hex(&g->out, bytes, target_reg_size(n));
	}
	return true;
}

static size_t all_registers_size(void)
{
	size_t sum = 0;

	for (unsigned n = 0; n < GR_COUNT; n++)
		sum += target_reg_size(n);
	return sum;
}

static bool write_registers(struct gdb *g, struct packet_reader *r)
{
	uint8_t bytes[GR_COUNT * REG_BYTES_MAX];
	const uint8_t *from = bytes;
	bool done = true;

	if (packet_left(r) != 2 * all_registers_size() ||
	    !packet_get_hex(r, bytes, all_registers_size()))
		return reply(g, E_ARGUMENT);
	for (unsigned n = 0; n < GR_COUNT; n++) {
		done &= target_reg_write(g->vm, n, from);
		from += target_reg_size(n);
	}
	return reply(g, done ? "OK" : E_ARGUMENT);
}

static bool read_register(struct gdb *g, struct packet_reader *r)
{
	uint8_t bytes[REG_BYTES_MAX];
	uint64_t n;

	if (!packet_get_number(r, &n) || packet_left(r) || n >= GR_COUNT)
		return reply(g, E_ARGUMENT);
	target_reg_read(g->vm, (unsigned)n, bytes);
	packet_hex(&g->out, bytes, target_reg_size((unsigned)n));
	return true;
}

static bool write_register(struct gdb *g, struct packet_reader *r)
{
	uint8_t bytes[REG_BYTES_MAX];
	uint64_t n;

	if (!packet_get_number(r, &n) || !packet_get(r, "=") || n >= GR_COUNT ||
	    packet_left(r) != 2 * target_reg_size((unsigned)n) ||
	    !packet_get_hex(r, bytes, target_reg_size((unsigned)n)) ||
	    !target_reg_write(g->vm, (unsigned)n, bytes))
		return reply(g, E_ARGUMENT);
	return reply(g, "OK");
}

/* ---- memory ---- */

/* ADDRESS,LENGTH */
static bool get_range(struct packet_reader *r, uint64_t *addr, uint64_t *len)
{
	return packet_get_number(r, addr) && packet_get(r, ",") && packet_get_number(r, len);
}

/* gdb asks again for what a short answer leaves out. */
static bool read_memory(struct gdb *g, struct packet_reader *r)
{
	uint8_t bytes[PACKET_MAX / 2];
	uint64_t addr, len;
	size_t n;

	if (!get_range(r, &addr, &len) || packet_left(r))
		return reply(g, E_ARGUMENT);
	if (!len)
		return true;
	n = target_mem_read(g->vm, addr, bytes, len < sizeof(bytes) ? (size_t)len : sizeof(bytes),
			    false);
	if (!n)
		return reply(g, E_MEMORY);
	packet_hex(&g->out, bytes, n);
	return true;
}

static bool store(struct gdb *g, uint64_t addr, const uint8_t *bytes, size_t n)
{
	return reply(g, target_mem_write(g->vm, addr, bytes, n, false) == n ? "OK" : E_MEMORY);
}

static bool write_memory(struct gdb *g, struct packet_reader *r)
{
	uint8_t bytes[PACKET_MAX / 2];
	uint64_t addr, len;

	if (!get_range(r, &addr, &len) || !packet_get(r, ":") || len > sizeof(bytes) ||
	    packet_left(r) != 2 * len || !packet_get_hex(r, bytes, (size_t)len))
		return reply(g, E_ARGUMENT);
	return store(g, addr, bytes, (size_t)len);
}

static bool write_memory_binary(struct gdb *g, struct packet_reader *r)
{
	uint64_t addr, len;

	if (!get_range(r, &addr, &len) || !packet_get(r, ":") || packet_left(r) != len)
		return reply(g, E_ARGUMENT);
	return store(g, addr, (const uint8_t *)r->at, (size_t)len);
}

/* ---- points ---- */

/* TYPE,ADDRESS,KIND; the kind of a breakpoint is its length, which is known.
 * Conditions and commands behind ; were not offered. */
static bool get_point(struct packet_reader *r, struct point *p)
{
	uint64_t type, addr, len;

	if (!packet_get_number(r, &type) || !packet_get(r, ",") || !get_range(r, &addr, &len) ||
	    packet_left(r) || type > UINT32_MAX || addr > UINT32_MAX || len > UINT32_MAX)
		return false;
	*p = (struct point){ .type = (enum gdb_point)type, .addr = (uint32_t)addr,
			     .len = (uint32_t)len };
	return true;
}

static bool insert_point(struct gdb *g, struct packet_reader *r)
{
	struct point p;

	if (!get_point(r, &p))
		return reply(g, E_ARGUMENT);
	if (p.type > GP_ACCESS)
		return nothing(g, r);
	p.any_space = g->any_space;
	return reply(g, points_insert(&g->points, g->vm, &p) ? "OK" : E_ARGUMENT);
}

static bool remove_point(struct gdb *g, struct packet_reader *r)
{
	struct point p;

	if (!get_point(r, &p))
		return reply(g, E_ARGUMENT);
	if (p.type > GP_ACCESS)
		return nothing(g, r);
	/* Removing twice is as good as once. */
	points_remove(&g->points, &p);
	return reply(g, "OK");
}

/* ---- going on ---- */

/* Signals mean nothing to a machine: they are taken and dropped. */
static bool get_signal(struct packet_reader *r)
{
	uint8_t signal;

	return packet_get_hex(r, &signal, 1);
}

/* [ADDRESS], where to go on */
static bool go(struct gdb *g, struct packet_reader *r, enum gdb_resume how)
{
	uint64_t addr;
	uint8_t eip[4];

	if (packet_left(r)) {
		if (!packet_get_number(r, &addr) || packet_left(r) || addr > UINT32_MAX)
			return reply(g, E_ARGUMENT);
		for (unsigned i = 0; i < 4; i++)
			eip[i] = (uint8_t)(addr >> 8 * i);
		if (!target_reg_write(g->vm, GR_EIP, eip))
			return reply(g, E_ARGUMENT);
	}
	session_resume(g, how, 0, 0, true);
	return false;
}

static bool go_with_signal(struct gdb *g, struct packet_reader *r, enum gdb_resume how)
{
	if (!get_signal(r) || (packet_left(r) && !packet_get(r, ";")))
		return reply(g, E_ARGUMENT);
	return go(g, r, how);
}

static bool cont(struct gdb *g, struct packet_reader *r)
{
	return go(g, r, GDB_CONTINUE);
}

static bool step(struct gdb *g, struct packet_reader *r)
{
	return go(g, r, GDB_STEP);
}

static bool cont_signal(struct gdb *g, struct packet_reader *r)
{
	return go_with_signal(g, r, GDB_CONTINUE);
}

static bool step_signal(struct gdb *g, struct packet_reader *r)
{
	return go_with_signal(g, r, GDB_STEP);
}

struct action {
	char what;			/* c s r t; C and S without their signal */
	uint32_t start, end;		/* r */
};

/* c, s, Csignal, Ssignal, rSTART,END or t */
static bool get_action(struct packet_reader *r, struct action *a)
{
	uint64_t start, end;

	if (!packet_left(r))
		return false;
	*a = (struct action){ .what = *r->at++ };
	switch (a->what) {
	case 'C':
	case 'S':
		a->what |= 0x20;
		return get_signal(r);
	case 'r':
		if (!get_range(r, &start, &end) || start > UINT32_MAX || end > UINT32_MAX)
			return false;
		a->start = (uint32_t)start;
		a->end = (uint32_t)end;
		return true;
	default:
		return strchr("cst", a->what) != NULL && a->what;
	}
}

static bool perform(struct gdb *g, const struct action *a)
{
	switch (a->what) {
	case 't':			/* it is stopped */
		session_stop_reply(g);
		return true;
	case 'r':
		session_resume(g, GDB_RANGE, a->start, a->end, true);
		return false;
	default:
		session_resume(g, a->what == 's' ? GDB_STEP : GDB_CONTINUE, 0, 0, true);
		return false;
	}
}

/* ;ACTION[:THREAD]... : the first that is for our thread counts. */
static bool vcont(struct gdb *g, struct packet_reader *r)
{
	struct action first = { 0 }, next;

	while (packet_get(r, ";")) {
		if (!get_action(r, &next) || (packet_get(r, ":") && !get_thread(r)))
			return reply(g, E_ARGUMENT);
		if (!first.what)
			first = next;
	}
	if (!first.what || packet_left(r))
		return reply(g, E_ARGUMENT);
	return perform(g, &first);
}

static bool vcont_actions(struct gdb *g, struct packet_reader *r)
{
	(void)r;
	return reply(g, "vCont;c;C;s;S;t;r");
}

/* ---- the session ---- */

static bool why_stopped(struct gdb *g, struct packet_reader *r)
{
	(void)r;
	session_stop_reply(g);
	return true;
}

/* The reply to this still wants an acknowledgement, which is ignored. */
static bool no_ack_mode(struct gdb *g, struct packet_reader *r)
{
	(void)r;
	reply(g, "OK");
	session_send(g);
	g->no_ack = true;
	return false;
}

static bool detach(struct gdb *g, struct packet_reader *r)
{
	(void)r;
	reply(g, "OK");
	session_send(g);
	points_clear(&g->points, g->vm);
	session_resume(g, GDB_CONTINUE, 0, 0, false);
	return false;
}

static bool kill_vm(struct gdb *g, struct packet_reader *r)
{
	(void)r;
	vm_quit(g->vm, ST_KILLED, "ended by the debugger");
	return false;
}

static bool kill_process(struct gdb *g, struct packet_reader *r)
{
	reply(g, "OK");
	session_send(g);
	return kill_vm(g, r);
}

/* The first whose name the packet begins with; a longer name stands before one
 * that it begins with. */
static const struct command {
	const char *name;
	bool (*run)(struct gdb *g, struct packet_reader *r);
} commands[] = {
	{ "?", why_stopped },
	{ "g", read_registers }, { "G", write_registers },
	{ "p", read_register }, { "P", write_register },
	{ "m", read_memory }, { "M", write_memory }, { "X", write_memory_binary },
	{ "Z", insert_point }, { "z", remove_point },
	{ "c", cont }, { "C", cont_signal }, { "s", step }, { "S", step_signal },
	{ "vCont?", vcont_actions }, { "vCont", vcont },
	{ "vKill;", kill_process }, { "vMustReplyEmpty", nothing },
	{ "D", detach }, { "k", kill_vm },
	{ "H", set_thread }, { "T", thread_alive },
	{ "qC", current_thread }, { "qAttached", attached },
	{ "qfThreadInfo", first_threads }, { "qsThreadInfo", more_threads },
	{ "qThreadExtraInfo,", thread_name },
	{ "qSupported", query_supported }, { "qXfer:features:read:", query_features },
	{ "qRcmd,", query_monitor }, { "qSymbol::", ok },
	{ "QStartNoAckMode", no_ack_mode },
};

/* A name that ends in a letter has to end there in the packet, too: qC is not
 * qCRC.  Packets of one letter are followed by anything. */
static bool is_named(const struct packet_reader *r, const char *name)
{
	size_t n = strlen(name);
	char last = name[n - 1], next;

	if (packet_left(r) < n || memcmp(r->at, name, n) != 0)
		return false;
	next = r->at[n];
	return n == 1 || strchr(":;,?", last) || !next || strchr(":;,", next);
}

bool command_run(struct gdb *g)
{
	struct packet_reader r = { g->in.data, g->in.data + g->in.len };

	packet_start(&g->out);
	for (size_t i = 0; i < COUNT(commands); i++)
		if (is_named(&r, commands[i].name)) {
			r.at += strlen(commands[i].name);
			return commands[i].run(g, &r);
		}
	return true;
}
