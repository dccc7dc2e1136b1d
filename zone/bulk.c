/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bulk.c - many items in one call: one commit for what lies in a CPU's bucket,
 * whole buckets past it.
 *
 * A call that may sleep must not sleep with items in hand: two such callers at
 * a limit could wait for each other for ever.  So it gathers what there is,
 * gives all back if that is not enough, waits until one item is to be had, and
 * begins again.  One may be to be had all the time while n are not, so that
 * after its second vain try, and each later one, it also lets time pass.
 */
#include <errno.h>

#include "pages_int.h"
#include "zone_int.h"

/* Within this CPU's bucket; how many. */
#if UMA_HAVE_SEQ
#define HIT_POP_BULK(zone, items, n) \
	((int)uma_seq_pop_bulk(&(zone)->uz_hot.cache, items, n))
#define HIT_PUSH_BULK(zone, items, n) \
	((int)uma_seq_push_bulk(&(zone)->uz_hot.cache, items, n))
#else
#define HIT_POP_BULK(zone, items, n)  0
#define HIT_PUSH_BULK(zone, items, n) 0
#endif

#define BACK_OFF_FIRST_NS   INT64_C(1000000)
#define BACK_OFF_LONGEST_NS INT64_C(10000000)

/* Items from a bucket, and the rest of it where this CPU finds it. */
static int
bulk_take(struct uma_zone *zone, struct bucket *b, void **items, int n)
{
	int got = 0;

	while (got < n && b->ub_cnt > 0)
		items[got++] = bucket_pop(b);
	atomic_fetch_add_explicit(
	    &zone->uz_allocs, (uint64_t)got, memory_order_relaxed);
	zone_load(zone, CACHE_EMPTY, b);
	return got;
}

/* Up to n items out of this CPU's buckets, the depot and the keg. */
static int
bulk_gather_cached(
    struct uma_zone *zone, void **items, int n, int flags, int *error)
{
	int got = 0;

	while (got < n && cache_enabled(&zone->uz_cache)) {
		got += cache_pop_bulk(&zone->uz_cache, items + got, n - got);
		if (got == n)
			break;
		if (zone_turn(zone, CACHE_EMPTY))
			continue;
		struct bucket *b = zone_fetch_bucket(zone, flags, error);
		if (b == NULL)
			break;
		got += bulk_take(zone, b, items + got, n - got);
	}
	return got;
}

/* Up to n straight from the keg, as far as limit and memory go; counted. */
static int
bulk_import(struct uma_zone *zone, void **items, int n, int flags, int *error)
{
	sample_check();
	total_check();
	int units = (int)limit_take(zone, (uint64_t)uma_min(n, KEG_BATCH_MAX));
	if (units == 0)
		return 0;
	int got = keg_import(
	    zone->uz_keg, items, units, zone_import_domain(zone), flags, error);
	limit_give(zone, (uint64_t)(units - got));
	atomic_fetch_add_explicit(
	    &zone->uz_allocs, (uint64_t)got, memory_order_relaxed);
	return got;
}

/* One item for which everybody's caches are emptied; counted. */
static int
bulk_force(struct uma_zone *zone, void **items, int flags, int *error)
{
	items[0] =
	    zone_alloc_item(zone, UMA_ANYDOMAIN, flags, UNTIL_NEVER, error);
	if (items[0] == NULL)
		return 0;
	atomic_fetch_add_explicit(&zone->uz_allocs, 1, memory_order_relaxed);
	return 1;
}

/*
 * More items, to have n when got are there: from the caches, then from the keg,
 * and at the least number of them by force.  Never sleeps.  How many there are
 * then, counted, not constructed; *error is a hook's errno, or 0.
 */
static int
bulk_gather(struct uma_zone *zone, void **items, int n, int got, int least,
    int flags, int *error)
{
	int once = (flags & ~M_WAITOK) | M_NOWAIT;

	*error = 0;
	got += bulk_gather_cached(zone, items + got, n - got, once, error);
	while (got < n && *error == 0) {
		int more = bulk_import(zone, items + got, n - got, once, error);

		if (more == 0 && *error == 0 && got < least)
			more = bulk_force(zone, items + got, once, error);
		if (more == 0)
			break;
		got += more;
	}
	return got;
}

