/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Heap profiles: what the probes of otel_memory are told.  A test raises their
 * semaphores, as a tracer does, and listens where they lie.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <math.h>
#include <uma.h>
#include <uma/inline.h>
#include <uma/sysctl.h>
#include <uma/wait.h>

#include "pages_int.h"
#include "threads.h"
#include "zone_int.h"

#if UMA_PROBES

/* ---- who listens ---- */

/* Sampled allocations that were not freed yet, and what there was in all. */
#define HEARD_SLOTS ((size_t)1 << 19)
static struct {
	pthread_mutex_t lock;
	struct {
		const void *item;
		uint64_t weight;
	} slot[HEARD_SLOTS];
	size_t allocs, frees, live;
	size_t twice; /* an item that was live already */
	size_t unknown; /* the free of one that was not */
	double weight; /* of those that live */
	double total; /* of all */
	uint64_t size; /* of the last */
} heard = {.lock = PTHREAD_MUTEX_INITIALIZER};

static const char gone;

/* The item's place, or where it may be put. */
static size_t
heard_find(const void *item)
{
	size_t free_at = HEARD_SLOTS, h = (uintptr_t)item / 8 * 2654435761u;

	for (;; h++) {
		const void *found = heard.slot[h % HEARD_SLOTS].item;

		if (found == item)
			return h % HEARD_SLOTS;
		if (found == &gone && free_at == HEARD_SLOTS)
			free_at = h % HEARD_SLOTS;
		if (found == NULL)
			return free_at < HEARD_SLOTS ? free_at
						     : h % HEARD_SLOTS;
	}
}

static void
hear(const void *item, uint64_t size, uint64_t weight, bool freed)
{
	pthread_mutex_lock(&heard.lock);
	size_t at = heard_find(item);
	bool known = heard.slot[at].item == item;
	if (!freed) {
		heard.allocs++;
		heard.live++;
		heard.twice += known;
		heard.weight += (double)weight;
		heard.total += (double)weight;
		heard.size = size;
		heard.slot[at].item = item;
		heard.slot[at].weight = weight;
	} else {
		heard.frees++;
		heard.unknown += !known;
		if (known) {
			heard.live--;
			heard.weight -= (double)heard.slot[at].weight;
			heard.slot[at].item = &gone;
		}
	}
	pthread_mutex_unlock(&heard.lock);
}

static void
watch(bool on)
{
	__atomic_store_n(
	    &PROBE_SEMAPHORE(otel_memory, alloc), on, __ATOMIC_RELAXED);
	__atomic_store_n(
	    &PROBE_SEMAPHORE(otel_memory, free), on, __ATOMIC_RELAXED);
}

static void
set_period(uint64_t bytes)
{
	ck_assert_int_eq(uma_sysctlbyname("vm.uma.sample_period", NULL, NULL,
			     &bytes, sizeof bytes),
	    0);
}

static uma_zone_t
zone_of(size_t size, uint32_t flags)
{
	uma_zone_t z = uma_zcreate(
	    "sampled", size, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, flags);

	ck_assert_ptr_nonnull(z);
	return z;
}

/* A session of which the test is the tracer; one in period bytes. */
static void
begin(uint64_t period)
{
	set_period(period);
	atomic_store(&sample_hook, hear);
	sample_seed(1);
	watch(true);
	sample_follow();
	ck_assert(atomic_load(&sample_on));
}

/* Every sampled allocation was told once, and its free once. */
static void
all_is_well(size_t live)
{
	ck_assert_uint_eq(heard.twice, 0);
	ck_assert_uint_eq(heard.unknown, 0);
	ck_assert_uint_eq(heard.live, live);
	ck_assert_uint_eq(heard.allocs, heard.frees + live);
}

/* ---- the numbers ---- */

/* As the contract has it. */
static double
probability(double size, double period)
{
	return -expm1(-size / period);
}

