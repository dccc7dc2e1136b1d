/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * zone_int.h - a zone from inside, for the files of zone/ and what stands on
 * it.
 */
#ifndef UMA_ZONE_INT_H
#define UMA_ZONE_INT_H

#include <uma.h>
#include <uma/stat.h>
#include <uma/wait.h>

#include <urcu/list.h>

#include "percpu_int.h"
#include "slab_int.h"
#include "uma_int.h"
#include "uma_probe_int.h"

/* One word: items in the low bits, sleepers above, and changes of the limit. */
#define LIMIT_ITEMS_BITS 38
#define LIMIT_SLEEP_BITS 18
#define LIMIT_ITEMS	 (((uint64_t)1 << LIMIT_ITEMS_BITS) - 1)
#define LIMIT_SLEEPER	 ((uint64_t)1 << LIMIT_ITEMS_BITS)
#define LIMIT_CHANGE	 ((uint64_t)1 << (LIMIT_ITEMS_BITS + LIMIT_SLEEP_BITS))
#define LIMIT_SLEEPERS	 (LIMIT_CHANGE - LIMIT_SLEEPER)

/* Why a zone's cache is disabled. */
enum {
	HOLD_SLEEPERS = 1, /* somebody waits for a free */
	HOLD_OVER = 2, /* more items than a lowered limit allows */
	HOLD_DEAD = 4, /* destroyed */
	HOLD_NOCACHE = 8, /* NOBUCKET, or every call looks at the slab */
	HOLD_WATERMARK = 16, /* marks too close for any bucket */
};

struct limit {
	_Atomic uint64_t l_word;
	_Atomic uint64_t l_max; /* LIMIT_ITEMS: none */
	_Atomic uint32_t l_holds;
	_Atomic uint64_t l_reserved; /* units that waiters have been given */
	struct uma_lock l_lock;
	/* guarded: changes of l_max, l_holds, the cache's being enabled */
	struct cds_list_head l_sleepers; /* first come, first served */
};

/* Who waits for a unit: a thread, or, with lw_fn, what a program keeps. */
enum { WAIT_IDLE, WAIT_QUEUED, WAIT_GRANTED, WAIT_BUSY };
struct limit_waiter {
	struct cds_list_head lw_link; /* l_lock */
	_Atomic uint32_t lw_state; /* zeroed memory is idle */
	uma_wait_fn lw_fn; /* NULL: the thread sleeps at lw_state */
	void *lw_arg;
	struct uma_zone *_Atomic lw_zone; /* with lw_fn: it waits for */
};
_Static_assert(sizeof(struct limit_waiter) <= sizeof(struct uma_waiter) &&
		   _Alignof(struct limit_waiter) <= _Alignof(struct uma_waiter),
    "a waiter has room for it");

/* What a full zone does: maxaction.c. */
struct maxaction {
	_Atomic(uma_maxaction_t) ma_fn;
	_Atomic uint32_t ma_pending; /* stops that it has not run for */
	_Atomic uintptr_t ma_runner; /* the thread that runs it; 0: none */
};

/* Calls when many items are in use, and few again: watermark.c. */
struct watermark {
	_Atomic bool wm_on;
	_Atomic bool wm_is_high; /* the level that was told last */
	_Atomic uint32_t wm_bucket_cap; /* no larger buckets; 0: none at all */
	_Atomic uint64_t wm_low;
	_Atomic uint64_t wm_high;
	_Atomic uint64_t wm_room; /* in the caches of all CPUs */
	_Atomic uintptr_t wm_runner; /* the thread that calls; 0: none */
	/* the runner's */
	void (*wm_fn)(struct uma_zone *zone, void *arg, int level);
	void *wm_arg;
};

/* The working set of a depot, in items; depot.c says how it is estimated. */
struct wset {
	uint64_t ws_max; /* most since the last update */
	uint64_t ws_min; /* fewest since the last update */
	uint64_t ws_low; /* fewest since that maximum */
	uint64_t ws_batch; /* largest one before that, since the last update */
	uint64_t ws_size; /* the estimate */
	uint64_t ws_idle; /* beyond the estimate, for long */
	uint64_t ws_idle_periods; /* how long, in periods */
};

/* What lies between the CPUs of a NUMA domain and the keg. */
struct depot {
	_Alignas(UMA_CACHE_LINE) struct uma_lock d_lock;
	/* guarded by d_lock */
	struct cds_list_head d_full; /* newest first */
	struct bucket *d_cross; /* takes single items from others; or NULL */
	uint64_t d_items; /* in all of these */
	struct wset d_ws;
};

