/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Footprint: resident bytes of many items against their size, when all live,
 * when few are left and memory was given back, and when none is; and of zones
 * that come and go.  `make bench` measures the same with a million items, and
 * beside other allocators.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <uma.h>

#include "books.h"

#define ITEMS 100000
#define MOST  (4 * ITEMS) /* so that a few per cent of small items show */
#define FIRST 10000
#define KIB   1024.0

/* What a zone takes whatever the number of its items: headers, buckets. */
#define FIXED (192 * KIB)

/*
 * What is allowed with one in ten live is 1.10 of what jemalloc 5.3 takes; of
 * small items each page has one.
 */
static const struct budget {
	size_t size, n;
	double live; /* of the items' size */
	double sparse; /* bytes for each item that there was */
} budgets[] = {
    {16, MOST, 1.04, 0},
    {64, MOST, 1.02, 0},
    {256, ITEMS, 1.02, 1.1 * 218},
    {1024, ITEMS, 1.02, 1.1 * 386},
    {4096, ITEMS / 4, 1.02, 1.1 * 547},
};
enum { BUDGETS = sizeof budgets / sizeof budgets[0], FROM_256 = 2 };

static char *items[MOST];
static uint32_t order[MOST];

/* Exact, other than statm; nothing here is allocated. */
static double
rss_exact(void)
{
	int fd = open("/proc/self/smaps_rollup", O_RDONLY);
	char text[4096];

	ck_assert_int_ge(fd, 0);
	ssize_t n = read(fd, text, sizeof text - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	const char *at = strstr(text, "\nRss:");
	ck_assert_ptr_nonnull(at);
	return strtod(at + 5, NULL) * KIB;
}

/* What the test itself needs becomes resident, and the order is random. */
static double
start_count(size_t n)
{
	uint64_t seed = test_seed("footprint");

	memset(items, 1, sizeof items);
	for (size_t i = 0; i < n; i++)
		order[i] = (uint32_t)i;
	for (size_t i = n; i > 1; i--) {
		size_t j = test_rand(&seed) % i;
		uint32_t t = order[i - 1];

		order[i - 1] = order[j];
		order[j] = t;
	}
	/* So does the library's code, and its tables. */
	uma_zone_t z = plain_zone("first", 64, 15, 0);
	for (size_t i = 0; i < FIRST; i++)
		items[i] = uma_zalloc(z, M_NOWAIT);
	for (size_t i = 0; i < FIRST; i++)
		uma_zfree(z, items[i]);
	uma_zdestroy(z);
	uma_reclaim(UMA_RECLAIM_DRAIN_CPU);
	return rss_exact();
}

static void
take_all(uma_zone_t z, const struct budget *b)
{
	for (size_t i = 0; i < b->n; i++) {
		items[i] = uma_zalloc(z, M_NOWAIT);
		ck_assert_ptr_nonnull(items[i]);
		memset(items[i], 1, b->size);
	}
}

static void
free_some(uma_zone_t z, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		uma_zfree(z, items[order[i]]);
	uma_reclaim(UMA_RECLAIM_DRAIN_CPU);
}

static void
at_most(double grown, double most, const struct budget *b, const char *when)
{
	ck_assert_msg(grown <= most,
	    "%zu items of %zu bytes, %s: %.0f bytes resident, %.0f allowed",
	    b->n, b->size, when, grown, most);
}

START_TEST(live_items_take_little_more_than_their_size)
{
	const struct budget *b = &budgets[_i];
	double start = start_count(b->n);
	uma_zone_t z = plain_zone("dense", b->size, 15, 0);

	take_all(z, b);
	at_most(rss_exact() - start, b->live * (double)(b->n * b->size) + FIXED,
	    b, "live");
}
END_TEST

START_TEST(few_live_items_hold_few_pages)
{
	const struct budget *b = &budgets[_i];
	size_t most = b->n / 10 * 9;
	double start = start_count(b->n);
	uma_zone_t z = plain_zone("sparse", b->size, 15, 0);

	take_all(z, b);
	free_some(z, 0, most);
	at_most(rss_exact() - start, b->sparse * (double)b->n + FIXED, b,
	    "90 % freed and reclaimed");
	for (size_t i = most; i < b->n; i++)
		ck_assert_int_eq(items[order[i]][b->size - 1], 1);
}
END_TEST

START_TEST(freed_items_leave_hardly_anything)
{
	const struct budget *b = &budgets[_i];
	double start = start_count(b->n);
	uma_zone_t z = plain_zone("gone", b->size, 15, 0);

	/* A first round, whose growth is the library's. */
	take_all(z, b);
	free_some(z, 0, b->n);
	double base = rss_exact();
	at_most(base - start, KIB * KIB, b, "all freed and reclaimed");
	for (int round = 0; round < 2; round++) {
		take_all(z, b);
		free_some(z, 0, b->n);
	}
	at_most(rss_exact() - base, 0.5 * (double)b->n, b,
	    "all freed and reclaimed again");
	uma_zdestroy(z);
}
END_TEST

enum { ZONES = 2000, EACH = 8 };

static void
come_and_go(void)
{
	static uma_zone_t zones[ZONES];

	for (size_t i = 0; i < ZONES; i++) {
		void *v[EACH];

		zones[i] = plain_zone("brief", 16 + i % 64 * 16, 15, 0);
		for (int j = 0; j < EACH; j++) {
			v[j] = uma_zalloc(zones[i], M_NOWAIT);
			ck_assert_ptr_nonnull(v[j]);
			memset(v[j], 1, 16);
		}
		for (int j = 0; j < EACH; j++)
			uma_zfree(zones[i], v[j]);
	}
	for (size_t i = 0; i < ZONES; i++)
		uma_zdestroy(zones[i]);
}

START_TEST(zones_that_come_and_go_leave_nothing_behind)
{
	double start = start_count(0);

	come_and_go();
	double first = rss_exact();
	printf("2,000 zones: %.0f KiB", (first - start) / KIB);
	for (int round = 1; round < 6; round++) {
		come_and_go();
		double drift = rss_exact() - first;
		printf(", %+.0f", drift / KIB);
		ck_assert_double_lt(drift, KIB * KIB);
	}
	printf("\n");
	fflush(stdout);
}
END_TEST

START_TEST(resident_bytes_say_nothing_under_a_sanitizer)
{
	printf("skipped: a sanitizer's own memory is not to be told apart\n");
	fflush(stdout);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("footprint");
	TCase *tc = tcase_create("resident");

	tcase_set_timeout(tc, 60);
	suite_add_tcase(s, tc);
	if (TEST_ASAN || TEST_TSAN) {
		tcase_add_test(
		    tc, resident_bytes_say_nothing_under_a_sanitizer);
		return s;
	}
	tcase_add_loop_test(
	    tc, live_items_take_little_more_than_their_size, 0, BUDGETS);
	tcase_add_loop_test(
	    tc, few_live_items_hold_few_pages, FROM_256, BUDGETS);
	tcase_add_loop_test(tc, freed_items_leave_hardly_anything, 0, BUDGETS);
	tcase_add_test(tc, zones_that_come_and_go_leave_nothing_behind);
	return s;
}

int
main(void)
{
	return test_run(suite());
}
