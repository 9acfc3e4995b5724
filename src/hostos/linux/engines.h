/* SPDX-License-Identifier: BSD-2-Clause */
/* The user-mode engines of this host, for engine.c, which chooses one. */
#ifndef LILYVM_ENGINES_H
#define LILYVM_ENGINES_H

#include "hostos/engine.h"

/* Each: 0, or -1 with *e; *out may be set then and is to be destroyed. */
int ptrace_engine_create(struct engine **out, struct host_cpu *hc, const struct host_ram *ram,
			 struct error *e);
int handoff_engine_create(struct engine **out, struct host_cpu *hc, const struct host_ram *ram,
			  const struct host_cpus *others, struct error *e);

#endif
