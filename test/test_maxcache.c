/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A cap on the free items that a zone caches: it holds, from nothing to much,
 * and on a zone in use.
 */
#define _GNU_SOURCE 1

#include <limits.h>
#include <uma/sysctl.h>

#include "sleepers.h"

enum { MANY = 2000 };

static uma_zone_t
capped(const char *name, size_t size, uint32_t flags, int max)
{
	uma_zone_t z = uma_zcreate(
	    name, size, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, flags);

	ck_assert_ptr_nonnull(z);
	uma_zone_set_maxcache(z, max);
	return z;
}

/* Many out and back, on all CPUs. */
static void
use(uma_zone_t z)
{
	static void *item[MANY];

	for (unsigned cpu = 0; cpu < 4; cpu++) {
		pin_to(cpu);
		take(z, item, MANY);
		give(z, item, MANY);
	}
}

START_TEST(no_more_than_the_cap_is_cached)
{
	static const size_t size[] = {16, 64, 500, 4096, 20000};
	static const int cap[] = {1, 2, 3, 10, 50, 100, 333, 1000};

	for (size_t s = 0; s < sizeof size / sizeof size[0]; s++)
		for (size_t c = 0; c < sizeof cap / sizeof cap[0]; c++) {
			uma_zone_t z = capped("capped", size[s],
			    c % 2 == 0 ? 0 : UMA_ZONE_MAXBUCKET, cap[c]);

			use(z);
			struct uma_zone_stat st = stat_of(z);
			ck_assert_uint_le(st.free_cached, (unsigned)cap[c]);
			ck_assert_uint_eq(st.used, 0);
			uma_zdestroy(z);
		}
}
END_TEST

START_TEST(a_cap_is_made_use_of)
{
	static const int cap[] = {1, 2, 50, 1000};

	if (getenv("UMA_OPTIONS") != NULL)
		return; /* may turn caching off */
	for (size_t c = 0; c < sizeof cap / sizeof cap[0]; c++) {
		uma_zone_t z = capped("used", 64, 0, cap[c]);

		use(z);
		ck_assert_uint_ge(
		    stat_of(z).free_cached, (unsigned)(cap[c] + 1) / 2);
		uma_zdestroy(z);
	}
}
END_TEST

START_TEST(with_zero_nothing_is_cached)
{
	void *item[10];
	uma_zone_t z = capped("none", 64, 0, 0);

	use(z);
	take(z, item, 10);
	for (int i = 0; i < 10; i++) {
		uma_zfree(z, item[i]);
		ck_assert_uint_eq(stat_of(z).free_cached, 0);
	}
	uma_zone_set_maxcache(z, INT_MAX);
	use(z);
	ck_assert_uint_gt(stat_of(z).free_cached, 0);
	uma_zdestroy(z);
}
END_TEST

START_TEST(a_lowered_cap_holds_when_the_call_returns)
{
	static const int cap[] = {500, 100, 99, 7, 1, 0, 20, 3};
	uma_zone_t z = capped("lowered", 100, 0, INT_MAX);

	for (size_t c = 0; c < sizeof cap / sizeof cap[0]; c++) {
		uma_zone_set_maxcache(z, INT_MAX);
		use(z);
		uma_zone_set_maxcache(z, cap[c]);
		ck_assert_uint_le(stat_of(z).free_cached, (unsigned)cap[c]);
		use(z);
		ck_assert_uint_le(stat_of(z).free_cached, (unsigned)cap[c]);
	}
	uma_zdestroy(z);
}
END_TEST

START_TEST(a_negative_number_changes_nothing)
{
	uma_zone_t z = capped("negative", 64, 0, 5);

	errno = 0;
	uma_zone_set_maxcache(z, -1);
	ck_assert_int_eq(errno, EINVAL);
	use(z);
	ck_assert_uint_le(stat_of(z).free_cached, 5);
	uma_zdestroy(z);
}
END_TEST

static void
set_zone_cache_max(uint64_t bytes)
{
	ck_assert_int_eq(uma_sysctlbyname("vm.uma.zone_cache_max", NULL, NULL,
			     &bytes, sizeof bytes),
	    0);
}

START_TEST(a_cap_outlives_a_setting_that_was_smaller)
{
	uint64_t most = 0;
	size_t len = sizeof most;

	set_zone_cache_max(10 * 4096);
	uma_zone_t z = capped("capped", 4096, 0, 20);
	use(z);
	ck_assert_uint_le(stat_of(z).free_cached, 10);
	ck_assert_int_eq(uma_sysctlbyname("vm.uma.capped.limit.bucket_max",
			     &most, &len, NULL, 0),
	    0);
	ck_assert_uint_eq(most, 10);
	set_zone_cache_max(1 << 30);
	use(z);
	ck_assert_uint_le(stat_of(z).free_cached, 20);
	ck_assert_int_eq(uma_sysctlbyname("vm.uma.capped.limit.bucket_max",
			     &most, &len, NULL, 0),
	    0);
	ck_assert_uint_eq(most, 20);
	uma_zdestroy(z);
}
END_TEST

