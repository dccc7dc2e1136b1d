/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * umastat.h - the parts of umastat(8).
 *
 * Everything that draws is a function from a snapshot (uma/stat.h) to text in
 * memory, so that tests need neither a process nor a terminal.  Text goes out
 * in one write.  Names come from another process's memory: on their way to
 * people all pass show_name(), or uma_stats_format(), which does as much.
 */
#ifndef TOOLS_UMASTAT_H
#define TOOLS_UMASTAT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uma/stat.h>

#include "reader.h"

/* Exit statuses, which umastat(8) promises. */
enum { EXIT_TARGET = 1 /* it cannot be read */, EXIT_USAGE, EXIT_ENDED };

/* ---- text.c: text that grows, and what may be shown ---- */

struct text {
	char *at; /* NUL-terminated once there is any */
	size_t len, room;
};

_Noreturn void die(int status, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void text_add(struct text *t, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void text_append(struct text *t, const char *bytes, size_t len);
void text_free(struct text *t);
/* Bytes with a unit, at most 6 columns: 100, 1.5K, 123M. */
void text_bytes(struct text *t, int width, uint64_t bytes);
/* Cut or filled up with blanks to width columns; a cut one ends in '~'. */
void text_column(struct text *t, size_t width, const char *shown);

/*
 * show_name: what of a name may reach a terminal: printable ASCII and UTF-8;
 * any other byte as \xNN, and backslash doubled.
 */
#define SHOWN_NAME 512
char *show_name(char dst[SHOWN_NAME], const char *name);
size_t show_columns(const char *shown);
/* How many bytes from here may be shown as they are; 0: the first may not. */
size_t shown_len(const char *text, size_t left);

/* ---- rate.c: what happened between two snapshots ---- */

struct rate { /* a second */
	double requests, frees, fails, sleeps, refills;
};
struct change {
	double seconds;
	size_t came, went; /* zones */
	struct rate rate[]; /* of each zone that is there now */
};
/* Allocated; before == NULL: nothing is known, all is 0. */
struct change *change_of(const struct uma_stats *before,
    const struct uma_stats *now, double seconds);

/* ---- pick.c: which zones, in which order ---- */

enum sort_key {
	SORT_AGE,
	SORT_NAME,
	SORT_SIZE,
	SORT_USED,
	SORT_FREE,
	SORT_MEMORY,
	SORT_REQUESTS,
	SORT_FAIL,
	SORT_CNT
};
struct pick {
	const char *match; /* a glob; NULL: all */
	enum sort_key sort; /* names from a to z, numbers from the largest */
	bool reverse;
};
extern const char *const sort_names[SORT_CNT];
bool sort_key_of(const char *word, enum sort_key *key);
const char *stat_name(const struct uma_stats *s, size_t z);
/* Zones' numbers to order[s->nzones]; returns how many.  change may be NULL. */
size_t pick_zones(const struct uma_stats *s, const struct change *change,
    const struct pick *pick, size_t *order);
/* The same as a snapshot of these zones alone: free(). */
struct uma_stats *pick_stats(const struct uma_stats *s, const struct pick *p);

/* ---- options.c ---- */

enum what {
	SHOW_ZONES,
	SHOW_MEMORY,
	SHOW_CPUS,
	SHOW_DOMAINS,
	SHOW_JSON,
	SHOW_METRICS,
	SHOW_MAP,
	SHOW_TOP,
	SHOW_LIST
};

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
/* Wrong usage, --help and --version end the program. */
struct options options_read(int argc, char **argv);

/* ---- table.c: tables that uma_stats_format() does not make ---- */

/* A process or core, and what has been read of it. */
struct watch {
	const char *what; /* "pid 123": for people */
	const struct uma_stats *now;
	const struct change *change;
};
void table_status(struct text *t, const struct watch *w);
void table_rate_head(struct text *t, size_t name_width);
void table_rate_row(
    struct text *t, size_t name_width, const struct watch *w, size_t zone);
void table_rates(struct text *t, const struct watch *w, const struct pick *p);
void table_cpus(struct text *t, const struct uma_stats *s);
void table_domains(struct text *t, const struct uma_stats *s);

/* ---- top.c: the same on a terminal, until q ---- */

struct top {
	struct pick pick;
	double period; /* seconds */
	size_t first; /* row at the top */
	int rows, columns; /* of the terminal */
	bool help;
};
enum top_key { TOP_NOTHING, TOP_REDRAW, TOP_READ, TOP_QUIT };
enum top_key top_key(struct top *top, const char *keys, size_t len);
void top_frame(struct text *t, struct top *top, const struct watch *w);

/* ---- terminal.c: taking it, giving it back ---- */

void terminal_take(void);
void terminal_give_back(void);
void terminal_size(int *rows, int *columns);
/* Wait for keys: how many bytes, 0 when time is up, -1 at the end of input. */
int terminal_keys(char *keys, size_t size, double seconds);

/* ---- map.c, map_svg.c: slabs to look at ---- */

#define MAP_ROWS  64 /* up to so many slabs are a row each */
#define MAP_CELLS 4096 /* more are cells, of some slabs each: even */
struct map_cell {
	uint64_t items[4]; /* by enum item_state */
};
struct map_row {
	uint64_t run, size, items;
	int domain;
	uint8_t *state;
};
struct map {
	uint64_t slabs, full, part, empty; /* slabs, by items out */
	uint64_t bytes;
	struct map_cell all;
	uint64_t span; /* slabs a cell */
	struct map_row row[MAP_ROWS];
	struct map_cell cell[MAP_CELLS];
};
enum map_kind { /* what a cell shows */
	MAP_NONE, /* no item there */
	MAP_OUT, /* all are out */
	MAP_TENTH, /* MAP_TENTH + n: n + 1 tenths are, rounded, 1 to 9 */
	MAP_CACHED = MAP_TENTH + 9, /* none, and most are: */
	MAP_READY,
	MAP_FRESH,
	MAP_KINDS
};
struct map *map_new(void);
void map_add(void *map, const struct slab_view *slab);
void map_free(struct map *m);
size_t map_cells(const struct map *m);
enum map_kind map_kind(const struct map_cell *cell);
/* A piece of a row: items first to last, of those that are there. */
struct map_cell map_piece(const struct map_row *row, uint64_t i, uint64_t of);
void map_text(struct text *t, const struct map *m, const char *zone, int width,
    bool colour);
void map_svg(struct text *t, const struct map *m, const char *zone);

/* ---- label.c: one more label, "name=value", for every metric ---- */

bool label_is_valid(const char *label);
void label_all(struct text *t, const struct text *metrics, const char *label);

/* ---- output.c: standard output, or a file that is replaced whole ---- */

void output(const struct text *t, const char *path);

/* ---- processes.c ---- */

void processes_list(struct text *t);

#endif
