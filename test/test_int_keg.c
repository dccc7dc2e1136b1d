/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which slabs a keg takes items from, which it gives back and when, and what
 * of a slab's memory it knows to be untouched.
 */
#include <uma.h>

#include "pages_int.h"
#include "slab_int.h"
#include "test.h"

enum { SIZE = 1000, MANY = 4000 };
static void *item[MANY];

/* Headers off the page, which no test here counts. */
static void *
header_alloc(size_t size)
{
	return meta_alloc(size, 0);
}

static void
header_free(void *header, size_t size)
{
	meta_free(header, size);
}

static uma_init init;
static uma_fini fini;

static struct keg *
keg_with(uint32_t flags)
{
	struct keg_config kc = {.kc_name = "tested",
	    .kc_size = SIZE,
	    .kc_align = 8,
	    .kc_flags = flags,
	    .kc_copies = 1,
	    .kc_init = init,
	    .kc_fini = fini,
	    .kc_header_alloc = header_alloc,
	    .kc_header_free = header_free};

	ck_assert_int_eq(pages_init(&(struct pages_config){0}), 0);
	struct keg *keg = keg_create(&kc);
	ck_assert_ptr_nonnull(keg);
	return keg;
}

static struct keg_stat
stat_of(struct keg *keg)
{
	struct keg_stat st;

	keg_stat(keg, &st);
	ck_assert(keg_is_valid(keg));
	return st;
}

static void
take(struct keg *keg, void **items, size_t n)
{
	int hook, got;

	for (; n > 0; n -= (size_t)got, items += got) {
		got = keg_import(keg, items,
		    (int)uma_min(n, (size_t)KEG_BATCH_MAX), 0, M_NOWAIT, &hook);
		ck_assert_int_gt(got, 0);
	}
}

static void
give(struct keg *keg, void **items, size_t n)
{
	for (size_t i = 0; i < n; i++)
		keg_release(keg, "tested", &items[i], 1);
}

/* A whole keg_idle. */
static size_t
idle(struct keg *keg)
{
	size_t len = 0;

	ck_assert(keg_idle(keg, INT64_MAX, &len));
	return len;
}

/* The number of the slab of so many items that one is in. */
static size_t
slab_of(const void *p, size_t items_a_slab)
{
	for (size_t i = 0; i < MANY; i++)
		if (item[i] == p)
			return i / items_a_slab;
	return SIZE_MAX;
}

/* As when a slab changed hands between the hint and the look. */
START_TEST(an_item_is_nothing_to_another_keg)
{
	struct keg *keg = keg_with(0), *other = keg_with(0);
	struct keg_item it;
	void *one;

	take(keg, &one, 1);
	ck_assert_ptr_eq(keg_hint(one), keg);
	ck_assert(keg_whatis(keg, one, &it));
	ck_assert_ptr_eq(it.ki_item, one);
	ck_assert(!keg_whatis(other, one, &it));
	give(keg, &one, 1);
}
END_TEST

START_TEST(items_come_from_the_fullest_slab)
{
	struct keg *keg = keg_with(0);
	size_t n = stat_of(keg).ks_slab_items;
	void *again[3];

	ck_assert_uint_le(4 * n, MANY);
	take(keg, item, 4 * n);
	/* Slab 0 loses nearly all, 1 and 3 more than a half, 2 three items. */
	give(keg, item, n - 1);
	give(keg, item + n, n / 2 + 1);
	give(keg, item + 2 * n, 3);
	give(keg, item + 3 * n, n / 2 + 1);

	take(keg, again, 3);
	for (int i = 0; i < 3; i++)
		ck_assert_uint_eq(slab_of(again[i], n), 2);
	take(keg, again, 1);
	ck_assert_uint_ne(slab_of(again[0], n), 0);
}
END_TEST

START_TEST(an_empty_slab_is_the_last_to_be_used)
{
	struct keg *keg = keg_with(0);
	size_t n = stat_of(keg).ks_slab_items;
	void *again[1];

	take(keg, item, 2 * n);
	give(keg, item, n);
	give(keg, item + n, n - 1);
	take(keg, again, 1);
	ck_assert_uint_eq(slab_of(again[0], n), 1);
	ck_assert_uint_eq(keg_reclaim(keg, -1, false) & 4095, 0);
	ck_assert_uint_eq(stat_of(keg).ks_slabs, 1);
}
END_TEST

