/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The statements of the original manual page, first part: the interface, the
 * nature of zones and items, hooks, names.  The row numbers are those of the
 * table that takes the page sentence by sentence.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <sys/param.h>
#include <sys/queue.h>
#include <uma.h>

#include <limits.h>
#include <pthread.h>

#include "books.h"

#define MANY 20000

static void *items[MANY];

/* ---- before main ---- */

static uma_zone_t early_zone;
static unsigned char *early_item;
static int early_zeroed;

__attribute__((constructor(101))) static void
allocate_before_main(void)
{
	early_zone =
	    uma_zcreate("early", 200, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);
	if (early_zone == NULL)
		return;
	early_item = uma_zalloc(early_zone, M_WAITOK);
	if (early_item == NULL)
		return;
	early_zeroed = is_filled(early_item, 0, 200);
	memset(early_item, 0x3c, 200);
}

/* row 1 */
START_TEST(every_name_of_the_page_can_be_called)
{
	uma_zone_t z = uma_zcreate("names", 40, NULL, NULL, NULL, NULL,
	    UMA_ALIGN_PTR, UMA_ZONE_REFCNT);

	ck_assert_ptr_nonnull(z);
	void *a = uma_zalloc(z, M_NOWAIT);
	void *b = uma_zalloc_arg(z, NULL, M_WAITOK);
	ck_assert_ptr_nonnull(a);
	ck_assert_ptr_nonnull(b);
	ck_assert_ptr_ne(a, b);
	ck_assert_uint_eq(*uma_find_refcnt(z, a), 0);
	ck_assert_int_ge(uma_zone_set_max(z, 10), 10);
	ck_assert_int_ge(uma_zone_get_max(z), 10);
	ck_assert_int_eq(uma_zone_get_cur(z), 2);
	uma_zone_set_warning(z, "full");
	uma_zfree(z, a);
	uma_zfree_arg(z, b, NULL);
	ck_assert_int_eq(uma_zone_get_cur(z), 0);
	uma_zdestroy(z);
}
END_TEST

struct listed {
	LIST_ENTRY(listed) link;
	int number;
};
LIST_HEAD(listed_head, listed);

/* row 2 */
START_TEST(the_headers_of_the_page_work_together)
{
	struct listed_head head = LIST_HEAD_INITIALIZER(head);
	struct listed *e;
	int sum = 0;
	uma_zone_t z =
	    plain_zone("listed", sizeof *e, UMA_ALIGNOF(struct listed), 0);

	for (int i = 1; i <= 10; i++) {
		e = must_alloc(z, M_WAITOK);
		e->number = MIN(i, 5);
		LIST_INSERT_HEAD(&head, e, link);
	}
	while ((e = LIST_FIRST(&head)) != NULL) {
		sum += e->number;
		LIST_REMOVE(e, link);
		uma_zfree(z, e);
	}
	ck_assert_int_eq(sum, 1 + 2 + 3 + 4 + 6 * 5);
	books_assert(z, 0);
	uma_zdestroy(z);
}
END_TEST

/* row 3 */
START_TEST(zcreate_takes_the_arguments_of_old_callers)
{
	char name[] = "old caller";
	int size = 24;
	int align = UMA_ALIGN_PTR;
	uint16_t flags = UMA_ZONE_ZINIT | UMA_ZONE_NOFREE;
	uma_zone_t z = uma_zcreate(
	    name, size, count_ctor, count_dtor, NULL, count_fini, align, flags);

	ck_assert_ptr_nonnull(z);
	void *p = uma_zalloc(z, M_WAITOK);
	ck_assert_ptr_nonnull(p);
	ck_assert(is_filled(p, 0, 24));
	ck_assert_int_eq(hooks.ctor, 1);
	ck_assert_int_eq(hooks.last_size, 24);
	uma_zfree(z, p);
	ck_assert_int_eq(hooks.dtor, 1);
	uma_zdestroy(z);
}
END_TEST

/* row 3 */
START_TEST(all_flags_of_the_page_fit_in_sixteen_bits)
{
	uint32_t all = UMA_ZONE_NOFREE | UMA_ZONE_REFCNT | UMA_ZONE_NODUMP |
		       UMA_ZONE_PCPU | UMA_ZONE_OFFPAGE | UMA_ZONE_ZINIT |
		       UMA_ZONE_HASH | UMA_ZONE_VTOSLAB | UMA_ZONE_MALLOC |
		       UMA_ZONE_VM;

	ck_assert_uint_eq(all, (uint16_t)all);
	ck_assert_int_eq(__builtin_popcount(all), 10);
}
END_TEST

