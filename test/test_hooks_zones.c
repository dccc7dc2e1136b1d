/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hooks that use zones: other ones and their own, allocating, freeing,
 * reclaiming, reading statistics.  No lock is held while a hook runs, so each
 * of these must return, with the books balanced.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <uma.h>

#include "books.h"

#define MANY 1000

static void *items[MANY];
static uma_zone_t own, other;

struct pair {
	void *partner;
};

static int
ctor_from_other(void *mem, int size, void *arg, int flags)
{
	struct pair *p = mem;

	(void)size;
	(void)arg;
	p->partner = uma_zalloc(other, flags & (M_NOWAIT | M_WAITOK));
	return p->partner == NULL ? errno : 0;
}

static void
dtor_to_other(void *mem, int size, void *arg)
{
	struct pair *p = mem;

	(void)size;
	(void)arg;
	uma_zfree(other, p->partner);
}

START_TEST(ctor_and_dtor_may_use_another_zone)
{
	other = plain_zone("parts", 48, UMA_ALIGN_PTR, 0);
	own = uma_zcreate("wholes", 64, ctor_from_other, dtor_to_other, NULL,
	    NULL, UMA_ALIGN_PTR, 0);
	take_many(own, items, MANY);
	books_assert(own, MANY);
	books_assert(other, MANY);
	free_many(own, items, MANY);
	books_assert(own, 0);
	books_assert(other, 0);
	uma_zdestroy(own);
	uma_zdestroy(other);
}
END_TEST

START_TEST(a_ctor_that_finds_the_other_zone_full_fails_with_its_errno)
{
	other = plain_zone("parts", 48, UMA_ALIGN_PTR, 0);
	own = uma_zcreate("wholes", 64, ctor_from_other, dtor_to_other, NULL,
	    NULL, UMA_ALIGN_PTR, 0);
	int max = uma_zone_set_max(other, 100);

	take_many(own, items, (size_t)max);
	for (int i = 0; i < 1000; i++) {
		errno = 0;
		ck_assert_ptr_null(uma_zalloc(own, M_NOWAIT));
		ck_assert_int_eq(errno, ENOMEM);
	}
	books_assert(own, (uint64_t)max);
	books_assert(other, (uint64_t)max);
	ck_assert_uint_eq(stat_of(own).fails, 1000);
	ck_assert_uint_eq(stat_of(other).fails, 1000);
	free_many(own, items, (size_t)max);
	uma_zdestroy(own);
	uma_zdestroy(other);
}
END_TEST

static int
init_from_other(void *mem, int size, int flags)
{
	return ctor_from_other(mem, size, NULL, flags);
}

static void
fini_to_other(void *mem, int size)
{
	dtor_to_other(mem, size, NULL);
}

START_TEST(init_and_fini_may_use_another_zone)
{
	other = plain_zone("parts", 48, UMA_ALIGN_PTR, 0);
	own = uma_zcreate("wholes", 64, NULL, NULL, init_from_other,
	    fini_to_other, UMA_ALIGN_PTR, 0);
	for (int round = 0; round < 3; round++) {
		take_many(own, items, MANY);
		ck_assert_int_ge(uma_zone_get_cur(other), MANY);
		free_many(own, items, MANY);
		uma_zone_reclaim(own, UMA_RECLAIM_DRAIN_CPU);
		books_assert(other, 0);
	}
	uma_prealloc(own, 500);
	ck_assert_int_ge(uma_zone_get_cur(other), 500);
	/* All zones at once: the fini of one frees to the other. */
	uma_reclaim(UMA_RECLAIM_DRAIN_CPU);
	books_assert(other, 0);
	uma_zdestroy(own);
	uma_zdestroy(other);
}
END_TEST

/* ---- the same zone ---- */

static int depth, deepest;

static int
ctor_of_a_chain(void *mem, int size, void *arg, int flags)
{
	struct pair *p = mem;
	const int *want = arg;

	(void)size;
	p->partner = NULL;
	if (want == NULL || depth >= *want)
		return 0;
	depth++;
	if (depth > deepest)
		deepest = depth;
	p->partner = uma_zalloc_arg(own, arg, flags);
	depth--;
	return p->partner == NULL ? errno : 0;
}

static void
dtor_of_a_chain(void *mem, int size, void *arg)
{
	struct pair *p = mem;

	(void)size;
	(void)arg;
	if (p->partner != NULL)
		uma_zfree(own, p->partner);
}

static const uint32_t same_zone_flags[] = {0, UMA_ZONE_NOBUCKET,
    UMA_ZONE_MAXBUCKET, UMA_ZONE_OFFPAGE, UMA_ZONE_REFCNT};

START_TEST(ctor_and_dtor_may_use_their_own_zone)
{
	int want = 20;

	own = uma_zcreate("chain", 64, ctor_of_a_chain, dtor_of_a_chain, NULL,
	    NULL, UMA_ALIGN_PTR, same_zone_flags[_i]);
	for (int round = 0; round < 50; round++) {
		void *head = uma_zalloc_arg(own, &want, M_WAITOK);
		ck_assert_ptr_nonnull(head);
		books_assert(own, 21);
		uma_zfree(own, head);
		books_assert(own, 0);
	}
	ck_assert_int_eq(deepest, 20);
	uma_zdestroy(own);
}
END_TEST

