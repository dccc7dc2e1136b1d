/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Statistics while others work: what is true at every instant, and what a look
 * costs.
 */
#define _GNU_SOURCE 1

#include "children.h"
#include "formats.h"

#include <uma/reclaim.h>

enum { ZONES = 4, WORKERS = 4, HELD = 64, LIMIT = 500 };

static struct {
	uma_zone_t zone[ZONES];
	_Atomic bool stop;
	_Atomic uint64_t calls, looks;
} load;

static void *
worker(void *arg)
{
	void *item[HELD] = {NULL};
	uint64_t seed = (uintptr_t)arg + 1, calls = 0;
	uma_zone_t z = load.zone[(uintptr_t)arg % ZONES];

	while (!atomic_load(&load.stop)) {
		int i = (int)(test_rand(&seed) % HELD);

		if (item[i] == NULL) {
			item[i] = uma_zalloc(z, M_NOWAIT);
		} else {
			uma_zfree(z, item[i]);
			item[i] = NULL;
		}
		if (++calls % 5000 == 0)
			uma_zone_reclaim(z, UMA_RECLAIM_DRAIN_CPU);
	}
	for (int i = 0; i < HELD; i++)
		uma_zfree(z, item[i]);
	atomic_fetch_add(&load.calls, calls);
	return NULL;
}

/* Zones that come and go under the eyes of whoever walks. */
static void *
maker(void *arg)
{
	while (!atomic_load(&load.stop)) {
		uma_zone_t z = uma_zcreate(
		    "passing", 100, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);

		MUST(z != NULL, "no zone: %d", errno);
		uma_zfree(z, uma_zalloc(z, M_WAITOK));
		uma_zdestroy(z);
	}
	return arg;
}

static uint64_t
parts_sum(const struct uma_memory_stat *m)
{
	return m->used + m->cached_cpu + m->cached_depot + m->free_slab +
	       m->slack + m->own + m->lost + m->meta + m->pagemap + m->pieces +
	       m->dirty + m->untouched + m->spare + m->other;
}

static void
zone_always(const struct uma_zone_stat *st, const char *name)
{
	MUST(st->limit == 0 || st->used <= st->limit, "%s: %llu of %llu", name,
	    (unsigned long long)st->used, (unsigned long long)st->limit);
	MUST(st->frees <= st->allocs, "%s: frees", name);
	MUST(st->free_cached == st->free_cpu + st->free_depot, "%s: cached",
	    name);
	MUST(st->memory == st->slabs * st->slab_size, "%s: memory", name);
	MUST(st->free_slab <= st->slabs * st->slab_items, "%s: free", name);
	MUST(st->absent <= st->memory, "%s: absent", name);
}

/* What holds whoever works; cpus' cached items are their zone's, at most. */
static void
look(void)
{
	struct uma_stats *s = uma_stats_take();

	MUST(s != NULL, "no snapshot: %d", errno);
	MUST(s->nzones >= ZONES + 2 && s->nzones == s->memory->zones, "zones");
	MUST(parts_sum(s->memory) == s->memory->mapped, "parts");
	MUST(s->memory->other < s->memory->mapped, "other");
	for (size_t z = 0; z < s->nzones; z++) {
		const struct uma_zone_stat *st = uma_stats_zone(s, z);
		uint64_t cached = 0;

		zone_always(st, s->name[z]);
		for (int c = 0; c < s->ncpus; c++)
			cached += uma_stats_cpu(s, z, c)->cached;
		MUST(cached <= st->free_cpu, "%s: cpus", s->name[z]);
	}
	uma_stats_free(s);
	atomic_fetch_add(&load.looks, 1);
}

static void *
looker(void *arg)
{
	static const char *const what[] = {"z", "s", "c", "j", "o"};
	static __thread struct text t;
	int families;

	for (size_t i = 0; !atomic_load(&load.stop); i++) {
		const char *w = what[i % 5];

		look();
		t.len = 0;
		MUST(uma_stats_print(text_add, &t, w) == 0, "print %s", w);
		MUST(*w != 'j' || json_is_valid(t.s), "%s", t.s);
		MUST(*w != 'o' || metrics_fault(t.s, &families) == NULL, "%s",
		    t.s);
	}
	return arg;
}

