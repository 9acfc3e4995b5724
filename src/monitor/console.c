/* SPDX-License-Identifier: BSD-2-Clause */
#include "monitor/console.h"

#include "hostos/console.h"
#include "monitor/prompt.h"

#include <stdlib.h>
#include <string.h>

#define CTRL_A 0x01

/* Keys are obeyed as they arrive, even while the guest does not read: only a
 * whole buffer of unread input stands in their way. */
#define PENDING_SIZE 16384u

/* Enough for a timestamp and a panic message's fixed part. */
#define WATCH_SIZE 96u

struct console {
	struct host_console *host;
	enum { TO_GUEST, TO_PROMPT } focus;
	bool escape;			/* the last byte was the escape key */
	struct prompt prompt;

	uint8_t pending[PENDING_SIZE];	/* for the serial port */
	size_t head, count;

	char watched[WATCH_SIZE];	/* start of the line being printed */
	size_t watched_len;
	bool watched_whole;		/* this line has been looked at */
	bool panic;
};

static const enum host_console_kind host_kind[] = {
	[CONSOLE_STDIO] = HOST_CONSOLE_STDIO,
	[CONSOLE_FILE] = HOST_CONSOLE_FILE,
	[CONSOLE_PTY] = HOST_CONSOLE_PTY,
	[CONSOLE_UNIX] = HOST_CONSOLE_UNIX,
	[CONSOLE_NONE] = HOST_CONSOLE_NONE,
};

int console_open(struct console **out, const struct vm_config *cfg,
		 void (*kick)(void *ctx), void *ctx, struct error *e)
{
	struct console *c = calloc(1, sizeof(*c));

	*out = NULL;
	if (!c)
		return fail(e, ST_HOST, "console: out of memory; free some");
	if (host_console_open(&c->host, host_kind[cfg->console], cfg->console_path,
			      kick, ctx, e) < 0) {
		free(c);
		return -1;
	}
	*out = c;
	return 0;
}

void console_close(struct console **cp)
{
	struct console *c = *cp;

	*cp = NULL;
	if (!c)
		return;
	host_console_close(&c->host);
	free(c);
}

/* ---- our own text ---- */

/* Writes text with the line ends of a serial line. */
static void write_text(struct console *c, const char *text, size_t n)
{
	static const uint8_t crlf[] = { '\r', '\n' };

	while (n) {
		const char *nl = memchr(text, '\n', n);
		size_t k = nl ? (size_t)(nl - text) : n;

		if (k)
			host_console_write(c->host, (const uint8_t *)text, k);
		if (!nl)
			return;
		host_console_write(c->host, crlf, sizeof(crlf));
		text = nl + 1;
		n -= k + 1;
	}
}

static void write_string(struct console *c, const char *s)
{
	write_text(c, s, strlen(s));
}

/* ---- keys ---- */

static void enter_prompt(struct console *c)
{
	c->focus = TO_PROMPT;
	c->prompt = (struct prompt){ 0 };
	write_string(c, "\nLilyVM monitor; 'help' for help, Ctrl-A c to go back\n(lilyvm) ");
}

static void leave_prompt(struct console *c)
{
	c->focus = TO_GUEST;
	write_string(c, "\n");
}

static void key_quit(struct console *c, struct vm *vm)
{
	write_string(c, "\n");
	vm_quit(vm, ST_KILLED, "ended by Ctrl-A x");
}

static void key_prompt(struct console *c, struct vm *vm)
{
	(void)vm;
	if (c->focus == TO_GUEST)
		enter_prompt(c);
	else
		leave_prompt(c);
}

static void key_help(struct console *c, struct vm *vm);

static const struct key {
	uint8_t byte;
	void (*press)(struct console *c, struct vm *vm);
	const char *help;
} keys[] = {
	{ 'h', key_help, "Ctrl-A h       this help\n" },
	{ 'x', key_quit, "Ctrl-A x       end the virtual machine\n" },
	{ 'c', key_prompt, "Ctrl-A c       to the monitor prompt and back\n" },
};

