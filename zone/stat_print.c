/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stat_print.c - statistics for people: the table of vmstat -z, what CPUs have,
 * and where all memory is.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "stat_int.h"

/* ---- "z" ---- */

typedef unsigned long long ull;

/* A name in a column, and what ends it; a longer one moves the line on. */
static void
column_name(struct out *o, const struct row *r, const char *end, size_t width)
{
	size_t len = out_string(o, row_name(r), ESCAPE_TEXT);

	out_text(o, end);
	len += strlen(end);
	while (len++ < width)
		out_bytes(o, " ", 1);
}

/* Colon and commas as vmstat has them, for who splits lines at them. */
void
stat_table(const struct uma_stats *s, struct out *o)
{
	out_fmt(o, "%-20s %7s  %7s %8s %8s %10s %6s %6s %7s\n\n", "ITEM",
	    "SIZE", "LIMIT", "USED", "FREE", "REQ", "FAIL", "SLEEP", "XDOMAIN");
	for (size_t z = 0; z < s->nzones; z++) {
		struct row r = row_get(s, z);
		const struct uma_zone_stat *st = &r.r_stat;

		column_name(o, &r, ":", 20);
		out_fmt(o,
		    " %7llu, %7llu,%8llu,%8llu,%10llu,%6llu,%6llu,%7llu\n",
		    (ull)st->item_size, (ull)st->limit, (ull)st->used,
		    (ull)(st->free_cached + st->free_slab), (ull)st->allocs,
		    (ull)st->fails, (ull)st->sleeps, (ull)st->xdomain);
	}
}

/* ---- "c" ---- */

/* A line a CPU, since there may be hundreds, of those that have anything. */
void
stat_cpus(const struct uma_stats *s, struct out *o)
{
	out_fmt(o, "%-20s %5s %8s %10s %12s\n\n", "ITEM", "CPU", "FREE", "KIB",
	    "REQ");
	for (size_t z = 0; z < s->nzones; z++) {
		struct row r = row_get(s, z);

		for (int c = 0; c < s->ncpus; c++) {
			struct uma_cpu_stat st = row_cpu(s, z, c);

			if (st.cached == 0 && st.allocs == 0)
				continue;
			column_name(o, &r, "", 20);
			out_fmt(o, " %5d %8llu %10llu %12llu\n", c,
			    (ull)st.cached,
			    (ull)(st.cached * r.r_stat.item_bytes / 1024),
			    (ull)st.allocs);
		}
	}
}

/* ---- "s" ---- */

#define PART(name, text)                                                  \
	{                                                                 \
#name, text, offsetof(struct uma_memory_stat, name), true \
	}
#define BESIDES(name, text)                                                \
	{                                                                  \
#name, text, offsetof(struct uma_memory_stat, name), false \
	}
const struct memory_part memory_parts[MEMORY_PARTS] = {
    PART(used, "items allocated"),
    PART(cached_cpu, "free items that CPUs have"),
    PART(cached_depot, "free items in buckets that no CPU has"),
    PART(free_slab, "free items in slabs"),
    PART(slack, "of slabs, what is no item: headers, colours, remainders"),
    PART(own, "slabs of the library's own zones: headers off the page"),
    PART(lost, "slabs of zones that were destroyed with items out"),
    PART(meta, "metadata pool: zones, kegs, CPUs' headers, buckets"),
    PART(pagemap, "page map: from an address to its slab"),
    PART(pieces, "books of the pieces of address space"),
    PART(dirty, "free pages that still have memory"),
    PART(untouched, "free pages without memory: address space only"),
    PART(spare, "address space that the system did not take back"),
    PART(other, "changed while this was read"),
    BESIDES(absent, "of the slabs above, pages known to have no memory"),
    BESIDES(held, "what uma_size() says, and uma_limit() looks at"),
    BESIDES(image, "tables in .bss, not among what is mapped"),
    BESIDES(zones, "zones there are"),
};

/* Tenths of a percent; of anything whatever. */
static unsigned
share(uint64_t part, uint64_t all)
{
	if (all == 0)
		return 0;
	return (unsigned)uma_min(
	    (unsigned __int128)part * 1000 / all, (unsigned __int128)9999);
}

static void
explain_parts(struct out *o, const struct uma_memory_stat *m)
{
	out_fmt(o, "%15s %6s  %s\n\n", "BYTES", "%", "WHAT");
	for (size_t i = 0; i < MEMORY_PARTS && memory_parts[i].mp_is_part;
	     i++) {
		uint64_t value = memory_value(m, &memory_parts[i]);
		unsigned part = share(value, m->mapped);

		out_fmt(o, "%15llu %4u.%u  %s\n", (ull)value, part / 10,
		    part % 10, memory_parts[i].mp_text);
	}
	out_fmt(o, "%15llu  100.0  mapped: the sum of these\n", (ull)m->mapped);
	out_text(o, "\nBesides:\n");
	for (size_t i = 0; i < MEMORY_PARTS; i++)
		if (!memory_parts[i].mp_is_part)
			out_fmt(o, "%15llu         %s\n",
			    (ull)memory_value(m, &memory_parts[i]),
			    memory_parts[i].mp_text);
}

