/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * alloc.c - allocation and free: the hits, and what happens on a miss.
 *
 * A hit is one sequence and one comparison.  On a miss the order is: a hit
 * under a lock, in processes without sequences, this CPU's spare bucket, the
 * depot, a bucket filled from the keg, other domains' depots, and last (no
 * bucket to be had, caching held or off, limit reached) a single item from the
 * keg, which is the only way that sleeps.  A free goes the same way back.
 */
#include <errno.h>
#include <string.h>

#include "pages_int.h"
#include "zone_int.h"

#define FLAGS_KNOWN (M_NOWAIT | M_WAITOK | M_ZERO)

#define WAIT_FIRST_NS	INT64_C(1000000)
#define WAIT_LONGEST_NS INT64_C(100000000)
#define WAIT_SAY_NS	INT64_C(1000000000)

/* ---- flags ---- */

static UMA_COLD void
flags_say_neither(const struct uma_zone *zone)
{
	static _Atomic bool said;
	char name[128];

	if (!atomic_exchange(&said, true))
		uma_message("uma: zone '%s': allocation with neither M_NOWAIT "
			    "nor M_WAITOK; taken as M_WAITOK",
		    uma_escape(name, sizeof name, zone->uz_name));
}

/* The flags with exactly one of M_NOWAIT and M_WAITOK. */
int
zalloc_check_flags(const struct uma_zone *zone, int flags)
{
	char name[128];

	UMA_FATAL_IF(
	    (flags & ~FLAGS_KNOWN) != 0 ||
		(flags & (M_NOWAIT | M_WAITOK)) == (M_NOWAIT | M_WAITOK),
	    "zone '%s': bad allocation flags %#x",
	    uma_escape(name, sizeof name, zone->uz_name), (unsigned)flags);
	if ((flags & (M_NOWAIT | M_WAITOK)) == 0) {
		flags_say_neither(zone);
		flags |= M_WAITOK;
	}
	return flags;
}

void
zalloc_check_alive(const struct uma_zone *zone)
{
	char name[128];

	UMA_FATAL_IF(limit_holds(zone) & HOLD_DEAD,
	    "zone '%s': allocation after destroy",
	    uma_escape(name, sizeof name, zone->uz_name));
}

void
zfree_check_alive(struct uma_zone *zone, void *item)
{
	if (uma_unlikely(limit_holds(zone) & HOLD_DEAD))
		keg_fail(zone->uz_keg, zone->uz_name, item,
		    "free after destroy", "the zone is no more");
}

/* ---- hooks of each call ---- */

/* An allocation did not happen after all: every count as before it. */
static UMA_COLD void *
zalloc_undo(struct uma_zone *zone, void *item, int error)
{
	probe_alloc_fail(zone->uz_name, zone, error);
	atomic_fetch_sub_explicit(&zone->uz_allocs, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&zone->uz_fails, 1, memory_order_relaxed);
	zone_release(zone, &item, 1);
	watermark_look(zone);
	errno = error;
	return NULL;
}

void
zalloc_failed(struct uma_zone *zone, int error)
{
	atomic_fetch_add_explicit(&zone->uz_fails, 1, memory_order_relaxed);
	error = error != 0 ? error : ENOMEM;
	probe_alloc_fail(zone->uz_name, zone, error);
	maxaction_run(zone);
	errno = error;
}

static void
item_zero(const struct uma_zone *zone, void *item)
{
	int copies = zone->uz_hot.flags & UMA_ZONE_PCPU ? pages_cpu_cnt() : 1;

	for (int c = 0; c < copies; c++)
		memset((char *)item + (size_t)c * UMA_PCPU_STRIDE, 0,
		    zone->uz_hot.size);
}

/* Inline, since a call saved pays for the look for a profiler. */
static inline int
construct(struct uma_zone *zone, void *item, void *arg, int flags)
{
	int error = 0;

	flags = zalloc_check_flags(zone, flags);
	if (zone->uz_ctor != NULL)
		error = zone->uz_ctor(item, (int)zone->uz_hot.size, arg, flags);
	if (error == 0 && (flags & M_ZERO))
		item_zero(zone, item);
	return error;
}