START_TEST(a_chain_that_meets_the_limit_unwinds_completely)
{
	int want = 1000;

	/* Items of 2 KiB, so that the limit is not rounded far. */
	own = uma_zcreate("chain", 2048, ctor_of_a_chain, dtor_of_a_chain, NULL,
	    NULL, UMA_ALIGN_PTR, same_zone_flags[_i]);
	int max = uma_zone_set_max(own, 10);
	for (int round = 0; round < 100; round++) {
		errno = 0;
		ck_assert_ptr_null(uma_zalloc_arg(own, &want, M_NOWAIT));
		ck_assert_int_eq(errno, ENOMEM);
		books_assert(own, 0);
	}
	take_many(own, items, (size_t)max);
	books_assert(own, (uint64_t)max);
	free_many(own, items, (size_t)max);
	uma_zdestroy(own);
}
END_TEST

static int nested_inits;

static int
init_that_allocates_from_its_zone(void *mem, int size, int flags)
{
	(void)mem;
	(void)size;
	hooks.init++;
	if (depth >= 3)
		return 0;
	depth++;
	void *p = uma_zalloc(own, flags & (M_NOWAIT | M_WAITOK));
	if (p == NULL) {
		depth--;
		hooks.init--;
		return errno;
	}
	nested_inits++;
	uma_zfree(own, p);
	depth--;
	return 0;
}

START_TEST(init_may_use_its_own_zone)
{
	own = uma_zcreate("nested init", 64, NULL, NULL,
	    init_that_allocates_from_its_zone, count_fini, UMA_ALIGN_PTR,
	    same_zone_flags[_i]);
	take_many(own, items, 300);
	ck_assert_int_gt(nested_inits, 0);
	books_assert(own, 300);
	for (int i = 0; i < 300; i++)
		memset(items[i], i, 64);
	for (int i = 0; i < 300; i++)
		ck_assert(is_filled(items[i], i, 64));
	free_many(own, items, 300);
	uma_zdestroy(own);
	ck_assert_int_eq(hooks.fini, hooks.init);
}
END_TEST

static void
fini_that_uses_its_zone(void *mem, int size)
{
	(void)mem;
	(void)size;
	hooks.fini++;
	if (depth > 0 || hooks.fini % 10 != 0)
		return;
	depth++;
	void *p = uma_zalloc(own, M_NOWAIT);
	if (p != NULL)
		uma_zfree(own, p);
	depth--;
}

START_TEST(fini_may_use_its_own_zone_during_a_reclaim)
{
	own = uma_zcreate("nested fini", 64, NULL, NULL, count_init,
	    fini_that_uses_its_zone, UMA_ALIGN_PTR, same_zone_flags[_i]);
	for (int round = 0; round < 5; round++) {
		take_many(own, items, 300);
		free_many(own, items, 300);
		uma_zone_reclaim(own, UMA_RECLAIM_DRAIN_CPU);
		books_assert(own, 0);
	}
	ck_assert_int_gt(hooks.fini, 0);
	/* Not during the destruction: that is the one thing not allowed. */
	depth = 1;
	uma_zdestroy(own);
	ck_assert_int_eq(hooks.fini, hooks.init);
}
END_TEST

/* ---- other calls ---- */

static int
ctor_that_looks_around(void *mem, int size, void *arg, int flags)
{
	struct uma_zone_stat st = {.size = sizeof st};

	(void)mem;
	(void)size;
	(void)arg;
	(void)flags;
	if (uma_zone_stat(own, &st) != 0)
		return EINVAL;
	uma_zone_set_max(own, 5000 + (int)(st.allocs % 100));
	uma_zone_set_warning(own, "seen from a hook");
	switch (st.allocs % 4) {
	case 0:
		uma_zone_reclaim(own, UMA_RECLAIM_DRAIN_CPU);
		break;
	case 1:
		uma_reclaim(UMA_RECLAIM_TRIM);
		break;
	case 2:
		uma_prealloc(own, 1);
		break;
	default:
		uma_zdestroy(plain_zone("made in a hook", 64, 0, 0));
	}
	return 0;
}

START_TEST(a_ctor_may_make_every_other_call)
{
	own = uma_zcreate("looking", 64, ctor_that_looks_around, count_dtor,
	    count_init, count_fini, UMA_ALIGN_PTR, same_zone_flags[_i]);
	for (int i = 0; i < 200; i++)
		memset(items[i] = must_alloc(own, M_WAITOK), i, 64);
	books_assert(own, 200);
	for (int i = 0; i < 200; i++)
		ck_assert(is_filled(items[i], i, 64));
	free_many(own, items, 200);
	uma_zdestroy(own);
	ck_assert_int_eq(hooks.fini, hooks.init);
}
END_TEST

