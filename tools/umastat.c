/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * umastat.c - what the zones of a process, or of a core file, hold and do.
 *
 * How it works.  reader.h makes a snapshot of another process's zones, as
 * uma_stats_take(3) would make it in there.  pick.c makes a smaller snapshot of
 * it, of the zones that were asked for, in their order; so every form of output
 * is the library's own, uma_stats_format(3), on that.  rate.c compares two
 * snapshots; table.c, map.c and map_svg.c draw what the library does not;
 * top.c lays the table of changes out for a screen, and terminal.c looks after
 * the screen.  This file reads the options and goes round.
 *
 * The process is not stopped and may end at any time.  That is no error of ours
 * while it is watched, but a way for that to end, with a status of its own.
 */
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "umastat.h"

enum what { ZONES, MEMORY, CPUS, DOMAINS, JSON, METRICS, MAP, TOP, LIST };

struct options {
	enum what what;
	long pid;
	const char *core; /* NULL: a process */
	const char *zone; /* of the map */
	const char *file; /* NULL: standard output */
	const char *label; /* of metrics; NULL: none */
	struct pick pick;
	double wait; /* seconds; 0: once */
	long count; /* 0: for ever */
	size_t copy;
	bool svg;
};

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
	} all[] = {{'z', ZONES}, {'s', MEMORY}, {'P', CPUS}, {'D', DOMAINS},
	    {'t', TOP}, {'j', JSON}, {OPT_METRICS, METRICS}, {'l', LIST},
	    {'M', MAP}};

	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
		if (all[i].c == c)
			return all[i].what;
	return ZONES;
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
	if (o->svg && o->what != MAP)
		wrong("--svg is for --map", "");
	if (o->label != NULL && o->what != METRICS)
		wrong("--label is for --openmetrics", "");
	if (o->count > 0 && o->wait == 0 && o->what != TOP)
		wrong("--count is for --wait", "");
	if (o->core != NULL && (o->wait > 0 || o->what == TOP))
		wrong("a core file does not change", o->core);
	if (o->what == TOP && o->file != NULL)
		wrong("--top is for a terminal, not for a file", o->file);
}

/* What is no number is a core file. */
static void
option_target(struct options *o, int argc, char **argv)
{
	int n = argc - optind + (o->core != NULL);

	if (o->what == LIST ? n > 0 : n > 1)
		wrong("one argument too many", argv[argc - 1]);
	if (o->what != LIST && n == 0)
		wrong("whose zones? a PID or a core file is missing", "");
	if (n == 0 || o->core != NULL)
		return;

	const char *arg = argv[optind];

	if (arg[strspn(arg, "0123456789")] == '\0')
		o->pid = number(arg, 1, "no process id");
	else
		o->core = arg;
}

static struct options
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

/* ---- one look ---- */

static void
append(void *arg, const char *text, size_t len)
{
	text_append(arg, text, len);
}

static void
format(struct text *t, const struct uma_stats *s, const char *what)
{
	if (uma_stats_format(s, append, t, what) != 0)
		die(EXIT_TARGET, "cannot print: %s", strerror(errno));
}

static void
format_metrics(struct text *t, const struct uma_stats *s, const char *label)
{
	struct text plain = {0};

	format(label == NULL ? t : &plain, s, "o");
	if (label != NULL)
		label_all(t, &plain, label);
	text_free(&plain);
}

static bool
colours(const struct options *o)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	return o->file == NULL && isatty(STDOUT_FILENO) &&
	       (no == NULL || *no == '\0') &&
	       (term == NULL || strcmp(term, "dumb") != 0);
}

static void
look_map(struct text *t, const struct options *o, const struct map *m)
{
	int rows, columns = 100;

	if (o->file == NULL && isatty(STDOUT_FILENO))
		terminal_size(&rows, &columns);
	if (o->svg)
		map_svg(t, m, o->zone);
	else
		map_text(t, m, o->zone, columns, colours(o));
}

static void
look(struct text *t, const struct options *o, const struct uma_stats *all)
{
	struct uma_stats *s = pick_stats(all, &o->pick);

	switch (o->what) {
	case MEMORY:
		format(t, s, "s");
		break;
	case CPUS:
		table_cpus(t, s);
		break;
	case DOMAINS:
		table_domains(t, s);
		break;
	case JSON:
		format(t, s, "j");
		break;
	case METRICS:
		format_metrics(t, s, o->label);
		break;
	default:
		format(t, s, "z");
	}
	free(s);
}

/* ---- again and again ---- */

struct session {
	const struct options *o;
	struct target *target;
	struct uma_stats *before, *now; /* NULL, or of the target */
	double at, taken; /* seconds: of before, of now */
	struct change *change;
	bool seen; /* it could be read once */
};

static double
clock_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void
sleep_until(double when)
{
	struct timespec ts = {.tv_sec = (time_t)when};

	ts.tv_nsec = (long)((when - (double)ts.tv_sec) * 1e9);
	while (
	    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR)
		;
}

/* Gone, or a zombie, whose memory is gone. */
static bool
has_ended(long pid)
{
	char path[64], line[512];

	snprintf(path, sizeof path, "/proc/%ld/stat", pid);
	FILE *f = fopen(path, "r");
	if (f == NULL)
		return errno == ENOENT;

	size_t n = fread(line, 1, sizeof line - 1, f);

	fclose(f);
	line[n] = '\0';
	/* "123 (any name) S ..." */
	const char *state = strrchr(line, ')');
	return state == NULL || strncmp(state, ") Z", 3) == 0 ||
	       strncmp(state, ") X", 3) == 0;
}