/* row 4 */
START_TEST(the_item_calls_have_the_types_of_the_page)
{
	void *(*volatile alloc)(uma_zone_t, int) = uma_zalloc;
	void *(*volatile alloc_arg)(uma_zone_t, void *, int) = uma_zalloc_arg;
	void (*volatile release)(uma_zone_t, void *) = uma_zfree;
	void (*volatile release_arg)(uma_zone_t, void *, void *) =
	    uma_zfree_arg;
	void (*volatile destroy)(uma_zone_t) = uma_zdestroy;
	uma_zone_t z = plain_zone("types", 16, 0, 0);

	void *a = alloc(z, M_WAITOK), *b = alloc_arg(z, z, M_WAITOK);
	ck_assert_ptr_nonnull(a);
	ck_assert_ptr_nonnull(b);
	release(z, a);
	release_arg(z, b, z);
	books_assert(z, 0);
	destroy(z);
}
END_TEST

/* row 5 */
START_TEST(find_refcnt_has_the_type_of_the_page)
{
	uint32_t *(*volatile find)(uma_zone_t, void *) = uma_find_refcnt;
	uma_zone_t z = plain_zone("refcnt type", 16, 0, UMA_ZONE_REFCNT);
	void *p = must_alloc(z, M_WAITOK);

	uint32_t *count = find(z, p);
	ck_assert_uint_eq(*count, 0);
	*count = UINT32_MAX;
	ck_assert_uint_eq(*find(z, p), UINT32_MAX);
	uma_zfree(z, p);
	uma_zdestroy(z);
}
END_TEST

/* row 6 */
START_TEST(the_limit_calls_have_the_types_of_the_page)
{
	int (*volatile set_max)(uma_zone_t, int) = uma_zone_set_max;
	int (*volatile get_max)(uma_zone_t) = uma_zone_get_max;
	int (*volatile get_cur)(uma_zone_t) = uma_zone_get_cur;
	void (*volatile set_warning)(uma_zone_t, const char *) =
	    uma_zone_set_warning;
	uma_zone_t z = plain_zone("limit types", 16, 0, 0);

	int n = set_max(z, 1);
	ck_assert_int_ge(n, 1);
	ck_assert_int_eq(get_max(z), n);
	ck_assert_int_eq(get_cur(z), 0);
	set_warning(z, "no more");
	set_warning(z, NULL);
	uma_zdestroy(z);
}
END_TEST

/* row 8 */
START_TEST(a_zone_grows_and_shrinks_with_its_demand)
{
	uma_zone_t z = plain_zone("dynamic", 100, UMA_ALIGN_PTR, 0);

	ck_assert_uint_eq(stat_of(z).slabs, 0);
	take_many(z, items, MANY);
	uint64_t full = stat_of(z).slabs * stat_of(z).slab_size;
	ck_assert_uint_ge(full, (uint64_t)MANY * 100);
	/* Efficient: 104 bytes a slot, little waste in a slab. */
	ck_assert_uint_le(full, (uint64_t)MANY * 104 * 106 / 100 + (256 << 10));
	free_many(z, items, MANY);
	uma_zone_reclaim(z, UMA_RECLAIM_DRAIN_CPU);
	ck_assert_uint_eq(stat_of(z).slabs, 0);
	uma_zdestroy(z);
}
END_TEST

/* row 9 */
START_TEST(zones_work_before_main)
{
	ck_assert_ptr_nonnull(early_zone);
	ck_assert_ptr_nonnull(early_item);
	ck_assert(early_zeroed);
	ck_assert(is_filled(early_item, 0x3c, 200));
	books_assert(early_zone, 1);
	uma_zfree(early_zone, early_item);
	books_assert(early_zone, 0);
	uma_zdestroy(early_zone);
}
END_TEST

/* row 10 */
START_TEST(a_zone_tracks_which_items_are_in_use)
{
	uma_zone_t z = plain_zone("tracked", 48, UMA_ALIGN_PTR, 0);

	for (int i = 0; i < 1000; i++) {
		items[i] = must_alloc(z, M_WAITOK);
		memset(items[i], i, 48);
		ck_assert_int_eq(uma_zone_get_cur(z), i + 1);
	}
	books_assert(z, 1000);
	for (int i = 0; i < 1000; i += 2)
		uma_zfree(z, items[i]);
	books_assert(z, 500);
	/* The released ones are available again, the others untouched. */
	for (int i = 0; i < 1000; i += 2)
		memset(items[i] = must_alloc(z, M_WAITOK), i, 48);
	for (int i = 0; i < 1000; i++)
		ck_assert(is_filled(items[i], i, 48));
	books_assert(z, 1000);
	free_many(z, items, 1000);
	uma_zdestroy(z);
}
END_TEST

