/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The statements of the original manual page, third part: allocation and
 * free, destruction, limits, occupancy, warnings.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <sys/syscall.h>

#include "books.h"

#define MANY 20000

static void *items[MANY];

/*
 * The clock of this program: the system's, some seconds ahead, so that five
 * minutes can pass within a test.
 */
static time_t clock_ahead;

int
clock_gettime(clockid_t clock, struct timespec *ts)
{
	long rc = syscall(SYS_clock_gettime, clock, ts);

	if (rc == 0)
		ts->tv_sec += clock_ahead;
	return (int)rc;
}

/* row 26 */
START_TEST(zalloc_returns_an_item_with_either_flag)
{
	uma_zone_t z = plain_zone("either", 80, UMA_ALIGN_PTR, 0);
	void *a = uma_zalloc(z, M_NOWAIT);
	void *b = uma_zalloc(z, M_WAITOK);
	void *c = uma_zalloc(z, M_NOWAIT | M_ZERO);
	void *d = uma_zalloc(z, M_WAITOK | M_ZERO);

	ck_assert(a != NULL && b != NULL && c != NULL && d != NULL);
	ck_assert(a != b && a != c && a != d && b != c && b != d && c != d);
	uma_zfree(z, a);
	uma_zfree(z, b);
	uma_zfree(z, c);
	uma_zfree(z, d);
	books_assert(z, 0);
	uma_zdestroy(z);
}
END_TEST

/* row 26 */
START_TEST(no_flag_means_waitok_and_is_remarked_once)
{
	uma_zone_t z = plain_zone("no flag", 80, UMA_ALIGN_PTR, 0);

	catch_messages();
	for (int i = 0; i < 500; i++) {
		items[i] = uma_zalloc(z, 0);
		ck_assert_ptr_nonnull(items[i]);
	}
	ck_assert_int_eq(said.lines, 1);
	ck_assert_ptr_nonnull(strstr(said.text, "M_WAITOK"));
	free_many(z, items, 500);
	uma_zdestroy(z);
}
END_TEST

/* row 26 */
START_TEST(m_zero_clears_the_whole_item_and_nothing_else)
{
	static const size_t sizes[] = {1, 3, 8, 24, 100, 4096, 10000};

	for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
		uma_zone_t z = plain_zone("m_zero", sizes[s], 0, 0);

		for (int i = 0; i < 100; i++)
			memset(
			    items[i] = must_alloc(z, M_WAITOK), 0x9f, sizes[s]);
		for (int i = 0; i < 100; i += 2)
			uma_zfree(z, items[i]);
		for (int i = 0; i < 100; i += 2) {
			items[i] = must_alloc(z, M_NOWAIT | M_ZERO);
			ck_assert(is_filled(items[i], 0, sizes[s]));
		}
		for (int i = 1; i < 100; i += 2)
			ck_assert(is_filled(items[i], 0x9f, sizes[s]));
		free_many(z, items, 100);
		uma_zdestroy(z);
	}
}
END_TEST

/* row 26 */
START_TEST(a_zone_that_cannot_grow_returns_null_when_told_not_to_wait)
{
	uma_zone_t z = plain_zone("cannot grow", 512, UMA_ALIGN_PTR, 0);
	int max = uma_zone_set_max(z, 50);

	for (int i = 0; i < max; i++) {
		items[i] = uma_zalloc(z, M_NOWAIT);
		ck_assert_ptr_nonnull(items[i]);
	}
	errno = 0;
	ck_assert_ptr_null(uma_zalloc(z, M_NOWAIT));
	ck_assert_int_eq(errno, ENOMEM);
	ck_assert_uint_eq(stat_of(z).fails, 1);
	books_assert(z, (uint64_t)max);
	/* One back, one more to have. */
	uma_zfree(z, items[0]);
	items[0] = uma_zalloc(z, M_NOWAIT);
	ck_assert_ptr_nonnull(items[0]);
	free_many(z, items, (size_t)max);
	uma_zdestroy(z);
}
END_TEST

