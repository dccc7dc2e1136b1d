/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hits that are inlined and hits that are called, in one zone: every promise
 * holds and every count is exact, whoever took an item and whoever frees it.
 */
#define _GNU_SOURCE
#include <uma/inline.h>

#include "threads.h"

#define SIZE  200
#define MANY  20000
#define TURNS LOAD(200000)

/* In parentheses, or by its address, a name is the function's. */
#define CALL_ALLOC(z, flags) ((uma_zalloc)(z, flags))
#define CALL_FREE(z, item)   ((uma_zfree)(z, item))

static int ctors, dtors, ctor_error;

static int
count_ctor(void *mem, int size, void *arg, int flags)
{
	(void)size;
	(void)flags;
	if (ctor_error != 0)
		return ctor_error;
	ctors++;
	*(void **)mem = arg;
	return 0;
}

static void
count_dtor(void *mem, int size, void *arg)
{
	(void)size;
	ck_assert_ptr_eq(*(void **)mem, arg);
	dtors++;
}

static uma_zone_t
make_zone(uma_ctor ctor, uma_dtor dtor, uint32_t flags)
{
	uma_zone_t z = uma_zcreate(
	    "inline", SIZE, ctor, dtor, NULL, NULL, UMA_ALIGN_PTR, flags);

	ck_assert_ptr_nonnull(z);
	return z;
}

/* Allocate and free in a random order, each way by chance. */
struct turn {
	uma_zone_t zone;
	void *_Atomic *place;
	uint64_t seed;
	long allocs;
};

static void *
take(uma_zone_t z, uint64_t how)
{
	switch (how % 4) {
	case 0:
		return uma_zalloc(z, M_WAITOK);
	case 1:
		return uma_zalloc_arg(z, NULL, M_NOWAIT);
	case 2:
		return CALL_ALLOC(z, M_NOWAIT);
	default:
		return uma_zalloc(z, M_WAITOK | (how & M_ZERO));
	}
}

static void
give(uma_zone_t z, void *item, uint64_t how)
{
	switch (how % 3) {
	case 0:
		uma_zfree(z, item);
		break;
	case 1:
		uma_zfree_arg(z, item, NULL);
		break;
	default:
		CALL_FREE(z, item);
	}
}

static void *
turns(void *arg)
{
	struct turn *t = arg;
	uint64_t *items[300];
	size_t n = 0;

	for (long i = 0; i < TURNS; i++) {
		uint64_t how = test_rand(&t->seed);

		if (n == 300 || (n > 0 && how & 1 << 20)) {
			n--;
			MUST(*items[n] == (uintptr_t)items[n], "not mine");
			void *item = atomic_exchange(t->place, items[n]);
			give(t->zone, item, how);
		} else {
			items[n] = take(t->zone, how);
			MUST(items[n] != NULL, "no item");
			*items[n] = (uintptr_t)items[n];
			t->allocs++;
			n++;
		}
	}
	for (; n > 0; n--)
		give(t->zone, items[n - 1], n);
	return NULL;
}

/* ---- tests ---- */

START_TEST(called_and_inlined_hits_share_a_zone_with_exact_counts)
{
	enum { THREADS = 4 };
	uma_zone_t z = make_zone(NULL, NULL, 0);
	void *_Atomic place = NULL;
	struct turn t[THREADS];
	pthread_t thread[THREADS];
	uint64_t seed = test_seed("test_inline"), allocs = 0;

	for (int i = 0; i < THREADS; i++) {
		t[i] = (struct turn){z, &place, test_rand(&seed), 0};
		thread[i] = thread_start(turns, &t[i]);
	}
	for (int i = 0; i < THREADS; i++) {
		thread_join(thread[i]);
		allocs += (uint64_t)t[i].allocs;
	}
	ck_assert_uint_eq(stat_of(z).used, place != NULL);
	uma_zfree(z, place);
	struct uma_zone_stat st = stat_of(z);
	ck_assert_uint_eq(st.allocs, allocs);
	ck_assert_uint_eq(st.frees, allocs);
	ck_assert_uint_eq(st.fails, 0);
	uma_zdestroy(z);
}
END_TEST

START_TEST(hooks_run_once_for_each_inlined_call)
{
	uma_zone_t z = make_zone(count_ctor, count_dtor, 0);
	static void *items[MANY];

	for (int i = 0; i < MANY; i++) {
		items[i] = uma_zalloc_arg(z, &items[i], M_NOWAIT);
		ck_assert_ptr_nonnull(items[i]);
	}
	ck_assert_int_eq(ctors, MANY);
	for (int i = 0; i < MANY; i++)
		uma_zfree_arg(z, items[i], &items[i]);
	ck_assert_int_eq(dtors, MANY);
	uma_zfree(z, uma_zalloc(z, M_NOWAIT)); /* hooks get NULL */
	ck_assert_int_eq(ctors, MANY + 1);
	ck_assert_int_eq(dtors, MANY + 1);
	ctor_error = ENXIO;
	errno = 0;
	ck_assert_ptr_null(uma_zalloc(z, M_WAITOK));
	ck_assert_int_eq(errno, ENXIO);
	ck_assert_uint_eq(stat_of(z).allocs, MANY + 1);
	ck_assert_uint_eq(stat_of(z).used, 0);
	uma_zdestroy(z);
}
END_TEST

