/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reclaim.c - giving memory back: from caches to slabs, from slabs to the
 * system.
 */
#include "pages_int.h"
#include "zone_int.h"

void
zone_drain(struct uma_zone *zone)
{
	struct bucket *b;

	cache_drain(&zone->uz_cache);
	while ((b = cache_take_drained(&zone->uz_cache)) != NULL)
		zone_release_bucket(zone, b);
	depot_drain(zone, 0);
}

static void
reclaim_check(int request)
{
	UMA_FATAL_IF(request != UMA_RECLAIM_DRAIN &&
			 request != UMA_RECLAIM_DRAIN_CPU &&
			 request != UMA_RECLAIM_TRIM,
	    "bad reclaim request %d", request);
}

static void
zone_reclaim(struct uma_zone *zone, int request)
{
	if (request == UMA_RECLAIM_TRIM)
		depot_trim(zone);
	else if (request == UMA_RECLAIM_DRAIN)
		depot_drain(zone, 0);
	else
		zone_drain(zone);
	zone_bucket_shrink(zone, request == UMA_RECLAIM_DRAIN_CPU);
	keg_reclaim(zone->uz_keg, false);
}

void
uma_zone_reclaim(uma_zone_t zone, int request)
{
	reclaim_check(request);
	zone_reclaim(zone, request);
	pages_release();
}

/*
 * The internal zones, which hold other kegs' headers, are the oldest, hence the
 * last of the list: they are reached when the others are done with them.
 */
void
uma_reclaim(int request)
{
	struct uma_zone *zone = NULL;

	reclaim_check(request);
	while ((zone = zlist_next(zone)) != NULL)
		zone_reclaim(zone, request);
	pages_release();
}