struct uma_zone {
	struct uma_zone_hot uz_hot; /* every hit */

	/* misses */
	_Alignas(UMA_CACHE_LINE) struct cache uz_cache;
	uma_ctor uz_ctor;
	uma_dtor uz_dtor;
	struct keg *uz_keg;
	bool uz_check; /* debug=check, of all zones or this one */
	_Atomic uint32_t uz_bucket_cap; /* of the next bucket */
	_Atomic uint64_t
	    uz_bucket_bytes; /* of items that its buckets can hold */
	_Atomic uint64_t uz_bucket_bytes_max; /* of that; UINT64_MAX: no cap */
	uint64_t uz_item_bytes; /* stride, times copies */
	struct limit uz_limit;
	_Atomic uint64_t uz_out; /* items neither in the keg nor in a depot */
	_Atomic uint64_t uz_peak; /* most of them, ever */
	_Atomic uint64_t uz_allocs; /* by misses, less those undone by ctors */
	_Atomic uint64_t uz_fails;
	_Atomic uint64_t uz_sleeps;
	_Atomic uint64_t uz_xdomain;
	_Atomic uint64_t uz_refills; /* buckets of items brought to a CPU */
	_Atomic uint32_t uz_turn; /* ROUNDROBIN: of the next import's domain */
	int uz_domains; /* NUMA domains, each of which has a depot */
	bool uz_sorts; /* depots have items of their domain only */

	/* seldom */
	struct cds_list_head uz_link; /* the list of zones */
	uint32_t uz_refs; /* walkers at this zone; list's lock */
	uint32_t uz_round; /* tick.c: the last that saw it; t_busy's */
	bool uz_fini; /* a hook runs when its slabs go */
	_Atomic int64_t uz_warn_at; /* not before this time, ns */
	_Atomic int64_t uz_wait_at; /* the same, for want of memory */
	char *uz_warning; /* l_lock */
	const char *_Atomic uz_max_source; /* who set the limit; NULL: nobody */
	uint32_t uz_name_cnt; /* name.c: behind the name in the tree; or 0 */
	struct uma_zone *uz_name_next; /* name.c: in its chain; list's lock */
	struct maxaction uz_maxaction;
	struct watermark uz_watermark;
	size_t uz_name_size;
	char *uz_name;

	struct depot uz_depot[]; /* misses, again: uz_domains of them */
};
_Static_assert(sizeof(struct uma_zone_hot) == UMA_CACHE_LINE &&
		   offsetof(struct uma_zone, uz_hot) == 0,
    "what a hit reads is one line, and uma/seq.h's");

/* ---- start.c, settings.c, pin.c, fork.c: start of the library ---- */

#define SETTING_TEXT_MAX 108 /* bytes, with the NUL: a socket's name */

