/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * options.c - what umastat(8) was asked for.
 */
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "umastat.h"

static const char usage[] =
    "usage: umastat [options] PID | CORE\n"
    "       umastat --list\n"
    "\n"
    "what to show of a process, or of the core file of one:\n"
    "  -z, --zones           a table of the zones, as vmstat -z (the default)\n"
    "  -t, --top             the same on a screen, with changes; q quits\n"
    "  -s, --memory          where every mapped byte is\n"
    "  -P, --cpus            bytes that each CPU holds\n"
    "  -D, --domains         what each NUMA domain holds\n"
    "  -M, --map ZONE        the slabs of a zone; --svg: as a picture\n"
    "  -j, --json            everything, as JSON\n"
    "      --openmetrics     everything, for Prometheus\n"
    "  -l, --list            the processes that have libuma\n"
    "which zones, and how:\n"
    "  -m, --match GLOB      zones whose names match\n"
    "  -k, --sort KEY        name, size, used, free, memory, requests, fail, "
    "age\n"
    "  -r, --reverse         the other way round\n"
    "  -w, --wait SECONDS    again and again; the table with changes a second\n"
    "  -n, --count N         with -w: N times\n"
    "  -o, --output FILE     to a file, which is replaced whole\n"
    "  -c, --core FILE       a core file, whatever its name\n"
    "      --label NAME=VALUE  with --openmetrics: to every metric\n"
    "      --copy N          of several copies of the library, number N\n"
    "  -h, --help            this text\n"
    "  -V, --version         the version\n"
    "\n"
    "umastat(8) explains every column, line and exit status.\n";

/* ---- options ---- */

enum { OPT_METRICS = 256, OPT_SVG, OPT_COPY, OPT_LABEL };

static const char shorts[] = ":zsPDtjlM:m:k:rw:n:o:c:hV";
static const struct option longs[] = {
    {"zones", no_argument, NULL, 'z'},
    {"memory", no_argument, NULL, 's'},
    {"cpus", no_argument, NULL, 'P'},
    {"domains", no_argument, NULL, 'D'},
    {"top", no_argument, NULL, 't'},
    {"json", no_argument, NULL, 'j'},
    {"openmetrics", no_argument, NULL, OPT_METRICS},
    {"list", no_argument, NULL, 'l'},
    {"map", required_argument, NULL, 'M'},
    {"svg", no_argument, NULL, OPT_SVG},
    {"match", required_argument, NULL, 'm'},
    {"sort", required_argument, NULL, 'k'},
    {"reverse", no_argument, NULL, 'r'},
    {"wait", required_argument, NULL, 'w'},
    {"count", required_argument, NULL, 'n'},
    {"output", required_argument, NULL, 'o'},
    {"core", required_argument, NULL, 'c'},
    {"copy", required_argument, NULL, OPT_COPY},
    {"label", required_argument, NULL, OPT_LABEL},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {NULL, 0, NULL, 0},
};

static _Noreturn void
wrong(const char *problem, const char *text)
{
	char shown[SHOWN_NAME];

	die(EXIT_USAGE, "%s%s%s; --help lists the options", problem,
	    *text != '\0' ? ": " : "", show_name(shown, text));
}

/* Of several letters behind one dash getopt says which it was. */
static _Noreturn void
wrong_option(const char *word)
{
	char letter[] = {'-', (char)optopt, '\0'};

	wrong("unknown option",
	    optopt > 0 && optopt < OPT_METRICS ? letter : word);
}

static long
number(const char *text, long least, const char *problem)
{
	char *end;

	errno = 0;
	long n = strtol(text, &end, 10);

	if (!isdigit((unsigned char)*text) || *end != '\0' || errno != 0 ||
	    n < least)
		wrong(problem, text);
	return n;
}

static double
seconds(const char *text)
{
	char *end;
	double s = strtod(text, &end);

	if (end == text || *end != '\0' || !(s >= 0.01 && s <= 1e6))
		wrong("seconds are from 0.01 to 1000000", text);
	return s;
}

static enum what
what_of(int c)
{
	static const struct {
		int c;
		enum what what;
	} all[] = {{'z', SHOW_ZONES}, {'s', SHOW_MEMORY}, {'P', SHOW_CPUS},
	    {'D', SHOW_DOMAINS}, {'t', SHOW_TOP}, {'j', SHOW_JSON},
	    {OPT_METRICS, SHOW_METRICS}, {'l', SHOW_LIST}, {'M', SHOW_MAP}};

	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
		if (all[i].c == c)
			return all[i].what;
	return SHOW_ZONES;
}

static void
say_and_exit(const char *text)
{
	fputs(text, stdout);
	exit(fflush(stdout) == 0 ? 0 : EXIT_TARGET);
}

static void
option_value(struct options *o, int c)
{
	switch (c) {
	case 'm':
		o->pick.match = optarg;
		break;
	case 'k':
		if (!sort_key_of(optarg, &o->pick.sort))
			wrong("unknown sort key", optarg);
		break;
	case 'r':
		o->pick.reverse = true;
		break;
	case 'w':
		o->wait = seconds(optarg);
		break;
	case 'n':
		o->count = number(optarg, 1, "no count");
		break;
	case 'o':
		o->file = optarg;
		break;
	case 'c':
		o->core = optarg;
		break;
	case OPT_COPY:
		o->copy = (size_t)number(optarg, 0, "no number of a copy");
		break;
	case OPT_LABEL:
		if (!label_is_valid(optarg))
			wrong("no label, or one of umastat's own", optarg);
		o->label = optarg;
		break;
	case OPT_SVG:
		o->svg = true;
		break;
	}
}

static void
options_fit(const struct options *o)
{
	if (o->svg && o->what != SHOW_MAP)
		wrong("--svg is for --map", "");
	if (o->label != NULL && o->what != SHOW_METRICS)
		wrong("--label is for --openmetrics", "");
	if (o->count > 0 && o->wait == 0 && o->what != SHOW_TOP)
		wrong("--count is for --wait", "");
	if (o->core != NULL && (o->wait > 0 || o->what == SHOW_TOP))
		wrong("a core file does not change", o->core);
	if (o->what == SHOW_TOP && o->file != NULL)
		wrong("--top is for a terminal, not for a file", o->file);
}

/* What is no number is a core file. */
static void
option_target(struct options *o, int argc, char **argv)
{
	int n = argc - optind + (o->core != NULL);

	if (o->what == SHOW_LIST ? n > 0 : n > 1)
		wrong("one argument too many", argv[argc - 1]);
	if (o->what != SHOW_LIST && n == 0)
		wrong("whose zones? a PID or a core file is missing", "");
	if (n == 0 || o->core != NULL)
		return;

	const char *arg = argv[optind];

	if (arg[strspn(arg, "0123456789")] == '\0')
		o->pid = number(arg, 1, "no process id");
	else
		o->core = arg;
}

struct options
options_read(int argc, char **argv)
{
	struct options o = {0};
	int c;

	while ((c = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		if (c == 'h')
			say_and_exit(usage);
		if (c == 'V')
			say_and_exit("umastat " UMA_VERSION_STRING "\n");
		if (c == ':')
			wrong("a value is missing", argv[optind - 1]);
		if (c == '?')
			wrong_option(argv[optind - 1]);
		if (c == 'M')
			o.zone = optarg;
		if (strchr("zsPDtjlM", c) != NULL || c == OPT_METRICS)
			o.what = what_of(c);
		else
			option_value(&o, c);
	}
	option_target(&o, argc, argv);
	options_fit(&o);
	return o;
}
