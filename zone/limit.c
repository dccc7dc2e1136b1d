/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * limit.c - how many items a zone may have, and who waits for one.
 *
 * One word counts the items that are out of the keg, cached ones included, and
 * the sleepers.  A batch is paid for before it is imported, and given back
 * after it was released, so the limit holds at every instant.
 *
 * At the limit a caller first has the zone drained, since the free items may
 * all be in the caches of other CPUs.  Then the zone's warning is printed and
 * its action runs (warn.c, maxaction.c).  If it may sleep, it then holds the
 * cache: from there on every free goes to the keg and through limit_give,
 * which hands its unit to the first sleeper directly.  A newcomer sees sleepers
 * in the word and queues behind them; nobody can be passed, and no wake-up can
 * be lost, since the unit travels with it.  Whose time is over leaves the queue
 * under the lock, or finds there that the unit came first, and takes it.
 *
 * A program that must not sleep queues a waiter with a function (wait.c) among
 * the sleepers.  Its unit is reserved when its turn comes, and the function is
 * called by whoever served it, after the lock was released: from then on the
 * waiter is the program's, and nothing here looks at it.
 *
 * The word also counts changes of the limit: a taker that has read the old
 * limit fails to change the word after set_max did.  The count is short, so
 * that a taker who slept through all of it looks at the limit again.
 *
 * The word is changed without a lock.  l_lock guards the list, the holds and
 * thereby whether the cache is enabled; a giver that sees sleepers or a hold
 * takes it and settles the books.  A sleeper announces itself in the word
 * before it looks for free units a last time, under the lock; a giver subtracts
 * before it looks for sleepers, in one atomic operation.  So one of the two
 * sees the other.
 */
#include <errno.h>

#include "pages_int.h"
#include "zone_int.h"

/* Functions of waiters that have their units, and are to be called. */
#define GRANTS_MAX 16
struct grants {
	struct uma_zone *g_zone;
	struct grants *g_up; /* further up in this thread */
	int g_cnt;
	struct {
		uma_wait_fn fn;
		void *arg;
	} g_call[GRANTS_MAX];
};
static __thread struct grants *calling
    __attribute__((tls_model("initial-exec")));

#define WAITERS_MAX (LIMIT_SLEEPERS / 2) /* leaves room for threads */

void
limit_init(struct limit *l)
{
	uma_lock_init(&l->l_lock, UMA_RANK_LIMIT);
	CDS_INIT_LIST_HEAD(&l->l_sleepers);
	atomic_init(&l->l_max, LIMIT_ITEMS);
}

static uint64_t
limit_max(struct uma_zone *zone)
{
	return atomic_load_explicit(
	    &zone->uz_limit.l_max, memory_order_relaxed);
}

uint64_t
limit_items(struct uma_zone *zone)
{
	return atomic_load_explicit(
		   &zone->uz_limit.l_word, memory_order_relaxed) &
	       LIMIT_ITEMS;
}

/*
 * What a caller gets that asks for n when avail are left: near the limit only a
 * share, so that one CPU's bucket does not starve the others.
 */
static uint64_t
limit_share(uint64_t n, uint64_t avail)
{
	uint64_t share = avail / (2 * (uint64_t)pages_cpu_cnt());

	return uma_min(n, uma_max(share, (uint64_t)1));
}

uint64_t
limit_take(struct uma_zone *zone, uint64_t n)
{
	_Atomic uint64_t *word = &zone->uz_limit.l_word;
	uint64_t old = atomic_load_explicit(word, memory_order_acquire);
	uint64_t max, busy, grant;

	do {
		max = limit_max(zone);
		busy = old & (LIMIT_ITEMS | LIMIT_SLEEPERS);
		if (busy >= max) /* sleepers make it so, too */
			return 0;
		grant = limit_share(n, max - busy);
	} while (!atomic_compare_exchange_weak_explicit(word, &old, old + grant,
	    memory_order_acq_rel, memory_order_acquire));
	watermark_rise(zone, grant);
	if (uma_likely(busy + grant <= limit_max(zone)))
		return grant;
	limit_give(zone, grant); /* the count of changes had come round */
	return 0;
}

/* ---- holds ---- */

/* l_holds becomes holds, and the cache what that means.  Locked. */
static void
limit_set_holds(struct uma_zone *zone, uint32_t holds)
{
	struct limit *l = &zone->uz_limit;
	uint32_t old = limit_holds(zone);

	uma_lock_assert_held(&l->l_lock);
	if (holds == old)
		return;
	atomic_store(&l->l_holds, holds);
	if (old == 0)
		cache_disable(&zone->uz_cache);
	else if (holds == 0)
		cache_enable(&zone->uz_cache);
}