#if !TEST_ASAN && !TEST_TSAN
/* row 26 */
START_TEST(without_memory_nowait_returns_null_and_recovers)
{
	struct rlimit old, tight;
	long vm_pages;
	int n = 0;

	FILE *f = fopen("/proc/self/statm", "r");
	ck_assert_int_eq(fscanf(f, "%ld", &vm_pages), 1);
	fclose(f);
	getrlimit(RLIMIT_AS, &old);
	tight = old;
	tight.rlim_cur = (rlim_t)vm_pages * 4096 + (192 << 20);
	ck_assert_int_eq(setrlimit(RLIMIT_AS, &tight), 0);
	uma_zone_t z = plain_zone("no memory", 65536, 0, 0);
	while (n < MANY && (items[n] = uma_zalloc(z, M_NOWAIT)) != NULL)
		n++;
	ck_assert_int_lt(n, MANY);
	ck_assert_int_gt(n, 100);
	ck_assert_int_eq(errno, ENOMEM);
	books_assert(z, (uint64_t)n);
	ck_assert_uint_ge(stat_of(z).fails, 1);
	uma_zfree(z, items[--n]);
	items[n] = uma_zalloc(z, M_NOWAIT);
	ck_assert_ptr_nonnull(items[n++]);
	setrlimit(RLIMIT_AS, &old);
	ck_assert_ptr_nonnull(items[n] = uma_zalloc(z, M_NOWAIT));
	n++;
	free_many(z, items, (size_t)n);
	books_assert(z, 0);
	uma_zdestroy(z);
}
END_TEST
#endif

/* row 27 */
START_TEST(zfree_makes_the_item_available_again)
{
	uma_zone_t z = plain_zone("again", 64, UMA_ALIGN_PTR, 0);
	int max = uma_zone_set_max(z, 1);

	for (int round = 0; round < 100; round++) {
		for (int i = 0; i < max; i++) {
			items[i] = uma_zalloc(z, M_NOWAIT);
			ck_assert_ptr_nonnull(items[i]);
		}
		free_many(z, items, (size_t)max);
	}
	books_assert(z, 0);
	uma_zdestroy(z);
}
END_TEST

/* row 27 */
START_TEST(zfree_of_null_does_nothing)
{
	uma_zone_t z = uma_zcreate(
	    "null", 64, count_ctor, count_dtor, NULL, NULL, UMA_ALIGN_PTR, 0);

	uma_zfree(z, NULL);
	uma_zfree_arg(z, NULL, &z);
	ck_assert_int_eq(hooks.dtor, 0);
	books_assert(z, 0);
	ck_assert_uint_eq(stat_of(z).frees, 0);
	uma_zdestroy(z);
}
END_TEST

/* row 28 */
START_TEST(the_arg_calls_hand_their_argument_to_ctor_and_dtor)
{
	uma_zone_t z = uma_zcreate(
	    "args", 64, count_ctor, count_dtor, NULL, NULL, UMA_ALIGN_PTR, 0);
	int in, out;

	for (int round = 0; round < 3; round++) {
		void *p = uma_zalloc_arg(z, &in, M_WAITOK | M_ZERO);
		ck_assert_ptr_eq(hooks.last_arg, &in);
		ck_assert_int_eq(hooks.last_flags, M_WAITOK | M_ZERO);
		uma_zfree_arg(z, p, &out);
		ck_assert_ptr_eq(hooks.last_arg, &out);
		p = uma_zalloc(z, M_NOWAIT);
		ck_assert_ptr_null(hooks.last_arg);
		ck_assert_int_eq(hooks.last_flags, M_NOWAIT);
		hooks.last_arg = &in;
		uma_zfree(z, p);
		ck_assert_ptr_null(hooks.last_arg);
	}
	uma_zdestroy(z);
}
END_TEST

/* row 29 */
START_TEST(find_refcnt_finds_the_counter_for_as_long_as_the_item_lives)
{
	uma_zone_t z = plain_zone("found", 40, UMA_ALIGN_PTR, UMA_ZONE_REFCNT);
	void *p = must_alloc(z, M_WAITOK);
	uint32_t *count = uma_find_refcnt(z, p);

	*count = 3;
	take_many(z, items, 1000);
	ck_assert_ptr_eq(uma_find_refcnt(z, p), count);
	for (int i = 0; i < 1000; i++)
		ck_assert_ptr_ne(uma_find_refcnt(z, items[i]), count);
	free_many(z, items, 1000);
	uma_zone_reclaim(z, UMA_RECLAIM_DRAIN_CPU);
	ck_assert_ptr_eq(uma_find_refcnt(z, p), count);
	ck_assert_uint_eq(*count, 3);
	uma_zfree(z, p);
	uma_zdestroy(z);
}
END_TEST

