/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Waiting at a limit without sleeping: a call when it is one's turn, an item
 * that is reserved until it is taken or given up.
 */
#define _GNU_SOURCE 1

#include <uma/wait.h>

#include "children.h"
#include "sleepers.h"

/* A waiter of the tests, and what its function saw. */
struct client {
	struct uma_waiter w;
	uma_zone_t zone;
	_Atomic int calls;
	_Atomic int turn; /* 1 for the first that was called */
	int tid;
	void *item;
};

static _Atomic int turns;

static void
on_turn(void *arg)
{
	struct client *c = arg;

	c->tid = (int)syscall(SYS_gettid);
	atomic_store(&c->turn, atomic_fetch_add(&turns, 1) + 1);
	atomic_fetch_add(&c->calls, 1);
}

static void
queue(struct client *c, uma_zone_t zone)
{
	*c = (struct client){.zone = zone};
	ck_assert_int_eq(uma_zone_wait(zone, &c->w, on_turn, c), 0);
}

static void
collect(struct client *c)
{
	ck_assert_int_eq(atomic_load(&c->calls), 1);
	c->item = uma_zalloc_waited(c->zone, &c->w, NULL, M_NOWAIT);
	ck_assert_ptr_nonnull(c->item);
}

START_TEST(a_free_calls_the_one_who_waits)
{
	uma_zone_t z = page_zone("waited", 2);
	struct client c;
	void *item[2];

	take(z, item, 2);
	queue(&c, z);
	ck_assert_int_eq(atomic_load(&c.calls), 0);
	ck_assert_int_eq(uma_zone_exhausted(z), 1);
	errno = 0;
	ck_assert_ptr_null(uma_zalloc_waited(z, &c.w, NULL, M_NOWAIT));
	ck_assert_int_eq(errno, EAGAIN);
	give(z, item, 1);
	ck_assert_int_eq(atomic_load(&c.calls), 1);
	ck_assert_int_eq(c.tid, (int)syscall(SYS_gettid));
	/* Reserved: neither used, nor to be had by others. */
	ck_assert_uint_eq(stat_of(z).used, 1);
	ck_assert_int_eq(uma_zone_exhausted(z), 1);
	refused(z);
	collect(&c);
	ck_assert_uint_eq(stat_of(z).used, 2);
	errno = 0;
	ck_assert_ptr_null(uma_zalloc_waited(z, &c.w, NULL, M_NOWAIT));
	ck_assert_int_eq(errno, EAGAIN);
	give(z, item + 1, 1);
	give(z, &c.item, 1);
	ck_assert_int_eq(atomic_load(&c.calls), 1);
	ck_assert_uint_eq(stat_of(z).used, 0);
	ck_assert_uint_eq(stat_of(z).allocs, 3);
	uma_zdestroy(z);
}
END_TEST

START_TEST(with_room_it_is_called_at_once)
{
	uma_zone_t z = page_zone("room", 1);
	struct client c;
	void *item;

	queue(&c, z);
	refused(z);
	collect(&c);
	uma_zfree(z, c.item);
	uma_zone_set_max(z, 0);
	queue(&c, z);
	collect(&c);
	item = c.item;
	uma_zone_set_max(z, 1);
	queue(&c, z);
	ck_assert_int_eq(atomic_load(&c.calls), 0);
	uma_zone_set_max(z, 2); /* a raised limit is room as well */
	collect(&c);
	uma_zfree(z, c.item);
	uma_zfree(z, item);
	ck_assert_uint_eq(stat_of(z).used, 0);
	uma_zdestroy(z);
}
END_TEST

static int actions;

static void
on_full(uma_zone_t zone, int pending)
{
	(void)zone;
	actions += pending;
}

