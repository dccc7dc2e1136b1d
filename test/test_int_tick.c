/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Idle memory goes back with time: what a period's work takes and what it
 * leaves, in how long slices, who does it, and with which hooks.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <uma.h>
#include <uma/reclaim.h>

#include "books.h"
#include "pages_int.h"
#include "zone_int.h"

#define PERIOD 5 /* ms */

/*
 * Periods after which empty slabs have gone for certain; and cached items that
 * nobody wants: the estimate of what is wanted decays, 45 go by, and what
 * follows is a quarter of the rest at a time.
 */
#define PERIODS_SLABS 16
#define PERIODS_CACHE 100

/* Before the first zone, since the variable is read then. */
static void
with_period(void)
{
	options_add("vm.uma.reclaim_period=5");
}

/* All the slices of the round that is due, if one is; then when the next is. */
static int
tick_all(void)
{
	int ms;

	while ((ms = uma_reclaim_tick()) == 0)
		;
	return ms;
}

static void
tick_periods(int n)
{
	for (int i = 0; i <= n; i++)
		test_sleep_ms(tick_all());
}

#define MANY 50000
static void *items[MANY];

static void
burst(uma_zone_t z, size_t n)
{
	take_many(z, items, n);
	free_many(z, items, n);
}

/* A zone whose free items are all in slabs. */
static uma_zone_t
bare_zone(uma_fini fini)
{
	uma_zone_t z = uma_zcreate("bare", 64, NULL, NULL, NULL, fini,
	    UMA_ALIGN_PTR, UMA_ZONE_NOBUCKET);

	ck_assert_ptr_nonnull(z);
	return z;
}

/* ---- what goes, what stays ---- */

START_TEST(what_a_burst_left_goes_back_in_some_periods)
{
	with_period();
	uma_zone_t z = plain_zone("burst", 64, UMA_ALIGN_PTR, 0);
	run_on_cpu(0);
	burst(z, MANY);
	uint64_t slabs = stat_of(z).slabs;
	size_t dirty = pages_held();
	tick_periods(PERIODS_CACHE);
	struct uma_zone_stat st = stat_of(z);
	/* What is the CPU's own may be left, and the slabs that it is of. */
	ck_assert_uint_le(st.free_cached, 1024);
	ck_assert_uint_le(st.slabs, slabs / 10 + 2);
	ck_assert_uint_lt(pages_held(), dirty / 4 + 1);
	books_assert(z, 0);
	uma_zdestroy(z);
}
END_TEST

static void
use_steadily(uma_zone_t z, int periods)
{
	double end = test_now() + periods * PERIOD / 1000.0;

	while (test_now() < end) {
		burst(z, 5000);
		(void)tick_all();
		test_sleep_ms(1);
	}
}

START_TEST(what_is_in_steady_use_stays)
{
	with_period();
	uma_zone_t z = uma_zcreate(
	    "steady", 64, NULL, NULL, count_init, count_fini, UMA_ALIGN_PTR, 0);
	run_on_cpu(0);
	use_steadily(z, PERIODS_CACHE);
	long made = hooks.init;
	use_steadily(z, PERIODS_CACHE);
	/* A few items at the edge of the estimate may come and go. */
	ck_assert_int_le(hooks.init - made, 1000);
	ck_assert_int_ge(hooks.init - hooks.fini, 5000);
	uma_zdestroy(z);
}
END_TEST

START_TEST(items_that_are_allocated_keep_their_contents)
{
	static void *kept[100];

	with_period();
	uma_zone_t z = plain_zone("kept", 64, UMA_ALIGN_PTR, 0);
	take_many(z, kept, 100);
	for (int i = 0; i < 100; i++)
		memset(kept[i], i, 64);
	burst(z, 10000);
	tick_periods(PERIODS_CACHE);
	for (int i = 0; i < 100; i++)
		ck_assert(is_filled(kept[i], i, 64));
	books_assert(z, 100);
	free_many(z, kept, 100);
	uma_zdestroy(z);
}
END_TEST

