/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * torture.h - threads that allocate and free while everything that can come
 * between does come: signals at 5 kHz a thread, changes of CPU, drains, limits
 * that come and go, sleepers, forks, threads that end and begin.
 *
 * The proof that nothing was lost, doubled or miscounted: an item's owner word
 * is exchanged by whoever gets it, hands it on or frees it, and must be what
 * only that one could have left; and after each round, with everybody at rest,
 * each zone's books must be the threads' own, to the last item.
 *
 * The proof that there was something to prove: where hits are sequences, at
 * least TORTURE_ABORTS of them must have been seen to be aborted.
 */
#ifndef UMA_TEST_TORTURE_H
#define UMA_TEST_TORTURE_H

#include "torture_seq.h" /* in front of the sequences */
#include <uma/inline.h>

#include "children.h"
#include "zone_int.h"

/* Counted by the abort stubs: torture_seq.h. */
uint64_t uma_seq_aborts;

enum {
	TORTURE_ABORTS = 1000,
	TORTURE_ZONES = 3,
	TORTURE_LIMITED = 1, /* the zone whose limit comes and goes */
	TORTURE_HELD = 128, /* items a worker keeps at most */
	TORTURE_BULK = 32,
	TORTURE_BOXES = 16, /* where workers leave items to each other */
	TORTURE_WORKERS = 64,
	TORTURE_LIFE = 2000, /* steps of a thread at most */
};
#define TORTURE_FREE   0u /* owners that are no worker */
#define TORTURE_HANDED UINT32_MAX

struct torture_item {
	_Atomic uint32_t owner;
	uint32_t zone;
};

struct torture_worker {
	struct torture *to;
	uint32_t id; /* from 1 */
	uint64_t rnd;
	bool inlined; /* hits in this step */
	pthread_t thread; /* the one that lives, or the last that did */
	uint64_t lives; /* in this round */
	uint64_t allocs[TORTURE_ZONES]; /* ever */
	uint64_t frees[TORTURE_ZONES];
	uint64_t fails[TORTURE_ZONES];
	unsigned cnt;
	struct torture_item *held[TORTURE_HELD];
};

struct torture {
	unsigned workers;
	long signal_ns; /* between two signals of a thread */
	uint64_t seed;
	cpu_set_t cpus;
	uma_zone_t zone[TORTURE_ZONES];
	_Atomic bool stop; /* the round ends */
	_Atomic int busy; /* workers that have not */
	_Atomic(struct torture_item *) box[TORTURE_BOXES];
	_Atomic uint64_t drains, limits, forks, lives;
	struct torture_worker sleeper;
	struct torture_worker worker[TORTURE_WORKERS];
};

/* Small buckets are exchanged often: the largest items have the smallest. */
static const struct {
	size_t size;
	uint32_t flags;
} torture_shape[TORTURE_ZONES] = {{64, 0}, {256, UMA_ZONE_OFFPAGE}, {5000, 0}};

/* In children too, where Check may not be used. */
#define TORTURE_MUST(cond, ...)                              \
	do {                                                 \
		if (!(cond)) {                               \
			dprintf(2, "torture: " __VA_ARGS__); \
			abort();                             \
		}                                            \
	} while (0)

/* ---- items ---- */

static inline void
torture_pass(struct torture_item *it, uint32_t from, uint32_t to)
{
	uint32_t was =
	    atomic_exchange_explicit(&it->owner, to, memory_order_relaxed);

	TORTURE_MUST(was == from, "item %p goes from %x to %x, but was %x's\n",
	    (void *)it, from, to, was);
}

static inline void
torture_fini(void *mem, int size)
{
	struct torture_item *it = mem;

	(void)size;
	TORTURE_MUST(atomic_load_explicit(&it->owner, memory_order_relaxed) ==
			 TORTURE_FREE,
	    "item %p is somebody's, and gone\n", mem);
}

/* The worker gets an item that was free. */
static inline void
torture_get(struct torture_worker *w, uint32_t z, void *mem)
{
	struct torture_item *it = mem;

	torture_pass(it, TORTURE_FREE, w->id);
	it->zone = z;
	w->allocs[z]++;
	w->held[w->cnt++] = it;
}