START_TEST(who_queues_warns_and_runs_the_action_once)
{
	static struct said said = SAID_INITIALIZER;
	uma_zone_t z = page_zone("full", 1);
	struct client a, b;

	uma_set_warning_sink(said_sink, &said);
	uma_zone_set_warning(z, "none left");
	uma_zone_set_maxaction(z, on_full);
	queue(&a, z);
	ck_assert_int_eq(said_lines(&said), 0);
	ck_assert_int_eq(actions, 0);
	queue(&b, z);
	ck_assert_int_eq(said_lines(&said), 1);
	ck_assert_str_eq(said.last, "[zone: full] none left\n");
	ck_assert_int_eq(actions, 1);
	uma_zone_wait_cancel(z, &a.w);
	uma_zone_wait_cancel(z, &b.w);
	ck_assert_int_eq(actions, 1);
	uma_set_warning_sink(NULL, NULL);
	uma_zdestroy(z);
}
END_TEST

START_TEST(items_cached_elsewhere_are_room)
{
	uma_zone_t z = page_zone("cached", 16);
	struct client c;
	void *item[16];

	for (unsigned cpu = 0; cpu < 8; cpu++) {
		pin_to(cpu);
		take(z, item, 16);
		give(z, item, 16);
		pin_to(cpu + 1);
		queue(&c, z);
		collect(&c);
		uma_zfree(z, c.item);
	}
	uma_zdestroy(z);
}
END_TEST

START_TEST(bad_calls_are_refused)
{
	uma_zone_t z = page_zone("bad", 1);
	struct client c;
	void *item;

	take(z, &item, 1);
	queue(&c, z);
	errno = 0;
	ck_assert_int_eq(uma_zone_wait(z, &c.w, on_turn, &c), -1);
	ck_assert_int_eq(errno, EBUSY);
	uma_zfree(z, item);
	errno = 0;
	ck_assert_int_eq(uma_zone_wait(z, &c.w, on_turn, &c), -1);
	ck_assert_int_eq(errno, EBUSY);
	ck_assert_int_eq(uma_zone_wait_cancel(z, &c.w), 1);
	errno = 0;
	ck_assert_int_eq(uma_zone_wait(z, &c.w, NULL, &c), -1);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_int_eq(uma_zone_wait_cancel(z, &c.w), 0);
	take(z, &item, 1);
	give(z, &item, 1);
	uma_zdestroy(z);
}
END_TEST

/* ---- the queue ---- */

START_TEST(waiters_and_sleepers_are_served_in_order)
{
	uma_zone_t z = page_zone("order", 1);
	struct client a, b;
	struct sleeper s;
	void *item;

	take(z, &item, 1);
	queue(&a, z);
	sleeper_start(&s, z, NULL);
	queue(&b, z);
	uma_zfree(z, item);
	collect(&a);
	ck_assert_int_eq(atomic_load(&s.place), 0);
	uma_zfree(z, a.item);
	ck_assert(sleeper_back(&s));
	ck_assert_int_eq(atomic_load(&b.calls), 0);
	sleeper_end(&s);
	collect(&b);
	uma_zfree(z, b.item);
	uma_zdestroy(z);
}
END_TEST

START_TEST(many_are_served_by_one_call_in_order)
{
	enum { N = 100 };
	static struct client c[N];
	uma_zone_t z = page_zone("many", 1);
	void *item;

	take(z, &item, 1);
	for (int i = 0; i < N; i++)
		queue(&c[i], z);
	uma_zone_set_max(z, 1 + N / 2);
	for (int i = 0; i < N; i++)
		ck_assert_int_eq(
		    atomic_load(&c[i].turn), i < N / 2 ? i + 1 : 0);
	uma_zone_set_max(z, 0);
	for (int i = 0; i < N; i++) {
		ck_assert_int_eq(atomic_load(&c[i].turn), i + 1);
		collect(&c[i]);
		uma_zfree(z, c[i].item);
	}
	uma_zfree(z, item);
	ck_assert_uint_eq(stat_of(z).used, 0);
	uma_zdestroy(z);
}
END_TEST

START_TEST(a_cancelled_waiter_is_not_called_and_blocks_nobody)
{
	uma_zone_t z = page_zone("cancel", 1);
	struct client a, b;
	struct sleeper s;
	void *item;

	take(z, &item, 1);
	queue(&a, z);
	sleeper_start(&s, z, NULL);
	queue(&b, z);
	ck_assert_int_eq(uma_zone_wait_cancel(z, &a.w), 0);
	uma_zfree(z, item);
	ck_assert(sleeper_back(&s));
	sleeper_end(&s);
	/* A reservation that is given up goes to the next. */
	ck_assert_int_eq(atomic_load(&b.calls), 1);
	queue(&a, z);
	ck_assert_int_eq(atomic_load(&a.calls), 0);
	ck_assert_int_eq(uma_zone_wait_cancel(z, &b.w), 1);
	collect(&a);
	uma_zfree(z, a.item);
	ck_assert_uint_eq(stat_of(z).used, 0);
	take(z, &item, 1);
	give(z, &item, 1);
	uma_zdestroy(z);
}
END_TEST

