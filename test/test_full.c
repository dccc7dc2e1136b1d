/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How full a zone is, how much memory it has, and waiting until it is not full.
 */
#define _GNU_SOURCE 1

#include "sleepers.h"

/* ---- exhausted ---- */

START_TEST(a_zone_is_exhausted_when_all_is_allocated)
{
	void *item[4];
	uma_zone_t z = page_zone("all", 4);

	ck_assert_int_eq(uma_zone_exhausted(z), 0);
	take(z, item, 3);
	ck_assert_int_eq(uma_zone_exhausted(z), 0);
	take(z, item + 3, 1);
	ck_assert_int_eq(uma_zone_exhausted(z), 1);
	refused(z);
	ck_assert_int_eq(uma_zone_exhausted(z), 1);
	give(z, item, 1); /* stays in a cache, and may be had */
	ck_assert_int_eq(uma_zone_exhausted(z), 0);
	take(z, item, 1);
	ck_assert_int_eq(uma_zone_exhausted(z), 1);
	give(z, item, 4);
	ck_assert_int_eq(uma_zone_exhausted(z), 0);
	uma_zdestroy(z);
}
END_TEST

START_TEST(a_zone_without_a_limit_is_never_exhausted)
{
	void *item[100];
	uma_zone_t z = page_zone("none", 100);

	take(z, item, 100);
	ck_assert_int_eq(uma_zone_exhausted(z), 1);
	uma_zone_set_max(z, 0);
	ck_assert_int_eq(uma_zone_exhausted(z), 0);
	uma_zone_set_max(z, 50);
	ck_assert_int_eq(uma_zone_exhausted(z), 1);
	give(z, item, 50);
	ck_assert_int_eq(uma_zone_exhausted(z), 1);
	give(z, item + 50, 50);
	ck_assert_int_eq(uma_zone_exhausted(z), 0);
	uma_zdestroy(z);
}
END_TEST

START_TEST(a_zone_that_somebody_sleeps_for_is_exhausted)
{
	struct sleeper s;
	void *item[2];
	uma_zone_t z = page_zone("slept for", 2);

	take(z, item, 2);
	sleeper_start(&s, z, NULL);
	ck_assert_int_eq(uma_zone_exhausted(z), 1);
	give(z, item, 2);
	ck_assert(sleeper_back(&s));
	ck_assert_int_eq(uma_zone_exhausted(z), 0);
	sleeper_end(&s);
	uma_zdestroy(z);
}
END_TEST

/* ---- memory ---- */

START_TEST(memory_is_that_of_whole_slabs)
{
	static const uint32_t flags[] = {
	    0, UMA_ZONE_OFFPAGE, UMA_ZONE_PCPU, UMA_ZONE_NOBUCKET};
	void *item[1000];

	for (size_t f = 0; f < sizeof flags / sizeof flags[0]; f++) {
		uma_zone_t z = uma_zcreate("memory", 500, NULL, NULL, NULL,
		    NULL, UMA_ALIGN_PTR, flags[f]);

		ck_assert_uint_eq(uma_zone_memory(z), 0);
		take(z, item, 1000);
		struct uma_zone_stat st = stat_of(z);
		ck_assert_uint_eq(uma_zone_memory(z), st.slabs * st.slab_size);
		ck_assert_uint_ge(uma_zone_memory(z), 500 * 1000);
		give(z, item, 1000);
		uma_zone_reclaim(z, UMA_RECLAIM_DRAIN_CPU);
		ck_assert_uint_eq(uma_zone_memory(z), 0);
		uma_zdestroy(z);
	}
}
END_TEST

START_TEST(a_page_given_back_out_of_a_slab_still_counts)
{
	uma_zone_t z = uma_zcreate("pages", 3000, NULL, NULL, NULL, NULL,
	    UMA_ALIGN_PTR, UMA_ZONE_NOBUCKET);
	int n = (int)stat_of(z).slab_items;
	void *item[512];

	ck_assert_int_gt(n, 3);
	take(z, item, n);
	size_t before = uma_zone_memory(z);
	give(z, item + 1, n - 1);
	uma_zone_reclaim(z, UMA_RECLAIM_DRAIN_CPU);
	ck_assert_uint_eq(uma_zone_memory(z), before);
	give(z, item, 1);
	uma_zdestroy(z);
}
END_TEST

/* ---- waiting ---- */

static int built, unbuilt;

static int
count_ctor(void *mem, int size, void *arg, int flags)
{
	(void)mem, (void)size, (void)arg, (void)flags;
	built++;
	return 0;
}

static void
count_dtor(void *mem, int size, void *arg)
{
	(void)mem, (void)size, (void)arg;
	unbuilt++;
}

