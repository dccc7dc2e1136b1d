/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The number that water marks are compared with: at rest it is what the program
 * has, what waiters have reserved and what the CPUs' caches have, whatever was
 * called; and at any time it is no less than what a thread has.  On machines of
 * one domain and of several, which are made up.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <sched.h>
#include <uma.h>
#include <uma/reclaim.h>
#include <uma/wait.h>
#include <uma/watermark.h>

#include "machine.h"
#include "pages_int.h"
#include "threads.h"
#include "zone_int.h"

enum { THREADS = 6, HELD = 1500, OPS = 4000, ROUNDS = 6 };

static uma_zone_t zone;
static _Atomic bool failing; /* a part of all ctors and inits */

static struct worker {
	uint64_t seed;
	int n;
	struct uma_waiter wait;
	_Atomic bool over; /* a call may come late */
	void *item[HELD];
} worker[THREADS];

/* ---- hooks ---- */

static __thread uint64_t hook_seed = 1;

static int
ctor(void *item, int size, void *arg, int flags)
{
	(void)item;
	(void)size;
	(void)arg;
	(void)flags;
	return atomic_load(&failing) && test_rand(&hook_seed) % 50 == 0 ? EIO
									: 0;
}

static void
dtor(void *item, int size, void *arg)
{
	(void)item;
	(void)size;
	(void)arg;
}

static int
init(void *item, int size, int flags)
{
	(void)item;
	(void)size;
	(void)flags;
	return atomic_load(&failing) && test_rand(&hook_seed) % 500 == 0 ? EIO
									 : 0;
}

static _Atomic int calls_inside;

static void
mark(uma_zone_t z, void *arg, int level)
{
	(void)arg;
	(void)level;
	MUST(atomic_fetch_add(&calls_inside, 1) == 0, "two at once");
	uma_zfree(z, NULL);
	atomic_fetch_sub(&calls_inside, 1);
}

static void
action(uma_zone_t z, int n)
{
	(void)n;
	uma_zone_reclaim(z, UMA_RECLAIM_DRAIN_CPU);
}

static void
wait_over(void *arg)
{
	atomic_store((_Atomic bool *)arg, true);
}

/* ---- what threads do ---- */

static void
got(struct worker *w, int n)
{
	w->n += n;
	MUST(atomic_load(&zone->uz_out) >= (uint64_t)w->n, "out %llu < %d",
	    (unsigned long long)zone->uz_out, w->n);
}

static void
get_one(struct worker *w, uint64_t r)
{
	int how = M_NOWAIT | (r & 1 ? M_ZERO : 0);
	void *item = NULL;

	switch (r / 2 % 4) {
	case 0:
		item = uma_zalloc(zone, how);
		break;
	case 1:
		item = uma_zalloc_arg(zone, w, how);
		break;
	case 2:
		item = uma_zalloc_timed(zone, NULL, M_WAITOK, 20000);
		break;
	case 3:
		item = uma_zalloc_domain(
		    zone, NULL, (int)(r / 8 % (uint64_t)uma_ndomains()), how);
		break;
	}
	if (item != NULL) {
		w->item[w->n] = item;
		got(w, 1);
	}
}

static void
get_many(struct worker *w, uint64_t r)
{
	int n = (int)(r / 2 % 400) + 1;

	if (n > HELD - w->n)
		return;
	if (r & 1)
		n = uma_zalloc_bulk(zone, w->item + w->n, n, M_NOWAIT);
	else
		n = uma_zalloc_burst(zone, w->item + w->n, n, M_NOWAIT);
	got(w, n);
}

static void
put_many(struct worker *w, uint64_t r)
{
	int n = (int)(r % 400);

	n = n < w->n ? n : w->n;
	w->n -= n;
	if (r & 1024)
		uma_zfree_bulk(zone, w->item + w->n, n);
	else
		while (n > 0)
			uma_zfree(zone, w->item[w->n + --n]);
}

static void
wait_for_one(struct worker *w, uint64_t r)
{
	atomic_store(&w->over, false);
	if (uma_zone_wait(zone, &w->wait, wait_over, &w->over) != 0)
		return;
	for (int k = 0; k < 20 && !atomic_load(&w->over); k++)
		sched_yield();
	if (atomic_load(&w->over) && r & 1) {
		void *item = uma_zalloc_waited(zone, &w->wait, NULL, M_NOWAIT);
		if (item != NULL) {
			w->item[w->n] = item;
			got(w, 1);
			return;
		}
	}
	(void)uma_zone_wait_cancel(zone, &w->wait);
}