START_TEST(the_queue_has_an_end_and_those_in_it_are_served)
{
	enum { N = 200000 };
	static struct uma_waiter w[N];
	static struct client one;
	uma_zone_t z = page_zone("queue", 1);
	int n = 0;
	void *item;

	take(z, &item, 1);
	errno = 0;
	while (n < N && uma_zone_wait(z, &w[n], on_turn, &one) == 0)
		n++;
	ck_assert_int_gt(n, 100000);
	ck_assert_int_lt(n, N);
	ck_assert_int_eq(errno, EAGAIN);
	/* Refused, it may try again, when another has left. */
	ck_assert_int_eq(uma_zone_wait_cancel(z, &w[0]), 0);
	ck_assert_int_eq(uma_zone_wait(z, &w[n], on_turn, &one), 0);
	uma_zone_set_max(z, 0);
	ck_assert_int_eq(atomic_load(&one.calls), n);
	uma_zfree(z, item);
	for (int i = 1; i <= n; i++)
		ck_assert_int_eq(uma_zone_wait_cancel(z, &w[i]), 1);
	ck_assert_uint_eq(stat_of(z).used, 0);
	uma_zdestroy(z);
}
END_TEST

/* ---- what the function may do ---- */

static int depth, deepest, served;

/* Takes, frees, and, if the client has no item, waits again, many times. */
static void
use_at_once(void *arg)
{
	struct client *c = arg;

	deepest = ++depth > deepest ? depth : deepest;
	void *item = uma_zalloc_waited(c->zone, &c->w, NULL, M_NOWAIT);
	ck_assert_ptr_nonnull(item);
	uma_zfree(c->zone, item);
	served++;
	if (c->item == NULL && served < 1000)
		ck_assert_int_eq(
		    uma_zone_wait(c->zone, &c->w, use_at_once, c), 0);
	errno = EXDEV;
	depth--;
}

START_TEST(a_long_queue_is_no_deep_stack)
{
	enum { N = 5000 };
	static struct client c[N];
	uma_zone_t z = page_zone("deep", 1);
	void *item;

	take(z, &item, 1);
	for (int i = 0; i < N; i++) {
		c[i] = (struct client){.zone = z, .item = item};
		ck_assert_int_eq(
		    uma_zone_wait(z, &c[i].w, use_at_once, &c[i]), 0);
	}
	errno = 0;
	uma_zfree(z, item);
	ck_assert_int_eq(errno, 0);
	ck_assert_int_eq(served, N);
	ck_assert_int_eq(deepest, 1);
	ck_assert_uint_eq(stat_of(z).used, 0);
	uma_zdestroy(z);
}
END_TEST

START_TEST(a_function_may_wait_again)
{
	struct client c = {.zone = page_zone("again", 3)};

	errno = 0;
	ck_assert_int_eq(uma_zone_wait(c.zone, &c.w, use_at_once, &c), 0);
	ck_assert_int_eq(errno, 0);
	ck_assert_int_eq(served, 1000);
	ck_assert_int_eq(deepest, 1);
	ck_assert_int_eq(uma_zone_wait_cancel(c.zone, &c.w), 0);
	uma_zdestroy(c.zone);
}
END_TEST

static int ctor_result;

static int
some_ctor(void *mem, int size, void *arg, int flags)
{
	(void)mem, (void)size, (void)flags;
	return arg != NULL ? 0 : ctor_result;
}

