/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * watermark.c - calls when many items are in use, and few again.
 *
 * A hit tells nobody, so nobody knows how many items are in use without looking
 * at every CPU.  What is known is how many are *out*: neither in the keg nor in
 * a depot, so in use or in the cache of a CPU.  That number changes only where
 * a bucket, or an item past the caches, is moved, and is one word.  With U items
 * in use and R the room in the caches of all CPUs, which is two buckets each,
 *
 *	U <= out <= U + R
 *
 * whatever the CPUs do, but for the bucket that a thread is about to load, which
 * is out, too; a thread that sleeps in an init has it for long.  What goes from
 * a depot to the keg is not out.  So if U has risen to the high mark, out has,
 * and at or before the moment; and if U has fallen to the low mark, out is not
 * above that plus R.  These two are what is watched for:
 *
 *	high when out >= high, low when out <= low + R
 *
 * Neither can come late, though all items lie on other CPUs; both may come up to
 * R items early.  That is kept within a quarter of the distance between the
 * marks by the size of the buckets, as set_max keeps the caches within a part
 * of its limit.  The hysteresis is what is left, at least half the distance.
 * If the marks are so close that not even buckets of one item would do, the
 * zone's cache is held: R is 0 and the calls come at the very item.
 *
 * Whoever comes out of a slow path compares; nothing is queued, so nothing can
 * be lost: a thread that moved out across a mark either makes the call or finds
 * another at it, and that one looks again when it is through, after the runner's
 * word is free.  A thread of the library's ways that may not run hooks leaves it
 * to the next that comes out of a slow path.
 *
 * Buckets made before the marks were set are drained, and not loaded any more
 * (zone_load).  One accepted race: a CPU's spare bucket that a thread has in its
 * hands during this drain comes back, and can make the low mark late by the room
 * that it has too much, until it next leaves the CPU.
 *
 * Not taken: looking at all CPUs at each exchange of a bucket, which would be
 * exact and costs a line of memory a CPU; and holding the cache close to the
 * marks, which would make a zone slow that stays there.
 */
#include <errno.h>

#include <uma/watermark.h>

#include "pages_int.h"
#include "zone_int.h"

#define RUNS_IN_A_ROW 8

#define RUNNER_NAP_NS INT64_C(1000000)

/* Its address is the thread. */
static __thread char self __attribute__((tls_model("initial-exec")));

static inline uintptr_t
thread_self(void)
{
	return (uintptr_t)&self;
}

void
watermark_init(struct watermark *w)
{
	atomic_init(&w->wm_bucket_cap, UINT32_MAX);
}

void
watermark_peak(struct uma_zone *zone, uint64_t out)
{
	uint64_t peak =
	    atomic_load_explicit(&zone->uz_peak, memory_order_relaxed);

	while (out > peak &&
	       !atomic_compare_exchange_weak_explicit(&zone->uz_peak, &peak,
		   out, memory_order_relaxed, memory_order_relaxed))
		;
}

/* ---- the calls ---- */

/* The level that is to be told, if any. */
static bool
watermark_is_due(struct uma_zone *zone, int *level)
{
	struct watermark *w = &zone->uz_watermark;
	uint64_t out = atomic_load(&zone->uz_out);

	if (!atomic_load(&w->wm_on))
		return false;
	if (atomic_load(&w->wm_is_high)) {
		*level = UMA_WATERMARK_LOW;
		return out <=
		       atomic_load(&w->wm_low) + atomic_load(&w->wm_room);
	}
	*level = UMA_WATERMARK_HIGH;
	return out >= atomic_load(&w->wm_high);
}

/* False: another thread is at it, and will look again. */
static bool
watermark_run_once(struct uma_zone *zone)
{
	struct watermark *w = &zone->uz_watermark;
	uintptr_t nobody = 0;
	int level;

	if (!atomic_compare_exchange_strong(
		&w->wm_runner, &nobody, thread_self()))
		return false;
	if (watermark_is_due(zone, &level)) {
		atomic_store(&w->wm_is_high, level == UMA_WATERMARK_HIGH);
		w->wm_fn(zone, w->wm_arg, level);
	}
	atomic_store(&w->wm_runner, 0);
	return true;
}