START_TEST(nofree_zones_keep_their_slabs)
{
	with_period();
	uma_zone_t z = uma_zcreate("nofree", 64, NULL, NULL, NULL, count_fini,
	    UMA_ALIGN_PTR, UMA_ZONE_NOBUCKET | UMA_ZONE_NOFREE);
	burst(z, 1000);
	uint64_t slabs = stat_of(z).slabs;
	tick_periods(PERIODS_SLABS);
	ck_assert_uint_eq(stat_of(z).slabs, slabs);
	ck_assert_int_eq(hooks.fini, 0);
	uma_zdestroy(z);
}
END_TEST

/* ---- the value ---- */

START_TEST(the_first_call_begins_a_period)
{
	options_add("vm.uma.reclaim_period=2000");
	/* Before the first zone, too. */
	int ms = uma_reclaim_tick();
	ck_assert_int_gt(ms, 1000);
	ck_assert_int_le(ms, 2000);
	uma_zone_t z = bare_zone(NULL);
	burst(z, 1000);
	for (int i = 0; i < 100; i++) {
		int next = uma_reclaim_tick();

		ck_assert_int_le(next, ms);
		ck_assert_int_gt(next, 0);
	}
	ck_assert_uint_gt(stat_of(z).slabs, 0);
	uma_zdestroy(z);
}
END_TEST

START_TEST(the_value_is_when_the_next_period_begins)
{
	options_add("vm.uma.reclaim_period=100");
	double last = test_now();
	int ms = tick_all();
	for (int i = 0; i < 5; i++) {
		test_sleep_ms(ms);
		ms = tick_all();
		/* The work was due: the next is a whole period from it. */
		ck_assert_int_gt(ms, 0);
		ck_assert_int_le(ms, 100);
	}
	ck_assert_double_ge(test_now() - last, 0.45);
}
END_TEST

START_TEST(without_a_period_nothing_goes_back)
{
	options_add("vm.uma.reclaim_period=0");
	uma_zone_t z = bare_zone(NULL);
	burst(z, 1000);
	uint64_t slabs = stat_of(z).slabs;
	for (int i = 0; i < PERIODS_SLABS; i++) {
		ck_assert_int_eq(uma_reclaim_tick(), INT_MAX);
		tick_check();
	}
	ck_assert_uint_eq(stat_of(z).slabs, slabs);
	uma_zdestroy(z);
}
END_TEST

START_TEST(memory_that_must_not_fault_does_not_go_back)
{
	options_add("vm.uma.reclaim_period=1,vm.uma.prefault=1");
	uma_zone_t z = bare_zone(NULL);
	burst(z, 1000);
	uint64_t slabs = stat_of(z).slabs;
	for (int i = 0; i < PERIODS_SLABS; i++) {
		ck_assert_int_eq(uma_reclaim_tick(), INT_MAX);
		tick_check();
		test_sleep_ms(2);
	}
	ck_assert_uint_eq(stat_of(z).slabs, slabs);
	uma_zdestroy(z);
}
END_TEST

START_TEST(the_longest_period_overflows_nothing)
{
	options_add("vm.uma.reclaim_period=900000000000000000");
	ck_assert_int_gt(uma_reclaim_tick(), INT_MAX - 10);
	ck_assert_int_gt(uma_reclaim_tick(), INT_MAX - 1000000);
}
END_TEST

START_TEST(errno_is_kept)
{
	with_period();
	uma_zone_t z = bare_zone(NULL);
	burst(z, 1000);
	for (int i = 0; i < 6 * PERIOD; i++) {
		errno = EXDEV;
		if (i < 3 * PERIOD)
			tick_check();
		else
			(void)uma_reclaim_tick();
		ck_assert_int_eq(errno, EXDEV);
		test_sleep_ms(1);
	}
	uma_zdestroy(z);
}
END_TEST

/* ---- slices ---- */

#define ZONES 1000
static uma_zone_t zones[ZONES];
static _Atomic long slow_finis;

/* Takes half a slice. */
static void
slow_fini(void *mem, int size)
{
	double end = test_now() + 0.0005;

	(void)mem;
	(void)size;
	while (test_now() < end)
		;
	atomic_fetch_add(&slow_finis, 1);
}

/* One item to a slab, so that the slab's fini is one call. */
static uma_zone_t
slow_zone(void)
{
	uma_zone_t z = uma_zcreate("slow", 1 << 18, NULL, NULL, NULL, slow_fini,
	    4095, UMA_ZONE_NOBUCKET);

	ck_assert_ptr_nonnull(z);
	return z;
}

