/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_bulk.c - many items in one call; and what may lie in caches.
 */
#define _GNU_SOURCE 1 /* RUSAGE_THREAD */
#include <pthread.h>
#include <stdatomic.h>

#include <uma.h>
#include <uma/stat.h>

#include "test.h"

#define MANY 5000

static struct uma_zone_stat
stat_of(uma_zone_t zone)
{
	struct uma_zone_stat st = {.size = sizeof st};

	ck_assert_int_eq(uma_zone_stat(zone, &st), 0);
	ck_assert_uint_eq(
	    st.used + st.free_cached + st.free_slab, st.slabs * st.slab_items);
	ck_assert_uint_eq(st.allocs - st.frees, st.used);
	return st;
}

static uma_zone_t
plain_zone(size_t size)
{
	uma_zone_t zone =
	    uma_zcreate("bulk", size, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);

	ck_assert_ptr_nonnull(zone);
	return zone;
}

/* ctor fails at the call that counts down to zero. */
static int ctor_left, ctors, dtors;

static int
counting_ctor(void *mem, int size, void *arg, int flags)
{
	(void)mem;
	(void)size;
	(void)flags;
	ck_assert_ptr_null(arg);
	if (ctor_left-- == 0)
		return EILSEQ;
	ctors++;
	return 0;
}

static void
counting_dtor(void *mem, int size, void *arg)
{
	(void)mem;
	(void)size;
	ck_assert_ptr_null(arg);
	dtors++;
}

START_TEST(bulk_gives_n_different_items_for_every_n)
{
	static void *v[MANY];
	uma_zone_t zone = plain_zone(64);

	for (int n = 1; n <= MANY; n += n / 3 + 1) {
		ck_assert_int_eq(uma_zalloc_bulk(zone, v, n, M_NOWAIT), n);
		for (int i = 0; i < n; i++)
			*(int *)v[i] = i;
		for (int i = 0; i < n; i++)
			ck_assert_int_eq(*(int *)v[i], i);
		ck_assert_uint_eq(stat_of(zone).used, (unsigned)n);
		uma_zfree_bulk(zone, v, n);
		ck_assert_uint_eq(stat_of(zone).used, 0);
	}
	uma_zdestroy(zone);
}
END_TEST

START_TEST(bulk_is_all_or_nothing_at_the_limit)
{
	static void *v[MANY];
	uma_zone_t zone = plain_zone(64);
	int max = uma_zone_set_max(zone, 100);
	void *one = uma_zalloc(zone, M_NOWAIT);

	errno = 0;
	ck_assert_int_eq(uma_zalloc_bulk(zone, v, max, M_NOWAIT), 0);
	ck_assert_int_eq(errno, ENOMEM);
	ck_assert_uint_eq(stat_of(zone).used, 1);
	ck_assert_int_eq(uma_zalloc_bulk(zone, v, max - 1, M_NOWAIT), max - 1);
	uma_zfree(zone, one);
	uma_zfree_bulk(zone, v, max - 1);
	uma_zdestroy(zone);
}
END_TEST

START_TEST(bulk_above_the_limit_fails_even_if_it_may_sleep)
{
	static void *v[MANY];
	uma_zone_t zone = plain_zone(64);
	int max = uma_zone_set_max(zone, 100);

	errno = 0;
	ck_assert_int_eq(uma_zalloc_bulk(zone, v, max + 1, M_WAITOK), 0);
	ck_assert_int_eq(errno, ENOMEM);
	uma_zdestroy(zone);
}
END_TEST

START_TEST(burst_gives_what_there_is)
{
	static void *v[MANY];
	uma_zone_t zone = plain_zone(64);
	int max = uma_zone_set_max(zone, 100);

	ck_assert_int_eq(uma_zalloc_burst(zone, v, MANY, M_NOWAIT), max);
	ck_assert_uint_eq(stat_of(zone).used, (unsigned)max);
	ck_assert_int_eq(uma_zalloc_burst(zone, v + max, 1, M_NOWAIT), 0);
	ck_assert_int_eq(errno, ENOMEM);
	uma_zfree_bulk(zone, v, max);
	uma_zdestroy(zone);
}
END_TEST

