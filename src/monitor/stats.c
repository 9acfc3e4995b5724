/* SPDX-License-Identifier: BSD-2-Clause */
#include "monitor/machine.h"

#include <inttypes.h>

static double seconds(uint64_t ns)
{
	return (double)ns / 1e9;
}

static void print_text(struct vm *vm, FILE *out)
{
	const struct stats *s = &vm->stats;
	const struct engine_stats *es = engine_stats(vm->engine);
	const struct codemap_stats *cs = codemap_stats(vm->code);
	unsigned i;

	fprintf(out, "%14.3f  seconds\n%14.3f  seconds of host CPU time\n", seconds(event_now(vm)),
		seconds(host_cpu_time()));
#define LINE(f, text) fprintf(out, "%14" PRIu64 "  %s\n", s->f, text);
	STATS_COUNTERS(LINE)
#undef LINE
	fprintf(out,
		"%14" PRIu64 "  user spaces created\n%14" PRIu64 "  batches of mapping changes\n"
		"%14" PRIu64 "  mapping changes\n", es->created, es->batches, es->ops);
	fprintf(out, "%14" PRIu64 "  code pages scanned\n%14" PRIu64 "  code pages scanned again\n"
		"%14" PRIu64 "  instructions substituted\n", cs->pages_scanned, cs->pages_rescanned,
		cs->sites);
	for (i = 0; i < IK_COUNT; i++)
		if (s->kind[i])
			fprintf(out, "%14" PRIu64 "  emulated: %s\n", s->kind[i],
				insn_kind_name(i));
}

static void print_json(struct vm *vm, FILE *out)
{
	const struct stats *s = &vm->stats;
	const struct engine_stats *es = engine_stats(vm->engine);
	const struct codemap_stats *cs = codemap_stats(vm->code);
	const char *comma = "";
	unsigned i;

	fprintf(out, "{\n  \"seconds\": %.6f,\n  \"cpu_seconds\": %.6f,\n", seconds(event_now(vm)),
		seconds(host_cpu_time()));
#define LINE(f, text) fprintf(out, "  \"" #f "\": %" PRIu64 ",\n", s->f);
	STATS_COUNTERS(LINE)
#undef LINE
	fprintf(out, "  \"user_spaces\": %" PRIu64 ",\n  \"batches\": %" PRIu64
		",\n  \"batch_ops\": %" PRIu64 ",\n",
		es->created, es->batches, es->ops);
	fprintf(out, "  \"pages_scanned\": %" PRIu64 ",\n  \"pages_rescanned\": %" PRIu64
		",\n  \"sites\": %" PRIu64 ",\n",
		cs->pages_scanned, cs->pages_rescanned, cs->sites);
	fprintf(out, "  \"emulated\": {");
	for (i = 0; i < IK_COUNT; i++)
		if (s->kind[i]) {
			fprintf(out, "%s\n    \"%s\": %" PRIu64, comma, insn_kind_name(i),
				s->kind[i]);
			comma = ",";
		}
	fprintf(out, "\n  }\n}\n");
}

void stats_print(struct vm *vm, FILE *out, bool json)
{
	if (json)
		print_json(vm, out);
	else
		print_text(vm, out);
}
