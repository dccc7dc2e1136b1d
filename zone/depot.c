/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * depot.c - a zone's buckets with items in them, between the CPUs and the keg;
 * a depot for each NUMA domain.
 *
 * What a CPU freed itself comes back to it last in, first out, so that it is
 * still warm.  What another CPU freed is warm there and costs a transfer a
 * line, so that it is left to cool: a CPU takes such a bucket only when more
 * than a backlog of them waits, the oldest first, and has its items made from
 * slabs until then.  What has not been needed is thus at the old end.
 *
 * Items that other domains' CPUs freed come one by one (domain.c) and gather in
 * d_cross, which joins the buckets when it is full.  Until then it is the last
 * one to be taken.
 *
 * The working set.  What of a depot is worth keeping is what allocations will
 * take out of it before frees refill it: a batch.  Frees say nothing: a program
 * that gives up a large cache will not want it back as fast.  So, within a
 * period (vm.uma.reclaim_period) or between two reclaims,
 *
 *     ws_max  is the most items that there were, ws_min the fewest,
 *     ws_low  the fewest since that most: ws_max - ws_low is the batch,
 *
 * a new maximum begins another batch, and at the end, with the largest batch,
 *
 *     ws_size = max(3/4 ws_size, batch)
 *
 * UMA_RECLAIM_TRIM leaves the larger of ws_size and of what was used since the
 * last update, items - ws_min; as every reclaim is an update, one after the
 * other bites deeper, and nothing is given away that was needed just now.
 *
 * What is not asked for is given back by time.  ws_idle follows the idle items,
 * ws_min - ws_size: down at once, up by 1/256 of the way a period.  When it has
 * not been 0 for 45 periods, each further one gives back a quarter of it.
 *
 * A reclaim's taking is no allocation, and what a CPU was to have and did not
 * want is no free: these shift all marks, and change no difference of them.  A
 * bucket that came from the depot and comes back unused is a free; the batch is
 * too large by it at most, until the next update.
 *
 * After FreeBSD review D29790, 2021, which replaced the decaying difference of
 * most and fewest items of D16666, 2018; the idea is of Bonwick and Adams,
 * "Magazines and Vmem", 2001, section 3.6.
 */
#include "zone_int.h"

#define DEPOT_BACKLOG (512 << 10) /* bytes of items that cool */
#define DEPOT_LOOK    8 /* buckets looked at for one of our own */
#define DEPOT_TICK    64 /* buckets released in a tick, at most */

#define WSET_IDLE_RISE	  256 /* a part of the way, each period */
#define WSET_IDLE_PERIODS 45 /* before idle items go by themselves */
#define WSET_IDLE_PART	  4 /* of them goes at once */

/* From first to end: the depots that a domain, or UMA_ANYDOMAIN, stands for. */
static struct depot *
depot_first(struct uma_zone *zone, int domain)
{
	return &zone->uz_depot[domain == UMA_ANYDOMAIN ? 0 : domain];
}

static struct depot *
depot_end(struct uma_zone *zone, int domain)
{
	return &zone->uz_depot[domain == UMA_ANYDOMAIN ? zone->uz_domains
						       : domain + 1];
}

void
depot_init(struct depot *d)
{
	uma_lock_init(&d->d_lock, UMA_RANK_DEPOT);
	CDS_INIT_LIST_HEAD(&d->d_full);
}

/* Where CPUs meet at the lock, larger buckets bring them there less often. */
static void
depot_lock(struct uma_zone *zone, struct depot *d)
{
	if (uma_likely(uma_lock_try(&d->d_lock)))
		return;
	zone_bucket_grow(zone);
	uma_lock_acquire(&d->d_lock);
}

/* ---- the working set; all of it locked ---- */

static void
wset_end_batch(struct wset *ws)
{
	ws->ws_batch = uma_max(ws->ws_batch, ws->ws_max - ws->ws_low);
}

/* Items were added, and there are n now. */
static void
wset_rise(struct wset *ws, uint64_t n)
{
	if (n <= ws->ws_max)
		return;
	wset_end_batch(ws);
	ws->ws_max = ws->ws_low = n;
}

/* Items were allocated, and n are left. */
static void
wset_fall(struct wset *ws, uint64_t n)
{
	ws->ws_min = uma_min(ws->ws_min, n);
	ws->ws_low = uma_min(ws->ws_low, n);
}

/* n items came that nobody freed. */
static void
wset_shift_up(struct wset *ws, uint64_t n)
{
	ws->ws_max += n;
	ws->ws_min += n;
	ws->ws_low += n;
}

