/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All that knows a limit at once, at random, beside a model: sleepers, callers
 * with a time, waiters whose functions allocate, cancel and queue again, and
 * limits, caps and actions that change.  The model counts the items that
 * callers have, and each call that is due.
 */
#define _GNU_SOURCE 1

#include <uma/wait.h>

#include "children.h"

enum { THREADS = 6, WAITERS = 3, HELD = 3, MOST = 6 };

/* What a waiter's function does; with KEEP, only its owner does something. */
enum { KEEP, USE, DROP, AGAIN, ASK, MODES };

struct client {
	struct uma_waiter w;
	int mode, again; /* changed while it is idle */
	_Atomic int waits, calls, undone;
};

static struct {
	uma_zone_t zone;
	int limit; /* the largest that there is */
	bool changes;
	uint64_t seed;
	_Atomic int ids, done;
	_Atomic int out; /* items that callers have */
	_Atomic long progress, taken, actions;
	struct client c[THREADS][WAITERS];
} mix;

/* ---- items ---- */

/* It is ours alone while we have it. */
static void
item_got(uint64_t *item)
{
	int out = atomic_fetch_add(&mix.out, 1) + 1;

	MUST(out <= mix.limit, "%d items out", out);
	atomic_fetch_add(&mix.taken, 1);
	item[0] = item[511] = (uintptr_t)item;
}

static void
item_free(uint64_t *item)
{
	MUST(item[0] == (uintptr_t)item && item[511] == (uintptr_t)item,
	    "somebody else has it");
	item[0] = item[511] = 0;
	atomic_fetch_sub(&mix.out, 1);
	uma_zfree(mix.zone, item);
}

/* ---- one thread, and every answer known ---- */

enum { MODEL = 8 };

/* Who waits, in the order in which they came; who has a reservation. */
static struct {
	uma_zone_t zone;
	int max, out, queued, granted;
	void *item[MODEL];
	struct uma_waiter w[MODEL];
	int queue[MODEL];
	bool reserved[MODEL];
	int called[MODEL], calls; /* numbers of waiters, in order */
	int want[MODEL], wants; /* as it should be */
} model;

static void
on_model(void *arg)
{
	MUST(model.calls < MODEL, "too many calls");
	model.called[model.calls++] = (int)((struct uma_waiter *)arg - model.w);
}

static bool
model_is_full(void)
{
	return model.queued > 0 || model.out + model.granted >= model.max;
}

static void
model_grant(int w)
{
	model.reserved[w] = true;
	model.granted++;
	model.want[model.wants++] = w;
}

static bool
model_is_queued(int w)
{
	for (int i = 0; i < model.queued; i++)
		if (model.queue[i] == w)
			return true;
	return false;
}

static void
model_leave(int w)
{
	int n = 0;

	for (int i = 0; i < model.queued; i++)
		if (model.queue[i] != w)
			model.queue[n++] = model.queue[i];
	model.queued = n;
}

/* There may be room. */
static void
model_settle(void)
{
	while (model.queued > 0 && model.out + model.granted < model.max) {
		int w = model.queue[0];

		model_leave(w);
		model_grant(w);
	}
}

static void
model_alloc(uint64_t r)
{
	int64_t ns = r / 2 % 3 == 0 ? 20000 : -(int64_t)(r / 2 % 3);
	bool timed = r % 2 == 0, full = model_is_full();

	if (!full && model.out == MODEL)
		return;
	errno = 0;
	void *item = timed ? uma_zalloc_timed(model.zone, NULL, M_WAITOK, ns)
			   : uma_zalloc(model.zone, M_NOWAIT);
	MUST((item == NULL) == full, "full %d, item %p", full, item);
	MUST(errno == (!full ? 0 : timed ? ETIMEDOUT : ENOMEM), "%d", errno);
	if (item != NULL)
		model.item[model.out++] = item;
}

static void
model_free(void)
{
	if (model.out == 0)
		return;
	uma_zfree(model.zone, model.item[--model.out]);
	model_settle();
}

static void
model_wait(int w)
{
	bool busy = model.reserved[w] || model_is_queued(w);
	int got = uma_zone_wait(model.zone, &model.w[w], on_model, &model.w[w]);

	MUST(got == (busy ? -1 : 0), "wait %d", got);
	if (busy)
		return;
	if (model_is_full())
		model.queue[model.queued++] = w;
	else
		model_grant(w);
}

static void
model_cancel(int w)
{
	bool reserved = model.reserved[w];
	int got = uma_zone_wait_cancel(model.zone, &model.w[w]);

	MUST(got == reserved, "cancel %d", got);
	model_leave(w);
	model.granted -= reserved;
	model.reserved[w] = false;
	model_settle();
}

