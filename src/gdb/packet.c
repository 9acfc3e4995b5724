/* SPDX-License-Identifier: BSD-2-Clause */
#include "gdb/packet.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define CTRL_C 0x03
#define ESCAPE '}'
#define ESCAPE_XOR 0x20

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* ---- in ---- */

static void begin(struct packet_in *p)
{
	p->state = PS_DATA;
	p->bad = p->escaped = false;
	p->sum = 0;
	p->taken = p->len = 0;
}

void packet_in_reset(struct packet_in *p)
{
	begin(p);
	p->state = PS_OUTSIDE;
}

static enum packet_event outside(struct packet_in *p, uint8_t byte)
{
	switch (byte) {
	case '$':
		begin(p);
		return PACKET_NONE;
	case CTRL_C:
		return PACKET_INTERRUPT;
	case '+':
		return PACKET_ACK;
	case '-':
		return PACKET_NAK;
	default:
		return PACKET_NONE;	/* noise */
	}
}

static enum packet_event data(struct packet_in *p, uint8_t byte)
{
	if (byte == '#') {
		p->bad |= p->escaped;
		p->state = PS_SUM_HIGH;
		return PACKET_NONE;
	}
	/* A packet was cut off: its end is lost, this is the next one. */
	if (byte == '$') {
		begin(p);
		return PACKET_NONE;
	}
	p->sum = (uint8_t)(p->sum + byte);
	if (p->taken == PACKET_MAX) {
		p->bad = true;
		return PACKET_NONE;
	}
	p->taken++;
	if (!p->escaped && byte == ESCAPE) {
		p->escaped = true;
		return PACKET_NONE;
	}
	p->data[p->len++] = (char)(p->escaped ? byte ^ ESCAPE_XOR : byte);
	p->escaped = false;
	return PACKET_NONE;
}

static enum packet_event sum(struct packet_in *p, uint8_t byte)
{
	int d = digit((char)byte);

	p->bad |= d < 0;
	p->sent_sum = (uint8_t)(p->sent_sum << 4 | (d & 15));
	if (p->state == PS_SUM_HIGH) {
		p->state = PS_SUM_LOW;
		return PACKET_NONE;
	}
	p->state = PS_OUTSIDE;
	p->data[p->len] = '\0';
	return p->bad || p->sum != p->sent_sum ? PACKET_BAD : PACKET_READY;
}

enum packet_event packet_byte(struct packet_in *p, uint8_t byte)
{
	switch (p->state) {
	case PS_DATA:
		return data(p, byte);
	case PS_SUM_HIGH:
	case PS_SUM_LOW:
		return sum(p, byte);
	default:
		return outside(p, byte);
	}
}

/* ---- out ---- */

void packet_start(struct packet_out *p)
{
	p->frame[0] = '$';
	p->len = 1;
	p->full = false;
}

/* Room for n bytes as sent, or NULL. */
static uint8_t *room(struct packet_out *p, size_t n)
{
	uint8_t *to = p->frame + p->len;

	if (n > PACKET_MAX + 1 - p->len) {
		p->full = true;
		return NULL;
	}
	p->len += n;
	return to;
}

void packet_text(struct packet_out *p, const char *s)
{
	size_t n = strlen(s);
	uint8_t *to = room(p, n);

	if (to)
		memcpy(to, s, n);
}

void packet_printf(struct packet_out *p, const char *fmt, ...)
{
	char text[128];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(text))
		p->full = true;
	else
		packet_text(p, text);
}

void packet_hex(struct packet_out *p, const uint8_t *bytes, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t *to = room(p, 2 * n);

	for (size_t i = 0; to && i < n; i++) {
		*to++ = (uint8_t)digits[bytes[i] >> 4];
		*to++ = (uint8_t)digits[bytes[i] & 15];
	}
}

size_t packet_binary(struct packet_out *p, const void *bytes, size_t n)
{
	const uint8_t *from = bytes;
	size_t i;

	for (i = 0; i < n; i++) {
		bool escape = from[i] && strchr("#$}*", from[i]);
		uint8_t *to = room(p, 1 + escape);

		if (!to)
			break;
		if (escape)
			*to++ = ESCAPE;
		*to = (uint8_t)(escape ? from[i] ^ ESCAPE_XOR : from[i]);
	}
	return i;
}

size_t packet_finish(struct packet_out *p)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t total = 0;

	for (size_t i = 1; i < p->len; i++)
		total = (uint8_t)(total + p->frame[i]);
	p->frame[p->len++] = '#';
	p->frame[p->len++] = (uint8_t)digits[total >> 4];
	p->frame[p->len++] = (uint8_t)digits[total & 15];
	return p->len;
}

/* ---- reading ---- */

bool packet_get_number(struct packet_reader *r, uint64_t *v)
{
	const char *start = r->at;
	int d;

	*v = 0;
	while (r->at < r->end && (d = digit(*r->at)) >= 0) {
		if (r->at - start == 16)
			return false;
		*v = *v << 4 | (unsigned)d;
		r->at++;
	}
	return r->at > start;
}

bool packet_get(struct packet_reader *r, const char *text)
{
	size_t n = strlen(text);

	if (n > packet_left(r) || memcmp(r->at, text, n) != 0)
		return false;
	r->at += n;
	return true;
}

bool packet_get_hex(struct packet_reader *r, uint8_t *bytes, size_t n)
{
	if (packet_left(r) / 2 < n)
		return false;
	for (size_t i = 0; i < n; i++) {
		int high = digit(r->at[0]), low = digit(r->at[1]);

		if (high < 0 || low < 0)
			return false;
		bytes[i] = (uint8_t)(high << 4 | low);
		r->at += 2;
	}
	return true;
}
