/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The session: debuggers come and go, packets are answered while the guest is
 * stopped, and what arrives while it runs stops it.
 */
#include "gdb/session.h"

#include "monitor/vm.h"

#include <stdlib.h>
#include <string.h>

/* Signal numbers of the protocol (gdb's include/gdb/signals.def). */
#define SIGNAL_INT 2
#define SIGNAL_ILL 4
#define SIGNAL_TRAP 5
#define SIGNAL_ABRT 6
#define SIGNAL_SEGV 11

/* ---- replies ---- */

void session_send(struct gdb *g)
{
	size_t n = packet_finish(&g->out);

	gdbport_write(g->port, g->out.frame, n);
	g->sent = true;
}

static void send_again(struct gdb *g)
{
	if (g->sent && !g->no_ack)
		gdbport_write(g->port, g->out.frame, g->out.len);
}

static void acknowledge(struct gdb *g, char how)
{
	if (!g->no_ack)
		gdbport_write(g->port, (const uint8_t *)&how, 1);
}

static void stop_reason(struct gdb *g)
{
	static const char *const watch[] = {
		[GP_WRITE] = "watch", [GP_READ] = "rwatch", [GP_ACCESS] = "awatch",
	};
	const struct gdb_stop_info *s = &g->stop;

	if (s->why == GS_WATCH && s->point >= GP_WRITE)
		packet_printf(&g->out, "%s:%x;", watch[s->point], s->addr);
	else if (s->why == GS_BREAK && s->point == GP_SOFTWARE && g->swbreak)
		packet_text(&g->out, "swbreak:;");
	else if (s->why == GS_BREAK && s->point == GP_HARDWARE && g->hwbreak)
		packet_text(&g->out, "hwbreak:;");
}

static unsigned signal_of(const struct gdb_stop_info *s)
{
	if (s->why == GS_INTERRUPT)
		return SIGNAL_INT;
	if (s->why != GS_DIED)
		return SIGNAL_TRAP;
	if (s->status == ST_TRIPLE)
		return SIGNAL_SEGV;
	return s->status == ST_PANIC ? SIGNAL_ABRT : SIGNAL_ILL;
}

void session_stop_reply(struct gdb *g)
{
	/* Those that gdb asks for first, after every step. */
	static const unsigned expedited[] = { GR_EIP, GR_ESP, GR_EBP };
	uint8_t bytes[4];

	if (g->stop.why == GS_ENDED) {
		packet_printf(&g->out, "W%02x", (uint8_t)g->stop.status);
		return;
	}
	packet_printf(&g->out, "T%02x", signal_of(&g->stop));
	for (size_t i = 0; i < sizeof(expedited) / sizeof(expedited[0]); i++) {
		packet_printf(&g->out, "%02x:", expedited[i]);
		target_reg_read(g->vm, expedited[i], bytes);
		packet_hex(&g->out, bytes, sizeof(bytes));
		packet_text(&g->out, ";");
	}
	packet_text(&g->out, "thread:1;");
	stop_reason(g);
}

void session_print(struct gdb *g, const char *text, size_t n)
{
	while (n) {
		size_t part = n < PACKET_MAX / 2 - 1 ? n : PACKET_MAX / 2 - 1;

		packet_start(&g->out);
		packet_text(&g->out, "O");
		packet_hex(&g->out, (const uint8_t *)text, part);
		session_send(g);
		text += part;
		n -= part;
	}
	packet_start(&g->out);
}

static void report_stop(struct gdb *g)
{
	g->owes_stop = false;
	if (g->stop.why == GS_DIED)
		session_print(g, g->stop.reason, strlen(g->stop.reason));
	packet_start(&g->out);
	session_stop_reply(g);
	session_send(g);
}

/* ---- going on ---- */

void session_resume(struct gdb *g, enum gdb_resume how, uint32_t start, uint32_t end, bool report)
{
	points_settle(&g->points, g->vm);
	g->running = true;
	g->owes_stop = report;
	target_resume(g->vm, how, start, end);
}

/* ---- what comes from the debugger ---- */