/* row 10 */
START_TEST(all_items_of_a_zone_have_its_size_and_alignment)
{
	static const struct {
		size_t size;
		int align;
	} shape[] = {{1, 0}, {1, 7}, {3, 1}, {17, 15}, {100, 63}, {4096, 4095},
	    {5000, 7}, {70000, 4095}, {64, UMA_ALIGN_MAX}};

	for (size_t s = 0; s < sizeof shape / sizeof *shape; s++) {
		uma_zone_t z =
		    plain_zone("shape", shape[s].size, shape[s].align, 0);
		ck_assert_uint_eq(stat_of(z).item_size, shape[s].size);
		ck_assert_uint_ge(stat_of(z).stride, shape[s].size);
		for (int i = 0; i < 20; i++) {
			items[i] = must_alloc(z, M_WAITOK);
			memset(items[i], i + 1, shape[s].size);
			ck_assert_uint_eq(
			    (uintptr_t)items[i] & (uintptr_t)shape[s].align, 0);
		}
		for (int i = 0; i < 20; i++)
			ck_assert(is_filled(items[i], i + 1, shape[s].size));
		free_many(z, items, 20);
		uma_zdestroy(z);
	}
}
END_TEST

static const size_t content_sizes[] = {
    1, 7, 8, 16, 24, 64, 100, 256, 1000, 1024, 4096, 5000, 20000, 65536};

/* row 11 */
START_TEST(the_first_allocation_of_an_item_is_zeroed)
{
	size_t size = content_sizes[_i];
	uma_zone_t z = plain_zone("first", size, UMA_ALIGN_CHAR, 0);

	for (int i = 0; i < 200; i++) {
		items[i] = must_alloc(z, M_WAITOK);
		ck_assert(is_filled(items[i], 0, size));
		memset(items[i], 0xff, size);
	}
	free_many(z, items, 200);
	uma_zdestroy(z);
}
END_TEST

/* row 11 */
START_TEST(memory_that_another_zone_dirtied_is_zeroed_first)
{
	size_t size = content_sizes[_i];

	for (int round = 0; round < 3; round++) {
		uma_zone_t z =
		    plain_zone("second hand", size + (size_t)round, 0, 0);
		for (int i = 0; i < 200; i++) {
			items[i] = must_alloc(z, M_WAITOK);
			ck_assert(is_filled(items[i], 0, size + (size_t)round));
			memset(items[i], 0xa5, size + (size_t)round);
		}
		free_many(z, items, 200);
		uma_zdestroy(z);
	}
}
END_TEST

/* row 11 */
START_TEST(an_item_whose_slab_went_back_is_zeroed_again)
{
	size_t size = content_sizes[_i];
	uma_zone_t z = plain_zone("reclaimed", size, 0, 0);

	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 100; i++) {
			items[i] = must_alloc(z, M_WAITOK);
			ck_assert(is_filled(items[i], 0, size));
			memset(items[i], 0x77, size);
		}
		free_many(z, items, 100);
		uma_zone_reclaim(z, UMA_RECLAIM_DRAIN_CPU);
		ck_assert_uint_eq(stat_of(z).slabs, 0);
	}
	uma_zdestroy(z);
}
END_TEST

static bool
was_seen(void **v, int n, void *p)
{
	for (int i = 0; i < n; i++)
		if (v[i] == p)
			return true;
	return false;
}

/* row 12 */
START_TEST(later_allocations_keep_what_the_last_free_left)
{
	size_t size = content_sizes[_i];
	uma_zone_t z = plain_zone("kept", size, 0, 0);
	int reused = 0;

	take_many(z, items, 300);
	for (int i = 0; i < 300; i++)
		memset(items[i], 0xb6, size);
	free_many(z, items, 300);
	for (int i = 0; i < 300; i++) {
		void *p = must_alloc(z, M_WAITOK);

		items[300 + i] = p;
		if (was_seen(items, 300, p)) {
			reused++;
			ck_assert(is_filled(p, 0xb6, size));
		} else
			ck_assert(is_filled(p, 0, size));
	}
	ck_assert_int_gt(reused, 0);
	free_many(z, items + 300, 300);
	uma_zdestroy(z);
}
END_TEST