static void
steer(uint64_t r)
{
	static const int request[] = {
	    UMA_RECLAIM_DRAIN, UMA_RECLAIM_DRAIN_CPU, UMA_RECLAIM_TRIM};

	switch (r % 8) {
	case 0:
		uma_zone_reclaim(zone, request[r / 8 % 3]);
		break;
	case 1:
		uma_zone_reclaim_domain(zone, request[r / 8 % 3],
		    (int)(r / 32 % (uint64_t)uma_ndomains()));
		break;
	case 2:
		uma_zone_set_max(zone, r & 32 ? 0 : (int)(r / 64 % 4000) + 1);
		break;
	case 3:
		uma_zone_set_maxcache(
		    zone, r & 32 ? INT_MAX : (int)(r / 64 % 2000));
		break;
	case 4:
		if (r & 32)
			uma_zone_set_watermark(zone, 0, 0, NULL, NULL);
		else
			uma_zone_set_watermark(zone, (int)(r / 64 % 1000),
			    (int)(r / 64 % 1000 + r / 1000000 % 5000 + 1), mark,
			    NULL);
		break;
	case 5:
		(void)uma_reclaim_tick();
		break;
	case 6:
		reclaim_without_hooks();
		break;
	default:
		sched_yield();
	}
}

static void *
work(void *arg)
{
	struct worker *w = arg;

	hook_seed = w->seed;
	for (int k = 0; k < LOAD(OPS); k++) {
		uint64_t r = test_rand(&w->seed), more = test_rand(&w->seed);

		if (r % 256 == 0)
			steer(more);
		else if (r % 256 == 1 && w->n < HELD)
			wait_for_one(w, more);
		else if (r % 256 == 2)
			uma_zone_get_max(zone) == 0 ? uma_zwait(zone) : (void)0;
		else if (r % 256 < 130 && w->n < HELD)
			get_one(w, more);
		else if (r % 256 < 134)
			get_many(w, more);
		else if (r % 256 < 138)
			put_many(w, more);
		else if (w->n > 0)
			uma_zfree(zone, w->item[--w->n]);
	}
	return NULL;
}

/* ---- at rest ---- */

static uint64_t
items_of_cpus(void)
{
	struct cache_stat st;
	uint64_t n = 0;

	for (int k = 0; k < pages_cpu_cnt(); k++) {
		cache_stat_cpu(&zone->uz_cache, k, &st);
		n += st.cs_items;
	}
	cache_stat_rest(&zone->uz_cache, &st);
	return n + st.cs_items;
}

static void
expect_out(const char *when)
{
	uint64_t used = 0, cached = items_of_cpus();
	uint64_t reserved = atomic_load(&zone->uz_limit.l_reserved);
	uint64_t out = atomic_load(&zone->uz_out);

	for (int k = 0; k < THREADS; k++)
		used += (uint64_t)worker[k].n;
	MUST(out == used + cached + reserved,
	    "%s: out %llu, used %llu, cached %llu, reserved %llu", when,
	    (unsigned long long)out, (unsigned long long)used,
	    (unsigned long long)cached, (unsigned long long)reserved);
	struct watermark *w = &zone->uz_watermark;
	if (!atomic_load(&w->wm_on))
		return;
	MUST(cached <= atomic_load(&w->wm_room), "%llu in a room of %llu",
	    (unsigned long long)cached, (unsigned long long)w->wm_room);
	MUST(atomic_load(&w->wm_is_high) ? used + reserved > w->wm_low
					 : used + reserved < w->wm_high,
	    "%s: used %llu, low %llu, high %llu, is %s", when,
	    (unsigned long long)used, (unsigned long long)w->wm_low,
	    (unsigned long long)w->wm_high, w->wm_is_high ? "high" : "low");
}

static void
child(void)
{
	pid_t pid = fork();
	int status;

	MUST(pid >= 0, "no child");
	if (pid == 0) {
		expect_out("in the child");
		put_many(&worker[0], 300);
		get_many(&worker[0], 300);
		expect_out("later in the child");
		_exit(0);
	}
	MUST(waitpid(pid, &status, 0) == pid, "wait");
	MUST(status == 0, "the child: %#x", (unsigned)status);
}

