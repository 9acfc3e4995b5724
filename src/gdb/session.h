/* SPDX-License-Identifier: BSD-2-Clause */
/* A debugger's session, for the files of src/gdb. */
#ifndef LILYVM_GDB_SESSION_H
#define LILYVM_GDB_SESSION_H

#include "gdb/gdb.h"
#include "gdb/packet.h"
#include "gdb/points.h"
#include "gdb/target.h"
#include "hostos/gdbport.h"

struct gdb {
	struct vm *vm;
	struct gdbport *port;
	/* Input that has been read, but not looked at. */
	uint8_t input[1024];
	size_t input_pos, input_len;
	struct packet_in in;
	struct packet_out out;

	bool wait;			/* for the first debugger, with the guest stopped */
	bool connected;
	bool abandoned;			/* the points are of a debugger that has gone */
	bool pending;			/* in holds a packet that nobody has answered */
	bool no_ack;
	bool sent;			/* out can be asked for again */
	bool running;			/* the guest runs, or is about to */
	bool owes_stop;			/* the debugger waits for a stop reply */
	bool swbreak, hwbreak;		/* it understands these stop reasons */
	bool any_space;			/* points in user space are for every address space */
	struct gdb_stop_info stop;
	struct points points;
};

/* gdb.c: sends what stands in g->out. */
void session_send(struct gdb *g);
/* Shows text to the debugger's user, who waits for a reply; starts the next packet. */
void session_print(struct gdb *g, const char *text, size_t n);
/* Writes the reply that tells why the guest stopped. */
void session_stop_reply(struct gdb *g);
/* Lets the guest go on; a stop is reported only if report is set. */
void session_resume(struct gdb *g, enum gdb_resume how, uint32_t start, uint32_t end, bool report);

/* command.c: answers the packet in g->in into g->out; false: no reply (yet). */
bool command_run(struct gdb *g);

/* query.c: q and Q packets, same result; what the packet's name is followed by is in *r. */
bool query_supported(struct gdb *g, struct packet_reader *r);
bool query_features(struct gdb *g, struct packet_reader *r);
bool query_monitor(struct gdb *g, struct packet_reader *r);

#endif
