/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fork: whatever other threads were doing at that moment, the child can do
 * everything, and the parent's books stay exact.
 */
#define _GNU_SOURCE 1

#include "children.h"
#include "sleepers.h"

enum { BUSY = 6, HELD = 32 };

/* ---- busy threads ---- */

static struct {
	uma_zone_t plain, offpage, limited;
	uint64_t seed;
	_Atomic int ids;
	_Atomic bool stop;
	_Atomic long turns;
} busy;

static _Atomic long inits, finis;

static int
count_init(void *mem, int size, int flags)
{
	(void)mem;
	(void)size;
	(void)flags;
	atomic_fetch_add(&inits, 1);
	return 0;
}

static void
count_fini(void *mem, int size)
{
	(void)mem;
	(void)size;
	atomic_fetch_add(&finis, 1);
}

static void
busy_swap(uma_zone_t zone, void **held, uint64_t *rnd)
{
	unsigned i = test_rand(rnd) % HELD;

	if (held[i] != NULL)
		uma_zfree(zone, held[i]);
	held[i] = test_rand(rnd) % 2 != 0 ? uma_zalloc(zone, M_WAITOK) : NULL;
}

/* Everything that takes a lock; nothing that calls malloc. */
static void
busy_turn(void *held[2][HELD], uint64_t *rnd)
{
	busy_swap(busy.plain, held[0], rnd);
	busy_swap(busy.offpage, held[1], rnd);
	uint64_t r = test_rand(rnd) % 256;
	if (r < 32)
		uma_zfree(busy.limited, uma_zalloc(busy.limited, M_WAITOK));
	else if (r < 34)
		uma_zone_reclaim(busy.plain, UMA_RECLAIM_DRAIN_CPU);
	else if (r == 34)
		uma_reclaim(UMA_RECLAIM_DRAIN);
	else if (r < 37) {
		uma_zone_t z = uma_zcreate(
		    "brief", 48, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);

		uma_zfree(z, uma_zalloc(z, M_WAITOK));
		uma_zdestroy(z);
	}
}

static void *
busy_main(void *arg)
{
	void *held[2][HELD] = {{NULL}};
	uint64_t rnd = busy.seed + (uint64_t)atomic_fetch_add(&busy.ids, 1);

	(void)arg;
	while (!atomic_load(&busy.stop)) {
		busy_turn(held, &rnd);
		atomic_fetch_add_explicit(&busy.turns, 1, memory_order_relaxed);
	}
	for (int i = 0; i < HELD; i++) {
		uma_zfree(busy.plain, held[0][i]);
		uma_zfree(busy.offpage, held[1][i]);
	}
	return NULL;
}

static void
busy_zones(void)
{
	busy.plain = uma_zcreate(
	    "plain", 200, NULL, NULL, count_init, count_fini, UMA_ALIGN_PTR, 0);
	busy.offpage = uma_zcreate("offpage", 3000, NULL, NULL, count_init,
	    count_fini, UMA_ALIGN_PTR, UMA_ZONE_OFFPAGE);
	busy.limited = page_zone("limited", 2);
}

/* ---- what a child does ---- */

static void
child_use(uma_zone_t zone, size_t size)
{
	void *item[300];

	for (int i = 0; i < 300; i++) {
		item[i] = uma_zalloc(zone, M_NOWAIT);
		CHILD_MUST(item[i] != NULL);
		memset(item[i], i, size);
	}
	for (int i = 0; i < 300; i++) {
		unsigned char *p = item[i];

		CHILD_MUST(p[0] == (unsigned char)i && p[size - 1] == p[0]);
		uma_zfree(zone, p);
	}
}

static void *
child_thread(void *arg)
{
	(void)arg;
	child_use(busy.plain, 200);
	return NULL;
}