START_TEST(weights_are_those_of_the_contract)
{
	static const double size[] = {
	    1, 8, 64, 1000, 4096, 65536, 524288, 1e6, 1e7, 1e9};
	static const double period[] = {1, 1000, 524288, 1e9};

	for (size_t s = 0; s < sizeof size / sizeof size[0]; s++)
		for (size_t p = 0; p < sizeof period / sizeof period[0]; p++) {
			double want = size[s] / probability(size[s], period[p]);
			double have = (double)sample_weight(
			    (uint64_t)size[s], (uint64_t)period[p]);

			ck_assert_msg(fabs(have - want) <= 0.5 + want * 1e-9,
			    "%g of %g: %g, not %g", size[s], period[p], have,
			    want);
		}
}
END_TEST

/* Of n allocations the part p is sampled, within four deviations. */
static void
expect_part(double sampled, double n, double p)
{
	double sigma = sqrt(n * p * (1 - p));

	ck_assert_msg(fabs(sampled - n * p) <= 4 * sigma + 1,
	    "%g of %g, expected %g, sigma %g", sampled, n, n * p, sigma);
}

START_TEST(each_size_is_sampled_as_often_as_it_should_be)
{
	static const size_t size[] = {16, 200, 3000, 40000};

	begin(4096);
	for (size_t s = 0; s < 4; s++) {
		uma_zone_t z = zone_of(size[s], 0);
		size_t before = heard.allocs, n = TEST_SCALE(200000);

		for (size_t k = 0; k < n; k++)
			uma_zfree(z, uma_zalloc(z, M_WAITOK));
		expect_part((double)(heard.allocs - before), (double)n,
		    probability((double)size[s], 4096));
		ck_assert_uint_eq(heard.size, size[s]);
		uma_zdestroy(z);
	}
	all_is_well(0);
}
END_TEST

START_TEST(the_first_allocation_is_sampled_as_often_as_any)
{
	uma_zone_t z = zone_of(16, 0);
	size_t n = TEST_SCALE(1000000);

	begin(100);
	for (size_t k = 0; k < n; k++) {
		sample_seed(k + 1);
		uma_zfree(z, uma_zalloc(z, M_WAITOK));
	}
	expect_part((double)heard.allocs, (double)n, probability(16, 100));
	all_is_well(0);
	uma_zdestroy(z);
}
END_TEST

/* ---- weights add up ---- */

#define KINDS 5
#define LIVE  40000
static const size_t kind_size[KINDS] = {24, 64, 300, 1500, 20000};
static struct {
	void *item;
	uma_zone_t zone;
	size_t size;
} object[LIVE];

/* The weight of what lives is its size, within four deviations. */
static void
expect_live(double period)
{
	double bytes = 0, variance = 0;

	for (size_t k = 0; k < LIVE; k++) {
		double s = (double)object[k].size;
		double p = probability(s, period);

		bytes += s;
		variance += s * s * (1 - p) / p;
	}
	ck_assert_msg(fabs(heard.weight - bytes) <= 4 * sqrt(variance),
	    "%g bytes live, weights %g, sigma %g", bytes, heard.weight,
	    sqrt(variance));
}

static void
object_make(size_t k, uma_zone_t *zone, uint64_t *seed)
{
	/* Many small ones and few large ones. */
	size_t kind =
	    (size_t)(63 - __builtin_clzll(
			      test_rand(seed) % ((1u << KINDS) - 1) + 1));

	kind = KINDS - 1 - kind;
	object[k].zone = zone[kind];
	object[k].size = kind_size[kind];
	object[k].item = uma_zalloc(zone[kind], M_WAITOK);
}

