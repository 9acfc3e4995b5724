/* SPDX-License-Identifier: BSD-2-Clause */
/* Queries with longer answers: abilities, the target description, `monitor`. */
#include "gdb/features.h"
#include "gdb/session.h"

#include <stdlib.h>
#include <string.h>

/*
 * There is no qXfer:memory-map: it could only describe one address space, while
 * gdb asks once a session, and treats what is not listed as unreadable.  What
 * cannot be read is told by each read instead.
 */
bool query_supported(struct gdb *g, struct packet_reader *r)
{
	g->swbreak = strstr(r->at, "swbreak+") != NULL;
	g->hwbreak = strstr(r->at, "hwbreak+") != NULL;
	packet_printf(&g->out,
		      "PacketSize=%x;QStartNoAckMode+;qXfer:features:read+;vContSupported+;"
		      "swbreak+;hwbreak+", PACKET_MAX);
	return true;
}

/* Sends text[from..from+n) of a document: m says that there is more, l that
 * this was the last. */
static void send_part(struct gdb *g, const char *text, size_t size, uint64_t from, uint64_t n)
{
	size_t left = from < size ? size - (size_t)from : 0;
	size_t want = n < left ? (size_t)n : left;
	uint8_t *tag = g->out.frame + g->out.len;

	packet_text(&g->out, "l");
	if (packet_binary(&g->out, text + (size - left), want) < left)
		*tag = 'm';
}

/* ANNEX:OFFSET,LENGTH */
bool query_features(struct gdb *g, struct packet_reader *r)
{
	const char *colon = memchr(r->at, ':', packet_left(r));
	char annex[32], *text = NULL;
	uint64_t from, n;
	size_t len = colon ? (size_t)(colon - r->at) : 0, size = 0;
	bool known;
	FILE *f;

	if (!len || len >= sizeof(annex)) {
		packet_text(&g->out, "E00");
		return true;
	}
	memcpy(annex, r->at, len);
	annex[len] = '\0';
	r->at = colon + 1;
	if (!packet_get_number(r, &from) || !packet_get(r, ",") || !packet_get_number(r, &n) ||
	    !(f = open_memstream(&text, &size))) {
		packet_text(&g->out, "E00");
		return true;
	}
	known = features_write(annex, f);
	if (fclose(f) == 0 && known)
		send_part(g, text, size, from, n);
	else
		packet_text(&g->out, "E00");
	free(text);
	return true;
}

/* ---- monitor ---- */

/* `monitor any-space [on|off]`, the only command that is the session's own. */
static bool any_space_command(struct gdb *g, const char *line, FILE *out)
{
	static const char name[] = "any-space";
	const char *arg = line + sizeof(name) - 1;

	if (strncmp(line, name, sizeof(name) - 1) != 0)
		return false;
	if (!strcmp(arg, " on") || !strcmp(arg, " off"))
		g->any_space = arg[2] == 'n';
	else if (*arg)
		fprintf(out, "any-space on|off\n");
	fprintf(out, "new points at user addresses are for %s\n",
		g->any_space ? "every address space" : "the address space they are set in");
	return true;
}

static void run_monitor(struct gdb *g, const char *line, FILE *out)
{
	if (any_space_command(g, line, out))
		return;
	target_monitor(g->vm, line, out);
	if (!strcmp(line, "help"))
		fprintf(out,
			"any-space on|off  points at user addresses: for every address space?\n");
}

/* The command, in hexadecimal */
bool query_monitor(struct gdb *g, struct packet_reader *r)
{
	char line[256], *text = NULL;
	size_t n = packet_left(r) / 2, size = 0;
	FILE *f;

	if (n >= sizeof(line) || packet_left(r) % 2 || !packet_get_hex(r, (uint8_t *)line, n) ||
	    !(f = open_memstream(&text, &size))) {
		packet_text(&g->out, "E22");
		return true;
	}
	line[n] = '\0';
	run_monitor(g, line, f);
	if (fclose(f) == 0)
		session_print(g, text, size);
	free(text);
	packet_text(&g->out, "OK");
	return true;
}