static void
child_threads(void)
{
	pthread_t t[2];

	if (TEST_TSAN) /* which gives up on threads after such a fork */
		return;
	for (int i = 0; i < 2; i++)
		CHILD_MUST(
		    pthread_create(&t[i], NULL, child_thread, NULL) == 0);
	for (int i = 0; i < 2; i++)
		CHILD_MUST(pthread_join(t[i], NULL) == 0);
}

static void
child_text(void *arg, const char *text, size_t len)
{
	(void)text;
	*(size_t *)arg += len;
}

static void
child_everything(void *arg)
{
	size_t len = 0;

	(void)arg;
	uma_set_warning_sink(mute_sink, NULL);
	child_use(busy.plain, 200);
	child_use(busy.offpage, 3000);
	uma_zfree(busy.limited, uma_zalloc(busy.limited, M_NOWAIT));
	uma_zone_t z = uma_zcreate(
	    "child's", 777, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);
	CHILD_MUST(z != NULL);
	child_use(z, 777);
	uma_zone_reclaim(busy.plain, UMA_RECLAIM_DRAIN_CPU);
	uma_reclaim(UMA_RECLAIM_DRAIN_CPU);
	child_threads();
	CHILD_MUST(uma_stats_print(child_text, &len, "z") == 0 && len > 0);
	uma_zdestroy(z);
	/* What the parent's other threads held is lost here: a message. */
	uma_zdestroy(busy.offpage);
}

START_TEST(children_of_a_busy_process_can_do_everything)
{
	pthread_t t[BUSY];
	int forks = TEST_SCALE(200);

	busy_zones();
	busy.seed = test_seed(__func__);
	for (int i = 0; i < BUSY; i++)
		t[i] = thread_start(busy_main, NULL);
	/* All under way: a thread that starts may hold the heap's locks. */
	ck_assert(WAIT_FOR(atomic_load(&busy.ids) == BUSY));
	ck_assert(WAIT_FOR(atomic_load(&busy.turns) > 1000));
	for (int i = 0; i < forks; i++) {
		long before = atomic_load(&busy.turns);

		in_child(child_everything, NULL);
		ck_assert(WAIT_FOR(atomic_load(&busy.turns) > before));
	}
	atomic_store(&busy.stop, true);
	for (int i = 0; i < BUSY; i++)
		thread_join(t[i]);

	uma_zone_t zone[3] = {busy.plain, busy.offpage, busy.limited};
	for (int i = 0; i < 3; i++) {
		struct uma_zone_stat st = stat_of(zone[i]);

		ck_assert_uint_eq(st.used, 0);
		ck_assert_uint_eq(st.allocs, st.frees);
		ck_assert_uint_gt(st.allocs, 0);
		uma_zdestroy(zone[i]);
	}
	ck_assert_int_gt(atomic_load(&inits), 0);
	ck_assert_int_eq(atomic_load(&inits), atomic_load(&finis));
}
END_TEST

/* ---- sleepers stay with the parent ---- */

static void *asleep_items[4];

static void *
child_waiter(void *zone)
{
	return uma_zalloc(zone, M_WAITOK);
}

static void
child_sleeps_anew(uma_zone_t zone)
{
	uint64_t before = stat_of(zone).sleeps;
	void *got = NULL;
	pthread_t t;

	if (TEST_TSAN)
		return;
	CHILD_MUST(pthread_create(&t, NULL, child_waiter, zone) == 0);
	CHILD_MUST(WAIT_FOR(stat_of(zone).sleeps > before));
	uma_zfree(zone, asleep_items[0]);
	CHILD_MUST(pthread_join(t, &got) == 0 && got != NULL);
	asleep_items[0] = got;
}

