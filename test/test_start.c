/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_start.c - the first calls of a process, and who may call from where.  Each
 * test runs in a process of its own, forked before any zone was made.
 */
#include <pthread.h>
#include <stdatomic.h>

#include <uma.h>
#include <uma/stat.h>

#include "test.h"

/* ---- a sink that uses zones, from the first message on ---- */

static int lines;

static void
zone_making_sink(void *arg, const char *line, size_t len)
{
	uma_zone_t zone =
	    uma_zcreate("sink", len, NULL, NULL, NULL, NULL, UMA_ALIGN_CHAR, 0);
	void *copy = uma_zalloc(zone, M_WAITOK);

	(void)arg;
	memcpy(copy, line, len);
	uma_zfree(zone, copy);
	uma_zdestroy(zone);
	lines++;
}

START_TEST(a_sink_may_make_zones_when_the_settings_are_wrong)
{
	setenv("UMA_OPTIONS", "bogus=1,debug=what", 1);
	uma_set_warning_sink(zone_making_sink, NULL);
	uma_zone_t zone =
	    uma_zcreate("first", 16, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);

	ck_assert_ptr_nonnull(zone);
	ck_assert_int_eq(lines, 2);
	uma_zdestroy(zone);
}
END_TEST

/* ---- handlers of the program around fork, older than any zone ---- */

static uma_zone_t forked;
static atomic_int prepared;

static void
use_zone_before_fork(void)
{
	void *v[300];

	if (forked == NULL)
		return;
	for (int i = 0; i < 300; i++)
		v[i] = uma_zalloc(forked, M_WAITOK);
	for (int i = 0; i < 300; i++)
		uma_zfree(forked, v[i]);
	prepared++;
}

START_TEST(a_prepare_handler_older_than_the_zones_may_use_them)
{
	int status;

	ck_assert_int_eq(pthread_atfork(use_zone_before_fork, NULL, NULL), 0);
	forked =
	    uma_zcreate("forked", 64, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);
	pid_t pid = fork();
	if (pid == 0)
		_exit(uma_zone_get_cur(forked));
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(prepared, 1);
	uma_zdestroy(forked);
}
END_TEST

/* ---- forks while another thread makes the first zone ---- */

static atomic_bool go;

static void *
make_first_zone(void *arg)
{
	while (!go)
		;
	return uma_zcreate(arg, 64, NULL, NULL, NULL, NULL, 0, 0);
}

/* In a child: fork beside the first zone; the grandchild makes its own. */
static void
fork_beside_first_zone(void)
{
	pthread_t thread;
	void *zone;
	int status;

	pthread_create(&thread, NULL, make_first_zone, (void *)"first");
	go = true;
	pid_t pid = fork();
	if (pid == 0) {
		alarm(20); /* a hang is a failure, not the end of the test */
		zone = make_first_zone((void *)"child");
		_exit(zone == NULL || uma_zalloc(zone, M_WAITOK) == NULL);
	}
	waitpid(pid, &status, 0);
	pthread_join(thread, &zone);
	_exit(zone == NULL || status != 0);
}

START_TEST(a_fork_beside_the_first_zone_leaves_the_child_able)
{
	/* gcc's thread sanitizer cannot fork from a threaded process. */
	int rounds = TEST_TSAN ? 0 : TEST_SCALE(200);

	for (int i = 0; i < rounds; i++) {
		int status;
		pid_t pid = fork();

		if (pid == 0)
			fork_beside_first_zone();
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert_int_eq(status, 0);
	}
}
END_TEST

/* ---- a fork in the middle of a drain ---- */

static atomic_bool stop;

static void *
drain_loop(void *zone)
{
	while (!stop)
		uma_zone_reclaim(zone, UMA_RECLAIM_DRAIN_CPU);
	return NULL;
}

START_TEST(a_fork_beside_a_drain_loses_at_most_a_bucket)
{
	uma_zone_t zone = uma_zcreate(
	    "drained", 64, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);
	int rounds = TEST_TSAN ? 0 : TEST_SCALE(300);
	pthread_t thread;
	void *v[64];

	ck_assert_int_eq(uma_zone_set_max(zone, 64), 64);
	ck_assert_int_eq(pthread_create(&thread, NULL, drain_loop, zone), 0);
	for (int i = 0; i < rounds; i++) {
		int status;

		for (int k = 0; k < 64; k++)
			v[k] = uma_zalloc(zone, M_WAITOK);
		for (int k = 0; k < 64; k++)
			uma_zfree(zone, v[k]);
		pid_t pid = fork();
		if (pid == 0) {
			int got = 0;

			/* One by one: that takes what other CPUs cached, too. */
			while (uma_zalloc(zone, M_NOWAIT) != NULL)
				got++;
			/* A bucket of a limit of 64 holds 8 on 2 CPUs. */
			_exit(got < 64 - 16);
		}
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert_int_eq(status, 0);
	}
	stop = true;
	pthread_join(thread, NULL);
	uma_zdestroy(zone);
}
END_TEST

/* ---- the end of a zone ---- */

struct node {
	uma_zone_t zone;
	struct node *other;
};

/* Takes what another fini gave it with it. */
static void
node_fini(void *mem, int size)
{
	struct node *n = mem;

	(void)size;
	if (n->other != NULL)
		uma_zfree(n->zone, n->other);
	n->other = NULL;
}

START_TEST(a_fini_may_free_items_of_its_own_zone_while_it_is_destroyed)
{
	uma_zone_t zone = uma_zcreate("nodes", sizeof(struct node), NULL, NULL,
	    NULL, node_fini, UMA_ALIGN_PTR, 0);
	struct node *kept, *holder;

	lines = 0;
	uma_set_warning_sink(zone_making_sink, NULL);
	/* Two slabs, so that one fini runs while the other's item is out. */
	struct uma_zone_stat st = {.size = sizeof st};
	ck_assert_int_eq(uma_zone_stat(zone, &st), 0);
	size_t n = (size_t)st.slab_items + 1;
	static void *v[4000];
	ck_assert_uint_le(n, 4000);
	for (size_t i = 0; i < n; i++)
		v[i] = uma_zalloc(zone, M_WAITOK | M_ZERO);
	kept = v[0];
	holder = v[n - 1];
	holder->zone = zone;
	holder->other = kept;
	for (size_t i = 1; i < n; i++)
		uma_zfree(zone, v[i]);
	uma_zdestroy(zone);
	ck_assert_int_eq(lines, 0); /* no leak */
}
END_TEST

static void
destroy_twice(void *arg)
{
	uma_zone_t zone =
	    uma_zcreate("twice", 64, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);

	(void)arg;
	ck_assert_ptr_nonnull(uma_zalloc(zone, M_WAITOK));
	uma_zdestroy(zone);
	uma_zdestroy(zone);
}

START_TEST(destroying_a_zone_twice_aborts)
{
	test_expect_abort(
	    destroy_twice, NULL, "zone 'twice': destroy after destroy");
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("start");
	TCase *t = tcase_create("start");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, a_sink_may_make_zones_when_the_settings_are_wrong);
	tcase_add_test(t, a_prepare_handler_older_than_the_zones_may_use_them);
	tcase_add_test(t, a_fork_beside_the_first_zone_leaves_the_child_able);
	tcase_add_test(t, a_fork_beside_a_drain_loses_at_most_a_bucket);
	tcase_add_test(
	    t, a_fini_may_free_items_of_its_own_zone_while_it_is_destroyed);
	tcase_add_test(t, destroying_a_zone_twice_aborts);
	suite_add_tcase(s, t);
	return s;
}

int
main(void)
{
	return test_run(suite());
}