void
limit_hold(struct uma_zone *zone, uint32_t why)
{
	struct limit *l = &zone->uz_limit;

	uma_lock_acquire(&l->l_lock);
	limit_set_holds(zone, limit_holds(zone) | why);
	uma_lock_release(&l->l_lock);
}

void
limit_unhold(struct uma_zone *zone, uint32_t why)
{
	struct limit *l = &zone->uz_limit;

	uma_lock_acquire(&l->l_lock);
	limit_set_holds(zone, limit_holds(zone) & ~why);
	uma_lock_release(&l->l_lock);
}

/* A waiter has its unit.  Locked. */
static void
limit_grant(struct uma_zone *zone, struct limit_waiter *s, struct grants *g)
{
	cds_list_del(&s->lw_link);
	if (s->lw_fn != NULL) {
		g->g_call[g->g_cnt].fn = s->lw_fn;
		g->g_call[g->g_cnt++].arg = s->lw_arg;
		atomic_fetch_add(&zone->uz_limit.l_reserved, 1);
		atomic_store(&s->lw_state, WAIT_GRANTED);
		return;
	}
	/* The sleeper may be gone right after the store: only its address is
	 * used, and a wake-up at an address that nobody waits at is harmless. */
	atomic_store_explicit(&s->lw_state, WAIT_GRANTED, memory_order_release);
	uma_wake(&s->lw_state, 1);
}

/*
 * Hand one unit to the first that waits; false: the zone is full, or there is
 * no room in g, or no g, for a function to be called.  Locked.
 */
static bool
limit_grant_first(struct uma_zone *zone, struct grants *g)
{
	struct limit *l = &zone->uz_limit;
	struct limit_waiter *s =
	    cds_list_first_entry(&l->l_sleepers, struct limit_waiter, lw_link);
	uint64_t old = atomic_load(&l->l_word);

	if (s->lw_fn != NULL && (g == NULL || g->g_cnt == GRANTS_MAX))
		return false;
	do {
		if ((old & LIMIT_ITEMS) >= limit_max(zone))
			return false;
	} while (!atomic_compare_exchange_weak(
	    &l->l_word, &old, old + 1 - LIMIT_SLEEPER));
	watermark_rise(zone, 1);
	limit_grant(zone, s, g);
	return true;
}

/* Grant what there is, end the holds whose reason is gone.  Locked. */
static void
limit_settle_some(struct uma_zone *zone, struct grants *g)
{
	struct limit *l = &zone->uz_limit;
	uint32_t holds = limit_holds(zone);

	while (!cds_list_empty(&l->l_sleepers) && limit_grant_first(zone, g))
		;
	if (cds_list_empty(&l->l_sleepers))
		holds &= ~(uint32_t)HOLD_SLEEPERS;
	if ((atomic_load(&l->l_word) & LIMIT_ITEMS) <= limit_max(zone))
		holds &= ~(uint32_t)HOLD_OVER;
	limit_set_holds(zone, holds);
}

bool
limit_is_calling(const struct uma_zone *zone)
{
	for (struct grants *up = calling; up != NULL; up = up->g_up)
		if (up->g_zone == zone)
			return true;
	return false;
}

/* Unlocked. */
static void
grants_call(struct grants *g)
{
	int saved = errno;

	g->g_up = calling;
	calling = g;
	for (int k = 0; k < g->g_cnt; k++)
		g->g_call[k].fn(g->g_call[k].arg);
	calling = g->g_up;
	errno = saved;
}

/*
 * Settle the books, release the lock, call the functions of whom it served.
 * What these give back while they run, in this thread, is left to us, so that a
 * long queue of them is no deep stack.  Called locked.
 */
static void
limit_settle(struct uma_zone *zone)
{
	struct grants mine = {.g_zone = zone};
	struct grants *g = limit_is_calling(zone) ? NULL : &mine;

	for (;;) {
		mine.g_cnt = 0;
		limit_settle_some(zone, g);
		uma_lock_release(&zone->uz_limit.l_lock);
		if (mine.g_cnt == 0)
			return;
		grants_call(&mine);
		uma_lock_acquire(&zone->uz_limit.l_lock);
	}
}