static void
find_in_plain_zone(void *arg)
{
	uma_zone_t z = plain_zone("uncounted", 40, UMA_ALIGN_PTR, 0);

	(void)arg;
	*uma_find_refcnt(z, must_alloc(z, M_WAITOK)) = 1;
}

/* row 29 */
START_TEST(find_refcnt_aborts_in_a_zone_without_counters)
{
	test_expect_abort(find_in_plain_zone, NULL, "uma: zone 'uncounted': ");
}
END_TEST

/* row 30 */
START_TEST(destroying_an_empty_zone_gives_all_its_memory_back)
{
	uma_zone_t first = plain_zone("warm up", 4096, 0, 0);

	uma_zfree(first, must_alloc(first, M_WAITOK));
	uma_zdestroy(first);
	uma_reclaim(UMA_RECLAIM_DRAIN_CPU);
	long before = resident_bytes();
	uma_zone_t z = plain_zone("large", 4096, 0, 0);
	for (int i = 0; i < 8000; i++)
		memset(items[i] = must_alloc(z, M_WAITOK), 1, 4096);
	ck_assert_int_gt(resident_bytes(), before + (28 << 20));
	free_many(z, items, 8000);
	uma_zdestroy(z);
	uma_reclaim(UMA_RECLAIM_DRAIN_CPU);
	ck_assert_int_lt(resident_bytes(), before + RESIDENT_SLACK);
}
END_TEST

/* row 30 */
START_TEST(zones_come_and_go_without_residue)
{
	long before = 0;

	for (int i = 0; i < TEST_SCALE(10000); i++) {
		uma_zone_t z =
		    plain_zone("short-lived", 1 + (size_t)i % 5000, 0, 0);
		void *p = must_alloc(z, M_WAITOK);
		memset(p, 1, 1 + (size_t)i % 5000);
		uma_zfree(z, p);
		uma_zdestroy(z);
		if (i == TEST_SCALE(10000) / 2)
			before = resident_bytes();
	}
	/* A page a zone would be 20 MB. */
	ck_assert_int_lt(resident_bytes(), before + RESIDENT_SLACK);
}
END_TEST

/* row 30 */
START_TEST(destroying_a_zone_with_items_out_names_it_and_their_number)
{
	uma_zone_t z = plain_zone("left over", 100, UMA_ALIGN_PTR, 0);

	take_many(z, items, 300);
	for (int i = 0; i < 300; i++)
		memset(items[i], i, 100);
	free_many(z, items + 7, 293);
	catch_messages();
	uma_zdestroy(z);
	ck_assert_str_eq(said.text,
	    "uma: zone 'left over': destroyed with 7 items allocated\n");
	/* They stay readable, and nobody else gets them. */
	uma_reclaim(UMA_RECLAIM_DRAIN_CPU);
	uma_zone_t next = plain_zone("next", 100, UMA_ALIGN_PTR, 0);
	take_many(next, items + 100, 1000);
	for (int i = 100; i < 1100; i++)
		memset(items[i], 0xee, 100);
	for (int i = 0; i < 7; i++)
		ck_assert(is_filled(items[i], i, 100));
	free_many(next, items + 100, 1000);
	uma_zdestroy(next);
}
END_TEST

/* row 30 */
START_TEST(destroying_null_does_nothing)
{
	uma_zone_t z = plain_zone("bystander", 16, 0, 0);
	void *p = must_alloc(z, M_WAITOK);

	catch_messages();
	uma_zdestroy(NULL);
	ck_assert_int_eq(said.lines, 0);
	books_assert(z, 1);
	uma_zfree(z, p);
	uma_zdestroy(z);
}
END_TEST