/* The worker has one item less; it is free, and about to go to its zone. */
static inline struct torture_item *
torture_put(struct torture_worker *w, uint32_t *z)
{
	struct torture_item *it = w->held[--w->cnt];

	*z = it->zone;
	torture_pass(it, w->id, TORTURE_FREE);
	w->frees[*z]++;
	return it;
}

/* What the zone said instead of giving one. */
static inline void
torture_none(struct torture_worker *w, uint32_t z, int flags)
{
	TORTURE_MUST(z == TORTURE_LIMITED && (flags & M_NOWAIT),
	    "no item of zone %u: errno %d\n", z, errno);
	w->fails[z]++;
}

static inline bool
torture_alloc(struct torture_worker *w, uint32_t z, int flags)
{
	uma_zone_t zone = w->to->zone[z];
	void *mem =
	    w->inlined ? uma_zalloc(zone, flags) : (uma_zalloc)(zone, flags);

	if (mem != NULL)
		torture_get(w, z, mem);
	else
		torture_none(w, z, flags);
	return mem != NULL;
}

static inline void
torture_free(struct torture_worker *w)
{
	uint32_t z;
	void *mem = torture_put(w, &z);

	if (w->inlined)
		uma_zfree(w->to->zone[z], mem);
	else
		(uma_zfree)(w->to->zone[z], mem);
}

/* ---- what workers do ---- */

static inline uint64_t
torture_rand(struct torture_worker *w, unsigned n)
{
	return test_rand(&w->rnd) % n;
}

static inline uint32_t
torture_some_zone(struct torture_worker *w)
{
	static const uint8_t zone[8] = {0, 0, 0, 0, 0, 1, 1, 2};

	return zone[torture_rand(w, 8)];
}

static inline void
torture_shrink(struct torture_worker *w, unsigned cnt)
{
	while (w->cnt > cnt)
		torture_free(w);
}

static inline void
torture_pairs(struct torture_worker *w)
{
	uint32_t z = torture_some_zone(w);

	torture_shrink(w, TORTURE_HELD - 1);
	for (uint64_t n = torture_rand(w, 400); n > 0; n--)
		if (torture_alloc(w, z, M_NOWAIT))
			torture_free(w);
}

static inline void
torture_burst(struct torture_worker *w)
{
	uint32_t z = torture_some_zone(w);
	uint64_t n = torture_rand(w, TORTURE_HELD - w->cnt + 1);

	while (n-- > 0)
		torture_alloc(w, z, M_NOWAIT);
}

/* In any order. */
static inline void
torture_burst_back(struct torture_worker *w)
{
	for (uint64_t n = torture_rand(w, w->cnt + 1); n > 0; n--) {
		uint64_t i = torture_rand(w, w->cnt);
		struct torture_item *it = w->held[i];

		w->held[i] = w->held[w->cnt - 1];
		w->held[w->cnt - 1] = it;
		torture_free(w);
	}
}

static inline void
torture_bulk(struct torture_worker *w)
{
	uint32_t z = torture_some_zone(w);
	int n = 1 + (int)torture_rand(w, TORTURE_BULK);
	void *got[TORTURE_BULK];

	torture_shrink(w, TORTURE_HELD - TORTURE_BULK);
	if (torture_rand(w, 2) == 0)
		n = uma_zalloc_bulk(w->to->zone[z], got, n, M_NOWAIT);
	else
		n = uma_zalloc_burst(w->to->zone[z], got, n, M_NOWAIT);
	if (n == 0)
		torture_none(w, z, M_NOWAIT);
	for (int i = 0; i < n; i++)
		torture_get(w, z, got[i]);
}