START_TEST(weights_of_what_lives_add_up_however_objects_come_and_go)
{
	const double period = 16384;
	uint64_t seed = (uint64_t)_i;
	uma_zone_t zone[KINDS];

	begin((uint64_t)period);
	sample_seed(seed);
	for (size_t k = 0; k < KINDS; k++)
		zone[k] = zone_of(kind_size[k], 0);
	for (size_t k = 0; k < LIVE; k++)
		object_make(k, zone, &seed);
	expect_live(period);
	/* One by one, so that hardly a CPU's bucket runs out. */
	for (size_t n = 0; n < (size_t)TEST_SCALE(20 * LIVE); n++) {
		size_t k = test_rand(&seed) % LIVE;

		uma_zfree(object[k].zone, object[k].item);
		object_make(k, zone, &seed);
	}
	expect_live(period);
	/* Half of it goes. */
	for (size_t k = 0; k < LIVE; k += 2) {
		uma_zfree(object[k].zone, object[k].item);
		object[k].size = 0;
	}
	double left = heard.weight;
	for (size_t k = 1; k < LIVE; k += 2)
		uma_zfree(object[k].zone, object[k].item);
	ck_assert(left > 0);
	all_is_well(0);
	ck_assert(heard.weight == 0);
	for (size_t k = 0; k < KINDS; k++)
		uma_zdestroy(zone[k]);
}
END_TEST

/* Who allocates for a moment is not what the others are charged with. */
START_TEST(a_caller_is_charged_with_its_own_bytes)
{
	const double period = 4096, n = TEST_SCALE(300000);
	uma_zone_t z = zone_of(64, 0);
	double kept = 0, p = probability(64, period);
	static void *keep[3001];

	begin((uint64_t)period);
	for (int k = 0; k < (int)n; k++) {
		uma_zfree(z, uma_zalloc(z, M_WAITOK));
		if (k % 100 != 0)
			continue;
		size_t before = heard.allocs;
		keep[k / 100] = uma_zalloc(z, M_WAITOK);
		kept += (double)(heard.allocs - before);
	}
	expect_part(kept, ceil(n / 100), p);
	all_is_well((size_t)kept);
	for (int k = 0; k < (int)n; k += 100)
		uma_zfree(z, keep[k / 100]);
	all_is_well(0);
	uma_zdestroy(z);
}
END_TEST

/* ---- every way to get an item, and to give it back ---- */

/* With a period of a byte every allocation is sampled. */
START_TEST(every_call_tells_of_its_items)
{
	uma_zone_t z = zone_of(128, 0);
	void *item[300];

	begin(1);
	item[0] = uma_zalloc(z, M_WAITOK);
	item[1] = uma_zalloc_arg(z, NULL, M_NOWAIT | M_ZERO);
	item[2] = uma_zalloc_domain(z, NULL, 0, M_WAITOK);
	item[3] = uma_zalloc_timed(z, NULL, M_WAITOK, 1000);
	item[4] = (uma_zalloc)(z, M_WAITOK);
	item[5] = (uma_zalloc_arg)(z, NULL, M_WAITOK);
	all_is_well(6);
	ck_assert_int_eq(uma_zalloc_bulk(z, item + 6, 200, M_WAITOK), 200);
	all_is_well(206);
	ck_assert_int_eq(uma_zalloc_burst(z, item + 206, 30, M_NOWAIT), 30);
	all_is_well(236);
	ck_assert_uint_eq(heard.size, 128);
	uma_zwait(z);
	all_is_well(236);
	uma_zfree_arg(z, item[0], NULL);
	(uma_zfree)(z, item[1]);
	(uma_zfree_arg)(z, item[2], NULL);
	all_is_well(233);
	uma_zfree_bulk(z, item + 3, 233);
	all_is_well(0);
	uma_zfree(z, NULL);
	(uma_zfree)(z, NULL);
	all_is_well(0);
	uma_zdestroy(z);
}
END_TEST

static void
nothing(void *arg)
{
	(void)arg;
}

START_TEST(an_item_that_was_waited_for_is_told_of)
{
	uma_zone_t z = zone_of(4096, 0);
	struct uma_waiter w = {0};

	begin(1);
	ck_assert_int_eq(uma_zone_wait(z, &w, nothing, NULL), 0);
	all_is_well(0);
	void *item = uma_zalloc_waited(z, &w, NULL, M_NOWAIT);
	ck_assert_ptr_nonnull(item);
	all_is_well(1);
	uma_zfree(z, item);
	all_is_well(0);
	uma_zdestroy(z);
}
END_TEST

