/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stat.c - what zones hold and have done, and where all memory is.
 *
 * How it works
 *
 * Nothing is counted for statistics that is not counted anyway, but for the
 * buckets brought to a CPU.  allocs is what hits counted in the headers, and
 * misses in the zone.  Frees are not counted: they are allocs less the items
 * allocated, and these are the units less what lies in buckets, and less those
 * that waiters have been given.
 *
 * The memory of the process is read from the top (pages_stat: what was mapped
 * less what was unmapped, pieces, runs handed out) and from below (the zones'
 * slabs and items).  At rest both agree, byte for byte.  While others work they
 * cannot, since they are read one after the other: then each part takes no more
 * than the parts before it have left, and what nobody claims is `other'.
 *
 *     mapped = pieces' headers + runs + dirty + untouched + page map + spare
 *     runs   = metadata pool + slabs of all zones + lost
 *     slabs  = used + cached + free_slab + slack, or own
 *
 * No lock is held for longer than a few loads, and none while a callback runs:
 * a walk has a reference to the zone that it is at (list.c), and what it finds
 * is copied into a snapshot.  A zone that is destroyed meanwhile waits for the
 * walk to move on; a new one is not in it.
 *
 *     struct snapshot: | uma_stats, memory | zones | CPUs | domains | names |
 *
 * one block of the metadata pool, and each name one of its own.  The list's
 * newest zone comes first, so the arrays are filled from their ends.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include <uma/reclaim.h>

#include "pages_int.h"
#include "uma_memory_int.h"
#include "zone_int.h"

/* The least that a caller of the first version brings. */
#define ZONE_SIZE_FIRST	  offsetof(struct uma_zone_stat, align)
#define MEMORY_SIZE_FIRST sizeof(struct uma_memory_stat)

static uint64_t
sub_clamped(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

static uint64_t
load(_Atomic uint64_t *at)
{
	return atomic_load_explicit(at, memory_order_relaxed);
}

/* ---- one zone ---- */

/* What CPUs have: the sum, and each one's if row is not NULL. */
static struct cache_stat
zone_stat_cpus(struct uma_zone *zone, struct uma_cpu_stat *row)
{
	struct cache_stat sum, one;

	cache_stat_rest(&zone->uz_cache, &sum);
	for (int c = 0; c < pages_cpu_cnt(); c++) {
		cache_stat_cpu(&zone->uz_cache, c, &one);
		sum.cs_items += one.cs_items;
		sum.cs_allocs += one.cs_allocs;
		if (row != NULL)
			row[c] = (struct uma_cpu_stat){.size = sizeof row[c],
			    .allocs = one.cs_allocs,
			    .cached = one.cs_items};
	}
	return sum;
}

/* Cached items first: counted late they could make used negative. */
static void
zone_stat_items(
    struct uma_zone *zone, struct uma_zone_stat *st, struct uma_cpu_stat *row)
{
	struct cache_stat cs = zone_stat_cpus(zone, row);

	st->free_cpu = cs.cs_items;
	st->free_depot = depot_items(zone, UMA_ANYDOMAIN);
	st->free_cached = st->free_cpu + st->free_depot;
	uint64_t word = atomic_load(&zone->uz_limit.l_word);
	st->sleepers = (word & LIMIT_SLEEPERS) >> LIMIT_ITEMS_BITS;
	st->used = sub_clamped(word & LIMIT_ITEMS,
	    st->free_cached + atomic_load(&zone->uz_limit.l_reserved));
	st->allocs = cs.cs_allocs + load(&zone->uz_allocs);
	st->frees = sub_clamped(st->allocs, st->used);
}

static void
zone_stat_keg(struct uma_zone *zone, struct uma_zone_stat *st)
{
	struct keg_stat ks;

	keg_stat(zone->uz_keg, &ks);
	st->stride = ks.ks_stride;
	st->slab_size = ks.ks_slab_size;
	st->slab_items = ks.ks_slab_items;
	st->slabs = ks.ks_slabs;
	st->free_slab = ks.ks_free;
	st->align = ks.ks_align;
	st->memory = ks.ks_slabs * ks.ks_slab_size;
	st->absent = ks.ks_absent;
	st->headers = ks.ks_slabs * ks.ks_header;
	st->meta =
	    zone_bytes(zone->uz_domains) + zone->uz_name_size + ks.ks_meta +
	    cache_bytes() +
	    load(&zone->uz_bucket_bytes) / zone->uz_item_bytes * sizeof(void *);
}

static bool
zone_is_own(const struct uma_zone *zone)
{
	for (size_t z = 0; header_zone(z) != NULL; z++)
		if (header_zone(z) == zone)
			return true;
	return false;
}

static void
zone_stat_fill(
    struct uma_zone *zone, struct uma_zone_stat *st, struct uma_cpu_stat *row)
{
	*st = (struct uma_zone_stat){.size = sizeof *st};
	zone_stat_items(zone, st, row);
	zone_stat_keg(zone, st);
	memcpy(st->name, zone->uz_name,
	    uma_min(zone->uz_name_size, sizeof st->name - 1));
	st->item_size = zone->uz_hot.size;
	st->item_bytes = zone->uz_item_bytes;
	st->flags = zone->uz_hot.flags;
	st->limit = (uint64_t)uma_zone_get_max(zone);
	st->bucket_items =
	    atomic_load_explicit(&zone->uz_bucket_cap, memory_order_relaxed);
	st->fails = load(&zone->uz_fails);
	st->sleeps = load(&zone->uz_sleeps);
	st->xdomain = load(&zone->uz_xdomain);
	st->refills = load(&zone->uz_refills);
	st->zone = (uintptr_t)zone;
	st->name_cnt = zone->uz_name_cnt;
	st->own = zone_is_own(zone);
}

int
uma_zone_stat(uma_zone_t zone, struct uma_zone_stat *st)
{
	struct uma_zone_stat full;
	size_t size = st->size;

	if (size < ZONE_SIZE_FIRST) {
		errno = EINVAL;
		return -1;
	}
	zone_stat_fill(zone, &full, NULL);
	full.size = uma_min(size, sizeof full);
	memcpy(st, &full, full.size);
	return 0;
}

int
uma_zone_get_cur(uma_zone_t zone)
{
	struct uma_zone_stat st;

	zone_stat_items(zone, &st, NULL);
	return (int)uma_min(st.used, (uint64_t)INT_MAX);
}

size_t
uma_zone_memory(uma_zone_t zone)
{
	struct keg_stat ks;

	keg_stat(zone->uz_keg, &ks);
	return ks.ks_slabs * ks.ks_slab_size;
}

static void
domain_stat_fill(struct uma_zone *zone, int domain, struct uma_domain_stat *st)
{
	struct keg_domain_stat kds;
	struct wset ws;

	keg_domain_stat(zone->uz_keg, domain, &kds);
	*st = (struct uma_domain_stat){.size = sizeof *st,
	    .slabs = kds.kds_slabs,
	    .free_slab = kds.kds_free,
	    .empty = kds.kds_empty,
	    .free_depot = depot_wset(zone, domain, &ws),
	    .wss = ws.ws_size};
}

/* ---- the process ---- */

/* What the zones do not tell. */
static void
memory_finish(struct uma_memory_stat *m)
{
	struct pages_stat ps;

	pages_stat(&ps);
	m->size = sizeof *m;
	m->mapped = ps.ps_mapped;
	m->lost = zone_lost_bytes();
	m->meta = ps.ps_meta;
	m->pagemap = ps.ps_pagemap;
	m->pieces = ps.ps_header;
	m->dirty = ps.ps_dirty;
	m->untouched = ps.ps_reserved - ps.ps_header - ps.ps_used - ps.ps_dirty;
	m->spare = ps.ps_spare;
	m->absent = ps.ps_absent;
	m->held = uma_size();
	m->image = ps.ps_image;
	memory_settle(m);
}

int
uma_memory_stat(struct uma_memory_stat *st)
{
	struct uma_memory_stat full = {.zones = 0};
	struct uma_zone *zone = NULL;
	struct uma_zone_stat one;
	size_t size = st->size;

	if (size < MEMORY_SIZE_FIRST) {
		errno = EINVAL;
		return -1;
	}
	while ((zone = zlist_next(zone)) != NULL) {
		zone_stat_fill(zone, &one, NULL);
		memory_add(&full, &one);
	}
	memory_finish(&full);
	full.size = uma_min(size, sizeof full);
	memcpy(st, &full, full.size);
	return 0;
}

/* ---- a snapshot ---- */

struct snapshot {
	struct uma_stats sn_stats;
	struct uma_memory_stat sn_memory;
	size_t sn_len; /* bytes of the block */
	size_t sn_room; /* zones that it has room for */
	const char **sn_name; /* [sn_room], those of the last zones */
};

/* For so many zones, none of which is in it yet. */
static struct snapshot *
snapshot_make(size_t room)
{
	size_t cpus = (size_t)pages_cpu_cnt();
	size_t domains = (size_t)pages_domain_cnt();
	size_t len = sizeof(struct snapshot) +
		     room * (sizeof(struct uma_zone_stat) +
				cpus * sizeof(struct uma_cpu_stat) +
				domains * sizeof(struct uma_domain_stat) +
				sizeof(char *));
	struct snapshot *sn = meta_alloc(len, 0);

	if (sn == NULL)
		return NULL;
	struct uma_stats *s = &sn->sn_stats;
	*s = (struct uma_stats){.size = sizeof *s,
	    .zone_size = sizeof *s->zone,
	    .cpu_size = sizeof *s->cpu,
	    .domain_size = sizeof *s->domain,
	    .ncpus = (int)cpus,
	    .ndomains = (int)domains,
	    .time = (uint64_t)uma_now_ns(),
	    .memory = &sn->sn_memory,
	    .version = UMA_VERSION_STRING};
	strncpy(s->mode, uma_percpu_mode(), sizeof s->mode - 1);
	sn->sn_len = len;
	sn->sn_room = room;
	/* Each behind its end: they grow downwards. */
	s->zone = (struct uma_zone_stat *)(sn + 1) + room;
	s->cpu = (struct uma_cpu_stat *)s->zone + room * cpus;
	s->domain = (struct uma_domain_stat *)s->cpu + room * domains;
	sn->sn_name = (const char **)s->domain;
	s->name = sn->sn_name + room;
	return sn;
}

static char *
name_copy(const struct uma_zone *zone)
{
	char *name = meta_alloc(zone->uz_name_size, 0);

	return name == NULL ? NULL
			    : memcpy(name, zone->uz_name, zone->uz_name_size);
}

/* False: no memory. */
static bool
snapshot_add(struct snapshot *sn, struct uma_zone *zone)
{
	struct uma_stats *s = &sn->sn_stats;
	const char *name = name_copy(zone);

	if (name == NULL)
		return false;
	s->nzones++;
	*--s->name = name;
	s->cpu -= s->ncpus;
	zone_stat_fill(zone, --s->zone, s->cpu);
	s->domain -= s->ndomains;
	for (int d = 0; d < s->ndomains; d++)
		domain_stat_fill(zone, d, &s->domain[d]);
	return true;
}

/* All zones: 0, or ENOMEM, or ENOBUFS when there is no room for another. */
static int
snapshot_walk(struct snapshot *sn)
{
	struct uma_zone *zone = NULL;

	while ((zone = zlist_next(zone)) != NULL) {
		int error = sn->sn_stats.nzones == sn->sn_room ? ENOBUFS
			    : snapshot_add(sn, zone)	       ? 0
							       : ENOMEM;

		if (error != 0) {
			zlist_leave(zone);
			return error;
		}
	}
	return 0;
}

static void
snapshot_finish(struct snapshot *sn)
{
	for (size_t z = 0; z < sn->sn_stats.nzones; z++)
		memory_add(&sn->sn_memory, &sn->sn_stats.zone[z]);
	memory_finish(&sn->sn_memory);
}

void
uma_stats_free(struct uma_stats *stats)
{
	struct snapshot *sn = (struct snapshot *)stats;

	if (sn == NULL)
		return;
	for (size_t z = 0; z < sn->sn_room; z++)
		if (sn->sn_name[z] != NULL)
			meta_free((void *)(uintptr_t)sn->sn_name[z],
			    strlen(sn->sn_name[z]) + 1);
	meta_free(sn, sn->sn_len);
}

struct uma_stats *
uma_stats_take(void)
{
	size_t room = zlist_count() + 8;
	int error = ENOMEM;

	/* More than there is room for: zones are made faster than we look. */
	while (uma_start()) {
		struct snapshot *sn = snapshot_make(room);

		if (sn == NULL)
			break;
		error = snapshot_walk(sn);
		if (error == 0) {
			snapshot_finish(sn);
			return &sn->sn_stats;
		}
		uma_stats_free(&sn->sn_stats);
		if (error == ENOMEM)
			break;
		room = 2 * zlist_count() + 8;
	}
	errno = ENOMEM;
	return NULL;
}

struct uma_stats *
uma_stats_take_zone(uma_zone_t zone)
{
	struct snapshot *sn = snapshot_make(1);

	if (sn == NULL || !snapshot_add(sn, zone)) {
		uma_stats_free(sn != NULL ? &sn->sn_stats : NULL);
		errno = ENOMEM;
		return NULL;
	}
	sn->sn_memory.size = sizeof sn->sn_memory;
	(void)uma_memory_stat(&sn->sn_memory);
	return &sn->sn_stats;
}

/* ---- its elements, whose sizes it tells itself ---- */

static const void *
element(const void *array, size_t size, size_t i)
{
	return array != NULL ? (const char *)array + i * size : NULL;
}

const struct uma_zone_stat *
uma_stats_zone(const struct uma_stats *s, size_t z)
{
	return z < s->nzones ? element(s->zone, s->zone_size, z) : NULL;
}

const struct uma_cpu_stat *
uma_stats_cpu(const struct uma_stats *s, size_t z, int cpu)
{
	if (z >= s->nzones || cpu < 0 || cpu >= s->ncpus)
		return NULL;
	return element(s->cpu, s->cpu_size, z * (size_t)s->ncpus + (size_t)cpu);
}

const struct uma_domain_stat *
uma_stats_domain(const struct uma_stats *s, size_t z, int domain)
{
	if (z >= s->nzones || domain < 0 || domain >= s->ndomains)
		return NULL;
	return element(s->domain, s->domain_size,
	    z * (size_t)s->ndomains + (size_t)domain);
}
