/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * debgraph - Debian's package index as a graph, in zones or in malloc.
 *
 *	apt-cache dumpavail | debgraph --table
 *
 * Reads an index, resolves it, prints what is known about it, and frees all.
 * The facts do not depend on where the objects live: --alloc=malloc prints
 * the same, byte for byte.  The parts are in debgraph/; object.c is the one
 * that talks to libuma.
 */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <uma.h>
#include <uma/stat.h>
#include <unistd.h>

#include "debgraph/debgraph.h"

static bool show_progress;

static double
now(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Ten times a second at most; of == 0: the end is not known. */
void
progress(const char *what, uint64_t done, uint64_t of)
{
	static double last;
	double t;

	if (!show_progress || (t = now(CLOCK_MONOTONIC)) - last < 0.1)
		return;
	last = t;
	if (of > 0)
		fprintf(stderr, "\rdebgraph: %-11s %3llu %%", what,
		    (unsigned long long)(done * 100 / of));
	else
		fprintf(stderr, "\rdebgraph: %-11s %llu", what,
		    (unsigned long long)done);
}

static void
progress_clear(void)
{
	if (show_progress)
		fprintf(stderr, "\r%40s\r", "");
}

static void
print_table(void *arg, const char *text, size_t len)
{
	fwrite(text, 1, len, arg);
}

static long
peak_kib(void)
{
	struct rusage ru;

	getrusage(RUSAGE_SELF, &ru);
	return ru.ru_maxrss;
}

/*
 * One line of name=value pairs, for scripts.  The parts are in seconds of CPU
 * time, user and system: what others do on the machine disturbs it least.
 */
static void
print_time(bool uma, double wall, const double at[6], long alive_kib)
{
	fprintf(stderr,
	    "debgraph: alloc=%s wall=%.3f cpu=%.3f read=%.3f resolve=%.3f "
	    "plan=%.3f rebuild=%.3f free=%.3f alive_kib=%ld peak_kib=%ld\n",
	    uma ? "uma" : "malloc", wall, at[5] - at[0], at[1] - at[0],
	    at[2] - at[1], at[3] - at[2], at[4] - at[3], at[5] - at[4],
	    alive_kib, peak_kib());
}

static const char usage[] =
    "usage: debgraph [options] [FILE]\n"
    "Read a Debian package index (standard input if no FILE), print facts.\n"
    "  --alloc=uma|malloc  where the objects live (uma)\n"
    "  --trials=N          rebuilds to try after resolving (50000)\n"
    "  --table             zone table on standard error, all objects alive\n"
    "  --alive=COMMAND     run it, all objects alive; $PPID is debgraph\n"
    "  --time              times and peak memory on standard error\n"
    "  --progress          progress even if standard error is no terminal\n"
    "  --help              this text\n";

struct options {
	bool uma, table, time;
	uint32_t trials;
	const char *alive; /* a command */
	FILE *input;
};

static _Noreturn void
usage_error(void)
{
	fputs(usage, stderr);
	exit(2);
}

static struct options
parse_options(int argc, char **argv)
{
	static const struct option longs[] = {
	    {"alloc", required_argument, NULL, 'a'},
	    {"trials", required_argument, NULL, 'n'},
	    {"table", no_argument, NULL, 't'},
	    {"alive", required_argument, NULL, 'v'},
	    {"time", no_argument, NULL, 'm'},
	    {"progress", no_argument, NULL, 'p'},
	    {"help", no_argument, NULL, 'h'},
	    {0},
	};
	struct options o = {.uma = true, .trials = 50000, .input = stdin};
	char *end;
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 'a':
			o.uma = strcmp(optarg, "uma") == 0;
			if (!o.uma && strcmp(optarg, "malloc") != 0)
				usage_error();
			break;
		case 'n':
			o.trials = (uint32_t)strtoul(optarg, &end, 10);
			if (*optarg == '\0' || *end != '\0')
				usage_error();
			break;
		case 't':
			o.table = true;
			break;
		case 'v':
			o.alive = optarg;
			break;
		case 'm':
			o.time = true;
			break;
		case 'p':
			show_progress = true;
			break;
		case 'h':
			fputs(usage, stdout);
			exit(0);
		default:
			usage_error();
		}
	}
	if (argc - optind > 1)
		usage_error();
	if (optind < argc && (o.input = fopen(argv[optind], "r")) == NULL) {
		fprintf(stderr, "debgraph: ");
		perror(argv[optind]);
		exit(1);
	}
	return o;
}

int
main(int argc, char **argv)
{
	struct graph g = {.g_packages = STAILQ_HEAD_INITIALIZER(g.g_packages)};
	double at[6];

	show_progress = isatty(STDERR_FILENO);

	struct options o = parse_options(argc, argv);

	double start = now(CLOCK_MONOTONIC);

	at[0] = now(CLOCK_PROCESS_CPUTIME_ID);
	objects_open(o.uma);
	if (!index_read(&g, o.input)) {
		perror("debgraph: reading");
		return 1;
	}
	if (g.g_versions == 0) {
		fprintf(stderr, "debgraph: no packages in the input\n");
		return 1;
	}
	at[1] = now(CLOCK_PROCESS_CPUTIME_ID);
	graph_resolve(&g);
	at[2] = now(CLOCK_PROCESS_CPUTIME_ID);
	facts_counts(&g);
	facts_unresolvable(&g);
	facts_components(&g);
	facts_closures(&g);
	at[3] = now(CLOCK_PROCESS_CPUTIME_ID);
	graph_rebuild_trials(&g, o.trials);
	at[4] = now(CLOCK_PROCESS_CPUTIME_ID);
	progress_clear();

	long alive_kib = peak_kib(); /* before anything is freed for good */

	if (o.table)
		uma_stats_print(print_table, stderr, "z");
	if (o.alive != NULL && system(o.alive) != 0)
		fprintf(stderr, "debgraph: the command of --alive failed\n");
	graph_free(&g);
	objects_close();
	at[5] = now(CLOCK_PROCESS_CPUTIME_ID);
	if (o.time)
		print_time(o.uma, now(CLOCK_MONOTONIC) - start, at, alive_kib);
	if (fclose(stdout) != 0) {
		perror("debgraph: writing");
		return 1;
	}
	return 0;
}