/* row 12 */
START_TEST(an_item_freed_to_its_slab_keeps_every_byte)
{
	size_t size = content_sizes[_i];
	uma_zone_t z = plain_zone("kept in slab", size, 0, 0);

	take_many(z, items, 50);
	for (int i = 0; i < 50; i++)
		memset(items[i], 0xc9, size);
	/* Every other item stays out, so that small items' slabs stay. */
	for (int i = 0; i < 50; i += 2)
		uma_zfree(z, items[i]);
	uma_zone_reclaim(z, UMA_RECLAIM_DRAIN_CPU);
	for (int i = 0; i < 50; i += 2) {
		void *p = must_alloc(z, M_WAITOK);

		items[50 + i] = p;
		if (was_seen(items, 50, p) && stat_of(z).slab_items > 50)
			ck_assert(is_filled(p, 0xc9, size));
		else
			ck_assert(
			    is_filled(p, 0xc9, size) || is_filled(p, 0, size));
	}
	for (int i = 0; i < 50; i += 2) {
		ck_assert(is_filled(items[i + 1], 0xc9, size));
		uma_zfree(z, items[i + 1]);
		uma_zfree(z, items[50 + i]);
	}
	uma_zdestroy(z);
}
END_TEST

/* row 13 */
START_TEST(the_name_is_shown_and_need_not_outlive_the_call)
{
	char name[] = "a short-lived name";
	uma_zone_t z = plain_zone(name, 8, 0, 0);

	memset(name, 'x', sizeof name - 1);
	ck_assert_str_eq(stat_of(z).name, "a short-lived name");
	uma_zdestroy(z);
}
END_TEST

/* row 13 */
START_TEST(long_names_are_cut_only_in_statistics)
{
	uma_zone_t z =
	    plain_zone("a name of more than thirty-one bytes", 8, 0, 0);

	ck_assert_str_eq(stat_of(z).name, "a name of more than thirty-one ");
	take_many(z, items, 2);
	catch_messages();
	uma_zdestroy(z);
	ck_assert_str_eq(said.text,
	    "uma: zone 'a name of more than thirty-one bytes': destroyed "
	    "with 2 items allocated\n");
	ck_assert(is_filled(items[0], 0, 8));
}
END_TEST

static long live_objects;

static int
object_ctor(void *mem, int size, void *arg, int flags)
{
	(void)mem;
	(void)size;
	(void)arg;
	(void)flags;
	live_objects++;
	return 0;
}

static void
object_dtor(void *mem, int size, void *arg)
{
	(void)mem;
	(void)size;
	(void)arg;
	live_objects--;
}

/* row 14 */
START_TEST(ctor_and_dtor_can_count_the_live_objects)
{
	uma_zone_t z = uma_zcreate("objects", 32, object_ctor, object_dtor,
	    NULL, NULL, UMA_ALIGN_PTR, 0);

	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 500; i++) {
			items[i] = must_alloc(z, M_WAITOK);
			ck_assert_int_eq(live_objects, i + 1);
		}
		for (int i = 500; i-- > 0;) {
			uma_zfree(z, items[i]);
			ck_assert_int_eq(live_objects, i);
		}
	}
	uma_zone_reclaim(z, UMA_RECLAIM_DRAIN_CPU);
	uma_zdestroy(z);
	ck_assert_int_eq(live_objects, 0);
}
END_TEST

struct guarded {
	pthread_mutex_t lock;
	int uses;
};

static int
guarded_init(void *mem, int size, int flags)
{
	struct guarded *g = mem;

	(void)size;
	(void)flags;
	hooks.init++;
	return pthread_mutex_init(&g->lock, NULL);
}

static void
guarded_fini(void *mem, int size)
{
	struct guarded *g = mem;

	(void)size;
	hooks.fini++;
	if (pthread_mutex_destroy(&g->lock) != 0)
		abort();
}

/* row 15 */
START_TEST(a_mutex_is_initialised_once_and_survives_many_uses)
{
	uma_zone_t z = uma_zcreate("guarded", sizeof(struct guarded), NULL,
	    NULL, guarded_init, guarded_fini, UMA_ALIGN_PTR, 0);

	for (int round = 0; round < 2000; round++) {
		struct guarded *g = must_alloc(z, M_WAITOK);

		ck_assert_int_eq(pthread_mutex_lock(&g->lock), 0);
		g->uses++;
		ck_assert_int_eq(pthread_mutex_unlock(&g->lock), 0);
		uma_zfree(z, g);
	}
	struct uma_zone_stat st = stat_of(z);
	ck_assert_int_ge(hooks.init, 1);
	ck_assert_int_le(hooks.init, (long)st.slab_items);
	ck_assert_int_eq(hooks.fini, 0);
	uma_zdestroy(z);
	ck_assert_int_eq(hooks.fini, hooks.init);
}
END_TEST

