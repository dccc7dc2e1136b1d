/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Limits: rounding, the bound itself, and the items in other CPUs' caches.
 */
#define _GNU_SOURCE 1

#include <limits.h>

#include "sleepers.h"

START_TEST(set_max_rounds_up_to_items_of_whole_pages)
{
	static const size_t size[] = {
	    1, 8, 24, 64, 100, 512, 1000, 1024, 2048, 3000, 4096, 5000, 65536};

	for (size_t i = 0; i < sizeof size / sizeof size[0]; i++) {
		uma_zone_t z = uma_zcreate("rounded", size[i], NULL, NULL, NULL,
		    NULL, UMA_ALIGN_PTR, 0);
		ck_assert_ptr_nonnull(z);
		int page = (int)(4096 / stat_of(z).stride);
		page = page > 1 ? page : 1;
		int want[] = {1, page, page + 1, 10 * page - 1, 1000000};

		for (size_t k = 0; k < sizeof want / sizeof want[0]; k++) {
			int max = uma_zone_set_max(z, want[k]);

			ck_assert_int_eq(max % page, 0);
			ck_assert_int_ge(max, want[k]);
			ck_assert_int_lt(max - want[k], page);
			ck_assert_int_eq(uma_zone_get_max(z), max);
			ck_assert_uint_eq(stat_of(z).limit, (unsigned)max);
		}
		uma_zdestroy(z);
	}
}
END_TEST

START_TEST(a_limit_past_any_int_is_rounded_down)
{
	static const size_t size[] = {1, 24, 100, 1000, 4096};

	for (size_t i = 0; i < sizeof size / sizeof size[0]; i++) {
		uma_zone_t z = uma_zcreate(
		    "most", size[i], NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);
		int page = (int)(4096 / stat_of(z).stride);
		int most = INT_MAX - INT_MAX % page;
		void *item;

		for (int k = 0; k < page; k++) {
			ck_assert_int_eq(
			    uma_zone_set_max(z, INT_MAX - k), most);
			ck_assert_int_eq(uma_zone_get_max(z), most);
		}
		take(z, &item, 1);
		give(z, &item, 1);
		uma_zdestroy(z);
	}
}
END_TEST

START_TEST(set_max_zero_clears_and_a_negative_number_changes_nothing)
{
	void *item[20];
	uma_zone_t z = uma_zcreate(
	    "cleared", 4096, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);

	ck_assert_int_eq(uma_zone_get_max(z), 0);
	ck_assert_int_eq(uma_zone_set_max(z, 10), 10);
	errno = 0;
	ck_assert_int_eq(uma_zone_set_max(z, -1), 10);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_int_eq(uma_zone_get_max(z), 10);
	take(z, item, 10);
	refused(z);

	ck_assert_int_eq(uma_zone_set_max(z, 0), 0);

	ck_assert_int_eq(uma_zone_get_max(z), 0);
	ck_assert_uint_eq(stat_of(z).limit, 0);
	take(z, item + 10, 10);
	give(z, item, 20);
	uma_zdestroy(z);
}
END_TEST

START_TEST(nowait_at_the_limit_fails_with_enomem_and_is_counted)
{
	void *item[3];
	uma_zone_t z = page_zone("full", 3);

	take(z, item, 3);
	for (int i = 1; i <= 5; i++) {
		refused(z);
		ck_assert_uint_eq(stat_of(z).fails, (unsigned)i);
	}
	ck_assert_uint_eq(stat_of(z).allocs, 3);
	ck_assert_uint_eq(stat_of(z).used, 3);
	ck_assert_uint_eq(stat_of(z).sleeps, 0);
	uma_zfree(z, item[2]);
	take(z, item + 2, 1);
	refused(z);
	give(z, item, 3);
	uma_zdestroy(z);
}
END_TEST

START_TEST(limit_is_counted_from_the_first_item_not_from_set_max)
{
	void *item[10];
	uma_zone_t z =
	    uma_zcreate("late", 4096, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);

	take(z, item, 6);
	ck_assert_int_eq(uma_zone_set_max(z, 10), 10);
	take(z, item + 6, 4);
	refused(z);
	give(z, item, 10);
	uma_zdestroy(z);
}
END_TEST