START_TEST(what_must_hold_holds_while_threads_work)
{
	pthread_t t[WORKERS + 3];
	int n = 0;

	for (int z = 0; z < ZONES; z++) {
		load.zone[z] = uma_zcreate("worked", 64 << z, NULL, NULL, NULL,
		    NULL, UMA_ALIGN_PTR, z == 1 ? UMA_ZONE_OFFPAGE : 0);
		ck_assert_ptr_nonnull(load.zone[z]);
	}
	uma_zone_set_max(load.zone[0], LIMIT);
	uma_zone_set_max(load.zone[1], 10);
	for (uintptr_t i = 0; i < WORKERS; i++)
		t[n++] = thread_start(worker, (void *)i);
	t[n++] = thread_start(maker, NULL);
	t[n++] = thread_start(looker, NULL);
	t[n++] = thread_start(looker, NULL);
	test_sleep_ms(1500);
	atomic_store(&load.stop, true);
	while (n > 0)
		thread_join(t[--n]);
	printf("%llu calls, %llu looks\n", (unsigned long long)load.calls,
	    (unsigned long long)load.looks);
	ck_assert_uint_gt(load.looks, 1);

	/* And at rest all is exact again. */
	struct uma_memory_stat m = {.size = sizeof m};
	ck_assert_int_eq(uma_memory_stat(&m), 0);
	ck_assert_uint_eq(m.other, 0);
	ck_assert_uint_eq(m.used, 0);
	ck_assert_uint_eq(m.zones, ZONES + 2);
	for (int z = 0; z < ZONES; z++) {
		struct uma_zone_stat st = stat_of(load.zone[z]);

		ck_assert_uint_eq(st.used + st.free_cached + st.free_slab,
		    st.slabs * st.slab_items);
		ck_assert_uint_eq(st.allocs, st.frees);
	}
}
END_TEST

/* ---- what a look costs ---- */

enum { MANY = 1000, LOOKS = 20 };

/* Of several, the fastest: others use the machine, too. */
#define FASTEST_MS(call)                                         \
	({                                                       \
		double best = 1e9;                               \
		for (int k = 0; k < LOOKS; k++) {                \
			double start = test_now();               \
			call;                                    \
			double ms = (test_now() - start) * 1000; \
			best = ms < best ? ms : best;            \
		}                                                \
		best;                                            \
	})

static void
count_bytes(void *arg, const char *text, size_t len)
{
	(void)text;
	*(size_t *)arg += len;
}

START_TEST(a_thousand_zones_are_read_in_two_milliseconds)
{
	struct uma_memory_stat m = {.size = sizeof m};
	size_t bytes = 0;
	void *p[300];

	for (int z = 0; z < MANY; z++) {
		uma_zone_t zone = uma_zcreate("one of a thousand",
		    (size_t)(16 + z), NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);

		ck_assert_ptr_nonnull(zone);
		for (int i = 0; i < 300; i++)
			p[i] = uma_zalloc(zone, M_WAITOK);
		for (int i = 0; i < 300; i++)
			uma_zfree(zone, p[i]);
	}
	double take = FASTEST_MS(uma_stats_free(uma_stats_take()));
	double memory = FASTEST_MS(uma_memory_stat(&m));
	double z = FASTEST_MS(uma_stats_print(count_bytes, &bytes, "z"));
	double j = FASTEST_MS(uma_stats_print(count_bytes, &bytes, "j"));
	double o = FASTEST_MS(uma_stats_print(count_bytes, &bytes, "o"));
	printf("%d zones, ms: snapshot %.2f, memory %.2f, table %.2f, JSON "
	       "%.2f, OpenMetrics %.2f\n",
	    MANY, take, memory, z, j, o);
	fflush(stdout);
	ck_assert_uint_ge(m.zones, MANY);
	if (TEST_ASAN || TEST_TSAN || UMA_DEBUG > 0)
		return;
	ck_assert_msg(take < 2, "a snapshot took %.2f ms", take);
	ck_assert_msg(z < 4, "the table took %.2f ms", z);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("stat_load");
	TCase *tc = tcase_create("load");

	tcase_set_timeout(tc, TEST_TIMEOUT);
	tcase_add_test(tc, what_must_hold_holds_while_threads_work);
	tcase_add_test(tc, a_thousand_zones_are_read_in_two_milliseconds);
	suite_add_tcase(s, tc);
	return test_run(s);
}
