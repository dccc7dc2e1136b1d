/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Water marks: when the calls come, in which order, who makes them, what they
 * may do; and the peak.
 */
#define _GNU_SOURCE 1

#include <uma/reclaim.h>
#include <uma/sysctl.h>
#include <uma/wait.h>
#include <uma/watermark.h>

#include "children.h"
#include "sleepers.h"

/* What was called, and the items in use when it was. */
struct calls {
	_Atomic int n, level;
	_Atomic int inside;
	_Atomic int used;
};

static void
note(uma_zone_t zone, void *arg, int level)
{
	struct calls *c = arg;

	MUST(atomic_fetch_add(&c->inside, 1) == 0, "two at once");
	MUST(level == (atomic_load(&c->n) % 2 == 0 ? UMA_WATERMARK_HIGH
						   : UMA_WATERMARK_LOW),
	    "call %d: level %d", atomic_load(&c->n), level);
	atomic_store(&c->level, level);
	atomic_store(&c->used, uma_zone_get_cur(zone));
	atomic_fetch_add(&c->n, 1);
	atomic_fetch_sub(&c->inside, 1);
}

static uma_zone_t
small_zone(const char *name)
{
	uma_zone_t z =
	    uma_zcreate(name, 64, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);

	ck_assert_ptr_nonnull(z);
	return z;
}

/* Marks so close that every call is exact, on any machine. */
START_TEST(close_marks_are_exact)
{
	struct calls c = {.n = 0};
	uma_zone_t z = small_zone("close");
	void *item[10];

	ck_assert_int_eq(uma_zone_set_watermark(z, 2, 6, note, &c), 0);
	for (int round = 0; round < 50; round++) {
		take(z, item, 5);
		ck_assert_int_eq(c.n, 2 * round);
		take(z, item + 5, 5);
		ck_assert_int_eq(c.n, 2 * round + 1);
		/* The sixth item is on its way to its caller. */
		ck_assert_int_eq(c.used, 6);
		give(z, item + 3, 7);
		ck_assert_int_eq(c.n, 2 * round + 1);
		give(z, item + 2, 1);
		ck_assert_int_eq(c.n, 2 * round + 2);
		ck_assert_int_eq(c.used, 2);
		give(z, item, 2);
	}
	uma_zdestroy(z);
}
END_TEST

START_TEST(marks_of_a_zone_without_buckets_are_exact)
{
	struct calls c = {.n = 0};
	uma_zone_t z = uma_zcreate("no buckets", 64, NULL, NULL, NULL, NULL,
	    UMA_ALIGN_PTR, UMA_ZONE_NOBUCKET);
	void **item = malloc(20000 * sizeof *item);

	ck_assert_int_eq(uma_zone_set_watermark(z, 100, 20000, note, &c), 0);
	take(z, item, 19999);
	ck_assert_int_eq(c.n, 0);
	take(z, item + 19999, 1);
	ck_assert_int_eq(c.n, 1);
	give(z, item + 101, 19899);
	ck_assert_int_eq(c.n, 1);
	give(z, item + 100, 1);
	ck_assert_int_eq(c.n, 2);
	ck_assert_uint_eq(uma_zone_get_peak(z), 20000);
	give(z, item, 100);
	free(item);
	uma_zdestroy(z);
}
END_TEST

#define FAR_HIGH 90000
#define FAR_LOW	 70000
#define QUARTER	 ((FAR_HIGH - FAR_LOW) / 4)

static void *far_item[100000];

START_TEST(far_marks_come_at_most_a_quarter_early_and_never_late)
{
	struct calls c = {.n = 0};
	uma_zone_t z = small_zone("far");
	int n = 0;

	ck_assert_int_eq(
	    uma_zone_set_watermark(z, FAR_LOW, FAR_HIGH, note, &c), 0);
	for (int round = 0; round < 3; round++) {
		while (c.n == 2 * round)
			far_item[n++] = uma_zalloc(z, M_WAITOK);
		ck_assert_int_le(n, FAR_HIGH);
		ck_assert_int_ge(n, FAR_HIGH - QUARTER);
		while (c.n == 2 * round + 1)
			uma_zfree(z, far_item[--n]);
		ck_assert_int_ge(n, FAR_LOW);
		ck_assert_int_le(n, FAR_LOW + QUARTER);
	}
	give(z, far_item, n);
	ck_assert_int_eq(c.n, 6);
	uma_zdestroy(z);
}
END_TEST

