/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Allocations that wait for a time only: they end in time, keep their place
 * until then, and lose nothing that was meant for them.
 */
#define _GNU_SOURCE 1

#include <limits.h>

#include "sleepers.h"

#define MS INT64_C(1000000)

static void
times_out(uma_zone_t zone, int64_t ns)
{
	double start = test_now(), least = ns > 0 ? (double)ns / 1e9 : 0;

	errno = 0;
	ck_assert_ptr_null(uma_zalloc_timed(zone, NULL, M_WAITOK, ns));
	ck_assert_int_eq(errno, ETIMEDOUT);
	ck_assert(test_now() - start >= least);
	ck_assert(test_now() - start < least + PATIENCE);
}

START_TEST(it_is_an_allocation_like_any_other)
{
	uma_zone_t z = page_zone("timed", 3);
	static const int64_t ns[] = {INT64_MIN, -1, 0, 1, MS, INT64_MAX};
	void *item[3];

	for (size_t i = 0; i < sizeof ns / sizeof ns[0]; i++) {
		for (int k = 0; k < 3; k++) {
			item[k] =
			    uma_zalloc_timed(z, NULL, M_WAITOK | M_ZERO, ns[i]);
			ck_assert_ptr_nonnull(item[k]);
			ck_assert_int_eq(*(char *)item[k], 0);
			memset(item[k], 0xa5, 4096);
		}
		give(z, item, 3);
	}
	ck_assert_uint_eq(stat_of(z).allocs, 18);
	ck_assert_uint_eq(stat_of(z).fails + stat_of(z).sleeps, 0);
	uma_zdestroy(z);
}
END_TEST

START_TEST(at_the_limit_it_ends_when_its_time_is_over)
{
	uma_zone_t z = page_zone("timed", 2);
	void *item[2];

	take(z, item, 2);
	times_out(z, 0);
	times_out(z, -5);
	times_out(z, INT64_MIN / 2);
	ck_assert_uint_eq(stat_of(z).sleeps, 0);
	times_out(z, 1);
	times_out(z, 30 * MS);
	struct uma_zone_stat st = stat_of(z);
	ck_assert_uint_eq(st.fails, 5);
	ck_assert_uint_ge(st.sleeps, 1);
	ck_assert_uint_eq(st.used, 2);
	errno = 0;
	ck_assert_ptr_null(uma_zalloc_timed(z, NULL, M_NOWAIT, INT64_MAX));
	ck_assert_int_eq(errno, ENOMEM);
	/* Nobody waits any more: frees stay in the cache again. */
	if (getenv("UMA_OPTIONS") == NULL) { /* may turn caching off */
		give(z, item, 1);
		ck_assert_uint_eq(stat_of(z).free_cached, 1);
		take(z, item, 1);
	}
	ck_assert_int_eq(uma_zone_set_max(z, 2), 2);
	give(z, item, 2);
	take(z, item, 2);
	give(z, item, 2);
	uma_zdestroy(z);
}
END_TEST

static void *victim;

static void
free_victim(uma_zone_t zone, int pending)
{
	(void)pending;
	uma_zfree(zone, victim);
}

START_TEST(without_any_time_it_has_what_the_action_freed)
{
	uma_zone_t z = page_zone("action", 1);

	uma_zone_set_maxaction(z, free_victim);
	victim = uma_zalloc(z, M_NOWAIT);
	for (int i = 0; i < 10; i++) {
		victim = uma_zalloc_timed(z, NULL, M_WAITOK, 0);
		ck_assert_ptr_nonnull(victim);
	}
	ck_assert_uint_eq(stat_of(z).sleeps, 0);
	uma_zfree(z, victim);
	uma_zdestroy(z);
}
END_TEST

static int
ctor_errno(void *mem, int size, void *arg, int flags)
{
	(void)mem, (void)size, (void)flags;
	return *(int *)arg;
}

START_TEST(a_ctor_that_fails_is_not_a_matter_of_time)
{
	uma_zone_t z = uma_zcreate(
	    "ctor", 64, ctor_errno, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);
	int bad = EBADF, good = 0;

	errno = 0;
	ck_assert_ptr_null(uma_zalloc_timed(z, &bad, M_WAITOK, MS));
	ck_assert_int_eq(errno, EBADF);
	void *item = uma_zalloc_timed(z, &good, M_WAITOK, MS);
	ck_assert_ptr_nonnull(item);
	uma_zfree(z, item);
	uma_zdestroy(z);
}
END_TEST

