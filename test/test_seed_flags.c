/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The statements of the original manual page, second part: what each zone
 * flag promises to a caller.  How a flag shows in a zone's numbers and
 * layout is in test_flags.c.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "books.h"

#define MANY 4000

static void *items[MANY];

/* row 16 */
START_TEST(nofree_slabs_never_go_back_before_destruction)
{
	uma_zone_t z = uma_zcreate("nofree", 256, NULL, NULL, count_init,
	    count_fini, UMA_ALIGN_PTR, UMA_ZONE_NOFREE);

	take_many(z, items, MANY);
	for (int i = 0; i < MANY; i++)
		memset(items[i], 0xd1, 256);
	free_many(z, items, MANY);
	uint64_t slabs = stat_of(z).slabs;
	uma_zone_reclaim(z, UMA_RECLAIM_TRIM);
	uma_zone_reclaim(z, UMA_RECLAIM_DRAIN);
	uma_zone_reclaim(z, UMA_RECLAIM_DRAIN_CPU);
	uma_reclaim(UMA_RECLAIM_DRAIN_CPU);
	ck_assert_uint_eq(stat_of(z).slabs, slabs);
	ck_assert_int_eq(hooks.fini, 0);
	/* The memory is the zone's own still: contents stay. */
	ck_assert(is_filled(items[MANY / 2], 0xd1, 256));
	uma_zdestroy(z);
	ck_assert_int_eq(hooks.fini, hooks.init);
}
END_TEST

/* row 17 */
START_TEST(each_item_of_a_refcnt_zone_has_its_own_counter)
{
	uma_zone_t z =
	    plain_zone("counted", 72, UMA_ALIGN_PTR, UMA_ZONE_REFCNT);

	take_many(z, items, 1000);
	for (uint32_t i = 0; i < 1000; i++) {
		ck_assert_uint_eq(*uma_find_refcnt(z, items[i]), 0);
		*uma_find_refcnt(z, items[i]) = i + 1;
		memset(items[i], 0xff, 72);
	}
	for (uint32_t i = 0; i < 1000; i++) {
		ck_assert_uint_eq(*uma_find_refcnt(z, items[i]), i + 1);
		ck_assert(is_filled(items[i], 0xff, 72));
	}
	free_many(z, items, 1000);
	uma_zdestroy(z);
}
END_TEST

/* row 18 */
START_TEST(nodump_pages_stay_out_of_dumps)
{
	uma_zone_t secret = plain_zone("secret", 4096, 0, UMA_ZONE_NODUMP);
	uma_zone_t open = plain_zone("open", 4096, 0, 0);

	take_many(secret, items, 100);
	take_many(open, items + 100, 100);
	for (int i = 0; i < 100; i++) {
		ck_assert(has_vmflag(items[i], "dd"));
		ck_assert(!has_vmflag(items[100 + i], "dd"));
	}
	free_many(secret, items, 100);
	free_many(open, items + 100, 100);
	uma_zdestroy(secret);
	uma_zdestroy(open);
}
END_TEST

/* row 19 */
START_TEST(a_pcpu_item_has_a_copy_a_cpu_at_the_documented_address)
{
	uma_zone_t z = plain_zone("pcpu", 64, UMA_ALIGN_PTR, UMA_ZONE_PCPU);
	int ncpus = uma_ncpus();

	ck_assert_int_ge(ncpus, (int)sysconf(_SC_NPROCESSORS_ONLN));
	for (int i = 0; i < 50; i++) {
		items[i] = must_alloc(z, M_WAITOK);
		for (int cpu = 0; cpu < ncpus; cpu++) {
			char *copy = (char *)items[i] +
				     (size_t)cpu * sizeof(struct pcpu);

			ck_assert_ptr_eq(zpcpu_get_cpu(items[i], cpu), copy);
			ck_assert(is_filled(copy, 0, 64));
			memset(copy, i * 3 + cpu, 64);
		}
	}
	for (int i = 0; i < 50; i++)
		for (int cpu = 0; cpu < ncpus; cpu++)
			ck_assert(is_filled(
			    zpcpu_get_cpu(items[i], cpu), i * 3 + cpu, 64));
	free_many(z, items, 50);
	uma_zdestroy(z);
}
END_TEST

