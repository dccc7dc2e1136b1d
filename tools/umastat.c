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
 * the screen.  This file goes round, as options.c says.
 *
 * The process is not stopped and may end at any time.  That is no error of ours
 * while it is watched, but a way for that to end, with a status of its own.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "umastat.h"

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

/* Of one that understands escape sequences, or says that it does. */
static bool
on_terminal(const struct options *o)
{
	const char *term = getenv("TERM");

	return o->file == NULL && isatty(STDOUT_FILENO) &&
	       (term == NULL || strcmp(term, "dumb") != 0);
}

static bool
colours(const struct options *o)
{
	const char *no = getenv("NO_COLOR");

	return on_terminal(o) && (no == NULL || *no == '\0');
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
	case SHOW_MEMORY:
		format(t, s, "s");
		break;
	case SHOW_CPUS:
		table_cpus(t, s);
		break;
	case SHOW_DOMAINS:
		table_domains(t, s);
		break;
	case SHOW_JSON:
		format(t, s, "j");
		break;
	case SHOW_METRICS:
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
	/* The memory of a process goes some time before its number does. */
	for (int i = 0; i < 50 && s->seen && s->o->core == NULL; i++) {
		if (has_ended(s->o->pid))
			die(EXIT_ENDED, "%s has ended", target_name(s->target));
		sleep_until(clock_now() + 0.01);
	}
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

	if (!target_slabs(s->target, s->o->zone, map_add, m)) {
		map_free(m);
		target_lost(s);
	}
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
	struct map *m = o->what == SHOW_MAP ? take_map(s) : NULL;
	struct text t = {0};

	if (m != NULL) {
		look_map(&t, o, m);
	} else if (o->what == SHOW_TOP ||
		   (o->what == SHOW_ZONES && s->before != NULL)) {
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
	bool changes = s->o->what == SHOW_ZONES || s->o->what == SHOW_TOP;
	double when = clock_now();
	long shown = 0;

	for (;;) {
		if (s->o->what != SHOW_MAP)
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

static void
open_target(struct session *s)
{
	const struct options *o = s->o;
	struct target *t =
	    o->core != NULL ? target_core(o->core) : target_pid(o->pid);

	s->target = t;
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
	if (o->what == SHOW_TOP && o->wait == 0)
		o->wait = 2;
	if (o->what == SHOW_TOP && on_terminal(o)) {
		watch_top(s);
	} else if (o->wait > 0) {
		watch_plain(s);
	} else {
		if (o->what != SHOW_MAP)
			take(s);
		show_once(s);
	}
}

int
main(int argc, char **argv)
{
	struct options o = options_read(argc, argv);
	struct session s = {.o = &o};

	if (o.what == SHOW_LIST) {
		list(&o);
		return 0;
	}
	open_target(&s);
	session_run(&s, &o);
	free(s.change);
	target_stats_free(s.before);
	target_stats_free(s.now);
	target_close(s.target);
	return 0;
}
