/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_total.c - the soft limit on the memory of all zones together: what it
 * gives back and how often, and that nothing fails for it.
 */
#include <limits.h>
#include <pthread.h>

#include <uma.h>
#include <uma/reclaim.h>
#include <uma/stat.h>

#include "test.h"

#define MB    (1ul << 20)
#define SIZE  1024
#define ITEMS 8192 /* 8 MB of them */

static void *item[ITEMS];

static uma_zone_t
make_zone(const char *name)
{
	return uma_zcreate(
	    name, SIZE, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);
}

static uint64_t
cached(uma_zone_t zone)
{
	struct uma_zone_stat st = {.size = sizeof st};

	ck_assert_int_eq(uma_zone_stat(zone, &st), 0);
	return st.free_cached;
}

static uint64_t
slabs(uma_zone_t zone)
{
	struct uma_zone_stat st = {.size = sizeof st};

	ck_assert_int_eq(uma_zone_stat(zone, &st), 0);
	return st.slabs;
}

static void
take(uma_zone_t zone, int n)
{
	for (int i = 0; i < n; i++) {
		item[i] = uma_zalloc(zone, M_NOWAIT);
		ck_assert_ptr_nonnull(item[i]);
	}
}

static void
give(uma_zone_t zone, int n)
{
	for (int i = 0; i < n; i++)
		uma_zfree(zone, item[i]);
}

static void
fill_cache(uma_zone_t zone)
{
	take(zone, ITEMS);
	give(zone, ITEMS);
	ck_assert_uint_gt(cached(zone), 0);
}

START_TEST(without_a_setting_there_is_no_limit)
{
	unsetenv("UMA_OPTIONS");
	ck_assert_uint_eq(uma_limit(), 0);
	ck_assert_int_eq(uma_avail(), LONG_MAX);
}
END_TEST

START_TEST(the_limit_starts_as_the_setting)
{
	setenv("UMA_OPTIONS", "vm.uma.limit=3m", 1);
	ck_assert_uint_eq(uma_limit(), 3 * MB);
	uma_set_limit(5 * MB);
	ck_assert_uint_eq(uma_limit(), 5 * MB);
	uma_set_limit(0);
	ck_assert_uint_eq(uma_limit(), 0);
}
END_TEST

START_TEST(a_limit_set_before_the_first_zone_beats_the_setting)
{
	setenv("UMA_OPTIONS", "vm.uma.limit=3m", 1);
	uma_set_limit(0);
	uma_zone_t zone = make_zone("z");

	ck_assert_uint_eq(uma_limit(), 0);
	uma_zdestroy(zone);
}
END_TEST

START_TEST(size_follows_what_zones_hold)
{
	uma_zone_t zone = make_zone("z");
	unsigned long before = uma_size();

	take(zone, ITEMS);
	ck_assert_uint_ge(uma_size(), before + 8 * MB);
	ck_assert_uint_lt(uma_size(), before + 10 * MB);
	give(zone, ITEMS);
	uma_reclaim(UMA_RECLAIM_DRAIN_CPU);
	ck_assert_uint_lt(uma_size(), before + 1 * MB);
	uma_zdestroy(zone);
}
END_TEST

START_TEST(avail_is_the_rest_and_may_be_negative)
{
	uma_zone_t zone = make_zone("z");

	take(zone, ITEMS);
	unsigned long size = uma_size();
	uma_set_limit(size + 12345);
	ck_assert_int_eq(uma_avail(), 12345);
	uma_set_limit(size - 4321);
	ck_assert_int_eq(uma_avail(), -4321);
	uma_set_limit(ULONG_MAX);
	ck_assert_int_eq(uma_avail(), LONG_MAX);
	ck_assert_uint_ge(uma_limit(), ULONG_MAX - 1);
	give(zone, ITEMS);
	uma_zdestroy(zone);
}
END_TEST

