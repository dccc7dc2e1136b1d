/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stat.c - what zones hold and have done.
 *
 * allocs is what hits counted in the headers, and misses in the zone.  Frees
 * are not counted: they are allocs less the items allocated, and these are the
 * units less what lies in buckets, and less those that waiters have been given.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "pages_int.h"
#include "zone_int.h"

/* The least that a caller of the first version brings. */
#define STAT_SIZE_FIRST sizeof(struct uma_zone_stat)

static uint64_t
sub_clamped(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

/* Cached items first: counted late they could make used negative. */
static void
zone_stat_items(struct uma_zone *zone, struct uma_zone_stat *st)
{
	struct cache_stat cs;

	cache_stat(&zone->uz_cache, &cs);
	st->free_cached = cs.cs_items + depot_items(zone, UMA_ANYDOMAIN);
	st->used = sub_clamped(limit_items(zone),
	    st->free_cached + atomic_load(&zone->uz_limit.l_reserved));
	st->allocs = cs.cs_allocs + atomic_load_explicit(
					&zone->uz_allocs, memory_order_relaxed);
	st->frees = sub_clamped(st->allocs, st->used);
}

static void
zone_stat_fill(struct uma_zone *zone, struct uma_zone_stat *st)
{
	struct keg_stat ks;

	*st = (struct uma_zone_stat){.size = sizeof *st};
	zone_stat_items(zone, st);
	keg_stat(zone->uz_keg, &ks);
	memcpy(st->name, zone->uz_name,
	    uma_min(zone->uz_name_size, sizeof st->name - 1));
	st->item_size = zone->uz_hot.size;
	st->stride = ks.ks_stride;
	st->slab_size = ks.ks_slab_size;
	st->slab_items = ks.ks_slab_items;
	st->slabs = ks.ks_slabs;
	st->free_slab = ks.ks_free;
	st->limit = (uint64_t)uma_zone_get_max(zone);
	st->fails = atomic_load_explicit(&zone->uz_fails, memory_order_relaxed);
	st->sleeps =
	    atomic_load_explicit(&zone->uz_sleeps, memory_order_relaxed);
	st->xdomain =
	    atomic_load_explicit(&zone->uz_xdomain, memory_order_relaxed);
}

int
uma_zone_stat(uma_zone_t zone, struct uma_zone_stat *st)
{
	struct uma_zone_stat full;
	size_t size = st->size;

	if (size < STAT_SIZE_FIRST) {
		errno = EINVAL;
		return -1;
	}
	zone_stat_fill(zone, &full);
	full.size = uma_min(size, sizeof full);
	memcpy(st, &full, full.size);
	return 0;
}

int
uma_zone_get_cur(uma_zone_t zone)
{
	struct uma_zone_stat st;

	zone_stat_items(zone, &st);
	return (int)uma_min(st.used, (uint64_t)INT_MAX);
}

size_t
uma_zone_memory(uma_zone_t zone)
{
	struct keg_stat ks;

	keg_stat(zone->uz_keg, &ks);
	return ks.ks_slabs * ks.ks_slab_size;
}

/* ---- the table ---- */

#define TABLE_LINE 192

static void
print_line(uma_stats_cb cb, void *arg, const struct uma_zone_stat *st)
{
	char line[TABLE_LINE], name[64];
	int n = snprintf(line, sizeof line,
	    "%-20s %7llu %7llu %8llu %8llu %10llu %6llu %6llu %7llu\n",
	    uma_escape(name, sizeof name, st->name),
	    (unsigned long long)st->item_size, (unsigned long long)st->limit,
	    (unsigned long long)st->used,
	    (unsigned long long)(st->free_cached + st->free_slab),
	    (unsigned long long)st->allocs, (unsigned long long)st->fails,
	    (unsigned long long)st->sleeps, (unsigned long long)st->xdomain);

	cb(arg, line, (size_t)uma_min(n, TABLE_LINE - 1));
}

static void
print_head(uma_stats_cb cb, void *arg)
{
	char line[TABLE_LINE];
	int n = snprintf(line, sizeof line,
	    "%-20s %7s %7s %8s %8s %10s %6s %6s %7s\n\n", "ITEM", "SIZE",
	    "LIMIT", "USED", "FREE", "REQ", "FAIL", "SLEEP", "XDOMAIN");

	cb(arg, line, (size_t)n);
}

int
uma_stats_print(uma_stats_cb cb, void *arg, const char *what)
{
	if (what == NULL || strcmp(what, "z") != 0) {
		errno = EINVAL;
		return -1;
	}
	/* Copied before any is printed: the callback may destroy zones. */
	size_t room = zlist_count(), n = 0;
	struct uma_zone_stat *all = meta_alloc((room + 1) * sizeof *all, 0);
	struct uma_zone *zone = NULL;

	if (all == NULL)
		return -1;
	while (n < room && (zone = zlist_next(zone)) != NULL)
		zone_stat_fill(zone, &all[n++]);
	if (zone != NULL)
		zlist_leave(zone);
	print_head(cb, arg);
	for (size_t i = n; i-- > 0;) /* oldest first */
		print_line(cb, arg, &all[i]);
	meta_free(all, (room + 1) * sizeof *all);
	return 0;
}