/* Frees on each CPU in turn, so that all of their caches fill. */
START_TEST(marks_are_reached_though_all_is_cached_elsewhere)
{
	struct calls c = {.n = 0};
	uma_zone_t z = small_zone("elsewhere");
	int cpus = cpus_usable(), high = 4000 * cpus, low = high / 2, n = 0;

	MUST(high <= 100000, "too many CPUs");
	ck_assert_int_eq(uma_zone_set_watermark(z, low, high, note, &c), 0);
	/* The depot is full of items, so the keg is not asked. */
	take(z, far_item, high - 1000);
	give(z, far_item, high - 1000);
	ck_assert_int_le(c.n, 2);
	c.n = c.n / 2 * 2;
	int before = c.n;
	for (; n < high; n++) {
		pin_to((unsigned)n);
		far_item[n] = uma_zalloc(z, M_WAITOK);
		MUST(c.n - before <= 1, "low at %d", n);
	}
	ck_assert_int_eq(c.n, before + 1);
	while (n > low) {
		pin_to((unsigned)n);
		uma_zfree(z, far_item[--n]);
	}
	ck_assert_int_eq(c.n, before + 2);
	give(z, far_item, n);
	uma_zdestroy(z);
}
END_TEST

START_TEST(between_the_marks_nothing_is_said)
{
	struct calls c = {.n = 0};
	uma_zone_t z = small_zone("between");
	void *item[64];

	ck_assert_int_eq(uma_zone_set_watermark(z, 10, 40, note, &c), 0);
	take(z, item, 20);
	for (int k = 0; k < 1000; k++) {
		take(z, item + 20, 12);
		give(z, item + 20, 12);
	}
	ck_assert_int_eq(c.n, 0);
	take(z, item + 20, 20);
	ck_assert_int_eq(c.n, 1);
	for (int k = 0; k < 1000; k++) {
		give(z, item + 20, 2);
		take(z, item + 20, 2);
	}
	ck_assert_int_eq(c.n, 1);
	give(z, item, 40);
	ck_assert_int_eq(c.n, 2);
	uma_zdestroy(z);
}
END_TEST

/* ---- arguments, changes ---- */

START_TEST(bad_marks_are_refused_and_change_nothing)
{
	struct calls c = {.n = 0};
	uma_zone_t z = small_zone("bad");
	void *item[8];
	static const int bad[][2] = {{5, 5}, {6, 5}, {-1, 5}, {0, 0}, {-5, -1}};

	ck_assert_int_eq(uma_zone_set_watermark(z, 1, 3, note, &c), 0);
	for (size_t k = 0; k < sizeof bad / sizeof bad[0]; k++) {
		errno = 0;
		ck_assert_int_eq(
		    uma_zone_set_watermark(z, bad[k][0], bad[k][1], note, NULL),
		    -1);
		ck_assert_int_eq(errno, EINVAL);
	}
	take(z, item, 3);
	ck_assert_int_eq(c.n, 1);
	give(z, item, 3);
	ck_assert_int_eq(c.n, 2);
	uma_zdestroy(z);
}
END_TEST

START_TEST(cleared_marks_say_nothing)
{
	struct calls c = {.n = 0};
	uma_zone_t z = small_zone("cleared");
	void *item[8];

	ck_assert_int_eq(uma_zone_set_watermark(z, 1, 3, note, &c), 0);
	take(z, item, 3);
	ck_assert_int_eq(uma_zone_set_watermark(z, 0, 0, NULL, NULL), 0);
	give(z, item, 3);
	take(z, item, 8);
	give(z, item, 8);
	ck_assert_int_eq(c.n, 1);
	/* Set anew they begin anew. */
	c.n = 0;
	ck_assert_int_eq(uma_zone_set_watermark(z, 1, 3, note, &c), 0);
	take(z, item, 3);
	ck_assert_int_eq(c.n, 1);
	give(z, item, 3);
	uma_zdestroy(z);
}
END_TEST

