/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each zone flag has its effect, as far as a zone's numbers, its addresses
 * and the process's memory show it.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <uma.h>

#include "books.h"

#define MANY 8000

static void *items[MANY];

/* ---- NOFREE ---- */

START_TEST(nofree_reclaim_keeps_the_pages_and_destroy_gives_them_back)
{
	uma_zone_t z = plain_zone("nofree", 4096, 0, UMA_ZONE_NOFREE);

	uma_zfree(z, must_alloc(z, M_WAITOK));
	uma_reclaim(UMA_RECLAIM_DRAIN_CPU);
	long before = resident_bytes();
	for (int i = 0; i < MANY; i++)
		memset(items[i] = must_alloc(z, M_WAITOK), 1, 4096);
	free_many(z, items, MANY);
	uma_reclaim(UMA_RECLAIM_DRAIN_CPU);
	ck_assert_int_gt(resident_bytes(), before + (28 << 20));
	uma_zdestroy(z);
	uma_reclaim(UMA_RECLAIM_DRAIN_CPU);
	ck_assert_int_lt(resident_bytes(), before + RESIDENT_SLACK);
}
END_TEST

START_TEST(without_nofree_reclaim_gives_the_pages_back)
{
	uma_zone_t z = plain_zone("free", 4096, 0, 0);

	uma_zfree(z, must_alloc(z, M_WAITOK));
	uma_reclaim(UMA_RECLAIM_DRAIN_CPU);
	long before = resident_bytes();
	for (int i = 0; i < MANY; i++)
		memset(items[i] = must_alloc(z, M_WAITOK), 1, 4096);
	free_many(z, items, MANY);
	uma_reclaim(UMA_RECLAIM_DRAIN_CPU);
	ck_assert_uint_eq(stat_of(z).slabs, 0);
	ck_assert_int_lt(resident_bytes(), before + RESIDENT_SLACK);
	uma_zdestroy(z);
}
END_TEST

/* ---- NODUMP ---- */

/* How many mappings this process has; the system bounds them. */
static long
mappings(void)
{
	FILE *f = fopen("/proc/self/maps", "r");
	long cnt = 0;
	int c;

	ck_assert_ptr_nonnull(f);
	while ((c = fgetc(f)) != EOF)
		cnt += c == '\n';
	fclose(f);
	return cnt;
}

START_TEST(nodump_ends_with_the_slab)
{
	uma_zone_t z = plain_zone("secret", 4096, 0, UMA_ZONE_NODUMP);

	take_many(z, items, 500);
	for (int i = 0; i < 500; i += 50)
		ck_assert(has_vmflag(items[i], "dd"));
	free_many(z, items, 500);
	uma_zdestroy(z);
	z = plain_zone("open", 4096, 0, 0);
	take_many(z, items, 500);
	for (int i = 0; i < 500; i += 50)
		ck_assert(!has_vmflag(items[i], "dd"));
	free_many(z, items, 500);
	uma_zdestroy(z);
}
END_TEST

START_TEST(nodump_zones_do_not_use_up_the_mappings)
{
	uma_zone_t z[] = {plain_zone("secret", 4096, 0, UMA_ZONE_NODUMP),
	    plain_zone("open", 4096, 0, 0)};
	long before = mappings();

	for (int i = 0; i < MANY; i++)
		items[i] = must_alloc(z[i % 2], M_WAITOK);
	ck_assert_int_lt(mappings(), before + 100);
	for (int i = 0; i < MANY; i++)
		uma_zfree(z[i % 2], items[i]);
	uma_zdestroy(z[0]);
	uma_zdestroy(z[1]);
}
END_TEST

START_TEST(nodump_covers_every_page_of_large_and_small_items)
{
	static const size_t sizes[] = {16, 1000, 9000, 65536};

	for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
		uma_zone_t z =
		    plain_zone("secret", sizes[s], 0, UMA_ZONE_NODUMP);
		take_many(z, items, 10);
		for (int i = 0; i < 10; i++) {
			char *p = items[i];

			ck_assert(has_vmflag(p, "dd"));
			ck_assert(has_vmflag(p + sizes[s] - 1, "dd"));
		}
		free_many(z, items, 10);
		uma_zdestroy(z);
	}
}
END_TEST

/* ---- PCPU ---- */

