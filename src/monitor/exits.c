/* SPDX-License-Identifier: BSD-2-Clause */
#include "monitor/machine.h"

void exits_note(struct vm *vm, enum phase reason, uint32_t detail, uint32_t error)
{
	const struct vcpu *c = &vm->cpu;
	struct exits *x = &vm->exits;

	x->ring[x->n++ % EXITS_KEPT] = (struct exit_record){
		.eip = c->seg[S_CS].base + c->eip, .detail = detail, .error = error,
		.reason = reason, .cpl = c->cpl,
	};
	TRACE(vm, TRACE_EXITS, "exit: %s at %x:%08x, %x error %x", phase_name(reason),
	      c->seg[S_CS].sel, c->eip, detail, error);
}

void exits_print(const struct exits *x, FILE *out)
{
	unsigned i = x->n > EXITS_KEPT ? x->n - EXITS_KEPT : 0;

	if (!x->n)
		return;
	fprintf(out, "the last %u of %u exits:\n", x->n - i, x->n);
	for (; i < x->n; i++) {
		const struct exit_record *r = &x->ring[i % EXITS_KEPT];

		fprintf(out, "  %s %08x  %s", r->cpl ? "user  " : "kernel", r->eip,
			phase_name(r->reason));
		if (r->detail || r->error)
			fprintf(out, " %x error %x", r->detail, r->error);
		fputc('\n', out);
	}
}