/* As many as there are of one zone on top. */
static inline void
torture_bulk_back(struct torture_worker *w)
{
	int most = 1 + (int)torture_rand(w, TORTURE_BULK), n = 0;
	void *got[TORTURE_BULK];
	uint32_t z = w->cnt == 0 ? 0 : w->held[w->cnt - 1]->zone;

	while (n < most && w->cnt > 0 && w->held[w->cnt - 1]->zone == z)
		got[n++] = torture_put(w, &z);
	uma_zfree_bulk(w->to->zone[z], got, n);
}

/* Leave an item in a box, take the one that was there. */
static inline void
torture_exchange(struct torture_worker *w)
{
	for (uint64_t n = torture_rand(w, TORTURE_BOXES); n > 0 && w->cnt > 0;
	     n--) {
		struct torture_item *it = w->held[--w->cnt];

		torture_pass(it, w->id, TORTURE_HANDED);
		it = atomic_exchange(
		    &w->to->box[torture_rand(w, TORTURE_BOXES)], it);
		if (it != NULL) {
			torture_pass(it, TORTURE_HANDED, w->id);
			w->held[w->cnt++] = it;
		}
	}
}

static inline void
torture_hop(struct torture_worker *w)
{
	uint64_t left = torture_rand(w, (unsigned)CPU_COUNT(&w->to->cpus));
	cpu_set_t one;
	int cpu = 0;

	while (!CPU_ISSET(cpu, &w->to->cpus) || left-- > 0)
		cpu++;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	TORTURE_MUST(sched_setaffinity(0, sizeof one, &one) == 0, "no hop\n");
}

static inline void
torture_step(struct torture_worker *w)
{
	static void (*const act[])(struct torture_worker *) = {torture_pairs,
	    torture_pairs, torture_pairs, torture_pairs, torture_burst,
	    torture_burst_back, torture_bulk, torture_bulk_back,
	    torture_exchange};

	if (torture_rand(w, 16) == 0)
		torture_hop(w);
	w->inlined = torture_rand(w, 2) == 0;
	act[torture_rand(w, sizeof act / sizeof act[0])](w);
}

/* ---- signals ---- */

#ifndef sigev_notify_thread_id /* glibc has the field without its name */
#define sigev_notify_thread_id _sigev_un._tid
#endif

static _Atomic uint64_t torture_signals;

static inline void
torture_on_signal(int sig)
{
	(void)sig;
	atomic_fetch_add_explicit(&torture_signals, 1, memory_order_relaxed);
}

/* Signals for the calling thread, until timer_delete(). */
static inline timer_t
torture_timer(const struct torture *to)
{
	struct sigevent ev = {
	    .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1};
	struct itimerspec every = {.it_interval.tv_nsec = to->signal_ns,
	    .it_value.tv_nsec = to->signal_ns};
	timer_t timer;

	ev.sigev_notify_thread_id = (pid_t)syscall(SYS_gettid);
	TORTURE_MUST(timer_create(CLOCK_MONOTONIC, &ev, &timer) == 0 &&
			 timer_settime(timer, 0, &every, NULL) == 0,
	    "no timer: errno %d\n", errno);
	return timer;
}

/* ---- lives ---- */

/* A worker is one thread after the other: each joins the one before it. */
static inline void *
torture_life(void *arg)
{
	struct torture_worker *w = arg;
	struct torture *to = w->to;

	if (w->lives++ > 0)
		thread_join(w->thread);
	w->thread = pthread_self();
	timer_t timer = torture_timer(to);
	for (uint64_t n = torture_rand(w, TORTURE_LIFE);
	     n > 0 && !atomic_load(&to->stop); n--)
		torture_step(w);
	timer_delete(timer);
	atomic_fetch_add(&to->lives, 1);
	if (atomic_load(&to->stop))
		atomic_fetch_sub(&to->busy, 1);
	else
		thread_start(torture_life, w);
	return NULL;
}

static inline bool
torture_is_busy(struct torture *to)
{
	return atomic_load(&to->busy) > 0;
}

/* ---- what happens beside, until the last worker is done ---- */