START_TEST(an_allocation_that_fails_keeps_its_reservation)
{
	uma_zone_t z = uma_zcreate(
	    "ctor", 4096, some_ctor, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);
	struct client c;
	int yes;

	uma_zone_set_max(z, 1);
	queue(&c, z);
	ctor_result = EBADF;
	errno = 0;
	ck_assert_ptr_null(uma_zalloc_waited(z, &c.w, NULL, M_WAITOK));
	ck_assert_int_eq(errno, EBADF);
	ck_assert_uint_eq(stat_of(z).fails, 1);
	ck_assert_uint_eq(stat_of(z).used, 0);
	ck_assert_int_eq(uma_zone_exhausted(z), 1);
	void *item = uma_zalloc_waited(z, &c.w, &yes, M_WAITOK | M_ZERO);
	ck_assert_ptr_nonnull(item);
	ck_assert_uint_eq(stat_of(z).used, 1);
	uma_zfree(z, item);
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

START_TEST(an_allocation_that_succeeds_keeps_errno)
{
	uma_zone_t z = uma_zcreate(
	    "late", (size_t)1 << 30, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);
	struct rlimit some, none;
	struct client c;

	if (TEST_ASAN || TEST_TSAN)
		return; /* need the address space for themselves */
	uma_set_warning_sink(mute_sink, NULL);
	ck_assert_int_eq(getrlimit(RLIMIT_AS, &some), 0);
	none = some;
	none.rlim_cur = (rlim_t)64 << 20;
	queue(&c, z);
	pthread_t t = thread_start(lift_main, &some);
	ck_assert_int_eq(setrlimit(RLIMIT_AS, &none), 0);
	errno = 0;
	ck_assert_ptr_null(uma_zalloc_waited(z, &c.w, NULL, M_NOWAIT));
	ck_assert_int_eq(errno, ENOMEM);
	errno = 0;
	c.item = uma_zalloc_waited(z, &c.w, NULL, M_WAITOK);
	ck_assert_ptr_nonnull(c.item);
	ck_assert_int_eq(errno, 0);
	thread_join(t);
	uma_zfree(z, c.item);
	uma_zdestroy(z);
}
END_TEST

/* ---- what it must not do ---- */

static void
destroy_own_zone(void *arg)
{
	uma_zdestroy(arg);
}

static void
wait_and_destroy(void *arg)
{
	struct client c = {.zone = arg};

	uma_zone_wait(c.zone, &c.w, destroy_own_zone, c.zone);
}

START_TEST(a_function_that_destroys_the_zone_aborts)
{
	uma_zone_t z = page_zone("its own", 1);

	test_expect_abort(wait_and_destroy, z,
	    "zone 'its own': destroy by a function that it called");
	uma_zdestroy(z);
}
END_TEST

static uma_zone_t elsewhere;

/* All in the child: those who wait in its parent do not in it. */
static void
stray_call(uma_zone_t z, bool full, bool cancel)
{
	struct client c = {.zone = z};

	if (full)
		(void)uma_zalloc(z, M_NOWAIT);
	(void)uma_zone_wait(z, &c.w, on_turn, &c);
	if (cancel)
		uma_zone_wait_cancel(elsewhere, &c.w);
	else
		(void)uma_zalloc_waited(elsewhere, &c.w, NULL, M_NOWAIT);
}

static void
queued_cancels(void *arg)
{
	stray_call(arg, true, true);
}

static void
queued_allocates(void *arg)
{
	stray_call(arg, true, false);
}

static void
granted_cancels(void *arg)
{
	stray_call(arg, false, true);
}

static void
granted_allocates(void *arg)
{
	stray_call(arg, false, false);
}

START_TEST(a_waiter_of_another_zone_aborts)
{
	uma_zone_t z = page_zone("this", 1);
	static const char *const text = "zone 'that': waiter of another zone";
	struct client c;

	elsewhere = page_zone("that", 1);
	test_expect_abort(queued_cancels, z, text);
	test_expect_abort(queued_allocates, z, text);
	test_expect_abort(granted_cancels, z, text);
	test_expect_abort(granted_allocates, z, text);
	/* Who waits for none may wait for any. */
	queue(&c, z);
	ck_assert_int_eq(uma_zone_wait_cancel(z, &c.w), 1);
	ck_assert_int_eq(uma_zone_wait_cancel(elsewhere, &c.w), 0);
	ck_assert_int_eq(uma_zone_wait(elsewhere, &c.w, on_turn, &c), 0);
	ck_assert_int_eq(uma_zone_wait_cancel(elsewhere, &c.w), 1);
	uma_zdestroy(elsewhere);
	uma_zdestroy(z);
}
END_TEST

/* ---- the end of a zone, and fork ---- */

START_TEST(destroying_the_zone_forgets_who_waits)
{
	static struct said said = SAID_INITIALIZER;
	uma_zone_t z = page_zone("ends", 1);
	struct client granted, queued;

	uma_set_warning_sink(said_sink, &said);
	queue(&granted, z);
	queue(&queued, z);
	uma_zdestroy(z);
	ck_assert_int_eq(atomic_load(&granted.calls), 1);
	ck_assert_int_eq(atomic_load(&queued.calls), 0);
	ck_assert_int_eq(said_lines(&said), 0);
	/* Who was only queued may wait again, elsewhere. */
	z = page_zone("next", 1);
	ck_assert_int_eq(uma_zone_wait(z, &queued.w, on_turn, &queued), 0);
	ck_assert_int_eq(atomic_load(&queued.calls), 1);
	ck_assert_int_eq(uma_zone_wait_cancel(z, &queued.w), 1);
	uma_zdestroy(z);
}
END_TEST

static void
child_waits(void *arg)
{
	struct client *c = arg; /* queued, granted */
	struct client mine = {.zone = c->zone};
	void *item;

	CHILD_MUST(uma_zone_wait_cancel(c->zone, &c[0].w) == 0);
	CHILD_MUST(uma_zone_wait(c->zone, &mine.w, on_turn, &mine) == 0);
	CHILD_MUST(atomic_load(&mine.calls) == 0);
	item = uma_zalloc_waited(c->zone, &c[1].w, NULL, M_NOWAIT);
	CHILD_MUST(item != NULL);
	uma_zfree(c->zone, item);
	CHILD_MUST(atomic_load(&c[0].calls) == 0);
	CHILD_MUST(atomic_load(&mine.calls) == 1);
	CHILD_MUST(uma_zone_wait_cancel(c->zone, &mine.w) == 1);
	CHILD_MUST(uma_zone_wait(c->zone, &c[0].w, on_turn, &c[0]) == 0);
	CHILD_MUST(atomic_load(&c[0].calls) == 1);
}

START_TEST(a_child_has_the_reservations_and_nobody_who_waits)
{
	uma_zone_t z = page_zone("forked", 1);
	struct client c[2];

	queue(&c[1], z);
	queue(&c[0], z);
	in_child(child_waits, c);
	ck_assert_int_eq(atomic_load(&c[0].calls), 0);
	collect(&c[1]);
	uma_zfree(z, c[1].item);
	collect(&c[0]);
	uma_zfree(z, c[0].item);
	uma_zdestroy(z);
}
END_TEST

static pid_t forked = -1;

static void
fork_and_note(void *arg)
{
	if (forked == -1)
		forked = fork();
	on_turn(arg);
}

START_TEST(a_function_may_fork_and_both_go_on)
{
	uma_zone_t z = page_zone("forks", 1);
	struct client c[3];
	void *item;
	int status;

	take(z, &item, 1);
	for (int i = 0; i < 3; i++) {
		c[i] = (struct client){.zone = z};
		ck_assert_int_eq(
		    uma_zone_wait(z, &c[i].w, fork_and_note, &c[i]), 0);
	}
	uma_zone_set_max(z, 4);
	if (forked == 0) {
		for (int i = 0; i < 3; i++) {
			CHILD_MUST(atomic_load(&c[i].calls) == 1);
			CHILD_MUST(uma_zone_wait_cancel(z, &c[i].w) == 1);
		}
		CHILD_MUST(stat_of(z).used == 1);
		_exit(0);
	}
	for (int i = 0; i < 3; i++) {
		collect(&c[i]);
		uma_zfree(z, c[i].item);
	}
	uma_zfree(z, item);
	ck_assert_int_eq(waitpid(forked, &status, 0), forked);
	ck_assert_int_eq(status, 0);
	uma_zdestroy(z);
}
END_TEST

/* ---- all at once ---- */

enum { RACE_MAX = 3, RACE_THREADS = 6 };

static struct {
	uma_zone_t zone;
	uint64_t seed;
	_Atomic int ids;
	_Atomic int out;
} race;

static void
race_use(void *item)
{
	MUST(item != NULL, "no item: %d", errno);
	int out = atomic_fetch_add(&race.out, 1) + 1;
	MUST(out <= RACE_MAX, "%d items out", out);
	sched_yield();
	atomic_fetch_sub(&race.out, 1);
	uma_zfree(race.zone, item);
}

static void *
race_main(void *arg)
{
	uint64_t rnd = race.seed + (uint64_t)atomic_fetch_add(&race.ids, 1);
	struct client c = {.zone = race.zone};

	(void)arg;
	for (int i = 0; i < LOAD(2000); i++) {
		uint64_t r = test_rand(&rnd) % 4;
		int before = atomic_load(&c.calls);

		if (r == 0) {
			race_use(uma_zalloc(race.zone, M_WAITOK));
			continue;
		}
		MUST(uma_zone_wait(race.zone, &c.w, on_turn, &c) == 0,
		    "wait: %d", errno);
		if (r == 1 && uma_zone_wait_cancel(race.zone, &c.w) == 0) {
			MUST(atomic_load(&c.calls) == before, "called");
			continue;
		}
		MUST(WAIT_FOR(atomic_load(&c.calls) == before + 1),
		    "not called");
		if (r > 1)
			race_use(
			    uma_zalloc_waited(race.zone, &c.w, NULL, M_WAITOK));
	}
	return NULL;
}

START_TEST(no_turn_is_lost_among_threads)
{
	pthread_t t[RACE_THREADS];
	void *item[RACE_MAX];

	race.zone = page_zone("race", RACE_MAX);
	race.seed = test_seed(__func__);
	for (int i = 0; i < RACE_THREADS; i++)
		t[i] = thread_start(race_main, NULL);
	for (int i = 0; i < RACE_THREADS; i++)
		thread_join(t[i]);
	struct uma_zone_stat st = stat_of(race.zone);
	ck_assert_uint_eq(st.used, 0);
	ck_assert_uint_eq(
	    st.free_cached + st.free_slab, st.slabs * st.slab_items);
	take(race.zone, item, RACE_MAX);
	refused(race.zone);
	give(race.zone, item, RACE_MAX);
	uma_zdestroy(race.zone);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("wait");
	TCase *tc = tcase_create("wait");

	tcase_set_timeout(tc, TEST_TIMEOUT);
	tcase_add_test(tc, a_free_calls_the_one_who_waits);
	tcase_add_test(tc, with_room_it_is_called_at_once);
	tcase_add_test(tc, who_queues_warns_and_runs_the_action_once);
	tcase_add_test(tc, items_cached_elsewhere_are_room);
	tcase_add_test(tc, bad_calls_are_refused);
	tcase_add_test(tc, waiters_and_sleepers_are_served_in_order);
	tcase_add_test(tc, many_are_served_by_one_call_in_order);
	tcase_add_test(tc, a_cancelled_waiter_is_not_called_and_blocks_nobody);
	tcase_add_test(tc, the_queue_has_an_end_and_those_in_it_are_served);
	tcase_add_test(tc, a_long_queue_is_no_deep_stack);
	tcase_add_test(tc, a_function_may_wait_again);
	tcase_add_test(tc, an_allocation_that_fails_keeps_its_reservation);
	tcase_add_test(tc, an_allocation_that_succeeds_keeps_errno);
	tcase_add_test(tc, a_function_that_destroys_the_zone_aborts);
	tcase_add_test(tc, a_waiter_of_another_zone_aborts);
	tcase_add_test(tc, destroying_the_zone_forgets_who_waits);
	tcase_add_test(tc, a_child_has_the_reservations_and_nobody_who_waits);
	tcase_add_test(tc, a_function_may_fork_and_both_go_on);
	tcase_add_test(tc, no_turn_is_lost_among_threads);
	suite_add_tcase(s, tc);
	return s;
}

int
main(void)
{
	return test_run(suite());
}