static void
torture(uint64_t seed, uint32_t flags, bool hooks)
{
	pthread_t t[THREADS];

	uma_set_warning_sink(mute_sink, NULL);
	zone = uma_zcreate("out", 1 << (4 + seed % 6), hooks ? ctor : NULL,
	    hooks ? dtor : NULL, hooks ? init : NULL, NULL, UMA_ALIGN_PTR,
	    flags);
	ck_assert_ptr_nonnull(zone);
	uma_zone_set_maxaction(zone, action);
	for (int k = 0; k < THREADS; k++)
		worker[k].seed = seed * THREADS + (uint64_t)k;
	for (int round = 0; round < ROUNDS; round++) {
		atomic_store(&failing, hooks);
		for (int k = 0; k < THREADS; k++)
			t[k] = thread_start(work, &worker[k]);
		for (int k = 0; k < THREADS; k++)
			thread_join(t[k]);
		atomic_store(&failing, false);
		expect_out("at rest");
		child();
	}
	for (int k = 0; k < THREADS; k++) {
		uma_zfree_bulk(zone, worker[k].item, worker[k].n);
		worker[k].n = 0;
	}
	expect_out("at the end");
	uma_zdestroy(zone);
}

static void
machine(int nodes)
{
	const char *cpus[8] = {"0", "1", "", "", "", "", "", ""};
	char *root = machine_make(nodes, cpus);

	topology_set_root(root);
	ck_assert_int_eq(uma_ndomains(), nodes);
	machine_remove(root);
}

static const uint32_t kind[] = {0, UMA_ZONE_NOBUCKET, UMA_ZONE_ROUNDROBIN,
    UMA_ZONE_OFFPAGE, UMA_ZONE_MAXBUCKET, UMA_ZONE_PCPU};

START_TEST(out_is_what_is_used_and_what_the_cpus_have)
{
	static const int nodes[] = {1, 2, 4};
	uint64_t seed = test_seed("out") + (uint64_t)_i;

	machine(nodes[_i % 3]);
	torture(seed, kind[_i / 2 % 6], _i % 2 == 0);
}
END_TEST

/* ---- on the way ---- */

/* A bucket goes from the depot to the keg: nobody had it. */
START_TEST(what_goes_from_a_depot_to_the_keg_is_not_out)
{
	uma_zone_t z =
	    uma_zcreate("idle", 64, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);
	int error;
	struct bucket *b = zone_fetch_bucket(z, M_WAITOK, &error);

	ck_assert_ptr_nonnull(b);
	zone_put_bucket(z, b, PUT_FREED);
	uint64_t out = atomic_load(&z->uz_out);
	ck_assert_ptr_eq(depot_take_oldest(z), b);
	ck_assert_uint_eq(atomic_load(&z->uz_out), out);
	zone_release_idle(z, b);
	ck_assert_uint_eq(atomic_load(&z->uz_out), out);
	zone_bucket_free(z, b);
	uma_zdestroy(z);
}
END_TEST

/* A change of the size that comes late must not cost the zone its caches. */
START_TEST(no_bucket_is_larger_than_marks_leave_room_for)
{
	uma_zone_t z =
	    uma_zcreate("size", 64, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);
	int cap = 3;

	ck_assert_int_eq(
	    uma_zone_set_watermark(z, 0, 8 * pages_cpu_cnt() * cap, mark, NULL),
	    0);
	atomic_store(&z->uz_bucket_cap, BUCKET_CAP_MAX);
	struct bucket *b = zone_bucket_make(z);
	ck_assert_int_le(b->ub_cap, cap);
	zone_bucket_free(z, b);
	uma_zdestroy(z);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("out");
	TCase *tc = tcase_create("out");

	tcase_set_timeout(tc, TEST_TIMEOUT);
	tcase_add_loop_test(
	    tc, out_is_what_is_used_and_what_the_cpus_have, 0, 12);
	tcase_add_test(tc, what_goes_from_a_depot_to_the_keg_is_not_out);
	tcase_add_test(tc, no_bucket_is_larger_than_marks_leave_room_for);
	suite_add_tcase(s, tc);
	return s;
}

int
main(void)
{
	return test_run(suite());
}
