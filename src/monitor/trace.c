/* SPDX-License-Identifier: BSD-2-Clause */
#include "monitor/trace.h"

#include "hostos/hostos.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

static const struct {
	const char *name;
	unsigned bits;
} classes[] = {
	{ "exits", TRACE_EXITS }, { "mmu", TRACE_MMU }, { "irq", TRACE_IRQ }, { "io", TRACE_IO },
	{ "cpu", TRACE_CPU }, { "user", TRACE_USER }, { "all", TRACE_ALL },
};
#define CLASSES (sizeof classes / sizeof *classes)

bool trace_parse(const char *list, unsigned *on)
{
	unsigned bits = 0;
	size_t i, n;

	for (;; list += n + 1) {
		n = strcspn(list, ",");
		for (i = 0; i < CLASSES; i++)
			if (strlen(classes[i].name) == n && !strncmp(list, classes[i].name, n))
				break;
		if (i == CLASSES)
			return false;
		bits |= classes[i].bits;
		if (!list[n])
			break;
	}
	*on = bits;
	return true;
}

int trace_open(struct trace *t, const struct vm_config *cfg, struct error *e)
{
	t->on = cfg->trace;
	t->out = stderr;
	if (!cfg->trace || !cfg->trace_file)
		return 0;
	t->out = fopen(cfg->trace_file, "w");
	if (!t->out)
		return fail(e, ST_USAGE, "--trace: %s: %s", cfg->trace_file, strerror(errno));
	return 0;
}

void trace_close(struct trace *t)
{
	if (t->out && t->out != stderr)
		fclose(t->out);
}

void trace_line(struct trace *t, const char *fmt, ...)
{
	uint64_t now = host_now() / 1000;
	va_list ap;

	fprintf(t->out, "%" PRIu64 ".%06" PRIu64 " ", now / 1000000, now % 1000000);
	va_start(ap, fmt);
	vfprintf(t->out, fmt, ap);
	va_end(ap);
	fputc('\n', t->out);
}
