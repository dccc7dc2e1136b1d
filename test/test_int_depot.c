/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The working set of a depot, driven by hand: buckets of ten items go in and
 * out as CPUs would bring and take them, and periods end when the test says so.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "books.h"
#include "pages_int.h"
#include "zone_int.h"

enum { CAP = 10, HELD = 4000 };

static uma_zone_t zone;
static struct depot *depot;
static struct wset *ws;

/* Buckets whose items are allocated. */
static struct bucket *held[HELD];
static int held_cnt;

static void
hold_new(int buckets)
{
	for (int i = 0; i < buckets; i++) {
		struct bucket *b = zone_bucket_make(zone);
		int error;

		ck_assert_ptr_nonnull(b);
		ck_assert_uint_eq(limit_take(zone, CAP), CAP);
		while (b->ub_cnt < CAP)
			b->ub_cnt += (uint16_t)keg_import(zone->uz_keg,
			    &b->ub_slot[b->ub_cnt + 1], CAP - b->ub_cnt, 0,
			    M_NOWAIT, &error);
		held[held_cnt++] = b;
	}
}

static void
put(int buckets, enum put how)
{
	for (int i = 0; i < buckets; i++)
		depot_put(zone, 0, held[--held_cnt], 0, how);
}

static void
give(int buckets)
{
	put(buckets, PUT_FREED);
}

static void
take(int buckets)
{
	for (int i = 0; i < buckets; i++) {
		held[held_cnt] = depot_take(zone, 0, true);
		ck_assert_ptr_nonnull(held[held_cnt++]);
	}
}

static uint64_t
items(void)
{
	return depot_items(zone, UMA_ANYDOMAIN);
}

/* A zone with buckets of its own making in the depot. */
static void
begin(int buckets)
{
	zone = plain_zone("depot", 64, UMA_ALIGN_PTR, 0);
	depot = &zone->uz_depot[0];
	ws = &depot->d_ws;
	atomic_store(&zone->uz_bucket_cap, CAP);
	hold_new(buckets);
	give(buckets);
}

static void
finish(void)
{
	give(held_cnt);
	books_assert(zone, 0);
	uma_zdestroy(zone);
}

START_TEST(the_estimate_is_the_batch_that_was_allocated)
{
	begin(100);
	depot_tick(zone);
	take(40);
	give(40);
	take(30);
	give(30);
	depot_tick(zone);
	ck_assert_uint_eq(ws->ws_size, 400);
	finish();
}
END_TEST

START_TEST(frees_alone_are_no_working_set)
{
	begin(100);
	depot_tick(zone);
	ck_assert_uint_eq(ws->ws_size, 0);
	finish();
}
END_TEST

START_TEST(a_batch_may_be_spread_over_small_frees)
{
	begin(100);
	for (int i = 0; i < 20; i++) {
		take(3);
		give(1);
	}
	depot_tick(zone);
	ck_assert_uint_eq(ws->ws_size, 10 * (2 * 20 + 1));
	finish();
}
END_TEST

START_TEST(a_new_maximum_does_not_hide_the_batch_before_it)
{
	begin(50);
	hold_new(20);
	take(50);
	give(70);
	take(5);
	depot_tick(zone);
	ck_assert_uint_eq(ws->ws_size, 500);
	finish();
}
END_TEST

START_TEST(the_estimate_follows_bursts_and_idle_phases)
{
	begin(100);
	for (int round = 0; round < 5; round++) {
		take(80);
		give(80);
		depot_tick(zone);
		ck_assert_uint_eq(ws->ws_size, 800);
		for (uint64_t want = 800; want > 0;) {
			want = want * 3 / 4;
			depot_tick(zone);
			ck_assert_uint_eq(ws->ws_size, want);
		}
	}
	finish();
}
END_TEST