START_TEST(zones_of_every_kind_are_sampled)
{
	static const uint32_t flags[] = {UMA_ZONE_ZINIT, UMA_ZONE_OFFPAGE,
	    UMA_ZONE_MALLOC, UMA_ZONE_NOFREE, UMA_ZONE_HASH, UMA_ZONE_REFCNT,
	    UMA_ZONE_MAXBUCKET, UMA_ZONE_VTOSLAB, UMA_ZONE_NODUMP,
	    UMA_ZONE_NOBUCKET, UMA_ZONE_ROUNDROBIN, UMA_ZONE_CACHESPREAD,
	    UMA_ZONE_CONTIG, UMA_ZONE_NOTOUCH};
	enum { N = 1000 };
	static void *item[N];

	begin(1);
	for (size_t f = 0; f < sizeof flags / sizeof flags[0]; f++) {
		uma_zone_t z = zone_of(160, flags[f]);

		for (int k = 0; k < N; k++)
			item[k] = uma_zalloc(z, M_WAITOK);
		all_is_well(N);
		ck_assert_int_eq(uma_zone_get_cur(z), N);
		for (int k = 0; k < N; k++)
			uma_zfree(z, item[k]);
		all_is_well(0);
		uma_zdestroy(z);
	}
}
END_TEST

START_TEST(a_pcpu_item_counts_with_all_its_copies)
{
	uma_zone_t z = zone_of(8, UMA_ZONE_PCPU);

	begin(1);
	void *item = uma_zalloc(z, M_WAITOK);
	ck_assert_uint_eq(heard.size, 8 * (uint64_t)uma_ncpus());
	uma_zfree(z, item);
	all_is_well(0);
	uma_zdestroy(z);
}
END_TEST

START_TEST(zones_of_vm_are_left_alone)
{
	uma_zone_t z = zone_of(64, UMA_ZONE_VM);

	begin(1);
	void *item = uma_zalloc(z, M_WAITOK);
	uma_zfree(z, item);
	ck_assert_uint_eq(heard.allocs, 0);
	uma_zdestroy(z);
}
END_TEST

/* ---- all else is as it was ---- */

static int built, torn, fail_from;

static int
ctor(void *item, int size, void *arg, int flags)
{
	(void)arg;
	(void)flags;
	if (fail_from != 0 && built >= fail_from)
		return EIO;
	for (int k = 0; k < size; k++)
		ck_assert_int_eq(((char *)item)[k], 0);
	built++;
	return 0;
}

static void
dtor(void *item, int size, void *arg)
{
	(void)arg;
	memset(item, 0, (size_t)size);
	torn++;
}

START_TEST(hooks_run_once_and_a_refused_item_is_not_told_of)
{
	uma_zone_t z =
	    uma_zcreate("hooks", 64, ctor, dtor, NULL, NULL, UMA_ALIGN_PTR, 0);
	void *item[10];

	begin(1);
	for (int k = 0; k < 5; k++)
		item[k] = uma_zalloc(z, M_WAITOK);
	ck_assert_int_eq(built, 5);
	fail_from = 5;
	errno = 0;
	ck_assert_ptr_null(uma_zalloc(z, M_WAITOK));
	ck_assert_int_eq(errno, EIO);
	fail_from = 7;
	ck_assert_int_eq(uma_zalloc_bulk(z, item + 5, 5, M_WAITOK), 0);
	all_is_well(5);
	ck_assert_int_eq(torn, 2);
	fail_from = 10;
	ck_assert_int_eq(uma_zalloc_burst(z, item + 5, 5, M_WAITOK), 3);
	all_is_well(8);
	for (int k = 0; k < 8; k++)
		uma_zfree(z, item[k]);
	ck_assert_int_eq(torn, 10);
	all_is_well(0);
	uma_zdestroy(z);
}
END_TEST

