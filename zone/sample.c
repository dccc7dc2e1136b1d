/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sample.c - heap profiles: the probes of the provider otel_memory.
 *
 * (1) A profiler of the whole machine wants to know, of a few allocations,
 * where they were made and when they are freed, such that weights of those that
 * live add up to the bytes that live.  It is for samples; who wants every
 * allocation has other tools.
 *
 * (2) Each byte that is allocated is picked with the same small probability,
 * 1/R, R being vm.uma.sample_period; an allocation of S bytes is sampled if one
 * of its bytes is, which has the probability p = 1 - exp(-S/R), and counts for
 * S/p bytes.  Whatever is done with the others, the expectation of the weights
 * of any set of allocations is the sum of their sizes.  A thread draws the
 * distance to its next picked byte and counts it down; the rest of a sampled
 * allocation is skipped, which changes nothing, since what is to come does not
 * depend on what was.
 *
 * (3) A hit knows nothing of it.  While nobody watches, this file costs a slow
 * path a load and a branch.  The first slow path that finds the semaphore of
 * otel_memory:alloc raised begins a session: it makes all zones look as if they
 * had a ctor and a dtor, so that no hit is complete without the function that
 * sees to hooks, and that function counts, and looks each freed item up in the
 * book of sampled ones.  An allocation and its free take about 11 ns then, and
 * 2.8 otherwise.  The first that finds nobody watching ends it.  Items
 * themselves are what and where they would be without.
 *
 * (4) The book is a set of pointers: tables, each four times as large as the
 * one before it, of sets of one cache line, in which an item may lie anywhere.
 * It goes to the next table when its set is full.  Entered and removed by
 * whoever has the item, without a lock.  Tables stay; they are emptied when a
 * session begins.
 *
 * (5) zlist_lock guards sample_on and the zones' being changed over.  A thread
 * that enters an item sees WATCH_SAMPLE, hence the frees' being directed here
 * (release and acquire); whoever frees the item learnt of it from that thread.
 * A call may begin within a session and end behind it: WATCH_NODTOR tells it
 * that there may be nothing to do.  An accepted race: a thread that is held up
 * between the decision and the book, for longer than it takes a session to end
 * and another one to begin, may leave an entry for an item that was freed in
 * between, and one free is told whose allocation was not.
 *
 * (6) While a session lasts: allocations told = frees told + entries.
 *
 * (7) Not taken: to decide when a bucket is filled, and let it end where the
 * next sampled item is due, which would leave hits alone in a session, too.
 * What is allocated and freed within a bucket does not come there.  If it
 * counts for nothing, samples die out where objects are replaced one by one:
 * they are freed past the bucket, and hits make none anew.  If it counts for
 * whoever comes there next, that one is charged with what others did: 71 times
 * its bytes, where another caller made 100 pairs for each that it kept.
 * Addresses that tell a sampled item from others, so that frees could hit,
 * would save the book, and want slabs apart for every zone.
 *
 * After tcmalloc's and jemalloc's samplers; the probes are those of the design
 * document 00003, "Memory Profiling", of the OpenTelemetry eBPF profiler.
 */
#include <errno.h>

#include "pages_int.h"
#include "zone_int.h"

#if UMA_PROBES

_Atomic bool sample_on; /* changed under zlist_lock */
void (*_Atomic sample_hook)(
    const void *item, uint64_t size, uint64_t weight, bool freed);

static __thread struct {
	uint64_t st_period; /* that st_left was drawn for; 0: not yet */
	uint64_t st_left; /* bytes before the next one that is picked */
	uint64_t st_random;
} thread __attribute__((tls_model("initial-exec")));

/* ---- numbers ---- */

/* Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators". */
static uint64_t
random_next(void)
{
	uint64_t z = thread.st_random += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

void
sample_seed(uint64_t seed)
{
	thread.st_random = seed;
	thread.st_period = 0;
}

/* -ln(n / 2^53), n from 1 to 2^53; by the series of atanh((m - 1) / (m + 1)). */
static double
minus_ln(uint64_t n)
{
	int shift = __builtin_clzll(n) - 10;
	double m = (double)(n << shift) * 0x1p-53; /* from 1 to 2 */
	double s = (m - 1) / (m + 1), power = s, sum = 0;

	for (int k = 1; k < 32; k += 2, power *= s * s)
		sum += power / k;
	return shift * 0.69314718055994530942 - 2 * sum;
}

/* 1 - exp(-x), x not negative: by its series, for a part, and doubling. */
static double
one_minus_exp(double x)
{
	double q = 0, term;
	int halves = 0;

	if (x > 64)
		return 1;
	for (; x > 0.5; x /= 2)
		halves++;
	term = x;
	for (int k = 2; k < 16; k++) {
		q += term;
		term *= -x / k;
	}
	while (halves-- > 0)
		q *= 2 - q;
	return q;
}

/* Geometrically distributed with a mean of period. */
static uint64_t
sample_distance(uint64_t period)
{
	double d = minus_ln((random_next() >> 11) + 1) * (double)period;

	return d < 0x1p62 ? (uint64_t)d : (uint64_t)1 << 62;
}

uint64_t
sample_weight(uint64_t size, uint64_t period)
{
	double s = (double)size;

	return (uint64_t)(s / one_minus_exp(s / (double)period) + 0.5);
}

/* ---- the book ---- */

#define SET (UMA_CACHE_LINE / sizeof(void *))

struct book {
	_Alignas(UMA_CACHE_LINE) size_t b_sets;
	_Atomic(struct book *) b_next;
	_Alignas(UMA_CACHE_LINE) _Atomic(const void *) b_slot[][SET];
};
#define BOOK_SETS 511 /* of the first, which with them has 32 KiB */

static _Atomic(struct book *) book_first;

static _Atomic(const void *) *
book_set(struct book *b, const void *item)
{
	uint64_t h = (uintptr_t)item / 8 * UINT64_C(0x9e3779b97f4a7c15) >> 32;

	return b->b_slot[h * b->b_sets >> 32];
}

/* Another table at the end; NULL: no memory. */
static UMA_COLD struct book *
book_add(_Atomic(struct book *) *end, size_t sets)
{
	size_t len = sizeof(struct book) + sets * UMA_CACHE_LINE;
	struct book *b = meta_alloc(len, 0), *other = NULL;

	if (b == NULL)
		return NULL;
	b->b_sets = sets;
	if (atomic_compare_exchange_strong(end, &other, b))
		return b;
	meta_free(b, len);
	return other;
}

static bool
book_enter(const void *item)
{
	_Atomic(struct book *) *link = &book_first;
	size_t sets = BOOK_SETS;

	for (;;) {
		struct book *b =
		    atomic_load_explicit(link, memory_order_acquire);

		if (b == NULL && (b = book_add(link, sets)) == NULL)
			return false;
		_Atomic(const void *) *slot = book_set(b, item);
		for (size_t k = 0; k < SET; k++) {
			const void *none = NULL;

			if (atomic_compare_exchange_strong(
				&slot[k], &none, item))
				return true;
		}
		link = &b->b_next;
		sets = (b->b_sets + 1) * 4 - 1;
	}
}

/* Where it is in its set, or SET; most are not, so all eight are looked at. */
static inline size_t
set_find(_Atomic(const void *) *slot, const void *item)
{
	unsigned found = 1u << SET;

#pragma GCC unroll 8
	for (size_t k = 0; k < SET; k++)
		found |= (unsigned)(atomic_load_explicit(
					&slot[k], memory_order_relaxed) == item)
			 << k;
	return (size_t)__builtin_ctz(found);
}

/* The slot that has it, or NULL. */
static inline _Atomic(const void *) *
book_find(const void *item)
{
	struct book *b =
	    atomic_load_explicit(&book_first, memory_order_acquire);

	for (; b != NULL;
	     b = atomic_load_explicit(&b->b_next, memory_order_acquire)) {
		_Atomic(const void *) *slot = book_set(b, item);
		size_t k = set_find(slot, item);

		if (uma_unlikely(k < SET))
			return &slot[k];
	}
	return NULL;
}

static void
book_clear(void)
{
	for (struct book *b = atomic_load(&book_first); b != NULL;
	     b = atomic_load(&b->b_next))
		for (size_t s = 0; s < b->b_sets; s++)
			for (size_t k = 0; k < SET; k++)
				atomic_store_explicit(&b->b_slot[s][k], NULL,
				    memory_order_relaxed);
}

/* ---- sessions ---- */

/*
 * Zones of VM are left alone: headers of slabs live in them, which are no
 * allocations of the program.
 */
void
sample_zone(struct uma_zone *zone)
{
	struct uma_zone_hot *hot = &zone->uz_hot;
	bool on = atomic_load_explicit(&sample_on, memory_order_relaxed) &&
		  !(hot->flags & UMA_ZONE_VM);

	uint32_t watch = hot->watch & ~(uint32_t)WATCH_SAMPLE;

	uma_lock_assert_held(&zlist_lock);
	if (!on)
		__atomic_store_n(&hot->watch, watch, __ATOMIC_RELAXED);
	__atomic_store_n(&hot->item_least,
	    on || zone->uz_dtor != NULL ? UINTPTR_MAX : 1, __ATOMIC_RELAXED);
	__atomic_store_n(&hot->flags_below,
	    on || zone->uz_ctor != NULL ? 0 : M_ZERO, __ATOMIC_RELAXED);
	if (on)
		__atomic_store_n(
		    &hot->watch, watch | WATCH_SAMPLE, __ATOMIC_RELEASE);
}

void
sample_follow(void)
{
	uma_lock_acquire(&zlist_lock);
	bool on = sample_wanted();
	if (on != atomic_load(&sample_on)) {
		if (on)
			book_clear();
		atomic_store(&sample_on, on);
		zlist_each_locked(sample_zone);
	}
	uma_lock_release(&zlist_lock);
}

/* ---- items ---- */

static void
sample_tell(const void *item, uint64_t size, uint64_t weight, bool freed)
{
	void (*hook)(const void *, uint64_t, uint64_t, bool) =
	    atomic_load_explicit(&sample_hook, memory_order_relaxed);

	if (hook != NULL)
		hook(item, size, weight, freed);
}

static UMA_COLD void
sample_take(const void *item, uint64_t size, uint64_t period)
{
	int saved = errno;
	uint64_t weight = sample_weight(size, period);

	thread.st_left = sample_distance(period);
	/* Without memory for an entry there is no sample. */
	if (book_enter(item)) {
		probe_otel_alloc(item, size, weight);
		sample_tell(item, size, weight, false);
	}
	errno = saved;
}

static UMA_COLD void
sample_begin(uint64_t period)
{
	if (thread.st_random == 0)
		thread.st_random = (uint64_t)uma_now_ns() ^ (uintptr_t)&thread
								<< 20;
	thread.st_period = period;
	thread.st_left = sample_distance(period);
}

static UMA_COLD void
sample_item_slow(const void *item, uint64_t size)
{
	uint64_t period = SETTING(sample_period);

	if (!sample_wanted())
		sample_follow();
	if (!sample_alloc_watched())
		return;
	if (thread.st_period != period)
		sample_begin(period);
	if (thread.st_left >= size)
		thread.st_left -= size;
	else
		sample_take(item, size, period);
}

void
sample_item(struct uma_zone *zone, const void *item)
{
	uint64_t size = zone->uz_hot.size;

	if (zone->uz_hot.flags & UMA_ZONE_PCPU)
		size *= (uint64_t)pages_cpu_cnt();
	if (uma_likely(PROBE_WATCHED(otel_memory, alloc) &&
		       thread.st_period == SETTING(sample_period) &&
		       thread.st_left >= size))
		thread.st_left -= size;
	else
		sample_item_slow(item, size);
}

static UMA_COLD void
sample_item_gone(const void *item, _Atomic(const void *) *slot)
{
	/* Not if another thread frees it, too, and was faster. */
	if (!atomic_compare_exchange_strong(slot, &item, NULL))
		return;
	probe_otel_free(item);
	sample_tell(item, 0, 0, true);
}

void
sample_item_free(const void *item)
{
	if (uma_unlikely(
		!PROBE_WATCHED(otel_memory, free) && !sample_wanted())) {
		sample_follow();
		return;
	}
	_Atomic(const void *) *slot = book_find(item);
	if (uma_unlikely(slot != NULL))
		sample_item_gone(item, slot);
}

#endif
