/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tick.c - idle memory goes back with time.
 *
 * How it works
 *
 * (1) Once a period (vm.uma.reclaim_period) each zone's depot gives up some of
 * what its working set has not needed for long, its keg the slabs that stayed
 * empty for a period, and pages/ the memory of pages that stayed free for one.
 * So what a burst leaves behind goes the whole way back with time, and what is
 * in steady use stays where it is.  How fast, depot.c says.
 *
 * (2) Words.  round: the work of one period.  slice: as much of it as is done
 * at a time, about a millisecond.  due: when the next round may begin.
 *
 * (3) Who does it.  A thread of the library's own, if it was asked for
 * (reclaimer.c), a round at a time.  A program's event loop, with
 * uma_reclaim_tick, a slice at a time.  If there is neither, or the loop is
 * late by a period, whoever exchanges a bucket does, with tick_check: a slice,
 * and the next one only when ten times as long has passed, so that no more than
 * a tenth of the time is lost.  A program that does nothing keeps what it has.
 *
 * (4) Hooks.  The first two run fini.  tick_check does not: it is called in the
 * middle of a program's allocations and frees, where a lock may be held that
 * the fini of quite another zone wants.  So without a thread and without ticks
 * the slabs of zones with a fini stay until somebody reclaims.
 *
 * (5) Locks.  Whoever has t_busy is alone at it; nobody waits for that, and it
 * is no lock for the order's sake, since hooks run under it.  A hook that comes
 * here finds it taken, and goes on without.
 *
 * (6) A round goes on where the last slice ended: each zone has the number of
 * the last round that saw it, and those that this one is done with are passed
 * over, at some 20 ns each.  A pointer to the next zone would have to survive
 * that zone's destruction.
 *
 * (7) Not taken: signals, timers, and threads unasked, since nothing here owns
 * the process.  With prefault and mlock nothing is done: what such a program
 * frees it wants to have again without a fault.
 */
#include <errno.h>
#include <time.h>

#include <uma/reclaim.h>

#include "pages_int.h"
#include "zone_int.h"

#define MS_NS	       INT64_C(1000000)
#define TICK_SLICE_NS  MS_NS
#define TICK_REST_NS   (10 * MS_NS) /* between the slices of tick_check */
#define TICK_WHOLE_NS  (INT64_MAX / 2)
#define TICK_NEVER     INT64_MAX
#define TICK_RETRY_MS  1000 /* when there was no memory to start with */
#define TICK_PERIOD_MS ((uint64_t)INT_MAX - 1) /* the longest */

static struct {
	_Atomic bool t_busy;
	_Atomic bool t_called; /* the program has a loop that ticks */
	_Atomic int64_t t_due; /* when the next round begins; 0: never asked */
	_Atomic int64_t t_check; /* when tick_check is to do something */
	/* guarded by t_busy */
	uint32_t t_round; /* the number of the last, or of the one under way */
	bool t_open; /* one is under way */
} tick;

/* This thread has t_busy. */
static __thread bool ticking __attribute__((tls_model("initial-exec")));

/* False, at once: somebody else is at it, or this thread further up. */
static bool
tick_enter(void)
{
	if (atomic_load_explicit(&tick.t_busy, memory_order_relaxed) ||
	    atomic_exchange_explicit(&tick.t_busy, true, memory_order_acquire))
		return false;
	ticking = true;
	return true;
}

static void
tick_leave(void)
{
	ticking = false;
	atomic_store_explicit(&tick.t_busy, false, memory_order_release);
}

/* 0: nothing goes back with time. */
static int64_t
tick_period(void)
{
	const struct settings *set = &uma_settings;
	uint64_t ms = SETTING(reclaim_period);

	if (set->set_prefault || set->set_mlock)
		return 0;
	return (int64_t)uma_min(ms, TICK_PERIOD_MS) * MS_NS;
}

/* ---- the work ---- */

/* False: the time was over first. */
static bool
tick_zone(struct uma_zone *zone, int64_t until, bool hooks)
{
	size_t len = 0;

	if (zone->uz_round != tick.t_round)
		depot_tick(zone);
	zone->uz_round = tick.t_round;
	return (!hooks && zone->uz_fini) || keg_idle(zone->uz_keg, until, &len);
}

/*
 * Entered.  Zones until a time in ns is over; true: that was all.  It begins
 * with the first one that is not done yet, so that each slice gets on, however
 * many there are to be passed over.
 */