START_TEST(trim_keeps_the_working_set_and_repeated_ones_bite_deeper)
{
	begin(100);
	take(40);
	give(40);
	depot_tick(zone);
	uint64_t want = 400, before = 1000;

	for (int i = 0; i < 30; i++) {
		want = want * 3 / 4;
		depot_trim(zone, UMA_ANYDOMAIN);
		ck_assert_uint_ge(items(), want);
		ck_assert_uint_lt(items(), want + CAP);
		ck_assert_uint_le(items(), before);
		before = items();
	}
	ck_assert_uint_eq(items(), 0);
	finish();
}
END_TEST

START_TEST(trim_leaves_what_was_used_since_the_last_update)
{
	begin(100);
	depot_trim(zone, UMA_ANYDOMAIN);
	ck_assert_uint_eq(items(), 1000);
	depot_trim(zone, UMA_ANYDOMAIN);
	ck_assert_uint_eq(items(), 0);
	finish();
}
END_TEST

START_TEST(idle_items_are_given_back_in_quarters_after_45_periods)
{
	begin(1000);
	depot_tick(zone);
	int periods = 0;
	while (items() == 10000) {
		depot_tick(zone);
		ck_assert_int_le(++periods, 46);
	}
	ck_assert_int_eq(periods, 46);
	for (int i = 0; i < 20; i++) {
		uint64_t before = items();

		depot_tick(zone);
		uint64_t quarter = (ws->ws_idle + 3) / 4;
		quarter = uma_min(quarter, (uint64_t)64 * CAP);
		ck_assert_uint_ge(before - items(), quarter);
		ck_assert_uint_lt(before - items(), quarter + CAP);
	}
	for (int i = 0; i < 1000; i++)
		depot_tick(zone);
	ck_assert_uint_eq(items(), 0);
	finish();
}
END_TEST

START_TEST(use_of_all_items_puts_an_end_to_giving_back)
{
	begin(1000);
	while (items() == 10000)
		depot_tick(zone);
	int left = (int)items() / CAP;
	take(left);
	give(left);
	for (int i = 0; i < 40; i++) {
		depot_tick(zone);
		ck_assert_uint_eq(items(), (uint64_t)left * CAP);
	}
	finish();
}
END_TEST

START_TEST(a_tick_releases_a_bounded_number_of_buckets)
{
	begin(3000);
	depot_tick(zone);
	ws->ws_idle = 30000;
	ws->ws_idle_periods = 45;
	depot_tick(zone);
	ck_assert_uint_eq(items(), 30000 - 64 * CAP);
	finish();
}
END_TEST

START_TEST(buckets_that_nobody_freed_do_not_disturb_the_estimate)
{
	begin(100);
	depot_tick(zone);
	take(40);
	hold_new(200);
	put(200, PUT_NEW);
	ck_assert_uint_eq(ws->ws_max - ws->ws_low, 400);
	ck_assert_uint_eq(items() - ws->ws_min, 0);
	take(5);
	give(45);
	depot_tick(zone);
	ck_assert_uint_eq(ws->ws_size, 450);
	finish();
}
END_TEST

START_TEST(buckets_that_come_back_unused_do_not_disturb_the_estimate)
{
	begin(100);
	depot_tick(zone);
	take(40);
	for (int i = 0; i < 100; i++) {
		take(1);
		put(1, PUT_BACK);
	}
	depot_tick(zone);
	ck_assert_uint_ge(ws->ws_size, 400);
	ck_assert_uint_le(ws->ws_size, 400 + CAP);
	finish();
}
END_TEST

START_TEST(what_reclaims_take_was_not_allocated)
{
	begin(100);
	depot_tick(zone);
	for (int i = 0; i < 30; i++)
		zone_release_bucket(zone, depot_take_oldest(zone));
	depot_tick(zone);
	ck_assert_uint_eq(ws->ws_size, 0);
	depot_drain(zone, UMA_ANYDOMAIN);
	depot_tick(zone);
	ck_assert_uint_eq(ws->ws_size, 0);
	finish();
}
END_TEST

START_TEST(a_drain_does_not_hide_the_batch_before_it)
{
	begin(100);
	depot_tick(zone);
	take(60);
	give(30);
	depot_drain(zone, UMA_ANYDOMAIN);
	give(30);
	depot_tick(zone);
	ck_assert_uint_eq(ws->ws_size, 600);
	finish();
}
END_TEST