static void
model_collect(int w)
{
	if (model.reserved[w] && model.out == MODEL)
		return;
	void *item = uma_zalloc_waited(model.zone, &model.w[w], NULL, M_NOWAIT);
	MUST((item != NULL) == model.reserved[w], "item %p", item);
	if (item == NULL)
		return;
	model.granted--;
	model.reserved[w] = false;
	model.item[model.out++] = item;
}

static void
model_set_max(uint64_t r)
{
	model.max = (int)(r % MODEL) + 1;
	uma_zone_set_max(model.zone, model.max);
	model_settle();
}

static void
model_step(uint64_t r)
{
	int w = (int)(r / 16 % MODEL);

	model.calls = model.wants = 0;
	switch (r % 16) {
	case 0:
		model_set_max(r / 16);
		break;
	case 1:
		uma_zone_reclaim(
		    model.zone, (int)(r / 16 % 3) + UMA_RECLAIM_DRAIN);
		break;
	case 2:
	case 3:
	case 4:
		model_alloc(r / 16);
		break;
	case 5:
	case 6:
	case 7:
		model_free();
		break;
	case 8:
	case 9:
	case 10:
		model_collect(w);
		break;
	case 11:
	case 12:
		model_cancel(w);
		break;
	default:
		model_wait(w);
	}
}

START_TEST(each_answer_is_the_one_that_is_due)
{
	uint64_t rnd = test_seed(__func__);

	model.zone = uma_zcreate(
	    "model", 4096, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);
	model_set_max(3);
	for (int i = 0; i < LOAD(300000); i++) {
		model_step(test_rand(&rnd));
		MUST(model.calls == model.wants, "%d calls, not %d",
		    model.calls, model.wants);
		for (int k = 0; k < model.calls; k++)
			MUST(model.called[k] == model.want[k], "order");
		MUST(uma_zone_get_cur(model.zone) == model.out, "%d of %d",
		    uma_zone_get_cur(model.zone), model.out);
		MUST(uma_zone_exhausted(model.zone) == model_is_full(),
		    "exhausted");
	}
	for (int w = 0; w < MODEL; w++)
		model_cancel(w);
	while (model.out > 0)
		model_free();
	uma_zdestroy(model.zone);
}
END_TEST

/* ---- waiters ---- */

static void on_turn(void *arg);

static void
client_wait(struct client *c)
{
	atomic_fetch_add(&c->waits, 1);
	MUST(
	    uma_zone_wait(mix.zone, &c->w, on_turn, c) == 0, "wait: %d", errno);
}

static void
client_use(struct client *c, int flags)
{
	uint64_t *item = uma_zalloc_waited(mix.zone, &c->w, NULL, flags);

	MUST(item != NULL, "reserved, and refused: %d", errno);
	item_got(item);
	item_free(item);
}

static void
client_drop(struct client *c)
{
	MUST(uma_zone_wait_cancel(mix.zone, &c->w) == 1, "no reservation");
}

static void
ask(void)
{
	uint64_t *item = uma_zalloc(mix.zone, M_NOWAIT);

	if (item == NULL)
		return;
	item_got(item);
	item_free(item);
}

static void
on_turn(void *arg)
{
	static __thread int depth;
	struct client *c = arg;

	MUST(++depth == 1, "a call in a call");
	if (c->mode == USE || c->mode == AGAIN)
		client_use(c, M_WAITOK);
	if (c->mode == DROP || c->mode == ASK)
		client_drop(c);
	if (c->mode == ASK)
		ask();
	if (c->mode == AGAIN && c->again-- > 0)
		client_wait(c);
	depth--;
	atomic_fetch_add(&c->calls, 1); /* the owner may be at it from here */
}

/* All calls that are due have come to their end. */
static bool
client_idle(struct client *c)
{
	return atomic_load(&c->calls) + atomic_load(&c->undone) ==
	       atomic_load(&c->waits);
}

static bool
client_keeps(struct client *c)
{
	return c->mode == KEEP && atomic_load(&c->waits) > 0;
}

/* Begin to wait, or end it, one way or another. */
static void
client_step(struct client *c, uint64_t r)
{
	if (client_idle(c) && !client_keeps(c)) {
		c->mode = (int)(r % MODES);
		c->again = (int)(r / MODES % 4);
		client_wait(c);
	} else if (client_keeps(c) && client_idle(c)) {
		if (r % 2 == 0)
			client_use(c, M_NOWAIT);
		else
			client_drop(c);
		c->mode = DROP;
	} else if (client_keeps(c) && r % 4 == 0) {
		int calls = atomic_load(&c->calls);

		if (uma_zone_wait_cancel(mix.zone, &c->w) == 0) {
			MUST(atomic_load(&c->calls) == calls, "called");
			atomic_fetch_add(&c->undone, 1);
		} else {
			MUST(WAIT_FOR(client_idle(c)), "not called");
		}
		c->mode = DROP;
	}
}