void
watermark_run(struct uma_zone *zone)
{
	int saved = errno, level;

	/* What fn itself brings about must come to an end. */
	for (int k = 0; k < RUNS_IN_A_ROW && watermark_is_due(zone, &level);
	     k++)
		if (!watermark_run_once(zone))
			break;
	errno = saved;
}

/* ---- setting ---- */

/* No other thread calls from here on; true: this one does, further up. */
static bool
watermark_own(struct watermark *w)
{
	static _Atomic uint32_t never;

	for (;;) {
		uintptr_t runner = 0;

		if (atomic_compare_exchange_strong(
			&w->wm_runner, &runner, thread_self()))
			return false;
		if (runner == thread_self())
			return true;
		uma_wait(&never, 0, RUNNER_NAP_NS);
	}
}

/*
 * Buckets of at most cap items from now on; 0: none.  Hits have ended and the
 * buckets are gone when this returns.
 */
static void
watermark_set_cap(struct uma_zone *zone, uint32_t cap)
{
	uint32_t before =
	    atomic_exchange(&zone->uz_watermark.wm_bucket_cap, cap);

	if (cap < before && cap < BUCKET_CAP_MAX) {
		limit_hold(zone, HOLD_WATERMARK);
		zone_drain(zone);
	}
	if (cap < atomic_load(&zone->uz_bucket_cap) || cap > before)
		zone_bucket_size(zone);
	if (cap > 0)
		limit_unhold(zone, HOLD_WATERMARK);
}

static void
watermark_set(
    struct uma_zone *zone, int low, int high, uma_watermark_fn fn, void *arg)
{
	struct watermark *w = &zone->uz_watermark;
	uint64_t cpus = (uint64_t)pages_cpu_cnt();
	/* Two buckets a CPU in a quarter of the distance. */
	uint64_t cap = (uint64_t)(high - low) / (8 * cpus);

	cap = uma_min(cap, (uint64_t)BUCKET_CAP_MAX);
	watermark_set_cap(zone, (uint32_t)cap);
	/* Off, should a thread fork while half of it is new. */
	bool on = atomic_exchange(&w->wm_on, false);
	if (!on || w->wm_fn != fn || w->wm_arg != arg)
		atomic_store(&w->wm_is_high, false);
	w->wm_fn = fn;
	w->wm_arg = arg;
	atomic_store(&w->wm_low, (uint64_t)low);
	atomic_store(&w->wm_high, (uint64_t)high);
	bool caches = !(limit_holds(zone) & HOLD_NOCACHE);
	atomic_store(&w->wm_room, caches ? 2 * cap * cpus : 0);
	atomic_store(&w->wm_on, true);
}

int
uma_zone_set_watermark(
    uma_zone_t zone, int low, int high, uma_watermark_fn fn, void *arg)
{
	struct watermark *w = &zone->uz_watermark;

	zalloc_check_alive(zone);
	if (fn != NULL && (low < 0 || low >= high)) {
		errno = EINVAL;
		return -1;
	}
	bool nested = watermark_own(w);
	if (fn != NULL) {
		watermark_set(zone, low, high, fn, arg);
	} else {
		watermark_forget(zone);
		watermark_set_cap(zone, UINT32_MAX);
	}
	if (!nested)
		atomic_store(&w->wm_runner, 0);
	watermark_look(zone);
	return 0;
}

void
watermark_forget(struct uma_zone *zone)
{
	struct watermark *w = &zone->uz_watermark;

	atomic_store(&w->wm_on, false);
	atomic_store(&w->wm_low, 0);
	atomic_store(&w->wm_high, 0);
}

bool
watermark_is_ours(struct uma_zone *zone)
{
	return atomic_load_explicit(&zone->uz_watermark.wm_runner,
		   memory_order_relaxed) == thread_self();
}

/* Whoever else was at it is not in this process. */
void
watermark_fork_child(struct uma_zone *zone)
{
	if (!watermark_is_ours(zone))
		atomic_store(&zone->uz_watermark.wm_runner, 0);
}

uint64_t
uma_zone_get_peak(uma_zone_t zone)
{
	return atomic_load_explicit(&zone->uz_peak, memory_order_relaxed);
}
