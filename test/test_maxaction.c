/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Actions of full zones: when they run, in which thread, how often, and what
 * they may do.
 */
#define _GNU_SOURCE 1

#include "children.h"
#include "sleepers.h"

static _Atomic int runs, stops; /* calls, and the sum of their pending */
static _Atomic int inside;

static void
count(uma_zone_t zone, int pending)
{
	MUST(zone != NULL && pending > 0, "pending %d", pending);
	MUST(atomic_fetch_add(&inside, 1) == 0, "two at once");
	atomic_fetch_add(&runs, 1);
	atomic_fetch_add(&stops, pending);
	atomic_fetch_sub(&inside, 1);
}

START_TEST(each_refusal_runs_it_before_it_returns)
{
	void *item[2];
	uma_zone_t z = page_zone("refuses", 2);

	uma_zone_set_maxaction(z, count);
	take(z, item, 2);
	ck_assert_int_eq(atomic_load(&runs), 0);
	for (int i = 1; i <= 100; i++) {
		refused(z);
		ck_assert_int_eq(atomic_load(&runs), i);
		ck_assert_int_eq(atomic_load(&stops), i);
	}
	ck_assert_ptr_null(uma_zalloc_domain(z, NULL, 0, M_NOWAIT));
	ck_assert_int_eq(atomic_load(&runs), 101);
	give(z, item, 2);
	take(z, item, 2);
	ck_assert_int_eq(atomic_load(&runs), 101);
	give(z, item, 2);
	uma_zdestroy(z);
}
END_TEST

START_TEST(null_takes_it_away_at_any_time)
{
	void *item[1];
	uma_zone_t z = page_zone("removed", 1);

	take(z, item, 1);
	refused(z);
	uma_zone_set_maxaction(z, count);
	ck_assert_int_eq(atomic_load(&runs), 0);
	refused(z);
	ck_assert_int_eq(atomic_load(&runs), 1);
	uma_zone_set_maxaction(z, NULL);
	refused(z);
	refused(z);
	uma_zone_set_maxaction(z, count);
	ck_assert_int_eq(atomic_load(&runs), 1);
	give(z, item, 1);
	uma_zdestroy(z);
}
END_TEST

START_TEST(items_that_other_cpus_cached_are_no_stop)
{
	void *item[32];
	uma_zone_t z = page_zone("cached", 32);

	uma_zone_set_maxaction(z, count);
	for (unsigned cpu = 0; cpu < 10; cpu++) {
		pin_to(cpu);
		take(z, item, 32);
		give(z, item, 32);
	}
	ck_assert_int_eq(atomic_load(&runs), 0);
	uma_zdestroy(z);
}
END_TEST

START_TEST(a_sleeper_runs_it_before_it_sleeps)
{
	struct sleeper s;
	void *item[1];
	uma_zone_t z = page_zone("sleeps", 1);

	uma_zone_set_maxaction(z, count);
	take(z, item, 1);
	sleeper_start(&s, z, NULL);
	ck_assert_int_eq(atomic_load(&runs), 1);
	give(z, item, 1);
	ck_assert(sleeper_back(&s));
	ck_assert_int_eq(atomic_load(&runs), 1);
	sleeper_end(&s);
	uma_zdestroy(z);
}
END_TEST

/* ---- what it may do ---- */

static void *victim;

static void
free_one(uma_zone_t zone, int pending)
{
	count(zone, pending);
	uma_zfree(zone, victim);
}

START_TEST(what_it_frees_goes_to_the_one_who_was_to_sleep)
{
	uma_zone_t z = page_zone("gives up", 1);

	uma_zone_set_maxaction(z, free_one);
	victim = uma_zalloc(z, M_WAITOK);
	for (int i = 1; i <= 50; i++) {
		victim = uma_zalloc(z, M_WAITOK);
		ck_assert_ptr_nonnull(victim);
		ck_assert_int_eq(atomic_load(&runs), i);
	}
	uma_zfree(z, victim);
	uma_zdestroy(z);
}
END_TEST

static void
raise_limit(uma_zone_t zone, int pending)
{
	count(zone, pending);
	uma_zone_set_max(zone, uma_zone_get_max(zone) + 1);
}

START_TEST(it_may_raise_the_limit)
{
	void *item[20];
	uma_zone_t z = page_zone("grows", 1);

	uma_zone_set_maxaction(z, raise_limit);
	for (int i = 0; i < 20; i++)
		item[i] = uma_zalloc(z, M_WAITOK);
	ck_assert_int_eq(uma_zone_get_max(z), 20);
	ck_assert_int_eq(atomic_load(&runs), 19);
	give(z, item, 20);
	uma_zdestroy(z);
}
END_TEST

static uma_zone_t second;