/* As if they had never been taken. */
static void
bulk_undo(struct uma_zone *zone, void **items, int n)
{
	atomic_fetch_sub_explicit(
	    &zone->uz_allocs, (uint64_t)n, memory_order_relaxed);
	for (int k = 0; k < n; k += KEG_BATCH_MAX)
		zone_release(zone, items + k, uma_min(n - k, KEG_BATCH_MAX));
}

/* Construct them; how many before the first ctor that failed. */
static int
bulk_construct(
    struct uma_zone *zone, void **items, int n, int flags, int *error)
{
	if (zone->uz_ctor == NULL && !(flags & M_ZERO))
		return n;
	for (int k = 0; k < n; k++) {
		*error = item_construct(zone, items[k], NULL, flags);
		if (*error != 0)
			return k;
	}
	return n;
}

static void
bulk_destruct(struct uma_zone *zone, void **items, int n)
{
	uma_dtor dtor = zone->uz_dtor;

	for (int k = 0; dtor != NULL && k < n; k++) {
		if (uma_unlikely(zone->uz_check))
			keg_check(
			    zone->uz_keg, zone->uz_name, "free", items[k]);
		dtor(items[k], (int)zone->uz_hot.size, NULL);
	}
}

/* They are the program's, all of them. */
static void
bulk_sample(struct uma_zone *zone, void **items, int n)
{
	if (uma_likely(!(zone_watch(zone) & WATCH_SAMPLE)))
		return;
	for (int k = 0; k < n; k++)
		sample_alloc(zone, items[k]);
}

static void
bulk_sample_free(struct uma_zone *zone, void **items, int n)
{
	if (uma_likely(!(zone_watch(zone) & WATCH_SAMPLE)))
		return;
	for (int k = 0; k < n; k++)
		sample_free(zone, items[k]);
}

static int
bulk_fail(struct uma_zone *zone, int error)
{
	watermark_look(zone);
	zalloc_failed(zone, error);
	return 0;
}

/* Others' frees are what helps, and only trying tells whether it was enough. */
static void
bulk_back_off(struct uma_zone *zone, int tries)
{
	static _Atomic uint32_t never;

	if (tries == 0)
		return;
	if (tries == 1)
		atomic_fetch_add_explicit(
		    &zone->uz_sleeps, 1, memory_order_relaxed);
	int64_t ns = BACK_OFF_FIRST_NS << uma_min(tries - 1, 10);
	probe_sleep(zone->uz_name, zone, PROBE_SLEEP_LIMIT);
	uma_wait(&never, 0, uma_min(ns, BACK_OFF_LONGEST_NS));
	probe_wakeup(zone->uz_name, zone, PROBE_SLEEP_LIMIT, true);
}

/*
 * Wait until one item is to be had, and leave it where the next try finds it.
 * False: it will never be enough, or an init failed.
 */
static bool
bulk_wait(struct uma_zone *zone, int n, int flags, int tries, int *error)
{
	int max = uma_zone_get_max(zone);

	if ((flags & M_NOWAIT) || (max != 0 && n > max))
		return false;
	void *item =
	    zone_alloc_item(zone, UMA_ANYDOMAIN, flags, UNTIL_NEVER, error);
	if (item == NULL)
		return false;
	zone_release(zone, &item, 1);
	bulk_back_off(zone, tries);
	return true;
}

/* n of 0 is a hit. */
static bool
bulk_args_valid(void **items, int n)
{
	if (n > 0 && items != NULL)
		return true;
	errno = EINVAL;
	return false;
}

/* Up to n items that need no more than to be taken. */
static inline int
bulk_hit(struct uma_zone *zone, void **items, int n, int flags)
{
	if (uma_likely((uint32_t)flags < zone_flags_below(zone) && n > 0 &&
		       items != NULL))
		return HIT_POP_BULK(zone, items, n);
	return 0;
}