START_TEST(single_items_gather_in_one_bucket)
{
	void *item[3 * CAP];
	struct bucket *none = NULL;
	int error, got = 0;

	begin(0);
	ck_assert_uint_eq(limit_take(zone, 3 * CAP), 3 * CAP);
	while (got < 3 * CAP)
		got += keg_import(zone->uz_keg, item + got, 3 * CAP - got, 0,
		    M_NOWAIT, &error);
	for (int i = 0; i < 3 * CAP - 1; i++)
		depot_add(zone, 0, item + i, 1, &none, PUT_FREED);
	ck_assert_uint_eq(items(), 3 * CAP - 1);
	ck_assert_ptr_nonnull(depot->d_cross);
	ck_assert_int_eq(depot->d_cross->ub_cnt, CAP - 1);
	ck_assert_uint_eq(stat_of(zone).used, 1);
	depot_add(zone, 0, item + 3 * CAP - 1, 1, &none, PUT_FREED);
	ck_assert_ptr_null(depot->d_cross);
	/* One by one they can be had again. */
	for (int i = 0; i < CAP + 1; i++)
		item[i] = depot_take_item(zone, 0);
	ck_assert_uint_eq(stat_of(zone).used, CAP + 1);
	for (int i = 0; i < CAP + 1; i++)
		depot_add(zone, 0, item + i, 1, &none, PUT_FREED);
	ck_assert_ptr_nonnull(depot->d_cross);
	take(4);
	ck_assert_ptr_null(depot->d_cross);
	ck_assert_ptr_null(depot_take(zone, 0, true));
	ck_assert_ptr_null(depot_take_item(zone, 0));
	finish();
}
END_TEST

START_TEST(without_a_bucket_single_items_go_to_the_keg)
{
	void *item[CAP];
	struct bucket *none = NULL;
	int error, got = 0;

	begin(0);
	ck_assert_uint_eq(limit_take(zone, CAP), CAP);
	while (got < CAP)
		got += keg_import(
		    zone->uz_keg, item + got, CAP - got, 0, M_NOWAIT, &error);
	uma_settings.set_zone_cache_max = 0;
	depot_add(zone, 0, item, CAP, &none, PUT_FREED);
	ck_assert_uint_eq(items(), 0);
	books_assert(zone, 0);
	finish();
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("depot");
	TCase *tc = tcase_create("working set");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, the_estimate_is_the_batch_that_was_allocated);
	tcase_add_test(tc, frees_alone_are_no_working_set);
	tcase_add_test(tc, a_batch_may_be_spread_over_small_frees);
	tcase_add_test(tc, a_new_maximum_does_not_hide_the_batch_before_it);
	tcase_add_test(tc, the_estimate_follows_bursts_and_idle_phases);
	tcase_add_test(
	    tc, trim_keeps_the_working_set_and_repeated_ones_bite_deeper);
	tcase_add_test(tc, trim_leaves_what_was_used_since_the_last_update);
	tcase_add_test(
	    tc, idle_items_are_given_back_in_quarters_after_45_periods);
	tcase_add_test(tc, use_of_all_items_puts_an_end_to_giving_back);
	tcase_add_test(tc, a_tick_releases_a_bounded_number_of_buckets);
	tcase_add_test(
	    tc, buckets_that_nobody_freed_do_not_disturb_the_estimate);
	tcase_add_test(
	    tc, buckets_that_come_back_unused_do_not_disturb_the_estimate);
	tcase_add_test(tc, what_reclaims_take_was_not_allocated);
	tcase_add_test(tc, a_drain_does_not_hide_the_batch_before_it);
	suite_add_tcase(s, tc);
	tc = tcase_create("single items");
	tcase_add_test(tc, single_items_gather_in_one_bucket);
	tcase_add_test(tc, without_a_bucket_single_items_go_to_the_keg);
	suite_add_tcase(s, tc);
	return s;
}

int
main(void)
{
	return test_run(suite());
}