/* Numbers that nobody waited for, but that are no nonsense. */
static inline void
torture_look(uma_zone_t zone)
{
	struct uma_zone_stat st = {.size = sizeof st};

	TORTURE_MUST(uma_zone_stat(zone, &st) == 0 && st.frees <= st.allocs &&
			 st.allocs < UINT64_C(1) << 60 && st.used < 1000000,
	    "%llu allocations, %llu frees, %llu used\n",
	    (unsigned long long)st.allocs, (unsigned long long)st.frees,
	    (unsigned long long)st.used);
}

static inline void *
torture_drainer(void *arg)
{
	static const int request[4] = {UMA_RECLAIM_DRAIN_CPU,
	    UMA_RECLAIM_DRAIN_CPU, UMA_RECLAIM_DRAIN, UMA_RECLAIM_TRIM};
	struct torture *to = arg;
	uint64_t rnd = to->seed ^ 0xd7a1;

	while (torture_is_busy(to)) {
		uint64_t r = test_rand(&rnd);
		uma_zone_t zone = to->zone[(r >> 16) % TORTURE_ZONES];

		torture_look(zone);
		if (r % 64 == 0)
			uma_reclaim(request[r >> 8 & 3]);
		else
			uma_zone_reclaim(zone, request[r >> 8 & 3]);
		atomic_fetch_add(&to->drains, 1);
		usleep((r >> 32) % 500);
	}
	return NULL;
}

static inline void *
torture_limiter(void *arg)
{
	struct torture *to = arg;
	uma_zone_t zone = to->zone[TORTURE_LIMITED];
	uint64_t rnd = to->seed ^ 0x1137;

	while (torture_is_busy(to)) {
		uint64_t r = test_rand(&rnd);

		uma_zone_set_max(zone, 1 + (int)(r % 500));
		usleep((r >> 16) % 3000);
		uma_zone_set_max(zone, 0);
		usleep((r >> 32) % 3000);
		atomic_fetch_add(&to->limits, 1);
	}
	return NULL;
}

/* Waits for an item of the limited zone as often as not. */
static inline void *
torture_sleeper(void *arg)
{
	struct torture *to = arg;
	struct torture_worker *w = &to->sleeper;

	while (torture_is_busy(to)) {
		torture_alloc(w, TORTURE_LIMITED, M_WAITOK);
		usleep(torture_rand(w, 100));
		torture_free(w);
		usleep(torture_rand(w, 1000));
	}
	return NULL;
}

static inline void torture_child(void *arg);

/* Not one that gets signals: with many, a fork would begin again for ever. */
static inline void *
torture_forker(void *arg)
{
	struct torture *to = arg;

	while (torture_is_busy(to)) {
		in_child(torture_child, to);
		atomic_fetch_add(&to->forks, 1);
		test_sleep_ms(100);
	}
	return NULL;
}

/* ---- books ---- */

static inline void
torture_stats(struct torture *to, struct uma_zone_stat st[TORTURE_ZONES])
{
	for (int z = 0; z < TORTURE_ZONES; z++) {
		st[z] = (struct uma_zone_stat){.size = sizeof st[z]};
		TORTURE_MUST(
		    uma_zone_stat(to->zone[z], &st[z]) == 0, "no stat\n");
	}
}

#define TORTURE_SAME(z, is, should)                                      \
	TORTURE_MUST((is) == (should),                                   \
	    "zone %d: " #is " is %llu, should be %llu (line %d)\n", (z), \
	    (unsigned long long)(is), (unsigned long long)(should), __LINE__)

/* Items that somebody has; everybody is at rest. */
static inline uint64_t
torture_held(struct torture *to, uint32_t z)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < to->workers; i++)
		for (unsigned k = 0; k < to->worker[i].cnt; k++)
			n += to->worker[i].held[k]->zone == z;
	for (int i = 0; i < TORTURE_BOXES; i++) {
		struct torture_item *it = atomic_load(&to->box[i]);

		n += it != NULL && it->zone == z;
	}
	return n;
}

