/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Limits under load: what they cost callers who stay under them, how often the
 * caches are emptied at the edge, and limits that change on a zone in use.
 */
#define _GNU_SOURCE 1

#include <dlfcn.h>
#include <stdarg.h>

#include "sleepers.h"

/* ---- counting drains: each has the kernel restart the sequences ---- */

static _Atomic long barriers;

#if !TEST_ASAN && !TEST_TSAN
long
syscall(long number, ...)
{
	static long (*_Atomic next)(long, ...);
	long arg[6];
	va_list ap;

	va_start(ap, number);
	for (int i = 0; i < 6; i++)
		arg[i] = va_arg(ap, long);
	va_end(ap);
	if (next == NULL)
		*(void **)&next = dlsym(RTLD_NEXT, "syscall");
	if (number == SYS_membarrier)
		atomic_fetch_add(&barriers, 1);
	return next(number, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);
}
#endif

/* ---- under the limit ---- */

enum { THREADS = 64, LIMIT = 100 };

static struct {
	uma_zone_t zone;
	int ops;
	pthread_barrier_t start;
} load;

/* One item at a time, so that all together stay under the limit. */
static void *
load_main(void *arg)
{
	(void)arg;
	pthread_barrier_wait(&load.start);
	for (int i = 0; i < load.ops; i++) {
		char *item = uma_zalloc(load.zone, M_WAITOK);

		*item = 1;
		if (i % 256 == 0)
			sched_yield(); /* while it has an item */
		uma_zfree(load.zone, item);
	}
	return NULL;
}

/* Seconds that all threads together take. */
static double
load_run(uma_zone_t zone, int ops)
{
	pthread_t t[THREADS];

	load.zone = zone;
	load.ops = ops;
	pthread_barrier_init(&load.start, NULL, THREADS + 1);
	for (int i = 0; i < THREADS; i++)
		t[i] = thread_start(load_main, NULL);
	pthread_barrier_wait(&load.start);
	double start = test_now();
	for (int i = 0; i < THREADS; i++)
		thread_join(t[i]);
	double end = test_now();
	pthread_barrier_destroy(&load.start);
	return end - start;
}

START_TEST(threads_that_stay_under_a_limit_keep_their_pace)
{
	double limited = 1e9, free = 1e9;
	uma_zone_t z = page_zone("limited", LIMIT);
	uma_zone_t u = uma_zcreate(
	    "unlimited", 4096, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);

	/* The best of some, since others use this machine, too. */
	for (int round = 0; round < 10; round++) {
		double a = load_run(z, LOAD(20000)),
		       b = load_run(u, LOAD(20000));

		limited = a < limited ? a : limited;
		free = b < free ? b : free;
		if (round >= 2 && limited <= 2 * free)
			break;
	}
	printf(
	    "limited %.1f ms, unlimited %.1f ms\n", limited * 1e3, free * 1e3);
	/* A thread that lost its CPU with a bucket in hand may make one wait. */
	ck_assert_uint_le(stat_of(z).sleeps, stat_of(z).allocs / 100);
	ck_assert_uint_eq(stat_of(z).fails, 0);
	ck_assert_msg(limited <= 2 * free, "%.1f ms, without a limit %.1f ms",
	    limited * 1e3, free * 1e3);
	uma_zdestroy(u);
	uma_zdestroy(z);
}
END_TEST

START_TEST(nobody_drains_while_all_stay_under_the_limit)
{
	uma_zone_t z = page_zone("under", LIMIT);

	load_run(z, LOAD(1000));
	long before = atomic_load(&barriers);
	load_run(z, LOAD(20000));
	long drains = atomic_load(&barriers) - before;
	long ops = (long)THREADS * LOAD(20000);

	printf("%ld drains in %ld allocations\n", drains, ops);
	ck_assert_int_le(drains, ops / 1000);
	uma_zdestroy(z);
}
END_TEST

/* ---- at the edge ---- */