/* row 31 */
START_TEST(set_max_rounds_up_to_the_items_of_whole_pages)
{
	static const size_t sizes[] = {8, 16, 64, 100, 256, 1000, 2048, 5000};
	static const int asked[] = {1, 2, 63, 64, 65, 100, 511, 1000, 123457};

	for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
		uma_zone_t z = plain_zone("rounded", sizes[s], 0, 0);
		int page = page_items(z);

		for (size_t a = 0; a < sizeof asked / sizeof *asked; a++) {
			int want = (asked[a] + page - 1) / page * page;

			ck_assert_int_eq(uma_zone_set_max(z, asked[a]), want);
			ck_assert_int_eq(uma_zone_get_max(z), want);
			ck_assert_uint_eq(stat_of(z).limit, (uint64_t)want);
		}
		uma_zdestroy(z);
	}
}
END_TEST

/* row 31 */
START_TEST(set_max_of_the_largest_number_is_a_limit_all_the_same)
{
	uma_zone_t z = plain_zone("largest", 100, UMA_ALIGN_PTR, 0);
	int max = uma_zone_set_max(z, INT32_MAX);

	ck_assert_int_gt(max, INT32_MAX - 4096);
	ck_assert_int_eq(uma_zone_get_max(z), max);
	uma_zfree(z, must_alloc(z, M_NOWAIT));
	uma_zdestroy(z);
}
END_TEST

/* row 31 */
START_TEST(set_max_of_zero_removes_the_limit)
{
	uma_zone_t z = plain_zone("cleared", 1024, UMA_ALIGN_PTR, 0);
	int max = uma_zone_set_max(z, 4);

	take_many(z, items, (size_t)max);
	ck_assert_ptr_null(uma_zalloc(z, M_NOWAIT));
	ck_assert_int_eq(uma_zone_set_max(z, 0), 0);
	ck_assert_int_eq(uma_zone_get_max(z), 0);
	take_many(z, items + max, 100);
	books_assert(z, (uint64_t)max + 100);
	free_many(z, items, (size_t)max + 100);
	uma_zdestroy(z);
}
END_TEST

/* row 31 */
START_TEST(set_max_refuses_a_negative_number)
{
	uma_zone_t z = plain_zone("negative", 1024, UMA_ALIGN_PTR, 0);
	int max = uma_zone_set_max(z, 8);

	errno = 0;
	ck_assert_int_eq(uma_zone_set_max(z, -1), max);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_int_eq(uma_zone_get_max(z), max);
	uma_zdestroy(z);
}
END_TEST

/* row 31 */
START_TEST(a_lowered_limit_refuses_until_enough_are_freed)
{
	uma_zone_t z = plain_zone("lowered", 1024, UMA_ALIGN_PTR, 0);

	take_many(z, items, 40);
	int max = uma_zone_set_max(z, 16);
	ck_assert_int_eq(max, 16);
	for (int i = 40; i-- > max;) {
		ck_assert_ptr_null(uma_zalloc(z, M_NOWAIT));
		uma_zfree(z, items[i]);
		books_assert(z, (uint64_t)i);
	}
	ck_assert_ptr_null(uma_zalloc(z, M_NOWAIT));
	uma_zfree(z, items[max - 1]);
	items[max - 1] = uma_zalloc(z, M_NOWAIT);
	ck_assert_ptr_nonnull(items[max - 1]);
	books_assert(z, (uint64_t)max);
	free_many(z, items, (size_t)max);
	uma_zdestroy(z);
}
END_TEST

/* row 32 */
START_TEST(the_limit_covers_allocated_and_cached_items)
{
	uma_zone_t z =
	    plain_zone("covered", 64, UMA_ALIGN_PTR, UMA_ZONE_MAXBUCKET);
	int max = uma_zone_set_max(z, 300);
	uint64_t seed = test_seed("the_limit_covers"), state = seed;
	int n = 0;

	for (int i = 0; i < 20000; i++) {
		if (test_rand(&state) % 100 < 55) {
			void *p = uma_zalloc(z, M_NOWAIT);

			ck_assert_int_eq(p != NULL, n < max);
			if (p != NULL)
				items[n++] = p;
		} else if (n > 0)
			uma_zfree(z, items[--n]);
		struct uma_zone_stat st = stat_of(z);
		ck_assert_uint_le(st.used + st.free_cached, (uint64_t)max);
	}
	books_assert(z, (uint64_t)n);
	free_many(z, items, (size_t)n);
	uma_zdestroy(z);
}
END_TEST

