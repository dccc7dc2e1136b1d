/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stream.c - vm.zone_stats: the statistics of all zones as FreeBSD's libmemstat
 * reads them.  They are written where the reader wants them, zone by zone, so
 * that no memory is needed; the header, which has their number, comes last.
 *
 * A reader adds up what a zone and its CPUs have, so nothing is counted twice:
 * hits are the CPUs', as far as the zone's sum goes, and the rest the zone's.
 */
#include <string.h>

#include <uma/stream.h>

#include "pages_int.h"
#include "sysctl_int.h"

_Static_assert(sizeof(struct uma_stream_header) == 16 &&
		   sizeof(struct uma_type_header) == 120 &&
		   sizeof(struct uma_percpu_stat) == 64,
    "the format is FreeBSD's");

static uint32_t
clamp32(uint64_t n)
{
	return (uint32_t)uma_min(n, (uint64_t)UINT32_MAX);
}

/* What does not depend on the CPUs' part. */
static void
type_fill(const struct uma_zone_stat *st, struct uma_type_header *th)
{
	uint32_t slab_pages = (uint32_t)(st->slab_size / UMA_PAGE_SIZE);

	memcpy(th->uth_name, st->name, sizeof th->uth_name);
	th->uth_align = (uint32_t)st->align - 1;
	th->uth_size = clamp32(st->item_size);
	th->uth_rsize = clamp32(st->stride);
	th->uth_limit = clamp32(st->limit);
	th->uth_maxpages = clamp32(
	    (st->limit + st->slab_items - 1) / st->slab_items * slab_pages);
	th->uth_pages = clamp32(st->slabs * slab_pages);
	th->uth_keg_free = clamp32(st->free_slab);
	th->uth_bucketsize = clamp32(st->bucket_items);
	th->uth_frees = st->frees;
	th->uth_fails = st->fails;
	th->uth_sleeps = st->sleeps;
	th->uth_xdomain = st->xdomain;
}

/* A CPU's part of hits and free items, out of what is left of both. */
static struct uma_percpu_stat
percpu_part(struct uma_zone *zone, int cpu, uint64_t *allocs, uint64_t *free)
{
	struct cache_stat cs;

	cache_stat_cpu(&zone->uz_cache, cpu, &cs);
	struct uma_percpu_stat ps = {
	    .ups_allocs = uma_min(cs.cs_allocs, *allocs),
	    .ups_cache_free = uma_min(cs.cs_items, *free),
	};
	*allocs -= ps.ups_allocs;
	*free -= ps.ups_cache_free;
	return ps;
}

/* One zone; 0, or ENOMEM and as much as fits. */
static int
zone_write(struct uma_zone *zone, struct sysctl_req *req)
{
	struct uma_zone_stat st = {.size = sizeof st};
	struct uma_type_header th = {.uth_zone_flags = 0};
	size_t at = req->oldidx;
	int cpus = pages_cpu_cnt(), error;

	(void)uma_zone_stat(zone, &st);
	type_fill(&st, &th);
	error = uma_sysctl_out(req, &th, sizeof th);
	for (int c = 0; c < cpus; c++) {
		struct uma_percpu_stat ps =
		    percpu_part(zone, c, &st.allocs, &st.free_cached);

		if (error == 0)
			error = uma_sysctl_out(req, &ps, sizeof ps);
	}
	th.uth_allocs = st.allocs;
	th.uth_zone_free = clamp32(st.free_cached);
	if (error == 0)
		memcpy((char *)req->oldptr + at, &th, sizeof th);
	return error;
}

/* How long it is now. */
static int
stream_size(struct sysctl_req *req)
{
	req->oldidx = sizeof(struct uma_stream_header) +
		      zlist_count() * (sizeof(struct uma_type_header) +
					  (size_t)pages_cpu_cnt() *
					      sizeof(struct uma_percpu_stat));
	return 0;
}

int
stream_handle(SYSCTL_HANDLER_ARGS)
{
	struct uma_stream_header head = {.ush_version = UMA_STREAM_VERSION,
	    .ush_maxcpus = (uint32_t)pages_cpu_cnt()};
	struct uma_zone *zone = NULL;

	(void)oidp, (void)arg1, (void)arg2;
	if (req->oldptr == NULL)
		return stream_size(req);
	int error = uma_sysctl_out(req, &head, sizeof head);
	while (error == 0 && (zone = zlist_next(zone)) != NULL) {
		error = zone_write(zone, req);
		head.ush_count++;
	}
	if (zone != NULL)
		zlist_leave(zone);
	if (error == 0)
		memcpy(req->oldptr, &head, sizeof head);
	return error;
}
