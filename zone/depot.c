/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * depot.c - a zone's buckets with items in them, between the CPUs and the keg.
 *
 * What a CPU freed itself comes back to it last in, first out, so that it is
 * still warm.  What another CPU freed is warm there and costs a transfer a
 * line, so that it is left to cool: a CPU takes such a bucket only when more
 * than a backlog of them waits, the oldest first, and has its items made from
 * slabs until then.
 *
 * What has not been needed since the last trim is at the old end.  The estimate
 * of the working set is the fewest items there were in that time (Bonwick and
 * Adams, "Magazines and Vmem", 2001, section 3.6).
 */
#include "zone_int.h"

#define DEPOT_BACKLOG (512 << 10) /* bytes of items that cool */
#define DEPOT_LOOK    8 /* buckets looked at for one of our own */

void
depot_init(struct depot *d)
{
	uma_lock_init(&d->d_lock, UMA_RANK_DEPOT);
	CDS_INIT_LIST_HEAD(&d->d_full);
}

/* Where CPUs meet at the lock, larger buckets bring them there less often. */
static void
depot_lock(struct uma_zone *zone)
{
	if (uma_likely(uma_lock_try(&zone->uz_depot.d_lock)))
		return;
	zone_bucket_grow(zone);
	uma_lock_acquire(&zone->uz_depot.d_lock);
}

static void
depot_unlock(struct uma_zone *zone)
{
	uma_lock_release(&zone->uz_depot.d_lock);
}

void
depot_put(struct uma_zone *zone, struct bucket *b)
{
	struct depot *d = &zone->uz_depot;

	b->ub_cpu = percpu_cpu();
	depot_lock(zone);
	cds_list_add(&b->ub_link, &d->d_full);
	d->d_items += b->ub_cnt;
	depot_unlock(zone);
	/*
	 * A sleeper first holds the cache and then drains the depot: either
	 * that drain found our bucket, or its unlock precedes our lock and we
	 * see the hold.
	 */
	if (uma_unlikely(limit_holds(zone) != 0))
		depot_drain(zone, 0);
}

/* Locked.  b may be NULL. */
static struct bucket *
depot_remove(struct depot *d, struct bucket *b)
{
	uma_lock_assert_held(&d->d_lock);
	if (b == NULL)
		return NULL;
	cds_list_del(&b->ub_link);
	d->d_items -= b->ub_cnt;
	d->d_items_min = uma_min(d->d_items_min, d->d_items);
	return b;
}

/* The oldest bucket if there are more than keep items.  Locked. */
static struct bucket *
depot_oldest(struct depot *d, uint64_t keep)
{
	return d->d_items > keep
		   ? cds_list_entry(d->d_full.prev, struct bucket, ub_link)
		   : NULL;
}

/* The newest bucket that this CPU brought, not far from the top.  Locked. */
static struct bucket *
depot_own(struct depot *d)
{
	int cpu = percpu_cpu(), looked = 0;
	struct bucket *b;

	cds_list_for_each_entry (b, &d->d_full, ub_link) {
		if (b->ub_cpu == cpu)
			return b;
		if (++looked == DEPOT_LOOK)
			break;
	}
	return NULL;
}

struct bucket *
depot_take(struct uma_zone *zone, bool any)
{
	struct depot *d = &zone->uz_depot;
	uint64_t backlog = any ? 0 : DEPOT_BACKLOG / zone->uz_item_bytes;

	depot_lock(zone);
	struct bucket *b = depot_own(d);
	if (b == NULL)
		b = depot_oldest(d, backlog);
	depot_remove(d, b);
	depot_unlock(zone);
	return b;
}

static struct bucket *
depot_take_above(struct uma_zone *zone, uint64_t keep)
{
	struct depot *d = &zone->uz_depot;

	uma_lock_acquire(&d->d_lock);
	struct bucket *b = depot_remove(d, depot_oldest(d, keep));
	uma_lock_release(&d->d_lock);
	return b;
}

struct bucket *
depot_take_oldest(struct uma_zone *zone)
{
	return depot_take_above(zone, 0);
}

void
depot_drain(struct uma_zone *zone, uint64_t keep)
{
	struct bucket *b;

	while ((b = depot_take_above(zone, keep)) != NULL)
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
