/* SPDX-License-Identifier: BSD-2-Clause */
/* Which user-mode engine: the one that was asked for, or the fastest that works. */
#include "hostos/linux/engines.h"

#include <string.h>

int engine_create(struct engine **eng, const char *name, struct host_cpu *hc,
		  const struct host_ram *ram, const struct host_cpus *others, struct error *e)
{
	*eng = NULL;
	if (name && !strcmp(name, "ptrace"))
		return ptrace_engine_create(eng, hc, ram, e);
	if (!handoff_engine_create(eng, hc, ram, others, e))
		return 0;
	if (name && !strcmp(name, "handoff"))
		return -1;
	engine_destroy(*eng);
	return ptrace_engine_create(eng, hc, ram, e);
}