START_TEST(pcpu_copies_never_overlap)
{
	static const size_t sizes[] = {1, 8, 24, 64, 1000, 2048, 4096};
	size_t size = sizes[_i];
	uma_zone_t z = plain_zone("pcpu", size, UMA_ALIGN_PTR, UMA_ZONE_PCPU);
	int ncpus = uma_ncpus();

	for (int i = 0; i < 200; i++) {
		items[i] = must_alloc(z, M_WAITOK);
		ck_assert_uint_eq((uintptr_t)items[i] & UMA_ALIGN_PTR, 0);
		for (int cpu = 0; cpu < ncpus; cpu++) {
			char *copy = (char *)items[i] +
				     (size_t)cpu * sizeof(struct pcpu);
			ck_assert(is_filled(copy, 0, size));
			memset(copy, i + 100 * cpu + 1, size);
		}
	}
	for (int i = 0; i < 200; i++)
		for (int cpu = 0; cpu < ncpus; cpu++)
			ck_assert(is_filled(zpcpu_get_cpu(items[i], cpu),
			    i + 100 * cpu + 1, size));
	free_many(z, items, 200);
	books_assert(z, 0);
	uma_zdestroy(z);
}
END_TEST

START_TEST(pcpu_with_m_zero_clears_all_copies)
{
	uma_zone_t z = plain_zone("pcpu", 40, UMA_ALIGN_PTR, UMA_ZONE_PCPU);

	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 100; i++) {
			items[i] = must_alloc(z, M_WAITOK | M_ZERO);
			for (int cpu = 0; cpu < uma_ncpus(); cpu++) {
				void *copy = zpcpu_get_cpu(items[i], cpu);

				ck_assert(is_filled(copy, 0, 40));
				memset(copy, 0x5e, 40);
			}
		}
		free_many(z, items, 100);
	}
	uma_zdestroy(z);
}
END_TEST

START_TEST(pcpu_stride_is_the_size_of_struct_pcpu)
{
	ck_assert_uint_eq(sizeof(struct pcpu), UMA_PCPU_STRIDE);
	ck_assert_int_ge(uma_curcpu(), 0);
	ck_assert_int_lt(uma_curcpu(), uma_ncpus());
}
END_TEST

/* ---- OFFPAGE, VM: where the header is ---- */

START_TEST(offpage_leaves_the_whole_slab_to_items_of_a_power_of_two)
{
	static const size_t sizes[] = {64, 512, 1024, 2048};

	for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
		uma_zone_t z = plain_zone("off", sizes[s], (int)sizes[s] - 1,
		    UMA_ZONE_OFFPAGE | UMA_ZONE_VTOSLAB);
		struct uma_zone_stat st = stat_of(z);

		ck_assert_uint_eq(st.slab_items * st.stride, st.slab_size);
		uma_zdestroy(z);
	}
}
END_TEST

START_TEST(vm_keeps_the_header_on_the_page)
{
	static const size_t sizes[] = {8, 64, 512, 1024, 2048, 4096, 20000};

	for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
		uma_zone_t z = plain_zone("vm", sizes[s], 0, UMA_ZONE_VM);
		struct uma_zone_stat st = stat_of(z);

		ck_assert_uint_gt(st.slab_size, st.slab_items * st.stride + 16);
		uma_zfree(z, must_alloc(z, M_WAITOK));
		uma_zdestroy(z);
	}
}
END_TEST

START_TEST(items_never_lie_on_a_header)
{
	static const uint32_t flags[] = {0, UMA_ZONE_VM, UMA_ZONE_OFFPAGE,
	    UMA_ZONE_HASH, UMA_ZONE_VTOSLAB, UMA_ZONE_REFCNT,
	    UMA_ZONE_REFCNT | UMA_ZONE_OFFPAGE, UMA_ZONE_VM | UMA_ZONE_REFCNT};
	static const size_t sizes[] = {
	    1, 8, 24, 100, 512, 1000, 1360, 2049, 4096, 6000, 33000};

	for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
		uma_zone_t z = plain_zone("filled", sizes[s], 0, flags[_i]);
		uint64_t slab_items = stat_of(z).slab_items;
		size_t n = slab_items * 2 + 1;

		if (n > MANY)
			n = MANY;
		/* To the last byte, twice, so that lost headers show. */
		for (int round = 0; round < 2; round++) {
			for (size_t i = 0; i < n; i++) {
				items[i] = must_alloc(z, M_WAITOK);
				memset(items[i], 0xff, sizes[s]);
			}
			for (size_t i = 0; i < n; i++)
				ck_assert(is_filled(items[i], 0xff, sizes[s]));
			free_many(z, items, n);
			uma_zone_reclaim(z, UMA_RECLAIM_DRAIN_CPU);
			books_assert(z, 0);
			ck_assert_uint_eq(stat_of(z).slabs, 0);
		}
		uma_zdestroy(z);
	}
}
END_TEST

