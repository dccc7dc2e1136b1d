/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * depot.c - a zone's full buckets, between the CPUs and the keg.
 *
 * Last in, first out, so that what comes out is still warm; what has not been
 * needed since the last trim is at the other end.  The estimate of the working
 * set is the fewest items there were in that time (Bonwick and Adams, 2001,
 * section 3.6).
 */
#include "zone_int.h"

void
depot_init(struct depot *d)
{
	uma_lock_init(&d->d_lock, UMA_RANK_DEPOT);
	CDS_INIT_LIST_HEAD(&d->d_full);
}

void
depot_put(struct uma_zone *zone, struct bucket *b)
{
	struct depot *d = &zone->uz_depot;

	uma_lock_acquire(&d->d_lock);
	cds_list_add(&b->ub_link, &d->d_full);
	d->d_items += b->ub_cnt;
	uma_lock_release(&d->d_lock);
	/*
	 * A sleeper first holds the cache and then drains the depot: either
	 * that drain found our bucket, or its unlock precedes our lock and we
	 * see the hold.
	 */
	if (uma_unlikely(limit_holds(zone) != 0))
		depot_drain(zone, 0);
}

/* The newest bucket, or the oldest.  NULL when at most keep items are left. */
static struct bucket *
depot_remove(struct depot *d, uint64_t keep, bool oldest)
{
	struct bucket *b = NULL;

	uma_lock_acquire(&d->d_lock);
	if (d->d_items > keep) {
		b = oldest
			? cds_list_entry(d->d_full.prev, struct bucket, ub_link)
			: cds_list_first_entry(
			      &d->d_full, struct bucket, ub_link);
		cds_list_del(&b->ub_link);
		d->d_items -= b->ub_cnt;
		d->d_items_min = uma_min(d->d_items_min, d->d_items);
	}
	uma_lock_release(&d->d_lock);
	return b;
}

struct bucket *
depot_take(struct uma_zone *zone, bool any)
{
	(void)any;
	return depot_remove(&zone->uz_depot, 0, false);
}

void
depot_drain(struct uma_zone *zone, uint64_t keep)
{
	struct bucket *b;

	while ((b = depot_remove(&zone->uz_depot, keep, true)) != NULL)
		zone_release_bucket(zone, b);
}

void
depot_trim(struct uma_zone *zone)
{
	struct depot *d = &zone->uz_depot;

	uma_lock_acquire(&d->d_lock);
	uint64_t keep = d->d_items - d->d_items_min;
	uma_lock_release(&d->d_lock);
	depot_drain(zone, keep);
	uma_lock_acquire(&d->d_lock);
	d->d_items_min = d->d_items;
	uma_lock_release(&d->d_lock);
}

uint64_t
depot_items(struct uma_zone *zone)
{
	struct depot *d = &zone->uz_depot;

	uma_lock_acquire(&d->d_lock);
	uint64_t n = d->d_items;
	uma_lock_release(&d->d_lock);
	return n;
}