#define LARGEST 10

/* Those zones whose slabs are largest, by insertion; how many. */
static size_t
largest_zones(const struct uma_stats *s, size_t which[LARGEST])
{
	uint64_t memory[LARGEST];
	size_t n = 0;

	for (size_t z = 0; z < s->nzones; z++) {
		struct row r = row_get(s, z);
		size_t at = n;

		for (; at > 0 && memory[at - 1] < r.r_stat.memory; at--)
			if (at < LARGEST) {
				memory[at] = memory[at - 1];
				which[at] = which[at - 1];
			}
		if (at < LARGEST && r.r_stat.memory > 0) {
			memory[at] = r.r_stat.memory;
			which[at] = z;
			n = uma_min(n + 1, (size_t)LARGEST);
		}
	}
	return n;
}

static void
explain_zones(struct out *o, const struct uma_stats *s)
{
	size_t which[LARGEST], n = largest_zones(s, which);

	out_fmt(o,
	    "\nZones with most memory, in KiB:\n\n%-20s %10s %10s %10s "
	    "%10s %10s\n\n",
	    "ITEM", "SLABS", "USED", "CACHED", "FREE", "NO MEMORY");
	for (size_t i = 0; i < n; i++) {
		struct row r = row_get(s, which[i]);
		const struct uma_zone_stat *st = &r.r_stat;

		column_name(o, &r, "", 20);
		out_fmt(o, " %10llu %10llu %10llu %10llu %10llu\n",
		    (ull)st->memory / 1024,
		    (ull)(st->used * st->item_bytes) / 1024,
		    (ull)(st->free_cached * st->item_bytes) / 1024,
		    (ull)(st->free_slab * st->item_bytes) / 1024,
		    (ull)st->absent / 1024);
	}
}

void
stat_explain(const struct uma_stats *s, struct out *o)
{
	struct uma_memory_stat m = row_memory(s);
	char text[sizeof s->mode + 1] = "";

	memcpy(text, s->version, sizeof s->version);
	out_text(o, "libuma ");
	out_string(o, text, ESCAPE_TEXT);
	memcpy(text, s->mode, sizeof s->mode);
	out_text(o, ", hits by ");
	out_string(o, text, ESCAPE_TEXT);
	out_fmt(o, ", %d CPU%s, %d NUMA domain%s\n\n", s->ncpus,
	    s->ncpus == 1 ? "" : "s", s->ndomains, s->ndomains == 1 ? "" : "s");
	explain_parts(o, &m);
	explain_zones(o, s);
}

/* ---- all formats ---- */

static bool
stats_are_whole(const struct uma_stats *s)
{
	return s->size >= sizeof *s &&
	       s->zone_size >= offsetof(struct uma_zone_stat, align) &&
	       s->cpu_size >= sizeof(struct uma_cpu_stat) &&
	       s->domain_size >= sizeof(struct uma_domain_stat);
}

typedef void format_fn(const struct uma_stats *s, struct out *o);

static format_fn *
format_find(const char *what)
{
	if (what == NULL || what[0] == '\0' || what[1] != '\0')
		return NULL;
	switch (what[0]) {
	case 'z':
		return stat_table;
	case 'c':
		return stat_cpus;
	case 's':
		return stat_explain;
	case 'j':
		return stat_json;
	case 'o':
		return stat_metrics;
	default:
		return NULL;
	}
}

int
uma_stats_format(
    const struct uma_stats *stats, uma_stats_cb cb, void *arg, const char *what)
{
	struct out o = {.o_cb = cb, .o_arg = arg, .o_len = 0};
	format_fn *format = format_find(what);

	if (format == NULL || !stats_are_whole(stats)) {
		errno = EINVAL;
		return -1;
	}
	format(stats, &o);
	out_flush(&o);
	return 0;
}

/* Copied before any is printed: the callback may destroy zones. */
int
uma_stats_print(uma_stats_cb cb, void *arg, const char *what)
{
	if (format_find(what) == NULL) {
		errno = EINVAL;
		return -1;
	}
	struct uma_stats *s = uma_stats_take();
	if (s == NULL)
		return -1;
	int error = uma_stats_format(s, cb, arg, what);
	uma_stats_free(s);
	return error;
}
