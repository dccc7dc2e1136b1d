/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reclaim.c - giving memory back: from caches to slabs, from slabs to the
 * system; of one NUMA domain, or of all, which is UMA_ANYDOMAIN.
 */
#include "pages_int.h"
#include "zone_int.h"

_Static_assert(UMA_ANYDOMAIN == -1, "the keg's word for every domain");

void
zone_drain(struct uma_zone *zone)
{
	struct bucket *b;

	probe_zone_drain(zone->uz_name, zone);
	cache_drain(&zone->uz_cache);
	while ((b = cache_take_drained(&zone->uz_cache)) != NULL)
		zone_release_bucket(zone, b);
	depot_drain(zone, UMA_ANYDOMAIN);
}

/*
 * The same for the items of one domain.  What the CPUs had of others' waits in
 * their depots.
 */
static void
zone_drain_domain(struct uma_zone *zone, int domain)
{
	struct bucket *b;

	probe_zone_drain(zone->uz_name, zone);
	cache_drain(&zone->uz_cache);
	while ((b = cache_take_drained(&zone->uz_cache)) != NULL) {
		if (b->ub_cnt > 0)
			zone_put_bucket(zone, b, PUT_NEW);
		else
			zone_bucket_free(zone, b);
	}
	depot_drain(zone, domain);
}

static void
reclaim_check(int request, int domain)
{
	UMA_FATAL_IF(request != UMA_RECLAIM_DRAIN &&
			 request != UMA_RECLAIM_DRAIN_CPU &&
			 request != UMA_RECLAIM_TRIM,
	    "bad reclaim request %d", request);
	UMA_FATAL_IF(
	    domain != UMA_ANYDOMAIN && (domain < 0 || domain >= uma_ndomains()),
	    "bad reclaim domain %d", domain);
}

/* hooks: slabs of zones with a fini go, too.  Returns the bytes of slabs. */
static size_t
zone_reclaim(struct uma_zone *zone, int request, int domain, bool hooks)
{
	/* In depots that are not sorted any bucket may have its items. */
	int caches = zone->uz_sorts ? domain : UMA_ANYDOMAIN;
	size_t len = 0;

	probe_reclaim_start(zone->uz_name, zone, request, domain);
	if (request == UMA_RECLAIM_TRIM)
		depot_trim(zone, caches);
	else if (request == UMA_RECLAIM_DRAIN)
		depot_drain(zone, caches);
	else if (caches == UMA_ANYDOMAIN)
		zone_drain(zone);
	else
		zone_drain_domain(zone, caches);
	zone_bucket_shrink(zone, request == UMA_RECLAIM_DRAIN_CPU);
	if (hooks)
		watermark_look(zone);
	if (hooks || !zone->uz_fini)
		len = keg_reclaim(zone->uz_keg, domain, false);
	probe_reclaim_done(zone->uz_name, zone, request, domain, len);
	return len;
}

/* Their zones are looked through as a whole, which has to be worth it. */
#define HEADERS_WORTH ((size_t)4 << 20)

void
headers_reclaim(size_t len, int request, int domain)
{
	struct uma_zone *zone;

	if (len < HEADERS_WORTH)
		return;
	for (size_t z = 0; (zone = header_zone(z)) != NULL; z++)
		zone_reclaim(zone, request, domain, true);
}

void
uma_zone_reclaim_domain(uma_zone_t zone, int request, int domain)
{
	reclaim_check(request, domain);
	size_t len = zone_reclaim(zone, request, domain, true);
	headers_reclaim(len, request, domain);
	pages_release();
}

void
uma_zone_reclaim(uma_zone_t zone, int request)
{
	uma_zone_reclaim_domain(zone, request, UMA_ANYDOMAIN);
}

/*
 * The internal zones, which hold other kegs' headers, are the oldest, hence the
 * last of the list: they are reached when the others are done with them.
 */
static void
reclaim_all(int request, int domain, bool hooks)
{
	struct uma_zone *zone = NULL;

	while ((zone = zlist_next(zone)) != NULL)
		zone_reclaim(zone, request, domain, hooks);
	pages_release();
}

void
uma_reclaim_domain(int request, int domain)
{
	reclaim_check(request, domain);
	reclaim_all(request, domain, true);
}

void
reclaim_without_hooks(void)
{
	reclaim_all(UMA_RECLAIM_DRAIN_CPU, UMA_ANYDOMAIN, false);
}

void
uma_reclaim(int request)
{
	uma_reclaim_domain(request, UMA_ANYDOMAIN);
}
