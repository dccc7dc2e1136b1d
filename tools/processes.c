/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * processes.c - the processes of this machine that have the library.
 *
 * Each one is tried, since the library may be inside a program, where no name
 * tells of it.  Those that we may not read are counted.
 */
#define _GNU_SOURCE /* versionsort */
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "umastat.h"

static void
process_line(struct text *t, struct target *target, long pid)
{
	struct uma_stats *s = target_stats(target);

	text_add(t, "%7ld ", pid);
	if (s == NULL) {
		text_add(t, "%7s %8s %8s ", "-", "-", "-");
	} else {
		text_add(t, "%7zu ", s->nzones);
		text_bytes(t, 8, s->memory->mapped);
		text_add(t, " ");
		text_bytes(t, 8, s->memory->used);
		text_add(t, " ");
	}
	/* "process 123 (name)" */
	const char *name = strchr(target_name(target), '(');
	size_t len = name != NULL ? strlen(name) : 2;

	text_add(t, "%-8s %.*s\n", target_copy_version(target, 0), (int)len - 2,
	    name != NULL ? name + 1 : "");
	target_stats_free(s);
}

static int
is_process(const struct dirent *entry)
{
	return isdigit((unsigned char)entry->d_name[0]);
}

void
processes_list(struct text *t)
{
	struct dirent **all;
	int n = scandir("/proc", &all, is_process, versionsort);

	if (n < 0)
		die(EXIT_TARGET, "/proc cannot be read");
	text_add(t, "%7s %7s %8s %8s %-8s %s\n", "PID", "ZONES", "MAPPED",
	    "USED", "VERSION", "COMMAND");
	for (int i = 0; i < n; i++) {
		long pid = strtol(all[i]->d_name, NULL, 10);
		struct target *target =
		    pid != getpid() ? target_pid(pid) : NULL;

		if (target != NULL)
			process_line(t, target, pid);
		target_close(target);
		free(all[i]);
	}
	free(all);
}