/* row 32 */
START_TEST(a_limit_below_what_is_cached_empties_the_caches)
{
	uma_zone_t z = plain_zone("cached", 64, UMA_ALIGN_PTR, 0);

	take_many(z, items, 1000);
	free_many(z, items + 50, 950);
	ck_assert_uint_gt(stat_of(z).free_cached, 64);
	int max = uma_zone_set_max(z, 64);
	struct uma_zone_stat st = stat_of(z);
	ck_assert_uint_eq(st.used, 50);
	ck_assert_uint_le(st.used + st.free_cached, (uint64_t)max);
	take_many(z, items + 50, (size_t)max - 50);
	ck_assert_ptr_null(uma_zalloc(z, M_NOWAIT));
	free_many(z, items, (size_t)max);
	uma_zdestroy(z);
}
END_TEST

/* row 33 */
START_TEST(the_full_number_is_reached_though_another_cpu_cached_items)
{
	uma_zone_t z = plain_zone("reachable", 64, UMA_ALIGN_PTR, 0);
	int max = uma_zone_set_max(z, 500);

	for (int round = 0; round < 10; round++) {
		/* Where a CPU is not ours to run on, we stay. */
		run_on_cpu(round % uma_ncpus());
		for (int i = 0; i < max; i++) {
			items[i] = uma_zalloc(z, M_NOWAIT);
			ck_assert_ptr_nonnull(items[i]);
		}
		ck_assert_ptr_null(uma_zalloc(z, M_NOWAIT));
		books_assert(z, (uint64_t)max);
		free_many(z, items, (size_t)max);
	}
	ck_assert_uint_eq(stat_of(z).sleeps, 0);
	uma_zdestroy(z);
}
END_TEST

/* row 34 */
START_TEST(get_max_is_the_limit_in_force)
{
	uma_zone_t z = plain_zone("in force", 100, 0, 0);

	ck_assert_int_eq(uma_zone_get_max(z), 0);
	int low = uma_zone_set_max(z, 10);
	ck_assert_int_eq(uma_zone_get_max(z), low);
	int high = uma_zone_set_max(z, low + 1);
	ck_assert_int_gt(high, low);
	ck_assert_int_eq(uma_zone_get_max(z), high);
	uma_zdestroy(z);
}
END_TEST

/* row 35 */
START_TEST(get_cur_counts_items_out_and_not_cached_ones)
{
	uma_zone_t z = plain_zone("occupied", 64, UMA_ALIGN_PTR, 0);

	take_many(z, items, 1000);
	ck_assert_int_eq(uma_zone_get_cur(z), 1000);
	/* Counted from wherever an item was allocated and freed. */
	for (int i = 0; i < 1000; i++) {
		run_on_cpu(i % uma_ncpus());
		uma_zfree(z, items[i]);
		ck_assert_int_eq(uma_zone_get_cur(z), 999 - i);
	}
	ck_assert_uint_gt(stat_of(z).free_cached, 0);
	uma_zone_reclaim(z, UMA_RECLAIM_DRAIN_CPU);
	ck_assert_int_eq(uma_zone_get_cur(z), 0);
	uma_zdestroy(z);
}
END_TEST

static uma_zone_t
full_zone(const char *name, int *max)
{
	uma_zone_t z = plain_zone(name, 2048, UMA_ALIGN_PTR, 0);

	*max = uma_zone_set_max(z, 2);
	take_many(z, items, (size_t)*max);
	return z;
}

/* row 36 */
START_TEST(a_full_zone_that_fails_an_allocation_warns)
{
	int max;

	catch_messages();
	uma_zone_t z = full_zone("warned", &max);
	uma_zone_set_warning(z, "no more buffers, raise the limit");
	ck_assert_int_eq(said.lines, 0);
	ck_assert_ptr_null(uma_zalloc(z, M_NOWAIT));
	ck_assert_str_eq(
	    said.text, "[zone: warned] no more buffers, raise the limit\n");
	free_many(z, items, (size_t)max);
	uma_zdestroy(z);
}
END_TEST