START_TEST(crossing_the_limit_takes_what_another_zone_caches)
{
	uma_zone_t idle = make_zone("idle"), busy = make_zone("busy");

	fill_cache(idle);
	uint64_t before = slabs(idle);
	uma_set_limit(uma_size() + 1 * MB);
	ck_assert_uint_eq(slabs(idle), before);

	take(busy, ITEMS);
	ck_assert_uint_eq(cached(idle), 0);
	ck_assert_uint_eq(slabs(idle), 0);
	give(busy, ITEMS);
	uma_zdestroy(idle);
	uma_zdestroy(busy);
}
END_TEST

START_TEST(below_the_limit_and_without_one_nothing_is_taken)
{
	uma_zone_t idle = make_zone("idle"), busy = make_zone("busy");

	fill_cache(idle);
	uint64_t before = cached(idle);
	if (_i == 0)
		uma_set_limit(0);
	else
		uma_set_limit(uma_size() + 12 * MB);
	take(busy, ITEMS);
	ck_assert_uint_eq(cached(idle), before);
	give(busy, ITEMS);
	uma_zdestroy(idle);
	uma_zdestroy(busy);
}
END_TEST

START_TEST(no_allocation_fails_above_the_limit)
{
	uma_zone_t zone = make_zone("z");

	uma_set_limit(1);
	take(zone, ITEMS);
	ck_assert_int_lt(uma_avail(), -(long)(8 * MB) + 1);
	give(zone, ITEMS);
	uma_zdestroy(zone);
}
END_TEST

START_TEST(errno_stays)
{
	uma_zone_t zone = make_zone("z");

	uma_set_limit(1);
	errno = 77;
	take(zone, ITEMS);
	ck_assert_int_eq(errno, 77);
	give(zone, ITEMS);
	uma_zdestroy(zone);
}
END_TEST

/* ---- how often ---- */

/* The zone whose slabs tell of reclaims: it has free items, and no others. */
#define TELL_ITEMS 512
static uma_zone_t
make_telltale(void)
{
	return make_zone("tell");
}

static void
arm(uma_zone_t tell)
{
	static void *p[TELL_ITEMS];

	for (int i = 0; i < TELL_ITEMS; i++)
		p[i] = uma_zalloc(tell, M_WAITOK);
	for (int i = 0; i < TELL_ITEMS; i++)
		uma_zfree(tell, p[i]);
}

static bool
has_told(uma_zone_t tell)
{
	struct uma_zone_stat st = {.size = sizeof st};

	ck_assert_int_eq(uma_zone_stat(tell, &st), 0);
	return st.slabs == 0;
}

START_TEST(reclaims_are_a_second_apart)
{
	uma_zone_t tell = make_telltale(), zone = make_zone("z");

	arm(tell);
	uma_set_limit(1);
	double start = test_now();
	take(zone, ITEMS / 4);
	ck_assert(has_told(tell));

	/* Armed again, which itself is above the limit. */
	arm(tell);
	give(zone, ITEMS / 4);
	take(zone, ITEMS / 2);
	bool within = has_told(tell);
	/* On a machine that stood still the second is over. */
	if (test_now() - start < 1)
		ck_assert(!within);

	test_sleep_ms(1100);
	give(zone, ITEMS / 2);
	take(zone, ITEMS);
	ck_assert(has_told(tell));
	give(zone, ITEMS);
	uma_zdestroy(zone);
	uma_zdestroy(tell);
}
END_TEST

#define THREADS 4
#define RUN_MS	1300
#define BATCH	256

static _Atomic bool threads_end;
static uma_zone_t shared;

/* Memory comes and goes past the caches, so that the keg grows all the time. */
static void *
churn(void *arg)
{
	void *p[BATCH];

	while (!threads_end) {
		for (int i = 0; i < BATCH; i++)
			if ((p[i] = uma_zalloc(shared, M_NOWAIT)) == NULL)
				return NULL;
		for (int i = 0; i < BATCH; i++)
			uma_zfree(shared, p[i]);
		uma_zone_reclaim(shared, UMA_RECLAIM_DRAIN_CPU);
	}
	return arg;
}