static void
use_all(uma_zone_t zone, int pending)
{
	void *item[4];

	count(zone, pending);
	ck_assert_ptr_null(uma_zalloc(zone, M_NOWAIT));
	ck_assert_int_eq(uma_zalloc_bulk(zone, item, 4, M_NOWAIT), 0);
	if (second != NULL)
		ck_assert_ptr_null(uma_zalloc(second, M_NOWAIT));
	ck_assert_uint_eq(stat_of(zone).used, 1);
	uma_zone_set_warning(zone, "full");
	uma_reclaim(UMA_RECLAIM_DRAIN_CPU);
	uma_zone_t other = page_zone("of the action", 3);
	take(other, item, 3);
	refused(other);
	give(other, item, 3);
	uma_zdestroy(other);
	errno = EXDEV;
}

START_TEST(it_may_use_any_zone_and_is_not_called_for_that)
{
	void *item[2];
	uma_zone_t z = page_zone("used", 1);

	uma_set_warning_sink(mute_sink, NULL);
	uma_zone_set_maxaction(z, use_all);
	take(z, item, 1);
	refused(z);
	ck_assert_int_eq(atomic_load(&runs), 1);
	second = page_zone("second", 1); /* its action's zone is full as well */
	take(second, item + 1, 1);
	uma_zone_set_maxaction(second, NULL);
	refused(z);
	ck_assert_int_eq(atomic_load(&runs), 2);
	give(z, item, 1);
	give(second, item + 1, 1);
	uma_zdestroy(second);
	uma_zdestroy(z);
}
END_TEST

static int saw_used;

static void
see_used(uma_zone_t zone, int pending)
{
	count(zone, pending);
	saw_used = uma_zone_get_cur(zone);
}

START_TEST(a_bulk_has_nothing_in_hand_when_it_runs)
{
	void *item[10], *many[10];
	uma_zone_t z = page_zone("bulk", 10);

	uma_zone_set_maxaction(z, see_used);
	take(z, item, 5);
	saw_used = -1;
	ck_assert_int_eq(uma_zalloc_bulk(z, many, 8, M_NOWAIT), 0);
	ck_assert_int_eq(saw_used, 5);
	ck_assert_int_eq(atomic_load(&runs), 1);
	ck_assert_int_eq(uma_zalloc_burst(z, many, 8, M_NOWAIT), 5);
	ck_assert_int_eq(atomic_load(&runs), 1);
	ck_assert_int_eq(uma_zalloc_burst(z, many + 5, 3, M_NOWAIT), 0);
	ck_assert_int_eq(atomic_load(&runs), 2);
	give(z, many, 5);
	give(z, item, 5);
	uma_zdestroy(z);
}
END_TEST

static void
destroy_it(uma_zone_t zone, int pending)
{
	(void)pending;
	uma_zdestroy(zone);
}

static void
be_refused(void *arg)
{
	(void)uma_zalloc(arg, M_NOWAIT);
}

START_TEST(an_action_that_destroys_the_zone_aborts)
{
	void *item;
	uma_zone_t z = page_zone("its own", 1);

	take(z, &item, 1);
	uma_zone_set_maxaction(z, destroy_it);
	test_expect_abort(be_refused, z,
	    "zone 'its own': destroy by a function that it called");
	give(z, &item, 1);
	uma_zdestroy(z);
}
END_TEST

/* ---- one at a time ---- */

static _Atomic bool hold;
static _Atomic int last;

static void
stay(uma_zone_t zone, int pending)
{
	count(zone, pending);
	atomic_fetch_add(&inside, 1);
	atomic_store(&last, pending);
	while (atomic_load(&hold))
		sched_yield();
	atomic_fetch_sub(&inside, 1);
}

static void *
refused_main(void *arg)
{
	ck_assert_ptr_null(uma_zalloc(arg, M_NOWAIT));
	return NULL;
}

START_TEST(stops_during_a_run_make_one_more)
{
	void *item[1];
	uma_zone_t z = page_zone("merged", 1);

	take(z, item, 1);
	uma_zone_set_maxaction(z, stay);
	atomic_store(&hold, true);
	pthread_t t = thread_start(refused_main, z);
	ck_assert(WAIT_FOR(atomic_load(&runs) == 1));
	for (int i = 0; i < 7; i++)
		refused(z); /* at once: somebody else is at it */
	ck_assert_int_eq(atomic_load(&runs), 1);
	atomic_store(&hold, false);
	thread_join(t);
	ck_assert_int_eq(atomic_load(&runs), 2);
	ck_assert_int_eq(atomic_load(&last), 7);
	give(z, item, 1);
	uma_zdestroy(z);
}
END_TEST

static void
stop_another(uma_zone_t zone, int pending)
{
	count(zone, pending);
	if (atomic_load(&runs) < 100)
		thread_join(thread_start(refused_main, zone));
}