START_TEST(marks_set_on_a_zone_in_use_are_looked_at_once)
{
	struct calls c = {.n = 0};
	uma_zone_t z = small_zone("late");
	void *item[8];

	take(z, item, 8);
	ck_assert_int_eq(uma_zone_set_watermark(z, 1, 8, note, &c), 0);
	ck_assert_int_eq(c.n, 1);
	/* The same function has been told: it hears of the fall only. */
	ck_assert_int_eq(uma_zone_set_watermark(z, 2, 4, note, &c), 0);
	ck_assert_int_eq(c.n, 1);
	ck_assert_int_eq(uma_zone_set_watermark(z, 8, 12, note, &c), 0);
	ck_assert_int_eq(c.n, 2);
	/* Another has not. */
	struct calls other = {.n = 0};
	ck_assert_int_eq(uma_zone_set_watermark(z, 2, 4, note, &other), 0);
	ck_assert_int_eq(other.n, 1);
	give(z, item, 8);
	ck_assert_int_eq(other.n, 2);
	ck_assert_int_eq(c.n, 2);
	uma_zdestroy(z);
}
END_TEST

START_TEST(errno_is_kept_by_calls_that_succeed)
{
	struct calls c = {.n = 0};
	uma_zone_t z = small_zone("errno");
	void *item[4];

	ck_assert_int_eq(uma_zone_set_watermark(z, 1, 3, note, &c), 0);
	errno = 77;
	take(z, item, 4);
	give(z, item, 4);
	ck_assert_int_eq(errno, 77);
	ck_assert_int_eq(c.n, 2);
	uma_zdestroy(z);
}
END_TEST

/* ---- what fn may do ---- */

static void *held[8];
static uma_zone_t other_zone;
static int depth, most_depth;

static void
frees_all(uma_zone_t zone, void *arg, int level)
{
	note(zone, arg, level);
	most_depth = ++depth > most_depth ? depth : most_depth;
	if (level == UMA_WATERMARK_HIGH)
		give(zone, held, 3);
	depth--;
}

START_TEST(what_it_frees_itself_is_told_when_it_is_through)
{
	struct calls c = {.n = 0};
	uma_zone_t z = small_zone("frees");

	ck_assert_int_eq(uma_zone_set_watermark(z, 1, 4, frees_all, &c), 0);
	take(z, held, 3);
	void *last = uma_zalloc(z, M_WAITOK);
	ck_assert_int_eq(c.n, 2);
	ck_assert_int_eq(c.level, UMA_WATERMARK_LOW);
	ck_assert_int_eq(most_depth, 1);
	uma_zfree(z, last);
	uma_zdestroy(z);
}
END_TEST

static void
up_and_down(uma_zone_t zone, void *arg, int level)
{
	note(zone, arg, level);
	if (level == UMA_WATERMARK_HIGH)
		give(zone, held, 3);
	else
		take(zone, held, 3);
}

START_TEST(a_function_that_drives_itself_comes_to_an_end)
{
	struct calls c = {.n = 0};
	uma_zone_t z = small_zone("perpetual");

	ck_assert_int_eq(uma_zone_set_watermark(z, 1, 4, up_and_down, &c), 0);
	take(z, held, 3);
	void *last = uma_zalloc(z, M_WAITOK);
	ck_assert_int_ge(c.n, 2);
	ck_assert_int_le(c.n, 64);
	ck_assert_int_eq(uma_zone_set_watermark(z, 0, 0, NULL, NULL), 0);
	if (c.level == UMA_WATERMARK_LOW)
		give(z, held, 3);
	uma_zfree(z, last);
	uma_zdestroy(z);
}
END_TEST

static void
uses_others(uma_zone_t zone, void *arg, int level)
{
	note(zone, arg, level);
	if (level == UMA_WATERMARK_HIGH) {
		uma_zdestroy(other_zone);
		other_zone = small_zone("new");
		uma_zfree(other_zone, uma_zalloc(other_zone, M_WAITOK));
		uma_zone_set_max(zone, 100);
		uma_reclaim(UMA_RECLAIM_DRAIN_CPU);
	} else {
		ck_assert_int_eq(
		    uma_zone_set_watermark(zone, 0, 0, NULL, NULL), 0);
	}
}