/* ---- among others ---- */

struct timed {
	uma_zone_t zone;
	int64_t ns;
	void *item;
	int err;
};

static void *
timed_main(void *arg)
{
	struct timed *t = arg;

	t->item = uma_zalloc_timed(t->zone, NULL, M_WAITOK, t->ns);
	t->err = errno;
	return NULL;
}

START_TEST(a_free_ends_the_wait)
{
	struct timed t = {.zone = page_zone("timed", 1), .ns = INT64_MAX};
	void *item;

	take(t.zone, &item, 1);
	pthread_t thread = thread_start(timed_main, &t);
	ck_assert(WAIT_FOR(stat_of(t.zone).sleeps == 1));
	uma_zfree(t.zone, item);
	thread_join(thread);
	ck_assert_ptr_nonnull(t.item);
	uma_zfree(t.zone, t.item);
	uma_zdestroy(t.zone);
}
END_TEST

static void
no_handler(int sig)
{
	(void)sig;
}

START_TEST(signals_neither_end_nor_prolong_the_wait)
{
	struct sigaction sa = {.sa_handler = no_handler};
	struct timed t = {.zone = page_zone("timed", 1), .ns = 200 * MS};
	double start = test_now();
	void *item;

	ck_assert_int_eq(sigaction(SIGUSR1, &sa, NULL), 0);
	take(t.zone, &item, 1);
	pthread_t thread = thread_start(timed_main, &t);
	while (pthread_tryjoin_np(thread, NULL) != 0) {
		ck_assert(test_now() - start < PATIENCE);
		pthread_kill(thread, SIGUSR1);
		test_sleep_ms(1);
	}
	ck_assert(test_now() - start >= 0.2);
	ck_assert_ptr_null(t.item);
	ck_assert_int_eq(t.err, ETIMEDOUT);
	ck_assert_uint_eq(stat_of(t.zone).sleeps, 1);
	uma_zfree(t.zone, item);
	uma_zdestroy(t.zone);
}
END_TEST

START_TEST(whoever_leaves_the_queue_does_not_disturb_it)
{
	struct timed t = {.zone = page_zone("queue", 1), .ns = 50 * MS};
	struct sleeper before, behind;
	void *item;

	take(t.zone, &item, 1);
	sleeper_start(&before, t.zone, NULL);
	pthread_t thread = thread_start(timed_main, &t);
	ck_assert(WAIT_FOR(stat_of(t.zone).sleeps == 2));
	sleeper_start(&behind, t.zone, NULL);
	thread_join(thread);
	ck_assert_ptr_null(t.item);
	ck_assert_int_eq(t.err, ETIMEDOUT);
	ck_assert_int_eq(atomic_load(&before.place), 0);
	uma_zfree(t.zone, item);
	ck_assert(sleeper_back(&before));
	ck_assert_int_eq(atomic_load(&behind.place), 0);
	sleeper_end(&before);
	ck_assert(sleeper_back(&behind));
	sleeper_end(&behind);
	ck_assert_uint_eq(stat_of(t.zone).used, 0);
	take(t.zone, &item, 1);
	refused(t.zone);
	give(t.zone, &item, 1);
	uma_zdestroy(t.zone);
}
END_TEST

START_TEST(it_keeps_its_place_in_the_queue)
{
	struct timed t = {.zone = page_zone("queue", 1), .ns = INT64_MAX};
	struct sleeper behind;
	void *item;

	take(t.zone, &item, 1);
	pthread_t thread = thread_start(timed_main, &t);
	ck_assert(WAIT_FOR(stat_of(t.zone).sleeps == 1));
	sleeper_start(&behind, t.zone, NULL);
	uma_zfree(t.zone, item);
	thread_join(thread);
	ck_assert_ptr_nonnull(t.item);
	ck_assert_int_eq(atomic_load(&behind.place), 0);
	uma_zfree(t.zone, t.item);
	ck_assert(sleeper_back(&behind));
	sleeper_end(&behind);
	uma_zdestroy(t.zone);
}
END_TEST

/* ---- a free and the end of the time at once ---- */