static void
clients_end(struct client *c)
{
	for (int i = 0; i < WAITERS; i++)
		while (client_keeps(&c[i]))
			client_step(&c[i], 4);
	for (int i = 0; i < WAITERS; i++)
		MUST(WAIT_FOR(client_idle(&c[i])), "not called: %d of %d",
		    atomic_load(&c[i].calls), atomic_load(&c[i].waits));
}

/* ---- threads ---- */

/* Who holds nothing, and keeps nothing, may sleep: no deadlock. */
static uint64_t *
mix_alloc(struct client *c, int held, uint64_t r)
{
	bool idle = held == 0;
	void *item[2];

	for (int i = 0; i < WAITERS; i++)
		idle = idle && !client_keeps(&c[i]);
	switch (r % 8) {
	case 0:
	case 1:
		return uma_zalloc(mix.zone, idle ? M_WAITOK : M_NOWAIT);
	case 2:
	case 3:
	case 4:
		return uma_zalloc_timed(
		    mix.zone, NULL, M_WAITOK, (int64_t)(r / 8 % 60000) - 10000);
	case 5:
		if (uma_zalloc_bulk(mix.zone, item, 2, M_NOWAIT) == 0)
			return NULL;
		atomic_fetch_add(&mix.taken, 1);
		uma_zfree(mix.zone, item[1]);
		return item[0];
	case 6:
		if (idle)
			uma_zwait(mix.zone);
		return NULL;
	default:
		return uma_zalloc(mix.zone, M_NOWAIT);
	}
}

static void *
mix_main(void *arg)
{
	int id = atomic_fetch_add(&mix.ids, 1), held = 0;
	uint64_t rnd = mix.seed + (uint64_t)id;
	struct client *c = mix.c[id];
	uint64_t *item[HELD];

	(void)arg;
	for (int i = 0; i < LOAD(20000); i++) {
		uint64_t r = test_rand(&rnd);

		if (r % 4 == 0) {
			client_step(&c[r / 4 % WAITERS], r / 64);
		} else if (r % 4 == 1 && held > 0) {
			item_free(item[--held]);
		} else if (held < HELD &&
			   (item[held] = mix_alloc(c, held, r / 64)) != NULL) {
			item_got(item[held++]);
			if (r / 8 % 8 == 0)
				sched_yield();
		} else if (held > 0) {
			item_free(item[--held]);
		}
		atomic_fetch_add(&mix.progress, 1);
	}
	while (held > 0)
		item_free(item[--held]);
	clients_end(c);
	atomic_fetch_add(&mix.done, 1);
	return NULL;
}

static void
on_full(uma_zone_t zone, int pending)
{
	MUST(zone == mix.zone && pending > 0, "pending %d", pending);
	atomic_fetch_add(&mix.actions, 1);
	ask();
}

static void *
mix_change(void *arg)
{
	static const int cap[] = {0, 1, 5, 1000000};
	uint64_t rnd = ~mix.seed;

	(void)arg;
	while (atomic_load(&mix.done) < THREADS) {
		uint64_t r = test_rand(&rnd);

		uma_zone_set_max(mix.zone, (int)(r % (uint64_t)mix.limit) + 1);
		if (r / 8 % 4 == 0)
			uma_zone_set_maxcache(mix.zone, cap[r / 64 % 4]);
		if (r / 8 % 4 == 1)
			uma_zone_set_maxaction(
			    mix.zone, r / 64 % 2 == 0 ? on_full : NULL);
		if (r / 8 % 4 == 2)
			uma_zone_reclaim(
			    mix.zone, (int)(r / 64 % 3) + UMA_RECLAIM_DRAIN);
		(void)uma_zone_exhausted(mix.zone);
		if (r / 256 % 2 == 0)
			usleep((unsigned)(r / 512 % 300));
	}
	return NULL;
}

/* Nobody may stop for good. */
static void
mix_watch(void)
{
	long last = -1;
	double since = test_now();

	while (atomic_load(&mix.done) < THREADS) {
		long now = atomic_load(&mix.progress);

		since = now != last ? test_now() : since;
		last = now;
		if (test_now() - since > PATIENCE) {
			struct uma_zone_stat st = stat_of(mix.zone);

			ck_abort_msg("stuck: limit %d, used %d, cached %d",
			    (int)st.limit, (int)st.used, (int)st.free_cached);
		}
		test_sleep_ms(5);
	}
}