/* row 36: others warn when a batch for the cache is refused. */
START_TEST(a_zone_does_not_warn_while_every_request_succeeds)
{
	uma_zone_t z = plain_zone("no need", 64, UMA_ALIGN_PTR, 0);
	int max = uma_zone_set_max(z, 300);

	catch_messages();
	uma_zone_set_warning(z, "full");
	for (int round = 0; round < 20; round++) {
		run_on_cpu(round % uma_ncpus());
		take_many(z, items, (size_t)max);
		free_many(z, items, (size_t)max);
	}
	ck_assert_int_eq(said.lines, 0);
	ck_assert_uint_eq(stat_of(z).fails, 0);
	uma_zdestroy(z);
}
END_TEST

/* row 36 */
START_TEST(the_warning_s_text_is_copied_and_can_be_taken_away)
{
	char text[] = "short of items";
	int max;

	catch_messages();
	uma_zone_t z = full_zone("copied", &max);
	uma_zone_set_warning(z, text);
	memset(text, '!', sizeof text - 1);
	ck_assert_ptr_null(uma_zalloc(z, M_NOWAIT));
	ck_assert_str_eq(said.text, "[zone: copied] short of items\n");
	uma_zone_set_warning(z, NULL);
	clock_ahead += 1000;
	ck_assert_ptr_null(uma_zalloc(z, M_NOWAIT));
	ck_assert_int_eq(said.lines, 1);
	free_many(z, items, (size_t)max);
	uma_zdestroy(z);
}
END_TEST

/* row 36 */
START_TEST(text_of_names_and_warnings_is_no_format_and_no_control)
{
	int max;

	catch_messages();
	uma_zone_t z = full_zone("100%s\x1b", &max);
	uma_zone_set_warning(z, "%n%d");
	ck_assert_ptr_null(uma_zalloc(z, M_NOWAIT));
	ck_assert_ptr_nonnull(strstr(said.text, "[zone: 100%s\\x1"));
	ck_assert_ptr_nonnull(strstr(said.text, "%n%d\n"));
	ck_assert_ptr_null(strchr(said.text, '\x1b'));
	free_many(z, items, (size_t)max);
	uma_zdestroy(z);
}
END_TEST

/* row 37 */
START_TEST(a_zone_warns_once_in_five_minutes)
{
	int max;

	catch_messages();
	uma_zone_t z = full_zone("five minutes", &max);
	uma_zone_set_warning(z, "full");
	for (int i = 0; i < 100; i++)
		ck_assert_ptr_null(uma_zalloc(z, M_NOWAIT));
	ck_assert_int_eq(said.lines, 1);
	clock_ahead += 295;
	ck_assert_ptr_null(uma_zalloc(z, M_NOWAIT));
	ck_assert_int_eq(said.lines, 1);
	clock_ahead += 6;
	ck_assert_ptr_null(uma_zalloc(z, M_NOWAIT));
	ck_assert_ptr_null(uma_zalloc(z, M_NOWAIT));
	ck_assert_int_eq(said.lines, 2);
	ck_assert_uint_eq(stat_of(z).fails, 103);
	free_many(z, items, (size_t)max);
	uma_zdestroy(z);
}
END_TEST

/* row 37 */
START_TEST(each_zone_has_its_own_five_minutes)
{
	uma_zone_t z[3];
	int max[3];
	void *out[3][16];

	catch_messages();
	for (int i = 0; i < 3; i++) {
		z[i] = full_zone("own minutes", &max[i]);
		ck_assert_int_le(max[i], 16);
		memcpy(out[i], items, (size_t)max[i] * sizeof(void *));
		uma_zone_set_warning(z[i], "full");
		ck_assert_ptr_null(uma_zalloc(z[i], M_NOWAIT));
		ck_assert_int_eq(said.lines, i + 1);
	}
	for (int i = 0; i < 3; i++) {
		free_many(z[i], out[i], (size_t)max[i]);
		uma_zdestroy(z[i]);
	}
}
END_TEST