/* The first got are there, as they are in what follows. */
static UMA_COLD int
zalloc_bulk_miss(struct uma_zone *zone, void **items, int n, int flags, int got)
{
	int error, saved = errno;

	if (!bulk_args_valid(items, n))
		return 0;
	flags = zalloc_check_flags(zone, flags);
	zalloc_check_alive(zone);
	for (int tries = 0;; tries++) {
		got = bulk_gather(zone, items, n, got, n, flags, &error);
		if (got == n)
			break;
		bulk_undo(zone, items, got);
		maxaction_run(zone);
		got = 0;
		if (error != 0 || !bulk_wait(zone, n, flags, tries, &error))
			return bulk_fail(zone, error);
	}
	watermark_look(zone);
	errno = saved;
	int built = bulk_construct(zone, items, n, flags, &error);
	if (uma_likely(built == n)) {
		bulk_sample(zone, items, n);
		return n;
	}
	bulk_destruct(zone, items, built);
	bulk_undo(zone, items, n);
	return bulk_fail(zone, error);
}

int
uma_zalloc_bulk(uma_zone_t zone, void **items, int n, int flags)
{
	int got = bulk_hit(zone, items, n, flags);

	if (uma_likely(got == n))
		return n;
	return zalloc_bulk_miss(zone, items, n, flags, got);
}

static UMA_COLD int
zalloc_burst_miss(
    struct uma_zone *zone, void **items, int n, int flags, int got)
{
	int error, saved = errno;

	if (!bulk_args_valid(items, n))
		return 0;
	flags = zalloc_check_flags(zone, flags);
	zalloc_check_alive(zone);
	/* Others lose what they have cached for the first item only. */
	got = bulk_gather(zone, items, n, got, 1, flags, &error);
	if (got == 0 && (flags & M_WAITOK) && error == 0) {
		items[0] = uma_zalloc(zone, flags);
		return items[0] != NULL;
	}
	watermark_look(zone);
	errno = saved;
	int built = bulk_construct(zone, items, got, flags, &error);
	if (built < got) {
		bulk_undo(zone, items + built, got - built);
		watermark_look(zone);
	}
	bulk_sample(zone, items, built);
	return built > 0 ? built : bulk_fail(zone, error);
}

int
uma_zalloc_burst(uma_zone_t zone, void **items, int n, int flags)
{
	int got = bulk_hit(zone, items, n, flags);

	if (uma_likely(got == n))
		return n;
	return zalloc_burst_miss(zone, items, n, flags, got);
}

/* ---- free ---- */

/* A bucket of our own for the depot, filled from items; how many went in. */
static int
bulk_fill(struct uma_zone *zone, void *const *items, int n)
{
	struct bucket *b = zone_bucket_alloc(zone);
	int put = 0;

	if (b == NULL)
		return 0;
	while (put < n && b->ub_cnt < b->ub_cap)
		bucket_push(b, items[put++]);
	zone_load(zone, CACHE_FULL, b);
	return put;
}

/* Items, none of them NULL, their dtor run, go back. */
static void
bulk_give(struct uma_zone *zone, void **items, int n)
{
	int put = 0;

	while (put < n && cache_enabled(&zone->uz_cache)) {
		put += cache_push_bulk(&zone->uz_cache, items + put, n - put);
		if (put == n || zone_turn(zone, CACHE_FULL))
			continue;
		int filled = bulk_fill(zone, items + put, n - put);
		if (filled == 0)
			break;
		put += filled;
	}
	for (; put < n; put += KEG_BATCH_MAX)
		zone_release(
		    zone, items + put, uma_min(n - put, KEG_BATCH_MAX));
}

static UMA_COLD void
zfree_bulk_miss(struct uma_zone *zone, void **items, int n)
{
	int saved = errno;

	for (int from = 0, to; from < n; from = to + 1) {
		for (to = from; to < n && items[to] != NULL; to++)
			;
		if (to == from)
			continue;
		zfree_check_alive(zone, items[from]);
		bulk_destruct(zone, items + from, to - from);
		bulk_sample_free(zone, items + from, to - from);
		bulk_give(zone, items + from, to - from);
	}
	watermark_look(zone);
	errno = saved;
}

void
uma_zfree_bulk(uma_zone_t zone, void **items, int n)
{
	int put = 0;

	/* item_least: no dtor. */
	if (uma_likely(zone_item_least(zone) == 1 && n > 0)) {
		put = HIT_PUSH_BULK(zone, items, n);
		if (uma_likely(put == n))
			return;
	}
	zfree_bulk_miss(zone, items + put, n - put);
}
