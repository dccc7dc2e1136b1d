/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hooks: ctor and dtor once a call, init and fini in exact pairs, what a
 * failing one leaves behind (nothing), and hooks that use zones themselves.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <uma.h>

#include "books.h"

#define MANY 4000

static void *items[MANY];

static uma_zone_t
counting_zone(const char *name, size_t size, uint32_t flags)
{
	uma_zone_t z = uma_zcreate(name, size, count_ctor, count_dtor,
	    count_init, count_fini, UMA_ALIGN_PTR, flags);

	ck_assert_ptr_nonnull(z);
	return z;
}

/* Kinds of zones for which the pairs must be exact. */
static const struct {
	size_t size;
	uint32_t flags;
} kinds[] = {
    {1, 0},
    {64, 0},
    {64, UMA_ZONE_NOBUCKET},
    {64, UMA_ZONE_MAXBUCKET},
    {64, UMA_ZONE_OFFPAGE | UMA_ZONE_HASH},
    {64, UMA_ZONE_NOFREE},
    {64, UMA_ZONE_PCPU},
    {1000, UMA_ZONE_REFCNT},
    {3000, UMA_ZONE_VTOSLAB},
    {9000, UMA_ZONE_MALLOC},
    {65536, 0},
};

START_TEST(init_and_fini_pair_exactly)
{
	uma_zone_t z = counting_zone("pairs", kinds[_i].size, kinds[_i].flags);
	bool nofree = kinds[_i].flags & UMA_ZONE_NOFREE;

	for (int round = 0; round < 4; round++) {
		take_many(z, items, 300);
		ck_assert_int_ge(hooks.init - hooks.fini, 300);
		free_many(z, items, 300);
		uma_zone_reclaim(z, UMA_RECLAIM_DRAIN);
		ck_assert_int_le(hooks.fini, hooks.init);
		uma_zone_reclaim(z, UMA_RECLAIM_DRAIN_CPU);
		if (!nofree)
			ck_assert_int_eq(hooks.fini, hooks.init);
		else
			ck_assert_int_eq(hooks.fini, 0);
	}
	ck_assert_int_eq(hooks.ctor, 1200);
	ck_assert_int_eq(hooks.dtor, 1200);
	uma_zdestroy(z);
	ck_assert_int_eq(hooks.fini, hooks.init);
	ck_assert_int_eq(hooks.ctor, 1200);
	ck_assert_int_eq(hooks.dtor, 1200);
}
END_TEST

START_TEST(destroy_runs_fini_without_a_reclaim_before)
{
	uma_zone_t z =
	    counting_zone("destroyed", kinds[_i].size, kinds[_i].flags);

	take_many(z, items, 300);
	free_many(z, items, 300);
	uma_zdestroy(z);
	ck_assert_int_ge(hooks.init, 300);
	ck_assert_int_eq(hooks.fini, hooks.init);
}
END_TEST

/* Items between init and fini, by the addresses that the hooks saw. */
static void *inited[MANY];
static int ninited, foul;

static int
place_of(void *mem)
{
	for (int i = 0; i < ninited; i++)
		if (inited[i] == mem)
			return i;
	return -1;
}

static int
place_init(void *mem, int size, int flags)
{
	(void)flags;
	/* Memory comes to init as the system gave it. */
	foul += place_of(mem) >= 0 || !is_filled(mem, 0, (size_t)size);
	inited[ninited++ % MANY] = mem;
	memset(mem, 0x11, (size_t)size);
	return 0;
}

static void
place_fini(void *mem, int size)
{
	int i = place_of(mem);

	(void)size;
	foul += i < 0;
	if (i >= 0)
		inited[i] = inited[--ninited];
}

START_TEST(init_and_fini_see_the_same_items)
{
	uma_zone_t z = uma_zcreate("places", 200, NULL, NULL, place_init,
	    place_fini, UMA_ALIGN_PTR, 0);

	for (int round = 0; round < 5; round++) {
		for (int i = 0; i < 500; i++) {
			items[i] = must_alloc(z, M_WAITOK);
			ck_assert_int_ge(place_of(items[i]), 0);
		}
		free_many(z, items, 500);
		if (round % 2 == 0)
			uma_zone_reclaim(z, UMA_RECLAIM_DRAIN_CPU);
		ck_assert_int_eq(foul, 0);
	}
	uma_zdestroy(z);
	ck_assert_int_eq(ninited, 0);
	ck_assert_int_eq(foul, 0);
}
END_TEST