/* row 40 */
START_TEST(null_is_returned_only_without_items_and_with_nowait)
{
	uma_zone_t z = plain_zone("returned", 512, UMA_ALIGN_PTR, 0);
	int max = uma_zone_set_max(z, 200);
	int n = 0;

	while (n < MANY && (items[n] = uma_zalloc(z, M_NOWAIT)) != NULL)
		n++;
	ck_assert_int_eq(n, max);
	ck_assert_int_eq(uma_zone_get_cur(z), max);
	uma_zfree(z, items[--n]);
	/* With one item free, waiting means no wait. */
	items[n] = uma_zalloc(z, M_WAITOK);
	ck_assert_ptr_nonnull(items[n++]);
	ck_assert_uint_eq(stat_of(z).sleeps, 0);
	free_many(z, items, (size_t)n);
	uma_zdestroy(z);
}
END_TEST

static TCase *
item_tests(void)
{
	TCase *tc = tcase_create("rows 26 to 30");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, zalloc_returns_an_item_with_either_flag);
	tcase_add_test(tc, no_flag_means_waitok_and_is_remarked_once);
	tcase_add_test(tc, m_zero_clears_the_whole_item_and_nothing_else);
	tcase_add_test(
	    tc, a_zone_that_cannot_grow_returns_null_when_told_not_to_wait);
#if !TEST_ASAN && !TEST_TSAN
	tcase_add_test(tc, without_memory_nowait_returns_null_and_recovers);
#endif
	tcase_add_test(tc, zfree_makes_the_item_available_again);
	tcase_add_test(tc, zfree_of_null_does_nothing);
	tcase_add_test(tc, the_arg_calls_hand_their_argument_to_ctor_and_dtor);
	tcase_add_test(
	    tc, find_refcnt_finds_the_counter_for_as_long_as_the_item_lives);
	tcase_add_test(tc, find_refcnt_aborts_in_a_zone_without_counters);
	tcase_add_test(tc, destroying_an_empty_zone_gives_all_its_memory_back);
	tcase_add_test(tc, zones_come_and_go_without_residue);
	tcase_add_test(
	    tc, destroying_a_zone_with_items_out_names_it_and_their_number);
	tcase_add_test(tc, destroying_null_does_nothing);
	return tc;
}

static TCase *
limit_tests(void)
{
	TCase *tc = tcase_create("rows 31 to 40");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, set_max_rounds_up_to_the_items_of_whole_pages);
	tcase_add_test(
	    tc, set_max_of_the_largest_number_is_a_limit_all_the_same);
	tcase_add_test(tc, set_max_of_zero_removes_the_limit);
	tcase_add_test(tc, set_max_refuses_a_negative_number);
	tcase_add_test(tc, a_lowered_limit_refuses_until_enough_are_freed);
	tcase_add_test(tc, the_limit_covers_allocated_and_cached_items);
	tcase_add_test(tc, a_limit_below_what_is_cached_empties_the_caches);
	tcase_add_test(
	    tc, the_full_number_is_reached_though_another_cpu_cached_items);
	tcase_add_test(tc, get_max_is_the_limit_in_force);
	tcase_add_test(tc, get_cur_counts_items_out_and_not_cached_ones);
	tcase_add_test(tc, a_full_zone_that_fails_an_allocation_warns);
	tcase_add_test(tc, a_zone_does_not_warn_while_every_request_succeeds);
	tcase_add_test(tc, the_warning_s_text_is_copied_and_can_be_taken_away);
	tcase_add_test(
	    tc, text_of_names_and_warnings_is_no_format_and_no_control);
	tcase_add_test(tc, a_zone_warns_once_in_five_minutes);
	tcase_add_test(tc, each_zone_has_its_own_five_minutes);
	tcase_add_test(tc, null_is_returned_only_without_items_and_with_nowait);
	return tc;
}

static Suite *
suite(void)
{
	Suite *s = suite_create("the page: items and limits");

	suite_add_tcase(s, item_tests());
	suite_add_tcase(s, limit_tests());
	return s;
}

int
main(void)
{
	return test_run(suite());
}