START_TEST(it_may_destroy_another_zone_and_take_itself_away)
{
	struct calls c = {.n = 0};
	uma_zone_t z = small_zone("uses");
	void *item[8];

	other_zone = small_zone("other");
	ck_assert_int_eq(uma_zone_set_watermark(z, 2, 6, uses_others, &c), 0);
	take(z, item, 6);
	ck_assert_int_eq(c.n, 1);
	give(z, item, 6);
	ck_assert_int_eq(c.n, 2);
	take(z, item, 8);
	ck_assert_int_eq(c.n, 2);
	give(z, item, 8);
	uma_zdestroy(other_zone);
	uma_zdestroy(z);
}
END_TEST

/* ---- other ways to move items ---- */

static int
no_ctor(void *mem, int size, void *arg, int flags)
{
	(void)mem, (void)size, (void)flags;
	return arg != NULL ? EIO : 0;
}

START_TEST(bulk_calls_and_failing_ctors_count_as_well)
{
	struct calls c = {.n = 0};
	uma_zone_t z = uma_zcreate(
	    "bulk", 64, no_ctor, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);
	void *item[16];

	ck_assert_int_eq(uma_zone_set_watermark(z, 4, 8, note, &c), 0);
	ck_assert_int_eq(uma_zalloc_bulk(z, item, 8, M_WAITOK), 8);
	ck_assert_int_eq(c.n, 1);
	uma_zfree_bulk(z, item, 4);
	ck_assert_int_eq(c.n, 2);
	ck_assert_int_eq(uma_zalloc_burst(z, item, 3, M_WAITOK), 3);
	ck_assert_int_eq(c.n, 2);
	/* In use for as long as its ctor runs. */
	ck_assert_ptr_null(uma_zalloc_arg(z, &c, M_WAITOK));
	ck_assert_int_eq(c.n, 3);
	give(z, item, 3);
	give(z, item + 4, 4);
	ck_assert_int_eq(c.n, 4);
	uma_zdestroy(z);
}
END_TEST

static void
granted(void *arg)
{
	*(bool *)arg = true;
}

START_TEST(reserved_items_count_as_in_use)
{
	struct calls c = {.n = 0};
	uma_zone_t z = page_zone("reserved", 4);
	struct uma_waiter w;
	bool got = false;
	void *item[4];

	memset(&w, 0, sizeof w);
	ck_assert_int_eq(uma_zone_set_watermark(z, 1, 4, note, &c), 0);
	take(z, item, 3);
	ck_assert_int_eq(uma_zone_wait(z, &w, granted, &got), 0);
	ck_assert(got);
	ck_assert_int_eq(c.n, 1);
	give(z, item, 3);
	ck_assert_int_eq(c.n, 2);
	ck_assert_int_eq(uma_zone_wait_cancel(z, &w), 1);
	uma_zdestroy(z);
}
END_TEST

static uint64_t
number(const char *name)
{
	uint64_t v = 0;
	size_t len = sizeof v;

	ck_assert_msg(
	    uma_sysctlbyname(name, &v, &len, NULL, 0) == 0, "%s", name);
	return v;
}

START_TEST(sysctl_shows_marks_and_peak)
{
	struct calls c = {.n = 0};
	uma_zone_t z = small_zone("shown");
	void *item[9];

	ck_assert_uint_eq(number("vm.uma.shown.limit.high"), 0);
	ck_assert_int_eq(uma_zone_set_watermark(z, 2, 6, note, &c), 0);
	ck_assert_uint_eq(number("vm.uma.shown.limit.high"), 6);
	ck_assert_uint_eq(number("vm.uma.shown.limit.low"), 2);
	take(z, item, 9);
	give(z, item, 9);
	ck_assert_uint_eq(number("vm.uma.shown.limit.peak"), 9);
	ck_assert_int_eq(uma_zone_set_watermark(z, 0, 0, NULL, NULL), 0);
	ck_assert_uint_eq(number("vm.uma.shown.limit.high"), 0);
	uma_zdestroy(z);
}
END_TEST