START_TEST(lowered_limit_refuses_until_enough_are_freed)
{
	void *item[8];
	uma_zone_t z = page_zone("lowered", 8);

	take(z, item, 8);
	ck_assert_int_eq(uma_zone_set_max(z, 4), 4);
	for (int i = 7; i >= 4; i--) {
		refused(z);
		uma_zfree(z, item[i]);
	}
	refused(z); /* four are out */
	uma_zfree(z, item[3]);
	take(z, item + 3, 1);
	refused(z);
	give(z, item, 4);
	uma_zdestroy(z);
}
END_TEST

START_TEST(lowered_limit_does_not_hand_out_cached_items)
{
	void *item[8];
	uma_zone_t z = page_zone("lowered", 8);

	take(z, item, 8);
	give(z, item + 4, 4); /* cached on this CPU */
	ck_assert_int_eq(uma_zone_set_max(z, 4), 4);
	struct uma_zone_stat st = stat_of(z);
	ck_assert_uint_eq(st.used + st.free_cached, 4);
	refused(z);
	uma_zfree(z, item[3]);
	take(z, item + 3, 1);
	st = stat_of(z);
	ck_assert_uint_le(st.used + st.free_cached, 4);
	give(z, item, 4);
	uma_zdestroy(z);
}
END_TEST

START_TEST(below_a_lowered_limit_frees_are_cached_again)
{
	void *item[8];
	uma_zone_t z = page_zone("lowered", 8);

	if (getenv("UMA_OPTIONS") != NULL)
		return; /* may turn caching off */
	take(z, item, 8);
	ck_assert_int_eq(uma_zone_set_max(z, 4), 4);
	for (int i = 7; i >= 4; i--) {
		uma_zfree(z, item[i]);
		ck_assert_uint_eq(stat_of(z).free_cached, 0);
	}
	uma_zfree(z, item[3]);
	ck_assert_uint_eq(stat_of(z).free_cached, 1);
	give(z, item, 3);
	uma_zdestroy(z);
}
END_TEST

START_TEST(near_the_limit_a_cpu_takes_little_that_it_does_not_need)
{
	void *item[100];
	uma_zone_t z = page_zone("share", 100);

	take(z, item, 96);
	uint64_t cached = stat_of(z).free_cached;
	for (int i = 96; i < 100; i++) {
		take(z, item + i, 1);
		ck_assert_uint_le(stat_of(z).free_cached, 1);
	}
	ck_assert_uint_le(cached, 2);
	give(z, item, 100);
	uma_zdestroy(z);
}
END_TEST

/* ---- the bound, from all threads ---- */

enum { BOUND = 24 };

static struct {
	uma_zone_t zone;
	uint64_t seed;
	int ops;
	pthread_barrier_t start;
	_Atomic int ids;
	_Atomic int out; /* items that callers hold */
	_Atomic int refusals;
} bound;

/* An item is counted after it was got and before it is given back. */
static void *
bound_main(void *arg)
{
	void *held[BOUND];
	int cnt = 0;
	uint64_t rnd = bound.seed + (uint64_t)atomic_fetch_add(&bound.ids, 1);

	(void)arg;
	pthread_barrier_wait(&bound.start);
	for (int i = 0; i < bound.ops; i++) {
		void *item = NULL;

		if (cnt < BOUND / 4 && test_rand(&rnd) % 2 == 0) {
			/* Who holds nothing may wait: no deadlock. */
			item = uma_zalloc(
			    bound.zone, cnt == 0 ? M_WAITOK : M_NOWAIT);
			if (item == NULL)
				atomic_fetch_add(&bound.refusals, 1);
		}
		if (item != NULL) {
			int out = atomic_fetch_add(&bound.out, 1) + 1;

			MUST(out <= BOUND, "%d items out", out);
			held[cnt++] = item;
			if (test_rand(&rnd) % 16 == 0)
				sched_yield(); /* others meet the limit */
		} else if (cnt > 0) {
			atomic_fetch_sub(&bound.out, 1);
			uma_zfree(bound.zone, held[--cnt]);
		}
	}
	while (cnt > 0) {
		atomic_fetch_sub(&bound.out, 1);
		uma_zfree(bound.zone, held[--cnt]);
	}
	return NULL;
}