struct settings {
	int set_debug_check; /* debug=check */
	int set_strict; /* strict */
	int set_percpu_lock; /* percpu=lock */
	int set_zone_warnings; /* vm.zone_warnings */
	int set_sink_none; /* sink=none */
	int set_mlock; /* vm.uma.mlock */
	int set_prefault; /* vm.uma.prefault */
	int set_reclaim_thread; /* vm.uma.reclaim_thread */
	int set_thp; /* vm.uma.thp, enum pages_thp */
	uint64_t set_cache_max; /* vm.uma.cache_max, bytes */
	uint64_t set_zone_cache_max; /* vm.uma.zone_cache_max, bytes */
	uint64_t set_sample_period; /* vm.uma.sample_period, bytes; 0: never */
	uint64_t set_limit; /* vm.uma.limit, bytes; 0: none */
	uint64_t set_reclaim_period; /* vm.uma.reclaim_period, ms */
	char set_control[SETTING_TEXT_MAX]; /* vm.uma.control */
};
extern struct settings uma_settings;
/* Of those that change while the program runs. */
#define SETTING(field) \
	__atomic_load_n(&uma_settings.set_##field, __ATOMIC_RELAXED)

/* Once, before the first zone; false: no memory, try again. */
bool uma_start(void);
extern struct uma_lock uma_start_lock; /* held while it is under way */
/* pin.c: we shall not be unloaded; false: no memory, try again. */
bool module_pin(void);
/*
 * settings.c: fill *set from a text of the form name=value,name=value; say:
 * send messages about what is wrong with it, for which no lock may be held.
 * Returns how many settings were not understood.
 */
size_t settings_parse(struct settings *set, const char *text, bool say);
/* rule.c: there were more settings of single zones than there is room for. */
bool rules_lost(void);
/* fork.c: registers the handlers, once; false: no memory. */
bool fork_start(void);

/* ---- list.c: all zones ---- */

void zlist_add(struct uma_zone *zone);
/* Waits until no walker is at the zone. */
void zlist_remove(struct uma_zone *zone);
/*
 * Walk: the first zone for NULL, else the one after prev, with a reference that
 * the next call takes over; NULL at the end.  zlist_leave ends a walk early.
 */
struct uma_zone *zlist_next(struct uma_zone *prev);
void zlist_leave(struct uma_zone *zone);
/* One walk that goes on later: at the marked zone, or at the first. */
void zlist_set_mark(struct uma_zone *zone);
struct uma_zone *zlist_resume(void);
/* The oldest zone of a keg, referenced; the keg may be long gone: NULL. */
struct uma_zone *zlist_find(const struct keg *keg);
size_t zlist_count(void);
/*
 * The last zone for which pick says true, with a reference; or NULL.  pick runs
 * under the lock, for each zone.
 */
struct uma_zone *zlist_pick(
    bool (*pick)(struct uma_zone *zone, void *arg), void *arg);
/* Fork: the lock, and every zone while it is held. */
extern struct uma_lock zlist_lock;
extern struct uma_debug_table zlist_debug, zones_debug; /* uma/debug.h */
void zlist_each_locked(void (*fn)(struct uma_zone *zone));

/* ---- name.c: what zones are called in the sysctl tree ---- */

/* As a zone is listed and taken off the list.  Locked. */
void zone_name_assign(struct uma_zone *zone);
void zone_name_drop(struct uma_zone *zone);

/* ---- oid.c: the program's nodes of the sysctl tree ---- */

extern struct uma_lock oid_lock;
/* Held; no handler runs any more, but for the caller's. */
void oid_fork_child(void);

/* ---- zone.c ---- */

/* The zones of headers off the page, part of the start; false: no memory. */
bool header_zones_start(void);
/* One of them; NULL behind the last. */
struct uma_zone *header_zone(size_t z);

static inline size_t
zone_bytes(int domains)
{
	return sizeof(struct uma_zone) + (size_t)domains * sizeof(struct depot);
}

/* Bytes of slabs that zones destroyed with items out have left behind. */
uint64_t zone_lost_bytes(void);

/* ---- supply.c: buckets between the cache, the depot and the keg ---- */

/* One from the metadata pool, within the caps on cached bytes; or NULL. */
struct bucket *zone_bucket_alloc(struct uma_zone *zone);
void zone_bucket_free(struct uma_zone *zone, struct bucket *b);
/* The capacity that zones of its size begin with. */
uint32_t zone_bucket_cap_first(const struct uma_zone *zone);
/* Begin anew with a size of buckets that a limit, or a cap, leaves room for. */
void zone_bucket_size(struct uma_zone *zone);
/* Contention makes buckets larger, reclaim smaller. */
void zone_bucket_grow(struct uma_zone *zone);
void zone_bucket_shrink(struct uma_zone *zone, bool much);
/* The same, but at a cap no bucket is emptied for it. */
struct bucket *zone_bucket_make(struct uma_zone *zone);
/* Load b on this CPU if that is still wanted; see to what is left over. */
void zone_load(struct uma_zone *zone, enum cache_want want, struct bucket *b);
/* This CPU's spare bucket, if it helps.  True: try the hit again. */
bool zone_turn(struct uma_zone *zone, enum cache_want want);
/*
 * A bucket of items for this CPU: from the depot, or from the keg.  NULL: none,
 * and *error is an init's errno or 0.
 */
struct bucket *zone_fetch_bucket(struct uma_zone *zone, int flags, int *error);
/* Give n items back to the keg, and their part of the limit. */
void zone_release(struct uma_zone *zone, void **items, int n);
/* Dispose of a bucket that no CPU has: release its items, free it. */
void zone_release_bucket(struct uma_zone *zone, struct bucket *b);
/* Release the items of a bucket that a depot had, and empty it. */
void zone_release_idle(struct uma_zone *zone, struct bucket *b);

/* ---- reclaim.c ---- */

/* The headers that len bytes of slabs leave behind, if these were many. */
void headers_reclaim(size_t len, int request, int domain);
/* DRAIN_CPU of all zones, but slabs of those with a fini stay. */
void reclaim_without_hooks(void);

/* Move all cached items back to the keg; CPUs' own and the depots'. */
void zone_drain(struct uma_zone *zone);

/* ---- alloc.c ---- */

/*
 * What tells a hit that needs more.  A profiler's coming and going changes it;
 * where hits are sequences, which no sanitizer sees, a plain load is as good.
 */
static inline uint32_t
zone_flags_below(const struct uma_zone *zone)
{
#if UMA_HAVE_SEQ
	return zone->uz_hot.flags_below;
#else
	return __atomic_load_n(&zone->uz_hot.flags_below, __ATOMIC_RELAXED);
#endif
}

static inline uintptr_t
zone_item_least(const struct uma_zone *zone)
{
#if UMA_HAVE_SEQ
	return zone->uz_hot.item_least;
#else
	return __atomic_load_n(&zone->uz_hot.item_least, __ATOMIC_RELAXED);
#endif
}

/* What is to be done with items besides their hooks. */
enum {
	WATCH_CHECK = 1, /* uz_check */
	WATCH_SAMPLE = 2, /* a profiler is there: sample.c */
	WATCH_NODTOR = 4, /* a free gets that far, and there is none to run */
};

static inline uint32_t
zone_watch(const struct uma_zone *zone)
{
	return __atomic_load_n(&zone->uz_hot.watch, __ATOMIC_ACQUIRE);
}

/* flags with exactly one of M_NOWAIT and M_WAITOK; aborts over bad ones. */
int zalloc_check_flags(const struct uma_zone *zone, int flags);
/* Abort if the zone was destroyed. */
void zalloc_check_alive(const struct uma_zone *zone);
void zfree_check_alive(struct uma_zone *zone, void *item);
/* An allocation fails: counted, told, errno; error is a hook's errno, or 0. */
void zalloc_failed(struct uma_zone *zone, int error);
/* The ctor and M_ZERO.  The ctor's errno, or 0; nothing is undone. */
int item_construct(struct uma_zone *zone, void *item, void *arg, int flags);
/*
 * One item from the keg, of a domain if possible, whose unit the caller has.
 * NULL with *error as a hook's errno, ETIMEDOUT, or 0: no memory.
 */
void *zone_import_one(
    struct uma_zone *zone, int domain, int flags, int64_t until, int *error);
/*
 * One item past all caches, of the domain if that has memory; UMA_ANYDOMAIN: as
 * the zone's policy has it.  NULL with *error as a hook's errno, ETIMEDOUT, or
 * 0.
 */
void *zone_alloc_item(
    struct uma_zone *zone, int domain, int flags, int64_t until, int *error);

/*
 * Sleep once for memory, between two tries; says so, once a second a zone.
 * False: the time is over.
 */
bool zone_wait_memory(struct uma_zone *zone, int64_t until, int *tries);

/* ---- domain.c: NUMA domains ---- */

/* The domain of the running CPU, whose depot it uses; stale at once. */
int domain_running(void);
static inline int
zone_domain(const struct uma_zone *zone)
{
	return uma_likely(zone->uz_domains == 1) ? 0 : domain_running();
}

/* The domain to import from next. */
int zone_import_domain(struct uma_zone *zone);

/* Where a bucket comes from that goes to the depot. */
enum put {
	PUT_FREED, /* its items were freed */
	PUT_BACK, /* it was taken from a depot, and not wanted after all */
	PUT_NEW, /* its items are new to the depots, but nobody freed them */
};
/*
 * A bucket with items in it, for the depots that they belong to; they may go on
 * to the keg at once.
 */
void zone_put_bucket(struct uma_zone *zone, struct bucket *b, enum put how);

/* ---- depot.c ---- */

void depot_init(struct depot *d);
/* Put a bucket that CPU cpu brought into the depot of a domain. */
void depot_put(
    struct uma_zone *zone, int domain, struct bucket *b, int cpu, enum put how);
/*
 * Put n items into a depot, in buckets that they share with others'.  *spare is
 * an empty bucket that may be used for it, or NULL.  Without memory for another
 * they go to the keg.
 */
void depot_add(struct uma_zone *zone, int domain, void **items, int n,
    struct bucket **spare, enum put how);
/*
 * A bucket for this CPU from the depot of a domain.  Unless any is wanted, one
 * that this CPU brought itself, or the oldest of more than a backlog.
 */
struct bucket *depot_take(struct uma_zone *zone, int domain, bool any);
/* One item; or NULL. */
void *depot_take_item(struct uma_zone *zone, int domain);
/* The oldest bucket, whoever brought it, to be released; near ones first. */
struct bucket *depot_take_oldest(struct uma_zone *zone);

/* For these, UMA_ANYDOMAIN is the depots of all domains. */

/* Release all buckets. */
void depot_drain(struct uma_zone *zone, int domain);
/* Release what is above the working set. */
void depot_trim(struct uma_zone *zone, int domain);
uint64_t depot_items(struct uma_zone *zone, int domain);
/* Of one domain: the items, and the working set. */
uint64_t depot_wset(struct uma_zone *zone, int domain, struct wset *ws);

/*
 * Once a period: follow the working set, and release a part of what has been
 * idle for long.  Takes bounded time.
 */
void depot_tick(struct uma_zone *zone);

/* ---- limit.c ---- */

void limit_init(struct limit *l);
/* Up to n units, or 0 at the limit and whenever somebody sleeps. */
uint64_t limit_take(struct uma_zone *zone, uint64_t n);
/*
 * One unit, after a drain and a sleep if need be; false with M_NOWAIT, or when
 * the time is over: until is in uma_now_ns()'s time.
 */
#define UNTIL_NEVER INT64_MAX
bool limit_acquire(struct uma_zone *zone, int flags, int64_t until);
/* It stops an allocation: tell everybody who wants to know. */
void limit_stops(struct uma_zone *zone);
void limit_give(struct uma_zone *zone, uint64_t n);
/* The same, for items that were not out: of a depot. */
void limit_give_idle(struct uma_zone *zone, uint64_t n);
/* One unit, after a drain if need be; false: the zone is full. */
bool limit_try(struct uma_zone *zone);
/* Queue for a unit; false: too many do.  With a function, *s may be gone. */
bool limit_queue(struct uma_zone *zone, struct limit_waiter *s);
/* Leave the queue; false: not in it, or not any more. */
bool limit_leave(struct uma_zone *zone, struct limit_waiter *s);
/* A unit of the caller's becomes that of a waiter, and the contrary. */
void limit_reserve(struct uma_zone *zone, struct limit_waiter *s);
bool limit_claim(struct uma_zone *zone, struct limit_waiter *s, uint32_t state);
/*
 * limit_call: call a waiter's function.  limit_is_calling: this thread is in
 * one of the zone's, to which none may be added: queue instead.
 */
void limit_call(struct uma_zone *zone, uma_wait_fn fn, void *arg);
bool limit_is_calling(const struct uma_zone *zone);
/* Whoever waits with a function does not any more. */
void limit_forget(struct uma_zone *zone);
/* Items that are out of the keg. */
uint64_t limit_items(struct uma_zone *zone);
void limit_hold(struct uma_zone *zone, uint32_t why);
void limit_unhold(struct uma_zone *zone, uint32_t why);
/* In the child of a fork nobody sleeps; all locks are free by then. */
void limit_fork_child(struct uma_zone *zone);

static inline uint32_t
limit_holds(const struct uma_zone *zone)
{
	return atomic_load_explicit(
	    &zone->uz_limit.l_holds, memory_order_relaxed);
}

/* ---- watermark.c ---- */

void watermark_init(struct watermark *w);
/* out is how many are out now. */
void watermark_peak(struct uma_zone *zone, uint64_t out);
/* No marks any more. */
void watermark_forget(struct uma_zone *zone);
/* This thread is in a call, or sets marks. */
bool watermark_is_ours(struct uma_zone *zone);
void watermark_fork_child(struct uma_zone *zone);

/* n items leave the keg or a depot, to be allocated. */
static inline void
watermark_rise(struct uma_zone *zone, uint64_t n)
{
	uint64_t out = atomic_fetch_add(&zone->uz_out, n) + n;

	if (uma_unlikely(out > atomic_load_explicit(
				   &zone->uz_peak, memory_order_relaxed)))
		watermark_peak(zone, out);
}

/* n items have come to the keg or a depot. */
static inline void
watermark_fall(struct uma_zone *zone, uint64_t n)
{
	atomic_fetch_sub(&zone->uz_out, n);
}

/* Call what is due; no lock held, nothing in hand that others wait for. */
void watermark_run(struct uma_zone *zone);
static inline void
watermark_look(struct uma_zone *zone)
{
	if (uma_unlikely(atomic_load_explicit(
		&zone->uz_watermark.wm_on, memory_order_relaxed)))
		watermark_run(zone);
}

/* ---- warn.c ---- */

/* True once in period ns: *at is when it may be true again. */
bool warn_due(_Atomic int64_t *at, int64_t period);
void zone_warn_full(struct uma_zone *zone);

/* ---- maxaction.c ---- */

/* The limit stops an allocation; any number of items in hand. */
void maxaction_note(struct uma_zone *zone);
/* Run the action for what was noted; nothing in hand.  Keeps errno. */
void maxaction_run(struct uma_zone *zone);
/* This thread is running it. */
bool maxaction_is_ours(struct uma_zone *zone);
void maxaction_fork_child(struct uma_zone *zone);

/* ---- tick.c: idle memory goes back with time ---- */

/*
 * tick_check: for ways that are slow in any case, with no lock held: a slice of
 * a period's work, if it is due and nobody else sees to it.  Runs no hooks.
 * tick_round: a whole period's work, if it is due.  Runs hooks.  Returns when
 * the next will be, in uma_now_ns()'s time; INT64_MAX: never.
 */
void tick_check(void);
int64_t tick_round(void);
void tick_fork_child(void);

/* ---- reclaimer.c: a thread that does it ---- */

/* Start it if it was asked for and is not there.  Not where malloc may be. */
void reclaimer_check(void);
bool reclaimer_runs(void);
void reclaimer_fork_child(void);

/* ---- sample.c: heap profiles ---- */

#if UMA_PROBES

extern _Atomic bool sample_on; /* a session is under way */

static inline bool
sample_alloc_watched(void)
{
	return PROBE_WATCHED(otel_memory, alloc) && SETTING(sample_period) != 0;
}

/* Frees are told for as long as anybody watches. */
static inline bool
sample_wanted(void)
{
	return sample_alloc_watched() ||
	       (PROBE_WATCHED(otel_memory, free) &&
		   atomic_load_explicit(&sample_on, memory_order_relaxed));
}

/* Begin or end a session, as wanted.  No lock of zlist_lock's rank or above. */
void sample_follow(void);

/* For ways that are slow in any case: follow. */
static inline void
sample_check(void)
{
	if (uma_unlikely(sample_wanted() != atomic_load_explicit(&sample_on,
						memory_order_relaxed)))
		sample_follow();
}

/* The program gets an item, or gives one back. */
void sample_item(struct uma_zone *zone, const void *item);
void sample_item_free(const void *item);

static inline void
sample_alloc(struct uma_zone *zone, const void *item)
{
	if (uma_unlikely(zone_watch(zone) & WATCH_SAMPLE))
		sample_item(zone, item);
}

static inline void
sample_free(struct uma_zone *zone, const void *item)
{
	if (uma_unlikely(zone_watch(zone) & WATCH_SAMPLE))
		sample_item_free(item);
}

/* What the hits of a zone that is being listed look at.  zlist_lock. */
void sample_zone(struct uma_zone *zone);

/* For tests: this thread's numbers begin anew; who is told what probes are. */
void sample_seed(uint64_t seed);
uint64_t sample_weight(uint64_t size, uint64_t period);
extern void (*_Atomic sample_hook)(
    const void *item, uint64_t size, uint64_t weight, bool freed);

#else

static inline void
sample_check(void)
{
}

static inline void
sample_alloc(struct uma_zone *zone, const void *item)
{
	(void)zone;
	(void)item;
}

static inline void
sample_free(struct uma_zone *zone, const void *item)
{
	(void)zone;
	(void)item;
}

static inline void
sample_zone(struct uma_zone *zone)
{
	(void)zone;
}

#endif

/* ---- total.c ---- */

/*
 * Before items come from slabs: above the soft total, reclaim, once a second.
 * Runs no hooks, keeps errno.
 */
void total_check(void);
/* The helper's look at the total, with hooks; when the next one is due. */
int64_t total_watch(void);

/* ---- pressure.c ---- */

/* For tests: where / is, "" as it starts. */
void pressure_set_root(const char *root);
/*
 * A new descriptor, or -1, out of the way of the standard ones, which a program
 * may have closed and still write to.
 */
int fd_above_stdio(int fd);

/* ---- control.c: the control socket ---- */

/* For the helper: offer what vm.uma.control asks for; says if that fails. */
void control_offer(void);
/* What to wait for; -1: nothing. */
int control_descriptor(void);
/* Where it is; "": nowhere. */
void control_path(char *path, size_t size);
/* Held while it is opened or closed. */
extern struct uma_lock control_lock;
void control_fork_child(void);
/* For tests: how long a client may be idle, and how long hasty, in ns. */
void control_set_patience(int64_t idle, int64_t line);

#endif