void
limit_call(struct uma_zone *zone, uma_wait_fn fn, void *arg)
{
	struct grants g = {.g_zone = zone, .g_cnt = 1, .g_call = {{fn, arg}}};

	grants_call(&g);
	uma_lock_acquire(&zone->uz_limit.l_lock);
	limit_settle(zone);
}

void
limit_give_idle(struct uma_zone *zone, uint64_t n)
{
	struct limit *l = &zone->uz_limit;
	uint64_t old = atomic_fetch_sub(&l->l_word, n);

	UMA_ASSERT((old & LIMIT_ITEMS) >= n, "zone '%s'", zone->uz_name);
	if (uma_likely(
		(old & LIMIT_SLEEPERS) == 0 &&
		!(atomic_load(&l->l_holds) & (HOLD_SLEEPERS | HOLD_OVER))))
		return;
	uma_lock_acquire(&l->l_lock);
	limit_settle(zone);
}

void
limit_give(struct uma_zone *zone, uint64_t n)
{
	if (n == 0)
		return;
	watermark_fall(zone, n);
	limit_give_idle(zone, n);
}

/* ---- sleeping ---- */

bool
limit_queue(struct uma_zone *zone, struct limit_waiter *s)
{
	struct limit *l = &zone->uz_limit;

	uma_lock_acquire(&l->l_lock);
	if (s->lw_fn != NULL &&
	    (atomic_load(&l->l_word) & LIMIT_SLEEPERS) >= WAITERS_MAX) {
		uma_lock_release(&l->l_lock);
		return false;
	}
	atomic_store(&s->lw_state, WAIT_QUEUED);
	cds_list_add_tail(&s->lw_link, &l->l_sleepers);
	atomic_fetch_add(&l->l_word, LIMIT_SLEEPER);
	limit_set_holds(zone, limit_holds(zone) | HOLD_SLEEPERS);
	limit_settle(zone);
	return true;
}

bool
limit_leave(struct uma_zone *zone, struct limit_waiter *s)
{
	struct limit *l = &zone->uz_limit;

	uma_lock_acquire(&l->l_lock);
	if (atomic_load(&s->lw_state) != WAIT_QUEUED) {
		uma_lock_release(&l->l_lock);
		return false;
	}
	cds_list_del(&s->lw_link);
	atomic_store(&s->lw_state, WAIT_IDLE);
	atomic_fetch_sub(&l->l_word, LIMIT_SLEEPER);
	limit_settle(zone);
	return true;
}

void
limit_reserve(struct uma_zone *zone, struct limit_waiter *s)
{
	struct limit *l = &zone->uz_limit;

	uma_lock_acquire(&l->l_lock);
	atomic_fetch_add(&l->l_reserved, 1);
	atomic_store(&s->lw_state, WAIT_GRANTED);
	uma_lock_release(&l->l_lock);
}

bool
limit_claim(struct uma_zone *zone, struct limit_waiter *s, uint32_t state)
{
	struct limit *l = &zone->uz_limit;

	uma_lock_acquire(&l->l_lock);
	bool reserved = atomic_load(&s->lw_state) == WAIT_GRANTED;
	if (reserved) {
		atomic_fetch_sub(&l->l_reserved, 1);
		atomic_store(&s->lw_state, state);
	}
	uma_lock_release(&l->l_lock);
	return reserved;
}

static bool
limit_is_queued(const struct limit_waiter *s)
{
	return atomic_load_explicit(&s->lw_state, memory_order_acquire) ==
	       WAIT_QUEUED;
}

/*
 * Wait for a unit, false: not longer than until.  Nobody sleeps while a free
 * item is in any cache.
 */
static bool
limit_sleep(struct uma_zone *zone, int64_t until)
{
	struct limit_waiter self = {.lw_fn = NULL};
	bool got = true;

	atomic_fetch_add_explicit(&zone->uz_sleeps, 1, memory_order_relaxed);
	probe_sleep(zone->uz_name, zone, PROBE_SLEEP_LIMIT);
	limit_queue(zone, &self);
	/* What was freed into the caches before the hold. */
	if (limit_is_queued(&self))
		zone_drain(zone);
	while (limit_is_queued(&self)) {
		int64_t ns = until == UNTIL_NEVER ? -1 : until - uma_now_ns();

		if (until != UNTIL_NEVER && ns <= 0) {
			got = !limit_leave(zone, &self);
			continue;
		}
		uma_wait(&self.lw_state, WAIT_QUEUED, ns);
	}
	probe_wakeup(zone->uz_name, zone, PROBE_SLEEP_LIMIT, got);
	return got;
}