static bool
tick_slice(int64_t slice, bool hooks)
{
	struct uma_zone *zone = zlist_resume();
	int64_t until = 0;

	for (; zone != NULL; zone = zlist_next(zone)) {
		if (zone->uz_round == tick.t_round &&
		    !keg_is_idling(zone->uz_keg))
			continue;
		if (until == 0)
			until = uma_now_ns() + slice;
		if (!tick_zone(zone, until, hooks) || uma_now_ns() >= until) {
			zlist_set_mark(zone);
			zlist_leave(zone);
			return false;
		}
	}
	zlist_set_mark(NULL);
	return pages_idle(until != 0 ? until : uma_now_ns() + slice);
}

/*
 * Entered.  The round under way, or a new one if that is due, for a time in ns.
 * A round that begins late moves those behind it: the estimates count on whole
 * periods.  Returns when the next is due; in the past: there is more to do.
 */
static int64_t
tick_work(int64_t period, int64_t slice, bool hooks)
{
	int64_t now = uma_now_ns();
	int64_t due = atomic_load_explicit(&tick.t_due, memory_order_relaxed);

	if (due == 0 || (!tick.t_open && now >= due)) {
		zlist_set_mark(NULL);
		tick.t_open = due != 0;
		tick.t_round += tick.t_open;
		due = now + period;
		atomic_store_explicit(&tick.t_due, due, memory_order_relaxed);
	}
	if (tick.t_open)
		tick.t_open = !tick_slice(slice, hooks);
	return tick.t_open ? now : due;
}

/* ---- unasked ---- */

/*
 * Entered.  When tick_check is to come back.  A loop that ticks gets its time,
 * as it may run fini; but a round that was begun without it is ended so.
 */
static void
tick_set_check(int64_t period, bool asked)
{
	bool called =
	    atomic_load_explicit(&tick.t_called, memory_order_relaxed);
	int64_t at = atomic_load_explicit(&tick.t_due, memory_order_relaxed);

	if (period == 0 || reclaimer_runs())
		at = TICK_NEVER;
	else if (tick.t_open && (!asked || !called))
		at = uma_now_ns() + TICK_REST_NS;
	else if (called)
		at += period;
	atomic_store_explicit(&tick.t_check, at, memory_order_relaxed);
}

static UMA_COLD void
tick_check_due(void)
{
	int64_t period = tick_period();
	int saved = errno;

	if (!tick_enter())
		return;
	if (period != 0 && !reclaimer_runs())
		(void)tick_work(period, TICK_SLICE_NS, false);
	/* The loop, if there is one, is late: until it is seen again. */
	atomic_store_explicit(&tick.t_called, false, memory_order_relaxed);
	tick_set_check(period, false);
	tick_leave();
	errno = saved;
}

/* The coarse clock is some ms behind and costs 5 ns instead of 20. */
void
tick_check(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	if (uma_unlikely(
		(int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec >=
		atomic_load_explicit(&tick.t_check, memory_order_relaxed)))
		tick_check_due();
}

/* ---- asked ---- */

/* From now to a time, in ms rounded up, at least min. */
static int
tick_ms_until(int64_t at, int min)
{
	int64_t ns = at - uma_now_ns();

	return ns <= 0 ? min : (int)uma_max((ns + MS_NS - 1) / MS_NS, min);
}

int64_t
tick_round(void)
{
	int64_t period = tick_period();

	if (period == 0)
		return TICK_NEVER;
	if (!tick_enter())
		return uma_now_ns() + MS_NS;
	int64_t next = tick_work(period, TICK_WHOLE_NS, true);
	tick_set_check(period, true);
	tick_leave();
	return next;
}

int
uma_reclaim_tick(void)
{
	int saved = errno, ms;

	if (!uma_start())
		return TICK_RETRY_MS;
	reclaimer_check();
	int64_t period = tick_period();
	if (period == 0)
		return INT_MAX;
	atomic_store_explicit(&tick.t_called, true, memory_order_relaxed);
	if (tick_enter()) {
		int64_t next = tick_work(period, TICK_SLICE_NS, true);

		tick_set_check(period, true);
		tick_leave();
		ms = tick_ms_until(next, 0);
	} else {
		ms = tick_ms_until(atomic_load(&tick.t_due), 1);
	}
	errno = saved;
	return ms;
}

/*
 * The child begins a period of its own, so that one which is about to go on to
 * another program does not pay for this one.  The thread that had t_busy may be
 * none of the child's, the loop that ticked, and the helper, need not be there.
 */
void
tick_fork_child(void)
{
	reclaimer_fork_child();
	atomic_store_explicit(&tick.t_due, 0, memory_order_relaxed);
	atomic_store_explicit(&tick.t_check, 0, memory_order_relaxed);
	atomic_store_explicit(&tick.t_called, false, memory_order_relaxed);
	if (!ticking)
		atomic_store_explicit(
		    &tick.t_busy, false, memory_order_relaxed);
}
