/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Threads: items freed by others, reclaim and creation at the same time,
 * threads that end, move between CPUs, are cancelled or get signals.
 */
#define _GNU_SOURCE 1

#include <uma/wait.h>

#include "traffic.h"

static struct traffic tr; /* a test is a process: this starts as zeroes */

static void
traffic_of(const char *test, unsigned workers, uint64_t ops)
{
	tr.workers = workers;
	tr.ops = ops;
	tr.seed = test_seed(test);
}

static unsigned
many(void)
{
	return (unsigned)uma_ncpus() * 4 < 32 ? (unsigned)uma_ncpus() * 4 : 32;
}

START_TEST(items_freed_by_other_threads_are_conserved)
{
	traffic_of(__func__, many(), LOAD(1500000));

	traffic_start(&tr);
	traffic_join(&tr);

	traffic_finish(&tr);
}
END_TEST

START_TEST(reclaim_of_every_kind_loses_nothing)
{
	traffic_of(__func__, many(), LOAD(800000));

	traffic_start(&tr);
	pthread_t one = thread_start(noise_reclaim, &tr);
	pthread_t other = thread_start(noise_reclaim, &tr);
	traffic_join(&tr);
	thread_join(one);
	thread_join(other);

	traffic_finish(&tr);
}
END_TEST

START_TEST(zones_come_and_go_beside_reclaim_and_statistics)
{
	traffic_of(__func__, 4, LOAD(800000));

	traffic_start(&tr);
	void *(*noise[])(void *) = {
	    noise_storm, noise_storm, noise_reclaim, noise_stats};
	pthread_t t[4];
	for (int i = 0; i < 4; i++)
		t[i] = thread_start(noise[i], &tr);
	traffic_join(&tr);
	for (int i = 0; i < 4; i++)
		thread_join(t[i]);

	traffic_finish(&tr);
}
END_TEST

START_TEST(threads_may_change_their_cpu_at_any_time)
{
	traffic_of(__func__, many(), LOAD(300000));
	tr.hop = true;

	traffic_start(&tr);
	pthread_t noise = thread_start(noise_reclaim, &tr);
	traffic_join(&tr);
	thread_join(noise);

	traffic_finish(&tr);
}
END_TEST

/* ---- threads that end ---- */

enum { CHURN_ITEMS = 100 };

struct churn {
	uma_zone_t zone;
	void *left[CHURN_ITEMS / 2]; /* what the thread did not free */
};

static void *
churn_main(void *arg)
{
	struct churn *c = arg;
	void *item[CHURN_ITEMS];

	for (int i = 0; i < CHURN_ITEMS; i++) {
		item[i] = uma_zalloc(c->zone, M_WAITOK);
		MUST(item[i] != NULL, "no item: errno %d", errno);
	}
	for (int i = 0; i < CHURN_ITEMS; i++)
		if (i % 2 == 0)
			uma_zfree(c->zone, item[i]);
		else
			c->left[i / 2] = item[i];
	return NULL;
}

START_TEST(nothing_stays_with_a_thread_that_has_ended)
{
	struct churn c[8];
	uma_zone_t zone = uma_zcreate("churn", 512, NULL, NULL, traffic_init,
	    traffic_fini, UMA_ALIGN_PTR, 0);

	for (int round = 0; round < LOAD(60); round++) {
		pthread_t t[8];

		for (int i = 0; i < 8; i++) {
			c[i].zone = zone;
			t[i] = thread_start(churn_main, &c[i]);
		}
		for (int i = 0; i < 8; i++)
			thread_join(t[i]);
		ck_assert_int_eq(uma_zone_get_cur(zone), 8 * CHURN_ITEMS / 2);
		for (int i = 0; i < 8; i++)
			for (int k = 0; k < CHURN_ITEMS / 2; k++)
				uma_zfree(zone, c[i].left[k]);
	}
	uma_zone_reclaim(zone, UMA_RECLAIM_DRAIN_CPU);

	struct uma_zone_stat st = stat_of(zone);
	ck_assert_uint_eq(st.used, 0);
	ck_assert_uint_eq(st.free_cached, 0);
	ck_assert_uint_eq(st.slabs, 0);
	ck_assert_uint_eq(
	    atomic_load(&traffic_inits), atomic_load(&traffic_finis));
	uma_zdestroy(zone);
}
END_TEST

static uma_zone_t tsd_zone;
static _Atomic int tsd_ran;

/* Runs while its thread ends; the item is what the thread still held. */
static void
tsd_destructor(void *item)
{
	void *fresh = uma_zalloc(tsd_zone, M_WAITOK);

	MUST(fresh != NULL && fresh != item, "bad item %p", fresh);
	memset(fresh, 0x11, 100);
	uma_zfree(tsd_zone, item);
	uma_zfree(tsd_zone, fresh);
	atomic_fetch_add(&tsd_ran, 1);
}