START_TEST(refusals_at_the_limit_are_no_storm_of_drains)
{
	void *item[LIMIT];
	uma_zone_t z = page_zone("edge", LIMIT);
	int n = LOAD(20000);

	take(z, item, LIMIT);
	long before = atomic_load(&barriers);
	for (int i = 0; i < n; i++)
		refused(z); /* there is nothing in any cache */
	ck_assert_int_le(atomic_load(&barriers) - before, 2);
	give(z, item, 1);
	before = atomic_load(&barriers);
	uma_zone_reclaim(z, UMA_RECLAIM_DRAIN_CPU);
	if (strncmp(uma_percpu_mode(), "rseq", 4) == 0)
		ck_assert_int_gt(atomic_load(&barriers), before);
	take(z, item, 1);
	/* One goes and comes: it is this CPU's, and collected by nobody. */
	before = atomic_load(&barriers);
	for (int i = 0; i < n; i++) {
		give(z, item, 1);
		take(z, item, 1);
	}
	ck_assert_int_le(atomic_load(&barriers) - before, n / 1000);
	give(z, item, LIMIT);
	uma_zdestroy(z);
}
END_TEST

static void *
edge_main(void *arg)
{
	void *item[LIMIT];

	(void)arg;
	for (int i = 0; i < load.ops; i++) {
		int n = 0;

		while (n < LIMIT / 3 &&
		       (item[n] = uma_zalloc(load.zone, M_NOWAIT)) != NULL)
			n++;
		sched_yield(); /* others meet the limit */
		give(load.zone, item, n);
	}
	return NULL;
}

START_TEST(threads_at_the_edge_drain_at_most_once_an_item_refused)
{
	pthread_t t[4];
	uma_zone_t z = page_zone("edge", LIMIT);

	load.zone = z;
	load.ops = LOAD(3000);
	long before = atomic_load(&barriers);
	for (int i = 0; i < 4; i++)
		t[i] = thread_start(edge_main, NULL);
	for (int i = 0; i < 4; i++)
		thread_join(t[i]);
	long drains = atomic_load(&barriers) - before;
	struct uma_zone_stat st = stat_of(z);
	printf("%ld drains, %llu allocations, %llu refusals\n", drains,
	    (unsigned long long)st.allocs, (unsigned long long)st.fails);
	ck_assert_int_le(drains, (long)(st.allocs / 10 + 2 * st.fails));
	ck_assert_uint_eq(st.used, 0);
	uma_zdestroy(z);
}
END_TEST

/* ---- limits that change ---- */

enum { CHANGERS = 6, HELD = 20 };

static struct {
	uma_zone_t zone;
	uint64_t seed;
	_Atomic int ids;
	_Atomic int out; /* items that callers have in hand */
	_Atomic bool stop;
} change;

static void *
change_main(void *arg)
{
	uint64_t rnd = change.seed + (uint64_t)atomic_fetch_add(&change.ids, 1);
	void *held[HELD];
	int cnt = 0;

	(void)arg;
	while (!atomic_load(&change.stop) || cnt > 0) {
		void *item = NULL;

		if (!atomic_load(&change.stop) && cnt < HELD &&
		    test_rand(&rnd) % 2 == 0)
			/* Who holds nothing may wait: no deadlock. */
			item = uma_zalloc(
			    change.zone, cnt == 0 ? M_WAITOK : M_NOWAIT);
		if (item != NULL) {
			held[cnt++] = item;
			atomic_fetch_add(&change.out, 1);
		} else if (cnt > 0) {
			atomic_fetch_sub(&change.out, 1);
			uma_zfree(change.zone, held[--cnt]);
		}
	}
	return NULL;
}

static void
change_start(pthread_t *t, const char *name)
{
	change.zone =
	    uma_zcreate(name, 4096, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);
	change.seed = test_seed(name);
	for (int i = 0; i < CHANGERS; i++)
		t[i] = thread_start(change_main, NULL);
}

/* All that are out of their slabs, whoever has them. */
static int
change_units(void)
{
	struct uma_zone_stat st = stat_of(change.zone);

	return (int)(st.used + st.free_cached);
}

/* Once the items have come down to the limit they never pass it. */
static void
change_holds(int max)
{
	double end = test_now() + 0.005;

	ck_assert_int_eq(uma_zone_set_max(change.zone, max), max);
	ck_assert_int_eq(uma_zone_get_max(change.zone), max);
	ck_assert(WAIT_FOR(change_units() <= max));
	while (test_now() < end) {
		int out = atomic_load(&change.out);

		MUST(out <= max, "%d items out of %d", out, max);
	}
}