static _Noreturn void
target_lost(const struct session *s)
{
	if (s->seen && s->o->core == NULL && has_ended(s->o->pid))
		die(EXIT_ENDED, "%s has ended", target_name(s->target));
	die(EXIT_TARGET, "%s", target_error());
}

static void
take(struct session *s)
{
	double taken = clock_now();
	struct uma_stats *now = target_stats(s->target);

	if (now == NULL)
		target_lost(s);
	s->seen = true;
	target_stats_free(s->before);
	free(s->change);
	s->before = s->now;
	s->at = s->taken;
	s->now = now;
	s->taken = taken;
	s->change =
	    change_of(s->before, now, s->before == NULL ? 0 : s->taken - s->at);
}

static struct map *
take_map(struct session *s)
{
	struct map *m = map_new();

	if (!target_slabs(s->target, s->o->zone, map_add, m))
		target_lost(s);
	s->seen = true;
	return m;
}

static struct watch
watch_of(const struct session *s)
{
	return (struct watch){target_name(s->target), s->now, s->change};
}

static void
show_once(struct session *s)
{
	const struct options *o = s->o;
	struct map *m = o->what == MAP ? take_map(s) : NULL;
	struct text t = {0};

	if (m != NULL) {
		look_map(&t, o, m);
	} else if (o->what == TOP || (o->what == ZONES && s->before != NULL)) {
		struct watch w = watch_of(s);

		table_rates(&t, &w, &o->pick);
	} else {
		look(&t, o, s->now);
	}
	output(&t, o->file);
	text_free(&t);
	map_free(m);
}

/* Changes need two looks, so the first of those is not shown. */
static void
watch_plain(struct session *s)
{
	bool changes = s->o->what == ZONES || s->o->what == TOP;
	double when = clock_now();
	long shown = 0;

	for (;;) {
		if (s->o->what != MAP)
			take(s);
		if (!changes || s->before != NULL) {
			if (shown > 0 && s->o->file == NULL)
				output(&(struct text){"\n", 1, 0}, NULL);
			show_once(s);
			if (++shown == s->o->count)
				return;
		}
		when += s->o->wait;
		if (when < clock_now())
			when = clock_now(); /* behind: do not hurry after it */
		sleep_until(when);
	}
}

static void
draw(const struct session *s, struct top *top)
{
	struct watch w = watch_of(s);
	struct text t = {0};

	terminal_size(&top->rows, &top->columns);
	top_frame(&t, top, &w);
	output(&t, NULL);
	text_free(&t);
}

/* Until it is time to look again, or a key says so; false: until q. */
static bool
serve_keys(const struct session *s, struct top *top, double first)
{
	char keys[64];

	for (;;) {
		double period =
		    first > 0 && first < top->period ? first : top->period;
		double left = s->taken + period - clock_now();

		if (left <= 0)
			return true;
		int n = terminal_keys(keys, sizeof keys, left);
		enum top_key does =
		    n < 0 ? TOP_QUIT : top_key(top, keys, (size_t)n);

		if (does == TOP_QUIT || does == TOP_READ)
			return does == TOP_READ;
		/* Nothing typed and time left: the terminal changed. */
		if (does == TOP_REDRAW ||
		    (n == 0 && s->taken + period > clock_now()))
			draw(s, top);
	}
}

/* The second look comes soon, so that there are changes to be seen. */
#define FIRST_PERIOD 0.5

static void
watch_top(struct session *s)
{
	struct top top = {.pick = s->o->pick, .period = s->o->wait};
	long shown = 0;

	take(s);
	terminal_take();
	do {
		draw(s, &top);
		if (++shown == s->o->count ||
		    !serve_keys(s, &top, shown == 1 ? FIRST_PERIOD : 0))
			break;
		take(s);
	} while (true);
	terminal_give_back();
}

static struct target *
open_target(const struct options *o)
{
	struct target *t =
	    o->core != NULL ? target_core(o->core) : target_pid(o->pid);

	if (t == NULL)
		die(EXIT_TARGET, "%s", target_error());
	if (o->copy >= target_copies(t))
		die(EXIT_TARGET, "%s has %zu copies of the library, from 0 on",
		    target_name(t), target_copies(t));
	target_use(t, o->copy);
	if (target_copies(t) > 1)
		fprintf(stderr,
		    "umastat: copy %zu of %zu of the library, in %s\n", o->copy,
		    target_copies(t), target_copy_path(t, o->copy));
	return t;
}

static void
list(const struct options *o)
{
	struct text t = {0};

	processes_list(&t);
	output(&t, o->file);
	text_free(&t);
}

static void
session_run(struct session *s, struct options *o)
{
	if (o->what == TOP && o->wait == 0)
		o->wait = 2;
	if (o->what == TOP && isatty(STDOUT_FILENO)) {
		watch_top(s);
	} else if (o->wait > 0) {
		watch_plain(s);
	} else {
		if (o->what != MAP)
			take(s);
		show_once(s);
	}
}

int
main(int argc, char **argv)
{
	struct options o = options_read(argc, argv);
	struct session s = {.o = &o};

	if (o.what == LIST) {
		list(&o);
		return 0;
	}
	s.target = open_target(&o);
	session_run(&s, &o);
	free(s.change);
	target_stats_free(s.before);
	target_stats_free(s.now);
	target_close(s.target);
	return 0;
}