START_TEST(limit_and_cap_do_not_change_each_other)
{
	void *item[300];
	uma_zone_t z = page_zone("both", 300);

	uma_zone_set_maxcache(z, 10);
	for (int round = 0; round < 3; round++) {
		ck_assert_int_eq(uma_zone_get_max(z), 300);
		take(z, item, 300);
		refused(z);
		give(z, item, 300);
		ck_assert_uint_le(stat_of(z).free_cached, 10);
		uma_zone_set_max(z, 299 + round);
		uma_zone_set_max(z, 300);
	}
	uma_zone_set_maxcache(z, INT_MAX);
	uma_zone_set_max(z, 5);
	uma_zone_set_max(z, 300);
	take(z, item, 300);
	give(z, item, 300);
	uma_zdestroy(z);
}
END_TEST

START_TEST(a_sleeper_gets_what_a_capped_zone_frees)
{
	struct sleeper s;
	void *item[4];
	uma_zone_t z = page_zone("slept for", 4);

	uma_zone_set_maxcache(z, 0);
	take(z, item, 4);
	sleeper_start(&s, z, NULL);
	give(z, item, 1);
	ck_assert(sleeper_back(&s));
	sleeper_end(&s);
	give(z, item + 1, 3);
	uma_zdestroy(z);
}
END_TEST

/* ---- a hook that takes long ---- */

static _Atomic int hook; /* 1: a hook is to stop, 2: it has, 3: it may go on */

static int
slow_init(void *mem, int size, int flags)
{
	int armed = 1;

	(void)mem, (void)size, (void)flags;
	if (atomic_compare_exchange_strong(&hook, &armed, 2))
		MUST(WAIT_FOR(atomic_load(&hook) == 3), "nobody came");
	return 0;
}

static void *
alloc_main(void *arg)
{
	return uma_zalloc(arg, M_WAITOK);
}

START_TEST(what_a_slow_hook_holds_goes_back_later)
{
	uma_zone_t z = uma_zcreate(
	    "slow", 64, NULL, NULL, slow_init, NULL, UMA_ALIGN_PTR, 0);
	void *item = NULL;

	if (getenv("UMA_OPTIONS") != NULL)
		return; /* may turn caching off */
	atomic_store(&hook, 1);
	pthread_t t = thread_start(alloc_main, z);
	ck_assert(WAIT_FOR(atomic_load(&hook) == 2));
	uma_zone_set_maxcache(z, 0); /* returns all the same */
	atomic_store(&hook, 3);
	ck_assert_int_eq(pthread_join(t, &item), 0);
	ck_assert_ptr_nonnull(item);
	ck_assert_uint_eq(stat_of(z).free_cached, 0);
	uma_zfree(z, item);
	ck_assert_uint_eq(stat_of(z).free_cached, 0);
	uma_zdestroy(z);
}
END_TEST

/* ---- in use ---- */

static _Atomic bool stop;

static void *
busy_main(void *arg)
{
	uma_zone_t z = arg;
	uint64_t rnd = (uintptr_t)&rnd;
	void *item[200];

	while (!atomic_load(&stop)) {
		int n = (int)(test_rand(&rnd) % 200);

		for (int i = 0; i < n; i++)
			item[i] = uma_zalloc(z, M_WAITOK);
		if (n % 4 == 0)
			uma_zfree_bulk(z, item, n);
		else
			give(z, item, n);
	}
	return NULL;
}

START_TEST(it_changes_on_a_zone_in_use)
{
	static const int cap[] = {0, 1, 30, INT_MAX, 1000, 5};
	uint64_t rnd = test_seed(__func__);
	pthread_t t[4];

	for (int round = 0; round < LOAD(20); round++) {
		uma_zone_t z = capped("busy", 128, 0, INT_MAX);
		int c = 0;

		atomic_store(&stop, false);
		for (int i = 0; i < 4; i++)
			t[i] = thread_start(busy_main, z);
		for (int i = 0; i < 50; i++) {
			c = cap[test_rand(&rnd) % 6];
			uma_zone_set_maxcache(z, c);
			if (i % 8 == 0)
				test_sleep_ms(1);
		}
		atomic_store(&stop, true);
		for (int i = 0; i < 4; i++)
			thread_join(t[i]);
		struct uma_zone_stat st = stat_of(z);
		ck_assert_uint_eq(st.used, 0);
		ck_assert_uint_le(st.free_cached, (unsigned)c);
		ck_assert_uint_eq(
		    st.free_cached + st.free_slab, st.slabs * st.slab_items);
		uma_zdestroy(z);
	}
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("maxcache");
	TCase *tc = tcase_create("maxcache");

	tcase_set_timeout(tc, TEST_TIMEOUT);
	tcase_add_test(tc, no_more_than_the_cap_is_cached);
	tcase_add_test(tc, a_cap_is_made_use_of);
	tcase_add_test(tc, with_zero_nothing_is_cached);
	tcase_add_test(tc, a_lowered_cap_holds_when_the_call_returns);
	tcase_add_test(tc, a_negative_number_changes_nothing);
	tcase_add_test(tc, a_cap_outlives_a_setting_that_was_smaller);
	tcase_add_test(tc, limit_and_cap_do_not_change_each_other);
	tcase_add_test(tc, a_sleeper_gets_what_a_capped_zone_frees);
	tcase_add_test(tc, what_a_slow_hook_holds_goes_back_later);
	tcase_add_test(tc, it_changes_on_a_zone_in_use);
	suite_add_tcase(s, tc);
	return s;
}

int
main(void)
{
	return test_run(suite());
}
