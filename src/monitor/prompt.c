/* SPDX-License-Identifier: BSD-2-Clause */
#include "monitor/prompt.h"

#include <stdlib.h>
#include <string.h>

#define CTRL(c) ((c) & 0x1f)
#define DEL 0x7f

struct command {
	const char *name;
	enum prompt_result (*run)(struct vm *vm, const char *arg, FILE *out);
	const char *help;
};

/* The next word of *text, or NULL; *text moves behind it. */
static char *next_word(char **text)
{
	char *word = *text + strspn(*text, " \t");
	size_t n = strcspn(word, " \t");

	if (!n)
		return NULL;
	*text = word + n + (word[n] != '\0');
	word[n] = '\0';
	return word;
}

static const struct {
	const char *name;
	bool has_arg;
} infos[] = {
	{ "registers", false }, { "mmu", true }, { "irq", false },
	{ "devices", false }, { "stats", false }, { "vga", false },
};

static bool number_ok(const char *s)
{
	char *end;

	strtoull(s, &end, 16);
	return end != s && !*end && *s != '-' && *s != '+';
}

static enum prompt_result run_info(struct vm *vm, const char *arg, FILE *out)
{
	char copy[sizeof(((struct prompt *)0)->line)];
	char *rest = copy, *what, *param;

	strcpy(copy, arg);
	what = next_word(&rest);
	param = next_word(&rest);
	for (size_t i = 0; what && i < sizeof(infos) / sizeof(infos[0]); i++) {
		if (strcmp(what, infos[i].name) != 0)
			continue;
		if (param && (!infos[i].has_arg || next_word(&rest)))
			fprintf(out, "info %s: too many words\n", what);
		else if (param && !number_ok(param))
			fprintf(out, "info %s: '%s' is not a hexadecimal address\n", what, param);
		else
			vm_info(vm, what, param, out);
		return PROMPT_STAY;
	}
	fprintf(out, "info registers | mmu [ADDRESS] | irq | devices | stats | vga\n");
	return PROMPT_STAY;
}

static enum prompt_result run_quit(struct vm *vm, const char *arg, FILE *out)
{
	(void)arg;
	(void)out;
	vm_quit(vm, ST_KILLED, "ended by 'quit' at the monitor prompt");
	return PROMPT_LEAVE;
}

static enum prompt_result run_reset(struct vm *vm, const char *arg, FILE *out)
{
	(void)arg;
	(void)out;
	vm_reset_request(vm);
	return PROMPT_LEAVE;
}

static enum prompt_result run_cont(struct vm *vm, const char *arg, FILE *out)
{
	(void)vm;
	(void)arg;
	(void)out;
	return PROMPT_LEAVE;
}

static enum prompt_result run_help(struct vm *vm, const char *arg, FILE *out);

static const struct command commands[] = {
	{ "info", run_info, "info registers|mmu [ADDRESS]|irq|devices|stats|vga" },
	{ "quit", run_quit, "quit             end the virtual machine" },
	{ "reset", run_reset, "reset            reset the machine, as its button would" },
	{ "cont", run_cont, "cont             back to the guest's console (also Ctrl-A c)" },
	{ "help", run_help, "help             this list" },
};

static enum prompt_result run_help(struct vm *vm, const char *arg, FILE *out)
{
	(void)vm;
	(void)arg;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		fprintf(out, "%s\n", commands[i].help);
	return PROMPT_STAY;
}

static enum prompt_result run_line(struct prompt *p, struct vm *vm, FILE *out)
{
	char *rest = p->line, *name = next_word(&rest);

	if (!name)
		return PROMPT_STAY;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcmp(name, commands[i].name))
			return commands[i].run(vm, rest, out);
	fprintf(out, "unknown command: '%s'; try 'help'\n", name);
	return PROMPT_STAY;
}

void prompt_start(struct prompt *p, FILE *out)
{
	p->len = 0;
	fprintf(out, "(lilyvm) ");
}

static enum prompt_result end_of_line(struct prompt *p, struct vm *vm, FILE *out)
{
	fprintf(out, "\n");
	p->line[p->len] = '\0';
	if (run_line(p, vm, out) == PROMPT_LEAVE)
		return PROMPT_LEAVE;
	prompt_start(p, out);
	return PROMPT_STAY;
}

static void erase(struct prompt *p, size_t n, FILE *out)
{
	for (; n && p->len; n--, p->len--)
		fprintf(out, "\b \b");
}

enum prompt_result prompt_input(struct prompt *p, struct vm *vm, uint8_t byte, FILE *out)
{
	bool after_cr = p->after_cr;

	p->after_cr = byte == '\r';
	switch (byte) {
	case '\n':
		return after_cr ? PROMPT_STAY : end_of_line(p, vm, out);
	case '\r':
		return end_of_line(p, vm, out);
	case '\b':
	case DEL:
		erase(p, 1, out);
		return PROMPT_STAY;
	case CTRL('U'):
		erase(p, p->len, out);
		return PROMPT_STAY;
	case CTRL('C'):
	case CTRL('D'):
		fprintf(out, "\n");
		return PROMPT_LEAVE;
	}
	if (byte >= ' ' && byte < DEL && p->len < sizeof(p->line) - 1) {
		p->line[p->len++] = (char)byte;
		fputc(byte, out);
	}
	return PROMPT_STAY;
}