int
item_construct(struct uma_zone *zone, void *item, void *arg, int flags)
{
	return construct(zone, item, arg, flags);
}

/* The same where there may be nothing to construct, and a profiler. */
static __attribute__((noinline)) void *
zalloc_watched(struct uma_zone *zone, void *item, void *arg, int flags)
{
	int error = 0;

	if (zone->uz_ctor != NULL || (uint32_t)flags >= M_ZERO)
		error = item_construct(zone, item, arg, flags);
	if (uma_unlikely(error != 0))
		return zalloc_undo(zone, item, error);
	sample_alloc(zone, item);
	return item;
}

/* Apart from the hit, which would otherwise have to grow a frame for it. */
static __attribute__((noinline)) void *
zalloc_construct(struct uma_zone *zone, void *item, void *arg, int flags)
{
	if (uma_unlikely(zone_watch(zone) & WATCH_SAMPLE))
		return zalloc_watched(zone, item, arg, flags);
	int error = construct(zone, item, arg, flags);
	if (uma_likely(error == 0))
		return item;
	return zalloc_undo(zone, item, error);
}

static inline void *
item_hand_out(struct uma_zone *zone, void *item, void *arg, int flags)
{
	if (uma_unlikely((uint32_t)flags >= zone_flags_below(zone)))
		return zalloc_construct(zone, item, arg, flags);
	return item;
}

/* ---- a miss on allocation ---- */

bool
zone_wait_memory(struct uma_zone *zone, int64_t until, int *tries)
{
	static _Atomic uint32_t never;
	int64_t ns = WAIT_FIRST_NS << uma_min(*tries, 10);
	char name[128];

	if (until != UNTIL_NEVER) {
		ns = uma_min(ns, until - uma_now_ns());
		if (ns <= 0)
			return false;
	}
	++*tries;
	if (warn_due(&zone->uz_wait_at, WAIT_SAY_NS))
		uma_message("uma: zone '%s': waiting for memory",
		    uma_escape(name, sizeof name, zone->uz_name));
	probe_sleep(zone->uz_name, zone, PROBE_SLEEP_MEMORY);
	uma_wait(&never, 0, uma_min(ns, WAIT_LONGEST_NS));
	probe_wakeup(zone->uz_name, zone, PROBE_SLEEP_MEMORY, true);
	return true;
}

/* Make room: first from this zone's caches, then from everybody's. */
static void
zone_find_memory(struct uma_zone *zone, int step)
{
	/* A hook that runs out of memory inside a reclaim gets no other. */
	static __thread bool reclaiming
	    __attribute__((tls_model("initial-exec")));

	if (reclaiming)
		return;
	reclaiming = true;
	if (step == 0)
		zone_drain(zone);
	else
		uma_reclaim(UMA_RECLAIM_DRAIN_CPU);
	reclaiming = false;
}

void *
zone_import_one(
    struct uma_zone *zone, int domain, int flags, int64_t until, int *error)
{
	int tries = 0;
	void *item;

	for (int step = 0;; step++) {
		if (keg_import(zone->uz_keg, &item, 1, domain, flags, error) ==
		    1)
			return item;
		if (*error != 0)
			return NULL;
		if (step < 2) {
			zone_find_memory(zone, step);
			continue;
		}
		if (flags & M_NOWAIT)
			return NULL;
		if (!zone_wait_memory(zone, until, &tries)) {
			*error = ETIMEDOUT;
			return NULL;
		}
		step = 0;
	}
}

void *
zone_alloc_item(
    struct uma_zone *zone, int domain, int flags, int64_t until, int *error)
{
	*error = 0;
	sample_check();
	total_check();
	if (!limit_acquire(zone, flags, until)) {
		*error = flags & M_NOWAIT ? 0 : ETIMEDOUT;
		return NULL;
	}
	if (domain == UMA_ANYDOMAIN)
		domain = zone_import_domain(zone);
	void *item = zone_import_one(zone, domain, flags, until, error);
	if (item == NULL)
		limit_give(zone, 1);
	return item;
}