static int
init_that_reclaims(void *mem, int size, int flags)
{
	(void)mem;
	(void)size;
	(void)flags;
	hooks.init++;
	uma_zone_reclaim(own, UMA_RECLAIM_DRAIN_CPU);
	return 0;
}

START_TEST(an_init_may_reclaim_its_own_zone)
{
	own = uma_zcreate("reclaiming", 64, NULL, NULL, init_that_reclaims,
	    count_fini, UMA_ALIGN_PTR, same_zone_flags[_i]);
	for (int i = 0; i < 300; i++)
		memset(items[i] = must_alloc(own, M_WAITOK), i, 64);
	books_assert(own, 300);
	for (int i = 0; i < 300; i++)
		ck_assert(is_filled(items[i], i, 64));
	free_many(own, items, 300);
	uma_zdestroy(own);
	ck_assert_int_eq(hooks.fini, hooks.init);
}
END_TEST

static int
ctor_that_keeps_its_item_busy(void *mem, int size, void *arg, int flags)
{
	(void)size;
	(void)arg;
	(void)flags;
	/* The same zone, the same arguments: the outer item is not given. */
	if (depth > 0)
		return 0;
	depth++;
	void *p = uma_zalloc(own, M_NOWAIT);
	depth--;
	if (p == NULL)
		return ENOMEM;
	int same = p == mem;
	uma_zfree(own, p);
	return same ? EFAULT : EDOM;
}

START_TEST(a_failing_ctor_that_used_its_zone_leaves_all_as_it_was)
{
	own = uma_zcreate("busy", 64, ctor_that_keeps_its_item_busy, NULL,
	    count_init, count_fini, UMA_ALIGN_PTR, same_zone_flags[_i]);
	for (int i = 0; i < 1000; i++) {
		errno = 0;
		ck_assert_ptr_null(uma_zalloc(own, M_WAITOK));
		ck_assert_int_eq(errno, EDOM);
		books_assert(own, 0);
	}
	ck_assert_uint_eq(stat_of(own).allocs, 1000);
	ck_assert_uint_eq(stat_of(own).fails, 1000);
	uma_zdestroy(own);
	ck_assert_int_eq(hooks.fini, hooks.init);
}
END_TEST

/* ---- a sink is a hook as well ---- */

static int sink_calls;

static void
sink_that_allocates(void *arg, const char *line, size_t len)
{
	(void)arg;
	sink_calls++;
	ck_assert_uint_gt(len, 1);
	ck_assert_int_eq(line[len - 1], '\n');
	uma_zfree(own, must_alloc(own, M_WAITOK));
	books_assert(other, (uint64_t)uma_zone_get_cur(other));
}

START_TEST(a_sink_may_use_zones)
{
	own = plain_zone("of the sink", 64, UMA_ALIGN_PTR, 0);
	other = plain_zone("full", 2048, UMA_ALIGN_PTR, 0);
	int max = uma_zone_set_max(other, 2);

	uma_zone_set_warning(other, "full");
	uma_set_warning_sink(sink_that_allocates, NULL);
	take_many(other, items, (size_t)max);
	ck_assert_ptr_null(uma_zalloc(other, M_NOWAIT));
	ck_assert_int_eq(sink_calls, 1);
	free_many(other, items, (size_t)max);
	uma_zdestroy(other);
	books_assert(own, 0);
	uma_zdestroy(own);
}
END_TEST

static Suite *
suite(void)
{
	const int n = (int)(sizeof same_zone_flags / sizeof *same_zone_flags);
	Suite *s = suite_create("hooks that use zones");
	TCase *tc = tcase_create("other zones");

	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, ctor_and_dtor_may_use_another_zone);
	tcase_add_test(
	    tc, a_ctor_that_finds_the_other_zone_full_fails_with_its_errno);
	tcase_add_test(tc, init_and_fini_may_use_another_zone);
	tcase_add_test(tc, a_sink_may_use_zones);
	suite_add_tcase(s, tc);

	tc = tcase_create("the same zone");
	tcase_set_timeout(tc, 30);
	tcase_add_loop_test(tc, ctor_and_dtor_may_use_their_own_zone, 0, n);
	tcase_add_loop_test(
	    tc, a_chain_that_meets_the_limit_unwinds_completely, 0, n);
	tcase_add_loop_test(tc, init_may_use_its_own_zone, 0, n);
	tcase_add_loop_test(
	    tc, fini_may_use_its_own_zone_during_a_reclaim, 0, n);
	tcase_add_loop_test(tc, a_ctor_may_make_every_other_call, 0, n);
	tcase_add_loop_test(tc, an_init_may_reclaim_its_own_zone, 0, n);
	tcase_add_loop_test(
	    tc, a_failing_ctor_that_used_its_zone_leaves_all_as_it_was, 0, n);
	suite_add_tcase(s, tc);
	return s;
}

int
main(void)
{
	return test_run(suite());
}