START_TEST(far_marks_leave_buckets_as_they_are)
{
	struct calls c = {.n = 0};
	uma_zone_t z = small_zone("buckets");
	uint16_t before = 0, with = 0, near = 0, after = 0;
	size_t len = sizeof before;
	const char *name = "vm.uma.buckets.bucket_size";

	uma_sysctlbyname(name, &before, &len, NULL, 0);
	ck_assert_int_eq(uma_zone_set_watermark(z, 0, INT32_MAX, note, &c), 0);
	uma_sysctlbyname(name, &with, &len, NULL, 0);
	ck_assert_uint_eq(with, before);
	ck_assert_int_eq(
	    uma_zone_set_watermark(z, 0, 16 * cpus_usable(), note, &c), 0);
	uma_sysctlbyname(name, &near, &len, NULL, 0);
	ck_assert_uint_le(near, 2);
	ck_assert_int_eq(uma_zone_set_watermark(z, 0, 0, NULL, NULL), 0);
	uma_sysctlbyname(name, &after, &len, NULL, 0);
	ck_assert_uint_eq(after, before);
	uma_zdestroy(z);
}
END_TEST

START_TEST(the_peak_is_what_was_in_use_and_a_bucket_or_two)
{
	uma_zone_t z = small_zone("peak");

	ck_assert_uint_eq(uma_zone_get_peak(z), 0);
	take(z, far_item, 20000);
	give(z, far_item, 20000);
	uint64_t peak = uma_zone_get_peak(z);
	ck_assert_uint_ge(peak, 20000);
	ck_assert_uint_le(peak, 20000 + 500 * (uint64_t)cpus_usable());
	/* What lies idle in the depot, and goes back, is no use. */
	take(z, far_item, 10000);
	uma_zone_reclaim(z, UMA_RECLAIM_DRAIN_CPU);
	give(z, far_item, 10000);
	ck_assert_uint_eq(uma_zone_get_peak(z), peak);
	uma_zdestroy(z);
}
END_TEST

/* ---- threads, fork ---- */

enum { THREADS = 4, LOT = 2500 };
static uma_zone_t busy_zone;
static _Atomic bool go_on;

/* Up to a lot each and down to none: together over both marks. */
static void *
heave(void *arg)
{
	void **item = malloc(LOT * sizeof *item);
	uint64_t seed = (uint64_t)(uintptr_t)arg;
	int rounds = 0;

	while (rounds++ < 5 || atomic_load(&go_on)) {
		int n = 1 + (int)(test_rand(&seed) % LOT);

		for (int k = 0; k < n; k++)
			item[k] = uma_zalloc(busy_zone, M_WAITOK);
		give(busy_zone, item, n);
	}
	free(item);
	return NULL;
}

START_TEST(calls_alternate_under_threads_and_end_low)
{
	struct calls c = {.n = 0};
	pthread_t t[THREADS];

	busy_zone = small_zone("busy");
	atomic_store(&go_on, true);
	ck_assert_int_eq(
	    uma_zone_set_watermark(busy_zone, LOT / 2, LOT, note, &c), 0);
	for (int k = 0; k < THREADS; k++)
		t[k] = thread_start(heave, (void *)(uintptr_t)(k + 1));
	ck_assert(WAIT_FOR(atomic_load(&c.n) > 20));
	atomic_store(&go_on, false);
	for (int k = 0; k < THREADS; k++)
		thread_join(t[k]);
	ck_assert_int_eq(c.n % 2, 0);
	uma_zdestroy(busy_zone);
}
END_TEST