/* No unit lost, none invented. */
static void
mix_end(void)
{
	struct uma_zone_stat st = stat_of(mix.zone);
	void *item[MOST];

	ck_assert_uint_eq(st.used, 0);
	ck_assert_uint_eq(st.allocs, (uint64_t)atomic_load(&mix.taken));
	ck_assert_uint_eq(
	    st.free_cached + st.free_slab, st.slabs * st.slab_items);
	ck_assert_int_eq(uma_zone_exhausted(mix.zone), 0);
	uma_zone_set_maxaction(mix.zone, NULL);
	ck_assert_int_eq(uma_zone_set_max(mix.zone, MOST), MOST);
	for (int i = 0; i < MOST; i++)
		ck_assert_ptr_nonnull(item[i] = uma_zalloc(mix.zone, M_NOWAIT));
	ck_assert_ptr_null(uma_zalloc(mix.zone, M_NOWAIT));
	for (int i = 0; i < MOST; i++)
		uma_zfree(mix.zone, item[i]);
	uma_zdestroy(mix.zone);
}

/* What the parent's other threads had is gone; what is left is exact. */
static void
child_goes_on(void *arg)
{
	struct client mine = {.mode = KEEP};
	void *item[3];

	(void)arg;
	uma_zone_set_maxaction(mix.zone, NULL);
	for (int i = 0; i < THREADS * WAITERS; i++)
		(void)uma_zone_wait_cancel(
		    mix.zone, &mix.c[i / WAITERS][i % WAITERS].w);
	uma_zone_reclaim(mix.zone, UMA_RECLAIM_DRAIN_CPU);
	uma_zone_set_max(mix.zone, 0);
	CHILD_MUST(uma_zone_exhausted(mix.zone) == 0);
	int lost = uma_zone_get_cur(mix.zone);
	CHILD_MUST(lost <= mix.limit);
	CHILD_MUST(uma_zone_set_max(mix.zone, lost + 3) == lost + 3);
	for (int i = 0; i < 3; i++)
		CHILD_MUST((item[i] = uma_zalloc(mix.zone, M_NOWAIT)) != NULL);
	CHILD_MUST(uma_zalloc(mix.zone, M_NOWAIT) == NULL);
	CHILD_MUST(uma_zalloc_timed(mix.zone, NULL, M_WAITOK, 1000) == NULL);
	CHILD_MUST(uma_zone_wait(mix.zone, &mine.w, on_turn, &mine) == 0);
	CHILD_MUST(atomic_load(&mine.calls) == 0);
	uma_zfree(mix.zone, item[0]);
	CHILD_MUST(atomic_load(&mine.calls) == 1);
	item[0] = uma_zalloc_waited(mix.zone, &mine.w, NULL, M_NOWAIT);
	CHILD_MUST(item[0] != NULL);
	for (int i = 0; i < 3; i++)
		uma_zfree(mix.zone, item[i]);
	CHILD_MUST(uma_zone_get_cur(mix.zone) == lost);
}

static void
mix_run(const char *test, int limit, bool changes, int forks)
{
	pthread_t t[THREADS + 1];

	mix.zone =
	    uma_zcreate("mix", 4096, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);
	mix.limit = limit;
	mix.seed = test_seed(test);
	uma_zone_set_max(mix.zone, limit);
	for (int i = 0; i < THREADS; i++)
		t[i] = thread_start(mix_main, NULL);
	if (changes)
		t[THREADS] = thread_start(mix_change, NULL);
	for (int i = 0; i < forks && atomic_load(&mix.done) == 0; i++)
		in_child(child_goes_on, NULL);
	mix_watch();
	for (int i = 0; i < THREADS + changes; i++)
		thread_join(t[i]);
	printf("%ld items, %ld actions, %d sleeps\n", atomic_load(&mix.taken),
	    atomic_load(&mix.actions), (int)stat_of(mix.zone).sleeps);
	mix_end();
}

START_TEST(everything_at_a_limit_of_one)
{
	mix_run(__func__, 1, false, 0);
}
END_TEST

START_TEST(everything_at_a_limit_of_four)
{
	mix_run(__func__, 4, false, 0);
}
END_TEST

START_TEST(everything_while_limit_cap_and_action_change)
{
	mix_run(__func__, MOST, true, 0);
}
END_TEST

START_TEST(a_child_of_all_this_has_a_zone_that_works)
{
	mix_run(__func__, 4, true, LOAD(1000));
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("limit_mix");
	TCase *tc = tcase_create("mix");

	tcase_set_timeout(tc, TEST_TIMEOUT);
	tcase_add_test(tc, each_answer_is_the_one_that_is_due);
	tcase_add_test(tc, everything_at_a_limit_of_one);
	tcase_add_test(tc, everything_at_a_limit_of_four);
	tcase_add_test(tc, everything_while_limit_cap_and_action_change);
	tcase_add_test(tc, a_child_of_all_this_has_a_zone_that_works);
	suite_add_tcase(s, tc);
	return s;
}

int
main(void)
{
	return test_run(suite());
}