START_TEST(statistics_and_limits_are_exact)
{
	enum { MAX = 640 };
	uma_zone_t z = zone_of(64, 0);
	static void *item[MAX];

	begin(2000);
	ck_assert_int_eq(uma_zone_set_max(z, MAX), MAX);
	for (int round = 0; round < 3; round++) {
		for (int k = 0; k < MAX; k++) {
			item[k] = uma_zalloc(z, M_NOWAIT);
			ck_assert_ptr_nonnull(item[k]);
		}
		ck_assert_ptr_null(uma_zalloc(z, M_NOWAIT));
		struct uma_zone_stat st = stat_of(z);
		ck_assert_uint_eq(st.used, MAX);
		ck_assert_uint_eq(st.allocs, (uint64_t)(round + 1) * MAX);
		ck_assert_uint_eq(st.frees, (uint64_t)round * MAX);
		for (int k = 0; k < MAX; k++)
			uma_zfree(z, item[k]);
		ck_assert_uint_eq(stat_of(z).used, 0);
	}
	all_is_well(0);
	uma_zdestroy(z);
}
END_TEST

static void
free_twice(void *arg)
{
	void *item = uma_zalloc(arg, M_WAITOK);

	uma_zfree(arg, item);
	uma_zfree(arg, item);
}

static void
free_elsewhere(void *arg)
{
	uma_zone_t other = uma_zcreate("other", 64, NULL, NULL, NULL, NULL,
	    UMA_ALIGN_PTR, UMA_ZONE_NOBUCKET);

	uma_zfree(other, uma_zalloc(arg, M_WAITOK));
}

START_TEST(misuse_is_found_as_ever)
{
	uma_zone_t z = zone_of(64, 0);

	begin(1);
	test_expect_abort(free_twice, z, "zone 'sampled': double free of ");
	test_expect_abort(
	    free_elsewhere, z, "zone 'other': wrong-zone free of ");
	uma_zdestroy(z);
}
END_TEST

START_TEST(errno_is_kept)
{
	uma_zone_t z = zone_of(64, 0);

	begin(1);
	errno = 77;
	for (int k = 0; k < 10; k++)
		uma_zfree(z, uma_zalloc(z, M_WAITOK));
	ck_assert_int_eq(errno, 77);
	uma_zdestroy(z);
}
END_TEST

/* ---- sessions ---- */

static bool
hot_is_plain(uma_zone_t z)
{
	return z->uz_hot.item_least == 1 && z->uz_hot.flags_below == M_ZERO &&
	       z->uz_hot.watch == WATCH_NODTOR;
}

START_TEST(without_a_tracer_nothing_is_different)
{
	uma_zone_t z = zone_of(64, 0);
	size_t meta = 0;
	struct pages_stat st;

	atomic_store(&sample_hook, hear);
	set_period(1);
	for (int round = 0; round < 2; round++) {
		for (int k = 0; k < 1000; k++)
			uma_zfree(z, uma_zalloc(z, M_WAITOK));
		ck_assert(hot_is_plain(z));
		pages_stat(&st);
		ck_assert(round == 0 || st.ps_meta == meta);
		meta = st.ps_meta;
	}
	ck_assert_uint_eq(heard.allocs, 0);
	uma_zdestroy(z);
}
END_TEST

/* A zone that hits all the time follows when any other one misses. */
START_TEST(zones_follow_a_tracer_as_it_comes_and_goes)
{
	uma_zone_t z = zone_of(64, 0), other = zone_of(64, 0);
	void *item = uma_zalloc(z, M_WAITOK);

	atomic_store(&sample_hook, hear);
	set_period(1);
	uma_zfree(z, item);
	watch(true);
	void *first = uma_zalloc(other, M_WAITOK);
	ck_assert(!hot_is_plain(z));
	ck_assert(!hot_is_plain(other));
	uma_zone_t later = zone_of(64, 0);
	ck_assert(!hot_is_plain(later));
	item = uma_zalloc(z, M_WAITOK);
	all_is_well(2);
	watch(false);
	uma_zfree(other, first);
	ck_assert(hot_is_plain(z));
	ck_assert(hot_is_plain(later));
	ck_assert_uint_eq(heard.frees, 0);
	/* Of another session, which need not be told of it. */
	watch(true);
	sample_follow();
	uma_zfree(z, item);
	ck_assert_uint_eq(heard.frees, 0);
	uma_zdestroy(z);
	uma_zdestroy(other);
	uma_zdestroy(later);
}
END_TEST