/* Tick until so many slow hooks have run, a slice at a time. */
static void
expect_slices(long finis)
{
	long most = 0;
	int slices = 0;

	double end = test_now() + 30;
	while (slow_finis < finis && test_now() < end) {
		long before = slow_finis;
		int ms = uma_reclaim_tick();

		slices += ms == 0;
		most = uma_max(most, slow_finis - before);
		if (ms > 0)
			test_sleep_ms(ms);
	}
	ck_assert_int_eq(slow_finis, finis);
	/* Two fill a slice. */
	ck_assert_int_le(most, 6);
	ck_assert_int_ge(slices, finis / 6 - 1);
}

START_TEST(a_call_does_a_slice_and_enough_calls_do_all)
{
	with_period();
	for (int i = 0; i < 100; i++) {
		zones[i] = slow_zone();
		uma_zfree(zones[i], must_alloc(zones[i], M_WAITOK));
	}
	expect_slices(100);
	for (int i = 0; i < 100; i++)
		uma_zdestroy(zones[i]);
	ck_assert_int_eq(slow_finis, 100);
}
END_TEST

START_TEST(a_single_large_zone_is_done_in_slices_too)
{
	with_period();
	uma_zone_t z = slow_zone();
	burst(z, 100);
	ck_assert_uint_eq(stat_of(z).slabs, 100);
	expect_slices(100);
	ck_assert_uint_eq(stat_of(z).slabs, 0);
	uma_zdestroy(z);
}
END_TEST

START_TEST(no_call_is_long_however_many_zones_there_are)
{
	double longest = 0;
	uint64_t slabs = 0;

	with_period();
	for (int i = 0; i < ZONES; i++) {
		zones[i] = bare_zone(NULL);
		burst(zones[i], 200);
	}
	double end = test_now() + PERIODS_SLABS * PERIOD / 1000.0 + 0.2;
	while (test_now() < end) {
		double from = test_now();
		int ms = uma_reclaim_tick();

		longest = uma_max(longest, test_now() - from);
		if (ms > 0)
			test_sleep_ms(ms);
	}
	printf("longest of %d zones: %.1f ms\n", ZONES, longest * 1e3);
	ck_assert_double_lt(longest, TEST_TSAN || TEST_ASAN ? 1 : 0.1);
	for (int i = 0; i < ZONES; i++) {
		slabs += stat_of(zones[i]).slabs;
		uma_zdestroy(zones[i]);
	}
	ck_assert_uint_eq(slabs, 0);
}
END_TEST

START_TEST(zones_come_and_go_between_slices)
{
	uint64_t seed = test_seed("come_and_go"), state = seed;
	int n = 60;

	with_period();
	for (int i = 0; i < n; i++) {
		zones[i] = slow_zone();
		uma_zfree(zones[i], must_alloc(zones[i], M_WAITOK));
	}
	for (int i = 0; i < 300; i++) {
		int k = (int)(test_rand(&state) % (unsigned)n);

		if (uma_reclaim_tick() > 0)
			test_sleep_ms(1);
		uma_zdestroy(zones[k]);
		zones[k] = slow_zone();
		if (test_rand(&state) % 2)
			uma_zfree(zones[k], must_alloc(zones[k], M_WAITOK));
	}
	tick_periods(PERIODS_SLABS);
	for (int i = 0; i < n; i++) {
		ck_assert_uint_eq(stat_of(zones[i]).slabs, 0);
		uma_zdestroy(zones[i]);
	}
}
END_TEST

/* ---- hooks ---- */

static uma_zone_t hook_zone;
static int ticks_in_hook, least_in_hook = INT_MAX;

static void
ticking_fini(void *mem, int size)
{
	int ms = uma_reclaim_tick();

	(void)mem;
	(void)size;
	tick_check();
	least_in_hook = uma_min(least_in_hook, ms);
	ticks_in_hook++;
}