/* At rest each zone's books are the threads', exactly. */
static inline void
torture_audit(struct torture *to)
{
	struct uma_zone_stat st[TORTURE_ZONES];

	torture_stats(to, st);
	for (uint32_t z = 0; z < TORTURE_ZONES; z++) {
		uint64_t allocs = to->sleeper.allocs[z];
		uint64_t frees = to->sleeper.frees[z];
		uint64_t fails = 0;

		for (unsigned i = 0; i < to->workers; i++) {
			allocs += to->worker[i].allocs[z];
			frees += to->worker[i].frees[z];
			fails += to->worker[i].fails[z];
		}
		TORTURE_SAME(z, st[z].allocs, allocs);
		TORTURE_SAME(z, st[z].frees, frees);
		TORTURE_SAME(z, st[z].fails, fails);
		TORTURE_SAME(z, st[z].used, torture_held(to, z));
		TORTURE_SAME(z, st[z].used, allocs - frees);
		TORTURE_SAME(z,
		    st[z].used + st[z].free_cached + st[z].free_slab,
		    st[z].slabs * st[z].slab_items);
	}
}

/*
 * A child has its parent's items, and those that were in somebody's hands at
 * the fork are lost to it: what it does itself must be exact.
 */
static inline void
torture_child(void *arg)
{
	static struct torture_worker me;
	struct uma_zone_stat was[TORTURE_ZONES], is[TORTURE_ZONES];
	struct torture *to = arg;

	me = (struct torture_worker){.to = to, .id = 1u << 30};
	me.rnd = to->seed + atomic_load(&to->forks);
	torture_stats(to, was);
	timer_t timer = torture_timer(to);
	for (int n = 0; n < 100; n++) {
		torture_step(&me);
		if (n % 16 == 0)
			uma_zone_reclaim(to->zone[n / 16 % TORTURE_ZONES],
			    UMA_RECLAIM_DRAIN_CPU);
	}
	torture_shrink(&me, 0);
	timer_delete(timer);
	torture_stats(to, is);
	for (int z = 0; z < TORTURE_ZONES; z++) {
		TORTURE_SAME(z, is[z].allocs, was[z].allocs + me.allocs[z]);
		TORTURE_SAME(z, is[z].frees, was[z].frees + me.frees[z]);
		TORTURE_SAME(z, is[z].fails, was[z].fails + me.fails[z]);
		TORTURE_SAME(z,
		    is[z].used + is[z].free_cached + is[z].free_slab -
			is[z].slabs * is[z].slab_items,
		    was[z].used + was[z].free_cached + was[z].free_slab -
			was[z].slabs * was[z].slab_items);
	}
}

/* ---- the whole ---- */

static inline void
torture_start(struct torture *to)
{
	struct sigaction act = {
	    .sa_handler = torture_on_signal, .sa_flags = SA_RESTART};
	unsigned workers = (unsigned)uma_ncpus() * 4;

	TORTURE_MUST(sigaction(SIGUSR1, &act, NULL) == 0, "no handler\n");
	TORTURE_MUST(
	    sched_getaffinity(getpid(), sizeof to->cpus, &to->cpus) == 0,
	    "no CPU\n");
	to->workers = uma_min(workers, (unsigned)TORTURE_WORKERS);
	for (unsigned i = 0; i <= to->workers; i++) {
		struct torture_worker *w =
		    i < to->workers ? &to->worker[i] : &to->sleeper;

		w->to = to;
		w->id = i + 1;
		w->rnd = to->seed + i;
	}
	for (int z = 0; z < TORTURE_ZONES; z++) {
		to->zone[z] = uma_zcreate("torture", torture_shape[z].size,
		    NULL, NULL, NULL, torture_fini, UMA_ALIGN_PTR,
		    torture_shape[z].flags);
		TORTURE_MUST(to->zone[z] != NULL, "no zone\n");
	}
}