START_TEST(what_init_made_survives_use_after_use)
{
	uma_zone_t z = uma_zcreate("type-stable", 200, NULL, NULL, place_init,
	    place_fini, UMA_ALIGN_PTR, 0);

	for (int round = 0; round < 1000; round++) {
		void *p = must_alloc(z, M_WAITOK);

		ck_assert(is_filled(p, 0x11, 200));
		uma_zfree(z, p);
	}
	uma_zdestroy(z);
	ck_assert_int_eq(foul, 0);
}
END_TEST

START_TEST(partly_used_slabs_keep_their_items_initialised)
{
	uma_zone_t z = counting_zone("partly", 64, 0);

	take_many(z, items, 1000);
	for (int i = 0; i < 1000; i += 2)
		uma_zfree(z, items[i]);
	long fini = hooks.fini;
	uma_zone_reclaim(z, UMA_RECLAIM_DRAIN_CPU);
	/* Each slab but the last holds an item that is out. */
	ck_assert_int_le(hooks.fini - fini, (long)stat_of(z).slab_items);
	long init = hooks.init;
	for (int i = 0; i < 1000; i += 2)
		items[i] = must_alloc(z, M_WAITOK);
	ck_assert_int_le(hooks.init - init, (long)stat_of(z).slab_items);
	free_many(z, items, 1000);
	uma_zdestroy(z);
	ck_assert_int_eq(hooks.fini, hooks.init);
}
END_TEST

START_TEST(ctor_and_dtor_run_once_a_call)
{
	uma_zone_t z = counting_zone("once", kinds[_i].size, kinds[_i].flags);

	for (int i = 0; i < 500; i++) {
		items[i % 7] = must_alloc(z, M_WAITOK);
		ck_assert_int_eq(hooks.ctor, i + 1);
		ck_assert_int_eq(hooks.dtor, i);
		ck_assert_int_eq(hooks.last_size, (int)kinds[_i].size);
		hooks.last_size = 0;
		uma_zfree(z, items[i % 7]);
		ck_assert_int_eq(hooks.dtor, i + 1);
		ck_assert_int_eq(hooks.last_size, (int)kinds[_i].size);
	}
	uma_zone_reclaim(z, UMA_RECLAIM_DRAIN_CPU);
	uma_zdestroy(z);
	ck_assert_int_eq(hooks.ctor, 500);
	ck_assert_int_eq(hooks.dtor, 500);
}
END_TEST

/* ---- order ---- */

static int
marking_ctor(void *mem, int size, void *arg, int flags)
{
	(void)arg;
	(void)flags;
	memset(mem, 0x99, (size_t)size);
	return 0;
}

START_TEST(m_zero_comes_after_the_ctor)
{
	uma_zone_t z = uma_zcreate(
	    "order", 56, marking_ctor, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);

	for (int i = 0; i < 100; i++) {
		void *p = must_alloc(z, M_WAITOK | M_ZERO);
		ck_assert(is_filled(p, 0, 56));
		void *q = must_alloc(z, M_WAITOK);
		ck_assert(is_filled(q, 0x99, 56));
		uma_zfree(z, p);
		uma_zfree(z, q);
	}
	uma_zdestroy(z);
}
END_TEST

static int
init_before_ctor(void *mem, int size, int flags)
{
	(void)flags;
	memset(mem, 0x22, (size_t)size);
	return 0;
}

static int
ctor_after_init(void *mem, int size, void *arg, int flags)
{
	(void)arg;
	(void)flags;
	foul += !is_filled(mem, 0x22, (size_t)size);
	return 0;
}

static void
dtor_sees_the_item_whole(void *mem, int size, void *arg)
{
	(void)arg;
	foul += !is_filled(mem, 0x33, (size_t)size);
	memset(mem, 0x22, (size_t)size);
}

static void
fini_after_dtor(void *mem, int size)
{
	foul += !is_filled(mem, 0x22, (size_t)size);
}

START_TEST(init_ctor_dtor_fini_come_in_this_order)
{
	uma_zone_t z =
	    uma_zcreate("order", 72, ctor_after_init, dtor_sees_the_item_whole,
		init_before_ctor, fini_after_dtor, UMA_ALIGN_PTR, 0);

	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 300; i++)
			memset(items[i] = must_alloc(z, M_WAITOK), 0x33, 72);
		free_many(z, items, 300);
		uma_zone_reclaim(z, UMA_RECLAIM_DRAIN_CPU);
		ck_assert_int_eq(foul, 0);
	}
	uma_zdestroy(z);
	ck_assert_int_eq(foul, 0);
}
END_TEST