/* The next enum packet_event, or GDBPORT_JOINED or GDBPORT_LEFT. */
static int next_event(struct gdb *g)
{
	enum packet_event event = PACKET_NONE;

	while (event == PACKET_NONE) {
		if (g->input_pos == g->input_len) {
			int n = gdbport_read(g->port, g->input, sizeof(g->input));

			if (n <= 0)
				return n;
			g->input_pos = 0;
			g->input_len = (size_t)n;
		}
		event = packet_byte(&g->in, g->input[g->input_pos++]);
	}
	return event;
}

static void joined(struct gdb *g)
{
	packet_in_reset(&g->in);
	g->connected = true;
	g->wait = g->pending = g->no_ack = g->sent = g->owes_stop = false;
	g->swbreak = g->hwbreak = g->any_space = false;
}

/* A debugger that vanishes leaves the guest as one that detaches. */
static void left(struct gdb *g)
{
	g->connected = g->pending = g->owes_stop = false;
	g->abandoned = true;
}

/* Points may be taken back only while the guest is stopped. */
static void clear_abandoned(struct gdb *g)
{
	if (g->abandoned)
		points_clear(&g->points, g->vm);
	g->abandoned = false;
}

static void answer(struct gdb *g)
{
	if (command_run(g))
		session_send(g);
}

static void handle(struct gdb *g, int event)
{
	switch (event) {
	case PACKET_READY:
		acknowledge(g, '+');
		answer(g);
		break;
	case PACKET_BAD:
		acknowledge(g, '-');
		break;
	case PACKET_NAK:
		send_again(g);
		break;
	case GDBPORT_JOINED:
		joined(g);
		break;
	case GDBPORT_LEFT:
		left(g);
		clear_abandoned(g);
		break;
	default:
		/* Acknowledged; or Ctrl-C, which crossed our stop reply. */
		break;
	}
}

/* Nothing has come in. False: the VM is ending. */
static bool idle(struct gdb *g)
{
	if (g->connected || g->wait)
		return vm_wait_stopped(g->vm);
	session_resume(g, GDB_CONTINUE, 0, 0, false);
	return true;
}

static void serve(struct gdb *g)
{
	while (!g->running) {
		int event = g->pending ? PACKET_READY : next_event(g);

		g->pending = false;
		if (event != PACKET_NONE)
			handle(g, event);
		else if (!idle(g))
			return;
	}
}

void gdb_stopped(struct gdb *g, const struct gdb_stop_info *why)
{
	g->running = false;
	g->stop = *why;
	clear_abandoned(g);
	/* Nobody asked: it stopped because a debugger came. */
	if (why->why == GS_INTERRUPT && !g->owes_stop)
		g->stop.why = GS_NONE;
	if (g->owes_stop)
		report_stop(g);
	if (why->why != GS_ENDED)
		serve(g);
}

void gdb_poll(struct gdb *g)
{
	int event;

	while (!g->pending && (event = next_event(g)) != PACKET_NONE) {
		if (event == PACKET_ACK || event == PACKET_BAD || event == PACKET_NAK) {
			handle(g, event);
			continue;
		}
		if (event == GDBPORT_JOINED)
			joined(g);
		else if (event == GDBPORT_LEFT)
			left(g);
		g->pending = event == PACKET_READY;
		target_interrupt(g->vm);
	}
}

/* ---- life cycle ---- */

int gdb_open(struct gdb **out, struct vm *vm, const char *spec, bool wait,
	     void (*kick)(void *ctx), void *ctx, struct error *e)
{
	struct gdb *g = calloc(1, sizeof(*g));

	if (!g)
		return fail(e, ST_HOST, "out of memory");
	g->vm = vm;
	g->wait = wait;
	g->running = true;
	if (gdbport_open(&g->port, spec, kick, ctx, e) < 0) {
		free(g);
		return -1;
	}
	*out = g;
	return 0;
}

void gdb_close(struct gdb **gp)
{
	if (*gp)
		gdbport_close(&(*gp)->port);
	free(*gp);
	*gp = NULL;
}

void gdb_cancel(struct gdb *g)
{
	gdbport_cancel(g->port);
}