START_TEST(zfree_bulk_passes_over_null)
{
	void *v[64];
	uma_zone_t zone = plain_zone(64);

	ck_assert_int_eq(uma_zalloc_bulk(zone, v, 64, M_NOWAIT), 64);
	for (int i = 0; i < 64; i += 3) {
		uma_zfree(zone, v[i]);
		v[i] = NULL;
	}
	uma_zfree_bulk(zone, v, 64);
	ck_assert_uint_eq(stat_of(zone).used, 0);
	ck_assert_int_eq(uma_zalloc_bulk(zone, v, 64, M_NOWAIT), 64);
	for (int i = 0; i < 64; i++)
		ck_assert_ptr_nonnull(v[i]);
	uma_zfree_bulk(zone, v, 64);
	uma_zdestroy(zone);
}
END_TEST

START_TEST(bad_arguments_change_nothing)
{
	void *v[4];
	uma_zone_t zone = plain_zone(64);

	ck_assert_int_eq(uma_zalloc_bulk(zone, v, -1, M_NOWAIT), 0);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_int_eq(uma_zalloc_burst(zone, NULL, 1, M_NOWAIT), 0);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_int_eq(uma_zalloc_bulk(zone, NULL, 0, M_NOWAIT), 0);
	uma_zfree_bulk(zone, NULL, 0);
	ck_assert_uint_eq(stat_of(zone).allocs, 0);
	uma_zdestroy(zone);
}
END_TEST

/* The k-th ctor of a bulk of 100 fails, for each k of the loop. */
START_TEST(a_failing_ctor_undoes_the_bulk)
{
	void *v[100];
	uma_zone_t zone = uma_zcreate("bulk", 64, counting_ctor, counting_dtor,
	    NULL, NULL, UMA_ALIGN_PTR, 0);

	ctors = dtors = 0;
	ctor_left = _i;
	errno = 0;
	ck_assert_int_eq(uma_zalloc_bulk(zone, v, 100, M_NOWAIT), 0);
	ck_assert_int_eq(errno, EILSEQ);
	ck_assert_int_eq(ctors, _i);
	ck_assert_int_eq(dtors, _i);
	struct uma_zone_stat st = stat_of(zone);
	ck_assert_uint_eq(st.allocs, 0);
	ck_assert_uint_eq(st.frees, 0);
	ck_assert_uint_eq(st.fails, 1);

	ctor_left = _i;
	ck_assert_int_eq(uma_zalloc_burst(zone, v, 100, M_NOWAIT), _i);
	ck_assert_int_eq(ctors - dtors, _i);
	ck_assert_uint_eq(stat_of(zone).used, (unsigned)_i);
	uma_zfree_bulk(zone, v, _i);
	ck_assert_int_eq(ctors, dtors);
	uma_zdestroy(zone);
}
END_TEST

START_TEST(m_zero_clears_every_item_of_a_bulk)
{
	void *v[300];
	uma_zone_t zone = plain_zone(40);
	static const char zero[40];

	ck_assert_int_eq(uma_zalloc_bulk(zone, v, 300, M_NOWAIT), 300);
	for (int i = 0; i < 300; i++)
		memset(v[i], 0xa5, 40);
	uma_zfree_bulk(zone, v, 300);
	ck_assert_int_eq(uma_zalloc_bulk(zone, v, 300, M_NOWAIT | M_ZERO), 300);
	for (int i = 0; i < 300; i++)
		ck_assert_mem_eq(v[i], zero, 40);
	uma_zfree_bulk(zone, v, 300);
	uma_zdestroy(zone);
}
END_TEST

/* ---- sleepers ---- */

struct bulker {
	uma_zone_t zone;
	int n, rounds;
	atomic_int *held;
	int max;
};

static void *
bulk_loop(void *arg)
{
	struct bulker *b = arg;
	void *v[64];

	for (int r = 0; r < b->rounds; r++) {
		if (uma_zalloc_bulk(b->zone, v, b->n, M_WAITOK) != b->n)
			return arg;
		int now = atomic_fetch_add(b->held, b->n) + b->n;
		atomic_fetch_sub(b->held, b->n);
		uma_zfree_bulk(b->zone, v, b->n);
		if (now > b->max)
			return arg;
	}
	return NULL;
}

START_TEST(bulk_sleepers_do_not_wait_for_each_other_for_ever)
{
	uma_zone_t zone = plain_zone(64);
	int max = uma_zone_set_max(zone, 64);
	atomic_int held = 0;
	pthread_t thread[8];
	struct bulker b[8];
	void *failed;

	for (int i = 0; i < 8; i++) {
		b[i] = (struct bulker){
		    zone, 33 + 4 * i, TEST_SCALE(300), &held, max};
		ck_assert_int_eq(
		    pthread_create(&thread[i], NULL, bulk_loop, &b[i]), 0);
	}
	for (int i = 0; i < 8; i++) {
		ck_assert_int_eq(pthread_join(thread[i], &failed), 0);
		ck_assert_ptr_null(failed);
	}
	ck_assert_uint_eq(stat_of(zone).used, 0);
	uma_zdestroy(zone);
}
END_TEST