START_TEST(empty_slabs_are_idle_after_a_whole_period_without_need)
{
	struct keg *keg = keg_with(0);
	size_t n = stat_of(keg).ks_slab_items;

	take(keg, item, 4 * n);
	give(keg, item, 3 * n);
	/* Before this there was no empty slab: a period begins. */
	ck_assert_uint_eq(idle(keg), 0);
	ck_assert_uint_eq(stat_of(keg).ks_slabs, 4);
	/* Two of three are needed in it, one is not. */
	take(keg, item, 2 * n);
	give(keg, item, 2 * n);
	ck_assert_uint_eq(idle(keg), stat_of(keg).ks_slab_size);
	ck_assert_uint_eq(stat_of(keg).ks_slabs, 3);
	/* Nothing is needed. */
	ck_assert_uint_eq(idle(keg), 2 * stat_of(keg).ks_slab_size);
	ck_assert_uint_eq(stat_of(keg).ks_slabs, 1);
	ck_assert_uint_eq(idle(keg), 0);
}
END_TEST

static int inits, finis;

static int
count_init(void *mem, int size, int flags)
{
	(void)mem;
	(void)size;
	(void)flags;
	inits++;
	return 0;
}

START_TEST(preallocated_slabs_are_not_idle_before_their_first_use)
{
	struct keg *keg = keg_with(0);
	size_t n = stat_of(keg).ks_slab_items;
	bool hook;
	int made;

	ck_assert_int_eq(keg_prealloc(keg, (int)(2 * n), 0, &made, &hook), 0);
	for (int i = 0; i < 3; i++)
		ck_assert_uint_eq(idle(keg), 0);
	take(keg, item, n + 1);
	ck_assert_uint_eq(stat_of(keg).ks_slabs, 2);
	give(keg, item, n + 1);
	ck_assert_uint_eq(idle(keg), 0);
	ck_assert_uint_eq(idle(keg), 2 * stat_of(keg).ks_slab_size);

	ck_assert_int_eq(keg_prealloc(keg, 1, 0, &made, &hook), 0);
	ck_assert_uint_gt(keg_reclaim(keg, -1, false), 0);
	ck_assert_uint_eq(stat_of(keg).ks_slabs, 0);
}
END_TEST

static struct keg *own;

static void
use_own_keg(void *mem, int size)
{
	void *p;

	(void)mem;
	(void)size;
	take(own, &p, 1);
	give(own, &p, 1);
	ck_assert_int_lt(++finis, 100000);
}

START_TEST(a_fini_may_use_its_own_keg)
{
	init = count_init;
	fini = use_own_keg;
	own = keg_with(0);
	size_t n = stat_of(own).ks_slab_items;

	take(own, item, n);
	give(own, item, n);
	keg_reclaim(own, -1, false);
	ck_assert_int_eq(finis, (int)n);
}
END_TEST

START_TEST(free_pages_of_a_slab_are_idle_when_it_has_not_changed)
{
	struct keg *keg = keg_with(0);
	size_t n = stat_of(keg).ks_slab_items;
	void *again[1];

	take(keg, item, n);
	give(keg, item, n - 1);
	/* It has just changed. */
	ck_assert_uint_eq(idle(keg), 0);
	take(keg, again, 1);
	ck_assert_uint_eq(idle(keg), 0);
	ck_assert_uint_ge(idle(keg), (n - 2) * SIZE - 3 * 4096);
	ck_assert_uint_eq(idle(keg), 0);
	ck_assert_uint_eq(stat_of(keg).ks_slabs, 1);
	ck_assert_uint_eq(stat_of(keg).ks_free, n - 2);
}
END_TEST

START_TEST(idle_memory_that_takes_too_long_goes_in_parts)
{
	struct keg *keg = keg_with(0);
	size_t n = stat_of(keg).ks_slab_items, len = 0;
	int calls = 0;

	take(keg, item, MANY / n * n);
	/* One item stays in every slab but the last two. */
	for (size_t i = 0; i < MANY / n * n; i++)
		if (i % n != 0 || i / n >= MANY / n - 2)
			give(keg, item + i, 1);
	ck_assert_uint_eq(idle(keg), 0);
	while (!keg_idle(keg, calls < 10 ? 0 : uma_now_ns() + 20000, &len)) {
		ck_assert(calls >= 10 || len == 0);
		ck_assert_int_lt(++calls, 100000);
	}
	ck_assert_int_ge(calls, 10);
	ck_assert_uint_ge(len, MANY * (size_t)SIZE / 10 * 8);
	ck_assert_uint_eq(stat_of(keg).ks_slabs, MANY / n - 2);
}
END_TEST