/* row 19 */
START_TEST(zpcpu_get_is_the_running_cpu_s_copy)
{
	uma_zone_t foo_zone =
	    plain_zone("foo", sizeof(long), UMA_ALIGN_LONG, UMA_ZONE_PCPU);
	void *foo_base = must_alloc(foo_zone, M_WAITOK);
	int seen = 0;

	for (int cpu = 0; cpu < uma_ncpus(); cpu++) {
		if (!run_on_cpu(cpu))
			continue;
		long *foo_pcpu = (long *)zpcpu_get(foo_base);
		ck_assert_int_eq(uma_curcpu(), cpu);
		ck_assert_ptr_eq(foo_pcpu,
		    (char *)foo_base + (size_t)cpu * sizeof(struct pcpu));
		*foo_pcpu += cpu + 1;
		seen++;
	}
	ck_assert_int_ge(seen, 1);
	uma_zfree(foo_zone, foo_base);
	uma_zdestroy(foo_zone);
}
END_TEST

/* row 20 */
START_TEST(offpage_moves_the_bookkeeping_out_of_the_slab)
{
	/*
	 * Sixteen items fill a page to the last byte, so a header on the page
	 * costs an item of it.
	 */
	uma_zone_t on = plain_zone("on page", 256, 255, UMA_ZONE_VM);
	uma_zone_t off = plain_zone(
	    "off page", 256, 255, UMA_ZONE_OFFPAGE | UMA_ZONE_VTOSLAB);
	struct uma_zone_stat st_on = stat_of(on), st_off = stat_of(off);

	ck_assert_uint_lt(st_on.slab_items * 256, st_on.slab_size);
	ck_assert_uint_eq(st_off.slab_items * 256, st_off.slab_size);
	take_many(on, items, 500);
	take_many(off, items + 500, 500);
	for (int i = 0; i < 1000; i++)
		memset(items[i], 0xff, 256);
	free_many(on, items, 500);
	free_many(off, items + 500, 500);
	books_assert(on, 0);
	books_assert(off, 0);
	uma_zdestroy(on);
	uma_zdestroy(off);
}
END_TEST

static const uint32_t lookups[] = {UMA_ZONE_OFFPAGE,
    UMA_ZONE_OFFPAGE | UMA_ZONE_HASH, UMA_ZONE_OFFPAGE | UMA_ZONE_VTOSLAB,
    UMA_ZONE_HASH, UMA_ZONE_VTOSLAB, 0};

/* Free and allocate items of a zone in an order that visits many slabs. */
static void
churn(uma_zone_t z, size_t size, int n)
{
	take_many(z, items, (size_t)n);
	for (int i = 0; i < n; i++)
		memset(items[i], i, size);
	for (int i = 0; i < n; i++) {
		int k = i * 7919 % n;

		ck_assert(is_filled(items[k], k, size));
		uma_zfree(z, items[k]);
		items[k] = must_alloc(z, M_WAITOK);
		memset(items[k], k, size);
	}
	books_assert(z, (uint64_t)n);
	for (int i = 0; i < n; i++) {
		ck_assert(is_filled(items[i], i, size));
		uma_zfree(z, items[i]);
	}
	uma_zone_reclaim(z, UMA_RECLAIM_DRAIN_CPU);
	books_assert(z, 0);
	ck_assert_uint_eq(stat_of(z).slabs, 0);
}

/* row 21 */
START_TEST(offpage_works_with_hash_with_vtoslab_and_alone)
{
	static const size_t sizes[] = {16, 256, 1000, 5000, 30000};

	for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
		uma_zone_t z = plain_zone(
		    "off page", sizes[s], UMA_ALIGN_PTR, lookups[_i]);
		churn(z, sizes[s], 300);
		uma_zdestroy(z);
	}
}
END_TEST

/* row 21 */
START_TEST(hash_and_vtoslab_exclude_each_other)
{
	errno = 0;
	ck_assert_ptr_null(uma_zcreate("both", 16, NULL, NULL, NULL, NULL, 0,
	    UMA_ZONE_OFFPAGE | UMA_ZONE_HASH | UMA_ZONE_VTOSLAB));
	ck_assert_int_eq(errno, EINVAL);
}
END_TEST

/* row 22 */
START_TEST(zinit_zeroes_at_init_and_not_at_each_allocation)
{
	uma_zone_t z = uma_zcreate("zinit", 128, count_ctor, count_dtor,
	    count_init, NULL, UMA_ALIGN_PTR, UMA_ZONE_ZINIT);
	bool kept = false;

	void *p = must_alloc(z, M_WAITOK);
	ck_assert(is_filled(p, 0, 128));
	memset(p, 0x42, 128);
	uma_zfree(z, p);
	take_many(z, items, 100);
	for (int i = 0; i < 100; i++) {
		kept |= is_filled(items[i], 0x42, 128);
		ck_assert(is_filled(items[i], items[i] == p ? 0x42 : 0, 128));
	}
	ck_assert(kept);
	/* The internal method took the place of the caller's. */
	ck_assert_int_eq(hooks.init, 0);
	ck_assert_int_eq(hooks.ctor, 101);
	free_many(z, items, 100);
	uma_zdestroy(z);
}
END_TEST