struct sleeper {
	uma_zone_t zone;
	atomic_int got; /* -1: not yet */
	double cpu; /* seconds */
};

static double
thread_cpu(void)
{
	struct rusage ru;

	getrusage(RUSAGE_THREAD, &ru);
	return (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) +
	       (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e6;
}

static void *
bulk_sleep(void *arg)
{
	struct sleeper *s = arg;
	void *v[200];

	s->cpu = thread_cpu();
	int got = uma_zalloc_bulk(s->zone, v, 200, M_WAITOK);
	s->cpu = thread_cpu() - s->cpu;
	uma_zfree_bulk(s->zone, v, got);
	atomic_store(&s->got, got);
	return NULL;
}

/* 150 items are to be had all the time, and 49 more do not help. */
START_TEST(a_bulk_that_waits_costs_no_cpu_and_is_served_soon)
{
	void *v[256];
	uma_zone_t zone = plain_zone(64);
	struct sleeper s = {.zone = zone, .got = -1};
	pthread_t thread;
	int max = uma_zone_set_max(zone, 256), out = max - 150;

	ck_assert_int_eq(uma_zalloc_bulk(zone, v, out, M_NOWAIT), out);
	ck_assert_int_eq(pthread_create(&thread, NULL, bulk_sleep, &s), 0);
	usleep(1000000);
	ck_assert_int_eq(atomic_load(&s.got), -1);
	for (int i = 0; i < 49; i++)
		uma_zfree(zone, v[--out]);
	usleep(100000);
	ck_assert_int_eq(atomic_load(&s.got), -1);
	uma_zfree(zone, v[--out]);
	for (int i = 0; i < 200 && atomic_load(&s.got) < 0; i++)
		usleep(10000);
	ck_assert_int_eq(atomic_load(&s.got), 200);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	if (!TEST_ASAN && !TEST_TSAN)
		ck_assert(s.cpu < 0.1);
	ck_assert_uint_ge(stat_of(zone).sleeps, 1);
	uma_zfree_bulk(zone, v, out);
	ck_assert_uint_eq(stat_of(zone).used, 0);
	uma_zdestroy(zone);
}
END_TEST

/* ---- a hook's errno, ENOMEM too ---- */

static int init_errno, init_left;

static int
failing_init(void *mem, int size, int flags)
{
	(void)mem;
	(void)size;
	(void)flags;
	return init_left > 0 && init_left-- > 0 ? 0 : init_errno;
}

/* ENOMEM of an init is not the zone's: more would not come by waiting. */
START_TEST(a_failing_init_ends_a_bulk_that_may_sleep)
{
	static const int error[] = {ENOMEM, EILSEQ};
	void *v[64];
	uma_zone_t zone = uma_zcreate(
	    "bulk", 512, NULL, NULL, failing_init, NULL, UMA_ALIGN_PTR, 0);

	for (int limit = 0; limit <= 100; limit += 100) {
		uint64_t allocs = stat_of(zone).allocs;

		uma_zone_set_max(zone, limit);
		init_errno = error[_i];
		init_left = 0;
		errno = 0;
		ck_assert_ptr_null(uma_zalloc(zone, M_WAITOK));
		ck_assert_int_eq(errno, error[_i]);
		errno = 0;
		ck_assert_int_eq(uma_zalloc_bulk(zone, v, 64, M_WAITOK), 0);
		ck_assert_int_eq(errno, error[_i]);
		errno = 0;
		ck_assert_int_eq(uma_zalloc_burst(zone, v, 64, M_WAITOK), 0);
		ck_assert_int_eq(errno, error[_i]);
		init_left = 3;
		ck_assert_int_eq(uma_zalloc_bulk(zone, v, 64, M_WAITOK), 0);
		struct uma_zone_stat st = stat_of(zone);
		ck_assert_uint_eq(st.used, 0);
		ck_assert_uint_eq(st.allocs, allocs);
		uma_zone_reclaim(zone, UMA_RECLAIM_DRAIN_CPU);
		init_left = 3;
		int n = uma_zalloc_burst(zone, v, 64, M_WAITOK);
		ck_assert_int_ge(n, 1);
		uma_zfree_bulk(zone, v, n);
		uma_zone_reclaim(zone, UMA_RECLAIM_DRAIN_CPU);
		init_errno = 0;
		ck_assert_int_eq(uma_zalloc_bulk(zone, v, 64, M_WAITOK), 64);
		ck_assert_uint_eq(stat_of(zone).used, 64);
		uma_zfree_bulk(zone, v, 64);
		uma_zone_reclaim(zone, UMA_RECLAIM_DRAIN_CPU);
	}
	uma_zdestroy(zone);
}
END_TEST

/* ---- what a burst does to others ---- */

static int warnings;

static void
count_warnings(void *arg, const char *line, size_t len)
{
	(void)arg;
	(void)line;
	(void)len;
	warnings++;
}

START_TEST(a_burst_that_gets_something_does_not_warn)
{
	void *v[64];
	uma_zone_t zone = plain_zone(512);
	int max = uma_zone_set_max(zone, 8);

	uma_zone_set_warning(zone, "full");
	uma_set_warning_sink(count_warnings, NULL);
	warnings = 0;
	ck_assert_int_eq(max, 8);
	for (int flags = M_NOWAIT;; flags = M_WAITOK) {
		ck_assert_int_eq(uma_zalloc_burst(zone, v, 64, flags), max);
		ck_assert_int_eq(warnings, 0);
		uma_zfree_bulk(zone, v, max);
		if (flags == M_WAITOK)
			break;
	}
	ck_assert_int_eq(uma_zalloc_burst(zone, v, 64, M_NOWAIT), max);
	ck_assert_int_eq(uma_zalloc_burst(zone, v + max, 1, M_NOWAIT), 0);
	ck_assert_int_eq(warnings, 1);
	uma_zfree_bulk(zone, v, max);
	uma_set_warning_sink(NULL, NULL);
	uma_zdestroy(zone);
}
END_TEST

/* ---- what a hit may not miss ---- */

START_TEST(zfree_bulk_passes_over_null_at_every_place)
{
	void *v[16], *w[16];
	uma_zone_t zone = plain_zone(64);

	for (int n = 1; n <= 16; n++)
		for (int hole = 0; hole < n; hole++) {
			ck_assert_int_eq(
			    uma_zalloc_bulk(zone, v, n, M_NOWAIT), n);
			void *kept = v[hole];
			v[hole] = NULL;
			uma_zfree_bulk(zone, v, n);
			ck_assert_uint_eq(stat_of(zone).used, 1);
			ck_assert_int_eq(
			    uma_zalloc_bulk(zone, w, n, M_NOWAIT), n);
			for (int i = 0; i < n; i++) {
				ck_assert_ptr_nonnull(w[i]);
				ck_assert_ptr_ne(w[i], kept);
			}
			uma_zfree_bulk(zone, w, n);
			uma_zfree(zone, kept);
			ck_assert_uint_eq(stat_of(zone).used, 0);
		}
	uma_zdestroy(zone);
}
END_TEST

/* Bursts and bulks larger than what the CPU's bucket holds. */
START_TEST(a_hit_in_part_is_completed)
{
	static void *v[MANY];
	uma_zone_t zone = plain_zone(64);

	for (int have = 1; have < 40; have += 3)
		for (int want = have; want < 600; want += 97) {
			ck_assert_int_eq(
			    uma_zalloc_bulk(zone, v, have, M_NOWAIT), have);
			uma_zfree_bulk(zone, v, have);
			ck_assert_int_eq(
			    uma_zalloc_burst(zone, v, want, M_NOWAIT), want);
			for (int i = 0; i < want; i++)
				*(int *)v[i] = i;
			for (int i = 0; i < want; i++)
				ck_assert_int_eq(*(int *)v[i], i);
			ck_assert_uint_eq(stat_of(zone).used, (unsigned)want);
			uma_zfree_bulk(zone, v, want);
			ck_assert_uint_eq(stat_of(zone).used, 0);
			uma_zone_reclaim(zone, UMA_RECLAIM_DRAIN_CPU);
		}
	uma_zdestroy(zone);
}
END_TEST

/* ---- caps, in a child of its own, since settings are read once ---- */

static void
in_child(void (*fn)(void), const char *options)
{
	int status;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		setenv("UMA_OPTIONS", options, 1);
		fn();
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}

/* Free many items of two zones; _exit with what is wrong. */
static void
free_many(uint64_t zone_cap, uint64_t cap)
{
	static void *v[2][40000];
	uma_zone_t zone[2] = {plain_zone(256), plain_zone(256)};
	struct uma_zone_stat st[2];

	for (int z = 0; z < 2; z++) {
		for (int i = 0; i < 40000; i++)
			if ((v[z][i] = uma_zalloc(zone[z], M_NOWAIT)) == NULL)
				_exit(1);
		for (int i = 0; i < 40000; i++)
			uma_zfree(zone[z], v[z][i]);
	}
	for (int z = 0; z < 2; z++) {
		st[z] = stat_of(zone[z]);
		if (st[z].used != 0)
			_exit(2);
		if (st[z].free_cached * 256 > zone_cap)
			_exit(3);
	}
	if ((st[0].free_cached + st[1].free_cached) * 256 > cap)
		_exit(4);
	if (st[0].free_cached == 0 && st[1].free_cached == 0)
		_exit(5); /* capped, not off */
}

static void
free_many_1m(void)
{
	free_many(1 << 20, 512 << 20);
}

static void
free_many_64k_in_all(void)
{
	free_many(64 << 20, 64 << 10);
}

START_TEST(bytes_in_a_zones_caches_are_capped)
{
	in_child(free_many_1m, "vm.uma.zone_cache_max=1m");
}
END_TEST

START_TEST(bytes_in_all_caches_are_capped)
{
	in_child(free_many_64k_in_all, "vm.uma.cache_max=64k");
}
END_TEST

/* ---- the depot ---- */

struct hand_over {
	uma_zone_t zone;
	void *v[1000];
	pthread_barrier_t bar;
	int rounds;
};

static void *
consume(void *arg)
{
	struct hand_over *h = arg;

	for (int r = 0; r < h->rounds; r++) {
		pthread_barrier_wait(&h->bar);
		for (int i = 0; i < 1000; i++)
			uma_zfree(h->zone, h->v[i]);
		pthread_barrier_wait(&h->bar);
	}
	return NULL;
}

START_TEST(a_producer_and_a_consumer_do_not_make_the_zone_grow)
{
	static struct hand_over h;
	pthread_t thread;

	h.zone = plain_zone(64);
	h.rounds = TEST_SCALE(1000);
	pthread_barrier_init(&h.bar, NULL, 2);
	ck_assert_int_eq(pthread_create(&thread, NULL, consume, &h), 0);
	for (int r = 0; r < h.rounds; r++) {
		for (int i = 0; i < 1000; i++)
			h.v[i] = uma_zalloc(h.zone, M_NOWAIT);
		pthread_barrier_wait(&h.bar);
		pthread_barrier_wait(&h.bar);
	}
	pthread_join(thread, NULL);
	struct uma_zone_stat st = stat_of(h.zone);
	ck_assert_uint_eq(st.used, 0);
	/* 1000 items, the backlog of 512 KiB, and buckets of four CPUs. */
	ck_assert_uint_lt(st.slabs * st.slab_size, 2 << 20);
	uma_zdestroy(h.zone);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("bulk");
	TCase *t = tcase_create("bulk");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, bulk_gives_n_different_items_for_every_n);
	tcase_add_test(t, bulk_is_all_or_nothing_at_the_limit);
	tcase_add_test(t, bulk_above_the_limit_fails_even_if_it_may_sleep);
	tcase_add_test(t, burst_gives_what_there_is);
	tcase_add_test(t, zfree_bulk_passes_over_null);
	tcase_add_test(t, bad_arguments_change_nothing);
	tcase_add_loop_test(t, a_failing_ctor_undoes_the_bulk, 0, 8);
	tcase_add_test(t, m_zero_clears_every_item_of_a_bulk);
	tcase_add_test(t, bulk_sleepers_do_not_wait_for_each_other_for_ever);
	tcase_add_test(t, a_bulk_that_waits_costs_no_cpu_and_is_served_soon);
	tcase_add_loop_test(t, a_failing_init_ends_a_bulk_that_may_sleep, 0, 2);
	tcase_add_test(t, a_burst_that_gets_something_does_not_warn);
	tcase_add_test(t, zfree_bulk_passes_over_null_at_every_place);
	tcase_add_test(t, a_hit_in_part_is_completed);
	tcase_add_test(t, bytes_in_a_zones_caches_are_capped);
	tcase_add_test(t, bytes_in_all_caches_are_capped);
	tcase_add_test(t, a_producer_and_a_consumer_do_not_make_the_zone_grow);
	suite_add_tcase(s, t);
	return s;
}

int
main(void)
{
	return test_run(suite());
}