bool
limit_try(struct uma_zone *zone)
{
	if (limit_take(zone, 1) == 1)
		return true;
	/* With sleepers the caches are empty, and nothing would be ours. */
	if (limit_holds(zone) & HOLD_SLEEPERS)
		return false;
	zone_drain(zone);
	return limit_take(zone, 1) == 1;
}

void
limit_stops(struct uma_zone *zone)
{
	probe_limit(zone->uz_name, zone, limit_items(zone), limit_max(zone));
	zone_warn_full(zone);
	maxaction_note(zone);
}

bool
limit_acquire(struct uma_zone *zone, int flags, int64_t until)
{
	if (limit_try(zone))
		return true;
	limit_stops(zone);
	if (flags & M_NOWAIT)
		return false;
	maxaction_run(zone);
	/* Not to hold the cache for nothing. */
	if (until <= uma_now_ns())
		return limit_try(zone);
	return limit_sleep(zone, until);
}

/* Locked. */
static void
limit_drop_waiters(struct limit *l)
{
	struct limit_waiter *s, *next;

	cds_list_for_each_entry_safe (s, next, &l->l_sleepers, lw_link) {
		if (s->lw_fn == NULL)
			continue;
		cds_list_del(&s->lw_link);
		atomic_fetch_sub(&l->l_word, LIMIT_SLEEPER);
		atomic_store(&s->lw_state, WAIT_IDLE);
	}
}

void
limit_forget(struct uma_zone *zone)
{
	uma_lock_acquire(&zone->uz_limit.l_lock);
	limit_drop_waiters(&zone->uz_limit);
	limit_settle(zone);
}

void
limit_fork_child(struct uma_zone *zone)
{
	struct limit *l = &zone->uz_limit;

	uma_lock_acquire(&l->l_lock);
	limit_drop_waiters(l);
	CDS_INIT_LIST_HEAD(&l->l_sleepers);
	atomic_fetch_and(&l->l_word, ~LIMIT_SLEEPERS);
	limit_settle(zone);
}

/* ---- the limit itself ---- */

/* nitems up to the items of whole pages. */
static int
limit_round(struct uma_zone *zone, int nitems)
{
	struct keg_stat ks;

	keg_stat(zone->uz_keg, &ks);
	int64_t page_items =
	    (int64_t)uma_max(UMA_PAGE_SIZE / ks.ks_stride, (size_t)1);
	int64_t rounded = (nitems + page_items - 1) / page_items * page_items;

	return (int)uma_min(rounded, INT_MAX - INT_MAX % page_items);
}

int
uma_zone_set_max(uma_zone_t zone, int nitems)
{
	struct limit *l = &zone->uz_limit;

	if (nitems < 0) {
		errno = EINVAL;
		return uma_zone_get_max(zone);
	}
	atomic_store(&zone->uz_max_source, "program");
	int rounded = limit_round(zone, nitems);
	uint64_t max = nitems == 0 ? LIMIT_ITEMS : (uint64_t)rounded;
	uma_lock_acquire(&l->l_lock);
	atomic_store(&l->l_max, max);
	/* Whoever compares with the old limit finds the word changed. */
	atomic_fetch_add(&l->l_word, LIMIT_CHANGE);
	bool over = limit_items(zone) > max;
	if (over)
		limit_set_holds(zone, limit_holds(zone) | HOLD_OVER);
	limit_settle(zone);
	zone_bucket_size(zone);
	if (over)
		zone_drain(zone);
	watermark_look(zone);
	return nitems == 0 ? 0 : rounded;
}

int
uma_zone_get_max(uma_zone_t zone)
{
	uint64_t max = limit_max(zone);

	return max == LIMIT_ITEMS ? 0 : (int)max;
}

/*
 * Not by the units alone: those of cached items are there for the asking.  For
 * sleepers' sake alone, as in FreeBSD since 13, a zone that is only ever asked
 * without waiting would never be exhausted, which is what such callers ask.
 */
int
uma_zone_exhausted(uma_zone_t zone)
{
	uint64_t word =
	    atomic_load_explicit(&zone->uz_limit.l_word, memory_order_relaxed);
	uint64_t max = limit_max(zone);

	if (word & LIMIT_SLEEPERS)
		return 1;
	if ((word & LIMIT_ITEMS) < max)
		return 0;
	return (uint64_t)uma_zone_get_cur(zone) +
		   atomic_load(&zone->uz_limit.l_reserved) >=
	       max;
}