static void
change_end(pthread_t *t)
{
	void *item[7];

	atomic_store(&change.stop, true);
	for (int i = 0; i < CHANGERS; i++)
		thread_join(t[i]);
	ck_assert_uint_eq(stat_of(change.zone).used, 0);
	ck_assert_int_eq(uma_zone_set_max(change.zone, 7), 7);
	take(change.zone, item, 7);
	refused(change.zone);
	give(change.zone, item, 7);
	uma_zdestroy(change.zone);
}

START_TEST(a_limit_set_late_on_a_busy_zone_holds)
{
	pthread_t t[CHANGERS];

	change_start(t, "late");
	ck_assert(WAIT_FOR(atomic_load(&change.out) > 20));
	change_holds(10);
	change_end(t);
}
END_TEST

START_TEST(a_limit_goes_down_and_up_on_a_busy_zone)
{
	pthread_t t[CHANGERS];

	change_start(t, "up and down");
	for (int i = 0; i < 10; i++) {
		for (int max = 64; max > 0; max /= 2)
			change_holds(max);
		for (int max = 1; max <= 64; max *= 4)
			change_holds(max);
	}
	change_end(t);
}
END_TEST

START_TEST(a_limit_cleared_on_a_busy_zone_is_none)
{
	pthread_t t[CHANGERS];

	change_start(t, "cleared");
	for (int i = 0; i < 10; i++) {
		change_holds(5);
		ck_assert_int_eq(uma_zone_set_max(change.zone, 0), 0);
		ck_assert(WAIT_FOR(atomic_load(&change.out) > 10));
	}
	change_end(t);
}
END_TEST

/* ---- a limit that changes very often ---- */

static struct {
	uma_zone_t zone;
	_Atomic bool low, stop;
	_Atomic int passed;
} often;

static void *
often_main(void *arg)
{
	void *item;

	(void)arg;
	pin_to(0);
	while (!atomic_load(&often.stop)) {
		if ((item = uma_zalloc(often.zone, M_NOWAIT)) == NULL)
			continue;
		if (atomic_load(&often.low))
			atomic_fetch_add(&often.passed, 1);
		uma_zfree(often.zone, item);
	}
	return NULL;
}

/* 256 changes, while the other thread is kept from its CPU anywhere. */
static void
often_change(void)
{
	uma_zone_set_max(often.zone, 0);
	usleep(100);
	for (int k = 0; k < 255; k++)
		uma_zone_set_max(often.zone, 1000);
	uma_zone_set_max(often.zone, 1);
	if (stat_of(often.zone).used == 1) {
		atomic_store(&often.low, true);
		usleep(60);
		atomic_store(&often.low, false);
	}
}

START_TEST(a_limit_changed_while_a_thread_was_off_its_cpu_holds)
{
	void *item;

	often.zone = uma_zcreate("often", 4096, NULL, NULL, NULL, NULL,
	    UMA_ALIGN_PTR, UMA_ZONE_NOBUCKET);
	take(often.zone, &item, 1);
	pthread_t t = thread_start(often_main, NULL);
	pin_to(0);
	for (int i = 0; i < LOAD(5000); i++)
		often_change();
	atomic_store(&often.stop, true);
	thread_join(t);
	ck_assert_int_eq(atomic_load(&often.passed), 0);
	give(often.zone, &item, 1);
	uma_zdestroy(often.zone);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("limit_load");
	TCase *tc = tcase_create("load");

	tcase_set_timeout(tc, TEST_TIMEOUT);
	tcase_add_test(tc, threads_that_stay_under_a_limit_keep_their_pace);
	tcase_add_test(tc, nobody_drains_while_all_stay_under_the_limit);
	tcase_add_test(tc, refusals_at_the_limit_are_no_storm_of_drains);
	tcase_add_test(
	    tc, threads_at_the_edge_drain_at_most_once_an_item_refused);
	tcase_add_test(tc, a_limit_set_late_on_a_busy_zone_holds);
	tcase_add_test(tc, a_limit_goes_down_and_up_on_a_busy_zone);
	tcase_add_test(tc, a_limit_cleared_on_a_busy_zone_is_none);
	tcase_add_test(
	    tc, a_limit_changed_while_a_thread_was_off_its_cpu_holds);
	suite_add_tcase(s, tc);
	return s;
}

int
main(void)
{
	return test_run(suite());
}