static struct {
	uma_zone_t zone;
	uint64_t seed;
	_Atomic int ids;
	_Atomic long got, missed;
	_Atomic int out;
} race;

enum { RACE_MAX = 2 };

static void *
race_main(void *arg)
{
	uint64_t rnd = race.seed + (uint64_t)atomic_fetch_add(&race.ids, 1);

	(void)arg;
	for (int i = 0; i < LOAD(20000); i++) {
		int64_t ns = (int64_t)(test_rand(&rnd) % 40000);
		void *item =
		    test_rand(&rnd) % 8 == 0
			? uma_zalloc(race.zone, M_WAITOK)
			: uma_zalloc_timed(race.zone, NULL, M_WAITOK, ns);

		if (item == NULL) {
			MUST(errno == ETIMEDOUT, "errno %d", errno);
			atomic_fetch_add(&race.missed, 1);
			continue;
		}
		int out = atomic_fetch_add(&race.out, 1) + 1;
		MUST(out <= RACE_MAX, "%d items out", out);
		if (test_rand(&rnd) % 4 == 0)
			sched_yield();
		atomic_fetch_sub(&race.out, 1);
		uma_zfree(race.zone, item);
		atomic_fetch_add(&race.got, 1);
	}
	return NULL;
}

START_TEST(no_item_is_lost_when_time_and_free_meet)
{
	pthread_t t[6];
	void *item[RACE_MAX];

	race.zone = page_zone("race", RACE_MAX);
	race.seed = test_seed(__func__);
	for (int i = 0; i < 6; i++)
		t[i] = thread_start(race_main, NULL);
	for (int i = 0; i < 6; i++)
		thread_join(t[i]);
	struct uma_zone_stat st = stat_of(race.zone);
	ck_assert_uint_eq(st.used, 0);
	ck_assert_uint_eq(st.allocs, (uint64_t)atomic_load(&race.got));
	ck_assert_uint_eq(st.fails, (uint64_t)atomic_load(&race.missed));
	ck_assert_int_gt(atomic_load(&race.missed), 0);
	ck_assert_int_gt(atomic_load(&race.got), 0);
	take(race.zone, item, RACE_MAX);
	refused(race.zone);
	give(race.zone, item, RACE_MAX);
	uma_zdestroy(race.zone);
}
END_TEST

/* ---- memory ---- */

START_TEST(without_memory_it_ends_as_well)
{
	uma_zone_t z = uma_zcreate("memory", (size_t)64 << 20, NULL, NULL, NULL,
	    NULL, UMA_ALIGN_PTR, 0);
	struct rlimit none;

	if (TEST_ASAN || TEST_TSAN)
		return; /* need the address space for themselves */
	ck_assert_ptr_nonnull(z);
	uma_set_warning_sink(mute_sink, NULL);
	ck_assert_int_eq(getrlimit(RLIMIT_AS, &none), 0);
	none.rlim_cur = (rlim_t)64 << 20;
	ck_assert_int_eq(setrlimit(RLIMIT_AS, &none), 0);
	/* Some of it may be reserved already. */
	for (int i = 0; i < 100; i++) {
		errno = 0;
		if (uma_zalloc_timed(z, NULL, M_WAITOK, 10 * MS) == NULL)
			break;
	}
	ck_assert_int_eq(errno, ETIMEDOUT);
	times_out(z, 150 * MS);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("timed");
	TCase *tc = tcase_create("timed");

	tcase_set_timeout(tc, TEST_TIMEOUT);
	tcase_add_test(tc, it_is_an_allocation_like_any_other);
	tcase_add_test(tc, at_the_limit_it_ends_when_its_time_is_over);
	tcase_add_test(tc, without_any_time_it_has_what_the_action_freed);
	tcase_add_test(tc, a_ctor_that_fails_is_not_a_matter_of_time);
	tcase_add_test(tc, a_free_ends_the_wait);
	tcase_add_test(tc, signals_neither_end_nor_prolong_the_wait);
	tcase_add_test(tc, whoever_leaves_the_queue_does_not_disturb_it);
	tcase_add_test(tc, it_keeps_its_place_in_the_queue);
	tcase_add_test(tc, no_item_is_lost_when_time_and_free_meet);
	tcase_add_test(tc, without_memory_it_ends_as_well);
	suite_add_tcase(s, tc);
	return s;
}

int
main(void)
{
	return test_run(suite());
}