/* ---- MALLOC ---- */

static uma_zone_t taker;
static int taken, unclean;

static void
fini_that_allocates(void *mem, int size)
{
	(void)mem;
	(void)size;
	if (taken == 500)
		return;
	items[taken] = must_alloc(taker, M_WAITOK);
	unclean += !is_filled(items[taken], 0, 4096);
	taken++;
}

/*
 * While a zone is destroyed, the pages of its first slabs are free already and
 * not yet given back: what is made of them then is second-hand.
 */
static void
take_second_hand(uint32_t flags)
{
	uma_zone_t z = uma_zcreate(
	    "dirty", 4096, NULL, NULL, NULL, fini_that_allocates, 0, 0);
	static void *dirty[2000];

	taker = plain_zone("taker", 4096, 0, flags);
	take_many(z, dirty, 2000);
	for (int i = 0; i < 2000; i++)
		memset(dirty[i], 0xbd, 4096);
	free_many(z, dirty, 2000);
	uma_zdestroy(z);
	ck_assert_int_eq(taken, 500);
	free_many(taker, items, 500);
}

START_TEST(malloc_slabs_are_not_zeroed_beforehand)
{
	take_second_hand(UMA_ZONE_MALLOC);
	/* The clearing was spared. */
	ck_assert_int_gt(unclean, 0);
	for (int i = 0; i < 500; i++) {
		items[i] = must_alloc(taker, M_WAITOK | M_ZERO);
		ck_assert(is_filled(items[i], 0, 4096));
	}
	free_many(taker, items, 500);
	uma_zdestroy(taker);
}
END_TEST

/* Also where the items themselves are not cleared. */
START_TEST(counters_start_at_zero_in_second_hand_memory)
{
	take_second_hand(UMA_ZONE_REFCNT | UMA_ZONE_MALLOC);
	for (int i = 0; i < 500; i++)
		items[i] = must_alloc(taker, M_WAITOK);
	for (int i = 0; i < 500; i++)
		ck_assert_uint_eq(*uma_find_refcnt(taker, items[i]), 0);
	free_many(taker, items, 500);
	uma_zdestroy(taker);
}
END_TEST

START_TEST(all_other_slabs_are_zeroed_beforehand)
{
	take_second_hand(0);
	ck_assert_int_eq(unclean, 0);
	uma_zdestroy(taker);
}
END_TEST

/* ---- NOBUCKET, MAXBUCKET ---- */

START_TEST(nobucket_caches_nothing)
{
	uma_zone_t z = uma_zcreate("nobucket", 64, NULL, NULL, count_init,
	    count_fini, UMA_ALIGN_PTR, UMA_ZONE_NOBUCKET);

	for (int i = 0; i < 500; i++) {
		items[i] = must_alloc(z, M_WAITOK);
		ck_assert_uint_eq(stat_of(z).free_cached, 0);
		ck_assert_int_eq(hooks.init, i + 1);
	}
	for (int i = 0; i < 500; i++) {
		uma_zfree(z, items[i]);
		ck_assert_uint_eq(stat_of(z).free_cached, 0);
	}
	books_assert(z, 0);
	uma_zdestroy(z);
	ck_assert_int_eq(hooks.fini, hooks.init);
}
END_TEST

START_TEST(a_zone_with_buckets_caches)
{
	uma_zone_t z = plain_zone("buckets", 64, UMA_ALIGN_PTR, 0);

	take_many(z, items, 500);
	free_many(z, items, 500);
	ck_assert_uint_gt(stat_of(z).free_cached, 0);
	uma_zone_reclaim(z, UMA_RECLAIM_DRAIN_CPU);
	ck_assert_uint_eq(stat_of(z).free_cached, 0);
	uma_zdestroy(z);
}
END_TEST

START_TEST(maxbucket_starts_with_the_largest_buckets)
{
	uma_zone_t plain = plain_zone("plain", 256, UMA_ALIGN_PTR, 0);
	uma_zone_t max =
	    plain_zone("maxbucket", 256, UMA_ALIGN_PTR, UMA_ZONE_MAXBUCKET);

	void *p = must_alloc(plain, M_WAITOK), *q = must_alloc(max, M_WAITOK);
	uint64_t few = stat_of(plain).free_cached;
	uint64_t many = stat_of(max).free_cached;
	ck_assert_uint_gt(many, few);
	uma_zfree(plain, p);
	uma_zfree(max, q);
	uma_zdestroy(plain);
	uma_zdestroy(max);
}
END_TEST