START_TEST(zinit_takes_the_place_of_init_and_fini_still_runs)
{
	uma_zone_t z = counting_zone("zinit", 64, UMA_ZONE_ZINIT);

	take_many(z, items, 300);
	for (int i = 0; i < 300; i++)
		ck_assert(is_filled(items[i], 0, 64));
	free_many(z, items, 300);
	uma_zdestroy(z);
	ck_assert_int_eq(hooks.init, 0);
	ck_assert_int_ge(hooks.fini, 300);
}
END_TEST

/* ---- failing ---- */

static const int call_flags[] = {M_NOWAIT, M_WAITOK, M_WAITOK | M_ZERO};

/* The defect: each failure took a unit of the limit and of the count. */
START_TEST(ten_thousand_failing_ctors_leave_all_counts_as_they_were)
{
	uma_zone_t z = counting_zone("failing ctor", 64, 0);
	int max = uma_zone_set_max(z, 128);

	take_many(z, items, 100);
	struct uma_zone_stat before = stat_of(z);
	hooks.ctor_errno = EDOM;
	hooks.ctor_fails = 10000;
	for (int i = 0; i < 10000; i++) {
		errno = 0;
		ck_assert_ptr_null(uma_zalloc(z, call_flags[_i]));
		ck_assert_int_eq(errno, EDOM);
	}
	struct uma_zone_stat after = stat_of(z);
	ck_assert_uint_eq(after.fails, before.fails + 10000);
	ck_assert_uint_eq(after.allocs, before.allocs);
	ck_assert_uint_eq(after.frees, before.frees);
	ck_assert_uint_eq(after.used, 100);
	ck_assert_uint_eq(after.limit, (uint64_t)max);
	ck_assert_uint_eq(after.sleeps, 0);
	ck_assert_int_eq(hooks.dtor, 0);
	books_assert(z, 100);
	/* The whole limit is there to be used. */
	for (int i = 100; i < max; i++)
		ck_assert_ptr_nonnull(items[i] = uma_zalloc(z, M_NOWAIT));
	ck_assert_ptr_null(uma_zalloc(z, M_NOWAIT));
	free_many(z, items, (size_t)max);
	uma_zdestroy(z);
	ck_assert_int_eq(hooks.fini, hooks.init);
	ck_assert_int_eq(hooks.ctor, max);
	ck_assert_int_eq(hooks.dtor, max);
}
END_TEST

START_TEST(ten_thousand_failing_inits_leave_all_counts_as_they_were)
{
	uma_zone_t z = counting_zone("failing init", 64, 0);
	int max = uma_zone_set_max(z, 128);

	hooks.init_errno = E2BIG;
	hooks.init_fails = -1;
	for (int i = 0; i < 10000; i++) {
		errno = 0;
		ck_assert_ptr_null(uma_zalloc(z, call_flags[_i]));
		ck_assert_int_eq(errno, E2BIG);
	}
	struct uma_zone_stat st = stat_of(z);
	ck_assert_uint_eq(st.fails, 10000);
	ck_assert_uint_eq(st.allocs, 0);
	ck_assert_uint_eq(st.free_cached, 0);
	ck_assert_uint_le(st.slabs, 1);
	books_assert(z, 0);
	ck_assert_int_eq(hooks.fini + hooks.ctor + hooks.dtor, 0);
	hooks.init_errno = 0;
	for (int i = 0; i < max; i++)
		ck_assert_ptr_nonnull(items[i] = uma_zalloc(z, M_NOWAIT));
	ck_assert_ptr_null(uma_zalloc(z, M_NOWAIT));
	free_many(z, items, (size_t)max);
	uma_zdestroy(z);
	ck_assert_int_eq(hooks.fini, hooks.init);
}
END_TEST

START_TEST(a_failing_ctor_at_every_position_leaves_the_books_balanced)
{
	for (long k = 0; k < 200; k++) {
		uma_zone_t z =
		    counting_zone("k-th ctor", kinds[_i].size, kinds[_i].flags);
		int n = 0;

		memset(&hooks, 0, sizeof hooks);
		hooks.ctor_errno = EPROTO;
		hooks.ctor_skip = k;
		hooks.ctor_fails = 1;
		while (n < 210 && (items[n] = uma_zalloc(z, M_WAITOK)) != NULL)
			n++;
		ck_assert_int_eq(errno, EPROTO);
		ck_assert_int_eq(n, k);
		books_assert(z, (uint64_t)n);
		/* The next attempt is independent. */
		items[n++] = must_alloc(z, M_WAITOK);
		books_assert(z, (uint64_t)n);
		ck_assert_uint_eq(stat_of(z).fails, 1);
		free_many(z, items, (size_t)n);
		books_assert(z, 0);
		uma_zdestroy(z);
		ck_assert_int_eq(hooks.ctor, n);
		ck_assert_int_eq(hooks.dtor, n);
		ck_assert_int_eq(hooks.fini, hooks.init);
	}
}
END_TEST

