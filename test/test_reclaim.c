/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reclaim: how much each request takes from the caches, and that what is in
 * use, or was needed since the last time, stays.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <uma.h>

#include "books.h"

#define MANY 10000

static void *items[MANY];

static void
use_many(uma_zone_t z, size_t n)
{
	take_many(z, items, n);
	free_many(z, items, n);
}

/* Two buckets of 64-byte items at most are a CPU's own. */
static uint64_t
cpus_own_max(void)
{
	return 2 * 256 * (uint64_t)uma_ncpus();
}

START_TEST(drain_leaves_the_cpus_their_own)
{
	uma_zone_t z = plain_zone("drained", 64, UMA_ALIGN_PTR, 0);

	run_on_cpu(0);
	use_many(z, MANY);
	ck_assert_uint_gt(stat_of(z).free_cached, cpus_own_max());
	uma_zone_reclaim(z, UMA_RECLAIM_DRAIN);
	struct uma_zone_stat st = stat_of(z);
	ck_assert_uint_gt(st.free_cached, 0);
	ck_assert_uint_le(st.free_cached, cpus_own_max());
	books_assert(z, 0);
	uma_zdestroy(z);
}
END_TEST

START_TEST(drain_cpu_takes_the_cpus_own_as_well)
{
	uma_zone_t z = plain_zone("drained", 64, UMA_ALIGN_PTR, 0);

	for (int cpu = 0; cpu < uma_ncpus(); cpu++) {
		run_on_cpu(cpu);
		use_many(z, 1000);
	}
	uma_zone_reclaim(z, UMA_RECLAIM_DRAIN_CPU);
	struct uma_zone_stat st = stat_of(z);
	ck_assert_uint_eq(st.free_cached, 0);
	ck_assert_uint_eq(st.slabs, 0);
	uma_zdestroy(z);
}
END_TEST

START_TEST(trim_takes_what_was_not_needed_since_the_last_time)
{
	uma_zone_t z = plain_zone("trimmed", 64, UMA_ALIGN_PTR, 0);

	use_many(z, MANY);
	uma_zone_reclaim(z, UMA_RECLAIM_TRIM);
	/* Nothing was needed from here on. */
	uma_zone_reclaim(z, UMA_RECLAIM_TRIM);
	ck_assert_uint_le(stat_of(z).free_cached, cpus_own_max());
	ck_assert_uint_lt(stat_of(z).slabs * stat_of(z).slab_items, MANY);
	books_assert(z, 0);
	uma_zdestroy(z);
}
END_TEST

START_TEST(trim_leaves_what_was_needed)
{
	uma_zone_t z = plain_zone("trimmed", 64, UMA_ALIGN_PTR, 0);

	for (int round = 0; round < 5; round++) {
		use_many(z, MANY);
		uma_zone_reclaim(z, UMA_RECLAIM_TRIM);
		ck_assert_uint_gt(stat_of(z).free_cached, MANY / 2);
	}
	uint64_t slabs = stat_of(z).slabs;
	use_many(z, MANY);
	/* It was all there: no slab had to be made. */
	ck_assert_uint_eq(stat_of(z).slabs, slabs);
	uma_zdestroy(z);
}
END_TEST

static const int requests[] = {
    UMA_RECLAIM_TRIM, UMA_RECLAIM_DRAIN, UMA_RECLAIM_DRAIN_CPU};

START_TEST(items_in_use_are_left_alone)
{
	uma_zone_t z = plain_zone("in use", 64, UMA_ALIGN_PTR, 0);

	take_many(z, items, 2000);
	for (int i = 0; i < 2000; i++)
		memset(items[i], i, 64);
	/* Of the first half, all but one in a hundred go. */
	for (int i = 0; i < 1000; i++)
		if (i % 100 != 0)
			uma_zfree(z, items[i]);
	uma_zone_reclaim(z, requests[_i]);
	uma_reclaim(requests[_i]);
	books_assert(z, 1010);
	take_many(z, items + 2000, 3000);
	for (int i = 2000; i < 5000; i++)
		memset(items[i], 0xee, 64);
	for (int i = 0; i < 2000; i++)
		if (i >= 1000 || i % 100 == 0) {
			ck_assert(is_filled(items[i], i, 64));
			uma_zfree(z, items[i]);
		}
	free_many(z, items + 2000, 3000);
	uma_zdestroy(z);
}
END_TEST

START_TEST(a_zone_without_anything_can_be_reclaimed)
{
	uma_zone_t z = plain_zone("empty", 64, UMA_ALIGN_PTR, 0);

	uma_zone_reclaim(z, requests[_i]);
	uma_reclaim(requests[_i]);
	books_assert(z, 0);
	ck_assert_uint_eq(stat_of(z).slabs, 0);
	uma_zfree(z, must_alloc(z, M_WAITOK));
	books_assert(z, 0);
	uma_zdestroy(z);
}
END_TEST

START_TEST(the_global_form_reaches_every_zone)
{
	uma_zone_t z[50];

	for (int i = 0; i < 50; i++) {
		z[i] = plain_zone("one of many", 16 + (size_t)i * 100,
		    UMA_ALIGN_PTR, i % 3 == 0 ? UMA_ZONE_OFFPAGE : 0);
		use_many(z[i], 200);
	}
	uma_reclaim(UMA_RECLAIM_DRAIN_CPU);
	for (int i = 0; i < 50; i++) {
		ck_assert_uint_eq(stat_of(z[i]).free_cached, 0);
		ck_assert_uint_eq(stat_of(z[i]).slabs, 0);
		uma_zdestroy(z[i]);
	}
}
END_TEST

START_TEST(preallocated_slabs_go_when_they_are_reclaimed)
{
	uma_zone_t z = uma_zcreate("prepared", 64, NULL, NULL, count_init,
	    count_fini, UMA_ALIGN_PTR, 0);

	uma_prealloc(z, 5000);
	ck_assert_int_ge(hooks.init, 5000);
	uma_zone_reclaim(z, UMA_RECLAIM_DRAIN);
	ck_assert_uint_eq(stat_of(z).slabs, 0);
	ck_assert_int_eq(hooks.fini, hooks.init);
	books_assert(z, 0);
	uma_zdestroy(z);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("reclaim");
	TCase *tc = tcase_create("requests");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, drain_leaves_the_cpus_their_own);
	tcase_add_test(tc, drain_cpu_takes_the_cpus_own_as_well);
	tcase_add_test(tc, trim_takes_what_was_not_needed_since_the_last_time);
	tcase_add_test(tc, trim_leaves_what_was_needed);
	tcase_add_loop_test(tc, items_in_use_are_left_alone, 0, 3);
	tcase_add_loop_test(tc, a_zone_without_anything_can_be_reclaimed, 0, 3);
	tcase_add_test(tc, the_global_form_reaches_every_zone);
	tcase_add_test(tc, preallocated_slabs_go_when_they_are_reclaimed);
	suite_add_tcase(s, tc);
	return s;
}

int
main(void)
{
	return test_run(suite());
}