START_TEST(limit_holds_at_every_instant)
{
	pthread_t t[8];

	bound.zone = page_zone("bound", BOUND);
	bound.seed = test_seed(__func__);
	bound.ops = LOAD(150000);
	pthread_barrier_init(&bound.start, NULL, 8);
	for (int i = 0; i < 8; i++)
		t[i] = thread_start(bound_main, NULL);
	for (int i = 0; i < 8; i++)
		thread_join(t[i]);

	struct uma_zone_stat st = stat_of(bound.zone);
	ck_assert_uint_eq(st.used, 0);
	ck_assert_uint_eq(st.allocs, st.frees);
	ck_assert_uint_le(st.free_cached, BOUND);
	ck_assert_uint_eq(st.fails, (unsigned)atomic_load(&bound.refusals));
	ck_assert_uint_gt(st.fails, 0); /* or the limit was never met */
	void *item[BOUND];
	take(bound.zone, item, BOUND); /* no unit was lost */
	refused(bound.zone);
	give(bound.zone, item, BOUND);
	uma_zdestroy(bound.zone);
}
END_TEST

/* ---- items in other CPUs' caches ---- */

static struct {
	uma_zone_t zone;
	unsigned cpu;
	int n;
	void *item[64];
} far;

static void *
far_fill(void *arg)
{
	(void)arg;
	pin_to(far.cpu);
	take(far.zone, far.item, far.n);
	give(far.zone, far.item, far.n);
	return NULL;
}

static void *
far_take(void *arg)
{
	(void)arg;
	pin_to(far.cpu);
	take(far.zone, far.item, far.n);
	refused(far.zone);
	give(far.zone, far.item, far.n);
	return NULL;
}

START_TEST(nowait_gets_all_items_that_other_cpus_cached)
{
	far.n = 64;
	far.zone = page_zone("far", far.n);
	for (unsigned round = 0; round < 20; round++) {
		far.cpu = round;
		thread_join(thread_start(far_fill, NULL));
		far.cpu = round + 1;
		thread_join(thread_start(far_take, NULL));
	}
	/* Only the one refusal a round, past the last item. */
	ck_assert_uint_eq(stat_of(far.zone).fails, 20);
	uma_zdestroy(far.zone);
}
END_TEST

static void *
far_wait(void *arg)
{
	(void)arg;
	pin_to(far.cpu);
	for (int i = 0; i < far.n; i++)
		far.item[i] = uma_zalloc(far.zone, M_WAITOK);
	give(far.zone, far.item, far.n);
	return NULL;
}

START_TEST(nobody_sleeps_while_other_cpus_cache_items)
{
	far.n = 32;
	far.zone = page_zone("far", far.n);
	for (unsigned round = 0; round < 20; round++) {
		far.cpu = round;
		thread_join(thread_start(far_fill, NULL));
		far.cpu = round + 1;
		thread_join(thread_start(far_wait, NULL));
	}
	ck_assert_uint_eq(stat_of(far.zone).sleeps, 0);
	uma_zdestroy(far.zone);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("limit");
	TCase *tc = tcase_create("number");

	tcase_set_timeout(tc, TEST_TIMEOUT);
	tcase_add_test(tc, set_max_rounds_up_to_items_of_whole_pages);
	tcase_add_test(tc, a_limit_past_any_int_is_rounded_down);
	tcase_add_test(
	    tc, set_max_zero_clears_and_a_negative_number_changes_nothing);
	tcase_add_test(
	    tc, nowait_at_the_limit_fails_with_enomem_and_is_counted);
	tcase_add_test(
	    tc, limit_is_counted_from_the_first_item_not_from_set_max);
	tcase_add_test(tc, lowered_limit_refuses_until_enough_are_freed);
	tcase_add_test(tc, lowered_limit_does_not_hand_out_cached_items);
	tcase_add_test(tc, below_a_lowered_limit_frees_are_cached_again);
	tcase_add_test(
	    tc, near_the_limit_a_cpu_takes_little_that_it_does_not_need);
	tcase_add_test(tc, limit_holds_at_every_instant);
	tcase_add_test(tc, nowait_gets_all_items_that_other_cpus_cached);
	tcase_add_test(tc, nobody_sleeps_while_other_cpus_cache_items);
	suite_add_tcase(s, tc);
	return s;
}

int
main(void)
{
	return test_run(suite());
}