static void *
tsd_main(void *key)
{
	pthread_setspecific(
	    *(pthread_key_t *)key, uma_zalloc(tsd_zone, M_WAITOK));
	return NULL;
}

START_TEST(destructors_of_thread_data_may_allocate_and_free)
{
	pthread_key_t key;
	const int rounds = (int)LOAD(200);

	tsd_zone =
	    uma_zcreate("tsd", 100, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);
	ck_assert_int_eq(pthread_key_create(&key, tsd_destructor), 0);

	for (int i = 0; i < rounds; i++)
		thread_join(thread_start(tsd_main, &key));

	ck_assert_int_eq(atomic_load(&tsd_ran), rounds);
	ck_assert_int_eq(uma_zone_get_cur(tsd_zone), 0);
	ck_assert_uint_eq(stat_of(tsd_zone).allocs, 2u * (unsigned)rounds);
	uma_zdestroy(tsd_zone);
}
END_TEST

/* ---- cancellation ---- */

static struct {
	uma_zone_t zone;
	void *item; /* no local: cancelling confuses AddressSanitizer's stack */
	_Atomic int tid;
	_Atomic bool got; /* the call returned to its caller */
	_Atomic bool undone; /* the cleanup handler freed the item */
} cancel;

static void
cancel_cleanup(void *arg)
{
	(void)arg;
	uma_zfree(cancel.zone, cancel.item);
	atomic_store(&cancel.undone, true);
}

static void *
cancel_sleeper(void *arg)
{
	(void)arg;
	atomic_store(&cancel.tid, (int)syscall(SYS_gettid));
	cancel.item = uma_zalloc(cancel.zone, M_WAITOK);
	atomic_store(&cancel.got, cancel.item != NULL);
	pthread_cleanup_push(cancel_cleanup, NULL);
	for (;;)
		pause(); /* a cancellation point */
	pthread_cleanup_pop(0);
	return NULL;
}

START_TEST(a_cancelled_sleeper_first_gets_its_item)
{
	void *result = NULL;

	cancel.zone = uma_zcreate(
	    "cancel", 4096, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);
	ck_assert_int_eq(uma_zone_set_max(cancel.zone, 1), 1);
	void *item = uma_zalloc(cancel.zone, M_NOWAIT);
	pthread_t t = thread_start(cancel_sleeper, NULL);
	ck_assert(WAIT_FOR(stat_of(cancel.zone).sleeps == 1));
	ck_assert(WAIT_FOR(thread_sleeps(atomic_load(&cancel.tid))));

	ck_assert_int_eq(pthread_cancel(t), 0);
	test_sleep_ms(50);
	ck_assert_int_eq(pthread_tryjoin_np(t, NULL), EBUSY);
	uma_zfree(cancel.zone, item);
	ck_assert_int_eq(pthread_join(t, &result), 0);

	ck_assert_ptr_eq(result, PTHREAD_CANCELED);
	ck_assert(atomic_load(&cancel.got));
	ck_assert(atomic_load(&cancel.undone));
	ck_assert_int_eq(uma_zone_get_cur(cancel.zone), 0);
	item = uma_zalloc(cancel.zone, M_NOWAIT);
	ck_assert_ptr_nonnull(item);
	uma_zfree(cancel.zone, item);
	uma_zdestroy(cancel.zone);
}
END_TEST

static void
no_turn(void *arg)
{
	(void)arg;
}

static __attribute__((noinline)) void
make_every_call(void)
{
	void *item[8];
	size_t len = 0;
	struct uma_waiter w = {.opaque = {0}};
	uma_zone_t z = uma_zcreate(
	    "pending", 4096, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);
	uma_zone_set_warning(z, "provoked by a test");
	uma_prealloc(z, 4);
	uma_zone_set_max(z, 8);
	for (int i = 0; i < 8; i++)
		item[i] = uma_zalloc(z, M_WAITOK);
	/* Full: the warning goes to descriptor 2, where write() cancels. */
	MUST(uma_zalloc(z, M_NOWAIT) == NULL, "past the limit");
	MUST(uma_zalloc_timed(z, NULL, M_WAITOK, 1000000) == NULL, "the same");
	MUST(uma_zone_wait(z, &w, no_turn, NULL) == 0, "no place to wait");
	uma_zone_wait_cancel(z, &w);
	uma_zone_set_maxcache(z, 4);
	for (int i = 1; i < 8; i++)
		uma_zfree(z, item[i]);
	uma_zone_reclaim(z, UMA_RECLAIM_DRAIN_CPU);
	uma_reclaim(UMA_RECLAIM_TRIM);
	uma_stats_print(noise_text, &len, "z");
	stat_of(z);
	uma_zone_get_cur(z);
	uma_zone_exhausted(z);
	uma_zwait(z);
	uma_zdestroy(z); /* with an item out: another message */
}