START_TEST(the_rate_is_the_whole_processs)
{
	uma_zone_t tell = make_telltale();
	pthread_t thread[THREADS];
	int rounds = 0;
	void *end;

	shared = make_zone("shared");
	arm(tell);
	uma_set_limit(1);
	double start = test_now();
	for (int i = 0; i < THREADS; i++)
		pthread_create(&thread[i], NULL, churn, &shared);
	while (test_now() - start < RUN_MS / 1e3) {
		if (has_told(tell)) {
			rounds++;
			arm(tell);
		}
		test_sleep_ms(20);
	}
	threads_end = true;
	for (int i = 0; i < THREADS; i++) {
		pthread_join(thread[i], &end);
		ck_assert_ptr_nonnull(end);
	}
	int most = (int)(test_now() - start) + 2;
	ck_assert_msg(rounds >= 1 && rounds <= most, "%d reclaims, %d could be",
	    rounds, most);
	uma_zdestroy(shared);
	uma_zdestroy(tell);
}
END_TEST

/* ---- in the middle of an allocation ---- */

static int finis;

static void
count_fini(void *mem, int size)
{
	(void)mem;
	(void)size;
	finis++;
}

/* It might want a lock that whoever allocates holds. */
START_TEST(no_fini_runs_in_the_thread_that_allocates)
{
	uma_zone_t other = uma_zcreate(
	    "other", SIZE, NULL, NULL, NULL, count_fini, UMA_ALIGN_PTR, 0);
	uma_zone_t zone = make_zone("z");

	fill_cache(other);
	ck_assert_uint_gt(cached(other), 0);
	uma_set_limit(1);
	take(zone, ITEMS / 4);
	ck_assert_uint_eq(cached(other), 0);
	ck_assert_int_eq(finis, 0);
	uma_zone_reclaim(other, UMA_RECLAIM_DRAIN);
	ck_assert_int_gt(finis, 0);
	give(zone, ITEMS / 4);
	uma_zdestroy(zone);
	uma_zdestroy(other);
}
END_TEST

static void
run_fini_in_helper(void)
{
	uma_zone_t other = uma_zcreate(
	    "other", SIZE, NULL, NULL, NULL, count_fini, UMA_ALIGN_PTR, 0);

	fill_cache(other);
	uma_set_limit(1);
	for (int i = 0; i < 500 && cached(other) > 0; i++)
		test_sleep_ms(20);
	ck_assert_uint_eq(cached(other), 0);
	uma_zdestroy(other);
	ck_assert_int_gt(finis, 0);
}

START_TEST(the_helper_thread_sees_to_the_limit)
{
	setenv("UMA_OPTIONS",
	    "vm.uma.reclaim_thread=1,vm.uma.reclaim_period=100", 1);
	run_fini_in_helper();
}
END_TEST

int
main(void)
{
	const TTest *const test[] = {without_a_setting_there_is_no_limit,
	    the_limit_starts_as_the_setting,
	    a_limit_set_before_the_first_zone_beats_the_setting,
	    size_follows_what_zones_hold, avail_is_the_rest_and_may_be_negative,
	    crossing_the_limit_takes_what_another_zone_caches,
	    no_allocation_fails_above_the_limit, errno_stays,
	    reclaims_are_a_second_apart, the_rate_is_the_whole_processs,
	    no_fini_runs_in_the_thread_that_allocates,
	    the_helper_thread_sees_to_the_limit};
	Suite *s = suite_create("total");
	TCase *tc = tcase_create("total");

	tcase_set_timeout(tc, 60);
	for (size_t i = 0; i < sizeof test / sizeof test[0]; i++)
		tcase_add_test(tc, test[i]);
	tcase_add_loop_test(
	    tc, below_the_limit_and_without_one_nothing_is_taken, 0, 2);
	suite_add_tcase(s, tc);
	return test_run(s);
}