START_TEST(a_failing_init_at_every_position_leaves_the_books_balanced)
{
	for (long k = 0; k < 200; k++) {
		uma_zone_t z =
		    counting_zone("k-th init", kinds[_i].size, kinds[_i].flags);
		int n = 0, fails = 0;

		memset(&hooks, 0, sizeof hooks);
		hooks.init_errno = EPROTO;
		hooks.init_skip = k;
		hooks.init_fails = 3;
		while (n < 250) {
			errno = 0;
			if ((items[n] = uma_zalloc(z, M_WAITOK)) != NULL) {
				n++;
				continue;
			}
			ck_assert_int_eq(errno, EPROTO);
			ck_assert_int_le(++fails, 3);
			books_assert(z, (uint64_t)n);
		}
		/* As many as init accepted before are to be had. */
		ck_assert_int_eq(hooks.init_fails, 0);
		books_assert(z, 250);
		ck_assert_uint_eq(stat_of(z).fails, (uint64_t)fails);
		free_many(z, items, 250);
		uma_zdestroy(z);
		ck_assert_int_eq(hooks.fini, hooks.init);
	}
}
END_TEST

START_TEST(a_failing_init_cuts_its_batch_short)
{
	uma_zone_t z = counting_zone("cut short", 64, UMA_ZONE_MAXBUCKET);

	hooks.init_errno = EPROTO;
	hooks.init_skip = 5;
	hooks.init_fails = 1000000;
	/* The five that init accepted are had without asking it again. */
	take_many(z, items, 5);
	ck_assert_int_eq(hooks.init, 5);
	ck_assert_int_eq(hooks.init_fails, 1000000 - 1);
	books_assert(z, 5);
	errno = 0;
	ck_assert_ptr_null(uma_zalloc(z, M_WAITOK));
	ck_assert_int_eq(errno, EPROTO);
	ck_assert_int_eq(hooks.init_fails, 1000000 - 2);
	free_many(z, items, 5);
	uma_zdestroy(z);
	ck_assert_int_eq(hooks.fini, 5);
}
END_TEST

static void *refused_item;
static int refused_times;

static int
init_that_refuses_one_address(void *mem, int size, int flags)
{
	(void)size;
	(void)flags;
	if (refused_item == NULL)
		refused_item = mem;
	if (mem == refused_item && refused_times < 1000) {
		refused_times++;
		return EPERM;
	}
	hooks.init++;
	return 0;
}

static void
fini_that_never_sees_it(void *mem, int size)
{
	(void)size;
	foul += mem == refused_item;
	hooks.fini++;
}

START_TEST(an_item_that_init_refuses_is_not_handed_out_nor_finished)
{
	uma_zone_t z =
	    uma_zcreate("picky", 64, NULL, NULL, init_that_refuses_one_address,
		fini_that_never_sees_it, UMA_ALIGN_PTR, 0);
	int n = 0;

	for (int i = 0; i < 500; i++)
		if ((items[n] = uma_zalloc(z, M_NOWAIT)) != NULL)
			ck_assert_ptr_ne(items[n++], refused_item);
	ck_assert_int_ge(refused_times, 1);
	books_assert(z, (uint64_t)n);
	free_many(z, items, (size_t)n);
	uma_zdestroy(z);
	ck_assert_int_eq(foul, 0);
	ck_assert_int_eq(hooks.fini, hooks.init);
}
END_TEST

/* The defect: a full cache behind the failure drifted the count by one. */
START_TEST(a_ctor_that_fails_on_a_cached_item_returns_its_unit)
{
	uma_zone_t z = counting_zone("cached", 1024, 0);
	int max = uma_zone_set_max(z, 8);

	take_many(z, items, (size_t)max);
	free_many(z, items, (size_t)max);
	hooks.ctor_errno = EIO;
	hooks.ctor_fails = 100;
	for (int i = 0; i < 100; i++)
		ck_assert_ptr_null(uma_zalloc(z, M_WAITOK));
	books_assert(z, 0);
	struct uma_zone_stat st = stat_of(z);
	ck_assert_uint_le(st.used + st.free_cached, (uint64_t)max);
	take_many(z, items, (size_t)max);
	books_assert(z, (uint64_t)max);
	free_many(z, items, (size_t)max);
	uma_zdestroy(z);
}
END_TEST