static void key_help(struct console *c, struct vm *vm)
{
	(void)vm;
	write_string(c, "\n");
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		write_string(c, keys[i].help);
	write_string(c, "Ctrl-A Ctrl-A  send Ctrl-A to the guest\n");
	if (c->focus == TO_PROMPT)
		write_string(c, "(lilyvm) ");
}

/* ---- input ---- */

static void to_guest(struct console *c, uint8_t byte)
{
	c->pending[(c->head + c->count++) % PENDING_SIZE] = byte;
}

static void to_prompt(struct console *c, struct vm *vm, uint8_t byte)
{
	enum prompt_result result;
	char *text = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&text, &n);

	if (!out)
		return;
	result = prompt_input(&c->prompt, vm, byte, out);
	if (fclose(out) == 0)
		write_text(c, text, n);
	free(text);
	if (result == PROMPT_LEAVE)
		c->focus = TO_GUEST;
}

static void take_byte(struct console *c, struct vm *vm, uint8_t byte)
{
	if (!c->escape && byte == CTRL_A) {
		c->escape = true;
		return;
	}
	if (c->escape) {
		c->escape = false;
		for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
			if (keys[i].byte == byte) {
				keys[i].press(c, vm);
				return;
			}
		if (byte != CTRL_A)
			return;
	}
	if (c->focus == TO_PROMPT)
		to_prompt(c, vm, byte);
	else
		to_guest(c, byte);
}

/* Returns whether there was input. */
static bool take_input(struct console *c, struct vm *vm)
{
	uint8_t buf[256];
	size_t n;

	if (c->count > PENDING_SIZE - sizeof(buf))
		return false;
	n = host_console_read(c->host, buf, sizeof(buf));
	for (size_t i = 0; i < n; i++)
		take_byte(c, vm, buf[i]);
	return n != 0;
}

static void feed_guest(struct console *c, struct vm *vm)
{
	while (c->count) {
		size_t run = PENDING_SIZE - c->head;
		size_t taken = vm_console_input(vm, c->pending + c->head,
						run < c->count ? run : c->count);

		if (!taken)
			return;
		c->head = (c->head + taken) % PENDING_SIZE;
		c->count -= taken;
	}
}

void console_poll(struct console *c, struct vm *vm)
{
	do
		feed_guest(c, vm);
	while (take_input(c, vm));
}

bool console_pending(const struct console *c)
{
	return c->count != 0;
}

/* ---- output ---- */

static bool starts_with(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

/* Does the line begin, behind "[timestamp]" and "[caller]", as a panic does? */
static bool is_panic(const char *line)
{
	while (*line == '[') {
		line += strcspn(line, "]");
		line += *line == ']';
		line += strspn(line, " ");
	}
	return starts_with(line, "Kernel panic - not syncing") || starts_with(line, "panic: ");
}

static void look_at_line(struct console *c)
{
	c->watched[c->watched_len] = '\0';
	if (!c->watched_whole && is_panic(c->watched))
		c->panic = true;
	c->watched_whole = true;
}

static void watch(struct console *c, uint8_t byte)
{
	if (byte == '\n') {
		look_at_line(c);
		c->watched_len = 0;
		c->watched_whole = false;
	} else if (byte == '\r' || c->watched_whole) {
		return;
	} else if (c->watched_len < WATCH_SIZE - 1) {
		c->watched[c->watched_len++] = (char)byte;
	} else {
		look_at_line(c);
	}
}

void console_output(struct console *c, const uint8_t *buf, size_t n)
{
	for (size_t i = 0; i < n; i++)
		watch(c, buf[i]);
	host_console_write(c->host, buf, n);
}

void console_cancel(struct console *c)
{
	host_console_cancel(c->host);
}

bool console_saw_panic(const struct console *c)
{
	return c->panic;
}

void console_forget_panic(struct console *c)
{
	c->panic = false;
}