/* Everybody runs for so long, then rests; the books are looked at. */
static inline void
torture_round(struct torture *to, long ms)
{
	void *(*const noise[])(void *) = {
	    torture_drainer, torture_limiter, torture_sleeper, torture_forker};
	enum { NOISES = sizeof noise / sizeof noise[0] };
	pthread_t t[NOISES];

	atomic_store(&to->stop, false);
	atomic_store(&to->busy, (int)to->workers);
	for (unsigned i = 0; i < to->workers; i++) {
		to->worker[i].lives = 0;
		thread_start(torture_life, &to->worker[i]);
	}
	for (int i = 0; i < NOISES; i++)
		t[i] = thread_start(noise[i], to);
	test_sleep_ms(ms);
	atomic_store(&to->stop, true);
	while (torture_is_busy(to))
		test_sleep_ms(1);
	for (unsigned i = 0; i < to->workers; i++)
		thread_join(to->worker[i].thread);
	for (int i = 0; i < NOISES; i++)
		thread_join(t[i]);
	torture_audit(to);
}

static inline void
torture_finish(struct torture *to)
{
	struct uma_zone_stat st[TORTURE_ZONES];
	struct torture_worker *w = &to->worker[0];

	for (unsigned i = 0; i < to->workers; i++)
		torture_shrink(&to->worker[i], 0);
	for (int i = 0; i < TORTURE_BOXES; i++) {
		struct torture_item *it = atomic_exchange(&to->box[i], NULL);

		if (it == NULL)
			continue;
		torture_pass(it, TORTURE_HANDED, w->id);
		w->held[w->cnt++] = it;
		torture_free(w);
	}
	torture_audit(to);
	for (int z = 0; z < TORTURE_ZONES; z++)
		uma_zone_reclaim(to->zone[z], UMA_RECLAIM_DRAIN_CPU);
	torture_stats(to, st);
	for (int z = 0; z < TORTURE_ZONES; z++) {
		TORTURE_SAME(z, st[z].used, (uint64_t)0);
		TORTURE_SAME(z, st[z].free_cached, (uint64_t)0);
		TORTURE_SAME(z, st[z].slabs, (uint64_t)0);
		uma_zdestroy(to->zone[z]);
	}
}

static inline uint64_t
torture_ops(const struct torture *to)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < to->workers; i++)
		for (int z = 0; z < TORTURE_ZONES; z++)
			n += to->worker[i].allocs[z] + to->worker[i].frees[z];
	return n;
}

static inline uint64_t
torture_aborts(void)
{
	return *(volatile uint64_t *)&uma_seq_aborts;
}

static inline void
torture_print(struct torture *to)
{
	uint64_t over = 0, sleeps = 0;
	struct uma_zone_stat st[TORTURE_ZONES];

	torture_stats(to, st);
	for (int z = 0; z < TORTURE_ZONES; z++) {
		over += to->zone[z]->uz_hot.cache.over;
		sleeps += st[z].sleeps;
	}
	printf("torture (%s): %llu operations, %llu aborts seen, of them %llu "
	       "after the count, %llu signals, %llu drains, %llu limits, "
	       "%llu sleeps, %llu forks, %llu threads\n",
	    uma_percpu_mode(), (unsigned long long)torture_ops(to),
	    (unsigned long long)torture_aborts(), (unsigned long long)over,
	    (unsigned long long)torture_signals, (unsigned long long)to->drains,
	    (unsigned long long)to->limits, (unsigned long long)sleeps,
	    (unsigned long long)to->forks, (unsigned long long)to->lives);
	fflush(stdout);
}

/*
 * Rounds until there were that many operations and seconds, and enough aborts;
 * what has not come after cap seconds is a failure.
 */
static inline void
torture_run(
    struct torture *to, long round_ms, uint64_t ops, double seconds, double cap)
{
	bool seq = strncmp(uma_percpu_mode(), "rseq", 4) == 0;
	double start = test_now();

	torture_start(to);
	for (;;) {
		torture_round(to, round_ms);
		double took = test_now() - start;
		bool proved = torture_ops(to) >= ops &&
			      (!seq || torture_aborts() >= TORTURE_ABORTS);
		if (proved && took >= seconds)
			break;
		if (took >= cap)
			torture_print(to);
		TORTURE_MUST(
		    took < cap, "this has proved nothing in %.0f s\n", took);
	}
	torture_print(to);
	torture_finish(to);
}

#endif