/* An item on a miss, counted; NULL with *error as a hook's errno, or 0. */
static void *
zone_fetch(struct uma_zone *zone, int flags, int64_t until, int *error)
{
	struct bucket *b = NULL;
	void *item;

	if (cache_enabled(&zone->uz_cache)) {
		/* Processes without sequences have not tried to hit yet. */
		do {
			item = cache_pop(&zone->uz_cache);
			if (item != NULL)
				return item; /* counted there */
		} while (zone_turn(zone, CACHE_EMPTY));
		b = zone_fetch_bucket(zone, flags, error);
	}
	if (b != NULL) {
		item = bucket_pop(b);
		zone_load(zone, CACHE_EMPTY, b);
	} else {
		item = *error == 0 ? zone_alloc_item(zone, UMA_ANYDOMAIN, flags,
					 until, error)
				   : NULL;
	}
	if (item != NULL)
		atomic_fetch_add_explicit(
		    &zone->uz_allocs, 1, memory_order_relaxed);
	return item;
}

/* The same, of a domain: the CPUs' caches are not for it. */
static void *
zone_fetch_domain(struct uma_zone *zone, int domain, int flags, int *error)
{
	/* Depots that are not sorted have items of any domain. */
	void *item = zone->uz_sorts ? depot_take_item(zone, domain) : NULL;

	if (item == NULL)
		item = zone_alloc_item(zone, domain, flags, UNTIL_NEVER, error);
	if (item != NULL)
		atomic_fetch_add_explicit(
		    &zone->uz_allocs, 1, memory_order_relaxed);
	return item;
}

static UMA_COLD void *
zalloc_slow(
    struct uma_zone *zone, void *arg, int domain, int flags, int64_t until)
{
	int error = 0, saved = errno;

	flags = zalloc_check_flags(zone, flags);
	zalloc_check_alive(zone);
	void *item = domain == UMA_ANYDOMAIN
			 ? zone_fetch(zone, flags, until, &error)
			 : zone_fetch_domain(zone, domain, flags, &error);
	watermark_look(zone);
	if (item == NULL) {
		zalloc_failed(zone, error);
		return NULL;
	}
	/* What was tried in vain on the way is nobody's business. */
	errno = saved;
	return item_hand_out(zone, item, arg, flags);
}

static UMA_COLD void *
zalloc_miss(struct uma_zone *zone, void *arg, int flags)
{
	return zalloc_slow(zone, arg, UMA_ANYDOMAIN, flags, UNTIL_NEVER);
}

/* A hit touches one line each of zone, header and bucket. */
static inline void *
zalloc(struct uma_zone *zone, void *arg, int flags)
{
	void *item;

	CACHE_HIT_POP(&zone->uz_hot.cache, item, miss);
	return item_hand_out(zone, item, arg, flags);
miss:
	CACHE_HIT_MISSED;
	return zalloc_miss(zone, arg, flags);
}

void *
uma_zalloc_arg(uma_zone_t zone, void *arg, int flags)
{
	return zalloc(zone, arg, flags);
}

void *
uma_zalloc(uma_zone_t zone, int flags)
{
	return zalloc(zone, NULL, flags);
}

void *
uma_zalloc_domain(uma_zone_t zone, void *arg, int domain, int flags)
{
	if (domain < UMA_ANYDOMAIN || domain >= zone->uz_domains) {
		errno = EINVAL;
		return NULL;
	}
	if (domain == UMA_ANYDOMAIN || zone->uz_domains == 1)
		return zalloc(zone, arg, flags);
	return zalloc_slow(zone, arg, domain, flags, UNTIL_NEVER);
}