/* With a sleeper left over, the freed item would be his and not ours. */
static void
child_without_sleepers(void *arg)
{
	uma_zone_t zone = arg;

	CHILD_MUST(uma_zalloc(zone, M_NOWAIT) == NULL && errno == ENOMEM);
	for (int i = 0; i < 100; i++) {
		uma_zfree(zone, asleep_items[0]);
		asleep_items[0] = uma_zalloc(zone, M_NOWAIT);
		CHILD_MUST(asleep_items[0] != NULL);
	}
	child_sleeps_anew(zone);
	for (int i = 0; i < 4; i++)
		uma_zfree(zone, asleep_items[i]);
	CHILD_MUST(uma_zone_get_cur(zone) == 0);
	uma_zone_reclaim(zone, UMA_RECLAIM_DRAIN_CPU);
	CHILD_MUST(stat_of(zone).free_cached == 0);
	uma_zdestroy(zone);
}

START_TEST(a_child_has_no_sleepers_and_the_parent_keeps_its_own)
{
	struct sleeper s[4];
	uma_zone_t zone = page_zone("asleep", 4);

	take(zone, asleep_items, 4);
	for (int i = 0; i < 4; i++)
		sleeper_start(&s[i], zone, NULL);
	for (int i = 0; i < 5; i++)
		in_child(child_without_sleepers, zone);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(atomic_load(&s[i].place), 0);
	for (int i = 0; i < 4; i++) {
		uma_zfree(zone, asleep_items[i]);
		ck_assert(sleeper_back(&s[i]));
		sleeper_end(&s[i]);
	}
	ck_assert_int_eq(uma_zone_get_cur(zone), 0);
	uma_zdestroy(zone);
}
END_TEST

/* ---- generations, and forks from within ---- */

static void
child_descend(void *arg)
{
	int *generation = arg, status;

	child_use(busy.plain, 200);
	if (--*generation == 0)
		return;
	pid_t pid = fork();
	CHILD_MUST(pid >= 0);
	if (pid == 0) {
		alarm(CHILD_SECONDS);
		child_descend(generation);
		_exit(0);
	}
	child_use(busy.plain, 200);
	CHILD_MUST(waitpid(pid, &status, 0) == pid && status == 0);
	CHILD_MUST(uma_zone_get_cur(busy.plain) == 0);
	uma_reclaim(UMA_RECLAIM_DRAIN_CPU);
}

START_TEST(children_of_children_work)
{
	int generation = 4;

	busy_zones();
	uma_zfree(busy.plain, uma_zalloc(busy.plain, M_WAITOK));
	in_child(child_descend, &generation);
	ck_assert_int_eq(uma_zone_get_cur(busy.plain), 0);
}
END_TEST

static uma_zone_t hooked;
static bool hook_forks;

static void
child_of_hook(void *arg)
{
	(void)arg;
	hook_forks = false;
	child_use(hooked, 128);
	uma_zone_reclaim(hooked, UMA_RECLAIM_DRAIN_CPU);
}

static int
forking_init(void *mem, int size, int flags)
{
	(void)mem;
	(void)size;
	(void)flags;
	if (hook_forks) {
		hook_forks = false;
		in_child(child_of_hook, NULL);
	}
	return 0;
}

/* Hooks hold no lock, so that the child finds all of them free. */
START_TEST(a_hook_may_fork)
{
	hooked = uma_zcreate(
	    "hooked", 128, NULL, NULL, forking_init, NULL, UMA_ALIGN_PTR, 0);
	hook_forks = true;
	void *item = uma_zalloc(hooked, M_WAITOK);
	ck_assert_ptr_nonnull(item);
	ck_assert(!hook_forks);
	uma_zfree(hooked, item);
	uma_zdestroy(hooked);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("fork");
	TCase *tc = tcase_create("fork");

	tcase_set_timeout(tc, TEST_TIMEOUT);
	tcase_add_test(tc, children_of_a_busy_process_can_do_everything);
	tcase_add_test(
	    tc, a_child_has_no_sleepers_and_the_parent_keeps_its_own);
	tcase_add_test(tc, children_of_children_work);
	tcase_add_test(tc, a_hook_may_fork);
	suite_add_tcase(s, tc);
	return s;
}

int
main(void)
{
	return test_run(suite());
}