START_TEST(zero_clears_items_that_were_used)
{
	uma_zone_t z = make_zone(NULL, NULL, 0);
	static const unsigned char zero[SIZE];

	for (int i = 0; i < MANY; i++) {
		unsigned char *item = uma_zalloc(z, M_NOWAIT | M_ZERO);

		ck_assert_ptr_nonnull(item);
		if (memcmp(item, zero, SIZE) != 0)
			ck_abort_msg("item %d is not zero", i);
		memset(item, 0xa5, SIZE);
		uma_zfree(z, item);
	}
	ck_assert_uint_eq(stat_of(z).allocs, MANY);
	uma_zdestroy(z);
}
END_TEST

START_TEST(nothing_is_freed_for_null)
{
	uma_zone_t plain = make_zone(NULL, NULL, 0);
	uma_zone_t hooked = make_zone(NULL, count_dtor, 0);

	uma_zfree(plain, NULL);
	uma_zfree_arg(plain, NULL, NULL);
	uma_zfree(hooked, NULL);
	ck_assert_int_eq(dtors, 0);
	void *item = uma_zalloc(plain, M_NOWAIT);
	ck_assert_ptr_nonnull(item);
	uma_zfree(plain, item);
	uma_zdestroy(plain);
	uma_zdestroy(hooked);
}
END_TEST

START_TEST(a_full_zone_refuses_an_inlined_call)
{
	uma_zone_t z = make_zone(NULL, NULL, 0);
	int max = uma_zone_set_max(z, 100), n = 0;
	static void *items[MANY];

	while ((items[n] = uma_zalloc(z, M_NOWAIT)) != NULL)
		n++;
	ck_assert_int_eq(n, max);
	ck_assert_int_eq(errno, ENOMEM);
	while (n > 0)
		uma_zfree(z, items[--n]);
	ck_assert_uint_eq(stat_of(z).allocs, (uint64_t)max);
	ck_assert_uint_eq(stat_of(z).fails, 1);
	uma_zdestroy(z);
}
END_TEST

START_TEST(a_zone_without_buckets_counts_as_well)
{
	uma_zone_t z = make_zone(NULL, NULL, UMA_ZONE_NOBUCKET);

	for (int i = 0; i < 1000; i++)
		uma_zfree(z, uma_zalloc(z, M_NOWAIT));
	ck_assert_uint_eq(stat_of(z).allocs, 1000);
	ck_assert_uint_eq(stat_of(z).free_cached, 0);
	uma_zdestroy(z);
}
END_TEST

START_TEST(a_name_alone_is_the_function)
{
	void *(*take_one)(uma_zone_t, int) = &uma_zalloc;
	void (*give_one)(uma_zone_t, void *) = uma_zfree;
	uma_zone_t z = make_zone(NULL, NULL, 0);
	void *item = take_one(z, M_NOWAIT);

	ck_assert_ptr_nonnull(item);
	give_one(z, item);
	ck_assert_ptr_eq(uma_zalloc(z, M_NOWAIT), item);
	uma_zfree(z, item);
	uma_zdestroy(z);
	ck_assert_int_eq(uma_inline_abi_1(), UMA_INLINE_ABI);
}
END_TEST

static void
free_twice(void *arg)
{
	uma_zone_t z = make_zone(NULL, NULL, 0);
	void *item = uma_zalloc(z, M_WAITOK);

	(void)arg;
	uma_zfree(z, item);
	uma_zfree(z, item);
}

START_TEST(an_item_freed_twice_in_a_row_is_found)
{
	test_expect_abort(free_twice, NULL, "double free");
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("inline");
	TCase *tc = tcase_create("calls");

	tcase_set_timeout(tc, TEST_TIMEOUT);
	tcase_add_test(
	    tc, called_and_inlined_hits_share_a_zone_with_exact_counts);
	tcase_add_test(tc, hooks_run_once_for_each_inlined_call);
	tcase_add_test(tc, zero_clears_items_that_were_used);
	tcase_add_test(tc, nothing_is_freed_for_null);
	tcase_add_test(tc, a_full_zone_refuses_an_inlined_call);
	tcase_add_test(tc, a_zone_without_buckets_counts_as_well);
	tcase_add_test(tc, a_name_alone_is_the_function);
	tcase_add_test(tc, an_item_freed_twice_in_a_row_is_found);
	suite_add_tcase(s, tc);
	return test_run(s);
}