/* ---- REFCNT ---- */

static const struct {
	size_t size;
	uint32_t flags;
} counted[] = {
    {1, UMA_ZONE_REFCNT},
    {8, UMA_ZONE_REFCNT},
    {64, UMA_ZONE_REFCNT},
    {64, UMA_ZONE_REFCNT | UMA_ZONE_OFFPAGE | UMA_ZONE_HASH},
    {64, UMA_ZONE_REFCNT | UMA_ZONE_OFFPAGE | UMA_ZONE_VTOSLAB},
    {64, UMA_ZONE_REFCNT | UMA_ZONE_NOBUCKET},
    {64, UMA_ZONE_REFCNT | UMA_ZONE_NODUMP},
    {64, UMA_ZONE_REFCNT | UMA_ZONE_VM},
    {2049, UMA_ZONE_REFCNT},
    {5000, UMA_ZONE_REFCNT | UMA_ZONE_HASH},
    {5000, UMA_ZONE_REFCNT | UMA_ZONE_OFFPAGE},
    {70000, UMA_ZONE_REFCNT},
};

START_TEST(counters_are_the_item_s_own_and_outside_all_items)
{
	size_t size = counted[_i].size;
	uma_zone_t z = plain_zone("counted", size, 0, counted[_i].flags);
	uint32_t *count[300];

	take_many(z, items, 300);
	for (uint32_t i = 0; i < 300; i++) {
		memset(items[i], 0xff, size);
		count[i] = uma_find_refcnt(z, items[i]);
		ck_assert_uint_eq((uintptr_t)count[i] & 3, 0);
		ck_assert_uint_eq(*count[i], 0);
		*count[i] = i * 1000003u + 1;
	}
	for (uint32_t i = 0; i < 300; i++) {
		ck_assert(is_filled(items[i], 0xff, size));
		ck_assert_ptr_eq(uma_find_refcnt(z, items[i]), count[i]);
		ck_assert_uint_eq(*count[i], i * 1000003u + 1);
	}
	free_many(z, items, 300);
	uma_zdestroy(z);
}
END_TEST

START_TEST(the_zone_never_touches_a_counter_after_the_first_time)
{
	size_t size = counted[_i].size;
	uma_zone_t z = plain_zone("counted", size, 0, counted[_i].flags);
	bool seen = false;
	int n = 0;

	/* Held, so that its slab stays when all others go. */
	void *held = must_alloc(z, M_WAITOK);
	*uma_find_refcnt(z, held) = 77;
	void *p = must_alloc(z, M_WAITOK);
	*uma_find_refcnt(z, p) = 4711;
	uma_zfree(z, p);
	while (n < 200 && !seen) {
		void *q = must_alloc(z, M_WAITOK | M_ZERO);

		if (q == p) {
			seen = true;
			ck_assert_uint_eq(*uma_find_refcnt(z, q), 4711);
		} else
			ck_assert_uint_eq(*uma_find_refcnt(z, q), 0);
		items[n++] = q;
	}
	ck_assert(seen);
	for (int i = 0; i < n; i++) {
		*uma_find_refcnt(z, items[i]) = 5;
		uma_zfree(z, items[i]);
	}
	uma_zone_reclaim(z, UMA_RECLAIM_DRAIN_CPU);
	ck_assert_uint_eq(*uma_find_refcnt(z, held), 77);
	uma_zfree(z, held);
	/* A slab that went back takes its counters with it. */
	uma_zone_reclaim(z, UMA_RECLAIM_DRAIN_CPU);
	ck_assert_uint_eq(stat_of(z).slabs, 0);
	for (int i = 0; i < 300; i++) {
		items[i] = must_alloc(z, M_WAITOK);
		ck_assert_uint_eq(*uma_find_refcnt(z, items[i]), 0);
	}
	free_many(z, items, 300);
	uma_zdestroy(z);
}
END_TEST

/* ---- all that may be combined ---- */

static bool
flags_agree(uint32_t flags, size_t size)
{
	if ((flags & UMA_ZONE_MAXBUCKET) && (flags & UMA_ZONE_NOBUCKET))
		return false;
	if ((flags & UMA_ZONE_HASH) && (flags & UMA_ZONE_VTOSLAB))
		return false;
	if ((flags & UMA_ZONE_VM) &&
	    (flags & (UMA_ZONE_PCPU | UMA_ZONE_OFFPAGE)))
		return false;
	return !(flags & UMA_ZONE_PCPU) || size <= UMA_PCPU_STRIDE;
}

