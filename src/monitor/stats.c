/* SPDX-License-Identifier: BSD-2-Clause */
#include "monitor/machine.h"

#include <inttypes.h>

static double seconds(uint64_t ns)
{
	return (double)ns / 1e9;
}

static const char *const phase_names[] = {
#define PHASE_NAME(name, text) text,
	STATS_PHASES(PHASE_NAME)
#undef PHASE_NAME
};

static const char *const phase_keys[] = {
#define PHASE_KEY(name, text) #name,
	STATS_PHASES(PHASE_KEY)
#undef PHASE_KEY
};

const char *phase_name(enum phase p)
{
	return phase_names[p];
}

void stats_start(struct stats *s)
{
	s->timed = true;
	s->phase = PHASE_monitor;
	s->since = __builtin_ia32_rdtsc();
}

static double nanoseconds(const struct vm *vm, uint64_t ticks)
{
	return (double)ticks * 1e9 / (double)vm->tsc_hz;
}

static double per_second(struct vm *vm, uint64_t n)
{
	double s = seconds(event_now(vm));

	return s > 0 ? (double)n / s : 0;
}

static void time_line(FILE *out, double ns, uint64_t times, const char *where, const char *what)
{
	fprintf(out, "%14.3f  %12" PRIu64 "  %9.0f  %s%s\n", ns / 1e6, times,
		times ? ns / (double)times : 0, where, what);
}

static void print_times(const struct vm *vm, FILE *out)
{
	const struct phase_time *t = vm->stats.time;
	const struct engine_stats *es = engine_stats(vm->engine);
	unsigned p;

	fprintf(out, "%14s  %12s  %9s\n", "milliseconds", "times", "ns each");
	for (p = 0; p < PHASE_COUNT; p++)
		if (t[p].ticks)
			time_line(out, nanoseconds(vm, t[p].ticks), t[p].count,
				  p < PHASE_monitor ? "after exits: " : "", phase_names[p]);
	time_line(out, nanoseconds(vm, es->batch_ticks), es->batches, "of guest user code: ",
		  "batches of mapping changes");
}

static void print_json_times(const struct vm *vm, FILE *out)
{
	const struct phase_time *t = vm->stats.time;
	unsigned p;

	fprintf(out, "  \"batch_ns\": %.0f,\n  \"phases\": {",
		nanoseconds(vm, engine_stats(vm->engine)->batch_ticks));
	for (p = 0; p < PHASE_COUNT; p++)
		fprintf(out, "%s\n    \"%s\": { \"ns\": %.0f, \"times\": %" PRIu64 " }",
			p ? "," : "", phase_keys[p], nanoseconds(vm, t[p].ticks), t[p].count);
	fprintf(out, "\n  },\n");
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
	fprintf(out, "%14.1f  interrupts per second\n", per_second(vm, s->interrupts));
	fprintf(out, "%14s  engine of guest user code\n", vm->engine->ops->name);
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
	if (s->timed)
		print_times(vm, out);
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
	fprintf(out, "  \"interrupts_per_second\": %.3f,\n", per_second(vm, s->interrupts));
	print_json_times(vm, out);
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
	/* Up to now. */
	stats_phase_end(&vm->stats, vm->stats.phase);
	if (json)
		print_json(vm, out);
	else
		print_text(vm, out);
}