START_TEST(after_eight_runs_a_thread_goes_its_way)
{
	void *item[1];
	uma_zone_t z = page_zone("in a row", 1);

	take(z, item, 1);
	uma_zone_set_maxaction(z, stop_another);
	refused(z);
	ck_assert_int_eq(atomic_load(&runs), 8);
	ck_assert_int_eq(atomic_load(&stops), 8);
	uma_zone_set_maxaction(z, count);
	refused(z); /* and what was left */
	ck_assert_int_eq(atomic_load(&runs), 9);
	ck_assert_int_eq(atomic_load(&stops), 10);
	give(z, item, 1);
	uma_zdestroy(z);
}
END_TEST

static void *
many_main(void *arg)
{
	for (int i = 0; i < LOAD(20000); i++)
		ck_assert_ptr_null(uma_zalloc(arg, M_NOWAIT));
	return NULL;
}

START_TEST(no_stop_is_lost_among_threads)
{
	void *item[1];
	pthread_t t[4];
	uma_zone_t z = page_zone("many", 1);

	take(z, item, 1);
	uma_zone_set_maxaction(z, count);
	for (int i = 0; i < 4; i++)
		t[i] = thread_start(many_main, z);
	for (int i = 0; i < 4; i++)
		thread_join(t[i]);
	refused(z); /* for what was left after some in a row */
	ck_assert_int_eq(atomic_load(&stops), (int)stat_of(z).fails);
	ck_assert_int_le(atomic_load(&runs), atomic_load(&stops));
	give(z, item, 1);
	uma_zdestroy(z);
}
END_TEST

/* ---- fork ---- */

static void
child_is_stopped(void *arg)
{
	int before = atomic_load(&runs);

	atomic_store(&hold, false);
	atomic_store(&inside, 0);
	CHILD_MUST(uma_zalloc(arg, M_NOWAIT) == NULL);
	CHILD_MUST(atomic_load(&runs) == before + 1);
	CHILD_MUST(atomic_load(&last) == 1); /* its own stop, no other's */
}

START_TEST(a_child_forked_during_a_run_has_runs_of_its_own)
{
	void *item[1];
	uma_zone_t z = page_zone("forked", 1);

	take(z, item, 1);
	uma_zone_set_maxaction(z, stay);
	atomic_store(&hold, true);
	pthread_t t = thread_start(refused_main, z);
	ck_assert(WAIT_FOR(atomic_load(&runs) == 1));
	refused(z);
	refused(z);
	in_child(child_is_stopped, z);
	atomic_store(&hold, false);
	thread_join(t);
	give(z, item, 1);
	uma_zdestroy(z);
}
END_TEST

static pid_t forked;

static void
forks(uma_zone_t zone, int pending)
{
	count(zone, pending);
	if (forked != 0 || (forked = fork()) != 0)
		return;
	/* In the child it is under way as it was, and not called again. */
	int before = atomic_load(&runs);
	CHILD_MUST(uma_zalloc(zone, M_NOWAIT) == NULL);
	CHILD_MUST(atomic_load(&runs) == before);
	forked = -1;
}

START_TEST(an_action_may_fork)
{
	void *item[1];
	uma_zone_t z = page_zone("forks", 1);
	int status;

	take(z, item, 1);
	uma_zone_set_maxaction(z, forks);
	(void)uma_zalloc(z, M_NOWAIT);
	if (forked == -1) { /* the child goes on here */
		int before = atomic_load(&runs);
		CHILD_MUST(uma_zalloc(z, M_NOWAIT) == NULL);
		CHILD_MUST(atomic_load(&runs) == before + 1);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(forked, &status, 0), forked);
	ck_assert_int_eq(status, 0);
	give(z, item, 1);
	uma_zdestroy(z);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("maxaction");
	TCase *tc = tcase_create("maxaction");

	tcase_set_timeout(tc, TEST_TIMEOUT);
	tcase_add_test(tc, each_refusal_runs_it_before_it_returns);
	tcase_add_test(tc, null_takes_it_away_at_any_time);
	tcase_add_test(tc, items_that_other_cpus_cached_are_no_stop);
	tcase_add_test(tc, a_sleeper_runs_it_before_it_sleeps);
	tcase_add_test(tc, what_it_frees_goes_to_the_one_who_was_to_sleep);
	tcase_add_test(tc, it_may_raise_the_limit);
	tcase_add_test(tc, it_may_use_any_zone_and_is_not_called_for_that);
	tcase_add_test(tc, a_bulk_has_nothing_in_hand_when_it_runs);
	tcase_add_test(tc, an_action_that_destroys_the_zone_aborts);
	tcase_add_test(tc, stops_during_a_run_make_one_more);
	tcase_add_test(tc, after_eight_runs_a_thread_goes_its_way);
	tcase_add_test(tc, no_stop_is_lost_among_threads);
	tcase_add_test(tc, a_child_forked_during_a_run_has_runs_of_its_own);
	tcase_add_test(tc, an_action_may_fork);
	suite_add_tcase(s, tc);
	return s;
}

int
main(void)
{
	return test_run(suite());
}