START_TEST(every_combination_of_flags_works_or_is_refused)
{
	static const uint32_t bit[] = {UMA_ZONE_ZINIT, UMA_ZONE_OFFPAGE,
	    UMA_ZONE_MALLOC, UMA_ZONE_NOFREE, UMA_ZONE_VM, UMA_ZONE_HASH,
	    UMA_ZONE_REFCNT, UMA_ZONE_MAXBUCKET, UMA_ZONE_VTOSLAB,
	    UMA_ZONE_PCPU, UMA_ZONE_NOBUCKET};
	static const size_t sizes[] = {40, 5000};
	const unsigned nbits = sizeof bit / sizeof *bit;
	size_t size = sizes[_i];

	for (unsigned mask = 0; mask < 1u << nbits; mask++) {
		uint32_t flags = 0;

		for (unsigned b = 0; b < nbits; b++)
			flags |= mask >> b & 1 ? bit[b] : 0;
		errno = 0;
		uma_zone_t z = uma_zcreate(
		    "combined", size, NULL, NULL, NULL, NULL, 7, flags);
		if (!flags_agree(flags, size)) {
			ck_assert_msg(z == NULL && errno == EINVAL,
			    "flags %#x were accepted", (unsigned)flags);
			continue;
		}
		ck_assert_msg(z != NULL, "flags %#x: %s", (unsigned)flags,
		    strerror(errno));
		for (int i = 0; i < 10; i++) {
			items[i] = uma_zalloc(z, M_WAITOK | M_ZERO);
			memset(items[i], i, size);
		}
		for (int i = 0; i < 10; i++) {
			if (!is_filled(items[i], i, size))
				ck_abort_msg(
				    "flags %#x: overlap", (unsigned)flags);
			uma_zfree(z, items[i]);
		}
		uma_zdestroy(z);
	}
}
END_TEST

static Suite *
suite(void)
{
	const int ncounted = (int)(sizeof counted / sizeof *counted);
	Suite *s = suite_create("zone flags");
	TCase *tc = tcase_create("memory");

	tcase_set_timeout(tc, 60);
	tcase_add_test(
	    tc, nofree_reclaim_keeps_the_pages_and_destroy_gives_them_back);
	tcase_add_test(tc, without_nofree_reclaim_gives_the_pages_back);
	tcase_add_test(tc, nodump_ends_with_the_slab);
	tcase_add_test(tc, nodump_zones_do_not_use_up_the_mappings);
	tcase_add_test(tc, nodump_covers_every_page_of_large_and_small_items);
	tcase_add_test(tc, malloc_slabs_are_not_zeroed_beforehand);
	tcase_add_test(tc, all_other_slabs_are_zeroed_beforehand);
	tcase_add_test(tc, counters_start_at_zero_in_second_hand_memory);
	suite_add_tcase(s, tc);

	tc = tcase_create("copies and counters");
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, pcpu_copies_never_overlap, 0, 7);
	tcase_add_test(tc, pcpu_with_m_zero_clears_all_copies);
	tcase_add_test(tc, pcpu_stride_is_the_size_of_struct_pcpu);
	tcase_add_loop_test(
	    tc, counters_are_the_item_s_own_and_outside_all_items, 0, ncounted);
	tcase_add_loop_test(tc,
	    the_zone_never_touches_a_counter_after_the_first_time, 0, ncounted);
	suite_add_tcase(s, tc);

	tc = tcase_create("layout and caching");
	tcase_set_timeout(tc, 60);
	tcase_add_test(
	    tc, offpage_leaves_the_whole_slab_to_items_of_a_power_of_two);
	tcase_add_test(tc, vm_keeps_the_header_on_the_page);
	tcase_add_loop_test(tc, items_never_lie_on_a_header, 0, 8);
	tcase_add_test(tc, nobucket_caches_nothing);
	tcase_add_test(tc, a_zone_with_buckets_caches);
	tcase_add_test(tc, maxbucket_starts_with_the_largest_buckets);
	tcase_add_loop_test(
	    tc, every_combination_of_flags_works_or_is_refused, 0, 2);
	suite_add_tcase(s, tc);
	return s;
}

int
main(void)
{
	return test_run(suite());
}