static void *
cancel_every_call(void *arg)
{
	(void)arg;
	pthread_cancel(pthread_self());
	make_every_call();
	atomic_store(&cancel.got, true);
	pthread_testcancel();
	return NULL;
}

START_TEST(no_call_is_a_cancellation_point)
{
	void *result = NULL;
	int null = open("/dev/null", O_WRONLY);
	int keep = dup(2);

	ck_assert_int_eq(dup2(null, 2), 2);
	pthread_t t = thread_start(cancel_every_call, NULL);
	ck_assert_int_eq(pthread_join(t, &result), 0);
	dup2(keep, 2);

	ck_assert(atomic_load(&cancel.got));
	ck_assert_ptr_eq(result, PTHREAD_CANCELED);
	close(null);
	close(keep);
}
END_TEST

/* ---- signals ---- */

static _Atomic uint64_t signals_seen;

/* Does something, but calls nothing of the library, as the contract says. */
static void
signal_handler(int sig)
{
	(void)sig;
	atomic_fetch_add_explicit(&signals_seen, 1, memory_order_relaxed);
}

static void *
signal_sender(void *arg)
{
	struct traffic *t = arg;
	unsigned n = 0;

	while (traffic_running(t)) {
		/* Not joined before this thread is: a valid target. */
		pthread_kill(t->worker[n++ % t->workers].thread, SIGUSR1);
		usleep(150);
	}
	return NULL;
}

static void
catch_signals(void)
{
	struct sigaction sa = {.sa_handler = signal_handler};

	ck_assert_int_eq(sigaction(SIGUSR1, &sa, NULL), 0);
}

START_TEST(signals_at_kilohertz_harm_no_call)
{
	traffic_of(__func__, many(), 0);
	tr.end = test_now() + 1.5;
	catch_signals();

	traffic_start(&tr);
	pthread_t sender = thread_start(signal_sender, &tr);
	pthread_t noise = thread_start(noise_reclaim, &tr);
	thread_join(sender);
	thread_join(noise);
	traffic_join(&tr);

	/* Without signals the test would have shown nothing. */
	uint64_t seen = atomic_load(&signals_seen);
	ck_assert_uint_gt(seen, 20);
	traffic_finish(&tr);
}
END_TEST

static void *
signalled_sleeper(void *zone)
{
	atomic_store(&cancel.tid, (int)syscall(SYS_gettid));
	return uma_zalloc(zone, M_WAITOK);
}

START_TEST(signals_do_not_end_a_sleep)
{
	void *got = NULL;
	uma_zone_t zone = uma_zcreate(
	    "eintr", 4096, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);

	catch_signals();
	uma_zone_set_max(zone, 1);
	void *item = uma_zalloc(zone, M_NOWAIT);
	pthread_t t = thread_start(signalled_sleeper, zone);
	ck_assert(WAIT_FOR(stat_of(zone).sleeps == 1));
	ck_assert(WAIT_FOR(thread_sleeps(atomic_load(&cancel.tid))));

	for (int i = 0; i < 100; i++) {
		ck_assert_int_eq(pthread_kill(t, SIGUSR1), 0);
		test_sleep_ms(1);
	}
	ck_assert_int_eq(pthread_tryjoin_np(t, NULL), EBUSY);
	ck_assert_uint_eq(stat_of(zone).sleeps, 1);
	uma_zfree(zone, item);
	ck_assert_int_eq(pthread_join(t, &got), 0);

	ck_assert_ptr_nonnull(got);
	uma_zfree(zone, got);
	uma_zdestroy(zone);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("threads");
	TCase *tc = tcase_create("conservation");

	tcase_set_timeout(tc, TEST_TIMEOUT);
	tcase_add_test(tc, items_freed_by_other_threads_are_conserved);
	tcase_add_test(tc, reclaim_of_every_kind_loses_nothing);
	tcase_add_test(tc, zones_come_and_go_beside_reclaim_and_statistics);
	tcase_add_test(tc, threads_may_change_their_cpu_at_any_time);
	suite_add_tcase(s, tc);

	tc = tcase_create("ends");
	tcase_set_timeout(tc, TEST_TIMEOUT);
	tcase_add_test(tc, nothing_stays_with_a_thread_that_has_ended);
	tcase_add_test(tc, destructors_of_thread_data_may_allocate_and_free);
	tcase_add_test(tc, a_cancelled_sleeper_first_gets_its_item);
	tcase_add_test(tc, no_call_is_a_cancellation_point);
	tcase_add_test(tc, signals_at_kilohertz_harm_no_call);
	tcase_add_test(tc, signals_do_not_end_a_sleep);
	suite_add_tcase(s, tc);
	return s;
}

int
main(void)
{
	return test_run(suite());
}
