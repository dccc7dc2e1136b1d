/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * domain.c - NUMA domains: where a zone takes memory, and how items that were
 * freed elsewhere come home.
 *
 * FIRSTTOUCH zones, and those that ask for nothing, import from the domain of
 * the CPU that allocates; ROUNDROBIN zones from each domain in turn, a bucket
 * at a time.  The keg takes from other domains when that one has no memory, and
 * a CPU from others' depots before an allocation fails or sleeps.
 *
 * A hit never looks at domains.  In a FIRSTTOUCH zone a bucket's items are
 * looked at when it leaves the CPU, which divides the price by its size.  If
 * all are of one domain, which is the rule where one thread allocates and
 * another frees, it goes to that domain's depot as it is; otherwise its items
 * are poured into the bucket that each of the depots has for it, so that mixed
 * ones do not leave many small buckets behind.  A ROUNDROBIN zone's depots are
 * mixed in any case, and left so.
 *
 * Where others call this domains of a cross bucket for each pair, here is one
 * for each destination, in its depot: what is in it is cached there like any
 * other item, and drains, limits and counts need not know of it.
 */
#include <string.h>

#include "pages_int.h"
#include "zone_int.h"

int
uma_ndomains(void)
{
	UMA_FATAL_IF(!uma_start(), "no memory to start");
	return pages_domain_cnt();
}

int
uma_curdomain(void)
{
	UMA_FATAL_IF(!uma_start(), "no memory to start");
	return domain_running();
}

int
domain_running(void)
{
	return pages_cpu_domain(percpu_cpu());
}

int
zone_import_domain(struct uma_zone *zone)
{
	if (uma_likely(!(zone->uz_hot.flags & UMA_ZONE_ROUNDROBIN)))
		return zone_domain(zone);
	uint32_t turn =
	    atomic_fetch_add_explicit(&zone->uz_turn, 1, memory_order_relaxed);
	return (int)(turn % (uint32_t)zone->uz_domains);
}

/* ---- sorting ---- */

/* The domain of an item; what is none of ours stays where it is. */
static int
item_domain(const struct uma_zone *zone, const void *item, int here)
{
	int domain = pages_domain_of(item);

	return domain >= 0 && domain < zone->uz_domains ? domain : here;
}

/* The domain of all items of a bucket; -1: they are of several. */
static int
bucket_domain(const struct uma_zone *zone, const struct bucket *b, int here)
{
	int domain = item_domain(zone, b->ub_slot[1], here);

	for (int k = 2; k <= b->ub_cnt; k++)
		if (item_domain(zone, b->ub_slot[k], here) != domain)
			return -1;
	return domain;
}

static void
count_cross(struct uma_zone *zone, int n, enum put how)
{
	if (how == PUT_FREED)
		atomic_fetch_add_explicit(
		    &zone->uz_xdomain, (uint64_t)n, memory_order_relaxed);
}

/* Move the items of a domain to the end; where they begin. */
static int
items_part(
    const struct uma_zone *zone, void **items, int n, int domain, int here)
{
	int from = n;

	for (int k = n; k-- > 0;) {
		void *item = items[k];

		if (item_domain(zone, item, here) != domain)
			continue;
		items[k] = items[--from];
		items[from] = item;
	}
	return from;
}

/* Each item of a mixed bucket goes to its depot; the bucket may serve there. */
static void
bucket_scatter(struct uma_zone *zone, struct bucket *b, int here, enum put how)
{
	void *items[BUCKET_CAP_MAX];
	int n = b->ub_cnt;

	memcpy(items, &b->ub_slot[1], (size_t)n * sizeof items[0]);
	b->ub_cnt = 0;
	while (n > 0) {
		int domain = item_domain(zone, items[n - 1], here);
		int from = items_part(zone, items, n, domain, here);

		if (domain != here)
			count_cross(zone, n - from, how);
		depot_add(zone, domain, items + from, n - from, &b, how);
		n = from;
	}
	if (b != NULL)
		zone_bucket_free(zone, b);
}

void
zone_put_bucket(struct uma_zone *zone, struct bucket *b, enum put how)
{
	int cpu = percpu_cpu(), here = 0, home = 0;

	sample_check();
	probe_bucket_flush(zone->uz_name, zone, b->ub_cnt);
	if (uma_unlikely(zone->uz_domains > 1))
		here = home = pages_cpu_domain(cpu);
	if (uma_unlikely(zone->uz_sorts)) {
		home = bucket_domain(zone, b, here);
		if (home != here && home >= 0)
			count_cross(zone, b->ub_cnt, how);
	}
	if (uma_likely(home >= 0))
		depot_put(zone, home, b, cpu, how);
	else
		bucket_scatter(zone, b, here, how);
	/*
	 * A sleeper first holds the cache and then drains the depots: either
	 * that drain found what we have put there, or its unlock precedes our
	 * lock and we see the hold.
	 */
	if (uma_unlikely(limit_holds(zone) != 0))
		depot_drain(zone, UMA_ANYDOMAIN);
}