START_TEST(a_hook_that_ticks_gets_a_time_and_nothing_else)
{
	with_period();
	hook_zone = bare_zone(ticking_fini);
	burst(hook_zone, 5000);
	tick_periods(PERIODS_SLABS);
	ck_assert_int_ge(ticks_in_hook, 5000);
	ck_assert_int_ge(least_in_hook, 1);
	ck_assert_int_le(least_in_hook, PERIOD);
	uma_zdestroy(hook_zone);
}
END_TEST

static void
allocating_fini(void *mem, int size)
{
	(void)mem;
	(void)size;
	hooks.fini++;
	uma_zfree(hook_zone, must_alloc(hook_zone, M_NOWAIT));
}

START_TEST(a_fini_may_use_its_own_zone)
{
	with_period();
	hook_zone = uma_zcreate("self", 64, NULL, NULL, NULL, allocating_fini,
	    UMA_ALIGN_PTR, UMA_ZONE_NOBUCKET);
	burst(hook_zone, 1000);
	tick_periods(PERIODS_SLABS);
	ck_assert_int_gt(hooks.fini, 0);
	books_assert(hook_zone, 0);
}
END_TEST

static _Atomic int in_fini, most_in_fini;
static _Atomic bool stop;

static void
lone_fini(void *mem, int size)
{
	int now = atomic_fetch_add(&in_fini, 1) + 1;

	(void)mem;
	(void)size;
	if (now > most_in_fini)
		most_in_fini = now;
	sched_yield();
	atomic_fetch_sub(&in_fini, 1);
	atomic_fetch_add(&slow_finis, 1);
}

static void *
tick_forever(void *arg)
{
	while (!stop) {
		int ms = uma_reclaim_tick();

		if (ms < 0 || ms > PERIOD)
			return (void *)1;
		sched_yield();
	}
	return arg;
}

START_TEST(one_thread_at_a_time_does_the_work)
{
	pthread_t thread[4];
	void *result;

	with_period();
	for (int i = 0; i < 4; i++)
		zones[i] = bare_zone(lone_fini);
	for (int i = 0; i < 4; i++)
		pthread_create(&thread[i], NULL, tick_forever, NULL);
	double end = test_now() + 0.5;
	while (test_now() < end || (slow_finis == 0 && test_now() < end + 30))
		for (int i = 0; i < 4; i++) {
			burst(zones[i], 300);
			test_sleep_ms(test_now() < end - 0.3 ? 0 : 3 * PERIOD);
		}
	stop = true;
	for (int i = 0; i < 4; i++) {
		pthread_join(thread[i], &result);
		ck_assert_ptr_null(result);
	}
	for (int i = 0; i < 4; i++)
		uma_zdestroy(zones[i]);
	ck_assert_int_gt(slow_finis, 0);
	ck_assert_int_eq(most_in_fini, 1);
}
END_TEST

/* ---- nobody asked ---- */

/* Slices come at rests; long enough for a round a period. */
static void
check_periods(int n)
{
	for (int i = 0; i < n * PERIOD; i++) {
		tick_check();
		test_sleep_ms(1);
	}
}

START_TEST(unasked_memory_goes_back_too_but_no_fini_runs)
{
	with_period();
	uma_zone_t plain = bare_zone(NULL), hooked = bare_zone(count_fini);
	burst(plain, 5000);
	burst(hooked, 5000);
	uint64_t slabs = stat_of(hooked).slabs;
	check_periods(PERIODS_SLABS);
	ck_assert_uint_eq(stat_of(plain).slabs, 0);
	ck_assert_uint_eq(stat_of(hooked).slabs, slabs);
	ck_assert_int_eq(hooks.fini, 0);
	/* Asked, it does. */
	tick_periods(PERIODS_SLABS);
	ck_assert_uint_eq(stat_of(hooked).slabs, 0);
	ck_assert_int_ge(hooks.fini, 5000);
	uma_zdestroy(plain);
	uma_zdestroy(hooked);
}
END_TEST

START_TEST(traffic_alone_gives_idle_memory_back)
{
	with_period();
	uma_zone_t idle = bare_zone(NULL);
	uma_zone_t busy = plain_zone("busy", 64, UMA_ALIGN_PTR, 0);
	burst(idle, 5000);
	double end = test_now() + 30;
	while (stat_of(idle).slabs > 0 && test_now() < end)
		burst(busy, 5000);
	ck_assert_uint_eq(stat_of(idle).slabs, 0);
	uma_zdestroy(idle);
	uma_zdestroy(busy);
}
END_TEST