START_TEST(zwait_leaves_everything_as_it_was)
{
	uma_zone_t z = uma_zcreate("waited", 4096, count_ctor, count_dtor, NULL,
	    NULL, UMA_ALIGN_PTR, 0);
	void *item[2];

	ck_assert_int_eq(uma_zone_set_max(z, 2), 2);
	for (int out = 0; out < 2; out++) {
		struct uma_zone_stat before = stat_of(z);

		for (int i = 0; i < 10; i++)
			uma_zwait(z);
		struct uma_zone_stat after = stat_of(z);
		ck_assert_uint_eq(after.allocs, before.allocs);
		ck_assert_uint_eq(after.frees, before.frees);
		ck_assert_uint_eq(after.used, (unsigned)out);
		ck_assert_uint_eq(after.fails + after.sleeps, 0);
		take(z, item + out, 1);
	}
	ck_assert_int_eq(built, 2);
	ck_assert_int_eq(unbuilt, 0);
	give(z, item, 2);
	uma_zdestroy(z);
}
END_TEST

static _Atomic int back;

static void *
wait_main(void *arg)
{
	uma_zwait(arg);
	atomic_store(&back, 1);
	return NULL;
}

START_TEST(zwait_waits_for_a_free_and_the_item_is_there)
{
	uma_zone_t z = page_zone("waited", 1);
	void *item;

	take(z, &item, 1);
	pthread_t t = thread_start(wait_main, z);
	ck_assert(WAIT_FOR(stat_of(z).sleeps == 1));
	test_sleep_ms(20);
	ck_assert_int_eq(atomic_load(&back), 0);
	uma_zfree(z, item);
	ck_assert(WAIT_FOR(atomic_load(&back) == 1));
	thread_join(t);
	take(z, &item, 1);
	refused(z);
	give(z, &item, 1);
	uma_zdestroy(z);
}
END_TEST

START_TEST(zwait_wakes_the_next_one_as_well)
{
	uma_zone_t z = page_zone("waited", 1);
	struct sleeper s[2];
	void *item;

	take(z, &item, 1);
	pthread_t t = thread_start(wait_main, z);
	ck_assert(WAIT_FOR(stat_of(z).sleeps == 1));
	sleeper_start(&s[0], z, NULL);
	sleeper_start(&s[1], z, NULL);
	uma_zfree(z, item);
	thread_join(t);
	ck_assert(sleeper_back(&s[0]));
	sleeper_end(&s[0]);
	ck_assert(sleeper_back(&s[1]));
	sleeper_end(&s[1]);
	ck_assert_uint_eq(stat_of(z).used, 0);
	uma_zdestroy(z);
}
END_TEST

static int
bad_init(void *mem, int size, int flags)
{
	(void)mem, (void)size, (void)flags;
	return EBADF;
}

START_TEST(zwait_ends_with_the_errno_of_an_init)
{
	uma_zone_t z = uma_zcreate(
	    "bad", 4096, NULL, NULL, bad_init, NULL, UMA_ALIGN_PTR, 0);

	errno = 0;
	uma_zwait(z);
	ck_assert_int_eq(errno, EBADF);
	ck_assert_uint_eq(stat_of(z).used, 0);
	uma_zdestroy(z);
}
END_TEST

static void *
lift_main(void *arg)
{
	test_sleep_ms(30);
	MUST(setrlimit(RLIMIT_AS, arg) == 0, "no rlimit");
	return NULL;
}

START_TEST(zwait_that_succeeds_keeps_errno)
{
	uma_zone_t z = uma_zcreate(
	    "late", (size_t)1 << 30, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);
	struct rlimit some, none;

	if (TEST_ASAN || TEST_TSAN)
		return; /* need the address space for themselves */
	uma_set_warning_sink(mute_sink, NULL);
	ck_assert_int_eq(getrlimit(RLIMIT_AS, &some), 0);
	none = some;
	none.rlim_cur = (rlim_t)64 << 20;
	pthread_t t = thread_start(lift_main, &some);
	ck_assert_int_eq(setrlimit(RLIMIT_AS, &none), 0);
	double start = test_now();
	errno = 0;
	uma_zwait(z); /* until there is memory */
	ck_assert_int_eq(errno, 0);
	ck_assert(test_now() - start > 0.01);
	thread_join(t);
	uma_zdestroy(z);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("full");
	TCase *tc = tcase_create("full");

	tcase_set_timeout(tc, TEST_TIMEOUT);
	tcase_add_test(tc, a_zone_is_exhausted_when_all_is_allocated);
	tcase_add_test(tc, a_zone_without_a_limit_is_never_exhausted);
	tcase_add_test(tc, a_zone_that_somebody_sleeps_for_is_exhausted);
	tcase_add_test(tc, memory_is_that_of_whole_slabs);
	tcase_add_test(tc, a_page_given_back_out_of_a_slab_still_counts);
	tcase_add_test(tc, zwait_leaves_everything_as_it_was);
	tcase_add_test(tc, zwait_waits_for_a_free_and_the_item_is_there);
	tcase_add_test(tc, zwait_wakes_the_next_one_as_well);
	tcase_add_test(tc, zwait_ends_with_the_errno_of_an_init);
	tcase_add_test(tc, zwait_that_succeeds_keeps_errno);
	suite_add_tcase(s, tc);
	return s;
}

int
main(void)
{
	return test_run(suite());
}
