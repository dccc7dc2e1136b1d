/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * supply.c - a zone's buckets: where they come from, how large they are, how
 * many bytes of items they may hold.
 *
 * What can lie in buckets is paid for when a bucket is made, whether it is full
 * or not: capacity times item size, against a cap for the zone and one for the
 * process (vm.uma.zone_cache_max, vm.uma.cache_max).  So however many zones,
 * CPUs, domains and bursts there are, idle memory in caches is bounded.  At the
 * cap a zone takes its own oldest full bucket, whose items go back to their
 * slabs; without one, items go past the caches.
 *
 * A program may lower a zone's cap, in items (uma_zone_set_maxcache), at any
 * time.  A bucket is counted before the cap is looked at, and the cap is stored
 * before the count is looked at, so either the bucket is not made, or the drain
 * that follows is repeated until it is gone; buckets in somebody's hands
 * meanwhile are not loaded.  That is given up after a while, since nobody can
 * tell how long a hook will keep one in hand.
 *
 * Buckets begin at a size for their items, grow where CPUs meet at the depot's
 * lock, and shrink at each reclaim.
 */
#include <errno.h>

#include "pages_int.h"
#include "zone_int.h"

static _Atomic uint64_t supply_bytes; /* the sum of all uz_bucket_bytes */

/* ---- the caps ---- */

static void
supply_give(struct uma_zone *zone, uint64_t bytes)
{
	atomic_fetch_sub_explicit(&supply_bytes, bytes, memory_order_relaxed);
	atomic_fetch_sub_explicit(
	    &zone->uz_bucket_bytes, bytes, memory_order_relaxed);
}

static bool
supply_take(struct uma_zone *zone, uint64_t bytes)
{
	uint64_t all = atomic_fetch_add_explicit(
	    &supply_bytes, bytes, memory_order_relaxed);
	uint64_t mine = atomic_fetch_add(&zone->uz_bucket_bytes, bytes);

	if (uma_likely(all + bytes <= SETTING(cache_max) &&
		       mine + bytes <= SETTING(zone_cache_max) &&
		       mine + bytes <= atomic_load(&zone->uz_bucket_bytes_max)))
		return true;
	supply_give(zone, bytes);
	return false;
}

/* Since the cap was lowered. */
static bool
supply_is_over(struct uma_zone *zone)
{
	return atomic_load(&zone->uz_bucket_bytes) >
	       atomic_load(&zone->uz_bucket_bytes_max);
}

/* The program has set a cap on this zone's cached items. */
static bool
supply_is_capped(struct uma_zone *zone)
{
	return atomic_load_explicit(&zone->uz_bucket_bytes_max,
		   memory_order_relaxed) != UINT64_MAX;
}

/* Items that its cap leaves room for. */
static uint64_t
supply_room(struct uma_zone *zone)
{
	return atomic_load(&zone->uz_bucket_bytes_max) / zone->uz_item_bytes;
}

static uint64_t
bucket_item_bytes(const struct uma_zone *zone, int cap)
{
	return (uint64_t)cap * zone->uz_item_bytes;
}

/* ---- buckets ---- */

/* The zone's oldest bucket, emptied; NULL when the depots are empty. */
static struct bucket *
zone_bucket_recycle(struct uma_zone *zone)
{
	struct bucket *b = depot_take_oldest(zone);

	if (b != NULL)
		zone_release_idle(zone, b);
	return b;
}

/*
 * After the pool could not grow, it is not asked to for a while: a program that
 * is out of memory frees, and no free is to make system calls in vain.
 */
#define SUPPLY_DRY_NS INT64_C(10000000)
static _Atomic int64_t supply_dry_until; /* 0: not dry */

static bool
supply_is_dry(void)
{
	int64_t until =
	    atomic_load_explicit(&supply_dry_until, memory_order_relaxed);

	if (uma_likely(until == 0))
		return false;
	if (uma_now_ns() < until)
		return true;
	atomic_store_explicit(&supply_dry_until, 0, memory_order_relaxed);
	return false;
}

static struct bucket *
supply_bucket(const struct uma_zone *zone, int cap)
{
	bool nogrow =
	    (zone->uz_hot.flags & UMA_ZONE_VM) != 0 || supply_is_dry();
	struct bucket *b = bucket_alloc(cap, nogrow);

	if (b == NULL && !nogrow)
		atomic_store_explicit(&supply_dry_until,
		    uma_now_ns() + SUPPLY_DRY_NS, memory_order_relaxed);
	return b;
}

