/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packets of the GDB remote serial protocol ("Overview" in gdb's manual):
 * $DATA#CC, where CC is the sum of DATA's bytes as sent, and } in DATA changes
 * the byte behind it by 0x20.  Pure: bytes in, packets out, and back.
 */
#ifndef LILYVM_GDB_PACKET_H
#define LILYVM_GDB_PACKET_H

#include "types.h"

/* Most bytes of a packet's data, as sent, that we take and send; told to gdb. */
#define PACKET_MAX 0x4000

enum packet_event {
	PACKET_NONE,		/* nothing complete yet */
	PACKET_READY,		/* data[0..len) is a packet */
	PACKET_BAD,		/* a packet has arrived damaged, or was too long */
	PACKET_INTERRUPT,	/* Ctrl-C outside packets */
	PACKET_ACK, PACKET_NAK,
};

enum packet_state { PS_OUTSIDE, PS_DATA, PS_SUM_HIGH, PS_SUM_LOW };

struct packet_in {
	enum packet_state state;
	bool bad, escaped;
	uint8_t sum, sent_sum;
	size_t taken;			/* data bytes as sent */
	size_t len;
	char data[PACKET_MAX + 1];	/* ends in a NUL behind len */
};

void packet_in_reset(struct packet_in *p);
/* Takes one byte off the line. */
enum packet_event packet_byte(struct packet_in *p, uint8_t byte);

/* A packet that is being written.  What does not fit is left out, whole. */
struct packet_out {
	size_t len;
	bool full;			/* something has been left out */
	uint8_t frame[PACKET_MAX + 4];	/* $, data as sent, #, sum */
};

void packet_start(struct packet_out *p);
/* Text without $ # } * */
void packet_text(struct packet_out *p, const char *s);
void packet_printf(struct packet_out *p, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Two digits a byte. */
void packet_hex(struct packet_out *p, const uint8_t *bytes, size_t n);
/* Any bytes, escaped; how many fitted. */
size_t packet_binary(struct packet_out *p, const void *bytes, size_t n);
/* Ends the packet: frame[0..n) can be sent; returns n. */
size_t packet_finish(struct packet_out *p);

/* ---- reading a packet's data ---- */

struct packet_reader {
	const char *at, *end;
};

/* 1 to 16 hexadecimal digits. */
bool packet_get_number(struct packet_reader *r, uint64_t *v);
/* Exactly this text, then the reader is behind it. */
bool packet_get(struct packet_reader *r, const char *text);
/* 2 * n hexadecimal digits. */
bool packet_get_hex(struct packet_reader *r, uint8_t *bytes, size_t n);
static inline size_t packet_left(const struct packet_reader *r)
{
	return (size_t)(r->end - r->at);
}

#endif