void *
uma_zalloc_timed(uma_zone_t zone, void *arg, int flags, int64_t ns)
{
	int64_t now = uma_now_ns();

	ns = uma_max(ns, (int64_t)0);
	return zalloc_slow(zone, arg, UMA_ANYDOMAIN, flags,
	    ns < UNTIL_NEVER - now ? now + ns : UNTIL_NEVER);
}

/* ---- a miss on free ---- */

/* Push, and abort if it is not for want of room that this fails. */
static bool
zfree_push(struct uma_zone *zone, void *item)
{
	if (cache_push(&zone->uz_cache, item))
		return true;
	if (cache_top_is(&zone->uz_cache, item))
		keg_fail(zone->uz_keg, zone->uz_name, item, "double free",
		    "the item was freed last on this CPU");
	return false;
}

/*
 * Room on this CPU for item; false: it has to go to the keg.  Not for ever:
 * while a drain is under way nothing that we bring is taken.
 */
static bool
zfree_cached(struct uma_zone *zone, void *item)
{
	for (int round = 0; round < 3 && cache_enabled(&zone->uz_cache);
	     round++) {
		do {
			if (zfree_push(zone, item))
				return true;
		} while (zone_turn(zone, CACHE_FULL));
		struct bucket *b = zone_bucket_alloc(zone);
		if (b == NULL)
			return false;
		zone_load(zone, CACHE_FULL, b);
	}
	return false;
}

static UMA_COLD void
zfree_miss(struct uma_zone *zone, void *item)
{
	int saved = errno;

	zfree_check_alive(zone, item);
	if (!zfree_cached(zone, item))
		zone_release(zone, &item, 1);
	watermark_look(zone);
	errno = saved;
}

/* The free without the dtor. */
static inline void
zfree_bare(struct uma_zone *zone, void *item)
{
	CACHE_HIT_PUSH(&zone->uz_hot.cache, item, miss);
	return;
miss:
	CACHE_HIT_MISSED;
	zfree_miss(zone, item);
}

/* The same where there may be no dtor, and a profiler. */
static __attribute__((noinline)) void
zfree_watched(struct uma_zone *zone, void *item, void *arg)
{
	/* The dtor is not to meet what is no item of ours. */
	if (zone->uz_check)
		keg_check(zone->uz_keg, zone->uz_name, "free", item);
	if (zone->uz_dtor != NULL)
		zone->uz_dtor(item, (int)zone->uz_hot.size, arg);
	sample_free(zone, item);
	zfree_bare(zone, item);
}

/* Apart from the hit, which would otherwise have to grow a frame for it. */
static __attribute__((noinline)) void
zfree_destruct(struct uma_zone *zone, void *item, void *arg)
{
	if (item == NULL)
		return;
	if (uma_unlikely(zone_watch(zone) != 0)) {
		zfree_watched(zone, item, arg);
		return;
	}
	zone->uz_dtor(item, (int)zone->uz_hot.size, arg);
	zfree_bare(zone, item);
}

static inline void
zfree(struct uma_zone *zone, void *item, void *arg)
{
	if (uma_likely((uintptr_t)item >= zone_item_least(zone)))
		zfree_bare(zone, item);
	else
		zfree_destruct(zone, item, arg);
}

void
uma_zfree_arg(uma_zone_t zone, void *item, void *arg)
{
	zfree(zone, item, arg);
}

void
uma_zfree(uma_zone_t zone, void *item)
{
	zfree(zone, item, NULL);
}

/* ---- neither ---- */

/* An allocation that ends before the ctor, and goes back as a free would. */
void
uma_zwait(uma_zone_t zone)
{
	int error = 0, saved = errno;

	zalloc_check_alive(zone);
	void *item = zone_fetch(zone, M_WAITOK, UNTIL_NEVER, &error);
	if (item == NULL) {
		errno = error;
		return;
	}
	atomic_fetch_sub_explicit(&zone->uz_allocs, 1, memory_order_relaxed);
	zfree_miss(zone, item);
	errno = saved;
}