START_TEST(marks_change_and_go_on_a_busy_zone)
{
	struct calls c[2] = {{.n = 0}, {.n = 0}};
	pthread_t t[THREADS];
	uint64_t seed = test_seed("change");
	double end = test_now() + 1;

	busy_zone = small_zone("changing");
	atomic_store(&go_on, true);
	for (int k = 0; k < THREADS; k++)
		t[k] = thread_start(heave, (void *)(uintptr_t)(k + 1));
	for (int turn = 0; test_now() < end; turn++) {
		struct calls *mine = &c[turn % 2];
		int low = (int)(test_rand(&seed) % LOT);
		int high = low + 1 + (int)(test_rand(&seed) % LOT);

		atomic_store(&mine->n, 0);
		ck_assert_int_eq(
		    uma_zone_set_watermark(busy_zone, low, high, note, mine),
		    0);
		test_sleep_ms((long)(test_rand(&seed) % 3));
		if (turn % 5 == 0)
			ck_assert_int_eq(
			    uma_zone_set_watermark(busy_zone, 0, 0, NULL, NULL),
			    0);
		/* Once replaced, the other is not called. */
		int before = atomic_load(&c[(turn + 1) % 2].n);
		test_sleep_ms(1);
		ck_assert_int_eq(atomic_load(&c[(turn + 1) % 2].n), before);
	}
	ck_assert_int_eq(
	    uma_zone_set_watermark(busy_zone, 0, 0, NULL, NULL), 0);
	atomic_store(&go_on, false);
	for (int k = 0; k < THREADS; k++)
		thread_join(t[k]);
	ck_assert_uint_eq(stat_of(busy_zone).used, 0);
	uma_zdestroy(busy_zone);
}
END_TEST

static uma_zone_t fork_zone;
static struct calls fork_calls;

static void
child_goes_low(void *arg)
{
	void **item = arg;

	CHILD_MUST(atomic_load(&fork_calls.n) == 1);
	for (int k = 0; k < 6; k++)
		uma_zfree(fork_zone, item[k]);
	CHILD_MUST(atomic_load(&fork_calls.n) == 2);
	for (int k = 0; k < 6; k++)
		item[k] = uma_zalloc(fork_zone, M_WAITOK);
	CHILD_MUST(atomic_load(&fork_calls.n) == 3);
}

START_TEST(a_child_has_marks_and_level_of_its_own)
{
	void *item[6];

	fork_zone = small_zone("fork");
	ck_assert_int_eq(
	    uma_zone_set_watermark(fork_zone, 1, 6, note, &fork_calls), 0);
	take(fork_zone, item, 6);
	in_child(child_goes_low, item);
	ck_assert_int_eq(fork_calls.n, 1);
	give(fork_zone, item, 6);
	ck_assert_int_eq(fork_calls.n, 2);
	uma_zdestroy(fork_zone);
}
END_TEST

static _Atomic bool block;
static _Atomic int blocked;

static void
blocks(uma_zone_t zone, void *arg, int level)
{
	(void)zone, (void)arg, (void)level;
	atomic_fetch_add(&blocked, 1);
	while (atomic_load(&block))
		test_sleep_ms(1);
	atomic_fetch_sub(&blocked, 1);
}

static void *
goes_high(void *arg)
{
	take(fork_zone, arg, 6);
	return NULL;
}

static void
child_of_a_busy_runner(void *arg)
{
	struct calls c = {.n = 0};

	(void)arg;
	CHILD_MUST(uma_zone_set_watermark(fork_zone, 0, 3, note, &c) == 0);
	CHILD_MUST(c.n == 1);
}

START_TEST(setting_waits_for_who_calls_and_a_child_does_not)
{
	void *item[6];

	fork_zone = small_zone("runner");
	atomic_store(&block, true);
	ck_assert_int_eq(
	    uma_zone_set_watermark(fork_zone, 1, 6, blocks, NULL), 0);
	pthread_t t = thread_start(goes_high, item);
	ck_assert(WAIT_FOR(atomic_load(&blocked) == 1));
	in_child(child_of_a_busy_runner, NULL);
	/* Others go on meanwhile. */
	void *mine = uma_zalloc(fork_zone, M_WAITOK);
	uma_zfree(fork_zone, mine);
	atomic_store(&block, false);
	ck_assert_int_eq(
	    uma_zone_set_watermark(fork_zone, 0, 0, NULL, NULL), 0);
	ck_assert_int_eq(atomic_load(&blocked), 0);
	thread_join(t);
	give(fork_zone, item, 6);
	uma_zdestroy(fork_zone);
}
END_TEST