/* ---- preallocation ---- */

START_TEST(prealloc_runs_init_on_all_items_of_its_slabs)
{
	uma_zone_t z =
	    counting_zone("prealloc", kinds[_i].size, kinds[_i].flags);

	uma_prealloc(z, 100);
	struct uma_zone_stat st = stat_of(z);
	ck_assert_uint_ge(st.slabs * st.slab_items, 100);
	ck_assert_int_eq(hooks.init, (long)(st.slabs * st.slab_items));
	books_assert(z, 0);
	take_many(z, items, 100);
	ck_assert_uint_eq(stat_of(z).slabs, st.slabs);
	ck_assert_int_eq(hooks.init, (long)(st.slabs * st.slab_items));
	/* Beyond those that the zone has. */
	uma_prealloc(z, 1);
	ck_assert_uint_eq(stat_of(z).slabs, st.slabs + 1);
	free_many(z, items, 100);
	uma_zdestroy(z);
	ck_assert_int_eq(hooks.fini, hooks.init);
	ck_assert_int_eq(hooks.ctor, 100);
}
END_TEST

START_TEST(prealloc_does_not_count_against_the_limit)
{
	uma_zone_t z = counting_zone("prealloc", 64, 0);
	int max = uma_zone_set_max(z, 64);

	uma_prealloc(z, 1000);
	books_assert(z, 0);
	for (int i = 0; i < max; i++)
		ck_assert_ptr_nonnull(items[i] = uma_zalloc(z, M_NOWAIT));
	ck_assert_ptr_null(uma_zalloc(z, M_NOWAIT));
	free_many(z, items, (size_t)max);
	uma_zdestroy(z);
}
END_TEST

START_TEST(a_failing_init_ends_prealloc_early)
{
	uma_zone_t z = counting_zone("prealloc", 64, 0);

	hooks.init_errno = ENXIO;
	hooks.init_skip = 5;
	hooks.init_fails = 1;
	errno = 0;
	uma_prealloc(z, 1000);
	ck_assert_int_eq(errno, ENXIO);
	ck_assert_int_eq(hooks.init, 5);
	books_assert(z, 0);
	take_many(z, items, 1000);
	books_assert(z, 1000);
	free_many(z, items, 1000);
	uma_zdestroy(z);
	ck_assert_int_eq(hooks.fini, hooks.init);
}
END_TEST

static Suite *
suite(void)
{
	const int n = (int)(sizeof kinds / sizeof *kinds);
	Suite *s = suite_create("hooks");
	TCase *tc = tcase_create("pairs and order");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, init_and_fini_pair_exactly, 0, n);
	tcase_add_loop_test(
	    tc, destroy_runs_fini_without_a_reclaim_before, 0, n);
	tcase_add_test(tc, init_and_fini_see_the_same_items);
	tcase_add_test(tc, what_init_made_survives_use_after_use);
	tcase_add_test(tc, partly_used_slabs_keep_their_items_initialised);
	tcase_add_loop_test(tc, ctor_and_dtor_run_once_a_call, 0, n);
	tcase_add_test(tc, m_zero_comes_after_the_ctor);
	tcase_add_test(tc, init_ctor_dtor_fini_come_in_this_order);
	tcase_add_test(tc, zinit_takes_the_place_of_init_and_fini_still_runs);
	suite_add_tcase(s, tc);

	tc = tcase_create("failures");
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(
	    tc, ten_thousand_failing_ctors_leave_all_counts_as_they_were, 0, 3);
	tcase_add_loop_test(
	    tc, ten_thousand_failing_inits_leave_all_counts_as_they_were, 0, 3);
	tcase_add_loop_test(tc,
	    a_failing_ctor_at_every_position_leaves_the_books_balanced, 0, n);
	tcase_add_loop_test(tc,
	    a_failing_init_at_every_position_leaves_the_books_balanced, 0, n);
	tcase_add_test(tc, a_failing_init_cuts_its_batch_short);
	tcase_add_test(
	    tc, an_item_that_init_refuses_is_not_handed_out_nor_finished);
	tcase_add_test(tc, a_ctor_that_fails_on_a_cached_item_returns_its_unit);
	suite_add_tcase(s, tc);

	tc = tcase_create("preallocation");
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(
	    tc, prealloc_runs_init_on_all_items_of_its_slabs, 0, n);
	tcase_add_test(tc, prealloc_does_not_count_against_the_limit);
	tcase_add_test(tc, a_failing_init_ends_prealloc_early);
	suite_add_tcase(s, tc);
	return s;
}

int
main(void)
{
	return test_run(suite());
}
