/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * umastat.c - statistics of another process, or of a core file.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reader.h"

static void
put(void *arg, const char *text, size_t len)
{
	fwrite(text, 1, len, arg);
}

static int
show(struct target *t, const char *what)
{
	for (size_t n = 0; n < target_copies(t); n++) {
		target_use(t, n);
		struct uma_stats *s = target_stats(t);
		if (s == NULL)
			return 1;
		if (target_copies(t) > 1)
			printf("%s\n", target_copy_path(t, n));
		(void)uma_stats_format(s, put, stdout, what);
		target_stats_free(s);
	}
	return 0;
}

int
main(int argc, char **argv)
{
	const char *what = "z", *of = argc > 1 ? argv[argc - 1] : "";
	char *end;

	if (argc == 3)
		what = strcmp(argv[1], "--json") == 0	       ? "j"
		       : strcmp(argv[1], "--openmetrics") == 0 ? "o"
		       : strcmp(argv[1], "-s") == 0	       ? "s"
							       : "z";
	long pid = strtol(of, &end, 10);
	struct target *t =
	    *of != '\0' && *end == '\0' ? target_pid(pid) : target_core(of);
	int status = t == NULL ? 1 : show(t, what);
	if (status != 0)
		fprintf(stderr, "umastat: %s\n", target_error());
	target_close(t);
	return status;
}