struct bucket *
zone_bucket_make(struct uma_zone *zone)
{
	uint32_t size =
	    atomic_load_explicit(&zone->uz_bucket_cap, memory_order_relaxed);
	uint32_t most = atomic_load_explicit(
	    &zone->uz_watermark.wm_bucket_cap, memory_order_relaxed);
	/* One that is larger would never be loaded. */
	int cap = (int)uma_max(uma_min(size, most), (uint32_t)1);

	if (!supply_take(zone, bucket_item_bytes(zone, cap)))
		return NULL;
	struct bucket *b = supply_bucket(zone, cap);
	if (b == NULL)
		supply_give(zone, bucket_item_bytes(zone, cap));
	return b;
}

struct bucket *
zone_bucket_alloc(struct uma_zone *zone)
{
	struct bucket *b = zone_bucket_make(zone);

	return b != NULL ? b : zone_bucket_recycle(zone);
}

void
zone_bucket_free(struct uma_zone *zone, struct bucket *b)
{
	supply_give(zone, bucket_item_bytes(zone, b->ub_cap));
	bucket_free(b);
}

uint32_t
zone_bucket_cap_first(const struct uma_zone *zone)
{
	return zone->uz_hot.flags & UMA_ZONE_MAXBUCKET
		   ? BUCKET_CAP_MAX
		   : (uint32_t)bucket_cap_for(zone->uz_item_bytes);
}

/* Racing changes may get lost: the size is a hint. */
static void
zone_bucket_set_cap(struct uma_zone *zone, uint32_t cap)
{
	atomic_store_explicit(&zone->uz_bucket_cap, cap, memory_order_relaxed);
}

void
zone_bucket_size(struct uma_zone *zone)
{
	uint64_t first = zone_bucket_cap_first(zone);
	uint64_t least = BUCKET_CAP(UMA_CACHE_LINE), room = UINT64_MAX;
	uint64_t limit = (uint64_t)uma_zone_get_max(zone);

	if (supply_is_capped(zone)) {
		room = supply_room(zone);
		least = uma_max(uma_min(least, room), (uint64_t)1);
	}
	if (limit != 0)
		room = uma_min(room, limit);
	room /= 4 * (uint64_t)pages_cpu_cnt();
	uint64_t cap = uma_max(uma_min(first, room), least);
	uint32_t most = atomic_load(&zone->uz_watermark.wm_bucket_cap);
	zone_bucket_set_cap(
	    zone, uma_max((uint32_t)uma_min(cap, (uint64_t)most), (uint32_t)1));
}

void
zone_bucket_grow(struct uma_zone *zone)
{
	uint32_t cap =
	    atomic_load_explicit(&zone->uz_bucket_cap, memory_order_relaxed);

	if (cap < BUCKET_CAP_MAX && uma_zone_get_max(zone) == 0 &&
	    cap < atomic_load(&zone->uz_watermark.wm_bucket_cap) &&
	    cap < supply_room(zone) / (4 * (uint64_t)pages_cpu_cnt()))
		zone_bucket_set_cap(zone, cap + 1);
}

void
zone_bucket_shrink(struct uma_zone *zone, bool much)
{
	uint32_t cap =
	    atomic_load_explicit(&zone->uz_bucket_cap, memory_order_relaxed);
	uint32_t first = zone_bucket_cap_first(zone);

	if (cap > first)
		zone_bucket_set_cap(
		    zone, much ? first + (cap - first) / 2 : cap - 1);
}

/* ---- from and to the CPUs ---- */

/* ub_cpu of what comes from the keg; every depot gives a bucket another. */
#define CPU_FRESH (-1)

/* Full buckets without a place go to the depots, empty ones are freed. */
static void
zone_dispose(struct uma_zone *zone, struct cds_list_head *surplus,
    const struct bucket *unwanted)
{
	struct bucket *b, *next;

	cds_list_for_each_entry_safe (b, next, surplus, ub_link) {
		if (b->ub_cnt == 0)
			zone_bucket_free(zone, b);
		else if (b != unwanted)
			zone_put_bucket(zone, b, PUT_FREED);
		else
			zone_put_bucket(zone, b,
			    b->ub_cpu == CPU_FRESH ? PUT_NEW : PUT_BACK);
	}
	tick_check();
}

void
zone_load(struct uma_zone *zone, enum cache_want want, struct bucket *b)
{
	CDS_LIST_HEAD(surplus);

	if (uma_unlikely(supply_is_over(zone) ||
			 b->ub_cap > atomic_load_explicit(
					 &zone->uz_watermark.wm_bucket_cap,
					 memory_order_relaxed))) {
		zone_release_bucket(zone, b);
		return;
	}
	if (want == CACHE_EMPTY)
		atomic_fetch_add_explicit(
		    &zone->uz_refills, 1, memory_order_relaxed);
	cache_load(&zone->uz_cache, want, b, &surplus);
	/* In a bucket for a CPU that frees there are freed items. */
	zone_dispose(zone, &surplus, want == CACHE_EMPTY ? b : NULL);
}