/* It has looked at what tells a hit, and then the session ends. */
START_TEST(a_call_may_begin_within_a_session_and_end_behind_it)
{
	uma_zone_t z = zone_of(64, 0);

	uma_zfree(z, uma_zalloc(z, M_WAITOK));
	z->uz_hot.flags_below = 0;
	z->uz_hot.item_least = UINTPTR_MAX;
	void *item = uma_zalloc(z, M_WAITOK);
	uma_zfree(z, item);
	ck_assert_ptr_eq(uma_zalloc(z, M_WAITOK | M_ZERO), item);
	uma_zfree_bulk(z, &item, 1);
	ck_assert_uint_eq(stat_of(z).used, 0);
	uma_zdestroy(z);
}
END_TEST

START_TEST(frees_are_told_for_as_long_as_anybody_watches)
{
	uma_zone_t z = zone_of(64, 0);

	begin(1);
	void *a = uma_zalloc(z, M_WAITOK);
	__atomic_store_n(
	    &PROBE_SEMAPHORE(otel_memory, alloc), 0, __ATOMIC_RELAXED);
	void *b = uma_zalloc(z, M_WAITOK);
	all_is_well(1);
	uma_zfree(z, a);
	uma_zfree(z, b);
	all_is_well(0);
	uma_zdestroy(z);
}
END_TEST

START_TEST(the_period_may_change_and_be_none)
{
	uma_zone_t z = zone_of(64, 0);

	begin((uint64_t)1 << 40);
	void *item = uma_zalloc(z, M_WAITOK);
	ck_assert_uint_eq(heard.allocs, 0);
	uma_zfree(z, item);
	set_period(1);
	uma_zfree(z, uma_zalloc(z, M_WAITOK));
	all_is_well(0);
	ck_assert_uint_eq(heard.allocs, 1);
	set_period(0);
	for (int k = 0; k < 100; k++)
		uma_zfree(z, uma_zalloc(z, M_WAITOK));
	ck_assert_uint_eq(heard.allocs, 1);
	set_period((uint64_t)1 << 50);
	for (int k = 0; k < 100; k++)
		uma_zfree(z, uma_zalloc(z, M_WAITOK));
	ck_assert_uint_eq(heard.allocs, 1);
	uma_zdestroy(z);
}
END_TEST

/* The book has as many entries as there are samples that live. */
START_TEST(any_number_of_samples_may_live)
{
	size_t n = TEST_SCALE(150000);
	void **item = calloc(n, sizeof *item);
	uma_zone_t z = zone_of(16, 0);

	begin(1);
	for (int round = 0; round < 2; round++) {
		for (size_t k = 0; k < n; k++)
			item[k] = uma_zalloc(z, M_WAITOK);
		all_is_well(n);
		for (size_t k = 0; k < n; k++)
			uma_zfree(z, item[k]);
		all_is_well(0);
	}
	free(item);
	uma_zdestroy(z);
}
END_TEST