START_TEST(who_ticks_in_time_does_all_the_work)
{
	options_add("vm.uma.reclaim_period=150");
	uma_zone_t z = bare_zone(NULL);
	burst(z, 5000);
	uint64_t slabs = stat_of(z).slabs;
	/* From the second time on the slabs count as idle. */
	test_sleep_ms(tick_all());
	int ms = tick_all();
	ck_assert_uint_eq(stat_of(z).slabs, slabs);
	/* A period is over, but the program's loop has time for its call. */
	test_sleep_ms(ms + 10);
	for (int i = 0; i < 50; i++)
		tick_check();
	ck_assert_uint_eq(stat_of(z).slabs, slabs);
	/* And it has not. */
	double end = test_now() + 30;
	while (stat_of(z).slabs > 0 && test_now() < end) {
		tick_check();
		test_sleep_ms(5);
	}
	ck_assert_uint_eq(stat_of(z).slabs, 0);
	uma_zdestroy(z);
}
END_TEST

/* ---- fork ---- */

static void
child_ticks(void *arg)
{
	uma_zone_t z = *(uma_zone_t *)arg;

	burst(z, 1000);
	tick_periods(4);
	_exit(stat_of(z).slabs == 0 ? 8 : 1);
}

START_TEST(the_child_of_a_fork_ticks_whatever_the_parent_did)
{
	pthread_t thread;
	char text[TEST_TEXT];

	with_period();
	uma_zone_t z = bare_zone(NULL);
	for (int i = 0; i < 4; i++)
		zones[i] = bare_zone(slow_fini);
	pthread_create(&thread, NULL, tick_forever, NULL);
	for (int i = 0; i < 6; i++) {
		/* The thread is at its slow hooks now. */
		burst(zones[i % 4], 60);
		test_sleep_ms(2 * PERIOD + i);
		int status = child_says(child_ticks, &z, text, sizeof text);
		ck_assert_int_eq(WEXITSTATUS(status), 8);
	}
	stop = true;
	pthread_join(thread, NULL);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("tick");
	TCase *tc = tcase_create("idle");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, what_a_burst_left_goes_back_in_some_periods);
	tcase_add_test(tc, what_is_in_steady_use_stays);
	tcase_add_test(tc, items_that_are_allocated_keep_their_contents);
	tcase_add_test(tc, nofree_zones_keep_their_slabs);
	suite_add_tcase(s, tc);

	tc = tcase_create("value");
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, the_first_call_begins_a_period);
	tcase_add_test(tc, the_value_is_when_the_next_period_begins);
	tcase_add_test(tc, without_a_period_nothing_goes_back);
	tcase_add_test(tc, memory_that_must_not_fault_does_not_go_back);
	tcase_add_test(tc, the_longest_period_overflows_nothing);
	tcase_add_test(tc, errno_is_kept);
	suite_add_tcase(s, tc);

	tc = tcase_create("slices");
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, a_call_does_a_slice_and_enough_calls_do_all);
	tcase_add_test(tc, a_single_large_zone_is_done_in_slices_too);
	tcase_add_test(tc, no_call_is_long_however_many_zones_there_are);
	tcase_add_test(tc, zones_come_and_go_between_slices);
	suite_add_tcase(s, tc);

	tc = tcase_create("hooks");
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, a_hook_that_ticks_gets_a_time_and_nothing_else);
	tcase_add_test(tc, a_fini_may_use_its_own_zone);
	tcase_add_test(tc, one_thread_at_a_time_does_the_work);
	suite_add_tcase(s, tc);

	tc = tcase_create("unasked");
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, unasked_memory_goes_back_too_but_no_fini_runs);
	tcase_add_test(tc, traffic_alone_gives_idle_memory_back);
	tcase_add_test(tc, who_ticks_in_time_does_all_the_work);
	tcase_add_test(tc, the_child_of_a_fork_ticks_whatever_the_parent_did);
	suite_add_tcase(s, tc);
	return s;
}

int
main(void)
{
	return test_run(suite());
}