bool
zone_turn(struct uma_zone *zone, enum cache_want want)
{
	CDS_LIST_HEAD(surplus);
	bool again = cache_turn(&zone->uz_cache, want, &surplus);

	zone_dispose(zone, &surplus, NULL);
	return again;
}

/* ---- from and to the keg ---- */

/* Items fresh from the keg into an empty bucket, as the limit leaves them. */
static bool
zone_fill(struct uma_zone *zone, struct bucket *b, int flags, int *error)
{
	total_check();
	int n = (int)limit_take(zone, b->ub_cap);
	if (n > 0) {
		int got = keg_import(zone->uz_keg, &b->ub_slot[1], n,
		    zone_import_domain(zone), flags, error);

		limit_give(zone, (uint64_t)(n - got));
		b->ub_cnt = (uint16_t)got;
		b->ub_cpu = CPU_FRESH;
	}
	return b->ub_cnt > 0;
}

/*
 * A bucket of other domains' items.  If the keg was not asked, for want of a
 * bucket, the items go home and near ones take their places.
 */
static struct bucket *
zone_fetch_far(
    struct uma_zone *zone, int domain, bool asked, int flags, int *error)
{
	struct bucket *b = NULL;

	for (int k = 1; b == NULL && k < zone->uz_domains; k++)
		b = depot_take(zone, (domain + k) % zone->uz_domains, true);
	if (b == NULL || asked)
		return b;
	zone_release(zone, &b->ub_slot[1], b->ub_cnt);
	b->ub_cnt = 0;
	if (zone_fill(zone, b, flags, error))
		return b;
	zone_bucket_free(zone, b);
	return NULL;
}

struct bucket *
zone_fetch_bucket(struct uma_zone *zone, int flags, int *error)
{
	int domain = zone_domain(zone);

	sample_check();
	struct bucket *b = depot_take(zone, domain, false);
	bool asked = false;

	if (b == NULL && (b = zone_bucket_make(zone)) != NULL) {
		asked = true;
		if (!zone_fill(zone, b, flags, error)) {
			zone_bucket_free(zone, b);
			b = NULL;
		}
	}
	/* Cold items, and in the end far ones, are better than none. */
	if (b == NULL)
		b = depot_take(zone, domain, true);
	if (b == NULL && zone->uz_domains > 1)
		b = zone_fetch_far(zone, domain, asked, flags, error);
	if (b == NULL)
		return NULL;
	/* A batch that an init cut short serves the caller all the same. */
	*error = 0;
	probe_bucket_refill(
	    zone->uz_name, zone, b->ub_cnt, b->ub_cpu == CPU_FRESH);
	return b;
}

void
zone_release(struct uma_zone *zone, void **items, int n)
{
	keg_release(zone->uz_keg, zone->uz_name, items, n);
	limit_give(zone, (uint64_t)n);
}

void
zone_release_bucket(struct uma_zone *zone, struct bucket *b)
{
	if (b->ub_cnt > 0) {
		probe_bucket_release(zone->uz_name, zone, b->ub_cnt);
		zone_release(zone, &b->ub_slot[1], b->ub_cnt);
	}
	zone_bucket_free(zone, b);
}

void
zone_release_idle(struct uma_zone *zone, struct bucket *b)
{
	probe_bucket_release(zone->uz_name, zone, b->ub_cnt);
	keg_release(zone->uz_keg, zone->uz_name, &b->ub_slot[1], b->ub_cnt);
	limit_give_idle(zone, b->ub_cnt);
	b->ub_cnt = 0;
}

/* ---- the cap that a program sets ---- */

#define OVER_TRIES  100
#define OVER_NAP_NS INT64_C(1000000)

void
uma_zone_set_maxcache(uma_zone_t zone, int nitems)
{
	static _Atomic uint32_t never;

	if (nitems < 0) {
		errno = EINVAL;
		return;
	}
	/* The setting may be smaller, and have the say, as long as it is. */
	atomic_store(&zone->uz_bucket_bytes_max,
	    nitems == INT_MAX ? UINT64_MAX
			      : (uint64_t)nitems * zone->uz_item_bytes);
	zone_bucket_size(zone);
	for (int k = 0; k < OVER_TRIES && supply_is_over(zone); k++) {
		if (k > 0)
			uma_wait(&never, 0, OVER_NAP_NS);
		zone_drain(zone);
	}
	watermark_look(zone);
}