/* What the function itself does there, in parent and child, is not nested. */
static void
forks(uma_zone_t zone, void *arg, int level)
{
	int n = ++*(int *)arg, status;
	pid_t pid = n == 1 ? fork() : -1;

	MUST(level == (n == 1 ? UMA_WATERMARK_HIGH : UMA_WATERMARK_LOW),
	    "call %d: level %d", n, level);
	if (n != 1)
		return;
	uma_zfree(zone, uma_zalloc(zone, M_WAITOK));
	give(zone, far_item, 5);
	if (pid == 0)
		_exit(*(int *)arg == 1 ? 0 : 1);
	MUST(waitpid(pid, &status, 0) == pid && status == 0, "the child: %#x",
	    (unsigned)status);
}

START_TEST(a_child_is_in_the_call_that_forked_it)
{
	uma_zone_t z = small_zone("forks");
	int n = 0;

	ck_assert_int_eq(uma_zone_set_watermark(z, 1, 6, forks, &n), 0);
	take(z, far_item, 5);
	void *sixth = uma_zalloc(z, M_WAITOK);
	ck_assert_int_eq(n, 2);
	uma_zfree(z, sixth);
	uma_zdestroy(z);
}
END_TEST

static void
destroys_its_own(uma_zone_t zone, void *arg, int level)
{
	(void)arg;
	if (level == UMA_WATERMARK_LOW)
		uma_zdestroy(zone);
}

static void
go_high_and_low(void *arg)
{
	void *item[2];

	take(arg, item, 2);
	give(arg, item, 2);
}

START_TEST(a_function_that_destroys_the_zone_aborts)
{
	uma_zone_t z = small_zone("its own");

	ck_assert_int_eq(
	    uma_zone_set_watermark(z, 0, 2, destroys_its_own, NULL), 0);
	test_expect_abort(go_high_and_low, z,
	    "zone 'its own': destroy by a function that it called");
	uma_zdestroy(z);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("watermark");
	TCase *tc = tcase_create("watermark");

	tcase_set_timeout(tc, TEST_TIMEOUT);
	tcase_add_test(tc, close_marks_are_exact);
	tcase_add_test(tc, marks_of_a_zone_without_buckets_are_exact);
	tcase_add_test(
	    tc, far_marks_come_at_most_a_quarter_early_and_never_late);
	tcase_add_test(tc, marks_are_reached_though_all_is_cached_elsewhere);
	tcase_add_test(tc, between_the_marks_nothing_is_said);
	tcase_add_test(tc, bad_marks_are_refused_and_change_nothing);
	tcase_add_test(tc, cleared_marks_say_nothing);
	tcase_add_test(tc, marks_set_on_a_zone_in_use_are_looked_at_once);
	tcase_add_test(tc, errno_is_kept_by_calls_that_succeed);
	tcase_add_test(tc, what_it_frees_itself_is_told_when_it_is_through);
	tcase_add_test(tc, a_function_that_drives_itself_comes_to_an_end);
	tcase_add_test(tc, it_may_destroy_another_zone_and_take_itself_away);
	tcase_add_test(tc, bulk_calls_and_failing_ctors_count_as_well);
	tcase_add_test(tc, reserved_items_count_as_in_use);
	tcase_add_test(tc, sysctl_shows_marks_and_peak);
	tcase_add_test(tc, far_marks_leave_buckets_as_they_are);
	tcase_add_test(tc, the_peak_is_what_was_in_use_and_a_bucket_or_two);
	tcase_add_test(tc, calls_alternate_under_threads_and_end_low);
	tcase_add_test(tc, marks_change_and_go_on_a_busy_zone);
	tcase_add_test(tc, a_child_has_marks_and_level_of_its_own);
	tcase_add_test(tc, setting_waits_for_who_calls_and_a_child_does_not);
	tcase_add_test(tc, a_child_is_in_the_call_that_forked_it);
	tcase_add_test(tc, a_function_that_destroys_the_zone_aborts);
	suite_add_tcase(s, tc);
	return test_run(s);
}