START_TEST(the_child_of_a_fork_goes_on)
{
	uma_zone_t z = zone_of(64, 0);
	int status;

	begin(1);
	void *item = uma_zalloc(z, M_WAITOK);
	pid_t pid = fork();
	if (pid == 0) {
		uma_zfree(z, item);
		uma_zfree(z, uma_zalloc(z, M_WAITOK));
		_exit(heard.live == 0 && heard.frees == 2 ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	uma_zfree(z, item);
	all_is_well(0);
	uma_zdestroy(z);
}
END_TEST

/* ---- threads ---- */

#define THREADS 4
#define SHARED	512
static _Atomic(void *) shared[SHARED];
static uma_zone_t shared_zone;

/* Objects change hands, so that who frees one is seldom who allocated it. */
static void *
exchange(void *arg)
{
	uint64_t seed = (uintptr_t)arg;

	sample_seed(seed);
	for (int k = 0; k < LOAD(300000); k++) {
		_Atomic(void *) *slot = &shared[test_rand(&seed) % SHARED];
		void *item = uma_zalloc(shared_zone, M_WAITOK);

		item = atomic_exchange(slot, item);
		uma_zfree(shared_zone, item);
	}
	return NULL;
}

static void
all_exchange(void)
{
	pthread_t t[THREADS];

	for (uintptr_t k = 0; k < THREADS; k++)
		t[k] = thread_start(exchange, (void *)(k + 1));
	for (int k = 0; k < THREADS; k++)
		thread_join(t[k]);
	for (int k = 0; k < SHARED; k++)
		uma_zfree(shared_zone, atomic_exchange(&shared[k], NULL));
}

START_TEST(each_sample_is_freed_once_whoever_frees_it)
{
	shared_zone = zone_of(100, 0);
	begin(500);
	all_exchange();
	all_is_well(0);
	double n = THREADS * LOAD(300000);
	expect_part((double)heard.allocs, n, probability(100, 500));
	uma_zdestroy(shared_zone);
}
END_TEST

static _Atomic bool over;

static void *
come_and_go(void *arg)
{
	for (int k = 0; !atomic_load(&over); k++) {
		watch(k % 2 == 0);
		sample_follow();
		sched_yield();
		if (k % 100 == 0)
			uma_zone_reclaim(shared_zone, UMA_RECLAIM_DRAIN_CPU);
	}
	return arg;
}

START_TEST(tracers_that_come_and_go_do_no_harm)
{
	shared_zone = zone_of(100, 0);
	begin(300);
	pthread_t t = thread_start(come_and_go, NULL);
	all_exchange();
	atomic_store(&over, true);
	thread_join(t);
	ck_assert_uint_eq(stat_of(shared_zone).used, 0);
	watch(false);
	sample_follow();
	ck_assert(hot_is_plain(shared_zone));
	uma_zdestroy(shared_zone);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("samples");
	TCase *tc = tcase_create("samples");

	tcase_set_timeout(tc, TEST_TIMEOUT);
	tcase_add_test(tc, weights_are_those_of_the_contract);
	tcase_add_test(tc, each_size_is_sampled_as_often_as_it_should_be);
	tcase_add_test(tc, the_first_allocation_is_sampled_as_often_as_any);
	tcase_add_loop_test(
	    tc, weights_of_what_lives_add_up_however_objects_come_and_go, 1, 5);
	tcase_add_test(tc, a_caller_is_charged_with_its_own_bytes);
	tcase_add_test(tc, every_call_tells_of_its_items);
	tcase_add_test(tc, an_item_that_was_waited_for_is_told_of);
	tcase_add_test(tc, zones_of_every_kind_are_sampled);
	tcase_add_test(tc, a_pcpu_item_counts_with_all_its_copies);
	tcase_add_test(tc, zones_of_vm_are_left_alone);
	tcase_add_test(tc, hooks_run_once_and_a_refused_item_is_not_told_of);
	tcase_add_test(tc, statistics_and_limits_are_exact);
	tcase_add_test(tc, misuse_is_found_as_ever);
	tcase_add_test(tc, errno_is_kept);
	tcase_add_test(tc, without_a_tracer_nothing_is_different);
	tcase_add_test(tc, zones_follow_a_tracer_as_it_comes_and_goes);
	tcase_add_test(tc, a_call_may_begin_within_a_session_and_end_behind_it);
	tcase_add_test(tc, frees_are_told_for_as_long_as_anybody_watches);
	tcase_add_test(tc, the_period_may_change_and_be_none);
	tcase_add_test(tc, any_number_of_samples_may_live);
	tcase_add_test(tc, the_child_of_a_fork_goes_on);
	tcase_add_test(tc, each_sample_is_freed_once_whoever_frees_it);
	tcase_add_test(tc, tracers_that_come_and_go_do_no_harm);
	suite_add_tcase(s, tc);
	return s;
}

#else

static Suite *
suite(void)
{
	return suite_create("samples: no probes in this build");
}

#endif

int
main(void)
{
	return test_run(suite());
}