START_TEST(a_keg_that_never_frees_keeps_its_idle_slabs)
{
	struct keg *keg = keg_with(UMA_ZONE_NOFREE);
	size_t n = stat_of(keg).ks_slab_items;

	take(keg, item, n);
	give(keg, item, n);
	for (int i = 0; i < 3; i++)
		ck_assert_uint_eq(idle(keg), 0);
	ck_assert_uint_eq(keg_reclaim(keg, -1, false), 0);
	ck_assert_uint_eq(stat_of(keg).ks_slabs, 1);
}
END_TEST

START_TEST(a_slab_of_which_little_was_used_leaves_little_to_clean)
{
	struct keg *keg = keg_with(0);
	struct pages_stat before, after;

	pages_release();
	pages_stat(&before);
	take(keg, item, 1);
	memset(item[0], 1, SIZE);
	give(keg, item, 1);
	ck_assert_uint_gt(stat_of(keg).ks_slab_size, 4 * 4096);
	ck_assert_uint_gt(keg_reclaim(keg, -1, false), 0);
	pages_stat(&after);
	ck_assert_uint_ge(after.ps_dirty - before.ps_dirty, 4096);
	ck_assert_uint_le(after.ps_dirty - before.ps_dirty, 2 * 4096);
}
END_TEST

static int refuse_from;

static int
dirty_and_refuse(void *mem, int size, int flags)
{
	(void)flags;
	for (int i = 0; i < size; i++)
		ck_assert_int_eq(((char *)mem)[i], 0);
	memset(mem, 0x5a, (size_t)size);
	return --refuse_from < 0 ? EAGAIN : 0;
}

START_TEST(an_item_whose_init_failed_is_zero_for_the_next_init)
{
	int hook;

	init = dirty_and_refuse;
	refuse_from = 3;
	struct keg *keg = keg_with(0);
	ck_assert_int_eq(keg_import(keg, item, 8, 0, M_NOWAIT, &hook), 3);
	ck_assert_int_eq(hook, EAGAIN);
	refuse_from = INT_MAX;
	take(keg, item + 3, 8);
}
END_TEST

static void
count_fini(void *mem, int size)
{
	(void)mem;
	(void)size;
	finis++;
}

START_TEST(a_page_goes_when_all_its_items_are_free_and_with_their_fini)
{
	init = count_init;
	fini = count_fini;
	struct keg *keg = keg_with(0);
	size_t n = stat_of(keg).ks_slab_items;

	take(keg, item, n);
	ck_assert_int_eq(inits, (int)n);
	/* Every item of the first half of the slab, but the first. */
	give(keg, item + 1, n / 2);
	size_t got = keg_reclaim(keg, -1, false);
	ck_assert_uint_ge(got, (n / 2 * SIZE / 4096 - 2) * 4096);
	ck_assert_uint_le(got, (n / 2 + 1) * SIZE);
	ck_assert_int_ge(finis, (int)(got / SIZE));
	/* What stayed ready, does. */
	ck_assert_int_le(finis, (int)(n / 2));
	int kept = (int)(n / 2) - finis;
	ck_assert_uint_eq(keg_reclaim(keg, -1, false), 0);
	take(keg, item + 1, n / 2);
	ck_assert_int_eq(inits, (int)n + (int)(n / 2) - kept);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("keg");
	TCase *tc = tcase_create("slabs");

	suite_add_tcase(s, tc);
	tcase_add_test(tc, an_item_is_nothing_to_another_keg);
	tcase_add_test(tc, items_come_from_the_fullest_slab);
	tcase_add_test(tc, an_empty_slab_is_the_last_to_be_used);
	tcase_add_test(
	    tc, empty_slabs_are_idle_after_a_whole_period_without_need);
	tcase_add_test(
	    tc, preallocated_slabs_are_not_idle_before_their_first_use);
	tcase_add_test(tc, a_fini_may_use_its_own_keg);
	tcase_add_test(
	    tc, free_pages_of_a_slab_are_idle_when_it_has_not_changed);
	tcase_add_test(tc, idle_memory_that_takes_too_long_goes_in_parts);
	tcase_add_test(tc, a_keg_that_never_frees_keeps_its_idle_slabs);
	tcase_add_test(
	    tc, a_slab_of_which_little_was_used_leaves_little_to_clean);
	tcase_add_test(tc, an_item_whose_init_failed_is_zero_for_the_next_init);
	tcase_add_test(
	    tc, a_page_goes_when_all_its_items_are_free_and_with_their_fini);
	return s;
}

int
main(void)
{
	return test_run(suite());
}
