/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "code32.h"

#include "hostos/probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool reported_missing(void)
{
	char *report = NULL;
	size_t size;
	FILE *f = open_memstream(&report, &size);
	bool missing;

	if (!f)
		return false;
	missing = !host_report(f);
	fclose(f);
	missing = missing && strstr(report, "MISSING  32-bit code ");
	free(report);
	return missing;
}

bool code32_runs(const char *what)
{
	const char *host = getenv("LILYVM_TEST_HOST");

	if (!(host && !strcmp(host, "no-code32")) && !reported_missing())
		return true;
	/* As TAP has it, for whoever collects the reasons. */
	printf("%s # SKIP this host runs no 32-bit code (see lilyvm host)\n", what);
	return false;
}