/* row 22 */
START_TEST(zinit_zeroes_again_after_the_slab_went_back)
{
	uma_zone_t z = plain_zone("zinit again", 128, UMA_ALIGN_PTR,
	    UMA_ZONE_ZINIT | UMA_ZONE_MALLOC);

	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 500; i++) {
			items[i] = must_alloc(z, M_WAITOK);
			ck_assert(is_filled(items[i], 0, 128));
			memset(items[i], 0x43, 128);
		}
		free_many(z, items, 500);
		uma_zone_reclaim(z, UMA_RECLAIM_DRAIN_CPU);
	}
	uma_zdestroy(z);
}
END_TEST

/* row 23 */
START_TEST(hash_finds_the_slab_of_every_freed_item)
{
	static const size_t sizes[] = {8, 64, 1024, 3000, 4096, 9000};

	for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
		uma_zone_t z =
		    plain_zone("hash", sizes[s], UMA_ALIGN_PTR, UMA_ZONE_HASH);
		churn(z, sizes[s], 1500);
		uma_zdestroy(z);
	}
}
END_TEST

/* row 24 */
START_TEST(vtoslab_finds_the_slab_of_every_freed_item)
{
	static const size_t sizes[] = {8, 64, 1024, 3000, 4096, 9000};

	for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
		uma_zone_t z = plain_zone(
		    "vtoslab", sizes[s], UMA_ALIGN_PTR, UMA_ZONE_VTOSLAB);
		churn(z, sizes[s], 1500);
		uma_zdestroy(z);
	}
}
END_TEST

/* row 25 */
START_TEST(malloc_zones_give_and_take_items)
{
	uma_zone_t z = plain_zone("malloc", 384, 15, UMA_ZONE_MALLOC);

	churn(z, 384, 1000);
	/* Not zeroed at first use, but on demand. */
	void *p = must_alloc(z, M_WAITOK | M_ZERO);
	ck_assert(is_filled(p, 0, 384));
	uma_zfree(z, p);
	uma_zdestroy(z);
}
END_TEST

/* row 25 */
START_TEST(vm_zones_give_and_take_items)
{
	uma_zone_t z = plain_zone("vm", 200, UMA_ALIGN_PTR, UMA_ZONE_VM);

	churn(z, 200, 1000);
	void *p = must_alloc(z, M_NOWAIT);
	uma_zfree(z, p);
	books_assert(z, 0);
	uma_zdestroy(z);
}
END_TEST

static Suite *
suite(void)
{
	const int kinds = (int)(sizeof lookups / sizeof *lookups);
	Suite *s = suite_create("the page: zone flags");
	TCase *tc = tcase_create("rows 16 to 25");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, nofree_slabs_never_go_back_before_destruction);
	tcase_add_test(tc, each_item_of_a_refcnt_zone_has_its_own_counter);
	tcase_add_test(tc, nodump_pages_stay_out_of_dumps);
	tcase_add_test(
	    tc, a_pcpu_item_has_a_copy_a_cpu_at_the_documented_address);
	tcase_add_test(tc, zpcpu_get_is_the_running_cpu_s_copy);
	tcase_add_test(tc, offpage_moves_the_bookkeeping_out_of_the_slab);
	tcase_add_loop_test(
	    tc, offpage_works_with_hash_with_vtoslab_and_alone, 0, kinds);
	tcase_add_test(tc, hash_and_vtoslab_exclude_each_other);
	tcase_add_test(tc, zinit_zeroes_at_init_and_not_at_each_allocation);
	tcase_add_test(tc, zinit_zeroes_again_after_the_slab_went_back);
	tcase_add_test(tc, hash_finds_the_slab_of_every_freed_item);
	tcase_add_test(tc, vtoslab_finds_the_slab_of_every_freed_item);
	tcase_add_test(tc, malloc_zones_give_and_take_items);
	tcase_add_test(tc, vm_zones_give_and_take_items);
	suite_add_tcase(s, tc);
	return s;
}

int
main(void)
{
	return test_run(suite());
}