/* row 15 */
START_TEST(init_and_fini_run_in_batches_of_several_items)
{
	uma_zone_t z = uma_zcreate("batches", 64, NULL, NULL, count_init,
	    count_fini, UMA_ALIGN_PTR, 0);
	int calls_with_init = 0;

	for (int i = 0; i < 1000; i++) {
		long before = hooks.init;

		items[i] = must_alloc(z, M_WAITOK);
		calls_with_init += hooks.init != before;
	}
	ck_assert_int_ge(hooks.init, 1000);
	ck_assert_int_lt(calls_with_init, 500);
	free_many(z, items, 1000);
	ck_assert_int_eq(hooks.fini, 0);
	uma_zone_reclaim(z, UMA_RECLAIM_DRAIN_CPU);
	ck_assert_int_eq(hooks.fini, hooks.init);
	uma_zdestroy(z);
	ck_assert_int_eq(hooks.fini, hooks.init);
}
END_TEST

/* row 41 */
START_TEST(the_manual_credits_the_lineage)
{
	char path[512], text[200000];
	const char *slash = strrchr(__FILE__, '/');
	int dir = slash != NULL ? (int)(slash - __FILE__) : 1;

	snprintf(path, sizeof path, "%.*s/../man/uma.3", dir,
	    slash != NULL ? __FILE__ : ".");
	FILE *f = fopen(path, "r");
	ck_assert_msg(f != NULL, "%s: %s", path, strerror(errno));
	text[fread(text, 1, sizeof text - 1, f)] = '\0';
	fclose(f);
	ck_assert_ptr_nonnull(strstr(text, "Dyson"));
	ck_assert_ptr_nonnull(strstr(text, "Roberson"));
	ck_assert_ptr_nonnull(strstr(text, "3.0"));
	ck_assert_ptr_nonnull(strstr(text, "5.0"));
}
END_TEST

static Suite *
suite(void)
{
	const int sizes = (int)(sizeof content_sizes / sizeof *content_sizes);
	Suite *s = suite_create("the page: interface, items, hooks");
	TCase *tc = tcase_create("rows 1 to 15");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, every_name_of_the_page_can_be_called);
	tcase_add_test(tc, the_headers_of_the_page_work_together);
	tcase_add_test(tc, zcreate_takes_the_arguments_of_old_callers);
	tcase_add_test(tc, all_flags_of_the_page_fit_in_sixteen_bits);
	tcase_add_test(tc, the_item_calls_have_the_types_of_the_page);
	tcase_add_test(tc, find_refcnt_has_the_type_of_the_page);
	tcase_add_test(tc, the_limit_calls_have_the_types_of_the_page);
	tcase_add_test(tc, a_zone_grows_and_shrinks_with_its_demand);
	tcase_add_test(tc, zones_work_before_main);
	tcase_add_test(tc, a_zone_tracks_which_items_are_in_use);
	tcase_add_test(tc, all_items_of_a_zone_have_its_size_and_alignment);
	tcase_add_loop_test(
	    tc, the_first_allocation_of_an_item_is_zeroed, 0, sizes);
	tcase_add_loop_test(
	    tc, memory_that_another_zone_dirtied_is_zeroed_first, 0, sizes);
	tcase_add_loop_test(
	    tc, an_item_whose_slab_went_back_is_zeroed_again, 0, sizes);
	tcase_add_loop_test(
	    tc, later_allocations_keep_what_the_last_free_left, 0, sizes);
	tcase_add_loop_test(
	    tc, an_item_freed_to_its_slab_keeps_every_byte, 0, sizes);
	tcase_add_test(tc, the_name_is_shown_and_need_not_outlive_the_call);
	tcase_add_test(tc, long_names_are_cut_only_in_statistics);
	tcase_add_test(tc, ctor_and_dtor_can_count_the_live_objects);
	tcase_add_test(tc, a_mutex_is_initialised_once_and_survives_many_uses);
	tcase_add_test(tc, init_and_fini_run_in_batches_of_several_items);
	tcase_add_test(tc, the_manual_credits_the_lineage);
	suite_add_tcase(s, tc);
	return s;
}

int
main(void)
{
	return test_run(suite());
}