static uint64_t
minus(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

/* n items went that nobody allocated; what is known of a batch stays known. */
static void
wset_shift_down(struct wset *ws, uint64_t n)
{
	if (ws->ws_low < n)
		wset_end_batch(ws);
	ws->ws_max -= n;
	ws->ws_min = minus(ws->ws_min, n);
	ws->ws_low = minus(ws->ws_low, n);
}

/*
 * Begin anew with items, at the end of a period or at a reclaim in it.  Returns
 * how many of them are to be kept.
 */
static uint64_t
wset_update(struct wset *ws, uint64_t items, bool period)
{
	uint64_t used = items - ws->ws_min;

	wset_end_batch(ws);
	ws->ws_size =
	    uma_max(ws->ws_size - (ws->ws_size + 3) / 4, ws->ws_batch);
	ws->ws_batch = 0;
	uint64_t idle = minus(ws->ws_min, ws->ws_size);
	if (idle < ws->ws_idle)
		ws->ws_idle = idle;
	else if (period)
		ws->ws_idle +=
		    (idle - ws->ws_idle + WSET_IDLE_RISE - 1) / WSET_IDLE_RISE;
	if (ws->ws_idle == 0)
		ws->ws_idle_periods = 0;
	else if (period)
		ws->ws_idle_periods++;
	ws->ws_max = ws->ws_min = ws->ws_low = items;
	return uma_max(ws->ws_size, used);
}

/* ---- buckets in and out; all of it locked ---- */

/* n items have come. */
static void
depot_count(struct uma_zone *zone, struct depot *d, uint64_t n, enum put how)
{
	uma_lock_assert_held(&d->d_lock);
	d->d_items += n;
	watermark_fall(zone, n);
	if (how == PUT_NEW)
		wset_shift_up(&d->d_ws, n);
	else
		wset_rise(&d->d_ws, d->d_items);
}

/* b may be NULL. */
static struct bucket *
depot_remove(struct depot *d, struct bucket *b)
{
	uma_lock_assert_held(&d->d_lock);
	if (b == NULL)
		return NULL;
	if (b == d->d_cross)
		d->d_cross = NULL;
	else
		cds_list_del(&b->ub_link);
	d->d_items -= b->ub_cnt;
	return b;
}

/* The oldest bucket if there are more than keep items. */
static struct bucket *
depot_oldest(struct depot *d, uint64_t keep)
{
	if (d->d_items <= keep)
		return NULL;
	if (cds_list_empty(&d->d_full))
		return d->d_cross;
	return cds_list_entry(d->d_full.prev, struct bucket, ub_link);
}

/* The newest bucket that this CPU brought, not far from the top. */
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

/* ---- from the CPUs ---- */

void
depot_put(
    struct uma_zone *zone, int domain, struct bucket *b, int cpu, enum put how)
{
	struct depot *d = &zone->uz_depot[domain];

	b->ub_cpu = cpu;
	depot_lock(zone, d);
	cds_list_add(&b->ub_link, &d->d_full);
	depot_count(zone, d, b->ub_cnt, how);
	uma_lock_release(&d->d_lock);
}

/*
 * As many items as there is room for, in d_cross and in *spare, which is taken
 * when it is needed.
 */
static int
depot_pour(struct uma_zone *zone, struct depot *d, void *const *items, int n,
    struct bucket **spare, enum put how)
{
	int put = 0;

	uma_lock_acquire(&d->d_lock);
	while (put < n) {
		struct bucket *b = d->d_cross;

		if (b == NULL) {
			if (*spare == NULL)
				break;
			b = d->d_cross = *spare;
			*spare = NULL;
		}
		while (put < n && b->ub_cnt < b->ub_cap)
			bucket_push(b, items[put++]);
		if (b->ub_cnt == b->ub_cap) {
			d->d_cross = NULL;
			b->ub_cpu = percpu_cpu();
			cds_list_add(&b->ub_link, &d->d_full);
		}
	}
	depot_count(zone, d, (uint64_t)put, how);
	uma_lock_release(&d->d_lock);
	return put;
}

void
depot_add(struct uma_zone *zone, int domain, void **items, int n,
    struct bucket **spare, enum put how)
{
	struct depot *d = &zone->uz_depot[domain];
	int put = depot_pour(zone, d, items, n, spare, how);

	while (put < n) {
		*spare = zone_bucket_make(zone);
		if (*spare == NULL) {
			zone_release(zone, items + put, n - put);
			return;
		}
		put += depot_pour(zone, d, items + put, n - put, spare, how);
	}
}

/* ---- to the CPUs ---- */

struct bucket *
depot_take(struct uma_zone *zone, int domain, bool any)
{
	struct depot *d = &zone->uz_depot[domain];
	uint64_t backlog = any ? 0 : DEPOT_BACKLOG / zone->uz_item_bytes;

	depot_lock(zone, d);
	struct bucket *b = depot_own(d);
	if (b == NULL)
		b = depot_oldest(d, backlog);
	if (depot_remove(d, b) != NULL)
		watermark_rise(zone, b->ub_cnt);
	wset_fall(&d->d_ws, d->d_items);
	uma_lock_release(&d->d_lock);
	return b;
}

void *
depot_take_item(struct uma_zone *zone, int domain)
{
	struct depot *d = &zone->uz_depot[domain];
	void *item = NULL;

	depot_lock(zone, d);
	struct bucket *b = depot_oldest(d, 0);
	if (b != NULL) {
		item = bucket_pop(b);
		d->d_items--;
		watermark_rise(zone, 1);
		wset_fall(&d->d_ws, d->d_items);
		if (b->ub_cnt == 0)
			depot_remove(d, b);
		else
			b = NULL;
	}
	uma_lock_release(&d->d_lock);
	if (b != NULL)
		zone_bucket_free(zone, b);
	return item;
}

/* ---- to the keg ---- */

/* The oldest bucket if it has at most that many items; not allocated. */
static struct bucket *
depot_take_idle(struct depot *d, uint64_t most)
{
	uma_lock_acquire(&d->d_lock);
	struct bucket *b = depot_oldest(d, 0);
	if (b != NULL && b->ub_cnt > most)
		b = NULL;
	if (depot_remove(d, b) != NULL)
		wset_shift_down(&d->d_ws, b->ub_cnt);
	uma_lock_release(&d->d_lock);
	return b;
}

static void
depot_release(struct uma_zone *zone, struct bucket *b)
{
	zone_release_idle(zone, b);
	zone_bucket_free(zone, b);
}

struct bucket *
depot_take_oldest(struct uma_zone *zone)
{
	int domain = zone_domain(zone);
	struct bucket *b = NULL;

	for (int k = 0; b == NULL && k < zone->uz_domains; k++)
		b = depot_take_idle(
		    &zone->uz_depot[(domain + k) % zone->uz_domains],
		    UINT64_MAX);
	return b;
}

void
depot_drain(struct uma_zone *zone, int domain)
{
	struct bucket *b;

	for (struct depot *d = depot_first(zone, domain);
	     d < depot_end(zone, domain); d++)
		while ((b = depot_take_idle(d, UINT64_MAX)) != NULL)
			depot_release(zone, b);
}

/* Release the oldest buckets, want items if possible, and never above most. */
static void
depot_shrink(struct uma_zone *zone, struct depot *d, uint64_t want,
    uint64_t most, int buckets)
{
	struct bucket *b;

	while (want > 0 && buckets-- > 0 &&
	       (b = depot_take_idle(d, most)) != NULL) {
		want = minus(want, b->ub_cnt);
		most -= b->ub_cnt;
		depot_release(zone, b);
	}
}

void
depot_trim(struct uma_zone *zone, int domain)
{
	for (struct depot *d = depot_first(zone, domain);
	     d < depot_end(zone, domain); d++) {
		uma_lock_acquire(&d->d_lock);
		uint64_t keep = wset_update(&d->d_ws, d->d_items, false);
		uint64_t excess = minus(d->d_items, keep);
		uma_lock_release(&d->d_lock);
		depot_shrink(zone, d, excess, excess, INT_MAX);
	}
}

void
depot_tick(struct uma_zone *zone)
{
	for (struct depot *d = depot_first(zone, UMA_ANYDOMAIN);
	     d < depot_end(zone, UMA_ANYDOMAIN); d++) {
		uma_lock_acquire(&d->d_lock);
		wset_update(&d->d_ws, d->d_items, true);
		uint64_t idle = d->d_ws.ws_idle_periods > WSET_IDLE_PERIODS
				    ? d->d_ws.ws_idle
				    : 0;
		uma_lock_release(&d->d_lock);
		depot_shrink(zone, d,
		    (idle + WSET_IDLE_PART - 1) / WSET_IDLE_PART, idle,
		    DEPOT_TICK);
	}
}

uint64_t
depot_items(struct uma_zone *zone, int domain)
{
	uint64_t n = 0;

	for (struct depot *d = depot_first(zone, domain);
	     d < depot_end(zone, domain); d++) {
		uma_lock_acquire(&d->d_lock);
		n += d->d_items;
		uma_lock_release(&d->d_lock);
	}
	return n;
}

uint64_t
depot_wset(struct uma_zone *zone, int domain, struct wset *ws)
{
	struct depot *d = &zone->uz_depot[domain];

	uma_lock_acquire(&d->d_lock);
	uint64_t items = d->d_items;
	*ws = d->d_ws;
	uma_lock_release(&d->d_lock);
	return items;
}
